/*
 * cmd-load-host - the verb load-host: this host's settings become entries below /registry/system; see verbs.h.
 *
 * Invariant: every write names the version it was compared with, so what somebody else writes at the same time is never
 * lost. An entry is removed only if its newest version came from here. The host itself is only read.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/host-plan.h"
#include "cli/host.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "model/outcome.h"
#include "model/value.h"
#include "wire/doc.h"

#define LOAD_FOLDER "/registry/system"
#define LOAD_REASON "load-host"
#define PAGE_COUNT "1000"

enum { FAILURES_SHOWN_MAX_COUNT = 10, BAR_WIDTH = 30, LINE_MAX_BYTES = 10 << 20 };

#define BAR_AFTER_US US_PER_S
#define BAR_EACH_US (100 * US_PER_MS)

struct load {
    struct cli *cli;
    const char *from; /* "" for the running system */
    bool is_dry, is_yes, is_declined;
    struct host_settings settings;
    struct host_tree tree;
    struct host_plan plan;
    struct buf target, fields;
    size_t added, changed, removed, failed;
    int status; /* of the first failure */
    struct mono_time next_bar;
    bool has_bar;
};

/* ---- progress -----------------------------------------------------------------------------------------------------
 */

static void show_bar(struct load *l, const char *what, size_t done, size_t total)
{
    struct mono_time now = clock_mono_now();
    char bar[BAR_WIDTH + 1];
    if (l->cli->is_quiet || !l->cli->is_tty_err || total == 0 || !clock_mono_passed(now, l->next_bar))
        return;
    assert(done <= total);
    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', done * BAR_WIDTH / total);
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "\r%s [%s] %zu of %zu ", what, bar, done, total);
    l->next_bar = clock_mono_add(now, BAR_EACH_US);
    l->has_bar = true;
}

/* Before anything else is written to the terminal. */
static void clear_bar(struct load *l)
{
    if (l->has_bar)
        fputs("\r\033[K", stderr);
    l->has_bar = false;
}

/* ---- requests -----------------------------------------------------------------------------------------------------
 */

/* Begins a request about one path. Returns a status. */
static int aim(struct load *l, const char *path, bool is_folder)
{
    buf_clear(&l->target);
    buf_clear(&l->fields);
    return cli_target_path(l->cli, &l->target, path, is_folder);
}

/* Sends it. Returns true for a success; the outcome is set in either case. */
static bool send(struct load *l, const char *method, struct bytes body, struct secreg_answer *ret_answer,
                 unsigned *ret_outcome)
{
    struct secreg_ask ask = {.method = method, .body = body, .is_read = strcmp(method, "GET") == 0};
    ask.target = buf_view(&l->target);
    ask.fields = buf_view(&l->fields);
    assert(ask.target.n > 0);
    return cli_try(l->cli, &ask, ret_answer, ret_outcome);
}

static int bad_reply(struct load *l)
{
    return cli_error(l->cli, OUTCOME_BAD_HTTP, "the daemon's reply is not what doc/spec/http-api.md says");
}

/* Says that a request about `path` failed; of many alike only the first are said. Returns its status. */
static int say_failure(struct load *l, struct bytes path, unsigned outcome)
{
    assert(outcome != OUTCOME_DONE && l->cli->link != NULL);
    clear_bar(l);
    l->failed++;
    if (l->failed <= FAILURES_SHOWN_MAX_COUNT)
        cli_error(l->cli, outcome, "%.*s: %s", BYTES_PRINT(path), l->cli->link->text);
    else if (l->failed == FAILURES_SHOWN_MAX_COUNT + 1)
        cli_warn(l->cli, "more entries failed, which are not listed");
    if (l->status == 0)
        l->status = outcome_exit(outcome);
    return outcome_exit(outcome);
}

/* True for what will fail for every other entry, too: the daemon is gone, locked, full or broken. */
static bool is_final(unsigned outcome)
{
    return outcome_exit(outcome) == CLI_UNAVAILABLE || outcome_exit(outcome) == CLI_FAILED;
}

/* ---- reading the tree ---------------------------------------------------------------------------------------------
 */

static bool is_true(struct bytes map, const char *name)
{
    struct bytes text;
    return secreg_member(map, name, &text) && bytes_equal(text, BYTES_LITERAL("true"));
}

