/* engine-op - the table of operations, and what is the same for all of them; see engine.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "engine/engine.h"
#include "model/path.h"

// clang-format off
static const struct engine_op ops[] = {
    /* operation           record              unlocked path   full          leaf    */
    {PROTO_OP_GET,        RECORD_GET,         true,    true,  FULL_REFUSED, false, op_get},
    {PROTO_OP_LIST,       RECORD_LIST,        true,    true,  FULL_REFUSED, false, op_list},
    {PROTO_OP_HISTORY,    RECORD_HISTORY,     true,    true,  FULL_REFUSED, false, op_history},
    {PROTO_OP_SET,        RECORD_SET,         true,    true,  FULL_REFUSED, false, op_set},
    {PROTO_OP_DELETE,     RECORD_DELETE,      true,    true,  FULL_REFUSED, false, op_delete},
    {PROTO_OP_ACL_SHOW,   RECORD_ACL_SHOW,    true,    true,  FULL_REFUSED, false, op_acl_show},
    {PROTO_OP_ACL_ADD,    RECORD_ACL_ADD,     true,    true,  FULL_REFUSED, false, op_acl_add},
    {PROTO_OP_ACL_REMOVE, RECORD_ACL_REMOVE,  true,    false, FULL_REFUSED, false, op_acl_remove},
    {PROTO_OP_ACL_TEST,   RECORD_ACL_TEST,    true,    true,  FULL_REFUSED, false, op_acl_test},
    {PROTO_OP_AUDIT,      RECORD_AUDIT_READ,  false,   false, FULL_SERVED,  false, op_audit},
    {PROTO_OP_AUDIT_RAW,  RECORD_AUDIT_READ,  false,   false, FULL_SERVED,  false, op_audit_raw},
    {PROTO_OP_HEAD,       RECORD_AUDIT_READ,  false,   false, FULL_SERVED,  false, op_head},
    {PROTO_OP_STATUS,     0,                  false,   false, FULL_SERVED,  false, op_status},
    {PROTO_OP_WHOAMI,     0,                  false,   false, FULL_SERVED,  false, op_whoami},
    {PROTO_OP_UNLOCK,     RECORD_UNLOCK,      false,   false, FULL_REFUSED, false, op_unlock},
    {PROTO_OP_LOCK,       RECORD_LOCK,        true,    false, FULL_REFUSED, false, op_lock},
    {PROTO_OP_RELOAD,     RECORD_RELOAD,      false,   false, FULL_SERVED,  false, op_reload},
    {PROTO_OP_FINGERPRINT,RECORD_PRINT,       true,    true,  FULL_REFUSED, false, op_fingerprint},
    {PROTO_OP_COMPARE,    RECORD_COMPARE,     true,    true,  FULL_REFUSED, true,  op_compare},
    {PROTO_OP_DELETE_TREE,RECORD_DELETE,      true,    true,  FULL_REFUSED, true,  op_delete_tree},
    {PROTO_OP_MOVE,       RECORD_MOVE,        true,    true,  FULL_REFUSED, true,  op_move},
    {PROTO_OP_COPY,       RECORD_COPY,        true,    true,  FULL_REFUSED, true,  op_copy},
    {PROTO_OP_REVERT,     RECORD_REVERT,      true,    true,  FULL_REFUSED, true,  op_revert},
    {PROTO_OP_DESTROY,    RECORD_DESTROY,     true,    true,  FULL_REFUSED, true,  op_destroy},
    {PROTO_OP_TXN,        RECORD_TXN,         true,    false, FULL_REFUSED, false, op_txn},
    {PROTO_OP_LOGIN,      RECORD_LOGIN,       false,   false, FULL_REFUSED, false, op_login},
    {PROTO_OP_SESSIONS,   0,                  false,   false, FULL_SERVED,  false, op_sessions},
    {PROTO_OP_LOGOUT,     RECORD_LOGOUT,      false,   false, FULL_SERVED,  false, op_logout},
    {PROTO_OP_SCHEMA_SHOW,RECORD_SCHEMA_SHOW, true,    true,  FULL_REFUSED, false, op_schema_show},
    {PROTO_OP_SCHEMA_SET, RECORD_SCHEMA_SET,  true,    true,  FULL_REFUSED, false, op_schema_set},
    {PROTO_OP_SCHEMA_REMOVE, RECORD_SCHEMA_REMOVE, true, true, FULL_REFUSED, false, op_schema_remove},
    {PROTO_OP_SCHEMA_CHECK, RECORD_SCHEMA_CHECK, true, true,  FULL_REFUSED, false, op_schema_check},
    {PROTO_OP_WATCH,      RECORD_WATCH,       true,    true,  FULL_REFUSED, false, op_watch},
    {PROTO_OP_SLOTS,      RECORD_SLOT_LIST,   false,   false, FULL_REFUSED, false, op_slots},
    {PROTO_OP_SLOT_ADD,   RECORD_SLOT_ADD,    true,    false, FULL_REFUSED, false, op_slot_add},
    {PROTO_OP_SLOT_REMOVE,RECORD_SLOT_REMOVE, true,    false, FULL_REFUSED, false, op_slot_remove},
    {PROTO_OP_REKEY,      RECORD_REKEY,       true,    false, FULL_REFUSED, false, op_rekey},
    {PROTO_OP_ROTATE,     RECORD_ROTATE,      true,    false, FULL_REFUSED, false, op_rotate},
    {PROTO_OP_BACKUP,     RECORD_BACKUP,      true,    false, FULL_REFUSED, false, op_backup},
    {PROTO_OP_BACKUP_PART,0,                  true,    false, FULL_REFUSED, false, op_backup_part},
    {PROTO_OP_BACKUP_END, RECORD_BACKUP,      false,   false, FULL_REFUSED, false, op_backup_end},
    {PROTO_OP_ROLES_SHOW, RECORD_ROLE_SHOW,   true,    false, FULL_REFUSED, false, op_roles_show},
    {PROTO_OP_ROLE_ADD,   RECORD_ROLE_ADD,    true,    false, FULL_REFUSED, false, op_role_add},
    {PROTO_OP_ROLE_REMOVE,RECORD_ROLE_REMOVE, true,    false, FULL_REFUSED, false, op_role_remove},
    {PROTO_OP_EXPLAIN,    RECORD_EXPLAIN,     true,    true,  FULL_REFUSED, false, op_explain},
    {PROTO_OP_APPROVALS,  RECORD_APPROVALS,   true,    false, FULL_REFUSED, false, op_approvals},
    {PROTO_OP_APPROVE,    RECORD_APPROVE,     true,    false, FULL_TRIED,   false, op_approve},
    {PROTO_OP_REJECT,     RECORD_REJECT,      true,    false, FULL_REFUSED, false, op_reject},
    {PROTO_OP_BREAK_GLASS,RECORD_BREAK_GLASS, true,    true,  FULL_REFUSED, false, op_break_glass},
    {PROTO_OP_POLICY_TEST,RECORD_POLICY_TEST, true,    false, FULL_REFUSED, false, op_policy_test},
    {PROTO_OP_PROVE,      RECORD_AUDIT_READ,  true,    false, FULL_SERVED,  false, op_prove},
    {PROTO_OP_FOLLOW,     RECORD_AUDIT_READ,  false,   false, FULL_SERVED,  false, op_follow},
    {PROTO_OP_PRUNE,      RECORD_PRUNE,       true,    false, FULL_TRIED,   false, op_prune},
};
// clang-format on

