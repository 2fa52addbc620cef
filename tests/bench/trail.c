/*
 * trail - what one record costs the trail, and what its parts cost bare. The only load program that uses the house: it
 * is the trail that is measured, without a daemon around it.
 *
 * what   append: records made, hashed, chained and stored in the log, 64 to a turn, as a turn of reads does it; synced
 *        when the reserved numbers run out.
 *        bare: SHA-256 of the same bytes, and their insertion into an SQLite table, 64 to a transaction.
 *        fill: so many records appended, and the log closed.
 *        prove: proofs for records all over the log of a folder that was filled, which is opened for it; each is
 * written as text, with a signed head. hash: the bytes of the log in a folder read and hashed once, as one stream; they
 * hold so many records.
 */
#include "bench.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <sqlite3.h>

#include "trail/proof.h"
#include "trail/trail.h"

enum { TURN_COUNT = 64, BUFFER_BYTES = 128 << 10, PROOFS_COUNT = 200, PAGE_COUNT = 100, RARE_UID = 77 };

static const char *what = "append", *folder;
static uint64_t records = 0, window_ms = 1000, warm_ms = 50;
static const struct bench_option options[] = {{"what", NULL, &what},           {"folder", NULL, &folder},
                                              {"records", &records, NULL},     {"warm-ms", &warm_ms, NULL},
                                              {"window-ms", &window_ms, NULL}, {NULL, NULL, NULL}};

static void must(bool is_true, const char *why)
{
    if (!is_true)
        bench_fail("%s: %s", folder, why);
}

/* A record of a read, as the daemon leaves it; one in a million is somebody else's. */
static struct record make(uint64_t i)
{
    static char path[64];
    int n = snprintf(path, sizeof path, "/registry/applications/bench/k%09llu", (unsigned long long)(i % 1000));
    return (struct record){.wall_us = 1790000000000000 + (int64_t)i,
                           .mono_us = 9000000000 + (int64_t)i,
                           .kind = RECORD_GET,
                           .request = i * 7919,
                           .uid = i % 1000003 == 500000 ? RARE_UID : 0,
                           .pid = 4711,
                           .unit = BYTES_LITERAL("bench.service"),
                           .path = bytes_of(path, (size_t)n),
                           .version_before = 1,
                           .version_after = 1,
                           .rule = 1,
                           .revision = i / 8,
                           .prev = {.n = RECORD_HASH_BYTES}};
}

/* ---- the trail ------------------------------------------------------------------------------------------- */

static struct epoch_seed seed; /* of the trail */

static struct trail *open_trail(struct store **ret_store)
{
    char db[512], log[512];
    struct trail *trail = NULL;
    snprintf(db, sizeof db, "%s/registry.db", folder);
    snprintf(log, sizeof log, "%s/trail", folder);
    must(crypt_start() >= 0 && store_create(db, ret_store) == 0 && trail_make(log, &seed) == 0 &&
             trail_open(*ret_store, log, TRAIL_RESERVE_COUNT, &trail) == 0,
         "no trail can be made there");
    return trail;
}

static void append_turn(struct trail *trail, uint64_t first)
{
    for (uint64_t i = first; i < first + TURN_COUNT; i++) {
        struct record r = make(i);
        must(trail_append(trail, &r) == 0, "a record is not taken");
    }
    must(trail_flush(trail, BYTES_NONE, false) == 0, "a turn is not taken");
    trail_settle(trail, true);
    must(!trail_wants_sync(trail) || trail_sync(trail) == 0, "it cannot be synced");
}

static struct trail *open_filled(struct store **ret_store)
{
    char db[512], log[512];
    struct trail *trail = NULL;
    snprintf(db, sizeof db, "%s/registry.db", folder);
    snprintf(log, sizeof log, "%s/trail", folder);
    must(crypt_start() >= 0 && store_open(db, ret_store) == 0 &&
             trail_open(*ret_store, log, TRAIL_RESERVE_COUNT, &trail) == 0,
         "it cannot be opened");
    return trail;
}