/* Appends the text of a string member. False if it is none, or there is no room for it. */
static bool read_text(struct bytes map, const char *name, struct buf *out)
{
    struct bytes text;
    return secreg_member(map, name, &text) && secreg_unquote(out, text) == 0;
}

static int add_entry(struct load *l, struct bytes entry)
{
    SCOPED(buf_fini) struct buf path;
    struct bytes number;
    uint64_t version;
    buf_init(&path, SECREG_PATH_MAX_BYTES);
    if (!read_text(entry, "path", &path) || !secreg_member(entry, "version", &number) ||
        !num_parse_u64(number, INT64_MAX, &version))
        return bad_reply(l);
    int r = host_tree_add(&l->tree, buf_view(&path), version, is_true(entry, "sealed"));
    return cli_fault(l->cli, r, "cannot read the tree");
}

/* after: where the last page ended, and then where this one did; "" at the end. */
static int read_page(struct load *l, char after[static SECREG_PATH_MAX_BYTES + 1])
{
    SCOPED(buf_fini) struct buf next;
    struct bytes data, list, entry;
    buf_init(&next, SECREG_PATH_MAX_BYTES);
    int status = aim(l, LOAD_FOLDER, true);
    if (status == 0)
        status = cli_target_arg(l->cli, &l->target, "recursive", NULL);
    if (status == 0)
        status = cli_target_arg(l->cli, &l->target, "limit", PAGE_COUNT);
    if (status == 0 && after[0] != '\0')
        status = cli_target_arg(l->cli, &l->target, "after", after);
    if (status == 0)
        status = cli_get_data(l->cli, buf_view(&l->target), &data);
    if (status == 0 && !secreg_member(data, "entries", &list))
        status = bad_reply(l);
    while (status == 0 && secreg_element(&list, &entry))
        status = add_entry(l, entry);
    if (status != 0)
        return status;
    bool has_next = read_text(data, "next", &next); /* null at the end */
    if (!text_copy(after, SECREG_PATH_MAX_BYTES + 1, has_next ? buf_view(&next) : BYTES_NONE))
        return bad_reply(l);
    return 0;
}

static int read_tree(struct load *l)
{
    char after[SECREG_PATH_MAX_BYTES + 1] = "";
    size_t before;
    do {
        before = l->tree.count;
        int status = read_page(l, after);
        if (status != 0)
            return status;
    } while (after[0] != '\0' && l->tree.count > before);
    host_tree_sort(&l->tree);
    return 0;
}

/* The version in an ETag. */
static bool read_version(const struct http1_resp *head, uint64_t *ret_version)
{
    struct bytes tag;
    if (http1_resp_field(head, "ETag", &tag) != 0 || tag.n < 3 || tag.p[0] != '"' || tag.p[tag.n - 1] != '"')
        return false;
    return num_parse_u64(bytes_of(tag.p + 1, tag.n - 2), INT64_MAX, ret_version);
}

static int take_value(struct load *l, struct host_entry *e, const struct secreg_answer *answer)
{
    struct bytes type, sealed;
    uint64_t version;
    if (!read_version(&answer->head, &version) || http1_resp_field(&answer->head, "Secreg-Type", &type) != 0)
        return bad_reply(l);
    e->is_sealed = http1_resp_field(&answer->head, "Secreg-Sealed", &sealed) == 0;
    int r = e->is_sealed ? 0 : host_entry_set(e, version, value_type_of(type), answer->body);
    return cli_fault(l->cli, r, "cannot read the tree");
}

static int read_value(struct load *l, struct host_entry *e)
{
    struct secreg_answer answer;
    unsigned outcome;
    int status = aim(l, e->path, false);
    if (status != 0)
        return status;
    if (send(l, "GET", BYTES_NONE, &answer, &outcome))
        return take_value(l, e, &answer);
    /* What may not be read, or is damaged, is shown as not compared, and left alone. */
    return is_final(outcome) ? say_failure(l, bytes_of_text(e->path), outcome) : 0;
}

static int read_values(struct load *l)
{
    for (size_t i = 0; i < l->tree.count; i++) {
        struct host_entry *e = &l->tree.items[i];
        bool is_wanted = !e->is_sealed && host_find(&l->settings, bytes_of_text(e->path)) != NULL;
        int status = is_wanted ? read_value(l, e) : 0;
        if (status != 0)
            return status;
        show_bar(l, "reading", i, l->tree.count);
    }
    clear_bar(l);
    return 0;
}

/* ---- what is no longer on the host --------------------------------------------------------------------------------
 */

