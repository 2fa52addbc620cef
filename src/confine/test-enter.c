/* Tests of entering: the identity a process gets, and kernels and containers that refuse a step of it. */
#include "test-children.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* ---- identity -------------------------------------------------------------------------------------------- */

static uid_t wanted_uid;

static int become(void)
{
    const struct confine_profile none = {.name = "none", .groups = GROUP_BASE, .files_max_count = 64};
    const struct confine_params p = {.uid = wanted_uid, .gid = wanted_uid};
    gid_t groups[8];
    uid_t u[3];
    int signal = 0;
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || (geteuid() == 0 && setgroups(2, (const gid_t[]){4, 5}) < 0))
        return NOT_ENTERED;
    int r = identity_enter(&none, &p);
    if (r < 0)
        return r == FAULT_CONFINE ? EPERM : NOT_ENTERED;
    if (getresuid(&u[0], &u[1], &u[2]) < 0 || u[0] != wanted_uid || u[1] != wanted_uid || u[2] != wanted_uid)
        return EINVAL;
    if (getgroups(8, groups) != 0 && wanted_uid == NOBODY)
        return E2BIG;
    if (prctl(PR_GET_PDEATHSIG, &signal) < 0 || signal != SIGTERM)
        return ESRCH;
    return wanted_uid != 0 && setuid(0) == 0 ? EPERM : 0;
}

static void test_become_another_user(void **state)
{
    (void)state;
    wanted_uid = NOBODY;
    if (geteuid() == NOBODY)
        wanted_uid = NOBODY - 1;
    assert_int_equal(in_child(become), geteuid() == 0 ? 0 : EPERM);
}

static int stay(void)
{
    const struct confine_params p = {.uid = geteuid(), .gid = getegid()};
    const struct confine_profile kills = {.name = "kills", .capabilities = UINT64_C(1) << CAP_KILL};
    int had = prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN);
    if (identity_enter(&kills, &p) < 0)
        return NOT_ENTERED;
    if (geteuid() != 0)
        return prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) == had ? 0 : EINVAL;
    if (prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) != 0 || (prctl(PR_GET_SECUREBITS) & SECBIT_NOROOT_LOCKED) == 0)
        return EINVAL;
    return chown(root, 1, 1) < 0 && errno == EPERM && kill(1, 0) == 0 ? 0 : EINVAL;
}

static void test_stay(void **state)
{
    (void)state;
    assert_int_equal(in_child(stay), 0);
}

static int enter_as_nobody(void)
{
    struct confine_report report;
    struct confine_params p = params;
    p.uid = p.gid = NOBODY;
    int r = confine_enter(confine_find("secregd-engine"), &p, &report);
    return r < 0 ? NOT_ENTERED : act_create_in_state();
}

static void test_enter_as_another_user(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        print_message("# only root can become another user\n");
        return;
    }
    assert_int_equal(in_child(enter_as_nobody), 0);
}
/* ---- kernels and containers that refuse: each step that fails is a fault --------------------------------- */

struct refusal {
    long call;
    int argument; /* -1: any; compared with `value`, low half */
    uint32_t value;
    bool is_other; /* refuse when the argument is another than `value` */
    int error;     /* SECCOMP_RET_ERRNO with it; -1: SECCOMP_RET_TRAP */
    int want;      /* fault that confine_enter() must return */
    bool needs_root;
};

static const struct refusal *refusal;

