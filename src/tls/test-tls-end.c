/* Tests of tls: bytes in any pieces, cut, changed and hostile ones, buffers without room, and how connections end. */
#include <stdio.h>

#include "test-made.h"

static struct tls_client *client; /* of all tests: each has connections of its own */

static int start(void **state)
{
    int r = make(state);
    client = client_for(NAME);
    return r;
}

static int finish(void **state)
{
    client = tls_client_free(client);
    return unmake(state);
}

/* A connection with a good server; established if `is_run`. */
static void connect_good(struct link *l, bool is_run)
{
    link_init(l, client, &(struct server_wish){.own = &made.good});
    if (is_run)
        assert_int_equal(link_run(l), 0);
    else
        assert_int_equal(link_step(l, BYTES_NONE), TLS_HANDSHAKE);
}

static void test_begins(void **state)
{
    struct link l;
    (void)state;
    link_init(&l, client, &(struct server_wish){.own = &made.good});
    assert_int_equal(link_put(&l, BYTES_LITERAL("too early")), TLS_HANDSHAKE);
    assert_int_equal(link_step(&l, BYTES_NONE), TLS_HANDSHAKE);
    size_t n = buf_size(&l.out);
    assert_true(n > 0);
    assert_int_equal(link_put(&l, BYTES_LITERAL("too early")), TLS_HANDSHAKE);
    assert_int_equal(link_step(&l, BYTES_NONE), TLS_HANDSHAKE); /* nothing is said twice */
    assert_int_equal(buf_size(&l.out), n);
    assert_int_equal(link_run(&l), 0);
    assert_int_equal(link_put(&l, BYTES_NONE), 0);
    assert_int_equal(buf_size(&l.out), 0);
    assert_echo(&l);
    link_fini(&l);
}

