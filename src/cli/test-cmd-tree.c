/* Tests of the verbs on many entries, and of the past, against a daemon that answers from a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "cli/args.h"
#include "cli/past.h"
#include "cli/test-run.h"
#include "cli/tx.h"
#include "cli/verbs.h"
#include "cli/when.h"
#include "fail-alloc.h"

#define JSON(data) BYTES_LITERAL("{\"success\":true,\"request_id\":\"0\",\"data\":" data ",\"error\":null}\n")
#define REFUSAL(code, text)                                                                                            \
    BYTES_LITERAL("{\"success\":false,\"data\":null,\"error\":{\"code\":\"" code "\",\"message\":\"" text "\"}}\n")
#define OK(request, data)                                                                                              \
    {                                                                                                                  \
        request, "200 OK", "", JSON(data)                                                                              \
    }
#define TEXT(request, text)                                                                                            \
    {                                                                                                                  \
        request, "200 OK", "", BYTES_LITERAL(text)                                                                     \
    }
#define TXN(results)                                                                                                   \
    OK("POST /v1/txn", "{\"succeeded\":true,\"dry_run\":false,\"results\":[" results "],\"revision\":7}")
#define END                                                                                                            \
    {                                                                                                                  \
        NULL, NULL, NULL, BYTES_NONE                                                                                   \
    }

static void check(const char *line, int status, const char *wanted)
{
    int is = run_here(line);
    if (is != status || strcmp(printed, wanted) != 0)
        print_message("sreg %s: %d\n%s%s", line, is, printed, said);
    assert_int_equal(is, status);
    assert_string_equal(printed, wanted);
}

static void test_transfers(void **state)
{
    const struct fake_row rows[] = {
        TXN("{\"path\":\"/registry/a\",\"to\":\"/registry/b\",\"entries\":3}"),
        TEXT("GET /registry/a/?limit=1000&recursive", "/registry/a/x\n/registry/a/y/z\n"),
        {"GET /registry/e/?limit=1000&recursive", "409 Conflict", "", REFUSAL("not-folder", "an entry")},
        {"GET /registry/n/?limit=1000&recursive", "404 Not Found", "", REFUSAL("not-found", "no such entry")},
        END};
    (void)state;
    fake_start(rows);
    check("cp /registry/a /registry/b", 0, "");
    check("mv /registry/a/ /registry/b/ --json", 0,
          "{\"succeeded\":true,\"dry_run\":false,\"results\":[{\"path\":\"/registry/a\",\"to\":\"/registry/"
          "b\",\"entries\":3}],"
          "\"revision\":7}\n");
    check("mv /registry/a /registry/b --dry-run", 0,
          "move /registry/a/x -> /registry/b/x\nmove /registry/a/y/z -> /registry/b/y/z\n");
    assert_string_equal(said, "sreg: warning: and 1 more entries that you may not list\n");
    check("cp /registry/e /registry/b --dry-run -q", 0, "copy /registry/e -> /registry/b\n");
    check("del -r /registry/a/ --dry-run -q", 0, "delete /registry/a/x\ndelete /registry/a/y/z\n");
    check("del -r /registry/n --dry-run", 3, "");
    assert_string_equal(said, "sreg: /registry/n: no such entry\n");
    check("destroy /registry/a --version 2 -y", 0, "");
    check("destroy /registry/a --version 2 --dry-run", 0, "destroy /registry/a version 2\n");
    fake_stop();
}

static void test_refusals(void **state)
{
    const struct fake_row rows[] = {
        {"POST /v1/txn", "410 Gone", "", REFUSAL("gone", "no longer kept: then[0] /registry/a")}, END};
    (void)state;
    fake_start(rows);
    check("cp /registry/a /registry/b", 3, "");
    assert_string_equal(said, "sreg: no longer kept: then[0] /registry/a\n");
    check("revert /registry/a --version 1 --json", 3, "");
    assert_string_equal(said, "{\"code\":\"gone\",\"message\":\"no longer kept: then[0] /registry/a\"}\n");
    check("set /registry/a [1 --dry-run --type json", 2, "");
    check("set /registry/a x --dry-run --type json", 2, "");
    check("set /registry/a x --dry-run", 3, "");
    fake_stop();
}

#define ROW(path, expires)                                                                                             \
    "{\"path\":\"" path "\",\"type\":\"string\",\"version\":1,\"tags\":[],\"expires\":\"" expires "\"}"

#define DUE_LATE ROW("/registry/c", "2149-01-01T00:00:00.000Z")
#define DUE_NOW ROW("/registry/b", "2001-01-01T00:00:00.000Z")

static void test_find_and_due(void **state)
{
    const struct fake_row rows[] = {
        OK("GET /registry/f/?limit=1000&recursive&name=%2A.key&tag=tls",
           "{\"path\":\"/registry/f\",\"entries\":[{\"path\":\"/registry/f/a\"}],\"next\":\"/registry/f/a\"}"),
        OK("GET /registry/f/?limit=1000&recursive&name=%2A.key&tag=tls&after=/registry/f/a",
           "{\"path\":\"/registry/f\",\"entries\":[{\"path\":\"/registry/f/b\"}],\"next\":null}"),
        OK("GET /registry/?limit=1000&recursive&long&expires_before=2150-01-01T00:00:00.000Z",
           "{\"path\":\"/registry\",\"entries\":[" DUE_LATE "," DUE_NOW "],\"next\":null}"),
        OK("GET /registry/?limit=1000&recursive&long&expires_before=2151-01-01T00:00:00.000Z",
           "{\"path\":\"/registry\",\"entries\":[{\"path\":\"/registry/x\",\"expires\":\"never\"}],\"next\":null}"),
        OK("GET /registry/bad/?limit=1000&recursive", "{\"next\":null}"),
        END};
    (void)state;
    fake_start(rows);
    check("find /registry/f --name *.key --tag tls", 0, "/registry/f/a\n/registry/f/b\n");
    check("find /registry/f --name *.key --tag tls --json", 0,
          "{\"path\":\"/registry/f\",\"entries\":[{\"path\":\"/registry/f/a\"},{\"path\":\"/registry/f/"
          "b\"}],\"next\":null}\n");
    check("find /registry/bad", 1, "");
    check("due --within 2150-01-01 --json", 0, "{\"entries\":[" DUE_NOW "," DUE_LATE "]}\n");
    assert_int_equal(run_here("due --within 2150-01-01"), 0);
    assert_non_null(strstr(printed, "2001-01-01T00:00:00.000Z      0 s  string        1        /registry/b\n"));
    check("due --within 2151-01-01", 1, "");
    fake_stop();
}

#define VERSION(number, revision, more)                                                                                \
    "{\"version\":" number ",\"type\":\"string\",\"changed\":\"2026-01-0" number                                       \
    "T00:00:00.000Z\",\"revision\":" revision more "}"

static void test_undo(void **state)
{
    const struct fake_row rows[] = {
        TXN("{\"path\":\"/registry/a\",\"entries\":1}"),
        OK("GET /registry/a?history", "{\"versions\":[" VERSION("3", "9", "") "," VERSION("2", "5", "") "]}"),
        OK("GET /registry/new?history", "{\"versions\":[" VERSION("1", "9", "") "]}"),
        OK("GET /registry/again?history",
           "{\"versions\":[" VERSION("3", "9", "") "," VERSION("2", "5", ",\"deleted\":true") "]}"),
        OK("GET /registry/cut?history", "{\"versions\":[" VERSION("3", "9", "") "]}"),
        OK("GET /registry/shred?history",
           "{\"versions\":[" VERSION("3", "9", "") "," VERSION("2", "5", ",\"destroyed\":true") "]}"),
        OK("GET /registry/bad?history", "{\"versions\":[{\"version\":1}]}"),
        OK("GET /registry/none?history", "{\"versions\":[]}"),
        END};
    (void)state;
    fake_start(rows);
    check("undo /registry/a --dry-run", 0, "revert /registry/a version 2\n");
    check("undo /registry/new --dry-run", 0, "delete /registry/new\n");
    check("undo /registry/again --dry-run", 0, "delete /registry/again\n");
    check("undo /registry/a", 0, "");
    check("undo /registry/cut", 3, "");
    check("undo /registry/shred", 3, "");
    check("undo /registry/bad", 1, "");
    check("undo /registry/none", 3, "");
    fake_stop();
}

#define ACT(id, kind, path, detail)                                                                                    \
    "{\"seq\":1,\"kind\":\"" kind "\",\"outcome\":\"done\",\"request_id\":\"" id "\",\"path\":\"" path                 \
    "\",\"detail\":\"" detail "\",\"version_after\":2,\"revision\":9}"

/* A revert to what was there already. */
#define UNCHANGED                                                                                                      \
    "{\"seq\":1,\"kind\":\"revert\",\"outcome\":\"done\",\"request_id\":\"7\",\"path\":\"/registry/same\","            \
    "\"detail\":\"\",\"version_after\":0,\"revision\":8}"

