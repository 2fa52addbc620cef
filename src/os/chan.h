/*
 * chan - a stream of bytes and descriptors between two processes of one daemon, over a UNIX socketpair.
 *
 * Messages are gathered and leave with one system call a turn (chan_flush); what the peer sent is read with one call.
 * Descriptors arrive in the order in which they were sent, none before the bytes that were sent ahead of it.
 * Invariant: at most `max_bytes` wait in either direction and at most CHAN_FDS_MAX_COUNT descriptors.
 * Both buffers are wiping ones: values pass here. Source: unix(7), cmsg(3).
 */
#ifndef OS_CHAN_H
#define OS_CHAN_H

#include "base/buf.h"

enum { CHAN_FDS_MAX_COUNT = 512, CHAN_READ_BYTES = 262144 };

struct chan {
    int fd;
    struct buf in, out;
    int in_fds[CHAN_FDS_MAX_COUNT];
    size_t in_fds_count;
    struct chan_out_fd {
        size_t at; /* offset in `out` of the byte the descriptor travels with, counted from the front of the buffer */
        int fd;
    } out_fds[CHAN_FDS_MAX_COUNT];
    size_t out_fds_count;
};

/*
 * chan_init - take over a connected stream socket (made non-blocking); `max_bytes` bounds each direction.
 * Returns 0 or -errno; the socket is then still the caller's.
 */
int chan_init(struct chan *c, int fd, size_t max_bytes) MUST_USE;

/* chan_fini - close the socket and every descriptor that waits in either direction. */
void chan_fini(struct chan *c);

/* chan_pair - two connected, close-on-exec stream sockets. Returns 0 or -errno. */
int chan_pair(int ret_fds[2]) MUST_USE;

/*
 * chan_put_fd - send `fd` along with the next byte that is appended to c->out; the caller must append at least one.
 * fd  taken over: closed after it was sent, or by chan_fini()
 * Returns 0, or FAULT_LIMIT when too many wait (fd is then still the caller's).
 */
int chan_put_fd(struct chan *c, int fd) MUST_USE;

/*
 * chan_flush - send what waits in c->out.
 * Returns 0 when all left, CHAN_BLOCKED when the socket is full and bytes remain, or -errno (-EPIPE: peer is gone).
 */
enum { CHAN_BLOCKED = 1, CHAN_CLOSED = 2 };
int chan_flush(struct chan *c) MUST_USE;

/*
 * chan_fill - read what the peer sent into c->in, at most CHAN_READ_BYTES a call.
 * Returns 0 (maybe nothing was there), CHAN_CLOSED at end of stream, or a fault: FAULT_LIMIT when c->in or the
 * descriptor queue is full, FAULT_PROTOCOL for truncated control data, -errno. Received descriptors are close-on-exec.
 */
int chan_fill(struct chan *c) MUST_USE;

/* chan_take_fd - the oldest received descriptor, now the caller's; -1 if there is none. */
int chan_take_fd(struct chan *c);

#endif
