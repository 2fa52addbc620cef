/* forward - see forward.h. */
#include "crypt/forward.h"

#include <sodium.h>
#include <string.h>

enum { OUT_BYTES = 2 * FORWARD_KEY_BYTES, BLOCK_BYTES = 128 };
static_assert((int)DIGEST_BYTES == (int)FORWARD_KEY_BYTES && OUT_BYTES == crypto_generichash_blake2b_BYTES_MAX,
              "one hash gives two halves");

/* Key and message in one block: the two messages differ in length, so no key is ever used for both. */
static void halves(const uint8_t *key, const uint8_t *message, size_t n, uint8_t *ret_first, uint8_t *ret_second)
{
    uint8_t in[BLOCK_BYTES], out[OUT_BYTES];
    assert(FORWARD_KEY_BYTES + n <= sizeof in);
    memcpy(in, key, FORWARD_KEY_BYTES);
    memcpy(in + FORWARD_KEY_BYTES, message, n);
    int r = crypto_generichash_blake2b(out, sizeof out, in, FORWARD_KEY_BYTES + n, NULL, 0);
    assert(r == 0); /* only for lengths that are out of bounds */
    (void)r;
    memcpy(ret_first, out, FORWARD_KEY_BYTES);
    memcpy(ret_second, out + FORWARD_KEY_BYTES, FORWARD_KEY_BYTES);
    secret_wipe(in, FORWARD_KEY_BYTES);
    secret_wipe(out, sizeof out);
}

void forward_begin(const uint8_t start[static FORWARD_KEY_BYTES], uint8_t ret_key[static FORWARD_KEY_BYTES],
                   uint8_t ret_next_start[static FORWARD_KEY_BYTES])
{
    static const uint8_t context[] = {"secreg trail epoch"};
    halves(start, context, sizeof context - 1, ret_key, ret_next_start);
}

void forward_add(uint8_t key[static FORWARD_KEY_BYTES], uint8_t tag[static DIGEST_BYTES],
                 const uint8_t leaf[static DIGEST_BYTES])
{
    uint8_t message[2 * DIGEST_BYTES];
    memcpy(message, tag, DIGEST_BYTES);
    memcpy(message + DIGEST_BYTES, leaf, DIGEST_BYTES);
    halves(key, message, sizeof message, tag, key);
}
