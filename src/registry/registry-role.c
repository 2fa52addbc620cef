/*
 * registry-role - roles and their members: stored with a MAC each, held as one sorted set that a change replaces; see
 * registry.h.
 *
 * A set is never changed once it is in place, so that a failed turn can put the one before back; members are shared
 * between the two.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/registry-internal.h"

enum { ROLE_PREFIX_BYTES = sizeof "role:" - 1 };

/* A member with its texts in one block. */
struct held_member {
    struct registry_member member; /* first: freed by it */
    uint8_t mac[DIGEST_BYTES];
    uint8_t texts[];
};

struct registry_roles {
    size_t count, names_count;
    struct {
        struct bytes name;
        size_t first;                      /* of its members */
    } names[REGISTRY_ROLES_MAX_COUNT + 1]; /* the last one is behind all members */
    struct held_member *members[];
};

static size_t count_of(const struct registry_roles *roles)
{
    return roles != NULL ? roles->count : 0;
}

static bool has_member(const struct registry_roles *roles, const struct held_member *m)
{
    for (size_t i = 0; roles != NULL && i < roles->count; i++) {
        if (roles->members[i] == m)
            return true;
    }
    return false;
}

void registry_roles_free(struct registry_roles *gone, const struct registry_roles *kept)
{
    for (size_t i = 0; i < count_of(gone); i++) {
        if (!has_member(kept, gone->members[i]))
            free(gone->members[i]);
    }
    free(gone);
}

bool registry_role_check(struct bytes role)
{
    uint8_t text[ROLE_PREFIX_BYTES + AUTHZ_ROLE_MAX_BYTES];
    struct authz_principal who;
    if (role.n == 0 || role.n > AUTHZ_ROLE_MAX_BYTES)
        return false;
    memcpy(text, "role:", ROLE_PREFIX_BYTES);
    memcpy(text + ROLE_PREFIX_BYTES, role.p, role.n);
    return authz_principal_parse(bytes_of(text, ROLE_PREFIX_BYTES + role.n), &who);
}

/* Roles are not nested, and everybody needs no role. */
static bool can_be_member(const struct authz_principal *who)
{
    return who->kind != AUTHZ_ROLE && who->kind != AUTHZ_ANY;
}

bool registry_member_check(struct bytes principal)
{
    struct authz_principal who;
    return authz_principal_parse(principal, &who) && can_be_member(&who);
}

/* Returns 0, ROWS_BAD for a malformed text, or -ENOMEM. */
static int hold_member(const struct registry_member *row, struct held_member **ret_held)
{
    struct authz_principal who;
    if (row->id == 0 || !registry_role_check(row->role) || !authz_principal_parse(row->principal, &who) ||
        !can_be_member(&who))
        return ROWS_BAD;
    struct held_member *held = calloc(1, sizeof *held + row->role.n + row->principal.n);
    if (held == NULL)
        return RAISE(-ENOMEM);
    uint8_t *principal = held->texts + row->role.n;
    memcpy(held->texts, row->role.p, row->role.n);
    memcpy(principal, row->principal.p, row->principal.n);
    held->member = *row;
    held->member.role = bytes_of(held->texts, row->role.n);
    held->member.principal = bytes_of(principal, row->principal.n);
    bool is_good = authz_principal_parse(held->member.principal, &held->member.who);
    assert(is_good);
    (void)is_good;
    *ret_held = held;
    return 0;
}

/* ---- sets ------------------------------------------------------------------------------------------------ */

static int compare_members(const struct held_member *a, const struct held_member *b)
{
    int c = bytes_compare(a->member.role, b->member.role);
    return c != 0 ? c : a->member.id < b->member.id ? -1 : a->member.id > b->member.id;
}

static int by_role(const void *a, const void *b)
{
    struct held_member *const *x = a, *const *y = b;
    return compare_members(*x, *y);
}

/* Notes where each role begins. False: there are too many. */
static bool index_names(struct registry_roles *roles)
{
    roles->names_count = 0;
    for (size_t i = 0; i < roles->count; i++) {
        struct bytes name = roles->members[i]->member.role;
        if (i > 0 && bytes_equal(name, roles->members[i - 1]->member.role))
            continue;
        if (roles->names_count == REGISTRY_ROLES_MAX_COUNT)
            return false;
        roles->names[roles->names_count].name = name;
        roles->names[roles->names_count++].first = i;
    }
    roles->names[roles->names_count].first = roles->count;
    return true;
}

