/* test-chain - a store in a temporary folder and a trail on it, for the tests of this folder. */
#ifndef TRAIL_TEST_CHAIN_H
#define TRAIL_TEST_CHAIN_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "remove-tree.h"
#include "trail/trail-internal.h"

struct chain {
    char folder[64], db[96], trail_folder[96];
    struct store *store;
    struct trail *trail;
    bool is_change; /* what is appended are records of a change */
};

static struct epoch_seed seed; /* of the trail */

static inline int chain_start(void **state)
{
    (void)state;
    return crypt_start() < 0 ? -1 : 0;
}

static inline int chain_make(void **state)
{
    static struct chain c;
    c = (struct chain){0};
    (void)snprintf(c.folder, sizeof c.folder, "/tmp/secreg-trail-XXXXXX");
    if (mkdtemp(c.folder) == NULL)
        return -1;
    (void)snprintf(c.db, sizeof c.db, "%s/a.db", c.folder);
    (void)snprintf(c.trail_folder, sizeof c.trail_folder, "%s/trail", c.folder);
    *state = &c;
    return store_create(c.db, &c.store) != 0 || trail_make(c.trail_folder, &seed) != 0 ||
                   trail_open(c.store, c.trail_folder, TRAIL_RESERVE_COUNT, &c.trail) != 0
               ? -1
               : 0;
}

static inline int chain_remove(void **state)
{
    struct chain *c = *state;
    c->trail = trail_close(c->trail);
    c->store = store_close(c->store);
    return remove_tree(c->folder);
}

static inline int chain_reopen(struct chain *c)
{
    c->trail = trail_close(c->trail);
    return trail_open(c->store, c->trail_folder, TRAIL_RESERVE_COUNT, &c->trail);
}

/* A record that differs with `n`. */
static inline int chain_append(struct chain *c, unsigned n)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/registry/applications/a%u", n);
    struct record r = {.wall_us = n, .mono_us = -(int64_t)n, .kind = n % 2 != 0 ? RECORD_SET : RECORD_GET, .uid = n};
    r.path = bytes_of_text(path);
    r.unit = BYTES_LITERAL("a.service");
    if (n % 2 != 0) {
        r.commitment.n = RECORD_HASH_BYTES;
        memset(r.commitment.h, (int)(n % 256), RECORD_HASH_BYTES);
    }
    r.state.n = c->is_change ? RECORD_HASH_BYTES : 0;
    return trail_append(c->trail, &r);
}

/* Ends a turn as its owner does: with a state into the database, without one into the log alone. */
static inline int chain_end(struct chain *c, struct bytes state)
{
    int x = state.n > 0 ? store_begin(c->store) : 0;
    if (x == 0)
        x = trail_flush(c->trail, state, false);
    if (x == 0 && state.n > 0)
        x = store_commit(c->store);
    if (x == 0 && state.n > 0)
        x = store_sync(c->store);
    if (x != 0)
        store_rollback(c->store);
    trail_settle(c->trail, x == 0);
    return x;
}

static inline int chain_turn_of(struct chain *c, unsigned count, struct bytes state)
{
    int x = 0;
    c->is_change = state.n > 0;
    for (unsigned i = 0; x == 0 && i < count; i++)
        x = chain_append(c, (unsigned)trail_size(c->trail));
    if (x == 0)
        return chain_end(c, state);
    trail_settle(c->trail, false);
    return x;
}

/* One turn of `count` records that changed something, and one that did not. */
static inline int chain_turn(struct chain *c, unsigned count)
{
    return chain_turn_of(c, count, BYTES_LITERAL("state"));
}

static inline int chain_reads(struct chain *c, unsigned count)
{
    return chain_turn_of(c, count, BYTES_NONE);
}

static inline void chain_must(bool is_true)
{
    if (!is_true)
        abort();
}

/* Records as long as they can be, until there are so many files. */
static inline void chain_fill(struct chain *c, size_t files)
{
    static char text[RECORD_TEXT_MAX_BYTES];
    memset(text, 'a', sizeof text);
    struct record r = {.kind = RECORD_GET, .path = BYTES_OF(text), .detail = BYTES_OF(text), .unit = BYTES_OF(text)};
    r.label = BYTES_OF(text);
    for (size_t count = 1; count < files;) {
        struct segments *s;
        for (unsigned i = 0; i < 300; i++)
            chain_must(trail_append(c->trail, &r) == 0);
        chain_must(chain_end(c, BYTES_NONE) == 0);
        chain_must(chain_turn(c, 1) == 0);
        chain_must(segments_open(c->trail_folder, &s) == 0);
        count = s->count;
        segments_close(s);
    }
}

/* Records collected from a trail; `bytes` owns them. */
struct chain_copy {
    struct buf bytes;
    size_t at[4096], count, stop_at;
    uint64_t first, last;
};

static inline int chain_collect(uint64_t seq, struct bytes record, void *arg)
{
    struct chain_copy *copy = arg;
    if (copy->count == 0)
        copy->first = seq;
    copy->last = seq;
    assert(copy->count + 1 < COUNT_OF(copy->at));
    copy->at[copy->count++] = buf_size(&copy->bytes);
    TRY(buf_append(&copy->bytes, record));
    copy->at[copy->count] = buf_size(&copy->bytes);
    return copy->count == copy->stop_at ? TRAIL_ENOUGH : 0;
}

static inline struct bytes chain_record(const struct chain_copy *copy, size_t i)
{
    return bytes_of(buf_view(&copy->bytes).p + copy->at[i], copy->at[i + 1] - copy->at[i]);
}

/* All records of the trail, upwards. */
static inline int chain_copy_all(struct chain *c, struct chain_copy *copy)
{
    buf_init(&copy->bytes, 64u << 20);
    copy->count = copy->stop_at = 0;
    return trail_read(c->trail, 0, false, chain_collect, copy);
}

/* The RFC 6962 tree hash as the RFC defines it: by recursion over all leaves. */
static inline int chain_naive_root(const struct chain_copy *copy, size_t from, size_t n, uint8_t ret[DIGEST_BYTES])
{
    uint8_t left[DIGEST_BYTES], right[DIGEST_BYTES];
    size_t k = 1;
    if (n == 0)
        return digest_sha256(NULL, 0, ret);
    if (n == 1) {
        struct bytes leaf[] = {BYTES_LITERAL("\0"), chain_record(copy, from)};
        return digest_sha256(leaf, 2, ret);
    }
    while (k * 2 < n)
        k *= 2;
    TRY(chain_naive_root(copy, from, k, left));
    TRY(chain_naive_root(copy, from + k, n - k, right));
    struct bytes node[] = {BYTES_LITERAL("\1"), BYTES_OF(left), BYTES_OF(right)};
    return digest_sha256(node, 3, ret);
}

#endif
