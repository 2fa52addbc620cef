/* Tests of http-server on a scripted loop: peers are socketpairs, time moves only when told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fail-alloc.h"
#include "net/http-server.h"

enum { BODY_MAX_BYTES = 1000 };

static struct {
    struct loop *loop;
    struct http_server *server;
    struct http_share share;
    struct http_conn *waiting; /* its request is handed over and not answered */
    char target[256], body[2048];
    size_t body_bytes, requests, refusals, closed;
    unsigned refused_with;
    bool answers; /* at once, with the body echoed */
    unsigned head_status;
    struct http_limits limits;
} t;

static void reply(struct http_conn *c, unsigned status, const char *body, bool closes)
{
    http_reply(c, status, BYTES_LITERAL("X-A: b\r\n"), bytes_of_text(body), closes);
}

static unsigned on_head(struct http_conn *c, const struct http1_req *head, size_t *ret_max)
{
    (void)c;
    (void)head;
    *ret_max = BODY_MAX_BYTES;
    return t.head_status;
}

static void on_request(struct http_conn *c, const struct http_request *r)
{
    t.requests++;
    snprintf(t.target, sizeof t.target, "%.*s", BYTES_PRINT(r->head.target));
    memcpy(t.body, r->body.p != NULL ? r->body.p : (const uint8_t *)"", r->body.n);
    t.body[r->body.n] = '\0';
    t.body_bytes = r->body.n;
    if (t.answers)
        reply(c, 200, t.body, false);
    else
        t.waiting = c;
}

static void on_refuse(struct http_conn *c, unsigned status, const char *why)
{
    assert_non_null(why);
    t.refusals++;
    t.refused_with = status;
    reply(c, status, "no", true);
}

static void on_closed(struct http_conn *c)
{
    t.closed++;
    if (t.waiting == c)
        t.waiting = NULL;
}

static const struct http_events events = {on_head, on_request, on_refuse, on_closed, NULL};

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    t.answers = true;
    t.limits = (struct http_limits){.head_us = 10 * US_PER_S,
                                    .body_us = 20 * US_PER_S,
                                    .idle_us = 60 * US_PER_S,
                                    .write_us = 5 * US_PER_S,
                                    .share_bytes = 1 << 20,
                                    .reply_bytes = 1 << 22};
    assert_int_equal(loop_new_scripted(&t.loop), 0);
    assert_int_equal(http_server_new(t.loop, &events, &t.limits, &t.server), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    http_server_free(t.server);
    loop_free(t.loop);
    return 0;
}

static int open_peer(void)
{
    int fds[2];
    struct http_conn *c;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    assert_int_equal(http_serve(t.server, fds[0], &t.share, 77, &c), 0);
    assert_int_equal(http_conn_tag(c), 77);
    return fds[1];
}

static void say(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(loop_advance(t.loop, 0), 0);
}

/* What the peer can read now; "" for nothing, NULL at the end. */
static const char *hear(int fd)
{
    static char text[1 << 16];
    ssize_t n = read(fd, text, sizeof text - 1);
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return NULL;
    if (n < 0)
        return "";
    text[n] = '\0';
    return text;
}

