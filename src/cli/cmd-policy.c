/* cmd-policy - the verbs explain and policy test, and what the verbs of rules and roles share; see verbs.h and
 * policy.h. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "cli/out.h"
#include "cli/policy-file.h"
#include "cli/policy.h"
#include "cli/verbs.h"
#include "cli/when.h"
#include "model/outcome.h"
#include "os/file.h"
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

/* ---- policy test ----------------------------------------------------------------------------------------- */

static int read_file(struct cli *cli, const char *path, struct buf *body)
{
    char why[POLICY_FILE_WHY_BYTES];
    struct buf text;
    buf_init(&text, POLICY_FILE_MAX_BYTES + 1);
    int r = file_read_path(path, &text);
    int status = r == FILE_ABSENT ? cli_usage_error(cli, "there is no such file: %s", path) : cli_fault(cli, r, path);
    if (status == 0)
        r = policy_file_read(buf_view(&text), body, why);
    if (status == 0 && r == POLICY_FILE_BAD)
        status = cli_error(cli, OUTCOME_BAD_REQUEST, "%s: %s", path, why);
    buf_fini(&text);
    return status == 0 ? cli_fault(cli, r < 0 ? r : 0, path) : status;
}

/* One page of the trail: its rows go into the table, or with --json into `json`. Sets ret_next to "null" at the end. */
static int ask_page(struct cli *cli, const struct secreg_ask *ask, struct out_table *t, struct buf *json,
                    char ret_next[static 32], uint64_t *records)
{
    struct bytes data, rows, row, next, count;
    uint64_t n = 0;
    int status = cli_data(cli, ask, &data);
    if (status != 0)
        return status;
    if (!secreg_member(data, "changes", &rows) || !secreg_member(data, "next", &next) ||
        !secreg_member(data, "records", &count) || !num_parse_u64(count, UINT32_MAX, &n) ||
        !text_copy(ret_next, 32, next))
        return cli_error(cli, OUTCOME_BAD_HTTP, "the daemon's reply is not what doc/spec/http-api.md says");
    *records += n;
    int r = 0;
    while (r == 0 && secreg_element(&rows, &row)) {
        r = cli->is_json ? buf_append_text(json, buf_size(json) > 1 ? "," : "") : out_table_row(t, row);
        if (r == 0 && cli->is_json)
            r = buf_append(json, row);
    }
    return cli_fault(cli, r, "cannot read the reply");
}

static int replay_target(struct cli *cli, const char *since, const char *after, struct buf *target)
{
    buf_clear(target);
    int status = cli_fault(cli, buf_append_text(target, "/v1/policy/test"), "cannot ask");
    if (status == 0 && *since != '\0')
        status = cli_target_arg(cli, target, "since", since);
    return status == 0 && *after != '\0' ? cli_target_arg(cli, target, "after", after) : status;
}

static int ask_pages(struct cli *cli, const char *since, struct bytes body, struct out_table *t, struct buf *json,
                     uint64_t *records)
{
    char after[32] = "";
    struct buf target;
    int status = 0;
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    while (status == 0 && strcmp(after, "null") != 0) {
        status = replay_target(cli, since, after, &target);
        struct secreg_ask ask = {.method = "POST", .target = buf_view(&target), .body = body, .is_read = true};
        if (status == 0)
            status = ask_page(cli, &ask, t, json, after, records);
    }
    buf_fini(&target);
    return status;
}

static int say_replayed(struct cli *cli, struct out_table *t, uint64_t records)
{
    struct buf out;
    buf_init(&out, CLI_TEXT_MAX_BYTES);
    int r = t->cells_count > 0 ? out_table_print(t, cli->has_color, &out)
                               : buf_append_text(&out, "no decision would be another\n");
    if (r == 0)
        r = out_write(&out);
    buf_fini(&out);
    if (r == 0)
        cli_warn(cli,
                 "%llu records looked at; they do not say further groups, logins, addresses and active units of then",
                 (unsigned long long)records);
    return cli_fault(cli, r, "cannot show the decisions");
}

int cmd_policy_test(struct cli *cli, const struct args *args)
{
    static const struct out_column columns[] = {
        {"RECORD", "seq", OUT_NUMBER},  {"TIME", "time", OUT_TEXT},     {"KIND", "kind", OUT_TEXT},
        {"BY", "uid", OUT_USER},        {"ACTION", "action", OUT_TEXT}, {"ENDED", "outcome", OUT_TEXT},
        {"BEFORE", "before", OUT_TEXT}, {"AFTER", "after", OUT_TEXT},   {"PATH", "path", OUT_TEXT}};
    char since[CLOCK_TEXT_BYTES] = "";
    struct out_table t;
    struct buf body, json;
    uint64_t records = 0;
    if (args_has(args, "since") && !when_parse(args_value(args, "since"), clock_wall_now(), since))
        return cli_usage_error(cli, "a time is meant: %s", args_value(args, "since"));
    buf_init(&body, 4 * POLICY_FILE_MAX_BYTES);
    buf_init(&json, CLI_TEXT_MAX_BYTES);
    out_table_init(&t, columns, COUNT_OF(columns));
    int status = read_file(cli, args->operands[0], &body);
    if (status == 0)
        status = cli_fault(cli, buf_append_text(&json, "["), "cannot read the reply");
    if (status == 0)
        status = ask_pages(cli, since, buf_view(&body), &t, &json, &records);
    if (status == 0 && cli->is_json)
        status = cli_fault(cli, buf_append_text(&json, "]"), "cannot read the reply");
    if (status == 0)
        status = cli->is_json ? cli_print_json(buf_view(&json)) : say_replayed(cli, &t, records);
    out_table_fini(&t);
    buf_fini(&json);
    buf_fini(&body);
    return status;
}
