/*
 * op-prove - proofs about the trail: of one record, of what made a version of an entry, and that it was only added to;
 * see engine.h.
 */
#include "base/log.h"
#include "engine/engine.h"
#include "engine/watch.h"
#include "model/path.h"
#include "trail/proof.h"

/* ---- the record of a version ----------------------------------------------------------------------------- */

/* Among the records of one revision, the one of the entry: whatever changes many leaves one for each. */
struct find {
    struct registry *registry;
    struct bytes path;
    uint64_t version, revision, seq;
    size_t looked;
    bool is_found;
};

/* A revision begins with the records of the change that made it; reads without number may follow them. */
enum { LOOK_MAX_COUNT = 2 * ENGINE_TREE_MAX_COUNT };

static int look(uint64_t seq, struct bytes bytes, void *arg)
{
    struct find *f = arg;
    struct record r;
    struct registry_texts texts;
    if (!record_decode(bytes, &r))
        return RAISE(FAULT_CORRUPT);
    if (r.revision > f->revision || f->looked++ == LOOK_MAX_COUNT)
        return TRAIL_ENOUGH;
    if (r.revision != f->revision || r.outcome != 0 || r.state.n == 0)
        return 0;
    registry_record_show(f->registry, &r, &texts);
    f->is_found = bytes_equal(r.path, f->path) && r.version_after == f->version;
    f->seq = seq;
    return f->is_found ? TRAIL_ENOUGH : 0;
}

/* Which version is asked for, and the revision that it made. Returns 0, an outcome, or a fault. */
static int find_version(struct engine_req *q, struct find *f)
{
    struct registry_value v;
    struct tree_walk w = engine_walk(q);
    if (!engine_allows(q, w.nearest, q->m->path, AUTHZ_READ))
        return engine_refusal(q, &w);
    if (w.node == NULL || w.node->entry == NULL || (q->m->version == 0 && !node_is_live(w.node)))
        return OUTCOME_NOT_FOUND;
    f->version = q->m->version != 0 ? q->m->version : w.node->entry->version;
    f->revision = w.node->entry->revision;
    if (f->version == w.node->entry->version)
        return 0;
    int x = registry_get_version(q->engine->registry, w.node, f->version, &v);
    f->revision = x == 0 ? v.revision : 0;
    return x;
}

static int is_gone(struct engine_req *q)
{
    q->reply.detail = BYTES_LITERAL("the records that it would be made of were removed from the trail");
    return OUTCOME_GONE;
}

static int find_record(struct engine_req *q, uint64_t *ret_seq)
{
    struct trail *trail = q->engine->registry->trail;
    struct find f = {.registry = q->engine->registry, .path = q->m->path};
    const char *why;
    uint64_t first;
    if (!path_check(q->m->path, &why))
        return OUTCOME_BAD_PATH;
    q->record.path = q->m->path;
    int x = find_version(q, &f);
    if (x != 0)
        return x;
    TRY(watch_find(trail, f.revision - 1, &first));
    TRY(trail_read(trail, first, false, look, &f));
    q->record.version_before = q->record.version_after = f.version;
    *ret_seq = f.seq;
    bool is_cut = false;
    if (!f.is_found)
        TRY(watch_is_cut(trail, f.revision - 1, &is_cut));
    if (is_cut)
        return is_gone(q);
    if (f.is_found || trail_pending(trail) == 0)
        return f.is_found ? 0 : OUTCOME_NOT_FOUND;
    q->reply.detail = BYTES_LITERAL("it was changed just now: ask again"); /* in this very turn, which is not settled */
    return OUTCOME_BUSY;
}

/* ---- the proof ------------------------------------------------------------------------------------------- */

/* What is asked for, and the signed head that it is proven against. */
static int make_proof(struct engine_req *q, struct proof *p, const struct trail_head *head, struct buf *out)
{
    struct buf note;
    struct trail *trail = q->engine->registry->trail;
    buf_init(&note, CHECKPOINT_NOTE_MAX_BYTES);
    int x =
        p->extends ? trail_prove_extends(trail, p->at, &p->hashes) : trail_prove(trail, p->at, &p->hashes, &p->record);
    if (x == 0)
        x = registry_checkpoint(q->engine->registry, head, &note);
    p->note = buf_view(&note);
    if (x == 0)
        x = proof_write(out, p);
    buf_fini(&note);
    return x;
}

static int put_proof(struct engine_req *q, const struct proof *p, struct bytes text, uint64_t size)
{
    q->reply.shape = PROTO_DOC;
    TRY(doc_map_begin(&q->doc));
    TRY(doc_put_int(&q->doc, "size", (int64_t)size));
    TRY(doc_put_text(&q->doc, "proof", text));
    if (!p->extends)
        TRY(doc_put_int(&q->doc, "record", (int64_t)p->at));
    if (q->record.version_after > 0)
        TRY(doc_put_int(&q->doc, "version", (int64_t)q->record.version_after));
    return doc_map_end(&q->doc);
}

int op_prove(struct engine_req *q)
{
    struct trail_head head;
    struct proof p = {.extends = (q->m->flags & PROTO_EXTENDS) != 0, .at = q->m->match};
    struct buf text;
    bool is_entry = q->m->path.n > 0;
    q->record.detail = p.extends  ? BYTES_LITERAL("proof of an earlier head")
                       : is_entry ? BYTES_LITERAL("proof of a version")
                                  : BYTES_LITERAL("proof of a record");
    int x = is_entry ? find_record(q, &p.at) : engine_may_audit(q) ? 0 : OUTCOME_REFUSED;
    if (x != 0)
        return x;
    TRY(trail_sync(q->engine->registry->trail)); /* power loss must not take what is signed */
    TRY(trail_head(q->engine->registry->trail, &head));
    if (p.extends ? p.at == 0 || p.at > head.size : p.at >= head.size) {
        q->reply.detail = BYTES_LITERAL("the trail has no such record");
        return OUTCOME_NOT_FOUND;
    }
    if (p.at < trail_first(q->engine->registry->trail))
        return is_gone(q);
    buf_init(&text, PROOF_MAX_BYTES);
    x = make_proof(q, &p, &head, &text);
    if (x == TRAIL_UNPROVABLE)
        LOG_ERROR("what is stored beside the records of the trail does not belong to them: have it verified");
    else if (x == 0)
        x = put_proof(q, &p, buf_view(&text), head.size);
    buf_fini(&text);
    return x == TRAIL_UNPROVABLE ? OUTCOME_CORRUPT : x;
}
