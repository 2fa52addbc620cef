/*
 * crypt-internal - what the modules of this folder share with each other and with their tests, and with nobody else.
 *
 * The raw forms take the nonce or the number of rounds as they are given, so that published vectors can be checked;
 * outside this folder both are out of the caller's hands.
 */
#ifndef CRYPT_CRYPT_INTERNAL_H
#define CRYPT_CRYPT_INTERNAL_H

#include "crypt/kdf.h"
#include "crypt/seal.h"

/*
 * digest_start, kdf_start, siv_start - fetch the algorithms, so that no later call reads a file or loads code under
 * confinement. The second call does nothing. Return 0 or FAULT_CRYPTO.
 */
int digest_start(void) MUST_USE;
int kdf_start(void) MUST_USE;
int siv_start(void) MUST_USE;

/* random_kernel - `n` bytes from getrandom(2); ends the process if the kernel has none to give. */
void random_kernel(void *ret, size_t n);

/* kdf_pbkdf2_raw - kdf_pbkdf2() without the bounds on rounds; 1 is the least. Returns 0, -ENOMEM or FAULT_CRYPTO. */
int kdf_pbkdf2_raw(const struct secret *passphrase, struct bytes salt, uint32_t rounds,
                   struct secret *ret_secret) MUST_USE;

/* seal_put_nonce - write the sealed form of `plain` under a given nonce. Returns 0 or FAULT_CRYPTO. */
int seal_put_nonce(uint8_t *ret, const struct secret *key, const uint8_t nonce[static SEAL_NONCE_BYTES],
                   struct bytes ad, struct bytes plain) MUST_USE;

/* seal_put - write the sealed form (plain.n + SEAL_OVERHEAD_BYTES) at `ret`. Returns 0 or FAULT_CRYPTO. */
int seal_put(uint8_t *ret, const struct secret *key, struct bytes ad, struct bytes plain) MUST_USE;

/*
 * seal_get - write the plain text (sealed.n - SEAL_OVERHEAD_BYTES) at `ret`, which may be NULL if that is 0 bytes.
 * Returns 0, or SEAL_BAD with the area wiped.
 */
int seal_get(uint8_t *ret, const struct secret *key, struct bytes ad, struct bytes sealed) MUST_USE;

#endif
