/*
 * op-txn - transactions: comparisons, and one of two lists of operations, all of it or nothing; see engine.h.
 *
 * The body is a run of frames, each a request of its own: it is checked, decided and done as if it had come alone, with
 * a record of its own, inside a part of the turn that is taken back when one of them cannot be done. Invariant: either
 * every leaf of the branch took place and is recorded, or none is and the record of the transaction says which refused.
 */
#include <stdio.h>
#include <string.h>

#include "engine/engine.h"
#include "model/path.h"

struct txn {
    struct engine_req *q;
    size_t counts[PROTO_ELSE + 1]; /* leaves seen, by part */
    bool holds;                    /* every comparison so far */
};

static const char *const part_names[] = {[PROTO_COMPARE] = "compare", [PROTO_THEN] = "then", [PROTO_ELSE] = "else"};

/* ---- comparisons ----------------------------------------------------------------------------------------- */

static int compare_value(struct engine_req *q, const struct node *n, bool *ret_holds)
{
    struct registry_value v;
    if (n == NULL || !node_is_live(n))
        return 0;
    int x = registry_get(q->engine->registry, n, false, &v);
    if (x != 0)
        return x;
    *ret_holds = bytes_equal(v.body, q->m->body) && (q->m->type == 0 || q->m->type == v.type);
    return 0;
}

static int compare_print(struct engine_req *q, const struct node *n, bool *ret_holds)
{
    uint8_t digest[DIGEST_BYTES];
    uint64_t count;
    if (n == NULL || !node_is_folder(n))
        return 0;
    int x = engine_fingerprint(q, n, digest, &count);
    if (x == 0)
        *ret_holds = bytes_equal(BYTES_OF(digest), q->m->body);
    return x;
}

int op_compare(struct engine_req *q)
{
    uint32_t f = q->m->flags;
    bool needs_read = (f & (PROTO_MATCH_VALUE | PROTO_MATCH_PRINT)) != 0;
    struct tree_walk w = engine_walk(q);
    bool is_live = w.node != NULL && node_is_live(w.node);
    if (!engine_allows(q, w.nearest, q->m->path, needs_read ? AUTHZ_READ : AUTHZ_LIST))
        return engine_refusal(q, &w);
    if ((f & PROTO_MATCH_VALUE) != 0)
        return compare_value(q, w.node, &q->holds);
    if ((f & PROTO_MATCH_PRINT) != 0)
        return compare_print(q, w.node, &q->holds);
    if ((f & PROTO_MATCH_VERSION) != 0)
        q->holds = is_live && w.node->entry->version == q->m->match;
    else
        q->holds = is_live == ((f & PROTO_MATCH_PRESENT) != 0);
    return 0;
}

/* ---- leaves ---------------------------------------------------------------------------------------------- */

static bool is_leaf_op(unsigned part, unsigned op)
{
    static const uint16_t ops[] = {PROTO_OP_GET,  PROTO_OP_SET,  PROTO_OP_DELETE, PROTO_OP_DELETE_TREE,
                                   PROTO_OP_MOVE, PROTO_OP_COPY, PROTO_OP_REVERT, PROTO_OP_DESTROY};
    if (part == PROTO_COMPARE)
        return op == PROTO_OP_COMPARE;
    for (size_t i = 0; i < COUNT_OF(ops); i++) {
        if (ops[i] == op)
            return true;
    }
    return false;
}

static int record_leaf(struct engine_req *leaf)
{
    if (leaf->is_recorded)
        return 0;
    if (trail_room(leaf->engine->registry->trail) < RECORD_MAX_BYTES + ENGINE_RECORD_ROOM_BYTES)
        return OUTCOME_TOO_LARGE;
    return engine_record(leaf, leaf->is_change);
}

/* Says which leaf it was, in front of what it says itself. */
static void blame(struct txn *t, const struct engine_req *leaf, unsigned part)
{
    static char text[640]; /* outlives this call: the reply is written after it */
    struct bytes path = leaf->m->path, more = leaf->reply.detail;
    int n = snprintf(text, sizeof text, "%s[%zu] %.*s%s%.*s", part_names[part], t->counts[part],
                     (int)MIN_OF(path.n, (size_t)PATH_MAX_BYTES), (const char *)path.p, more.n > 0 ? ": " : "",
                     (int)MIN_OF(more.n, (size_t)80), (const char *)more.p);
    t->q->reply.detail = bytes_of(text, n < 0 ? 0 : MIN_OF((size_t)n, sizeof text - 1));
    t->q->record.path = leaf->record.path.n > 0 ? path : BYTES_NONE; /* none: it is no path */
    t->q->record.rule = leaf->record.rule;
    t->q->record.detail = bytes_head(t->q->reply.detail, bytes_find(t->q->reply.detail, ' '));
}

