/* proc-main - arguments and configuration of a daemon; see proc.h. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "os/file.h"
#include "proc/proc-internal.h"
#include "wire/yaml.h"

enum { EXIT_USAGE = 2 };

void proc_log_fault(int fault, const char *what)
{
    int line;
    const char *file = fault_origin(&line);
    LOG_ERROR("%s: %s (%s:%d)", what, fault_text(fault), file, line);
}

int proc_path(const char *root, const char *path, char *ret)
{
    int n = snprintf(ret, PROC_PATH_MAX_BYTES, "%s%s", root, path);
    return n < 0 || n >= PROC_PATH_MAX_BYTES ? RAISE(FAULT_LIMIT) : 0;
}

enum log_level proc_log_level(const struct proc_daemon *daemon, const struct conf_values *values)
{
    static const enum log_level levels[] = {LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG};
    int64_t v = values->v[daemon->log_option];
    assert(v >= 0 && v < (int64_t)COUNT_OF(levels));
    return levels[v];
}

int proc_conf_load(const struct proc_daemon *daemon, const char *root, struct conf_values *ret_values, char *why)
{
    char path[PROC_PATH_MAX_BYTES];
    struct buf text;
    assert(daemon->conf_path[0] == '/');
    TRY(proc_path(root, daemon->conf_path, path));
    buf_init(&text, YAML_TEXT_MAX_BYTES);
    int r = file_read_path(path, &text);
    if (r == FAULT_LIMIT) {
        snprintf(why, CONF_WHY_BYTES, "%s is larger than 256 KiB", daemon->conf_path);
        r = CONF_BAD;
    } else if (r == 0 || r == FILE_ABSENT) {
        r = conf_parse(daemon->schema, buf_view(&text), ret_values, why);
    }
    buf_fini(&text);
    return r;
}

static bool take_number(const char *text, uint64_t max, uint64_t *ret)
{
    return text != NULL && num_parse_u64(bytes_of_text(text), max, ret);
}

/* Returns true, or false after a message on a bad argument. */
static bool parse_args(int argc, char **argv, struct proc_args *a)
{
    enum { OPT_ROOT = 256, OPT_ROLE, OPT_INSTANCE, OPT_MODE, OPT_READY_FD, OPT_CHECK, OPT_DUMP };
    static const struct option options[] = {{"root", required_argument, NULL, OPT_ROOT},
                                            {"role", required_argument, NULL, OPT_ROLE},
                                            {"instance", required_argument, NULL, OPT_INSTANCE},
                                            {"mode", required_argument, NULL, OPT_MODE},
                                            {"ready-fd", required_argument, NULL, OPT_READY_FD},
                                            {"check-config", no_argument, NULL, OPT_CHECK},
                                            {"dump-config", no_argument, NULL, OPT_DUMP},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {NULL, 0, NULL, 0}};
    uint64_t number;
    int c;
    while ((c = getopt_long(argc, argv, "+hV", options, NULL)) != -1) {
        switch (c) {
        case OPT_ROOT:
            a->root = optarg;
            break;
        case OPT_ROLE:
            a->role = optarg;
            break;
        case OPT_MODE:
            a->mode = optarg;
            break;
        case OPT_INSTANCE:
            if (!take_number(optarg, PROC_INSTANCES_MAX_COUNT - 1, &number))
                return false;
            a->instance = (unsigned)number;
            break;
        case OPT_READY_FD:
            if (!take_number(optarg, 1023, &number))
                return false;
            a->ready_fd = (int)number;
            break;
        case OPT_CHECK:
            a->checks_conf = true;
            break;
        case OPT_DUMP:
            a->dumps_conf = true;
            break;
        case 'h':
            a->shows_help = true;
            break;
        case 'V':
            a->shows_version = true;
            break;
        default:
            return false;
        }
    }
    return a->mode != NULL || optind == argc;
}

static int show_conf(const struct proc_daemon *daemon, const struct proc_args *args)
{
    char why[CONF_WHY_BYTES];
    struct conf_values values;
    struct buf text;
    int r = proc_conf_load(daemon, args->root, &values, why);
    if (r == CONF_BAD) {
        fprintf(stderr, "%s: %s%s: %s\n", daemon->name, args->root, daemon->conf_path, why);
        return 1;
    }
    if (r == 0 && args->dumps_conf) {
        buf_init(&text, YAML_TEXT_MAX_BYTES);
        r = conf_dump(daemon->schema, &values, &text);
        if (r == 0)
            r = file_write_all(STDOUT_FILENO, buf_view(&text));
        buf_fini(&text);
    }
    if (r < 0)
        proc_log_fault(r, "cannot show the configuration");
    return r < 0 ? 1 : 0;
}

/* A relative root is made absolute once, so that messages, roles and confinement mean the same folder. */
static const char *absolute_root(const char *root)
{
    if (*root == '\0')
        return root;
    char *path = realpath(root, NULL); /* lives as long as the process */
    return path == NULL ? NULL : strcmp(path, "/") == 0 ? "" : path;
}

int proc_main(const struct proc_daemon *daemon, int argc, char **argv)
{
    const char *env = secure_getenv("SECREG_ROOT");
    struct proc_args args = {.root = env != NULL ? env : "", .ready_fd = -1};
    log_open(daemon->name, "", LOG_LEVEL_INFO);
    if (!parse_args(argc, argv, &args)) {
        fprintf(stderr, "%s", daemon->usage);
        return EXIT_USAGE;
    }
    if (args.shows_help || args.shows_version) {
        printf("%s", args.shows_help ? daemon->usage : "");
        if (args.shows_version)
            printf("%s %s\n", daemon->name, SECREG_VERSION);
        return 0;
    }
    if (args.role != NULL)
        return proc_role_main(daemon, &args);
    if (args.mode != NULL)
        return daemon->on_mode != NULL ? daemon->on_mode(args.mode, args.root, argc - optind, argv + optind)
                                       : EXIT_USAGE;
    const char *root = absolute_root(args.root);
    if (root == NULL) {
        fprintf(stderr, "%s: %s: %s\n", daemon->name, args.root, strerror(errno));
        return 1;
    }
    args.root = root;
    if (args.checks_conf || args.dumps_conf)
        return show_conf(daemon, &args);
    return proc_parent_main(daemon, &args);
}
