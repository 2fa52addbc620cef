/* Tests of chan: the byte stream, the place of descriptors in it, limits, full sockets, broken and hostile peers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail-alloc.h"
#include "os/chan.h"

enum { MAX_BYTES = 1 << 20 };

static struct chan left, right;

static void open_both(size_t max_bytes)
{
    int fds[2];
    assert_int_equal(chan_pair(fds), 0);
    assert_int_equal(chan_init(&left, fds[0], max_bytes), 0);
    assert_int_equal(chan_init(&right, fds[1], max_bytes), 0);
    assert_true(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
}

static void close_both(void)
{
    chan_fini(&left);
    chan_fini(&right);
    assert_int_equal(left.fd, -1);
    chan_fini(&left); /* a second time does nothing */
}

static void assert_in(const char *text)
{
    assert_true(bytes_equal(buf_view(&right.in), bytes_of_text(text)));
}

/* A descriptor that can be told apart: an empty unlinked file whose offset is `tag`. */
static int tagged_fd(int tag)
{
    FILE *f = tmpfile();
    assert_non_null(f);
    int fd = fcntl(fileno(f), F_DUPFD_CLOEXEC, 0);
    fclose(f);
    assert_true(fd >= 0);
    assert_int_equal(lseek(fd, tag, SEEK_SET), tag);
    return fd;
}

static void assert_tag(int fd, int tag)
{
    assert_true(fd >= 0);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), tag);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
}

static void put_tagged(int tag)
{
    assert_int_equal(chan_put_fd(&left, tagged_fd(tag)), 0);
}

static void put_text(const char *text)
{
    assert_int_equal(buf_append_text(&left.out, text), 0);
}

static void test_bytes(void **state)
{
    (void)state;
    open_both(MAX_BYTES);
    assert_int_equal(chan_flush(&left), 0); /* nothing waits */
    assert_int_equal(chan_fill(&right), 0); /* nothing came */
    put_text("hello");
    assert_int_equal(chan_flush(&left), 0);
    assert_int_equal(buf_size(&left.out), 0);
    assert_int_equal(chan_fill(&right), 0);
    assert_in("hello");
    put_text(" world");
    assert_int_equal(chan_flush(&left), 0);
    assert_int_equal(chan_fill(&right), 0);
    assert_in("hello world");
    assert_int_equal(chan_take_fd(&right), -1);
    close_both();
}

static void test_descriptors_travel_with_their_byte(void **state)
{
    (void)state;
    open_both(MAX_BYTES);
    put_text("ab");
    put_tagged(1);
    put_text("cd");
    put_tagged(2);
    put_tagged(3);
    put_text("ef");
    assert_int_equal(chan_flush(&left), 0);
    assert_int_equal(left.out_fds_count, 0);
    /* the kernel ends a read behind a piece that carries descriptors */
    assert_int_equal(chan_fill(&right), 0);
    assert_in("abcd");
    assert_int_equal(right.in_fds_count, 1);
    assert_int_equal(chan_fill(&right), 0);
    assert_in("abcdef");
    assert_int_equal(right.in_fds_count, 3);
    for (int tag = 1; tag <= 3; tag++)
        assert_tag(chan_take_fd(&right), tag);
    assert_int_equal(chan_take_fd(&right), -1);
    close_both();
}

static void test_descriptor_waits_for_its_byte(void **state)
{
    (void)state;
    open_both(MAX_BYTES);
    put_text("a");
    put_tagged(4);
    assert_int_equal(chan_flush(&left), 0);
    assert_int_equal(left.out_fds_count, 1);
    assert_int_equal(left.out_fds[0].at, 0);
    assert_int_equal(chan_fill(&right), 0);
    assert_int_equal(right.in_fds_count, 0);
    put_text("b");
    assert_int_equal(chan_flush(&left), 0);
    assert_int_equal(chan_fill(&right), 0);
    assert_in("ab");
    assert_tag(chan_take_fd(&right), 4);
    close_both();
}

