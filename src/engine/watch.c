/*
 * watch - the watches of an engine: their beginning and end, how much each may be told at a time, and the turn in which
 * they are told; see watch.h.
 *
 * Every wait has something that ends it: word that the client took what it was told, room in a front's channel (both
 * are events of the loop, and each turn ends here), or a timer.
 */
#include "engine/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "model/options.h"

struct bytes watch_path(const struct watch *w)
{
    return bytes_of(w->path, w->path_bytes);
}

/* ---- life ------------------------------------------------------------------------------------------------ */

static void on_timer(struct watches *s)
{
    s->has_work = true; /* the turn that the timer is of ends in watches_turn() */
}

static void on_idle(struct loop_timer *timer)
{
    on_timer(CONTAINER_OF(timer, struct watches, idle_timer));
}

static void on_retry(struct loop_timer *timer)
{
    on_timer(CONTAINER_OF(timer, struct watches, retry_timer));
}

int watches_new(struct engine *e)
{
    struct watches *s = calloc(1, sizeof *s);
    if (s == NULL)
        return RAISE(-ENOMEM);
    list_init(&s->all);
    list_init(&s->idle);
    watch_feed_init(&s->feed);
    s->changed_from = UINT64_MAX;
    loop_timer_init(&s->idle_timer, on_idle);
    loop_timer_init(&s->retry_timer, on_retry);
    e->watches = s;
    return 0;
}

static void drop(struct watches *s, struct watch *w)
{
    struct engine_user *user = w->conn->user;
    assert(s->count > 0 && user->watches > 0 && user->untaken_bytes >= w->untaken_bytes && w->conn->watch == w);
    w->conn->watch = NULL;
    user->watches--;
    user->untaken_bytes -= w->untaken_bytes;
    list_unlink(&w->link);
    list_unlink(&w->idle);
    free(w);
    if (--s->count == 0) {
        watch_feed_begin(&s->feed, 0);
        loop_timer_cancel(&s->idle_timer);
        loop_timer_cancel(&s->retry_timer);
    }
}

void watches_free(struct engine *e)
{
    struct watches *s = e->watches;
    if (s == NULL)
        return;
    LIST_EACH_SAFE(it, &s->all)
        drop(s, CONTAINER_OF(it, struct watch, link));
    watch_feed_fini(&s->feed);
    free(s);
    e->watches = NULL;
}

void watches_conn_closed(struct engine *e, struct engine_conn *conn)
{
    if (conn->watch == NULL)
        return;
    drop(e->watches, conn->watch);
    e->watches->has_work = true; /* others of the user may have waited for its share */
}

size_t watches_count(const struct engine *e)
{
    return e->watches->count;
}

static void plan_idle(const struct engine *e, struct watch *w)
{
    int64_t us = e->child->conf.v[OPTION_WATCH_IDLE_MS] * US_PER_MS;
    w->idle_at = clock_mono_add(loop_now(e->child->loop), us);
    list_unlink(&w->idle);
    list_append(&e->watches->idle, &w->idle);
}

void watches_reload(struct engine *e)
{
    LIST_EACH(it, &e->watches->all)
        plan_idle(e, CONTAINER_OF(it, struct watch, link));
    e->watches->has_work = true;
}

int watches_add(struct engine_req *q, uint64_t cursor, uint64_t revision)
{
    struct engine *e = q->engine;
    struct watches *s = e->watches;
    struct engine_user *user = q->conn->user;
    const int64_t *conf = e->child->conf.v;
    if (q->conn->watch != NULL || s->count + follows_count(e) >= (size_t)conf[OPTION_WATCHES] ||
        user->watches >= (size_t)conf[OPTION_WATCHES_PER_UID])
        return OUTCOME_LIMIT;
    struct watch *w = calloc(1, sizeof *w + q->m->path.n);
    if (w == NULL)
        return RAISE(-ENOMEM);
    if (s->count == 0) { /* nothing was kept while nobody watched */
        watch_feed_begin(&s->feed, trail_size(e->registry->trail));
        s->changed_from = UINT64_MAX;
        s->waits = 0;
    }
    w->conn = q->conn;
    w->request = q->m->request;
    w->has_values = (q->m->flags & PROTO_VALUES) != 0;
    w->is_fresh = true;
    w->now.cursor = cursor;
    w->since = w->now.revision = revision;
    w->was = w->now;
    w->path_bytes = q->m->path.n;
    memcpy(w->path, q->m->path.p, q->m->path.n);
    list_init(&w->link);
    list_init(&w->idle);
    list_append(&s->all, &w->link);
    plan_idle(e, w);
    q->conn->watch = w;
    s->count++;
    user->watches++;
    s->is_open = true;
    return 0;
}

/* ---- telling --------------------------------------------------------------------------------------------- */

