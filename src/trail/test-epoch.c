/* epochs: what is said of them, the keys of a running trail, and what lies on the disk after each step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "epoch-again.h"
#include "test-chain.h"
#include "trail/trail-internal.h"

/* ---- texts ----------------------------------------------------------------------------------------------- */

static void test_statements(void **state)
{
    struct epoch_statement s = {.number = 8, .sealed = 9000, .is_reseeded = true}, back;
    char text[EPOCH_TEXT_MAX_BYTES], other[EPOCH_TEXT_MAX_BYTES];
    (void)state;
    memset(s.tag, 0xab, sizeof s.tag);
    for (int i = 0; i < 2; i++) {
        epoch_write(&s, text);
        assert_true(epoch_read(bytes_of_text(text), &back));
        assert_int_equal(back.number, 8);
        assert_int_equal(back.sealed, 9000);
        assert_int_equal(back.is_reseeded, s.is_reseeded);
        assert_memory_equal(back.tag, s.tag, sizeof s.tag);
        s.is_reseeded = false;
    }
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) /* cut anywhere */
        assert_false(epoch_read(bytes_of((const uint8_t *)text, i), &back));
    for (size_t i = 0; i < n; i++) { /* one meaning, one text */
        for (int k = 1; k < 256; k++) {
            char kept = text[i];
            text[i] = (char)k;
            if (epoch_read(bytes_of_text(text), &back)) {
                epoch_write(&back, other);
                assert_string_equal(text, other);
            }
            text[i] = kept;
        }
    }
    assert_false(epoch_read(BYTES_NONE, &back));
    assert_false(epoch_read(BYTES_LITERAL("epoch 99999999999999999999, sealed to 1: "), &back));
}

static void test_seeds(void **state)
{
    struct epoch_seed s = {.number = 3}, back;
    char text[EPOCH_SEED_MAX_BYTES];
    (void)state;
    memset(s.start, 0x5a, sizeof s.start);
    epoch_seed_write(&s, text);
    assert_int_equal(strncmp(text, "secreg-seed:3:5a5a", 18), 0);
    assert_true(epoch_seed_read(bytes_of_text(text), &back));
    assert_int_equal(back.number, 3);
    assert_memory_equal(back.start, s.start, sizeof s.start);
    for (size_t i = 0; i < strlen(text); i++)
        assert_false(epoch_seed_read(bytes_of((const uint8_t *)text, i), &back));
    assert_false(epoch_seed_read(BYTES_LITERAL("secreg-seed:03:"), &back));
}

/* ---- a trail --------------------------------------------------------------------------------------------- */

static int begin_epoch(struct chain *c, struct bytes owner)
{
    struct record r = {.wall_us = 1};
    int x = trail_begin_epoch(c->trail, &r);
    return x < 0 ? x : chain_end(c, owner);
}

static struct epoch_again again;

static void check_again(struct chain *c, uint64_t epochs, uint64_t lost)
{
    memset(&again, 0, sizeof again);
    again.next = seed;
    assert_int_equal(trail_read(c->trail, 0, false, epoch_again, &again), 0);
    assert_int_equal(again.epochs, epochs);
    assert_int_equal(again.lost, lost);
}

/* The file holds one start key: that of epoch `number`. */
static void check_file(const struct chain *c, uint64_t number)
{
    char path[160];
    static uint8_t all[8192];
    uint8_t start[FORWARD_KEY_BYTES], unused[FORWARD_KEY_BYTES];
    (void)snprintf(path, sizeof path, "%s/epoch.key", c->trail_folder);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && read(fd, all, sizeof all) == (ssize_t)sizeof all);
    close(fd);
    memcpy(start, seed.start, sizeof start);
    for (uint64_t i = 0; i < number + 3; i++) {
        assert_int_equal(memmem(all, sizeof all, start, sizeof start) != NULL, i == number);
        forward_begin(start, unused, start);
    }
}

static void test_running(void **state)
{
    struct chain *c = *state;
    check_file(c, 0);
    assert_int_equal(trail_epoch_count(c->trail), 0);
    assert_int_equal(chain_turn(c, 5), 0);
    assert_int_equal(trail_epoch_count(c->trail), 5);
    assert_true(trail_wants_sync(c->trail)); /* the key that opens the epoch still lies there */
    assert_int_equal(trail_sync(c->trail), 0);
    assert_false(trail_wants_sync(c->trail));
    check_file(c, 1);
    for (uint64_t i = 1; i < 20; i++) {
        assert_int_equal(begin_epoch(c, i % 3 == 0 ? BYTES_LITERAL("state") : BYTES_NONE), 0);
        assert_int_equal(trail_epoch_count(c->trail), 1);
        assert_int_equal(i % 2 != 0 ? chain_turn(c, 3) : chain_reads(c, 40), 0);
        assert_int_equal(trail_sync(c->trail), 0);
        check_file(c, i + 1);
        check_again(c, i, 0);
    }
}

