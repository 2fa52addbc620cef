/*
 * registry - the tree, its history, its rules and its trail, as one consistent thing over one database.
 *
 * Work happens in turns: any number of changes and records, then registry_turn_end() commits them all or none, in the
 * database and in memory alike. Nothing here knows connections, messages or clocks; who may do what is asked of authz
 * by the caller. While locked there are no keys and no entries in memory, only rules (not yet authenticated) and the
 * trail.
 */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

#include "crypt/keys.h"
#include "model/meta.h"
#include "model/outcome.h"
#include "model/path.h"
#include "registry/rows.h"
#include "registry/tree.h"
#include "trail/checkpoint.h"
#include "trail/prune.h"
#include "trail/trail.h"

enum {
    REGISTRY_RULES_MAX_COUNT = 4096, /* in all */
    REGISTRY_SCHEMAS_MAX_COUNT = 4096,
    REGISTRY_ROLES_MAX_COUNT = 128,
    REGISTRY_MEMBERS_MAX_COUNT = 4096,  /* of all roles together */
    REGISTRY_APPROVALS_MAX_COUNT = 64,  /* requests that may wait for a second person */
    REGISTRY_APPROVALS_USER_COUNT = 16, /* of one user */
    REGISTRY_APPROVAL_MAX_BYTES = 3 << 20,
    REGISTRY_WHY_BYTES = 256,
};

struct registry_settings {
    uint32_t versions_count; /* kept for each entry; 0: all */
    uint32_t tombs_count;    /* deleted entries kept, in all */
    uint32_t unsynced_count; /* records of reads that may be answered before they are durable */
    uint32_t spare_count;    /* rows no longer wanted that may always stay until they are removed together */
};

/* Removing rows that are no longer wanted: a pass over the rows, a little in each turn that adds some. */
struct registry_prune {
    uint64_t rows_count;  /* version rows stored */
    uint64_t spare_count; /* of them, how many are not wanted: an estimate, set right by each pass */
    uint64_t fresh_count; /* of those, how many came up since the pass began */
    uint64_t next;        /* id of the row where the pass goes on; 0: none goes on */
};

/* Who changes something, when and why. */
struct registry_actor {
    uint32_t uid;
    int64_t now_us; /* wall clock */
    struct bytes reason;
    uint64_t max_entries, max_bytes; /* share of the uid; 0: any number */
};

struct registry_change; /* one step that a failed turn takes back */
struct registry_roles;  /* who is a member of which role */

struct registry {
    struct store *store;
    struct trail *trail;
    struct keys keys;     /* empty while locked */
    struct secret signer; /* seed of the key that signs checkpoints; empty while locked */
    struct secret names;  /* key that hides names; empty while locked */
    struct keys before;   /* of rows that the pass has not come to yet; empty if none goes on */
    uint8_t store_id[KEYS_STORE_ID_BYTES];
    struct tree tree;
    struct registry_roles *roles; /* NULL: no role has a member */
    uint64_t roles_stamp;         /* another one whenever the roles are others; never 0 */
    int64_t rules_due_us;         /* no allow ends before; 0: none ends */
    int64_t approvals_due_us;     /* no request that waits for approval ends before; 0: none waits */
    bool is_unit_untold;          /* the kernel of this host names no unit: nobody's is ever known */
    struct rows_state state;      /* zero while locked */
    size_t rules_count, schemas_count;
    struct registry_prune prune;
    size_t corrupt_count; /* entries whose rows failed their check at unlock */
    struct registry_settings settings;
    /* the open turn */
    struct registry_change *changes;
    size_t changes_count, changes_cap;
    struct rows_state state_before;
    struct registry_prune prune_before;
    size_t rules_before, schemas_before;
    bool is_changed, has_begun_pass;  /* has_begun_pass: `before` is what `keys` were when the turn began */
    int failed;                       /* the fault that means this turn can only be rolled back; 0: none */
    bool is_group, has_group_changed; /* changes share one revision; one was made */
    struct buf scratch, copy;         /* wiping; for one value each */
    struct buf texts;                 /* of the value that was read last */
    struct buf name, token;           /* of a hidden name at work; the first is wiping */
    bool may_hide;                    /* some schema hides names, or did */
    const char *why;                  /* of the last OUTCOME_BAD_VALUE or OUTCOME_BAD_REQUEST; static */
};

