/*
 * engine-sign - checkpoints that the engine makes by itself; see engine.h.
 *
 * A checkpoint is a record of the trail whose detail is the signed note of all records before it. One ends a turn when
 * so many records have come since the one before, when rules or roles were changed, and when the registry was unlocked,
 * is about to be locked, or ends; and a timer makes one when nothing happens. While locked there is no key to sign
 * with.
 *
 * Behind each checkpoint an epoch ends, in a turn of its own, and the keys of its records are erased; while locked
 * after as many records as would have made a checkpoint due.
 */
#include <errno.h>

#include "engine/engine.h"
#include "model/options.h"

static bool is_due(const struct engine *e)
{
    const struct registry *r = e->registry;
    uint64_t since = trail_size(r->trail) - e->sign.size;
    return e->sign.is_wanted || e->has_unlocked || r->state.policy != e->sign.policy ||
           since >= (uint64_t)e->child->conf.v[OPTION_CHECKPOINT_RECORDS];
}

static int record_checkpoint(struct engine *e)
{
    struct trail_head tip;
    struct buf note;
    buf_init(&note, RECORD_TEXT_MAX_BYTES);
    int x = trail_tip(e->registry->trail, &tip);
    if (x == 0)
        x = registry_checkpoint(e->registry, &tip, &note);
    if (x == 0)
        x = engine_record_own(e, RECORD_CHECKPOINT, buf_view(&note));
    buf_fini(&note);
    return x < 0 ? registry_turn_fail(e->registry, x) : 0;
}

void engine_sign(struct engine *e)
{
    struct registry *r = e->registry;
    bool is_idle = trail_pending(r->trail) == 0 && !e->sign.is_wanted;
    e->sign.is_made = false;
    if (e->sign.is_epoch || registry_is_locked(r) || r->failed != 0 || is_idle ||
        trail_room(r->trail) < 2 * (size_t)RECORD_MAX_BYTES || !is_due(e))
        return;
    e->sign.is_made = record_checkpoint(e) == 0;
}

static void plan(struct engine *e)
{
    int64_t wait_us = e->child->conf.v[OPTION_CHECKPOINT_MS] * US_PER_MS;
    struct mono_time at = clock_mono_add(loop_now(e->child->loop), wait_us);
    if (loop_timer_set(e->child->loop, &e->sign_timer, at) < 0)
        proc_child_fail(e->child, RAISE(-ENOMEM), "cannot plan the next checkpoint");
}

void engine_plan_sign(struct engine *e)
{
    if (!registry_is_locked(e->registry))
        plan(e);
}

bool engine_begin_epoch(struct engine *e)
{
    struct trail *trail = e->registry->trail;
    uint64_t count = trail_epoch_count(trail), records = (uint64_t)e->child->conf.v[OPTION_CHECKPOINT_RECORDS];
    bool is_due = e->sign.ends_epoch || count > MIN_OF(records, (uint64_t)EPOCH_MAX_COUNT / 2);
    if (e->sign.is_epoch || e->is_full || !is_due)
        return false;
    struct record r = registry_own(RECORD_EPOCH);
    e->sign.is_epoch = true;
    int x = registry_begin_epoch(e->registry, &r);
    assert(x <= 0); /* a fault is the turn's, and said at its end */
    return true;
}

void engine_signed(struct engine *e, bool is_committed)
{
    if (e->sign.is_epoch) {
        e->sign.is_epoch = false;
        e->sign.size += is_committed && e->sign.ends_epoch; /* it belongs to the checkpoint */
        e->sign.ends_epoch = !is_committed;
        return;
    }
    e->sign.ends_epoch = e->sign.ends_epoch || (is_committed && e->sign.is_made);
    if (registry_is_locked(e->registry)) {
        loop_timer_cancel(&e->sign_timer);
        e->sign.is_wanted = false;
        return;
    }
    if (!is_committed || !e->sign.is_made)
        return; /* what was due still is */
    e->sign.size = trail_size(e->registry->trail);
    e->sign.policy = e->registry->state.policy;
    e->sign.is_wanted = false;
    plan(e);
}

void engine_on_sign(struct loop_timer *timer)
{
    struct engine *e = CONTAINER_OF(timer, struct engine, sign_timer);
    e->turn_wall = clock_wall_now();
    e->sign.is_wanted = true; /* the turn that ends now makes it */
    plan(e);                  /* again if that fails */
}
