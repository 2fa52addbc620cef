/* Tests of file: path tricks, modes whatever the umask is, replacement and its leftovers, locks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fail-alloc.h"
#include "os/file.h"

static char root[64];
static int at = -1;

static int open_root(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/secreg-file-XXXXXX");
    return mkdtemp(root) == NULL || file_open_folder(root, &at) != 0;
}

static int remove_root(void **state)
{
    char command[96];
    (void)state;
    close(at);
    snprintf(command, sizeof command, "rm -rf -- '%s'", root);
    return system(command);
}

static void make(const char *name, const char *content)
{
    int fd = -1;
    assert_int_equal(file_open(at, name, O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd), 0);
    assert_int_equal(file_write_all(fd, bytes_of_text(content)), 0);
    close(fd);
}

static mode_t mode_of(const char *name)
{
    struct stat st;
    assert_int_equal(fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st.st_mode & 07777;
}

static void assert_content(const char *name, const char *content)
{
    struct buf b;
    int fd = -1;
    buf_init(&b, 1 << 20);
    assert_int_equal(file_open(at, name, O_RDONLY, 0, &fd), 0);
    assert_int_equal(file_read_all(fd, &b), 0);
    assert_true(bytes_equal(buf_view(&b), bytes_of_text(content)));
    buf_fini(&b);
    close(fd);
}

static size_t count_names(void)
{
    size_t n = 0;
    DIR *d = opendir(root);
    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n - 2;
}

static void test_open_folder(void **state)
{
    int fd = -7;
    (void)state;
    assert_int_equal(file_open_folder("/tmp/secreg-no-such-folder", &fd), FILE_ABSENT);
    assert_int_equal(file_open_folder("/proc/self/status", &fd), -ENOTDIR);
    assert_int_equal(fd, -7);
    assert_int_equal(file_open_folder("/proc/self", &fd), 0); /* a link, followed */
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    errno = 77;
    file_drop_fd(&fd);
    assert_int_equal(errno, 77);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    fd = -1;
    errno = 78;
    file_drop_fd(&fd);
    assert_int_equal(errno, 78);
}

static void test_make_folders(void **state)
{
    char path[256], long_path[PATH_MAX + 8];
    (void)state;
    mode_t saved = umask(0777);
    snprintf(path, sizeof path, "%s/a/b//c/", root);
    int r = file_make_folders(path, 0750);
    assert_int_equal(umask(saved), 0777); /* put back */
    assert_int_equal(r, 0);
    assert_int_equal(mode_of("a"), 0755);
    assert_int_equal(mode_of("a/b"), 0755);
    assert_int_equal(mode_of("a/b/c"), 0750);
    assert_int_equal(file_make_folders(path, 0700), 0); /* there already: left as it is */
    assert_int_equal(mode_of("a/b/c"), 0750);
    assert_int_equal(file_make_folders("/", 0700), 0);
    assert_int_equal(file_make_folders("", 0700), -ENOENT);
    make("plain", "x");
    snprintf(path, sizeof path, "%s/plain", root);
    assert_int_equal(file_make_folders(path, 0700), -ENOTDIR);
    snprintf(path, sizeof path, "%s/plain/below", root);
    assert_int_equal(file_make_folders(path, 0700), -ENOTDIR);
    assert_int_equal(symlinkat("nowhere", at, "dangling"), 0);
    snprintf(path, sizeof path, "%s/dangling", root);
    assert_int_equal(file_make_folders(path, 0700), -ENOENT);
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    assert_int_equal(file_make_folders(long_path, 0700), -ENAMETOOLONG);
    int refused = file_make_folders("/proc/secreg", 0700);
    assert_true(refused == -ENOENT || refused == -EACCES);
}

