/*
 * rows - authentication of stored rows, and where a sealed value belongs.
 *
 * Every row that decides what is served carries HMAC-SHA-256 under the index key over all its columns, each framed by
 * its length, after a name for the kind of row and the id of the store. So an edited, moved or foreign row is detected.
 * The state digest is the sum of the MACs of the newest version row of every path and of every rule, role, approval,
 * schema and slot row modulo 2^256, itself authenticated together with the revision: so a missing, added or replaced
 * row is detected. Source: D. Clarke et al., "Incremental Multiset Hash Functions" (MSet-Add-Hash); doc/spec/store.md.
 */
#ifndef REGISTRY_ROWS_H
#define REGISTRY_ROWS_H

#include "crypt/keys.h"

enum { ROWS_KEY_ID = 1, ROWS_FORMAT = 1, ROWS_AD_BYTES = 48 };

struct rows_version {
    uint64_t id;       /* of the row; they rise in the order in which rows are made */
    uint64_t previous; /* id of the row before it of the same entry; 0: none */
    uint64_t entry;    /* id of the first row that its entry had: what it is called in sealed values */
    uint64_t version;
    unsigned type, flags;
    int64_t created_us, changed_us;
    uint32_t created_by, changed_by;
    uint64_t revision;
    int64_t expires_us; /* 0: never */
    struct bytes path, reason, comment, tags, body;
};

struct rows_rule {
    uint64_t id;
    struct bytes path, principal, condition;
    unsigned effect, actions;
    int64_t created_us;
    uint32_t created_by;
};

struct rows_schema {
    struct bytes path, form;
    int64_t created_us;
    uint32_t created_by;
};

struct rows_slot {
    uint64_t id;
    struct bytes label, body;
    int64_t created_us;
    uint32_t created_by;
};

struct rows_role {
    uint64_t id;
    struct bytes name, principal;
    int64_t created_us;
    uint32_t created_by;
};

struct rows_approval {
    uint64_t id;
    unsigned op;
    uint32_t uid;
    int64_t created_us, expires_us;
    struct bytes path, body;
};

struct rows_ctx {
    const struct keys *keys;
    const uint8_t *store_id; /* KEYS_STORE_ID_BYTES */
};

/* rows_mac_KIND - the MAC of a row. Return 0 or FAULT_CRYPTO. About 0.5 us. */
int rows_mac_version(const struct rows_ctx *ctx, const struct rows_version *row,
                     uint8_t ret[static DIGEST_BYTES]) MUST_USE;
int rows_mac_rule(const struct rows_ctx *ctx, const struct rows_rule *row, uint8_t ret[static DIGEST_BYTES]) MUST_USE;
int rows_mac_schema(const struct rows_ctx *ctx, const struct rows_schema *row,
                    uint8_t ret[static DIGEST_BYTES]) MUST_USE;
int rows_mac_slot(const struct rows_ctx *ctx, const struct rows_slot *row, uint8_t ret[static DIGEST_BYTES]) MUST_USE;

/* A pass over the version rows that brings them under other keys: rows from `next` to `last` are still under the old
 * ones. */
enum rows_pass_kind { ROWS_PASS_NONE = 0, ROWS_PASS_REKEY = 1, ROWS_PASS_ROTATE = 2 };
struct rows_pass {
    uint64_t kind, next, last;
    uint64_t seen, count; /* rows looked at and rows written so far */
};
int rows_mac_approval(const struct rows_ctx *ctx, const struct rows_approval *row,
                      uint8_t ret[static DIGEST_BYTES]) MUST_USE;
int rows_mac_role(const struct rows_ctx *ctx, const struct rows_role *row, uint8_t ret[static DIGEST_BYTES]) MUST_USE;

/* The authenticated state, kept with the trail's turns. Rules, members of roles and approvals are numbered
 * together. */
struct rows_state {
    uint64_t revision, next_row, next_rule, next_slot, version_floor;
    uint64_t policy; /* revision that last changed rules or roles */
    uint64_t era;    /* the high half of numbers that are made from here on; raised when an older store is restored */
    uint64_t epoch;  /* of the keys; raised by each pass */
    struct rows_pass pass;
    uint8_t sum[DIGEST_BYTES];
};
enum { ROWS_STATE_COUNT = 13 /* numbers */, ROWS_STATE_BYTES = ROWS_STATE_COUNT * 8 + 2 * DIGEST_BYTES };

/* rows_next - the number after `number`: in the era that holds, one more in its low half. O(1). */
enum { ROWS_ERA_SHIFT = 32, ROWS_ERA_MAX = 1 << 20 };
uint64_t rows_next(uint64_t era, uint64_t number);

/* rows_state_peek - the numbers of a stored state without checking its MAC: a hint about a store that does not open.
 * Returns true, or false if it has another length. */
bool rows_state_peek(struct bytes in, struct rows_state *ret_state) MUST_USE;

/* rows_state_encode - the stored form, MAC at the end. rows_state_decode - 0, ROWS_BAD (malformed or MAC wrong), fault.
 */
enum { ROWS_BAD = 1 };
int rows_state_encode(const struct rows_ctx *ctx, const struct rows_state *state,
                      uint8_t ret[static ROWS_STATE_BYTES]) MUST_USE;
int rows_state_decode(const struct rows_ctx *ctx, struct bytes in, struct rows_state *ret_state) MUST_USE;

/* rows_ad - associated data of a sealed value: format, store, key, entry, version, type, flags. Returns the view of
 * `out`. */
struct bytes rows_ad(const struct rows_ctx *ctx, uint64_t entry, uint64_t version, unsigned type, unsigned flags,
                     uint8_t out[static ROWS_AD_BYTES]);

#endif
