/* Tests of the table of verbs and of what is made from it: help, completion, the manual; and of runs without a daemon.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/complete.h"
#include "cli/doctor.h"
#include "cli/test-run.h"
#include "cli/verbs.h"
#include "fail-alloc.h"
#include "lib/secreg-internal.h"
#include "model/outcome.h"
#include "os/file.h"

static void test_usage(void **state)
{
    (void)state;
    assert_int_equal(run("help"), 0);
    for (const struct verb *v = verbs; v->name != NULL; v++)
        assert_non_null(strstr(printed, v->help));
    static char usage[sizeof printed];
    strcpy(usage, printed);
    assert_int_equal(run("--help"), 0);
    assert_string_equal(printed, usage);
    assert_string_equal(said, "");
}

static void test_no_verb(void **state)
{
    (void)state;
    char name[] = "sreg", *argv[] = {name, NULL};
    int saved = dup(2), null = open("/dev/null", O_WRONLY);
    dup2(null, 2);
    assert_int_equal(cli_main(1, argv), CLI_USAGE);
    dup2(saved, 2);
    close(saved);
    close(null);
}

static void test_help_of_each_verb(void **state)
{
    char line[128];
    (void)state;
    for (const struct verb *v = verbs; v->name != NULL; v++) {
        snprintf(line, sizeof line, "help %s", v->name);
        assert_int_equal(run(line), 0);
        assert_non_null(strstr(printed, v->help));
        for (const struct args_option *o = v->options; o != NULL && o->name != NULL; o++)
            assert_non_null(strstr(printed, o->help));
        static char first[sizeof printed];
        strcpy(first, printed);
        snprintf(line, sizeof line, "%s --help", v->name);
        assert_int_equal(run(line), 0);
        assert_string_equal(printed, first);
    }
    assert_int_equal(run("help acl"), 0);
    assert_non_null(strstr(printed, "acl deny PRINCIPAL"));
    assert_int_equal(run("help nope"), CLI_USAGE);
    assert_int_equal(run("help acl nope"), CLI_USAGE);
}

static void test_rows_are_sound(void **state)
{
    (void)state;
    for (const struct verb *v = verbs; v->name != NULL; v++) {
        size_t options = 0;
        assert_true(v->operands_max <= ARGS_OPERANDS_MAX_COUNT && v->operands_min <= v->operands_max);
        assert_int_equal(v->operands_max > 0, *v->operands != '\0');
        assert_true((v->complete == ARGS_WORDS) == (v->words != NULL));
        assert_true(strncmp(v->examples, "sreg ", 5) == 0 && v->run != NULL);
        for (const struct args_option *o = v->options; o != NULL && o->name != NULL; o++, options++) {
            for (const struct args_option *g = args_globals; g->name != NULL; g++)
                assert_true(strcmp(g->name, o->name) != 0 || strcmp(o->name, "version") == 0);
        }
        assert_true(options <= ARGS_OPTIONS_MAX_COUNT);
    }
}

static void test_wrong_lines(void **state)
{
    static const char *const lines[] = {
        "nope",
        "get",
        "set /registry/a x --seal --no-seal",
        "set /registry/a x --if-version 1 --if-absent",
        "set /registry/a x --type nope",
        "set /registry/a x --if-version x",
        "get /registry/a --version x",
        "get registry/a",
        "get /v1/status",
        "get /registry/a/",
        "ls /",
        "init --slot nope",
        "init --rounds 1",
        "init --rounds x",
        "init --slot key-file --rounds 600000",
        "unlock --key-file --passphrase-stdin",
        "acl remove x",
        "acl allow uid:no-such-user-here read /registry",
        "acl test gid:no-such-group-here read /registry",
        "audit query --since nope",
        "audit query --uid no-such-user-here",
        "audit query --limit x",
        "audit tail -n x",
        "completion csh",
        "set /registry/a x --expires soon",
        "set /registry/a x --dry-run --if-version x",
        "del -r /registry/a --if-version 1",
        "del /registry/a --dry-run --if-version x",
        "destroy /registry/a",
        "destroy /registry/a --version 0 --yes",
        "destroy /registry/a --version 1",
        "due --within soon",
        "undo",
        "undo /registry/a --request 1",
        "revert /registry/a",
        "revert /registry/a --version 1 --revision 1",
        "revert /registry/a --version 0",
        "revert /registry/a --time soon",
        "txn /dev/null",
        "txn /no/such/file",
        "txn /proc/version",
        "fingerprint registry",
    };
    char line[256];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        snprintf(line, sizeof line, "--root %s %s", folder, lines[i]);
        assert_int_equal(run(line), CLI_USAGE);
        assert_string_equal(printed, "");
        assert_int_equal(strncmp(said, "sreg: ", 6), 0);
        snprintf(line, sizeof line, "--root %s --json %s", folder, lines[i]);
        assert_int_equal(run(line), CLI_USAGE);
        assert_int_equal(strncmp(said, "{\"code\":\"bad-", 13), 0);
        assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
    }
}

static void test_no_daemon(void **state)
{
    static const char *const lines[] = {"get /registry/a",
                                        "get /registry/a --json",
                                        "get /registry/a -e",
                                        "set /registry/a x",
                                        "del /registry/a",
                                        "ls /registry",
                                        "ls /registry --json",
                                        "ls -l /registry",
                                        "tree /registry",
                                        "tree /registry --json",
                                        "history /registry/a",
                                        "acl show",
                                        "acl remove 1",
                                        "acl test any read /registry",
                                        "acl deny any read /registry",
                                        "audit query",
                                        "audit tail",
                                        "audit verify",
                                        "audit checkpoint",
                                        "status",
                                        "whoami",
                                        "lock",
                                        "unlock --key-file",
                                        "reload",
                                        "cp /registry/a /registry/b",
                                        "mv /registry/a /registry/b",
                                        "del -r /registry/a",
                                        "set /registry/a x --dry-run",
                                        "find",
                                        "find --json",
                                        "due",
                                        "undo /registry/a",
                                        "undo --request 0",
                                        "revert /registry/a --version 1",
                                        "revert /registry/a --time 1h",
                                        "destroy /registry/a --version 1 --yes",
                                        "fingerprint /registry"};
    char line[256];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        snprintf(line, sizeof line, "--root %s %s", folder, lines[i]);
        assert_int_equal(run(line), CLI_UNAVAILABLE);
        assert_string_equal(printed, "");
        assert_non_null(strstr(said, "no daemon is running"));
    }
    snprintf(line, sizeof line, "--root %s doctor", folder);
    assert_int_equal(run(line), CLI_FAILED);
    assert_non_null(strstr(printed, "fail  daemon"));
    snprintf(line, sizeof line, "--root %s doctor --json", folder);
    assert_int_equal(run(line), CLI_FAILED);
    assert_non_null(strstr(printed, "{\"name\":\"daemon\",\"verdict\":\"fail\""));
    memset(line, 'a', sizeof line);
    memcpy(line, "--root ", 7);
    strcpy(line + 200, " whoami");
    assert_int_equal(run(line), CLI_USAGE);
}

static void test_version(void **state)
{
    (void)state;
    assert_int_equal(run("version"), 0);
    assert_string_equal(printed, "sreg " SECREG_VERSION "\n");
    assert_int_equal(run("-V"), 0);
    assert_string_equal(printed, "sreg " SECREG_VERSION "\n");
    assert_int_equal(run("version --json"), 0);
    assert_string_equal(printed, "{\"version\":\"" SECREG_VERSION "\"}\n");
}

/* ---- targets ------------------------------------------------------------------------------------------------------
 */

