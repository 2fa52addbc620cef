#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypt/crypt-internal.h"
#include "crypt/digest.h"
#include "crypt/test-crypt.h"

#include <errno.h>

/* FIPS 180-4 examples (NIST CSRC), and the empty message. */
static const struct {
    const char *message, *digest;
} sha256_rows[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
     "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
};

static void check_sha256(const struct bytes *parts, size_t count, const char *wanted)
{
    uint8_t got[DIGEST_BYTES];
    assert_int_equal(digest_sha256(parts, count, got), 0);
    assert_bytes(BYTES_OF(got), hex(wanted));
}

static void test_sha256_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sha256_rows); i++) {
        struct bytes message = bytes_of_text(sha256_rows[i].message);
        check_sha256(&message, 1, sha256_rows[i].digest);
    }
}

static void test_sha256_hashes_the_concatenation(void **state)
{
    struct bytes message = bytes_of_text(sha256_rows[2].message);
    (void)state;
    for (size_t at = 0; at <= message.n; at++) {
        struct bytes parts[] = {bytes_head(message, at), BYTES_NONE, bytes_from(message, at)};
        check_sha256(parts, COUNT_OF(parts), sha256_rows[2].digest);
    }
    check_sha256(NULL, 0, sha256_rows[0].digest);
}

static void test_sha256_of_a_million(void **state)
{
    static uint8_t as[1000];
    static struct bytes parts[1000];
    (void)state;
    memset(as, 'a', sizeof as);
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        parts[i] = BYTES_OF(as);
    check_sha256(parts, COUNT_OF(parts), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* RFC 4231; case 5 is about a cut tag, which we never make. */
static const struct {
    const char *key, *message, *tag;
} hmac_rows[] = {
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
     "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {"0102030405060708090a0b0c0d0e0f10111213141516171819",
     "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
     "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
};

static void check_hmac(struct bytes key, struct bytes message, const char *wanted)
{
    struct secret k = secret_of(key);
    struct digest_mac *mac = NULL;
    uint8_t tag[DIGEST_BYTES];
    assert_int_equal(digest_mac_new(&k, &mac), 0);
    secret_fini(&k);
    for (int i = 0; i < 2; i++) { /* the kept context begins anew each time */
        assert_int_equal(digest_mac(mac, &message, 1, tag), 0);
        assert_bytes(BYTES_OF(tag), hex(wanted));
    }
    for (size_t at = 0; at <= message.n; at += 3) {
        struct bytes parts[] = {bytes_head(message, at), bytes_from(message, at)};
        assert_int_equal(digest_mac(mac, parts, COUNT_OF(parts), tag), 0);
        assert_bytes(BYTES_OF(tag), hex(wanted));
    }
    assert_null(digest_mac_free(mac));
}

static void test_hmac_vectors(void **state)
{
    uint8_t long_key[131];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(hmac_rows); i++)
        check_hmac(hex(hmac_rows[i].key), hex(hmac_rows[i].message), hmac_rows[i].tag);
    memset(long_key, 0xaa, sizeof long_key); /* cases 6 and 7: a key longer than a block */
    check_hmac(BYTES_OF(long_key), BYTES_LITERAL("Test Using Larger Than Block-Size Key - Hash Key First"),
               "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    check_hmac(BYTES_OF(long_key),
               BYTES_LITERAL("This is a test using a larger than block-size key and a larger than block-size data. The "
                             "key needs to be hashed before being used by the HMAC algorithm."),
               "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

static void test_macs_do_not_mix(void **state)
{
    struct secret keys[] = {secret_of(hex(hmac_rows[0].key)), secret_of(hex(hmac_rows[1].key))};
    struct digest_mac *macs[2] = {NULL, NULL};
    (void)state;
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(digest_mac_new(&keys[i], &macs[i]), 0);
    for (size_t turn = 0; turn < 6; turn++) {
        size_t i = turn % 2;
        uint8_t tag[DIGEST_BYTES];
        struct bytes message = hex(hmac_rows[i].message);
        assert_int_equal(digest_mac(macs[i], &message, 1, tag), 0);
        assert_bytes(BYTES_OF(tag), hex(hmac_rows[i].tag));
        check_sha256(&BYTES_LITERAL("abc"), 1, sha256_rows[1].digest);
    }
    for (size_t i = 0; i < 2; i++) {
        macs[i] = digest_mac_free(macs[i]);
        secret_fini(&keys[i]);
    }
    assert_null(digest_mac_free(NULL));
}

static void digest_in_child(void)
{
    uint8_t got[DIGEST_BYTES];
    if (digest_sha256(&BYTES_LITERAL("abc"), 1, got) != 0)
        _exit(1);
    if (!bytes_equal(BYTES_OF(got), hex(sha256_rows[1].digest)))
        _exit(2);
}

static void test_forked_child_digests(void **state)
{
    (void)state;
    assert_int_equal(in_child(digest_in_child), 0);
    check_sha256(&BYTES_LITERAL("abc"), 1, sha256_rows[1].digest);
}

static void test_out_of_memory(void **state)
{
    struct secret key = secret_of(hex(hmac_rows[0].key));
    (void)state;
    EACH_ALLOC_FAILURE({
        struct digest_mac *mac = NULL;
        int r = digest_mac_new(&key, &mac);
        assert_true(r == 0 ? mac != NULL : mac == NULL && (r == -ENOMEM || r == FAULT_CRYPTO));
        assert_null(digest_mac_free(mac));
    });
    secret_fini(&key);
}

/* The first test of all: nothing was fetched yet. */
static void test_start_out_of_memory(void **state)
{
    (void)state;
    check_start_out_of_memory(digest_start);
}

static void test_start(void **state)
{
    (void)state;
    assert_true(crypt_start() >= 0);
}

/* OpenSSL sets itself up with memory to spare; our own first steps do not get that. */
static int prepare(void **state)
{
    (void)state;
    if (CRYPTO_set_mem_functions(library_malloc, library_realloc, library_free) != 1)
        return -1;
    EVP_MD *md = EVP_MD_fetch(NULL, "SHA256", NULL);
    EVP_MD_free(md);
    return md != NULL ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(test_start_out_of_memory), cmocka_unit_test(test_start),
        cmocka_unit_test(test_sha256_vectors),      cmocka_unit_test(test_sha256_hashes_the_concatenation),
        cmocka_unit_test(test_sha256_of_a_million), cmocka_unit_test(test_hmac_vectors),
        cmocka_unit_test(test_macs_do_not_mix),     cmocka_unit_test(test_forked_child_digests),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(all, prepare, NULL);
}
