/*
 * siv - deterministic authenticated encryption of short texts: AES-256-SIV. The same text under the same key and
 * associated data always gives the same sealed form, so that it can be looked for; that two are equal is all that
 * shows.
 *
 * Sealed form: synthetic IV, which is the tag (16) | ciphertext. Source: RFC 5297; OpenSSL EVP.
 */
#ifndef CRYPT_SIV_H
#define CRYPT_SIV_H

#include "base/buf.h"
#include "crypt/secret.h"

enum { SIV_KEY_BYTES = 64, SIV_OVERHEAD_BYTES = 16 };

/* siv_close - append the sealed form of `plain` (plain.n + SIV_OVERHEAD_BYTES), which is not empty. Returns 0,
 * FAULT_CRYPTO, or a fault of buf_reserve(). About 4 us. */
int siv_close(struct buf *out, const struct secret *key, struct bytes ad, struct bytes plain) MUST_USE;

/* siv_open - append the plain text of `sealed`. Returns 0, SIV_BAD (wrong key or place, changed bytes; `out` is
 * unchanged), FAULT_CRYPTO, or a fault of buf_reserve(). About 4 us. */
enum { SIV_BAD = 1 };
int siv_open(struct buf *out, const struct secret *key, struct bytes ad, struct bytes sealed) MUST_USE;

#endif
