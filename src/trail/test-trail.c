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
    assert_int_equal(trail_flush(c->trail, BYTES_NONE), 0); /* nothing to write */
    trail_settle(c->trail, true);
    check_head(c);

    assert_int_equal(store_begin(c->store), 0);
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
    assert_int_equal(trail_flush(c->trail, BYTES_NONE), 0);
    assert_int_equal(store_commit(c->store), 0);
    trail_settle(c->trail, true);
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
            assert_int_equal(trail_flush(c->trail, BYTES_NONE), 0);
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

/* A turn that should have carried a frontier and failed must not leave the next without one. */
static void test_failed_frontier(void **state)
{
    struct chain *c = *state;
    assert_int_equal(chain_turn(c, TRAIL_FRONTIER_EVERY_COUNT - 1), 0);
    assert_int_equal(store_begin(c->store), 0);
    assert_int_equal(chain_append(c, 1), 0);
    assert_int_equal(trail_flush(c->trail, BYTES_NONE), 0);
    store_rollback(c->store);
    trail_settle(c->trail, false);
    assert_int_equal(chain_turn(c, 1), 0);
    struct store_stmt *st = store_use(c->store, STORE_TURN_FRONTIER);
    store_bind_i64(st, 1, INT64_MAX);
    assert_int_equal(store_step(c->store, st), STORE_ROW);
    assert_int_equal(store_column_i64(st, 0), TRAIL_FRONTIER_EVERY_COUNT - 1);
    store_done(st);
    assert_int_equal(chain_reopen(c), 0);
    assert_int_equal(trail_size(c->trail), TRAIL_FRONTIER_EVERY_COUNT);
}

/* The row cannot be written: the number is taken by a row that is not ours. */
static void test_flush_fails(void **state)
{
    struct chain *c = *state;
    assert_int_equal(chain_turn(c, 3), 0);
    assert_int_equal(store_begin(c->store), 0);
    struct store_stmt *st = store_use(c->store, STORE_TURN_ADD);
    store_bind_i64(st, 1, 3);
    store_bind_i64(st, 2, 1);
    store_bind_blob(st, 5, BYTES_LITERAL("x"));
    assert_int_equal(store_run(c->store, st), 0);
    assert_int_equal(chain_append(c, 1), 0);
    assert_int_equal(trail_flush(c->trail, BYTES_NONE), FAULT_STORE);
    store_rollback(c->store);
    trail_settle(c->trail, false);
    assert_int_equal(chain_turn(c, 2), 0);
    check_head(c);
}

static void test_refused_records(void **state)
{
    struct chain *c = *state;
    static char text[RECORD_TEXT_MAX_BYTES + 1];
    struct record r = {.kind = RECORD_GET};
    struct trail_head head, again;
    memset(text, 'a', sizeof text);
    assert_int_equal(chain_turn(c, 2), 0);
    assert_int_equal(store_begin(c->store), 0);
    assert_int_equal(chain_append(c, 7), 0);
    r.path = BYTES_OF(text);
    assert_int_equal(trail_append(c->trail, &r), FAULT_LIMIT);
    r.path = BYTES_LITERAL("\xff");
    assert_int_equal(trail_append(c->trail, &r), FAULT_PROTOCOL);
    assert_int_equal(trail_pending(c->trail), 1);
    assert_int_equal(trail_size(c->trail), 3);
    assert_int_equal(chain_append(c, 8), 0);
    assert_int_equal(trail_flush(c->trail, BYTES_NONE), 0);
    assert_int_equal(store_commit(c->store), 0);
    trail_settle(c->trail, true);
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
    assert_int_equal(store_begin(c->store), 0);
    while ((x = trail_append(c->trail, &r)) == 0)
        n++;
    assert_int_equal(x, FAULT_LIMIT);
    assert_int_equal(trail_pending(c->trail), n);
    assert_true(n > TRAIL_BATCH_MAX_BYTES / RECORD_MAX_BYTES);
    assert_int_equal(trail_flush(c->trail, BYTES_NONE), 0);
    assert_int_equal(store_commit(c->store), 0);
    trail_settle(c->trail, true);
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
    assert_int_equal(trail_open(c->store, &c->trail), 0);
    assert_int_equal(trail_head(c->trail, &again), 0);
    heads_equal(&head, &again);
}

