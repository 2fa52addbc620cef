/*
 * store - the SQLite database: opening it hardened, its layout and migrations, and one table of prepared statements.
 *
 * WAL, exclusive locking mode, STRICT tables, DEFENSIVE, trusted_schema off, no extension loading, an authorizer that
 * knows only our tables, temporary data in memory, no mmap. synchronous is NORMAL: a commit reaches the kernel, so that
 * a kill loses nothing; store_sync() makes everything committed so far durable (one fdatasync of the log), which is
 * what FULL would do, but the caller chooses when. The log is kept when the database is closed, so that its blocks are
 * overwritten and not appended. Single-threaded by build option. Source: sqlite.org/wal.html, /security.html, /c3ref.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/bytes.h"
#include "base/fault.h"
#include "store/statements.h"

/* The log is folded into the database beyond so many pages; it is written ahead to that length, 24 bytes a page more.
 */
enum {
    STORE_LOG_PAGES = 4000,
    STORE_PAGE_BYTES = 4096,
    STORE_LOG_BYTES = 32 + STORE_LOG_PAGES * (STORE_PAGE_BYTES + 24)
};

enum {
    STORE_APPLICATION_ID = 0x53524547 /* "SREG" */,
    STORE_SCHEMA_FIRST = 3 /* nothing before it was released */,
    STORE_SCHEMA_COUNT = 1,
    STORE_SCHEMA_VERSION = STORE_SCHEMA_FIRST + STORE_SCHEMA_COUNT - 1
};

enum store_sql {
#define STORE_ENUM_(name, sql) STORE_##name,
    STORE_SQL_LIST(STORE_ENUM_)
#undef STORE_ENUM_
        STORE_SQL_COUNT
};

struct store;
struct store_stmt;

/*
 * store_create - make a new database at `path` (0600), which must not exist, with the current layout.
 * Returns 0 and sets ret_store, -EEXIST, or a fault. Durable when it returns, folder entry included.
 */
int store_create(const char *path, struct store **ret_store) MUST_USE;

/*
 * store_open - open an existing database; runs the migrations it needs, each in its own transaction.
 * The small tables that are read whole at start are checked whole; the layout must be the built-in one to the letter.
 * Links above the file are followed, the file itself may not be one. A file that is refused is left as it is. Returns 0
 * and sets ret_store, STORE_ABSENT, FAULT_CORRUPT (not a database, or its check failed), FAULT_SCHEMA (another
 * application's, or of a layout older or newer than this program knows), FAULT_BUSY (another process holds it),
 * FAULT_FULL, -ELOOP (a link), or another fault.
 */
enum { STORE_ABSENT = 1 };
int store_open(const char *path, struct store **ret_store) MUST_USE;

/* store_close - finalise, checkpoint and close. NULL is allowed; returns NULL. */
struct store *store_close(struct store *store);

/* store_begin, store_commit - a write transaction. A failed commit has been rolled back when it returns. 0 or a fault.
 * The first commit after the log was folded syncs the new head of the log; no other commit waits for the disk. */
int store_begin(struct store *store) MUST_USE;
int store_commit(struct store *store) MUST_USE;

/* store_rollback - undo the open transaction; does nothing without one. */
void store_rollback(struct store *store);

/*
 * store_save - begin a part of the open transaction that can be taken back by itself; parts do not nest.
 * store_keep - it stays. store_drop - it is undone, and the transaction goes on as before it. Return 0 or a fault;
 * after a fault the transaction can only be rolled back.
 */
int store_save(struct store *store) MUST_USE;
int store_keep(struct store *store) MUST_USE;
int store_drop(struct store *store) MUST_USE;

/* store_in_transaction - true between store_begin() and its end (SQLite may end it by itself after a full disk). */
bool store_in_transaction(const struct store *store);

/*
 * store_sync - make all that is committed survive power loss. Returns 0; or FAULT_SYNC: the kernel may have dropped the
 * pages; or FAULT_GONE: the database or its log was removed or replaced. Both are final: the process must stop
 * answering and start again from what is on disk. This store then refuses to begin, sync and fold. One fdatasync, or
 * none if nothing was committed since the last one.
 */
