/* Tests of rules with conditions and of roles, as the registry core keeps them: stored, taken back, guarded, ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail-alloc.h"
#include "registry/registry.h"
#include "remove-tree.h"

static struct {
    char folder[64], db[96];
    struct secret key;
    struct registry *r;
    char why[REGISTRY_WHY_BYTES];
} t;

static const struct registry_actor actor = {.uid = 1000, .now_us = 1700000000000000};
static const struct registry_settings settings = {.versions_count = 3, .tombs_count = 2, .spare_count = 0};

static void on_corrupt(struct bytes path, void *arg)
{
    (void)path;
    (void)arg;
    fail();
}

static int unlock(void)
{
    return registry_unlock(t.r, KEYS_SLOT_KEY_FILE, &t.key, on_corrupt, NULL, t.why);
}

static void reopen(void)
{
    registry_close(t.r);
    assert_int_equal(registry_open(t.db, &settings, &t.r), 0);
    assert_int_equal(unlock(), 0);
}

static int setup(void **state)
{
    struct registry_made made;
    (void)state;
    memset(&t, 0, sizeof t);
    snprintf(t.folder, sizeof t.folder, "/tmp/test-policy-XXXXXX");
    assert_non_null(mkdtemp(t.folder));
    snprintf(t.db, sizeof t.db, "%s/registry.db", t.folder);
    assert_true(crypt_start() >= 0);
    assert_int_equal(secret_init_random(&t.key, KEYS_FILE_BYTES), 0);
    assert_int_equal(registry_create(t.db, &actor, KEYS_SLOT_KEY_FILE, &t.key, 0, &made), 0);
    assert_int_equal(registry_open(t.db, &settings, &t.r), 0);
    assert_int_equal(unlock(), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    registry_close(t.r);
    secret_fini(&t.key);
    return remove_tree(t.folder);
}

static int end(void)
{
    bool synced;
    struct record record = {.kind = RECORD_ACL_ADD, .wall_us = actor.now_us};
    if (t.r->changes_count > 0 && registry_record(t.r, &record, true) < 0)
        assert_true(t.r->failed < 0);
    return registry_turn_end(t.r, false, &synced);
}

static int add_rule(const char *path, enum authz_effect effect, const char *who, unsigned actions,
                    const char *condition, uint64_t *ret_id)
{
    struct registry_rule rule = {.path = bytes_of_text(path),
                                 .principal = bytes_of_text(who),
                                 .effect = effect,
                                 .actions = actions,
                                 .condition = bytes_of_text(condition)};
    return registry_rule_add(t.r, &rule, &actor, ret_id);
}

static int add_member(const char *role, const char *who)
{
    uint64_t id;
    return registry_member_add(t.r, bytes_of_text(role), bytes_of_text(who), &actor, &id);
}

static int remove_member(const char *role, const char *who)
{
    uint64_t id;
    return registry_member_remove(t.r, bytes_of_text(role), bytes_of_text(who), &id);
}

static const struct authz_rule *rule_at(const char *path, uint64_t id)
{
    const struct node *n = tree_walk(&t.r->tree, bytes_of_text(path)).node;
    for (uint32_t i = 0; n != NULL && i < n->rules_count; i++) {
        if (n->rules[i].id == id)
            return &n->rules[i];
    }
    return NULL;
}

static bool may(const char *who_text, const char *path, enum authz_action action, const struct authz_facts *facts)
{
    struct registry_person person;
    struct authz_principal who;
    struct authz_rules chain[AUTHZ_CHAIN_MAX_COUNT];
    assert_true(authz_principal_parse(bytes_of_text(who_text), &who));
    struct authz_subject s = registry_subject_of(t.r, &who, &person);
    s.facts = facts;
    size_t n = node_chain(tree_walk(&t.r->tree, bytes_of_text(path)).nearest, chain);
    return authz_decide(chain, n, &s, false, action).is_allowed;
}

/* ---- conditions ------------------------------------------------------------------------------------------ */

