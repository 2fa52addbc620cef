/* trail-read: both directions from any point, what a callback may do, and malformed batches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fail-alloc.h"
#include "test-chain.h"

static struct chain_copy all, part;

static void read_part(struct chain *c, uint64_t first, bool is_downwards, size_t stop_at)
{
    buf_clear(&part.bytes);
    part.count = 0;
    part.stop_at = stop_at;
    assert_int_equal(trail_read(c->trail, first, is_downwards, chain_collect, &part), 0);
}

static void make_turns(struct chain *c)
{
    static const unsigned sizes[] = {1, 1, 3, 1, 200, 2, 1, 1, 300, 1};
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        assert_int_equal(chain_turn(c, sizes[i]), 0);
    assert_int_equal(chain_copy_all(c, &all), 0);
    assert_int_equal(all.count, 511);
    buf_init(&part.bytes, 64u << 20);
}

static int teardown(void **state)
{
    buf_fini(&all.bytes);
    buf_fini(&part.bytes);
    return chain_remove(state);
}

static void test_from_any_point(void **state)
{
    struct chain *c = *state;
    make_turns(c);
    for (size_t first = 0; first < all.count; first++) {
        size_t up = all.count - first, stop_at = first % 3 == 0 ? first % 7 + 1 : 0;
        size_t wanted = stop_at > 0 ? MIN_OF(stop_at, up) : up;
        read_part(c, first, false, stop_at);
        assert_int_equal(part.count, wanted);
        assert_int_equal(part.first, first);
        assert_int_equal(part.last, first + wanted - 1);
        for (size_t i = 0; i < part.count; i++)
            assert_true(bytes_equal(chain_record(&part, i), chain_record(&all, first + i)));

        wanted = stop_at > 0 ? MIN_OF(stop_at, first + 1) : first + 1;
        read_part(c, first, true, stop_at);
        assert_int_equal(part.count, wanted);
        assert_int_equal(part.first, first);
        assert_int_equal(part.last, first + 1 - wanted);
        for (size_t i = 0; i < part.count; i++)
            assert_true(bytes_equal(chain_record(&part, i), chain_record(&all, first - i)));
    }
}

static void test_ends(void **state)
{
    struct chain *c = *state;
    buf_init(&part.bytes, 64u << 20);
    read_part(c, 0, false, 0);
    assert_int_equal(part.count, 0);
    read_part(c, UINT64_MAX, true, 0);
    assert_int_equal(part.count, 0);
    buf_fini(&part.bytes);
    make_turns(c);
    read_part(c, 511, false, 0);
    assert_int_equal(part.count, 0);
    read_part(c, UINT64_MAX, false, 0);
    assert_int_equal(part.count, 0);
    read_part(c, UINT64_MAX, true, 0); /* the newest */
    assert_int_equal(part.count, 511);
    assert_int_equal(part.first, 510);
    assert_int_equal(part.last, 0);
}

