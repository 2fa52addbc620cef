/* Tests of ready: the notify socket by path and abstract name, socket activation, the watchdog, malformed values. */
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
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/macro.h"
#include "os/ready.h"

enum { FIRST_FD = 3, FDS_COUNT = 18 };

static const char *const variables[] = {"NOTIFY_SOCKET",  "LISTEN_PID",    "LISTEN_FDS",
                                        "LISTEN_FDNAMES", "WATCHDOG_USEC", "WATCHDOG_PID"};
static char root[64], path[96];
static int saved_fds[FDS_COUNT];

static void set(const char *name, const char *value)
{
    assert_int_equal(setenv(name, value, 1), 0);
}

static void set_number(const char *name, long long value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", value);
    set(name, text);
}

/* Opens as ready_open() does, and checks that no variable is left whatever came of it. */
static int open_and_check(void)
{
    int r = ready_open();
    for (size_t i = 0; i < COUNT_OF(variables); i++)
        assert_null(getenv(variables[i]));
    return r;
}

/* Descriptors from 3 on become sockets; what stood there is put back by put_back_fds(). */
static void place_sockets(void)
{
    for (int i = 0; i < FDS_COUNT; i++) {
        saved_fds[i] = fcntl(FIRST_FD + i, F_DUPFD_CLOEXEC, 50);
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        assert_true(fd >= 0);
        if (fd != FIRST_FD + i) {
            assert_int_equal(dup2(fd, FIRST_FD + i), FIRST_FD + i);
            close(fd);
        }
    }
}

static void put_back_fds(void)
{
    for (int i = 0; i < FDS_COUNT; i++) {
        close(FIRST_FD + i);
        if (saved_fds[i] >= 0)
            assert_int_equal(dup3(saved_fds[i], FIRST_FD + i, O_CLOEXEC), FIRST_FD + i);
        close(saved_fds[i]);
    }
}

static int make_root(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(variables); i++)
        unsetenv(variables[i]);
    snprintf(root, sizeof root, "/tmp/secreg-ready-XXXXXX");
    if (mkdtemp(root) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/notify", root);
    return 0;
}

static int remove_root(void **state)
{
    (void)state;
    ready_close();
    (void)unlink(path);
    return rmdir(root);
}

/* A manager that listens at a path, or at an abstract name if it begins with '@'. */
static int bind_manager(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t n = strlen(name);
    memcpy(address.sun_path, name, n);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, length), 0);
    return fd;
}

static void assert_heard(int manager, const char *text)
{
    char heard[128] = "";
    ssize_t n = recv(manager, heard, sizeof heard - 1, 0);
    assert_int_equal(n, strlen(text));
    assert_string_equal(heard, text);
}

static void test_nothing_set(void **state)
{
    (void)state;
    assert_int_equal(open_and_check(), 0);
    assert_int_equal(ready_notify("READY=1"), 0);
    assert_int_equal(ready_reloading(), 0);
    assert_int_equal(ready_listen_fd("http"), -1);
    assert_int_equal(ready_watchdog_us(), 0);
}

static void test_notify_by_path(void **state)
{
    int manager = bind_manager(path);
    (void)state;
    set("NOTIFY_SOCKET", path);
    assert_int_equal(open_and_check(), 0);
    assert_int_equal(ready_notify("READY=1\nSTATUS=serving"), 0);
    assert_heard(manager, "READY=1\nSTATUS=serving");
    assert_int_equal(unlink(path), 0); /* the path is not looked up again */
    assert_int_equal(ready_notify("WATCHDOG=1"), 0);
    assert_heard(manager, "WATCHDOG=1");
    close(manager);
    assert_int_equal(ready_notify("WATCHDOG=1"), -ECONNREFUSED);
    ready_close();
    assert_int_equal(ready_notify("WATCHDOG=1"), 0);
}

static void test_notify_by_abstract_name(void **state)
{
    char name[96];
    (void)state;
    snprintf(name, sizeof name, "@secreg-ready-%d", (int)getpid());
    int manager = bind_manager(name);
    set("NOTIFY_SOCKET", name);
    assert_int_equal(open_and_check(), 0);
    assert_int_equal(ready_notify("STOPPING=1"), 0);
    assert_heard(manager, "STOPPING=1");
    close(manager);
}

