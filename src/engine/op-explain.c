/*
 * op-explain - why something is allowed or refused; see engine.h.
 *
 * Anybody may ask about himself, and is told what he would find out by trying: the decision, and of the rules that name
 * him how each took part. Which principal, actions and condition such a rule has, and where it stands, he is told only
 * where he may see rules; of rules that do not name him, only there that they exist. About others may ask who may see
 * the rules of the path.
 */
#include <stdio.h>

#include "base/num.h"
#include "engine/engine.h"
#include "model/path.h"

struct telling {
    struct engine_req *q;
    const struct authz_subject *subject;
    const struct node *nodes[AUTHZ_CHAIN_MAX_COUNT]; /* of the chain */
    int result;
};

/* The nodes that node_chain() takes, in its order. */
static void note_nodes(struct telling *t, const struct node *nearest)
{
    size_t n = 0;
    for (const struct node *at = nearest; at != NULL; at = at->parent) {
        if (at->rules_count > 0)
            t->nodes[n++] = at;
    }
}

static int put_terms(struct buf *doc, const char *key, unsigned terms)
{
    TRY(doc_key(doc, key));
    TRY(doc_list_begin(doc));
    for (unsigned term = 1; term < AUTHZ_TERMS_ALL; term <<= 1) {
        if ((terms & term) != 0)
            TRY(doc_text(doc, authz_term_text((enum authz_term)term)));
    }
    return doc_list_end(doc);
}

/* Which of the role's members makes, or may make, the subject one. */
static int put_member(struct telling *t, struct bytes role)
{
    const struct registry *r = t->q->engine->registry;
    size_t count, first = registry_role_members(r, role, &count);
    const struct registry_member *found = NULL;
    for (size_t i = first; i < first + count; i++) {
        const struct registry_member *m = registry_member_at(r, i);
        enum authz_truth named = authz_names(&m->who, t->subject);
        if (named == AUTHZ_YES || (named == AUTHZ_UNKNOWN && found == NULL))
            found = m;
        if (named == AUTHZ_YES)
            break;
    }
    TRY(doc_key(&t->q->doc, "member"));
    return found != NULL ? doc_text(&t->q->doc, found->principal) : doc_null(&t->q->doc);
}

static int put_condition(struct buf *doc, const struct authz_condition *condition)
{
    struct buf text;
    TRY(doc_key(doc, "condition"));
    if (condition == NULL)
        return doc_null(doc);
    buf_init(&text, AUTHZ_CONDITION_MAX_BYTES);
    int x = authz_condition_text(&text, condition);
    if (x == 0)
        x = doc_text(doc, buf_view(&text));
    buf_fini(&text);
    return x;
}

/* What only those are told who may see rules there. */
static int put_whole(struct telling *t, const struct authz_explained *row, struct bytes path)
{
    struct buf *doc = &t->q->doc;
    TRY(doc_put_text(doc, "path", path));
    TRY(engine_put_principal(doc, "principal", &row->rule->who));
    if (row->rule->who.kind == AUTHZ_ROLE)
        TRY(put_member(t, row->rule->who.name));
    TRY(engine_put_actions(doc, "actions", row->rule->actions));
    return put_condition(doc, row->rule->condition);
}

static int put_row(struct telling *t, const struct authz_explained *row)
{
    static const char *const truths[] = {[AUTHZ_NO] = "no", [AUTHZ_YES] = "yes", [AUTHZ_UNKNOWN] = "unknown"};
    uint8_t storage[PATH_MAX_BYTES];
    struct buf *doc = &t->q->doc;
    const struct node *node = t->nodes[row->chain_index];
    struct bytes path = node_path(node, storage);
    bool may_see = engine_may(t->q, node, path, AUTHZ_GRANT);
    if (!may_see && row->named == AUTHZ_NO)
        return 0;
    TRY(doc_map_begin(doc));
    TRY(doc_put_int(doc, "id", (int64_t)row->rule->id));
    TRY(doc_put_text(doc, "effect", bytes_of_text(row->rule->effect == AUTHZ_ALLOW ? "allow" : "deny")));
    TRY(doc_put_text(doc, "verdict", bytes_of_text(authz_verdict_text(row->verdict))));
    TRY(doc_put_text(doc, "names", bytes_of_text(truths[row->named])));
    TRY(doc_put_text(doc, "holds", bytes_of_text(truths[row->truth])));
    TRY(put_terms(doc, "failing", row->failing & ~row->unknown));
    TRY(put_terms(doc, "unknown", row->unknown));
    if (may_see)
        TRY(put_whole(t, row, path));
    return doc_map_end(doc);
}

static void hear(const struct authz_explained *row, void *arg)
{
    struct telling *t = arg;
    if (t->result == 0)
        t->result = put_row(t, row);
}

static int put_roles(struct buf *doc, const char *key, const struct bytes *names, size_t count)
{
    TRY(doc_key(doc, key));
    TRY(doc_list_begin(doc));
    for (size_t i = 0; i < count; i++)
        TRY(doc_text(doc, names[i]));
    return doc_list_end(doc);
}

