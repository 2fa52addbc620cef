/* Tests of export, import and diff against a daemon that answers from a table: files, plans and exit statuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/progress.h"
#include "cli/test-run.h"
#include "cli/transfer.h"

#define TEXT(text)                                                                                                     \
    {                                                                                                                  \
        (const uint8_t *)(text), sizeof(text) - 1                                                                      \
    }
#define PAGE(data) TEXT("{\"success\":true,\"request_id\":\"0\",\"data\":" data ",\"error\":null}\n")
#define REFUSAL(code, text)                                                                                            \
    TEXT("{\"success\":false,\"data\":null,\"error\":{\"code\":\"" code "\",\"message\":\"" text "\"}}\n")
#define LIST "?recursive&values&limit=1000"
#define END                                                                                                            \
    {                                                                                                                  \
        NULL, NULL, NULL,                                                                                              \
        {                                                                                                              \
            NULL, 0                                                                                                    \
        }                                                                                                              \
    }

#define ENTRY(name, rest) "{\"path\":\"/registry/system/a/" name "\",\"version\":3," rest "}"

static const struct fake_row rows[] = {
    {"GET /registry/system/a/" LIST, "200 OK", "",
     PAGE("{\"revision\":9,\"path\":\"/registry/system/a\",\"entries\":[" ENTRY(
         "port", "\"type\":\"integer\",\"sealed\":false,\"value\":1") "],\"next\":\"/registry/system/a/port\"}")},
    {"GET /registry/system/a/" LIST "&after=/registry/system/a/port", "200 OK", "",
     PAGE("{\"revision\":9,\"path\":\"/registry/system/a\",\"entries\":[" ENTRY(
         "secret", "\"type\":\"string\",\"sealed\":true,\"value\":\"hush\"") "],\"next\":null}")},
    {"GET /registry/system/moving/" LIST, "200 OK", "",
     PAGE("{\"revision\":9,\"path\":\"/registry/system/moving\",\"entries\":[{\"path\":\"/registry/system/moving/"
          "x\",\"version\":1,"
          "\"type\":\"integer\",\"value\":1}],\"next\":\"y\"}")},
    {"GET /registry/system/moving/" LIST "&after=y", "200 OK", "",
     PAGE("{\"revision\":10,\"entries\":[],\"next\":null}")},
    {"GET /registry/system/bad/" LIST, "200 OK", "",
     PAGE("{\"revision\":9,\"entries\":[{\"path\":\"/registry/system/other/"
          "x\",\"version\":1,\"type\":\"integer\",\"value\":1}]}")},
    {"GET /registry/system/empty/" LIST, "200 OK", "", PAGE("{\"revision\":9,\"entries\":[],\"next\":\"x\"}")},
    {"GET /registry/system/empty/" LIST "&after=x", "200 OK", "",
     PAGE("{\"revision\":9,\"entries\":[{\"path\":\"/registry/system/empty/y\",\"version\":1,\"type\":\"integer\","
          "\"value\":1}],\"next\":null}")},
    {"GET /registry/system/loop/" LIST, "200 OK", "", PAGE("{\"revision\":9,\"entries\":[],\"next\":\"x\"}")},
    {"GET /registry/system/loop/" LIST "&after=x", "200 OK", "",
     PAGE("{\"revision\":9,\"entries\":[],\"next\":\"x\"}")},
    {"GET /registry/system/odd/" LIST, "200 OK", "", PAGE("{\"entries\":[]}")},
    {"GET /registry/system/none/" LIST, "404 Not Found", "", REFUSAL("not-found", "no such entry")},
    {"GET /registry/system/no/" LIST, "403 Forbidden", "", REFUSAL("refused", "no")},
    {"POST /v1/txn", "200 OK", "", PAGE("{\"succeeded\":true,\"revision\":10,\"dry_run\":false,\"results\":[]}")},
    END};

static const struct fake_row rows_of_conflict[] = {
    {"GET /registry/system/a/" LIST, "200 OK", "", PAGE("{\"revision\":9,\"entries\":[],\"next\":null}")},
    {"POST /v1/txn", "412 Precondition Failed", "", REFUSAL("exists", "then[0] /registry/system/a/x: exists")},
    END};

static void check(const char *line, int status, const char *wanted)
{
    int is = run_here(line);
    if (is != status || strcmp(printed, wanted) != 0)
        print_message("sreg %s: %d\n%s%s", line, is, printed, said);
    assert_int_equal(is, status);
    assert_string_equal(printed, wanted);
}

static const char *file(const char *name)
{
    static char path[2][128];
    static unsigned at;
    at = 1 - at;
    snprintf(path[at], sizeof path[at], "%s/%s", folder, name);
    return path[at];
}

static void write_file(const char *name, const char *text)
{
    int fd = open(file(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static void assert_file(const char *name, const char *wanted)
{
    char text[4096];
    struct stat st;
    int fd = open(file(name), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    read_back(fd, text, sizeof text);
    close(fd);
    if (wanted != NULL)
        assert_string_equal(text, wanted);
}

/* The text of the last export without its time. */
static void assert_exported(const char *head, const char *rest)
{
    size_t n = strlen(head);
    assert_memory_equal(printed, head, n);
    assert_string_equal(printed + n + strlen("2026-01-31T12:00:00.000Z"), rest);
}

