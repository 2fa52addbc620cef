/* Tests of num: canonical text only, the ends of each range, the number grammar of RFC 8259. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <math.h>
#include <string.h>

#include "base/num.h"

static void test_u64(void **state)
{
    static const struct {
        const char *text;
        uint64_t max, number;
    } good[] = {
        {"0", 0, 0},
        {"7", 7, 7},
        {"10", UINT64_MAX, 10},
        {"18446744073709551615", UINT64_MAX, UINT64_MAX},
        {"18446744073709551614", UINT64_MAX - 1, UINT64_MAX - 1},
        {"9999999999999999999", UINT64_MAX, UINT64_C(9999999999999999999)},
    };
    static const struct {
        const char *text;
        uint64_t max;
    } bad[] = {
        {"", 9},
        {" 1", 9},
        {"1 ", 9},
        {"+1", 9},
        {"-1", 9},
        {"-0", 9},
        {"00", 9},
        {"01", 9},
        {"0x1", 9},
        {"1e3", 9},
        {"1.0", 9},
        {"8", 7},
        {"1_0", 99},
        {"\xd9\xa1", 9},
        {"a", 9},
        {":", 9},
        {"/", 9},
        {"1\n", 9},
        {"256", 255},
        {"18446744073709551616", UINT64_MAX},  /* one more than fits: the sum wraps */
        {"99999999999999999999", UINT64_MAX},  /* the product wraps */
        {"184467440737095516150", UINT64_MAX}, /* 21 digits */
        {"18446744073709551615", UINT64_MAX - 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        uint64_t n = 77;
        assert_true(num_parse_u64(bytes_of_text(good[i].text), good[i].max, &n));
        assert_true(n == good[i].number);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        uint64_t n = 77;
        if (num_parse_u64(bytes_of_text(bad[i].text), bad[i].max, &n) || n != 77)
            fail_msg("accepted: %s", bad[i].text);
    }
    uint64_t n = 77;
    assert_false(num_parse_u64(bytes_of("1\0", 2), 9, &n)); /* the whole run, NUL included */
    assert_false(num_parse_u64(BYTES_NONE, 9, &n));
}

static void test_i64(void **state)
{
    static const struct {
        const char *text;
        int64_t number;
    } good[] = {
        {"0", 0},
        {"-1", -1},
        {"42", 42},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"-9223372036854775807", INT64_MIN + 1},
    };
    static const char *const bad[] = {"",
                                      "-",
                                      "-0",
                                      "--1",
                                      "+1",
                                      "- 1",
                                      "1-",
                                      "-01",
                                      "00",
                                      " 1",
                                      "-1 ",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "-99999999999999999999",
                                      "0-1"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        int64_t n = 77;
        assert_true(num_parse_i64(bytes_of_text(good[i].text), &n));
        assert_true(n == good[i].number);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int64_t n = 77;
        if (num_parse_i64(bytes_of_text(bad[i]), &n) || n != 77)
            fail_msg("accepted: %s", bad[i]);
    }
}

static void test_f64(void **state)
{
    static const struct {
        const char *text;
        double number;
    } good[] = {
        {"0", 0.0},       {"-0", -0.0},
        {"1", 1.0},       {"-1.5", -1.5},
        {"0.1", 0.1},     {"10.25", 10.25},
        {"1e3", 1000.0},  {"1E+3", 1000.0},
        {"1e-3", 0.001},  {"-2.5e-1", -0.25},
        {"1e308", 1e308}, {"4.9406564584124654e-324", 4.9406564584124654e-324},
        {"1e-999", 0.0},  {"1.7976931348623157e308", 1.7976931348623157e308},
        {"0e0", 0.0},     {"0.0e-00", 0.0},
    };
    static const char *const bad[] = {
        "",    "-",    "+1",    ".5",     "5.", "-.5", "01",   "-01",  "00",    "1e",   "1e+",      "1e-",
        "e1",  "1.e1", "1.5.",  "1,5",    " 1", "1 ",  "1e 1", "0x10", "0x1p3", "inf",  "Infinity", "nan",
        "NaN", "-inf", "1e400", "-1e400", "1f", "1_0", "--1",  "1.-5", "1e1.5", "1ee1", "\xd9\xa1", "1\n",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        double d = 77.0;
        assert_true(num_parse_f64(bytes_of_text(good[i].text), &d));
        assert_memory_equal(&d, &good[i].number, sizeof d); /* the sign of zero counts */
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        double d = 77.0;
        if (num_parse_f64(bytes_of_text(bad[i]), &d) || d < 77.0 || d > 77.0)
            fail_msg("accepted: %s", bad[i]);
    }
}

static void test_f64_length(void **state)
{
    char text[66];
    double d = 0.0;
    (void)state;
    memset(text, '1', sizeof text);
    assert_true(num_parse_f64(bytes_of(text, 64), &d));
    assert_true(d > 1.1e63 && d < 1.2e63);
    assert_false(num_parse_f64(bytes_of(text, 65), &d));
    assert_true(num_parse_f64(bytes_of(text, 1), &d)); /* no more than the view is read */
    assert_true(d > 0.9 && d < 1.1);
}

/* A locale with a decimal comma, where there is one, changes nothing. */
static void test_f64_locale(void **state)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "C.UTF-8"};
    double d = 0.0;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names) && setlocale(LC_ALL, names[i]) == NULL; i++)
        continue;
    assert_true(num_parse_f64(BYTES_LITERAL("1.5"), &d));
    assert_true(d > 1.4 && d < 1.6);
    assert_false(num_parse_f64(BYTES_LITERAL("1,5"), &d));
    assert_non_null(setlocale(LC_ALL, "C"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_u64),        cmocka_unit_test(test_i64),        cmocka_unit_test(test_f64),
        cmocka_unit_test(test_f64_length), cmocka_unit_test(test_f64_locale),
    };
    return cmocka_run_group_tests_name("base/num", tests, NULL, NULL);
}
