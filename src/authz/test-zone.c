/*
 * Tests of time zones: which rules parse and how they print, then local time against the C library, which has an
 * implementation of its own, over 130 years and around every change; and what the library does not do, by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "authz/zone.h"
#include "base/clock.h"
#include "fail-alloc.h"

static const char *const rules[] = {
    "UTC",
    "GMT0",
    "EST5",
    "<+0530>-5:30",
    "<-00>0",
    "CET-1CEST,M3.5.0,M10.5.0/3",                   /* Berlin */
    "GMT0BST,M3.5.0/1,M10.5.0",                     /* London */
    "IST-1GMT0,M10.5.0,M3.5.0/1",                   /* Dublin: winter is the exception */
    "EST5EDT,M3.2.0,M11.1.0",                       /* New York */
    "NST3:30NDT,M3.2.0,M11.1.0",                    /* St John's */
    "AEST-10AEDT,M10.1.0,M4.1.0/3",                 /* Sydney */
    "NZST-12NZDT,M9.5.0,M4.1.0/3",                  /* Auckland */
    "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",         /* Lord Howe: half an hour */
    "<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45", /* Chatham */
    "<-04>4<-03>,M9.1.6/24,M4.1.6/24",              /* Santiago */
    "<-03>3<-02>,M10.3.0/0,M2.5.0/0",               /* the last day of February may be the 29th */
    "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",              /* Nuuk: a change on the day before */
    "EET-2EEST,M3.5.4/50,M10.5.4/50",               /* Gaza: two days after */
    "IST-2IDT,M3.4.4/26,M10.5.0",                   /* Jerusalem */
    "EET-2EEST,M4.5.5/0,M10.5.4/24",                /* Cairo */
    "<+01>-1<+00>0,J60/3,J300/2",                   /* by day of the year */
    "AAA-3BBB,59/2:30:15,300/1:00:01",              /* where 29 February counts */
    "<-1234567>-9:59:59<+1234567>-12,J59,J306/0"    /* odd to the second, and on the day before 29 February */
};

/* Zone text to zone; the text must be good. */
static struct zone zone_of(const char *text)
{
    struct zone z = {0};
    if (!zone_parse(bytes_of_text(text), &z))
        fail_msg("refused: %s", text);
    return z;
}

static void assert_prints(const char *from, const char *wanted)
{
    struct zone z = zone_of(from);
    SCOPED(buf_fini) struct buf out;
    buf_init(&out, 256);
    assert_int_equal(zone_text(&out, &z), 0);
    if (!bytes_equal(buf_view(&out), bytes_of_text(wanted)))
        fail_msg("%s printed as %.*s", from, BYTES_PRINT(buf_view(&out)));
}

static void prints_the_shortest_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        if (i != COUNT_OF(rules) - 3)
            assert_prints(rules[i], rules[i]);
    }
    assert_prints("<+01>-1<+00>0,J60/3,J300/2", "<+01>-1<+00>0,J60/3,J300");
    assert_prints("UTC0", "UTC");
    assert_prints("<UTC>-00:00:00", "UTC");
    assert_prints("UTC1", "UTC1");
    assert_prints("<CET>-01:00<CEST>-2,M03.5.0/02:00,M10.5.0/+3:00:00", "CET-1CEST,M3.5.0,M10.5.0/3");
    assert_prints("EST+5EDT+4,M3.2.0,M11.1.0", "EST5EDT,M3.2.0,M11.1.0");
    assert_prints("EST5EDT,M3.2.0/-0,M11.1.0/002", "EST5EDT,M3.2.0/0,M11.1.0");
    assert_prints("EST5EDT,J001/167:59:59,000/-167:59:59", "EST5EDT,J1/167:59:59,0/-167:59:59");
    assert_prints("AAA24:59:59BBB-24:59:59,J1,J365", "AAA24:59:59BBB-24:59:59,J1,J365");
    assert_prints("ABCDEFGHIJKLMNOP1", "ABCDEFGHIJKLMNOP1");
}

