/*
 * watch-feed - changes out of the trail: the newest ones, kept in memory for those who wait for them, and the place in
 * the trail where the changes after a revision begin; see watch.h.
 */
#include <errno.h>
#include <stdlib.h>

#include "engine/watch.h"

enum { FIRST_CAP_COUNT = 64 };

bool watch_is_change(const struct record *r)
{
    return r->outcome == 0 && r->state.n > 0 && r->version_after > 0 && r->path.n > 0;
}

/* ---- the feed -------------------------------------------------------------------------------------------- */

void watch_feed_init(struct watch_feed *f)
{
    *f = (struct watch_feed){0};
    buf_init(&f->bytes, WATCH_FEED_MAX_BYTES + RECORD_MAX_BYTES);
}

void watch_feed_fini(struct watch_feed *f)
{
    buf_fini(&f->bytes);
    free(f->items);
    f->items = NULL;
    f->count = f->cap = 0;
    f->has_decoded = false;
}

void watch_feed_begin(struct watch_feed *f, uint64_t first)
{
    watch_feed_fini(f);
    f->dropped_bytes = 0;
    f->first = first;
}

static struct bytes record_of(const struct watch_feed *f, const struct watch_item *item)
{
    struct bytes all = buf_view(&f->bytes);
    assert(item->at >= f->dropped_bytes && item->at - f->dropped_bytes + item->n <= all.n);
    return bytes_of(all.p + (item->at - f->dropped_bytes), item->n);
}

/* The older half goes; who still wants it reads the trail. */
static void drop_half(struct watch_feed *f)
{
    size_t gone = (f->count + 1) / 2;
    assert(f->count > 0);
    const struct watch_item *last = &f->items[gone - 1];
    size_t end = last->at + last->n;
    f->first = last->seq + 1;
    buf_consume(&f->bytes, end - f->dropped_bytes);
    f->dropped_bytes = end;
    f->count -= gone;
    for (size_t i = 0; i < f->count; i++)
        f->items[i] = f->items[i + gone];
}

static int push(struct watch_feed *f, uint64_t seq, struct bytes record)
{
    while (f->count > 0 && (f->count == WATCH_FEED_MAX_COUNT || buf_size(&f->bytes) + record.n > WATCH_FEED_MAX_BYTES))
        drop_half(f);
    if (f->count == f->cap) {
        size_t cap = MAX_OF(f->cap * 2, (size_t)FIRST_CAP_COUNT);
        struct watch_item *items = realloc(f->items, cap * sizeof *items);
        if (items == NULL)
            return RAISE(-ENOMEM);
        f->items = items;
        f->cap = cap;
    }
    size_t at = f->dropped_bytes + buf_size(&f->bytes);
    TRY(buf_append(&f->bytes, record));
    f->items[f->count++] = (struct watch_item){seq, at, record.n};
    return 0;
}

struct taking {
    struct watch_feed *feed;
    bool has_other;
};

static int take(uint64_t seq, struct bytes bytes, void *arg)
{
    struct taking *t = arg;
    struct record r;
    if (!record_decode(bytes, &r))
        return RAISE(FAULT_CORRUPT);
    bool is_change = watch_is_change(&r);
    t->has_other = t->has_other || (!is_change && r.outcome == 0 && r.state.n > 0);
    return is_change ? push(t->feed, seq, bytes) : 0;
}

int watch_feed_take(struct watch_feed *f, struct trail *trail, uint64_t first, bool *ret_other)
{
    struct taking t = {f, false};
    f->has_decoded = false;
    int x = trail_read(trail, first, false, take, &t);
    if (x < 0) { /* a part of it would be a gap: everybody goes to the trail */
        watch_feed_begin(f, trail_size(trail) - trail_pending(trail));
        return x;
    }
    *ret_other = *ret_other || t.has_other;
    return 0;
}

/* The first item with at least this number. O(log items). */
static size_t find_item(const struct watch_feed *f, uint64_t seq)
{
    size_t low = 0, high = f->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (f->items[mid].seq < seq)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

int watch_feed_each(struct watch_feed *f, uint64_t first, int (*on_change)(const struct record *r, void *arg),
                    void *arg)
{
    assert(first >= f->first);
    for (size_t i = find_item(f, first); i < f->count; i++) {
        const struct watch_item *item = &f->items[i];
        if (!f->has_decoded || f->decoded_seq != item->seq) {
            if (!record_decode(record_of(f, item), &f->decoded))
                return RAISE(FAULT_INTERNAL);
            f->has_decoded = true;
            f->decoded_seq = item->seq;
        }
        int x = on_change(&f->decoded, arg);
        if (x != 0)
            return x;
    }
    return 0;
}

/* ---- where to begin -------------------------------------------------------------------------------------- */

/* The newest record between two numbers that has a revision. */
struct probe {
    uint64_t low, seq, revision; /* revision 0: none has */
};

static int look(uint64_t seq, struct bytes bytes, void *arg)
{
    struct probe *p = arg;
    struct record r;
    if (seq < p->low)
        return TRAIL_ENOUGH;
    if (!record_decode(bytes, &r))
        return RAISE(FAULT_CORRUPT);
    if (r.revision == 0)
        return 0;
    p->seq = seq;
    p->revision = r.revision;
    return TRAIL_ENOUGH;
}

int watch_find(struct trail *trail, uint64_t revision, uint64_t *ret_first)
{
    /* below `low` no record has a later revision; from `high` on every one has, or none at all */
    uint64_t low = trail_first(trail), high = trail_size(trail) - trail_pending(trail);
    while (low < high) {
        uint64_t mid = low + (high - low) / 2;
        struct probe p = {.low = low};
        TRY(trail_read(trail, mid, true, look, &p));
        if (p.revision == 0 || p.revision <= revision)
            low = mid + 1;
        else
            high = p.seq;
    }
    *ret_first = high;
    return 0;
}

/* The oldest record that has a revision; what was pruned has none above it. */
struct oldest {
    size_t left;
    uint64_t revision; /* 0: none was found */
};

static int look_at_oldest(uint64_t seq, struct bytes bytes, void *arg)
{
    struct oldest *o = arg;
    struct record r;
    (void)seq;
    if (!record_decode(bytes, &r))
        return RAISE(FAULT_CORRUPT);
    o->revision = r.revision;
    return r.revision != 0 || --o->left == 0 ? TRAIL_ENOUGH : 0;
}

int watch_is_cut(struct trail *trail, uint64_t revision, bool *ret_is_cut)
{
    struct oldest o = {.left = WATCH_CUT_COUNT};
    uint64_t first = trail_first(trail);
    *ret_is_cut = false;
    if (first == 0)
        return 0;
    TRY(trail_read(trail, first, false, look_at_oldest, &o));
    *ret_is_cut = o.revision == 0 || o.revision > revision;
    return 0;
}
