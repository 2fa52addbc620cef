/* op-entry - reading, listing and changing entries, for a caller with rights; see engine.h. */
#include <errno.h>
#include <string.h>

#include "registry/engine.h"
#include "registry/path.h"
#include "registry/value.h"

enum { LIST_LIMIT_MAX_COUNT = 1000, LIST_LIMIT_COUNT = 1000 };

/*
 * A refusal must not tell whether the entry exists, unless the caller may list the folder it is in.
 * Returns OUTCOME_REFUSED if the caller may see that the node is live, else OUTCOME_NOT_FOUND.
 */
static int refusal(struct engine_req *q, const struct tree_walk *w)
{
    bool is_there = w->node != NULL && (node_is_live(w->node) || node_is_folder(w->node));
    if (!is_there || w->node->parent == NULL)
        return OUTCOME_NOT_FOUND;
    struct bytes parent = path_parent(q->m->path);
    return engine_may(q, w->node->parent, parent, AUTHZ_LIST) ? OUTCOME_REFUSED : OUTCOME_NOT_FOUND;
}

static struct tree_walk walk(const struct engine_req *q)
{
    return tree_walk(&q->engine->registry->tree, q->m->path);
}

static int put_time(struct buf *doc, const char *key, int64_t us)
{
    char text[CLOCK_TEXT_BYTES];
    clock_wall_text((struct wall_time){us}, text);
    return doc_put_text(doc, key, bytes_of_text(text));
}

/* ---- get ------------------------------------------------------------------------------------------------- */

/* Numbers and truth values are JSON's own; a value has passed value_check(), so its text is a JSON text then. */
static int put_value(struct buf *doc, const struct registry_value *v)
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

static int put_entry(struct engine_req *q, const struct entry *e, const struct registry_value *v)
{
    struct buf *doc = &q->doc;
    TRY(doc_map_begin(doc));
    TRY(doc_put_text(doc, "path", q->m->path));
    TRY(doc_put_text(doc, "type", bytes_of_text(value_type_text(v->type))));
    TRY(doc_put_bool(doc, "sealed", (v->flags & ENTRY_SEALED) != 0));
    TRY(doc_put_int(doc, "version", (int64_t)v->version));
    TRY(doc_put_int(doc, "size", (int64_t)v->size_bytes));
    TRY(put_value(doc, v));
    TRY(put_time(doc, "created", e->created_us));
    TRY(doc_put_int(doc, "created_by", e->created_by));
    TRY(put_time(doc, "changed", v->changed_us));
    TRY(doc_put_int(doc, "changed_by", v->changed_by));
    TRY(doc_put_text(doc, "reason", v->reason));
    TRY(doc_put_text(doc, "comment", bytes_of_text(e->comment)));
    return doc_map_end(doc);
}

int op_get(struct engine_req *q)
{
    struct registry *r = q->engine->registry;
    struct tree_walk w = walk(q);
    struct registry_value v;
    bool wants_entry = (q->m->flags & PROTO_WANTS_ENTRY) != 0;
    if (!engine_allows(q, w.nearest, q->m->path, AUTHZ_READ))
        return refusal(q, &w);
    if (w.node == NULL)
        return OUTCOME_NOT_FOUND;
    if (!node_is_live(w.node) && node_is_folder(w.node))
        return OUTCOME_IS_FOLDER;
    int x = q->m->version != 0 ? registry_get_version(r, w.node, q->m->version, &v)
                               : registry_get(r, w.node, wants_entry, &v);
    if (x != 0)
        return x;
    q->record.version_before = q->record.version_after = v.version;
    q->reply.version = v.version;
    q->reply.type = (uint8_t)v.type;
    q->reply.is_sealed = (v.flags & ENTRY_SEALED) != 0;
    if (wants_entry) {
        q->reply.shape = PROTO_DOC;
        return put_entry(q, w.node->entry, &v);
    }
    q->reply.shape = PROTO_VALUE;
    q->reply.body = v.body;
    return 0;
}

/* ---- list ------------------------------------------------------------------------------------------------ */

struct listing {
    struct engine_req *q;
    size_t left;
    bool is_recursive, is_plain, is_long, has_more,
        may_list; /* may_list: holds for children without rules of their own */
    struct bytes base;
    uint8_t last[PATH_MAX_BYTES];
    size_t last_bytes;
};

/* May the caller see this child? Children without rules of their own inherit the answer of their folder. */
static bool sees(const struct listing *l, const struct node *child, bool inherited)
{
    uint8_t path[PATH_MAX_BYTES];
    bool owner_matters =
        child->parent != NULL && child->parent->parent != NULL && child->parent->parent->parent == NULL;
    if (child->rules_count == 0 && !owner_matters)
        return inherited;
    return engine_may(l->q, child, node_path(child, path), AUTHZ_LIST);
}

static int put_name(struct listing *l, const struct node *n, struct bytes name)
{
    TRY(buf_append(&l->q->doc, name));
    return buf_append_text(&l->q->doc, node_is_live(n) ? "\n" : "/\n");
}

