/* Tests of clock: text and back over ten thousand years, strict reading, saturating sums, two clocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "base/clock.h"

static void assert_shows(int64_t us, const char *expected)
{
    char text[CLOCK_TEXT_BYTES];
    clock_wall_text((struct wall_time){us}, text);
    assert_string_equal(text, expected);
}

static void test_text(void **state)
{
    (void)state;
    assert_shows(0, "1970-01-01T00:00:00.000Z");
    assert_shows(-1, "1969-12-31T23:59:59.999Z");
    assert_shows(999, "1970-01-01T00:00:00.000Z"); /* cut, not rounded */
    assert_shows(1000, "1970-01-01T00:00:00.001Z");
    assert_shows(INT64_C(951782400) * US_PER_S, "2000-02-29T00:00:00.000Z");
    assert_shows(INT64_C(951868800) * US_PER_S, "2000-03-01T00:00:00.000Z");
    assert_shows(INT64_C(1769860800) * US_PER_S + 123456, "2026-01-31T12:00:00.123Z");
    assert_shows(INT64_C(4107542399) * US_PER_S, "2100-02-28T23:59:59.000Z");
    assert_shows(INT64_C(4107542400) * US_PER_S, "2100-03-01T00:00:00.000Z");
    assert_shows(INT64_C(-62167219200) * US_PER_S, "0000-01-01T00:00:00.000Z");
    assert_shows(INT64_C(253402300800) * US_PER_S - 1, "9999-12-31T23:59:59.999Z");
}

static void test_text_outside_the_calendar(void **state)
{
    (void)state;
    assert_shows(INT64_C(-62167219200) * US_PER_S - 1, "0000-01-01T00:00:00.000Z");
    assert_shows(INT64_MIN, "0000-01-01T00:00:00.000Z");
    assert_shows(INT64_C(253402300800) * US_PER_S, "9999-12-31T23:59:59.999Z");
    assert_shows(INT64_MAX, "9999-12-31T23:59:59.999Z");
}

static void test_parse(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:00.0Z", 0},
        {"1970-01-01T00:00:00.5Z", 500000},
        {"1970-01-01T00:00:00.05Z", 50000},
        {"1970-01-01T00:00:00.005Z", 5000},
        {"1969-12-31T23:59:59.999Z", -1000},
        {"2000-02-29T00:00:00Z", INT64_C(951782400) * US_PER_S},
        {"2026-01-31T12:00:00.123Z", INT64_C(1769860800) * US_PER_S + 123000},
        {"0000-01-01T00:00:00Z", INT64_C(-62167219200) * US_PER_S},
        {"0000-02-29T00:00:00Z", INT64_C(-62162121600) * US_PER_S},
        {"9999-12-31T23:59:59.999Z", INT64_C(253402300800) * US_PER_S - 1000},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct wall_time t = {-7};
        assert_true(clock_wall_parse(cases[i].text, &t));
        assert_int_equal(t.us, cases[i].us);
    }
}

static void test_parse_refuses(void **state)
{
    static const char *const bad[] = {
        "",
        "2026",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-01-31T12:00:00z",
        "2026-01-31t12:00:00Z",
        "2026-01-31 12:00:00Z",
        " 2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00Z ",
        "2026-01-31T12:00:00ZZ",
        "2026-01-31T12:00:00+00:00",
        "2026-01-31T12:00Z",
        "2026-01-31T12:00:00.Z",
        "2026-01-31T12:00:00.1234Z",
        "2026-01-31T12:00:00.-12Z",
        "2026-01-31T12:00:00. 1Z",
        "2026-01-31T12:00:00,123Z",
        "2026-01-31T12:00:00.123",
        "26-01-31T12:00:00Z",
        "02026-01-31T12:00:00Z",
        "-026-01-31T12:00:00Z",
        "+026-01-31T12:00:00Z",
        "2026-1-31T12:00:00Z",
        "2026-01-1T12:00:00Z",
        "2026-01-31T1:00:00Z",
        "2026-01-31T 1:00:00Z",
        "2026-01-31T+1:00:00Z",
        "2026-01-31T12:0:00Z",
        "2026-01-31T12:00:0Z",
        "2026-00-01T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-32T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2000-02-30T00:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T23:60:00Z",
        "2026-01-31T23:59:60Z",
        "2026-01-31T23:59:99.999Z",
        "2026/01/31T12:00:00Z",
        "0x26-01-31T12:00:00Z",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct wall_time t = {-7};
        if (clock_wall_parse(bad[i], &t) || t.us != -7)
            fail_msg("accepted: %s", bad[i]);
    }
}

/* Every day of the calendar, and an odd time in each: text and back, and libc agrees about the date. */
static void test_every_day(void **state)
{
    char text[CLOCK_TEXT_BYTES], expected[CLOCK_TEXT_BYTES];
    (void)state;
    for (int64_t day = -719528; day < 2932897; day += 1 + (day % 97 != 0) * 6) {
        struct wall_time t = {(day * 86400 + (day & 0x3fff) + 1) * US_PER_S + 7000}, back;
        time_t s = (time_t)(t.us - 7000) / US_PER_S;
        struct tm tm;
        clock_wall_text(t, text);
        assert_true(clock_wall_parse(text, &back));
        assert_int_equal(back.us, t.us);
        assert_non_null(gmtime_r(&s, &tm));
        assert_true(strftime(expected, sizeof expected, "-%m-%dT%H:%M:%S.007Z", &tm) > 0);
        assert_string_equal(text + 4, expected);
    }
}

static void test_sums(void **state)
{
    (void)state;
    assert_int_equal(clock_mono_add((struct mono_time){5}, 7).us, 12);
    assert_int_equal(clock_mono_add((struct mono_time){5}, -7).us, -2);
    assert_int_equal(clock_mono_add((struct mono_time){5}, INT64_MAX).us, INT64_MAX);
    assert_int_equal(clock_mono_add((struct mono_time){-5}, INT64_MIN).us, INT64_MIN);
    assert_true(clock_mono_passed((struct mono_time){5}, (struct mono_time){5}));
    assert_true(clock_mono_passed((struct mono_time){6}, (struct mono_time){5}));
    assert_false(clock_mono_passed((struct mono_time){4}, (struct mono_time){5}));
}

static void test_now(void **state)
{
    struct timespec wall, boot;
    (void)state;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &wall), 0);
    assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &boot), 0);
    struct mono_time first = clock_mono_now(), second = clock_mono_now();
    assert_true(first.us >= (int64_t)boot.tv_sec * US_PER_S + boot.tv_nsec / 1000);
    assert_true(second.us >= first.us);
    assert_true(first.us - (int64_t)boot.tv_sec * US_PER_S < 60 * US_PER_S);
    int64_t off = clock_wall_now().us - (int64_t)wall.tv_sec * US_PER_S;
    assert_true(off >= -60 * US_PER_S && off < 60 * US_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),      cmocka_unit_test(test_text_outside_the_calendar),
        cmocka_unit_test(test_parse),     cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_every_day), cmocka_unit_test(test_sums),
        cmocka_unit_test(test_now),
    };
    return cmocka_run_group_tests_name("base/clock", tests, NULL, NULL);
}
