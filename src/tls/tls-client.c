/*
 * tls-client - what a client trusts and shows, made of PEM texts; see tls.h.
 *
 * Each client has a library context of its own (OSSL_LIB_CTX): the one of the process would read OpenSSL's
 * configuration file, which may put other providers in. A last look at the whole, the greeting of a connection that is
 * never made, brings in what OpenSSL fetches late.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tls/tls-internal.h"

enum { SECURITY_LEVEL = 2, DEPTH_MAX_COUNT = 8, GREETING_MAX_BYTES = 1 << 14, LABEL_MAX_BYTES = 63 };

static_assert(TLS_PEM_MAX_BYTES <= INT32_MAX, "BIO_new_mem_buf() takes an int");

SCOPED_DROP(client_drop, struct tls_client, tls_client_free)
SCOPED_DROP(conn_drop, struct tls_conn, tls_conn_free)
SCOPED_DROP(bio_drop, BIO, BIO_free)
SCOPED_DROP(x509_drop, X509, X509_free)
SCOPED_DROP(pkey_drop, EVP_PKEY, EVP_PKEY_free)

/* ---- PEM ------------------------------------------------------------------------------------------------------- */

/* What the user of a text is told: "client key: does not belong ...". Memory that is lacking is no fault of the text.
 */
static int bad(char *ret_why, const char *what, const char *text)
{
    unsigned long first;
    TRY(tls_errors_take(&first));
    (void)snprintf(ret_why, TLS_WHY_BYTES, "%s: %s%s%s%s", what, text, first != 0 ? " (" : "",
                   first != 0 ? tls_error_text(first) : "", first != 0 ? ")" : "");
    return TLS_BAD;
}

static int pem_open(struct bytes pem, const char *what, BIO **ret_bio, char *ret_why)
{
    if (pem.n == 0)
        return bad(ret_why, what, "empty");
    if (pem.n > TLS_PEM_MAX_BYTES)
        return bad(ret_why, what, "longer than 1 MiB");
    *ret_bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    return *ret_bio != NULL ? 0 : RAISE(-ENOMEM);
}

/* A passphrase is never given, and that one was wanted is noted; without this OpenSSL would ask at the terminal. */
static int no_passphrase(char *ret, int n, int is_writing, void *ret_is_asked)
{
    (void)ret, (void)n, (void)is_writing;
    *(bool *)ret_is_asked = true;
    return -1;
}

enum { PEM_END = 1, PEM_BROKEN = 2 };

/* The next certificate of a text: 0, PEM_END, PEM_BROKEN, or a fault. */
static int next_cert(OSSL_LIB_CTX *lib, BIO *bio, X509 **ret_cert)
{
    bool is_asked = false;
    X509 *cert = X509_new_ex(lib, NULL);
    if (cert == NULL)
        return RAISE(-ENOMEM);
    if (PEM_read_bio_X509(bio, &cert, no_passphrase, &is_asked) != NULL) {
        *ret_cert = cert;
        return 0;
    }
    X509_free(cert);
    unsigned long e = ERR_peek_last_error();
    return ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE ? PEM_END : PEM_BROKEN;
}

/* Calls `use` for each certificate of a text, which must hold one at least. */
static int each_cert(struct tls_client *c, struct bytes pem, const char *what,
                     bool (*use)(SSL_CTX *ctx, X509 *cert, size_t index), char *ret_why)
{
    SCOPED(bio_drop) BIO *bio = NULL;
    int r = pem_open(pem, what, &bio, ret_why);
    for (size_t i = 0; r == 0; i++) {
        SCOPED(x509_drop) X509 *cert = NULL;
        r = next_cert(c->lib, bio, &cert);
        if (r == PEM_END && i > 0)
            return tls_errors_take(NULL);
        if (r == PEM_END)
            return bad(ret_why, what, "no certificate in PEM in it");
        if (r == PEM_BROKEN)
            return bad(ret_why, what, "a certificate in it is broken");
        if (r == 0 && !use(c->ctx, cert, i))
            return bad(ret_why, what, "a certificate in it cannot be used");
    }
    return r;
}

/* ---- what it trusts and shows ---------------------------------------------------------------------------------- */

static bool use_ca(SSL_CTX *ctx, X509 *cert, size_t index)
{
    (void)index;
    return X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), cert) == 1;
}

static bool use_own(SSL_CTX *ctx, X509 *cert, size_t index)
{
    return (index == 0 ? SSL_CTX_use_certificate(ctx, cert) : SSL_CTX_add1_chain_cert(ctx, cert)) == 1;
}

static int use_key(struct tls_client *c, struct bytes pem, char *ret_why)
{
    static const char what[] = "client key";
    SCOPED(bio_drop) BIO *bio = NULL;
    bool is_asked = false;
    int r = pem_open(pem, what, &bio, ret_why);
    if (r != 0)
        return r;
    SCOPED(pkey_drop) EVP_PKEY *key = PEM_read_bio_PrivateKey_ex(bio, NULL, no_passphrase, &is_asked, c->lib, NULL);
    if (is_asked) {
        ERR_clear_error();
        return bad(ret_why, what, "has a passphrase; only keys without one can be used");
    }
    if (key == NULL)
        return bad(ret_why, what, "no private key in PEM in it, or a broken one");
    if (X509_check_private_key(SSL_CTX_get0_certificate(c->ctx), key) != 1)
        return bad(ret_why, what, "does not belong to the first certificate of the client");
    if (SSL_CTX_use_PrivateKey(c->ctx, key) != 1 || SSL_CTX_check_private_key(c->ctx) != 1)
        return bad(ret_why, what, "cannot be used");
    return 0;
}

