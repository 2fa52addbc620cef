/*
 * spawn - start this same program again as one of its roles, and end it.
 *
 * fork + exec: no address space is shared and layouts are randomised anew. The child gets standard error, one
 * descriptor at SPAWN_CHANNEL_FD, and nothing else; it dies with its parent (PR_SET_PDEATHSIG).
 * Source: execve(2), close_range(2), pidfd_open(2), prctl(2); OpenSMTPD start_child().
 */
#ifndef OS_SPAWN_H
#define OS_SPAWN_H

#include <sys/types.h>

#include "base/fault.h"

enum { SPAWN_CHANNEL_FD = 3 };

/*
 * spawn_self - start /proc/self/exe.
 * argv        arguments with argv[0], NULL at the end
 * channel_fd  duplicated to SPAWN_CHANNEL_FD in the child; borrowed; -1 for none
 * ret_pid, ret_pidfd  the child; the pidfd is close-on-exec and the caller's
 * Standard input and output of the child are /dev/null. All signals are unblocked and at their default.
 * Returns 0 or -errno. Does not wait for the exec.
 */
int spawn_self(char *const argv[], int channel_fd, pid_t *ret_pid, int *ret_pidfd) MUST_USE;

/*
 * spawn_self_clean - the same with an environment of a fixed PATH and LANG and nothing else, for a role that runs code
 * of others: what the daemon was started with must not reach it.
 */
int spawn_self_clean(char *const argv[], int channel_fd, pid_t *ret_pid, int *ret_pidfd) MUST_USE;

/*
 * spawn_program - start another program and wait for it; for command-line tools, not for daemons.
 * path        absolute path
 * input_fd    duplicated to descriptor 3 of the child; borrowed; -1 for none
 * ret_status  wait status as of waitpid(2)
 * The child keeps standard input, output and error. Returns 0 or -errno.
 */
int spawn_program(const char *path, char *const argv[], int input_fd, int *ret_status) MUST_USE;

/* spawn_kill - end a child at once (SIGKILL) by its pidfd. Returns 0, also if it has ended already, or -errno. */
int spawn_kill(int pidfd) MUST_USE;

/* spawn_reap - collect an ended child. Returns 0 and sets ret_status, SPAWN_RUNNING, or -errno. */
enum { SPAWN_RUNNING = 1 };
int spawn_reap(int pidfd, int *ret_status) MUST_USE;

/* spawn_status_text - an exit status in words ("exited with 3", "killed by SIGSEGV"); static storage. */
const char *spawn_status_text(int status);

#endif
