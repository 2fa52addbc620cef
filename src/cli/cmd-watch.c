/*
 * cmd-watch - the verb watch; see verbs.h. Changes are shown, or a command is run, a whole revision at a time: the
 * client library sees to it that none is missed and none comes twice, however often the daemon goes away.
 *
 * Invariant: a command hears of paths, never of values.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "model/outcome.h"
#include "model/path.h"
#include "os/file.h"
#include "os/memfile.h"
#include "os/spawn.h"

#define WATCH_SOCKET "/run/secreg/socket"
#define WATCH_ROOT "/registry"

enum {
    WATCH_LOOK_MS = 1000, /* how often it is seen whether the daemon is away */
    WATCH_PATHS_MAX_BYTES = 64 << 20,
    WATCH_ENV_MAX_BYTES = 32 << 10, /* of paths in the environment; standard input has them all */
    WATCH_LINE_MAX_BYTES = 16 << 20,
};

struct follow {
    struct cli *cli;
    struct secreg_watch *watch;
    const char *command; /* NULL: lines are shown */
    struct buf paths;    /* of the revision, a line each */
    bool is_away;        /* and that was said */
};

/* ---- lines --------------------------------------------------------------------------------------------------------
 */

static int append_cell(struct buf *out, struct bytes line, const char *member, enum out_kind kind, size_t width)
{
    struct buf cell;
    size_t before = buf_size(out);
    buf_init_wiping(&cell, WATCH_LINE_MAX_BYTES);
    int r = out_member(&cell, line, member, kind);
    if (r == 0)
        r = text_escape(out, buf_view(&cell));
    buf_fini(&cell);
    while (r == 0 && buf_size(out) - before < width)
        r = buf_append_text(out, " ");
    return r;
}

/* A note behind the path: nothing if the line has no such member. */
static int append_note(struct buf *out, struct bytes line, const char *before, const char *member)
{
    struct bytes raw;
    if (!secreg_member(line, member, &raw))
        return 0;
    TRY(buf_append_text(out, before));
    return append_cell(out, line, member, OUT_TEXT, 0);
}

/* Lines that are shown one at a time cannot be aligned by what comes later: columns have a usual width. */
static int append_line(struct buf *out, struct bytes line)
{
    static const struct {
        const char *member;
        enum out_kind kind;
        size_t width;
    } cells[] = {{"revision", OUT_TEXT, 8}, {"time", OUT_TEXT, 24},   {"changed_by", OUT_USER, 10},
                 {"kind", OUT_TEXT, 7},     {"version", OUT_TEXT, 4}, {"path", OUT_TEXT, 0}};
    for (size_t i = 0; i < COUNT_OF(cells); i++) {
        TRY(buf_append_text(out, i > 0 ? " " : ""));
        TRY(append_cell(out, line, cells[i].member, cells[i].kind, cells[i].width));
    }
    TRY(append_note(out, line, " <- ", "from"));
    TRY(append_note(out, line, " -> ", "to"));
    TRY(append_note(out, line, " = ", "value"));
    return buf_append_text(out, "\n");
}

static int show(struct follow *f, struct bytes line, bool is_last)
{
    struct buf out;
    buf_init_wiping(&out, WATCH_LINE_MAX_BYTES);
    int r = f->cli->is_json ? buf_append(&out, line) : append_line(&out, line);
    if (r == 0)
        r = out_write(&out);
    buf_fini(&out);
    if (r == 0 && is_last && fflush(stdout) != 0)
        r = RAISE(-errno);
    return cli_fault(f->cli, r, "cannot show the changes");
}

/* ---- the command --------------------------------------------------------------------------------------------------
 */

static int set_environment(struct follow *f, struct bytes revision)
{
    char number[24];
    struct bytes paths = buf_view(&f->paths);
    if (!text_copy(number, sizeof number, revision) || setenv("SECREG_REVISION", number, 1) != 0)
        return RAISE(-errno);
    if (paths.n > WATCH_ENV_MAX_BYTES)
        return unsetenv("SECREG_PATHS") == 0 ? 0 : RAISE(-errno);
    char *text = strndup((const char *)paths.p, paths.n - 1); /* without the last line end */
    int r = text != NULL && setenv("SECREG_PATHS", text, 1) == 0 ? 0 : RAISE(-ENOMEM);
    free(text);
    return r;
}

/* Standard input of the command is a file in memory with the paths; ours is put back. */
static int run_command(struct follow *f, int *ret_status)
{
    char shell[] = "sh", dash_c[] = "-c";
    char *command = strdup(f->command), *argv[] = {shell, dash_c, command, NULL};
    int fd = -1, saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int r = command != NULL ? memfile_make("secreg-paths", buf_view(&f->paths), &fd) : RAISE(-ENOMEM);
    if (r == 0 && (fflush(stdout) != 0 || dup2(fd, STDIN_FILENO) < 0))
        r = RAISE(-errno);
    if (r == 0)
        r = spawn_program("/bin/sh", argv, -1, ret_status);
    if (saved >= 0 && dup2(saved, STDIN_FILENO) < 0 && r == 0)
        r = RAISE(-errno);
    file_drop_fd(&saved);
    file_drop_fd(&fd);
    free(command);
    return r;
}

