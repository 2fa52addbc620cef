/*
 * secreg-watch - following changes over a connection of its own, which is made again as often as needed; see
 * <secreg/secreg.h>.
 *
 * Lines are kept until those of a whole revision are there: what is handed out is whole revisions, and the connection
 * goes on behind the last whole one, so that nothing is handed out twice and nothing is left out. Invariant: the lines
 * held are `ready` bytes that may be handed out, then a part of one revision that is thrown away with the connection.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "secreg-internal.h"
#include "wire/uri.h"

enum {
    LINES_MAX_BYTES = 64 << 20, /* of one revision */
    LINES_KEEP_BYTES = 64 << 10,
    RECEIVE_BYTES = 64 << 10,
    TARGET_MAX_BYTES = 3 * SECREG_PATH_MAX_BYTES + 128,
    RETRY_FIRST_MS = 100,
    RETRY_MAX_MS = 5000,
    SILENCE_SPARE_MS = 10000, /* how much later than twice its interval an idle line may come */
};

/* ---- life ---------------------------------------------------------------------------------------------------- */

enum secreg_result secreg_watch_new(const char *socket_path, const char *path,
                                    const struct secreg_watch_options *options, struct secreg_watch **ret_watch)
{
    struct secreg_watch *w = calloc(1, sizeof *w);
    if (w == NULL)
        return SECREG_FAILURE;
    w->retry_ms = RETRY_FIRST_MS;
    w->has_values = options != NULL && options->values;
    w->has_since = options != NULL && options->has_since;
    w->since = w->given = w->has_since ? options->since : 0;
    w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    buf_init_wiping(&w->lines, LINES_MAX_BYTES);
    buf_init_wiping(&w->text, LINES_MAX_BYTES + 16);
    bool is_good = path != NULL && w->since <= INT64_MAX && text_copy(w->path, sizeof w->path, bytes_of_text(path));
    enum secreg_result result = is_good ? secreg_new(socket_path, &w->link) : SECREG_BAD_INPUT;
    if (result == SECREG_OK && w->wake_fd < 0)
        result = SECREG_FAILURE;
    if (result != SECREG_OK) {
        secreg_watch_close(w);
        return result;
    }
    *ret_watch = w;
    return SECREG_OK;
}

void secreg_watch_close(struct secreg_watch *w)
{
    int saved = errno;
    if (w == NULL)
        return;
    secreg_close(w->link);
    if (w->wake_fd >= 0)
        close(w->wake_fd);
    buf_fini(&w->lines);
    buf_fini(&w->text);
    free(w);
    errno = saved;
}

void secreg_watch_wake(struct secreg_watch *w)
{
    int saved = errno;
    uint64_t one = 1;
    if (w != NULL) {
        ssize_t n = write(w->wake_fd, &one, sizeof one);
        (void)n; /* full: it wakes already */
    }
    errno = saved;
}

uint64_t secreg_watch_revision(const struct secreg_watch *w)
{
    return w != NULL ? w->given : 0;
}

const char *secreg_watch_error_text(const struct secreg_watch *w)
{
    return w != NULL ? secreg_error_text(w->link) : "";
}

const char *secreg_watch_error_code(const struct secreg_watch *w)
{
    return w != NULL ? secreg_error_code(w->link) : "";
}

/* ---- the connection ------------------------------------------------------------------------------------------ */

/* What is not a whole revision goes with it. */
static void drop_link(struct secreg_watch *w)
{
    secreg_leave(w->link);
    buf_truncate(&w->lines, w->ready);
    w->seen = w->ready;
    w->is_joined = false;
    w->retry_at = clock_mono_add(clock_mono_now(), (int64_t)w->retry_ms * US_PER_MS);
    w->retry_ms = MIN_OF(w->retry_ms * 2, (unsigned)RETRY_MAX_MS);
}

/* It goes on by itself after these; after all others somebody has to do something first. */
static bool may_pass(enum secreg_result result)
{
    return result == SECREG_LOCKED || result == SECREG_UNAVAILABLE;
}

static enum secreg_result broken(struct secreg_watch *w, const char *why)
{
    drop_link(w);
    return secreg_fail(w->link, SECREG_FAILURE, "bad-http", "the daemon's stream is not what it should be: %s", why);
}

static int make_target(const struct secreg_watch *w, struct buf *target)
{
    TRY(buf_append_text(target, "/v1/watch?path="));
    TRY(uri_encode(target, bytes_of_text(w->path)));
    if (w->has_since)
        TRY(buf_print(target, "&since=%llu", (unsigned long long)w->since));
    return w->has_values ? buf_append_text(target, "&values") : 0;
}

/* ---- lines --------------------------------------------------------------------------------------------------- */

/* The last line. What ended the watch may pass, or is the result. */
static enum secreg_result take_end(struct secreg_watch *w, const struct secreg_watch_line *l)
{
    char code[SECREG_CODE_MAX_BYTES];
    bool is_stop = bytes_equal(l->why, BYTES_LITERAL("stopping"));
    bool is_known = text_copy(code, sizeof code, is_stop ? BYTES_LITERAL("unavailable") : l->why);
    enum secreg_result result = secreg_result_of(bytes_of_text(is_known ? code : ""));
    drop_link(w);
    return secreg_fail(w->link, result, is_known ? code : "internal", "the daemon ended the watch: %s",
                       is_stop ? "it stops" : secreg_result_text(result));
}

