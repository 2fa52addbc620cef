/*
 * trail-import - a log from the bytes of another one; see trail.h.
 *
 * Frames are taken one by one, each found to fit the one before it; what is left of a run of bytes, less than a frame,
 * waits for the next.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "trail/prune.h"
#include "trail/trail-internal.h"

struct trail_import {
    char *folder;
    struct segments *log; /* NULL until it is known what it begins with */
    struct trail_check check;
    bool is_epoch_known; /* of a trail that was pruned only once one has begun */
    uint64_t epoch;      /* the last one that has begun */
    struct buf rest;
};

int trail_import_begin(const char *folder, struct trail_import **ret_import)
{
    if (mkdir(folder, 0700) < 0)
        return RAISE(-errno);
    struct trail_import *m = calloc(1, sizeof *m);
    if (m == NULL)
        return RAISE(-ENOMEM);
    m->folder = strdup(folder);
    if (m->folder == NULL) {
        free(m);
        return RAISE(-ENOMEM);
    }
    trail_check_init(&m->check);
    buf_init(&m->rest, TRAIL_BATCH_MAX_BYTES);
    *ret_import = m;
    return 0;
}

/* The log is made as soon as the first bytes say whether it begins with a base. */
static int make_log(struct trail_import *m)
{
    struct bytes in = buf_view(&m->rest), rest = in;
    enum prune_base base = prune_take_base(&rest, &m->check);
    if (base == PRUNE_BASE_SHORT)
        return 0;
    if (base == PRUNE_BASE_BAD)
        return RAISE(FAULT_CORRUPT);
    m->is_epoch_known = base == PRUNE_BASE_NONE;
    buf_consume(&m->rest, in.n - rest.n);
    TRY(segments_found(m->folder, &m->check));
    return segments_open(m->folder, &m->log);
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
    if (record_is_of(record, RECORD_EPOCH)) {
        if (!record_decode(record, &r) || !epoch_read(r.detail, &statement) ||
            (m->is_epoch_known && statement.number != m->epoch + 1))
            return RAISE(FAULT_CORRUPT);
        m->epoch = statement.number;
        m->is_epoch_known = true;
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
    if (import->log == NULL)
        TRY(make_log(import));
    if (import->log == NULL)
        return 0;
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
    if (buf_size(&import->rest) > 0 || import->log == NULL || !import->is_epoch_known)
        return RAISE(FAULT_CORRUPT);
    TRY(epoch_keys_make(import->log->folder, &import->epoch, ret_seed));
    return segments_sync(import->log, &import->check, import->check.tree.size, true);
}

void trail_import_free(struct trail_import *import)
{
    if (import == NULL)
        return;
    segments_close(import->log);
    free(import->folder);
    buf_fini(&import->rest);
    free(import);
}
