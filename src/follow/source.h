/*
 * source - the trail of this host's secregd as a stream of records, over a connection that is made again as often as
 * needed; see doc/spec/follow.md.
 *
 * What comes is checked: numbers without gaps, and each record holding the hash of the one before, from the place on
 * that was asked for. So a trail that was replaced meanwhile is noticed, whatever it is. Nothing here blocks but the
 * connecting to a local socket.
 */
#ifndef FOLLOW_SOURCE_H
#define FOLLOW_SOURCE_H

#include "crypt/digest.h"
#include "wire/http1.h"
#include "wire/record.h"

enum { SOURCE_WHY_BYTES = 200 };

/* A place in a trail: all records before `next`, the last of which has this leaf hash (zeros before the first). */
struct source_place {
    uint64_t next;
    uint8_t last[DIGEST_BYTES];
};

struct secreg;

struct source {
    struct secreg *link;
    bool is_joined;
    struct http1_chunks chunks;
    struct buf lines;          /* decoded chunks, from the line on that is not read yet */
    struct buf records;        /* of the line that was read last, from the one on that was not handed out yet */
    struct buf base;           /* what stands for those before them; none, or not told: empty */
    struct source_place place; /* behind the record that was handed out last */
    uint64_t end;              /* what was there when it was joined */
    uint64_t gaps;             /* records that the daemon no longer had */
    bool is_loose;             /* the record before the next one is not known: behind a gap */
    char why[SOURCE_WHY_BYTES];
};

/* source_init - socket_path: of the daemon. Returns 0 or -ENOMEM. source_fini - one that is zeroed is allowed. */
int source_init(struct source *s, const char *socket_path) MUST_USE;
void source_fini(struct source *s);

/*
 * source_join - connect, and ask for what comes after `from`. Blocks for the local connection and its first line of
 * reply, a second at most.
 * Returns 0; SOURCE_DOWN (nobody answers, or the right is missing: later), SOURCE_OTHER (it is another trail); with
 * words in s->why; or a fault.
 */
enum { SOURCE_DOWN = 1, SOURCE_OTHER = 2, SOURCE_EMPTY = 3 };
int source_join(struct source *s, const struct source_place *from) MUST_USE;

/* source_leave - close the connection, and forget what was not handed out. */
void source_leave(struct source *s);

/* source_fd - to wait for; -1 while there is no connection. */
int source_fd(const struct source *s);

/* source_receive - read what has come. Returns 0, SOURCE_DOWN (the connection is closed now), or a fault. */
int source_receive(struct source *s) MUST_USE;

/*
 * source_next - the next record that has come; s->place is behind it then. ret_record: valid until the next call for
 * this source; the texts of ret_decoded are views into it.
 * Returns 0, SOURCE_EMPTY (nothing more has come), SOURCE_OTHER (it does not follow the one before: the trail is
 * another one), SOURCE_DOWN (what came is malformed, or the end), or a fault. After these two the connection is closed.
 */
int source_next(struct source *s, struct bytes *ret_record, struct record *ret_decoded) MUST_USE;

#endif
