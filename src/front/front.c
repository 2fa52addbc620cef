/* front - the role that parses: connections from the engine, requests to it, its replies to clients; see front.h. */
#include "front/front.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "front/role.h"
#include "model/options.h"
#include "model/roles.h"
#include "wire/json.h"

enum { CONN_MASK = PROTO_CONNS_MAX_COUNT - 1, REFUSED_BODY_BYTES = 16384, LEAVES_KEEP_BYTES = 64 << 10 };

static struct front *the_front; /* the callbacks of the HTTP server carry a connection only; one front a process */

static struct front_conn *find(struct front *f, uint64_t number)
{
    struct front_conn *c = &f->conns[number & CONN_MASK];
    return c->number == number && c->http != NULL ? c : NULL;
}

/* ---- requests -------------------------------------------------------------------------------------------- */

static unsigned on_head(struct http_conn *conn, const struct http1_req *head, size_t *ret_max_bytes)
{
    struct uri uri;
    const struct front_route *route;
    const char *allow;
    (void)conn;
    /* what will be refused for its target or method is refused by on_request(), which says it better, after a short
     * body */
    *ret_max_bytes = REFUSED_BODY_BYTES;
    if (uri_split(head->target, &uri) == 0 && front_route_find(head->method, uri.path, &route, &allow) == OUTCOME_DONE)
        *ret_max_bytes = route->body_bytes;
    return 0;
}

static void ask_engine(struct front *f, struct front_conn *c, struct front_ask *ask)
{
    ask->m.conn = c->number;
    c->request = ask->m.request;
    int r = msg_request_put(&f->engine.out, PROTO_REQUEST, &ask->m);
    if (r == FAULT_LIMIT) {
        c->request = 0;
        front_refuse(f, c->http, ask->m.request, OUTCOME_UNAVAILABLE, 0, "too much is waiting");
    } else if (r < 0) {
        proc_child_fail(f->child, r, "cannot ask the engine");
    }
}

static void on_request(struct http_conn *conn, const struct http_request *request)
{
    struct front *f = the_front;
    struct front_conn *c = find(f, http_conn_tag(conn));
    struct front_ask ask = {.http = request, .leaves = &f->leaves, .scratch = &f->text};
    const struct front_route *route;
    const char *allow = "";
    uint64_t id = f->next_request++;
    assert(c != NULL && c->request == 0);
    ask.m.request = id;
    if (uri_split(request->head.target, &ask.uri) != 0) {
        front_refuse(f, conn, id, OUTCOME_BAD_REQUEST, 0, "the target is malformed");
        return;
    }
    unsigned found = front_route_find(request->head.method, ask.uri.path, &route, &allow);
    if (found != OUTCOME_DONE) {
        front_refuse(f, conn, id, found, 0, *allow != '\0' ? allow : NULL);
        return;
    }
    int r = front_read(route, &ask);
    if (r != 0)
        front_refuse(f, conn, id, r < 0 ? OUTCOME_INTERNAL : (unsigned)r, 0, ask.why);
    else if (route->op == FRONT_OWN)
        front_describe(f, conn, id);
    else
        ask_engine(f, c, &ask);
    buf_clear(&f->leaves);
    buf_shrink(&f->leaves, LEAVES_KEEP_BYTES);
    buf_clear(&f->text);
}

static unsigned outcome_of_status(unsigned status)
{
    switch (status) {
    case 404:
        return OUTCOME_NO_ROUTE;
    case 408:
        return OUTCOME_TIMEOUT;
    case 413:
        return OUTCOME_TOO_LARGE;
    case 429:
        return OUTCOME_LIMIT;
    default:
        return OUTCOME_BAD_HTTP;
    }
}

static void on_refuse(struct http_conn *conn, unsigned status, const char *why)
{
    front_refuse(the_front, conn, the_front->next_request++, outcome_of_status(status), status, why);
}