static void test_garbage(void **state)
{
    static const char not_tls[] = "the server does not speak TLS";
    static const struct {
        struct bytes text;
        const char *why;
    } rows[] = {
        {{(const uint8_t *)"HTTP/1.1 400 Bad Request\r\n\r\n", 28}, not_tls},
        {{(const uint8_t *)"SSH-2.0-OpenSSH_9.2\r\n", 21}, not_tls},
        {{(const uint8_t *)"\x16\x03\x03\xff\xff????????", 13}, NULL},
        {{(const uint8_t *)"\0\0\0\0\0\0\0\0", 8}, NULL},
        {{(const uint8_t *)"\x17\x03\x03\0\1!", 6}, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct link l;
        connect_good(&l, false);
        assert_int_equal(link_step(&l, rows[i].text), TLS_REFUSED);
        assert_true(strlen(tls_conn_why(l.conn)) > 0);
        if (rows[i].why != NULL)
            assert_string_equal(tls_conn_why(l.conn), rows[i].why);
        link_fini(&l);
    }
}

static void first_flight(struct link *l)
{
    connect_good(l, false);
    link_server(l);
    assert_int_equal(buf_size(&l->out), 0);
}

static void test_every_cut(void **state)
{
    size_t n = SIZE_MAX;
    (void)state;
    for (size_t at = 0; at < n; at++) {
        struct link l;
        first_flight(&l);
        struct bytes flight = buf_view(&l.wire);
        n = flight.n; /* which differs by some bytes: the length of a signature */
        size_t cut = MIN_OF(at, n - 1);
        assert_int_equal(link_step(&l, bytes_head(flight, cut)), TLS_HANDSHAKE);
        assert_int_equal(link_step(&l, bytes_from(flight, cut)), 0);
        buf_clear(&l.wire);
        link_server(&l);
        assert_int_equal(link_client(&l), 0);
        link_fini(&l);
    }
}

/* The version in the head of a record in the clear is for old devices and means nothing (RFC 8446 section 5.1). */
static bool means_nothing(struct bytes flight, size_t at)
{
    for (size_t head = 0; head + 5 <= flight.n; head += 5u + ((size_t)flight.p[head + 3] << 8) + flight.p[head + 4]) {
        if (flight.p[head] != 23 && (at == head + 1 || at == head + 2))
            return true;
    }
    return false;
}

/* Returns the length of the flight. */
static size_t try_flip(size_t at, uint8_t bits)
{
    struct link l;
    static uint8_t flipped[1 << 14];
    first_flight(&l);
    struct bytes flight = buf_view(&l.wire);
    if (at < flight.n) {
        assert_true(flight.n <= sizeof flipped);
        memcpy(flipped, flight.p, flight.n);
        flipped[at] ^= bits;
        int r = link_step(&l, bytes_of(flipped, flight.n));
        assert_true(r == TLS_HANDSHAKE || r == TLS_REFUSED || (r == 0 && means_nothing(flight, at)));
        assert_int_equal(r == TLS_REFUSED, strlen(tls_conn_why(l.conn)) > 0);
    }
    size_t n = flight.n;
    link_fini(&l);
    return n;
}

static void test_every_flip(void **state)
{
    size_t n = SIZE_MAX;
    (void)state;
    for (size_t at = 0; at < n; at++)
        n = try_flip(at, (uint8_t)(1u << at % 8));
    for (size_t at = 0; at < 128; at++) /* the part in the clear */
        (void)try_flip(at, 0xff);
}

static void test_flip_later(void **state)
{
    size_t n = SIZE_MAX;
    (void)state;
    for (size_t at = 0; at < n; at++) {
        struct link l;
        uint8_t flipped[64];
        connect_good(&l, true);
        link_server_says(&l, BYTES_LITERAL("a word"));
        struct bytes said = buf_view(&l.wire);
        n = said.n;
        assert_true(said.n <= sizeof flipped);
        memcpy(flipped, said.p, said.n);
        flipped[at] ^= 1;
        int r = link_step(&l, bytes_of(flipped, said.n));
        assert_true(r == TLS_REFUSED || (r == 0 && (at == 3 || at == 4))); /* a longer record: the rest is waited for */
        assert_int_equal(buf_size(&l.plain), 0);
        link_fini(&l);
    }
}

static void test_alerts(void **state)
{
    static const char before[] = "alert from the server: ";
    (void)state;
    for (unsigned number = 1; number < 256; number++) {
        const uint8_t alert[] = {21, 3, 3, 0, 2, 2, (uint8_t)number};
        struct link l;
        connect_good(&l, false);
        assert_int_equal(link_step(&l, BYTES_OF(alert)), TLS_REFUSED);
        assert_int_equal(strncmp(tls_conn_why(l.conn), before, strlen(before)), 0);
        assert_true(strlen(tls_conn_why(l.conn)) > strlen(before));
        if (number == 112)
            assert_string_equal(tls_conn_why(l.conn), "alert from the server: unrecognized name");
        link_fini(&l);
    }
}

static void test_closed_by_server(void **state)
{
    struct link l;
    (void)state;
    connect_good(&l, true);
    link_server_says(&l, BYTES_LITERAL("last words"));
    assert_int_equal(SSL_shutdown(l.ssl), 0);
    link_server_sends(&l);
    assert_int_equal(buf_append(&l.wire, BYTES_LITERAL("what comes then does not count")), 0);
    assert_int_equal(link_client(&l), TLS_CLOSED);
    assert_says(&l.plain, BYTES_LITERAL("last words"));
    assert_int_equal(link_put(&l, BYTES_LITERAL("more")), TLS_CLOSED);
    assert_int_equal(link_step(&l, BYTES_LITERAL("more")), TLS_CLOSED);
    assert_int_equal(tls_conn_close(l.conn, &l.out), 0); /* the answer to it */
    assert_true(buf_size(&l.out) > 0);
    link_server(&l);
    assert_int_equal(SSL_get_shutdown(l.ssl), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    link_fini(&l);
}

static void test_closed_by_client(void **state)
{
    struct link l;
    (void)state;
    connect_good(&l, true);
    assert_int_equal(link_put(&l, BYTES_LITERAL("last words")), 0);
    assert_int_equal(tls_conn_close(l.conn, &l.out), 0);
    size_t n = buf_size(&l.out);
    assert_int_equal(tls_conn_close(l.conn, &l.out), 0); /* once */
    assert_int_equal(buf_size(&l.out), n);
    link_server(&l);
    assert_says(&l.heard, BYTES_LITERAL("last words"));
    assert_int_equal(SSL_get_shutdown(l.ssl), SSL_RECEIVED_SHUTDOWN);
    assert_int_equal(link_put(&l, BYTES_LITERAL("more")), TLS_CLOSED);
    assert_int_equal(link_client(&l), TLS_CLOSED);
    link_fini(&l);
}

/* Before it is established there is nothing to say. */
static void test_closed_early(void **state)
{
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 1, 0};
    struct link l;
    (void)state;
    link_init(&l, client, &(struct server_wish){.own = &made.good});
    assert_int_equal(tls_conn_close(l.conn, &l.out), 0);
    assert_int_equal(buf_size(&l.out), 0);
    assert_int_equal(link_step(&l, BYTES_NONE), TLS_CLOSED);
    link_fini(&l);
    connect_good(&l, false);
    assert_int_equal(link_step(&l, BYTES_OF(alert)), TLS_CLOSED); /* by the server */
    link_fini(&l);
}

static void fill(uint8_t *p, size_t n, uint32_t seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        p[i] = (uint8_t)(seed >> 24);
    }
}

