/* Faults of the disk and of memory, and how often the disk is asked to sync: a file system of the test stands between
 * SQLite and the real one, counts calls and fails the n-th. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "test-folder.h"

static struct {
    unsigned writes, syncs, log_syncs;
    int write_left, write_result, write_errno; /* fail the write after `write_left` more; -1: never */
    int sync_left;
} disk;

struct shim_file {
    sqlite3_file base;
    const sqlite3_io_methods *real;
    bool is_log;
    uint64_t below[]; /* the real file; SQLite aligns to 8 */
};

static sqlite3_vfs *real_vfs, shim_vfs;

static struct shim_file *shim_of(sqlite3_file *f)
{
    return (struct shim_file *)(void *)f;
}

static sqlite3_file *below(sqlite3_file *f)
{
    return (sqlite3_file *)(void *)shim_of(f)->below;
}

static bool is_due(int *left)
{
    if (*left < 0)
        return false;
    return (*left)-- == 0;
}

static int shim_close(sqlite3_file *f)
{
    return shim_of(f)->real->xClose(below(f));
}

static int shim_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    return shim_of(f)->real->xRead(below(f), p, n, at);
}

static int shim_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    disk.writes++;
    if (is_due(&disk.write_left)) {
        disk.write_left = 0; /* and all that follow */
        errno = disk.write_errno;
        return disk.write_result;
    }
    return shim_of(f)->real->xWrite(below(f), p, n, at);
}

static int shim_truncate(sqlite3_file *f, sqlite3_int64 n)
{
    return shim_of(f)->real->xTruncate(below(f), n);
}

static int shim_sync(sqlite3_file *f, int flags)
{
    disk.syncs++;
    disk.log_syncs += shim_of(f)->is_log;
    if (is_due(&disk.sync_left)) {
        errno = EIO;
        return SQLITE_IOERR_FSYNC;
    }
    return shim_of(f)->real->xSync(below(f), flags);
}

static int shim_size(sqlite3_file *f, sqlite3_int64 *ret)
{
    return shim_of(f)->real->xFileSize(below(f), ret);
}

static int shim_lock(sqlite3_file *f, int level)
{
    return shim_of(f)->real->xLock(below(f), level);
}

static int shim_unlock(sqlite3_file *f, int level)
{
    return shim_of(f)->real->xUnlock(below(f), level);
}

static int shim_is_locked(sqlite3_file *f, int *ret)
{
    return shim_of(f)->real->xCheckReservedLock(below(f), ret);
}

static int shim_control(sqlite3_file *f, int op, void *arg)
{
    return shim_of(f)->real->xFileControl(below(f), op, arg);
}

static int shim_sector(sqlite3_file *f)
{
    return shim_of(f)->real->xSectorSize(below(f));
}

static int shim_device(sqlite3_file *f)
{
    return shim_of(f)->real->xDeviceCharacteristics(below(f));
}

/* No shared-memory calls (version 1): a log that wanted a -shm file would not even open. */
static const sqlite3_io_methods shim_methods = {
    .iVersion = 1,
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_is_locked,
    .xFileControl = shim_control,
    .xSectorSize = shim_sector,
    .xDeviceCharacteristics = shim_device,
};

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
    (void)vfs;
    int rc = real_vfs->xOpen(real_vfs, name, below(f), flags, ret_flags);
    shim_of(f)->real = below(f)->pMethods;
    shim_of(f)->is_log = (flags & SQLITE_OPEN_WAL) != 0;
    f->pMethods = rc == SQLITE_OK ? &shim_methods : NULL;
    return rc;
}

/* SQLite's memory: counted down by the same failure switch as ours. */
static int memory_left = -1;
static bool memory_refused;
static sqlite3_mem_methods real_memory;

static void *memory_get(int n)
{
    if (is_due(&memory_left)) {
        memory_left = 0;
        memory_refused = true;
        return NULL;
    }
    return real_memory.xMalloc(n);
}

static void *memory_resize(void *p, int n)
{
    if (is_due(&memory_left)) {
        memory_left = 0;
        memory_refused = true;
        return NULL;
    }
    return real_memory.xRealloc(p, n);
}

