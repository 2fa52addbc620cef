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

/* Only what reads a whole table on purpose, at start, may scan; nothing may sort or build an index. */
static void test_query_plans(void **state)
{
    const struct test_folder *f = *state;
    struct store *s;
    assert_int_equal(store_create(f->db, &s), 0);
    s->is_setting_up = true;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char sql[1024];
        sqlite3_stmt *st;
        bool reads_all = strstr(rows[i].name, "_EACH") != NULL || strcmp(rows[i].name, "BATCH_LAST") == 0;
        (void)snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", rows[i].sql);
        assert_int_equal(sqlite3_prepare_v2(s->db, sql, -1, &st, NULL), SQLITE_OK);
        while (sqlite3_step(st) == SQLITE_ROW) {
            const char *plan = (const char *)sqlite3_column_text(st, 3);
            bool scans = strncmp(plan, "SCAN", 4) == 0,
                 builds = strstr(plan, "TEMP B-TREE") || strstr(plan, "AUTOMATIC");
            if ((scans && !reads_all) || builds)
                fail_msg("%s: %s", rows[i].name, plan);
        }
        sqlite3_finalize(st);
    }
    s->is_setting_up = false;
    store_close(s);
}

static void add_entry(struct store *s, int64_t id, const char *path, int64_t version)
{
    struct store_stmt *st = store_use(s, STORE_ENTRY_ADD);
    store_bind_i64(st, 1, id);
    store_bind_text(st, 2, bytes_of_text(path));
    store_bind_i64(st, 3, version);
    store_bind_i64(st, 4, INT64_MIN);
    store_bind_i64(st, 5, UINT32_MAX);
    store_bind_text(st, 6, BYTES_NONE);
    store_bind_blob(st, 7, BYTES_LITERAL("\0mac\0"));
    assert_int_equal(store_run(s, st), 0);
}

static void add_version(struct store *s, int64_t entry, int64_t version, struct bytes body)
{
    struct store_stmt *st = store_use(s, STORE_VERSION_ADD);
    store_bind_i64(st, 1, entry);
    for (int i = 2; i <= 7; i++)
        store_bind_i64(st, i, i == 2 ? version : i * 10);
    store_bind_text(st, 8,
                    BYTES_LITERAL("b\xc3\xa9"
                                  "cause"));
    store_bind_blob(st, 9, body);
    store_bind_blob(st, 10, BYTES_LITERAL("m"));
    assert_int_equal(store_run(s, st), 0);
}

static void test_values(void **state)
{
    const struct test_folder *f = *state;
    struct store *s;
    static uint8_t long_body[100000];
    memset(long_body, 0xa5, sizeof long_body);
    assert_int_equal(store_create(f->db, &s), 0);
    add_entry(s, 1, "/registry/a", 3);
    add_entry(s, INT64_MAX, "/registry/b", 9);
    add_version(s, 1, 1, BYTES_NONE);
    add_version(s, 1, 2, BYTES_LITERAL("two"));
    add_version(s, 1, 3, BYTES_OF(long_body));

    struct store_stmt *st = store_use(s, STORE_ENTRY_EACH);
    assert_int_equal(store_step(s, st), STORE_ROW);
    assert_int_equal(store_column_i64(st, 0), 1);
    assert_true(bytes_equal(store_column_bytes(st, 1), BYTES_LITERAL("/registry/a")));
    assert_true(store_column_i64(st, 3) == INT64_MIN);
    assert_int_equal(store_column_i64(st, 4), UINT32_MAX);
    assert_int_equal(store_column_bytes(st, 5).n, 0);
    assert_false(store_column_is_null(st, 5));
    assert_true(bytes_equal(store_column_bytes(st, 6), BYTES_LITERAL("\0mac\0")));
    assert_true(bytes_equal(store_column_bytes(st, 12), BYTES_LITERAL("b\xc3\xa9"
                                                                      "cause")));
    assert_true(bytes_equal(store_column_bytes(st, 13), BYTES_OF(long_body)));
    assert_int_equal(store_step(s, st), STORE_ROW); /* its version row is missing */
    assert_true(store_column_i64(st, 0) == INT64_MAX);
    assert_true(store_column_is_null(st, 7) && store_column_is_null(st, 13));
    assert_int_equal(store_column_i64(st, 7), 0);
    assert_int_equal(store_column_bytes(st, 13).n, 0);
    assert_int_equal(store_step(s, st), 0);

    st = store_use(s, STORE_VERSION_EACH);
    store_bind_i64(st, 1, 1);
    for (int64_t v = 3; v >= 1; v--) {
        assert_int_equal(store_step(s, st), STORE_ROW);
        assert_int_equal(store_column_i64(st, 0), v);
    }
    assert_false(store_column_is_null(st, 7));
    assert_int_equal(store_column_bytes(st, 7).n, 0);
    assert_int_equal(store_step(s, st), 0);
    st = store_use(s, STORE_VERSION_PRUNE);
    store_bind_i64(st, 1, 1);
    store_bind_i64(st, 2, 2);
    assert_int_equal(store_run(s, st), 0);
    st = store_use(s, STORE_VERSION_GET);
    store_bind_i64(st, 1, 1);
    store_bind_i64(st, 2, 2);
    assert_int_equal(store_step(s, st), 0);
    store_close(s);
}

