/*
 * http1-write - response heads. What is written here is read back by our own strict reader and means the same: a
 * response without body (1xx, 204, 304) names no length. Source: RFC 9110 sections 8.6, 15; RFC 9112 section 4.
 */
#include <stdio.h>
#include <string.h>

#include "wire/http1-internal.h"
#include "wire/http1.h"

// clang-format off
#define STATUS_LIST(X)                                                                                                 \
    X(100, "Continue")              X(101, "Switching Protocols")                                                      \
    X(200, "OK")                    X(201, "Created")              X(202, "Accepted")                                  \
    X(204, "No Content")            X(206, "Partial Content")                                                          \
    X(301, "Moved Permanently")     X(302, "Found")                X(303, "See Other")                                 \
    X(304, "Not Modified")          X(307, "Temporary Redirect")   X(308, "Permanent Redirect")                        \
    X(400, "Bad Request")           X(401, "Unauthorized")         X(403, "Forbidden")                                 \
    X(404, "Not Found")             X(405, "Method Not Allowed")   X(406, "Not Acceptable")                            \
    X(408, "Request Timeout")       X(409, "Conflict")             X(410, "Gone")                                      \
    X(411, "Length Required")       X(412, "Precondition Failed")  X(413, "Content Too Large")                         \
    X(414, "URI Too Long")          X(415, "Unsupported Media Type")                                                   \
    X(416, "Range Not Satisfiable") X(417, "Expectation Failed")   X(421, "Misdirected Request")                       \
    X(422, "Unprocessable Content") X(423, "Locked")               X(426, "Upgrade Required")                          \
    X(428, "Precondition Required") X(429, "Too Many Requests")    X(431, "Request Header Fields Too Large")           \
    X(500, "Internal Server Error") X(501, "Not Implemented")      X(502, "Bad Gateway")                               \
    X(503, "Service Unavailable")   X(504, "Gateway Timeout")      X(505, "HTTP Version Not Supported")                \
    X(507, "Insufficient Storage")
// clang-format on

const char *http1_status_text(unsigned status)
{
    switch (status) {
#define STATUS_CASE(number, text)                                                                                      \
    case number:                                                                                                       \
        return text;
        STATUS_LIST(STATUS_CASE)
#undef STATUS_CASE
    default:
        return "Unknown";
    }
}

static bool has_body(unsigned status)
{
    return status >= 200 && status != 204 && status != 304;
}

static int append_status(struct buf *out, unsigned status)
{
    TRY(buf_append_text(out, "HTTP/1.1 "));
    TRY(buf_append_u64(out, status));
    TRY(buf_append_text(out, " "));
    return buf_append_text(out, http1_status_text(status));
}

static int append_head(struct buf *out, unsigned status, struct bytes fields, uint64_t length_bytes, bool closes)
{
    TRY(append_status(out, status));
    if (has_body(status)) {
        TRY(buf_append_text(out, "\r\nContent-Length: "));
        TRY(buf_append_u64(out, length_bytes));
    }
    TRY(buf_append_text(out, "\r\n"));
    TRY(buf_append(out, fields));
    if (closes)
        TRY(buf_append_text(out, "Connection: close\r\n"));
    return buf_append_text(out, "\r\n");
}

static int append_stream_head(struct buf *out, unsigned status, struct bytes fields)
{
    TRY(append_status(out, status));
    TRY(buf_append_text(out, "\r\nTransfer-Encoding: chunked\r\n"));
    TRY(buf_append(out, fields));
    return buf_append_text(out, "Connection: close\r\n\r\n");
}

int http1_write_head(struct buf *out, unsigned status, struct bytes fields, uint64_t length_bytes, bool closes)
{
    size_t held = buf_size(out);
    assert(status >= 100 && status <= 599);
    assert(has_body(status) || length_bytes == 0);
    assert(fields.n == 0 || (fields.n > 2 && fields.p[fields.n - 1] == '\n'));
    int r = append_head(out, status, fields, length_bytes, closes);
    if (r < 0)
        buf_truncate(out, held);
    return r;
}

int http1_write_stream_head(struct buf *out, unsigned status, struct bytes fields)
{
    size_t held = buf_size(out);
    assert(status <= 599 && has_body(status));
    assert(fields.n == 0 || (fields.n > 2 && fields.p[fields.n - 1] == '\n'));
    int r = append_stream_head(out, status, fields);
    if (r < 0)
        buf_truncate(out, held);
    return r;
}

int http1_write_chunk(struct buf *out, struct bytes data)
{
    char size[24];
    size_t held = buf_size(out);
    int n = snprintf(size, sizeof size, "%zx\r\n", data.n);
    assert(n > 0 && (size_t)n < sizeof size);
    int r = buf_append(out, bytes_of(size, (size_t)n));
    if (r == 0)
        r = buf_append(out, data);
    if (r == 0)
        r = buf_append_text(out, "\r\n");
    if (r < 0)
        buf_truncate(out, held);
    return r;
}

int http1_write_field(struct buf *out, const char *name, struct bytes value)
{
    struct bytes n = bytes_of_text(name);
    uint8_t *p;
    assert(n.n > 0 && http1_is_all(n, HTTP1_IS_TOKEN));
    if (!http1_is_all(value, HTTP1_IS_FIELD))
        return HTTP1_BAD;
    TRY(buf_reserve(out, n.n + value.n + 4, &p));
    memcpy(p, n.p, n.n);
    memcpy(p + n.n, ": ", 2);
    if (value.n > 0)
        memcpy(p + n.n + 2, value.p, value.n);
    memcpy(p + n.n + 2 + value.n, "\r\n", 2);
    buf_commit(out, n.n + value.n + 4);
    return 0;
}