static void test_undo_of_a_request(void **state)
{
    const struct fake_row rows[] = {
        TXN("{\"path\":\"/registry/a\",\"entries\":1}"),
        OK("GET /v1/audit?limit=1000", "{\"records\":[" ACT("5", "get", "/registry/x", "") "],\"next\":40}"),
        OK("GET /v1/audit?limit=1000&after=40",
           "{\"records\":[" ACT("7", "txn", "", "then") "," UNCHANGED "," ACT(
               "7", "destroy", "/registry/a", "") "," ACT("7", "set", "/registry/a", "") "],\"next\":30}"),
        OK("GET /v1/audit?limit=1000&after=30",
           "{\"records\":[" ACT("7", "move", "/registry/new", "/registry/old") "," ACT(
               "6", "set", "/registry/z", "") "," ACT("7", "set", "/registry/never", "") "],\"next\":20}"),
        OK("GET /v1/audit?limit=1000&after=20", "{\"records\":[],\"next\":null}"),
        OK("GET /registry/a?history",
           "{\"versions\":[" VERSION("4", "9", "") "," VERSION("3", "9", "") "," VERSION("2", "5", "") "]}"),
        {"GET /registry/z?history", "404 Not Found", "", REFUSAL("not-found", "no such entry")},
        OK("GET /registry/new?history", "{\"versions\":[" VERSION("1", "9", "") "]}"),
        OK("GET /registry/old?history",
           "{\"versions\":[" VERSION("3", "9", ",\"deleted\":true") "," VERSION("2", "4", "") "]}"),
        END};
    (void)state;
    fake_start(rows);
    check("undo --request 7 --dry-run", 0,
          "revert /registry/a version 2\ndelete /registry/new\nrevert /registry/old version 2\n");
    assert_non_null(strstr(said, "1 acts of it cannot be undone"));
    check("undo --request 8", 3, "");
    check("undo --request 6", 3, ""); /* /registry/z has no history */
    fake_stop();
}

