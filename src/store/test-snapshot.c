/* Tests of the held database file: it is one moment, whatever is written meanwhile, and opens as a database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fail-alloc.h"
#include "store/test-folder.h"

/* Writes the held file to `path`. */
static void copy_held(struct store *s, const char *path)
{
    uint8_t page[STORE_PAGE_BYTES];
    uint64_t bytes;
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(store_held_bytes(s, &bytes), 0);
    for (uint64_t at = 0; at < bytes; at += sizeof page) {
        assert_int_equal(store_held_read(s, at, page, sizeof page), 0);
        assert_int_equal(fwrite(page, 1, sizeof page, f), sizeof page);
    }
    assert_int_equal(fclose(f), 0);
}

static void holds_one_moment(void **state)
{
    const struct test_folder *f = *state;
    char copy[128], log[136];
    struct store *s;
    (void)snprintf(copy, sizeof copy, "%s/copy.db", f->path);
    (void)snprintf(log, sizeof log, "%s-wal", copy);
    assert_int_equal(store_create(f->db, &s), 0);
    assert_int_equal(test_put(s, "a", "before"), 0);
    assert_int_equal(store_hold(s), 0);
    assert_true(store_is_held(s));
    for (int i = 0; i < 50; i++) {
        assert_int_equal(test_put(s, "a", "after"), 0);
        assert_int_equal(store_sync(s), 0);
        assert_int_equal(store_checkpoint(s, 0), 0); /* asked for, and put off */
    }
    copy_held(s, copy);
    store_release(s);
    assert_false(store_is_held(s));
    assert_int_equal(store_checkpoint(s, 0), 0);
    assert_int_equal(store_scrub(s), 0);
    assert_true(test_has(s, "a", "after"));
    store_close(s);
    assert_int_equal(store_open(copy, &s), 0);
    assert_true(test_has(s, "a", "before"));
    store_close(s);
    (void)unlink(copy);
    (void)unlink(log);
}

/* What a killed process left in the log belongs to the moment too. */
static void folds_a_log_that_was_left(void **state)
{
    const struct test_folder *f = *state;
    char text[512];
    struct store *s;
    assert_int_equal(store_create(f->db, &s), 0);
    assert_int_equal(test_put(s, "a", "first"), 0);
    store_close(s);
    assert_int_equal(store_open(f->db, &s), 0);
    assert_int_equal(test_put(s, "a", "in the log"), 0);
    /* a copy of both files is what a kill would have left */
    (void)snprintf(text, sizeof text, "cp %s %s.b && cp %s %s.b-wal", f->db, f->db, f->log, f->db);
    assert_int_equal(system(text), 0);
    store_close(s);
    (void)snprintf(text, sizeof text, "%s.b", f->db);
    assert_int_equal(store_open(text, &s), 0);
    assert_int_equal(store_hold(s), 0);
    char copy[160];
    (void)snprintf(copy, sizeof copy, "%s.c", f->db);
    copy_held(s, copy);
    store_close(s);
    assert_int_equal(store_open(copy, &s), 0);
    assert_true(test_has(s, "a", "in the log"));
    store_close(s);
    /* and is not lost when the log is overwritten before anything was committed */
    (void)snprintf(text, sizeof text, "cp %s %s.d && cp %s %s.d-wal", f->db, f->db, f->log, f->db);
    assert_int_equal(store_open(f->db, &s), 0);
    assert_int_equal(test_put(s, "a", "left again"), 0);
    assert_int_equal(system(text), 0);
    store_close(s);
    (void)snprintf(text, sizeof text, "%s.d", f->db);
    assert_int_equal(store_open(text, &s), 0);
    assert_int_equal(store_scrub(s), 0);
    assert_true(test_has(s, "a", "left again"));
    store_close(s);
    assert_int_equal(store_open(text, &s), 0);
    assert_true(test_has(s, "a", "left again"));
    store_close(s);
    (void)snprintf(text, sizeof text, "rm -f %s.?*", f->db);
    assert_int_equal(system(text), 0);
}

static void reads_nothing_past_the_end(void **state)
{
    const struct test_folder *f = *state;
    uint8_t page[STORE_PAGE_BYTES];
    uint64_t bytes;
    struct store *s;
    assert_int_equal(store_create(f->db, &s), 0);
    assert_int_equal(store_hold(s), 0);
    assert_int_equal(store_held_bytes(s, &bytes), 0);
    assert_true(bytes > 0 && bytes % STORE_PAGE_BYTES == 0);
    assert_int_equal(store_held_read(s, bytes, page, sizeof page), FAULT_CORRUPT);
    store_close(s);
}

static void lets_go_when_the_log_grows_too_long(void **state)
{
    const struct test_folder *f = *state;
    struct store *s;
    assert_int_equal(store_create(f->db, &s), 0);
    assert_int_equal(test_put(s, "a", "b"), 0);
    assert_int_equal(store_hold(s), 0);
    assert_int_equal(test_put(s, "a", "c"), 0);
    s->wal_pages = STORE_HOLD_PAGES; /* as if so much had been written */
    assert_int_equal(store_checkpoint(s, 0), 0);
    assert_true(store_is_held(s));
    s->wal_pages++;
    assert_int_equal(store_checkpoint(s, 0), 0);
    assert_false(store_is_held(s));
    assert_int_equal(s->wal_pages, 0);
    store_close(s);
}

static void needs_a_store_that_can_sync(void **state)
{
    const struct test_folder *f = *state;
    struct store *s;
    assert_int_equal(store_create(f->db, &s), 0);
    s->is_sync_broken = true;
    assert_int_equal(store_hold(s), FAULT_SYNC);
    assert_false(store_is_held(s));
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(holds_one_moment, test_folder_make, test_folder_remove),
        cmocka_unit_test_setup_teardown(folds_a_log_that_was_left, test_folder_make, test_folder_remove),
        cmocka_unit_test_setup_teardown(reads_nothing_past_the_end, test_folder_make, test_folder_remove),
        cmocka_unit_test_setup_teardown(lets_go_when_the_log_grows_too_long, test_folder_make, test_folder_remove),
        cmocka_unit_test_setup_teardown(needs_a_store_that_can_sync, test_folder_make, test_folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