/*
 * The trail's records are in a folder beside the database; its name stands in the database, so that one change of the
 * name of a database changes both. registry_trail_name - read it: 0, FAULT_CORRUPT or a fault. registry_trail_name_make
 * - one made of up to 8 bytes.
 */
#define REGISTRY_TRAIL_PREFIX "trail-"
enum { REGISTRY_TRAIL_NAME_BYTES = 32, REGISTRY_PATH_MAX_BYTES = 512 };
int registry_trail_name(struct store *store, char ret_name[static REGISTRY_TRAIL_NAME_BYTES]) MUST_USE;
void registry_trail_name_make(struct bytes id, char ret_name[static REGISTRY_TRAIL_NAME_BYTES]);

struct registry;
int registry_set_trail_name(struct registry *r, const char *name) MUST_USE;

struct registry_made {
    struct checkpoint_key signer;
    struct epoch_seed seed;
};

/*
 * registry_create - make a new store with one slot, and an administrator.
 * path      database file, which must not exist; its folder must
 * admin     becomes administrator of /registry
 * kind, material, rounds  the slot, as keys_slot_close()
 * ret_made  what is not said again: what checkpoints of its trail are checked with, and what its epochs are; the caller
 *           wipes it
 * Returns 0, -EEXIST, or a fault. Blocks as the key derivation.
 */
int registry_create(const char *path, const struct registry_actor *admin, enum keys_slot_kind kind,
                    const struct secret *material, uint32_t rounds, struct registry_made *ret_made) MUST_USE;

/*
 * registry_open - open a store, locked.
 * Returns 0 and sets ret_registry, STORE_ABSENT, or a fault of store_open() or trail_open(), or FAULT_CORRUPT.
 */
int registry_open(const char *path, const struct registry_settings *settings, struct registry **ret_registry) MUST_USE;

/* registry_close - wipe the keys and close; NULL is allowed; returns NULL. An open turn is rolled back. */
struct registry *registry_close(struct registry *r);

/* registry_is_locked - no keys: entries cannot be served. */
bool registry_is_locked(const struct registry *r);

/*
 * registry_unlock - try `material` on every slot of its kind; then load and check every row.
 * on_corrupt  called for each entry whose rows fail their check: it will not be served, the others will
 * why         REGISTRY_WHY_BYTES; on OUTCOME_CORRUPT what was found
 * Returns 0, OUTCOME_AUTH_FAILED, OUTCOME_CORRUPT (rows are missing, foreign or replaced, or rules were edited; stays
 * locked), or a fault. Blocks for the key derivation and O(entries). Not inside a turn with changes.
 */
int registry_unlock(struct registry *r, enum keys_slot_kind kind, const struct secret *material,
                    void (*on_corrupt)(struct bytes path, void *arg), void *arg, char *why) MUST_USE;

/* registry_lock - wipe the keys and every entry from memory. Returns 0 or a fault. Not inside a turn with changes. */
int registry_lock(struct registry *r) MUST_USE;

/* registry_has_slot - true if a slot of that kind exists. */
bool registry_has_slot(struct registry *r, enum keys_slot_kind kind);

/* ---- slots and passes (unlocked only; positive results are outcomes) --------------------------------------- */

struct registry_slot {
    uint64_t id;
    unsigned kind;   /* keys_slot_kind; 0: malformed */
    uint32_t rounds; /* 0: none */
    struct bytes label, body;
    int64_t created_us;
    uint32_t created_by;
    bool is_good; /* its row passed its check */
};

/* registry_slot_each - every stored slot, by id; the callback may not use the registry. Non-zero ends it and is
 * returned. While locked `is_good` is false. */
int registry_slot_each(struct registry *r, int (*on_slot)(const struct registry_slot *slot, void *arg),
                       void *arg) MUST_USE;

