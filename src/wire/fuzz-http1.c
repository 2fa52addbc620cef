/*
 * Fuzz target of http1, with http-parser as the oracle where it is installed: a head that we accept, it must accept
 * with the same method or status, target, fields and framing; a chunked body that we decode, it must decode to the same
 * bytes. The other direction is not asked: being stricter is the point. Alone, we must not depend on where bytes are
 * cut.
 */
#include <stdlib.h>
#include <string.h>

#include "wire/http1.h"
#ifdef HAVE_HTTP_PARSER
#include <http_parser.h>
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_MAX_BYTES = 1 << 16, PREFIXES_MAX_COUNT = 512 };

static const struct http1_limits limits = {
    .head_bytes = 16384,
    .target_bytes = 8192,
    .fields_count = HTTP1_FIELDS_MAX_COUNT,
};

#ifdef HAVE_HTTP_PARSER

struct seen {
    struct bytes target;
    struct http1_field fields[HTTP1_FIELDS_MAX_COUNT];
    size_t names_count, values_count;
    bool has_head, is_complete;
    struct buf body;
};

static struct seen *seen_of(http_parser *p)
{
    return p->data;
}

static int on_url(http_parser *p, const char *at, size_t n)
{
    seen_of(p)->target = bytes_of(at, n);
    return 0;
}

static int on_name(http_parser *p, const char *at, size_t n)
{
    struct seen *s = seen_of(p);
    assert(s->names_count < HTTP1_FIELDS_MAX_COUNT);
    s->fields[s->names_count++].name = bytes_of(at, n);
    return 0;
}

static int on_value(http_parser *p, const char *at, size_t n)
{
    struct seen *s = seen_of(p);
    assert(s->values_count < HTTP1_FIELDS_MAX_COUNT);
    while (n > 0 && (at[n - 1] == ' ' || at[n - 1] == '\t'))
        n--; /* it keeps the blanks behind a value */
    s->fields[s->values_count++].value = bytes_of(at, n);
    return 0;
}

static int on_head(http_parser *p)
{
    seen_of(p)->has_head = true;
    return 0;
}

static int on_body(http_parser *p, const char *at, size_t n)
{
    int r = buf_append(&seen_of(p)->body, bytes_of(at, n));
    assert(r == 0);
    return 0;
}

