/* Tests of the template engine: a table of templates and what they make, and a table of what is wrong where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/template.h"
#include "fail-alloc.h"

/* ---- a registry in memory -----------------------------------------------------------------------------------------
 */

#define S "/registry/system/"

/* BYTES_LITERAL() as the initialiser of a static object. */
#define LIT(text)                                                                                                      \
    {                                                                                                                  \
        (const uint8_t *)("" text), sizeof(text) - 1                                                                   \
    }

static const struct entry {
    const char *path;
    struct bytes value;
} entries[] = {
    {S "host", LIT("alpha")},
    {S "empty", LIT("")},
    {S "false", LIT("false")},
    {S "False", LIT("False")},
    {S "zero", LIT("0")},
    {S "odd", LIT("a'b\"c\\d\n\xc3\xa4 ")},
    {S "nul", LIT("a\0b")},
    {S "raw", LIT("\xff\x00\x10")},
    {S "blanks", LIT(" \t\r\n\v\f x y \n")},
    {S "code", LIT("{{ get \"" S "host\" }}{{ end }}{{- -}}")},
    {S "web/a", LIT("1")},
    {S "web/b/c", LIT("2")},
    {S "web/d", LIT("")},
};

static size_t asked_count;

static int get(void *arg, struct bytes path, struct buf *value)
{
    (void)arg;
    asked_count++;
    if (bytes_equal(path, BYTES_LITERAL(S "stop")))
        return TEMPLATE_STOP;
    if (bytes_equal(path, BYTES_LITERAL(S "web")))
        return TEMPLATE_FOLDER;
    for (size_t i = 0; i < COUNT_OF(entries); i++) {
        if (bytes_equal(path, bytes_of_text(entries[i].path)))
            return buf_append(value, entries[i].value);
    }
    if (path.n > sizeof S && bytes_starts(path, BYTES_LITERAL(S "many/")))
        return buf_append_text(value, "x");
    return TEMPLATE_ABSENT;
}

static int list(void *arg, struct bytes folder, struct buf *lines)
{
    (void)arg;
    asked_count++;
    if (bytes_equal(folder, BYTES_LITERAL(S "stop")))
        return TEMPLATE_STOP;
    if (bytes_equal(folder, BYTES_LITERAL(S "foreign")))
        return buf_append_text(lines, S "web/a\n");
    if (bytes_equal(folder, BYTES_LITERAL(S "none")))
        return 0;
    if (bytes_equal(folder, BYTES_LITERAL(S "many"))) {
        for (unsigned i = 0; i < 1000; i++)
            TRY(buf_print(lines, S "many/%u\n", i));
        return 0;
    }
    size_t before = buf_size(lines);
    for (size_t i = 0; i < COUNT_OF(entries); i++) {
        struct bytes path = bytes_of_text(entries[i].path);
        if (!bytes_starts(path, folder) || path.p[folder.n] != '/')
            continue;
        TRY(buf_append(lines, path));
        TRY(buf_append_text(lines, "\n"));
    }
    return buf_size(lines) > before ? 0 : TEMPLATE_ABSENT;
}

static const struct template_source source = {.get = get, .list = list};
static struct buf out, marks;
static struct template_error error;

static int make(struct bytes text)
{
    struct template *t = NULL;
    buf_fini(&out);
    buf_fini(&marks);
    buf_init_wiping(&out, TEMPLATE_OUT_MAX_BYTES);
    buf_init(&marks, TEMPLATE_OUT_MAX_BYTES);
    memset(&error, 0, sizeof error);
    asked_count = 0;
    int r = template_parse(text, &t, &error);
    if (r == 0)
        r = template_render(t, &source, &out, &marks, &error);
    assert_true(r != 0 || buf_size(&out) == buf_size(&marks));
    assert_null(template_free(t));
    return r;
}

/* ---- what is made -------------------------------------------------------------------------------------------------
 */

#define GET(name) "{{ get \"" S name "\" }}"
#define WITH(name, filters) "{{ get \"" S name "\" | " filters " }}"

