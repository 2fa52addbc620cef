/* Tests of inject: names made from paths, what is refused, and the whole environment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/inject.h"
#include "fail-alloc.h"

#define F "/registry/applications/web"

static void test_names(void **state)
{
    static const struct {
        const char *path, *prefix, *suffix;
        int result;
        const char *name;
    } rows[] = {
        {F "/port", "", "", 0, "PORT"},
        {F "/db/pass-word.x@y+z:1", "", "", 0, "DB_PASS_WORD_X_Y_Z_1"},
        {F "/db/key", "", "_FILE", 0, "DB_KEY_FILE"},
        {F "/db/key", "web_", "_FILE", 0, "web_DB_KEY_FILE"},
        {F "/_", "", "", 0, "_"},
        {F "/1st", "", "", INJECT_BAD_NAME, NULL},
        {F "/1st", "N", "", 0, "N1ST"},
        {F "/a", "1", "", INJECT_BAD_NAME, NULL},
        {F "/a", "A=", "", INJECT_BAD_NAME, NULL},
        {F "/m\xc3\xbc", "", "", INJECT_BAD_NAME, NULL},
        {F "/path", "", "", INJECT_SPECIAL, NULL},
        {F "/path", "MY_", "", 0, "MY_PATH"},
        {F "/path", "", "_FILE", 0, "PATH_FILE"},
        {F "/ld-preload", "", "", INJECT_SPECIAL, NULL},
        {F "/ld/preload", "", "", INJECT_SPECIAL, NULL},
        {F "/preload", "LD_", "", INJECT_SPECIAL, NULL},
        {F "/bash_env", "", "", INJECT_SPECIAL, NULL},
        {F "/pythonpath", "", "", INJECT_SPECIAL, NULL},
        {F "/lda", "", "", 0, "LDA"},
        {F "/environment", "", "", 0, "ENVIRONMENT"},
        {F "/secreg-root", "", "", INJECT_OURS, NULL},
        {F "/secreg", "", "", 0, "SECREG"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char name[INJECT_NAME_MAX_BYTES] = "untouched";
        int x = inject_name_of(bytes_of_text(rows[i].path), BYTES_LITERAL(F), rows[i].prefix, rows[i].suffix, name);
        assert_int_equal(x, rows[i].result);
        assert_string_equal(name, x == 0 ? rows[i].name : "untouched");
    }
}

static void test_long_names(void **state)
{
    char path[400] = F "/", prefix[300] = "", name[INJECT_NAME_MAX_BYTES];
    (void)state;
    memset(path + sizeof F, 'a', INJECT_NAME_MAX_BYTES - 1);
    struct bytes whole = bytes_of_text(path);
    assert_int_equal(inject_name_of(whole, BYTES_LITERAL(F), "", "", name), 0);
    assert_int_equal(strlen(name), INJECT_NAME_MAX_BYTES - 1);
    assert_int_equal(inject_name_of(whole, BYTES_LITERAL(F), "", "_", name), INJECT_LONG_NAME);
    assert_int_equal(inject_name_of(whole, BYTES_LITERAL(F), "a", "", name), INJECT_LONG_NAME);
    memset(prefix, 'a', sizeof prefix - 1);
    assert_int_equal(inject_name_of(whole, BYTES_LITERAL(F), prefix, "", name), INJECT_LONG_NAME);
    assert_int_equal(inject_name_check(bytes_of_text(prefix)), INJECT_LONG_NAME);
}

static void test_names_by_hand(void **state)
{
    (void)state;
    assert_int_equal(inject_name_check(BYTES_LITERAL("LD_PRELOAD")), 0);
    assert_int_equal(inject_name_check(BYTES_LITERAL("a1_")), 0);
    assert_int_equal(inject_name_check(BYTES_LITERAL("")), INJECT_BAD_NAME);
    assert_int_equal(inject_name_check(BYTES_LITERAL("1a")), INJECT_BAD_NAME);
    assert_int_equal(inject_name_check(BYTES_LITERAL("a b")), INJECT_BAD_NAME);
    assert_int_equal(inject_name_check(BYTES_LITERAL("a\0")), INJECT_BAD_NAME);
    assert_int_equal(inject_name_check(BYTES_LITERAL("SECREG_X")), INJECT_OURS);
    for (int i = INJECT_BAD_NAME; i <= INJECT_MANY; i++)
        assert_true(strlen(inject_why(i)) > 10);
}

static void test_add(void **state)
{
    struct inject in;
    char *value = calloc(1, INJECT_TEXT_MAX_BYTES);
    (void)state;
    assert_non_null(value);
    memset(value, 'x', INJECT_TEXT_MAX_BYTES);
    inject_init(&in);
    assert_int_equal(inject_add(&in, "A", BYTES_LITERAL(F "/a"), BYTES_LITERAL("1")), 0);
    assert_int_equal(inject_add(&in, "AB", BYTES_LITERAL(F "/ab"), BYTES_NONE), 0);
    assert_int_equal(inject_add(&in, "A", BYTES_LITERAL(F "/A"), BYTES_LITERAL("2")), INJECT_TWICE);
    assert_int_equal(inject_add(&in, "B", BYTES_LITERAL(F "/b"), BYTES_LITERAL("x\0y")), INJECT_NUL);
    assert_int_equal(inject_add(&in, "B", BYTES_NONE, bytes_of(value, INJECT_TEXT_MAX_BYTES - 2)), INJECT_LONG);
    assert_int_equal(inject_add(&in, "B", BYTES_NONE, bytes_of(value, INJECT_TEXT_MAX_BYTES - 3)), 0);
    assert_string_equal(inject_find(&in, "A")->text, "A=1");
    assert_string_equal(inject_find(&in, "A")->path, F "/a");
    assert_string_equal(inject_find(&in, "AB")->text, "AB=");
    assert_null(inject_find(&in, "C"));
    for (unsigned i = 3; i < INJECT_MAX_COUNT; i++) {
        char name[16];
        snprintf(name, sizeof name, "N%u", i);
        assert_int_equal(inject_add(&in, name, BYTES_NONE, BYTES_NONE), 0);
    }
    assert_int_equal(inject_add(&in, "LAST", BYTES_NONE, BYTES_NONE), INJECT_MANY);
    inject_fini(&in);
    free(value);
}

static void test_environment(void **state)
{
    char texts[][32] = {"HOME=/root", "A=old", "SECREG_TOKEN=x", "SECREG_ROOT=/r", "SECREG_ROOTS=x", "SECREG_=x",
                        "AB",         "=x"};
    char *inherited[COUNT_OF(texts) + 1] = {NULL}, **list = NULL;
    static const char *const wanted[] = {"HOME=/root", "SECREG_ROOT=/r", "AB", "=x", "A=new", "C=3"};
    struct inject in;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        inherited[i] = texts[i];
    inject_init(&in);
    assert_int_equal(inject_add(&in, "A", BYTES_NONE, BYTES_LITERAL("new")), 0);
    assert_int_equal(inject_add(&in, "C", BYTES_NONE, BYTES_LITERAL("3")), 0);
    assert_int_equal(inject_environment(&in, inherited, &list), 0);
    for (size_t i = 0; i < COUNT_OF(wanted); i++)
        assert_string_equal(list[i], wanted[i]);
    assert_null(list[COUNT_OF(wanted)]);
    free(list);
    inject_fini(&in);
}

static int build(void)
{
    char home[] = "HOME=/", *inherited[] = {home, NULL}, **list = NULL, name[8];
    struct inject in;
    int r = 0;
    inject_init(&in);
    for (char c = 'A'; r == 0 && c < 'A' + 20; c++) {
        snprintf(name, sizeof name, "%c", c);
        r = inject_add(&in, name, BYTES_LITERAL(F), BYTES_LITERAL("value"));
    }
    if (r == 0)
        r = inject_environment(&in, inherited, &list);
    free(list);
    inject_fini(&in);
    return r;
}

static void test_allocation(void **state)
{
    int r = -1;
    (void)state;
    EACH_ALLOC_FAILURE({
        r = build();
        assert_true(r == 0 || r == -ENOMEM);
    });
    assert_int_equal(r, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names), cmocka_unit_test(test_long_names),  cmocka_unit_test(test_names_by_hand),
        cmocka_unit_test(test_add),   cmocka_unit_test(test_environment), cmocka_unit_test(test_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
