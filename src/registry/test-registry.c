/* Tests of the registry core on a store in a folder of its own: turns, versions, sealing, rules, damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>

#include "fail-alloc.h"
#include "registry/test-core.h"

static void starts_locked_and_unlocks_with_its_key(void **state)
{
    struct secret other;
    (void)state;
    assert_true(registry_is_locked(t.r));
    assert_true(registry_has_slot(t.r, KEYS_SLOT_KEY_FILE));
    assert_false(registry_has_slot(t.r, KEYS_SLOT_PASSPHRASE));
    assert_int_equal(secret_init_random(&other, KEYS_FILE_BYTES), 0);
    assert_int_equal(registry_unlock(t.r, KEYS_SLOT_KEY_FILE, &other, on_corrupt, NULL, t.why), OUTCOME_AUTH_FAILED);
    assert_int_equal(registry_unlock(t.r, KEYS_SLOT_PASSPHRASE, &other, on_corrupt, NULL, t.why), OUTCOME_AUTH_FAILED);
    secret_fini(&other);
    assert_true(registry_is_locked(t.r));
    assert_int_equal(unlock(), 0);
    assert_false(registry_is_locked(t.r));
    assert_int_equal(registry_lock(t.r), 0);
    assert_true(registry_is_locked(t.r));
    assert_int_equal(t.r->rules_count, 1);
}

static void keeps_what_was_set(void **state)
{
    struct registry_done done;
    (void)state;
    assert_int_equal(unlock(), 0);
    assert_int_equal(set("/registry/system/a", "one", false, &done), 0);
    assert_true(done.is_created && done.version_before == 0 && done.version_after == 1);
    assert_int_equal(set("/registry/system/s/t", "secret", true, &done), 0);
    assert_int_equal(set("/registry/system/a", "two", false, &done), 0);
    assert_true(!done.is_created && done.version_before == 1 && done.version_after == 2);
    assert_int_equal(end(), 0);
    for (int i = 0; i < 2; i++) {
        assert_true(holds("/registry/system/a", "two"));
        assert_true(holds("/registry/system/s/t", "secret"));
        assert_int_equal(node("/registry/system/s/t")->entry->flags, ENTRY_SEALED);
        assert_int_equal(t.r->tree.entries, 2);
        reopen();
        assert_int_equal(unlock(), 0);
    }
    assert_int_equal(t.corrupt, 0);
}

static void sealed_stays_sealed_unless_told(void **state)
{
    struct registry_done done;
    struct registry_put put = {.body = BYTES_LITERAL("clear"), .unseals = true};
    (void)state;
    assert_int_equal(unlock(), 0);
    assert_int_equal(set("/registry/system/s", "one", true, &done), 0);
    assert_int_equal(set("/registry/system/s", "two", false, &done), 0);
    assert_true(holds("/registry/system/s", "two"));
    assert_int_equal(node("/registry/system/s")->entry->flags, ENTRY_SEALED);
    assert_int_equal(registry_set(t.r, BYTES_LITERAL("/registry/system/s"), &actor, &put, &done), 0);
    assert_int_equal(node("/registry/system/s")->entry->flags, 0);
    assert_int_equal(end(), 0);
}

static void a_failed_turn_changes_nothing(void **state)
{
    struct registry_done done;
    struct rows_state before;
    uint64_t id;
    (void)state;
    assert_int_equal(unlock(), 0);
    assert_int_equal(set("/registry/system/a", "one", false, &done), 0);
    assert_int_equal(end(), 0);
    before = t.r->state;
    size_t nodes = t.r->tree.nodes;
    struct registry_rule rule = {.path = BYTES_LITERAL("/registry/system/x/y"),
                                 .principal = BYTES_LITERAL("unit:a.service"),
                                 .effect = AUTHZ_DENY,
                                 .actions = AUTHZ_READ};
    assert_int_equal(set("/registry/system/a", "two", false, &done), 0);
    assert_int_equal(set("/registry/system/a", "three", false, &done), 0);
    assert_int_equal(set("/registry/system/b/c/d", "new", true, &done), 0);
    assert_int_equal(registry_delete(t.r, node("/registry/system/a"), &actor, &done), 0);
    assert_int_equal(registry_rule_add(t.r, &rule, &actor, &id), 0);
    assert_int_equal(registry_rule_add(t.r, &rule, &actor, &id), 0);
    assert_int_equal(registry_rule_remove(t.r, id), 0);
    registry_turn_fail(t.r, FAULT_FULL);
    assert_int_equal(end(), FAULT_FULL);
    assert_true(holds("/registry/system/a", "one"));
    assert_null(node("/registry/system/b"));
    assert_null(node("/registry/system/x"));
    assert_int_equal(t.r->tree.nodes, nodes);
    assert_int_equal(t.r->rules_count, 1);
    assert_memory_equal(&t.r->state, &before, sizeof before);
    assert_int_equal(set("/registry/system/b", "works again", false, &done), 0);
    assert_int_equal(end(), 0);
    reopen();
    assert_int_equal(unlock(), 0);
    assert_true(holds("/registry/system/a", "one") && holds("/registry/system/b", "works again"));
}

static int count_versions(const struct registry_value *v, void *arg)
{
    uint64_t *last = arg;
    assert_true(*last == 0 || v->version == *last - 1);
    *last = v->version;
    return 0;
}

static void keeps_as_many_versions_as_it_should(void **state)
{
    struct registry_done done;
    struct registry_value v;
    uint64_t last = 0;
    char text[16];
    (void)state;
    assert_int_equal(unlock(), 0);
    for (int i = 1; i <= 10; i++) {
        snprintf(text, sizeof text, "v%d", i);
        assert_int_equal(set("/registry/system/a", text, i % 2 == 0, &done), 0);
        assert_int_equal(end(), 0);
    }
    assert_int_equal(registry_history(t.r, node("/registry/system/a"), count_versions, &last), 0);
    assert_int_equal(last, 8);
    assert_int_equal(registry_get_version(t.r, node("/registry/system/a"), 8, &v), 0);
    assert_true(bytes_equal(v.body, BYTES_LITERAL("v8")));
    assert_int_equal(registry_get_version(t.r, node("/registry/system/a"), 7, &v), OUTCOME_NOT_FOUND);
    assert_int_equal(registry_get_version(t.r, node("/registry/system/a"), 11, &v), OUTCOME_NOT_FOUND);
}

static void versions_never_go_back(void **state)
{
    struct registry_done done;
    struct registry_value v;
    char path[64];
    (void)state;
    assert_int_equal(unlock(), 0);
    assert_int_equal(set("/registry/system/a", "one", false, &done), 0);
    assert_int_equal(registry_delete(t.r, node("/registry/system/a"), &actor, &done), 0);
    assert_int_equal(done.version_after, 2);
    assert_int_equal(registry_get(t.r, node("/registry/system/a"), false, &v), OUTCOME_NOT_FOUND);
    assert_int_equal(registry_get_version(t.r, node("/registry/system/a"), 2, &v), OUTCOME_NOT_FOUND);
    assert_int_equal(registry_get_version(t.r, node("/registry/system/a"), 1, &v), 0);
    assert_int_equal(registry_delete(t.r, node("/registry/system/a"), &actor, &done), OUTCOME_NOT_FOUND);
    for (int i = 0; i < 3; i++) { /* more deleted entries than are kept: the oldest are forgotten */
        snprintf(path, sizeof path, "/registry/system/x%d", i);
        assert_int_equal(set(path, "x", false, &done), 0);
        assert_int_equal(registry_delete(t.r, node(path), &actor, &done), 0);
        assert_int_equal(end(), 0);
    }
    assert_int_equal(t.r->tree.tombs_count, 2);
    assert_int_equal(t.r->tree.forgotten_count, 2);
    assert_int_equal(registry_get_version(t.r, node("/registry/system/a"), 1, &v), OUTCOME_NOT_FOUND);
    for (int i = 0; t.r->tree.forgotten_count > 0; i++) { /* and in time their rows are gone */
        assert_true(i < 100);
        assert_int_equal(set("/registry/system/busy", "x", false, &done), 0);
        assert_int_equal(end(), 0);
    }
    assert_null(node("/registry/system/a"));
    assert_int_equal(t.r->tree.tombs_count, 2);
    assert_int_equal(set("/registry/system/a", "again", false, &done), 0);
    assert_true(done.is_created && done.version_after > 2);
    assert_int_equal(set("/registry/system/x2", "again", false, &done), 0);
    assert_int_equal(done.version_after, 3); /* still known: it goes on */
    assert_int_equal(end(), 0);
    reopen();
    assert_int_equal(unlock(), 0);
    assert_true(holds("/registry/system/a", "again"));
}

