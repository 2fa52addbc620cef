/*
 * cmd-import - the verb import: a document becomes entries below a folder, in one transaction; see verbs.h.
 *
 * Invariant: every operation names the version that the plan was made from, or that there was no entry, so that what
 * somebody else writes in between ends the whole import and is not lost.
 */
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "cli/transfer.h"
#include "cli/verbs.h"
#include "model/outcome.h"
#include "wire/json.h"

/* Of the body of a transaction, as the daemon takes it; its answer comes when all of it is stored. */
enum { REQUEST_MAX_BYTES = JSON_TEXT_MAX_BYTES, ANSWER_MS = 120000 };

struct import {
    struct cli *cli;
    const char *file, *base_file; /* base_file: NULL without */
    const struct dump_format *format;
    struct merge_rules rules;
    bool is_dry;
    struct dump base, ours, theirs;
    struct merge_plan plan;
    uint64_t revision;
};

/* ---- options ------------------------------------------------------------------------------------------------------
 */

static int read_strategy(struct import *m, const struct args *args)
{
    static const struct {
        const char *name;
        enum merge_strategy strategy;
    } rows[] = {{"abort", MERGE_ABORT}, {"ours", MERGE_OURS}, {"theirs", MERGE_THEIRS}};
    unsigned given = 0;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (!args_has(args, rows[i].name))
            continue;
        m->rules.strategy = rows[i].strategy;
        given++;
    }
    return given <= 1 ? 0 : cli_usage_error(m->cli, "--ours, --theirs and --abort exclude each other");
}

static int read_options(struct import *m, const struct args *args)
{
    bool deletes = args_has(args, "delete-missing");
    m->file = args->operands[0];
    m->base_file = args_value(args, "base");
    m->is_dry = args_has(args, "dry-run");
    m->rules.keeps_missing = !deletes;
    int status = read_strategy(m, args);
    if (status == 0 && deletes && m->base_file != NULL)
        return cli_usage_error(m->cli, "--base says what was deleted: --delete-missing is not for it");
    if (status == 0)
        status = transfer_format(m->cli, args_value(args, "format"), m->file, &m->format);
    if (status == 0 && m->format->is_lossy && (deletes || m->base_file != NULL))
        return cli_usage_error(m->cli, "the format %s does not say what is missing; use json or yaml", m->format->name);
    return status;
}

/* ---- documents ----------------------------------------------------------------------------------------------------
 */

static int read_base(struct import *m)
{
    const struct dump_format *format;
    int status = transfer_format(m->cli, NULL, m->base_file, &format);
    if (status == 0 && format->is_lossy)
        return cli_usage_error(m->cli, "the format %s is not for --base", format->name);
    return status == 0 ? transfer_read_file(m->cli, m->base_file, format, &m->base) : status;
}

/* Whatever the document says, it must fit below the folder. */
static int check_paths(struct import *m)
{
    char why[DUMP_WHY_BYTES] = "";
    for (size_t i = 0; i < m->theirs.count; i++) {
        if (dump_path(m->ours.base, m->theirs.entries[i].path, NULL, why) != 0)
            return cli_error(m->cli, OUTCOME_BAD_PATH, "not a valid path below %s: %s", m->ours.base, why);
    }
    return 0;
}

static int read_all(struct import *m, const struct args *args)
{
    const char *to = args_value(args, "to");
    char why[DUMP_WHY_BYTES] = "";
    int r = 0, status = transfer_read_file(m->cli, m->file, m->format, &m->theirs);
    if (status == 0 && m->base_file != NULL)
        status = read_base(m);
    if (status == 0 && to == NULL && m->theirs.base[0] == '\0')
        return cli_usage_error(m->cli, "%s does not say where it belongs; give --to", m->file);
    if (status == 0)
        status = transfer_read_tree(m->cli, to != NULL ? to : m->theirs.base, true, &m->ours);
    if (status == 0 && m->format->is_lossy)
        r = dump_env_adopt(&m->theirs, &m->ours, why);
    if (r == DUMP_BAD)
        return cli_error(m->cli, OUTCOME_BAD_VALUE, "%s: %s", m->file, why);
    if (r < 0)
        return cli_fault(m->cli, r, m->file);
    return status == 0 ? check_paths(m) : status;
}

/* ---- the transaction ----------------------------------------------------------------------------------------------
 */

