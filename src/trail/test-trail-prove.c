/* trail-prove: proofs from every kind of place, what they cost, and what is stored falsely beside the records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fail-alloc.h"

#include "test-chain.h"

enum { LONG_COUNT = 140000, TURN_COUNT = 1000 };

static void check_record(struct chain *c, uint64_t seq, const struct trail_head *head)
{
    static struct merkle_proof p;
    uint8_t leaf[DIGEST_BYTES], root[DIGEST_BYTES];
    struct bytes record;
    struct record r;
    assert_int_equal(trail_prove(c->trail, seq, &p, &record), 0);
    assert_true(record_decode(record, &r));
    assert_int_equal(r.seq, seq);
    assert_int_equal(merkle_leaf(record, leaf), 0);
    assert_int_equal(merkle_proof_root(&p, leaf, seq, head->size, root), 0);
    assert_memory_equal(root, head->root, sizeof root);
}

static void check_extends(struct chain *c, const struct trail_head *old, const struct trail_head *head)
{
    static struct merkle_proof p;
    struct merkle_head from = {old->size, old->root}, to = {head->size, head->root};
    assert_int_equal(trail_prove_extends(c->trail, old->size, &p), 0);
    assert_int_equal(merkle_proof_extends(&p, from, to), 0);
}

static void check_all(struct chain *c, uint64_t step)
{
    struct trail_head head;
    assert_int_equal(trail_head(c->trail, &head), 0);
    for (uint64_t seq = 0; seq < head.size; seq += step)
        check_record(c, seq, &head);
    check_record(c, head.size - 1, &head);
}

/* Turns of many sizes, some of which are given up or taken back in part, so that runs are completed in all of them. */
static void test_turns(void **state)
{
    struct chain *c = *state;
    static struct trail_head heads[60];
    struct trail_mark mark;
    struct trail_head head;
    for (unsigned i = 0; i < COUNT_OF(heads); i++) {
        unsigned n = i * 37 % 300 + 1;
        for (unsigned j = 0; j < n; j++)
            assert_int_equal(chain_append(c, j), 0);
        trail_mark(c->trail, &mark);
        for (unsigned j = 0; j < 300; j++)
            assert_int_equal(chain_append(c, j + 1000), 0);
        trail_rewind(c->trail, &mark);
        if (i % 5 == 2)
            trail_settle(c->trail, false);
        else
            assert_int_equal(chain_end(c, BYTES_NONE), 0);
        assert_int_equal(trail_head(c->trail, &heads[i]), 0);
        if (i % 10 == 9)
            assert_int_equal(chain_reopen(c), 0);
    }
    check_all(c, 7);
    assert_int_equal(trail_head(c->trail, &head), 0);
    for (size_t i = 0; i < COUNT_OF(heads); i++)
        check_extends(c, &heads[i], &head);
    assert_int_equal(chain_append(c, 1), 0); /* what is pending is in no proof, and does not hinder one */
    check_record(c, head.size - 1, &head);
    trail_settle(c->trail, false);
}

static struct trail *import_of(struct chain *c, const char *folder, struct store *store)
{
    struct trail_import *m;
    struct trail *t;
    uint64_t bytes;
    assert_int_equal(trail_bytes(c->trail, &bytes), 0);
    uint8_t *all = malloc(bytes);
    assert_non_null(all);
    assert_int_equal(trail_copy(c->trail, 0, all, bytes), 0);
    assert_int_equal(trail_import_begin(folder, &m), 0);
    for (uint64_t at = 0; at < bytes; at += 1 << 20)
        assert_int_equal(trail_import_add(m, bytes_of(all + at, MIN_OF(bytes - at, UINT64_C(1) << 20))), 0);
    assert_int_equal(trail_import_end(m, &seed), 0);
    trail_import_free(m);
    free(all);
    assert_int_equal(trail_open(store, folder, TRAIL_RESERVE_COUNT, &t), 0);
    return t;
}

/* Long runs, files that begin within a run, and the same trail as it is after a restore. */
static void test_long_trail(void **state)
{
    struct chain *c = *state;
    struct trail_head old, head;
    char folder[128];
    for (unsigned i = 0; i < LONG_COUNT; i += TURN_COUNT) {
        for (unsigned j = 0; j < TURN_COUNT; j++)
            assert_int_equal(chain_append(c, i + j), 0);
        assert_int_equal(chain_end(c, BYTES_NONE), 0);
        if (i == 70000)
            assert_int_equal(trail_head(c->trail, &old), 0);
    }
    check_all(c, 5003);
    assert_int_equal(trail_head(c->trail, &head), 0);
    check_extends(c, &old, &head);
    (void)snprintf(folder, sizeof folder, "%s/imported", c->folder);
    struct chain other = *c;
    other.trail = import_of(c, folder, c->store);
    check_all(&other, 9001);
    check_extends(&other, &old, &head);
    trail_close(other.trail);
}

static void flip(const char *folder, long at)
{
    char path[160];
    (void)snprintf(path, sizeof path, "%s/00000000000000000000.log", folder);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    int byte = fgetc(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    assert_int_equal(fputc(byte ^ 1, f), byte ^ 1);
    assert_int_equal(fclose(f), 0);
}

/* A root that is not that of its run proves nothing, and is not given away. */
static void test_false_roots(void **state)
{
    static struct merkle_proof p;
    struct chain *c = *state;
    struct bytes record;
    assert_int_equal(chain_turn(c, 700), 0);
    check_all(c, 50);
    flip(c->trail_folder, 16384 + DIGEST_BYTES); /* the second run */
    assert_int_equal(trail_prove(c->trail, 5, &p, &record), TRAIL_UNPROVABLE);
    assert_int_equal(trail_prove_extends(c->trail, 690, &p), TRAIL_UNPROVABLE);
    assert_int_equal(trail_prove(c->trail, 300, &p, &record), 0); /* it is in that run: only the others are needed */
    flip(c->trail_folder, 16384 + DIGEST_BYTES);
    flip(c->trail_folder, SEGMENT_DATA_OFFSET + 4); /* the hash beside the first record */
    assert_int_equal(trail_prove(c->trail, 5, &p, &record), TRAIL_UNPROVABLE);
    flip(c->trail_folder, SEGMENT_DATA_OFFSET + 4);
    check_all(c, 50);
}

static void test_without_memory(void **state)
{
    static struct merkle_proof p;
    struct chain *c = *state;
    struct bytes record;
    assert_int_equal(chain_turn(c, 300), 0);
    EACH_ALLOC_FAILURE({
        int r = trail_prove(c->trail, 100, &p, &record);
        assert_true(r == 0 || r == -ENOMEM);
        r = trail_prove_extends(c->trail, 100, &p);
        assert_true(r == 0 || r == -ENOMEM);
    });
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, chain_make, chain_remove)
    const struct CMUnitTest tests[] = {T(test_turns), T(test_long_trail), T(test_false_roots), T(test_without_memory)};
    return cmocka_run_group_tests(tests, chain_start, NULL);
}
