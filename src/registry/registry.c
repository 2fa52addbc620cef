/* registry - making, opening, unlocking and locking a store; see registry.h. */
#include "registry/registry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/code.h"
#include "model/path.h"
#include "model/value.h"
#include "registry/registry-internal.h"

SCOPED_DROP(drop_registry, struct registry, registry_close)

struct rows_ctx registry_ctx(const struct registry *r)
{
    return (struct rows_ctx){&r->keys, r->store_id};
}

struct rows_ctx registry_ctx_at(const struct registry *r, uint64_t id)
{
    const struct rows_pass *pass = &r->state.pass;
    bool is_waiting = pass->kind != ROWS_PASS_NONE && id >= pass->next && id <= pass->last;
    return (struct rows_ctx){is_waiting ? &r->before : &r->keys, r->store_id};
}

bool registry_is_locked(const struct registry *r)
{
    return keys_is_empty(&r->keys);
}

static int alloc_registry(struct store *store, struct registry **ret_registry)
{
    struct registry *r = calloc(1, sizeof *r);
    if (r == NULL) {
        store_close(store);
        return RAISE(-ENOMEM);
    }
    r->store = store;
    r->roles_stamp = 1;
    buf_init_wiping(&r->scratch, VALUE_MAX_BYTES + KEYS_VALUE_OVERHEAD_BYTES);
    buf_init_wiping(&r->copy, VALUE_MAX_BYTES + KEYS_VALUE_OVERHEAD_BYTES);
    buf_init(&r->texts, META_TEXTS_MAX_BYTES);
    buf_init_wiping(&r->name, REGISTRY_STORED_PATH_MAX_BYTES);
    buf_init(&r->token, REGISTRY_STORED_PATH_MAX_BYTES);
    int x = tree_init(&r->tree);
    if (x < 0) {
        registry_close(r);
        return x;
    }
    *ret_registry = r;
    return 0;
}

struct registry *registry_close(struct registry *r)
{
    if (r == NULL)
        return NULL;
    if (r->trail != NULL && (r->changes_count > 0 || trail_pending(r->trail) > 0)) {
        bool synced;
        registry_turn_fail(r, FAULT_INTERNAL);
        int x = registry_turn_end(r, false, &synced);
        assert(x < 0);
    }
    free(r->changes);
    registry_roles_free(r->roles, NULL);
    if (r->tree.root != NULL)
        tree_fini(&r->tree);
    keys_fini(&r->keys);
    secret_fini(&r->signer);
    secret_fini(&r->names);
    keys_fini(&r->before);
    trail_close(r->trail);
    store_close(r->store);
    buf_fini(&r->scratch);
    buf_fini(&r->copy);
    buf_fini(&r->texts);
    buf_fini(&r->name);
    buf_fini(&r->token);
    free(r);
    return NULL;
}

/* The folder of the trail: beside the database, under the name that stands in it. */
static int trail_path(struct bytes db, struct bytes name, char ret[static REGISTRY_PATH_MAX_BYTES])
{
    size_t n = db.n;
    while (n > 0 && db.p[n - 1] != '/')
        n--;
    int length = snprintf(ret, REGISTRY_PATH_MAX_BYTES, "%.*s%.*s", BYTES_PRINT(bytes_head(db, n)), BYTES_PRINT(name));
    return length > 0 && length < REGISTRY_PATH_MAX_BYTES ? 0 : RAISE(-ENAMETOOLONG);
}

int registry_trail_name(struct store *store, char ret_name[static REGISTRY_TRAIL_NAME_BYTES])
{
    static const char begin[] = REGISTRY_TRAIL_PREFIX;
    struct store_stmt *st = store_use(store, STORE_META_GET);
    store_bind_text(st, 1, BYTES_LITERAL("trail"));
    int x = store_step(store, st);
    struct bytes name = x == STORE_ROW ? store_column_bytes(st, 0) : BYTES_NONE;
    bool is_good = name.n > 0 && name.n < REGISTRY_TRAIL_NAME_BYTES && bytes_starts(name, bytes_of_text(begin)) &&
                   bytes_find(name, '/') == name.n && bytes_find(name, '\0') == name.n;
    if (is_good)
        snprintf(ret_name, REGISTRY_TRAIL_NAME_BYTES, "%.*s", BYTES_PRINT(name));
    store_done(st);
    return x < 0 ? x : is_good ? 0 : RAISE(FAULT_CORRUPT);
}