static const struct {
    const char *text;
    struct bytes wanted;
} made[] = {
    {"", LIT("")},
    {"a\n{ { }} b", LIT("a\n{ { }} b")},
    {GET("host"), LIT("alpha")},
    {"{{get\"" S "host\"}}", LIT("alpha")},
    {"{{\n\tget\r\n\"" S "host\"\n}}", LIT("alpha")},
    {"<" GET("host") "><" GET("empty") ">", LIT("<alpha><>")},
    {GET("raw"), LIT("\xff\x00\x10")},
    /* values are data */
    {GET("code"), LIT("{{ get \"" S "host\" }}{{ end }}{{- -}}")},
    {"a  {{- \"\" -}}  " GET("blanks") "  {{- /* */ -}}  b", LIT("a \t\r\n\v\f x y \nb")},
    /* default */
    {WITH("nothing", "default \"x\""), LIT("x")},
    {WITH("nothing", "default \"\""), LIT("")},
    {WITH("empty", "default \"x\""), LIT("")},
    {WITH("host", "default \"x\""), LIT("alpha")},
    {WITH("nothing", "default \"a\\\"\\\\\\n\\tb\" | upper"), LIT("A\"\\\n\tB")},
    {WITH("nothing", "default \"{{ x }}\""), LIT("{{ x }}")},
    /* filters */
    {WITH("odd", "json"), LIT("\"a'b\\\"c\\\\d\\n\xc3\xa4 \"")},
    {WITH("odd", "shell"), LIT("'a'\\''b\"c\\d\n\xc3\xa4 '")},
    {WITH("empty", "shell"), LIT("''")},
    {WITH("raw", "base64"), LIT("/wAQ")},
    {WITH("raw", "hex"), LIT("ff0010")},
    {WITH("nul", "json"), LIT("\"a\\u0000b\"")},
    {WITH("odd", "upper"), LIT("A'B\"C\\D\n\xc3\xa4 ")},
    {WITH("odd", "upper | lower"), LIT("a'b\"c\\d\n\xc3\xa4 ")},
    {WITH("blanks", "trim"), LIT("x y")},
    {WITH("empty", "trim"), LIT("")},
    {WITH("host", "required"), LIT("alpha")},
    {WITH("nothing", "default \"x\" | required"), LIT("x")},
    {"{{ get \"" S "host\"|upper|base64|hex }}", LIT("51557851534545"
                                                     "3d")},
    {WITH("host", "trim|trim|trim|trim|trim|trim|trim|upper"), LIT("ALPHA")},
    /* strings */
    {"{{ \"{{\" }} {{ \"}}\" | shell }}", LIT("{{ '}}'")},
    /* comments and blanks */
    {"a{{/* {{ get \"x\" }} */}}b{{ /**/ }}c", LIT("abc")},
    {"a \n{{- /* */ -}}\n\t b", LIT("ab")},
    {"a \n{{- /* */}}\n\t b", LIT("a\n\t b")},
    {"a \n{{/* */ -}}\n\t b", LIT("a \nb")},
    {"a {{- \"x\" -}} b", LIT("axb")},
    {" {{- \"x\" -}} ", LIT("x")},
    {"a \f{{- \"x\" }}", LIT("a \fx")},
    /* if */
    {"{{ if \"" S "host\" }}1{{ end }}", LIT("1")},
    {"{{ if \"" S "false\" }}1{{ end }}2", LIT("2")},
    {"{{ if \"" S "False\" }}1{{ end }}", LIT("1")},
    {"{{ if \"" S "zero\" }}1{{ end }}", LIT("1")},
    {"{{ if \"" S "empty\" }}1{{ else }}2{{ end }}", LIT("1")},
    {"{{ if \"" S "nothing\" }}1{{ else }}2{{ end }}3", LIT("23")},
    {"{{ if \"" S "web\" }}1{{ else }}2{{ end }}", LIT("1")},
    {"{{ if \"" S "host\" }}{{ if \"" S "nothing\" }}1{{ else }}2{{ end }}{{ else }}3{{ end }}", LIT("2")},
    {"{{ if \"" S "nothing\" }}" GET("nothing") "{{ end }}x", LIT("x")},
    {"{{ if \"" S "nothing\" }}{{ else }}{{ end }}", LIT("")},
    /* range */
    {"{{ range \"" S "web\" }}{{ .name }}={{ .value }};{{ end }}", LIT("a=1;b/c=2;d=;")},
    {"{{ range \"" S "web\" }}{{ .path }} {{ end }}", LIT(S "web/a " S "web/b/c " S "web/d ")},
    {"{{ range \"" S "web\" }}{{ .value | hex }},{{ .value | shell }} {{ end }}", LIT("31,'1' 32,'2' ,'' ")},
    {"x{{ range \"" S "none\" }}{{ .value }}{{ end }}y", LIT("xy")},
    {"{{ range \"" S "web\" }}[{{ range \"" S "web/b\" }}{{ .name }}{{ .value }}{{ end }}{{ .value }}]{{ end }}",
     LIT("[c21][c22][c2]")},
    {"{{ range \"" S "web\" }}{{ if \"" S "host\" }}{{ .name }}{{ else }}x{{ end }}{{ end }}", LIT("ab/cd")},
    {"{{ if \"" S "host\" }}{{ range \"" S "web\" }}{{ .name }}{{ end }}{{ else }}x{{ end }}.", LIT("ab/cd.")},
};

