#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypt/crypt-internal.h"
#include "crypt/keys.h"
#include "crypt/test-crypt.h"

#include <errno.h>

enum { SLOT_BYTES = 116, HEADER_BYTES = 44 };

/* The worked example of doc/spec/keys.md. */
static const char root_hex[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
static const char store_id_hex[] = "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf";
static const char key_file_hex[] = "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f";
static const char passphrase_text[] = "correct horse battery staple";
static const char field_hex[] = "3cd9b4fd31bf340c84c5784ea73bf1f74ff91864632ff2a5bfa12cdeaa55bde6";
static const char session_hex[] = "e17105bdefb4b5ff1c8f1e2bcd7b1ac99475b2c6df8fe2f5f1c9fd5054d41228";
static const char audit_hex[] = "d6dc2c2994b16cb6af266e5421c8994e4ce02e4a4a2a85012499d7d63d96b1a5";
static const char index_hex[] = "8bc3399b53f28c9423c78a53ff8d16fabeac2baa529cb03bac4187b7e1d71936";
static const char index_of_abc_hex[] = "2e5921d5d1455043df6cfd349f081ac3be602a67746c143c7d78d929e29600c6";
static const char stretched_hex[] = "2941ee80d3ae151b3a8ac08042ca4331cf6abb6bc9570be3d258ea9fe39f0db2";
static const char passphrase_slot_key_hex[] = "417c85dea37e6b062b1397fc894a45543b477ec6293d98f2a6f284c7ebc18bb7";
static const char key_file_slot_key_hex[] = "680ec16cb7b50209f797da88b019839bb8afc56e29fcc5009b467960db859e58";
static const char key_file_slot_hex[] =
    "5352534c4f54010200000000202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f40414243444546474849"
    "4a4b4c4d4e4f50515253545556577367a8db1139d9c31e5ccc6ab1eec3679b6869ac2d1576c79fea95812ac1102a2933830fa2fc89e7"
    "afa560ea3d931f64";
static const char passphrase_slot_hex[] =
    "5352534c4f540101000927c0202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f40414243444546474849"
    "4a4b4c4d4e4f5051525354555657ec6bb0eabc4e8eb98aa2757b054f73616174e0c513a5439df3c8b746eb75a93c084fdfdfa9a0ed07"
    "219b9ab1013d3e83";
static const char value_hex[] =
    "808182838485868788898a8b8c8d8e8f9091929394959697181a5ff9b8f7ef6e7458c6fb376299b8d95ba047299fc2d813579c41000a"
    "250a42d2988d730142d3f5cde826b9d64df598999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf9f4a56f0e19d07ba7c316db4"
    "aedc5fe838b6874fb5c6ebc3a3";

static struct secret key_file, passphrase;
static struct bytes store_id;
static struct keys example; /* the keys under the root key of the example */

static int setup(void **state)
{
    static uint8_t id[KEYS_STORE_ID_BYTES];
    if (start_on_failing_allocator(state) != 0)
        return -1;
    memcpy(id, hex(store_id_hex).p, sizeof id);
    store_id = BYTES_OF(id);
    key_file = secret_of(hex(key_file_hex));
    passphrase = secret_of(bytes_of_text(passphrase_text));
    return keys_slot_open(hex(key_file_slot_hex), store_id, KEYS_SLOT_KEY_FILE, &key_file, &example);
}

static int teardown(void **state)
{
    (void)state;
    keys_fini(&example);
    secret_fini(&key_file);
    secret_fini(&passphrase);
    return 0;
}

static void check_example_keys(const struct keys *k)
{
    uint8_t tag[DIGEST_BYTES];
    assert_false(keys_is_empty(k));
    assert_bytes(secret_view(&k->root), hex(root_hex));
    assert_bytes(secret_view(&k->field), hex(field_hex));
    assert_bytes(secret_view(&k->session), hex(session_hex));
    assert_bytes(secret_view(&k->audit), hex(audit_hex));
    assert_int_equal(digest_mac(k->index, &BYTES_LITERAL("abc"), 1, tag), 0);
    assert_bytes(BYTES_OF(tag), hex(index_of_abc_hex));
}

static void test_example_of_key_file_slot(void **state)
{
    struct bytes slot = hex(key_file_slot_hex);
    (void)state;
    assert_int_equal(slot.n, SLOT_BYTES);
    assert_int_equal(keys_slot_kind(slot), KEYS_SLOT_KEY_FILE);
    check_example_keys(&example);
}

static void test_example_of_passphrase_slot(void **state)
{
    struct bytes slot = hex(passphrase_slot_hex);
    struct keys k = {0};
    (void)state;
    assert_int_equal(slot.n, SLOT_BYTES);
    assert_int_equal(keys_slot_kind(slot), KEYS_SLOT_PASSPHRASE);
    assert_int_equal(keys_slot_open(slot, store_id, KEYS_SLOT_PASSPHRASE, &passphrase, &k), 0);
    check_example_keys(&k);
    keys_fini(&k);
}

/* The other direction, step by step, with the nonce of the example. */
static void check_made(struct bytes wanted, const struct secret *from, const char *context, const char *slot_key)
{
    struct bytes header = bytes_head(wanted, HEADER_BYTES), salt = bytes_from(header, 12);
    uint8_t ad[HEADER_BYTES + KEYS_STORE_ID_BYTES], sealed[KEYS_WRAPPED_BYTES];
    struct secret key = {0};
    memcpy(ad, header.p, HEADER_BYTES);
    memcpy(ad + HEADER_BYTES, store_id.p, KEYS_STORE_ID_BYTES);
    assert_int_equal(kdf_hkdf(from, salt, bytes_of_text(context), SEAL_KEY_BYTES, &key), 0);
    assert_bytes(secret_view(&key), hex(slot_key));
    assert_int_equal(seal_put_nonce(sealed, &key, wanted.p + HEADER_BYTES, BYTES_OF(ad), hex(root_hex)), 0);
    assert_bytes(BYTES_OF(sealed), bytes_from(wanted, HEADER_BYTES));
    secret_fini(&key);
}

static void test_example_slots_are_made_byte_for_byte(void **state)
{
    struct secret stretched = {0};
    struct bytes slot = hex(passphrase_slot_hex);
    (void)state;
    check_made(hex(key_file_slot_hex), &key_file, "secreg/v1/slot/key-file", key_file_slot_key_hex);
    assert_int_equal(kdf_pbkdf2(&passphrase, bytes_of(slot.p + 12, KDF_SALT_BYTES), 600000, &stretched), 0);
    assert_bytes(secret_view(&stretched), hex(stretched_hex));
    check_made(slot, &stretched, "secreg/v1/slot/passphrase", passphrase_slot_key_hex);
    secret_fini(&stretched);
}

static void test_example_index_key(void **state)
{
    struct secret root = secret_of(hex(root_hex)), index = {0};
    (void)state;
    assert_int_equal(kdf_hkdf(&root, BYTES_NONE, BYTES_LITERAL("secreg/v1/index"), 32, &index), 0);
    assert_bytes(secret_view(&index), hex(index_hex));
    secret_fini(&index);
    secret_fini(&root);
}

static void test_example_value_is_made_byte_for_byte(void **state)
{
    struct bytes wanted = hex(value_hex), ad = BYTES_LITERAL("example"), plain = BYTES_LITERAL("swordfish");
    struct secret data_key = {0};
    uint8_t got[KEYS_VALUE_OVERHEAD_BYTES + 9], *value = got + KEYS_WRAPPED_BYTES;
    (void)state;
    assert_int_equal(secret_init(&data_key, SEAL_KEY_BYTES), 0);
    for (size_t i = 0; i < data_key.n; i++)
        data_key.p[i] = (uint8_t)(0xc0 + i);
    assert_int_equal(seal_put_nonce(got, &example.field, wanted.p, ad, secret_view(&data_key)), 0);
    assert_int_equal(seal_put_nonce(value, &data_key, wanted.p + KEYS_WRAPPED_BYTES, ad, plain), 0);
    assert_bytes(BYTES_OF(got), wanted);
    secret_fini(&data_key);
}

static void test_example_of_value(void **state)
{
    struct buf out;
    (void)state;
    buf_init_wiping(&out, 1024);
    assert_int_equal(keys_value_open(&out, &example, BYTES_LITERAL("example"), hex(value_hex)), 0);
    assert_bytes(buf_view(&out), BYTES_LITERAL("swordfish"));
    buf_fini(&out);
}

static void test_slot_round_trip(void **state)
{
    struct keys made = {0}, opened = {0};
    struct buf out;
    (void)state;
    buf_init(&out, 1024);
    assert_int_equal(keys_init_random(&made), 0);
    assert_int_equal(buf_append_text(&out, "head"), 0);
    assert_int_equal(keys_slot_close(&out, &made, store_id, KEYS_SLOT_KEY_FILE, &key_file, 12345), 0);
    struct bytes slot = bytes_from(buf_view(&out), 4);
    assert_int_equal(slot.n, SLOT_BYTES);
    assert_bytes(bytes_head(slot, 12), hex("5352534c4f54010200000000")); /* the rounds were ignored */
    assert_int_equal(keys_slot_open(slot, store_id, KEYS_SLOT_KEY_FILE, &key_file, &opened), 0);
    assert_true(secret_equal(secret_view(&made.root), secret_view(&opened.root)));
    assert_true(secret_equal(secret_view(&made.field), secret_view(&opened.field)));
    keys_fini(&opened);
    keys_fini(&made);
    buf_fini(&out);
}

static void test_passphrase_slot_round_trip(void **state)
{
    struct keys opened = {0};
    struct buf out;
    (void)state;
    buf_init(&out, 1024);
    assert_int_equal(
        keys_slot_close(&out, &example, store_id, KEYS_SLOT_PASSPHRASE, &passphrase, KDF_ROUNDS_MIN_COUNT + 1), 0);
    assert_bytes(bytes_head(buf_view(&out), 12), hex("5352534c4f540101000927c1"));
    assert_memory_not_equal(out.p + 12, hex(passphrase_slot_hex).p + 12, KDF_SALT_BYTES);
    assert_int_equal(keys_slot_open(buf_view(&out), store_id, KEYS_SLOT_PASSPHRASE, &passphrase, &opened), 0);
    check_example_keys(&opened);
    keys_fini(&opened);
    buf_fini(&out);
}

static void test_slots_are_never_the_same(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 1024);
    for (int i = 0; i < 2; i++)
        assert_int_equal(keys_slot_close(&out, &example, store_id, KEYS_SLOT_KEY_FILE, &key_file, 0), 0);
    for (size_t i = 12; i < SLOT_BYTES; i += 16) /* salt, nonce, sealed key */
        assert_memory_not_equal(out.p + i, out.p + SLOT_BYTES + i, 8);
    buf_fini(&out);
}