static void test_put_limits(void **state)
{
    int fd = tagged_fd(0);
    (void)state;
    open_both(MAX_BYTES);
    for (int i = 0; i < 253; i++)
        assert_int_equal(chan_put_fd(&left, fcntl(fd, F_DUPFD_CLOEXEC, 0)), 0);
    assert_int_equal(chan_put_fd(&left, fd), FAULT_LIMIT); /* one control message holds no more */
    put_text("a");
    for (int i = 253; i < CHAN_FDS_MAX_COUNT; i++) {
        assert_int_equal(chan_put_fd(&left, fcntl(fd, F_DUPFD_CLOEXEC, 0)), 0);
        put_text("b");
    }
    assert_int_equal(chan_put_fd(&left, fd), FAULT_LIMIT);
    assert_int_equal(chan_flush(&left), 0);
    while (right.in_fds_count < CHAN_FDS_MAX_COUNT)
        assert_int_equal(chan_fill(&right), 0);
    /* one more than the receiver's queue holds: it is closed, not leaked, and reported */
    assert_int_equal(chan_put_fd(&left, fcntl(fd, F_DUPFD_CLOEXEC, 0)), 0);
    put_text("c");
    assert_int_equal(chan_flush(&left), 0);
    assert_int_equal(chan_fill(&right), FAULT_LIMIT);
    assert_int_equal(right.in_fds_count, CHAN_FDS_MAX_COUNT);
    close_both();
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC); /* a refused descriptor stays the caller's */
    close(fd);
}

/* Reads everything that is on its way, however many reads that takes; returns how many bytes were read. */
static size_t drain_right(void)
{
    size_t before;
    do {
        before = buf_size(&right.in);
        assert_int_equal(chan_fill(&right), 0);
    } while (buf_size(&right.in) > before);
    return before;
}

static void test_full_socket(void **state)
{
    uint8_t *p;
    int rounds = 0, r;
    (void)state;
    open_both((size_t)4 * MAX_BYTES);
    int small = 4096;
    assert_int_equal(setsockopt(left.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    assert_int_equal(buf_reserve(&left.out, MAX_BYTES, &p), 0);
    for (size_t i = 0; i < MAX_BYTES; i++)
        p[i] = (uint8_t)(i * 7 + i / 251);
    buf_commit(&left.out, MAX_BYTES);
    put_tagged(5); /* behind all of it: its place must move up as bytes leave */
    put_text("z");
    while ((r = chan_flush(&left)) == CHAN_BLOCKED) {
        assert_true(buf_size(&left.out) > 0 && left.out_fds_count == 1);
        assert_int_equal(left.out_fds[0].at, buf_size(&left.out) - 1);
        (void)drain_right();
        rounds++;
    }
    assert_int_equal(r, 0);
    assert_true(rounds > 1);
    assert_int_equal(drain_right(), MAX_BYTES + 1);
    for (size_t i = 0; i < MAX_BYTES; i++)
        assert_int_equal(buf_view(&right.in).p[i], (uint8_t)(i * 7 + i / 251));
    assert_tag(chan_take_fd(&right), 5);
    close_both();
}

static void test_blocked_with_descriptors(void **state)
{
    static const uint8_t zeros[65536];
    ssize_t n;
    (void)state;
    open_both(MAX_BYTES);
    do {
        n = send(left.fd, zeros, sizeof zeros, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n > 0);
    put_tagged(6);
    put_text("a");
    assert_int_equal(chan_flush(&left), CHAN_BLOCKED);
    assert_int_equal(left.out_fds_count, 1);
    assert_int_equal(buf_size(&left.out), 1);
    close_both(); /* closes the descriptor that still waits */
}

static void test_fill_limit(void **state)
{
    (void)state;
    open_both(8);
    assert_int_equal(send(left.fd, "0123456789", 10, MSG_NOSIGNAL), 10);
    assert_int_equal(chan_fill(&right), 0);
    assert_in("01234567"); /* no more than its maximum is read */
    assert_int_equal(chan_fill(&right), FAULT_LIMIT);
    buf_consume(&right.in, 7);
    assert_int_equal(chan_fill(&right), 0);
    assert_in("789");
    close_both();
}

static void test_fill_reads_one_portion(void **state)
{
    static const uint8_t ones[2 * CHAN_READ_BYTES] = {1};
    int large = 4 * CHAN_READ_BYTES;
    (void)state;
    open_both((size_t)4 * MAX_BYTES);
    assert_int_equal(setsockopt(left.fd, SOL_SOCKET, SO_SNDBUF, &large, sizeof large), 0);
    ssize_t n = send(left.fd, ones, sizeof ones, MSG_DONTWAIT | MSG_NOSIGNAL);
    assert_true(n > 0);
    assert_int_equal(chan_fill(&right), 0);
    assert_true(buf_size(&right.in) <= CHAN_READ_BYTES);
    assert_int_equal(drain_right(), n);
    close_both();
}

static void test_peer_gone(void **state)
{
    (void)state;
    open_both(MAX_BYTES);
    put_text("last words");
    assert_int_equal(chan_flush(&left), 0);
    chan_fini(&left);
    assert_int_equal(chan_fill(&right), 0);
    assert_in("last words");
    assert_int_equal(chan_fill(&right), CHAN_CLOSED);
    assert_int_equal(buf_append_text(&right.out, "x"), 0);
    assert_int_equal(chan_flush(&right), -EPIPE);
    close_both();
    /* gone without reading what we sent */
    open_both(MAX_BYTES);
    put_text("unread");
    assert_int_equal(chan_flush(&left), 0);
    chan_fini(&right);
    assert_int_equal(chan_fill(&left), CHAN_CLOSED);
    chan_fini(&left);
}

/* A peer that sends descriptors and has us run out of room for them: nothing may leak. */
static void test_truncated_control(void **state)
{
    struct rlimit saved, low;
    int lowest, after;
    (void)state;
    open_both(MAX_BYTES);
    for (int i = 0; i < 8; i++)
        put_tagged(i);
    put_text("a");
    assert_int_equal(chan_flush(&left), 0);
    lowest = fcntl(left.fd, F_DUPFD_CLOEXEC, 0);
    close(lowest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &saved), 0);
    low = saved;
    low.rlim_cur = (rlim_t)lowest + 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    int r = chan_fill(&right);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &saved), 0);
    assert_int_equal(r, FAULT_PROTOCOL);
    assert_int_equal(right.in_fds_count, 0);
    assert_int_equal(buf_size(&right.in), 0);
    after = fcntl(left.fd, F_DUPFD_CLOEXEC, 0);
    assert_int_equal(after, lowest);
    close(after);
    close_both();
}

