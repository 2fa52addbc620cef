/* Tests of json: what is refused and where, what access gives, bounds before Jansson, and memory that is wiped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fail-alloc.h"
#include "wire/json.h"

static struct json *parsed(const char *text)
{
    struct json *j = NULL;
    char why[100] = "";
    if (json_parse(bytes_of_text(text), &j, why, sizeof why) != 0)
        fail_msg("%s: %s", text, why);
    assert_non_null(j);
    return j;
}

static void assert_prints(const char *text, const char *expected)
{
    struct buf b;
    struct json *j = parsed(text);
    buf_init(&b, 1 << 21);
    assert_int_equal(json_print(&b, j), 0);
    assert_true(bytes_equal(buf_view(&b), bytes_of_text(expected)));
    json_free(j);
    buf_fini(&b);
}

static void any_kind_may_stand_at_the_top(void **state UNUSED)
{
    assert_prints("null", "null");
    assert_prints(" true\n", "true");
    assert_prints("false", "false");
    assert_prints("\"\\u00e4\\/\\n\"", "\"\xc3\xa4/\\n\"");
    assert_prints("-9223372036854775808", "-9223372036854775808");
    assert_prints("9223372036854775807", "9223372036854775807");
    assert_prints("1.5e2", "150.0");
    assert_prints("[ ]", "[]");
    assert_prints("{ }", "{}");
}

static void keys_keep_the_order_of_the_text(void **state UNUSED)
{
    assert_prints("{\"z\": 1, \"a\": [1, {\"y\": null, \"b\": \"x\"}], \"m\": -0}", /* -0 is the integer 0 */
                  "{\"z\":1,\"a\":[1,{\"y\":null,\"b\":\"x\"}],\"m\":0}");
}

static void values_are_reached(void **state UNUSED)
{
    struct json *j = parsed("{\"t\":\"a\\tb\",\"i\":-5,\"r\":0.25,\"b\":true,\"n\":null,\"l\":[1,2],\"m\":{}}");
    assert_int_equal(json_kind(j), JSON_KIND_MAP);
    assert_int_equal(json_count(j), 7);
    assert_int_equal(json_kind(json_get(j, "t")), JSON_KIND_TEXT);
    assert_true(bytes_equal(json_text(json_get(j, "t")), BYTES_LITERAL("a\tb")));
    assert_int_equal(json_kind(json_get(j, "i")), JSON_KIND_INT);
    assert_true(json_int(json_get(j, "i")) == -5);
    assert_int_equal(json_kind(json_get(j, "r")), JSON_KIND_REAL);
    assert_true(json_float(json_get(j, "r")) == 0.25);
    assert_int_equal(json_kind(json_get(j, "b")), JSON_KIND_BOOL);
    assert_true(json_bool(json_get(j, "b")));
    assert_int_equal(json_kind(json_get(j, "n")), JSON_KIND_NULL);
    const struct json *l = json_get(j, "l");
    assert_int_equal(json_kind(l), JSON_KIND_LIST);
    assert_int_equal(json_count(l), 2);
    assert_true(json_int(json_at(l, 1)) == 2);
    assert_null(json_at(l, 2));
    assert_int_equal(json_count(json_get(j, "m")), 0);
    assert_null(json_get(j, "x"));
    assert_null(json_free(j));
}

static void a_wrong_kind_gives_nothing(void **state UNUSED)
{
    struct json *j = parsed("[1, \"x\"]");
    const struct json *number = json_at(j, 0), *text = json_at(j, 1);
    assert_null(json_get(j, "x"));
    assert_null(json_at(number, 0));
    assert_int_equal(json_count(number), 0);
    assert_int_equal(json_text(number).n, 0);
    assert_true(json_int(text) == 0);
    assert_true(json_float(number) == 0);
    assert_false(json_bool(number));
    assert_int_equal(json_kind(NULL), JSON_KIND_NULL);
    assert_int_equal(json_count(NULL), 0);
    assert_int_equal(json_text(NULL).n, 0);
    assert_null(json_free(NULL));
    json_free(j);
}

static int on_pair(struct bytes key, const struct json *value, void *arg)
{
    struct buf *out = arg;
    TRY(buf_append(out, key));
    TRY(buf_append_i64(out, json_int(value)));
    return json_int(value) == 3 ? 33 : 0;
}

static void each_follows_the_text_and_can_stop(void **state UNUSED)
{
    struct buf out;
    buf_init(&out, 100);
    struct json *j = parsed("{\"b\":2,\"a\":1,\"d\":4}");
    assert_int_equal(json_each(j, on_pair, &out), 0);
    json_free(j);
    j = parsed("{\"x\":1,\"y\":3,\"z\":5}");
    assert_int_equal(json_each(j, on_pair, &out), 33);
    assert_true(bytes_equal(buf_view(&out), BYTES_LITERAL("b2a1d4x1y3")));
    json_free(j);
    j = parsed("[1]");
    assert_int_equal(json_each(j, on_pair, &out), 0);
    json_free(j);
    buf_fini(&out);
}

