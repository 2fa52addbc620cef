/*
 * op-login - logging in; see engine.h and logins.h.
 *
 * A login is a step up, not a way in: only the peer's own user can be logged in. It lives on one connection and ends
 * with it. Its record is written when it ends, with the outcome; what the client is asked on the way is not an act.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/code.h"
#include "base/log.h"
#include "engine/auth-conv.h"
#include "engine/engine.h"
#include "engine/logins.h"
#include "model/options.h"
#include "model/roles.h"
#include "os/file.h"

enum { LOGIN_ID_BYTES = 16, MAKE_TRIES_COUNT = 4 };

struct login {
    struct auth_conv conv;
    struct logins *logins;
    struct list link;
    uint32_t conn;
    char id[2 * LOGIN_ID_BYTES + 1];
    bool is_asked; /* a request waits */
    struct engine_asked asked;
};

static struct lockout_limits lockout_limits(const struct engine *e)
{
    const int64_t *v = e->child->conf.v;
    return (struct lockout_limits){.failures_count = (unsigned)v[OPTION_LOGIN_FAILURES],
                                   .window_us = v[OPTION_LOGIN_WINDOW_MS] * US_PER_MS,
                                   .lockout_us = v[OPTION_LOGIN_LOCKOUT_MS] * US_PER_MS};
}

/* ---- ending a login -------------------------------------------------------------------------------------- */

static struct login *find_login(const struct logins *l, uint32_t conn)
{
    LIST_EACH(it, &l->under_way) {
        struct login *login = CONTAINER_OF(it, struct login, link);
        if (login->conn == conn)
            return login;
    }
    return NULL;
}

static void drop(struct login *login, enum lockout_end how)
{
    struct logins *l = login->logins;
    struct lockout_limits limits = lockout_limits(l->engine);
    lockout_end(&l->lockout, &limits, login->conv.uid, false, how, loop_now(l->engine->child->loop));
    list_unlink(&login->link);
    auth_conv_fini(&login->conv);
    free(login);
}

/* A record of a login's end, from outside a request. Returns 0 or a fault. */
/* How a login ended. */
struct ending {
    unsigned outcome;
    uint64_t session; /* 0: none */
    const char *detail;
};

static int put_record(struct engine *e, const struct engine_conn *conn, uint64_t request, const struct ending *ending)
{
    const struct peer *p = &conn->peer;
    struct record r = {.wall_us = e->turn_wall.us,
                       .mono_us = loop_now(e->child->loop).us,
                       .kind = RECORD_LOGIN,
                       .outcome = (uint16_t)ending->outcome,
                       .request = request,
                       .uid = p->uid,
                       .gid = p->gid,
                       .pid = (uint32_t)p->pid,
                       .unit = bytes_of_text(p->unit),
                       .session = ending->session,
                       .label = bytes_of_text(p->label),
                       .detail = bytes_of_text(ending->detail)};
    if (e->is_full) {
        e->unrecorded++;
        return 0;
    }
    e->is_turn_durable = true;
    return registry_record(e->registry, &r, false);
}

/*
 * Given up: the client went away, began anew, or was silent. If an answer had been handed over that is a failure,
 * whatever PAM would have said: else a guess could be taken back before its delay is over.
 */
static void give_up(struct login *login, const char *why)
{
    struct engine *e = login->logins->engine;
    const struct engine_conn *conn = engine_conn_find(e, login->conn);
    bool is_tried = login->conv.is_tried;
    int r = 0;
    e->turn_wall = clock_wall_now();
    if (is_tried && conn != NULL && e->registry->failed == 0)
        r = put_record(e, conn, login->asked.request, &(struct ending){OUTCOME_LOGIN_FAILED, 0, why});
    if (r < 0)
        LOG_WARNING("a login that was given up is not recorded: %s", fault_text(r));
    drop(login, is_tried ? LOCKOUT_FAILED : LOCKOUT_UNTRIED);
}

void logins_conn_closed(struct engine *e, const struct engine_conn *conn)
{
    struct login *login = find_login(e->logins, conn->number);
    if (login != NULL)
        give_up(login, "given up by the client");
}

static void on_silence(struct auth_conv *conv)
{
    give_up(CONTAINER_OF(conv, struct login, conv), "the client did not answer in time");
}

