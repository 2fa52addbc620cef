/* Tests of asking: a child on a terminal of its own, talked to through the other end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include "cli/ask.h"
#include "cli/test-run.h"

enum { SECRET_MAX_BYTES = 16, WAIT_MS = 20000 };

static int master, slave, report;
static pid_t child;

/* Starts `ask` in a child whose terminal we hold; it reports "STATUS:SECRET" over a pipe. */
static void start(int (*ask)(struct cli *cli, struct buf *secret))
{
    int ends[2];
    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct cli cli = {0};
        struct buf secret;
        alarm(60);
        close(master);
        close(ends[0]);
        if (login_tty(slave) != 0)
            _exit(9);
        buf_init_wiping(&secret, SECRET_MAX_BYTES);
        int status = ask(&cli, &secret);
        dprintf(ends[1], "%d:%.*s", status, BYTES_PRINT(buf_view(&secret)));
        buf_fini(&secret);
        exit(0);
    }
    close(ends[1]);
    report = ends[0];
}

static bool echoes(void)
{
    struct termios t;
    assert_int_equal(tcgetattr(slave, &t), 0);
    return (t.c_lflag & ECHO) != 0;
}

/* Reads what the child shows until `text` has come, and then until it does not echo any more. */
static void await(const char *text)
{
    char seen[1024];
    size_t n = 0;
    struct pollfd p = {.fd = master, .events = POLLIN};
    seen[0] = '\0';
    while (strstr(seen, text) == NULL) {
        assert_true(n < sizeof seen - 1 && poll(&p, 1, WAIT_MS) == 1);
        ssize_t got = read(master, seen + n, sizeof seen - 1 - n);
        assert_true(got > 0);
        n += (size_t)got;
        seen[n] = '\0';
    }
    for (int i = 0; echoes(); i++) {
        assert_true(i < WAIT_MS);
        usleep(1000);
    }
}

static void type(const char *text)
{
    assert_int_equal(write(master, text, strlen(text)), (ssize_t)strlen(text));
}

/* The end of the child: its wait status. What it reported is in `printed`. */
static int finish(void)
{
    int status;
    ssize_t n = read(report, printed, sizeof printed - 1);
    assert_true(n >= 0);
    printed[n] = '\0';
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(echoes());
    close(master);
    close(slave);
    close(report);
    return status;
}

static int ask_it(struct cli *cli, struct buf *secret)
{
    return ask_secret(cli, "Tell: ", secret);
}

static void test_secret(void **state)
{
    (void)state;
    start(ask_it);
    await("Tell: ");
    type("s3cret\n");
    assert_int_equal(finish(), 0);
    assert_string_equal(printed, "0:s3cret");
}

static void test_empty_and_long(void **state)
{
    (void)state;
    start(ask_it);
    await("Tell: ");
    type("\n");
    assert_int_equal(finish(), 0);
    assert_string_equal(printed, "0:");
    start(ask_it);
    await("Tell: ");
    type("0123456789abcdefg\n");
    assert_int_equal(finish(), 0);
    assert_int_equal(strncmp(printed, "2:", 2), 0);
}

static void test_signal(void **state)
{
    (void)state;
    start(ask_it);
    await("Tell: ");
    assert_int_equal(kill(child, SIGTERM), 0);
    int status = finish();
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    assert_string_equal(printed, "");
    start(ask_it);
    await("Tell: ");
    type("\003");
    status = finish();
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
}

/* Stopped and continued, it asks again. */
static void test_stop(void **state)
{
    int status;
    (void)state;
    start(ask_it);
    await("Tell: ");
    type("lost");
    assert_int_equal(kill(child, SIGTSTP), 0);
    /* an orphaned process group is not stopped by it: then it goes on at once */
    for (int i = 0; i < 100 && waitpid(child, &status, WUNTRACED | WNOHANG) == 0; i++)
        usleep(1000);
    assert_int_equal(kill(child, SIGCONT), 0);
    await("Tell: ");
    type("kept\n");
    assert_int_equal(finish(), 0);
    assert_string_equal(printed, "0:kept");
}

static void test_new_secret(void **state)
{
    static const struct {
        const char *first, *second, *report;
    } rows[] = {{"one\n", "one\n", "0:one"}, {"one\n", "two\n", "2:one"}, {"\n", NULL, "2:"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        start(ask_new_secret);
        await("New passphrase: ");
        type(rows[i].first);
        if (rows[i].second != NULL) {
            await("The same again: ");
            type(rows[i].second);
        }
        assert_int_equal(finish(), 0);
        assert_string_equal(printed, rows[i].report);
    }
}

/* ---- standard input -----------------------------------------------------------------------------------------------
 */

/* Runs sreg with this text as its standard input. */
static int run_with(const char *input, size_t n, const char *line)
{
    int saved = dup(0), file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    assert_true(file >= 0 && write(file, input, n) == (ssize_t)n && lseek(file, 0, SEEK_SET) == 0);
    assert_int_equal(dup2(file, 0), 0);
    int status = run_here(line);
    dup2(saved, 0);
    close(saved);
    close(file);
    return status;
}

static void test_passphrase_lines(void **state)
{
    const struct fake_row rows[] = {{"POST /v1/unlock", "200 OK", "", BYTES_LITERAL("{\"data\":null}")},
                                    {NULL, NULL, NULL, BYTES_NONE}};
    static char large[2000];
    (void)state;
    memset(large, 'a', sizeof large);
    fake_start(rows);
    assert_int_equal(run_with("word\n", 5, "unlock --passphrase-stdin"), 0);
    assert_int_equal(run_with("word", 4, "unlock --passphrase-stdin"), 0);
    assert_int_equal(run_with("", 0, "unlock --passphrase-stdin"), CLI_USAGE);
    assert_int_equal(run_with("\n", 1, "unlock --passphrase-stdin"), CLI_USAGE);
    assert_int_equal(run_with("a\nb\n", 4, "unlock --passphrase-stdin"), CLI_USAGE);
    assert_int_equal(run_with(large, sizeof large, "unlock --passphrase-stdin"), CLI_USAGE);
    assert_int_equal(run_with(large, sizeof large, "init --passphrase-stdin"), CLI_USAGE);
    fake_stop();
}

static void test_values(void **state)
{
    const struct fake_row rows[] = {
        {"PUT /registry/a", "200 OK", "", BYTES_LITERAL("{\"data\":{\"path\":\"/registry/a\",\"version\":1}}")},
        {NULL, NULL, NULL, BYTES_NONE}};
    static char large[(1 << 20) + 2];
    (void)state;
    fake_start(rows);
    assert_int_equal(run_with("x\n", 2, "set /registry/a"), 0);
    assert_int_equal(run_with("x\n", 2, "set /registry/a - --type binary --seal"), 0);
    assert_int_equal(run_with("", 0, "set /registry/a -"), 0);
    assert_int_equal(run_with(large, sizeof large, "set /registry/a"), CLI_USAGE);
    assert_non_null(strstr(said, "1048576"));
    fake_stop();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secret), cmocka_unit_test(test_empty_and_long), cmocka_unit_test(test_signal),
        cmocka_unit_test(test_stop),   cmocka_unit_test(test_new_secret),     cmocka_unit_test(test_passphrase_lines),
        cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests(tests, run_make_folder, run_drop_folder);
}
