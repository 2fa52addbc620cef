/*
 * sink-syslog - records to a syslog server over TCP or TLS, as RFC 5424 and 6587 have them; see sink.h.
 *
 * The protocol has no acknowledgement. So a record counts as kept when the server's kernel has taken it and the
 * connection has been well for a while after that: a server that stops, or dies, before it has read everything resets
 * or ends the connection, and all that does not count as kept is sent again.
 *
 * Progress is kept in marks: "all records before this place lie before that byte". Source: RFC 5424, 5425, 6587.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "follow/sink.h"
#include "os/file.h"
#include "tls/tls.h"

enum {
    ADDRESSES_MAX_COUNT = 8,
    MARKS_MAX_COUNT = 512,
    RECEIVE_BYTES = 4 << 10,
    PEM_MAX_BYTES = 256 << 10,
    TLS_PUT_BYTES = 16 << 10, /* one record of TLS */
    SEND_TIMEOUT_MS = 30000,  /* what the peer's kernel does not take for this long breaks the connection */
};
#define CONNECT_LIMIT_US (10 * US_PER_S)
#define MARK_PAUSE_US (50 * US_PER_MS)
#define LOOK_PAUSE_US (200 * US_PER_MS)
#define PLACE_TLS "/etc/secreg/follow/"

enum state { CONNECTING, SHAKING, OPEN };

struct mark {
    struct source_place place;
    uint64_t bytes;      /* sent before it */
    struct mono_time at; /* made, and then: taken by the peer's kernel */
    bool is_taken;
};

struct syslog {
    struct sink sink; /* out: messages */
    unsigned facility;
    char host[FORMAT_HOST_MAX_BYTES + 1];
    struct sockaddr_storage addresses[ADDRESSES_MAX_COUNT];
    socklen_t lengths[ADDRESSES_MAX_COUNT];
    size_t addresses_count, address; /* address: the one that is tried */
    int64_t settle_us;
    struct tls_client *tls; /* NULL: none */
    struct tls_conn *conn;
    struct buf wire; /* bytes for the socket */
    struct buf plain;
    uint64_t sent_bytes; /* of this connection, given to the kernel */
    enum state state;
    struct mono_time limit;
    struct mark marks[MARKS_MAX_COUNT]; /* a ring */
    size_t first, count;
};

/* ---- before it is confined ------------------------------------------------------------------------------- */

PRINTF_LIKE(2, 3) static int bad(char *ret_why, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(ret_why, SOURCE_WHY_BYTES, format, args);
    va_end(args);
    return SINK_BAD;
}

static int look_up(struct syslog *s, const char *server, unsigned port, char *ret_why)
{
    char service[8];
    struct addrinfo *all = NULL, hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    (void)snprintf(service, sizeof service, "%u", port);
    int r = getaddrinfo(server, service, &hints, &all);
    if (r != 0)
        return bad(ret_why, "%s: %s", server, gai_strerror(r));
    for (const struct addrinfo *a = all; a != NULL && s->addresses_count < ADDRESSES_MAX_COUNT; a = a->ai_next) {
        if (a->ai_addrlen > sizeof s->addresses[0])
            continue;
        memcpy(&s->addresses[s->addresses_count], a->ai_addr, a->ai_addrlen);
        s->lengths[s->addresses_count++] = a->ai_addrlen;
    }
    freeaddrinfo(all);
    return s->addresses_count > 0 ? 0 : bad(ret_why, "%s has no address", server);
}

