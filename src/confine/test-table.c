/* Tests of what confine decides without asking the kernel: the table, the compiled rights, the checker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "confine/confine-internal.h"
#include "confine/variant.h"

/* ---- the table ------------------------------------------------------------------------------------------- */

static void test_find(void **state)
{
    (void)state;
    assert_null(confine_find("secregd-none"));
    assert_null(confine_find(""));
    assert_null(confine_find("secregd-fron"));
    size_t n = 0;
    for (const struct confine_profile *p = profiles_at(0); p != NULL; p = profiles_at(++n))
        assert_ptr_equal(confine_find(p->name), p);
    assert_int_equal(n, 13);
}

static void test_rows_are_whole(void **state)
{
    (void)state;
    for (size_t i = 0; profiles_at(i) != NULL; i++) {
        const struct confine_profile *p = profiles_at(i);
        if (p->is_open) { /* says what is not allowed, and nothing of what is */
            assert_int_equal(p->groups, 0);
            assert_int_equal(p->rules[0].rights, 0);
            assert_false(p->may_signal_outside);
            assert_int_equal(p->hidden_places >> CONFINE_PLACES_COUNT, 0);
            continue;
        }
        assert_int_equal(p->hidden_places, 0);
        assert_true((p->groups & GROUP_BASE) != 0);
        assert_int_equal(p->groups >> GROUPS_COUNT, 0);
        assert_true(p->files_max_count >= 64);
        for (size_t r = 0; r < CONFINE_RULES_MAX_COUNT && p->rules[r].rights != 0; r++) {
            assert_true(p->rules[r].fixed != NULL || p->rules[r].place < CONFINE_PLACES_COUNT);
            /* nothing may be both written and executed, and the roles execute nothing at all */
            assert_int_equal(p->rules[r].rights & CONFINE_EXEC, 0);
            /* a right without the calls that use it would say something that does not hold */
            assert_true((p->rules[r].rights & (CONFINE_READ | CONFINE_LIST)) == 0 || (p->groups & GROUP_READ) != 0);
            assert_true((p->rules[r].rights & (CONFINE_WRITE | CONFINE_CREATE)) == 0 || (p->groups & GROUP_WRITE) != 0);
            assert_true((p->rules[r].rights & CONFINE_REMOVE) == 0 || (p->groups & GROUP_UNLINK) != 0);
            assert_true((p->rules[r].rights & CONFINE_FOLDERS) == 0 || (p->groups & GROUP_FOLDERS) != 0);
        }
    }
}

static void test_what_no_role_may(void **state)
{
    static const int never[] = {
        SCMP_SYS(execve), SCMP_SYS(execveat),  SCMP_SYS(clone),          SCMP_SYS(fork),        SCMP_SYS(vfork),
        SCMP_SYS(clone3), SCMP_SYS(socket),    SCMP_SYS(connect),        SCMP_SYS(bind),        SCMP_SYS(listen),
        SCMP_SYS(ptrace), SCMP_SYS(mount),     SCMP_SYS(unshare),        SCMP_SYS(setns),       SCMP_SYS(bpf),
        SCMP_SYS(keyctl), SCMP_SYS(setresuid), SCMP_SYS(io_uring_setup), SCMP_SYS(ioctl),       SCMP_SYS(chmod),
        SCMP_SYS(prctl),  SCMP_SYS(seccomp),   SCMP_SYS(capset),         SCMP_SYS(memfd_create)};
    (void)state;
    for (size_t i = 0; profiles_at(i) != NULL; i++) {
        const struct confine_profile *p = profiles_at(i);
        bool is_client = (p->groups & (GROUP_LOCAL | GROUP_TCP)) != 0;
        assert_int_equal(is_client, strncmp(p->name, "secreg-follow-", 14) == 0);
        for (size_t n = 0; n < COUNT_OF(never); n++) {
            bool is_of_clients = never[n] == SCMP_SYS(socket) || never[n] == SCMP_SYS(connect);
            bool is_of_tcp = never[n] == SCMP_SYS(ioctl);
            assert_int_equal(profiles_allow(p, never[n]),
                             (is_of_clients && is_client) || (is_of_tcp && (p->groups & GROUP_TCP) != 0));
        }
    }
    const struct confine_profile *front = confine_find("secregd-front");
    assert_int_equal(front->rules[0].rights, 0);
    assert_false(profiles_allow(front, SCMP_SYS(openat)));
    assert_false(profiles_allow(front, SCMP_SYS(accept4)));
    assert_false(profiles_allow(front, SCMP_SYS(kill)));
    assert_true(profiles_allow(front, SCMP_SYS(recvmsg)));
    assert_true(profiles_allow(confine_find("secregd-engine"), SCMP_SYS(accept4)));
    assert_false(profiles_allow(confine_find("secregd-engine"), SCMP_SYS(mkdir)));
    assert_false(profiles_allow(confine_find("secregd-init"), SCMP_SYS(accept4)));
    assert_true(profiles_allow(confine_find("secregd-parent"), SCMP_SYS(kill)));
    assert_int_equal(confine_find("secregd-parent")->capabilities, UINT64_C(1) << CAP_KILL);
    assert_int_equal(confine_find("secreg-follow-kernel")->capabilities, UINT64_C(1) << CAP_AUDIT_WRITE);
}

