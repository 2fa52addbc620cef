/* Tests of options that are texts: what is taken, what is not, and that every form of them reads back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "conf/conf-internal.h"

enum { COUNT, SERVER, NAME };
static const struct conf_option options[] = {
    [COUNT] = {"log", "count", CONF_COUNT, 0, 9, 3, NULL, CONF_LIVE, "A count."},
    [SERVER] = {"log", "server", CONF_TEXT, 0, 20, 0, NULL, CONF_RESTART, "A server."},
    [NAME] = {"other", "name", CONF_TEXT, 0, CONF_TEXT_MAX_BYTES, 0, NULL, CONF_LIVE, "A name."},
};
static const struct conf_schema schema = {options, COUNT_OF(options)};

static int parse(const char *text, struct conf_values *ret, char *why)
{
    why[0] = '\0';
    return conf_parse(&schema, bytes_of_text(text), ret, why);
}

static void test_what_is_taken(void **state)
{
    /* as YAML has it, and what it is */
    static const char *const rows[][2] = {{"host.example", "host.example"},
                                          {"10", "10"},
                                          {"1e5", "1e5"},
                                          {"true", "true"},
                                          {"\"null\"", "null"},
                                          {"\"a:b\"", "a:b"},
                                          {"'#x'", "#x"},
                                          {"\"[::1]\"", "[::1]"},
                                          {"\"\"", ""},
                                          {"'&a*!|>%@`{},'", "&a*!|>%@`{},"},
                                          {"12345678901234567890", "12345678901234567890"}};
    struct conf_values v, again;
    char text[128], why[CONF_WHY_BYTES];
    struct buf dump;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        snprintf(text, sizeof text, "log:\n  server: %s\n", rows[i][0]);
        if (parse(text, &v, why) != 0)
            fail_msg("%s: %s", text, why);
        assert_string_equal(conf_text(&schema, &v, SERVER), rows[i][1]);
        assert_int_equal(v.v[SERVER], strlen(rows[i][1]));
        assert_string_equal(conf_text(&schema, &v, NAME), "");
        assert_int_equal(v.v[COUNT], 3);
        buf_init(&dump, 4096);
        assert_int_equal(conf_dump(&schema, &v, &dump), 0);
        assert_int_equal(conf_parse(&schema, buf_view(&dump), &again, why), 0);
        assert_memory_equal(&v, &again, sizeof v);
        buf_fini(&dump);
    }
}

static void test_what_is_not(void **state)
{
    static const struct {
        const char *yaml, *why;
    } rows[] = {{"123456789012345678901", "not within 0 to 20"},
                {"a b", "printable ASCII"},
                {"\"a\\\"b\"", "printable ASCII"},
                {"\"it's\"", "printable ASCII"},
                {"'a\\b'", "printable ASCII"},
                {"\"a\\nb\"", "printable ASCII"},
                {"\"a\\x7fb\"", "printable ASCII"},
                {"\xc3\xa4", "printable ASCII"},
                {"[a]", "one value"}};
    struct conf_values v;
    char text[128], why[CONF_WHY_BYTES];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        snprintf(text, sizeof text, "log:\n  server: %s\n", rows[i].yaml);
        assert_int_equal(parse(text, &v, why), CONF_BAD);
        if (strstr(why, rows[i].why) == NULL || strstr(why, "log.server") == NULL)
            fail_msg("%s: %s", text, why);
    }
}

static void count_change(const struct conf_option *option, int64_t from, int64_t to, void *arg)
{
    unsigned *count = arg;
    assert_ptr_equal(option, &options[SERVER]);
    assert_int_equal(from, 3);
    assert_int_equal(to, 3);
    ++*count;
}

static void test_difference(void **state)
{
    struct conf_values a, b;
    char why[CONF_WHY_BYTES];
    unsigned count = 0;
    (void)state;
    assert_int_equal(parse("log:\n  server: abc\n", &a, why), 0);
    assert_int_equal(parse("log:\n  server: abd\n", &b, why), 0);
    assert_int_equal(conf_diff(&schema, &a, &b, count_change, &count), 1); /* wants a restart */
    assert_int_equal(conf_diff(&schema, &a, &a, count_change, &count), 0);
    assert_int_equal(count, 1);
}

static void test_message(void **state)
{
    struct conf_values v, got;
    char why[CONF_WHY_BYTES];
    struct buf out;
    (void)state;
    assert_int_equal(parse("log:\n  server: abc\nother:\n  name: x.y\n", &v, why), 0);
    buf_init(&out, 1024);
    assert_int_equal(conf_encode(&schema, &v, &out), 0);
    memset(&got, 0x5a, sizeof got);
    assert_true(conf_decode(&schema, buf_view(&out), &got));
    assert_memory_equal(&got, &v, sizeof v);
    for (size_t n = 0; n < buf_size(&out); n++)
        assert_false(conf_decode(&schema, bytes_head(buf_view(&out), n), &got));
    for (size_t i = 0; i < buf_size(&out); i++) { /* whatever is decoded is what a file could say */
        for (unsigned bit = 0; bit < 8; bit++) {
            out.p[out.start + i] ^= (uint8_t)(1u << bit);
            if (conf_decode(&schema, buf_view(&out), &got)) {
                for (size_t o = SERVER; o <= NAME; o++) {
                    struct bytes text = bytes_of_text(conf_text(&schema, &got, o));
                    assert_true(conf_text_is_good(&options[o], text) && (int64_t)text.n == got.v[o]);
                }
            }
            out.p[out.start + i] ^= (uint8_t)(1u << bit);
        }
    }
    buf_fini(&out);
}

static void test_manual(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 4096);
    assert_int_equal(conf_manual(&schema, &out), 0);
    assert_int_equal(buf_append(&out, BYTES_LITERAL("\0")), 0);
    assert_non_null(
        strstr((const char *)buf_view(&out).p, "A server.\nA text of at most 20 bytes.\nThe default is\n.Cm empty ;"));
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_is_taken), cmocka_unit_test(test_what_is_not),
                                       cmocka_unit_test(test_difference), cmocka_unit_test(test_message),
                                       cmocka_unit_test(test_manual)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
