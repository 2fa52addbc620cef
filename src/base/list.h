/*
 * list - intrusive doubly linked list. The element holds a struct list; an empty or unlinked one points at itself.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/macro.h"

struct list {
    struct list *prev, *next;
};

static inline void list_init(struct list *l)
{
    l->prev = l->next = l;
}

static inline bool list_is_empty(const struct list *l)
{
    return l->next == l;
}

/* list_append - link `element`, which must be unlinked, before the head: at the end of the list. O(1). */
static inline void list_append(struct list *head, struct list *element)
{
    assert(element->next == element);
    element->prev = head->prev;
    element->next = head;
    head->prev->next = element;
    head->prev = element;
}

/* list_unlink - take the element out of its list; it then points at itself, so a second call changes nothing. O(1). */
static inline void list_unlink(struct list *element)
{
    element->prev->next = element->next;
    element->next->prev = element->prev;
    list_init(element);
}

#define LIST_EACH(it, head) for (struct list *it = (head)->next; it != (head); it = it->next)

/* The body may unlink and free the current element. */
#define LIST_EACH_SAFE(it, head)                                                                                       \
    for (struct list *it = (head)->next, *it##_next = it->next; it != (head); it = it##_next, it##_next = it->next)

#endif