static void test_export(void **state UNUSED)
{
    char line[256];
    fake_start(rows);
    assert_int_equal(run_here("export /registry/system/a"), 0);
    assert_exported(
        "{\"format\":\"secreg-dump\",\"version\":1,\"base\":\"/registry/system/a\",\"revision\":9,\"time\":\"",
        "\",\"entries\":[\n{\"path\":\"port\",\"type\":\"integer\",\"value\":1},\n"
        "{\"path\":\"secret\",\"type\":\"string\",\"sealed\":true}\n]}\n");
    assert_string_equal(said, "sreg: warning: 1 sealed entries are without their values; --with-secrets writes them "
                              "down\n");
    assert_int_equal(run_here("export /registry/system/a/ --json --with-secrets"), 0);
    assert_exported(
        "{\"format\":\"secreg-dump\",\"version\":1,\"base\":\"/registry/system/a\",\"revision\":9,\"time\":\"",
        "\",\"entries\":[{\"path\":\"port\",\"type\":\"integer\",\"value\":1},"
        "{\"path\":\"secret\",\"type\":\"string\",\"value\":\"hush\",\"sealed\":true}]}\n");
    assert_string_equal(said, "");
    assert_int_equal(run_here("export /registry/system/a --format env --with-secrets -q"), 0);
    assert_non_null(strstr(printed, "\n#: port\nPORT=\"1\"\n#: secret\nSECRET=\"hush\"\n"));
    assert_string_equal(said, "");
    assert_int_equal(run_here("export /registry/system/a --format env"), 0);
    assert_null(strstr(printed, "hush"));
    assert_non_null(strstr(said, "the format env loses types"));
    assert_int_equal(run_here("export /registry/system/empty"), 0);
    assert_non_null(strstr(printed, "{\"path\":\"y\",\"type\":\"integer\",\"value\":1}"));
    snprintf(line, sizeof line, "export /registry/system/a -q -o %s", file("x.yaml"));
    check(line, 0, "");
    assert_file("x.yaml", NULL);
    check(line, 6, "");
    assert_non_null(strstr(said, "exists already; --force replaces it"));
    strcat(line, " --force --json");
    assert_int_equal(run_here(line), 0);
    assert_non_null(strstr(printed,
                           "\"folder\":\"/registry/system/a\",\"format\":\"yaml\",\"revision\":9,\"entries\":2,"
                           "\"without_value\":1}\n"));
    assert_int_equal(unlink(file("x.yaml")), 0);
    fake_stop();
}

static void test_export_that_fails(void **state UNUSED)
{
    char line[256];
    fake_start(rows);
    check("export /registry/system/none", 3, "");
    check("export /registry/system/no", 4, "");
    check("export /registry/system/moving", 6, "");
    assert_non_null(strstr(said, "the tree changed each of 5 times while it was read"));
    check("export /registry/system/bad", 1, "");
    check("export /registry/system/odd", 1, "");
    check("export /registry/system/loop", 1, "");
    check("export /registry/system/hangs-up", 7, "");
    check("export /etc", 2, "");
    check("export /registry/system/a --format xml", 2, "");
    check("export /registry/system/a --format yaml --json", 2, "");
    snprintf(line, sizeof line, "export /registry/system/a -o %s/no/such.json", folder);
    check(line, 1, "");
    snprintf(line, sizeof line, "export /registry/system/a --format json --force -o %s", folder);
    check(line, 6, "");
    assert_non_null(strstr(said, "is not a file and is not replaced"));
    fake_stop();
}

#define HEAD "format: secreg-dump\nversion: 1\nbase: /registry/system/a\nentries: "

