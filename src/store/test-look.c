/* Tests of look: what is read of a closed database, and everything that is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "fail-alloc.h"
#include "test-folder.h"

static unsigned count;
static int result; /* of each digest */

static int on_digest(struct bytes digest, void *arg)
{
    uint8_t *sum = arg;
    assert_int_equal(digest.n, STORE_DIGEST_BYTES);
    count++;
    sum[digest.p[0]]++;
    return result;
}

static void make(const struct test_folder *f)
{
    struct store *s = NULL;
    assert_int_equal(store_create(f->db, &s), 0);
    store_close(s);
}

static int look(const char *path, uint8_t sum[static 256], uint64_t *ret_end)
{
    count = 0;
    memset(sum, 0, 256);
    return store_look(path, on_digest, sum, ret_end);
}

#define DIGEST(byte) "x'" byte "00000000000000000000000000000000000000000000000000000000000000'"
#define VERSION(id, path, mac)                                                                                         \
    "INSERT INTO version VALUES (" id ", " path ", 0, 1, 1, 1, 0, 0, 0, 0, 0, 1, 0, '', '', '', " mac ", x'');"

static void test_what_there_is(void **state)
{
    const struct test_folder *f = *state;
    uint8_t sum[256];
    uint64_t end = 7;
    make(f);
    assert_int_equal(look(f->db, sum, &end), 0);
    assert_int_equal(count, 0);
    assert_int_equal(end, 0);
    test_plant(f->db, VERSION("1", "'/a'", DIGEST("01")) VERSION("2", "'/b'", DIGEST("02"))
                          VERSION("3", "'/a'", DIGEST("03")));
    assert_int_equal(look(f->db, sum, &end), 0);
    assert_int_equal(count, 2); /* the newest of each path */
    assert_true(sum[1] == 0 && sum[2] == 1 && sum[3] == 1);
    result = FAULT_LIMIT;
    assert_int_equal(look(f->db, sum, &end), FAULT_LIMIT);
    assert_int_equal(count, 1);
    result = 0;
}

static void test_what_is_none(void **state)
{
    const struct test_folder *f = *state;
    uint8_t sum[256];
    uint64_t end;
    char path[4200];
    assert_int_equal(look(f->db, sum, &end), FAULT_STORE); /* no such file */
    memset(path, '/', sizeof path);
    path[sizeof path - 1] = '\0';
    assert_int_equal(look(path, sum, &end), -ENAMETOOLONG);
    int fd = open(f->db, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(look(f->db, sum, &end), FAULT_SCHEMA); /* empty */
    assert_int_equal(write(fd, "no database at all, and long enough to be looked at as one: it must not be one", 78),
                     78);
    close(fd);
    assert_int_equal(look(f->db, sum, &end), FAULT_CORRUPT);
}

static void test_other_layouts(void **state)
{
    const struct test_folder *f = *state;
    uint8_t sum[256];
    uint64_t end;
    make(f);
    test_plant(f->db, "CREATE VIEW other AS SELECT * FROM version");
    assert_int_equal(look(f->db, sum, &end), FAULT_CORRUPT);
    test_plant(f->db, "DROP VIEW other");
    assert_int_equal(look(f->db, sum, &end), 0);
    test_plant(f->db, VERSION("1", "'/a'", "x'0102'"));
    assert_int_equal(look(f->db, sum, &end), FAULT_CORRUPT);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, test_folder_make, test_folder_remove)
    const struct CMUnitTest tests[] = {T(test_what_there_is), T(test_what_is_none), T(test_other_layouts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
