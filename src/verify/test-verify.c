/* Tests of verify: every changed byte of an export and of a file, gaps, other files, and checkpoints of every size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fail-alloc.h"
#include "remove-tree.h"
#include "verify/verify.h"

enum { RECORDS_COUNT = 40 };

static struct {
    char folder[64], file[128], more[128], trail[96], db[96];
    struct buf export; /* length and record, of each */
    size_t at[RECORDS_COUNT + 1];
    struct trail_head heads[RECORDS_COUNT + 1]; /* of so many records */
} t;

static struct epoch_seed seed; /* of the trail */

static int collect(uint64_t seq, struct bytes record, void *arg)
{
    struct trail_check *c = arg;
    uint8_t head[] = {0, 0, (uint8_t)(record.n >> 8), (uint8_t)record.n};
    assert_int_equal(trail_check_head(c, &t.heads[seq]), 0);
    t.at[seq] = buf_size(&t.export);
    assert_int_equal(buf_append(&t.export, BYTES_OF(head)), 0);
    assert_int_equal(buf_append(&t.export, record), 0);
    return trail_check_add(c, record);
}

/* A log as the daemon writes it, and the same records as an export. */
static int setup(void **state)
{
    static struct trail_check c;
    struct store *store;
    struct trail *trail;
    (void)state;
    (void)snprintf(t.folder, sizeof t.folder, "/tmp/secreg-verify-XXXXXX");
    if (crypt_start() < 0 || mkdtemp(t.folder) == NULL)
        return -1;
    (void)snprintf(t.db, sizeof t.db, "%s/a.db", t.folder);
    (void)snprintf(t.trail, sizeof t.trail, "%s/trail", t.folder);
    (void)snprintf(t.file, sizeof t.file, "%s/%020d.log", t.trail, 0);
    (void)snprintf(t.more, sizeof t.more, "%s/%020d.log", t.trail, RECORDS_COUNT);
    assert_int_equal(store_create(t.db, &store), 0);
    assert_int_equal(trail_make(t.trail, &seed), 0);
    assert_int_equal(trail_open(store, t.trail, TRAIL_RESERVE_COUNT, &trail), 0);
    for (unsigned i = 0; i < RECORDS_COUNT; i++) {
        struct record r = {.kind = RECORD_GET, .uid = i, .path = BYTES_LITERAL("/registry/a")};
        assert_int_equal(trail_append(trail, &r), 0);
    }
    assert_int_equal(trail_flush(trail, BYTES_NONE, false), 0);
    trail_settle(trail, true);
    buf_init(&t.export, 1 << 20);
    trail_check_init(&c);
    assert_int_equal(trail_read(trail, 0, false, collect, &c), 0);
    assert_int_equal(trail_check_head(&c, &t.heads[RECORDS_COUNT]), 0);
    t.at[RECORDS_COUNT] = buf_size(&t.export);
    trail_close(trail);
    store_close(store);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_fini(&t.export);
    return remove_tree(t.folder);
}

static void read_export(struct verify *v, struct bytes content)
{
    int fd = memfd_create("export", MFD_CLOEXEC);
    assert_true(fd >= 0 && write(fd, content.p, content.n) == (ssize_t)content.n && lseek(fd, 0, SEEK_SET) == 0);
    assert_int_equal(verify_export(v, fd), 0);
    assert_int_equal(verify_end(v), 0);
    close(fd);
}

