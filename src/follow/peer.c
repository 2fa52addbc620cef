/* peer - see peer.h. */
#include "follow/peer.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "follow/sink.h"
#include "os/file.h"

enum {
    RECEIVE_BYTES = 4 << 10,
    PLAIN_BUSY_BYTES = 32 << 10, /* so much waits for the owner: no more for now */
    PEM_MAX_BYTES = 256 << 10,
    TLS_PUT_BYTES = 16 << 10, /* one record of TLS */
    SEND_TIMEOUT_MS = 30000,  /* what the peer's kernel does not take for this long breaks the connection */
};
#define CONNECT_LIMIT_US (10 * US_PER_S)

PRINTF_LIKE(3, 4) static int say(struct peer *p, int result, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(p->why, sizeof p->why, format, args);
    va_end(args);
    return result;
}

/* ---- before it is confined ------------------------------------------------------------------------------- */

static int look_up(struct peer *p, const char *server, unsigned port)
{
    char service[8];
    struct addrinfo *all = NULL, hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    (void)snprintf(service, sizeof service, "%u", port);
    int r = getaddrinfo(server, service, &hints, &all);
    if (r != 0)
        return say(p, PEER_BAD, "%s: %s", server, gai_strerror(r));
    for (const struct addrinfo *a = all; a != NULL && p->addresses_count < PEER_ADDRESSES_MAX_COUNT; a = a->ai_next) {
        if (a->ai_addrlen > sizeof p->addresses[0])
            continue;
        memcpy(&p->addresses[p->addresses_count], a->ai_addr, a->ai_addrlen);
        p->lengths[p->addresses_count++] = a->ai_addrlen;
    }
    freeaddrinfo(all);
    return p->addresses_count > 0 ? 0 : say(p, PEER_BAD, "%s has no address", server);
}

static int read_pem(struct peer *p, const struct peer_setup *setup, const char *name, bool is_needed, struct buf *out)
{
    char path[SINK_PATH_MAX_BYTES];
    int n = snprintf(path, sizeof path, "%s%s%s", setup->root, setup->files, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return RAISE(FAULT_LIMIT);
    int r = file_read_path(path, out);
    if (r == 0 || (r == FILE_ABSENT && !is_needed))
        return 0;
    return say(p, PEER_BAD, "%.100s: %.90s", path, r == FILE_ABSENT ? "does not exist" : fault_text(r));
}

static int start_tls(struct peer *p, const struct peer_setup *setup)
{
    struct buf ca, cert, key;
    buf_init(&ca, PEM_MAX_BYTES);
    buf_init(&cert, PEM_MAX_BYTES);
    buf_init_wiping(&key, PEM_MAX_BYTES);
    int r = read_pem(p, setup, "ca.pem", true, &ca);
    if (r == 0)
        r = read_pem(p, setup, "cert.pem", false, &cert);
    if (r == 0)
        r = read_pem(p, setup, "key.pem", buf_size(&cert) > 0, &key);
    struct tls_client_settings settings = {.ca = buf_view(&ca),
                                           .cert = buf_view(&cert),
                                           .key = buf_view(&key),
                                           .name = *setup->name != '\0' ? setup->name : setup->server};
    char why[TLS_WHY_BYTES];
    if (r == 0)
        r = tls_client_new(&settings, &p->tls, why);
    if (r == TLS_BAD)
        r = say(p, PEER_BAD, "TLS: %.190s", why);
    buf_fini(&ca);
    buf_fini(&cert);
    buf_fini(&key);
    return r;
}

int peer_make(struct peer *p, const struct peer_setup *setup)
{
    p->fd = -1;
    buf_init(&p->wire, 8 * PEER_WIRE_BUSY_BYTES);
    buf_init(&p->plain, 64 << 10);
    int r = look_up(p, setup->server, setup->port);
    return r == 0 && setup->has_tls ? start_tls(p, setup) : r;
}

void peer_fini(struct peer *p)
{
    if (p->addresses_count > 0)
        peer_close(p);
    p->tls = tls_client_free(p->tls);
    buf_fini(&p->wire);
    buf_fini(&p->plain);
}

/* ---- connecting ------------------------------------------------------------------------------------------ */

void peer_close(struct peer *p)
{
    p->conn = tls_conn_free(p->conn);
    file_drop_fd(&p->fd);
    p->fd = -1;
    p->state = PEER_CLOSED;
    p->sent_bytes = 0;
    buf_clear(&p->wire);
    buf_clear(&p->plain);
}

static int next_address(struct peer *p, const char *what, int error)
{
    p->address = (p->address + 1) % p->addresses_count;
    return say(p, PEER_DOWN, "%s: %s", what, strerrordesc_np(error));
}

int peer_open(struct peer *p)
{
    const struct sockaddr *to = (const struct sockaddr *)&p->addresses[p->address];
    int one = 1;
    unsigned timeout_ms = SEND_TIMEOUT_MS;
    p->fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (p->fd < 0 && errno == EAFNOSUPPORT)
        return next_address(p, "cannot connect", errno);
    if (p->fd < 0)
        return RAISE(-errno);
    if (setsockopt(p->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms) < 0 ||
        setsockopt(p->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one) < 0)
        return RAISE(-errno);
    if (connect(p->fd, to, p->lengths[p->address]) < 0 && errno != EINPROGRESS)
        return next_address(p, "cannot connect", errno);
    p->state = PEER_CONNECTING;
    p->limit = clock_mono_add(clock_mono_now(), CONNECT_LIMIT_US);
    return p->tls != NULL ? tls_conn_new(p->tls, &p->conn) : 0;
}

/* Returns 0 when it is connected or not yet, or PEER_DOWN. */
static int look_at_connect(struct peer *p, struct mono_time now)
{
    struct pollfd poll_fd = {.fd = p->fd, .events = POLLOUT};
    int error = 0;
    socklen_t n = sizeof error;
    if (poll(&poll_fd, 1, 0) == 0)
        return clock_mono_passed(now, p->limit) ? next_address(p, "cannot connect", ETIMEDOUT) : 0;
    if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0 || error != 0)
        return next_address(p, "cannot connect", error != 0 ? error : errno);
    p->state = p->tls != NULL ? PEER_SHAKING : PEER_OPEN;
    return 0;
}

