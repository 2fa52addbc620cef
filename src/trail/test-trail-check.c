/* trail-check: a trail recomputed from its records, and every way it can be bent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test-chain.h"

static struct chain_copy copy;

static int setup(void **state)
{
    if (chain_make(state) != 0)
        return -1;
    struct chain *c = *state;
    for (unsigned n = 1; n <= 12; n++) {
        if (chain_turn(c, n) != 0)
            return -1;
    }
    return chain_copy_all(c, &copy);
}

static int teardown(void **state)
{
    buf_fini(&copy.bytes);
    return chain_remove(state);
}

static void test_head(void **state)
{
    struct chain *c = *state;
    struct trail_check check;
    struct trail_head head, wanted;
    uint8_t digest[DIGEST_BYTES] = {0};
    trail_check_init(&check);
    for (size_t i = 0; i <= copy.count; i++) {
        uint8_t root[DIGEST_BYTES];
        assert_int_equal(trail_check_head(&check, &head), 0);
        assert_int_equal(chain_naive_root(&copy, 0, i, root), 0);
        assert_int_equal(head.size, i);
        assert_memory_equal(head.root, root, sizeof root);
        assert_memory_equal(head.last, digest, sizeof digest);
        if (i == copy.count)
            break;
        struct bytes record = chain_record(&copy, i);
        assert_int_equal(trail_check_add(&check, record), 0);
        assert_int_equal(merkle_leaf(record, digest), 0);
    }
    assert_int_equal(copy.count, 78);
    assert_int_equal(trail_head(c->trail, &wanted), 0);
    assert_memory_equal(&head, &wanted, sizeof head);
}

/* Adds records from number 0 on, number `at` replaced. Returns the first verdict that is not 0; *ret_at says where. */
static int check_with(size_t at, struct bytes instead, size_t *ret_at, struct trail_head *ret_head)
{
    struct trail_check check;
    trail_check_init(&check);
    for (size_t i = 0; i < copy.count; i++) {
        int x = trail_check_add(&check, i == at ? instead : chain_record(&copy, i));
        *ret_at = i;
        if (x != 0)
            return x;
    }
    return trail_check_head(&check, ret_head);
}

/* No byte of any record can change unseen: its own verdict, that of its successor, or the head tells. */
static void test_flips(void **state)
{
    (void)state;
    static const size_t which[] = {0, 1, 40, 77};
    struct trail_head good, bad;
    size_t at;
    assert_int_equal(check_with(SIZE_MAX, BYTES_NONE, &at, &good), 0);
    for (size_t w = 0; w < COUNT_OF(which); w++) {
        static uint8_t bent[RECORD_MAX_BYTES];
        struct bytes record = chain_record(&copy, which[w]);
        for (size_t i = 0; i < record.n * 8; i++) {
            memcpy(bent, record.p, record.n);
            bent[i / 8] = (uint8_t)(bent[i / 8] ^ 1u << i % 8);
            int x = check_with(which[w], bytes_of(bent, record.n), &at, &bad);
            assert_true(x >= 0);
            if (x == 0) {
                assert_int_equal(which[w], copy.count - 1);
                assert_memory_not_equal(good.root, bad.root, sizeof good.root);
                assert_memory_not_equal(good.last, bad.last, sizeof good.last);
            } else {
                assert_true(at == which[w] || (at == which[w] + 1 && x == TRAIL_BROKEN));
            }
        }
    }
}

static void test_cuts(void **state)
{
    (void)state;
    struct trail_head head;
    size_t at;
    struct bytes record = chain_record(&copy, 5);
    for (size_t n = 0; n < record.n; n++) {
        assert_int_equal(check_with(5, bytes_head(record, n), &at, &head), TRAIL_MALFORMED);
        assert_int_equal(at, 5);
    }
}

static void test_order(void **state)
{
    (void)state;
    struct trail_head head;
    size_t at;
    assert_int_equal(check_with(5, chain_record(&copy, 6), &at, &head), TRAIL_GAP);
    assert_int_equal(check_with(5, chain_record(&copy, 4), &at, &head), TRAIL_GAP);
    assert_int_equal(at, 5);
    assert_int_equal(check_with(0, chain_record(&copy, 1), &at, &head), TRAIL_GAP);
    assert_int_equal(at, 0);
}

/* A record with the right number that was never the successor of the one before it. */
static void test_forged_link(void **state)
{
    (void)state;
    struct trail_head head;
    struct record r;
    struct buf forged;
    size_t at;
    buf_init(&forged, RECORD_MAX_BYTES);
    assert_true(record_decode(chain_record(&copy, 7), &r));
    r.prev.h[31] ^= 1;
    assert_int_equal(record_encode(&forged, &r), 0);
    assert_int_equal(check_with(7, buf_view(&forged), &at, &head), TRAIL_BROKEN);
    assert_int_equal(at, 7);
    /* with the right link but another content, the successor tells */
    r.prev.h[31] ^= 1;
    r.uid++;
    buf_clear(&forged);
    assert_int_equal(record_encode(&forged, &r), 0);
    assert_int_equal(check_with(7, buf_view(&forged), &at, &head), TRAIL_BROKEN);
    assert_int_equal(at, 8);
    buf_fini(&forged);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {T(test_head), T(test_flips), T(test_cuts), T(test_order), T(test_forged_link)};
    return cmocka_run_group_tests(tests, chain_start, NULL);
}
