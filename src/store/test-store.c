/* store: creating, opening, refusing, transactions, and what survives a killed process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "fail-alloc.h"
#include "test-folder.h"

static void test_create_and_reopen(void **state)
{
    const struct test_folder *f = *state;
    struct store *s = NULL;
    struct stat st;
    assert_int_equal(store_open(f->db, &s), STORE_ABSENT);
    assert_null(s);
    mode_t old = umask(0777); /* the mode of the file must not hang on it */
    assert_int_equal(store_create(f->db, &s), 0);
    umask(old);
    assert_int_equal(stat(f->db, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(f->log, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_true(test_file_size(f->db) >= 4096); /* the layout is in the file itself, not in the log alone */
    assert_int_equal(test_put(s, "a", "one"), 0);
    assert_null(store_close(s));
    s = NULL;
    assert_int_equal(store_create(f->db, &s), -EEXIST);
    assert_null(s);
    assert_int_equal(store_open(f->db, &s), 0);
    assert_true(test_has(s, "a", "one"));
    assert_false(test_has(s, "b", "one"));
    store_close(s);
    assert_null(store_close(NULL));
}

static void test_relative_and_bad_paths(void **state)
{
    const struct test_folder *f = *state;
    struct store *s = NULL;
    char here[256], path[800];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(f->path), 0);
    assert_int_equal(store_create("a.db", &s), 0);
    s = store_close(s);
    assert_int_equal(store_open("./a.db", &s), 0);
    s = store_close(s);
    assert_int_equal(chdir(here), 0);
    assert_int_equal(store_open("/secreg-no-such.db", &s), STORE_ABSENT);
    assert_int_equal(store_create(f->path, &s), -EEXIST);
    assert_int_equal(store_open(f->path, &s), -EINVAL);
    (void)snprintf(path, sizeof path, "%s/", f->path);
    assert_int_equal(store_open(path, &s), -EISDIR);
    (void)snprintf(path, sizeof path, "%s/none/a.db", f->path);
    assert_int_equal(store_open(path, &s), STORE_ABSENT);
    assert_int_equal(store_create(path, &s), -ENOENT);
    (void)snprintf(path, sizeof path, "%s/%0700d", f->path, 0);
    assert_int_equal(store_create(path, &s), -ENAMETOOLONG);
    (void)snprintf(path, sizeof path, "%0700d/a", 0);
    assert_int_equal(store_create(path, &s), -ENAMETOOLONG);
    (void)snprintf(path, sizeof path, "%s/a.db/b", f->path);
    assert_true(store_open(path, &s) != 0);
    assert_null(s);
}

static void test_links(void **state)
{
    const struct test_folder *f = *state;
    struct store *s = NULL;
    char link[128], folder[128], inside[160];
    (void)snprintf(link, sizeof link, "%s/link.db", f->path);
    (void)snprintf(folder, sizeof folder, "%s/folder", f->path);
    (void)snprintf(inside, sizeof inside, "%s/a.db", folder);
    assert_int_equal(store_create(f->db, &s), 0);
    s = store_close(s);
    assert_int_equal(symlink(f->db, link), 0);
    assert_int_equal(store_open(link, &s), -ELOOP);
    assert_int_equal(store_create(link, &s), -EEXIST);
    /* a link above the folder is the administrator's */
    assert_int_equal(symlink(f->path, folder), 0);
    assert_int_equal(store_open(inside, &s), 0);
    store_close(s);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(unlink(folder), 0);
}

static void write_file(const char *path, const void *content, size_t n)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static void test_not_ours(void **state)
{
    const struct test_folder *f = *state;
    struct store *s = NULL;
    static char noise[8192];
    memset(noise, 'x', sizeof noise);
    write_file(f->db, noise, sizeof noise);
    assert_int_equal(store_open(f->db, &s), FAULT_CORRUPT);
    write_file(f->db, "", 0);
    assert_int_equal(store_open(f->db, &s), FAULT_SCHEMA);
    assert_int_equal(test_file_size(f->db), 0);
    test_plant(f->db, "CREATE TABLE theirs(a); PRAGMA application_id=7; PRAGMA user_version=1");
    assert_int_equal(store_open(f->db, &s), FAULT_SCHEMA);
    test_plant(f->db, "PRAGMA application_id=0x53524547; PRAGMA user_version=0");
    assert_int_equal(store_open(f->db, &s), FAULT_SCHEMA);
    test_plant(f->db, "PRAGMA user_version=-1");
    assert_int_equal(store_open(f->db, &s), FAULT_SCHEMA);
    test_plant(f->db, "PRAGMA user_version=1");
    assert_int_equal(store_open(f->db, &s), FAULT_SCHEMA);
    test_plant(f->db, "PRAGMA user_version=2");
    assert_int_equal(store_open(f->db, &s), FAULT_SCHEMA);
    test_plant(f->db, "PRAGMA user_version=4");
    assert_int_equal(store_open(f->db, &s), FAULT_SCHEMA);
    test_plant(f->db, "PRAGMA user_version=3");
    assert_int_equal(store_open(f->db, &s), FAULT_CORRUPT);
    assert_null(s);
}

/* A database of which only the file is left, as a copy made after a clean stop. */
static void make_plain(const struct test_folder *f)
{
    struct store *s;
    assert_int_equal(store_create(f->db, &s), 0);
    for (int i = 0; i < 200; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "n%d", i);
        assert_int_equal(test_put(s, name, "some value of some length, so that a few pages are used"), 0);
    }
    store_close(s);
    assert_int_equal(unlink(f->log), 0);
}

