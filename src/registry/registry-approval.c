/*
 * registry-approval - requests that wait for a second person: sealed rows, in the state digest; see registry.h.
 *
 * They are few and seldom asked for, so they are not held in memory: the table is read, and a row checked, when wanted.
 * A row that was taken out and put back fails the digest at the next unlock, as a rule does.
 */
#include <errno.h>
#include <string.h>

#include "model/path.h"
#include "registry/registry-internal.h"

/* What a sealed request is bound to beside its id: no value of an entry has these. */
enum { SEALED_TYPE = 255, SEALED_FLAGS = 255, OVERHEAD_BYTES = 4096 };

enum { COLUMN_MAC = 6, COLUMN_BODY = 7 };

static void read_row(struct store_stmt *st, struct registry_approval *a)
{
    a->id = (uint64_t)store_column_i64(st, 0);
    a->path = store_column_bytes(st, 1);
    a->uid = (uint32_t)store_column_i64(st, 2);
    a->op = (unsigned)store_column_i64(st, 3);
    a->created_us = store_column_i64(st, 4);
    a->expires_us = store_column_i64(st, 5);
}

static int row_mac(struct registry *r, const struct registry_approval *a, struct bytes body,
                   uint8_t ret[static DIGEST_BYTES])
{
    struct rows_ctx ctx = registry_ctx(r);
    struct rows_approval row = {a->id, a->op, a->uid, a->created_us, a->expires_us, a->path, body};
    return rows_mac_approval(&ctx, &row, ret);
}

/* The current row of a statement: 0, ROWS_BAD, or a fault. */
static int check_row(struct registry *r, struct store_stmt *st, uint8_t ret_mac[static DIGEST_BYTES])
{
    struct registry_approval a;
    read_row(st, &a);
    TRY(row_mac(r, &a, store_column_bytes(st, COLUMN_BODY), ret_mac));
    return secret_equal(bytes_of(ret_mac, DIGEST_BYTES), store_column_bytes(st, COLUMN_MAC)) ? 0 : ROWS_BAD;
}

int registry_load_approvals(struct registry *r, uint8_t *sum)
{
    struct store_stmt *st = store_use(r->store, STORE_APPROVAL_EACH);
    int x, result = 0;
    r->approvals_due_us = 1;
    while (result == 0 && (x = store_step(r->store, st)) == STORE_ROW) {
        uint8_t mac[DIGEST_BYTES];
        result = check_row(r, st, mac);
        if (result == 0)
            digest_sum_add(sum, mac);
        x = 0;
    }
    store_done(st);
    return result != 0 ? result : x;
}

int registry_approval_each(struct registry *r, int (*on_approval)(const struct registry_approval *approval, void *arg),
                           void *arg)
{
    struct store_stmt *st = store_use(r->store, STORE_APPROVAL_EACH);
    int x, result = 0;
    while (result == 0 && (x = store_step(r->store, st)) == STORE_ROW) {
        uint8_t path[PATH_MAX_BYTES];
        struct registry_approval a;
        read_row(st, &a);
        a.path = registry_show(r, a.path, path);
        result = on_approval(&a, arg);
        x = 0;
    }
    store_done(st);
    return result != 0 ? result : x;
}

struct counting {
    uint32_t uid;
    size_t all, of_user;
};

static int count(const struct registry_approval *a, void *arg)
{
    struct counting *c = arg;
    c->all++;
    c->of_user += a->uid == c->uid;
    return 0;
}

static struct bytes ad_of(const struct registry *r, uint64_t id, uint8_t ad[static ROWS_AD_BYTES])
{
    struct rows_ctx ctx = registry_ctx(r);
    return rows_ad(&ctx, id, 0, SEALED_TYPE, SEALED_FLAGS, ad);
}

