/* Tests of segments: many files, marks, torn frames, hints that lie, full disks, and copies of all frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "fail-alloc.h"
#include "test-chain.h"

static struct chain_copy all;

static int check(uint64_t seq, struct bytes record, void *arg)
{
    struct trail_check *k = arg;
    assert_int_equal(seq, k->tree.size);
    return trail_check_add(k, record) == 0 ? 0 : FAULT_CORRUPT;
}

static int count_down(uint64_t seq, struct bytes record, void *arg)
{
    uint64_t *next = arg;
    assert_int_equal(seq, --*next);
    return trail_record_has_number(record, seq) ? 0 : FAULT_CORRUPT;
}

/* Every record in both directions, against the head. */
static void check_all(struct chain *c)
{
    static struct trail_check k;
    struct trail_head head, read;
    uint64_t next = trail_size(c->trail);
    trail_check_init(&k);
    assert_int_equal(trail_read(c->trail, 0, false, check, &k), 0);
    assert_int_equal(trail_read(c->trail, UINT64_MAX, true, count_down, &next), 0);
    assert_int_equal(next, 0);
    assert_int_equal(trail_check_head(&k, &read), 0);
    assert_int_equal(trail_head(c->trail, &head), 0);
    assert_int_equal(head.size, read.size);
    assert_memory_equal(head.root, read.root, sizeof head.root);
}

/* The path of the i-th file. */
static const char *file_of(const struct chain *c, size_t i)
{
    static char path[256];
    struct segments *s;
    assert_int_equal(segments_open(c->trail_folder, &s), 0);
    assert_true(i < s->count);
    (void)snprintf(path, sizeof path, "%s/%020llu.log", c->trail_folder, (unsigned long long)s->all[i].first);
    segments_close(s);
    return path;
}

static void overwrite(const char *path, off_t at, const void *p, size_t n)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, p, n, at), n);
    close(fd);
}

static void test_many_files(void **state)
{
    struct chain *c = *state;
    struct stat st;
    chain_fill(c, 4);
    check_all(c);
    assert_int_equal(chain_reopen(c), 0);
    check_all(c);
    assert_int_equal(chain_turn(c, 700), 0);
    check_all(c);
    assert_int_equal(stat(file_of(c, 0), &st), 0);
    assert_true(st.st_size >= SEGMENT_BYTES && st.st_size <= SEGMENT_MAX_BYTES);
    for (uint64_t seq = 0; seq < trail_size(c->trail); seq += 97) {
        uint64_t next = seq + 1;
        assert_int_equal(trail_read(c->trail, seq, true, count_down, &next), 0);
    }
}

static void test_copies(void **state)
{
    struct chain *c = *state, copy = **(struct chain **)state;
    static uint8_t bytes[80000];
    uint64_t size, later, at = 0;
    struct trail_import *m = NULL;
    chain_fill(c, 3);
    assert_int_equal(trail_bytes(c->trail, &size), 0);
    (void)snprintf(copy.trail_folder, sizeof copy.trail_folder, "%s/import", c->folder);
    assert_int_equal(trail_import_begin(copy.trail_folder, &m), 0);
    for (size_t n = 1; at < size; n = n * 7 % 79999 + 1) {
        size_t part = (size_t)MIN_OF((uint64_t)n, size - at);
        assert_int_equal(trail_copy(c->trail, at, bytes, part), 0);
        assert_int_equal(trail_import_add(m, bytes_of(bytes, part)), 0);
        at += part;
    }
    assert_int_equal(trail_import_end(m, &seed), 0);
    trail_import_free(m);
    assert_int_equal(trail_copy(c->trail, size, bytes, 1), FAULT_CORRUPT);
    assert_int_equal(chain_turn(c, 1), 0);
    assert_int_equal(trail_bytes(c->trail, &later), 0);
    assert_true(later > size);
    c->trail = trail_close(c->trail);
    assert_int_equal(trail_open(c->store, copy.trail_folder, TRAIL_RESERVE_COUNT, &copy.trail),
                     0); /* completed from the ring */
    check_all(&copy);
    trail_close(copy.trail);
    assert_int_equal(remove_tree(copy.trail_folder), 0);
}

