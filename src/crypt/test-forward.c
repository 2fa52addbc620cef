/* Tests of forward: vectors that Python's hashlib.blake2b(key=..., digest_size=64) gives, and that nothing is kept. */
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
    assert_bytes(BYTES_OF(key), hex("39c7416f237f9e3148766130e6e39dc969f9a92decd8bb72460a67c6de326cc7"));
    assert_bytes(BYTES_OF(next), hex("6fa256906879f669afa46d23b2566e50f08ad5c17270bac139d67e4edce5d8b5"));
    for (int i = 0; i < 2; i++) {
        memset(leaf, i, sizeof leaf);
        forward_add(key, tag, leaf);
    }
    assert_bytes(BYTES_OF(tag), hex("afa5a32df6c6efe9c6974d9916009f0bd4d16214e9cb4de57e18c820f19da097"));
    assert_bytes(BYTES_OF(key), hex("69e6ba583bba8d723da3886d604fe444241a5a0871f2263063ea6e5e42200c7b"));
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
