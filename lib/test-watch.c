/* Tests of watches in the client library against a scripted daemon: a connection a reply, and then it hangs up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fail-alloc.h"
#include "secreg-internal.h"

static char folder[64], socket_path[96];
static pid_t daemon_pid = -1;
static int log_fd;

/* What is sent on one connection: the lines of a stream, each a chunk. */
struct script {
    const char *const *lines; /* NULL at the end */
    bool is_raw;              /* they are sent as they stand, and no head before them */
    bool stays;               /* says nothing more, and does not hang up */
    bool is_whole;            /* the last chunk comes too */
};

/* "Content-Length: ?" becomes the length of the body. */
static void put(int fd, const char *text)
{
    static char whole[4096];
    const char *mark = strstr(text, ": ?");
    if (mark != NULL) {
        snprintf(whole, sizeof whole, "%.*s%zu%s", (int)(mark + 2 - text), text, strlen(strstr(text, "\r\n\r\n") + 4),
                 mark + 3);
        text = whole;
    }
    if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
        _exit(7);
}

static void put_lines(int fd, const struct script *s)
{
    if (!s->is_raw)
        put(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
    for (size_t i = 0; s->lines[i] != NULL; i++) {
        static char chunk[4096];
        snprintf(chunk, sizeof chunk, "%zx\r\n%s\r\n", strlen(s->lines[i]), s->lines[i]);
        put(fd, s->is_raw ? s->lines[i] : chunk);
    }
    if (s->is_whole)
        put(fd, "0\r\n\r\n");
}

static void serve(int listener, int log, const struct script *scripts, size_t count)
{
    static char text[4096];
    for (size_t i = 0; i < count; i++) {
        int fd = accept(listener, NULL, NULL);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
        if (n <= 0)
            _exit(6);
        text[n] = '\0';
        if (write(log, text, strcspn(text, "\r")) < 0 || write(log, "\n", 1) < 0)
            _exit(8);
        put_lines(fd, &scripts[i]);
        while (scripts[i].stays && read(fd, text, sizeof text) > 0)
            continue;
        close(fd);
    }
    _exit(0);
}

static void start(const struct script *scripts, size_t count)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), ends[2];
    snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path);
    unlink(socket_path);
    assert_return_code(bind(listener, (const struct sockaddr *)&address, sizeof address), errno);
    assert_return_code(listen(listener, 8), errno);
    assert_return_code(pipe(ends), errno);
    daemon_pid = fork();
    assert_return_code(daemon_pid, errno);
    if (daemon_pid == 0) {
        close(ends[0]);
        alarm(20);
        serve(listener, ends[1], scripts, count);
    }
    close(ends[1]);
    close(listener);
    log_fd = ends[0];
}

/* Ends the daemon; what it was asked, a request line a line. */
static const char *stop(void)
{
    static char text[8192];
    size_t n = 0;
    ssize_t got;
    kill(daemon_pid, SIGKILL);
    while ((got = read(log_fd, text + n, sizeof text - n - 1)) > 0)
        n += (size_t)got;
    text[n] = '\0';
    close(log_fd);
    assert_int_equal(waitpid(daemon_pid, NULL, 0), daemon_pid);
    return text;
}

#define LINES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define START(...)                                                                                                     \
    do {                                                                                                               \
        const struct script scripts_[] = {__VA_ARGS__};                                                                \
        start(scripts_, sizeof scripts_ / sizeof scripts_[0]);                                                         \
    } while (0)
#define IDLE(revision) "{\"revision\":" #revision ",\"idle\":true,\"every_ms\":30000}\n"
#define SET(revision, path, more, last)                                                                                \
    "{\"revision\":" #revision ",\"path\":\"" path "\",\"kind\":\"set\",\"version\":1,\"deleted\":false," more         \
    "\"changed_by\":7,\"time\":\"T\",\"last\":" #last "}\n"
