/*
 * keys - see keys.h; the stored forms are laid down byte for byte in doc/spec/keys.md.
 *
 * A slot's header is judged whole, rounds included, before the first expensive or secret-dependent step.
 */
#include "crypt/keys.h"

#include "crypt/crypt-internal.h"

#include <string.h>

enum {
    SLOT_MAGIC_BYTES = 6,
    SLOT_VERSION = 1,
    SLOT_VERSION_AT = 6,
    SLOT_KIND_AT = 7,
    SLOT_ROUNDS_AT = 8,
    SLOT_SALT_AT = 12,
    SLOT_HEADER_BYTES = 44,
    SLOT_BYTES = SLOT_HEADER_BYTES + KEYS_WRAPPED_BYTES,
    SLOT_AD_BYTES = SLOT_HEADER_BYTES + KEYS_STORE_ID_BYTES,
    ROOT_BYTES = 32,
    DERIVED_BYTES = 32,
    EPOCH_BYTES = 4,
};

static const uint8_t slot_magic[SLOT_MAGIC_BYTES] = {'S', 'R', 'S', 'L', 'O', 'T'};

static_assert(SLOT_SALT_AT + KDF_SALT_BYTES == SLOT_HEADER_BYTES, "the salt ends the header");
static_assert((int)SLOT_BYTES <= (int)KEYS_SLOT_MAX_BYTES, "keys.h states how long a slot may be");
static_assert((int)KEYS_WRAPPED_BYTES == SEAL_KEY_BYTES + SEAL_OVERHEAD_BYTES, "a sealed key");
static_assert(KEYS_VALUE_OVERHEAD_BYTES == KEYS_WRAPPED_BYTES + SEAL_OVERHEAD_BYTES, "what sealing a value adds");

/* What each kind of slot accepts. A kind without rounds stores 0. */
struct slot_row {
    enum keys_slot_kind kind;
    const char *context;
    uint32_t rounds_min, rounds_max;
    size_t material_min_bytes, material_max_bytes;
};

// clang-format off
static const struct slot_row slot_rows[] = {
    {KEYS_SLOT_PASSPHRASE, "secreg/v1/slot/passphrase",
     KDF_ROUNDS_MIN_COUNT, KDF_ROUNDS_MAX_COUNT, 1,               KEYS_PASSPHRASE_MAX_BYTES},
    {KEYS_SLOT_KEY_FILE,   "secreg/v1/slot/key-file",
     0,                    0,                    KEYS_FILE_BYTES, KEYS_FILE_BYTES},
};
// clang-format on

struct slot {
    const struct slot_row *row;
    uint32_t rounds;
    struct bytes header, salt, sealed_root;
};

static const struct slot_row *slot_row(unsigned kind)
{
    for (size_t i = 0; i < COUNT_OF(slot_rows); i++) {
        if ((unsigned)slot_rows[i].kind == kind)
            return &slot_rows[i];
    }
    return NULL;
}

static uint32_t read_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void write_u32(uint8_t *p, uint32_t number)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(number >> (24 - 8 * i));
}

static bool slot_parse(struct bytes in, struct slot *ret_slot)
{
    if (in.n != SLOT_BYTES || memcmp(in.p, slot_magic, sizeof slot_magic) != 0 || in.p[SLOT_VERSION_AT] != SLOT_VERSION)
        return false;
    const struct slot_row *row = slot_row(in.p[SLOT_KIND_AT]);
    uint32_t rounds = read_u32(in.p + SLOT_ROUNDS_AT);
    if (row == NULL || rounds < row->rounds_min || rounds > row->rounds_max)
        return false;
    *ret_slot = (struct slot){
        .row = row,
        .rounds = rounds,
        .header = bytes_head(in, SLOT_HEADER_BYTES),
        .salt = bytes_of(in.p + SLOT_SALT_AT, KDF_SALT_BYTES),
        .sealed_root = bytes_from(in, SLOT_HEADER_BYTES),
    };
    return true;
}

static bool material_fits(const struct slot_row *row, const struct secret *material)
{
    return material->n >= row->material_min_bytes && material->n <= row->material_max_bytes;
}

