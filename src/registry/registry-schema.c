/* registry-schema - schemas: stored with a MAC, held on the nodes of the tree, asked before a value is stored; see
 * registry.h and schema.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/path.h"
#include "model/schema.h"
#include "model/value.h"
#include "registry/registry-internal.h"

static int hold(const struct rows_schema *row, struct node_schema **ret_held)
{
    struct node_schema *held = malloc(sizeof *held + row->form.n);
    if (held == NULL)
        return RAISE(-ENOMEM);
    *held =
        (struct node_schema){.created_us = row->created_us, .created_by = row->created_by, .form_bytes = row->form.n};
    memcpy(held->form, row->form.p, row->form.n);
    *ret_held = held;
    return 0;
}

static struct rows_schema read_row(struct store_stmt *st)
{
    return (struct rows_schema){.path = store_column_bytes(st, 0),
                                .form = store_column_bytes(st, 1),
                                .created_us = store_column_i64(st, 2),
                                .created_by = (uint32_t)store_column_i64(st, 3)};
}

/* ---- loading --------------------------------------------------------------------------------------------- */

static int check_row(struct registry *r, const struct rows_schema *row, struct bytes stored,
                     uint8_t ret_mac[static DIGEST_BYTES])
{
    struct rows_ctx ctx = registry_ctx(r);
    TRY(rows_mac_schema(&ctx, row, ret_mac));
    return secret_equal(bytes_of(ret_mac, DIGEST_BYTES), stored) ? 0 : ROWS_BAD;
}

static int load_schema(struct registry *r, struct store_stmt *st, uint8_t *sum)
{
    uint8_t mac[DIGEST_BYTES];
    const char *why;
    struct node *node;
    struct schema schema;
    struct node_schema *held;
    struct rows_schema row = read_row(st);
    if (!path_check(row.path, &why) || !schema_decode(row.form, &schema))
        return ROWS_BAD;
    int x = sum != NULL ? check_row(r, &row, store_column_bytes(st, 4), mac) : 0;
    if (x != 0)
        return x;
    TRY(hold(&row, &held));
    x = tree_make(&r->tree, row.path, &node);
    if (x < 0) {
        free(held);
        return x;
    }
    if (sum != NULL) {
        digest_sum_add(sum, mac);
        memcpy(held->mac, mac, sizeof mac);
    }
    free(node->schema); /* the same one, from before it could be checked */
    node->schema = held;
    registry_note_schema(r, node);
    r->schemas_count++;
    return 0;
}

int registry_load_schemas(struct registry *r, uint8_t *sum)
{
    struct store_stmt *st = store_use(r->store, STORE_SCHEMA_EACH);
    int x;
    r->schemas_count = 0;
    while ((x = store_step(r->store, st)) == STORE_ROW) {
        x = load_schema(r, st, sum);
        if (x == ROWS_BAD && sum == NULL)
            x = 0; /* not yet authenticated: unlocking will name the damage */
        if (x != 0)
            break;
    }
    store_done(st);
    return x;
}

/* ---- changing -------------------------------------------------------------------------------------------- */

static int put_row(struct registry *r, const struct rows_schema *row, const uint8_t *mac)
{
    struct store_stmt *st = store_use(r->store, STORE_SCHEMA_SET);
    store_bind_text(st, 1, row->path);
    store_bind_blob(st, 2, row->form);
    store_bind_i64(st, 3, row->created_us);
    store_bind_i64(st, 4, row->created_by);
    store_bind_blob(st, 5, bytes_of(mac, DIGEST_BYTES));
    return store_run(r->store, st);
}

static int write_schema(struct registry *r, const struct rows_schema *row, struct node_schema *held, struct node *node)
{
    struct rows_ctx ctx = registry_ctx(r);
    TRY(registry_touch(r));
    TRY(rows_mac_schema(&ctx, row, held->mac));
    TRY(put_row(r, row, held->mac));
    if (node->schema != NULL)
        digest_sum_remove(r->state.sum, node->schema->mac);
    else
        r->schemas_count++;
    digest_sum_add(r->state.sum, held->mac);
    r->state.revision++;
    return 0;
}

static int find_named(struct node *node, void *arg)
{
    return node->rules_count > 0 || node->schema != NULL ? OUTCOME_EXISTS
                                                         : node_each_child(node, BYTES_NONE, find_named, arg);
}

/* Rules and schemas name their places in the clear: none stands where names are hidden. O(entries below) where that
 * begins. */
