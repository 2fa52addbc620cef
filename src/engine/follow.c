/* follow - see follow.h: beginning and end of a follow, and what it is told. */
#include "engine/follow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/watch.h"
#include "model/options.h"

static void on_timer(struct loop_timer *timer)
{
    (void)timer; /* the turn that it is of ends in follows_turn() */
}

int follows_new(struct engine *e)
{
    struct follows *s = calloc(1, sizeof *s);
    if (s == NULL)
        return RAISE(-ENOMEM);
    list_init(&s->all);
    loop_timer_init(&s->timer, on_timer);
    e->follows = s;
    return 0;
}

static void drop(struct follows *s, struct follow *f)
{
    struct engine_user *user = f->conn->user;
    assert(s->count > 0 && user->watches > 0 && user->untaken_bytes >= f->untaken_bytes);
    user->watches--;
    user->untaken_bytes -= f->untaken_bytes;
    f->conn->follow = NULL;
    list_unlink(&f->link);
    free(f);
    if (--s->count == 0)
        loop_timer_cancel(&s->timer);
}

void follows_free(struct engine *e)
{
    struct follows *s = e->follows;
    if (s == NULL)
        return;
    LIST_EACH_SAFE(it, &s->all)
        drop(s, CONTAINER_OF(it, struct follow, link));
    free(s);
    e->follows = NULL;
}

void follows_conn_closed(struct engine *e, struct engine_conn *conn)
{
    if (conn->follow != NULL)
        drop(e->follows, conn->follow);
}

size_t follows_count(const struct engine *e)
{
    return e->follows->count;
}

int follows_taken(struct follow *f, uint32_t bytes)
{
    if (bytes > f->untaken_bytes)
        return RAISE(FAULT_PROTOCOL);
    f->untaken_bytes -= bytes;
    f->conn->user->untaken_bytes -= bytes;
    return 0;
}

int op_follow(struct engine_req *q)
{
    static char detail[48]; /* outlives this call: the record is written after it */
    struct engine *e = q->engine;
    struct follows *s = e->follows;
    struct engine_user *user = q->conn->user;
    const int64_t *conf = e->child->conf.v;
    snprintf(detail, sizeof detail, "follow from %llu", (unsigned long long)q->m->match);
    q->record.detail = bytes_of_text(detail);
    if (!engine_may_audit(q))
        return OUTCOME_REFUSED;
    if (q->m->match > trail_size(e->registry->trail) - trail_pending(e->registry->trail)) {
        q->reply.detail = BYTES_LITERAL("the trail has not been that long: it is another one, or an older copy");
        return OUTCOME_GONE;
    }
    if (e->is_stopping)
        return OUTCOME_UNAVAILABLE;
    if (q->conn->watch != NULL || q->conn->follow != NULL ||
        s->count + watches_count(e) >= (size_t)conf[OPTION_WATCHES] ||
        user->watches >= (size_t)conf[OPTION_WATCHES_PER_UID])
        return OUTCOME_LIMIT;
    struct follow *f = calloc(1, sizeof *f);
    if (f == NULL)
        return RAISE(-ENOMEM);
    *f = (struct follow){.conn = q->conn, .request = q->m->request, .next = q->m->match, .is_fresh = true};
    list_init(&f->link);
    list_append(&s->all, &f->link);
    q->conn->follow = f;
    s->count++;
    user->watches++;
    q->reply.shape = PROTO_STREAM;
    return 0;
}

void follows_settle(struct engine *e, bool is_committed)
{
    LIST_EACH_SAFE(it, &e->follows->all) {
        struct follow *f = CONTAINER_OF(it, struct follow, link);
        if (f->is_fresh && !is_committed)
            drop(e->follows, f);
        else
            f->is_fresh = false;
    }
}

/* ---- telling --------------------------------------------------------------------------------------------- */

struct line {
    struct buf records;  /* as GET /v1/audit?raw gives them */
    uint64_t first, end; /* first: the one that is there, if others were pruned */
    uint64_t next;
};

static int on_record(uint64_t seq, struct bytes record, void *arg)
{
    struct line *l = arg;
    uint8_t head[4];
    size_t held = buf_size(&l->records);
    bytes_put_u32(head, (uint32_t)record.n);
    if (seq >= l->end || (held > 0 && held + record.n + sizeof head > FOLLOW_LINE_BYTES))
        return TRAIL_ENOUGH;
    l->first = held == 0 ? seq : l->first;
    TRY(buf_append(&l->records, BYTES_OF(head)));
    TRY(buf_append(&l->records, record));
    l->next = seq + 1;
    return 0;
}

/* Straight into the channel: it is of no turn. */
static int tell(struct engine *e, struct follow *f, struct bytes doc, bool is_end)
{
    struct msg_event m = {.conn = f->conn->number, .request = f->request, .is_end = is_end, .body = doc};
    TRY(msg_event_put(&e->fronts[f->conn->front].chan.out, PROTO_EVENT, &m));
    f->untaken_bytes += doc.n;
    f->conn->user->untaken_bytes += doc.n;
    f->told_at = loop_now(e->child->loop);
    f->is_greeted = true;
    f->is_over = is_end;
    return 0;
}

/* What stands for the records that are not there. */
static int put_base(struct engine *e)
{
    struct buf base;
    buf_init(&base, PRUNE_BASE_MAX_BYTES);
    int r = prune_put_base(&base, e->registry->trail);
    if (r == 0)
        r = doc_key(&e->doc, "base");
    if (r == 0)
        r = doc_blob(&e->doc, buf_view(&base));
    buf_fini(&base);
    return r;
}

