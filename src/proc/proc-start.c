/*
 * proc-start - opening what the daemon needs and starting its roles: all that the parent does before it is confined.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "os/file.h"
#include "os/ready.h"
#include "os/sock.h"
#include "os/spawn.h"
#include "proc/proc-parent.h"

enum { LISTEN_BACKLOG = 1024, LOCK_TRIES_COUNT = 40 };
#define LOCK_WAIT_US (50 * US_PER_MS)
#define START_LIMIT_US (10 * US_PER_S)

int proc_say(struct part *part, uint16_t type)
{
    struct msg_empty m = {0};
    return msg_empty_put(&part->chan.out, type, &m);
}

/* ---- opening --------------------------------------------------------------------------------------------- */

static int take_lock(struct parent *p)
{
    SCOPED(file_drop_fd) int folder = -1;
    int r = file_open_folder(p->state_path, &folder);
    if (r == FILE_ABSENT) {
        LOG_ERROR("%s does not exist: run 'sreg init' first", p->state_path);
        return RAISE(-ENOENT);
    }
    TRY(r);
    /* a daemon that was killed leaves roles that need a moment to notice */
    for (int i = 0; i < LOCK_TRIES_COUNT; i++) {
        struct timespec wait = {0, LOCK_WAIT_US * 1000};
        r = file_lock(folder, "lock", &p->lock_fd);
        if (r != FILE_HELD)
            return r;
        nanosleep(&wait, NULL);
    }
    LOG_ERROR("another daemon serves %s", p->state_path);
    return RAISE(FAULT_BUSY);
}

static int open_socket(struct parent *p, size_t i)
{
    const struct proc_socket *row = &p->daemon->sockets[i];
    char path[PROC_PATH_MAX_BYTES];
    p->socket_fds[i] = ready_listen_fd(row->name);
    if (p->socket_fds[i] >= 0) {
        int r = sock_adopt(p->socket_fds[i]);
        if (r < 0)
            LOG_ERROR("the inherited socket %s is not a listening UNIX stream socket", row->name);
        return r;
    }
    TRY(proc_path(p->args->root, row->path, path));
    TRY(sock_listen(path, row->mode, LISTEN_BACKLOG, &p->socket_fds[i]));
    p->owns_sockets[i] = true;
    return 0;
}

int proc_open_all(struct parent *p)
{
    TRY(proc_path(p->args->root, p->daemon->state_path, p->state_path));
    TRY(proc_path(p->args->root, p->daemon->run_path, p->run_path));
    TRY(proc_path(p->args->root, p->daemon->conf_path, p->conf_folder));
    char *slash = strrchr(p->conf_folder, '/');
    assert(slash != NULL);
    *slash = '\0';
    TRY(take_lock(p));
    TRY(file_make_folders(p->run_path, 0755));
    for (size_t i = 0; i < p->daemon->sockets_count; i++)
        TRY(open_socket(p, i));
    return 0;
}

/* ---- starting -------------------------------------------------------------------------------------------- */

static int put_fd(struct part *part, int fd)
{
    assert(fd >= 0);
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        return RAISE(-errno);
    int r = chan_put_fd(&part->chan, copy);
    if (r < 0)
        close(copy);
    return r;
}

static int send_text(struct part *part, uint16_t type, const char *name, const char *text)
{
    struct msg_named m = {.name = bytes_of_text(name), .text = bytes_of_text(text)};
    return msg_named_put(&part->chan.out, type, &m);
}

int proc_send_conf(struct part *part, uint16_t type, const struct conf_values *values)
{
    struct buf b;
    buf_init(&b, MSG_MAX_BYTES);
    int r = conf_encode(part->parent->daemon->schema, values, &b);
    struct msg_conf m = {.values = buf_view(&b)};
    if (r == 0)
        r = msg_conf_put(&part->chan.out, type, &m);
    buf_fini(&b);
    return r;
}

