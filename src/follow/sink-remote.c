/*
 * sink-remote - checkpoints to a witness on another host, over HTTPS, for it to sign; see sink.h.
 *
 * The records only say when there is a new checkpoint. What is sent is the daemon's proof that its trail grew from the
 * newest one that the witness has signed to its head of now; the witness checks it, and answers with its signature over
 * that head, which is checked here with its key, and kept. A witness that signs no other head of this trail, or knows a
 * longer one than there is, shows that this one is an older copy, or was written anew. Source: C2SP tlog-witness.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "follow/peer.h"
#include "follow/remote.h"
#include "follow/sink.h"
#include "lib/secreg-internal.h"
#include "os/file.h"
#include "trail/cosign.h"
#include "trail/proof.h"

#define CHECKPOINT_NAME "remote.checkpoint"
#define ANSWER_LIMIT_US (30 * US_PER_S)
enum {
    DAEMON_LIMIT_MS = 1000,
    NOTE_MAX_BYTES = CHECKPOINT_NOTE_MAX_BYTES + REMOTE_BODY_MAX_BYTES,
    OTHERS_MAX_COUNT = 2, /* answers with another size, one after the other */
    HTTPS_PORT = 443,
};

struct remote {
    struct sink sink; /* out: the request */
    int folder;
    struct checkpoint_key trail_key, key;
    char host[300], path[256];
    int64_t pause_us;
    struct peer peer;
    struct secreg *link; /* to the daemon, for proofs */
    uint64_t known;      /* size of the newest head that the witness has signed, as far as is known */
    uint64_t wanted;     /* number of the newest record that holds a checkpoint; 0: none that is not sent */
    struct buf note;     /* that a signature is awaited for */
    uint64_t note_size;
    unsigned others_count;
    bool is_asking;
    struct mono_time limit, next; /* until when it is to answer; when another one may be sent */
};

/* ---- before it is confined ------------------------------------------------------------------------------- */

static int bad(char *ret_why, const char *why)
{
    (void)snprintf(ret_why, SOURCE_WHY_BYTES, "%s", why);
    return SINK_BAD;
}

static int read_settings(struct remote *m, const struct sink_setup *setup, char *ret_why)
{
    const int64_t *v = setup->conf->v;
    const char *server = conf_text(&follow_options, setup->conf, FOLLOW_REMOTE_SERVER);
    const char *name = conf_text(&follow_options, setup->conf, FOLLOW_REMOTE_NAME);
    const char *path = conf_text(&follow_options, setup->conf, FOLLOW_REMOTE_PATH);
    const char *key = conf_text(&follow_options, setup->conf, FOLLOW_REMOTE_KEY);
    if (*server == '\0')
        return bad(ret_why, "remote.server is not set in /etc/secreg/follow.yaml");
    if (!cosign_key_read(bytes_of_text(key), &m->key))
        return bad(ret_why, "remote.key in /etc/secreg/follow.yaml is no key of a witness");
    if (*path != '\0' && (*path != '/' || path[strlen(path) - 1] == '/'))
        return bad(ret_why, "remote.path in /etc/secreg/follow.yaml begins with a slash and ends without one");
    const char *host = *name != '\0' ? name : server;
    bool is_v6 = strchr(host, ':') != NULL;
    unsigned port = (unsigned)v[FOLLOW_REMOTE_PORT];
    int n = snprintf(m->host, sizeof m->host, is_v6 ? "[%s]" : "%s", host);
    if (port != HTTPS_PORT)
        (void)snprintf(m->host + n, sizeof m->host - (size_t)n, ":%u", port);
    (void)snprintf(m->path, sizeof m->path, "%s", path);
    m->pause_us = v[FOLLOW_REMOTE_PAUSE_MS] * US_PER_MS;
    struct peer_setup peer = {.root = setup->root,
                              .files = "/etc/secreg/follow/remote-",
                              .server = server,
                              .port = port,
                              .has_tls = true,
                              .name = name};
    int r = peer_make(&m->peer, &peer);
    return r == PEER_BAD ? bad(ret_why, m->peer.why) : r;
}

static int remote_make(const struct sink_setup *setup, struct sink **ret_sink, char *ret_why)
{
    char socket[SINK_PATH_MAX_BYTES];
    struct remote *m = calloc(1, sizeof *m);
    if (m == NULL)
        return RAISE(-ENOMEM);
    m->folder = -1;
    m->sink = (struct sink){.kind = &sink_remote, .fd = -1};
    buf_init(&m->sink.out, PROOF_MAX_BYTES + 4096);
    buf_init(&m->note, NOTE_MAX_BYTES);
    *ret_sink = &m->sink;
    int n = snprintf(socket, sizeof socket, "%s/run/secreg/socket", setup->root);
    if (n < 0 || (size_t)n >= sizeof socket)
        return RAISE(FAULT_LIMIT);
    int r = sink_trail_key(setup, &m->trail_key, ret_why);
    if (r == 0)
        r = read_settings(m, setup, ret_why);
    if (r == 0)
        r = sink_folder(setup, &sink_remote, &m->folder, ret_why);
    if (r == 0 && secreg_new(socket, &m->link) != SECREG_OK)
        r = RAISE(-ENOMEM);
    if (r == 0)
        secreg_set_timeout(m->link, DAEMON_LIMIT_MS);
    return r;
}

