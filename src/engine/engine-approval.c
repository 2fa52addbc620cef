/*
 * engine-approval - requests that a second person has to approve; see engine.h.
 *
 * A rule with the effect `approve` on a path or above it wants a second person for a write, a delete or a grant there.
 * It is asked where every change asks for its right, so no way of changing things goes around it: what would be allowed
 * is refused, with a note that it only waits, and the whole request is then kept as it came, with who asked. When
 * somebody else approves, it is done again from the start as its author's: rights, conditions, versions and values are
 * judged as they are then, and at every place that wants a second person it is asked whether this one will do.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "engine/engine.h"
#include "model/path.h"
#include "model/schema-json.h"

enum { FRAME_PERSON = 1, FRAME_REQUEST = 2 };

/* ---- who may approve ------------------------------------------------------------------------------------- */

/* `any` stands for whoever may edit the rules of the place. */
static bool will_do(const struct authz_rule *rule, const struct authz_subject *approver,
                    const struct authz_rules *chain, size_t chain_count)
{
    if (rule->who.kind == AUTHZ_ANY)
        return authz_decide(chain, chain_count, approver, false, AUTHZ_GRANT).is_allowed;
    return authz_matches(&rule->who, approver);
}

/* Whether the approver will do for all rules of the chain that want one for these actions; nobody does for none. */
static bool is_enough(const struct authz_rules *chain, size_t chain_count, const struct authz_subject *approver,
                      unsigned actions)
{
    for (size_t i = 0; i < chain_count; i++) {
        for (size_t k = 0; k < chain[i].count; k++) {
            const struct authz_rule *rule = &chain[i].rules[k];
            if (rule->effect == AUTHZ_APPROVE && (rule->actions & actions) != 0 &&
                (approver == NULL || !will_do(rule, approver, chain, chain_count)))
                return false;
        }
    }
    return true;
}

/* The first place that wants a second person is the one that counts. */
static void wait_at(struct engine_req *q, struct bytes path)
{
    if (q->waits)
        return;
    assert(path.n <= sizeof q->waits_storage);
    memcpy(q->waits_storage, path.p, path.n);
    q->waits_path = bytes_of(q->waits_storage, path.n);
    q->waits = true;
}

bool engine_is_approved(struct engine_req *q, const struct node *nearest, struct bytes path, enum authz_action action)
{
    struct authz_rules chain[AUTHZ_CHAIN_MAX_COUNT];
    if (((unsigned)action & AUTHZ_APPROVABLE) == 0 || q->is_trial)
        return true;
    size_t n = node_chain(nearest, chain);
    if (is_enough(chain, n, q->approver != NULL ? &q->approver->subject : NULL, (unsigned)action))
        return true;
    wait_at(q, path);
    return false;
}

bool engine_is_seconded(struct engine_req *q)
{
    struct authz_rules chain[AUTHZ_CHAIN_MAX_COUNT];
    size_t n = node_chain(q->engine->registry->tree.root, chain);
    if (q->is_trial ||
        (q->approver != NULL && authz_decide(chain, n, &q->approver->subject, false, AUTHZ_CONTROL).is_allowed))
        return true;
    wait_at(q, BYTES_LITERAL("/registry"));
    return false;
}

bool engine_may_approve(const struct engine_req *q, struct bytes path, uint32_t uid)
{
    struct authz_rules chain[AUTHZ_CHAIN_MAX_COUNT];
    if (q->subject.is_anonymous || q->subject.uid == uid)
        return false;
    struct tree_walk w = tree_walk(&q->engine->registry->tree, path);
    size_t n = node_chain(w.nearest, chain);
    bool wants_some = !is_enough(chain, n, NULL, AUTHZ_APPROVABLE);
    return wants_some ? is_enough(chain, n, &q->subject, AUTHZ_APPROVABLE)
                      : engine_may(q, w.nearest, path, AUTHZ_GRANT);
}

/* ---- keeping --------------------------------------------------------------------------------------------- */

static int put_person(struct buf *out, const struct engine_conn *conn)
{
    const struct peer *p = &conn->peer;
    struct msg_person m = {.uid = p->uid,
                           .gid = p->gid,
                           .pid = (uint32_t)p->pid,
                           .groups = bytes_of(p->groups, p->groups_count * sizeof p->groups[0]),
                           .unit = bytes_of_text(p->unit),
                           .label = bytes_of_text(p->label),
                           .is_unit_known = p->is_unit_known,
                           .is_label_known = p->is_label_known,
                           .user = bytes_of_text(conn->user->is_known ? conn->user->name : "")};
    return msg_person_put(out, FRAME_PERSON, &m);
}