static void a_condition_is_kept(void **state)
{
    uint64_t id;
    struct authz_facts friday = {.has_now = true, .now_us = INT64_C(1700222400000000)}; /* 2023-11-17 12:00 UTC */
    struct authz_facts monday = {.has_now = true, .now_us = friday.now_us + 3 * 24 * 3600 * INT64_C(1000000)};
    (void)state;
    assert_int_equal(add_rule("/registry/system/x", AUTHZ_ALLOW, "uid:5", AUTHZ_READ, "days=fri", &id), 0);
    assert_int_equal(end(), 0);
    for (int i = 0; i < 2; i++) {
        assert_false(authz_is_unconditional(rule_at("/registry/system/x", id)));
        assert_true(may("uid:5", "/registry/system/x/y", AUTHZ_READ, &friday));
        assert_false(may("uid:5", "/registry/system/x/y", AUTHZ_READ, &monday));
        assert_false(may("uid:5", "/registry/system/x/y", AUTHZ_READ, NULL));
        reopen();
    }
    assert_int_equal(registry_rule_remove(t.r, id), 0);
    assert_int_equal(end(), 0);
    assert_int_equal(t.r->rules_count, 1);
    reopen();
}

static void a_condition_that_cannot_be_read_is_unknown(void **state)
{
    uint64_t allow, deny;
    struct authz_facts facts = {.has_now = true, .auth = AUTHZ_AUTH_PAM};
    (void)state;
    assert_int_equal(add_rule("/registry/system/x", AUTHZ_ALLOW, "uid:5", AUTHZ_READ, "from the future", &allow), 0);
    assert_int_equal(add_rule("/registry/system/x", AUTHZ_DENY, "uid:1000", AUTHZ_READ, "weather=fine", &deny), 0);
    assert_int_equal(end(), 0);
    for (int i = 0; i < 2; i++) {
        assert_true(rule_at("/registry/system/x", allow)->condition->is_unreadable);
        assert_false(may("uid:5", "/registry/system/x", AUTHZ_READ, &facts));
        assert_false(may("uid:1000", "/registry/system/x", AUTHZ_READ, &facts));
        assert_true(may("uid:1000", "/registry/system", AUTHZ_READ, &facts));
        reopen();
    }
}

/* What several changes of one turn replaced is freed once each, and all of it comes back if the turn fails. */
static void several_changes_of_one_place_in_one_turn(void **state)
{
    uint64_t ids[3], more;
    (void)state;
    for (int fails = 0; fails < 2; fails++) {
        for (size_t i = 0; i < COUNT_OF(ids); i++)
            assert_int_equal(
                add_rule("/registry/system/x", AUTHZ_DENY, "unit:a.service", AUTHZ_READ, "days=mon", &ids[i]), 0);
        assert_int_equal(end(), 0);
        assert_int_equal(registry_rule_remove(t.r, ids[0]), 0);
        assert_int_equal(registry_rule_remove(t.r, ids[1]), 0);
        assert_int_equal(add_rule("/registry/system/x", AUTHZ_ALLOW, "label:b", AUTHZ_READ, "auth=pam", &more), 0);
        assert_int_equal(registry_rule_remove(t.r, more), 0);
        if (fails == 0)
            assert_int_equal(registry_rule_remove(t.r, ids[2]), 0);
        else
            (void)registry_turn_fail(t.r, FAULT_FULL);
        assert_int_equal(end(), fails == 0 ? 0 : FAULT_FULL);
        assert_int_equal(t.r->rules_count, fails == 0 ? 1 : 4);
    }
    reopen();
    assert_non_null(rule_at("/registry/system/x", ids[0]));
}

/* ---- roles ----------------------------------------------------------------------------------------------- */

