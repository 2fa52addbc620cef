/*
 * Tests of spawn. The program starts itself again: main() with a "--child-..." argument is the child, which looks at
 * what it was given and tells by its exit status.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macro.h"
#include "os/spawn.h"

enum { CHILD_HIGHEST_FD = 64 };

/* ---- the child's side ------------------------------------------------------------------------------------ */

static bool is_null(int fd)
{
    struct stat st, null;
    return fstat(fd, &st) == 0 && stat("/dev/null", &null) == 0 && st.st_rdev == null.st_rdev;
}

/* Exit status: 0 if all is as spawn.h says, else the number of the first line that is not. */
static int check_child(bool has_channel)
{
    sigset_t mask;
    struct sigaction action;
    int signal_at_parent_death = 0;
    if (!is_null(STDIN_FILENO) || !is_null(STDOUT_FILENO) || fcntl(STDERR_FILENO, F_GETFD) < 0)
        return 1;
    for (int fd = SPAWN_CHANNEL_FD + has_channel; fd < CHILD_HIGHEST_FD; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            return 2;
    }
    if (sigprocmask(SIG_BLOCK, NULL, &mask) < 0 || sigismember(&mask, SIGUSR1))
        return 3;
    if (sigaction(SIGUSR2, NULL, &action) < 0 || action.sa_handler != SIG_DFL)
        return 4;
    if (prctl(PR_GET_PDEATHSIG, &signal_at_parent_death) < 0 || signal_at_parent_death != SIGKILL)
        return 5;
    if (has_channel && write(SPAWN_CHANNEL_FD, "hello", 5) != 5)
        return 6;
    return 0;
}

/* Nothing of what the parent had, LD_PRELOAD least of all. */
static int check_environment(void)
{
    size_t n = 0;
    while (environ[n] != NULL)
        n++;
    const char *path = getenv("PATH"), *lang = getenv("LANG");
    return n == 2 && path != NULL && strcmp(path, "/usr/sbin:/usr/bin:/sbin:/bin") == 0 && lang != NULL &&
                   strcmp(lang, "C.UTF-8") == 0
               ? check_child(true)
               : 20;
}

/* Starts a grandchild that would wait for ever, tells its number once it runs, and ends without it. */
static int leave_orphan(char *program)
{
    pid_t pid;
    int pidfd, fds[2];
    char c, *argv[] = {program, (char[]){"--child-tell-and-wait"}, NULL};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0 || spawn_self(argv, fds[1], &pid, &pidfd) != 0)
        return 1;
    if (read(fds[0], &c, 1) != 1)
        return 2;
    return write(SPAWN_CHANNEL_FD, &pid, sizeof pid) == sizeof pid ? 0 : 3;
}

static int child_main(char **argv)
{
    const char *what = argv[1];
    char c;
    if (strcmp(what, "--child-exit3") == 0)
        return 3;
    if (strcmp(what, "--child-env") == 0)
        return check_environment();
    if (strcmp(what, "--child-check") == 0)
        return check_child(false);
    if (strcmp(what, "--child-check-channel") == 0)
        return check_child(true);
    if (strcmp(what, "--child-orphan") == 0)
        return leave_orphan(argv[0]);
    if (strcmp(what, "--child-read") == 0)
        return read(SPAWN_CHANNEL_FD, &c, 1) == 1 && fcntl(SPAWN_CHANNEL_FD + 1, F_GETFD) < 0 ? c : 1;
    if (strcmp(what, "--child-tell-and-wait") == 0 && write(SPAWN_CHANNEL_FD, "x", 1) != 1)
        return 98;
    pause();
    return 99;
}

/* ---- the parent's side ----------------------------------------------------------------------------------- */

static void start(const char *what, int channel_fd, pid_t *ret_pid, int *ret_pidfd)
{
    char name[] = "test-spawn", argument[32];
    char *argv[] = {name, argument, NULL};
    assert_true(strlen(what) < sizeof argument);
    strcpy(argument, what);
    assert_int_equal(spawn_self(argv, channel_fd, ret_pid, ret_pidfd), 0);
    assert_true(*ret_pid > 0 && *ret_pidfd >= 0);
    assert_int_equal(fcntl(*ret_pidfd, F_GETFD), FD_CLOEXEC);
}

static int wait_status(int pidfd)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    int status = -1;
    assert_int_equal(poll(&p, 1, 30000), 1);
    assert_int_equal(spawn_reap(pidfd, &status), 0);
    assert_int_equal(spawn_reap(pidfd, &status), -ECHILD);
    close(pidfd);
    return status;
}

static void test_exit_status(void **state)
{
    pid_t pid;
    int pidfd;
    (void)state;
    start("--child-exit3", -1, &pid, &pidfd);
    int status = wait_status(pidfd);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 3);
    assert_string_equal(spawn_status_text(status), "exited with 3");
}

