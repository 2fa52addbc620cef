/*
 * test-cert - keys and certificates for tests and fuzz targets of this folder, made anew in each run. What cannot be
 * made ends the program. The caller frees with cert_free().
 */
#ifndef TLS_TEST_CERT_H
#define TLS_TEST_CERT_H

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum { CERT_PEM_BYTES = 3 << 10, CERT_DAY_S = 86400 };

struct cert_wish {
    const char *kind;       /* "P-256" (if NULL), "P-384", "ED25519", "RSA" (of 2048 bits), "RSA-1024" */
    const char *cn;         /* common name; "test" if NULL */
    const char *san;        /* "DNS:a.example,IP:192.0.2.1", or NULL */
    const char *use;        /* extended key usage, or NULL */
    int from_days, to_days; /* when it is valid, from today; 0, 0: -1 to 1 */
    bool is_ca;
};

/* A certificate and its key. */
struct cert {
    EVP_PKEY *key;
    X509 *x509;
};

struct cert_pem {
    size_t n;
    uint8_t p[CERT_PEM_BYTES];
};

/* Not assert(): this holds in fuzz targets too, whatever they are built with. */
static inline void cert_need(bool is_done)
{
    if (!is_done)
        abort();
}

static inline EVP_PKEY *cert_key(const char *kind)
{
    EVP_PKEY *key;
    if (strcmp(kind, "ED25519") == 0)
        key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    else if (strncmp(kind, "RSA", 3) == 0)
        key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", strcmp(kind, "RSA") == 0 ? (size_t)2048 : (size_t)1024);
    else
        key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind);
    cert_need(key != NULL);
    return key;
}

static inline void cert_extend(X509 *x, X509 *issuer, int nid, const char *text)
{
    X509V3_CTX ctx;
    if (text == NULL)
        return;
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, text);
    cert_need(e != NULL && X509_add_ext(x, e, -1) == 1);
    X509_EXTENSION_free(e);
}

/* issuer: NULL for one that signs itself */
static inline struct cert cert_make(const struct cert_wish *wish, const struct cert *issuer)
{
    static long serial;
    const char *cn = wish->cn != NULL ? wish->cn : "test", *kind = wish->kind != NULL ? wish->kind : "P-256";
    struct cert c = {cert_key(kind), X509_new()};
    bool is_dated = wish->from_days != 0 || wish->to_days != 0;
    const struct cert *by = issuer != NULL ? issuer : &c;
    cert_need(c.x509 != NULL && X509_set_version(c.x509, X509_VERSION_3) == 1);
    cert_need(ASN1_INTEGER_set(X509_get_serialNumber(c.x509), ++serial) == 1);
    X509_gmtime_adj(X509_getm_notBefore(c.x509), (is_dated ? wish->from_days : -1) * (long)CERT_DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(c.x509), (is_dated ? wish->to_days : 1) * (long)CERT_DAY_S);
    cert_need(X509_NAME_add_entry_by_txt(X509_get_subject_name(c.x509), "CN", MBSTRING_UTF8, (const unsigned char *)cn,
                                         -1, -1, 0) == 1);
    cert_need(X509_set_issuer_name(c.x509, X509_get_subject_name(by->x509)) == 1);
    cert_need(X509_set_pubkey(c.x509, c.key) == 1);
    cert_extend(c.x509, by->x509, NID_basic_constraints, wish->is_ca ? "critical,CA:TRUE" : "CA:FALSE");
    cert_extend(c.x509, by->x509, NID_key_usage, wish->is_ca ? "critical,keyCertSign" : "critical,digitalSignature");
    cert_extend(c.x509, by->x509, NID_subject_alt_name, wish->san);
    cert_extend(c.x509, by->x509, NID_ext_key_usage, wish->use);
    bool has_own_digest = EVP_PKEY_is_a(by->key, "ED25519") == 1;
    cert_need(X509_sign(c.x509, by->key, has_own_digest ? NULL : EVP_sha256()) > 0);
    return c;
}

static inline void cert_free(struct cert *c)
{
    EVP_PKEY_free(c->key);
    X509_free(c->x509);
    *c = (struct cert){0};
}

static inline void cert_take(struct cert_pem *out, BIO *bio)
{
    int n = BIO_read(bio, out->p + out->n, (int)(sizeof out->p - out->n));
    cert_need(n > 0 && out->n + (size_t)n < sizeof out->p);
    out->n += (size_t)n;
    BIO_free(bio);
}

/* Append the certificate in PEM. */
static inline void cert_pem(struct cert_pem *out, X509 *x)
{
    BIO *bio = BIO_new(BIO_s_mem());
    cert_need(bio != NULL && PEM_write_bio_X509(bio, x) == 1);
    cert_take(out, bio);
}

/* Append the key in PEM; with a passphrase unless that is NULL, in the old form if `is_old`. */
static inline void cert_key_pem(struct cert_pem *out, EVP_PKEY *key, const char *passphrase, bool is_old)
{
    const EVP_CIPHER *cipher = passphrase != NULL ? EVP_aes_256_cbc() : NULL;
    int n = passphrase != NULL ? (int)strlen(passphrase) : 0;
    BIO *bio = BIO_new(BIO_s_mem());
    cert_need(bio != NULL);
    if (is_old)
        cert_need(PEM_write_bio_PrivateKey_traditional(bio, key, cipher, (const unsigned char *)passphrase, n, NULL,
                                                       NULL) == 1);
    else
        cert_need(PEM_write_bio_PKCS8PrivateKey(bio, key, cipher, passphrase, n, NULL, NULL) == 1);
    cert_take(out, bio);
}

static inline struct bytes cert_pem_view(const struct cert_pem *pem)
{
    return bytes_of(pem->p, pem->n);
}

#endif
