/*
 * http-server - see http-server.h.
 *
 * States of a connection: HEAD (reading a request head), BODY, WAITING (handed over), CLOSING (last bytes on their way
 * out), STREAMING (a reply without end: http-stream.c), LINGERING (refused while its bytes still came: they are thrown
 * away for a moment, because closing at once would reset the connection and the client would never read why). Deadlines
 * are looked at by one tick for all connections, not by a timer each: a tick costs a walk over at most some thousand
 * connections a second, and setting a deadline costs a store.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/http-internal.h"

#define TICK_US (US_PER_S / 2)
#define LINGER_US US_PER_S
enum { READ_BYTES = 16384, BODY_SLACK_BYTES = 1, LINGER_MAX_BYTES = 4 << 20 };

static void advance(struct http_conn *c);

/* ---- life of a connection -------------------------------------------------------------------------------- */

void http_conn_touch(struct http_conn *c)
{
    if (list_is_empty(&c->dirty))
        list_append(&c->server->dirty, &c->dirty);
}

void http_conn_charge(struct http_conn *c)
{
    size_t held = c->in.cap + c->body.cap + c->out.cap;
    assert(c->share->bytes >= c->charged_bytes);
    c->share->bytes = c->share->bytes - c->charged_bytes + held;
    c->charged_bytes = held;
}

static bool is_over_share(const struct http_conn *c)
{
    return c->share->bytes > c->server->limits.share_bytes;
}

static void set_deadline(struct http_conn *c, int64_t us)
{
    c->deadline = clock_mono_add(loop_now(c->server->loop), us);
}

void http_conn_close(struct http_conn *c)
{
    if (c->is_gone)
        return;
    c->is_gone = true;
    int fd = c->source.fd;
    loop_remove(&c->source);
    close(fd);
    c->server->events.on_closed(c);
    http_conn_touch(c);
}

static void free_conn(struct http_conn *c)
{
    assert(c->is_gone && c->source.loop == NULL && c->share->users > 0 && c->server->count > 0);
    list_unlink(&c->link);
    list_unlink(&c->dirty);
    c->share->bytes -= c->charged_bytes;
    c->share->users--;
    c->server->count--;
    buf_fini(&c->in);
    buf_fini(&c->body);
    buf_fini(&c->out);
    free(c);
}

uint64_t http_conn_tag(const struct http_conn *c)
{
    return c->tag;
}

/* ---- writing --------------------------------------------------------------------------------------------- */

static void want_events(struct http_conn *c)
{
    unsigned events = 0;
    bool wants_bytes = c->state == STATE_HEAD || c->state == STATE_BODY || c->state == STATE_LINGERING;
    /* while a request waits, what was watched stays watched: it costs two system calls a request to change it, and only
     * a client that sends ahead makes on_event() give it up */
    bool may_watch = (c->state == STATE_WAITING || c->state == STATE_STREAMING) && (c->source.events & LOOP_READ) != 0;
    if (buf_size(&c->out) > 0)
        events |= LOOP_WRITE;
    if ((wants_bytes || may_watch) && !c->has_ended)
        events |= LOOP_READ;
    if (loop_modify(&c->source, events) < 0)
        http_conn_close(c);
}

/* Everything is sent. Close, or first take what the client is still sending. */
static void end_writing(struct http_conn *c)
{
    if (!c->lingers || c->has_ended || shutdown(c->source.fd, SHUT_WR) < 0) {
        http_conn_close(c);
        return;
    }
    c->state = STATE_LINGERING;
    set_deadline(c, LINGER_US);
}

static void discard(struct http_conn *c)
{
    buf_clear(&c->in);
    if (c->has_ended || (c->discarded_bytes += READ_BYTES) > LINGER_MAX_BYTES)
        http_conn_close(c);
}

