/* Tests of tls: the settings of a client, good and bad, and what is said of the bad ones. */
#include <stdio.h>

#include "test-made.h"

static struct cert_pem other_key, with_passphrase, old_with_passphrase, public_key, cut_cert, bent_cert, ed25519_key;

static void make_public(void)
{
    BIO *bio = BIO_new(BIO_s_mem());
    cert_need(bio != NULL && PEM_write_bio_PUBKEY(bio, made.client.key) == 1);
    cert_take(&public_key, bio);
}

static int start(void **state)
{
    int r = make(state);
    EVP_PKEY *key = cert_key("ED25519");
    cert_key_pem(&other_key, made.good.key, NULL, false);
    cert_key_pem(&with_passphrase, made.client.key, "open", false);
    cert_key_pem(&old_with_passphrase, made.client.key, "open", true);
    cert_key_pem(&ed25519_key, key, NULL, false);
    EVP_PKEY_free(key);
    make_public();
    cut_cert = made.client_pem;
    cut_cert.n -= 40;
    bent_cert = made.client_pem;
    memcpy(bent_cert.p + 28, "AAAA", 4); /* where the DER begins */
    return r;
}

/* Each row names one text in place of a good one; NULL: the good one. */
struct row {
    const struct bytes *ca, *cert, *key;
    const char *name, *why;
};

static void assert_bad(const struct row *row)
{
    char why[TLS_WHY_BYTES] = "";
    struct tls_client *c = NULL;
    const struct tls_client_settings s = {.ca = row->ca != NULL ? *row->ca : cert_pem_view(&made.ca_pem),
                                          .cert = row->cert != NULL ? *row->cert : cert_pem_view(&made.client_pem),
                                          .key = row->key != NULL ? *row->key : cert_pem_view(&made.client_key),
                                          .name = row->name != NULL ? row->name : NAME};
    link_before();
    int r = link_after(tls_client_new(&s, &c, why));
    if (r != TLS_BAD || strncmp(why, row->why, strlen(row->why)) != 0)
        fail_msg("%d, \"%s\" in place of \"%s\"", r, why, row->why);
    assert_null(c);
}

static void test_bad_ca(void **state)
{
    static const struct bytes empty = {NULL, 0}, text = {(const uint8_t *)"no certificate\n", 15};
    const struct bytes key = cert_pem_view(&made.client_key), cut = cert_pem_view(&cut_cert);
    const struct bytes bent = cert_pem_view(&bent_cert);
    (void)state;
    assert_bad(&(struct row){.ca = &empty, .why = "CA certificates: empty"});
    assert_bad(&(struct row){.ca = &text, .why = "CA certificates: no certificate in PEM in it"});
    assert_bad(&(struct row){.ca = &key, .why = "CA certificates: no certificate in PEM in it"});
    assert_bad(&(struct row){.ca = &cut, .why = "CA certificates: a certificate in it is broken"});
    assert_bad(&(struct row){.ca = &bent, .why = "CA certificates: a certificate in it is broken"});
}

/* A good one does not make up for a broken one behind it. */
static void test_bad_behind_good(void **state)
{
    struct cert_pem both = made.ca_pem;
    (void)state;
    memcpy(both.p + both.n, cut_cert.p, cut_cert.n);
    both.n += cut_cert.n;
    const struct bytes view = cert_pem_view(&both);
    assert_bad(&(struct row){.ca = &view, .why = "CA certificates: a certificate in it is broken"});
    assert_bad(&(struct row){.cert = &view, .why = "client certificate: a certificate in it is broken"});
}

static void test_too_long(void **state)
{
    uint8_t *p = malloc(TLS_PEM_MAX_BYTES + 1);
    (void)state;
    assert_non_null(p);
    memset(p, '\n', TLS_PEM_MAX_BYTES + 1);
    memcpy(p, made.ca_pem.p, made.ca_pem.n);
    const struct bytes fits = bytes_of(p, TLS_PEM_MAX_BYTES), exceeds = bytes_of(p, TLS_PEM_MAX_BYTES + 1);
    tls_client_free(client_of(&(struct tls_client_settings){.ca = fits, .name = NAME}));
    assert_bad(&(struct row){.ca = &exceeds, .why = "CA certificates: longer than 1 MiB"});
    assert_bad(&(struct row){.cert = &exceeds, .why = "client certificate: longer than 1 MiB"});
    assert_bad(&(struct row){.key = &exceeds, .why = "client key: longer than 1 MiB"});
    free(p);
}

