/* verify-epoch: trails with epochs that were broken into, cut, or left in the middle, against the seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "remove-tree.h"
#include "verify/verify.h"

enum { RECORDS_MAX_COUNT = 400, EPOCHS_MAX_COUNT = 16 };

/* A trail as its owner writes it, and what he who broke in learned. */
static struct {
    char folder[64], db[80], log[80];
    struct store *store;
    struct trail *trail;
    struct epoch_seed seed;
    struct buf records;
    struct bytes at[RECORDS_MAX_COUNT];
    size_t count;
    uint64_t begins[EPOCHS_MAX_COUNT]; /* numbers of the records that begin epochs */
    size_t begins_count;
} t;

static struct verify v;

static void end_turn(void)
{
    assert_int_equal(trail_flush(t.trail, BYTES_NONE, false), 0);
    trail_settle(t.trail, true);
}

static void reads(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct record r = {.kind = RECORD_GET, .uid = i, .path = BYTES_LITERAL("/registry/a")};
        assert_int_equal(trail_append(t.trail, &r), 0);
    }
    end_turn();
}

static void next_epoch(void)
{
    struct record r = {.wall_us = 1};
    assert_int_equal(trail_begin_epoch(t.trail, &r), 0);
    end_turn();
}

static int keep(uint64_t seq, struct bytes record, void *arg)
{
    (void)arg;
    size_t at = buf_size(&t.records);
    assert_true(seq == t.count && seq < RECORDS_MAX_COUNT);
    assert_int_equal(buf_append(&t.records, record), 0);
    t.at[t.count++] = bytes_of(t.records.p + at, record.n);
    if (record_is_of(record, RECORD_EPOCH) && t.begins_count < EPOCHS_MAX_COUNT)
        t.begins[t.begins_count++] = seq;
    return 0;
}