static int insert(struct registry *r, const struct registry_approval *a, struct bytes sealed)
{
    uint8_t mac[DIGEST_BYTES];
    TRY(registry_touch(r));
    TRY(row_mac(r, a, sealed, mac));
    struct store_stmt *st = store_use(r->store, STORE_APPROVAL_ADD);
    store_bind_i64(st, 1, (int64_t)a->id);
    store_bind_text(st, 2, a->path);
    store_bind_i64(st, 3, a->uid);
    store_bind_i64(st, 4, a->op);
    store_bind_i64(st, 5, a->created_us);
    store_bind_i64(st, 6, a->expires_us);
    store_bind_blob(st, 7, BYTES_OF(mac));
    store_bind_blob(st, 8, sealed);
    TRY(store_run(r->store, st));
    digest_sum_add(r->state.sum, mac);
    return 0;
}

/* The state changes, and with it the revision. */
static void note_change(struct registry *r)
{
    r->state.revision++;
    r->is_changed = true;
}

int registry_approval_add(struct registry *r, const struct registry_approval *approval, struct bytes body,
                          uint64_t *ret_id)
{
    uint8_t ad[ROWS_AD_BYTES], path[REGISTRY_STORED_PATH_MAX_BYTES];
    struct buf sealed;
    struct registry_approval a = *approval;
    struct counting c = {.uid = a.uid};
    assert(!registry_is_locked(r));
    TRY(registry_approval_each(r, count, &c));
    if (c.all >= REGISTRY_APPROVALS_MAX_COUNT || c.of_user >= REGISTRY_APPROVALS_USER_COUNT)
        return OUTCOME_LIMIT;
    a.id = r->state.next_rule;
    buf_init(&sealed, REGISTRY_APPROVAL_MAX_BYTES + OVERHEAD_BYTES);
    int x = keys_value_close(&sealed, &r->keys, ad_of(r, a.id, ad), body);
    if (x == 0)
        x = registry_hide(r, approval->path, path, &a.path);
    if (x == 0)
        x = insert(r, &a, buf_view(&sealed));
    buf_fini(&sealed);
    if (x < 0)
        return registry_turn_fail(r, x);
    r->state.next_rule++;
    note_change(r);
    r->approvals_due_us = r->approvals_due_us == 0 ? a.expires_us : MIN_OF(r->approvals_due_us, a.expires_us);
    *ret_id = a.id;
    return 0;
}

/* Puts the statement on the row, checked. Returns 0, OUTCOME_NOT_FOUND, OUTCOME_CORRUPT, or a fault. */
static int find(struct registry *r, uint64_t id, struct store_stmt **ret_st, uint8_t ret_mac[static DIGEST_BYTES])
{
    struct store_stmt *st = store_use(r->store, STORE_APPROVAL_GET);
    *ret_st = st;
    store_bind_i64(st, 1, (int64_t)id);
    int x = store_step(r->store, st);
    if (x != STORE_ROW)
        return x < 0 ? x : OUTCOME_NOT_FOUND;
    x = check_row(r, st, ret_mac);
    return x == ROWS_BAD ? OUTCOME_CORRUPT : x;
}

int registry_approval_get(struct registry *r, uint64_t id, uint8_t path[static 512], struct buf *body,
                          struct registry_approval *ret_approval)
{
    uint8_t mac[DIGEST_BYTES], ad[ROWS_AD_BYTES], storage[PATH_MAX_BYTES];
    struct store_stmt *st;
    int x = find(r, id, &st, mac);
    if (x == 0) {
        read_row(st, ret_approval);
        ret_approval->path = registry_show(r, ret_approval->path, storage);
        x = keys_value_open(body, &r->keys, ad_of(r, id, ad), store_column_bytes(st, COLUMN_BODY));
        x = x > 0 || ret_approval->path.n > PATH_MAX_BYTES ? OUTCOME_CORRUPT : x;
    }
    if (x == 0) {
        memcpy(path, ret_approval->path.p, ret_approval->path.n);
        ret_approval->path.p = path;
    }
    store_done(st);
    return x;
}

int registry_approval_remove(struct registry *r, uint64_t id)
{
    uint8_t mac[DIGEST_BYTES];
    struct store_stmt *st;
    assert(!registry_is_locked(r));
    int x = find(r, id, &st, mac);
    store_done(st);
    if (x == OUTCOME_CORRUPT)
        x = RAISE(FAULT_CORRUPT);
    if (x == 0)
        x = registry_touch(r);
    if (x == 0) {
        st = store_use(r->store, STORE_APPROVAL_REMOVE);
        store_bind_i64(st, 1, (int64_t)id);
        x = store_run(r->store, st);
    }
    if (x != 0)
        return x < 0 ? registry_turn_fail(r, x) : x;
    digest_sum_remove(r->state.sum, mac);
    note_change(r);
    return 0;
}

