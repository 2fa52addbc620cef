/*
 * trail-prove - proofs about records; see trail.h.
 *
 * Roots of full subtrees come from what stands beside the records: leaf hashes, and the roots of runs of 256 and of
 * 65,536 records. What does not lead to the head of the tree is not given away.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "trail/trail-internal.h"

struct prover {
    struct segments *log;
    uint64_t first; /* record that is there */
    struct trail_check base;
    uint64_t run; /* whose leaf hashes are at hand */
    size_t count;
    uint8_t leaves[SEGMENT_TILE_COUNT][DIGEST_BYTES];
};

static int read_leaves(struct prover *p, uint64_t run)
{
    struct segments_at at;
    struct bytes record;
    uint64_t begin = run * SEGMENT_TILE_COUNT, first = MAX_OF(begin, p->first);
    if (p->count > 0 && p->run == run)
        return 0;
    p->count = 0;
    TRY(segments_seek(p->log, first, false, &at));
    size_t n = (size_t)MIN_OF(p->log->size - begin, (uint64_t)SEGMENT_TILE_COUNT);
    for (size_t i = (size_t)(first - begin); i < n; i++) {
        TRY(segments_next(p->log, &at, &record));
        memcpy(p->leaves[i], segments_leaf(record), DIGEST_BYTES);
    }
    p->run = run;
    p->count = n;
    return 0;
}

/* A root that is stored, of a subtree of the height of a leaf, a run, or a long run. */
static int stored(struct prover *p, unsigned height, uint64_t index, uint8_t *ret)
{
    if (height > 0)
        return segments_run(p->log, height, index, ret);
    TRY(read_leaves(p, index / SEGMENT_TILE_COUNT));
    memcpy(ret, p->leaves[index % SEGMENT_TILE_COUNT], DIGEST_BYTES);
    return 0;
}

/* Any other one is put together from the stored ones in it, as if they were leaves. */
static int put_together(struct prover *p, unsigned height, uint64_t index, uint8_t *ret)
{
    struct merkle m;
    uint8_t part[DIGEST_BYTES];
    unsigned low = MIN_OF(height / MERKLE_RUN_HEIGHT, 2u) * MERKLE_RUN_HEIGHT;
    uint64_t count = UINT64_C(1) << (height - low);
    merkle_init(&m);
    for (uint64_t i = 0; i < count; i++) {
        TRY(stored(p, low, index * count + i, part));
        TRY(merkle_append(&m, part));
    }
    return merkle_root(&m, ret);
}

/*
 * Of records that were pruned, the roots are at hand that the tree before the first record is made of. A proof about
 * later records needs no others: a subtree that ends before the first record is the left half of one that does not, so
 * it is one of those. One that the first record is in the middle of is put together from its halves.
 */
static int get(void *arg, unsigned height, uint64_t index, uint8_t ret[static DIGEST_BYTES])
{
    struct prover *p = arg;
    uint8_t left[DIGEST_BYTES], right[DIGEST_BYTES];
    uint64_t begin = index << height, end = begin + (UINT64_C(1) << height);
    if (begin >= p->first)
        return put_together(p, height, index, ret);
    if (end <= p->first) {
        if ((p->first >> height & 1) == 0 || index + 1 != p->first >> height)
            return RAISE(FAULT_CORRUPT);
        memcpy(ret, p->base.tree.frontier[height], DIGEST_BYTES);
        return 0;
    }
    TRY(get(p, height - 1, 2 * index, left));
    TRY(get(p, height - 1, 2 * index + 1, right));
    return merkle_node(left, right, ret);
}

/* Returns 0 and sets ret_prover, or a fault. */
static int make_prover(struct segments *s, struct prover **ret_prover)
{
    struct prover *p = calloc(1, sizeof *p);
    if (p == NULL)
        return RAISE(-ENOMEM);
    p->log = s;
    p->first = segments_first(s);
    int x = segments_base(s, p->first, &p->base);
    if (x < 0)
        free(p);
    else
        *ret_prover = p;
    return x;
}

static int find_record(struct segments *s, uint64_t seq, struct bytes *ret_record)
{
    struct segments_at at;
    TRY(segments_seek(s, seq, false, &at));
    return segments_next(s, &at, ret_record);
}

int prove_record(struct segments *s, uint64_t seq, const struct trail_head *head, struct merkle_proof *ret_proof,
                 struct bytes *ret_record)
{
    uint8_t leaf[DIGEST_BYTES], root[DIGEST_BYTES];
    struct prover *p;
    TRY(make_prover(s, &p));
    struct merkle_source source = {get, p};
    int x = find_record(s, seq, ret_record);
    if (x == 0)
        x = merkle_leaf(*ret_record, leaf);
    if (x == 0)
        x = merkle_prove(&source, seq, head->size, ret_proof);
    if (x == 0)
        x = merkle_proof_root(ret_proof, leaf, seq, head->size, root);
    free(p);
    if (x < 0)
        return x;
    return x == 0 && memcmp(root, head->root, sizeof root) == 0 ? 0 : TRAIL_UNPROVABLE;
}

int prove_extends(struct segments *s, uint64_t from, const struct trail_head *head, struct merkle_proof *ret_proof)
{
    uint8_t root[DIGEST_BYTES];
    struct prover *p;
    TRY(make_prover(s, &p));
    struct merkle_source source = {get, p};
    struct merkle_head old = {from, root}, now = {head->size, head->root};
    int x = merkle_source_root(&source, from, root);
    if (x == 0)
        x = merkle_prove_extends(&source, from, head->size, ret_proof);
    if (x == 0)
        x = merkle_proof_extends(ret_proof, old, now);
    free(p);
    return x > 0 ? TRAIL_UNPROVABLE : x;
}
