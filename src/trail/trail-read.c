/*
 * trail-read - handing stored records over, upwards or downwards.
 *
 * The database is a borrowed thing and whoever gets a record may use it, even read the trail again. So whole batches
 * are copied out first, up to a chunk of some size; the statement is done with; and only then the records of the chunk
 * are handed over. Invariant: the records of a scan have consecutive numbers; a gap, an overlap or a frame that does
 * not fit is FAULT_CORRUPT and nothing from that chunk is handed over.
 */
#include <errno.h>
#include <stdlib.h>

#include "trail/trail-internal.h"

enum { CHUNK_BYTES = 32 << 10, CHUNK_FIRST_FRAMES = 64 };

struct frame {
    size_t at, n; /* in scan.bytes */
};

struct scan {
    struct store *store;
    uint64_t size, next, left; /* records in the trail, the number wanted next, how many are still wanted */
    bool is_downwards;
    bool is_begun;        /* a batch was taken, */
    uint64_t batch_first; /* and this is the number it begins with */
    struct buf bytes;
    struct frame *frames; /* of the chunk, in the order they are handed over */
    size_t frames_count, frames_cap;
};

static void scan_fini(struct scan *s)
{
    buf_fini(&s->bytes);
    free(s->frames);
}

int trail_span_read(struct store_stmt *st, struct trail_span *ret_span)
{
    int64_t first = store_column_i64(st, 0), count = store_column_i64(st, 1);
    if (first < 0 || count < 1 || (uint64_t)first > TRAIL_MAX_COUNT || (uint64_t)count > TRAIL_MAX_COUNT)
        return RAISE(FAULT_CORRUPT);
    *ret_span = (struct trail_span){(uint64_t)first, (uint64_t)count};
    return 0;
}

static int push(struct scan *s, struct frame frame)
{
    if (s->frames_count == s->frames_cap) {
        size_t cap = MAX_OF(s->frames_cap * 2, (size_t)CHUNK_FIRST_FRAMES);
        struct frame *frames = realloc(s->frames, cap * sizeof *frames);
        if (frames == NULL)
            return RAISE(-ENOMEM);
        s->frames = frames;
        s->frames_cap = cap;
    }
    s->frames[s->frames_count++] = frame;
    return 0;
}

/* Cuts the next frame off `in`. Returns its bytes, or none if it is malformed. */
static struct bytes cut_frame(struct bytes *in)
{
    if (in->n < TRAIL_FRAME_HEAD_BYTES)
        return BYTES_NONE;
    size_t n = (size_t)in->p[0] << 24 | (size_t)in->p[1] << 16 | (size_t)in->p[2] << 8 | in->p[3];
    if (n > RECORD_MAX_BYTES || n > in->n - TRAIL_FRAME_HEAD_BYTES)
        return BYTES_NONE;
    struct bytes record = bytes_of(in->p + TRAIL_FRAME_HEAD_BYTES, n);
    *in = bytes_from(*in, TRAIL_FRAME_HEAD_BYTES + n);
    return record;
}

/* True if the batch holds the wanted number, and begins (or ends) with it unless it is the first of the scan. */
static bool span_fits(const struct scan *s, struct trail_span span)
{
    uint64_t end = span.first + span.count;
    if (end > s->size || s->next < span.first || s->next >= end)
        return false;
    return !s->is_begun || (s->is_downwards ? s->next == end - 1 : s->next == span.first);
}

static void reverse(struct frame *frames, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        struct frame other = frames[count - 1 - i];
        frames[count - 1 - i] = frames[i];
        frames[i] = other;
    }
}