/* ---- the parts ------------------------------------------------------------------------------------------- */

struct bare {
    EVP_MD_CTX *hash;
    sqlite3 *db;
    sqlite3_stmt *insert;
    struct buf bytes;
};

static void run(struct bare *b, const char *sql)
{
    must(sqlite3_exec(b->db, sql, NULL, NULL, NULL) == SQLITE_OK, sql);
}

static void open_bare(struct bare *b)
{
    char db[512];
    snprintf(db, sizeof db, "%s/bare.db", folder);
    buf_init(&b->bytes, RECORD_MAX_BYTES);
    b->hash = EVP_MD_CTX_new();
    must(sqlite3_open(db, &b->db) == SQLITE_OK && EVP_DigestInit_ex2(b->hash, EVP_sha256(), NULL) == 1, "no database");
    run(b, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; CREATE TABLE record(seq INTEGER PRIMARY KEY, hash BLOB "
           "NOT NULL, bytes BLOB NOT NULL) STRICT");
    must(sqlite3_prepare_v3(b->db, "INSERT INTO record VALUES(?1, ?2, ?3)", -1, SQLITE_PREPARE_PERSISTENT, &b->insert,
                            NULL) == SQLITE_OK,
         "no statement");
}

static void insert(struct bare *b, uint64_t i)
{
    uint8_t hash[32];
    struct bytes v = buf_view(&b->bytes);
    must(EVP_DigestInit_ex2(b->hash, NULL, NULL) == 1 && EVP_DigestUpdate(b->hash, v.p, v.n) == 1 &&
             EVP_DigestFinal_ex(b->hash, hash, NULL) == 1,
         "no hash");
    must(sqlite3_bind_int64(b->insert, 1, (sqlite3_int64)i) == SQLITE_OK &&
             sqlite3_bind_blob(b->insert, 2, hash, sizeof hash, SQLITE_STATIC) == SQLITE_OK &&
             sqlite3_bind_blob(b->insert, 3, v.p, (int)v.n, SQLITE_STATIC) == SQLITE_OK &&
             sqlite3_step(b->insert) == SQLITE_DONE && sqlite3_reset(b->insert) == SQLITE_OK,
         "no insertion");
}

/* The bytes are there before the clock starts: making them is no part of what is bare. */
static void bare_turn(struct bare *b, uint64_t first)
{
    if (first == 0) {
        struct record r = make(0);
        must(record_encode(&b->bytes, &r) == 0, "no record");
    }
    run(b, "BEGIN");
    for (uint64_t i = first; i < first + TURN_COUNT; i++)
        insert(b, i);
    run(b, "COMMIT");
}

/* ---- hashing once ---------------------------------------------------------------------------------------- */

static void hash_file(EVP_MD_CTX *hash, int at, const char *name)
{
    static uint8_t p[BUFFER_BYTES];
    ssize_t n;
    int fd = openat(at, name, O_RDONLY | O_CLOEXEC);
    must(fd >= 0, name);
    while ((n = read(fd, p, sizeof p)) > 0)
        must(EVP_DigestUpdate(hash, p, (size_t)n) == 1, "no hash");
    must(n == 0, name);
    close(fd);
}

static void hash_folder(void)
{
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    DIR *d = opendir(folder);
    must(d != NULL && EVP_DigestInit_ex2(hash, EVP_sha256(), NULL) == 1, "no folder");
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        if (strstr(e->d_name, ".log") != NULL)
            hash_file(hash, dirfd(d), e->d_name);
    }
    closedir(d);
    EVP_MD_CTX_free(hash);
}

/* ---- proofs ---------------------------------------------------------------------------------------------- */

struct signer {
    struct secret seed;
    struct checkpoint_key key;
    struct buf note, text;
};