static int put_row(struct listing *l, const struct node *n, const char *key, struct bytes name)
{
    struct buf *doc = &l->q->doc;
    const struct entry *e = n->entry;
    if (l->is_plain)
        return put_name(l, n, name);
    TRY(doc_map_begin(doc));
    TRY(doc_put_text(doc, key, name));
    if (!node_is_live(n)) {
        TRY(doc_put_bool(doc, "folder", true));
        return doc_map_end(doc);
    }
    if ((e->flags & ENTRY_CORRUPT) != 0) {
        TRY(doc_put_bool(doc, "corrupt", true));
        return doc_map_end(doc);
    }
    TRY(doc_put_text(doc, "type", bytes_of_text(value_type_text(e->type))));
    TRY(doc_put_int(doc, "version", (int64_t)e->version));
    TRY(doc_put_bool(doc, "sealed", (e->flags & ENTRY_SEALED) != 0));
    if (l->is_long) {
        TRY(doc_put_int(doc, "size", e->size_bytes));
        TRY(put_time(doc, "changed", e->changed_us));
    }
    return doc_map_end(doc);
}

static int add_row(struct listing *l, const struct node *n, const char *key, struct bytes name)
{
    if (l->left == 0) {
        l->has_more = true;
        return TRAIL_ENOUGH;
    }
    l->left--;
    memcpy(l->last, name.p, name.n);
    l->last_bytes = name.n;
    return put_row(l, n, key, name);
}

static int on_child(struct node *child, void *arg)
{
    struct listing *l = arg;
    if ((!node_is_live(child) && !node_is_folder(child)) || !sees(l, child, l->may_list))
        return 0;
    return add_row(l, child, "name", node_name(child));
}

/* One folder on the way down of a recursive listing. */
struct level {
    const struct node *folder;
    struct bytes after; /* name of the child visited last, or named by the caller; it need not exist (any more) */
    bool may_list;
};

/* Where to go on behind path `after`: the levels down to it, of which the first is there. Returns the depth. */
static size_t resume(const struct listing *l, struct bytes after, struct level *levels)
{
    size_t depth = 1;
    struct bytes rest = bytes_from(after, l->base.n);
    while (rest.n > 0 && depth < PATH_DEPTH_MAX_COUNT) {
        struct level *v = &levels[depth - 1];
        struct bytes name = path_next(&rest);
        uint8_t path[PATH_MAX_BYTES];
        struct bytes folder = node_path(v->folder, path);
        const struct node *child = NULL;
        v->after = name;
        if (folder.n + 1 + name.n <= PATH_MAX_BYTES) {
            path[folder.n] = '/';
            memcpy(path + folder.n + 1, name.p, name.n);
            child = tree_walk(&l->q->engine->registry->tree, bytes_of(path, folder.n + 1 + name.n)).node;
        }
        if (child == NULL)
            break;                           /* whatever was below it is gone: go on with the names behind it */
        if (rest.n > 0 || child->live > 0) { /* what is below a path stands behind it */
            levels[depth] = (struct level){child, BYTES_NONE, sees(l, child, v->may_list)};
            depth++;
        }
    }
    return depth;
}

static int visit(struct listing *l, const struct node *n, bool is_seen)
{
    uint8_t path[PATH_MAX_BYTES];
    if (!node_is_live(n) || !is_seen)
        return 0;
    return add_row(l, n, "path", node_path(n, path));
}

/* Depth first, in the byte order of names within each folder; only entries, each with its path. */
static int list_below(struct listing *l, const struct node *base, struct bytes after)
{
    struct level levels[PATH_DEPTH_MAX_COUNT + 1];
    size_t depth = 1;
    levels[0] = (struct level){base, BYTES_NONE, l->may_list};
    if (after.n > 0)
        depth = resume(l, after, levels);
    while (depth > 0) {
        struct level *v = &levels[depth - 1];
        const struct node *child = node_child_after(v->folder, v->after);
        if (child == NULL) {
            depth--;
            continue;
        }
        v->after = node_name(child);
        bool is_seen = sees(l, child, v->may_list);
        int x = visit(l, child, is_seen);
        if (x != 0)
            return x;
        if (child->live > 0 && depth <= PATH_DEPTH_MAX_COUNT)
            levels[depth++] = (struct level){child, BYTES_NONE, is_seen};
    }
    return 0;
}

static int put_rows(struct listing *l, const struct node *folder)
{
    struct bytes after = l->q->m->after;
    int x = l->is_recursive ? list_below(l, folder, after) : node_each_child(folder, after, on_child, l);
    return x < 0 ? x : 0;
}