static void test_clean_environment(void **state)
{
    char name[] = "test-spawn", argument[] = "--child-env", said[8] = "";
    char *argv[] = {name, argument, NULL};
    int fds[2], pidfd;
    pid_t pid;
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(setenv("SECREG_TEST", "leaks", 1), 0);
    assert_int_equal(spawn_self_clean(argv, fds[1], &pid, &pidfd), 0);
    unsetenv("SECREG_TEST");
    assert_int_equal(wait_status(pidfd), 0);
    assert_int_equal(read(fds[0], said, sizeof said), 5);
    close(fds[0]);
    close(fds[1]);
}

static void test_kill(void **state)
{
    pid_t pid;
    int pidfd, status;
    (void)state;
    start("--child-wait", -1, &pid, &pidfd);
    assert_int_equal(spawn_kill(pidfd), 0);
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 30000), 1);
    assert_int_equal(spawn_kill(pidfd), 0); /* it has ended, and is not collected */
    assert_int_equal(spawn_reap(pidfd, &status), 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(spawn_kill(pidfd), 0); /* it is gone: nobody else is hit */
    close(pidfd);
}

static void test_running_and_killed(void **state)
{
    pid_t pid;
    int pidfd, status = -7;
    (void)state;
    start("--child-wait", -1, &pid, &pidfd);
    assert_int_equal(spawn_reap(pidfd, &status), SPAWN_RUNNING);
    assert_int_equal(status, -7);
    assert_int_equal(kill(pid, SIGTERM), 0);
    status = wait_status(pidfd);
    assert_true(WIFSIGNALED(status));
    assert_string_equal(spawn_status_text(status), "killed by SIGTERM");
}

static void on_signal(int number)
{
    (void)number;
}

/* The child sees nothing of our descriptors, masks and handlers, however odd they are. */
static void test_child_is_clean(void **state)
{
    sigset_t mask, saved;
    struct sigaction handler = {.sa_handler = on_signal}, saved_action;
    pid_t pid;
    int pidfd;
    (void)state;
    sigfillset(&mask);
    assert_int_equal(sigprocmask(SIG_BLOCK, &mask, &saved), 0);
    assert_int_equal(sigaction(SIGUSR2, &handler, &saved_action), 0);
    int leaky = open("/", O_RDONLY); /* deliberately not close-on-exec */
    assert_int_equal(dup2(leaky, 40), 40);
    start("--child-check", -1, &pid, &pidfd);
    assert_int_equal(wait_status(pidfd), 0);
    close(leaky);
    close(40);
    assert_int_equal(sigaction(SIGUSR2, &saved_action, NULL), 0);
    assert_int_equal(sigprocmask(SIG_SETMASK, &saved, NULL), 0);
}

static void check_channel(int channel_fd, int own_fd)
{
    pid_t pid;
    int pidfd;
    char text[8] = "";
    start("--child-check-channel", channel_fd, &pid, &pidfd);
    assert_int_equal(wait_status(pidfd), 0);
    assert_int_equal(read(own_fd, text, sizeof text), 5);
    assert_string_equal(text, "hello");
}

static void test_channel(void **state)
{
    int fds[2];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    check_channel(fds[1], fds[0]);
    /* the channel may have the number it is to get, or that of standard input */
    int taken = fcntl(SPAWN_CHANNEL_FD, F_DUPFD_CLOEXEC, 10), input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10);
    int peer = fcntl(fds[0], F_DUPFD_CLOEXEC, 20), channel = fcntl(fds[1], F_DUPFD_CLOEXEC, 20);
    assert_int_equal(dup3(channel, SPAWN_CHANNEL_FD, O_CLOEXEC), SPAWN_CHANNEL_FD);
    check_channel(SPAWN_CHANNEL_FD, peer);
    assert_int_equal(dup2(channel, STDIN_FILENO), STDIN_FILENO);
    check_channel(STDIN_FILENO, peer);
    if (taken >= 0)
        assert_int_equal(dup3(taken, SPAWN_CHANNEL_FD, O_CLOEXEC), SPAWN_CHANNEL_FD);
    if (input >= 0)
        assert_int_equal(dup2(input, STDIN_FILENO), STDIN_FILENO);
    close_range(10, CHILD_HIGHEST_FD, 0);
}

static void test_standard_descriptors_closed(void **state)
{
    pid_t pid;
    int pidfd, saved[3];
    (void)state;
    for (int i = 0; i < 3; i++) {
        saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
        close(i);
    }
    int r = spawn_self((char *[]){(char[]){"test-spawn"}, (char[]){"--child-check"}, NULL}, -1, &pid, &pidfd);
    int high = fcntl(pidfd, F_DUPFD_CLOEXEC, 10);
    close(pidfd);
    for (int i = 0; i < 3; i++) {
        if (saved[i] >= 0)
            dup2(saved[i], i);
        close(saved[i]);
    }
    assert_int_equal(r, 0);
    assert_int_equal(wait_status(high), 0);
}