static void members_come_and_go(void **state)
{
    size_t count;
    (void)state;
    assert_int_equal(add_member("ops", "uid:7"), 0);
    assert_int_equal(add_member("auditors", "gid:9"), 0);
    assert_int_equal(add_member("ops", "unit:web.service"), 0);
    assert_int_equal(add_member("ops", "uid:7"), OUTCOME_EXISTS);
    assert_int_equal(remove_member("ops", "uid:8"), OUTCOME_NOT_FOUND);
    assert_int_equal(end(), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(registry_role_members(t.r, BYTES_LITERAL("auditors"), &count), 0);
        assert_int_equal(count, 1);
        assert_int_equal(registry_role_members(t.r, BYTES_LITERAL("ops"), &count), 1);
        assert_int_equal(count, 2);
        assert_true(bytes_equal(registry_member_at(t.r, 2)->principal, BYTES_LITERAL("unit:web.service")));
        assert_null(registry_member_at(t.r, 3));
        reopen();
    }
    uint64_t before = t.r->state.policy;
    assert_int_equal(remove_member("ops", "uid:7"), 0);
    assert_int_equal(remove_member("ops", "unit:web.service"), 0);
    assert_int_equal(end(), 0);
    assert_int_equal(t.r->state.policy, before + 2);
    assert_int_equal(registry_role_members(t.r, BYTES_LITERAL("ops"), &count), 0);
    assert_int_equal(count, 0);
    reopen();
    assert_null(registry_member_at(t.r, 1));
}

static void texts_of_roles(void **state)
{
    static const char *const roles[] = {"", "Ops", "1ops", "a b", "a:b", "abcdefghijklmnopqrstuvwxyz0123456"};
    static const char *const members[] = {"", "any", "role:ops", "uid:", "uid:-1", "uid:65534", "unit:x", "label:a b"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(roles); i++)
        assert_false(registry_role_check(bytes_of_text(roles[i])));
    for (size_t i = 0; i < COUNT_OF(members); i++)
        assert_false(registry_member_check(bytes_of_text(members[i])));
    assert_true(registry_role_check(BYTES_LITERAL("abcdefghijklmnopqrstuvwxyz012345")));
    assert_true(registry_member_check(BYTES_LITERAL("unit:x.service")));
}

static void a_member_has_what_rules_give_the_role(void **state)
{
    uint64_t id;
    (void)state;
    assert_int_equal(add_rule("/registry/system", AUTHZ_ALLOW, "role:ops", AUTHZ_READ, "", &id), 0);
    assert_false(may("uid:7", "/registry/system", AUTHZ_READ, NULL));
    assert_int_equal(add_member("ops", "uid:7"), 0);
    assert_true(may("uid:7", "/registry/system", AUTHZ_READ, NULL));
    assert_false(may("gid:7", "/registry/system", AUTHZ_READ, NULL));
    assert_int_equal(end(), 0);
    assert_int_equal(remove_member("ops", "uid:7"), 0);
    assert_false(may("uid:7", "/registry/system", AUTHZ_READ, NULL));
    (void)registry_turn_fail(t.r, FAULT_FULL);
    assert_int_equal(end(), FAULT_FULL);
    assert_true(may("uid:7", "/registry/system", AUTHZ_READ, NULL));
}

static void what_is_not_known_makes_one_a_member_perhaps(void **state)
{
    struct registry_membership m = {.stamp = 0};
    struct registry_role_names names = {.yes = {BYTES_NONE}};
    struct authz_subject s = {.uid = 7, .gid = 7, .is_unit_unknown = true};
    (void)state;
    assert_int_equal(add_member("web", "unit:web.service"), 0);
    assert_int_equal(add_member("ops", "unit:web.service"), 0);
    assert_int_equal(add_member("ops", "uid:7"), 0);
    assert_int_equal(add_member("tagged", "label:x"), 0);
    registry_membership(t.r, &s, &m);
    registry_put_roles(t.r, &m, &names, &s);
    assert_int_equal(s.roles_count, 1);
    assert_true(bytes_equal(s.roles[0], BYTES_LITERAL("ops")));
    assert_int_equal(s.maybe_roles_count, 1);
    assert_true(bytes_equal(s.maybe_roles[0], BYTES_LITERAL("web")));
    assert_int_equal(end(), 0);
}