static int on_complete(http_parser *p)
{
    seen_of(p)->is_complete = true;
    return 0;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

static void start(http_parser *p, struct seen *s, enum http_parser_type type)
{
    *s = (struct seen){0};
    buf_init(&s->body, 2 * BODY_MAX_BYTES);
    http_parser_init(p, type);
    p->data = s;
}

/* Returns false if the oracle refuses. */
static bool feed(http_parser *p, struct bytes in)
{
    size_t n = in.n > 0 ? http_parser_execute(p, &settings, (const char *)in.p, in.n) : 0;
    return HTTP_PARSER_ERRNO(p) == HPE_OK && n == in.n;
}

static bool has_name_like(const struct http1_field *fields, size_t count, struct bytes start)
{
    for (size_t i = 0; i < count; i++) {
        if (fields[i].name.n > start.n && bytes_equal_nocase(bytes_head(fields[i].name, start.n), start))
            return true;
    }
    return false;
}

/*
 * Where it is wrong: it takes no tab behind a number or a coding, and counts a
 * field whose name only begins with Transfer-Encoding as one.
 */
static bool is_excused(const http_parser *p, struct bytes head, const struct http1_field *fields, size_t count)
{
    enum http_errno e = HTTP_PARSER_ERRNO(p);
    bool has_tab = bytes_find(head, '\t') < head.n;
    bool counts_coding = has_name_like(fields, count, BYTES_LITERAL("Transfer-Encoding"));
    if (e == HPE_INVALID_TRANSFER_ENCODING)
        return has_tab || counts_coding;
    return (has_tab && e == HPE_INVALID_CONTENT_LENGTH) || (counts_coding && e == HPE_UNEXPECTED_CONTENT_LENGTH);
}

static void compare_fields(const struct seen *s, const struct http1_field *fields, size_t count)
{
    assert(s->has_head);
    assert(s->names_count == count && s->values_count == count);
    for (size_t i = 0; i < count; i++) {
        assert(bytes_equal(s->fields[i].name, fields[i].name));
        assert(bytes_equal(s->fields[i].value, fields[i].value));
    }
}

static void compare_chunks(http_parser *p, struct seen *s, struct bytes rest)
{
    struct http1_chunks state = {0};
    struct buf body;
    size_t used = 0;
    buf_init(&body, BODY_MAX_BYTES);
    int o = http1_read_chunks(&state, rest, &body, &used);
    assert(o >= 0);
    if (o == 0 || o == HTTP1_MORE) {
        bool fed = feed(p, bytes_head(rest, used));
        assert(fed);
        assert(bytes_equal(buf_view(&s->body), buf_view(&body)));
        assert(s->is_complete == (o == 0));
    }
    buf_fini(&body);
}

static void compare_request(struct bytes in, size_t used, const struct http1_req *req)
{
    http_parser p;
    struct seen s;
    struct bytes head = bytes_head(in, used), v;
    start(&p, &s, HTTP_REQUEST);
    if (!feed(&p, head)) {
        bool is_unknown = HTTP_PARSER_ERRNO(&p) == HPE_INVALID_METHOD && req->method == HTTP1_OTHER;
        assert(is_unknown || is_excused(&p, head, req->fields, req->fields_count));
        buf_fini(&s.body);
        return;
    }
    assert(bytes_equal(bytes_of_text(http_method_str(p.method)), req->method_text));
    assert(p.http_major == 1 && p.http_minor == 1);
    assert(bytes_equal(s.target, req->target));
    compare_fields(&s, req->fields, req->fields_count);
    /* It counts a Proxy-Connection as a Connection, which it is not. */
    if (http1_field(req, "Proxy-Connection", &v) == HTTP1_NO_FIELD)
        assert(http_should_keep_alive(&p) != 0 || !req->keeps_alive);
    assert(((p.flags & F_CHUNKED) != 0) == req->is_chunked);
    if (req->has_length)
        assert(p.content_length == req->length_bytes || (req->length_bytes == 0 && s.is_complete));
    assert(s.is_complete == (!req->is_chunked && req->length_bytes == 0));
    if (req->is_chunked)
        compare_chunks(&p, &s, bytes_from(in, used));
    buf_fini(&s.body);
}

static void compare_response(struct bytes head, const struct http1_resp *resp)
{
    http_parser p;
    struct seen s;
    start(&p, &s, HTTP_RESPONSE);
    if (!feed(&p, head)) {
        assert(is_excused(&p, head, resp->fields, resp->fields_count));
        buf_fini(&s.body);
        return;
    }
    assert(p.status_code == resp->status);
    compare_fields(&s, resp->fields, resp->fields_count);
    if (resp->length_bytes > 0)
        assert(p.content_length == resp->length_bytes);
    /* It waits for a body behind a 304 with a length, which has none (RFC 9112 section 6.3). */
    bool counts_coding = has_name_like(resp->fields, resp->fields_count, BYTES_LITERAL("Transfer-Encoding"));
    if (resp->status != 304 && !counts_coding)
        assert(s.is_complete == (resp->length_bytes == 0 && !resp->is_chunked));
    buf_fini(&s.body);
}

#else

static void compare_request(struct bytes in, size_t used, const struct http1_req *req)
{
    (void)in;
    (void)used;
    (void)req;
}

static void compare_response(struct bytes head, const struct http1_resp *resp)
{
    (void)head;
    (void)resp;
}

#endif

/* Lengths to cut at: all of a short run, a spread of a long one. */
static size_t next_cut(size_t at, size_t n)
{
    return at + 1 + n / PREFIXES_MAX_COUNT;
}

static void check_request(struct bytes in)
{
    struct http1_req req, again;
    const char *why = NULL;
    size_t used = 0;
    int o = http1_read_head(in, &limits, &req, &used, &why);
    assert((why != NULL) == (o != 0 && o != HTTP1_MORE));
    size_t whole = o == 0 ? used : in.n;
    assert(whole <= in.n && (o != HTTP1_MORE || in.n < limits.head_bytes));
    for (size_t n = 0; n < whole; n = next_cut(n, whole)) {
        size_t cut_used;
        int cut = http1_read_head(bytes_head(in, n), &limits, &again, &cut_used, &why);
        /* Once refused is refused for ever; a whole head is waited for. */
        assert(cut == HTTP1_MORE || (o != 0 && o != HTTP1_MORE && cut == o));
    }
    if (o != 0)
        return;
    compare_request(in, used, &req);
    size_t used_again;
    o = http1_read_head(bytes_head(in, used), &limits, &again, &used_again, &why);
    assert(o == 0 && used_again == used && again.fields_count == req.fields_count);
}

static void check_response(struct bytes in)
{
    struct http1_resp resp, again;
    const char *why = NULL;
    size_t used = 0;
    int o = http1_read_response_head(in, &limits, &resp, &used, &why);
    assert((why != NULL) == (o != 0 && o != HTTP1_MORE));
    if (o != 0)
        return;
    for (size_t n = 0; n < used; n = next_cut(n, used)) {
        size_t cut_used;
        int cut = http1_read_response_head(bytes_head(in, n), &limits, &again, &cut_used, &why);
        assert(cut == HTTP1_MORE);
    }
    compare_response(bytes_head(in, used), &resp);
}

/* One outcome for one run of bytes, in one piece or in pieces of `step`. */
static void check_chunks(struct bytes in, size_t step)
{
    struct http1_chunks whole_state = {0}, state = {0};
    struct buf whole, body;
    size_t whole_used = 0, total = 0;
    buf_init(&whole, BODY_MAX_BYTES);
    buf_init(&body, BODY_MAX_BYTES);
    int expected = http1_read_chunks(&whole_state, in, &whole, &whole_used);
    int o = HTTP1_MORE;
    while (o == HTTP1_MORE && total < in.n) {
        size_t used = 0;
        o = http1_read_chunks(&state, bytes_head(bytes_from(in, total), step), &body, &used);
        assert(o != HTTP1_MORE || used == MIN_OF(step, in.n - total));
        total += used;
    }
    assert(o == expected);
    assert(o == HTTP1_BAD || o == HTTP1_LARGE || total == whole_used);
    assert(bytes_equal(buf_view(&whole), buf_view(&body)));
    buf_fini(&whole);
    buf_fini(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    check_request(in);
    check_response(in);
    check_chunks(in, 1);
    check_chunks(in, 7);
    return 0;
}
