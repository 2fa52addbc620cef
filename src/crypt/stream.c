/* stream - see stream.h. */
#include "crypt/stream.h"

#include <sodium.h>
#include <string.h>

enum { CHUNK_AT = 15, LAST_AT = 23 };

static_assert((int)STREAM_TAG_BYTES == (int)SEAL_TAG_BYTES && LAST_AT + 1 == (int)SEAL_NONCE_BYTES, "one algorithm");

static void make_nonce(uint64_t chunk, bool is_last, uint8_t ret[static SEAL_NONCE_BYTES])
{
    memset(ret, 0, SEAL_NONCE_BYTES);
    for (unsigned i = 0; i < 8; i++)
        ret[CHUNK_AT + i] = (uint8_t)(chunk >> (56 - 8 * i));
    ret[LAST_AT] = is_last;
}

uint64_t stream_chunks(uint64_t plain_bytes)
{
    return plain_bytes == 0 ? 1 : (plain_bytes - 1) / STREAM_CHUNK_BYTES + 1;
}

uint64_t stream_bytes(uint64_t plain_bytes)
{
    return plain_bytes + stream_chunks(plain_bytes) * STREAM_TAG_BYTES;
}

int stream_close(uint8_t *ret, const struct secret *key, struct bytes ad, uint64_t chunk, bool is_last,
                 struct bytes plain)
{
    uint8_t nonce[SEAL_NONCE_BYTES];
    assert(key->n == SEAL_KEY_BYTES && plain.n <= STREAM_CHUNK_BYTES && (is_last || plain.n == STREAM_CHUNK_BYTES));
    make_nonce(chunk, is_last, nonce);
    if (crypto_aead_xchacha20poly1305_ietf_encrypt(ret, NULL, plain.p, plain.n, ad.p, ad.n, NULL, nonce, key->p) != 0)
        return RAISE(FAULT_CRYPTO);
    return 0;
}

int stream_open(uint8_t *ret, const struct secret *key, struct bytes ad, uint64_t chunk, bool is_last,
                struct bytes sealed)
{
    uint8_t nonce[SEAL_NONCE_BYTES];
    assert(key->n == SEAL_KEY_BYTES);
    if (sealed.n < STREAM_TAG_BYTES || sealed.n > STREAM_CHUNK_BYTES + STREAM_TAG_BYTES)
        return SEAL_BAD;
    make_nonce(chunk, is_last, nonce);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(ret, NULL, NULL, sealed.p, sealed.n, ad.p, ad.n, nonce, key->p) == 0)
        return 0;
    secret_wipe(ret, sealed.n - STREAM_TAG_BYTES);
    return SEAL_BAD;
}
