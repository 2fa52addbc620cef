/*
 * trail - see trail.h: the head, the batch of the running turn, and its way into the database and the log.
 *
 * The tree and the hash of the last record always include the pending records; what they were before the first of them
 * is kept beside, for trail_head() and for a turn that fails.
 * Source: RFC 6962 section 2.1.
 */
#include "trail/trail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "os/file.h"
#include "trail/index.h"
#include "trail/prune.h"
#include "trail/trail-internal.h"

enum { BATCH_KEEP_BYTES = 256 << 10 /* memory that stays with the batch between turns */ };

SCOPED_DROP(drop_trail, struct trail, trail_close)

/* The trail as the last settled turn left it. */
static const struct trail_check *settled(const struct trail *t)
{
    return t->count > 0 ? &t->settled : &t->now;
}

int trail_sync_log(struct trail *t, bool is_clean)
{
    int r = segments_sync(t->log, settled(t), t->now.tree.size + t->reserve, is_clean);
    if (r == 0)
        r = segments_check(t->log);
    if (r == 0)
        r = epoch_keys_save(&t->epochs, t->log->folder);
    t->has_failed = t->has_failed || r < 0;
    return r;
}

/* ---- opening --------------------------------------------------------------------------------------------- */

int trail_make(const char *folder, struct epoch_seed *ret_seed)
{
    SCOPED(file_drop_fd) int fd = -1;
    struct trail_check empty;
    trail_check_init(&empty);
    if (mkdir(folder, 0700) < 0)
        return RAISE(-errno);
    TRY(segments_found(folder, &empty));
    int r = file_open_folder(folder, &fd);
    return r != 0 ? RAISE(-ENOENT) : epoch_keys_make(fd, NULL, ret_seed);
}

int trail_open(struct store *store, const char *folder, uint64_t reserve, struct trail **ret_trail)
{
    SCOPED(drop_trail) struct trail *t = calloc(1, sizeof *t);
    if (t == NULL)
        return RAISE(-ENOMEM);
    t->store = store;
    t->reserve = reserve;
    t->has_failed = true; /* until it is open: what was found stays as it is */
    buf_init(&t->batch, TRAIL_BATCH_MAX_BYTES);
    buf_init(&t->runs, TRAIL_RUNS_MAX_BYTES);
    buf_init(&t->state, TRAIL_STATE_MAX_BYTES);
    buf_init(&t->next_state, TRAIL_STATE_MAX_BYTES);
    buf_init(&t->row, TRAIL_BATCH_MAX_BYTES + TRAIL_TAIL_MAX_BYTES);
    TRY(segments_open(folder, &t->log));
    TRY(trail_load(t));
    t->has_failed = false;
    *ret_trail = TAKE(t);
    return 0;
}

void trail_set_reserve(struct trail *trail, uint64_t reserve)
{
    trail->reserve = reserve;
}

uint64_t trail_lost(const struct trail *trail)
{
    return trail->lost;
}

struct trail *trail_close(struct trail *trail)
{
    if (trail == NULL)
        return NULL;
    if (!trail->has_failed && trail->count == 0 && trail_sync_log(trail, true) < 0)
        RAISE(FAULT_SYNC); /* noted with its origin; the next opening will find what is there */
    segments_close(trail->log);
    epoch_keys_close(&trail->epochs);
    buf_fini(&trail->batch);
    buf_fini(&trail->runs);
    buf_fini(&trail->state);
    buf_fini(&trail->next_state);
    buf_fini(&trail->row);
    free(trail);
    return NULL;
}

/* ---- the batch ------------------------------------------------------------------------------------------- */

/* The frame of `r` at the end of the batch, its leaf hash not yet in it. */
static int append_frame(struct buf *batch, const struct record *r, uint8_t **ret_leaf, struct bytes *ret_record)
{
    static const uint8_t head[SEGMENT_FRAME_HEAD_BYTES];
    size_t at = buf_size(batch);
    TRY(buf_append(batch, BYTES_OF(head)));
    TRY(record_encode(batch, r));
    uint8_t *p = batch->p + batch->start + at;
    size_t n = buf_size(batch) - at - SEGMENT_FRAME_HEAD_BYTES;
    assert(n > 0 && n <= RECORD_MAX_BYTES);
    *ret_leaf = bytes_put_u32(p, (uint32_t)n);
    *ret_record = bytes_of(p + SEGMENT_FRAME_HEAD_BYTES, n);
    return 0;
}

