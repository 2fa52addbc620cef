/* front-watch - streams: what a client asks to watch, the engine's lines as JSON, and word when they were taken; see
 * front.h and doc/spec/watch.md. */
#include <string.h>

#include "base/num.h"
#include "front/front.h"
#include "wire/doc.h"

#define WATCH_PATH BYTES_LITERAL("/registry") /* unless another is named */

enum { KEEP_BYTES = 256 << 10 };

/* ---- arguments ------------------------------------------------------------------------------------------- */

static const char malformed[] = "watch takes path=PATH, since=REVISION and the flag values";

/* The path, decoded into storage of the ask. A slash at the end is no part of it. */
static int read_path(struct front_ask *ask, struct bytes text)
{
    struct buf b;
    buf_init(&b, sizeof ask->path);
    int r = uri_decode_arg(&b, text);
    struct bytes path = buf_view(&b);
    if (r == 0 && path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    if (r == 0 && path.n > 0)
        memcpy(ask->path, path.p, path.n);
    buf_fini(&b);
    if (r == FAULT_LIMIT || r == URI_BAD) {
        ask->why = r == URI_BAD ? "it is not properly encoded" : "it is longer than 512 bytes";
        return OUTCOME_BAD_PATH;
    }
    TRY(r);
    ask->m.path = bytes_of(ask->path, path.n);
    return path_check(ask->m.path, &ask->why) ? 0 : OUTCOME_BAD_PATH;
}

static int read_arg(struct front_ask *ask, const struct uri_arg *a)
{
    if (bytes_equal(a->name, BYTES_LITERAL("path")) && a->has_value)
        return read_path(ask, a->value);
    if (bytes_equal(a->name, BYTES_LITERAL("since")) && num_parse_u64(a->value, INT64_MAX, &ask->m.match))
        ask->m.flags |= PROTO_HAS_REVISION;
    else if (bytes_equal(a->name, BYTES_LITERAL("values")) && !a->has_value)
        ask->m.flags |= PROTO_VALUES;
    else
        ask->why = malformed;
    return ask->why == NULL ? 0 : OUTCOME_BAD_REQUEST;
}

int front_read_watch(struct front_ask *ask)
{
    int r = 0;
    ask->m.path = WATCH_PATH;
    for (size_t i = 0; r == 0 && i < ask->uri.args_count; i++)
        r = read_arg(ask, &ask->uri.args[i]);
    return r;
}

/* ---- lines ----------------------------------------------------------------------------------------------- */

int front_event(struct front *f, struct front_conn *c, const struct msg_event *m)
{
    buf_clear(&f->body);
    int r = doc_to_json(&f->body, m->body);
    if (r == 0)
        r = buf_append_text(&f->body, "\n");
    if (r != 0)
        return r < 0 ? r : RAISE(FAULT_PROTOCOL);
    struct http_conn *http = c->http;
    c->untaken += (uint32_t)m->body.n;
    if (m->is_end)
        c->stream = 0;
    http_stream_put(http, buf_view(&f->body));
    if (m->is_end)
        http_stream_end(http);
    buf_clear(&f->body);
    buf_shrink(&f->body, KEEP_BYTES);
    return 0;
}

int front_drained(struct front *f, struct front_conn *c)
{
    struct msg_taken m = {.conn = c->number, .bytes = c->untaken};
    if (c->untaken == 0 || c->stream == 0)
        return 0;
    c->untaken = 0;
    return msg_taken_put(&f->engine.out, PROTO_TAKEN, &m);
}
