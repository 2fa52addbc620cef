/* Tests of the client library against scripted daemons: a child that answers bytes, and may hang up at any point. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
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

/* One line of a script. "Content-Length: ?" in a reply becomes the length of its body; NULL: no reply. */
struct step {
    const char *reply;
    enum {
        KEEP,  /* read a request, answer, and keep the connection */
        CLOSE, /* read a request, answer, and close it */
        IDLE,  /* read nothing, say something, close it */
        EARLY, /* read a part of the request, answer, close it */
    } how;
};

static char folder[64], socket_path[96];
static pid_t daemon_pid = -1;

static size_t count_text(const char *in, const char *what)
{
    const char *p = strstr(in, what);
    return p != NULL ? (size_t)strtoul(p + strlen(what), NULL, 10) : 0;
}

/* Reads one request: a head, and a body as long as it says. False at the end of the connection. */
static bool read_request(int fd, char *text, size_t size)
{
    size_t n = 0;
    text[0] = '\0';
    for (;;) {
        char *end = strstr(text, "\r\n\r\n");
        if (end != NULL && n >= (size_t)(end + 4 - text) + count_text(text, "Content-Length: "))
            return true;
        ssize_t got = n + 1 < size ? read(fd, text + n, size - n - 1) : 0;
        if (got <= 0)
            return false;
        n += (size_t)got;
        text[n] = '\0';
    }
}

static int accept_client(int listener)
{
    int fd = accept(listener, NULL, NULL);
    if (fd < 0)
        _exit(9);
    return fd;
}

static void answer(int fd, const char *reply)
{
    static char text[65536];
    const char *mark = reply != NULL ? strstr(reply, ": ?") : NULL;
    if (mark != NULL) {
        size_t length = strlen(strstr(reply, "\r\n\r\n") + 4);
        snprintf(text, sizeof text, "%.*s%zu%s", (int)(mark + 2 - reply), reply, length, mark + 3);
        reply = text;
    }
    if (reply != NULL && send(fd, reply, strlen(reply), MSG_NOSIGNAL) < 0 && errno != EPIPE)
        _exit(7);
}

static void take(int *fd, int listener, int log, bool is_early)
{
    static char text[3 << 20];
    if (is_early) {
        if (read(*fd, text, 1000) <= 0)
            _exit(6);
        return;
    }
    while (!read_request(*fd, text, sizeof text)) {
        close(*fd);
        *fd = accept_client(listener);
    }
    if (write(log, text, strcspn(text, "\r")) < 0 || write(log, "\n", 1) < 0)
        _exit(8);
}

static void serve(int listener, int log, const struct step *steps, size_t count)
{
    char rest[4096];
    int fd = accept_client(listener);
    for (size_t i = 0; i < count; i++) {
        if (steps[i].how != IDLE)
            take(&fd, listener, log, steps[i].how == EARLY);
        answer(fd, steps[i].reply);
        if (steps[i].how == KEEP)
            continue;
        close(fd);
        fd = i + 1 < count ? accept_client(listener) : -1;
    }
    while (fd >= 0 && read(fd, rest, sizeof rest) > 0)
        continue;
    _exit(0);
}

static int log_fd;

static void start(const struct step *steps, size_t count)
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
        serve(listener, ends[1], steps, count);
    }
    close(ends[1]);
    close(listener);
    log_fd = ends[0];
}

#define START(...)                                                                                                     \
    static const struct step steps_[] = {__VA_ARGS__};                                                                 \
    start(steps_, sizeof steps_ / sizeof steps_[0])

/* Ends the daemon; what it was asked, a request line a line. */
static const char *stop(void)
{
    static char text[8192];
    size_t n = 0;
    ssize_t got;
    int status;
    while ((got = read(log_fd, text + n, sizeof text - n - 1)) > 0)
        n += (size_t)got;
    text[n] = '\0';
    close(log_fd);
    assert_int_equal(waitpid(daemon_pid, &status, 0), daemon_pid);
    assert_int_equal(status, 0);
    return text;
}

