/*
 * store-internal - what the files of this folder share, and what their tests look at. No other folder includes it.
 */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include <sqlite3.h>

#include "store/store.h"

struct store_stmt {
    sqlite3_stmt *sql;
    int bind_result; /* first failed bind since the last store_use() */
};

struct store {
    sqlite3 *db;
    struct store_stmt statements[STORE_SQL_COUNT];
    sqlite3_stmt *begin, *commit, *rollback, *save, *keep, *drop;
    int log_fd;          /* of the log, to overwrite it and to see that it is there; -1: none */
    char *log_path;      /* its path, if there is one */
    unsigned wal_pages;  /* length of the log as of the last commit */
    bool is_setting_up;  /* the authorizer lets everything pass */
    bool is_ready;       /* opening succeeded: closing may fold the log */
    bool is_unsynced;    /* the log holds commits that store_sync() has not covered */
    bool is_held;        /* the file stays as it is: the log is not folded */
    bool is_sync_broken; /* a sync failed, or a file is gone: nothing may be written or promised any more */
};

/* store_start - once a process, before anything else of SQLite. 0 or a fault. */
int store_start(void) MUST_USE;

/*
 * store_fault_of - the fault that an extended SQLite result code stands for; notes a failed sync in the store.
 * rc  not SQLITE_OK, SQLITE_ROW or SQLITE_DONE; errno was 0 before the call that returned it
 */
int store_fault_of(struct store *store, int rc);

#define STORE_RAISE(store, rc) RAISE(store_fault_of((store), (rc)))

/* store_exec - run SQL texts that give no row worth reading. Returns 0 or a fault. */
int store_exec(struct store *store, const char *sql) MUST_USE;

/* store_query_i64, store_query_text - first column of the first row of a query; the text is cut to fit. 0 or a fault.
 */
int store_query_i64(struct store *store, const char *sql, int64_t *ret_number) MUST_USE;
int store_query_text(struct store *store, const char *sql, char *ret_text, size_t size) MUST_USE;

/*
 * harden_before - limits, switches and settings that must stand before the first byte of the file is read.
 * Returns 0 or a fault. Installs the authorizer, which lets everything pass until harden_after().
 */
int harden_before(struct store *store) MUST_USE;

/* harden_log - write-ahead log without shared memory, kept on close, folded only when told. Returns 0 or a fault. */
int harden_log(struct store *store) MUST_USE;

/* harden_after - from here on only reads and writes of our tables are compiled. */
void harden_after(struct store *store);

/* statement_prepare_all, statement_finalize_all - the table of prepared statements. The first returns 0 or a fault. */
int statement_prepare_all(struct store *store) MUST_USE;
void statement_finalize_all(struct store *store);

/* Migration 0 makes user_version STORE_SCHEMA_FIRST of an empty file; each other one the next from the one before. */
struct migration {
    const char *sql;
};

extern const struct migration migrations[STORE_SCHEMA_COUNT];

/*
 * migrate_run - run what is missing of the first `count` migrations, each migration in a transaction of its own.
 * Returns 0, FAULT_SCHEMA if it is newer or older than any of them, FAULT_CORRUPT if its layout is not the one its
 * version had, or another fault.
 */
int migrate_run(struct store *store, const struct migration *list, size_t count) MUST_USE;

/* migrate_compare - check that the layout is exactly what the first `count` migrations make. 0, FAULT_CORRUPT, a fault.
 */
int migrate_compare(struct store *store, const struct migration *list, size_t count) MUST_USE;

#endif
