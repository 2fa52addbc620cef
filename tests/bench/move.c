/*
 * move - the bare cost of moving a subtree in SQLite: one UPDATE that gives all its rows another path, committed and
 * made durable; then back again.
 *
 * In process, one prepared statement. The rows are those that secregd keeps of an entry, column by column, in one
 * B-tree by path, as a registry without history would have them: the path of a row is its key, so that a move takes it
 * out of one place and puts it into another. With --small 1 they hold path, type, version and value alone. Every UPDATE
 * has to change as many rows as there are.
 */
#include "bench.h"

#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

static const char *path;
static uint64_t rows = 10000, window_ms = 1000, warm_ms = 50, small = 0;
static const struct bench_option options[] = {{"file", NULL, &path},           {"rows", &rows, NULL},
                                              {"small", &small, NULL},         {"warm-ms", &warm_ms, NULL},
                                              {"window-ms", &window_ms, NULL}, {NULL, NULL, NULL}};
static sqlite3 *db;

static void check(bool is_good)
{
    if (!is_good)
        bench_fail("%s: %s", path, sqlite3_errmsg(db));
}

static void run(const char *sql)
{
    check(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
}

static void fill(void)
{
    char name[64];
    uint8_t value[64] = {'v'};
    sqlite3_stmt *s;
    check(sqlite3_prepare_v2(db,
                             small != 0
                                 ? "INSERT INTO entry(path, type, version, body) VALUES(?1, 1, 1, ?2)"
                                 : "INSERT INTO entry VALUES(?1, 100000, 90000, 80000, 3, 1, 0, 1790000000000000,"
                                   " 1000, 1790000000000000, 1000, 4000, 0, '', '', '', zeroblob(32), ?2)",
                             -1, &s, NULL) == SQLITE_OK);
    for (uint64_t i = 0; i < rows; i++) {
        int n = snprintf(name, sizeof name, "/registry/applications/mova/k%09llu", (unsigned long long)i);
        check(sqlite3_bind_text(s, 1, name, n, SQLITE_STATIC) == SQLITE_OK);
        check(sqlite3_bind_blob(s, 2, value, sizeof value, SQLITE_STATIC) == SQLITE_OK);
        check(sqlite3_step(s) == SQLITE_DONE && sqlite3_reset(s) == SQLITE_OK);
    }
    sqlite3_finalize(s);
}

static void move(sqlite3_stmt *s, bool is_back)
{
    static const char *const folders[] = {"/registry/applications/mova/", "/registry/applications/movb/"};
    static const char *const ends[] = {"/registry/applications/mova0", "/registry/applications/movb0"};
    check(sqlite3_bind_text(s, 1, folders[!is_back], -1, SQLITE_STATIC) == SQLITE_OK);
    check(sqlite3_bind_text(s, 2, folders[is_back], -1, SQLITE_STATIC) == SQLITE_OK);
    check(sqlite3_bind_text(s, 3, ends[is_back], -1, SQLITE_STATIC) == SQLITE_OK);
    check(sqlite3_step(s) == SQLITE_DONE && sqlite3_reset(s) == SQLITE_OK);
    if ((uint64_t)sqlite3_changes(db) != rows)
        bench_fail("%s: %d rows were moved", path, sqlite3_changes(db));
}

int main(int argc, char **argv)
{
    static struct bench_meter meter;
    sqlite3_stmt *s;
    bench_options(argc, argv, options);
    bench_die_with_parent();
    if (path == NULL || sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
        bench_fail("wants a --file it can open");
    run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; BEGIN");
    run(small != 0 ? "CREATE TABLE entry(path TEXT PRIMARY KEY, type INTEGER NOT NULL, version INTEGER NOT NULL,"
                     " body BLOB NOT NULL) STRICT, WITHOUT ROWID"
                   : "CREATE TABLE entry(path TEXT PRIMARY KEY, id INTEGER NOT NULL, previous INTEGER NOT NULL,"
                     " entry INTEGER NOT NULL, version INTEGER NOT NULL, type INTEGER NOT NULL, flags INTEGER NOT NULL,"
                     " created_us INTEGER NOT NULL, created_by INTEGER NOT NULL, changed_us INTEGER NOT NULL,"
                     " changed_by INTEGER NOT NULL, revision INTEGER NOT NULL, expires_us INTEGER NOT NULL,"
                     " reason TEXT NOT NULL, comment TEXT NOT NULL, tags TEXT NOT NULL, mac BLOB NOT NULL,"
                     " body BLOB NOT NULL) STRICT, WITHOUT ROWID");
    fill();
    run("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
    check(sqlite3_prepare_v3(db,
                             "UPDATE entry SET path = ?1 || substr(path, length(?2) + 1) WHERE path > ?2 AND path < ?3",
                             -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) == SQLITE_OK);
    bench_meter_init(&meter, warm_ms, window_ms, 10, "");
    uint64_t before_ns = bench_now_ns(), now_ns;
    bool is_going = true;
    for (bool is_back = false; is_going || is_back; is_back = !is_back) {
        move(s, is_back);
        now_ns = bench_now_ns();
        is_going = bench_meter_add(&meter, now_ns, now_ns - before_ns) && is_going;
        before_ns = now_ns;
    }
    sqlite3_finalize(s);
    sqlite3_close(db);
    bench_meter_print(&meter);
    return 0;
}
