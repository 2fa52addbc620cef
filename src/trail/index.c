/* index - see index.h. */
#include "trail/index.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "trail/trail-internal.h"

enum {
    SUM_AT = 0,
    FIRST_AT = 8,
    COUNT_AT = 16,
    KINDS_AT = 24,
    OUTCOMES_AT = 32,
    SINCE_AT = 48,
    UNTIL_AT = 56,
    BLOOM_AT = 64,
    BLOOM_BITS = (INDEX_TILE_BYTES - BLOOM_AT) * 8,
    INDEX_ROOM_BYTES = SEGMENT_TILES_MAX_COUNT * INDEX_TILE_BYTES,
    INDEX_GROW_BYTES = 64 * INDEX_TILE_BYTES,
};
static_assert(RECORD_KIND_END <= 64, "each kind has its bit");

/* What a key is of, so that a uid is no rule. */
enum { KEY_UID = 1, KEY_RULE, KEY_SESSION, KEY_PATH, KEY_HIDDEN };

static uint64_t mix(uint64_t h) /* the finaliser of splitmix64 */
{
    h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
    return h ^ h >> 31;
}

static uint64_t key_of(unsigned type, uint64_t value)
{
    return mix(value + type * UINT64_C(0x9e3779b97f4a7c15));
}

/* Each folder of a path and the path itself, from the top; the last is the folder alone if the name in it is hidden. */
struct walk {
    struct bytes path;
    size_t at;
    uint64_t hash; /* FNV-1a of what is before `at` */
    bool is_hidden;
};

static bool walk_next(struct walk *w, uint64_t *ret_hash)
{
    size_t i = w->at;
    if (i >= w->path.n || w->is_hidden)
        return false;
    do {
        w->hash = (w->hash ^ w->path.p[i++]) * UINT64_C(0x100000001b3);
    } while (i < w->path.n && w->path.p[i] != '/');
    w->at = i;
    w->is_hidden = i + 1 < w->path.n && w->path.p[i + 1] == RECORD_HIDDEN_MARK;
    *ret_hash = w->hash;
    return true;
}

/* ---- one summary ----------------------------------------------------------------------------------------- */

/* For damage, not against people: eight sums of words, and sums of those, of all behind the sum. */
static uint64_t sum_of(const uint8_t *summary)
{
    enum { LANES = 8, WORDS = INDEX_TILE_BYTES / 8 };
    uint64_t words[LANES], low[LANES] = {0}, high[LANES] = {0}, sum = 1;
    for (size_t i = 0; i < WORDS; i += LANES) {
        memcpy(words, summary + i * 8, sizeof words);
        words[0] = i == 0 ? 0 : words[0];
        for (size_t k = 0; k < LANES; k++) {
            low[k] += words[k];
            high[k] += low[k];
        }
    }
    for (size_t k = 0; k < LANES; k++)
        sum = mix(mix(sum ^ low[k]) ^ high[k]);
    return sum;
}

static void bloom_put(uint8_t *bloom, uint64_t key)
{
    for (int i = 0; i < 4; i++) {
        size_t bit = (key >> (16 * i) & 0xffff) * BLOOM_BITS >> 16;
        bloom[bit / 8] = (uint8_t)(bloom[bit / 8] | 1u << bit % 8);
    }
}

static bool bloom_has(const uint8_t *bloom, uint64_t key)
{
    bool r = true;
    for (int i = 0; i < 4; i++) {
        size_t bit = (key >> (16 * i) & 0xffff) * BLOOM_BITS >> 16;
        r &= (bloom[bit / 8] >> bit % 8 & 1) != 0;
    }
    return r;
}

static void outcome_bit(unsigned outcome, uint64_t bits[static 2])
{
    unsigned n = MIN_OF(outcome, 127u);
    bits[n / 64] |= UINT64_C(1) << n % 64;
}

void index_begin(struct index_running *ret_running, uint64_t first)
{
    *ret_running = (struct index_running){.first = first, .since_us = INT64_MAX, .until_us = INT64_MIN};
}

void index_add(struct index_running *running, const struct record *r)
{
    struct index_running *f = running;
    uint8_t *bloom = f->summary + BLOOM_AT;
    struct walk w = {.path = r->path};
    uint64_t hash;
    f->kinds |= UINT64_C(1) << r->kind;
    outcome_bit(r->outcome, f->outcomes);
    f->since_us = MIN_OF(f->since_us, r->wall_us);
    f->until_us = MAX_OF(f->until_us, r->wall_us);
    bloom_put(bloom, key_of(KEY_UID, r->uid));
    bloom_put(bloom, key_of(KEY_RULE, r->rule));
    bloom_put(bloom, key_of(KEY_SESSION, r->session));
    while (walk_next(&w, &hash)) {
        bloom_put(bloom, key_of(KEY_PATH, hash));
        if (w.is_hidden)
            bloom_put(bloom, key_of(KEY_HIDDEN, hash));
    }
}

