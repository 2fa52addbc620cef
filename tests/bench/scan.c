/*
 * scan - the bare cost of listing a folder out of SQLite: names, types and versions of its rows, in order of name.
 *
 * In process, one prepared statement, one B-tree in the wanted order, all pages in memory: the least that a service
 * which lists by query could do. Every column is read, and the rows are counted.
 */
#include "bench.h"

#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

static const char *path;
static uint64_t rows = 1000, window_ms = 1000;
static const struct bench_option options[] = {
    {"file", NULL, &path}, {"rows", &rows, NULL}, {"window-ms", &window_ms, NULL}, {NULL, NULL, NULL}};

static sqlite3 *db;

static void run(const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        bench_fail("%s: %s", path, sqlite3_errmsg(db));
}

static sqlite3_stmt *prepare(const char *sql)
{
    sqlite3_stmt *s;
    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) != SQLITE_OK)
        bench_fail("%s: %s", path, sqlite3_errmsg(db));
    return s;
}

static void fill(void)
{
    char name[64];
    uint8_t value[64];
    memset(value, 'v', sizeof value);
    run("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
        "CREATE TABLE entry(path TEXT PRIMARY KEY, type INTEGER NOT NULL, version INTEGER NOT NULL, value BLOB NOT "
        "NULL)"
        " STRICT, WITHOUT ROWID; BEGIN");
    sqlite3_stmt *s = prepare("INSERT INTO entry VALUES(?1, 1, 1, ?2)");
    for (uint64_t i = 0; i < rows; i++) {
        int n = snprintf(name, sizeof name, "/registry/applications/list/k%09llu", (unsigned long long)i);
        if (sqlite3_bind_text(s, 1, name, n, SQLITE_STATIC) != SQLITE_OK ||
            sqlite3_bind_blob(s, 2, value, sizeof value, SQLITE_STATIC) != SQLITE_OK ||
            sqlite3_step(s) != SQLITE_DONE || sqlite3_reset(s) != SQLITE_OK)
            bench_fail("%s: %s", path, sqlite3_errmsg(db));
    }
    sqlite3_finalize(s);
    run("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
}

/* All rows once; what was read is added up, so that it has to be read. */
static uint64_t scan(sqlite3_stmt *s)
{
    uint64_t count = 0, sum = 0;
    int r;
    while ((r = sqlite3_step(s)) == SQLITE_ROW) {
        const unsigned char *name = sqlite3_column_text(s, 0);
        sum += (uint64_t)sqlite3_column_bytes(s, 0) + name[0];
        sum += (uint64_t)sqlite3_column_int64(s, 1) + (uint64_t)sqlite3_column_int64(s, 2);
        count++;
    }
    if (r != SQLITE_DONE || sqlite3_reset(s) != SQLITE_OK || count != rows)
        bench_fail("%s: a scan of %llu rows: %s", path, (unsigned long long)count, sqlite3_errmsg(db));
    return sum;
}

int main(int argc, char **argv)
{
    static struct bench_meter meter;
    bench_options(argc, argv, options);
    bench_die_with_parent();
    if (path == NULL || sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
        bench_fail("wants a --file it can open");
    fill();
    sqlite3_stmt *s = prepare("SELECT path, type, version FROM entry WHERE path > '/registry/applications/list/'"
                              " AND path < '/registry/applications/list0' ORDER BY path LIMIT 1000000");
    bench_meter_init(&meter, 50, window_ms, 10, "");
    uint64_t before_ns = bench_now_ns(), now_ns, sum = scan(s);
    bool is_going = true;
    while (is_going) {
        if (scan(s) != sum)
            bench_fail("%s: two scans differ", path);
        now_ns = bench_now_ns();
        is_going = bench_meter_add(&meter, now_ns, now_ns - before_ns);
        before_ns = now_ns;
    }
    sqlite3_finalize(s);
    sqlite3_close(db);
    bench_meter_print(&meter);
    return 0;
}