static bool is_ours(struct bytes version)
{
    SCOPED(buf_fini) struct buf reason;
    buf_init(&reason, 4096);
    return !is_true(version, "deleted") && read_text(version, "reason", &reason) &&
           bytes_equal(buf_view(&reason), BYTES_LITERAL(LOAD_REASON));
}

/* By the versions that are kept, newest first: who put it there, and who wrote to it last? */
static enum host_step_kind kind_by_history(struct bytes versions)
{
    struct bytes version;
    bool is_first = true, was_ours = false;
    while (secreg_element(&versions, &version)) {
        if (is_first && is_ours(version))
            return HOST_STEP_REMOVE;
        was_ours = was_ours || is_ours(version);
        is_first = false;
    }
    return was_ours ? HOST_STEP_GONE : HOST_STEP_OTHER;
}

static int resolve_gone(struct load *l, struct host_step *step)
{
    struct secreg_answer answer;
    struct bytes data, versions;
    unsigned outcome;
    int status = aim(l, step->entry->path, false);
    if (status == 0)
        status = cli_target_arg(l->cli, &l->target, "history", NULL);
    if (status != 0)
        return status;
    step->kind = HOST_STEP_OTHER;
    if (!send(l, "GET", BYTES_NONE, &answer, &outcome))
        return is_final(outcome) ? say_failure(l, host_step_path(step), outcome) : 0;
    if (!secreg_member(answer.body, "data", &data) || !secreg_member(data, "versions", &versions))
        return bad_reply(l);
    step->kind = kind_by_history(versions);
    if (step->kind == HOST_STEP_REMOVE && step->entry->is_sealed)
        step->kind = HOST_STEP_GONE;
    return 0;
}

static int make_plan(struct load *l)
{
    int status = cli_fault(l->cli, host_plan_make(&l->settings, &l->tree, &l->plan), "cannot compare");
    for (size_t i = 0; status == 0 && i < l->plan.count; i++) {
        if (l->plan.steps[i].kind == HOST_STEP_GONE)
            status = resolve_gone(l, &l->plan.steps[i]);
        show_bar(l, "comparing", i, l->plan.count);
    }
    clear_bar(l);
    return status;
}

/* ---- applying -----------------------------------------------------------------------------------------------------
 */

/* If-Match of the version that was compared, or that there is none yet. */
static int add_condition(struct load *l, const struct host_step *step)
{
    char tag[32];
    if (step->entry == NULL)
        return cli_field(l->cli, &l->fields, "If-None-Match", "*");
    snprintf(tag, sizeof tag, "\"%llu\"", (unsigned long long)step->entry->version);
    return cli_field(l->cli, &l->fields, "If-Match", tag);
}

static int apply_step(struct load *l, const struct host_step *step, size_t *done_count)
{
    const struct host_setting *s = step->setting;
    struct secreg_answer answer;
    unsigned outcome;
    struct bytes path = host_step_path(step);
    int status = aim(l, (const char *)path.p, false);
    if (status == 0)
        status = add_condition(l, step);
    if (status == 0)
        status = cli_field(l->cli, &l->fields, "Secreg-Reason", LOAD_REASON);
    if (status == 0 && s != NULL)
        status = cli_field(l->cli, &l->fields, "Secreg-Type", value_type_text(s->type));
    if (status != 0)
        return status;
    if (send(l, s != NULL ? "PUT" : "DELETE", s != NULL ? bytes_of(s->value, s->value_bytes) : BYTES_NONE, &answer,
             &outcome)) {
        ++*done_count;
        return 0;
    }
    status = say_failure(l, path, outcome);
    return is_final(outcome) ? status : 0;
}

static int apply_kind(struct load *l, enum host_step_kind kind, size_t *done_count)
{
    size_t total = host_plan_count(&l->plan, kind), at = 0;
    for (size_t i = 0; i < l->plan.count; i++) {
        if (l->plan.steps[i].kind != kind)
            continue;
        show_bar(l, "writing", at++, total);
        int status = apply_step(l, &l->plan.steps[i], done_count);
        if (status != 0)
            return status;
    }
    clear_bar(l);
    return 0;
}

/* Removals come first: a folder may have to make room for an entry of its name. */
static int apply(struct load *l, bool may_remove)
{
    int status = may_remove ? apply_kind(l, HOST_STEP_REMOVE, &l->removed) : 0;
    if (status == 0)
        status = apply_kind(l, HOST_STEP_ADD, &l->added);
    if (status == 0)
        status = apply_kind(l, HOST_STEP_CHANGE, &l->changed);
    return status;
}

