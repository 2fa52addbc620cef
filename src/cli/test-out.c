/* Tests of what is shown: tables, members of JSON maps, values on terminals, trees, and points in time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/names.h"
#include "cli/out.h"
#include "cli/progress.h"
#include "cli/when.h"
#include "fail-alloc.h"

static void check_text(struct buf *b, const char *wanted)
{
    struct bytes text = buf_view(b);
    if (!bytes_equal(text, bytes_of_text(wanted)))
        print_message("is:\n%.*s\nwanted:\n%s\n", BYTES_PRINT(text), wanted);
    assert_true(bytes_equal(text, bytes_of_text(wanted)));
    buf_clear(b);
}

static const struct out_column columns[] = {
    {"NAME", "name", OUT_TEXT}, {"SIZE", "size", OUT_NUMBER}, {"SEALED", "sealed", OUT_FLAG}};

static void test_table(void **state)
{
    struct out_table t;
    struct buf b;
    (void)state;
    buf_init(&b, 4096);
    out_table_init(&t, columns, COUNT_OF(columns));
    assert_int_equal(out_table_print(&t, false, &b), 0);
    check_text(&b, "");
    assert_int_equal(out_table_row(&t, bytes_of_text("{\"name\":\"gr\xc3\xb6\xc3\x9f"
                                                     "e-x\",\"size\":5,\"sealed\":true}")),
                     0);
    assert_int_equal(out_table_row(&t, bytes_of_text("{\"name\":\"a\\u001b[1m\",\"size\":12345,\"sealed\":false}")), 0);
    assert_int_equal(out_table_row(&t, bytes_of_text("{\"size\":null}")), 0);
    assert_int_equal(out_table_print(&t, false, &b), 0);
    check_text(&b, "NAME       SIZE  SEALED\n"
                   "gr\xc3\xb6\xc3\x9f"
                   "e-x       5  sealed\n"
                   "a\\x1b[1m  12345\n"
                   "\n");
    assert_int_equal(out_table_print(&t, true, &b), 0);
    assert_true(bytes_starts(buf_view(&b), BYTES_LITERAL("\033[1mNAME")));
    out_table_fini(&t);
    buf_fini(&b);
}

static void test_table_faults(void **state)
{
    struct out_table t;
    struct buf b;
    struct bytes map = bytes_of_text("{\"name\":\"some name\",\"size\":5,\"sealed\":true}");
    (void)state;
    out_table_init(&t, columns, COUNT_OF(columns));
    assert_int_equal(out_table_row(&t, bytes_of_text("{\"name\":\"\\x\"}")), FAULT_PROTOCOL);
    out_table_fini(&t);
    EACH_ALLOC_FAILURE({
        out_table_init(&t, columns, COUNT_OF(columns));
        buf_init(&b, 4096);
        int r = out_table_row(&t, map);
        if (r == 0)
            r = out_table_print(&t, false, &b);
        assert_true(r == 0 || r == -ENOMEM);
        out_table_fini(&t);
        buf_fini(&b);
    });
    /* a buffer that is too small at every place in turn */
    out_table_init(&t, columns, COUNT_OF(columns));
    assert_int_equal(out_table_row(&t, map), 0);
    for (size_t max = 1; max < 58; max++) {
        buf_init(&b, max);
        int r = out_table_print(&t, true, &b);
        assert_true(r == FAULT_LIMIT || (r == 0 && max > 40));
        buf_fini(&b);
    }
    out_table_fini(&t);
}

static void test_members(void **state)
{
    struct buf b;
    struct bytes map =
        bytes_of_text("{\"t\":\"a\\nb\",\"n\":7,\"u\":0,\"x\":4294967295,\"y\":true,\"f\":false,\"z\":null}");
    (void)state;
    buf_init(&b, 256);
    assert_int_equal(out_member(&b, map, "t", OUT_TEXT), 0);
    check_text(&b, "a\nb");
    assert_int_equal(out_member(&b, map, "n", OUT_TEXT), 0);
    check_text(&b, "7");
    assert_int_equal(out_member(&b, map, "u", OUT_USER), 0);
    check_text(&b, "root");
    assert_int_equal(out_member(&b, map, "x", OUT_USER), 0);
    check_text(&b, "4294967295");
    assert_int_equal(out_member(&b, map, "y", OUT_FLAG), 0);
    check_text(&b, "y");
    assert_int_equal(out_member(&b, map, "f", OUT_FLAG), 0);
    assert_int_equal(out_member(&b, map, "z", OUT_TEXT), 0);
    assert_int_equal(out_member(&b, map, "none", OUT_TEXT), 0);
    check_text(&b, "");
    buf_fini(&b);
}

