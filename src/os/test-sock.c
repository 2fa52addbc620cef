/* Tests of sock: modes, stale sockets, what is in the way, absent listeners, accepting to exhaustion. */
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

#include "os/sock.h"

static char root[64], path[96];

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/secreg-sock-XXXXXX");
    if (mkdtemp(root) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/socket", root);
    return 0;
}

static int remove_root(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(root);
}

static mode_t mode_of_path(void)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    return st.st_mode & 07777;
}

static void test_listen_and_connect(void **state)
{
    int listener = -1, client = -1, server = -7;
    char c = 0;
    (void)state;
    mode_t saved = umask(0077);
    assert_int_equal(sock_listen(path, 0666, 8, &listener), 0);
    assert_int_equal(umask(saved), 0077); /* put back */
    assert_int_equal(mode_of_path(), 0666);
    assert_true(fcntl(listener, F_GETFL) & O_NONBLOCK);
    assert_int_equal(fcntl(listener, F_GETFD), FD_CLOEXEC);
    assert_int_equal(sock_accept(listener, &server), SOCK_WOULD_BLOCK);
    assert_int_equal(server, -7);
    assert_int_equal(sock_connect(path, &client), 0);
    assert_false(fcntl(client, F_GETFL) & O_NONBLOCK);
    assert_int_equal(fcntl(client, F_GETFD), FD_CLOEXEC);
    assert_int_equal(sock_accept(listener, &server), 0);
    assert_true(fcntl(server, F_GETFL) & O_NONBLOCK);
    assert_int_equal(fcntl(server, F_GETFD), FD_CLOEXEC);
    assert_int_equal(write(client, "x", 1), 1);
    assert_int_equal(read(server, &c, 1), 1);
    assert_int_equal(c, 'x');
    close(client);
    close(server);
    close(listener);
}

static void test_stale_socket_is_replaced(void **state)
{
    int first = -1, second = -1, client = -1;
    (void)state;
    assert_int_equal(sock_listen(path, 0600, 8, &first), 0);
    assert_int_equal(mode_of_path(), 0600);
    close(first);
    assert_int_equal(sock_connect(path, &client), SOCK_ABSENT); /* nobody listens */
    assert_int_equal(sock_listen(path, 0660, 8, &second), 0);
    assert_int_equal(mode_of_path(), 0660);
    assert_int_equal(sock_connect(path, &client), 0);
    close(client);
    close(second);
}

static void test_what_is_no_socket_stays(void **state)
{
    int fd = -7;
    struct stat st;
    (void)state;
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(sock_listen(path, 0600, 8, &fd), -EEXIST);
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(close(creat(path, 0600)), 0);
    assert_int_equal(sock_listen(path, 0600, 8, &fd), -EEXIST);
    assert_int_equal(sock_connect(path, &fd), SOCK_ABSENT);
    assert_int_equal(fd, -7);
}

static void test_bad_paths(void **state)
{
    char longest[109];
    int fd = -7;
    (void)state;
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(sock_listen(longest, 0600, 8, &fd), FAULT_LIMIT);
    assert_int_equal(sock_connect(longest, &fd), FAULT_LIMIT);
    longest[107] = '\0';
    assert_int_equal(sock_connect(longest, &fd), SOCK_ABSENT); /* 107 bytes fit */
    assert_int_equal(sock_listen("/tmp/secreg-no-such-folder/s", 0600, 8, &fd), -ENOENT);
    assert_int_equal(sock_connect(path, &fd), SOCK_ABSENT);
    assert_int_equal(close(creat(path, 0600)), 0);
    snprintf(longest, sizeof longest, "%s/below", path);
    assert_int_equal(sock_connect(longest, &fd), -ENOTDIR);
    assert_int_equal(sock_accept(STDERR_FILENO + 1000, &fd), -EBADF);
    assert_int_equal(fd, -7);
}

static void test_out_of_descriptors(void **state)
{
    struct rlimit saved, low;
    int listener = -1, client = -1, fd = -7;
    (void)state;
    assert_int_equal(sock_listen(path, 0600, 8, &listener), 0);
    assert_int_equal(sock_connect(path, &client), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &saved), 0);
    low = saved;
    low.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    int accepted = sock_accept(listener, &fd);
    int connected = sock_connect(path, &fd);
    int listening = sock_listen(path, 0600, 8, &fd);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &saved), 0);
    assert_int_equal(accepted, SOCK_EXHAUSTED);
    assert_int_equal(connected, -EMFILE);
    assert_int_equal(listening, -EMFILE);
    assert_int_equal(fd, -7);
    assert_int_equal(sock_accept(listener, &fd), 0); /* the connection waited */
    close(fd);
    close(client);
    close(listener);
}

static void test_adopted_sockets(void **state)
{
    int listener = -1, fds[2], flags;
    (void)state;
    assert_int_equal(sock_listen(path, 0666, 8, &listener), 0);
    flags = fcntl(listener, F_GETFL);
    assert_int_equal(fcntl(listener, F_SETFL, flags & ~O_NONBLOCK), 0); /* as a service manager passes it */
    assert_int_equal(fcntl(listener, F_SETFD, 0), 0);
    assert_int_equal(sock_adopt(listener), 0);
    assert_true(fcntl(listener, F_GETFL) & O_NONBLOCK);
    assert_int_equal(fcntl(listener, F_GETFD), FD_CLOEXEC);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(sock_adopt(fds[0]), -EINVAL); /* does not listen */
    assert_int_equal(sock_adopt(STDERR_FILENO), -EINVAL);
    assert_int_equal(sock_adopt(-1), -EINVAL);
    close(fds[0]);
    close(fds[1]);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_listen_and_connect, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_stale_socket_is_replaced, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_what_is_no_socket_stays, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_adopted_sockets, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_bad_paths, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_out_of_descriptors, make_root, remove_root),
    };
    return cmocka_run_group_tests_name("os/sock", tests, NULL, NULL);
}