static void refuses_malformed_rules(void **state)
{
    static const char *const bad[] = {"",
                                      "utc",
                                      "UTC ",
                                      "CET",
                                      "-1",
                                      ":Europe/Berlin",
                                      "Europe/Berlin",
                                      "CE-1",
                                      "ABCDEFGHIJKLMNOPQ1",
                                      "C1T-1",
                                      "<>1",
                                      "<AB>1",
                                      "<ABC1",
                                      "<A_C>1",
                                      "ABC>1",
                                      "CET-",
                                      "CET--1",
                                      "CET-25",
                                      "CET-001",
                                      "CET-1:",
                                      "CET-1:0",
                                      "CET-1:000",
                                      "CET-1:60",
                                      "CET-1:00:60",
                                      "CET-1:00:00:00",
                                      "CET-1 ",
                                      "CET-1CEST", /* no dates */
                                      "CET-1CEST,",
                                      "CET-1CEST,M3.5.0",
                                      "CET-1CEST,M3.5.0,",
                                      "CET-1CEST,M3.5.0,M10.5.0,",
                                      "CET-1CEST,M3.5.0,M10.5.0/",
                                      "CET-1CEST,M3.5.0,M10.5.0/3 ",
                                      "CET-1CEST,M3.5.0,M10.5.0/168",
                                      "CET-1CEST,M3.5.0,M10.5.0/-168",
                                      "CET-1CEST,M3.5.0,M10.5.0/0003",
                                      "CET-1CEST,M0.5.0,M10.5.0",
                                      "CET-1CEST,M13.5.0,M10.5.0",
                                      "CET-1CEST,M3.0.0,M10.5.0",
                                      "CET-1CEST,M3.6.0,M10.5.0",
                                      "CET-1CEST,M3.5.7,M10.5.0",
                                      "CET-1CEST,M3.5,M10.5.0",
                                      "CET-1CEST,m3.5.0,M10.5.0",
                                      "CET-1CEST,J0,M10.5.0",
                                      "CET-1CEST,J366,M10.5.0",
                                      "CET-1CEST,366,M10.5.0",
                                      "CET-1CEST,-1,M10.5.0",
                                      "CET-1CEST,J,M10.5.0",
                                      "CET-1CE,M3.5.0,M10.5.0",
                                      "CET-1,M3.5.0,M10.5.0",
                                      "CET-1CEST-25,M3.5.0,M10.5.0",
                                      "CET-1CEST,M3.5.0/2,M10.5.0/3/4"};
    struct zone z = {.offset_s = 77};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (zone_parse(bytes_of_text(bad[i]), &z))
            fail_msg("accepted: %s", bad[i]);
    }
    assert_false(zone_parse(BYTES_OF("UTC"), &z)); /* with the NUL */
    assert_false(zone_parse(BYTES_NONE, &z));
    assert_int_equal(z.offset_s, 77);
}

static void tells_utc_from_the_rest(void **state)
{
    struct zone z = zone_utc();
    (void)state;
    assert_true(zone_is_utc(&z));
    z = zone_of("UTC0");
    assert_true(zone_is_utc(&z));
    z = zone_of("GMT0");
    assert_false(zone_is_utc(&z));
    z = zone_of("UTC1");
    assert_false(zone_is_utc(&z));
    z = zone_of("UTC0BST,M3.5.0/1,M10.5.0");
    assert_false(zone_is_utc(&z));
}

static void printing_passes_faults_up(void **state)
{
    struct zone z = zone_of("CET-1CEST-3,M3.5.0,J300/3");
    (void)state;
    for (size_t max = 1; max < sizeof "CET-1CEST-3,M3.5.0,J300/3" - 1; max++) {
        struct buf out;
        buf_init(&out, max);
        assert_int_equal(zone_text(&out, &z), FAULT_LIMIT);
        buf_fini(&out);
    }
    int r = 0;
    EACH_ALLOC_FAILURE({
        struct buf out;
        buf_init(&out, 64);
        r = zone_text(&out, &z);
        buf_fini(&out);
        if (r != 0)
            assert_int_equal(r, -ENOMEM);
    });
    assert_int_equal(r, 0);
}

/* ---- against the C library --------------------------------------------------------------------------------- */

