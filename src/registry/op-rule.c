/* op-rule - showing, adding, removing and testing access rules; see engine.h. */
#include <stdio.h>

#include "registry/engine.h"
#include "registry/path.h"

struct showing {
    struct engine_req *q;
};

static int put_rule(struct buf *doc, const struct registry_rule *rule)
{
    char time[CLOCK_TEXT_BYTES];
    struct buf actions;
    clock_wall_text((struct wall_time){rule->created_us}, time);
    TRY(doc_map_begin(doc));
    TRY(doc_put_int(doc, "id", (int64_t)rule->id));
    TRY(doc_put_text(doc, "path", rule->path));
    TRY(doc_put_text(doc, "effect", bytes_of_text(rule->effect == AUTHZ_ALLOW ? "allow" : "deny")));
    TRY(doc_put_text(doc, "principal", rule->principal));
    buf_init(&actions, 256);
    int r = authz_actions_text(&actions, rule->actions);
    if (r == 0)
        r = doc_put_text(doc, "actions", buf_view(&actions));
    buf_fini(&actions);
    TRY(r);
    TRY(doc_put_text(doc, "created", bytes_of_text(time)));
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
    if (!engine_allows(q, w.nearest, q->m->path, AUTHZ_GRANT))
        return OUTCOME_REFUSED;
    q->reply.shape = PROTO_DOC;
    TRY(doc_map_begin(&q->doc));
    TRY(doc_put_text(&q->doc, "path", q->m->path));
    TRY(doc_key(&q->doc, "rules"));
    TRY(doc_list_begin(&q->doc));
    TRY(registry_rule_each(q->engine->registry, on_rule, &s));
    TRY(doc_list_end(&q->doc));
    return doc_map_end(&q->doc);
}

/* "deny uid:1000 read,write": what the trail says of a rule. Returns the view of `text`. */
static struct bytes rule_text(const struct engine_req *q, char *text, size_t n)
{
    int used = snprintf(text, n, "%.*s %.*s %.*s", BYTES_PRINT(q->m->body), BYTES_PRINT(q->m->after),
                        BYTES_PRINT(q->m->comment));
    return bytes_of(text, used < 0 ? 0 : MIN_OF((size_t)used, n - 1));
}

int op_acl_add(struct engine_req *q)
{
    static char text[AUTHZ_PRINCIPAL_MAX_BYTES + 128]; /* outlives this call: the record is written after it */
    struct authz_principal who;
    uint64_t id;
    struct registry_rule rule = {.path = q->m->path, .principal = q->m->after};
    struct registry_actor actor = {.uid = q->conn->peer.uid, .now_us = q->engine->turn_wall.us};
    struct tree_walk w = tree_walk(&q->engine->registry->tree, q->m->path);
    if (!engine_allows(q, w.nearest, q->m->path, AUTHZ_GRANT))
        return OUTCOME_REFUSED;
    rule.actions = authz_actions_parse(q->m->comment);
    bool is_allow = bytes_equal(q->m->body, BYTES_LITERAL("allow"));
    rule.effect = is_allow ? AUTHZ_ALLOW : AUTHZ_DENY;
    if (!is_allow && !bytes_equal(q->m->body, BYTES_LITERAL("deny"))) {
        q->reply.detail = BYTES_LITERAL("the effect is allow or deny");
        return OUTCOME_BAD_REQUEST;
    }
    if (rule.actions == 0 || !authz_principal_parse(q->m->after, &who)) {
        q->reply.detail =
            rule.actions == 0 ? BYTES_LITERAL("not a list of actions or roles") : BYTES_LITERAL("not a principal");
        return OUTCOME_BAD_REQUEST;
    }
    q->record.detail = rule_text(q, text, sizeof text);
    int x = registry_rule_add(q->engine->registry, &rule, &actor, &id);
    if (x != 0)
        return x;
    q->is_change = true;
    q->reply.shape = PROTO_DOC;
    TRY(doc_map_begin(&q->doc));
    TRY(doc_put_int(&q->doc, "id", (int64_t)id));
    return doc_map_end(&q->doc);
}

int op_acl_remove(struct engine_req *q)
{
    static uint8_t path[PATH_MAX_BYTES]; /* as above */
    static char text[64];
    struct bytes at;
    struct registry *r = q->engine->registry;
    snprintf(text, sizeof text, "rule %llu", (unsigned long long)q->m->match);
    q->record.detail = bytes_of_text(text);
    int x = registry_rule_path(r, q->m->match, path, &at);
    if (x != 0)
        return x;
    q->record.path = at;
    struct tree_walk w = tree_walk(&r->tree, at);
    if (!engine_allows(q, w.nearest, at, AUTHZ_GRANT))
        return OUTCOME_NOT_FOUND;
    x = registry_rule_remove(r, q->m->match);
    if (x != 0)
        return x;
    q->is_change = true;
    q->reply.shape = PROTO_DOC;
    TRY(doc_map_begin(&q->doc));
    TRY(doc_put_int(&q->doc, "id", (int64_t)q->m->match));
    return doc_map_end(&q->doc);
}

/* What a subject that is nothing but this principal would get. */
int op_acl_test(struct engine_req *q)
{
    struct authz_principal who;
    struct authz_rules chain[AUTHZ_CHAIN_MAX_COUNT];
    struct tree_walk w = tree_walk(&q->engine->registry->tree, q->m->path);
    if (!engine_allows(q, w.nearest, q->m->path, AUTHZ_GRANT))
        return OUTCOME_REFUSED;
    unsigned action = authz_actions_parse(q->m->comment);
    if (!authz_principal_parse(q->m->after, &who) || action == 0 || (action & (action - 1)) != 0) {
        q->reply.detail = BYTES_LITERAL("give one principal and one action");
        return OUTCOME_BAD_REQUEST;
    }
    gid_t group = who.id;
    struct authz_subject s = authz_subject_of(&who, &group);
    size_t n = node_chain(w.nearest, chain);
    struct authz_decision d = authz_decide(chain, n, &s, false, (enum authz_action)action);
    q->reply.shape = PROTO_DOC;
    TRY(doc_map_begin(&q->doc));
    TRY(doc_put_bool(&q->doc, "allowed", d.is_allowed));
    TRY(doc_put_int(&q->doc, "rule", (int64_t)d.rule));
    return doc_map_end(&q->doc);
}