static const char *decided_by(const struct authz_subject *subject, struct authz_decision d)
{
    if (subject->is_anonymous)
        return "anonymous";
    return d.rule != 0 ? "rule" : d.is_allowed ? "owner" : "default";
}

static int tell(struct telling *t, const struct tree_walk *w, bool is_owner, enum authz_action action)
{
    struct authz_rules chain[AUTHZ_CHAIN_MAX_COUNT];
    struct authz_listener listener = {hear, t};
    struct buf *doc = &t->q->doc;
    size_t n = node_chain(w->nearest, chain);
    note_nodes(t, w->nearest);
    TRY(doc_map_begin(doc));
    TRY(doc_put_text(doc, "path", t->q->m->path));
    TRY(engine_put_actions(doc, "action", action));
    TRY(doc_key(doc, "rules"));
    TRY(doc_list_begin(doc));
    struct authz_decision d = authz_explain(chain, n, t->subject, is_owner, action, &listener);
    TRY(t->result);
    TRY(doc_list_end(doc));
    TRY(doc_put_bool(doc, "allowed", d.is_allowed));
    TRY(doc_put_text(doc, "decided_by", bytes_of_text(decided_by(t->subject, d))));
    TRY(doc_put_int(doc, "rule", (int64_t)d.rule));
    TRY(doc_put_bool(doc, "owner", is_owner));
    /* who is in which role is shown to those who may edit that, and to oneself */
    bool sees_roles = t->subject == &t->q->subject ||
                      engine_may(t->q, t->q->engine->registry->tree.root, BYTES_LITERAL("/registry"), AUTHZ_GRANT);
    TRY(put_roles(doc, "roles", t->subject->roles, sees_roles ? t->subject->roles_count : 0));
    TRY(put_roles(doc, "maybe_roles", t->subject->maybe_roles, sees_roles ? t->subject->maybe_roles_count : 0));
    return doc_map_end(doc);
}

enum authz_truth engine_owner_of(const struct engine *e, uint32_t uid, struct bytes path)
{
    char number[16];
    uint64_t any;
    struct bytes owner = path_owner(path);
    if (owner.n == 0)
        return AUTHZ_NO;
    for (size_t i = 0; i < ENGINE_USERS_MAX_COUNT; i++) {
        const struct engine_user *u = &e->users[i];
        if (u->share != 0 && u->uid == uid && u->is_known)
            return bytes_equal(owner, bytes_of_text(u->name)) ? AUTHZ_YES : AUTHZ_NO;
    }
    snprintf(number, sizeof number, "%u", uid);
    if (bytes_equal(owner, bytes_of_text(number)))
        return AUTHZ_YES;
    return num_parse_u64(owner, UINT32_MAX, &any) ? AUTHZ_NO : AUTHZ_UNKNOWN;
}

/* About somebody who is only that principal: how he was authenticated and where from is not known. */
static int tell_of(struct engine_req *q, const struct tree_walk *w, enum authz_action action)
{
    struct registry_person person;
    struct authz_principal who;
    struct authz_facts facts = {.has_now = true,
                                .now_us = q->engine->turn_wall.us,
                                .unit_is_active = engine_unit_is_active,
                                .unit_arg = q->engine};
    if (!authz_principal_parse(q->m->after, &who)) {
        q->reply.detail = BYTES_LITERAL("not a principal");
        return OUTCOME_BAD_REQUEST;
    }
    struct authz_subject subject = registry_subject_of(q->engine->registry, &who, &person);
    subject.facts = &facts;
    struct telling t = {.q = q, .subject = &subject};
    bool owns = who.kind == AUTHZ_UID && engine_owner_of(q->engine, who.id, q->m->path) == AUTHZ_YES;
    return tell(&t, w, owns, action);
}

int op_explain(struct engine_req *q)
{
    static char text[AUTHZ_PRINCIPAL_MAX_BYTES + 64]; /* outlives this call: the record is written after it */
    struct tree_walk w = engine_walk(q);
    bool is_of_other = (q->m->flags & PROTO_HAS_AFTER) != 0;
    unsigned action = authz_actions_parse(q->m->comment);
    if (is_of_other && !engine_sees(q, w.nearest, q->m->path, AUTHZ_GRANT))
        return OUTCOME_REFUSED;
    if (action == 0 || (action & (action - 1)) != 0) {
        q->reply.detail = BYTES_LITERAL("give one action");
        return OUTCOME_BAD_REQUEST;
    }
    snprintf(text, sizeof text, "%.*s%s%.*s", BYTES_PRINT(q->m->comment), is_of_other ? " for " : "",
             (int)MIN_OF(q->m->after.n, (size_t)AUTHZ_PRINCIPAL_MAX_BYTES), (const char *)q->m->after.p);
    q->record.detail = bytes_of_text(text);
    q->reply.shape = PROTO_DOC;
    q->reply.version = q->engine->registry->state.policy;
    if (is_of_other)
        return tell_of(q, &w, (enum authz_action)action);
    struct telling t = {.q = q, .subject = &q->subject};
    return tell(&t, &w, engine_owns(q, q->m->path), (enum authz_action)action);
}