static void open_signer(struct signer *s)
{
    static const uint8_t bytes[SIGN_SEED_BYTES] = {1};
    must(secret_init_copy(&s->seed, bytes_of(bytes, sizeof bytes)) == 0 &&
             checkpoint_key_of("secreg/0123456789abcdef0123456789abcdef", &s->seed, &s->key) == 0,
         "no key");
    buf_init(&s->note, CHECKPOINT_NOTE_MAX_BYTES);
    buf_init(&s->text, PROOF_MAX_BYTES);
}

/* Returns the bytes of the text. */
static size_t prove(struct trail *trail, struct signer *s, uint64_t seq)
{
    static struct proof p;
    struct trail_head head;
    buf_clear(&s->note);
    buf_clear(&s->text);
    p.at = seq;
    must(trail_prove(trail, seq, &p.hashes, &p.record) == 0 && trail_head(trail, &head) == 0, "no proof");
    struct checkpoint c = {.size = head.size};
    memcpy(c.root, head.root, sizeof c.root);
    must(checkpoint_write(&s->note, &c, &s->key, &s->seed) == 0, "no signature");
    p.note = buf_view(&s->note);
    must(proof_write(&s->text, &p) == 0, "no text");
    return buf_size(&s->text);
}

static void prove_all(void)
{
    struct store *store = NULL;
    struct trail *trail = open_filled(&store);
    struct signer s;
    uint64_t first_ns = 0, worst_ns = 0, sum_ns = 0;
    size_t bytes = 0;
    open_signer(&s);
    uint64_t size = trail_size(trail);
    for (uint64_t i = 0; i < PROOFS_COUNT; i++) {
        uint64_t seq = (i * 0x9e3779b97f4a7c15u) % size, start_ns = bench_now_ns();
        size_t n = prove(trail, &s, seq);
        uint64_t took_ns = bench_now_ns() - start_ns;
        first_ns = i == 0 ? took_ns : first_ns;
        worst_ns = i > 0 && took_ns > worst_ns ? took_ns : worst_ns;
        sum_ns += took_ns;
        bytes = n > bytes ? n : bytes;
    }
    printf("{\"first_ms\":%.3f,\"worst_ms\":%.3f,\"mean_ms\":%.3f,\"bytes\":%zu,\"records\":%llu}\n",
           (double)first_ns / 1e6, (double)worst_ns / 1e6, (double)sum_ns / 1e6 / PROOFS_COUNT, bytes,
           (unsigned long long)size);
    trail_close(trail);
    store_close(store);
}

/* ---- queries --------------------------------------------------------------------------------------------- */

struct page {
    const struct trail_filter *filter;
    size_t count, looked;
};

static int take(uint64_t seq, struct bytes record, void *arg)
{
    struct page *p = arg;
    struct record r;
    const struct trail_filter *f = p->filter;
    (void)seq;
    must(record_decode(record, &r), "a record is not canonical");
    p->looked++;
    p->count += (!f->has_uid || r.uid == f->uid) && (f->rule == 0 || r.rule == f->rule) &&
                (f->path.n == 0 || bytes_equal(r.path, f->path)) && (f->since_us == 0 || r.wall_us >= f->since_us) &&
                (f->until_us == 0 || r.wall_us < f->until_us);
    return p->count == PAGE_COUNT ? TRAIL_ENOUGH : 0;
}

/* The newest page of an answer, or all of it if it is less; in milliseconds. */
static double ask(struct trail *trail, const struct trail_filter *filter, struct page *ret_page)
{
    struct trail_query q = {.filter = *filter, .on_record = take, .arg = ret_page};
    *ret_page = (struct page){.filter = filter};
    uint64_t start_ns = bench_now_ns(), at = UINT64_MAX;
    do {
        must(trail_query(trail, at, true, &q) == 0, "it cannot be asked");
        at = q.last - 1;
    } while (!q.ends && ret_page->count < PAGE_COUNT);
    return (double)(bench_now_ns() - start_ns) / 1e6;
}

