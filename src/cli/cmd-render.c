/*
 * cmd-render - the verb render; see verbs.h. The file is claimed before the first value is read, so that of two renders
 * at once the one that read later also writes later; it is replaced in one step when everything is known.
 *
 * Invariant: no part of a value is in a message, in the environment or arguments of the reload command, or in a file
 * that others than the readers of the output may read.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/num.h"
#include "cli/cli.h"
#include "cli/diff.h"
#include "cli/fetch.h"
#include "cli/out.h"
#include "cli/template.h"
#include "cli/verbs.h"
#include "model/outcome.h"
#include "os/draft.h"
#include "os/file.h"
#include "os/spawn.h"
#include "wire/doc.h"

#define HIDDEN "***"

enum { RENDER_MODE = 0600, RENDER_MODE_MAX = 0777, RENDER_WAIT_MS = 60000, RENDER_REPORT_MAX_BYTES = 65536 };

struct render {
    struct cli *cli;
    const char *template_path, *output, *reload;
    bool is_dry;
    struct draft_owner owner; /* as told; -1: not told */
    bool has_mode;

    struct template *template;
    struct buf text, out, marks;
    unsigned outcome; /* of the last question to the daemon */

    int folder; /* of the output */
    const char *name;
    struct draft draft;
    bool has_old;
    struct stat old_stat;
    struct buf old;
    bool has_other_bytes, has_other_owner;
    int reload_status;
    bool has_reloaded;
};

/* ---- options ------------------------------------------------------------------------------------------------------
 */

static int find_user(struct render *r, const char *text)
{
    uint64_t number;
    const struct passwd *user = text != NULL ? getpwnam(text) : NULL;
    if (user != NULL)
        r->owner.uid = user->pw_uid;
    else if (text != NULL && num_parse_u64(bytes_of_text(text), UINT32_MAX - 1, &number))
        r->owner.uid = (uid_t)number;
    else if (text != NULL)
        return cli_usage_error(r->cli, "this host has no such user: %s", text);
    return 0;
}

static int find_group(struct render *r, const char *text)
{
    uint64_t number;
    const struct group *group = text != NULL ? getgrnam(text) : NULL;
    if (group != NULL)
        r->owner.gid = group->gr_gid;
    else if (text != NULL && num_parse_u64(bytes_of_text(text), UINT32_MAX - 1, &number))
        r->owner.gid = (gid_t)number;
    else if (text != NULL)
        return cli_usage_error(r->cli, "this host has no such group: %s", text);
    return 0;
}

static int read_mode(struct render *r, const char *text)
{
    unsigned mode = 0;
    if (text == NULL)
        return 0;
    size_t n = strspn(text, "01234567");
    for (size_t i = 0; i < n && mode <= RENDER_MODE_MAX; i++)
        mode = mode * 8 + (unsigned)(text[i] - '0');
    if (n == 0 || text[n] != '\0' || mode > RENDER_MODE_MAX)
        return cli_usage_error(r->cli, "--mode takes an octal number up to 0777, such as 0640");
    r->owner.mode = mode;
    r->has_mode = true;
    return 0;
}

static int read_options(struct render *r, const struct args *args)
{
    static const char *const of_output[] = {"owner", "group", "mode", "reload", "dry-run"};
    r->template_path = args->operands[0];
    r->output = args->operands_count > 1 ? args->operands[1] : NULL;
    r->reload = args_value(args, "reload");
    r->is_dry = args_has(args, "dry-run");
    if (args_has(args, "check") && r->output != NULL)
        return cli_usage_error(r->cli, "--check reads the template only and takes no OUTPUT");
    for (size_t i = 0; r->output == NULL && i < COUNT_OF(of_output); i++) {
        if (args_has(args, of_output[i]))
            return cli_usage_error(r->cli, "--%s needs an OUTPUT", of_output[i]);
    }
    if (r->output == NULL && r->cli->is_json && !args_has(args, "check"))
        return cli_usage_error(r->cli, "--json needs an OUTPUT");
    int status = find_user(r, args_value(args, "owner"));
    if (status == 0)
        status = find_group(r, args_value(args, "group"));
    return status != 0 ? status : read_mode(r, args_value(args, "mode"));
}

/* ---- the template -------------------------------------------------------------------------------------------------
 */

static int bad_template(struct render *r, const struct template_error *e)
{
    return cli_error(r->cli, OUTCOME_BAD_VALUE, "%s:%zu:%zu: %s", r->template_path, e->line, e->column, e->why);
}