static struct secreg *join(void)
{
    struct secreg *h = NULL;
    assert_int_equal(secreg_connect(socket_path, &h), SECREG_OK);
    assert_non_null(h);
    return h;
}

#define HEAD(status, length, fields) "HTTP/1.1 " status "\r\nContent-Length: " length "\r\n" fields "\r\n"
#define VALUE_FIELDS "ETag: \"7\"\r\nSecreg-Type: integer\r\nSecreg-Revision: 12\r\n"
#define VALUE HEAD("200 OK", "2", VALUE_FIELDS) "42"
#define REFUSAL(status, code, message)                                                                                 \
    HEAD(status, "?", "")                                                                                              \
    "{\"success\":false,\"data\":null,\"error\":{\"code\":\"" code "\",\"message\":\"" message "\"}}\n"

/* ---- values ---------------------------------------------------------------------------------------------- */

static void test_get(void **state)
{
    START({.reply = VALUE}, {.reply = HEAD("200 OK", "0",
                                           "ETag: \"1\"\r\nSecreg-Type: string\r\nSecreg-Sealed: true\r\n"
                                           "Secreg-Revision: 1\r\n")});
    struct secreg_value v;
    struct secreg *h = join();
    (void)state;
    assert_int_equal(secreg_get(h,
                                "/registry/a/gr\xc3\xb6\xc3\x9f"
                                "e",
                                &v),
                     SECREG_OK);
    assert_int_equal(v.size, 2);
    assert_string_equal((const char *)v.bytes, "42");
    assert_int_equal(v.type, SECREG_TYPE_INTEGER);
    assert_int_equal(v.version, 7);
    assert_int_equal(v.revision, 12);
    assert_false(v.is_sealed);
    assert_string_equal(secreg_error_text(h), "");
    assert_string_equal(secreg_error_code(h), "");
    secreg_value_fini(&v);
    assert_null(v.bytes);
    assert_int_equal(secreg_get_version(h, "/registry/a", 1, &v), SECREG_OK);
    assert_true(v.is_sealed);
    assert_int_equal(v.size, 0);
    assert_int_equal(v.bytes[0], 0);
    secreg_value_fini(&v);
    secreg_close(h);
    assert_string_equal(stop(), "GET /registry/a/gr%C3%B6%C3%9Fe HTTP/1.1\nGET /registry/a?version=1 HTTP/1.1\n");
}

static void test_incomplete_replies(void **state)
{
    START({.reply = HEAD("200 OK", "0", "Secreg-Type: integer\r\nSecreg-Revision: 1\r\n")},
          {.reply = HEAD("200 OK", "0", "ETag: \"1\"\r\nSecreg-Revision: 1\r\n")},
          {.reply = HEAD("200 OK", "0", "ETag: \"1\"\r\nSecreg-Type: odd\r\nSecreg-Revision: 1\r\n")},
          {.reply = HEAD("200 OK", "0", "ETag: \"x\"\r\nSecreg-Type: integer\r\nSecreg-Revision: 1\r\n")},
          {.reply = HEAD("200 OK", "0", "ETag: \"1\"\r\nSecreg-Type: integer\r\n")},
          {.reply = HEAD("404 Not Found", "2", "") "{}"},
          {.reply = HEAD("404 Not Found", "?", "") "{\"error\":{\"code\":\"refused\"}}"});
    struct secreg_value v = {.size = 99};
    struct secreg *h = join();
    (void)state;
    for (int i = 0; i < 7; i++) {
        assert_int_equal(secreg_get(h, "/registry/a", &v), SECREG_FAILURE);
        assert_string_equal(secreg_error_code(h), "bad-http");
        assert_int_equal(v.size, 99);
    }
    secreg_close(h);
    stop();
}