static void flush(struct http_conn *c)
{
    while (!c->is_gone && buf_size(&c->out) > 0) {
        struct bytes b = buf_view(&c->out);
        ssize_t n = send(c->source.fd, b.p, b.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN))
            break;
        if (n < 0) {
            http_conn_close(c);
            return;
        }
        buf_consume(&c->out, (size_t)n);
        c->has_write_by = false;
    }
    if (c->is_gone)
        return;
    if (buf_size(&c->out) == 0 && c->state == STATE_STREAMING)
        c->server->events.on_drained(c);
    if (buf_size(&c->out) > 0 && !c->has_write_by) { /* blocked: from now on, or again after progress */
        c->has_write_by = true;
        c->write_by = clock_mono_add(loop_now(c->server->loop), c->server->limits.write_us);
    }
    if (buf_size(&c->out) == 0 && c->state == STATE_CLOSING) {
        end_writing(c);
        if (c->is_gone)
            return;
    }
    want_events(c);
}

/* The request is over: wipe it, and be ready for the next one, whose bytes may be here already. */
static void next_request(struct http_conn *c, bool closes)
{
    buf_clear(&c->body);
    buf_shrink(&c->body, HTTP_KEEP_BYTES);
    buf_shrink(&c->in, HTTP_KEEP_BYTES * 4);
    c->head_bytes = 0;
    if (closes || !c->keeps_alive || c->server->is_draining) {
        c->state = STATE_CLOSING;
        set_deadline(c, c->server->limits.write_us);
    } else {
        c->state = STATE_HEAD;
        set_deadline(c, c->server->limits.idle_us);
    }
}

void http_reply(struct http_conn *c, unsigned status, struct bytes fields, struct bytes body, bool closes)
{
    if (c->is_gone)
        return;
    assert(c->state == STATE_WAITING);
    closes = closes || !c->keeps_alive || c->server->is_draining;
    /* what this user's other replies hold is too much already: this one is not added to it */
    if (c->share->bytes - c->charged_bytes + body.n > c->server->limits.share_bytes && body.n > HTTP_KEEP_BYTES) {
        http_conn_close(c);
        return;
    }
    int r = http1_write_head(&c->out, status, fields, body.n, closes);
    if (r == 0 && !c->is_head)
        r = buf_append(&c->out, body);
    if (r < 0) {
        http_conn_close(c);
        return;
    }
    http_conn_charge(c);
    next_request(c, closes);
    http_conn_touch(c);
}

static void refuse(struct http_conn *c, unsigned status, const char *why)
{
    assert(status >= 400 && why != NULL);
    c->state = STATE_WAITING;
    c->keeps_alive = false;
    c->lingers = true;
    c->server->events.on_refuse(c, status, why);
}

/* ---- reading --------------------------------------------------------------------------------------------- */

static unsigned status_of(int outcome)
{
    switch (outcome) {
    case HTTP1_LARGE:
        return 431;
    case HTTP1_TARGET_LONG:
        return 414;
    case HTTP1_VERSION:
        return 505;
    case HTTP1_EXPECT:
        return 417;
    case HTTP1_CODING:
        return 501;
    default:
        return 400;
    }
}

static void hand_over(struct http_conn *c, const struct http1_req *head, struct bytes body)
{
    struct http_request request = {*head, body};
    assert(c->state == STATE_HEAD || c->state == STATE_BODY);
    c->state = STATE_WAITING;
    c->deadline = (struct mono_time){INT64_MAX};
    c->server->events.on_request(c, &request);
}

/* The head was read and may have been moved since: read it again, from where it now lies, for the views. */
static void hand_over_body(struct http_conn *c, struct bytes body)
{
    struct http1_limits limits = {HTTP_HEAD_MAX_BYTES, HTTP_TARGET_MAX_BYTES, HTTP1_FIELDS_MAX_COUNT};
    struct http1_req head;
    size_t used;
    const char *why;
    int r = http1_read_head(buf_view(&c->in), &limits, &head, &used, &why);
    assert(r == 0 && used == c->head_bytes);
    size_t taken = c->is_chunked ? used : used + body.n;
    hand_over(c, &head, body);
    if (!c->is_gone)
        buf_consume(&c->in, taken);
}

