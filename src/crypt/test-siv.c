/* Tests of siv: a published vector, and that nothing else opens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/code.h"
#include "crypt/siv.h"

/* The first vector with keys of 256 bits of the Miscreant project (vectors/aes_siv.tjson); the texts are those of RFC
 * 5297 A.1, whose own keys are shorter. */
#define KEY_HEX                                                                                                        \
    "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0"                                                                                 \
    "6f6e6d6c6b6a69686766656463626160"                                                                                 \
    "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"                                                                                 \
    "000102030405060708090a0b0c0d0e0f"
#define AD_HEX "101112131415161718191a1b1c1d1e1f2021222324252627"
#define PLAIN_HEX "112233445566778899aabbccddee"
#define SEALED_HEX "f125274c598065cfc26b0e71575029088b035217e380cac8919ee800c126"

static struct secret key;
static struct buf out;
static uint8_t ad[24], plain[14], sealed[30];

static int start(void **state)
{
    uint8_t k[SIV_KEY_BYTES];
    (void)state;
    buf_init_wiping(&out, 1000);
    return crypt_start() >= 0 && code_unhex(BYTES_LITERAL(KEY_HEX), k, sizeof k) &&
                   code_unhex(BYTES_LITERAL(AD_HEX), ad, sizeof ad) &&
                   code_unhex(BYTES_LITERAL(PLAIN_HEX), plain, sizeof plain) &&
                   code_unhex(BYTES_LITERAL(SEALED_HEX), sealed, sizeof sealed) &&
                   secret_init_copy(&key, BYTES_OF(k)) == 0
               ? 0
               : -1;
}

static int end(void **state)
{
    (void)state;
    buf_fini(&out);
    secret_fini(&key);
    return 0;
}

static void test_vector(void **state)
{
    (void)state;
    buf_clear(&out);
    assert_int_equal(siv_close(&out, &key, BYTES_OF(ad), BYTES_OF(plain)), 0);
    assert_true(bytes_equal(buf_view(&out), BYTES_OF(sealed)));
    buf_clear(&out);
    assert_int_equal(siv_open(&out, &key, BYTES_OF(ad), BYTES_OF(sealed)), 0);
    assert_true(bytes_equal(buf_view(&out), BYTES_OF(plain)));
}

static void test_without_associated_data(void **state)
{
    uint8_t made[sizeof plain + SIV_OVERHEAD_BYTES];
    (void)state;
    buf_clear(&out);
    assert_int_equal(siv_close(&out, &key, BYTES_NONE, BYTES_OF(plain)), 0);
    memcpy(made, buf_view(&out).p, sizeof made);
    assert_memory_not_equal(made, sealed, sizeof made);
    buf_clear(&out);
    assert_int_equal(siv_open(&out, &key, BYTES_OF(ad), BYTES_OF(made)), SIV_BAD);
    assert_int_equal(siv_open(&out, &key, BYTES_NONE, BYTES_OF(made)), 0);
    assert_true(bytes_equal(buf_view(&out), BYTES_OF(plain)));
}

static void test_changed(void **state)
{
    (void)state;
    buf_clear(&out);
    for (size_t i = 0; i < sizeof sealed * 8; i++) {
        sealed[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_int_equal(siv_open(&out, &key, BYTES_OF(ad), BYTES_OF(sealed)), SIV_BAD);
        sealed[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t n = 0; n < sizeof sealed; n++)
        assert_int_equal(siv_open(&out, &key, BYTES_OF(ad), bytes_of(sealed, n)), SIV_BAD);
    ad[3] ^= 1;
    assert_int_equal(siv_open(&out, &key, BYTES_OF(ad), BYTES_OF(sealed)), SIV_BAD);
    ad[3] ^= 1;
    assert_int_equal(buf_size(&out), 0);
}

static void test_no_room(void **state)
{
    struct buf small;
    (void)state;
    buf_init(&small, sizeof sealed - 1);
    assert_int_equal(siv_close(&small, &key, BYTES_OF(ad), BYTES_OF(plain)), FAULT_LIMIT);
    assert_int_equal(buf_size(&small), 0);
    buf_fini(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vector), cmocka_unit_test(test_without_associated_data),
                                       cmocka_unit_test(test_changed), cmocka_unit_test(test_no_room)};
    return cmocka_run_group_tests(tests, start, end);
}