static void check_target(struct buf *b, const char *wanted)
{
    assert_true(bytes_equal(buf_view(b), bytes_of_text(wanted)));
    buf_clear(b);
}

static void test_targets(void **state)
{
    struct cli cli = {0};
    struct buf b;
    (void)state;
    buf_init(&b, 64);
    assert_int_equal(cli_target_path(&cli, &b, "/registry/a b%/\xc3\xa4?#", false), 0);
    check_target(&b, "/registry/a%20b%25/%C3%A4%3F%23");
    assert_int_equal(cli_target_path(&cli, &b, "/registry/a/", true), 0);
    check_target(&b, "/registry/a/");
    assert_int_equal(cli_target_path(&cli, &b, "/registry", true), 0);
    check_target(&b, "/registry/");
    assert_int_equal(cli_target_path(&cli, &b, "/registry", false), 0);
    assert_int_equal(cli_target_arg(&cli, &b, "a", "x&y=z ?"), 0);
    assert_int_equal(cli_target_arg(&cli, &b, "raw", NULL), 0);
    assert_int_equal(cli_target_arg(&cli, &b, "b", ""), 0);
    check_target(&b, "/registry?a=x%26y%3Dz%20%3F&raw&b=");
    buf_fini(&b);
}

static void test_fields(void **state)
{
    struct cli cli = {0};
    struct buf b;
    (void)state;
    buf_init(&b, 64);
    assert_int_equal(cli_field(&cli, &b, "Secreg-Reason", "gr\xc3\xbcn"), 0);
    check_target(&b, "Secreg-Reason: gr\xc3\xbcn\r\n");
    buf_fini(&b);
}