/* An epoch whose turn failed has not begun, and begins with the same keys later. */
static void test_failed_turn(void **state)
{
    struct chain *c = *state;
    struct record r = {.wall_us = 1};
    assert_int_equal(chain_turn(c, 2), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(trail_begin_epoch(c->trail, &r), 0);
        assert_int_equal(trail_flush(c->trail, BYTES_NONE, false), 0);
        trail_settle(c->trail, false);
        assert_int_equal(trail_begin_epoch(c->trail, &r), 0);
        trail_settle(c->trail, false); /* not even flushed */
    }
    assert_int_equal(chain_reads(c, 2), 0);
    assert_int_equal(begin_epoch(c, BYTES_NONE), 0);
    assert_int_equal(chain_reads(c, 2), 0);
    check_again(c, 1, 0);
}

/* What was closed in order is sealed to its end; the next epoch says so. */
static void test_reopen(void **state)
{
    struct chain *c = *state;
    assert_int_equal(chain_turn(c, 5), 0);
    assert_int_equal(chain_reads(c, 5), 0);
    for (uint64_t i = 1; i < 6; i++) {
        assert_int_equal(chain_reopen(c), 0);
        assert_true(trail_epoch_count(c->trail) == TRAIL_NO_EPOCH);
        check_file(c, i);
        assert_int_equal(begin_epoch(c, BYTES_NONE), 0);
        assert_int_equal(chain_reads(c, 3), 0);
        check_again(c, i, 0);
    }
    assert_int_equal(chain_reopen(c), 0); /* an opening that adds nothing uses nothing up */
    assert_int_equal(chain_reopen(c), 0);
    assert_int_equal(begin_epoch(c, BYTES_NONE), 0);
    check_again(c, 6, 0);
    assert_int_equal(chain_reopen(c), 0);
    assert_int_equal(chain_reads(c, 4), 0); /* by an owner who began none: not sealed, and counted */
    assert_int_equal(begin_epoch(c, BYTES_NONE), 0);
    assert_int_equal(trail_epoch_count(c->trail), 1);
    check_again(c, 7, 4);
}

/* Ends the process that has the trail: it is not closed. What is stored stays. */
static void kill_owner(struct chain *c)
{
    static struct trail *gone[4]; /* as the kernel would, their memory is given back at the end */
    static size_t count;
    assert_true(count < COUNT_OF(gone));
    gone[count++] = c->trail;
    assert_int_equal(trail_open(c->store, c->trail_folder, TRAIL_RESERVE_COUNT, &c->trail), 0);
}

static void test_kill(void **state)
{
    struct chain *c = *state;
    assert_int_equal(chain_turn(c, 5), 0); /* its seal stands beside it in the database */
    assert_int_equal(chain_reads(c, 7), 0);
    kill_owner(c);
    check_file(c, 0); /* it was not made durable: the file may be behind */
    assert_int_equal(begin_epoch(c, BYTES_NONE), 0);
    assert_int_equal(trail_sync(c->trail), 0);
    check_file(c, 2);
    check_again(c, 1, 7);
    assert_int_equal(chain_reads(c, 10), 0);
    assert_int_equal(trail_sync(c->trail), 0);
    assert_int_equal(chain_reads(c, 1), 0);
    assert_int_equal(trail_sync(c->trail), 0); /* the mark tells of the sync before */
    assert_int_equal(chain_reads(c, 4), 0);
    kill_owner(c);
    assert_int_equal(begin_epoch(c, BYTES_NONE), 0);
    check_again(c, 2, 12);
    assert_int_equal(begin_epoch(c, BYTES_NONE), 0);
    kill_owner(c); /* an epoch of one record, of which nothing is known */
    assert_int_equal(begin_epoch(c, BYTES_NONE), 0);
    check_again(c, 4, 13);
}

static void copy_file(const struct chain *c, const char *to, const char *from)
{
    char line[400];
    (void)snprintf(line, sizeof line, "cp %s/%s %s/%s", c->trail_folder, from, c->trail_folder, to);
    assert_int_equal(system(line), 0);
}