static int group_start(void **state)
{
    (void)state;
    sqlite3_mem_methods memory;
    struct store *s = NULL;
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory) != SQLITE_OK)
        return -1;
    memory = real_memory;
    memory.xMalloc = memory_get;
    memory.xRealloc = memory_resize;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &memory) != SQLITE_OK)
        return -1;
    if (store_open("/secreg-no-such.db", &s) != STORE_ABSENT) /* starts SQLite the way the store does */
        return -1;
    real_vfs = sqlite3_vfs_find(NULL);
    shim_vfs = *real_vfs;
    shim_vfs.zName = "shim";
    shim_vfs.szOsFile = (int)sizeof(struct shim_file) + real_vfs->szOsFile;
    shim_vfs.xOpen = shim_open;
    return sqlite3_vfs_register(&shim_vfs, 1) == SQLITE_OK ? 0 : -1;
}

static void disk_reset(void)
{
    memset(&disk, 0, sizeof disk);
    disk.write_left = disk.sync_left = -1;
}

static int setup(void **state)
{
    disk_reset();
    return test_folder_make(state);
}

static int teardown(void **state)
{
    disk_reset();
    return test_folder_remove(state);
}

static void fail_writes(int after, int result, int cause)
{
    disk.write_left = after;
    disk.write_result = result;
    disk.write_errno = cause;
}

static void test_sync_counts(void **state)
{
    const struct test_folder *f = *state;
    struct store *s;
    assert_int_equal(store_create(f->db, &s), 0);
    assert_true(disk.log_syncs >= 1 && disk.syncs > disk.log_syncs);
    assert_int_equal(test_put(s, "first", "the log begins again: its new head is synced"), 0);
    disk_reset();
    for (int i = 0; i < 20; i++)
        assert_int_equal(test_put(s, "a", i % 2 ? "x" : "y"), 0);
    assert_int_equal(disk.syncs, 0);
    assert_true(disk.writes >= 20);
    assert_int_equal(store_sync(s), 0);
    assert_int_equal(disk.syncs, 1);
    assert_int_equal(disk.log_syncs, 1);
    assert_int_equal(store_sync(s), 0);
    assert_int_equal(disk.syncs, 1);
    /* a transaction that changes nothing writes nothing */
    disk_reset();
    assert_int_equal(store_begin(s), 0);
    assert_true(test_has(s, "a", "x"));
    assert_int_equal(store_commit(s), 0);
    assert_int_equal(store_sync(s), 0);
    assert_int_equal(disk.writes + disk.syncs, 0);
    store_close(s);
    /* what an earlier process left in the log may never have been synced */
    assert_int_equal(store_open(f->db, &s), 0);
    disk_reset();
    assert_int_equal(store_sync(s), 0);
    assert_int_equal(disk.log_syncs, 1);
    store_close(s);
}

static void test_checkpoint(void **state)
{
    const struct test_folder *f = *state;
    struct store *s;
    assert_int_equal(store_create(f->db, &s), 0);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 40; i++)
            assert_int_equal(test_put(s, "a", i % 2 ? "x" : "y"), 0);
        assert_int_equal(store_checkpoint(s, 1000), 0);
        disk_reset();
        assert_int_equal(store_checkpoint(s, 39), 0);
        assert_int_equal(disk.log_syncs, 1);
        assert_int_equal(disk.syncs, 2);
        assert_int_equal(store_sync(s), 0); /* folded is durable */
        assert_int_equal(store_checkpoint(s, 0), 0);
        assert_int_equal(disk.syncs, 2);
    }
    assert_true(test_file_size(f->log) < 45 * (4096 + 24)); /* the log is written over, not on */
    store_close(s);
    assert_int_equal(unlink(f->log), 0);
    assert_int_equal(store_open(f->db, &s), 0);
    assert_true(test_has(s, "a", "x"));
    store_close(s);
}

