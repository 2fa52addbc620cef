/* transfer - see transfer.h. */
#include "cli/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "base/text.h"
#include "cli/out.h"
#include "cli/progress.h"
#include "model/outcome.h"
#include "os/file.h"

#define PAGE_COUNT "1000"
#define TEMPORARY ".sreg-XXXXXX"

enum { TRIES_COUNT = 5, FILE_NAME_MAX_BYTES = 4096, LINE_MAX_BYTES = 16 << 20 };

int transfer_format(struct cli *cli, const char *name, const char *file, const struct dump_format **ret)
{
    *ret = name != NULL ? dump_format(name) : dump_format_of(file);
    if (*ret != NULL)
        return 0;
    if (name != NULL)
        return cli_usage_error(cli, "there is no such format: %s", name);
    return cli_usage_error(cli, "the name %s does not say its format; give --format json, yaml or env", file);
}

bool transfer_is_tree(const char *word)
{
    struct bytes text = bytes_of_text(word);
    return bytes_equal(text, BYTES_LITERAL("/registry")) || bytes_starts(text, BYTES_LITERAL("/registry/"));
}

size_t transfer_hide(struct dump *d)
{
    size_t count = 0;
    for (size_t i = 0; i < d->count; i++) {
        struct dump_entry *e = &d->entries[i];
        if (!e->is_sealed || !e->has_value)
            continue;
        dump_entry_hide(e);
        count++;
    }
    return count;
}

/* ---- files --------------------------------------------------------------------------------------------------------
 */

int transfer_read_file(struct cli *cli, const char *file, const struct dump_format *format, struct dump *d)
{
    SCOPED(buf_fini) struct buf text;
    char why[DUMP_WHY_BYTES] = "";
    bool is_input = strcmp(file, "-") == 0;
    dump_start();
    buf_init_wiping(&text, DUMP_TEXT_MAX_BYTES);
    int r = is_input ? file_read_all(STDIN_FILENO, &text) : file_read_path(file, &text);
    if (r == FAULT_LIMIT)
        return cli_error(cli, OUTCOME_TOO_LARGE, "%s: larger than the limit of %d bytes", file, DUMP_TEXT_MAX_BYTES);
    if (r == FILE_ABSENT)
        return cli_error(cli, OUTCOME_NOT_FOUND, "%s: there is no such file", file);
    if (r == 0)
        r = format->parse(buf_view(&text), d, why);
    if (r == DUMP_BAD)
        return cli_error(cli, OUTCOME_BAD_VALUE, "%s: %s", file, why);
    return cli_fault(cli, r, file);
}

bool transfer_can_write(struct cli *cli, const char *file, bool is_forced, int *ret_status)
{
    struct stat st;
    *ret_status = 0;
    if (lstat(file, &st) < 0)
        return true; /* whatever else is wrong is said when it is written */
    if (!is_forced)
        *ret_status = cli_error(cli, OUTCOME_EXISTS, "%s exists already; --force replaces it", file);
    else if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
        *ret_status = cli_error(cli, OUTCOME_EXISTS, "%s is not a file and is not replaced", file);
    return *ret_status == 0;
}

/* The folder of a file as a C string, with a slash at the end; empty for the current one. */
static bool folder_of(const char *file, char ret_folder[static FILE_NAME_MAX_BYTES])
{
    const char *slash = strrchr(file, '/');
    size_t n = slash != NULL ? (size_t)(slash + 1 - file) : 0;
    return n + sizeof TEMPORARY <= FILE_NAME_MAX_BYTES && text_copy(ret_folder, FILE_NAME_MAX_BYTES, bytes_of(file, n));
}

enum { NAME_TAKEN = 1 };

/* Without --force the name must still be free at that very moment. Returns 0, NAME_TAKEN or a fault. */
static int give_name(const char *temporary, const char *file, bool is_forced)
{
    if (is_forced)
        return rename(temporary, file) < 0 ? RAISE(-errno) : 0;
    int r = renameat2(AT_FDCWD, temporary, AT_FDCWD, file, RENAME_NOREPLACE);
    if (r < 0 && (errno == EINVAL || errno == ENOSYS)) { /* a file system without this flag, such as NFS */
        r = link(temporary, file);
        if (r == 0)
            r = unlink(temporary);
    }
    if (r == 0)
        return 0;
    return errno == EEXIST ? NAME_TAKEN : RAISE(-errno);
}

