/*
 * sink-journal - records as datagrams to journald, in its native protocol; see sink.h.
 *
 * A datagram that the kernel has taken waits in the socket, which is the service manager's: it survives a restart of
 * journald. So it counts as kept. Source: systemd, Native Journal Protocol.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "follow/sink.h"
#include "os/file.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

struct journal {
    struct sink sink; /* out: datagrams, each with its length before it */
    struct sockaddr_un address;
};

static int journal_make(const struct sink_setup *setup, struct sink **ret_sink, char *ret_why)
{
    struct journal *j = calloc(1, sizeof *j);
    if (j == NULL)
        return RAISE(-ENOMEM);
    j->sink = (struct sink){.kind = &sink_journal, .fd = -1};
    buf_init(&j->sink.out, 4 * SINK_BUSY_BYTES);
    *ret_sink = &j->sink;
    j->address.sun_family = AF_UNIX;
    int n = snprintf(j->address.sun_path, sizeof j->address.sun_path, "%s" JOURNAL_SOCKET, setup->root);
    if (n < 0 || (size_t)n >= sizeof j->address.sun_path) {
        (void)snprintf(ret_why, SOURCE_WHY_BYTES, "the path of journald's socket is too long");
        return SINK_BAD;
    }
    return 0;
}

static void journal_close(struct sink *s)
{
    file_drop_fd(&s->fd);
    s->fd = -1;
    buf_clear(&s->out);
}

static int journal_open(struct sink *s, struct cursor *cursor)
{
    struct journal *j = CONTAINER_OF(s, struct journal, sink);
    (void)cursor;
    s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0)
        return RAISE(-errno);
    if (connect(s->fd, (const struct sockaddr *)&j->address, sizeof j->address) < 0)
        return sink_down(s, "cannot reach journald at %s: %s", j->address.sun_path, strerrordesc_np(errno));
    s->events = 0;
    s->is_well = true;
    s->wake.us = INT64_MAX;
    return 0;
}

static int journal_put(struct sink *s, const struct format_item *item)
{
    uint8_t *head;
    size_t before = buf_size(&s->out);
    TRY(buf_reserve(&s->out, 4, &head));
    buf_commit(&s->out, 4);
    int r = format_journal(&s->out, item);
    if (r < 0) {
        buf_truncate(&s->out, before);
        return r;
    }
    bytes_put_u32(s->out.p + s->out.start + before, (uint32_t)(buf_size(&s->out) - before - 4));
    return 0;
}

static int journal_flush(struct sink *s, struct mono_time now)
{
    (void)now;
    s->events = 0;
    while (buf_size(&s->out) > 0) {
        struct bytes all = buf_view(&s->out);
        size_t n = bytes_get_u32(all.p);
        if (send(s->fd, all.p + 4, n, MSG_NOSIGNAL) < 0) {
            if (errno == EINTR)
                continue;
            if (errno != EAGAIN)
                return sink_down(s, "journald does not take a record: %s", strerrordesc_np(errno));
            s->events = POLLOUT;
            return 0;
        }
        buf_consume(&s->out, 4 + n);
    }
    s->kept = s->given;
    return 0;
}

static void journal_free(struct sink *s)
{
    struct journal *j = CONTAINER_OF(s, struct journal, sink);
    journal_close(s);
    buf_fini(&s->out);
    free(j);
}

const struct sink_kind sink_journal = {.name = "journal",
                                       .profile = "secreg-follow-journal",
                                       .user = SINK_USER,
                                       .cursors = SINK_CURSORS_FOLDER,
                                       .make = journal_make,
                                       .open = journal_open,
                                       .put = journal_put,
                                       .flush = journal_flush,
                                       .close = journal_close,
                                       .free = journal_free};