static int put_records(struct engine *e, struct follow *f, struct line *l)
{
    TRY(trail_read(e->registry->trail, f->next, false, on_record, l));
    TRY(doc_map_begin(&e->doc));
    TRY(doc_put_int(&e->doc, "first", (int64_t)l->first));
    TRY(doc_put_int(&e->doc, "next", (int64_t)l->next));
    if (l->first > f->next)
        TRY(put_base(e));
    TRY(doc_key(&e->doc, "records"));
    TRY(doc_blob(&e->doc, buf_view(&l->records)));
    TRY(doc_map_end(&e->doc));
    TRY(tell(e, f, buf_view(&e->doc), false));
    f->next = l->next;
    return 0;
}

static int tell_records(struct engine *e, struct follow *f, uint64_t end)
{
    struct line l = {.end = end, .next = f->next};
    buf_init(&l.records, FOLLOW_LINE_BYTES + RECORD_MAX_BYTES);
    int r = put_records(e, f, &l);
    buf_fini(&l.records);
    buf_clear(&e->doc);
    return r;
}

/* A line about the follow itself. ended: why it is the last one; NULL: it is not. */
static int tell_state(struct engine *e, struct follow *f, const char *ended)
{
    int r = doc_map_begin(&e->doc);
    if (r == 0)
        r = doc_put_int(&e->doc, "next", (int64_t)f->next);
    if (r == 0 && ended != NULL)
        r = doc_put_text(&e->doc, "ended", bytes_of_text(ended));
    if (r == 0 && ended == NULL)
        r = doc_put_int(&e->doc, "end", (int64_t)trail_kept(e->registry->trail));
    if (r == 0 && ended == NULL)
        r = doc_put_int(&e->doc, "every_ms", e->child->conf.v[OPTION_WATCH_IDLE_MS]);
    if (r == 0)
        r = doc_map_end(&e->doc);
    if (r == 0)
        r = tell(e, f, buf_view(&e->doc), ended != NULL);
    buf_clear(&e->doc);
    return r;
}

static bool may_go_on(struct engine *e, const struct follow *f)
{
    struct msg_request m = {.conn = f->conn->number, .request = f->request};
    struct engine_req q = {.engine = e, .conn = f->conn, .m = &m};
    engine_begin(&q, engine_op_find(PROTO_OP_FOLLOW));
    return engine_may_audit(&q);
}

static bool has_room(const struct engine *e, const struct follow *f)
{
    size_t share = (size_t)e->child->conf.v[OPTION_BYTES_PER_UID] / WATCH_USER_PART;
    return f->untaken_bytes < FOLLOW_WINDOW_BYTES && f->conn->user->untaken_bytes < share &&
           engine_backlog(&e->fronts[f->conn->front]) < ENGINE_BACKLOG_BYTES;
}

/* Returns 0 or a fault. wake: not later than this it is to be looked at again, though nothing happens. */
static int serve(struct engine *e, struct follow *f, struct mono_time *wake)
{
    uint64_t end = trail_kept(e->registry->trail);
    struct mono_time now = loop_now(e->child->loop), pause = clock_mono_add(f->told_at, FOLLOW_PAUSE_US);
    struct mono_time idle = clock_mono_add(f->told_at, e->child->conf.v[OPTION_WATCH_IDLE_MS] * US_PER_MS);
    bool is_due = f->next < end && (clock_mono_passed(now, pause) || end - f->next >= FOLLOW_MANY_COUNT);
    bool is_idle = !f->is_greeted || clock_mono_passed(now, idle);
    if (!has_room(e, f))
        return 0; /* the client takes something, or a front does: both are events */
    if (is_due || is_idle) {
        if (!may_go_on(e, f))
            return tell_state(e, f, outcome_code(OUTCOME_REFUSED));
        if (!f->is_greeted || !is_due)
            TRY(tell_state(e, f, NULL));
        while (is_due && f->next < end && has_room(e, f))
            TRY(tell_records(e, f, end));
        return serve(e, f, wake);
    }
    struct mono_time at = f->next < end ? pause : idle;
    wake->us = MIN_OF(wake->us, at.us);
    return 0;
}

/* A last line that says why, if even that can be said. */
static void give_up(struct engine *e, struct follow *f, int fault)
{
    proc_log_fault(fault, "a follow cannot go on");
    int r = tell_state(e, f, outcome_code(fault == FAULT_CORRUPT ? OUTCOME_CORRUPT : OUTCOME_INTERNAL));
    if (r < 0)
        proc_child_fail(e->child, r, "cannot answer a front");
}

void follows_turn(struct engine *e)
{
    struct follows *s = e->follows;
    struct mono_time wake = {INT64_MAX};
    if (s->count == 0)
        return;
    e->turn_wall = clock_wall_now(); /* what rights with conditions are judged by */
    LIST_EACH_SAFE(it, &s->all) {
        struct follow *f = CONTAINER_OF(it, struct follow, link);
        int r = e->is_stopping ? tell_state(e, f, "stopping") : serve(e, f, &wake);
        if (r < 0)
            give_up(e, f, r);
        if (f->is_over)
            drop(s, f);
    }
    if (wake.us != INT64_MAX && loop_timer_set(e->child->loop, &s->timer, wake) < 0)
        proc_child_fail(e->child, RAISE(-ENOMEM), "cannot plan what followers are told");
}
