/*
 * proc-parent - the parent of a daemon: locks, opens, starts, confines itself, then only reloads, answers and reaps.
 * It never reads a client's byte and decides nothing. See proc.h.
 */
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "os/file.h"
#include "os/ready.h"
#include "os/spawn.h"
#include "proc/proc-parent.h"

#define STOP_LIMIT_US (15 * US_PER_S)
#define CAUSE_LIMIT_US (US_PER_S / 2)

static void stop(struct parent *p, int status);

/* Tells the manager; one that cannot be told is its own trouble, and serving goes on. */
static void notify(const char *state)
{
    int r = ready_notify(state);
    if (r < 0)
        LOG_WARNING("cannot tell the service manager: %s", fault_text(r));
}

static void on_turn_end(struct loop_hook *hook);

/* ---- running --------------------------------------------------------------------------------------------- */

static int confine_parent(struct parent *p, struct confine_report *report)
{
    char profile[64];
    struct confine_params params = {.uid = (uid_t)-1, .gid = (gid_t)-1};
    params.places[CONFINE_STATE] = p->state_path;
    params.places[CONFINE_RUN] = p->run_path;
    params.places[CONFINE_CONFIG] = p->conf_folder;
    params.places[CONFINE_ETC] = "/etc";
    snprintf(profile, sizeof profile, "%s-parent", p->daemon->name);
    const struct confine_profile *row = confine_find(profile);
    return row == NULL ? RAISE(FAULT_CONFINE) : confine_enter(row, &params, report);
}

static int tell_siblings(struct parent *p, const struct confine_report *own)
{
    for (size_t to = 0; to < p->parts_count; to++) {
        struct msg_sibling m = {.role = BYTES_LITERAL("parent"),
                                .pid = (uint32_t)getpid(),
                                .landlock_abi = (uint32_t)own->landlock_abi,
                                .dropped = bytes_of_text(own->dropped)};
        TRY(msg_sibling_put(&p->parts[to].chan.out, PROC_SIBLING, &m));
        for (size_t i = 0; i < p->parts_count; i++) {
            const struct part *s = &p->parts[i];
            m = (struct msg_sibling){.role = bytes_of_text(s->role->name),
                                     .instance = s->instance,
                                     .pid = (uint32_t)s->pid,
                                     .landlock_abi = (uint32_t)s->report.landlock_abi,
                                     .dropped = bytes_of_text(s->report.dropped)};
            TRY(msg_sibling_put(&p->parts[to].chan.out, PROC_SIBLING, &m));
        }
    }
    return 0;
}

static void on_watchdog(struct loop_timer *timer)
{
    struct parent *p = CONTAINER_OF(timer, struct parent, watchdog);
    bool is_alive = true;
    for (size_t i = 0; i < p->parts_count; i++) {
        is_alive = is_alive && p->parts[i].has_ponged;
        p->parts[i].has_ponged = false;
        if (proc_say(&p->parts[i], PROC_PING) < 0)
            is_alive = false;
    }
    if (is_alive)
        notify("WATCHDOG=1");
    int64_t half = (int64_t)(ready_watchdog_us() / 2);
    if (loop_timer_set(p->loop, &p->watchdog, clock_mono_add(loop_now(p->loop), half)) < 0)
        stop(p, 1);
}

static void log_dropped(const char *role, const struct confine_report *report)
{
    if (report->dropped[0] != '\0')
        LOG_INFO("role %s: not held: %s", role, report->dropped);
    LOG_DEBUG("role %s: Landlock ABI %d", role, report->landlock_abi);
}

static void all_ready(struct parent *p)
{
    struct confine_report report;
    assert(!p->is_ready && !p->is_stopping);
    p->is_ready = true;
    loop_timer_cancel(&p->limit);
    int r = confine_parent(p, &report);
    if (r == 0)
        r = tell_siblings(p, &report);
    if (r < 0) {
        proc_log_fault(r, "cannot confine the parent");
        stop(p, 1);
        return;
    }
    log_dropped("parent", &report);
    for (size_t i = 0; i < p->parts_count; i++)
        p->parts[i].has_ponged = true;
    if (ready_watchdog_us() > 0)
        on_watchdog(&p->watchdog);
    dprintf(STDERR_FILENO, "%s: ready\n", p->daemon->name);
    notify("READY=1\nSTATUS=serving");
}

