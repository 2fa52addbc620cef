/* Tests of draft: owner and mode, who waits for whom, what stands in the way, and that faults leave the old file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/draft.h"
#include "os/file.h"

static char root[64];
static int at = -1;
static const struct draft_owner plain = {.uid = (uid_t)-1, .gid = (gid_t)-1, .mode = 0640};

static int open_root(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/secreg-draft-XXXXXX");
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

static void put(const char *name, const char *content)
{
    int fd = openat(at, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(file_write_all(fd, bytes_of_text(content)), 0);
    close(fd);
}

static void assert_content(const char *name, const char *content)
{
    char text[256] = "";
    int fd = openat(at, name, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(read(fd, text, sizeof text - 1) >= 0);
    close(fd);
    assert_string_equal(text, content);
}

static size_t count_files(void)
{
    size_t n = 0;
    DIR *d = opendir(root);
    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n - 2;
}

static int clear(void **state)
{
    char command[200];
    (void)state;
    snprintf(command, sizeof command, "rm -rf -- '%s'/* '%s'/.*.new", root, root);
    return system(command);
}

static void test_new_and_old(void **state)
{
    struct draft d;
    struct stat st;
    mode_t saved = umask(077);
    (void)state;
    draft_init(&d);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(draft_claim(&d, at, "f", 0), 0);
        assert_int_equal(fstatat(at, ".f.new", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(draft_commit(&d, i == 0 ? BYTES_LITERAL("one") : BYTES_LITERAL("two"), &plain), 0);
        assert_content("f", i == 0 ? "one" : "two");
        assert_int_equal(fstatat(at, "f", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        assert_int_equal(count_files(), 1);
        draft_drop(&d);
        assert_content("f", i == 0 ? "one" : "two");
    }
    umask(saved);
}

static void test_drop(void **state)
{
    struct draft d;
    (void)state;
    put("f", "old");
    draft_init(&d);
    draft_drop(&d);
    assert_int_equal(draft_claim(&d, at, "f", 0), 0);
    assert_int_equal(count_files(), 2);
    draft_drop(&d);
    draft_drop(&d);
    assert_int_equal(count_files(), 1);
    assert_content("f", "old");
}

static void test_names(void **state)
{
    static const char *const names[] = {"", ".", "..", "a/b", "/a"};
    char name[NAME_MAX + 1];
    struct draft d;
    (void)state;
    draft_init(&d);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_int_equal(draft_claim(&d, at, names[i], 0), -EINVAL);
    memset(name, 'a', NAME_MAX);
    name[NAME_MAX] = '\0';
    assert_int_equal(draft_claim(&d, at, name, 0), -ENAMETOOLONG);
    name[NAME_MAX - 5] = '\0';
    assert_int_equal(draft_claim(&d, at, name, 0), 0);
    draft_drop(&d);
    assert_int_equal(count_files(), 0);
}

static void test_one_at_a_time(void **state)
{
    struct draft a, b;
    (void)state;
    draft_init(&a);
    draft_init(&b);
    assert_int_equal(draft_claim(&a, at, "f", 0), 0);
    assert_int_equal(draft_claim(&b, at, "f", 30), DRAFT_HELD);
    assert_int_equal(draft_claim(&b, at, "g", 0), 0);
    draft_drop(&b);
    assert_int_equal(draft_commit(&a, BYTES_LITERAL("a"), &plain), 0);
    assert_int_equal(draft_claim(&b, at, "f", 0), 0);
    assert_int_equal(draft_commit(&b, BYTES_LITERAL("b"), &plain), 0);
    assert_content("f", "b");
    assert_int_equal(count_files(), 1);
}

enum { WRITERS = 8, ROUNDS = 10 };

/* Adds a letter to the file, ten times. Returns an exit status. */
static int append_letters(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        struct draft d;
        char text[256] = "";
        draft_init(&d);
        if (draft_claim(&d, at, "f", 60000) != 0)
            return 1;
        int fd = openat(at, "f", O_RDONLY | O_CLOEXEC);
        if (read(fd, text, sizeof text - 2) < 0)
            return 2;
        close(fd);
        strcat(text, "x");
        if (draft_commit(&d, bytes_of_text(text), &plain) != 0)
            return 3;
    }
    return 0;
}

