/*
 * Tests of tls: memory that is lacking, here and in OpenSSL, from any place on.
 *
 * OpenSSL gets along without some of its memory, and does not always say that it was memory that was lacking; so a call
 * may also work as if nothing had been, or blame a text or the server. It never crashes, leaks, or gives half a thing;
 * but OpenSSL 3.0 leaks some hundred bytes where the making of its own contexts fails, which is left out.
 */
#include <errno.h>
#include <stdio.h>

#include "fail-alloc.h"
#include "test-made.h"

/* About this many places are tried: with every one of them the test would take minutes. */
enum { TRIES_COUNT = 500 };

/* Allocations of OpenSSL while it works for the client. */
static struct {
    bool is_armed, is_refused;
    size_t left, used;
    long held; /* allocations not freed */
} memory;

static bool refuse(void)
{
    if (!memory.is_armed)
        return false;
    memory.used++;
    memory.is_refused = memory.is_refused || memory.left == 0;
    memory.left -= memory.left > 0;
    return memory.is_refused;
}

static void *library_malloc(size_t n, const char *file, int line)
{
    (void)file, (void)line;
    void *p = refuse() ? NULL : malloc(n);
    memory.held += p != NULL;
    return p;
}

static void *library_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file, (void)line;
    bool is_new = p == NULL;
    void *q = refuse() ? NULL : realloc(p, n);
    memory.held += is_new && q != NULL;
    return q;
}

static void library_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    memory.held -= p != NULL;
    free(p);
}

static struct tls_client *client; /* for connections */

static int start(void **state)
{
    if (CRYPTO_set_mem_functions(library_malloc, library_realloc, library_free) != 1)
        return -1;
    int r = make(state);
    client = client_with_cert(); /* what OpenSSL makes once it has now */
    return r;
}

static int finish(void **state)
{
    client = tls_client_free(client);
    return unmake(state);
}

static size_t next_place(size_t at, size_t count)
{
    return at + MAX_OF(count / TRIES_COUNT, (size_t)1);
}

static int try_client(struct tls_client **ret_client, char *ret_why)
{
    return tls_client_new(&(struct tls_client_settings){.ca = cert_pem_view(&made.ca_pem),
                                                        .cert = cert_pem_view(&made.client_pem),
                                                        .key = cert_pem_view(&made.client_key),
                                                        .name = NAME},
                          ret_client, ret_why);
}

/* How many allocations OpenSSL needs for its contexts, and how many a whole client. */
static void count_client(size_t *ret_contexts, size_t *ret_client)
{
    char why[TLS_WHY_BYTES];
    struct tls_client *c = NULL;
    memory.is_armed = true;
    memory.left = SIZE_MAX;
    memory.used = 0;
    OSSL_LIB_CTX *lib = OSSL_LIB_CTX_new();
    SSL_CTX *ctx = SSL_CTX_new_ex(lib, NULL, TLS_client_method());
    *ret_contexts = memory.used;
    SSL_CTX_free(ctx);
    OSSL_LIB_CTX_free(lib);
    memory.used = 0;
    assert_int_equal(try_client(&c, why), 0);
    *ret_client = memory.used;
    memory.is_armed = false;
    tls_client_free(c);
}

static void test_client(void **state)
{
    size_t contexts, count;
    unsigned bad = 0;
    bool is_refused = true;
    (void)state;
    count_client(&contexts, &count);
    assert_true(contexts > 100 && count > contexts + 100);
    for (size_t at = 0; is_refused; at = at == 0 ? contexts + 1 : next_place(at, count)) {
        char why[TLS_WHY_BYTES];
        struct tls_client *c = NULL;
        long held = memory.held;
        fail_alloc_after((unsigned)at);
        int r = try_client(&c, why);
        is_refused = fail_alloc_off();
        assert_true(r == 0 || r == -ENOMEM || r == FAULT_CRYPTO || r == TLS_BAD);
        assert_int_equal(r == 0, c != NULL);
        tls_client_free(c);
        assert_int_equal(memory.held, held);
        bad += r != 0;
    }
    assert_true(bad > TRIES_COUNT / 4);
}

static int armed(struct link *l, struct bytes in)
{
    memory.is_armed = true;
    int r = tls_conn_step(l->conn, in, &l->plain, &l->out);
    memory.is_armed = false;
    return r;
}

/* A connection, a word there and one back; memory of the client's OpenSSL ends after `at` allocations. */
static int try_connection(size_t at, struct link *l)
{
    struct bytes text = BYTES_LITERAL("a record");
    link_init(l, client, &(struct server_wish){.own = &made.good, .client_ca = made.ca.x509});
    l->conn = tls_conn_free(l->conn);
    memory.left = at;
    memory.used = 0;
    memory.is_refused = false;
    memory.is_armed = true;
    int r = tls_conn_new(client, &l->conn);
    memory.is_armed = false;
    if (r != 0)
        return r;
    r = armed(l, BYTES_NONE);
    for (int i = 0; i < 3 && (r == TLS_HANDSHAKE || r == 0); i++) {
        link_server(l);
        r = armed(l, buf_view(&l->wire));
        buf_clear(&l->wire);
    }
    if (r != 0)
        return r;
    memory.is_armed = true;
    r = tls_conn_put(l->conn, text, &l->out);
    memory.is_armed = false;
    link_server(l);
    assert_true(r != 0 || bytes_equal(buf_view(&l->heard), text));
    if (r != 0)
        return r;
    link_server_says(l, text);
    r = armed(l, buf_view(&l->wire));
    assert_true(r != 0 || bytes_equal(buf_view(&l->plain), text));
    return r;
}

static void test_connection(void **state)
{
    struct link l;
    unsigned bad = 0;
    (void)state;
    assert_int_equal(try_connection(SIZE_MAX, &l), 0);
    link_fini(&l);
    size_t count = memory.used;
    assert_true(count > 100);
    for (size_t at = 0; at <= count; at = next_place(at, count)) {
        long held = memory.held;
        int r = try_connection(at, &l);
        assert_true(r == 0 || r == -ENOMEM || r == FAULT_CRYPTO || r == TLS_REFUSED);
        assert_int_equal(ERR_peek_error(), 0);
        if (l.conn != NULL && r != 0)
            assert_int_equal(link_step(&l, BYTES_NONE), r);
        bad += r != 0;
        link_fini(&l);
        assert_int_equal(memory.held, held);
    }
    assert_true(bad > TRIES_COUNT / 4);
}

/* Ours: what comes and what goes out finds no room. */
static void test_buffers(void **state)
{
    struct link l;
    (void)state;
    link_init(&l, client, &(struct server_wish){.own = &made.good});
    fail_alloc_after(0);
    assert_true(tls_conn_new(client, &(struct tls_conn *){NULL}) == -ENOMEM);
    assert_true(fail_alloc_off());
    assert_int_equal(link_run(&l), 0);
    buf_fini(&l.plain);
    link_server_says(&l, BYTES_LITERAL("a word"));
    fail_alloc_after(0);
    assert_int_equal(link_client(&l), -ENOMEM);
    assert_true(fail_alloc_off());
    assert_int_equal(link_client(&l), -ENOMEM); /* though there is memory again: the word is lost */
    link_fini(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client),
        cmocka_unit_test(test_connection),
        cmocka_unit_test(test_buffers),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
