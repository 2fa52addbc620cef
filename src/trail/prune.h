/*
 * prune - the beginning of a trail that was removed: what a record says of it, and what is left in its place.
 *
 * A trail is pruned by whole files of its log. What a proof about the records that stay needs of those that are gone
 * fits in a few hashes, the base: the tree of the removed records, and the leaf hash of the last one. A record of the
 * kind prune states how many there were and their tree head, so that nobody can put another base in its place, or
 * remove a beginning without one. doc/spec/trail.md.
 */
#ifndef TRAIL_PRUNE_H
#define TRAIL_PRUNE_H

#include "trail/trail.h"

enum { PRUNE_TEXT_MAX_BYTES = 224 };

/* What such a record states: records `from` up to the one before `before` were removed. */
struct prune_statement {
    uint64_t from, before;      /* from < before */
    uint8_t root[DIGEST_BYTES]; /* tree head of the first `before` records */
};

/* prune_write - the detail of such a record. prune_read - what it says, also with "approval N by uid:U: " before it.
 * Pure. Returns false for any other text. */
void prune_write(const struct prune_statement *s, char ret[static PRUNE_TEXT_MAX_BYTES]);
bool prune_read(struct bytes detail, struct prune_statement *ret_statement) MUST_USE;

/*
 * A base, where the first frame or record would be: a length of zero (four bytes), the tree (merkle_encode()), the
 * leaf hash of the last record. prune_take_base - cut one off the front of `in`. Pure.
 */
enum prune_base {
    PRUNE_BASE_NONE,  /* something else comes first */
    PRUNE_BASE_SHORT, /* it is not all there yet */
    PRUNE_BASE_BAD,
    PRUNE_BASE_TAKEN
};
enum { PRUNE_BASE_MAX_BYTES = 4 + 8 + 65 * DIGEST_BYTES };
enum prune_base prune_take_base(struct bytes *in, struct trail_check *ret_base) MUST_USE;

/* prune_put_base - append the base of a trail; of an unpruned one nothing. Returns 0 or a fault. */
int prune_put_base(struct buf *out, struct trail *trail) MUST_USE;

/*
 * Whoever reads a trail that begins with a base looks for the record that states it. prune_begin - with this one;
 * prune_see - one more record, whose number is `seq`. Returns 0, PRUNE_OTHER (a record states another base of that many
 * records), or FAULT_CRYPTO.
 */
enum { PRUNE_OTHER = 1 };
struct prune_seen {
    uint64_t before; /* 0: there is no base */
    uint8_t root[DIGEST_BYTES];
    bool is_stated;
    uint64_t seq; /* of the record that states it */
};
int prune_begin(struct prune_seen *seen, const struct trail_check *base) MUST_USE;
int prune_see(struct prune_seen *seen, struct bytes record) MUST_USE;

#endif