/* What the entries of the next test should hold. */
enum { PRUNE_PATHS = 12, PRUNE_STEPS = 3000, PRUNE_TURN_COUNT = 5 };

static unsigned next_random(void)
{
    static uint64_t x = 88172645463325252u;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return (unsigned)(x >> 11);
}

static void act(unsigned i, char values[PRUNE_PATHS][16], uint64_t *versions)
{
    struct registry_done done;
    char path[64];
    snprintf(path, sizeof path, "/registry/system/p%u", i);
    if (next_random() % 3 == 0) {
        struct node *n = node(path);
        int x = n == NULL ? OUTCOME_NOT_FOUND : registry_delete(t.r, n, &actor, &done);
        assert_int_equal(x, values[i][0] == '\0' ? OUTCOME_NOT_FOUND : 0);
        values[i][0] = '\0';
    } else {
        snprintf(values[i], sizeof values[i], "v%u", next_random() % 1000000);
        assert_int_equal(set(path, values[i], next_random() % 2 == 0, &done), 0);
        assert_true(done.version_after > versions[i]);
        versions[i] = done.version_after;
    }
}

static void check_all(char values[PRUNE_PATHS][16])
{
    for (unsigned i = 0; i < PRUNE_PATHS; i++) {
        char path[64];
        uint64_t last = 0;
        snprintf(path, sizeof path, "/registry/system/p%u", i);
        struct node *n = node(path);
        assert_true(values[i][0] != '\0' ? holds(path, values[i]) : n == NULL || !node_is_live(n));
        if (n != NULL && n->entry != NULL && (n->entry->flags & ENTRY_FORGOTTEN) == 0)
            assert_int_equal(registry_history(t.r, n, count_versions, &last), 0);
    }
}