static int read_pem(const char *root, const char *name, bool is_needed, struct buf *out, char *ret_why)
{
    char path[SINK_PATH_MAX_BYTES];
    int n = snprintf(path, sizeof path, "%s" PLACE_TLS "%s", root, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return RAISE(FAULT_LIMIT);
    int r = file_read_path(path, out);
    if (r == 0 || (r == FILE_ABSENT && !is_needed))
        return 0;
    return bad(ret_why, "%s: %s", path, r == FILE_ABSENT ? "does not exist" : fault_text(r));
}

static int start_tls(struct syslog *s, const struct sink_setup *setup, const char *name, char *ret_why)
{
    struct buf ca, cert, key;
    buf_init(&ca, PEM_MAX_BYTES);
    buf_init(&cert, PEM_MAX_BYTES);
    buf_init_wiping(&key, PEM_MAX_BYTES);
    int r = read_pem(setup->root, "ca.pem", true, &ca, ret_why);
    if (r == 0)
        r = read_pem(setup->root, "cert.pem", false, &cert, ret_why);
    if (r == 0)
        r = read_pem(setup->root, "key.pem", buf_size(&cert) > 0, &key, ret_why);
    struct tls_client_settings settings = {
        .ca = buf_view(&ca), .cert = buf_view(&cert), .key = buf_view(&key), .name = name};
    char why[TLS_WHY_BYTES];
    if (r == 0)
        r = tls_client_new(&settings, &s->tls, why);
    if (r == TLS_BAD)
        r = bad(ret_why, "TLS: %s", why);
    buf_fini(&ca);
    buf_fini(&cert);
    buf_fini(&key);
    return r;
}

/* A host name as RFC 5424 takes it; "-" stands for none. */
static void read_host(char *ret)
{
    if (gethostname(ret, FORMAT_HOST_MAX_BYTES) < 0)
        ret[0] = '\0';
    ret[FORMAT_HOST_MAX_BYTES] = '\0';
    for (char *p = ret; *p != '\0'; p++) {
        if (*p < 33 || *p > 126)
            *p = '?';
    }
    if (ret[0] == '\0')
        memcpy(ret, "-", 2);
}

static int syslog_make(const struct sink_setup *setup, struct sink **ret_sink, char *ret_why)
{
    static const uint8_t facilities[] = {3, 4, 10, 16, 17, 18, 19, 20, 21, 22, 23}; /* in the order of the words */
    const int64_t *v = setup->conf->v;
    const char *server = conf_text(&follow_options, setup->conf, FOLLOW_SYSLOG_SERVER);
    const char *name = conf_text(&follow_options, setup->conf, FOLLOW_SYSLOG_NAME);
    struct syslog *s = calloc(1, sizeof *s);
    if (s == NULL)
        return RAISE(-ENOMEM);
    s->sink = (struct sink){.kind = &sink_syslog, .fd = -1};
    buf_init(&s->sink.out, 4 * SINK_BUSY_BYTES);
    buf_init(&s->wire, 8 * SINK_BUSY_BYTES);
    buf_init(&s->plain, 64 << 10);
    *ret_sink = &s->sink;
    s->facility = facilities[v[FOLLOW_SYSLOG_FACILITY]];
    s->settle_us = v[FOLLOW_SYSLOG_SETTLE_MS] * US_PER_MS;
    s->sink.give_up_us = v[FOLLOW_SYSLOG_GIVE_UP_MS] * US_PER_MS;
    read_host(s->host);
    if (*server == '\0')
        return bad(ret_why, "syslog.server is not set in /etc/secreg/follow.yaml");
    int r = look_up(s, server, (unsigned)v[FOLLOW_SYSLOG_PORT], ret_why);
    if (r == 0 && v[FOLLOW_SYSLOG_TLS] != 0)
        r = start_tls(s, setup, *name != '\0' ? name : server, ret_why);
    return r;
}

/* ---- the connection -------------------------------------------------------------------------------------- */

static void syslog_close(struct sink *sink)
{
    struct syslog *s = CONTAINER_OF(sink, struct syslog, sink);
    s->conn = tls_conn_free(s->conn);
    file_drop_fd(&sink->fd);
    sink->fd = -1;
    buf_clear(&sink->out);
    buf_clear(&s->wire);
    buf_clear(&s->plain);
    s->first = s->count = 0;
    s->sent_bytes = 0;
}

static int next_address(struct syslog *s, const char *what, int error)
{
    s->address = (s->address + 1) % s->addresses_count;
    return sink_down(&s->sink, "%s: %s", what, strerrordesc_np(error));
}

static int syslog_open(struct sink *sink, struct cursor *cursor)
{
    struct syslog *s = CONTAINER_OF(sink, struct syslog, sink);
    const struct sockaddr *to = (const struct sockaddr *)&s->addresses[s->address];
    int one = 1;
    unsigned timeout_ms = SEND_TIMEOUT_MS;
    (void)cursor;
    sink->fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (sink->fd < 0)
        return RAISE(-errno);
    if (setsockopt(sink->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms) < 0 ||
        setsockopt(sink->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one) < 0)
        return RAISE(-errno);
    if (connect(sink->fd, to, s->lengths[s->address]) < 0 && errno != EINPROGRESS)
        return next_address(s, "cannot connect", errno);
    s->state = CONNECTING;
    s->limit = clock_mono_add(clock_mono_now(), CONNECT_LIMIT_US);
    sink->events = POLLOUT;
    sink->wake = s->limit;
    return s->tls != NULL ? tls_conn_new(s->tls, &s->conn) : 0;
}

/* Returns 0 when it is connected, SINK_WAIT, or SINK_DOWN. */
enum { SINK_WAIT = 3 };
static int look_at_connect(struct syslog *s, struct mono_time now)
{
    struct pollfd p = {.fd = s->sink.fd, .events = POLLOUT};
    int error = 0;
    socklen_t n = sizeof error;
    if (poll(&p, 1, 0) == 0) {
        if (clock_mono_passed(now, s->limit))
            return next_address(s, "cannot connect", ETIMEDOUT);
        return SINK_WAIT;
    }
    if (getsockopt(s->sink.fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0 || error != 0)
        return next_address(s, "cannot connect", error != 0 ? error : errno);
    s->state = s->tls != NULL ? SHAKING : OPEN;
    return 0;
}

/* ---- bytes ----------------------------------------------------------------------------------------------- */

/* Words that TLS has for the server; if they do not get through, it hears of the end all the same. */
static void send_last(struct syslog *s)
{
    struct bytes last = buf_view(&s->wire);
    if (last.n > 0 && send(s->sink.fd, last.p, last.n, MSG_NOSIGNAL) < 0)
        LOG_DEBUG("the server is not told why");
}

static int on_step(struct syslog *s, int r)
{
    buf_clear(&s->plain); /* a server has nothing to say */
    if (r == TLS_CLOSED)
        return sink_down(&s->sink, "the server ended the connection");
    if (r == TLS_REFUSED) {
        send_last(s);
        return sink_down(&s->sink, "TLS: %s", tls_conn_why(s->conn));
    }
    if (r == FAULT_LIMIT)
        return sink_down(&s->sink, "TLS: the server wants more answers than there is room for");
    if (r == 0 && s->state == SHAKING)
        s->state = OPEN;
    return r < 0 ? r : 0;
}

/* What the server says, which is nothing but the end, or TLS's own. */
static int receive(struct syslog *s)
{
    uint8_t bytes[RECEIVE_BYTES];
    ssize_t n;
    while ((n = recv(s->sink.fd, bytes, sizeof bytes, 0)) > 0) {
        int r =
            s->conn != NULL ? on_step(s, tls_conn_step(s->conn, bytes_of(bytes, (size_t)n), &s->plain, &s->wire)) : 0;
        if (r != 0)
            return r;
    }
    if (n == 0)
        return sink_down(&s->sink, "the server ended the connection");
    if (errno == EAGAIN || errno == EINTR)
        return 0;
    return sink_down(&s->sink, "the connection broke: %s", strerrordesc_np(errno));
}

/* Messages become bytes for the socket. */
static int wrap(struct syslog *s)
{
    struct buf *out = &s->sink.out;
    while (buf_size(out) > 0 && buf_size(&s->wire) < SINK_BUSY_BYTES) {
        struct bytes part = bytes_head(buf_view(out), TLS_PUT_BYTES);
        int r = s->conn != NULL ? tls_conn_put(s->conn, part, &s->wire) : buf_append(&s->wire, part);
        if (r == TLS_HANDSHAKE)
            return 0; /* half a message of the server is here: later */
        if (r != 0)
            return s->conn != NULL ? on_step(s, r) : r;
        buf_consume(out, part.n);
    }
    return 0;
}

static int send_out(struct syslog *s)
{
    while (buf_size(&s->wire) > 0) {
        struct bytes all = buf_view(&s->wire);
        ssize_t n = send(s->sink.fd, all.p, all.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n < 0)
            return sink_down(&s->sink, "the connection broke: %s", strerrordesc_np(errno));
        s->sent_bytes += (uint64_t)n;
        buf_consume(&s->wire, (size_t)n);
    }
    return 0;
}

/* ---- marks ----------------------------------------------------------------------------------------------- */

static struct mark *mark_at(struct syslog *s, size_t i)
{
    return &s->marks[(s->first + i) % MARKS_MAX_COUNT];
}

/* A mark behind what was given last, when all of it has become bytes. */
static void add_mark(struct syslog *s, struct mono_time now)
{
    const struct mark *last = s->count > 0 ? mark_at(s, s->count - 1) : NULL;
    uint64_t known = last != NULL ? last->place.next : s->sink.kept.next;
    bool is_soon = last != NULL && !clock_mono_passed(now, clock_mono_add(last->at, MARK_PAUSE_US));
    if (s->sink.given.next == known || buf_size(&s->sink.out) > 0 || s->count == MARKS_MAX_COUNT || is_soon)
        return;
    *mark_at(s, s->count++) =
        (struct mark){.place = s->sink.given, .bytes = s->sent_bytes + buf_size(&s->wire), .at = now};
}

/* How far the server's kernel is, and for how long. */
static int look_at_marks(struct syslog *s, struct mono_time now)
{
    int unsent = 0;
    if (ioctl(s->sink.fd, SIOCOUTQ, &unsent) < 0)
        return RAISE(-errno);
    uint64_t taken = s->sent_bytes - (uint64_t)unsent;
    for (size_t i = 0; i < s->count && mark_at(s, i)->bytes <= taken; i++) {
        struct mark *m = mark_at(s, i);
        if (!m->is_taken)
            m->at = now;
        m->is_taken = true;
    }
    while (s->count > 0 && mark_at(s, 0)->is_taken &&
           clock_mono_passed(now, clock_mono_add(mark_at(s, 0)->at, s->settle_us))) {
        s->sink.kept = mark_at(s, 0)->place;
        s->first = (s->first + 1) % MARKS_MAX_COUNT;
        s->count--;
    }
    return 0;
}

static int syslog_put(struct sink *sink, const struct format_item *item)
{
    struct syslog *s = CONTAINER_OF(sink, struct syslog, sink);
    return format_syslog(&sink->out, item, s->facility, s->host);
}

static int go_on(struct syslog *s, struct mono_time now)
{
    int r = s->state == CONNECTING ? look_at_connect(s, now) : 0;
    if (r == 0 && s->state == SHAKING && buf_size(&s->wire) == 0) /* the first step begins it */
        r = on_step(s, tls_conn_step(s->conn, BYTES_NONE, &s->plain, &s->wire));
    if (r == 0)
        r = receive(s);
    if (r == 0 && s->state == SHAKING && clock_mono_passed(now, s->limit))
        return sink_down(&s->sink, "the server does not finish the TLS handshake");
    if (r == 0 && s->state == OPEN)
        r = wrap(s);
    if (r == 0)
        r = send_out(s);
    if (r == 0 && s->state == OPEN) {
        add_mark(s, now);
        r = look_at_marks(s, now);
    }
    return r;
}

static int syslog_flush(struct sink *sink, struct mono_time now)
{
    struct syslog *s = CONTAINER_OF(sink, struct syslog, sink);
    int r = go_on(s, now);
    bool is_open = r == 0 && s->state == OPEN;
    sink->is_well = is_open;
    bool waits = is_open && (s->count > 0 || sink->kept.next < sink->given.next);
    sink->events = (short)(POLLIN | (s->state == CONNECTING || buf_size(&s->wire) > 0 ? POLLOUT : 0));
    sink->wake = !is_open ? s->limit : waits ? clock_mono_add(now, LOOK_PAUSE_US) : (struct mono_time){INT64_MAX};
    return r == SINK_WAIT ? 0 : r;
}

static void syslog_free(struct sink *sink)
{
    struct syslog *s = CONTAINER_OF(sink, struct syslog, sink);
    syslog_close(sink);
    s->tls = tls_client_free(s->tls);
    buf_fini(&sink->out);
    buf_fini(&s->wire);
    buf_fini(&s->plain);
    free(s);
}

const struct sink_kind sink_syslog = {.name = "syslog",
                                      .profile = "secreg-follow-syslog",
                                      .user = SINK_USER,
                                      .cursors = SINK_CURSORS_FOLDER,
                                      .make = syslog_make,
                                      .open = syslog_open,
                                      .put = syslog_put,
                                      .flush = syslog_flush,
                                      .close = syslog_close,
                                      .free = syslog_free};