/* ---- questions and reload -------------------------------------------------------------------------------- */

/* Only /etc/passwd, read here: name services load code and may block, and the parent may not do either. */
static bool find_user(uint64_t uid, struct buf *ret_name)
{
    bool is_found = false;
    FILE *f = fopen("/etc/passwd", "re");
    if (f == NULL)
        return false;
    for (const struct passwd *e = fgetpwent(f); e != NULL && !is_found; e = fgetpwent(f)) {
        if (e->pw_uid == uid)
            is_found = buf_append_text(ret_name, e->pw_name) == 0;
    }
    fclose(f);
    return is_found;
}

static void log_change(const struct conf_option *option, const char *from, const char *to, void *arg)
{
    (void)arg;
    LOG_INFO("%s.%s: %s -> %s%s", option->group, option->name, from, to,
             option->apply == CONF_RESTART ? " (after a restart)" : "");
}

/* Reads the configuration whole and swaps it, or keeps the old one. Returns true and a text, or false and the reason.
 */
static bool reload(struct parent *p, char text[static CONF_WHY_BYTES])
{
    struct conf_values values;
    size_t restarts = 0;
    int r = ready_reloading();
    if (r < 0)
        LOG_WARNING("cannot tell the service manager: %s", fault_text(r));
    r = proc_conf_load(p->daemon, p->args->root, &values, text);
    if (r == 0) {
        restarts = conf_diff(p->daemon->schema, &p->conf, &values, log_change, NULL);
        for (size_t i = 0; r == 0 && i < p->parts_count; i++) {
            r = proc_send_files(&p->parts[i]);
            if (r == 0)
                r = proc_send_conf(&p->parts[i], PROC_RELOAD, &values);
        }
    }
    if (r < 0)
        snprintf(text, CONF_WHY_BYTES, "%s", fault_text(r));
    if (r == 0) {
        p->conf = values;
        log_set_level(proc_log_level(p->daemon, &values));
        snprintf(text, CONF_WHY_BYTES, restarts > 0 ? "%zu options wait for a restart" : "done", restarts);
    }
    LOG_INFO("reload: %s%s", r == 0 ? "" : "refused, the old configuration stays: ", text);
    snprintf(p->last_reload, sizeof p->last_reload, "READY=1\nSTATUS=serving; reload %s: %.120s",
             r == 0 ? "done" : "refused", text);
    notify(p->last_reload);
    return r == 0;
}

static struct part *find_starter(struct parent *p)
{
    for (size_t i = 0; i < p->parts_count; i++) {
        if (p->parts[i].role->is_starter)
            return &p->parts[i];
    }
    return NULL;
}

static bool may_start(const struct part *part, uint32_t role)
{
    const struct proc_daemon *d = part->parent->daemon;
    for (size_t i = 0; i < d->links_count; i++) {
        if (d->links[i].from == part->row && d->links[i].to == role && d->roles[role].on_demand != NULL)
            return true;
    }
    return false;
}

/* Puts a message with a descriptor, which is taken over. Returns 0, or a fault: nothing was put then. */
static int put_spawn(struct part *starter, const struct msg_spawn *m, int fd)
{
    int r = chan_put_fd(&starter->chan, fd);
    if (r < 0) {
        close(fd);
        return r;
    }
    r = msg_spawn_put(&starter->chan.out, PROC_SPAWN, m);
    if (r < 0) /* the descriptor would travel with the bytes of another message: nothing is right any more */
        stop(starter->parent, 1);
    return r;
}

