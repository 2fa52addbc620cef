/*
 * op-replay - what a proposed policy would have decided: the records of the trail, replayed; see engine.h.
 *
 * The changes are made in a part of the turn that is taken back, by the operations that would make them, and the
 * decisions of the past are asked of both policies with what the records say. A record says uid, gid, unit and label;
 * further groups, how the caller was authenticated, where it came from and which units were active it does not say.
 * What hangs on that is `unknown`: allowed if it was the best, refused if it was the worst.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "model/path.h"

enum { REPLAY_MAX_COUNT = 5000 /* records of one request */ };

enum word { REFUSED, ALLOWED, UNSURE };
static const char *const words[] = {[REFUSED] = "refused", [ALLOWED] = "allowed", [UNSURE] = "unknown"};

/* What was decided when a record of this kind was made. */
static const struct {
    uint16_t kind;
    enum authz_action action;
} decisions[] = {
    {RECORD_GET, AUTHZ_READ},       {RECORD_LIST, AUTHZ_LIST},         {RECORD_HISTORY, AUTHZ_LIST},
    {RECORD_SET, AUTHZ_WRITE},      {RECORD_DELETE, AUTHZ_DELETE},     {RECORD_MOVE, AUTHZ_WRITE},
    {RECORD_COPY, AUTHZ_WRITE},     {RECORD_REVERT, AUTHZ_WRITE},      {RECORD_DESTROY, AUTHZ_DELETE},
    {RECORD_COMPARE, AUTHZ_READ},   {RECORD_PRINT, AUTHZ_READ},        {RECORD_ACL_SHOW, AUTHZ_GRANT},
    {RECORD_ACL_ADD, AUTHZ_GRANT},  {RECORD_ACL_REMOVE, AUTHZ_GRANT},  {RECORD_ACL_TEST, AUTHZ_GRANT},
    {RECORD_ROLE_ADD, AUTHZ_GRANT}, {RECORD_ROLE_REMOVE, AUTHZ_GRANT}, {RECORD_AUDIT_READ, AUTHZ_AUDIT},
    {RECORD_UNLOCK, AUTHZ_CONTROL}, {RECORD_LOCK, AUTHZ_CONTROL},      {RECORD_RELOAD, AUTHZ_CONTROL},
};

struct replay {
    struct engine_req *q;
    struct authz_rule *flat; /* room for the rules of one chain */
    uint8_t *after;          /* enum word, in the order of the records */
    size_t count, flips;
    uint64_t last;
    bool is_second; /* the policy is the current one again, and what differs is told */
    bool has_more;
    struct registry_role_names names; /* of the subject of the record at hand */
};

/* 0: nothing was decided by rules, or the daemon acted by itself. */
static unsigned action_of(const struct record *r)
{
    for (size_t i = 0; i < COUNT_OF(decisions) && r->request != 0; i++) {
        if (decisions[i].kind == r->kind)
            return decisions[i].action;
    }
    return 0;
}

/* ---- one decision ---------------------------------------------------------------------------------------- */

/* The rules that apply at best for the subject, as rules for anybody. Returns how many. */
static size_t best_of(const struct authz_rules *chain, size_t chain_count, const struct authz_subject *subject,
                      struct authz_rule *flat)
{
    size_t n = 0;
    for (size_t i = 0; i < chain_count; i++) {
        for (size_t k = 0; k < chain[i].count; k++) {
            const struct authz_rule *rule = &chain[i].rules[k];
            enum authz_truth named = authz_names(&rule->who, subject);
            enum authz_truth holds =
                rule->condition != NULL ? authz_condition_holds(rule->condition, subject->facts) : AUTHZ_YES;
            bool is_sure = named == AUTHZ_YES && holds == AUTHZ_YES;
            if (rule->effect == AUTHZ_ALLOW ? named == AUTHZ_NO || holds == AUTHZ_NO : !is_sure)
                continue;
            assert(n < REGISTRY_RULES_MAX_COUNT);
            flat[n] = *rule;
            flat[n].condition = NULL;
            flat[n++].who = (struct authz_principal){.kind = AUTHZ_ANY};
        }
    }
    return n;
}

