/* Tests of path, value and outcome: the pure parts of the registry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "model/outcome.h"
#include "model/path.h"
#include "model/value.h"

static bool good(const char *path)
{
    const char *why;
    bool is_good = path_check(bytes_of_text(path), &why);
    assert_true(is_good == (why == NULL));
    return is_good;
}

static void paths_have_one_form(void **state)
{
    static const char *const bad[] = {"",
                                      "/",
                                      "registry",
                                      "/registry/",
                                      "/registry//system",
                                      "//registry/system",
                                      "/registry/system/",
                                      "/registry/system/.",
                                      "/registry/system/..",
                                      "/registry/system/a/../b",
                                      "/Registry/system",
                                      "/registry/other",
                                      "/registry/systems/a",
                                      "/registry/system/a b",
                                      "/registry/system/a*",
                                      "/registry/system/a%2fb",
                                      "/registry/system/a\\b",
                                      "/registry/system/a\tb",
                                      "/registry/system/\xff",
                                      "/registry/system/\xc0\xaf",
                                      "/registry/system/e\xcc\x81",
                                      "/registry/system/a\xe2\x80\x8b",
                                      "/registry/system/\xef\xbc\xa1",
                                      "/etc/passwd"};
    static const char *const fine[] = {"/registry",
                                       "/registry/system",
                                       "/registry/user/alice",
                                       "/registry/security/a/b",
                                       "/registry/applications/web/port",
                                       "/registry/system/a.b_c@d:e+f-g",
                                       "/registry/system/...",
                                       "/registry/system/.a",
                                       "/registry/system/gr\xc3\xb6\xc3\x9f\x65",
                                       "/registry/system/\xe4\xb8\xad",
                                       "/registry/system/A"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(good(bad[i]));
    for (size_t i = 0; i < COUNT_OF(fine); i++)
        assert_true(good(fine[i]));
    assert_false(path_check(bytes_of("/registry/system/a\0b", 20), &(const char *){NULL}));
}

static void limits_are_exact(void **state)
{
    char path[600];
    (void)state;
    for (int n = 254; n <= 256; n++) {
        snprintf(path, sizeof path, "/registry/system/%0*d", n, 0);
        assert_int_equal(good(path), n <= PATH_COMPONENT_MAX_BYTES);
    }
    for (int total = 511; total <= 513; total++) {
        snprintf(path, sizeof path, "/registry/system/%0250d/%0*d", 0, total - 268, 0);
        assert_int_equal(strlen(path), total);
        assert_int_equal(good(path), total <= PATH_MAX_BYTES);
    }
    snprintf(path, sizeof path, "/registry/system");
    for (int depth = 3; depth <= 33; depth++) {
        strcat(path, "/a");
        assert_int_equal(good(path), depth <= PATH_DEPTH_MAX_COUNT);
    }
}

static void parts_of_a_path(void **state)
{
    struct bytes p = BYTES_LITERAL("/registry/user/alice/a"), rest = p;
    (void)state;
    assert_true(bytes_equal(path_next(&rest), BYTES_LITERAL("registry")));
    assert_true(bytes_equal(rest, BYTES_LITERAL("/user/alice/a")));
    assert_true(bytes_equal(path_parent(p), BYTES_LITERAL("/registry/user/alice")));
    assert_true(bytes_equal(path_name(p), BYTES_LITERAL("a")));
    assert_true(bytes_equal(path_owner(p), BYTES_LITERAL("alice")));
    assert_true(bytes_equal(path_owner(BYTES_LITERAL("/registry/user/alice")), BYTES_LITERAL("alice")));
    assert_int_equal(path_owner(BYTES_LITERAL("/registry/user")).n, 0);
    assert_int_equal(path_owner(BYTES_LITERAL("/registry/system/user/x")).n, 0);
    assert_int_equal(path_parent(BYTES_LITERAL("/registry")).n, 0);
    assert_true(path_is_root(BYTES_LITERAL("/registry")) && path_is_root(BYTES_LITERAL("/registry/user")));
    assert_false(path_is_root(p) || path_is_root(BYTES_LITERAL("/registry/users")));
    assert_true(path_is_within(p, p) && path_is_within(p, BYTES_LITERAL("/registry/user")));
    assert_false(path_is_within(BYTES_LITERAL("/registry/systema"), BYTES_LITERAL("/registry/system")));
}

static bool fits(unsigned type, const char *value)
{
    const char *why;
    char text[160];
    bool is_good = value_check(type, bytes_of_text(value), &why);
    assert_true(is_good == (why == NULL));
    return is_good && value_check_json(type, bytes_of_text(value), text, sizeof text);
}

static void values_fit_their_type_or_not(void **state)
{
    (void)state;
    assert_true(fits(VALUE_STRING, "") && fits(VALUE_STRING, "gr\xc3\xb6\xc3\x9f\x65\n\t"));
    assert_false(fits(VALUE_STRING, "\xff") || value_check(VALUE_STRING, bytes_of("a\0b", 3), &(const char *){NULL}));
    assert_true(value_check(VALUE_BINARY, bytes_of("a\0\xff", 3), &(const char *){NULL}));
    assert_true(fits(VALUE_INTEGER, "0") && fits(VALUE_INTEGER, "-9223372036854775808"));
    assert_false(fits(VALUE_INTEGER, "") || fits(VALUE_INTEGER, "9223372036854775808") || fits(VALUE_INTEGER, "01") ||
                 fits(VALUE_INTEGER, "+1") || fits(VALUE_INTEGER, " 1") || fits(VALUE_INTEGER, "-0") ||
                 fits(VALUE_INTEGER, "0x1"));
    assert_true(fits(VALUE_BOOLEAN, "true") && fits(VALUE_BOOLEAN, "false"));
    assert_false(fits(VALUE_BOOLEAN, "True") || fits(VALUE_BOOLEAN, "1") || fits(VALUE_BOOLEAN, ""));
    assert_true(fits(VALUE_FLOAT, "1.5") && fits(VALUE_FLOAT, "-0") && fits(VALUE_FLOAT, "1e308"));
    assert_false(fits(VALUE_FLOAT, "1e309") || fits(VALUE_FLOAT, "nan") || fits(VALUE_FLOAT, ".5") ||
                 fits(VALUE_FLOAT, "1,5"));
    assert_true(fits(VALUE_JSON, "{\"a\":[1,null]}") && fits(VALUE_JSON, "3") && fits(VALUE_LIST, "[]") &&
                fits(VALUE_LIST, "[\"a\",\"b\"]"));
    assert_false(fits(VALUE_JSON, "{") || fits(VALUE_JSON, "") || fits(VALUE_JSON, "{\"a\":1,\"a\":2}") ||
                 fits(VALUE_LIST, "{}") || fits(VALUE_LIST, "[1]") || fits(VALUE_LIST, "\"a\""));
    assert_false(fits(0, "a") || fits(8, "a"));
}

static void values_have_a_largest_size(void **state)
{
    static uint8_t large[VALUE_MAX_BYTES + 1];
    const char *why;
    (void)state;
    assert_true(value_check(VALUE_BINARY, bytes_of(large, VALUE_MAX_BYTES), &why));
    assert_false(value_check(VALUE_BINARY, bytes_of(large, VALUE_MAX_BYTES + 1), &why));
}

static void type_names_are_a_bijection(void **state)
{
    (void)state;
    for (unsigned type = 1; type <= 7; type++) {
        assert_int_equal(value_type_of(bytes_of_text(value_type_text(type))), type);
        assert_non_null(value_type_media(type));
    }
    assert_null(value_type_text(0));
    assert_null(value_type_media(8));
    assert_int_equal(value_type_of(BYTES_LITERAL("String")), 0);
}

static void outcomes_have_one_row_each(void **state)
{
    (void)state;
    for (unsigned i = 0; i < OUTCOME_COUNT; i++) {
        assert_int_equal(outcome_of_code(bytes_of_text(outcome_code(i))), i);
        assert_true(outcome_status(i) >= 200 && outcome_status(i) < 600);
        assert_true(outcome_exit(i) >= 0 && outcome_exit(i) <= 9);
        assert_true((outcome_exit(i) == 0) == (i == OUTCOME_DONE));
        assert_true(strlen(outcome_text(i)) > 0);
    }
    assert_int_equal(outcome_of_code(BYTES_LITERAL("nothing")), OUTCOME_COUNT);
    assert_string_equal(outcome_code(9999), "internal");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_have_one_form),
        cmocka_unit_test(limits_are_exact),
        cmocka_unit_test(parts_of_a_path),
        cmocka_unit_test(values_fit_their_type_or_not),
        cmocka_unit_test(values_have_a_largest_size),
        cmocka_unit_test(type_names_are_a_bijection),
        cmocka_unit_test(outcomes_have_one_row_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
