/* op-rule - showing, adding, removing and testing access rules; see engine.h. */
#include <stdio.h>

#include "engine/engine.h"
#include "model/path.h"

struct showing {
    struct engine_req *q;
};

static const char *const effects[] = {[AUTHZ_ALLOW] = "allow", [AUTHZ_DENY] = "deny", [AUTHZ_APPROVE] = "approve"};

/* The effect of that name, or 0. */
static unsigned effect_of(struct bytes text)
{
    for (unsigned i = AUTHZ_ALLOW; i < COUNT_OF(effects); i++) {
        if (bytes_equal(text, bytes_of_text(effects[i])))
            return i;
    }
    return 0;
}

int engine_put_actions(struct buf *doc, const char *key, unsigned actions)
{
    struct buf text;
    buf_init(&text, 256);
    int r = authz_actions_text(&text, actions);
    if (r == 0)
        r = doc_put_text(doc, key, buf_view(&text));
    buf_fini(&text);
    return r;
}

int engine_put_principal(struct buf *doc, const char *key, const struct authz_principal *who)
{
    struct buf text;
    buf_init(&text, AUTHZ_PRINCIPAL_MAX_BYTES);
    int r = authz_principal_text(&text, who);
    if (r == 0)
        r = doc_put_text(doc, key, buf_view(&text));
    buf_fini(&text);
    return r;
}

/* The condition as it is stored, and when the rule ends by it. */
static int put_condition(struct buf *doc, struct bytes text)
{
    struct authz_condition c;
    const char *why;
    bool is_readable = text.n > 0 && authz_condition_parse(text, &c, &why);
    TRY(doc_key(doc, "condition"));
    TRY(text.n > 0 ? doc_text(doc, text) : doc_null(doc));
    if (text.n > 0 && !is_readable)
        TRY(doc_put_bool(doc, "unreadable", true));
    return engine_put_expires(doc, is_readable && (c.terms & AUTHZ_TERM_UNTIL) != 0 ? c.until_us : 0);
}

static int put_rule(struct buf *doc, const struct registry_rule *rule)
{
    TRY(doc_map_begin(doc));
    TRY(doc_put_int(doc, "id", (int64_t)rule->id));
    TRY(doc_put_text(doc, "path", rule->path));
    TRY(doc_put_text(doc, "effect", bytes_of_text(rule->effect < COUNT_OF(effects) ? effects[rule->effect] : NULL)));
    TRY(doc_put_text(doc, "principal", rule->principal));
    TRY(engine_put_actions(doc, "actions", rule->actions));
    TRY(put_condition(doc, rule->condition));
    TRY(engine_put_time(doc, "created", rule->created_us));
    TRY(doc_put_int(doc, "created_by", rule->created_by));
    return doc_map_end(doc);
}

/* The rules that bear on a path: on it, above it, and below it; each only if the caller may edit rules there. */
static int on_rule(const struct registry_rule *rule, void *arg)
{
    struct showing *s = arg;
    struct bytes path = s->q->m->path;
    const char *why;
    if (!path_check(rule->path, &why) || (!path_is_within(path, rule->path) && !path_is_within(rule->path, path)))
        return 0;
    struct tree_walk w = tree_walk(&s->q->engine->registry->tree, rule->path);
    if (!engine_may(s->q, w.nearest, rule->path, AUTHZ_GRANT))
        return 0;
    return put_rule(&s->q->doc, rule);
}

int op_acl_show(struct engine_req *q)
{
    struct showing s = {q};
    struct tree_walk w = tree_walk(&q->engine->registry->tree, q->m->path);
    if (!engine_sees(q, w.nearest, q->m->path, AUTHZ_GRANT))
        return OUTCOME_REFUSED;
    q->reply.shape = PROTO_DOC;
    q->reply.version = q->engine->registry->state.policy;
    TRY(doc_map_begin(&q->doc));
    TRY(doc_put_text(&q->doc, "path", q->m->path));
    TRY(doc_put_int(&q->doc, "policy", (int64_t)q->engine->registry->state.policy));
    TRY(doc_key(&q->doc, "rules"));
    TRY(doc_list_begin(&q->doc));
    TRY(registry_rule_each(q->engine->registry, on_rule, &s));
    TRY(doc_list_end(&q->doc));
    return doc_map_end(&q->doc);
}

/* "deny uid:1000 read,write if days=fri": what the trail says of a rule. Returns the view of `text`. */
static struct bytes rule_text(const struct engine_req *q, struct bytes condition, char *text, size_t n)
{
    int used = snprintf(text, n, "%s%.*s %.*s %.*s%s%.*s", engine_dry_text(q), BYTES_PRINT(q->m->body),
                        BYTES_PRINT(q->m->after), BYTES_PRINT(q->m->comment), condition.n > 0 ? " if " : "",
                        BYTES_PRINT(condition));
    return bytes_of(text, used < 0 ? 0 : MIN_OF((size_t)used, n - 1));
}

/* The canonical text of the condition, in `text`. Returns 0, an outcome, or a fault. */
static int read_condition(struct engine_req *q, struct buf *text)
{
    struct authz_condition c;
    const char *why;
    if (q->m->name.n == 0)
        return 0;
    if (!authz_condition_parse(q->m->name, &c, &why)) {
        q->reply.detail = bytes_of_text(why);
        return OUTCOME_BAD_REQUEST;
    }
    if ((c.terms & AUTHZ_TERM_UNTIL) != 0 && c.until_us <= q->engine->turn_wall.us) {
        q->reply.detail = BYTES_LITERAL("the condition has ended already");
        return OUTCOME_BAD_REQUEST;
    }
    return authz_condition_text(text, &c);
}

