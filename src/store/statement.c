/*
 * statement - the table of prepared statements: bind, step, column.
 *
 * Each text is compiled once, when the store is opened; a turn only binds and steps. A bind that fails is remembered
 * and shown by the next step, so that a row of binds needs one check.
 */
#include <errno.h>

#include "store/store-internal.h"

static const char *const texts[STORE_SQL_COUNT] = {
#define TEXT_ROW(name, sql) sql,
    STORE_SQL_LIST(TEXT_ROW)
#undef TEXT_ROW
};

static int prepare(struct store *store, const char *sql, sqlite3_stmt **ret_st)
{
    int rc = sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret_st, NULL);
    return rc != SQLITE_OK ? STORE_RAISE(store, rc) : 0;
}

int statement_prepare_all(struct store *store)
{
    for (size_t i = 0; i < STORE_SQL_COUNT; i++)
        TRY(prepare(store, texts[i], &store->statements[i].sql));
    TRY(prepare(store, "BEGIN IMMEDIATE", &store->begin));
    TRY(prepare(store, "COMMIT", &store->commit));
    TRY(prepare(store, "ROLLBACK", &store->rollback));
    TRY(prepare(store, "SAVEPOINT part", &store->save));
    TRY(prepare(store, "RELEASE part", &store->keep));
    return prepare(store, "ROLLBACK TO part", &store->drop);
}

void statement_finalize_all(struct store *store)
{
    for (size_t i = 0; i < STORE_SQL_COUNT; i++)
        sqlite3_finalize(TAKE(store->statements[i].sql));
    sqlite3_finalize(TAKE(store->begin));
    sqlite3_finalize(TAKE(store->commit));
    sqlite3_finalize(TAKE(store->rollback));
    sqlite3_finalize(TAKE(store->save));
    sqlite3_finalize(TAKE(store->keep));
    sqlite3_finalize(TAKE(store->drop));
}

struct store_stmt *store_use(struct store *store, enum store_sql sql)
{
    assert(sql < STORE_SQL_COUNT);
    struct store_stmt *st = &store->statements[sql];
    sqlite3_reset(st->sql);
    sqlite3_clear_bindings(st->sql);
    st->bind_result = SQLITE_OK;
    return st;
}

static void note_bind(struct store_stmt *st, int rc)
{
    if (st->bind_result == SQLITE_OK)
        st->bind_result = rc;
}

void store_bind_i64(struct store_stmt *st, int i, int64_t v)
{
    note_bind(st, sqlite3_bind_int64(st->sql, i, v));
}

/* SQLite takes a NULL pointer for the value NULL, also with length 0: an empty view must point somewhere. */
void store_bind_text(struct store_stmt *st, int i, struct bytes v)
{
    const char *p = v.n > 0 ? (const char *)v.p : "";
    note_bind(st, sqlite3_bind_text64(st->sql, i, p, v.n, SQLITE_STATIC, SQLITE_UTF8));
}

void store_bind_blob(struct store_stmt *st, int i, struct bytes v)
{
    const void *p = v.n > 0 ? (const void *)v.p : "";
    note_bind(st, sqlite3_bind_blob64(st->sql, i, p, v.n, SQLITE_STATIC));
}

void store_bind_null(struct store_stmt *st, int i)
{
    note_bind(st, sqlite3_bind_null(st->sql, i));
}

int store_step(struct store *store, struct store_stmt *st)
{
    errno = 0;
    int rc = st->bind_result != SQLITE_OK ? st->bind_result : sqlite3_step(st->sql);
    if (rc == SQLITE_ROW)
        return STORE_ROW;
    int x = rc == SQLITE_DONE ? 0 : STORE_RAISE(store, rc);
    sqlite3_reset(st->sql);
    return x;
}

int store_run(struct store *store, struct store_stmt *st)
{
    int x = store_step(store, st);
    assert(x != STORE_ROW);
    return x;
}

int64_t store_column_i64(struct store_stmt *st, int i)
{
    return sqlite3_column_int64(st->sql, i);
}

struct bytes store_column_bytes(struct store_stmt *st, int i)
{
    const void *p = sqlite3_column_blob(st->sql, i); /* first: it decides the form whose length is asked for */
    int n = sqlite3_column_bytes(st->sql, i);
    return p != NULL ? bytes_of(p, (size_t)n) : BYTES_NONE;
}

bool store_column_is_null(struct store_stmt *st, int i)
{
    return sqlite3_column_type(st->sql, i) == SQLITE_NULL;
}

void store_done(struct store_stmt *st)
{
    sqlite3_reset(st->sql);
}
