/*
 * trail-query - reading the records that a filter may want: runs that hold none are passed over by their summaries
 * (index.h); the others are read as trail_read() does.
 */
#include "trail/index.h"
#include "trail/trail-internal.h"

enum {
    TILES_MAX_COUNT = 65536, /* summaries that one question looks at */
    BUILDS_MAX_COUNT = 200,  /* of which so many may have to be built: 20 ms */
};

struct state {
    struct segments *log;
    const struct index_probe *probe;
    size_t tiles_left, builds_left;
};

enum { HOLDS, HOLDS_NONE, LATER };

static int look(struct state *s, const struct index_tile *tile)
{
    if (!tile->is_closed)
        return HOLDS;
    if (s->tiles_left-- == 0)
        return LATER;
    const uint8_t *summary = index_find(s->log, tile);
    if (summary == NULL && s->builds_left-- == 0)
        return LATER;
    if (summary == NULL)
        summary = index_build(s->log, tile);
    return summary == NULL || index_may_hold(summary, s->probe) ? HOLDS : HOLDS_NONE;
}

int trail_scan_filtered(struct segments *log, const struct trail_range *range, struct trail_query *query)
{
    struct index_probe probe;
    index_prepare(&query->filter, &probe);
    struct state s = {.log = log, .probe = &probe, .tiles_left = TILES_MAX_COUNT, .builds_left = BUILDS_MAX_COUNT};
    uint64_t at = range->is_downwards ? MIN_OF(range->first, range->size - 1) : range->first;
    query->ends = at < range->floor;
    if (query->ends)
        return 0;
    while (at < range->size) {
        struct index_tile tile;
        index_tile_of(log, at, &tile);
        struct trail_range part = {.size = range->is_downwards ? at + 1 : MIN_OF(tile.end, range->size),
                                   .first = at,
                                   .floor = tile.first,
                                   .is_downwards = range->is_downwards};
        int x = look(&s, &tile);
        if (x == LATER)
            return 0;
        if (x == HOLDS)
            x = trail_scan(log, &part, query->on_record, query->arg);
        else
            x = 0;
        if (x != 0)
            return x == TRAIL_ENOUGH ? 0 : x;
        query->last = range->is_downwards ? tile.first : part.size - 1;
        if (range->is_downwards && tile.first <= range->floor)
            break;
        at = range->is_downwards ? tile.first - 1 : part.size;
    }
    query->ends = true;
    return 0;
}