static void test_refusals(void **state)
{
    START({.reply = REFUSAL("404 Not Found", "not-found", "no such \\u0007")},
          {.reply = REFUSAL("503 Service Unavailable", "locked", "locked!!!")},
          {.reply = REFUSAL("503 Service Unavailable", "brand-new", "new")});
    struct secreg_value v;
    struct secreg *h = join();
    (void)state;
    assert_int_equal(secreg_get(h, "/registry/a", &v), SECREG_NOT_FOUND);
    assert_string_equal(secreg_error_code(h), "not-found");
    assert_string_equal(secreg_error_text(h), "no such \\x07");
    assert_int_equal(secreg_get(h, "/registry/a", &v), SECREG_LOCKED);
    assert_int_equal(secreg_get(h, "/registry/a", &v), SECREG_FAILURE);
    assert_string_equal(secreg_error_code(h), "brand-new");
    secreg_close(h);
    stop();
}

static void test_bad_input(void **state)
{
    START({NULL, CLOSE});
    struct secreg_value v;
    struct secreg_set_options o = {0};
    char long_text[700];
    struct secreg *h = join();
    (void)state;
    static const char *const paths[] = {"", "a", "/", "/v1/status", "/registryx", "/registry/", "/registry/a/", NULL};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        assert_int_equal(secreg_get(h, paths[i], &v), SECREG_BAD_INPUT);
        assert_string_equal(secreg_error_code(h), "bad-path");
    }
    memset(long_text, 'a', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    memcpy(long_text, "/registry/", 10);
    assert_int_equal(secreg_get(h, long_text, &v), SECREG_BAD_INPUT);
    assert_int_equal(secreg_list(h, "/registry//", false, NULL, NULL), SECREG_BAD_INPUT);
    assert_int_equal(secreg_get(h, "/registry/a", NULL), SECREG_BAD_INPUT);
    assert_int_equal(secreg_get_version(h, "/registry/a", 0, &v), SECREG_BAD_INPUT);
    assert_int_equal(secreg_get_version(h, "/registry/a", 1, NULL), SECREG_BAD_INPUT);
    assert_int_equal(secreg_set(h, "/registry/a", NULL, 1, NULL, NULL), SECREG_BAD_INPUT);
    o.reason = long_text;
    assert_int_equal(secreg_set(h, "/registry/a", "x", 1, &o, NULL), SECREG_BAD_INPUT);
    o.reason = "two\nlines";
    assert_int_equal(secreg_set(h, "/registry/a", "x", 1, &o, NULL), SECREG_BAD_INPUT);
    o = (struct secreg_set_options){.expected_version = 1, .must_not_exist = true};
    assert_int_equal(secreg_set(h, "/registry/a", "x", 1, &o, NULL), SECREG_BAD_INPUT);
    o = (struct secreg_set_options){.type = (enum secreg_type)8};
    assert_int_equal(secreg_set(h, "/registry/a", "x", 1, &o, NULL), SECREG_BAD_INPUT);
    assert_int_equal(secreg_set(h, "/registry/a", "x", SECREG_VALUE_MAX_BYTES + 1, NULL, NULL), SECREG_TOO_LARGE);
    assert_int_equal(secreg_delete(h, "/registry/a", UINT64_MAX, NULL, NULL), SECREG_BAD_INPUT);
    assert_int_equal(secreg_get(NULL, "/registry/a", &v), SECREG_BAD_INPUT);
    assert_int_equal(secreg_get_version(NULL, "/registry/a", 1, &v), SECREG_BAD_INPUT);
    assert_int_equal(secreg_set(NULL, "/registry/a", "x", 1, NULL, NULL), SECREG_BAD_INPUT);
    assert_int_equal(secreg_delete(NULL, "/registry/a", 0, NULL, NULL), SECREG_BAD_INPUT);
    assert_int_equal(secreg_list(NULL, "/registry", false, NULL, NULL), SECREG_BAD_INPUT);
    assert_string_equal(secreg_error_text(NULL), "");
    assert_string_equal(secreg_error_code(NULL), "");
    secreg_set_timeout(NULL, 1);
    secreg_close(NULL);
    secreg_value_fini(NULL);
    secreg_get(h, "/registry/a", &v); /* lets the daemon end: nothing was sent before */
    secreg_close(h);
    assert_string_equal(stop(), "GET /registry/a HTTP/1.1\n");
}

