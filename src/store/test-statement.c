/* statement: every text compiles and uses its key; binds and columns carry every value there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "test-folder.h"

static const struct {
    const char *name, *sql;
} rows[] = {
#define NAMED(name, sql) {#name, sql},
    STORE_SQL_LIST(NAMED)
#undef NAMED
};

/* Only what reads a whole table on purpose, at start, may scan; nothing may sort or build an index, but
 * for the few rows of the ring. */
static void test_query_plans(void **state)
{
    const struct test_folder *f = *state;
    struct store *s;
    assert_int_equal(store_create(f->db, &s), 0);
    s->is_setting_up = true;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char sql[1024];
        sqlite3_stmt *st;
        bool reads_all = strstr(rows[i].name, "_EACH") != NULL, is_ring = strcmp(rows[i].name, "TURN_EACH") == 0;
        (void)snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", rows[i].sql);
        assert_int_equal(sqlite3_prepare_v2(s->db, sql, -1, &st, NULL), SQLITE_OK);
        while (sqlite3_step(st) == SQLITE_ROW) {
            const char *plan = (const char *)sqlite3_column_text(st, 3);
            bool scans = strncmp(plan, "SCAN", 4) == 0,
                 builds = strstr(plan, "TEMP B-TREE") || strstr(plan, "AUTOMATIC");
            if ((scans && !reads_all) || (builds && !is_ring))
                fail_msg("%s: %s", rows[i].name, plan);
        }
        sqlite3_finalize(st);
    }
    s->is_setting_up = false;
    store_close(s);
}

static void add_version(struct store *s, int64_t id, const char *path, struct bytes body)
{
    struct store_stmt *st = store_use(s, STORE_VERSION_ADD);
    store_bind_i64(st, 1, id);
    store_bind_text(st, 2, bytes_of_text(path));
    for (int i = 3; i <= 13; i++)
        store_bind_i64(st, i, i == 8 ? INT64_MIN : i == 9 ? (int64_t)UINT32_MAX : (int64_t)i * 10);
    store_bind_text(st, 14,
                    BYTES_LITERAL("b\xc3\xa9"
                                  "cause"));
    store_bind_text(st, 15, BYTES_NONE);
    store_bind_text(st, 16, BYTES_NONE);
    store_bind_blob(st, 17, BYTES_LITERAL("\0mac\0"));
    store_bind_blob(st, 18, body);
    assert_int_equal(store_run(s, st), 0);
}

static void test_values(void **state)
{
    const struct test_folder *f = *state;
    struct store *s;
    static uint8_t long_body[100000];
    memset(long_body, 0xa5, sizeof long_body);
    assert_int_equal(store_create(f->db, &s), 0);
    add_version(s, 1, "/registry/a", BYTES_OF(long_body));
    add_version(s, 2, "/registry/a", BYTES_LITERAL("two"));
    add_version(s, INT64_MAX, "/registry/b", BYTES_NONE);

    struct store_stmt *st = store_use(s, STORE_VERSION_EACH); /* newest first */
    assert_int_equal(store_step(s, st), STORE_ROW);
    assert_true(store_column_i64(st, 0) == INT64_MAX);
    assert_int_equal(store_column_bytes(st, 17).n, 0);
    assert_false(store_column_is_null(st, 17));
    assert_int_equal(store_step(s, st), STORE_ROW);
    assert_int_equal(store_step(s, st), STORE_ROW);
    assert_int_equal(store_column_i64(st, 0), 1);
    assert_true(bytes_equal(store_column_bytes(st, 1), BYTES_LITERAL("/registry/a")));
    assert_int_equal(store_column_i64(st, 2), 30);
    assert_true(store_column_i64(st, 7) == INT64_MIN);
    assert_int_equal(store_column_i64(st, 8), UINT32_MAX);
    assert_true(bytes_equal(store_column_bytes(st, 13), BYTES_LITERAL("b\xc3\xa9"
                                                                      "cause")));
    assert_int_equal(store_column_bytes(st, 14).n, 0);
    assert_true(bytes_equal(store_column_bytes(st, 16), BYTES_LITERAL("\0mac\0")));
    assert_true(bytes_equal(store_column_bytes(st, 17), BYTES_OF(long_body)));
    assert_int_equal(store_step(s, st), 0);

    st = store_use(s, STORE_VERSION_FROM);
    store_bind_i64(st, 1, 2);
    assert_int_equal(store_step(s, st), STORE_ROW);
    assert_int_equal(store_column_i64(st, 0), 2);
    assert_int_equal(store_step(s, st), STORE_ROW);
    assert_int_equal(store_step(s, st), 0);
    st = store_use(s, STORE_VERSION_REMOVE);
    store_bind_i64(st, 1, 2);
    store_bind_i64(st, 2, 3);
    assert_int_equal(store_run(s, st), 0);
    for (int64_t id = 1; id <= 2; id++) {
        st = store_use(s, STORE_VERSION_GET);
        store_bind_i64(st, 1, id);
        assert_int_equal(store_step(s, st), id == 1 ? STORE_ROW : 0);
    }
    store_close(s);
}

