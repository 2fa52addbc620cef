/* cmd-role - the verbs role list, show, add and remove; see verbs.h. */
#include <stdio.h>

#include "cli/out.h"
#include "cli/policy.h"
#include "cli/verbs.h"
#include "model/outcome.h"

static int get_members(struct cli *cli, const char *role, struct bytes *ret_data)
{
    struct buf target;
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    int status = cli_fault(cli, buf_append_text(&target, "/v1/roles"), "cannot ask");
    if (status == 0 && role != NULL)
        status = cli_target_arg(cli, &target, "role", role);
    if (status == 0)
        status = cli_get_data(cli, buf_view(&target), ret_data);
    buf_fini(&target);
    return status;
}

static int print_members(struct cli *cli, struct bytes data)
{
    static const struct out_column columns[] = {{"ROLE", "role", OUT_TEXT},
                                                {"PRINCIPAL", "principal", OUT_TEXT},
                                                {"CREATED", "created", OUT_TEXT},
                                                {"BY", "created_by", OUT_USER}};
    int r = out_list(data, "members", columns, COUNT_OF(columns), cli->has_color);
    if (r == 0)
        policy_note_revision(cli, data);
    return cli_fault(cli, r, "cannot show the members");
}

int cmd_role_show(struct cli *cli, const struct args *args)
{
    struct bytes data;
    int status = get_members(cli, args->operands_count > 0 ? args->operands[0] : NULL, &data);
    return status != 0 ? status : cli->is_json ? cli_print_json(data) : print_members(cli, data);
}

static int add_member(struct cli *cli, const char *role, const char *principal, bool *ret_is_said)
{
    struct buf target, body;
    struct bytes data;
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    buf_init(&body, POLICY_BODY_MAX_BYTES);
    int r = buf_append_text(&target, "/v1/roles");
    if (r == 0)
        r = policy_member(&body, "role", bytes_of_text(role));
    if (r == 0)
        r = policy_member(&body, "principal", bytes_of_text(principal));
    if (r == 0)
        r = buf_append_text(&body, "}");
    int status =
        r == FAULT_LIMIT ? cli_error(cli, OUTCOME_TOO_LARGE, "the name is too long") : cli_fault(cli, r, "cannot ask");
    if (status == 0)
        status = policy_edit(cli, "POST", &target, buf_view(&body), &data, ret_is_said);
    buf_fini(&body);
    buf_fini(&target);
    return status;
}

static int remove_member(struct cli *cli, const char *role, const char *principal, bool *ret_is_said)
{
    struct buf target;
    struct bytes data;
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    int status = cli_fault(cli, buf_append_text(&target, "/v1/roles"), "cannot ask");
    if (status == 0)
        status = cli_target_arg(cli, &target, "role", role);
    if (status == 0)
        status = cli_target_arg(cli, &target, "principal", principal);
    if (status == 0)
        status = policy_edit(cli, "DELETE", &target, BYTES_NONE, &data, ret_is_said);
    buf_fini(&target);
    return status;
}

static int edit(struct cli *cli, const struct args *args, bool adds)
{
    char principal[POLICY_PRINCIPAL_MAX_BYTES];
    bool is_said = false;
    int status = policy_principal(cli, args->operands[1], principal);
    if (status == 0)
        status = adds ? add_member(cli, args->operands[0], principal, &is_said)
                      : remove_member(cli, args->operands[0], principal, &is_said);
    if (status == 0 && !is_said)
        cli_note(cli, "%s is %s a member of %s", principal, adds ? "now" : "no longer", args->operands[0]);
    return status;
}

int cmd_role_add(struct cli *cli, const struct args *args)
{
    return edit(cli, args, true);
}

int cmd_role_remove(struct cli *cli, const struct args *args)
{
    return edit(cli, args, false);
}