/*
 * registry_slot_add - close the root key in one more slot.
 * label     at most META_LABEL_MAX_BYTES of UTF-8
 * material  as keys_slot_close() wants it; rounds within its bounds
 * Returns 0 and sets ret_id, OUTCOME_LIMIT (META_SLOTS_MAX_COUNT are there), or a fault. Blocks as the key
 * derivation.
 */
int registry_slot_add(struct registry *r, const struct registry_actor *actor, const struct registry_slot *slot,
                      const struct secret *material, uint64_t *ret_id) MUST_USE;

/* registry_slot_remove - Returns 0, OUTCOME_NOT_FOUND, OUTCOME_LAST_SLOT (no other slot that can be used would be
 * left), or a fault. */
int registry_slot_remove(struct registry *r, uint64_t id) MUST_USE;

/* What opens one slot. */
struct registry_material {
    uint64_t slot;
    struct secret secret;
};

/*
 * registry_rekey_check - does each material open its slot? Returns 0, OUTCOME_NOT_FOUND, OUTCOME_AUTH_FAILED
 * (ret_bad: index of the material), or a fault. Blocks for a key derivation each.
 * registry_rekey - a new root key: the slots of `materials` (at least one, all checked) are closed over it, the others
 * are removed, and a pass begins that brings every row under it. The old root key is kept, sealed under the new one,
 * until the pass is over. Returns 0, OUTCOME_BUSY (a pass goes on), or a fault. Blocks for a key derivation each.
 * registry_rotate - a new epoch of the field key: a pass begins that seals every sealed value anew, under a new data
 * key. Returns 0, OUTCOME_BUSY, or a fault.
 */
int registry_rekey_check(struct registry *r, const struct registry_material *materials, size_t count,
                         size_t *ret_bad) MUST_USE;
int registry_rekey(struct registry *r, const struct registry_material *materials, size_t count) MUST_USE;
int registry_rotate(struct registry *r) MUST_USE;

/* registry_pass_step - go on with the pass, over at most `limit` rows and about REGISTRY_PASS_BYTES. ret_step: what was
 * done, for the record. Returns 0 or a fault (the turn fails). There must be a pass. */
enum { REGISTRY_PASS_BYTES = 1 << 20 };
struct registry_step {
    uint64_t first, last; /* rows looked at, by id; first > last: none */
    uint64_t count;       /* rows written, in the pass so far */
    bool is_over;
};
int registry_pass_step(struct registry *r, size_t limit, struct registry_step *ret_step) MUST_USE;

/*
 * registry_signer - what checkpoints of this store's trail are checked with. registry_checkpoint - append the note of a
 * head of its trail, signed. Unlocked only. Return 0 or a fault. About 50 us.
 */
int registry_signer(const struct registry *r, struct checkpoint_key *ret_key) MUST_USE;
int registry_checkpoint(struct registry *r, const struct trail_head *head, struct buf *out) MUST_USE;

/* ---- hidden names ---------------------------------------------------------------------------------------- */

/*
 * Below a folder whose schema says so, paths are stored with a token in the place of what follows the folder
 * (doc/spec/store.md). In memory and outside they are whole. What is read or written here does that by itself; what is
 * left for others are the records of the trail.
 *
 * registry_hides - true if the path lies below such a folder.
 * registry_hide - the stored form of any text that may be a path; `path` itself where nothing is hidden. While locked
 * the token is empty. Returns 0 or a fault. About 5 us.
 * registry_show - the path that a stored form stands for; the form itself if it holds no token that can be read.
 * registry_record_show - a record that was decoded, with the paths that its texts stand for.
 * registry_record_source - the other place that a record of a move or copy names in its detail; empty: none.
 */
enum { REGISTRY_STORED_PATH_MAX_BYTES = 768 };
struct registry_texts {
    uint8_t path[REGISTRY_STORED_PATH_MAX_BYTES], detail[RECORD_TEXT_MAX_BYTES];
};
bool registry_hides(const struct registry *r, struct bytes path);
int registry_hide(struct registry *r, struct bytes path, uint8_t storage[static REGISTRY_STORED_PATH_MAX_BYTES],
                  struct bytes *ret_stored) MUST_USE;
