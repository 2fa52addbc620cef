/* segments-copy - all frames of a log as one run of bytes, for a backup; see segments.h. */
#include <string.h>

#include "trail/prune.h"
#include "trail/trail-internal.h"

/* What stands before the first frame; nothing, if nothing was pruned. The first segment is mapped. */
static struct bytes base_of(const struct segments *s, uint8_t room[static PRUNE_BASE_MAX_BYTES])
{
    const struct segment *g = &s->all[0];
    size_t n = 8 + ((size_t)__builtin_popcountll(g->first) + 1) * DIGEST_BYTES;
    if (g->first == 0)
        return BYTES_NONE;
    memcpy(bytes_put_u32(room, 0), g->file.p + SEGMENT_BASE_OFFSET, n);
    return bytes_of(room, 4 + n);
}

int segments_bytes(struct segments *s, uint64_t *ret_bytes)
{
    uint8_t room[PRUNE_BASE_MAX_BYTES];
    TRY(segments_want(s, 0));
    uint64_t sum = base_of(s, room).n;
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
    uint8_t room[PRUNE_BASE_MAX_BYTES];
    struct bytes base = base_of(s, room);
    if (offset < base.n) {
        struct bytes part = bytes_head(bytes_from(base, (size_t)offset), n);
        memcpy(ret, part.p, part.n);
        return segments_copy(s, offset + part.n, ret + part.n, n - part.n);
    }
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
