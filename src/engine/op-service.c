/* op-service - status, who the caller is, unlocking, locking, reloading; see engine.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "engine/engine.h"
#include "model/options.h"

static bool is_admin(struct engine_req *q)
{
    return engine_allows(q, q->engine->registry->tree.root, BYTES_LITERAL("/registry"), AUTHZ_CONTROL);
}

static bool may_admin(const struct engine_req *q)
{
    return engine_may(q, q->engine->registry->tree.root, BYTES_LITERAL("/registry"), AUTHZ_CONTROL);
}

/* ---- status ---------------------------------------------------------------------------------------------- */

static int put_roles(const struct engine *e, struct buf *doc)
{
    TRY(doc_key(doc, "roles"));
    TRY(doc_list_begin(doc));
    for (size_t i = 0; i < e->child->siblings_count; i++) {
        const struct proc_sibling *s = &e->child->siblings[i];
        TRY(doc_map_begin(doc));
        TRY(doc_put_text(doc, "role", bytes_of_text(s->role)));
        TRY(doc_put_int(doc, "pid", s->pid));
        TRY(doc_put_int(doc, "landlock_abi", s->landlock_abi));
        TRY(doc_put_text(doc, "not_held", bytes_of_text(s->dropped)));
        TRY(doc_map_end(doc));
    }
    return doc_list_end(doc);
}

static int put_details(const struct engine *e, struct buf *doc)
{
    const struct registry *r = e->registry;
    TRY(doc_put_int(doc, "entries", (int64_t)r->tree.entries));
    TRY(doc_put_int(doc, "deleted_entries", (int64_t)r->tree.tombs_count));
    TRY(doc_put_int(doc, "corrupt_entries", (int64_t)r->corrupt_count));
    TRY(doc_put_int(doc, "rules", (int64_t)r->rules_count));
    TRY(doc_put_int(doc, "records", (int64_t)trail_size(r->trail)));
    TRY(doc_put_int(doc, "first_record", (int64_t)trail_first(r->trail)));
    TRY(doc_put_int(doc, "unrecorded", (int64_t)e->unrecorded));
    TRY(doc_put_int(doc, "connections", (int64_t)e->conns_count));
    TRY(doc_put_int(doc, "watches", (int64_t)watches_count(e)));
    TRY(doc_put_int(doc, "followers", (int64_t)follows_count(e)));
    TRY(doc_put_text(doc, "store", bytes_of_text(e->db_path)));
    TRY(engine_put_pass(e, doc));
    if (e->reload_text[0] != '\0') {
        TRY(doc_key(doc, "reload"));
        TRY(doc_map_begin(doc));
        TRY(doc_put_bool(doc, "done", e->was_reload_good));
        TRY(doc_put_text(doc, "text", bytes_of_text(e->reload_text)));
        TRY(doc_map_end(doc));
    }
    return put_roles(e, doc);
}

int op_status(struct engine_req *q)
{
    const struct engine *e = q->engine;
    struct buf *doc = &q->doc;
    q->reply.shape = PROTO_DOC;
    TRY(doc_map_begin(doc));
    TRY(doc_put_text(doc, "version", bytes_of_text(SECREG_VERSION)));
    TRY(doc_put_text(doc, "state", bytes_of_text(registry_is_locked(e->registry) ? "locked" : "unlocked")));
    TRY(doc_put_int(doc, "revision", (int64_t)e->registry->state.revision));
    TRY(doc_put_text(doc, "storage", bytes_of_text(e->is_full ? "full" : "ok")));
    TRY(engine_put_share(q));
    if (may_admin(q)) {
        TRY(put_details(e, doc));
        TRY(engine_put_shares(q));
    }
    return doc_map_end(doc);
}

/* ---- whoami ---------------------------------------------------------------------------------------------- */

static int put_rights(struct engine_req *q)
{
    static const struct {
        const char *text;
        enum authz_action action;
    } actions[] = {
#define RIGHT_(name, bit, text) {text, AUTHZ_##name},
        AUTHZ_ACTION_LIST(RIGHT_)
#undef RIGHT_
    };
    TRY(doc_key(&q->doc, "rights"));
    TRY(doc_list_begin(&q->doc));
    for (size_t i = 0; i < COUNT_OF(actions); i++) {
        if (engine_may(q, q->engine->registry->tree.root, BYTES_LITERAL("/registry"), actions[i].action))
            TRY(doc_text(&q->doc, bytes_of_text(actions[i].text)));
    }
    return doc_list_end(&q->doc);
}

