/* trail: turns that commit and turns that fail, the head, and opening again across frontiers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fail-alloc.h"
#include "test-chain.h"

static struct chain_copy all;

static void check_head(struct chain *c)
{
    struct trail_head head;
    uint8_t root[DIGEST_BYTES];
    assert_int_equal(chain_copy_all(c, &all), 0);
    assert_int_equal(trail_head(c->trail, &head), 0);
    assert_int_equal(head.size, all.count);
    assert_int_equal(chain_naive_root(&all, 0, all.count, root), 0);
    assert_memory_equal(head.root, root, sizeof root);
    buf_fini(&all.bytes);
}

static void heads_equal(const struct trail_head *a, const struct trail_head *b)
{
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->root, b->root, sizeof a->root);
    assert_memory_equal(a->last, b->last, sizeof a->last);
}

static void test_turns(void **state)
{
    struct chain *c = *state;
    struct record r = {.kind = RECORD_START, .seq = 99, .prev = {.n = 5}};
    struct trail_head empty, head;
    uint8_t zeros[DIGEST_BYTES] = {0};
    assert_int_equal(trail_head(c->trail, &empty), 0);
    assert_int_equal(empty.size, 0);
    assert_memory_equal(empty.last, zeros, sizeof zeros);
    assert_int_equal(trail_flush(c->trail, BYTES_NONE, false), 0); /* nothing to write */
    trail_settle(c->trail, true);
    check_head(c);

    assert_int_equal(trail_append(c->trail, &r), 0);
    assert_int_equal(r.seq, 0);
    assert_int_equal(r.prev.n, DIGEST_BYTES);
    assert_memory_equal(r.prev.h, zeros, sizeof zeros);
    assert_int_equal(trail_append(c->trail, &r), 0);
    assert_int_equal(r.seq, 1);
    assert_memory_not_equal(r.prev.h, zeros, sizeof zeros);
    assert_int_equal(trail_pending(c->trail), 2);
    assert_int_equal(trail_size(c->trail), 2);
    assert_int_equal(trail_head(c->trail, &head), 0); /* not settled yet */
    heads_equal(&head, &empty);
    assert_int_equal(chain_end(c, BYTES_NONE), 0);
    assert_int_equal(trail_pending(c->trail), 0);
    assert_int_equal(trail_size(c->trail), 2);
    check_head(c);
    assert_null(trail_close(NULL));
}

static void test_failed_turn(void **state)
{
    struct chain *c = *state;
    struct trail_head before, after;
    assert_int_equal(chain_turn(c, 5), 0);
    assert_int_equal(trail_head(c->trail, &before), 0);
    for (int flushed = 0; flushed <= 1; flushed++) {
        assert_int_equal(store_begin(c->store), 0);
        for (unsigned i = 0; i < 9; i++)
            assert_int_equal(chain_append(c, 1000 + i), 0);
        assert_int_equal(trail_size(c->trail), 14);
        if (flushed)
            assert_int_equal(trail_flush(c->trail, BYTES_LITERAL("state"), false), 0);
        store_rollback(c->store);
        trail_settle(c->trail, false);
        assert_int_equal(trail_size(c->trail), 5);
        assert_int_equal(trail_pending(c->trail), 0);
        assert_int_equal(trail_head(c->trail, &after), 0);
        heads_equal(&before, &after);
    }
    assert_int_equal(chain_turn(c, 4), 0); /* takes the numbers that became free */
    check_head(c);
    assert_int_equal(chain_reopen(c), 0);
    assert_int_equal(trail_size(c->trail), 9);
}