int proc_send_files(struct part *part)
{
    const struct proc_daemon *d = part->parent->daemon;
    for (size_t i = 0; part->role->gets_files && i < d->files_count; i++) {
        char path[PROC_PATH_MAX_BYTES];
        TRY(proc_path(part->parent->args->root, d->files[i].path, path));
        SCOPED(file_drop_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
        if (fd < 0 && errno == ENOENT)
            continue;
        if (fd < 0)
            return RAISE(-errno);
        TRY(put_fd(part, fd));
        TRY(send_text(part, PROC_FILE, d->files[i].name, ""));
    }
    return 0;
}

static int send_listeners(struct part *part)
{
    const struct proc_daemon *d = part->parent->daemon;
    for (size_t i = 0; part->role->gets_listeners && i < d->sockets_count; i++) {
        TRY(put_fd(part, part->parent->socket_fds[i]));
        TRY(send_text(part, PROC_FILE, d->sockets[i].name, ""));
    }
    return 0;
}

static bool is_system_start(const struct parent *p)
{
    return geteuid() == 0 && p->args->root[0] == '\0';
}

static int send_places(struct part *part)
{
    struct parent *p = part->parent;
    TRY(send_text(part, PROC_PLACE, "state", p->state_path));
    TRY(send_text(part, PROC_PLACE, "run", p->run_path));
    TRY(send_text(part, PROC_PLACE, "config", p->conf_folder));
    TRY(send_text(part, PROC_PLACE, "proc", "/proc"));
    TRY(send_text(part, PROC_PLACE, "etc", "/etc"));
    if (is_system_start(p) && part->role->user != NULL) {
        if (getpwnam(part->role->user) == NULL) {
            LOG_ERROR("there is no user %s for the role %s", part->role->user, part->role->name);
            return RAISE(-ENOENT);
        }
        TRY(send_text(part, PROC_PLACE, "user", part->role->user));
    }
    return 0;
}

static int link_parts(struct part *a, struct part *b)
{
    int fds[2];
    assert(a != b && a->is_started && b->is_started);
    TRY(chan_pair(fds));
    struct msg_link to_a = {.role = b->row, .instance = b->instance};
    struct msg_link to_b = {.role = a->row, .instance = a->instance};
    int r = chan_put_fd(&a->chan, fds[0]);
    if (r < 0) {
        close(fds[0]);
        close(fds[1]);
        return r;
    }
    r = chan_put_fd(&b->chan, fds[1]);
    if (r < 0) {
        close(fds[1]);
        return r;
    }
    TRY(msg_link_put(&a->chan.out, PROC_LINK, &to_a));
    return msg_link_put(&b->chan.out, PROC_LINK, &to_b);
}

static int link_all(struct parent *p)
{
    for (size_t i = 0; i < p->daemon->links_count; i++) {
        const struct proc_link *l = &p->daemon->links[i];
        for (size_t a = 0; a < p->parts_count; a++) {
            for (size_t b = 0; p->parts[a].row == l->from && b < p->parts_count; b++) {
                if (p->parts[b].row == l->to)
                    TRY(link_parts(&p->parts[a], &p->parts[b]));
            }
        }
    }
    return 0;
}

static int start_part(struct parent *p, unsigned row, unsigned instance)
{
    assert(p->parts_count < COUNT_OF(p->parts));
    struct part *part = &p->parts[p->parts_count++];
    char role[48], number[32], name[32];
    int fds[2];
    *part = (struct part){.parent = p, .role = &p->daemon->roles[row], .row = row, .instance = instance, .pidfd = -1};
    snprintf(name, sizeof name, "%s", p->daemon->name);
    snprintf(role, sizeof role, "--role=%s", part->role->name);
    snprintf(number, sizeof number, "--instance=%u", instance);
    char root_option[] = "--root", root[PROC_PATH_MAX_BYTES];
    char *argv[] = {name, role, number, NULL, NULL, NULL};
    if (part->role->is_starter && p->args->root[0] != '\0') { /* for those that it will start */
        TRY(proc_path(p->args->root, "", root));
        argv[3] = root_option;
        argv[4] = root;
    }
    TRY(chan_pair(fds));
    int r = spawn_self(argv, fds[1], &part->pid, &part->pidfd);
    close(fds[1]);
    if (r < 0) {
        close(fds[0]);
        return r;
    }
    part->is_started = true;
    TRY(chan_init(&part->chan, fds[0], PROC_CHAN_MAX_BYTES));
    part->chan_source.on_event = proc_on_chan;
    part->pid_source.on_event = proc_on_exit;
    TRY(loop_add(p->loop, &part->chan_source, part->chan.fd, LOOP_READ));
    TRY(loop_add(p->loop, &part->pid_source, part->pidfd, LOOP_READ));
    TRY(proc_send_conf(part, PROC_CONF, &p->conf));
    TRY(send_places(part));
    TRY(send_listeners(part));
    return proc_send_files(part);
}

int proc_start_all(struct parent *p)
{
    for (unsigned row = 0; row < p->daemon->roles_count; row++) {
        if (p->daemon->roles[row].on_demand != NULL)
            continue;
        int option = p->daemon->roles[row].count_option;
        unsigned count = option < 0 ? 1 : (unsigned)p->conf.v[option];
        assert(count >= 1 && count <= PROC_INSTANCES_MAX_COUNT);
        for (unsigned i = 0; i < count; i++)
            TRY(start_part(p, row, i));
    }
    TRY(link_all(p));
    for (size_t i = 0; i < p->parts_count; i++)
        TRY(proc_say(&p->parts[i], PROC_START));
    return loop_timer_set(p->loop, &p->limit, clock_mono_add(clock_mono_now(), START_LIMIT_US));
}