static void assert_bad(struct bytes text, const char *expected)
{
    struct json *j = NULL;
    char why[100] = "";
    assert_int_equal(json_parse(text, &j, why, sizeof why), JSON_BAD);
    assert_null(j);
    assert_string_equal(why, expected);
    assert_int_equal(json_check(text, why, sizeof why), JSON_BAD);
}

static void bad_texts_are_refused_with_their_place(void **state UNUSED)
{
    assert_bad(BYTES_LITERAL(""), "line 1, column 1: the text ends too early");
    assert_bad(BYTES_LITERAL("{\n \"a\": 1,\n \"a\": 2}"), "line 3, column 5: a key stands twice in one map");
    assert_bad(BYTES_LITERAL("\"a\\u0000b\""), "line 1, column 11: a string holds a NUL");
    assert_bad(BYTES_LITERAL("{\"a\\u0000b\":1}"), "line 1, column 12: a key holds a NUL");
    assert_bad(BYTES_LITERAL("[1] 2"), "line 1, column 6: something follows the value");
    assert_bad(BYTES_LITERAL("[1"), "line 1, column 3: the text ends too early");
    assert_bad(BYTES_LITERAL("9223372036854775808"), "line 1, column 20: a number is out of range");
    assert_bad(BYTES_LITERAL("1e400"), "line 1, column 6: a number is out of range");
    assert_bad(BYTES_LITERAL("secret"), "line 1, column 7: this is not JSON"); /* and nothing of the text */
}

static void every_other_grammar_is_refused(void **state UNUSED)
{
    static const char *const bad[] = {"01",
                                      "+1",
                                      ".5",
                                      "1.",
                                      "NaN",
                                      "Infinity",
                                      "0x1",
                                      "'a'",
                                      "{a:1}",
                                      "[1,]",
                                      "[,1]",
                                      "{\"a\":1,}",
                                      "{\"a\"}",
                                      "{1:2}",
                                      "\"\\x41\"",
                                      "\"\\ud800\"",
                                      "\"a\nb\"",
                                      "nul",
                                      "TRUE",
                                      "[1 2]",
                                      "]",
                                      "}",
                                      "{]",
                                      "/**/1",
                                      "1//x",
                                      "\xef\xbb\xbf[1]",
                                      "\"\xff\"",
                                      "\"\xc0\x80\"",
                                      "\"\xed\xa0\x80\"",
                                      "\"",
                                      "\"\\",
                                      "tru\xc3"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        char why[100] = "";
        if (json_check(bytes_of_text(bad[i]), why, sizeof why) != JSON_BAD)
            fail_msg("text was not refused: %s", bad[i]);
        assert_memory_equal(why, "line ", 5);
    }
}

/* A NUL is never JSON; Jansson alone would let the first two pass. */
static void a_nul_is_refused_anywhere(void **state UNUSED)
{
    assert_bad(BYTES_LITERAL("1\0"), "line 1, column 2: the text holds a NUL");
    assert_bad(BYTES_LITERAL("[1\0,\n2]"), "line 1, column 3: the text holds a NUL");
    assert_bad(BYTES_LITERAL("\"\0\""), "line 1, column 2: the text holds a NUL");
    assert_bad(BYTES_LITERAL("[\n\0]"), "line 2, column 1: the text holds a NUL");
}

static int check_nested(size_t depth, char *why, size_t why_bytes)
{
    char text[200];
    for (size_t i = 0; i < depth; i++) {
        text[i] = '[';
        text[2 * depth - 1 - i] = ']';
    }
    return json_check(bytes_of(text, 2 * depth), why, why_bytes);
}

static void depth_has_a_maximum(void **state UNUSED)
{
    char why[100];
    assert_int_equal(check_nested(JSON_DEPTH_MAX_COUNT, why, sizeof why), 0);
    assert_int_equal(check_nested(JSON_DEPTH_MAX_COUNT + 1, why, sizeof why), JSON_BAD);
    assert_string_equal(why, "line 1, column 33: there are too many levels");
    assert_int_equal(json_check(BYTES_LITERAL("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\""), why, sizeof why), 0);
}

static int check_list(size_t count, const char *element, char *why, size_t why_bytes)
{
    struct buf b;
    buf_init(&b, 4 << 20);
    assert_int_equal(buf_append_text(&b, "["), 0);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(buf_append_text(&b, i > 0 ? "," : ""), 0);
        assert_int_equal(buf_append_text(&b, element), 0);
    }
    assert_int_equal(buf_append_text(&b, "]"), 0);
    int r = json_check(buf_view(&b), why, why_bytes);
    buf_fini(&b);
    return r;
}