unsigned watches_wait(const struct engine *e, const struct watch *w)
{
    size_t share = (size_t)e->child->conf.v[OPTION_BYTES_PER_UID] / WATCH_USER_PART;
    if (w->untaken_bytes >= WATCH_WINDOW_BYTES || w->conn->user->untaken_bytes >= share)
        return WATCH_CLIENT;
    if (engine_backlog(&e->fronts[w->conn->front]) >= ENGINE_BACKLOG_BYTES)
        return WATCH_FRONT;
    if (!w->has_values)
        return 0;
    if (e->is_full)
        return WATCH_STORAGE;
    return trail_room(e->registry->trail) < RECORD_MAX_BYTES + ENGINE_RECORD_ROOM_BYTES ? WATCH_TURN : 0;
}

int watches_tell(struct engine *e, struct watch *w, struct bytes doc, bool is_end)
{
    struct msg_event m = {.conn = w->conn->number, .request = w->request, .is_end = is_end, .body = doc};
    int x = msg_event_put(&e->fronts[w->conn->front].replies, PROTO_EVENT, &m);
    if (x < 0)
        return registry_turn_fail(e->registry, x);
    w->untaken_bytes += doc.n;
    w->told_bytes += doc.n;
    w->conn->user->untaken_bytes += doc.n;
    plan_idle(e, w);
    return 0;
}

static int put_state(const struct engine *e, const struct watch *w, const char *ended, struct buf *doc)
{
    TRY(doc_map_begin(doc));
    TRY(doc_put_int(doc, "revision", (int64_t)w->now.revision));
    if (ended != NULL) {
        TRY(doc_put_text(doc, "ended", bytes_of_text(ended)));
    } else {
        TRY(doc_put_bool(doc, "idle", true));
        TRY(doc_put_int(doc, "every_ms", e->child->conf.v[OPTION_WATCH_IDLE_MS]));
    }
    return doc_map_end(doc);
}

/* A line about the watch itself; ended: why it is the last one, NULL if it is not. 0 or a fault. */
static int tell_state(struct engine *e, struct watch *w, const char *ended)
{
    int x = put_state(e, w, ended, &e->doc);
    if (x == 0)
        x = watches_tell(e, w, buf_view(&e->doc), ended != NULL);
    buf_clear(&e->doc);
    w->is_over = w->is_over || ended != NULL;
    w->now.is_greeted = true;
    return x;
}

/* The refusal is recorded, as any other. While the storage takes nothing it is only counted. */
static int end_refused(struct engine *e, struct watch *w)
{
    struct engine_req q;
    struct msg_request m;
    if (e->is_full) {
        e->unrecorded++;
    } else {
        watch_begin(&q, e, w, PROTO_OP_WATCH, &m);
        q.record.outcome = OUTCOME_REFUSED;
        q.record.detail = BYTES_LITERAL("ended");
        TRY(registry_record(e->registry, &q.record, false));
    }
    return tell_state(e, w, outcome_code(OUTCOME_REFUSED));
}

/* Goes on with one watch. Returns 0, what it has to wait for, or a fault. */
static int serve(struct engine *e, struct watch *w)
{
    if (!w->now.is_greeted)
        TRY(tell_state(e, w, NULL));
    uint64_t end = trail_size(e->registry->trail) - trail_pending(e->registry->trail);
    if (w->now.cursor >= end)
        return 0;
    if (w->now.cursor < trail_first(e->registry->trail))
        return tell_state(e, w, outcome_code(OUTCOME_GONE));
    int x = (int)watches_wait(e, w); /* before the trail is read for nothing */
    if (x == 0)
        x = watch_tell_changes(e, w);
    if (x >= 0 || e->registry->failed != 0)
        return x;
    /* what was made of the records so far stays told; who comes back begins behind it */
    LOG_ERROR("a watch cannot go on: %s", fault_text(x));
    return tell_state(e, w, outcome_code(x == FAULT_CORRUPT ? OUTCOME_CORRUPT : OUTCOME_INTERNAL));
}

static int serve_all(struct engine *e)
{
    struct watches *s = e->watches;
    s->waits = 0;
    s->scan_left = WATCH_SCAN_COUNT;
    for (size_t left = s->count; left > 0; left--) {
        struct watch *w = CONTAINER_OF(s->all.next, struct watch, link);
        int x = w->is_over ? 0 : serve(e, w);
        if (x < 0)
            return x;
        list_unlink(&w->link);
        list_append(&s->all, &w->link);
        s->waits |= (unsigned)x;
    }
    return 0;
}

/* Rights may also change with time, and with nothing that happens in the tree: looked at when a watch was idle. */
static int tell_idle(struct engine *e)
{
    struct watches *s = e->watches;
    struct mono_time now = loop_now(e->child->loop);
    for (size_t left = s->count; left > 0; left--) {
        struct watch *w = CONTAINER_OF(s->idle.next, struct watch, idle);
        if (!clock_mono_passed(now, w->idle_at))
            break;
        plan_idle(e, w);
        if (w->is_over)
            continue;
        if (!watch_may_go_on(e, w))
            TRY(end_refused(e, w));
        else if (w->untaken_bytes < WATCH_WINDOW_BYTES && !w->now.is_inside)
            TRY(tell_state(e, w, NULL));
    }
    return 0;
}

