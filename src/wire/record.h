/*
 * record - the canonical audit record: one binary form for one meaning, so that its hash can be recomputed by anyone.
 *
 * Layout (big-endian), version 1: "SR" u8 version=1, then the fields below in this order; numbers have their full
 * width, texts are u16 length and bytes, optional hashes are u8 length (0 or 32) and bytes. Nothing follows the last
 * field. Decoding refuses anything else, and re-encoding a decoded record gives the same bytes.
 * Never holds the value of an entry, a passphrase or a token. Specification: doc/spec/trail.md.
 */
#ifndef WIRE_RECORD_H
#define WIRE_RECORD_H

#include "base/buf.h"

enum {
    RECORD_VERSION = 1,
    RECORD_HASH_BYTES = 32,
    RECORD_TEXT_MAX_BYTES = 1024, /* each text */
    RECORD_MAX_BYTES = 8192,
    RECORD_HIDDEN_MARK = '~', /* begins the component of a path that stands for a hidden name; in no name itself */
};

// clang-format off
/* What happened: name, stored number, text. Numbers are stored for ever: add at the end, never renumber. */
#define RECORD_KIND_LIST(X)                                                                                            \
    X(INIT,        1, "init")                                                                                          \
    X(START,       2, "start")                                                                                         \
    X(STOP,        3, "stop")                                                                                          \
    X(UNLOCK,      4, "unlock")                                                                                        \
    X(LOCK,        5, "lock")                                                                                          \
    X(RELOAD,      6, "reload")                                                                                        \
    X(GET,         7, "get")                                                                                           \
    X(LIST,        8, "list")                                                                                          \
    X(HISTORY,     9, "history")                                                                                       \
    X(SET,        10, "set")                                                                                           \
    X(DELETE,     11, "delete")                                                                                        \
    X(ACL_SHOW,   12, "acl-show")                                                                                      \
    X(ACL_ADD,    13, "acl-add")                                                                                       \
    X(ACL_REMOVE, 14, "acl-remove")                                                                                    \
    X(ACL_TEST,   15, "acl-test")                                                                                      \
    X(AUDIT_READ, 16, "audit-read")                                                                                    \
    X(CORRUPT,    17, "corrupt")                                                                                       \
    X(STORE_FULL, 18, "store-full")                                                                                    \
    X(PRINT,      19, "fingerprint")                                                                                   \
    X(COMPARE,    20, "compare")                                                                                       \
    X(MOVE,       21, "move")                                                                                          \
    X(COPY,       22, "copy")                                                                                          \
    X(REVERT,     23, "revert")                                                                                        \
    X(DESTROY,    24, "destroy")                                                                                       \
    X(TXN,        25, "txn")                                                                                           \
    X(EXPIRE,     26, "expire")    \
    X(LOGIN,      27, "login")                                                                                         \
    X(LOGOUT,     28, "logout")                                                                                        \
    X(SCHEMA_SHOW, 29, "schema-show")                                                                                  \
    X(SCHEMA_SET, 30, "schema-set")                                                                                    \
    X(SCHEMA_REMOVE, 31, "schema-remove")                                                                              \
    X(SCHEMA_CHECK, 32, "schema-check") \
    X(WATCH,      33, "watch") \
    X(SLOT_LIST,  34, "slot-list")                                                                                     \
    X(SLOT_ADD,   35, "slot-add")                                                                                      \
    X(SLOT_REMOVE,36, "slot-remove")                                                                                   \
    X(REKEY,      37, "rekey")                                                                                         \
    X(ROTATE,     38, "rotate")                                                                                        \
    X(BACKUP,     39, "backup")                                                                                        \
    X(RESTORE,    40, "restore") \
    X(ROLE_SHOW,  41, "role-show")                                                                                     \
    X(ROLE_ADD,   42, "role-add")                                                                                      \
    X(ROLE_REMOVE,43, "role-remove")                                                                                   \
    X(EXPLAIN,    44, "explain")                                                                                       \
    X(ACL_EXPIRE, 45, "acl-expire")                                                                                    \
    X(APPROVALS,  46, "approvals")                                                                                     \
    X(APPROVE,    47, "approve")                                                                                       \
    X(REJECT,     48, "reject")                                                                                        \
    X(LAPSE,      49, "lapse")                                                                                         \
    X(BREAK_GLASS,50, "break-glass")                                                                                   \
    X(POLICY_TEST,51, "policy-test")                                                                                   \
    X(CHECKPOINT, 52, "checkpoint") \
    X(EPOCH,      53, "epoch")                                                                                         \
    X(FORGET,     54, "forget")                                                                                        \
    X(PRUNE,      55, "prune")

