/* Tests of the reading of command lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "cli/args.h"

static const struct args_option some_options[] = {
    {"type", 't', "TYPE", "a type"}, {"seal", 's', NULL, "a flag"}, {"limit", 'n', "N", "a number"}, {0}};
static const struct args_option raw_options[] = {{"dry-run", 'y', NULL, "a flag"}, {0}};

static const struct verb table[] = {
    {.name = "get", .operands = "PATH", .operands_min = 1, .operands_max = 1},
    {.name = "set", .operands = "PATH [VALUE]", .operands_min = 1, .operands_max = 2, .options = some_options},
    {.name = "acl show", .operands = "[PATH]", .operands_max = 1},
    {.name = "acl allow", .operands = "A B C", .operands_min = 3, .operands_max = 3},
    {.name = "load", .operands = "", .is_raw = true, .options = raw_options},
    {0},
};

static struct args args;
static char why[ARGS_WHY_BYTES];

/* Reads words that are separated by blanks; "~" stands for an empty word. */
static int read_words(const char *line)
{
    static char text[512];
    static char *words[32];
    int count = 0;
    snprintf(text, sizeof text, "%s", line);
    for (char *rest = text, *word; (word = strsep(&rest, " ")) != NULL;) {
        if (*word != '\0')
            words[count++] = strcmp(word, "~") == 0 ? word + 1 : word;
    }
    words[count] = NULL;
    why[0] = '\0';
    return args_parse(table, count, words, &args, why);
}

static void test_verbs(void **state)
{
    (void)state;
    assert_int_equal(read_words("get /registry/a"), 0);
    assert_ptr_equal(args.verb, &table[0]);
    assert_int_equal(args.operands_count, 1);
    assert_string_equal(args.operands[0], "/registry/a");
    assert_int_equal(read_words("acl show"), 0);
    assert_string_equal(args.verb->name, "acl show");
    assert_int_equal(args.operands_count, 0);
    assert_int_equal(read_words("acl allow x y z"), 0);
    assert_string_equal(args.verb->name, "acl allow");
    assert_string_equal(args.operands[2], "z");
    assert_int_equal(read_words(""), 0);
    assert_null(args.verb);
}

static void test_wrong_lines(void **state)
{
    static const struct {
        const char *line, *why;
    } rows[] = {
        {"nope", "unknown verb: nope"},
        {"acl", "a second word is missing after: acl"},
        {"acl nope", "unknown verb: nope"},
        {"ac", "unknown verb: ac"},
        {"get", "an argument is missing; it takes: PATH"},
        {"get a b", "one argument too many: b"},
        {"get --seal a", "unknown option: --seal"},
        {"--seal set a", "unknown option: --seal"},
        {"set a --type", "this option needs a value: --type"},
        {"set a -t", "this option needs a value: -t"},
        {"set a --seal=x", "this option takes no value: --seal"},
        {"set a --seal --seal", "this option is given twice: --seal"},
        {"set a -sx", "unknown option: -sx"},
        {"set a -z", "unknown option: -z"},
        {"set a --", NULL},
        {"set a --typ x", "unknown option: --typ"},
        {"--root", "this option needs a value: --root"},
        {"set a b --=x", "unknown option: --=x"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(read_words(rows[i].line), rows[i].why != NULL ? ARGS_BAD : 0);
        assert_string_equal(why, rows[i].why != NULL ? rows[i].why : "");
    }
}

static void test_options(void **state)
{
    (void)state;
    assert_int_equal(read_words("set --type=integer a -s -n5 b"), 0);
    assert_string_equal(args_value(&args, "type"), "integer");
    assert_true(args_has(&args, "seal"));
    assert_string_equal(args_value(&args, "limit"), "5");
    assert_int_equal(args.operands_count, 2);
    assert_int_equal(read_words("set a -t x"), 0);
    assert_string_equal(args_value(&args, "type"), "x");
    assert_false(args_has(&args, "seal"));
    assert_null(args_value(&args, "limit"));
    assert_int_equal(read_words("set a --type ~"), 0);
    assert_string_equal(args_value(&args, "type"), "");
    assert_int_equal(read_words("set a --type="), 0);
    assert_string_equal(args_value(&args, "type"), "");
}

static void test_operands_that_look_like_options(void **state)
{
    (void)state;
    assert_int_equal(read_words("set a -"), 0);
    assert_string_equal(args.operands[1], "-");
    assert_int_equal(read_words("set a -5"), 0);
    assert_string_equal(args.operands[1], "-5");
    assert_int_equal(read_words("set a -- --seal"), 0);
    assert_string_equal(args.operands[1], "--seal");
    assert_false(args_has(&args, "seal"));
    assert_int_equal(read_words("set -- -- a"), 0);
    assert_string_equal(args.operands[0], "--");
    assert_int_equal(read_words("set a --type -5"), 0);
    assert_string_equal(args_value(&args, "type"), "-5");
}

static void test_globals(void **state)
{
    (void)state;
    assert_int_equal(read_words("--root /x --json get a --quiet --no-color"), 0);
    assert_string_equal(args.root, "/x");
    assert_true(args.is_json && args.is_quiet && args.no_color);
    assert_int_equal(read_words("get a --root=/y -q"), 0);
    assert_string_equal(args.root, "/y");
    assert_true(args.is_quiet);
    assert_false(args.is_json || args.no_color || args.wants_help || args.wants_version);
    /* help needs no arguments to be complete */
    assert_int_equal(read_words("get --help"), 0);
    assert_true(args.wants_help);
    assert_ptr_equal(args.verb, &table[0]);
    assert_int_equal(read_words("-V"), 0);
    assert_true(args.wants_version);
    assert_int_equal(read_words("acl -h"), 0);
    assert_true(args.wants_help);
}

static void test_raw(void **state)
{
    (void)state;
    assert_int_equal(read_words("-q load --dry-run --from x --json --root /r --other=1 -y - a -- b --no-color -- -h"),
                     0);
    static const char *const wanted[] = {"load", "--dry-run", "--from", "x",          "--other=1", "-y", "-",
                                         "a",    "--",        "b",      "--no-color", "--",        "-h"};
    assert_int_equal(args.raw_argc, COUNT_OF(wanted));
    for (size_t i = 0; i < COUNT_OF(wanted); i++)
        assert_string_equal(args.raw_argv[i], wanted[i]);
    assert_null(args.raw_argv[args.raw_argc]);
    assert_true(args.is_json && args.is_quiet && !args.no_color && !args.wants_help);
    assert_string_equal(args.root, "/r");
    assert_int_equal(read_words("load"), 0);
    assert_int_equal(args.raw_argc, 1);
    assert_int_equal(read_words("load --root"), ARGS_BAD);
}

static void test_find(void **state)
{
    (void)state;
    assert_ptr_equal(args_find(table, "get", NULL), &table[0]);
    assert_ptr_equal(args_find(table, "acl", "show"), &table[2]);
    assert_null(args_find(table, "acl", NULL));
    assert_null(args_find(table, "acl show", "x"));
    assert_null(args_find(table, "get", "x"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verbs),   cmocka_unit_test(test_wrong_lines),
        cmocka_unit_test(test_options), cmocka_unit_test(test_operands_that_look_like_options),
        cmocka_unit_test(test_globals), cmocka_unit_test(test_raw),
        cmocka_unit_test(test_find),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