/* ---- the library's codes ------------------------------------------------------------------------------------------
 */

/* The library may not include the table of outcomes: its own table must fit it. */
static void test_codes(void **state)
{
    static const enum secreg_result by_exit[] = {
        [1] = SECREG_FAILURE,  [3] = SECREG_NOT_FOUND,   [4] = SECREG_REFUSED, [5] = SECREG_REFUSED,
        [6] = SECREG_CONFLICT, [7] = SECREG_UNAVAILABLE, [8] = SECREG_CORRUPT, [9] = SECREG_REFUSED};
    (void)state;
    for (unsigned i = 1; i < OUTCOME_COUNT; i++) {
        enum secreg_result r = secreg_result_of(bytes_of_text(outcome_code(i)));
        if (i == OUTCOME_LOCKED)
            assert_int_equal(r, SECREG_LOCKED);
        else if (outcome_exit(i) == CLI_USAGE)
            assert_int_equal(r, i == OUTCOME_TOO_LARGE ? SECREG_TOO_LARGE : SECREG_BAD_INPUT);
        else
            assert_int_equal(r, by_exit[outcome_exit(i)]);
    }
    assert_int_equal(secreg_result_of(BYTES_LITERAL("nope")), SECREG_FAILURE);
}

/* ---- completion ---------------------------------------------------------------------------------------------------
 */

static void test_completion(void **state)
{
    static const char *const shells[] = {"bash", "zsh", "fish"};
    char line[64];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(shells); i++) {
        snprintf(line, sizeof line, "completion %s", shells[i]);
        assert_int_equal(run(line), 0);
        for (const struct verb *v = verbs; v->name != NULL; v++) {
            const char *blank = strchr(v->name, ' ');
            assert_non_null(strstr(printed, blank != NULL ? blank + 1 : v->name));
            for (const struct args_option *o = v->options; o != NULL && o->name != NULL; o++)
                assert_non_null(strstr(printed, o->name));
        }
        assert_non_null(strstr(printed, "acl|") != NULL ? printed : strstr(printed, "acl "));
    }
}

/* What the shells themselves say, where they are installed. */
static void test_completion_is_shell(void **state)
{
    static const struct {
        const char *program, *shell;
    } shells[] = {{"/usr/bin/bash", "bash"}, {"/usr/bin/zsh", "zsh"}, {"/usr/bin/fish", "fish"}};
    char line[256], path[128];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(shells); i++) {
        if (access(shells[i].program, X_OK) != 0)
            continue;
        snprintf(line, sizeof line, "completion %s", shells[i].shell);
        assert_int_equal(run(line), 0);
        snprintf(path, sizeof path, "%s/script", folder);
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        assert_true(fputs(printed, f) >= 0);
        assert_int_equal(fclose(f), 0);
        snprintf(line, sizeof line, "%s -n %s", shells[i].program, path);
        assert_int_equal(system(line), 0);
        unlink(path);
    }
}

