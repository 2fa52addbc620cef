/* Tests of uri: RFC 3986 characters, arguments, and that no two spellings change the structure of a path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fail-alloc.h"
#include "wire/uri.h"

static void assert_text(struct bytes b, const char *text)
{
    assert_true(bytes_equal(b, bytes_of_text(text)));
}

static void a_target_is_split(void **state UNUSED)
{
    struct uri u;
    assert_int_equal(uri_split(BYTES_LITERAL("/a/b%20c?version=3&history&after=x=y?z&empty="), &u), 0);
    assert_text(u.path, "/a/b%20c");
    assert_int_equal(u.args_count, 4);
    assert_text(u.args[0].name, "version");
    assert_text(u.args[0].value, "3");
    assert_true(u.args[0].has_value);
    assert_text(u.args[1].name, "history");
    assert_false(u.args[1].has_value);
    assert_int_equal(u.args[1].value.n, 0);
    assert_text(u.args[2].value, "x=y?z");
    assert_true(u.args[3].has_value);
    assert_int_equal(u.args[3].value.n, 0);
}

static void a_path_alone_has_no_arguments(void **state UNUSED)
{
    struct uri u;
    assert_int_equal(uri_split(BYTES_LITERAL("/"), &u), 0);
    assert_text(u.path, "/");
    assert_int_equal(u.args_count, 0);
    assert_int_equal(uri_split(BYTES_LITERAL("//a/../b/"), &u), 0); /* nothing is repaired here */
    assert_text(u.path, "//a/../b/");
}

static void bad_targets_are_refused(void **state UNUSED)
{
    static const char *const bad[] = {"",     "a",     "?a",        "*",     "/#",    "/a#b",  "/?",        "/?&",
                                      "/?a&", "/?&a",  "/?a&&b",    "/?=",   "/?=b",  "/?a&a", "/?a=1&a=2", "/?a=1&a",
                                      "/a b", "/a\"",  "/<",        "/[",    "/\\",   "/^",    "/`",        "/{",
                                      "/|",   "/\x7f", "/\xc3\xa4", "/?a b", "/?a#b", "/?[a]", "/?\xff",    "/\t"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct uri u = {.args_count = 77};
        if (uri_split(bytes_of_text(bad[i]), &u) != URI_BAD)
            fail_msg("target was not refused: %s", bad[i]);
        assert_int_equal(u.args_count, 77);
    }
    struct uri u;
    assert_int_equal(uri_split(BYTES_LITERAL("/a\0b"), &u), URI_BAD);
}

static void every_byte_is_judged_by_the_grammar(void **state UNUSED)
{
    for (unsigned c = 0; c < 256; c++) {
        bool is_alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        bool is_pchar = is_alnum || (c != 0 && strchr("-._~%!$&'()*+,;=:@", (int)c) != NULL);
        uint8_t path[] = {'/', (uint8_t)c}, query[] = {'/', '?', 'a', '=', (uint8_t)c};
        struct uri u;
        bool in_path = c != '?' && uri_split(BYTES_OF(path), &u) == 0;
        bool in_query = c != '&' && uri_split(BYTES_OF(query), &u) == 0;
        assert_int_equal(in_path, is_pchar || c == '/');
        assert_int_equal(in_query, (is_pchar && c != '&') || c == '/' || c == '?');
    }
}

static void arguments_have_a_maximum(void **state UNUSED)
{
    char target[200] = "/?a0";
    struct uri u;
    for (int i = 1; i < URI_ARGS_MAX_COUNT; i++)
        snprintf(target + strlen(target), sizeof target - strlen(target), "&a%d", i);
    assert_int_equal(uri_split(bytes_of_text(target), &u), 0);
    assert_int_equal(u.args_count, URI_ARGS_MAX_COUNT);
    snprintf(target + strlen(target), sizeof target - strlen(target), "&b");
    assert_int_equal(uri_split(bytes_of_text(target), &u), URI_BAD);
}

static void assert_decoded(const char *raw, const char *plain)
{
    struct buf b;
    buf_init(&b, 1024);
    assert_int_equal(uri_decode(&b, bytes_of_text(raw)), 0);
    assert_text(buf_view(&b), plain);
    buf_fini(&b);
}

