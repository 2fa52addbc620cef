/* Tests of slots, rekey, rotate and eras on the registry core: values, history and damage before, while and after. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail-alloc.h"
#include "registry/registry-internal.h"
#include "remove-tree.h"

enum { ENTRIES_COUNT = 40, BIG_BYTES = 5000 };

static struct {
    char folder[64], db[96];
    struct secret key, other;
    struct registry *r;
    size_t corrupt;
    char why[REGISTRY_WHY_BYTES];
} t;

static const struct registry_actor actor = {.uid = 1000, .now_us = 1700000000000000};
static const struct registry_settings settings = {.versions_count = 5, .tombs_count = 2, .spare_count = 100};

static void on_corrupt(struct bytes path, void *arg)
{
    (void)path;
    (void)arg;
    t.corrupt++;
}

static int unlock_with(const struct secret *key)
{
    t.corrupt = 0;
    return registry_unlock(t.r, KEYS_SLOT_KEY_FILE, key, on_corrupt, NULL, t.why);
}

static void reopen(void)
{
    t.r = registry_close(t.r);
    assert_int_equal(registry_open(t.db, &settings, &t.r), 0);
}

static int end(void)
{
    bool synced;
    struct record record = {.kind = RECORD_SET, .wall_us = actor.now_us};
    if (t.r->is_changed && registry_record(t.r, &record, true) < 0)
        assert_true(t.r->failed < 0);
    return registry_turn_end(t.r, false, &synced);
}

static void set(const char *path, const char *value, bool seals)
{
    struct registry_done done;
    struct registry_put put = {.body = bytes_of_text(value), .seals = seals};
    assert_int_equal(registry_set(t.r, bytes_of_text(path), &actor, &put, &done), 0);
}

static struct node *node(const char *path)
{
    return tree_walk(&t.r->tree, bytes_of_text(path)).node;
}

static void name(char *path, size_t size, int i)
{
    (void)snprintf(path, size, "/registry/system/f%d/e%d", i % 3, i);
}

/* Sealed and plain, small and large, with history, deleted and shredded ones among them. */
static void fill(void)
{
    char path[64], value[64], big[BIG_BYTES + 1];
    memset(big, 'b', BIG_BYTES);
    big[BIG_BYTES] = '\0';
    for (int i = 0; i < ENTRIES_COUNT; i++) {
        name(path, sizeof path, i);
        for (int v = 1; v <= 1 + i % 3; v++) {
            (void)snprintf(value, sizeof value, "value %d of %d", v, i);
            set(path, i % 10 == 9 ? big : value, i % 2 == 0 || i % 10 == 9);
        }
    }
    struct registry_done done;
    assert_int_equal(registry_delete(t.r, node("/registry/system/f0/e3"), &actor, &done), 0);
    assert_int_equal(registry_delete(t.r, node("/registry/system/f0/e6"), &actor, &done), 0);
    assert_int_equal(registry_shred(t.r, node("/registry/system/f2/e2"), 1), 0);
    assert_int_equal(end(), 0);
}

static void check_value(struct node *n, int i, uint64_t version)
{
    char value[64];
    struct registry_value v;
    (void)snprintf(value, sizeof value, "value %d of %d", (int)version, i);
    assert_int_equal(registry_get_version(t.r, n, version, &v), 0);
    if (i % 10 == 9)
        assert_true(v.body.n == BIG_BYTES && v.body.p[0] == 'b' && v.body.p[BIG_BYTES - 1] == 'b');
    else
        assert_true(bytes_equal(v.body, bytes_of_text(value)));
}

/* Everything is what fill() made, version by version. */
static void check_all(void)
{
    char path[64];
    struct registry_value v;
    for (int i = 0; i < ENTRIES_COUNT; i++) {
        name(path, sizeof path, i);
        struct node *n = node(path);
        uint64_t newest = 1 + (uint64_t)i % 3;
        assert_non_null(n);
        for (uint64_t version = 1; version <= newest; version++) {
            if (i == 2 && version == 1)
                assert_int_equal(registry_get_version(t.r, n, version, &v), OUTCOME_GONE);
            else
                check_value(n, i, version);
        }
        bool is_deleted = i == 3 || i == 6;
        assert_int_equal(registry_get(t.r, n, false, &v), is_deleted ? OUTCOME_NOT_FOUND : 0);
        if (!is_deleted)
            assert_int_equal(v.version, newest);
    }
    assert_int_equal(t.r->tree.entries, ENTRIES_COUNT - 2);
}