static void test_refusals(void **state)
{
    const struct test_folder *f = *state;
    struct store *s;
    assert_int_equal(store_create(f->db, &s), 0);
    struct store_stmt *st = store_use(s, STORE_SLOT_ADD);
    store_bind_i64(st, 2, 0); /* no such parameter: the first failed bind shows in the step */
    store_bind_blob(st, 1, BYTES_LITERAL("x"));
    assert_int_equal(store_run(s, st), FAULT_STORE);
    st = store_use(s, STORE_SLOT_ADD); /* nothing bound: NULL is not allowed there */
    assert_int_equal(store_run(s, st), FAULT_STORE);
    st = store_use(s, STORE_SLOT_ADD);
    store_bind_null(st, 1);
    assert_int_equal(store_run(s, st), FAULT_STORE);
    st = store_use(s, STORE_SLOT_ADD);
    store_bind_text(st, 1, BYTES_LITERAL("STRICT wants a blob"));
    assert_int_equal(store_run(s, st), FAULT_STORE);
    static uint8_t big[17 << 20];
    st = store_use(s, STORE_SLOT_ADD);
    store_bind_blob(st, 1, BYTES_OF(big));
    assert_int_equal(store_run(s, st), FAULT_STORE);
    st = store_use(s, STORE_SLOT_EACH);
    assert_int_equal(store_step(s, st), 0);
    add_entry(s, 1, "/registry/a", 1);
    st = store_use(s, STORE_ENTRY_ADD);
    store_bind_i64(st, 1, 1); /* taken */
    store_bind_text(st, 2, BYTES_LITERAL("/registry/b"));
    for (int i = 3; i <= 5; i++)
        store_bind_i64(st, i, 0);
    store_bind_text(st, 6, BYTES_NONE);
    store_bind_blob(st, 7, BYTES_NONE);
    assert_int_equal(store_run(s, st), FAULT_STORE);
    store_close(s);
}

/* A statement that was left in the middle holds the log open until it is done with. */
static void test_done(void **state)
{
    const struct test_folder *f = *state;
    struct store *s;
    assert_int_equal(store_create(f->db, &s), 0);
    add_entry(s, 1, "/registry/a", 1);
    add_entry(s, 2, "/registry/b", 1);
    struct store_stmt *st = store_use(s, STORE_ENTRY_EACH);
    assert_int_equal(store_step(s, st), STORE_ROW);
    assert_int_equal(store_checkpoint(s, 0), FAULT_STORE);
    store_done(st);
    assert_int_equal(store_checkpoint(s, 0), 0);
    assert_ptr_equal(store_use(s, STORE_ENTRY_EACH), st);
    assert_int_equal(store_step(s, st), STORE_ROW);
    assert_int_equal(store_column_i64(st, 0), 1);
    store_close(s);
}

static struct bytes batch(struct store *s, enum store_sql sql, int64_t arg, int64_t *ret_first)
{
    struct store_stmt *st = store_use(s, sql);
    if (sql != STORE_BATCH_LAST)
        store_bind_i64(st, 1, arg);
    *ret_first = -1;
    if (store_step(s, st) != STORE_ROW)
        return BYTES_NONE;
    *ret_first = store_column_i64(st, 0);
    return sql == STORE_BATCH_LAST ? BYTES_NONE : store_column_bytes(st, 2);
}

static void test_batches(void **state)
{
    const struct test_folder *f = *state;
    struct store *s;
    int64_t first;
    assert_int_equal(store_create(f->db, &s), 0);
    for (int64_t i = 0; i < 50; i++) {
        struct store_stmt *st = store_use(s, STORE_BATCH_ADD);
        store_bind_i64(st, 1, i * 10);
        store_bind_i64(st, 2, 10);
        store_bind_blob(st, 3, BYTES_LITERAL("records"));
        if (i % 20 == 0)
            store_bind_blob(st, 4, BYTES_LITERAL("frontier"));
        assert_int_equal(store_run(s, st), 0);
    }
    (void)batch(s, STORE_BATCH_LAST, 0, &first);
    assert_int_equal(first, 490);
    assert_true(bytes_equal(batch(s, STORE_BATCH_FROM, 17, &first), BYTES_LITERAL("records")));
    assert_int_equal(first, 10);
    (void)batch(s, STORE_BATCH_FROM, 20, &first);
    assert_int_equal(first, 20);
    (void)batch(s, STORE_BATCH_FROM, INT64_MAX, &first);
    assert_int_equal(first, 490);
    (void)batch(s, STORE_BATCH_AFTER, 20, &first);
    assert_int_equal(first, 30);
    (void)batch(s, STORE_BATCH_BEFORE, 20, &first);
    assert_int_equal(first, 10);
    (void)batch(s, STORE_BATCH_BEFORE, 0, &first);
    assert_int_equal(first, -1);
    assert_true(bytes_equal(batch(s, STORE_BATCH_FRONTIER, 399, &first), BYTES_LITERAL("frontier")));
    assert_int_equal(first, 200);
    store_close(s);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, test_folder_make, test_folder_remove)
    const struct CMUnitTest tests[] = {T(test_query_plans), T(test_values), T(test_refusals), T(test_done),
                                       T(test_batches)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
