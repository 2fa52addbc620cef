/* Tests of diff: which lines differ, by a table, and that the lines told turn the old text into the new one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "cli/diff.h"
#include "fail-alloc.h"

struct told {
    struct bytes old, new;
    struct buf text;
};

static int tell(const struct diff_line *line, void *arg)
{
    struct told *t = arg;
    struct bytes from = bytes_head(bytes_from(line->is_new ? t->new : t->old, line->at), line->n);
    return buf_print(&t->text, "%c%zu:%.*s ", line->is_new ? '+' : '-', line->number, BYTES_PRINT(from));
}

static void test_lines(void **state)
{
    static const struct {
        const char *old, *new, *wanted;
    } rows[] = {
        {"", "", ""},
        {"a\nb\n", "a\nb\n", ""},
        {"", "a\nb\n", "+1:a +2:b "},
        {"a\nb\n", "", "-1:a -2:b "},
        {"a\nb\nc\n", "a\nB\nc\n", "-2:b +2:B "},
        {"a\nb\nc\n", "a\nc\n", "-2:b "},
        {"a\nc\n", "a\nb\nc\n", "+2:b "},
        {"a\n1\nb\n2\nc\n", "a\nX\nb\nY\nc\n", "-2:1 +2:X -4:2 +4:Y "},
        {"a\nb", "a\nb\n", "-2:b +2:b "},
        {"a", "b", "-1:a +1:b "},
        {"\n\n", "\n", "-2: "},
        {"x\nx\nx\n", "x\nx\n", "-3:x "},
        {"a\nb\nc\nd\n", "b\nd\nc\n", "-1:a -3:c +3:c "},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct told t = {.old = bytes_of_text(rows[i].old), .new = bytes_of_text(rows[i].new)};
        buf_init(&t.text, 4096);
        assert_int_equal(diff_lines(t.old, t.new, tell, &t), 0);
        if (!bytes_equal(buf_view(&t.text), bytes_of_text(rows[i].wanted)))
            print_message("%zu: %.*s\n", i, BYTES_PRINT(buf_view(&t.text)));
        assert_true(bytes_equal(buf_view(&t.text), bytes_of_text(rows[i].wanted)));
        buf_fini(&t.text);
    }
}

/* ---- any texts ----------------------------------------------------------------------------------------------------
 */

struct patch {
    struct bytes old, new;
    size_t old_line, new_line, told_count;
};

/* Lines that were not told are the same in both. */
static int follow(const struct diff_line *line, void *arg)
{
    struct patch *p = arg;
    size_t *mine = line->is_new ? &p->new_line : &p->old_line, *other = line->is_new ? &p->old_line : &p->new_line;
    assert_true(line->number > *mine);
    *other += line->number - 1 - *mine;
    *mine = line->number;
    p->told_count++;
    return 0;
}

static void make_text(struct buf *b, size_t count, unsigned kinds)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(buf_print(b, "%u\n", (unsigned)rand() % kinds), 0);
}

static void test_any(void **state)
{
    (void)state;
    srand(1);
    for (int i = 0; i < 300; i++) {
        struct buf old, new;
        size_t old_count = (size_t)rand() % 40, new_count = (size_t)rand() % 40;
        buf_init(&old, 65536);
        buf_init(&new, 65536);
        make_text(&old, old_count, 4);
        make_text(&new, new_count, 4);
        struct patch p = {.old = buf_view(&old), .new = buf_view(&new)};
        assert_int_equal(diff_lines(p.old, p.new, follow, &p), 0);
        assert_int_equal(old_count - p.old_line, new_count - p.new_line);
        assert_int_equal((old_count + new_count - p.told_count) % 2, 0);
        buf_fini(&old);
        buf_fini(&new);
    }
}

static void test_long(void **state)
{
    struct buf old, new;
    (void)state;
    buf_init(&old, 1 << 20);
    buf_init(&new, 1 << 20);
    assert_int_equal(buf_append_text(&old, "same\n"), 0);
    assert_int_equal(buf_append_text(&new, "same\n"), 0);
    make_text(&old, DIFF_TABLE_MAX_COUNT + 1, 10);
    make_text(&new, 20, 10);
    assert_int_equal(buf_append_text(&old, "1\nend"), 0);
    assert_int_equal(buf_append_text(&new, "2\nend"), 0);
    struct patch p = {.old = buf_view(&old), .new = buf_view(&new)};
    assert_int_equal(diff_lines(p.old, p.new, follow, &p), 0);
    assert_true(p.told_count >= DIFF_TABLE_MAX_COUNT && p.told_count <= DIFF_TABLE_MAX_COUNT + 23);
    assert_int_equal(p.new_line, 22);
    buf_fini(&old);
    buf_fini(&new);
}

static int end(const struct diff_line *line, void *arg)
{
    (void)line;
    *(int *)arg += 1;
    return 7;
}

static void test_end(void **state)
{
    int calls = 0;
    (void)state;
    assert_int_equal(diff_lines(BYTES_LITERAL("a\nb\n"), BYTES_LITERAL("c\n"), end, &calls), 7);
    assert_int_equal(calls, 1);
}

static void test_allocation(void **state)
{
    struct patch p;
    int r = -1;
    (void)state;
    EACH_ALLOC_FAILURE({
        p = (struct patch){0};
        r = diff_lines(BYTES_LITERAL("a\nb\n"), BYTES_LITERAL("b\nc\n"), follow, &p);
        assert_true(r == 0 || r == -ENOMEM);
    });
    assert_int_equal(r, 0);
    assert_int_equal(p.told_count, 2);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines), cmocka_unit_test(test_any),        cmocka_unit_test(test_long),
        cmocka_unit_test(test_end),   cmocka_unit_test(test_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