void logins_fini(struct engine *e)
{
    struct logins *l = e->logins;
    if (l == NULL)
        return;
    LIST_EACH_SAFE(it, &l->under_way) {
        drop(CONTAINER_OF(it, struct login, link), LOCKOUT_UNTRIED);
    }
    for (size_t i = 0; i < SESSION_KEYS_COUNT; i++)
        digest_mac_free(l->macs[i]);
    secret_wipe(l, sizeof *l);
    free(l);
    e->logins = NULL;
}

/* ---- what the process says ------------------------------------------------------------------------------- */

/* The request that waits becomes one of this turn: if the turn fails, it is told so like all others. */
static void join_turn(struct login *login)
{
    struct engine *e = login->logins->engine;
    assert(login->is_asked);
    if (e->asked_count == ENGINE_TURN_MAX_COUNT)
        engine_turn_end(e);
    e->turn_wall = clock_wall_now();
    e->asked[e->asked_count++] = login->asked;
    login->is_asked = false;
}

/* `doc` is the body of a success; it is wiped. Returns 0 or a fault. */
static int reply(struct login *login, unsigned outcome, struct buf *doc)
{
    struct engine *e = login->logins->engine;
    struct msg_reply m = {.conn = login->conn,
                          .request = login->asked.request,
                          .outcome = (uint16_t)outcome,
                          .shape = outcome == 0 ? PROTO_DOC : PROTO_EMPTY,
                          .revision = e->registry->state.revision,
                          .body = outcome == 0 ? buf_view(doc) : BYTES_NONE};
    return engine_put_reply(e, login->asked.front, &m, false);
}

/* What was prepared for the client is taken back with the turn, and it is told. */
static void fail_turn(struct engine *e, int fault)
{
    int r = registry_turn_fail(e->registry, fault);
    LOG_DEBUG("turn fails: %s", fault_text(r)); /* said once, with its origin, when the turn ends */
}

static int put_texts(struct buf *doc, const char *key, struct bytes texts)
{
    enum auth_style style;
    struct bytes text;
    TRY(doc_key(doc, key));
    TRY(doc_list_begin(doc));
    while (auth_next(&texts, &style, &text)) {
        bool is_asked = style == AUTH_HIDDEN || style == AUTH_SHOWN;
        TRY(doc_map_begin(doc));
        TRY(doc_put_text(doc, is_asked ? "text" : style == AUTH_ERROR ? "error" : "info", text));
        if (is_asked)
            TRY(doc_put_bool(doc, "echo", style == AUTH_SHOWN));
        TRY(doc_map_end(doc));
    }
    return doc_list_end(doc);
}

static int ask_client(struct login *login, struct bytes texts, struct buf *doc)
{
    TRY(doc_map_begin(doc));
    TRY(doc_put_text(doc, "conversation", bytes_of_text(login->id)));
    TRY(put_texts(doc, "prompts", texts));
    TRY(doc_map_end(doc));
    return reply(login, OUTCOME_DONE, doc);
}

static void on_prompts(struct auth_conv *conv, struct bytes texts)
{
    struct login *login = CONTAINER_OF(conv, struct login, conv);
    struct engine *e = login->logins->engine;
    join_turn(login);
    int r = e->registry->failed == 0 ? ask_client(login, texts, &e->doc) : 0;
    buf_clear(&e->doc);
    if (r < 0)
        fail_turn(e, r);
}

static int make_session(struct engine *e, uid_t uid, char ret_token[static SESSION_TOKEN_BYTES],
                        struct session **ret_session)
{
    struct sessions *s;
    struct session_order order = {.uid = uid, .now = loop_now(e->child->loop), .wall = e->turn_wall};
    enum session_key key = registry_is_locked(e->registry) ? SESSION_KEY_PROCESS : SESSION_KEY_REGISTRY;
    TRY(login_sessions(e, &s));
    int r = SESSION_AGAIN;
    for (int i = 0; r == SESSION_AGAIN && i < MAKE_TRIES_COUNT; i++) {
        if (getrandom(order.random, sizeof order.random, 0) != (ssize_t)sizeof order.random)
            r = RAISE(-EIO);
        else
            r = session_make(s, key, &order, ret_token, ret_session);
    }
    secret_wipe(order.random, sizeof order.random);
    return r == SESSION_AGAIN ? RAISE(FAULT_INTERNAL) : r;
}

