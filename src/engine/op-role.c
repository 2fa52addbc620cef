/*
 * op-role - roles and their members: showing, adding, removing; see engine.h.
 *
 * A role may be named by rules anywhere, so who is in it is decided where everything is: with the right `grant` on
 * /registry.
 */
#include <stdio.h>

#include "engine/engine.h"

static int put_member(struct buf *doc, const struct registry_member *m)
{
    TRY(doc_map_begin(doc));
    TRY(doc_put_int(doc, "id", (int64_t)m->id));
    TRY(doc_put_text(doc, "role", m->role));
    TRY(doc_put_text(doc, "principal", m->principal));
    TRY(engine_put_time(doc, "created", m->created_us));
    TRY(doc_put_int(doc, "created_by", m->created_by));
    return doc_map_end(doc);
}

int op_roles_show(struct engine_req *q)
{
    const struct registry *r = q->engine->registry;
    const struct registry_member *m;
    size_t count, i = 0, end = SIZE_MAX;
    if (!engine_sees(q, r->tree.root, BYTES_LITERAL("/registry"), AUTHZ_GRANT))
        return OUTCOME_REFUSED;
    if (q->m->name.n > 0) {
        i = registry_role_members(r, q->m->name, &count);
        if (count == 0)
            return OUTCOME_NOT_FOUND;
        end = i + count;
    }
    q->reply.shape = PROTO_DOC;
    q->reply.version = r->state.policy;
    TRY(doc_map_begin(&q->doc));
    TRY(doc_put_int(&q->doc, "policy", (int64_t)q->engine->registry->state.policy));
    TRY(doc_key(&q->doc, "members"));
    TRY(doc_list_begin(&q->doc));
    for (; i < end && (m = registry_member_at(r, i)) != NULL; i++)
        TRY(put_member(&q->doc, m));
    TRY(doc_list_end(&q->doc));
    return doc_map_end(&q->doc);
}

/* What both edits check, and say in the trail: "web-admins uid:1000". Returns 0 or an outcome. */
static int begin_edit(struct engine_req *q)
{
    static char text[AUTHZ_PRINCIPAL_MAX_BYTES + 64]; /* outlives this call: the record is written after it */
    q->is_trial = q->is_trial || (q->m->flags & PROTO_DRY_RUN) != 0;
    q->record.path = BYTES_LITERAL("/registry");
    if (!engine_allows(q, q->engine->registry->tree.root, BYTES_LITERAL("/registry"), AUTHZ_GRANT))
        return OUTCOME_REFUSED;
    if (!registry_role_check(q->m->name) || !registry_member_check(q->m->after)) {
        q->reply.detail = registry_role_check(q->m->name) ? BYTES_LITERAL("a member is uid:, gid:, unit: or label:")
                                                          : BYTES_LITERAL("not the name of a role");
        return OUTCOME_BAD_REQUEST;
    }
    snprintf(text, sizeof text, "%s%.*s %.*s", engine_dry_text(q), BYTES_PRINT(q->m->name), BYTES_PRINT(q->m->after));
    q->record.detail = bytes_of_text(text);
    return 0;
}

static int add_member(struct engine_req *q, uint64_t *ret_id)
{
    struct registry_actor actor = engine_actor(q);
    return registry_member_add(q->engine->registry, q->m->name, q->m->after, &actor, ret_id);
}

static int remove_member(struct engine_req *q, uint64_t *ret_id)
{
    return registry_member_remove(q->engine->registry, q->m->name, q->m->after, ret_id);
}

int op_role_add(struct engine_req *q)
{
    int x = begin_edit(q);
    return x != 0 ? x : engine_edit_policy(q, BYTES_LITERAL("/registry"), add_member);
}

int op_role_remove(struct engine_req *q)
{
    int x = begin_edit(q);
    return x != 0 ? x : engine_edit_policy(q, BYTES_LITERAL("/registry"), remove_member);
}
