/*
 * ready - telling a service manager about our state, without libsystemd.
 *
 * sd_notify: one datagram to $NOTIFY_SOCKET (a path, or an abstract name with '@'). Readiness for s6 and OpenRC: a
 * newline to the descriptor named by --ready-fd. Socket activation: $LISTEN_PID, $LISTEN_FDS, $LISTEN_FDNAMES.
 * Source: sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3).
 */
#ifndef OS_READY_H
#define OS_READY_H

#include "base/fault.h"

/*
 * ready_open - read the environment once, at start, and remove these variables from it.
 * Opens the notify socket, so that later messages need no path look-up. Returns 0, READY_UNREACHABLE (the manager does
 * not listen: everything else holds, and nothing will be told to it), or a fault for a malformed value.
 */
enum { READY_UNREACHABLE = 1 };
int ready_open(void) MUST_USE;

/* ready_set_fd - take over `fd`, for s6 and OpenRC: the first READY=1 also writes a newline to it, and closes it. */
void ready_set_fd(int fd);

/* ready_close - close the notify socket and the descriptor of ready_set_fd(). */
void ready_close(void);

/* ready_notify - send lines such as "READY=1\nSTATUS=serving"; does nothing without a manager. 0 or -errno. */
int ready_notify(const char *state) MUST_USE;

/* ready_reloading - send RELOADING=1 with MONOTONIC_USEC, as Type=notify-reload wants it. 0 or -errno. */
int ready_reloading(void) MUST_USE;

/* ready_listen_fd - the inherited socket named `name`, or the only unnamed one; -1 if there is none. Caller owns it. */
int ready_listen_fd(const char *name);

/* ready_watchdog_us - how often the manager wants to hear WATCHDOG=1, at the latest; 0 if it does not ask. */
uint64_t ready_watchdog_us(void);

#endif
