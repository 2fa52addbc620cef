/*
 * snapshot - the database file as a copy of one moment; see store.h.
 *
 * In WAL mode the file itself changes only when the log is folded into it. So once it is folded and folding is put off,
 * the file is a consistent database of that moment, whatever is committed meanwhile. It is read through SQLite's own
 * descriptor: closing another one of the same file would give up the locks of this process.
 * Source: sqlite.org/wal.html section 2.1, /c3ref/c_fcntl_begin_atomic_write.html (FILE_POINTER); fcntl(2).
 */
#include <errno.h>

#include "store/store-internal.h"

/* The database file, open for reading. */
static int find_file(struct store *store, sqlite3_file **ret_file)
{
    sqlite3_file *file = NULL;
    int rc = sqlite3_file_control(store->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (rc != SQLITE_OK || file == NULL || file->pMethods == NULL)
        return RAISE(FAULT_STORE);
    *ret_file = file;
    return 0;
}

int store_hold(struct store *store)
{
    assert(!store->is_held && !store_in_transaction(store));
    store->wal_pages = MAX_OF(store->wal_pages, 1u); /* a killed process may have left a log that is not counted yet */
    TRY(store_checkpoint(store, 0));
    store->is_held = true;
    return 0;
}

void store_release(struct store *store)
{
    store->is_held = false;
}

bool store_is_held(const struct store *store)
{
    return store->is_held;
}

int store_held_bytes(struct store *store, uint64_t *ret_bytes)
{
    sqlite3_file *file;
    sqlite3_int64 size = 0;
    assert(store->is_held);
    TRY(find_file(store, &file));
    errno = 0;
    int rc = file->pMethods->xFileSize(file, &size);
    if (rc != SQLITE_OK)
        return STORE_RAISE(store, rc);
    if (size <= 0 || size % STORE_PAGE_BYTES != 0)
        return RAISE(FAULT_CORRUPT);
    *ret_bytes = (uint64_t)size;
    return 0;
}

int store_held_read(struct store *store, uint64_t offset, uint8_t *ret, size_t n)
{
    sqlite3_file *file;
    assert(store->is_held && n <= INT32_MAX && offset <= INT64_MAX - n);
    TRY(find_file(store, &file));
    errno = 0;
    int rc = file->pMethods->xRead(file, ret, (int)n, (sqlite3_int64)offset);
    return rc != SQLITE_OK ? STORE_RAISE(store, rc) : 0;
}
