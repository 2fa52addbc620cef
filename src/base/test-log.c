/* Tests of log: the line, levels, the journal prefix, the rate limit of a place, lines that are too long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

enum { HEARD_BYTES = 8192 };

static char heard[HEARD_BYTES];
static int saved_stderr, pipe_fds[2];

static void listen_to_stderr(void)
{
    saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    assert_true(saved_stderr >= 0);
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(dup2(pipe_fds[1], STDERR_FILENO), STDERR_FILENO);
}

/* Puts standard error back; `heard` is what was written meanwhile. */
static const char *stop_listening(void)
{
    ssize_t n = read(pipe_fds[0], heard, sizeof heard - 1);
    heard[n > 0 ? n : 0] = '\0';
    assert_int_equal(dup2(saved_stderr, STDERR_FILENO), STDERR_FILENO);
    close(saved_stderr);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    return heard;
}

static int reset(void **state)
{
    (void)state;
    unsetenv("JOURNAL_STREAM");
    log_open("prog", "role", LOG_LEVEL_DEBUG);
    return 0;
}

static void test_line(void **state)
{
    (void)state;
    listen_to_stderr();
    LOG_INFO("%s is %d", "x", 7);
    assert_string_equal(stop_listening(), "prog-role: x is 7\n");
    log_open("other", "", LOG_LEVEL_DEBUG);
    listen_to_stderr();
    LOG_ERROR("one");
    LOG_WARNING("two");
    LOG_DEBUG("three");
    assert_string_equal(stop_listening(), "other: one\nother: two\nother: three\n");
}

static void test_levels(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_WARNING);
    listen_to_stderr();
    LOG_ERROR("e");
    LOG_WARNING("w");
    LOG_INFO("i");
    LOG_DEBUG("d");
    assert_string_equal(stop_listening(), "prog-role: e\nprog-role: w\n");
    log_set_level(LOG_LEVEL_INFO);
    listen_to_stderr();
    LOG_INFO("i");
    LOG_DEBUG("d");
    assert_string_equal(stop_listening(), "prog-role: i\n");
}

static void test_journal_prefix(void **state)
{
    (void)state;
    assert_int_equal(setenv("JOURNAL_STREAM", "8:1", 1), 0);
    log_open("prog", "role", LOG_LEVEL_DEBUG);
    listen_to_stderr();
    LOG_ERROR("a");
    LOG_DEBUG("b");
    assert_string_equal(stop_listening(), "<3>prog-role: a\n<7>prog-role: b\n");
}

static size_t count_lines(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++)
        n += *text == '\n';
    return n;
}

static void test_rate_limit(void **state)
{
    struct log_site noisy = {0}, other = {0};
    (void)state;
    listen_to_stderr();
    for (int i = 0; i < 50; i++)
        log_write(&noisy, LOG_LEVEL_INFO, "noise");
    log_write(&other, LOG_LEVEL_INFO, "signal"); /* each place has its own limit */
    assert_int_equal(count_lines(stop_listening()), 21);
    assert_non_null(strstr(heard, "signal"));
    assert_int_equal(noisy.dropped, 30);
    noisy.since.us -= 10 * US_PER_S; /* the window has passed */
    listen_to_stderr();
    log_write(&noisy, LOG_LEVEL_INFO, "noise");
    log_write(&noisy, LOG_LEVEL_INFO, "noise");
    assert_string_equal(stop_listening(), "prog-role: noise (30 like it left out)\nprog-role: noise\n");
}

static void test_what_is_not_written_does_not_count(void **state)
{
    struct log_site site = {0};
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    for (int i = 0; i < 50; i++)
        log_write(&site, LOG_LEVEL_INFO, "hidden");
    assert_int_equal(site.count, 0);
    assert_int_equal(site.dropped, 0);
}

static void test_long_line(void **state)
{
    static char text[3000], program[1500];
    struct log_site site = {.since = clock_mono_now(), .count = 20, .dropped = 4};
    (void)state;
    memset(text, 'x', sizeof text - 1);
    listen_to_stderr();
    LOG_INFO("%s", text);
    size_t n = strlen(stop_listening());
    assert_true(n > 1000 && n <= 1024);
    assert_int_equal(heard[n - 1], '\n');
    assert_int_equal(heard[n - 2], 'x');
    site.since.us -= 11 * US_PER_S;
    listen_to_stderr();
    log_write(&site, LOG_LEVEL_INFO, "%s", text);
    assert_int_equal(count_lines(stop_listening()), 1);
    memset(program, 'p', sizeof program - 1);
    log_open(program, "role", LOG_LEVEL_DEBUG);
    listen_to_stderr();
    LOG_INFO("%s", text);
    n = strlen(stop_listening());
    assert_true(n <= 1024);
    assert_int_equal(heard[n - 1], '\n');
    log_open("prog", "role", LOG_LEVEL_DEBUG);
}

static void test_errno_is_kept(void **state)
{
    (void)state;
    listen_to_stderr();
    close(STDERR_FILENO); /* the write fails */
    errno = 77;
    LOG_ERROR("unheard");
    int kept = errno;
    assert_string_equal(stop_listening(), "");
    assert_int_equal(kept, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_line, reset),
        cmocka_unit_test_setup(test_levels, reset),
        cmocka_unit_test_setup(test_journal_prefix, reset),
        cmocka_unit_test_setup(test_rate_limit, reset),
        cmocka_unit_test_setup(test_what_is_not_written_does_not_count, reset),
        cmocka_unit_test_setup(test_long_line, reset),
        cmocka_unit_test_setup(test_errno_is_kept, reset),
    };
    return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
