/* registry-entry - reading and changing entries; see registry.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/path.h"
#include "model/value.h"
#include "registry/registry-internal.h"

/* ---- reading --------------------------------------------------------------------------------------------- */

/* The plain value of a stored body: the body itself, or opened into the scratch buffer. 0, OUTCOME_CORRUPT, or a fault.
 */
static int open_body(struct registry *r, uint64_t row, uint64_t entry, struct registry_value *v, struct bytes body)
{
    uint8_t ad[ROWS_AD_BYTES];
    struct rows_ctx ctx = registry_ctx_at(r, row);
    if ((v->flags & ENTRY_SEALED) == 0) {
        v->body = body;
    } else {
        buf_clear(&r->scratch);
        int x = keys_value_open(&r->scratch, ctx.keys, rows_ad(&ctx, entry, v->version, v->type, v->flags, ad), body);
        TRY(x);
        if (x != 0)
            return OUTCOME_CORRUPT;
        v->body = buf_view(&r->scratch);
    }
    v->size_bytes = v->body.n;
    return 0;
}

/* A damaged page met while reading one row is the same outcome as a damaged row. */
static int corrupt_or(int fault)
{
    return fault == FAULT_CORRUPT ? OUTCOME_CORRUPT : fault;
}

struct bytes registry_row_read(struct store_stmt *st, struct rows_version *row)
{
    row->id = (uint64_t)store_column_i64(st, REGISTRY_ROW_ID);
    row->path = store_column_bytes(st, REGISTRY_ROW_PATH);
    row->previous = (uint64_t)store_column_i64(st, REGISTRY_ROW_PREVIOUS);
    row->entry = (uint64_t)store_column_i64(st, REGISTRY_ROW_ENTRY);
    row->version = (uint64_t)store_column_i64(st, REGISTRY_ROW_VERSION);
    row->type = (unsigned)store_column_i64(st, 5);
    row->flags = (unsigned)store_column_i64(st, 6);
    row->created_us = store_column_i64(st, 7);
    row->created_by = (uint32_t)store_column_i64(st, 8);
    row->changed_us = store_column_i64(st, 9);
    row->changed_by = (uint32_t)store_column_i64(st, 10);
    row->revision = (uint64_t)store_column_i64(st, 11);
    row->expires_us = store_column_i64(st, 12);
    row->reason = store_column_bytes(st, 13);
    row->comment = store_column_bytes(st, 14);
    row->tags = store_column_bytes(st, 15);
    row->body = store_column_bytes(st, 17);
    return store_column_bytes(st, 16);
}

int registry_row_check(struct registry *r, const struct rows_version *row, struct bytes stored_mac)
{
    uint8_t mac[DIGEST_BYTES];
    struct rows_ctx ctx = registry_ctx_at(r, row->id);
    TRY(rows_mac_version(&ctx, row, mac));
    return secret_equal(bytes_of(mac, sizeof mac), stored_mac) ? 0 : OUTCOME_CORRUPT;
}

/*
 * Steps to the row `id` of an entry. Returns STORE_ROW, 0 (there is none), OUTCOME_CORRUPT (it is another's, or the
 * page is damaged), or a fault.
 */
static int step_to(struct registry *r, struct store_stmt *st, const struct entry *e, uint64_t id)
{
    store_bind_i64(st, 1, (int64_t)id);
    int x = corrupt_or(store_step(r->store, st));
    if (x == STORE_ROW && (uint64_t)store_column_i64(st, REGISTRY_ROW_ENTRY) != e->id)
        return OUTCOME_CORRUPT;
    return x;
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
                                 .expires_us = row->expires_us,
                                 .reason = row->reason,
                                 .comment = row->comment,
                                 .tags = row->tags,
                                 .size_bytes = row->body.n};
    if (is_sealed)
        v->size_bytes -= MIN_OF(row->body.n, (size_t)KEYS_VALUE_OVERHEAD_BYTES);
}

/* Copies what a value still borrows from the open statement, so that the statement can be closed. */
int registry_keep_value(struct registry *r, struct registry_value *v)
{
    struct bytes *const texts[] = {&v->reason, &v->comment, &v->tags};
    buf_clear(&r->texts);
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        TRY(buf_append(&r->texts, *texts[i]));
    const uint8_t *at = buf_view(&r->texts).p;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        *texts[i] = bytes_of(at, texts[i]->n);
        at = texts[i]->n > 0 ? at + texts[i]->n : at;
    }
    if ((v->flags & ENTRY_SEALED) != 0)
        return 0; /* it was opened into the scratch buffer */
    buf_clear(&r->scratch);
    TRY(buf_append(&r->scratch, v->body));
    v->body = buf_view(&r->scratch);
    return 0;
}

