/* cmd-undo - the verbs undo and revert; see verbs.h. Each is one transaction: all of it is put back, or nothing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/names.h"
#include "cli/out.h"
#include "cli/pages.h"
#include "cli/past.h"
#include "cli/tx.h"
#include "cli/verbs.h"
#include "cli/when.h"
#include "model/outcome.h"
#include "model/path.h"

/* ---- what undoing one entry is ------------------------------------------------------------------------------------
 */

/* What to do to an entry so that it is as it was before its newest change, or before all those of one revision. */
struct undo {
    const char *path;
    uint64_t revision; /* whose changes are taken back; 0: the newest change, whatever its revision */
    uint64_t now;      /* newest version */
    uint64_t newest_revision;
    uint64_t first;  /* the oldest of those that are taken back */
    uint64_t before; /* to go back to; 0: none was there, or it was deleted */
    bool is_deleted; /* it is now */
    bool has_before, is_gone;
};

static int on_version(const struct past_version *v, void *arg)
{
    struct undo *u = arg;
    if (u->now == 0) {
        u->now = v->version;
        u->newest_revision = v->revision;
        u->is_deleted = v->is_deleted;
    }
    if (u->first == 0 || (u->revision != 0 && v->revision == u->revision)) {
        u->first = v->version;
        return 0;
    }
    u->has_before = true;
    u->is_gone = v->is_destroyed;
    u->before = v->is_deleted ? 0 : v->version;
    return 1;
}

/* Returns a status. */
static int plan_undo(struct cli *cli, struct undo *u)
{
    unsigned outcome = OUTCOME_DONE;
    int status = past_history(cli, u->path, on_version, u, &outcome);
    if (status == 0 && outcome != OUTCOME_DONE)
        return cli_refused(cli, outcome, u->revision != 0 ? u->path : NULL);
    if (status != 0)
        return status;
    if (u->now == 0)
        return cli_error(cli, OUTCOME_NOT_FOUND, "no such entry");
    if (u->revision != 0 && u->newest_revision != u->revision)
        return cli_error(cli, OUTCOME_CONFLICT, "%s was changed after that request", u->path);
    if (u->is_gone || (!u->has_before && u->first > 1))
        return cli_error(cli, OUTCOME_GONE, "%s: the version before is no longer kept", u->path);
    return 0;
}

/* The entry is still as it was found. */
static void put_guard(struct tx *t, const struct undo *u)
{
    tx_leaf(t, NULL);
    tx_text(t, "path", bytes_of_text(u->path));
    if (u->is_deleted)
        tx_raw(t, "absent", "true");
    else
        tx_number(t, "version", u->now);
}

static bool is_nothing(const struct undo *u)
{
    return u->is_deleted && u->before == 0;
}

/* What has to go makes way for what has to come: an entry may stand where a folder was. */
static void put_undo(struct tx *t, const struct undo *u, bool wants_deletes)
{
    if (is_nothing(u) || (u->before == 0) != wants_deletes)
        return;
    tx_leaf(t, u->before == 0 ? "delete" : "revert");
    tx_text(t, "path", bytes_of_text(u->path));
    tx_number(t, "version", u->before == 0 ? u->now : u->before);
}

static void put_all(struct tx *t, const struct undo *undos, size_t count)
{
    tx_part(t, "compare");
    for (size_t i = 0; i < count; i++)
        put_guard(t, &undos[i]);
    tx_part(t, "then");
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < count; i++)
            put_undo(t, &undos[i], pass == 0);
    }
}

static void show_undo(const struct undo *u)
{
    if (is_nothing(u))
        return;
    if (u->before == 0)
        printf("delete %s\n", u->path);
    else
        printf("revert %s version %llu\n", u->path, (unsigned long long)u->before);
}

static int send_undos(struct cli *cli, const struct undo *undos, size_t count)
{
    struct tx t;
    struct bytes data, succeeded;
    tx_init(&t, cli);
    put_all(&t, undos, count);
    int status = tx_send(&t, &data);
    bool holds =
        status == 0 && secreg_member(data, "succeeded", &succeeded) && bytes_equal(succeeded, BYTES_LITERAL("true"));
    if (status == 0 && !holds)
        status = cli_error(cli, OUTCOME_CONFLICT, "there was a change in between: nothing was undone");
    if (status == 0)
        status = tx_print(cli, data);
    for (size_t i = 0; status == 0 && t.is_dry && !cli->is_json && i < count; i++)
        show_undo(&undos[i]);
    if (status == 0 && !t.is_dry)
        cli_note(cli, "undone: %zu entr%s", count, count == 1 ? "y" : "ies");
    tx_fini(&t);
    return status;
}

/* ---- undo ---------------------------------------------------------------------------------------------------------
 */