static void test_nodes(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 256);
    assert_int_equal(out_member(&b, bytes_of_text("{\"name\":\"a\",\"type\":\"list\"}"), "type", OUT_NODE), 0);
    check_text(&b, "list");
    assert_int_equal(out_member(&b, bytes_of_text("{\"name\":\"a\",\"folder\":true}"), "type", OUT_NODE), 0);
    check_text(&b, "folder");
    assert_int_equal(out_member(&b, bytes_of_text("{\"name\":\"a\",\"corrupt\":true}"), "type", OUT_NODE), 0);
    check_text(&b, "corrupt");
    assert_int_equal(out_member(&b, bytes_of_text("{\"name\":\"a\"}"), "type", OUT_NODE), 0);
    check_text(&b, "");
    buf_fini(&b);
}

static void test_lines(void **state)
{
    static const struct out_column lines[] = {
        {"size", "size", OUT_TEXT}, {"missing", "missing", OUT_TEXT}, {"by", "uid", OUT_USER}};
    struct buf b;
    (void)state;
    buf_init(&b, 256);
    assert_int_equal(out_lines(&b, bytes_of_text("{\"size\":3,\"uid\":0}"), lines, COUNT_OF(lines)), 0);
    check_text(&b, "size  3\nby    root\n");
    assert_int_equal(out_lines(&b, bytes_of_text("{}"), lines, COUNT_OF(lines)), 0);
    check_text(&b, "");
    buf_fini(&b);
}

static void test_value(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 256);
    assert_int_equal(out_value(&b, BYTES_LITERAL("a\\b\tc\n\n\033[2Jx\\\nlast")), 0);
    check_text(&b, "a\\b\tc\n\n\\x1b[2Jx\\\\\nlast");
    assert_int_equal(out_value(&b, BYTES_LITERAL("x\n")), 0);
    check_text(&b, "x\n");
    assert_int_equal(out_value(&b, BYTES_LITERAL("a\0b\xff")), 0);
    check_text(&b, "a\\x00b\\xff");
    assert_int_equal(out_value(&b, BYTES_NONE), 0);
    check_text(&b, "");
    buf_fini(&b);
    buf_init(&b, 3);
    assert_int_equal(out_value(&b, BYTES_LITERAL("abc\n")), FAULT_LIMIT);
    buf_fini(&b);
}

static void test_colors(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 256);
    assert_int_equal(out_colored(&b, true, OUT_RED, "bad"), 0);
    check_text(&b, "\033[31mbad\033[0m");
    assert_int_equal(out_colored(&b, false, OUT_RED, "bad"), 0);
    check_text(&b, "bad");
    assert_int_equal(out_colored(&b, true, OUT_PLAIN, "bad"), 0);
    check_text(&b, "bad");
    buf_fini(&b);
}

/* ---- trees --------------------------------------------------------------------------------------------------------
 */

static void add(struct names *names, const char *const *paths)
{
    names_init(names);
    for (; *paths != NULL; paths++)
        assert_int_equal(names_add(names, bytes_of_text(*paths)), 0);
}

static void test_tree(void **state)
{
    static const char *const paths[] = {"/registry/system/a",
                                        "/registry/system/b/c",
                                        "/registry/system/b/d/e",
                                        "/registry/system/b/d/f",
                                        "/registry/system/b-x",
                                        "/registry/user/z",
                                        NULL};
    struct names names;
    struct buf b;
    (void)state;
    add(&names, paths);
    buf_init(&b, 4096);
    assert_int_equal(names_tree(&names, "/registry", false, &b), 0);
    check_text(&b, "/registry/\n"
                   "|-- system/\n"
                   "|   |-- a\n"
                   "|   |-- b/\n"
                   "|   |   |-- c\n"
                   "|   |   `-- d/\n"
                   "|   |       |-- e\n"
                   "|   |       `-- f\n"
                   "|   `-- b-x\n"
                   "`-- user/\n"
                   "    `-- z\n");
    assert_int_equal(names_tree(&names, "/registry/", true, &b), 0);
    assert_true(
        bytes_starts(buf_view(&b), BYTES_LITERAL("/registry/\n\xe2\x94\x9c\xe2\x94\x80\xe2\x94\x80 system/\n")));
    buf_clear(&b);
    for (size_t max = 1; max < 100; max++) {
        struct buf small;
        buf_init(&small, max);
        assert_int_equal(names_tree(&names, "/registry", false, &small), FAULT_LIMIT);
        buf_fini(&small);
    }
    names_fini(&names);
    assert_int_equal(names_tree(&names, "/registry/x", true, &b), 0);
    check_text(&b, "/registry/x/\n");
    buf_fini(&b);
}

static void test_tree_of_a_part(void **state)
{
    static const char *const paths[] = {"/registry/a", "/registry/system/b", "/registry/system/c", "/registry/z", NULL};
    struct names names;
    struct buf b;
    (void)state;
    add(&names, paths);
    buf_init(&b, 4096);
    assert_int_equal(names_tree(&names, "/registry/system", false, &b), 0);
    check_text(&b, "/registry/system/\n|-- b\n`-- c\n");
    assert_int_equal(names_tree(&names, "/registry/sys", false, &b), 0);
    check_text(&b, "/registry/sys/\n");
    names_fini(&names);
    buf_fini(&b);
}

