/*
 * registry-slot - key slots: listing, adding, removing, and closing those that stay over a new root key; see
 * registry.h.
 *
 * Every slot row has a MAC and counts in the state digest, so a slot that was edited is named, and one that was taken
 * away, planted or put back keeps the registry locked. What that does not help against: who kept a removed slot and its
 * material has the root key, and needs no daemon; only a new root key does.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "registry/registry-internal.h"

static struct bytes store_id(const struct registry *r)
{
    return bytes_of(r->store_id, sizeof r->store_id);
}

struct bytes registry_slot_row(struct store_stmt *st, struct registry_slot *ret_slot)
{
    *ret_slot = (struct registry_slot){.id = (uint64_t)store_column_i64(st, 0),
                                       .label = store_column_bytes(st, 1),
                                       .created_us = store_column_i64(st, 2),
                                       .created_by = (uint32_t)store_column_i64(st, 3),
                                       .body = store_column_bytes(st, 5)};
    ret_slot->kind = keys_slot_kind(ret_slot->body);
    ret_slot->rounds = keys_slot_rounds(ret_slot->body);
    return store_column_bytes(st, 4);
}

static int slot_mac(const struct registry *r, const struct registry_slot *slot, uint8_t ret[static DIGEST_BYTES])
{
    struct rows_ctx ctx = registry_ctx(r);
    struct rows_slot row = {slot->id, slot->label, slot->body, slot->created_us, slot->created_by};
    return rows_mac_slot(&ctx, &row, ret);
}

static int check_slot(const struct registry *r, struct registry_slot *slot, struct bytes stored)
{
    uint8_t mac[DIGEST_BYTES];
    if (registry_is_locked(r))
        return 0;
    TRY(slot_mac(r, slot, mac));
    slot->is_good = slot->kind != 0 && secret_equal(BYTES_OF(mac), stored);
    return 0;
}

int registry_slot_each(struct registry *r, int (*on_slot)(const struct registry_slot *slot, void *arg), void *arg)
{
    struct store_stmt *st = store_use(r->store, STORE_SLOT_EACH);
    int x, result = 0;
    while (result == 0 && (x = store_step(r->store, st)) == STORE_ROW) {
        struct registry_slot slot;
        struct bytes mac = registry_slot_row(st, &slot);
        result = check_slot(r, &slot, mac);
        if (result == 0)
            result = on_slot(&slot, arg);
        x = 0;
    }
    store_done(st);
    return result != 0 ? result : x;
}

int registry_load_slots(struct registry *r, uint8_t *sum, void (*on_corrupt)(struct bytes path, void *arg), void *arg)
{
    struct store_stmt *st = store_use(r->store, STORE_SLOT_EACH);
    int x;
    while ((x = store_step(r->store, st)) == STORE_ROW) {
        struct registry_slot slot;
        char name[32];
        struct bytes mac = registry_slot_row(st, &slot);
        x = check_slot(r, &slot, mac);
        if (x < 0)
            break;
        if (mac.n == DIGEST_BYTES)
            digest_sum_add(sum, mac.p);
        if (!slot.is_good) {
            snprintf(name, sizeof name, "slot %llu", (unsigned long long)slot.id);
            on_corrupt(bytes_of_text(name), arg);
            r->corrupt_count++;
        }
    }
    store_done(st);
    return x;
}

/* ---- adding and removing --------------------------------------------------------------------------------- */

static int count_slot(const struct registry_slot *slot, void *arg)
{
    (void)slot;
    (*(size_t *)arg)++;
    return 0;
}

static int put_row(struct registry *r, const struct registry_slot *slot, const uint8_t mac[static DIGEST_BYTES])
{
    TRY(registry_touch(r));
    struct store_stmt *st = store_use(r->store, STORE_SLOT_ADD);
    store_bind_i64(st, 1, (int64_t)slot->id);
    store_bind_text(st, 2, slot->label);
    store_bind_i64(st, 3, slot->created_us);
    store_bind_i64(st, 4, slot->created_by);
    store_bind_blob(st, 5, bytes_of(mac, DIGEST_BYTES));
    store_bind_blob(st, 6, slot->body);
    return store_run(r->store, st);
}

