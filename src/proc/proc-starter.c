/*
 * proc-starter - the role that starts the roles on demand, watches them, and ends them when their time is up; see
 * proc.h.
 *
 * It exists because confinement passes on: the parent, once confined, could only start what is held by its own row. The
 * starter is as open as the most open role it starts, and therefore reads nothing but two kinds of messages of the
 * parent: a row of the table with a descriptor, and a token.
 * Invariant: a child is killed through its pidfd, never by number, and each is collected.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/log.h"
#include "os/file.h"
#include "os/spawn.h"
#include "proc/proc-internal.h"

enum { STARTED_MAX_COUNT = 512 };

struct started {
    struct starter *starter;
    const struct proc_role *role;
    uint64_t token;
    int pidfd; /* -1: free */
    bool is_dismissed;
    struct loop_source source;
    struct loop_timer limit;
};

struct starter {
    struct proc_child *child;
    bool is_stopping;
    size_t count;
    struct started started[STARTED_MAX_COUNT];
};

static void end_one(struct started *s)
{
    int r = spawn_kill(s->pidfd);
    s->is_dismissed = true;
    if (r < 0)
        proc_log_fault(r, "cannot end a role that was started on demand");
}

static void on_limit(struct loop_timer *timer)
{
    struct started *s = CONTAINER_OF(timer, struct started, limit);
    LOG_WARNING("role %s did not finish in time", s->role->name);
    end_one(s);
}

static void forget(struct started *s)
{
    loop_remove(&s->source);
    loop_timer_cancel(&s->limit);
    file_drop_fd(&s->pidfd);
    s->pidfd = -1;
    s->starter->count--;
}

static void on_exit_of(struct loop_source *source, unsigned events)
{
    struct started *s = CONTAINER_OF(source, struct started, source);
    struct starter *starter = s->starter;
    int status;
    (void)events;
    int r = spawn_reap(s->pidfd, &status);
    if (r == SPAWN_RUNNING)
        return;
    if (r < 0)
        proc_log_fault(r, "cannot collect a role that was started on demand");
    else if (status != 0 && !(s->is_dismissed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
        LOG_WARNING("role %s %s", s->role->name, spawn_status_text(status));
    forget(s);
    if (starter->is_stopping && starter->count == 0)
        proc_child_end(starter->child, 0);
}

static int watch(struct started *s)
{
    const struct proc_child *c = s->starter->child;
    assert(s->role->limit_option >= 0 && (size_t)s->role->limit_option < c->daemon->schema->count);
    int64_t limit_us = c->conf.v[s->role->limit_option] * US_PER_MS;
    TRY(loop_timer_set(c->loop, &s->limit, clock_mono_add(loop_now(c->loop), limit_us)));
    return loop_add(c->loop, &s->source, s->pidfd, LOOP_READ);
}

static int start(struct started *s, int fd)
{
    const struct proc_child *c = s->starter->child;
    char name[32], role[48], root_option[] = "--root", root[PROC_PATH_MAX_BYTES];
    pid_t pid;
    snprintf(name, sizeof name, "%s", c->daemon->name);
    snprintf(role, sizeof role, "--role=%s", s->role->name);
    TRY(proc_path(c->root, "", root));
    bool has_root = root[0] != '\0';
    char *argv[] = {name, role, has_root ? root_option : NULL, has_root ? root : NULL, NULL};
    TRY(spawn_self_clean(argv, fd, &pid, &s->pidfd));
    s->starter->count++;
    int r = watch(s);
    if (r < 0) { /* the channel tells who asked; the process is collected when the starter ends */
        end_one(s);
        forget(s);
    }
    return r;
}

bool proc_starter_spawn(struct proc_child *child, const struct msg_spawn *m, int fd)
{
    SCOPED(file_drop_fd) int channel = fd;
    struct starter *starter = child->own;
    struct started *s = starter->started;
    if (m->role >= child->daemon->roles_count || child->daemon->roles[m->role].on_demand == NULL)
        return false;
    while (s < starter->started + STARTED_MAX_COUNT && s->pidfd >= 0)
        s++;
    if (s == starter->started + STARTED_MAX_COUNT) {
        LOG_WARNING("too many roles were started on demand");
        return true;
    }
    *s = (struct started){.starter = starter,
                          .role = &child->daemon->roles[m->role],
                          .token = m->token,
                          .pidfd = -1,
                          .source.on_event = on_exit_of};
    loop_timer_init(&s->limit, on_limit);
    int r = start(s, channel);
    if (r < 0)
        proc_log_fault(r, "cannot start a role on demand");
    return true;
}

void proc_starter_dismiss(struct proc_child *child, uint64_t token)
{
    struct starter *starter = child->own;
    for (size_t i = 0; i < STARTED_MAX_COUNT; i++) {
        if (starter->started[i].pidfd >= 0 && starter->started[i].token == token)
            end_one(&starter->started[i]);
    }
}

int proc_starter_on_start(struct proc_child *child)
{
    struct starter *starter = calloc(1, sizeof *starter);
    if (starter == NULL)
        return RAISE(-ENOMEM);
    starter->child = child;
    for (size_t i = 0; i < STARTED_MAX_COUNT; i++)
        starter->started[i].pidfd = -1;
    child->own = starter;
    return 0;
}

void proc_starter_on_stop(struct proc_child *child)
{
    struct starter *starter = child->own;
    starter->is_stopping = true;
    for (size_t i = 0; i < STARTED_MAX_COUNT; i++) {
        if (starter->started[i].pidfd >= 0)
            end_one(&starter->started[i]);
    }
    if (starter->count == 0)
        proc_child_end(child, 0);
}

void proc_starter_on_end(struct proc_child *child)
{
    struct starter *starter = child->own;
    if (starter == NULL)
        return;
    for (size_t i = 0; i < STARTED_MAX_COUNT; i++) {
        if (starter->started[i].pidfd >= 0)
            forget(&starter->started[i]);
    }
    free(starter);
    child->own = NULL;
}
