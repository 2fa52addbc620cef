/* registry-rule - access rules: stored with a MAC, held on the nodes of the tree; see registry.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/path.h"
#include "registry/registry-internal.h"

/* A condition, and the text that it holds views into. */
struct held_condition {
    struct authz_condition condition; /* first: node_rule_fini() frees the block by it */
    uint8_t text[];
};

/* One that does not parse stays, as what is always unknown. NULL if memory ran out. */
static const struct authz_condition *hold_condition(struct bytes text)
{
    const char *why;
    struct held_condition *held = malloc(sizeof *held + text.n);
    if (held == NULL)
        return NULL;
    memcpy(held->text, text.p, text.n);
    if (!authz_condition_parse(bytes_of(held->text, text.n), &held->condition, &why))
        held->condition = AUTHZ_UNREADABLE;
    return &held->condition;
}

static int hold_name(struct bytes *name)
{
    uint8_t *copy = malloc(name->n);
    if (copy == NULL)
        return RAISE(-ENOMEM);
    memcpy(copy, name->p, name->n);
    name->p = copy;
    return 0;
}

/* A rule as the tree holds it; texts are copied. Returns 0, ROWS_BAD for a malformed principal, or -ENOMEM. */
static int hold_rule(const struct registry_rule *rule, struct authz_rule *ret_held)
{
    struct authz_rule held = {.id = rule->id, .effect = rule->effect, .actions = rule->actions};
    unsigned may = rule->effect == AUTHZ_APPROVE ? AUTHZ_APPROVABLE : AUTHZ_ALL;
    if (!authz_principal_parse(rule->principal, &held.who) || rule->actions == 0 || rule->id == 0 ||
        (rule->actions & ~may) != 0 || rule->effect < AUTHZ_ALLOW || rule->effect > AUTHZ_APPROVE ||
        (rule->effect == AUTHZ_APPROVE && rule->condition.n > 0))
        return ROWS_BAD;
    held.who.name.p = held.who.name.n > 0 ? held.who.name.p : NULL;
    if (held.who.name.n > 0)
        TRY(hold_name(&held.who.name));
    if (rule->condition.n > 0) {
        held.condition = hold_condition(rule->condition);
        if (held.condition == NULL) {
            node_rule_fini(&held);
            return RAISE(-ENOMEM);
        }
    }
    *ret_held = held;
    return 0;
}

/* The rules of a node with one more at the end, or without the one at `drop`. NULL if memory ran out, or for no rules.
 */
static struct authz_rule *copy_rules(const struct node *node, const struct authz_rule *more, uint32_t drop)
{
    uint32_t n = 0;
    struct authz_rule *rules = malloc(((size_t)node->rules_count + 1) * sizeof *rules);
    if (rules == NULL)
        return NULL;
    for (uint32_t i = 0; i < node->rules_count; i++) {
        if (more != NULL || i != drop)
            rules[n++] = node->rules[i];
    }
    if (more != NULL)
        rules[n] = *more;
    return rules;
}

/* Notes when the rule ends, if it is one that can be removed then. */
static void note_end(struct registry *r, const struct authz_rule *rule)
{
    const struct authz_condition *c = rule->condition;
    if (rule->effect != AUTHZ_ALLOW || c == NULL || c->is_unreadable || (c->terms & AUTHZ_TERM_UNTIL) == 0)
        return;
    if (r->rules_due_us == 0 || c->until_us < r->rules_due_us)
        r->rules_due_us = c->until_us;
}

/* ---- loading --------------------------------------------------------------------------------------------- */

static void read_rule(struct store_stmt *st, struct registry_rule *rule)
{
    rule->id = (uint64_t)store_column_i64(st, 0);
    rule->path = store_column_bytes(st, 1);
    rule->effect = (enum authz_effect)store_column_i64(st, 2);
    rule->principal = store_column_bytes(st, 3);
    rule->actions = (unsigned)store_column_i64(st, 4);
    rule->condition = store_column_bytes(st, 5);
    rule->created_us = store_column_i64(st, 6);
    rule->created_by = (uint32_t)store_column_i64(st, 7);
}

static struct rows_rule row_of(const struct registry_rule *rule)
{
    return (struct rows_rule){.id = rule->id,
                              .path = rule->path,
                              .principal = rule->principal,
                              .condition = rule->condition,
                              .effect = (unsigned)rule->effect,
                              .actions = rule->actions,
                              .created_us = rule->created_us,
                              .created_by = rule->created_by};
}

