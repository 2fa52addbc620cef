/* Tests of memfile: what it holds, that nobody can change it, and how it is passed on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/memfile.h"

static void test_content(void **state)
{
    char path[64], text[16] = "";
    int fd = -1;
    struct stat st;
    (void)state;
    assert_int_equal(memfile_make("x", BYTES_LITERAL("secret"), &fd), 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fstat(fd, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_int_equal(st.st_mode & 07777, 0400);
    assert_int_equal(st.st_size, 6);
    assert_int_equal(read(fd, text, sizeof text), 6);
    assert_string_equal(text, "secret");
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    for (int i = 0; i < 2; i++) { /* each opening begins at the first byte */
        int again = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(again >= 0);
        assert_int_equal(read(again, text, sizeof text), 6);
        close(again);
    }
    close(fd);
    assert_int_equal(memfile_make("x", BYTES_NONE, &fd), 0);
    assert_int_equal(read(fd, text, sizeof text), 0);
    close(fd);
}

static void test_sealed(void **state)
{
    int fd = -1;
    (void)state;
    assert_int_equal(memfile_make("x", BYTES_LITERAL("secret"), &fd), 0);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(ftruncate(fd, 100), -1);
    assert_ptr_equal(mmap(NULL, 6, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
    close(fd);
}

static void test_pass(void **state)
{
    int fd = -1;
    (void)state;
    assert_int_equal(memfile_make("x", BYTES_LITERAL("secret"), &fd), 0);
    int copy = memfile_pass(fd, 20);
    assert_true(copy >= 20);
    assert_int_equal(fcntl(copy, F_GETFD), 0);
    int next = memfile_pass(fd, 20);
    assert_true(next > copy);
    close(copy);
    close(next);
    close(fd);
    assert_int_equal(memfile_pass(fd, 20), -EBADF);
}

static void test_faults(void **state)
{
    char name[300];
    int fd = -1;
    struct rlimit saved, none;
    (void)state;
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(memfile_make(name, BYTES_NONE, &fd), -EINVAL);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &saved), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = saved.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(memfile_make("x", BYTES_NONE, &fd), -EMFILE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &saved), 0);
    assert_int_equal(fd, -1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_sealed),
        cmocka_unit_test(test_pass),
        cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