static void test_wrong_material(void **state)
{
    static const uint8_t big[KEYS_PASSPHRASE_MAX_BYTES + 1];
    struct secret other = {0}, none = {0}, too_long = secret_of(BYTES_OF(big)), wrong = secret_of(BYTES_LITERAL("x"));
    struct bytes file_slot = hex(key_file_slot_hex), pass_slot = hex(passphrase_slot_hex);
    struct keys k = {0};
    (void)state;
    assert_int_equal(secret_init_random(&other, KEYS_FILE_BYTES), 0);
    assert_int_equal(keys_slot_open(file_slot, store_id, KEYS_SLOT_KEY_FILE, &other, &k), KEYS_WRONG);
    assert_int_equal(keys_slot_open(file_slot, store_id, KEYS_SLOT_KEY_FILE, &passphrase, &k), KEYS_WRONG);
    assert_int_equal(keys_slot_open(file_slot, store_id, KEYS_SLOT_KEY_FILE, &none, &k), KEYS_WRONG);
    assert_int_equal(keys_slot_open(pass_slot, store_id, KEYS_SLOT_PASSPHRASE, &wrong, &k), KEYS_WRONG);
    assert_int_equal(keys_slot_open(pass_slot, store_id, KEYS_SLOT_PASSPHRASE, &none, &k), KEYS_WRONG);
    assert_int_equal(keys_slot_open(pass_slot, store_id, KEYS_SLOT_PASSPHRASE, &too_long, &k), KEYS_WRONG);
    assert_int_equal(keys_slot_open(file_slot, store_id, KEYS_SLOT_PASSPHRASE, &passphrase, &k), KEYS_KIND);
    assert_int_equal(keys_slot_open(pass_slot, store_id, KEYS_SLOT_KEY_FILE, &key_file, &k), KEYS_KIND);
    assert_true(keys_is_empty(&k));
    secret_fini(&other);
    secret_fini(&too_long);
    secret_fini(&wrong);
}