/* Many processes read and write in turns; nothing is lost. */
static void test_all_follow_each_other(void **state)
{
    struct stat st;
    (void)state;
    put("f", "");
    for (int i = 0; i < WRITERS; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            _exit(append_letters());
    }
    for (int i = 0; i < WRITERS; i++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    assert_int_equal(fstatat(at, "f", &st, 0), 0);
    assert_int_equal(st.st_size, WRITERS * ROUNDS);
    assert_int_equal(count_files(), 1);
}

/* What a killed process left, or somebody made, is removed and not written to. */
static void test_in_the_way(void **state)
{
    char text[8] = "";
    struct draft d;
    (void)state;
    put(".f.new", "left");
    int left = openat(at, ".f.new", O_RDWR | O_CLOEXEC);
    draft_init(&d);
    assert_int_equal(draft_claim(&d, at, "f", 0), 0);
    assert_int_equal(draft_commit(&d, BYTES_LITERAL("new"), &plain), 0);
    assert_int_equal(pread(left, text, sizeof text, 0), 4);
    close(left);
    put("victim", "victim");
    assert_int_equal(symlinkat("victim", at, ".f.new"), 0);
    assert_int_equal(draft_claim(&d, at, "f", 0), 0);
    assert_int_equal(draft_commit(&d, BYTES_LITERAL("newer"), &plain), 0);
    assert_int_equal(linkat(at, "victim", at, ".f.new", 0), 0);
    assert_int_equal(draft_claim(&d, at, "f", 0), 0);
    draft_drop(&d);
    assert_int_equal(mkfifoat(at, ".f.new", 0600), 0);
    assert_int_equal(draft_claim(&d, at, "f", 0), 0);
    draft_drop(&d);
    assert_content("victim", "victim");
    assert_content("f", "newer");
    assert_int_equal(mkdirat(at, ".f.new", 0700), 0);
    assert_int_equal(draft_claim(&d, at, "f", 0), -EISDIR);
    assert_content("f", "newer");
}

/* A temporary file that is not ours any more is neither renamed nor removed. */
static void test_taken_away(void **state)
{
    struct draft d;
    (void)state;
    put("f", "old");
    draft_init(&d);
    assert_int_equal(draft_claim(&d, at, "f", 0), 0);
    assert_int_equal(unlinkat(at, ".f.new", 0), 0);
    put(".f.new", "other");
    assert_int_equal(draft_commit(&d, BYTES_LITERAL("new"), &plain), -ESTALE);
    assert_content("f", "old");
    assert_content(".f.new", "other");
}

/* Another user's draft cannot be looked at, so it is waited for. */
static void test_of_another_user(void **state)
{
    struct draft a, b;
    int status;
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(fchmod(at, 0777), 0);
    draft_init(&a);
    assert_int_equal(draft_claim(&a, at, "f", 0), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        draft_init(&b);
        _exit(setuid(4242) == 0 && draft_claim(&b, at, "f", 30) == DRAFT_HELD ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(draft_commit(&a, BYTES_LITERAL("a"), &plain), 0);
    assert_content("f", "a");
    assert_int_equal(fchmod(at, 0700), 0);
}

static void test_full(void **state)
{
    static char large[100000];
    struct rlimit saved, small;
    struct draft d;
    (void)state;
    put("f", "old");
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &saved), 0);
    small = (struct rlimit){.rlim_cur = 4096, .rlim_max = saved.rlim_max};
    draft_init(&d);
    assert_int_equal(draft_claim(&d, at, "f", 0), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(draft_commit(&d, BYTES_OF(large), &plain), -EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &saved), 0);
    assert_content("f", "old");
    assert_int_equal(count_files(), 1);
}

static void test_folder_in_place(void **state)
{
    struct draft d;
    (void)state;
    assert_int_equal(mkdirat(at, "f", 0700), 0);
    draft_init(&d);
    assert_int_equal(draft_claim(&d, at, "f", 0), 0);
    assert_int_equal(draft_commit(&d, BYTES_LITERAL("x"), &plain), -EISDIR);
    assert_int_equal(count_files(), 1);
}

static void test_owner(void **state)
{
    struct draft_owner other = {.uid = 12345, .gid = 54321, .mode = 0400};
    struct draft d;
    struct stat st;
    (void)state;
    draft_init(&d);
    assert_int_equal(draft_claim(&d, at, "f", 0), 0);
    int r = draft_commit(&d, BYTES_LITERAL("x"), &other);
    if (geteuid() != 0) {
        assert_int_equal(r, -EPERM);
        assert_int_equal(count_files(), 0);
        return;
    }
    assert_int_equal(r, 0);
    assert_int_equal(fstatat(at, "f", &st, 0), 0);
    assert_true(st.st_uid == 12345 && st.st_gid == 54321 && (st.st_mode & 07777) == 0400);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_new_and_old, clear),
        cmocka_unit_test_teardown(test_drop, clear),
        cmocka_unit_test_teardown(test_names, clear),
        cmocka_unit_test_teardown(test_one_at_a_time, clear),
        cmocka_unit_test_teardown(test_all_follow_each_other, clear),
        cmocka_unit_test_teardown(test_in_the_way, clear),
        cmocka_unit_test_teardown(test_taken_away, clear),
        cmocka_unit_test_teardown(test_of_another_user, clear),
        cmocka_unit_test_teardown(test_full, clear),
        cmocka_unit_test_teardown(test_folder_in_place, clear),
        cmocka_unit_test_teardown(test_owner, clear),
    };
    return cmocka_run_group_tests(tests, open_root, remove_root);
}