static int read_template(struct render *r)
{
    struct template_error error;
    bool is_stdin = strcmp(r->template_path, "-") == 0;
    int x = is_stdin ? file_read_all(STDIN_FILENO, &r->text) : file_read_path(r->template_path, &r->text);
    if (x == FAULT_LIMIT)
        return cli_error(r->cli, OUTCOME_TOO_LARGE, "a template has at most %d bytes", TEMPLATE_MAX_BYTES);
    x = x == FILE_ABSENT ? -ENOENT : x;
    if (x < 0)
        return cli_fault(r->cli, x, is_stdin ? "cannot read standard input" : r->template_path);
    x = template_parse(buf_view(&r->text), &r->template, &error);
    return x == TEMPLATE_BAD ? bad_template(r, &error) : cli_fault(r->cli, x, "cannot read the template");
}

static int source_result(struct render *r, int fault, unsigned outcome)
{
    r->outcome = outcome;
    if (fault < 0)
        return fault;
    return outcome == OUTCOME_DONE        ? 0
           : outcome == OUTCOME_NOT_FOUND ? TEMPLATE_ABSENT
           : outcome == OUTCOME_IS_FOLDER ? TEMPLATE_FOLDER
                                          : TEMPLATE_STOP;
}

static int source_get(void *arg, struct bytes path, struct buf *value)
{
    struct render *r = arg;
    unsigned outcome = OUTCOME_INTERNAL;
    int fault = fetch_value(r->cli, path, value, &outcome);
    return source_result(r, fault, outcome);
}

static int source_list(void *arg, struct bytes folder, struct buf *lines)
{
    struct render *r = arg;
    struct names names;
    unsigned outcome = OUTCOME_INTERNAL;
    names_init(&names);
    int fault = fetch_names(r->cli, folder, &names, &outcome);
    for (size_t i = 0; fault == 0 && i < names.count; i++) {
        fault = buf_append_text(lines, names.items[i]);
        if (fault == 0)
            fault = buf_append_text(lines, "\n");
    }
    names_fini(&names);
    return source_result(r, fault, outcome);
}

static int make_output(struct render *r)
{
    const struct template_source source = {.get = source_get, .list = source_list, .arg = r};
    struct template_error e;
    char about[TEMPLATE_WHY_BYTES + 1024];
    int x = template_render(r->template, &source, &r->out, r->is_dry ? &r->marks : NULL, &e);
    if (x <= 0)
        return cli_fault(r->cli, x, "cannot render");
    if (x == TEMPLATE_BAD)
        return bad_template(r, &e);
    snprintf(about, sizeof about, "%s:%zu:%zu: %s", r->template_path, e.line, e.column, e.why);
    return cli_refused(r->cli, r->outcome, about);
}

/* ---- the output ---------------------------------------------------------------------------------------------------
 */

static int cannot_write(struct render *r, int fault)
{
    return fault == 0 ? 0 : cli_error(r->cli, OUTCOME_INTERNAL, "%s: %s", r->output, fault_text(fault));
}

static int open_folder(struct render *r)
{
    char path[4096];
    const char *slash = strrchr(r->output, '/');
    r->name = slash != NULL ? slash + 1 : r->output;
    size_t n = slash != NULL ? (size_t)(slash - r->output) + 1 : 0;
    if (*r->name == '\0')
        return cli_usage_error(r->cli, "the output is a file, and this names a folder: %s", r->output);
    if (n >= sizeof path)
        return cannot_write(r, -ENAMETOOLONG);
    memcpy(path, n > 0 ? r->output : ".", n > 0 ? n : 1);
    path[n > 0 ? n : 1] = '\0';
    int x = file_open_folder(path, &r->folder);
    return cannot_write(r, x == FILE_ABSENT ? -ENOENT : x);
}

