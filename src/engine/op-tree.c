/*
 * op-tree - what a transaction may do to whole subtrees: delete, move, copy, revert; and destroying one version; see
 * engine.h.
 *
 * Each entry is decided on its own, and leaves a record of its own; the first that cannot be done refuses the whole,
 * which the transaction then takes back. So a subtree is listed first, and changed only when its size is known.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "model/path.h"

/* The nodes of a subtree, in the order of a recursive listing. */
struct nodes {
    struct node **all;
    uint64_t *versions; /* of each, to go back to; only for a revert */
    size_t count, cap;
};

static void drop_nodes(struct nodes *n)
{
    free(n->all);
    free(n->versions);
}

/* Returns 0, OUTCOME_TOO_LARGE or -ENOMEM. */
static int push(struct nodes *n, struct node *node)
{
    if (n->count == ENGINE_TREE_MAX_COUNT)
        return OUTCOME_TOO_LARGE;
    if (n->count == n->cap) {
        size_t cap = MAX_OF(n->cap * 2, (size_t)64);
        struct node **all = realloc(n->all, cap * sizeof(struct node *));
        if (all == NULL)
            return RAISE(-ENOMEM);
        n->all = all;
        n->cap = cap;
    }
    n->all[n->count++] = node;
    return 0;
}

struct gathering {
    struct nodes *nodes;
    bool wants_gone; /* deleted entries too */
};

static int gather_child(struct node *child, void *arg);

static int gather(struct node *node, struct gathering *g)
{
    bool is_wanted = node->entry != NULL && (g->wants_gone || node_is_live(node));
    int x = is_wanted ? push(g->nodes, node) : 0;
    return x != 0 ? x : node_each_child(node, BYTES_NONE, gather_child, g);
}

/* As deep as paths may be: PATH_DEPTH_MAX_COUNT. */
static int gather_child(struct node *child, void *arg)
{
    return gather(child, arg);
}

/* The subtree of the request's path. Returns 0, an outcome, or a fault; `ret_nodes` is to be dropped in any case. */
static int find_subtree(struct engine_req *q, enum authz_action action, bool wants_gone, struct nodes *ret_nodes)
{
    struct gathering g = {ret_nodes, wants_gone};
    struct tree_walk w = engine_walk(q);
    if (!engine_allows(q, w.nearest, q->m->path, action))
        return engine_refusal(q, &w);
    if (w.node == NULL)
        return OUTCOME_NOT_FOUND;
    int x = gather(w.node, &g);
    if (x == 0 && ret_nodes->count == 0)
        return OUTCOME_NOT_FOUND;
    return x;
}

static int put_count(struct engine_req *q, size_t count)
{
    struct buf *doc = &q->doc;
    TRY(doc_map_begin(doc));
    TRY(doc_put_text(doc, "path", q->m->path));
    if (q->m->to.n > 0)
        TRY(doc_put_text(doc, "to", q->m->to));
    TRY(doc_put_int(doc, "entries", (int64_t)count));
    return doc_map_end(doc);
}

/* ---- delete ---------------------------------------------------------------------------------------------- */

static int delete_node(struct engine_req *q, struct node *n)
{
    uint8_t storage[PATH_MAX_BYTES];
    struct registry_done done;
    struct registry_actor actor = engine_actor(q);
    struct bytes path = node_path(n, storage);
    if (!engine_allows(q, n, path, AUTHZ_DELETE))
        return OUTCOME_REFUSED;
    int x = registry_delete(q->engine->registry, n, &actor, &done);
    return x != 0 ? x : engine_record_leaf(q, &done, path);
}

int op_delete_tree(struct engine_req *q)
{
    SCOPED(drop_nodes) struct nodes nodes = {0};
    q->record.detail = q->m->reason;
    int x = find_subtree(q, AUTHZ_DELETE, false, &nodes);
    for (size_t i = 0; x == 0 && i < nodes.count; i++)
        x = delete_node(q, nodes.all[i]);
    return x != 0 ? x : put_count(q, nodes.count);
}

/* ---- move and copy --------------------------------------------------------------------------------------- */

