/*
 * confine - entering a profile; see confine.h.
 *
 * The order is fixed: each step takes away what the one before still needed. Limits and the identity come first,
 * because they need privileges; Landlock comes before seccomp, so that no filter need allow Landlock's calls. A step
 * that fails leaves the process half confined: the caller must end it.
 */
#include "confine/confine.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "confine/confine-internal.h"
#include "confine/variant.h"

#define OPEN_NOTE "no_new_privs, files and system calls (helpers with the set-user-ID bit must work)"

static_assert(CAP_LAST_CAP < 64, "struct confine_profile holds capabilities in 64 bits");

static int lower_limit(__rlimit_resource_t which, rlim_t wanted)
{
    struct rlimit limit;
    if (getrlimit(which, &limit) < 0)
        return RAISE(-errno);
    limit.rlim_max = MIN_OF(limit.rlim_max, wanted); /* never raised: what the administrator set stands */
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(which, &limit) < 0)
        return RAISE(-errno);
    return 0;
}

int limits_enter(const struct confine_profile *profile)
{
    assert(profile->files_max_count > 0);
    TRY(lower_limit(RLIMIT_CORE, 0));
    if (!profile->is_open)
        TRY(lower_limit(RLIMIT_NPROC, 0)); /* counts for fork() only; seccomp refuses it as well */
    if (profile->cpu_max_s > 0)
        TRY(lower_limit(RLIMIT_CPU, profile->cpu_max_s));
    if (profile->memory_max_mb > 0 && !variant_maps_all_memory())
        TRY(lower_limit(RLIMIT_AS, (rlim_t)profile->memory_max_mb << 20));
    return lower_limit(RLIMIT_NOFILE, profile->files_max_count);
}

/* Fill libcap-ng's plan with the capabilities that the profile names and the process has. */
static int plan_capabilities(const struct confine_profile *profile)
{
    /* programs that an open role runs as root may have what it has itself; others run none */
    unsigned sets = CAPNG_EFFECTIVE | CAPNG_PERMITTED | (profile->is_open ? CAPNG_BOUNDING_SET : 0u);
    uint64_t wanted = profile->capabilities;
    for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++) {
        if (!capng_have_capability(CAPNG_PERMITTED, cap))
            wanted &= ~(UINT64_C(1) << cap);
    }
    capng_clear(CAPNG_SELECT_ALL);
    for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++) {
        if ((wanted & (UINT64_C(1) << cap)) != 0 && capng_update(CAPNG_ADD, (capng_type_t)sets, cap) != 0)
            return RAISE(FAULT_CONFINE);
    }
    return 0;
}

/* From here on uid 0 means no more than the capabilities it keeps. Bits that the service manager set stay. */
static int lock_root(void)
{
    int bits = prctl(PR_GET_SECUREBITS);
    if (bits < 0)
        return RAISE(-errno);
    bits |= SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
    if (prctl(PR_SET_SECUREBITS, (unsigned long)(unsigned)bits) < 0)
        return RAISE(-errno);
    return 0;
}

/* Without CAP_SETPCAP the bounding set stays; no_new_privs then makes it worthless. */
static int keep_capabilities(bool may_bound)
{
    int set = (int)CAPNG_SELECT_CAPS | (int)CAPNG_SELECT_AMBIENT | (may_bound ? (int)CAPNG_SELECT_BOUNDS : 0);
    return capng_apply((capng_select_t)set) == 0 ? 0 : RAISE(FAULT_CONFINE);
}

static int change_user(uid_t uid, gid_t gid)
{
    uid_t u[3];
    gid_t g[3];
    if (capng_change_id((int)uid, (int)gid, CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING | CAPNG_CLEAR_AMBIENT) != 0)
        return RAISE(FAULT_CONFINE);
    if (getresuid(&u[0], &u[1], &u[2]) < 0 || getresgid(&g[0], &g[1], &g[2]) < 0)
        return RAISE(-errno);
    for (size_t i = 0; i < COUNT_OF(u); i++) {
        if (u[i] != uid || g[i] != gid)
            return RAISE(FAULT_CONFINE);
    }
    return 0;
}

/* A change of user makes the kernel forget the signal that tells a role of its parent's death: ask for it again. */
static int renew_death_signal(int signal, pid_t parent)
{
    if (signal == 0)
        return 0;
    if (prctl(PR_SET_PDEATHSIG, signal) < 0)
        return RAISE(-errno);
    return getppid() == parent ? 0 : RAISE(FAULT_CONFINE);
}

int identity_enter(const struct confine_profile *profile, const struct confine_params *params)
{
    bool is_change = params->uid != (uid_t)-1 && (params->uid != geteuid() || params->gid != getegid());
    pid_t parent = getppid();
    int signal = 0;
    assert((params->uid == (uid_t)-1) == (params->gid == (gid_t)-1));
    if (prctl(PR_GET_PDEATHSIG, &signal) < 0)
        return RAISE(-errno);
    if (capng_get_caps_process() != 0)
        return RAISE(FAULT_CONFINE);
    bool may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
    if (may_bound && !profile->is_open) /* helpers of PAM are run by root to be root */
        TRY(lock_root());
    TRY(plan_capabilities(profile));
    TRY(is_change ? change_user(params->uid, params->gid) : keep_capabilities(may_bound));
    return renew_death_signal(signal, parent);
}

int confine_enter(const struct confine_profile *profile, const struct confine_params *params,
                  struct confine_report *ret_report)
{
    struct confine_report report = {0};
    assert(profile != NULL && params != NULL && ret_report != NULL);
    TRY(limits_enter(profile));
    TRY(identity_enter(profile, params));
    /* after the identity: a change of user resets it */
    if (prctl(PR_SET_DUMPABLE, 0) < 0)
        return RAISE(-errno);
    if (profile->is_open && geteuid() != 0) { /* see profiles.h */
        snprintf(report.dropped, sizeof report.dropped, "%s", OPEN_NOTE);
        *ret_report = report;
        return 0;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return RAISE(-errno);
    TRY(landlock_enter(profile, params, &report));
    TRY(seccomp_enter(profile));
    report.has_seccomp = true;
    *ret_report = report;
    return 0;
}
