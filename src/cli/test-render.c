/* Tests of the verbs run and render against a daemon that answers from a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/test-run.h"
#include "fail-alloc.h"

/* BYTES_LITERAL() as the initialiser of a static object. */
#define LIT(text)                                                                                                      \
    {                                                                                                                  \
        (const uint8_t *)("" text), sizeof(text) - 1                                                                   \
    }

#define W "/registry/applications/web"
#define REFUSAL(code, text)                                                                                            \
    LIT("{\"success\":false,\"data\":null,\"error\":{\"code\":\"" code "\",\"message\":\"" text "\"}}\n")
#define VALUE(path, value)                                                                                             \
    {                                                                                                                  \
        "GET " path, "200 OK", "Secreg-Type: string\r\n", LIT(value)                                                   \
    }

static const struct fake_row rows[] = {
    VALUE(W "/name", "alpha"),
    VALUE(W "/token", "hunter2"),
    VALUE(W "/nul", "hunter2\0x"),
    VALUE(W "/raw", "hunter2\xff"),
    VALUE(W "/ld_preload", "x"),
    {"GET " W, "409 Conflict", "", REFUSAL("is-folder", "the path is a folder")},
    {"GET " W "/?limit=1000&recursive", "200 OK", "", LIT(W "/name\n" W "/token\n")},
    {"GET " W "/twice/?limit=1000&recursive", "200 OK", "", LIT(W "/twice/a-b\n" W "/twice/a.b\n")},
    VALUE(W "/twice/a-b", "1"),
    VALUE(W "/twice/a.b", "2"),
    {"GET " W "/foreign/?limit=1000&recursive", "200 OK", "", LIT(W "/name\n")},
    {"GET " W "/none", "404 Not Found", "", REFUSAL("not-found", "no such entry")},
    {"GET " W "/refused", "403 Forbidden", "", REFUSAL("refused", "not permitted by the rules")},
    {"GET " W "/locked", "503 Service Unavailable", "", REFUSAL("locked", "the registry is locked")},
    {NULL, NULL, NULL, {NULL, 0}}};

static char path[96];

static int start(void **state)
{
    if (run_make_folder(state) != 0)
        return -1;
    fake_start(rows);
    return 0;
}

static int stop(void **state)
{
    fake_stop();
    snprintf(path, sizeof path, "%s/t", folder);
    unlink(path);
    return run_drop_folder(state);
}

