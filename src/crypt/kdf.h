/*
 * kdf - keys from keys (HKDF-SHA-256, RFC 5869) and keys from passphrases (PBKDF2-HMAC-SHA-256, RFC 8018).
 */
#ifndef CRYPT_KDF_H
#define CRYPT_KDF_H

#include "crypt/secret.h"

/* The count is stored beside the salt; a stored count outside these bounds is refused as hostile. */
enum { KDF_ROUNDS_MIN_COUNT = 600000, KDF_ROUNDS_MAX_COUNT = 10000000, KDF_SALT_BYTES = 32 };

/*
 * kdf_hkdf - derive `n` bytes (1 to SECRET_MAX_BYTES, which is below the 255 * 32 of HKDF).
 * key   input key material
 * salt  may be empty
 * info  context: what the derived key is for
 * Returns 0 and sets ret_secret, FAULT_LIMIT (n), -ENOMEM or FAULT_CRYPTO.
 */
int kdf_hkdf(const struct secret *key, struct bytes salt, struct bytes info, size_t n,
             struct secret *ret_secret) MUST_USE;

/*
 * kdf_pbkdf2 - stretch a passphrase to 32 bytes.
 * rounds  within the bounds above, else FAULT_LIMIT
 * Blocks: about 0.15 s for 600,000 rounds. Returns 0, FAULT_LIMIT, -ENOMEM or FAULT_CRYPTO.
 */
int kdf_pbkdf2(const struct secret *passphrase, struct bytes salt, uint32_t rounds, struct secret *ret_secret) MUST_USE;

#endif
