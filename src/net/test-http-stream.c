/* Tests of http-stream on a scripted loop: the peer is the other end of a socketpair, time moves only when told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fail-alloc.h"
#include "net/http-server.h"

static struct {
    struct loop *loop;
    struct http_server *server;
    struct http_share share;
    struct http_limits limits;
    struct http_conn *conn;
    size_t requests, drained, closed;
    int peer;
} t;

static const char get[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\nConnection: close\r\n\r\n";

static unsigned on_head(struct http_conn *c, const struct http1_req *req, size_t *ret_max)
{
    (void)c;
    (void)req;
    *ret_max = 100;
    return 0;
}

static void on_request(struct http_conn *c, const struct http_request *r)
{
    (void)r;
    t.requests++;
    http_stream_begin(c, 200, BYTES_LITERAL("X-A: b\r\n"));
}

static void on_refuse(struct http_conn *c, unsigned status, const char *why)
{
    http_reply(c, status, BYTES_NONE, bytes_of_text(why), true);
}

static void on_closed(struct http_conn *c)
{
    assert_ptr_equal(c, t.conn);
    t.closed++;
    t.conn = NULL;
}

static void on_drained(struct http_conn *c)
{
    assert_ptr_equal(c, t.conn);
    t.drained++;
}

static const struct http_events events = {on_head, on_request, on_refuse, on_closed, on_drained};

static void turn(void)
{
    assert_int_equal(loop_advance(t.loop, 0), 0);
}

static void open_peer(void)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    assert_int_equal(http_serve(t.server, fds[0], &t.share, 1, &t.conn), 0);
    t.peer = fds[1];
}

static void say(const char *text)
{
    assert_int_equal(write(t.peer, text, strlen(text)), (ssize_t)strlen(text));
    turn();
}

/* What the peer can read now; "" for nothing, NULL at the end. */
static const char *hear(void)
{
    static char text[1 << 20];
    ssize_t n = read(t.peer, text, sizeof text - 1);
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return NULL;
    text[n < 0 ? 0 : n] = '\0';
    return text;
}

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    t.limits = (struct http_limits){.head_us = 10 * US_PER_S,
                                    .body_us = 20 * US_PER_S,
                                    .idle_us = 60 * US_PER_S,
                                    .write_us = 5 * US_PER_S,
                                    .share_bytes = 8 << 20,
                                    .reply_bytes = 2 << 20};
    assert_int_equal(loop_new_scripted(&t.loop), 0);
    assert_int_equal(http_server_new(t.loop, &events, &t.limits, &t.server), 0);
    open_peer();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close(t.peer);
    http_server_free(t.server);
    loop_free(t.loop);
    assert_int_equal(t.share.bytes, 0);
    return 0;
}

static void chunks_arrive_as_they_are_put(void **state)
{
    (void)state;
    say(get);
    assert_string_equal(hear(), head);
    assert_int_equal(t.drained, 1);
    http_stream_put(t.conn, BYTES_LITERAL("one\n"));
    http_stream_put(t.conn, BYTES_LITERAL("0123456789abcdef"));
    assert_string_equal(hear(), "");
    turn();
    assert_string_equal(hear(), "4\r\none\n\r\n10\r\n0123456789abcdef\r\n");
    assert_int_equal(t.drained, 2);
    http_stream_end(t.conn);
    turn();
    assert_string_equal(hear(), "0\r\n\r\n");
    assert_null(hear());
    assert_int_equal(t.closed, 1);
    assert_int_equal(t.drained, 2);
}

static void a_quiet_stream_has_no_deadline(void **state)
{
    (void)state;
    say(get);
    assert_int_equal(loop_advance(t.loop, 1000 * US_PER_S), 0);
    assert_int_equal(t.closed, 0);
    http_stream_put(t.conn, BYTES_LITERAL("x"));
    turn();
    assert_non_null(strstr(hear(), "\r\n\r\n1\r\nx\r\n"));
}

static void what_the_client_sends_is_not_served(void **state)
{
    (void)state;
    say(get);
    say(get);
    say("rubbish");
    assert_int_equal(loop_advance(t.loop, 100 * US_PER_S), 0);
    assert_int_equal(t.requests, 1);
    assert_int_equal(t.closed, 0);
    http_stream_put(t.conn, BYTES_LITERAL("x"));
    http_stream_end(t.conn);
    turn();
    assert_non_null(strstr(hear(), "1\r\nx\r\n0\r\n\r\n"));
    assert_int_equal(t.requests, 1);
    assert_int_equal(t.closed, 1);
}

static void a_client_that_only_stops_sending_is_told_more(void **state)
{
    (void)state;
    say(get);
    assert_int_equal(shutdown(t.peer, SHUT_WR), 0);
    turn();
    assert_int_equal(t.closed, 0);
    http_stream_put(t.conn, BYTES_LITERAL("x"));
    turn();
    assert_non_null(strstr(hear(), "1\r\nx\r\n"));
}

