/*
 * host-plan - what loading a host would change: the settings of the host against the entries of the tree. Pure.
 *
 * Invariant: an entry is only ever added where there is none, changed from the version that was compared, or removed
 * after its history said that it came from here; nothing else in the tree is touched.
 */
#ifndef CLI_HOST_PLAN_H
#define CLI_HOST_PLAN_H

#include "cli/host.h"

enum { HOST_TREE_MAX_COUNT = 200000 };

/* An entry of the tree. */
struct host_entry {
    char *path;
    uint64_t version;
    bool is_sealed;
    bool has_value; /* type and value were read */
    unsigned type;
    uint8_t *value;
    size_t value_bytes;
};

struct host_tree {
    struct host_entry *items;
    size_t count, cap;
};

/* host_tree_add - add an entry; the value comes later. Returns 0, -ENOMEM or FAULT_LIMIT (HOST_TREE_MAX_COUNT). */
int host_tree_add(struct host_tree *t, struct bytes path, uint64_t version, bool is_sealed) MUST_USE;

/* host_entry_set - what was read of an entry. Returns 0 or -ENOMEM. */
int host_entry_set(struct host_entry *e, uint64_t version, unsigned type, struct bytes value) MUST_USE;

/* host_tree_sort - by path, as host_plan_make() needs it. */
void host_tree_sort(struct host_tree *t);
void host_tree_fini(struct host_tree *t);

// clang-format off
/* name, mark in the list, word in JSON */
#define HOST_STEP_LIST(X)                                                                                              \
    X(ADD,    "+", "add")       /* on the host, not in the tree */                                                     \
    X(CHANGE, "~", "change")    /* in both, with another type or value */                                              \
    X(REMOVE, "-", "remove")    /* was loaded from the host, which has it no longer */                                 \
    X(GONE,   "-", "gone")      /* the same, but somebody wrote to it since: it stays */                               \
    X(APART,  "?", "apart")     /* on the host, but the entry is sealed or may not be read: it stays */                \
    X(SAME,   " ", "same")                                                                                             \
    X(OTHER,  " ", "other")     /* in the tree only, and not from the host; or nothing is known of it */
// clang-format on

enum host_step_kind {
#define HOST_STEP_ENUM_(name, mark, word) HOST_STEP_##name,
    HOST_STEP_LIST(HOST_STEP_ENUM_)
#undef HOST_STEP_ENUM_
        HOST_STEP_KIND_COUNT
};

struct host_step {
    enum host_step_kind kind;
    const struct host_setting *setting; /* NULL if it is not on the host */
    struct host_entry *entry;           /* NULL if it is not in the tree */
};

struct host_plan {
    struct host_step *steps; /* sorted by path; borrow settings and entries */
    size_t count;
};

/*
 * host_plan_make - compare. Entries that are not on the host come out as GONE; the caller asks for their history and
 * makes them REMOVE or OTHER where that says so.
 * s, t      sorted; borrowed by the plan
 * ret_plan  free with host_plan_fini()
 * Returns 0 or -ENOMEM. O(settings + entries), but for entries that are not on the host O(unread) each.
 */
int host_plan_make(const struct host_settings *s, struct host_tree *t, struct host_plan *ret_plan) MUST_USE;
void host_plan_fini(struct host_plan *plan);

/* host_plan_count - how many steps of a kind. */
size_t host_plan_count(const struct host_plan *plan, enum host_step_kind kind);

/* host_step_path - the path a step is about. */
struct bytes host_step_path(const struct host_step *step);

/* host_step_is_shown - false for what needs no line: SAME and OTHER. */
bool host_step_is_shown(const struct host_step *step);

/*
 * host_step_print - append the line of a step, without newline: "+ PATH = VALUE", "~ PATH: OLD -> NEW", "- PATH (why)".
 * width  cut to so many characters; 0: not at all
 * Escaped for a terminal. Returns 0 or a fault of buf_reserve().
 */
int host_step_print(struct buf *out, const struct host_step *step, size_t width) MUST_USE;

/* host_step_json - append a step as a JSON map: change, path, type, value, old_type, old_value. Values as texts. */
int host_step_json(struct buf *out, const struct host_step *step) MUST_USE;

#endif