int registry_set_trail_name(struct registry *r, const char *name)
{
    TRY(registry_touch(r));
    return registry_put_meta(r, "trail", bytes_of_text(name));
}

static int open_trail(struct registry *r, const char *db, const char *name)
{
    char path[REGISTRY_PATH_MAX_BYTES];
    TRY(trail_path(bytes_of_text(db), bytes_of_text(name), path));
    return trail_open(r->store, path, r->settings.unsynced_count, &r->trail);
}

void registry_trail_name_make(struct bytes id, char ret_name[static REGISTRY_TRAIL_NAME_BYTES])
{
    char hex[REGISTRY_TRAIL_NAME_BYTES];
    assert(id.n * 2 + sizeof REGISTRY_TRAIL_PREFIX <= sizeof hex);
    code_hex_text(id, hex);
    snprintf(ret_name, REGISTRY_TRAIL_NAME_BYTES, REGISTRY_TRAIL_PREFIX "%.*s", (int)(id.n * 2), hex);
}

/* ---- create ---------------------------------------------------------------------------------------------- */

int registry_put_meta(struct registry *r, const char *name, struct bytes value)
{
    struct store_stmt *st = store_use(r->store, STORE_META_SET);
    store_bind_text(st, 1, bytes_of_text(name));
    store_bind_blob(st, 2, value);
    return store_run(r->store, st);
}

/* The first rules: who made the store administers it; the shipped roles get nobody until a rule names somebody. */
static int put_first_rule(struct registry *r, const struct registry_actor *admin)
{
    char who[32];
    uint64_t id;
    snprintf(who, sizeof who, "uid:%u", admin->uid);
    struct registry_rule rule = {.path = BYTES_LITERAL("/registry"),
                                 .principal = bytes_of_text(who),
                                 .effect = AUTHZ_ALLOW,
                                 .actions = authz_actions_parse(BYTES_LITERAL("admin"))};
    int x = registry_rule_add(r, &rule, admin, &id);
    assert(x <= 0);
    return x;
}

static int fill_store(struct registry *r, const struct registry_actor *admin, enum keys_slot_kind kind,
                      const struct secret *material, uint32_t rounds)
{
    struct record record = {.wall_us = admin->now_us, .kind = RECORD_INIT, .uid = admin->uid};
    struct registry_slot slot = {.kind = (unsigned)kind, .rounds = rounds, .label = BYTES_LITERAL("first")};
    uint64_t id;
    bool synced;
    record.mono_us = clock_mono_now().us;
    crypt_random(r->store_id, sizeof r->store_id);
    TRY(keys_init_random(&r->keys));
    r->state.next_row = r->state.next_rule = r->state.next_slot = 1;
    TRY(registry_touch(r));
    TRY(registry_put_meta(r, "store-id", bytes_of(r->store_id, sizeof r->store_id)));
    TRY(registry_make_signer(r));
    TRY(registry_make_names(r));
    int x = registry_slot_add(r, admin, &slot, material, &id);
    assert(x <= 0); /* it is the only one */
    TRY(x);
    TRY(put_first_rule(r, admin));
    TRY(registry_record(r, &record, true));
    return registry_turn_end(r, true, &synced);
}

int registry_create(const char *path, const struct registry_actor *admin, enum keys_slot_kind kind,
                    const struct secret *material, uint32_t rounds, struct registry_made *ret_made)
{
    struct store *store;
    SCOPED(drop_registry) struct registry *r = NULL;
    uint8_t id[8];
    char name[REGISTRY_TRAIL_NAME_BYTES], folder[REGISTRY_PATH_MAX_BYTES];
    crypt_random(id, sizeof id);
    registry_trail_name_make(BYTES_OF(id), name);
    TRY(trail_path(bytes_of_text(path), bytes_of_text(name), folder));
    TRY(store_create(path, &store));
    TRY(alloc_registry(store, &r));
    TRY(trail_make(folder, &ret_made->seed));
    TRY(open_trail(r, path, name));
    TRY(registry_set_trail_name(r, name));
    TRY(fill_store(r, admin, kind, material, rounds));
    return registry_signer(r, &ret_made->signer);
}

