/* Tests of cursor: what is saved is found again, through cut and damaged saves, and one at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypt/secret.h"
#include "follow/cursor.h"
#include "os/file.h"
#include "remove-tree.h"

static char root[64];
static int at = -1;

static int make(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/secreg-cursor-XXXXXX");
    return mkdtemp(root) == NULL || file_open_folder(root, &at) != 0;
}

static int unmake(void **state)
{
    (void)state;
    close(at);
    remove_tree(root);
    return 0;
}

static struct cursor some(uint64_t n)
{
    struct cursor c = {
        .place.next = n, .high = n + 5, .gaps = 2, .others = 1, .size = n * 100, .saved_us = 77, .anchored_us = 88};
    memset(c.place.last, (int)n, sizeof c.place.last);
    snprintf(c.why, sizeof c.why, "%s", "it is away");
    return c;
}

static void assert_same(const struct cursor *a, const struct cursor *b)
{
    assert_int_equal(a->place.next, b->place.next);
    assert_memory_equal(a->place.last, b->place.last, sizeof a->place.last);
    assert_int_equal(a->high, b->high);
    assert_int_equal(a->gaps, b->gaps);
    assert_int_equal(a->others, b->others);
    assert_int_equal(a->size, b->size);
    assert_int_equal(a->saved_us, b->saved_us);
    assert_string_equal(a->why, b->why);
}

static void test_round_trip(void **state)
{
    struct cursor_file f;
    struct cursor c, none = {0};
    struct stat st;
    (void)state;
    assert_int_equal(cursor_look(at, "x.cursor", &c), CURSOR_ABSENT);
    assert_int_equal(cursor_open(at, "x.cursor", &f, &c), 0);
    assert_same(&c, &none);
    assert_int_equal(fstat(f.fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    for (uint64_t n = 1; n < 5; n++) {
        struct cursor want = some(n);
        assert_int_equal(cursor_save(&f, &want), 0);
        assert_int_equal(cursor_look(at, "x.cursor", &c), 0);
        assert_same(&c, &want);
    }
    close(f.fd);
    assert_int_equal(cursor_open(at, "x.cursor", &f, &c), 0);
    struct cursor last = some(4);
    assert_same(&c, &last);
    close(f.fd);
}

static void test_one_at_a_time(void **state)
{
    struct cursor_file f, g;
    struct cursor c;
    (void)state;
    assert_int_equal(cursor_open(at, "x.cursor", &f, &c), 0);
    assert_int_equal(cursor_open(at, "x.cursor", &g, &c), FAULT_BUSY);
    close(f.fd);
    assert_int_equal(cursor_open(at, "x.cursor", &g, &c), 0);
    close(g.fd);
}

/* A save that was cut or torn leaves the one before; with both gone that is said. */
static void test_damage(void **state)
{
    struct cursor_file f;
    struct cursor c, one = some(1);
    (void)state;
    assert_int_equal(cursor_open(at, "x.cursor", &f, &c), 0);
    assert_int_equal(cursor_save(&f, &one), 0);
    for (off_t i = 0; i < 328; i++) { /* all that is written */
        struct cursor two = some(2);
        uint8_t byte;
        struct cursor_file g = f;
        assert_int_equal(cursor_save(&g, &two), 0); /* in the other place, with the same generation each time */
        off_t place = (off_t)(g.generation % 2 * 4096);
        if (pread(f.fd, &byte, 1, place + i) != 1)
            break;
        byte ^= 1;
        assert_int_equal(pwrite(f.fd, &byte, 1, place + i), 1);
        assert_int_equal(cursor_look(at, "x.cursor", &c), 0);
        assert_same(&c, &one);
    }
    assert_int_equal(ftruncate(f.fd, 4096 + 100), 0);
    assert_int_equal(pwrite(f.fd, "xxxxxxxx", 8, 0), 8);
    assert_int_equal(cursor_look(at, "x.cursor", &c), FAULT_CORRUPT);
    close(f.fd);
    assert_int_equal(cursor_open(at, "x.cursor", &f, &c), FAULT_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_round_trip, make, unmake),
                                       cmocka_unit_test_setup_teardown(test_one_at_a_time, make, unmake),
                                       cmocka_unit_test_setup_teardown(test_damage, make, unmake)};
    return crypt_start() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