static int take_path(struct follow *f, struct bytes line)
{
    TRY(out_member(&f->paths, line, "path", OUT_TEXT));
    return buf_append_text(&f->paths, "\n");
}

/* A command that fails is told of, and the next revision is its next chance. */
static int execute(struct follow *f, struct bytes line, bool is_last)
{
    struct bytes revision = BYTES_NONE;
    int status = 0;
    int r = take_path(f, line);
    if (r != 0 || !is_last)
        return cli_fault(f->cli, r, "cannot take the changes");
    if (secreg_member(line, "revision", &revision))
        r = set_environment(f, revision);
    if (r == 0)
        r = run_command(f, &status);
    buf_clear(&f->paths);
    if (r == 0 && status != 0)
        cli_warn(f->cli, "revision %.*s: the command %s", BYTES_PRINT(revision), spawn_status_text(status));
    return cli_fault(f->cli, r, "cannot run the command");
}

/* ---- following ----------------------------------------------------------------------------------------------------
 */

static int failed(struct follow *f)
{
    unsigned outcome = outcome_of_code(bytes_of_text(secreg_watch_error_code(f->watch)));
    return cli_error(f->cli, outcome < OUTCOME_COUNT ? outcome : OUTCOME_INTERNAL, "%s",
                     secreg_watch_error_text(f->watch));
}

static void note_daemon(struct follow *f)
{
    if (!f->watch->is_joined && !f->is_away)
        cli_warn(f->cli, "%s; it is waited for", secreg_watch_error_text(f->watch));
    else if (f->watch->is_joined && f->is_away)
        cli_note(f->cli, "the watch goes on behind revision %llu", (unsigned long long)secreg_watch_revision(f->watch));
    f->is_away = !f->watch->is_joined;
}

/* Goes on until a signal ends the program, or the watch ends for good. */
static int follow(struct follow *f)
{
    int status = secreg_watch_join(f->watch) == SECREG_OK ? 0 : failed(f);
    while (status == 0) {
        struct bytes line;
        struct secreg_watch_line l;
        if (secreg_watch_take(f->watch, WATCH_LOOK_MS, &line) != SECREG_OK)
            return failed(f);
        note_daemon(f);
        if (line.n == 0)
            continue;
        bool is_last = secreg_watch_see(line, &l) && l.is_last;
        status = f->command != NULL ? execute(f, line, is_last) : show(f, line, is_last);
    }
    return status;
}

static int open_watch(struct follow *f, const char *path, const struct secreg_watch_options *options)
{
    const char *why;
    char socket_path[SECREG_SOCKET_MAX_BYTES], plain[PATH_MAX_BYTES + 1];
    struct bytes text = bytes_of_text(path);
    if (text.n > 1 && text.p[text.n - 1] == '/')
        text.n--;
    if (!path_check(text, &why) || !text_copy(plain, sizeof plain, text))
        return cli_error(f->cli, OUTCOME_BAD_PATH, "not a valid path: %s", why);
    int n = snprintf(socket_path, sizeof socket_path, "%s" WATCH_SOCKET, f->cli->root);
    if (n < 0 || (size_t)n >= sizeof socket_path)
        return cli_error(f->cli, OUTCOME_BAD_REQUEST, "the path of the socket below the root is longer than 107 bytes");
    enum secreg_result result = secreg_watch_new(socket_path, plain, options, &f->watch);
    return result == SECREG_OK ? 0 : cli_fault(f->cli, -ENOMEM, "cannot watch");
}

int cmd_watch(struct cli *cli, const struct args *args)
{
    struct follow f = {.cli = cli, .command = args_value(args, "exec")};
    struct secreg_watch_options options = {.has_since = args_has(args, "since"), .values = args_has(args, "values")};
    int status = cli_number_option(cli, "since", INT64_MAX, &options.since);
    if (status == 0 && f.command != NULL && (options.values || cli->is_json))
        status = cli_usage_error(cli, "--exec shows nothing, and its command hears of no values: "
                                      "--values and --json do not go with it");
    if (status != 0)
        return status;
    buf_init(&f.paths, WATCH_PATHS_MAX_BYTES);
    status = open_watch(&f, args->operands_count > 0 ? args->operands[0] : WATCH_ROOT, &options);
    if (status == 0)
        status = follow(&f);
    secreg_watch_close(f.watch);
    buf_fini(&f.paths);
    return status;
}
