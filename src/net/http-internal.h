/*
 * http-internal - what the files of the serving end share. No other folder includes it.
 */
#ifndef NET_HTTP_INTERNAL_H
#define NET_HTTP_INTERNAL_H

#include "net/http-server.h"

enum { HTTP_KEEP_BYTES = 4096 };

enum state { STATE_HEAD, STATE_BODY, STATE_WAITING, STATE_STREAMING, STATE_CLOSING, STATE_LINGERING };

struct http_conn {
    struct loop_source source;
    struct list link;  /* of all connections */
    struct list dirty; /* of those with something to do at the end of the turn */
    struct http_server *server;
    struct http_share *share;
    uint64_t tag;
    enum state state;
    struct mono_time deadline; /* for what the state waits for */
    struct mono_time write_by; /* for the next byte to leave, while bytes wait */
    bool has_write_by;
    struct buf in, body, out;
    struct http1_chunks chunks;
    size_t head_bytes, charged_bytes, discarded_bytes;
    uint64_t length_bytes;
    bool is_chunked, keeps_alive, has_ended; /* has_ended: the client sent its last byte */
    bool is_head;                            /* of the request: its reply has no body */
    bool lingers;                            /* refused with bytes still coming: let the client read why */
    bool is_gone;                            /* closed; freed at the end of the turn */
};

struct http_server {
    struct loop *loop;
    struct http_events events;
    struct http_limits limits;
    struct list conns, dirty;
    size_t count;
    struct loop_hook hook;
    struct loop_timer tick;
    bool is_ticking, is_draining;
};

/* http_conn_touch - there is something to do for the connection at the end of the turn. */
void http_conn_touch(struct http_conn *c);

/* http_conn_charge - tell its share what the connection's buffers hold now. */
void http_conn_charge(struct http_conn *c);

#endif
