/* cmd-policy - the verb explain, and what the verbs of rules and roles share; see verbs.h and policy.h. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "cli/out.h"
#include "cli/policy.h"
#include "cli/verbs.h"
#include "registry/outcome.h"
#include "wire/doc.h"

/* ---- what the verbs share -------------------------------------------------------------------------------- */

int policy_principal(struct cli *cli, const char *text, char ret[static POLICY_PRINCIPAL_MAX_BYTES])
{
    uint64_t number;
    bool is_user = strncmp(text, "uid:", 4) == 0, is_group = strncmp(text, "gid:", 4) == 0;
    if (!text_copy(ret, POLICY_PRINCIPAL_MAX_BYTES, bytes_of_text(text)))
        return cli_usage_error(cli, "the principal is too long");
    if ((!is_user && !is_group) || num_parse_u64(bytes_of_text(text + 4), UINT32_MAX, &number))
        return 0;
    const struct passwd *user = is_user ? getpwnam(text + 4) : NULL;
    const struct group *group = is_group ? getgrnam(text + 4) : NULL;
    if (user == NULL && group == NULL)
        return cli_usage_error(cli, "this host has no such user or group: %s", text + 4);
    snprintf(ret, POLICY_PRINCIPAL_MAX_BYTES, "%.4s%u", text, user != NULL ? user->pw_uid : group->gr_gid);
    return 0;
}

int policy_member(struct buf *body, const char *name, struct bytes value)
{
    TRY(buf_print(body, "%s\"%s\":", buf_size(body) == 0 ? "{" : ",", name));
    return doc_json_string(body, value);
}

static int print_flips(struct cli *cli, struct bytes data)
{
    static const struct out_column columns[] = {{"PRINCIPAL", "principal", OUT_TEXT},
                                                {"ACTION", "action", OUT_TEXT},
                                                {"BEFORE", "before", OUT_TEXT},
                                                {"AFTER", "after", OUT_TEXT},
                                                {"PATH", "path", OUT_TEXT}};
    struct out_table t;
    struct buf out;
    struct bytes rows, row, more;
    size_t count = 0;
    int r = secreg_member(data, "changes", &rows) ? 0 : RAISE(FAULT_PROTOCOL);
    buf_init(&out, CLI_TEXT_MAX_BYTES);
    out_table_init(&t, columns, COUNT_OF(columns));
    for (; r == 0 && secreg_element(&rows, &row); count++)
        r = out_table_row(&t, row);
    if (r == 0)
        r = out_table_print(&t, cli->has_color, &out);
    if (r == 0 && count == 0)
        r = buf_append_text(&out, "nobody would gain or lose anything\n");
    if (r == 0)
        r = out_write(&out);
    out_table_fini(&t);
    buf_fini(&out);
    if (r == 0 && secreg_member(data, "has_more", &more) && bytes_equal(more, BYTES_LITERAL("true")))
        cli_warn(cli, "there is more than is shown");
    return cli_fault(cli, r, "cannot show what would change");
}

int policy_edit(struct cli *cli, const char *method, struct buf *target, struct bytes body, struct bytes *ret_data,
                bool *ret_is_said)
{
    const struct args *args = cli->args;
    uint64_t revision = 0;
    char tag[32];
    struct buf fields;
    bool is_dry = args_has(args, "dry-run");
    buf_init(&fields, CLI_FIELDS_MAX_BYTES);
    int status = cli_number_option(cli, "if-revision", INT64_MAX, &revision);
    snprintf(tag, sizeof tag, "\"%llu\"", (unsigned long long)revision);
    if (status == 0 && args_has(args, "if-revision"))
        status = cli_field(cli, &fields, "If-Match", tag);
    if (status == 0 && is_dry)
        status = cli_target_arg(cli, target, "dry_run", NULL);
    struct secreg_ask ask = {.method = method, .target = buf_view(target), .fields = buf_view(&fields), .body = body};
    if (status == 0)
        status = cli_data(cli, &ask, ret_data);
    *ret_is_said = status == 0 && (cli->is_json || is_dry);
    if (*ret_is_said)
        status = cli->is_json ? cli_print_json(*ret_data) : print_flips(cli, *ret_data);
    buf_fini(&fields);
    return status;
}

void policy_note_revision(struct cli *cli, struct bytes data)
{
    struct bytes revision;
    if (secreg_member(data, "policy", &revision))
        cli_note(cli, "rules and roles were last changed at revision %.*s", BYTES_PRINT(revision));
}

/* ---- explain --------------------------------------------------------------------------------------------- */

/* The names of a JSON list with commas between, each with `mark` behind it. */
static int append_names(struct buf *out, struct bytes map, const char *member, const char *mark)
{
    struct bytes list, item;
    if (!secreg_member(map, member, &list))
        return 0;
    while (secreg_element(&list, &item)) {
        if (buf_size(out) > 0)
            TRY(buf_append_text(out, ","));
        int r = secreg_unquote(out, item);
        TRY(r == SECREG_UNQUOTE_BAD ? RAISE(FAULT_PROTOCOL) : r);
        TRY(buf_append_text(out, mark));
    }
    return 0;
}