/* place: room for it in `runs`. */
static void end_run(struct trail *t, uint8_t *place)
{
    struct trail_run run = {.size = t->now.tree.size, .about = t->about};
    memcpy(run.roots, t->now.tree.runs, sizeof run.roots);
    memcpy(place, &run, sizeof run);
    buf_commit(&t->runs, sizeof run);
    index_begin(&t->about, run.size);
}

/* Makes the frame and its hashes, and puts it into the tree last, because that cannot be taken back. */
static int append(struct trail *t, const struct record *r)
{
    struct bytes record;
    uint8_t *leaf, *place = NULL;
    bool is_run = (t->now.tree.size + 1) % SEGMENT_TILE_COUNT == 0;
    TRY(append_frame(&t->batch, r, &leaf, &record));
    TRY(merkle_leaf(record, leaf));
    if (is_run)
        TRY(buf_reserve(&t->runs, sizeof(struct trail_run), &place));
    TRY(merkle_append(&t->now.tree, leaf));
    memcpy(t->now.last, leaf, DIGEST_BYTES);
    index_add(&t->about, r);
    if (is_run)
        end_run(t, place);
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

int trail_begin_epoch(struct trail *trail, struct record *r)
{
    struct epoch_statement statement;
    char text[EPOCH_TEXT_MAX_BYTES];
    assert(trail->count == 0);
    epoch_keys_statement(&trail->epochs, &statement);
    epoch_write(&statement, text);
    r->kind = RECORD_EPOCH;
    r->detail = bytes_of_text(text);
    int x = trail_append(trail, r);
    r->detail = BYTES_NONE; /* its text is gone */
    return x;
}

uint64_t trail_epoch_count(const struct trail *trail)
{
    const struct epoch_keys *k = &trail->epochs;
    return k->is_running ? k->seal.size - k->seal.first : TRAIL_NO_EPOCH;
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
    ret_mark->prunes = trail->prunes;
    ret_mark->bytes = buf_size(&trail->batch);
}

void trail_rewind(struct trail *trail, const struct trail_mark *mark)
{
    assert(!trail->is_flushed && mark->count <= trail->count && mark->bytes <= buf_size(&trail->batch));
    size_t runs = mark->tree.size / SEGMENT_TILE_COUNT;
    if (trail->count > 0)
        buf_truncate(&trail->runs, (runs - trail->settled.tree.size / SEGMENT_TILE_COUNT) * sizeof(struct trail_run));
    trail->now.tree = mark->tree;
    memcpy(trail->now.last, mark->last, sizeof mark->last);
    trail->count = mark->count;
    trail->prunes = mark->prunes;
    buf_truncate(&trail->batch, mark->bytes);
}

size_t trail_pending(const struct trail *trail)
{
    return trail->count;
}

/* ---- keeping it ------------------------------------------------------------------------------------------ */

/* The settled frames that are durable neither in the log nor in the database; ret_first: the number of the first. */
static struct bytes tail(const struct trail *t, uint64_t *ret_first)
{
    const struct segments *s = t->log;
    const struct segment *g = &s->all[s->count - 1];
    bool has_more = t->journal.segments_count == s->count && t->journal.size > s->mark.check.tree.size;
    size_t at = has_more ? t->journal.end : s->mark.end;
    *ret_first = has_more ? t->journal.size : s->mark.check.tree.size;
    return bytes_of(g->file.p + at, g->end - at);
}

/* The row of the turn: the batch, and the tail before it. */
static int store_row(struct trail *t, struct bytes state)
{
    uint64_t first;
    uint8_t seal[TRAIL_SEAL_BYTES];
    if (tail(t, &first).n > TRAIL_TAIL_MAX_BYTES || t->ends[t->place] > trail_durable(t))
        TRY(trail_sync_log(t, false));
    struct bytes before = tail(t, &first), frames = buf_view(&t->batch);
    if (before.n > 0) {
        buf_clear(&t->row);
        TRY(buf_append(&t->row, before));
        TRY(buf_append(&t->row, frames));
        frames = buf_view(&t->row);
    }
    trail_put_seal(seal, &t->epochs.folded);
    struct store_stmt *st = store_use(t->store, STORE_TURN_SET);
    store_bind_i64(st, 1, (int64_t)t->place);
    store_bind_i64(st, 2, (int64_t)first);
    store_bind_i64(st, 3, (int64_t)(t->now.tree.size - first));
    store_bind_blob(st, 4, state);
    store_bind_blob(st, 5, BYTES_OF(seal));
    store_bind_blob(st, 6, frames);
    return store_run(t->store, st);
}

void trail_use_spare(struct trail *trail)
{
    assert(!trail->is_flushed);
    trail->uses_spare = true;
}

int trail_flush(struct trail *trail, struct bytes state, bool is_durable)
{
    struct trail *t = trail;
    assert(!t->is_flushed && state.n <= TRAIL_STATE_MAX_BYTES && (state.n == 0 || t->count > 0));
    if (t->count == 0)
        return 0;
    size_t bytes = buf_size(&t->batch);
    TRY(t->uses_spare ? segments_reserve_spare(t->log, bytes) : segments_reserve(t->log, bytes, &t->settled));
    epoch_keys_fold(&t->epochs, t->settled.tree.size, buf_view(&t->batch));
    t->is_stored = state.n > 0;
    if (t->is_stored) {
        buf_clear(&t->next_state);
        TRY(buf_append(&t->next_state, state));
        TRY(store_row(t, state));
        TRY(segments_check(t->log));
    } else if (!is_durable && t->now.tree.size > t->log->mark.reserved) {
        TRY(trail_sync_log(t, false));
    }
    t->is_flushed = true;
    return 0;
}

/* The records of the turn are in the database, and durable there. */
static void keep_row(struct trail *t)
{
    const struct segments *s = t->log;
    struct buf before = t->state;
    t->state = t->next_state;
    t->next_state = before;
    t->ends[t->place] = t->now.tree.size;
    t->place = (t->place + 1) % TRAIL_RING_COUNT;
    t->log->mark.changed = t->now.tree.size;
    t->journal = (struct trail_journal){t->now.tree.size, s->count, s->all[s->count - 1].end};
}

/* Stores what the turn has recorded. */
static void store_batch(struct trail *t)
{
    struct trail_run run;
    segments_append(t->log, buf_view(&t->batch));
    t->log->seal = t->epochs.seal;
    for (struct bytes runs = buf_view(&t->runs); runs.n > 0; runs = bytes_from(runs, sizeof run)) {
        memcpy(&run, runs.p, sizeof run);
        segments_note(t->log, run.size, run.roots[0]);
        index_note(t->log, run.size, &run.about);
    }
}

/* What the database says is gone by now. Files that cannot be removed are, when the trail is opened. */
static void drop_pruned(struct trail *t)
{
    size_t count = t->log->count;
    if (segments_drop(t->log, t->prunes) < 0)
        RAISE(FAULT_INTERNAL); /* noted with its origin */
    size_t gone = count - t->log->count;
    t->journal.segments_count -= MIN_OF(gone, t->journal.segments_count);
}

int trail_prune(struct trail *trail, const struct prune_statement *s)
{
    uint8_t number[8];
    assert(!trail->is_flushed && s->from == segments_first(trail->log) && s->before > s->from);
    bytes_put_u64(number, s->before);
    struct store_stmt *st = store_use(trail->store, STORE_META_SET);
    store_bind_text(st, 1, BYTES_LITERAL(TRAIL_PRUNED_NAME));
    store_bind_blob(st, 2, BYTES_OF(number));
    TRY(store_run(trail->store, st));
    trail->prunes = s->before;
    return 0;
}

void trail_settle(struct trail *trail, bool is_committed)
{
    assert(!is_committed || trail->is_flushed || trail->count == 0);
    if (trail->count == 0) {
        trail->prunes = 0;
        return;
    }
    epoch_keys_settle(&trail->epochs, is_committed);
    if (is_committed)
        store_batch(trail);
    else
        trail->now = trail->settled;
    if (is_committed && trail->is_stored)
        keep_row(trail);
    if (is_committed && trail->is_stored && trail->prunes > 0)
        drop_pruned(trail);
    trail->prunes = 0;
    trail->count = 0;
    trail->is_flushed = trail->is_stored = trail->uses_spare = false;
    buf_clear(&trail->batch);
    buf_clear(&trail->runs);
    buf_shrink(&trail->batch, BATCH_KEEP_BYTES);
    buf_shrink(&trail->row, BATCH_KEEP_BYTES);
}

uint64_t trail_durable(const struct trail *trail)
{
    return trail->log->mark.check.tree.size;
}

uint64_t trail_kept(const struct trail *trail)
{
    return MAX_OF(trail_durable(trail), trail->journal.size);
}

int trail_sync(struct trail *trail)
{
    bool is_synced = trail_durable(trail) == settled(trail)->tree.size;
    return is_synced && !trail_wants_sync(trail) ? 0 : trail_sync_log(trail, false);
}

bool trail_wants_sync(const struct trail *trail)
{
    bool is_short = trail->reserve > 0 && trail->now.tree.size + trail->reserve / 2 > trail->log->mark.reserved;
    return is_short || epoch_keys_wants_save(&trail->epochs);
}

struct bytes trail_state(const struct trail *trail)
{
    return buf_view(&trail->state);
}

uint64_t trail_size(const struct trail *trail)
{
    return trail->now.tree.size;
}

int trail_head(const struct trail *trail, struct trail_head *ret_head)
{
    return trail_check_head(settled(trail), ret_head);
}

int trail_tip(const struct trail *trail, struct trail_head *ret_head)
{
    return trail_check_head(&trail->now, ret_head);
}

/* ---- reading --------------------------------------------------------------------------------------------- */

/* The settled records that are there, from `first` on. */
static struct trail_range range_of(const struct trail *t, uint64_t first, bool is_downwards)
{
    uint64_t floor = segments_first(t->log);
    return (struct trail_range){.size = settled(t)->tree.size,
                                .first = is_downwards ? first : MAX_OF(first, floor),
                                .floor = floor,
                                .is_downwards = is_downwards};
}

int trail_read(struct trail *trail, uint64_t first, bool is_downwards, trail_on_record on_record, void *arg)
{
    struct trail_range range = range_of(trail, first, is_downwards);
    int x = trail_scan(trail->log, &range, on_record, arg);
    return x == TRAIL_ENOUGH ? 0 : x;
}

int trail_query(struct trail *trail, uint64_t first, bool is_downwards, struct trail_query *query)
{
    struct trail_range range = range_of(trail, first, is_downwards);
    query->ends = true;
    return range.size > 0 ? trail_scan_filtered(trail->log, &range, query) : 0;
}

uint64_t trail_first(const struct trail *trail)
{
    return segments_first(trail->log);
}

int trail_base(struct trail *trail, struct trail_check *ret_base)
{
    return segments_base(trail->log, segments_first(trail->log), ret_base);
}

bool trail_prunes(const struct trail *trail)
{
    return trail->prunes > 0;
}

void trail_shed(struct trail *trail, const struct prune_statement *s)
{
    segments_shed(trail->log, s->before);
}

int trail_plan_prune(struct trail *trail, uint64_t before, int64_t until_us, struct prune_statement *ret_statement)
{
    return segments_plan_prune(trail->log, before, until_us, ret_statement);
}

int trail_prove(struct trail *trail, uint64_t seq, struct merkle_proof *ret_proof, struct bytes *ret_record)
{
    struct trail_head head;
    TRY(trail_head(trail, &head));
    assert(seq >= segments_first(trail->log) && seq < head.size);
    return prove_record(trail->log, seq, &head, ret_proof, ret_record);
}

int trail_prove_extends(struct trail *trail, uint64_t from, struct merkle_proof *ret_proof)
{
    struct trail_head head;
    TRY(trail_head(trail, &head));
    assert(from > 0 && from >= segments_first(trail->log) && from <= head.size);
    return prove_extends(trail->log, from, &head, ret_proof);
}

int trail_bytes(struct trail *trail, uint64_t *ret_bytes)
{
    return segments_bytes(trail->log, ret_bytes);
}

int trail_copy(struct trail *trail, uint64_t offset, uint8_t *ret, size_t n)
{
    return segments_copy(trail->log, offset, ret, n);
}
