/* registry-entry - reading and changing entries; see registry.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/path.h"
#include "registry/registry-internal.h"
#include "registry/value.h"

/* ---- reading --------------------------------------------------------------------------------------------- */

/* The plain value of a stored body: the body itself, or opened into the scratch buffer. 0, OUTCOME_CORRUPT, or a fault.
 */
static int open_body(struct registry *r, uint64_t entry, struct registry_value *v, struct bytes body)
{
    uint8_t ad[ROWS_AD_BYTES];
    struct rows_ctx ctx = registry_ctx(r);
    if ((v->flags & ENTRY_SEALED) == 0) {
        v->body = body;
    } else {
        buf_clear(&r->scratch);
        int x = keys_value_open(&r->scratch, &r->keys, rows_ad(&ctx, entry, v->version, v->type, v->flags, ad), body);
        TRY(x);
        if (x != 0)
            return OUTCOME_CORRUPT;
        v->body = buf_view(&r->scratch);
    }
    v->size_bytes = v->body.n;
    return 0;
}

static void read_version(struct store_stmt *st, int first, struct rows_version *row)
{
    row->type = (unsigned)store_column_i64(st, first);
    row->flags = (unsigned)store_column_i64(st, first + 1);
    row->changed_us = store_column_i64(st, first + 2);
    row->changed_by = (uint32_t)store_column_i64(st, first + 3);
    row->revision = (uint64_t)store_column_i64(st, first + 4);
    row->reason = store_column_bytes(st, first + 5);
    row->body = store_column_bytes(st, first + 6);
}

/* Returns 0, OUTCOME_CORRUPT, or a fault. */
static int check_version(struct registry *r, const struct rows_version *row, struct bytes stored_mac)
{
    uint8_t mac[DIGEST_BYTES];
    struct rows_ctx ctx = registry_ctx(r);
    TRY(rows_mac_version(&ctx, row, mac));
    return secret_equal(bytes_of(mac, sizeof mac), stored_mac) ? 0 : OUTCOME_CORRUPT;
}

static void value_of_row(const struct rows_version *row, struct registry_value *v)
{
    bool is_sealed = (row->flags & ENTRY_SEALED) != 0;
    *v = (struct registry_value){.type = row->type,
                                 .flags = row->flags,
                                 .version = row->version,
                                 .revision = row->revision,
                                 .changed_us = row->changed_us,
                                 .changed_by = row->changed_by,
                                 .reason = row->reason,
                                 .size_bytes = row->body.n};
    if (is_sealed)
        v->size_bytes -= MIN_OF(row->body.n, (size_t)KEYS_VALUE_OVERHEAD_BYTES);
}

/* A damaged page met while reading one row is the same outcome as a damaged row. */
static int corrupt_or(int fault)
{
    return fault == FAULT_CORRUPT ? OUTCOME_CORRUPT : fault;
}

/* Copies what a value still borrows from the open statement, so that the statement can be closed. */
static int keep_value(struct registry *r, struct registry_value *v)
{
    size_t n = MIN_OF(v->reason.n, sizeof r->reason);
    if (n > 0)
        memcpy(r->reason, v->reason.p, n);
    v->reason = bytes_of(r->reason, n);
    if ((v->flags & ENTRY_SEALED) != 0)
        return 0; /* it was opened into the scratch buffer */
    buf_clear(&r->scratch);
    TRY(buf_append(&r->scratch, v->body));
    v->body = buf_view(&r->scratch);
    return 0;
}

/* The row of one version, checked and opened. Results as registry_get_version(). */
static int open_row(struct registry *r, struct store_stmt *st, struct rows_version *row, struct registry_value *v)
{
    int x = corrupt_or(store_step(r->store, st));
    if (x != STORE_ROW)
        return x == 0 ? OUTCOME_NOT_FOUND : x;
    read_version(st, 0, row);
    x = check_version(r, row, store_column_bytes(st, 7));
    value_of_row(row, v);
    if (x == 0 && (row->flags & ENTRY_DELETED) != 0)
        return OUTCOME_NOT_FOUND;
    if (x == 0)
        x = open_body(r, row->entry, v, row->body);
    return x == 0 ? keep_value(r, v) : x;
}