struct bytes registry_show(struct registry *r, struct bytes stored, uint8_t storage[static PATH_MAX_BYTES]);
void registry_record_show(struct registry *r, struct record *record, struct registry_texts *texts);
struct bytes registry_record_source(const struct record *record);

/* ---- turns ----------------------------------------------------------------------------------------------- */

/* registry_set_settings - other settings from here on; what they no longer want is removed little by little. */
void registry_set_settings(struct registry *r, const struct registry_settings *settings);

/* registry_turn_fail - whatever the turn did is to be rolled back by registry_turn_end(), which returns the first
 * fault. */
int registry_turn_fail(struct registry *r, int fault);

/* registry_record - append one record to the turn; revision and, after a change, state are filled in. Fault: the turn
 * fails. */
int registry_record(struct registry *r, struct record *record, bool is_change) MUST_USE;

/* registry_own - a record of this process's own act, to be filled. */
struct record registry_own(enum record_kind kind);

/* registry_prune_trail - trail_prune(), in a turn that gets a record of what it states. Fault: the turn fails. */
int registry_prune_trail(struct registry *r, const struct prune_statement *s) MUST_USE;

/* registry_begin_epoch - the first record of a turn: trail_begin_epoch(). Fault: the turn fails. */
int registry_begin_epoch(struct registry *r, struct record *record) MUST_USE;

/*
 * registry_turn_end - commit the turn, or roll it back if something in it failed.
 * A turn that changed something holds at least one record: its state is kept with them.
 * is_durable  sync even if nothing but records was written; what changes something is synced in any case
 * ret_synced  everything committed so far would survive power loss
 * Returns 0 or the fault; after a fault memory and database are what they were before the turn.
 */
int registry_turn_end(struct registry *r, bool is_durable, bool *ret_synced) MUST_USE;

/* registry_relieve - after FAULT_FULL: fold the log into the database, so that its room can be used again. */
void registry_relieve(struct registry *r);

/* registry_scrub - overwrite what the log still holds of earlier rows. Not inside a turn with changes. 0 or a fault. */
int registry_scrub(struct registry *r) MUST_USE;

/* registry_sync - make the records of past turns durable. Returns 0, FAULT_SYNC or FAULT_GONE, both final.
 * registry_wants_sync - it is time: before long a turn would wait for it. */
int registry_sync(struct registry *r) MUST_USE;
bool registry_wants_sync(const struct registry *r);

/*
 * registry_begin_era - after an older store was put back: every number that is made from here on (revision, versions,
 * rows, rules, slots) is of this era and so above any that the store gave out before or after it was copied. Unlocked
 * only; era: above the present one, at most ROWS_ERA_MAX. registry_era - the lowest era that a state has not used.
 */
void registry_begin_era(struct registry *r, uint64_t era);
uint64_t registry_era(const struct rows_state *state);

/* ---- entries (unlocked only); positive results are outcomes ---------------------------------------------- */

struct registry_value {
    unsigned type, flags; /* ENTRY_SEALED, ENTRY_DELETED */
    uint64_t version, revision;
    int64_t changed_us;
    uint32_t changed_by;
    int64_t expires_us;         /* 0: never */
    struct bytes reason;        /* empty unless a version row was read */
    struct bytes comment, tags; /* tags: sorted, each followed by a newline */
    struct bytes body;          /* plain value; valid until the next call */
    size_t size_bytes;
};

/*
 * registry_get - the plain value of the live entry at a node.
 * with_row  also read what is only in the database: reason and revision
 * Returns 0, OUTCOME_NOT_FOUND, OUTCOME_CORRUPT, or a fault. About 0.1 us in the clear, 1 us sealed; a query if the
 * body is away or with_row is set.
 */
int registry_get(struct registry *r, const struct node *node, bool with_row, struct registry_value *ret_value) MUST_USE;

/* registry_get_version - a kept version; also of deleted entries. Results as registry_get(). A query a version back. */
int registry_get_version(struct registry *r, const struct node *node, uint64_t version,
                         struct registry_value *ret_value) MUST_USE;