static void test_made(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(made); i++) {
        int r = make(bytes_of_text(made[i].text));
        if (r != 0 || !bytes_equal(buf_view(&out), made[i].wanted))
            print_message("%s\n%d %zu:%zu %s\n%.*s\n", made[i].text, r, error.line, error.column, error.why,
                          BYTES_PRINT(buf_view(&out)));
        assert_int_equal(r, 0);
        assert_true(bytes_equal(buf_view(&out), made[i].wanted));
    }
}

/* ---- what is wrong ------------------------------------------------------------------------------------------------
 */

static const struct {
    const char *text;
    int result;
    size_t line, column;
    const char *why;
} wrong[] = {
    {"{{", TEMPLATE_BAD, 1, 1, "does not end"},
    {"a\nb {{ get \"" S "a\"", TEMPLATE_BAD, 2, 3, "does not end"},
    {"{{ get \"" S "a\" ", TEMPLATE_BAD, 1, 1, "does not end"},
    {"{{ }}", TEMPLATE_BAD, 1, 4, "a word such as"},
    {"{{ nope }}", TEMPLATE_BAD, 1, 4, "unknown word: nope"},
    {"{{ Get \"" S "a\" }}", TEMPLATE_BAD, 1, 4, "a word such as"},
    {"{{ gets \"" S "a\" }}", TEMPLATE_BAD, 1, 4, "unknown word: gets"},
    {"{{ get }}", TEMPLATE_BAD, 1, 8, "a path in double quotes"},
    {"{{ get /registry/system/a }}", TEMPLATE_BAD, 1, 8, "a path in double quotes"},
    {"{{ get '" S "a' }}", TEMPLATE_BAD, 1, 8, "a path in double quotes"},
    {"{{ get \"registry/system/a\" }}", TEMPLATE_BAD, 1, 9, "not a valid path"},
    {"{{ get \"" S "a/\" }}", TEMPLATE_BAD, 1, 9, "not a valid path"},
    {"{{ get \"" S "../a\" }}", TEMPLATE_BAD, 1, 9, "not a valid path"},
    {"{{ get \"/v1/status\" }}", TEMPLATE_BAD, 1, 9, "not a valid path"},
    {"{{ get \"" S "a }}\n\"", TEMPLATE_BAD, 1, 8, "does not end on its line"},
    {"{{ \"a\\x\" }}", TEMPLATE_BAD, 1, 6, "backslash"},
    {"{{ \"a\\", TEMPLATE_BAD, 1, 6, "backslash"},
    {"{{ get \"" S "a\" x }}", TEMPLATE_BAD, 1, 29, "not expected here"},
    {"{{ get \"" S "a\" \"b\" }}", TEMPLATE_BAD, 1, 29, "not expected here"},
    {"{{ get \"" S "a\"-}}", TEMPLATE_BAD, 1, 28, "not expected here"},
    {"{{-get \"" S "a\" }}", TEMPLATE_BAD, 1, 3, "a word such as"},
    {"{{ get \"" S "a\" | }}", TEMPLATE_BAD, 1, 31, "the name of a filter"},
    {"{{ get \"" S "a\" | nope }}", TEMPLATE_BAD, 1, 31, "unknown word: nope"},
    {"{{ get \"" S "a\" | upper lower }}", TEMPLATE_BAD, 1, 37, "not expected here"},
    {"{{ get \"" S "a\" || upper }}", TEMPLATE_BAD, 1, 30, "the name of a filter"},
    {"{{ get \"" S "a\" | default }}", TEMPLATE_BAD, 1, 39, "a text in double quotes"},
    {"{{ get \"" S "a\" | default x }}", TEMPLATE_BAD, 1, 39, "a text in double quotes"},
    {"{{ get \"" S "a\" | upper | default \"x\" }}", TEMPLATE_BAD, 1, 39, "right behind get"},
    {"{{ get \"" S "a\" | default \"x\" | default \"y\" }}", TEMPLATE_BAD, 1, 45, "right behind get"},
    {"{{ \"a\" | default \"x\" }}", TEMPLATE_BAD, 1, 10, "right behind get"},
    {"{{ get \"" S "a\" | trim|trim|trim|trim|trim|trim|trim|trim|trim }}", TEMPLATE_BAD, 1, 71, "more than 8"},
    {"{{ .name }}", TEMPLATE_BAD, 1, 4, "inside a range"},
    {"{{ range \"" S "web\" }}{{ end }}{{ .value }}", TEMPLATE_BAD, 1, 47, "inside a range"},
    {"{{ range \"" S "web\" }}{{ .nope }}{{ end }}", TEMPLATE_BAD, 1, 38, "unknown word: .nope"},
    {"{{ range \"" S "web\" }}{{ . }}{{ end }}", TEMPLATE_BAD, 1, 38, "unknown word: ."},
    {"{{ range \"" S "web\" }}\n{{ .name }}", TEMPLATE_BAD, 1, 1, "has no end"},
    {"{{ range \"" S "web/\" }}{{ end }}", TEMPLATE_BAD, 1, 11, "not a valid path"},
    {"{{ range \"" S "web\" | upper }}{{ end }}", TEMPLATE_BAD, 1, 33, "not expected here"},
    {"{{ range \"" S "web\" }}{{ else }}{{ end }}", TEMPLATE_BAD, 1, 35, "no if"},
    {"{{ if \"" S "a\" }}", TEMPLATE_BAD, 1, 1, "has no end"},
    {"{{ if \"" S "a\" }}\n {{ else }}", TEMPLATE_BAD, 2, 2, "has no end"},
    {"{{ if \"" S "a\" }}{{ else }}{{ else }}{{ end }}", TEMPLATE_BAD, 1, 40, "no if"},
    {"{{ if \"" S "a\" }}{{ else if \"" S "b\" }}{{ end }}", TEMPLATE_BAD, 1, 38, "not expected here"},
    {"{{ else }}", TEMPLATE_BAD, 1, 1, "no if"},
    {"{{ end }}", TEMPLATE_BAD, 1, 1, "no block"},
    {"{{ if \"" S "a\" }}{{ end }}\n\n{{ end }}", TEMPLATE_BAD, 3, 1, "no block"},
    {"{{ end x }}", TEMPLATE_BAD, 1, 1, "no block"},
    {"{{ if \"" S "a\" }}{{ end x }}", TEMPLATE_BAD, 1, 37, "not expected here"},
    {"{{/* a }}", TEMPLATE_BAD, 1, 1, "comment does not end"},
    {"{{/* a */ b }}", TEMPLATE_BAD, 1, 11, "not expected here"},
    {"{{/*/}}", TEMPLATE_BAD, 1, 1, "comment does not end"},
    {"a\n{{ get \"" S "nothing\" }}", TEMPLATE_ABSENT, 2, 1, S "nothing"},
    {"{{ range \"" S "nothing\" }}{{ end }}", TEMPLATE_ABSENT, 1, 1, S "nothing"},
    {"{{ get \"" S "web\" }}", TEMPLATE_FOLDER, 1, 1, S "web"},
    {"{{ get \"" S "web\" | default \"x\" }}", TEMPLATE_FOLDER, 1, 1, S "web"},
    {"x{{ get \"" S "stop\" | default \"x\" }}", TEMPLATE_STOP, 1, 2, S "stop"},
    {"x{{ if \"" S "stop\" }}{{ end }}", TEMPLATE_STOP, 1, 2, S "stop"},
    {"{{ range \"" S "stop\" }}{{ end }}", TEMPLATE_STOP, 1, 1, S "stop"},
    {"{{ get \"" S "raw\" | json }}", TEMPLATE_BAD, 1, 1, "json: the value is not UTF-8 text"},
    {"{{ get \"" S "nul\" | shell }}", TEMPLATE_BAD, 1, 1, "shell: the value is not text"},
    {"{{ get \"" S "empty\" | required }}", TEMPLATE_BAD, 1, 1, "required: the value is empty"},
    {"{{ get \"" S "blanks\" | trim | required | hex | shell | json }}{{ get \"" S
     "empty\" | default \"x\" | required }}",
     TEMPLATE_BAD, 1, 75, "required: the value is empty"},
};

