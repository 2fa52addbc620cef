/* engine - start, turn, fronts and stop of the engine role; see engine.h. */
#include "engine/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "engine/role.h"
#include "model/options.h"
#include "model/roles.h"
#include "os/file.h"

#define FULL_PAUSE_US US_PER_S
#define DRAIN_LIMIT_US (5 * US_PER_S)

/* ---- the turn -------------------------------------------------------------------------------------------- */

int engine_put_reply(struct engine *e, unsigned front, const struct msg_reply *reply, bool is_sure)
{
    struct engine_front *f = &e->fronts[front];
    int r = msg_reply_put(is_sure ? &f->sure : &f->replies, PROTO_REPLY, reply);
    return r < 0 ? registry_turn_fail(e->registry, r) : 0;
}

int engine_record_own(struct engine *e, enum record_kind kind, struct bytes detail)
{
    struct record r = registry_own(kind);
    r.detail = detail;
    return registry_record(e->registry, &r, false);
}

static unsigned outcome_of_fault(int fault)
{
    switch (fault) {
    case FAULT_FULL:
        return OUTCOME_FULL;
    case FAULT_CORRUPT:
        return OUTCOME_CORRUPT;
    default:
        return OUTCOME_INTERNAL;
    }
}

/*
 * The turn was rolled back: nothing that was prepared may leave; every request of it is told why. Only what goes on
 * while the storage is full keeps its replies then: they say what was committed before.
 */
static void answer_failure(struct engine *e, int fault)
{
    struct msg_reply reply = {.outcome = (uint16_t)outcome_of_fault(fault)};
    bool keeps_sure = fault == FAULT_FULL;
    for (size_t i = 0; i < e->fronts_count; i++) {
        buf_clear(&e->fronts[i].replies);
        if (!keeps_sure)
            buf_clear(&e->fronts[i].sure);
    }
    for (size_t i = 0; i < e->asked_count; i++) {
        if (keeps_sure && e->asked[i].is_sure)
            continue;
        reply.conn = e->asked[i].conn;
        reply.request = e->asked[i].request;
        if (msg_reply_put(&e->fronts[e->asked[i].front].replies, PROTO_REPLY, &reply) < 0)
            proc_child_fail(e->child, RAISE(-ENOMEM), "cannot answer");
    }
}

static void on_failed_turn(struct engine *e, int fault)
{
    if (fault == FAULT_SYNC || fault == FAULT_GONE) {
        /* final: what the kernel still holds, or somebody put in its place, only a fresh start knows */
        proc_child_fail(e->child, fault, "what was written may be lost; nothing is answered any more");
        for (size_t i = 0; i < e->fronts_count; i++) {
            buf_clear(&e->fronts[i].replies);
            buf_clear(&e->fronts[i].sure);
        }
        return;
    }
    proc_log_fault(fault, "a turn was rolled back");
    e->unrecorded += e->noted; /* the record that stated them was taken back as well */
    e->is_full_told = e->is_full_told || e->tells_recovery;
    if (fault == FAULT_FULL) {
        engine_end_backup(e); /* it keeps the log from being folded */
        registry_relieve(e->registry);
        e->is_full = true;
        e->full_retry = clock_mono_add(loop_now(e->child->loop), FULL_PAUSE_US);
        for (size_t i = 0; i < e->asked_count; i++)
            e->unrecorded += engine_op_find(e->asked[i].op)->kind != 0;
    }
    if (e->has_unlocked) {
        int r = registry_lock(e->registry); /* unlocking could not be recorded: it did not take place */
        if (r < 0)
            proc_child_fail(e->child, r, "cannot lock again");
        logins_on_lock(e);
    }
    answer_failure(e, fault);
}

/* When the records of reads are made durable: after a while, or at once if reserved numbers run out. */
static void plan_sync(struct engine *e, bool is_synced)
{
    bool is_urgent = registry_wants_sync(e->registry);
    int64_t ms = is_urgent ? 0 : e->child->conf.v[OPTION_READ_SYNC_MS];
    if (is_synced && !is_urgent) {
        e->is_sync_due = false;
        loop_timer_cancel(&e->sync_timer);
    } else if (!e->is_sync_due || is_urgent) {
        struct mono_time at = clock_mono_add(loop_now(e->child->loop), ms * US_PER_MS);
        e->is_sync_due = true;
        int r = loop_timer_set(e->child->loop, &e->sync_timer, at);
        if (r < 0)
            proc_child_fail(e->child, r, "cannot plan a sync");
    }
}