static void values_have_a_maximum(void **state UNUSED)
{
    char why[100];
    assert_int_equal(check_list(JSON_VALUES_MAX_COUNT - 1, "1", why, sizeof why), 0); /* and the list itself */
    assert_int_equal(check_list(JSON_VALUES_MAX_COUNT, "1", why, sizeof why), JSON_BAD);
    assert_non_null(strstr(why, "there are too many values"));
    assert_int_equal(check_list(JSON_VALUES_MAX_COUNT - 1, "[ ]", why, sizeof why), 0);
    assert_int_equal(check_list(JSON_VALUES_MAX_COUNT / 2, "[1]", why, sizeof why), JSON_BAD);
    assert_int_equal(check_list(JSON_VALUES_MAX_COUNT / 2 - 1, "[1]", why, sizeof why), 0);
}

static void text_has_a_maximum(void **state UNUSED)
{
    static char text[JSON_TEXT_MAX_BYTES + 1];
    char why[100];
    memset(text, ' ', sizeof text);
    text[0] = '1';
    assert_int_equal(json_check(bytes_of(text, JSON_TEXT_MAX_BYTES), why, sizeof why), 0);
    assert_int_equal(json_check(BYTES_OF(text), why, sizeof why), JSON_BAD);
    assert_string_equal(why, "line 1, column 1: the text is too long");
}

static void a_short_room_for_why_is_kept_to(void **state UNUSED)
{
    char why[8] = "abcdefg";
    assert_int_equal(json_check(BYTES_LITERAL("x"), why, 5), JSON_BAD);
    assert_string_equal(why, "line");
    assert_int_equal(why[5], 'f');
}

static void numbers_are_printed_short_and_the_same(void **state UNUSED)
{
    assert_prints("[0.1,2.50,1e9,-1.0,1E300,1e-7]", "[0.1,2.5,1000000000.0,-1.0,1e300,1e-7]");
    assert_prints("{\"a\":0.30000000000000004}", "{\"a\":0.30000000000000004}");
    assert_prints("123456789.123456789", "123456789.12345679");
    assert_prints("{\"\\u0001\\\"\":[null,true,false,-5,\"\\n\",[],{}]}",
                  "{\"\\u0001\\\"\":[null,true,false,-5,\"\\n\",[],{}]}");
}

static void print_leaves_a_full_buffer_as_it_was(void **state UNUSED)
{
    struct json *j = parsed("[1,{\"a\":\"b\"}]");
    struct buf b;
    for (size_t max = 1; max < 13; max++) {
        buf_init(&b, max);
        assert_int_equal(json_print(&b, j), FAULT_LIMIT);
        assert_int_equal(buf_size(&b), 0);
        buf_fini(&b);
    }
    json_free(j);
}

static void memory_failure_is_passed_on(void **state UNUSED)
{
    static const char text[] = "{\"a\":[1,2.5,\"text that is long enough to grow a buffer\"],\"b\":{\"c\":null}}";
    int failed = 0;
    EACH_ALLOC_FAILURE({
        struct json *j = NULL;
        char why[100];
        struct buf b;
        buf_init(&b, 1024);
        int r = json_parse(bytes_of_text(text), &j, why, sizeof why);
        assert_true((r == 0) == (j != NULL));
        if (r == 0)
            r = json_print(&b, j);
        assert_true(r == 0 || r == -ENOMEM);
        assert_true(r == 0 || buf_size(&b) == 0);
        failed += r != 0;
        json_free(j);
        buf_fini(&b);
    });
    assert_true(failed > 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_kind_may_stand_at_the_top),
        cmocka_unit_test(keys_keep_the_order_of_the_text),
        cmocka_unit_test(values_are_reached),
        cmocka_unit_test(a_wrong_kind_gives_nothing),
        cmocka_unit_test(each_follows_the_text_and_can_stop),
        cmocka_unit_test(bad_texts_are_refused_with_their_place),
        cmocka_unit_test(every_other_grammar_is_refused),
        cmocka_unit_test(a_nul_is_refused_anywhere),
        cmocka_unit_test(depth_has_a_maximum),
        cmocka_unit_test(values_have_a_maximum),
        cmocka_unit_test(text_has_a_maximum),
        cmocka_unit_test(a_short_room_for_why_is_kept_to),
        cmocka_unit_test(numbers_are_printed_short_and_the_same),
        cmocka_unit_test(print_leaves_a_full_buffer_as_it_was),
        cmocka_unit_test(memory_failure_is_passed_on),
    };
    json_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
