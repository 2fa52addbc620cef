/* Tests of tree: against a list of paths that is searched from front to back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail-alloc.h"
#include "model/path.h"
#include "registry/tree.h"

enum { NAMES_COUNT = 6, MODEL_COUNT = 6 * 6 * 6 };

/* The model: every path of three levels of six names below /registry/system; is there an entry, live or deleted? */
static struct model {
    char path[64];
    enum { NONE, LIVE, DELETED } is;
} model[MODEL_COUNT];

static const char *const names[NAMES_COUNT] = {"a", "b", "ab", "a-", "z", "\xc3\xa9"};

static void fill_model(void)
{
    for (int i = 0; i < MODEL_COUNT; i++) {
        snprintf(model[i].path, sizeof model[i].path, "/registry/system/%s/%s/%s", names[i / 36], names[i / 6 % 6],
                 names[i % 6]);
        model[i].is = NONE;
    }
}

static void put(struct tree *t, const char *path, unsigned flags)
{
    struct node *n;
    struct entry *e = entry_new(8);
    assert_non_null(e);
    e->flags = (uint8_t)flags;
    assert_int_equal(tree_make(t, bytes_of_text(path), &n), 0);
    entry_free(tree_set_entry(t, n, e));
}

static void drop(struct tree *t, const char *path)
{
    struct node *n = tree_walk(t, bytes_of_text(path)).node;
    if (n == NULL)
        return;
    entry_free(tree_set_entry(t, n, NULL));
    tree_prune(t, n);
}

struct order {
    uint8_t last[256];
    size_t last_bytes, count;
};

static int in_order(struct node *n, void *arg)
{
    struct order *o = arg;
    assert_true(o->count == 0 || bytes_compare(bytes_of(o->last, o->last_bytes), node_name(n)) < 0);
    o->last_bytes = node_name(n).n;
    memcpy(o->last, node_name(n).p, o->last_bytes);
    o->count++;
    return 0;
}

static void check_model(const struct tree *t)
{
    size_t live = 0, deleted = 0;
    for (int i = 0; i < MODEL_COUNT; i++) {
        struct tree_walk w = tree_walk(t, bytes_of_text(model[i].path));
        live += model[i].is == LIVE;
        deleted += model[i].is == DELETED;
        bool has_entry = w.node != NULL && w.node->entry != NULL;
        assert_int_equal(has_entry, model[i].is != NONE);
        assert_int_equal(has_entry && node_is_live(w.node), model[i].is == LIVE);
        if (has_entry) {
            uint8_t path[512];
            assert_true(bytes_equal(node_path(w.node, path), bytes_of_text(model[i].path)));
        }
    }
    assert_int_equal(t->entries, live);
    assert_int_equal(t->tombs_count, deleted);
    assert_int_equal(t->root->live, live);
    const struct node *a = tree_walk(t, BYTES_LITERAL("/registry/system/a")).node;
    if (a != NULL) {
        struct order o = {0};
        assert_int_equal(node_each_child(a, BYTES_NONE, in_order, &o), 0);
        assert_true(o.count >= 1 && o.count <= NAMES_COUNT);
    }
}

static void holds_what_the_model_holds(void **state)
{
    struct tree t;
    (void)state;
    fill_model();
    srand(1);
    assert_int_equal(tree_init(&t), 0);
    for (int step = 0; step < 4000; step++) {
        int i = rand() % MODEL_COUNT, what = rand() % 3;
        if (what == 0)
            drop(&t, model[i].path);
        else
            put(&t, model[i].path, what == 2 ? ENTRY_DELETED : 0);
        model[i].is = what == 0 ? NONE : what == 2 ? DELETED : LIVE;
        if (step % 20 == 0)
            check_model(&t);
    }
    for (int i = 0; i < MODEL_COUNT; i++) {
        drop(&t, model[i].path);
        model[i].is = NONE;
    }
    check_model(&t);
    assert_int_equal(t.nodes, 5); /* the roots are left */
    tree_fini(&t);
}

static void children_come_in_byte_order_from_anywhere(void **state)
{
    struct tree t;
    char path[64], last[16] = "";
    (void)state;
    assert_int_equal(tree_init(&t), 0);
    for (int i = 0; i < 5000; i++) {
        snprintf(path, sizeof path, "/registry/applications/x/%d", i * 7919 % 5000);
        put(&t, path, 0);
    }
    const struct node *x = tree_walk(&t, BYTES_LITERAL("/registry/applications/x")).node;
    size_t count = 0;
    for (const struct node *n = node_child_after(x, BYTES_NONE); n != NULL; n = node_child_after(x, node_name(n))) {
        char name[16];
        snprintf(name, sizeof name, "%.*s", BYTES_PRINT(node_name(n)));
        assert_true(strcmp(last, name) < 0);
        memcpy(last, name, sizeof last);
        count++;
    }
    assert_int_equal(count, 5000);
    for (int i = 0; i < 5000; i += 97) {
        struct order o = {0};
        snprintf(path, sizeof path, "%d", i);
        assert_int_equal(node_each_child(x, bytes_of_text(path), in_order, &o), 0);
        size_t expect = 0;
        for (int k = 0; k < 5000; k++) {
            char name[16];
            snprintf(name, sizeof name, "%d", k);
            expect += strcmp(name, path) > 0;
        }
        assert_int_equal(o.count, expect);
    }
    tree_fini(&t);
}

