/*
 * cmd-schema - the verbs schema show, set, remove and check, and lock-key and unlock-key; see verbs.h.
 *
 * A locked key is a deny of writing and deleting for everybody, administrators included: the rule does it, so what it
 * means, who may take it away and how it is explained is what holds for every rule.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "model/outcome.h"
#include "model/schema-json.h"
#include "os/file.h"
#include "wire/doc.h"

enum { BODY_MAX_BYTES = 4096 };

static int print_table(struct cli *cli, struct bytes data, const char *list, const struct out_column *columns, size_t n)
{
    int r = out_list(data, list, columns, n, cli->has_color);
    return cli_fault(cli, r, "cannot show what was answered");
}

/* Asks a route about a path. `body` empty: none. */
static int ask_path(struct cli *cli, const char *method, const char *route, const char *path, struct bytes body,
                    struct bytes *ret_data)
{
    struct buf target;
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    int status = cli_fault(cli, buf_append_text(&target, route), "cannot ask");
    if (status == 0)
        status = cli_target_arg(cli, &target, "path", path);
    struct secreg_ask ask = {
        .method = method, .target = buf_view(&target), .body = body, .is_read = strcmp(method, "GET") == 0};
    if (status == 0)
        status = cli_data(cli, &ask, ret_data);
    buf_fini(&target);
    return status;
}

static const char *path_of(const struct args *args)
{
    return args->operands_count > 0 ? args->operands[0] : "/registry";
}

int cmd_schema_show(struct cli *cli, const struct args *args)
{
    static const struct out_column columns[] = {{"PATH", "path", OUT_TEXT},
                                                {"SCHEMA", "schema", OUT_TEXT},
                                                {"SET", "created", OUT_TEXT},
                                                {"BY", "created_by", OUT_USER}};
    struct bytes data;
    int status = ask_path(cli, "GET", "/v1/schema", path_of(args), BYTES_NONE, &data);
    if (status != 0)
        return status;
    return cli->is_json ? cli_print_json(data) : print_table(cli, data, "schemas", columns, COUNT_OF(columns));
}

int cmd_schema_set(struct cli *cli, const struct args *args)
{
    struct buf text;
    struct bytes data;
    const char *from = args->operands_count > 1 ? args->operands[1] : "-";
    bool is_stdin = strcmp(from, "-") == 0;
    buf_init(&text, SCHEMA_JSON_MAX_BYTES);
    int r = is_stdin ? file_read_all(STDIN_FILENO, &text) : file_read_path(from, &text);
    int status = 0;
    if (r == FILE_ABSENT)
        status = cli_error(cli, OUTCOME_NOT_FOUND, "%s: there is no such file", from);
    else if (r == FAULT_LIMIT)
        status = cli_error(cli, OUTCOME_TOO_LARGE, "a schema is at most %d bytes of JSON", SCHEMA_JSON_MAX_BYTES);
    else
        status = cli_fault(cli, r, is_stdin ? "cannot read standard input" : from);
    if (status == 0)
        status = ask_path(cli, "PUT", "/v1/schema", args->operands[0], buf_view(&text), &data);
    if (status == 0 && cli->is_json)
        status = cli_print_json(data);
    else if (status == 0)
        cli_note(cli, "set; `sreg schema check %s` finds what does not fit it", args->operands[0]);
    buf_fini(&text);
    return status;
}

int cmd_schema_remove(struct cli *cli, const struct args *args)
{
    struct bytes data;
    int status = ask_path(cli, "DELETE", "/v1/schema", args->operands[0], BYTES_NONE, &data);
    if (status == 0 && cli->is_json)
        return cli_print_json(data);
    if (status == 0)
        cli_note(cli, "removed the schema of %s", args->operands[0]);
    return status;
}

