/* Tests of chunked encryption: a published construction over a checked primitive, and every way to disturb it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/crypt-internal.h"
#include "crypt/stream.h"

static struct secret key;

static int setup(void **state)
{
    uint8_t raw[SEAL_KEY_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof raw; i++)
        raw[i] = (uint8_t)i;
    return crypt_start() >= 0 ? secret_init_copy(&key, BYTES_OF(raw)) : -1;
}

static int teardown(void **state)
{
    (void)state;
    secret_fini(&key);
    return 0;
}

static void counts_chunks(void **state)
{
    (void)state;
    assert_int_equal(stream_chunks(0), 1);
    assert_int_equal(stream_chunks(1), 1);
    assert_int_equal(stream_chunks(STREAM_CHUNK_BYTES), 1);
    assert_int_equal(stream_chunks(STREAM_CHUNK_BYTES + 1), 2);
    assert_int_equal(stream_bytes(0), STREAM_TAG_BYTES);
    assert_int_equal(stream_bytes(STREAM_CHUNK_BYTES + 1), STREAM_CHUNK_BYTES + 1 + 2 * STREAM_TAG_BYTES);
}

/* The chunk is what the sealed form of the same primitive holds behind its nonce. */
static void is_the_sealed_form_under_a_counted_nonce(void **state)
{
    uint8_t nonce[SEAL_NONCE_BYTES] = {0}, sealed[SEAL_OVERHEAD_BYTES + 5], chunk[5 + STREAM_TAG_BYTES];
    (void)state;
    nonce[21] = 0x01; /* chunk 0x0102, the last */
    nonce[22] = 0x02;
    nonce[23] = 1;
    assert_int_equal(seal_put_nonce(sealed, &key, nonce, BYTES_LITERAL("ad"), BYTES_LITERAL("plain")), 0);
    assert_int_equal(stream_close(chunk, &key, BYTES_LITERAL("ad"), 0x0102, true, BYTES_LITERAL("plain")), 0);
    assert_memory_equal(chunk, sealed + SEAL_NONCE_BYTES, sizeof chunk);
}

static void opens_where_it_was_sealed_and_nowhere_else(void **state)
{
    uint8_t chunk[5 + STREAM_TAG_BYTES], plain[5];
    struct bytes ad = BYTES_LITERAL("ad"), all = BYTES_OF(chunk);
    (void)state;
    assert_int_equal(stream_close(chunk, &key, ad, 7, true, BYTES_LITERAL("plain")), 0);
    assert_int_equal(stream_open(plain, &key, ad, 7, true, all), 0);
    assert_memory_equal(plain, "plain", 5);
    assert_int_equal(stream_open(plain, &key, ad, 8, true, all), SEAL_BAD);
    assert_int_equal(stream_open(plain, &key, ad, 7, false, all), SEAL_BAD);
    assert_int_equal(stream_open(plain, &key, BYTES_LITERAL("aD"), 7, true, all), SEAL_BAD);
    assert_int_equal(stream_open(plain, &key, ad, 7, true, bytes_head(all, all.n - 1)), SEAL_BAD);
    assert_int_equal(stream_open(plain, &key, ad, 7, true, bytes_head(all, STREAM_TAG_BYTES - 1)), SEAL_BAD);
    for (size_t i = 0; i < sizeof chunk * 8; i++) {
        chunk[i / 8] ^= (uint8_t)(1u << i % 8);
        memset(plain, 'x', sizeof plain);
        assert_int_equal(stream_open(plain, &key, ad, 7, true, all), SEAL_BAD);
        assert_memory_equal(plain, "\0\0\0\0\0", 5);
        chunk[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    assert_int_equal(stream_open(plain, &key, ad, 7, true, all), 0);
}

static void takes_whole_chunks(void **state)
{
    uint8_t *big = calloc(1, STREAM_CHUNK_BYTES + STREAM_TAG_BYTES + 1);
    uint8_t *plain = calloc(1, STREAM_CHUNK_BYTES + 1);
    (void)state;
    assert_true(big != NULL && plain != NULL);
    memset(plain, 0x5a, STREAM_CHUNK_BYTES);
    assert_int_equal(stream_close(big, &key, BYTES_NONE, 0, false, bytes_of(plain, STREAM_CHUNK_BYTES)), 0);
    memset(plain, 0, STREAM_CHUNK_BYTES);
    struct bytes sealed = bytes_of(big, STREAM_CHUNK_BYTES + STREAM_TAG_BYTES);
    assert_int_equal(stream_open(plain, &key, BYTES_NONE, 0, false, sealed), 0);
    assert_int_equal(plain[0], 0x5a);
    assert_int_equal(plain[STREAM_CHUNK_BYTES - 1], 0x5a);
    assert_int_equal(stream_open(plain, &key, BYTES_NONE, 0, false, bytes_of(big, sealed.n + 1)), SEAL_BAD);
    free(big);
    free(plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_chunks),
        cmocka_unit_test(is_the_sealed_form_under_a_counted_nonce),
        cmocka_unit_test(opens_where_it_was_sealed_and_nowhere_else),
        cmocka_unit_test(takes_whole_chunks),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