size_t engine_backlog(const struct engine_front *f)
{
    return buf_size(&f->replies) + buf_size(&f->sure) + buf_size(&f->chan.out);
}

/* What a turn has decided is on its way: no later turn that fails may take it back. */
static void release_replies(struct engine *e)
{
    for (size_t i = 0; i < e->fronts_count; i++) {
        struct engine_front *f = &e->fronts[i];
        int r = buf_append(&f->chan.out, buf_view(&f->replies));
        if (r == 0)
            r = buf_append(&f->chan.out, buf_view(&f->sure));
        if (r < 0)
            proc_child_fail(e->child, r, "cannot answer a front");
        buf_clear(&f->replies);
        buf_clear(&f->sure);
        buf_shrink(&f->replies, CHAN_READ_BYTES);
        buf_shrink(&f->sure, CHAN_READ_BYTES);
    }
}

bool engine_tell_full(struct engine *e)
{
    if (e->is_full_told)
        return false;
    e->is_full_told = e->is_turn_durable = true;
    trail_use_spare(e->registry->trail);
    return engine_record_own(e, RECORD_STORE_FULL, BYTES_LITERAL("full: requests are refused from here on")) == 0;
}

int engine_turn_end(struct engine *e)
{
    bool is_synced;
    engine_sign(e);
    if (trail_prunes(e->registry->trail) && !e->sign.is_made && e->registry->failed == 0)
        (void)registry_turn_fail(e->registry, RAISE(FAULT_LIMIT)); /* nothing goes that is not signed for */
    bool has_changed = e->registry->is_changed;
    uint64_t first = trail_size(e->registry->trail) - trail_pending(e->registry->trail);
    bool has_records = trail_pending(e->registry->trail) > 0;
    bool is_durable = e->is_turn_durable || e->child->conf.v[OPTION_READ_DURABILITY] == READ_NONE_LOST;
    bool had_changes = e->registry->is_changed || e->has_unlocked;
    int r = registry_turn_end(e->registry, is_durable && has_records, &is_synced);
    logins_turn_end(e, r == 0);
    engine_signed(e, r == 0);
    if (r < 0)
        on_failed_turn(e, r);
    else if (has_records)
        plan_sync(e, is_synced);
    if (r == 0)
        engine_scrub(e);
    engine_step_end(e, r == 0);
    if (had_changes) {
        engine_plan_sweep(e);
        engine_plan_pass(e);
    }
    watches_settle(e, r == 0, has_changed, first);
    follows_settle(e, r == 0);
    release_replies(e);
    e->asked_count = 0;
    e->noted = 0;
    e->tells_recovery = false;
    e->is_turn_durable = e->has_unlocked = e->wants_scrub = false;
    /* turns of their own, of nobody's requests: what goes wrong is said where it is noticed */
    if ((r == 0 && engine_begin_epoch(e)) || (r == FAULT_FULL && engine_tell_full(e)))
        (void)engine_turn_end(e);
    return r;
}

static void sync_records(struct engine *e)
{
    e->is_sync_due = false;
    loop_timer_cancel(&e->sync_timer);
    int r = registry_sync(e->registry);
    if (r < 0)
        proc_child_fail(e->child, r, "records could not be made durable");
}

static void on_sync(struct loop_timer *timer)
{
    sync_records(CONTAINER_OF(timer, struct engine, sync_timer));
}

/*
 * Sends what the turn decided. A front that does not take its replies gets no further requests decided: what a user
 * asks for is bounded by what is read, not by this process's memory. Requests that wait in the buffer are no event, so
 * when there is room again a timer brings them back.
 */
static int send_replies(struct engine *e, struct engine_front *f)
{
    int r = chan_flush(&f->chan);
    TRY(r);
    bool has_room = engine_backlog(f) < ENGINE_BACKLOG_BYTES;
    TRY(loop_modify(&f->source, (has_room ? LOOP_READ : 0u) | (r == CHAN_BLOCKED ? LOOP_WRITE : 0u)));
    if (has_room && f->has_more) {
        f->has_more = false;
        return loop_timer_set(e->child->loop, &e->again_timer, loop_now(e->child->loop));
    }
    return 0;
}

