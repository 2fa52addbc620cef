/*
 * merkle - an append-only RFC 6962 tree of which only the frontier is kept: at most 64 hashes, whatever its size.
 *
 * leaf = H(0x00 | record), node = H(0x01 | left | right). Source: RFC 6962 section 2.1 (also RFC 9162).
 */
#ifndef CRYPT_MERKLE_H
#define CRYPT_MERKLE_H

#include "base/buf.h"
#include "crypt/digest.h"

enum { MERKLE_RUN_HEIGHT = 8, MERKLE_RUN_COUNT = 1 << MERKLE_RUN_HEIGHT };

#define MERKLE_MAX_COUNT ((uint64_t)INT64_MAX) /* leaves; a count has to fit the database's integers */

struct merkle {
    uint64_t size;                      /* leaves, at most MERKLE_MAX_COUNT */
    uint8_t frontier[64][DIGEST_BYTES]; /* [h]: root of the full subtree of 2^h leaves, where bit h of size is set */
    uint8_t runs[2][DIGEST_BYTES];      /* roots of the runs of 2^8 and of 2^16 leaves that were completed last */
};

/* merkle_init - the empty tree. */
void merkle_init(struct merkle *m);

/* merkle_leaf - hash of a leaf. Returns 0 or FAULT_CRYPTO. */
int merkle_leaf(struct bytes record, uint8_t ret[static DIGEST_BYTES]) MUST_USE;

/* merkle_node - hash of the node above two; `ret` may be one of them. Returns 0 or FAULT_CRYPTO. */
int merkle_node(const uint8_t *left, const uint8_t *right, uint8_t *ret) MUST_USE;

/* merkle_append - add a leaf by its hash; one node hash on average. Returns 0 or FAULT_CRYPTO (tree unchanged). */
int merkle_append(struct merkle *m, const uint8_t leaf[static DIGEST_BYTES]) MUST_USE;

/* merkle_root - the root of the tree as it is; at most 63 node hashes. The empty tree's root is H(""). 0 or
 * FAULT_CRYPTO. */
int merkle_root(const struct merkle *m, uint8_t ret[static DIGEST_BYTES]) MUST_USE;

/* merkle_encode - append size (8 bytes, big-endian) and the frontier hashes, highest subtree first. 0 or a fault. */
int merkle_encode(const struct merkle *m, struct buf *out) MUST_USE;

/* merkle_decode - read what merkle_encode() wrote, all of it; the runs are not in it. Returns true, or false if it is
 * malformed. */
bool merkle_decode(struct bytes in, struct merkle *ret_merkle) MUST_USE;

#endif