static void test_open_refuses_ways_out(void **state)
{
    int fd = -7;
    (void)state;
    make("target", "t");
    assert_int_equal(mkdirat(at, "sub", 0700), 0);
    assert_int_equal(symlinkat("target", at, "link"), 0);
    assert_int_equal(symlinkat("/etc", at, "sub/etc"), 0);
    assert_int_equal(symlinkat("missing", at, "broken"), 0);
    assert_int_equal(file_open(at, "link", O_RDONLY, 0, &fd), -ELOOP);
    assert_int_equal(file_open(at, "link", O_WRONLY | O_CREAT, 0600, &fd), -ELOOP);
    assert_int_equal(file_open(at, "broken", O_WRONLY | O_CREAT, 0600, &fd), -ELOOP);
    assert_int_equal(file_open(at, "sub/etc/passwd", O_RDONLY, 0, &fd), -ELOOP);
    assert_int_equal(file_open(at, "../x", O_RDONLY, 0, &fd), -EXDEV);
    assert_int_equal(file_open(at, "sub/../../x", O_RDONLY, 0, &fd), -EXDEV);
    assert_int_equal(file_open(at, "/etc/passwd", O_RDONLY, 0, &fd), -EXDEV);
    assert_int_equal(file_open(at, "absent", O_RDONLY, 0, &fd), FILE_ABSENT);
    assert_int_equal(file_open(at, "absent/x", O_WRONLY | O_CREAT, 0600, &fd), FILE_ABSENT);
    assert_int_equal(file_open(at, "target/x", O_RDONLY, 0, &fd), -ENOTDIR);
    assert_int_equal(file_open(-1, "x", O_RDONLY, 0, &fd), -EBADF);
    assert_int_equal(fd, -7);
    assert_int_equal(file_open(at, "sub/../target", O_RDONLY, 0, &fd), 0); /* stays inside */
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
}

static void test_open_mode(void **state)
{
    int fd = -1;
    (void)state;
    mode_t saved = umask(0777);
    int r = file_open(at, "made", O_WRONLY | O_CREAT, 0644, &fd);
    umask(saved);
    assert_int_equal(r, 0);
    close(fd);
    assert_int_equal(mode_of("made"), 0644);
    assert_int_equal(file_open(at, "made", O_WRONLY | O_CREAT, 0600, &fd), 0);
    close(fd);
    assert_int_equal(mode_of("made"), 0644); /* not ours to change */
    assert_int_equal(file_open(at, "made", O_WRONLY | O_CREAT | O_EXCL, 0600, &fd), -EEXIST);
    assert_int_equal(file_open(at, "own", O_WRONLY | O_CREAT | O_EXCL, 0640, &fd), 0);
    close(fd);
    assert_int_equal(mode_of("own"), 0640);
}

static void test_read(void **state)
{
    struct buf b;
    int fd = -1;
    (void)state;
    make("ten", "0123456789");
    buf_init(&b, 12);
    assert_int_equal(buf_append_text(&b, "ab"), 0);
    assert_int_equal(file_open(at, "ten", O_RDONLY, 0, &fd), 0);
    assert_int_equal(file_read_all(fd, &b), 0); /* fits to the last byte */
    assert_true(bytes_equal(buf_view(&b), BYTES_LITERAL("ab0123456789")));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    buf_consume(&b, 1);
    assert_int_equal(file_read_all(fd, &b), FAULT_LIMIT);
    assert_true(bytes_equal(buf_view(&b), BYTES_LITERAL("b0123456789"))); /* as before */
    close(fd);
    assert_int_equal(file_read_all(at, &b), -EISDIR);
    buf_fini(&b);
}

static void test_read_path(void **state)
{
    struct buf b;
    char path[128];
    (void)state;
    buf_init(&b, 1 << 16);
    assert_int_equal(file_read_path("/proc/self/status", &b), 0);
    assert_true(bytes_starts(buf_view(&b), BYTES_LITERAL("Name:")));
    assert_int_equal(file_read_path("/proc/self/no-such-file", &b), FILE_ABSENT);
    make("plain", "x");
    snprintf(path, sizeof path, "%s/plain/below", root);
    assert_int_equal(file_read_path(path, &b), -ENOTDIR);
    buf_fini(&b);
    int r = -1;
    EACH_ALLOC_FAILURE({
        r = file_read_path("/proc/self/status", &b);
        assert_true(r == 0 || (r == -ENOMEM && buf_size(&b) == 0));
    });
    assert_int_equal(r, 0);
    buf_fini(&b);
}

static void test_write(void **state)
{
    int fd = -1, fds[2];
    (void)state;
    assert_int_equal(file_write_all(-1, BYTES_LITERAL("x")), -EBADF);
    assert_int_equal(file_write_all(-1, BYTES_NONE), 0);
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    close(fds[0]);
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(file_write_all(fds[1], BYTES_LITERAL("x")), -EPIPE);
    signal(SIGPIPE, SIG_DFL);
    close(fds[1]);
    fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(file_write_all(fd, BYTES_LITERAL("x")), -ENOSPC);
    close(fd);
}