static void test_reloading(void **state)
{
    int manager = bind_manager(path);
    char heard[128] = "";
    long long us = 0;
    struct timespec before, after;
    (void)state;
    set("NOTIFY_SOCKET", path);
    assert_int_equal(open_and_check(), 0);
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &before), 0);
    assert_int_equal(ready_reloading(), 0);
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &after), 0);
    assert_true(recv(manager, heard, sizeof heard - 1, 0) > 0);
    assert_int_equal(sscanf(heard, "RELOADING=1\nMONOTONIC_USEC=%lld", &us), 1);
    assert_true(us >= (long long)before.tv_sec * 1000000 + before.tv_nsec / 1000);
    assert_true(us <= (long long)after.tv_sec * 1000000 + after.tv_nsec / 1000);
    close(manager);
}

static void test_bad_notify_socket(void **state)
{
    char name[120];
    (void)state;
    static const char *const bad[] = {"", "/", "@", "relative/path", "vsock:2:1234"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        set("NOTIFY_SOCKET", bad[i]);
        assert_int_equal(open_and_check(), FAULT_CONFIG);
    }
    memset(name, 'x', sizeof name);
    name[0] = '/';
    name[108] = '\0';
    set("NOTIFY_SOCKET", name);
    assert_int_equal(open_and_check(), FAULT_CONFIG);
    name[107] = '\0';
    set("NOTIFY_SOCKET", name);
    assert_int_equal(open_and_check(), READY_UNREACHABLE);
    name[0] = '@';
    name[107] = 'x';
    set("NOTIFY_SOCKET", name);
    assert_int_equal(open_and_check(), READY_UNREACHABLE);
    set("NOTIFY_SOCKET", path);
    assert_int_equal(open_and_check(), READY_UNREACHABLE);
    assert_int_equal(ready_notify("READY=1"), 0);
}

static void test_ready_fd(void **state)
{
    int fds[2];
    char c[4];
    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    ready_set_fd(fds[1]);
    assert_int_equal(ready_notify("STATUS=READY=1\nNOTREADY=1\nREADY=12"), 0);
    assert_int_equal(fcntl(fds[1], F_GETFD), FD_CLOEXEC); /* not yet */
    assert_int_equal(ready_notify("STATUS=serving\nREADY=1"), 0);
    assert_int_equal(read(fds[0], c, sizeof c), 1);
    assert_int_equal(c[0], '\n');
    assert_int_equal(read(fds[0], c, sizeof c), 0); /* closed */
    close(fds[0]);
    assert_int_equal(ready_notify("READY=1"), 0);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    ready_set_fd(fds[0]); /* the wrong end */
    assert_int_equal(ready_notify("READY=1\n"), -EBADF);
    ready_set_fd(fds[1]);
    ready_close();
    assert_int_equal(fcntl(fds[1], F_GETFD), -1);
}

static void test_listen_by_name(void **state)
{
    (void)state;
    place_sockets();
    set_number("LISTEN_PID", getpid());
    set("LISTEN_FDS", "3");
    set("LISTEN_FDNAMES", "http:unknown:custodia");
    assert_int_equal(open_and_check(), 0);
    for (int fd = FIRST_FD; fd < FIRST_FD + 3; fd++)
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(FIRST_FD + 3, F_GETFD), 0); /* not one of ours */
    assert_int_equal(ready_listen_fd("custodia"), 5);
    assert_int_equal(ready_listen_fd("http"), 3);
    assert_int_equal(ready_listen_fd("http"), 4); /* taken already: the only unnamed one serves */
    assert_int_equal(ready_listen_fd("http"), -1);
    put_back_fds();
}

static void test_listen_without_names(void **state)
{
    (void)state;
    place_sockets();
    set_number("LISTEN_PID", getpid());
    set("LISTEN_FDS", "1");
    assert_int_equal(open_and_check(), 0);
    assert_int_equal(ready_listen_fd("http"), 3);
    assert_int_equal(ready_listen_fd("http"), -1);
    set_number("LISTEN_PID", getpid());
    set("LISTEN_FDS", "2");
    assert_int_equal(open_and_check(), 0);
    assert_int_equal(ready_listen_fd("http"), -1); /* two without a name: no way to tell */
    put_back_fds();
}