int registry_get_version(struct registry *r, const struct node *node, uint64_t version,
                         struct registry_value *ret_value)
{
    struct registry_value v;
    struct rows_version row = {.version = version};
    assert(!registry_is_locked(r));
    if (node->entry == NULL)
        return OUTCOME_NOT_FOUND;
    if ((node->entry->flags & ENTRY_CORRUPT) != 0)
        return OUTCOME_CORRUPT;
    row.entry = node->entry->id;
    struct store_stmt *st = store_use(r->store, STORE_VERSION_GET);
    store_bind_i64(st, 1, (int64_t)row.entry);
    store_bind_i64(st, 2, (int64_t)version);
    int x = open_row(r, st, &row, &v);
    store_done(st);
    if (x == 0)
        *ret_value = v;
    return x;
}

int registry_get(struct registry *r, const struct node *node, bool with_row, struct registry_value *ret_value)
{
    const struct entry *e = node->entry;
    assert(!registry_is_locked(r));
    if (!node_is_live(node))
        return OUTCOME_NOT_FOUND;
    if ((e->flags & ENTRY_CORRUPT) != 0)
        return OUTCOME_CORRUPT;
    if (with_row || (e->flags & ENTRY_AWAY) != 0)
        return registry_get_version(r, node, e->version, ret_value);
    struct registry_value v = {.type = e->type,
                               .flags = e->flags,
                               .version = e->version,
                               .revision = e->revision,
                               .changed_us = e->changed_us,
                               .changed_by = e->changed_by};
    int x = open_body(r, e->id, &v, bytes_of(e->body, e->body_bytes));
    if (x == 0)
        *ret_value = v;
    return x;
}

int registry_history(struct registry *r, const struct node *node,
                     int (*on_version)(const struct registry_value *value, void *arg), void *arg)
{
    int x, result = 0;
    assert(!registry_is_locked(r));
    if (node->entry == NULL)
        return OUTCOME_NOT_FOUND;
    struct store_stmt *st = store_use(r->store, STORE_VERSION_EACH);
    store_bind_i64(st, 1, (int64_t)node->entry->id);
    while (result == 0 && (x = corrupt_or(store_step(r->store, st))) == STORE_ROW) {
        struct registry_value v;
        struct rows_version row = {.entry = node->entry->id, .version = (uint64_t)store_column_i64(st, 0)};
        read_version(st, 1, &row);
        result = check_version(r, &row, store_column_bytes(st, 8));
        value_of_row(&row, &v);
        if (result == 0)
            result = on_version(&v, arg);
        x = 0;
    }
    store_done(st);
    return result != 0 ? result : x;
}

/* ---- changing -------------------------------------------------------------------------------------------- */

unsigned registry_set_type(const struct node *node, unsigned put_type)
{
    if (put_type != 0)
        return put_type;
    return node != NULL && node_is_live(node) ? node->entry->type : (unsigned)VALUE_STRING;
}

/* What one new version is made of. */
struct change {
    struct node *node;
    struct bytes path;
    const struct registry_actor *actor;
    struct rows_version row;
    struct bytes plain, comment;
    uint64_t version_before;
    bool is_new; /* no entry row yet */
};

static int add_version_row(struct registry *r, const struct rows_version *row, uint8_t mac[static DIGEST_BYTES])
{
    struct rows_ctx ctx = registry_ctx(r);
    TRY(rows_mac_version(&ctx, row, mac));
    struct store_stmt *st = store_use(r->store, STORE_VERSION_ADD);
    store_bind_i64(st, 1, (int64_t)row->entry);
    store_bind_i64(st, 2, (int64_t)row->version);
    store_bind_i64(st, 3, row->type);
    store_bind_i64(st, 4, row->flags);
    store_bind_i64(st, 5, row->changed_us);
    store_bind_i64(st, 6, row->changed_by);
    store_bind_i64(st, 7, (int64_t)row->revision);
    store_bind_text(st, 8, row->reason);
    store_bind_blob(st, 9, row->body);
    store_bind_blob(st, 10, bytes_of(mac, DIGEST_BYTES));
    return store_run(r->store, st);
}

