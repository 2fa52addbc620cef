/* heap - see heap.h. Source: D. Knuth, The Art of Computer Programming, volume 3, section 5.2.3. */
#include "base/heap.h"

#include <errno.h>
#include <stdlib.h>

enum { HEAP_FIRST_COUNT = 64 };

void heap_fini(struct heap *h)
{
    free(h->links);
    *h = (struct heap){0};
}

int heap_reserve(struct heap *h, size_t count)
{
    if (count <= h->cap)
        return 0;
    size_t cap = h->cap > 0 ? h->cap : (size_t)HEAP_FIRST_COUNT;
    while (cap < count && cap <= SIZE_MAX / (2 * sizeof(struct heap_link *)))
        cap *= 2;
    struct heap_link **links = realloc(h->links, cap * sizeof(struct heap_link *));
    if (links == NULL)
        return RAISE(-ENOMEM);
    h->links = links;
    h->cap = cap;
    return 0;
}

static void put(struct heap *h, size_t place, struct heap_link *link)
{
    h->links[place - 1] = link;
    link->place = place;
}

/* Moves a link from `place`, which is free, up to where its parent is not greater. */
static void rise(struct heap *h, size_t place, struct heap_link *link)
{
    while (place > 1 && h->links[place / 2 - 1]->key > link->key) {
        put(h, place, h->links[place / 2 - 1]);
        place /= 2;
    }
    put(h, place, link);
}

/* Moves a link from `place`, which is free, down to where no child is smaller. */
static void sink(struct heap *h, size_t place, struct heap_link *link)
{
    while (place * 2 <= h->count) {
        size_t child = place * 2;
        if (child < h->count && h->links[child]->key < h->links[child - 1]->key)
            child++;
        if (h->links[child - 1]->key >= link->key)
            break;
        put(h, place, h->links[child - 1]);
        place = child;
    }
    put(h, place, link);
}

void heap_add(struct heap *h, struct heap_link *link)
{
    assert(link->place == 0 && h->count < h->cap);
    h->count++;
    rise(h, h->count, link);
}

void heap_remove(struct heap *h, struct heap_link *link)
{
    size_t place = link->place;
    assert(place > 0 && place <= h->count && h->links[place - 1] == link);
    struct heap_link *last = h->links[h->count - 1];
    h->count--;
    link->place = 0;
    if (last == link)
        return;
    if (place > 1 && h->links[place / 2 - 1]->key > last->key)
        rise(h, place, last);
    else
        sink(h, place, last);
}

struct heap_link *heap_top(const struct heap *h)
{
    return h->count > 0 ? h->links[0] : NULL;
}