/* One field a row: kind, name. hash32: 32 bytes; hash0: 32 bytes or none. */
#define RECORD_FIELD_LIST(X)                                                                                           \
    X(u64,    seq)            /* from 0, without gaps */                                                               \
    X(i64,    wall_us)        /* CLOCK_REALTIME */                                                                     \
    X(i64,    mono_us)        /* CLOCK_BOOTTIME */                                                                     \
    X(u16,    kind)           /* RECORD_KIND_LIST */                                                                   \
    X(u16,    outcome)        /* 0 done, else the number of the refusal: doc/spec/outcomes.md */                       \
    X(u64,    request)        /* id of the request as the client saw it; 0 for the daemon's own acts */                \
    X(u32,    uid)                                                                                                     \
    X(u32,    gid)                                                                                                     \
    X(u32,    pid)            /* decoration */                                                                         \
    X(u64,    session)        /* public half of the token it was asked with; 0: none */                                \
    X(text,   unit)                                                                                                    \
    X(text,   label)                                                                                                   \
    X(text,   path)           /* the object, or "" */                                                                  \
    X(text,   detail)         /* rule text, crash note, reason: short words, never a value */                          \
    X(u64,    version_before) /* of the entry; 0: none */                                                              \
    X(u64,    version_after)                                                                                           \
    X(u64,    rule)           /* id of the deciding rule; 0: none */                                                   \
    X(u64,    revision)       /* of the tree after this act */                                                         \
    X(hash0,  commitment)     /* keyed MAC of the new version's row */                                                 \
    X(hash0,  state)          /* keyed digest of the live tree after this act, in records that change it */            \
    X(hash32, prev)           /* leaf hash of the record before; zeros for the first */
// clang-format on

enum record_kind {
#define RECORD_ENUM_(name, number, text) RECORD_##name = number,
    RECORD_KIND_LIST(RECORD_ENUM_)
#undef RECORD_ENUM_
        RECORD_KIND_END
};

typedef struct bytes record_text;
struct record_hash {
    uint8_t n; /* 0 or 32 */
    uint8_t h[RECORD_HASH_BYTES];
};

#define RECORD_T_u16 uint16_t
#define RECORD_T_u32 uint32_t
#define RECORD_T_u64 uint64_t
#define RECORD_T_i64 int64_t
#define RECORD_T_text struct bytes
#define RECORD_T_hash0 struct record_hash
#define RECORD_T_hash32 struct record_hash

struct record {
#define RECORD_FIELD_(kind, name) RECORD_T_##kind name;
    RECORD_FIELD_LIST(RECORD_FIELD_)
#undef RECORD_FIELD_
};

/*
 * record_encode - append the canonical form. `kind` is of RECORD_KIND_LIST; `n` is 32 in a hash32, 0 or 32 in a hash0.
 * Returns 0, FAULT_LIMIT (a text or the whole is too long), FAULT_PROTOCOL (a text is not UTF-8, or unit or label is
 * not printable: who takes such texts from outside escapes them first), or -ENOMEM; `out` is unchanged unless 0 is
 * returned.
 */
int record_encode(struct buf *out, const struct record *r) MUST_USE;

/* record_decode - read one whole record; texts are views into `in`. Returns true, or false for anything not canonical.
 */
bool record_decode(struct bytes in, struct record *ret_record) MUST_USE;

/* record_is_of - a record, stored or canonical, is of that kind. Pure; looks at nothing else. */
bool record_is_of(struct bytes record, enum record_kind kind);

/* record_kind_text - name of a kind, or NULL; record_kind_of - number for a name, or 0. */
const char *record_kind_text(unsigned kind);
unsigned record_kind_of(struct bytes text);

#endif
