/*
 * test-server - a server in memory for tests and fuzz targets of this folder, and its connection with a client.
 *
 * Before each call of the client a stranger's error lies in OpenSSL's queue, and after it there must be no other.
 */
#ifndef TLS_TEST_SERVER_H
#define TLS_TEST_SERVER_H

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

#include "test-cert.h"
#include "tls/tls.h"

enum { SERVER_TURNS_COUNT = 8, SERVER_WIRE_MAX_BYTES = 8 << 20 };

struct server_wish {
    const struct cert *own;
    X509 *above; /* shown after its own, `above_count` times */
    size_t above_count;
    X509 *client_ca;      /* a client must show a certificate signed under it; NULL: none is asked for */
    int newest;           /* version; 0: TLS 1.3 */
    const char *groups;   /* key exchange; NULL: those of a usual server */
    unsigned piece_bytes; /* of a record; 0: as long as they may be */
};

struct link {
    SSL_CTX *ctx;
    SSL *ssl;
    struct tls_conn *conn;
    struct buf wire;  /* from the server */
    struct buf heard; /* by the server, in the clear */
    struct buf plain, out;
};

/* A mark of its own in the list of errors, which must not be taken for one of the call's. */
static inline void link_before(void)
{
    ERR_raise(ERR_LIB_USER, ERR_R_MALLOC_FAILURE);
}

static inline int link_after(int r)
{
    unsigned long last = ERR_peek_last_error();
    cert_need(last == 0 || ERR_GET_LIB(last) == ERR_LIB_USER);
    ERR_clear_error();
    return r;
}

static inline SSL_CTX *server_ctx(const struct server_wish *wish)
{
    char groups[64];
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    cert_need(ctx != NULL &&
              SSL_CTX_set_max_proto_version(ctx, wish->newest != 0 ? wish->newest : TLS1_3_VERSION) == 1);
    SSL_CTX_set_security_level(ctx, 0);
    cert_need(SSL_CTX_use_certificate(ctx, wish->own->x509) == 1 && SSL_CTX_use_PrivateKey(ctx, wish->own->key) == 1);
    for (size_t i = 0; i < wish->above_count; i++)
        cert_need(SSL_CTX_add1_chain_cert(ctx, wish->above) == 1);
    if (wish->client_ca != NULL) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        cert_need(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), wish->client_ca) == 1);
        cert_need(SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"test", 4) == 1);
    }
    (void)snprintf(groups, sizeof groups, "%s", wish->groups != NULL ? wish->groups : "X25519:P-256:P-384");
    cert_need(SSL_CTX_set1_groups_list(ctx, groups) == 1);
    if (wish->piece_bytes > 0)
        cert_need(SSL_CTX_set_max_send_fragment(ctx, wish->piece_bytes) == 1);
    return ctx;
}

static inline void link_init(struct link *l, const struct tls_client *client, const struct server_wish *wish)
{
    *l = (struct link){.ctx = server_ctx(wish)};
    l->ssl = SSL_new(l->ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    cert_need(l->ssl != NULL && in != NULL && out != NULL);
    BIO_set_mem_eof_return(in, -1);
    SSL_set_bio(l->ssl, in, out);
    SSL_set_accept_state(l->ssl);
    buf_init(&l->wire, SERVER_WIRE_MAX_BYTES);
    buf_init(&l->heard, SERVER_WIRE_MAX_BYTES);
    buf_init(&l->plain, SERVER_WIRE_MAX_BYTES);
    buf_init(&l->out, SERVER_WIRE_MAX_BYTES);
    link_before();
    cert_need(link_after(tls_conn_new(client, &l->conn)) == 0);
}

static inline void link_fini(struct link *l)
{
    tls_conn_free(l->conn);
    SSL_free(l->ssl);
    SSL_CTX_free(l->ctx);
    buf_fini(&l->wire);
    buf_fini(&l->heard);
    buf_fini(&l->plain);
    buf_fini(&l->out);
}

/* What the server has ready for the client is moved to `wire`. */
static inline void link_server_sends(struct link *l)
{
    static uint8_t piece[1024];
    int n;
    while ((n = BIO_read(SSL_get_wbio(l->ssl), piece, sizeof piece)) > 0)
        cert_need(buf_append(&l->wire, bytes_of(piece, (size_t)n)) == 0);
    ERR_clear_error();
}

/* The server reads all of `out` and answers into `wire`. */
static inline void link_server(struct link *l)
{
    static uint8_t piece[1024];
    int n = (int)buf_size(&l->out);
    cert_need(n == 0 || BIO_write(SSL_get_rbio(l->ssl), buf_view(&l->out).p, n) == n);
    buf_clear(&l->out);
    if (!SSL_is_init_finished(l->ssl))
        (void)SSL_do_handshake(l->ssl);
    while (SSL_is_init_finished(l->ssl) && (n = SSL_read(l->ssl, piece, sizeof piece)) > 0)
        cert_need(buf_append(&l->heard, bytes_of(piece, (size_t)n)) == 0);
    link_server_sends(l);
}

static inline void link_server_says(struct link *l, struct bytes plain)
{
    cert_need(SSL_write(l->ssl, plain.p, (int)plain.n) == (int)plain.n);
    link_server_sends(l);
}

static inline int link_step(struct link *l, struct bytes in)
{
    link_before();
    return link_after(tls_conn_step(l->conn, in, &l->plain, &l->out));
}

static inline int link_put(struct link *l, struct bytes plain)
{
    size_t before = buf_size(&l->out);
    link_before();
    int r = link_after(tls_conn_put(l->conn, plain, &l->out));
    cert_need(buf_size(&l->out) - before <= (r == 0 ? tls_put_bytes(plain.n) : r > 0 ? 0 : SIZE_MAX));
    return r;
}

/* The client reads all of `wire`. */
static inline int link_client(struct link *l)
{
    int r = link_step(l, buf_view(&l->wire));
    buf_clear(&l->wire);
    return r;
}

/* Back and forth until all is said: the state of the client then. */
static inline int link_run(struct link *l)
{
    int r = link_client(l);
    for (int i = 0; i < SERVER_TURNS_COUNT; i++) {
        link_server(l);
        r = link_client(l);
    }
    return r;
}

#endif
