/* tree - see tree.h. */
#include "registry/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "model/path.h"

static const char *const root_paths[] = {"/registry/system", "/registry/user", "/registry/security",
                                         "/registry/applications"};

struct entry *entry_new(size_t body_bytes)
{
    struct entry *e = calloc(1, sizeof *e + body_bytes);
    if (e != NULL) {
        e->body_bytes = (uint32_t)body_bytes;
        list_init(&e->tomb);
    }
    return e;
}

struct entry *entry_free(struct entry *e)
{
    if (e != NULL) {
        list_unlink(&e->tomb);
        free(e->comment);
        free(e->tags);
        assert(e->expiry.place == 0);
        explicit_bzero(e, sizeof *e + e->body_bytes);
    }
    free(e);
    return NULL;
}

bool node_is_live(const struct node *n)
{
    return n->entry != NULL && (n->entry->flags & ENTRY_DELETED) == 0;
}

struct bytes node_name(const struct node *n)
{
    return bytes_of(n->name, n->name_bytes);
}

static bool is_root(const struct node *n)
{
    return n->parent == NULL || (n->parent->parent == NULL && n->name_bytes > 0);
}

bool node_is_folder(const struct node *n)
{
    return n->live > 0 || is_root(n);
}

/* ---- children: a treap ordered by name, with the look-up hash as priority -------------------------------- */

static int order(struct bytes name, const struct node *n)
{
    return bytes_compare(name, node_name(n));
}

/* Splits `t` into the nodes before `name` and those after it; `name` itself is not in `t`. */
static void treap_split(struct node *t, struct bytes name, struct node **ret_before, struct node **ret_after)
{
    while (t != NULL) {
        if (order(name, t) > 0) {
            *ret_before = t;
            ret_before = &t->right;
            t = t->right;
        } else {
            *ret_after = t;
            ret_after = &t->left;
            t = t->left;
        }
    }
    *ret_before = *ret_after = NULL;
}

static struct node *treap_join(struct node *before, struct node *after)
{
    struct node *top = NULL, **at = &top;
    while (before != NULL && after != NULL) {
        if (before->link.hash > after->link.hash) {
            *at = before;
            at = &before->right;
            before = before->right;
        } else {
            *at = after;
            at = &after->left;
            after = after->left;
        }
    }
    *at = before != NULL ? before : after;
    return top;
}

static void treap_add(struct node **at, struct node *n)
{
    while (*at != NULL && (*at)->link.hash >= n->link.hash)
        at = order(node_name(n), *at) < 0 ? &(*at)->left : &(*at)->right;
    treap_split(*at, node_name(n), &n->left, &n->right);
    *at = n;
}

static void treap_remove(struct node **at, const struct node *n)
{
    while (*at != n) {
        assert(*at != NULL);
        at = order(node_name(n), *at) < 0 ? &(*at)->left : &(*at)->right;
    }
    *at = treap_join(n->left, n->right);
}

struct node *node_child_after(const struct node *folder, struct bytes name)
{
    struct node *best = NULL;
    for (struct node *n = folder->children; n != NULL;) {
        if (order(name, n) < 0) {
            best = n;
            n = n->left;
        } else {
            n = n->right;
        }
    }
    return best;
}

/* In order without recursion: a treap of 2^32 nodes is not deeper than this but with negligible probability. */
enum { TREAP_DEPTH_MAX_COUNT = 160 };

int node_each_child(const struct node *folder, struct bytes after, int (*on_child)(struct node *child, void *arg),
                    void *arg)
{
    struct node *stack[TREAP_DEPTH_MAX_COUNT];
    size_t depth = 0;
    for (struct node *n = folder->children; n != NULL;) {
        if (order(after, n) < 0) {
            assert(depth < TREAP_DEPTH_MAX_COUNT);
            stack[depth++] = n;
            n = n->left;
        } else {
            n = n->right;
        }
    }
    while (depth > 0) {
        struct node *n = stack[--depth];
        for (struct node *r = n->right; r != NULL; r = r->left) {
            assert(depth < TREAP_DEPTH_MAX_COUNT);
            stack[depth++] = r;
        }
        int end = on_child(n, arg);
        if (end != 0)
            return end;
    }
    return 0;
}

/* ---- nodes ----------------------------------------------------------------------------------------------- */

static uint64_t hash_of(const struct node *parent, struct bytes name)
{
    struct hash_key key = *hash_process_key();
    key.k0 ^= (uint64_t)(uintptr_t)parent;
    return hash_siphash(&key, name);
}

struct node *tree_child(const struct tree *t, const struct node *parent, struct bytes name)
{
    for (struct map_link *l = map_first(&t->map, hash_of(parent, name)); l != NULL; l = map_next(l)) {
        struct node *n = CONTAINER_OF(l, struct node, link);
        if (n->parent == parent && bytes_equal(node_name(n), name))
            return n;
    }
    return NULL;
}