static void test_import(void **state UNUSED)
{
    char line[256];
    fake_start(rows);
    write_file("f.yaml", HEAD "{port: 2, new: x, secret: {type: string, sealed: true}}\n");
    snprintf(line, sizeof line, "import %s", file("f.yaml"));
    check(line, 0,
          "+ /registry/system/a/new = x\n~ /registry/system/a/port: 1 -> 2\n"
          "1 added, 1 changed, 0 deleted, 0 kept, 0 unchanged, 1 without a value\n");
    snprintf(line, sizeof line, "import %s -q --dry-run --reason why", file("f.yaml"));
    check(line, 0,
          "+ /registry/system/a/new = x\n~ /registry/system/a/port: 1 -> 2\n"
          "1 added, 1 changed, 0 deleted, 0 kept, 0 unchanged, 1 without a value (dry run: nothing was written)\n");
    snprintf(line, sizeof line, "import %s --json", file("f.yaml"));
    check(line, 0,
          "{\"written\":true,\"dry_run\":false,\"revision\":10,\"added\":1,\"changed\":1,\"deleted\":0,\"kept\":0,"
          "\"unchanged\":0,\"without_value\":1,\"conflicts\":0,\"steps\":[{\"change\":\"add\",\"path\":"
          "\"/registry/system/a/new\",\"theirs\":{\"type\":\"string\",\"sealed\":false,\"value\":\"x\"}},{\"change\":"
          "\"change\",\"path\":\"/registry/system/a/port\",\"differs\":[\"value\"],\"ours\":{\"type\":\"integer\","
          "\"sealed\":false,\"value\":1},\"theirs\":{\"type\":\"integer\",\"sealed\":false,\"value\":2}}]}\n");
    write_file("f.yaml", HEAD "{secret: {value: hush, sealed: true}}\n");
    snprintf(line, sizeof line, "import %s", file("f.yaml"));
    check(line, 0, "0 added, 0 changed, 0 deleted, 1 kept, 1 unchanged, 0 without a value (nothing was written)\n");
    snprintf(line, sizeof line, "import %s --delete-missing", file("f.yaml"));
    check(line, 0,
          "- /registry/system/a/port\n0 added, 0 changed, 1 deleted, 0 kept, 1 unchanged, 0 without a value\n");
    snprintf(line, sizeof line, "import %s --to /registry/system/none -q", file("f.yaml"));
    check(line, 0, "1 added, 0 changed, 0 deleted, 0 kept, 0 unchanged, 0 without a value\n");
    write_file("f.env", "PORT=5\n");
    snprintf(line, sizeof line, "import %s --to /registry/system/a", file("f.env"));
    check(line, 0,
          "~ /registry/system/a/port: 1 -> 5\n0 added, 1 changed, 0 deleted, 1 kept, 0 unchanged, 0 without a value\n");
    unlink(file("f.yaml"));
    unlink(file("f.env"));
    fake_stop();
}

static void test_three_way(void **state UNUSED)
{
    char line[300], both[256];
    fake_start(rows);
    write_file("b.yaml", HEAD "{port: 0, gone: x, secret: {value: hush, sealed: true}}\n");
    write_file("f.yaml", HEAD "{port: 2, secret: {value: loud, sealed: true}}\n");
    snprintf(both, sizeof both, "import %s --base %s", file("f.yaml"), file("b.yaml"));
    check(both, 6,
          "! /registry/system/a/port: changed in both, ours 1, theirs 2\n~ /registry/system/a/secret (value)\n"
          "0 added, 1 changed, 0 deleted, 0 kept, 0 unchanged, 0 without a value, 1 conflicts (nothing was written)\n");
    snprintf(line, sizeof line, "%s --json", both);
    assert_int_equal(run_here(line), 6);
    assert_non_null(strstr(printed, "{\"written\":false,"));
    assert_non_null(
        strstr(printed, "{\"change\":\"conflict\",\"path\":\"/registry/system/a/port\",\"conflict\":true,"));
    assert_null(strstr(printed, "loud"));
    snprintf(line, sizeof line, "%s --ours", both);
    check(line, 0,
          "  /registry/system/a/port (conflict: ours stays)\n~ /registry/system/a/secret (value)\n"
          "0 added, 1 changed, 0 deleted, 1 kept, 0 unchanged, 0 without a value\n");
    snprintf(line, sizeof line, "%s --theirs", both);
    check(line, 0,
          "~ /registry/system/a/port: 1 -> 2 (conflict: theirs is taken)\n~ /registry/system/a/secret (value)\n"
          "0 added, 2 changed, 0 deleted, 0 kept, 0 unchanged, 0 without a value\n");
    static const char *const wrong[] = {"--ours --theirs", "--delete-missing", "--abort --ours", "--format env",
                                        "--format xml"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        snprintf(line, sizeof line, "%s %s", both, wrong[i]);
        check(line, 2, "");
    }
    unlink(file("b.yaml"));
    unlink(file("f.yaml"));
    fake_stop();
}