static void flip(const char *path, long at)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    int c = fgetc(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    assert_true(fputc(c ^ 0xff, file) != EOF);
    assert_int_equal(fclose(file), 0);
}

static void test_truncated(void **state)
{
    const struct test_folder *f = *state;
    struct store *s = NULL;
    make_plain(f);
    long whole = test_file_size(f->db);
    assert_true(whole >= 4 * 4096);
    assert_int_equal(truncate(f->db, whole - 4096), 0);
    assert_int_equal(store_open(f->db, &s), FAULT_CORRUPT);
    assert_int_equal(truncate(f->db, 4096), 0);
    assert_int_equal(store_open(f->db, &s), FAULT_CORRUPT);
    assert_int_equal(truncate(f->db, 50), 0);
    assert_int_equal(store_open(f->db, &s), FAULT_CORRUPT);
    assert_null(s);
}

/* A table that is read at start is checked when the store is opened, any other by store_check(). */
static void test_flipped(void **state)
{
    const struct test_folder *f = *state;
    struct store *s = NULL;
    char why[200];
    make_plain(f);
    assert_int_equal(store_open(f->db, &s), 0);
    assert_int_equal(store_check(s, why, sizeof why), 0);
    assert_string_equal(why, "ok");
    struct store_stmt *st = store_use(s, STORE_TURN_SET);
    store_bind_i64(st, 1, 0);
    store_bind_i64(st, 2, 0);
    store_bind_i64(st, 3, 1);
    store_bind_blob(st, 4, BYTES_NONE);
    store_bind_blob(st, 5, BYTES_LITERAL("seal"));
    store_bind_blob(st, 6, BYTES_LITERAL("find me in the file"));
    assert_int_equal(store_run(s, st), 0);
    s = store_close(s);
    assert_int_equal(unlink(f->log), 0);

    static char content[1 << 20];
    FILE *file = fopen(f->db, "rb");
    assert_non_null(file);
    size_t n = fread(content, 1, sizeof content, file);
    assert_int_equal(fclose(file), 0);
    char *hit = memmem(content, n, "find me in the file", 19);
    assert_non_null(hit);
    long page = (long)(hit - content) / 4096 * 4096;
    flip(f->db, page + 5); /* start of the cell content area */
    assert_int_equal(store_open(f->db, &s), 0);
    assert_int_equal(store_check(s, why, sizeof why), FAULT_CORRUPT);
    assert_string_not_equal(why, "ok");
    assert_true(strlen(why) > 2);
    assert_int_equal(test_put(s, "still", "usable"), 0);
    s = store_close(s);
    assert_int_equal(unlink(f->log), 0);
    flip(f->db, page + 5);
    flip(f->db, page); /* the kind of the page: reading it fails outright */
    assert_int_equal(store_open(f->db, &s), 0);
    assert_int_equal(store_check(s, why, sizeof why), FAULT_CORRUPT);
    st = store_use(s, STORE_TURN_EACH);
    assert_int_equal(store_step(s, st), FAULT_CORRUPT);
    s = store_close(s);
    assert_int_equal(unlink(f->log), 0);
    flip(f->db, page);

    hit = memmem(content, n, "some value", 10);
    assert_non_null(hit);
    flip(f->db, (long)(hit - content) / 4096 * 4096 + 4); /* number of cells */
    assert_int_equal(store_open(f->db, &s), FAULT_CORRUPT);
    assert_null(s);
}