/* The set with one member more (taken over only if a set is returned), or without one. NULL: memory ran out, or there
 * would be too many roles (ret_is_full). */
static struct registry_roles *copy_roles(const struct registry_roles *roles, struct held_member *more,
                                         const struct held_member *less, bool *ret_is_full)
{
    size_t n = 0;
    struct registry_roles *copy = calloc(1, sizeof *copy + (count_of(roles) + 1) * sizeof(struct held_member *));
    *ret_is_full = false;
    if (copy == NULL)
        return NULL;
    for (size_t i = 0; i < count_of(roles); i++) {
        struct held_member *m = roles->members[i];
        if (more != NULL && compare_members(more, m) < 0) {
            copy->members[n++] = more;
            more = NULL;
        }
        if (m != less)
            copy->members[n++] = m;
    }
    if (more != NULL)
        copy->members[n++] = more;
    copy->count = n;
    *ret_is_full = !index_names(copy);
    if (!*ret_is_full)
        return copy;
    free(copy);
    return NULL;
}

/* ---- loading --------------------------------------------------------------------------------------------- */

static int member_mac(struct registry *r, const struct registry_member *m, uint8_t ret[static DIGEST_BYTES])
{
    struct rows_ctx ctx = registry_ctx(r);
    struct rows_role row = {m->id, m->role, m->principal, m->created_us, m->created_by};
    return rows_mac_role(&ctx, &row, ret);
}

/* Puts the row at the end. Returns 0, ROWS_BAD, or a fault. */
static int load_member(struct registry *r, struct store_stmt *st, uint8_t *sum, struct registry_roles *roles)
{
    struct registry_member row = {.id = (uint64_t)store_column_i64(st, 0),
                                  .role = store_column_bytes(st, 1),
                                  .principal = store_column_bytes(st, 2),
                                  .created_us = store_column_i64(st, 3),
                                  .created_by = (uint32_t)store_column_i64(st, 4)};
    struct held_member *held;
    if (roles->count == REGISTRY_MEMBERS_MAX_COUNT)
        return ROWS_BAD;
    int x = hold_member(&row, &held);
    if (x == 0 && sum != NULL) {
        x = member_mac(r, &held->member, held->mac);
        if (x == 0 && !secret_equal(BYTES_OF(held->mac), store_column_bytes(st, 5)))
            x = ROWS_BAD;
        if (x == 0)
            digest_sum_add(sum, held->mac);
        if (x != 0)
            free(held);
    }
    if (x == ROWS_BAD && sum == NULL)
        return 0; /* not yet authenticated: such a row makes nobody a member, and unlocking will name the damage */
    if (x == 0)
        roles->members[roles->count++] = held;
    return x;
}

int registry_load_roles(struct registry *r, uint8_t *sum)
{
    struct registry_roles *roles = calloc(1, sizeof *roles + REGISTRY_MEMBERS_MAX_COUNT * sizeof(struct held_member *));
    if (roles == NULL)
        return RAISE(-ENOMEM);
    struct store_stmt *st = store_use(r->store, STORE_ROLE_EACH);
    int x, result = 0;
    while (result == 0 && (x = store_step(r->store, st)) == STORE_ROW) {
        result = load_member(r, st, sum, roles);
        x = 0;
    }
    store_done(st);
    result = result != 0 ? result : x;
    if (roles->count > 1)
        qsort(roles->members, roles->count, sizeof(struct held_member *), by_role);
    if (result == 0 && !index_names(roles))
        result = ROWS_BAD;
    if (result != 0 || roles->count == 0) {
        registry_roles_free(roles, NULL);
        roles = NULL;
    }
    if (result == ROWS_BAD && sum == NULL)
        result = 0;
    if (result == 0) {
        registry_roles_free(r->roles, NULL);
        r->roles = roles;
        r->roles_stamp++;
    }
    return result;
}

/* ---- asking ---------------------------------------------------------------------------------------------- */