/* The place must be free, and not inside what goes there. Returns 0 or an outcome. */
static int check_target(struct engine_req *q)
{
    const char *why;
    if (!path_check(q->m->to, &why)) {
        q->reply.detail = bytes_of_text(why);
        return OUTCOME_BAD_PATH;
    }
    struct tree_walk w = tree_walk(&q->engine->registry->tree, q->m->to);
    if (!engine_allows(q, w.nearest, q->m->to, AUTHZ_WRITE))
        return OUTCOME_REFUSED;
    if (path_is_root(q->m->path) || path_is_root(q->m->to) || path_is_within(q->m->to, q->m->path)) {
        q->reply.detail = BYTES_LITERAL("a root stays where it is, and nothing goes into itself");
        return OUTCOME_BAD_REQUEST;
    }
    if (w.is_blocked)
        return OUTCOME_NOT_FOLDER;
    return w.node != NULL && (node_is_live(w.node) || w.node->live > 0) ? OUTCOME_EXISTS : 0;
}

/* Where the entry at `from` goes: the same way below the request's target. False: the path would be too long. */
static bool target_of(const struct engine_req *q, struct bytes from, uint8_t storage[static PATH_MAX_BYTES],
                      struct bytes *ret_path)
{
    const char *why;
    struct bytes rest = bytes_from(from, q->m->path.n);
    if (q->m->to.n + rest.n > PATH_MAX_BYTES)
        return false;
    memcpy(storage, q->m->to.p, q->m->to.n);
    if (rest.n > 0)
        memcpy(storage + q->m->to.n, rest.p, rest.n);
    *ret_path = bytes_of(storage, q->m->to.n + rest.n);
    return path_check(*ret_path, &why);
}

static int copy_node(struct engine_req *q, struct node *n, bool is_move)
{
    uint8_t from_storage[PATH_MAX_BYTES], to_storage[PATH_MAX_BYTES];
    struct registry *r = q->engine->registry;
    struct registry_done done, gone;
    struct registry_actor actor = engine_actor(q);
    struct bytes to, from = node_path(n, from_storage);
    if (!target_of(q, from, to_storage, &to))
        return OUTCOME_BAD_PATH;
    struct tree_walk w = tree_walk(&r->tree, to);
    if (!engine_allows(q, n, from, AUTHZ_READ) || (is_move && !engine_allows(q, n, from, AUTHZ_DELETE)) ||
        !engine_allows(q, w.nearest, to, AUTHZ_WRITE))
        return OUTCOME_REFUSED;
    int x = registry_copy(r, n, 0, to, &actor, &done);
    if (x == OUTCOME_BAD_VALUE)
        q->reply.detail = bytes_of_text(r->why);
    if (x == 0 && is_move)
        x = registry_delete(r, n, &actor, &gone);
    q->record.detail = from; /* for this record alone, as the path */
    return x != 0 ? x : engine_record_leaf(q, &done, to);
}

static int copy_tree(struct engine_req *q, bool is_move)
{
    SCOPED(drop_nodes) struct nodes nodes = {0};
    int x = find_subtree(q, AUTHZ_READ, false, &nodes);
    if (x == 0)
        x = check_target(q);
    for (size_t i = 0; x == 0 && i < nodes.count; i++)
        x = copy_node(q, nodes.all[i], is_move);
    return x != 0 ? x : put_count(q, nodes.count);
}

int op_move(struct engine_req *q)
{
    return copy_tree(q, true);
}

int op_copy(struct engine_req *q)
{
    return copy_tree(q, false);
}

/* ---- revert ---------------------------------------------------------------------------------------------- */

/* Gives the entry the content of a kept version again; 0: it was not there. ret_changed: it was not like that already.
 */
static int revert_to(struct engine_req *q, struct node *n, struct bytes path, uint64_t version, bool *ret_changed)
{
    struct registry *r = q->engine->registry;
    struct registry_done done;
    struct registry_actor actor = engine_actor(q);
    uint64_t now = node_is_live(n) ? n->entry->version : 0;
    *ret_changed = version != now;
    if (!*ret_changed)
        return 0;
    bool is_allowed = version == 0 ? engine_allows(q, n, path, AUTHZ_DELETE)
                                   : engine_allows(q, n, path, AUTHZ_WRITE) && engine_allows(q, n, path, AUTHZ_READ);
    if (!is_allowed)
        return OUTCOME_REFUSED;
    int x = version == 0 ? registry_delete(r, n, &actor, &done) : registry_copy(r, n, version, path, &actor, &done);
    return x != 0 ? x : engine_record_leaf(q, &done, path);
}