static enum secreg_result see_line(struct secreg_watch *w, struct bytes line, size_t end)
{
    struct secreg_watch_line l;
    bool has_part = w->seen > w->ready;
    if (!secreg_watch_see(line, &l))
        return broken(w, "a line is malformed");
    if (l.kind == SECREG_WATCH_ENDED)
        return take_end(w, &l);
    if (l.kind == SECREG_WATCH_CHANGE && (!w->has_since || l.revision <= w->since))
        return broken(w, "a change comes twice");
    if (l.kind == SECREG_WATCH_IDLE && (has_part || (w->has_since && l.revision < w->since)))
        return broken(w, "a revision is cut");
    if (l.kind == SECREG_WATCH_IDLE)
        w->every_ms = l.every_ms;
    w->retry_ms = RETRY_FIRST_MS;
    w->seen = end;
    if (l.kind == SECREG_WATCH_CHANGE && !l.is_last)
        return SECREG_OK;
    w->ready = end;
    w->since = l.revision;
    if (!w->has_since) /* the first line: everything before it was before the watch */
        w->given = l.revision;
    w->has_since = true;
    return SECREG_OK;
}

static enum secreg_result see_lines(struct secreg_watch *w)
{
    enum secreg_result result = SECREG_OK;
    while (result == SECREG_OK) {
        struct bytes rest = bytes_from(buf_view(&w->lines), w->seen);
        size_t n = bytes_find(rest, '\n');
        if (n == rest.n)
            break;
        result = see_line(w, bytes_head(rest, n), w->seen + n + 1);
    }
    return result;
}

static enum secreg_result decode(struct secreg_watch *w)
{
    size_t used = 0;
    struct buf *in = &w->link->in;
    int r = http1_read_chunks(&w->chunks, buf_view(in), &w->lines, &used);
    buf_consume(in, used);
    buf_shrink(in, LINES_KEEP_BYTES);
    if (r == HTTP1_LARGE) {
        drop_link(w);
        return secreg_fail(w->link, SECREG_TOO_LARGE, "too-large",
                           "the changes of one revision are more than the client takes");
    }
    if (r < 0 || r == HTTP1_BAD)
        return broken(w, r < 0 ? "no memory is left" : "a chunk is malformed");
    enum secreg_result result = see_lines(w);
    if (result == SECREG_OK && r == 0)
        return broken(w, "it ends without a word");
    return result;
}

