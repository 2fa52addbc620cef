/* Tests of comparing a host with the tree, and of the lines that say so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "cli/host-plan.h"
#include "cli/test-host.h"
#include "fail-alloc.h"

/* A host and a tree under comparison. */
struct fixture {
    struct host_settings s;
    struct host_tree t;
    struct host_plan p;
};

static void on_host(struct fixture *f, const char *name, unsigned type, const char *value)
{
    struct host_path path;
    host_path_init(&path, HOST_SYSTEM);
    host_path_push(&path, bytes_of_text(name));
    assert_int_equal(host_add(&f->s, &path, type, bytes_of_text(value)), 0);
}

/* value NULL: it could not be read */
static void in_tree(struct fixture *f, const char *name, unsigned type, const char *value, bool is_sealed)
{
    char path[64];
    snprintf(path, sizeof path, HOST_SYSTEM "/%s", name);
    assert_int_equal(host_tree_add(&f->t, bytes_of_text(path), 3, is_sealed), 0);
    if (value != NULL)
        assert_int_equal(host_entry_set(&f->t.items[f->t.count - 1], 7, type, bytes_of_text(value)), 0);
}

static void compare(struct fixture *f)
{
    host_sort(&f->s);
    host_tree_sort(&f->t);
    assert_int_equal(host_plan_make(&f->s, &f->t, &f->p), 0);
}

static void drop(struct fixture *f)
{
    host_plan_fini(&f->p);
    host_tree_fini(&f->t);
    host_fini(&f->s);
}

static void assert_line(const struct fixture *f, size_t i, size_t width, const char *line)
{
    SCOPED(buf_fini) struct buf out;
    char text[512];
    buf_init(&out, 1 << 16);
    assert_true(i < f->p.count);
    assert_int_equal(buf_append_text(&out, "before\n"), 0);
    assert_int_equal(host_step_print(&out, &f->p.steps[i], width), 0);
    snprintf(text, sizeof text, "%.*s", BYTES_PRINT(buf_view(&out)));
    assert_string_equal(text + strlen("before\n"), line);
}

static void assert_json(const struct fixture *f, size_t i, const char *json)
{
    SCOPED(buf_fini) struct buf out;
    char text[512];
    buf_init(&out, 1 << 16);
    assert_int_equal(host_step_json(&out, &f->p.steps[i]), 0);
    snprintf(text, sizeof text, "%.*s", BYTES_PRINT(buf_view(&out)));
    assert_string_equal(text, json);
}

static void each_path_gets_its_step(void **state)
{
    struct fixture f = {0};
    static const enum host_step_kind kinds[] = {HOST_STEP_ADD,   HOST_STEP_CHANGE, HOST_STEP_CHANGE, HOST_STEP_SAME,
                                                HOST_STEP_APART, HOST_STEP_APART,  HOST_STEP_GONE};
    (void)state;
    on_host(&f, "f-closed", VALUE_STRING, "x");
    on_host(&f, "b-value", VALUE_STRING, "new");
    on_host(&f, "c-type", VALUE_INTEGER, "1");
    on_host(&f, "d-same", VALUE_STRING, "same");
    on_host(&f, "e-sealed", VALUE_STRING, "x");
    on_host(&f, "a-add", VALUE_STRING, "v");
    in_tree(&f, "g-gone", 0, NULL, false);
    in_tree(&f, "f-closed", 0, NULL, false);
    in_tree(&f, "e-sealed", VALUE_STRING, "x", true);
    in_tree(&f, "d-same", VALUE_STRING, "same", false);
    in_tree(&f, "c-type", VALUE_STRING, "1", false);
    in_tree(&f, "b-value", VALUE_STRING, "old", false);
    compare(&f);
    assert_int_equal(f.p.count, COUNT_OF(kinds));
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        assert_int_equal(f.p.steps[i].kind, kinds[i]);
        assert_int_equal(host_step_is_shown(&f.p.steps[i]), kinds[i] != HOST_STEP_SAME);
    }
    assert_int_equal(host_plan_count(&f.p, HOST_STEP_CHANGE), 2);
    assert_int_equal(host_plan_count(&f.p, HOST_STEP_OTHER), 0);
    assert_null(f.p.steps[0].entry);
    assert_null(f.p.steps[6].setting);
    assert_int_equal(f.p.steps[1].entry->version, 7);
    assert_int_equal(f.p.steps[6].entry->version, 3);
    assert_true(bytes_equal(host_step_path(&f.p.steps[6]), BYTES_LITERAL(HOST_SYSTEM "/g-gone")));
    drop(&f);
}

static void what_could_not_be_read_is_not_gone(void **state)
{
    struct fixture f = {0};
    (void)state;
    assert_int_equal(host_unread(&f.s, BYTES_LITERAL(HOST_SYSTEM "/a"), "why"), 0);
    in_tree(&f, "a", 0, NULL, false);
    in_tree(&f, "a/x", 0, NULL, false);
    in_tree(&f, "ab", 0, NULL, false);
    compare(&f);
    assert_int_equal(f.p.steps[0].kind, HOST_STEP_OTHER);
    assert_int_equal(f.p.steps[1].kind, HOST_STEP_OTHER);
    assert_int_equal(f.p.steps[2].kind, HOST_STEP_GONE);
    assert_false(host_step_is_shown(&f.p.steps[0]));
    drop(&f);
}