/* ---- what is remembered ---------------------------------------------------------------------------------- */

/* The newest note that came back; if it is not there, or damaged, the witness says what it has. */
static int load(struct remote *m)
{
    struct buf text;
    struct checkpoint c;
    uint64_t time_s;
    SCOPED(file_drop_fd) int fd = -1;
    m->known = 0;
    int r = file_open(m->folder, CHECKPOINT_NAME, O_RDONLY, 0, &fd);
    if (r != 0)
        return r == FILE_ABSENT ? 0 : r;
    buf_init(&text, NOTE_MAX_BYTES);
    r = file_read_all(fd, &text);
    if (r == 0 && checkpoint_read(buf_view(&text), &m->trail_key, &c) == 0 &&
        cosign_read(buf_view(&text), &m->key, &time_s) == 0)
        m->known = c.size;
    buf_fini(&text);
    return r < 0 && r != FAULT_LIMIT ? r : 0;
}

static int remote_open(struct sink *s, struct cursor *cursor)
{
    struct remote *m = CONTAINER_OF(s, struct remote, sink);
    TRY(load(m));
    s->size = m->known;
    s->is_well = true;
    s->wake.us = INT64_MAX;
    m->others_count = 0;
    (void)cursor;
    return 0;
}

static void end_asking(struct remote *m)
{
    peer_close(&m->peer);
    buf_clear(&m->sink.out);
    m->sink.fd = -1;
    m->is_asking = false;
}

static void remote_close(struct sink *s)
{
    struct remote *m = CONTAINER_OF(s, struct remote, sink);
    end_asking(m);
    secreg_leave(m->link);
    m->wanted = 0;
}

static int remote_put(struct sink *s, const struct format_item *item)
{
    struct remote *m = CONTAINER_OF(s, struct remote, sink);
    if (item->record->kind == RECORD_CHECKPOINT && item->record->outcome == 0)
        m->wanted = item->record->seq;
    return 0;
}

/* ---- asking ---------------------------------------------------------------------------------------------- */

static int daemon_down(struct remote *m, const struct secreg_answer *answer)
{
    if (answer != NULL)
        (void)!secreg_refused(m->link, answer); /* what it notes is what counts */
    return sink_down(&m->sink, "the registry gives no proof: %.150s", secreg_error_text(m->link));
}

/* The answer's member as text. Returns 0, SINK_DOWN, or a fault. */
static int take_member(struct remote *m, struct bytes body, const char *name, struct buf *out)
{
    struct bytes data, quoted;
    if (secreg_member(body, "data", &data) && secreg_member(data, name, &quoted) && quoted.n > 2 &&
        quoted.p[0] == '"') {
        int r = secreg_unquote(out, quoted);
        return r == SECREG_UNQUOTE_BAD ? sink_down(&m->sink, "the registry's proof is malformed") : r;
    }
    return sink_down(&m->sink, "the registry signs nothing now: it is locked");
}

/* What the witness is sent: "old N", hashes, a blank line, a signed checkpoint. */
static int fetch(struct remote *m, struct buf *out)
{
    char target[64];
    struct secreg_answer answer;
    if (m->known == 0) {
        TRY(buf_append_text(out, "old 0\n\n"));
        (void)snprintf(target, sizeof target, "/v1/checkpoint");
    } else {
        (void)snprintf(target, sizeof target, "/v1/audit/proof?from=%llu", (unsigned long long)m->known);
    }
    struct secreg_ask ask = {.method = "GET", .target = bytes_of_text(target), .is_read = true};
    if (secreg_request(m->link, &ask, &answer) != SECREG_OK)
        return daemon_down(m, NULL);
    if (answer.head.status == 404)
        return sink_down(&m->sink,
                         "the witness has signed a head of %llu records, and the trail has fewer: it is an older copy",
                         (unsigned long long)m->known);
    if (answer.head.status == 410)
        return sink_down(&m->sink,
                         "records behind the %llu that the witness has signed were removed: it cannot see that the "
                         "trail grew, and has to begin with it anew",
                         (unsigned long long)m->known);
    if (answer.head.status != 200)
        return daemon_down(m, &answer);
    return take_member(m, answer.body, m->known == 0 ? "note" : "proof", out);
}

static int begin(struct remote *m, struct mono_time now)
{
    struct checkpoint c;
    struct buf body;
    buf_init(&body, PROOF_MAX_BYTES);
    buf_clear(&m->note);
    int r = fetch(m, &body);
    struct bytes all = buf_view(&body);
    const uint8_t *blank = r == 0 ? memmem(all.p, all.n, "\n\n", 2) : NULL;
    if (blank != NULL)
        r = buf_append(&m->note, bytes_from(all, (size_t)(blank - all.p) + 2));
    if (r == 0 && checkpoint_read(buf_view(&m->note), &m->trail_key, &c) != 0)
        r = sink_down(&m->sink, "the registry's checkpoint is not signed by the key of the trail");
    if (r == 0)
        r = remote_request(&m->sink.out, m->host, m->path, all);
    buf_fini(&body);
    if (r != 0)
        return r;
    m->note_size = c.size;
    m->is_asking = true;
    m->limit = clock_mono_add(now, ANSWER_LIMIT_US);
    r = peer_open(&m->peer);
    return r == PEER_DOWN ? sink_down(&m->sink, "%s", m->peer.why) : r;
}

