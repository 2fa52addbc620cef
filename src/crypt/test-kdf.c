#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypt/crypt-internal.h"
#include "crypt/test-crypt.h"

#include <errno.h>

/* RFC 5869 appendix A, cases 1 to 3. */
static const struct {
    const char *key, *salt, *info, *out;
} hkdf_rows[] = {
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
     "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
    {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f30313233343536373"
     "8"
     "393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
     "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f90919293949596979"
     "8"
     "999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
     "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e"
     "8"
     "e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
     "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b83"
     "6"
     "7793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
     "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
};

static void test_hkdf_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(hkdf_rows); i++) {
        struct secret key = secret_of(hex(hkdf_rows[i].key)), out = {0};
        struct bytes wanted = hex(hkdf_rows[i].out);
        assert_int_equal(kdf_hkdf(&key, hex(hkdf_rows[i].salt), hex(hkdf_rows[i].info), wanted.n, &out), 0);
        assert_bytes(secret_view(&out), wanted);
        secret_fini(&out);
        secret_fini(&key);
    }
}

static void test_hkdf_lengths(void **state)
{
    struct secret key = secret_of(hex(hkdf_rows[2].key)), out = {0};
    (void)state;
    assert_int_equal(kdf_hkdf(&key, BYTES_NONE, BYTES_NONE, 0, &out), FAULT_LIMIT);
    assert_int_equal(kdf_hkdf(&key, BYTES_NONE, BYTES_NONE, SECRET_MAX_BYTES + 1, &out), FAULT_LIMIT);
    assert_true(secret_is_empty(&out));
    assert_int_equal(kdf_hkdf(&key, BYTES_NONE, BYTES_NONE, SECRET_MAX_BYTES, &out), 0);
    assert_bytes(bytes_head(secret_view(&out), 42),
                 hex(hkdf_rows[2].out)); /* a longer output begins like a short one */
    secret_fini(&out);
    assert_int_equal(kdf_hkdf(&key, BYTES_NONE, BYTES_NONE, 1, &out), 0);
    assert_int_equal(out.p[0], 0x8d);
    secret_fini(&out);
    secret_fini(&key);
}

static void test_hkdf_refuses_what_the_library_refuses(void **state)
{
    static const uint8_t info[65536];
    struct secret key = secret_of(hex(hkdf_rows[0].key)), out = {0};
    long before = locked_kib();
    (void)state;
    assert_int_equal(kdf_hkdf(&key, BYTES_NONE, BYTES_OF(info), 32, &out), FAULT_CRYPTO);
    assert_true(secret_is_empty(&out));
    assert_int_equal(locked_kib(), before);
    secret_fini(&key);
}

/* RFC 6070's inputs with SHA-256, as in draft-josefsson-scrypt-kdf and RFC 7914 section 11 (first 32 bytes there). */
static const struct {
    const char *passphrase, *salt;
    uint32_t rounds;
    const char *out;
} pbkdf2_rows[] = {
    {"password", "salt", 1, "120fb6cffcf8b32c43e7225256c4f837a86548c92ccc35480805987cb70be17b"},
    {"password", "salt", 2, "ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43"},
    {"password", "salt", 4096, "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a"},
    {"passwordPASSWORDpassword", "saltSALTsaltSALTsaltSALTsaltSALTsalt", 4096,
     "348c89dbcbd32b2f32d814b8116e84cf2b17347ebc1800181c4e2a1fb8dd53e1"},
    {"passwd", "salt", 1, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"},
    {"Password", "NaCl", 80000, "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"},
};

static void test_pbkdf2_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(pbkdf2_rows); i++) {
        struct secret passphrase = secret_of(bytes_of_text(pbkdf2_rows[i].passphrase)), out = {0};
        struct bytes salt = bytes_of_text(pbkdf2_rows[i].salt);
        assert_int_equal(kdf_pbkdf2_raw(&passphrase, salt, pbkdf2_rows[i].rounds, &out), 0);
        assert_bytes(secret_view(&out), hex(pbkdf2_rows[i].out));
        secret_fini(&out);
        secret_fini(&passphrase);
    }
}

static void test_pbkdf2_bounds(void **state)
{
    static const uint32_t outside[] = {0, 1, KDF_ROUNDS_MIN_COUNT - 1, KDF_ROUNDS_MAX_COUNT + 1, UINT32_MAX};
    struct secret passphrase = secret_of(BYTES_LITERAL("password")), out = {0};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(outside); i++)
        assert_int_equal(kdf_pbkdf2(&passphrase, BYTES_LITERAL("salt"), outside[i], &out), FAULT_LIMIT);
    assert_true(secret_is_empty(&out));
    assert_int_equal(kdf_pbkdf2(&passphrase, BYTES_LITERAL("salt"), KDF_ROUNDS_MIN_COUNT, &out), 0);
    assert_bytes(secret_view(&out), hex("669cfe52482116fda1aa2cbe409b2f56c8e4563752b7a28f6eaab614ee005178"));
    secret_fini(&out);
    secret_fini(&passphrase);
}

static void check_out_of_memory(int r, struct secret *out)
{
    assert_true(r == 0 || r == FAULT_CRYPTO || r == -ENOMEM);
    assert_int_equal(secret_is_empty(out), r != 0);
    secret_fini(out);
}

static void test_out_of_memory(void **state)
{
    struct secret key = secret_of(BYTES_LITERAL("password")), out = {0};
    long before = locked_kib();
    (void)state;
    EACH_ALLOC_FAILURE(
        check_out_of_memory(kdf_hkdf(&key, BYTES_LITERAL("salt"), BYTES_LITERAL("info"), 32, &out), &out));
    EACH_ALLOC_FAILURE(check_out_of_memory(kdf_pbkdf2_raw(&key, BYTES_LITERAL("salt"), 2, &out), &out));
    assert_int_equal(locked_kib(), before);
    secret_fini(&key);
}

/* The first test of all: nothing was fetched yet. */
static void test_start_out_of_memory(void **state)
{
    (void)state;
    check_start_out_of_memory(kdf_start);
}

static void test_start(void **state)
{
    (void)state;
    assert_true(crypt_start() >= 0);
}

static int prepare(void **state)
{
    (void)state;
    if (CRYPTO_set_mem_functions(library_malloc, library_realloc, library_free) != 1)
        return -1;
    return digest_start() == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(test_start_out_of_memory), cmocka_unit_test(test_start),
        cmocka_unit_test(test_hkdf_vectors),        cmocka_unit_test(test_hkdf_lengths),
        cmocka_unit_test(test_pbkdf2_vectors),      cmocka_unit_test(test_hkdf_refuses_what_the_library_refuses),
        cmocka_unit_test(test_pbkdf2_bounds),       cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(all, prepare, NULL);
}