static void test_replace(void **state)
{
    struct stat before, after;
    (void)state;
    mode_t saved = umask(0777);
    assert_int_equal(file_replace(at, "f", BYTES_LITERAL("one"), 0640), 0);
    umask(saved);
    assert_content("f", "one");
    assert_int_equal(mode_of("f"), 0640);
    assert_int_equal(fstatat(at, "f", &before, 0), 0);
    int reader = -1;
    assert_int_equal(file_open(at, "f", O_RDONLY, 0, &reader), 0);
    assert_int_equal(file_replace(at, "f", BYTES_LITERAL("a longer two"), 0600), 0);
    assert_content("f", "a longer two");
    assert_int_equal(mode_of("f"), 0600);
    assert_int_equal(fstatat(at, "f", &after, 0), 0);
    assert_int_not_equal(before.st_ino, after.st_ino);
    char old[8] = "";
    assert_int_equal(read(reader, old, sizeof old), 3); /* who had it open goes on with the old content */
    assert_string_equal(old, "one");
    close(reader);
    assert_int_equal(count_names(), 1);
    assert_int_equal(file_sync_folder(at), 0);
    assert_int_equal(file_sync_folder(-1), -EBADF);
}

static void test_replace_uses_up_leftovers(void **state)
{
    (void)state;
    make(".f.new", "half of a longer thing, left by a crash");
    assert_int_equal(file_replace(at, "f", BYTES_LITERAL("ok"), 0600), 0);
    assert_content("f", "ok");
    assert_int_equal(count_names(), 1);
    /* a link planted under the temporary name is not written through */
    make("victim", "untouched");
    assert_int_equal(symlinkat("victim", at, ".f.new"), 0);
    assert_int_equal(file_replace(at, "f", BYTES_LITERAL("bad"), 0600), -ELOOP);
    assert_content("victim", "untouched");
    assert_content("f", "ok");
}

static void test_replace_fails_without_trace(void **state)
{
    char name[NAME_MAX + 8];
    int gone = -1;
    (void)state;
    assert_int_equal(mkdirat(at, "folder", 0700), 0);
    assert_int_equal(file_replace(at, "folder", BYTES_LITERAL("x"), 0600), -EISDIR);
    assert_int_equal(count_names(), 1);
    assert_int_equal(file_replace(at, "folder/x", BYTES_LITERAL("x"), 0600), -EINVAL);
    assert_int_equal(file_replace(at, "", BYTES_LITERAL("x"), 0600), -EINVAL);
    memset(name, 'n', sizeof name);
    name[NAME_MAX - 4] = '\0';
    assert_int_equal(file_replace(at, name, BYTES_LITERAL("x"), 0600), -ENAMETOOLONG);
    assert_int_equal(file_replace(-1, "f", BYTES_LITERAL("x"), 0600), -EBADF);
    assert_int_equal(file_open(at, "folder", O_RDONLY | O_DIRECTORY, 0, &gone), 0);
    assert_int_equal(unlinkat(at, "folder", AT_REMOVEDIR), 0);
    assert_int_equal(file_replace(gone, "f", BYTES_LITERAL("x"), 0600), -ENOENT);
    assert_int_equal(file_lock(gone, "lock", &gone), -ENOENT);
    close(gone);
    assert_int_equal(count_names(), 0);
}

/* A process killed at any point of its replacements leaves one of the two contents, whole. */
static void test_replace_survives_kill(void **state)
{
    static char one[30000], two[50000];
    struct buf b;
    (void)state;
    memset(one, '1', sizeof one);
    memset(two, '2', sizeof two);
    assert_int_equal(file_replace(at, "f", BYTES_OF(one), 0600), 0);
    buf_init(&b, 1 << 20);
    for (useconds_t i = 0; i < 10; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        while (pid == 0) {
            if (file_replace(at, "f", BYTES_OF(two), 0600) < 0 || file_replace(at, "f", BYTES_OF(one), 0600) < 0)
                _exit(1);
        }
        usleep(500 + 300 * i);
        assert_int_equal(kill(pid, SIGKILL), 0);
        int status = 0, fd = -1;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(file_open(at, "f", O_RDONLY, 0, &fd), 0);
        assert_int_equal(file_read_all(fd, &b), 0);
        close(fd);
        assert_true(bytes_equal(buf_view(&b), BYTES_OF(one)) || bytes_equal(buf_view(&b), BYTES_OF(two)));
        buf_clear(&b);
    }
    buf_fini(&b);
    assert_int_equal(file_replace(at, "f", BYTES_LITERAL("end"), 0600), 0);
    assert_int_equal(count_names(), 1);
}