/* How many batches without a frontier follow the newest one: at most so many records are hashed again. */
static void test_frontier_is_near(void **state)
{
    struct chain *c = *state;
    for (unsigned i = 0; i < 70; i++) {
        assert_int_equal(chain_turn(c, 37), 0);
        struct store_stmt *st = store_use(c->store, STORE_TURN_FRONTIER);
        store_bind_i64(st, 1, INT64_MAX);
        int64_t at = 0;
        if (store_step(c->store, st) == STORE_ROW)
            at = store_column_i64(st, 0) + store_column_i64(st, 1);
        store_done(st);
        assert_true(trail_size(c->trail) - (uint64_t)at < TRAIL_FRONTIER_EVERY_COUNT);
        if (i % 10 == 0)
            assert_int_equal(chain_reopen(c), 0); /* the count goes on from what is stored */
    }
}

/* Adds records `first` on as one batch with this frontier, and says what opening makes of it. */
static int open_with(struct chain *c, size_t first, size_t count, struct bytes frontier)
{
    static uint8_t frames[100000];
    size_t n = 0;
    struct trail *t = NULL;
    for (size_t i = first; i < first + count; i++) {
        struct bytes r = chain_record(&all, i);
        uint8_t head[] = {0, 0, (uint8_t)(r.n >> 8), (uint8_t)r.n};
        assert_true(n + sizeof head + r.n <= sizeof frames);
        memcpy(frames + n, head, sizeof head);
        memcpy(frames + n + sizeof head, r.p, r.n);
        n += sizeof head + r.n;
    }
    struct store_stmt *st = store_use(c->store, STORE_TURN_ADD);
    store_bind_i64(st, 1, (int64_t)first);
    store_bind_i64(st, 2, (int64_t)count);
    store_bind_blob(st, 5, bytes_of(frames, n));
    store_bind_blob(st, 4, frontier);
    assert_int_equal(store_run(c->store, st), 0);
    int x = trail_open(c->store, &t);
    if (x == 0)
        assert_int_equal(trail_size(t), first + count);
    trail_close(t);
    return x;
}

/* The frontier after `count` records. */
static void make_frontier(struct buf *out, size_t count)
{
    struct trail_check check;
    trail_check_init(&check);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(trail_check_add(&check, chain_record(&all, i)), 0);
    buf_clear(out);
    assert_int_equal(buf_append(out, BYTES_OF(check.last)), 0);
    assert_int_equal(merkle_encode(&check.tree, out), 0);
}

static void test_bad_frontiers(void **state)
{
    struct chain *c = *state;
    struct buf f;
    buf_init(&f, 4096);
    assert_int_equal(chain_turn(c, 100), 0);
    assert_int_equal(chain_copy_all(c, &all), 0);
    assert_int_equal(store_begin(c->store), 0);
    assert_int_equal(chain_append(c, 100), 0);
    assert_int_equal(chain_append(c, 101), 0);
    trail_settle(c->trail, false);
    store_rollback(c->store);

    c->trail = trail_close(c->trail);
    c->store = store_close(c->store);
    assert_int_equal(unlink(c->db), 0);
    assert_int_equal(unlink(c->log), 0);
    assert_int_equal(store_create(c->db, &c->store), 0);
    struct bytes bad[] = {BYTES_NONE, BYTES_LITERAL("short"), BYTES_NONE, BYTES_NONE};
    uint8_t zeros[40] = {0}; /* the empty tree */
    bad[2] = BYTES_OF(zeros);
    make_frontier(&f, 49);
    bad[3] = buf_view(&f);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(store_begin(c->store), 0);
        assert_int_equal(open_with(c, 0, 50, bad[i]), FAULT_CORRUPT);
        store_rollback(c->store);
    }
    make_frontier(&f, 50);
    assert_int_equal(open_with(c, 0, 50, buf_view(&f)), 0);
    assert_int_equal(store_begin(c->store), 0);
    assert_int_equal(open_with(c, 51, 2, BYTES_NONE), FAULT_CORRUPT); /* empty is not NULL */
    store_rollback(c->store);
    buf_fini(&f);
    buf_fini(&all.bytes);
}