/* Makes the two ends of a channel: one goes to the starter, with the role to start, the other back with the answer. */
static bool on_ask_role(struct part *part, const struct msg_ask *ask)
{
    struct part *starter = find_starter(part->parent);
    struct msg_spawn m = {.role = ask->role, .token = ask->token};
    struct msg_answer answer = {.question = ask->question, .token = ask->token};
    int fds[2];
    if (!may_start(part, ask->role) || starter == NULL)
        return false;
    int r = part->parent->is_stopping || starter->has_ended ? RAISE(FAULT_BUSY) : chan_pair(fds);
    if (r == 0) {
        r = chan_put_fd(&part->chan, fds[0]);
        if (r < 0) {
            close(fds[0]);
            close(fds[1]);
        }
    }
    if (r == 0) {
        answer.is_good = true;
        r = put_spawn(starter, &m, fds[1]); /* if it fails, who asked sees the channel end */
    }
    if (r < 0)
        proc_log_fault(r, "cannot start a role on demand");
    return msg_answer_put(&part->chan.out, PROC_ANSWER, &answer) == 0;
}

static bool on_ask_dismiss(struct part *part, const struct msg_ask *ask)
{
    struct part *starter = find_starter(part->parent);
    struct msg_spawn m = {.role = ask->role, .token = ask->token};
    if (!may_start(part, ask->role) || starter == NULL)
        return false;
    return starter->has_ended || msg_spawn_put(&starter->chan.out, PROC_DISMISS, &m) == 0;
}

static bool on_ask(struct part *part, struct bytes body)
{
    struct msg_ask m;
    char text[CONF_WHY_BYTES] = "";
    struct buf name;
    if (!msg_ask_get(body, &m))
        return false;
    if (m.question == PROC_ASK_ROLE)
        return on_ask_role(part, &m);
    if (m.question == PROC_ASK_DISMISS)
        return on_ask_dismiss(part, &m);
    if (!part->role->asks)
        return false;
    struct msg_answer answer = {.question = m.question, .token = m.token};
    buf_init(&name, 256);
    if (m.question == PROC_ASK_USER) {
        answer.is_good = find_user(m.token, &name);
        answer.text = buf_view(&name);
    } else if (m.question == PROC_ASK_RELOAD) {
        answer.is_good = reload(part->parent, text);
        answer.text = bytes_of_text(text);
    } else {
        return false;
    }
    int r = msg_answer_put(&part->chan.out, PROC_ANSWER, &answer);
    buf_fini(&name);
    return r == 0;
}

static bool on_ready(struct part *part, struct bytes body)
{
    struct msg_ready m;
    struct parent *p = part->parent;
    assert(p != NULL && part->is_started);
    if (!msg_ready_get(body, &m) || part->is_ready || m.dropped.n >= sizeof part->report.dropped)
        return false;
    part->is_ready = true;
    part->report.landlock_abi = (int)m.landlock_abi;
    snprintf(part->report.dropped, sizeof part->report.dropped, "%.*s", BYTES_PRINT(m.dropped));
    log_dropped(part->role->name, &part->report);
    for (size_t i = 0; i < p->parts_count; i++) {
        if (!p->parts[i].is_ready)
            return true;
    }
    if (!p->is_stopping)
        all_ready(p);
    return true;
}

static bool on_pong(struct part *part, struct bytes body)
{
    struct msg_empty m;
    part->has_ponged = true;
    return msg_empty_get(body, &m);
}

static bool dispatch(struct part *part, uint16_t type, struct bytes body)
{
    switch (type) {
    case PROC_READY:
        return on_ready(part, body);
    case PROC_PONG:
        return part->is_ready && on_pong(part, body);
    case PROC_ASK:
        return part->is_ready && on_ask(part, body);
    default:
        return false;
    }
}

void proc_on_chan(struct loop_source *source, unsigned events)
{
    struct part *part = CONTAINER_OF(source, struct part, chan_source);
    uint16_t type;
    struct bytes body;
    size_t used;
    int r = 0;
    (void)events;
    int filled = chan_fill(&part->chan);
    while (filled >= 0 && (r = msg_next(buf_view(&part->chan.in), &type, &body, &used)) == 0) {
        if (!dispatch(part, type, body)) {
            LOG_ERROR("role %s sent a message that is not legal now", part->role->name);
            stop(part->parent, 1);
            return;
        }
        buf_consume(&part->chan.in, used);
    }
    if (filled != 0 || r < 0)
        loop_remove(&part->chan_source); /* its end is reported by the pidfd, with the reason */
}