static void test_slot_of_another_store(void **state)
{
    uint8_t id[KEYS_STORE_ID_BYTES];
    struct keys k = {0};
    (void)state;
    for (size_t i = 0; i < sizeof id; i++) {
        memcpy(id, store_id.p, sizeof id);
        id[i] ^= 0x80;
        assert_int_equal(keys_slot_open(hex(key_file_slot_hex), BYTES_OF(id), KEYS_SLOT_KEY_FILE, &key_file, &k),
                         KEYS_WRONG);
    }
    assert_true(keys_is_empty(&k));
}

/* Magic, version, kind and rounds are judged; salt and sealed key are authenticated. */
static void test_every_changed_bit_of_a_slot(void **state)
{
    uint8_t slot[SLOT_BYTES];
    struct keys k = {0};
    long before = locked_kib();
    (void)state;
    for (size_t bit = 0; bit < SLOT_BYTES * 8; bit++) {
        memcpy(slot, hex(key_file_slot_hex).p, sizeof slot);
        slot[bit / 8] ^= (uint8_t)(1u << bit % 8);
        int wanted = bit / 8 < 12 ? FAULT_CORRUPT : KEYS_WRONG;
        assert_int_equal(keys_slot_open(BYTES_OF(slot), store_id, KEYS_SLOT_KEY_FILE, &key_file, &k), wanted);
        assert_int_equal(keys_slot_kind(BYTES_OF(slot)), wanted == KEYS_WRONG ? KEYS_SLOT_KEY_FILE : 0);
    }
    assert_true(keys_is_empty(&k));
    assert_int_equal(locked_kib(), before);
}

