/* Tests of session: tokens, whose they are, how long they live, shares, keys, and turns that are taken back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "engine/session.h"

enum { ALICE = 1000, BOB = 1001 };

static struct sessions s;
static struct digest_mac *macs[2];
static char token[SESSION_TOKEN_BYTES];
static uint32_t next_random;

static struct mono_time at(double seconds)
{
    return (struct mono_time){(int64_t)(seconds * 1e6)};
}

static int set_up(void **state)
{
    (void)state;
    s = (struct sessions){.limits = {3600 * US_PER_S, 24 * 3600 * US_PER_S, 5}, .keys = {macs[0], macs[1]}};
    next_random = 1;
    return 0;
}

static struct session_order order(uid_t uid, double seconds)
{
    struct session_order o = {.uid = uid, .now = at(seconds), .wall = {1000 * US_PER_S}};
    memset(o.random, 0x5a, sizeof o.random);
    memcpy(o.random, &next_random, sizeof next_random);
    memcpy(o.random + SESSION_SELECTOR_BYTES, &next_random, sizeof next_random);
    next_random++;
    return o;
}

static struct session *make(uid_t uid, double seconds)
{
    struct session *row = NULL;
    struct session_order o = order(uid, seconds);
    assert_int_equal(session_make(&s, SESSION_KEY_REGISTRY, &o, token, &row), 0);
    session_commit(&s);
    return row;
}

static int find(const char *text, uid_t uid, double seconds)
{
    struct session *row = NULL;
    int r = session_find(&s, bytes_of_text(text), uid, at(seconds), &row);
    assert_int_equal(r == 0, row != NULL);
    return r;
}

static unsigned count(uid_t uid, double seconds)
{
    size_t from = 0;
    unsigned n = 0;
    while (session_next(&s, uid, at(seconds), &from) != NULL)
        n++;
    return n;
}

static void test_token(void **state)
{
    char id[SESSION_ID_BYTES];
    (void)state;
    struct session *row = make(ALICE, 0), *found;
    assert_int_equal(strlen(token), SESSION_TOKEN_BYTES - 1);
    assert_int_equal(token[16], '.');
    assert_string_equal(token, "010000005a5a5a5a.010000005a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a");
    session_id(row, id);
    assert_memory_equal(id, token, 16);
    assert_int_equal(session_find(&s, bytes_of_text(token), ALICE, at(1), &found), 0);
    assert_ptr_equal(found, row);
    /* the verifier is kept nowhere */
    const uint8_t verifier[] = {1, 0, 0, 0, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a};
    assert_null(memmem(&s, sizeof s, verifier, sizeof verifier));
}

static void test_every_digit_matters(void **state)
{
    (void)state;
    make(ALICE, 0);
    for (size_t i = 0; i < SESSION_TOKEN_BYTES - 1; i++) {
        char bad[SESSION_TOKEN_BYTES];
        memcpy(bad, token, sizeof bad);
        bad[i] = bad[i] == '7' ? '8' : '7';
        assert_int_equal(find(bad, ALICE, 1), SESSION_BAD);
        bad[i] = 'g';
        assert_int_equal(find(bad, ALICE, 1), SESSION_BAD);
    }
    assert_int_equal(find(token, ALICE, 1), 0);
}

static void test_malformed(void **state)
{
    static const char *const bad[] = {"", ".", "x", "0123456789abcdef", "0123456789abcdef."};
    char longer[SESSION_TOKEN_BYTES + 1];
    (void)state;
    make(ALICE, 0);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(find(bad[i], ALICE, 1), SESSION_BAD);
    snprintf(longer, sizeof longer, "%s0", token);
    assert_int_equal(find(longer, ALICE, 1), SESSION_BAD);
    longer[SESSION_TOKEN_BYTES - 2] = '\0';
    assert_int_equal(find(longer, ALICE, 1), SESSION_BAD);
}

/* Of no use to another uid, not even to end it or to keep it alive. */
static void test_bound_to_the_uid(void **state)
{
    (void)state;
    struct session *row = make(ALICE, 0);
    assert_int_equal(find(token, BOB, 1800), SESSION_BAD);
    assert_int_equal(find(token, 0, 1800), SESSION_BAD);
    assert_int_equal(row->last.us, 0);
    char id[SESSION_ID_BYTES];
    session_id(row, id);
    assert_null(session_of_id(&s, bytes_of_text(id), BOB, at(1800)));
    assert_ptr_equal(session_of_id(&s, bytes_of_text(id), ALICE, at(1800)), row);
    assert_int_equal(count(BOB, 1), 0);
    /* a row whose uid was changed in memory fails by its tag */
    row->uid = BOB;
    assert_int_equal(find(token, BOB, 1800), SESSION_BAD);
}