/* The current row, checked and opened. Results as registry_get_version(). */
static int open_row(struct registry *r, struct store_stmt *st, struct registry_value *v)
{
    struct rows_version row;
    struct bytes mac = registry_row_read(st, &row);
    int x = registry_row_check(r, &row, mac);
    value_of_row(&row, v);
    if (x == 0 && (row.flags & ENTRY_DELETED) != 0)
        return OUTCOME_NOT_FOUND;
    if (x == 0 && (row.flags & ENTRY_SHREDDED) != 0)
        return OUTCOME_GONE;
    if (x == 0)
        x = open_body(r, row.id, row.entry, v, row.body);
    return x == 0 ? registry_keep_value(r, v) : x;
}

/* Rows of an entry lead from each version to the one before it, whose number is one less in its low half. Results as
 * step_to(); the row may be unauthentic. */
int registry_go_back(struct registry *r, const struct entry *e, uint64_t version, struct store_stmt **ret_st)
{
    uint64_t id = e->row, count = e->version;
    while (id != 0) {
        struct store_stmt *st = *ret_st = store_use(r->store, STORE_VERSION_GET);
        int x = step_to(r, st, e, id);
        if (x != STORE_ROW)
            return x;
        uint64_t found = (uint64_t)store_column_i64(st, REGISTRY_ROW_VERSION);
        if ((uint32_t)found != (uint32_t)count || found > e->version)
            return OUTCOME_CORRUPT;
        if (found <= version)
            return found == version ? x : 0;
        id = (uint64_t)store_column_i64(st, REGISTRY_ROW_PREVIOUS);
        count--;
    }
    return 0;
}

int registry_find_row(struct registry *r, const struct entry *e, uint64_t revision, struct store_stmt **ret_st)
{
    uint64_t id = e->row;
    for (uint64_t v = e->version; id != 0; v--) {
        if (registry_row_is_spare(r, e, v))
            return OUTCOME_GONE;
        struct store_stmt *st = *ret_st = store_use(r->store, STORE_VERSION_GET);
        int x = step_to(r, st, e, id);
        if (x != STORE_ROW)
            return x == 0 ? OUTCOME_GONE : x;
        if ((uint64_t)store_column_i64(st, REGISTRY_ROW_REVISION) <= revision)
            return STORE_ROW;
        id = (uint64_t)store_column_i64(st, REGISTRY_ROW_PREVIOUS);
    }
    return 0;
}

int registry_get_version(struct registry *r, const struct node *node, uint64_t version,
                         struct registry_value *ret_value)
{
    struct registry_value v;
    struct store_stmt *st = NULL;
    const struct entry *e = node->entry;
    assert(!registry_is_locked(r));
    if (e == NULL || (e->flags & ENTRY_FORGOTTEN) != 0 || version > e->version || registry_row_is_spare(r, e, version))
        return OUTCOME_NOT_FOUND;
    if ((e->flags & ENTRY_CORRUPT) != 0)
        return OUTCOME_CORRUPT;
    int x = registry_go_back(r, e, version, &st);
    if (x == STORE_ROW)
        x = open_row(r, st, &v);
    else if (x == 0)
        x = OUTCOME_NOT_FOUND;
    if (st != NULL)
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
                               .changed_by = e->changed_by,
                               .expires_us = e->expiry.key,
                               .comment = bytes_of_text(e->comment),
                               .tags = bytes_of_text(e->tags)};
    int x = open_body(r, e->row, e->id, &v, bytes_of(e->body, e->body_bytes));
    if (x == 0)
        *ret_value = v;
    return x;
}

static int show_version(struct registry *r, struct store_stmt *st,
                        int (*on_version)(const struct registry_value *value, void *arg), void *arg, uint64_t *ret_id)
{
    struct rows_version row;
    struct registry_value v;
    struct bytes mac = registry_row_read(st, &row);
    int x = registry_row_check(r, &row, mac);
    if (x != 0)
        return x;
    value_of_row(&row, &v);
    *ret_id = row.previous;
    return on_version(&v, arg);
}

int registry_history(struct registry *r, const struct node *node,
                     int (*on_version)(const struct registry_value *value, void *arg), void *arg)
{
    const struct entry *e = node->entry;
    int x = 0;
    assert(!registry_is_locked(r));
    if (e == NULL || (e->flags & ENTRY_FORGOTTEN) != 0)
        return OUTCOME_NOT_FOUND;
    uint64_t id = e->row;
    for (uint64_t v = e->version; x == 0 && id != 0 && !registry_row_is_spare(r, e, v); v--) {
        struct store_stmt *st = store_use(r->store, STORE_VERSION_GET);
        x = step_to(r, st, e, id);
        id = 0; /* where there is no row the history ends */
        if (x == STORE_ROW)
            x = show_version(r, st, on_version, arg, &id);
        store_done(st);
    }
    return x;
}