/* ---- bytes ----------------------------------------------------------------------------------------------- */

/* Words that TLS has for the server; if they do not get through, it hears of the end all the same. */
static void send_last(struct peer *p)
{
    struct bytes last = buf_view(&p->wire);
    if (last.n > 0 && send(p->fd, last.p, last.n, MSG_NOSIGNAL) < 0)
        LOG_DEBUG("the server is not told why");
}

static int on_step(struct peer *p, int r)
{
    if (r == TLS_CLOSED)
        return say(p, PEER_DOWN, "the server ended the connection");
    if (r == TLS_REFUSED) {
        send_last(p);
        return say(p, PEER_DOWN, "TLS: %.190s", tls_conn_why(p->conn));
    }
    if (r == FAULT_LIMIT)
        return say(p, PEER_DOWN, "the server says more than there is room for");
    if (r == 0 && p->state == PEER_SHAKING)
        p->state = PEER_OPEN;
    return r < 0 ? r : 0;
}

static int take(struct peer *p, struct bytes in)
{
    return on_step(p, p->conn != NULL ? tls_conn_step(p->conn, in, &p->plain, &p->wire) : buf_append(&p->plain, in));
}

static int receive(struct peer *p)
{
    uint8_t bytes[RECEIVE_BYTES];
    ssize_t n = 1;
    while (buf_size(&p->plain) < PLAIN_BUSY_BYTES && (n = recv(p->fd, bytes, sizeof bytes, 0)) > 0) {
        int r = take(p, bytes_of(bytes, (size_t)n));
        if (r != 0)
            return r;
    }
    if (n == 0)
        return say(p, PEER_DOWN, "the server ended the connection");
    if (n > 0 || errno == EAGAIN || errno == EINTR)
        return 0;
    return say(p, PEER_DOWN, "the connection broke: %s", strerrordesc_np(errno));
}

/* What is to be said becomes bytes for the socket. */
static int wrap(struct peer *p, struct buf *out)
{
    while (buf_size(out) > 0 && buf_size(&p->wire) < PEER_WIRE_BUSY_BYTES) {
        struct bytes part = bytes_head(buf_view(out), TLS_PUT_BYTES);
        int r = p->conn != NULL ? tls_conn_put(p->conn, part, &p->wire) : buf_append(&p->wire, part);
        if (r == TLS_HANDSHAKE)
            return 0; /* half a message of the server is here: later */
        if (r != 0)
            return p->conn != NULL ? on_step(p, r) : r;
        buf_consume(out, part.n);
    }
    return 0;
}

static int send_out(struct peer *p)
{
    while (buf_size(&p->wire) > 0) {
        struct bytes all = buf_view(&p->wire);
        ssize_t n = send(p->fd, all.p, all.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n < 0)
            return say(p, PEER_DOWN, "the connection broke: %s", strerrordesc_np(errno));
        p->sent_bytes += (uint64_t)n;
        buf_consume(&p->wire, (size_t)n);
    }
    return 0;
}

static int step(struct peer *p, struct buf *out, struct mono_time now)
{
    int r = p->state == PEER_CONNECTING ? look_at_connect(p, now) : 0;
    if (r != 0 || p->state == PEER_CONNECTING)
        return r;
    if (p->state == PEER_SHAKING && buf_size(&p->wire) == 0) /* the first step begins it */
        r = take(p, BYTES_NONE);
    if (r == 0)
        r = receive(p);
    if (r == 0 && p->state == PEER_SHAKING && clock_mono_passed(now, p->limit))
        return say(p, PEER_DOWN, "the server does not finish the TLS handshake");
    if (r == 0 && p->state == PEER_OPEN)
        r = wrap(p, out);
    return r == 0 ? send_out(p) : r;
}

int peer_step(struct peer *p, struct buf *out, struct mono_time now)
{
    bool was_shaking = p->state == PEER_SHAKING;
    int r = step(p, out, now);
    if (r == PEER_DOWN && was_shaking)
        p->address = (p->address + 1) % p->addresses_count;
    return r;
}

short peer_events(const struct peer *p)
{
    bool wants_out = p->state == PEER_CONNECTING || buf_size(&p->wire) > 0;
    return (short)((p->state == PEER_CONNECTING ? 0 : POLLIN) | (wants_out ? POLLOUT : 0));
}
