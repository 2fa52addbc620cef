/* test-core - a registry on a store in a folder of its own, for the tests of this folder. */
#ifndef REGISTRY_TEST_CORE_H
#define REGISTRY_TEST_CORE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/value.h"
#include "registry/registry.h"
#include "remove-tree.h"

static struct {
    char folder[64], db[96];
    struct secret key;
    struct registry *r;
    size_t corrupt;
    char why[REGISTRY_WHY_BYTES];
} t;

static const struct registry_actor actor = {.uid = 1000, .now_us = 1700000000000000};
static const struct registry_settings settings = {.versions_count = 3, .tombs_count = 2, .spare_count = 0};

static inline void on_corrupt(struct bytes path, void *arg)
{
    (void)path;
    (void)arg;
    t.corrupt++;
}

static inline int unlock(void)
{
    t.corrupt = 0;
    return registry_unlock(t.r, KEYS_SLOT_KEY_FILE, &t.key, on_corrupt, NULL, t.why);
}

static inline void reopen(void)
{
    registry_close(t.r);
    assert_int_equal(registry_open(t.db, &settings, &t.r), 0);
}

static inline int setup(void **state)
{
    struct registry_made made;
    (void)state;
    memset(&t, 0, sizeof t);
    snprintf(t.folder, sizeof t.folder, "/tmp/test-registry-XXXXXX");
    assert_non_null(mkdtemp(t.folder));
    snprintf(t.db, sizeof t.db, "%s/registry.db", t.folder);
    assert_true(crypt_start() >= 0);
    assert_int_equal(secret_init_random(&t.key, KEYS_FILE_BYTES), 0);
    assert_int_equal(registry_create(t.db, &actor, KEYS_SLOT_KEY_FILE, &t.key, 0, &made), 0);
    assert_int_equal(registry_open(t.db, &settings, &t.r), 0);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    registry_close(t.r);
    secret_fini(&t.key);
    return remove_tree(t.folder);
}

static inline int end(void)
{
    bool synced;
    struct record record = {.kind = RECORD_SET, .wall_us = actor.now_us};
    if (t.r->changes_count > 0 && registry_record(t.r, &record, true) < 0)
        assert_true(t.r->failed < 0);
    return registry_turn_end(t.r, false, &synced);
}

static inline int set(const char *path, const char *value, bool seals, struct registry_done *done)
{
    struct registry_put put = {.body = bytes_of_text(value), .seals = seals};
    return registry_set(t.r, bytes_of_text(path), &actor, &put, done);
}

static inline struct node *node(const char *path)
{
    return tree_walk(&t.r->tree, bytes_of_text(path)).node;
}

static inline bool holds(const char *path, const char *value)
{
    struct registry_value v;
    struct node *n = node(path);
    if (n == NULL || registry_get(t.r, n, false, &v) != 0)
        return false;
    return bytes_equal(v.body, bytes_of_text(value));
}

#endif