/* Rows are removed by passes that any number of turns, failed turns and restarts come between. */
static void pruning_forgets_nothing_that_is_wanted(void **state)
{
    static char values[PRUNE_PATHS][16], before[PRUNE_PATHS][16];
    static uint64_t versions[PRUNE_PATHS], versions_before[PRUNE_PATHS];
    uint64_t most = 0;
    (void)state;
    memset(values, 0, sizeof values);
    memset(versions, 0, sizeof versions);
    assert_int_equal(unlock(), 0);
    for (int step = 0; step < PRUNE_STEPS; step++) {
        bool fails = next_random() % 5 == 0;
        memcpy(before, values, sizeof before);
        memcpy(versions_before, versions, sizeof versions);
        for (unsigned n = next_random() % PRUNE_TURN_COUNT; n > 0; n--)
            act(next_random() % PRUNE_PATHS, values, versions);
        if (fails)
            registry_turn_fail(t.r, FAULT_FULL);
        assert_int_equal(end(), fails ? FAULT_FULL : 0);
        if (fails) {
            memcpy(values, before, sizeof before);
            memcpy(versions, versions_before, sizeof versions);
        }
        most = MAX_OF(most, t.r->prune.rows_count);
        if (step % 50 == 0) {
            uint64_t rows = t.r->prune.rows_count;
            reopen();
            assert_int_equal(unlock(), 0);
            assert_int_equal(t.corrupt, 0);
            assert_int_equal(t.r->prune.rows_count, rows);
            check_all(values);
        }
    }
    check_all(values);
    assert_true(most < 5 * PRUNE_PATHS * settings.versions_count);
}

static void entries_and_folders_exclude_each_other(void **state)
{
    struct registry_done done;
    (void)state;
    assert_int_equal(unlock(), 0);
    assert_int_equal(set("/registry/system/a/b", "x", false, &done), 0);
    assert_int_equal(set("/registry/system/a", "x", false, &done), OUTCOME_IS_FOLDER);
    assert_int_equal(set("/registry/system", "x", false, &done), OUTCOME_IS_FOLDER);
    assert_int_equal(set("/registry/system/a/b/c", "x", false, &done), OUTCOME_NOT_FOLDER);
    assert_int_equal(end(), 0);
    assert_null(node("/registry/system/a/b/c"));
}

static void large_values_are_kept_in_the_store_only(void **state)
{
    static char large[100001];
    struct registry_done done;
    (void)state;
    memset(large, 'x', sizeof large - 1);
    assert_int_equal(unlock(), 0);
    assert_int_equal(set("/registry/system/clear", large, false, &done), 0);
    assert_int_equal(set("/registry/system/sealed", large, true, &done), 0);
    assert_int_equal(end(), 0);
    for (int i = 0; i < 2; i++) {
        assert_true((node("/registry/system/clear")->entry->flags & ENTRY_AWAY) != 0);
        assert_int_equal(node("/registry/system/sealed")->entry->size_bytes, sizeof large - 1);
        assert_true(holds("/registry/system/clear", large) && holds("/registry/system/sealed", large));
        reopen();
        assert_int_equal(unlock(), 0);
    }
}