/* ---- ending ---------------------------------------------------------------------------------------------- */

static void signal_part(const struct part *part, int signal)
{
    if (part->is_started && !part->has_ended)
        (void)kill(part->pid, signal); /* it is our child and not reaped: the number cannot be another's */
}

static void stop(struct parent *p, int status)
{
    if (p->is_stopping) {
        p->status = MAX_OF(p->status, status);
        return;
    }
    p->is_stopping = true;
    p->status = status;
    notify("STOPPING=1");
    loop_timer_cancel(&p->watchdog);
    for (size_t i = 0; i < p->parts_count; i++) {
        if (status != 0 || !p->parts[i].is_ready || proc_say(&p->parts[i], PROC_STOP) < 0)
            signal_part(&p->parts[i], SIGKILL);
    }
    if (loop_timer_set(p->loop, &p->limit, clock_mono_add(loop_now(p->loop), STOP_LIMIT_US)) < 0)
        loop_stop(p->loop, 1);
}

static void on_limit(struct loop_timer *timer)
{
    struct parent *p = CONTAINER_OF(timer, struct parent, limit);
    if (p->waits_for_cause) {
        p->waits_for_cause = false;
        LOG_ERROR("the roles lost each other: the daemon ends");
        stop(p, 1);
        return;
    }
    LOG_ERROR("%s", p->is_stopping ? "a role did not finish in time" : "a role was not ready in time");
    if (!p->is_stopping) {
        stop(p, 1);
        return;
    }
    for (size_t i = 0; i < p->parts_count; i++)
        signal_part(&p->parts[i], SIGKILL);
    p->status = 1;
}

/* Notes that a role has ended. Returns false if it runs. */
static bool has_ended(struct part *part)
{
    int status = 0;
    if (part->has_ended || spawn_reap(part->pidfd, &status) == SPAWN_RUNNING)
        return part->has_ended;
    part->has_ended = true;
    part->end_status = status;
    loop_remove(&part->pid_source);
    loop_remove(&part->chan_source);
    return true;
}

/*
 * When one role dies the others notice and end too, and may be reported first: name the cause, not the followers. A
 * role killed by a signal goes before one that failed by itself. Returns NULL if only followers have ended so far.
 */
static const struct part *find_cause(struct parent *p)
{
    const struct part *cause = NULL;
    for (size_t i = 0; i < p->parts_count; i++) {
        struct part *part = &p->parts[i];
        if (!has_ended(part) || (WIFEXITED(part->end_status) && WEXITSTATUS(part->end_status) == PROC_ORPHANED))
            continue;
        if (cause == NULL || WIFSIGNALED(part->end_status))
            cause = part;
    }
    return cause;
}

static void end_by(struct parent *p, const struct part *cause)
{
    LOG_ERROR("role %s %s: the daemon ends", cause->role->name, spawn_status_text(cause->end_status));
    p->waits_for_cause = false;
    stop(p, 1);
}

static void on_first_end(struct parent *p, const struct part *part)
{
    const struct part *cause = find_cause(p);
    if (cause != NULL) {
        end_by(p, cause);
    } else if (!p->waits_for_cause) {
        p->waits_for_cause = true;
        if (loop_timer_set(p->loop, &p->limit, clock_mono_add(loop_now(p->loop), CAUSE_LIMIT_US)) < 0)
            end_by(p, part);
    }
}

void proc_on_exit(struct loop_source *source, unsigned events)
{
    struct part *part = CONTAINER_OF(source, struct part, pid_source);
    struct parent *p = part->parent;
    (void)events;
    if (!has_ended(part))
        return;
    bool is_good = WIFEXITED(part->end_status) && WEXITSTATUS(part->end_status) == 0;
    if (!p->is_stopping) {
        on_first_end(p, part);
    } else if (!is_good && p->status == 0) {
        LOG_ERROR("role %s %s while stopping", part->role->name, spawn_status_text(part->end_status));
        p->status = 1;
    }
    for (size_t i = 0; i < p->parts_count; i++) {
        if (!p->parts[i].has_ended)
            return;
    }
    loop_stop(p->loop, p->is_stopping ? p->status : 1);
}