static unsigned read_folder(struct verify *v)
{
    int at = open(t.trail, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    verify_init(v);
    assert_int_equal(verify_folder(v, at), 0);
    assert_int_equal(verify_end(v), 0);
    close(at);
    return verify_bits(v);
}

static void both_forms_are_good(void **state)
{
    static struct verify v;
    struct trail_head head;
    (void)state;
    for (int i = 0; i < 2; i++) {
        verify_init(&v);
        if (i == 0)
            read_export(&v, buf_view(&t.export));
        else
            assert_int_equal(read_folder(&v), 0);
        assert_int_equal(verify_bits(&v), 0);
        assert_int_equal(v.integrity, VERIFY_OK);
        assert_int_equal(v.order, VERIFY_OK);
        assert_int_equal(v.tail, VERIFY_UNKNOWN);
        assert_int_equal(trail_check_head(&v.check, &head), 0);
        assert_memory_equal(&head, &t.heads[RECORDS_COUNT], sizeof head);
    }
    verify_init(&v);
    read_export(&v, BYTES_NONE);
    assert_int_equal(verify_bits(&v), 0);
    assert_int_equal(v.check.tree.size, 0);
}

/* Which record shows it is the one that was changed, or the next; but what changes the last one is seen by a checkpoint
 * alone, or by the hash beside it. */
static void every_changed_byte_of_an_export_is_found(void **state)
{
    static struct verify v;
    uint8_t *p = t.export.p + t.export.start;
    (void)state;
    size_t seq = 0;
    for (size_t i = 0; i < buf_size(&t.export); i++) {
        struct checkpoint all = {.size = RECORDS_COUNT};
        memcpy(all.root, t.heads[RECORDS_COUNT].root, sizeof all.root);
        seq += i == t.at[seq + 1];
        p[i] ^= 0x20;
        verify_init(&v);
        verify_anchor(&v, &all, VERIFY_OK);
        read_export(&v, buf_view(&t.export));
        assert_true((verify_bits(&v) & VERIFY_BIT_TAIL) != 0);
        assert_true(v.why == NULL ? seq == RECORDS_COUNT - 1 : v.check.tree.size <= seq + 1);
        if (seq < RECORDS_COUNT - 1)
            assert_true((verify_bits(&v) & (VERIFY_BIT_INTEGRITY | VERIFY_BIT_ORDER)) != 0);
        p[i] ^= 0x20;
    }
}

static void flip(size_t at)
{
    uint8_t byte = 0;
    int fd = open(t.file, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0 && pread(fd, &byte, 1, (off_t)at) == 1);
    byte ^= 0x20;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    close(fd);
}

static void every_changed_byte_of_a_file_is_found(void **state)
{
    static struct verify v;
    size_t frames = 53248, end = frames + t.at[RECORDS_COUNT] + RECORDS_COUNT * DIGEST_BYTES;
    (void)state;
    for (size_t i = 0; i < end; i += i < 16 || i >= frames ? 1 : 97) {
        flip(i);
        unsigned bits = read_folder(&v);
        bool is_hint = i >= 16 && i < frames; /* marks and hints are not looked at */
        assert_int_equal(bits != 0, !is_hint);
        if (bits != 0)
            assert_true(v.check.tree.size < RECORDS_COUNT && v.why != NULL);
        flip(i);
    }
    assert_int_equal(read_folder(&v), 0);
}

static void cut_moved_and_missing_records(void **state)
{
    static struct verify v;
    struct bytes all = buf_view(&t.export);
    struct buf other;
    (void)state;
    for (size_t n = 0; n < all.n; n++) {
        size_t whole = 0;
        while (t.at[whole + 1] <= n)
            whole++;
        verify_init(&v);
        read_export(&v, bytes_head(all, n));
        assert_int_equal(v.check.tree.size, whole);
        assert_int_equal(verify_bits(&v), n == t.at[whole] ? 0 : VERIFY_BIT_INTEGRITY);
    }
    buf_init(&other, 1 << 20); /* one left out, then two changed places */
    assert_int_equal(buf_append(&other, bytes_head(all, t.at[5])), 0);
    assert_int_equal(buf_append(&other, bytes_from(all, t.at[6])), 0);
    verify_init(&v);
    read_export(&v, buf_view(&other));
    assert_int_equal(verify_bits(&v), VERIFY_BIT_ORDER);
    assert_int_equal(v.check.tree.size, 5);
    buf_fini(&other);
}

static void checkpoints_of_every_size(void **state)
{
    static struct verify v;
    (void)state;
    for (uint64_t size = 0; size <= RECORDS_COUNT + 1; size++) {
        struct checkpoint c = {.size = size};
        memcpy(c.root, t.heads[size <= RECORDS_COUNT ? size : 0].root, sizeof c.root);
        verify_init(&v);
        verify_anchor(&v, &c, VERIFY_OK);
        read_export(&v, buf_view(&t.export));
        assert_int_equal(verify_bits(&v), size <= RECORDS_COUNT ? 0 : VERIFY_BIT_TAIL);
        c.root[3] ^= 1;
        verify_init(&v);
        verify_anchor(&v, &c, VERIFY_BAD);
        read_export(&v, buf_view(&t.export));
        assert_int_equal(verify_bits(&v), VERIFY_BIT_TAIL | VERIFY_BIT_AUTHENTICITY);
    }
}

static void files_that_do_not_belong(void **state)
{
    static struct verify v;
    char moved[160];
    (void)state;
    assert_int_equal(link(t.file, t.more), 0); /* a copy of the first under the number of a second */
    assert_int_equal(read_folder(&v), VERIFY_BIT_INTEGRITY);
    assert_int_equal(unlink(t.more), 0);
    (void)snprintf(moved, sizeof moved, "%s/%020d.log", t.trail, 7);
    assert_int_equal(rename(t.file, moved), 0); /* it begins with another record than its name says */
    assert_int_equal(read_folder(&v), VERIFY_BIT_INTEGRITY);
    assert_int_equal(v.check.tree.size, 0);
    assert_int_equal(rename(moved, t.file), 0);
    (void)snprintf(moved, sizeof moved, "%s/%020d.log", t.trail, RECORDS_COUNT + 1);
    assert_int_equal(link(t.file, moved), 0); /* one between the two is missing */
    assert_int_equal(read_folder(&v), VERIFY_BIT_ORDER);
    assert_int_equal(unlink(moved), 0);
    int fd = open(t.more, O_WRONLY | O_CREAT | O_CLOEXEC, 0600); /* an empty one */
    close(fd);
    assert_int_equal(read_folder(&v), VERIFY_BIT_INTEGRITY);
    assert_int_equal(unlink(t.more), 0);
    int at = open(t.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* no log at all */
    verify_init(&v);
    assert_int_equal(verify_folder(&v, at), -ENOENT);
    close(at);
    assert_int_equal(symlink(t.file, t.more), 0);
    at = open(t.trail, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    verify_init(&v);
    assert_int_equal(verify_folder(&v, at), -ELOOP);
    close(at);
}

static void read_or_nomem(void)
{
    static struct verify v;
    int at = open(t.trail, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    verify_init(&v);
    int r = verify_folder(&v, at);
    assert_true(r == 0 || r == -ENOMEM);
    close(at);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    EACH_ALLOC_FAILURE(read_or_nomem());
}

/* ---- a log of several files ------------------------------------------------------------------------------ */

enum { LONG_COUNT = 12000, LONG_TURN_COUNT = 500 };

static struct {
    char folder[64], trail[96];
    struct trail_head heads[LONG_COUNT / LONG_TURN_COUNT + 1];
    uint64_t firsts[8]; /* of its files */
    size_t files;
} l;

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void list_files(void)
{
    DIR *d = opendir(l.trail);
    assert_non_null(d);
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        if (strstr(e->d_name, ".log") != NULL) {
            assert_true(l.files < COUNT_OF(l.firsts));
            l.firsts[l.files++] = strtoull(e->d_name, NULL, 10);
        }
    }
    closedir(d);
    qsort(l.firsts, l.files, sizeof l.firsts[0], by_number);
    assert_true(l.files >= 3);
}

static void make_long(void)
{
    static char text[RECORD_TEXT_MAX_BYTES];
    struct store *store;
    struct trail *trail;
    char db[96];
    memset(text, 'x', sizeof text);
    (void)snprintf(l.folder, sizeof l.folder, "/tmp/secreg-verify-XXXXXX");
    assert_non_null(mkdtemp(l.folder));
    (void)snprintf(db, sizeof db, "%s/db", l.folder);
    (void)snprintf(l.trail, sizeof l.trail, "%s/trail", l.folder);
    assert_int_equal(store_create(db, &store), 0);
    assert_int_equal(trail_make(l.trail, &seed), 0);
    assert_int_equal(trail_open(store, l.trail, TRAIL_RESERVE_COUNT, &trail), 0);
    for (size_t i = 0; i < LONG_COUNT; i++) {
        struct record r = {.kind = RECORD_GET,
                           .wall_us = (int64_t)i,
                           .unit = BYTES_OF(text),
                           .path = BYTES_OF(text),
                           .detail = BYTES_OF(text),
                           .label = BYTES_OF(text)};
        assert_int_equal(trail_append(trail, &r), 0);
        if ((i + 1) % LONG_TURN_COUNT == 0) {
            assert_int_equal(trail_flush(trail, BYTES_NONE, false), 0);
            trail_settle(trail, true);
            assert_int_equal(trail_head(trail, &l.heads[(i + 1) / LONG_TURN_COUNT]), 0);
        }
    }
    trail_close(trail);
    store_close(store);
    list_files();
}

static unsigned verify_from(struct verify *v, size_t head)
{
    struct checkpoint c = {.size = l.heads[head].size};
    memcpy(c.root, l.heads[head].root, sizeof c.root);
    int at = open(l.trail, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    verify_init(v);
    verify_anchor(v, &c, VERIFY_OK);
    verify_skip(v);
    assert_int_equal(verify_folder(v, at), 0);
    assert_int_equal(verify_end(v), 0);
    close(at);
    return verify_bits(v);
}

static void flip_in(size_t file, off_t at)
{
    char path[160];
    uint8_t byte = 0;
    (void)snprintf(path, sizeof path, "%s/%020llu.log", l.trail, (unsigned long long)l.firsts[file]);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0 && pread(fd, &byte, 1, at) == 1);
    byte ^= 1;
    assert_true(pwrite(fd, &byte, 1, at) == 1);
    close(fd);
}

static void what_was_verified_is_not_read_again(void **state)
{
    static struct verify v;
    struct trail_head head;
    size_t last = LONG_COUNT / LONG_TURN_COUNT, boundaries = 0;
    (void)state;
    make_long();
    for (size_t i = 1; i <= last; i++) { /* a turn is what a file begins with, so some heads are just there */
        uint64_t first = 0;
        for (size_t f = 0; f < l.files; f++)
            first = l.firsts[f] <= l.heads[i].size ? l.firsts[f] : first;
        boundaries += first == l.heads[i].size;
        if (i % 6 != 1 && i != last && first != l.heads[i].size)
            continue;
        assert_int_equal(verify_from(&v, i), 0);
        assert_true(v.first == first && v.tail == VERIFY_OK && v.integrity == VERIFY_OK && v.order == VERIFY_OK);
        assert_int_equal(trail_check_head(&v.check, &head), 0);
        assert_memory_equal(&head, &l.heads[last], sizeof head);
    }
    assert_true(boundaries >= 2);

    size_t newest = l.files - 1;
    flip_in(newest, 16 + 8 + 3); /* the tree before it */
    assert_int_equal(verify_from(&v, last), VERIFY_BIT_TAIL);
    assert_int_equal(v.integrity, VERIFY_UNKNOWN); /* it was counted from what is not known to be so */
    flip_in(newest, 16 + 8 + 3);
    flip_in(newest, 16 + 7); /* its size */
    assert_int_equal(verify_from(&v, last), VERIFY_BIT_INTEGRITY | VERIFY_BIT_TAIL);
    flip_in(newest, 16 + 7);
    flip_in(newest, 53248 + 100); /* a record that the checkpoint covers */
    assert_true((verify_from(&v, last) & VERIFY_BIT_INTEGRITY) != 0);
    flip_in(newest, 53248 + 100);
    flip_in(0, 53248 + 100); /* what is not read again is not found */
    assert_int_equal(verify_from(&v, last), 0);
    assert_true((verify_from(&v, 1) & VERIFY_BIT_INTEGRITY) != 0);
    flip_in(0, 53248 + 100);
    flip_in(newest, 8 + 7); /* the number of its first record */
    assert_true((verify_from(&v, last) & VERIFY_BIT_INTEGRITY) != 0);
    flip_in(newest, 8 + 7);
    assert_int_equal(verify_from(&v, last), 0);
    assert_int_equal(remove_tree(l.folder), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(both_forms_are_good),
        T(every_changed_byte_of_an_export_is_found),
        T(every_changed_byte_of_a_file_is_found),
        T(cut_moved_and_missing_records),
        T(checkpoints_of_every_size),
        T(files_that_do_not_belong),
        T(every_allocation_may_fail),
        cmocka_unit_test(what_was_verified_is_not_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
