/*
 * Tests of peer: who we are as the kernel tells a server, a peer that has gone and left its socket to another process,
 * and the unit in hostile cgroup text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macro.h"
#include "fail-alloc.h"
#include "os/peer-internal.h"
#include "os/peer.h"
#include "os/sock.h"

static char root[64], path[96];

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/secreg-peer-XXXXXX");
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

/* True where the kernel has SO_PEERPIDFD (Linux 6.5). */
static bool has_peer_pidfd(void)
{
    int fds[2], pidfd = -1;
    socklen_t n = sizeof pidfd;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    bool has = getsockopt(fds[0], SOL_SOCKET, 77, &pidfd, &n) == 0;
    if (has)
        close(pidfd);
    close(fds[0]);
    close(fds[1]);
    return has;
}

static void assert_own_groups(const struct peer *peer)
{
    gid_t own[PEER_GROUPS_MAX_COUNT];
    int count = getgroups(PEER_GROUPS_MAX_COUNT, own);
    assert_int_equal(peer->groups_count, count);
    for (int i = 0; i < count; i++) {
        bool is_there = false;
        for (size_t k = 0; k < peer->groups_count; k++)
            is_there |= peer->groups[k] == own[i];
        assert_true(is_there);
    }
}

static void assert_self(const struct peer *peer)
{
    assert_int_equal(peer->uid, geteuid());
    assert_int_equal(peer->gid, getegid());
    assert_int_equal(peer->pid, getpid());
    assert_int_equal(peer->is_anonymous, geteuid() == 65534);
    assert_int_equal(peer->was_alive, has_peer_pidfd() && !peer->is_anonymous);
    assert_int_equal(peer->has_pidfd, peer->was_alive);
    assert_true(peer->is_label_known);
    assert_true(peer->is_unit_known || peer->unit[0] == '\0');
    assert_own_groups(peer);
}

static void test_socketpair(void **state)
{
    struct peer peer;
    int fds[2];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(peer_read(fds[0], &peer), 0);
    assert_self(&peer);
    close(fds[0]);
    close(fds[1]);
}

static void test_listener(void **state)
{
    struct peer peer;
    int listener = -1, client = -1, server = -1;
    (void)state;
    assert_int_equal(sock_listen(path, 0600, 4, &listener), 0);
    assert_int_equal(sock_connect(path, &client), 0);
    assert_int_equal(sock_accept(listener, &server), 0);
    assert_int_equal(peer_read(server, &peer), 0);
    assert_self(&peer);
    close(client);
    assert_int_equal(peer_read(server, &peer), 0); /* the facts outlive the connection */
    assert_self(&peer);
    close(server);
    close(listener);
}

static void test_own_unit(void **state)
{
    struct peer peer;
    char text[4096], unit[PEER_UNIT_BYTES] = "";
    int fds[2];
    (void)state;
    int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t n = read(fd, text, sizeof text - 1);
    assert_true(n >= 0);
    text[n] = '\0';
    close(fd);
    bool in_unit = has_peer_pidfd() && geteuid() != 65534 && peer_unit_of_cgroup(text, unit);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(peer_read(fds[0], &peer), 0);
    assert_string_equal(peer.unit, in_unit ? unit : "");
    assert_int_equal(peer.is_unit_known, has_peer_pidfd() && geteuid() != 65534); /* in none, if it has none */
    close(fds[0]);
    close(fds[1]);
}