static void say_drained(struct front *f)
{
    struct msg_conn m = {0};
    if (!f->is_draining || f->said_drained || http_server_count(f->server) > 0)
        return;
    f->said_drained = true;
    int r = msg_conn_put(&f->engine.out, PROTO_DRAINED, &m);
    if (r < 0)
        proc_child_fail(f->child, r, "cannot say that all is drained");
}

static void on_closed(struct http_conn *conn)
{
    struct front *f = the_front;
    struct front_conn *c = find(f, http_conn_tag(conn));
    struct msg_conn m = {0};
    assert(c != NULL);
    m.conn = c->number;
    *c = (struct front_conn){0};
    if (f->source.loop == NULL)
        return; /* the engine is gone */
    int r = msg_conn_put(&f->engine.out, PROTO_CONN_CLOSED, &m);
    if (r < 0)
        proc_child_fail(f->child, r, "cannot tell that a connection closed");
}

static void on_drained(struct http_conn *conn)
{
    struct front *f = the_front;
    struct front_conn *c = find(f, http_conn_tag(conn));
    assert(c != NULL);
    int r = f->source.loop != NULL ? front_drained(f, c) : 0;
    if (r < 0)
        proc_child_fail(f->child, r, "cannot tell that a client took its events");
}

/* ---- the engine ------------------------------------------------------------------------------------------ */

static int on_conn(struct front *f, struct bytes body)
{
    struct msg_conn m;
    int fd = chan_take_fd(&f->engine);
    if (!msg_conn_get(body, &m) || fd < 0 || m.share >= PROTO_CONNS_MAX_COUNT)
        return RAISE(FAULT_PROTOCOL);
    struct front_conn *c = &f->conns[m.conn & CONN_MASK];
    if (c->http != NULL)
        return RAISE(FAULT_PROTOCOL);
    c->number = m.conn;
    int r = http_serve(f->server, fd, &f->shares[m.share], m.conn, &c->http);
    if (r < 0)
        return r;
    if (f->is_draining)
        http_conn_close(c->http);
    return 0;
}

static int on_reply(struct front *f, struct bytes body)
{
    struct msg_reply m;
    if (!msg_reply_get(body, &m))
        return RAISE(FAULT_PROTOCOL);
    struct front_conn *c = find(f, m.conn);
    if (c == NULL || c->request != m.request)
        return 0; /* the client went away meanwhile */
    c->request = 0;
    front_render(f, c, &m);
    return 0;
}

static int on_line(struct front *f, struct bytes body)
{
    struct msg_event m;
    if (!msg_event_get(body, &m))
        return RAISE(FAULT_PROTOCOL);
    struct front_conn *c = find(f, m.conn);
    if (c == NULL || c->stream != m.request)
        return 0; /* the client went away meanwhile */
    return front_event(f, c, &m);
}

static int on_message(struct front *f, uint16_t type, struct bytes body)
{
    struct msg_conn m;
    switch (type) {
    case PROTO_CONN_OPEN:
        return on_conn(f, body);
    case PROTO_REPLY:
        return on_reply(f, body);
    case PROTO_EVENT:
        return on_line(f, body);
    case PROTO_DRAIN:
        if (!msg_conn_get(body, &m))
            return RAISE(FAULT_PROTOCOL);
        f->is_draining = true;
        http_server_drain(f->server);
        return 0;
    default:
        return RAISE(FAULT_PROTOCOL);
    }
}

static void on_engine(struct loop_source *source, unsigned events)
{
    struct front *f = CONTAINER_OF(source, struct front, source);
    uint16_t type;
    struct bytes body;
    size_t used;
    int r = 0;
    if ((events & (LOOP_READ | LOOP_HANGUP)) == 0)
        return;
    int filled = chan_fill(&f->engine);
    while (filled >= 0 && (r = msg_next(buf_view(&f->engine.in), &type, &body, &used)) == 0) {
        r = on_message(f, type, body);
        if (r < 0)
            break;
        buf_consume(&f->engine.in, used);
    }
    if (filled == CHAN_CLOSED) {
        loop_remove(source);
        proc_child_end(f->child, f->said_drained ? 0 : PROC_ORPHANED);
    } else if (filled < 0 || r < 0) {
        proc_child_fail(f->child, filled < 0 ? filled : r, "cannot hear the engine");
    }
}

