/*
 * trail-check - recomputing a trail from its records; see trail.h.
 *
 * Order of the verdicts: a record that is not canonical has no number to speak of, and one that stands in the wrong
 * place cannot be blamed for not fitting the one before it.
 */
#include <string.h>

#include "trail/trail-internal.h"

void trail_check_init(struct trail_check *c)
{
    merkle_init(&c->tree);
    memset(c->last, 0, sizeof c->last);
}

int trail_check_add(struct trail_check *c, struct bytes record)
{
    return trail_check_add_beside(c, record, BYTES_NONE);
}

int trail_check_add_beside(struct trail_check *c, struct bytes record, struct bytes stored)
{
    struct record r;
    uint8_t leaf[DIGEST_BYTES];
    if (!record_decode(record, &r))
        return TRAIL_MALFORMED;
    if (r.seq != c->tree.size)
        return TRAIL_GAP;
    if (!bytes_equal(bytes_of(r.prev.h, r.prev.n), BYTES_OF(c->last)))
        return TRAIL_BROKEN;
    TRY(merkle_leaf(record, leaf));
    if (stored.n > 0 && !bytes_equal(stored, BYTES_OF(leaf)))
        return TRAIL_OTHER;
    TRY(merkle_append(&c->tree, leaf));
    memcpy(c->last, leaf, sizeof c->last);
    return 0;
}

int trail_check_head(const struct trail_check *c, struct trail_head *ret_head)
{
    struct trail_head head = {.size = c->tree.size};
    TRY(merkle_root(&c->tree, head.root));
    memcpy(head.last, c->last, sizeof head.last);
    *ret_head = head;
    return 0;
}
