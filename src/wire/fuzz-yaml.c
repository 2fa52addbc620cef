/* Fuzz target of yaml: bounded trees without NUL or duplicate keys, and the same answer twice. */
#include <string.h>

#include "base/text.h"
#include "wire/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PAIRS_MAX_COUNT = 64 }; /* of keys compared in one map: the target must stay fast */

static void check_keys(const struct yaml_node *map)
{
    size_t i = 0;
    for (const struct yaml_node *a = map->first; a != NULL && i < PAIRS_MAX_COUNT; a = a->next, i++) {
        for (const struct yaml_node *b = a->next; b != NULL; b = b->next)
            assert(!bytes_equal(a->key, b->key));
    }
}

/* Returns the number of nodes. */
static size_t check_node(const struct yaml_node *n, bool is_in_map, size_t depth)
{
    size_t count = 1;
    assert(depth <= YAML_DEPTH_MAX_COUNT + 1u && n->line > 0 && n->column > 0);
    assert(n->key.n <= YAML_KEY_MAX_BYTES && (n->key.n > 0) == is_in_map);
    assert(text_is_utf8(n->key) && text_is_utf8(n->text));
    assert(bytes_find(n->text, 0) == n->text.n);
    if (n->kind == YAML_KIND_SCALAR) {
        assert(n->first == NULL);
        return 1;
    }
    assert(n->text.n == 0 && depth <= YAML_DEPTH_MAX_COUNT);
    if (n->kind == YAML_KIND_MAP)
        check_keys(n);
    for (const struct yaml_node *c = n->first; c != NULL; c = c->next)
        count += check_node(c, n->kind == YAML_KIND_MAP, depth + 1);
    return count;
}

static bool same(const struct yaml_node *a, const struct yaml_node *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    if (a->kind != b->kind || a->line != b->line || a->column != b->column)
        return false;
    if (!bytes_equal(a->key, b->key) || !bytes_equal(a->text, b->text))
        return false;
    const struct yaml_node *c = a->first, *d = b->first;
    for (; c != NULL && d != NULL; c = c->next, d = d->next) {
        if (!same(c, d))
            return false;
    }
    return c == d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    struct yaml_node *first = NULL, *second = NULL;
    char why[200] = "", why_again[200] = "";
    int r = yaml_parse(in, &first, why, sizeof why);
    assert(r == 0 || r == YAML_BAD);
    assert(yaml_parse(in, &second, why_again, sizeof why_again) == r);
    assert(same(first, second) && strcmp(why, why_again) == 0);
    assert((r == 0) == (first != NULL));
    if (r == YAML_BAD)
        assert(strncmp(why, "line ", 5) == 0);
    if (r == 0) {
        assert(first->kind == YAML_KIND_MAP);
        size_t count = check_node(first, false, 1);
        assert(count <= YAML_NODES_MAX_COUNT);
    }
    yaml_node_free(first);
    yaml_node_free(second);
    return 0;
}
