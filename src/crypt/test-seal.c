#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypt/crypt-internal.h"
#include "crypt/test-crypt.h"

#include <errno.h>

/* draft-irtf-cfrg-xchacha-03, appendix A.3.1. */
static const char vector_key[] = "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f";
static const char vector_ad[] = "50515253c0c1c2c3c4c5c6c7";
static const char vector_plain[] =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
    "future, sunscreen would be it.";
static const char vector_sealed[] =
    "404142434445464748494a4b4c4d4e4f5051525354555657"
    "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb"
    "96"
    "b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52e"
    "c0875924c1c7987947deafd8780acf49";

static struct secret key;

static int setup(void **state)
{
    if (start(state) != 0)
        return -1;
    key = secret_of(hex(vector_key));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    secret_fini(&key);
    return 0;
}

static void test_vector_closes(void **state)
{
    struct bytes wanted = hex(vector_sealed), plain = bytes_of_text(vector_plain);
    uint8_t got[sizeof vector_plain - 1 + SEAL_OVERHEAD_BYTES];
    (void)state;
    assert_int_equal(seal_put_nonce(got, &key, wanted.p, hex(vector_ad), plain), 0);
    assert_bytes(BYTES_OF(got), wanted);
}

static void test_vector_opens(void **state)
{
    struct buf out;
    (void)state;
    buf_init_wiping(&out, 1024);
    assert_int_equal(seal_open(&out, &key, hex(vector_ad), hex(vector_sealed)), 0);
    assert_bytes(buf_view(&out), bytes_of_text(vector_plain));
    buf_fini(&out);
}

static void test_every_changed_byte_is_found(void **state)
{
    struct bytes sealed = hex(vector_sealed);
    uint8_t copy[256];
    struct buf out;
    (void)state;
    buf_init_wiping(&out, 1024);
    assert_int_equal(buf_append_text(&out, "before"), 0);
    for (size_t bit = 0; bit < sealed.n * 8; bit++) {
        memcpy(copy, sealed.p, sealed.n);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(seal_open(&out, &key, hex(vector_ad), bytes_of(copy, sealed.n)), SEAL_BAD);
    }
    for (size_t n = 0; n < sealed.n; n++)
        assert_int_equal(seal_open(&out, &key, hex(vector_ad), bytes_head(sealed, n)), SEAL_BAD);
    assert_bytes(buf_view(&out), BYTES_LITERAL("before"));
    buf_fini(&out);
}

static void test_wrong_place_and_wrong_key(void **state)
{
    struct bytes sealed = hex(vector_sealed), ad = hex(vector_ad);
    struct secret other = {0};
    struct buf out;
    (void)state;
    buf_init_wiping(&out, 1024);
    assert_int_equal(secret_init_random(&other, SEAL_KEY_BYTES), 0);
    assert_int_equal(seal_open(&out, &other, ad, sealed), SEAL_BAD);
    assert_int_equal(seal_open(&out, &key, BYTES_NONE, sealed), SEAL_BAD);
    assert_int_equal(seal_open(&out, &key, bytes_head(ad, ad.n - 1), sealed), SEAL_BAD);
    assert_int_equal(seal_open(&out, &key, BYTES_LITERAL("PQRS"), sealed), SEAL_BAD);
    assert_int_equal(buf_size(&out), 0);
    secret_fini(&other);
    buf_fini(&out);
}

/* The plain text of a failed opening is nowhere in the room it would have taken. */
static void test_failed_opening_leaves_no_plain_text(void **state)
{
    struct bytes sealed = hex(vector_sealed);
    uint8_t copy[256], area[256];
    (void)state;
    memcpy(copy, sealed.p, sealed.n);
    copy[sealed.n - 1] ^= 1;
    memset(area, 0xa5, sizeof area);
    assert_int_equal(seal_get(area, &key, hex(vector_ad), bytes_of(copy, sealed.n)), SEAL_BAD);
    for (size_t i = 0; i < sizeof area; i++)
        assert_int_equal(area[i], i < sealed.n - SEAL_OVERHEAD_BYTES ? 0 : 0xa5);
}

static void test_round_trips(void **state)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 63, 64, 65, 255, 4096, 100000};
    static uint8_t plain[100000];
    struct buf sealed, out;
    (void)state;
    buf_init(&sealed, 1 << 20);
    buf_init_wiping(&out, 1 << 20);
    crypt_random(plain, sizeof plain);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct bytes in = bytes_of(plain, sizes[i]);
        buf_clear(&sealed);
        buf_clear(&out);
        assert_int_equal(buf_append_text(&sealed, "head"), 0);
        assert_int_equal(buf_append_text(&out, "head"), 0);
        assert_int_equal(seal_close(&sealed, &key, BYTES_LITERAL("ad"), in), 0);
        assert_int_equal(buf_size(&sealed), 4 + in.n + SEAL_OVERHEAD_BYTES);
        assert_int_equal(seal_open(&out, &key, BYTES_LITERAL("ad"), bytes_from(buf_view(&sealed), 4)), 0);
        assert_bytes(bytes_head(buf_view(&out), 4), BYTES_LITERAL("head"));
        assert_bytes(bytes_from(buf_view(&out), 4), in);
    }
    buf_fini(&sealed);
    buf_fini(&out);
}