static void test_bad_imports(void **state)
{
    struct chain *c = *state;
    static uint8_t bytes[8192];
    uint64_t size;
    char folder[128];
    assert_int_equal(chain_turn(c, 9), 0);
    assert_int_equal(trail_bytes(c->trail, &size), 0);
    assert_int_equal(trail_copy(c->trail, 0, bytes, (size_t)size), 0);
    (void)snprintf(folder, sizeof folder, "%s/import", c->folder);
    for (size_t i = 0; i <= size; i++) { /* each byte changed, then cut at the end */
        struct trail_import *m = NULL;
        assert_int_equal(trail_import_begin(folder, &m), 0);
        struct trail_import *other = NULL;
        assert_int_equal(trail_import_begin(folder, &other), -EEXIST);
        if (i < size)
            bytes[i] ^= 1;
        int x = trail_import_add(m, bytes_of(bytes, (size_t)size - (i == size)));
        if (x == 0)
            x = trail_import_end(m, &seed);
        assert_int_equal(x, FAULT_CORRUPT);
        if (i < size)
            bytes[i] ^= 1;
        trail_import_free(m);
        assert_int_equal(remove_tree(folder), 0);
        i += i > 300 && i < size - 40 ? 36 : 0;
    }
}

/* A frame that a crash tore, of any length, is taken back; what came before it stays. */
static void test_torn(void **state)
{
    struct chain *c = *state;
    assert_int_equal(chain_turn(c, 3), 0);
    assert_int_equal(chain_reads(c, 2), 0);
    struct trail_head head, again;
    assert_int_equal(trail_head(c->trail, &head), 0);
    uint64_t before, after;
    assert_int_equal(trail_bytes(c->trail, &before), 0);
    assert_int_equal(chain_reads(c, 1), 0);
    assert_int_equal(trail_bytes(c->trail, &after), 0);
    static uint8_t frame[4096], zeros[4096];
    size_t n = (size_t)(after - before);
    assert_int_equal(trail_copy(c->trail, before, frame, n), 0);
    /* as a kill leaves it: not closed in order */
    struct segments *s;
    char path[256];
    (void)snprintf(path, sizeof path, "%s", file_of(c, 0));
    off_t at = (off_t)(SEGMENT_DATA_OFFSET + before);
    for (size_t i = 0; i < n; i++) {
        struct trail_check k;
        size_t torn = 99;
        overwrite(path, at, zeros, n);
        overwrite(path, at, frame, i);
        assert_int_equal(segments_open(c->trail_folder, &s), 0);
        k = s->mark.check;
        assert_int_equal(segments_recover(s, &k, &torn), 0);
        assert_true(torn <= i && (i < 4 || torn > 0));
        assert_int_equal(s->size, 5);
        assert_memory_equal(k.last, head.last, sizeof k.last);
        for (size_t j = s->all[0].end; j < s->all[0].file.bytes; j++)
            assert_int_equal(s->all[0].file.p[j], 0);
        segments_close(s);
    }
    overwrite(path, at, frame, n);
    assert_int_equal(trail_head(c->trail, &head), 0);
    assert_int_equal(chain_reopen(c), 0);
    assert_int_equal(trail_head(c->trail, &again), 0);
    assert_memory_equal(head.root, again.root, sizeof head.root);
}