static void test_bad_cert(void **state)
{
    static const struct bytes empty = {NULL, 0}, text = {(const uint8_t *)"no certificate\n", 15};
    const struct bytes key = cert_pem_view(&made.client_key), cut = cert_pem_view(&cut_cert);
    const struct bytes bent = cert_pem_view(&bent_cert);
    (void)state;
    assert_bad(&(struct row){.cert = &empty, .why = "client certificate: empty"}); /* with a key */
    assert_bad(&(struct row){.cert = &text, .why = "client certificate: no certificate in PEM in it"});
    assert_bad(&(struct row){.cert = &key, .why = "client certificate: no certificate in PEM in it"});
    assert_bad(&(struct row){.cert = &cut, .why = "client certificate: a certificate in it is broken"});
    assert_bad(&(struct row){.cert = &bent, .why = "client certificate: a certificate in it is broken"});
}

static void test_bad_key(void **state)
{
    static const struct bytes empty = {NULL, 0}, text = {(const uint8_t *)"no key\n", 7};
    struct cert_pem cut = made.client_key, bent = made.client_key;
    const struct bytes cert = cert_pem_view(&made.client_pem), public_part = cert_pem_view(&public_key);
    static const char none[] = "client key: no private key in PEM in it, or a broken one";
    (void)state;
    memcpy(bent.p + 60, "AAAA", 4);
    const struct bytes cut_view = bytes_of(cut.p, cut.n - 40), bent_view = cert_pem_view(&bent);
    assert_bad(&(struct row){.key = &empty, .why = "client key: empty"}); /* with a certificate */
    assert_bad(&(struct row){.key = &text, .why = none});
    assert_bad(&(struct row){.key = &cert, .why = none});
    assert_bad(&(struct row){.key = &public_part, .why = none});
    assert_bad(&(struct row){.key = &cut_view, .why = none});
    assert_bad(&(struct row){.key = &bent_view, .why = "client key: "});
}

static void test_key_of_another(void **state)
{
    static const char other[] = "client key: does not belong to the first certificate of the client";
    const struct bytes same_kind = cert_pem_view(&other_key), other_kind = cert_pem_view(&ed25519_key);
    struct cert_pem wrong_order = made.ca_pem;
    (void)state;
    assert_bad(&(struct row){.key = &same_kind, .why = other});
    assert_bad(&(struct row){.key = &other_kind, .why = other});
    cert_pem(&wrong_order, made.client.x509);
    const struct bytes view = cert_pem_view(&wrong_order);
    assert_bad(&(struct row){.cert = &view, .why = other});
}

/* Said by our function that is asked for it, so nobody else was asked. */
static void test_passphrase(void **state)
{
    static const char has[] = "client key: has a passphrase";
    const struct bytes new_form = cert_pem_view(&with_passphrase), old_form = cert_pem_view(&old_with_passphrase);
    (void)state;
    assert_bad(&(struct row){.key = &new_form, .why = has});
    assert_bad(&(struct row){.key = &old_form, .why = has});
    assert_bad(&(struct row){.cert = &new_form, .why = "client certificate: no certificate in PEM in it"});
}

static void test_weak(void **state)
{
    struct cert weak = cert_make(&(struct cert_wish){.kind = "RSA-1024"}, &made.ca);
    struct cert_pem cert = {0}, key = {0};
    (void)state;
    cert_pem(&cert, weak.x509);
    cert_key_pem(&key, weak.key, NULL, false);
    const struct bytes cert_view = cert_pem_view(&cert), key_view = cert_pem_view(&key);
    assert_bad(&(struct row){
        .cert = &cert_view, .key = &key_view, .why = "client certificate: a certificate in it cannot be used (ee key"});
    cert_free(&weak);
}