/* Returns false if a record cannot be read. */
static bool read_again(struct segments *s, const struct index_tile *tile, struct index_running *ret_running)
{
    struct segments_at at;
    struct bytes bytes;
    struct record r;
    index_begin(ret_running, tile->first);
    if (segments_seek(s, tile->first, false, &at) < 0)
        return false;
    while (at.seq < tile->end) {
        if (segments_next(s, &at, &bytes) < 0 || !record_decode(bytes, &r))
            return false;
        index_add(ret_running, &r);
    }
    return true;
}

/* What was gathered, of this run and perhaps of more, as the summary of the run. */
static void write_summary(struct index_running *f, const struct index_tile *tile, uint8_t *place)
{
    uint8_t *summary = f->summary;
    bytes_put_u64(summary + FIRST_AT, tile->first);
    bytes_put_u64(summary + COUNT_AT, tile->end - tile->first);
    bytes_put_u64(summary + KINDS_AT, f->kinds);
    bytes_put_u64(summary + OUTCOMES_AT, f->outcomes[0]);
    bytes_put_u64(summary + OUTCOMES_AT + 8, f->outcomes[1]);
    bytes_put_u64(summary + SINCE_AT, (uint64_t)f->since_us);
    bytes_put_u64(summary + UNTIL_AT, (uint64_t)f->until_us);
    bytes_put_u64(summary + SUM_AT, sum_of(summary));
    memcpy(place, summary, INDEX_TILE_BYTES);
}

void index_prepare(const struct trail_filter *filter, struct index_probe *ret_probe)
{
    const struct trail_filter *f = filter;
    struct index_probe *p = ret_probe;
    struct walk w = {.path = f->path};
    *p = (struct index_probe){.since_us = f->since_us, .until_us = f->until_us, .has_path = f->path.n > 0};
    if (f->kind != 0)
        p->kinds = UINT64_C(1) << f->kind;
    if (f->has_outcome)
        outcome_bit(f->outcome, p->outcomes);
    else if (f->is_refused)
        p->outcomes[0] = ~UINT64_C(1), p->outcomes[1] = ~UINT64_C(0);
    if (f->has_uid)
        p->keys[p->keys_count++] = key_of(KEY_UID, f->uid);
    if (f->rule != 0)
        p->keys[p->keys_count++] = key_of(KEY_RULE, f->rule);
    if (f->has_session)
        p->keys[p->keys_count++] = key_of(KEY_SESSION, f->session);
    for (uint64_t hash; walk_next(&w, &hash);) {
        p->path = key_of(KEY_PATH, hash);
        if (p->hidden_count < INDEX_PROBES_MAX_COUNT)
            p->hidden[p->hidden_count++] = key_of(KEY_HIDDEN, hash);
        else
            p->has_path = false; /* deeper than any path is */
    }
}

bool index_may_hold(const uint8_t summary[static INDEX_TILE_BYTES], const struct index_probe *probe)
{
    const uint8_t *bloom = summary + BLOOM_AT;
    const struct index_probe *p = probe;
    uint64_t outcomes[2] = {bytes_get_u64(summary + OUTCOMES_AT), bytes_get_u64(summary + OUTCOMES_AT + 8)};
    if ((p->kinds != 0 && (bytes_get_u64(summary + KINDS_AT) & p->kinds) == 0) ||
        ((p->outcomes[0] | p->outcomes[1]) != 0 &&
         ((outcomes[0] & p->outcomes[0]) | (outcomes[1] & p->outcomes[1])) == 0))
        return false;
    if ((p->since_us != 0 && (int64_t)bytes_get_u64(summary + UNTIL_AT) < p->since_us) ||
        (p->until_us != 0 && (int64_t)bytes_get_u64(summary + SINCE_AT) >= p->until_us))
        return false;
    for (size_t i = 0; i < p->keys_count; i++) {
        if (!bloom_has(bloom, p->keys[i]))
            return false;
    }
    bool is_found = !p->has_path || bloom_has(bloom, p->path);
    for (size_t i = 0; !is_found && i < p->hidden_count; i++)
        is_found = bloom_has(bloom, p->hidden[i]);
    return is_found;
}

/* ---- where it is stored ---------------------------------------------------------------------------------- */

