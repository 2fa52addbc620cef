/* remote - see remote.h. */
#include "follow/remote.h"

#include "base/num.h"
#include "wire/http1.h"

int remote_request(struct buf *out, const char *host, const char *path, struct bytes body)
{
    TRY(buf_print(out,
                  "POST %s/add-checkpoint HTTP/1.1\r\nHost: %s\r\nUser-Agent: secreg-follow\r\n"
                  "Content-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                  path, host, body.n));
    return buf_append(out, body);
}

/* The body, as far as it is there. Returns 0, HTTP1_MORE, HTTP1_BAD, HTTP1_LARGE, or -ENOMEM. */
static int read_body(struct bytes in, const struct http1_resp *head, struct buf *body)
{
    struct http1_chunks chunks = {0};
    size_t used;
    if (head->is_chunked)
        return http1_read_chunks(&chunks, in, body, &used);
    if (head->length_bytes > REMOTE_BODY_MAX_BYTES)
        return HTTP1_LARGE;
    if (in.n < head->length_bytes)
        return HTTP1_MORE;
    return buf_append(body, bytes_head(in, (size_t)head->length_bytes));
}

/* A number of records, and nothing else but a newline. */
static bool read_size(const struct http1_resp *head, struct bytes body, uint64_t *ret_size)
{
    struct bytes type;
    if (http1_resp_field(head, "content-type", &type) != 0 || !bytes_equal(type, BYTES_LITERAL("text/x.tlog.size")))
        return false;
    struct bytes line = bytes_head(body, bytes_find(body, '\n'));
    return line.n + 1 >= body.n && num_parse_u64(line, INT64_MAX, ret_size);
}

int remote_read(struct bytes in, struct remote_reply *reply)
{
    static const struct http1_limits limits = {
        .head_bytes = 8 << 10, .target_bytes = 1, .fields_count = HTTP1_FIELDS_MAX_COUNT};
    struct http1_resp head;
    size_t used;
    const char *why;
    buf_clear(&reply->body);
    int r = http1_read_response_head(in, &limits, &head, &used, &why);
    if (r == 0)
        r = read_body(bytes_from(in, used), &head, &reply->body);
    if (r < 0)
        return r == FAULT_LIMIT ? (int)REMOTE_BAD : r;
    if (r == HTTP1_MORE)
        return in.n < REMOTE_REPLY_MAX_BYTES ? REMOTE_MORE : REMOTE_BAD;
    if (r != 0)
        return REMOTE_BAD;
    reply->status = head.status;
    if (head.status == 200)
        return REMOTE_SIGNED;
    if (head.status == 409)
        return read_size(&head, buf_view(&reply->body), &reply->size) ? REMOTE_OTHER : REMOTE_BAD;
    return head.status >= 300 ? REMOTE_REFUSED : REMOTE_BAD;
}