/* Notes the wanted frames of the batch whose bytes were appended at `base`; all of them are checked. */
static int take_frames(struct scan *s, struct trail_span span, size_t base)
{
    struct bytes all = buf_view(&s->bytes), left = bytes_from(all, base);
    size_t before = s->frames_count;
    for (uint64_t seq = span.first; seq < span.first + span.count; seq++) {
        struct bytes record = cut_frame(&left);
        if (record.n == 0)
            return RAISE(FAULT_CORRUPT);
        if (s->is_downwards ? seq <= s->next : seq >= s->next)
            TRY(push(s, (struct frame){(size_t)(record.p - all.p), record.n}));
    }
    if (left.n != 0)
        return RAISE(FAULT_CORRUPT);
    uint64_t taken = s->frames_count - before;
    assert(taken > 0 && taken <= s->left);
    if (s->is_downwards)
        reverse(s->frames + before, (size_t)taken);
    s->next = s->is_downwards ? s->next - taken : s->next + taken; /* below 0 only when none is left */
    s->left -= taken;
    return 0;
}

static int take_batch(struct scan *s, struct store_stmt *st)
{
    struct trail_span span;
    struct bytes records = store_column_bytes(st, 2);
    size_t base = buf_size(&s->bytes);
    TRY(trail_span_read(st, &span));
    if (!span_fits(s, span) || records.n > TRAIL_BATCH_MAX_BYTES)
        return RAISE(FAULT_CORRUPT);
    TRY(buf_append(&s->bytes, records));
    s->is_begun = true;
    s->batch_first = span.first;
    return take_frames(s, span, base);
}

/* The statement that goes on where the scan is: with the row next to the last one, whatever number it claims, so that
 * no row inside the trail is stepped over. */
static struct store_stmt *start_rows(const struct scan *s)
{
    enum store_sql sql = s->is_downwards ? STORE_TURN_BEFORE : s->is_begun ? STORE_TURN_AFTER : STORE_TURN_FROM;
    struct store_stmt *st = store_use(s->store, sql);
    uint64_t from = s->is_begun ? s->batch_first : s->is_downwards ? s->next + 1 : s->next;
    store_bind_i64(st, 1, (int64_t)from);
    return st;
}

/* After the last record no row may follow but that of a turn which is not settled yet. */
static int check_end(struct scan *s, struct store_stmt *st)
{
    struct trail_span span;
    int x = store_step(s->store, st);
    if (x != STORE_ROW)
        return x;
    TRY(trail_span_read(st, &span));
    return span.first < s->size ? RAISE(FAULT_CORRUPT) : 0;
}

/* Fills the chunk with at least one record. */
static int load_chunk(struct scan *s)
{
    int x;
    buf_clear(&s->bytes);
    s->frames_count = 0;
    struct store_stmt *st = start_rows(s);
    do {
        x = store_step(s->store, st);
        if (x == STORE_ROW)
            x = take_batch(s, st);
        else if (x == 0)
            x = RAISE(FAULT_CORRUPT); /* records are missing */
    } while (x == 0 && s->left > 0 && buf_size(&s->bytes) < CHUNK_BYTES);
    if (x == 0 && s->left == 0 && !s->is_downwards)
        x = check_end(s, st);
    store_done(st);
    return x;
}

int trail_scan(struct store *store, const struct trail_range *range, trail_on_record on_record, void *arg)
{
    SCOPED(scan_fini) struct scan s = {.store = store, .size = range->size, .is_downwards = range->is_downwards};
    assert(range->size <= TRAIL_MAX_COUNT);
    if (range->size == 0 || (!range->is_downwards && range->first >= range->size))
        return 0;
    s.next = MIN_OF(range->first, range->size - 1);
    s.left = range->is_downwards ? s.next + 1 : range->size - s.next;
    buf_init(&s.bytes, CHUNK_BYTES + TRAIL_BATCH_MAX_BYTES);
    while (s.left > 0) {
        uint64_t seq = s.next;
        TRY(load_chunk(&s));
        for (size_t i = 0; i < s.frames_count; i++) {
            int x = on_record(seq, bytes_of(buf_view(&s.bytes).p + s.frames[i].at, s.frames[i].n), arg);
            if (x != 0)
                return x == TRAIL_ENOUGH ? 0 : x;
            seq = s.is_downwards ? seq - 1 : seq + 1;
        }
    }
    return 0;
}
