/* Tests of watch-feed: where changes begin, against a search from front to back; and what the feed keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/watch.h"
#include "fail-alloc.h"
#include "remove-tree.h"

enum { RECORDS_MAX_COUNT = 2000 };

static struct {
    char folder[64], db[96], log[96];
    struct store *store;
    struct trail *trail;
    uint64_t revisions[RECORDS_MAX_COUNT]; /* of each record */
    size_t count;
} t;

static struct epoch_seed seed; /* of the trail */

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    snprintf(t.folder, sizeof t.folder, "/tmp/secreg-feed-XXXXXX");
    if (crypt_start() < 0 || mkdtemp(t.folder) == NULL)
        return -1;
    snprintf(t.db, sizeof t.db, "%s/a.db", t.folder);
    snprintf(t.log, sizeof t.log, "%s/trail", t.folder);
    return store_create(t.db, &t.store) != 0 || trail_make(t.log, &seed) != 0 ||
                   trail_open(t.store, t.log, TRAIL_RESERVE_COUNT, &t.trail) != 0
               ? -1
               : 0;
}

static int teardown(void **state)
{
    (void)state;
    t.trail = trail_close(t.trail);
    t.store = store_close(t.store);
    return remove_tree(t.folder);
}

enum what { READ, CHANGE, RULE, REFUSED };

static void append(enum what what, uint64_t revision, const char *path)
{
    struct record r = {
        .kind = RECORD_SET, .revision = revision, .path = bytes_of_text(path), .version_after = what != RULE};
    r.outcome = what == REFUSED ? OUTCOME_REFUSED : 0;
    r.state.n = what == READ ? 0 : RECORD_HASH_BYTES;
    assert_int_equal(trail_append(t.trail, &r), 0);
    assert_true(t.count < RECORDS_MAX_COUNT);
    t.revisions[t.count++] = revision;
}

static void commit(void)
{
    assert_int_equal(trail_flush(t.trail, BYTES_NONE, false), 0);
    trail_settle(t.trail, true);
}

static uint64_t naive(uint64_t revision)
{
    for (size_t i = 0; i < t.count; i++) {
        if (t.revisions[i] > revision)
            return i;
    }
    return t.count;
}

static void check_find(uint64_t up_to)
{
    for (uint64_t revision = 0; revision <= up_to; revision++) {
        uint64_t found = UINT64_MAX, wanted = naive(revision);
        assert_int_equal(watch_find(t.trail, revision, &found), 0);
        /* it may begin before or behind records without a revision, which are no changes */
        for (uint64_t i = MIN_OF(found, wanted); i < MAX_OF(found, wanted); i++)
            assert_int_equal(t.revisions[i], 0);
    }
}

static void the_place_of_any_revision_is_found(void **state)
{
    (void)state;
    uint64_t found;
    assert_int_equal(watch_find(t.trail, 0, &found), 0);
    assert_int_equal(found, 0);
    srand(1);
    uint64_t revision = 1;
    for (int turn = 0; turn < 60; turn++) {
        bool is_locked = turn % 7 == 3 || turn % 7 == 4 || turn == 0 || turn == 59;
        int count = rand() % 20 + 1;
        for (int i = 0; i < count; i++) {
            revision += !is_locked && rand() % 3 == 0 ? (uint64_t)(rand() % 3) : 0;
            append(READ, is_locked ? 0 : revision, "/registry/a");
        }
        commit();
    }
    check_find(revision + 1);
}

static void what_is_pending_is_not_found(void **state)
{
    (void)state;
    uint64_t found;
    append(CHANGE, 5, "/registry/a");
    commit();
    append(CHANGE, 6, "/registry/a");
    assert_int_equal(watch_find(t.trail, 5, &found), 0);
    assert_int_equal(found, 1);
    trail_settle(t.trail, false);
}

static uint64_t seen[RECORDS_MAX_COUNT];
static size_t seen_count, stop_at;

