/* registry-internal - what the files of the registry core share, and nobody else sees. */
#ifndef REGISTRY_REGISTRY_INTERNAL_H
#define REGISTRY_REGISTRY_INTERNAL_H

#include "registry/registry.h"

/* One step that a failed turn takes back: an entry replaced, the rules of a node replaced, or a deleted entry
 * forgotten.
 */
enum registry_step { REGISTRY_STEP_ENTRY, REGISTRY_STEP_RULES, REGISTRY_STEP_FORGET, REGISTRY_STEP_ROLES };
struct registry_change {
    struct node *node;
    enum registry_step step;
    bool is_repeat;                 /* an earlier change of the turn has the same node */
    struct entry *entry;            /* the one before */
    struct authz_rule *rules;       /* those before; what they own is shared with those after, by their numbers */
    const struct authz_rule *after; /* those that this change put in their place */
    uint32_t rules_count, after_count;
    struct registry_roles *roles;             /* those before; NULL: none */
    const struct registry_roles *roles_after; /* those that this change put in their place */
};

/* registry_touch - open the database transaction of the turn, if it is not open yet. Returns 0 or a fault. */
int registry_touch(struct registry *r) MUST_USE;

/* registry_find_row - the row of an entry that held at a revision: of the rows kept, the newest one not after it.
 * Returns STORE_ROW with the statement on it, 0 (there was none yet), OUTCOME_GONE (it is no longer kept),
 * OUTCOME_CORRUPT, or a fault. ret_st is to be closed with store_done() unless it is NULL. A query a version back. */
int registry_find_row(struct registry *r, const struct entry *e, uint64_t revision,
                      struct store_stmt **ret_st) MUST_USE;

/* registry_go_back - the same for a version of it. Returns STORE_ROW, 0 (it is not there), OUTCOME_CORRUPT or a fault;
 * the row may be unauthentic. */
int registry_go_back(struct registry *r, const struct entry *e, uint64_t version, struct store_stmt **ret_st) MUST_USE;

/* registry_keep_value - copy what a value borrows from a statement, so that it can be closed; a sealed one's body was
 * opened elsewhere. Returns 0 or a fault. */
int registry_keep_value(struct registry *r, struct registry_value *v) MUST_USE;

/* registry_mark - what a failed turn goes back to is the state as it is now. */
void registry_mark(struct registry *r);

/* registry_swap_entry - replace a node's entry (taken over) so that a failed turn puts the old one back. 0 or -ENOMEM;
 * then `entry` is freed. */
int registry_swap_entry(struct registry *r, struct node *node, struct entry *entry) MUST_USE;

/* registry_forget_tombs - of the deleted entries, keep no more than the settings say, undone with the turn. 0 or
 * -ENOMEM.
 */
int registry_forget_tombs(struct registry *r) MUST_USE;

/* registry_swap_rules - the same for the rules of a node; `rules` is taken over. */
int registry_swap_rules(struct registry *r, struct node *node, struct authz_rule *rules, uint32_t count) MUST_USE;

/* registry_swap_roles - the same for all roles. */
int registry_swap_roles(struct registry *r, struct registry_roles *roles) MUST_USE;

/* registry_ctx - keys and store id, as rows.h wants them. */
struct rows_ctx registry_ctx(const struct registry *r);

/* registry_load_rules - put every stored rule on its node; with keys, check each MAC and add it to `sum`.
 * Returns 0, ROWS_BAD, or a fault. */
int registry_load_rules(struct registry *r, uint8_t *sum) MUST_USE;

/* registry_load_roles - the same for the members of roles. */
int registry_load_roles(struct registry *r, uint8_t *sum) MUST_USE;

/* registry_load_approvals - check the MAC of every waiting request, and add it to `sum`. Returns 0, ROWS_BAD, or a
 * fault. */
int registry_load_approvals(struct registry *r, uint8_t *sum) MUST_USE;

/* registry_roles_free - the set, and those of its members that `kept` does not share; NULL is allowed for both. */
void registry_roles_free(struct registry_roles *gone, const struct registry_roles *kept);

/* registry_check_granters - every place with rules still has somebody who may edit them. Returns 0, OUTCOME_LAST_ADMIN,
 * or a fault. O(rules). */
int registry_check_granters(struct registry *r) MUST_USE;

/* registry_policy_changed - the open turn has changed rules or roles: one revision more, which is the policy's. */
void registry_policy_changed(struct registry *r);

/* registry_has_admin - somebody may still edit rules and administer /registry. */
bool registry_has_admin(const struct registry *r);

/* registry_rule_insert - the database row and MAC of a rule; used by create and add. */
int registry_rule_insert(struct registry *r, const struct registry_rule *rule,
                         uint8_t ret_mac[static DIGEST_BYTES]) MUST_USE;

/* Columns of a version row that are looked at by themselves, as STORE_VERSION_COLUMNS lists them. */
enum {
    REGISTRY_ROW_ID = 0,
    REGISTRY_ROW_PATH = 1,
    REGISTRY_ROW_PREVIOUS = 2,
    REGISTRY_ROW_ENTRY = 3,
    REGISTRY_ROW_VERSION = 4,
    REGISTRY_ROW_REVISION = 11,
};

/* registry_row_read - the current row of a statement that gives STORE_VERSION_COLUMNS, unchecked. Returns its MAC. All
 * views end with the statement's row. */
struct bytes registry_row_read(struct store_stmt *st, struct rows_version *ret_row);

/* registry_keep_text - a copy of a text as a C string, NULL for none. Returns 0 or -ENOMEM. */
int registry_keep_text(struct bytes text, char **ret_text) MUST_USE;

/* registry_row_check - Returns 0, OUTCOME_CORRUPT if `mac` is not the row's, or a fault. About 0.5 us. */
int registry_row_check(struct registry *r, const struct rows_version *row, struct bytes mac) MUST_USE;

/* registry_row_is_spare - a version of the entry that is no longer among those to be kept. */
bool registry_row_is_spare(const struct registry *r, const struct entry *e, uint64_t version);

/* registry_prune_step - begin or go on with a pass, as far as the changes of the open turn pay for. Returns 0 or a
 * fault. Not without changes. */
int registry_prune_step(struct registry *r) MUST_USE;

#endif
