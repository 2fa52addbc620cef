/*
 * secreg-request - one request and its reply over the handle's connection; see secreg-internal.h.
 *
 * Invariant: whenever a call returns, either the connection is between two requests, or it is closed. Every wait ends
 * at the deadline of the call. Source: unix(7), send(2); RFC 9112 sections 9.3 and 9.5.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "secreg-internal.h"

enum { RECEIVE_BYTES = 16384 };

/* How an exchange ended that did not succeed; the error is noted in the handle. */
struct exchange {
    struct mono_time deadline;
    size_t sent_bytes;
    bool is_answered; /* a byte of the reply has come */
    bool is_lost;     /* the daemon closed the connection */
};

void secreg_leave(struct secreg *h)
{
    if (h->fd >= 0)
        close(h->fd);
    h->fd = -1;
    h->is_used = false;
}

static enum secreg_result no_memory(struct secreg *h)
{
    return secreg_fail(h, SECREG_FAILURE, "internal", "out of memory");
}

static enum secreg_result too_slow(struct secreg *h)
{
    return secreg_fail(h, SECREG_UNAVAILABLE, "timeout", "the daemon did not answer within %u ms", h->timeout_ms);
}

/* ---- connection ------------------------------------------------------------------------------------------ */

static int open_socket(const struct secreg *h)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval limit = {.tv_sec = h->timeout_ms / 1000, .tv_usec = (suseconds_t)(h->timeout_ms % 1000) * 1000};
    int r;
    static_assert(sizeof h->socket_path <= sizeof address.sun_path, "a path that fits the handle fits the address");
    memcpy(address.sun_path, h->socket_path, sizeof h->socket_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    r = setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit); /* bounds connect(): unix(7) */
    while (r == 0 && (r = connect(fd, (const struct sockaddr *)&address, sizeof address)) < 0 && errno == EINTR)
        r = 0;
    if (r == 0)
        return fd;
    r = -errno;
    close(fd);
    return r;
}

enum secreg_result secreg_join(struct secreg *h)
{
    if (h->fd >= 0)
        return SECREG_OK;
    h->fd = open_socket(h);
    if (h->fd >= 0)
        return SECREG_OK;
    int error = -h->fd;
    h->fd = -1;
    if (error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS)
        return secreg_fail(h, SECREG_FAILURE, "internal", "cannot make a socket: %s", strerrordesc_np(error));
    if (error == ENOENT || error == ECONNREFUSED)
        return secreg_fail(h, SECREG_UNAVAILABLE, "unavailable", "no daemon is running: nobody answers at %s",
                           h->socket_path);
    return secreg_fail(h, SECREG_UNAVAILABLE, "unavailable", "cannot connect to %s: %s", h->socket_path,
                       strerrordesc_np(error));
}

/* A kept connection has nothing to say between requests: if it does, it was closed, or is not to be trusted. */
static void drop_idle(struct secreg *h)
{
    struct pollfd p = {.fd = h->fd, .events = POLLIN};
    if (h->fd >= 0 && poll(&p, 1, 0) != 0)
        secreg_leave(h);
}

/* Waits for `events`. Returns what is there, or 0 after the deadline. */
static short wait_for(const struct secreg *h, short events, struct mono_time deadline)
{
    struct pollfd p = {.fd = h->fd, .events = events};
    int64_t left_us;
    do {
        left_us = deadline.us - clock_mono_now().us;
        int r = poll(&p, 1, left_us <= 0 ? 0 : (int)MIN_OF((left_us + 999) / 1000, (int64_t)INT32_MAX));
        if (r > 0)
            return p.revents;
        if (r < 0 && errno != EINTR)
            return POLLERR;
    } while (left_us > 0);
    return 0;
}

/* ---- sending --------------------------------------------------------------------------------------------- */

