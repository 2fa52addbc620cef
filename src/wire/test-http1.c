/* Tests of http1, heads: what is accepted and what it means; each hostile head that other readers let pass; every cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/http1-internal.h"
#include "wire/http1.h"

static const struct http1_limits limits = {.head_bytes = 4096, .target_bytes = 64, .fields_count = 8};

/* Room that ends where the text ends, so that a read past it is seen by the sanitizer. */
static int read_exact(struct bytes text, const struct http1_limits *l, struct http1_req *req, size_t *used)
{
    const char *why = NULL;
    int o = http1_read_head(text, l, req, used, &why);
    assert_true((why != NULL) == (o != 0 && o != HTTP1_MORE));
    return o;
}

static int outcome_of(const char *text)
{
    struct http1_req req;
    size_t used;
    return read_exact(bytes_of_text(text), &limits, &req, &used);
}

static void assert_text(struct bytes b, const char *text)
{
    assert_int_equal(b.n, strlen(text));
    assert_memory_equal(b.p, text, b.n);
}

/* The request is valid until the next call. */
static const struct http1_req *accepted(const char *text)
{
    static struct http1_req req;
    size_t used;
    assert_int_equal(read_exact(bytes_of_text(text), &limits, &req, &used), 0);
    assert_int_equal(used, strlen(text));
    return &req;
}

static void a_head_is_read(void **state UNUSED)
{
    static const char head[] = "PUT /registry/system/a?x=1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12\r\n"
                               "X-Empty:\r\nX-Blank: \t a b\t \r\nIf-Match:\"7\"\r\n\r\n";
    struct bytes v;
    const struct http1_req *req = accepted(head);
    assert_int_equal(req->method, HTTP1_PUT);
    assert_text(req->method_text, "PUT");
    assert_text(req->target, "/registry/system/a?x=1");
    assert_true(req->keeps_alive && req->has_length && !req->is_chunked && !req->wants_continue);
    assert_int_equal(req->length_bytes, 12);
    assert_int_equal(req->fields_count, 5);
    assert_text(req->fields[0].name, "Host");
    assert_text(req->fields[2].value, "");
    assert_text(req->fields[3].value, "a b");
    assert_int_equal(http1_field(req, "if-match", &v), 0);
    assert_text(v, "\"7\"");
    assert_int_equal(http1_field(req, "if-none-match", &v), HTTP1_NO_FIELD);
}

static void methods_are_known(void **state UNUSED)
{
    static const struct {
        const char *text;
        enum http1_method method;
    } rows[] = {
        {"GET", HTTP1_GET},     {"HEAD", HTTP1_HEAD},     {"POST", HTTP1_POST},
        {"PUT", HTTP1_PUT},     {"DELETE", HTTP1_DELETE}, {"OPTIONS", HTTP1_OPTIONS},
        {"PATCH", HTTP1_OTHER}, {"get", HTTP1_OTHER},     {"M-SEARCH", HTTP1_OTHER},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char head[100];
        snprintf(head, sizeof head, "%s / HTTP/1.1\r\nHost:\r\n\r\n", rows[i].text);
        assert_int_equal(accepted(head)->method, rows[i].method);
    }
}

#define HEAD(fields) "GET / HTTP/1.1\r\nHost: a\r\n" fields "\r\n"

static void framing_fields_are_understood(void **state UNUSED)
{
    assert_true(accepted(HEAD("Transfer-Encoding: chunked\r\n"))->is_chunked);
    assert_true(accepted(HEAD("tRANSFER-eNCODING:\tCHUNKED \r\n"))->is_chunked);
    assert_true(accepted(HEAD("Expect: 100-Continue\r\n"))->wants_continue);
    assert_true(accepted(HEAD("Content-Length: 0\r\n"))->has_length);
    assert_false(accepted(HEAD(""))->has_length);
    assert_true(accepted(HEAD("Content-Length: 9223372036854775807\r\n"))->length_bytes == INT64_MAX);
}