/* ---- changes --------------------------------------------------------------------------------------------- */

static void test_set_and_delete(void **state)
{
    START({.reply = HEAD("201 Created", "2", "ETag: \"1\"\r\n") "{}"},
          {.reply = HEAD("200 OK", "2", "ETag: \"9\"\r\n") "{}"}, {.reply = HEAD("200 OK", "2", "") "{}"});
    struct secreg_set_options o = {SECREG_TYPE_JSON, SECREG_SEALING_ON, 8, false, "why"};
    uint64_t version = 0;
    struct secreg *h = join();
    (void)state;
    assert_int_equal(secreg_set(h, "/registry/a", "[1]", 3, &o, &version), SECREG_OK);
    assert_int_equal(version, 1);
    assert_int_equal(secreg_delete(h, "/registry/a", 8, "why", &version), SECREG_OK);
    assert_int_equal(version, 9);
    o = (struct secreg_set_options){.must_not_exist = true, .sealing = SECREG_SEALING_OFF};
    assert_int_equal(secreg_set(h, "/registry/a", NULL, 0, &o, &version), SECREG_FAILURE);
    assert_int_equal(version, 9);
    secreg_close(h);
    assert_string_equal(stop(), "PUT /registry/a HTTP/1.1\nDELETE /registry/a HTTP/1.1\nPUT /registry/a HTTP/1.1\n");
}

/* A value larger than a socket holds, and a daemon that refuses it before it has read it all. */
static void test_large(void **state)
{
    START({.reply = HEAD("200 OK", "2", "ETag: \"1\"\r\n") "{}"});
    struct secreg *h = join();
    char *value = calloc(1, SECREG_VALUE_MAX_BYTES);
    (void)state;
    assert_int_equal(secreg_set(h, "/registry/a", value, SECREG_VALUE_MAX_BYTES, NULL, NULL), SECREG_OK);
    secreg_close(h);
    free(value);
    stop();
}

static void test_early_refusal(void **state)
{
    START({REFUSAL("413 Content Too Large", "too-large", "too big"), EARLY}, {"stray", IDLE}, {.reply = VALUE});
    struct secreg *h = join();
    struct secreg_value v;
    char *value = calloc(1, SECREG_VALUE_MAX_BYTES);
    (void)state;
    assert_int_equal(secreg_set(h, "/registry/a", value, SECREG_VALUE_MAX_BYTES, NULL, NULL), SECREG_TOO_LARGE);
    assert_string_equal(secreg_error_text(h), "too big");
    assert_int_equal(h->fd, -1);
    assert_int_equal(secreg_join(h), SECREG_OK);
    usleep(100000); /* what comes between two requests makes the connection worthless */
    assert_int_equal(secreg_get(h, "/registry/a", &v), SECREG_OK);
    secreg_value_fini(&v);
    secreg_close(h);
    free(value);
    stop();
}

/* ---- listing --------------------------------------------------------------------------------------------- */

struct seen {
    char text[256];
    unsigned left;
};

static int on_name(const char *name, bool is_folder, void *arg)
{
    struct seen *s = arg;
    strcat(s->text, name);
    strcat(s->text, is_folder ? "/ " : " ");
    return s->left > 0 && --s->left == 0;
}