static int put_refusal(void)
{
    const uint32_t at = (uint32_t)offsetof(struct seccomp_data, args) + 8u * (uint32_t)MAX_OF(refusal->argument, 0);
    const bool is_any = refusal->argument < 0;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)refusal->call, is_any ? 2 : 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, refusal->value, refusal->is_other ? 1 : 0, refusal->is_other ? 0 : 1),
        BPF_STMT(BPF_RET | BPF_K, refusal->error < 0 ? SECCOMP_RET_TRAP : SECCOMP_RET_ERRNO | (uint32_t)refusal->error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {COUNT_OF(code), code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

static int enter_refused(void)
{
    struct confine_report report = {.landlock_abi = 77};
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || put_refusal() != 0)
        return NOT_ENTERED;
    int r = confine_enter(confine_find("secregd-engine"), &params, &report);
    if (r != refusal->want) {
        int line;
        const char *file = fault_origin(&line);
        fprintf(stderr, "call %ld: %d (%s) at %s:%d\n", refusal->call, r, r < 0 ? fault_text(r) : "", file, line);
        return 1;
    }
    return r < 0 && report.landlock_abi != 77 ? 2 : 0; /* the report is set only on success */
}

static void test_refused_steps(void **state)
{
    static const struct refusal rows[] = {
        {SYS_prlimit64, 2, 0, false, EPERM, -EPERM, false},
        {SYS_prlimit64, 2, 0, true, EPERM, -EPERM, false},
        {SYS_prctl, 0, PR_GET_PDEATHSIG, false, EINVAL, -EINVAL, false},
        {SYS_prctl, 0, PR_SET_PDEATHSIG, false, EINVAL, -EINVAL, false},
        {SYS_prctl, 0, PR_GET_SECUREBITS, false, EINVAL, -EINVAL, true},
        {SYS_prctl, 0, PR_SET_SECUREBITS, false, EPERM, -EPERM, true},
        {SYS_prctl, 0, PR_SET_DUMPABLE, false, EINVAL, -EINVAL, false},
        {SYS_prctl, 0, PR_SET_NO_NEW_PRIVS, false, EINVAL, -EINVAL, false},
        {SYS_capget, -1, 0, false, EPERM, FAULT_CONFINE, false},
        {SYS_capset, -1, 0, false, EPERM, FAULT_CONFINE, false},
        {444, 0, 0, true, ENOMEM, -ENOMEM, false},
        {445, -1, 0, false, EINVAL, -EINVAL, false},
        {446, -1, 0, false, E2BIG, -E2BIG, false},
        {SYS_newfstatat, -1, 0, false, EIO, -EIO, false},
        {SYS_seccomp, -1, 0, false, ENOSYS, FAULT_CONFINE, false},
        {SYS_seccomp, 0, SECCOMP_SET_MODE_FILTER, false, ENOMEM, -EOPNOTSUPP, false},
        /* with these flags only the filter itself is loaded; the library's questions pass */
        {SYS_seccomp, 1, SECCOMP_FILTER_FLAG_TSYNC | (1u << 4), false, ENOMEM, -ENOMEM, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool is_landlock = rows[i].call >= 444 && rows[i].call <= 446;
        if ((rows[i].needs_root && geteuid() != 0) || (is_landlock && kernel_abi == 0)) {
            print_message("row %zu needs %s: not tried\n", i, is_landlock ? "Landlock" : "root");
            continue;
        }
        refusal = &rows[i];
        assert_int_equal(in_child(enter_refused), 0);
    }
}

static int enter_without_landlock(void)
{
    struct confine_report report;
    if (put_refusal() != 0 || confine_enter(confine_find("secregd-front"), &params, &report) < 0)
        return NOT_ENTERED;
    return report.landlock_abi == 0 && report.has_seccomp && strstr(report.dropped, "files and folders") != NULL ? 0
                                                                                                                 : 1;
}

static void test_kernel_without_landlock(void **state)
{
    static const struct refusal rows[] = {{444, -1, 0, false, ENOSYS, 0, false},
                                          {444, -1, 0, false, EOPNOTSUPP, 0, false}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        refusal = &rows[i];
        assert_int_equal(in_child(enter_without_landlock), 0);
    }
}

static int become_refused(void)
{
    const struct confine_profile none = {.name = "none"};
    const struct confine_params p = {.uid = NOBODY, .gid = NOBODY};
    return put_refusal() == 0 && identity_enter(&none, &p) == refusal->want ? 0 : NOT_ENTERED;
}

static void test_refused_change_of_user(void **state)
{
    static const struct refusal rows[] = {{SYS_setresuid, -1, 0, false, EAGAIN, FAULT_CONFINE, true},
                                          {SYS_setresgid, -1, 0, false, EPERM, FAULT_CONFINE, true},
                                          {SYS_getresuid, -1, 0, false, EIO, -EIO, true},
                                          /* a call that says it worked and did not */
                                          {SYS_setresuid, -1, 0, false, 0, FAULT_CONFINE, true}};
    (void)state;
    if (geteuid() != 0) {
        print_message("# only root can become another user\n");
        return;
    }
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        refusal = &rows[i];
        assert_int_equal(in_child(become_refused), 0);
    }
}

/*
 * A role whose parent dies while it changes its user would never hear of it. The call that asks for the signal again is
 * trapped here, and the parent ended inside it: the number that the trapped call returns is then not negative.
 */
static pid_t doomed;

static void end_parent(int signal)
{
    (void)signal;
    kill(doomed, SIGKILL);
    while (getppid() == doomed)
        poll(NULL, 0, 1);
}

static void become_orphan(int out)
{
    static const struct refusal trap = {SYS_prctl, 0, PR_SET_PDEATHSIG, false, -1, 0, false};
    const struct confine_profile none = {.name = "none"};
    char answer = 'n';
    doomed = getppid();
    refusal = &trap;
    /* SIGCHLD as the death signal, since it is ignored */
    if (prctl(PR_SET_PDEATHSIG, SIGCHLD) == 0 && signal(SIGSYS, end_parent) != SIG_ERR && put_refusal() == 0)
        answer = identity_enter(&none, &params) == FAULT_CONFINE ? 'f' : 'e';
    leave(write(out, &answer, 1) == 1 ? 0 : 1);
}

static void test_parent_dies_meanwhile(void **state)
{
    int out[2], status;
    char answer = 0;
    (void)state;
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (fork() == 0)
            become_orphan(out[1]);
        for (;;)
            pause();
    }
    assert_int_equal(read(out[0], &answer, 1), 1);
    assert_int_equal(answer, 'f');
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    close(out[0]);
    close(out[1]);
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_become_another_user),     cmocka_unit_test(test_stay),
        cmocka_unit_test(test_enter_as_another_user),   cmocka_unit_test(test_refused_steps),
        cmocka_unit_test(test_kernel_without_landlock), cmocka_unit_test(test_refused_change_of_user),
        cmocka_unit_test(test_parent_dies_meanwhile),
    };
    return cmocka_run_group_tests(tests, make_places, remove_places);
}