static void the_last_administrator_stays(void **state)
{
    uint64_t id, other;
    struct registry_rule rule = {.path = BYTES_LITERAL("/registry"),
                                 .principal = BYTES_LITERAL("any"),
                                 .effect = AUTHZ_DENY,
                                 .actions = AUTHZ_GRANT};
    (void)state;
    assert_int_equal(unlock(), 0);
    assert_int_equal(registry_rule_remove(t.r, 1), OUTCOME_LAST_ADMIN);
    assert_int_equal(registry_rule_add(t.r, &rule, &actor, &id), OUTCOME_LAST_ADMIN);
    rule.principal = BYTES_LITERAL("uid:1000");
    assert_int_equal(registry_rule_add(t.r, &rule, &actor, &id), OUTCOME_LAST_ADMIN);
    rule.path = BYTES_LITERAL("/registry/system/x"); /* nobody could ever take it back */
    assert_int_equal(registry_rule_add(t.r, &rule, &actor, &id), OUTCOME_LAST_ADMIN);
    assert_null(node("/registry/system/x"));
    rule = (struct registry_rule){.path = BYTES_LITERAL("/registry"),
                                  .principal = BYTES_LITERAL("gid:7"),
                                  .effect = AUTHZ_ALLOW,
                                  .actions = AUTHZ_ALL};
    assert_int_equal(registry_rule_add(t.r, &rule, &actor, &other), 0);
    assert_int_equal(registry_rule_remove(t.r, 1), 0);
    assert_int_equal(registry_rule_remove(t.r, other), OUTCOME_LAST_ADMIN);
    assert_int_equal(registry_rule_remove(t.r, 99), OUTCOME_NOT_FOUND);
    assert_int_equal(end(), 0);
    reopen();
    assert_int_equal(t.r->rules_count, 1);
    assert_int_equal(unlock(), 0);
}

/* Runs one SQL text on the closed store, as somebody with the file would. */
static void tamper(const char *sql)
{
    char command[512];
    t.r = registry_close(t.r);
    snprintf(command, sizeof command,
             "/usr/bin/python3 -c \"import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); "
             "c.commit()\" "
             "'%s' \"%s\"",
             t.db, sql);
    assert_int_equal(system(command), 0);
    assert_int_equal(registry_open(t.db, &settings, &t.r), 0);
}

static void fill_two(void)
{
    struct registry_done done;
    uint64_t id;
    assert_int_equal(unlock(), 0);
    assert_int_equal(set("/registry/system/a", "one", false, &done), 0);
    assert_int_equal(set("/registry/system/b", "two", true, &done), 0);
    assert_int_equal(set("/registry/system/a", "three", false, &done), 0);
    struct registry_approval waits = {.path = BYTES_LITERAL("/registry/system/a"), .uid = 77, .expires_us = 1};
    assert_int_equal(registry_member_add(t.r, BYTES_LITERAL("ops"), BYTES_LITERAL("uid:77"), &actor, &id), 0);
    assert_int_equal(registry_approval_add(t.r, &waits, BYTES_LITERAL("sealed"), &id), 0);
    assert_int_equal(end(), 0);
}

static void damage_to_one_row_is_named_and_contained(void **state)
{
    static const char *const texts[] = {
        "UPDATE version SET body = x'6f6e65' WHERE id = 3",
        "UPDATE version SET type = 2 WHERE id = 3",
        "UPDATE version SET flags = 1 WHERE id = 3",
        "UPDATE version SET flags = 2 WHERE id = 3",
        "UPDATE version SET reason = 'x' WHERE id = 3",
        "UPDATE version SET version = 1 WHERE id = 3",
        "UPDATE version SET comment = 'x' WHERE id = 3",
        "UPDATE version SET tags = 'x' WHERE id = 3",
        "UPDATE version SET expires_us = 1 WHERE id = 3",
        "UPDATE version SET created_by = 0 WHERE id = 3",
        "UPDATE version SET changed_us = 0 WHERE id = 3",
        "UPDATE version SET previous = 2 WHERE id = 3",
        "UPDATE version SET entry = 2 WHERE id = 3",
        "UPDATE version SET revision = 1 WHERE id = 3",
        "UPDATE version SET id = 4 WHERE id = 3",
        "UPDATE version SET path = '/registry/system/c' WHERE id = 2",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct registry_value v;
        fill_two();
        tamper(texts[i]);
        assert_int_equal(unlock(), 0);
        assert_int_equal(t.corrupt, 1);
        assert_int_equal(t.r->corrupt_count, 1);
        bool is_moved = strstr(texts[i], "/c'") != NULL;
        const char *path = is_moved ? "/registry/system/c" : "/registry/system/a";
        assert_int_equal(registry_get(t.r, node(path), false, &v), OUTCOME_CORRUPT);
        assert_true(is_moved ? holds("/registry/system/a", "three") : holds("/registry/system/b", "two"));
        teardown(NULL);
        setup(NULL);
    }
}

