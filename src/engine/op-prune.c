/* op-prune - removing the oldest records of the trail; see engine.h. */
#include <stdio.h>

#include "base/code.h"
#include "engine/engine.h"
#include "model/options.h"

/* Somebody else has to approve where that is configured, or where a rule wants it for deleting. */
static bool is_approved(struct engine_req *q)
{
    return engine_is_approved(q, q->engine->registry->tree.root, BYTES_LITERAL("/registry"), AUTHZ_DELETE) &&
           (q->engine->child->conf.v[OPTION_PRUNE_APPROVAL] == 0 || engine_is_seconded(q));
}

static int put_pruned(struct engine_req *q, const struct prune_statement *s, bool is_done)
{
    char hex[2 * DIGEST_BYTES + 1];
    uint64_t first = is_done ? s->before : trail_first(q->engine->registry->trail);
    q->reply.shape = PROTO_DOC;
    TRY(doc_map_begin(&q->doc));
    TRY(doc_put_int(&q->doc, "removed", (int64_t)(s->before - s->from)));
    TRY(doc_put_int(&q->doc, "first", (int64_t)first));
    if (s->before > s->from) {
        code_hex_text(BYTES_OF(s->root), hex);
        TRY(doc_put_int(&q->doc, "before", (int64_t)s->before));
        TRY(doc_put_text(&q->doc, "root", bytes_of_text(hex)));
    }
    return doc_map_end(&q->doc);
}

int op_prune(struct engine_req *q)
{
    static char detail[PRUNE_TEXT_MAX_BYTES + 16]; /* outlives this call: the record is written after it */
    struct engine *e = q->engine;
    struct prune_statement s = {.from = 0};
    bool is_dry = (q->m->flags & PROTO_DRY_RUN) != 0;
    q->is_trial = is_dry;
    if (!engine_sees(q, e->registry->tree.root, BYTES_LITERAL("/registry"), AUTHZ_CONTROL))
        return OUTCOME_REFUSED;
    int x = trail_plan_prune(e->registry->trail, q->m->match, q->m->until_us, &s);
    TRY(x);
    if (!is_approved(q))
        return OUTCOME_REFUSED;
    if (trail_prunes(e->registry->trail)) {
        q->reply.detail = BYTES_LITERAL("somebody else removes records just now");
        return OUTCOME_BUSY;
    }
    if (e->backup.id != 0) {
        q->reply.detail = BYTES_LITERAL("a backup of it is being taken");
        return OUTCOME_BUSY;
    }
    int n = snprintf(detail, sizeof detail, x == TRAIL_WHOLE ? "nothing to remove" : is_dry ? "dry run: " : "");
    if (x != TRAIL_WHOLE)
        prune_write(&s, detail + n);
    q->record.detail = bytes_of_text(detail);
    if (x == 0 && !is_dry) {
        if (q->was_full)
            trail_shed(e->registry->trail, &s); /* that makes room for saying what goes */
        TRY(registry_prune_trail(e->registry, &s));
        q->is_change = true;
        e->sign.is_wanted = true; /* what it states is signed in the same turn */
    }
    return put_pruned(q, &s, q->is_change);
}