static void query_all(void)
{
    struct store *store = NULL;
    struct trail *trail = open_filled(&store);
    int64_t middle = 1790000000000000 + (int64_t)trail_size(trail) / 2;
    const struct {
        const char *name;
        struct trail_filter filter;
    } asked[] = {{"nothing", {.rule = 99}},
                 {"nothing_again", {.rule = 99}},
                 {"user", {.has_uid = true, .uid = RARE_UID}},
                 {"path", {.path = BYTES_LITERAL("/registry/applications/bench/k000000500")}},
                 {"time", {.since_us = middle, .until_us = middle + 50}}};
    for (size_t i = 0; i < COUNT_OF(asked); i++) {
        struct page page;
        double ms = ask(trail, &asked[i].filter, &page);
        printf("%s\"%s_ms\":%.3f,\"%s_found\":%zu,\"%s_looked\":%zu", i == 0 ? "{" : ",", asked[i].name, ms,
               asked[i].name, page.count, asked[i].name, page.looked);
    }
    printf(",\"records\":%llu}\n", (unsigned long long)trail_size(trail));
    trail_close(trail);
    store_close(store);
}

/* ---- the window ------------------------------------------------------------------------------------------ */

static void measure(void)
{
    static struct bench_meter meter;
    struct bare bare = {0};
    struct store *store = NULL;
    bool is_append = strcmp(what, "append") == 0;
    struct trail *trail = is_append ? open_trail(&store) : NULL;
    if (!is_append)
        open_bare(&bare);
    bench_meter_init(&meter, warm_ms, window_ms, 10, "");
    uint64_t before_ns = bench_now_ns();
    bool is_going = true;
    for (uint64_t first = 0; is_going; first += TURN_COUNT) {
        if (is_append)
            append_turn(trail, first);
        else
            bare_turn(&bare, first);
        uint64_t now_ns = bench_now_ns();
        for (int i = 0; i < TURN_COUNT; i++)
            is_going = bench_meter_add(&meter, now_ns, (now_ns - before_ns) / TURN_COUNT) && is_going;
        before_ns = now_ns;
    }
    trail_close(trail);
    store_close(store);
    bench_meter_print(&meter);
}

/* One operation for each record, all at the end. */
static void print_rate(uint64_t took_ns)
{
    double seconds = (double)took_ns / 1e9, rate = (double)records / seconds;
    printf("{\"ops\":%llu,\"seconds\":%.4f,\"rate\":%.1f,\"slice90\":%.1f,\"p50_us\":%.3f,\"p99_us\":%.3f,"
           "\"client_cpu_us\":0,\"server_cpu_us\":0,\"cpu_rate\":%.1f}\n",
           (unsigned long long)records, seconds, rate, rate, 1e6 / rate, 1e6 / rate, rate);
}

int main(int argc, char **argv)
{
    bench_options(argc, argv, options);
    bench_die_with_parent();
    if (folder == NULL)
        bench_fail("wants a --folder");
    uint64_t start_ns = bench_now_ns();
    if (strcmp(what, "fill") == 0) {
        struct store *store = NULL;
        struct trail *trail = open_trail(&store);
        for (uint64_t i = 0; i < records; i += TURN_COUNT)
            append_turn(trail, i);
        trail_close(trail);
        store_close(store);
        print_rate(bench_now_ns() - start_ns);
    } else if (strcmp(what, "hash") == 0) {
        hash_folder();
        print_rate(bench_now_ns() - start_ns);
    } else if (strcmp(what, "prove") == 0) {
        prove_all();
    } else if (strcmp(what, "query") == 0) {
        query_all();
    } else if (strcmp(what, "append") == 0 || strcmp(what, "bare") == 0) {
        measure();
    } else {
        bench_fail("there is no --what %s", what);
    }
    return 0;
}
