/* main - arguments, files, confinement of a follower, and what `status` shows; see follow.h. */
#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "confine/confine.h"
#include "crypt/secret.h"
#include "follow/follow.h"
#include "follow/loop.h"
#include "os/file.h"
#include "os/ready.h"
#include "wire/doc.h"
#include "wire/yaml.h"

#define PLACE_FOLLOW_CONF "/etc/secreg/follow.yaml"
#define PLACE_DAEMON_FOLDER "/run/secreg"
#define PLACE_DAEMON PLACE_DAEMON_FOLDER "/socket"
#define PLACE_JOURNAL "/run/systemd/journal"

enum { EXIT_USAGE = 2 };

static const char usage[] =
    "usage: secreg-follow [--root DIR] [--once] journal|syslog|files|witness|remote|kernel\n"
    "       secreg-follow [--root DIR] [--json] status\n"
    "       secreg-follow [--root DIR] --check-config | --dump-config | --help | --version\n"
    "Sends the records of the registry's trail to one place, and remembers how far it is; see secreg-follow(8).\n"
    "  --root DIR       use DIR/etc, DIR/run and DIR/var instead of /etc, /run and /var (also: SECREG_ROOT)\n"
    "  --once           end when everything is kept there\n"
    "  --json           the status as one JSON object\n"
    "  --check-config   read the configuration, say what is wrong with it, and end\n"
    "  --dump-config    print the configuration in force and end\n";

struct line {
    const char *root, *verb;
    bool is_once, is_json, checks, dumps;
};