static void on_turn_end(struct loop_hook *hook)
{
    struct front *f = CONTAINER_OF(hook, struct front, hook);
    if (f->source.loop == NULL)
        return;
    say_drained(f);
    int r = chan_flush(&f->engine);
    if (r >= 0)
        r = loop_modify(&f->source, r == CHAN_BLOCKED ? LOOP_READ | LOOP_WRITE : LOOP_READ);
    if (r < 0) {
        loop_remove(&f->source);
        proc_child_end(f->child, f->said_drained ? 0 : PROC_ORPHANED);
    }
}

/* ---- start and stop -------------------------------------------------------------------------------------- */

static struct http_limits limits_of(const struct proc_child *child)
{
    const int64_t *v = child->conf.v;
    return (struct http_limits){.head_us = v[OPTION_HEAD_MS] * US_PER_MS,
                                .body_us = v[OPTION_BODY_MS] * US_PER_MS,
                                .idle_us = v[OPTION_IDLE_MS] * US_PER_MS,
                                .write_us = v[OPTION_WRITE_MS] * US_PER_MS,
                                .share_bytes = (size_t)v[OPTION_BYTES_PER_UID],
                                .reply_bytes = MSG_MAX_BYTES * 2};
}

static int join_engine(struct front *f)
{
    struct proc_child *c = f->child;
    if (c->links_count != 1 || c->links[0].role != ROLE_ENGINE)
        return RAISE(FAULT_PROTOCOL);
    TRY(chan_init(&f->engine, TAKE_FD(c->links[0].fd), PROC_CHAN_MAX_BYTES * 16));
    f->source.on_event = on_engine;
    TRY(loop_add(c->loop, &f->source, f->engine.fd, LOOP_READ));
    f->hook.on_turn_end = on_turn_end;
    loop_add_hook(c->loop, &f->hook);
    return 0;
}

int front_on_start(struct proc_child *child)
{
    static const struct http_events events = {on_head, on_request, on_refuse, on_closed, on_drained};
    struct front *f = calloc(1, sizeof *f);
    uint32_t half;
    if (f == NULL)
        return RAISE(-ENOMEM);
    child->own = the_front = f;
    f->child = child;
    list_init(&f->hook.link);
    f->engine.fd = -1;
    buf_init_wiping(&f->fields, HTTP_REPLY_HEAD_MAX_BYTES);
    buf_init_wiping(&f->body, MSG_MAX_BYTES * 2);
    buf_init_wiping(&f->text, MSG_MAX_BYTES * 2);
    buf_init_wiping(&f->leaves, MSG_MAX_BYTES - 4096);
    json_start();
    if (getrandom(&half, sizeof half, 0) != (ssize_t)sizeof half)
        return RAISE(-errno);
    f->next_request = (uint64_t)half << 32 | 1;
    struct http_limits limits = limits_of(child);
    TRY(http_server_new(child->loop, &events, &limits, &f->server));
    return join_engine(f); /* its hook comes after the server's: what the server hands over leaves in the same turn */
}

void front_on_reload(struct proc_child *child)
{
    struct front *f = child->own;
    struct http_limits limits = limits_of(child);
    http_server_set_limits(f->server, &limits);
}

void front_on_stop(struct proc_child *child)
{
    (void)child; /* the engine says when to drain: it has to stop accepting first */
}

void front_on_end(struct proc_child *child)
{
    struct front *f = child->own;
    if (f == NULL)
        return;
    loop_remove(&f->source);
    http_server_free(f->server);
    loop_remove_hook(&f->hook);
    if (f->engine.fd >= 0)
        chan_fini(&f->engine);
    buf_fini(&f->fields);
    buf_fini(&f->body);
    buf_fini(&f->text);
    buf_fini(&f->leaves);
    free(f);
    child->own = the_front = NULL;
}