/* ---- changing -------------------------------------------------------------------------------------------- */

/* What one new version is made of. */
struct change {
    struct node *node;
    struct rows_version row;
    struct bytes plain;
    uint64_t version_before;
};

static int add_row(struct registry *r, const struct rows_version *row, const uint8_t *mac)
{
    struct store_stmt *st = store_use(r->store, STORE_VERSION_ADD);
    store_bind_i64(st, 1, (int64_t)row->id);
    store_bind_text(st, 2, row->path);
    store_bind_i64(st, 3, (int64_t)row->previous);
    store_bind_i64(st, 4, (int64_t)row->entry);
    store_bind_i64(st, 5, (int64_t)row->version);
    store_bind_i64(st, 6, row->type);
    store_bind_i64(st, 7, row->flags);
    store_bind_i64(st, 8, row->created_us);
    store_bind_i64(st, 9, row->created_by);
    store_bind_i64(st, 10, row->changed_us);
    store_bind_i64(st, 11, row->changed_by);
    store_bind_i64(st, 12, (int64_t)row->revision);
    store_bind_i64(st, 13, row->expires_us);
    store_bind_text(st, 14, row->reason);
    store_bind_text(st, 15, row->comment);
    store_bind_text(st, 16, row->tags);
    store_bind_blob(st, 17, bytes_of(mac, DIGEST_BYTES));
    store_bind_blob(st, 18, row->body);
    return store_run(r->store, st);
}

/* Copies a text into memory of its own; none stays NULL. */
int registry_keep_text(struct bytes text, char **ret_text)
{
    if (text.n == 0)
        return 0;
    *ret_text = strndup((const char *)text.p, text.n);
    return *ret_text != NULL ? 0 : RAISE(-ENOMEM);
}

static int fill_entry(const struct change *c, struct entry *e)
{
    const struct rows_version *row = &c->row;
    e->id = row->entry;
    e->row = row->id;
    e->version = row->version;
    e->revision = row->revision;
    e->type = (uint8_t)row->type;
    e->flags = (uint8_t)(row->flags | (e->body_bytes < row->body.n ? ENTRY_AWAY : 0));
    e->changed_us = row->changed_us;
    e->changed_by = row->changed_by;
    e->created_us = row->created_us;
    e->created_by = row->created_by;
    e->size_bytes = (uint32_t)c->plain.n;
    if (e->body_bytes > 0)
        memcpy(e->body, row->body.p, e->body_bytes);
    e->expiry.key = row->expires_us;
    TRY(registry_keep_text(row->comment, &e->comment));
    return registry_keep_text(row->tags, &e->tags);
}

/* Writes the row of a new version and counts it in. Any fault fails the turn. */
static int write_change(struct registry *r, const struct change *c, struct entry *e, struct registry_done *ret_done)
{
    struct rows_ctx ctx = registry_ctx(r);
    const struct entry *old = c->node->entry;
    TRY(registry_touch(r));
    TRY(rows_mac_version(&ctx, &c->row, e->mac));
    TRY(add_row(r, &c->row, e->mac));
    if (old != NULL)
        digest_sum_remove(r->state.sum, old->mac);
    digest_sum_add(r->state.sum, e->mac);
    r->prune.rows_count++;
    if (r->settings.versions_count > 0 && old != NULL && (uint32_t)e->version > r->settings.versions_count) {
        r->prune.spare_count++;
        r->prune.fresh_count++;
    }
    memcpy(ret_done->commitment, e->mac, DIGEST_BYTES);
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
        x = tree_reserve(&r->tree, e->created_by);
    if (x == 0)
        x = write_change(r, c, e, ret_done);
    if (x < 0) {
        entry_free(e);
        return registry_turn_fail(r, x);
    }
    return registry_swap_entry(r, c->node, e);
}

