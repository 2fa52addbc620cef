/*
 * auth-lockout - who failed to log in too often has to wait. Pure: the clock is passed in.
 *
 * A bucket for each pair of peer uid and target user, so that nobody locks out somebody else. A target that is not the
 * peer's own user is never tried, so all of those share one bucket of the peer: a table cannot be filled with names.
 * Only failures count. A login under way counts as a failure until it has ended, so that several at a time give no
 * more tries than one after the other. Failures are kept with their time: in no window are there more than the limit.
 * Source: registry requirements (5 in 300 s, then 300 s); CVE-2025-6004.
 */
#ifndef ENGINE_AUTH_LOCKOUT_H
#define ENGINE_AUTH_LOCKOUT_H

#include <sys/types.h>

#include "base/clock.h"

enum { LOCKOUT_BUCKETS_MAX_COUNT = 2048, LOCKOUT_FAILURES_MAX_COUNT = 10 };

struct lockout_limits {
    unsigned failures_count; /* 1 to LOCKOUT_FAILURES_MAX_COUNT: so many within the window lock out */
    int64_t window_us, lockout_us;
};

struct lockout_bucket {
    uid_t uid;
    bool is_used, is_other; /* is_other: targets that are not the peer's own user */
    bool is_locked;
    unsigned under_way, failures;
    struct mono_time until;                             /* if it is locked */
    struct mono_time times[LOCKOUT_FAILURES_MAX_COUNT]; /* of the failures, oldest first */
};

struct lockout {
    struct lockout_bucket buckets[LOCKOUT_BUCKETS_MAX_COUNT];
};

/*
 * lockout_begin - may `uid` try now?
 * is_other  the target is not the peer's own user
 * Returns 0: the try counts until lockout_end(); LOCKOUT_LOCKED: locked out, or so many are under way that no more may
 * fail; LOCKOUT_FULL: every bucket has a login under way.
 */
enum { LOCKOUT_LOCKED = 1, LOCKOUT_FULL = 2 };
int lockout_begin(struct lockout *l, const struct lockout_limits *limits, uid_t uid, bool is_other,
                  struct mono_time now) MUST_USE;

/* lockout_end - a try that was begun is over. LOCKOUT_UNTRIED: nothing was tried, so nothing counts. */
enum lockout_end { LOCKOUT_UNTRIED, LOCKOUT_FAILED, LOCKOUT_PASSED };
void lockout_end(struct lockout *l, const struct lockout_limits *limits, uid_t uid, bool is_other, enum lockout_end how,
                 struct mono_time now);

/* lockout_wait_us - how long `uid` has to wait; 0 if it is not locked out. */
int64_t lockout_wait_us(const struct lockout *l, uid_t uid, bool is_other, struct mono_time now);

#endif