/* A line on the terminal of whoever waits for many entries; done == count: it is taken away. */
static void show_progress(struct cli *cli, size_t done, size_t count)
{
    enum { FROM_COUNT = 500, EVERY_COUNT = 100 };
    if (!cli->is_tty_err || cli->is_quiet || cli->is_json || count < FROM_COUNT)
        return;
    if (done == count)
        fputs("\r\033[K", stderr);
    else if (done % EVERY_COUNT == 0)
        fprintf(stderr, "\r%zu of %zu entries", done, count);
    fflush(stderr);
}

static int undo_paths(struct cli *cli, const struct past_request *r)
{
    int status = 0;
    struct undo *undos = calloc(r->paths.count, sizeof *undos);
    if (undos == NULL)
        return cli_fault(cli, RAISE(-ENOMEM), "cannot undo");
    for (size_t i = 0; status == 0 && i < r->paths.count; i++) {
        undos[i] = (struct undo){.path = r->paths.items[i], .revision = r->revision};
        status = plan_undo(cli, &undos[i]);
        show_progress(cli, i, r->paths.count);
    }
    show_progress(cli, r->paths.count, r->paths.count);
    if (status == 0)
        status = send_undos(cli, undos, r->paths.count);
    free(undos);
    return status;
}

static int undo_request(struct cli *cli, const char *id)
{
    struct past_request r = {0};
    names_init(&r.paths);
    int status = past_request(cli, id, &r);
    if (status == 0 && r.paths.count == 0)
        status = cli_error(cli, OUTCOME_NOT_FOUND, "the trail has no change of entries by request %s", id);
    if (status == 0 && r.other_count > 0)
        cli_warn(cli, "%zu acts of it cannot be undone: rules, or versions that were destroyed", r.other_count);
    if (status == 0)
        status = undo_paths(cli, &r);
    names_fini(&r.paths);
    return status;
}

int cmd_undo(struct cli *cli, const struct args *args)
{
    const char *id = args_value(args, "request");
    if ((id != NULL) == (args->operands_count > 0))
        return cli_usage_error(cli, "undo takes a path, or --request with the id of a request");
    if (id != NULL)
        return undo_request(cli, id);
    struct undo u = {.path = args->operands[0]};
    int status = plan_undo(cli, &u);
    return status != 0 ? status : send_undos(cli, &u, 1);
}

/* ---- what revert would do -----------------------------------------------------------------------------------------
 */

/* "PATH\tVERSION": so both states of a subtree sort alike. */
static int keep_version(struct bytes row, void *arg)
{
    struct buf line;
    buf_init(&line, CLI_TARGET_MAX_BYTES);
    int r = out_member(&line, row, "path", OUT_TEXT);
    if (r == 0)
        r = buf_append_text(&line, "\t");
    if (r == 0)
        r = out_member(&line, row, "version", OUT_TEXT);
    if (r == 0)
        r = names_add(arg, buf_view(&line));
    buf_fini(&line);
    return r;
}

static int read_state(struct cli *cli, const char *path, const char *revision, struct names *state)
{
    struct pages p = {.cli = cli, .path = path};
    pages_arg(&p, "recursive", NULL);
    pages_arg(&p, revision != NULL ? "values" : "long", NULL);
    if (revision != NULL)
        pages_arg(&p, "revision", revision);
    int status = pages_each(&p, keep_version, state);
    names_sort(state);
    return status;
}

static int by_path(const char *a, const char *b)
{
    size_t n = strcspn(a, "\t"), m = strcspn(b, "\t");
    return bytes_compare(bytes_of(a, n + 1), bytes_of(b, m + 1));
}

/* Merges both states; what is the same in both is not shown. Returns how many entries differ. */
static size_t show_differences(const struct names *now, const struct names *then)
{
    size_t i = 0, k = 0, count = 0;
    while (i < now->count || k < then->count) {
        bool has_now = i < now->count, has_then = k < then->count;
        const char *n = has_now ? now->items[i] : "", *t = has_then ? then->items[k] : "";
        int order = !has_then ? -1 : !has_now ? 1 : by_path(n, t);
        i += order <= 0;
        k += order >= 0;
        if (order == 0 && strcmp(n, t) == 0)
            continue;
        count++;
        if (order < 0)
            printf("delete %.*s\n", (int)strcspn(n, "\t"), n);
        else
            printf("revert %.*s version %s\n", (int)strcspn(t, "\t"), t, t + strcspn(t, "\t") + 1);
    }
    return count;
}

/* The entry itself, or everything below a folder; an entry has no listing. Returns a status. */
static int show_revert(struct cli *cli, const char *path, const char *revision, uint64_t count)
{
    struct names now, then;
    size_t shown = 0;
    names_init(&now);
    names_init(&then);
    int status = read_state(cli, path, revision, &then);
    if (status == 0)
        status = read_state(cli, path, NULL, &now);
    if (status == 0)
        shown = show_differences(&now, &then);
    if (status == 0 && count > shown)
        cli_warn(cli, "and %llu more entries that you may not read", (unsigned long long)(count - shown));
    names_fini(&now);
    names_fini(&then);
    return status;
}