static int on_change(const struct record *r, void *arg)
{
    (void)arg;
    assert_true(seen_count < RECORDS_MAX_COUNT);
    seen[seen_count++] = r->seq;
    return seen_count == stop_at ? 7 : 0;
}

static void the_feed_keeps_changes_only(void **state)
{
    (void)state;
    struct watch_feed f;
    bool has_other = false;
    watch_feed_init(&f);
    watch_feed_begin(&f, 2);
    append(CHANGE, 1, "/registry/a");
    append(CHANGE, 2, "/registry/a");
    append(READ, 2, "/registry/a");
    append(CHANGE, 3, "/registry/b");
    append(REFUSED, 3, "/registry/c");
    append(CHANGE, 4, "/registry/d");
    commit();
    assert_int_equal(watch_feed_take(&f, t.trail, 2, &has_other), 0);
    assert_false(has_other);
    seen_count = stop_at = 0;
    assert_int_equal(watch_feed_each(&f, 2, on_change, NULL), 0);
    assert_int_equal(seen_count, 2);
    assert_true(seen[0] == 3 && seen[1] == 5);
    append(RULE, 5, "/registry/a");
    append(CHANGE, 6, "/registry/a");
    commit();
    assert_int_equal(watch_feed_take(&f, t.trail, 6, &has_other), 0);
    assert_true(has_other);
    seen_count = 0;
    stop_at = 1;
    assert_int_equal(watch_feed_each(&f, 4, on_change, NULL), 7);
    assert_int_equal(seen[0], 5);
    seen_count = 0;
    assert_int_equal(watch_feed_each(&f, 6, on_change, NULL), 7);
    assert_int_equal(seen[0], 7);
    watch_feed_fini(&f);
}

/* Records as large as they get, until the oldest have to go. */
static void the_feed_is_bounded(void **state)
{
    (void)state;
    static char path[1000];
    struct watch_feed f;
    bool has_other = false;
    uint64_t first = 0;
    memset(path, 'x', sizeof path - 1);
    watch_feed_init(&f);
    watch_feed_begin(&f, 0);
    for (uint64_t turn = 0; turn < 7; turn++) {
        for (int i = 0; i < 1000; i++) {
            t.count = 0;
            append(CHANGE, turn * 1000 + (uint64_t)i + 1, path);
        }
        first = trail_size(t.trail) - 1000;
        commit();
        assert_int_equal(watch_feed_take(&f, t.trail, first, &has_other), 0);
        assert_true(buf_size(&f.bytes) <= WATCH_FEED_MAX_BYTES && f.count <= WATCH_FEED_MAX_COUNT);
    }
    assert_true(f.first > 0 && f.first < first);
    seen_count = stop_at = 0;
    assert_int_equal(watch_feed_each(&f, trail_size(t.trail) - 1500, on_change, NULL), 0);
    assert_int_equal(seen_count, 1500);
    for (size_t i = 0; i < seen_count; i++)
        assert_int_equal(seen[i], trail_size(t.trail) - 1500 + i);
    watch_feed_fini(&f);
}

static void a_feed_without_memory_has_no_gap(void **state)
{
    (void)state;
    int failed = 0;
    for (int i = 0; i < 100; i++)
        append(CHANGE, (uint64_t)i + 1, "/registry/a");
    commit();
    EACH_ALLOC_FAILURE({
        struct watch_feed f;
        bool has_other = false;
        watch_feed_init(&f);
        watch_feed_begin(&f, 0);
        int x = watch_feed_take(&f, t.trail, 0, &has_other);
        failed += x == -ENOMEM;
        assert_int_equal(f.first, x == 0 ? 0 : trail_size(t.trail)); /* all of it, or none */
        assert_int_equal(f.count, x == 0 ? 100 : 0);
        watch_feed_fini(&f);
    });
    assert_true(failed > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_place_of_any_revision_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_pending_is_not_found, setup, teardown),
        cmocka_unit_test_setup_teardown(the_feed_keeps_changes_only, setup, teardown),
        cmocka_unit_test_setup_teardown(the_feed_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(a_feed_without_memory_has_no_gap, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
