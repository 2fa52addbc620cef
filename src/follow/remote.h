/*
 * remote - what is said to a witness over HTTPS, and what it answers. Pure.
 *
 * A checkpoint goes to a witness with a proof that the trail grew to it from the newest one that the witness has
 * signed; it answers with its signature, or with the size of the one that it has. Source: C2SP tlog-witness.
 */
#ifndef FOLLOW_REMOTE_H
#define FOLLOW_REMOTE_H

#include "base/buf.h"

enum { REMOTE_REPLY_MAX_BYTES = 32 << 10, REMOTE_BODY_MAX_BYTES = 16 << 10 };

/* remote_request - append the request. host: with a port, unless it is 443. path: before /add-checkpoint. 0 or as
 * buf_reserve(). */
int remote_request(struct buf *out, const char *host, const char *path, struct bytes body) MUST_USE;

enum remote_result {
    REMOTE_MORE,    /* it is not all there */
    REMOTE_SIGNED,  /* body: lines of signatures, not checked */
    REMOTE_OTHER,   /* size: of the newest checkpoint of this trail that it has signed, which is another one than was
                       said */
    REMOTE_REFUSED, /* another status */
    REMOTE_BAD      /* no such answer */
};

struct remote_reply {
    unsigned status;
    uint64_t size;
    struct buf body;
};

/* remote_read - read an answer from its first byte on. reply->body: initialised by the caller, its old content is
 * dropped. Returns one of remote_result, or -ENOMEM. */
int remote_read(struct bytes in, struct remote_reply *reply) MUST_USE;

#endif
