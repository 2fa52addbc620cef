/*
 * http1 - see http1.h. A reader walks the head once, from the front, and never looks at a byte past the first that no
 * accepted head can hold; so a prefix of an accepted head gives HTTP1_MORE and nothing else. Outcomes travel from the
 * static functions to the public one, which is the caller they are meant for.
 */
#include "wire/http1.h"

#include <string.h>

#include "base/num.h"
#include "wire/http1-internal.h"

/* Every number up to this is read alike by signed and unsigned readers. */
#define LENGTH_MAX_BYTES ((uint64_t)INT64_MAX)

struct reader {
    const uint8_t *at, *end;
    bool is_capped; /* `end` is the cap of the head, not the end of what has come */
    const char *why;
};

enum seen { SEEN_HOST = 1u << 0, SEEN_LENGTH = 1u << 1, SEEN_CODING = 1u << 2, SEEN_EXPECT = 1u << 3 };

/* What the fields say about the message around them. */
struct framing {
    unsigned seen;
    bool closes, is_chunked, wants_continue;
    uint64_t length_bytes;
};

static int refuse(struct reader *r, int outcome, const char *why)
{
    r->why = why;
    return outcome;
}

/* The bytes end inside something that is good so far. */
static int cut(struct reader *r)
{
    return r->is_capped ? refuse(r, HTTP1_LARGE, "the head is too long") : HTTP1_MORE;
}

static struct reader reader_of(struct bytes in, const struct http1_limits *limits)
{
    assert(limits->head_bytes > 0 && limits->target_bytes > 0);
    assert(limits->fields_count > 0 && limits->fields_count <= HTTP1_FIELDS_MAX_COUNT);
    struct bytes head = bytes_head(in, limits->head_bytes);
    return (struct reader){.at = head.p, .end = head.p + head.n, .is_capped = in.n >= limits->head_bytes};
}

static size_t left(const struct reader *r)
{
    return (size_t)(r->end - r->at);
}

/* Takes the longest run of a class; it may be empty, and it may end because the bytes do. */
static struct bytes take_run(struct reader *r, enum http1_class what)
{
    const uint8_t *p = r->at, *end = r->end;
    while (p < end && http1_is(*p, what))
        p++;
    struct bytes run = bytes_of(r->at, (size_t)(p - r->at));
    r->at = p;
    return run;
}

/* Takes exactly these bytes; a wrong one is noticed before the rest has come. */
static int take_literal(struct reader *r, struct bytes literal, const char *why)
{
    size_t n = MIN_OF(left(r), literal.n);
    if (memcmp(r->at, literal.p, n) != 0)
        return refuse(r, HTTP1_BAD, why);
    if (n < literal.n)
        return cut(r);
    r->at += n;
    return 0;
}

static int take_line_end(struct reader *r, const char *why)
{
    return take_literal(r, BYTES_LITERAL("\r\n"), why);
}

static enum http1_method method_of(struct bytes text)
{
    static const struct {
        struct bytes text;
        enum http1_method method;
    } rows[] = {
        {{(const uint8_t *)"GET", 3}, HTTP1_GET},       {{(const uint8_t *)"HEAD", 4}, HTTP1_HEAD},
        {{(const uint8_t *)"POST", 4}, HTTP1_POST},     {{(const uint8_t *)"PUT", 3}, HTTP1_PUT},
        {{(const uint8_t *)"DELETE", 6}, HTTP1_DELETE}, {{(const uint8_t *)"OPTIONS", 7}, HTTP1_OPTIONS},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (bytes_equal(text, rows[i].text))
            return rows[i].method;
    }
    return HTTP1_OTHER;
}

static int read_method(struct reader *r, struct http1_req *ret_req)
{
    ret_req->method_text = take_run(r, HTTP1_IS_TOKEN);
    if (r->at == r->end)
        return cut(r);
    if (ret_req->method_text.n == 0 || *r->at != ' ')
        return refuse(r, HTTP1_BAD, "the method is not a token and one space");
    /* CONNECT has a target of its own form, and what follows its head is no body. */
    if (bytes_equal(ret_req->method_text, BYTES_LITERAL("CONNECT")))
        return refuse(r, HTTP1_BAD, "the method CONNECT is not for this server");
    ret_req->method = method_of(ret_req->method_text);
    r->at++;
    return 0;
}

