/*
 * trail-import - a log from the bytes of another one; see trail.h.
 *
 * Frames are taken one by one, each found to fit the one before it; what is left of a run of bytes, less than a frame,
 * waits for the next.
 */
#include <errno.h>
#include <stdlib.h>

#include "trail/trail-internal.h"

struct trail_import {
    struct segments *log;
    struct trail_check check;
    uint64_t epoch; /* the last one that has begun */
    struct buf rest;
};

SCOPED_DROP(drop_segments, struct segments, segments_close)

int trail_import_begin(const char *folder, struct trail_import **ret_import)
{
    SCOPED(drop_segments) struct segments *s = NULL;
    TRY(segments_make(folder));
    TRY(segments_open(folder, &s));
    struct trail_import *m = calloc(1, sizeof *m);
    if (m == NULL)
        return RAISE(-ENOMEM);
    m->log = TAKE(s);
    trail_check_init(&m->check);
    buf_init(&m->rest, TRAIL_BATCH_MAX_BYTES);
    *ret_import = m;
    return 0;
}

static int add_frame(struct trail_import *m, struct bytes frame, struct bytes record, struct bytes leaf)
{
    TRY(segments_reserve(m->log, frame.n, &m->check));
    int x = trail_check_add(&m->check, record);
    TRY(x);
    if (x != 0 || !bytes_equal(leaf, BYTES_OF(m->check.last)))
        return RAISE(FAULT_CORRUPT);
    struct record r;
    struct epoch_statement statement;
    if (epoch_begins(record)) {
        if (!record_decode(record, &r) || !epoch_read(r.detail, &statement) || statement.number != m->epoch + 1)
            return RAISE(FAULT_CORRUPT);
        m->epoch = statement.number;
        m->log->seal = (struct epoch_seal){.number = m->epoch, .first = r.seq, .size = r.seq};
    }
    segments_append(m->log, frame);
    if (m->check.tree.size % SEGMENT_TILE_COUNT == 0)
        segments_note(m->log, m->check.tree.size, m->check.tree.runs[0]);
    return 0;
}

int trail_import_add(struct trail_import *import, struct bytes bytes)
{
    struct bytes leaf, record;
    TRY(buf_append(&import->rest, bytes));
    struct bytes all = buf_view(&import->rest), rest = all;
    while ((record = segment_frame(&rest, &leaf)).n > 0) {
        struct bytes frame = bytes_of(leaf.p - 4, SEGMENT_FRAME_HEAD_BYTES + record.n);
        TRY(add_frame(import, frame, record, leaf));
    }
    buf_consume(&import->rest, all.n - rest.n);
    /* what is left is the beginning of a frame, or was never one */
    return rest.n < SEGMENT_FRAME_HEAD_BYTES + RECORD_MAX_BYTES ? 0 : RAISE(FAULT_CORRUPT);
}

int trail_import_end(struct trail_import *import, struct epoch_seed *ret_seed)
{
    if (buf_size(&import->rest) > 0)
        return RAISE(FAULT_CORRUPT);
    TRY(epoch_keys_make(import->log->folder, &import->epoch, ret_seed));
    return segments_sync(import->log, &import->check, import->check.tree.size, true);
}

void trail_import_free(struct trail_import *import)
{
    if (import == NULL)
        return;
    segments_close(import->log);
    buf_fini(&import->rest);
    free(import);
}
