/* registry-internal - what the files of the registry core share, and nobody else sees. */
#ifndef REGISTRY_REGISTRY_INTERNAL_H
#define REGISTRY_REGISTRY_INTERNAL_H

#include "registry/registry.h"

/* One step that a failed turn takes back: an entry, the rules or the schema of a node or all roles replaced, a deleted
 * entry forgotten, or an entry whose body and MAC are under other keys now (`entry` holds those before). */
enum registry_step_kind {
    REGISTRY_STEP_ENTRY,
    REGISTRY_STEP_RULES,
    REGISTRY_STEP_SCHEMA,
    REGISTRY_STEP_FORGET,
    REGISTRY_STEP_SEAL,
    REGISTRY_STEP_ROLES
};
struct registry_change {
    struct node *node;
    enum registry_step_kind step;
    bool is_repeat;      /* an earlier change of the turn has the same node */
    struct entry *entry; /* the one before */
    struct node_schema *schema;
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

/* registry_swap_schema - the same for the schema of a node (NULL: none), taken over. */
int registry_swap_schema(struct registry *r, struct node *node, struct node_schema *schema) MUST_USE;

/* registry_load_schemas - put every stored schema on its node; check each MAC and add it to `sum`. 0, ROWS_BAD, fault.
 */
int registry_load_schemas(struct registry *r, uint8_t *sum) MUST_USE;

/* registry_swap_rules - the same for the rules of a node; `rules` is taken over. */
int registry_swap_rules(struct registry *r, struct node *node, struct authz_rule *rules, uint32_t count) MUST_USE;

/* registry_swap_roles - the same for all roles. */
int registry_swap_roles(struct registry *r, struct registry_roles *roles) MUST_USE;

/* registry_swap_seal - give the entry at a node the MAC and the sealed body (as long as the one before; none: it stays)
 * of its row under other keys, undone with the turn. 0 or -ENOMEM. */
int registry_swap_seal(struct registry *r, struct node *node, const uint8_t mac[static DIGEST_BYTES],
                       struct bytes body) MUST_USE;

/* registry_ctx - keys and store id, as rows.h wants them. registry_ctx_at - those that the version row `id` is under.
 */
struct rows_ctx registry_ctx(const struct registry *r);
struct rows_ctx registry_ctx_at(const struct registry *r, uint64_t id);

/* registry_slot_row - the current row of a statement that gives slots, unchecked; returns its MAC. registry_load_slots
 * - check every slot and add its MAC to `sum`; one that fails is handed to on_corrupt. Returns 0 or a fault. */
struct bytes registry_slot_row(struct store_stmt *st, struct registry_slot *ret_slot);
int registry_load_slots(struct registry *r, uint8_t *sum, void (*on_corrupt)(struct bytes path, void *arg),
                        void *arg) MUST_USE;

/* registry_begin_pass - other keys (taken over) from here on; the rows that are there wait for their turn. */
void registry_begin_pass(struct registry *r, enum rows_pass_kind kind, struct keys *keys);

/* The old root key of a rekey that goes on, among the named values. */
#define REGISTRY_PREVIOUS_ROOT "previous-root"

/* registry_load_pass - after the state is known: the field key of its epoch, and the keys before if a pass goes on.
 * Returns 0, ROWS_BAD (they are not there), or a fault. registry_settle_pass - the turn is over: keep what it did to
 * the keys or take it back. */
int registry_load_pass(struct registry *r) MUST_USE;
void registry_settle_pass(struct registry *r, bool is_committed);

/* registry_get_meta, registry_put_meta - a named value, as long as `n` says. 0 or a fault (FAULT_CORRUPT: it is not).
 */
int registry_get_meta(struct registry *r, const char *name, void *ret, size_t n) MUST_USE;
int registry_put_meta(struct registry *r, const char *name, struct bytes value) MUST_USE;

/* registry_put_kept - a secret that outlives every root key, sealed, as a named value. registry_load_kept - that of `n`
 * bytes. 0, ROWS_BAD (it is not there, or another store's), or a fault. */
int registry_put_kept(struct registry *r, const char *name, enum keys_kept what, const struct secret *secret) MUST_USE;
int registry_load_kept(struct registry *r, const char *name, enum keys_kept what, size_t n,
                       struct secret *ret_secret) MUST_USE;

/* registry_make_signer - a new key for checkpoints. registry_rekey_signer - the same one under the new root key.
 * registry_load_signer - at unlock: 0, ROWS_BAD (it is not there, or another store's), or a fault. */
int registry_make_signer(struct registry *r) MUST_USE;
int registry_rekey_signer(struct registry *r) MUST_USE;
int registry_load_signer(struct registry *r) MUST_USE;

/* registry_make_names, _rekey_, _load_ - the same for the key that hides names. */
int registry_make_names(struct registry *r) MUST_USE;
int registry_rekey_names(struct registry *r) MUST_USE;
int registry_load_names(struct registry *r) MUST_USE;

/* registry_note_schema - a schema is held: if it hides names, paths are looked at from here on. */
void registry_note_schema(struct registry *r, const struct node *node);

#define REGISTRY_HIDES_WHY                                                                                             \
    "names are sealed there: rules and schemas stand at the folder whose schema says so, or above"

/* registry_form_hides - what is below a schema of that form is to have hidden names. */
bool registry_form_hides(struct bytes form);

/* registry_record_hide - the record as it is to be stored. Returns 0 or a fault. */
int registry_record_hide(struct registry *r, struct record *record, struct registry_texts *texts) MUST_USE;

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

/* registry_rules_rekey, _roles_, _schemas_ - every rule, member or schema under the new keys instead of those before.
 * registry_approvals_turn - the same for what waits for approval, after a rotate too: its body is sealed. Return 0 or a
 * fault. */
int registry_rules_rekey(struct registry *r) MUST_USE;
int registry_roles_rekey(struct registry *r) MUST_USE;
int registry_approvals_turn(struct registry *r) MUST_USE;
int registry_schemas_rekey(struct registry *r) MUST_USE;

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