static void flush_front(struct engine *e, struct engine_front *f)
{
    if (f->source.loop == NULL)
        return;
    int r = send_replies(e, f);
    if (r < 0 && !e->is_stopping)
        proc_child_fail(e->child, r, "cannot answer a front");
}

static void on_turn_end(struct loop_hook *hook)
{
    struct engine *e = CONTAINER_OF(hook, struct engine, hook);
    engine_turn_end(e);
    watches_turn(e);
    follows_turn(e);
    for (size_t i = 0; i < e->fronts_count; i++)
        flush_front(e, &e->fronts[i]);
    if (e->is_sync_due && e->child->conf.v[OPTION_READ_DURABILITY] == READ_GROUP)
        sync_records(e); /* before the next turn answers anybody */
}

/* ---- fronts ---------------------------------------------------------------------------------------------- */

static void finish_stop(struct engine *e);

static int on_taken(struct engine *e, unsigned front, struct bytes body)
{
    struct msg_taken m;
    if (!msg_taken_get(body, &m))
        return RAISE(FAULT_PROTOCOL);
    struct engine_conn *c = engine_conn_find(e, m.conn);
    if (c == NULL || !c->is_handed || c->front != front)
        return RAISE(FAULT_PROTOCOL);
    return c->follow != NULL ? follows_taken(c->follow, m.bytes) : watches_taken(e, c, m.bytes);
}

static int on_message(struct engine *e, struct engine_front *f, uint16_t type, struct bytes body)
{
    struct msg_conn m;
    unsigned front = (unsigned)(f - e->fronts);
    if (type == PROTO_REQUEST)
        return engine_request(e, front, body);
    if (type == PROTO_TAKEN)
        return on_taken(e, front, body);
    if (!msg_conn_get(body, &m))
        return RAISE(FAULT_PROTOCOL);
    if (type == PROTO_CONN_CLOSED) {
        struct engine_conn *c = engine_conn_find(e, m.conn);
        if (c == NULL || !c->is_handed || c->front != front)
            return RAISE(FAULT_PROTOCOL);
        engine_conn_closed(e, c);
        return 0;
    }
    if (type != PROTO_DRAINED || !e->is_stopping || f->is_drained)
        return RAISE(FAULT_PROTOCOL);
    f->is_drained = true;
    finish_stop(e);
    return 0;
}

/* Decides what waits in the front's buffer, as long as its replies find room. Returns 0 or a fault. */
static int decide(struct engine *e, struct engine_front *f)
{
    uint16_t type;
    struct bytes body;
    size_t used;
    int r = 0;
    e->turn_wall = clock_wall_now();
    f->has_more = false;
    while ((r = msg_next(buf_view(&f->chan.in), &type, &body, &used)) == 0) {
        if (engine_backlog(f) >= ENGINE_BACKLOG_BYTES) {
            f->has_more = true;
            return 0;
        }
        if (e->asked_count == ENGINE_TURN_MAX_COUNT)
            engine_turn_end(e);
        TRY(on_message(e, f, type, body));
        buf_consume(&f->chan.in, used);
    }
    return r == MSG_INCOMPLETE ? 0 : r;
}

static void lose_front(struct engine *e, struct engine_front *f, int fault)
{
    loop_remove(&f->source);
    if (fault != 0) {
        proc_child_fail(e->child, fault, "a front misbehaved");
    } else if (!e->is_stopping) {
        proc_child_end(e->child, PROC_ORPHANED);
    } else if (!f->is_drained) {
        f->is_drained = true;
        finish_stop(e);
    }
}

static void on_front(struct loop_source *source, unsigned events)
{
    struct engine_front *f = CONTAINER_OF(source, struct engine_front, source);
    int filled = (events & (LOOP_READ | LOOP_HANGUP)) != 0 ? chan_fill(&f->chan) : 0;
    int r = filled < 0 ? filled : decide(f->engine, f);
    if (r < 0 || filled == CHAN_CLOSED)
        lose_front(f->engine, f, r < 0 ? r : 0);
}

static void on_again(struct loop_timer *timer)
{
    struct engine *e = CONTAINER_OF(timer, struct engine, again_timer);
    for (size_t i = 0; i < e->fronts_count; i++) {
        struct engine_front *f = &e->fronts[i];
        int r = f->source.loop != NULL ? decide(e, f) : 0;
        if (r < 0)
            lose_front(e, f, r);
    }
}

