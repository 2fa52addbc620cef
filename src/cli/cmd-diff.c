/*
 * cmd-diff - the verb diff: two documents, each from a file or from the tree, side by side; see verbs.h.
 *
 * Values of sealed entries are compared where both are known, and never shown.
 */
#include <stdio.h>

#include "cli/transfer.h"
#include "cli/verbs.h"
#include "model/outcome.h"

/* With --exit-code as of diff(1), where 1 cannot be a failure as well. */
enum { EXIT_DIFFERENT = 1, EXIT_TROUBLE = 2 };

struct diff {
    struct cli *cli;
    struct dump sides[2];
    bool is_lossy[2];
    struct merge_plan plan;
    size_t unknown_count;
};

static int read_side(struct diff *x, size_t i, const char *word)
{
    const struct dump_format *format;
    if (transfer_is_tree(word))
        return transfer_read_tree(x->cli, word, false, &x->sides[i]);
    int status = transfer_format(x->cli, args_value(x->cli->args, "format"), word, &format);
    if (status != 0)
        return status;
    x->is_lossy[i] = format->is_lossy;
    return transfer_read_file(x->cli, word, format, &x->sides[i]);
}

/* What a lossy format lost is taken from the other side, as an import would. */
static int make_whole(struct diff *x, size_t i)
{
    char why[DUMP_WHY_BYTES] = "";
    const struct dump nothing = {0};
    if (!x->is_lossy[i])
        return 0;
    int r = dump_env_adopt(&x->sides[i], x->is_lossy[1 - i] ? &nothing : &x->sides[1 - i], why);
    return r == DUMP_BAD ? cli_error(x->cli, OUTCOME_BAD_VALUE, "%s", why) : cli_fault(x->cli, r, "cannot compare");
}

/* A value that only one side knows cannot be compared: then neither is, and the rest of the entry is. */
static void level(struct diff *x)
{
    for (size_t i = 0; i < 2; i++) {
        struct dump *d = &x->sides[i];
        for (size_t j = 0; j < d->count; j++) {
            struct dump_entry *e = &d->entries[j];
            const struct dump_entry *other = dump_find(&x->sides[1 - i], e->path);
            if (!e->has_value || !e->is_sealed || other == NULL || other->has_value)
                continue;
            dump_entry_hide(e);
            x->unknown_count++;
        }
    }
}

static int put_report(struct diff *x, struct buf *out)
{
    const size_t *n = x->plan.counts;
    TRY(buf_print(out,
                  "{\"different\":%s,\"added\":%zu,\"changed\":%zu,\"deleted\":%zu,\"unchanged\":%zu,"
                  "\"not_compared\":%zu,\"steps\":",
                  merge_changes_count(&x->plan) > 0 ? "true" : "false", n[MERGE_ADD], n[MERGE_CHANGE], n[MERGE_DELETE],
                  n[MERGE_SAME], x->unknown_count));
    TRY(transfer_put_steps(out, &x->plan, ""));
    return buf_append_text(out, "}");
}

static int show(struct diff *x)
{
    SCOPED(buf_fini) struct buf out;
    buf_init_wiping(&out, CLI_TEXT_MAX_BYTES);
    if (x->unknown_count > 0)
        cli_warn(x->cli, "the values of %zu sealed entries are in one of the two only and are not compared",
                 x->unknown_count);
    if (!x->cli->is_json)
        return transfer_print_steps(x->cli, &x->plan, "");
    int r = put_report(x, &out);
    return r == 0 ? cli_print_json(buf_view(&out)) : cli_fault(x->cli, r, "cannot show the differences");
}

static int compare(struct diff *x)
{
    const struct merge_rules rules = {.strategy = MERGE_THEIRS, .is_only_shown = true};
    level(x);
    int r = merge_make(NULL, &x->sides[0], &x->sides[1], rules, &x->plan);
    return r == 0 ? show(x) : cli_fault(x->cli, r, "cannot compare");
}

int cmd_diff(struct cli *cli, const struct args *args)
{
    struct diff x = {.cli = cli};
    int status = 0;
    for (size_t i = 0; i < 2; i++) {
        dump_init(&x.sides[i]);
        if (status == 0)
            status = read_side(&x, i, args->operands[i]);
    }
    for (size_t i = 0; status == 0 && i < 2; i++)
        status = make_whole(&x, i);
    if (status == 0)
        status = compare(&x);
    bool is_different = merge_changes_count(&x.plan) > 0;
    merge_fini(&x.plan);
    dump_fini(&x.sides[0]);
    dump_fini(&x.sides[1]);
    if (!args_has(args, "exit-code"))
        return status;
    return status == 0 ? is_different * EXIT_DIFFERENT : status == EXIT_DIFFERENT ? EXIT_TROUBLE : status;
}