static void test_refused_records(void **state)
{
    struct chain *c = *state;
    static char text[RECORD_TEXT_MAX_BYTES + 1];
    struct record r = {.kind = RECORD_GET};
    struct trail_head head, again;
    memset(text, 'a', sizeof text);
    assert_int_equal(chain_turn(c, 2), 0);
    assert_int_equal(chain_append(c, 7), 0);
    r.path = BYTES_OF(text);
    assert_int_equal(trail_append(c->trail, &r), FAULT_LIMIT);
    r.path = BYTES_LITERAL("\xff");
    assert_int_equal(trail_append(c->trail, &r), FAULT_PROTOCOL);
    assert_int_equal(trail_pending(c->trail), 1);
    assert_int_equal(trail_size(c->trail), 3);
    assert_int_equal(chain_append(c, 8), 0);
    assert_int_equal(chain_end(c, BYTES_NONE), 0);
    check_head(c);
    assert_int_equal(trail_head(c->trail, &head), 0);
    assert_int_equal(chain_reopen(c), 0);
    assert_int_equal(trail_head(c->trail, &again), 0);
    heads_equal(&head, &again);
}

/* The largest batch there can be is written, read back and opened again. */
static void test_full_batch(void **state)
{
    struct chain *c = *state;
    static char text[RECORD_TEXT_MAX_BYTES];
    struct trail_head head, again;
    size_t n = 0;
    int x;
    memset(text, 'a', sizeof text);
    struct record r = {.kind = RECORD_GET, .path = BYTES_OF(text), .detail = BYTES_OF(text), .unit = BYTES_OF(text)};
    r.label = BYTES_OF(text);
    while ((x = trail_append(c->trail, &r)) == 0)
        n++;
    assert_int_equal(x, FAULT_LIMIT);
    assert_int_equal(trail_pending(c->trail), n);
    assert_true(n > TRAIL_BATCH_MAX_BYTES / RECORD_MAX_BYTES);
    assert_int_equal(chain_end(c, BYTES_LITERAL("state")), 0);
    check_head(c);
    assert_int_equal(trail_head(c->trail, &head), 0);
    assert_int_equal(chain_reopen(c), 0);
    assert_int_equal(trail_head(c->trail, &again), 0);
    heads_equal(&head, &again);
}

/* Opening at any point around the frontiers gives the same head, and the trail goes on as if it had never been closed.
 */
static void test_reopen(void **state)
{
    static const unsigned turns[] = {1, 1, 1021, 1, 1, 1, 1022, 1, 700, 1, 323, 1};
    struct chain *c = *state;
    struct trail_head head, again;
    for (size_t i = 0; i < COUNT_OF(turns); i++) {
        assert_int_equal(chain_turn(c, turns[i]), 0);
        assert_int_equal(trail_head(c->trail, &head), 0);
        assert_int_equal(chain_reopen(c), 0);
        assert_int_equal(trail_head(c->trail, &again), 0);
        heads_equal(&head, &again);
    }
    assert_int_equal(trail_size(c->trail), 3074);
    check_head(c);
    assert_int_equal(store_check(c->store, (char[64]){0}, 64), 0);
    c->trail = trail_close(c->trail);
    c->store = store_close(c->store);
    assert_int_equal(store_open(c->db, &c->store), 0);
    assert_int_equal(trail_open(c->store, c->trail_folder, TRAIL_RESERVE_COUNT, &c->trail), 0);
    assert_int_equal(trail_head(c->trail, &again), 0);
    heads_equal(&head, &again);
}

/* Each allocation of a whole turn fails once: the turn is all there or not at all, and the next one works. */
static void turn_or_nomem(struct chain *c, unsigned count)
{
    struct trail_head before, after;
    assert_int_equal(trail_head(c->trail, &before), 0);
    int x = chain_turn(c, count);
    assert_true(x == 0 || x == -ENOMEM);
    assert_int_equal(trail_size(c->trail), before.size + (x == 0 ? count : 0));
    assert_int_equal(trail_head(c->trail, &after), 0);
    if (x != 0)
        heads_equal(&before, &after);
}

static void open_or_nomem(struct chain *c)
{
    struct trail *t = NULL;
    c->trail = trail_close(c->trail);
    int x = trail_open(c->store, c->trail_folder, TRAIL_RESERVE_COUNT, &t);
    assert_true(x == 0 || x == -ENOMEM);
    assert_int_equal(t != NULL, x == 0);
    c->trail = t;
}

