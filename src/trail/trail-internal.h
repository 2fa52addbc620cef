/*
 * trail-internal - what the files of this folder share. No other folder includes it.
 *
 * A batch is stored as frames: for each record its length as four bytes big-endian, and its bytes. A frontier is the
 * hash of the last record it covers and merkle_encode() of the tree up to there.
 */
#ifndef TRAIL_INTERNAL_H
#define TRAIL_INTERNAL_H

#include "trail/trail.h"

enum { TRAIL_FRAME_HEAD_BYTES = 4 };

/* No trail gets this long; a stored number above it is a lie, and no sum of two below it wraps. */
#define TRAIL_MAX_COUNT (UINT64_C(1) << 62)

/* Where the row of a batch says it stands. */
struct trail_span {
    uint64_t first, count;
};

/* trail_span_read - columns 0 and 1 of a row of the table turn. Returns 0 or FAULT_CORRUPT. */
int trail_span_read(struct store_stmt *st, struct trail_span *ret_span) MUST_USE;

typedef int (*trail_on_record)(uint64_t seq, struct bytes record, void *arg);

/* trail_scan - trail_read() over the first `size` stored records. Each of them must be there, or it is FAULT_CORRUPT.
 */
struct trail_range {
    uint64_t size, first;
    bool is_downwards;
};
int trail_scan(struct store *store, const struct trail_range *range, trail_on_record on_record, void *arg) MUST_USE;

#endif
