/*
 * engine - what the files of the engine role share: connections, the turn, and the operations.
 *
 * A turn of the loop takes every request that is ready, lets its operation decide and act on the registry, commits
 * once, and then sends every reply. Replies wait in a buffer beside the channel until the commit is known: if it fails,
 * they are thrown away and each request of the turn is answered with the failure instead.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "model/backup.h"
#include "model/proto.h"
#include "os/peer.h"
#include "proc/proc.h"
#include "registry/registry.h"
#include "wire/doc.h"

enum {
    ENGINE_TURN_MAX_COUNT = 4096, /* requests of one turn */
    ENGINE_REPLIES_MAX_BYTES = 64 << 20,
    ENGINE_BACKLOG_BYTES = 8 << 20,    /* replies that may wait for a front before its requests have to wait */
    ENGINE_UNLOCK_TRIES_COUNT = 5,     /* wrong keys a user may offer ... */
    ENGINE_DOC_KEEP_BYTES = 256 << 10, /* memory of a reply that is kept for the next one */
    ENGINE_TRIERS_MAX_COUNT = 64,
    ENGINE_USERS_MAX_COUNT = 1024,
    ENGINE_RECORD_ROOM_BYTES = 64 << 10, /* of a turn's records, left to others by requests that make many */
    ENGINE_TREE_MAX_COUNT = 20000,       /* entries that one transaction may change */
    ENGINE_SPARE_ROWS_COUNT = 4096,      /* about a megabyte of the file */
    ENGINE_GLASS_MAX_COUNT = 4,          /* rules that a user may hold by breaking the glass */
    ENGINE_UNITS_MAX_COUNT = 16,         /* units that the conditions of one request may ask for */
};
#define ENGINE_UNLOCK_WINDOW_US (300 * US_PER_S)  /* ... within this time, and then has to wait as long */
#define ENGINE_APPROVAL_US (24 * 3600 * US_PER_S) /* how long a request waits for a second person */
#define ENGINE_GLASS_MAX_S (4 * 3600)             /* how long broken glass may help */

/* A user with connections: what is charged to the uid, and its name. */
struct engine_user {
    uid_t uid;
    size_t conns;
    bool is_known, is_asked; /* the parent has, or was asked for, the name */
    char name[64];           /* "" if /etc/passwd has none: then the decimal uid owns */
    int64_t tokens;          /* of its requests, in millionths */
    struct mono_time filled; /* when they were counted last; 0: never */
    uint64_t turned_away;    /* requests beyond its share */
    uint32_t share;
    size_t watches, untaken_bytes; /* untaken_bytes: told to its watches, and not yet taken by their clients */
};

struct engine_conn {
    uint32_t number; /* 0: free */
    unsigned front;
    bool is_handed; /* the front has it */
    int fd;         /* until then */
    struct engine_user *user;
    struct peer peer;
    struct watch *watch;              /* that the connection is taken up by; NULL: none */
    struct follow *follow;            /* likewise */
    struct registry_membership roles; /* as of its stamp */
};

/* What one request has found out about units of this host, so that it hears the same of one twice. */
struct engine_units {
    size_t count;
    struct {
        struct bytes name; /* borrowed from the condition that asked */
        enum authz_truth is_active;
    } asked[ENGINE_UNITS_MAX_COUNT];
};

struct engine_front {
    struct engine *engine;
    struct chan chan;
    struct loop_source source;
    struct buf replies; /* of this turn, if it can be committed */
    struct buf sure;    /* of this turn, from operations that go on while the storage is full */
    size_t conns;
    bool is_drained;
    bool has_more; /* requests wait in the buffer for room among the replies */
};

/* One request of the turn, so that a failed turn can answer it. */
struct engine_asked {
    unsigned front;
    uint32_t conn;
    uint64_t request;
    uint16_t op;
    bool is_sure; /* answered even if the storage takes nothing */
};

struct engine_trier {
    uid_t uid;
    unsigned failures;
    struct mono_time since;
};

/* A backup that a client is taking. */
struct engine_backup {
    uint64_t id; /* 0: none */
    uid_t uid;
    uint64_t parts, next; /* in all; the first one that nobody has asked for */
    uint64_t database_bytes, content_bytes;
    struct secret key;
    uint8_t ad[DIGEST_BYTES];
    struct buf header;
    struct mono_time asked; /* when somebody last wanted something of it */
};