/* Returns 0, ROWS_BAD, or a fault. */
static int check_rule(struct registry *r, const struct registry_rule *rule, struct bytes stored_mac, uint8_t *sum)
{
    uint8_t mac[DIGEST_BYTES];
    struct rows_ctx ctx = registry_ctx(r);
    struct rows_rule row = row_of(rule);
    TRY(rows_mac_rule(&ctx, &row, mac));
    if (!secret_equal(bytes_of(mac, sizeof mac), stored_mac))
        return ROWS_BAD;
    digest_sum_add(sum, mac);
    return 0;
}

static int place_rule(struct registry *r, const struct registry_rule *rule)
{
    struct authz_rule held;
    struct node *node;
    const char *why;
    if (!path_check(rule->path, &why))
        return ROWS_BAD;
    int x = hold_rule(rule, &held);
    if (x != 0)
        return x;
    x = tree_make(&r->tree, rule->path, &node);
    struct authz_rule *rules = x == 0 ? copy_rules(node, &held, 0) : NULL;
    if (rules == NULL) {
        node_rule_fini(&held);
        return x < 0 ? x : RAISE(-ENOMEM);
    }
    free(node->rules);
    node->rules = rules;
    node->rules_count++;
    r->rules_count++;
    note_end(r, &held);
    return 0;
}

static bool node_has_rule(const struct node *node, uint64_t id)
{
    for (uint32_t i = 0; i < node->rules_count; i++) {
        if (node->rules[i].id == id)
            return true;
    }
    return false;
}

int registry_load_rules(struct registry *r, uint8_t *sum)
{
    struct store_stmt *st = store_use(r->store, STORE_RULE_EACH);
    int x, result = 0;
    while (result == 0 && (x = store_step(r->store, st)) == STORE_ROW) {
        struct registry_rule rule;
        read_rule(st, &rule);
        const struct node *held = NULL;
        const char *why;
        if (sum != NULL) {
            result = check_rule(r, &rule, store_column_bytes(st, 8), sum);
            held = result == 0 && path_check(rule.path, &why) ? tree_walk(&r->tree, rule.path).node : NULL;
        }
        if (result == 0 && (held == NULL || !node_has_rule(held, rule.id)))
            result = place_rule(r, &rule);
        if (result == ROWS_BAD && sum == NULL)
            result = 0; /* not yet authenticated: such a rule grants nothing, and unlocking will name the damage */
        x = 0;
    }
    store_done(st);
    return result != 0 ? result : x;
}

/* ---- changing -------------------------------------------------------------------------------------------- */

/* A place, and the rules that hold there. */
struct place {
    const struct registry *registry;
    const struct node *node;
    struct authz_rules chain[AUTHZ_CHAIN_MAX_COUNT];
    size_t chain_count;
    uint32_t except; /* a uid that is not meant; AUTHZ_NOBODY: none */
};

/* Somebody who is only that may edit the rules of the place (and control the registry, at its root). Nothing is known
 * that conditions ask for: a rule with one does not help here, and a deny with one stands. */
static bool is_granter(const struct place *p, const struct authz_principal *who)
{
    struct registry_person person;
    if (who->kind == AUTHZ_UID && who->id == p->except)
        return false;
    struct authz_subject s = registry_subject_of(p->registry, who, &person);
    if (!authz_decide(p->chain, p->chain_count, &s, false, AUTHZ_GRANT).is_allowed)
        return false;
    return p->node->parent != NULL || authz_decide(p->chain, p->chain_count, &s, false, AUTHZ_CONTROL).is_allowed;
}

/* A role counts by its members: one that has none helps nobody. */
static bool names_granter(const struct place *p, const struct authz_principal *who)
{
    size_t count = 0;
    if (who->kind != AUTHZ_ROLE)
        return is_granter(p, who);
    size_t first = registry_role_members(p->registry, who->name, &count);
    for (size_t i = first; i < first + count; i++) {
        if (is_granter(p, &registry_member_at(p->registry, i)->who))
            return true;
    }
    return false;
}