static void test_two_processes(void **state)
{
    const struct test_folder *f = *state;
    struct store *s = NULL, *again = NULL;
    int status;
    assert_int_equal(store_create(f->db, &s), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(store_open(f->db, &again) == FAULT_BUSY ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(store_open(f->db, &again), FAULT_BUSY);
    assert_null(again);
    assert_int_equal(test_put(s, "a", "still ours"), 0);
    store_close(s);
    assert_int_equal(store_open(f->db, &s), 0);
    assert_true(test_has(s, "a", "still ours"));
    store_close(s);
}

static void test_rollback(void **state)
{
    const struct test_folder *f = *state;
    struct store *s;
    assert_int_equal(store_create(f->db, &s), 0);
    assert_false(store_in_transaction(s));
    store_rollback(s);
    assert_int_equal(store_begin(s), 0);
    assert_true(store_in_transaction(s));
    struct store_stmt *st = store_use(s, STORE_META_SET);
    store_bind_text(st, 1, BYTES_LITERAL("gone"));
    store_bind_blob(st, 2, BYTES_LITERAL("x"));
    assert_int_equal(store_run(s, st), 0);
    assert_true(test_has(s, "gone", "x"));
    store_rollback(s);
    assert_false(store_in_transaction(s));
    assert_false(test_has(s, "gone", "x"));
    assert_int_equal(store_commit(s), FAULT_STORE); /* without a transaction there is nothing to promise */
    /* closing inside a transaction undoes it */
    assert_int_equal(store_begin(s), 0);
    st = store_use(s, STORE_META_SET);
    store_bind_text(st, 1, BYTES_LITERAL("gone"));
    store_bind_blob(st, 2, BYTES_LITERAL("x"));
    assert_int_equal(store_run(s, st), 0);
    store_close(s);
    assert_int_equal(store_open(f->db, &s), 0);
    assert_false(test_has(s, "gone", "x"));
    store_close(s);
}

/* The child dies without closing anything: what was committed is there, what was not is not. */
static void test_killed(void **state)
{
    const struct test_folder *f = *state;
    struct store *s;
    int status;
    assert_int_equal(store_create(f->db, &s), 0);
    store_close(s);
    pid_t pid = fork();
    if (pid == 0) {
        if (store_open(f->db, &s) != 0 || test_put(s, "kept", "yes") != 0 || store_begin(s) != 0)
            _exit(1);
        struct store_stmt *st = store_use(s, STORE_META_SET);
        store_bind_text(st, 1, BYTES_LITERAL("open"));
        store_bind_blob(st, 2, BYTES_LITERAL("yes"));
        _exit(store_run(s, st) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(store_open(f->db, &s), 0);
    assert_true(test_has(s, "kept", "yes"));
    assert_false(test_has(s, "open", "yes"));
    assert_int_equal(store_sync(s), 0);
    store_close(s);
}

/* The kernel refuses to let the log grow: the transaction is gone, the rest is as it was, and reading goes on. */
static int fill_up(const char *path)
{
    struct store *s;
    struct rlimit limit = {256 << 10, 256 << 10};
    int x = 0;
    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &limit) != 0 || store_open(path, &s) != 0)
        return 1;
    for (int i = 0; x == 0 && i < 1000; i++)
        x = test_put(s, "a", i % 2 != 0 ? "one" : "two"); /* a row that does not change would not be written */
    if (x != FAULT_FULL || store_in_transaction(s) || (!test_has(s, "a", "one") && !test_has(s, "a", "two")))
        return 2;
    /* room is made by folding the log: the next transaction begins it again */
    if (store_sync(s) != 0 || store_checkpoint(s, 0) != 0 || test_put(s, "b", "after") != 0)
        return 3;
    store_close(s);
    return 0;
}

static void test_file_limit(void **state)
{
    const struct test_folder *f = *state;
    struct store *s;
    int status;
    assert_int_equal(store_create(f->db, &s), 0);
    store_close(s);
    pid_t pid = fork();
    if (pid == 0)
        _exit(fill_up(f->db));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(store_open(f->db, &s), 0);
    assert_true(test_has(s, "b", "after"));
    store_close(s);
}

static void test_no_permission(void **state)
{
    const struct test_folder *f = *state;
    struct store *s = NULL;
    if (geteuid() == 0) { /* root is refused nothing here; cmocka's skip() counts as a failure in TAP */
        print_message("# only an ordinary user can be refused\n");
        return;
    }
    assert_int_equal(store_create(f->db, &s), 0);
    s = store_close(s);
    assert_int_equal(chmod(f->db, 0400), 0);
    assert_int_equal(store_open(f->db, &s), -EACCES);
    assert_int_equal(chmod(f->path, 0500), 0);
    assert_int_equal(unlink(f->log), -1);
    assert_int_equal(chmod(f->path, 0700), 0);
}

/* META_SET inside the transaction that is open. */
static int put_more(struct store *s, const char *name, const char *value)
{
    struct store_stmt *st = store_use(s, STORE_META_SET);
    store_bind_text(st, 1, bytes_of_text(name));
    store_bind_blob(st, 2, bytes_of_text(value));
    return store_run(s, st);
}

static void test_parts(void **state)
{
    const struct test_folder *f = *state;
    struct store *s = NULL;
    assert_int_equal(store_create(f->db, &s), 0);
    assert_int_equal(test_put(s, "a", "one"), 0);
    assert_int_equal(store_begin(s), 0);
    assert_int_equal(put_more(s, "before", "x"), 0);
    for (int i = 0; i < 3; i++) { /* one part after the other */
        assert_int_equal(store_save(s), 0);
        assert_int_equal(put_more(s, "a", "two"), 0);
        assert_int_equal(put_more(s, "dropped", "x"), 0);
        assert_int_equal(store_drop(s), 0);
        assert_true(store_in_transaction(s));
        assert_true(test_has(s, "a", "one") && !test_has(s, "dropped", "x") && test_has(s, "before", "x"));
    }
    assert_int_equal(store_save(s), 0);
    assert_int_equal(put_more(s, "kept", "x"), 0);
    assert_int_equal(store_keep(s), 0);
    assert_int_equal(store_commit(s), 0);
    store_close(s);
    assert_int_equal(store_open(f->db, &s), 0);
    assert_true(test_has(s, "a", "one") && test_has(s, "before", "x") && test_has(s, "kept", "x"));
    assert_false(test_has(s, "dropped", "x"));
    /* a transaction that is rolled back takes its parts with it */
    assert_int_equal(store_begin(s), 0);
    assert_int_equal(store_save(s), 0);
    assert_int_equal(put_more(s, "a", "three"), 0);
    store_rollback(s);
    assert_false(store_in_transaction(s));
    assert_true(test_has(s, "a", "one"));
    assert_int_equal(test_put(s, "a", "four"), 0);
    store_close(s);
}

/* True if a file holds these bytes anywhere. */
static bool holds_bytes(const char *path, const char *bytes)
{
    static char all[STORE_LOG_BYTES + 1];
    bool is_found = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    for (off_t at = 0;;) {
        ssize_t n = pread(fd, all, sizeof all, at);
        if (n <= 0)
            break;
        is_found = is_found || memmem(all, (size_t)n, bytes, strlen(bytes)) != NULL;
        at += n;
    }
    close(fd);
    return is_found;
}

static void test_scrub(void **state)
{
    static const char marker[] = "what-was-overwritten";
    const struct test_folder *f = *state;
    struct store *s = NULL;
    assert_int_equal(store_create(f->db, &s), 0);
    store_close(s);
    assert_int_equal(store_open(f->db, &s), 0);
    for (int i = 0; i < 2; i++) { /* nothing was written yet: the log holds what was there before */
        assert_int_equal(store_scrub(s), 0);
        store_close(s);
        assert_int_equal(store_open(f->db, &s), 0);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(test_put(s, "a", marker), 0);
        assert_int_equal(test_put(s, "a", "new"), 0);
        assert_true(holds_bytes(f->log, marker));
        assert_int_equal(store_scrub(s), 0);
        assert_false(holds_bytes(f->log, marker));
        assert_true(test_has(s, "a", "new"));
    }
    assert_int_equal(test_put(s, "b", "after"), 0);
    store_close(s);
    assert_int_equal(store_open(f->db, &s), 0);
    assert_true(test_has(s, "a", "new") && test_has(s, "b", "after"));
    store_close(s);
}

/* Killed at once after it: the log is taken for empty, and what was committed is in the file. */
static void test_scrub_killed(void **state)
{
    const struct test_folder *f = *state;
    struct store *s = NULL;
    int status;
    assert_int_equal(store_create(f->db, &s), 0);
    store_close(s);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (store_open(f->db, &s) != 0 || test_put(s, "a", "one") != 0 || store_scrub(s) != 0)
            _exit(1);
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(store_open(f->db, &s), 0);
    assert_true(test_has(s, "a", "one"));
    assert_int_equal(test_put(s, "b", "two"), 0);
    store_close(s);
}

/* Parts and scrubbing want no memory of this folder. */
static int part_and_scrub(struct store *s, bool drops)
{
    TRY(store_begin(s));
    int x = store_save(s);
    if (x == 0)
        x = put_more(s, "p", drops ? "dropped" : "kept");
    if (x == 0)
        x = drops ? store_drop(s) : store_keep(s);
    if (x < 0) {
        store_rollback(s);
        return x;
    }
    TRY(store_commit(s));
    return store_scrub(s);
}

static void test_parts_without_memory(void **state)
{
    const struct test_folder *f = *state;
    struct store *s = NULL;
    assert_int_equal(store_create(f->db, &s), 0);
    store_close(s);
    assert_int_equal(store_open(f->db, &s), 0);
    for (int drops = 0; drops < 2; drops++) {
        EACH_ALLOC_FAILURE({
            int x = part_and_scrub(s, drops == 1);
            assert_true(x == 0 || x == -ENOMEM);
        });
        assert_true(test_has(s, "p", "kept"));
    }
    store_close(s);
}

/* Runs once with each allocation of this folder failing; SQLite's own are in test-fault.c. */
static void open_or_nomem(const char *path, bool creates)
{
    struct store *s = NULL;
    int x = creates ? store_create(path, &s) : store_open(path, &s);
    assert_true(x == 0 || x == -ENOMEM);
    store_close(s);
    if (creates && x == 0)
        assert_int_equal(unlink(path), 0);
}

static void test_allocation_failure(void **state)
{
    const struct test_folder *f = *state;
    struct store *s = NULL;
    EACH_ALLOC_FAILURE(open_or_nomem(f->db, true));
    assert_int_equal(store_create(f->db, &s), 0);
    store_close(s);
    EACH_ALLOC_FAILURE(open_or_nomem(f->db, false));
}

/* A sync says so when the database or its log is not where it was; nothing goes on from there. */
static void test_files_that_are_gone(void **state)
{
    const struct test_folder *f = *state;
    char aside[128];
    (void)snprintf(aside, sizeof aside, "%s/aside", f->path);
    const char *const places[] = {f->db, f->log};
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        struct store *s = NULL;
        assert_int_equal(i == 0 ? store_create(f->db, &s) : 0, 0);
        store_close(s);
        assert_int_equal(store_open(f->db, &s), 0);
        assert_int_equal(test_put(s, "a", "one"), 0);
        assert_int_equal(store_sync(s), 0);
        assert_int_equal(rename(places[i], aside), 0);
        assert_int_equal(store_sync(s), 0); /* nothing came since */
        assert_int_equal(test_put(s, "a", "two"), 0);
        assert_int_equal(store_sync(s), FAULT_GONE);
        assert_int_equal(rename(aside, places[i]), 0);
        assert_int_equal(store_sync(s), FAULT_SYNC);
        assert_int_equal(store_begin(s), FAULT_SYNC);
        assert_int_equal(store_checkpoint(s, 0), FAULT_SYNC);
        store_close(s);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, test_folder_make, test_folder_remove)
    const struct CMUnitTest tests[] = {
        T(test_create_and_reopen),
        T(test_files_that_are_gone),
        T(test_relative_and_bad_paths),
        T(test_links),
        T(test_not_ours),
        T(test_truncated),
        T(test_flipped),
        T(test_two_processes),
        T(test_rollback),
        T(test_killed),
        T(test_file_limit),
        T(test_no_permission),
        T(test_allocation_failure),
        T(test_parts),
        T(test_scrub),
        T(test_scrub_killed),
        T(test_parts_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
