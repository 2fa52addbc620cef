/*
 * seal - authenticated encryption of one value: XChaCha20-Poly1305 with a random 24-byte nonce.
 *
 * Sealed form: nonce (24) | ciphertext | tag (16). The associated data says where the value belongs; opening it
 * anywhere else fails. Source: draft-irtf-cfrg-xchacha-03; libsodium.
 */
#ifndef CRYPT_SEAL_H
#define CRYPT_SEAL_H

#include "base/buf.h"
#include "crypt/secret.h"

enum { SEAL_KEY_BYTES = 32, SEAL_NONCE_BYTES = 24, SEAL_TAG_BYTES = 16, SEAL_OVERHEAD_BYTES = 40 };

/*
 * seal_close - append the sealed form of `plain` to `out` (plain.n + SEAL_OVERHEAD_BYTES).
 * key  SEAL_KEY_BYTES long
 * ad   associated data, bound but not stored
 * Returns 0 or a fault of buf_reserve(). About 0.5 us and 0.6 ns a byte.
 */
int seal_close(struct buf *out, const struct secret *key, struct bytes ad, struct bytes plain) MUST_USE;

/*
 * seal_open - append the plain text of `sealed` to `out`.
 * Returns 0, SEAL_BAD (wrong key, wrong place, or changed bytes; `out` is unchanged), or a fault of buf_reserve().
 */
enum { SEAL_BAD = 1 };
int seal_open(struct buf *out, const struct secret *key, struct bytes ad, struct bytes sealed) MUST_USE;

/* seal_open_secret - the same into locked memory, for keys; ret_secret is set only on 0. The plain text is not empty.
 */
int seal_open_secret(struct secret *ret_secret, const struct secret *key, struct bytes ad,
                     struct bytes sealed) MUST_USE;

#endif