/* Somebody but `except` whom an allowing rule of the chain names may still edit the rules of this node. */
static bool has_granter_but(const struct registry *r, const struct node *node, uint32_t except)
{
    struct place p = {.registry = r, .node = node, .except = except};
    p.chain_count = node_chain(node, p.chain);
    for (size_t i = 0; i < p.chain_count; i++) {
        for (size_t k = 0; k < p.chain[i].count; k++) {
            const struct authz_rule *rule = &p.chain[i].rules[k];
            if (rule->effect == AUTHZ_ALLOW && authz_is_unconditional(rule) && names_granter(&p, &rule->who))
                return true;
        }
    }
    return false;
}

static bool has_granter(const struct registry *r, const struct node *node)
{
    return has_granter_but(r, node, AUTHZ_NOBODY);
}

bool registry_has_approver(const struct registry *r, const struct node *nearest, const struct authz_principal *who,
                           uint32_t uid)
{
    size_t count, first = registry_role_members(r, who->name, &count);
    if (who->kind == AUTHZ_ANY)
        return has_granter_but(r, nearest, uid);
    if (who->kind != AUTHZ_ROLE)
        return who->kind != AUTHZ_UID || who->id != uid;
    for (size_t i = first; i < first + count; i++) {
        const struct authz_principal *member = &registry_member_at(r, i)->who;
        if (member->kind != AUTHZ_UID || member->id != uid)
            return true;
    }
    return false;
}

bool registry_has_admin(const struct registry *r)
{
    return has_granter(r, r->tree.root);
}

struct below {
    struct registry *registry;
    struct bytes path;
};

static int check_below(const struct registry_rule *rule, void *arg)
{
    const struct below *b = arg;
    const char *why;
    if (!path_check(rule->path, &why) || !path_is_within(rule->path, b->path))
        return 0;
    const struct node *node = tree_walk(&b->registry->tree, rule->path).node;
    return node != NULL && !has_granter(b->registry, node) ? OUTCOME_LAST_ADMIN : 0;
}

/*
 * Nobody could ever mend a place where nobody may edit rules: neither a new deny nor a removed allow may leave one, on
 * the path itself or below it. Places without rules of their own are as the one above them. Returns 0,
 * OUTCOME_LAST_ADMIN, or a fault.
 */
static int check_granters(struct registry *r, const struct node *node, struct bytes path)
{
    struct below b = {r, path};
    if (!has_granter(r, node) || !registry_has_admin(r))
        return OUTCOME_LAST_ADMIN;
    return registry_rule_each(r, check_below, &b);
}

int registry_check_granters(struct registry *r)
{
    return check_granters(r, r->tree.root, BYTES_LITERAL("/registry"));
}

void registry_policy_changed(struct registry *r)
{
    r->state.policy = ++r->state.revision;
}

int registry_rule_insert(struct registry *r, const struct registry_rule *rule, uint8_t ret_mac[static DIGEST_BYTES])
{
    struct rows_ctx ctx = registry_ctx(r);
    struct rows_rule row = row_of(rule);
    TRY(registry_touch(r));
    TRY(rows_mac_rule(&ctx, &row, ret_mac));
    struct store_stmt *st = store_use(r->store, STORE_RULE_ADD);
    store_bind_i64(st, 1, (int64_t)rule->id);
    store_bind_text(st, 2, rule->path);
    store_bind_i64(st, 3, (int64_t)rule->effect);
    store_bind_text(st, 4, rule->principal);
    store_bind_i64(st, 5, rule->actions);
    store_bind_text(st, 6, rule->condition);
    store_bind_i64(st, 7, rule->created_us);
    store_bind_i64(st, 8, rule->created_by);
    store_bind_blob(st, 9, bytes_of(ret_mac, DIGEST_BYTES));
    return store_run(r->store, st);
}

/* Puts a held rule (its name taken over) on its node. Returns 0, OUTCOME_LAST_ADMIN (nothing changed), or a fault. */
static int attach_rule(struct registry *r, struct bytes path, struct authz_rule *held)
{
    struct node *node;
    int x = tree_make(&r->tree, path, &node);
    struct authz_rule *rules = x == 0 ? copy_rules(node, held, 0) : NULL;
    if (rules == NULL) {
        node_rule_fini(held);
        return registry_turn_fail(r, x < 0 ? x : RAISE(-ENOMEM));
    }
    struct authz_rule *before = node->rules;
    node->rules = rules;
    node->rules_count++;
    x = held->effect == AUTHZ_DENY ? check_granters(r, node, path) : 0;
    node->rules = before; /* so far only a question; the turn makes it an answer */
    node->rules_count--;
    if (x == 0)
        return registry_swap_rules(r, node, rules, node->rules_count + 1);
    node_rule_fini(held);
    free(rules);
    tree_prune(&r->tree, node);
    return x < 0 ? registry_turn_fail(r, x) : x;
}