static void test_marks(void **state)
{
    struct chain *c = *state;
    char path[256];
    static uint8_t saved[8192];
    assert_int_equal(chain_turn(c, 3), 0);
    assert_int_equal(chain_reopen(c), 0);
    assert_int_equal(chain_reads(c, 3), 0);
    assert_int_equal(trail_sync(c->trail), 0);
    assert_int_equal(chain_reads(c, 3), 0);
    c->trail = trail_close(c->trail);
    (void)snprintf(path, sizeof path, "%s", file_of(c, 0));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(fd, saved, sizeof saved, 4096), sizeof saved);
    close(fd);
    for (size_t i = 0; i < 300; i++) { /* either mark may be damaged anywhere: the other one is taken */
        struct segments *s;
        for (size_t mark = 0; mark < 2; mark++) {
            uint8_t changed = saved[mark * 4096 + i] ^ 4;
            overwrite(path, (off_t)(4096 + mark * 4096 + i), &changed, 1);
            struct trail_check k;
            size_t torn;
            assert_int_equal(segments_open(c->trail_folder, &s), 0);
            k = s->mark.check;
            assert_int_equal(segments_recover(s, &k, &torn), 0);
            assert_int_equal(torn, 0);
            assert_int_equal(s->size, 9);
            segments_close(s);
            overwrite(path, 4096, saved, sizeof saved);
        }
    }
    uint8_t zeros[8] = {0};
    overwrite(path, 4096, zeros, 8);
    overwrite(path, 8192, zeros, 8);
    assert_int_equal(trail_open(c->store, c->trail_folder, TRAIL_RESERVE_COUNT, &c->trail), FAULT_CORRUPT);
    overwrite(path, 4096, saved, sizeof saved);
    overwrite(path, 0, "X", 1);
    assert_int_equal(trail_open(c->store, c->trail_folder, TRAIL_RESERVE_COUNT, &c->trail), FAULT_CORRUPT);
    overwrite(path, 0, "S", 1);
    overwrite(path, 15, "X", 1); /* another first number */
    assert_int_equal(trail_open(c->store, c->trail_folder, TRAIL_RESERVE_COUNT, &c->trail), FAULT_CORRUPT);
    overwrite(path, 15, "", 1);
    assert_int_equal(truncate(path, SEGMENT_DATA_OFFSET - 1), 0);
    assert_int_equal(trail_open(c->store, c->trail_folder, TRAIL_RESERVE_COUNT, &c->trail), FAULT_CORRUPT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(trail_open(c->store, c->trail_folder, TRAIL_RESERVE_COUNT, &c->trail), FAULT_CORRUPT);
    assert_int_equal(remove_tree(c->trail_folder), 0);
    assert_int_equal(trail_open(c->store, c->trail_folder, TRAIL_RESERVE_COUNT, &c->trail), FAULT_CORRUPT);
    assert_null(c->trail);
    assert_int_equal(trail_make(c->trail_folder, &seed), 0);
}

/* Hints of where runs begin are not trusted: reading finds the right record or says that something is wrong. */
static void test_hints(void **state)
{
    struct chain *c = *state;
    char path[256];
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(chain_turn(c, 200), 0);
    (void)snprintf(path, sizeof path, "%s", file_of(c, 0));
    static const uint8_t lies[][4] = {
        {0, 0, 0, 0}, {0, 0, 0x40, 0}, {0, 0, 0x40, 1}, {0xff, 0xff, 0xff, 0xff}, {0, 2, 0, 0}};
    uint8_t truth[4];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(fd, truth, 4, 12288 + 4 * 2), 4);
    close(fd);
    for (size_t i = 0; i < COUNT_OF(lies); i++) {
        uint64_t next = 601;
        overwrite(path, 12288 + 4 * 2, lies[i], 4);
        assert_int_equal(trail_read(c->trail, 600, true, count_down, &next), FAULT_CORRUPT);
        assert_int_equal(next, 601);
    }
    overwrite(path, 12288 + 4 * 2, truth, 4);
    check_all(c);
}

/* What is changed behind the back of a trail is found when it is read. */
static void test_changed_frames(void **state)
{
    struct chain *c = *state;
    uint64_t next = 5;
    assert_int_equal(chain_turn(c, 5), 0);
    overwrite(file_of(c, 0), SEGMENT_DATA_OFFSET, "\xff", 1); /* the length of the first frame */
    assert_int_equal(trail_read(c->trail, 4, true, count_down, &next), FAULT_CORRUPT);
    assert_int_equal(chain_copy_all(c, &all), FAULT_CORRUPT);
    buf_fini(&all.bytes);
    overwrite(file_of(c, 0), SEGMENT_DATA_OFFSET, "", 1);
    check_all(c);
    overwrite(file_of(c, 0), SEGMENT_DATA_OFFSET + SEGMENT_FRAME_HEAD_BYTES + 10, "\1",
              1); /* the number in the record */
    assert_int_equal(chain_copy_all(c, &all), FAULT_CORRUPT);
    buf_fini(&all.bytes);
    overwrite(file_of(c, 0), SEGMENT_DATA_OFFSET + SEGMENT_FRAME_HEAD_BYTES + 10, "", 1);
}