/* The roles that it certainly is a member of. */
static int put_membership(struct engine_req *q)
{
    struct authz_subject s = engine_subject(q->engine, q->conn);
    TRY(doc_key(&q->doc, "roles"));
    TRY(doc_list_begin(&q->doc));
    for (size_t i = 0; i < s.roles_count; i++)
        TRY(doc_text(&q->doc, s.roles[i]));
    return doc_list_end(&q->doc);
}

int op_whoami(struct engine_req *q)
{
    const struct peer *p = &q->conn->peer;
    struct buf *doc = &q->doc;
    char owns[128];
    snprintf(owns, sizeof owns, "/registry/user/%s", q->conn->user->name);
    q->reply.shape = PROTO_DOC;
    TRY(doc_map_begin(doc));
    TRY(doc_put_int(doc, "uid", p->uid));
    TRY(doc_put_int(doc, "gid", p->gid));
    TRY(doc_key(doc, "groups"));
    TRY(doc_list_begin(doc));
    for (size_t i = 0; i < p->groups_count; i++)
        TRY(doc_int(doc, p->groups[i]));
    TRY(doc_list_end(doc));
    TRY(doc_put_int(doc, "pid", p->pid));
    TRY(doc_put_text(doc, "unit", bytes_of_text(p->unit)));
    TRY(doc_put_text(doc, "label", bytes_of_text(p->label)));
    TRY(doc_key(doc, "owns"));
    TRY(p->is_anonymous ? doc_null(doc) : doc_text(doc, bytes_of_text(owns)));
    TRY(put_membership(q));
    TRY(put_rights(q));
    TRY(doc_put_text(doc, "auth", bytes_of_text(q->facts.auth == AUTHZ_AUTH_PAM ? "pam" : "peer")));
    TRY(doc_key(doc, "auth_age"));
    TRY(q->facts.has_auth_age ? doc_int(doc, q->facts.auth_age_s) : doc_null(doc));
    return doc_map_end(doc);
}

/* ---- unlock and lock ------------------------------------------------------------------------------------- */

static struct engine_trier *trier_of(struct engine *e, uid_t uid)
{
    struct mono_time now = loop_now(e->child->loop);
    struct engine_trier *oldest = &e->triers[0];
    for (size_t i = 0; i < ENGINE_TRIERS_MAX_COUNT; i++) {
        struct engine_trier *t = &e->triers[i];
        if (t->failures > 0 && clock_mono_passed(now, clock_mono_add(t->since, ENGINE_UNLOCK_WINDOW_US)))
            t->failures = 0;
        if (t->failures > 0 && t->uid == uid)
            return t;
        if (t->failures == 0 || (oldest->failures > 0 && t->since.us < oldest->since.us))
            oldest = t;
    }
    *oldest = (struct engine_trier){.uid = uid};
    return oldest;
}

static void note_failure(struct engine *e, struct engine_trier *t)
{
    struct mono_time now = loop_now(e->child->loop);
    if (t->failures == 0 || t->failures + 1 == ENGINE_UNLOCK_TRIES_COUNT)
        t->since = now; /* the window begins with the first failure, the lockout with the last one */
    t->failures++;
}

static void on_corrupt(struct bytes path, void *arg)
{
    struct engine *e = arg;
    struct record r = {.wall_us = clock_wall_now().us, .mono_us = clock_mono_now().us, .kind = RECORD_CORRUPT};
    struct buf text;
    buf_init(&text, 4096);
    if (text_escape(&text, path) == 0)
        LOG_ERROR("the rows of %.*s failed their check: it is not served", BYTES_PRINT(buf_view(&text)));
    r.detail = BYTES_LITERAL("rows failed their check");
    r.path = text_is_utf8(path) && path.n <= RECORD_TEXT_MAX_BYTES ? path : BYTES_LITERAL("(not a path)");
    int x = registry_record(e->registry, &r, false);
    if (x < 0)
        LOG_ERROR("it cannot be recorded: %s", fault_text(x)); /* and fails the turn, so the registry stays locked */
    buf_fini(&text);
}

