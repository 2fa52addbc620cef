/*
 * merkle-proof - see merkle-proof.h.
 *
 * A path is walked from the root down: a span of leaves is split at the largest power of two below its length, and the
 * half that the path does not enter goes into the proof. The hash of a half that is no full subtree is put together
 * from the full ones in it, of which each has another height.
 */
#include "crypt/merkle-proof.h"

#include <string.h>

struct span {
    uint64_t first, count;
};

static uint64_t split(uint64_t count)
{
    assert(count > 1);
    return UINT64_C(1) << (63 - __builtin_clzll(count - 1));
}

/* The full subtrees of a span from the left, joined from the right. */
static int root_of(const struct merkle_source *source, struct span s, uint8_t *ret)
{
    uint8_t row[64][DIGEST_BYTES];
    size_t n = 0;
    for (; s.count > 0; n++) {
        unsigned height = (unsigned)(63 - __builtin_clzll(s.count));
        TRY(source->get(source->arg, height, s.first >> height, row[n]));
        s.first += UINT64_C(1) << height;
        s.count -= UINT64_C(1) << height;
    }
    for (; n > 1; n--)
        TRY(merkle_node(row[n - 2], row[n - 1], row[n - 2]));
    memcpy(ret, row[0], DIGEST_BYTES);
    return 0;
}

int merkle_source_root(const struct merkle_source *source, uint64_t size, uint8_t ret[static DIGEST_BYTES])
{
    assert(size > 0 && size <= MERKLE_MAX_COUNT);
    return root_of(source, (struct span){0, size}, ret);
}

/* What is beside the way down came first, but belongs last. */
static void turn_round(struct merkle_proof *p)
{
    uint8_t one[DIGEST_BYTES];
    for (size_t i = 0; i < p->count / 2; i++) {
        memcpy(one, p->hashes[i], sizeof one);
        memcpy(p->hashes[i], p->hashes[p->count - 1 - i], sizeof one);
        memcpy(p->hashes[p->count - 1 - i], one, sizeof one);
    }
}

/* One step down, towards leaf `index`: the other half goes into the proof. */
static int step(const struct merkle_source *source, uint64_t index, struct span *s, struct merkle_proof *p)
{
    uint64_t left = split(s->count);
    bool is_right = index - s->first >= left;
    struct span low = {s->first, left}, high = {s->first + left, s->count - left};
    assert(p->count < MERKLE_PROOF_MAX_COUNT);
    TRY(root_of(source, is_right ? low : high, p->hashes[p->count]));
    p->count++;
    *s = is_right ? high : low;
    return 0;
}

int merkle_prove(const struct merkle_source *source, uint64_t index, uint64_t size, struct merkle_proof *ret_proof)
{
    struct span s = {0, size};
    assert(index < size && size <= MERKLE_MAX_COUNT);
    ret_proof->count = 0;
    while (s.count > 1)
        TRY(step(source, index, &s, ret_proof));
    turn_round(ret_proof);
    return 0;
}

/* The way down to the last leaf of the earlier tree, until a span ends where that tree does. */
int merkle_prove_extends(const struct merkle_source *source, uint64_t from, uint64_t size,
                         struct merkle_proof *ret_proof)
{
    struct span s = {0, size};
    assert(from > 0 && from <= size && size <= MERKLE_MAX_COUNT);
    ret_proof->count = 0;
    while (s.first + s.count != from)
        TRY(step(source, from - 1, &s, ret_proof));
    if (s.first > 0) { /* else it is the earlier tree itself, whose root the reader has */
        TRY(root_of(source, s, ret_proof->hashes[ret_proof->count]));
        ret_proof->count++;
    }
    turn_round(ret_proof);
    return 0;
}

int merkle_proof_root(const struct merkle_proof *proof, const uint8_t leaf[static DIGEST_BYTES], uint64_t index,
                      uint64_t size, uint8_t ret_root[static DIGEST_BYTES])
{
    uint8_t r[DIGEST_BYTES];
    uint64_t at = index, last = size - 1;
    if (index >= size || size > MERKLE_MAX_COUNT || proof->count > MERKLE_PROOF_MAX_COUNT)
        return MERKLE_UNPROVEN;
    memcpy(r, leaf, sizeof r);
    for (size_t i = 0; i < proof->count; i++) {
        if (last == 0)
            return MERKLE_UNPROVEN;
        bool is_left = (at & 1) == 0 && at != last;
        TRY(is_left ? merkle_node(r, proof->hashes[i], r) : merkle_node(proof->hashes[i], r, r));
        while (!is_left && at > 0 && (at & 1) == 0) { /* a subtree that has no sibling to its right is passed up */
            at >>= 1;
            last >>= 1;
        }
        at >>= 1;
        last >>= 1;
    }
    if (last != 0)
        return MERKLE_UNPROVEN;
    memcpy(ret_root, r, sizeof r);
    return 0;
}

/* The roots of both trees, from a proof whose first hash is in both. */
static int two_roots(const struct merkle_proof *proof, size_t next, struct merkle_head from, struct merkle_head to,
                     uint8_t *first, uint8_t *second)
{
    uint64_t at = from.size - 1, last = to.size - 1;
    for (; (at & 1) != 0; at >>= 1)
        last >>= 1;
    for (; next < proof->count; next++) {
        const uint8_t *h = proof->hashes[next];
        if (last == 0)
            return MERKLE_UNPROVEN;
        bool is_right = (at & 1) != 0 || at == last;
        if (is_right)
            TRY(merkle_node(h, first, first));
        TRY(is_right ? merkle_node(h, second, second) : merkle_node(second, h, second));
        while (is_right && at > 0 && (at & 1) == 0) {
            at >>= 1;
            last >>= 1;
        }
        at >>= 1;
        last >>= 1;
    }
    return last == 0 ? 0 : MERKLE_UNPROVEN;
}

int merkle_proof_extends(const struct merkle_proof *proof, struct merkle_head from, struct merkle_head to)
{
    uint8_t first[DIGEST_BYTES], second[DIGEST_BYTES], empty[DIGEST_BYTES];
    if (from.size > to.size || to.size > MERKLE_MAX_COUNT || proof->count > MERKLE_PROOF_MAX_COUNT)
        return MERKLE_UNPROVEN;
    if (from.size == 0) {
        TRY(digest_sha256(NULL, 0, empty));
        return proof->count == 0 && memcmp(from.root, empty, sizeof empty) == 0 ? 0 : MERKLE_UNPROVEN;
    }
    if (from.size == to.size)
        return proof->count == 0 && memcmp(from.root, to.root, DIGEST_BYTES) == 0 ? 0 : MERKLE_UNPROVEN;
    if (proof->count == 0)
        return MERKLE_UNPROVEN;
    bool is_whole = (from.size & (from.size - 1)) == 0; /* a full subtree: its own root begins the proof */
    memcpy(first, is_whole ? from.root : proof->hashes[0], sizeof first);
    memcpy(second, first, sizeof second);
    int x = two_roots(proof, is_whole ? 0 : 1, from, to, first, second);
    if (x != 0)
        return x;
    bool is_same = memcmp(first, from.root, sizeof first) == 0 && memcmp(second, to.root, sizeof second) == 0;
    return is_same ? 0 : MERKLE_UNPROVEN;
}