static void test_list(void **state)
{
    START({.reply = HEAD("200 OK", "?", "Secreg-Next: b%C3%A4\r\n") "a/\nb\xc3\xa4\n"},
          {.reply = HEAD("200 OK", "4", "") "c\nd\n"}, {.reply = HEAD("200 OK", "4", "") "c\nd\n"},
          {.reply = HEAD("200 OK", "0", "")}, {.reply = REFUSAL("404 Not Found", "not-found", "nothing")},
          {.reply = HEAD("200 OK", "2", "Secreg-Next: x\r\n") "x\n"},
          {.reply = HEAD("200 OK", "2", "Secreg-Next: x\r\n") "x\n"});
    struct seen s = {0};
    struct secreg *h = join();
    (void)state;
    assert_int_equal(secreg_list(h, "/registry/a/", false, on_name, &s), SECREG_OK);
    assert_string_equal(s.text, "a/ b\xc3\xa4 c d ");
    s = (struct seen){.left = 1};
    assert_int_equal(secreg_list(h, "/registry", true, on_name, &s), SECREG_OK);
    assert_string_equal(s.text, "c ");
    s = (struct seen){0};
    assert_int_equal(secreg_list(h, "/registry", true, on_name, &s), SECREG_OK);
    assert_string_equal(s.text, "");
    assert_int_equal(secreg_list(h, "/registry", true, on_name, &s), SECREG_NOT_FOUND);
    assert_int_equal(secreg_list(h, "/registry", false, on_name, &s), SECREG_FAILURE); /* it would never end */
    secreg_close(h);
    assert_string_equal(stop(),
                        "GET /registry/a/?limit=1000 HTTP/1.1\nGET /registry/a/?limit=1000&after=b%C3%A4 HTTP/1.1\n"
                        "GET /registry/?limit=1000&recursive HTTP/1.1\nGET /registry/?limit=1000&recursive HTTP/1.1\n"
                        "GET /registry/?limit=1000&recursive HTTP/1.1\nGET /registry/?limit=1000 HTTP/1.1\n"
                        "GET /registry/?limit=1000&after=x HTTP/1.1\n");
}

/* ---- connections ----------------------------------------------------------------------------------------- */

static void test_no_daemon(void **state)
{
    struct secreg *h = NULL;
    char path[200];
    (void)state;
    unlink(socket_path);
    assert_int_equal(secreg_connect(socket_path, &h), SECREG_UNAVAILABLE);
    assert_null(h);
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_int_equal(secreg_connect(path, &h), SECREG_BAD_INPUT);
    assert_int_equal(secreg_connect("", &h), SECREG_BAD_INPUT);
    assert_int_equal(secreg_connect(socket_path, NULL), SECREG_BAD_INPUT);
    setenv("SECREG_ROOT", folder, 1);
    assert_int_equal(secreg_connect(NULL, &h), SECREG_UNAVAILABLE);
    assert_int_equal(secreg_new(NULL, &h), SECREG_OK);
    snprintf(path, sizeof path, "%s/run/secreg/socket", folder);
    assert_string_equal(h->socket_path, path);
    unsetenv("SECREG_ROOT");
    secreg_close(h);
}

static void test_idle_connection_is_made_again(void **state)
{
    START({VALUE, CLOSE}, {.reply = HEAD("200 OK", "2", "ETag: \"2\"\r\n") "{}"});
    struct secreg_value v;
    struct secreg *h = join();
    (void)state;
    assert_int_equal(secreg_get(h, "/registry/a", &v), SECREG_OK);
    secreg_value_fini(&v);
    usleep(100000);
    assert_int_equal(secreg_set(h, "/registry/a", "x", 1, NULL, NULL), SECREG_OK);
    secreg_close(h);
    stop();
}

static void test_read_is_sent_again(void **state)
{
    START({.reply = VALUE}, {NULL, CLOSE}, {.reply = VALUE});
    struct secreg_value v;
    struct secreg *h = join();
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(secreg_get(h, "/registry/a", &v), SECREG_OK);
        secreg_value_fini(&v);
    }
    secreg_close(h);
    assert_string_equal(stop(), "GET /registry/a HTTP/1.1\nGET /registry/a HTTP/1.1\nGET /registry/a HTTP/1.1\n");
}