static void test_slot_lengths(void **state)
{
    static uint8_t slot[2 * SLOT_BYTES];
    struct keys k = {0};
    (void)state;
    memcpy(slot, hex(key_file_slot_hex).p, SLOT_BYTES);
    for (size_t n = 0; n < sizeof slot; n++) {
        bool right = n == SLOT_BYTES;
        int r = keys_slot_open(bytes_of(slot, n), store_id, KEYS_SLOT_KEY_FILE, &key_file, &k);
        assert_int_equal(r, right ? 0 : FAULT_CORRUPT);
        assert_int_equal(keys_slot_kind(bytes_of(slot, n)), right ? KEYS_SLOT_KEY_FILE : 0);
        keys_fini(&k);
    }
}

/* A hostile count must cost nothing: 2^32 - 1 rounds would take a quarter of an hour. */
static void test_rounds_are_bounded_before_they_run(void **state)
{
    static const struct {
        const char *rounds;
        unsigned kind;
    } cases[] = {
        {"00000000", 0},
        {"00000001", 0},
        {"000927bf", 0},
        {"000927c0", KEYS_SLOT_PASSPHRASE},
        {"00989680", KEYS_SLOT_PASSPHRASE},
        {"00989681", 0},
        {"ffffffff", 0},
    };
    struct keys k = {0};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t slot[SLOT_BYTES];
        memcpy(slot, hex(passphrase_slot_hex).p, sizeof slot);
        memcpy(slot + 8, hex(cases[i].rounds).p, 4);
        assert_int_equal(keys_slot_kind(BYTES_OF(slot)), cases[i].kind);
        if (cases[i].kind == 0)
            assert_int_equal(keys_slot_open(BYTES_OF(slot), store_id, KEYS_SLOT_PASSPHRASE, &passphrase, &k),
                             FAULT_CORRUPT);
    }
    assert_true(keys_is_empty(&k));
}