PRINTF_LIKE(2, 3) static int complain(int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("secreg-follow: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return status;
}

/* Returns 0, or -1: the exit status is *ret_status. */
static int read_line(int argc, char **argv, struct line *l, int *ret_status)
{
    static const struct option options[] = {
        {"root", required_argument, NULL, 'r'},  {"once", no_argument, NULL, 'o'},
        {"json", no_argument, NULL, 'j'},        {"check-config", no_argument, NULL, 'c'},
        {"dump-config", no_argument, NULL, 'd'}, {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},     {0}};
    int c;
    *ret_status = EXIT_USAGE;
    while ((c = getopt_long(argc, argv, "hV", options, NULL)) != -1) {
        if (c == 'h' || c == 'V') {
            fputs(c == 'h' ? usage : "secreg-follow " SECREG_VERSION "\n", stdout);
            *ret_status = 0;
            return -1;
        }
        if (c == 'r')
            l->root = optarg;
        else if (c == 'o')
            l->is_once = true;
        else if (c == 'j')
            l->is_json = true;
        else if (c == 'c')
            l->checks = true;
        else if (c == 'd')
            l->dumps = true;
        else
            return -1;
    }
    bool is_conf = l->checks || l->dumps;
    if (argc - optind != (is_conf ? 0 : 1)) {
        fputs(usage, stderr);
        return -1;
    }
    l->verb = argv[optind]; /* NULL with --check-config and --dump-config */
    return 0;
}

static int join(const char *root, const char *path, char ret[static SINK_PATH_MAX_BYTES])
{
    int n = snprintf(ret, SINK_PATH_MAX_BYTES, "%s%s", root, path);
    return n < 0 || n >= SINK_PATH_MAX_BYTES ? RAISE(FAULT_LIMIT) : 0;
}

/* ---- configuration --------------------------------------------------------------------------------------- */

static int load_conf(const char *root, struct conf_values *ret_values)
{
    char path[SINK_PATH_MAX_BYTES], why[CONF_WHY_BYTES];
    struct buf text;
    TRY(join(root, PLACE_FOLLOW_CONF, path));
    buf_init(&text, YAML_TEXT_MAX_BYTES);
    int r = file_read_path(path, &text);
    if (r == 0 || r == FILE_ABSENT)
        r = conf_parse(&follow_options, buf_view(&text), ret_values, why);
    buf_fini(&text);
    if (r == CONF_BAD)
        return complain(1, "%s: %s", path, why);
    return r < 0 ? complain(1, "%s: %s", path, fault_text(r)) : 0;
}

static int show_conf(const struct line *l, const struct conf_values *values)
{
    struct buf text;
    if (!l->dumps)
        return 0;
    buf_init(&text, YAML_TEXT_MAX_BYTES);
    int r = conf_dump(&follow_options, values, &text);
    if (r == 0)
        r = file_write_all(STDOUT_FILENO, buf_view(&text));
    buf_fini(&text);
    return r < 0 ? complain(1, "cannot show the configuration: %s", fault_text(r)) : 0;
}

/* ---- status ---------------------------------------------------------------------------------------------- */

static int put_status(struct buf *doc, const char *name, const struct cursor *c)
{
    char time[CLOCK_TEXT_BYTES];
    clock_wall_text((struct wall_time){c->saved_us}, time);
    TRY(doc_key(doc, name));
    TRY(doc_map_begin(doc));
    TRY(doc_put_int(doc, "next", (int64_t)c->place.next));
    TRY(doc_put_int(doc, "gaps", (int64_t)c->gaps));
    TRY(doc_put_int(doc, "other_trails", (int64_t)c->others));
    TRY(doc_put_text(doc, "saved", bytes_of_text(time)));
    if (c->anchored_us != 0) {
        clock_wall_text((struct wall_time){c->anchored_us}, time);
        TRY(doc_put_int(doc, "size", (int64_t)c->size));
        TRY(doc_put_text(doc, "anchored", bytes_of_text(time)));
    }
    TRY(doc_put_text(doc, "trouble", bytes_of_text(c->why)));
    return doc_map_end(doc);
}

static void print_status(const char *name, const struct cursor *c)
{
    char time[CLOCK_TEXT_BYTES];
    clock_wall_text((struct wall_time){c->saved_us}, time);
    printf("%-8s  kept to record %llu, %llu missed; saved %s", name, (unsigned long long)c->place.next,
           (unsigned long long)c->gaps, time);
    if (c->anchored_us != 0) {
        int64_t age_s = (clock_wall_now().us - c->anchored_us) / US_PER_S;
        printf("; newest head of %llu records, %lld s ago", (unsigned long long)c->size, (long long)age_s);
    }
    printf("%s%s\n", c->why[0] != '\0' ? "; waits: " : "", c->why);
}

/* Returns 0, CURSOR_ABSENT, or a fault. */
static int look_at(const struct line *l, const struct sink_kind *kind, struct cursor *ret_cursor)
{
    char path[SINK_PATH_MAX_BYTES], name[32];
    SCOPED(file_drop_fd) int folder = -1;
    TRY(join(l->root, kind->cursors, path));
    int r = file_open_folder(path, &folder);
    if (r != 0)
        return r == FILE_ABSENT ? (int)CURSOR_ABSENT : r;
    (void)snprintf(name, sizeof name, "%s.cursor", kind->name);
    return cursor_look(folder, name, ret_cursor);
}

static int look_at_all(const struct line *l, struct buf *doc, int *ret_status)
{
    TRY(doc_map_begin(doc));
    for (size_t i = 0; sink_kind_at(i) != NULL; i++) {
        struct cursor c;
        const struct sink_kind *kind = sink_kind_at(i);
        int r = look_at(l, kind, &c);
        if (r < 0)
            *ret_status = complain(1, "%s: %s", kind->name, fault_text(r));
        else if (r == 0 && l->is_json)
            TRY(put_status(doc, kind->name, &c));
        else if (r == 0)
            print_status(kind->name, &c);
    }
    return doc_map_end(doc);
}

static int show_status(const struct line *l)
{
    struct buf doc, json;
    int status = 0;
    buf_init(&doc, 65536);
    buf_init(&json, 65536);
    int r = look_at_all(l, &doc, &status);
    if (r == 0 && l->is_json)
        r = doc_to_json(&json, buf_view(&doc));
    if (r == 0 && l->is_json)
        printf("%.*s\n", BYTES_PRINT(buf_view(&json)));
    buf_fini(&doc);
    buf_fini(&json);
    return r < 0 ? complain(1, "cannot show the status: %s", fault_text(r)) : status;
}

/* ---- one follower ---------------------------------------------------------------------------------------- */

/* As root of a whole system it becomes its own user; else it stays who it is. */
static int find_user(const char *root, const char *user, struct confine_params *params)
{
    params->uid = (uid_t)-1;
    params->gid = (gid_t)-1;
    if (geteuid() != 0 || root[0] != '\0')
        return 0;
    const struct passwd *p = getpwnam(user);
    if (p == NULL)
        return complain(1, "there is no user %s", user);
    params->uid = p->pw_uid;
    params->gid = p->pw_gid;
    return 0;
}

static int open_cursor(const char *root, const struct confine_params *params, const struct sink_kind *kind,
                       struct follow_loop *f)
{
    char path[SINK_PATH_MAX_BYTES], name[32];
    SCOPED(file_drop_fd) int folder = -1;
    TRY(join(root, kind->cursors, path));
    TRY(file_make_folders(path, kind->is_faithful ? kind->folder_mode : 0750));
    int r = file_open_folder(path, &folder);
    if (r != 0)
        return r < 0 ? r : RAISE(-ENOENT);
    if (params->uid != (uid_t)-1 && fchown(folder, params->uid, params->gid) < 0)
        return RAISE(-errno);
    (void)snprintf(name, sizeof name, "%s.cursor", kind->name);
    TRY(cursor_open(folder, name, &f->file, &f->cursor));
    return params->uid != (uid_t)-1 && fchown(f->file.fd, params->uid, params->gid) < 0 ? RAISE(-errno) : 0;
}

static int open_signals(int *ret_fd)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signal(SIGHUP, SIG_IGN) == SIG_ERR ||
        signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return RAISE(-errno);
    *ret_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return *ret_fd < 0 ? RAISE(-errno) : 0;
}

