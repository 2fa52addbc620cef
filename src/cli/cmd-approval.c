/* cmd-approval - the verbs policy require-approval, approval list, show, approve and reject, break-glass; see verbs.h.
 */
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "cli/out.h"
#include "cli/policy.h"
#include "cli/verbs.h"
#include "model/outcome.h"

int cmd_require_approval(struct cli *cli, const struct args *args)
{
    char principal[POLICY_PRINCIPAL_MAX_BYTES] = "any";
    struct buf body, target, id;
    struct bytes data;
    bool is_said = false;
    int status = args_has(args, "by") ? policy_principal(cli, args_value(args, "by"), principal) : 0;
    if (status != 0)
        return status;
    buf_init(&body, POLICY_BODY_MAX_BYTES);
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    buf_init(&id, POLICY_BODY_MAX_BYTES);
    int r = policy_member(&body, "effect", BYTES_LITERAL("approve"));
    if (r == 0)
        r = policy_member(&body, "principal", bytes_of_text(principal));
    if (r == 0)
        r = policy_member(&body, "actions", BYTES_LITERAL("write,delete,grant"));
    if (r == 0)
        r = policy_member(&body, "path", bytes_of_text(args->operands[0]));
    if (r == 0)
        r = buf_append_text(&body, "}");
    if (r == 0)
        r = buf_append_text(&target, "/v1/acl");
    status =
        r == FAULT_LIMIT ? cli_error(cli, OUTCOME_TOO_LARGE, "the rule is too long") : cli_fault(cli, r, "cannot ask");
    if (status == 0)
        status = policy_edit(cli, "POST", &target, buf_view(&body), &data, &is_said);
    if (status == 0 && !is_said && out_member(&id, data, "id", OUT_TEXT) == 0)
        printf("added rule %.*s\n", BYTES_PRINT(buf_view(&id)));
    buf_fini(&id);
    buf_fini(&target);
    buf_fini(&body);
    return status;
}

/* ---- requests that wait ---------------------------------------------------------------------------------- */

static int ask(struct cli *cli, const char *method, const char *id_text, struct bytes *ret_data)
{
    char target[64] = "/v1/approvals";
    uint64_t id;
    if (id_text != NULL && !num_parse_u64(bytes_of_text(id_text), INT64_MAX, &id))
        return cli_usage_error(cli, "the number of a request is meant, as `sreg approval list` shows it: %s", id_text);
    if (id_text != NULL)
        snprintf(target, sizeof target, "/v1/approvals?id=%llu", (unsigned long long)id);
    struct secreg_ask a = {.method = method, .target = bytes_of_text(target), .is_read = strcmp(method, "GET") == 0};
    return cli_data(cli, &a, ret_data);
}

static int print_table(struct cli *cli, struct bytes data, const char *list, const struct out_column *columns,
                       size_t count)
{
    int r = out_list(data, list, columns, count, cli->has_color);
    return cli_fault(cli, r, "cannot show the requests");
}

int cmd_approval_list(struct cli *cli, const struct args *args)
{
    static const struct out_column columns[] = {{"ID", "id", OUT_NUMBER},       {"OF", "uid", OUT_USER},
                                                {"WHAT", "op", OUT_TEXT},       {"PATH", "path", OUT_TEXT},
                                                {"ASKED", "created", OUT_TEXT}, {"UNTIL", "expires", OUT_TEXT}};
    struct bytes data;
    (void)args;
    int status = ask(cli, "GET", NULL, &data);
    if (status != 0)
        return status;
    return cli->is_json ? cli_print_json(data) : print_table(cli, data, "approvals", columns, COUNT_OF(columns));
}