/* ---- open ------------------------------------------------------------------------------------------------ */

int registry_get_meta(struct registry *r, const char *name, void *ret, size_t n)
{
    struct store_stmt *st = store_use(r->store, STORE_META_GET);
    store_bind_text(st, 1, bytes_of_text(name));
    int x = store_step(r->store, st);
    if (x == STORE_ROW && store_column_bytes(st, 0).n == n)
        memcpy(ret, store_column_bytes(st, 0).p, n);
    else if (x >= 0)
        x = RAISE(FAULT_CORRUPT);
    store_done(st);
    return x < 0 ? x : 0;
}

int registry_open(const char *path, const struct registry_settings *settings, struct registry **ret_registry)
{
    struct store *store;
    SCOPED(drop_registry) struct registry *r = NULL;
    int x = store_open(path, &store);
    if (x != 0)
        return x;
    TRY(alloc_registry(store, &r));
    r->settings = *settings;
    char name[REGISTRY_TRAIL_NAME_BYTES];
    TRY(registry_trail_name(store, name));
    TRY(open_trail(r, path, name));
    TRY(registry_get_meta(r, "store-id", r->store_id, sizeof r->store_id));
    TRY(registry_load_rules(r, NULL));
    TRY(registry_load_schemas(r, NULL));
    TRY(registry_load_roles(r, NULL));
    registry_mark(r);
    *ret_registry = TAKE(r);
    return 0;
}

/* ---- unlock ---------------------------------------------------------------------------------------------- */

static int try_slots(struct registry *r, enum keys_slot_kind kind, const struct secret *material)
{
    struct store_stmt *st = store_use(r->store, STORE_SLOT_EACH);
    struct registry_slot slot;
    int x = 0, result = KEYS_WRONG;
    /* rows that somebody planted must not stretch the wait without end */
    for (size_t i = 0; result == KEYS_WRONG && i < META_SLOTS_MAX_COUNT; i++) {
        x = store_step(r->store, st);
        if (x != STORE_ROW)
            break;
        (void)registry_slot_row(st, &slot);
        x = 0;
        if (slot.kind == (unsigned)kind) /* a malformed one has none, and must not stand in the way of the others */
            result = keys_slot_open(slot.body, bytes_of(r->store_id, sizeof r->store_id), kind, material, &r->keys);
    }
    store_done(st);
    if (result == 0)
        return 0;
    return x < 0 ? x : result < 0 ? result : OUTCOME_AUTH_FAILED;
}

bool registry_has_slot(struct registry *r, enum keys_slot_kind kind)
{
    struct store_stmt *st = store_use(r->store, STORE_SLOT_EACH);
    struct registry_slot slot = {0};
    bool has = false;
    while (!has && store_step(r->store, st) == STORE_ROW) {
        (void)registry_slot_row(st, &slot);
        has = slot.kind == (unsigned)kind;
    }
    store_done(st);
    return has;
}

