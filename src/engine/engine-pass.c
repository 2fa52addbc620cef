/*
 * engine-pass - what the engine does by itself while rows are brought under other keys; see engine.h.
 *
 * A timer makes steps: large ones while nobody asks for anything, small ones while somebody does or just did, so that
 * the wait they add stays below that of one sync. Each step is in its turn's transaction with a record of its own. A
 * turn that fails takes its step back; then the next one waits, longer each time, and does not share its turn with
 * requests.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "engine/engine.h"

enum { IDLE_ROWS_COUNT = 512, BUSY_ROWS_COUNT = 64, WAIT_SHIFT_MAX = 6 };
#define IDLE_PAUSE_US US_PER_MS
#define BUSY_PAUSE_US (5 * US_PER_MS)
#define BUSY_WITHIN_US (20 * US_PER_MS)

static const char *const pass_names[] = {
    [ROWS_PASS_NONE] = "none", [ROWS_PASS_REKEY] = "rekey", [ROWS_PASS_ROTATE] = "rotate"};

static bool is_due(const struct engine *e)
{
    return !registry_is_locked(e->registry) && e->registry->state.pass.kind != ROWS_PASS_NONE;
}

static void plan(struct engine *e, int64_t wait_us)
{
    if (loop_timer_set(e->child->loop, &e->pass_timer, clock_mono_add(loop_now(e->child->loop), wait_us)) < 0)
        proc_child_fail(e->child, RAISE(-ENOMEM), "cannot plan the pass over the rows");
}

void engine_plan_pass(struct engine *e)
{
    if (!is_due(e) || e->is_stopping)
        loop_timer_cancel(&e->pass_timer);
    else if (e->pass_timer.loop == NULL)
        plan(e, IDLE_PAUSE_US);
}

/* A client that asks one thing after the other is not there in every turn, and waits all the same. */
static bool is_asked(const struct engine *e)
{
    int64_t ago = clock_wall_now().us - e->turn_wall.us;
    return e->asked_count > 0 || (ago >= 0 && ago < BUSY_WITHIN_US);
}

/* Its actor is the daemon, whoever began the pass. */
static int record_step(struct engine *e, unsigned kind, const struct registry_step *step)
{
    char text[160] = "no rows left";
    int n = 0;
    struct record r = {.wall_us = clock_wall_now().us,
                       .mono_us = clock_mono_now().us,
                       .kind = kind == ROWS_PASS_REKEY ? RECORD_REKEY : RECORD_ROTATE,
                       .uid = (uint32_t)geteuid(),
                       .gid = (uint32_t)getegid(),
                       .pid = (uint32_t)getpid()};
    if (step->first <= step->last)
        n = snprintf(text, sizeof text, "rows %llu to %llu", (unsigned long long)step->first,
                     (unsigned long long)step->last);
    if (step->is_over)
        snprintf(text + n, sizeof text - (size_t)n, "%send: %llu rows written in all", n > 0 ? "; " : "",
                 (unsigned long long)step->count);
    r.detail = bytes_of_text(text);
    return registry_record(e->registry, &r, true);
}

static int make_step(struct engine *e, bool is_busy)
{
    struct registry *r = e->registry;
    struct registry_step step;
    unsigned kind = (unsigned)r->state.pass.kind;
    e->has_stepped = true;
    TRY(registry_pass_step(r, is_busy ? BUSY_ROWS_COUNT : IDLE_ROWS_COUNT, &step));
    TRY(record_step(e, kind, &step));
    if (step.is_over) {
        e->wants_scrub = true; /* what was under the old keys leaves the log too */
        LOG_INFO("%s: all rows are done, %llu were written", pass_names[kind], (unsigned long long)step.count);
    }
    return 0;
}

void engine_on_pass(struct loop_timer *timer)
{
    struct engine *e = CONTAINER_OF(timer, struct engine, pass_timer);
    bool is_busy = is_asked(e);
    if (!is_due(e) || e->is_stopping)
        return;
    bool waits = e->registry->failed != 0 || (e->step_failures > 0 && e->asked_count > 0) ||
                 (e->is_full && !clock_mono_passed(loop_now(e->child->loop), e->full_retry));
    int x = waits ? 0 : make_step(e, is_busy);
    if (x < 0)
        LOG_DEBUG("turn fails: %s", fault_text(x)); /* said once, with its origin, when the turn ends */
    plan(e, is_busy ? BUSY_PAUSE_US : waits ? US_PER_S / 10 : IDLE_PAUSE_US);
}

void engine_step_end(struct engine *e, bool is_committed)
{
    if (!e->has_stepped)
        return;
    e->has_stepped = false;
    e->step_failures = is_committed ? 0 : MIN_OF(e->step_failures + 1, (unsigned)WAIT_SHIFT_MAX);
    if (!is_committed && !e->is_stopping)
        plan(e, US_PER_S << (e->step_failures - 1));
}

int engine_put_pass(const struct engine *e, struct buf *doc)
{
    const struct rows_pass *pass = &e->registry->state.pass;
    TRY(doc_put_int(doc, "epoch", (int64_t)e->registry->state.epoch));
    TRY(doc_put_int(doc, "era", (int64_t)e->registry->state.era));
    if (pass->kind == ROWS_PASS_NONE)
        return 0;
    TRY(doc_key(doc, "pass"));
    TRY(doc_map_begin(doc));
    TRY(doc_put_text(doc, "kind", bytes_of_text(pass_names[pass->kind])));
    TRY(doc_put_int(doc, "done", (int64_t)pass->seen));
    TRY(doc_put_int(doc, "of", (int64_t)MAX_OF(pass->seen, e->registry->prune.rows_count)));
    TRY(doc_put_int(doc, "written", (int64_t)pass->count));
    return doc_map_end(doc);
}