const struct engine_op *engine_op_find(unsigned op)
{
    /* rows stand in the order of the numbers, which begin with 1 */
    return op >= 1 && op <= COUNT_OF(ops) ? &ops[op - 1] : NULL;
}

/* ---- who may --------------------------------------------------------------------------------------------- */

struct authz_subject engine_subject(struct engine *e, struct engine_conn *conn)
{
    const struct peer *p = &conn->peer;
    struct authz_subject s = {.is_anonymous = p->is_anonymous,
                              .uid = p->uid,
                              .gid = p->gid,
                              .groups = p->groups,
                              .groups_count = p->groups_count,
                              .unit = bytes_of_text(p->unit),
                              .label = bytes_of_text(p->label),
                              .is_unit_unknown = !p->is_unit_known,
                              .is_label_unknown = !p->is_label_known};
    registry_membership(e->registry, &s, &conn->roles);
    registry_put_roles(e->registry, &conn->roles, &e->role_names, &s);
    return s;
}

/* A client on a UNIX socket has no address. */
struct authz_facts engine_facts(struct engine *e)
{
    return (struct authz_facts){.now_us = e->turn_wall.us,
                                .has_now = true,
                                .auth = AUTHZ_AUTH_PEER,
                                .address = {.kind = AUTHZ_ADDRESS_NONE},
                                .unit_is_active = engine_unit_is_active,
                                .unit_arg = e};
}

