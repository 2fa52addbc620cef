/*
 * fuzz-trail - a log and rows of turn as an attacker with write access to the files could leave them.
 *
 * Input: pieces of u8 kind, u8 first, u8 count, u16 length and that many bytes. Kind 0: a row with these bytes as its
 * frames; 1: a row with `count` good frames of this chain, laid over by the bytes with exclusive or; 2: `count` good
 * frames put into the log behind what is there, laid over; 3: the bytes put into the log as they stand; 4: the bytes
 * laid over the head, the marks and the hints of the log, from `first` * 256 + `count` on. Invariants: opening never
 * accepts what trail_check would not; what opens is read in both directions as the same records with consecutive
 * numbers; and it goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trail/trail-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    CHAIN_COUNT = 48,
    SEEN_MAX = 2048,
    FRAMES_MAX_BYTES = 64 << 10,
    LOG_BYTES = SEGMENT_DATA_OFFSET + FRAMES_MAX_BYTES
};

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
        static const uint8_t head[SEGMENT_FRAME_HEAD_BYTES];
        memcpy(r.prev.h, check.last, DIGEST_BYTES);
        chain_at[i] = buf_size(&chain);
        must(buf_append(&chain, BYTES_OF(head)) == 0 && record_encode(&chain, &r) == 0);
        size_t n = buf_size(&chain) - chain_at[i] - SEGMENT_FRAME_HEAD_BYTES;
        uint8_t *leaf = bytes_put_u32(chain.p + chain_at[i], (uint32_t)n);
        must(trail_check_add(&check, bytes_of(leaf + DIGEST_BYTES, n)) == 0);
        memcpy(leaf, check.last, DIGEST_BYTES);
    }
    chain_at[CHAIN_COUNT] = buf_size(&chain);
}

static struct epoch_seed seed; /* of the trail */

static char trail_folder[96], log_path[128], key_path[128];
static uint8_t empty_log[LOG_BYTES], first_key[2 * 4096]; /* as trail_make() leaves them */
static size_t log_end;

/* One store for all inputs, each of which is rolled back; the log is written anew for each. */
static void start(void)
{
    static char folder[] = "/dev/shm/secreg-fuzz-XXXXXX"; /* where a sync costs nothing */
    char path[64];
    must(crypt_start() >= 0 && mkdtemp(folder) != NULL);
    (void)snprintf(path, sizeof path, "%s/a.db", folder);
    must(store_create(path, &store) == 0);
    must(unlink(path) == 0);
    (void)snprintf(path, sizeof path, "%s/a.db-wal", folder);
    must(unlink(path) == 0);
    (void)snprintf(trail_folder, sizeof trail_folder, "%s/trail", folder);
    (void)snprintf(log_path, sizeof log_path, "%s/%020d.log", trail_folder, 0);
    must(trail_make(trail_folder, &seed) == 0);
    int fd = open(log_path, O_RDONLY | O_CLOEXEC);
    must(fd >= 0 && read(fd, empty_log, sizeof empty_log) == (ssize_t)sizeof empty_log && close(fd) == 0);
    (void)snprintf(key_path, sizeof key_path, "%s/epoch.key", trail_folder);
    fd = open(key_path, O_RDONLY | O_CLOEXEC);
    must(fd >= 0 && read(fd, first_key, sizeof first_key) == (ssize_t)sizeof first_key && close(fd) == 0);
    make_chain();
}

static struct bytes good_frames(size_t first, size_t count, struct bytes over)
{
    static uint8_t frames[FRAMES_MAX_BYTES];
    first = MIN_OF(first, (size_t)CHAIN_COUNT);
    count = MIN_OF(count, CHAIN_COUNT - first);
    size_t n = chain_at[first + count] - chain_at[first];
    memcpy(frames, buf_view(&chain).p + chain_at[first], n);
    for (size_t i = 0; i < over.n && i < n; i++)
        frames[i] ^= over.p[i];
    return bytes_of(frames, n);
}

static void set_row(int64_t place, int64_t first, int64_t count, struct bytes frames)
{
    static const uint8_t seal_bytes[TRAIL_SEAL_BYTES];
    struct store_stmt *st = store_use(store, STORE_TURN_SET);
    store_bind_i64(st, 1, place);
    store_bind_i64(st, 2, first);
    store_bind_i64(st, 3, count);
    store_bind_blob(st, 4, BYTES_LITERAL("state"));
    store_bind_blob(st, 5, BYTES_OF(seal_bytes));
    store_bind_blob(st, 6, frames);
    must(store_run(store, st) == 0);
}

static int64_t number_of(uint8_t v)
{
    return v < 240 ? v : v == 240 ? -1 : INT64_MAX - 255 + v;
}

static void lay_over(uint8_t *log, size_t at, struct bytes body)
{
    for (size_t i = 0; i < body.n && at + i < SEGMENT_DATA_OFFSET; i++)
        log[at + i] ^= body.p[i];
}

static void put_into_log(uint8_t *log, struct bytes frames)
{
    size_t n = MIN_OF(frames.n, LOG_BYTES - log_end);
    if (n > 0)
        memcpy(log + log_end, frames.p, n);
    log_end += n;
}

static void make_input(struct bytes in)
{
    static uint8_t log[LOG_BYTES];
    int64_t place = 0;
    memcpy(log, empty_log, sizeof log);
    log_end = SEGMENT_DATA_OFFSET;
    while (in.n >= 5) {
        size_t n = (size_t)in.p[3] << 8 | in.p[4];
        uint8_t first = in.p[1], count = in.p[2];
        struct bytes body = bytes_head(bytes_from(in, 5), n);
        switch (in.p[0] % 5) {
        case 0:
            set_row(place++ % (TRAIL_RING_COUNT + 2) - 1, number_of(first), number_of(count), body);
            break;
        case 1:
            set_row(place++ % TRAIL_RING_COUNT, number_of(first), number_of(count), good_frames(first, count, body));
            break;
        case 2:
            put_into_log(log, good_frames(first, count, body));
            break;
        case 3:
            put_into_log(log, body);
            break;
        default:
            lay_over(log, (size_t)first * 256 + count, body);
        }
        in = bytes_from(in, 5 + n);
    }
    int fd = open(log_path, O_WRONLY | O_CLOEXEC | O_TRUNC | O_CREAT, 0600);
    must(fd >= 0 && write(fd, log, sizeof log) == (ssize_t)sizeof log && close(fd) == 0);
    fd = open(key_path, O_WRONLY | O_CLOEXEC);
    must(fd >= 0 && write(fd, first_key, sizeof first_key) == (ssize_t)sizeof first_key && close(fd) == 0);
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

/* One more turn, read back. */
static void go_on(struct trail *t)
{
    struct record r = {.kind = RECORD_GET};
    uint64_t size = trail_size(t);
    must(trail_append(t, &r) == 0 && trail_flush(t, BYTES_NONE, true) == 0);
    trail_settle(t, true);
    must(trail_sync(t) == 0 && trail_size(t) == size + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trail *t = NULL;
    if (store == NULL)
        start();
    must(store_begin(store) == 0);
    make_input(bytes_of(data, size));
    int x = trail_open(store, trail_folder, TRAIL_RESERVE_COUNT, &t);
    must(x == 0 || x == FAULT_CORRUPT);
    if (x == 0) {
        check_both_ways(t);
        go_on(t);
    }
    trail_close(t);
    store_rollback(store);
    return 0;
}