static int node_add(struct tree *t, struct node *parent, struct bytes name, struct node **ret_node)
{
    assert(name.n <= PATH_COMPONENT_MAX_BYTES);
    struct node *n = calloc(1, sizeof *n + name.n);
    if (n == NULL)
        return RAISE(-ENOMEM);
    memcpy(n->name, name.p, name.n);
    n->name_bytes = (uint8_t)name.n;
    n->parent = parent;
    int r = map_add(&t->map, &n->link, hash_of(parent, name));
    if (r < 0) {
        free(n);
        return r;
    }
    if (parent != NULL)
        treap_add(&parent->children, n);
    t->nodes++;
    *ret_node = n;
    return 0;
}

void node_rule_fini(const struct authz_rule *rule)
{
    union {
        const void *borrowed;
        void *owned;
    } name = {.borrowed = rule->who.name.p}, condition = {.borrowed = rule->condition};
    free(name.owned);
    free(condition.owned);
}

static void node_free(struct map_link *link, void *arg)
{
    struct node *n = CONTAINER_OF(link, struct node, link);
    (void)arg;
    entry_free(n->entry);
    for (size_t i = 0; i < n->rules_count; i++)
        node_rule_fini(&n->rules[i]);
    free(n->rules);
    free(n->schema);
    free(n);
}

static void usage_free(struct map_link *link, void *arg)
{
    (void)arg;
    free(CONTAINER_OF(link, struct tree_usage, link));
}

int tree_init(struct tree *t)
{
    *t = (struct tree){0};
    map_init(&t->map);
    map_init(&t->usage);
    list_init(&t->tombs);
    list_init(&t->forgotten);
    int r = node_add(t, NULL, BYTES_LITERAL("registry"), &t->root);
    for (size_t i = 0; r == 0 && i < COUNT_OF(root_paths); i++) {
        struct node *n;
        r = tree_make(t, bytes_of_text(root_paths[i]), &n);
    }
    if (r < 0)
        tree_fini(t);
    return r;
}

void tree_fini(struct tree *t)
{
    for (size_t i = 0; i < t->expiring.count; i++)
        t->expiring.links[i]->place = 0;
    heap_fini(&t->expiring);
    map_each(&t->usage, usage_free, NULL);
    map_fini(&t->usage);
    map_each(&t->map, node_free, NULL);
    map_fini(&t->map);
    *t = (struct tree){0};
}

static int by_revision(const void *a, const void *b)
{
    const struct entry *const *x = a, *const *y = b;
    return (*x)->revision < (*y)->revision ? -1 : (*x)->revision > (*y)->revision;
}

int tree_sort_tombs(struct tree *t)
{
    size_t n = 0;
    struct entry **all = t->tombs_count > 0 ? calloc(t->tombs_count, sizeof(struct entry *)) : NULL;
    if (all == NULL)
        return t->tombs_count > 0 ? RAISE(-ENOMEM) : 0;
    LIST_EACH_SAFE(it, &t->tombs) {
        all[n++] = CONTAINER_OF(it, struct entry, tomb);
        list_unlink(it);
    }
    assert(n == t->tombs_count);
    qsort(all, n, sizeof(struct entry *), by_revision);
    for (size_t i = 0; i < n; i++)
        list_append(&t->tombs, &all[i]->tomb);
    free(all);
    return 0;
}

struct tree_walk tree_walk(const struct tree *t, struct bytes path)
{
    struct bytes rest = path, name = path_next(&rest);
    struct tree_walk w = {t->root, t->root, false};
    assert(bytes_equal(name, node_name(t->root)));
    while (rest.n > 0) {
        w.is_blocked = w.is_blocked || node_is_live(w.nearest);
        name = path_next(&rest);
        w.node = tree_child(t, w.nearest, name);
        if (w.node == NULL)
            break;
        w.nearest = w.node;
    }
    return w;
}

int tree_make(struct tree *t, struct bytes path, struct node **ret_node)
{
    struct bytes rest = path;
    struct node *n = t->root;
    (void)path_next(&rest);
    while (rest.n > 0) {
        struct bytes name = path_next(&rest);
        struct node *child = tree_child(t, n, name);
        if (child == NULL) {
            int r = node_add(t, n, name, &child);
            if (r < 0) {
                tree_prune(t, n);
                return r;
            }
        }
        n = child;
    }
    *ret_node = n;
    return 0;
}