/* registry_history - the kept versions, newest first; bodies are not opened. Results as registry_get(). A query each.
 */
int registry_history(struct registry *r, const struct node *node,
                     int (*on_version)(const struct registry_value *value, void *arg), void *arg) MUST_USE;

struct registry_put {
    unsigned type;                           /* value_type, or 0 to keep it */
    bool seals, unseals;                     /* neither: as it was */
    bool has_comment, has_tags, has_expires; /* else: as it was */
    int64_t expires_us;                      /* 0: never */
    struct bytes comment, tags, body;
};

struct registry_done {
    uint64_t version_before, version_after;
    bool is_created;
    uint8_t commitment[DIGEST_BYTES]; /* MAC of the new version row */
};

/*
 * registry_set - give the entry at a checked path a new version.
 * The caller has checked the value against the type that will be stored (registry_set_type()), and preconditions.
 * Returns 0, OUTCOME_IS_FOLDER, OUTCOME_NOT_FOLDER, OUTCOME_CORRUPT, OUTCOME_LIMIT (no share left), OUTCOME_BAD_VALUE
 * (a schema demands something else: r->why), or a fault (the
 * turn fails). One MAC, one row.
 */
int registry_set(struct registry *r, struct bytes path, const struct registry_actor *actor,
                 const struct registry_put *put, struct registry_done *ret_done) MUST_USE;

/* registry_set_type - the type registry_set() will store at the path of a walk: put_type, or that of the live entry, or
 * what the nearest schema demands, or string. */
unsigned registry_set_type(const struct tree_walk *w, unsigned put_type);

/* registry_delete - give the live entry a version that says "deleted". Returns 0, OUTCOME_NOT_FOUND, or a fault. */
int registry_delete(struct registry *r, struct node *node, const struct registry_actor *actor,
                    struct registry_done *ret_done) MUST_USE;

/*
 * registry_copy - give the entry at a checked path a new version with what another one holds, metadata included.
 * version  of the source, kept; 0: the current one
 * Results as registry_get_version() for the source, and registry_set() for the target. The source is sealed anew.
 */
int registry_copy(struct registry *r, const struct node *from, uint64_t version, struct bytes path,
                  const struct registry_actor *actor, struct registry_done *ret_done) MUST_USE;

/*
 * registry_at - what the entry at a node was at a revision of the tree.
 * Returns 0 with ret_version (0: there was none, or it was deleted), OUTCOME_GONE, OUTCOME_CORRUPT, or a fault.
 */
int registry_at(struct registry *r, const struct node *node, uint64_t revision, uint64_t *ret_version) MUST_USE;

/*
 * registry_shred - destroy the value of one kept version that is not the current one; its row stays, empty.
 * What it held is overwritten in the file at once, and in its log by registry_scrub().
 * Returns 0, OUTCOME_NOT_FOUND, OUTCOME_CONFLICT (it is the current version), OUTCOME_GONE (it was already),
 * OUTCOME_CORRUPT, or a fault.
 */
int registry_shred(struct registry *r, struct node *node, uint64_t version) MUST_USE;

/* registry_due - the live entry that expires first, if that is not after `now_us`; NULL if there is none. O(1). */
struct node *registry_due(const struct registry *r, int64_t now_us);

/* registry_next_due - when that is; 0: never. */
int64_t registry_next_due(const struct registry *r);

/* ---- parts of a turn that can be taken back by themselves --------------------------------------------------- */

struct registry_save {
    size_t changes_count, rules_count, schemas_count;
    struct rows_state state;
    struct registry_prune prune;
    struct trail_mark trail;
    bool was_changed;
};

/*
 * registry_save - begin a part of the turn; its changes share one revision. Parts do not nest.
 * registry_keep - it stays. registry_drop - its changes and records never were. Return 0 or a fault: the turn fails.
 */
int registry_save(struct registry *r, struct registry_save *ret_save) MUST_USE;
int registry_keep(struct registry *r) MUST_USE;
int registry_drop(struct registry *r, const struct registry_save *save) MUST_USE;

