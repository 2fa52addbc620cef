/*
 * http-stream - replies without an end of their own: a head, any number of chunks, the last chunk; see http-server.h.
 *
 * What is put waits in the connection's buffer for the end of the turn and then for the client. How much waits is up to
 * who puts: on_drained() says when nothing does. A client that takes nothing is closed at the same limit as any other.
 */
#include "net/http-internal.h"

void http_stream_begin(struct http_conn *c, unsigned status, struct bytes fields)
{
    if (c->is_gone)
        return;
    assert(c->state == STATE_WAITING && !c->is_head);
    if (http1_write_stream_head(&c->out, status, fields) < 0) {
        http_conn_close(c);
        return;
    }
    c->state = STATE_STREAMING;
    http_conn_charge(c);
    http_conn_touch(c);
}

/* Returns false, and closes, if the chunk finds no room in the buffer or in the user's share. */
static bool put_chunk(struct http_conn *c, struct bytes chunk)
{
    bool is_over = c->share->bytes + chunk.n > c->server->limits.share_bytes && chunk.n > HTTP_KEEP_BYTES;
    if (is_over || http1_write_chunk(&c->out, chunk) < 0) {
        http_conn_close(c);
        return false;
    }
    http_conn_charge(c);
    http_conn_touch(c);
    return true;
}

void http_stream_put(struct http_conn *c, struct bytes chunk)
{
    if (c->is_gone)
        return;
    assert(c->state == STATE_STREAMING && chunk.n > 0);
    (void)put_chunk(c, chunk);
}

void http_stream_end(struct http_conn *c)
{
    if (c->is_gone)
        return;
    assert(c->state == STATE_STREAMING);
    if (!put_chunk(c, BYTES_NONE))
        return;
    c->state = STATE_CLOSING;
    c->deadline = clock_mono_add(loop_now(c->server->loop), c->server->limits.write_us);
}