static void write_template(const char *text)
{
    snprintf(path, sizeof path, "%s/t", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* No message holds any part of a value. */
static void check_refused(const char *line, int status, const char *part)
{
    int is = run_here(line);
    if (is != status || strstr(said, part) == NULL)
        print_message("sreg %s: %d\n%s", line, is, said);
    assert_int_equal(is, status);
    assert_non_null(strstr(said, part));
    assert_null(strstr(said, "hunter"));
    assert_string_equal(printed, "");
}

/* ---- run ----------------------------------------------------------------------------------------------------------
 */

static void test_run_line(void **state)
{
    static const char *const lines[] = {
        "run",
        "run --",
        "run true",
        "run --env " W " true",
        "run --env",
        "run --env --",
        "run --env -- true",
        "run --nope x -- true",
        "run -e x -- y",
        "run --prefix A --prefix B -- true",
        "run --env " W,
        "run --env 1=" W "/name -- true",
        "run --env A-B=" W "/name -- true",
        "run --env =" W "/name -- true",
        "run --env SECREG_X=" W "/name -- true",
        "run --env registry -- true",
        "run --env / -- true",
        "run --env A=registry -- true",
        "run --env A=" W "/ -- true",
        "run --env /v1/status -- true",
        "run --envx=" W " -- true",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        check_refused(lines[i], 2, "sreg: ");
}

static void test_run_refusals(void **state)
{
    (void)state;
    check_refused("run --env " W "/none -- true", 3, W "/none: no such entry");
    check_refused("run --files " W "/none -- true", 3, W "/none: no such entry");
    check_refused("run --env " W "/none/ -- true", 7, W "/none: ");
    check_refused("run --env A=" W " -- true", 6, W ": the path is a folder");
    check_refused("run --env " W "/refused -- true", 4, W "/refused: not permitted");
    check_refused("run --env " W " --env " W "/locked -- true", 7, W "/locked: the registry is locked");
    check_refused("run --env " W "/twice/ -- true", 6,
                  W "/twice/a.b: the variable A_B is that of " W "/twice/a-b already");
    check_refused("run --env " W "/name --env NAME=" W "/token -- true", 6, "that of " W "/name already");
    check_refused("run --env " W "/nul -- true", 2, "NUL byte");
    check_refused("run --env " W "/ld_preload -- true", 2, "give it as NAME=PATH");
    check_refused("run --env " W "/name --prefix 1 -- true", 2, "letters, digits");
    check_refused("run --env " W "/foreign/ -- true", 1, "protocol");
    check_refused("run --json --env " W "/refused -- true", 4,
                  "{\"code\":\"refused\",\"message\":\"" W "/refused: not");
}

static void test_run_no_program(void **state)
{
    (void)state;
    check_refused("run --env " W " -- /nonexistent/program", 127, "cannot start /nonexistent/program");
    check_refused("run -- /etc/passwd", 126, "cannot start /etc/passwd");
    check_refused("run --files " W " -- /", 126, "cannot start /");
    for (int fd = 10; fd < 20; fd++) /* those that were made for the program */
        close(fd);
}

/* ---- render -------------------------------------------------------------------------------------------------------
 */

static void test_render_line(void **state)
{
    static const char *const lines[] = {
        "render",
        "render a b c",
        "render a --owner root",
        "render a --mode 0600",
        "render a --reload true",
        "render a --dry-run",
        "render a --json",
        "render a b --check",
        "render a b --mode 8",
        "render a b --mode 01777",
        "render a b --mode 99999999999999999999",
        "render a b --owner no-such-user-here",
        "render a b --group no-such-group-here",
        "render a b --owner 4294967295",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        check_refused(lines[i], 2, "");
}

static void render(const char *text, int status, const char *wanted, const char *part)
{
    char line[300];
    write_template(text);
    snprintf(line, sizeof line, "render %s", path);
    int is = run_here(line);
    if (is != status)
        print_message("%s: %d\n%s%s", text, is, printed, said);
    assert_int_equal(is, status);
    assert_string_equal(printed, wanted);
    assert_non_null(strstr(said, part));
    assert_null(strstr(said, "hunter"));
}

static void test_render_to_output(void **state)
{
    (void)state;
    render("name={{ get \"" W "/name\" }}\n", 0, "name=alpha\n", "");
    render("{{ range \"" W "\" }}{{ .name }}={{ .value }};{{ end }}", 0, "name=alpha;token=hunter2;", "");
    render("{{ if \"" W "/none\" }}x{{ else }}y{{ end }}{{ if \"" W "\" }}z{{ end }}", 0, "yz", "");
    render("a{{ get \"" W "/token\" }}{{ get \"" W "/none\" }}", 3, "", "/t:1:46: " W "/none: no such entry");
    render("{{ get \"" W "\" }}", 6, "", "/t:1:1: " W ": the path is a folder");
    render("{{ get \"" W "/refused\" | default \"x\" }}", 4, "", W "/refused: not permitted");
    render("{{ range \"" W "/refused\" }}{{ end }}", 7, "", W "/refused: ");
    render("{{ if \"" W "/locked\" }}{{ end }}", 7, "", W "/locked: the registry is locked");
    render("{{ get \"" W "/raw\" | json }}", 2, "", "json: the value is not UTF-8");
    render("{{ get \"" W "/nul\" | shell }}", 2, "", "shell: the value is not text");
    render("{{ nope }}", 2, "", "/t:1:4: unknown word: nope");
    render("{{ range \"" W "/foreign\" }}{{ end }}", 1, "", "protocol");
    check_refused("render /nonexistent/template", 1, "/nonexistent/template: No such file");
}

static void test_check(void **state)
{
    char line[300];
    (void)state;
    write_template("{{ get \"" W "/none\" }}");
    snprintf(line, sizeof line, "render --check %s", path);
    assert_int_equal(run_here(line), 0);
    assert_string_equal(printed, "");
    snprintf(line, sizeof line, "render --json --check %s", path);
    assert_int_equal(run_here(line), 0);
    assert_string_equal(printed, "{\"valid\":true}\n");
    write_template("{{ get }}");
    assert_int_equal(run_here(line), 2);
    assert_non_null(strstr(said, "{\"code\":\"bad-value\""));
}

static void test_dry_run(void **state)
{
    char line[300], output[96];
    (void)state;
    write_template("a\nname={{ get \"" W "/name\" }} x\ntoken={{ get \"" W "/token\" | hex }}\n");
    snprintf(output, sizeof output, "%s/o", folder);
    snprintf(line, sizeof line, "render --dry-run %s %s", path, output);
    assert_int_equal(run_here(line), 0);
    assert_string_equal(printed, "+    1: a\n+    2: name=*** x\n+    3: token=***\n");
    assert_int_equal(access(output, F_OK), -1);
    FILE *f = fopen(output, "w");
    assert_non_null(f);
    assert_true(fputs("a\nname=beta-hunter x\ntoken=68756e74657232\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(output, 0600), 0);
    assert_int_equal(run_here(line), 0);
    assert_string_equal(printed, "-    2: ***\n+    2: name=*** x\n");
    snprintf(line, sizeof line, "--json render --dry-run %s %s --mode 0400", path, output);
    assert_int_equal(run_here(line), 0);
    assert_non_null(
        strstr(printed, "/o\",\"changed\":true,\"owner_changed\":true,\"dry_run\":true,\"reload\":null}\n"));
    unlink(output);
}

static void test_allocation(void **state)
{
    char line[300], output[96];
    int status = -1;
    (void)state;
    write_template("{{ range \"" W "\" }}{{ .name | upper }}={{ .value | shell }}\n{{ end }}");
    snprintf(output, sizeof output, "%s/o", folder);
    snprintf(line, sizeof line, "render -q %s %s", path, output);
    EACH_ALLOC_FAILURE({
        unlink(output);
        status = run_here(line);
        assert_null(strstr(said, "hunter"));
        assert_int_equal(access(output, F_OK), status == 0 ? 0 : -1);
    });
    assert_int_equal(status, 0);
    unlink(output);
    EACH_ALLOC_FAILURE({
        status = run_here("run --env " W " -- /nonexistent/program");
        assert_null(strstr(said, "hunter"));
        assert_int_not_equal(status, 0);
    });
    assert_int_equal(status, 127);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_line),         cmocka_unit_test(test_run_refusals),
        cmocka_unit_test(test_run_no_program),   cmocka_unit_test(test_render_line),
        cmocka_unit_test(test_render_to_output), cmocka_unit_test(test_check),
        cmocka_unit_test(test_dry_run),          cmocka_unit_test(test_allocation),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
