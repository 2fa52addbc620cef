/*
 * digest - see digest.h.
 *
 * Looking an algorithm up by name and allocating a context cost more than hashing an audit record, so both are done
 * once. A context of OpenSSL 3 that is initialised again without naming an algorithm keeps the one it has. Each message
 * begins with such an initialisation, so nothing that a failed call left behind reaches the next digest.
 *
 * The kept state of a MAC lies in OpenSSL's heap, which is cleared when freed but not locked.
 */
#include "crypt/digest.h"

#include "crypt/crypt-internal.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

enum { JOIN_BYTES = 512 };

static EVP_MD_CTX *sha256_ctx;
static EVP_MAC *hmac;

struct digest_mac {
    EVP_MAC_CTX *ctx;
};

SCOPED_DROP(md_drop, EVP_MD, EVP_MD_free)
SCOPED_DROP(md_ctx_drop, EVP_MD_CTX, EVP_MD_CTX_free)
SCOPED_DROP(digest_mac_drop, struct digest_mac, digest_mac_free)

static int sha256_start(void)
{
    SCOPED(md_drop) EVP_MD *md = EVP_MD_fetch(NULL, "SHA256", NULL);
    SCOPED(md_ctx_drop) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (md == NULL || ctx == NULL || EVP_MD_get_size(md) != DIGEST_BYTES || EVP_DigestInit_ex2(ctx, md, NULL) != 1)
        return RAISE(FAULT_CRYPTO);
    sha256_ctx = TAKE(ctx);
    return 0;
}

int digest_start(void)
{
    if (sha256_ctx == NULL)
        TRY(sha256_start());
    if (hmac == NULL)
        hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    return hmac != NULL ? 0 : RAISE(FAULT_CRYPTO);
}

int digest_sha256(const struct bytes *parts, size_t count, uint8_t ret[static DIGEST_BYTES])
{
    TRY(digest_start());
    if (EVP_DigestInit_ex2(sha256_ctx, NULL, NULL) != 1)
        return RAISE(FAULT_CRYPTO);
    for (size_t i = 0; i < count; i++) {
        assert(parts[i].p != NULL || parts[i].n == 0);
        if (EVP_DigestUpdate(sha256_ctx, parts[i].p, parts[i].n) != 1)
            return RAISE(FAULT_CRYPTO);
    }
    if (EVP_DigestFinal_ex(sha256_ctx, ret, NULL) != 1)
        return RAISE(FAULT_CRYPTO);
    return 0;
}

int digest_mac_new(const struct secret *key, struct digest_mac **ret_mac)
{
    char name[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                           OSSL_PARAM_construct_end()};
    assert(!secret_is_empty(key));
    TRY(digest_start());
    SCOPED(digest_mac_drop) struct digest_mac *mac = calloc(1, sizeof *mac);
    if (mac == NULL)
        return RAISE(-ENOMEM);
    mac->ctx = EVP_MAC_CTX_new(hmac);
    if (mac->ctx == NULL || EVP_MAC_init(mac->ctx, key->p, key->n, params) != 1)
        return RAISE(FAULT_CRYPTO);
    *ret_mac = TAKE(mac);
    return 0;
}

struct digest_mac *digest_mac_free(struct digest_mac *mac)
{
    if (mac == NULL)
        return NULL;
    EVP_MAC_CTX_free(mac->ctx);
    free(mac);
    return NULL;
}

/* Short parts are joined first: an update costs more than copying what a column holds. */
int digest_mac(struct digest_mac *mac, const struct bytes *parts, size_t count, uint8_t ret[static DIGEST_BYTES])
{
    uint8_t joined[JOIN_BYTES];
    size_t used = 0, n = 0;
    if (EVP_MAC_init(mac->ctx, NULL, 0, NULL) != 1)
        return RAISE(FAULT_CRYPTO);
    for (size_t i = 0; i < count; i++) {
        assert(parts[i].p != NULL || parts[i].n == 0);
        bool fits = parts[i].n <= sizeof joined - used;
        if (fits && parts[i].n > 0)
            memcpy(joined + used, parts[i].p, parts[i].n);
        used += fits ? parts[i].n : 0;
        if (fits)
            continue;
        if (EVP_MAC_update(mac->ctx, joined, used) != 1 || EVP_MAC_update(mac->ctx, parts[i].p, parts[i].n) != 1)
            return RAISE(FAULT_CRYPTO);
        used = 0;
    }
    if (EVP_MAC_update(mac->ctx, joined, used) != 1)
        return RAISE(FAULT_CRYPTO);
    if (EVP_MAC_final(mac->ctx, ret, &n, DIGEST_BYTES) != 1)
        return RAISE(FAULT_CRYPTO);
    assert(n == DIGEST_BYTES);
    return 0;
}

void digest_sum_add(uint8_t sum[static DIGEST_BYTES], const uint8_t mac[static DIGEST_BYTES])
{
    unsigned carry = 0;
    for (int i = DIGEST_BYTES - 1; i >= 0; i--) {
        carry += (unsigned)sum[i] + mac[i];
        sum[i] = (uint8_t)(carry & 255u);
        carry >>= 8;
    }
}

void digest_sum_remove(uint8_t sum[static DIGEST_BYTES], const uint8_t mac[static DIGEST_BYTES])
{
    unsigned borrow = 0;
    for (int i = DIGEST_BYTES - 1; i >= 0; i--) {
        unsigned d = (unsigned)sum[i] - mac[i] - borrow;
        sum[i] = (uint8_t)(d & 255u);
        borrow = d >> 31;
    }
}