struct engine {
    struct proc_child *child;
    struct registry *registry;
    char db_path[PROC_PATH_MAX_BYTES + 32];
    struct loop_source listener;
    struct loop_hook hook;
    struct loop_timer sync_timer, retry_timer, stop_timer, again_timer, sweep_timer, pass_timer, backup_timer,
        sign_timer;
    struct engine_front fronts[PROC_INSTANCES_MAX_COUNT];
    size_t fronts_count;
    struct engine_conn *conns[PROTO_CONNS_MAX_COUNT];
    uint32_t generations[PROTO_CONNS_MAX_COUNT];
    uint32_t free_hint;
    size_t conns_count;
    struct engine_user users[ENGINE_USERS_MAX_COUNT];
    struct engine_asked asked[ENGINE_TURN_MAX_COUNT];
    size_t asked_count;
    struct engine_trier triers[ENGINE_TRIERS_MAX_COUNT];
    struct logins *logins;   /* sessions, and logins under way: op-login.c */
    struct watches *watches; /* watch.c */
    struct follows *follows; /* follow.c */
    struct buf doc;          /* empty between requests; its memory is kept */
    struct wall_time turn_wall;
    struct registry_role_names role_names;     /* of the subject of the request at hand */
    struct registry_role_names approver_names; /* of the second person, while somebody else's request is done */
    struct engine_units units;                 /* of the request at hand */
    int key_fd;
    struct {
        uint64_t size, policy; /* of the trail and the policy when the last checkpoint was made */
        bool is_wanted;        /* whatever has come since */
        bool is_made;          /* by the turn */
        bool ends_epoch;       /* once the turn is over */
        bool is_epoch;         /* the turn is that of the record of an epoch alone */
    } sign;
    /* the turn */
    bool is_turn_durable, has_unlocked, is_sync_due, is_stopping;
    /* storage that refuses to take more */
    bool is_full;
    bool is_full_told;   /* a record says so, and none since that it is over */
    bool tells_recovery; /* a record of the open turn says that it is over */
    bool wants_scrub;    /* the turn destroyed a value */
    struct mono_time full_retry;
    bool has_stepped;       /* the turn holds a step of a pass */
    unsigned step_failures; /* turns with a step that failed, one after the other */
    struct engine_backup backup;
    uint64_t unrecorded; /* operations that could not be recorded one by one while it was full */
    uint64_t noted;      /* of them, those that a record of the open turn states */
    /* a reload somebody waits for */
    struct engine_asked reload_asked;
    bool is_reload_pending;
    char reload_text[CONF_WHY_BYTES];
    bool was_reload_good;
};

/* The second person, while the request that waited for him is done. */
struct engine_approver {
    struct authz_subject subject;
    uint64_t id; /* of the request that waited */
};

/* One request while its operation runs. */
struct engine_req {
    struct engine *engine;
    struct engine_conn *conn;
    const struct msg_request *m;
    struct authz_subject subject;
    struct authz_facts facts; /* what conditions are judged by: the same for the whole request */
    struct record record;
    struct msg_reply reply;
    bool is_change;   /* the record states a change of the tree */
    bool is_deferred; /* the reply comes later */
    bool holds;       /* COMPARE: it does */
    bool is_recorded; /* it has left the records it has to: no other is made */
    bool was_full;    /* the storage took nothing when it came, and is tried again with it */
    bool is_trial;    /* all of it will be taken back: nobody has to approve */
    bool waits;       /* it was refused only because somebody else has to approve */
    uint8_t waits_storage[512];
    struct bytes waits_path;                /* the first place that wants it */
    const struct engine_approver *approver; /* somebody else has: NULL for a request as it comes */
    struct session *session;                /* that the request carries a token of; NULL: none */
    bool is_unrecorded;                     /* the record comes with the reply, later */
    struct buf doc;                         /* of the reply; lent by the engine */
};

/* What becomes of a request while the storage is full: only now and then one is tried; it goes on, counted instead of
 * recorded; or it is tried at any time, since it may make room. */
enum engine_full { FULL_REFUSED, FULL_SERVED, FULL_TRIED };