static ssize_t send_some(const struct secreg *h, struct bytes head, struct bytes body, size_t done)
{
    struct iovec parts[2];
    struct msghdr message = {.msg_iov = parts};
    struct bytes from[2] = {bytes_from(head, done), bytes_from(body, done > head.n ? done - head.n : 0)};
    for (size_t i = 0; i < COUNT_OF(from); i++) {
        if (from[i].n > 0)
            parts[message.msg_iovlen++] = (struct iovec){(void *)(uintptr_t)from[i].p, from[i].n};
    }
    return sendmsg(h->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Ends early without an error when a reply comes before everything is sent, or the daemon hangs up: what it said is
 * read then. */
static enum secreg_result send_all(struct secreg *h, struct bytes body, struct exchange *x)
{
    struct bytes head = buf_view(&h->out);
    while (x->sent_bytes < head.n + body.n) {
        ssize_t n = send_some(h, head, body, x->sent_bytes);
        if (n >= 0) {
            x->sent_bytes += (size_t)n;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return SECREG_OK;
        short events = wait_for(h, POLLOUT | POLLIN, x->deadline);
        if (events == 0)
            return too_slow(h);
        if ((events & POLLOUT) == 0)
            return SECREG_OK;
    }
    return SECREG_OK;
}

static int append_head(struct secreg *h, const struct secreg_ask *ask)
{
    buf_clear(&h->out);
    TRY(buf_append_text(&h->out, ask->method));
    TRY(buf_append_text(&h->out, " "));
    TRY(buf_append(&h->out, ask->target));
    TRY(buf_append_text(&h->out, " HTTP/1.1\r\nHost: secreg\r\n"));
    TRY(buf_append(&h->out, ask->fields));
    if (h->session[0] != '\0') {
        TRY(buf_append_text(&h->out, "Secreg-Session: "));
        TRY(buf_append_text(&h->out, h->session));
        TRY(buf_append_text(&h->out, "\r\n"));
    }
    if (ask->body.n > 0 || strcmp(ask->method, "GET") != 0) {
        TRY(buf_append_text(&h->out, "Content-Length: "));
        TRY(buf_append_u64(&h->out, ask->body.n));
        TRY(buf_append_text(&h->out, "\r\n"));
    }
    return buf_append_text(&h->out, "\r\n");
}

/* ---- receiving ------------------------------------------------------------------------------------------- */

static enum secreg_result lost(struct secreg *h, struct exchange *x)
{
    x->is_lost = true;
    return secreg_fail(h, SECREG_UNAVAILABLE, "unavailable", "the daemon closed the connection without an answer");
}

/* Adds what has come, at least one byte, to the handle's buffer. */
static enum secreg_result receive_some(struct secreg *h, size_t wanted, struct exchange *x)
{
    uint8_t *p;
    size_t room = MIN_OF(MAX_OF(wanted, (size_t)RECEIVE_BYTES), h->in.max - buf_size(&h->in));
    if (room == 0)
        return secreg_fail(h, SECREG_TOO_LARGE, "too-large", "the reply is larger than the client accepts");
    if (buf_reserve(&h->in, room, &p) < 0)
        return no_memory(h);
    for (;;) {
        ssize_t n = recv(h->fd, p, room, MSG_DONTWAIT);
        if (n > 0) {
            buf_commit(&h->in, (size_t)n);
            x->is_answered = true;
            return SECREG_OK;
        }
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            return lost(h, x);
        if (errno == EAGAIN && wait_for(h, POLLIN, x->deadline) == 0)
            return too_slow(h);
    }
}

static enum secreg_result receive_head(struct secreg *h, struct exchange *x, struct http1_resp *ret_head,
                                       size_t *ret_used)
{
    static const struct http1_limits limits = {SECREG_HEAD_MAX_BYTES, SECREG_HEAD_MAX_BYTES, HTTP1_FIELDS_MAX_COUNT};
    const char *why = NULL;
    for (;;) {
        int r = http1_read_response_head(buf_view(&h->in), &limits, ret_head, ret_used, &why);
        if (r == 0)
            return SECREG_OK;
        if (r != HTTP1_MORE)
            return secreg_fail(h, SECREG_FAILURE, "bad-http", "the reply is not acceptable as HTTP/1.1: %s", why);
        enum secreg_result result = receive_some(h, 0, x);
        if (result != SECREG_OK)
            return result;
    }
}

static enum secreg_result receive_body(struct secreg *h, struct exchange *x, size_t used, struct secreg_answer *answer)
{
    if (answer->head.is_chunked)
        return secreg_fail(h, SECREG_FAILURE, "bad-http", "the reply has no length");
    if (answer->head.length_bytes > SECREG_BODY_MAX_BYTES)
        return secreg_fail(h, SECREG_TOO_LARGE, "too-large", "the reply is larger than the client accepts");
    size_t wanted = used + (size_t)answer->head.length_bytes;
    bool has_moved = buf_size(&h->in) < wanted;
    while (buf_size(&h->in) < wanted) {
        enum secreg_result result = receive_some(h, wanted - buf_size(&h->in), x);
        if (result != SECREG_OK)
            return result;
    }
    if (has_moved) { /* the head lies elsewhere now: read it again for its views */
        enum secreg_result result = receive_head(h, x, &answer->head, &used);
        assert(result == SECREG_OK);
    }
    answer->body = bytes_from(buf_view(&h->in), used);
    if (answer->body.n > answer->head.length_bytes)
        return secreg_fail(h, SECREG_FAILURE, "bad-http", "the reply is longer than it says");
    return SECREG_OK;
}

static enum secreg_result receive_all(struct secreg *h, struct exchange *x, struct secreg_answer *ret_answer)
{
    size_t used = 0;
    enum secreg_result result = receive_head(h, x, &ret_answer->head, &used);
    return result == SECREG_OK ? receive_body(h, x, used, ret_answer) : result;
}

/* ---- the exchange ---------------------------------------------------------------------------------------- */

static enum secreg_result exchange(struct secreg *h, struct bytes body, struct exchange *x,
                                   struct secreg_answer *ret_answer)
{
    buf_clear(&h->in);
    buf_shrink(&h->in, 65536);
    enum secreg_result result = send_all(h, body, x);
    if (result == SECREG_OK)
        result = receive_all(h, x, ret_answer);
    h->is_used = true;
    bool is_whole = x->sent_bytes == buf_size(&h->out) + body.n;
    if (result != SECREG_OK || !is_whole || !ret_answer->head.keeps_alive)
        secreg_leave(h);
    return result;
}

static bool may_repeat(const struct secreg_ask *ask, const struct exchange *x, bool was_used)
{
    return was_used && x->is_lost && !x->is_answered && (x->sent_bytes == 0 || ask->is_read);
}

enum secreg_result secreg_request(struct secreg *h, const struct secreg_ask *ask, struct secreg_answer *ret_answer)
{
    assert(ask->target.n > 0 && ask->target.p[0] == '/');
    struct exchange x = {.deadline = clock_mono_add(clock_mono_now(), (int64_t)h->timeout_ms * US_PER_MS)};
    h->code[0] = h->text[0] = '\0';
    if (append_head(h, ask) < 0)
        return no_memory(h);
    drop_idle(h);
    bool was_used = h->is_used;
    enum secreg_result result = secreg_join(h);
    if (result == SECREG_OK)
        result = exchange(h, ask->body, &x, ret_answer);
    if (result != SECREG_OK && may_repeat(ask, &x, was_used)) {
        x = (struct exchange){.deadline = x.deadline};
        h->code[0] = h->text[0] = '\0';
        result = secreg_join(h);
        if (result == SECREG_OK)
            result = exchange(h, ask->body, &x, ret_answer);
    }
    buf_clear(&h->out);
    return result;
}

enum secreg_result secreg_stream(struct secreg *h, const struct secreg_ask *ask)
{
    struct secreg_answer answer = {.body = BYTES_NONE};
    size_t used = 0;
    struct exchange x = {.deadline = clock_mono_add(clock_mono_now(), (int64_t)h->timeout_ms * US_PER_MS)};
    h->code[0] = h->text[0] = '\0';
    secreg_leave(h);
    buf_clear(&h->in);
    enum secreg_result result = append_head(h, ask) < 0 ? no_memory(h) : secreg_join(h);
    if (result == SECREG_OK)
        result = send_all(h, ask->body, &x);
    if (result == SECREG_OK)
        result = receive_head(h, &x, &answer.head, &used);
    buf_clear(&h->out);
    if (result == SECREG_OK && answer.head.status == 200 && answer.head.is_chunked) {
        buf_consume(&h->in, used);
        return SECREG_OK;
    }
    if (result == SECREG_OK)
        result = receive_body(h, &x, used, &answer);
    if (result == SECREG_OK)
        result = answer.head.status / 100 != 2
                     ? secreg_refused(h, &answer)
                     : secreg_fail(h, SECREG_FAILURE, "bad-http", "the reply is not a stream");
    secreg_leave(h);
    return result;
}