static void test_names(void **state)
{
    struct names names;
    (void)state;
    names_init(&names);
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(names_add(&names, BYTES_LITERAL("abc")), 0);
    assert_int_equal(names_add(&names, BYTES_NONE), 0);
    assert_int_equal(names.count, 201);
    assert_string_equal(names.items[199], "abc");
    assert_string_equal(names.items[200], "");
    names_fini(&names);
    EACH_ALLOC_FAILURE({
        int r = names_add(&names, BYTES_LITERAL("abc"));
        assert_true(r == 0 || r == -ENOMEM);
    });
    names_fini(&names);
}

static void test_locale(void **state)
{
    (void)state;
    setenv("LC_ALL", "C", 1);
    assert_false(names_has_utf8());
    setenv("LC_ALL", "de_DE.UTF-8", 1);
    assert_true(names_has_utf8());
    setenv("LC_ALL", "", 1);
    setenv("LC_CTYPE", "C.utf8", 1);
    assert_true(names_has_utf8());
    unsetenv("LC_ALL");
    unsetenv("LC_CTYPE");
    unsetenv("LANG");
    assert_false(names_has_utf8());
}

/* ---- time ---------------------------------------------------------------------------------------------------------
 */

static void test_when(void **state)
{
    static const struct {
        const char *text, *wanted;
    } rows[] = {
        {"2026-01-31", "2026-01-31T00:00:00.000Z"},
        {"2026-01-31T12:30:00Z", "2026-01-31T12:30:00.000Z"},
        {"2026-01-31T12:30:00.250Z", "2026-01-31T12:30:00.250Z"},
        {"90s", "2026-02-09T23:58:30.000Z"},
        {"15m", "2026-02-09T23:45:00.000Z"},
        {"6h", "2026-02-09T18:00:00.000Z"},
        {"7d", "2026-02-03T00:00:00.000Z"},
        {"2w", "2026-01-27T00:00:00.000Z"},
        {"0s", "2026-02-10T00:00:00.000Z"},
        {"", NULL},
        {"d", NULL},
        {"7", NULL},
        {"7x", NULL},
        {"-7d", NULL},
        {"07d", NULL},
        {"7 d", NULL},
        {"1000000000d", NULL},
        {"2026-02-30", NULL},
        {"2026-01-31 12:30:00", NULL},
        {"2026-01-31T12:30:00+01:00", NULL},
        {"2026-01-31T12:30:00Z2026-01-31T12:30:00Z", NULL},
    };
    char text[CLOCK_TEXT_BYTES];
    struct wall_time now;
    (void)state;
    assert_true(clock_wall_parse("2026-02-10T00:00:00Z", &now));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(when_parse(rows[i].text, now, text), rows[i].wanted != NULL);
        if (rows[i].wanted != NULL)
            assert_string_equal(text, rows[i].wanted);
    }
}

static void expect_progress(uint64_t done, uint64_t of, const char *wanted)
{
    struct buf line;
    buf_init(&line, 256);
    assert_int_equal(progress_line(&line, "rows", done, of), 0);
    assert_int_equal(buf_append(&line, bytes_of("", 1)), 0);
    assert_string_equal((const char *)buf_view(&line).p, wanted);
    buf_fini(&line);
}

static void test_progress(void **state)
{
    struct buf small;
    (void)state;
    expect_progress(0, 10, "rows [..............................]   0%, 0 of 10");
    expect_progress(5, 10, "rows [###############...............]  50%, 5 of 10");
    expect_progress(9, 10, "rows [###########################...]  90%, 9 of 10");
    expect_progress(10, 10, "rows [##############################] 100%, 10 of 10");
    expect_progress(11, 10, "rows [##############################] 100%, 11 of 10");
    expect_progress(7, 0, "rows, 7 so far");
    expect_progress(UINT64_MAX / 2, UINT64_MAX,
                    "rows [###############...............]  50%, 9223372036854775807 of 18446744073709551615");
    buf_init(&small, 20);
    assert_int_equal(progress_line(&small, "rows", 1, 2), FAULT_LIMIT);
    buf_fini(&small);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_progress),       cmocka_unit_test(test_table),  cmocka_unit_test(test_table_faults),
        cmocka_unit_test(test_members),        cmocka_unit_test(test_nodes),  cmocka_unit_test(test_lines),
        cmocka_unit_test(test_value),          cmocka_unit_test(test_colors), cmocka_unit_test(test_tree),
        cmocka_unit_test(test_tree_of_a_part), cmocka_unit_test(test_names),  cmocka_unit_test(test_locale),
        cmocka_unit_test(test_when),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