/* The client connects, hands its socket to a child that goes on using it, and is gone and collected. */
static void test_reaped_peer(void **state)
{
    struct peer peer;
    int listener = -1, server = -1, status = -1, hold[2];
    char c = 0;
    (void)state;
    assert_int_equal(sock_listen(path, 0600, 4, &listener), 0);
    assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int client = -1;
        if (sock_connect(path, &client) != 0 || fork() != 0)
            _exit(0);
        close(hold[1]);
        _exit(write(client, "x", 1) != 1 || read(hold[0], &c, 1) != 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(sock_accept(listener, &server), 0);
    assert_int_equal(fcntl(server, F_SETFL, 0), 0);
    assert_int_equal(read(server, &c, 1), 1); /* the grandchild is alive and speaks */
    assert_int_equal(peer_read(server, &peer), 0);
    assert_int_equal(peer.uid, geteuid());
    assert_int_equal(peer.pid, pid);
    assert_false(peer.was_alive);
    assert_string_equal(peer.unit, "");
    close(hold[0]);
    close(hold[1]);
    close(server);
    close(listener);
}

static void test_not_a_peer(void **state)
{
    struct peer peer = {.pid = 77};
    int fds[2];
    (void)state;
    int alone = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), inet = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(peer_read(alone, &peer), -ENOTCONN);
    if (inet >= 0)
        assert_int_equal(peer_read(inet, &peer), -ENOTCONN);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(peer_read(fds[0], &peer), -ENOTSOCK);
    assert_int_equal(peer.pid, 77); /* untouched */
    close(alone);
    close(inet);
    close(fds[0]);
    close(fds[1]);
}

/* In a child: a user namespace without a map has no name for us outside of itself. Exit status 0 as expected. */
static int be_unmapped(void)
{
    struct peer peer;
    int fds[2];
    if (unshare(CLONE_NEWUSER) < 0)
        return 0; /* not allowed here: nothing to see */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0 || peer_read(fds[0], &peer) != 0)
        return 1;
    return peer.is_anonymous && peer.uid == 65534 && !peer.was_alive && peer.unit[0] == '\0' ? 0 : 2;
}

static void test_unmapped_user_is_anonymous(void **state)
{
    int status = -1;
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(be_unmapped());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* In a child that is root: as many supplementary groups as asked for. */
static int have_groups(size_t count, int expected)
{
    static gid_t groups[PEER_GROUPS_MAX_COUNT + 1];
    static struct peer peer;
    int fds[2];
    for (size_t i = 0; i < count; i++)
        groups[i] = (gid_t)(1000 + i);
    if (setgroups(count, groups) < 0)
        return 0; /* not root */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0 || peer_read(fds[0], &peer) != expected)
        return 1;
    return expected != 0 || (peer.groups_count == count && peer.groups[count - 1] == 1000 + count - 1) ? 0 : 2;
}

static void test_many_groups(void **state)
{
    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        int status = -1;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            _exit(have_groups(PEER_GROUPS_MAX_COUNT + extra, extra > 0 ? FAULT_LIMIT : 0));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
}

static void test_without_memory(void **state)
{
    struct peer peer;
    int fds[2];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    EACH_ALLOC_FAILURE({
        assert_int_equal(peer_read(fds[0], &peer), 0); /* the unit is not found then, no more */
        assert_self(&peer);
    });
    close(fds[0]);
    close(fds[1]);
}

/* No descriptor left for the pidfd: the peer is known, its unit is not. */
static void test_without_descriptors(void **state)
{
    struct rlimit saved, low;
    struct peer peer;
    int fds[2];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &saved), 0);
    low = saved;
    low.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    int r = peer_read(fds[0], &peer);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &saved), 0);
    assert_int_equal(r, 0);
    assert_int_equal(peer.uid, geteuid());
    assert_false(peer.was_alive);
    assert_false(peer.is_unit_known);
    assert_int_equal(peer.has_pidfd, has_peer_pidfd());
    assert_string_equal(peer.unit, "");
    close(fds[0]);
    close(fds[1]);
}

static void test_is_alive(void **state)
{
    int status = -1;
    (void)state;
    int own = pidfd_open(getpid(), 0);
    assert_true(peer_is_alive(own));
    close(own);
    assert_false(peer_is_alive(own)); /* a closed descriptor proves nothing */
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(0);
    int pidfd = pidfd_open(pid, 0);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_false(peer_is_alive(pidfd)); /* ended, not yet collected */
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_false(peer_is_alive(pidfd));
    close(pidfd);
}

/* ---- the unit in a cgroup path --------------------------------------------------------------------------- */

