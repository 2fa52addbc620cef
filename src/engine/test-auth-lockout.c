/* Tests of auth-lockout: what counts, for how long, for whom, and what a full table does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/auth-lockout.h"

enum { ALICE = 1000, BOB = 1001 };

static const struct lockout_limits limits = {5, 300 * US_PER_S, 300 * US_PER_S};
static struct lockout l;

static struct mono_time at(double seconds)
{
    return (struct mono_time){(int64_t)(seconds * 1e6)};
}

static int set_up(void **state)
{
    (void)state;
    l = (struct lockout){0};
    return 0;
}

static int try(uid_t uid, enum lockout_end how, double seconds)
{
    int r = lockout_begin(&l, &limits, uid, false, at(seconds));
    if (r == 0)
        lockout_end(&l, &limits, uid, false, how, at(seconds));
    return r;
}

static void test_five_failures(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(try(ALICE, LOCKOUT_FAILED, i), 0);
    assert_int_equal(try(ALICE, LOCKOUT_PASSED, 5), LOCKOUT_LOCKED);
    assert_int_equal(lockout_wait_us(&l, ALICE, false, at(5)), 299 * US_PER_S);
    assert_int_equal(try(ALICE, LOCKOUT_PASSED, 303.999999), LOCKOUT_LOCKED);
    assert_int_equal(lockout_wait_us(&l, ALICE, false, at(304)), 0);
    assert_int_equal(try(ALICE, LOCKOUT_PASSED, 304), 0);
}

static void test_nobody_else_is_locked_out(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(try(ALICE, LOCKOUT_FAILED, i), 0);
    assert_int_equal(try(BOB, LOCKOUT_FAILED, 5), 0);
    assert_int_equal(lockout_wait_us(&l, BOB, false, at(5)), 0);
    /* nor is the same peer, for other targets */
    assert_int_equal(lockout_begin(&l, &limits, ALICE, true, at(5)), 0);
    lockout_end(&l, &limits, ALICE, true, LOCKOUT_FAILED, at(5));
}

static void test_only_failures_count(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(try(ALICE, LOCKOUT_PASSED, i), 0);
        assert_int_equal(try(ALICE, LOCKOUT_UNTRIED, i), 0);
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(try(ALICE, LOCKOUT_FAILED, 100), 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(try(ALICE, LOCKOUT_UNTRIED, 100), 0);
    assert_int_equal(try(ALICE, LOCKOUT_FAILED, 101), 0);
    assert_int_equal(try(ALICE, LOCKOUT_FAILED, 101), LOCKOUT_LOCKED);
}

static void test_success_forgives(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 4; i++)
            assert_int_equal(try(ALICE, LOCKOUT_FAILED, round), 0);
        assert_int_equal(try(ALICE, LOCKOUT_PASSED, round), 0);
    }
}

/* In no 300 seconds, wherever they begin, are there five failures without a lockout. */
static void test_window_slides(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(try(ALICE, LOCKOUT_FAILED, 10 + 90.0 * i), 0); /* 10, 100, 190, 280 */
    assert_int_equal(try(ALICE, LOCKOUT_FAILED, 310), 0);               /* the first has passed */
    assert_int_equal(lockout_wait_us(&l, ALICE, false, at(310)), 0);
    assert_int_equal(try(ALICE, LOCKOUT_FAILED, 399), 0); /* five since 100 */
    assert_int_equal(lockout_wait_us(&l, ALICE, false, at(399)), 300 * US_PER_S);
}

static void test_failures_age_one_by_one(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(try(ALICE, LOCKOUT_FAILED, 75.0 * i), 0); /* four in any 300 seconds */
}

static void test_tries_at_once_count(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(lockout_begin(&l, &limits, ALICE, false, at(0)), 0);
    assert_int_equal(lockout_begin(&l, &limits, ALICE, false, at(0)), LOCKOUT_LOCKED);
    assert_int_equal(lockout_wait_us(&l, ALICE, false, at(0)), 0); /* not locked out: only too many at a time */
    lockout_end(&l, &limits, ALICE, false, LOCKOUT_UNTRIED, at(1));
    assert_int_equal(lockout_begin(&l, &limits, ALICE, false, at(1)), 0);
    for (int i = 0; i < 5; i++)
        lockout_end(&l, &limits, ALICE, false, LOCKOUT_FAILED, at(2));
    assert_int_equal(lockout_begin(&l, &limits, ALICE, false, at(2)), LOCKOUT_LOCKED);
    assert_int_equal(lockout_wait_us(&l, ALICE, false, at(2)), 300 * US_PER_S);
}