static bool may_stand(struct registry *r, struct bytes path, struct bytes form)
{
    struct node *node = tree_walk(&r->tree, path).node;
    bool hides = registry_form_hides(form);
    r->why = NULL;
    if (registry_hides(r, path))
        r->why = REGISTRY_HIDES_WHY;
    else if (hides && node != NULL && node_each_child(node, BYTES_NONE, find_named, NULL) != 0)
        r->why = "rules or schemas stand below it, which would name what is sealed";
    return r->why == NULL;
}

int registry_schema_set(struct registry *r, struct bytes path, struct bytes form, const struct registry_actor *actor)
{
    struct rows_schema row = {.path = path, .form = form, .created_us = actor->now_us, .created_by = actor->uid};
    struct node_schema *held;
    struct node *node;
    assert(!registry_is_locked(r) && form.n <= SCHEMA_FORM_MAX_BYTES);
    if (r->schemas_count >= REGISTRY_SCHEMAS_MAX_COUNT)
        return OUTCOME_LIMIT;
    if (!may_stand(r, path, form))
        return OUTCOME_BAD_REQUEST;
    int x = hold(&row, &held);
    if (x < 0)
        return registry_turn_fail(r, x);
    x = tree_make(&r->tree, path, &node);
    if (x == 0)
        x = write_schema(r, &row, held, node);
    if (x < 0) {
        free(held);
        return registry_turn_fail(r, x);
    }
    TRY(registry_swap_schema(r, node, held));
    registry_note_schema(r, node);
    return 0;
}

int registry_schema_remove(struct registry *r, struct node *node)
{
    uint8_t path[PATH_MAX_BYTES];
    assert(!registry_is_locked(r));
    if (node->schema == NULL)
        return OUTCOME_NOT_FOUND;
    TRY(registry_touch(r));
    struct store_stmt *st = store_use(r->store, STORE_SCHEMA_REMOVE);
    store_bind_text(st, 1, node_path(node, path));
    int x = store_run(r->store, st);
    if (x < 0)
        return registry_turn_fail(r, x);
    digest_sum_remove(r->state.sum, node->schema->mac);
    r->schemas_count--;
    r->state.revision++;
    return registry_swap_schema(r, node, NULL);
}

/* The schema of a row under the new keys: in the row, and on its node as a change that can be taken back. */
static int rekey_schema(struct registry *r, const struct rows_schema *row)
{
    struct rows_ctx ctx = registry_ctx(r);
    struct node *node = tree_walk(&r->tree, row->path).node;
    struct node_schema *held;
    assert(node != NULL && node->schema != NULL); /* loaded or set: every row has its node */
    TRY(hold(row, &held));
    int x = rows_mac_schema(&ctx, row, held->mac);
    if (x == 0) {
        struct store_stmt *st = store_use(r->store, STORE_SCHEMA_MAC);
        store_bind_text(st, 1, row->path);
        store_bind_blob(st, 2, BYTES_OF(held->mac));
        x = store_run(r->store, st);
    }
    if (x < 0) {
        free(held);
        return x;
    }
    digest_sum_remove(r->state.sum, node->schema->mac);
    digest_sum_add(r->state.sum, held->mac);
    return registry_swap_schema(r, node, held);
}

int registry_schemas_rekey(struct registry *r)
{
    struct store_stmt *st = store_use(r->store, STORE_SCHEMA_EACH);
    int x;
    while ((x = store_step(r->store, st)) == STORE_ROW) {
        struct rows_schema row = read_row(st);
        x = rekey_schema(r, &row);
        if (x < 0)
            break;
    }
    store_done(st);
    return x;
}

bool registry_fits_schemas(struct registry *r, const struct node *nearest, unsigned type, bool is_sealed,
                           struct bytes plain)
{
    for (const struct node *n = nearest; n != NULL; n = n->parent) {
        struct schema schema;
        if (n->schema == NULL)
            continue;
        bool is_good = schema_decode(bytes_of(n->schema->form, n->schema->form_bytes), &schema);
        assert(is_good); /* checked when it was loaded or set */
        if (!schema_check(&schema, type, is_sealed, plain, &r->why))
            return false;
    }
    return true;
}

unsigned registry_set_type(const struct tree_walk *w, unsigned put_type)
{
    if (put_type != 0)
        return put_type;
    if (w->node != NULL && node_is_live(w->node))
        return w->node->entry->type;
    for (const struct node *n = w->nearest; n != NULL; n = n->parent) {
        struct schema schema;
        if (n->schema != NULL && schema_decode(bytes_of(n->schema->form, n->schema->form_bytes), &schema) &&
            (schema.has & SCHEMA_HAS_TYPE) != 0)
            return schema.type;
    }
    return VALUE_STRING;
}