static void a_part_that_is_dropped_leaves_rules_and_roles_as_they_were(void **state)
{
    struct registry_save save;
    uint64_t id;
    (void)state;
    assert_int_equal(add_member("ops", "uid:7"), 0);
    assert_int_equal(end(), 0);
    struct rows_state before = t.r->state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(registry_save(t.r, &save), 0);
        assert_int_equal(add_rule("/registry/system/y", AUTHZ_ALLOW, "unit:a.service", AUTHZ_READ, "auth=pam", &id), 0);
        assert_int_equal(add_member("ops", "uid:8"), 0);
        assert_int_equal(remove_member("ops", "uid:7"), 0);
        assert_int_equal(registry_drop(t.r, &save), 0);
        assert_memory_equal(&before, &t.r->state, sizeof before);
        assert_null(tree_walk(&t.r->tree, BYTES_LITERAL("/registry/system/y")).node);
        assert_true(bytes_equal(registry_member_at(t.r, 0)->principal, BYTES_LITERAL("uid:7")));
    }
    assert_int_equal(end(), 0);
    reopen();
}

static void there_are_only_so_many(void **state)
{
    char role[16], who[16];
    (void)state;
    for (unsigned i = 0; i < REGISTRY_ROLES_MAX_COUNT; i++) {
        snprintf(role, sizeof role, "r%u", i);
        assert_int_equal(add_member(role, "uid:7"), 0);
    }
    assert_int_equal(add_member("one-more", "uid:7"), OUTCOME_LIMIT);
    for (unsigned i = REGISTRY_ROLES_MAX_COUNT; i < 300; i++) {
        snprintf(who, sizeof who, "uid:%u", i);
        assert_int_equal(add_member("r0", who), 0);
    }
    assert_int_equal(end(), 0);
    reopen();
    assert_non_null(registry_member_at(t.r, 299));
}

/* ---- the guard ------------------------------------------------------------------------------------------- */

static void a_role_counts_by_its_members(void **state)
{
    uint64_t id;
    (void)state;
    assert_int_equal(add_rule("/registry", AUTHZ_ALLOW, "role:admins", AUTHZ_ALL, "", &id), 0);
    assert_int_equal(registry_rule_remove(t.r, 1), OUTCOME_LAST_ADMIN);
    assert_int_equal(add_member("admins", "uid:7"), 0);
    assert_int_equal(add_member("admins", "uid:8"), 0);
    assert_int_equal(registry_rule_remove(t.r, 1), 0);
    assert_int_equal(remove_member("admins", "uid:7"), 0);
    assert_int_equal(remove_member("admins", "uid:8"), OUTCOME_LAST_ADMIN);
    assert_int_equal(add_rule("/registry", AUTHZ_DENY, "uid:8", AUTHZ_GRANT, "", &id), OUTCOME_LAST_ADMIN);
    assert_int_equal(end(), 0);
    reopen();
}

static void a_member_who_is_denied_does_not_count(void **state)
{
    uint64_t id;
    (void)state;
    assert_int_equal(add_rule("/registry", AUTHZ_ALLOW, "role:admins", AUTHZ_ALL, "", &id), 0);
    assert_int_equal(add_rule("/registry", AUTHZ_DENY, "role:barred", AUTHZ_GRANT, "", &id), 0);
    assert_int_equal(add_member("admins", "uid:7"), 0);
    assert_int_equal(add_member("barred", "uid:7"), 0);
    assert_int_equal(registry_rule_remove(t.r, 1), OUTCOME_LAST_ADMIN);
    assert_int_equal(add_member("barred", "uid:1000"), OUTCOME_LAST_ADMIN);
    assert_int_equal(remove_member("barred", "uid:7"), 0);
    assert_int_equal(registry_rule_remove(t.r, 1), 0);
    assert_int_equal(add_member("barred", "uid:7"), OUTCOME_LAST_ADMIN);
    assert_int_equal(end(), 0);
}

