/*
 * merkle-proof - proofs about an RFC 6962 tree: that a leaf is in it, and that it extends an earlier one.
 *
 * Proofs are made from roots of full subtrees, which whoever keeps the tree hands over; they are checked with nothing
 * but themselves. Source: RFC 6962 sections 2.1.1 and 2.1.2; checking: RFC 9162 sections 2.1.3.2 and 2.1.4.2.
 */
#ifndef CRYPT_MERKLE_PROOF_H
#define CRYPT_MERKLE_PROOF_H

#include "crypt/merkle.h"

enum { MERKLE_PROOF_MAX_COUNT = 2 * 63 };

struct merkle_proof {
    size_t count; /* hashes */
    uint8_t hashes[MERKLE_PROOF_MAX_COUNT][DIGEST_BYTES];
};

/* Where roots of full subtrees come from: that of the leaves from index * 2^height on, 2^height of them. get: 0 or a
 * fault. */
struct merkle_source {
    int (*get)(void *arg, unsigned height, uint64_t index, uint8_t ret[static DIGEST_BYTES]);
    void *arg;
};

/*
 * merkle_prove - that leaf `index` is in the tree of the first `size` leaves, which is more. merkle_prove_extends -
 * that this tree begins with the one of the first `from` leaves, 1 to `size`. Return 0, or the fault that `get`
 * returned. O(log size) hashes in the proof; `get` is asked for at most as many subtrees as two paths have beside them.
 */
int merkle_prove(const struct merkle_source *source, uint64_t index, uint64_t size,
                 struct merkle_proof *ret_proof) MUST_USE;
int merkle_prove_extends(const struct merkle_source *source, uint64_t from, uint64_t size,
                         struct merkle_proof *ret_proof) MUST_USE;

/* merkle_source_root - of the tree of the first `size` leaves, at least 1. Returns 0, or the fault that `get` returned.
 */
int merkle_source_root(const struct merkle_source *source, uint64_t size, uint8_t ret[static DIGEST_BYTES]) MUST_USE;

/*
 * merkle_proof_root - the root that the tree of `size` leaves has, if the proof that leaf `index` is in it is true: to
 * be compared. Returns 0, MERKLE_UNPROVEN (no such leaf, or too few or too many hashes), or FAULT_CRYPTO.
 */
enum { MERKLE_UNPROVEN = 1 };
int merkle_proof_root(const struct merkle_proof *proof, const uint8_t leaf[static DIGEST_BYTES], uint64_t index,
                      uint64_t size, uint8_t ret_root[static DIGEST_BYTES]) MUST_USE;

/*
 * merkle_proof_extends - does the tree of `size` leaves and that root extend the one of `from` leaves and its root?
 * The empty tree is extended by every one, with an empty proof. Returns 0, MERKLE_UNPROVEN, or FAULT_CRYPTO.
 */
struct merkle_head {
    uint64_t size;
    const uint8_t *root; /* DIGEST_BYTES */
};
int merkle_proof_extends(const struct merkle_proof *proof, struct merkle_head from, struct merkle_head to) MUST_USE;

#endif
