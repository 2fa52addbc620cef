/*
 * map - intrusive chained hash map. The element holds a struct map_link; the caller hashes and compares.
 *
 * Invariant: the number of buckets is a power of two and at least the number of elements, unless memory ran out,
 * in which case the map goes on with longer chains.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/fault.h"

struct map_link {
    struct map_link *next;
    uint64_t hash;
};

struct map {
    struct map_link **buckets;
    size_t bucket_count, count;
};

/* map_init - an empty map; allocates nothing. */
void map_init(struct map *m);

/* map_fini - free the buckets, not the elements. */
void map_fini(struct map *m);

/*
 * map_first, map_next - walk the elements with a given hash; compare each with the wanted key.
 * Return the element or NULL. O(1) expected.
 */
struct map_link *map_first(const struct map *m, uint64_t hash);
struct map_link *map_next(const struct map_link *link);

/* map_add - link an element that is in no map. Returns 0 or -ENOMEM (only if the map has no bucket at all yet). */
int map_add(struct map *m, struct map_link *link, uint64_t hash) MUST_USE;

/* map_remove - unlink an element that is in the map. O(1) expected. */
void map_remove(struct map *m, struct map_link *link);

/* map_each - call `on_link` for every element; it may not change the map, except by freeing when the map is ending. */
void map_each(const struct map *m, void (*on_link)(struct map_link *link, void *arg), void *arg);

#endif
