/* registry-copy - what builds new versions from old ones, and destroys old ones; see registry.h. */
#include <string.h>

#include "model/path.h"
#include "registry/registry-internal.h"

int registry_copy(struct registry *r, const struct node *from, uint64_t version, struct bytes path,
                  const struct registry_actor *actor, struct registry_done *ret_done)
{
    struct registry_value v;
    int x = version == 0 ? registry_get(r, from, false, &v) : registry_get_version(r, from, version, &v);
    if (x != 0)
        return x;
    bool is_sealed = (v.flags & ENTRY_SEALED) != 0;
    /* the plain value moves out of the way: sealing it again needs the scratch buffer */
    struct buf plain = r->scratch;
    r->scratch = r->copy;
    r->copy = plain;
    struct registry_put put = {.type = v.type,
                               .seals = is_sealed,
                               .unseals = !is_sealed,
                               .has_comment = true,
                               .has_tags = true,
                               .has_expires = true,
                               .expires_us = v.expires_us,
                               .comment = v.comment,
                               .tags = v.tags,
                               .body = v.body};
    x = registry_set(r, path, actor, &put, ret_done);
    buf_clear(&r->copy);
    return x;
}

int registry_at(struct registry *r, const struct node *node, uint64_t revision, uint64_t *ret_version)
{
    struct store_stmt *st = NULL;
    const struct entry *e = node->entry;
    if (e == NULL || (e->flags & ENTRY_FORGOTTEN) != 0) {
        *ret_version = 0;
        return 0;
    }
    if ((e->flags & ENTRY_CORRUPT) != 0)
        return OUTCOME_CORRUPT;
    if (e->revision <= revision) {
        *ret_version = node_is_live(node) ? e->version : 0;
        return 0;
    }
    int x = registry_find_row(r, e, revision, &st);
    if (x == STORE_ROW) {
        struct rows_version row;
        struct bytes mac = registry_row_read(st, &row);
        x = registry_row_check(r, &row, mac);
        *ret_version = (row.flags & ENTRY_DELETED) != 0 ? 0 : row.version;
    } else if (x == 0) {
        *ret_version = 0;
    }
    if (st != NULL)
        store_done(st);
    return x;
}

/* Writes the row again without its value. */
static int write_shredded(struct registry *r, const struct rows_version *row)
{
    uint8_t mac[DIGEST_BYTES];
    struct rows_ctx ctx = registry_ctx_at(r, row->id);
    TRY(rows_mac_version(&ctx, row, mac));
    struct store_stmt *st = store_use(r->store, STORE_VERSION_SHRED);
    store_bind_i64(st, 1, (int64_t)row->id);
    store_bind_i64(st, 2, row->flags);
    store_bind_blob(st, 3, BYTES_OF(mac));
    store_bind_blob(st, 4, BYTES_NONE);
    return store_run(r->store, st);
}

static int shred_row(struct registry *r, struct store_stmt *st)
{
    uint8_t path[REGISTRY_STORED_PATH_MAX_BYTES];
    struct rows_version row;
    struct bytes mac = registry_row_read(st, &row);
    int x = registry_row_check(r, &row, mac);
    if (x != 0)
        return x;
    assert(row.path.n <= sizeof path); /* it is one that was written here */
    if ((row.flags & (ENTRY_DELETED | ENTRY_SHREDDED)) != 0)
        return OUTCOME_GONE;
    struct registry_value texts = {
        .reason = row.reason, .comment = row.comment, .tags = row.tags, .flags = ENTRY_SEALED};
    TRY(registry_keep_value(r, &texts));
    memcpy(path, row.path.p, row.path.n);
    row.path = bytes_of(path, row.path.n);
    row.reason = texts.reason;
    row.comment = texts.comment;
    row.tags = texts.tags;
    row.body = BYTES_NONE;
    row.flags |= ENTRY_SHREDDED;
    store_done(st);
    TRY(registry_touch(r));
    return write_shredded(r, &row);
}

int registry_shred(struct registry *r, struct node *node, uint64_t version)
{
    struct store_stmt *st = NULL;
    const struct entry *e = node->entry;
    assert(!registry_is_locked(r));
    if (e == NULL || (e->flags & ENTRY_FORGOTTEN) != 0 || version == 0 || version > e->version ||
        registry_row_is_spare(r, e, version))
        return OUTCOME_NOT_FOUND;
    if (version == e->version)
        return OUTCOME_CONFLICT;
    int x = registry_go_back(r, e, version, &st);
    if (x == STORE_ROW)
        x = shred_row(r, st);
    else if (x == 0)
        x = OUTCOME_NOT_FOUND;
    if (st != NULL)
        store_done(st);
    if (x == 0) {
        if (!r->is_group || !r->has_group_changed)
            r->state.revision++;
        r->has_group_changed = r->is_group;
        r->is_changed = true;
    }
    return x < 0 ? registry_turn_fail(r, x) : x;
}

struct node *registry_due(const struct registry *r, int64_t now_us)
{
    struct heap_link *top = heap_top(&r->tree.expiring);
    return top != NULL && top->key <= now_us ? CONTAINER_OF(top, struct entry, expiry)->node : NULL;
}

int64_t registry_next_due(const struct registry *r)
{
    struct heap_link *top = heap_top(&r->tree.expiring);
    return top != NULL ? top->key : 0;
}

uint64_t registry_era(const struct rows_state *state)
{
    const uint64_t numbers[] = {state->revision, state->next_row, state->next_rule, state->next_slot,
                                state->version_floor};
    uint64_t era = state->era;
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        era = MAX_OF(era, numbers[i] >> ROWS_ERA_SHIFT);
    return era + 1;
}

void registry_begin_era(struct registry *r, uint64_t era)
{
    struct rows_state *s = &r->state;
    assert(!registry_is_locked(r) && era >= registry_era(s) && era <= ROWS_ERA_MAX);
    s->era = era;
    s->revision = rows_next(era, s->revision);
    s->next_row = rows_next(era, s->next_row - 1);
    s->next_rule = rows_next(era, s->next_rule - 1);
    s->next_slot = rows_next(era, s->next_slot - 1);
    r->is_changed = true;
}