static void a_condition_does_not_count_for_an_allow_and_does_for_a_deny(void **state)
{
    uint64_t id;
    (void)state;
    assert_int_equal(add_rule("/registry", AUTHZ_ALLOW, "uid:7", AUTHZ_ALL, "days=mon-sun", &id), 0);
    assert_int_equal(registry_rule_remove(t.r, 1), OUTCOME_LAST_ADMIN);
    assert_int_equal(add_rule("/registry", AUTHZ_DENY, "uid:1000", AUTHZ_GRANT, "days=mon", &id), OUTCOME_LAST_ADMIN);
    assert_int_equal(end(), 0);
}

/* Where the kernel names no unit, nobody's is known, and a deny for a unit is one for everybody. */
static void a_deny_for_a_unit_where_none_is_known(void **state)
{
    uint64_t id;
    (void)state;
    assert_int_equal(add_rule("/registry", AUTHZ_DENY, "unit:a.service", AUTHZ_GRANT, "", &id), 0);
    assert_int_equal(registry_rule_remove(t.r, id), 0);
    t.r->is_unit_untold = true;
    assert_int_equal(add_rule("/registry", AUTHZ_DENY, "unit:a.service", AUTHZ_GRANT, "", &id), OUTCOME_LAST_ADMIN);
    assert_int_equal(end(), 0);
}

/* ---- ended rules ----------------------------------------------------------------------------------------- */

static uint64_t ended(int64_t now_us)
{
    struct buf text;
    uint64_t id = 0;
    buf_init(&text, 256);
    assert_int_equal(registry_ended_rule(t.r, now_us, &id, &text), 0);
    buf_fini(&text);
    return id;
}

static void an_allow_ends(void **state)
{
    uint64_t allow, deny, later;
    const int64_t end_us = INT64_C(1735689600000000), later_us = end_us + 86400 * INT64_C(1000000);
    (void)state;
    assert_int_equal(ended(INT64_MAX), 0);
    assert_int_equal(
        add_rule("/registry/system", AUTHZ_ALLOW, "uid:5", AUTHZ_READ, "until=2025-01-02T00:00:00Z", &later), 0);
    assert_int_equal(
        add_rule("/registry/system", AUTHZ_ALLOW, "uid:5", AUTHZ_READ, "until=2025-01-01T00:00:00Z", &allow), 0);
    assert_int_equal(
        add_rule("/registry/system", AUTHZ_DENY, "uid:5", AUTHZ_WRITE, "until=2024-01-01T00:00:00Z", &deny), 0);
    assert_int_equal(end(), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(t.r->rules_due_us, end_us);
        assert_int_equal(ended(end_us - 1), 0);
        assert_int_equal(ended(end_us), allow);
        reopen();
    }
    assert_int_equal(registry_rule_remove(t.r, allow), 0);
    assert_int_equal(ended(end_us), 0);
    assert_int_equal(t.r->rules_due_us, later_us);
    (void)registry_turn_fail(t.r, FAULT_FULL);
    assert_int_equal(end(), FAULT_FULL);
    assert_int_equal(ended(end_us), allow); /* it is there again, and found again */
    assert_int_equal(registry_rule_remove(t.r, allow), 0);
    assert_int_equal(registry_rule_remove(t.r, later), 0);
    assert_int_equal(end(), 0);
    assert_int_equal(ended(INT64_MAX), 0);
    assert_int_equal(t.r->rules_due_us, 0);
}

/* ---- requests that wait ---------------------------------------------------------------------------------- */

