/* op-session - the session of a request, listing and ending sessions, and their keys; see engine.h and logins.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/logins.h"
#include "model/options.h"

/* ---- settings and keys ----------------------------------------------------------------------------------- */

static int make_process_key(struct logins *l)
{
    struct secret key;
    TRY(secret_init_random(&key, DIGEST_BYTES));
    int r = digest_mac_new(&key, &l->macs[SESSION_KEY_PROCESS]);
    secret_fini(&key);
    return r;
}

int login_sessions(struct engine *e, struct sessions **ret_sessions)
{
    struct logins *l = e->logins;
    const int64_t *v = e->child->conf.v;
    if (l->macs[SESSION_KEY_REGISTRY] == NULL && !registry_is_locked(e->registry))
        TRY(digest_mac_new(&e->registry->keys.session, &l->macs[SESSION_KEY_REGISTRY]));
    memcpy(l->sessions.keys, l->macs, sizeof l->macs);
    l->sessions.limits = (struct session_limits){.idle_us = v[OPTION_SESSION_IDLE_MS] * US_PER_MS,
                                                 .absolute_us = v[OPTION_SESSION_ABSOLUTE_MS] * US_PER_MS,
                                                 .per_user_count = (unsigned)v[OPTION_SESSIONS_PER_USER]};
    *ret_sessions = &l->sessions;
    return 0;
}

int logins_start(struct engine *e)
{
    struct logins *l = calloc(1, sizeof *l);
    if (l == NULL)
        return RAISE(-ENOMEM);
    e->logins = l;
    l->engine = e;
    list_init(&l->under_way);
    return make_process_key(l);
}

void logins_on_lock(struct engine *e)
{
    struct logins *l = e->logins;
    session_end_key(&l->sessions, SESSION_KEY_REGISTRY);
    l->macs[SESSION_KEY_REGISTRY] = digest_mac_free(l->macs[SESSION_KEY_REGISTRY]);
}

void logins_turn_end(struct engine *e, bool is_done)
{
    if (is_done)
        session_commit(&e->logins->sessions);
    else
        session_rollback(&e->logins->sessions);
}

/* ---- the session of a request ---------------------------------------------------------------------------- */

int logins_identify(struct engine_req *q)
{
    struct sessions *s;
    struct mono_time now = loop_now(q->engine->child->loop);
    TRY(login_sessions(q->engine, &s));
    int r = session_find(s, q->m->session, q->conn->peer.uid, now, &q->session);
    if (r == SESSION_BAD)
        return OUTCOME_BAD_SESSION;
    TRY(r);
    q->record.session = session_number(q->session);
    q->facts.auth = AUTHZ_AUTH_PAM;
    q->facts.has_auth_age = true;
    q->facts.auth_age_s = (now.us - q->session->made.us) / US_PER_S;
    return 0;
}

static void wall_in(const struct engine *e, int64_t us, char ret_text[static CLOCK_TEXT_BYTES])
{
    clock_wall_text((struct wall_time){e->turn_wall.us + us}, ret_text);
}

int login_put_time(struct buf *doc, const char *key, const struct engine *e, int64_t us)
{
    char text[CLOCK_TEXT_BYTES];
    wall_in(e, us, text);
    return doc_put_text(doc, key, bytes_of_text(text));
}

static int put_session(struct engine_req *q, const struct sessions *s, const struct session *row)
{
    char id[SESSION_ID_BYTES];
    struct buf *doc = &q->doc;
    struct mono_time now = loop_now(q->engine->child->loop);
    session_id(row, id);
    TRY(doc_map_begin(doc));
    TRY(doc_put_text(doc, "id", bytes_of_text(id)));
    TRY(login_put_time(doc, "made", q->engine, row->made_wall.us - q->engine->turn_wall.us));
    TRY(login_put_time(doc, "used", q->engine, row->last.us - now.us));
    TRY(login_put_time(doc, "expires", q->engine, session_left_us(s, row, now)));
    TRY(login_put_time(doc, "absolute", q->engine, session_left_absolute_us(s, row, now)));
    TRY(doc_put_bool(doc, "current", row == q->session));
    return doc_map_end(doc);
}

int op_sessions(struct engine_req *q)
{
    struct sessions *s;
    size_t at = 0;
    struct mono_time now = loop_now(q->engine->child->loop);
    TRY(login_sessions(q->engine, &s));
    q->reply.shape = PROTO_DOC;
    TRY(doc_map_begin(&q->doc));
    TRY(doc_key(&q->doc, "sessions"));
    TRY(doc_list_begin(&q->doc));
    for (const struct session *row = NULL; (row = session_next(s, q->conn->peer.uid, now, &at)) != NULL;)
        TRY(put_session(q, s, row));
    TRY(doc_list_end(&q->doc));
    return doc_map_end(&q->doc);
}

/* Which ones DELETE means: by handle, all, or the one that the request carries. Returns how many it ended. */
static int64_t end_sessions(struct engine_req *q, struct sessions *s, char *detail, size_t detail_bytes)
{
    size_t at = 0;
    int64_t count = 0;
    char id[SESSION_ID_BYTES];
    uid_t uid = q->conn->peer.uid;
    struct mono_time now = loop_now(q->engine->child->loop);
    bool is_all = (q->m->flags & PROTO_ALL) != 0;
    struct session *row = q->m->after.n > 0 ? session_of_id(s, q->m->after, uid, now) : q->session;
    if (is_all)
        row = session_next(s, uid, now, &at);
    for (; row != NULL; row = is_all ? session_next(s, uid, now, &at) : NULL) {
        session_id(row, id);
        session_end(s, row);
        count++;
    }
    if (is_all)
        snprintf(detail, detail_bytes, "%lld sessions", (long long)count);
    else if (count > 0)
        snprintf(detail, detail_bytes, "session %s", id);
    return count;
}

int op_logout(struct engine_req *q)
{
    static char detail[64]; /* outlives this call: the record is encoded after it */
    struct sessions *s;
    if (q->m->after.n == 0 && (q->m->flags & PROTO_ALL) == 0 && q->session == NULL) {
        q->reply.detail = BYTES_LITERAL("there is no session to end: give a token, id or all");
        return OUTCOME_BAD_REQUEST;
    }
    TRY(login_sessions(q->engine, &s));
    detail[0] = '\0';
    int64_t count = end_sessions(q, s, detail, sizeof detail);
    q->record.detail = bytes_of_text(detail);
    if (count == 0 && (q->m->flags & PROTO_ALL) == 0) {
        q->reply.detail = BYTES_LITERAL("you have no session with that handle");
        return OUTCOME_NOT_FOUND;
    }
    q->engine->is_turn_durable = true;
    q->reply.shape = PROTO_DOC;
    TRY(doc_map_begin(&q->doc));
    TRY(doc_put_int(&q->doc, "ended", count));
    return doc_map_end(&q->doc);
}