/* A frontier with another hash of the last record: the next record does not fit it. */
static void test_frontier_of_another_chain(void **state)
{
    struct chain *c = *state;
    struct buf f;
    buf_init(&f, 4096);
    assert_int_equal(chain_turn(c, 60), 0);
    assert_int_equal(chain_copy_all(c, &all), 0);
    make_frontier(&f, 50);
    c->trail = trail_close(c->trail);
    c->store = store_close(c->store);
    assert_int_equal(unlink(c->db), 0);
    assert_int_equal(unlink(c->log), 0);
    assert_int_equal(store_create(c->db, &c->store), 0);
    f.p[f.start] ^= 1;
    assert_int_equal(open_with(c, 0, 50, buf_view(&f)), 0); /* nothing after it yet: not seen at opening */
    assert_int_equal(trail_open(c->store, &c->trail), 0);
    buf_fini(&all.bytes);
    assert_int_equal(chain_copy_all(c, &all), 0);
    struct trail_check check;
    struct trail_head head, stored;
    trail_check_init(&check);
    for (size_t i = 0; i < all.count; i++)
        assert_int_equal(trail_check_add(&check, chain_record(&all, i)), 0);
    assert_int_equal(trail_check_head(&check, &head), 0);
    assert_int_equal(trail_head(c->trail, &stored), 0);
    assert_memory_not_equal(head.last, stored.last, sizeof head.last); /* but by who recomputes all */
    assert_int_equal(chain_turn(c, 1), 0);
    buf_fini(&f);
    buf_fini(&all.bytes);
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
    int x = trail_open(c->store, &t);
    assert_true(x == 0 || x == -ENOMEM);
    assert_int_equal(t != NULL, x == 0);
    trail_close(t);
}

static void test_allocation_failure(void **state)
{
    struct chain *c = *state;
    assert_int_equal(chain_turn(c, 1), 0);
    EACH_ALLOC_FAILURE(assert_int_equal(chain_reopen(c) == 0 || c->trail == NULL, 1); if (c->trail != NULL) {
        turn_or_nomem(c, 1100); /* with a frontier */
    });
    assert_true(c->trail != NULL || chain_reopen(c) == 0);
    EACH_ALLOC_FAILURE(open_or_nomem(c));
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
    assert_int_equal(store_begin(c->store), 0);
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
    assert_int_equal(trail_flush(c->trail, BYTES_NONE), 0);
    assert_int_equal(store_commit(c->store), 0);
    trail_settle(c->trail, true);
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
    assert_int_equal(store_begin(c->store), 0);
    trail_mark(c->trail, &mark);
    int x = 0;
    for (unsigned i = 0; x == 0 && i < 300; i++)
        x = chain_append(c, i);
    assert_true(x == 0 || x == -ENOMEM);
    trail_rewind(c->trail, &mark);
    assert_int_equal(trail_pending(c->trail), 0);
    store_rollback(c->store);
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

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, chain_make, chain_remove)
    const struct CMUnitTest tests[] = {
        T(test_turns),
        T(test_failed_turn),
        T(test_rewind),
        T(test_rewind_without_memory),
        T(test_failed_frontier),
        T(test_flush_fails),
        T(test_refused_records),
        T(test_full_batch),
        T(test_reopen),
        T(test_frontier_is_near),
        T(test_bad_frontiers),
        T(test_frontier_of_another_chain),
        T(test_allocation_failure),
    };
    return cmocka_run_group_tests(tests, chain_start, NULL);
}