static int add_approval(uint32_t uid, int64_t expires_us, const char *body, uint64_t *ret_id)
{
    struct registry_approval a = {.path = BYTES_LITERAL("/registry/system/x"),
                                  .op = 4,
                                  .uid = uid,
                                  .created_us = actor.now_us,
                                  .expires_us = expires_us};
    return registry_approval_add(t.r, &a, bytes_of_text(body), ret_id);
}

static int get_approval(uint64_t id, const char *wanted)
{
    uint8_t path[512];
    struct registry_approval a;
    struct buf body;
    buf_init_wiping(&body, 4096);
    int x = registry_approval_get(t.r, id, path, &body, &a);
    if (x == 0) {
        assert_true(bytes_equal(buf_view(&body), bytes_of_text(wanted)));
        assert_true(bytes_equal(a.path, BYTES_LITERAL("/registry/system/x")));
        assert_int_equal(a.uid, 7);
    }
    buf_fini(&body);
    return x;
}

static uint64_t lapsed(int64_t now_us)
{
    uint8_t path[512];
    struct registry_approval a;
    assert_int_equal(registry_ended_approval(t.r, now_us, path, &a), 0);
    return a.id;
}

static int end_approvals(void)
{
    bool synced;
    struct record record = {.kind = RECORD_SET, .wall_us = actor.now_us};
    if (t.r->is_changed && registry_record(t.r, &record, true) < 0)
        assert_true(t.r->failed < 0);
    return registry_turn_end(t.r, false, &synced);
}

static void a_request_waits(void **state)
{
    uint64_t id, other;
    (void)state;
    assert_int_equal(add_approval(7, 2000, "all of it", &id), 0);
    assert_int_equal(add_approval(7, 1000, "", &other), 0);
    assert_int_equal(end_approvals(), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(get_approval(id, "all of it"), 0);
        assert_int_equal(get_approval(other, ""), 0);
        assert_int_equal(get_approval(99, ""), OUTCOME_NOT_FOUND);
        assert_int_equal(lapsed(999), 0);
        assert_int_equal(lapsed(1000), other);
        reopen();
    }
    assert_int_equal(registry_approval_remove(t.r, other), 0);
    assert_int_equal(registry_approval_remove(t.r, other), OUTCOME_NOT_FOUND);
    assert_int_equal(lapsed(1000), 0);
    assert_int_equal(t.r->approvals_due_us, 2000);
    (void)registry_turn_fail(t.r, FAULT_FULL);
    assert_int_equal(end_approvals(), FAULT_FULL);
    assert_int_equal(lapsed(1000), other);
    assert_int_equal(registry_approval_remove(t.r, other), 0);
    assert_int_equal(registry_approval_remove(t.r, id), 0);
    assert_int_equal(lapsed(INT64_MAX), 0);
    assert_int_equal(t.r->approvals_due_us, 0);
    assert_int_equal(end_approvals(), 0);
    reopen();
}

static void only_so_many_wait(void **state)
{
    uint64_t id;
    (void)state;
    for (uint32_t uid = 1; uid <= REGISTRY_APPROVALS_MAX_COUNT / REGISTRY_APPROVALS_USER_COUNT; uid++) {
        for (int i = 0; i < REGISTRY_APPROVALS_USER_COUNT; i++)
            assert_int_equal(add_approval(uid, 1000, "x", &id), 0);
        assert_int_equal(add_approval(uid, 1000, "x", &id), OUTCOME_LIMIT);
    }
    assert_int_equal(add_approval(99, 1000, "x", &id), OUTCOME_LIMIT);
    assert_int_equal(end_approvals(), 0);
    reopen();
}