/* The two rows that run code of others, and nothing else, are open. */
static void test_open_rows(void **state)
{
    static const int denied[] = {SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(pidfd_getfd), SCMP_SYS(mount),
                                 SCMP_SYS(bpf),    SCMP_SYS(kexec_load),       SCMP_SYS(init_module), SCMP_SYS(setns),
                                 SCMP_SYS(reboot), SCMP_SYS(open_by_handle_at)};
    const uint64_t never = UINT64_C(1) << CAP_SYS_ADMIN | UINT64_C(1) << CAP_SYS_PTRACE |
                           UINT64_C(1) << CAP_SYS_MODULE | UINT64_C(1) << CAP_SYS_RAWIO | UINT64_C(1) << CAP_NET_ADMIN |
                           UINT64_C(1) << CAP_BPF;
    (void)state;
    for (size_t i = 0; profiles_at(i) != NULL; i++) {
        const char *name = profiles_at(i)->name;
        bool is_expected = strcmp(name, "secregd-starter") == 0 || strcmp(name, "secregd-auth") == 0;
        assert_int_equal(profiles_at(i)->is_open, is_expected);
        assert_int_equal(profiles_at(i)->capabilities & never, 0);
    }
    const struct confine_profile *auth = confine_find("secregd-auth"), *starter = confine_find("secregd-starter");
    assert_int_equal(auth->hidden_places, 1u << CONFINE_STATE | 1u << CONFINE_CONFIG);
    assert_true(auth->cpu_max_s > 0 && auth->memory_max_mb > 0);
    assert_int_equal(auth->capabilities & ~starter->capabilities, 0); /* it cannot hand on what it has not */
    struct confine_calls denials = profiles_denials();
    for (size_t n = 0; n < COUNT_OF(denied); n++) {
        size_t at = 0;
        while (at < denials.count && denials.calls[at].number != denied[n])
            at++;
        assert_true(at < denials.count && denials.calls[at].refuse > 0);
    }
}

static void test_groups_pass_and_refusals_refuse(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < GROUPS_COUNT; bit++) {
        struct confine_calls g = profiles_group(bit);
        assert_true(g.count > 0);
        for (size_t i = 0; i < g.count; i++)
            assert_int_equal(g.calls[i].refuse, 0);
    }
    struct confine_calls refusals = profiles_refusals();
    for (size_t i = 0; i < refusals.count; i++)
        assert_in_range(refusals.calls[i].refuse, 1, 133);
}

