/* siv - see siv.h. The algorithm is looked up once; a context is made for each text, since these are few. */
#include "crypt/siv.h"

#include "crypt/crypt-internal.h"

#include <openssl/evp.h>
#include <string.h>

static EVP_CIPHER *cipher;

SCOPED_DROP(ctx_drop, EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)

int siv_start(void)
{
    if (cipher == NULL)
        cipher = EVP_CIPHER_fetch(NULL, "AES-256-SIV", NULL);
    return cipher != NULL && EVP_CIPHER_get_key_length(cipher) == SIV_KEY_BYTES ? 0 : RAISE(FAULT_CRYPTO);
}

static int begin(const struct secret *key, bool is_closing, EVP_CIPHER_CTX **ret_ctx)
{
    assert(key->n == SIV_KEY_BYTES);
    TRY(siv_start());
    SCOPED(ctx_drop) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL || EVP_CipherInit_ex2(ctx, cipher, key->p, NULL, is_closing, NULL) != 1)
        return RAISE(FAULT_CRYPTO);
    *ret_ctx = TAKE(ctx);
    return 0;
}

/* One associated text, then the text itself, which OpenSSL wants whole. */
static bool run(EVP_CIPHER_CTX *ctx, struct bytes ad, struct bytes in, uint8_t *ret)
{
    int n = 0;
    return (ad.n == 0 || EVP_CipherUpdate(ctx, NULL, &n, ad.p, (int)ad.n) == 1) &&
           EVP_CipherUpdate(ctx, ret, &n, in.p, (int)in.n) == 1 && (size_t)n == in.n;
}

int siv_close(struct buf *out, const struct secret *key, struct bytes ad, struct bytes plain)
{
    SCOPED(ctx_drop) EVP_CIPHER_CTX *ctx = NULL;
    uint8_t *p;
    assert(plain.n > 0 && plain.n < INT32_MAX && ad.n < INT32_MAX);
    TRY(begin(key, true, &ctx));
    TRY(buf_reserve(out, plain.n + SIV_OVERHEAD_BYTES, &p));
    if (!run(ctx, ad, plain, p + SIV_OVERHEAD_BYTES) ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SIV_OVERHEAD_BYTES, p) != 1)
        return RAISE(FAULT_CRYPTO);
    buf_commit(out, plain.n + SIV_OVERHEAD_BYTES);
    return 0;
}

int siv_open(struct buf *out, const struct secret *key, struct bytes ad, struct bytes sealed)
{
    SCOPED(ctx_drop) EVP_CIPHER_CTX *ctx = NULL;
    uint8_t *p, tag[SIV_OVERHEAD_BYTES];
    assert(sealed.n < INT32_MAX && ad.n < INT32_MAX);
    if (sealed.n <= SIV_OVERHEAD_BYTES)
        return SIV_BAD;
    struct bytes text = bytes_from(sealed, SIV_OVERHEAD_BYTES);
    memcpy(tag, sealed.p, sizeof tag);
    TRY(begin(key, false, &ctx));
    TRY(buf_reserve(out, text.n, &p));
    if (EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag) != 1)
        return RAISE(FAULT_CRYPTO);
    if (!run(ctx, ad, text, p)) {
        secret_wipe(p, text.n);
        return SIV_BAD;
    }
    buf_commit(out, text.n);
    return 0;
}
