/*
 * heap - intrusive binary heap: the element with the smallest key is on top. The element holds a struct heap_link.
 *
 * Room is reserved before elements are added, so that adding and removing never fail: who takes a change back can.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include "base/fault.h"

struct heap_link {
    int64_t key;  /* not changed while it is in a heap */
    size_t place; /* 0: in no heap; else its place from 1 */
};

struct heap {
    struct heap_link **links;
    size_t count, cap;
};

/* heap_fini - free the places, not the elements. A zeroed struct heap is an empty one. */
void heap_fini(struct heap *h);

/* heap_reserve - room for `count` elements in all. Returns 0 or -ENOMEM. */
int heap_reserve(struct heap *h, size_t count) MUST_USE;

/* heap_add - an element that is in no heap; there is room. heap_remove - one that is in this heap. O(log count). */
void heap_add(struct heap *h, struct heap_link *link);
void heap_remove(struct heap *h, struct heap_link *link);

/* heap_top - the element with the smallest key, or NULL. O(1). */
struct heap_link *heap_top(const struct heap *h);

#endif
