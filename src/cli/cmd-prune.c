/* cmd-prune - the verb audit prune; see verbs.h. */
#include <stdio.h>
#include <unistd.h>

#include "base/num.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/verbs.h"
#include "cli/when.h"

/* Asks the person at the terminal, unless the command line has said it. Returns a status. */
static int confirm(struct cli *cli, const char *before)
{
    char question[128];
    bool is_yes = false;
    if (args_has(cli->args, "yes") || args_has(cli->args, "dry-run"))
        return 0;
    if (isatty(STDIN_FILENO) != 1 || !cli->is_tty_err)
        return cli_usage_error(cli, "--yes is needed where nobody can be asked: removed records cannot be had back");
    snprintf(question, sizeof question, "Remove the records of the trail before %.40s? They cannot be had back.",
             before);
    int status = ask_yes(cli, question, &is_yes);
    return status != 0 || is_yes ? status : CLI_FAILED;
}

/* A number of a record, or a time. */
static int add_bound(struct cli *cli, struct buf *target, const char *before)
{
    uint64_t number;
    char time[CLOCK_TEXT_BYTES];
    if (num_parse_u64(bytes_of_text(before), INT64_MAX, &number))
        return cli_target_arg(cli, target, "before", before);
    if (!when_parse(before, clock_wall_now(), time))
        return cli_usage_error(cli, "%s is neither the number of a record nor a time", before);
    return cli_target_arg(cli, target, "until", time);
}

static uint64_t number_of(struct bytes data, const char *name)
{
    struct bytes raw;
    uint64_t n = 0;
    return secreg_member(data, name, &raw) && num_parse_u64(raw, INT64_MAX, &n) ? n : 0;
}

static void say(struct cli *cli, struct bytes data, bool is_dry)
{
    unsigned long long removed = number_of(data, "removed"), first = number_of(data, "first"),
                       before = number_of(data, "before");
    if (removed == 0)
        cli_note(cli, "nothing to remove: only whole files are, and the oldest one holds later records too");
    else if (is_dry)
        printf("would remove %llu records, from %llu to %llu\n", removed, first, before - 1);
    else
        cli_note(cli, "removed %llu records; the trail begins with record %llu", removed, first);
}

int cmd_audit_prune(struct cli *cli, const struct args *args)
{
    struct buf target;
    struct bytes data;
    bool is_dry = args_has(args, "dry-run");
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    int status = cli_fault(cli, buf_append_text(&target, "/v1/audit/prune"), "cannot ask");
    if (status == 0)
        status = add_bound(cli, &target, args->operands[0]);
    if (status == 0)
        status = confirm(cli, args->operands[0]);
    if (status == 0 && is_dry)
        status = cli_fault(cli, buf_append_text(&target, "&dry_run"), "cannot ask");
    struct secreg_ask ask = {.method = "POST", .target = buf_view(&target)};
    if (status == 0)
        status = cli_data(cli, &ask, &data);
    buf_fini(&target);
    if (status != 0 || cli->is_json)
        return status != 0 ? status : cli_print_json(data);
    say(cli, data, is_dry);
    return 0;
}
