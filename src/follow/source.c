/* source - see source.h. */
#include "follow/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/code.h"
#include "base/num.h"
#include "crypt/merkle.h"
#include "lib/secreg-internal.h"
#include "trail/prune.h"

enum {
    RECEIVE_BYTES = 128 << 10,
    LINE_MAX_BYTES = 1 << 20,
    RECORDS_MAX_BYTES = 512 << 10,
    JOIN_LIMIT_MS = 1000,
};

int source_init(struct source *s, const char *socket_path)
{
    *s = (struct source){0};
    buf_init(&s->lines, LINE_MAX_BYTES);
    buf_init(&s->records, RECORDS_MAX_BYTES);
    buf_init(&s->base, PRUNE_BASE_MAX_BYTES);
    if (secreg_new(socket_path, &s->link) != SECREG_OK)
        return RAISE(-ENOMEM);
    secreg_set_timeout(s->link, JOIN_LIMIT_MS);
    return 0;
}

void source_fini(struct source *s)
{
    secreg_close(s->link);
    s->link = NULL;
    buf_fini(&s->lines);
    buf_fini(&s->records);
    buf_fini(&s->base);
}

void source_leave(struct source *s)
{
    secreg_leave(s->link);
    s->is_joined = false;
    buf_clear(&s->lines);
    buf_clear(&s->records);
    buf_clear(&s->base);
}

int source_fd(const struct source *s)
{
    return s->is_joined ? s->link->fd : -1;
}

static int down(struct source *s, const char *why)
{
    source_leave(s);
    (void)snprintf(s->why, sizeof s->why, "%s", why);
    return SOURCE_DOWN;
}

static int other(struct source *s, const char *why)
{
    (void)down(s, why);
    return SOURCE_OTHER;
}

/* ---- the connection -------------------------------------------------------------------------------------- */

/* Decodes what the connection has brought. */
static int decode(struct source *s)
{
    size_t used = 0;
    struct buf *in = &s->link->in;
    int r = http1_read_chunks(&s->chunks, buf_view(in), &s->lines, &used);
    buf_consume(in, used);
    if (r == HTTP1_LARGE || r == HTTP1_BAD)
        return down(s, "the daemon's stream is not what it should be");
    TRY(r);
    return 0;
}

int source_join(struct source *s, const struct source_place *from)
{
    char target[64];
    int n = snprintf(target, sizeof target, "/v1/audit/follow?from=%llu", (unsigned long long)from->next);
    source_leave(s);
    struct secreg_ask ask = {.method = "GET", .target = bytes_of(target, (size_t)n), .is_read = true};
    enum secreg_result result = secreg_stream(s->link, &ask);
    if (result != SECREG_OK) {
        bool is_gone = strcmp(secreg_error_code(s->link), "gone") == 0;
        (void)snprintf(s->why, sizeof s->why, "%s", secreg_error_text(s->link));
        return is_gone ? SOURCE_OTHER : SOURCE_DOWN;
    }
    s->chunks = (struct http1_chunks){0};
    s->place = *from;
    s->end = UINT64_MAX; /* the first line says */
    s->is_loose = false;
    s->is_joined = true;
    s->why[0] = '\0';
    return decode(s); /* what came with the head */
}

int source_receive(struct source *s)
{
    uint8_t *p;
    struct buf *in = &s->link->in;
    TRY(buf_reserve(in, RECEIVE_BYTES, &p));
    ssize_t n = recv(s->link->fd, p, RECEIVE_BYTES, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0)
        return down(s, "the daemon closed the connection");
    buf_commit(in, (size_t)n);
    return decode(s);
}

/* ---- lines ----------------------------------------------------------------------------------------------- */

static bool number(struct bytes line, const char *name, uint64_t *ret)
{
    struct bytes text;
    return secreg_member(line, name, &text) && num_parse_u64(text, INT64_MAX, ret);
}

/* One line: its records, the end, or how far it is. */
static int read_line(struct source *s, struct bytes line)
{
    struct bytes text;
    uint64_t next, first;
    if (!number(line, "next", &next))
        return down(s, "the daemon sent a line that is malformed");
    if (secreg_member(line, "ended", &text)) {
        char why[SOURCE_WHY_BYTES];
        (void)snprintf(why, sizeof why, "the daemon ended the stream: %.*s", (int)MIN_OF(text.n, (size_t)64),
                       (const char *)text.p);
        return down(s, why);
    }
    if (!secreg_member(line, "records", &text))
        return number(line, "end", &s->end) ? 0 : down(s, "the daemon sent a line that is malformed");
    if (text.n < 2 || !number(line, "first", &first) || first < s->place.next || next <= first)
        return down(s, "the daemon sent records that were not asked for");
    buf_clear(&s->base);
    struct bytes base;
    bool has_base = secreg_member(line, "base", &base);
    if (has_base && (base.n < 2 || code_unbase64(&s->base, bytes_of(base.p + 1, base.n - 2)) != 0))
        return down(s, "the daemon sent records that are malformed");
    s->is_loose = s->is_loose || first > s->place.next;
    s->gaps += first - s->place.next;
    s->place.next = first;
    int r = code_unbase64(&s->records, bytes_of(text.p + 1, text.n - 2));
    if (r == CODE_BAD || r == FAULT_LIMIT)
        return down(s, "the daemon sent records that are malformed");
    return r;
}

/* Returns 0 when there are records, SOURCE_EMPTY, SOURCE_DOWN, or a fault. */
static int want_records(struct source *s)
{
    while (buf_size(&s->records) == 0) {
        struct bytes all = buf_view(&s->lines);
        size_t n = bytes_find(all, '\n');
        if (n == all.n)
            return s->is_joined ? SOURCE_EMPTY : SOURCE_DOWN;
        int r = read_line(s, bytes_head(all, n));
        if (r != 0)
            return r;
        buf_consume(&s->lines, n + 1);
    }
    return 0;
}

/* Cuts the first record off. */
static bool cut(struct buf *records, struct bytes *ret_record)
{
    struct bytes all = buf_view(records);
    if (all.n < 4)
        return false;
    size_t n = bytes_get_u32(all.p);
    if (n > all.n - 4)
        return false;
    *ret_record = bytes_of(all.p + 4, n);
    buf_consume(records, 4 + n); /* the bytes stay until something is added */
    return true;
}

int source_next(struct source *s, struct bytes *ret_record, struct record *ret_decoded)
{
    uint8_t leaf[DIGEST_BYTES];
    int r = want_records(s);
    if (r != 0)
        return r;
    if (!cut(&s->records, ret_record) || !record_decode(*ret_record, ret_decoded) || ret_decoded->seq != s->place.next)
        return down(s, "the daemon sent a record that is malformed");
    if (!s->is_loose && memcmp(ret_decoded->prev.h, s->place.last, DIGEST_BYTES) != 0)
        return other(s, "a record does not follow the one that is known: the trail was replaced");
    TRY(merkle_leaf(*ret_record, leaf));
    memcpy(s->place.last, leaf, DIGEST_BYTES);
    s->place.next++;
    s->is_loose = false;
    return 0;
}
