/*
 * tls-conn - one connection; see tls.h.
 *
 * OpenSSL reads and writes through a BIO of ours that is given `in` and `out` for the time of one call: it copies
 * nothing, holds nothing, and so cannot be made to hold much. What OpenSSL itself holds is one record and one handshake
 * message, whose length is bounded by TLS_CHAIN_MAX_BYTES.
 *
 * Invariant: between calls `in` is empty, `out` is NULL and OpenSSL's queue of errors is empty.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "tls/tls-internal.h"

enum { READ_BYTES = 4096 };

struct tls_conn {
    SSL *ssl;
    struct bytes in;
    struct buf *out;
    int state;      /* what calls return: 0, TLS_*, or a fault */
    int wire_fault; /* of `out`, which OpenSSL cannot pass on */
    bool is_shaken; /* the handshake is over */
    char why[TLS_WHY_BYTES];
};

SCOPED_DROP(conn_drop, struct tls_conn, tls_conn_free)

/* ---- the BIO --------------------------------------------------------------------------------------------------- */

static int wire_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static int wire_read(BIO *bio, char *ret, int n)
{
    struct tls_conn *c = BIO_get_data(bio);
    assert(c != NULL && n >= 0);
    BIO_clear_retry_flags(bio);
    struct bytes head = bytes_head(c->in, (size_t)n);
    if (head.n == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(ret, head.p, head.n);
    c->in = bytes_from(c->in, head.n);
    return (int)head.n;
}

static int wire_write(BIO *bio, const char *from, int n)
{
    struct tls_conn *c = BIO_get_data(bio);
    assert(c != NULL && c->out != NULL && n >= 0);
    BIO_clear_retry_flags(bio);
    if (c->wire_fault == 0)
        c->wire_fault = buf_append(c->out, bytes_of(from, (size_t)n));
    return c->wire_fault == 0 ? n : -1;
}

static long wire_control(BIO *bio, int command, long number, void *p)
{
    (void)bio, (void)number, (void)p;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD *tls_wire_new(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "tls_conn");
    if (m == NULL)
        return NULL;
    if (BIO_meth_set_create(m, wire_create) == 1 && BIO_meth_set_read(m, wire_read) == 1 &&
        BIO_meth_set_write(m, wire_write) == 1 && BIO_meth_set_ctrl(m, wire_control) == 1)
        return m;
    BIO_meth_free(m);
    return NULL;
}

/* ---- making one ------------------------------------------------------------------------------------------------ */

/* The name goes to the server too (SNI), so that it can choose its certificate; an address may not (RFC 6066). */
static bool set_name(SSL *ssl, const struct tls_client *client)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    char name[sizeof client->name]; /* SSL_set_tlsext_host_name() takes a text that may be written to, and copies it */
    if (client->ip_bytes > 0)
        return X509_VERIFY_PARAM_set1_ip(param, client->ip, client->ip_bytes) == 1;
    memcpy(name, client->name, sizeof name);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

static bool set_up(struct tls_conn *c, const struct tls_client *client)
{
    c->ssl = SSL_new(client->ctx);
    BIO *bio = c->ssl != NULL ? BIO_new(client->wire) : NULL;
    if (bio == NULL)
        return false;
    BIO_set_data(bio, c);
    SSL_set_bio(c->ssl, bio, bio);
    SSL_set_connect_state(c->ssl);
    return set_name(c->ssl, client);
}

int tls_conn_new(const struct tls_client *client, struct tls_conn **ret_conn)
{
    assert(client != NULL && client->ctx != NULL && client->wire != NULL);
    SCOPED(conn_drop) struct tls_conn *c = calloc(1, sizeof *c);
    if (c == NULL)
        return RAISE(-ENOMEM);
    c->state = TLS_HANDSHAKE;
    ERR_clear_error();
    bool is_set = set_up(c, client);
    TRY(tls_errors_take(NULL));
    if (!is_set)
        return RAISE(FAULT_CRYPTO);
    *ret_conn = TAKE(c);
    return 0;
}

struct tls_conn *tls_conn_free(struct tls_conn *conn)
{
    if (conn == NULL)
        return NULL;
    SSL_free(conn->ssl);
    ERR_clear_error();
    free(conn);
    return NULL;
}

/* ---- using one ------------------------------------------------------------------------------------------------- */

static void begin(struct tls_conn *c, struct bytes in, struct buf *out)
{
    assert(c->out == NULL && c->in.n == 0 && out != NULL);
    c->in = in;
    c->out = out;
    ERR_clear_error();
}

static int end(struct tls_conn *c, int state)
{
    c->in = BYTES_NONE;
    c->out = NULL;
    ERR_clear_error();
    c->state = state;
    return state;
}

static int refuse(struct tls_conn *c)
{
    unsigned long first;
    long verdict = SSL_get_verify_result(c->ssl);
    TRY(tls_errors_take(&first));
    if (verdict == X509_V_ERR_OUT_OF_MEM)
        return RAISE(-ENOMEM);
    tls_why_refused(first, verdict, c->why);
    return TLS_REFUSED;
}

/* What a call of OpenSSL that gave `r` means; `waiting` is the state if it only wants more bytes. */
static int judge(struct tls_conn *c, int r, int waiting)
{
    if (c->wire_fault < 0)
        return c->wire_fault;
    switch (SSL_get_error(c->ssl, r)) {
    case SSL_ERROR_WANT_READ:
        assert(c->in.n == 0);
        return waiting;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_CLOSED;
    case SSL_ERROR_SSL:
        return refuse(c);
    default:
        return RAISE(FAULT_INTERNAL);
    }
}

/* OpenSSL has seen to all of this; a connection for which it does not hold would be worse than none. */
static bool is_as_asked(const SSL *ssl)
{
    return SSL_version(ssl) == TLS1_3_VERSION && SSL_get_verify_result(ssl) == X509_V_OK &&
           SSL_get0_peer_certificate(ssl) != NULL && !SSL_session_reused(ssl);
}

static int shake(struct tls_conn *c)
{
    int r = SSL_do_handshake(c->ssl);
    if (r != 1)
        return judge(c, r, TLS_HANDSHAKE);
    if (!is_as_asked(c->ssl))
        return RAISE(FAULT_INTERNAL);
    c->is_shaken = true;
    return 0;
}

/* Until `in` is used up. Where there is no room, one byte of room tells whether any was needed. */
static int receive(struct tls_conn *c, struct buf *plain)
{
    for (;;) {
        uint8_t extra, *p = &extra;
        size_t n = 0, room = MIN_OF(plain->max - buf_size(plain), (size_t)READ_BYTES);
        if (room > 0)
            TRY(buf_reserve(plain, room, &p));
        int r = SSL_read_ex(c->ssl, p, MAX_OF(room, (size_t)1), &n);
        if (r != 1)
            return judge(c, r, SSL_in_init(c->ssl) ? TLS_HANDSHAKE : 0);
        if (room == 0)
            return RAISE(FAULT_LIMIT);
        buf_commit(plain, n);
    }
}

int tls_conn_step(struct tls_conn *conn, struct bytes in, struct buf *plain, struct buf *out)
{
    assert(plain != NULL && out != NULL && plain != out);
    int r = conn->state;
    if (r != 0 && r != TLS_HANDSHAKE)
        return r;
    begin(conn, in, out);
    if (!conn->is_shaken)
        r = shake(conn);
    if (conn->is_shaken)
        r = receive(conn, plain);
    return end(conn, r);
}

/* While a message of the handshake is half here SSL_write_ex() would ask for the rest: the state says so before. */
int tls_conn_put(struct tls_conn *conn, struct bytes plain, struct buf *out)
{
    size_t n = 0;
    if (conn->state != 0 || plain.n == 0)
        return conn->state;
    begin(conn, BYTES_NONE, out);
    int r = SSL_write_ex(conn->ssl, plain.p, plain.n, &n);
    if (r != 1)
        return end(conn, judge(conn, r, FAULT_INTERNAL));
    assert(n == plain.n);
    return end(conn, 0);
}

int tls_conn_close(struct tls_conn *conn, struct buf *out)
{
    bool is_open = conn->state == 0 || conn->state == TLS_HANDSHAKE || conn->state == TLS_CLOSED;
    if (!is_open)
        return conn->state < 0 ? conn->state : 0;
    if (!conn->is_shaken || (SSL_get_shutdown(conn->ssl) & SSL_SENT_SHUTDOWN) != 0) {
        conn->state = TLS_CLOSED;
        return 0;
    }
    begin(conn, BYTES_NONE, out);
    int r = SSL_shutdown(conn->ssl);
    r = r < 0 ? judge(conn, r, TLS_CLOSED) : TLS_CLOSED;
    r = end(conn, r);
    return r < 0 ? r : 0;
}

const char *tls_conn_why(const struct tls_conn *conn)
{
    return conn->why;
}
