/*
 * proto - what a front and the engine say to each other. The front has parsed the client's bytes and the engine
 * decides; neither trusts the other's framing (wire/msg.h), and the engine checks every field again that a rule depends
 * on.
 */
#ifndef MODEL_PROTO_H
#define MODEL_PROTO_H

#include "wire/msg.h"

/* Connection numbers: the low bits are a place in a table, the high bits a generation. */
enum { PROTO_CONNS_MAX_COUNT = 4096, PROTO_CONN_BITS = 12 };

/* Frames in the body of a TXN: a comparison, a leaf of either branch; of a REKEY: what opens a slot (`match`, `body`).
 */
enum proto_part { PROTO_COMPARE = 1, PROTO_THEN = 2, PROTO_ELSE = 3, PROTO_SLOT = 4 };

enum proto_to_engine { PROTO_REQUEST = 1, PROTO_CONN_CLOSED = 2, PROTO_DRAINED = 3, PROTO_TAKEN = 4 };
enum proto_to_front { PROTO_CONN_OPEN = 1, PROTO_REPLY = 2, PROTO_DRAIN = 3, PROTO_EVENT = 4 };

// clang-format off
/* Operations: name, number, text. */
#define PROTO_OP_LIST(X)                                                                                               \
    X(GET,         1, "get")                                                                                           \
    X(LIST,        2, "list")                                                                                          \
    X(HISTORY,     3, "history")                                                                                       \
    X(SET,         4, "set")                                                                                           \
    X(DELETE,      5, "delete")                                                                                        \
    X(ACL_SHOW,    6, "acl-show")                                                                                      \
    X(ACL_ADD,     7, "acl-add")                                                                                       \
    X(ACL_REMOVE,  8, "acl-remove")                                                                                    \
    X(ACL_TEST,    9, "acl-test")                                                                                      \
    X(AUDIT,      10, "audit")                                                                                         \
    X(AUDIT_RAW,  11, "audit-raw")                                                                                     \
    X(HEAD,       12, "head")                                                                                          \
    X(STATUS,     13, "status")                                                                                        \
    X(WHOAMI,     14, "whoami")                                                                                        \
    X(UNLOCK,     15, "unlock")                                                                                        \
    X(LOCK,       16, "lock")                                                                                          \
    X(RELOAD,     17, "reload")                                                                                        \
    X(FINGERPRINT,18, "fingerprint")                                                                                   \
    X(COMPARE,    19, "compare")                                                                                       \
    X(DELETE_TREE,20, "delete-tree")                                                                                   \
    X(MOVE,       21, "move")                                                                                          \
    X(COPY,       22, "copy")                                                                                          \
    X(REVERT,     23, "revert")                                                                                        \
    X(DESTROY,    24, "destroy")                                                                                       \
    X(TXN,        25, "txn")    \
    X(LOGIN,      26, "login")                                                                                         \
    X(SESSIONS,   27, "sessions")                                                                                      \
    X(LOGOUT,     28, "logout")                                                                                        \
    X(SCHEMA_SHOW, 29, "schema-show")                                                                                  \
    X(SCHEMA_SET, 30, "schema-set")                                                                                    \
    X(SCHEMA_REMOVE, 31, "schema-remove")                                                                              \
    X(SCHEMA_CHECK, 32, "schema-check") \
    X(WATCH,      33, "watch") \
    X(SLOTS,      34, "slots")                                                                                         \
    X(SLOT_ADD,   35, "slot-add")                                                                                      \
    X(SLOT_REMOVE,36, "slot-remove")                                                                                   \
    X(REKEY,      37, "rekey")                                                                                         \
    X(ROTATE,     38, "rotate")                                                                                        \
    X(BACKUP,     39, "backup")                                                                                        \
    X(BACKUP_PART,40, "backup-part")                                                                                   \
    X(BACKUP_END, 41, "backup-end") \
    X(ROLES_SHOW, 42, "roles-show")                                                                                    \
    X(ROLE_ADD,   43, "role-add")                                                                                      \
    X(ROLE_REMOVE,44, "role-remove")                                                                                   \
    X(EXPLAIN,    45, "explain")                                                                                       \
    X(APPROVALS,  46, "approvals")                                                                                     \
    X(APPROVE,    47, "approve")                                                                                       \
    X(REJECT,     48, "reject")                                                                                        \
    X(BREAK_GLASS,49, "break-glass")                                                                                   \
    X(POLICY_TEST,50, "policy-test")                                                                                   \
    X(PROVE,      51, "prove")                                                                                         \
    X(FOLLOW,     52, "follow")                                                                                        \
    X(PRUNE,      53, "prune")