static void knows_folders_and_what_blocks_them(void **state)
{
    struct tree t;
    (void)state;
    assert_int_equal(tree_init(&t), 0);
    put(&t, "/registry/system/a/b", 0);
    struct tree_walk w = tree_walk(&t, BYTES_LITERAL("/registry/system/a/b/c"));
    assert_true(w.is_blocked && w.node == NULL && node_is_live(w.nearest));
    w = tree_walk(&t, BYTES_LITERAL("/registry/system/a"));
    assert_true(node_is_folder(w.node) && !node_is_live(w.node) && !w.is_blocked);
    assert_true(node_is_folder(t.root));
    put(&t, "/registry/system/a/b", ENTRY_DELETED);
    w = tree_walk(&t, BYTES_LITERAL("/registry/system/a"));
    assert_false(node_is_folder(w.node)); /* nothing live is left in it */
    assert_false(tree_walk(&t, BYTES_LITERAL("/registry/system/a/b/c")).is_blocked);
    tree_fini(&t);
}

static void touched_nodes_stay_until_the_turn_ends(void **state)
{
    struct tree t;
    struct node *n;
    (void)state;
    assert_int_equal(tree_init(&t), 0);
    assert_int_equal(tree_make(&t, BYTES_LITERAL("/registry/system/a/b"), &n), 0);
    n->is_touched = true;
    tree_prune(&t, n);
    assert_ptr_equal(tree_walk(&t, BYTES_LITERAL("/registry/system/a/b")).node, n);
    n->is_touched = false;
    tree_prune(&t, n);
    assert_null(tree_walk(&t, BYTES_LITERAL("/registry/system/a")).node);
    tree_fini(&t);
}

static void collects_rules_from_leaf_to_root(void **state)
{
    struct tree t;
    struct node *n;
    struct authz_rules chain[AUTHZ_CHAIN_MAX_COUNT];
    (void)state;
    assert_int_equal(tree_init(&t), 0);
    assert_int_equal(tree_make(&t, BYTES_LITERAL("/registry/system/a/b"), &n), 0);
    struct node *with_rules[2] = {n, t.root};
    for (size_t i = 0; i < 2; i++) {
        with_rules[i]->rules = calloc(1, sizeof(struct authz_rule));
        assert_non_null(with_rules[i]->rules);
        with_rules[i]->rules[0].id = i + 1;
        with_rules[i]->rules_count = 1;
    }
    assert_int_equal(node_chain(n, chain), 2);
    assert_int_equal(chain[0].rules[0].id, 1);
    assert_int_equal(chain[1].rules[0].id, 2);
    assert_int_equal(node_chain(n->parent, chain), 1);
    tree_prune(&t, n); /* rules keep their node */
    assert_ptr_equal(tree_walk(&t, BYTES_LITERAL("/registry/system/a/b")).node, n);
    tree_fini(&t);
}

/* Deleted entries are forgotten in the order of their deletion, and come back in the opposite one. */
static void forgets_the_oldest_deleted_entry_first(void **state)
{
    static const char *const paths[] = {"/registry/system/c", "/registry/system/a", "/registry/system/b"};
    struct tree t;
    struct node *gone[3];
    (void)state;
    assert_int_equal(tree_init(&t), 0);
    put(&t, "/registry/system/live", 0);
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        put(&t, paths[i], ENTRY_DELETED);
    size_t nodes = t.nodes;
    for (size_t round = 0; round < 2; round++) {
        fail_alloc_after(0); /* neither wants memory */
        for (size_t i = 0; i < COUNT_OF(paths); i++) {
            gone[i] = tree_forget(&t);
            assert_ptr_equal(gone[i], tree_walk(&t, bytes_of_text(paths[i])).node);
            assert_true((gone[i]->entry->flags & ENTRY_FORGOTTEN) != 0 && !node_is_live(gone[i]));
            assert_int_equal(t.tombs_count, COUNT_OF(paths) - 1 - i);
            assert_int_equal(t.forgotten_count, i + 1);
        }
        for (size_t i = COUNT_OF(paths); i > 0; i--)
            tree_recall(&t, gone[i - 1]->entry);
        assert_false(fail_alloc_off());
        assert_int_equal(t.tombs_count, COUNT_OF(paths));
        assert_int_equal(t.forgotten_count, 0);
    }
    assert_int_equal(t.nodes, nodes);
    assert_ptr_equal(tree_forget(&t), gone[0]);
    put(&t, paths[0], 0); /* made again: it is neither deleted nor forgotten */
    assert_int_equal(t.tombs_count, 2);
    assert_int_equal(t.forgotten_count, 0);
    assert_ptr_equal(tree_forget(&t), gone[1]);
    tree_fini(&t);
}

static void leaves_nothing_behind_when_memory_runs_out(void **state)
{
    (void)state;
    EACH_ALLOC_FAILURE({
        struct tree t;
        if (tree_init(&t) == 0) {
            size_t before = t.nodes;
            struct node *n;
            if (tree_make(&t, BYTES_LITERAL("/registry/system/a/b/c/d"), &n) == 0)
                tree_prune(&t, n);
            assert_int_equal(t.nodes, before);
            tree_fini(&t);
        }
    });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_what_the_model_holds),
        cmocka_unit_test(children_come_in_byte_order_from_anywhere),
        cmocka_unit_test(knows_folders_and_what_blocks_them),
        cmocka_unit_test(touched_nodes_stay_until_the_turn_ends),
        cmocka_unit_test(collects_rules_from_leaf_to_root),
        cmocka_unit_test(forgets_the_oldest_deleted_entry_first),
        cmocka_unit_test(leaves_nothing_behind_when_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