static void test_import_that_fails(void **state UNUSED)
{
    char line[256];
    fake_start(rows_of_conflict);
    write_file("f.json", "{\"format\":\"secreg-dump\",\"version\":1,\"entries\":[{\"path\":\"x\",\"value\":1}]}");
    snprintf(line, sizeof line, "import %s -q --to /registry/system/a", file("f.json"));
    check(line, 6, "");
    assert_string_equal(said, "sreg: then[0] /registry/system/a/x: exists\n");
    snprintf(line, sizeof line, "import %s", file("f.json"));
    check(line, 2, "");
    assert_non_null(strstr(said, "does not say where it belongs; give --to"));
    snprintf(line, sizeof line, "import %s --to /registry", file("f.json"));
    check(line, 7, "");
    snprintf(line, sizeof line, "import %s", file("none.json"));
    check(line, 3, "");
    snprintf(line, sizeof line, "import %s --format yaml --to /registry/system/a", folder);
    check(line, 1, "");
    write_file("f.json", "{\"format\":\"secreg-dump\",\"version\":1,\"entries\":[{\"path\":\"x\",\"value\":tru}]}");
    snprintf(line, sizeof line, "import %s --json --to /registry/system/a", file("f.json"));
    check(line, 2, "");
    assert_non_null(strstr(said, "{\"code\":\"bad-value\",\"message\":"));
    unlink(file("f.json"));
    fake_stop();
}

static void test_diff(void **state UNUSED)
{
    char line[300];
    fake_start(rows);
    write_file("a.yaml", HEAD "{port: 1, secret: {type: string, sealed: true}}\n");
    write_file("b.yaml", HEAD "{port: 2, secret: {value: loud, sealed: true}}\n");
    snprintf(line, sizeof line, "diff /registry/system/a %s --exit-code", file("a.yaml"));
    check(line, 0, "");
    assert_non_null(strstr(said, "the values of 1 sealed entries are in one of the two only and are not compared"));
    snprintf(line, sizeof line, "diff %s /registry/system/a", file("b.yaml"));
    check(line, 0, "~ port: 2 -> 1\n~ secret (value)\n");
    snprintf(line, sizeof line, "diff %s /registry/system/a --exit-code", file("b.yaml"));
    check(line, 1, "~ port: 2 -> 1\n~ secret (value)\n");
    snprintf(line, sizeof line, "diff /registry/system/a %s --json", file("b.yaml"));
    check(line, 0,
          "{\"different\":true,\"added\":0,\"changed\":2,\"deleted\":0,\"unchanged\":0,\"not_compared\":0,\"steps\":["
          "{\"change\":\"change\",\"path\":\"port\",\"differs\":[\"value\"],\"ours\":{\"type\":\"integer\",\"sealed\":"
          "false,\"value\":1},\"theirs\":{\"type\":\"integer\",\"sealed\":false,\"value\":2}},{\"change\":\"change\","
          "\"path\":\"secret\",\"differs\":[\"value\"],\"ours\":{\"type\":\"string\",\"sealed\":true},\"theirs\":{"
          "\"type\":\"string\",\"sealed\":true}}]}\n");
    write_file("c.env", "PORT=1\nSECRET=hush\n");
    snprintf(line, sizeof line, "diff /registry/system/a %s --exit-code", file("c.env"));
    check(line, 0, "");
    snprintf(line, sizeof line, "diff %s %s --exit-code", file("c.env"), file("c.env"));
    check(line, 0, "");
    check("diff /registry/system/bad /registry/system/a", 1, "");
    check("diff /registry/system/bad /registry/system/a --exit-code", 2, "");
    check("diff /registry/system/none /registry/system/a --exit-code", 3, "");
    unlink(file("a.yaml"));
    unlink(file("b.yaml"));
    unlink(file("c.env"));
    fake_stop();
}

/* What is written to standard error, which is taken for a terminal. */
static void test_progress(void **state UNUSED)
{
    struct cli cli = {.is_tty_err = true};
    struct progress p;
    int saved = dup(2), fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    assert_true(fd >= 0 && dup2(fd, 2) == 2);
    progress_init(&p, &cli);
    progress_show(&p, "early", 1, 2); /* before a second has passed */
    progress_clear(&p);
    p.next = clock_mono_now();
    progress_show(&p, "reading", 1500, 3000);
    progress_show(&p, "too soon", 1501, 3000);
    p.next = clock_mono_now();
    progress_show(&p, "reading", 7, 0);
    progress_clear(&p);
    progress_clear(&p);
    cli.is_quiet = true;
    p.next = clock_mono_now();
    progress_show(&p, "quiet", 1, 2);
    fflush(stderr);
    dup2(saved, 2);
    close(saved);
    read_back(fd, said, sizeof said);
    close(fd);
    assert_string_equal(
        said, "\rreading [###############...............]  50%, 1500 of 3000\033[K\rreading, 7 so far\033[K\r\033[K");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_export),    cmocka_unit_test(test_export_that_fails), cmocka_unit_test(test_import),
        cmocka_unit_test(test_three_way), cmocka_unit_test(test_import_that_fails), cmocka_unit_test(test_diff),
        cmocka_unit_test(test_progress),
    };
    return cmocka_run_group_tests(tests, run_make_folder, run_drop_folder);
}
