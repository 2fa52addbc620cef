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
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/engine.h"
#include "model/path.h"

enum {
    SWEEP_TURN_COUNT = 1024, /* deletions before the turn is committed on the way */
    SWEEP_RULES_COUNT = 16,  /* rules that are removed at once: each is looked for among all */
};
#define SWEEP_LOOK_US (60 * US_PER_S)

static struct record own_record(const struct engine *e, enum record_kind kind)
{
    return (struct record){.wall_us = e->turn_wall.us,
                           .mono_us = clock_mono_now().us,
                           .kind = (uint16_t)kind,
                           .uid = (uint32_t)geteuid(),
                           .gid = (uint32_t)getegid(),
                           .pid = (uint32_t)getpid()};
}

static int expire(struct engine *e, struct node *n)
{
    uint8_t storage[PATH_MAX_BYTES];
    struct registry_done done;
    struct registry_actor actor = {
        .uid = (uint32_t)geteuid(), .now_us = e->turn_wall.us, .reason = BYTES_LITERAL("expired")};
    struct record record = own_record(e, RECORD_EXPIRE);
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

/* Allows that hold never again: they do no harm, but who looks at the rules must not think that they are in force. */
static int end_rules(struct engine *e)
{
    uint8_t storage[PATH_MAX_BYTES];
    struct buf text;
    uint64_t id;
    struct bytes path;
    int x = 0;
    if (e->registry->rules_due_us == 0 || e->registry->rules_due_us > e->turn_wall.us)
        return 0;
    buf_init(&text, RECORD_TEXT_MAX_BYTES);
    for (int i = 0; x == 0 && i < SWEEP_RULES_COUNT; i++) {
        buf_clear(&text);
        x = buf_append_text(&text, "allow ");
        if (x == 0)
            x = registry_ended_rule(e->registry, e->turn_wall.us, &id, &text);
        if (x != 0 || id == 0)
            break;
        struct record record = own_record(e, RECORD_ACL_EXPIRE);
        record.detail = buf_view(&text);
        record.rule = id;
        x = registry_rule_path(e->registry, id, storage, &path);
        record.path = x == 0 ? path : BYTES_NONE;
        if (x == 0)
            x = registry_rule_remove(e->registry, id);
        assert(x <= 0); /* it was there a moment ago, and no guard needs it */
        if (x == 0)
            x = registry_record(e->registry, &record, true);
    }
    buf_fini(&text);
    return x;
}

/* Requests that nobody approved in time. */
static int end_approvals(struct engine *e)
{
    uint8_t storage[PATH_MAX_BYTES];
    char text[64];
    struct registry_approval a;
    for (;;) {
        TRY(registry_ended_approval(e->registry, e->turn_wall.us, storage, &a));
        if (a.id == 0)
            return 0;
        struct record record = own_record(e, RECORD_LAPSE);
        snprintf(text, sizeof text, "approval %llu of uid:%u", (unsigned long long)a.id, a.uid);
        record.path = a.path;
        record.detail = bytes_of_text(text);
        int x = registry_approval_remove(e->registry, a.id);
        assert(x <= 0); /* it was there a moment ago */
        TRY(x);
        TRY(registry_record(e->registry, &record, true));
    }
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
    TRY(end_rules(e));
    return end_approvals(e);
}

void engine_plan_sweep(struct engine *e)
{
    const int64_t dues[] = {registry_next_due(e->registry), e->registry->rules_due_us, e->registry->approvals_due_us};
    int64_t due = 0;
    for (size_t i = 0; i < COUNT_OF(dues) && !registry_is_locked(e->registry); i++)
        due = dues[i] != 0 && (due == 0 || dues[i] < due) ? dues[i] : due;
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