static int keep(struct engine_req *q, int64_t expires_us, uint64_t *ret_id)
{
    struct buf body;
    struct registry_approval a = {.path = q->waits_path,
                                  .op = q->m->op,
                                  .uid = q->conn->peer.uid,
                                  .created_us = q->engine->turn_wall.us,
                                  .expires_us = expires_us};
    struct msg_request request = *q->m;
    request.session = BYTES_NONE; /* it ends; who approves is what counts later */
    buf_init_wiping(&body, REGISTRY_APPROVAL_MAX_BYTES);
    int x = put_person(&body, q->conn);
    if (x == 0)
        x = msg_request_put(&body, FRAME_REQUEST, &request);
    if (x == FAULT_LIMIT)
        x = OUTCOME_TOO_LARGE;
    if (x == 0)
        x = registry_approval_add(q->engine->registry, &a, buf_view(&body), ret_id);
    buf_fini(&body);
    return x;
}

int engine_wait(struct engine_req *q)
{
    static char text[96]; /* outlives this call: record and reply are written after it */
    char time[CLOCK_TEXT_BYTES];
    int64_t expires_us = q->engine->turn_wall.us + ENGINE_APPROVAL_US;
    uint64_t id = 0;
    assert(q->waits && q->approver == NULL);
    int x = keep(q, expires_us, &id);
    if (x == OUTCOME_LIMIT)
        q->reply.detail = BYTES_LITERAL("too many requests wait for approval");
    if (x != 0)
        return x;
    clock_wall_text((struct wall_time){expires_us}, time);
    snprintf(text, sizeof text, "approval %llu, until %s", (unsigned long long)id, time);
    q->reply.detail = bytes_of_text(text);
    q->reply.version = id;
    q->record.path = q->waits_path;
    q->record.detail = q->reply.detail;
    q->is_change = true;
    return OUTCOME_PENDING;
}

int engine_record(struct engine_req *q, bool is_change)
{
    char text[RECORD_TEXT_MAX_BYTES];
    struct bytes detail = q->record.detail;
    if (q->approver == NULL)
        return registry_record(q->engine->registry, &q->record, is_change);
    int n = snprintf(text, sizeof text, "approval %llu by uid:%u%s%.*s", (unsigned long long)q->approver->id,
                     q->approver->subject.uid, detail.n > 0 ? ": " : "", BYTES_PRINT(detail));
    assert(n > 0 && (size_t)n < sizeof text); /* details are shorter by that much */
    q->record.detail = bytes_of(text, (size_t)n);
    int x = registry_record(q->engine->registry, &q->record, is_change);
    q->record.detail = detail;
    return x;
}

/* ---- what is kept ---------------------------------------------------------------------------------------- */

/* The author as he was, and what he asked for; views into the body. */
struct kept {
    struct engine_conn author;
    struct engine_user user;
    struct msg_request request;
};

static bool read_author(struct bytes frame, struct kept *k)
{
    struct msg_person m;
    struct peer *p = &k->author.peer;
    if (!msg_person_get(frame, &m) || m.groups.n > sizeof p->groups || m.groups.n % sizeof p->groups[0] != 0 ||
        !text_copy(p->unit, sizeof p->unit, m.unit) || !text_copy(p->label, sizeof p->label, m.label) ||
        !text_copy(k->user.name, sizeof k->user.name, m.user))
        return false;
    p->uid = m.uid;
    p->gid = m.gid;
    p->pid = (pid_t)m.pid;
    p->groups_count = m.groups.n / sizeof p->groups[0];
    if (m.groups.n > 0)
        memcpy(p->groups, m.groups.p, m.groups.n);
    p->is_unit_known = m.is_unit_known;
    p->is_label_known = m.is_label_known;
    k->user.uid = m.uid;
    k->user.is_known = m.user.n > 0;
    k->author.user = &k->user;
    return true;
}

static bool read_kept(struct bytes body, struct kept *k)
{
    uint16_t type;
    size_t used;
    struct bytes frame;
    *k = (struct kept){.author = {.number = 0}};
    if (msg_next(body, &type, &frame, &used) != 0 || type != FRAME_PERSON || !read_author(frame, k))
        return false;
    body = bytes_from(body, used);
    return msg_next(body, &type, &frame, &used) == 0 && type == FRAME_REQUEST && used == body.n &&
           msg_request_get(frame, &k->request);
}

/* One that the caller may know of: his own, or one that he may approve. `k` and views in it live as long as `body`. */
static int open_kept(struct engine_req *q, uint8_t path[static 512], struct buf *body, struct registry_approval *a,
                     struct kept *k)
{
    int x = registry_approval_get(q->engine->registry, q->m->version, path, body, a);
    if (x != 0)
        return x;
    q->record.path = a->path;
    if (a->uid != q->conn->peer.uid && !engine_may_approve(q, a->path, a->uid))
        return OUTCOME_NOT_FOUND;
    return read_kept(buf_view(body), k) ? 0 : OUTCOME_CORRUPT;
}