static enum secreg_result receive(struct secreg_watch *w)
{
    uint8_t *p;
    struct buf *in = &w->link->in;
    if (buf_reserve(in, RECEIVE_BYTES, &p) < 0)
        return broken(w, "no memory is left");
    ssize_t n = recv(w->link->fd, p, RECEIVE_BYTES, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return SECREG_OK;
    if (n <= 0) {
        drop_link(w);
        return secreg_fail(w->link, SECREG_UNAVAILABLE, "unavailable", "the daemon closed the connection");
    }
    buf_commit(in, (size_t)n);
    w->heard_at = clock_mono_now();
    return decode(w);
}

/* ---- waiting ------------------------------------------------------------------------------------------------- */

static struct mono_time silent_at(const struct secreg_watch *w)
{
    return clock_mono_add(w->heard_at, ((int64_t)w->every_ms * 2 + SILENCE_SPARE_MS) * US_PER_MS);
}

/* Waits for the stream, a wake-up, or a time. Returns true if it was woken up. */
static bool wait_until(struct secreg_watch *w, struct mono_time until, bool *ret_has_come)
{
    struct pollfd p[2] = {{.fd = w->wake_fd, .events = POLLIN},
                          {.fd = w->is_joined ? w->link->fd : -1, .events = POLLIN}};
    uint64_t count;
    int64_t left_us = until.us - clock_mono_now().us;
    int ms = left_us <= 0 ? 0 : (int)MIN_OF((left_us + 999) / 1000, (int64_t)INT32_MAX);
    int r = poll(p, COUNT_OF(p), ms);
    *ret_has_come = r > 0 && p[1].revents != 0;
    return r > 0 && p[0].revents != 0 && read(w->wake_fd, &count, sizeof count) > 0;
}

static enum secreg_result begin_stream(struct secreg_watch *w)
{
    struct buf target;
    buf_init(&target, TARGET_MAX_BYTES);
    enum secreg_result result = SECREG_OK;
    if (make_target(w, &target) < 0) /* it has room for the longest path */
        result = secreg_fail(w->link, SECREG_FAILURE, "internal", "out of memory");
    struct secreg_ask ask = {.method = "GET", .target = buf_view(&target), .is_read = true};
    if (result == SECREG_OK)
        result = secreg_stream(w->link, &ask);
    buf_fini(&target);
    return result;
}

enum secreg_result secreg_watch_join(struct secreg_watch *w)
{
    bool has_come = false;
    enum secreg_result result = begin_stream(w);
    if (result != SECREG_OK) {
        drop_link(w);
        return result;
    }
    w->chunks = (struct http1_chunks){0};
    w->is_joined = true;
    w->every_ms = SECREG_TIMEOUT_MS;
    w->heard_at = clock_mono_now();
    result = decode(w); /* what came with the head */
    struct mono_time until = clock_mono_add(w->heard_at, (int64_t)w->link->timeout_ms * US_PER_MS);
    while (result == SECREG_OK && !w->has_since) { /* the first line says where the watch begins */
        bool is_woken = wait_until(w, until, &has_come);
        if (has_come) {
            result = receive(w);
        } else if (is_woken || clock_mono_passed(clock_mono_now(), until)) {
            drop_link(w);
            return secreg_fail(w->link, SECREG_UNAVAILABLE, "timeout", "the daemon did not answer in time");
        }
    }
    return w->has_since && may_pass(result) ? SECREG_OK
                                            : result; /* it began, and is over: next time it is tried again */
}

/* One step towards more lines: connects again, or reads. Returns a result that ends the watch, or SECREG_OK. */
static enum secreg_result step(struct secreg_watch *w, struct mono_time until, bool *ret_is_woken)
{
    enum secreg_result result = SECREG_OK;
    struct mono_time next = w->is_joined ? silent_at(w) : w->retry_at;
    bool has_come = false;
    *ret_is_woken = wait_until(w, next.us < until.us ? next : until, &has_come);
    if (has_come) {
        result = receive(w);
    } else if (w->is_joined && clock_mono_passed(clock_mono_now(), silent_at(w))) {
        drop_link(w);
        (void)secreg_fail(w->link, SECREG_UNAVAILABLE, "timeout", "the daemon has said nothing for too long");
    } else if (!w->is_joined && clock_mono_passed(clock_mono_now(), w->retry_at)) {
        result = secreg_watch_join(w);
    }
    return may_pass(result) ? SECREG_OK : result;
}

/* Takes the next line off the front, with its end. */
static struct bytes take_line(struct secreg_watch *w)
{
    struct bytes all = buf_view(&w->lines);
    size_t n = bytes_find(all, '\n');
    assert(n < w->ready);
    return bytes_head(all, n + 1);
}

static void drop_line(struct secreg_watch *w)
{
    buf_consume(&w->lines, w->held);
    w->ready -= w->held;
    w->seen -= w->held;
    w->held = 0;
    if (buf_size(&w->lines) == 0)
        buf_shrink(&w->lines, LINES_KEEP_BYTES);
}

enum secreg_result secreg_watch_take(struct secreg_watch *w, int timeout_ms, struct bytes *ret_line)
{
    struct mono_time until = {INT64_MAX};
    bool is_woken = false;
    if (timeout_ms >= 0)
        until = clock_mono_add(clock_mono_now(), (int64_t)timeout_ms * US_PER_MS);
    drop_line(w);
    for (;;) {
        while (w->ready > 0) {
            struct secreg_watch_line l;
            struct bytes line = take_line(w);
            w->held = line.n;
            if (secreg_watch_see(line, &l) && l.kind == SECREG_WATCH_CHANGE) {
                w->given = l.is_last ? l.revision : w->given;
                *ret_line = line;
                return SECREG_OK;
            }
            w->given = l.revision;
            drop_line(w);
        }
        if (is_woken)
            break;
        enum secreg_result result = step(w, until, &is_woken);
        if (result != SECREG_OK)
            return result;
        if (w->ready == 0 && clock_mono_passed(clock_mono_now(), until))
            break;
    }
    *ret_line = BYTES_NONE;
    return SECREG_OK;
}

/* ---- what programs call -------------------------------------------------------------------------------------- */

enum secreg_result secreg_watch_open(const char *socket_path, const char *path,
                                     const struct secreg_watch_options *options, struct secreg_watch **ret_watch)
{
    struct secreg_watch *w = NULL;
    if (ret_watch == NULL)
        return SECREG_BAD_INPUT;
    enum secreg_result result = secreg_watch_new(socket_path, path, options, &w);
    if (result == SECREG_OK)
        result = secreg_watch_join(w);
    if (result == SECREG_OK)
        *ret_watch = w;
    else
        secreg_watch_close(w);
    return result;
}

enum secreg_result secreg_watch_next(struct secreg_watch *w, int timeout_ms, struct secreg_change *ret_change)
{
    struct bytes line;
    if (w == NULL || ret_change == NULL)
        return SECREG_BAD_INPUT;
    enum secreg_result result = secreg_watch_take(w, timeout_ms, &line);
    buf_clear(&w->text);
    buf_shrink(&w->text, LINES_KEEP_BYTES);
    if (result != SECREG_OK)
        return result;
    if (line.n == 0) {
        *ret_change = (struct secreg_change){.revision = w->given};
        return SECREG_OK;
    }
    return secreg_watch_read(line, &w->text, ret_change) ? SECREG_OK : broken(w, "a line is malformed");
}