static void test_completion_faults(void **state)
{
    struct buf b;
    (void)state;
    int (*const makers[])(const struct verb *table, struct buf *out) = {complete_bash, complete_zsh, complete_fish};
    for (size_t i = 0; i < COUNT_OF(makers); i++) {
        buf_init(&b, 1 << 20);
        assert_int_equal(makers[i](verbs, &b), 0);
        size_t whole = buf_size(&b);
        buf_fini(&b);
        for (size_t max = 1; max < whole; max += 17) {
            buf_init(&b, max);
            assert_int_equal(makers[i](verbs, &b), FAULT_LIMIT);
            buf_fini(&b);
        }
    }
}

/* Quotes in help texts must not end the quotes of a shell. */
static void test_completion_quotes(void **state)
{
    static const struct args_option options[] = {{"odd", 'o', NULL, "it's"}, {0}};
    static const struct verb table[] = {
        {.name = "a", .operands = "", .help = "don't", .options = options, .examples = ""}, {0}};
    struct buf b;
    (void)state;
    buf_init(&b, 1 << 20);
    assert_int_equal(complete_fish(table, &b), 0);
    assert_int_equal(buf_append(&b, bytes_of("", 1)), 0);
    assert_non_null(strstr((const char *)buf_view(&b).p, "-d 'don'\\''t'"));
    assert_non_null(strstr((const char *)buf_view(&b).p, "-d 'it'\\''s'"));
    buf_fini(&b);
}

/* ---- the manual ---------------------------------------------------------------------------------------------------
 */

static void test_manual(void **state)
{
    struct buf text;
    char wanted[128];
    (void)state;
    buf_init(&text, 1 << 20);
    assert_int_equal(file_read_path("man/sreg.1", &text), 0);
    assert_int_equal(buf_append(&text, bytes_of("", 1)), 0);
    const char *page = (const char *)buf_view(&text).p;
    for (const struct verb *v = verbs; v->name != NULL; v++) {
        snprintf(wanted, sizeof wanted, "\n.It Xo\n.Cm %s\n", v->name);
        const char *item = strstr(page, wanted);
        if (item == NULL)
            print_message("man/sreg.1 lacks the verb %s\n", v->name);
        assert_non_null(item);
        const char *end = strstr(item + 1, "\n.It Xo\n.Cm ");
        for (const struct args_option *o = v->options; o != NULL && o->name != NULL; o++) {
            snprintf(wanted, sizeof wanted, "Fl -%s", o->name);
            const char *option = strstr(item, wanted);
            if (option == NULL || (end != NULL && option > end))
                print_message("man/sreg.1 lacks --%s of %s\n", o->name, v->name);
            assert_true(option != NULL && (end == NULL || option < end));
        }
    }
    for (const struct args_option *o = args_globals; o->name != NULL; o++) {
        snprintf(wanted, sizeof wanted, ".It Fl -%s", o->name);
        assert_true(strstr(page, wanted) != NULL || o->letter != 0);
    }
    buf_fini(&text);
}

/* ---- doctor -------------------------------------------------------------------------------------------------------
 */

static struct doctor doctor;

static void check_finding(size_t i, enum doctor_verdict verdict, const char *part)
{
    assert_true(i < doctor.count);
    assert_int_equal(doctor.findings[i].verdict, verdict);
    assert_non_null(strstr(doctor.findings[i].text, part));
}