static void on_signal(int signal, void *arg)
{
    struct parent *p = arg;
    char text[CONF_WHY_BYTES];
    if (signal == SIGHUP) {
        if (p->is_ready && !p->is_stopping)
            (void)reload(p, text);
    } else {
        stop(p, 0);
    }
}

static void on_turn_end(struct loop_hook *hook)
{
    struct parent *p = CONTAINER_OF(hook, struct parent, hook);
    for (size_t i = 0; i < p->parts_count; i++) {
        struct part *part = &p->parts[i];
        if (part->chan_source.loop == NULL)
            continue;
        int r = chan_flush(&part->chan);
        if (r < 0 || loop_modify(&part->chan_source, r == CHAN_BLOCKED ? LOOP_READ | LOOP_WRITE : LOOP_READ) < 0)
            loop_remove(&part->chan_source);
    }
}

static void close_all(struct parent *p)
{
    for (size_t i = 0; i < p->daemon->sockets_count; i++) {
        char path[PROC_PATH_MAX_BYTES];
        if (p->owns_sockets[i] && proc_path(p->args->root, p->daemon->sockets[i].path, path) == 0)
            (void)unlink(path);
        file_drop_fd(&p->socket_fds[i]);
    }
    for (size_t i = 0; i < p->parts_count; i++) {
        loop_remove(&p->parts[i].chan_source);
        loop_remove(&p->parts[i].pid_source);
        if (p->parts[i].is_started)
            chan_fini(&p->parts[i].chan);
        file_drop_fd(&p->parts[i].pidfd);
    }
    loop_timer_cancel(&p->limit);
    loop_timer_cancel(&p->watchdog);
    loop_remove_hook(&p->hook);
    loop_free(p->loop);
    file_drop_fd(&p->lock_fd);
    ready_close();
}

static int run(struct parent *p)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    (void)signal(SIGPIPE, SIG_IGN); /* standard error may be a pipe whose reader is gone */
    TRY(loop_new(&p->loop));
    loop_add_hook(p->loop, &p->hook);
    TRY(loop_add_signals(p->loop, &set, on_signal, p));
    int told = ready_open();
    TRY(told);
    if (told == READY_UNREACHABLE)
        LOG_WARNING("the service manager does not listen on its socket");
    if (p->args->ready_fd >= 0)
        ready_set_fd(p->args->ready_fd);
    TRY(proc_open_all(p));
    int r = proc_start_all(p);
    if (r < 0) {
        for (size_t i = 0; i < p->parts_count; i++)
            signal_part(&p->parts[i], SIGKILL);
        return r;
    }
    on_turn_end(&p->hook); /* the set-up leaves now: no event would come before it */
    return loop_run(p->loop);
}

int proc_parent_main(const struct proc_daemon *daemon, const struct proc_args *args)
{
    char why[CONF_WHY_BYTES];
    struct parent *p = calloc(1, sizeof *p);
    if (p == NULL)
        return 1;
    assert(daemon->sockets_count <= PROC_FILES_MAX_COUNT && daemon->roles_count <= PROC_ROLES_MAX_COUNT);
    p->daemon = daemon;
    p->args = args;
    p->lock_fd = -1;
    for (size_t i = 0; i < COUNT_OF(p->socket_fds); i++)
        p->socket_fds[i] = -1;
    p->hook.on_turn_end = on_turn_end;
    list_init(&p->hook.link);
    loop_timer_init(&p->limit, on_limit);
    loop_timer_init(&p->watchdog, on_watchdog);
    int r = proc_conf_load(daemon, args->root, &p->conf, why);
    if (r == CONF_BAD) {
        LOG_ERROR("%s%s: %s", args->root, daemon->conf_path, why);
        r = RAISE(FAULT_CONFIG);
    } else if (r == 0) {
        log_set_level(proc_log_level(daemon, &p->conf));
        r = run(p);
    }
    if (r < 0)
        proc_log_fault(r, "cannot serve");
    close_all(p);
    free(p);
    return r < 0 ? 1 : r;
}