static void test_a_success_does_not_unlock(void **state)
{
    (void)state;
    assert_int_equal(lockout_begin(&l, &limits, ALICE, false, at(0)), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(try(ALICE, LOCKOUT_FAILED, 0), 0);
    const struct lockout_limits fewer = {4, limits.window_us, limits.lockout_us};
    assert_int_equal(lockout_begin(&l, &fewer, ALICE, false, at(0)), LOCKOUT_LOCKED);
    assert_int_equal(lockout_begin(&l, &limits, ALICE, true, at(0)), 0);
    lockout_end(&l, &limits, ALICE, true, LOCKOUT_UNTRIED, at(0));
    lockout_end(&l, &limits, ALICE, false, LOCKOUT_FAILED, at(0));
    assert_int_equal(try(ALICE, LOCKOUT_PASSED, 1), LOCKOUT_LOCKED);
}

static void test_lowered_limit(void **state)
{
    const struct lockout_limits one = {1, US_PER_S, 10 * US_PER_S};
    (void)state;
    assert_int_equal(lockout_begin(&l, &limits, ALICE, false, at(0)), 0);
    assert_int_equal(lockout_begin(&l, &limits, ALICE, false, at(0)), 0);
    lockout_end(&l, &one, ALICE, false, LOCKOUT_FAILED, at(1));
    assert_int_equal(lockout_wait_us(&l, ALICE, false, at(1)), 10 * US_PER_S);
    lockout_end(&l, &one, ALICE, false, LOCKOUT_FAILED, at(2)); /* does not make it longer */
    assert_int_equal(lockout_wait_us(&l, ALICE, false, at(2)), 9 * US_PER_S);
    assert_int_equal(lockout_begin(&l, &one, ALICE, false, at(11)), 0);
}

static void test_largest_limit(void **state)
{
    const struct lockout_limits ten = {LOCKOUT_FAILURES_MAX_COUNT, 300 * US_PER_S, 300 * US_PER_S};
    (void)state;
    for (int i = 0; i < LOCKOUT_FAILURES_MAX_COUNT; i++) {
        assert_int_equal(lockout_begin(&l, &ten, ALICE, false, at(i)), 0);
        lockout_end(&l, &ten, ALICE, false, LOCKOUT_FAILED, at(i));
    }
    assert_int_equal(lockout_begin(&l, &ten, ALICE, false, at(20)), LOCKOUT_LOCKED);
}

/* Who is locked out cannot get rid of that by filling the table with failures of other uids. */
static void test_full_table_keeps_the_locked(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(try(ALICE, LOCKOUT_FAILED, 0), 0);
    for (unsigned i = 0; i < 3 * LOCKOUT_BUCKETS_MAX_COUNT; i++)
        assert_int_equal(try(100000 + i, LOCKOUT_FAILED, 1), 0);
    assert_int_equal(try(ALICE, LOCKOUT_PASSED, 2), LOCKOUT_LOCKED);
}

static void test_full_table_keeps_more_failures(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(try(ALICE, LOCKOUT_FAILED, 0), 0);
    for (unsigned i = 0; i < 2 * LOCKOUT_BUCKETS_MAX_COUNT; i++)
        assert_int_equal(try(100000 + i, LOCKOUT_FAILED, 1), 0);
    assert_int_equal(try(ALICE, LOCKOUT_FAILED, 2), 0);
    assert_int_equal(try(ALICE, LOCKOUT_FAILED, 2), LOCKOUT_LOCKED);
}

static void test_full_table_of_logins_under_way(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LOCKOUT_BUCKETS_MAX_COUNT; i++)
        assert_int_equal(lockout_begin(&l, &limits, 100000 + i, false, at(0)), 0);
    assert_int_equal(try(ALICE, LOCKOUT_PASSED, 0), LOCKOUT_FULL);
    lockout_end(&l, &limits, 100007, false, LOCKOUT_UNTRIED, at(1));
    assert_int_equal(try(ALICE, LOCKOUT_PASSED, 1), 0);
    for (unsigned i = 0; i < LOCKOUT_BUCKETS_MAX_COUNT; i++) {
        if (i != 7)
            lockout_end(&l, &limits, 100000 + i, false, LOCKOUT_FAILED, at(1));
    }
}

int main(void)
{
#define FRESH(test) cmocka_unit_test_setup(test, set_up)
    const struct CMUnitTest tests[] = {
        FRESH(test_five_failures),
        FRESH(test_nobody_else_is_locked_out),
        FRESH(test_only_failures_count),
        FRESH(test_success_forgives),
        FRESH(test_window_slides),
        FRESH(test_failures_age_one_by_one),
        FRESH(test_tries_at_once_count),
        FRESH(test_a_success_does_not_unlock),
        FRESH(test_lowered_limit),
        FRESH(test_largest_limit),
        FRESH(test_full_table_keeps_the_locked),
        FRESH(test_full_table_keeps_more_failures),
        FRESH(test_full_table_of_logins_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