static void test_write_is_never_sent_again(void **state)
{
    START({.reply = VALUE}, {NULL, CLOSE}, {.reply = VALUE});
    struct secreg_value v;
    struct secreg *h = join();
    (void)state;
    assert_int_equal(secreg_get(h, "/registry/a", &v), SECREG_OK);
    secreg_value_fini(&v);
    assert_int_equal(secreg_set(h, "/registry/a", "x", 1, NULL, NULL), SECREG_UNAVAILABLE);
    assert_string_equal(secreg_error_code(h), "unavailable");
    assert_int_equal(secreg_get(h, "/registry/a", &v), SECREG_OK);
    secreg_value_fini(&v);
    secreg_close(h);
    assert_string_equal(stop(), "GET /registry/a HTTP/1.1\nPUT /registry/a HTTP/1.1\nGET /registry/a HTTP/1.1\n");
}

static void test_fresh_connection_is_not_repeated(void **state)
{
    START({NULL, CLOSE});
    struct secreg_value v;
    struct secreg *h = join();
    (void)state;
    assert_int_equal(secreg_get(h, "/registry/a", &v), SECREG_UNAVAILABLE);
    secreg_close(h);
    stop();
}

static void test_bad_replies(void **state)
{
    START({.reply = "HTTP/1.1 200 OK\nContent-Length: 0\n\n"}, {.reply = HEAD("200 OK", "99999999999", "")},
          {.reply = HEAD("200 OK", "1", VALUE_FIELDS) "42"}, {HEAD("200 OK", "9", VALUE_FIELDS) "42", CLOSE},
          {.reply = HEAD("200 OK", "2", VALUE_FIELDS "Connection: close\r\n") "42"});
    static const struct {
        enum secreg_result result;
        const char *code;
    } wanted[] = {{SECREG_FAILURE, "bad-http"},
                  {SECREG_TOO_LARGE, "too-large"},
                  {SECREG_FAILURE, "bad-http"},
                  {SECREG_UNAVAILABLE, "unavailable"},
                  {SECREG_OK, ""}};
    struct secreg_value v;
    struct secreg *h = join();
    (void)state;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        assert_int_equal(secreg_get(h, "/registry/a", &v), wanted[i].result);
        assert_string_equal(secreg_error_code(h), wanted[i].code);
        assert_int_equal(h->fd, -1); /* none of them leaves a connection that could be used again */
    }
    secreg_value_fini(&v);
    secreg_close(h);
    stop();
}

static void test_timeout(void **state)
{
    START({.reply = NULL});
    struct secreg_value v;
    struct secreg *h = join();
    (void)state;
    secreg_set_timeout(h, 50);
    assert_int_equal(secreg_get(h, "/registry/a", &v), SECREG_UNAVAILABLE);
    assert_string_equal(secreg_error_code(h), "timeout");
    secreg_set_timeout(h, 0);
    assert_int_equal(h->timeout_ms, SECREG_TIMEOUT_MS);
    secreg_close(h);
    stop();
}

static void test_each_allocation_may_fail(void **state)
{
    START({.reply = VALUE}, {.reply = VALUE}, {.reply = VALUE}, {.reply = VALUE}, {.reply = VALUE}, {.reply = VALUE},
          {.reply = VALUE}, {.reply = VALUE});
    (void)state;
    enum secreg_result result = SECREG_FAILURE;
    for (unsigned n = 0; n < 100 && result != SECREG_OK; n++) {
        struct secreg *h = NULL;
        struct secreg_value v = {0};
        fail_alloc_after(n);
        result = secreg_connect(socket_path, &h);
        if (result == SECREG_OK)
            result = secreg_get(h, "/registry/a", &v);
        fail_alloc_off();
        assert_true(result == SECREG_OK || result == SECREG_FAILURE || result == SECREG_TOO_LARGE);
        secreg_value_fini(&v);
        secreg_close(h);
    }
    assert_int_equal(result, SECREG_OK);
    kill(daemon_pid, SIGKILL);
    waitpid(daemon_pid, NULL, 0);
    close(log_fd);
}

/* ---- the envelope ---------------------------------------------------------------------------------------- */

static struct bytes text_of(const char *text)
{
    return bytes_of_text(text);
}