const struct registry_member *registry_member_at(const struct registry *r, size_t i)
{
    return i < count_of(r->roles) ? &r->roles->members[i]->member : NULL;
}

size_t registry_role_members(const struct registry *r, struct bytes role, size_t *ret_count)
{
    *ret_count = 0;
    for (size_t i = 0; r->roles != NULL && i < r->roles->names_count; i++) {
        size_t first = r->roles->names[i].first;
        if (!bytes_equal(r->roles->names[i].name, role))
            continue;
        *ret_count = r->roles->names[i + 1].first - first;
        return first;
    }
    return 0;
}

/* The strongest answer of its members. */
static enum authz_truth is_in(const struct registry_roles *roles, size_t role, const struct authz_subject *subject)
{
    enum authz_truth truth = AUTHZ_NO;
    for (size_t i = roles->names[role].first; i < roles->names[role + 1].first && truth != AUTHZ_YES; i++) {
        enum authz_truth named = authz_names(&roles->members[i]->member.who, subject);
        truth = named != AUTHZ_NO ? named : truth;
    }
    return truth;
}

void registry_membership(const struct registry *r, const struct authz_subject *subject, struct registry_membership *m)
{
    if (m->stamp == r->roles_stamp)
        return;
    *m = (struct registry_membership){.stamp = r->roles_stamp};
    for (size_t i = 0; r->roles != NULL && i < r->roles->names_count; i++) {
        enum authz_truth truth = is_in(r->roles, i, subject);
        if (truth == AUTHZ_NO)
            continue;
        uint64_t *bits = truth == AUTHZ_YES ? m->yes : m->maybe;
        bits[i / 64] |= UINT64_C(1) << i % 64;
        m->has_some = true;
    }
}

void registry_put_roles(const struct registry *r, const struct registry_membership *m,
                        struct registry_role_names *names, struct authz_subject *subject)
{
    assert(m->stamp == r->roles_stamp);
    subject->roles = names->yes;
    subject->maybe_roles = names->maybe;
    subject->roles_count = subject->maybe_roles_count = 0;
    for (size_t i = 0; m->has_some && i < r->roles->names_count; i++) {
        uint64_t bit = UINT64_C(1) << i % 64;
        if ((m->yes[i / 64] & bit) != 0)
            names->yes[subject->roles_count++] = r->roles->names[i].name;
        else if ((m->maybe[i / 64] & bit) != 0)
            names->maybe[subject->maybe_roles_count++] = r->roles->names[i].name;
    }
}

struct authz_subject registry_subject_of(const struct registry *r, const struct authz_principal *who,
                                         struct registry_person *person)
{
    struct registry_membership m = {.stamp = 0};
    person->group = who->id;
    struct authz_subject s = authz_subject_of(who, &person->group);
    s.is_unit_unknown = r->is_unit_untold && s.unit.n == 0;
    if (who->kind == AUTHZ_ROLE)
        return s;
    registry_membership(r, &s, &m);
    registry_put_roles(r, &m, &person->names, &s);
    return s;
}

/* ---- changing -------------------------------------------------------------------------------------------- */

static struct held_member *find_member(const struct registry *r, struct bytes role, struct bytes principal)
{
    for (size_t i = 0; i < count_of(r->roles); i++) {
        struct held_member *m = r->roles->members[i];
        if (bytes_equal(m->member.role, role) && bytes_equal(m->member.principal, principal))
            return m;
    }
    return NULL;
}

/* Whether the roles may be like that: asked with them in place, which they stay only by the turn. */
static int check_roles(struct registry *r, struct registry_roles *roles)
{
    struct registry_roles *before = r->roles;
    r->roles = roles;
    int x = registry_check_granters(r);
    r->roles = before;
    return x;
}

static int insert_row(struct registry *r, struct held_member *held)
{
    const struct registry_member *m = &held->member;
    TRY(registry_touch(r));
    TRY(member_mac(r, m, held->mac));
    struct store_stmt *st = store_use(r->store, STORE_ROLE_ADD);
    store_bind_i64(st, 1, (int64_t)m->id);
    store_bind_text(st, 2, m->role);
    store_bind_text(st, 3, m->principal);
    store_bind_i64(st, 4, m->created_us);
    store_bind_i64(st, 5, m->created_by);
    store_bind_blob(st, 6, BYTES_OF(held->mac));
    return store_run(r->store, st);
}