static void test_allocation_failure(void **state)
{
    struct chain *c = *state;
    assert_int_equal(chain_turn(c, 1), 0);
    EACH_ALLOC_FAILURE(assert_int_equal(chain_reopen(c) == 0 || c->trail == NULL, 1);
                       if (c->trail != NULL) { turn_or_nomem(c, 1100); });
    assert_true(c->trail != NULL || chain_reopen(c) == 0);
    EACH_ALLOC_FAILURE(open_or_nomem(c));
    assert_true(c->trail != NULL || chain_reopen(c) == 0);
    assert_int_equal(chain_turn(c, 1), 0);
    assert_int_equal(chain_reopen(c), 0);
    check_head(c);
}

/* A part of a turn that is taken back leaves the trail as if it had never been, and the turn goes on. */
static void test_rewind(void **state)
{
    struct chain *c = *state;
    struct trail_mark mark;
    assert_int_equal(chain_turn(c, 5), 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(chain_append(c, 100 + i), 0);
    for (unsigned count = 0; count < 40; count += 13) { /* also nothing at all, and across a full subtree */
        size_t room = trail_room(c->trail);
        trail_mark(c->trail, &mark);
        for (unsigned i = 0; i < count; i++)
            assert_int_equal(chain_append(c, 1000 + i), 0);
        assert_int_equal(trail_pending(c->trail), 3 + count);
        trail_rewind(c->trail, &mark);
        assert_int_equal(trail_pending(c->trail), 3);
        assert_int_equal(trail_size(c->trail), 8);
        assert_int_equal(trail_room(c->trail), room);
    }
    assert_int_equal(chain_append(c, 200), 0);
    assert_int_equal(chain_end(c, BYTES_NONE), 0);
    assert_int_equal(trail_size(c->trail), 9);
    check_head(c);
    assert_int_equal(chain_reopen(c), 0);
    assert_int_equal(trail_size(c->trail), 9);
    check_head(c);
}

/* A part that ran out of memory is taken back like any other. */
static void rewind_or_nomem(struct chain *c)
{
    struct trail_mark mark;
    trail_mark(c->trail, &mark);
    int x = 0;
    for (unsigned i = 0; x == 0 && i < 300; i++)
        x = chain_append(c, i);
    assert_true(x == 0 || x == -ENOMEM);
    trail_rewind(c->trail, &mark);
    assert_int_equal(trail_pending(c->trail), 0);
    trail_settle(c->trail, false);
}

static void test_rewind_without_memory(void **state)
{
    struct chain *c = *state;
    assert_int_equal(chain_turn(c, 3), 0);
    assert_int_equal(chain_reopen(c), 0); /* with no memory for a batch yet */
    EACH_ALLOC_FAILURE(rewind_or_nomem(c));
    assert_int_equal(chain_turn(c, 2), 0);
    assert_int_equal(trail_size(c->trail), 5);
    check_head(c);
}

/* ---- two homes ------------------------------------------------------------------------------------------- */

/* What the disk holds at this moment, as a kill would leave it. */
static struct chain copy_of(const struct chain *c, const char *name)
{
    struct chain copy = {0};
    char command[512];
    int n = snprintf(copy.folder, sizeof copy.folder, "%.40s-%s", c->folder, name);
    assert_true(n > 0 && (size_t)n < sizeof copy.folder);
    (void)snprintf(copy.db, sizeof copy.db, "%s/a.db", copy.folder);
    (void)snprintf(copy.trail_folder, sizeof copy.trail_folder, "%s/trail", copy.folder);
    (void)snprintf(command, sizeof command, "cp -r %s %s", c->folder, copy.folder);
    assert_int_equal(system(command), 0);
    return copy;
}

static int open_copy(struct chain *copy)
{
    assert_int_equal(store_open(copy->db, &copy->store), 0);
    return trail_open(copy->store, copy->trail_folder, TRAIL_RESERVE_COUNT, &copy->trail);
}

static void drop_copy(struct chain *copy)
{
    assert_int_equal(chain_remove((void *[]){copy}), 0);
}

/* Replaces the log of a copy by that of another one. */
static void take_log(struct chain *copy, const struct chain *from)
{
    char command[512];
    assert_int_equal(remove_tree(copy->trail_folder), 0);
    (void)snprintf(command, sizeof command, "cp -r %s %s", from->trail_folder, copy->trail_folder);
    assert_int_equal(system(command), 0);
}

/* What the original has not made durable in its log is gone from a copy: power loss that takes all it may. */
static void lose_log(const struct chain *c, const struct chain *copy)
{
    struct segments *s;
    struct trail_check check;
    size_t torn;
    assert_int_equal(segments_open(copy->trail_folder, &s), 0);
    check = s->mark.check;
    assert_int_equal(segments_recover(s, &check, &torn), 0);
    struct segment *g = &s->all[s->count - 1];
    if (trail_durable(c->trail) < s->size) {
        struct segments_at at;
        assert_int_equal(segments_seek(s, trail_durable(c->trail), false, &at), 0);
        assert_int_equal(at.segment, s->count - 1); /* one is durable when the next begins */
        memset(g->file.p + at.offset, 0, g->file.bytes - at.offset);
    }
    segments_close(s);
}

/* The host was started anew since. */
static void start_host_anew(const struct chain *copy)
{
    struct segments *s;
    struct trail_check check;
    assert_int_equal(segments_open(copy->trail_folder, &s), 0);
    memset(s->boot, 'x', sizeof s->boot);
    check = s->mark.check;
    assert_int_equal(segments_sync(s, &check, s->mark.reserved, false), 0);
    segments_close(s);
}

static void test_log_is_completed(void **state)
{
    struct chain *c = *state;
    assert_int_equal(chain_turn(c, 5), 0);
    assert_int_equal(chain_reads(c, 7), 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(chain_append(c, 100 + i), 0);
    assert_int_equal(store_begin(c->store), 0);
    assert_int_equal(trail_flush(c->trail, BYTES_LITERAL("new"), false), 0);
    struct chain before = copy_of(c, "before"); /* killed before the commit, */
    assert_int_equal(store_commit(c->store), 0);
    struct chain after = copy_of(c, "after"); /* after it, before the log has the records, */
    assert_int_equal(store_sync(c->store), 0);
    struct chain lost = copy_of(c, "lost"); /* and the same with the power gone */
    lose_log(c, &lost);
    trail_settle(c->trail, true);
    assert_int_equal(open_copy(&before), 0);
    assert_int_equal(trail_size(before.trail), 12);
    assert_true(bytes_equal(trail_state(before.trail), BYTES_LITERAL("state")));
    assert_int_equal(open_copy(&after), 0);
    assert_int_equal(open_copy(&lost), 0);
    struct trail_head head, again;
    assert_int_equal(trail_head(c->trail, &head), 0);
    struct chain *const both[] = {&after, &lost};
    for (size_t i = 0; i < COUNT_OF(both); i++) {
        assert_int_equal(trail_head(both[i]->trail, &again), 0);
        heads_equal(&head, &again);
        assert_true(bytes_equal(trail_state(both[i]->trail), BYTES_LITERAL("new")));
        assert_int_equal(trail_lost(both[i]->trail), 0);
        check_head(both[i]);
        assert_int_equal(chain_turn(both[i], 2), 0);
        check_head(both[i]);
    }
    drop_copy(&before);
    drop_copy(&after);
    drop_copy(&lost);
}

/* Reads that only the log had: a kill loses none; power loss what is stated, and never what came before a change. */
static void test_reads_are_bounded(void **state)
{
    struct chain *c = *state;
    assert_int_equal(chain_turn(c, 1), 0);
    assert_int_equal(chain_reads(c, 40), 0);
    struct chain killed = copy_of(c, "killed"), lost = copy_of(c, "lost");
    assert_int_equal(open_copy(&killed), 0);
    assert_int_equal(trail_size(killed.trail), 41);
    assert_int_equal(trail_lost(killed.trail), 0);
    lose_log(c, &lost);
    start_host_anew(&lost);
    assert_int_equal(open_copy(&lost), 0);
    assert_int_equal(trail_size(lost.trail), 1);
    assert_true(trail_lost(lost.trail) >= 40 && trail_lost(lost.trail) <= TRAIL_RESERVE_COUNT);
    check_head(&lost);
    drop_copy(&killed);
    drop_copy(&lost);
    assert_int_equal(trail_sync(c->trail), 0);
    struct chain synced = copy_of(c, "synced");
    lose_log(c, &synced);
    assert_int_equal(open_copy(&synced), 0);
    assert_int_equal(trail_size(synced.trail), 41);
    drop_copy(&synced);
    for (unsigned i = 0; i < 3; i++) { /* more than rides along: then the log is made durable */
        assert_int_equal(chain_reads(c, 300), 0);
        assert_int_equal(chain_turn(c, 1), 0);
        struct chain more = copy_of(c, "more");
        uint64_t size = trail_size(c->trail);
        lose_log(c, &more);
        assert_int_equal(open_copy(&more), 0);
        assert_int_equal(trail_size(more.trail), size);
        check_head(&more);
        drop_copy(&more);
    }
}

/* Numbers are not used beyond what is reserved, however many turns there are without a sync. */
static void test_numbers_are_reserved(void **state)
{
    struct chain *c = *state;
    for (unsigned i = 0; i < 40; i++) {
        assert_int_equal(chain_reads(c, 1000), 0);
        struct segments *s;
        assert_int_equal(segments_open(c->trail_folder, &s), 0);
        assert_true(s->mark.reserved >= trail_size(c->trail));
        segments_close(s);
        if (i == 20)
            assert_int_equal(trail_wants_sync(c->trail) ? trail_sync(c->trail) : 0, 0);
    }
    assert_false(trail_wants_sync(c->trail) && trail_sync(c->trail) != 0);
    assert_false(trail_wants_sync(c->trail));
}

/* More turns than the ring has places, with reads between: both homes agree whatever is lost. */
static void test_ring_goes_round(void **state)
{
    struct chain *c = *state;
    for (unsigned i = 0; i < TRAIL_RING_COUNT * 2 + 5; i++) {
        assert_int_equal(chain_turn(c, 1 + i % 3), 0);
        if (i % 4 == 0)
            assert_int_equal(chain_reads(c, i % 9), 0);
        if (i % 50 != 7)
            continue;
        struct chain copy = copy_of(c, "copy");
        uint64_t least = trail_size(c->trail) - (i % 4 == 0 ? i % 9 : 0);
        lose_log(c, &copy);
        assert_int_equal(open_copy(&copy), 0);
        assert_true(trail_size(copy.trail) >= least);
        check_head(&copy);
        drop_copy(&copy);
    }
    check_head(c);
    assert_int_equal(chain_reopen(c), 0);
    check_head(c);
}

/* One of the two put back as it was earlier: found when it is opened, unless nothing is missing. */
static void test_older_copies(void **state)
{
    struct chain *c = *state;
    assert_int_equal(chain_turn(c, 3), 0);
    struct chain old = copy_of(c, "old");
    assert_int_equal(chain_turn(c, 3), 0);
    struct chain newer = copy_of(c, "newer"); /* not closed: the mark says nothing about the change */
    take_log(&old, &newer);
    assert_int_equal(open_copy(&old), FAULT_CORRUPT); /* a change that the database does not have */
    assert_null(old.trail);
    c->trail = trail_close(c->trail);
    take_log(&old, c);
    assert_int_equal(trail_open(old.store, old.trail_folder, TRAIL_RESERVE_COUNT, &old.trail),
                     FAULT_CORRUPT); /* the mark tells it */
    drop_copy(&old);
    drop_copy(&newer);

    assert_int_equal(trail_open(c->store, c->trail_folder, TRAIL_RESERVE_COUNT, &c->trail), 0);
    struct chain first = copy_of(c, "first");
    for (unsigned i = 0; i < TRAIL_RING_COUNT + 1; i++)
        assert_int_equal(chain_turn(c, 1), 0);
    struct chain last = copy_of(c, "last");
    take_log(&last, &first);
    assert_int_equal(open_copy(&last), FAULT_CORRUPT); /* the ring does not reach back to it */
    drop_copy(&first);
    drop_copy(&last);
}

/* Rows of the ring as an attacker could leave them. */
static void set_row(struct chain *c, int64_t place, int64_t first, int64_t count, struct bytes frames)
{
    static const uint8_t seal_bytes[TRAIL_SEAL_BYTES];
    struct store_stmt *st = store_use(c->store, STORE_TURN_SET);
    store_bind_i64(st, 1, place);
    store_bind_i64(st, 2, first);
    store_bind_i64(st, 3, count);
    store_bind_blob(st, 4, BYTES_LITERAL("state"));
    store_bind_blob(st, 5, BYTES_OF(seal_bytes));
    store_bind_blob(st, 6, frames);
    assert_int_equal(store_run(c->store, st), 0);
}

static void test_bad_rows(void **state)
{
    struct chain *c = *state;
    static uint8_t bytes[4096];
    uint64_t size;
    assert_int_equal(chain_turn(c, 4), 0);
    assert_int_equal(trail_bytes(c->trail, &size), 0);
    assert_true(size < sizeof bytes);
    assert_int_equal(trail_copy(c->trail, 0, bytes, (size_t)size), 0);
    c->trail = trail_close(c->trail);
    struct bytes good = bytes_of(bytes, (size_t)size);
    static uint8_t other[4096];
    memcpy(other, bytes, sizeof other);
    other[60] ^= 1; /* in the first record, which the log has otherwise */
    const struct {
        int64_t place, first, count;
        struct bytes frames;
    } rows[] = {
        {0, 0, 3, good},
        {0, 0, 5, good},
        {0, 0, 0, good},
        {0, 0, -1, good},
        {0, 0, INT64_MAX, good},
        {0, -1, 4, good},
        {0, INT64_MAX, 4, good},
        {0, 1, 4, good},
        {0, 4, 4, good},
        {0, 5, 4, good},
        {0, 0, 4, bytes_head(good, good.n - 1)},
        {0, 0, 4, BYTES_NONE},
        {0, 0, 4, bytes_of(bytes, good.n + 1)},
        {TRAIL_RING_COUNT, 4, 4, good},
        {-1, 4, 4, good},
        {1, 2, 2, good},
        {0, 0, 4, bytes_of(other, good.n)},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(store_begin(c->store), 0);
        set_row(c, rows[i].place, rows[i].first, rows[i].count, rows[i].frames);
        assert_int_equal(trail_open(c->store, c->trail_folder, TRAIL_RESERVE_COUNT, &c->trail), FAULT_CORRUPT);
        assert_null(c->trail);
        store_rollback(c->store);
    }
    assert_int_equal(store_begin(c->store), 0);
    set_row(c, 5, 0, 4, good); /* what the log has, but twice */
    assert_int_equal(trail_open(c->store, c->trail_folder, TRAIL_RESERVE_COUNT, &c->trail), FAULT_CORRUPT);
    store_rollback(c->store);
    assert_int_equal(trail_open(c->store, c->trail_folder, TRAIL_RESERVE_COUNT, &c->trail), 0);
    check_head(c);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, chain_make, chain_remove)
    const struct CMUnitTest tests[] = {
        T(test_turns),
        T(test_failed_turn),
        T(test_rewind),
        T(test_rewind_without_memory),
        T(test_refused_records),
        T(test_full_batch),
        T(test_reopen),
        T(test_allocation_failure),
        T(test_log_is_completed),
        T(test_reads_are_bounded),
        T(test_numbers_are_reserved),
        T(test_ring_goes_round),
        T(test_older_copies),
        T(test_bad_rows),
    };
    return cmocka_run_group_tests(tests, chain_start, NULL);
}
