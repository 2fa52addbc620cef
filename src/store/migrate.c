/*
 * migrate - numbered layouts. A database of any past version is brought to the newest one step by step, and a layout
 * that differs in one letter from what the steps make is refused, so that no planted trigger or view ever runs.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/store-internal.h"

const struct migration migrations[STORE_SCHEMA_COUNT] = {{STORE_SCHEMA_3}};

#define LAYOUT_SQL "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name, tbl_name"
enum { LAYOUT_COLUMNS = 4, MIGRATE_PRAGMA_BYTES = 96 };

static void drop_db(sqlite3 **db)
{
    sqlite3_close(*db);
}

static void drop_stmt(sqlite3_stmt **st)
{
    sqlite3_finalize(*st);
}

/* The layout as it should be: the same steps on an empty database in memory. */
static int open_model(struct store *store, const struct migration *list, size_t count, sqlite3 **ret_db)
{
    SCOPED(drop_db) sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX;
    int rc = sqlite3_open_v2(":memory:", &db, flags, NULL);
    for (size_t i = 0; rc == SQLITE_OK && i < count; i++)
        rc = sqlite3_exec(db, list[i].sql, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return STORE_RAISE(store, rc);
    *ret_db = TAKE(db);
    return 0;
}

static bool row_equal(sqlite3_stmt *a, sqlite3_stmt *b)
{
    for (int i = 0; i < LAYOUT_COLUMNS; i++) {
        const unsigned char *text_a = sqlite3_column_text(a, i), *text_b = sqlite3_column_text(b, i);
        struct bytes in_a = bytes_of(text_a, (size_t)sqlite3_column_bytes(a, i));
        struct bytes in_b = bytes_of(text_b, (size_t)sqlite3_column_bytes(b, i));
        if ((text_a == NULL) != (text_b == NULL) || !bytes_equal(in_a, in_b))
            return false;
    }
    return true;
}

int migrate_compare(struct store *store, const struct migration *list, size_t count)
{
    SCOPED(drop_db) sqlite3 *model = NULL;
    SCOPED(drop_stmt) sqlite3_stmt *wanted = NULL;
    SCOPED(drop_stmt) sqlite3_stmt *found = NULL;
    int rc, rc_model;
    TRY(open_model(store, list, count, &model));
    errno = 0;
    if ((rc = sqlite3_prepare_v2(model, LAYOUT_SQL, -1, &wanted, NULL)) != SQLITE_OK ||
        (rc = sqlite3_prepare_v2(store->db, LAYOUT_SQL, -1, &found, NULL)) != SQLITE_OK)
        return STORE_RAISE(store, rc);
    do {
        rc_model = sqlite3_step(wanted);
        rc = sqlite3_step(found);
    } while (rc == SQLITE_ROW && rc_model == SQLITE_ROW && row_equal(found, wanted));
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return STORE_RAISE(store, rc);
    if (rc_model != SQLITE_ROW && rc_model != SQLITE_DONE)
        return STORE_RAISE(store, rc_model);
    return rc == SQLITE_DONE && rc_model == SQLITE_DONE ? 0 : RAISE(FAULT_CORRUPT);
}

/* One step with its number in one transaction. The application id goes with the first, so that a file is ours or empty.
 */
static int run_step(struct store *store, const struct migration *step, size_t number)
{
    char numbers[MIGRATE_PRAGMA_BYTES];
    int n = snprintf(numbers, sizeof numbers, "PRAGMA application_id=%d; PRAGMA user_version=%zu; COMMIT",
                     STORE_APPLICATION_ID, number);
    assert(n > 0 && (size_t)n < sizeof numbers);
    int x = store_exec(store, "BEGIN IMMEDIATE");
    if (x == 0)
        x = store_exec(store, step->sql);
    if (x == 0)
        x = store_exec(store, numbers);
    if (x < 0)
        store_rollback(store);
    return x;
}

int migrate_run(struct store *store, const struct migration *list, size_t count)
{
    int64_t version;
    TRY(store_query_i64(store, "PRAGMA user_version", &version));
    if (version != 0 && (version < STORE_SCHEMA_FIRST || (uint64_t)version >= STORE_SCHEMA_FIRST + count))
        return RAISE(FAULT_SCHEMA);
    size_t done = version == 0 ? 0 : (size_t)version - STORE_SCHEMA_FIRST + 1;
    TRY(migrate_compare(store, list, done));
    if (done == count)
        return 0;
    for (size_t i = done; i < count; i++)
        TRY(run_step(store, &list[i], STORE_SCHEMA_FIRST + i));
    return migrate_compare(store, list, count);
}