/* Closes the root key in the slot and writes its row. */
static int close_slot(struct registry *r, struct registry_slot *slot, const struct secret *material)
{
    struct buf body;
    uint8_t mac[DIGEST_BYTES];
    buf_init(&body, KEYS_SLOT_MAX_BYTES);
    int x = keys_slot_close(&body, &r->keys, store_id(r), (enum keys_slot_kind)slot->kind, material, slot->rounds);
    slot->body = buf_view(&body);
    if (x == 0)
        x = slot_mac(r, slot, mac);
    if (x == 0)
        x = put_row(r, slot, mac);
    if (x == 0)
        digest_sum_add(r->state.sum, mac);
    slot->body = BYTES_NONE;
    buf_fini(&body);
    return x;
}

int registry_slot_add(struct registry *r, const struct registry_actor *actor, const struct registry_slot *slot,
                      const struct secret *material, uint64_t *ret_id)
{
    struct registry_slot made = *slot;
    size_t count = 0;
    assert(!registry_is_locked(r) && slot->label.n <= META_LABEL_MAX_BYTES);
    int x = registry_slot_each(r, count_slot, &count);
    if (x == 0 && count >= META_SLOTS_MAX_COUNT)
        return OUTCOME_LIMIT;
    made.id = r->state.next_slot;
    made.created_us = actor->now_us;
    made.created_by = actor->uid;
    if (x == 0)
        x = close_slot(r, &made, material);
    if (x < 0)
        return registry_turn_fail(r, x);
    r->state.next_slot++;
    r->is_changed = true;
    *ret_id = made.id;
    return 0;
}

static int remove_row(struct registry *r, uint64_t id)
{
    TRY(registry_touch(r));
    struct store_stmt *st = store_use(r->store, STORE_SLOT_REMOVE);
    store_bind_i64(st, 1, (int64_t)id);
    return store_run(r->store, st);
}

/* What a slot row says, held beside the database: rows are changed while the others are still wanted. */
struct held {
    struct registry_slot slot;
    uint8_t label[META_LABEL_MAX_BYTES], body[KEYS_SLOT_MAX_BYTES], mac[DIGEST_BYTES];
    size_t mac_bytes;
};

struct held_slots {
    struct held list[META_SLOTS_MAX_COUNT];
    size_t count;
};

/* A view into `to` of the bytes, as far as they have room: longer ones are not ours, and fail their check anyway. */
static struct bytes hold_bytes(uint8_t *to, size_t room, struct bytes from)
{
    size_t n = MIN_OF(from.n, room);
    if (n > 0)
        memcpy(to, from.p, n);
    return bytes_of(to, n);
}

static int hold_slots(struct registry *r, struct held_slots *ret_slots)
{
    struct store_stmt *st = store_use(r->store, STORE_SLOT_EACH);
    int x;
    ret_slots->count = 0;
    while ((x = store_step(r->store, st)) == STORE_ROW) {
        struct held *h = &ret_slots->list[ret_slots->count];
        if (ret_slots->count == META_SLOTS_MAX_COUNT) {
            x = RAISE(FAULT_CORRUPT); /* more than are ever made */
            break;
        }
        struct bytes mac = registry_slot_row(st, &h->slot);
        x = check_slot(r, &h->slot, mac);
        if (x < 0)
            break;
        h->slot.label = hold_bytes(h->label, sizeof h->label, h->slot.label);
        h->slot.body = hold_bytes(h->body, sizeof h->body, h->slot.body);
        h->mac_bytes = hold_bytes(h->mac, sizeof h->mac, mac).n;
        ret_slots->count++;
    }
    store_done(st);
    return x;
}

/* A MAC of another length never counted in: registry_load_slots(). */
static int drop_slot(struct registry *r, const struct held *h)
{
    TRY(remove_row(r, h->slot.id));
    if (h->mac_bytes == DIGEST_BYTES)
        digest_sum_remove(r->state.sum, h->mac);
    return 0;
}

int registry_slot_remove(struct registry *r, uint64_t id)
{
    struct held_slots slots;
    const struct held *gone = NULL;
    size_t left = 0;
    assert(!registry_is_locked(r));
    int x = hold_slots(r, &slots);
    if (x < 0)
        return registry_turn_fail(r, x);
    for (size_t i = 0; i < slots.count; i++) {
        if (slots.list[i].slot.id == id)
            gone = &slots.list[i];
        else
            left += slots.list[i].slot.is_good;
    }
    if (gone == NULL || left == 0)
        return gone == NULL ? OUTCOME_NOT_FOUND : OUTCOME_LAST_SLOT;
    x = drop_slot(r, gone);
    if (x < 0)
        return registry_turn_fail(r, x);
    r->is_changed = true;
    return 0;
}

