/*
 * http-server - the serving end of HTTP/1.1 connections: one request at a time on each, keep-alive, deadlines, bounds.
 *
 * A connection reads a head, then a body of at most the size its route allows, hands the request over, and waits for
 * the reply before it looks at further bytes. Replies are gathered and leave at the end of the loop turn with one call.
 * A client that stalls, trickles or floods costs one descriptor and its own share of memory, for a bounded time.
 * Every buffer wipes what it gives up. Source: RFC 9112; doc/spec/http.md.
 */
#ifndef NET_HTTP_SERVER_H
#define NET_HTTP_SERVER_H

#include "os/loop.h"
#include "wire/http1.h"

enum { HTTP_HEAD_MAX_BYTES = 16384, HTTP_TARGET_MAX_BYTES = 4096, HTTP_REPLY_HEAD_MAX_BYTES = 8192 };

struct http_server;
struct http_conn;

struct http_request {
    struct http1_req head;
    struct bytes body;
};

/* Connections that are charged together: those of one user. */
struct http_share {
    size_t bytes; /* request and reply bytes now held for it */
    size_t users; /* connections that point here */
};

struct http_limits {
    int64_t head_us, body_us, idle_us, write_us; /* how long a client may take for each */
    size_t share_bytes;                          /* request and reply bytes held for one share */
    size_t reply_bytes;                          /* one reply, head included */
};

struct http_events {
    /*
     * A head was read: how large may the body be? Returns 0 and sets ret_max_bytes, or an HTTP status: the server calls
     * on_refuse with it.
     */
    unsigned (*on_head)(struct http_conn *conn, const struct http1_req *head, size_t *ret_max_bytes);
    /* A request is whole; its views live until this returns. The reply is given now or later by http_reply(). */
    void (*on_request)(struct http_conn *conn, const struct http_request *request);
    /*
     * The request cannot be served for the reason `status` (400, 408, 413, 414, 417, 429, 431, 501, 505): append fields
     * and a body for it; the connection closes afterwards. why: in words, static.
     */
    void (*on_refuse)(struct http_conn *conn, unsigned status, const char *why);
    /* The connection is over, whoever ended it; it is freed after this returns. */
    void (*on_closed)(struct http_conn *conn);
    /* All that was put into a stream so far has left. Nothing may be put from here. NULL if nothing is streamed. */
    void (*on_drained)(struct http_conn *conn);
};

/* http_server_new - Returns 0 or -ENOMEM. `events` and `limits` are copied. */
int http_server_new(struct loop *loop, const struct http_events *events, const struct http_limits *limits,
                    struct http_server **ret_server) MUST_USE;

/* http_server_free - close every connection (on_closed is called). NULL is allowed; returns NULL. */
struct http_server *http_server_free(struct http_server *server);

/* http_server_set_limits - for requests that begin from now on. */
void http_server_set_limits(struct http_server *server, const struct http_limits *limits);

/* http_server_count - open connections. */
size_t http_server_count(const struct http_server *server);

/*
 * http_server_drain - finish: idle connections close at once, the others after the reply to the request they are in.
 * No request is read any more. on_closed tells when each is gone.
 */
void http_server_drain(struct http_server *server);

/*
 * http_serve - serve a connected, non-blocking stream socket.
 * fd     taken over, closed even on failure
 * share  whom its memory is charged to; must live as long as the connection
 * tag    the caller's own, see http_conn_tag()
 * Returns 0 and sets ret_conn, or a fault.
 */
int http_serve(struct http_server *server, int fd, struct http_share *share, uint64_t tag,
               struct http_conn **ret_conn) MUST_USE;

uint64_t http_conn_tag(const struct http_conn *conn);

/*
 * http_reply - answer the request that the connection is in.
 * fields  complete header lines (http1_write_field), without Content-Length and Connection
 * body    copied
 * closes  end the connection after the reply
 * A reply that does not fit the limits ends the connection. The bytes leave at the end of the turn.
 */
void http_reply(struct http_conn *conn, unsigned status, struct bytes fields, struct bytes body, bool closes);

/*
 * http_stream_begin - answer with a body in chunks that goes on until http_stream_end(); the connection ends with it,
 * and nothing the client sends meanwhile is read. http_stream_put - one chunk, copied, of at least one byte. Each
 * leaves at the end of the turn. What waits is charged to the share; where the buffer (reply_bytes) or the share has no
 * room for it the connection is closed, so who puts should wait for on_drained(). Draining leaves a stream to who ends
 * it.
 */
void http_stream_begin(struct http_conn *conn, unsigned status, struct bytes fields);
void http_stream_put(struct http_conn *conn, struct bytes chunk);
void http_stream_end(struct http_conn *conn);

/* http_conn_close - end a connection now. */
void http_conn_close(struct http_conn *conn);

#endif