static int add_cells(struct out_table *t, struct bytes row, struct buf *cell)
{
    static const char *const members[] = {"id", "effect", "verdict", "principal", "member", "condition"};
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        buf_clear(cell);
        TRY(out_member(cell, row, members[i], OUT_TEXT));
        TRY(out_table_cell(t, buf_view(cell)));
    }
    buf_clear(cell);
    TRY(append_names(cell, row, "failing", ""));
    TRY(append_names(cell, row, "unknown", "?"));
    TRY(out_table_cell(t, buf_view(cell)));
    buf_clear(cell);
    TRY(out_member(cell, row, "path", OUT_TEXT));
    return out_table_cell(t, buf_view(cell));
}

/* "refused by rule 7", "allowed: owner of the subtree", "refused: no rule allows it". */
static int append_answer(struct buf *out, struct bytes data)
{
    struct bytes allowed, by, rule = BYTES_LITERAL("0");
    if (!secreg_member(data, "allowed", &allowed) || !secreg_member(data, "decided_by", &by) ||
        !secreg_member(data, "rule", &rule))
        return RAISE(FAULT_PROTOCOL);
    TRY(buf_append_text(out, bytes_equal(allowed, BYTES_LITERAL("true")) ? "allowed" : "refused"));
    if (bytes_equal(by, BYTES_LITERAL("\"rule\"")))
        return buf_print(out, " by rule %.*s\n", BYTES_PRINT(rule));
    if (bytes_equal(by, BYTES_LITERAL("\"owner\"")))
        return buf_append_text(out, ": it is the owner's\n");
    if (bytes_equal(by, BYTES_LITERAL("\"anonymous\"")))
        return buf_append_text(out, ": the kernel cannot say who it is\n");
    return buf_append_text(out, ": no rule allows it\n");
}

static int append_roles(struct buf *out, struct bytes data)
{
    struct buf names;
    buf_init(&names, CLI_TEXT_MAX_BYTES);
    int r = append_names(&names, data, "roles", "");
    if (r == 0)
        r = append_names(&names, data, "maybe_roles", "?");
    if (r == 0 && buf_size(&names) > 0)
        r = buf_print(out, "roles: %.*s\n", BYTES_PRINT(buf_view(&names)));
    buf_fini(&names);
    return r;
}

static int print_explained(struct cli *cli, struct bytes data)
{
    static const struct out_column columns[] = {{"RULE", "id", OUT_NUMBER},       {"EFFECT", "effect", OUT_TEXT},
                                                {"VERDICT", "verdict", OUT_TEXT}, {"PRINCIPAL", "", OUT_TEXT},
                                                {"MEMBER", "", OUT_TEXT},         {"CONDITION", "", OUT_TEXT},
                                                {"FAILS", "", OUT_TEXT},          {"PATH", "", OUT_TEXT}};
    struct out_table t;
    struct buf out, cell;
    struct bytes rows, row;
    int r = secreg_member(data, "rules", &rows) ? 0 : RAISE(FAULT_PROTOCOL);
    buf_init(&out, CLI_TEXT_MAX_BYTES);
    buf_init(&cell, CLI_TEXT_MAX_BYTES);
    out_table_init(&t, columns, COUNT_OF(columns));
    if (r == 0)
        r = append_answer(&out, data);
    if (r == 0)
        r = append_roles(&out, data);
    while (r == 0 && secreg_element(&rows, &row))
        r = add_cells(&t, row, &cell);
    if (r == 0)
        r = out_table_print(&t, cli->has_color, &out);
    if (r == 0)
        r = out_write(&out);
    out_table_fini(&t);
    buf_fini(&cell);
    buf_fini(&out);
    return cli_fault(cli, r, "cannot show the explanation");
}

int cmd_explain(struct cli *cli, const struct args *args)
{
    char principal[POLICY_PRINCIPAL_MAX_BYTES];
    struct buf target;
    struct bytes data, allowed;
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    int status = cli_fault(cli, buf_append_text(&target, "/v1/explain"), "cannot ask");
    if (status == 0)
        status = cli_target_arg(cli, &target, "path", args->operands[0]);
    if (status == 0)
        status = cli_target_arg(cli, &target, "action", args->operands[1]);
    if (status == 0 && args_has(args, "for"))
        status = policy_principal(cli, args_value(args, "for"), principal);
    if (status == 0 && args_has(args, "for"))
        status = cli_target_arg(cli, &target, "principal", principal);
    if (status == 0)
        status = cli_get_data(cli, buf_view(&target), &data);
    if (status == 0)
        status = cli->is_json ? cli_print_json(data) : print_explained(cli, data);
    buf_fini(&target);
    if (status != 0)
        return status;
    if (!secreg_member(data, "allowed", &allowed))
        return cli_error(cli, OUTCOME_BAD_HTTP, "the daemon's reply is not what doc/spec/http-api.md says");
    return bytes_equal(allowed, BYTES_LITERAL("true")) ? 0 : CLI_REFUSED;
}