/* The key that seals the root key in this slot. */
static int slot_key(const struct slot *s, const struct secret *material, struct secret *ret_secret)
{
    SCOPED(secret_fini) struct secret stretched = {0};
    const struct secret *from = material;
    if (s->row->rounds_max > 0) {
        TRY(kdf_pbkdf2(material, s->salt, s->rounds, &stretched));
        from = &stretched;
    }
    return kdf_hkdf(from, s->salt, bytes_of_text(s->row->context), SEAL_KEY_BYTES, ret_secret);
}

static void slot_ad(struct bytes header, struct bytes store_id, uint8_t ret[static SLOT_AD_BYTES])
{
    assert(header.n == SLOT_HEADER_BYTES && store_id.n == KEYS_STORE_ID_BYTES);
    memcpy(ret, header.p, header.n);
    memcpy(ret + header.n, store_id.p, store_id.n);
}

/* The first epoch adds nothing to the context. */
static int derive_field(const struct secret *root, uint32_t epoch, struct secret *ret_field)
{
    static const char context[] = "secreg/v1/field";
    uint8_t info[sizeof context + EPOCH_BYTES] = "secreg/v1/field/";
    if (epoch == 0)
        return kdf_hkdf(root, BYTES_NONE, bytes_of_text(context), DERIVED_BYTES, ret_field);
    write_u32(info + sizeof context, epoch);
    return kdf_hkdf(root, BYTES_NONE, BYTES_OF(info), DERIVED_BYTES, ret_field);
}

/* `k` holds the root key and the epoch; the rest follows from them. */
static int derive_all(struct keys *k)
{
    SCOPED(secret_fini) struct secret index = {0};
    assert(k->root.n == ROOT_BYTES);
    TRY(derive_field(&k->root, k->epoch, &k->field));
    TRY(kdf_hkdf(&k->root, BYTES_NONE, BYTES_LITERAL("secreg/v1/session"), DERIVED_BYTES, &k->session));
    TRY(kdf_hkdf(&k->root, BYTES_NONE, BYTES_LITERAL("secreg/v1/audit"), DERIVED_BYTES, &k->audit));
    TRY(kdf_hkdf(&k->root, BYTES_NONE, BYTES_LITERAL("secreg/v1/index"), DERIVED_BYTES, &index));
    TRY(secret_init(&k->scratch, SEAL_KEY_BYTES));
    return digest_mac_new(&index, &k->index);
}

static void keys_move(struct keys *from, struct keys *ret_keys)
{
    *ret_keys = *from;
    *from = (struct keys){0};
}

int keys_init_random(struct keys *ret_keys)
{
    SCOPED(keys_fini) struct keys k = {0};
    TRY(secret_init_random(&k.root, ROOT_BYTES));
    TRY(derive_all(&k));
    keys_move(&k, ret_keys);
    return 0;
}

int keys_derive(const struct keys *k, uint32_t epoch, struct keys *ret_keys)
{
    SCOPED(keys_fini) struct keys made = {.epoch = epoch};
    assert(!keys_is_empty(k));
    TRY(secret_init_copy(&made.root, secret_view(&k->root)));
    TRY(derive_all(&made));
    keys_move(&made, ret_keys);
    return 0;
}

bool keys_is_same_root(const struct keys *a, const struct keys *b)
{
    return secret_equal(secret_view(&a->root), secret_view(&b->root));
}

/* The key that seals another key, of one purpose, under the root key. */
static int wrapping_key(const struct keys *under, const char *purpose, struct secret *ret_key)
{
    return kdf_hkdf(&under->root, BYTES_NONE, bytes_of_text(purpose), SEAL_KEY_BYTES, ret_key);
}

static const char previous_root[] = "secreg/v1/previous-root";
static const char *const kept[] = {
    [KEYS_KEPT_SIGNER] = "secreg/v1/trail-signer", [KEYS_KEPT_NAMES] = "secreg/v1/names"};