/* A file that is missing, damaged, or of a longer trail. */
static void test_bad_files(void **state)
{
    struct chain *c = *state;
    char path[160];
    static uint8_t all[8192];
    (void)snprintf(path, sizeof path, "%s/epoch.key", c->trail_folder);
    copy_file(c, "../first", "epoch.key");
    assert_int_equal(chain_turn(c, 5), 0);
    c->trail = trail_close(c->trail);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0 && pread(fd, all, sizeof all, 0) == (ssize_t)sizeof all);
    size_t at = all[0] != 0 ? 0 : 4096;
    for (size_t i = at; i < at + 88; i++) {
        uint8_t changed = all[i] ^ 1;
        assert_int_equal(pwrite(fd, &changed, 1, (off_t)i), 1);
        assert_int_equal(trail_open(c->store, c->trail_folder, 0, &c->trail), FAULT_CORRUPT);
        assert_int_equal(pwrite(fd, &all[i], 1, (off_t)i), 1);
    }
    close(fd);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(trail_open(c->store, c->trail_folder, 0, &c->trail), -ENOENT);
    copy_file(c, "epoch.key", "../first"); /* behind: caught up with */
    assert_int_equal(trail_open(c->store, c->trail_folder, 0, &c->trail), 0);
    assert_int_equal(begin_epoch(c, BYTES_NONE), 0);
    check_again(c, 1, 0);
    c->trail = trail_close(c->trail);
    check_file(c, 2);
}

/* A log that is an older copy than the file is not opened: its epochs would be sealed a second time. */
static void test_older_log(void **state)
{
    struct chain *c = *state;
    char line[300];
    assert_int_equal(chain_reads(c, 5), 0);
    assert_int_equal(chain_reopen(c), 0);
    assert_int_equal(begin_epoch(c, BYTES_NONE), 0);
    c->trail = trail_close(c->trail);
    (void)snprintf(line, sizeof line, "mkdir %s/x; cp %s/*.log %s/x", c->folder, c->trail_folder, c->folder);
    assert_int_equal(system(line), 0);
    assert_int_equal(trail_open(c->store, c->trail_folder, 0, &c->trail), 0);
    assert_int_equal(begin_epoch(c, BYTES_NONE), 0);
    c->trail = trail_close(c->trail);
    (void)snprintf(line, sizeof line, "cp %s/x/*.log %s", c->folder, c->trail_folder);
    assert_int_equal(system(line), 0);
    assert_int_equal(trail_open(c->store, c->trail_folder, 0, &c->trail), FAULT_CORRUPT);
}

/* A copy has none of the keys; it goes on with a new seed, and says so. */
static void test_import(void **state)
{
    struct chain *c = *state, copy = **(struct chain **)state;
    static uint8_t bytes[1 << 16];
    struct epoch_seed before;
    struct trail_import *m = NULL;
    uint64_t size;
    assert_int_equal(chain_turn(c, 5), 0);
    assert_int_equal(begin_epoch(c, BYTES_NONE), 0);
    assert_int_equal(trail_bytes(c->trail, &size), 0);
    assert_int_equal(trail_copy(c->trail, 0, bytes, (size_t)size), 0);
    before = seed;
    (void)snprintf(copy.trail_folder, sizeof copy.trail_folder, "%s/import", c->folder);
    assert_int_equal(trail_import_begin(copy.trail_folder, &m), 0);
    assert_int_equal(trail_import_add(m, bytes_of(bytes, (size_t)size)), 0);
    assert_int_equal(trail_import_end(m, &seed), 0);
    trail_import_free(m);
    assert_int_equal(seed.number, 2);
    assert_memory_not_equal(seed.start, before.start, sizeof seed.start);
    assert_int_equal(trail_open(c->store, copy.trail_folder, 0, &copy.trail), 0);
    struct record r = {.wall_us = 1}, first;
    struct epoch_statement s;
    assert_int_equal(trail_begin_epoch(copy.trail, &r), 0);
    assert_int_equal(chain_end(&copy, BYTES_NONE), 0);
    struct merkle_proof proof;
    struct bytes record;
    assert_int_equal(trail_prove(copy.trail, r.seq, &proof, &record), 0);
    assert_true(record_decode(record, &first) && epoch_read(first.detail, &s));
    assert_true(s.is_reseeded && s.number == 2 && s.sealed == 5);
    assert_int_equal(trail_begin_epoch(copy.trail, &r), 0);
    assert_int_equal(chain_end(&copy, BYTES_NONE), 0);
    assert_int_equal(trail_prove(copy.trail, r.seq, &proof, &record), 0);
    assert_true(record_decode(record, &first) && epoch_read(first.detail, &s));
    assert_true(!s.is_reseeded && s.number == 3 && s.sealed == 7);
    trail_close(copy.trail);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, chain_make, chain_remove)
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_statements),
                                       cmocka_unit_test(test_seeds),
                                       T(test_running),
                                       T(test_failed_turn),
                                       T(test_reopen),
                                       T(test_kill),
                                       T(test_bad_files),
                                       T(test_older_log),
                                       T(test_import)};
    return cmocka_run_group_tests(tests, chain_start, NULL);
}