/* ---- schemas ---------------------------------------------------------------------------------------------- */

/*
 * registry_schema_set - demand something of the entries at or below a checked path; in the place of what was demanded
 * there before. What is stored already is not looked at: see registry_schema_each() and schema_check().
 * form  canonical and validated
 * Returns 0, OUTCOME_LIMIT, OUTCOME_BAD_REQUEST (names are hidden there, or would be, and rules and schemas name paths
 * in the clear: r->why), or a fault.
 */
int registry_schema_set(struct registry *r, struct bytes path, struct bytes form,
                        const struct registry_actor *actor) MUST_USE;

/* registry_fits_schemas - false if a schema at or above a node demands something else of what would be stored at it, or
 * below it where nothing is yet; r->why says what. */
bool registry_fits_schemas(struct registry *r, const struct node *nearest, unsigned type, bool is_sealed,
                           struct bytes plain) MUST_USE;

/* registry_schema_remove - Returns 0, OUTCOME_NOT_FOUND, or a fault. */
int registry_schema_remove(struct registry *r, struct node *node) MUST_USE;

/* ---- rules ----------------------------------------------------------------------------------------------- */

struct registry_rule {
    uint64_t id;
    struct bytes path, principal; /* text forms */
    struct bytes condition;       /* canonical text; empty: none */
    enum authz_effect effect;
    unsigned actions;
    int64_t created_us;
    uint32_t created_by;
};

/*
 * registry_rule_add - put a rule on a checked path (unlocked only).
 * rule  id, created_* are ignored; principal and condition are in their text form, already checked
 * Returns 0 and sets ret_id, OUTCOME_LAST_ADMIN (nobody could edit rules any more), OUTCOME_LIMIT, OUTCOME_BAD_REQUEST
 * (names are hidden there: r->why), or a fault.
 */
int registry_rule_add(struct registry *r, const struct registry_rule *rule, const struct registry_actor *actor,
                      uint64_t *ret_id) MUST_USE;

/* registry_rule_remove - Returns 0, OUTCOME_NOT_FOUND, OUTCOME_LAST_ADMIN, or a fault. Unlocked only. */
int registry_rule_remove(struct registry *r, uint64_t id) MUST_USE;

/* registry_rule_each - every stored rule, by id; the callback may not use the registry. Non-zero ends it and is
 * returned. */
int registry_rule_each(struct registry *r, int (*on_rule)(const struct registry_rule *rule, void *arg),
                       void *arg) MUST_USE;

/* registry_rule_path - path of the node that holds rule `id`: 0 and a view into `path`, OUTCOME_NOT_FOUND, or a fault.
 */
int registry_rule_path(struct registry *r, uint64_t id, uint8_t path[static 512], struct bytes *ret_path) MUST_USE;

/*
 * registry_has_approver - somebody else than `uid` could approve what a rule wants approved: for `any`, a principal
 * that may edit the rules of the place `nearest`, else the one that is named, and for a role one of its members.
 */
bool registry_has_approver(const struct registry *r, const struct node *nearest, const struct authz_principal *who,
                           uint32_t uid);

/*
 * registry_ended_rule - an allow whose condition says that it holds never again after `now_us`. A deny that has ended
 * is not meant: what a wrong clock takes away must not be a protection.
 * Returns 0 with ret_id (0: none) and "uid:1000 read", or a fault. O(1) if none is due, else O(rules).
 */
int registry_ended_rule(struct registry *r, int64_t now_us, uint64_t *ret_id, struct buf *text) MUST_USE;

/* ---- roles ----------------------------------------------------------------------------------------------- */

struct registry_member {
    uint64_t id;
    struct bytes role, principal; /* text forms */
    struct authz_principal who;
    int64_t created_us;
    uint32_t created_by;
};

/* registry_role_check - [a-z][a-z0-9-]{0,31}. registry_member_check - uid:, gid:, unit: and label: can be members. */
bool registry_role_check(struct bytes role) MUST_USE;
bool registry_member_check(struct bytes principal) MUST_USE;