static int setup(void **state)
{
    struct registry_made made;
    (void)state;
    memset(&t, 0, sizeof t);
    (void)snprintf(t.folder, sizeof t.folder, "/tmp/test-passes-XXXXXX");
    assert_non_null(mkdtemp(t.folder));
    (void)snprintf(t.db, sizeof t.db, "%s/registry.db", t.folder);
    assert_true(crypt_start() >= 0);
    assert_int_equal(secret_init_random(&t.key, KEYS_FILE_BYTES), 0);
    assert_int_equal(secret_init_random(&t.other, KEYS_FILE_BYTES), 0);
    assert_int_equal(registry_create(t.db, &actor, KEYS_SLOT_KEY_FILE, &t.key, 0, &made), 0);
    assert_int_equal(registry_open(t.db, &settings, &t.r), 0);
    assert_int_equal(unlock_with(&t.key), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fail_alloc_off();
    registry_close(t.r);
    secret_fini(&t.key);
    secret_fini(&t.other);
    return remove_tree(t.folder);
}

static uint64_t add_other(void)
{
    uint64_t id = 0;
    struct registry_slot slot = {.kind = KEYS_SLOT_KEY_FILE, .label = BYTES_LITERAL("other")};
    assert_int_equal(registry_slot_add(t.r, &actor, &slot, &t.other, &id), 0);
    assert_int_equal(end(), 0);
    return id;
}

static int begin_rekey(uint64_t slot, const struct secret *secret)
{
    struct registry_material m = {.slot = slot, .secret = *secret};
    size_t bad;
    assert_int_equal(registry_rekey_check(t.r, &m, 1, &bad), 0);
    return registry_rekey(t.r, &m, 1);
}

static void run_pass(size_t limit)
{
    struct registry_step step = {0};
    while (!step.is_over) {
        assert_int_equal(registry_pass_step(t.r, limit, &step), 0);
        assert_int_equal(end(), 0);
    }
}

/* ---- slots ----------------------------------------------------------------------------------------------- */

static int count_good(const struct registry_slot *slot, void *arg)
{
    *(size_t *)arg += slot->is_good;
    return 0;
}

static size_t good_slots(void)
{
    size_t count = 0;
    assert_int_equal(registry_slot_each(t.r, count_good, &count), 0);
    return count;
}

static void slots_come_and_go(void **state)
{
    (void)state;
    assert_int_equal(good_slots(), 1);
    assert_int_equal(registry_slot_remove(t.r, 1), OUTCOME_LAST_SLOT);
    assert_int_equal(registry_slot_remove(t.r, 7), OUTCOME_NOT_FOUND);
    assert_int_equal(add_other(), 2);
    assert_int_equal(good_slots(), 2);
    assert_int_equal(registry_lock(t.r), 0);
    assert_int_equal(good_slots(), 0); /* nobody can say so while it is locked */
    assert_int_equal(unlock_with(&t.other), 0);
    assert_int_equal(registry_slot_remove(t.r, 1), 0);
    assert_int_equal(end(), 0);
    assert_int_equal(registry_slot_remove(t.r, 2), OUTCOME_LAST_SLOT);
    reopen();
    assert_int_equal(unlock_with(&t.key), OUTCOME_AUTH_FAILED);
    assert_int_equal(unlock_with(&t.other), 0);
    uint64_t id = 0;
    struct registry_slot slot = {.kind = KEYS_SLOT_KEY_FILE};
    for (int i = 1; i < META_SLOTS_MAX_COUNT; i++)
        assert_int_equal(registry_slot_add(t.r, &actor, &slot, &t.key, &id), 0);
    assert_int_equal(id, 1 + META_SLOTS_MAX_COUNT); /* numbers are not used again */
    assert_int_equal(registry_slot_add(t.r, &actor, &slot, &t.key, &id), OUTCOME_LIMIT);
    assert_int_equal(end(), 0);
}

static void a_failed_turn_takes_slots_back(void **state)
{
    uint64_t id;
    bool synced;
    struct registry_slot slot = {.kind = KEYS_SLOT_KEY_FILE};
    (void)state;
    add_other();
    assert_int_equal(registry_slot_add(t.r, &actor, &slot, &t.other, &id), 0);
    assert_int_equal(registry_slot_remove(t.r, 1), 0);
    registry_turn_fail(t.r, FAULT_STORE);
    assert_int_equal(registry_turn_end(t.r, false, &synced), FAULT_STORE);
    assert_int_equal(good_slots(), 2);
    reopen();
    assert_int_equal(unlock_with(&t.key), 0);
}

/* Runs SQL behind the registry's back. */
static void edit(const char *sql)
{
    char command[512];
    t.r = registry_close(t.r);
    (void)snprintf(
        command, sizeof command,
        "/usr/bin/python3 -c \"import sqlite3,sys; d=sqlite3.connect(sys.argv[1]); d.executescript(sys.argv[2])\" "
        "'%s' \"%s\"",
        t.db, sql);
    assert_int_equal(system(command), 0);
    assert_int_equal(registry_open(t.db, &settings, &t.r), 0);
}

static void edited_slots_are_named_and_missing_ones_lock(void **state)
{
    (void)state;
    add_other();
    edit("UPDATE slot SET label = 'forged' WHERE id = 2");
    assert_int_equal(unlock_with(&t.key), 0);
    assert_int_equal(t.corrupt, 1);
    assert_int_equal(good_slots(), 1);
    assert_int_equal(registry_slot_remove(t.r, 1), OUTCOME_LAST_SLOT); /* the other one cannot be relied on */
    assert_int_equal(registry_slot_remove(t.r, 2), 0);
    assert_int_equal(end(), 0);
    reopen();
    assert_int_equal(unlock_with(&t.key), 0);
    assert_int_equal(t.corrupt, 0);
    add_other();
    edit("UPDATE slot SET body = x'00' WHERE id = 1");
    assert_int_equal(unlock_with(&t.key), OUTCOME_AUTH_FAILED);
    assert_int_equal(unlock_with(&t.other), 0); /* a malformed slot does not stand in the way of the others */
    assert_int_equal(t.corrupt, 1);
    edit("CREATE TEMP TABLE s AS SELECT * FROM slot; DELETE FROM slot WHERE id = 3");
    assert_int_equal(unlock_with(&t.other), OUTCOME_AUTH_FAILED); /* it is the one that is gone */
    edit("DELETE FROM slot; INSERT INTO slot VALUES(1, '', 0, 0, x'00', x'00')");
    assert_int_equal(unlock_with(&t.key), OUTCOME_AUTH_FAILED);
    assert_true(registry_is_locked(t.r));
}

static void a_slot_that_is_taken_away_locks(void **state)
{
    (void)state;
    add_other();
    edit("DELETE FROM slot WHERE id = 2");
    assert_int_equal(unlock_with(&t.key), OUTCOME_CORRUPT);
    assert_non_null(strstr(t.why, "missing"));
    assert_true(registry_is_locked(t.r));
}

static void a_removed_slot_that_is_put_back_locks(void **state)
{
    char keep[256], command[512];
    (void)state;
    add_other();
    t.r = registry_close(t.r);
    (void)snprintf(keep, sizeof keep, "%s.keep", t.db);
    (void)snprintf(command, sizeof command, "cp %s %s", t.db, keep);
    assert_int_equal(system(command), 0);
    assert_int_equal(registry_open(t.db, &settings, &t.r), 0);
    assert_int_equal(unlock_with(&t.key), 0);
    assert_int_equal(registry_slot_remove(t.r, 2), 0);
    assert_int_equal(end(), 0);
    (void)snprintf(command, sizeof command, "ATTACH '%s' AS k; INSERT INTO main.slot SELECT * FROM k.slot WHERE id = 2",
                   keep);
    edit(command);
    assert_int_equal(unlock_with(&t.other), OUTCOME_CORRUPT);
    assert_int_equal(unlock_with(&t.key), OUTCOME_CORRUPT);
    (void)unlink(keep);
}

/* Not one row that is stored passes its check, or opens, under these keys. */
static void check_useless(const struct keys *old)
{
    struct rows_ctx ctx = {old, t.r->store_id};
    struct store_stmt *st = store_use(t.r->store, STORE_VERSION_EACH);
    struct buf out;
    size_t sealed = 0;
    buf_init_wiping(&out, 1 << 20);
    while (store_step(t.r->store, st) == STORE_ROW) {
        struct rows_version row;
        uint8_t mac[DIGEST_BYTES], ad[ROWS_AD_BYTES];
        struct bytes stored = registry_row_read(st, &row);
        assert_int_equal(rows_mac_version(&ctx, &row, mac), 0);
        assert_false(bytes_equal(BYTES_OF(mac), stored));
        if ((row.flags & ENTRY_SEALED) == 0 || row.body.n == 0)
            continue;
        struct bytes at = rows_ad(&ctx, row.entry, row.version, row.type, row.flags, ad);
        assert_int_equal(keys_value_open(&out, old, at, row.body), SEAL_BAD);
        sealed++;
    }
    store_done(st);
    buf_fini(&out);
    assert_true(sealed > ENTRIES_COUNT / 2);
}

/* ---- passes ---------------------------------------------------------------------------------------------- */

static void rekey_keeps_everything_and_only_the_new_key_opens(void **state)
{
    (void)state;
    fill();
    add_other();
    check_all();
    uint8_t id[KEYS_STORE_ID_BYTES];
    memcpy(id, t.r->store_id, sizeof id);
    struct keys old;
    assert_int_equal(keys_derive(&t.r->keys, 0, &old), 0);
    assert_int_equal(begin_rekey(2, &t.other), 0);
    check_all(); /* in the turn that has begun it too */
    assert_int_equal(end(), 0);
    assert_false(keys_is_same_root(&t.r->keys, &old));
    assert_true(keys_is_same_root(&t.r->before, &old));
    check_all();
    run_pass(7);
    assert_true(keys_is_empty(&t.r->before));
    assert_int_equal(t.r->state.pass.kind, ROWS_PASS_NONE);
    assert_int_equal(t.r->state.epoch, 1);
    check_all();
    check_useless(&old);
    reopen();
    assert_int_equal(unlock_with(&t.key), OUTCOME_AUTH_FAILED); /* its slot was dropped */
    assert_int_equal(unlock_with(&t.other), 0);
    assert_int_equal(t.corrupt, 0);
    check_all();
    keys_fini(&old);
}

static void rotate_gives_every_sealed_value_other_bytes(void **state)
{
    (void)state;
    fill();
    const struct entry *e = node("/registry/system/f1/e4")->entry;
    uint8_t before[256], *body = node("/registry/system/f1/e4")->entry->body;
    size_t n = e->body_bytes;
    assert_true((e->flags & ENTRY_SEALED) != 0 && n > KEYS_VALUE_OVERHEAD_BYTES && n <= sizeof before);
    memcpy(before, body, n);
    assert_int_equal(registry_rotate(t.r), 0);
    assert_int_equal(registry_rotate(t.r), OUTCOME_BUSY);
    assert_int_equal(end(), 0);
    run_pass(5);
    assert_memory_not_equal(before, body, KEYS_WRAPPED_BYTES);
    assert_memory_not_equal(before + KEYS_WRAPPED_BYTES, body + KEYS_WRAPPED_BYTES, n - KEYS_WRAPPED_BYTES);
    check_all();
    reopen();
    assert_int_equal(unlock_with(&t.key), 0);
    assert_int_equal(t.corrupt, 0);
    check_all();
    assert_int_equal(registry_rotate(t.r), 0); /* and again */
    assert_int_equal(end(), 0);
    run_pass(1000);
    check_all();
}

/* After every single row the store is closed and opened again, and all is there. */
static void a_pass_goes_on_where_it_was(void **state)
{
    struct registry_step step = {0};
    (void)state;
    fill();
    for (int kind = 0; kind < 2; kind++) {
        assert_int_equal(kind == 0 ? begin_rekey(1, &t.key) : registry_rotate(t.r), 0);
        assert_int_equal(end(), 0);
        do {
            reopen();
            assert_int_equal(unlock_with(&t.key), 0);
            assert_int_equal(t.corrupt, 0);
            assert_int_equal(registry_pass_step(t.r, 9, &step), 0);
            assert_int_equal(end(), 0);
            check_all();
        } while (!step.is_over);
    }
}

static void work_goes_on_during_a_pass(void **state)
{
    struct registry_step step = {0};
    struct registry_value v;
    struct registry_done done;
    char path[64];
    (void)state;
    fill();
    assert_int_equal(begin_rekey(1, &t.key), 0);
    assert_int_equal(end(), 0);
    for (int i = 0; !step.is_over; i++) {
        assert_int_equal(registry_pass_step(t.r, 3, &step), 0);
        name(path, sizeof path, ENTRIES_COUNT - 1 - i % 20); /* rows that the pass has not come to */
        set(path, "changed meanwhile", true);
        if (i == 2)
            assert_int_equal(registry_shred(t.r, node("/registry/system/f2/e38"), 1), 0);
        if (i == 3)
            assert_int_equal(registry_delete(t.r, node("/registry/system/f1/e1"), &actor, &done), 0);
        assert_int_equal(end(), 0);
    }
    reopen();
    assert_int_equal(unlock_with(&t.key), 0);
    assert_int_equal(t.corrupt, 0);
    for (int i = 0; i < 3; i++) {
        name(path, sizeof path, ENTRIES_COUNT - 1 - i);
        assert_int_equal(registry_get(t.r, node(path), false, &v), 0);
        assert_true(bytes_equal(v.body, BYTES_LITERAL("changed meanwhile")));
    }
    assert_int_equal(registry_get(t.r, node("/registry/system/f1/e1"), false, &v), OUTCOME_NOT_FOUND);
    assert_int_equal(registry_get_version(t.r, node("/registry/system/f2/e38"), 1, &v), OUTCOME_GONE);
}

static void a_failed_turn_takes_a_pass_back(void **state)
{
    bool synced;
    struct registry_step step;
    (void)state;
    fill();
    assert_int_equal(begin_rekey(1, &t.key), 0);
    registry_turn_fail(t.r, FAULT_STORE);
    assert_int_equal(registry_turn_end(t.r, false, &synced), FAULT_STORE);
    assert_int_equal(t.r->state.pass.kind, ROWS_PASS_NONE);
    assert_int_equal(t.r->state.epoch, 0);
    assert_true(keys_is_empty(&t.r->before));
    check_all();
    assert_int_equal(begin_rekey(1, &t.key), 0);
    assert_int_equal(end(), 0);
    assert_int_equal(registry_pass_step(t.r, 1000, &step), 0);
    assert_true(step.is_over);
    registry_turn_fail(t.r, FAULT_STORE);
    assert_int_equal(registry_turn_end(t.r, false, &synced), FAULT_STORE);
    assert_false(keys_is_empty(&t.r->before));
    assert_int_equal(t.r->state.pass.next, 1);
    check_all();
    run_pass(11);
    check_all();
    reopen();
    assert_int_equal(unlock_with(&t.key), 0);
    check_all();
}

/* Wherever memory runs out: the turn is taken back whole, or it took place whole. */
static void passes_and_memory(void **state)
{
    struct registry_step step;
    bool synced;
    (void)state;
    fill();
    for (unsigned n = 0; n < 400; n += n < 60 ? 1 : 17) {
        struct registry_material m = {.slot = 1, .secret = t.key};
        struct record record = {.kind = RECORD_REKEY, .wall_us = actor.now_us};
        fail_alloc_after(n);
        bool is_new = t.r->state.pass.kind == ROWS_PASS_NONE;
        int x = is_new ? registry_rekey(t.r, &m, 1) : registry_pass_step(t.r, 10, &step);
        if (x == 0)
            x = registry_record(t.r, &record, true);
        int y = registry_turn_end(t.r, false, &synced);
        fail_alloc_off();
        assert_true(x == 0 ? y <= 0 : y < 0);
        check_all();
    }
    if (t.r->state.pass.kind != ROWS_PASS_NONE)
        run_pass(100);
    reopen();
    assert_int_equal(unlock_with(&t.key), 0);
    check_all();
}

/* A pass must not make authentic what was not. */
static void a_pass_leaves_a_forged_row_as_it_is(void **state)
{
    struct registry_value v;
    (void)state;
    fill();
    edit("UPDATE version SET reason = 'forged' WHERE path = '/registry/system/f1/e4' AND version = 1;"
         "UPDATE version SET comment = 'forged' WHERE path = '/registry/system/f0/e0'");
    assert_int_equal(unlock_with(&t.key), 0);
    assert_int_equal(t.corrupt, 1);
    assert_int_equal(begin_rekey(1, &t.key), 0);
    assert_int_equal(end(), 0);
    run_pass(1000);
    assert_int_equal(registry_get(t.r, node("/registry/system/f0/e0"), false, &v), OUTCOME_CORRUPT);
    assert_int_equal(registry_get_version(t.r, node("/registry/system/f1/e4"), 1, &v), OUTCOME_CORRUPT);
    assert_int_equal(registry_get_version(t.r, node("/registry/system/f1/e4"), 2, &v), 0);
    reopen();
    assert_int_equal(unlock_with(&t.key), 0);
    assert_int_equal(t.corrupt, 1);
    assert_int_equal(registry_get_version(t.r, node("/registry/system/f1/e4"), 1, &v), OUTCOME_CORRUPT);
}

static void a_pass_without_its_old_key_stays_locked(void **state)
{
    (void)state;
    fill();
    assert_int_equal(begin_rekey(1, &t.key), 0);
    assert_int_equal(end(), 0);
    edit("DELETE FROM meta WHERE name = 'previous-root'");
    assert_int_equal(unlock_with(&t.key), OUTCOME_CORRUPT);
    assert_non_null(strstr(t.why, "keys of the pass"));
    assert_true(registry_is_locked(t.r) && keys_is_empty(&t.r->before));
}

static void rekey_wants_the_right_material(void **state)
{
    struct registry_material m[2] = {{1, t.key}, {2, t.key}};
    size_t bad = 9;
    (void)state;
    add_other();
    assert_int_equal(registry_rekey_check(t.r, m, 2, &bad), OUTCOME_AUTH_FAILED);
    assert_int_equal(bad, 1);
    m[1].slot = 3;
    assert_int_equal(registry_rekey_check(t.r, m, 2, &bad), OUTCOME_NOT_FOUND);
    m[1] = (struct registry_material){2, t.other};
    assert_int_equal(registry_rekey_check(t.r, m, 2, &bad), 0);
    assert_int_equal(registry_rekey(t.r, m, 2), 0);
    assert_int_equal(registry_rekey(t.r, m, 2), OUTCOME_BUSY);
    assert_int_equal(end(), 0);
    assert_int_equal(good_slots(), 2);
    run_pass(1000);
    reopen();
    assert_int_equal(unlock_with(&t.key), 0);
    assert_int_equal(registry_lock(t.r), 0);
    assert_int_equal(unlock_with(&t.other), 0);
}

/* ---- eras ------------------------------------------------------------------------------------------------ */

static void counts_on_in_a_new_era(void **state)
{
    (void)state;
    assert_int_equal(rows_next(0, 0), 1);
    assert_int_equal(rows_next(0, 6), 7);
    assert_int_equal(rows_next(2, 6), UINT64_C(2) << 32 | 7);
    assert_int_equal(rows_next(2, UINT64_C(2) << 32 | 7), UINT64_C(2) << 32 | 8);
    assert_int_equal(rows_next(2, UINT64_C(3) << 32 | 7), UINT64_C(3) << 32 | 8); /* never back */
    assert_int_equal(rows_next(0, UINT32_MAX), UINT64_C(1) << 32);
}

static int count_version(const struct registry_value *v, void *arg)
{
    uint64_t *last = arg;
    assert_true(*last == 0 || v->version < *last);
    *last = v->version;
    last[1]++;
    return 0;
}

static void numbers_of_a_new_era_and_history_go_together(void **state)
{
    const char *path = "/registry/system/f2/e2"; /* three versions, the first one shredded */
    struct registry_value v;
    uint64_t seen[2] = {0, 0}, version;
    (void)state;
    fill();
    uint64_t revision = t.r->state.revision;
    assert_int_equal(registry_era(&t.r->state), 1);
    registry_begin_era(t.r, 5);
    assert_int_equal(end(), 0);
    assert_true(t.r->state.revision >= UINT64_C(5) << 32);
    assert_int_equal(registry_era(&t.r->state), 6);
    set(path, "new", false);
    assert_int_equal(end(), 0);
    struct node *n = node(path);
    assert_int_equal(n->entry->version, UINT64_C(5) << 32 | 4);
    assert_int_equal(registry_get_version(t.r, n, 3, &v), 0);
    assert_int_equal(registry_get_version(t.r, n, 2, &v), 0);
    assert_int_equal(registry_get_version(t.r, n, 4, &v), OUTCOME_NOT_FOUND); /* of the future that was lost */
    assert_int_equal(registry_get_version(t.r, n, UINT64_C(5) << 32 | 3, &v), OUTCOME_NOT_FOUND);
    assert_int_equal(registry_history(t.r, n, count_version, seen), 0);
    assert_int_equal(seen[1], 4);
    assert_int_equal(registry_at(t.r, n, revision, &version), 0);
    assert_int_equal(version, 3);
    for (int i = 0; i < 2; i++)
        set(path, "newer", true);
    assert_int_equal(end(), 0);
    assert_int_equal(registry_get_version(t.r, n, 2, &v), 0); /* the fifth of those that are kept */
    assert_int_equal(registry_get_version(t.r, n, 1, &v), OUTCOME_NOT_FOUND);
    set("/registry/system/fresh", "x", false);
    assert_int_equal(end(), 0);
    assert_int_equal(node("/registry/system/fresh")->entry->version, UINT64_C(5) << 32 | 1);
    reopen();
    assert_int_equal(unlock_with(&t.key), 0);
    assert_int_equal(registry_get_version(t.r, node(path), 2, &v), 0);
    assert_int_equal(registry_rotate(t.r), 0);
    assert_int_equal(end(), 0);
    run_pass(1000);
    assert_int_equal(registry_get_version(t.r, node(path), 2, &v), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST_(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST_(slots_come_and_go),
        TEST_(a_failed_turn_takes_slots_back),
        TEST_(edited_slots_are_named_and_missing_ones_lock),
        TEST_(a_slot_that_is_taken_away_locks),
        TEST_(a_removed_slot_that_is_put_back_locks),
        TEST_(rekey_keeps_everything_and_only_the_new_key_opens),
        TEST_(rotate_gives_every_sealed_value_other_bytes),
        TEST_(a_pass_goes_on_where_it_was),
        TEST_(work_goes_on_during_a_pass),
        TEST_(a_failed_turn_takes_a_pass_back),
        TEST_(passes_and_memory),
        TEST_(a_pass_leaves_a_forged_row_as_it_is),
        TEST_(a_pass_without_its_old_key_stays_locked),
        TEST_(rekey_wants_the_right_material),
        TEST_(numbers_of_a_new_era_and_history_go_together),
#undef TEST_
        cmocka_unit_test(counts_on_in_a_new_era),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
