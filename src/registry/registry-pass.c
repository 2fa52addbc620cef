/*
 * registry-pass - bringing every version row under other keys, a little in each turn; see registry.h.
 *
 * A new root key (rekey) and a new epoch of the field key (rotate) are one mechanism. It begins in one transaction, in
 * which all that is small changes: keys, slots, rules, state. From then on there are two sets of keys, and the number
 * of a row says which one it is under: rows from `next` to `last` of the state wait, all others are done; rows that are
 * made meanwhile have higher numbers. Each step moves `next` in the transaction that writes the rows it has passed, so
 * a kill at any point leaves a store that opens and goes on from there. Of a rekey the old root key is kept meanwhile,
 * sealed under the new one.
 *
 * Invariant: a row whose MAC is wrong is left as it is: a pass must not make anything authentic that was not before.
 * doc/adr/0006-keys-change-in-a-pass.md.
 */
#include <string.h>

#include "model/path.h"
#include "registry/registry-internal.h"

void registry_begin_pass(struct registry *r, enum rows_pass_kind kind, struct keys *keys)
{
    assert(keys_is_empty(&r->before) && !r->has_begun_pass);
    r->before = r->keys;
    r->keys = *keys;
    *keys = (struct keys){0};
    r->state.epoch++;
    r->state.pass = (struct rows_pass){.kind = kind, .next = 1, .last = r->state.next_row - 1};
    r->is_changed = r->has_begun_pass = true;
}

int registry_rotate(struct registry *r)
{
    struct keys keys;
    assert(!registry_is_locked(r));
    if (r->state.pass.kind != ROWS_PASS_NONE)
        return OUTCOME_BUSY;
    int x = keys_derive(&r->keys, (uint32_t)r->state.epoch + 1, &keys);
    if (x < 0)
        return registry_turn_fail(r, x);
    registry_begin_pass(r, ROWS_PASS_ROTATE, &keys);
    x = registry_approvals_turn(r);
    return x < 0 ? registry_turn_fail(r, x) : 0;
}

void registry_settle_pass(struct registry *r, bool is_committed)
{
    if (!is_committed && r->has_begun_pass) {
        keys_fini(&r->keys);
        r->keys = r->before;
        r->before = (struct keys){0};
    } else if (is_committed && r->state.pass.kind == ROWS_PASS_NONE) {
        keys_fini(&r->before);
    }
    r->has_begun_pass = false;
}

static int load_previous_root(struct registry *r)
{
    uint8_t stored[KEYS_WRAPPED_BYTES];
    int x = registry_get_meta(r, REGISTRY_PREVIOUS_ROOT, stored, sizeof stored);
    if (x == FAULT_CORRUPT)
        return ROWS_BAD;
    TRY(x);
    return keys_root_open(BYTES_OF(stored), &r->keys, bytes_of(r->store_id, sizeof r->store_id),
                          (uint32_t)r->state.epoch - 1, &r->before);
}

int registry_load_pass(struct registry *r)
{
    const struct rows_state *s = &r->state;
    struct keys keys;
    assert(r->keys.epoch == 0 && keys_is_empty(&r->before));
    if (s->epoch > UINT32_MAX || s->pass.kind > ROWS_PASS_ROTATE || (s->pass.kind != ROWS_PASS_NONE && s->epoch == 0))
        return ROWS_BAD;
    if (s->epoch > 0) {
        TRY(keys_derive(&r->keys, (uint32_t)s->epoch, &keys));
        keys_fini(&r->keys);
        r->keys = keys;
    }
    if (s->pass.kind == ROWS_PASS_ROTATE)
        return keys_derive(&r->keys, (uint32_t)s->epoch - 1, &r->before);
    int x = s->pass.kind == ROWS_PASS_REKEY ? load_previous_root(r) : 0;
    return x > 0 ? ROWS_BAD : x;
}

/* ---- one row --------------------------------------------------------------------------------------------- */

/* What becomes of a row. */
struct turned {
    uint64_t id;
    uint8_t mac[DIGEST_BYTES];
    bool is_written, has_body; /* the body is in the registry's scratch buffer */
    struct node *node;         /* where the row is the newest one, or NULL */
    size_t bytes;
};

/* The sealed value of a row under the new keys, into the scratch buffer. Returns 0, SEAL_BAD, or a fault. */
static int turn_body(struct registry *r, const struct rows_version *row)
{
    uint8_t ad[ROWS_AD_BYTES];
    struct rows_ctx ctx = registry_ctx(r);
    struct bytes at = rows_ad(&ctx, row->entry, row->version, row->type, row->flags, ad);
    buf_clear(&r->scratch);
    if (r->state.pass.kind == ROWS_PASS_REKEY)
        return keys_value_rewrap(&r->scratch, &r->before, &r->keys, at, row->body);
    buf_clear(&r->copy);
    int x = keys_value_open(&r->copy, &r->before, at, row->body);
    if (x == 0)
        x = keys_value_close(&r->scratch, &r->keys, at, buf_view(&r->copy));
    buf_clear(&r->copy);
    return x;
}