/* ---- showing --------------------------------------------------------------------------------------------- */

static const char *op_text(unsigned op)
{
    static const char *const texts[] = {
#define TEXT_(name, number, text) [number] = text,
        PROTO_OP_LIST(TEXT_)
#undef TEXT_
    };
    return op < COUNT_OF(texts) && texts[op] != NULL ? texts[op] : "unknown";
}

static int put_text_if(struct buf *doc, const char *key, struct bytes text)
{
    return text.n > 0 ? doc_put_text(doc, key, text) : 0;
}

/* The value that would be stored, for those who may read there; not if it would be sealed. */
static int put_value(struct engine_req *q, const struct msg_request *m)
{
    struct tree_walk w = tree_walk(&q->engine->registry->tree, m->path);
    bool is_sealed = (m->flags & PROTO_SEAL) != 0 ||
                     (w.node != NULL && node_is_live(w.node) && (w.node->entry->flags & ENTRY_SEALED) != 0);
    TRY(doc_put_int(&q->doc, "size", (int64_t)m->body.n));
    TRY(doc_put_bool(&q->doc, "sealed", is_sealed));
    if (is_sealed || !engine_may(q, w.nearest, m->path, AUTHZ_READ))
        return 0;
    TRY(doc_key(&q->doc, "value"));
    return text_is_utf8(m->body) ? doc_text(&q->doc, m->body) : doc_blob(&q->doc, m->body);
}

static int put_request(struct engine_req *q, const struct msg_request *m)
{
    struct buf *doc = &q->doc;
    TRY(doc_map_begin(doc));
    TRY(doc_put_text(doc, "op", bytes_of_text(op_text(m->op))));
    TRY(put_text_if(doc, "path", m->path));
    TRY(put_text_if(doc, "to", m->to));
    TRY(put_text_if(doc, "principal", m->after));
    if (m->op == PROTO_OP_SET) {
        TRY(put_value(q, m));
    } else if (m->op == PROTO_OP_ACL_ADD) {
        TRY(doc_put_text(doc, "effect", m->body));
        TRY(doc_put_text(doc, "actions", m->comment));
        TRY(put_text_if(doc, "condition", m->name));
    } else if (m->op == PROTO_OP_ROLE_ADD || m->op == PROTO_OP_ROLE_REMOVE) {
        TRY(doc_put_text(doc, "role", m->name));
    } else if (m->op == PROTO_OP_SCHEMA_SET) {
        struct schema schema;
        TRY(doc_key(doc, "schema"));
        TRY(schema_decode(m->body, &schema) ? schema_put_doc(doc, &schema) : doc_null(doc));
    } else if (m->op == PROTO_OP_PRUNE) {
        TRY(m->match < UINT64_MAX ? doc_put_int(doc, "before", (int64_t)m->match)
                                  : engine_put_time(doc, "before", m->until_us));
    } else if (m->version != 0) {
        TRY(doc_put_int(doc, m->op == PROTO_OP_ACL_REMOVE ? "rule" : "version", (int64_t)m->version));
    }
    TRY(put_text_if(doc, "reason", m->reason));
    return doc_map_end(doc);
}

/* The parts of a transaction, or the one request. */
static int put_requests(struct engine_req *q, const struct msg_request *m)
{
    struct bytes in = m->body, frame;
    uint16_t type;
    size_t used;
    struct msg_request leaf;
    TRY(doc_key(&q->doc, "requests"));
    TRY(doc_list_begin(&q->doc));
    if (m->op != PROTO_OP_TXN)
        TRY(put_request(q, m));
    while (m->op == PROTO_OP_TXN && in.n > 0) {
        if (msg_next(in, &type, &frame, &used) != 0 || !msg_request_get(frame, &leaf))
            return RAISE(FAULT_CORRUPT);
        TRY(put_request(q, &leaf));
        in = bytes_from(in, used);
    }
    return doc_list_end(&q->doc);
}

static int put_head(struct engine_req *q, const struct registry_approval *a)
{
    struct buf *doc = &q->doc;
    TRY(doc_put_int(doc, "id", (int64_t)a->id));
    TRY(doc_put_text(doc, "path", a->path));
    TRY(doc_put_text(doc, "op", bytes_of_text(op_text(a->op))));
    TRY(doc_put_int(doc, "uid", a->uid));
    TRY(engine_put_time(doc, "created", a->created_us));
    return engine_put_time(doc, "expires", a->expires_us);
}

static int on_approval(const struct registry_approval *a, void *arg)
{
    struct engine_req *q = arg;
    const char *why;
    if (!path_check(a->path, &why) || (a->uid != q->conn->peer.uid && !engine_may_approve(q, a->path, a->uid)))
        return 0;
    TRY(doc_map_begin(&q->doc));
    TRY(put_head(q, a));
    return doc_map_end(&q->doc);
}

