/* Tests of rotate: names and days, files of one day, compressing in steps and after a kill, and what expires. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "follow/rotate.h"
#include "os/file.h"
#include "remove-tree.h"

static char root[64];
static int at = -1;

static int make(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/secreg-rotate-XXXXXX");
    return mkdtemp(root) == NULL || file_open_folder(root, &at) != 0;
}

static int unmake(void **state)
{
    (void)state;
    close(at);
    remove_tree(root);
    return 0;
}

static void put(const char *name, const char *content, size_t times)
{
    int fd = -1;
    assert_int_equal(file_open(at, name, O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd), 0);
    for (size_t i = 0; i < times; i++)
        assert_int_equal(file_write_all(fd, bytes_of_text(content)), 0);
    close(fd);
}

static bool is_there(const char *name)
{
    return faccessat(at, name, F_OK, 0) == 0;
}

static int64_t day_of(const char *name)
{
    int64_t day = -1;
    bool is_packed;
    assert_true(rotate_read_name(name, &day, &is_packed));
    return day;
}

static void test_names(void **state)
{
    static const char *const bad[] = {"audit.log",
                                      "audit-2024-1-2.log",
                                      "audit-2024-02-30.log",
                                      "audit-2024-02-29.lo",
                                      "audit-2024-02-29.log.gz2",
                                      "audit-2024-02-29.0.log",
                                      "audit-2024-02-29.01.log",
                                      "xaudit-2024-02-29.log",
                                      "audit-2024-02-29.log/..",
                                      "audit-2024-02-29",
                                      "audit-2023-02-29.log",
                                      "audit-2024-02-29.99999.log",
                                      ""};
    char name[ROTATE_NAME_BYTES];
    int64_t day;
    bool is_packed;
    (void)state;
    for (int64_t d = -1000; d < 60000; d += 7) {
        rotate_name(d, d % 3 == 0 ? 0 : 12, name);
        assert_int_equal(day_of(name), d);
        snprintf(name + strlen(name), 4, ".gz");
        assert_true(rotate_read_name(name, &day, &is_packed) && is_packed && day == d);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(rotate_read_name(bad[i], &day, &is_packed));
    rotate_name(19782, 0, name);
    assert_string_equal(name, "audit-2024-02-29.log");
    assert_int_equal(rotate_day((struct wall_time){-1}), 0); /* the second that it is part of */
    assert_int_equal(rotate_day((struct wall_time){-US_PER_S}), -1);
    assert_int_equal(rotate_day((struct wall_time){86400 * US_PER_S}), 1);
}

static void test_same_day(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        put(ROTATE_LIVE, "x", 1);
        assert_int_equal(rotate_away(at, 19782), 0);
        assert_false(is_there(ROTATE_LIVE));
    }
    assert_true(is_there("audit-2024-02-29.log") && is_there("audit-2024-02-29.1.log") &&
                is_there("audit-2024-02-29.2.log"));
    assert_int_equal(renameat(at, "audit-2024-02-29.1.log", at, "audit-2024-02-29.1.log.gz"), 0);
    put(ROTATE_LIVE, "x", 1); /* the name of a compressed one is taken, too */
    assert_int_equal(rotate_away(at, 19782), 0);
    assert_true(is_there("audit-2024-02-29.3.log") && !is_there("audit-2024-02-29.1.log"));
}

static void pack_all(void)
{
    struct rotate_pack *p = NULL;
    int r;
    while ((r = rotate_pack_begin(at, &p)) == 0) {
        while ((r = rotate_pack_step(p)) == ROTATE_MORE) {
        }
        p = rotate_pack_end(p);
        assert_int_equal(r, 0);
    }
    assert_int_equal(r, ROTATE_NONE);
}

static void test_pack(void **state)
{
    char path[128], line[64];
    (void)state;
    put("audit-2024-02-29.log", "a line of it\n", 100000);
    put("audit-2024-03-01.log", "", 1);
    put("other.log", "x", 1);
    pack_all();
    assert_true(is_there("audit-2024-02-29.log.gz") && !is_there("audit-2024-02-29.log"));
    assert_true(is_there("audit-2024-03-01.log.gz") && is_there("other.log") && !is_there(".audit.gz.new"));
    snprintf(path, sizeof path, "%s/audit-2024-02-29.log.gz", root);
    gzFile z = gzopen(path, "rb");
    size_t count = 0;
    while (gzgets(z, line, sizeof line) != NULL) {
        assert_string_equal(line, "a line of it\n");
        count++;
    }
    gzclose(z);
    assert_int_equal(count, 100000);
}

/* Killed at any step: the past file is there, and compressed the next time. */
static void test_pack_is_cut(void **state)
{
    struct rotate_pack *p = NULL;
    (void)state;
    for (int steps = 0; steps < 4; steps++) {
        put("audit-2024-02-29.log", "a line of it\n", 80000);
        put(".audit.gz.new", "what a kill left", 1);
        assert_int_equal(rotate_pack_begin(at, &p), 0);
        for (int i = 0; i < steps; i++)
            assert_int_equal(rotate_pack_step(p), ROTATE_MORE);
        p = rotate_pack_end(p);
        assert_true(is_there("audit-2024-02-29.log") && !is_there("audit-2024-02-29.log.gz"));
        pack_all();
        assert_true(!is_there("audit-2024-02-29.log") && is_there("audit-2024-02-29.log.gz"));
        assert_int_equal(unlinkat(at, "audit-2024-02-29.log.gz", 0), 0);
    }
}

static void test_expire(void **state)
{
    (void)state;
    static const char *const names[] = {"audit-2024-01-01.log.gz",
                                        "audit-2024-01-02.log",
                                        "audit-2024-01-02.1.log.gz",
                                        "audit-2024-01-03.log.gz",
                                        "audit-2024-01-04.log.gz",
                                        ROTATE_LIVE,
                                        "notes"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        put(names[i], "x", 1);
    int64_t far = day_of("audit-2030-01-01.log");
    assert_int_equal(rotate_expire(at, day_of("audit-2024-01-01.log")), 0);
    assert_true(is_there(names[0]));
    assert_int_equal(rotate_expire(at, day_of("audit-2024-01-02.log")), 0);
    assert_true(!is_there(names[0]) && is_there(names[1]));
    assert_int_equal(rotate_expire(at, far), 0); /* a clock that jumped takes two files at most */
    assert_true(!is_there(names[1]) && !is_there(names[2]) && is_there(names[3]) && is_there(names[4]));
    assert_int_equal(rotate_expire(at, far), 0);
    assert_true(!is_there(names[3]) && !is_there(names[4]) && is_there(ROTATE_LIVE) && is_there("notes"));
    assert_int_equal(rotate_expire(at, far), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names),
                                       cmocka_unit_test_setup_teardown(test_same_day, make, unmake),
                                       cmocka_unit_test_setup_teardown(test_pack, make, unmake),
                                       cmocka_unit_test_setup_teardown(test_pack_is_cut, make, unmake),
                                       cmocka_unit_test_setup_teardown(test_expire, make, unmake)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