static int put_done(struct login *login, const struct session *row, const char *token, struct bytes notes)
{
    struct engine *e = login->logins->engine;
    struct buf *doc = &e->doc;
    struct mono_time now = loop_now(e->child->loop);
    const struct sessions *s = &login->logins->sessions;
    TRY(doc_map_begin(doc));
    TRY(doc_put_text(doc, "session", bytes_of_text(token)));
    TRY(doc_put_text(doc, "user", bytes_of_text(login->conv.user)));
    TRY(login_put_time(doc, "expires", e, session_left_us(s, row, now)));
    TRY(login_put_time(doc, "absolute", e, session_left_absolute_us(s, row, now)));
    TRY(put_texts(doc, "notes", notes));
    return doc_map_end(doc);
}

/* The end of a login whose client waits: session, record and reply. Returns 0 or a fault. */
static int conclude(struct login *login, const struct engine_conn *conn, unsigned outcome, struct bytes notes)
{
    struct engine *e = login->logins->engine;
    char token[SESSION_TOKEN_BYTES], id[SESSION_ID_BYTES], detail[64] = "";
    struct session *row;
    struct ending ending = {.detail = detail};
    int r = 0;
    if (outcome == OUTCOME_DONE && e->is_full)
        outcome = OUTCOME_FULL; /* it could not be recorded */
    if (outcome == OUTCOME_DONE) {
        r = make_session(e, login->conv.uid, token, &row);
        if (r == 0) {
            session_id(row, id);
            snprintf(detail, sizeof detail, "session %s", id);
            ending.session = session_number(row);
            r = put_done(login, row, token, notes);
        }
        secret_wipe(token, sizeof token);
    }
    ending.outcome = outcome;
    if (r == 0)
        r = put_record(e, conn, login->asked.request, &ending);
    return r == 0 ? reply(login, outcome, &e->doc) : r;
}

static const struct {
    unsigned outcome;
    enum lockout_end counts;
} results[AUTH_RESULTS_END] = {
    [AUTH_DONE] = {OUTCOME_DONE, LOCKOUT_PASSED},
    [AUTH_WRONG] = {OUTCOME_LOGIN_FAILED, LOCKOUT_FAILED},
    [AUTH_EXPIRED] = {OUTCOME_LOGIN_EXPIRED, LOCKOUT_UNTRIED},
    [AUTH_DENIED] = {OUTCOME_REFUSED, LOCKOUT_UNTRIED},
    [AUTH_BROKEN] = {OUTCOME_LOGIN_BROKEN, LOCKOUT_UNTRIED},
};

static void on_result(struct auth_conv *conv, enum auth_result result, struct bytes notes)
{
    struct login *login = CONTAINER_OF(conv, struct login, conv);
    struct engine *e = login->logins->engine;
    const struct engine_conn *conn = engine_conn_find(e, login->conn);
    enum lockout_end counts = results[result].counts;
    unsigned outcome = results[result].outcome;
    if (!login->is_asked || conn == NULL) { /* it broke while the client was to answer */
        give_up(login, "its process ended");
        return;
    }
    if (result == AUTH_BROKEN && conv->is_tried)
        counts = LOCKOUT_FAILED; /* a guess that makes a module crash is a guess */
    if (result == AUTH_BROKEN && e->is_stopping)
        outcome = OUTCOME_UNAVAILABLE;
    join_turn(login);
    int r = e->registry->failed == 0 ? conclude(login, conn, outcome, notes) : 0;
    buf_clear(&e->doc);
    if (r < 0)
        fail_turn(e, r);
    drop(login, counts);
}

void logins_on_role(struct engine *e, uint64_t token, int fd)
{
    LIST_EACH(it, &e->logins->under_way) {
        struct login *login = CONTAINER_OF(it, struct login, link);
        if (login->conv.token == token && login->conv.state == AUTH_STARTING) {
            auth_conv_join(&login->conv, fd);
            return;
        }
    }
    file_drop_fd(&fd); /* it was given up meanwhile: the process sees the end of its channel */
}

/* ---- the operation --------------------------------------------------------------------------------------- */

static bool has_place(const struct engine_req *q)
{
    const int64_t *v = q->engine->child->conf.v;
    int64_t all = 0, own = 0;
    LIST_EACH(it, &q->engine->logins->under_way) {
        all++;
        own += CONTAINER_OF(it, struct login, link)->conv.uid == q->conn->peer.uid;
    }
    return all < v[OPTION_LOGINS] && own < v[OPTION_LOGINS_PER_UID];
}

/* The answer to this request comes later, and so does its record. */
static void defer(struct engine_req *q, struct login *login)
{
    login->asked = q->engine->asked[--q->engine->asked_count];
    login->is_asked = true;
    q->is_deferred = q->is_unrecorded = true;
}