static int add_front(struct engine *e, struct proc_end *end)
{
    struct engine_front *f = &e->fronts[e->fronts_count];
    if (e->fronts_count == PROC_INSTANCES_MAX_COUNT)
        return RAISE(FAULT_LIMIT);
    f->engine = e;
    f->source.on_event = on_front;
    buf_init_wiping(&f->replies, ENGINE_REPLIES_MAX_BYTES);
    buf_init_wiping(&f->sure, ENGINE_REPLIES_MAX_BYTES);
    TRY(chan_init(&f->chan, TAKE_FD(end->fd), ENGINE_REPLIES_MAX_BYTES * 2));
    e->fronts_count++;
    return loop_add(e->child->loop, &f->source, f->chan.fd, LOOP_READ);
}

/* ---- start and stop -------------------------------------------------------------------------------------- */

void engine_settings(const struct proc_child *child, struct registry_settings *settings)
{
    settings->versions_count = (uint32_t)child->conf.v[OPTION_VERSIONS];
    settings->tombs_count = (uint32_t)child->conf.v[OPTION_TOMBS];
    settings->spare_count = ENGINE_SPARE_ROWS_COUNT;
    settings->unsynced_count = child->conf.v[OPTION_READ_DURABILITY] == READ_NONE_LOST ? 0 : TRAIL_RESERVE_COUNT;
}

static void on_retry(struct loop_timer *timer)
{
    struct engine *e = CONTAINER_OF(timer, struct engine, retry_timer);
    if (loop_modify(&e->listener, LOOP_READ) < 0)
        proc_child_fail(e->child, RAISE(-ENOMEM), "cannot accept again");
}

static void on_stop_limit(struct loop_timer *timer)
{
    struct engine *e = CONTAINER_OF(timer, struct engine, stop_timer);
    LOG_WARNING("clients did not finish in time");
    for (size_t i = 0; i < e->fronts_count; i++)
        e->fronts[i].is_drained = true;
    finish_stop(e);
}

static int add_sources(struct engine *e)
{
    struct proc_child *c = e->child;
    int fd = proc_child_take_file(c, "socket");
    if (fd < 0)
        return RAISE(FAULT_PROTOCOL);
    e->listener.on_event = engine_on_accept;
    TRY(loop_add(c->loop, &e->listener, fd, LOOP_READ));
    for (size_t i = 0; i < c->links_count; i++) {
        if (c->links[i].role == ROLE_FRONT)
            TRY(add_front(e, &c->links[i]));
    }
    loop_add_hook(c->loop, &e->hook);
    return e->fronts_count > 0 ? 0 : RAISE(FAULT_PROTOCOL);
}

int engine_on_start(struct proc_child *child)
{
    struct engine *e = calloc(1, sizeof *e);
    if (e == NULL)
        return RAISE(-ENOMEM);
    child->own = e;
    e->child = child;
    e->hook.on_turn_end = on_turn_end;
    list_init(&e->hook.link);
    buf_init_wiping(&e->doc, MSG_MAX_BYTES - 4096);
    loop_timer_init(&e->sync_timer, on_sync);
    loop_timer_init(&e->retry_timer, on_retry);
    loop_timer_init(&e->stop_timer, on_stop_limit);
    loop_timer_init(&e->again_timer, on_again);
    loop_timer_init(&e->sweep_timer, engine_on_sweep);
    loop_timer_init(&e->pass_timer, engine_on_pass);
    loop_timer_init(&e->backup_timer, engine_on_backup);
    loop_timer_init(&e->sign_timer, engine_on_sign);
    buf_init(&e->backup.header, BACKUP_HEADER_MAX_BYTES);
    e->key_fd = proc_child_take_file(child, "key");
    int n = snprintf(e->db_path, sizeof e->db_path, "%s/" PLACE_DB_NAME, child->state_path);
    assert(n > 0 && (size_t)n < sizeof e->db_path);
    int r = crypt_start();
    TRY(r);
    if (r == CRYPT_UNLOCKED)
        LOG_WARNING("memory cannot be locked: keys could reach the swap space");
    TRY(logins_start(e));
    TRY(watches_new(e));
    TRY(follows_new(e));
    TRY(engine_open(e));
    TRY(engine_first_turn(e));
    engine_plan_sweep(e);
    engine_plan_pass(e);
    return add_sources(e);
}

