#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypt/merkle.h"
#include "crypt/test-crypt.h"

#include <errno.h>

enum { NAIVE_COUNT = 300 };

/* The leaves and roots that the implementations of Certificate Transparency share. */
static const struct {
    const char *leaf, *root;
} rows[] = {
    {"", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
    {"00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
    {"10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
    {"2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
    {"3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
    {"40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
    {"5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
    {"606162636465666768696a6b6c6d6e6f", "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
};
static const char empty_root[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

static void check_root(const struct merkle *m, struct bytes wanted)
{
    uint8_t root[DIGEST_BYTES];
    assert_int_equal(merkle_root(m, root), 0);
    assert_bytes(BYTES_OF(root), wanted);
}

static void append(struct merkle *m, struct bytes record)
{
    uint8_t leaf[DIGEST_BYTES];
    assert_int_equal(merkle_leaf(record, leaf), 0);
    assert_int_equal(merkle_append(m, leaf), 0);
}

static void test_vectors(void **state)
{
    struct merkle m;
    (void)state;
    merkle_init(&m);
    check_root(&m, hex(empty_root));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        append(&m, hex(rows[i].leaf));
        assert_int_equal(m.size, i + 1);
        check_root(&m, hex(rows[i].root));
    }
}

/* RFC 6962 section 2.1 to the letter: split at the largest power of two below n. */
static void naive_root(uint8_t (*leaves)[DIGEST_BYTES], size_t n, uint8_t *ret)
{
    uint8_t in[1 + 2 * DIGEST_BYTES] = {1};
    size_t k = 1;
    if (n == 1) {
        memcpy(ret, leaves[0], DIGEST_BYTES);
        return;
    }
    while (k * 2 < n)
        k *= 2;
    naive_root(leaves, k, in + 1);
    naive_root(leaves + k, n - k, in + 1 + DIGEST_BYTES);
    assert_int_equal(digest_sha256(&BYTES_OF(in), 1, ret), 0);
}

static void check_identity(const struct merkle *m, struct bytes root)
{
    struct merkle again;
    struct buf out, out_again;
    buf_init(&out, 4096);
    buf_init(&out_again, 4096);
    assert_int_equal(merkle_encode(m, &out), 0);
    assert_int_equal(buf_size(&out), 8 + 32 * (size_t)__builtin_popcountll(m->size));
    memset(&again, 0xa5, sizeof again);
    assert_true(merkle_decode(buf_view(&out), &again));
    assert_int_equal(again.size, m->size);
    check_root(&again, root);
    assert_int_equal(merkle_encode(&again, &out_again), 0);
    assert_bytes(buf_view(&out_again), buf_view(&out));
    buf_fini(&out);
    buf_fini(&out_again);
}

static void test_same_as_naive(void **state)
{
    static uint8_t leaves[NAIVE_COUNT][DIGEST_BYTES];
    struct merkle m;
    uint8_t root[DIGEST_BYTES];
    (void)state;
    merkle_init(&m);
    check_identity(&m, hex(empty_root));
    for (size_t n = 1; n <= NAIVE_COUNT; n++) {
        uint8_t record[2] = {(uint8_t)(n >> 8), (uint8_t)n};
        assert_int_equal(merkle_leaf(BYTES_OF(record), leaves[n - 1]), 0);
        assert_int_equal(merkle_append(&m, leaves[n - 1]), 0);
        naive_root(leaves, n, root);
        check_root(&m, BYTES_OF(root));
        check_identity(&m, BYTES_OF(root));
    }
}

static void test_append_goes_on_after_decode(void **state)
{
    struct merkle m, again;
    struct buf out;
    (void)state;
    merkle_init(&m);
    buf_init(&out, 4096);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        buf_clear(&out);
        assert_int_equal(merkle_encode(&m, &out), 0);
        assert_true(merkle_decode(buf_view(&out), &again));
        append(&m, hex(rows[i].leaf));
        append(&again, hex(rows[i].leaf));
        check_root(&again, hex(rows[i].root));
    }
    buf_fini(&out);
}

static void test_encoded_form(void **state)
{
    struct merkle m;
    struct buf out;
    (void)state;
    buf_init(&out, 4096);
    merkle_init(&m);
    for (size_t i = 0; i < 3; i++)
        append(&m, hex(rows[i].leaf));
    assert_int_equal(merkle_encode(&m, &out), 0);
    assert_bytes(bytes_head(buf_view(&out), 8), hex("0000000000000003"));
    assert_bytes(bytes_head(bytes_from(buf_view(&out), 8), 32), hex(rows[1].root)); /* the subtree of two comes first */
    uint8_t leaf[DIGEST_BYTES];
    assert_int_equal(merkle_leaf(hex(rows[2].leaf), leaf), 0);
    assert_bytes(bytes_from(buf_view(&out), 40), BYTES_OF(leaf));
    buf_fini(&out);
}

static void test_decode_refuses(void **state)
{
    static uint8_t in[8 + 65 * DIGEST_BYTES];
    struct merkle m = {.size = 77};
    (void)state;
    for (size_t n = 0; n < 8; n++)
        assert_false(merkle_decode(bytes_of(in, n), &m));
    assert_false(merkle_decode(bytes_of(in, 9), &m)); /* empty tree, one byte too many */
    in[7] = 5;                                        /* two subtrees */
    for (size_t n = 0; n < 8 + 4 * DIGEST_BYTES; n++) {
        if (n != 8 + 2 * DIGEST_BYTES)
            assert_false(merkle_decode(bytes_of(in, n), &m));
    }
    assert_int_equal(m.size, 77);
    assert_true(merkle_decode(bytes_of(in, 8 + 2 * DIGEST_BYTES), &m));
    assert_int_equal(m.size, 5);
    memset(in, 0xff, 8);
    assert_false(merkle_decode(bytes_of(in, 8 + 64 * DIGEST_BYTES), &m));
    in[0] = 0x80;
    memset(in + 1, 0, 7);
    assert_false(merkle_decode(bytes_of(in, 8 + DIGEST_BYTES), &m));
    assert_int_equal(m.size, 5);
}

static void test_largest_tree(void **state)
{
    static uint8_t in[8 + 63 * DIGEST_BYTES];
    struct merkle m;
    uint8_t a[DIGEST_BYTES], b[DIGEST_BYTES];
    (void)state;
    memset(in, 0xff, sizeof in);
    in[0] = 0x7f;
    in[7] = 0xfe; /* one leaf short of the largest */
    assert_true(merkle_decode(bytes_of(in, 8 + 62 * DIGEST_BYTES), &m));
    assert_int_equal(merkle_root(&m, a), 0);
    append(&m, BYTES_LITERAL("last"));
    assert_true(m.size == MERKLE_MAX_COUNT);
    assert_int_equal(merkle_root(&m, b), 0);
    assert_memory_not_equal(a, b, sizeof a);
    check_identity(&m, BYTES_OF(b));
}

static void test_encode_faults(void **state)
{
    struct merkle m;
    struct buf out;
    (void)state;
    merkle_init(&m);
    append(&m, BYTES_NONE);
    buf_init(&out, 39);
    assert_int_equal(merkle_encode(&m, &out), FAULT_LIMIT);
    assert_int_equal(buf_size(&out), 0);
    buf_fini(&out);
    EACH_ALLOC_FAILURE({
        buf_init(&out, 4096);
        int r = merkle_encode(&m, &out);
        assert_true(r == 0 || r == -ENOMEM);
        assert_int_equal(buf_size(&out), r == 0 ? 40 : 0);
        buf_fini(&out);
    });
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(test_vectors),        cmocka_unit_test(test_same_as_naive),
        cmocka_unit_test(test_encoded_form),   cmocka_unit_test(test_append_goes_on_after_decode),
        cmocka_unit_test(test_decode_refuses), cmocka_unit_test(test_largest_tree),
        cmocka_unit_test(test_encode_faults),
    };
    return cmocka_run_group_tests(all, start, NULL);
}
