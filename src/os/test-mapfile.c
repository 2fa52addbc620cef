/* Tests of mapfile: growing, storing, what a full disk leaves, and files that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/file.h"
#include "os/mapfile.h"

enum { ROOM = 1 << 20 };

static char folder[64];
static int at = -1;

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/secreg-mapfile-XXXXXX");
    return mkdtemp(folder) == NULL || file_open_folder(folder, &at) != 0 ? -1 : 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlinkat(at, "a", 0);
    file_drop_fd(&at);
    return rmdir(folder);
}

static void test_store(void **state)
{
    struct mapfile f, again;
    struct stat st;
    char text[6] = "";
    (void)state;
    assert_int_equal(mapfile_make(at, "a", ROOM, &f), 0);
    assert_int_equal(f.bytes, 0);
    assert_int_equal(mapfile_grow(&f, 100000), 0);
    assert_int_equal(mapfile_grow(&f, 10), 0); /* it does not shrink */
    assert_int_equal(f.bytes, 100000);
    assert_int_equal(fstat(f.fd, &st), 0);
    assert_int_equal(st.st_size, 100000);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_blocks * 512 >= 100000, 1); /* written, not a hole */
    for (size_t i = 0; i < f.bytes; i++)
        assert_int_equal(f.p[i], 0);
    memcpy(f.p + 99990, "stored", 6);
    assert_int_equal(pread(f.fd, text, sizeof text, 99990), 6);
    assert_memory_equal(text, "stored", 6);
    assert_int_equal(mapfile_sync(&f), 0);
    mapfile_forget(&f, f.bytes);
    assert_memory_equal(f.p + 99990, "stored", 6);
    assert_int_equal(mapfile_make(at, "a", ROOM, &again), -EEXIST);
    assert_int_equal(mapfile_open(at, "a", ROOM, false, &again), 0);
    assert_int_equal(again.bytes, 100000);
    assert_memory_equal(again.p + 99990, "stored", 6);
    mapfile_close(&again);
    mapfile_close(&again); /* a closed one */
    mapfile_close(&f);
}

/* Little or much, written or stored: the file and the mapping show the same. */
static void test_put(void **state)
{
    static uint8_t much[200000], back[sizeof much];
    static const size_t sizes[] = {0, 1, 4096, (16 << 10) - 1, 16 << 10, sizeof much};
    struct mapfile f;
    (void)state;
    assert_int_equal(mapfile_make(at, "a", ROOM, &f), 0);
    assert_int_equal(mapfile_grow(&f, 3 * sizeof much), 0);
    int fd = f.fd;
    for (size_t i = 0; i < 2 * COUNT_OF(sizes); i++) {
        size_t n = sizes[i / 2], place = 100 * i + 1;
        memset(much, (int)i + 1, n);
        f.fd = i % 2 == 0 ? fd : -1; /* it cannot be written: the mapping is there all the same */
        mapfile_put(&f, place, bytes_of(much, n));
        assert_memory_equal(f.p + place, much, n);
        assert_int_equal(pread(fd, back, n, (off_t)place), n);
        assert_memory_equal(back, much, n);
        assert_int_equal(f.p[place + n], 0);
        memset(f.p, 0, f.bytes);
    }
    f.fd = fd;
    mapfile_close(&f);
    assert_int_equal(unlinkat(at, "a", 0), 0);
}

static void test_refused(void **state)
{
    struct mapfile f;
    (void)state;
    assert_int_equal(mapfile_open(at, "a", ROOM, true, &f), FILE_ABSENT);
    assert_int_equal(mapfile_make(at, "a", ROOM, &f), 0);
    assert_int_equal(mapfile_grow(&f, 5000), 0);
    mapfile_close(&f);
    assert_int_equal(mapfile_open(at, "a", 4999, true, &f), FAULT_CORRUPT);
    assert_int_equal(mapfile_open(at, "a", 5000, true, &f), 0);
    mapfile_close(&f);
    assert_int_equal(unlinkat(at, "a", 0), 0);
    assert_int_equal(symlinkat("/dev/null", at, "a"), 0);
    assert_int_equal(mapfile_open(at, "a", ROOM, true, &f), -ELOOP);
    assert_int_equal(unlinkat(at, "a", 0), 0);
    assert_int_equal(mkfifoat(at, "a", 0600), 0);
    assert_int_equal(mapfile_open(at, "a", ROOM, true, &f), FAULT_CORRUPT);
}

/* A limit of the file's size stands for a full disk: the file is as it was, and can grow later. */
static void test_full(void **state)
{
    struct mapfile f;
    struct rlimit saved, limit;
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(mapfile_make(at, "a", ROOM, &f), 0);
    assert_int_equal(mapfile_grow(&f, 4096), 0);
    f.p[4095] = 7;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &saved), 0);
    limit = (struct rlimit){200000, saved.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int r = mapfile_grow(&f, 300000);
    struct stat st;
    assert_int_equal(fstat(f.fd, &st), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &saved), 0);
    assert_int_equal(r, FAULT_FULL);
    assert_int_equal(st.st_size, 4096);
    assert_int_equal(f.bytes, 4096);
    assert_int_equal(mapfile_grow(&f, 300000), 0);
    assert_int_equal(f.p[4095], 7);
    mapfile_close(&f);
}

static void test_sync_fails(void **state)
{
    struct mapfile f = {.fd = -1};
    (void)state;
    assert_int_equal(mapfile_sync(&f), FAULT_SYNC);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {T(test_store), T(test_put), T(test_refused), T(test_full), T(test_sync_fails)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