void index_tile_of(const struct segments *s, uint64_t seq, struct index_tile *ret_tile)
{
    struct index_tile *t = ret_tile;
    t->segment = segments_holder(s, seq);
    const struct segment *g = &s->all[t->segment];
    bool is_newest = t->segment + 1 == s->count;
    uint64_t run = seq / SEGMENT_TILE_COUNT, end = is_newest ? s->size : g[1].first;
    t->tile = (size_t)(run - g->first / SEGMENT_TILE_COUNT);
    t->first = MAX_OF(run * SEGMENT_TILE_COUNT, g->first);
    t->end = MIN_OF((run + 1) * SEGMENT_TILE_COUNT, end);
    t->is_closed = !is_newest || t->end == (run + 1) * SEGMENT_TILE_COUNT;
}

void index_name(uint64_t first, char ret[static SEGMENT_NAME_BYTES])
{
    (void)snprintf(ret, SEGMENT_NAME_BYTES, "%020llu.idx", (unsigned long long)first);
}

/* Maps the file, made anew if it is none that can be used. */
static bool want_index(struct segments *s, size_t segment)
{
    struct segment *g = &s->all[segment];
    char name[SEGMENT_NAME_BYTES];
    if (g->index.p != NULL || g->has_no_index)
        return g->index.p != NULL;
    index_name(g->first, name);
    if (mapfile_open(s->folder, name, INDEX_ROOM_BYTES, true, &g->index) != 0) {
        (void)unlinkat(s->folder, name, 0);
        g->has_no_index = mapfile_make(s->folder, name, INDEX_ROOM_BYTES, &g->index) != 0;
    }
    if (!g->has_no_index && segment + 1 < s->count)
        index_complete(s, segment);
    return !g->has_no_index;
}

void index_complete(struct segments *s, size_t segment)
{
    struct segment *g = &s->all[segment];
    struct index_tile last;
    assert(segment + 1 < s->count);
    if (g->index.p == NULL || g->index.fd < 0)
        return;
    index_tile_of(s, g[1].first - 1, &last);
    size_t bytes = (last.tile + 1) * INDEX_TILE_BYTES;
    if (bytes > g->index.bytes && bytes <= INDEX_ROOM_BYTES && mapfile_grow(&g->index, bytes) != 0)
        (void)RAISE(FAULT_FULL); /* noted; what has no room is read instead */
    close(g->index.fd);
    g->index.fd = -1;
}

/* The place of a summary, whatever is there; NULL: there is no room for it. */
static uint8_t *place_of(struct segments *s, const struct index_tile *tile, bool grows)
{
    if (!want_index(s, tile->segment))
        return NULL;
    struct mapfile *f = &s->all[tile->segment].index;
    size_t end = (tile->tile + 1) * INDEX_TILE_BYTES;
    if (end > INDEX_ROOM_BYTES)
        return NULL;
    if (end > f->bytes &&
        (!grows || f->fd < 0 || mapfile_grow(f, MIN_OF(end + INDEX_GROW_BYTES, (size_t)INDEX_ROOM_BYTES)) != 0))
        return NULL;
    return f->p + tile->tile * INDEX_TILE_BYTES;
}

const uint8_t *index_find(struct segments *s, const struct index_tile *tile)
{
    const uint8_t *summary = tile->is_closed ? place_of(s, tile, false) : NULL;
    if (summary == NULL || bytes_get_u64(summary + FIRST_AT) != tile->first ||
        bytes_get_u64(summary + COUNT_AT) != tile->end - tile->first)
        return NULL;
    uint8_t *seen = &s->all[tile->segment].seen[tile->tile / 8], bit = (uint8_t)(1u << tile->tile % 8);
    if ((*seen & bit) == 0 && bytes_get_u64(summary + SUM_AT) != sum_of(summary))
        return NULL;
    *seen |= bit;
    return summary;
}

const uint8_t *index_build(struct segments *s, const struct index_tile *tile)
{
    struct index_running running;
    uint8_t *place = tile->is_closed ? place_of(s, tile, true) : NULL;
    if (place == NULL || !read_again(s, tile, &running))
        return NULL;
    write_summary(&running, tile, place);
    return place;
}

void index_note(struct segments *s, uint64_t size, struct index_running *running)
{
    struct index_tile tile;
    index_tile_of(s, size - 1, &tile);
    if (running->first > tile.first) {
        (void)index_build(s, &tile); /* else when it is asked for */
        return;
    }
    uint8_t *place = place_of(s, &tile, true);
    if (place != NULL)
        write_summary(running, &tile, place);
}