static int add_rule(struct engine_req *q, uint64_t *ret_id)
{
    struct buf condition;
    struct registry_actor actor = {.uid = q->conn->peer.uid, .now_us = q->engine->turn_wall.us};
    struct registry_rule rule = {.path = q->m->path,
                                 .principal = q->m->after,
                                 .effect = (enum authz_effect)effect_of(q->m->body),
                                 .actions = authz_actions_parse(q->m->comment)};
    buf_init(&condition, AUTHZ_CONDITION_MAX_BYTES);
    int x = read_condition(q, &condition);
    rule.condition = buf_view(&condition);
    if (x != 0) {
        buf_fini(&condition);
        return x;
    }
    x = registry_rule_add(q->engine->registry, &rule, &actor, ret_id);
    if (x == OUTCOME_BAD_REQUEST)
        q->reply.detail = bytes_of_text(q->engine->registry->why);
    buf_fini(&condition);
    return x;
}

/* Returns 0 or an outcome, with what is wrong. */
static int check_rule(struct engine_req *q)
{
    struct authz_principal who;
    unsigned effect = effect_of(q->m->body), actions = authz_actions_parse(q->m->comment);
    const char *why = NULL;
    if (effect == 0)
        why = "the effect is allow, deny or approve";
    else if (actions == 0)
        why = "not a list of actions or roles";
    else if (!authz_principal_parse(q->m->after, &who))
        why = "not a principal";
    else if (effect == AUTHZ_APPROVE && ((actions & ~(unsigned)AUTHZ_APPROVABLE) != 0 || q->m->name.n > 0))
        why = "approval is for write, delete and grant, and has no condition";
    q->reply.detail = bytes_of_text(why);
    return why != NULL ? OUTCOME_BAD_REQUEST : 0;
}

int op_acl_add(struct engine_req *q)
{
    struct authz_principal who;
    static char text[RECORD_TEXT_MAX_BYTES - 64]; /* outlives this call: the record is written after it */
    struct tree_walk w = tree_walk(&q->engine->registry->tree, q->m->path);
    q->is_trial = q->is_trial || (q->m->flags & PROTO_DRY_RUN) != 0;
    if (!engine_allows(q, w.nearest, q->m->path, AUTHZ_GRANT))
        return OUTCOME_REFUSED;
    int x = check_rule(q);
    if (x != 0)
        return x;
    if (effect_of(q->m->body) == AUTHZ_APPROVE && authz_principal_parse(q->m->after, &who) &&
        !registry_has_approver(q->engine->registry, w.nearest, &who, q->conn->peer.uid)) {
        q->reply.detail = BYTES_LITERAL("nobody else could approve");
        return OUTCOME_LAST_ADMIN;
    }
    q->record.detail = rule_text(q, q->m->name, text, sizeof text);
    return engine_edit_policy(q, q->m->path, add_rule);
}

static int remove_rule(struct engine_req *q, uint64_t *ret_id)
{
    *ret_id = q->m->version;
    return registry_rule_remove(q->engine->registry, q->m->version);
}

int op_acl_remove(struct engine_req *q)
{
    static uint8_t path[PATH_MAX_BYTES]; /* as above */
    static char text[64];
    struct bytes at;
    struct registry *r = q->engine->registry;
    snprintf(text, sizeof text, "%srule %llu", engine_dry_text(q), (unsigned long long)q->m->version);
    q->record.detail = bytes_of_text(text);
    int x = registry_rule_path(r, q->m->version, path, &at);
    if (x != 0)
        return x;
    q->record.path = at;
    struct tree_walk w = tree_walk(&r->tree, at);
    q->is_trial = q->is_trial || (q->m->flags & PROTO_DRY_RUN) != 0;
    if (!engine_allows(q, w.nearest, at, AUTHZ_GRANT))
        return OUTCOME_NOT_FOUND;
    return engine_edit_policy(q, at, remove_rule);
}

/* What a subject that is nothing but this principal would get. */
int op_acl_test(struct engine_req *q)
{
    struct authz_principal who;
    struct authz_rules chain[AUTHZ_CHAIN_MAX_COUNT];
    struct tree_walk w = tree_walk(&q->engine->registry->tree, q->m->path);
    if (!engine_sees(q, w.nearest, q->m->path, AUTHZ_GRANT))
        return OUTCOME_REFUSED;
    unsigned action = authz_actions_parse(q->m->comment);
    if (!authz_principal_parse(q->m->after, &who) || action == 0 || (action & (action - 1)) != 0) {
        q->reply.detail = BYTES_LITERAL("give one principal and one action");
        return OUTCOME_BAD_REQUEST;
    }
    struct registry_person person;
    struct authz_subject s = registry_subject_of(q->engine->registry, &who, &person);
    size_t n = node_chain(w.nearest, chain);
    struct authz_decision d = authz_decide(chain, n, &s, false, (enum authz_action)action);
    q->reply.shape = PROTO_DOC;
    TRY(doc_map_begin(&q->doc));
    TRY(doc_put_bool(&q->doc, "allowed", d.is_allowed));
    TRY(doc_put_int(&q->doc, "rule", (int64_t)d.rule));
    return doc_map_end(&q->doc);
}