int engine_read_key_file(const struct engine *e, struct secret *ret_material)
{
    uint8_t key[KEYS_FILE_BYTES + 1];
    if (e->key_fd < 0)
        return OUTCOME_NOT_FOUND;
    ssize_t n = pread(e->key_fd, key, sizeof key, 0);
    int r = n != KEYS_FILE_BYTES ? OUTCOME_AUTH_FAILED : secret_init_copy(ret_material, bytes_of(key, KEYS_FILE_BYTES));
    secret_wipe(key, sizeof key);
    return r;
}

int engine_try_key_file(struct engine *e, char *why)
{
    struct secret material;
    *why = '\0';
    if (!registry_has_slot(e->registry, KEYS_SLOT_KEY_FILE))
        return OUTCOME_NOT_FOUND;
    int r = engine_read_key_file(e, &material);
    if (r != 0)
        return r;
    r = registry_unlock(e->registry, KEYS_SLOT_KEY_FILE, &material, on_corrupt, e, why);
    secret_fini(&material);
    if (r == 0) {
        e->has_unlocked = true;
        LOG_INFO("unlocked with the key file: %zu entries", e->registry->tree.entries);
    }
    return r;
}

int engine_try_begin(struct engine_req *q)
{
    struct engine_trier *t = trier_of(q->engine, q->conn->peer.uid);
    return t->failures >= ENGINE_UNLOCK_TRIES_COUNT ? OUTCOME_LIMIT : 0;
}

void engine_try_end(struct engine_req *q, bool was_right)
{
    struct engine_trier *t = trier_of(q->engine, q->conn->peer.uid);
    q->engine->is_turn_durable = true;
    if (was_right)
        t->failures = 0;
    else
        note_failure(q->engine, t);
}

static int try_passphrase(struct engine_req *q, char *why)
{
    struct engine *e = q->engine;
    struct secret material;
    if (q->m->body.n > KEYS_PASSPHRASE_MAX_BYTES)
        return OUTCOME_TOO_LARGE;
    TRY(secret_init_copy(&material, q->m->body));
    int r = registry_unlock(e->registry, KEYS_SLOT_PASSPHRASE, &material, on_corrupt, e, why);
    secret_fini(&material);
    if (r == 0)
        e->has_unlocked = true;
    return r;
}

int op_unlock(struct engine_req *q)
{
    static char why[REGISTRY_WHY_BYTES]; /* outlives this call: the reply is written after it */
    struct engine *e = q->engine;
    bool uses_file = q->m->body.n == 0;
    q->record.detail = uses_file ? BYTES_LITERAL("key file") : BYTES_LITERAL("passphrase");
    if (!is_admin(q))
        return OUTCOME_REFUSED;
    if (!registry_is_locked(e->registry))
        return 0;
    int x = engine_try_begin(q);
    if (x != 0)
        return x;
    x = uses_file ? engine_try_key_file(e, why) : try_passphrase(q, why);
    e->is_turn_durable = true;
    if (x == OUTCOME_NOT_FOUND) {
        q->reply.detail = BYTES_LITERAL("there is no key file, or no slot for one");
        return x;
    }
    if (x == OUTCOME_AUTH_FAILED || x == 0)
        engine_try_end(q, x == 0);
    if (x == OUTCOME_CORRUPT) {
        q->reply.detail = bytes_of_text(why);
        LOG_ERROR("cannot unlock: %s", why);
    }
    return x;
}

int op_lock(struct engine_req *q)
{
    struct engine *e = q->engine;
    if (!is_admin(q))
        return OUTCOME_REFUSED;
    /* what this turn changed so far belongs to an unlocked registry: commit it first */
    struct engine_asked this = e->asked[--e->asked_count];
    e->sign.is_wanted = true;
    engine_turn_end(e);
    e->asked[e->asked_count++] = this;
    e->is_turn_durable = true;
    engine_end_backup(e);
    int r = registry_lock(e->registry);
    logins_on_lock(e); /* their sessions end with the keys */
    return r;
}

/* ---- reload ---------------------------------------------------------------------------------------------- */

int op_reload(struct engine_req *q)
{
    struct engine *e = q->engine;
    if (!is_admin(q))
        return OUTCOME_REFUSED;
    if (e->is_reload_pending) {
        q->reply.detail = BYTES_LITERAL("a reload is going on");
        return OUTCOME_LIMIT;
    }
    TRY(proc_child_ask(e->child, PROC_ASK_RELOAD, q->m->request));
    e->is_reload_pending = true;
    e->reload_asked = e->asked[--e->asked_count]; /* answered when the parent has, not by this turn */
    q->is_deferred = true;
    return 0;
}