static const struct {
    const char *text, *unit; /* NULL: in no unit */
} cases[] = {
    {"0::/system.slice/ssh.service\n", "ssh.service"},
    {"0::/system.slice/ssh.service", "ssh.service"},
    {"0::/init.scope\n", "init.scope"},
    {"0::/user.slice/user-1000.slice/session-3.scope\n", "session-3.scope"},
    {"0::/system.slice/system-getty.slice/getty@tty1.service\n", "getty@tty1.service"},
    {"0::/system.slice/docker-0123.scope/sub/below.service\n", "docker-0123.scope"},
    {"0::/machine.slice/machine-x.scope/payload/system.slice/ssh.service\n", "machine-x.scope"},
    {"0::/system.slice/dev-disk\\x2dby.service\n", "dev-disk\\x2dby.service"},
    {"0::/system.slice/_cpu.service\n", "cpu.service"},
    {"0::/system.slice/__own.service\n", "_own.service"},
    {"0::/a.slice/b.slice/c.slice/d.service\n", "d.service"},
    {"12:pids:/x.service\n1:name=systemd:/system.slice/cron.service\n0::/\n", "cron.service"},
    {"12:pids:/x\n1:name=systemd:/system.slice/cron.service\n", "cron.service"},
    {"1:name=systemd:/system.slice/a.service\n0::/system.slice/a.service\n", "a.service"},
    {"1:name=systemd:/\n0::/system.slice/a.service\n", "a.service"},
    {"\n\n0::/system.slice/a.service\n\n", "a.service"},
    /* the user's own manager */
    {"0::/user.slice/user-1000.slice/user@1000.service/app.slice/ssh.service\n", NULL},
    {"0::/user.slice/user-1000.slice/user@1000.service/init.scope\n", NULL},
    {"0::/user.slice/user-1000.slice/user@1000.service\n", NULL},
    {"0::/system.slice/user@0.service/ssh.service\n", NULL},
    {"0::/user.slice/_user@1000.service/ssh.service\n", NULL},
    /* in no unit */
    {"", NULL},
    {"\n", NULL},
    {"0::\n", NULL},
    {"0::/\n", NULL},
    {"0::/system.slice\n", NULL},
    {"0::/system.slice/\n", NULL},
    {"0::/mygroup\n", NULL},
    {"0::/mygroup/ssh.service\n", NULL},
    {"0::/system.slice/proc.mount\n", NULL},
    {"0::/system.slice/ssh.socket\n", NULL},
    {"0::/system.slice/.service\n", NULL},
    {"0::/system.slice/.scope\n", NULL},
    {"0::/.slice/ssh.service\n", NULL},
    {"0::/system.slice/@x.service\n", NULL},
    {"0::/system.slice/.x.service\n", NULL},
    {"0::/system.slice/_.x.service\n", NULL},
    {"0::/system.slice/_\n", NULL},
    {"0::/system.slice/ssh.service (deleted)\n", NULL},
    {"0::/system.slice/ssh.service2\n", NULL},
    {"0::/system.slice/SSH.SERVICE\n", NULL},
    /* paths that are none, and ways around */
    {"0::system.slice/ssh.service\n", NULL},
    {"0:: /system.slice/ssh.service\n", NULL},
    {"0::/../system.slice/ssh.service\n", NULL},
    {"0::/../../ssh.service\n", NULL},
    {"0::/./ssh.service\n", NULL},
    {"0::/..slice/ssh.service\n", NULL},
    {"0:://ssh.service\n", NULL},
    {"0::/system.slice//ssh.service\n", NULL},
    {"0::/system.slice/ssh.service\r\n", NULL},
    {"0::/system.slice/ssh\x01.service\n", NULL},
    {"0::/system.slice/s\xc3\xa4h.service\n", NULL},
    {"0::/system.slice/ssh service.service\n", NULL},
    {"0::/sys tem.slice/ssh.service\n", NULL},
    {"0::/system.slice/\"ssh\".service\n", NULL},
    /* the wrong lines, and lines that contradict each other */
    {"00::/system.slice/ssh.service\n", NULL},
    {" 0::/system.slice/ssh.service\n", NULL},
    {"10::/system.slice/ssh.service\n", NULL},
    {"0:cpu:/system.slice/ssh.service\n", NULL},
    {"2:name=systemd:/system.slice/ssh.service\n", NULL},
    {"1:name=evil:/system.slice/ssh.service\n", NULL},
    {"x0::/system.slice/ssh.service\n", NULL},
    {"5:cpu:/0::/system.slice/ssh.service\n", NULL},
    {"0::/system.slice/a.service\n0::/system.slice/b.service\n", NULL},
    {"1:name=systemd:/system.slice/a.service\n0::/system.slice/b.service\n", NULL},
    {"1:name=systemd:/user.slice/x\n0::/system.slice/b.service\n", NULL},
};