/* Each write of a transaction fails in turn; the row is there whole or not at all, and the store works again after. */
static void fail_each_write(const struct test_folder *f, int result, int cause, int wanted)
{
    struct store *s;
    char value[32];
    assert_int_equal(store_create(f->db, &s), 0);
    assert_int_equal(test_put(s, "a", "old"), 0);
    for (int n = 0;; n++) {
        (void)snprintf(value, sizeof value, "value %d", n);
        fail_writes(n, result, cause);
        int x = test_put(s, "a", value);
        disk_reset();
        assert_false(store_in_transaction(s));
        if (x == 0) {
            assert_true(n > 0);
            assert_true(test_has(s, "a", value));
            break;
        }
        assert_int_equal(x, wanted);
        assert_true(test_has(s, "a", "old"));
    }
    assert_int_equal(store_sync(s), 0);
    store_close(s);
    assert_int_equal(store_open(f->db, &s), 0);
    assert_true(test_has(s, "a", value));
    store_close(s);
    assert_int_equal(unlink(f->db), 0);
    assert_int_equal(unlink(f->log), 0);
}

static void test_disk_full(void **state)
{
    fail_each_write(*state, SQLITE_FULL, ENOSPC, FAULT_FULL);
    fail_each_write(*state, SQLITE_IOERR_WRITE, ENOSPC, FAULT_FULL);
    fail_each_write(*state, SQLITE_IOERR_WRITE, EDQUOT, FAULT_FULL);
    fail_each_write(*state, SQLITE_IOERR_WRITE, EFBIG, FAULT_FULL);
    fail_each_write(*state, SQLITE_IOERR_WRITE, EIO, FAULT_STORE);
    fail_each_write(*state, SQLITE_IOERR_CORRUPTFS, EIO, FAULT_CORRUPT);
    fail_each_write(*state, SQLITE_IOERR_NOMEM, 0, -ENOMEM);
}

/* A transaction larger than the page cache meets the full disk before its commit: SQLite ends it by itself or the
 * caller rolls it back, and store_in_transaction() tells which. */
static void test_full_in_the_middle(void **state)
{
    const struct test_folder *f = *state;
    static uint8_t big[100000];
    struct store *s;
    int x = 0;
    assert_int_equal(store_create(f->db, &s), 0);
    assert_int_equal(store_begin(s), 0);
    fail_writes(100, SQLITE_FULL, ENOSPC);
    for (int i = 0; x == 0 && i < 100; i++) {
        struct store_stmt *st = test_slot(s, i + 1);
        store_bind_blob(st, TEST_SLOT_BODY, BYTES_OF(big));
        x = store_run(s, st);
    }
    assert_int_equal(x, FAULT_FULL);
    if (!store_in_transaction(s))
        assert_int_equal(store_commit(s), FAULT_STORE);
    store_rollback(s);
    disk_reset();
    struct store_stmt *st = store_use(s, STORE_SLOT_EACH);
    assert_int_equal(store_step(s, st), 0);
    assert_int_equal(test_put(s, "a", "works again"), 0);
    store_close(s);
}

static void test_sync_fails(void **state)
{
    const struct test_folder *f = *state;
    struct store *s;
    assert_int_equal(store_create(f->db, &s), 0);
    assert_int_equal(test_put(s, "a", "answered"), 0);
    disk.sync_left = 0;
    assert_int_equal(store_sync(s), FAULT_SYNC);
    disk_reset();
    /* final: no later sync may pretend that all is well, and nothing more is written, on closing neither */
    assert_int_equal(store_sync(s), FAULT_SYNC);
    assert_int_equal(store_begin(s), FAULT_SYNC);
    assert_int_equal(store_checkpoint(s, 0), FAULT_SYNC);
    assert_true(test_has(s, "a", "answered"));
    store_close(s);
    assert_int_equal(disk.writes + disk.syncs, 0);
    assert_int_equal(store_open(f->db, &s), 0);
    assert_true(test_has(s, "a", "answered"));
    store_close(s);
}

/* The head of a log that begins again is synced inside a commit. */
static void test_sync_fails_in_commit(void **state)
{
    const struct test_folder *f = *state;
    struct store *s;
    assert_int_equal(store_create(f->db, &s), 0);
    disk.sync_left = 0;
    assert_int_equal(test_put(s, "a", "b"), FAULT_SYNC);
    assert_false(store_in_transaction(s));
    disk_reset();
    assert_int_equal(store_begin(s), FAULT_SYNC);
    assert_int_equal(store_sync(s), FAULT_SYNC);
    store_close(s);
    assert_int_equal(store_open(f->db, &s), 0);
    assert_false(test_has(s, "a", "b"));
    assert_int_equal(test_put(s, "a", "b"), 0);
    disk.sync_left = 1;
    assert_int_equal(store_checkpoint(s, 0), FAULT_SYNC);
    disk_reset();
    assert_int_equal(store_sync(s), FAULT_SYNC);
    store_close(s);
}