static void test_doctor_status(void **state)
{
    (void)state;
    doctor = (struct doctor){0};
    doctor_status(&doctor,
                  bytes_of_text("{\"version\":\"" SECREG_VERSION "\",\"state\":\"unlocked\",\"storage\":\"ok\","
                                "\"corrupt_entries\":0,\"unrecorded\":2}"));
    check_finding(0, DOCTOR_OK, "both " SECREG_VERSION);
    check_finding(1, DOCTOR_OK, "unlocked");
    check_finding(2, DOCTOR_OK, "ok");
    check_finding(3, DOCTOR_OK, "0");
    check_finding(4, DOCTOR_FAIL, "2");
    assert_int_equal(doctor.failed, 1);
    doctor = (struct doctor){0};
    doctor_status(&doctor, bytes_of_text("{\"version\":\"0.0.9\",\"state\":\"locked\",\"storage\":\"full\"}"));
    check_finding(0, DOCTOR_WARN, "another");
    check_finding(1, DOCTOR_WARN, "locked");
    check_finding(2, DOCTOR_FAIL, "full");
    check_finding(3, DOCTOR_WARN, "not shown");
    check_finding(4, DOCTOR_WARN, "not shown");
}

#define PROC_STATUS(nnp, seccomp, effective)                                                                           \
    "Name:\tsecregd\nUid:\t1000\t1000\t1000\t1000\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\n"             \
    "CapEff:\t" effective "\nCapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\nNoNewPrivs:\t" nnp                  \
    "\nSeccomp:\t" seccomp "\nSeccomp_filters:\t1\n"

static void test_doctor_roles(void **state)
{
    (void)state;
    doctor = (struct doctor){0};
    doctor_role_text(&doctor, "engine", PROC_STATUS("1", "2", "0000000000000000"));
    check_finding(0, DOCTOR_OK, "confined");
    doctor_role_text(&doctor, "engine", PROC_STATUS("0", "2", "0000000000000000"));
    check_finding(1, DOCTOR_FAIL, "no_new_privs");
    doctor_role_text(&doctor, "front", PROC_STATUS("1", "0", "0000000000000000"));
    check_finding(2, DOCTOR_FAIL, "seccomp");
    doctor_role_text(&doctor, "front", PROC_STATUS("1", "2", "0000000000000001"));
    check_finding(3, DOCTOR_FAIL, "capabilities");
    doctor_role_text(&doctor, "front", "nonsense");
    check_finding(4, DOCTOR_WARN, "understood");
    doctor_role_text(&doctor, "nobody", PROC_STATUS("1", "2", "0000000000000000"));
    check_finding(5, DOCTOR_FAIL, "no profile");
    for (size_t i = 0; i < 2 * DOCTOR_FINDINGS_MAX_COUNT; i++)
        doctor_say(&doctor, DOCTOR_OK, "more", "more");
    assert_int_equal(doctor.count, DOCTOR_FINDINGS_MAX_COUNT);
}

static void test_doctor_limits(void **state)
{
    uint64_t n = 0;
    (void)state;
    assert_true(doctor_lock_limit(
        BYTES_LITERAL("Limit   Soft  Hard\nMax locked memory         8388608    8388608  bytes\n"), &n));
    assert_int_equal(n, 8388608);
    assert_true(doctor_lock_limit(BYTES_LITERAL("Max locked memory         unlimited  unlimited  bytes"), &n));
    assert_true(n == UINT64_MAX);
    assert_false(doctor_lock_limit(BYTES_LITERAL("Max locked memory         what\n"), &n));
    assert_false(doctor_lock_limit(BYTES_LITERAL("Max open files 1\n"), &n));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_no_verb),
        cmocka_unit_test(test_help_of_each_verb),
        cmocka_unit_test(test_rows_are_sound),
        cmocka_unit_test(test_wrong_lines),
        cmocka_unit_test(test_no_daemon),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_completion),
        cmocka_unit_test(test_completion_is_shell),
        cmocka_unit_test(test_completion_faults),
        cmocka_unit_test(test_completion_quotes),
        cmocka_unit_test(test_manual),
        cmocka_unit_test(test_doctor_status),
        cmocka_unit_test(test_doctor_roles),
        cmocka_unit_test(test_doctor_limits),
    };
    unsetenv("SECREG_ROOT");
    return cmocka_run_group_tests(tests, run_make_folder, run_drop_folder);
}
