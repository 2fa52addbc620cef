/*
 * keys - the key hierarchy: slots -> root key -> field, index, session and audit keys -> a data key for each version.
 *
 * A slot holds the root key sealed under a key that a passphrase or a key file yields. Its stored form is a header in
 * the clear (format, kind, KDF parameters, salt), which is also the associated data of the sealed root key together
 * with the id of the store: a changed parameter, a slot of another store, or a wrong passphrase all fail to open.
 * The root key itself seals nothing but is expanded by HKDF under named contexts ("secreg/v1/field", ...).
 * Source: LUKS2 key slots; RFC 5869; doc/spec/keys.md.
 */
#ifndef CRYPT_KEYS_H
#define CRYPT_KEYS_H

#include "crypt/digest.h"
#include "crypt/kdf.h"
#include "crypt/seal.h"

enum { KEYS_STORE_ID_BYTES = 16, KEYS_FILE_BYTES = 32, KEYS_SLOT_MAX_BYTES = 512, KEYS_PASSPHRASE_MAX_BYTES = 1024 };

enum keys_slot_kind { KEYS_SLOT_PASSPHRASE = 1, KEYS_SLOT_KEY_FILE = 2 };

struct keys {
    struct secret root, field, session, audit;
    struct digest_mac *index; /* authenticates rows; keyed with the index key */
    struct secret scratch;    /* locked home of the data key at work; zeros between calls */
    uint32_t epoch;           /* of the field key */
};

/* keys_init_random - a new root key and what is derived from it. Returns 0 or a fault. */
int keys_init_random(struct keys *ret_keys) MUST_USE;

/*
 * keys_derive - all keys of the same root key, with the field key of an epoch (0 is the first). Returns 0 or a fault.
 * keys_is_same_root - the two have one root key. In constant time.
 */
int keys_derive(const struct keys *k, uint32_t epoch, struct keys *ret_keys) MUST_USE;
bool keys_is_same_root(const struct keys *a, const struct keys *b);

/*
 * keys_root_close - append the root key of `k` (KEYS_WRAPPED_BYTES), sealed under a key that follows from the root key
 * of `under`: who opens a slot of the new one can read what the old one still protects. Returns 0 or a fault.
 * keys_root_open - all keys of that root key, with the field key of an epoch. Returns 0, SEAL_BAD, or a fault.
 */
int keys_root_close(struct buf *out, const struct keys *under, struct bytes store_id, const struct keys *k) MUST_USE;
int keys_root_open(struct bytes stored, const struct keys *under, struct bytes store_id, uint32_t epoch,
                   struct keys *ret_keys) MUST_USE;

/*
 * keys_kept_close - append a secret that outlives every root key, sealed in the same way (SEAL_OVERHEAD_BYTES more):
 * the seed of the key that signs checkpoints, or the key that hides names. keys_kept_open - Returns 0, SEAL_BAD, or a
 * fault.
 */
enum keys_kept { KEYS_KEPT_SIGNER, KEYS_KEPT_NAMES };
int keys_kept_close(struct buf *out, const struct keys *under, struct bytes store_id, enum keys_kept what,
                    const struct secret *secret) MUST_USE;
int keys_kept_open(struct bytes stored, const struct keys *under, struct bytes store_id, enum keys_kept what,
                   struct secret *ret_secret) MUST_USE;

/*
 * keys_backup - the key of one backup, and a public value that commits to it: a backup opens under one root key only.
 * salt  KDF_SALT_BYTES, random for each backup
 * Returns 0 or a fault.
 */
int keys_backup(const struct keys *k, struct bytes salt, struct secret *ret_key,
                uint8_t ret_commitment[static DIGEST_BYTES]) MUST_USE;

/* keys_fini - wipe everything; NULL and half-built ones are allowed. */
void keys_fini(struct keys *k);

/* keys_is_empty - true after keys_fini() or for a zeroed struct: the daemon is locked. */
bool keys_is_empty(const struct keys *k);

/*
 * keys_slot_close - append the stored form of a new slot to `out`.
 * store_id  KEYS_STORE_ID_BYTES long
 * material  the passphrase (1 to KEYS_PASSPHRASE_MAX_BYTES), or the KEYS_FILE_BYTES of a key file
 * rounds    PBKDF2 rounds for a passphrase, within kdf.h's bounds; ignored for a key file
 * Returns 0 or a fault. Blocks as kdf_pbkdf2().
 */
int keys_slot_close(struct buf *out, const struct keys *k, struct bytes store_id, enum keys_slot_kind kind,
                    const struct secret *material, uint32_t rounds) MUST_USE;

/*
 * keys_slot_open - open a slot and derive all keys.
 * Returns 0, KEYS_WRONG (the material is not the right one, or the slot was changed: the two cannot be told apart),
 * KEYS_KIND (the slot is of another kind), FAULT_CORRUPT (the header is malformed or out of bounds), or a fault.
 * ret_keys is set only on 0. Blocks as kdf_pbkdf2().
 */
enum { KEYS_WRONG = 1, KEYS_KIND = 2 };
int keys_slot_open(struct bytes slot, struct bytes store_id, enum keys_slot_kind kind, const struct secret *material,
                   struct keys *ret_keys) MUST_USE;

/* keys_slot_kind - the kind named by a stored slot's header; 0 if malformed. keys_slot_rounds - its rounds; 0 also if
 * it has none. Never allocate. */
unsigned keys_slot_kind(struct bytes slot);
uint32_t keys_slot_rounds(struct bytes slot);

/*
 * keys_value_close - seal one version of an entry: a fresh data key seals the value, the field key seals the data key.
 * ad       where the value belongs (format, store, key, object, version, type, flags)
 * Appends to `out`: sealed data key (72 bytes) | sealed value (plain.n + 40). Returns 0 or a fault. About 2 us.
 */
enum { KEYS_WRAPPED_BYTES = 72, KEYS_VALUE_OVERHEAD_BYTES = 112 };
int keys_value_close(struct buf *out, const struct keys *k, struct bytes ad, struct bytes plain) MUST_USE;

/* keys_value_open - append the plain value to `out`. Returns 0, SEAL_BAD, or a fault. About 1 us. */
int keys_value_open(struct buf *out, const struct keys *k, struct bytes ad, struct bytes stored) MUST_USE;

/*
 * keys_value_rewrap - append a stored value whose data key is sealed under the field key of `to` in place of that of
 * `from`; the sealed value itself stays. Returns 0, SEAL_BAD, or a fault. Same length. About 1 us and a copy.
 */
int keys_value_rewrap(struct buf *out, const struct keys *from, const struct keys *to, struct bytes ad,
                      struct bytes stored) MUST_USE;

#endif
