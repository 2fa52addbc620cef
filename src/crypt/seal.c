/*
 * seal - see seal.h.
 *
 * Both directions work straight in the room that the buffer reserved: a value is never copied on its way. libsodium
 * checks the tag before it writes the first plain byte; the area is wiped all the same, because that is a promise of
 * ours and only a habit of the library.
 */
#include "crypt/seal.h"

#include "crypt/crypt-internal.h"

#include <sodium.h>
#include <string.h>

static_assert(SEAL_OVERHEAD_BYTES == SEAL_NONCE_BYTES + SEAL_TAG_BYTES, "what sealing adds");

/* buf_reserve() may move the buffer, and what lay in it would be read after it was freed. */
static bool is_apart(const struct buf *out, struct bytes in)
{
    uintptr_t from = (uintptr_t)out->p, at = (uintptr_t)in.p;
    return in.n == 0 || at + in.n <= from || at >= from + out->cap;
}

int seal_put_nonce(uint8_t *ret, const struct secret *key, const uint8_t nonce[static SEAL_NONCE_BYTES],
                   struct bytes ad, struct bytes plain)
{
    assert(key->n == SEAL_KEY_BYTES);
    memcpy(ret, nonce, SEAL_NONCE_BYTES);
    if (crypto_aead_xchacha20poly1305_ietf_encrypt(ret + SEAL_NONCE_BYTES, NULL, plain.p, plain.n, ad.p, ad.n, NULL,
                                                   nonce, key->p) != 0)
        return RAISE(FAULT_CRYPTO);
    return 0;
}

int seal_put(uint8_t *ret, const struct secret *key, struct bytes ad, struct bytes plain)
{
    uint8_t nonce[SEAL_NONCE_BYTES];
    crypt_random(nonce, sizeof nonce);
    return seal_put_nonce(ret, key, nonce, ad, plain);
}

int seal_get(uint8_t *ret, const struct secret *key, struct bytes ad, struct bytes sealed)
{
    assert(key->n == SEAL_KEY_BYTES);
    if (sealed.n < SEAL_OVERHEAD_BYTES)
        return SEAL_BAD;
    struct bytes text = bytes_from(sealed, SEAL_NONCE_BYTES);
    size_t n = text.n - SEAL_TAG_BYTES;
    assert(ret != NULL || n == 0);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(ret, NULL, NULL, text.p, text.n, ad.p, ad.n, sealed.p, key->p) == 0)
        return 0;
    secret_wipe(ret, n);
    return SEAL_BAD;
}

int seal_close(struct buf *out, const struct secret *key, struct bytes ad, struct bytes plain)
{
    uint8_t *p;
    assert(is_apart(out, plain) && is_apart(out, ad));
    if (plain.n > SIZE_MAX - SEAL_OVERHEAD_BYTES)
        return RAISE(FAULT_LIMIT);
    TRY(buf_reserve(out, plain.n + SEAL_OVERHEAD_BYTES, &p));
    TRY(seal_put(p, key, ad, plain));
    buf_commit(out, plain.n + SEAL_OVERHEAD_BYTES);
    return 0;
}

int seal_open(struct buf *out, const struct secret *key, struct bytes ad, struct bytes sealed)
{
    uint8_t *p = NULL;
    assert(is_apart(out, sealed) && is_apart(out, ad));
    if (sealed.n < SEAL_OVERHEAD_BYTES)
        return SEAL_BAD;
    size_t n = sealed.n - SEAL_OVERHEAD_BYTES;
    if (n > 0)
        TRY(buf_reserve(out, n, &p));
    int r = seal_get(p, key, ad, sealed);
    if (r != 0)
        return r;
    buf_commit(out, n);
    return 0;
}

int seal_open_secret(struct secret *ret_secret, const struct secret *key, struct bytes ad, struct bytes sealed)
{
    SCOPED(secret_fini) struct secret plain = {0};
    if (sealed.n <= SEAL_OVERHEAD_BYTES)
        return SEAL_BAD;
    TRY(secret_init(&plain, sealed.n - SEAL_OVERHEAD_BYTES));
    int r = seal_get(plain.p, key, ad, sealed);
    if (r != 0)
        return r;
    *ret_secret = plain;
    plain = (struct secret){0};
    return 0;
}
