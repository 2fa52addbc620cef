/*
 * sock - UNIX stream sockets by path. Source: unix(7).
 */
#ifndef OS_SOCK_H
#define OS_SOCK_H

#include <sys/types.h>

#include "base/fault.h"

enum { SOCK_WOULD_BLOCK = 1, SOCK_ABSENT = 2, SOCK_EXHAUSTED = 3 };

/*
 * sock_listen - bind and listen at `path`, replacing a stale socket there; the caller must hold the daemon's lock.
 * mode     permission bits of the socket, set by umask before bind
 * backlog  as listen(2)
 * Returns 0 and sets ret_fd (non-blocking, close-on-exec), FAULT_LIMIT if the path does not fit sockaddr_un (107
 * bytes), -EEXIST if something that is not a socket is there, or -errno.
 */
int sock_listen(const char *path, mode_t mode, int backlog, int *ret_fd) MUST_USE;

/* sock_connect - connect to `path`, blocking. Returns 0 and sets ret_fd (close-on-exec), SOCK_ABSENT (no socket, or
 * nobody listens), FAULT_LIMIT, or -errno. */
int sock_connect(const char *path, int *ret_fd) MUST_USE;

/*
 * sock_adopt - make an inherited descriptor what sock_listen() would have given: non-blocking, close-on-exec.
 * Returns 0, -EINVAL if it is not a listening UNIX stream socket, or -errno; the descriptor is the caller's either way.
 */
int sock_adopt(int fd) MUST_USE;

/*
 * sock_accept - accept one connection (non-blocking, close-on-exec).
 * Returns 0 and sets ret_fd, SOCK_WOULD_BLOCK (none waits, or it went away), SOCK_EXHAUSTED (out of descriptors or
 * memory: stop accepting for a while), or -errno.
 */
int sock_accept(int fd, int *ret_fd) MUST_USE;

#endif