#define REFUSAL(status, code)                                                                                          \
    "HTTP/1.1 " status "\r\nContent-Length: ?\r\n\r\n{\"success\":false,\"data\":null,\"error\":{\"code\":\"" code     \
    "\",\"message\":\"no\"}}"

static struct secreg_watch *open_watch(const struct secreg_watch_options *options)
{
    struct secreg_watch *w = NULL;
    assert_int_equal(secreg_watch_open(socket_path, "/registry/a", options, &w), SECREG_OK);
    assert_non_null(w);
    return w;
}

static void expect(struct secreg_watch *w, uint64_t revision, const char *path)
{
    struct secreg_change c;
    assert_int_equal(secreg_watch_next(w, path != NULL ? 10000 : 0, &c), SECREG_OK);
    if (path == NULL)
        assert_null(c.path);
    else
        assert_string_equal(c.path, path);
    assert_int_equal(c.revision, revision);
}

/* ---- what is told ---------------------------------------------------------------------------------------- */

static void changes_are_read(void **state)
{
    struct secreg_change c;
    (void)state;
    START({.lines =
               LINES(IDLE(4),
                     "{\"revision\":5,\"path\":\"/registry/a/x\",\"kind\":\"move\",\"version\":3,\"deleted\":false,"
                     "\"from\":\"/registry/b\",\"type\":\"string\",\"sealed\":true,\"value\":\"h\\u00e4\\u0000\","
                     "\"changed_by\":1000,\"time\":\"2026-01-31T12:00:00.000Z\",\"last\":false}\n",
                     "{\"revision\":5,\"path\":\"/registry/a/y\",\"kind\":\"delete\",\"version\":null,\"deleted\":true,"
                     "\"to\":\"/registry/c\",\"changed_by\":0,\"time\":\"T\",\"last\":true}\n"),
           .stays = true});
    struct secreg_watch *w = open_watch(NULL);
    assert_int_equal(secreg_watch_revision(w), 4);
    assert_int_equal(secreg_watch_next(w, 10000, &c), SECREG_OK);
    assert_string_equal(c.path, "/registry/a/x");
    assert_string_equal(c.kind, "move");
    assert_string_equal(c.from, "/registry/b");
    assert_string_equal(c.time, "2026-01-31T12:00:00.000Z");
    assert_null(c.to);
    assert_true(c.revision == 5 && c.version == 3 && c.changed_by == 1000 && c.type == SECREG_TYPE_STRING);
    assert_true(c.is_sealed && !c.is_deleted && !c.is_gone && !c.is_last);
    assert_int_equal(c.value_size, 4);
    assert_memory_equal(c.value, "h\xc3\xa4\0", 5);
    assert_int_equal(secreg_watch_revision(w), 4);
    assert_int_equal(secreg_watch_next(w, 10000, &c), SECREG_OK);
    assert_string_equal(c.to, "/registry/c");
    assert_true(c.version == 0 && c.is_deleted && c.is_last && c.value == NULL && c.type == SECREG_TYPE_KEEP);
    assert_int_equal(secreg_watch_revision(w), 5);
    expect(w, 5, NULL);
    secreg_watch_close(w);
    assert_string_equal(stop(), "GET /v1/watch?path=/registry/a HTTP/1.1\n");
}

static void values_are_bytes(void **state)
{
    static const struct {
        const char *type, *json, *bytes;
    } rows[] = {{"integer", "-7", "-7"},        {"boolean", "true", "true"},
                {"float", "1.5", "1.5"},        {"json", "{\"a\": [1]}", "{\"a\": [1]}"},
                {"list", "[\"a\"]", "[\"a\"]"}, {"binary", "\"YWI=\"", "ab"},
                {"string", "\"\"", ""}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char line[512];
        struct buf text;
        struct secreg_change c;
        buf_init(&text, 4096);
        snprintf(line, sizeof line,
                 "{\"revision\":1,\"path\":\"p\",\"kind\":\"set\",\"version\":1,\"type\":\"%s\",\"value\":%s,"
                 "\"changed_by\":0,\"time\":\"T\",\"last\":true}\n",
                 rows[i].type, rows[i].json);
        assert_true(secreg_watch_read(bytes_of_text(line), &text, &c));
        assert_int_equal(c.value_size, strlen(rows[i].bytes));
        assert_string_equal((const char *)c.value, rows[i].bytes);
        buf_fini(&text);
    }
}