struct engine_op {
    uint16_t op;
    uint16_t kind; /* of its record; 0: not recorded */
    bool wants_unlocked, wants_path;
    uint8_t when_full;                         /* enum engine_full */
    bool is_leaf;                              /* only inside a transaction */
    int (*run)(struct engine_req *q) MUST_USE; /* 0 or an outcome, or a fault */
};

/* engine_op_find - row of an operation, or NULL. */
const struct engine_op *engine_op_find(unsigned op);

/* engine_request - decode, decide, act, record, and put the reply in the turn. Returns 0, or FAULT_PROTOCOL. */
int engine_request(struct engine *e, unsigned front, struct bytes body) MUST_USE;

/*
 * engine_put_reply - a reply for the turn's end. A failure fails the turn.
 * is_sure  it leaves even if the turn cannot be committed because the storage is full
 */
int engine_put_reply(struct engine *e, unsigned front, const struct msg_reply *reply, bool is_sure) MUST_USE;

/* engine_turn_end - commit what the turn did and release its replies. Returns 0, or the fault it was taken back for, of
 * which everybody who asked was told. */
int engine_turn_end(struct engine *e);

/* engine_backlog - bytes of replies that wait for a front. */
size_t engine_backlog(const struct engine_front *f);

/* engine_tell_full - if no record says yet that the storage is full, begin a turn that does, in the room that is kept
 * for it. Returns true if there is a turn to end. Not inside a turn. */
bool engine_tell_full(struct engine *e);

/* engine_note_recovery - if the storage took nothing for a while and does again: record that, and how much was not
 * recorded. Returns 0 or a fault. */
int engine_note_recovery(struct engine *e) MUST_USE;

/* engine_take_request - charge one request to the user. False: his share is used up for now, and he may not control. */
bool engine_take_request(struct engine_req *q) MUST_USE;

/* engine_fill_share - what the actor of a change may take in all; left at "any number" for who may control. */
void engine_fill_share(const struct engine_req *q, struct registry_actor *actor);

/* engine_put_share, engine_put_shares - of the caller; of all users with connections. Results as buf_reserve(). */
int engine_put_share(struct engine_req *q) MUST_USE;
int engine_put_shares(struct engine_req *q) MUST_USE;

/* engine_sweep - delete what has expired by the time of the turn. Returns 0, or the fault that the turn fails with.
 * O(1) if nothing has. engine_plan_sweep - when that is to be seen again. engine_on_sweep - the timer's. */
int engine_sweep(struct engine *e) MUST_USE;
void engine_plan_sweep(struct engine *e);
void engine_on_sweep(struct loop_timer *timer);

/* engine_scrub - after the commit of a turn that destroyed a value: overwrite the log. */
void engine_scrub(struct engine *e);

/* engine_plan_pass - when the pass over the rows goes on, if there is one. engine_on_pass - the timer's: one step.
 * engine_step_end - what became of the turn that held it. engine_put_pass - how far it is, for the status. */
void engine_plan_pass(struct engine *e);
void engine_on_pass(struct loop_timer *timer);
void engine_step_end(struct engine *e, bool is_committed);
int engine_put_pass(const struct engine *e, struct buf *doc) MUST_USE;

/* engine_end_backup - give the backup up that is being taken, if there is one: the file may change again.
 * engine_on_backup - the timer's: give it up when its client asks no more. */
void engine_end_backup(struct engine *e);
void engine_on_backup(struct loop_timer *timer);

/* engine_sign - end the turn with a checkpoint, if one is due. engine_signed - how the turn went. engine_on_sign - a
 * timer's. engine_plan_sign - the interval is another one. */
void engine_sign(struct engine *e);
void engine_signed(struct engine *e, bool is_committed);
void engine_on_sign(struct loop_timer *timer);
void engine_plan_sign(struct engine *e);

/* engine_open - the registry, which after a kill may still be held for a moment; as options say (engine_settings()).
 * engine_first_turn - the first one of a run. Return 0 or a fault. */
int engine_open(struct engine *e) MUST_USE;
int engine_first_turn(struct engine *e) MUST_USE;
void engine_settings(const struct proc_child *child, struct registry_settings *settings);

/* engine_begin_epoch - after a turn: if an epoch of the trail is to end, begin another turn with the record of the
 * next. Returns true if there is one. */
