/*
 * trail - see trail.h: the head, the batch of the running turn, and its way into the database.
 *
 * The tree and the hash of the last record always include the pending records; what they were before the first of them
 * is kept beside, for trail_head() and for a turn that fails. Every so many records a batch carries the frontier of the
 * tree after it, so that opening re-hashes only what came later.
 * Source: RFC 6962 section 2.1.
 */
#include "trail/trail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "trail/trail-internal.h"

enum {
    BATCH_KEEP_BYTES = 256 << 10, /* memory that stays with the batch between turns */
    FRONTIER_MAX_BYTES = DIGEST_BYTES + 8 + 64 * DIGEST_BYTES,
};

struct trail {
    struct store *store;
    struct trail_check now;     /* with the pending records */
    struct trail_check settled; /* without; set while there are pending ones */
    struct buf batch;           /* their frames */
    size_t count;               /* how many */
    uint64_t frontier_at;       /* records that the newest stored frontier covers */
    struct buf frontier;        /* the one that goes with the batch, if any */
    struct buf state;           /* of the owner, after the last settled turn */
    struct buf next_state;      /* the one that goes with the batch, if any */
    bool is_flushed;
};

SCOPED_DROP(drop_trail, struct trail, trail_close)

static int load_size(struct store *store, uint64_t *ret_size)
{
    struct trail_span span;
    uint64_t size = 0;
    struct store_stmt *st = store_use(store, STORE_TURN_LAST);
    int x = store_step(store, st);
    if (x == STORE_ROW) {
        x = trail_span_read(st, &span);
        size = x == 0 ? span.first + span.count : 0;
    }
    store_done(st);
    TRY(x);
    if (size >= TRAIL_MAX_COUNT)
        return RAISE(FAULT_CORRUPT);
    *ret_size = size;
    return 0;
}

static int decode_frontier(struct store_stmt *st, struct trail_check *ret_check)
{
    struct trail_span span;
    struct bytes in = store_column_bytes(st, 2);
    TRY(trail_span_read(st, &span));
    if (in.n < DIGEST_BYTES || !merkle_decode(bytes_from(in, DIGEST_BYTES), &ret_check->tree) ||
        ret_check->tree.size != span.first + span.count)
        return RAISE(FAULT_CORRUPT);
    memcpy(ret_check->last, in.p, DIGEST_BYTES);
    return 0;
}

/* The newest stored frontier, or the empty tree if there is none. */
static int load_frontier(struct store *store, struct trail_check *ret_check)
{
    trail_check_init(ret_check);
    struct store_stmt *st = store_use(store, STORE_TURN_FRONTIER);
    store_bind_i64(st, 1, INT64_MAX);
    int x = store_step(store, st);
    if (x == STORE_ROW)
        x = decode_frontier(st, ret_check);
    store_done(st);
    return x;
}

static int load_state(struct store *store, struct buf *state)
{
    struct store_stmt *st = store_use(store, STORE_TURN_STATE);
    int x = store_step(store, st);
    struct bytes stored = x == STORE_ROW ? store_column_bytes(st, 2) : BYTES_NONE;
    if (stored.n > TRAIL_STATE_MAX_BYTES)
        x = RAISE(FAULT_CORRUPT);
    else if (x == STORE_ROW)
        x = buf_append(state, stored);
    store_done(st);
    return x;
}

static int check_stored(uint64_t seq, struct bytes record, void *arg)
{
    struct trail_check *c = arg;
    assert(seq == c->tree.size);
    int x = trail_check_add(c, record);
    return x <= 0 ? x : RAISE(FAULT_CORRUPT);
}

static int load_head(struct trail *t)
{
    struct trail_range range = {0};
    TRY(load_size(t->store, &range.size));
    TRY(load_frontier(t->store, &t->now));
    if (t->now.tree.size > range.size)
        return RAISE(FAULT_CORRUPT);
    range.first = t->frontier_at = t->now.tree.size;
    TRY(trail_scan(t->store, &range, check_stored, &t->now));
    assert(t->now.tree.size == range.size);
    return 0;
}

int trail_open(struct store *store, struct trail **ret_trail)
{
    SCOPED(drop_trail) struct trail *t = calloc(1, sizeof *t);
    if (t == NULL)
        return RAISE(-ENOMEM);
    t->store = store;
    buf_init(&t->batch, TRAIL_BATCH_MAX_BYTES);
    buf_init(&t->frontier, FRONTIER_MAX_BYTES);
    buf_init(&t->state, TRAIL_STATE_MAX_BYTES);
    buf_init(&t->next_state, TRAIL_STATE_MAX_BYTES);
    TRY(load_head(t));
    TRY(load_state(store, &t->state));
    *ret_trail = TAKE(t);
    return 0;
}

struct trail *trail_close(struct trail *trail)
{
    if (trail == NULL)
        return NULL;
    buf_fini(&trail->batch);
    buf_fini(&trail->frontier);
    buf_fini(&trail->state);
    buf_fini(&trail->next_state);
    free(trail);
    return NULL;
}

/* The frame of `r` at the end of the batch. */
static int append_frame(struct buf *batch, const struct record *r, struct bytes *ret_record)
{
    static const uint8_t head[TRAIL_FRAME_HEAD_BYTES];
    size_t at = buf_size(batch);
    TRY(buf_append(batch, BYTES_OF(head)));
    TRY(record_encode(batch, r));
    uint8_t *p = batch->p + batch->start + at;
    size_t n = buf_size(batch) - at - TRAIL_FRAME_HEAD_BYTES;
    assert(n > 0 && n <= RECORD_MAX_BYTES);
    for (size_t i = 0; i < TRAIL_FRAME_HEAD_BYTES; i++)
        p[i] = (uint8_t)(n >> (8 * (TRAIL_FRAME_HEAD_BYTES - 1 - i)));
    *ret_record = bytes_of(p + TRAIL_FRAME_HEAD_BYTES, n);
    return 0;
}

