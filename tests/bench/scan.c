/*
 * scan - the bare cost of listing a folder out of SQLite: names, types and versions of its rows, in order of name.
 *
 * In process, one prepared statement, all pages in memory. Two layouts: "table" is one B-tree in the wanted order, the
 * least that a service which lists by query could do; "store" is the layout of src/store/statements.h with the index
 * that listing by query would want: an entry row, and its current version in a second table. Every column is read, and
 * the rows are counted.
 */
#include "bench.h"

#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

struct layout {
    const char *name, *make, *fill, *fill_more, *scan; /* fill: ?1 id, ?2 path, ?3 value, ?4 mac */
};

static const struct layout layouts[] = {
    {"table",
     "CREATE TABLE entry(path TEXT PRIMARY KEY, type INTEGER NOT NULL, version INTEGER NOT NULL, value BLOB NOT NULL)"
     " STRICT, WITHOUT ROWID",
     "INSERT INTO entry SELECT ?2, 1, 1, ?3 WHERE ?1 >= 0 AND ?4 IS NOT NULL", NULL,
     "SELECT path, type, version FROM entry WHERE path > ?1 AND path < ?2 ORDER BY path"},
    {"store",
     "CREATE TABLE entry(id INTEGER PRIMARY KEY, path TEXT NOT NULL, version INTEGER NOT NULL, created_us INTEGER NOT "
     "NULL,"
     " created_by INTEGER NOT NULL, comment TEXT NOT NULL, mac BLOB NOT NULL) STRICT;"
     "CREATE TABLE version(entry INTEGER NOT NULL, version INTEGER NOT NULL, type INTEGER NOT NULL,"
     " flags INTEGER NOT NULL, changed_us INTEGER NOT NULL, changed_by INTEGER NOT NULL, revision INTEGER NOT NULL,"
     " reason TEXT NOT NULL, body BLOB NOT NULL, mac BLOB NOT NULL, PRIMARY KEY(entry, version)) STRICT, WITHOUT ROWID;"
     "CREATE UNIQUE INDEX entry_path ON entry(path, version)",
     "INSERT INTO entry SELECT ?1, ?2, 1, 1750000000000000, 0, '', ?4 WHERE ?3 IS NOT NULL",
     "INSERT INTO version SELECT ?1, 1, 1, 0, 1750000000000000, 0, ?1, '', ?3, ?4 WHERE ?2 IS NOT NULL",
     "SELECT e.path, v.type, v.version FROM entry e JOIN version v ON v.entry = e.id AND v.version = e.version"
     " WHERE e.path > ?1 AND e.path < ?2 ORDER BY e.path"}};

static const char *path, *layout_name = "table";
static uint64_t rows = 1000, window_ms = 1000;
static const struct bench_option options[] = {{"file", NULL, &path},
                                              {"layout", NULL, &layout_name},
                                              {"rows", &rows, NULL},
                                              {"window-ms", &window_ms, NULL},
                                              {NULL, NULL, NULL}};
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

static sqlite3_stmt *prepare(const char *sql)
{
    sqlite3_stmt *s;
    check(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) == SQLITE_OK);
    return s;
}

static void fill(const char *sql)
{
    char name[64];
    uint8_t value[64] = {'v'}, mac[32] = {'m'};
    sqlite3_stmt *s = prepare(sql);
    for (uint64_t i = 0; i < rows; i++) {
        int n = snprintf(name, sizeof name, "/registry/applications/list/k%09llu", (unsigned long long)i);
        check(sqlite3_bind_int64(s, 1, (sqlite3_int64)i) == SQLITE_OK);
        check(sqlite3_bind_text(s, 2, name, n, SQLITE_STATIC) == SQLITE_OK);
        check(sqlite3_bind_blob(s, 3, value, sizeof value, SQLITE_STATIC) == SQLITE_OK);
        check(sqlite3_bind_blob(s, 4, mac, sizeof mac, SQLITE_STATIC) == SQLITE_OK);
        check(sqlite3_step(s) == SQLITE_DONE && sqlite3_reset(s) == SQLITE_OK);
    }
    sqlite3_finalize(s);
}

static const struct layout *make(void)
{
    const struct layout *l = &layouts[strcmp(layout_name, "store") == 0];
    if (strcmp(layout_name, l->name) != 0)
        bench_fail("no such layout: %s", layout_name);
    run("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; BEGIN");
    run(l->make);
    fill(l->fill);
    if (l->fill_more != NULL)
        fill(l->fill_more);
    run("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
    return l;
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
    check(r == SQLITE_DONE && sqlite3_reset(s) == SQLITE_OK && count == rows);
    return sum;
}

int main(int argc, char **argv)
{
    static struct bench_meter meter;
    bench_options(argc, argv, options);
    bench_die_with_parent();
    if (path == NULL || sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
        bench_fail("wants a --file it can open");
    sqlite3_stmt *s = prepare(make()->scan);
    check(sqlite3_bind_text(s, 1, "/registry/applications/list/", -1, SQLITE_STATIC) == SQLITE_OK);
    check(sqlite3_bind_text(s, 2, "/registry/applications/list0", -1, SQLITE_STATIC) == SQLITE_OK);
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