bool engine_begin_epoch(struct engine *e);

/* engine_record_own - a record of the daemon's own act, outside any request. Returns 0 or a fault. */
int engine_record_own(struct engine *e, enum record_kind kind, struct bytes detail) MUST_USE;

/* engine_subject - the caller as authz sees it; views into the connection, and into the engine until the next one. */
struct authz_subject engine_subject(struct engine *e, struct engine_conn *conn);

/* engine_know - work out again who the caller is: roles may have changed, or another request may have been done. */
void engine_know(struct engine_req *q);

/* engine_facts - what conditions are judged by, for a caller on a UNIX socket. */
struct authz_facts engine_facts(struct engine *e);

/*
 * engine_unit_is_active - does a unit of the system manager have a living process? arg: the engine. Read from the
 * control group of that name in system.slice, once a request; UNKNOWN if there is none, or if it cannot be read.
 */
enum authz_truth engine_unit_is_active(struct bytes name, void *arg);

/*
 * engine_edit_policy - one change of rules or roles, as every request for one goes: the precondition, the change, and
 * with PROTO_DRY_RUN a report of what it would do instead of it (op-policy.c).
 * path    where it stands: only what holds there and below can become other than it was
 * change  the change itself: 0 with *ret_id, an outcome, or a fault
 * Returns 0 with the whole reply, OUTCOME_CONFLICT, what `change` returned, or a fault. A dry run: O(principals x
 * places), or OUTCOME_TOO_LARGE.
 */
int engine_edit_policy(struct engine_req *q, struct bytes path,
                       int (*change)(struct engine_req *q, uint64_t *ret_id)) MUST_USE;

/* engine_dry_text - what stands before the words of its record: "dry run: ", or nothing. */
const char *engine_dry_text(const struct engine_req *q);

/* engine_put_rule_KIND - members of a reply about a rule. Results as buf_reserve(). */
int engine_put_actions(struct buf *doc, const char *key, unsigned actions) MUST_USE;
int engine_put_principal(struct buf *doc, const char *key, const struct authz_principal *who) MUST_USE;

/* engine_allows - may the caller do `action` at the node or, if it does not exist, below `nearest`? Notes the rule. */
bool engine_allows(struct engine_req *q, const struct node *nearest, struct bytes path, enum authz_action action);

/*
 * engine_sees - the same for requests that change nothing: no second person is ever wanted for them. engine_allows()
 * refuses where a rule wants one, and notes that it is only that; engine_wait() then keeps the request.
 */
bool engine_sees(struct engine_req *q, const struct node *nearest, struct bytes path, enum authz_action action);

/*
 * engine_is_approved - no rule on the path or above wants a second person for that action, or he is there. Notes in the
 * request that it waits. engine_is_seconded - a second person who may control is there, for what no rule speaks of;
 * notes the same. engine_may_approve - the caller is somebody who may approve requests of `uid` for that path.
 */
bool engine_is_approved(struct engine_req *q, const struct node *nearest, struct bytes path, enum authz_action action);
bool engine_is_seconded(struct engine_req *q);
bool engine_may_approve(const struct engine_req *q, struct bytes path, uint32_t uid);

/* engine_may_audit - the caller may read the trail as a whole. Notes the rule. */
bool engine_may_audit(struct engine_req *q);

/* engine_wait - keep a request that waits. Returns OUTCOME_PENDING, OUTCOME_LIMIT, OUTCOME_TOO_LARGE, or a fault. */
int engine_wait(struct engine_req *q) MUST_USE;

/* engine_record - the request's own record, with who approved it. Returns 0 or a fault. */
int engine_record(struct engine_req *q, bool is_change) MUST_USE;

/* engine_may - the same question without noting the rule: for filters. */
bool engine_may(const struct engine_req *q, const struct node *nearest, struct bytes path, enum authz_action action);

/* engine_owns - the caller owns the subtree that the path lies in. */
bool engine_owns(const struct engine_req *q, struct bytes path);

/*
 * engine_owner_of - whether a user owns the subtree that the path lies in: by its number, or its name while it is
 * connected; UNKNOWN if it is not connected, and the subtree is that of a name.
 */
enum authz_truth engine_owner_of(const struct engine *e, uint32_t uid, struct bytes path);

