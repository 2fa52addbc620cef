/* cmd-acl - the verbs acl show, allow, deny, remove and test; see verbs.h. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "registry/outcome.h"
#include "wire/doc.h"

enum { PRINCIPAL_MAX_BYTES = 300, BODY_MAX_BYTES = 8192 };

static int print_rules(struct cli *cli, struct bytes data)
{
    static const struct out_column columns[] = {
        {"ID", "id", OUT_NUMBER},         {"EFFECT", "effect", OUT_TEXT}, {"PRINCIPAL", "principal", OUT_TEXT},
        {"ACTIONS", "actions", OUT_TEXT}, {"PATH", "path", OUT_TEXT},     {"CREATED", "created", OUT_TEXT},
        {"BY", "created_by", OUT_USER},
    };
    struct out_table t;
    struct buf out;
    struct bytes rules, rule;
    int r = secreg_member(data, "rules", &rules) ? 0 : RAISE(FAULT_PROTOCOL);
    buf_init(&out, CLI_TEXT_MAX_BYTES);
    out_table_init(&t, columns, COUNT_OF(columns));
    while (r == 0 && secreg_element(&rules, &rule))
        r = out_table_row(&t, rule);
    if (r == 0)
        r = out_table_print(&t, cli->has_color, &out);
    if (r == 0)
        r = out_write(&out);
    out_table_fini(&t);
    buf_fini(&out);
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

/* The daemon knows numbers only: a name of this host's users or groups is looked up here. */
static int find_principal(struct cli *cli, const char *text, char ret[static PRINCIPAL_MAX_BYTES])
{
    uint64_t number;
    bool is_user = strncmp(text, "uid:", 4) == 0, is_group = strncmp(text, "gid:", 4) == 0;
    if (!text_copy(ret, PRINCIPAL_MAX_BYTES, bytes_of_text(text)))
        return cli_usage_error(cli, "the principal is too long");
    if ((!is_user && !is_group) || num_parse_u64(bytes_of_text(text + 4), UINT32_MAX, &number))
        return 0;
    const struct passwd *user = is_user ? getpwnam(text + 4) : NULL;
    const struct group *group = is_group ? getgrnam(text + 4) : NULL;
    if (user == NULL && group == NULL)
        return cli_usage_error(cli, "this host has no such user or group: %s", text + 4);
    snprintf(ret, PRINCIPAL_MAX_BYTES, "%.4s%u", text, user != NULL ? user->pw_uid : group->gr_gid);
    return 0;
}

static int rule_body(struct buf *body, const char *effect, const char *principal, const struct args *args)
{
    const struct {
        const char *name, *value;
    } members[] = {
        {"effect", effect}, {"principal", principal}, {"actions", args->operands[1]}, {"path", args->operands[2]}};
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        TRY(buf_print(body, "%s\"%s\":", i == 0 ? "{" : ",", members[i].name));
        TRY(doc_json_string(body, bytes_of_text(members[i].value)));
    }
    return buf_append_text(body, "}");
}

static int add_rule(struct cli *cli, const struct args *args, const char *effect)
{
    char principal[PRINCIPAL_MAX_BYTES];
    struct buf body, id;
    struct bytes data;
    int status = find_principal(cli, args->operands[0], principal);
    if (status != 0)
        return status;
    buf_init(&body, BODY_MAX_BYTES);
    buf_init(&id, BODY_MAX_BYTES);
    int r = rule_body(&body, effect, principal, args);
    status =
        r == FAULT_LIMIT ? cli_error(cli, OUTCOME_TOO_LARGE, "the rule is too long") : cli_fault(cli, r, "cannot ask");
    struct secreg_ask ask = {.method = "POST", .target = BYTES_LITERAL("/v1/acl"), .body = buf_view(&body)};
    if (status == 0)
        status = cli_data(cli, &ask, &data);
    if (status == 0 && cli->is_json)
        status = cli_print_json(data);
    else if (status == 0 && out_member(&id, data, "id", OUT_TEXT) == 0)
        printf("added rule %.*s\n", BYTES_PRINT(buf_view(&id)));
    buf_fini(&id);
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
    char target[64];
    uint64_t id;
    struct bytes data;
    if (!num_parse_u64(bytes_of_text(args->operands[0]), INT64_MAX, &id))
        return cli_usage_error(cli, "the number of a rule is meant, as `sreg acl show` shows it: %s",
                               args->operands[0]);
    snprintf(target, sizeof target, "/v1/acl?id=%llu", (unsigned long long)id);
    struct secreg_ask ask = {.method = "DELETE", .target = bytes_of_text(target)};
    int status = cli_data(cli, &ask, &data);
    if (status == 0 && cli->is_json)
        return cli_print_json(data);
    if (status == 0)
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
    char principal[PRINCIPAL_MAX_BYTES];
    struct buf target;
    struct bytes data, allowed, rule = BYTES_LITERAL("0");
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    int status = find_principal(cli, args->operands[0], principal);
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
