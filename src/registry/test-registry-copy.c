/* Tests of what builds new versions from old ones, and of parts of a turn that are taken back by themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "fail-alloc.h"
#include "registry/test-core.h"

#define A "/registry/system/a"
#define B "/registry/system/b"

static int copy(const char *from, uint64_t version, const char *to)
{
    struct registry_done done;
    return registry_copy(t.r, node(from), version, bytes_of_text(to), &actor, &done);
}

/* Keeps the record that a change wants, and ends the turn. */
static void turn(void)
{
    assert_int_equal(end(), 0);
}

static void set_now(const char *path, const char *value, bool seals)
{
    struct registry_done done;
    assert_int_equal(set(path, value, seals, &done), 0);
    turn();
}

static bool value_at(const char *path, uint64_t version, const char *value)
{
    struct registry_value v;
    return registry_get_version(t.r, node(path), version, &v) == 0 && bytes_equal(v.body, bytes_of_text(value));
}

/* ---- copies ----------------------------------------------------------------------------------------------- */

static void a_copy_holds_all_that_its_source_does(void **state)
{
    struct registry_done done;
    struct registry_value v;
    struct registry_put put = {.type = VALUE_INTEGER,
                               .seals = true,
                               .has_comment = true,
                               .has_tags = true,
                               .has_expires = true,
                               .comment = BYTES_LITERAL("why"),
                               .tags = BYTES_LITERAL("a\nb\n"),
                               .expires_us = actor.now_us + 1000,
                               .body = BYTES_LITERAL("42")};
    (void)state;
    assert_int_equal(unlock(), 0);
    assert_int_equal(registry_set(t.r, BYTES_LITERAL(A), &actor, &put, &done), 0);
    assert_int_equal(copy(A, 0, B), 0);
    assert_int_equal(registry_get(t.r, node(B), false, &v), 0);
    assert_true(v.type == VALUE_INTEGER && v.flags == ENTRY_SEALED && v.expires_us == put.expires_us);
    assert_true(bytes_equal(v.comment, put.comment) && bytes_equal(v.tags, put.tags) && bytes_equal(v.body, put.body));
    turn();
    reopen();
    assert_int_equal(unlock(), 0);
    assert_true(holds(A, "42") && holds(B, "42"));
}

static void a_large_value_is_copied_in_the_clear_and_sealed(void **state)
{
    static char value[100001];
    (void)state;
    memset(value, 'v', sizeof value - 1);
    assert_int_equal(unlock(), 0);
    for (int seals = 0; seals < 2; seals++) {
        set_now(A, value, seals == 1);
        assert_int_equal(copy(A, 0, seals == 1 ? B "/s" : B "/c"), 0);
        turn();
    }
    assert_true(holds(B "/c", value) && holds(B "/s", value));
}

static void a_version_comes_back(void **state)
{
    (void)state;
    assert_int_equal(unlock(), 0);
    set_now(A, "one", false);
    set_now(A, "two", true);
    assert_int_equal(copy(A, 1, A), 0);
    turn();
    assert_true(holds(A, "one"));
    assert_true(value_at(A, 2, "two"));
    assert_int_equal(copy(A, 9, A), OUTCOME_NOT_FOUND);
    for (int i = 0; i < 4; i++)
        set_now(A, "more", false);
    assert_int_equal(copy(A, 1, A), OUTCOME_NOT_FOUND); /* three are kept */
}

static void what_cannot_be_there_is_refused(void **state)
{
    (void)state;
    assert_int_equal(unlock(), 0);
    set_now(A, "one", false);
    set_now(B "/x", "two", false);
    assert_int_equal(copy(A, 0, B), OUTCOME_IS_FOLDER);
    assert_int_equal(copy(A, 0, A "/below"), OUTCOME_NOT_FOLDER);
    assert_int_equal(copy(B, 0, A), OUTCOME_NOT_FOUND);
    turn();
    assert_true(holds(A, "one") && holds(B "/x", "two"));
}

/* ---- the past --------------------------------------------------------------------------------------------- */

static void check_at(const char *path, uint64_t revision, int result, uint64_t wanted)
{
    uint64_t version = 77;
    assert_int_equal(registry_at(t.r, node(path), revision, &version), result);
    if (result == 0)
        assert_int_equal(version, wanted);
}

static void knows_what_was_at_a_revision(void **state)
{
    struct registry_done done;
    (void)state;
    assert_int_equal(unlock(), 0);
    uint64_t first = t.r->state.revision;
    set_now(B, "other", false);
    set_now(A, "one", false);
    set_now(A, "two", false);
    assert_int_equal(registry_delete(t.r, node(A), &actor, &done), 0);
    turn();
    check_at(A, first + 1, 0, 0); /* not there yet */
    check_at(A, first + 2, 0, 1);
    check_at(A, first + 3, 0, 2);
    check_at(A, first + 4, 0, 0); /* deleted */
    check_at(A, UINT64_MAX, 0, 0);
    check_at(B, first, 0, 0);
    check_at(B, first + 4, 0, 1);
    set_now(A, "four", false);
    check_at(A, first + 5, 0, 4);
    check_at(A, first + 4, 0, 0);
    check_at(A, first + 3, 0, 2);
    check_at(A, first + 2, OUTCOME_GONE, 0);
    check_at(A, first + 1, OUTCOME_GONE, 0); /* it cannot be known any more */
}

