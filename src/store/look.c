/* look - a database that nobody serves, read without a lock, a log or a trace; see store.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store-internal.h"

enum { URI_MAX_BYTES = 4096 };

SCOPED_DROP(drop_store, struct store, store_close)

/* "file:" and the path with whatever means something in a URI escaped; immutable: no lock, and no log is read. */
static bool make_uri(const char *path, char ret[static URI_MAX_BYTES])
{
    size_t at = (size_t)snprintf(ret, URI_MAX_BYTES, "file:");
    for (const char *p = path; *p != '\0'; p++) {
        bool is_plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '/' ||
                        *p == '-' || *p == '_' || *p == '.';
        if (at + 32 > URI_MAX_BYTES)
            return false;
        at += (size_t)snprintf(ret + at, URI_MAX_BYTES - at, is_plain ? "%c" : "%%%02X",
                               is_plain ? *p : (int)(unsigned char)*p);
    }
    (void)snprintf(ret + at, URI_MAX_BYTES - at, "?immutable=1");
    return true;
}

/* Rows of one query, the first column of each a digest. */
static int each(struct store *store, const char *sql, int (*on_digest)(struct bytes digest, void *arg), void *arg)
{
    sqlite3_stmt *st = NULL;
    errno = 0;
    int rc = sqlite3_prepare_v2(store->db, sql, -1, &st, NULL), x = 0;
    while (rc == SQLITE_OK && x == 0 && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct bytes digest = {sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0)};
        x = digest.n == STORE_DIGEST_BYTES ? on_digest(digest, arg) : RAISE(FAULT_CORRUPT);
        rc = SQLITE_OK;
    }
    if (x == 0 && rc != SQLITE_DONE)
        x = STORE_RAISE(store, rc);
    sqlite3_finalize(st);
    return x;
}

static int look(struct store *store, int (*on_digest)(struct bytes digest, void *arg), void *arg, uint64_t *ret_end)
{
    static const char *const queries[] = {"SELECT mac, max(id) FROM version GROUP BY path",
                                          "SELECT mac FROM rule",
                                          "SELECT mac FROM role",
                                          "SELECT mac FROM approval",
                                          "SELECT mac FROM schema",
                                          "SELECT mac FROM slot"};
    int64_t application, version, end;
    TRY(store_query_i64(store, "PRAGMA application_id", &application));
    TRY(store_query_i64(store, "PRAGMA user_version", &version));
    if (application != STORE_APPLICATION_ID)
        return RAISE(FAULT_SCHEMA);
    TRY(migrate_compare(store, migrations, COUNT_OF(migrations)));
    harden_after(store);
    for (size_t i = 0; i < COUNT_OF(queries); i++)
        TRY(each(store, queries[i], on_digest, arg));
    TRY(store_query_i64(store, "SELECT coalesce(max(first + count), 0) FROM turn", &end));
    *ret_end = (uint64_t)end;
    return end >= 0 ? 0 : RAISE(FAULT_CORRUPT);
}

int store_look(const char *path, int (*on_digest)(struct bytes digest, void *arg), void *arg, uint64_t *ret_end)
{
    char uri[URI_MAX_BYTES];
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    TRY(store_start());
    if (!make_uri(path, uri))
        return RAISE(-ENAMETOOLONG);
    SCOPED(drop_store) struct store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return RAISE(-ENOMEM);
    store->log_fd = -1;
    errno = 0;
    int rc = sqlite3_open_v2(uri, &store->db, flags, NULL);
    if (rc != SQLITE_OK)
        return STORE_RAISE(store, rc);
    TRY(harden_before(store));
    return look(store, on_digest, arg, ret_end);
}