/* Two processes that replace the same name wait for each other and never mix. */
static void test_replace_by_two(void **state)
{
    static char mine[20000];
    struct buf b;
    pid_t pids[2];
    (void)state;
    for (int i = 0; i < 2; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            memset(mine, 'a' + i, sizeof mine);
            int bad = 0;
            for (int k = 0; k < 40; k++)
                bad |= file_replace(at, "f", BYTES_OF(mine), 0600) < 0;
            _exit(bad);
        }
    }
    for (int i = 0; i < 2; i++) {
        int status = -1;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    buf_init(&b, 1 << 20);
    int fd = -1;
    assert_int_equal(file_open(at, "f", O_RDONLY, 0, &fd), 0);
    assert_int_equal(file_read_all(fd, &b), 0);
    close(fd);
    assert_int_equal(buf_size(&b), sizeof mine);
    for (size_t i = 1; i < sizeof mine; i++)
        assert_int_equal(b.p[i], b.p[0]);
    buf_fini(&b);
    assert_int_equal(count_names(), 1);
}

static void test_lock(void **state)
{
    int held = -1, second = -7;
    (void)state;
    mode_t saved = umask(0);
    assert_int_equal(file_lock(at, "lock", &held), 0);
    umask(saved);
    assert_int_equal(mode_of("lock"), 0600);
    assert_int_equal(file_lock(at, "lock", &second), FILE_HELD);
    assert_int_equal(second, -7);
    close(held);
    assert_int_equal(file_lock(at, "lock", &second), 0);
    close(second);
    assert_int_equal(symlinkat("lock", at, "link"), 0);
    assert_int_equal(file_lock(at, "link", &second), -ELOOP);
}

static void test_check(void **state)
{
    int fd = -1;
    char path[128];
    (void)state;
    make("a", "1");
    make("b", "1");
    snprintf(path, sizeof path, "%s/a", root);
    assert_int_equal(file_open(at, "a", O_RDONLY, 0, &fd), 0);
    assert_int_equal(file_check(at, "a", fd), 0);
    assert_int_equal(file_check(AT_FDCWD, path, fd), 0);
    assert_int_equal(file_check(at, "b", fd), FAULT_GONE);
    assert_int_equal(renameat(at, "b", at, "a"), 0); /* replaced */
    assert_int_equal(file_check(at, "a", fd), FAULT_GONE);
    assert_int_equal(unlinkat(at, "a", 0), 0);
    assert_int_equal(file_check(at, "a", fd), FAULT_GONE);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    assert_int_equal(symlinkat(path, at, "a"), 0); /* a link to what is open is not the file */
    assert_int_equal(file_check(at, "a", fd), FAULT_GONE);
    close(fd);
    assert_int_equal(file_check(at, "a", fd), FAULT_GONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_open_folder, open_root, remove_root),
        cmocka_unit_test_setup_teardown(test_make_folders, open_root, remove_root),
        cmocka_unit_test_setup_teardown(test_open_refuses_ways_out, open_root, remove_root),
        cmocka_unit_test_setup_teardown(test_open_mode, open_root, remove_root),
        cmocka_unit_test_setup_teardown(test_read, open_root, remove_root),
        cmocka_unit_test_setup_teardown(test_read_path, open_root, remove_root),
        cmocka_unit_test_setup_teardown(test_write, open_root, remove_root),
        cmocka_unit_test_setup_teardown(test_replace, open_root, remove_root),
        cmocka_unit_test_setup_teardown(test_replace_uses_up_leftovers, open_root, remove_root),
        cmocka_unit_test_setup_teardown(test_replace_fails_without_trace, open_root, remove_root),
        cmocka_unit_test_setup_teardown(test_replace_survives_kill, open_root, remove_root),
        cmocka_unit_test_setup_teardown(test_replace_by_two, open_root, remove_root),
        cmocka_unit_test_setup_teardown(test_check, open_root, remove_root),
        cmocka_unit_test_setup_teardown(test_lock, open_root, remove_root),
    };
    return cmocka_run_group_tests_name("os/file", tests, NULL, NULL);
}