/* ---- output -------------------------------------------------------------------------------------------------------
 */

static enum out_color color_of(enum host_step_kind kind)
{
    if (kind == HOST_STEP_ADD)
        return OUT_GREEN;
    return kind == HOST_STEP_CHANGE ? OUT_YELLOW : kind == HOST_STEP_REMOVE ? OUT_RED : OUT_PLAIN;
}

static size_t terminal_width(const struct cli *cli)
{
    struct winsize w;
    if (!cli->is_tty_out || ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0)
        return 0;
    return w.ws_col;
}

/* Only the mark is in colour, so that cutting the line cannot cut a colour. */
static int print_step(const struct load *l, const struct host_step *step, size_t width)
{
    SCOPED(buf_fini) struct buf line, out;
    char mark[2] = "";
    buf_init(&line, LINE_MAX_BYTES);
    buf_init(&out, LINE_MAX_BYTES);
    TRY(host_step_print(&line, step, width));
    mark[0] = (char)buf_view(&line).p[0];
    TRY(out_colored(&out, l->cli->has_color, color_of(step->kind), mark));
    TRY(buf_append(&out, bytes_from(buf_view(&line), 1)));
    TRY(buf_append_text(&out, "\n"));
    return out_write(&out);
}

static int print_plan(const struct load *l)
{
    size_t width = terminal_width(l->cli);
    bool is_asked = !l->cli->is_quiet || l->is_dry;
    for (size_t i = 0; is_asked && i < l->plan.count; i++) {
        if (host_step_is_shown(&l->plan.steps[i]))
            TRY(print_step(l, &l->plan.steps[i], width));
    }
    for (size_t i = 0; !l->cli->is_quiet && i < l->settings.skipped_count; i++)
        fprintf(stderr, "sreg: left out: %s\n", l->settings.skipped[i]); /* escaped where it was noted */
    return 0;
}

/* What was done, or if nothing was to be done or wanted, what there is to do. */
struct summary {
    size_t added, changed, removed, unchanged, skipped;
};

static struct summary sum_up(const struct load *l)
{
    struct summary s = {l->added, l->changed, l->removed, host_plan_count(&l->plan, HOST_STEP_SAME),
                        l->settings.skipped_count + host_plan_count(&l->plan, HOST_STEP_APART)};
    if (l->is_dry || l->is_declined) {
        s.added = host_plan_count(&l->plan, HOST_STEP_ADD);
        s.changed = host_plan_count(&l->plan, HOST_STEP_CHANGE);
        s.removed = host_plan_count(&l->plan, HOST_STEP_REMOVE);
    }
    return s;
}

static void print_summary(const struct load *l)
{
    struct summary s = sum_up(l);
    printf("%zu added, %zu changed, %zu removed, %zu unchanged, %zu skipped", s.added, s.changed, s.removed,
           s.unchanged, s.skipped);
    if (l->failed > 0)
        printf(", %zu failed", l->failed);
    puts(l->is_dry ? " (dry run: nothing was written)" : l->is_declined ? " (nothing was written)" : "");
}

static int append_summary(const struct load *l, struct buf *out)
{
    struct summary s = sum_up(l);
    return buf_print(out,
                     "{\"written\":%s,\"added\":%zu,\"changed\":%zu,\"removed\":%zu,\"unchanged\":%zu,\"skipped\":%zu,"
                     "\"failed\":%zu,\"steps\":[",
                     l->is_dry || l->is_declined ? "false" : "true", s.added, s.changed, s.removed, s.unchanged,
                     s.skipped, l->failed);
}

static int print_report(const struct load *l)
{
    SCOPED(buf_fini) struct buf out;
    const char *comma = "";
    buf_init(&out, CLI_TEXT_MAX_BYTES);
    TRY(append_summary(l, &out));
    for (size_t i = 0; i < l->plan.count; i++) {
        if (!host_step_is_shown(&l->plan.steps[i]))
            continue;
        TRY(buf_append_text(&out, comma));
        TRY(host_step_json(&out, &l->plan.steps[i]));
        comma = ",";
    }
    TRY(buf_append_text(&out, "],\"left_out\":["));
    for (size_t i = 0; i < l->settings.skipped_count; i++) {
        TRY(buf_append_text(&out, i > 0 ? "," : ""));
        TRY(doc_json_string(&out, bytes_of_text(l->settings.skipped[i])));
    }
    TRY(buf_append_text(&out, "]}"));
    return cli_print_json(buf_view(&out));
}

