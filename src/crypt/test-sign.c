/* Tests of sign: the vectors of RFC 8032, and that nothing else passes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/code.h"
#include "crypt/sign.h"

/* RFC 8032 section 7.1, tests 1 to 3. */
static const struct {
    const char *seed, *public_key, *message, *signature;
} vectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe246"
     "55141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb"
     "00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc"
     "027beceea1ec40a"},
};

struct unpacked {
    struct secret seed;
    uint8_t public_key[SIGN_PUBLIC_BYTES], message[8], signature[SIGN_BYTES];
    struct bytes text;
};

static void unpack(size_t i, struct unpacked *u)
{
    uint8_t seed[SIGN_SEED_BYTES];
    size_t n = strlen(vectors[i].message) / 2;
    assert_true(code_unhex(bytes_of_text(vectors[i].seed), seed, sizeof seed));
    assert_true(code_unhex(bytes_of_text(vectors[i].public_key), u->public_key, sizeof u->public_key));
    assert_true(code_unhex(bytes_of_text(vectors[i].message), u->message, n));
    assert_true(code_unhex(bytes_of_text(vectors[i].signature), u->signature, sizeof u->signature));
    assert_int_equal(secret_init_copy(&u->seed, BYTES_OF(seed)), 0);
    u->text = bytes_of(u->message, n);
}

static int start(void **state)
{
    (void)state;
    return crypt_start() < 0 ? -1 : 0;
}

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        struct unpacked u = {0};
        uint8_t public_key[SIGN_PUBLIC_BYTES], signature[SIGN_BYTES];
        unpack(i, &u);
        assert_int_equal(sign_public(&u.seed, public_key), 0);
        assert_memory_equal(public_key, u.public_key, sizeof public_key);
        assert_int_equal(sign_make(&u.seed, u.text, signature), 0);
        assert_memory_equal(signature, u.signature, sizeof signature);
        assert_true(sign_check(u.public_key, u.text, u.signature));
        secret_fini(&u.seed);
    }
}

static void test_changed(void **state)
{
    struct unpacked u = {0};
    (void)state;
    unpack(2, &u);
    for (size_t i = 0; i < sizeof u.signature * 8; i++) {
        u.signature[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_false(sign_check(u.public_key, u.text, u.signature));
        u.signature[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t i = 0; i < sizeof u.public_key * 8; i++) {
        u.public_key[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_false(sign_check(u.public_key, u.text, u.signature));
        u.public_key[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    assert_false(sign_check(u.public_key, bytes_head(u.text, 1), u.signature));
    u.message[0] ^= 1;
    assert_false(sign_check(u.public_key, u.text, u.signature));
    static const uint8_t zeros[SIGN_PUBLIC_BYTES];
    assert_false(sign_check(zeros, u.text, u.signature));
    secret_fini(&u.seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors), cmocka_unit_test(test_changed)};
    return cmocka_run_group_tests(tests, start, NULL);
}
