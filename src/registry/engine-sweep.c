/*
 * engine-sweep - what the engine does by itself in a turn: entries that have expired go, and the log is overwritten
 * after a value was destroyed; see engine.h.
 *
 * Before each request is decided, every entry whose time has come is deleted, with a record of its own whose actor is
 * the daemon. So no request sees an entry past its end, and a timer does the same when nobody asks. The end is a time
 * of the wall clock: it must mean the same after a restart. A clock that was set back lets an entry live longer; the
 * timer looks at least once a minute, for a clock that was set forward.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "registry/engine.h"
#include "registry/path.h"

enum { SWEEP_TURN_COUNT = 1024 /* deletions before the turn is committed on the way */ };
#define SWEEP_LOOK_US (60 * US_PER_S)

static int expire(struct engine *e, struct node *n)
{
    uint8_t storage[PATH_MAX_BYTES];
    struct registry_done done;
    struct registry_actor actor = {
        .uid = (uint32_t)geteuid(), .now_us = e->turn_wall.us, .reason = BYTES_LITERAL("expired")};
    struct record record = {.wall_us = e->turn_wall.us,
                            .mono_us = clock_mono_now().us,
                            .kind = RECORD_EXPIRE,
                            .uid = (uint32_t)geteuid(),
                            .gid = (uint32_t)getegid(),
                            .pid = (uint32_t)getpid()};
    record.path = node_path(n, storage);
    int x = registry_delete(e->registry, n, &actor, &done);
    assert(x <= 0); /* it is live and not damaged: else it would not be due */
    TRY(x);
    record.version_before = done.version_before;
    record.version_after = done.version_after;
    record.commitment.n = RECORD_HASH_BYTES;
    memcpy(record.commitment.h, done.commitment, RECORD_HASH_BYTES);
    return registry_record(e->registry, &record, true);
}

int engine_sweep(struct engine *e)
{
    struct node *n;
    size_t count = 0;
    if (registry_is_locked(e->registry) || e->registry->failed != 0)
        return 0;
    if (e->is_full && !clock_mono_passed(loop_now(e->child->loop), e->full_retry))
        return 0;
    while ((n = registry_due(e->registry, e->turn_wall.us)) != NULL) {
        if (++count % SWEEP_TURN_COUNT == 0)
            engine_turn_end(e);
        TRY(expire(e, n));
    }
    return 0;
}

void engine_plan_sweep(struct engine *e)
{
    int64_t due = registry_next_due(e->registry);
    int64_t wait = due - clock_wall_now().us;
    if (due == 0) {
        loop_timer_cancel(&e->sweep_timer);
        return;
    }
    wait = wait < 0 ? 0 : wait;
    if (e->is_full)
        wait = US_PER_S;
    struct mono_time at = clock_mono_add(loop_now(e->child->loop), MIN_OF(wait, SWEEP_LOOK_US));
    if (loop_timer_set(e->child->loop, &e->sweep_timer, at) < 0)
        proc_child_fail(e->child, RAISE(-ENOMEM), "cannot plan for entries that expire");
}

void engine_on_sweep(struct loop_timer *timer)
{
    struct engine *e = CONTAINER_OF(timer, struct engine, sweep_timer);
    e->turn_wall = clock_wall_now();
    int x = engine_sweep(e); /* a fault fails the turn, which says it */
    if (x == 0)
        engine_plan_sweep(e);
}

void engine_scrub(struct engine *e)
{
    if (!e->wants_scrub)
        return;
    e->wants_scrub = false;
    engine_end_backup(
        e); /* what was destroyed has to go now, and from the file too: who takes the backup begins again */
    int x = registry_scrub(e->registry);
    if (x < 0)
        proc_child_fail(e->child, x, "the log may still hold a value that was destroyed");
}
