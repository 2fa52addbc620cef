/*
 * http1 - the strict HTTP/1.1 reader and writer: bytes <-> one message head, chunked body. No I/O, no policy.
 *
 * Stricter than RFC 9112 wherever two readers could disagree: bare LF or CR, obsolete line folding, blanks before the
 * colon, repeated or non-canonical Content-Length, Content-Length with Transfer-Encoding, any coding but a single
 * "chunked", missing or repeated Host, a target that is not origin-form ASCII, and a leading empty line are all bad.
 * What we accept, any correct reader accepts with the same meaning. Source: RFC 9112, RFC 9110; doc/spec/http.md.
 */
#ifndef WIRE_HTTP1_H
#define WIRE_HTTP1_H

#include "base/buf.h"

enum { HTTP1_FIELDS_MAX_COUNT = 64 };

enum http1_method { HTTP1_GET = 1, HTTP1_HEAD, HTTP1_POST, HTTP1_PUT, HTTP1_DELETE, HTTP1_OPTIONS, HTTP1_OTHER };

struct http1_limits {
    size_t head_bytes;   /* request line and fields together */
    size_t target_bytes; /* request target */
    size_t fields_count; /* at most HTTP1_FIELDS_MAX_COUNT */
};

struct http1_field {
    struct bytes name, value; /* value without blanks around it; may be empty */
};

struct http1_req {
    enum http1_method method;
    struct bytes method_text;
    struct bytes target;   /* origin-form: '/' then visible ASCII; not decoded */
    bool keeps_alive;      /* the connection may carry another request after this one */
    bool is_chunked;       /* the body is in chunks */
    bool has_length;       /* Content-Length was given */
    bool wants_continue;   /* Expect: 100-continue */
    uint64_t length_bytes; /* body length when not chunked; 0 without Content-Length */
    size_t fields_count;
    struct http1_field fields[HTTP1_FIELDS_MAX_COUNT];
};

/*
 * http1_read_head - read one request head from the front of a byte run.
 *
 * in        bytes received so far; borrowed, may be any length
 * limits    caps; borrowed; every cap > 0
 * ret_req   views into `in`; valid until the caller changes those bytes; undefined unless 0 is returned
 * ret_used  bytes of `in` that form the head, final CRLF included
 * ret_why   on HTTP1_BAD, _LARGE, _VERSION, _EXPECT: what was wrong, in words; static
 *
 * Returns 0, HTTP1_MORE (needs more bytes; nothing consumed), HTTP1_BAD (answer 400 and close), HTTP1_LARGE (431 and
 * close), HTTP1_TARGET_LONG (414 and close), HTTP1_VERSION (505 and close), HTTP1_EXPECT (417 and close) or
 * HTTP1_CODING (501 and close). Never allocates, never blocks. O(bytes); malformed input is reported as soon as the
 * line that holds it is complete, or its bytes cannot be part of any accepted head.
 */
enum { HTTP1_MORE = 1, HTTP1_BAD, HTTP1_LARGE, HTTP1_TARGET_LONG, HTTP1_VERSION, HTTP1_EXPECT, HTTP1_CODING };
int http1_read_head(struct bytes in, const struct http1_limits *limits, struct http1_req *ret_req, size_t *ret_used,
                    const char **ret_why) MUST_USE;

/* http1_field - the value of the only field called `name` (no case). Returns 0, HTTP1_NO_FIELD, or HTTP1_MANY. */
enum { HTTP1_NO_FIELD = 1, HTTP1_MANY = 2 };
int http1_field(const struct http1_req *req, const char *name, struct bytes *ret_value) MUST_USE;

/*
 * http1_read_chunks - decode as much of a chunked body as `in` holds. No chunk extensions, no trailers.
 * state     zeroed before the first call; kept between calls
 * body      decoded bytes are appended
 * ret_used  bytes of `in` that were used; the caller drops them
 * Returns 0 (body complete), HTTP1_MORE, HTTP1_BAD, HTTP1_LARGE (body->max reached: 413), or -ENOMEM.
 */
struct http1_chunks {
    uint64_t left_bytes;
    unsigned step;
};
int http1_read_chunks(struct http1_chunks *state, struct bytes in, struct buf *body, size_t *ret_used) MUST_USE;

/*
 * http1_read_response_head - the client's side: status line and fields of a response, as strict as the request reader.
 * A body has a Content-Length or comes in chunks; 1xx, 204 and 304 have none. Results as http1_read_head().
 */
struct http1_resp {
    unsigned status; /* 100 to 599 */
    bool keeps_alive;
    bool is_chunked;       /* the body is in chunks; its length is not known */
    uint64_t length_bytes; /* body length when not chunked */
    size_t fields_count;
    struct http1_field fields[HTTP1_FIELDS_MAX_COUNT];
};
int http1_read_response_head(struct bytes in, const struct http1_limits *limits, struct http1_resp *ret_resp,
                             size_t *ret_used, const char **ret_why) MUST_USE;

/* http1_resp_field - as http1_field(), for a response. */
int http1_resp_field(const struct http1_resp *resp, const char *name, struct bytes *ret_value) MUST_USE;

/* http1_status_text - reason phrase of a status code; "Unknown" if it has none here. */
const char *http1_status_text(unsigned status);

/*
 * http1_write_head - append a response head: status line, Content-Length, `fields` (complete "Name: value\r\n" lines
 * made by http1_write_field), "Connection: close" when the connection ends, and the empty line.
 * Results as buf_reserve().
 */
int http1_write_head(struct buf *out, unsigned status, struct bytes fields, uint64_t length_bytes,
                     bool closes) MUST_USE;

/* http1_write_stream_head - the same for a body in chunks whose length nobody knows yet; the connection ends with it.
 */
int http1_write_stream_head(struct buf *out, unsigned status, struct bytes fields) MUST_USE;

/* http1_write_chunk - append one chunk; the empty one is the last of a body. Results as buf_reserve(). */
int http1_write_chunk(struct buf *out, struct bytes data) MUST_USE;

/* http1_write_field - append "name: value\r\n". Returns 0, HTTP1_BAD if the value could end the line (nothing is
 * appended then), or a fault of buf_reserve(). */
int http1_write_field(struct buf *out, const char *name, struct bytes value) MUST_USE;

#endif
