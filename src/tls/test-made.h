/* test-made - what the unit tests of this folder share: certificates made once, since that is dear, and clients. */
#ifndef TLS_TEST_MADE_H
#define TLS_TEST_MADE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test-server.h"

#define NAME "log.example"

/* All of `client` and below are under `ca`; the servers' are for NAME. */
struct made {
    struct cert ca, other_ca, good, client, late;
    struct cert_pem ca_pem, client_pem, client_key;
};

static struct made made;

static inline UNUSED int make(void **state)
{
    (void)state;
    made.ca = cert_make(&(struct cert_wish){.cn = "ca", .is_ca = true}, NULL);
    made.other_ca = cert_make(&(struct cert_wish){.cn = "other ca", .is_ca = true}, NULL);
    made.good = cert_make(&(struct cert_wish){.san = "DNS:" NAME, .use = "serverAuth"}, &made.ca);
    made.late = cert_make(&(struct cert_wish){.san = "DNS:" NAME, .from_days = -9, .to_days = -1}, &made.ca);
    made.client = cert_make(&(struct cert_wish){.cn = "client", .use = "clientAuth"}, &made.ca);
    cert_pem(&made.ca_pem, made.ca.x509);
    cert_pem(&made.client_pem, made.client.x509);
    cert_key_pem(&made.client_key, made.client.key, NULL, false);
    return 0;
}

static inline UNUSED int unmake(void **state)
{
    (void)state;
    cert_free(&made.ca);
    cert_free(&made.other_ca);
    cert_free(&made.good);
    cert_free(&made.late);
    cert_free(&made.client);
    return 0;
}

static inline UNUSED struct tls_client *client_of(const struct tls_client_settings *s)
{
    char why[TLS_WHY_BYTES] = "";
    struct tls_client *c = NULL;
    link_before();
    int r = link_after(tls_client_new(s, &c, why));
    if (r != 0)
        fail_msg("tls_client_new gave %d: %s", r, why);
    return c;
}

static inline UNUSED struct tls_client *client_for(const char *name)
{
    return client_of(&(struct tls_client_settings){.ca = cert_pem_view(&made.ca_pem), .name = name});
}

static inline UNUSED struct tls_client *client_with_cert(void)
{
    return client_of(&(struct tls_client_settings){.ca = cert_pem_view(&made.ca_pem),
                                                   .cert = cert_pem_view(&made.client_pem),
                                                   .key = cert_pem_view(&made.client_key),
                                                   .name = NAME});
}

static inline UNUSED struct tls_client *client_that_trusts(X509 *x509)
{
    struct cert_pem pem = {0};
    cert_pem(&pem, x509);
    return client_of(&(struct tls_client_settings){.ca = cert_pem_view(&pem), .name = NAME});
}

static inline UNUSED void assert_says(const struct buf *b, struct bytes text)
{
    if (!bytes_equal(buf_view(b), text))
        fail_msg("%zu bytes are not the %zu that were said", buf_size(b), text.n);
}

static inline UNUSED void assert_echo(struct link *l)
{
    struct bytes there = BYTES_LITERAL("<13>1 a record"), back = BYTES_LITERAL("seen");
    assert_int_equal(link_put(l, there), 0);
    link_server(l);
    assert_says(&l->heard, there);
    link_server_says(l, back);
    assert_int_equal(link_client(l), 0);
    assert_says(&l->plain, back);
    assert_string_equal(tls_conn_why(l->conn), "");
}

/* The client is freed. */
static inline UNUSED void assert_works(struct tls_client *client, const struct server_wish *wish)
{
    struct link l;
    link_init(&l, client, wish);
    assert_int_equal(link_run(&l), 0);
    assert_int_equal(SSL_version(l.ssl), TLS1_3_VERSION);
    assert_false(SSL_session_reused(l.ssl));
    assert_echo(&l);
    link_fini(&l);
    tls_client_free(client);
}

/* The client is freed. What was refused stays so, whatever comes then. */
static inline UNUSED void assert_refused(struct tls_client *client, const struct server_wish *wish, const char *why)
{
    struct link l;
    link_init(&l, client, wish);
    assert_int_equal(link_run(&l), TLS_REFUSED);
    assert_string_equal(tls_conn_why(l.conn), why);
    assert_int_equal(link_step(&l, BYTES_LITERAL("more")), TLS_REFUSED);
    assert_int_equal(link_put(&l, BYTES_LITERAL("more")), TLS_REFUSED);
    assert_int_equal(tls_conn_close(l.conn, &l.out), 0);
    assert_int_equal(link_step(&l, BYTES_NONE), TLS_REFUSED);
    assert_int_equal(buf_size(&l.out), 0);
    assert_int_equal(buf_size(&l.plain), 0);
    assert_int_equal(buf_size(&l.heard), 0);
    assert_string_equal(tls_conn_why(l.conn), why);
    link_fini(&l);
    tls_client_free(client);
}

#endif