/* A temporary file of which nobody else knows the name, in the folder of the file. */
static int write_named(const char *file, bool is_forced, struct bytes text)
{
    char name[FILE_NAME_MAX_BYTES];
    SCOPED(file_drop_fd) int fd = -1;
    SCOPED(file_drop_fd) int at = -1;
    if (!folder_of(file, name))
        return RAISE(-ENAMETOOLONG);
    int r = file_open_folder(name[0] != '\0' ? name : ".", &at);
    if (r != 0)
        return r < 0 ? r : RAISE(-ENOENT);
    strcat(name, TEMPORARY);
    fd = mkostemp(name, O_CLOEXEC); /* O_EXCL and mode 0600 */
    if (fd < 0)
        return RAISE(-errno);
    r = file_write_all(fd, text);
    if (r == 0 && (fchmod(fd, 0600) < 0 || fsync(fd) < 0))
        r = RAISE(-errno);
    if (r == 0)
        r = give_name(name, file, is_forced);
    if (r != 0) {
        unlink(name);
        return r;
    }
    return file_sync_folder(at);
}

int transfer_write(struct cli *cli, const char *file, bool is_forced, struct bytes text)
{
    int status, r;
    if (!transfer_can_write(cli, file, is_forced, &status))
        return status;
    r = write_named(file, is_forced, text);
    if (r == NAME_TAKEN)
        return cli_error(cli, OUTCOME_EXISTS, "%s exists already; --force replaces it", file);
    return cli_fault(cli, r, file);
}

/* ---- the tree -----------------------------------------------------------------------------------------------------
 */

struct reading {
    struct cli *cli;
    const char *folder;
    bool may_be_absent;
    bool has_page;   /* the first one was read, and its revision counts */
    bool is_changed; /* another one has another revision */
    struct dump *d;
    struct progress progress;
    char after[PATH_MAX_BYTES + 1]; /* "" at the begin and at the end */
};

static int bad_reply(struct reading *g)
{
    return cli_error(g->cli, OUTCOME_BAD_HTTP, "the daemon's reply is not what doc/spec/http-api.md says");
}

static int make_target(struct reading *g, struct buf *target)
{
    int status = cli_target_path(g->cli, target, g->folder, true);
    if (status == 0)
        status = cli_target_arg(g->cli, target, "recursive", NULL);
    if (status == 0)
        status = cli_target_arg(g->cli, target, "values", NULL);
    if (status == 0)
        status = cli_target_arg(g->cli, target, "limit", PAGE_COUNT);
    if (status == 0 && g->after[0] != '\0')
        status = cli_target_arg(g->cli, target, "after", g->after);
    return status;
}

/* All pages are of the revision of the first one, or the reading begins anew. */
static int take_revision(struct reading *g, struct bytes data)
{
    struct bytes text;
    uint64_t revision;
    if (!secreg_member(data, "revision", &text) || !num_parse_u64(text, INT64_MAX, &revision))
        return bad_reply(g);
    g->is_changed = g->has_page && revision != g->d->revision;
    g->has_page = true;
    g->d->revision = revision;
    return 0;
}

static int take_entries(struct reading *g, struct bytes data)
{
    struct bytes list, entry;
    char why[DUMP_WHY_BYTES] = "";
    if (!secreg_member(data, "entries", &list))
        return bad_reply(g);
    while (secreg_element(&list, &entry)) {
        int r = dump_tree_add(g->d, entry, why);
        if (r == DUMP_BAD && g->d->count == DUMP_ENTRIES_MAX_COUNT)
            return cli_error(g->cli, OUTCOME_TOO_LARGE, "%s holds more than %d entries", g->folder,
                             DUMP_ENTRIES_MAX_COUNT);
        if (r == DUMP_BAD)
            return cli_error(g->cli, OUTCOME_BAD_HTTP, "the daemon's reply cannot be used: %s", why);
        if (r < 0)
            return cli_fault(g->cli, r, "cannot read the tree");
    }
    return 0;
}

/* A page may hold nothing that the caller may read, and still have a next one; but not the same once more. */
static int take_next(struct reading *g, struct bytes data)
{
    SCOPED(buf_fini) struct buf next;
    buf_init(&next, PATH_MAX_BYTES);
    int r = out_member(&next, data, "next", OUT_TEXT);
    bool is_same = buf_size(&next) > 0 && bytes_equal(buf_view(&next), bytes_of_text(g->after));
    if (r != 0 || is_same || !text_copy(g->after, sizeof g->after, buf_view(&next)))
        return bad_reply(g);
    progress_show(&g->progress, "reading entries", g->d->count, 0);
    return 0;
}

