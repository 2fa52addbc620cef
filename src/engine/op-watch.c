/* op-watch - the beginning of a watch; what is told afterwards is watch.c's. See engine.h and watch.h. */
#include <stdio.h>

#include "engine/watch.h"

/* Where a watch begins that wants what came after a revision. Returns 0, OUTCOME_GONE, or a fault. */
static int find_cursor(struct engine_req *q, uint64_t *ret_cursor)
{
    const struct registry *r = q->engine->registry;
    if (q->m->match > r->state.revision) {
        q->reply.detail = BYTES_LITERAL("the tree has not been at that revision: it is another one, or an older copy");
        return OUTCOME_GONE;
    }
    /* nothing came after the newest one: no need to search */
    if (q->m->match == r->state.revision) {
        *ret_cursor = trail_size(r->trail);
        return 0;
    }
    bool is_cut;
    TRY(watch_is_cut(r->trail, q->m->match, &is_cut));
    if (!is_cut)
        return watch_find(r->trail, q->m->match, ret_cursor);
    q->reply.detail = BYTES_LITERAL("changes behind that revision were removed from the trail");
    return OUTCOME_GONE;
}

int op_watch(struct engine_req *q)
{
    static char detail[64]; /* outlives this call: the record is written after it */
    const struct registry *r = q->engine->registry;
    bool has_since = (q->m->flags & PROTO_HAS_REVISION) != 0, has_values = (q->m->flags & PROTO_VALUES) != 0;
    uint64_t revision = has_since ? q->m->match : r->state.revision;
    uint64_t cursor = trail_size(r->trail); /* what this turn has changed before is not new */
    int n = has_since ? snprintf(detail, sizeof detail, "since %llu", (unsigned long long)revision) : 0;
    snprintf(detail + n, sizeof detail - (size_t)n, "%s%s", n > 0 && has_values ? ", " : "",
             has_values ? "values" : "");
    q->record.detail = bytes_of_text(detail);
    struct tree_walk w = engine_walk(q);
    if (!engine_allows(q, w.nearest, q->m->path, AUTHZ_LIST))
        return engine_refusal(q, &w);
    if (q->engine->is_stopping)
        return OUTCOME_UNAVAILABLE;
    int x = has_since ? find_cursor(q, &cursor) : 0;
    if (x == 0)
        x = watches_add(q, cursor, revision);
    if (x == 0)
        q->reply.shape = PROTO_STREAM;
    return x;
}