static void test_idle(void **state)
{
    (void)state;
    make(ALICE, 0);
    assert_int_equal(find(token, ALICE, 3599.999999), 0); /* which is a use */
    assert_int_equal(find(token, ALICE, 7199), 0);
    assert_int_equal(find(token, ALICE, 7199 + 3600), SESSION_BAD);
    assert_int_equal(find(token, ALICE, 7199), SESSION_BAD); /* it is gone for good */
    assert_int_equal(count(ALICE, 0), 0);
}

static void test_absolute(void **state)
{
    (void)state;
    struct session *row = make(ALICE, 0);
    for (int hour = 1; hour < 48; hour++)
        assert_int_equal(find(token, ALICE, hour * 1800), 0);
    assert_int_equal(session_left_us(&s, row, at(23.75 * 3600)), 900 * US_PER_S); /* not a whole hour any more */
    assert_int_equal(session_left_absolute_us(&s, row, at(23.75 * 3600)), 900 * US_PER_S);
    assert_int_equal(find(token, ALICE, 24 * 3600), SESSION_BAD);
}

static void test_left(void **state)
{
    (void)state;
    struct session *row = make(ALICE, 100);
    assert_int_equal(session_left_us(&s, row, at(100)), 3600 * US_PER_S);
    assert_int_equal(session_left_us(&s, row, at(3699)), US_PER_S);
    assert_int_equal(session_left_us(&s, row, at(99999)), 0);
    assert_int_equal(session_left_absolute_us(&s, row, at(100)), 24 * 3600 * US_PER_S);
    assert_int_equal(session_left_absolute_us(&s, row, at(999999)), 0);
}

static void test_limits_may_change(void **state)
{
    (void)state;
    make(ALICE, 0);
    s.limits.idle_us = 10 * US_PER_S;
    assert_int_equal(find(token, ALICE, 9), 0);
    s.limits.absolute_us = 15 * US_PER_S;
    assert_int_equal(find(token, ALICE, 16), SESSION_BAD);
}

static void test_share_ends_the_one_used_longest_ago(void **state)
{
    char tokens[6][SESSION_TOKEN_BYTES], other[SESSION_TOKEN_BYTES];
    (void)state;
    make(BOB, 0);
    memcpy(other, token, sizeof other);
    for (int i = 0; i < 5; i++) {
        make(ALICE, i);
        memcpy(tokens[i], token, sizeof token);
    }
    assert_int_equal(find(tokens[0], ALICE, 10), 0); /* so the second was used longest ago */
    make(ALICE, 20);
    memcpy(tokens[5], token, sizeof token);
    assert_int_equal(count(ALICE, 20), 5);
    for (int i = 0; i < 6; i++)
        assert_int_equal(find(tokens[i], ALICE, 21), i == 1 ? SESSION_BAD : 0);
    assert_int_equal(find(other, BOB, 21), 0);
}

static void test_full_table(void **state)
{
    char first[SESSION_TOKEN_BYTES], second[SESSION_TOKEN_BYTES];
    (void)state;
    for (unsigned i = 0; i < SESSIONS_MAX_COUNT; i++) {
        make(2000 + i, i);
        if (i < 2)
            memcpy(i == 0 ? first : second, token, sizeof token);
    }
    make(ALICE, 1500);
    assert_int_equal(find(token, ALICE, 1501), 0);
    assert_int_equal(find(first, 2000, 1501), SESSION_BAD);
    assert_int_equal(find(second, 2001, 1501), 0);
}

static void test_same_selector(void **state)
{
    struct session *row;
    (void)state;
    struct session_order o = order(ALICE, 0);
    assert_int_equal(session_make(&s, SESSION_KEY_REGISTRY, &o, token, &row), 0);
    o.uid = BOB;
    assert_int_equal(session_make(&s, SESSION_KEY_REGISTRY, &o, token, &row), SESSION_AGAIN);
    assert_int_equal(count(BOB, 0), 0);
}

static void test_end(void **state)
{
    (void)state;
    struct session *row = make(ALICE, 0);
    session_end(&s, row);
    assert_int_equal(find(token, ALICE, 1), SESSION_BAD); /* at once */
    session_commit(&s);
    assert_int_equal(find(token, ALICE, 1), SESSION_BAD);
    assert_int_equal(count(ALICE, 1), 0);
}

