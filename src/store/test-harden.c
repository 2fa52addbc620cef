/* harden: the settings read back, the authorizer, and what a planted layout comes to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "test-folder.h"

static int64_t pragma(struct store *s, const char *name)
{
    char sql[64];
    int64_t v = -1;
    (void)snprintf(sql, sizeof sql, "PRAGMA %s", name);
    s->is_setting_up = true;
    assert_int_equal(store_query_i64(s, sql, &v), 0);
    s->is_setting_up = false;
    return v;
}

static void pragma_text(struct store *s, const char *name, const char *wanted)
{
    char sql[64], text[32];
    (void)snprintf(sql, sizeof sql, "PRAGMA %s", name);
    s->is_setting_up = true;
    assert_int_equal(store_query_text(s, sql, text, sizeof text), 0);
    s->is_setting_up = false;
    assert_string_equal(text, wanted);
}

static int is_switched(struct store *s, int id)
{
    int on = -1;
    assert_int_equal(sqlite3_db_config(s->db, id, -1, &on), SQLITE_OK);
    return on;
}

static void check_settings(struct store *s)
{
    pragma_text(s, "journal_mode", "wal");
    pragma_text(s, "locking_mode", "exclusive");
    assert_int_equal(pragma(s, "synchronous"), 1);
    assert_int_equal(pragma(s, "page_size"), 4096);
    assert_int_equal(pragma(s, "auto_vacuum"), 0);
    assert_int_equal(pragma(s, "wal_autocheckpoint"), 0);
    assert_int_equal(pragma(s, "temp_store"), 2);
    assert_int_equal(pragma(s, "secure_delete"), 1);
    assert_int_equal(pragma(s, "cell_size_check"), 1);
    assert_int_equal(pragma(s, "trusted_schema"), 0);
    assert_int_equal(pragma(s, "recursive_triggers"), 0);
    assert_int_equal(pragma(s, "cache_size"), -2048);
    assert_int_equal(pragma(s, "application_id"), STORE_APPLICATION_ID);
    assert_int_equal(pragma(s, "user_version"), STORE_SCHEMA_VERSION);
    assert_int_equal(pragma(s, "mmap_size"), 0);
    assert_int_equal(is_switched(s, SQLITE_DBCONFIG_DEFENSIVE), 1);
    assert_int_equal(is_switched(s, SQLITE_DBCONFIG_TRUSTED_SCHEMA), 0);
    assert_int_equal(is_switched(s, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION), 0);
    assert_int_equal(is_switched(s, SQLITE_DBCONFIG_DQS_DML), 0);
    assert_int_equal(is_switched(s, SQLITE_DBCONFIG_DQS_DDL), 0);
    assert_int_equal(sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, -1), 0);
    assert_true(sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, -1) <= 16 << 20);
    assert_int_equal(sqlite3_threadsafe() == 0 || sqlite3_db_mutex(s->db) == NULL, 1);
}

static void test_settings(void **state)
{
    const struct test_folder *f = *state;
    struct store *s;
    char index[128];
    assert_int_equal(store_create(f->db, &s), 0);
    check_settings(s);
    store_close(s);
    assert_int_equal(store_open(f->db, &s), 0);
    check_settings(s);
    assert_int_equal(test_put(s, "a", "b"), 0);
    (void)snprintf(index, sizeof index, "%s-shm", f->db);
    assert_int_equal(test_file_size(index), -1);
    assert_int_equal(store_checkpoint(s, 0), 0);
    long size = test_file_size(f->log);
    assert_true(size > 4096);
    store_close(s);
    assert_int_equal(test_file_size(f->log), size); /* kept, so that its blocks are overwritten */
}

static void test_authorizer(void **state)
{
    static const char *const refused[] = {
        "ATTACH ':memory:' AS other",
        "DETACH main",
        "PRAGMA journal_mode=DELETE",
        "PRAGMA writable_schema=ON",
        "PRAGMA synchronous",
        "CREATE TABLE x(a)",
        "CREATE TEMP TABLE x(a)",
        "CREATE TRIGGER t AFTER INSERT ON meta BEGIN DELETE FROM slot; END",
        "CREATE VIEW v AS SELECT 1",
        "CREATE INDEX i ON meta(value)",
        "DROP TABLE meta",
        "ALTER TABLE meta ADD COLUMN z",
        "SELECT * FROM sqlite_schema",
        "DELETE FROM sqlite_schema",
        "SELECT load_extension('x')",
        "SELECT hex(value) FROM meta",
        "SELECT randomblob(10)",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c",
        "VACUUM",
        "REINDEX",
        "ANALYZE",
        "SAVEPOINT a",
        "SELECT \"quoted text is a name\"",
    };
    const struct test_folder *f = *state;
    struct store *s;
    assert_int_equal(store_create(f->db, &s), 0);
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        if (sqlite3_exec(s->db, refused[i], NULL, NULL, NULL) == SQLITE_OK)
            fail_msg("not refused: %s", refused[i]);
    }
    assert_int_equal(sqlite3_exec(s->db, "SELECT coalesce(max(name), 0) FROM meta", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(test_put(s, "a", "b"), 0);
    store_close(s);
}

static void refuse_planted(const struct test_folder *f, const char *sql)
{
    struct store *s = NULL;
    assert_int_equal(store_create(f->db, &s), 0);
    s = store_close(s);
    test_plant(f->db, sql);
    long size = test_file_size(f->db);
    int x = store_open(f->db, &s);
    if (x != FAULT_CORRUPT)
        fail_msg("opened with %d: %s", x, sql);
    assert_null(s);
    assert_int_equal(test_file_size(f->db), size);
    assert_int_equal(unlink(f->db), 0);
    (void)unlink(f->log);
}

static void test_planted(void **state)
{
    const struct test_folder *f = *state;
    refuse_planted(f, "CREATE TRIGGER t AFTER INSERT ON turn BEGIN DELETE FROM rule; END");
    refuse_planted(f, "CREATE VIEW v AS SELECT * FROM slot");
    refuse_planted(f, "CREATE TABLE extra(a)");
    refuse_planted(f, "CREATE INDEX i ON version(path)");
    refuse_planted(f, "DROP TABLE rule");
    refuse_planted(f, "DROP TABLE rule; CREATE VIEW rule AS SELECT * FROM version");
    refuse_planted(f, "ALTER TABLE meta ADD COLUMN z BLOB");
    refuse_planted(f, "ANALYZE meta; INSERT INTO meta VALUES('a', x'00'); ANALYZE");
    refuse_planted(f, "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, 'INTEGER NOT NULL',"
                      " 'INTEGER NOT NULL DEFAULT 7') WHERE name = 'slot' OR name = 'rule'");
    refuse_planted(f, "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE' WHERE name = 'slot'");
    refuse_planted(f, "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = sql || ' ' WHERE name = 'slot'");
}

/* A hostile file whose layout is right but whose rows are of the wrong kind. */
static void test_planted_rows(void **state)
{
    const struct test_folder *f = *state;
    refuse_planted(f, "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, ' STRICT,', '')"
                      " WHERE name = 'meta'; UPDATE sqlite_schema SET sql = replace(sql, ') STRICT', ')');"
                      " PRAGMA writable_schema=RESET; INSERT INTO slot VALUES(1, '', 0, 0, x'00', 'text')");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, test_folder_make, test_folder_remove)
    const struct CMUnitTest tests[] = {T(test_settings), T(test_authorizer), T(test_planted), T(test_planted_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
