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
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "follow/peer.h"
#include "follow/sink.h"

enum { MARKS_MAX_COUNT = 512 };
#define MARK_PAUSE_US (50 * US_PER_MS)
#define LOOK_PAUSE_US (200 * US_PER_MS)

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
    int64_t settle_us;
    struct peer peer;
    struct mark marks[MARKS_MAX_COUNT]; /* a ring */
    size_t first, count;
};

/* ---- before it is confined ------------------------------------------------------------------------------- */

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
    *ret_sink = &s->sink;
    s->facility = facilities[v[FOLLOW_SYSLOG_FACILITY]];
    s->settle_us = v[FOLLOW_SYSLOG_SETTLE_MS] * US_PER_MS;
    s->sink.give_up_us = v[FOLLOW_SYSLOG_GIVE_UP_MS] * US_PER_MS;
    read_host(s->host);
    if (*server == '\0') {
        (void)snprintf(ret_why, SOURCE_WHY_BYTES, "syslog.server is not set in /etc/secreg/follow.yaml");
        return SINK_BAD;
    }
    struct peer_setup peer = {.root = setup->root,
                              .files = "/etc/secreg/follow/",
                              .server = server,
                              .port = (unsigned)v[FOLLOW_SYSLOG_PORT],
                              .has_tls = v[FOLLOW_SYSLOG_TLS] != 0,
                              .name = name};
    int r = peer_make(&s->peer, &peer);
    if (r == PEER_BAD)
        memcpy(ret_why, s->peer.why, SOURCE_WHY_BYTES);
    return r == PEER_BAD ? (int)SINK_BAD : r;
}

/* ---- the connection -------------------------------------------------------------------------------------- */

static void syslog_close(struct sink *sink)
{
    struct syslog *s = CONTAINER_OF(sink, struct syslog, sink);
    peer_close(&s->peer);
    sink->fd = -1;
    buf_clear(&sink->out);
    s->first = s->count = 0;
}

static int down(struct syslog *s)
{
    return sink_down(&s->sink, "%s", s->peer.why);
}

static int syslog_open(struct sink *sink, struct cursor *cursor)
{
    struct syslog *s = CONTAINER_OF(sink, struct syslog, sink);
    (void)cursor;
    int r = peer_open(&s->peer);
    sink->fd = s->peer.fd;
    sink->events = peer_events(&s->peer);
    sink->wake = s->peer.limit;
    return r == PEER_DOWN ? down(s) : r;
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
        (struct mark){.place = s->sink.given, .bytes = s->peer.sent_bytes + buf_size(&s->peer.wire), .at = now};
}

/* How far the server's kernel is, and for how long. */
static int look_at_marks(struct syslog *s, struct mono_time now)
{
    int unsent = 0;
    if (ioctl(s->peer.fd, SIOCOUTQ, &unsent) < 0)
        return RAISE(-errno);
    uint64_t taken = s->peer.sent_bytes - (uint64_t)unsent;
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
    int r = peer_step(&s->peer, &s->sink.out, now);
    buf_clear(&s->peer.plain); /* a server has nothing to say */
    if (r == PEER_DOWN)
        return down(s);
    if (r == 0 && s->peer.state == PEER_OPEN) {
        add_mark(s, now);
        r = look_at_marks(s, now);
    }
    return r;
}

static int syslog_flush(struct sink *sink, struct mono_time now)
{
    struct syslog *s = CONTAINER_OF(sink, struct syslog, sink);
    int r = go_on(s, now);
    bool is_open = r == 0 && s->peer.state == PEER_OPEN;
    sink->is_well = is_open;
    bool waits = is_open && (s->count > 0 || sink->kept.next < sink->given.next);
    sink->events = peer_events(&s->peer);
    sink->wake = !is_open ? s->peer.limit : waits ? clock_mono_add(now, LOOK_PAUSE_US) : (struct mono_time){INT64_MAX};
    return r;
}

static void syslog_free(struct sink *sink)
{
    struct syslog *s = CONTAINER_OF(sink, struct syslog, sink);
    peer_fini(&s->peer);
    buf_fini(&sink->out);
    free(s);
}

const struct sink_kind sink_syslog = {.name = "syslog",
                                      .profile = "secreg-follow-syslog",
                                      .user = SINK_USER,
                                      .cursors = SINK_CURSORS_FOLDER,
                                      .port_option = FOLLOW_SYSLOG_PORT,
                                      .make = syslog_make,
                                      .open = syslog_open,
                                      .put = syslog_put,
                                      .flush = syslog_flush,
                                      .close = syslog_close,
                                      .free = syslog_free};
