/* Tests of forward: vectors that Python's hashlib.blake2b(..., digest_size=64) gives, and that nothing is kept. */
#include "test-crypt.h"

#include "crypt/forward.h"

static void test_vectors(void **state)
{
    uint8_t start[FORWARD_KEY_BYTES], key[FORWARD_KEY_BYTES], next[FORWARD_KEY_BYTES];
    uint8_t tag[DIGEST_BYTES] = {0}, leaf[DIGEST_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof start; i++)
        start[i] = (uint8_t)i;
    forward_begin(start, key, next);
    assert_bytes(BYTES_OF(key), hex("8ed8807414e698201cf6a532a6c5cd8ed1a76050689162498031e09cf5d68258"));
    assert_bytes(BYTES_OF(next), hex("8ed6b8d1ebcd131def28f2dbc9538f0501c9113dd9329f4b24ab3661890195a0"));
    for (int i = 0; i < 2; i++) {
        memset(leaf, i, sizeof leaf);
        forward_add(key, tag, leaf);
    }
    assert_bytes(BYTES_OF(tag), hex("80cca5e867817a45f18cca3c75c73c87ff303949c1f9291d13551672a53703a5"));
    assert_bytes(BYTES_OF(key), hex("878a28d08f8e872ed12859f03aeec203e62709002420671aca97bb7112893906"));
}

static void test_in_place(void **state)
{
    uint8_t start[FORWARD_KEY_BYTES] = {7}, same[FORWARD_KEY_BYTES] = {7}, key[2][FORWARD_KEY_BYTES];
    uint8_t next[FORWARD_KEY_BYTES];
    (void)state;
    forward_begin(start, key[0], next);
    forward_begin(same, key[1], same);
    assert_memory_equal(key[0], key[1], sizeof key[0]);
    assert_memory_equal(next, same, sizeof next);
    assert_memory_not_equal(key[0], next, sizeof next);
}

/* Another leaf, another order, or a leaf less: another tag. */
static void test_tags_differ(void **state)
{
    static const uint8_t orders[][3] = {{1, 2, 3}, {1, 3, 2}, {2, 1, 3}, {1, 2, 4}, {1, 2, 0}};
    uint8_t tags[COUNT_OF(orders)][DIGEST_BYTES] = {{0}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(orders); i++) {
        uint8_t key[FORWARD_KEY_BYTES] = {9};
        for (size_t k = 0; k < 3 && orders[i][k] != 0; k++) {
            uint8_t leaf[DIGEST_BYTES] = {orders[i][k]};
            forward_add(key, tags[i], leaf);
        }
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(tags[i], tags[k], DIGEST_BYTES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors), cmocka_unit_test(test_in_place),
                                       cmocka_unit_test(test_tags_differ)};
    return crypt_start() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
