/* op-entry - reading, listing and changing entries, for a caller with rights; see engine.h. */
#include <errno.h>
#include <string.h>

#include "engine/engine.h"
#include "model/path.h"
#include "model/value.h"

int engine_refusal(struct engine_req *q, const struct tree_walk *w)
{
    bool is_there = w->node != NULL && (node_is_live(w->node) || node_is_folder(w->node));
    if (!is_there || w->node->parent == NULL)
        return OUTCOME_NOT_FOUND;
    struct bytes parent = path_parent(q->m->path);
    return engine_may(q, w->node->parent, parent, AUTHZ_LIST) ? OUTCOME_REFUSED : OUTCOME_NOT_FOUND;
}

struct tree_walk engine_walk(const struct engine_req *q)
{
    return tree_walk(&q->engine->registry->tree, q->m->path);
}

int engine_put_time(struct buf *doc, const char *key, int64_t us)
{
    char text[CLOCK_TEXT_BYTES];
    clock_wall_text((struct wall_time){us}, text);
    return doc_put_text(doc, key, bytes_of_text(text));
}

/* ---- get ------------------------------------------------------------------------------------------------- */

/* Numbers and truth values are JSON's own; a value has passed value_check(), so its text is a JSON text then. */
int engine_put_value(struct buf *doc, const struct registry_value *v)
{
    TRY(doc_key(doc, "value"));
    switch (v->type) {
    case VALUE_STRING:
        return doc_text(doc, v->body);
    case VALUE_BINARY:
        return doc_blob(doc, v->body);
    default:
        return doc_json(doc, v->body);
    }
}

int engine_put_tags(struct buf *doc, struct bytes tags)
{
    TRY(doc_key(doc, "tags"));
    TRY(doc_list_begin(doc));
    while (tags.n > 0) {
        size_t n = bytes_find(tags, '\n');
        TRY(doc_text(doc, bytes_head(tags, n)));
        tags = bytes_from(tags, n + 1);
    }
    return doc_list_end(doc);
}

int engine_put_expires(struct buf *doc, int64_t us)
{
    if (us != 0)
        return engine_put_time(doc, "expires", us);
    TRY(doc_key(doc, "expires"));
    return doc_null(doc);
}

static int put_entry(struct engine_req *q, const struct entry *e, const struct registry_value *v)
{
    struct buf *doc = &q->doc;
    TRY(doc_map_begin(doc));
    TRY(doc_put_text(doc, "path", q->m->path));
    TRY(doc_put_text(doc, "type", bytes_of_text(value_type_text(v->type))));
    TRY(doc_put_bool(doc, "sealed", (v->flags & ENTRY_SEALED) != 0));
    TRY(doc_put_int(doc, "version", (int64_t)v->version));
    TRY(doc_put_int(doc, "size", (int64_t)v->size_bytes));
    TRY(engine_put_value(doc, v));
    TRY(engine_put_time(doc, "created", e != NULL ? e->created_us : v->changed_us));
    TRY(doc_put_int(doc, "created_by", e != NULL ? e->created_by : v->changed_by));
    TRY(engine_put_time(doc, "changed", v->changed_us));
    TRY(doc_put_int(doc, "changed_by", v->changed_by));
    TRY(doc_put_text(doc, "reason", v->reason));
    TRY(doc_put_text(doc, "comment", v->comment));
    TRY(engine_put_tags(doc, v->tags));
    TRY(engine_put_expires(doc, v->expires_us));
    if (e == NULL)
        TRY(doc_put_bool(doc, "default", true));
    return doc_map_end(doc);
}

