/* migrate: from every past layout to the newest, all or nothing for each step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test-folder.h"

static const struct migration steps[] = {
    {STORE_SCHEMA_3},
    {"CREATE TABLE extra(id INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT;"
     "INSERT INTO extra(id, note) SELECT 1, 'made by step 2';"},
    {"CREATE TABLE more(id INTEGER PRIMARY KEY) STRICT;"},
};

/* A store that is still being set up, as migrate_run() finds it. */
static struct store *open_raw(const struct test_folder *f)
{
    struct store *s;
    int64_t version;
    if (test_file_size(f->db) < 0)
        assert_int_equal(store_create(f->db, &s), 0);
    else
        assert_int_equal(store_open(f->db, &s), 0);
    s->is_setting_up = true;
    assert_int_equal(store_query_i64(s, "PRAGMA user_version", &version), 0);
    assert_int_equal(version, STORE_SCHEMA_FIRST);
    return s;
}

static int64_t number(struct store *s, const char *sql)
{
    int64_t v = -1;
    assert_int_equal(store_query_i64(s, sql, &v), 0);
    return v;
}

static void test_steps(void **state)
{
    struct store *s = open_raw(*state);
    assert_int_equal(migrate_run(s, steps, 1), 0);
    assert_int_equal(number(s, "PRAGMA user_version"), STORE_SCHEMA_FIRST);
    assert_int_equal(test_put(s, "kept", "over all steps"), 0);
    assert_int_equal(migrate_run(s, steps, 3), 0);
    assert_int_equal(number(s, "PRAGMA user_version"), STORE_SCHEMA_FIRST + 2);
    assert_int_equal(number(s, "SELECT count(*) FROM extra WHERE note = 'made by step 2'"), 1);
    assert_true(test_has(s, "kept", "over all steps"));
    assert_int_equal(migrate_run(s, steps, 3), 0);
    assert_int_equal(number(s, "SELECT count(*) FROM extra"), 1);
    assert_int_equal(migrate_run(s, steps, 2), FAULT_SCHEMA);
    assert_int_equal(migrate_compare(s, steps, 3), 0);
    assert_int_equal(migrate_compare(s, steps, 2), FAULT_CORRUPT);
    assert_int_equal(migrate_compare(s, steps, 0), FAULT_CORRUPT);
    store_close(s);
}

static void test_older_program(void **state)
{
    const struct test_folder *f = *state;
    struct store *s = open_raw(f), *old = NULL;
    assert_int_equal(migrate_run(s, steps, 2), 0);
    store_close(s);
    assert_int_equal(store_open(f->db, &old), FAULT_SCHEMA);
    assert_null(old);
}

static void test_step_fails(void **state)
{
    static const struct migration bad[] = {
        {STORE_SCHEMA_3},
        {"CREATE TABLE extra(id INTEGER PRIMARY KEY) STRICT;"},
        {"CREATE TABLE more(id INTEGER PRIMARY KEY) STRICT; INSERT INTO nowhere VALUES(1);"},
    };
    struct store *s = open_raw(*state);
    assert_int_equal(migrate_run(s, bad, 3), FAULT_STORE);
    assert_false(store_in_transaction(s));
    assert_int_equal(number(s, "PRAGMA user_version"),
                     STORE_SCHEMA_FIRST + 1); /* step 2 stands, nothing of step 3 does */
    assert_int_equal(number(s, "SELECT count(*) FROM sqlite_schema WHERE name = 'more'"), 0);
    assert_int_equal(migrate_compare(s, bad, 2), 0);
    store_close(s);
}

/* A planted trigger must not run inside a migration either. */
static void test_planted_before_step(void **state)
{
    struct store *s = open_raw(*state);
    assert_int_equal(store_exec(s, "CREATE TABLE extra(id INTEGER PRIMARY KEY)"), 0);
    assert_int_equal(migrate_run(s, steps, 3), FAULT_CORRUPT);
    assert_int_equal(number(s, "PRAGMA user_version"), STORE_SCHEMA_FIRST);
    store_close(s);
}

static void test_query_helpers(void **state)
{
    struct store *s = open_raw(*state);
    char text[4];
    int64_t v = 5;
    assert_int_equal(store_query_i64(s, "SELECT 1 FROM slot", &v), FAULT_INTERNAL);
    assert_int_equal(store_query_i64(s, "SELECT nothing", &v), FAULT_STORE);
    assert_int_equal(v, 5);
    assert_int_equal(store_query_text(s, "SELECT 'longer'", text, sizeof text), 0);
    assert_string_equal(text, "lon");
    assert_true(store_query_text(s, "SELECT NULL", text, sizeof text) < 0);
    assert_int_equal(store_exec(s, "not SQL"), FAULT_STORE);
    store_close(s);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, test_folder_make, test_folder_remove)
    const struct CMUnitTest tests[] = {T(test_steps), T(test_older_program), T(test_step_fails),
                                       T(test_planted_before_step), T(test_query_helpers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