static void rows_that_are_gone_or_foreign_keep_it_locked(void **state)
{
    static const char *const texts[] = {
        "DELETE FROM version WHERE id = 2",
        "UPDATE version SET path = CASE id WHEN 2 THEN '/registry/system/a' ELSE '/registry/system/b' END WHERE id > 1",
        "DELETE FROM version WHERE id = 3",
        "UPDATE version SET path = '/registry/system/c' WHERE id = 3",
        "UPDATE version SET path = 'no path' WHERE id = 1",
        "UPDATE version SET path = '/registry/system/c' WHERE id = 1",
        "UPDATE version SET id = 9 WHERE id = 1",
        "UPDATE turn SET state = zeroblob(168)",
        "UPDATE turn SET state = zeroblob(0)",
        "UPDATE turn SET state = (SELECT state FROM turn WHERE first = 0)",
        "UPDATE rule SET actions = 1",
        "DELETE FROM rule",
        "INSERT INTO rule SELECT 7, path, effect, 'uid:5', actions, condition, created_us, created_by, mac FROM rule",
        "UPDATE rule SET condition = 'auth=pam'",
        "UPDATE role SET name = 'other'",
        "UPDATE role SET principal = 'uid:0'",
        "DELETE FROM role",
        "UPDATE approval SET uid = 5",
        "UPDATE approval SET body = zeroblob(200)",
        "DELETE FROM approval",
        "INSERT INTO approval SELECT 77, path, uid, op, created_us, expires_us, mac, body FROM approval",
        "INSERT INTO role SELECT 9, name, 'uid:5', created_us, created_by, mac FROM role",
        "INSERT INTO role VALUES(9, 'ops', 'uid:5', 1, 2, zeroblob(32))",
        "UPDATE version SET mac = zeroblob(32) WHERE id = 3",
        "INSERT INTO version SELECT 9, path, previous, entry, version, type, flags, created_us, created_by, "
        "changed_us, "
        "changed_by, revision, expires_us, reason, comment, tags, mac, body FROM version WHERE id = 1",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        fill_two();
        tamper(texts[i]);
        int r = unlock();
        if (i == 1) { /* swapped names: both rows fail by themselves */
            assert_int_equal(r, 0);
            assert_int_equal(t.corrupt, 2);
        } else {
            assert_int_equal(r, OUTCOME_CORRUPT);
            assert_true(registry_is_locked(t.r));
            assert_true(strlen(t.why) > 0);
        }
        teardown(NULL);
        setup(NULL);
    }
}

static void rows_of_before_are_noticed(void **state)
{
    struct registry_done done;
    (void)state;
    fill_two();
    assert_int_equal(set("/registry/system/a", "four", false, &done), 0);
    assert_int_equal(end(), 0);
    tamper("DELETE FROM version WHERE id > 3");
    assert_int_equal(unlock(), OUTCOME_CORRUPT);
}

static void every_allocation_may_fail(void **state)
{
    struct registry_done done;
    (void)state;
    assert_int_equal(unlock(), 0);
    assert_int_equal(set("/registry/system/a", "one", false, &done), 0);
    assert_int_equal(end(), 0);
    int tries = 0;
    EACH_ALLOC_FAILURE({
        tries++;
        int r = set("/registry/system/n/e/w", "x", true, &done);
        int x = end();
        assert_true((r == 0) == (x == 0));
        if (r == 0) {
            fail_alloc_off();
            assert_true(holds("/registry/system/n/e/w", "x"));
            break;
        }
        assert_null(node("/registry/system/n"));
        assert_true(holds("/registry/system/a", "one"));
    });
    assert_true(tries > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(starts_locked_and_unlocks_with_its_key, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_what_was_set, setup, teardown),
        cmocka_unit_test_setup_teardown(sealed_stays_sealed_unless_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_turn_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_as_many_versions_as_it_should, setup, teardown),
        cmocka_unit_test_setup_teardown(versions_never_go_back, setup, teardown),
        cmocka_unit_test_setup_teardown(pruning_forgets_nothing_that_is_wanted, setup, teardown),
        cmocka_unit_test_setup_teardown(entries_and_folders_exclude_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(large_values_are_kept_in_the_store_only, setup, teardown),
        cmocka_unit_test_setup_teardown(the_last_administrator_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_to_one_row_is_named_and_contained, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_that_are_gone_or_foreign_keep_it_locked, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_of_before_are_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
