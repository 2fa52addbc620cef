/*
 * harden - everything that makes an SQLite connection safe on a file an attacker may have written.
 *
 * A hostile database can carry triggers, views and default expressions that run inside our statements, and cells that
 * lie about their size. So: limits and switches first, then the file; the layout is compared with the built-in one
 * (migrate.c); and after that the authorizer lets nothing be compiled but reads and writes of our own tables.
 * Source: sqlite.org/security.html, /c3ref/c_dbconfig_defensive.html, /wal.html (section 5, heap memory wal-index).
 */
#include <string.h>

#include "store/store-internal.h"

enum {
    LIMIT_ROW_BYTES = 16 << 20, /* a batch of the trail is the longest row, TRAIL_BATCH_MAX_BYTES */
    LIMIT_SQL_BYTES = 16 << 10,
};

static const struct {
    int id, value;
} limits[] = {
    {SQLITE_LIMIT_LENGTH, LIMIT_ROW_BYTES},
    {SQLITE_LIMIT_SQL_LENGTH, LIMIT_SQL_BYTES},
    {SQLITE_LIMIT_COLUMN, 32},
    {SQLITE_LIMIT_EXPR_DEPTH, 32},
    {SQLITE_LIMIT_COMPOUND_SELECT, 2},
    {SQLITE_LIMIT_VDBE_OP, 25000},
    {SQLITE_LIMIT_FUNCTION_ARG, 8},
    {SQLITE_LIMIT_ATTACHED, 0},
    {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1},
    {SQLITE_LIMIT_VARIABLE_NUMBER, 24},
    {SQLITE_LIMIT_TRIGGER_DEPTH, 1},
    {SQLITE_LIMIT_WORKER_THREADS, 0},
};

static const struct {
    int id, value;
} switches[] = {
    {SQLITE_DBCONFIG_DEFENSIVE, 1},
    {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
    {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
    {SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0},
    {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
    {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
    {SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0},
    {SQLITE_DBCONFIG_DQS_DML, 0},
    {SQLITE_DBCONFIG_DQS_DDL, 0},
};

/* locking_mode before anything that reads the file, and so opens its log: the index of the log then lives in our
 * memory, and no -shm file is made. page_size works on an empty file only. */
static const char settings[] = "PRAGMA locking_mode=EXCLUSIVE;"
                               "PRAGMA page_size=4096;"
                               "PRAGMA cell_size_check=ON;"
                               "PRAGMA temp_store=MEMORY;"
                               "PRAGMA mmap_size=0;"
                               "PRAGMA secure_delete=ON;"
                               "PRAGMA recursive_triggers=OFF;"
                               "PRAGMA auto_vacuum=NONE;"
                               "PRAGMA cache_size=-2048;"
                               "PRAGMA synchronous=NORMAL;";

/* Our tables are all but SQLite's own, for the layout has been compared. */
static bool is_our_table(const char *table, const char *database, const char *trigger)
{
    return table != NULL && strncmp(table, "sqlite_", strlen("sqlite_")) != 0 && database != NULL &&
           strcmp(database, "main") == 0 && trigger == NULL;
}

static bool is_our_function(const char *name)
{
    return name != NULL && (strcmp(name, "coalesce") == 0 || strcmp(name, "max") == 0);
}

static int authorize(void *arg, int action, const char *a, const char *b, const char *database, const char *trigger)
{
    const struct store *store = arg;
    bool allowed = store->is_setting_up;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_TRANSACTION:
        allowed = true;
        break;
    case SQLITE_READ:
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
        allowed = allowed || is_our_table(a, database, trigger);
        break;
    case SQLITE_FUNCTION:
        allowed = allowed || is_our_function(b);
        break;
    default:
        break;
    }
    return allowed ? SQLITE_OK : SQLITE_DENY;
}

int harden_before(struct store *store)
{
    int keep_log = 1;
    for (size_t i = 0; i < COUNT_OF(limits); i++)
        sqlite3_limit(store->db, limits[i].id, limits[i].value);
    for (size_t i = 0; i < COUNT_OF(switches); i++) {
        int is_set = -1;
        int rc = sqlite3_db_config(store->db, switches[i].id, switches[i].value, &is_set);
        if (rc != SQLITE_OK || is_set != switches[i].value)
            return RAISE(FAULT_INTERNAL);
    }
    store->is_setting_up = true;
    if (sqlite3_set_authorizer(store->db, authorize, store) != SQLITE_OK ||
        sqlite3_file_control(store->db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep_log) != SQLITE_OK || keep_log != 1)
        return RAISE(FAULT_INTERNAL);
    return store_exec(store, settings);
}

/* Runs after each commit that wrote something. */
static int on_commit(void *arg, sqlite3 *db, const char *database, int pages)
{
    struct store *store = arg;
    assert(db == store->db && strcmp(database, "main") == 0 && pages > 0);
    store->wal_pages = (unsigned)pages;
    store->is_unsynced = true;
    return SQLITE_OK;
}

int harden_log(struct store *store)
{
    char mode[8];
    TRY(store_query_text(store, "PRAGMA journal_mode=WAL", mode, sizeof mode));
    if (strcmp(mode, "wal") != 0)
        return RAISE(FAULT_STORE);
    /* the hook takes the place of SQLite's own checkpoint after 1000 pages */
    sqlite3_wal_hook(store->db, on_commit, store);
    return 0;
}

void harden_after(struct store *store)
{
    assert(store->is_setting_up);
    store->is_setting_up = false;
}