/* engine_begin - the request as it is before its operation is asked: subject and record filled in. */
void engine_begin(struct engine_req *q, const struct engine_op *op);

/* engine_check - what is refused before an operation is asked: malformed, locked, full. Returns 0 or an outcome. */
int engine_check(struct engine_req *q, const struct engine_op *op) MUST_USE;

/*
 * engine_refusal - what somebody without the right hears: a refusal must not tell whether the entry exists, unless the
 * caller may list the folder it is in. w is the walk to the request's path.
 * Returns OUTCOME_REFUSED if the caller may see that the node is live, else OUTCOME_NOT_FOUND.
 */
int engine_refusal(struct engine_req *q, const struct tree_walk *w);

/* engine_walk - to the request's path. engine_actor - who changes, and when. */
struct tree_walk engine_walk(const struct engine_req *q);
struct registry_actor engine_actor(const struct engine_req *q);

/* engine_check_match - the request's precondition on the entry at a node (NULL: none). Returns 0 or an outcome. */
int engine_check_match(const struct engine_req *q, const struct node *node) MUST_USE;

/* engine_put_KIND - members of a reply: a time, the value of an entry, its tags, its end. Results as buf_reserve(). */
int engine_put_time(struct buf *doc, const char *key, int64_t us) MUST_USE;
int engine_put_value(struct buf *doc, const struct registry_value *v) MUST_USE;
int engine_put_tags(struct buf *doc, struct bytes tags) MUST_USE;
int engine_put_expires(struct buf *doc, int64_t us) MUST_USE;

/* engine_fingerprint - of all below a folder that the caller may read. Returns 0, an outcome, or a fault. O(values). */
int engine_fingerprint(struct engine_req *q, const struct node *folder, uint8_t ret[static DIGEST_BYTES],
                       uint64_t *ret_count) MUST_USE;

/* engine_default - the value that the schema of the very path proposes where there is no entry. False: none. */
bool engine_default(const struct node *node, struct registry_value *ret_value) MUST_USE;

/* engine_record_leaf - the record of one entry that a request on many changed; its reason and rule are the request's.
 * The whole is too large (OUTCOME_TOO_LARGE) when the turn's records have no room left. Returns 0, that, or a fault. */
int engine_record_leaf(struct engine_req *q, const struct registry_done *done, struct bytes path) MUST_USE;

/* engine_try_begin - may the caller offer a key? OUTCOME_LIMIT after too many wrong ones, else 0. engine_try_end - it
 * was the right one, or not. */
int engine_try_begin(struct engine_req *q);
void engine_try_end(struct engine_req *q, bool was_right);

/* engine_read_key_file - the key file's bytes. Returns 0, OUTCOME_NOT_FOUND, OUTCOME_AUTH_FAILED (it is no key), or a
 * fault. */
int engine_read_key_file(const struct engine *e, struct secret *ret_material) MUST_USE;

/* engine_try_key_file - unlock with the key file, if there is one. Returns 0, an outcome, or a fault. */
int engine_try_key_file(struct engine *e, char *why) MUST_USE;

/* Accepting, users and fronts: engine-conn.c. */
void engine_on_accept(struct loop_source *source, unsigned events);
void engine_on_user(struct engine *e, uid_t uid, struct bytes name);
void engine_conn_closed(struct engine *e, struct engine_conn *conn);
struct engine_conn *engine_conn_find(const struct engine *e, uint32_t number);
void engine_conns_fini(struct engine *e);

/* Sessions and logins: op-login.c. */
int logins_start(struct engine *e) MUST_USE;
void logins_fini(struct engine *e);
void logins_turn_end(struct engine *e, bool is_done);                      /* the turn was committed, or taken back */
void logins_on_lock(struct engine *e);                                     /* the keys are wiped */
void logins_conn_closed(struct engine *e, const struct engine_conn *conn); /* what it began is given up */
void logins_on_role(struct engine *e, uint64_t token, int fd);             /* the parent's answer; fd is taken over */
int logins_identify(struct engine_req *q) MUST_USE; /* fill in the session: 0, OUTCOME_BAD_SESSION, or a fault */