/* Numbers, times and names of the next version at a node. */
static void begin_change(struct registry *r, struct change *c, const struct registry_actor *actor)
{
    const struct entry *e = c->node->entry;
    bool is_live = node_is_live(c->node);
    c->version_before = is_live ? e->version : 0;
    c->row.id = r->state.next_row++;
    c->row.previous = e != NULL ? e->row : 0;
    c->row.entry = e != NULL ? e->id : c->row.id;
    c->row.version = rows_next(r->state.era, e != NULL ? e->version : r->state.version_floor);
    if (!r->is_group || !r->has_group_changed)
        r->state.revision++;
    r->has_group_changed = r->is_group;
    c->row.revision = r->state.revision;
    c->row.changed_us = actor->now_us;
    c->row.changed_by = actor->uid;
    c->row.reason = actor->reason;
    c->row.created_us = is_live ? e->created_us : actor->now_us;
    c->row.created_by = is_live ? e->created_by : actor->uid;
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

/* An entry is charged to who created it; who makes one, or makes one of his own larger, needs room in his share. */
static bool fits_share(const struct registry *r, const struct node *node, const struct registry_actor *actor,
                       size_t bytes)
{
    bool is_live = node != NULL && node_is_live(node);
    const struct tree_usage *u = tree_usage(&r->tree, actor->uid);
    uint64_t entries = u != NULL ? u->entries : 0, stored = u != NULL ? u->bytes : 0;
    if (is_live && (node->entry->created_by != actor->uid || node->entry->size_bytes >= bytes))
        return true;
    if (is_live)
        stored -= node->entry->size_bytes;
    return (is_live || actor->max_entries == 0 || entries < actor->max_entries) &&
           (actor->max_bytes == 0 || stored + bytes <= actor->max_bytes);
}

int registry_set(struct registry *r, struct bytes path, const struct registry_actor *actor,
                 const struct registry_put *put, struct registry_done *ret_done)
{
    uint8_t stored[REGISTRY_STORED_PATH_MAX_BYTES];
    struct tree_walk w = tree_walk(&r->tree, path);
    struct change c = {.plain = put->body};
    assert(!registry_is_locked(r) && !(put->seals && put->unseals));
    if (w.is_blocked)
        return OUTCOME_NOT_FOLDER;
    if (path_is_root(path) || (w.node != NULL && w.node->live > 0))
        return OUTCOME_IS_FOLDER;
    if (w.node != NULL && w.node->entry != NULL && (w.node->entry->flags & ENTRY_CORRUPT) != 0)
        return OUTCOME_CORRUPT;
    if (!fits_share(r, w.node, actor, put->body.n))
        return OUTCOME_LIMIT;
    bool was_sealed = w.node != NULL && node_is_live(w.node) && (w.node->entry->flags & ENTRY_SEALED) != 0;
    c.row.type = registry_set_type(&w, put->type);
    c.row.flags = put->seals || (was_sealed && !put->unseals) ? ENTRY_SEALED : 0;
    if (!registry_fits_schemas(r, w.nearest, c.row.type, c.row.flags != 0, put->body))
        return OUTCOME_BAD_VALUE;
    c.node = w.node;
    int x = c.node == NULL ? tree_make(&r->tree, path, &c.node) : 0;
    if (x < 0)
        return registry_turn_fail(r, x);
    c.row.body = put->body;
    const struct entry *old = node_is_live(c.node) ? c.node->entry : NULL;
    c.row.comment = put->has_comment ? put->comment : bytes_of_text(old != NULL ? old->comment : NULL);
    c.row.tags = put->has_tags ? put->tags : bytes_of_text(old != NULL ? old->tags : NULL);
    c.row.expires_us = put->has_expires ? put->expires_us : old != NULL ? old->expiry.key : 0;
    begin_change(r, &c, actor);
    x = registry_hide(r, path, stored, &c.row.path);
    if (x == 0 && c.row.flags != 0)
        x = seal_body(r, &c);
    if (x == 0)
        x = apply_change(r, &c, ret_done);
    if (x < 0) {
        tree_prune(&r->tree, c.node);
        return registry_turn_fail(r, x);
    }
    return 0;
}

int registry_delete(struct registry *r, struct node *node, const struct registry_actor *actor,
                    struct registry_done *ret_done)
{
    uint8_t path[PATH_MAX_BYTES], stored[REGISTRY_STORED_PATH_MAX_BYTES];
    assert(!registry_is_locked(r));
    if (!node_is_live(node))
        return OUTCOME_NOT_FOUND;
    if ((node->entry->flags & ENTRY_CORRUPT) != 0)
        return OUTCOME_CORRUPT;
    struct change c = {.node = node};
    c.row.type = node->entry->type;
    c.row.flags = ENTRY_DELETED;
    begin_change(r, &c, actor);
    int x = registry_hide(r, node_path(node, path), stored, &c.row.path);
    if (x < 0)
        return registry_turn_fail(r, x);
    TRY(apply_change(r, &c, ret_done));
    return registry_forget_tombs(r);
}
