/* registry-turn - one turn of the registry: all of it or nothing, in the database and in memory; see registry.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "registry/registry-internal.h"

enum { LOG_SLACK_PAGES = 200 }; /* a turn that begins below the threshold still ends inside what was written ahead */

int registry_turn_fail(struct registry *r, int fault)
{
    assert(fault < 0);
    if (r->failed == 0)
        r->failed = fault;
    return fault;
}

int registry_touch(struct registry *r)
{
    if (store_in_transaction(r->store))
        return 0;
    int x = store_begin(r->store);
    return x < 0 ? registry_turn_fail(r, x) : 0;
}

/* Makes room for one change and notes what the turn began with. */
static int next_change(struct registry *r, struct node *node, struct registry_change **ret_change)
{
    if (r->changes_count == r->changes_cap) {
        size_t cap = MAX_OF(r->changes_cap * 2, (size_t)64);
        struct registry_change *changes = realloc(r->changes, cap * sizeof *changes);
        if (changes == NULL)
            return registry_turn_fail(r, RAISE(-ENOMEM));
        r->changes = changes;
        r->changes_cap = cap;
    }
    r->is_changed = true;
    struct registry_change *c = &r->changes[r->changes_count++];
    *c = (struct registry_change){.node = node, .is_repeat = node->is_touched};
    node->is_touched = true;
    *ret_change = c;
    return 0;
}

int registry_swap_entry(struct registry *r, struct node *node, struct entry *entry)
{
    struct registry_change *c;
    int x = next_change(r, node, &c);
    if (x < 0) {
        entry_free(entry);
        return x;
    }
    c->entry = tree_set_entry(&r->tree, node, entry);
    return 0;
}

int registry_swap_schema(struct registry *r, struct node *node, struct node_schema *schema)
{
    struct registry_change *c;
    int x = next_change(r, node, &c);
    if (x < 0) {
        free(schema);
        return x;
    }
    c->step = REGISTRY_STEP_SCHEMA;
    c->schema = node->schema;
    node->schema = schema;
    return 0;
}

int registry_forget_tombs(struct registry *r)
{
    while (r->tree.tombs_count > r->settings.tombs_count) {
        struct registry_change *c;
        TRY(next_change(r, CONTAINER_OF(r->tree.tombs.next, struct entry, tomb)->node, &c));
        c->step = REGISTRY_STEP_FORGET;
        (void)tree_forget(&r->tree);
    }
    return 0;
}

int registry_swap_rules(struct registry *r, struct node *node, struct authz_rule *rules, uint32_t count)
{
    struct registry_change *c;
    int x = next_change(r, node, &c);
    if (x < 0)
        return x;
    c->step = REGISTRY_STEP_RULES;
    c->rules = node->rules;
    c->rules_count = node->rules_count;
    c->after = node->rules = rules;
    c->after_count = node->rules_count = count;
    return 0;
}

int registry_swap_seal(struct registry *r, struct node *node, const uint8_t mac[static DIGEST_BYTES], struct bytes body)
{
    struct registry_change *c;
    struct entry *e = node->entry;
    struct entry *before = entry_new(body.n);
    if (before == NULL)
        return registry_turn_fail(r, RAISE(-ENOMEM));
    int x = next_change(r, node, &c);
    if (x < 0) {
        entry_free(before);
        return x;
    }
    assert(body.n == 0 || body.n == e->body_bytes);
    c->step = REGISTRY_STEP_SEAL;
    c->entry = before;
    memcpy(before->mac, e->mac, DIGEST_BYTES);
    memcpy(e->mac, mac, DIGEST_BYTES);
    if (body.n > 0) {
        memcpy(before->body, e->body, body.n);
        memcpy(e->body, body.p, body.n);
    }
    return 0;
}

int registry_swap_roles(struct registry *r, struct registry_roles *roles)
{
    struct registry_change *c;
    int x = next_change(r, r->tree.root, &c);
    if (x < 0) {
        registry_roles_free(roles, r->roles);
        return x;
    }
    c->step = REGISTRY_STEP_ROLES;
    c->roles = r->roles;
    c->roles_after = r->roles = roles;
    r->roles_stamp++;
    return 0;
}

/* Frees `gone` and what those of its rules own that are not also in `kept`. */
static void free_rules(struct authz_rule *gone, uint32_t gone_count, const struct authz_rule *kept, uint32_t kept_count)
{
    for (uint32_t i = 0; i < gone_count; i++) {
        bool is_shared = false;
        for (uint32_t k = 0; k < kept_count; k++)
            is_shared = is_shared || kept[k].id == gone[i].id;
        if (!is_shared)
            node_rule_fini(&gone[i]);
    }
    free(gone);
}