int store_sync(struct store *store) MUST_USE;

/* store_checkpoint - fold the log into the database file when it is longer than `pages`. Not inside a transaction, nor
 * while a statement is in use. What was folded is durable. Returns 0 or a fault. Two syncs and a write a changed page.
 */
int store_checkpoint(struct store *store, unsigned pages) MUST_USE;

/* store_scrub - fold the log, then overwrite it with zeros, so that it holds nothing of rows that were overwritten or
 * deleted (secure_delete sees to the file itself). Not inside a transaction, while a statement is in use, nor while the
 * file is held. Returns 0 or a fault. Writes the whole log: 16 MiB. */
int store_scrub(struct store *store) MUST_USE;

/*
 * store_hold - keep the database file as it is from here on, everything committed so far folded into it, while changes
 * go on in the log: then the file is a consistent copy of this moment, to be read in pieces. Not inside a transaction.
 * Returns 0 or a fault. store_release - end that; does nothing without it. It also ends by itself once the log has
 * STORE_HOLD_PAGES: whoever reads asks store_is_held() before each piece, and takes what he has for worthless if not.
 */
enum { STORE_HOLD_PAGES = 64 << 10 /* 256 MiB */ };
int store_hold(struct store *store) MUST_USE;
void store_release(struct store *store);
bool store_is_held(const struct store *store);

/* store_held_bytes - length of the held file; store_held_read - `n` bytes of it from `offset`, which must lie in it.
 * Return 0 or a fault. */
int store_held_bytes(struct store *store, uint64_t *ret_bytes) MUST_USE;
int store_held_read(struct store *store, uint64_t offset, uint8_t *ret, size_t n) MUST_USE;

/* store_check - SQLite's own integrity check. Returns 0, or FAULT_CORRUPT with the first finding in `why`. O(database).
 */
int store_check(struct store *store, char *why, size_t why_bytes) MUST_USE;

/* store_use - the prepared statement `sql`, reset and without bindings. There is one of each: who calls out to others
 * while rows are left calls store_done() before. O(1). */
struct store_stmt *store_use(struct store *store, enum store_sql sql);

/* store_bind_KIND - bind parameter `i` (from 1). Views must stay valid until the statement is next used. */
void store_bind_i64(struct store_stmt *st, int i, int64_t v);
void store_bind_text(struct store_stmt *st, int i, struct bytes v);
void store_bind_blob(struct store_stmt *st, int i, struct bytes v);
void store_bind_null(struct store_stmt *st, int i);

/* store_step - run to the next row. Returns 0 (done), STORE_ROW, or a fault (a failed bind shows here). */
enum { STORE_ROW = 1 };
int store_step(struct store *store, struct store_stmt *st) MUST_USE;

/* store_run - run a statement that gives no row. Returns 0 or a fault. Resets the statement. */
int store_run(struct store *store, struct store_stmt *st) MUST_USE;

/* store_column_KIND - column `i` (from 0) of the current row; views are valid until the next step or use. A NULL column
 * gives 0 or the empty view. */
int64_t store_column_i64(struct store_stmt *st, int i);
struct bytes store_column_bytes(struct store_stmt *st, int i);
bool store_column_is_null(struct store_stmt *st, int i);

/* store_done - reset a statement that was not stepped to its end, so that it holds no lock or memory. */
void store_done(struct store_stmt *st);

/*
 * store_look - read a database that nobody serves, for a verifier without any key: as it is in the file alone, whatever
 * its log holds, and without writing or locking anything.
 * on_digest  gets the MAC of the newest version row of each path, and of every other row that the state is made of, in
 *            any order; returns 0, or a fault
 * ret_end    behind the newest record that the database holds
 * Returns 0, FAULT_CORRUPT (damaged, or laid out otherwise), FAULT_SCHEMA (of another kind or version), or another
 * fault. O(rows log rows).
 */
enum { STORE_DIGEST_BYTES = 32 };
int store_look(const char *path, int (*on_digest)(struct bytes digest, void *arg), void *arg,
               uint64_t *ret_end) MUST_USE;

#endif