static int read_page(struct reading *g)
{
    SCOPED(buf_fini) struct buf target;
    struct secreg_answer answer;
    struct bytes data;
    unsigned outcome;
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    int status = make_target(g, &target);
    if (status != 0)
        return status;
    struct secreg_ask ask = {.method = "GET", .target = buf_view(&target), .is_read = true};
    bool is_done = cli_try(g->cli, &ask, &answer, &outcome);
    progress_clear(&g->progress);
    if (!is_done && outcome == OUTCOME_NOT_FOUND && g->may_be_absent)
        return 0;
    if (!is_done)
        return cli_refused(g->cli, outcome, g->folder);
    if (!secreg_member(answer.body, "data", &data))
        return bad_reply(g);
    status = take_revision(g, data);
    if (status == 0 && !g->is_changed)
        status = take_entries(g, data);
    return status == 0 ? take_next(g, data) : status;
}

/* Returns a status; is_changed says that the pages are not of one revision. */
static int read_once(struct reading *g)
{
    int status;
    g->has_page = g->is_changed = false;
    g->after[0] = '\0';
    do {
        status = read_page(g);
    } while (status == 0 && !g->is_changed && g->after[0] != '\0');
    return status;
}

static int take_base(struct reading *g)
{
    char why[DUMP_WHY_BYTES] = "";
    struct bytes folder = bytes_of_text(g->folder);
    if (folder.n > 1 && folder.p[folder.n - 1] == '/')
        folder.n--;
    if (dump_check_base(g->d, folder, why) != 0)
        return cli_error(g->cli, OUTCOME_BAD_PATH, "not a valid path: %s", why);
    return 0;
}

int transfer_read_tree(struct cli *cli, const char *folder, bool may_be_absent, struct dump *d)
{
    struct reading g = {.cli = cli, .folder = folder, .may_be_absent = may_be_absent, .d = d};
    char why[DUMP_WHY_BYTES] = "";
    int status = 0;
    dump_start();
    progress_init(&g.progress, cli);
    for (unsigned i = 0; status == 0 && i < TRIES_COUNT && (i == 0 || g.is_changed); i++) {
        dump_fini(d);
        status = take_base(&g);
        if (status == 0)
            status = read_once(&g);
    }
    progress_clear(&g.progress);
    if (status == 0 && g.is_changed)
        status = cli_error(cli, OUTCOME_CONFLICT, "%s: the tree changed each of %d times while it was read", folder,
                           TRIES_COUNT);
    if (status == 0 && dump_sort(d, why) != 0)
        status = cli_error(cli, OUTCOME_BAD_HTTP, "the daemon's reply cannot be used: %s", why);
    clock_wall_text(clock_wall_now(), d->time);
    return status;
}

/* ---- plans --------------------------------------------------------------------------------------------------------
 */

static enum out_color color_of(enum merge_kind kind)
{
    static const enum out_color colors[MERGE_KIND_COUNT] = {
        [MERGE_ADD] = OUT_GREEN, [MERGE_CHANGE] = OUT_YELLOW, [MERGE_DELETE] = OUT_RED, [MERGE_CONFLICT] = OUT_RED};
    return colors[kind];
}

static size_t terminal_width(const struct cli *cli)
{
    struct winsize w;
    if (!cli->is_tty_out || ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0)
        return 0;
    return w.ws_col;
}

/* Only the mark is in colour, so that cutting the line cannot cut a colour. */
static int print_step(struct cli *cli, const struct merge_step *step, const char *folder, size_t width)
{
    SCOPED(buf_fini) struct buf line;
    SCOPED(buf_fini) struct buf out;
    char mark[2] = "";
    buf_init_wiping(&line, LINE_MAX_BYTES);
    buf_init_wiping(&out, LINE_MAX_BYTES);
    TRY(merge_step_print(&line, step, folder, width));
    mark[0] = (char)buf_view(&line).p[0];
    TRY(out_colored(&out, cli->has_color, color_of(step->kind), mark));
    TRY(buf_append(&out, bytes_from(buf_view(&line), 1)));
    TRY(buf_append_text(&out, "\n"));
    return out_write(&out);
}

int transfer_print_steps(struct cli *cli, const struct merge_plan *plan, const char *folder)
{
    size_t width = terminal_width(cli);
    int r = 0;
    for (size_t i = 0; r == 0 && i < plan->count; i++)
        r = merge_is_shown(&plan->steps[i]) ? print_step(cli, &plan->steps[i], folder, width) : 0;
    return cli_fault(cli, r, "cannot show the changes");
}

int transfer_put_steps(struct buf *out, const struct merge_plan *plan, const char *folder)
{
    const char *before = "[";
    for (size_t i = 0; i < plan->count; i++) {
        if (!merge_is_shown(&plan->steps[i]))
            continue;
        TRY(buf_append_text(out, before));
        TRY(merge_step_json(out, &plan->steps[i], folder));
        before = ",";
    }
    return buf_append_text(out, *before == '[' ? "[]" : "]");
}