static void connection_options_are_a_list(void **state UNUSED)
{
    assert_true(accepted(HEAD(""))->keeps_alive);
    assert_true(accepted(HEAD("Connection: keep-alive\r\n"))->keeps_alive);
    assert_true(accepted(HEAD("Connection: closed\r\n"))->keeps_alive);
    assert_true(accepted(HEAD("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"))->keeps_alive);
    assert_true(accepted(HEAD("Connection:\r\n"))->keeps_alive);
    assert_false(accepted(HEAD("Connection: close\r\n"))->keeps_alive);
    assert_false(accepted(HEAD("connection: CLOSE\r\n"))->keeps_alive);
    assert_false(accepted(HEAD("Connection: x ,\tclose\t,y\r\n"))->keeps_alive);
    assert_false(accepted(HEAD("Connection: ,,close\r\n"))->keeps_alive);
    assert_false(accepted(HEAD("Connection: keep-alive\r\nConnection: close\r\n"))->keeps_alive);
    assert_int_equal(outcome_of(HEAD("Connection: close;now\r\n")), HTTP1_BAD);
    assert_int_equal(outcome_of(HEAD("Connection: close now\r\n")), HTTP1_BAD);
}

/* The heads on which other readers disagree, and some more; each is refused as soon as its last byte has come. */
static const struct hostile {
    int outcome;
    const char *head;
} hostile_heads[] = {
    /* a bare CR hides a field (CVE-2023-30589) */
    {HTTP1_BAD, "GET / HTTP/1.1\r\nHost: a\r\nX:\rTransfer-Encoding: chunked\r\n\r\n"},
    {HTTP1_BAD, "GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n"},
    /* bare LF */
    {HTTP1_BAD, "GET / HTTP/1.1\nHost: a\n\n"},
    {HTTP1_BAD, "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"},
    {HTTP1_BAD, "GET / HTTP/1.1\r\nHost: a\r\n\n"},
    /* blanks around the name */
    {HTTP1_BAD, HEAD("Content-Length : 5\r\n")},
    {HTTP1_BAD, HEAD("Content-Length\t: 5\r\n")},
    {HTTP1_BAD, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
    /* two framings */
    {HTTP1_BAD, HEAD("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")},
    {HTTP1_BAD, HEAD("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")},
    {HTTP1_BAD, HEAD("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
    {HTTP1_BAD, HEAD("Content-Length: 5\r\nContent-Length: 5\r\n")},
    {HTTP1_BAD, HEAD("Content-Length: 5\r\nContent-Length: 6\r\n")},
    {HTTP1_BAD, HEAD("Content-Length: 5, 5\r\n")},
    /* numbers that readers take differently */
    {HTTP1_BAD, HEAD("Content-Length: +5\r\n")},
    {HTTP1_BAD, HEAD("Content-Length: -5\r\n")},
    {HTTP1_BAD, HEAD("Content-Length: 05\r\n")},
    {HTTP1_BAD, HEAD("Content-Length: 0x5\r\n")},
    {HTTP1_BAD, HEAD("Content-Length: 5 5\r\n")},
    {HTTP1_BAD, HEAD("Content-Length: 5.0\r\n")},
    {HTTP1_BAD, HEAD("Content-Length:\r\n")},
    {HTTP1_BAD, HEAD("Content-Length: 9223372036854775808\r\n")},
    {HTTP1_BAD, HEAD("Content-Length: 18446744073709551621\r\n")},
    /* codings */
    {HTTP1_CODING, HEAD("Transfer-Encoding: gzip, chunked\r\n")},
    {HTTP1_CODING, HEAD("Transfer-Encoding: chunked, chunked\r\n")},
    {HTTP1_CODING, HEAD("Transfer-Encoding: xchunked\r\n")},
    {HTTP1_CODING, HEAD("Transfer-Encoding: chunked;q=1\r\n")},
    {HTTP1_CODING, HEAD("Transfer-Encoding: identity\r\n")},
    {HTTP1_CODING, HEAD("Transfer-Encoding:\r\n")},
    /* obsolete line folding */
    {HTTP1_BAD, HEAD("X: a\r\n b\r\n")},
    {HTTP1_BAD, HEAD("X: a\r\n\tb\r\n")},
    /* Host */
    {HTTP1_BAD, "GET / HTTP/1.1\r\n\r\n"},
    {HTTP1_BAD, HEAD("Host: b\r\n")},
    {HTTP1_BAD, HEAD("Host: a\r\n")},
    {HTTP1_BAD, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
    {HTTP1_BAD, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
    {HTTP1_BAD, "GET / HTTP/1.1\r\nHost: a\"\r\n\r\n"},
    /* versions */
    {HTTP1_BAD, "GET /\r\n"},
    {HTTP1_BAD, "GET / \r\n"},
    {HTTP1_VERSION, "GET / HTTP/1.2\r\nHost: a\r\n\r\n"},
    {HTTP1_VERSION, "GET / HTTP/1.0\r\nHost: a\r\n\r\n"},
    {HTTP1_VERSION, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"},
    {HTTP1_VERSION, "GET / HTTP/0.9\r\nHost: a\r\n\r\n"},
    {HTTP1_BAD, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"},
    {HTTP1_BAD, "GET / HTTP/1.10\r\nHost: a\r\n\r\n"},
    {HTTP1_BAD, "GET / HTTP/11\r\nHost: a\r\n\r\n"},
    {HTTP1_BAD, "GET / HTTP/x.1\r\nHost: a\r\n\r\n"},
    {HTTP1_BAD, "GET / HTTP/1.x\r\nHost: a\r\n\r\n"},
    {HTTP1_BAD, "GET / http/1.1\r\nHost: a\r\n\r\n"},
    {HTTP1_BAD, "SOURCE / ICE/1.0\r\nHost: a\r\n\r\n"},
    /* before and around the request line */
    {HTTP1_BAD, "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {HTTP1_BAD, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {HTTP1_BAD, " GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {HTTP1_BAD, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {HTTP1_BAD, "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"},
    {HTTP1_BAD, "GET /  HTTP/1.1\r\nHost: a\r\n\r\n"},
    {HTTP1_BAD, "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"},
    {HTTP1_BAD, "G@T / HTTP/1.1\r\nHost: a\r\n\r\n"},
    /* targets */
    {HTTP1_BAD, "GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n"},
    {HTTP1_BAD, "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n"},
    {HTTP1_BAD, "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n"},
    {HTTP1_BAD, "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n"},
    {HTTP1_BAD, "GET a HTTP/1.1\r\nHost: a\r\n\r\n"},
    {HTTP1_BAD, "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"},
    {HTTP1_BAD, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"},
    {HTTP1_BAD, "CONNECT /a:1 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {HTTP1_BAD, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
    /* fields */
    {HTTP1_BAD, HEAD(": a\r\n")},
    {HTTP1_BAD, HEAD("X\r\n")},
    {HTTP1_BAD, HEAD("X@Y: a\r\n")},
    {HTTP1_BAD, HEAD("X\xc3\xa4: a\r\n")},
    {HTTP1_BAD, HEAD("X: a\x01\r\n")},
    {HTTP1_BAD, HEAD("X: a\x7f\r\n")},
    {HTTP1_EXPECT, HEAD("Expect: 200-ok\r\n")},
    {HTTP1_EXPECT, HEAD("Expect:\r\n")},
    {HTTP1_BAD, HEAD("Expect: 100-continue\r\nExpect: 100-continue\r\n")},
};

static void hostile_heads_are_refused(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(hostile_heads); i++) {
        const struct hostile *h = &hostile_heads[i];
        if (outcome_of(h->head) != h->outcome)
            fail_msg("head %zu gave %d: %s", i, outcome_of(h->head), h->head);
    }
}

static void a_nul_is_refused(void **state UNUSED)
{
    static const char *const parts[][2] = {{"GET /", " HTTP/1.1\r\nHost: a\r\n\r\n"},
                                           {"GET / HTTP/1.1\r\nHost: a\r\nX: ", "b\r\n\r\n"},
                                           {"GET / HTTP/1.1\r\nHost: a\r\nX", ": b\r\n\r\n"}};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        struct http1_req req;
        struct buf b;
        size_t used;
        buf_init(&b, 4096);
        assert_int_equal(buf_append_text(&b, parts[i][0]), 0);
        assert_int_equal(buf_append(&b, BYTES_LITERAL("\0")), 0);
        assert_int_equal(buf_append_text(&b, parts[i][1]), 0);
        assert_int_equal(read_exact(buf_view(&b), &limits, &req, &used), HTTP1_BAD);
        buf_fini(&b);
    }
}

static const char long_head[] = "POST /registry/user/x?version=3&recursive HTTP/1.1\r\nHost: localhost:8080\r\n"
                                "User-Agent: curl/7.88.1\r\nAccept: */*\r\nTransfer-Encoding: chunked\r\n"
                                "Connection: close\r\nExpect: 100-continue\r\nX: \xc3\xa4\r\n\r\n";

static void every_prefix_waits_for_more(void **state UNUSED)
{
    for (size_t n = 0; n < sizeof long_head - 1; n++) {
        struct http1_req req;
        size_t used;
        char *copy = malloc(n + 1);
        assert_non_null(copy);
        char *exact = copy + 1; /* a read past the end is a read past the block */
        memcpy(exact, long_head, n);
        assert_int_equal(read_exact(bytes_of(exact, n), &limits, &req, &used), HTTP1_MORE);
        free(copy);
    }
    assert_int_equal(accepted(long_head)->fields_count, 7);
}

static void what_follows_the_head_is_not_touched(void **state UNUSED)
{
    struct http1_req req;
    struct buf b;
    size_t used;
    buf_init(&b, 4096);
    assert_int_equal(buf_append_text(&b, long_head), 0);
    assert_int_equal(buf_append(&b, BYTES_LITERAL("\0\n\r garbage")), 0);
    assert_int_equal(read_exact(buf_view(&b), &limits, &req, &used), 0);
    assert_int_equal(used, sizeof long_head - 1);
    buf_fini(&b);
}

static void a_bad_byte_is_noticed_before_its_line_ends(void **state UNUSED)
{
    assert_int_equal(outcome_of("\r"), HTTP1_BAD);
    assert_int_equal(outcome_of("G\x01"), HTTP1_BAD);
    assert_int_equal(outcome_of("GET h"), HTTP1_BAD);
    assert_int_equal(outcome_of("GET / I"), HTTP1_BAD);
    assert_int_equal(outcome_of("GET / HTTP/x"), HTTP1_BAD);
    assert_int_equal(outcome_of("GET / HTTP/1x"), HTTP1_BAD);
    assert_int_equal(outcome_of("GET / HTTP/1.0"), HTTP1_VERSION);
    assert_int_equal(outcome_of("GET / HTTP/1.1\n"), HTTP1_BAD);
    assert_int_equal(outcome_of("GET / HTTP/1.1\r\n\t"), HTTP1_BAD);
    assert_int_equal(outcome_of("GET / HTTP/1.1\r\nHost: a\rb"), HTTP1_BAD);
}

static void the_caps_are_exact(void **state UNUSED)
{
    static const char head[] = "GET /12345678 HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\n";
    struct http1_limits l = {.head_bytes = sizeof head - 1, .target_bytes = 9, .fields_count = 2};
    struct http1_req req;
    size_t used;
    struct bytes in = bytes_of_text(head);
    assert_int_equal(read_exact(in, &l, &req, &used), 0);
    l.head_bytes--;
    assert_int_equal(read_exact(in, &l, &req, &used), HTTP1_LARGE);
    assert_int_equal(read_exact(bytes_head(in, l.head_bytes), &l, &req, &used), HTTP1_LARGE);
    assert_int_equal(read_exact(bytes_head(in, l.head_bytes - 1), &l, &req, &used), HTTP1_MORE);
    l.head_bytes++;
    l.target_bytes--;
    assert_int_equal(read_exact(in, &l, &req, &used), HTTP1_TARGET_LONG);
    assert_int_equal(read_exact(bytes_head(in, 13), &l, &req, &used), HTTP1_TARGET_LONG);
    assert_int_equal(read_exact(bytes_head(in, 12), &l, &req, &used), HTTP1_MORE);
    l.target_bytes++;
    l.fields_count--;
    assert_int_equal(read_exact(in, &l, &req, &used), HTTP1_LARGE);
}

static void endless_parts_meet_the_cap(void **state UNUSED)
{
    static const char *const starts[] = {"", "GET /", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nX: "};
    const struct http1_limits l = {.head_bytes = 512, .target_bytes = 500, .fields_count = 1};
    for (size_t i = 0; i < COUNT_OF(starts); i++) {
        char head[600];
        struct http1_req req;
        size_t used;
        memset(head, 'a', sizeof head);
        memcpy(head, starts[i], strlen(starts[i]));
        int expected = i == 1 ? HTTP1_TARGET_LONG : HTTP1_LARGE;
        assert_int_equal(read_exact(BYTES_OF(head), &l, &req, &used), expected);
    }
}

static void as_many_fields_as_there_is_room_for(void **state UNUSED)
{
    const struct http1_limits l = {.head_bytes = 4096, .target_bytes = 64, .fields_count = HTTP1_FIELDS_MAX_COUNT};
    struct http1_req req;
    struct buf b;
    size_t used;
    buf_init(&b, 4096);
    assert_int_equal(buf_append_text(&b, "GET / HTTP/1.1\r\nHost: a\r\n"), 0);
    for (int i = 1; i < HTTP1_FIELDS_MAX_COUNT; i++)
        assert_int_equal(buf_append_text(&b, "x: y\r\n"), 0);
    assert_int_equal(read_exact(buf_view(&b), &l, &req, &used), HTTP1_MORE);
    assert_int_equal(buf_append_text(&b, "\r\n"), 0);
    assert_int_equal(read_exact(buf_view(&b), &l, &req, &used), 0);
    assert_int_equal(req.fields_count, HTTP1_FIELDS_MAX_COUNT);
    buf_truncate(&b, buf_size(&b) - 2);
    assert_int_equal(buf_append_text(&b, "x: y\r\n\r\n"), 0);
    assert_int_equal(read_exact(buf_view(&b), &l, &req, &used), HTTP1_LARGE);
    buf_fini(&b);
}

static void a_field_is_found_once(void **state UNUSED)
{
    struct bytes v = BYTES_LITERAL("kept");
    const struct http1_req *req = accepted(HEAD("A: 1\r\na: 2\r\nAB: 3\r\n"));
    assert_int_equal(http1_field(req, "A", &v), HTTP1_MANY);
    assert_text(v, "kept");
    assert_int_equal(http1_field(req, "ab", &v), 0);
    assert_text(v, "3");
    assert_int_equal(http1_field(req, "", &v), HTTP1_NO_FIELD);
}

static bool is_in(const char *set, unsigned c)
{
    return c != 0 && strchr(set, (int)c) != NULL;
}

/* RFC 9110 sections 5.5 and 5.6.2, RFC 3986 section 3.2, spelled out again. */
static void byte_classes_follow_the_grammar(void **state UNUSED)
{
    for (unsigned c = 0; c < 256; c++) {
        bool is_alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        bool is_visible = c > 0x20 && c < 0x7f;
        assert_int_equal(http1_is((uint8_t)c, HTTP1_IS_TOKEN), is_alnum || is_in("!#$%&'*+-.^_`|~", c));
        assert_int_equal(http1_is((uint8_t)c, HTTP1_IS_TARGET), is_visible && c != '#');
        assert_int_equal(http1_is((uint8_t)c, HTTP1_IS_FIELD), is_visible || c == ' ' || c == '\t' || c >= 0x80);
        assert_int_equal(http1_is((uint8_t)c, HTTP1_IS_HOST), is_alnum || is_in("-._~!$&'()*+,;=:%[]", c));
    }
}

static int read_resp(const char *text, struct http1_resp *resp)
{
    const char *why = NULL;
    size_t used = 0;
    int o = http1_read_response_head(bytes_of_text(text), &limits, resp, &used, &why);
    assert_true((why != NULL) == (o != 0 && o != HTTP1_MORE));
    assert_int_equal(used, o == 0 ? strlen(text) : 0);
    return o;
}

static void a_response_is_read(void **state UNUSED)
{
    struct http1_resp resp;
    struct bytes v;
    assert_int_equal(read_resp("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"1\"\r\n\r\n", &resp), 0);
    assert_int_equal(resp.status, 200);
    assert_int_equal(resp.length_bytes, 5);
    assert_true(resp.keeps_alive);
    assert_int_equal(resp.fields_count, 2);
    assert_int_equal(http1_resp_field(&resp, "etag", &v), 0);
    assert_text(v, "\"1\"");
    assert_int_equal(http1_resp_field(&resp, "x", &v), HTTP1_NO_FIELD);
    assert_int_equal(read_resp("HTTP/1.1 599 \r\nContent-Length: 0\r\nConnection: close\r\n\r\n", &resp), 0);
    assert_false(resp.keeps_alive);
    assert_false(resp.is_chunked);
    assert_int_equal(read_resp("HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED\r\n\r\n", &resp), 0);
    assert_true(resp.is_chunked);
    assert_int_equal(resp.length_bytes, 0);
}

static void responses_without_body_name_no_length(void **state UNUSED)
{
    struct http1_resp resp;
    assert_int_equal(read_resp("HTTP/1.1 204 No Content\r\n\r\n", &resp), 0);
    assert_int_equal(resp.length_bytes, 0);
    assert_int_equal(read_resp("HTTP/1.1 100 Continue\r\n\r\n", &resp), 0);
    assert_int_equal(read_resp("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", &resp), 0);
    assert_int_equal(resp.length_bytes, 0);
    assert_int_equal(read_resp("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", &resp), HTTP1_BAD);
    assert_int_equal(read_resp("HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n", &resp), HTTP1_BAD);
}

static void hostile_responses_are_refused(void **state UNUSED)
{
    static const struct {
        int outcome;
        const char *head;
    } rows[] = {
        {HTTP1_BAD, "HTTP/1.1 200 OK\r\n\r\n"},
        {HTTP1_BAD, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"},
        {HTTP1_BAD, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {HTTP1_BAD, "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {HTTP1_BAD, "HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {HTTP1_BAD, "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {HTTP1_BAD, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {HTTP1_CODING, "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"},
        {HTTP1_VERSION, "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n"},
        {HTTP1_VERSION, "HTTP/2.0 200 OK\r\nContent-Length: 1\r\n\r\n"},
        {HTTP1_BAD, "HTTP/1.1 200\r\nContent-Length: 1\r\n\r\n"},
        {HTTP1_BAD, "HTTP/1.1  200 OK\r\n"},
        {HTTP1_BAD, "HTTP/1.1 20 OK\r\n"},
        {HTTP1_BAD, "HTTP/1.1 2000 OK\r\n"},
        {HTTP1_BAD, "HTTP/1.1 099 OK\r\n"},
        {HTTP1_BAD, "HTTP/1.1 600 OK\r\n"},
        {HTTP1_BAD, "HTTP/1.1 2x0 OK\r\n"},
        {HTTP1_BAD, "HTTP/1.1 200 O\rK\r\n"},
        {HTTP1_BAD, "HTTP/1.1 200 OK\nContent-Length: 1\n\n"},
        {HTTP1_BAD, "ICY 200 OK\r\n"},
        {HTTP1_BAD, "\r\nHTTP/1.1 200 OK\r\n"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct http1_resp resp;
        if (read_resp(rows[i].head, &resp) != rows[i].outcome)
            fail_msg("response %zu gave %d", i, read_resp(rows[i].head, &resp));
    }
}

static void every_prefix_of_a_response_waits(void **state UNUSED)
{
    static const char head[] = "HTTP/1.1 412 Precondition Failed\r\nContent-Length: 10\r\nETag: \"3\"\r\n\r\n";
    for (size_t n = 0; n < sizeof head - 1; n++) {
        struct http1_resp resp;
        char prefix[sizeof head] = {0};
        memcpy(prefix, head, n);
        assert_int_equal(read_resp(prefix, &resp), HTTP1_MORE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_read),
        cmocka_unit_test(methods_are_known),
        cmocka_unit_test(framing_fields_are_understood),
        cmocka_unit_test(connection_options_are_a_list),
        cmocka_unit_test(hostile_heads_are_refused),
        cmocka_unit_test(a_nul_is_refused),
        cmocka_unit_test(every_prefix_waits_for_more),
        cmocka_unit_test(what_follows_the_head_is_not_touched),
        cmocka_unit_test(a_bad_byte_is_noticed_before_its_line_ends),
        cmocka_unit_test(the_caps_are_exact),
        cmocka_unit_test(endless_parts_meet_the_cap),
        cmocka_unit_test(as_many_fields_as_there_is_room_for),
        cmocka_unit_test(a_field_is_found_once),
        cmocka_unit_test(byte_classes_follow_the_grammar),
        cmocka_unit_test(a_response_is_read),
        cmocka_unit_test(responses_without_body_name_no_length),
        cmocka_unit_test(hostile_responses_are_refused),
        cmocka_unit_test(every_prefix_of_a_response_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
