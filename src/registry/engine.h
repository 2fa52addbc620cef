/*
 * engine - what the files of the engine role share: connections, the turn, and the operations.
 *
 * A turn of the loop takes every request that is ready, lets its operation decide and act on the registry, commits
 * once, and then sends every reply. Replies wait in a buffer beside the channel until the commit is known: if it fails,
 * they are thrown away and each request of the turn is answered with the failure instead.
 */
#ifndef REGISTRY_ENGINE_H
#define REGISTRY_ENGINE_H

#include "os/peer.h"
#include "proc/proc.h"
#include "registry/proto.h"
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
};
#define ENGINE_UNLOCK_WINDOW_US (300 * US_PER_S) /* ... within this time, and then has to wait as long */

/* A user with connections: what is charged to the uid, and its name. */
struct engine_user {
    uid_t uid;
    size_t conns;
    bool is_known, is_asked; /* the parent has, or was asked for, the name */
    char name[64];           /* "" if /etc/passwd has none: then the decimal uid owns */
    uint32_t share;
};

struct engine_conn {
    uint32_t number; /* 0: free */
    unsigned front;
    bool is_handed; /* the front has it */
    int fd;         /* until then */
    struct engine_user *user;
    struct peer peer;
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

struct engine {
    struct proc_child *child;
    struct registry *registry;
    char db_path[PROC_PATH_MAX_BYTES + 32];
    struct loop_source listener;
    struct loop_hook hook;
    struct loop_timer sync_timer, retry_timer, stop_timer, again_timer;
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
    struct logins *logins; /* sessions, and logins under way: op-login.c */
    struct buf doc;        /* empty between requests; its memory is kept */
    struct wall_time turn_wall;
    int key_fd;
    /* the turn */
    bool is_turn_durable, has_unlocked, is_sync_due, is_stopping;
    /* storage that refuses to take more */
    bool is_full;
    struct mono_time full_retry;
    uint64_t unrecorded; /* operations that could not be recorded one by one while it was full */
    /* a reload somebody waits for */
    struct engine_asked reload_asked;
    bool is_reload_pending;
    char reload_text[CONF_WHY_BYTES];
    bool was_reload_good;
};

/* One request while its operation runs. */
struct engine_req {
    struct engine *engine;
    struct engine_conn *conn;
    const struct msg_request *m;
    struct authz_subject subject;
    struct record record;
    struct msg_reply reply;
    struct session *session; /* that the request carries a token of; NULL: none */
    bool auth_is_pam;        /* the session came from a login through PAM, this long ago */
    int64_t auth_age_s;
    bool is_unrecorded; /* the record comes with the reply, later */
    bool is_change;     /* the record states a change of the tree */
    bool is_deferred;   /* the reply comes later */
    struct buf doc;     /* of the reply; lent by the engine */
};

struct engine_op {
    uint16_t op;
    uint16_t kind; /* of its record; 0: not recorded */
    bool wants_unlocked, wants_path;
    bool works_full;                           /* goes on while the storage is full, counted instead of recorded */
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

/* engine_turn_end - commit what the turn did and release its replies. */
void engine_turn_end(struct engine *e);

/* engine_record_own - a record of the daemon's own act, outside any request. Returns 0 or a fault. */
int engine_record_own(struct engine *e, enum record_kind kind, struct bytes detail) MUST_USE;

/* engine_subject - the caller as authz sees it; views into the connection. */
struct authz_subject engine_subject(const struct engine_conn *conn);

/* engine_allows - may the caller do `action` at the node or, if it does not exist, below `nearest`? Notes the rule. */
bool engine_allows(struct engine_req *q, const struct node *nearest, struct bytes path, enum authz_action action);

/* engine_may - the same question without noting the rule: for filters. */
bool engine_may(const struct engine_req *q, const struct node *nearest, struct bytes path, enum authz_action action);

/* engine_owns - the caller owns the subtree that the path lies in. */
bool engine_owns(const struct engine_req *q, struct bytes path);

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

/* Operations: op-entry.c, op-rule.c, op-audit.c, op-service.c, op-login.c. */
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
int op_status(struct engine_req *q) MUST_USE;
int op_whoami(struct engine_req *q) MUST_USE;
int op_unlock(struct engine_req *q) MUST_USE;
int op_lock(struct engine_req *q) MUST_USE;
int op_reload(struct engine_req *q) MUST_USE;
int op_login(struct engine_req *q) MUST_USE;
int op_sessions(struct engine_req *q) MUST_USE;
int op_logout(struct engine_req *q) MUST_USE;

#endif