/* Its reply is left out of the results unless it is of the branch. */
static int run_leaf(struct txn *t, unsigned part, const struct msg_request *m)
{
    const struct engine_op *op = engine_op_find(m->op);
    if (op == NULL || !is_leaf_op(part, m->op))
        return RAISE(FAULT_PROTOCOL);
    struct engine_req leaf = {.engine = t->q->engine,
                              .conn = t->q->conn,
                              .m = m,
                              .doc = t->q->doc,
                              .approver = t->q->approver,
                              .is_trial = (t->q->m->flags & PROTO_DRY_RUN) != 0};
    engine_begin(&leaf, op);
    leaf.session = t->q->session;
    leaf.facts = t->q->facts;
    int x = engine_check(&leaf, op);
    if (x == 0)
        x = op->run(&leaf);
    if (x == 0)
        x = record_leaf(&leaf);
    t->q->doc = leaf.doc;
    if (x > 0)
        blame(t, &leaf, part);
    if (x > 0 && leaf.waits) {
        t->q->waits = true;
        memcpy(t->q->waits_storage, leaf.waits_path.p, leaf.waits_path.n);
        t->q->waits_path = bytes_of(t->q->waits_storage, leaf.waits_path.n);
    }
    if (part == PROTO_COMPARE)
        t->holds = t->holds && leaf.holds;
    return x;
}

/* Every leaf of one part; those of other parts are only counted and checked for their form. */
static int run_part(struct txn *t, unsigned part)
{
    struct bytes in = t->q->m->body, body;
    uint16_t type;
    size_t used;
    int x = 0;
    t->counts[part] = 0;
    while (x == 0 && in.n > 0) {
        struct msg_request m;
        if (msg_next(in, &type, &body, &used) != 0 || type < PROTO_COMPARE || type > PROTO_ELSE ||
            !msg_request_get(body, &m))
            return RAISE(FAULT_PROTOCOL);
        in = bytes_from(in, used);
        if (type != part)
            continue;
        m.request = t->q->m->request;
        m.reason = t->q->m->reason;
        x = run_leaf(t, part, &m);
        t->counts[part]++;
    }
    return x;
}

static int run_all(struct txn *t)
{
    struct buf *doc = &t->q->doc;
    int x = run_part(t, PROTO_COMPARE);
    if (x != 0)
        return x;
    TRY(doc_map_begin(doc));
    TRY(doc_put_bool(doc, "succeeded", t->holds));
    TRY(doc_put_bool(doc, "dry_run", (t->q->m->flags & PROTO_DRY_RUN) != 0));
    TRY(doc_key(doc, "results"));
    TRY(doc_list_begin(doc));
    x = run_part(t, t->holds ? PROTO_THEN : PROTO_ELSE);
    if (x != 0)
        return x;
    TRY(doc_list_end(doc));
    TRY(doc_put_int(doc, "revision", (int64_t)t->q->engine->registry->state.revision));
    return doc_map_end(doc);
}

int op_txn(struct engine_req *q)
{
    static char detail[64]; /* outlives this call: the record is written after it */
    struct registry_save save;
    struct registry *r = q->engine->registry;
    struct txn t = {.q = q, .holds = true};
    bool is_dry = (q->m->flags & PROTO_DRY_RUN) != 0, wanted_scrub = q->engine->wants_scrub;
    TRY(registry_save(r, &save));
    int x = run_all(&t);
    TRY(x);
    if (x == 0 && !is_dry) {
        TRY(registry_keep(r));
    } else {
        q->engine->wants_scrub = wanted_scrub;
        TRY(registry_drop(r, &save));
    }
    if (x != 0)
        return x;
    snprintf(detail, sizeof detail, "%s, %zu compared, %zu done%s", t.holds ? "then" : "else", t.counts[PROTO_COMPARE],
             t.counts[t.holds ? PROTO_THEN : PROTO_ELSE], is_dry ? ", dry run" : "");
    q->record.detail = bytes_of_text(detail);
    q->reply.shape = PROTO_DOC;
    return 0;
}