static void test_slot_close_limits(void **state)
{
    static const uint8_t big[KEYS_PASSPHRASE_MAX_BYTES + 1];
    struct secret too_long = secret_of(BYTES_OF(big)), none = {0};
    struct buf out;
    (void)state;
    buf_init(&out, SLOT_BYTES - 1);
    assert_int_equal(keys_slot_close(&out, &example, store_id, KEYS_SLOT_PASSPHRASE, &passphrase, 599999), FAULT_LIMIT);
    assert_int_equal(keys_slot_close(&out, &example, store_id, KEYS_SLOT_PASSPHRASE, &passphrase, 10000001),
                     FAULT_LIMIT);
    assert_int_equal(keys_slot_close(&out, &example, store_id, KEYS_SLOT_PASSPHRASE, &none, 600000), FAULT_LIMIT);
    assert_int_equal(keys_slot_close(&out, &example, store_id, KEYS_SLOT_PASSPHRASE, &too_long, 600000), FAULT_LIMIT);
    assert_int_equal(keys_slot_close(&out, &example, store_id, KEYS_SLOT_KEY_FILE, &passphrase, 0), FAULT_LIMIT);
    assert_int_equal(keys_slot_close(&out, &example, store_id, KEYS_SLOT_KEY_FILE, &key_file, 0), FAULT_LIMIT);
    assert_int_equal(buf_size(&out), 0);
    secret_fini(&too_long);
    buf_fini(&out);
}

static void test_random_keys_differ(void **state)
{
    struct keys a = {0}, b = {0};
    (void)state;
    assert_true(keys_is_empty(&a));
    assert_int_equal(keys_init_random(&a), 0);
    assert_int_equal(keys_init_random(&b), 0);
    assert_false(keys_is_empty(&a));
    assert_false(secret_equal(secret_view(&a.root), secret_view(&b.root)));
    assert_false(secret_equal(secret_view(&a.field), secret_view(&b.field)));
    assert_false(secret_equal(secret_view(&a.field), secret_view(&a.session)));
    assert_false(secret_equal(secret_view(&a.field), secret_view(&a.audit)));
    assert_false(secret_equal(secret_view(&a.audit), secret_view(&a.session)));
    keys_fini(&a);
    keys_fini(&b);
    assert_true(keys_is_empty(&a));
    keys_fini(&a);
    keys_fini(NULL);
}

static void test_value_round_trips(void **state)
{
    static const size_t sizes[] = {0, 1, 16, 200, 65536};
    static uint8_t plain[65536];
    struct buf stored, out;
    (void)state;
    buf_init(&stored, 1 << 17);
    buf_init_wiping(&out, 1 << 17);
    crypt_random(plain, sizeof plain);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct bytes in = bytes_of(plain, sizes[i]);
        buf_clear(&stored);
        buf_clear(&out);
        assert_int_equal(keys_value_close(&stored, &example, BYTES_LITERAL("place"), in), 0);
        assert_int_equal(buf_size(&stored), in.n + KEYS_VALUE_OVERHEAD_BYTES);
        assert_int_equal(keys_value_open(&out, &example, BYTES_LITERAL("place"), buf_view(&stored)), 0);
        assert_bytes(buf_view(&out), in);
        for (size_t j = 0; j < example.scratch.n; j++)
            assert_int_equal(example.scratch.p[j], 0);
    }
    buf_fini(&stored);
    buf_fini(&out);
}

