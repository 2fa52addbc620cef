/* kdf - see kdf.h. The algorithms are fetched once; the contexts are not kept, because they hold the key. */
#include "crypt/kdf.h"

#include "crypt/crypt-internal.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

enum { KDF_OUT_BYTES = 32, KDF_PARAMS_MAX_COUNT = 5 };

static EVP_KDF *hkdf, *pbkdf2;
static char sha256_name[] = "SHA256";

SCOPED_DROP(kdf_ctx_drop, EVP_KDF_CTX, EVP_KDF_CTX_free)

int kdf_start(void)
{
    if (hkdf == NULL)
        hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    if (pbkdf2 == NULL)
        pbkdf2 = EVP_KDF_fetch(NULL, "PBKDF2", NULL);
    return hkdf != NULL && pbkdf2 != NULL ? 0 : RAISE(FAULT_CRYPTO);
}

/* The field is not const because the same struct also carries results; a parameter that is set is only read. */
static OSSL_PARAM octets(const char *name, struct bytes in)
{
    return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)in.p, in.n);
}

static OSSL_PARAM digest_name(void)
{
    return OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, sha256_name, 0);
}

static int derive(EVP_KDF *kdf, const OSSL_PARAM *params, size_t n, struct secret *ret_secret)
{
    SCOPED(secret_fini) struct secret out = {0};
    SCOPED(kdf_ctx_drop) EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    if (ctx == NULL)
        return RAISE(FAULT_CRYPTO);
    TRY(secret_init(&out, n));
    if (EVP_KDF_derive(ctx, out.p, out.n, params) != 1)
        return RAISE(FAULT_CRYPTO);
    *ret_secret = out;
    out = (struct secret){0};
    return 0;
}

int kdf_hkdf(const struct secret *key, struct bytes salt, struct bytes info, size_t n, struct secret *ret_secret)
{
    OSSL_PARAM params[KDF_PARAMS_MAX_COUNT];
    size_t count = 0;
    assert(!secret_is_empty(key));
    TRY(kdf_start());
    params[count++] = digest_name();
    params[count++] = octets(OSSL_KDF_PARAM_KEY, secret_view(key));
    if (salt.n > 0)
        params[count++] = octets(OSSL_KDF_PARAM_SALT, salt);
    if (info.n > 0)
        params[count++] = octets(OSSL_KDF_PARAM_INFO, info);
    params[count++] = OSSL_PARAM_construct_end();
    assert(count <= COUNT_OF(params));
    return derive(hkdf, params, n, ret_secret);
}

int kdf_pbkdf2_raw(const struct secret *passphrase, struct bytes salt, uint32_t rounds, struct secret *ret_secret)
{
    OSSL_PARAM params[KDF_PARAMS_MAX_COUNT];
    assert(!secret_is_empty(passphrase) && salt.n > 0 && rounds > 0);
    TRY(kdf_start());
    params[0] = digest_name();
    params[1] = octets(OSSL_KDF_PARAM_PASSWORD, secret_view(passphrase));
    params[2] = octets(OSSL_KDF_PARAM_SALT, salt);
    params[3] = OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_ITER, &rounds);
    params[4] = OSSL_PARAM_construct_end();
    return derive(pbkdf2, params, KDF_OUT_BYTES, ret_secret);
}

int kdf_pbkdf2(const struct secret *passphrase, struct bytes salt, uint32_t rounds, struct secret *ret_secret)
{
    if (rounds < KDF_ROUNDS_MIN_COUNT || rounds > KDF_ROUNDS_MAX_COUNT)
        return RAISE(FAULT_LIMIT);
    return kdf_pbkdf2_raw(passphrase, salt, rounds, ret_secret);
}