static void test_large(void **state)
{
    enum { LARGE_BYTES = 300000, PIECE_BYTES = 33333 };
    uint8_t *there = malloc(LARGE_BYTES), *back = malloc(LARGE_BYTES);
    struct link l;
    (void)state;
    assert_true(there != NULL && back != NULL);
    fill(there, LARGE_BYTES, 1);
    fill(back, LARGE_BYTES, 2);
    connect_good(&l, true);
    for (size_t at = 0; at < LARGE_BYTES; at += PIECE_BYTES)
        assert_int_equal(link_put(&l, bytes_head(bytes_from(bytes_of(there, LARGE_BYTES), at), PIECE_BYTES)), 0);
    link_server(&l);
    assert_says(&l.heard, bytes_of(there, LARGE_BYTES));
    link_server_says(&l, bytes_of(back, LARGE_BYTES));
    for (size_t at = 0; at < buf_size(&l.wire); at++)
        assert_int_equal(link_step(&l, bytes_head(bytes_from(buf_view(&l.wire), at), 1)), 0);
    assert_says(&l.plain, bytes_of(back, LARGE_BYTES));
    link_fini(&l);
    free(there);
    free(back);
}

/* Less room than was said is a fault that stays. */
static void test_plain_is_full(void **state)
{
    static const uint8_t said[100];
    (void)state;
    for (size_t room = 1; room <= sizeof said; room += 33) {
        struct link l;
        connect_good(&l, true);
        link_server_says(&l, BYTES_OF(said));
        buf_fini(&l.plain);
        buf_init(&l.plain, room);
        int wanted = room < sizeof said ? FAULT_LIMIT : 0;
        assert_int_equal(link_client(&l), wanted);
        assert_int_equal(link_step(&l, BYTES_NONE), wanted);
        assert_int_equal(link_put(&l, BYTES_LITERAL("more")), wanted);
        assert_int_equal(tls_conn_close(l.conn, &l.out), wanted);
        link_fini(&l);
    }
}

/* The room that the contract names is enough. */
static void test_plain_room(void **state)
{
    enum { PIECE_BYTES = 1000 };
    static const uint8_t said[TLS_RECORD_PLAIN_BYTES * 2];
    struct link l;
    (void)state;
    connect_good(&l, true);
    link_server_says(&l, BYTES_OF(said));
    buf_fini(&l.plain);
    buf_init(&l.plain, PIECE_BYTES + TLS_RECORD_PLAIN_BYTES);
    for (size_t at = 0; at < buf_size(&l.wire); at += PIECE_BYTES) {
        assert_int_equal(link_step(&l, bytes_head(bytes_from(buf_view(&l.wire), at), PIECE_BYTES)), 0);
        buf_clear(&l.plain);
    }
    link_fini(&l);
}

static void limit_out(struct link *l, size_t max)
{
    buf_fini(&l->out);
    buf_init(&l->out, max);
}

/* It is never fine again, however much room there is later. */
static void assert_broken(struct link *l)
{
    limit_out(l, SERVER_WIRE_MAX_BYTES);
    assert_int_equal(link_client(l), FAULT_LIMIT);
    assert_int_equal(link_step(l, BYTES_NONE), FAULT_LIMIT);
    assert_int_equal(link_put(l, BYTES_LITERAL("more")), FAULT_LIMIT);
    assert_int_equal(tls_conn_close(l->conn, &l->out), FAULT_LIMIT);
    assert_int_equal(buf_size(&l->out), 0);
    assert_string_equal(tls_conn_why(l->conn), "");
    link_fini(l);
}

