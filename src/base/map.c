/* map - see map.h. */
#include "base/map.h"

#include <errno.h>
#include <stdlib.h>

enum { MAP_FIRST_BUCKETS = 16 };

void map_init(struct map *m)
{
    *m = (struct map){0};
}

void map_fini(struct map *m)
{
    free(m->buckets);
    *m = (struct map){0};
}

static struct map_link **bucket(const struct map *m, uint64_t hash)
{
    return &m->buckets[hash & (m->bucket_count - 1)];
}

static int grow(struct map *m, size_t count)
{
    struct map_link **buckets = calloc(count, sizeof *buckets);
    struct map old = *m;
    if (buckets == NULL)
        return RAISE(-ENOMEM);
    m->buckets = buckets;
    m->bucket_count = count;
    for (size_t i = 0; i < old.bucket_count; i++) {
        for (struct map_link *l = old.buckets[i], *next; l != NULL; l = next) {
            struct map_link **b = bucket(m, l->hash);
            next = l->next;
            l->next = *b;
            *b = l;
        }
    }
    free(old.buckets);
    return 0;
}

struct map_link *map_first(const struct map *m, uint64_t hash)
{
    if (m->bucket_count == 0)
        return NULL;
    struct map_link *l = *bucket(m, hash);
    while (l != NULL && l->hash != hash)
        l = l->next;
    return l;
}

struct map_link *map_next(const struct map_link *link)
{
    uint64_t hash = link->hash;
    struct map_link *l = link->next;
    while (l != NULL && l->hash != hash)
        l = l->next;
    return l;
}

int map_add(struct map *m, struct map_link *link, uint64_t hash)
{
    if (m->count >= m->bucket_count) {
        int r = grow(m, m->bucket_count == 0 ? MAP_FIRST_BUCKETS : m->bucket_count * 2);
        if (r < 0 && m->bucket_count == 0)
            return r;
    }
    struct map_link **b = bucket(m, hash);
    link->hash = hash;
    link->next = *b;
    *b = link;
    m->count++;
    return 0;
}

void map_remove(struct map *m, struct map_link *link)
{
    assert(m->count > 0);
    struct map_link **at = bucket(m, link->hash);
    while (*at != link) {
        assert(*at != NULL);
        at = &(*at)->next;
    }
    *at = link->next;
    link->next = NULL;
    m->count--;
}

void map_each(const struct map *m, void (*on_link)(struct map_link *link, void *arg), void *arg)
{
    for (size_t i = 0; i < m->bucket_count; i++) {
        for (struct map_link *l = m->buckets[i], *next; l != NULL; l = next) {
            next = l->next;
            on_link(l, arg);
        }
    }
}
