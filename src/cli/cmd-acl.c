/* cmd-acl - the verbs acl show, allow, deny, remove and test; see verbs.h. */
#include <stdio.h>

#include "base/num.h"
#include "cli/out.h"
#include "cli/policy.h"
#include "cli/verbs.h"
#include "cli/zone-name.h"
#include "model/outcome.h"

static int print_rules(struct cli *cli, struct bytes data)
{
    static const struct out_column columns[] = {
        {"ID", "id", OUT_NUMBER},         {"EFFECT", "effect", OUT_TEXT},       {"PRINCIPAL", "principal", OUT_TEXT},
        {"ACTIONS", "actions", OUT_TEXT}, {"PATH", "path", OUT_TEXT},           {"CREATED", "created", OUT_TEXT},
        {"BY", "created_by", OUT_USER},   {"CONDITION", "condition", OUT_TEXT},
    };
    int r = out_list(data, "rules", columns, COUNT_OF(columns), cli->has_color);
    if (r == 0)
        policy_note_revision(cli, data);
    return cli_fault(cli, r, "cannot show the rules");
}

int cmd_acl_show(struct cli *cli, const struct args *args)
{
    struct buf target;
    struct bytes data;
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    int status = cli_fault(cli, buf_append_text(&target, "/v1/acl"), "cannot ask");
    if (status == 0)
        status = cli_target_arg(cli, &target, "path", args->operands_count > 0 ? args->operands[0] : "/registry");
    if (status == 0)
        status = cli_get_data(cli, buf_view(&target), &data);
    if (status == 0)
        status = cli->is_json ? cli_print_json(data) : print_rules(cli, data);
    buf_fini(&target);
    return status;
}

#define ZONES_PATH "/usr/share/zoneinfo"

/* The condition as the daemon takes it; which rule stands for the name of a zone is said. */
static int read_condition(struct cli *cli, const struct args *args, struct buf *out)
{
    struct bytes name, rule;
    const char *text = args_value(args, "when");
    if (text == NULL)
        return 0;
    if (*text == '\0')
        return cli_usage_error(cli, "a condition is not empty: leave it out");
    int r = zone_name_resolve(ZONES_PATH, bytes_of_text(text), out, &name, &rule);
    if (r == ZONE_NAME_ABSENT)
        return cli_usage_error(cli, "this host knows no such time zone below " ZONES_PATH);
    if (r == FAULT_LIMIT)
        return cli_error(cli, OUTCOME_TOO_LARGE, "the condition is too long");
    if (r == 0 && name.n > 0 && !cli->is_quiet)
        fprintf(stderr, "sreg: zone %.*s is stored as its rule of today: %.*s\n", BYTES_PRINT(name), BYTES_PRINT(rule));
    return cli_fault(cli, r, "cannot read the rule of the time zone");
}

static int rule_body(struct buf *body, const char *effect, const char *principal, const struct args *args,
                     struct bytes condition)
{
    TRY(policy_member(body, "effect", bytes_of_text(effect)));
    TRY(policy_member(body, "principal", bytes_of_text(principal)));
    TRY(policy_member(body, "actions", bytes_of_text(args->operands[1])));
    TRY(policy_member(body, "path", bytes_of_text(args->operands[2])));
    if (condition.n > 0)
        TRY(policy_member(body, "condition", condition));
    return buf_append_text(body, "}");
}

static int ask_rule(struct cli *cli, struct bytes body)
{
    struct buf id, target;
    struct bytes data;
    bool is_said = false;
    buf_init(&id, POLICY_BODY_MAX_BYTES);
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    int status = cli_fault(cli, buf_append_text(&target, "/v1/acl"), "cannot ask");
    if (status == 0)
        status = policy_edit(cli, "POST", &target, body, &data, &is_said);
    if (status == 0 && !is_said && out_member(&id, data, "id", OUT_TEXT) == 0)
        printf("added rule %.*s\n", BYTES_PRINT(buf_view(&id)));
    buf_fini(&target);
    buf_fini(&id);
    return status;
}

static int add_rule(struct cli *cli, const struct args *args, const char *effect)
{
    char principal[POLICY_PRINCIPAL_MAX_BYTES];
    struct buf body, condition;
    int status = policy_principal(cli, args->operands[0], principal);
    if (status != 0)
        return status;
    buf_init(&body, POLICY_BODY_MAX_BYTES);
    buf_init(&condition, POLICY_BODY_MAX_BYTES);
    status = read_condition(cli, args, &condition);
    int r = status == 0 ? rule_body(&body, effect, principal, args, buf_view(&condition)) : 0;
    if (status == 0)
        status = r == FAULT_LIMIT ? cli_error(cli, OUTCOME_TOO_LARGE, "the rule is too long")
                                  : cli_fault(cli, r, "cannot ask");
    if (status == 0)
        status = ask_rule(cli, buf_view(&body));
    buf_fini(&condition);
    buf_fini(&body);
    return status;
}

int cmd_acl_allow(struct cli *cli, const struct args *args)
{
    return add_rule(cli, args, "allow");
}

int cmd_acl_deny(struct cli *cli, const struct args *args)
{
    return add_rule(cli, args, "deny");
}

int cmd_acl_remove(struct cli *cli, const struct args *args)
{
    struct buf target;
    uint64_t id;
    struct bytes data;
    bool is_said = false;
    if (!num_parse_u64(bytes_of_text(args->operands[0]), INT64_MAX, &id))
        return cli_usage_error(cli, "the number of a rule is meant, as `sreg acl show` shows it: %s",
                               args->operands[0]);
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    int status = cli_fault(cli, buf_print(&target, "/v1/acl?id=%llu", (unsigned long long)id), "cannot ask");
    if (status == 0)
        status = policy_edit(cli, "DELETE", &target, BYTES_NONE, &data, &is_said);
    buf_fini(&target);
    if (status == 0 && !is_said)
        cli_note(cli, "removed rule %llu", (unsigned long long)id);
    return status;
}

static int test_target(struct cli *cli, const struct args *args, const char *principal, struct buf *target)
{
    int status = cli_fault(cli, buf_append_text(target, "/v1/acl/test"), "cannot ask");
    if (status == 0)
        status = cli_target_arg(cli, target, "path", args->operands[2]);
    if (status == 0)
        status = cli_target_arg(cli, target, "principal", principal);
    return status == 0 ? cli_target_arg(cli, target, "action", args->operands[1]) : status;
}

int cmd_acl_test(struct cli *cli, const struct args *args)
{
    char principal[POLICY_PRINCIPAL_MAX_BYTES];
    struct buf target;
    struct bytes data, allowed, rule = BYTES_LITERAL("0");
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    int status = policy_principal(cli, args->operands[0], principal);
    if (status == 0)
        status = test_target(cli, args, principal, &target);
    if (status == 0)
        status = cli_get_data(cli, buf_view(&target), &data);
    buf_fini(&target);
    if (status != 0)
        return status;
    if (!secreg_member(data, "allowed", &allowed) || !secreg_member(data, "rule", &rule))
        return cli_error(cli, OUTCOME_BAD_HTTP, "the daemon's reply is not what doc/spec/http-api.md says");
    bool is_allowed = bytes_equal(allowed, BYTES_LITERAL("true"));
    if (cli->is_json)
        cli_print_json(data);
    else if (bytes_equal(rule, BYTES_LITERAL("0")))
        printf("%s: no rule decides\n", is_allowed ? "allowed" : "refused");
    else
        printf("%s by rule %.*s\n", is_allowed ? "allowed" : "refused", BYTES_PRINT(rule));
    return is_allowed ? 0 : CLI_REFUSED;
}