static void test_missing_files(void **state)
{
    struct chain *c = *state;
    char path[256], aside[300];
    chain_fill(c, 3);
    c->trail = trail_close(c->trail);
    (void)snprintf(path, sizeof path, "%s", file_of(c, 1));
    (void)snprintf(aside, sizeof aside, "%s.aside", path);
    assert_int_equal(rename(path, aside), 0);
    assert_int_equal(trail_open(c->store, c->trail_folder, TRAIL_RESERVE_COUNT, &c->trail), FAULT_CORRUPT);
    assert_int_equal(rename(aside, path), 0);
    (void)snprintf(path, sizeof path, "%s", file_of(c, 0));
    assert_int_equal(rename(path, aside), 0);
    assert_int_equal(trail_open(c->store, c->trail_folder, TRAIL_RESERVE_COUNT, &c->trail), FAULT_CORRUPT);
    assert_int_equal(rename(aside, path), 0);
    assert_int_equal(trail_open(c->store, c->trail_folder, TRAIL_RESERVE_COUNT, &c->trail), 0);
    check_all(c);
}

/* A limit of the file's size stands for a full disk: the turn is refused whole, and the next one finds room again. */
static void test_full(void **state)
{
    struct chain *c = *state;
    struct rlimit saved, limit;
    struct trail_head before, after;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(chain_turn(c, 1), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &saved), 0);
    limit = (struct rlimit){SEGMENT_DATA_OFFSET + SEGMENT_GROW_BYTES + 10000, saved.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int x = 0;
    while (x == 0) {
        assert_int_equal(trail_head(c->trail, &before), 0);
        x = chain_reads(c, 10);
    }
    assert_int_equal(trail_head(c->trail, &after), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &saved), 0);
    assert_int_equal(x, FAULT_FULL);
    assert_int_equal(before.size, after.size);
    assert_true(after.size > 500);
    assert_int_equal(chain_reads(c, 10), 0);
    check_all(c);
}

/* When no file can grow any more there is still room to say so; ordinary turns never take it. */
static void test_room_that_is_kept(void **state)
{
    struct chain *c = *state;
    struct rlimit limit, before;
    struct stat st;
    struct record full = {.kind = RECORD_STORE_FULL, .detail = BYTES_LITERAL("full: no room")};
    chain_fill(c, 2);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(stat(file_of(c, 1), &st), 0);
    limit = (struct rlimit){(rlim_t)st.st_size, before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int r = 0;
    for (int i = 0; i < 10000 && r == 0; i++)
        r = chain_reads(c, 1);
    assert_int_equal(r, FAULT_FULL);
    uint64_t size = trail_size(c->trail);
    unsigned told = 0;
    for (r = 0; r == 0; told += r == 0) {
        trail_use_spare(c->trail);
        assert_int_equal(trail_append(c->trail, &full), 0);
        r = chain_end(c, BYTES_NONE);
    }
    assert_int_equal(r, FAULT_FULL);
    assert_in_range(told, 200, SEGMENT_SPARE_BYTES / 64);
    assert_int_equal(chain_reads(c, 1), FAULT_FULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(trail_size(c->trail), size + told);
    assert_int_equal(chain_reads(c, 1), 0); /* and room is kept anew */
    assert_int_equal(chain_reopen(c), 0);
    check_all(c);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, chain_make, chain_remove)
    const struct CMUnitTest tests[] = {
        T(test_many_files),    T(test_room_that_is_kept),
        T(test_copies),        T(test_bad_imports),
        T(test_torn),          T(test_marks),
        T(test_hints),         T(test_changed_frames),
        T(test_missing_files), T(test_full),
    };
    return cmocka_run_group_tests(tests, chain_start, NULL);
}