static int check_rights(struct engine *e)
{
    LIST_EACH(it, &e->watches->all) {
        struct watch *w = CONTAINER_OF(it, struct watch, link);
        if (!w->is_over && !watch_may_go_on(e, w))
            TRY(end_refused(e, w));
    }
    return 0;
}

static int end_all(struct engine *e, const char *why)
{
    LIST_EACH(it, &e->watches->all) {
        struct watch *w = CONTAINER_OF(it, struct watch, link);
        if (!w->is_over)
            TRY(tell_state(e, w, why));
    }
    return 0;
}

/* ---- the turn -------------------------------------------------------------------------------------------- */

/* Takes back what was told in a turn that was not committed. */
static void take_back(struct watch *w)
{
    w->now = w->was;
    w->is_over = false;
    w->untaken_bytes -= w->told_bytes;
    w->conn->user->untaken_bytes -= w->told_bytes;
    w->told_bytes = 0;
}

static void settle(struct watches *s, struct watch *w, bool is_committed)
{
    if (w->is_fresh && !is_committed) {
        drop(s, w);
        return;
    }
    w->is_fresh = false;
    if (!is_committed)
        take_back(w);
    if (w->is_over) {
        drop(s, w);
        return;
    }
    w->was = w->now;
    w->told_bytes = 0;
}

void watches_settle(struct engine *e, bool is_committed, bool had_changes, uint64_t first)
{
    struct watches *s = e->watches;
    if (s->count == 0)
        return;
    if (had_changes && is_committed) {
        s->changed_from = MIN_OF(s->changed_from, first);
        s->has_work = true;
    }
    if (!s->is_open)
        return;
    s->is_open = false;
    s->has_work = s->has_work || !s->is_telling || !is_committed;
    LIST_EACH_SAFE(it, &s->all)
        settle(s, CONTAINER_OF(it, struct watch, link), is_committed);
}

/* New changes come into the feed. Returns 0 or a fault. */
static int take_changes(struct engine *e, bool *ret_other)
{
    struct watches *s = e->watches;
    uint64_t first = s->changed_from;
    s->changed_from = UINT64_MAX;
    if (first == UINT64_MAX)
        return 0;
    return watch_feed_take(&s->feed, e->registry->trail, MAX_OF(first, s->feed.first), ret_other);
}

static int tell(struct engine *e)
{
    const struct watches *s = e->watches;
    bool has_other = false;
    if (e->is_stopping)
        return end_all(e, "stopping");
    if (registry_is_locked(e->registry))
        return end_all(e, outcome_code(OUTCOME_LOCKED));
    bool tries = (s->waits & WATCH_STORAGE) != 0 && clock_mono_passed(loop_now(e->child->loop), e->full_retry);
    if (e->is_full && tries)
        e->is_full = false; /* as a request would: a turn that fails for the same reason sets it anew */
    TRY(engine_note_recovery(e));
    int x = take_changes(e, &has_other);
    if (x < 0)
        LOG_ERROR("the changes of a turn cannot be read again: %s", fault_text(x)); /* each watch reads the trail */
    if (has_other || x < 0)
        TRY(check_rights(e));
    TRY(serve_all(e));
    return tell_idle(e);
}

static int plan(struct engine *e, bool is_committed)
{
    struct watches *s = e->watches;
    struct loop *loop = e->child->loop;
    if (s->count == 0)
        return 0;
    /* once the storage is known to take nothing, what needs no record is told without delay */
    if ((s->waits & WATCH_TURN) != 0 || (!is_committed && e->is_full))
        TRY(loop_timer_set(loop, &s->retry_timer, loop_now(loop)));
    else if ((s->waits & WATCH_STORAGE) != 0)
        TRY(loop_timer_set(loop, &s->retry_timer, e->full_retry));
    const struct watch *w = CONTAINER_OF(s->idle.next, struct watch, idle);
    return loop_timer_set(loop, &s->idle_timer, w->idle_at);
}

void watches_turn(struct engine *e)
{
    struct watches *s = e->watches;
    bool is_due = s->has_work || (s->waits & WATCH_FRONT) != 0 || e->is_stopping || registry_is_locked(e->registry);
    if (s->count == 0 || !is_due)
        return;
    s->has_work = false;
    s->is_open = s->is_telling = true;
    e->turn_wall = clock_wall_now();
    int x = tell(e);
    if (x < 0 && e->registry->failed == 0)
        x = registry_turn_fail(e->registry, x);
    bool is_committed = engine_turn_end(e) == 0;
    s->is_telling = false;
    x = plan(e, is_committed);
    if (x < 0)
        proc_child_fail(e->child, x, "cannot plan what watches are told");
}

int watches_taken(struct engine *e, struct engine_conn *conn, uint32_t bytes)
{
    struct watch *w = conn->watch;
    if (w == NULL)
        return 0;
    if (bytes > w->untaken_bytes - w->told_bytes)
        return RAISE(FAULT_PROTOCOL);
    w->untaken_bytes -= bytes;
    conn->user->untaken_bytes -= bytes;
    e->watches->has_work = true;
    return 0;
}