int registry_member_add(struct registry *r, struct bytes role, struct bytes principal,
                        const struct registry_actor *actor, uint64_t *ret_id)
{
    bool is_full;
    struct held_member *held;
    struct registry_member row = {.id = r->state.next_rule,
                                  .role = role,
                                  .principal = principal,
                                  .created_us = actor->now_us,
                                  .created_by = actor->uid};
    assert(!registry_is_locked(r));
    if (find_member(r, role, principal) != NULL)
        return OUTCOME_EXISTS;
    if (count_of(r->roles) >= REGISTRY_MEMBERS_MAX_COUNT)
        return OUTCOME_LIMIT;
    int x = hold_member(&row, &held);
    assert(x <= 0); /* the caller has checked the texts */
    if (x < 0)
        return registry_turn_fail(r, x);
    struct registry_roles *roles = copy_roles(r->roles, held, NULL, &is_full);
    if (roles == NULL) {
        free(held);
        return is_full ? OUTCOME_LIMIT : registry_turn_fail(r, RAISE(-ENOMEM));
    }
    x = check_roles(r, roles);
    if (x == 0)
        x = insert_row(r, held);
    if (x != 0) {
        registry_roles_free(roles, r->roles);
        return x < 0 ? registry_turn_fail(r, x) : x;
    }
    digest_sum_add(r->state.sum, held->mac);
    r->state.next_rule++;
    registry_policy_changed(r);
    *ret_id = row.id;
    return registry_swap_roles(r, roles);
}

static int remove_row(struct registry *r, const struct held_member *held, uint8_t ret_mac[static DIGEST_BYTES])
{
    TRY(registry_touch(r));
    TRY(member_mac(r, &held->member, ret_mac));
    struct store_stmt *st = store_use(r->store, STORE_ROLE_REMOVE);
    store_bind_i64(st, 1, (int64_t)held->member.id);
    return store_run(r->store, st);
}

int registry_member_remove(struct registry *r, struct bytes role, struct bytes principal, uint64_t *ret_id)
{
    bool is_full;
    uint8_t mac[DIGEST_BYTES];
    assert(!registry_is_locked(r));
    const struct held_member *held = find_member(r, role, principal);
    if (held == NULL)
        return OUTCOME_NOT_FOUND;
    struct registry_roles *roles = copy_roles(r->roles, NULL, held, &is_full);
    if (roles == NULL)
        return registry_turn_fail(r, RAISE(-ENOMEM));
    int x = check_roles(r, roles);
    if (x == 0)
        x = remove_row(r, held, mac);
    if (x != 0) {
        free(roles); /* its members are all in the set that stays */
        return x < 0 ? registry_turn_fail(r, x) : x;
    }
    digest_sum_remove(r->state.sum, mac);
    registry_policy_changed(r);
    *ret_id = held->member.id;
    return registry_swap_roles(r, roles);
}

/* ---- other keys ------------------------------------------------------------------------------------------ */

static int rekey_member(struct registry *r, const struct registry_member *m)
{
    struct rows_ctx from = {&r->before, r->store_id};
    struct rows_role row = {m->id, m->role, m->principal, m->created_us, m->created_by};
    uint8_t before[DIGEST_BYTES], after[DIGEST_BYTES];
    TRY(rows_mac_role(&from, &row, before));
    TRY(member_mac(r, m, after));
    TRY(registry_touch(r));
    struct store_stmt *st = store_use(r->store, STORE_ROLE_MAC);
    store_bind_i64(st, 1, (int64_t)m->id);
    store_bind_blob(st, 2, BYTES_OF(after));
    TRY(store_run(r->store, st));
    digest_sum_remove(r->state.sum, before);
    digest_sum_add(r->state.sum, after);
    return 0;
}

int registry_roles_rekey(struct registry *r)
{
    for (size_t i = 0; i < count_of(r->roles); i++)
        TRY(rekey_member(r, &r->roles->members[i]->member));
    return 0;
}
