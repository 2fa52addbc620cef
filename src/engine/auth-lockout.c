/* auth-lockout - see auth-lockout.h. */
#include "engine/auth-lockout.h"

#include <string.h>

static struct lockout_bucket *find(const struct lockout *l, uid_t uid, bool is_other)
{
    for (size_t i = 0; i < LOCKOUT_BUCKETS_MAX_COUNT; i++) {
        const struct lockout_bucket *b = &l->buckets[i];
        if (b->is_used && b->uid == uid && b->is_other == is_other)
            return (struct lockout_bucket *)(uintptr_t)b;
    }
    return NULL;
}

/* What has passed does not count any more; an empty bucket is free. */
static void age(struct lockout_bucket *b, const struct lockout_limits *limits, struct mono_time now)
{
    unsigned gone = 0;
    assert(b->is_used && b->failures <= LOCKOUT_FAILURES_MAX_COUNT);
    if (b->is_locked && clock_mono_passed(now, b->until)) {
        b->is_locked = false;
        b->failures = 0;
    }
    while (!b->is_locked && gone < b->failures &&
           clock_mono_passed(now, clock_mono_add(b->times[gone], limits->window_us)))
        gone++;
    b->failures -= gone;
    memmove(b->times, b->times + gone, b->failures * sizeof b->times[0]);
    b->is_used = b->is_locked || b->failures > 0 || b->under_way > 0;
}

/*
 * A free bucket, or the one whose loss matters least: not locked before locked, fewer failures before more, then the
 * oldest. Who wants its own bucket forgotten would have to fail as often for every other uid of the table.
 */
static bool matters_less(const struct lockout_bucket *a, const struct lockout_bucket *b)
{
    if (a->is_locked != b->is_locked)
        return b->is_locked;
    if (a->failures != b->failures)
        return a->failures < b->failures;
    return a->failures > 0 && a->times[a->failures - 1].us < b->times[b->failures - 1].us;
}

static struct lockout_bucket *make(struct lockout *l, const struct lockout_limits *limits, uid_t uid, bool is_other,
                                   struct mono_time now)
{
    struct lockout_bucket *least = NULL;
    for (size_t i = 0; i < LOCKOUT_BUCKETS_MAX_COUNT; i++) {
        struct lockout_bucket *b = &l->buckets[i];
        if (b->is_used)
            age(b, limits, now);
        if (!b->is_used) {
            least = b;
            break;
        }
        if (b->under_way == 0 && (least == NULL || matters_less(b, least)))
            least = b;
    }
    if (least != NULL)
        *least = (struct lockout_bucket){.uid = uid, .is_used = true, .is_other = is_other};
    return least;
}

int lockout_begin(struct lockout *l, const struct lockout_limits *limits, uid_t uid, bool is_other,
                  struct mono_time now)
{
    assert(limits->failures_count >= 1 && limits->failures_count <= LOCKOUT_FAILURES_MAX_COUNT);
    struct lockout_bucket *b = find(l, uid, is_other);
    if (b != NULL)
        age(b, limits, now);
    if (b == NULL || !b->is_used)
        b = make(l, limits, uid, is_other, now);
    if (b == NULL)
        return LOCKOUT_FULL;
    if (b->is_locked || b->failures + b->under_way >= limits->failures_count)
        return LOCKOUT_LOCKED;
    b->under_way++;
    return 0;
}

static void note_failure(struct lockout_bucket *b, const struct lockout_limits *limits, struct mono_time now)
{
    if (b->is_locked)
        return; /* the limit was lowered while it was under way */
    if (b->failures == LOCKOUT_FAILURES_MAX_COUNT)
        memmove(b->times, b->times + 1, --b->failures * sizeof b->times[0]);
    b->times[b->failures++] = now;
    if (b->failures >= limits->failures_count) {
        b->is_locked = true;
        b->until = clock_mono_add(now, limits->lockout_us);
    }
}

void lockout_end(struct lockout *l, const struct lockout_limits *limits, uid_t uid, bool is_other, enum lockout_end how,
                 struct mono_time now)
{
    struct lockout_bucket *b = find(l, uid, is_other);
    assert(b != NULL && b->under_way > 0); /* it is not evicted while a login is under way */
    b->under_way--;
    age(b, limits, now);
    if (how == LOCKOUT_FAILED)
        note_failure(b, limits, now);
    else if (how == LOCKOUT_PASSED && !b->is_locked)
        b->failures = 0;
    b->is_used = b->is_locked || b->failures > 0 || b->under_way > 0;
}

int64_t lockout_wait_us(const struct lockout *l, uid_t uid, bool is_other, struct mono_time now)
{
    const struct lockout_bucket *b = find(l, uid, is_other);
    if (b == NULL || !b->is_locked || clock_mono_passed(now, b->until))
        return 0;
    return b->until.us - now.us;
}