static int send(struct import *m, struct bytes body)
{
    struct secreg_ask ask = {.method = "POST", .target = BYTES_LITERAL("/v1/txn"), .body = body};
    struct bytes data, revision;
    secreg_set_timeout(m->cli->link, ANSWER_MS);
    int status = cli_data(m->cli, &ask, &data);
    if (status != 0)
        return status;
    if (!secreg_member(data, "revision", &revision) || !num_parse_u64(revision, INT64_MAX, &m->revision))
        return cli_error(m->cli, OUTCOME_BAD_HTTP, "the daemon's reply is not what doc/spec/http-api.md says");
    return 0;
}

static int carry_out(struct import *m)
{
    SCOPED(buf_fini) struct buf body;
    buf_init_wiping(&body, REQUEST_MAX_BYTES);
    int r = merge_request(&body, &m->plan, m->ours.base, args_value(m->cli->args, "reason"), m->is_dry);
    if (r == FAULT_LIMIT)
        return cli_error(m->cli, OUTCOME_TOO_LARGE, "the changes are larger than a transaction of %d bytes can be",
                         REQUEST_MAX_BYTES);
    return r == 0 ? send(m, buf_view(&body)) : cli_fault(m->cli, r, "cannot make the transaction");
}

/* ---- output -------------------------------------------------------------------------------------------------------
 */

static int put_report(struct import *m, struct buf *out, bool is_written)
{
    const size_t *n = m->plan.counts;
    TRY(buf_print(out,
                  "{\"written\":%s,\"dry_run\":%s,\"revision\":%llu,\"added\":%zu,\"changed\":%zu,\"deleted\":%zu,"
                  "\"kept\":%zu,\"unchanged\":%zu,\"without_value\":%zu,\"conflicts\":%zu,\"steps\":",
                  is_written ? "true" : "false", m->is_dry ? "true" : "false", (unsigned long long)m->revision,
                  n[MERGE_ADD], n[MERGE_CHANGE], n[MERGE_DELETE], n[MERGE_KEEP], n[MERGE_SAME], n[MERGE_LEFT],
                  n[MERGE_CONFLICT]));
    TRY(transfer_put_steps(out, &m->plan, m->ours.base));
    return buf_append_text(out, "}");
}

static int print_report(struct import *m, bool is_written)
{
    SCOPED(buf_fini) struct buf out;
    buf_init_wiping(&out, CLI_TEXT_MAX_BYTES);
    int r = put_report(m, &out, is_written);
    return r == 0 ? cli_print_json(buf_view(&out)) : cli_fault(m->cli, r, "cannot show the changes");
}

static int report(struct import *m, bool is_written)
{
    const size_t *n = m->plan.counts;
    if (m->cli->is_json)
        return print_report(m, is_written);
    printf("%zu added, %zu changed, %zu deleted, %zu kept, %zu unchanged, %zu without a value", n[MERGE_ADD],
           n[MERGE_CHANGE], n[MERGE_DELETE], n[MERGE_KEEP], n[MERGE_SAME], n[MERGE_LEFT]);
    if (n[MERGE_CONFLICT] > 0)
        printf(", %zu conflicts", n[MERGE_CONFLICT]);
    puts(m->is_dry ? " (dry run: nothing was written)" : is_written ? "" : " (nothing was written)");
    return 0;
}

static int merge(struct import *m)
{
    const struct dump *base = m->base_file != NULL ? &m->base : NULL;
    int status = cli_fault(m->cli, merge_make(base, &m->ours, &m->theirs, m->rules, &m->plan), "cannot compare");
    bool has_conflict = m->plan.counts[MERGE_CONFLICT] > 0;
    if (status == 0 && !m->cli->is_json && (!m->cli->is_quiet || m->is_dry || has_conflict))
        status = transfer_print_steps(m->cli, &m->plan, m->ours.base);
    if (status != 0)
        return status;
    if (has_conflict) {
        status = report(m, false);
        return status != 0 ? status : outcome_exit(OUTCOME_CONFLICT);
    }
    bool has_changes = merge_changes_count(&m->plan) > 0;
    m->revision = m->ours.revision;
    if (has_changes)
        status = carry_out(m);
    return status == 0 ? report(m, has_changes && !m->is_dry) : status;
}

int cmd_import(struct cli *cli, const struct args *args)
{
    struct import m = {.cli = cli};
    dump_init(&m.base);
    dump_init(&m.ours);
    dump_init(&m.theirs);
    int status = read_options(&m, args);
    if (status == 0)
        status = read_all(&m, args);
    if (status == 0)
        status = merge(&m);
    merge_fini(&m.plan);
    dump_fini(&m.base);
    dump_fini(&m.ours);
    dump_fini(&m.theirs);
    return status;
}
