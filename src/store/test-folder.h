/* test-folder - a temporary folder for the tests of this folder, and paths in it. */
#ifndef STORE_TEST_FOLDER_H
#define STORE_TEST_FOLDER_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store-internal.h"

struct test_folder {
    char path[64];
    char db[96], log[96];
};

static inline int test_folder_make(void **state)
{
    static struct test_folder f;
    (void)snprintf(f.path, sizeof f.path, "/tmp/secreg-store-XXXXXX");
    if (mkdtemp(f.path) == NULL)
        return -1;
    (void)snprintf(f.db, sizeof f.db, "%s/a.db", f.path);
    (void)snprintf(f.log, sizeof f.log, "%s/a.db-wal", f.path);
    *state = &f;
    return 0;
}

static inline int test_folder_remove(void **state)
{
    const struct test_folder *f = *state;
    (void)unlink(f->db);
    (void)unlink(f->log);
    return rmdir(f->path);
}

/* The bytes of a file, for looking at it behind the back of the store. */
static inline long test_file_size(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (long)st.st_size : -1;
}

/* Runs SQL on the file with a plain connection, as someone with write access to it would. */
static inline void test_plant(const char *path, const char *sql)
{
    sqlite3 *db;
    char *message = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* META_SET in a transaction of its own. */
static inline int test_put(struct store *s, const char *name, const char *value)
{
    TRY(store_begin(s));
    struct store_stmt *st = store_use(s, STORE_META_SET);
    store_bind_text(st, 1, bytes_of_text(name));
    store_bind_blob(st, 2, bytes_of_text(value));
    int x = store_run(s, st);
    if (x < 0) {
        store_rollback(s);
        return x;
    }
    return store_commit(s);
}

/* SLOT_ADD with everything bound but the body, parameter TEST_SLOT_BODY. */
enum { TEST_SLOT_BODY = 6 };
static inline struct store_stmt *test_slot(struct store *s, int64_t id)
{
    struct store_stmt *st = store_use(s, STORE_SLOT_ADD);
    store_bind_i64(st, 1, id);
    store_bind_text(st, 2, BYTES_LITERAL("label"));
    store_bind_i64(st, 3, 0);
    store_bind_i64(st, 4, 0);
    store_bind_blob(st, 5, BYTES_LITERAL("mac"));
    return st;
}

/* True if the entry of `meta` is there and has that value. */
static inline bool test_has(struct store *s, const char *name, const char *value)
{
    struct store_stmt *st = store_use(s, STORE_META_GET);
    store_bind_text(st, 1, bytes_of_text(name));
    int x = store_step(s, st);
    bool has = x == STORE_ROW && bytes_equal(store_column_bytes(st, 0), bytes_of_text(value));
    store_done(st);
    return has;
}

#endif