static void test_turn_taken_back(void **state)
{
    char old[SESSION_TOKEN_BYTES];
    struct session *row;
    (void)state;
    make(ALICE, 0);
    memcpy(old, token, sizeof old);
    struct session *kept = make(ALICE, 1);
    session_end(&s, kept);
    struct session_order o = order(ALICE, 2);
    assert_int_equal(session_make(&s, SESSION_KEY_REGISTRY, &o, token, &row), 0);
    session_rollback(&s);
    assert_int_equal(find(token, ALICE, 3), SESSION_BAD); /* was never made */
    assert_int_equal(find(old, ALICE, 3), 0);
    assert_int_equal(count(ALICE, 3), 2); /* the one that was to end lives */
    session_rollback(&s);                 /* nothing is open: changes nothing */
    session_commit(&s);
    assert_int_equal(count(ALICE, 3), 2);
}

static void test_eviction_taken_back(void **state)
{
    struct session *row;
    (void)state;
    for (int i = 0; i < 5; i++)
        make(ALICE, i);
    struct session_order o = order(ALICE, 9);
    assert_int_equal(session_make(&s, SESSION_KEY_REGISTRY, &o, token, &row), 0);
    assert_int_equal(count(ALICE, 9), 5);
    session_rollback(&s);
    assert_int_equal(count(ALICE, 9), 5);
    assert_int_equal(find(token, ALICE, 9), SESSION_BAD);
}

static void test_keys(void **state)
{
    char locked[SESSION_TOKEN_BYTES], open[SESSION_TOKEN_BYTES];
    struct session *row;
    (void)state;
    struct session_order o = order(ALICE, 0);
    assert_int_equal(session_make(&s, SESSION_KEY_PROCESS, &o, locked, &row), 0);
    session_commit(&s);
    make(ALICE, 1);
    memcpy(open, token, sizeof open);
    assert_int_equal(find(locked, ALICE, 2), 0);
    assert_int_equal(find(open, ALICE, 2), 0);
    s.keys[SESSION_KEY_REGISTRY] = NULL; /* not at hand: refused, and no crash */
    assert_int_equal(find(open, ALICE, 3), SESSION_BAD);
    assert_int_equal(find(locked, ALICE, 3), 0);
    session_end_key(&s, SESSION_KEY_REGISTRY);
    s.keys[SESSION_KEY_REGISTRY] = macs[1];
    assert_int_equal(find(open, ALICE, 4), SESSION_BAD);
    assert_int_equal(find(locked, ALICE, 4), 0);
    s.keys[SESSION_KEY_PROCESS] = macs[1]; /* another key does not open it */
    assert_int_equal(find(locked, ALICE, 5), SESSION_BAD);
}

static void test_no_key_at_all(void **state)
{
    (void)state;
    make(ALICE, 0);
    memset(s.keys, 0, sizeof s.keys);
    assert_int_equal(find(token, ALICE, 1), SESSION_BAD);
}

static void test_handles(void **state)
{
    char id[SESSION_ID_BYTES + 1];
    (void)state;
    struct session *row = make(ALICE, 0);
    session_id(row, id);
    assert_ptr_equal(session_of_id(&s, bytes_of_text(id), ALICE, at(1)), row);
    assert_null(session_of_id(&s, bytes_of_text(token), ALICE, at(1)));
    assert_null(session_of_id(&s, BYTES_NONE, ALICE, at(1)));
    assert_null(session_of_id(&s, BYTES_LITERAL("zzzzzzzzzzzzzzzz"), ALICE, at(1)));
    assert_null(session_of_id(&s, bytes_of_text(id), ALICE, at(3600)));
}

static int make_keys(void **state)
{
    (void)state;
    assert_true(crypt_start() >= 0);
    for (size_t i = 0; i < COUNT_OF(macs); i++) {
        struct secret key;
        assert_int_equal(secret_init(&key, DIGEST_BYTES), 0);
        key.p[0] = (uint8_t)(i + 1);
        assert_int_equal(digest_mac_new(&key, &macs[i]), 0);
        secret_fini(&key);
    }
    return 0;
}

static int drop_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(macs); i++)
        macs[i] = digest_mac_free(macs[i]);
    return 0;
}

int main(void)
{
#define FRESH(test) cmocka_unit_test_setup(test, set_up)
    const struct CMUnitTest tests[] = {
        FRESH(test_token),
        FRESH(test_every_digit_matters),
        FRESH(test_malformed),
        FRESH(test_bound_to_the_uid),
        FRESH(test_idle),
        FRESH(test_absolute),
        FRESH(test_left),
        FRESH(test_limits_may_change),
        FRESH(test_share_ends_the_one_used_longest_ago),
        FRESH(test_full_table),
        FRESH(test_same_selector),
        FRESH(test_end),
        FRESH(test_turn_taken_back),
        FRESH(test_eviction_taken_back),
        FRESH(test_keys),
        FRESH(test_no_key_at_all),
        FRESH(test_handles),
    };
    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