static int show_one(struct engine_req *q)
{
    static uint8_t path[PATH_MAX_BYTES]; /* outlives this call: the record is written after it */
    struct registry_approval a;
    struct kept k;
    struct buf body;
    buf_init_wiping(&body, REGISTRY_APPROVAL_MAX_BYTES);
    int x = open_kept(q, path, &body, &a, &k);
    if (x == 0)
        x = doc_map_begin(&q->doc);
    if (x == 0)
        x = put_head(q, &a);
    if (x == 0)
        x = put_requests(q, &k.request);
    if (x == 0)
        x = doc_map_end(&q->doc);
    buf_fini(&body);
    return x;
}

int op_approvals(struct engine_req *q)
{
    q->reply.shape = PROTO_DOC;
    if (q->m->version != 0)
        return show_one(q);
    TRY(doc_map_begin(&q->doc));
    TRY(doc_key(&q->doc, "approvals"));
    TRY(doc_list_begin(&q->doc));
    TRY(registry_approval_each(q->engine->registry, on_approval, q));
    TRY(doc_list_end(&q->doc));
    return doc_map_end(&q->doc);
}

/* ---- approving and rejecting ----------------------------------------------------------------------------- */

static struct engine_approver approver_of(struct engine_req *q, uint64_t id)
{
    struct engine_approver a = {.subject = q->subject, .id = id};
    registry_put_roles(q->engine->registry, &q->conn->roles, &q->engine->approver_names, &a.subject);
    return a;
}

/* Does the request as its author's. Returns 0, its outcome, or a fault. */
static int do_kept(struct engine_req *q, struct kept *k)
{
    struct engine_approver approver = approver_of(q, q->m->version);
    const struct engine_op *op = engine_op_find(k->request.op);
    if (op == NULL || op->is_leaf)
        return RAISE(FAULT_CORRUPT);
    k->request.request = q->m->request;
    struct engine_req author = {
        .engine = q->engine, .conn = &k->author, .m = &k->request, .approver = &approver, .was_full = q->was_full};
    author.doc = q->doc;
    engine_begin(&author, op);
    int x = engine_check(&author, op);
    if (x == 0)
        x = op->run(&author);
    if (x == 0 && !author.is_recorded)
        x = engine_record(&author, author.is_change);
    buf_clear(&author.doc);
    q->doc = author.doc;
    engine_know(q);
    q->reply.detail = author.reply.detail;
    if (x > 0 && author.waits)
        q->reply.detail = BYTES_LITERAL("somebody else has to approve it, at another place that it changes");
    return x;
}

static void note(struct engine_req *q, const struct registry_approval *a)
{
    static char text[64]; /* outlives this call: the record is written after it */
    snprintf(text, sizeof text, "approval %llu of uid:%u", (unsigned long long)a->id, a->uid);
    q->record.detail = bytes_of_text(text);
}

/* The request is done with: approved and done, rejected, or withdrawn. */
static int finish(struct engine_req *q, const struct registry_approval *a)
{
    int x = registry_approval_remove(q->engine->registry, a->id);
    if (x != 0)
        return x;
    q->is_change = true;
    q->reply.shape = PROTO_DOC;
    TRY(doc_map_begin(&q->doc));
    TRY(doc_put_int(&q->doc, "id", (int64_t)a->id));
    TRY(doc_put_int(&q->doc, "revision", (int64_t)q->engine->registry->state.revision));
    return doc_map_end(&q->doc);
}

static int settle(struct engine_req *q,
                  int (*decide)(struct engine_req *q, struct registry_approval *a, struct kept *k))
{
    static uint8_t path[PATH_MAX_BYTES]; /* as above */
    struct registry_approval a;
    struct kept k;
    struct buf body;
    buf_init_wiping(&body, REGISTRY_APPROVAL_MAX_BYTES);
    int x = open_kept(q, path, &body, &a, &k);
    if (x == 0) {
        note(q, &a);
        x = decide(q, &a, &k);
    }
    if (x == 0)
        x = finish(q, &a);
    buf_fini(&body);
    return x;
}

static int approve(struct engine_req *q, struct registry_approval *a, struct kept *k)
{
    if (a->uid == q->conn->peer.uid) {
        q->reply.detail = BYTES_LITERAL("somebody else has to approve it");
        return OUTCOME_REFUSED;
    }
    return do_kept(q, k);
}

static int reject(struct engine_req *q, struct registry_approval *a, struct kept *k)
{
    (void)q; /* whoever may know of it may end it: its author too */
    (void)a;
    (void)k;
    return 0;
}

int op_approve(struct engine_req *q)
{
    return settle(q, approve);
}

int op_reject(struct engine_req *q)
{
    return settle(q, reject);
}