static void test_out_is_full(void **state)
{
    static const uint8_t text[5000];
    struct link l;
    (void)state;
    /* the greeting */
    link_init(&l, client, &(struct server_wish){.own = &made.good});
    limit_out(&l, 100);
    assert_int_equal(link_step(&l, BYTES_NONE), FAULT_LIMIT);
    assert_broken(&l);
    /* the client's last word of the handshake */
    first_flight(&l);
    limit_out(&l, 20);
    assert_int_equal(link_client(&l), FAULT_LIMIT);
    assert_broken(&l);
    /* an alert */
    connect_good(&l, false);
    limit_out(&l, 5);
    assert_int_equal(link_step(&l, BYTES_LITERAL("\x17\x03\x03\0\1!")), FAULT_LIMIT);
    assert_broken(&l);
    /* what is put */
    connect_good(&l, true);
    limit_out(&l, 4000);
    assert_int_equal(link_put(&l, BYTES_OF(text)), FAULT_LIMIT);
    assert_broken(&l);
    /* the last word */
    connect_good(&l, true);
    limit_out(&l, 5);
    assert_int_equal(tls_conn_close(l.conn, &l.out), FAULT_LIMIT);
    assert_broken(&l);
}

/* As much room as tls_put_bytes() says is enough, with the answer to new keys; link_put() looks at it too. */
static void test_put_room(void **state)
{
    static const uint8_t text[3 * TLS_RECORD_PLAIN_BYTES];
    static const size_t lengths[] = {1, TLS_RECORD_PLAIN_BYTES - 1, TLS_RECORD_PLAIN_BYTES, TLS_RECORD_PLAIN_BYTES + 1,
                                     sizeof text};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        struct link l;
        connect_good(&l, true);
        assert_int_equal(SSL_key_update(l.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        link_server_says(&l, BYTES_LITERAL("new"));
        assert_int_equal(link_client(&l), 0);
        limit_out(&l, tls_put_bytes(lengths[i]) + buf_size(&l.out));
        assert_int_equal(link_put(&l, bytes_of(text, lengths[i])), 0);
        link_fini(&l);
    }
}

/* New keys: the server's own, and a wish for the client's. */
static void test_new_keys(void **state)
{
    struct link l;
    (void)state;
    connect_good(&l, true);
    for (int i = 0; i < 20; i++) {
        int wish = i % 2 == 0 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED;
        assert_int_equal(SSL_key_update(l.ssl, wish), 1);
        link_server_says(&l, BYTES_LITERAL("new"));
        assert_int_equal(link_client(&l), 0);
        assert_says(&l.plain, BYTES_LITERAL("new"));
        buf_clear(&l.plain);
        assert_int_equal(link_put(&l, BYTES_LITERAL("too")), 0);
        link_server(&l);
        assert_says(&l.heard, BYTES_LITERAL("too"));
        buf_clear(&l.heard);
    }
    link_fini(&l);
}

/* Tickets are of no use here, and so long that a small record holds a part of one: nothing can be put between. */
static void test_tickets(void **state)
{
    struct link l;
    struct tls_client *with_cert = client_with_cert();
    unsigned waits = 0;
    (void)state;
    link_init(&l, with_cert, &(struct server_wish){.own = &made.good, .client_ca = made.ca.x509});
    assert_int_equal(link_run(&l), 0);
    assert_int_equal(SSL_set_max_send_fragment(l.ssl, 512), 1);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(SSL_new_session_ticket(l.ssl), 1);
        link_server_says(&l, BYTES_LITERAL("!"));
    }
    for (size_t at = 0; at < buf_size(&l.wire); at++) {
        int r = link_step(&l, bytes_head(bytes_from(buf_view(&l.wire), at), 1));
        assert_true(r == 0 || r == TLS_HANDSHAKE);
        waits += r == TLS_HANDSHAKE;
        assert_int_equal(link_put(&l, BYTES_LITERAL("?")), r);
    }
    assert_true(waits > 0);
    assert_says(&l.plain, BYTES_LITERAL("!!!!!!!!!!"));
    link_server(&l);
    assert_true(buf_size(&l.heard) > 0);
    buf_clear(&l.wire);
    buf_clear(&l.plain);
    buf_clear(&l.heard);
    assert_echo(&l);
    link_fini(&l);
    tls_client_free(with_cert);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begins),           cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_every_cut),        cmocka_unit_test(test_every_flip),
        cmocka_unit_test(test_flip_later),       cmocka_unit_test(test_alerts),
        cmocka_unit_test(test_closed_by_server), cmocka_unit_test(test_closed_by_client),
        cmocka_unit_test(test_closed_early),     cmocka_unit_test(test_large),
        cmocka_unit_test(test_plain_is_full),    cmocka_unit_test(test_plain_room),
        cmocka_unit_test(test_out_is_full),      cmocka_unit_test(test_put_room),
        cmocka_unit_test(test_new_keys),         cmocka_unit_test(test_tickets),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