static void test_wrong(void **state)
{
    size_t bad_count = 0;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        int r = make(bytes_of_text(wrong[i].text));
        bool is_good = r == wrong[i].result && error.line == wrong[i].line && error.column == wrong[i].column &&
                       strstr(error.why, wrong[i].why) != NULL;
        if (!is_good)
            print_message("%s\n%*s^ %d %zu:%zu %s\n", wrong[i].text, (int)error.column - 1, "", r, error.line,
                          error.column, error.why);
        bad_count += !is_good;
    }
    assert_int_equal(bad_count, 0);
}

/* An error anywhere means that nothing is asked for. */
static void test_nothing_is_asked_before_the_end(void **state)
{
    (void)state;
    assert_int_equal(make(BYTES_LITERAL(GET("host") GET("host") "{{ nope }}")), TEMPLATE_BAD);
    assert_int_equal(asked_count, 0);
    assert_int_equal(buf_size(&out), 0);
    assert_int_equal(make(BYTES_LITERAL("{{ if \"" S "nothing\" }}" GET("host") "{{ end }}")), 0);
    assert_int_equal(asked_count, 1);
    assert_int_equal(make(BYTES_LITERAL("{{ range \"" S "web\" }}{{ .name }}{{ end }}")), 0);
    assert_int_equal(asked_count, 1);
    assert_int_equal(make(BYTES_LITERAL("{{ range \"" S "web\" }}{{ .value }}{{ .value }}{{ end }}")), 0);
    assert_int_equal(asked_count, 4);
}