static void read_body(struct http_conn *c)
{
    if (!c->is_chunked) {
        struct bytes have = bytes_from(buf_view(&c->in), c->head_bytes);
        if (have.n >= c->length_bytes)
            hand_over_body(c, bytes_head(have, c->length_bytes));
        return;
    }
    size_t used = 0;
    int r = http1_read_chunks(&c->chunks, bytes_from(buf_view(&c->in), c->head_bytes), &c->body, &used);
    if (used > 0) {
        /* drop the raw bytes behind the head, which is still wanted: move the head up against what follows them */
        uint8_t *p = c->in.p + c->in.start;
        memmove(p + used, p, c->head_bytes);
        buf_consume(&c->in, used);
    }
    if (r == 0) {
        hand_over_body(c, buf_view(&c->body));
    } else if (r == HTTP1_LARGE || r == HTTP1_BAD) {
        refuse(c, r == HTTP1_LARGE ? 413 : 400, r == HTTP1_LARGE ? "the body is too large" : "a chunk is malformed");
    } else if (r < 0) {
        http_conn_close(c);
    }
}

static void continue_body(struct http_conn *c, const struct http1_req *head)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    c->state = STATE_BODY;
    c->chunks = (struct http1_chunks){0};
    set_deadline(c, c->server->limits.body_us);
    if (head->wants_continue) {
        if (buf_append(&c->out, bytes_of(go_on, sizeof go_on - 1)) < 0) {
            http_conn_close(c);
            return;
        }
        http_conn_touch(c);
    }
}

static void accept_head(struct http_conn *c, const struct http1_req *head, size_t used)
{
    size_t max = 0;
    c->keeps_alive = head->keeps_alive;
    c->is_head = head->method == HTTP1_HEAD;
    c->head_bytes = used;
    c->is_chunked = head->is_chunked;
    c->length_bytes = head->length_bytes;
    unsigned status = c->server->events.on_head(c, head, &max);
    if (c->is_gone)
        return;
    if (status == 0 && !head->is_chunked && head->length_bytes > max)
        status = 413;
    if (status != 0) {
        refuse(c, status, status == 413 ? "the body is too large" : "the request is not acceptable here");
        return;
    }
    if (!head->is_chunked && head->length_bytes == 0) {
        hand_over(c, head, BYTES_NONE);
        if (!c->is_gone)
            buf_consume(&c->in, used);
        return;
    }
    buf_fini(&c->body);
    buf_init_wiping(&c->body, max + BODY_SLACK_BYTES);
    c->in.max = HTTP_HEAD_MAX_BYTES + max + READ_BYTES;
    continue_body(c, head);
}

static void read_head(struct http_conn *c)
{
    struct http1_limits limits = {HTTP_HEAD_MAX_BYTES, HTTP_TARGET_MAX_BYTES, HTTP1_FIELDS_MAX_COUNT};
    struct http1_req head;
    size_t used;
    const char *why = "";
    int r = http1_read_head(buf_view(&c->in), &limits, &head, &used, &why);
    if (r == 0)
        accept_head(c, &head, used);
    else if (r != HTTP1_MORE)
        refuse(c, status_of(r), why);
}

/* Goes on with the bytes that are here until they are used up or a request waits for its reply. */
static void advance(struct http_conn *c)
{
    enum state before;
    size_t held;
    do {
        before = c->state;
        held = buf_size(&c->in);
        if (c->state == STATE_HEAD && held > 0) {
            if (c->head_bytes == 0 && c->server->is_draining)
                http_conn_close(c);
            else
                read_head(c);
        } else if (c->state == STATE_BODY) {
            read_body(c);
        }
    } while (!c->is_gone && (c->state != before || buf_size(&c->in) != held) &&
             (c->state == STATE_BODY || (c->state == STATE_HEAD && buf_size(&c->in) > 0)));
    if (!c->is_gone && c->has_ended && (c->state == STATE_HEAD || c->state == STATE_BODY)) {
        c->state = STATE_CLOSING; /* once the replies that came in this turn are on their way */
        set_deadline(c, c->server->limits.write_us);
        if (buf_size(&c->out) == 0)
            http_conn_close(c); /* nothing more will come, and nobody is owed a reply */
    }
    if (!c->is_gone && is_over_share(c) && c->state == STATE_BODY)
        refuse(c, 429, "more bytes in flight than this user's share");
}