static int read_target(struct reader *r, size_t max_bytes, struct http1_req *ret_req)
{
    if (r->at < r->end && *r->at != '/')
        return refuse(r, HTTP1_BAD, "the target does not begin with a slash");
    ret_req->target = take_run(r, HTTP1_IS_TARGET);
    if (ret_req->target.n > max_bytes)
        return refuse(r, HTTP1_TARGET_LONG, "the target is too long");
    if (r->at == r->end)
        return cut(r);
    if (*r->at != ' ')
        return refuse(r, HTTP1_BAD, "the target holds a byte that is not visible ASCII, or no version follows it");
    r->at++;
    return 0;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/" DIGIT "." DIGIT, where both digits are 1. */
static int read_version(struct reader *r)
{
    int o = take_literal(r, BYTES_LITERAL("HTTP/"), "the version is not HTTP/1.1");
    if (o != 0)
        return o;
    const uint8_t *p = r->at;
    if ((left(r) > 0 && !is_digit(p[0])) || (left(r) > 1 && p[1] != '.') || (left(r) > 2 && !is_digit(p[2])))
        return refuse(r, HTTP1_BAD, "the version is not two digits");
    if (left(r) < 3)
        return cut(r);
    if (p[0] != '1' || p[2] != '1')
        return refuse(r, HTTP1_VERSION, "only HTTP/1.1 is served");
    r->at += 3;
    return 0;
}

/* True if the field was seen before; else it counts as seen. */
static bool is_repeated(struct framing *f, enum seen what)
{
    bool r = (f->seen & what) != 0;
    f->seen |= what;
    return r;
}

static int on_host(struct reader *r, struct framing *f, struct bytes value)
{
    if (is_repeated(f, SEEN_HOST))
        return refuse(r, HTTP1_BAD, "there are two Host fields");
    if (!http1_is_all(value, HTTP1_IS_HOST))
        return refuse(r, HTTP1_BAD, "the Host field is not a host and port");
    return 0;
}

static int on_length(struct reader *r, struct framing *f, struct bytes value)
{
    if (is_repeated(f, SEEN_LENGTH))
        return refuse(r, HTTP1_BAD, "there are two Content-Length fields");
    if (!num_parse_u64(value, LENGTH_MAX_BYTES, &f->length_bytes))
        return refuse(r, HTTP1_BAD, "the Content-Length is not a plain number");
    return 0;
}

static int on_coding(struct reader *r, struct framing *f, struct bytes value)
{
    if (is_repeated(f, SEEN_CODING))
        return refuse(r, HTTP1_BAD, "there are two Transfer-Encoding fields");
    if (!bytes_equal_nocase(value, BYTES_LITERAL("chunked")))
        return refuse(r, HTTP1_CODING, "the only transfer coding is chunked");
    f->is_chunked = true;
    return 0;
}

static int on_expect(struct reader *r, struct framing *f, struct bytes value)
{
    if (is_repeated(f, SEEN_EXPECT))
        return refuse(r, HTTP1_BAD, "there are two Expect fields");
    if (!bytes_equal_nocase(value, BYTES_LITERAL("100-continue")))
        return refuse(r, HTTP1_EXPECT, "the only expectation is 100-continue");
    f->wants_continue = true;
    return 0;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct bytes trim(struct bytes b)
{
    while (b.n > 0 && is_blank(b.p[0]))
        b = bytes_of(b.p + 1, b.n - 1);
    while (b.n > 0 && is_blank(b.p[b.n - 1]))
        b.n--;
    return b;
}

/* A list of tokens (RFC 9110 section 5.6.1: empty elements count for nothing); of the options only "close" matters. */
static int on_connection(struct reader *r, struct framing *f, struct bytes value)
{
    while (value.n > 0) {
        size_t comma = bytes_find(value, ',');
        struct bytes option = trim(bytes_head(value, comma));
        if (!http1_is_all(option, HTTP1_IS_TOKEN))
            return refuse(r, HTTP1_BAD, "a Connection option is not a token");
        if (bytes_equal_nocase(option, BYTES_LITERAL("close")))
            f->closes = true;
        value = bytes_from(value, comma + 1);
    }
    return 0;
}

/* Fields that decide about the message; the length of the name rules most others out. */
static int on_field(struct reader *r, struct framing *f, const struct http1_field *field)
{
    static const struct {
        struct bytes name;
        int (*on_value)(struct reader *r, struct framing *f, struct bytes value);
    } rows[] = {
        {{(const uint8_t *)"host", 4}, on_host},
        {{(const uint8_t *)"expect", 6}, on_expect},
        {{(const uint8_t *)"connection", 10}, on_connection},
        {{(const uint8_t *)"content-length", 14}, on_length},
        {{(const uint8_t *)"transfer-encoding", 17}, on_coding},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (field->name.n == rows[i].name.n && bytes_equal_nocase(field->name, rows[i].name))
            return rows[i].on_value(r, f, field->value);
    }
    return 0;
}

static int read_field(struct reader *r, struct http1_field *ret_field)
{
    ret_field->name = take_run(r, HTTP1_IS_TOKEN);
    if (r->at == r->end)
        return cut(r);
    if (ret_field->name.n == 0 || *r->at != ':')
        return refuse(r, HTTP1_BAD, "a field line is not a name and a colon");
    r->at++;
    ret_field->value = trim(take_run(r, HTTP1_IS_FIELD));
    return take_line_end(r, "a field value holds a control character or a bare line end");
}

static int read_fields(struct reader *r, struct http1_field *fields, size_t max_count, size_t *ret_count,
                       struct framing *f)
{
    size_t count = 0;
    while (r->at < r->end && *r->at != '\r') {
        if (count == max_count)
            return refuse(r, HTTP1_LARGE, "there are too many fields");
        int o = read_field(r, &fields[count]);
        if (o == 0)
            o = on_field(r, f, &fields[count]);
        if (o != 0)
            return o;
        count++;
    }
    *ret_count = count;
    return take_line_end(r, "the head does not end with an empty line");
}

static int check_framing(struct reader *r, const struct framing *f)
{
    if ((f->seen & SEEN_LENGTH) != 0 && (f->seen & SEEN_CODING) != 0)
        return refuse(r, HTTP1_BAD, "there are a Content-Length and a Transfer-Encoding");
    return 0;
}

static int read_request(struct reader *r, const struct http1_limits *limits, struct http1_req *ret_req)
{
    struct framing f = {0};
    int o = read_method(r, ret_req);
    if (o == 0)
        o = read_target(r, limits->target_bytes, ret_req);
    if (o == 0)
        o = read_version(r);
    if (o == 0)
        o = take_line_end(r, "the request line does not end after the version");
    if (o == 0)
        o = read_fields(r, ret_req->fields, limits->fields_count, &ret_req->fields_count, &f);
    if (o == 0)
        o = check_framing(r, &f);
    if (o == 0 && (f.seen & SEEN_HOST) == 0)
        o = refuse(r, HTTP1_BAD, "there is no Host field");
    if (o != 0)
        return o;
    ret_req->keeps_alive = !f.closes;
    ret_req->is_chunked = f.is_chunked;
    ret_req->has_length = (f.seen & SEEN_LENGTH) != 0;
    ret_req->wants_continue = f.wants_continue;
    ret_req->length_bytes = f.length_bytes;
    return 0;
}

int http1_read_head(struct bytes in, const struct http1_limits *limits, struct http1_req *ret_req, size_t *ret_used,
                    const char **ret_why)
{
    if (in.n == 0)
        return HTTP1_MORE;
    struct reader r = reader_of(in, limits);
    int o = read_request(&r, limits, ret_req);
    if (o == 0)
        *ret_used = (size_t)(r.at - in.p);
    else if (o != HTTP1_MORE)
        *ret_why = r.why;
    assert(o == 0 || o == HTTP1_MORE || r.why != NULL);
    return o;
}

/* SP 3DIGIT SP, and a reason that nobody reads. */
static int read_status(struct reader *r, unsigned *ret_status)
{
    unsigned status = 0;
    int o = take_literal(r, BYTES_LITERAL(" "), "no space follows the version");
    for (int i = 0; o == 0 && i < 3; i++) {
        if (r->at == r->end)
            return cut(r);
        if (!is_digit(*r->at))
            return refuse(r, HTTP1_BAD, "the status is not three digits");
        status = status * 10 + (unsigned)(*r->at++ - '0');
    }
    if (o == 0)
        o = take_literal(r, BYTES_LITERAL(" "), "no space follows the status");
    if (o != 0)
        return o;
    if (status < 100 || status > 599)
        return refuse(r, HTTP1_BAD, "the status is not between 100 and 599");
    (void)take_run(r, HTTP1_IS_FIELD);
    *ret_status = status;
    return take_line_end(r, "the reason holds a control character or a bare line end");
}

/* RFC 9112 section 6.3, without the bodies that end with the connection. */
static int check_response_body(struct reader *r, unsigned status, const struct framing *f)
{
    bool has_length = (f->seen & SEEN_LENGTH) != 0;
    bool has_body = status >= 200 && status != 204 && status != 304;
    if ((status < 200 || status == 204) && has_length)
        return refuse(r, HTTP1_BAD, "a response without body has a Content-Length");
    if (!has_body && f->is_chunked)
        return refuse(r, HTTP1_BAD, "a response without body has a Transfer-Encoding");
    if (has_body && !has_length && !f->is_chunked)
        return refuse(r, HTTP1_BAD, "there is no Content-Length");
    return 0;
}

static int read_response(struct reader *r, const struct http1_limits *limits, struct http1_resp *ret_resp)
{
    struct framing f = {0};
    int o = read_version(r);
    if (o == 0)
        o = read_status(r, &ret_resp->status);
    if (o == 0)
        o = read_fields(r, ret_resp->fields, limits->fields_count, &ret_resp->fields_count, &f);
    if (o == 0)
        o = check_framing(r, &f);
    if (o == 0)
        o = check_response_body(r, ret_resp->status, &f);
    if (o != 0)
        return o;
    ret_resp->keeps_alive = !f.closes;
    ret_resp->is_chunked = f.is_chunked;
    ret_resp->length_bytes = ret_resp->status == 304 ? 0 : f.length_bytes;
    return 0;
}

int http1_read_response_head(struct bytes in, const struct http1_limits *limits, struct http1_resp *ret_resp,
                             size_t *ret_used, const char **ret_why)
{
    if (in.n == 0)
        return HTTP1_MORE;
    struct reader r = reader_of(in, limits);
    int o = read_response(&r, limits, ret_resp);
    if (o == 0)
        *ret_used = (size_t)(r.at - in.p);
    else if (o != HTTP1_MORE)
        *ret_why = r.why;
    assert(o == 0 || o == HTTP1_MORE || r.why != NULL);
    return o;
}

static int find_field(const struct http1_field *fields, size_t count, const char *name, struct bytes *ret_value)
{
    const struct http1_field *found = NULL;
    struct bytes wanted = bytes_of_text(name);
    assert(count <= HTTP1_FIELDS_MAX_COUNT);
    for (size_t i = 0; i < count; i++) {
        if (fields[i].name.n != wanted.n || !bytes_equal_nocase(fields[i].name, wanted))
            continue;
        if (found != NULL)
            return HTTP1_MANY;
        found = &fields[i];
    }
    if (found == NULL)
        return HTTP1_NO_FIELD;
    *ret_value = found->value;
    return 0;
}

int http1_field(const struct http1_req *req, const char *name, struct bytes *ret_value)
{
    return find_field(req->fields, req->fields_count, name, ret_value);
}

int http1_resp_field(const struct http1_resp *resp, const char *name, struct bytes *ret_value)
{
    return find_field(resp->fields, resp->fields_count, name, ret_value);
}