int registry_rule_add(struct registry *r, const struct registry_rule *rule, const struct registry_actor *actor,
                      uint64_t *ret_id)
{
    struct authz_rule held;
    uint8_t mac[DIGEST_BYTES];
    struct registry_rule stored = *rule;
    assert(!registry_is_locked(r));
    if (r->rules_count >= REGISTRY_RULES_MAX_COUNT)
        return OUTCOME_LIMIT;
    if (registry_hides(r, rule->path)) {
        r->why = REGISTRY_HIDES_WHY;
        return OUTCOME_BAD_REQUEST;
    }
    stored.id = r->state.next_rule;
    stored.created_us = actor->now_us;
    stored.created_by = actor->uid;
    int x = hold_rule(&stored, &held);
    assert(x <= 0); /* the caller has checked the principal */
    if (x < 0)
        return registry_turn_fail(r, x);
    x = attach_rule(r, rule->path, &held);
    if (x != 0)
        return x;
    x = registry_rule_insert(r, &stored, mac);
    if (x < 0)
        return registry_turn_fail(r, x);
    r->state.next_rule++;
    registry_policy_changed(r);
    r->rules_count++;
    note_end(r, &held);
    digest_sum_add(r->state.sum, mac);
    *ret_id = stored.id;
    return 0;
}

/* Finds rule `id` in the database. Returns STORE_ROW with the statement open, 0 if there is none, or a fault. */
static int find_rule(struct registry *r, uint64_t id, struct store_stmt **ret_st, struct registry_rule *rule)
{
    struct store_stmt *st = store_use(r->store, STORE_RULE_EACH);
    int x;
    while ((x = store_step(r->store, st)) == STORE_ROW) {
        read_rule(st, rule);
        if (rule->id == id)
            break;
    }
    *ret_st = st;
    return x;
}

int registry_rule_path(struct registry *r, uint64_t id, uint8_t path[static 512], struct bytes *ret_path)
{
    struct store_stmt *st;
    struct registry_rule rule;
    int x = find_rule(r, id, &st, &rule);
    if (x == STORE_ROW && rule.path.n > PATH_MAX_BYTES)
        x = RAISE(FAULT_CORRUPT);
    if (x == STORE_ROW) {
        memcpy(path, rule.path.p, rule.path.n);
        *ret_path = bytes_of(path, rule.path.n);
    }
    store_done(st);
    return x < 0 ? x : x == STORE_ROW ? 0 : OUTCOME_NOT_FOUND;
}

/* Takes the rule off its node. Returns 0, OUTCOME_NOT_FOUND, OUTCOME_LAST_ADMIN, or a fault. */
static int detach_rule(struct registry *r, struct node *node, uint64_t id)
{
    uint8_t path[PATH_MAX_BYTES];
    uint32_t at = 0;
    while (at < node->rules_count && node->rules[at].id != id)
        at++;
    if (at == node->rules_count)
        return OUTCOME_NOT_FOUND;
    struct authz_rule *rules = copy_rules(node, NULL, at);
    if (rules == NULL)
        return registry_turn_fail(r, RAISE(-ENOMEM));
    struct authz_rule *before = node->rules;
    bool is_grant = before[at].effect == AUTHZ_ALLOW && authz_is_unconditional(&before[at]);
    node->rules = rules;
    node->rules_count--;
    int x = is_grant ? check_granters(r, node, node_path(node, path)) : 0;
    node->rules = before;
    node->rules_count++;
    if (x != 0) {
        free(rules);
        return x < 0 ? registry_turn_fail(r, x) : x;
    }
    return registry_swap_rules(r, node, rules, node->rules_count - 1);
}