/* What cannot be read as a file is no output of ours: a link, a folder, a device. */
static int read_old(struct render *r)
{
    struct stat of_template;
    SCOPED(file_drop_fd) int fd = -1;
    int x = file_open(r->folder, r->name, O_RDONLY | O_NONBLOCK, 0, &fd);
    if (x == FILE_ABSENT)
        return 0;
    if (x == -ELOOP)
        return cli_error(r->cli, OUTCOME_INTERNAL, "%s: it is a symbolic link, and those are not followed", r->output);
    if (x < 0 || fstat(fd, &r->old_stat) < 0)
        return cannot_write(r, x < 0 ? x : -errno);
    if (!S_ISREG(r->old_stat.st_mode))
        return cli_error(r->cli, OUTCOME_INTERNAL, "%s: it is not a regular file", r->output);
    bool is_template = strcmp(r->template_path, "-") != 0 && stat(r->template_path, &of_template) == 0 &&
                       of_template.st_dev == r->old_stat.st_dev && of_template.st_ino == r->old_stat.st_ino;
    if (is_template)
        return cli_usage_error(r->cli, "the output is the template itself");
    r->has_old = true;
    x = file_read_all(fd, &r->old);
    return x == FAULT_LIMIT ? 0 : cannot_write(r, x); /* larger than any output: then its bytes differ */
}

/* Whoever is not told keeps what the file has, and a new file is for its owner only. */
static void compare(struct render *r)
{
    const struct stat *st = &r->old_stat;
    struct draft_owner *o = &r->owner;
    if (r->has_old && o->uid == (uid_t)-1)
        o->uid = st->st_uid;
    if (r->has_old && o->gid == (gid_t)-1)
        o->gid = st->st_gid;
    if (!r->has_mode)
        o->mode = r->has_old ? st->st_mode & 07777 : RENDER_MODE;
    r->has_other_bytes =
        !r->has_old || (size_t)st->st_size != buf_size(&r->old) || !bytes_equal(buf_view(&r->old), buf_view(&r->out));
    r->has_other_owner =
        r->has_old && (o->uid != st->st_uid || o->gid != st->st_gid || o->mode != (st->st_mode & 07777));
}

/* Standard output is for data, so what the command prints goes where messages go. */
static int reload(struct render *r)
{
    char shell[] = "sh", dash_c[] = "-c";
    char *command = strdup(r->reload), *argv[] = {shell, dash_c, command, NULL};
    int saved = command != NULL ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1) : -1;
    int x = command == NULL ? RAISE(-ENOMEM) : 0;
    if (x == 0 && (fflush(stdout) != 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0))
        x = RAISE(-errno);
    if (x == 0)
        x = spawn_program("/bin/sh", argv, -1, &r->reload_status);
    if (saved >= 0 && dup2(saved, STDOUT_FILENO) < 0 && x == 0)
        x = RAISE(-errno);
    file_drop_fd(&saved);
    free(command);
    r->has_reloaded = x == 0;
    if (x < 0)
        return cli_fault(r->cli, x, "the file is written, but the reload command cannot be run");
    return r->reload_status == 0 ? 0
                                 : cli_error(r->cli, OUTCOME_INTERNAL, "the file is written, but the reload command %s",
                                             spawn_status_text(r->reload_status));
}

/* The values are gone from memory before the command runs. */
static int replace(struct render *r)
{
    bool has_change = r->has_other_bytes || r->has_other_owner;
    int x = has_change ? draft_commit(&r->draft, buf_view(&r->out), &r->owner) : 0;
    draft_drop(&r->draft);
    buf_fini(&r->out);
    buf_fini(&r->old);
    secreg_close(r->cli->link);
    r->cli->link = NULL;
    if (x < 0)
        return cannot_write(r, x);
    cli_note(r->cli, "%s: %s", r->output, has_change ? "written" : "unchanged");
    return r->has_other_bytes && r->reload != NULL ? reload(r) : 0;
}

/* ---- what is shown ------------------------------------------------------------------------------------------------
 */

/* A line of the new text, each value in it hidden whatever its length. */
static int show_new(struct render *r, const struct diff_line *line, struct buf *out)
{
    const uint8_t *text = buf_view(&r->out).p, *marks = buf_view(&r->marks).p;
    for (size_t i = line->at, next; i < line->at + line->n; i = next) {
        next = i + 1;
        while (next < line->at + line->n && marks[next] == marks[i])
            next++;
        TRY(marks[i] ? buf_append_text(out, HIDDEN) : out_value(out, bytes_of(text + i, next - i)));
    }
    return 0;
}

struct showing {
    struct render *render;
    struct buf *out;
};

/* Of an old line nobody knows which part of it was a value. */
static int show_line(const struct diff_line *line, void *arg)
{
    const struct showing *s = arg;
    TRY(buf_print(s->out, "%c%5zu: ", line->is_new ? '+' : '-', line->number));
    TRY(line->is_new ? show_new(s->render, line, s->out) : buf_append_text(s->out, HIDDEN));
    return buf_append_text(s->out, "\n");
}