static void malformed_lines_are_refused(void **state)
{
    static const char *const lines[] = {
        "",
        "{}",
        "[1]",
        "{\"revision\":\"1\",\"idle\":true,\"every_ms\":1}",
        "{\"revision\":-1,\"idle\":true,\"every_ms\":1}",
        "{\"revision\":1,\"idle\":true}",
        "{\"revision\":1,\"idle\":false,\"every_ms\":1}",
        "{\"revision\":1,\"ended\":1}",
        "{\"revision\":1}",
        "{\"revision\":9223372036854775808,\"path\":\"p\"}",
    };
    static const char *const changes[] = {
        "{\"revision\":1,\"kind\":\"set\",\"version\":1,\"changed_by\":0,\"time\":\"T\"}",
        "{\"revision\":1,\"path\":\"p\",\"version\":1,\"changed_by\":0,\"time\":\"T\"}",
        "{\"revision\":1,\"path\":\"a\\u0000b\",\"kind\":\"set\",\"version\":1,\"changed_by\":0,\"time\":\"T\"}",
        "{\"revision\":1,\"path\":3,\"kind\":\"set\",\"version\":1,\"changed_by\":0,\"time\":\"T\"}",
        "{\"revision\":1,\"path\":\"p\",\"kind\":\"set\",\"version\":\"1\",\"changed_by\":0,\"time\":\"T\"}",
        "{\"revision\":1,\"path\":\"p\",\"kind\":\"set\",\"version\":1,\"changed_by\":4294967296,\"time\":\"T\"}",
        "{\"revision\":1,\"path\":\"p\",\"kind\":\"set\",\"version\":1,\"type\":\"binary\",\"value\":\"!\","
        "\"changed_by\":0,\"time\":\"T\"}",
        "{\"revision\":1,\"path\":\"p\",\"kind\":\"set\",\"version\":1,\"type\":\"binary\",\"value\":12,"
        "\"changed_by\":0,\"time\":\"T\"}",
        "{\"revision\":1,\"path\":\"p\",\"kind\":\"set\",\"version\":1,\"value\":\"x\",\"changed_by\":0,\"time\":"
        "\"T\"}",
    };
    struct secreg_watch_line l;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        assert_false(secreg_watch_see(bytes_of_text(lines[i]), &l));
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        struct secreg_change c;
        struct buf text;
        buf_init(&text, 4096);
        if (secreg_watch_read(bytes_of_text(changes[i]), &text, &c))
            fail_msg("change %zu was read", i);
        buf_fini(&text);
    }
}

/* ---- connections ----------------------------------------------------------------------------------------- */

static void a_cut_revision_comes_once_and_whole(void **state)
{
    const struct secreg_watch_options options = {.has_since = true, .since = 3, .values = true};
    (void)state;
    START({.lines = LINES(IDLE(3), SET(4, "a", "", true), SET(5, "b", "", false))},
          {.lines = LINES(IDLE(4), SET(5, "b", "", false), SET(5, "c", "", true), IDLE(8))},
          {.lines = LINES(IDLE(8), SET(9, "d", "", true)), .stays = true});
    struct secreg_watch *w = open_watch(&options);
    expect(w, 4, "a");
    expect(w, 5, "b");
    expect(w, 5, "c");
    expect(w, 9, "d");
    assert_int_equal(secreg_watch_revision(w), 9);
    secreg_watch_close(w);
    assert_string_equal(stop(), "GET /v1/watch?path=/registry/a&since=3&values HTTP/1.1\n"
                                "GET /v1/watch?path=/registry/a&since=4&values HTTP/1.1\n"
                                "GET /v1/watch?path=/registry/a&since=8&values HTTP/1.1\n");
}