/*
 * registry_member_add - make a checked principal a member of a checked role, which exists from its first member on.
 * registry_member_remove - the opposite; the role ends with its last member. Unlocked only.
 * Return 0 with ret_id, OUTCOME_EXISTS or OUTCOME_NOT_FOUND, OUTCOME_LAST_ADMIN (as with rules), OUTCOME_LIMIT, or a
 * fault.
 */
int registry_member_add(struct registry *r, struct bytes role, struct bytes principal,
                        const struct registry_actor *actor, uint64_t *ret_id) MUST_USE;
int registry_member_remove(struct registry *r, struct bytes role, struct bytes principal, uint64_t *ret_id) MUST_USE;

/* registry_member_at - the members by role, then by number; NULL past the last. O(1). */
const struct registry_member *registry_member_at(const struct registry *r, size_t i);

/* registry_role_members - those of one role are the `ret_count` from the one that is returned on; 0: no such role. */
size_t registry_role_members(const struct registry *r, struct bytes role, size_t *ret_count);

/* In which roles a subject is: a bit for each role, in the order of their names. */
struct registry_membership {
    uint64_t stamp; /* of the roles that it was worked out from */
    uint64_t yes[REGISTRY_ROLES_MAX_COUNT / 64], maybe[REGISTRY_ROLES_MAX_COUNT / 64];
    bool has_some;
};

/* registry_membership - by its other facts; nothing is allocated. O(members), or O(1) if `m` is of these roles. */
void registry_membership(const struct registry *r, const struct authz_subject *subject, struct registry_membership *m);

/* Names of roles, for a subject; borrowed from the registry until its roles change. */
struct registry_role_names {
    struct bytes yes[REGISTRY_ROLES_MAX_COUNT], maybe[REGISTRY_ROLES_MAX_COUNT];
};

/* registry_put_roles - make the subject a member of these roles. names  outlives the subject. O(roles). */
void registry_put_roles(const struct registry *r, const struct registry_membership *m,
                        struct registry_role_names *names, struct authz_subject *subject);

/* What authz_subject_of() needs, and the roles that somebody who is only this principal has by it. */
struct registry_person {
    gid_t group;
    struct registry_role_names names;
};

/* registry_subject_of - authz_subject_of() on this host with these roles. who, person  outlive the subject. */
struct authz_subject registry_subject_of(const struct registry *r, const struct authz_principal *who,
                                         struct registry_person *person);

/* ---- requests that wait for a second person (unlocked only) -------------------------------------------------- */

struct registry_approval {
    uint64_t id;
    struct bytes path; /* the first that a second person is wanted for */
    unsigned op;
    uint32_t uid; /* who asked */
    int64_t created_us, expires_us;
};

/*
 * registry_approval_add - keep a request. body  what it is, to be sealed. id is ignored.
 * Returns 0 with ret_id, OUTCOME_LIMIT, or a fault.
 */
int registry_approval_add(struct registry *r, const struct registry_approval *approval, struct bytes body,
                          uint64_t *ret_id) MUST_USE;

/*
 * registry_approval_get - one of them. path  storage of ret_approval->path; body  a wiping buffer, appended to
 * Returns 0, OUTCOME_NOT_FOUND, OUTCOME_CORRUPT, or a fault.
 */
int registry_approval_get(struct registry *r, uint64_t id, uint8_t path[static 512], struct buf *body,
                          struct registry_approval *ret_approval) MUST_USE;

/* registry_approval_remove - Returns 0, OUTCOME_NOT_FOUND, or a fault. */
int registry_approval_remove(struct registry *r, uint64_t id) MUST_USE;

/* registry_approval_each - in the order they came; as registry_rule_each(). */
int registry_approval_each(struct registry *r, int (*on_approval)(const struct registry_approval *approval, void *arg),
                           void *arg) MUST_USE;

/* registry_ended_approval - the first that has ended by `now_us`, or id 0. path as above. O(1) if none is due. */
int registry_ended_approval(struct registry *r, int64_t now_us, uint8_t path[static 512],
                            struct registry_approval *ret_approval) MUST_USE;

#endif