static void test_undo_meets_a_change(void **state)
{
    const struct fake_row rows[] = {
        OK("POST /v1/txn", "{\"succeeded\":false,\"results\":[]}"),
        OK("GET /registry/a?history", "{\"versions\":[" VERSION("3", "9", "") "," VERSION("2", "5", "") "]}"),
        OK("GET /v1/audit?limit=1000", "{\"records\":[" ACT("7", "set", "/registry/a", "") "],\"next\":null}"), END};
    (void)state;
    fake_start(rows);
    check("undo /registry/a", 6, "");
    check("undo --request 7 --json", 6, "");
    fake_stop();
}

static void test_revert(void **state)
{
    const struct fake_row rows[] = {
        TXN("{\"path\":\"/registry/t\",\"entries\":3}"),
        OK("GET /registry/t/?limit=1000&recursive&values&revision=5",
           "{\"path\":\"\",\"entries\":[{\"path\":\"/registry/t/a\",\"version\":1},{\"path\":\"/registry/t/"
           "b\",\"version\":2},"
           "{\"path\":\"/registry/t/same\",\"version\":2}],\"next\":null}"),
        OK("GET /registry/t/?limit=1000&recursive&long",
           "{\"path\":\"\",\"entries\":[{\"path\":\"/registry/t/a\",\"version\":4},{\"path\":\"/registry/t/"
           "same\",\"version\":2},"
           "{\"path\":\"/registry/t/z\",\"version\":1}],\"next\":null}"),
        OK("GET /v1/audit?limit=1&until=2026-01-04T00:00:00.000Z",
           "{\"records\":[],\"next\":77}"), /* a page that found nothing in what it looked through */
        OK("GET /v1/audit?limit=1&until=2026-01-04T00:00:00.000Z&after=77",
           "{\"records\":[{\"revision\":5}],\"next\":null}"),
        OK("GET /v1/audit?limit=1&until=2026-01-01T00:00:00.000Z", "{\"records\":[],\"next\":null}"),
        OK("GET /v1/audit?limit=1&until=2026-01-02T00:00:00.000Z", "{\"records\":[{\"revision\":0}],\"next\":null}"),
        END};
    static const char plan[] = "revert /registry/t/a version 1\nrevert /registry/t/b version 2\ndelete /registry/t/z\n";
    (void)state;
    fake_start(rows);
    check("revert /registry/t --revision 5 --dry-run", 0, plan);
    check("revert /registry/t/ --time 2026-01-04 --dry-run", 0, plan);
    check("revert /registry/t --version 2 --dry-run", 0, "revert /registry/t version 2\n");
    check("revert /registry/t --time 2026-01-01", 3, "");
    check("revert /registry/t --time 2026-01-02", 3, "");
    check("revert /registry/t --revision 5", 0, "");
    fake_stop();
}

