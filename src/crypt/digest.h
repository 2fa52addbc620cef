/*
 * digest - SHA-256 and HMAC-SHA-256 with contexts that are kept, because making one costs more than hashing a record.
 * Source: FIPS 180-4, RFC 2104; OpenSSL EVP.
 */
#ifndef CRYPT_DIGEST_H
#define CRYPT_DIGEST_H

#include "crypt/secret.h"

enum { DIGEST_BYTES = 32 };

/*
 * digest_sha256 - hash the concatenation of `count` runs.
 * Returns 0 or FAULT_CRYPTO. About 0.2 us for 200 bytes. Not reentrant: one context a process.
 */
int digest_sha256(const struct bytes *parts, size_t count, uint8_t ret[static DIGEST_BYTES]) MUST_USE;

struct digest_mac; /* HMAC-SHA-256 under one key */

/* digest_mac_new - keep a context for `key`, whose bytes the caller may wipe afterwards. Returns 0, -ENOMEM,
 * FAULT_CRYPTO. */
int digest_mac_new(const struct secret *key, struct digest_mac **ret_mac) MUST_USE;

/* digest_mac_free - wipe and free; NULL is allowed. Returns NULL. */
struct digest_mac *digest_mac_free(struct digest_mac *mac);

/* digest_mac - the tag of the concatenation of `count` runs. Callers frame the runs so that no two messages collide. */
int digest_mac(struct digest_mac *mac, const struct bytes *parts, size_t count,
               uint8_t ret[static DIGEST_BYTES]) MUST_USE;

/* digest_sum_add, digest_sum_remove - a sum with one more digest, or one less: addition modulo 2^256 of big-endian
 * numbers. So a set has one sum, in whatever order it came to be. */
void digest_sum_add(uint8_t sum[static DIGEST_BYTES], const uint8_t digest[static DIGEST_BYTES]);
void digest_sum_remove(uint8_t sum[static DIGEST_BYTES], const uint8_t digest[static DIGEST_BYTES]);

#endif