static int start(struct engine_req *q)
{
    struct engine *e = q->engine;
    uint8_t id[LOGIN_ID_BYTES];
    struct login *login = calloc(1, sizeof *login);
    if (login == NULL)
        return RAISE(-ENOMEM);
    login->logins = e->logins;
    login->conn = q->conn->number;
    login->conv = (struct auth_conv){.child = e->child,
                                     .role = ROLE_AUTH,
                                     .token = ++e->logins->next_token,
                                     .uid = q->conn->peer.uid,
                                     .prompt_us = e->child->conf.v[OPTION_LOGIN_PROMPT_MS] * US_PER_MS,
                                     .on_prompts = on_prompts,
                                     .on_result = on_result,
                                     .on_silence = on_silence};
    snprintf(login->conv.user, sizeof login->conv.user, "%s", q->conn->user->name);
    crypt_random(id, sizeof id);
    code_hex_text(BYTES_OF(id), login->id);
    int r = auth_conv_start(&login->conv);
    if (r < 0) {
        free(login);
        return r;
    }
    list_init(&login->link);
    list_append(&e->logins->under_way, &login->link);
    defer(q, login);
    return 0;
}

static int refuse_locked_out(struct engine_req *q, bool is_other)
{
    static char text[96]; /* outlives this call: the reply is written after it */
    int64_t us =
        lockout_wait_us(&q->engine->logins->lockout, q->conn->peer.uid, is_other, loop_now(q->engine->child->loop));
    if (us > 0)
        snprintf(text, sizeof text, "try again in %lld s", (long long)((us + US_PER_S - 1) / US_PER_S));
    else
        snprintf(text, sizeof text, "as many logins are under way as may still fail");
    q->reply.detail = bytes_of_text(text);
    return OUTCOME_LOCKED_OUT;
}

static int begin(struct engine_req *q)
{
    struct engine *e = q->engine;
    struct lockout *lockout = &e->logins->lockout;
    struct lockout_limits limits = lockout_limits(e);
    uid_t uid = q->conn->peer.uid;
    struct mono_time now = loop_now(e->child->loop);
    bool is_other = q->m->after.n > 0 && !bytes_equal(q->m->after, bytes_of_text(q->conn->user->name));
    struct login *before = find_login(e->logins, q->conn->number);
    if (before != NULL)
        give_up(before, "begun anew by the client");
    int x = lockout_begin(lockout, &limits, uid, is_other, now);
    if (x == LOCKOUT_LOCKED)
        return refuse_locked_out(q, is_other);
    if (x == LOCKOUT_FULL)
        return OUTCOME_LIMIT;
    if (is_other) {
        lockout_end(lockout, &limits, uid, true, LOCKOUT_FAILED, now);
        q->record.detail = BYTES_LITERAL("another user"); /* not the name: passwords are typed there by mistake */
        q->reply.detail = BYTES_LITERAL("a login is for the user you are");
        return OUTCOME_REFUSED;
    }
    int r = has_place(q) ? start(q) : OUTCOME_LIMIT;
    if (r != 0)
        lockout_end(lockout, &limits, uid, false, LOCKOUT_UNTRIED, now);
    if (r == OUTCOME_LIMIT)
        q->reply.detail = BYTES_LITERAL("too many logins at a time");
    return r;
}

static int go_on(struct engine_req *q)
{
    struct login *login = find_login(q->engine->logins, q->conn->number);
    struct auth_count count;
    if (login == NULL || login->conv.state != AUTH_ASKING || !bytes_equal(q->m->comment, bytes_of_text(login->id)))
        return OUTCOME_NO_LOGIN;
    if (!auth_check(q->m->body, true, &count) || count.texts != login->conv.asked) {
        q->reply.detail = BYTES_LITERAL("there must be an answer for each question, and no more");
        return OUTCOME_BAD_REQUEST;
    }
    bool was_tried = login->conv.is_tried;
    if (auth_conv_answer(&login->conv, q->m->body) < 0) { /* the process is gone, and knows nothing of it */
        drop(login, was_tried ? LOCKOUT_FAILED : LOCKOUT_UNTRIED);
        return OUTCOME_LOGIN_BROKEN;
    }
    defer(q, login);
    return 0;
}

int op_login(struct engine_req *q)
{
    if (q->conn->peer.is_anonymous)
        return OUTCOME_REFUSED;
    if (q->engine->is_stopping)
        return OUTCOME_UNAVAILABLE;
    q->engine->is_turn_durable = true;
    return (q->m->flags & PROTO_GOES_ON) != 0 ? go_on(q) : begin(q);
}