/* ---- a new root key -------------------------------------------------------------------------------------- */

static struct held *find_slot(struct held_slots *slots, uint64_t id)
{
    for (size_t i = 0; i < slots->count; i++) {
        if (slots->list[i].slot.id == id)
            return &slots->list[i];
    }
    return NULL;
}

/* Returns 0, OUTCOME_NOT_FOUND, OUTCOME_AUTH_FAILED, or a fault. */
static int check_material(struct registry *r, struct held_slots *slots, const struct registry_material *m)
{
    SCOPED(keys_fini) struct keys k = {0};
    const struct held *h = find_slot(slots, m->slot);
    if (h == NULL || h->slot.kind == 0)
        return OUTCOME_NOT_FOUND;
    int x = keys_slot_open(h->slot.body, store_id(r), (enum keys_slot_kind)h->slot.kind, &m->secret, &k);
    if (x != 0)
        return x < 0 ? x : OUTCOME_AUTH_FAILED;
    return keys_is_same_root(&k, &r->keys) ? 0 : OUTCOME_AUTH_FAILED;
}

int registry_rekey_check(struct registry *r, const struct registry_material *materials, size_t count, size_t *ret_bad)
{
    struct held_slots slots;
    assert(!registry_is_locked(r));
    TRY(hold_slots(r, &slots));
    for (size_t i = 0; i < count; i++) {
        *ret_bad = i;
        int x = check_material(r, &slots, &materials[i]);
        if (x != 0)
            return x;
    }
    return 0;
}

/* Every slot goes; those with material come back, closed over the new root key, with their names and numbers. */
static int rekey_slots(struct registry *r, struct held_slots *slots, const struct registry_material *materials,
                       size_t count)
{
    for (size_t i = 0; i < slots->count; i++)
        TRY(drop_slot(r, &slots->list[i]));
    for (size_t i = 0; i < count; i++) {
        struct held *h = find_slot(slots, materials[i].slot);
        assert(h != NULL); /* registry_rekey_check() found it */
        TRY(close_slot(r, &h->slot, &materials[i].secret));
    }
    return 0;
}

/* The new root key is in place: everything that is not left to the pass goes under it. */
static int rekey_all(struct registry *r, struct held_slots *slots, const struct registry_material *materials,
                     size_t count)
{
    struct buf previous;
    TRY(registry_touch(r));
    TRY(rekey_slots(r, slots, materials, count));
    TRY(registry_rules_rekey(r));
    TRY(registry_roles_rekey(r));
    TRY(registry_schemas_rekey(r));
    TRY(registry_approvals_turn(r));
    TRY(registry_rekey_signer(r));
    TRY(registry_rekey_names(r));
    buf_init(&previous, KEYS_WRAPPED_BYTES);
    int x = keys_root_close(&previous, &r->keys, store_id(r), &r->before);
    if (x == 0)
        x = registry_put_meta(r, REGISTRY_PREVIOUS_ROOT, buf_view(&previous));
    buf_fini(&previous);
    return x;
}

int registry_rekey(struct registry *r, const struct registry_material *materials, size_t count)
{
    struct held_slots slots;
    struct keys fresh, keys;
    assert(!registry_is_locked(r) && count > 0 && count <= META_SLOTS_MAX_COUNT);
    if (r->state.pass.kind != ROWS_PASS_NONE)
        return OUTCOME_BUSY;
    int x = hold_slots(r, &slots);
    if (x == 0)
        x = keys_init_random(&fresh);
    if (x < 0)
        return registry_turn_fail(r, x);
    x = keys_derive(&fresh, (uint32_t)r->state.epoch + 1, &keys);
    keys_fini(&fresh);
    if (x == 0) {
        registry_begin_pass(r, ROWS_PASS_REKEY, &keys);
        x = rekey_all(r, &slots, materials, count);
    }
    return x < 0 ? registry_turn_fail(r, x) : 0;
}