static void take_back(struct registry *r, struct registry_change *c)
{
    struct node *n = c->node;
    if (c->step == REGISTRY_STEP_FORGET) {
        tree_recall(&r->tree, n->entry);
    } else if (c->step == REGISTRY_STEP_SCHEMA) {
        free(n->schema);
        n->schema = c->schema;
    } else if (c->step == REGISTRY_STEP_RULES) {
        free_rules(n->rules, n->rules_count, c->rules, c->rules_count);
        n->rules = c->rules;
        n->rules_count = c->rules_count;
        r->rules_due_us = 1; /* to be looked at again */
    } else if (c->step == REGISTRY_STEP_SEAL) {
        memcpy(n->entry->mac, c->entry->mac, DIGEST_BYTES);
        if (c->entry->body_bytes > 0)
            memcpy(n->entry->body, c->entry->body, c->entry->body_bytes);
        entry_free(c->entry);
    } else if (c->step == REGISTRY_STEP_ROLES) {
        registry_roles_free(r->roles, c->roles);
        r->roles = c->roles;
        r->roles_stamp++;
    } else {
        entry_free(tree_set_entry(&r->tree, n, c->entry));
    }
}

/* The changes from number `first` on stay, or never were. */
static void settle_changes(struct registry *r, size_t first, bool is_committed)
{
    for (size_t i = r->changes_count; !is_committed && i > first; i--)
        take_back(r, &r->changes[i - 1]);
    for (size_t i = first; is_committed && i < r->changes_count; i++) {
        struct registry_change *c = &r->changes[i];
        /* compared with what came right after: a later change of the turn frees what that one owned */
        if (c->step == REGISTRY_STEP_RULES)
            free_rules(c->rules, c->rules_count, c->after, c->after_count);
        else if (c->step == REGISTRY_STEP_ROLES)
            registry_roles_free(c->roles, c->roles_after);
        else if (c->step == REGISTRY_STEP_SCHEMA)
            free(c->schema);
        else
            entry_free(c->entry);
    }
    for (size_t i = first; i < r->changes_count; i++) {
        if (r->changes[i].is_repeat)
            continue; /* its node has been looked at, and may be gone */
        r->changes[i].node->is_touched = false;
        tree_prune(&r->tree, r->changes[i].node);
    }
    r->changes_count = first;
}

struct record registry_own(enum record_kind kind)
{
    return (struct record){.wall_us = clock_wall_now().us,
                           .mono_us = clock_mono_now().us,
                           .kind = (uint16_t)kind,
                           .uid = (uint32_t)geteuid(),
                           .gid = (uint32_t)getegid(),
                           .pid = (uint32_t)getpid()};
}

int registry_record(struct registry *r, struct record *record, bool is_change)
{
    struct registry_texts texts;
    struct bytes path = record->path, detail = record->detail;
    record->revision = r->state.revision;
    if (is_change && !registry_is_locked(r)) {
        record->state.n = RECORD_HASH_BYTES;
        memcpy(record->state.h, r->state.sum, RECORD_HASH_BYTES);
    }
    int x = registry_record_hide(r, record, &texts);
    if (x == 0)
        x = trail_append(r->trail, record);
    record->path = path;
    record->detail = detail;
    return x < 0 ? registry_turn_fail(r, x) : 0;
}

int registry_begin_epoch(struct registry *r, struct record *record)
{
    record->revision = r->state.revision;
    int x = trail_begin_epoch(r->trail, record);
    return x < 0 ? registry_turn_fail(r, x) : 0;
}

int registry_prune_trail(struct registry *r, const struct prune_statement *s)
{
    TRY(registry_touch(r));
    int x = trail_prune(r->trail, s);
    if (x < 0)
        return registry_turn_fail(r, x);
    r->is_changed = true;
    return 0;
}

int registry_save(struct registry *r, struct registry_save *ret_save)
{
    assert(!r->is_group);
    TRY(registry_touch(r));
    int x = store_save(r->store);
    if (x < 0)
        return registry_turn_fail(r, x);
    ret_save->changes_count = r->changes_count;
    ret_save->rules_count = r->rules_count;
    ret_save->schemas_count = r->schemas_count;
    ret_save->state = r->state;
    ret_save->prune = r->prune;
    ret_save->was_changed = r->is_changed;
    trail_mark(r->trail, &ret_save->trail);
    r->is_group = true;
    r->has_group_changed = false;
    return 0;
}

