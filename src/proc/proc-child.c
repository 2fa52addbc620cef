/* proc-child - the life of a role: set-up, confinement, work, end; see proc.h. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "os/file.h"
#include "os/spawn.h"
#include "proc/proc-internal.h"

/* A role is in one of these; each message is legal in some. */
enum child_state { SETTING_UP = 1u << 0, RUNNING = 1u << 1, STOPPING = 1u << 2 };

struct proc_child_state {
    struct proc_child *child;
    struct chan parent;
    struct loop_source source;
    struct loop_hook hook;
    enum child_state state;
    unsigned seen; /* bits of messages that may come once */
    char places[CONFINE_PLACES_COUNT][PROC_PATH_MAX_BYTES];
    uid_t uid;
    gid_t gid;
    int answer_fd; /* came with the answer that is being handled; -1 */
    size_t files_count;
    struct {
        char name[32];
        int fd;
    } files[PROC_FILES_MAX_COUNT];
};

void proc_child_end(struct proc_child *child, int status)
{
    assert(status >= 0 && child->loop != NULL);
    loop_stop(child->loop, status);
}

void proc_child_fail(struct proc_child *child, int fault, const char *what)
{
    proc_log_fault(fault, what);
    proc_child_end(child, 1);
}

int proc_child_take_file(struct proc_child *child, const char *name)
{
    struct proc_child_state *s = child->hidden;
    assert(s->files_count <= PROC_FILES_MAX_COUNT);
    for (size_t i = 0; i < s->files_count; i++) {
        if (strcmp(s->files[i].name, name) == 0)
            return TAKE_FD(s->files[i].fd);
    }
    return -1;
}

int proc_child_ask(struct proc_child *child, enum proc_question question, uint64_t token)
{
    assert(child->role->asks && (question == PROC_ASK_USER || question == PROC_ASK_RELOAD));
    struct msg_ask m = {.question = (uint16_t)question, .token = token};
    return msg_ask_put(&child->hidden->parent.out, PROC_ASK, &m);
}

static int ask_role(struct proc_child *child, enum proc_question question, unsigned role, uint64_t token)
{
    struct msg_ask m = {.question = (uint16_t)question, .token = token, .role = role};
    assert(role < child->daemon->roles_count && child->daemon->roles[role].on_demand != NULL);
    return msg_ask_put(&child->hidden->parent.out, PROC_ASK, &m);
}

int proc_child_start_role(struct proc_child *child, unsigned role, uint64_t token)
{
    return ask_role(child, PROC_ASK_ROLE, role, token);
}

int proc_child_dismiss_role(struct proc_child *child, unsigned role, uint64_t token)
{
    return ask_role(child, PROC_ASK_DISMISS, role, token);
}

int proc_child_take_answer(struct proc_child *child)
{
    return TAKE_FD(child->hidden->answer_fd);
}

/* ---- messages from the parent; each returns false if the message is malformed ---------------------------- */

static bool on_conf(struct proc_child_state *s, struct bytes body)
{
    struct msg_conf m;
    return msg_conf_get(body, &m) && conf_decode(s->child->daemon->schema, m.values, &s->child->conf);
}

static bool on_link(struct proc_child_state *s, struct bytes body)
{
    struct msg_link m;
    struct proc_child *c = s->child;
    int fd = chan_take_fd(&s->parent);
    if (!msg_link_get(body, &m) || fd < 0 || c->links_count == PROC_LINKS_MAX_COUNT) {
        file_drop_fd(&fd);
        return false;
    }
    c->links[c->links_count++] = (struct proc_end){m.role, m.instance, fd};
    return true;
}

static bool on_file(struct proc_child_state *s, struct bytes body)
{
    struct msg_named m;
    char name[sizeof s->files[0].name];
    size_t i = 0;
    int fd = chan_take_fd(&s->parent);
    if (!msg_named_get(body, &m) || fd < 0 || !text_copy(name, sizeof name, m.name)) {
        file_drop_fd(&fd);
        return false;
    }
    while (i < s->files_count && strcmp(s->files[i].name, name) != 0)
        i++;
    if (i == PROC_FILES_MAX_COUNT) {
        file_drop_fd(&fd);
        return false;
    }
    if (i == s->files_count) {
        memcpy(s->files[i].name, name, sizeof name);
        s->files[s->files_count++].fd = -1;
    }
    file_drop_fd(&s->files[i].fd);
    s->files[i].fd = fd;
    return true;
}