static void nothing_against_nothing_is_nothing(void **state)
{
    struct fixture f = {0};
    (void)state;
    compare(&f);
    assert_int_equal(f.p.count, 0);
    drop(&f);
}

static void lines_say_what_changes(void **state)
{
    struct fixture f = {0};
    (void)state;
    on_host(&f, "a", VALUE_STRING, "new\x1b[31m\n");
    on_host(&f, "b", VALUE_STRING, "n\\");
    in_tree(&f, "b", VALUE_STRING, "old\t", false);
    on_host(&f, "c", VALUE_STRING, "x");
    in_tree(&f, "c", 0, NULL, true);
    on_host(&f, "d", VALUE_STRING, "x");
    in_tree(&f, "d", 0, NULL, false);
    in_tree(&f, "e", 0, NULL, false);
    on_host(&f, "f", VALUE_STRING, "x");
    in_tree(&f, "f", VALUE_STRING, "x", false);
    compare(&f);
    assert_line(&f, 0, 0, "+ " HOST_SYSTEM "/a = new\\x1b[31m\\x0a");
    assert_line(&f, 1, 0, "~ " HOST_SYSTEM "/b: old\\x09 -> n\\\\");
    assert_line(&f, 2, 0, "? " HOST_SYSTEM "/c (sealed, so it is not compared)");
    assert_line(&f, 3, 0, "? " HOST_SYSTEM "/d (may not be read)");
    assert_line(&f, 4, 0, "- " HOST_SYSTEM "/e (no longer on this host; written by somebody else since, so it stays)");
    f.p.steps[4].kind = HOST_STEP_REMOVE;
    assert_line(&f, 4, 0, "- " HOST_SYSTEM "/e (no longer on this host)");
    assert_line(&f, 5, 0, "  " HOST_SYSTEM "/f");
    assert_json(
        &f, 0,
        "{\"change\":\"add\",\"path\":\"/registry/system/a\",\"type\":\"string\",\"value\":\"new\\u001b[31m\\n\"}");
    assert_json(&f, 1,
                "{\"change\":\"change\",\"path\":\"/registry/system/b\",\"type\":\"string\",\"value\":\"n\\\\\","
                "\"old_type\":\"string\",\"old_value\":\"old\\t\"}");
    assert_json(&f, 4, "{\"change\":\"remove\",\"path\":\"/registry/system/e\"}");
    drop(&f);
}

static void lines_are_cut_to_the_width(void **state)
{
    struct fixture f = {0};
    (void)state;
    on_host(&f, "a", VALUE_STRING, "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f");
    compare(&f);
    assert_line(&f, 0, 27, "+ " HOST_SYSTEM "/a = \xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f");
    assert_line(&f, 0, 26, "+ " HOST_SYSTEM "/a = ...");
    assert_line(&f, 0, 10, "+ /regi...");
    assert_line(&f, 0, 4, "+...");
    assert_line(&f, 0, 3, "");
    drop(&f);
}

static void values_are_taken_over_again(void **state)
{
    struct fixture f = {0};
    (void)state;
    in_tree(&f, "a", VALUE_STRING, "one", false);
    assert_int_equal(host_entry_set(&f.t.items[0], 9, VALUE_INTEGER, BYTES_LITERAL("2")), 0);
    assert_int_equal(f.t.items[0].version, 9);
    assert_int_equal(f.t.items[0].value_bytes, 1);
    for (unsigned i = 0; i < 200; i++)
        in_tree(&f, "b", 0, NULL, false);
    assert_int_equal(f.t.count, 201);
    drop(&f);
}

static void every_allocation_may_fail(void **state)
{
    struct fixture f = {0};
    bool has_failed = false, has_passed = false;
    (void)state;
    on_host(&f, "a", VALUE_STRING, "x");
    for (unsigned n = 0; n < 10 && !has_passed; n++) {
        fail_alloc_after(n);
        int r = host_tree_add(&f.t, BYTES_LITERAL(HOST_SYSTEM "/a"), 1, false);
        if (r == 0)
            r = host_entry_set(&f.t.items[0], 1, VALUE_STRING, BYTES_LITERAL("x"));
        if (r == 0)
            r = host_plan_make(&f.s, &f.t, &f.p);
        bool was_refused = fail_alloc_off();
        assert_int_equal(r, was_refused ? -ENOMEM : 0);
        has_failed = has_failed || was_refused;
        has_passed = !was_refused;
        if (was_refused)
            host_tree_fini(&f.t);
    }
    assert_true(has_failed && has_passed);
    drop(&f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_path_gets_its_step),
        cmocka_unit_test(what_could_not_be_read_is_not_gone),
        cmocka_unit_test(nothing_against_nothing_is_nothing),
        cmocka_unit_test(lines_say_what_changes),
        cmocka_unit_test(lines_are_cut_to_the_width),
        cmocka_unit_test(values_are_taken_over_again),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("host-plan", tests, NULL, NULL);
}
