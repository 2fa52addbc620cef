/*
 * engine-conn - accepting connections, naming their peers, charging them to users, handing them to fronts; see
 * engine.h.
 *
 * A connection waits here until the parent has told the name of its user (once a user), because owning a subtree is
 * part of who the caller is. A connection over a limit is told so and closed at once, so that the queue of the
 * listening socket never fills up with a flooder's connections.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "engine/engine.h"
#include "model/options.h"
#include "os/file.h"
#include "os/sock.h"

enum { ACCEPTS_PER_TURN_COUNT = 64, CONN_MASK = PROTO_CONNS_MAX_COUNT - 1 };
#define ACCEPT_PAUSE_US (100 * US_PER_MS)

struct engine_conn *engine_conn_find(const struct engine *e, uint32_t number)
{
    struct engine_conn *c = e->conns[number & CONN_MASK];
    return c != NULL && c->number == number ? c : NULL;
}

static struct engine_user *find_user(struct engine *e, uid_t uid)
{
    struct engine_user *unused = NULL;
    for (size_t i = 0; i < ENGINE_USERS_MAX_COUNT; i++) {
        struct engine_user *u = &e->users[i];
        if (u->share != 0 && u->uid == uid)
            return u;
        if (unused == NULL && u->conns == 0)
            unused = u;
    }
    if (unused != NULL)
        *unused = (struct engine_user){.uid = uid, .share = (uint32_t)(unused - e->users) + 1};
    return unused;
}

static void drop_conn(struct engine *e, struct engine_conn *c)
{
    size_t at = c->number & CONN_MASK;
    assert(e->conns[at] == c && c->user->conns > 0 && e->conns_count > 0);
    e->conns[at] = NULL;
    c->user->conns--;
    if (c->user->conns == 0) /* /etc/passwd may say something else by the time it comes back */
        c->user->is_known = c->user->is_asked = false;
    e->conns_count--;
    if (c->is_handed)
        e->fronts[c->front].conns--;
    file_drop_fd(&c->fd);
    free(c);
}

void engine_conn_closed(struct engine *e, struct engine_conn *c)
{
    logins_conn_closed(e, c);
    watches_conn_closed(e, c);
    follows_conn_closed(e, c);
    drop_conn(e, c);
}

void engine_conns_fini(struct engine *e)
{
    for (size_t i = 0; i < PROTO_CONNS_MAX_COUNT; i++) {
        if (e->conns[i] != NULL)
            drop_conn(e, e->conns[i]);
    }
}

/* Gives the descriptor to the front with the fewest connections. */
static void hand_over(struct engine *e, struct engine_conn *c)
{
    unsigned best = 0;
    for (unsigned i = 1; i < e->fronts_count; i++) {
        if (e->fronts[i].conns < e->fronts[best].conns)
            best = i;
    }
    struct engine_front *f = &e->fronts[best];
    struct msg_conn m = {.conn = c->number, .share = c->user->share};
    int r = chan_put_fd(&f->chan, c->fd);
    if (r == 0) {
        c->fd = -1;
        c->front = best;
        c->is_handed = true;
        f->conns++;
        r = msg_conn_put(&f->chan.out, PROTO_CONN_OPEN, &m);
        if (r < 0) /* the descriptor would travel with the bytes of another message: nothing is right any more */
            proc_child_fail(e->child, r, "cannot hand over a connection");
        return;
    }
    LOG_WARNING("cannot hand over a connection: %s", fault_text(r));
    drop_conn(e, c);
}

void engine_on_user(struct engine *e, uid_t uid, struct bytes name)
{
    struct engine_user *u = find_user(e, uid);
    if (u == NULL || u->conns == 0)
        return; /* all its connections are gone */
    int n = snprintf(u->name, sizeof u->name, "%.*s", BYTES_PRINT(name));
    if (name.n == 0 || n < 0 || (size_t)n >= sizeof u->name)
        snprintf(u->name, sizeof u->name, "%u", (unsigned)uid);
    u->is_known = true;
    for (size_t i = 0; i < PROTO_CONNS_MAX_COUNT; i++) {
        if (e->conns[i] != NULL && e->conns[i]->user == u && !e->conns[i]->is_handed)
            hand_over(e, e->conns[i]);
    }
}