static void percents_are_decoded(void **state UNUSED)
{
    assert_decoded("", "");
    assert_decoded("/a/b", "/a/b");
    assert_decoded("a%20b+c", "a b+c");
    assert_decoded("%41%5a%5A%c3%A4", "AZZ\xc3\xa4");
    assert_decoded("%25%32%66", "%2f"); /* decoded once, not twice */
}

static void bad_percents_are_refused(void **state UNUSED)
{
    static const char *const bad[] = {"%",     "%4",  "a%",  "%g0",    "%0g",  "%00",
                                      "a%00b", "%2f", "%2F", "/a%2fb", "%%41", "% 41"};
    struct buf b;
    buf_init(&b, 1024);
    assert_int_equal(buf_append_text(&b, "kept"), 0);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(uri_decode(&b, bytes_of_text(bad[i])), URI_BAD);
        assert_text(buf_view(&b), "kept");
    }
    buf_fini(&b);
}

static void encoding_is_undone_by_decoding(void **state UNUSED)
{
    uint8_t all[255];
    struct buf coded, back;
    struct uri u;
    buf_init(&coded, 1024);
    buf_init(&back, 1024);
    for (unsigned c = 1; c < 256; c++)
        all[c - 1] = (uint8_t)c;
    assert_int_equal(buf_append_text(&coded, "/"), 0);
    assert_int_equal(uri_encode(&coded, BYTES_OF(all)), 0);
    assert_int_equal(uri_split(buf_view(&coded), &u), 0);
    assert_int_equal(uri_decode(&back, bytes_from(u.path, 1)), 0);
    assert_true(bytes_equal(buf_view(&back), BYTES_OF(all)));
    buf_clear(&coded);
    assert_int_equal(uri_encode(&coded, BYTES_LITERAL("aZ0._~@:+/-%?#&=\xff")), 0);
    assert_text(buf_view(&coded), "aZ0._~@:+/-%25%3F%23%26%3D%FF");
    buf_fini(&coded);
    buf_fini(&back);
}

static void a_full_buffer_is_unchanged(void **state UNUSED)
{
    struct buf b;
    for (size_t max = 1; max < 5; max++) {
        buf_init(&b, max);
        assert_int_equal(uri_decode(&b, BYTES_LITERAL("ab%41cd")), FAULT_LIMIT);
        assert_int_equal(buf_size(&b), 0);
        assert_int_equal(uri_encode(&b, BYTES_LITERAL("a b%c")), FAULT_LIMIT);
        assert_int_equal(buf_size(&b), 0);
        buf_fini(&b);
    }
}

static void memory_failure_is_passed_on(void **state UNUSED)
{
    int failed = 0;
    EACH_ALLOC_FAILURE({
        struct buf b;
        buf_init(&b, 1024);
        int r = uri_decode(&b, BYTES_LITERAL("%41"));
        if (r == 0)
            r = uri_encode(&b, BYTES_LITERAL(" "));
        failed += r == -ENOMEM;
        buf_fini(&b);
    });
    assert_int_equal(failed, 1);
}

static void an_argument_may_hold_an_encoded_slash(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 100);
    assert_int_equal(uri_decode(&b, BYTES_LITERAL("a%2Fb")), URI_BAD);
    assert_int_equal(uri_decode_arg(&b, BYTES_LITERAL("a%2Fb")), 0);
    assert_true(bytes_equal(buf_view(&b), BYTES_LITERAL("a/b")));
    assert_int_equal(uri_decode_arg(&b, BYTES_LITERAL("a%00b")), URI_BAD);
    assert_true(bytes_equal(buf_view(&b), BYTES_LITERAL("a/b")));
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_argument_may_hold_an_encoded_slash),
        cmocka_unit_test(a_target_is_split),
        cmocka_unit_test(a_path_alone_has_no_arguments),
        cmocka_unit_test(bad_targets_are_refused),
        cmocka_unit_test(every_byte_is_judged_by_the_grammar),
        cmocka_unit_test(arguments_have_a_maximum),
        cmocka_unit_test(percents_are_decoded),
        cmocka_unit_test(bad_percents_are_refused),
        cmocka_unit_test(encoding_is_undone_by_decoding),
        cmocka_unit_test(a_full_buffer_is_unchanged),
        cmocka_unit_test(memory_failure_is_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