static void test_changed_value(void **state)
{
    struct bytes stored = hex(value_hex);
    uint8_t copy[256];
    struct buf out;
    (void)state;
    buf_init_wiping(&out, 1024);
    for (size_t bit = 0; bit < stored.n * 8; bit++) {
        memcpy(copy, stored.p, stored.n);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(keys_value_open(&out, &example, BYTES_LITERAL("example"), bytes_of(copy, stored.n)), SEAL_BAD);
    }
    for (size_t n = 0; n < stored.n; n++)
        assert_int_equal(keys_value_open(&out, &example, BYTES_LITERAL("example"), bytes_head(stored, n)), SEAL_BAD);
    assert_int_equal(keys_value_open(&out, &example, BYTES_LITERAL("exampl"), stored), SEAL_BAD);
    assert_int_equal(keys_value_open(&out, &example, BYTES_NONE, stored), SEAL_BAD);
    assert_int_equal(buf_size(&out), 0);
    buf_fini(&out);
}

/* The data key of one version opens no other: the halves of two stored values do not fit together. */
static void test_each_value_has_its_own_data_key(void **state)
{
    struct buf a, b, out;
    uint8_t mixed[KEYS_VALUE_OVERHEAD_BYTES + 4];
    (void)state;
    buf_init(&a, 1024);
    buf_init(&b, 1024);
    buf_init(&out, 1024);
    assert_int_equal(keys_value_close(&a, &example, BYTES_NONE, BYTES_LITERAL("same")), 0);
    assert_int_equal(keys_value_close(&b, &example, BYTES_NONE, BYTES_LITERAL("same")), 0);
    memcpy(mixed, a.p, sizeof mixed);
    memcpy(mixed + KEYS_WRAPPED_BYTES, b.p + KEYS_WRAPPED_BYTES, sizeof mixed - KEYS_WRAPPED_BYTES);
    assert_int_equal(keys_value_open(&out, &example, BYTES_NONE, BYTES_OF(mixed)), SEAL_BAD);
    assert_int_equal(keys_value_open(&out, &example, BYTES_NONE, buf_view(&b)), 0);
    buf_fini(&a);
    buf_fini(&b);
    buf_fini(&out);
}

static void test_value_limits(void **state)
{
    struct bytes endless = {store_id.p, SIZE_MAX - KEYS_VALUE_OVERHEAD_BYTES + 1};
    struct buf out;
    (void)state;
    buf_init(&out, KEYS_VALUE_OVERHEAD_BYTES);
    assert_int_equal(keys_value_close(&out, &example, BYTES_NONE, BYTES_LITERAL("x")), FAULT_LIMIT);
    assert_int_equal(keys_value_close(&out, &example, BYTES_NONE, endless), FAULT_LIMIT);
    assert_int_equal(buf_size(&out), 0);
    assert_int_equal(keys_value_close(&out, &example, BYTES_NONE, BYTES_NONE), 0);
    buf_fini(&out);
    buf_init(&out, 8);
    assert_int_equal(keys_value_open(&out, &example, BYTES_LITERAL("example"), hex(value_hex)), FAULT_LIMIT);
    assert_int_equal(buf_size(&out), 0);
    for (size_t i = 0; i < example.scratch.n; i++)
        assert_int_equal(example.scratch.p[i], 0);
    buf_fini(&out);
}

