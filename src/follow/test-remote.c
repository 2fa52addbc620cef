/* Tests of remote: what is asked, and every answer in any pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "fail-alloc.h"
#include "follow/remote.h"

static void test_request(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 4096);
    assert_int_equal(remote_request(&b, "w.example:8443", "/log", BYTES_LITERAL("old 0\n\nnote\n")), 0);
    static const char want[] =
        "POST /log/add-checkpoint HTTP/1.1\r\nHost: w.example:8443\r\nUser-Agent: secreg-follow\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 12\r\nConnection: close\r\n\r\n"
        "old 0\n\nnote\n";
    assert_true(bytes_equal(buf_view(&b), bytes_of_text(want)));
    buf_fini(&b);
}

/* The same for every cut of it: more is wanted until it is whole. */
static void check(const char *text, int want, unsigned status, uint64_t size, const char *body)
{
    struct remote_reply reply = {0};
    struct bytes all = bytes_of_text(text);
    buf_init(&reply.body, REMOTE_BODY_MAX_BYTES);
    for (size_t n = 0; n < all.n && want != REMOTE_BAD; n++)
        assert_int_equal(remote_read(bytes_head(all, n), &reply), REMOTE_MORE);
    assert_int_equal(remote_read(all, &reply), want);
    if (want != REMOTE_BAD)
        assert_int_equal(reply.status, status);
    if (want == REMOTE_OTHER)
        assert_int_equal(reply.size, size);
    if (want == REMOTE_SIGNED)
        assert_true(bytes_equal(buf_view(&reply.body), bytes_of_text(body)));
    buf_fini(&reply.body);
}

static void test_answers(void **state)
{
    (void)state;
    check("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nline", REMOTE_SIGNED, 200, 0, "line");
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nlin\r\n1\r\ne\r\n0\r\n\r\n", REMOTE_SIGNED, 200, 0,
          "line");
    check("HTTP/1.1 409 Conflict\r\nContent-Type: text/x.tlog.size\r\nContent-Length: 5\r\n\r\n4711\n", REMOTE_OTHER,
          409, 4711, NULL);
    check("HTTP/1.1 409 Conflict\r\nContent-Type: text/x.tlog.size\r\nContent-Length: 1\r\n\r\n0", REMOTE_OTHER, 409, 0,
          NULL);
    check("HTTP/1.1 422 Unprocessable\r\nContent-Length: 2\r\n\r\nno", REMOTE_REFUSED, 422, 0, NULL);
    check("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", REMOTE_REFUSED, 503, 0, NULL);
}

static void test_bad_answers(void **state)
{
    (void)state;
    check("HTTP/1.1 409 Conflict\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n4711\n", REMOTE_BAD, 0, 0,
          NULL);
    check("HTTP/1.1 409 Conflict\r\nContent-Type: text/x.tlog.size\r\nContent-Length: 5\r\n\r\n47x1\n", REMOTE_BAD, 0,
          0, NULL);
    check("HTTP/1.1 409 Conflict\r\nContent-Type: text/x.tlog.size\r\nContent-Length: 4\r\n\r\n1\n2\n", REMOTE_BAD, 0,
          0, NULL);
    check("HTTP/1.1 204 None\r\n\r\n", REMOTE_BAD, 0, 0, NULL);
    check("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", REMOTE_BAD, 0, 0, NULL);
    check("SSH-2.0-OpenSSH\r\n\r\n", REMOTE_BAD, 0, 0, NULL);
    static char chunk[2 * REMOTE_BODY_MAX_BYTES];
    memcpy(chunk, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5000\r\n", 53);
    memset(chunk + 53, 'a', sizeof chunk - 54);
    check(chunk, REMOTE_BAD, 0, 0, NULL);
    static char head[REMOTE_REPLY_MAX_BYTES + 100]; /* one that never ends */
    memset(head, 'a', sizeof head - 1);
    memcpy(head, "HTTP/1.1 200 OK\r\nX: ", 20);
    check(head, REMOTE_BAD, 0, 0, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_request), cmocka_unit_test(test_answers),
                                       cmocka_unit_test(test_bad_answers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