/* The two halves of the memory calls must meet: what does not pass fails, nothing falls through to the end. */
static void test_executable_memory(void **state)
{
    static const int both[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};
    (void)state;
    for (size_t c = 0; c < COUNT_OF(both); c++) {
        bool passes = false, fails = false;
        struct confine_calls base = profiles_group(0), refusals = profiles_refusals();
        for (size_t i = 0; i < base.count; i++)
            passes = passes || (base.calls[i].number == both[c] && base.calls[i].test == TEST_CLEAR &&
                                base.calls[i].argument == 2 && base.calls[i].value == PROT_EXEC);
        for (size_t i = 0; i < refusals.count; i++)
            fails = fails || (refusals.calls[i].number == both[c] && refusals.calls[i].test == TEST_SET &&
                              refusals.calls[i].argument == 2 && refusals.calls[i].value == PROT_EXEC);
        assert_true(passes);
        assert_true(fails);
    }
}

static void test_variant_is_said(void **state)
{
    (void)state;
    /* a build that allows more must say so, and a build for use may not allow more */
    assert_int_equal(variant_calls().count > 0 || variant_opens_files(), variant_note()[0] != '\0');
}

/* ---- Landlock: what is asked of each kernel -------------------------------------------------------------- */

static void test_plans(void **state)
{
    (void)state;
    static const struct {
        int abi;
        uint64_t fs, net, scopes;
        size_t bytes;
        uint32_t flags;
    } rows[] = {
        {1, 0x1fff, 0, 0, 8, 0},   {2, 0x3fff, 0, 0, 8, 0},     {3, 0x7fff, 0, 0, 8, 0},     {4, 0x7fff, 3, 0, 16, 0},
        {5, 0xffff, 3, 0, 16, 0},  {6, 0xffff, 3, 3, 24, 0},    {7, 0xffff, 3, 3, 24, 0},    {8, 0xffff, 3, 3, 24, 8},
        {9, 0x1ffff, 3, 3, 24, 8}, {10, 0x1ffff, 15, 3, 24, 8}, {99, 0x1ffff, 15, 3, 24, 8},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct landlock_plan p = landlock_plan_for(rows[i].abi, false);
        assert_int_equal(p.ruleset.handled_fs, rows[i].fs);
        assert_int_equal(p.ruleset.handled_net, rows[i].net);
        assert_int_equal(p.ruleset.handled_scopes, rows[i].scopes);
        assert_int_equal(p.ruleset_bytes, rows[i].bytes);
        assert_int_equal(p.flags, rows[i].flags);
        p = landlock_plan_for(rows[i].abi, true);
        assert_int_equal(p.ruleset.handled_scopes, rows[i].scopes & 1); /* signals are the second scope */
    }
}

static void test_rights(void **state)
{
    const unsigned all = CONFINE_READ | CONFINE_LIST | CONFINE_WRITE | CONFINE_CREATE | CONFINE_REMOVE |
                         CONFINE_SOCKETS | CONFINE_EXEC | CONFINE_FOLDERS;
    (void)state;
    assert_int_equal(landlock_rights(0, true, UINT64_MAX), 0);
    assert_int_equal(landlock_rights(CONFINE_READ, true, UINT64_MAX), 0x4);
    assert_int_equal(landlock_rights(CONFINE_LIST, true, UINT64_MAX), 0x8);
    assert_int_equal(landlock_rights(CONFINE_WRITE, true, UINT64_MAX), 0x4002);
    assert_int_equal(landlock_rights(CONFINE_WRITE, true, 0x1fff), 0x2); /* no truncation before ABI 3 */
    assert_int_equal(landlock_rights(CONFINE_CREATE, true, UINT64_MAX), 0x100);
    assert_int_equal(landlock_rights(CONFINE_REMOVE, true, UINT64_MAX), 0x20);
    assert_int_equal(landlock_rights(CONFINE_SOCKETS, true, UINT64_MAX), 0x200);
    assert_int_equal(landlock_rights(CONFINE_EXEC, true, UINT64_MAX), 0x1);
    assert_int_equal(landlock_rights(CONFINE_FOLDERS, true, UINT64_MAX), 0x90);
    assert_int_equal(landlock_rights(all, true, UINT64_MAX), 0x43bf);
    assert_int_equal(landlock_rights(all, false, UINT64_MAX), 0x4007); /* a file has no folder rights */
    assert_int_equal(landlock_rights(CONFINE_LIST | CONFINE_CREATE, false, UINT64_MAX), 0);
}