int keys_root_close(struct buf *out, const struct keys *under, struct bytes store_id, const struct keys *k)
{
    SCOPED(secret_fini) struct secret key = {0};
    assert(!keys_is_empty(k) && store_id.n == KEYS_STORE_ID_BYTES);
    TRY(wrapping_key(under, previous_root, &key));
    return seal_close(out, &key, store_id, secret_view(&k->root));
}

int keys_root_open(struct bytes stored, const struct keys *under, struct bytes store_id, uint32_t epoch,
                   struct keys *ret_keys)
{
    SCOPED(secret_fini) struct secret key = {0};
    SCOPED(keys_fini) struct keys k = {.epoch = epoch};
    if (stored.n != KEYS_WRAPPED_BYTES)
        return SEAL_BAD;
    TRY(wrapping_key(under, previous_root, &key));
    int r = seal_open_secret(&k.root, &key, store_id, stored);
    if (r != 0)
        return r;
    TRY(derive_all(&k));
    keys_move(&k, ret_keys);
    return 0;
}

int keys_kept_close(struct buf *out, const struct keys *under, struct bytes store_id, enum keys_kept what,
                    const struct secret *secret)
{
    SCOPED(secret_fini) struct secret key = {0};
    assert(store_id.n == KEYS_STORE_ID_BYTES);
    TRY(wrapping_key(under, kept[what], &key));
    return seal_close(out, &key, store_id, secret_view(secret));
}

int keys_kept_open(struct bytes stored, const struct keys *under, struct bytes store_id, enum keys_kept what,
                   struct secret *ret_secret)
{
    SCOPED(secret_fini) struct secret key = {0};
    TRY(wrapping_key(under, kept[what], &key));
    return seal_open_secret(ret_secret, &key, store_id, stored);
}

int keys_backup(const struct keys *k, struct bytes salt, struct secret *ret_key,
                uint8_t ret_commitment[static DIGEST_BYTES])
{
    SCOPED(secret_fini) struct secret commitment = {0};
    assert(!keys_is_empty(k) && salt.n == KDF_SALT_BYTES);
    TRY(kdf_hkdf(&k->root, salt, BYTES_LITERAL("secreg/v1/backup/commitment"), DIGEST_BYTES, &commitment));
    TRY(kdf_hkdf(&k->root, salt, BYTES_LITERAL("secreg/v1/backup"), SEAL_KEY_BYTES, ret_key));
    memcpy(ret_commitment, commitment.p, DIGEST_BYTES);
    return 0;
}

void keys_fini(struct keys *k)
{
    if (k == NULL)
        return;
    secret_fini(&k->root);
    secret_fini(&k->field);
    secret_fini(&k->session);
    secret_fini(&k->audit);
    secret_fini(&k->scratch);
    k->index = digest_mac_free(k->index);
    k->epoch = 0;
}

bool keys_is_empty(const struct keys *k)
{
    return secret_is_empty(&k->root);
}

int keys_slot_close(struct buf *out, const struct keys *k, struct bytes store_id, enum keys_slot_kind kind,
                    const struct secret *material, uint32_t rounds)
{
    SCOPED(secret_fini) struct secret key = {0};
    uint8_t header[SLOT_HEADER_BYTES], ad[SLOT_AD_BYTES], *p;
    const struct slot_row *row = slot_row(kind);
    assert(row != NULL && !keys_is_empty(k));
    if (!material_fits(row, material))
        return RAISE(FAULT_LIMIT);

    memcpy(header, slot_magic, sizeof slot_magic);
    header[SLOT_VERSION_AT] = SLOT_VERSION;
    header[SLOT_KIND_AT] = (uint8_t)row->kind;
    rounds = row->rounds_max > 0 ? rounds : 0;
    write_u32(header + SLOT_ROUNDS_AT, rounds);
    crypt_random(header + SLOT_SALT_AT, KDF_SALT_BYTES);
    slot_ad(BYTES_OF(header), store_id, ad);

    struct slot s = {.row = row, .rounds = rounds, .salt = bytes_of(header + SLOT_SALT_AT, KDF_SALT_BYTES)};
    TRY(slot_key(&s, material, &key));
    TRY(buf_reserve(out, SLOT_BYTES, &p));
    memcpy(p, header, sizeof header);
    TRY(seal_put(p + sizeof header, &key, BYTES_OF(ad), secret_view(&k->root)));
    buf_commit(out, SLOT_BYTES);
    return 0;
}