static void test_members(void **state)
{
    struct bytes v;
    (void)state;
    struct bytes map = text_of("{\"a\" : 1 , \"b\":{\"a\":[2,\"}\\\"]\"]},\"c\":\"x\\\\\", \"d\":null}");
    assert_true(secreg_member(map, "a", &v) && bytes_equal(v, text_of("1")));
    assert_true(secreg_member(map, "b", &v) && bytes_equal(v, text_of("{\"a\":[2,\"}\\\"]\"]}")));
    assert_true(secreg_member(map, "c", &v) && bytes_equal(v, text_of("\"x\\\\\"")));
    assert_true(secreg_member(map, "d", &v) && bytes_equal(v, text_of("null")));
    assert_false(secreg_member(map, "e", &v));
    static const char *const broken[] = {"",      "[]",         "{",          "{}",        "{\"b\"}",
                                         "{\"b",  "{\"b\":",    "{\"b\":\"x", "{\"b\":{",  "{\"b\":[\"x}",
                                         "{1:2}", "{\"b\":1;}", "{\"b\":1,}", "{\"b\":1,2"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        assert_false(secreg_member(text_of(broken[i]), "a", &v));
}

static void test_elements(void **state)
{
    struct bytes v, rest = text_of("[1, \"a\" ,{\"b\":[2]}]");
    (void)state;
    assert_true(secreg_element(&rest, &v) && bytes_equal(v, text_of("1")));
    assert_true(secreg_element(&rest, &v) && bytes_equal(v, text_of("\"a\"")));
    assert_true(secreg_element(&rest, &v) && bytes_equal(v, text_of("{\"b\":[2]}")));
    assert_false(secreg_element(&rest, &v));
    rest = text_of("[]");
    assert_false(secreg_element(&rest, &v));
}

static void check_unquote(const char *text, int wanted, const char *plain)
{
    struct buf b;
    buf_init(&b, 64);
    assert_int_equal(secreg_unquote(&b, text_of(text)), wanted);
    if (wanted == 0)
        assert_true(bytes_equal(buf_view(&b), text_of(plain)));
    buf_fini(&b);
}

static void test_unquote(void **state)
{
    (void)state;
    check_unquote("\"\"", 0, "");
    check_unquote("\"a\\n\\t\\r\\b\\f\\/\\\\\\\"z\"", 0, "a\n\t\r\b\f/\\\"z");
    check_unquote("\"\\u0041\\u00e4\\u20AC\\ud83d\\ude00\"", 0, "A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
    static const char *const broken[] = {"",
                                         "\"",
                                         "a",
                                         "\"a",
                                         "\"a\"b",
                                         "\"\\x\"",
                                         "\"\\u12\"",
                                         "\"\\u12g4\"",
                                         "\"\\ud800\"",
                                         "\"\\ud800\\u0041\"",
                                         "\"\\udc00\"",
                                         "\"\\ud83dxxxxxx\""};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        check_unquote(broken[i], SECREG_UNQUOTE_BAD, NULL);
    char large[80];
    memset(large, 'a', sizeof large - 1);
    large[0] = large[sizeof large - 2] = '"';
    large[sizeof large - 1] = '\0';
    check_unquote(large, FAULT_LIMIT, NULL);
}

static void test_texts(void **state)
{
    (void)state;
    assert_string_equal(secreg_result_text(SECREG_OK), "done");
    assert_string_equal(secreg_result_text(SECREG_FAILURE), "the call failed");
    assert_string_equal(secreg_result_text((enum secreg_result)10), "unknown result");
    assert_string_equal(secreg_version_text(), SECREG_VERSION);
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/secreg-lib-XXXXXX");
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
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_incomplete_replies),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_set_and_delete),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_early_refusal),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_no_daemon),
        cmocka_unit_test(test_idle_connection_is_made_again),
        cmocka_unit_test(test_read_is_sent_again),
        cmocka_unit_test(test_write_is_never_sent_again),
        cmocka_unit_test(test_fresh_connection_is_not_repeated),
        cmocka_unit_test(test_bad_replies),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_each_allocation_may_fail),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_unquote),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