int registry_rule_remove(struct registry *r, uint64_t id)
{
    uint8_t path[PATH_MAX_BYTES], mac[DIGEST_BYTES];
    struct store_stmt *st;
    struct registry_rule rule;
    assert(!registry_is_locked(r));
    int x = find_rule(r, id, &st, &rule);
    if (x != STORE_ROW) {
        store_done(st);
        return x < 0 ? registry_turn_fail(r, x) : OUTCOME_NOT_FOUND;
    }
    struct rows_ctx ctx = registry_ctx(r);
    struct rows_rule row = row_of(&rule);
    x = rows_mac_rule(&ctx, &row, mac);
    struct bytes at = bytes_of(path, MIN_OF(rule.path.n, sizeof path));
    memcpy(path, rule.path.p, at.n);
    store_done(st);
    struct node *node = tree_walk(&r->tree, at).node;
    if (x < 0 || node == NULL)
        return registry_turn_fail(r, x < 0 ? x : RAISE(FAULT_CORRUPT));
    x = detach_rule(r, node, id);
    if (x != 0)
        return x;
    x = registry_touch(r);
    if (x == 0) {
        st = store_use(r->store, STORE_RULE_REMOVE);
        store_bind_i64(st, 1, (int64_t)id);
        x = store_run(r->store, st);
    }
    if (x < 0)
        return registry_turn_fail(r, x);
    registry_policy_changed(r);
    r->rules_count--;
    digest_sum_remove(r->state.sum, mac);
    return 0;
}

int registry_rule_each(struct registry *r, int (*on_rule)(const struct registry_rule *rule, void *arg), void *arg)
{
    struct store_stmt *st = store_use(r->store, STORE_RULE_EACH);
    int x, result = 0;
    while (result == 0 && (x = store_step(r->store, st)) == STORE_ROW) {
        struct registry_rule rule;
        read_rule(st, &rule);
        result = on_rule(&rule, arg);
        x = 0;
    }
    store_done(st);
    return result != 0 ? result : x;
}

int registry_rules_rekey(struct registry *r)
{
    struct rows_ctx from = {&r->before, r->store_id}, to = {&r->keys, r->store_id};
    struct store_stmt *st = store_use(r->store, STORE_RULE_EACH);
    int x;
    while ((x = store_step(r->store, st)) == STORE_ROW) {
        uint8_t before[DIGEST_BYTES], after[DIGEST_BYTES];
        struct registry_rule rule;
        read_rule(st, &rule);
        struct rows_rule row = row_of(&rule);
        x = rows_mac_rule(&from, &row, before);
        if (x == 0)
            x = rows_mac_rule(&to, &row, after);
        if (x < 0)
            break;
        struct store_stmt *set = store_use(r->store, STORE_RULE_MAC);
        store_bind_i64(set, 1, (int64_t)rule.id);
        store_bind_blob(set, 2, BYTES_OF(after));
        x = store_run(r->store, set);
        if (x < 0)
            break;
        digest_sum_remove(r->state.sum, before);
        digest_sum_add(r->state.sum, after);
    }
    store_done(st);
    return x;
}

/* ---- ended rules ----------------------------------------------------------------------------------------- */

struct ending {
    int64_t now_us, next_us;
    uint64_t id; /* of the first that has ended; 0: none */
    struct buf *text;
};

static int on_ending(const struct registry_rule *rule, void *arg)
{
    struct ending *e = arg;
    struct authz_condition c;
    const char *why;
    if (rule->effect != AUTHZ_ALLOW || rule->condition.n == 0 || !authz_condition_parse(rule->condition, &c, &why) ||
        (c.terms & AUTHZ_TERM_UNTIL) == 0)
        return 0;
    if (c.until_us > e->now_us) {
        e->next_us = e->next_us == 0 ? c.until_us : MIN_OF(e->next_us, c.until_us);
    } else if (e->id == 0) {
        e->id = rule->id;
        TRY(buf_append(e->text, rule->principal));
        TRY(buf_append_text(e->text, " "));
        return authz_actions_text(e->text, rule->actions);
    }
    return 0;
}

int registry_ended_rule(struct registry *r, int64_t now_us, uint64_t *ret_id, struct buf *text)
{
    struct ending e = {.now_us = now_us, .text = text};
    *ret_id = 0;
    if (r->rules_due_us == 0 || r->rules_due_us > now_us)
        return 0;
    TRY(registry_rule_each(r, on_ending, &e));
    if (e.id == 0)
        r->rules_due_us = e.next_us;
    *ret_id = e.id;
    return 0;
}
