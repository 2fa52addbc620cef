/* test-attach - a source whose connection is one end of a socket pair, for its test and its fuzzer. */
#ifndef FOLLOW_TEST_ATTACH_H
#define FOLLOW_TEST_ATTACH_H

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "follow/source.h"
#include "lib/secreg-internal.h"

/* As source_join() leaves it behind the head of a reply. Returns the other end, or -1. */
static inline int attach(struct source *s, const struct source_place *from)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return -1;
    source_leave(s);
    s->link->fd = fds[0];
    buf_clear(&s->link->in); /* as a new request does */
    s->chunks = (struct http1_chunks){0};
    s->place = *from;
    s->end = UINT64_MAX;
    s->is_loose = false;
    s->is_joined = true;
    s->why[0] = '\0';
    return fds[1];
}

#endif