static void fill(struct http_conn *c)
{
    uint8_t *p;
    bool was_empty = c->state == STATE_HEAD && buf_size(&c->in) == 0;
    size_t room = c->in.max - buf_size(&c->in);
    if (room == 0 || buf_reserve(&c->in, MIN_OF(room, (size_t)READ_BYTES), &p) < 0) {
        http_conn_close(c);
        return;
    }
    ssize_t n = recv(c->source.fd, p, MIN_OF(room, (size_t)READ_BYTES), MSG_DONTWAIT);
    if (n > 0) {
        buf_commit(&c->in, (size_t)n);
        if (was_empty)
            set_deadline(c, c->server->limits.head_us);
    } else if (n == 0) {
        c->has_ended = true;
    } else if (errno != EAGAIN && errno != EINTR) {
        http_conn_close(c);
        return;
    }
    http_conn_charge(c);
    if (c->state == STATE_LINGERING)
        discard(c);
    else
        advance(c);
}

static void on_event(struct loop_source *source, unsigned events)
{
    struct http_conn *c = CONTAINER_OF(source, struct http_conn, source);
    if ((events & LOOP_HANGUP) != 0 && (events & LOOP_READ) == 0) {
        http_conn_close(c);
        return;
    }
    bool reads = c->state == STATE_HEAD || c->state == STATE_BODY || c->state == STATE_LINGERING;
    if ((events & LOOP_READ) != 0 && reads)
        fill(c);
    else if ((events & LOOP_READ) != 0 && loop_modify(source, source->events & ~(unsigned)LOOP_READ) < 0)
        http_conn_close(c);
    if (!c->is_gone)
        http_conn_touch(c);
}

/* ---- the server ------------------------------------------------------------------------------------------ */

/* Bytes of the next request lie behind the one that is over: what is whole is served, what is cut has its time. */
static void advance_next(struct http_conn *c)
{
    struct mono_time head_by = clock_mono_add(loop_now(c->server->loop), c->server->limits.head_us);
    advance(c);
    if (!c->is_gone && c->state == STATE_HEAD && buf_size(&c->in) > 0 && c->deadline.us > head_by.us)
        c->deadline = head_by;
}

static void on_turn_end(struct loop_hook *hook)
{
    struct http_server *s = CONTAINER_OF(hook, struct http_server, hook);
    LIST_EACH_SAFE(it, &s->dirty) {
        struct http_conn *c = CONTAINER_OF(it, struct http_conn, dirty);
        list_unlink(&c->dirty);
        /* a pipelined request waits in the buffer: it gets its turn before the reply leaves, so that both go at once */
        if (!c->is_gone && c->state == STATE_HEAD && buf_size(&c->in) > 0)
            advance_next(c);
        if (!c->is_gone)
            flush(c);
        if (c->is_gone) {
            free_conn(c);
            continue;
        }
        buf_shrink(&c->out, HTTP_KEEP_BYTES * 4);
        if (c->state == STATE_STREAMING)
            buf_fini(&c->in); /* nothing is read any more */
        http_conn_charge(c);
        list_unlink(&c->dirty);
    }
}