enum proto_flag {
    PROTO_WANTS_ENTRY = 1u << 0,     /* GET: metadata beside the value */
    PROTO_RECURSIVE = 1u << 1,       /* LIST */
    PROTO_MATCH_VERSION = 1u << 2,   /* SET, DELETE, COMPARE: only if the entry is at version `match`; edits of rules
                                        and roles: only if the policy is at that revision */
    PROTO_MATCH_ABSENT = 1u << 3,    /* SET, COMPARE: only if there is no entry */
    PROTO_SEAL = 1u << 4,            /* SET: store sealed */
    PROTO_UNSEAL = 1u << 5,          /* SET: store in the clear, even if the version before was sealed */
    PROTO_HAS_COMMENT = 1u << 6,     /* SET: `comment` replaces the entry's comment */
    PROTO_KEEP_TYPE = 1u << 7,       /* SET: the type of the version before, or string */
    PROTO_HAS_UID = 1u << 8,         /* AUDIT: only records of `uid` */
    PROTO_DOWNWARDS = 1u << 9,       /* AUDIT: newest first */
    PROTO_HAS_AFTER = 1u << 10,      /* AUDIT: begin behind record `match`; EXPLAIN: about `after`, not the caller */
    PROTO_PLAIN = 1u << 12,          /* LIST: one name a line instead of a document */
    PROTO_LONG = 1u << 15,           /* LIST: size and time of change too */
    PROTO_IS_JSON = 1u << 13,        /* SET: the body is a JSON text; the front has read it */
    PROTO_IS_LIST = 1u << 14,        /* SET: the body is a JSON list of strings */
    PROTO_REFUSED_ONLY = 1u << 11,   /* AUDIT: only records with an outcome other than done */
    PROTO_HAS_TAGS = 1u << 16,       /* SET: `tags` replace the entry's */
    PROTO_HAS_EXPIRES = 1u << 17,    /* SET: `expires_us` replaces the entry's end; 0: never */
    PROTO_DRY_RUN = 1u << 18,        /* TXN, REKEY, PRUNE, rules, roles: take everything back, whatever comes of it */
    PROTO_VALUES = 1u << 19,         /* LIST: each entry with its value; WATCH: each change with it */
    PROTO_HAS_REVISION = 1u << 20,   /* LIST, REVERT: as it was at revision `match`; WATCH: what came after it */
    PROTO_MATCH_PRESENT = 1u << 21,  /* COMPARE: there is an entry */
    PROTO_MATCH_VALUE = 1u << 22,    /* COMPARE: it holds `body`, and has `type` unless that is 0 */
    PROTO_MATCH_PRINT = 1u << 23,    /* COMPARE: the folder's fingerprint is `body` */
    PROTO_GOES_ON = 1u << 24,        /* LOGIN: answers to the prompts of the login named by `comment` */
    PROTO_ALL = 1u << 25,            /* LOGOUT: every session of the caller */
    PROTO_EXTENDS = 1u << 26,        /* PROVE: that the trail begins with its first `match` records, not record `match` */
};