static void test_dropped(void **state)
{
    char text[CONFINE_REPORT_BYTES];
    (void)state;
    landlock_dropped(0, text);
    assert_string_equal(text, "files and folders, moves between folders, truncation, TCP ports, device controls, "
                              "abstract sockets, signals, connecting to sockets by path, UDP ports");
    landlock_dropped(1, text);
    assert_non_null(strstr(text, "truncation, TCP ports"));
    assert_null(strstr(text, "moves")); /* ABI 1 refuses all of them */
    landlock_dropped(2, text);
    assert_string_equal(text, "truncation, TCP ports, device controls, abstract sockets, signals, connecting to "
                              "sockets by path, UDP ports");
    landlock_dropped(7, text);
    assert_string_equal(text, "connecting to sockets by path, UDP ports");
    landlock_dropped(10, text);
    assert_string_equal(text, "");
    landlock_dropped(11, text);
    assert_string_equal(text, "");
}

/* ---- the checker ----------------------------------------------------------------------------------------- */

static const char good_status[] = "Name:\tsecregd\nUmask:\t0077\nState:\tS (sleeping)\nUid:\t987\t987\t987\t987\n"
                                  "Gid:\t986\t986\t986\t986\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000020\n"
                                  "CapEff:\t0000000000000020\nCapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\n"
                                  "NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\nSpeculation_Store_Bypass:\tx\n";

static void test_status_parse(void **state)
{
    struct confine_status s;
    (void)state;
    assert_int_equal(confine_status_parse(good_status, &s), 0);
    assert_true(s.has_no_new_privs);
    assert_int_equal(s.seccomp_mode, 2);
    assert_int_equal(s.seccomp_filters, 3);
    assert_int_equal(s.cap_permitted, 0x20);
    assert_int_equal(s.cap_effective, 0x20);
    assert_int_equal(s.cap_bounding, UINT64_C(0x1ffffffffff));
    assert_int_equal(s.cap_ambient, 0);
    assert_int_equal(s.uid, 987);
}

/* `good_status` with the first `from` replaced by `to`, parsed. */
static int parse_changed(const char *from, const char *to, struct confine_status *ret_status)
{
    char text[sizeof good_status + 64];
    const char *at = strstr(good_status, from);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good_status), good_status, to, at + strlen(from));
    return confine_status_parse(text, ret_status);
}