/* Computed with Python's hmac: the lines of the worked example in doc/spec/keys.md. */
static void test_example_of_derived_keys(void **state)
{
    struct keys k = {0};
    struct secret key = {0};
    uint8_t commitment[DIGEST_BYTES], salt[KDF_SALT_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof salt; i++)
        salt[i] = (uint8_t)(0x20 + i);
    assert_int_equal(keys_derive(&example, 1, &k), 0);
    assert_bytes(secret_view(&k.field), hex("eeb0856f7098ac300db6af1899ff17b25d9f44ae749588b0fcc7fe3b4300789b"));
    assert_int_equal(k.epoch, 1);
    assert_true(keys_is_same_root(&k, &example));
    assert_memory_equal(k.audit.p, example.audit.p, k.audit.n);
    keys_fini(&k);
    assert_int_equal(k.epoch, 0);
    assert_int_equal(keys_derive(&example, 0, &k), 0);
    assert_memory_equal(k.field.p, example.field.p, k.field.n);
    keys_fini(&k);
    assert_int_equal(keys_backup(&example, BYTES_OF(salt), &key, commitment), 0);
    assert_bytes(secret_view(&key), hex("164eb8fce373868c505f2bd7a5a083d9a493c96a9b02bff62a19fba76e81e651"));
    assert_bytes(BYTES_OF(commitment), hex("5802b5d2e1a823b56a4d3dd32d1a6e633fc26de48be78d151a350eed6b0e52c2"));
    secret_fini(&key);
}

static void test_old_root_key_under_the_new_one(void **state)
{
    struct keys fresh = {0}, old = {0};
    struct buf out;
    uint8_t other_id[KEYS_STORE_ID_BYTES] = {0};
    (void)state;
    buf_init(&out, 1024);
    assert_int_equal(keys_init_random(&fresh), 0);
    assert_false(keys_is_same_root(&fresh, &example));
    assert_int_equal(keys_root_close(&out, &fresh, store_id, &example), 0);
    assert_int_equal(buf_size(&out), KEYS_WRAPPED_BYTES);
    assert_int_equal(keys_root_open(buf_view(&out), &fresh, store_id, 3, &old), 0);
    assert_true(keys_is_same_root(&old, &example));
    assert_int_equal(old.epoch, 3);
    keys_fini(&old);
    assert_int_equal(keys_root_open(buf_view(&out), &example, store_id, 3, &old), SEAL_BAD);
    assert_int_equal(keys_root_open(buf_view(&out), &fresh, BYTES_OF(other_id), 3, &old), SEAL_BAD);
    assert_int_equal(keys_root_open(bytes_head(buf_view(&out), 71), &fresh, store_id, 3, &old), SEAL_BAD);
    out.p[out.start + 30] ^= 1;
    assert_int_equal(keys_root_open(buf_view(&out), &fresh, store_id, 3, &old), SEAL_BAD);
    assert_true(keys_is_empty(&old));
    keys_fini(&fresh);
    buf_fini(&out);
}

static void test_rewrapped_value(void **state)
{
    struct keys next = {0};
    struct buf turned, out;
    struct bytes stored = hex(value_hex), ad = BYTES_LITERAL("example");
    uint8_t copy[256];
    (void)state;
    memcpy(copy, stored.p, stored.n);
    stored = bytes_of(copy, stored.n);
    buf_init(&turned, 1024);
    buf_init_wiping(&out, 1024);
    assert_int_equal(keys_init_random(&next), 0);
    assert_int_equal(keys_value_rewrap(&turned, &example, &next, ad, stored), 0);
    assert_int_equal(buf_size(&turned), stored.n);
    assert_memory_not_equal(buf_view(&turned).p, stored.p, KEYS_WRAPPED_BYTES);
    assert_memory_equal(buf_view(&turned).p + KEYS_WRAPPED_BYTES, stored.p + KEYS_WRAPPED_BYTES,
                        stored.n - KEYS_WRAPPED_BYTES);
    assert_int_equal(keys_value_open(&out, &next, ad, buf_view(&turned)), 0);
    assert_true(bytes_equal(buf_view(&out), BYTES_LITERAL("swordfish")));
    assert_int_equal(keys_value_open(&out, &example, ad, buf_view(&turned)), SEAL_BAD);
    size_t size = buf_size(&turned);
    assert_int_equal(keys_value_rewrap(&turned, &next, &example, ad, stored), SEAL_BAD);
    assert_int_equal(keys_value_rewrap(&turned, &example, &next, BYTES_NONE, stored), SEAL_BAD);
    assert_int_equal(keys_value_rewrap(&turned, &example, &next, ad, bytes_head(stored, 111)), SEAL_BAD);
    assert_int_equal(buf_size(&turned), size);
    for (size_t i = 0; i < example.scratch.n; i++)
        assert_int_equal(example.scratch.p[i], 0);
    keys_fini(&next);
    buf_fini(&turned);
    buf_fini(&out);
}

