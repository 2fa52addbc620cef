#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypt/merkle-proof.h"
#include "crypt/test-crypt.h"

enum { LEAVES_COUNT = 70 };

/* A tree that keeps its leaves. */
struct kept {
    size_t count, asked;
    uint8_t leaves[LEAVES_COUNT][DIGEST_BYTES];
};

static int get(void *arg, unsigned height, uint64_t index, uint8_t ret[static DIGEST_BYTES])
{
    struct kept *k = arg;
    struct merkle m;
    uint64_t first = index << height, n = UINT64_C(1) << height;
    k->asked++;
    assert_true(first + n <= k->count);
    merkle_init(&m);
    for (uint64_t i = 0; i < n; i++)
        assert_int_equal(merkle_append(&m, k->leaves[first + i]), 0);
    return merkle_root(&m, ret);
}

static void fill(struct kept *k, size_t count)
{
    *k = (struct kept){.count = count};
    for (size_t i = 0; i < count; i++) {
        uint8_t record[1] = {(uint8_t)i};
        assert_int_equal(merkle_leaf(BYTES_OF(record), k->leaves[i]), 0);
    }
}

static void root_at(const struct kept *k, size_t size, uint8_t *ret)
{
    struct merkle m;
    merkle_init(&m);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(merkle_append(&m, k->leaves[i]), 0);
    assert_int_equal(merkle_root(&m, ret), 0);
}

/* Leaves and proofs that the implementations of Certificate Transparency share. */
#define H_96 "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
#define H_5F "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
#define H_6B "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
#define H_BC "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
#define H_CA "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
#define H_D3 "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"
#define H_FA "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
#define H_6E "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
#define H_0E "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"

static const char *const shared_leaves[] = {
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
static const struct {
    uint64_t at, size;
    bool extends;
    const char *hashes[3];
} vectors[] = {
    {0, 8, false, {H_96, H_5F, H_6B}},
    {5, 8, false, {H_BC, H_CA, H_D3}},
    {2, 3, false, {H_FA}},
    {1, 5, false, {H_6E, H_5F, H_BC}},
    {1, 8, true, {H_96, H_5F, H_6B}},
    {6, 8, true, {H_0E, H_CA, H_D3}},
    {2, 5, true, {H_5F, H_BC}},
    {0, 1, false, {NULL}},
    {1, 1, true, {NULL}},
};

static void test_vectors(void **state)
{
    static struct kept k;
    static struct merkle_proof p;
    (void)state;
    k.count = COUNT_OF(shared_leaves);
    for (size_t i = 0; i < k.count; i++)
        assert_int_equal(merkle_leaf(hex(shared_leaves[i]), k.leaves[i]), 0);
    struct merkle_source source = {get, &k};
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        size_t n = 0;
        int r = vectors[i].extends ? merkle_prove_extends(&source, vectors[i].at, vectors[i].size, &p)
                                   : merkle_prove(&source, vectors[i].at, vectors[i].size, &p);
        assert_int_equal(r, 0);
        while (n < 3 && vectors[i].hashes[n] != NULL)
            n++;
        assert_int_equal(p.count, n);
        for (size_t j = 0; j < n; j++)
            assert_bytes(BYTES_OF(p.hashes[j]), hex(vectors[i].hashes[j]));
    }
}

static void check_inclusion(struct kept *k, uint64_t index, uint64_t size)
{
    struct merkle_source source = {get, k};
    static struct merkle_proof p;
    uint8_t root[DIGEST_BYTES], wanted[DIGEST_BYTES];
    assert_int_equal(merkle_prove(&source, index, size, &p), 0);
    assert_true(p.count <= 7);
    root_at(k, size, wanted);
    assert_int_equal(merkle_proof_root(&p, k->leaves[index], index, size, root), 0);
    assert_memory_equal(root, wanted, sizeof root);
    for (size_t i = 0; i < p.count; i++) { /* each hash counts */
        p.hashes[i][i % DIGEST_BYTES] ^= 1;
        assert_int_equal(merkle_proof_root(&p, k->leaves[index], index, size, root), 0);
        assert_memory_not_equal(root, wanted, sizeof root);
        p.hashes[i][i % DIGEST_BYTES] ^= 1;
    }
    memset(p.hashes[p.count], 7, DIGEST_BYTES);
    p.count++;
    assert_int_equal(merkle_proof_root(&p, k->leaves[index], index, size, root), MERKLE_UNPROVEN);
    p.count -= 2;
    if (size > 1)
        assert_int_equal(merkle_proof_root(&p, k->leaves[index], index, size, root), MERKLE_UNPROVEN);
}

