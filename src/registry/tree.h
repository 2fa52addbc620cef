/*
 * tree - the live tree in memory: what every read is answered from.
 *
 * Nodes exist for entries, for the folders above them, for rules and for the four roots. An entry's value is kept here
 * if it is small (TREE_BODY_MAX_BYTES); sealed values are kept sealed. The database holds the same and more; the tree
 * is loaded from it at unlock, row by row checked, and changed only beside it. Invariants: a node with a live entry has
 * no live entry below it; `live` of a node counts the live entries below it; a node without entry, rules, schema and
 * children does not exist (roots excepted). Look-up is a keyed hash of (parent, name), one step a component; children
 * are ordered in a treap whose priorities are those hashes, so that neither order of insertion nor choice of names can
 * unbalance it.
 */
#ifndef REGISTRY_TREE_H
#define REGISTRY_TREE_H

#include "authz/authz.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "crypt/digest.h"

enum { TREE_BODY_MAX_BYTES = 1024 };

enum entry_flag {
    ENTRY_SEALED = 1u << 0,    /* stored */
    ENTRY_DELETED = 1u << 1,   /* stored: this version says that the entry is gone */
    ENTRY_SHREDDED = 1u << 2,  /* stored: the value of this version was destroyed */
    ENTRY_CORRUPT = 1u << 3,   /* in memory only: its rows failed their check; never served */
    ENTRY_AWAY = 1u << 4,      /* in memory only: the body is not kept here but read when wanted */
    ENTRY_FORGOTTEN = 1u << 5, /* in memory only: deleted, and too many others after it: as if it had never been */
    ENTRY_BURIED = 1u << 6,    /* in memory only: forgotten, and its rows go in the pass that is going on */
};

struct entry {
    uint64_t id, row;           /* of the entry; of the row of its newest version */
    uint64_t version, revision; /* revision: of the tree, made by this version */
    int64_t created_us, changed_us;
    uint32_t created_by, changed_by;
    char *comment, *tags;    /* NULL for none; owned */
    struct heap_link expiry; /* key: when it expires, in wall microseconds; in the tree's heap while live */
    struct list tomb;        /* deleted entries: place in one of the tree's queues of them */
    struct node *node;       /* where it is */
    uint32_t size_bytes;     /* of the plain value */
    uint32_t body_bytes;     /* of `body`; 0 if it is away */
    uint8_t type, flags;
    uint8_t mac[DIGEST_BYTES]; /* of that row; what the state digest adds up */
    uint8_t body[];
};

/* What the live entries that one user created amount to. */
struct tree_usage {
    struct map_link link;
    uint32_t uid;
    uint64_t entries, bytes;
};

/* What is demanded of the entries at or below a node: the form of model/schema.h, and who put it there. */
struct node_schema {
    int64_t created_us;
    uint32_t created_by;
    uint8_t mac[DIGEST_BYTES]; /* of its row */
    size_t form_bytes;
    uint8_t form[];
};

struct node {
    struct map_link link;
    struct node *parent, *left, *right, *children; /* children: root of their treap */
    struct entry *entry;                           /* live, deleted or corrupt; NULL for none */
    struct authz_rule *rules;
    struct node_schema *schema; /* NULL: none */
    uint32_t rules_count;
    uint32_t live;
    bool is_touched; /* changed in the open turn: tree_prune() leaves it to whoever ends the turn */
    uint8_t name_bytes;
    uint8_t name[];
};

struct tree {
    struct map map;
    struct node *root;            /* "/registry" */
    struct list tombs, forgotten; /* deleted entries, oldest first */
    struct heap expiring;         /* live entries with an end, by it */
    struct map usage;             /* by who created them */
    size_t entries, tombs_count, forgotten_count, nodes;
};

/* tree_init - a tree with the roots only. Returns 0 or -ENOMEM. tree_fini frees everything in it. */
int tree_init(struct tree *t) MUST_USE;
void tree_fini(struct tree *t);

/* tree_sort_tombs - put the queue of deleted entries in the order of their deletion. Returns 0 or -ENOMEM. */
int tree_sort_tombs(struct tree *t) MUST_USE;

/* tree_forget, tree_recall - move the oldest deleted entry to those forgotten, and back as long as it is the last one
 * there. The first returns its node; there must be one. */
struct node *tree_forget(struct tree *t);
void tree_recall(struct tree *t, struct entry *e);

struct tree_walk {
    struct node *node;    /* at the path, or NULL */
    struct node *nearest; /* the deepest existing node on the way; never NULL */
    bool is_blocked;      /* a node above the path holds a live entry */
};

/* tree_walk - go down a checked path. O(components). */
struct tree_walk tree_walk(const struct tree *t, struct bytes path);

/* tree_child - the node of that name in a folder, or NULL. O(1). */
struct node *tree_child(const struct tree *t, const struct node *folder, struct bytes name);

/* tree_make - the node at a checked path, made with all above it if absent. Returns 0 or -ENOMEM (nothing is left
 * behind). */
int tree_make(struct tree *t, struct bytes path, struct node **ret_node) MUST_USE;

/* tree_prune - remove the node and those above it, as far as nothing needs them. */
void tree_prune(struct tree *t, struct node *node);

/* tree_reserve - room for counting one more entry in, created by `uid`. Returns 0 or -ENOMEM. Before tree_set_entry().
 */
int tree_reserve(struct tree *t, uint32_t uid) MUST_USE;

/* tree_usage - of the user, or NULL if there was never any. O(1). */
struct tree_usage *tree_usage(const struct tree *t, uint32_t uid);

/* tree_set_entry - put `entry` (or NULL) in the place of the node's entry, which is returned: now the caller's. */
struct entry *tree_set_entry(struct tree *t, struct node *node, struct entry *entry);

/* entry_new - room for an entry with a body of `body_bytes`; zeroed. NULL if memory ran out. entry_free wipes it. */
struct entry *entry_new(size_t body_bytes);
struct entry *entry_free(struct entry *e);

/* node_is_live - holds an entry that is not deleted (it may be corrupt). node_is_folder - has such entries below it, or
 * is one of the roots. */
bool node_is_live(const struct node *n);
bool node_is_folder(const struct node *n);

/* node_name - the last component of its path. */
struct bytes node_name(const struct node *n);

/* node_path - write the path of a node; returns the view of what was written. */
struct bytes node_path(const struct node *n, uint8_t ret_path[static 512]);

/* node_child_after - the first child in byte order whose name is greater than `name` (the first of all for the empty
 * name), or NULL. O(log children). */
struct node *node_child_after(const struct node *folder, struct bytes name);

/*
 * node_each_child - call `on_child` for the children in byte order, from the first whose name is greater than `after`.
 * A non-zero return ends it and is returned. O(log children + children visited).
 */
int node_each_child(const struct node *folder, struct bytes after, int (*on_child)(struct node *child, void *arg),
                    void *arg);

/* node_rule_fini - free what a rule on a node owns: the name in its principal, and its condition, which each begin a
 * block of their own. Rules that are copied from one array to another share them. */
void node_rule_fini(const struct authz_rule *rule);

/* node_chain - collect the rules of a node and all above it. Returns how many places of `chain` were filled. */
size_t node_chain(const struct node *n, struct authz_rules chain[static AUTHZ_CHAIN_MAX_COUNT]);

#endif