static void assert_as_the_library(const char *rule, const struct zone *z, int64_t t)
{
    time_t seconds = (time_t)t;
    struct tm tm;
    assert_non_null(localtime_r(&seconds, &tm));
    struct zone_local local = zone_local(z, t);
    int32_t second = tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec;
    if (zone_offset(z, t) != tm.tm_gmtoff || (int32_t)local.second != second ||
        local.week != (unsigned)(tm.tm_wday + 6) % 7)
        fail_msg("%s at %lld: offset %d, the library says %ld", rule, (long long)t, zone_offset(z, t), tm.tm_gmtoff);
}

/* The first second in (from, to] of which the offset is that of `to`. */
static int64_t find_change(const struct zone *z, int64_t from, int64_t to)
{
    int32_t after = zone_offset(z, to);
    while (to - from > 1) {
        int64_t middle = from + (to - from) / 2;
        if (zone_offset(z, middle) == after)
            to = middle;
        else
            from = middle;
    }
    return to;
}

static void agrees_with_the_c_library(void **state)
{
    enum { STEP_S = 11 * 3600 + 13 * 60 + 7 };
    const int64_t end = INT64_C(130) * 366 * 86400;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        struct zone z = zone_of(rules[i]);
        size_t changes = 0;
        assert_int_equal(setenv("TZ", i == 0 ? "UTC0" : rules[i], 1), 0);
        tzset();
        for (int64_t t = 0; t < end; t += STEP_S) {
            assert_as_the_library(rules[i], &z, t);
            if (zone_offset(&z, t) == zone_offset(&z, t + STEP_S))
                continue;
            int64_t change = find_change(&z, t, t + STEP_S);
            assert_as_the_library(rules[i], &z, change - 1);
            assert_as_the_library(rules[i], &z, change);
            assert_as_the_library(rules[i], &z, change + 1);
            changes++;
        }
        assert_true(changes == 0 ? !z.has_dst : changes >= 2 * 129 && changes <= 2 * 131);
    }
}

/* ---- by hand ----------------------------------------------------------------------------------------------- */

static int64_t instant(const char *text)
{
    struct wall_time t = {0};
    assert_true(clock_wall_parse(text, &t));
    return t.us / US_PER_S;
}

static void assert_offset(const char *rule, const char *when, int32_t wanted_s)
{
    struct zone z = zone_of(rule);
    int32_t s = zone_offset(&z, instant(when));
    if (s != wanted_s)
        fail_msg("%s at %s: %d", rule, when, s);
}

static void changes_at_the_second(void **state)
{
    static const char berlin[] = "CET-1CEST,M3.5.0,M10.5.0/3", dublin[] = "IST-1GMT0,M10.5.0,M3.5.0/1",
                      lord_howe[] = "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0";
    (void)state;
    assert_offset(berlin, "2026-03-29T00:59:59Z", 3600);
    assert_offset(berlin, "2026-03-29T01:00:00Z", 7200);
    assert_offset(berlin, "2026-10-25T00:59:59Z", 7200);
    assert_offset(berlin, "2026-10-25T01:00:00Z", 3600);
    assert_offset(dublin, "2026-03-29T00:59:59Z", 0);
    assert_offset(dublin, "2026-03-29T01:00:00Z", 3600);
    assert_offset(dublin, "2026-10-25T00:59:59Z", 3600);
    assert_offset(dublin, "2026-10-25T01:00:00Z", 0);
    assert_offset(dublin, "2026-12-31T23:59:59Z", 0);
    assert_offset(dublin, "2027-01-01T00:00:00Z", 0);
    assert_offset(lord_howe, "2026-04-04T14:59:59Z", 39600);
    assert_offset(lord_howe, "2026-04-04T15:00:00Z", 37800);
    assert_offset(lord_howe, "2026-10-03T15:29:59Z", 37800);
    assert_offset(lord_howe, "2026-10-03T15:30:00Z", 39600);
}

/* RFC 8536 section 3.3.1: "EST5EDT,0/0,J365/25 ... daylight saving time all year"; the year must have no seam. */
static void daylight_saving_may_last_all_year(void **state)
{
    struct zone z = zone_of("EST5EDT,0/0,J365/25"), west = zone_of("<-03>3<-02>,J1/0,J365/25");
    (void)state;
    for (int64_t t = instant("2024-12-30T00:00:00Z"); t < instant("2029-01-03T00:00:00Z"); t += 599) {
        assert_int_equal(zone_offset(&z, t), -4 * 3600);
        assert_int_equal(zone_offset(&west, t), -2 * 3600);
    }
}

