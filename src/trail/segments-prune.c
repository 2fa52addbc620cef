/* segments-prune - where a log begins, and removing its oldest files; see segments.h. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "os/file.h"
#include "trail/index.h"
#include "trail/prune.h"
#include "trail/trail-internal.h"

uint64_t segments_first(const struct segments *s)
{
    return s->all[0].first;
}

int segments_base(struct segments *s, uint64_t edge, struct trail_check *ret_base)
{
    size_t i = segments_holder(s, edge);
    uint64_t first = s->all[i].first;
    assert(first == edge);
    TRY(segments_want(s, i));
    const uint8_t *p = s->all[i].file.p + SEGMENT_BASE_OFFSET;
    size_t n = 8 + (size_t)__builtin_popcountll(first) * DIGEST_BYTES;
    if (!merkle_decode(bytes_of(p, n), &ret_base->tree) || ret_base->tree.size != first)
        return RAISE(FAULT_CORRUPT);
    memcpy(ret_base->last, p + n, DIGEST_BYTES);
    return 0;
}

/* When the first record of a segment was made. Returns 0 or a fault. */
static int begun_us(struct segments *s, size_t i, int64_t *ret_us)
{
    struct segments_at at;
    struct bytes record;
    struct record r;
    *ret_us = INT64_MAX;
    if (s->all[i].first == s->size)
        return 0; /* it has none yet */
    TRY(segments_seek(s, s->all[i].first, false, &at));
    TRY(segments_next(s, &at, &record));
    if (!record_decode(record, &r))
        return RAISE(FAULT_CORRUPT);
    *ret_us = r.wall_us;
    return 0;
}

int segments_plan_prune(struct segments *s, uint64_t before, int64_t until_us, struct prune_statement *ret_statement)
{
    struct trail_check base;
    size_t edge = 0, last = MIN_OF(s->count - 1, (size_t)TRAIL_PRUNE_MAX_COUNT);
    while (edge < last && s->all[edge + 1].first <= before) {
        int64_t us;
        TRY(begun_us(s, edge + 1, &us));
        if (us > until_us)
            break;
        edge++;
    }
    if (edge == 0)
        return TRAIL_WHOLE;
    *ret_statement = (struct prune_statement){.from = s->all[0].first, .before = s->all[edge].first};
    TRY(segments_base(s, ret_statement->before, &base));
    return merkle_root(&base.tree, ret_statement->root);
}

/* Its index first: nothing is left that belongs to no file. */
static int remove_files(const struct segments *s, uint64_t first)
{
    char name[SEGMENT_NAME_BYTES];
    index_name(first, name);
    if (unlinkat(s->folder, name, 0) < 0 && errno != ENOENT)
        return RAISE(-errno);
    segment_name(first, name);
    if (unlinkat(s->folder, name, 0) < 0 && errno != ENOENT)
        return RAISE(-errno);
    return 0;
}

void segments_shed(struct segments *s, uint64_t before)
{
    char name[SEGMENT_NAME_BYTES];
    for (size_t i = 0; i + 1 < s->count && s->all[i + 1].first <= before; i++) {
        struct segment *g = &s->all[i];
        index_name(g->first, name);
        mapfile_close(&g->index);
        if (unlinkat(s->folder, name, 0) < 0 && errno != ENOENT)
            RAISE(-errno); /* noted with its origin */
    }
}

int segments_drop(struct segments *s, uint64_t before)
{
    size_t n = 0;
    int r = 0;
    while (r == 0 && n + 1 < s->count && s->all[n + 1].first <= before) {
        r = remove_files(s, s->all[n].first);
        n += r == 0;
    }
    for (size_t i = 0; i < s->count; i++) {
        s->all[i].base = SEGMENT_BASE_UNKNOWN;
        if (i < n) {
            mapfile_close(&s->all[i].file);
            mapfile_close(&s->all[i].index);
        }
    }
    memmove(s->all, s->all + n, (s->count - n) * sizeof *s->all);
    s->count -= n;
    TRY(r);
    TRY(n > 0 ? file_sync_folder(s->folder) : 0);
    return (int)n;
}