static int make_entry(const struct rows_version *row, struct bytes mac, bool is_bad, struct entry **ret_entry)
{
    bool is_kept = !is_bad && row->body.n <= TREE_BODY_MAX_BYTES;
    struct entry *e = entry_new(is_kept ? row->body.n : 0);
    if (e == NULL)
        return RAISE(-ENOMEM);
    int x = registry_keep_text(row->comment, &e->comment);
    if (x == 0)
        x = registry_keep_text(row->tags, &e->tags);
    if (x < 0) {
        entry_free(e);
        return x;
    }
    bool is_sealed = (row->flags & ENTRY_SEALED) != 0;
    e->id = row->entry;
    e->row = row->id;
    e->version = row->version;
    e->revision = row->revision;
    e->created_us = row->created_us;
    e->created_by = row->created_by;
    e->changed_us = row->changed_us;
    e->changed_by = row->changed_by;
    e->expiry.key = row->expires_us;
    e->type = (uint8_t)row->type;
    e->flags = (uint8_t)(row->flags & (ENTRY_SEALED | ENTRY_DELETED | ENTRY_SHREDDED));
    e->flags = (uint8_t)(e->flags | (is_kept ? 0 : ENTRY_AWAY));
    if (is_bad) /* it counts as live: it is there, and refuses to be read */
        e->flags = (uint8_t)((e->flags | ENTRY_CORRUPT) & ~ENTRY_DELETED);
    if (is_bad) /* nor does it end by itself */
        e->expiry.key = 0;
    e->size_bytes = (uint32_t)(row->body.n - (is_sealed ? MIN_OF(row->body.n, KEYS_VALUE_OVERHEAD_BYTES) : 0));
    memcpy(e->mac, mac.p, MIN_OF(mac.n, sizeof e->mac));
    if (is_kept && row->body.n > 0)
        memcpy(e->body, row->body.p, row->body.n);
    *ret_entry = e;
    return 0;
}

struct loading {
    void (*on_corrupt)(struct bytes path, void *arg);
    void *arg;
    uint8_t sum[DIGEST_BYTES];
    size_t lost; /* rows so damaged that they have no place in the tree */
};

/* The newest row of a path. */
static int load_newest(struct registry *r, struct store_stmt *st, struct node *node, struct loading *loading)
{
    struct rows_version row;
    struct entry *e;
    struct bytes mac = registry_row_read(st, &row);
    int bad = registry_row_check(r, &row, mac);
    TRY(bad);
    if (mac.n == DIGEST_BYTES)
        digest_sum_add(loading->sum, mac.p);
    if (bad != 0) {
        loading->on_corrupt(row.path, loading->arg);
        r->corrupt_count++;
    }
    TRY(tree_reserve(&r->tree, row.created_by));
    TRY(make_entry(&row, mac, bad != 0, &e));
    (void)tree_set_entry(&r->tree, node, e);
    return 0;
}

/* Rows come newest first: the first one of a path is what holds, the others are its history. */
static int load_row(struct registry *r, struct store_stmt *st, struct loading *loading)
{
    struct node *node;
    const char *why;
    uint8_t storage[PATH_MAX_BYTES];
    struct bytes path = registry_show(r, store_column_bytes(st, REGISTRY_ROW_PATH), storage);
    r->prune.rows_count++;
    if (!path_check(path, &why) || path_is_root(path)) {
        loading->on_corrupt(path, loading->arg);
        r->corrupt_count++;
        loading->lost++;
        return 0;
    }
    TRY(tree_make(&r->tree, path, &node));
    if (node->entry == NULL)
        return load_newest(r, st, node, loading);
    if (registry_row_is_spare(r, node->entry, (uint64_t)store_column_i64(st, REGISTRY_ROW_VERSION)))
        r->prune.spare_count++;
    return 0;
}

static int load_rows(struct registry *r, struct loading *loading)
{
    struct store_stmt *st = store_use(r->store, STORE_VERSION_EACH);
    int x;
    r->prune = (struct registry_prune){0};
    while ((x = store_step(r->store, st)) == STORE_ROW) {
        x = load_row(r, st, loading);
        if (x < 0)
            break;
    }
    store_done(st);
    return x;
}