static const char *const place_names[CONFINE_PLACES_COUNT] = {
    [CONFINE_STATE] = "state", [CONFINE_CONFIG] = "config", [CONFINE_RUN] = "run",   [CONFINE_PROC] = "proc",
    [CONFINE_ETC] = "etc",     [CONFINE_SELF] = "self",     [CONFINE_PEER] = "peer",
};

static bool on_place(struct proc_child_state *s, struct bytes body)
{
    struct msg_named m;
    if (!msg_named_get(body, &m))
        return false;
    for (size_t i = 0; i < CONFINE_PLACES_COUNT; i++) {
        if (bytes_equal(m.name, bytes_of_text(place_names[i])))
            return text_copy(s->places[i], sizeof s->places[i], m.text);
    }
    if (bytes_equal(m.name, BYTES_LITERAL("user"))) {
        char user[64];
        const struct passwd *p = text_copy(user, sizeof user, m.text) ? getpwnam(user) : NULL;
        if (p == NULL)
            return false;
        s->uid = p->pw_uid;
        s->gid = p->pw_gid;
        return true;
    }
    return false;
}

static bool on_begin(struct proc_child_state *s, struct bytes body)
{
    struct msg_empty m;
    struct proc_child *c = s->child;
    struct confine_params params = {.uid = s->uid, .gid = s->gid};
    char profile[64];
    if (!msg_empty_get(body, &m))
        return false;
    memcpy(c->state_path, s->places[CONFINE_STATE], sizeof c->state_path);
    for (size_t i = 0; i < CONFINE_PLACES_COUNT; i++)
        params.places[i] = s->places[i][0] != '\0' ? s->places[i] : NULL;
    snprintf(profile, sizeof profile, "%s-%s", c->daemon->name, c->role->name);
    const struct confine_profile *row = confine_find(profile);
    int r = row == NULL ? RAISE(FAULT_CONFINE) : confine_enter(row, &params, &c->report);
    if (r < 0) {
        proc_child_fail(c, r, "cannot confine this role");
        return true;
    }
    r = c->role->on_start(c);
    if (r < 0) {
        proc_child_fail(c, r, "cannot start");
        return true;
    }
    s->state = RUNNING;
    struct msg_ready ready = {.landlock_abi = (uint32_t)c->report.landlock_abi,
                              .dropped = bytes_of_text(c->report.dropped)};
    r = msg_ready_put(&s->parent.out, PROC_READY, &ready);
    if (r < 0)
        proc_child_fail(c, r, "cannot report readiness");
    return true;
}

static bool on_ping(struct proc_child_state *s, struct bytes body)
{
    struct msg_empty m;
    return msg_empty_get(body, &m) && msg_empty_put(&s->parent.out, PROC_PONG, &m) == 0;
}

static bool on_reload(struct proc_child_state *s, struct bytes body)
{
    if (!on_conf(s, body))
        return false;
    log_set_level(proc_log_level(s->child->daemon, &s->child->conf));
    if (s->child->role->on_reload != NULL)
        s->child->role->on_reload(s->child);
    return true;
}

static bool on_answer(struct proc_child_state *s, struct bytes body)
{
    struct msg_answer m;
    if (!msg_answer_get(body, &m) || s->child->role->on_answer == NULL)
        return false;
    if (m.question == PROC_ASK_ROLE && m.is_good && (s->answer_fd = chan_take_fd(&s->parent)) < 0)
        return false;
    s->child->role->on_answer(s->child, &m);
    file_drop_fd(&s->answer_fd);
    s->answer_fd = -1;
    return true;
}

static bool on_spawn(struct proc_child_state *s, struct bytes body)
{
    struct msg_spawn m;
    SCOPED(file_drop_fd) int fd = chan_take_fd(&s->parent);
    if (!msg_spawn_get(body, &m) || fd < 0 || !s->child->role->is_starter)
        return false;
    return proc_starter_spawn(s->child, &m, TAKE_FD(fd));
}