static struct node *find_newest(struct registry *r, const struct rows_version *row)
{
    const char *why;
    uint8_t storage[PATH_MAX_BYTES];
    struct bytes path = registry_show(r, row->path, storage);
    if (!path_check(path, &why))
        return NULL;
    struct node *node = tree_walk(&r->tree, path).node;
    return node != NULL && node->entry != NULL && node->entry->row == row->id ? node : NULL;
}

/* Only sealed values follow from the field key, but every MAC from the root key. */
static int turn_row(struct registry *r, struct store_stmt *st, struct turned *t)
{
    struct rows_version row;
    struct rows_ctx ctx = registry_ctx(r);
    struct bytes mac = registry_row_read(st, &row);
    *t = (struct turned){.id = row.id, .bytes = row.body.n};
    t->has_body = (row.flags & ENTRY_SEALED) != 0 && row.body.n > 0;
    if (!t->has_body && r->state.pass.kind == ROWS_PASS_ROTATE)
        return 0;
    int x = registry_row_check(r, &row, mac);
    if (x == 0 && t->has_body)
        x = turn_body(r, &row);
    if (x != 0)
        return x < 0 ? x : 0; /* not authentic: it stays as it is */
    if (t->has_body)
        row.body = buf_view(&r->scratch);
    TRY(rows_mac_version(&ctx, &row, t->mac));
    t->node = find_newest(r, &row);
    t->is_written = true;
    return 0;
}

static int write_row(struct registry *r, const struct turned *t)
{
    TRY(registry_touch(r));
    struct store_stmt *st = store_use(r->store, t->has_body ? STORE_VERSION_SEALED : STORE_VERSION_MAC);
    store_bind_i64(st, 1, (int64_t)t->id);
    store_bind_blob(st, 2, bytes_of(t->mac, DIGEST_BYTES));
    if (t->has_body)
        store_bind_blob(st, 3, buf_view(&r->scratch));
    TRY(store_run(r->store, st));
    r->state.pass.count++;
    if (t->node == NULL)
        return 0;
    bool is_kept = t->has_body && t->node->entry->body_bytes > 0;
    digest_sum_remove(r->state.sum, t->node->entry->mac);
    digest_sum_add(r->state.sum, t->mac);
    return registry_swap_seal(r, t->node, t->mac, is_kept ? buf_view(&r->scratch) : BYTES_NONE);
}

/* Returns STORE_ROW, 0 (there is none left), or a fault. */
static int step_row(struct registry *r, struct turned *t)
{
    struct store_stmt *st = store_use(r->store, STORE_VERSION_FROM);
    store_bind_i64(st, 1, (int64_t)r->state.pass.next);
    int x = r->state.pass.next <= r->state.pass.last ? store_step(r->store, st) : 0;
    bool is_row = x == STORE_ROW && (uint64_t)store_column_i64(st, REGISTRY_ROW_ID) <= r->state.pass.last;
    if (is_row)
        x = turn_row(r, st, t);
    store_done(st); /* before anything is written */
    if (!is_row || x < 0)
        return x < 0 ? x : 0;
    if (t->is_written)
        TRY(write_row(r, t));
    r->state.pass.next = t->id + 1;
    r->state.pass.seen++;
    return STORE_ROW;
}

static int end_pass(struct registry *r)
{
    if (r->state.pass.kind == ROWS_PASS_REKEY) {
        TRY(registry_touch(r));
        struct store_stmt *st = store_use(r->store, STORE_META_REMOVE);
        store_bind_text(st, 1, BYTES_LITERAL(REGISTRY_PREVIOUS_ROOT));
        TRY(store_run(r->store, st));
    }
    r->state.pass = (struct rows_pass){0};
    return 0;
}

int registry_pass_step(struct registry *r, size_t limit, struct registry_step *ret_step)
{
    size_t seen = 0, bytes = 0;
    int x = STORE_ROW;
    struct turned t = {0};
    struct registry_step step = {.first = r->state.pass.next};
    assert(!registry_is_locked(r) && r->state.pass.kind != ROWS_PASS_NONE && !r->is_group);
    while (seen < limit && bytes < REGISTRY_PASS_BYTES && (x = step_row(r, &t)) == STORE_ROW) {
        seen++;
        bytes += t.bytes;
    }
    step.last = r->state.pass.next - 1;
    step.count = r->state.pass.count;
    step.is_over = x == 0;
    if (x == 0)
        x = end_pass(r);
    if (x < 0)
        return registry_turn_fail(r, x);
    r->is_changed = true;
    *ret_step = step;
    return 0;
}
