/*
 * acts-library - what the libraries behind the roles do, under the filter that the roles have: a commit of SQLite, a
 * digest and a derivation of OpenSSL, locked memory of libsodium, sorting and printing of libc.
 */
#include "probe.h"

#include <errno.h>
#include <openssl/evp.h>
#include <signal.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

static int run_sql(sqlite3 *db, const char *sql)
{
    char *why = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &why) == SQLITE_OK)
        return 0;
    fprintf(stderr, "# %s: %s\n", sql, why);
    return EIO;
}

/* The way the store opens its database: WAL, exclusive locking, synchronous. */
static int commit(void)
{
    static const char *const steps[] = {
        "PRAGMA locking_mode=EXCLUSIVE",
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "PRAGMA temp_store=MEMORY",
        "CREATE TABLE IF NOT EXISTS t(a INTEGER PRIMARY KEY, b BLOB) STRICT",
        "BEGIN IMMEDIATE",
        "INSERT INTO t(b) SELECT randomblob(3000) FROM (VALUES(1),(2),(3),(4),(5),(6),(7),(8))",
        "COMMIT",
        "SELECT a FROM t ORDER BY b",
        "DELETE FROM t",
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "PRAGMA quick_check",
        "VACUUM",
    };
    char path[512];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/probe.db", acts_place(CONFINE_STATE));
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
        return EACCES;
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        if (run_sql(db, steps[i]) != 0)
            return i == 0 ? EACCES : EIO;
    }
    return sqlite3_close(db) == SQLITE_OK ? 0 : EIO;
}

static int digest(void)
{
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned n;
    if (EVP_Digest("secreg", 6, out, &n, EVP_sha256(), NULL) != 1 || n != 32)
        return EIO;
    return PKCS5_PBKDF2_HMAC("secreg", 6, out, 16, 1000, EVP_sha256(), 32, out) == 1 ? 0 : EIO;
}

static bool start_sodium(void)
{
    return sodium_init() >= 0;
}

static int lock_secret(void)
{
    unsigned char *p = sodium_malloc(32);
    if (p == NULL)
        return errno;
    randombytes_buf(p, 32);
    int r = sodium_mprotect_noaccess(p) == 0 && sodium_mprotect_readonly(p) == 0 ? 0 : EIO;
    sodium_free(p);
    return r;
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(int));
}

/* Large enough that glibc asks for the size of memory before it sorts, and that malloc maps. */
static int use_libc(void)
{
    enum { COUNT = 100000 };
    int *numbers = calloc(COUNT, sizeof *numbers);
    char text[64];
    struct tm tm;
    time_t now = time(NULL);
    if (numbers == NULL || (numbers = realloc(numbers, 2 * COUNT * sizeof *numbers)) == NULL)
        return ENOMEM;
    for (int i = 0; i < COUNT; i++)
        numbers[i] = i * 7919 % COUNT;
    qsort(numbers, COUNT, sizeof *numbers, compare);
    free(numbers);
    if (gmtime_r(&now, &tm) == NULL || localtime_r(&now, &tm) == NULL || strftime(text, sizeof text, "# %F", &tm) == 0)
        return EIO;
    return fprintf(stderr, "%s\n", text) > 0 && dprintf(2, "#\n") > 0 ? 0 : EIO;
}

// clang-format off
static const struct act library_acts[] = {
    {"commit to a database in the state", SYS_openat, {0}, commit, NULL,
     {false, GROUP_READ | GROUP_WRITE | GROUP_UNLINK,
      CONFINE_READ | CONFINE_WRITE | CONFINE_CREATE | CONFINE_REMOVE, CONFINE_STATE, NULL, false},
     EACCES, EACCES, 1},
    {"digest and derive", -1, {0}, digest, NULL, {false, GROUP_BASE, 0, CONFINE_PLACES_COUNT, NULL, false}, ENDED, 0, 0},
    {"lock a secret", -1, {0}, lock_secret, start_sodium, {false, GROUP_BASE, 0, CONFINE_PLACES_COUNT, NULL, false}, ENDED, 0, 0},
    {"sort, print, tell the time", -1, {0}, use_libc, NULL, {false, GROUP_BASE, 0, CONFINE_PLACES_COUNT, NULL, false}, ENDED, 0, 0},
};
// clang-format on

const struct act *acts_library_at(size_t i)
{
    return i < COUNT_OF(library_acts) ? &library_acts[i] : NULL;
}