static bool on_dismiss(struct proc_child_state *s, struct bytes body)
{
    struct msg_spawn m;
    if (!msg_spawn_get(body, &m) || !s->child->role->is_starter)
        return false;
    proc_starter_dismiss(s->child, m.token);
    return true;
}

static bool on_sibling(struct proc_child_state *s, struct bytes body)
{
    struct msg_sibling m;
    struct proc_child *c = s->child;
    if (!msg_sibling_get(body, &m) || c->siblings_count == COUNT_OF(c->siblings))
        return false;
    struct proc_sibling *to = &c->siblings[c->siblings_count++];
    to->instance = m.instance;
    to->pid = m.pid;
    to->landlock_abi = m.landlock_abi;
    return text_copy(to->role, sizeof to->role, m.role) && text_copy(to->dropped, sizeof to->dropped, m.dropped);
}

static bool on_stop(struct proc_child_state *s, struct bytes body)
{
    struct msg_empty m;
    if (!msg_empty_get(body, &m))
        return false;
    s->state = STOPPING;
    s->child->role->on_stop(s->child);
    return true;
}

static const struct handler {
    uint16_t type;
    unsigned states; /* in which the message is legal */
    bool is_once;
    bool (*handle)(struct proc_child_state *s, struct bytes body);
} handlers[] = {
    {PROC_CONF, SETTING_UP, true, on_conf},
    {PROC_LINK, SETTING_UP, false, on_link},
    {PROC_FILE, SETTING_UP | RUNNING, false, on_file},
    {PROC_PLACE, SETTING_UP, false, on_place},
    {PROC_START, SETTING_UP, true, on_begin},
    {PROC_PING, RUNNING | STOPPING, false, on_ping},
    {PROC_RELOAD, RUNNING, false, on_reload},
    {PROC_ANSWER, RUNNING | STOPPING, false, on_answer},
    {PROC_SIBLING, RUNNING | STOPPING, false, on_sibling},
    {PROC_STOP, RUNNING, true, on_stop},
    {PROC_SPAWN, RUNNING, false, on_spawn},
    {PROC_DISMISS, RUNNING | STOPPING, false, on_dismiss},
};

static bool dispatch(struct proc_child_state *s, uint16_t type, struct bytes body)
{
    static_assert(COUNT_OF(handlers) <= 32, "one bit of `seen` a row");
    for (size_t i = 0; i < COUNT_OF(handlers); i++) {
        const struct handler *h = &handlers[i];
        if (h->type != type)
            continue;
        if ((h->states & s->state) == 0 || (h->is_once && (s->seen & 1u << i) != 0))
            return false;
        s->seen |= 1u << i;
        return h->handle(s, body);
    }
    return false;
}

static void on_event(struct loop_source *source, unsigned events)
{
    struct proc_child_state *s = CONTAINER_OF(source, struct proc_child_state, source);
    uint16_t type;
    struct bytes body;
    size_t used;
    int r = 0, filled = 0;
    if ((events & (LOOP_READ | LOOP_HANGUP)) != 0)
        filled = chan_fill(&s->parent);
    while (filled >= 0 && (r = msg_next(buf_view(&s->parent.in), &type, &body, &used)) == 0) {
        if (!dispatch(s, type, body)) {
            proc_child_fail(s->child, RAISE(FAULT_PROTOCOL), "the parent sent a message that is not legal now");
            return;
        }
        buf_consume(&s->parent.in, used);
    }
    if (filled == CHAN_CLOSED)
        proc_child_end(s->child, PROC_ORPHANED); /* the parent died; nobody may go on without it */
    else if (filled < 0 || r < 0)
        proc_child_fail(s->child, filled < 0 ? filled : r, "cannot hear the parent");
}

static void on_turn_end(struct loop_hook *hook)
{
    struct proc_child_state *s = CONTAINER_OF(hook, struct proc_child_state, hook);
    int r = chan_flush(&s->parent);
    unsigned events = r == CHAN_BLOCKED ? LOOP_READ | LOOP_WRITE : LOOP_READ;
    if (r < 0 || loop_modify(&s->source, events) < 0)
        proc_child_end(s->child, 1);
}

static const struct proc_role *find_role(const struct proc_daemon *daemon, const char *name)
{
    for (size_t i = 0; i < daemon->roles_count; i++) {
        if (strcmp(daemon->roles[i].name, name) == 0)
            return &daemon->roles[i];
    }
    return NULL;
}