static void test_empty_plain_text_opens_into_a_full_buffer(void **state)
{
    struct buf sealed, out;
    (void)state;
    buf_init(&sealed, SEAL_OVERHEAD_BYTES);
    buf_init(&out, 4);
    assert_int_equal(seal_close(&sealed, &key, BYTES_NONE, BYTES_NONE), 0);
    assert_int_equal(seal_open(&out, &key, BYTES_NONE, buf_view(&sealed)), 0);
    assert_int_equal(buf_append_text(&out, "full"), 0);
    assert_int_equal(seal_open(&out, &key, BYTES_NONE, buf_view(&sealed)), 0);
    sealed.p[SEAL_NONCE_BYTES] ^= 1;
    assert_int_equal(seal_open(&out, &key, BYTES_NONE, buf_view(&sealed)), SEAL_BAD);
    assert_bytes(buf_view(&out), BYTES_LITERAL("full"));
    buf_fini(&sealed);
    buf_fini(&out);
}

static void test_nonce_is_fresh(void **state)
{
    struct buf a, b;
    (void)state;
    buf_init(&a, 1024);
    buf_init(&b, 1024);
    assert_int_equal(seal_close(&a, &key, BYTES_NONE, BYTES_LITERAL("same")), 0);
    assert_int_equal(seal_close(&b, &key, BYTES_NONE, BYTES_LITERAL("same")), 0);
    assert_memory_not_equal(a.p, b.p, SEAL_NONCE_BYTES);
    assert_memory_not_equal(a.p + SEAL_NONCE_BYTES, b.p + SEAL_NONCE_BYTES, 4);
    buf_fini(&a);
    buf_fini(&b);
}

static void test_limits(void **state)
{
    struct bytes sealed = hex(vector_sealed), endless = {sealed.p, SIZE_MAX - SEAL_OVERHEAD_BYTES + 1};
    struct buf out;
    (void)state;
    buf_init(&out, 43);
    assert_int_equal(seal_close(&out, &key, BYTES_NONE, BYTES_LITERAL("four")), FAULT_LIMIT);
    assert_int_equal(seal_open(&out, &key, hex(vector_ad), sealed), FAULT_LIMIT);
    assert_int_equal(seal_close(&out, &key, BYTES_NONE, endless), FAULT_LIMIT);
    assert_int_equal(buf_size(&out), 0);
    assert_int_equal(seal_close(&out, &key, BYTES_NONE, BYTES_LITERAL("abc")), 0);
    buf_fini(&out);
}

static void test_out_of_memory(void **state)
{
    struct buf out;
    (void)state;
    EACH_ALLOC_FAILURE({
        buf_init(&out, 1024);
        int r = seal_close(&out, &key, BYTES_NONE, BYTES_LITERAL("abc"));
        assert_int_equal(buf_size(&out), r == 0 ? 3 + SEAL_OVERHEAD_BYTES : 0);
        assert_true(r == 0 || r == -ENOMEM);
        buf_fini(&out);
    });
    EACH_ALLOC_FAILURE({
        buf_init(&out, 1024);
        int r = seal_open(&out, &key, hex(vector_ad), hex(vector_sealed));
        assert_int_equal(buf_size(&out), r == 0 ? sizeof vector_plain - 1 : 0);
        assert_true(r == 0 || r == -ENOMEM);
        buf_fini(&out);
    });
}

static void test_open_secret(void **state)
{
    static uint8_t big[SECRET_MAX_BYTES + SEAL_OVERHEAD_BYTES + 1];
    struct bytes sealed = hex(vector_sealed);
    struct secret s = {0};
    uint8_t empty[SEAL_OVERHEAD_BYTES];
    long before = locked_kib();
    (void)state;
    assert_int_equal(seal_put(empty, &key, BYTES_NONE, BYTES_NONE), 0);
    assert_int_equal(seal_open_secret(&s, &key, BYTES_NONE, BYTES_OF(empty)), SEAL_BAD);
    assert_int_equal(seal_open_secret(&s, &key, BYTES_NONE, BYTES_NONE), SEAL_BAD);
    assert_int_equal(seal_open_secret(&s, &key, BYTES_NONE, sealed), SEAL_BAD);
    assert_int_equal(seal_open_secret(&s, &key, BYTES_NONE, BYTES_OF(big)), FAULT_LIMIT);
    assert_true(secret_is_empty(&s));
    assert_int_equal(locked_kib(), before);
    assert_int_equal(seal_open_secret(&s, &key, hex(vector_ad), sealed), 0);
    assert_bytes(secret_view(&s), bytes_of_text(vector_plain));
    secret_fini(&s);
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(test_vector_closes),
        cmocka_unit_test(test_vector_opens),
        cmocka_unit_test(test_every_changed_byte_is_found),
        cmocka_unit_test(test_wrong_place_and_wrong_key),
        cmocka_unit_test(test_failed_opening_leaves_no_plain_text),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_empty_plain_text_opens_into_a_full_buffer),
        cmocka_unit_test(test_nonce_is_fresh),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_open_secret),
    };
    return cmocka_run_group_tests(all, setup, teardown);
}