static int put_entry_row(struct registry *r, const struct rows_entry *row, bool is_new, const uint8_t *mac)
{
    struct store_stmt *st = store_use(r->store, is_new ? STORE_ENTRY_ADD : STORE_ENTRY_SET);
    int i = 1;
    store_bind_i64(st, i++, (int64_t)row->id);
    if (is_new)
        store_bind_text(st, i++, row->path);
    store_bind_i64(st, i++, (int64_t)row->version);
    store_bind_i64(st, i++, row->created_us);
    store_bind_i64(st, i++, row->created_by);
    store_bind_text(st, i++, row->comment);
    store_bind_blob(st, i++, bytes_of(mac, DIGEST_BYTES));
    return store_run(r->store, st);
}

static int prune_versions(struct registry *r, uint64_t entry, uint64_t last)
{
    struct store_stmt *st = store_use(r->store, STORE_VERSION_PRUNE);
    store_bind_i64(st, 1, (int64_t)entry);
    store_bind_i64(st, 2, (int64_t)last);
    return store_run(r->store, st);
}

static int fill_entry(const struct change *c, struct entry *e)
{
    bool is_revived = c->is_new || !node_is_live(c->node);
    e->id = c->row.entry;
    e->version = c->row.version;
    e->revision = c->row.revision;
    e->type = (uint8_t)c->row.type;
    e->flags = (uint8_t)(c->row.flags | (e->body_bytes < c->row.body.n ? ENTRY_AWAY : 0));
    e->changed_us = c->row.changed_us;
    e->changed_by = c->row.changed_by;
    e->created_us = is_revived ? c->row.changed_us : c->node->entry->created_us;
    e->created_by = is_revived ? c->row.changed_by : c->node->entry->created_by;
    e->size_bytes = (uint32_t)c->plain.n;
    if (e->body_bytes > 0)
        memcpy(e->body, c->row.body.p, e->body_bytes);
    if (c->comment.n > 0 && (e->comment = strndup((const char *)c->comment.p, c->comment.n)) == NULL)
        return RAISE(-ENOMEM);
    return 0;
}

/* Writes the rows of a new version and puts its entry in the tree. Any fault fails the turn. */
static int write_change(struct registry *r, const struct change *c, struct entry *e, struct registry_done *ret_done)
{
    struct rows_ctx ctx = registry_ctx(r);
    uint32_t keep = r->settings.versions_count;
    TRY(registry_touch(r));
    TRY(add_version_row(r, &c->row, ret_done->commitment));
    struct rows_entry row = {.id = e->id,
                             .version = e->version,
                             .path = c->path,
                             .created_us = e->created_us,
                             .created_by = e->created_by,
                             .comment = bytes_of_text(e->comment),
                             .version_mac = ret_done->commitment};
    TRY(rows_mac_entry(&ctx, &row, e->mac));
    TRY(put_entry_row(r, &row, c->is_new, e->mac));
    if (keep > 0 && e->version > keep && !c->is_new)
        TRY(prune_versions(r, e->id, e->version - keep));
    if (c->node->entry != NULL)
        rows_sum_remove(r->state.sum, c->node->entry->mac);
    rows_sum_add(r->state.sum, e->mac);
    ret_done->version_before = c->version_before;
    ret_done->version_after = e->version;
    ret_done->is_created = c->version_before == 0;
    return 0;
}

static int apply_change(struct registry *r, const struct change *c, struct registry_done *ret_done)
{
    size_t kept = c->row.body.n <= TREE_BODY_MAX_BYTES ? c->row.body.n : 0;
    struct entry *e = entry_new(kept);
    int x = e == NULL ? RAISE(-ENOMEM) : fill_entry(c, e);
    if (x == 0)
        x = write_change(r, c, e, ret_done);
    if (x < 0) {
        entry_free(e);
        return registry_turn_fail(r, x);
    }
    return registry_swap_entry(r, c->node, e);
}