static const char get[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

static void serves_requests_on_one_connection(void **state)
{
    (void)state;
    int fd = open_peer();
    for (int i = 0; i < 3; i++) {
        say(fd, get);
        assert_string_equal(t.target, "/a");
        assert_string_equal(hear(fd), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-A: b\r\n\r\n");
    }
    assert_int_equal(t.requests, 3);
    assert_int_equal(http_server_count(t.server), 1);
    close(fd);
    assert_int_equal(loop_advance(t.loop, 0), 0);
    assert_int_equal(t.closed, 1);
    assert_int_equal(http_server_count(t.server), 0);
    assert_int_equal(t.share.bytes, 0);
    assert_int_equal(t.share.users, 0);
}

static void takes_heads_and_bodies_byte_by_byte(void **state)
{
    (void)state;
    static const char text[] = "PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
                               "GET /c HTTP/1.1\r\nHost: x\r\n\r\n";
    int fd = open_peer();
    for (size_t i = 0; i < sizeof text - 1; i++) {
        char one[2] = {text[i], '\0'};
        say(fd, one);
    }
    assert_int_equal(t.requests, 2);
    assert_string_equal(t.target, "/c");
    assert_non_null(strstr(hear(fd), "\r\n\r\nhelloHTTP/1.1 200 OK\r\n"));
    close(fd);
}

static void answers_pipelined_requests_in_order(void **state)
{
    (void)state;
    int fd = open_peer();
    t.answers = false;
    say(fd, "PUT /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na"
            "PUT /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nb");
    assert_int_equal(t.requests, 1);
    assert_string_equal(t.target, "/1");
    struct http_conn *c = t.waiting;
    t.waiting = NULL;
    reply(c, 200, "first", false);
    assert_int_equal(loop_advance(t.loop, 0), 0);
    assert_string_equal(t.target, "/2"); /* nothing new arrived: it lay in the buffer */
    assert_ptr_equal(t.waiting, c);
    reply(c, 200, "second", false);
    assert_int_equal(loop_advance(t.loop, 0), 0);
    const char *text = hear(fd);
    assert_true(strstr(text, "first") < strstr(text, "second"));
    close(fd);
    assert_int_equal(loop_advance(t.loop, 0), 0);
}

static void pipelined_request_runs_without_new_bytes(void **state)
{
    (void)state;
    int fd = open_peer();
    say(fd, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\nGET /3 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(t.requests, 3);
    assert_string_equal(t.target, "/3");
    close(fd);
}

static void decodes_chunks_however_they_arrive(void **state)
{
    (void)state;
    static const char text[] = "PUT /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n";
    for (size_t step = 1; step < sizeof text; step += 7) {
        int fd = open_peer();
        for (size_t at = 0; at < sizeof text - 1; at += step) {
            char part[sizeof text];
            snprintf(part, sizeof part, "%.*s", (int)MIN_OF(step, sizeof text - 1 - at), text + at);
            say(fd, part);
        }
        assert_string_equal(t.body, "hello, world");
        assert_string_equal(t.target, "/b");
        say(fd, get);
        assert_string_equal(t.target, "/a");
        close(fd);
        assert_int_equal(loop_advance(t.loop, 0), 0);
    }
}

static void refuses_what_is_malformed(void **state)
{
    static const struct {
        const char *text;
        unsigned status;
    } rows[] = {
        {"GET /a HTTP/1.1\r\n\r\n", 400},
        {"GET /a HTTP/1.0\r\nHost: x\r\n\r\n", 505},
        {"GET /a HTTP/1.1\nHost: x\n\n", 400},
        {"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
        {"PUT /a HTTP/1.1\r\nHost: x\r\nExpect: 200-ok\r\nContent-Length: 1\r\n\r\n", 417},
        {"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", 413},
        {"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
        {"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n", 413},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int fd = open_peer();
        t.refused_with = 0;
        say(fd, rows[i].text);
        if (rows[i].status == 413 &&
            t.refused_with == 0) { /* the chunk's bytes have to come before they are too many */
            char many[1100];
            memset(many, 'a', sizeof many - 1);
            many[sizeof many - 1] = '\0';
            say(fd, many);
        }
        assert_int_equal(t.refused_with, rows[i].status);
        const char *text = hear(fd);
        assert_non_null(text);
        assert_non_null(strstr(text, "Connection: close\r\n"));
        assert_null(hear(fd));
        close(fd);
    }
    assert_int_equal(loop_advance(t.loop, 2 * US_PER_S), 0);
    assert_int_equal(t.requests, 0);
    assert_int_equal(t.closed, COUNT_OF(rows));
}

static void lets_a_refused_client_finish_and_read_why(void **state)
{
    static char many[100000];
    int fd = open_peer();
    (void)state;
    memset(many, 'a', sizeof many - 1);
    say(fd, "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
    assert_int_equal(t.refused_with, 413);
    for (int i = 0; i < 10; i++)
        say(fd, many); /* would fail with EPIPE if the connection were closed */
    assert_non_null(strstr(hear(fd), "HTTP/1.1 413 "));
    assert_int_equal(t.closed, 0);
    assert_int_equal(loop_advance(t.loop, 2 * US_PER_S), 0);
    assert_int_equal(t.closed, 1); /* but not for ever */
    close(fd);
    fd = open_peer();
    say(fd, "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n");
    for (int i = 0; i < 400 && t.closed == 1; i++) {
        ssize_t n = write(fd, many, sizeof many);
        assert_int_equal(loop_advance(t.loop, 0), 0);
        if (n < 0 && errno != EAGAIN)
            break;
    }
    assert_int_equal(t.closed, 2); /* and not for any number of bytes */
    close(fd);
}

static void idle_connections_stay_as_long_as_they_may(void **state)
{
    int fd = open_peer();
    (void)state;
    say(fd, get);
    assert_non_null(hear(fd));
    assert_int_equal(loop_advance(t.loop, 58 * US_PER_S), 0); /* far beyond write_us */
    assert_int_equal(t.closed, 0);
    assert_int_equal(loop_advance(t.loop, 4 * US_PER_S), 0);
    assert_int_equal(t.closed, 1);
    close(fd);
}

static void a_head_request_gets_no_body(void **state)
{
    int fd = open_peer();
    (void)state;
    t.answers = false;
    say(fd, "HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
    reply(t.waiting, 405, "not here", false);
    assert_int_equal(loop_advance(t.loop, 0), 0);
    assert_null(strstr(hear(fd), "not here"));
    close(fd);
}

static void refuses_an_endless_head(void **state)
{
    char line[1001];
    int fd = open_peer();
    (void)state;
    say(fd, "GET /a HTTP/1.1\r\nHost: x\r\n");
    memset(line, 'a', sizeof line);
    memcpy(line, "X: ", 3);
    memcpy(line + sizeof line - 3, "\r\n", 3);
    for (int i = 0; i < 20 && t.refusals == 0; i++)
        say(fd, line);
    assert_int_equal(t.refused_with, 431);
    close(fd);
}

static void asks_the_route_before_the_body(void **state)
{
    int fd = open_peer();
    (void)state;
    t.head_status = 404;
    say(fd, "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n");
    assert_int_equal(t.refused_with, 404);
    assert_int_equal(t.requests, 0);
    close(fd);
}

static void says_continue_when_it_is_waited_for(void **state)
{
    int fd = open_peer();
    (void)state;
    say(fd, "PUT /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_string_equal(hear(fd), "HTTP/1.1 100 Continue\r\n\r\n");
    say(fd, "ok");
    assert_string_equal(t.body, "ok");
    close(fd);
}

static void slow_clients_meet_their_deadlines(void **state)
{
    (void)state;
    int fd = open_peer();
    say(fd, "GET /a HT");
    assert_int_equal(loop_advance(t.loop, 9 * US_PER_S), 0);
    assert_int_equal(t.refusals, 0);
    say(fd, "T"); /* a byte now and then buys no time */
    assert_int_equal(loop_advance(t.loop, 2 * US_PER_S), 0);
    assert_int_equal(t.refused_with, 408);
    assert_non_null(strstr(hear(fd), "HTTP/1.1 408 "));
    assert_null(hear(fd));
    close(fd);
    fd = open_peer();
    say(fd, "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na");
    assert_int_equal(loop_advance(t.loop, 19 * US_PER_S), 0);
    assert_int_equal(t.refusals, 1);
    assert_int_equal(loop_advance(t.loop, 2 * US_PER_S), 0);
    assert_int_equal(t.refusals, 2);
    close(fd);
    fd = open_peer();
    assert_int_equal(loop_advance(t.loop, 59 * US_PER_S), 0);
    assert_string_equal(hear(fd), "");
    assert_int_equal(loop_advance(t.loop, 2 * US_PER_S), 0);
    assert_null(hear(fd)); /* idle: closed without a word */
    assert_int_equal(t.refusals, 2);
    close(fd);
    assert_int_equal(http_server_count(t.server), 0);
}

static void a_waiting_request_has_no_deadline(void **state)
{
    int fd = open_peer();
    (void)state;
    t.answers = false;
    say(fd, get);
    assert_int_equal(loop_advance(t.loop, 1000 * US_PER_S), 0);
    assert_non_null(t.waiting);
    reply(t.waiting, 200, "late", false);
    assert_int_equal(loop_advance(t.loop, 0), 0);
    assert_non_null(strstr(hear(fd), "late"));
    close(fd);
}

static void who_does_not_read_is_dropped(void **state)
{
    (void)state;
    static char large[1 << 20];
    int fd = open_peer();
    memset(large, 'x', sizeof large - 1);
    t.answers = false;
    say(fd, get);
    http_reply(t.waiting, 200, BYTES_NONE, bytes_of(large, sizeof large), false);
    assert_int_equal(loop_advance(t.loop, 4 * US_PER_S), 0);
    assert_int_equal(t.closed, 0);
    assert_int_equal(loop_advance(t.loop, 2 * US_PER_S), 0);
    assert_int_equal(t.closed, 1);
    close(fd);
}

static void large_replies_arrive_whole(void **state)
{
    (void)state;
    static char large[1 << 20];
    size_t got = 0;
    int fd = open_peer();
    t.answers = false;
    say(fd, get);
    http_reply(t.waiting, 200, BYTES_NONE, bytes_of(large, sizeof large), true);
    for (;;) {
        static char part[65536];
        assert_int_equal(loop_advance(t.loop, 0), 0);
        ssize_t n = read(fd, part, sizeof part);
        if (n == 0)
            break;
        assert_true(n > 0);
        got += (size_t)n;
    }
    assert_true(got > sizeof large);
    assert_int_equal(t.closed, 1);
    close(fd);
}

static void a_reply_beyond_the_limit_ends_the_connection(void **state)
{
    (void)state;
    char *large = calloc(1, 5 << 20);
    int fd = open_peer();
    t.answers = false;
    say(fd, get);
    http_reply(t.waiting, 200, BYTES_NONE, bytes_of(large, 5 << 20), false);
    assert_int_equal(loop_advance(t.loop, 0), 0);
    assert_int_equal(t.closed, 1);
    free(large);
    close(fd);
}

static void a_user_beyond_its_share_is_refused(void **state)
{
    (void)state;
    int fd = open_peer();
    t.share.bytes = t.limits.share_bytes; /* as if its other connections held that much */
    say(fd, "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
    assert_int_equal(t.refused_with, 429);
    close(fd);
    t.share.bytes -= t.limits.share_bytes;
}

static void clients_that_leave_are_forgotten(void **state)
{
    (void)state;
    int fd = open_peer();
    t.answers = false;
    say(fd, get);
    struct http_conn *c = t.waiting;
    assert_non_null(c);
    close(fd);
    assert_int_equal(loop_advance(t.loop, 0), 0);
    assert_int_equal(t.closed, 1);
    fd = open_peer();
    say(fd, "GET /a HT");
    shutdown(fd, SHUT_WR);
    assert_int_equal(loop_advance(t.loop, 0), 0);
    assert_int_equal(t.closed, 2);
    close(fd);
    fd = open_peer();
    say(fd, get);
    shutdown(fd, SHUT_WR); /* half-closed: the reply still comes */
    assert_int_equal(loop_advance(t.loop, 0), 0);
    reply(t.waiting, 200, "still", false);
    assert_int_equal(loop_advance(t.loop, 0), 0);
    assert_non_null(strstr(hear(fd), "still"));
    assert_int_equal(loop_advance(t.loop, 0), 0); /* now it is read again, and its end is seen */
    assert_null(hear(fd));
    close(fd);
    for (size_t rest = 0; rest < 10; rest += 9) { /* the end and the reply in one turn: it is not lost */
        fd = open_peer();
        say(fd, get);
        assert_int_equal(write(fd, "GET /b HT", rest), rest); /* nor by a next request that is cut */
        shutdown(fd, SHUT_WR);
        reply(t.waiting, 200, "at once", false);
        for (int i = 0; i < 3; i++)
            assert_int_equal(loop_advance(t.loop, 0), 0);
        assert_non_null(strstr(hear(fd), "at once"));
        assert_null(hear(fd));
        close(fd);
    }
    assert_int_equal(t.closed, 5);
}

static void connection_close_is_honoured(void **state)
{
    (void)state;
    int fd = open_peer();
    say(fd, "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_non_null(strstr(hear(fd), "Connection: close\r\n"));
    assert_null(hear(fd));
    close(fd);
}

static void draining_finishes_what_was_begun(void **state)
{
    (void)state;
    int idle = open_peer(), busy = open_peer();
    t.answers = false;
    say(busy, get);
    http_server_drain(t.server);
    assert_int_equal(loop_advance(t.loop, 0), 0);
    assert_null(hear(idle));
    assert_int_equal(http_server_count(t.server), 1);
    reply(t.waiting, 200, "done", false);
    assert_int_equal(loop_advance(t.loop, 0), 0);
    const char *text = hear(busy);
    assert_non_null(strstr(text, "Connection: close\r\n"));
    assert_non_null(strstr(text, "done"));
    assert_null(hear(busy));
    assert_int_equal(http_server_count(t.server), 0);
    close(idle);
    close(busy);
}

static void new_limits_hold_from_the_next_request_on(void **state)
{
    (void)state;
    int fd = open_peer();
    t.limits.head_us = US_PER_S;
    http_server_set_limits(t.server, &t.limits);
    say(fd, "GET");
    assert_int_equal(loop_advance(t.loop, 2 * US_PER_S), 0);
    assert_int_equal(t.refused_with, 408);
    close(fd);
}

static void survives_running_out_of_memory(void **state)
{
    (void)state;
    struct http_server *server = NULL;
    EACH_ALLOC_FAILURE({
        if (http_server_new(t.loop, &events, &t.limits, &server) == 0)
            server = http_server_free(server);
    });
    EACH_ALLOC_FAILURE({
        int fds[2];
        struct http_conn *c;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        if (http_serve(t.server, fds[0], &t.share, 1, &c) == 0) {
            ssize_t n = write(fds[1], get, sizeof get - 1);
            assert_int_equal(n, sizeof get - 1);
            int r = loop_advance(t.loop, 0);
            assert_true(r == 0 || r == -ENOMEM);
        }
        close(fds[1]);
        int r = loop_advance(t.loop, 0);
        assert_true(r == 0 || r == -ENOMEM);
    });
    assert_int_equal(http_server_count(t.server), 0);
    assert_int_equal(t.share.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(serves_requests_on_one_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_heads_and_bodies_byte_by_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_pipelined_requests_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(pipelined_request_runs_without_new_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(decodes_chunks_however_they_arrive, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_malformed, setup, teardown),
        cmocka_unit_test_setup_teardown(lets_a_refused_client_finish_and_read_why, setup, teardown),
        cmocka_unit_test_setup_teardown(idle_connections_stay_as_long_as_they_may, setup, teardown),
        cmocka_unit_test_setup_teardown(a_head_request_gets_no_body, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_an_endless_head, setup, teardown),
        cmocka_unit_test_setup_teardown(asks_the_route_before_the_body, setup, teardown),
        cmocka_unit_test_setup_teardown(says_continue_when_it_is_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(slow_clients_meet_their_deadlines, setup, teardown),
        cmocka_unit_test_setup_teardown(a_waiting_request_has_no_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(who_does_not_read_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(large_replies_arrive_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reply_beyond_the_limit_ends_the_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(a_user_beyond_its_share_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(clients_that_leave_are_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(connection_close_is_honoured, setup, teardown),
        cmocka_unit_test_setup_teardown(draining_finishes_what_was_begun, setup, teardown),
        cmocka_unit_test_setup_teardown(new_limits_hold_from_the_next_request_on, setup, teardown),
        cmocka_unit_test_setup_teardown(survives_running_out_of_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