static int begin(struct proc_child_state *s)
{
    TRY(loop_new(&s->child->loop));
    TRY(chan_init(&s->parent, SPAWN_CHANNEL_FD, PROC_CHAN_MAX_BYTES));
    s->source.on_event = on_event;
    TRY(loop_add(s->child->loop, &s->source, s->parent.fd, LOOP_READ));
    s->hook.on_turn_end = on_turn_end;
    list_init(&s->hook.link);
    loop_add_hook(s->child->loop, &s->hook);
    return loop_run(s->child->loop);
}

static void end(struct proc_child_state *s)
{
    struct proc_child *c = s->child;
    if (c->role->on_end != NULL)
        c->role->on_end(c);
    for (size_t i = 0; i < s->files_count; i++)
        file_drop_fd(&s->files[i].fd);
    for (size_t i = 0; i < c->links_count; i++)
        file_drop_fd(&c->links[i].fd);
    loop_remove(&s->source);
    loop_remove_hook(&s->hook);
    chan_fini(&s->parent);
    loop_free(c->loop);
}

/* A terminal and a service manager signal every process of the group: the parent answers, and tells the roles to stop.
 */
static void ignore_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT};
    for (size_t i = 0; i < COUNT_OF(signals); i++)
        (void)signal(signals[i], SIG_IGN);
}

/* What ps and top show: without it every role would be called "exe", after /proc/self/exe. */
static void name_process(const struct proc_daemon *daemon, const struct proc_role *role)
{
    char name[16]; /* the kernel's limit, PR_SET_NAME */
    snprintf(name, sizeof name, "%.7s-%.7s", daemon->name, role->name);
    (void)prctl(PR_SET_NAME, name);
}

/* A role on demand: no configuration, no places and no loop; its profile, its channel, and its function. */
static int run_on_demand(const struct proc_daemon *daemon, const struct proc_role *role, const char *root)
{
    char profile[64], state[PROC_PATH_MAX_BYTES], config[PROC_PATH_MAX_BYTES];
    struct confine_params params = {.uid = (uid_t)-1, .gid = (gid_t)-1};
    struct confine_report report;
    snprintf(profile, sizeof profile, "%s-%s", daemon->name, role->name);
    const struct confine_profile *row = confine_find(profile);
    int r = row == NULL ? RAISE(FAULT_CONFINE) : proc_path(root, daemon->state_path, state);
    if (r == 0)
        r = proc_path(root, daemon->conf_path, config);
    if (r == 0) {
        char *slash = strrchr(config, '/');
        assert(slash != NULL);
        *slash = '\0';
        params.places[CONFINE_STATE] = state;
        params.places[CONFINE_CONFIG] = config;
        r = confine_enter(row, &params, &report);
    }
    if (r == 0 && fcntl(SPAWN_CHANNEL_FD, F_SETFD, FD_CLOEXEC) < 0)
        r = RAISE(-errno);
    if (r < 0) {
        proc_log_fault(r, "cannot confine this role");
        return 1;
    }
    return role->on_demand(SPAWN_CHANNEL_FD, root);
}

int proc_role_main(const struct proc_daemon *daemon, const struct proc_args *args)
{
    static struct proc_child_state state; /* one role a process */
    static struct proc_child child;
    struct proc_child_state *s = &state;
    struct proc_child *c = &child;
    *s =
        (struct proc_child_state){.child = c, .state = SETTING_UP, .uid = (uid_t)-1, .gid = (gid_t)-1, .answer_fd = -1};
    c->daemon = daemon;
    c->role = find_role(daemon, args->role);
    c->instance = args->instance;
    c->root = args->root;
    c->hidden = s;
    if (c->role == NULL)
        return 1;
    list_init(&s->hook.link);
    log_open(daemon->name, c->role->name, LOG_LEVEL_INFO);
    name_process(daemon, c->role);
    if (c->role->on_demand != NULL)
        return run_on_demand(daemon, c->role, args->root);
    ignore_signals();
    int r = begin(s);
    if (r < 0)
        proc_log_fault(r, "the event loop failed");
    end(s);
    return r < 0 ? 1 : r;
}
