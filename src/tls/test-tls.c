/* Tests of tls: who is accepted and who is not. */
#include <stdio.h>

#include "test-made.h"

static struct cert under_ca(const struct cert_wish *wish)
{
    return cert_make(wish, &made.ca);
}

/* Connects a client that trusts `ca` with a server of the wished certificate; why: NULL if that must work. */
static void meet(const char *name, const struct cert_wish *wish, const char *why)
{
    struct cert own = under_ca(wish);
    if (why == NULL)
        assert_works(client_for(name), &(struct server_wish){.own = &own});
    else
        assert_refused(client_for(name), &(struct server_wish){.own = &own}, why);
    cert_free(&own);
}

static void test_good(void **state)
{
    (void)state;
    assert_works(client_for(NAME), &(struct server_wish){.own = &made.good});
    assert_works(client_for("LOG.Example"), &(struct server_wish){.own = &made.good});
    /* a server that wants another key exchange asks the client to greet again */
    assert_works(client_for(NAME), &(struct server_wish){.own = &made.good, .groups = "P-384"});
    /* records and messages in small pieces */
    assert_works(client_with_cert(),
                 &(struct server_wish){.own = &made.good, .piece_bytes = 512, .client_ca = made.ca.x509});
}

static void test_kinds_of_keys(void **state)
{
    static const char *const kinds[] = {"P-256", "P-384", "ED25519", "RSA"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct cert own = under_ca(&(struct cert_wish){.kind = kinds[i], .san = "DNS:" NAME});
        struct cert_pem cert = {0}, key = {0};
        cert_pem(&cert, own.x509);
        cert_key_pem(&key, own.key, NULL, i % 2 == 0 && strcmp(kinds[i], "ED25519") != 0);
        assert_works(client_of(&(struct tls_client_settings){.ca = cert_pem_view(&made.ca_pem),
                                                             .cert = cert_pem_view(&cert),
                                                             .key = cert_pem_view(&key),
                                                             .name = NAME}),
                     &(struct server_wish){.own = &own, .client_ca = made.ca.x509});
        cert_free(&own);
    }
}

static void test_client_cert(void **state)
{
    struct cert_pem cert = {0}, key = {0};
    (void)state;
    assert_works(client_with_cert(), &(struct server_wish){.own = &made.good, .client_ca = made.ca.x509});
    assert_works(client_with_cert(), &(struct server_wish){.own = &made.good}); /* not asked for */
    /* with the certificate between it and the server's CA */
    struct cert between = under_ca(&(struct cert_wish){.cn = "between", .is_ca = true});
    struct cert low = cert_make(&(struct cert_wish){.cn = "low"}, &between);
    cert_pem(&cert, low.x509);
    cert_pem(&cert, between.x509);
    cert_key_pem(&key, low.key, NULL, false);
    assert_works(
        client_of(&(struct tls_client_settings){
            .ca = cert_pem_view(&made.ca_pem), .cert = cert_pem_view(&cert), .key = cert_pem_view(&key), .name = NAME}),
        &(struct server_wish){.own = &made.good, .client_ca = made.ca.x509});
    cert_free(&low);
    cert_free(&between);
}

/* The server speaks last: the client is established by then. */
static void test_client_refused(void **state)
{
    struct link l;
    struct tls_client *client = client_for(NAME);
    (void)state;
    link_init(&l, client, &(struct server_wish){.own = &made.good, .client_ca = made.ca.x509});
    assert_int_equal(link_client(&l), TLS_HANDSHAKE);
    link_server(&l);
    assert_int_equal(link_client(&l), 0);
    assert_int_equal(link_put(&l, BYTES_LITERAL("in vain")), 0);
    link_server(&l);
    assert_int_equal(link_client(&l), TLS_REFUSED);
    assert_string_equal(tls_conn_why(l.conn), "alert from the server: certificate required");
    assert_int_equal(buf_size(&l.heard), 0);
    link_fini(&l);
    tls_client_free(client);
    assert_refused(client_with_cert(), &(struct server_wish){.own = &made.good, .client_ca = made.other_ca.x509},
                   "alert from the server: unknown CA");
}

static void test_trust(void **state)
{
    static const char untrusted[] = "certificate is not signed by a trusted CA";
    (void)state;
    struct cert between = under_ca(&(struct cert_wish){.cn = "between", .is_ca = true});
    struct cert below = cert_make(&(struct cert_wish){.san = "DNS:" NAME}, &between);
    const struct server_wish good = {.own = &made.good}, lacking = {.own = &below};
    const struct server_wish whole = {.own = &below, .above = between.x509, .above_count = 1};
    assert_refused(client_that_trusts(made.other_ca.x509), &good, untrusted);
    assert_refused(client_for(NAME), &lacking, untrusted);
    assert_works(client_for(NAME), &whole);
    /* to trust the server's own certificate, or one between, is not enough */
    assert_refused(client_that_trusts(made.good.x509), &good, untrusted);
    assert_refused(client_that_trusts(between.x509), &whole, untrusted);
    assert_refused(client_that_trusts(between.x509), &lacking, untrusted);
    cert_free(&below);
    cert_free(&between);
}