int op_get(struct engine_req *q)
{
    struct registry *r = q->engine->registry;
    struct tree_walk w = engine_walk(q);
    struct registry_value v;
    bool wants_entry = (q->m->flags & PROTO_WANTS_ENTRY) != 0;
    if (!engine_allows(q, w.nearest, q->m->path, AUTHZ_READ))
        return engine_refusal(q, &w);
    if (w.node == NULL)
        return OUTCOME_NOT_FOUND;
    if (!node_is_live(w.node) && node_is_folder(w.node))
        return OUTCOME_IS_FOLDER;
    int x = q->m->version != 0 ? registry_get_version(r, w.node, q->m->version, &v)
                               : registry_get(r, w.node, wants_entry, &v);
    bool is_default = x == OUTCOME_NOT_FOUND && q->m->version == 0 && engine_default(w.node, &v);
    if (x != 0 && !is_default)
        return x;
    q->record.version_before = q->record.version_after = v.version;
    q->reply.version = v.version;
    q->reply.type = (uint8_t)v.type;
    q->reply.is_sealed = (v.flags & ENTRY_SEALED) != 0;
    if (wants_entry) {
        q->reply.shape = PROTO_DOC;
        return put_entry(q, is_default ? NULL : w.node->entry, &v);
    }
    q->reply.shape = PROTO_VALUE;
    q->reply.body = v.body;
    return 0;
}

/* ---- history --------------------------------------------------------------------------------------------- */

static int on_version(const struct registry_value *v, void *arg)
{
    struct buf *doc = arg;
    TRY(doc_map_begin(doc));
    TRY(doc_put_int(doc, "version", (int64_t)v->version));
    TRY(doc_put_text(doc, "type", bytes_of_text(value_type_text(v->type))));
    TRY(doc_put_bool(doc, "sealed", (v->flags & ENTRY_SEALED) != 0));
    TRY(doc_put_bool(doc, "deleted", (v->flags & ENTRY_DELETED) != 0));
    TRY(doc_put_bool(doc, "destroyed", (v->flags & ENTRY_SHREDDED) != 0));
    TRY(doc_put_int(doc, "size", (int64_t)v->size_bytes));
    TRY(engine_put_time(doc, "changed", v->changed_us));
    TRY(doc_put_int(doc, "changed_by", v->changed_by));
    TRY(doc_put_text(doc, "reason", v->reason));
    TRY(doc_put_int(doc, "revision", (int64_t)v->revision));
    return doc_map_end(doc);
}

int op_history(struct engine_req *q)
{
    struct tree_walk w = engine_walk(q);
    struct buf *doc = &q->doc;
    if (!engine_allows(q, w.nearest, q->m->path, AUTHZ_LIST))
        return engine_refusal(q, &w);
    if (w.node == NULL || w.node->entry == NULL)
        return OUTCOME_NOT_FOUND;
    q->reply.shape = PROTO_DOC;
    TRY(doc_map_begin(doc));
    TRY(doc_put_text(doc, "path", q->m->path));
    TRY(doc_key(doc, "versions"));
    TRY(doc_list_begin(doc));
    int x = registry_history(q->engine->registry, w.node, on_version, doc);
    if (x != 0)
        return x;
    TRY(doc_list_end(doc));
    return doc_map_end(doc);
}

/* ---- set and delete -------------------------------------------------------------------------------------- */

int engine_check_match(const struct engine_req *q, const struct node *node)
{
    bool is_live = node != NULL && node_is_live(node);
    if ((q->m->flags & PROTO_MATCH_ABSENT) != 0 && is_live)
        return OUTCOME_EXISTS;
    if ((q->m->flags & PROTO_MATCH_VERSION) != 0 && (!is_live || node->entry->version != q->m->match))
        return OUTCOME_CONFLICT;
    return 0;
}

static int check_value(struct engine_req *q, unsigned type)
{
    const char *why;
    if (!value_check(type, q->m->body, &why)) {
        q->reply.detail = bytes_of_text(why);
        return q->m->body.n > VALUE_MAX_BYTES ? OUTCOME_TOO_LARGE : OUTCOME_BAD_VALUE;
    }
    bool is_json = (q->m->flags & PROTO_IS_JSON) != 0, is_list = (q->m->flags & PROTO_IS_LIST) != 0;
    if ((type == VALUE_JSON && !is_json) || (type == VALUE_LIST && !is_list)) {
        q->reply.detail = type == VALUE_JSON ? BYTES_LITERAL("the entry holds a JSON text")
                                             : BYTES_LITERAL("the entry holds a JSON list of strings");
        return OUTCOME_BAD_VALUE;
    }
    return 0;
}