/* Its signature, over the note that it was sent. */
static int take_signature(struct remote *m, struct bytes lines, struct mono_time now)
{
    uint64_t time_s = 0;
    TRY(buf_append(&m->note, lines));
    int r = cosign_read(buf_view(&m->note), &m->key, &time_s);
    if (r > 0)
        return sink_down(&m->sink, "the witness did not sign with the key in remote.key");
    if (r == 0)
        r = file_replace(m->folder, CHECKPOINT_NAME, buf_view(&m->note), 0640);
    if (r < 0)
        return r;
    m->known = m->sink.size = m->note_size;
    m->sink.anchored_us = (int64_t)time_s * US_PER_S;
    m->others_count = 0;
    m->next = clock_mono_add(now, m->pause_us);
    if (m->wanted <= m->known)
        m->wanted = 0;
    return 0;
}

/* It has signed another one than was thought: an answer was lost, or somebody else asks for this trail too. */
static int take_other(struct remote *m, uint64_t size)
{
    if (size > m->note_size)
        return sink_down(&m->sink,
                         "the witness has signed a head of %llu records, and the trail has fewer: it is an older copy",
                         (unsigned long long)size);
    if (++m->others_count > OTHERS_MAX_COUNT)
        return sink_down(&m->sink, "the witness says again and again that it has another head");
    m->known = size;
    return 0;
}

static const char *meaning_of(unsigned status)
{
    return status == 422   ? ": the trail did not grow from what it has signed"
           : status == 404 ? ": it does not know this trail"
           : status == 403 ? ": it does not know the key of this trail"
                           : "";
}

static int take_reply(struct remote *m, struct mono_time now, bool is_ended)
{
    struct remote_reply reply = {0};
    buf_init(&reply.body, REMOTE_BODY_MAX_BYTES);
    int r = remote_read(buf_view(&m->peer.plain), &reply);
    int result = r;
    if (r == REMOTE_MORE)
        r = is_ended ? sink_down(&m->sink, "%s", m->peer.why) : 0;
    else if (r >= 0)
        end_asking(m);
    if (result == REMOTE_SIGNED)
        r = take_signature(m, buf_view(&reply.body), now);
    else if (result == REMOTE_OTHER)
        r = take_other(m, reply.size);
    else if (result == REMOTE_REFUSED)
        r = sink_down(&m->sink, "the witness answers %u%s", reply.status, meaning_of(reply.status));
    else if (result == REMOTE_BAD)
        r = sink_down(&m->sink, "the witness does not answer as one does");
    buf_fini(&reply.body);
    return r;
}

static int go_on(struct remote *m, struct mono_time now)
{
    int r = peer_step(&m->peer, &m->sink.out, now);
    if (r < 0)
        return r;
    if (r == 0 && clock_mono_passed(now, m->limit))
        return sink_down(&m->sink, "the witness does not answer");
    return take_reply(m, now, r == PEER_DOWN);
}

static int remote_flush(struct sink *s, struct mono_time now)
{
    struct remote *m = CONTAINER_OF(s, struct remote, sink);
    int r = 0;
    if (!m->is_asking && m->wanted > 0 && clock_mono_passed(now, m->next))
        r = begin(m, now);
    if (r == 0 && m->is_asking)
        r = go_on(m, now);
    if (r != 0)
        return r;
    if (m->wanted == 0)
        s->kept = s->given;
    s->fd = m->is_asking ? m->peer.fd : -1;
    s->events = peer_events(&m->peer);
    s->wake = m->is_asking && m->peer.state != PEER_OPEN ? m->peer.limit
              : m->is_asking                             ? m->limit
              : m->wanted > 0                            ? m->next
                                                         : (struct mono_time){INT64_MAX};
    return 0;
}

static void remote_free(struct sink *s)
{
    struct remote *m = CONTAINER_OF(s, struct remote, sink);
    peer_fini(&m->peer);
    secreg_close(m->link);
    file_drop_fd(&m->folder);
    buf_fini(&m->note);
    buf_fini(&s->out);
    free(m);
}

const struct sink_kind sink_remote = {.name = "remote",
                                      .profile = "secreg-follow-remote",
                                      .user = SINK_USER,
                                      .cursors = SINK_CURSORS_FOLDER,
                                      .folder = SINK_CURSORS_FOLDER,
                                      .folder_mode = 0750,
                                      .is_faithful = true,
                                      .port_option = FOLLOW_REMOTE_PORT,
                                      .make = remote_make,
                                      .open = remote_open,
                                      .put = remote_put,
                                      .flush = remote_flush,
                                      .close = remote_close,
                                      .free = remote_free};
