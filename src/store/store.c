/*
 * store - see store.h: opening and closing, transactions, durability.
 *
 * Invariant: what store_commit() answered 0 for is in the log file, and after the store_sync() that follows on the
 * platter. A failed sync is final, because the kernel may have thrown away what it could not write and reports it once
 * only ("fsyncgate"): from then on nothing is written, and closing does not fold the log.
 * Source: sqlite.org/wal.html, /pragma.html#pragma_synchronous; fsync(2).
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/file.h"
#include "store/store-internal.h"

enum { PATH_MAX_BYTES = 500 /* SQLite's own limit is 512, with the suffix of the log */, SUFFIX_MAX_BYTES = 9 };

/* Where a database is: its folder, held open, and its path without any link, because SQLite follows none. */
struct place {
    int folder;
    const char *name;
    char path[PATH_MAX_BYTES + 1];
};

SCOPED_DROP(drop_store, struct store, store_close)

/* Once a process, before anything else of SQLite: no mutexes and no allocation counters. */
int store_start(void)
{
    static bool is_started;
    if (is_started)
        return 0;
    if (sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) != SQLITE_OK ||
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) != SQLITE_OK)
        return RAISE(FAULT_INTERNAL);
    int rc = sqlite3_initialize();
    if (rc != SQLITE_OK)
        return RAISE(rc == SQLITE_NOMEM ? -ENOMEM : FAULT_INTERNAL);
    is_started = true;
    return 0;
}

static int io_fault_of(struct store *store, int rc)
{
    if (rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC) {
        store->is_sync_broken = true;
        return FAULT_SYNC;
    }
    if (rc == SQLITE_IOERR_NOMEM)
        return -ENOMEM;
    if (rc == SQLITE_IOERR_SHORT_READ || rc == SQLITE_IOERR_CORRUPTFS || rc == SQLITE_IOERR_DATA)
        return FAULT_CORRUPT;
    /* not sqlite3_system_errno(): 3.40 does not set it when a COMMIT fails, and then shows an older one */
    return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? FAULT_FULL : FAULT_STORE;
}

int store_fault_of(struct store *store, int rc)
{
    assert(rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE);
    switch (rc & 0xff) {
    case SQLITE_FULL:
        return FAULT_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return FAULT_CORRUPT;
    case SQLITE_BUSY:
        return FAULT_BUSY;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_IOERR:
        return io_fault_of(store, rc);
    default:
        return FAULT_STORE;
    }
}

int store_exec(struct store *store, const char *sql)
{
    errno = 0;
    int rc = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    return rc != SQLITE_OK ? STORE_RAISE(store, rc) : 0;
}

/* Compiles a query and steps to its first row, which must exist. */
static int query(struct store *store, const char *sql, sqlite3_stmt **ret_st)
{
    sqlite3_stmt *st = NULL;
    errno = 0;
    int rc = sqlite3_prepare_v2(store->db, sql, -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        *ret_st = st;
        return 0;
    }
    int x = rc == SQLITE_DONE ? RAISE(FAULT_INTERNAL) : STORE_RAISE(store, rc);
    sqlite3_finalize(st);
    return x;
}

int store_query_i64(struct store *store, const char *sql, int64_t *ret_number)
{
    sqlite3_stmt *st;
    TRY(query(store, sql, &st));
    *ret_number = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return 0;
}

int store_query_text(struct store *store, const char *sql, char *ret_text, size_t size)
{
    sqlite3_stmt *st;
    TRY(query(store, sql, &st));
    const char *text = (const char *)sqlite3_column_text(st, 0);
    bool has_text = text != NULL;
    if (has_text)
        (void)snprintf(ret_text, size, "%s", text);
    sqlite3_finalize(st);
    return has_text ? 0 : RAISE(-ENOMEM);
}

static void drop_place(struct place *at)
{
    file_drop_fd(&at->folder);
}