int cmd_schema_check(struct cli *cli, const struct args *args)
{
    static const struct out_column columns[] = {
        {"FINDING", "finding", OUT_TEXT}, {"PATH", "path", OUT_TEXT}, {"WHY", "why", OUT_TEXT}};
    struct bytes data, findings, more, one;
    int status = ask_path(cli, "GET", "/v1/schema/check", path_of(args), BYTES_NONE, &data);
    if (status != 0)
        return status;
    if (!secreg_member(data, "findings", &findings) || !secreg_member(data, "more", &more))
        return cli_fault(cli, RAISE(FAULT_PROTOCOL), "cannot show the findings");
    bool has_findings = secreg_element(&findings, &one);
    status = cli->is_json ? cli_print_json(data) : print_table(cli, data, "findings", columns, COUNT_OF(columns));
    if (status == 0 && bytes_equal(more, BYTES_LITERAL("true")))
        cli_warn(cli, "there are more findings than were asked for: look at a part of it");
    return status == 0 && has_findings ? CLI_FAILED : status;
}

/* ---- locked keys ----------------------------------------------------------------------------------------- */

int cmd_lock_key(struct cli *cli, const struct args *args)
{
    struct buf body;
    struct bytes data;
    buf_init(&body, BODY_MAX_BYTES);
    int r = buf_append_text(&body, "{\"effect\":\"deny\",\"principal\":\"any\",\"actions\":\"write,delete\",\"path\":");
    if (r == 0)
        r = doc_json_string(&body, bytes_of_text(args->operands[0]));
    if (r == 0)
        r = buf_append_text(&body, "}");
    int status = cli_fault(cli, r, "cannot ask");
    struct secreg_ask ask = {.method = "POST", .target = BYTES_LITERAL("/v1/acl"), .body = buf_view(&body)};
    if (status == 0)
        status = cli_data(cli, &ask, &data);
    if (status == 0 && cli->is_json)
        status = cli_print_json(data);
    else if (status == 0)
        cli_note(cli, "nobody may change or delete anything there until `sreg unlock-key %s`", args->operands[0]);
    buf_fini(&body);
    return status;
}

static bool says(struct bytes rule, const char *member, const char *text)
{
    struct buf value;
    buf_init(&value, BODY_MAX_BYTES);
    bool is_equal =
        out_member(&value, rule, member, OUT_TEXT) == 0 && bytes_equal(buf_view(&value), bytes_of_text(text));
    buf_fini(&value);
    return is_equal;
}

/* Numbers of the rules that lock exactly this path. Returns how many there are, at most `max`. */
static size_t find_locks(struct bytes data, const char *path, uint64_t *ret_ids, size_t max)
{
    struct bytes rules, rule, id;
    size_t count = 0;
    if (!secreg_member(data, "rules", &rules))
        return 0;
    while (count < max && secreg_element(&rules, &rule)) {
        if (says(rule, "path", path) && says(rule, "effect", "deny") && says(rule, "principal", "any") &&
            says(rule, "actions", "write,delete") && secreg_member(rule, "id", &id) && id.n < 20) {
            char text[24] = "";
            memcpy(text, id.p, id.n);
            ret_ids[count++] = strtoull(text, NULL, 10);
        }
    }
    return count;
}

int cmd_unlock_key(struct cli *cli, const struct args *args)
{
    uint64_t ids[8];
    struct bytes data;
    int status = ask_path(cli, "GET", "/v1/acl", args->operands[0], BYTES_NONE, &data);
    size_t count = status == 0 ? find_locks(data, args->operands[0], ids, COUNT_OF(ids)) : 0;
    if (status == 0 && count == 0)
        return cli_error(cli, OUTCOME_NOT_FOUND, "%s is not locked by a rule of its own", args->operands[0]);
    for (size_t i = 0; status == 0 && i < count; i++) {
        char target[64];
        snprintf(target, sizeof target, "/v1/acl?id=%llu", (unsigned long long)ids[i]);
        struct secreg_ask ask = {.method = "DELETE", .target = bytes_of_text(target)};
        status = cli_data(cli, &ask, &data);
    }
    if (status == 0 && cli->is_json)
        return cli_print_json(data);
    return status;
}