static void test_refusals(void **state)
{
    const struct test_folder *f = *state;
    struct store *s;
    assert_int_equal(store_create(f->db, &s), 0);
    struct store_stmt *st = test_slot(s, 1);
    store_bind_i64(st, TEST_SLOT_BODY + 1, 0); /* no such parameter: the first failed bind shows in the step */
    store_bind_blob(st, TEST_SLOT_BODY, BYTES_LITERAL("x"));
    assert_int_equal(store_run(s, st), FAULT_STORE);
    st = test_slot(s, 1); /* no body: NULL is not allowed there */
    assert_int_equal(store_run(s, st), FAULT_STORE);
    st = test_slot(s, 1);
    store_bind_null(st, TEST_SLOT_BODY);
    assert_int_equal(store_run(s, st), FAULT_STORE);
    st = test_slot(s, 1);
    store_bind_text(st, TEST_SLOT_BODY, BYTES_LITERAL("STRICT wants a blob"));
    assert_int_equal(store_run(s, st), FAULT_STORE);
    static uint8_t big[17 << 20];
    st = test_slot(s, 1);
    store_bind_blob(st, TEST_SLOT_BODY, BYTES_OF(big));
    assert_int_equal(store_run(s, st), FAULT_STORE);
    st = store_use(s, STORE_SLOT_EACH);
    assert_int_equal(store_step(s, st), 0);
    for (int i = 0; i < 2; i++) { /* the second time the number is taken */
        st = store_use(s, STORE_META_SET);
        store_bind_text(st, 1, BYTES_LITERAL("a"));
        store_bind_blob(st, 2, BYTES_LITERAL("b"));
        assert_int_equal(store_run(s, st), 0);
        st = test_slot(s, 7);
        store_bind_blob(st, TEST_SLOT_BODY, BYTES_LITERAL("x"));
        assert_int_equal(store_run(s, st), i == 0 ? 0 : FAULT_STORE);
    }
    store_close(s);
}

/* A statement that was left in the middle holds the log open until it is done with. */
static void test_done(void **state)
{
    const struct test_folder *f = *state;
    struct store *s;
    assert_int_equal(store_create(f->db, &s), 0);
    add_version(s, 1, "/registry/a", BYTES_NONE);
    add_version(s, 2, "/registry/b", BYTES_NONE);
    struct store_stmt *st = store_use(s, STORE_VERSION_EACH);
    assert_int_equal(store_step(s, st), STORE_ROW);
    assert_int_equal(store_checkpoint(s, 0), FAULT_STORE);
    store_done(st);
    assert_int_equal(store_checkpoint(s, 0), 0);
    assert_ptr_equal(store_use(s, STORE_VERSION_EACH), st);
    assert_int_equal(store_step(s, st), STORE_ROW);
    assert_int_equal(store_column_i64(st, 0), 2);
    store_close(s);
}

static int set_turn(struct store *s, int64_t place, int64_t first, const char *records)
{
    struct store_stmt *st = store_use(s, STORE_TURN_SET);
    store_bind_i64(st, 1, place);
    store_bind_i64(st, 2, first);
    store_bind_i64(st, 3, 10);
    store_bind_blob(st, 4, BYTES_LITERAL("state"));
    store_bind_blob(st, 5, BYTES_LITERAL("seal"));
    store_bind_blob(st, 6, bytes_of_text(records));
    return store_run(s, st);
}

/* The turns are a ring: a place is taken again, and what is read comes in the order of the records. */
static void test_turns(void **state)
{
    const struct test_folder *f = *state;
    struct store *s;
    int64_t wanted = 420;
    assert_int_equal(store_create(f->db, &s), 0);
    for (int64_t i = 0; i < 50; i++)
        assert_int_equal(set_turn(s, i % 8, i * 10, i % 2 != 0 ? "odd" : "even"), 0);
    struct store_stmt *st = store_use(s, STORE_TURN_EACH);
    while (store_step(s, st) == STORE_ROW) {
        assert_int_equal(store_column_i64(st, 0), wanted / 10 % 8);
        assert_int_equal(store_column_i64(st, 1), wanted);
        assert_int_equal(store_column_i64(st, 2), 10);
        assert_true(bytes_equal(store_column_bytes(st, 3), BYTES_LITERAL("state")));
        assert_true(bytes_equal(store_column_bytes(st, 5), bytes_of_text(wanted / 10 % 2 != 0 ? "odd" : "even")));
        wanted += 10;
    }
    assert_int_equal(wanted, 500);
    store_close(s);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, test_folder_make, test_folder_remove)
    const struct CMUnitTest tests[] = {T(test_query_plans), T(test_values), T(test_refusals), T(test_done),
                                       T(test_turns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
