/*
 * trail-read - handing stored records over, upwards or downwards.
 *
 * Records are handed over where they lie in the log, which stays mapped; whoever gets one may use the trail, even read
 * it again. Downwards a run of records is walked once upwards first, since frames lead only that way.
 */
#include "trail/trail-internal.h"

static int scan_up(struct segments *s, const struct trail_range *range, trail_on_record on_record, void *arg)
{
    struct segments_at at;
    struct bytes record;
    int x = 0;
    if (range->first >= range->size)
        return 0;
    TRY(segments_seek(s, range->first, false, &at));
    while (x == 0 && at.seq < range->size) {
        uint64_t seq = at.seq;
        TRY(segments_next(s, &at, &record));
        x = on_record(seq, record, arg);
    }
    return x;
}

/* One run, from `last` down to its first record, which is *ret_first. */
static int scan_run(struct segments *s, uint64_t last, trail_on_record on_record, void *arg, uint64_t *ret_first)
{
    struct segments_at at;
    struct bytes records[SEGMENT_TILE_COUNT];
    size_t n = 0;
    TRY(segments_seek(s, last, true, &at));
    *ret_first = at.seq;
    while (at.seq <= last) {
        assert(n < COUNT_OF(records));
        TRY(segments_next(s, &at, &records[n++]));
    }
    int x = 0;
    for (size_t i = n; x == 0 && i-- > 0;)
        x = on_record(*ret_first + i, records[i], arg);
    return x;
}

static int scan_down(struct segments *s, const struct trail_range *range, trail_on_record on_record, void *arg)
{
    uint64_t end = range->first < range->size ? range->first + 1 : range->size;
    int x = 0;
    while (x == 0 && end > range->floor)
        x = scan_run(s, end - 1, on_record, arg, &end);
    return x;
}

int trail_scan(struct segments *s, const struct trail_range *range, trail_on_record on_record, void *arg)
{
    return range->is_downwards ? scan_down(s, range, on_record, arg) : scan_up(s, range, on_record, arg);
}