bool engine_owns(const struct engine_req *q, struct bytes path)
{
    struct bytes owner = path_owner(path);
    if (owner.n == 0 || q->subject.is_anonymous || !q->conn->user->is_known)
        return false;
    return bytes_equal(owner, bytes_of_text(q->conn->user->name));
}

static struct authz_decision decide(const struct engine_req *q, const struct node *nearest, struct bytes path,
                                    enum authz_action action)
{
    struct authz_rules chain[AUTHZ_CHAIN_MAX_COUNT];
    size_t n = node_chain(nearest, chain);
    return authz_decide(chain, n, &q->subject, engine_owns(q, path), action);
}

bool engine_may(const struct engine_req *q, const struct node *nearest, struct bytes path, enum authz_action action)
{
    return decide(q, nearest, path, action).is_allowed;
}

bool engine_sees(struct engine_req *q, const struct node *nearest, struct bytes path, enum authz_action action)
{
    struct authz_decision d = decide(q, nearest, path, action);
    q->record.rule = d.rule;
    return d.is_allowed;
}

bool engine_allows(struct engine_req *q, const struct node *nearest, struct bytes path, enum authz_action action)
{
    return engine_sees(q, nearest, path, action) && engine_is_approved(q, nearest, path, action);
}

/* ---- one request ----------------------------------------------------------------------------------------- */

void engine_know(struct engine_req *q)
{
    q->engine->units.count = 0;
    q->subject = engine_subject(q->engine, q->conn);
    q->facts = engine_facts(q->engine);
    q->subject.facts = &q->facts;
}

void engine_begin(struct engine_req *q, const struct engine_op *op)
{
    const struct peer *p = &q->conn->peer;
    engine_know(q);
    q->record = (struct record){.wall_us = q->engine->turn_wall.us,
                                .mono_us = loop_now(q->engine->child->loop).us,
                                .kind = op->kind,
                                .request = q->m->request,
                                .uid = p->uid,
                                .gid = p->gid,
                                .pid = (uint32_t)p->pid,
                                .unit = bytes_of_text(p->unit),
                                .label = bytes_of_text(p->label)};
}

int engine_check(struct engine_req *q, const struct engine_op *op)
{
    const char *why;
    struct engine *e = q->engine;
    int r = q->m->session.n > 0 ? logins_identify(q) : 0;
    if (r != 0)
        return r;
    if (op->wants_path && !path_check(q->m->path, &why)) {
        q->reply.detail = bytes_of_text(why);
        return OUTCOME_BAD_PATH;
    }
    if (op->wants_path)
        q->record.path = q->m->path;
    if (q->m->reason.n > META_REASON_MAX_BYTES || q->m->comment.n > META_COMMENT_MAX_BYTES)
        return OUTCOME_TOO_LARGE;
    if (!text_is_utf8(q->m->reason) || !text_is_utf8(q->m->comment))
        return OUTCOME_BAD_REQUEST;
    if (op->wants_unlocked && registry_is_locked(e->registry))
        return OUTCOME_LOCKED;
    if (e->is_full && op->when_full != FULL_SERVED) {
        if (op->when_full != FULL_TRIED && !clock_mono_passed(loop_now(e->child->loop), e->full_retry))
            return OUTCOME_FULL;
        q->was_full = true;
        e->is_full = false; /* try again; a turn that fails for the same reason sets it anew */
    }
    return 0;
}