static int put_done(struct engine_req *q, const struct registry_done *done)
{
    struct buf *doc = &q->doc;
    q->is_change = true;
    q->record.version_before = done->version_before;
    q->record.version_after = done->version_after;
    q->record.commitment.n = RECORD_HASH_BYTES;
    memcpy(q->record.commitment.h, done->commitment, RECORD_HASH_BYTES);
    q->reply.shape = PROTO_DOC;
    q->reply.version = done->version_after;
    q->reply.is_created = done->is_created;
    TRY(doc_map_begin(doc));
    TRY(doc_put_text(doc, "path", q->m->path));
    TRY(doc_put_int(doc, "version", (int64_t)done->version_after));
    TRY(doc_put_int(doc, "revision", (int64_t)q->engine->registry->state.revision));
    return doc_map_end(doc);
}

struct registry_actor engine_actor(const struct engine_req *q)
{
    struct registry_actor actor = {.uid = q->conn->peer.uid, .now_us = q->engine->turn_wall.us, .reason = q->m->reason};
    engine_fill_share(q, &actor);
    return actor;
}

int op_set(struct engine_req *q)
{
    struct tree_walk w = engine_walk(q);
    struct registry_done done;
    struct registry_actor actor = engine_actor(q);
    unsigned f = q->m->flags;
    struct registry_put put = {.type = (f & PROTO_KEEP_TYPE) != 0 ? 0 : q->m->type,
                               .seals = (f & PROTO_SEAL) != 0,
                               .unseals = (f & PROTO_UNSEAL) != 0,
                               .has_comment = (f & PROTO_HAS_COMMENT) != 0,
                               .has_tags = (f & PROTO_HAS_TAGS) != 0,
                               .has_expires = (f & PROTO_HAS_EXPIRES) != 0,
                               .expires_us = q->m->expires_us,
                               .tags = q->m->tags,
                               .comment = q->m->comment,
                               .body = q->m->body};
    q->record.detail = q->m->reason;
    if (!engine_allows(q, w.nearest, q->m->path, AUTHZ_WRITE))
        return OUTCOME_REFUSED; /* the same whether the entry exists or not */
    if ((put.seals && put.unseals) || !meta_tags_check(put.tags))
        return OUTCOME_BAD_REQUEST;
    if (put.has_expires && put.expires_us != 0 && put.expires_us <= actor.now_us) {
        q->reply.detail = BYTES_LITERAL("it would have expired already");
        return OUTCOME_BAD_VALUE;
    }
    if (w.node != NULL && node_is_live(w.node) && (w.node->entry->flags & ENTRY_CORRUPT) != 0)
        return OUTCOME_CORRUPT;
    int x = check_value(q, registry_set_type(&w, put.type));
    if (x == 0)
        x = engine_check_match(q, w.node);
    if (x == 0)
        x = registry_set(q->engine->registry, q->m->path, &actor, &put, &done);
    if (x == OUTCOME_BAD_VALUE && q->reply.detail.n == 0)
        q->reply.detail = bytes_of_text(q->engine->registry->why);
    return x != 0 ? x : put_done(q, &done);
}

int op_delete(struct engine_req *q)
{
    struct tree_walk w = engine_walk(q);
    struct registry_done done;
    struct registry_actor actor = engine_actor(q);
    q->record.detail = q->m->reason;
    if (!engine_allows(q, w.nearest, q->m->path, AUTHZ_DELETE))
        return engine_refusal(q, &w);
    if (w.node == NULL || !node_is_live(w.node))
        return w.node != NULL && node_is_folder(w.node) ? OUTCOME_IS_FOLDER : OUTCOME_NOT_FOUND;
    int x = engine_check_match(q, w.node);
    if (x == 0)
        x = registry_delete(q->engine->registry, w.node, &actor, &done);
    return x != 0 ? x : put_done(q, &done);
}