static void check_deadlines(struct http_conn *c, struct mono_time now)
{
    bool takes_nothing = c->has_write_by && clock_mono_passed(now, c->write_by);
    bool is_late = clock_mono_passed(now, c->deadline);
    bool is_reading = c->state == STATE_BODY || (c->state == STATE_HEAD && buf_size(&c->in) > 0);
    if (takes_nothing || (is_late && !is_reading && c->state != STATE_WAITING && c->state != STATE_STREAMING))
        http_conn_close(c);
    else if (is_late && is_reading)
        refuse(c, 408, "the request did not arrive in time");
    else
        return;
    http_conn_touch(c);
}

static void on_tick(struct loop_timer *timer)
{
    struct http_server *s = CONTAINER_OF(timer, struct http_server, tick);
    struct mono_time now = loop_now(s->loop);
    LIST_EACH(it, &s->conns) {
        struct http_conn *c = CONTAINER_OF(it, struct http_conn, link);
        if (!c->is_gone)
            check_deadlines(c, now);
    }
    s->is_ticking = s->count > 0 && loop_timer_set(s->loop, &s->tick, clock_mono_add(now, TICK_US)) == 0;
}

int http_server_new(struct loop *loop, const struct http_events *events, const struct http_limits *limits,
                    struct http_server **ret_server)
{
    struct http_server *s = calloc(1, sizeof *s);
    if (s == NULL)
        return RAISE(-ENOMEM);
    s->loop = loop;
    s->events = *events;
    s->limits = *limits;
    list_init(&s->conns);
    list_init(&s->dirty);
    s->hook.on_turn_end = on_turn_end;
    list_init(&s->hook.link);
    loop_add_hook(loop, &s->hook);
    loop_timer_init(&s->tick, on_tick);
    *ret_server = s;
    return 0;
}

struct http_server *http_server_free(struct http_server *s)
{
    if (s == NULL)
        return NULL;
    LIST_EACH_SAFE(it, &s->conns) {
        struct http_conn *c = CONTAINER_OF(it, struct http_conn, link);
        http_conn_close(c);
        free_conn(c);
    }
    loop_remove_hook(&s->hook);
    loop_timer_cancel(&s->tick);
    free(s);
    return NULL;
}

void http_server_set_limits(struct http_server *s, const struct http_limits *limits)
{
    s->limits = *limits;
}

size_t http_server_count(const struct http_server *s)
{
    return s->count;
}

void http_server_drain(struct http_server *s)
{
    s->is_draining = true;
    LIST_EACH(it, &s->conns) {
        struct http_conn *c = CONTAINER_OF(it, struct http_conn, link);
        if (c->state == STATE_HEAD && buf_size(&c->out) == 0)
            http_conn_close(c);
        else if (c->state == STATE_HEAD)
            c->state = STATE_CLOSING;
        http_conn_touch(c);
    }
}

int http_serve(struct http_server *s, int fd, struct http_share *share, uint64_t tag, struct http_conn **ret_conn)
{
    struct http_conn *c = calloc(1, sizeof *c);
    int r = c == NULL ? RAISE(-ENOMEM) : 0;
    if (r == 0) {
        c->source.on_event = on_event;
        r = loop_add(s->loop, &c->source, fd, LOOP_READ);
    }
    if (r == 0 && !s->is_ticking) {
        r = loop_timer_set(s->loop, &s->tick, clock_mono_add(loop_now(s->loop), TICK_US));
        s->is_ticking = r == 0;
        if (r < 0)
            loop_remove(&c->source);
    }
    if (r < 0) {
        close(fd);
        free(c);
        return r;
    }
    c->server = s;
    c->share = share;
    c->tag = tag;
    share->users++;
    s->count++;
    buf_init_wiping(&c->in, HTTP_HEAD_MAX_BYTES + READ_BYTES);
    buf_init_wiping(&c->out, s->limits.reply_bytes);
    buf_init_wiping(&c->body, BODY_SLACK_BYTES);
    list_init(&c->link);
    list_init(&c->dirty);
    list_append(&s->conns, &c->link);
    set_deadline(c, s->limits.idle_us);
    *ret_conn = c;
    return 0;
}