/* Makes the frame and its hashes, and puts it into the tree last, because that cannot be taken back. */
static int append(struct trail *t, const struct record *r)
{
    struct bytes record;
    uint8_t leaf[DIGEST_BYTES];
    TRY(append_frame(&t->batch, r, &record));
    TRY(merkle_leaf(record, leaf));
    TRY(merkle_append(&t->now.tree, leaf));
    memcpy(t->now.last, leaf, sizeof leaf);
    return 0;
}

int trail_append(struct trail *trail, struct record *r)
{
    size_t at = buf_size(&trail->batch);
    assert(!trail->is_flushed && trail->now.tree.size < TRAIL_MAX_COUNT);
    if (trail->count == 0)
        trail->settled = trail->now;
    r->seq = trail->now.tree.size;
    r->prev.n = DIGEST_BYTES;
    memcpy(r->prev.h, trail->now.last, DIGEST_BYTES);
    int x = append(trail, r);
    if (x < 0) {
        buf_truncate(&trail->batch, at);
        return x;
    }
    trail->count++;
    return 0;
}

size_t trail_room(const struct trail *trail)
{
    return TRAIL_BATCH_MAX_BYTES - buf_size(&trail->batch);
}

void trail_mark(const struct trail *trail, struct trail_mark *ret_mark)
{
    ret_mark->tree = trail->now.tree;
    memcpy(ret_mark->last, trail->now.last, sizeof ret_mark->last);
    ret_mark->count = trail->count;
    ret_mark->bytes = buf_size(&trail->batch);
}

void trail_rewind(struct trail *trail, const struct trail_mark *mark)
{
    assert(!trail->is_flushed && mark->count <= trail->count && mark->bytes <= buf_size(&trail->batch));
    trail->now.tree = mark->tree;
    memcpy(trail->now.last, mark->last, sizeof mark->last);
    trail->count = mark->count;
    buf_truncate(&trail->batch, mark->bytes);
}

size_t trail_pending(const struct trail *trail)
{
    return trail->count;
}

/* The frontier after the batch, if the last one is far enough behind. */
static int make_frontier(struct trail *t)
{
    buf_clear(&t->frontier);
    if (t->now.tree.size - t->frontier_at < TRAIL_FRONTIER_EVERY_COUNT)
        return 0;
    TRY(buf_append(&t->frontier, BYTES_OF(t->now.last)));
    return merkle_encode(&t->now.tree, &t->frontier);
}

/* The state that goes with the batch: a new one, or again the last one where a frontier stands, so that opening finds
 * one without a long search. */
static int take_state(struct trail *t, struct bytes state)
{
    bool is_due = buf_size(&t->frontier) > 0;
    buf_clear(&t->next_state);
    return buf_append(&t->next_state, state.n > 0 || !is_due ? state : buf_view(&t->state));
}

int trail_flush(struct trail *trail, struct bytes state)
{
    assert(!trail->is_flushed && state.n <= TRAIL_STATE_MAX_BYTES && (state.n == 0 || trail->count > 0));
    if (trail->count == 0)
        return 0;
    TRY(make_frontier(trail));
    TRY(take_state(trail, state));
    struct store_stmt *st = store_use(trail->store, STORE_TURN_ADD);
    store_bind_i64(st, 1, (int64_t)trail->settled.tree.size);
    store_bind_i64(st, 2, (int64_t)trail->count);
    if (buf_size(&trail->next_state) > 0)
        store_bind_blob(st, 3, buf_view(&trail->next_state));
    if (buf_size(&trail->frontier) > 0)
        store_bind_blob(st, 4, buf_view(&trail->frontier));
    store_bind_blob(st, 5, buf_view(&trail->batch));
    TRY(store_run(trail->store, st));
    trail->is_flushed = true;
    return 0;
}

void trail_settle(struct trail *trail, bool is_committed)
{
    assert(!is_committed || trail->is_flushed || trail->count == 0);
    if (trail->count == 0)
        return;
    if (!is_committed)
        trail->now = trail->settled;
    else if (buf_size(&trail->frontier) > 0)
        trail->frontier_at = trail->now.tree.size;
    if (is_committed && buf_size(&trail->next_state) > 0) {
        struct buf before = trail->state;
        trail->state = trail->next_state;
        trail->next_state = before;
    }
    trail->count = 0;
    trail->is_flushed = false;
    buf_clear(&trail->batch);
    buf_shrink(&trail->batch, BATCH_KEEP_BYTES);
}

struct bytes trail_state(const struct trail *trail)
{
    return buf_view(&trail->state);
}

uint64_t trail_size(const struct trail *trail)
{
    return trail->now.tree.size;
}

/* The trail as the last settled turn left it. */
static const struct trail_check *settled(const struct trail *t)
{
    return t->count > 0 ? &t->settled : &t->now;
}

int trail_head(const struct trail *trail, struct trail_head *ret_head)
{
    return trail_check_head(settled(trail), ret_head);
}

int trail_read(struct trail *trail, uint64_t first, bool is_downwards, trail_on_record on_record, void *arg)
{
    struct trail_range range = {.size = settled(trail)->tree.size, .first = first, .is_downwards = is_downwards};
    return trail_scan(trail->store, &range, on_record, arg);
}