static void test_other_control_messages_are_skipped(void **state)
{
    int on = 1;
    (void)state;
    open_both(MAX_BYTES);
    assert_int_equal(setsockopt(right.fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
    put_tagged(7);
    put_text("a");
    assert_int_equal(chan_flush(&left), 0);
    assert_int_equal(chan_fill(&right), 0);
    assert_in("a");
    assert_int_equal(right.in_fds_count, 1);
    close_both(); /* closes the descriptor that nobody took */
}

static void test_errors_of_the_socket(void **state)
{
    int fds[2], closed;
    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(chan_init(&left, fds[1], MAX_BYTES), 0);
    assert_int_equal(chan_fill(&left), -ENOTSOCK);
    put_text("x");
    assert_int_equal(chan_flush(&left), -ENOTSOCK);
    closed = fds[0];
    close(closed);
    assert_int_equal(chan_init(&right, closed, MAX_BYTES), -EBADF);
    chan_fini(&right);
    chan_fini(&left);
}

static void test_without_memory(void **state)
{
    int r = -1;
    (void)state;
    open_both(MAX_BYTES);
    put_text("abc");
    assert_int_equal(chan_flush(&left), 0);
    EACH_ALLOC_FAILURE({
        r = chan_fill(&right);
        assert_true(r == 0 || r == -ENOMEM);
    });
    assert_int_equal(r, 0);
    assert_in("abc"); /* nothing was lost */
    close_both();
}

static void test_pair_without_descriptors(void **state)
{
    struct rlimit saved, low;
    int fds[2] = {-7, -7};
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &saved), 0);
    low = saved;
    low.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    int r = chan_pair(fds);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &saved), 0);
    assert_int_equal(r, -EMFILE);
    assert_int_equal(fds[0], -7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_descriptors_travel_with_their_byte),
        cmocka_unit_test(test_descriptor_waits_for_its_byte),
        cmocka_unit_test(test_put_limits),
        cmocka_unit_test(test_full_socket),
        cmocka_unit_test(test_blocked_with_descriptors),
        cmocka_unit_test(test_fill_limit),
        cmocka_unit_test(test_fill_reads_one_portion),
        cmocka_unit_test(test_peer_gone),
        cmocka_unit_test(test_truncated_control),
        cmocka_unit_test(test_other_control_messages_are_skipped),
        cmocka_unit_test(test_errors_of_the_socket),
        cmocka_unit_test(test_without_memory),
        cmocka_unit_test(test_pair_without_descriptors),
    };
    return cmocka_run_group_tests_name("os/chan", tests, NULL, NULL);
}