static void test_revert_without_the_trail(void **state)
{
    const struct fake_row rows[] = {
        TXN("{\"path\":\"/registry/a\",\"entries\":1}"),
        {"GET /v1/audit?limit=1&until=2026-01-03T00:00:00.000Z", "403 Forbidden", "",
         REFUSAL("refused", "not permitted")},
        {"GET /v1/audit?limit=1&until=2026-01-02T00:00:00.000Z", "403 Forbidden", "",
         REFUSAL("refused", "not permitted")},
        {"GET /v1/audit?limit=1&until=2026-01-05T00:00:00.000Z", "503 No", "", REFUSAL("unavailable", "stopping")},
        OK("GET /registry/a?history", "{\"versions\":[" VERSION("3", "9", "") "," VERSION("2", "5", "") "]}"),
        {"GET /registry/f?history", "404 Not Found", "", REFUSAL("not-found", "no such entry")},
        END};
    (void)state;
    fake_start(rows);
    check("revert /registry/a --time 2026-01-03 --dry-run", 0, "revert /registry/a version 2\n");
    check("revert /registry/a --time 2026-01-02", 3, "");
    check("revert /registry/f --time 2026-01-03", 4, "");
    check("revert /registry/a --time 2026-01-05", 7, "");
    fake_stop();
}