int cmd_approval_show(struct cli *cli, const struct args *args)
{
    static const struct out_column lines[] = {{"id", "id", OUT_TEXT},
                                              {"asked by", "uid", OUT_USER},
                                              {"asked", "created", OUT_TEXT},
                                              {"until", "expires", OUT_TEXT}};
    static const struct out_column columns[] = {
        {"WHAT", "op", OUT_TEXT},         {"PATH", "path", OUT_TEXT},           {"TO", "to", OUT_TEXT},
        {"SIZE", "size", OUT_NUMBER},     {"SEALED", "sealed", OUT_FLAG},       {"VALUE", "value", OUT_TEXT},
        {"EFFECT", "effect", OUT_TEXT},   {"PRINCIPAL", "principal", OUT_TEXT}, {"ROLE", "role", OUT_TEXT},
        {"ACTIONS", "actions", OUT_TEXT}, {"CONDITION", "condition", OUT_TEXT}, {"BEFORE", "before", OUT_TEXT},
        {"REASON", "reason", OUT_TEXT}};
    struct buf out;
    struct bytes data;
    int status = ask(cli, "GET", args->operands[0], &data);
    if (status != 0)
        return status;
    if (cli->is_json)
        return cli_print_json(data);
    buf_init(&out, CLI_TEXT_MAX_BYTES);
    int r = out_lines(&out, data, lines, COUNT_OF(lines));
    if (r == 0)
        r = out_write(&out);
    buf_fini(&out);
    status = cli_fault(cli, r, "cannot show the request");
    return status != 0 ? status : print_table(cli, data, "requests", columns, COUNT_OF(columns));
}

static int settle(struct cli *cli, const struct args *args, const char *method, const char *done)
{
    struct bytes data;
    int status = ask(cli, method, args->operands[0], &data);
    if (status == 0 && cli->is_json)
        return cli_print_json(data);
    if (status == 0)
        cli_note(cli, "%s request %s", done, args->operands[0]);
    return status;
}

int cmd_approval_approve(struct cli *cli, const struct args *args)
{
    return settle(cli, args, "POST", "approved");
}

int cmd_approval_reject(struct cli *cli, const struct args *args)
{
    return settle(cli, args, "DELETE", "ended");
}

/* ---- break-glass ----------------------------------------------------------------------------------------- */

/* "90s", "15m", "1h". */
static bool parse_span(const char *text, uint64_t *ret_s)
{
    size_t n = strlen(text);
    uint64_t unit = n == 0 ? 0 : text[n - 1] == 's' ? 1 : text[n - 1] == 'm' ? 60 : text[n - 1] == 'h' ? 3600 : 0;
    if (unit == 0 || !num_parse_u64(bytes_of(text, n - 1), INT32_MAX / 3600, ret_s))
        return false;
    *ret_s *= unit;
    return true;
}

int cmd_break_glass(struct cli *cli, const struct args *args)
{
    char number[24];
    uint64_t span_s = 3600;
    struct buf target, fields, text;
    struct bytes data = BYTES_NONE;
    if (args_value(args, "reason") == NULL || *args_value(args, "reason") == '\0')
        return cli_usage_error(cli, "--reason is missing: it goes into the trail");
    if (args_has(args, "for") && !parse_span(args_value(args, "for"), &span_s))
        return cli_usage_error(cli, "a span of time is meant, such as 90s, 15m or 1h: %s", args_value(args, "for"));
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    buf_init(&fields, CLI_FIELDS_MAX_BYTES);
    buf_init(&text, CLI_FIELDS_MAX_BYTES);
    snprintf(number, sizeof number, "%llu", (unsigned long long)span_s);
    int status = cli_fault(cli, buf_append_text(&target, "/v1/break-glass"), "cannot ask");
    if (status == 0)
        status = cli_target_arg(cli, &target, "path", args->operands[0]);
    if (status == 0)
        status = cli_target_arg(cli, &target, "for", number);
    if (status == 0)
        status = cli_field(cli, &fields, "Secreg-Reason", args_value(args, "reason"));
    struct secreg_ask a = {.method = "POST", .target = buf_view(&target), .fields = buf_view(&fields)};
    if (status == 0)
        status = cli_data(cli, &a, &data);
    if (status == 0 && cli->is_json)
        status = cli_print_json(data);
    else if (status == 0 && out_member(&text, data, "actions", OUT_TEXT) == 0 &&
             buf_append_text(&text, " until ") == 0 && out_member(&text, data, "expires", OUT_TEXT) == 0)
        printf("you may %.*s\n", BYTES_PRINT(buf_view(&text)));
    buf_fini(&text);
    buf_fini(&fields);
    buf_fini(&target);
    return status;
}
