/*
 * fuzz-trail - rows of turn as an attacker with write access to the file could leave them.
 *
 * Input: rows of u8 first, u8 count, u8 kind, u16 length and that many bytes, of which `kind` says what they are:
 * frames as they stand (0), a frontier beside no frames (1), or `count` good records of this chain, each framed, of
 * which the bytes are laid over by exclusive or (2). Invariants: opening never accepts what trail_check would not; what
 * opens is read in both directions as the same records with consecutive numbers; nothing is read twice.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trail/trail-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CHAIN_COUNT = 48, SEEN_MAX = 2048, FRAMES_MAX_BYTES = 64 << 10 };

static struct store *store;
static struct buf chain; /* frames of good records */
static size_t chain_at[CHAIN_COUNT + 1];

static void must(bool is_true)
{
    if (!is_true)
        abort();
}

static void make_chain(void)
{
    struct trail_check check;
    trail_check_init(&check);
    buf_init(&chain, 1u << 20);
    for (size_t i = 0; i < CHAIN_COUNT; i++) {
        struct record r = {.kind = RECORD_GET, .seq = i, .prev = {.n = DIGEST_BYTES}};
        static const uint8_t head[TRAIL_FRAME_HEAD_BYTES];
        memcpy(r.prev.h, check.last, DIGEST_BYTES);
        chain_at[i] = buf_size(&chain);
        must(buf_append(&chain, BYTES_OF(head)) == 0 && record_encode(&chain, &r) == 0);
        size_t n = buf_size(&chain) - chain_at[i] - TRAIL_FRAME_HEAD_BYTES;
        chain.p[chain_at[i] + 2] = (uint8_t)(n >> 8);
        chain.p[chain_at[i] + 3] = (uint8_t)n;
        must(trail_check_add(&check, bytes_of(chain.p + chain_at[i] + TRAIL_FRAME_HEAD_BYTES, n)) == 0);
    }
    chain_at[CHAIN_COUNT] = buf_size(&chain);
}

/* One store for all inputs, whose files have no name any more: each input is rolled back. */
static void start(void)
{
    char folder[] = "/tmp/secreg-fuzz-XXXXXX", path[64];
    must(crypt_start() >= 0 && mkdtemp(folder) != NULL);
    (void)snprintf(path, sizeof path, "%s/a.db", folder);
    must(store_create(path, &store) == 0);
    must(unlink(path) == 0);
    (void)snprintf(path, sizeof path, "%s/a.db-wal", folder);
    must(unlink(path) == 0 && rmdir(folder) == 0);
    make_chain();
}

static void add_row(int64_t first, int64_t count, unsigned kind, struct bytes in)
{
    static uint8_t frames[FRAMES_MAX_BYTES];
    struct store_stmt *st = store_use(store, STORE_TURN_ADD);
    struct bytes records = kind == 1 ? BYTES_NONE : in;
    if (kind >= 2 && first >= 0 && first <= CHAIN_COUNT && count >= 0 && count <= CHAIN_COUNT - first) {
        size_t n = chain_at[first + count] - chain_at[first];
        memcpy(frames, chain.p + chain_at[first], n);
        for (size_t i = 0; i < in.n && i < n; i++)
            frames[i] ^= in.p[i];
        records = bytes_of(frames, n);
    }
    store_bind_i64(st, 1, first);
    store_bind_i64(st, 2, count);
    store_bind_blob(st, 5, records);
    if (kind == 1)
        store_bind_blob(st, 4, in);
    int x = store_run(store, st);
    must(x == 0 || x == FAULT_STORE); /* two rows with one number */
}

static void add_rows(struct bytes in)
{
    while (in.n >= 5) {
        size_t n = (size_t)in.p[3] << 8 | in.p[4];
        int64_t first = in.p[0] < 240 ? in.p[0] : INT64_MAX - 255 + in.p[0];
        int64_t count = in.p[1] < 240 ? in.p[1] : INT64_MAX - 255 + in.p[1];
        struct bytes body = bytes_head(bytes_from(in, 5), n);
        if (in.p[0] == 239)
            first = -1;
        add_row(first, count < 240 ? count - (in.p[1] == 239 ? 240 : 0) : count, in.p[2] % 3, body);
        in = bytes_from(in, 5 + n);
    }
}

struct seen {
    struct {
        uint64_t seq;
        uint8_t digest[DIGEST_BYTES];
    } rows[SEEN_MAX];
    size_t count;
};

static int note(uint64_t seq, struct bytes record, void *arg)
{
    struct seen *s = arg;
    if (s->count == SEEN_MAX)
        return TRAIL_ENOUGH;
    s->rows[s->count].seq = seq;
    return merkle_leaf(record, s->rows[s->count++].digest);
}

static void check_both_ways(struct trail *t)
{
    static struct seen up, down;
    up.count = down.count = 0;
    int x = trail_read(t, 0, false, note, &up), y = trail_read(t, UINT64_MAX, true, note, &down);
    must((x == 0 || x == FAULT_CORRUPT) && (y == 0 || y == FAULT_CORRUPT));
    for (size_t i = 0; i < up.count; i++)
        must(up.rows[i].seq == i);
    for (size_t i = 0; i < down.count; i++)
        must(down.rows[i].seq == trail_size(t) - 1 - i);
    if (x != 0 || y != 0 || trail_size(t) > SEEN_MAX)
        return;
    must(up.count == trail_size(t) && down.count == up.count);
    for (size_t i = 0; i < up.count; i++)
        must(memcmp(up.rows[i].digest, down.rows[up.count - 1 - i].digest, DIGEST_BYTES) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trail *t = NULL;
    if (store == NULL)
        start();
    must(store_begin(store) == 0);
    add_rows(bytes_of(data, size));
    int x = trail_open(store, &t);
    must(x == 0 || x == FAULT_CORRUPT);
    if (x == 0)
        check_both_ways(t);
    trail_close(t);
    store_rollback(store);
    return 0;
}