/* Answers without a front: the connection has no share left to be parsed with. */
static void turn_away(int fd)
{
#define TURNED_AWAY_                                                                                                   \
    "{\"success\":false,\"request_id\":null,\"timestamp\":null,\"data\":null,\"error\":{\"code\":\"limit\","           \
    "\"message\":\"too many connections\"}}\n"
    static const char reply[] =
        "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nContent-Length: 123\r\n"
        "Connection: close\r\n\r\n" TURNED_AWAY_;
    static_assert(sizeof TURNED_AWAY_ - 1 == 123, "Content-Length is the size of the body");
#undef TURNED_AWAY_
    ssize_t n = send(fd, reply, sizeof reply - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)n; /* best effort: the connection ends either way */
    close(fd);
}

static struct engine_conn *new_conn(struct engine *e, int fd, struct engine_user *user, const struct peer *peer)
{
    struct engine_conn *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    while (e->conns[e->free_hint & CONN_MASK] != NULL)
        e->free_hint++;
    size_t at = e->free_hint++ & CONN_MASK;
    uint32_t generation = ++e->generations[at] & (UINT32_MAX >> PROTO_CONN_BITS);
    if (generation == 0)
        generation = e->generations[at] = 1;
    c->number = generation << PROTO_CONN_BITS | (uint32_t)at;
    c->fd = fd;
    c->user = user;
    c->peer = *peer;
    e->conns[at] = c;
    e->conns_count++;
    user->conns++;
    return c;
}

static void admit(struct engine *e, int fd)
{
    const int64_t *conf = e->child->conf.v;
    struct peer peer;
    if (e->conns_count >= (size_t)conf[OPTION_CONNS] || e->is_stopping) {
        turn_away(fd);
        return;
    }
    int r = peer_read(fd, &peer);
    /* a fact that cannot be shown cannot be named by a rule either */
    if (r == 0 && !text_is_printable(bytes_of_text(peer.unit))) {
        peer.unit[0] = '\0';
        peer.is_unit_known = false;
    }
    if (r == 0 && !text_is_printable(bytes_of_text(peer.label))) {
        peer.label[0] = '\0';
        peer.is_label_known = false;
    }
    if (r == 0 && !peer.is_anonymous)
        e->registry->is_unit_untold = !peer.has_pidfd;
    struct engine_user *user = r == 0 ? find_user(e, peer.uid) : NULL;
    if (user == NULL || user->conns >= (size_t)conf[OPTION_CONNS_PER_UID]) {
        if (r < 0)
            LOG_WARNING("a peer cannot be identified: %s", fault_text(r));
        turn_away(fd);
        return;
    }
    struct engine_conn *c = new_conn(e, fd, user, &peer);
    if (c == NULL) {
        turn_away(fd);
        return;
    }
    if (user->is_known) {
        hand_over(e, c);
    } else if (!user->is_asked) {
        user->is_asked = true;
        r = proc_child_ask(e->child, PROC_ASK_USER, peer.uid);
        if (r < 0)
            proc_child_fail(e->child, r, "cannot ask for the name of a user");
    }
}

void engine_on_accept(struct loop_source *source, unsigned events)
{
    struct engine *e = CONTAINER_OF(source, struct engine, listener);
    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN_COUNT; i++) {
        int fd;
        int r = sock_accept(source->fd, &fd);
        if (r == SOCK_WOULD_BLOCK)
            return;
        if (r != 0) {
            /* out of descriptors or memory: the queue waits a moment, instead of the loop spinning on it */
            LOG_WARNING("cannot accept: %s", r == SOCK_EXHAUSTED ? "out of descriptors or memory" : fault_text(r));
            if (loop_modify(source, 0) < 0 ||
                loop_timer_set(source->loop, &e->retry_timer, clock_mono_add(loop_now(source->loop), ACCEPT_PAUSE_US)) <
                    0)
                proc_child_fail(e->child, RAISE(-ENOMEM), "cannot pause accepting");
            return;
        }
        admit(e, fd);
    }
}
