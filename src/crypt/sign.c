/* sign - see sign.h. */
#include "crypt/sign.h"

#include <sodium.h>

static_assert(SIGN_SEED_BYTES == crypto_sign_SEEDBYTES && SIGN_PUBLIC_BYTES == crypto_sign_PUBLICKEYBYTES &&
                  SIGN_BYTES == crypto_sign_BYTES,
              "sizes of Ed25519");

/* What libsodium signs with: the seed and the public key. */
static int expand(const struct secret *seed, struct secret *ret_key, uint8_t ret_public[static SIGN_PUBLIC_BYTES])
{
    assert(seed->n == SIGN_SEED_BYTES);
    TRY(secret_init(ret_key, crypto_sign_SECRETKEYBYTES));
    if (crypto_sign_seed_keypair(ret_public, ret_key->p, seed->p) != 0)
        return RAISE(FAULT_CRYPTO);
    return 0;
}

int sign_public(const struct secret *seed, uint8_t ret[static SIGN_PUBLIC_BYTES])
{
    SCOPED(secret_fini) struct secret key = {0};
    return expand(seed, &key, ret);
}

int sign_make(const struct secret *seed, struct bytes message, uint8_t ret[static SIGN_BYTES])
{
    SCOPED(secret_fini) struct secret key = {0};
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    TRY(expand(seed, &key, public_key));
    return crypto_sign_detached(ret, NULL, message.p, message.n, key.p) == 0 ? 0 : RAISE(FAULT_CRYPTO);
}

bool sign_check(const uint8_t public_key[static SIGN_PUBLIC_BYTES], struct bytes message,
                const uint8_t signature[static SIGN_BYTES])
{
    return crypto_sign_verify_detached(signature, message.p, message.n, public_key) == 0;
}
