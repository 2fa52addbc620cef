/* Tests of registry-names: what is hidden and shown again, and that rows with hidden names live as others do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/schema-json.h"
#include "registry/registry-internal.h"
#include "test-core.h"

#define V "/registry/applications/vault"

static uint8_t stored_storage[REGISTRY_STORED_PATH_MAX_BYTES], shown_storage[PATH_MAX_BYTES];

static void demand(const char *path, const char *secrecy, int outcome)
{
    struct schema schema = {.has = SCHEMA_HAS_SECRECY};
    struct buf form;
    while (strcmp(schema_secrecy_text(++schema.secrecy), secrecy) != 0)
        continue;
    buf_init(&form, SCHEMA_FORM_MAX_BYTES);
    assert_int_equal(schema_encode(&form, &schema), 0);
    assert_int_equal(registry_schema_set(t.r, bytes_of_text(path), buf_view(&form), &actor), outcome);
    assert_int_equal(end(), 0);
    buf_fini(&form);
}

static struct bytes hide(struct bytes path)
{
    struct bytes stored;
    assert_int_equal(registry_hide(t.r, path, stored_storage, &stored), 0);
    return stored;
}

static bool is_kept(struct bytes path)
{
    return bytes_equal(hide(path), path);
}

static int begin(void **state)
{
    int x = setup(state);
    if (x != 0 || unlock() != 0)
        return -1;
    demand(V, "sealed-names", 0);
    return 0;
}

static void what_is_below_is_hidden_and_shown_again(void **state)
{
    uint8_t path[PATH_MAX_BYTES];
    (void)state;
    for (size_t n = sizeof V; n < sizeof path; n++) {
        memset(path, 'n', n + 1);
        memcpy(path, V "/", sizeof V);
        struct bytes plain = bytes_of(path, n + 1), stored = hide(plain);
        assert_true(bytes_starts(stored, BYTES_LITERAL(V "/~")) && stored.n <= sizeof stored_storage);
        assert_int_equal((stored.n - sizeof V - 1) % 4, 0);
        assert_int_equal(stored.n, hide(bytes_of(path, sizeof V + (n - sizeof V) / 16 * 16 + 1)).n);
        stored = hide(plain);
        assert_true(bytes_equal(registry_show(t.r, stored, shown_storage), plain));
        assert_true(bytes_equal(hide(stored), stored));
    }
}

static void nothing_else_is_hidden(void **state)
{
    static const char *const paths[] = {"",
                                        "/",
                                        "x",
                                        "/registry",
                                        "/registry/",
                                        "/registryx/applications/vault/a",
                                        "/registry/applications",
                                        V,
                                        "/registry/applications/vaults/a",
                                        "/registry/applications/vaul",
                                        "(not a path)"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        assert_true(is_kept(bytes_of_text(paths[i])));
    assert_true(is_kept(BYTES_LITERAL(V "/")));
}

/* What is typed wrong below the folder is as secret as what is typed right. */
static void malformed_paths_are_hidden_too(void **state)
{
    static uint8_t longest[1024];
    (void)state;
    assert_false(is_kept(BYTES_LITERAL(V "/a b")));
    assert_false(is_kept(BYTES_LITERAL(V "//")));
    assert_false(is_kept(BYTES_LITERAL(V "/~not-a-token")));
    assert_false(is_kept(BYTES_LITERAL(V "/~")));
    memset(longest, 'x', sizeof longest);
    memcpy(longest, V "/", sizeof V);
    assert_true(bytes_equal(hide(BYTES_OF(longest)), BYTES_LITERAL(V "/~")));
    assert_true(bytes_equal(hide(bytes_of(longest, PATH_MAX_BYTES + 1)), BYTES_LITERAL(V "/~")));
}

static void tokens_belong_to_one_folder_and_one_store(void **state)
{
    uint8_t other[REGISTRY_STORED_PATH_MAX_BYTES];
    (void)state;
    demand("/registry/applications/walls", "sealed-names", 0);
    struct bytes stored = hide(BYTES_LITERAL(V "/name"));
    memcpy(other, stored.p, stored.n);
    memcpy(other + sizeof "/registry/applications/" - 1, "walls", 5);
    struct bytes foreign = bytes_of(other, stored.n);
    assert_true(bytes_equal(registry_show(t.r, foreign, shown_storage), foreign));
    for (size_t i = sizeof V + 1; i < stored.n; i++) {
        memcpy(other, stored.p, stored.n);
        other[i] = other[i] == 'A' ? 'B' : 'A';
        assert_true(bytes_equal(registry_show(t.r, foreign, shown_storage), foreign));
        assert_true(bytes_equal(registry_show(t.r, bytes_head(stored, i), shown_storage), bytes_head(stored, i)));
    }
}