static void test_child_dies_with_parent(void **state)
{
    int fds[2], pidfd;
    pid_t pid, orphan = 0;
    (void)state;
    /* we, and not process 1, are to see the grandchild end */
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    start("--child-orphan", fds[1], &pid, &pidfd);
    assert_int_equal(wait_status(pidfd), 0);
    assert_int_equal(read(fds[0], &orphan, sizeof orphan), sizeof orphan);
    int status = 0;
    assert_int_equal(waitpid(orphan, &status, 0), orphan);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
    close(fds[0]);
    close(fds[1]);
}

static void test_bad_channel(void **state)
{
    pid_t pid;
    int pidfd;
    (void)state;
    start("--child-exit3", 999, &pid, &pidfd); /* not open: the child cannot become a role */
    assert_string_equal(spawn_status_text(wait_status(pidfd)), "exited with 127");
}

static void test_out_of_descriptors(void **state)
{
    struct rlimit saved, low;
    pid_t pid = -7;
    int pidfd = -7;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &saved), 0);
    low = saved;
    low.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    int r = spawn_self((char *[]){(char[]){"test-spawn"}, (char[]){"--child-wait"}, NULL}, -1, &pid, &pidfd);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &saved), 0);
    assert_int_equal(r, -EMFILE);
    assert_true(pid == -7 && pidfd == -7);
    assert_int_equal(waitpid(-1, NULL, 0), -1); /* the half-made child was ended and collected */
    assert_int_equal(errno, ECHILD);
    assert_int_equal(spawn_reap(999, &pidfd), -EBADF);
}

static void test_program(void **state)
{
    char *argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char[]){"read x <&3; exit $x"}, NULL};
    int fds[2], status = -7;
    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(write(fds[1], "42\n", 3), 3);
    assert_int_equal(spawn_program("/bin/sh", argv, fds[0], &status), 0);
    assert_string_equal(spawn_status_text(status), "exited with 42");
    close(fds[0]);
    close(fds[1]);
    strcpy(argv[2], "kill -USR2 $$");
    assert_int_equal(spawn_program("/bin/sh", argv, -1, &status), 0);
    assert_string_equal(spawn_status_text(status), "killed by SIGUSR2");
    status = -7;
    assert_int_equal(spawn_program("/no/such/program", argv, -1, &status), -ENOENT);
    assert_int_equal(spawn_program("/etc/passwd", argv, -1, &status), -EACCES);
    assert_int_equal(spawn_program("/bin/sh", argv, 999, &status), -EBADF);
    assert_int_equal(status, -7);
}

static void test_program_sees_one_descriptor(void **state)
{
    char *argv[] = {(char[]){"test-spawn"}, (char[]){"--child-read"}, NULL};
    int fds[2], status = -7;
    (void)state;
    assert_int_equal(pipe(fds), 0); /* deliberately not close-on-exec */
    assert_int_equal(write(fds[1], "\x2a", 1), 1);
    assert_int_equal(dup2(fds[0], 40), 40);
    assert_int_equal(spawn_program("/proc/self/exe", argv, fds[0], &status), 0);
    assert_string_equal(spawn_status_text(status), "exited with 42");
    close(40);
    close(fds[0]);
    close(fds[1]);
}

static void test_status_text(void **state)
{
    (void)state;
    assert_string_equal(spawn_status_text(W_EXITCODE(0, 0)), "exited with 0");
    assert_string_equal(spawn_status_text(W_EXITCODE(0, SIGSEGV)), "killed by SIGSEGV");
    assert_string_equal(spawn_status_text(W_EXITCODE(0, SIGSEGV) | WCOREFLAG), "killed by SIGSEGV");
    assert_string_equal(spawn_status_text(W_EXITCODE(0, 40)), "killed by signal 40");
    assert_string_equal(spawn_status_text(0x137f), "ended with status 0x137f");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_status),
        cmocka_unit_test(test_running_and_killed),
        cmocka_unit_test(test_clean_environment),
        cmocka_unit_test(test_kill),
        cmocka_unit_test(test_child_is_clean),
        cmocka_unit_test(test_channel),
        cmocka_unit_test(test_standard_descriptors_closed),
        cmocka_unit_test(test_child_dies_with_parent),
        cmocka_unit_test(test_bad_channel),
        cmocka_unit_test(test_out_of_descriptors),
        cmocka_unit_test(test_program),
        cmocka_unit_test(test_program_sees_one_descriptor),
        cmocka_unit_test(test_status_text),
    };
    if (argc > 1 && strncmp(argv[1], "--child-", 8) == 0)
        return child_main(argv);
    return cmocka_run_group_tests_name("os/spawn", tests, NULL, NULL);
}