static int put_listing(struct listing *l, const struct node *folder)
{
    struct engine_req *q = l->q;
    struct buf *doc = &q->doc;
    if (l->is_plain) {
        static uint8_t next[PATH_MAX_BYTES]; /* outlives this call: the reply is written after it */
        TRY(put_rows(l, folder));
        memcpy(next, l->last, l->last_bytes);
        q->reply.detail = bytes_of(next, l->has_more ? l->last_bytes : 0);
        return 0;
    }
    TRY(doc_map_begin(doc));
    TRY(doc_put_text(doc, "path", q->m->path));
    TRY(doc_key(doc, "entries"));
    TRY(doc_list_begin(doc));
    TRY(put_rows(l, folder));
    TRY(doc_list_end(doc));
    TRY(doc_key(doc, "next"));
    TRY(l->has_more ? doc_text(doc, bytes_of(l->last, l->last_bytes)) : doc_null(doc));
    return doc_map_end(doc);
}

int op_list(struct engine_req *q)
{
    struct tree_walk w = walk(q);
    struct listing l = {.q = q, .left = LIST_LIMIT_COUNT, .is_recursive = (q->m->flags & PROTO_RECURSIVE) != 0};
    const char *why;
    if (!engine_allows(q, w.nearest, q->m->path, AUTHZ_LIST))
        return refusal(q, &w);
    if (w.node == NULL || !node_is_folder(w.node))
        return w.node != NULL && node_is_live(w.node) ? OUTCOME_NOT_FOLDER : OUTCOME_NOT_FOUND;
    if (q->m->version > LIST_LIMIT_MAX_COUNT ||
        (l.is_recursive && q->m->after.n > 0 &&
         (!path_check(q->m->after, &why) || !path_is_within(q->m->after, q->m->path))))
        return OUTCOME_BAD_REQUEST;
    if (q->m->version > 0)
        l.left = (size_t)q->m->version;
    l.may_list = true;
    l.base = q->m->path;
    l.is_long = (q->m->flags & PROTO_LONG) != 0;
    l.is_plain = (q->m->flags & PROTO_PLAIN) != 0;
    q->reply.shape = l.is_plain ? PROTO_TEXT : PROTO_DOC;
    return put_listing(&l, w.node);
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
    TRY(doc_put_int(doc, "size", (int64_t)v->size_bytes));
    TRY(put_time(doc, "changed", v->changed_us));
    TRY(doc_put_int(doc, "changed_by", v->changed_by));
    TRY(doc_put_text(doc, "reason", v->reason));
    TRY(doc_put_int(doc, "revision", (int64_t)v->revision));
    return doc_map_end(doc);
}

int op_history(struct engine_req *q)
{
    struct tree_walk w = walk(q);
    struct buf *doc = &q->doc;
    if (!engine_allows(q, w.nearest, q->m->path, AUTHZ_LIST))
        return refusal(q, &w);
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

static int check_match(const struct engine_req *q, const struct node *node)
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

static struct registry_actor actor_of(const struct engine_req *q)
{
    return (struct registry_actor){q->conn->peer.uid, q->engine->turn_wall.us};
}

int op_set(struct engine_req *q)
{
    struct tree_walk w = walk(q);
    struct registry_done done;
    struct registry_actor actor = actor_of(q);
    unsigned f = q->m->flags;
    struct registry_put put = {.type = (f & PROTO_KEEP_TYPE) != 0 ? 0 : q->m->type,
                               .seals = (f & PROTO_SEAL) != 0,
                               .unseals = (f & PROTO_UNSEAL) != 0,
                               .has_comment = (f & PROTO_HAS_COMMENT) != 0,
                               .reason = q->m->reason,
                               .comment = q->m->comment,
                               .body = q->m->body};
    q->record.detail = q->m->reason;
    if (!engine_allows(q, w.nearest, q->m->path, AUTHZ_WRITE))
        return OUTCOME_REFUSED; /* the same whether the entry exists or not */
    if (put.seals && put.unseals)
        return OUTCOME_BAD_REQUEST;
    if (w.node != NULL && node_is_live(w.node) && (w.node->entry->flags & ENTRY_CORRUPT) != 0)
        return OUTCOME_CORRUPT;
    int x = check_value(q, registry_set_type(w.node, put.type));
    if (x == 0)
        x = check_match(q, w.node);
    if (x == 0)
        x = registry_set(q->engine->registry, q->m->path, &actor, &put, &done);
    return x != 0 ? x : put_done(q, &done);
}

int op_delete(struct engine_req *q)
{
    struct tree_walk w = walk(q);
    struct registry_done done;
    struct registry_actor actor = actor_of(q);
    q->record.detail = q->m->reason;
    if (!engine_allows(q, w.nearest, q->m->path, AUTHZ_DELETE))
        return refusal(q, &w);
    if (w.node == NULL || !node_is_live(w.node))
        return w.node != NULL && node_is_folder(w.node) ? OUTCOME_IS_FOLDER : OUTCOME_NOT_FOUND;
    int x = check_match(q, w.node);
    if (x == 0)
        x = registry_delete(q->engine->registry, w.node, &actor, q->m->reason, &done);
    return x != 0 ? x : put_done(q, &done);
}