static void test_bytes(void **state)
{
    (void)state;
    assert_int_equal(make(BYTES_LITERAL("\0\xff{{ \"\xff\" }}\0")), 0);
    assert_true(bytes_equal(buf_view(&out), BYTES_LITERAL("\0\xff\xff\0")));
    assert_int_equal(make(BYTES_LITERAL("{{ \0 }}")), TEMPLATE_BAD);
    assert_int_equal(make(BYTES_LITERAL("{{ get \"" S "a\0\" }}")), TEMPLATE_BAD);
}

static void test_marks(void **state)
{
    (void)state;
    assert_int_equal(
        make(BYTES_LITERAL("a" GET("host") "{{ \"b\" }}" WITH("nothing", "default \"cd\"") WITH("zero", "hex"))), 0);
    assert_true(bytes_equal(buf_view(&out), BYTES_LITERAL("aalphabcd30")));
    assert_true(bytes_equal(buf_view(&marks), BYTES_LITERAL("\0\1\1\1\1\1\0\0\0\1\1")));
    assert_int_equal(make(BYTES_LITERAL("{{ range \"" S "web\" }}{{ .name }}{{ .value }}{{ end }}")), 0);
    assert_true(bytes_equal(buf_view(&marks), BYTES_LITERAL("\0\1\0\0\0\1\0")));
}