/* ---- destroying ------------------------------------------------------------------------------------------- */

static void a_version_is_destroyed_alone(void **state)
{
    struct registry_value v;
    (void)state;
    assert_int_equal(unlock(), 0);
    set_now(A, "one", true);
    set_now(A, "two", false);
    set_now(A, "three", false);
    assert_int_equal(registry_shred(t.r, node(A), 3), OUTCOME_CONFLICT);
    assert_int_equal(registry_shred(t.r, node(A), 4), OUTCOME_NOT_FOUND);
    assert_int_equal(registry_shred(t.r, node(A), 0), OUTCOME_NOT_FOUND);
    assert_int_equal(registry_shred(t.r, node(A), 1), 0);
    struct record record = {.kind = RECORD_DESTROY, .wall_us = actor.now_us};
    bool synced;
    assert_int_equal(registry_record(t.r, &record, true), 0);
    assert_int_equal(registry_turn_end(t.r, false, &synced), 0);
    assert_int_equal(registry_scrub(t.r), 0);
    assert_int_equal(registry_shred(t.r, node(A), 1), OUTCOME_GONE);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(registry_get_version(t.r, node(A), 1, &v), OUTCOME_GONE);
        assert_int_equal(copy(A, 1, B), OUTCOME_GONE);
        assert_true(value_at(A, 2, "two") && holds(A, "three"));
        turn();
        reopen();
        assert_int_equal(unlock(), 0);
    }
    assert_int_equal(t.corrupt, 0);
}

/* ---- parts of a turn -------------------------------------------------------------------------------------- */

/* Changes of all kinds: new, changed, deleted (more than are remembered), moved, destroyed. */
static int change_much(void)
{
    struct registry_done done;
    char path[64];
    int x = set(A, "changed", true, &done);
    for (int i = 0; x == 0 && i < 4; i++) {
        snprintf(path, sizeof path, "/registry/system/t/%d", i);
        x = node(path) != NULL ? registry_delete(t.r, node(path), &actor, &done) : 0;
    }
    if (x == 0)
        x = set("/registry/system/n/e/w", "new", false, &done);
    if (x == 0)
        x = copy("/registry/system/n/e/w", 0, "/registry/system/c");
    if (x == 0)
        x = registry_delete(t.r, node("/registry/system/n/e/w"), &actor, &done);
    if (x == 0)
        x = registry_shred(t.r, node(A), 1);
    if (x == 0) {
        struct record record = {.kind = RECORD_SET, .wall_us = actor.now_us};
        x = registry_record(t.r, &record, true);
    }
    return x;
}

static void fill_much(void)
{
    char path[64];
    set_now(A, "one", false);
    set_now(A, "two", false);
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "/registry/system/t/%d", i);
        set_now(path, "there", i % 2 == 0);
    }
}

static void check_untouched(const struct rows_state *state, size_t nodes)
{
    char path[64];
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "/registry/system/t/%d", i);
        assert_true(holds(path, "there"));
    }
    assert_true(holds(A, "two") && value_at(A, 1, "one"));
    assert_null(node("/registry/system/n"));
    assert_null(node("/registry/system/c"));
    assert_int_equal(t.r->tree.nodes, nodes);
    assert_memory_equal(&t.r->state, state, sizeof *state);
}

static void a_part_that_is_dropped_never_was(void **state)
{
    struct registry_save save;
    (void)state;
    assert_int_equal(unlock(), 0);
    fill_much();
    struct rows_state before = t.r->state;
    size_t nodes = t.r->tree.nodes, tombs = t.r->tree.tombs_count;
    uint64_t records = trail_size(t.r->trail);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(registry_save(t.r, &save), 0);
        assert_int_equal(change_much(), 0);
        assert_int_equal(t.r->tree.tombs_count, settings.tombs_count);
        assert_int_equal(registry_drop(t.r, &save), 0);
        check_untouched(&before, nodes);
        assert_int_equal(trail_size(t.r->trail), records);
        assert_int_equal(t.r->tree.tombs_count, tombs);
        assert_int_equal(t.r->tree.forgotten_count, 0);
        assert_false(t.r->is_changed);
    }
    turn();
    reopen();
    assert_int_equal(unlock(), 0);
    check_untouched(&before, nodes);
}