/* Six epochs: 10 records, five of 21, and one that runs. */
static int setup(void **state)
{
    (void)state;
    (void)snprintf(t.folder, sizeof t.folder, "/tmp/secreg-verify-XXXXXX");
    if (crypt_start() < 0 || mkdtemp(t.folder) == NULL)
        return -1;
    (void)snprintf(t.db, sizeof t.db, "%s/a.db", t.folder);
    (void)snprintf(t.log, sizeof t.log, "%s/trail", t.folder);
    assert_int_equal(store_create(t.db, &t.store), 0);
    assert_int_equal(trail_make(t.log, &t.seed), 0);
    assert_int_equal(trail_open(t.store, t.log, TRAIL_RESERVE_COUNT, &t.trail), 0);
    reads(10);
    for (int i = 0; i < 6; i++) {
        next_epoch();
        reads(20);
    }
    buf_init(&t.records, 1 << 20);
    assert_int_equal(buf_reserve(&t.records, 1 << 19, &(uint8_t *){NULL}), 0); /* so that views stay */
    assert_int_equal(trail_read(t.trail, 0, false, keep, NULL), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    trail_close(t.trail);
    store_close(t.store);
    buf_fini(&t.records);
    verify_fini(&v);
    return remove_tree(t.folder);
}

/* ---- rewriting ------------------------------------------------------------------------------------------- */

/* All hashes are made anew, as anybody can who may write the files. change: returns false to leave a record out. */
struct rewrite {
    bool (*change)(struct record *r, uint64_t seq);
    uint64_t end; /* leave out what comes from this number on */
};

static char statement_text[EPOCH_TEXT_MAX_BYTES];

static unsigned check_rewritten(const struct rewrite *w)
{
    static struct buf out;
    static struct trail_check c;
    int r = memfd_create("export", MFD_CLOEXEC);
    assert_true(r >= 0);
    trail_check_init(&c);
    for (uint64_t seq = 0; seq < t.count && (w->end == 0 || seq < w->end); seq++) {
        struct record record;
        assert_true(record_decode(t.at[seq], &record));
        if (w->change != NULL && !w->change(&record, seq))
            continue;
        record.seq = c.tree.size;
        memcpy(record.prev.h, c.last, DIGEST_BYTES);
        buf_init(&out, RECORD_MAX_BYTES);
        assert_int_equal(record_encode(&out, &record), 0);
        struct bytes b = buf_view(&out);
        assert_int_equal(trail_check_add(&c, b), 0);
        uint8_t head[] = {0, 0, (uint8_t)(b.n >> 8), (uint8_t)b.n};
        assert_true(write(r, head, 4) == 4 && write(r, b.p, b.n) == (ssize_t)b.n);
        buf_fini(&out);
    }
    assert_int_equal(lseek(r, 0, SEEK_SET), 0);
    assert_int_equal(verify_export(&v, r), 0);
    assert_int_equal(verify_end(&v), 0);
    close(r);
    return verify_bits(&v);
}

static void begin_check(const struct epoch_seed *seed)
{
    verify_fini(&v);
    verify_init(&v);
    if (seed != NULL)
        assert_true(verify_seed(&v, seed));
}

static void untouched(void **state)
{
    (void)state;
    begin_check(&t.seed);
    assert_int_equal(check_rewritten(&(struct rewrite){0}), 0);
    assert_int_equal(v.forward, VERIFY_OK);
    assert_int_equal(v.epochs.sealed, 10 + 5 * 21);
    assert_int_equal(v.epochs.count, 6);
    assert_int_equal(v.epochs.lost, 0);
    assert_int_equal(v.check.tree.size - v.epochs.now.first, 21);
    begin_check(NULL);
    assert_int_equal(check_rewritten(&(struct rewrite){0}), 0);
    assert_int_equal(v.forward, VERIFY_UNKNOWN);
    assert_int_equal(v.epochs.uncovered, 10 + 5 * 21);
}

static void files_of_a_log(void **state)
{
    (void)state;
    int at = open(t.log, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    begin_check(&t.seed);
    assert_int_equal(verify_folder(&v, at), 0);
    assert_int_equal(verify_end(&v), 0);
    assert_int_equal(v.forward, VERIFY_OK);
    close(at);
}

/* From the middle of a log: the keys of the first epoch that begins there follow from the seed. */
static void from_a_later_file(void **state)
{
    static char text[RECORD_TEXT_MAX_BYTES];
    char folder[96], db[112];
    struct store *store;
    struct trail *trail;
    struct trail_head head;
    struct epoch_seed first;
    struct record r;
    (void)state;
    memset(text, 'x', sizeof text);
    (void)snprintf(folder, sizeof folder, "%s/long", t.folder);
    (void)snprintf(db, sizeof db, "%s/long.db", t.folder);
    assert_int_equal(store_create(db, &store), 0);
    assert_int_equal(trail_make(folder, &first), 0);
    assert_int_equal(trail_open(store, folder, TRAIL_RESERVE_COUNT, &trail), 0);
    for (unsigned i = 0; i < 20000; i++) {
        r = (struct record){.kind = RECORD_GET, .detail = bytes_of((const uint8_t *)text, sizeof text)};
        assert_int_equal(i % 1000 == 0 ? trail_begin_epoch(trail, &r) : trail_append(trail, &r), 0);
        if (i % 1000 == 0 || i % 100 == 99) {
            assert_int_equal(trail_flush(trail, BYTES_NONE, false), 0);
            trail_settle(trail, true);
        }
    }
    assert_int_equal(trail_head(trail, &head), 0);
    trail_close(trail);
    store_close(store);
    for (int is_other = 0; is_other < 2; is_other++) {
        struct checkpoint anchor = {.size = head.size};
        memcpy(anchor.root, head.root, sizeof anchor.root);
        int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        first.start[0] ^= (uint8_t)is_other;
        begin_check(&first);
        verify_anchor(&v, &anchor, VERIFY_OK);
        verify_skip(&v);
        assert_int_equal(verify_folder(&v, at), 0);
        assert_int_equal(verify_end(&v), 0);
        close(at);
        assert_true(v.first > 0);
        assert_int_equal(v.forward, is_other ? VERIFY_BAD : VERIFY_OK);
        if (is_other)
            continue;
        assert_true(v.epochs.sealed > 0 && v.epochs.uncovered > 0 && v.epochs.uncovered < 1000);
        assert_int_equal(v.first + v.epochs.uncovered + v.epochs.sealed + (head.size - v.epochs.now.first), head.size);
    }
}

static void another_seed(void **state)
{
    struct epoch_seed other = t.seed;
    (void)state;
    other.start[5] ^= 1;
    begin_check(&other);
    assert_int_equal(check_rewritten(&(struct rewrite){0}), VERIFY_BIT_FORWARD);
    assert_int_equal(v.check.tree.size, t.begins[0]);
    other = (struct epoch_seed){.number = 99};
    begin_check(&other); /* of epochs that never came: nothing is sealed */
    assert_int_equal(check_rewritten(&(struct rewrite){0}), VERIFY_BIT_FORWARD);
    for (size_t i = 1; i < VERIFY_SEEDS_MAX_COUNT; i++)
        assert_true(verify_seed(&v, &other));
    assert_false(verify_seed(&v, &other));
}

/* A later start key, as somebody has it who was given only that: what came before is not covered. */
static void later_seed(void **state)
{
    struct epoch_seed later = t.seed;
    uint8_t unused[FORWARD_KEY_BYTES];
    (void)state;
    for (; later.number < 3; later.number++)
        forward_begin(later.start, unused, later.start);
    begin_check(&later);
    assert_int_equal(check_rewritten(&(struct rewrite){0}), 0);
    assert_int_equal(v.forward, VERIFY_OK);
    assert_int_equal(v.epochs.uncovered, 10 + 2 * 21);
    assert_int_equal(v.epochs.sealed, 3 * 21);
}

/* ---- who breaks in --------------------------------------------------------------------------------------- */

static uint64_t target;

static bool edit(struct record *r, uint64_t seq)
{
    r->uid += seq == target && r->kind != RECORD_EPOCH ? 1000 : 0;
    r->wall_us += seq == target && r->kind == RECORD_EPOCH ? 1 : 0;
    return true;
}

static bool drop(struct record *r, uint64_t seq)
{
    (void)r;
    return seq != target;
}

/* Any record of an ended epoch, edited or left out with all hashes made anew: the next epoch shows it. */
static void rewritten(void **state)
{
    (void)state;
    for (int dropped = 0; dropped < 2; dropped++) {
        for (target = 0; target < t.begins[5]; target++) {
            begin_check(&t.seed);
            assert_int_equal(check_rewritten(&(struct rewrite){.change = dropped ? drop : edit}), VERIFY_BIT_FORWARD);
        }
    }
}

/* With the keys of the epoch that runs, which who breaks in has, its records can be made again, and none before. */
static bool reseal(struct record *r, uint64_t seq)
{
    if (seq == target)
        r->uid += 1000;
    if (r->kind == RECORD_EPOCH && seq == t.begins[5]) {
        struct epoch_statement s; /* the seal of the altered records, with the key that is at hand: that of epoch 6 */
        struct epoch_seed at = t.seed;
        uint8_t key[FORWARD_KEY_BYTES], tag[DIGEST_BYTES] = {0}, leaf[DIGEST_BYTES];
        assert_true(epoch_read(r->detail, &s));
        for (; at.number < 6; at.number++)
            forward_begin(at.start, key, at.start);
        forward_begin(at.start, key, at.start);
        for (uint64_t i = t.begins[4]; i < seq; i++) {
            assert_int_equal(merkle_leaf(t.at[i], leaf), 0);
            forward_add(key, tag, leaf);
        }
        memcpy(s.tag, tag, sizeof tag);
        epoch_write(&s, statement_text);
        r->detail = bytes_of_text(statement_text);
    }
    return true;
}

static void resealed_with_later_keys(void **state)
{
    (void)state;
    target = t.begins[4] + 5;
    begin_check(&t.seed);
    assert_int_equal(check_rewritten(&(struct rewrite){.change = reseal}), VERIFY_BIT_FORWARD);
    assert_int_equal(v.check.tree.size, t.begins[5]);
}

/* An epoch is left out, and those behind it are numbered as if it had never been. */
static bool leave_out(struct record *r, uint64_t seq)
{
    struct epoch_statement s;
    if (seq >= t.begins[1] && seq < t.begins[2])
        return false;
    if (r->kind == RECORD_EPOCH && seq >= t.begins[2] && target == 1) {
        assert_true(epoch_read(r->detail, &s));
        s.number--;
        s.sealed -= t.begins[2] - t.begins[1];
        epoch_write(&s, statement_text);
        r->detail = bytes_of_text(statement_text);
    }
    return true;
}

static void skipped(void **state)
{
    (void)state;
    for (target = 0; target < 2; target++) {
        begin_check(&t.seed);
        assert_int_equal(check_rewritten(&(struct rewrite){.change = leave_out}), VERIFY_BIT_FORWARD);
        begin_check(NULL); /* a gap in the numbers is seen without a seed too */
        assert_int_equal(check_rewritten(&(struct rewrite){.change = leave_out}), target == 0 ? VERIFY_BIT_FORWARD : 0);
    }
}

/* Said to have ended in a crash, with nothing known of it: the rest holds, and the loss is stated. */
static bool claim(struct record *r, uint64_t seq)
{
    struct epoch_statement s;
    if (r->kind == RECORD_EPOCH && seq == t.begins[5]) {
        assert_true(epoch_read(r->detail, &s));
        s.sealed = t.begins[4] + target;
        if (target == 0)
            memset(s.tag, 0, sizeof s.tag);
        epoch_write(&s, statement_text);
        r->detail = bytes_of_text(statement_text);
    }
    return true;
}

static void claimed_crash(void **state)
{
    (void)state;
    target = 0;
    begin_check(&t.seed);
    assert_int_equal(check_rewritten(&(struct rewrite){.change = claim}), 0);
    assert_int_equal(v.epochs.lost, 21);
    assert_int_equal(v.epochs.sealed, 10 + 4 * 21);
    for (target = 1; target < 25; target++) { /* a seal of fewer or more records than it is of */
        begin_check(&t.seed);
        assert_int_equal(check_rewritten(&(struct rewrite){.change = claim}), target == 21 ? 0 : VERIFY_BIT_FORWARD);
    }
}

/* Cut behind any record: what is left is good, and says how much of it is sealed. */
static void cut(void **state)
{
    (void)state;
    for (uint64_t end = t.begins[0] + 1; end < t.count; end++) {
        begin_check(&t.seed);
        assert_int_equal(check_rewritten(&(struct rewrite){.end = end}), 0);
        assert_true(v.epochs.sealed + (v.check.tree.size - v.epochs.now.first) == end);
    }
    begin_check(&t.seed);
    assert_int_equal(check_rewritten(&(struct rewrite){.end = t.begins[0]}),
                     VERIFY_BIT_FORWARD); /* nothing is sealed */
}

static bool garble(struct record *r, uint64_t seq)
{
    if (seq == t.begins[2])
        r->detail = BYTES_LITERAL("epoch");
    return true;
}

static void garbled(void **state)
{
    (void)state;
    begin_check(NULL);
    assert_int_equal(check_rewritten(&(struct rewrite){.change = garble}), VERIFY_BIT_FORWARD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(untouched),
                                       cmocka_unit_test(files_of_a_log),
                                       cmocka_unit_test(from_a_later_file),
                                       cmocka_unit_test(another_seed),
                                       cmocka_unit_test(later_seed),
                                       cmocka_unit_test(rewritten),
                                       cmocka_unit_test(resealed_with_later_keys),
                                       cmocka_unit_test(skipped),
                                       cmocka_unit_test(claimed_crash),
                                       cmocka_unit_test(cut),
                                       cmocka_unit_test(garbled)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
