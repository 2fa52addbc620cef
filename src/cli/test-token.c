/* Tests of the token file and of the verbs that use it, with a daemon that answers from a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/test-run.h"
#include "cli/token.h"

#define JSON(data) BYTES_LITERAL("{\"success\":true,\"request_id\":\"0\",\"data\":" data ",\"error\":null}\n")
#define REFUSAL(code)                                                                                                  \
    BYTES_LITERAL("{\"success\":false,\"data\":null,\"error\":{\"code\":\"" code "\",\"message\":\"no\"}}\n")
#define END                                                                                                            \
    {                                                                                                                  \
        NULL, NULL, NULL, BYTES_NONE                                                                                   \
    }
#define TOKEN "0123456789abcdef.0123456789abcdef0123456789abcdef0123456789abcdef"

static char home[64], file[160], got[SECREG_SESSION_MAX_BYTES];
static struct cli cli;

static int set_up(void **state)
{
    (void)state;
    strcpy(home, "/tmp/secreg-token-XXXXXX");
    assert_non_null(mkdtemp(home));
    assert_int_equal(setenv("XDG_RUNTIME_DIR", home, 1), 0);
    unsetenv("SECREG_SESSION");
    snprintf(file, sizeof file, "%s/secreg/session", home);
    cli = (struct cli){.root = "", .is_quiet = true};
    return 0;
}

static int tear_down(void **state)
{
    char command[160];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", home);
    return system(command);
}

static unsigned mode_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static void put(const char *text, mode_t mode)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static const char *load(void)
{
    token_load(&cli, got, sizeof got);
    return got;
}

static void test_store_and_load(void **state)
{
    char folder_of_file[160];
    (void)state;
    assert_string_equal(token_path(&cli), file);
    assert_string_equal(load(), "");
    mode_t before = umask(0);
    assert_int_equal(token_store(&cli, BYTES_LITERAL(TOKEN)), 0);
    umask(before);
    assert_int_equal(mode_of(file), 0600);
    snprintf(folder_of_file, sizeof folder_of_file, "%s/secreg", home);
    assert_int_equal(mode_of(folder_of_file), 0700);
    assert_string_equal(load(), TOKEN);
    assert_int_equal(token_store(&cli, BYTES_LITERAL("other")), 0);
    assert_string_equal(load(), "other");
    assert_true(token_remove(&cli));
    assert_false(token_remove(&cli));
    assert_string_equal(load(), "");
}

static void test_what_is_no_token(void **state)
{
    static const char *const bad[] = {"", "\n", "a b", "a\tb", "a\r\nX: y\n", "a\n\n", "\x7f", "\xc3\xa4"};
    char longest[SECREG_SESSION_MAX_BYTES + 8];
    (void)state;
    assert_int_equal(token_store(&cli, BYTES_LITERAL(TOKEN)), 0);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        put(bad[i], 0600);
        assert_string_equal(load(), "");
    }
    memset(longest, 'x', sizeof longest);
    longest[SECREG_SESSION_MAX_BYTES - 1] = '\0';
    put(longest, 0600);
    assert_string_equal(load(), longest);
    longest[SECREG_SESSION_MAX_BYTES - 1] = 'x';
    longest[sizeof longest - 1] = '\0';
    put(longest, 0600);
    assert_string_equal(load(), "");
    assert_true(token_store(&cli, BYTES_LITERAL("a b")) != 0);
    assert_true(token_store(&cli, BYTES_NONE) != 0);
    assert_true(token_store(&cli, bytes_of_text(longest)) != 0);
}

static void test_modes(void **state)
{
    static const mode_t bad[] = {0640, 0604, 0660, 0602, 0677};
    (void)state;
    assert_int_equal(token_store(&cli, BYTES_LITERAL(TOKEN)), 0);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        put(TOKEN, bad[i]);
        assert_string_equal(load(), "");
    }
    put(TOKEN "\n", 0400);
    assert_string_equal(load(), TOKEN);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(mkdir(file, 0700), 0);
    assert_string_equal(load(), "");
    assert_int_equal(rmdir(file), 0);
    assert_int_equal(mkfifo(file, 0600), 0); /* nobody waits for a writer */
    assert_string_equal(load(), "");
}

static void test_folder_of_others(void **state)
{
    char folder_of_file[160];
    (void)state;
    snprintf(folder_of_file, sizeof folder_of_file, "%s/secreg", home);
    assert_int_equal(mkdir(folder_of_file, 0700), 0);
    assert_int_equal(chmod(folder_of_file, 0770), 0);
    assert_true(token_store(&cli, BYTES_LITERAL(TOKEN)) != 0);
    assert_int_equal(access(file, F_OK), -1);
}