static void what_came_before_a_dropped_part_stays(void **state)
{
    struct registry_done done;
    struct registry_save save;
    (void)state;
    assert_int_equal(unlock(), 0);
    fill_much();
    uint64_t revision = t.r->state.revision;
    assert_int_equal(set(A, "three", false, &done), 0);
    assert_int_equal(set(B, "kept", false, &done), 0);
    assert_int_equal(registry_save(t.r, &save), 0);
    assert_int_equal(set(B, "not kept", false, &done), 0);
    assert_int_equal(change_much(), OUTCOME_NOT_FOUND); /* version 1 of it is no longer kept */
    assert_int_equal(registry_drop(t.r, &save), 0);
    assert_true(holds(A, "three") && holds(B, "kept") && t.r->is_changed);
    assert_int_equal(t.r->state.revision, revision + 2);
    assert_int_equal(set(B, "and on", false, &done), 0);
    assert_int_equal(done.version_after, 2);
    turn();
    reopen();
    assert_int_equal(unlock(), 0);
    assert_true(holds(A, "three") && holds(B, "and on"));
}

static void a_part_that_is_kept_has_one_revision(void **state)
{
    struct registry_save save;
    (void)state;
    assert_int_equal(unlock(), 0);
    fill_much();
    uint64_t revision = t.r->state.revision;
    assert_int_equal(registry_save(t.r, &save), 0);
    assert_int_equal(change_much(), 0);
    assert_int_equal(registry_keep(t.r), 0);
    assert_int_equal(t.r->state.revision, revision + 1);
    assert_int_equal(node(A)->entry->revision, revision + 1);
    assert_int_equal(node("/registry/system/c")->entry->revision, revision + 1);
    turn();
    for (int i = 0; i < 2; i++) {
        assert_true(holds(A, "changed") && holds("/registry/system/c", "new"));
        assert_false(holds("/registry/system/t/0", "there"));
        reopen();
        assert_int_equal(unlock(), 0);
    }
    set_now(B, "next", false);
    assert_int_equal(t.r->state.revision, revision + 2);
}

static void a_turn_that_fails_takes_its_parts_with_it(void **state)
{
    struct registry_save save;
    (void)state;
    assert_int_equal(unlock(), 0);
    fill_much();
    struct rows_state before = t.r->state;
    size_t nodes = t.r->tree.nodes;
    assert_int_equal(registry_save(t.r, &save), 0);
    assert_int_equal(change_much(), 0);
    assert_int_equal(registry_keep(t.r), 0);
    registry_turn_fail(t.r, FAULT_FULL);
    assert_int_equal(end(), FAULT_FULL);
    check_untouched(&before, nodes);
}

/* One turn with a part in it; whatever fails, memory and database are what they were or what was wanted. */
static bool part_or_nomem(const struct rows_state *before, size_t nodes, bool drops)
{
    struct registry_save save;
    int x = registry_save(t.r, &save);
    if (x == 0)
        x = change_much();
    if (x == 0)
        x = drops ? registry_drop(t.r, &save) : registry_keep(t.r);
    int y = x < 0 ? registry_turn_fail(t.r, x) : 0;
    int z = end();
    bool was_refused = fail_alloc_off();
    assert_true(x <= 0 && (y == 0) == (x == 0));
    if (x < 0 || z < 0) {
        assert_int_equal(z, -ENOMEM);
        assert_true(was_refused);
        check_untouched(before, nodes);
        return false;
    }
    return true;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_int_equal(unlock(), 0);
    fill_much();
    struct rows_state before = t.r->state;
    size_t nodes = t.r->tree.nodes;
    for (int drops = 1; drops >= 0; drops--) {
        unsigned tries = 0;
        do {
            assert_true(tries < 1000);
            fail_alloc_after(tries++);
        } while (!part_or_nomem(&before, nodes, drops == 1));
        assert_true(tries > 5);
        if (drops == 1)
            check_untouched(&before, nodes);
    }
    assert_true(holds(A, "changed") && holds("/registry/system/c", "new"));
}

static void tags_have_one_form(void **state)
{
    static const char *const good[] = {"", "a\n", "a\nb\n", "A.b_c:@+-9\n"};
    static const char *const bad[] = {"a", "\n", "b\na\n", "a\na\n", "a b\n", "a\n\n", "\xc3\xa4\n", "a,b\n"};
    char many[META_TAGS_MAX_COUNT * 4 + 8], *at = many;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(meta_tags_check(bytes_of_text(good[i])));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(meta_tags_check(bytes_of_text(bad[i])));
    for (int i = 0; i < META_TAGS_MAX_COUNT; i++)
        at += sprintf(at, "t%02d\n", i);
    assert_true(meta_tags_check(bytes_of_text(many)));
    strcpy(at, "t99\n");
    assert_false(meta_tags_check(bytes_of_text(many)));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_copy_holds_all_that_its_source_does),
        T(a_large_value_is_copied_in_the_clear_and_sealed),
        T(a_version_comes_back),
        T(what_cannot_be_there_is_refused),
        T(knows_what_was_at_a_revision),
        T(a_version_is_destroyed_alone),
        T(a_part_that_is_dropped_never_was),
        T(what_came_before_a_dropped_part_stays),
        T(a_part_that_is_kept_has_one_revision),
        T(a_turn_that_fails_takes_its_parts_with_it),
        T(every_allocation_may_fail),
        cmocka_unit_test(tags_have_one_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