struct ending {
    int64_t now_us, next_us;
    uint8_t *path;
    struct registry_approval found;
};

static int on_ending(const struct registry_approval *a, void *arg)
{
    struct ending *e = arg;
    if (a->expires_us > e->now_us) {
        e->next_us = e->next_us == 0 ? a->expires_us : MIN_OF(e->next_us, a->expires_us);
    } else if (e->found.id == 0 && a->path.n <= PATH_MAX_BYTES) {
        e->found = *a;
        memcpy(e->path, a->path.p, a->path.n);
        e->found.path = bytes_of(e->path, a->path.n);
    }
    return 0;
}

int registry_ended_approval(struct registry *r, int64_t now_us, uint8_t path[static 512],
                            struct registry_approval *ret_approval)
{
    struct ending e = {.now_us = now_us, .path = path};
    *ret_approval = (struct registry_approval){.id = 0};
    if (r->approvals_due_us == 0 || r->approvals_due_us > now_us)
        return 0;
    TRY(registry_approval_each(r, on_ending, &e));
    if (e.found.id == 0)
        r->approvals_due_us = e.next_us;
    *ret_approval = e.found;
    return 0;
}

/* ---- other keys ------------------------------------------------------------------------------------------ */

/* The sealed body of a row under the new keys. Returns 0, SEAL_BAD, or a fault. */
static int turn_body(struct registry *r, struct bytes at, struct bytes body, struct buf *sealed)
{
    struct buf plain;
    if (r->state.pass.kind == ROWS_PASS_REKEY)
        return keys_value_rewrap(sealed, &r->before, &r->keys, at, body);
    buf_init_wiping(&plain, REGISTRY_APPROVAL_MAX_BYTES);
    int x = keys_value_open(&plain, &r->before, at, body);
    if (x == 0)
        x = keys_value_close(sealed, &r->keys, at, buf_view(&plain));
    buf_fini(&plain);
    return x;
}

static int turn_row(struct registry *r, struct store_stmt *st, struct buf *sealed)
{
    uint8_t ad[ROWS_AD_BYTES], mac[DIGEST_BYTES];
    struct registry_approval a;
    struct bytes before = store_column_bytes(st, COLUMN_MAC);
    read_row(st, &a);
    buf_clear(sealed);
    int x = turn_body(r, ad_of(r, a.id, ad), store_column_bytes(st, COLUMN_BODY), sealed);
    if (x != 0)
        return x < 0 ? x : RAISE(FAULT_CORRUPT); /* it was authentic when the registry was unlocked */
    TRY(row_mac(r, &a, buf_view(sealed), mac));
    if (before.n != DIGEST_BYTES)
        return RAISE(FAULT_CORRUPT);
    digest_sum_remove(r->state.sum, before.p);
    digest_sum_add(r->state.sum, mac);
    TRY(registry_touch(r));
    struct store_stmt *set = store_use(r->store, STORE_APPROVAL_SEALED);
    store_bind_i64(set, 1, (int64_t)a.id);
    store_bind_blob(set, 2, BYTES_OF(mac));
    store_bind_blob(set, 3, buf_view(sealed));
    return store_run(r->store, set);
}

int registry_approvals_turn(struct registry *r)
{
    struct store_stmt *st = store_use(r->store, STORE_APPROVAL_EACH);
    struct buf sealed;
    int x, result = 0;
    buf_init(&sealed, REGISTRY_APPROVAL_MAX_BYTES + OVERHEAD_BYTES);
    while (result == 0 && (x = store_step(r->store, st)) == STORE_ROW) {
        result = turn_row(r, st, &sealed);
        x = 0;
    }
    store_done(st);
    buf_fini(&sealed);
    return result != 0 ? result : x;
}
