/*
 * spawn - see spawn.h.
 *
 * Invariant: between fork() and exec the child calls only async-signal-safe functions (signal-safety(7)).
 */
#include "os/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SPAWN_EXEC_FAILED = 127 };

static bool reset_signals(void)
{
    struct sigaction plain = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int i = 1; i < NSIG; i++) {
        if (sigaction(i, &plain, NULL) < 0 && errno != EINVAL)
            return false;
    }
    return sigemptyset(&none) == 0 && sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

/* The channel is moved out of the way first: it may have a number that /dev/null is about to get. */
static bool arrange_fds(int channel_fd)
{
    int channel = channel_fd < 0 ? -1 : fcntl(channel_fd, F_DUPFD_CLOEXEC, SPAWN_CHANNEL_FD + 1);
    if (channel_fd >= 0 && channel < 0)
        return false;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        return false;
    bool has_stderr = null != STDERR_FILENO && fcntl(STDERR_FILENO, F_GETFD) >= 0;
    int moved = fcntl(null, F_DUPFD_CLOEXEC, SPAWN_CHANNEL_FD + 1);
    if (moved < 0 || dup2(moved, STDIN_FILENO) < 0 || dup2(moved, STDOUT_FILENO) < 0)
        return false;
    if (!has_stderr && dup2(moved, STDERR_FILENO) < 0)
        return false;
    if (channel >= 0 && dup2(channel, SPAWN_CHANNEL_FD) < 0)
        return false;
    unsigned first = channel >= 0 ? SPAWN_CHANNEL_FD + 1 : SPAWN_CHANNEL_FD;
    return close_range(first, UINT_MAX, 0) == 0;
}

NORETURN static void become_role(char *const argv[], char *const env[], int channel_fd, pid_t parent)
{
    bool is_bound = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
    /* The parent may have ended before the line above: then no signal will ever come. */
    if (is_bound && getppid() == parent && arrange_fds(channel_fd) && reset_signals())
        execve("/proc/self/exe", argv, env);
    _exit(SPAWN_EXEC_FAILED);
}

static int start_self(char *const argv[], char *const env[], int channel_fd, pid_t *ret_pid, int *ret_pidfd)
{
    assert(argv[0] != NULL);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        return RAISE(-errno);
    if (pid == 0)
        become_role(argv, env, channel_fd, parent);
    /* The child is ours and not waited for, so its number cannot have been given to another process. */
    int pidfd = pidfd_open(pid, 0);
    if (pidfd < 0) {
        int r = -errno;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return RAISE(r);
    }
    *ret_pid = pid;
    *ret_pidfd = pidfd;
    return 0;
}

int spawn_self(char *const argv[], int channel_fd, pid_t *ret_pid, int *ret_pidfd)
{
    return start_self(argv, environ, channel_fd, ret_pid, ret_pidfd);
}

int spawn_self_clean(char *const argv[], int channel_fd, pid_t *ret_pid, int *ret_pidfd)
{
    static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", lang[] = "LANG=C.UTF-8";
    char *const env[] = {path, lang, NULL};
    return start_self(argv, env, channel_fd, ret_pid, ret_pidfd);
}

static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    int r = posix_spawnattr_setsigdefault(attributes, &all);
    if (r == 0)
        r = posix_spawnattr_setsigmask(attributes, &none);
    if (r == 0)
        r = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    return -r;
}

static int set_actions(posix_spawn_file_actions_t *actions, int input_fd)
{
    int r = input_fd < 0 ? 0 : posix_spawn_file_actions_adddup2(actions, input_fd, SPAWN_CHANNEL_FD);
    if (r == 0)
        r = posix_spawn_file_actions_addclosefrom_np(actions, SPAWN_CHANNEL_FD + (input_fd >= 0));
    return -r;
}

static void drop_attributes(posix_spawnattr_t *attributes)
{
    posix_spawnattr_destroy(attributes);
}

static void drop_actions(posix_spawn_file_actions_t *actions)
{
    posix_spawn_file_actions_destroy(actions);
}

/* posix_spawn() and not fork(), because it tells us when exec failed. */
static int start_program(const char *path, char *const argv[], int input_fd, pid_t *ret_pid)
{
    SCOPED(drop_attributes) posix_spawnattr_t attributes = {0};
    SCOPED(drop_actions) posix_spawn_file_actions_t actions = {0};
    int r = -posix_spawnattr_init(&attributes);
    if (r == 0)
        r = -posix_spawn_file_actions_init(&actions);
    if (r == 0)
        r = set_attributes(&attributes);
    if (r == 0)
        r = set_actions(&actions, input_fd);
    if (r == 0)
        r = -posix_spawn(ret_pid, path, &actions, &attributes, argv, environ);
    return r < 0 ? RAISE(r) : 0;
}

int spawn_program(const char *path, char *const argv[], int input_fd, int *ret_status)
{
    pid_t pid, ended;
    int status;
    assert(path[0] == '/' && argv[0] != NULL);
    TRY(start_program(path, argv, input_fd, &pid));
    do {
        ended = waitpid(pid, &status, 0);
    } while (ended < 0 && errno == EINTR);
    if (ended < 0)
        return RAISE(-errno);
    *ret_status = status;
    return 0;
}

int spawn_kill(int pidfd)
{
    assert(pidfd >= 0);
    return pidfd_send_signal(pidfd, SIGKILL, NULL, 0) == 0 || errno == ESRCH ? 0 : RAISE(-errno);
}

int spawn_reap(int pidfd, int *ret_status)
{
    siginfo_t info = {0};
    assert(pidfd >= 0);
    if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0)
        return RAISE(-errno);
    if (info.si_pid == 0)
        return SPAWN_RUNNING;
    if (info.si_code == CLD_EXITED)
        *ret_status = W_EXITCODE(info.si_status, 0);
    else
        *ret_status = W_EXITCODE(0, info.si_status) | (info.si_code == CLD_DUMPED ? WCOREFLAG : 0);
    return 0;
}

const char *spawn_status_text(int status)
{
    static char text[48];
    const char *name = WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : NULL;
    if (WIFEXITED(status))
        snprintf(text, sizeof text, "exited with %d", WEXITSTATUS(status));
    else if (name != NULL)
        snprintf(text, sizeof text, "killed by SIG%s", name);
    else if (WIFSIGNALED(status))
        snprintf(text, sizeof text, "killed by signal %d", WTERMSIG(status));
    else
        snprintf(text, sizeof text, "ended with status 0x%x", (unsigned)status);
    return text;
}