static void test_slot_says_its_rounds(void **state)
{
    (void)state;
    assert_int_equal(keys_slot_rounds(hex(key_file_slot_hex)), 0);
    assert_int_equal(keys_slot_rounds(hex(passphrase_slot_hex)), KDF_ROUNDS_MIN_COUNT);
    assert_int_equal(keys_slot_rounds(BYTES_LITERAL("nonsense")), 0);
}

static void check_keys_or_fault(int r, struct keys *k)
{
    assert_true(r == 0 || r == -ENOMEM || r == FAULT_CRYPTO);
    assert_int_equal(keys_is_empty(k), r != 0);
    keys_fini(k);
}

static void test_out_of_memory(void **state)
{
    struct keys k = {0};
    struct buf out;
    long before = locked_kib();
    (void)state;
    EACH_ALLOC_FAILURE(check_keys_or_fault(keys_init_random(&k), &k));
    EACH_ALLOC_FAILURE(check_keys_or_fault(keys_derive(&example, 2, &k), &k));
    EACH_ALLOC_FAILURE(
        check_keys_or_fault(keys_slot_open(hex(key_file_slot_hex), store_id, KEYS_SLOT_KEY_FILE, &key_file, &k), &k));
    EACH_ALLOC_FAILURE({
        buf_init(&out, 1024);
        int r = keys_slot_close(&out, &example, store_id, KEYS_SLOT_KEY_FILE, &key_file, 0);
        assert_int_equal(buf_size(&out), r == 0 ? SLOT_BYTES : 0);
        buf_fini(&out);
    });
    EACH_ALLOC_FAILURE({
        buf_init(&out, 1024);
        int r = keys_value_close(&out, &example, BYTES_NONE, BYTES_LITERAL("x"));
        assert_int_equal(buf_size(&out), r == 0 ? 1 + KEYS_VALUE_OVERHEAD_BYTES : 0);
        buf_fini(&out);
    });
    assert_int_equal(locked_kib(), before);
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(test_example_of_key_file_slot),
        cmocka_unit_test(test_example_of_passphrase_slot),
        cmocka_unit_test(test_example_slots_are_made_byte_for_byte),
        cmocka_unit_test(test_example_index_key),
        cmocka_unit_test(test_example_value_is_made_byte_for_byte),
        cmocka_unit_test(test_example_of_value),
        cmocka_unit_test(test_slot_round_trip),
        cmocka_unit_test(test_passphrase_slot_round_trip),
        cmocka_unit_test(test_slots_are_never_the_same),
        cmocka_unit_test(test_wrong_material),
        cmocka_unit_test(test_slot_of_another_store),
        cmocka_unit_test(test_every_changed_bit_of_a_slot),
        cmocka_unit_test(test_slot_lengths),
        cmocka_unit_test(test_rounds_are_bounded_before_they_run),
        cmocka_unit_test(test_slot_close_limits),
        cmocka_unit_test(test_random_keys_differ),
        cmocka_unit_test(test_value_round_trips),
        cmocka_unit_test(test_changed_value),
        cmocka_unit_test(test_each_value_has_its_own_data_key),
        cmocka_unit_test(test_value_limits),
        cmocka_unit_test(test_example_of_derived_keys),
        cmocka_unit_test(test_old_root_key_under_the_new_one),
        cmocka_unit_test(test_rewrapped_value),
        cmocka_unit_test(test_slot_says_its_rounds),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(all, setup, teardown);
}