int keys_slot_open(struct bytes slot, struct bytes store_id, enum keys_slot_kind kind, const struct secret *material,
                   struct keys *ret_keys)
{
    SCOPED(keys_fini) struct keys k = {0};
    SCOPED(secret_fini) struct secret key = {0};
    uint8_t ad[SLOT_AD_BYTES];
    struct slot s;
    if (!slot_parse(slot, &s))
        return RAISE(FAULT_CORRUPT);
    if (s.row->kind != kind)
        return KEYS_KIND;
    if (!material_fits(s.row, material))
        return KEYS_WRONG;
    slot_ad(s.header, store_id, ad);
    TRY(slot_key(&s, material, &key));
    int r = seal_open_secret(&k.root, &key, BYTES_OF(ad), s.sealed_root);
    if (r != 0)
        return r == SEAL_BAD ? KEYS_WRONG : r;
    TRY(derive_all(&k));
    keys_move(&k, ret_keys);
    return 0;
}

unsigned keys_slot_kind(struct bytes slot)
{
    struct slot s;
    return slot_parse(slot, &s) ? (unsigned)s.row->kind : 0;
}

uint32_t keys_slot_rounds(struct bytes slot)
{
    struct slot s;
    return slot_parse(slot, &s) ? s.rounds : 0;
}

int keys_value_close(struct buf *out, const struct keys *k, struct bytes ad, struct bytes plain)
{
    uint8_t *p;
    assert(!keys_is_empty(k));
    if (plain.n > SIZE_MAX - KEYS_VALUE_OVERHEAD_BYTES)
        return RAISE(FAULT_LIMIT);
    TRY(buf_reserve(out, plain.n + KEYS_VALUE_OVERHEAD_BYTES, &p));
    crypt_random(k->scratch.p, k->scratch.n);
    int r = seal_put(p, &k->field, ad, secret_view(&k->scratch));
    if (r == 0)
        r = seal_put(p + KEYS_WRAPPED_BYTES, &k->scratch, ad, plain);
    secret_wipe(k->scratch.p, k->scratch.n);
    if (r == 0)
        buf_commit(out, plain.n + KEYS_VALUE_OVERHEAD_BYTES);
    return r;
}

int keys_value_open(struct buf *out, const struct keys *k, struct bytes ad, struct bytes stored)
{
    assert(!keys_is_empty(k));
    if (stored.n < KEYS_VALUE_OVERHEAD_BYTES)
        return SEAL_BAD;
    int r = seal_get(k->scratch.p, &k->field, ad, bytes_head(stored, KEYS_WRAPPED_BYTES));
    if (r == 0)
        r = seal_open(out, &k->scratch, ad, bytes_from(stored, KEYS_WRAPPED_BYTES));
    secret_wipe(k->scratch.p, k->scratch.n);
    return r;
}

int keys_value_rewrap(struct buf *out, const struct keys *from, const struct keys *to, struct bytes ad,
                      struct bytes stored)
{
    uint8_t *p;
    assert(!keys_is_empty(from) && !keys_is_empty(to));
    if (stored.n < KEYS_VALUE_OVERHEAD_BYTES)
        return SEAL_BAD;
    TRY(buf_reserve(out, stored.n, &p));
    int r = seal_get(from->scratch.p, &from->field, ad, bytes_head(stored, KEYS_WRAPPED_BYTES));
    if (r == 0)
        r = seal_put(p, &to->field, ad, secret_view(&from->scratch));
    secret_wipe(from->scratch.p, from->scratch.n);
    if (r != 0)
        return r;
    memcpy(p + KEYS_WRAPPED_BYTES, stored.p + KEYS_WRAPPED_BYTES, stored.n - KEYS_WRAPPED_BYTES);
    buf_commit(out, stored.n);
    return 0;
}