/* A change may stand a week before or after its day, in another year than its day. */
static void changes_cross_the_year(void **state)
{
    static const char early[] = "AAA0BBB,J1/-167,J100/0", late[] = "AAA0BBB,J200/0,J365/167",
                      both[] = "AAA0BBB,J365/167,J1/-167", long_before[] = "AAA0BBB,J365/167,J365/96";
    (void)state;
    assert_offset(early, "2026-12-25T00:59:59Z", 0);
    assert_offset(early, "2026-12-25T01:00:00Z", 3600);
    assert_offset(early, "2027-01-01T00:00:00Z", 3600);
    assert_offset(early, "2027-04-09T22:59:59Z", 3600);
    assert_offset(early, "2027-04-09T23:00:00Z", 0);
    assert_offset(late, "2026-07-18T23:59:59Z", 0);
    assert_offset(late, "2026-07-19T00:00:00Z", 3600);
    assert_offset(late, "2027-01-06T21:59:59Z", 3600); /* 167 h after the midnight that began 31 December, less one */
    assert_offset(late, "2027-01-06T22:00:00Z", 0);
    assert_offset(both, "2027-01-06T22:59:59Z", 0);
    assert_offset(both, "2027-01-06T23:00:00Z", 3600);
    assert_offset(both, "2027-12-25T00:00:00Z", 0);
    assert_offset(both, "2027-12-24T23:59:59Z", 3600);
    assert_offset(long_before, "2027-01-03T22:59:59Z", 3600); /* since the start of 2025, which was in January 2026 */
    assert_offset(long_before, "2027-01-03T23:00:00Z", 0);
    assert_offset(long_before, "2027-01-06T22:59:59Z", 0);
    assert_offset(long_before, "2027-01-06T23:00:00Z", 3600);
}

static void an_empty_summer_is_none(void **state)
{
    struct zone z = zone_of("AAA0BBB,J100/0,J100/1");
    (void)state;
    for (int64_t t = 0; t < INT64_C(4) * 365 * 86400; t += 7200)
        assert_int_equal(zone_offset(&z, t), 0);
}

static void knows_days_before_and_far_from_1970(void **state)
{
    static const int64_t far[] = {INT64_MIN / US_PER_S, INT64_MIN / US_PER_S - 1, INT64_MAX / US_PER_S, 0, -1};
    struct zone z = zone_of("CET-1CEST,M3.5.0,M10.5.0/3"), utc = zone_utc();
    (void)state;
    struct zone_local l = zone_local(&utc, -1);
    assert_int_equal(l.day, -1);
    assert_int_equal(l.second, 86399);
    assert_int_equal(l.week, 2); /* a Wednesday */
    l = zone_local(&utc, 0);
    assert_int_equal(l.day, 0);
    assert_int_equal(l.second, 0);
    assert_int_equal(l.week, 3);
    l = zone_local(&z, instant("0000-01-01T00:00:00Z")); /* a Saturday, of a leap year */
    assert_int_equal(l.week, 5);
    assert_int_equal(l.second, 3600);
    for (size_t i = 0; i < COUNT_OF(far); i++) {
        l = zone_local(&z, far[i]);
        int64_t back = l.day * 86400 + l.second;
        assert_true(back == far[i] + 3600 || back == far[i] + 7200);
        assert_true(l.week < 7 && l.second < 86400);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_the_shortest_text),          cmocka_unit_test(refuses_malformed_rules),
        cmocka_unit_test(tells_utc_from_the_rest),           cmocka_unit_test(printing_passes_faults_up),
        cmocka_unit_test(agrees_with_the_c_library),         cmocka_unit_test(changes_at_the_second),
        cmocka_unit_test(daylight_saving_may_last_all_year), cmocka_unit_test(changes_cross_the_year),
        cmocka_unit_test(an_empty_summer_is_none),           cmocka_unit_test(knows_days_before_and_far_from_1970),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
