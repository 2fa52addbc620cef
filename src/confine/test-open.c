/* Tests of open profiles: what a process that runs code of others keeps and what it loses, as root and as others. */
#include "test-children.h"

#include <linux/capability.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "confine/variant.h"

static int (*act_after)(void);
static bool is_nobody;

static int enter_auth(void)
{
    struct confine_report report = {0};
    if (is_nobody && (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0))
        return NOT_ENTERED;
    int r = confine_enter(confine_find("secregd-auth"), &params, &report);
    if (r < 0)
        return NOT_ENTERED;
    if ((geteuid() != 0) != (strstr(report.dropped, "no_new_privs") != NULL) || report.has_seccomp != (geteuid() == 0))
        return NOT_ENTERED;
    return act_after();
}

static int as_auth(int (*act)(void))
{
    act_after = act;
    return in_child(enter_auth);
}

/* What holds for root only: 0 expected elsewhere. */
static int of_root(int refusal)
{
    return started_as == 0 && !is_nobody ? refusal : 0;
}

static int of_landlock(int refusal)
{
    return kernel_abi > 0 && !variant_opens_files() ? of_root(refusal) : 0;
}

static int try_open(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

static int act_read_state(void)
{
    return try_open(path_in(CONFINE_STATE, "file"), O_RDONLY);
}

static int act_create_state(void)
{
    int r = try_open(path_in(CONFINE_STATE, "made"), O_WRONLY | O_CREAT);
    unlink(path_in(CONFINE_STATE, "made"));
    return r;
}

static int act_read_config(void)
{
    return try_open(path_in(CONFINE_CONFIG, "file"), O_RDONLY);
}

static int act_through_a_link(void)
{
    return try_open(path_in(CONFINE_RUN, "made"), O_RDONLY); /* a link to the hidden file */
}

static int act_beside(void)
{
    int r = try_open(path_in(CONFINE_RUN, "file"), O_RDONLY);
    return r != 0 ? r : try_open("/etc/passwd", O_RDONLY);
}

static int act_list(void)
{
    int r = try_open("/", O_RDONLY | O_DIRECTORY);
    return r != 0 ? r : try_open(root, O_RDONLY | O_DIRECTORY);
}

static int act_run_program(void)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(99);
    }
    if (pid < 0)
        return errno;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

static int act_enter_again(void)
{
    struct confine_report report;
    if (confine_enter(confine_find("secregd-auth"), &params, &report) < 0)
        return NOT_ENTERED;
    return act_beside();
}

static int act_ptrace(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 ? errno : 0;
}

static int act_user_namespace(void)
{
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    return pid < 0 ? errno : 0;
}

static int act_signal_parent(void)
{
    return kill(getppid(), 0) < 0 ? errno : 0;
}

static int act_no_new_privs(void)
{
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? EPERM : 0;
}

static int act_dumpable(void)
{
    return prctl(PR_GET_DUMPABLE);
}

static int act_limits(void)
{
    struct rlimit core, cpu, files, memory;
    if (getrlimit(RLIMIT_CORE, &core) < 0 || getrlimit(RLIMIT_CPU, &cpu) < 0 || getrlimit(RLIMIT_NOFILE, &files) < 0 ||
        getrlimit(RLIMIT_AS, &memory) < 0)
        return errno;
    bool is_bounded = variant_maps_all_memory() || memory.rlim_max <= (rlim_t)1024 << 20;
    return core.rlim_max == 0 && cpu.rlim_max <= 30 && files.rlim_max <= 256 && is_bounded ? 0 : EINVAL;
}

static int act_capability(void)
{
    return prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) == 0 ? EPERM : 0;
}

static int act_shadow(void)
{
    return try_open("/etc/shadow", O_RDONLY);
}

static void check(void)
{
    assert_int_equal(as_auth(act_beside), 0);
    assert_int_equal(as_auth(act_list), 0);
    assert_int_equal(as_auth(act_run_program), 0);
    assert_int_equal(as_auth(act_dumpable), 0);
    assert_int_equal(as_auth(act_limits), 0);
    assert_int_equal(as_auth(act_no_new_privs), of_root(EPERM));
    assert_int_equal(as_auth(act_ptrace), of_root(EPERM));
    assert_int_equal(as_auth(act_read_state), of_landlock(EACCES));
    assert_int_equal(as_auth(act_create_state), of_landlock(EACCES));
    assert_int_equal(as_auth(act_read_config), of_landlock(EACCES));
}

static void test_as_started(void **state)
{
    (void)state;
    is_nobody = false;
    check();
    char target[PATH_BYTES];
    snprintf(target, sizeof target, "%s", path_in(CONFINE_STATE, "file"));
    assert_int_equal(symlink(target, path_in(CONFINE_RUN, "made")), 0);
    assert_int_equal(as_auth(act_through_a_link), of_landlock(EACCES));
    assert_int_equal(unlink(path_in(CONFINE_RUN, "made")), 0);
    assert_int_equal(as_auth(act_enter_again), 0); /* as one that was started by one with such a row */
    if (started_as == 0) {
        assert_int_equal(as_auth(act_user_namespace), EPERM);
        assert_int_equal(as_auth(act_capability), EPERM);
        assert_int_equal(as_auth(act_signal_parent), kernel_abi >= 6 ? EPERM : 0);
        assert_int_equal(as_auth(act_shadow), 0);
    }
}

static void test_as_another_user(void **state)
{
    (void)state;
    if (started_as != 0)
        skip();
    is_nobody = true;
    check();
    assert_int_equal(as_auth(act_shadow), EACCES);
}

/* A place that does not exist is no fault: there is nothing in it to hide. */
static void test_absent_place(void **state)
{
    const char *before = params.places[CONFINE_CONFIG];
    (void)state;
    is_nobody = false;
    params.places[CONFINE_CONFIG] = "/nonexistent/secreg";
    assert_int_equal(as_auth(act_beside), 0);
    assert_int_equal(as_auth(act_read_state), of_landlock(EACCES));
    params.places[CONFINE_CONFIG] = before;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_started),
        cmocka_unit_test(test_as_another_user),
        cmocka_unit_test(test_absent_place),
    };
    return cmocka_run_group_tests(tests, make_places, remove_places);
}