static void test_create_fails(void **state)
{
    const struct test_folder *f = *state;
    struct store *s = NULL;
    for (int n = 0;; n++) {
        fail_writes(n, SQLITE_FULL, ENOSPC);
        int x = store_create(f->db, &s);
        disk_reset();
        if (x == 0)
            break;
        assert_int_equal(x, FAULT_FULL);
        assert_null(s);
        assert_int_equal(test_file_size(f->db), -1);
        assert_int_equal(test_file_size(f->log), -1);
    }
    s = store_close(s);
    assert_int_equal(unlink(f->db), 0);
    assert_int_equal(unlink(f->log), 0);
    for (int n = 0;; n++) {
        disk.sync_left = n;
        int x = store_create(f->db, &s);
        disk_reset();
        if (x == 0)
            break;
        assert_int_equal(x, FAULT_SYNC);
        assert_int_equal(test_file_size(f->db), -1);
    }
    store_close(s);
}

/* All of a life, with one allocation of SQLite failing: -ENOMEM or done, never half. */
static int live(const struct test_folder *f)
{
    struct store *s = NULL;
    char why[100];
    int x = store_open(f->db, &s);
    if (x == 0)
        x = test_put(s, "a", "new");
    if (x == 0)
        x = store_check(s, why, sizeof why);
    if (x == 0)
        x = store_checkpoint(s, 0);
    store_close(s);
    return x;
}

static void test_no_memory(void **state)
{
    const struct test_folder *f = *state;
    struct store *s;
    unsigned failures = 0;
    assert_int_equal(store_create(f->db, &s), 0);
    assert_int_equal(test_put(s, "a", "old"), 0);
    store_close(s);
    for (int n = 0; n < 20000; n += n < 300 ? 1 : 7) {
        memory_refused = false;
        memory_left = n;
        int x = live(f);
        memory_left = -1;
        if (!memory_refused) {
            assert_int_equal(x, 0);
            break;
        }
        failures += x != 0;
        assert_true(x == 0 || x == -ENOMEM);
    }
    assert_true(failures > 50);
    assert_int_equal(store_open(f->db, &s), 0);
    assert_true(test_has(s, "a", "new"));
    store_close(s);
}

static void test_fault_numbers(void **state)
{
    static const struct {
        int rc, fault;
    } map[] = {
        {SQLITE_FULL, FAULT_FULL},
        {SQLITE_CORRUPT, FAULT_CORRUPT},
        {SQLITE_CORRUPT_INDEX, FAULT_CORRUPT},
        {SQLITE_NOTADB, FAULT_CORRUPT},
        {SQLITE_IOERR_SHORT_READ, FAULT_CORRUPT},
        {SQLITE_IOERR_DATA, FAULT_CORRUPT},
        {SQLITE_BUSY, FAULT_BUSY},
        {SQLITE_BUSY_RECOVERY, FAULT_BUSY},
        {SQLITE_NOMEM, -ENOMEM},
        {SQLITE_CONSTRAINT_PRIMARYKEY, FAULT_STORE},
        {SQLITE_READONLY, FAULT_STORE},
        {SQLITE_IOERR_DIR_FSYNC, FAULT_SYNC},
    };
    const struct test_folder *f = *state;
    struct store *s;
    assert_int_equal(store_create(f->db, &s), 0);
    for (size_t i = 0; i < COUNT_OF(map); i++) {
        assert_false(s->is_sync_broken);
        assert_int_equal(store_fault_of(s, map[i].rc), map[i].fault);
    }
    assert_true(s->is_sync_broken);
    store_close(s);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_sync_counts),        T(test_checkpoint), T(test_disk_full),
        T(test_full_in_the_middle), T(test_sync_fails), T(test_sync_fails_in_commit),
        T(test_create_fails),       T(test_no_memory),  T(test_fault_numbers),
    };
    return cmocka_run_group_tests(tests, group_start, NULL);
}
