/*
 * sign - Ed25519 signatures. Source: RFC 8032; libsodium (which refuses keys of small order and signatures that are not
 * canonical).
 */
#ifndef CRYPT_SIGN_H
#define CRYPT_SIGN_H

#include "crypt/secret.h"

enum { SIGN_SEED_BYTES = 32, SIGN_PUBLIC_BYTES = 32, SIGN_BYTES = 64 };

/* sign_public - the public key of a seed (SIGN_SEED_BYTES). Returns 0 or -ENOMEM. About 15 us. */
int sign_public(const struct secret *seed, uint8_t ret[static SIGN_PUBLIC_BYTES]) MUST_USE;

/* sign_make - the signature of a message. Returns 0 or -ENOMEM. About 30 us. */
int sign_make(const struct secret *seed, struct bytes message, uint8_t ret[static SIGN_BYTES]) MUST_USE;

/* sign_check - true if the signature is that of the message by whoever has the seed of the public key. About 40 us. */
bool sign_check(const uint8_t public_key[static SIGN_PUBLIC_BYTES], struct bytes message,
                const uint8_t signature[static SIGN_BYTES]) MUST_USE;

#endif