static enum word judge(struct replay *s, const struct record *r, struct bytes path, unsigned action)
{
    const struct engine *e = s->q->engine;
    struct authz_rules chain[AUTHZ_CHAIN_MAX_COUNT];
    struct registry_membership m = {.stamp = 0};
    struct authz_facts facts = {.has_now = true, .now_us = r->wall_us};
    struct authz_subject subject = {.uid = r->uid,
                                    .gid = r->gid,
                                    .unit = r->unit,
                                    .label = r->label,
                                    .is_unit_unknown = r->unit.n == 0,
                                    .is_label_unknown = r->label.n == 0,
                                    .are_groups_unknown = true,
                                    .facts = &facts};
    registry_membership(e->registry, &subject, &m);
    registry_put_roles(e->registry, &m, &s->names, &subject);
    size_t n = node_chain(tree_walk(&e->registry->tree, path).nearest, chain);
    enum authz_truth owns = engine_owner_of(e, r->uid, path);
    if (authz_decide(chain, n, &subject, owns == AUTHZ_YES, (enum authz_action)action).is_allowed)
        return ALLOWED;
    struct authz_rules best = {s->flat, best_of(chain, n, &subject, s->flat)};
    return authz_decide(&best, 1, &subject, owns != AUTHZ_NO, (enum authz_action)action).is_allowed ? UNSURE : REFUSED;
}

/* ---- records --------------------------------------------------------------------------------------------- */

static int put_flip(struct replay *s, const struct record *r, unsigned action, enum word before, enum word after)
{
    const char *why;
    struct buf *doc = &s->q->doc;
    if (path_check(r->path, &why) &&
        !engine_may(s->q, tree_walk(&s->q->engine->registry->tree, r->path).nearest, r->path, AUTHZ_AUDIT))
        return 0; /* no more than reading the trail would tell */
    s->flips++;
    TRY(doc_map_begin(doc));
    TRY(doc_put_int(doc, "seq", (int64_t)r->seq));
    TRY(engine_put_time(doc, "time", r->wall_us));
    TRY(doc_put_text(doc, "kind", bytes_of_text(record_kind_text(r->kind))));
    TRY(doc_put_int(doc, "uid", r->uid));
    TRY(doc_put_text(doc, "path", r->path));
    TRY(engine_put_actions(doc, "action", action));
    TRY(doc_put_text(doc, "outcome", bytes_of_text(outcome_code(r->outcome))));
    TRY(doc_put_text(doc, "before", bytes_of_text(words[before])));
    TRY(doc_put_text(doc, "after", bytes_of_text(words[after])));
    return doc_map_end(doc);
}

static int on_record(uint64_t seq, struct bytes bytes, void *arg)
{
    struct replay *s = arg;
    struct record r;
    struct registry_texts texts;
    const char *why;
    if (!record_decode(bytes, &r))
        return RAISE(FAULT_CORRUPT);
    registry_record_show(s->q->engine->registry, &r, &texts);
    if (r.wall_us < s->q->m->since_us)
        return TRAIL_ENOUGH;
    if (s->count == REPLAY_MAX_COUNT) {
        s->has_more = true;
        return TRAIL_ENOUGH;
    }
    unsigned action = action_of(&r);
    struct bytes path = r.path.n > 0 ? r.path : BYTES_LITERAL("/registry");
    enum word now = action != 0 && path_check(path, &why) ? judge(s, &r, path, action) : REFUSED;
    size_t at = s->count++;
    s->last = seq;
    if (!s->is_second) {
        s->after[at] = (uint8_t)now;
        return 0;
    }
    return s->after[at] != now ? put_flip(s, &r, action, now, (enum word)s->after[at]) : 0;
}

/* Newest first, from behind `after` on. */
static int replay(struct replay *s)
{
    const struct msg_request *m = s->q->m;
    struct trail *trail = s->q->engine->registry->trail;
    uint64_t size = trail_size(trail) - trail_pending(trail);
    bool has_after = (m->flags & PROTO_HAS_AFTER) != 0;
    s->count = 0;
    if (size == 0 || (has_after && m->match == 0))
        return 0;
    uint64_t first = has_after ? MIN_OF(m->match, size) - 1 : size - 1;
    return trail_read(trail, first, true, on_record, s);
}

/* ---- the proposed policy --------------------------------------------------------------------------------- */

