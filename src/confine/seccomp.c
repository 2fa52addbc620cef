/*
 * seccomp - the allow-list of system calls, or for open profiles the list of those denied; see confine-internal.h.
 *
 * Invariant: a call passes only if a group of the profile has a row for it whose test holds. Every other call ends the
 * process (SECCOMP_RET_KILL_PROCESS, which the kernel writes to the audit log), because a role that makes it is no
 * longer running our code. The exception is a short list of calls that libraries try and survive: they fail with an
 * errno value (profiles_refusals). Calls of a foreign architecture or of the x32 ABI end the process too.
 * Source: seccomp(2), seccomp_rule_add(3).
 */
#include <errno.h>
#include <seccomp.h>
#include <unistd.h>

#include "confine/confine-internal.h"
#include "confine/variant.h"

SCOPED_DROP(drop_filter, void, seccomp_release)

static struct scmp_arg_cmp compile_test(const struct confine_call *call)
{
    switch (call->test) {
    case TEST_EQUAL:
        return (struct scmp_arg_cmp){call->argument, SCMP_CMP_EQ, call->value, 0};
    case TEST_OTHER:
        return (struct scmp_arg_cmp){call->argument, SCMP_CMP_NE, call->value, 0};
    case TEST_CLEAR:
        return (struct scmp_arg_cmp){call->argument, SCMP_CMP_MASKED_EQ, call->value, 0};
    case TEST_SET:
        return (struct scmp_arg_cmp){call->argument, SCMP_CMP_MASKED_EQ, call->value, call->value};
    case TEST_SELF:
        return (struct scmp_arg_cmp){call->argument, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0};
    case TEST_NONE:
        break;
    }
    return (struct scmp_arg_cmp){0};
}

static int add_call(scmp_filter_ctx filter, const struct confine_call *call)
{
    struct scmp_arg_cmp test = compile_test(call);
    uint32_t action = call->refuse != 0 ? SCMP_ACT_ERRNO((uint32_t)call->refuse) : SCMP_ACT_ALLOW;
    assert(call->argument < 6 && call->refuse >= 0);
    int r = seccomp_rule_add_array(filter, action, call->number, call->test != TEST_NONE, &test);
    /* the same row in two groups, or in a group and in the calls of the build */
    return r < 0 && r != -EEXIST ? RAISE(r) : 0;
}

static int add_calls(scmp_filter_ctx filter, struct confine_calls calls)
{
    for (size_t i = 0; i < calls.count; i++)
        TRY(add_call(filter, &calls.calls[i]));
    return 0;
}

static bool is_refused(const struct confine_profile *profile, const struct confine_call *call)
{
    struct confine_calls extra = variant_calls();
    for (size_t i = 0; i < extra.count; i++) {
        if (extra.calls[i].number == call->number)
            return false;
    }
    /* a refusal with a test is the other half of a call that passes with a test */
    return call->test != TEST_NONE || !profiles_allow(profile, call->number);
}

static int add_refusals(scmp_filter_ctx filter, const struct confine_profile *profile)
{
    struct confine_calls refusals = profiles_refusals();
    for (size_t i = 0; i < refusals.count; i++) {
        if (is_refused(profile, &refusals.calls[i]))
            TRY(add_call(filter, &refusals.calls[i]));
    }
    return 0;
}

static int set_attributes(scmp_filter_ctx filter)
{
    /* all threads, should a library have made one; a balanced tree of calls, since each call walks the filter */
    int r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (r == 0)
        r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (r == 0)
        r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (r == 0)
        r = seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1); /* the kernel's own errno value */
    return r < 0 ? RAISE(r) : 0;
}

/* For an open profile: everything passes but the denials. */
static int enter_open(void)
{
    SCOPED(drop_filter) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (filter == NULL)
        return RAISE(FAULT_CONFINE);
    TRY(set_attributes(filter));
    TRY(add_calls(filter, profiles_denials()));
    int r = seccomp_load(filter);
    return r < 0 ? RAISE(r) : 0;
}

int seccomp_enter(const struct confine_profile *profile)
{
    assert(profile != NULL && (profile->is_open || (profile->groups & GROUP_BASE) != 0));
    if (profile->is_open)
        return enter_open();
    SCOPED(drop_filter) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (filter == NULL)
        return RAISE(FAULT_CONFINE); /* no memory, or a kernel that cannot end processes by filter */
    TRY(set_attributes(filter));
    for (unsigned bit = 0; bit < GROUPS_COUNT; bit++) {
        if ((profile->groups & (1u << bit)) != 0)
            TRY(add_calls(filter, profiles_group(bit)));
    }
    TRY(add_calls(filter, variant_calls()));
    TRY(add_refusals(filter, profile));
    int r = seccomp_load(filter);
    return r < 0 ? RAISE(r) : 0;
}
