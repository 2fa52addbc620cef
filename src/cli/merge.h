/*
 * merge - what it takes to bring one document (ours) to what another (theirs) says, with or without the document that
 * both come from (base); and how that is shown and sent. Pure.
 *
 * With a base, what only one side changed is as that side has it, and what both changed alike is as both have it; what
 * both changed otherwise is a conflict. Without a base all is as theirs has it. Invariant: no change of one side is
 * lost without being named; an entry that theirs lists without its value is left as it is.
 */
#ifndef CLI_MERGE_H
#define CLI_MERGE_H

#include "cli/dump.h"

// clang-format off
/* name, mark in the list, word in JSON */
#define MERGE_KIND_LIST(X)                                                                                             \
    X(SAME,     " ", "same")                                                                                           \
    X(KEEP,     " ", "keep")      /* differs from theirs, and stays */                                                 \
    X(LEFT,     "?", "left")      /* theirs lists it without its value: stays as it is */                              \
    X(ADD,      "+", "add")                                                                                            \
    X(CHANGE,   "~", "change")                                                                                         \
    X(DELETE,   "-", "delete")                                                                                         \
    X(CONFLICT, "!", "conflict")
// clang-format on

enum merge_kind {
#define MERGE_KIND_ENUM_(name, mark, word) MERGE_##name,
    MERGE_KIND_LIST(MERGE_KIND_ENUM_)
#undef MERGE_KIND_ENUM_
        MERGE_KIND_COUNT
};

/* What becomes of a conflict. */
enum merge_strategy { MERGE_ABORT, MERGE_OURS, MERGE_THEIRS };

struct merge_rules {
    enum merge_strategy strategy;
    bool keeps_missing; /* without a base: what theirs lacks stays */
    bool is_only_shown; /* nothing is carried out: entries without their value are compared, too, as far as known */
};

/* One path. base, ours, theirs: NULL where it does not exist. */
struct merge_step {
    enum merge_kind kind;
    bool was_conflict; /* decided by the strategy */
    bool is_clash;     /* the conflict: an entry of one side stands where the other has a folder */
    const struct dump_entry *base, *ours, *theirs;
};

struct merge_plan {
    struct merge_step *steps; /* in tree order; borrow the documents */
    size_t count;
    size_t counts[MERGE_KIND_COUNT];
};

/*
 * merge_make - compare three sorted documents.
 * base      NULL: without one
 * ret_plan  free with merge_fini()
 * Returns 0 or -ENOMEM. O(entries).
 */
int merge_make(const struct dump *base, const struct dump *ours, const struct dump *theirs, struct merge_rules rules,
               struct merge_plan *ret_plan) MUST_USE;
void merge_fini(struct merge_plan *plan);

/* merge_step_path - the relative path a step is about. */
struct bytes merge_step_path(const struct merge_step *step);

/* merge_changes_count - how many entries would be written or deleted. */
size_t merge_changes_count(const struct merge_plan *plan);

/* merge_is_shown - false for what needs no line. */
bool merge_is_shown(const struct merge_step *step);

/*
 * merge_step_print - append the line of a step, without newline: "+ PATH = VALUE", "~ PATH: OLD -> NEW", "- PATH", ...
 * folder  put before each path; may be ""
 * width   cut to so many characters; 0: not at all
 * Safe for a terminal; no value of a sealed entry is shown. Returns 0 or a fault.
 */
int merge_step_print(struct buf *out, const struct merge_step *step, const char *folder, size_t width) MUST_USE;

/* merge_step_json - append a step as a JSON map; values as JSON, none of a sealed entry. Returns 0 or a fault. */
int merge_step_json(struct buf *out, const struct merge_step *step, const char *folder) MUST_USE;

/*
 * merge_request - append the body of POST /v1/txn that carries out a plan without conflicts: deletions first, and each
 * operation only on the version that `ours` has.
 * reason  NULL: none
 * Returns 0 or a fault: FAULT_LIMIT if it does not fit in out->max.
 */
int merge_request(struct buf *out, const struct merge_plan *plan, const char *folder, const char *reason,
                  bool is_dry) MUST_USE;

#endif