/* ---- limits -------------------------------------------------------------------------------------------------------
 */

static void check_repeated(const char *unit, size_t count, const char *tail, int result, const char *why)
{
    struct buf text;
    buf_init(&text, 4 << 20);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(buf_append_text(&text, unit), 0);
    assert_int_equal(buf_append_text(&text, tail), 0);
    assert_int_equal(make(buf_view(&text)), result);
    assert_non_null(strstr(error.why, why));
    buf_fini(&text);
}

static void test_limits(void **state)
{
    char ends[512] = "";
    (void)state;
    check_repeated("x", TEMPLATE_MAX_BYTES, "", 0, "");
    assert_int_equal(buf_size(&out), TEMPLATE_MAX_BYTES);
    check_repeated("x", TEMPLATE_MAX_BYTES, "y", TEMPLATE_BAD, "a template has at most");
    for (int i = 0; i < TEMPLATE_DEPTH_MAX_COUNT; i++)
        strcat(ends, "{{ end }}");
    check_repeated("{{ if \"" S "host\" }}", TEMPLATE_DEPTH_MAX_COUNT, ends, 0, "");
    check_repeated("{{ range \"" S "web/b\" }}", TEMPLATE_DEPTH_MAX_COUNT, ends, 0, "");
    strcat(ends, "{{ end }}");
    check_repeated("{{ if \"" S "host\" }}", TEMPLATE_DEPTH_MAX_COUNT + 1, ends, TEMPLATE_BAD, "inside each other");
    check_repeated(GET("host"), TEMPLATE_READS_MAX_COUNT, "", 0, "");
    check_repeated(GET("host"), TEMPLATE_READS_MAX_COUNT + 1, "", TEMPLATE_BAD, "more than 4096 entries");
    /* each range of 1000 costs its listing and its turns */
    check_repeated("{{ range \"" S "many\" }}{{ end }}", 4, "", 0, "");
    check_repeated("{{ range \"" S "many\" }}{{ end }}", 5, "", TEMPLATE_BAD, "more than 4096 entries");
    check_repeated("{{ range \"" S "many\" }}", 3, "{{ end }}{{ end }}{{ end }}", TEMPLATE_BAD,
                   "more than 4096 entries");
    check_repeated("x", 100000,
                   "{{ range \"" S "many\" }}"
                   "{{ end }}",
                   0, "");
}

static void test_large_output(void **state)
{
    struct buf text;
    (void)state;
    buf_init(&text, 1 << 20);
    assert_int_equal(buf_append_text(&text, "{{ range \"" S "many\" }}"), 0);
    for (size_t i = 0; i < 20000; i++)
        assert_int_equal(buf_append_text(&text, "x"), 0);
    assert_int_equal(buf_append_text(&text, "{{ end }}"), 0);
    assert_int_equal(make(buf_view(&text)), TEMPLATE_BAD);
    assert_non_null(strstr(error.why, "the output is larger"));
    buf_fini(&text);
}

static void test_foreign_list(void **state)
{
    (void)state;
    assert_int_equal(make(BYTES_LITERAL("{{ range \"" S "foreign\" }}{{ .name }}{{ end }}")), FAULT_PROTOCOL);
}

static void test_allocation(void **state)
{
    int r = -1;
    const struct bytes text =
        BYTES_LITERAL("a{{ range \"" S "web\" }}{{ .name | upper }}{{ .value | shell | json }}{{ end }}" WITH(
            "nothing", "default \"x\"") "{{ if \"" S "host\" }}b{{ end }}");
    (void)state;
    unsigned faults_count = 0;
    EACH_ALLOC_FAILURE({
        r = make(text);
        assert_true(r == 0 || r == -ENOMEM);
        faults_count += r != 0;
    });
    assert_int_equal(r, 0);
    assert_true(faults_count > 5);
}

static int drop(void **state)
{
    (void)state;
    buf_fini(&out);
    buf_fini(&marks);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_nothing_is_asked_before_the_end),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_large_output),
        cmocka_unit_test(test_foreign_list),
        cmocka_unit_test(test_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, drop);
}