static void texts_of_records(void **state)
{
    static uint8_t text[RECORD_TEXT_MAX_BYTES], fill[RECORD_TEXT_MAX_BYTES];
    struct registry_texts texts, shown;
    (void)state;
    struct record r = {.path = BYTES_LITERAL(V "/a"), .detail = BYTES_LITERAL("approval 3 by uid:5: " V "/b")};
    assert_int_equal(registry_record_hide(t.r, &r, &texts), 0);
    assert_true(bytes_starts(r.path, BYTES_LITERAL(V "/~")));
    assert_true(bytes_starts(r.detail, BYTES_LITERAL("approval 3 by uid:5: " V "/~")));
    registry_record_show(t.r, &r, &shown);
    assert_true(bytes_equal(r.path, BYTES_LITERAL(V "/a")));
    assert_true(bytes_equal(r.detail, BYTES_LITERAL("approval 3 by uid:5: " V "/b")));
    assert_true(bytes_equal(registry_record_source(&r), BYTES_LITERAL(V "/b")));
    r.detail = BYTES_LITERAL("in 10.0.0.0/8 and " V "/b");
    assert_int_equal(registry_record_source(&r).n, 0);
    /* a text that is full, of letters of two bytes: the token has its place, and nothing is cut in the middle */
    for (size_t i = 0; i < sizeof fill; i++)
        fill[i] = i % 2 == 0 ? 0xc3 : 0xa9;
    memcpy(text, fill, sizeof text);
    memcpy(text + sizeof text - sizeof V - 1, V "/b", sizeof V + 1);
    r.detail = BYTES_OF(text);
    assert_int_equal(registry_record_hide(t.r, &r, &texts), 0);
    assert_true(bytes_equal(r.detail, hide(BYTES_LITERAL(V "/b"))));
}

static void while_locked_nothing_is_hidden_but_all(void **state)
{
    static uint8_t kept[REGISTRY_STORED_PATH_MAX_BYTES];
    (void)state;
    struct bytes stored = hide(BYTES_LITERAL(V "/a"));
    memcpy(kept, stored.p, stored.n);
    stored.p = kept;
    assert_int_equal(registry_lock(t.r), 0);
    assert_true(bytes_equal(hide(BYTES_LITERAL(V "/a")), BYTES_LITERAL(V "/~")));
    assert_true(bytes_equal(registry_show(t.r, stored, shown_storage), stored));
    reopen();
    assert_true(bytes_equal(hide(BYTES_LITERAL(V "/a")), BYTES_LITERAL(V "/~")));
    assert_int_equal(unlock(), 0);
    assert_true(bytes_equal(registry_show(t.r, stored, shown_storage), BYTES_LITERAL(V "/a")));
}

static void rules_and_schemas_stand_above(void **state)
{
    struct registry_rule rule = {.path = BYTES_LITERAL(V "/a"),
                                 .principal = BYTES_LITERAL("uid:5"),
                                 .effect = AUTHZ_ALLOW,
                                 .actions = AUTHZ_READ};
    uint64_t id;
    (void)state;
    assert_int_equal(registry_rule_add(t.r, &rule, &actor, &id), OUTCOME_BAD_REQUEST);
    demand(V "/a", "clear", OUTCOME_BAD_REQUEST);
    demand("/registry/applications", "sealed-names", OUTCOME_BAD_REQUEST);
    demand("/registry/applications", "sealed", 0);
    rule.path = BYTES_LITERAL(V);
    assert_int_equal(registry_rule_add(t.r, &rule, &actor, &id), 0);
    assert_int_equal(end(), 0);
}

/* Rows come and go, over restarts, and in the passes that remove them and bring them under other keys. */
static void rows_with_hidden_names_live_as_others(void **state)
{
    struct registry_done done;
    char path[64], value[16];
    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(path, sizeof path, V "/f%u/n%u", i % 3, i % 7);
        snprintf(value, sizeof value, "%u", i);
        assert_int_equal(set(path, value, true, &done), 0);
        if (i % 11 == 0)
            assert_int_equal(registry_delete(t.r, node(path), &actor, &done), 0);
        if (i == 900)
            assert_int_equal(registry_rotate(t.r), 0);
        struct registry_step step;
        if (i > 900 && t.r->state.pass.kind != ROWS_PASS_NONE)
            assert_int_equal(registry_pass_step(t.r, 10, &step), 0);
        assert_int_equal(end(), 0);
    }
    assert_true(t.r->prune.rows_count < 500);
    for (int pass = 0; pass < 2; pass++) {
        assert_true(holds(V "/f1/n4", "1999") && holds(V "/f0/n3", "1998"));
        reopen();
        assert_int_equal(unlock(), 0);
        assert_int_equal(t.corrupt, 0);
    }
}

static void a_turn_that_fails_hides_nothing_more_and_nothing_less(void **state)
{
    bool synced;
    struct registry_done done;
    (void)state;
    assert_int_equal(registry_schema_remove(t.r, node(V)), 0);
    assert_true(is_kept(BYTES_LITERAL(V "/a")));
    registry_turn_fail(t.r, FAULT_INTERNAL);
    assert_int_equal(registry_turn_end(t.r, false, &synced), FAULT_INTERNAL);
    assert_false(is_kept(BYTES_LITERAL(V "/a")));
    assert_int_equal(set(V "/a", "x", true, &done), 0);
    assert_int_equal(end(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST_(name) cmocka_unit_test_setup_teardown(name, begin, teardown)
        TEST_(what_is_below_is_hidden_and_shown_again),
        TEST_(nothing_else_is_hidden),
        TEST_(malformed_paths_are_hidden_too),
        TEST_(tokens_belong_to_one_folder_and_one_store),
        TEST_(texts_of_records),
        TEST_(while_locked_nothing_is_hidden_but_all),
        TEST_(rules_and_schemas_stand_above),
        TEST_(rows_with_hidden_names_live_as_others),
        TEST_(a_turn_that_fails_hides_nothing_more_and_nothing_less),
#undef TEST_
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