/* ---- revert -------------------------------------------------------------------------------------------------------
 */

/* Where to go back to: a version of the entry, or a revision of the tree. Neither: the entry was not there. */
struct goal {
    uint64_t version, revision;
    char before[CLOCK_TEXT_BYTES]; /* the time, while a version is looked for */
    bool is_found;
};

static int on_past(const struct past_version *v, void *arg)
{
    struct goal *g = arg;
    if (strcmp(v->changed, g->before) >= 0)
        return 0;
    g->is_found = true;
    g->version = v->is_deleted ? 0 : v->version;
    return 1;
}

/* Without the trail: an entry's own history tells when it was changed, but a folder has none. Returns a status. */
static int find_version(struct cli *cli, const char *path, struct goal *g)
{
    unsigned outcome = OUTCOME_DONE;
    int status = past_history(cli, path, on_past, g, &outcome);
    if (status == 0 && outcome == OUTCOME_NOT_FOUND)
        return cli_error(cli, OUTCOME_REFUSED,
                         "without the right audit on /registry only an entry can be put back to a time");
    if (status == 0 && outcome != OUTCOME_DONE)
        return cli_refused(cli, outcome, NULL);
    if (status == 0 && (!g->is_found || g->version == 0))
        return cli_error(cli, OUTCOME_GONE, "no longer kept: no version of that time, or there was none");
    return status;
}

static int find_time(struct cli *cli, const char *path, const char *time, struct goal *g)
{
    unsigned outcome = OUTCOME_DONE;
    if (!when_parse(time, clock_wall_now(), g->before))
        return cli_usage_error(cli, "not a time: %s; such as 2026-01-31T12:00:00Z, or 2h for two hours ago", time);
    int status = past_revision(cli, g->before, &g->revision, &outcome);
    if (status == 0 && (outcome == OUTCOME_NOT_FOUND || (outcome == OUTCOME_DONE && g->revision == 0)))
        return cli_error(cli, OUTCOME_NOT_FOUND, "no such entry: nothing was stored before that time");
    if (status == 0 && outcome == OUTCOME_REFUSED)
        return find_version(cli, path, g);
    return status;
}

static int find_goal(struct cli *cli, const struct args *args, const char *path, struct goal *g)
{
    size_t given = (size_t)args_has(args, "version") + args_has(args, "revision") + args_has(args, "time");
    if (given != 1)
        return cli_usage_error(cli, "revert takes one of --version, --revision and --time");
    if (args_has(args, "time"))
        return find_time(cli, path, args_value(args, "time"), g);
    int status = cli_number_option(cli, "version", INT64_MAX, &g->version);
    if (status == 0)
        status = cli_number_option(cli, "revision", INT64_MAX, &g->revision);
    if (status == 0 && g->version == 0 && g->revision == 0)
        return cli_usage_error(cli, "a version or revision is a number above 0");
    return status;
}

static int send_revert(struct cli *cli, const char *path, const struct goal *g)
{
    struct tx t;
    struct bytes data;
    char revision[24];
    tx_init(&t, cli);
    tx_part(&t, "then");
    tx_leaf(&t, "revert");
    tx_text(&t, "path", bytes_of_text(path));
    tx_number(&t, g->version != 0 ? "version" : "revision", g->version != 0 ? g->version : g->revision);
    int status = tx_send(&t, &data);
    if (status == 0)
        status = tx_print(cli, data);
    uint64_t count = status == 0 ? tx_number_of(data, "entries") : 0;
    snprintf(revision, sizeof revision, "%llu", (unsigned long long)g->revision);
    if (status == 0 && !cli->is_json && t.is_dry && g->version != 0 && count > 0)
        printf("revert %s version %llu\n", path, (unsigned long long)g->version);
    else if (status == 0 && !cli->is_json && t.is_dry && count > 0)
        status = show_revert(cli, path, revision, count);
    else if (status == 0)
        cli_note(cli, "%s: reverted %llu entr%s", path, (unsigned long long)count, count == 1 ? "y" : "ies");
    tx_fini(&t);
    return status;
}

int cmd_revert(struct cli *cli, const struct args *args)
{
    char path[PATH_MAX_BYTES + 2];
    struct goal g = {0};
    struct bytes given = bytes_of_text(args->operands[0]);
    if (given.n > 1 && given.p[given.n - 1] == '/')
        given.n--;
    if (!text_copy(path, sizeof path, given))
        return cli_error(cli, OUTCOME_BAD_PATH, "not a valid path: it is too long");
    int status = find_goal(cli, args, path, &g);
    return status != 0 ? status : send_revert(cli, path, &g);
}