static void a_locked_or_stopping_daemon_is_waited_for(void **state)
{
    (void)state;
    START({.lines = LINES(IDLE(3), "{\"revision\":3,\"ended\":\"locked\"}\n"), .is_whole = true},
          {.lines = LINES(REFUSAL("503 Service Unavailable", "locked")), .is_raw = true},
          {.lines = LINES(IDLE(3), "{\"revision\":3,\"ended\":\"stopping\"}\n"), .is_whole = true},
          {.lines = LINES(IDLE(3), SET(4, "a", "", true)), .stays = true});
    struct secreg_watch *w = open_watch(NULL);
    expect(w, 4, "a");
    secreg_watch_close(w);
    (void)stop();
}

static void what_does_not_pass_is_told(void **state)
{
    struct secreg_change c;
    (void)state;
    START({.lines = LINES(IDLE(3), SET(4, "a", "", true))},
          {.lines = LINES(REFUSAL("403 Forbidden", "refused")), .is_raw = true},
          {.lines = LINES(REFUSAL("410 Gone", "gone")), .is_raw = true});
    struct secreg_watch *w = open_watch(NULL);
    expect(w, 4, "a");
    assert_int_equal(secreg_watch_next(w, 10000, &c), SECREG_REFUSED);
    assert_string_equal(secreg_watch_error_code(w), "refused");
    assert_int_equal(secreg_watch_next(w, 10000, &c), SECREG_NOT_FOUND);
    assert_string_equal(secreg_watch_error_code(w), "gone");
    assert_string_equal(secreg_watch_error_text(w), "no");
    assert_int_equal(secreg_watch_revision(w), 4);
    secreg_watch_close(w);
    (void)stop();
}

static void a_watch_that_is_ended_says_why(void **state)
{
    struct secreg_change c;
    struct secreg_watch *w = NULL;
    (void)state;
    START({.lines = LINES(IDLE(3), "{\"revision\":3,\"ended\":\"refused\"}\n"), .is_whole = true});
    enum secreg_result result = secreg_watch_open(socket_path, "/registry/a", NULL, &w);
    if (result == SECREG_OK) /* the end did not come together with the beginning */
        result = secreg_watch_next(w, 10000, &c);
    assert_int_equal(result, SECREG_REFUSED);
    secreg_watch_close(w);
    (void)stop();
}