static int use_texts(struct tls_client *c, const struct tls_client_settings *s, char *ret_why)
{
    int r = each_cert(c, s->ca, "CA certificates", use_ca, ret_why);
    if (r != 0 || (s->cert.n == 0 && s->key.n == 0))
        return r;
    r = each_cert(c, s->cert, "client certificate", use_own, ret_why);
    return r != 0 ? r : use_key(c, s->key, ret_why);
}

/* ---- the name -------------------------------------------------------------------------------------------------- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_label(struct bytes label, bool *ret_has_letter)
{
    *ret_has_letter = false;
    for (size_t i = 0; i < label.n; i++) {
        char c = (char)label.p[i];
        bool is_inner = i > 0 && i + 1 < label.n;
        if (!is_letter(c) && (c < '0' || c > '9') && c != '_' && (c != '-' || !is_inner))
            return false;
        *ret_has_letter = *ret_has_letter || is_letter(c);
    }
    return label.n > 0 && label.n <= LABEL_MAX_BYTES;
}

/*
 * OpenSSL would take a leading dot for "any name below", so a name is checked here. The last label of a name is never
 * without a letter: that is an address with a slip.
 */
static bool is_dns_name(struct bytes name)
{
    bool has_letter = false;
    size_t at = 0;
    while (at < name.n) {
        struct bytes rest = bytes_from(name, at), label = bytes_head(rest, bytes_find(rest, '.'));
        bool is_last = label.n == rest.n;
        if (!is_label(label, &has_letter))
            return false;
        at += label.n + (is_last ? 0 : 1);
        if (!is_last && at == name.n)
            return false;
    }
    return has_letter && name.n <= TLS_NAME_MAX_BYTES;
}

static int use_name(struct tls_client *c, const char *name, char *ret_why)
{
    if (name != NULL && inet_pton(AF_INET, name, c->ip) == 1) {
        c->ip_bytes = 4;
    } else if (name != NULL && inet_pton(AF_INET6, name, c->ip) == 1) {
        c->ip_bytes = 16;
    } else if (!is_dns_name(bytes_of_text(name))) {
        return bad(ret_why, "server name", "neither a DNS name nor an IP address");
    } else {
        memcpy(c->name, name, strlen(name) + 1);
    }
    return 0;
}

/* ---- the client ------------------------------------------------------------------------------------------------ */

/* Said even where it is the default: a configuration file, should the process have read one, may say otherwise. */
static bool set_rules(SSL_CTX *ctx)
{
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) != 1)
        return false;
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN); /* what is shown is what was given */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_get_security_level(ctx) < SECURITY_LEVEL)
        SSL_CTX_set_security_level(ctx, SECURITY_LEVEL);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_verify_depth(ctx, DEPTH_MAX_COUNT);
    SSL_CTX_set_max_cert_list(ctx, TLS_CHAIN_MAX_BYTES);
    return X509_VERIFY_PARAM_clear_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN) == 1;
}

static int set_up(struct tls_client *c)
{
    /* for the whole process and before anything else of OpenSSL: no configuration file, and all its texts at once */
    bool is_set =
        OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_LOAD_SSL_STRINGS,
                         NULL) == 1;
    c->lib = is_set ? OSSL_LIB_CTX_new() : NULL;
    c->ctx = c->lib != NULL ? SSL_CTX_new_ex(c->lib, NULL, TLS_client_method()) : NULL;
    c->wire = c->ctx != NULL ? tls_wire_new() : NULL;
    is_set = c->wire != NULL && set_rules(c->ctx);
    TRY(tls_errors_take(NULL));
    return is_set ? 0 : RAISE(FAULT_CRYPTO);
}

static int greet(const struct tls_client *client)
{
    SCOPED(conn_drop) struct tls_conn *conn = NULL;
    SCOPED(buf_fini) struct buf plain, out;
    buf_init(&plain, 1);
    buf_init(&out, GREETING_MAX_BYTES);
    TRY(tls_conn_new(client, &conn));
    int r = tls_conn_step(conn, BYTES_NONE, &plain, &out);
    TRY(r);
    return r == TLS_HANDSHAKE && buf_size(&out) > 0 ? 0 : RAISE(FAULT_CRYPTO);
}

int tls_client_new(const struct tls_client_settings *settings, struct tls_client **ret_client, char *ret_why)
{
    struct tm unused;
    assert(settings != NULL && ret_client != NULL && ret_why != NULL);
    SCOPED(client_drop) struct tls_client *c = calloc(1, sizeof *c);
    if (c == NULL)
        return RAISE(-ENOMEM);
    ERR_clear_error();
    TRY(set_up(c));
    int r = use_name(c, settings->name, ret_why);
    if (r == 0)
        r = use_texts(c, settings, ret_why);
    if (r != 0)
        return r;
    (void)gmtime_r(&(time_t){0}, &unused); /* glibc reads /etc/localtime then; checking a certificate needs it */
    TRY(greet(c));
    *ret_client = TAKE(c);
    return 0;
}

struct tls_client *tls_client_free(struct tls_client *client)
{
    if (client == NULL)
        return NULL;
    SSL_CTX_free(client->ctx);
    BIO_meth_free(client->wire);
    OSSL_LIB_CTX_free(client->lib);
    ERR_clear_error();
    free(client);
    return NULL;
}