static void test_places(void **state)
{
    char root[160], with_root[256];
    (void)state;
    snprintf(root, sizeof root, "%s/a", home);
    assert_int_equal(mkdir(root, 0700), 0);
    cli.root = root;
    snprintf(with_root, sizeof with_root, "%s", token_path(&cli));
    assert_true(strncmp(with_root, file, strlen(file)) == 0 && strlen(with_root) == strlen(file) + 17);
    char same[200];
    snprintf(same, sizeof same, "%s/../a", root);
    cli.root = same; /* the same folder is the same registry */
    assert_string_equal(token_path(&cli), with_root);
    cli.root = home;
    assert_string_not_equal(token_path(&cli), with_root);
    cli.root = "";
    assert_int_equal(setenv("SECREG_SESSION", "/x/y", 1), 0);
    assert_string_equal(token_path(&cli), "/x/y");
    unsetenv("SECREG_SESSION");
    assert_int_equal(setenv("XDG_RUNTIME_DIR", "relative", 1), 0);
    assert_int_equal(setenv("HOME", home, 1), 0);
    char own[64], wanted[160];
    struct stat st;
    snprintf(own, sizeof own, "/run/user/%u", (unsigned)geteuid());
    bool has_own = stat(own, &st) == 0 && st.st_uid == geteuid();
    snprintf(wanted, sizeof wanted, "%s%s/secreg/session", has_own ? own : home, has_own ? "" : "/.cache");
    assert_string_equal(token_path(&cli), wanted);
}

/* ---- verbs ---------------------------------------------------------------------------------------------------------
 */

static void test_login_keeps_the_token(void **state)
{
    const struct fake_row rows[] = {
        {"POST /v1/login", "200 OK", "",
         JSON("{\"session\":\"" TOKEN "\",\"user\":\"me\",\"expires\":\"2026-01-31T12:00:00.000Z\","
              "\"absolute\":\"2026-02-01T12:00:00.000Z\",\"notes\":[{\"info\":\"a\\u001bb\"},{\"error\":\"c\"}]}")},
        {"DELETE /v1/session", "200 OK", "", JSON("{\"ended\":1}")},
        END};
    (void)state;
    fake_start(rows);
    assert_int_equal(setenv("SECREG_SESSION", file, 1), 0);
    assert_int_equal(run_here("login"), 0);
    assert_string_equal(printed, "");
    assert_string_equal(said, "a\\x1bb\nsreg: c\n"); /* made safe */
    assert_string_equal(load(), TOKEN);
    assert_int_equal(run_here("login --json -q"), 0);
    assert_string_equal(printed, "{\"user\":\"me\",\"expires\":\"2026-01-31T12:00:00.000Z\","
                                 "\"absolute\":\"2026-02-01T12:00:00.000Z\"}\n");
    assert_string_equal(said, "");
    assert_int_equal(run_here("logout"), 0);
    assert_string_equal(load(), "");
    assert_int_equal(run_here("logout"), 5);
    fake_stop();
}

static void test_bad_replies(void **state)
{
    static const char *const bad[] = {
        "{}",
        "[]",
        "null",
        "{\"conversation\":\"x\"}",
        "{\"prompts\":[]}",
        "{\"conversation\":\"x\",\"prompts\":[{\"odd\":1}]}",
        "{\"conversation\":\"x\",\"prompts\":[{\"text\":1}]}",
        "{\"session\":1,\"user\":\"x\"}",
        "{\"session\":\"a b\",\"user\":\"x\",\"expires\":\"x\",\"absolute\":\"x\"}",
    };
    (void)state;
    assert_int_equal(setenv("SECREG_SESSION", file, 1), 0);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        char body[512];
        snprintf(body, sizeof body, "{\"success\":true,\"data\":%s,\"error\":null}\n", bad[i]);
        const struct fake_row rows[] = {{"POST /v1/login", "200 OK", "", bytes_of_text(body)}, END};
        fake_start(rows);
        assert_int_equal(run_here("login"), 1);
        assert_string_equal(load(), "");
        fake_stop();
    }
}

static void test_a_dead_token_is_removed(void **state)
{
    const struct fake_row rows[] = {{"GET /v1/whoami", "401 Unauthorized", "", REFUSAL("bad-session")},
                                    {"GET /v1/status", "403 Forbidden", "", REFUSAL("refused")},
                                    END};
    (void)state;
    fake_start(rows);
    assert_int_equal(setenv("SECREG_SESSION", file, 1), 0);
    assert_int_equal(token_store(&cli, BYTES_LITERAL(TOKEN)), 0);
    assert_int_equal(run_here("status"), 4);
    assert_string_equal(load(), TOKEN); /* another refusal is no reason */
    assert_int_equal(run_here("whoami"), 5);
    assert_non_null(strstr(said, "was removed from"));
    assert_string_equal(load(), "");
    fake_stop();
}

int main(void)
{
#define FRESH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        FRESH(test_store_and_load), FRESH(test_what_is_no_token),
        FRESH(test_modes),          FRESH(test_folder_of_others),
        FRESH(test_places),         FRESH(test_login_keeps_the_token),
        FRESH(test_bad_replies),    FRESH(test_a_dead_token_is_removed),
    };
    return cmocka_run_group_tests(tests, run_make_folder, run_drop_folder);
}