/* What is not committed is not read, written to the database or not. */
static void test_pending_is_hidden(void **state)
{
    struct chain *c = *state;
    make_turns(c);
    assert_int_equal(store_begin(c->store), 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(chain_append(c, i), 0);
    read_part(c, UINT64_MAX, true, 1);
    assert_int_equal(part.first, 510);
    assert_int_equal(trail_flush(c->trail, BYTES_NONE), 0);
    read_part(c, UINT64_MAX, true, 1);
    assert_int_equal(part.first, 510);
    read_part(c, 505, false, 0);
    assert_int_equal(part.last, 510);
    assert_int_equal(store_commit(c->store), 0);
    trail_settle(c->trail, true);
    read_part(c, 505, false, 0);
    assert_int_equal(part.last, 513);
}

static int fail_with(uint64_t seq, struct bytes record, void *arg)
{
    (void)record;
    return seq == 7 ? *(int *)arg : 0;
}

/* Whoever gets a record may use the store, the trail and trail_read() itself. */
static int busy(uint64_t seq, struct bytes record, void *arg)
{
    struct chain *c = arg;
    TRY(chain_turn(c, 1));
    TRY(store_checkpoint(c->store, 0));
    read_part(c, seq, true, 2);
    return part.first == seq && bytes_equal(chain_record(&part, 0), record) ? 0 : -EINVAL;
}

static void test_callbacks(void **state)
{
    struct chain *c = *state;
    int fault = -EPIPE;
    make_turns(c);
    assert_int_equal(trail_read(c->trail, 0, false, fail_with, &fault), -EPIPE);
    assert_int_equal(trail_read(c->trail, 20, true, fail_with, &fault), -EPIPE);
    fault = TRAIL_ENOUGH;
    assert_int_equal(trail_read(c->trail, 0, false, fail_with, &fault), 0);
    assert_int_equal(trail_read(c->trail, 480, false, busy, c), 0);
    assert_int_equal(trail_size(c->trail), 511 + 31); /* those that came meanwhile are not part of the scan */
    assert_int_equal(chain_reopen(c), 0);
}

static void add_batch(struct store *s, int64_t first, int64_t count, struct bytes frames)
{
    struct store_stmt *st = store_use(s, STORE_TURN_ADD);
    store_bind_i64(st, 1, first);
    store_bind_i64(st, 2, count);
    store_bind_blob(st, 5, frames);
    assert_int_equal(store_run(s, st), 0);
}

/* The frames of records `from` to `to`. */
static struct bytes frames_of(size_t from, size_t to)
{
    static uint8_t out[200000];
    size_t n = 0;
    for (size_t i = from; i < to; i++) {
        struct bytes r = chain_record(&all, i);
        uint8_t head[] = {0, 0, (uint8_t)(r.n >> 8), (uint8_t)r.n};
        assert_true(n + sizeof head + r.n <= sizeof out);
        memcpy(out + n, head, sizeof head);
        memcpy(out + n + sizeof head, r.p, r.n);
        n += sizeof head + r.n;
    }
    return bytes_of(out, n);
}

static void expect_corrupt(struct chain *c, uint64_t first, bool is_downwards)
{
    part.count = part.stop_at = 0;
    buf_clear(&part.bytes);
    assert_int_equal(trail_read(c->trail, first, is_downwards, chain_collect, &part), FAULT_CORRUPT);
}

/* An empty trail whose rows are written by hand: opening must refuse, and so must reading if `size` is believed. */
static void refuse_rows(struct chain *c, void (*add)(struct store *s))
{
    struct trail_range up = {.size = 511}, down = {.size = 511, .first = 510, .is_downwards = true};
    struct trail *t = NULL;
    char path[128];
    struct store *s;
    (void)snprintf(path, sizeof path, "%s/b.db", c->folder);
    if (store_open(path, &s) == STORE_ABSENT)
        assert_int_equal(store_create(path, &s), 0);
    assert_int_equal(store_begin(s), 0);
    add(s);
    buf_clear(&part.bytes);
    part.count = part.stop_at = 0;
    assert_int_equal(trail_scan(s, &up, chain_collect, &part), FAULT_CORRUPT);
    buf_clear(&part.bytes);
    part.count = 0;
    assert_int_equal(trail_scan(s, &down, chain_collect, &part), FAULT_CORRUPT);
    assert_int_equal(trail_open(s, &t), FAULT_CORRUPT);
    assert_null(t);
    store_rollback(s);
    store_close(s);
}

static void add_count_short(struct store *s)
{
    add_batch(s, 0, 510, frames_of(0, 511));
}

static void add_count_long(struct store *s)
{
    add_batch(s, 0, 512, frames_of(0, 511));
}

static void add_count_zero(struct store *s)
{
    add_batch(s, 0, 0, frames_of(0, 511));
}

static void add_count_negative(struct store *s)
{
    add_batch(s, 0, -1, frames_of(0, 511));
}

static void add_count_huge(struct store *s)
{
    add_batch(s, 0, INT64_MAX, frames_of(0, 511));
}

static void add_first_negative(struct store *s)
{
    add_batch(s, -1, 511, frames_of(0, 511));
}

static void add_first_huge(struct store *s)
{
    add_batch(s, INT64_MAX, 1, frames_of(0, 1));
}

static void add_size_huge(struct store *s)
{
    add_batch(s, INT64_C(1) << 62, 1, frames_of(0, 1));
}

static void add_gap(struct store *s)
{
    add_batch(s, 0, 100, frames_of(0, 100));
    add_batch(s, 101, 410, frames_of(101, 511));
}

static void add_missing_begin(struct store *s)
{
    add_batch(s, 100, 411, frames_of(100, 511));
}

static void add_overlap(struct store *s)
{
    add_batch(s, 0, 101, frames_of(0, 101));
    add_batch(s, 100, 411, frames_of(100, 511));
}

static void add_nothing(struct store *s)
{
    add_batch(s, 0, 511, BYTES_NONE);
}

static void add_cut(struct store *s)
{
    struct bytes whole = frames_of(0, 511);
    add_batch(s, 0, 511, bytes_head(whole, whole.n - 1));
}

static void add_cut_head(struct store *s)
{
    struct bytes whole = frames_of(0, 510);
    add_batch(s, 0, 511, bytes_head(frames_of(0, 511), whole.n + 3));
}

static void add_rest(struct store *s)
{
    struct bytes whole = frames_of(0, 511);
    add_batch(s, 0, 511, bytes_of(whole.p, whole.n + 1));
}

static void add_empty_frame(struct store *s)
{
    static uint8_t frames[511 * 4];
    add_batch(s, 0, 511, BYTES_OF(frames));
}

static void add_long_frame(struct store *s)
{
    static uint8_t frames[511 * 4 + 20000] = {0, 0, 0x40, 0};
    add_batch(s, 0, 511, BYTES_OF(frames));
}

static void add_too_large(struct store *s)
{
    static uint8_t frames[TRAIL_BATCH_MAX_BYTES + 1];
    add_batch(s, 0, 511, BYTES_OF(frames));
}

static void test_malformed_batches(void **state)
{
    static void (*const rows[])(struct store *) = {
        add_count_short, add_count_long, add_count_zero, add_count_negative, add_count_huge, add_first_negative,
        add_first_huge,  add_size_huge,  add_gap,        add_overlap,        add_nothing,    add_missing_begin,
        add_cut,         add_cut_head,   add_rest,       add_empty_frame,    add_long_frame, add_too_large,
    };
    struct chain *c = *state;
    char path[128];
    make_turns(c);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        refuse_rows(c, rows[i]);
    (void)snprintf(path, sizeof path, "%s/b.db", c->folder);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(path, sizeof path, "%s/b.db-wal", c->folder);
    assert_int_equal(unlink(path), 0);
}

/* A row that appears behind the back of an open trail is not taken for one of its own. */
static void test_row_from_elsewhere(void **state)
{
    struct chain *c = *state;
    make_turns(c);
    add_batch(c->store, 100, 5, frames_of(100, 105)); /* inside the batch of 200 */
    expect_corrupt(c, 100, false);
    expect_corrupt(c, 510, true);
    assert_int_equal(chain_reopen(c), FAULT_CORRUPT);
}

/* The same inside the newest batch, so that the size of the trail does not change. */
static void test_row_in_the_end(void **state)
{
    struct chain *c = *state;
    make_turns(c);
    assert_int_equal(chain_turn(c, 9), 0);
    buf_fini(&all.bytes);
    assert_int_equal(chain_copy_all(c, &all), 0);
    add_batch(c->store, 515, 5, frames_of(515, 520));
    expect_corrupt(c, 0, false);
    expect_corrupt(c, 519, true);
    assert_int_equal(chain_reopen(c), FAULT_CORRUPT);
}

static void read_all_or_nomem(struct chain *c, bool is_downwards)
{
    size_t seen = 0;
    part.count = part.stop_at = 0;
    buf_fini(&part.bytes);
    int x = trail_read(c->trail, is_downwards ? UINT64_MAX : 0, is_downwards, chain_collect, &part);
    seen = part.count;
    assert_true(x == -ENOMEM || (x == 0 && seen == 511));
}

static void test_allocation_failure(void **state)
{
    struct chain *c = *state;
    make_turns(c);
    EACH_ALLOC_FAILURE(read_all_or_nomem(c, false));
    EACH_ALLOC_FAILURE(read_all_or_nomem(c, true));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, chain_make, teardown)
    const struct CMUnitTest tests[] = {
        T(test_from_any_point),    T(test_ends),
        T(test_pending_is_hidden), T(test_callbacks),
        T(test_malformed_batches), T(test_row_from_elsewhere),
        T(test_row_in_the_end),    T(test_allocation_failure),
    };
    return cmocka_run_group_tests(tests, chain_start, NULL);
}