static void test_signed_by_itself(void **state)
{
    (void)state;
    struct cert self = cert_make(&(struct cert_wish){.san = "DNS:" NAME}, NULL);
    assert_refused(client_for(NAME), &(struct server_wish){.own = &self},
                   "certificate is signed by itself and not trusted");
    assert_works(client_that_trusts(self.x509), &(struct server_wish){.own = &self});
    cert_free(&self);
}

static void test_signed_by_no_ca(void **state)
{
    (void)state;
    struct cert fake = under_ca(&(struct cert_wish){.cn = "no ca"});
    struct cert below = cert_make(&(struct cert_wish){.san = "DNS:" NAME}, &fake);
    assert_refused(client_for(NAME), &(struct server_wish){.own = &below, .above = fake.x509, .above_count = 1},
                   "certificate is signed by one that is no CA certificate");
    cert_free(&below);
    cert_free(&fake);
}

/* A CA of the same name with another key. */
static void test_signed_by_namesake(void **state)
{
    (void)state;
    struct cert namesake = cert_make(&(struct cert_wish){.cn = "ca", .is_ca = true}, NULL);
    struct cert own = cert_make(&(struct cert_wish){.san = "DNS:" NAME}, &namesake);
    assert_refused(client_for(NAME), &(struct server_wish){.own = &own}, "certificate has a wrong signature");
    cert_free(&own);
    cert_free(&namesake);
}

static void test_many_trusted(void **state)
{
    struct cert_pem pem = {0};
    (void)state;
    cert_pem(&pem, made.other_ca.x509);
    cert_pem(&pem, made.ca.x509);
    cert_pem(&pem, made.ca.x509); /* twice is no fault */
    assert_works(client_of(&(struct tls_client_settings){.ca = cert_pem_view(&pem), .name = NAME}),
                 &(struct server_wish){.own = &made.good});
}

static void test_use_and_dates(void **state)
{
    (void)state;
    meet(NAME, &(struct cert_wish){.san = "DNS:" NAME, .use = "clientAuth"}, "certificate is not for a server");
    meet(NAME, &(struct cert_wish){.san = "DNS:" NAME, .kind = "RSA-1024"}, "certificate has a key that is too short");
    meet(NAME, &(struct cert_wish){.san = "DNS:" NAME, .from_days = -9, .to_days = -1}, "certificate has expired");
    meet(NAME, &(struct cert_wish){.san = "DNS:" NAME, .from_days = 1, .to_days = 9}, "certificate is not yet valid");
}

/* One above it that has expired is as bad. */
static void test_ca_is_late(void **state)
{
    (void)state;
    struct cert ca =
        cert_make(&(struct cert_wish){.cn = "late ca", .is_ca = true, .from_days = -9, .to_days = -1}, NULL);
    struct cert own = cert_make(&(struct cert_wish){.san = "DNS:" NAME}, &ca);
    assert_refused(client_that_trusts(ca.x509), &(struct server_wish){.own = &own}, "certificate has expired");
    cert_free(&own);
    cert_free(&ca);
}

static void test_names(void **state)
{
    static const char other[] = "certificate is for another name";
    (void)state;
    const struct cert_wish names = {.cn = NAME, .san = "DNS:other.example,DNS:sub." NAME};
    const struct cert_wish wild = {.san = "DNS:*.example.net,DNS:l*.example.org,DNS:*.example"};
    meet(NAME, &names, other);
    meet("other.example", &names, NULL);
    meet("example", &names, other);
    meet(NAME, &(struct cert_wish){.cn = NAME}, other); /* the common name counts for nothing */
    meet("log.example.net", &wild, NULL);
    meet("a.log.example.net", &wild, other);
    meet("example.net", &wild, other);
    meet("log.example.org", &wild, other); /* a part of a label */
    meet(NAME, &wild, other);              /* everything below a name of one label */
}

static void test_addresses(void **state)
{
    static const char other[] = "certificate is for another name";
    const struct cert_wish wish = {.cn = "192.0.2.9", .san = "IP:192.0.2.1,IP:2001:db8::1,DNS:192.0.2.8"};
    (void)state;
    meet("192.0.2.1", &wish, NULL);
    meet("2001:0DB8:0::1", &wish, NULL);
    meet("192.0.2.2", &wish, other);
    meet("192.0.2.8", &wish, other); /* there as a DNS name */
    meet("192.0.2.9", &wish, other); /* there as the common name */
    meet("2001:db8::2", &wish, other);
    meet("::ffff:192.0.2.1", &wish, other);
    meet("192.0.2.9", &(struct cert_wish){.cn = "192.0.2.9"}, other);
}

static int note_name(SSL *ssl, int *alert, void *arg)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)alert;
    (void)snprintf(arg, 64, "%s", name != NULL ? name : "none");
    return SSL_TLSEXT_ERR_OK;
}