int registry_keep(struct registry *r)
{
    assert(r->is_group);
    r->is_group = false;
    int x = store_keep(r->store);
    return x < 0 ? registry_turn_fail(r, x) : 0;
}

int registry_drop(struct registry *r, const struct registry_save *save)
{
    assert(r->is_group);
    r->is_group = false;
    int x = store_drop(r->store);
    if (x < 0)
        return registry_turn_fail(r, x);
    trail_rewind(r->trail, &save->trail);
    settle_changes(r, save->changes_count, false);
    r->approvals_due_us = 1; /* to be looked at again */
    r->rules_count = save->rules_count;
    r->schemas_count = save->schemas_count;
    r->state = save->state;
    r->prune = save->prune;
    r->is_changed = save->was_changed;
    return 0;
}

void registry_mark(struct registry *r)
{
    r->is_group = r->has_group_changed = false;
    r->state_before = r->state;
    r->prune_before = r->prune;
    r->rules_before = r->rules_count;
    r->schemas_before = r->schemas_count;
    r->is_changed = false;
    r->failed = 0;
}

/* What a turn removes of the past changes nothing that anybody may ask for; but the state, when the last row of a
 * deleted entry goes: that is recorded, so that the newest record of a change has the state of the database. */
static int prune(struct registry *r)
{
    uint8_t sum[DIGEST_BYTES];
    memcpy(sum, r->state.sum, sizeof sum);
    TRY(registry_prune_step(r));
    if (memcmp(sum, r->state.sum, sizeof sum) == 0)
        return 0;
    struct record record = registry_own(RECORD_FORGET);
    return registry_record(r, &record, true);
}

/* What the turn changed, with its records. */
static int commit_changes(struct registry *r, bool is_durable)
{
    uint8_t state[ROWS_STATE_BYTES];
    struct rows_ctx ctx = registry_ctx(r);
    TRY(registry_touch(r));
    if (r->changes_count > 0)
        TRY(prune(r));
    TRY(rows_state_encode(&ctx, &r->state, state));
    TRY(trail_flush(r->trail, BYTES_OF(state), is_durable));
    TRY(store_commit(r->store));
    return store_sync(r->store);
}

/* The records of a turn that changed nothing go to the log alone. */
static int commit_records(struct registry *r, bool is_durable)
{
    store_rollback(r->store); /* what a transaction tried and took back */
    return trail_flush(r->trail, BYTES_NONE, is_durable);
}

static void roll_back(struct registry *r)
{
    store_rollback(r->store);
    r->approvals_due_us = 1;
    r->state = r->state_before;
    r->prune = r->prune_before;
    r->rules_count = r->rules_before;
    r->schemas_count = r->schemas_before;
}

int registry_turn_end(struct registry *r, bool is_durable, bool *ret_synced)
{
    int x = r->failed;
    bool has_changed = r->is_changed, has_work = has_changed || x != 0 || trail_pending(r->trail) > 0;
    *ret_synced = false;
    if (has_work) {
        if (x == 0)
            x = has_changed ? commit_changes(r, is_durable) : commit_records(r, is_durable);
        trail_settle(r->trail, x == 0);
        settle_changes(r, 0, x == 0);
        if (x < 0)
            roll_back(r);
        registry_settle_pass(r, x == 0);
    }
    registry_mark(r);
    if (x == 0 && is_durable && !has_changed)
        x = trail_sync(r->trail);
    *ret_synced = x == 0 && (has_changed || is_durable);
    if (x == 0 && has_changed) {
        /* the turn stands whether or not the log can be folded now; only a sync that failed means more */
        int y = store_checkpoint(r->store, STORE_LOG_PAGES - LOG_SLACK_PAGES);
        x = y == FAULT_SYNC ? y : 0;
    }
    return x;
}

void registry_relieve(struct registry *r)
{
    int x = store_checkpoint(r->store, 0);
    (void)x; /* an attempt: whether there is room again is seen by the next turn */
}

int registry_scrub(struct registry *r)
{
    assert(r->changes_count == 0);
    return store_scrub(r->store);
}

int registry_sync(struct registry *r)
{
    TRY(store_sync(r->store));
    return trail_sync(r->trail);
}

bool registry_wants_sync(const struct registry *r)
{
    return trail_wants_sync(r->trail);
}
