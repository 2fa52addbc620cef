/*
 * logins - what op-login.c and op-session.c share: the sessions, the logins under way, and who is locked out.
 */
#ifndef ENGINE_LOGINS_H
#define ENGINE_LOGINS_H

#include "engine/auth-lockout.h"
#include "engine/engine.h"
#include "engine/session.h"

struct logins {
    struct engine *engine;
    struct list under_way; /* of struct login, op-login.c */
    uint64_t next_token;
    struct sessions sessions;
    struct digest_mac *macs[SESSION_KEYS_COUNT];
    struct lockout lockout;
};

/* login_sessions - the sessions, with the settings of now and the keys at hand. Returns 0 or a fault. */
int login_sessions(struct engine *e, struct sessions **ret_sessions) MUST_USE;

/* login_put_time - a member of a map: the time that is `us` from now. Results as buf_reserve(). */
int login_put_time(struct buf *doc, const char *key, const struct engine *e, int64_t us) MUST_USE;

#endif