/* The server hears the name that is wanted of it, but never an address. */
static void test_name_is_sent(void **state)
{
    static const char *const names[] = {NAME, NAME, "192.0.2.1", "none"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i += 2) {
        struct link l;
        char seen[64] = "";
        struct tls_client *client = client_for(names[i]);
        link_init(&l, client, &(struct server_wish){.own = &made.good});
        SSL_CTX_set_tlsext_servername_callback(l.ctx, note_name);
        SSL_CTX_set_tlsext_servername_arg(l.ctx, seen);
        (void)link_run(&l);
        assert_string_equal(seen, names[i + 1]);
        link_fini(&l);
        tls_client_free(client);
    }
}

static void test_old_version(void **state)
{
    (void)state;
    assert_refused(client_for(NAME), &(struct server_wish){.own = &made.good, .newest = TLS1_2_VERSION},
                   "alert from the server: protocol version (TLS 1.3 is not spoken there)");
}

/* A server that takes TLS 1.2 though the client did not offer it. */
static void test_old_answer(void **state)
{
    static const uint8_t hello[] = {22, 3,  3,  0,  42, 2,  0,  0,  38, 3,  3,  1,  2,    3,    4,  5,
                                    6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18,   19,   20, 21,
                                    22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 0,  0xc0, 0x2f, 0};
    struct link l;
    struct tls_client *client = client_for(NAME);
    (void)state;
    link_init(&l, client, &(struct server_wish){.own = &made.good});
    assert_int_equal(link_step(&l, BYTES_NONE), TLS_HANDSHAKE);
    assert_int_equal(link_step(&l, BYTES_OF(hello)), TLS_REFUSED);
    assert_string_equal(tls_conn_why(l.conn), "the server does not speak TLS 1.3");
    link_fini(&l);
    tls_client_free(client);
}

static void test_long_chain(void **state)
{
    (void)state;
    struct cert between = under_ca(&(struct cert_wish){.cn = "between", .is_ca = true});
    struct cert below = cert_make(&(struct cert_wish){.san = "DNS:" NAME}, &between);
    size_t fits = (TLS_CHAIN_MAX_BYTES - 1024) / ((size_t)i2d_X509(between.x509, NULL) + 5);
    struct server_wish wish = {.own = &below, .above = between.x509, .above_count = fits};
    assert_works(client_for(NAME), &wish);
    wish.above_count += 5;
    assert_refused(client_for(NAME), &wish, "the server sent a message that is too long");
    cert_free(&below);
    cert_free(&between);
}

static void test_deep_chain(void **state)
{
    struct cert each[12];
    struct link l;
    struct tls_client *client = client_for(NAME);
    size_t last = COUNT_OF(each) - 1;
    (void)state;
    for (size_t i = 0; i <= last; i++) {
        char cn[32];
        (void)snprintf(cn, sizeof cn, "ca %zu", i);
        each[i] = cert_make(&(struct cert_wish){.cn = cn, .san = "DNS:" NAME, .is_ca = i < last},
                            i == 0 ? &made.ca : &each[i - 1]);
    }
    link_init(&l, client, &(struct server_wish){.own = &each[last]});
    for (size_t i = last; i-- > 0;)
        assert_int_equal(SSL_add1_chain_cert(l.ssl, each[i].x509), 1);
    assert_int_equal(link_run(&l), TLS_REFUSED);
    assert_string_equal(tls_conn_why(l.conn), "certificate has too many others above it");
    link_fini(&l);
    tls_client_free(client);
    for (size_t i = 0; i <= last; i++)
        cert_free(&each[i]);
}

/* Many connections of one client side by side do not know each other. */
static void test_many(void **state)
{
    struct tls_client *client = client_for(NAME);
    struct link l[8];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(l); i++)
        link_init(&l[i], client, &(struct server_wish){.own = i % 2 == 0 ? &made.good : &made.late});
    for (size_t i = 0; i < COUNT_OF(l); i++)
        assert_int_equal(link_client(&l[i]), TLS_HANDSHAKE);
    for (size_t i = 0; i < COUNT_OF(l); i++)
        assert_int_equal(link_run(&l[i]), i % 2 == 0 ? 0 : TLS_REFUSED);
    for (size_t i = 0; i < COUNT_OF(l); i += 2)
        assert_echo(&l[i]);
    for (size_t i = 0; i < COUNT_OF(l); i++)
        link_fini(&l[i]);
    tls_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_kinds_of_keys),
        cmocka_unit_test(test_client_cert),
        cmocka_unit_test(test_client_refused),
        cmocka_unit_test(test_trust),
        cmocka_unit_test(test_signed_by_itself),
        cmocka_unit_test(test_signed_by_no_ca),
        cmocka_unit_test(test_signed_by_namesake),
        cmocka_unit_test(test_many_trusted),
        cmocka_unit_test(test_use_and_dates),
        cmocka_unit_test(test_ca_is_late),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_name_is_sent),
        cmocka_unit_test(test_old_version),
        cmocka_unit_test(test_old_answer),
        cmocka_unit_test(test_long_chain),
        cmocka_unit_test(test_deep_chain),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