/* The kept version would be deleted at once: its end has passed. Results as registry_get_version(). */
static int has_ended(struct engine_req *q, const struct node *n, uint64_t version, bool *ret_has_ended)
{
    struct registry_value v;
    int x = registry_get_version(q->engine->registry, n, version, &v);
    *ret_has_ended = x == 0 && v.expires_us != 0 && v.expires_us <= q->engine->turn_wall.us;
    return x;
}

/* What the entry was at the revision asked for, and would still be: what has expired since is gone. A version that was
 * destroyed, or is corrupt, is named by whoever wants it back. */
static int find_version(struct engine_req *q, const struct node *n, uint64_t *ret_version)
{
    bool is_over = false;
    int x = registry_at(q->engine->registry, n, q->m->match, ret_version);
    if (x != 0 || *ret_version == 0 || (node_is_live(n) && *ret_version == n->entry->version))
        return x;
    x = has_ended(q, n, *ret_version, &is_over);
    if (is_over)
        *ret_version = 0;
    return x < 0 ? x : 0;
}

/* It is asked before anything changes: a change makes a version, and the oldest one kept may go. */
static int find_versions(struct engine_req *q, struct nodes *nodes)
{
    int x = 0;
    nodes->versions = calloc(nodes->count, sizeof *nodes->versions);
    if (nodes->versions == NULL)
        return RAISE(-ENOMEM);
    for (size_t i = 0; x == 0 && i < nodes->count; i++)
        x = find_version(q, nodes->all[i], &nodes->versions[i]);
    return x;
}

static int revert_tree(struct engine_req *q)
{
    SCOPED(drop_nodes) struct nodes nodes = {0};
    size_t changed = 0;
    if (q->m->match > q->engine->registry->state.revision)
        return OUTCOME_NOT_FOUND;
    int x = find_subtree(q, AUTHZ_WRITE, true, &nodes);
    if (x == 0)
        x = find_versions(q, &nodes);
    /* what has to go makes way for what has to come: a folder may have been an entry */
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; x == 0 && i < nodes.count; i++) {
            uint8_t storage[PATH_MAX_BYTES];
            struct node *n = nodes.all[i];
            bool is_changed = false;
            if ((nodes.versions[i] == 0) == (pass == 0))
                x = revert_to(q, n, node_path(n, storage), nodes.versions[i], &is_changed);
            changed += is_changed;
        }
    }
    return x != 0 ? x : put_count(q, changed);
}

int op_revert(struct engine_req *q)
{
    bool is_changed = false, is_over = false;
    q->record.detail = q->m->reason;
    if ((q->m->flags & PROTO_HAS_REVISION) != 0)
        return revert_tree(q);
    struct tree_walk w = engine_walk(q);
    if (!engine_allows(q, w.nearest, q->m->path, AUTHZ_WRITE))
        return engine_refusal(q, &w);
    if (w.node == NULL || w.node->entry == NULL || q->m->version == 0)
        return OUTCOME_NOT_FOUND;
    int x = engine_check_match(q, w.node);
    if (x != 0)
        return x;
    x = has_ended(q, w.node, q->m->version, &is_over);
    TRY(x);
    if (is_over) {
        q->reply.detail = BYTES_LITERAL("that version would have expired already");
        return OUTCOME_BAD_VALUE;
    }
    x = revert_to(q, w.node, q->m->path, q->m->version, &is_changed);
    return x != 0 ? x : put_count(q, is_changed);
}

/* ---- destroy --------------------------------------------------------------------------------------------- */

int op_destroy(struct engine_req *q)
{
    struct tree_walk w = engine_walk(q);
    q->record.detail = q->m->reason;
    if (!engine_allows(q, w.nearest, q->m->path, AUTHZ_DELETE))
        return engine_refusal(q, &w);
    if (w.node == NULL)
        return OUTCOME_NOT_FOUND;
    int x = registry_shred(q->engine->registry, w.node, q->m->version);
    if (x != 0)
        return x;
    q->is_change = true;
    q->engine->wants_scrub = true;
    q->record.version_before = q->record.version_after = q->m->version;
    TRY(doc_map_begin(&q->doc));
    TRY(doc_put_text(&q->doc, "path", q->m->path));
    TRY(doc_put_int(&q->doc, "version", (int64_t)q->m->version));
    return doc_map_end(&q->doc);
}
