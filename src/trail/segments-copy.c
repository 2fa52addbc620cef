/* segments-copy - all frames of a log as one run of bytes, for a backup; see segments.h. */
#include <string.h>

#include "trail/trail-internal.h"

int segments_bytes(struct segments *s, uint64_t *ret_bytes)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < s->count; i++) {
        TRY(segments_want(s, i));
        s->all[i].base = sum;
        sum += s->all[i].end - SEGMENT_DATA_OFFSET;
    }
    *ret_bytes = sum;
    return 0;
}

int segments_copy(struct segments *s, uint64_t offset, uint8_t *ret, size_t n)
{
    for (size_t i = s->count; i-- > 0 && n > 0;) {
        const struct segment *g = &s->all[i];
        if (g->file.p == NULL || g->base > offset)
            continue;
        size_t at = SEGMENT_DATA_OFFSET + (size_t)(offset - g->base), take = MIN_OF(n, g->end - MIN_OF(at, g->end));
        if (take == 0)
            return RAISE(FAULT_CORRUPT);
        memcpy(ret, g->file.p + at, take);
        if (take < n)
            return segments_copy(s, offset + take, ret + take, n - take);
        return 0;
    }
    return n == 0 ? 0 : RAISE(FAULT_CORRUPT);
}