static void test_bad_names(void **state)
{
    static const char *const names[] = {
        "",
        ".",
        ".example",
        "log.example.",
        "a..b",
        "*.example",
        "log example",
        "-a.example",
        "a-.example",
        "a.b-",
        "10.0.0",
        "10.0.0.256",
        "1.2.3.4.5",
        "fe80::1%eth0",
        "[::1]",
        "::1::",
        "log.example:6514",
        "log_.\xc3\xa9",
        "log.example\n",
        "https://log.example",
        "a/b",
        "example.123",
    };
    char name[TLS_NAME_MAX_BYTES + 2];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_bad(&(struct row){.name = names[i], .why = "server name: neither a DNS name nor an IP address"});
    memset(name, 'a', sizeof name);
    for (size_t i = 63; i < sizeof name; i += 64)
        name[i] = '.';
    name[TLS_NAME_MAX_BYTES + 1] = '\0';
    assert_bad(&(struct row){.name = name, .why = "server name: neither"});
    name[TLS_NAME_MAX_BYTES] = '\0';
    tls_client_free(client_for(name)); /* the longest there is */
    name[63] = 'a';
    assert_bad(&(struct row){.name = name, .why = "server name: neither"}); /* a label that is too long */
    char why[TLS_WHY_BYTES];
    struct tls_client *c = NULL;
    assert_int_equal(tls_client_new(&(struct tls_client_settings){.ca = cert_pem_view(&made.ca_pem)}, &c, why),
                     TLS_BAD);
}

static void test_good_names(void **state)
{
    static const char *const names[] = {
        "log",       "log.example", "a-b.c_d.example", "1.example",  "_syslog.example",      "x1",
        "127.1.2.3", "::1",         "2001:db8::1",     "example.1a", "xn--bcher-kva.example"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        tls_client_free(client_for(names[i]));
}

/* Text between PEM blocks, lines of other systems, and a key in either form. */
static void test_good_texts(void **state)
{
    struct cert_pem ca = {0}, key = {0};
    static const char around[] = "# the CA of this site\r\n\r\n";
    (void)state;
    memcpy(ca.p, around, sizeof around - 1);
    ca.n = sizeof around - 1;
    for (size_t i = 0; i < made.ca_pem.n; i++) {
        if (made.ca_pem.p[i] == '\n')
            ca.p[ca.n++] = '\r';
        ca.p[ca.n++] = made.ca_pem.p[i];
    }
    memcpy(ca.p + ca.n, around, sizeof around - 1);
    ca.n += sizeof around - 1;
    cert_key_pem(&key, made.client.key, NULL, true);
    assert_works(client_of(&(struct tls_client_settings){.ca = cert_pem_view(&ca),
                                                         .cert = cert_pem_view(&made.client_pem),
                                                         .key = cert_pem_view(&key),
                                                         .name = NAME}),
                 &(struct server_wish){.own = &made.good, .client_ca = made.ca.x509});
}

/* A client keeps nothing of its texts. */
static void test_texts_are_not_kept(void **state)
{
    static struct cert_pem ca, cert, key;
    char name[] = NAME;
    (void)state;
    ca = made.ca_pem;
    cert = made.client_pem;
    key = made.client_key;
    struct tls_client *c = client_of(&(struct tls_client_settings){
        .ca = cert_pem_view(&ca), .cert = cert_pem_view(&cert), .key = cert_pem_view(&key), .name = name});
    memset(&ca, 'x', sizeof ca);
    memset(&cert, 'x', sizeof cert);
    memset(&key, 'x', sizeof key);
    memset(name, 'x', sizeof name - 1);
    assert_works(c, &(struct server_wish){.own = &made.good, .client_ca = made.ca.x509});
}

static void test_nothing(void **state)
{
    (void)state;
    assert_null(tls_client_free(NULL));
    assert_null(tls_conn_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_ca),     cmocka_unit_test(test_bad_behind_good),
        cmocka_unit_test(test_too_long),   cmocka_unit_test(test_bad_cert),
        cmocka_unit_test(test_bad_key),    cmocka_unit_test(test_key_of_another),
        cmocka_unit_test(test_passphrase), cmocka_unit_test(test_weak),
        cmocka_unit_test(test_bad_names),  cmocka_unit_test(test_good_names),
        cmocka_unit_test(test_good_texts), cmocka_unit_test(test_texts_are_not_kept),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, start, unmake);
}
