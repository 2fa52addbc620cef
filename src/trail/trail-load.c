/*
 * trail-load - what is found when a trail is opened; see trail.h.
 *
 * The log is completed from the ring of rows in the database, never the other way round. What is missing between the
 * two, or differs, or says that one of them is an older copy, is damage.
 */
#include "trail/index.h"
#include "trail/trail-internal.h"

struct ring_row {
    uint64_t first, count;
    struct bytes state, seal, frames;
};

static int read_row(struct store_stmt *st, struct ring_row *ret_row, int64_t *ret_place)
{
    int64_t first = store_column_i64(st, 1), count = store_column_i64(st, 2);
    *ret_place = store_column_i64(st, 0);
    *ret_row = (struct ring_row){(uint64_t)first, (uint64_t)count, store_column_bytes(st, 3), store_column_bytes(st, 4),
                                 store_column_bytes(st, 5)};
    if (*ret_place < 0 || *ret_place >= TRAIL_RING_COUNT || first < 0 || count < 1 ||
        (uint64_t)first > TRAIL_MAX_COUNT || (uint64_t)count > TRAIL_MAX_COUNT ||
        ret_row->frames.n > TRAIL_BATCH_MAX_BYTES + TRAIL_TAIL_MAX_BYTES || ret_row->seal.n != TRAIL_SEAL_BYTES ||
        ret_row->state.n > TRAIL_STATE_MAX_BYTES)
        return RAISE(FAULT_CORRUPT);
    return 0;
}

/* A record that the log has must be the one that the database has. */
static int compare(struct trail *t, struct segments_at *at, bool *has_place, uint64_t seq, struct bytes record)
{
    struct bytes stored;
    if (!*has_place)
        TRY(segments_seek(t->log, seq, false, at));
    *has_place = true;
    TRY(segments_next(t->log, at, &stored));
    return bytes_equal(stored, record) ? 0 : RAISE(FAULT_CORRUPT);
}

/* A record that only the database has is stored in the log. */
static int complete(struct trail *t, struct bytes frame, struct bytes record, struct bytes leaf)
{
    TRY(segments_reserve(t->log, frame.n, &t->now));
    int x = trail_check_add(&t->now, record);
    TRY(x);
    if (x != 0 || !bytes_equal(leaf, BYTES_OF(t->now.last)))
        return RAISE(FAULT_CORRUPT);
    segments_append(t->log, frame);
    if (t->now.tree.size % SEGMENT_TILE_COUNT == 0)
        segments_note(t->log, t->now.tree.size, t->now.tree.runs[0]);
    return 0;
}

static int take_row(struct trail *t, const struct ring_row *row)
{
    struct segments_at at;
    struct bytes leaf, rest = row->frames;
    bool has_place = false;
    for (uint64_t seq = row->first; seq < row->first + row->count; seq++) {
        struct bytes from = rest, record = segment_frame(&rest, &leaf);
        if (record.n == 0 || !trail_record_has_number(record, seq) || seq > t->now.tree.size)
            return RAISE(FAULT_CORRUPT);
        if (seq < segments_first(t->log))
            continue; /* pruned since */
        if (seq < t->now.tree.size)
            TRY(compare(t, &at, &has_place, seq, record));
        else
            TRY(complete(t, bytes_head(from, from.n - rest.n), record, leaf));
    }
    return rest.n == 0 ? 0 : RAISE(FAULT_CORRUPT);
}

/* Rows in the order of their records; the newest one holds state and seal. ret_end: of the records that the database
 * has. */
static int take_rows(struct trail *t, uint64_t *ret_end, struct epoch_seal *ret_seal)
{
    int x;
    struct store_stmt *st = store_use(t->store, STORE_TURN_EACH);
    *ret_end = 0;
    while ((x = store_step(t->store, st)) == STORE_ROW) {
        struct ring_row row;
        int64_t place;
        x = read_row(st, &row, &place);
        if (x == 0 && row.first < *ret_end)
            x = RAISE(FAULT_CORRUPT);
        if (x == 0)
            x = take_row(t, &row);
        if (x < 0)
            break;
        *ret_end = t->ends[place] = row.first + row.count;
        t->place = (size_t)(place + 1) % TRAIL_RING_COUNT;
        trail_get_seal(row.seal.p, ret_seal);
        buf_clear(&t->state);
        if ((x = buf_append(&t->state, row.state)) < 0)
            break;
    }
    store_done(st);
    return x;
}

/* A change is in the database before it is in the log: a record of one that only the log has says that the database is
 * an older copy. */
static int check_rest(struct trail *t, uint64_t database_end, uint64_t from)
{
    struct segments_at at;
    struct bytes stored;
    struct record r;
    uint64_t seq = MAX_OF(database_end, from);
    if (t->log->mark.changed > database_end)
        return RAISE(FAULT_CORRUPT);
    if (seq >= t->log->size)
        return 0;
    TRY(segments_seek(t->log, seq, false, &at));
    while (at.seq < t->log->size) {
        TRY(segments_next(t->log, &at, &stored));
        if (!record_decode(stored, &r) || r.state.n > 0)
            return RAISE(FAULT_CORRUPT);
    }
    return 0;
}

/* How many of the first records were pruned, as the database has it. */
static int read_pruned(struct trail *t, uint64_t *ret_pruned)
{
    struct store_stmt *st = store_use(t->store, STORE_META_GET);
    store_bind_text(st, 1, BYTES_LITERAL(TRAIL_PRUNED_NAME));
    int x = store_step(t->store, st);
    struct bytes stored = x == STORE_ROW ? store_column_bytes(st, 0) : BYTES_NONE;
    *ret_pruned = stored.n == 8 ? bytes_get_u64(stored.p) : 0;
    bool is_good = x != STORE_ROW || (stored.n == 8 && *ret_pruned > 0 && *ret_pruned <= TRAIL_MAX_COUNT);
    store_done(st);
    return x < 0 ? x : is_good ? 0 : RAISE(FAULT_CORRUPT);
}

/* Pruning that was cut short is completed; a log that begins later than that lacks files. */
static int check_beginning(struct trail *t)
{
    uint64_t pruned;
    TRY(read_pruned(t, &pruned));
    int x = segments_first(t->log) < pruned ? segments_drop(t->log, pruned) : 0;
    TRY(x);
    return segments_first(t->log) == pruned ? 0 : RAISE(FAULT_CORRUPT);
}

int trail_load(struct trail *t)
{
    struct segments_mark mark = t->log->mark;
    struct epoch_seal seal = {0};
    uint64_t database_end;
    size_t torn;
    t->now = mark.check;
    TRY(check_beginning(t));
    TRY(segments_recover(t->log, &t->now, &torn));
    TRY(take_rows(t, &database_end, &seal));
    TRY(check_rest(t, database_end, mark.check.tree.size));
    TRY(trail_find_seal(t->log, &seal, &t->log->seal));
    TRY(epoch_keys_open(&t->epochs, t->log->folder, &t->log->seal, t->log->size == 0));
    uint64_t size = t->log->size;
    if (!mark.is_clean && !mark.is_same_boot && mark.reserved > size)
        t->lost = mark.reserved - size;
    t->log->mark.changed = database_end;
    index_begin(&t->about, size);
    return trail_sync_log(t, false);
}