void tree_prune(struct tree *t, struct node *node)
{
    while (!is_root(node) && !node->is_touched && node->entry == NULL && node->rules_count == 0 &&
           node->schema == NULL && node->children == NULL) {
        struct node *parent = node->parent;
        treap_remove(&parent->children, node);
        map_remove(&t->map, &node->link);
        node_free(&node->link, NULL);
        t->nodes--;
        node = parent;
    }
}

static void count_tomb(struct tree *t, struct entry *e, bool is_added)
{
    bool is_forgotten = (e->flags & ENTRY_FORGOTTEN) != 0;
    size_t *count = is_forgotten ? &t->forgotten_count : &t->tombs_count;
    *count = is_added ? *count + 1 : *count - 1;
    list_unlink(&e->tomb);
    if (is_added)
        list_append(is_forgotten ? &t->forgotten : &t->tombs, &e->tomb);
}

struct node *tree_forget(struct tree *t)
{
    assert(!list_is_empty(&t->tombs));
    struct entry *e = CONTAINER_OF(t->tombs.next, struct entry, tomb);
    count_tomb(t, e, false);
    e->flags |= ENTRY_FORGOTTEN;
    count_tomb(t, e, true);
    return e->node;
}

void tree_recall(struct tree *t, struct entry *e)
{
    assert((e->flags & ENTRY_FORGOTTEN) != 0);
    count_tomb(t, e, false);
    e->flags &= (uint8_t) ~(ENTRY_FORGOTTEN | ENTRY_BURIED);
    count_tomb(t, e, true);
    list_unlink(&e->tomb);
    list_append(t->tombs.next, &e->tomb); /* before the first one */
}

static void count_entry(struct tree *t, struct node *node, bool is_added)
{
    if (node->entry == NULL)
        return;
    if (!node_is_live(node)) {
        count_tomb(t, node->entry, is_added);
        return;
    }
    struct tree_usage *u = tree_usage(t, node->entry->created_by);
    t->entries = is_added ? t->entries + 1 : t->entries - 1;
    if (u != NULL) { /* but for entries that a test has put there */
        u->entries = is_added ? u->entries + 1 : u->entries - 1;
        u->bytes = is_added ? u->bytes + node->entry->size_bytes : u->bytes - node->entry->size_bytes;
    }
    if (is_added && node->entry->expiry.key != 0)
        heap_add(&t->expiring, &node->entry->expiry);
    else if (!is_added && node->entry->expiry.place != 0)
        heap_remove(&t->expiring, &node->entry->expiry);
    for (struct node *n = node->parent; n != NULL; n = n->parent)
        n->live = is_added ? n->live + 1 : n->live - 1;
}

static uint64_t hash_of_uid(uint32_t uid)
{
    return hash_siphash(hash_process_key(), bytes_of(&uid, sizeof uid));
}

struct tree_usage *tree_usage(const struct tree *t, uint32_t uid)
{
    for (struct map_link *l = map_first(&t->usage, hash_of_uid(uid)); l != NULL; l = map_next(l)) {
        struct tree_usage *u = CONTAINER_OF(l, struct tree_usage, link);
        if (u->uid == uid)
            return u;
    }
    return NULL;
}

int tree_reserve(struct tree *t, uint32_t uid)
{
    TRY(heap_reserve(&t->expiring, t->expiring.count + 1));
    if (tree_usage(t, uid) != NULL)
        return 0;
    struct tree_usage *u = calloc(1, sizeof *u);
    if (u == NULL)
        return RAISE(-ENOMEM);
    u->uid = uid;
    int r = map_add(&t->usage, &u->link, hash_of_uid(uid));
    if (r < 0)
        free(u);
    return r;
}

struct entry *tree_set_entry(struct tree *t, struct node *node, struct entry *entry)
{
    struct entry *old = node->entry;
    count_entry(t, node, false);
    node->entry = entry;
    if (entry != NULL)
        entry->node = node;
    count_entry(t, node, true);
    return old;
}

struct bytes node_path(const struct node *n, uint8_t ret_path[static 512])
{
    size_t at = PATH_MAX_BYTES;
    for (; n != NULL; n = n->parent) {
        assert(at >= (size_t)n->name_bytes + 1);
        at -= n->name_bytes;
        memcpy(ret_path + at, n->name, n->name_bytes);
        ret_path[--at] = '/';
    }
    memmove(ret_path, ret_path + at, PATH_MAX_BYTES - at);
    return bytes_of(ret_path, PATH_MAX_BYTES - at);
}

size_t node_chain(const struct node *n, struct authz_rules chain[static AUTHZ_CHAIN_MAX_COUNT])
{
    size_t count = 0;
    for (; n != NULL; n = n->parent) {
        if (n->rules_count == 0)
            continue;
        assert(count < AUTHZ_CHAIN_MAX_COUNT);
        chain[count++] = (struct authz_rules){n->rules, n->rules_count};
    }
    return count;
}