/* Watches: watch.c. At the end of each turn, what they are told is made of what was committed. */
int watches_new(struct engine *e) MUST_USE;
void watches_free(struct engine *e);
void watches_turn(struct engine *e);
void watches_settle(struct engine *e, bool is_committed, bool had_changes, uint64_t first); /* first: record of it */
void watches_conn_closed(struct engine *e, struct engine_conn *conn);
int watches_taken(struct engine *e, struct engine_conn *conn, uint32_t bytes) MUST_USE; /* 0 or a fault */
void watches_reload(struct engine *e); /* the configuration is another one */
size_t watches_count(const struct engine *e);

/* Those who follow the trail (follow.c): the same. follows_turn() is not inside a turn, and has none of its own. */
int follows_new(struct engine *e) MUST_USE;
void follows_free(struct engine *e);
void follows_turn(struct engine *e);
void follows_settle(struct engine *e, bool is_committed);
void follows_conn_closed(struct engine *e, struct engine_conn *conn);
int follows_taken(struct follow *f, uint32_t bytes) MUST_USE; /* 0 or a fault */
size_t follows_count(const struct engine *e);

/* Operations: op-NAME.c. */
int op_get(struct engine_req *q) MUST_USE;
int op_list(struct engine_req *q) MUST_USE;
int op_history(struct engine_req *q) MUST_USE;
int op_set(struct engine_req *q) MUST_USE;
int op_delete(struct engine_req *q) MUST_USE;
int op_acl_show(struct engine_req *q) MUST_USE;
int op_acl_add(struct engine_req *q) MUST_USE;
int op_acl_remove(struct engine_req *q) MUST_USE;
int op_acl_test(struct engine_req *q) MUST_USE;
int op_audit(struct engine_req *q) MUST_USE;
int op_audit_raw(struct engine_req *q) MUST_USE;
int op_head(struct engine_req *q) MUST_USE;
int op_prove(struct engine_req *q) MUST_USE;
int op_prune(struct engine_req *q) MUST_USE;
int op_status(struct engine_req *q) MUST_USE;
int op_whoami(struct engine_req *q) MUST_USE;
int op_unlock(struct engine_req *q) MUST_USE;
int op_lock(struct engine_req *q) MUST_USE;
int op_reload(struct engine_req *q) MUST_USE;
int op_fingerprint(struct engine_req *q) MUST_USE;
int op_compare(struct engine_req *q) MUST_USE;
int op_delete_tree(struct engine_req *q) MUST_USE;
int op_move(struct engine_req *q) MUST_USE;
int op_copy(struct engine_req *q) MUST_USE;
int op_revert(struct engine_req *q) MUST_USE;
int op_destroy(struct engine_req *q) MUST_USE;
int op_txn(struct engine_req *q) MUST_USE;
int op_login(struct engine_req *q) MUST_USE;
int op_schema_show(struct engine_req *q) MUST_USE;
int op_schema_set(struct engine_req *q) MUST_USE;
int op_schema_remove(struct engine_req *q) MUST_USE;
int op_schema_check(struct engine_req *q) MUST_USE;
int op_sessions(struct engine_req *q) MUST_USE;
int op_logout(struct engine_req *q) MUST_USE;
int op_watch(struct engine_req *q) MUST_USE;
int op_follow(struct engine_req *q) MUST_USE;
int op_slots(struct engine_req *q) MUST_USE;
int op_slot_add(struct engine_req *q) MUST_USE;
int op_slot_remove(struct engine_req *q) MUST_USE;
int op_rekey(struct engine_req *q) MUST_USE;
int op_rotate(struct engine_req *q) MUST_USE;
int op_backup(struct engine_req *q) MUST_USE;
int op_backup_part(struct engine_req *q) MUST_USE;
int op_backup_end(struct engine_req *q) MUST_USE;
int op_roles_show(struct engine_req *q) MUST_USE;
int op_role_add(struct engine_req *q) MUST_USE;
int op_role_remove(struct engine_req *q) MUST_USE;
int op_explain(struct engine_req *q) MUST_USE;
int op_approvals(struct engine_req *q) MUST_USE;
int op_approve(struct engine_req *q) MUST_USE;
int op_reject(struct engine_req *q) MUST_USE;
int op_break_glass(struct engine_req *q) MUST_USE;
int op_policy_test(struct engine_req *q) MUST_USE;

#endif