/* Returns 0, STORE_ABSENT (no such folder) or a fault. */
static int find_place(const char *path, struct place *ret_at)
{
    char folder[PATH_MAX_BYTES + 1], real[PATH_MAX];
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    size_t n = slash == path ? 1 : (size_t)(name - path);
    if (name[0] == '\0')
        return RAISE(-EISDIR);
    if (n >= sizeof folder)
        return RAISE(-ENAMETOOLONG);
    (void)snprintf(folder, sizeof folder, "%.*s", n > 0 ? (int)n : 1, n > 0 ? path : ".");
    int x = file_open_folder(folder, &ret_at->folder);
    if (x != 0)
        return x == FILE_ABSENT ? STORE_ABSENT : x;
    if (realpath(folder, real) == NULL)
        return RAISE(-errno);
    int used = snprintf(ret_at->path, sizeof ret_at->path, "%s/%s", strcmp(real, "/") == 0 ? "" : real, name);
    if (used < 0 || (size_t)used >= sizeof ret_at->path)
        return RAISE(-ENAMETOOLONG);
    ret_at->name = ret_at->path + used - strlen(name);
    return 0;
}

/* A connection with its defences up, before the file is read. */
static int connect_file(const struct place *at, struct store **ret_store)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOFOLLOW;
    SCOPED(drop_store) struct store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return RAISE(-ENOMEM);
    store->log_fd = -1;
    errno = 0;
    int rc = sqlite3_open_v2(at->path, &store->db, flags, NULL);
    if (rc != SQLITE_OK)
        return STORE_RAISE(store, rc);
    if (sqlite3_db_readonly(store->db, "main") != 0)
        return RAISE(-EACCES);
    TRY(harden_before(store));
    *ret_store = TAKE(store);
    return 0;
}

/* The second half of opening, when the layout is known to be ours. A log that a killed process left behind may never
 * have been synced: the first store_sync() covers it. */
static int make_ready(struct store *store)
{
    store->is_unsynced = true;
    TRY(statement_prepare_all(store));
    harden_after(store);
    store->is_ready = true;
    return 0;
}

/* Nothing is half made: the layout is one transaction, and a file that did not get it is removed again. */
static int fill(const struct place *at, struct store **ret_store)
{
    SCOPED(drop_store) struct store *store = NULL;
    TRY(connect_file(at, &store));
    TRY(harden_log(store));
    TRY(migrate_run(store, migrations, COUNT_OF(migrations)));
    TRY(make_ready(store));
    TRY(store_checkpoint(store, 0));
    TRY(file_sync_folder(at->folder));
    *ret_store = TAKE(store);
    return 0;
}

static void remove_files(const struct place *at)
{
    static const char *const suffixes[] = {"", "-wal", "-journal"};
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        char name[PATH_MAX_BYTES + 1 + SUFFIX_MAX_BYTES];
        (void)snprintf(name, sizeof name, "%s%s", at->name, suffixes[i]);
        (void)unlinkat(at->folder, name, 0);
    }
}

int store_create(const char *path, struct store **ret_store)
{
    SCOPED(drop_place) struct place at = {.folder = -1};
    int fd;
    TRY(store_start());
    int x = find_place(path, &at);
    if (x != 0)
        return x < 0 ? x : RAISE(-ENOENT);
    x = file_open(at.folder, at.name, O_RDWR | O_CREAT | O_EXCL, 0600, &fd);
    if (x != 0)
        return x < 0 ? x : RAISE(-ENOENT);
    file_drop_fd(&fd); /* before SQLite locks the file: closing any descriptor of it gives up all locks of a process */
    x = fill(&at, ret_store);
    if (x < 0)
        remove_files(&at);
    return x;
}

/*
 * Writes the log full of zeros up to the length it will have: overwriting written blocks is 1.4 to 2 times cheaper to
 * make durable than growing a file. SQLite takes zeros for the end of the log. A full disk is no fault: then the log
 * grows.
 */
static int write_zeros(int fd, off_t from, off_t to)
{
    static const uint8_t zeros[65536];
    while (from < to) {
        ssize_t n = pwrite(fd, zeros, (size_t)MIN_OF((off_t)sizeof zeros, to - from), from);
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        from += n;
    }
    return 0;
}