/* ---- the verb -----------------------------------------------------------------------------------------------------
 */

static bool is_yes(void)
{
    char line[16];
    if (fgets(line, sizeof line, stdin) == NULL)
        return false;
    return strcmp(line, "y\n") == 0 || strcmp(line, "Y\n") == 0 || strcmp(line, "yes\n") == 0;
}

/* Asks the person at the terminal, if there is one and something was loaded before. ret_may_remove: by whose word. */
static bool is_wanted(struct load *l, bool *ret_may_remove)
{
    size_t count = host_plan_count(&l->plan, HOST_STEP_ADD) + host_plan_count(&l->plan, HOST_STEP_CHANGE) +
                   host_plan_count(&l->plan, HOST_STEP_REMOVE);
    bool is_terminal = isatty(STDIN_FILENO) == 1 && l->cli->is_tty_err;
    *ret_may_remove = l->is_yes;
    if (l->is_yes || l->tree.count == 0 || count == 0 || !is_terminal)
        return true;
    fflush(stdout);
    fprintf(stderr, "Apply %zu change%s to the registry? [y/N] ", count, count == 1 ? "" : "s");
    *ret_may_remove = is_yes();
    return *ret_may_remove;
}

static int carry_out(struct load *l)
{
    bool may_remove;
    if (!is_wanted(l, &may_remove)) {
        l->is_declined = true;
        return CLI_FAILED;
    }
    size_t kept = may_remove ? 0 : host_plan_count(&l->plan, HOST_STEP_REMOVE);
    l->next_bar = clock_mono_add(clock_mono_now(), BAR_AFTER_US);
    int status = apply(l, may_remove);
    if (kept > 0)
        cli_warn(l->cli, "%zu of the entries are no longer on this host; --yes removes them", kept);
    return status != 0 ? status : l->status;
}

static int load(struct load *l)
{
    int status = cli_fault(l->cli, host_collect(l->from, &l->settings), "cannot read the settings of the host");
    l->next_bar = clock_mono_add(clock_mono_now(), BAR_AFTER_US);
    if (status == 0)
        status = read_tree(l);
    if (status == 0)
        status = read_values(l);
    if (status == 0)
        status = make_plan(l);
    if (status == 0 && !l->cli->is_json)
        status = cli_fault(l->cli, print_plan(l), "cannot show the changes");
    if (status != 0)
        return status;
    if (!l->is_dry)
        status = carry_out(l);
    clear_bar(l);
    if (!l->cli->is_json)
        print_summary(l);
    else if (print_report(l) < 0)
        return cli_fault(l->cli, FAULT_LIMIT, "cannot show the changes");
    return status;
}

static int read_option(struct load *l, int argc, char **argv, int *at)
{
    const char *word = argv[*at];
    if (strcmp(word, "--dry-run") == 0) {
        l->is_dry = true;
    } else if (strcmp(word, "--yes") == 0 || strcmp(word, "-y") == 0) {
        l->is_yes = true;
    } else if (strncmp(word, "--from=", 7) == 0) {
        l->from = word + 7;
    } else if (strcmp(word, "--from") == 0 && *at + 1 < argc) {
        l->from = argv[++*at];
    } else {
        return cli_usage_error(l->cli, strcmp(word, "--from") == 0 ? "%s needs a folder" : "not expected here: %s",
                               word);
    }
    return 0;
}

int cmd_load_host(struct cli *cli, int argc, char **argv)
{
    struct load l = {.cli = cli, .from = ""};
    int status = 0;
    assert(argc >= 1 && argv[argc] == NULL);
    for (int i = 1; status == 0 && i < argc; i++)
        status = read_option(&l, argc, argv, &i);
    if (strcmp(l.from, "/") == 0)
        l.from = "";
    host_init(&l.settings);
    buf_init(&l.target, CLI_TARGET_MAX_BYTES);
    buf_init(&l.fields, CLI_FIELDS_MAX_BYTES);
    if (status == 0)
        status = load(&l);
    host_plan_fini(&l.plan);
    host_tree_fini(&l.tree);
    host_fini(&l.settings);
    buf_fini(&l.target);
    buf_fini(&l.fields);
    return status;
}