/* Returns 0, OUTCOME_CORRUPT with `why`, or a fault. */
static int load_all(struct registry *r, struct loading *loading, char *why)
{
    struct rows_ctx ctx = registry_ctx(r);
    int x = rows_state_decode(&ctx, trail_state(r->trail), &r->state);
    TRY(x);
    if (x != 0) {
        snprintf(why, REGISTRY_WHY_BYTES, "the stored state failed its check");
        return OUTCOME_CORRUPT;
    }
    x = registry_load_pass(r);
    TRY(x);
    if (x != 0) {
        snprintf(why, REGISTRY_WHY_BYTES, "the keys of the pass that goes on are missing");
        return OUTCOME_CORRUPT;
    }
    x = registry_load_signer(r);
    TRY(x);
    if (x != 0) {
        snprintf(why, REGISTRY_WHY_BYTES, "the key that signs checkpoints failed its check");
        return OUTCOME_CORRUPT;
    }
    x = registry_load_names(r);
    TRY(x);
    if (x != 0) {
        snprintf(why, REGISTRY_WHY_BYTES, "the key that hides names failed its check");
        return OUTCOME_CORRUPT;
    }
    TRY(registry_load_slots(r, loading->sum, loading->on_corrupt, loading->arg));
    x = registry_load_rules(r, loading->sum);
    TRY(x);
    if (x != 0) {
        snprintf(why, REGISTRY_WHY_BYTES, "an access rule failed its check");
        return OUTCOME_CORRUPT;
    }
    x = registry_load_schemas(r, loading->sum);
    TRY(x);
    if (x != 0) {
        snprintf(why, REGISTRY_WHY_BYTES, "a schema failed its check");
        return OUTCOME_CORRUPT;
    }
    x = registry_load_roles(r, loading->sum);
    TRY(x);
    if (x != 0) {
        snprintf(why, REGISTRY_WHY_BYTES, "a member of a role failed its check");
        return OUTCOME_CORRUPT;
    }
    x = registry_load_approvals(r, loading->sum);
    TRY(x);
    if (x != 0) {
        snprintf(why, REGISTRY_WHY_BYTES, "a request that waits for approval failed its check");
        return OUTCOME_CORRUPT;
    }
    TRY(load_rows(r, loading));
    TRY(tree_sort_tombs(&r->tree));
    while (r->tree.tombs_count > r->settings.tombs_count)
        (void)tree_forget(&r->tree);
    if (!secret_equal(bytes_of(loading->sum, DIGEST_BYTES), bytes_of(r->state.sum, DIGEST_BYTES)) ||
        loading->lost > 0) {
        snprintf(why, REGISTRY_WHY_BYTES, "rows are missing, foreign or replaced (%zu entries failed their own check)",
                 r->corrupt_count);
        return OUTCOME_CORRUPT;
    }
    return 0;
}

int registry_unlock(struct registry *r, enum keys_slot_kind kind, const struct secret *material,
                    void (*on_corrupt)(struct bytes path, void *arg), void *arg, char *why)
{
    struct loading loading = {.on_corrupt = on_corrupt, .arg = arg};
    assert(registry_is_locked(r) && r->changes_count == 0);
    snprintf(why, REGISTRY_WHY_BYTES, "%s", "");
    int x = try_slots(r, kind, material);
    if (x != 0)
        return x;
    r->corrupt_count = 0;
    x = load_all(r, &loading, why);
    if (x == FAULT_CORRUPT) { /* the database itself is damaged: an outcome here, the daemon goes on, locked */
        snprintf(why, REGISTRY_WHY_BYTES, "a database page is damaged");
        x = OUTCOME_CORRUPT;
    }
    if (x != 0) {
        int y = registry_lock(r);
        return y < 0 ? y : x;
    }
    registry_mark(r);
    return 0;
}

int registry_lock(struct registry *r)
{
    assert(r->changes_count == 0);
    keys_fini(&r->keys);
    secret_fini(&r->signer);
    secret_fini(&r->names);
    keys_fini(&r->before);
    tree_fini(&r->tree);
    buf_fini(&r->scratch);
    buf_fini(&r->copy);
    buf_fini(&r->name);
    r->may_hide = false;
    r->state = (struct rows_state){0};
    r->prune = (struct registry_prune){0};
    r->rules_count = r->schemas_count = 0;
    r->corrupt_count = 0;
    TRY(tree_init(&r->tree));
    TRY(registry_load_rules(r, NULL));
    TRY(registry_load_schemas(r, NULL));
    TRY(registry_load_roles(r, NULL));
    registry_mark(r);
    return 0;
}