#define PROTO_REQUEST_FIELDS(X)                                                                                        \
    X(u32,   conn)                                                                                                     \
    X(u64,   request)    /* id shown to the client */                                                                  \
    X(u16,   op)                                                                                                       \
    X(u32,   flags)                                                                                                    \
    X(u16,   type)       /* SET: value type; LIST: only that type; AUDIT: record kind or 0; UNLOCK, SLOT_ADD: slot kind */\
    X(u64,   match)      /* SET, DELETE: version; LIST, REVERT: revision; AUDIT, PROVE, FOLLOW, PRUNE: record number; ACL_*: revision;\
                            SLOT_REMOVE, SLOT: slot; SLOT_ADD: rounds; BACKUP_PART, _END: which backup */              \
    X(u64,   version)    /* GET, REVERT, DESTROY: a kept version, 0 for the current one; LIST, AUDIT: limit;           \
                            BACKUP_PART: which part; ACL_REMOVE: rule; APPROVALS, APPROVE, REJECT: id;                 \
                            BREAK_GLASS: seconds */                                                                    \
    X(bytes, path)                                                                                                     \
    X(bytes, after)      /* LIST: name or path to begin behind; ACL_*, ROLE_*, EXPLAIN: principal; LOGIN: user;        \
                            LOGOUT: handle */                                                                          \
    X(bytes, reason)                                                                                                   \
    X(bytes, comment)    /* SET: comment; ACL_*, EXPLAIN: actions as text; SLOT_ADD: label; LOGIN: which one goes on */\
    X(u32,   uid)        /* AUDIT */                                                                                   \
    X(i64,   since_us)   /* AUDIT; until: PRUNE too; 0: no bound */                                                                      \
    X(i64,   until_us)                                                                                                 \
    X(bytes, to)         /* MOVE, COPY: path; AUDIT: code of an outcome, empty: any */                                                                        \
    X(bytes, name)       /* LIST: glob for names; ACL_ADD: condition; ROLE*: role */                                   \
    X(bytes, tags)       /* SET: in their stored form; LIST: one tag */                                                \
    X(i64,   expires_us) /* SET; AUDIT: number of a rule, 0: any */                                                                                     \
    X(bytes, body)       /* SET: value; UNLOCK: passphrase; ACL_ADD: "allow" or "deny"; TXN, REKEY: frames of          \
                            requests; SLOT_ADD, SLOT: what opens it, empty: the key file; LOGIN: answers, auth-proto.h */  \
    X(bytes, session)    /* token that the request carries; empty: none */
MSG_DECLARE(request, PROTO_REQUEST_FIELDS)

/* How the front renders `body`. */
enum proto_shape { PROTO_EMPTY = 0, PROTO_VALUE = 1, PROTO_DOC = 2, PROTO_RAW = 3, PROTO_TEXT = 4, PROTO_STREAM = 5 };

#define PROTO_REPLY_FIELDS(X)                                                                                          \
    X(u32,   conn)                                                                                                     \
    X(u64,   request)                                                                                                  \
    X(u16,   outcome)                                                                                                  \
    X(u8,    shape)                                                                                                    \
    X(u8,    type)       /* PROTO_VALUE: its type */                                                                   \
    X(bool,  is_sealed)                                                                                                \
    X(bool,  is_created) /* SET made a new entry */                                                                    \
    X(u64,   version)    /* 0: none */                                                                                 \
    X(u64,   revision)                                                                                                 \
    X(bytes, detail)     /* refusals: more words for the client; PROTO_TEXT: where the next page begins */                                                     \
    X(bytes, body)
MSG_DECLARE(reply, PROTO_REPLY_FIELDS)

/* Who asked for what waits for approval, as the kernel said then; the engine writes and reads it. */
#define PROTO_PERSON_FIELDS(X)                                                                                         \
    X(u32,   uid)                                                                                                      \
    X(u32,   gid)                                                                                                      \
    X(u32,   pid)                                                                                                      \
    X(bytes, groups)     /* as numbers of this machine */                                                              \
    X(bytes, unit)                                                                                                     \
    X(bytes, label)                                                                                                    \
    X(bool,  is_unit_known)                                                                                            \
    X(bool,  is_label_known)                                                                                           \
    X(bytes, user)       /* its name */
MSG_DECLARE(person, PROTO_PERSON_FIELDS)

#define PROTO_CONN_FIELDS(X)                                                                                           \
    X(u32,   conn)                                                                                                     \
    X(u32,   share)      /* connections with the same number are charged together */
MSG_DECLARE(conn, PROTO_CONN_FIELDS)

/* One line of a stream. */
#define PROTO_EVENT_FIELDS(X)                                                                                          \
    X(u32,   conn)                                                                                                     \
    X(u64,   request)    /* that began the stream */                                                                   \
    X(bool,  is_end)     /* the last line */                                                                           \
    X(bytes, body)       /* a document */
MSG_DECLARE(event, PROTO_EVENT_FIELDS)

/* The client has taken what was sent: bytes of bodies of events. */
#define PROTO_TAKEN_FIELDS(X)                                                                                          \
    X(u32,   conn)                                                                                                     \
    X(u32,   bytes)
MSG_DECLARE(taken, PROTO_TAKEN_FIELDS)
// clang-format on

enum proto_op {
#define PROTO_ENUM_(name, number, text) PROTO_OP_##name = number,
    PROTO_OP_LIST(PROTO_ENUM_)
#undef PROTO_ENUM_
        PROTO_OPS_COUNT
};

#endif
