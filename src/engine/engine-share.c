/*
 * engine-share - what one user may take of the service, and what he has taken; see engine.h.
 *
 * Requests are counted in a bucket that fills at the configured rate and holds ten seconds' worth. Who may control the
 * registry is not held to a share: he could lift it. That is asked only when a share is used up, so it costs others
 * nothing. A request that is turned away here has been decided nothing about: it is counted and leaves no record, or a
 * flood would fill the trail.
 */
#include "engine/engine.h"
#include "model/options.h"

enum { BURST_S = 10 };

static bool is_exempt(const struct engine_req *q)
{
    return engine_may(q, q->engine->registry->tree.root, BYTES_LITERAL("/registry"), AUTHZ_CONTROL);
}

/* Tokens are millionths of a request, so that microseconds times requests a second fill the bucket. */
static void refill(struct engine_user *u, struct mono_time now, int64_t rate)
{
    int64_t full = rate * BURST_S * US_PER_S, passed = now.us - u->filled.us;
    if (u->filled.us == 0 || passed > BURST_S * US_PER_S)
        u->tokens = full;
    else
        u->tokens = MIN_OF(full, u->tokens + passed * rate);
    u->filled = now;
}

bool engine_take_request(struct engine_req *q)
{
    struct engine_user *u = q->conn->user;
    int64_t rate = q->engine->child->conf.v[OPTION_REQUESTS_PER_UID];
    if (rate == 0)
        return true;
    if (u->tokens < US_PER_S)
        refill(u, loop_now(q->engine->child->loop), rate);
    if (u->tokens >= US_PER_S) {
        u->tokens -= US_PER_S;
        return true;
    }
    if (is_exempt(q))
        return true;
    u->turned_away++;
    return false;
}

void engine_fill_share(const struct engine_req *q, struct registry_actor *actor)
{
    const int64_t *conf = q->engine->child->conf.v;
    const struct tree_usage *u = tree_usage(&q->engine->registry->tree, actor->uid);
    uint64_t entries = (uint64_t)conf[OPTION_ENTRIES_PER_UID], bytes = (uint64_t)conf[OPTION_STORED_PER_UID];
    bool is_near = u != NULL && ((entries > 0 && u->entries >= entries) ||
                                 (bytes > 0 && u->bytes + q->m->body.n + ENGINE_TREE_MAX_COUNT > bytes));
    if (is_near && is_exempt(q))
        return;
    actor->max_entries = entries;
    actor->max_bytes = bytes;
}

static int put_share(const struct engine *e, struct buf *doc, uint32_t uid)
{
    const struct tree_usage *u = tree_usage(&e->registry->tree, uid);
    uint64_t conns = 0, turned_away = 0;
    for (size_t i = 0; i < ENGINE_USERS_MAX_COUNT; i++) {
        if (e->users[i].share != 0 && e->users[i].uid == uid) {
            conns = e->users[i].conns;
            turned_away = e->users[i].turned_away;
        }
    }
    TRY(doc_map_begin(doc));
    TRY(doc_put_int(doc, "uid", uid));
    TRY(doc_put_int(doc, "connections", (int64_t)conns));
    TRY(doc_put_int(doc, "entries", u != NULL ? (int64_t)u->entries : 0));
    TRY(doc_put_int(doc, "bytes_stored", u != NULL ? (int64_t)u->bytes : 0));
    TRY(doc_put_int(doc, "turned_away", (int64_t)turned_away));
    return doc_map_end(doc);
}

int engine_put_share(struct engine_req *q)
{
    TRY(doc_key(&q->doc, "share"));
    return put_share(q->engine, &q->doc, q->conn->peer.uid);
}

int engine_put_shares(struct engine_req *q)
{
    const struct engine *e = q->engine;
    TRY(doc_key(&q->doc, "shares"));
    TRY(doc_list_begin(&q->doc));
    for (size_t i = 0; i < ENGINE_USERS_MAX_COUNT; i++) {
        if (e->users[i].share != 0 && e->users[i].conns > 0)
            TRY(put_share(e, &q->doc, e->users[i].uid));
    }
    return doc_list_end(&q->doc);
}