static void test_unit_of_cgroup(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char unit[PEER_UNIT_BYTES] = "before";
        bool found = peer_unit_of_cgroup(cases[i].text, unit);
        if (found != (cases[i].unit != NULL) || strcmp(unit, found ? cases[i].unit : "before") != 0)
            fail_msg("case %zu: %s", i, cases[i].text);
    }
}

static void test_unit_length(void **state)
{
    char text[1024], unit[PEER_UNIT_BYTES] = "before", name[300];
    (void)state;
    for (size_t n = 200; n < sizeof name; n++) {
        memset(name, 'a', n);
        strcpy(name + n - 8, ".service");
        snprintf(text, sizeof text, "0::/system.slice/%s\n", name);
        assert_int_equal(peer_unit_of_cgroup(text, unit), n < PEER_UNIT_BYTES);
        if (n < PEER_UNIT_BYTES)
            assert_string_equal(unit, name);
    }
}

/* Whatever bytes stand in a name: it is taken whole and valid, or not at all. */
static void test_unit_bytes(void **state)
{
    char text[] = "0::/system.slice/aXb.service\n", unit[PEER_UNIT_BYTES];
    (void)state;
    for (int c = 1; c < 256; c++) {
        text[18] = (char)c;
        bool is_valid = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@", c) != NULL;
        assert_int_equal(peer_unit_of_cgroup(text, unit), is_valid);
        if (is_valid)
            assert_int_equal(unit[1], (char)c);
    }
}

static void test_label(void **state)
{
    static const struct {
        const char *text;
        size_t n;
        const char *label;
    } labels[] = {
        {"unconfined", 10, "unconfined"},
        {"unconfined\n", 11, "unconfined"},
        {"/usr/bin/x (enforce)", 20, "/usr/bin/x"},
        {"/usr/bin/x (enforce)\0", 21, "/usr/bin/x"},
        {"/usr/bin/x (complain)\n", 22, "/usr/bin/x"},
        {"x (y) (enforce)", 15, "x (y)"},
        {"system_u:system_r:sshd_t:s0\0", 28, "system_u:system_r:sshd_t:s0"},
        {"(enforce)", 9, "(enforce)"},
        {" (enforce)", 10, " (enforce)"},
        {"x(enforce)", 10, "x(enforce)"},
        {"x)", 2, "x)"},
        {"", 0, ""},
        {"\0", 1, ""},
        {"a\0b", 3, ""},
        {"a\nb", 3, ""},
        {"a\xff", 2, ""},
    };
    char label[PEER_LABEL_BYTES], longest[PEER_LABEL_BYTES];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(labels); i++) {
        peer_label_of_text(labels[i].text, labels[i].n, label);
        assert_string_equal(label, labels[i].label);
    }
    memset(longest, 'x', sizeof longest);
    peer_label_of_text(longest, sizeof longest, label);
    assert_string_equal(label, "");
    peer_label_of_text(longest, sizeof longest - 1, label);
    assert_int_equal(strlen(label), PEER_LABEL_BYTES - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_socketpair),
        cmocka_unit_test_setup_teardown(test_listener, make_root, remove_root),
        cmocka_unit_test(test_own_unit),
        cmocka_unit_test_setup_teardown(test_reaped_peer, make_root, remove_root),
        cmocka_unit_test(test_not_a_peer),
        cmocka_unit_test(test_unmapped_user_is_anonymous),
        cmocka_unit_test(test_many_groups),
        cmocka_unit_test(test_without_memory),
        cmocka_unit_test(test_without_descriptors),
        cmocka_unit_test(test_is_alive),
        cmocka_unit_test(test_unit_of_cgroup),
        cmocka_unit_test(test_unit_length),
        cmocka_unit_test(test_unit_bytes),
        cmocka_unit_test(test_label),
    };
    return cmocka_run_group_tests_name("os/peer", tests, NULL, NULL);
}