static void a_client_that_leaves_ends_the_stream(void **state)
{
    (void)state;
    say(get);
    close(t.peer);
    turn();
    assert_int_equal(t.closed, 1);
    assert_int_equal(http_server_count(t.server), 0);
    t.peer = -1;
}

/* Puts until the socket takes no more; returns how much was put. */
static size_t fill(void)
{
    static uint8_t block[16384];
    size_t total = 0, before;
    do {
        before = t.drained;
        http_stream_put(t.conn, BYTES_OF(block));
        total += sizeof block;
        turn();
    } while (t.drained > before);
    return total;
}

static void says_when_all_was_taken(void **state)
{
    (void)state;
    say(get);
    size_t total = fill(), before = t.drained, heard = 0;
    assert_true(total > 16384);
    assert_true(t.share.bytes >= 1);
    for (int i = 0; i < 1000 && t.drained == before; i++) {
        static uint8_t text[1 << 16];
        ssize_t n = read(t.peer, text, sizeof text);
        heard += n > 0 ? (size_t)n : 0;
        turn();
    }
    assert_int_equal(t.drained, before + 1);
    assert_true(heard > 0 && t.closed == 0);
    turn();
    assert_true(t.share.bytes < 16384);
}

static void who_takes_nothing_is_dropped(void **state)
{
    (void)state;
    say(get);
    (void)fill();
    assert_int_equal(loop_advance(t.loop, 4 * US_PER_S), 0);
    assert_int_equal(t.closed, 0);
    assert_int_equal(loop_advance(t.loop, 2 * US_PER_S), 0);
    assert_int_equal(t.closed, 1);
}

static void who_takes_a_little_stays(void **state)
{
    (void)state;
    say(get);
    (void)fill();
    for (int i = 0; i < 20; i++) {
        static uint8_t text[1 << 16];
        assert_true(read(t.peer, text, sizeof text) > 0);
        assert_int_equal(loop_advance(t.loop, 1 * US_PER_S), 0);
        if (t.conn == NULL)
            break;
        (void)fill();
    }
    assert_int_equal(t.closed, 0);
}

static void what_finds_no_room_ends_the_connection(void **state)
{
    static uint8_t block[512 << 10];
    (void)state;
    say(get);
    for (int i = 0; i < 8 && t.conn != NULL; i++)
        http_stream_put(t.conn, BYTES_OF(block)); /* more than reply_bytes, in one turn */
    assert_int_equal(t.closed, 1);
}

static void a_share_that_is_used_up_ends_the_connection(void **state)
{
    static uint8_t block[8192];
    (void)state;
    say(get);
    t.share.bytes += 8 << 20; /* other connections of the user */
    http_stream_put(t.conn, BYTES_LITERAL("a small line is told all the same"));
    assert_int_equal(t.closed, 0);
    http_stream_put(t.conn, BYTES_OF(block));
    assert_int_equal(t.closed, 1);
    t.share.bytes -= 8 << 20;
}

static void draining_leaves_a_stream_to_who_ends_it(void **state)
{
    (void)state;
    say(get);
    http_server_drain(t.server);
    assert_int_equal(loop_advance(t.loop, 2 * US_PER_S), 0);
    assert_int_equal(t.closed, 0);
    http_stream_put(t.conn, BYTES_LITERAL("bye"));
    http_stream_end(t.conn);
    turn();
    assert_non_null(strstr(hear(), "3\r\nbye\r\n0\r\n\r\n"));
    assert_int_equal(t.closed, 1);
}

static void survives_running_out_of_memory(void **state)
{
    (void)state;
    close(t.peer);
    turn();
    EACH_ALLOC_FAILURE({
        int fds[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        if (http_serve(t.server, fds[0], &t.share, 1, &t.conn) == 0) {
            ssize_t n = write(fds[1], get, sizeof get - 1);
            assert_int_equal(n, sizeof get - 1);
            int r = loop_advance(t.loop, 0);
            assert_true(r == 0 || r == -ENOMEM);
            if (t.conn != NULL && t.requests > 0)
                http_stream_put(t.conn, BYTES_LITERAL("x"));
            if (t.conn != NULL && t.requests > 0)
                http_stream_end(t.conn);
        }
        close(fds[1]);
        int r = loop_advance(t.loop, 0);
        assert_true(r == 0 || r == -ENOMEM);
        t.requests = 0;
    });
    t.peer = -1;
    assert_int_equal(http_server_count(t.server), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(chunks_arrive_as_they_are_put, setup, teardown),
        cmocka_unit_test_setup_teardown(a_quiet_stream_has_no_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_client_sends_is_not_served, setup, teardown),
        cmocka_unit_test_setup_teardown(a_client_that_only_stops_sending_is_told_more, setup, teardown),
        cmocka_unit_test_setup_teardown(a_client_that_leaves_ends_the_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(says_when_all_was_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(who_takes_nothing_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(who_takes_a_little_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(what_finds_no_room_ends_the_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(a_share_that_is_used_up_ends_the_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(draining_leaves_a_stream_to_who_ends_it, setup, teardown),
        cmocka_unit_test_setup_teardown(survives_running_out_of_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