void engine_on_reload(struct proc_child *child)
{
    struct engine *e = child->own;
    int fd = proc_child_take_file(child, "key");
    struct registry_settings settings;
    engine_settings(child, &settings);
    registry_set_settings(e->registry, &settings);
    watches_reload(e);
    engine_plan_sign(e);
    if (fd >= 0) {
        file_drop_fd(&e->key_fd);
        e->key_fd = fd;
    }
}

static void answer_reload(struct engine *e, const struct msg_answer *answer)
{
    struct msg_reply reply = {.conn = e->reload_asked.conn, .request = e->reload_asked.request};
    e->was_reload_good = answer->is_good;
    snprintf(e->reload_text, sizeof e->reload_text, "%.*s", (int)MIN_OF(answer->text.n, sizeof e->reload_text - 1),
             (const char *)answer->text.p);
    if (!e->is_reload_pending)
        return;
    e->is_reload_pending = false;
    reply.outcome = answer->is_good ? OUTCOME_DONE : OUTCOME_BAD_CONFIG;
    reply.detail = bytes_of_text(e->reload_text);
    int r = engine_put_reply(e, e->reload_asked.front, &reply, true);
    if (r < 0)
        LOG_WARNING("who asked for the reload cannot be told: %s", fault_text(r));
}

void engine_on_answer(struct proc_child *child, const struct msg_answer *answer)
{
    struct engine *e = child->own;
    if (answer->question == PROC_ASK_USER && answer->token <= UINT32_MAX)
        engine_on_user(e, (uid_t)answer->token, answer->is_good ? answer->text : BYTES_NONE);
    else if (answer->question == PROC_ASK_RELOAD)
        answer_reload(e, answer);
    else if (answer->question == PROC_ASK_ROLE)
        logins_on_role(e, answer->token, proc_child_take_answer(child));
}

void engine_on_stop(struct proc_child *child)
{
    struct engine *e = child->own;
    struct msg_conn m = {0};
    e->is_stopping = true;
    loop_timer_cancel(&e->retry_timer); /* it would watch the listener again */
    loop_remove(&e->listener);
    for (size_t i = 0; i < e->fronts_count; i++) {
        int r = msg_conn_put(&e->fronts[i].chan.out, PROTO_DRAIN, &m);
        if (r < 0)
            proc_child_fail(child, r, "cannot drain a front");
    }
    if (loop_timer_set(child->loop, &e->stop_timer, clock_mono_add(loop_now(child->loop), DRAIN_LIMIT_US)) < 0)
        proc_child_fail(child, RAISE(-ENOMEM), "cannot plan the stop");
}

/* Once every front has drained: the last record, then the end. */
static void finish_stop(struct engine *e)
{
    for (size_t i = 0; i < e->fronts_count; i++) {
        if (!e->fronts[i].is_drained)
            return;
    }
    if (engine_record_own(e, RECORD_STOP, BYTES_NONE) == 0)
        e->is_turn_durable = e->sign.is_wanted = true;
    proc_child_end(e->child, 0);
}

void engine_on_end(struct proc_child *child)
{
    struct engine *e = child->own;
    if (e == NULL)
        return;
    int fd = e->listener.fd;
    if (e->listener.on_event != NULL) {
        loop_remove(&e->listener);
        close(fd);
    }
    logins_fini(e);
    watches_free(e);
    follows_free(e);
    engine_conns_fini(e);
    for (size_t i = 0; i < e->fronts_count; i++) {
        loop_remove(&e->fronts[i].source);
        chan_fini(&e->fronts[i].chan);
        buf_fini(&e->fronts[i].replies);
        buf_fini(&e->fronts[i].sure);
    }
    loop_remove_hook(&e->hook);
    loop_timer_cancel(&e->sync_timer);
    loop_timer_cancel(&e->retry_timer);
    loop_timer_cancel(&e->stop_timer);
    loop_timer_cancel(&e->again_timer);
    loop_timer_cancel(&e->sweep_timer);
    loop_timer_cancel(&e->pass_timer);
    loop_timer_cancel(&e->sign_timer);
    if (e->registry != NULL)
        engine_end_backup(e);
    registry_close(e->registry);
    buf_fini(&e->backup.header);
    buf_fini(&e->doc);
    file_drop_fd(&e->key_fd);
    free(e);
    child->own = NULL;
}