static void test_listen_for_another_process(void **state)
{
    (void)state;
    place_sockets();
    set_number("LISTEN_PID", (long long)getpid() + 1);
    set("LISTEN_FDS", "1");
    assert_int_equal(open_and_check(), 0);
    assert_int_equal(ready_listen_fd("http"), -1);
    assert_int_equal(fcntl(FIRST_FD, F_GETFD), 0); /* not touched */
    set("LISTEN_FDS", "1");                        /* without LISTEN_PID */
    assert_int_equal(open_and_check(), 0);
    assert_int_equal(ready_listen_fd("http"), -1);
    put_back_fds();
}

static void expect_bad_listen(const char *count, const char *names)
{
    set_number("LISTEN_PID", getpid());
    set("LISTEN_FDS", count);
    if (names != NULL)
        set("LISTEN_FDNAMES", names);
    assert_int_equal(open_and_check(), FAULT_CONFIG);
}

static void test_bad_listen(void **state)
{
    char name[300];
    (void)state;
    place_sockets();
    expect_bad_listen("-1", NULL);
    expect_bad_listen("", NULL);
    expect_bad_listen("1x", NULL);
    expect_bad_listen("17", NULL); /* more than we ever ask for */
    expect_bad_listen("2", "only-one");
    expect_bad_listen("1", "one:two");
    expect_bad_listen("2", "a:b:c");
    memset(name, 'n', sizeof name);
    name[256] = '\0';
    expect_bad_listen("1", name);
    name[255] = '\0';
    set_number("LISTEN_PID", getpid());
    set("LISTEN_FDS", "1");
    set("LISTEN_FDNAMES", name);
    assert_int_equal(open_and_check(), 0);
    assert_int_equal(ready_listen_fd(name), 3);
    set("LISTEN_PID", "self");
    set("LISTEN_FDS", "1");
    assert_int_equal(open_and_check(), FAULT_CONFIG);
    close(FIRST_FD);
    set_number("LISTEN_PID", getpid());
    set("LISTEN_FDS", "1");
    assert_int_equal(open_and_check(), -EBADF);
    put_back_fds();
}

static void test_watchdog(void **state)
{
    (void)state;
    set("WATCHDOG_USEC", "30000000");
    assert_int_equal(open_and_check(), 0);
    assert_int_equal(ready_watchdog_us(), 30000000);
    set("WATCHDOG_USEC", "30000000");
    set_number("WATCHDOG_PID", getpid());
    assert_int_equal(open_and_check(), 0);
    assert_int_equal(ready_watchdog_us(), 30000000);
    set("WATCHDOG_USEC", "30000000");
    set_number("WATCHDOG_PID", (long long)getpid() + 1);
    assert_int_equal(open_and_check(), 0);
    assert_int_equal(ready_watchdog_us(), 0); /* meant for another process */
    static const char *const bad[] = {"0", "", "-5", "18446744073709551615", "1s"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        set("WATCHDOG_USEC", bad[i]);
        assert_int_equal(open_and_check(), FAULT_CONFIG);
        assert_int_equal(ready_watchdog_us(), 0);
    }
    set("WATCHDOG_PID", "x");
    assert_int_equal(open_and_check(), FAULT_CONFIG);
}

static void test_out_of_descriptors(void **state)
{
    struct rlimit saved, low;
    (void)state;
    int manager = bind_manager(path);
    set("NOTIFY_SOCKET", path);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &saved), 0);
    low = saved;
    low.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    int r = ready_open();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &saved), 0);
    assert_int_equal(r, -EMFILE);
    close(manager);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_set, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_notify_by_path, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_notify_by_abstract_name, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_reloading, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_bad_notify_socket, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_ready_fd, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_listen_by_name, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_listen_without_names, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_listen_for_another_process, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_bad_listen, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_watchdog, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_out_of_descriptors, make_root, remove_root),
    };
    return cmocka_run_group_tests_name("os/ready", tests, NULL, NULL);
}
