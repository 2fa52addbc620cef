/*
 * session - what a login gives: a token with an age. Pure: clock, random bytes and keys are passed in.
 *
 * A token is 32 random bytes, as "SELECTOR.VERIFIER" in hex. The selector (8 bytes) finds the row and is the session's
 * public handle; the verifier (24 bytes) is kept by nobody: the row holds HMAC(key, selector | verifier | uid), which
 * is compared in constant time. The uid of the peer is part of it, so a token is worth nothing to another one.
 *
 * Keys: the session key of the registry while that is unlocked, else a random key of the process. Locking wipes the
 * first, and with it ends every session that was made under it.
 *
 * A turn may fail after it made or ended sessions: session_commit() or session_rollback() says how it went. Until then
 * a new session can be used by nobody else, since its token has not left. Source: GHSA-34fc-gh42-pj53; doc/design.md,
 * section 7.
 */
#ifndef ENGINE_SESSION_H
#define ENGINE_SESSION_H

#include <sys/types.h>

#include "base/clock.h"
#include "crypt/digest.h"

enum {
    SESSION_SELECTOR_BYTES = 8,
    SESSION_VERIFIER_BYTES = 24,
    SESSION_RANDOM_BYTES = SESSION_SELECTOR_BYTES + SESSION_VERIFIER_BYTES,
    SESSION_ID_BYTES = 2 * SESSION_SELECTOR_BYTES + 1,      /* text of a handle, with its NUL */
    SESSION_TOKEN_BYTES = 2 * SESSION_RANDOM_BYTES + 1 + 1, /* text of a token, with its NUL */
    SESSIONS_MAX_COUNT = 1024,                              /* of all users */
};

enum session_key { SESSION_KEY_PROCESS, SESSION_KEY_REGISTRY, SESSION_KEYS_COUNT };

struct session_limits {
    int64_t idle_us, absolute_us; /* since the last use; since the login */
    unsigned per_user_count;
};

struct session {
    bool is_used;
    bool is_new, is_ending; /* in this turn */
    enum session_key key;
    uid_t uid;
    uint8_t selector[SESSION_SELECTOR_BYTES];
    uint8_t tag[DIGEST_BYTES];
    struct mono_time made, last;
    struct wall_time made_wall; /* for display only */
};

struct sessions {
    struct session_limits limits;                /* set by the owner, as are the keys */
    struct digest_mac *keys[SESSION_KEYS_COUNT]; /* borrowed; NULL: not at hand now */
    bool is_changed;                             /* in this turn: rows are new or ending */
    struct session rows[SESSIONS_MAX_COUNT];
};

struct session_order {
    uid_t uid;
    struct mono_time now;
    struct wall_time wall;
    uint8_t random[SESSION_RANDOM_BYTES]; /* from the kernel; the caller wipes it */
};

/*
 * session_make - a session for a uid; past its share, or the table's, the one used longest ago is ended.
 * key        the one to use; it is at hand
 * ret_token  the token: the caller wipes it
 * Returns 0 and sets ret_session, SESSION_AGAIN (the selector is taken: try other random bytes), or FAULT_CRYPTO.
 */
enum { SESSION_AGAIN = 1, SESSION_BAD = 1 };
int session_make(struct sessions *s, enum session_key key, const struct session_order *order,
                 char ret_token[static SESSION_TOKEN_BYTES], struct session **ret_session) MUST_USE;

/*
 * session_find - the session that a token of `uid` stands for; it counts as used now.
 * Returns 0 and sets ret_session, SESSION_BAD (malformed, unknown, another uid's, over, or its key is not at hand: not
 * told apart), or FAULT_CRYPTO. One HMAC whatever the token is, as long as its form is right.
 */
int session_find(struct sessions *s, struct bytes token, uid_t uid, struct mono_time now,
                 struct session **ret_session) MUST_USE;

/* session_of_id - the live session of `uid` with that handle, or NULL. */
struct session *session_of_id(struct sessions *s, struct bytes id, uid_t uid, struct mono_time now);

/* session_next - the live sessions of `uid`, from `*at` (0 at first) on; NULL past the last. */
struct session *session_next(struct sessions *s, uid_t uid, struct mono_time now, size_t *at);

/* session_end - end it with this turn. */
void session_end(struct sessions *s, struct session *row);

/* session_end_key - end all sessions made under a key, at once: it is being wiped. */
void session_end_key(struct sessions *s, enum session_key key);

/* session_commit, session_rollback - the turn is done, or was taken back. */
void session_commit(struct sessions *s);
void session_rollback(struct sessions *s);

/* session_number - the handle as a number, as records have it; session_number_of - from its text; false: it is none.
 * session_id - as text. */
uint64_t session_number(const struct session *row);
bool session_number_of(struct bytes id, uint64_t *ret_number) MUST_USE;
void session_id(const struct session *row, char ret_id[static SESSION_ID_BYTES]);

/* session_left_us - how long it lives if it is not used again; session_left_absolute_us - how long at most. */
int64_t session_left_us(const struct sessions *s, const struct session *row, struct mono_time now);
int64_t session_left_absolute_us(const struct sessions *s, const struct session *row, struct mono_time now);

#endif