static void bad_streams_are_refused(void **state)
{
    const struct script scripts[] = {
        {.lines = LINES(IDLE(3), "{\"revision\":4}\n")},
        {.lines = LINES(IDLE(3), SET(3, "a", "", true))},
        {.lines = LINES(IDLE(3), SET(4, "a", "", false), IDLE(4))},
        {.lines = LINES(IDLE(3), IDLE(2))},
        {.lines = LINES(IDLE(3)), .is_whole = true},
        {.lines = LINES("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "2b\r\n" IDLE(3) "xx"),
         .is_raw = true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        struct secreg_change c;
        struct secreg_watch *w = NULL;
        start(&scripts[i], 1);
        enum secreg_result result = secreg_watch_open(socket_path, "/registry/a", NULL, &w);
        if (result == SECREG_OK)
            result = secreg_watch_next(w, 3000, &c);
        if (result != SECREG_FAILURE)
            fail_msg("stream %zu gave %u", i, result);
        secreg_watch_close(w);
        (void)stop();
    }
}

static void opening_says_what_is_wrong(void **state)
{
    static const struct {
        const char *reply;
        enum secreg_result result;
    } rows[] = {{REFUSAL("404 Not Found", "not-found"), SECREG_NOT_FOUND},
                {REFUSAL("403 Forbidden", "refused"), SECREG_REFUSED},
                {REFUSAL("429 Too Many Requests", "limit"), SECREG_UNAVAILABLE},
                {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", SECREG_FAILURE},
                {"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", SECREG_FAILURE},
                {"nonsense\r\n\r\n", SECREG_FAILURE},
                {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", SECREG_UNAVAILABLE}};
    struct secreg_watch *w = NULL;
    struct secreg_watch_options options = {.has_since = true, .since = UINT64_MAX};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        START({.lines = LINES(rows[i].reply), .is_raw = true});
        assert_int_equal(secreg_watch_open(socket_path, "/registry/a", NULL, &w), rows[i].result);
        assert_null(w);
        (void)stop();
    }
    unlink(socket_path);
    assert_int_equal(secreg_watch_open(socket_path, "/registry/a", NULL, &w), SECREG_UNAVAILABLE);
    assert_int_equal(secreg_watch_open(socket_path, "/registry/a", &options, &w), SECREG_BAD_INPUT);
    assert_int_equal(secreg_watch_open(socket_path, NULL, NULL, &w), SECREG_BAD_INPUT);
    assert_int_equal(secreg_watch_open(socket_path, "/registry/a", NULL, NULL), SECREG_BAD_INPUT);
    assert_int_equal(secreg_watch_next(NULL, 0, NULL), SECREG_BAD_INPUT);
    assert_string_equal(secreg_watch_error_text(NULL), "");
    assert_int_equal(secreg_watch_revision(NULL), 0);
    secreg_watch_close(NULL);
    secreg_watch_wake(NULL);
}

static void *wake_later(void *arg)
{
    usleep(100000);
    secreg_watch_wake(arg);
    return NULL;
}

static void a_wait_can_be_ended(void **state)
{
    struct secreg_change c;
    pthread_t thread;
    (void)state;
    START({.lines = LINES(IDLE(3)), .stays = true});
    struct secreg_watch *w = open_watch(NULL);
    assert_int_equal(pthread_create(&thread, NULL, wake_later, w), 0);
    assert_int_equal(secreg_watch_next(w, -1, &c), SECREG_OK);
    assert_null(c.path);
    assert_int_equal(pthread_join(thread, NULL), 0);
    secreg_watch_wake(w);
    assert_int_equal(secreg_watch_next(w, -1, &c), SECREG_OK);
    assert_null(c.path);
    assert_int_equal(secreg_watch_next(w, 50, &c), SECREG_OK);
    assert_null(c.path);
    secreg_watch_close(w);
    (void)stop();
}

static void each_allocation_may_fail(void **state)
{
    struct script scripts[64];
    const char *const lines[] = {IDLE(3), SET(4, "a", "\"type\":\"string\",\"value\":\"x\",", true), NULL};
    for (size_t i = 0; i < COUNT_OF(scripts); i++)
        scripts[i] = (struct script){.lines = lines, .stays = true};
    (void)state;
    start(scripts, COUNT_OF(scripts));
    EACH_ALLOC_FAILURE({
        struct secreg_watch *w = NULL;
        struct secreg_change c;
        enum secreg_result result = secreg_watch_open(socket_path, "/registry/a", NULL, &w);
        if (result == SECREG_OK)
            result = secreg_watch_next(w, 1000, &c);
        assert_true(result == SECREG_OK || result == SECREG_FAILURE || result == SECREG_UNAVAILABLE);
        secreg_watch_close(w);
    });
    (void)stop();
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/secreg-watch-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(socket_path, sizeof socket_path, "%s/socket", folder);
    return 0;
}

static int drop_folder(void **state)
{
    (void)state;
    unlink(socket_path);
    return rmdir(folder);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_read),
        cmocka_unit_test(values_are_bytes),
        cmocka_unit_test(malformed_lines_are_refused),
        cmocka_unit_test(a_cut_revision_comes_once_and_whole),
        cmocka_unit_test(a_locked_or_stopping_daemon_is_waited_for),
        cmocka_unit_test(what_does_not_pass_is_told),
        cmocka_unit_test(a_watch_that_is_ended_says_why),
        cmocka_unit_test(bad_streams_are_refused),
        cmocka_unit_test(opening_says_what_is_wrong),
        cmocka_unit_test(a_wait_can_be_ended),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