/* Numbers of the next version at a node; takes an id for a new entry. */
static void begin_change(struct registry *r, struct change *c)
{
    const struct entry *e = c->node->entry;
    c->is_new = e == NULL;
    c->version_before = node_is_live(c->node) ? e->version : 0;
    c->row.entry = c->is_new ? r->state.next_entry++ : e->id;
    c->row.version = c->is_new ? r->state.version_floor + 1 : e->version + 1;
    c->row.revision = ++r->state.revision;
    c->row.changed_us = c->actor->now_us;
    c->row.changed_by = c->actor->uid;
}

static int seal_body(struct registry *r, struct change *c)
{
    uint8_t ad[ROWS_AD_BYTES];
    struct rows_ctx ctx = registry_ctx(r);
    buf_clear(&r->scratch);
    TRY(keys_value_close(&r->scratch, &r->keys,
                         rows_ad(&ctx, c->row.entry, c->row.version, c->row.type, c->row.flags, ad), c->plain));
    c->row.body = buf_view(&r->scratch);
    return 0;
}

int registry_set(struct registry *r, struct bytes path, const struct registry_actor *actor,
                 const struct registry_put *put, struct registry_done *ret_done)
{
    struct tree_walk w = tree_walk(&r->tree, path);
    struct change c = {.path = path, .actor = actor, .plain = put->body};
    assert(!registry_is_locked(r) && !(put->seals && put->unseals));
    if (w.is_blocked)
        return OUTCOME_NOT_FOLDER;
    if (path_is_root(path) || (w.node != NULL && w.node->live > 0))
        return OUTCOME_IS_FOLDER;
    if (w.node != NULL && w.node->entry != NULL && (w.node->entry->flags & ENTRY_CORRUPT) != 0)
        return OUTCOME_CORRUPT;
    int x = tree_make(&r->tree, path, &c.node);
    if (x < 0)
        return registry_turn_fail(r, x);
    bool was_sealed = node_is_live(c.node) && (c.node->entry->flags & ENTRY_SEALED) != 0;
    c.row.type = registry_set_type(c.node, put->type);
    c.row.flags = put->seals || (was_sealed && !put->unseals) ? ENTRY_SEALED : 0;
    c.row.reason = put->reason;
    c.row.body = put->body;
    c.comment = put->has_comment ? put->comment : bytes_of_text(node_is_live(c.node) ? c.node->entry->comment : NULL);
    begin_change(r, &c);
    x = c.row.flags != 0 ? seal_body(r, &c) : 0;
    if (x == 0)
        x = apply_change(r, &c, ret_done);
    if (x < 0) {
        tree_prune(&r->tree, c.node);
        return registry_turn_fail(r, x);
    }
    return 0;
}

/* The queue of deleted entries has a bound: the oldest one goes for good. Its numbers stay below the floor of new ones.
 */
static int bury(struct registry *r)
{
    if (list_is_empty(&r->tree.tombs))
        return 0;
    struct entry *e = CONTAINER_OF(r->tree.tombs.next, struct entry, tomb);
    struct store_stmt *st = store_use(r->store, STORE_ENTRY_REMOVE);
    store_bind_i64(st, 1, (int64_t)e->id);
    TRY(store_run(r->store, st));
    TRY(prune_versions(r, e->id, e->version));
    rows_sum_remove(r->state.sum, e->mac);
    r->state.version_floor = MAX_OF(r->state.version_floor, e->version);
    return registry_swap_entry(r, e->node, NULL);
}

int registry_delete(struct registry *r, struct node *node, const struct registry_actor *actor, struct bytes reason,
                    struct registry_done *ret_done)
{
    uint8_t path[PATH_MAX_BYTES];
    assert(!registry_is_locked(r));
    if (!node_is_live(node))
        return OUTCOME_NOT_FOUND;
    if ((node->entry->flags & ENTRY_CORRUPT) != 0)
        return OUTCOME_CORRUPT;
    struct change c = {.node = node, .path = node_path(node, path), .actor = actor};
    c.row.type = node->entry->type;
    c.row.flags = ENTRY_DELETED;
    c.row.reason = reason;
    begin_change(r, &c);
    TRY(apply_change(r, &c, ret_done));
    if (r->tree.tombs_count > r->settings.tombs_count) {
        int x = bury(r);
        if (x < 0)
            return registry_turn_fail(r, x);
    }
    return 0;
}