static void who_else_could_approve(void **state)
{
    uint64_t id;
    struct authz_principal any, ann, ops;
    const struct node *root = t.r->tree.root;
    (void)state;
    assert_true(authz_principal_parse(BYTES_LITERAL("any"), &any));
    assert_true(authz_principal_parse(BYTES_LITERAL("uid:7"), &ann));
    assert_true(authz_principal_parse(BYTES_LITERAL("role:ops"), &ops));
    assert_false(registry_has_approver(t.r, root, &any, 1000));
    assert_true(registry_has_approver(t.r, root, &any, 7));
    assert_true(registry_has_approver(t.r, root, &ann, 1000));
    assert_false(registry_has_approver(t.r, root, &ann, 7));
    assert_false(registry_has_approver(t.r, root, &ops, 1000));
    assert_int_equal(add_member("ops", "uid:1000"), 0);
    assert_false(registry_has_approver(t.r, root, &ops, 1000));
    assert_int_equal(add_member("ops", "gid:9"), 0);
    assert_true(registry_has_approver(t.r, root, &ops, 1000));
    assert_int_equal(add_rule("/registry", AUTHZ_ALLOW, "role:ops", AUTHZ_ALL, "", &id), 0);
    assert_true(registry_has_approver(t.r, root, &any, 1000));
    assert_int_equal(end(), 0);
}

/* A rule of this effect allows and denies nothing. */
static void an_approving_rule_decides_nothing(void **state)
{
    uint64_t id;
    (void)state;
    assert_int_equal(add_rule("/registry", AUTHZ_APPROVE, "any", AUTHZ_APPROVABLE, "", &id), 0);
    assert_true(may("uid:1000", "/registry", AUTHZ_GRANT, NULL));
    assert_false(may("uid:7", "/registry", AUTHZ_GRANT, NULL));
    assert_int_equal(end(), 0);
    reopen();
    assert_int_equal(t.r->rules_count, 2);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_int_equal(add_member("ops", "uid:7"), 0);
    assert_int_equal(end(), 0);
    struct rows_state before = t.r->state;
    size_t fails = 0;
    EACH_ALLOC_FAILURE({
        uint64_t id;
        int x = add_rule("/registry/system/z", AUTHZ_ALLOW, "unit:a.service", AUTHZ_READ, "days=fri", &id);
        if (x == 0)
            x = add_member("ops", "gid:8");
        if (x == 0)
            x = remove_member("ops", "uid:7");
        if (x == 0)
            x = add_approval(7, 1000, "x", &id);
        if (x == 0)
            x = get_approval(id, "x");
        if (x < 0) {
            fails++;
            (void)registry_turn_fail(t.r, x);
        } else if (t.r->failed == 0) {
            (void)registry_turn_fail(t.r, FAULT_FULL);
        }
        assert_true(end() < 0);
        assert_memory_equal(&before, &t.r->state, sizeof before);
    });
    assert_true(fails > 3);
    reopen();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_condition_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_condition_that_cannot_be_read_is_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown(several_changes_of_one_place_in_one_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(members_come_and_go, setup, teardown),
        cmocka_unit_test(texts_of_roles),
        cmocka_unit_test_setup_teardown(a_member_has_what_rules_give_the_role, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_known_makes_one_a_member_perhaps, setup, teardown),
        cmocka_unit_test_setup_teardown(a_part_that_is_dropped_leaves_rules_and_roles_as_they_were, setup, teardown),
        cmocka_unit_test_setup_teardown(there_are_only_so_many, setup, teardown),
        cmocka_unit_test_setup_teardown(a_role_counts_by_its_members, setup, teardown),
        cmocka_unit_test_setup_teardown(a_member_who_is_denied_does_not_count, setup, teardown),
        cmocka_unit_test_setup_teardown(a_condition_does_not_count_for_an_allow_and_does_for_a_deny, setup, teardown),
        cmocka_unit_test_setup_teardown(a_deny_for_a_unit_where_none_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(an_allow_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(a_request_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(only_so_many_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(who_else_could_approve, setup, teardown),
        cmocka_unit_test_setup_teardown(an_approving_rule_decides_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