/* Everything that the profile will forbid, then the profile. */
static int enter(const struct line *l, const struct sink_kind *kind, struct confine_params *params, int64_t port,
                 struct follow_loop *f, int *ret_signal_fd)
{
    char socket[SINK_PATH_MAX_BYTES], files[SINK_PATH_MAX_BYTES], daemon[SINK_PATH_MAX_BYTES];
    char journal[SINK_PATH_MAX_BYTES];
    struct confine_report report;
    const struct confine_profile *profile = confine_find(kind->profile);
    TRY(join(l->root, PLACE_DAEMON, socket));
    TRY(join(l->root, kind->folder != NULL ? kind->folder : "", files));
    TRY(join(l->root, PLACE_DAEMON_FOLDER, daemon));
    TRY(join(l->root, PLACE_JOURNAL, journal));
    TRY(source_init(&f->source, socket));
    TRY(open_cursor(l->root, params, kind, f));
    TRY(open_signals(ret_signal_fd));
    int r = ready_open();
    TRY(r);
    params->places[CONFINE_STATE] = kind->folder != NULL ? files : NULL;
    params->places[CONFINE_RUN] = daemon;
    params->places[CONFINE_PEER] = journal;
    params->tcp_port = (uint16_t)port;
    if (profile == NULL)
        return RAISE(FAULT_CONFINE);
    TRY(confine_enter(profile, params, &report));
    if (report.dropped[0] != '\0')
        LOG_INFO("not held: %s", report.dropped);
    return 0;
}

static int run(const struct line *l, const struct sink_kind *kind, const struct conf_values *conf)
{
    static struct follow_loop f;
    static const enum log_level levels[] = {LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG};
    struct confine_params params = {0};
    char why[SOURCE_WHY_BYTES] = "";
    int signal_fd = -1, status = find_user(l->root, kind->user, &params);
    if (status != 0)
        return status;
    log_open("secreg-follow", kind->name, levels[conf->v[FOLLOW_LOG_LEVEL]]);
    struct sink_setup setup = {.root = l->root, .conf = conf, .uid = params.uid, .gid = params.gid};
    f.is_once = l->is_once;
    f.file.fd = -1;
    int r = crypt_start();
    if (r >= 0)
        r = kind->make(&setup, &f.sink, why);
    if (r == 0)
        r = enter(l, kind, &params, kind->port_option > 0 ? conf->v[kind->port_option] : 0, &f, &signal_fd);
    if (r == SINK_BAD)
        status = complain(1, "%s: %s", kind->name, why);
    else if (r < 0)
        status = complain(1, "%s: cannot start: %s", kind->name, fault_text(r));
    else
        status = follow_loop_run(&f, signal_fd);
    if (f.sink != NULL)
        kind->free(f.sink);
    source_fini(&f.source);
    file_drop_fd(&f.file.fd);
    file_drop_fd(&signal_fd);
    ready_close();
    return status;
}

int follow_main(int argc, char **argv)
{
    const char *env = secure_getenv("SECREG_ROOT");
    struct line l = {.root = env != NULL ? env : ""};
    struct conf_values conf;
    int status;
    if (read_line(argc, argv, &l, &status) != 0)
        return status;
    char *root = *l.root != '\0' ? realpath(l.root, NULL) : NULL;
    if (*l.root != '\0' && root == NULL)
        return complain(1, "%s: %s", l.root, strerrordesc_np(errno));
    l.root = root != NULL && strcmp(root, "/") != 0 ? root : "";
    status = l.verb != NULL && strcmp(l.verb, "status") == 0 ? show_status(&l) : load_conf(l.root, &conf);
    if (status == 0 && l.verb == NULL)
        status = show_conf(&l, &conf);
    else if (status == 0 && strcmp(l.verb, "status") != 0) {
        const struct sink_kind *kind = sink_kind_find(l.verb);
        status = kind != NULL ? run(&l, kind, &conf) : complain(EXIT_USAGE, "%s: no such place; see --help", l.verb);
    }
    free(root);
    return status;
}