static const char *write_file(const char *text)
{
    static char path[96];
    snprintf(path, sizeof path, "%s/txn.json", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

static void check_txn(const char *body, const char *options, int status, const char *wanted)
{
    char line[200];
    snprintf(line, sizeof line, "txn %s%s", write_file(body), options);
    check(line, status, wanted);
    unlink(write_file(""));
}

static void test_txn(void **state)
{
    const struct fake_row rows[] = {TXN("{\"path\":\"/registry/a\",\"version\":2,\"revision\":7},{\"path\":\"/registry/"
                                        "a\",\"to\":\"/registry/b\",\"entries\":12},{\"path\":\"/registry/"
                                        "c\",\"version\":1,\"value\":\"x\\u001b\"}"),
                                    END};
    static const char table[] = "PATH         TO           ENTRIES  VERSION  VALUE\n"
                                "/registry/a                              2\n"
                                "/registry/a  /registry/b       12\n"
                                "/registry/c                              1  x\\x1b\n";
    (void)state;
    fake_start(rows);
    check_txn("{\"then\":[]}", "", 0, table);
    check_txn(" {\"then\":[],\"dry_run\":false,\"reason\":\"\\\"\"}", " --dry-run --reason why", 0, table);
    check_txn("[]", "", 2, "");
    check_txn("{\"then\":[}", "", 2, "");
    fake_stop();
}

static void test_txn_that_does_not_hold(void **state)
{
    const struct fake_row rows[] = {OK("POST /v1/txn", "{\"succeeded\":false,\"results\":[]}"), END};
    (void)state;
    fake_start(rows);
    check_txn("{\"then\":[],\"compare\":[]}", " --json", 6, "{\"succeeded\":false,\"results\":[]}\n");
    check_txn("{\"then\":[],\"else\":[]}", "", 0, "");
    fake_stop();
}

static void test_fingerprint(void **state)
{
    const struct fake_row rows[] = {OK("GET /registry/a/?fingerprint", "{\"fingerprint\":\"ab12\",\"entries\":3}"),
                                    END};
    (void)state;
    fake_start(rows);
    check("fingerprint /registry/a", 0, "ab12\n");
    check("fingerprint /registry/a/ --json", 0, "{\"fingerprint\":\"ab12\",\"entries\":3}\n");
    fake_stop();
}

/* ---- bodies and times ---------------------------------------------------------------------------------------------
 */

static void write_all(struct tx *t)
{
    tx_part(t, "compare");
    tx_leaf(t, NULL);
    tx_text(t, "path", BYTES_LITERAL("/registry/\"a"));
    tx_number(t, "version", 7);
    tx_leaf(t, NULL);
    tx_raw(t, "absent", "true");
    tx_part(t, "then");
    tx_part(t, "else");
    tx_leaf(t, "get");
    tx_leaf(t, "delete");
}

static void test_bodies(void **state)
{
    static const struct args_option options[] = {{"reason", 0, "TEXT", ""}, {"dry-run", 0, NULL, ""}, {0}};
    const struct verb verb = {.name = "x", .options = options};
    struct args args = {.verb = &verb};
    struct cli cli = {.args = &args};
    struct tx t;
    (void)state;
    tx_init(&t, &cli);
    write_all(&t);
    assert_int_equal(t.fault, 0);
    assert_true(
        bytes_equal(buf_view(&t.body),
                    BYTES_LITERAL("{\"compare\":[{\"path\":\"/registry/\\\"a\",\"version\":7},{\"absent\":true}],"
                                  "\"then\":[],\"else\":[{\"op\":\"get\"},{\"op\":\"delete\"")));
    tx_fini(&t);
    EACH_ALLOC_FAILURE({
        tx_init(&t, &cli);
        write_all(&t);
        assert_true(t.fault == 0 || t.fault == -ENOMEM);
        tx_fini(&t);
    });
}

static void test_times_ahead(void **state)
{
    static const struct {
        const char *text, *wanted;
    } rows[] = {
        {"+30d", "2026-01-31T00:00:00.000Z"},
        {"90s", "2026-01-01T00:01:30.000Z"},
        {"2w", "2026-01-15T00:00:00.000Z"},
        {"2027-05-06", "2027-05-06T00:00:00.000Z"},
        {"2027-05-06T07:08:09.5Z", "2027-05-06T07:08:09.500Z"},
        {"", NULL},
        {"+", NULL},
        {"++1d", NULL},
        {"-1d", NULL},
        {"+2027-05-06x", NULL},
        {"9999999w", NULL},
        {"10000001w", NULL},
        {"soon", NULL},
    };
    char text[CLOCK_TEXT_BYTES];
    struct wall_time now;
    (void)state;
    assert_true(clock_wall_parse("2026-01-01T00:00:00Z", &now));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(when_parse_ahead(rows[i].text, now, text), rows[i].wanted != NULL);
        if (rows[i].wanted != NULL)
            assert_string_equal(text, rows[i].wanted);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transfers),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_find_and_due),
        cmocka_unit_test(test_undo),
        cmocka_unit_test(test_undo_of_a_request),
        cmocka_unit_test(test_undo_meets_a_change),
        cmocka_unit_test(test_revert),
        cmocka_unit_test(test_revert_without_the_trail),
        cmocka_unit_test(test_txn),
        cmocka_unit_test(test_txn_that_does_not_hold),
        cmocka_unit_test(test_fingerprint),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_times_ahead),
    };
    return cmocka_run_group_tests(tests, run_make_folder, run_drop_folder);
}