static void test_status_malformed(void **state)
{
    static const struct {
        const char *from, *to;
    } rows[] = {
        {"NoNewPrivs:\t1\n", ""},
        {"NoNewPrivs:\t1", "NoNewPrivs:\t"},
        {"Seccomp:\t2", "Seccomp:"},
        {"Seccomp:\t2\n", "Seccomp:\t2\nSeccomp:\t0\n"},
        {"Seccomp:\t2", "Seccomp:\tx"},
        {"CapEff:\t0000000000000020", "CapEff:\t00000000000000200"},
        {"CapEff:\t0000000000000020", "CapEff:\t000000000000002G"},
        {"CapEff:\t0000000000000020", "CapEff:\t"},
        {"CapPrm", "CapXxx"},
        {"Uid:\t987", "Uid:\t-1"},
        {"Uid:\t987", "Uid:\t99999999999"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct confine_status s = {.uid = 42};
        assert_int_equal(parse_changed(rows[i].from, rows[i].to, &s), CONFINE_MALFORMED);
        assert_int_equal(s.uid, 42);
    }
    struct confine_status s;
    assert_int_equal(confine_status_parse("", &s), CONFINE_MALFORMED);
    assert_int_equal(confine_status_parse("\n\n", &s), CONFINE_MALFORMED);
    /* absent before Linux 5.9 */
    assert_int_equal(parse_changed("Seccomp_filters:\t3\n", "", &s), 0);
    assert_int_equal(s.seccomp_filters, 0);
}

static void test_status_of_this_process(void **state)
{
    char text[4096];
    struct confine_status s;
    (void)state;
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t n = read(fd, text, sizeof text - 1);
    assert_true(n > 0 && n < (ssize_t)sizeof text - 1);
    text[n] = '\0';
    close(fd);
    assert_int_equal(confine_status_parse(text, &s), 0);
    assert_int_equal(s.uid, getuid());
}

/* An open profile shows nothing where it is an ordinary user's, and all of it where it is root's. */
static void test_status_of_open_profiles(void **state)
{
    const struct confine_profile *auth = confine_find("secregd-auth");
    struct confine_status s = {.uid = 1000, .cap_bounding = UINT64_MAX};
    const char *why = "unset";
    (void)state;
    assert_true(confine_status_expected(auth, &s, &why));
    s.cap_effective = UINT64_C(1) << CAP_SYS_ADMIN;
    assert_false(confine_status_expected(auth, &s, &why));
    s = (struct confine_status){.uid = 0};
    assert_false(confine_status_expected(auth, &s, &why));
    assert_string_equal(why, "no_new_privs is not set");
    s = (struct confine_status){true, 2, 1, auth->capabilities, auth->capabilities, auth->capabilities, 0, 0};
    assert_true(confine_status_expected(auth, &s, &why));
}

static void test_plan_open(void **state)
{
    (void)state;
    for (int abi = 1; abi < 12; abi++) {
        struct landlock_plan open = landlock_plan_open(abi), all = landlock_plan_for(abi, false);
        assert_int_equal(open.ruleset.handled_fs, all.ruleset.handled_fs & 0x7fff); /* no device controls, no sockets */
        assert_int_equal(open.ruleset.handled_net, 0);
        assert_int_equal(open.ruleset.handled_scopes, all.ruleset.handled_scopes & 2); /* signals */
        assert_int_equal(open.ruleset_bytes, all.ruleset_bytes);
    }
}

static void test_status_gaps(void **state)
{
    const struct confine_status good = {true, 2, 1, 0, 0, 0, 0, 987};
    const struct confine_profile *engine = confine_find("secregd-engine"), *parent = confine_find("secregd-parent");
    const char *why = "unset";
    (void)state;
    assert_true(confine_status_expected(engine, &good, &why));
    assert_string_equal(why, "unset");
    struct confine_status s = good;
    s.cap_bounding = UINT64_MAX; /* an ordinary user cannot empty it */
    assert_true(confine_status_expected(engine, &s, &why));
    s.uid = 0;
    assert_false(confine_status_expected(engine, &s, &why));
    assert_string_equal(why, "root could gain capabilities again");
    s = good;
    s.has_no_new_privs = false;
    assert_false(confine_status_expected(engine, &s, &why));
    assert_string_equal(why, "no_new_privs is not set");
    s = good;
    s.seccomp_mode = 1;
    assert_false(confine_status_expected(engine, &s, &why));
    assert_string_equal(why, "there is no seccomp filter");
    s = good;
    s.cap_ambient = 1;
    assert_false(confine_status_expected(engine, &s, &why));
    assert_string_equal(why, "there are ambient capabilities");
    s = good;
    s.cap_effective = s.cap_permitted = UINT64_C(1) << CAP_KILL;
    assert_true(confine_status_expected(parent, &s, &why));
    assert_false(confine_status_expected(engine, &s, &why));
    assert_string_equal(why, "more effective capabilities than the profile names");
    s.cap_effective = 0;
    assert_false(confine_status_expected(engine, &s, &why));
    assert_string_equal(why, "more permitted capabilities than the profile names");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_rows_are_whole),
        cmocka_unit_test(test_what_no_role_may),
        cmocka_unit_test(test_open_rows),
        cmocka_unit_test(test_groups_pass_and_refusals_refuse),
        cmocka_unit_test(test_executable_memory),
        cmocka_unit_test(test_variant_is_said),
        cmocka_unit_test(test_plans),
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_dropped),
        cmocka_unit_test(test_status_parse),
        cmocka_unit_test(test_status_malformed),
        cmocka_unit_test(test_status_of_this_process),
        cmocka_unit_test(test_status_gaps),
        cmocka_unit_test(test_status_of_open_profiles),
        cmocka_unit_test(test_plan_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