static int make_change(struct engine_req *q, const struct msg_request *m, size_t number)
{
    static char text[256]; /* outlives this call: the reply is written after it */
    static const uint16_t changes[] = {PROTO_OP_ACL_ADD, PROTO_OP_ACL_REMOVE, PROTO_OP_ROLE_ADD, PROTO_OP_ROLE_REMOVE};
    const struct engine_op *op = NULL;
    for (size_t i = 0; i < COUNT_OF(changes); i++)
        op = changes[i] == m->op ? engine_op_find(m->op) : op;
    if (op == NULL)
        return RAISE(FAULT_PROTOCOL);
    struct engine_req change = {.engine = q->engine, .conn = q->conn, .m = m, .doc = q->doc, .is_trial = true};
    engine_begin(&change, op);
    int x = engine_check(&change, op);
    if (x == 0)
        x = op->run(&change);
    buf_clear(&change.doc);
    q->doc = change.doc;
    if (x > 0) {
        struct bytes detail = change.reply.detail;
        int n = snprintf(text, sizeof text, "changes[%zu]%s%.*s", number, detail.n > 0 ? ": " : "",
                         (int)MIN_OF(detail.n, (size_t)200), (const char *)detail.p);
        q->reply.detail = bytes_of(text, (size_t)n);
        q->record.path = change.record.path.n > 0 ? BYTES_LITERAL("/registry") : BYTES_NONE;
    }
    return x;
}

static int make_changes(struct engine_req *q)
{
    struct bytes in = q->m->body, frame;
    uint16_t type;
    size_t used;
    int x = 0;
    for (size_t i = 0; x == 0 && in.n > 0; i++) {
        struct msg_request m;
        if (msg_next(in, &type, &frame, &used) != 0 || type != PROTO_THEN || !msg_request_get(frame, &m))
            return RAISE(FAULT_PROTOCOL);
        in = bytes_from(in, used);
        x = make_change(q, &m, i);
    }
    return x;
}

static int ask_proposed(struct replay *s)
{
    struct registry *r = s->q->engine->registry;
    struct registry_save save;
    TRY(registry_save(r, &save));
    int x = make_changes(s->q);
    if (x == 0)
        x = replay(s);
    int y = registry_drop(r, &save);
    engine_know(s->q); /* the roles of the proposal are gone */
    return y < 0 ? y : x;
}

static int tell(struct replay *s)
{
    static const char *const unknown[] = {"groups", "auth", "address", "unit"};
    struct buf *doc = &s->q->doc;
    s->is_second = true;
    TRY(doc_map_begin(doc));
    TRY(doc_key(doc, "unknown"));
    TRY(doc_list_begin(doc));
    for (size_t i = 0; i < COUNT_OF(unknown); i++)
        TRY(doc_text(doc, bytes_of_text(unknown[i])));
    TRY(doc_list_end(doc));
    TRY(doc_key(doc, "changes"));
    TRY(doc_list_begin(doc));
    TRY(replay(s));
    TRY(doc_list_end(doc));
    TRY(doc_put_int(doc, "records", (int64_t)s->count));
    TRY(doc_key(doc, "next"));
    TRY(s->has_more ? doc_int(doc, (int64_t)s->last) : doc_null(doc));
    return doc_map_end(doc);
}

int op_policy_test(struct engine_req *q)
{
    static char text[64]; /* outlives this call: the record is written after it */
    struct replay s = {.q = q};
    if (!engine_sees(q, q->engine->registry->tree.root, BYTES_LITERAL("/registry"), AUTHZ_AUDIT))
        return OUTCOME_REFUSED;
    q->reply.shape = PROTO_DOC;
    s.flat = calloc(REGISTRY_RULES_MAX_COUNT, sizeof *s.flat);
    s.after = calloc(REPLAY_MAX_COUNT, sizeof *s.after);
    int x = s.flat == NULL || s.after == NULL ? RAISE(-ENOMEM) : ask_proposed(&s);
    if (x == 0)
        x = tell(&s);
    free(s.flat);
    free(s.after);
    snprintf(text, sizeof text, "%zu records, %zu other decisions", s.count, s.flips);
    q->record.detail = bytes_of_text(text);
    return x;
}