static int write_log_ahead(const struct place *at, int *ret_fd, char **ret_path)
{
    char path[PATH_MAX_BYTES + 1 + SUFFIX_MAX_BYTES];
    const char *name = path + (at->name - at->path);
    SCOPED(file_drop_fd) int fd = -1;
    struct stat st;
    (void)snprintf(path, sizeof path, "%s-wal", at->path);
    int x = file_open(at->folder, name, O_RDWR | O_CREAT, 0600, &fd);
    if (x != 0)
        return x < 0 ? x : RAISE(-ENOENT);
    if (fstat(fd, &st) < 0)
        return RAISE(-errno);
    if (write_zeros(fd, st.st_size, STORE_LOG_BYTES) < 0) {
        if (ftruncate(fd, st.st_size) < 0)
            return RAISE(-errno);
    } else if (st.st_size < STORE_LOG_BYTES && fdatasync(fd) < 0) {
        return RAISE(FAULT_SYNC);
    }
    *ret_path = strdup(path);
    if (*ret_path == NULL)
        return RAISE(-ENOMEM);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* Not open(2): see store_create(). Returns 0, STORE_ABSENT or a fault. */
static int look_at(const struct place *at)
{
    struct stat st;
    if (fstatat(at->folder, at->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? STORE_ABSENT : RAISE(-errno);
    if (S_ISLNK(st.st_mode))
        return RAISE(-ELOOP);
    return S_ISREG(st.st_mode) ? 0 : RAISE(-EINVAL);
}

/* The small tables that are read whole at every start are checked whole; the others by store_check(), and by their
 * hashes. */
static int check_small_tables(struct store *store)
{
    static const char *const checks[] = {"PRAGMA quick_check('meta')",     "PRAGMA quick_check('slot')",
                                         "PRAGMA quick_check('rule')",     "PRAGMA quick_check('role')",
                                         "PRAGMA quick_check('approval')", "PRAGMA quick_check('schema')"};
    for (size_t i = 0; i < COUNT_OF(checks); i++) {
        char answer[4];
        TRY(store_query_text(store, checks[i], answer, sizeof answer));
        if (strcmp(answer, "ok") != 0)
            return RAISE(FAULT_CORRUPT);
    }
    return 0;
}

int store_open(const char *path, struct store **ret_store)
{
    SCOPED(drop_place) struct place at = {.folder = -1};
    SCOPED(drop_store) struct store *store = NULL;
    SCOPED(file_drop_fd) int log_fd = -1;
    int64_t application, version;
    TRY(store_start());
    int x = find_place(path, &at);
    if (x == 0)
        x = look_at(&at);
    if (x != 0)
        return x;
    char *log_path;
    TRY(write_log_ahead(&at, &log_fd, &log_path));
    x = connect_file(&at, &store);
    if (x < 0) {
        free(log_path);
        return x;
    }
    store->log_fd = TAKE_FD(log_fd);
    store->log_path = log_path;
    TRY(store_query_i64(store, "PRAGMA application_id", &application));
    TRY(store_query_i64(store, "PRAGMA user_version", &version));
    if (application != STORE_APPLICATION_ID || version < 1)
        return RAISE(FAULT_SCHEMA);
    TRY(harden_log(store));
    TRY(migrate_run(store, migrations, COUNT_OF(migrations)));
    TRY(check_small_tables(store));
    TRY(make_ready(store));
    *ret_store = TAKE(store);
    return 0;
}

struct store *store_close(struct store *store)
{
    if (store == NULL)
        return NULL;
    store_rollback(store);
    statement_finalize_all(store);
    /* a file that was refused, or whose sync failed, stays exactly as it is */
    if (store->db != NULL && (!store->is_ready || store->is_sync_broken))
        (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    int rc = sqlite3_close(store->db);
    assert(rc == SQLITE_OK);
    file_drop_fd(&store->log_fd);
    free(store->log_path);
    free(store);
    return NULL;
}

static int run_once(struct store *store, sqlite3_stmt *st)
{
    errno = 0;
    int rc = sqlite3_step(st);
    int x = rc == SQLITE_DONE ? 0 : STORE_RAISE(store, rc);
    sqlite3_reset(st);
    return x;
}

int store_begin(struct store *store)
{
    assert(!store_in_transaction(store));
    if (store->is_sync_broken)
        return RAISE(FAULT_SYNC);
    return run_once(store, store->begin);
}

int store_commit(struct store *store)
{
    int x = run_once(store, store->commit);
    if (x < 0)
        store_rollback(store);
    return x;
}

void store_rollback(struct store *store)
{
    if (!store_in_transaction(store))
        return;
    if (store->rollback == NULL || sqlite3_step(store->rollback) != SQLITE_DONE)
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_reset(store->rollback);
    assert(!store_in_transaction(store));
}

int store_save(struct store *store)
{
    assert(store_in_transaction(store));
    return run_once(store, store->save);
}

int store_keep(struct store *store)
{
    return run_once(store, store->keep);
}

int store_drop(struct store *store)
{
    TRY(run_once(store, store->drop));
    return run_once(store, store->keep);
}

bool store_in_transaction(const struct store *store)
{
    return store->db != NULL && sqlite3_get_autocommit(store->db) == 0;
}

/* Both files are still where they were opened: what is written elsewhere, nobody will find. */
static int check_files(struct store *store)
{
    int is_moved = 0;
    int rc = sqlite3_file_control(store->db, "main", SQLITE_FCNTL_HAS_MOVED, &is_moved);
    if ((rc != SQLITE_OK && rc != SQLITE_NOTFOUND) || is_moved != 0)
        return RAISE(FAULT_GONE);
    return store->log_fd >= 0 ? file_check(AT_FDCWD, store->log_path, store->log_fd) : 0;
}

int store_sync(struct store *store)
{
    sqlite3_file *log = NULL;
    if (store->is_sync_broken)
        return RAISE(FAULT_SYNC);
    if (!store->is_unsynced)
        return 0;
    int rc = sqlite3_file_control(store->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (rc == SQLITE_OK && log != NULL && log->pMethods != NULL)
        rc = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
    else
        rc = SQLITE_IOERR_FSYNC;
    int x = rc == SQLITE_OK ? check_files(store) : RAISE(FAULT_SYNC);
    store->is_sync_broken = x < 0;
    store->is_unsynced = x < 0;
    return x;
}

static int fold(struct store *store)
{
    int in_log = 0, folded = 0;
    assert(!store_in_transaction(store) && !store->is_held);
    if (store->is_sync_broken)
        return RAISE(FAULT_SYNC);
    errno = 0;
    int rc = sqlite3_wal_checkpoint_v2(store->db, "main", SQLITE_CHECKPOINT_PASSIVE, &in_log, &folded);
    if (rc != SQLITE_OK)
        return STORE_RAISE(store, rc);
    assert(folded == in_log); /* no one else reads this database */
    store->wal_pages = 0;
    store->is_unsynced = false; /* the log was synced before it was folded, the file after */
    return 0;
}

int store_checkpoint(struct store *store, unsigned pages)
{
    assert(!store_in_transaction(store));
    if (store->is_sync_broken)
        return RAISE(FAULT_SYNC);
    if (store->is_held && store->wal_pages > STORE_HOLD_PAGES)
        store_release(store);
    return store->wal_pages > pages && !store->is_held ? fold(store) : 0;
}

/*
 * Folded whatever its length: pages of a log that was found when the store was opened count as not folded, and closing
 * would write them, zeros by then, over the file. Once all of it is folded nobody reads the log: the next transaction
 * reads the file, and the next commit begins the log anew with a head of its own. A kill in between leaves a log that
 * SQLite takes for empty.
 */
int store_scrub(struct store *store)
{
    struct stat st;
    assert(!store->is_held);
    TRY(fold(store));
    if (store->log_fd < 0)
        return 0; /* just created: it never held another store's rows */
    if (fstat(store->log_fd, &st) < 0)
        return RAISE(-errno);
    int x = write_zeros(store->log_fd, 0, st.st_size);
    if (x == 0 && fdatasync(store->log_fd) < 0) {
        store->is_sync_broken = true;
        return RAISE(FAULT_SYNC);
    }
    return x < 0 ? RAISE(x) : 0;
}

int store_check(struct store *store, char *why, size_t why_bytes)
{
    assert(why_bytes > sizeof "ok");
    store->is_setting_up = true;
    int x = store_query_text(store, "PRAGMA integrity_check(1)", why, why_bytes);
    store->is_setting_up = false;
    if (x == FAULT_CORRUPT)
        (void)snprintf(why, why_bytes, "%s", sqlite3_errmsg(store->db));
    TRY(x);
    return strcmp(why, "ok") == 0 ? 0 : RAISE(FAULT_CORRUPT);
}