static void test_every_leaf_of_every_size(void **state)
{
    static struct kept k;
    uint8_t root[DIGEST_BYTES];
    static struct merkle_proof none;
    (void)state;
    fill(&k, LEAVES_COUNT);
    for (uint64_t size = 1; size <= LEAVES_COUNT; size++) {
        for (uint64_t index = 0; index < size; index++)
            check_inclusion(&k, index, size);
    }
    assert_int_equal(merkle_proof_root(&none, k.leaves[0], 0, 0, root), MERKLE_UNPROVEN);
    assert_int_equal(merkle_proof_root(&none, k.leaves[0], 1, 1, root), MERKLE_UNPROVEN);
    assert_int_equal(merkle_proof_root(&none, k.leaves[0], 0, UINT64_MAX, root), MERKLE_UNPROVEN);
}

static void check_extends(struct kept *k, uint64_t from, uint64_t size)
{
    struct merkle_source source = {get, k};
    static struct merkle_proof p;
    uint8_t a[DIGEST_BYTES], b[DIGEST_BYTES], other[DIGEST_BYTES] = {1};
    assert_int_equal(merkle_prove_extends(&source, from, size, &p), 0);
    root_at(k, from, a);
    root_at(k, size, b);
    struct merkle_head x = {from, a}, y = {size, b};
    assert_int_equal(merkle_proof_extends(&p, x, y), 0);
    assert_int_equal(merkle_proof_extends(&p, (struct merkle_head){from, other}, y), MERKLE_UNPROVEN);
    assert_int_equal(merkle_proof_extends(&p, x, (struct merkle_head){size, other}), MERKLE_UNPROVEN);
    for (size_t i = 0; i < p.count; i++) {
        p.hashes[i][3] ^= 0x80;
        assert_int_equal(merkle_proof_extends(&p, x, y), MERKLE_UNPROVEN);
        p.hashes[i][3] ^= 0x80;
    }
    p.count++;
    assert_int_equal(merkle_proof_extends(&p, x, y), MERKLE_UNPROVEN);
    if (p.count >= 2) {
        p.count -= 2;
        assert_int_equal(merkle_proof_extends(&p, x, y), MERKLE_UNPROVEN);
    }
}

static void test_every_size_extends_every_smaller_one(void **state)
{
    static struct kept k;
    static struct merkle_proof none;
    uint8_t empty[DIGEST_BYTES], root[DIGEST_BYTES];
    (void)state;
    fill(&k, LEAVES_COUNT);
    for (uint64_t size = 1; size <= LEAVES_COUNT; size++) {
        for (uint64_t from = 1; from <= size; from++)
            check_extends(&k, from, size);
    }
    root_at(&k, 0, empty);
    root_at(&k, 5, root);
    struct merkle_head zero = {0, empty}, five = {5, root};
    assert_int_equal(merkle_proof_extends(&none, zero, five), 0);
    assert_int_equal(merkle_proof_extends(&none, (struct merkle_head){0, root}, five), MERKLE_UNPROVEN);
    assert_int_equal(merkle_proof_extends(&none, five, zero), MERKLE_UNPROVEN);
    assert_int_equal(merkle_proof_extends(&none, five, (struct merkle_head){9, root}), MERKLE_UNPROVEN);
}

/* What is asked for grows with the depth, not with the tree. */
static int count_only(void *arg, unsigned height, uint64_t index, uint8_t ret[static DIGEST_BYTES])
{
    size_t *asked = arg;
    (*asked)++;
    memset(ret, (int)(height + index), DIGEST_BYTES);
    return 0;
}

static int refuse(void *arg, unsigned height, uint64_t index, uint8_t ret[static DIGEST_BYTES])
{
    size_t *left = arg;
    (void)height, (void)index;
    memset(ret, 0, DIGEST_BYTES);
    return (*left)-- == 0 ? RAISE(FAULT_CORRUPT) : 0;
}

static void test_cost_and_faults(void **state)
{
    size_t asked = 0;
    struct merkle_source source = {count_only, &asked};
    static struct merkle_proof p;
    (void)state;
    assert_int_equal(merkle_prove(&source, 5000000, 9999999, &p), 0);
    assert_true(p.count <= 24 && asked <= 48);
    asked = 0;
    assert_int_equal(merkle_prove(&source, MERKLE_MAX_COUNT - 1, MERKLE_MAX_COUNT, &p), 0);
    assert_int_equal(p.count, 62);
    assert_int_equal(merkle_prove_extends(&source, MERKLE_MAX_COUNT / 3, MERKLE_MAX_COUNT, &p), 0);
    assert_true(p.count <= MERKLE_PROOF_MAX_COUNT);
    for (size_t i = 0; i < 3; i++) {
        size_t left = i;
        struct merkle_source bad = {refuse, &left};
        assert_int_equal(merkle_prove(&bad, 5, 11, &p), FAULT_CORRUPT);
        left = i;
        assert_int_equal(merkle_prove_extends(&bad, 5, 11, &p), FAULT_CORRUPT);
    }
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_every_leaf_of_every_size),
        cmocka_unit_test(test_every_size_extends_every_smaller_one),
        cmocka_unit_test(test_cost_and_faults),
    };
    return cmocka_run_group_tests(all, start, NULL);
}