static int show_changes(struct render *r)
{
    struct buf out;
    struct showing s = {.render = r, .out = &out};
    buf_init_wiping(&out, CLI_TEXT_MAX_BYTES);
    int x = diff_lines(buf_view(&r->old), buf_view(&r->out), show_line, &s);
    if (x == 0 && r->has_other_owner)
        x = buf_print(&out, "owner %u:%u, mode %04o\n", r->owner.uid, r->owner.gid, r->owner.mode);
    if (x == 0)
        x = out_write(&out);
    buf_fini(&out);
    return cli_fault(r->cli, x, "cannot show the changes");
}

static int report(struct render *r)
{
    struct buf out;
    buf_init(&out, RENDER_REPORT_MAX_BYTES);
    int x = buf_append_text(&out, "{\"output\":");
    if (x == 0)
        x = doc_json_string(&out, bytes_of_text(r->output));
    if (x == 0)
        x = buf_print(&out, ",\"changed\":%s,\"owner_changed\":%s,\"dry_run\":%s,\"reload\":",
                      r->has_other_bytes ? "true" : "false", r->has_other_owner ? "true" : "false",
                      r->is_dry ? "true" : "false");
    if (x == 0)
        x = r->has_reloaded ? buf_append_text(&out, "0}") : buf_append_text(&out, "null}");
    if (x == 0)
        cli_print_json(buf_view(&out));
    buf_fini(&out);
    return cli_fault(r->cli, x, "cannot show the changes");
}

static int print_output(struct render *r)
{
    struct buf out;
    struct bytes text = buf_view(&r->out);
    if (!r->cli->is_tty_out)
        return cli_fault(r->cli, out_write(&r->out), "cannot write to standard output");
    buf_init_wiping(&out, CLI_TEXT_MAX_BYTES);
    int x = out_value(&out, text);
    if (x == 0)
        x = out_write(&out);
    buf_fini(&out);
    return cli_fault(r->cli, x, "cannot show the output");
}

/* ---- the verb -----------------------------------------------------------------------------------------------------
 */

static int render_file(struct render *r)
{
    int status = open_folder(r);
    if (status == 0)
        status = read_old(r); /* before anything is asked for: what cannot be replaced is told at once */
    if (status == 0 && !r->is_dry) {
        int x = draft_claim(&r->draft, r->folder, r->name, RENDER_WAIT_MS);
        status = x == DRAFT_HELD ? cli_error(r->cli, OUTCOME_LIMIT, "%s: another render of it is at work", r->output)
                                 : cannot_write(r, x);
        buf_clear(&r->old); /* the one before us may have written it */
        r->has_old = false;
        if (status == 0)
            status = read_old(r);
    }
    if (status == 0)
        status = make_output(r);
    if (status != 0)
        return status;
    compare(r);
    if (!r->is_dry)
        status = replace(r);
    else if (!r->cli->is_json)
        status = show_changes(r);
    return r->cli->is_json && status == 0 ? report(r) : status;
}

static int render(struct render *r, bool is_check)
{
    int status = read_template(r);
    if (status != 0 || is_check) {
        if (status == 0 && r->cli->is_json)
            status = cli_print_json(BYTES_LITERAL("{\"valid\":true}"));
        return status;
    }
    if (r->output != NULL)
        return render_file(r);
    status = make_output(r);
    return status != 0 ? status : print_output(r);
}

int cmd_render(struct cli *cli, const struct args *args)
{
    struct render r = {.cli = cli, .owner = {.uid = (uid_t)-1, .gid = (gid_t)-1}, .folder = -1};
    draft_init(&r.draft);
    buf_init_wiping(&r.text, TEMPLATE_MAX_BYTES);
    buf_init_wiping(&r.out, TEMPLATE_OUT_MAX_BYTES);
    buf_init_wiping(&r.old, TEMPLATE_OUT_MAX_BYTES);
    buf_init(&r.marks, TEMPLATE_OUT_MAX_BYTES);
    int status = read_options(&r, args);
    if (status == 0)
        status = render(&r, args_has(args, "check"));
    draft_drop(&r.draft);
    file_drop_fd(&r.folder);
    template_free(r.template);
    buf_fini(&r.marks);
    buf_fini(&r.old);
    buf_fini(&r.out);
    buf_fini(&r.text);
    return status;
}