static int put_record(struct engine_req *q, const struct engine_op *op, int outcome)
{
    struct engine *e = q->engine;
    if (op->kind == 0 || q->is_recorded || q->is_unrecorded)
        return 0;
    if (e->is_full) {
        e->unrecorded++;
        return 0;
    }
    q->record.outcome = (uint16_t)outcome;
    return engine_record(q, q->is_change && (outcome == 0 || outcome == OUTCOME_PENDING));
}

int engine_record_leaf(struct engine_req *q, const struct registry_done *done, struct bytes path)
{
    struct registry *r = q->engine->registry;
    if (trail_room(r->trail) < RECORD_MAX_BYTES + ENGINE_RECORD_ROOM_BYTES)
        return OUTCOME_TOO_LARGE;
    q->record.outcome = OUTCOME_DONE;
    q->record.path = path;
    q->record.version_before = done->version_before;
    q->record.version_after = done->version_after;
    q->record.commitment.n = RECORD_HASH_BYTES;
    memcpy(q->record.commitment.h, done->commitment, RECORD_HASH_BYTES);
    q->is_recorded = true;
    return engine_record(q, true);
}

int engine_note_recovery(struct engine *e)
{
    char text[96];
    if ((e->unrecorded == 0 && !e->is_full_told) || e->is_full)
        return 0;
    snprintf(text, sizeof text, "%llu operations not itemised while the storage was full",
             (unsigned long long)e->unrecorded);
    TRY(engine_record_own(e, RECORD_STORE_FULL, bytes_of_text(text)));
    e->noted = e->unrecorded;
    e->unrecorded = 0;
    e->tells_recovery = e->is_full_told;
    e->is_full_told = false;
    return 0;
}

static int run(struct engine_req *q, const struct engine_op *op)
{
    bool has_share = engine_take_request(q);
    int outcome = has_share ? engine_check(q, op) : OUTCOME_LIMIT;
    int r = engine_note_recovery(q->engine);
    if (r == 0 && outcome == 0)
        outcome = op->run(q);
    if (r == 0 && outcome > 0 && q->waits)
        outcome = engine_wait(q);
    if (r < 0 || outcome < 0)
        return registry_turn_fail(q->engine->registry, r < 0 ? r : outcome);
    r = has_share ? put_record(q, op, outcome) : 0;
    if (r < 0 || q->is_deferred)
        return r;
    q->reply.outcome = (uint16_t)outcome;
    q->reply.revision = q->engine->registry->state.revision;
    if (outcome != 0) {
        q->reply.shape = PROTO_EMPTY;
        q->reply.body = BYTES_NONE;
    } else if (q->reply.shape != PROTO_EMPTY && q->reply.shape != PROTO_VALUE) {
        q->reply.body = buf_view(&q->doc);
    }
    return engine_put_reply(q->engine, q->conn->front, &q->reply, op->when_full == FULL_SERVED);
}

int engine_request(struct engine *e, unsigned front, struct bytes body)
{
    struct msg_request m;
    if (!msg_request_get(body, &m) || e->asked_count == ENGINE_TURN_MAX_COUNT)
        return RAISE(FAULT_PROTOCOL);
    struct engine_conn *conn = engine_conn_find(e, m.conn);
    const struct engine_op *op = engine_op_find(m.op);
    if (conn == NULL || conn->front != front || !conn->is_handed || op == NULL || op->is_leaf)
        return RAISE(FAULT_PROTOCOL);
    if (engine_sweep(e) < 0)
        LOG_DEBUG("what has expired cannot be deleted"); /* and the turn has failed */
    struct engine_req q = {.engine = e, .conn = conn, .m = &m};
    q.reply.conn = m.conn;
    q.reply.request = m.request;
    q.doc = e->doc; /* lent: a listing would otherwise grow a new one page by page */
    engine_begin(&q, op);
    e->asked[e->asked_count++] = (struct engine_asked){front, m.conn, m.request, m.op, op->when_full == FULL_SERVED};
    int r = e->registry->failed == 0 ? run(&q, op) : 0; /* a turn that has failed can only answer that */
    buf_clear(&q.doc);
    buf_shrink(&q.doc, ENGINE_DOC_KEEP_BYTES);
    e->doc = q.doc;
    if (r < 0)
        LOG_DEBUG("turn fails: %s", fault_text(r)); /* said once, with its origin, when the turn ends */
    return 0;
}
