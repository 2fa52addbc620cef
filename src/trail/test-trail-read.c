/* trail-read: both directions from any point, and what a callback may do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(chain_append(c, i), 0);
    read_part(c, UINT64_MAX, true, 1);
    assert_int_equal(part.first, 510);
    assert_int_equal(trail_flush(c->trail, BYTES_NONE, false), 0);
    read_part(c, UINT64_MAX, true, 1);
    assert_int_equal(part.first, 510);
    read_part(c, 505, false, 0);
    assert_int_equal(part.last, 510);
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

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, chain_make, teardown)
    const struct CMUnitTest tests[] = {
        T(test_from_any_point),
        T(test_ends),
        T(test_pending_is_hidden),
        T(test_callbacks),
    };
    return cmocka_run_group_tests(tests, chain_start, NULL);
}
