/* cmd-txn - the verb txn: a transaction as a JSON text from a file, and set without doing it; see verbs.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/code.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/cmd-entry.h"
#include "cli/out.h"
#include "cli/tx.h"
#include "cli/verbs.h"
#include "model/outcome.h"
#include "model/value.h"
#include "os/file.h"
#include "wire/doc.h"
#include "wire/json.h"

/* ---- reading ------------------------------------------------------------------------------------------------------
 */

static int read_body(struct cli *cli, const char *name, struct buf *body)
{
    bool is_input = strcmp(name, "-") == 0;
    SCOPED(file_drop_fd) int fd = is_input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(name, O_RDONLY | O_CLOEXEC);
    int r = fd < 0 ? -errno : file_read_all(fd, body);
    if (r == FAULT_LIMIT)
        return cli_error(cli, OUTCOME_TOO_LARGE, "larger than the limit: a transaction has at most %d bytes",
                         JSON_TEXT_MAX_BYTES);
    return r == 0 ? 0 : cli_error(cli, OUTCOME_BAD_REQUEST, "%s: %s", name, fault_text(r));
}

static int check_body(struct cli *cli, const char *name, struct bytes body, bool *ret_has_else)
{
    char why[160];
    struct json *j;
    int r = json_parse(body, &j, why, sizeof why);
    if (r == JSON_BAD)
        return cli_error(cli, OUTCOME_BAD_REQUEST, "%s: %s", name, why);
    if (r < 0)
        return cli_fault(cli, r, "cannot read the transaction");
    bool is_map = json_kind(j) == JSON_KIND_MAP;
    *ret_has_else = json_get(j, "else") != NULL;
    json_free(j);
    return is_map ? 0 : cli_error(cli, OUTCOME_BAD_REQUEST, "%s: a transaction is a JSON map", name);
}

/* Gives a member of the map another value, or the map one member more. Returns 0 or a fault. */
static int set_member(struct buf *map, const char *name, struct bytes value)
{
    struct buf out;
    struct bytes all = buf_view(map), old;
    bool has_old = secreg_member(all, name, &old);
    size_t at = has_old ? (size_t)(old.p - all.p) : bytes_find(all, '{') + 1;
    buf_init_wiping(&out, TX_BODY_MAX_BYTES);
    int r = buf_append(&out, bytes_head(all, at));
    if (r == 0 && !has_old)
        r = buf_print(&out, "\"%s\":", name);
    if (r == 0)
        r = buf_append(&out, value);
    if (r == 0 && !has_old)
        r = buf_append_text(&out, ",");
    if (r == 0)
        r = buf_append(&out, bytes_from(all, has_old ? at + old.n : at));
    if (r == 0) {
        buf_clear(map);
        r = buf_append(map, buf_view(&out));
    }
    buf_fini(&out);
    return r;
}

/* What the command line says holds. */
static int put_options(const struct args *args, struct buf *body)
{
    struct buf reason;
    int r = 0;
    buf_init(&reason, CLI_FIELDS_MAX_BYTES);
    if (args_has(args, "dry-run"))
        r = set_member(body, "dry_run", BYTES_LITERAL("true"));
    if (r == 0 && args_has(args, "reason"))
        r = doc_json_string(&reason, bytes_of_text(args_value(args, "reason")));
    if (r == 0 && args_has(args, "reason"))
        r = set_member(body, "reason", buf_view(&reason));
    buf_fini(&reason);
    return r;
}

/* ---- showing ------------------------------------------------------------------------------------------------------
 */

static int add_results(struct out_table *t, struct bytes data)
{
    struct bytes results, result;
    if (!secreg_member(data, "results", &results))
        return RAISE(FAULT_PROTOCOL);
    while (secreg_element(&results, &result))
        TRY(out_table_row(t, result));
    return 0;
}

static int show_results(struct cli *cli, struct bytes data)
{
    static const struct out_column columns[] = {{"PATH", "path", OUT_TEXT},
                                                {"TO", "to", OUT_TEXT},
                                                {"ENTRIES", "entries", OUT_NUMBER},
                                                {"VERSION", "version", OUT_NUMBER},
                                                {"VALUE", "value", OUT_TEXT}};
    struct out_table t;
    out_table_init(&t, columns, COUNT_OF(columns));
    int r = add_results(&t, data);
    int status = r == 0 ? out_table_show(cli, &t) : cli_fault(cli, r, "cannot show the results");
    out_table_fini(&t);
    return status;
}

static int finish(struct cli *cli, struct bytes data, bool has_else)
{
    struct bytes succeeded;
    bool holds = secreg_member(data, "succeeded", &succeeded) && bytes_equal(succeeded, BYTES_LITERAL("true"));
    int status = cli->is_json ? cli_print_json(data) : show_results(cli, data);
    if (status != 0)
        return status;
    if (!holds && !has_else)
        return cli_error(cli, OUTCOME_CONFLICT, "a comparison did not hold: nothing was done");
    cli_note(cli, "%s%s", holds ? "done" : "a comparison did not hold: the other branch was taken",
             args_has(cli->args, "dry-run") ? ", and taken back" : "");
    return 0;
}

int cmd_txn(struct cli *cli, const struct args *args)
{
    const char *name = args->operands_count > 0 ? args->operands[0] : "-";
    struct buf body;
    struct bytes data;
    bool has_else = false;
    buf_init_wiping(&body, JSON_TEXT_MAX_BYTES);
    int status = read_body(cli, name, &body);
    if (status == 0)
        status = check_body(cli, name, buf_view(&body), &has_else);
    if (status == 0)
        status = cli_fault(cli, put_options(args, &body), "cannot make the transaction");
    struct secreg_ask ask = {.method = "POST", .target = BYTES_LITERAL("/v1/txn"), .body = buf_view(&body)};
    if (status == 0)
        status = cli_data(cli, &ask, &data);
    if (status == 0)
        status = finish(cli, data, has_else);
    buf_fini(&body);
    return status;
}

/* ---- set without doing it -----------------------------------------------------------------------------------------
 */

/* The value as a leaf takes it: binary in base64, JSON and lists as they are, all else as text. */
static int put_value(struct tx *t, struct bytes value)
{
    const char *type = args_value(t->cli->args, "type");
    unsigned number = type != NULL ? value_type_of(bytes_of_text(type)) : 0;
    char why[160];
    struct buf text;
    int r = 0;
    if (number == VALUE_JSON || number == VALUE_LIST) {
        if (json_check(value, why, sizeof why) != 0)
            return cli_error(t->cli, OUTCOME_BAD_VALUE, "the value does not fit its type: %s", why);
        buf_init_wiping(&text, VALUE_MAX_BYTES + 1);
        r = buf_append(&text, value);
        if (r == 0)
            r = buf_append(&text, bytes_of("", 1));
        if (r == 0)
            tx_raw(t, "value", (const char *)buf_view(&text).p);
    } else if (number == VALUE_BINARY) {
        buf_init_wiping(&text, 2 * VALUE_MAX_BYTES);
        r = code_base64(&text, value);
        tx_text(t, "value", buf_view(&text));
    } else {
        buf_init(&text, 1);
        if (!text_is_utf8(value))
            return cli_error(t->cli, OUTCOME_BAD_VALUE, "not UTF-8: a dry run has to be told --type binary");
        tx_text(t, "value", value);
    }
    buf_fini(&text);
    return cli_fault(t->cli, r, "cannot take the value");
}

static int put_tags(struct tx *t, const char *list)
{
    struct buf out;
    struct bytes rest = bytes_of_text(list);
    buf_init(&out, CLI_FIELDS_MAX_BYTES);
    int r = buf_append_text(&out, "[");
    for (const char *comma = ""; r == 0 && rest.n > 0; comma = ",") {
        size_t n = bytes_find(rest, ',');
        struct bytes tag = bytes_head(rest, n);
        while (tag.n > 0 && tag.p[0] == ' ') /* as the header is read */
            tag = bytes_from(tag, 1);
        r = buf_append_text(&out, comma);
        if (r == 0)
            r = doc_json_string(&out, tag);
        rest = bytes_from(rest, n + 1);
    }
    if (r == 0)
        r = buf_append(&out, BYTES_LITERAL("]\0"));
    if (r == 0)
        tx_raw(t, "tags", (const char *)buf_view(&out).p);
    buf_fini(&out);
    return cli_fault(t->cli, r, "cannot take the tags");
}

static int put_set(struct tx *t, struct bytes value, const char *expires)
{
    const struct args *args = t->cli->args;
    uint64_t version = 0;
    int status = cli_number_option(t->cli, "if-version", INT64_MAX, &version);
    tx_part(t, "then");
    tx_leaf(t, "set");
    tx_text(t, "path", bytes_of_text(args->operands[0]));
    if (status == 0)
        status = put_value(t, value);
    if (args_has(args, "type"))
        tx_text(t, "type", bytes_of_text(args_value(args, "type")));
    if (args_has(args, "seal") || args_has(args, "no-seal"))
        tx_raw(t, "seal", args_has(args, "seal") ? "true" : "false");
    if (args_has(args, "comment"))
        tx_text(t, "comment", bytes_of_text(args_value(args, "comment")));
    if (expires != NULL && strcmp(expires, "never") == 0)
        tx_raw(t, "expires", "null");
    else if (expires != NULL)
        tx_text(t, "expires", bytes_of_text(expires));
    if (args_has(args, "if-version"))
        tx_number(t, "version", version);
    if (args_has(args, "if-absent"))
        tx_raw(t, "absent", "true");
    if (status == 0 && args_has(args, "tags"))
        status = put_tags(t, args_value(args, "tags"));
    return status;
}

int cmd_set_dry(struct cli *cli, struct bytes value, const char *expires)
{
    struct tx t;
    struct bytes data;
    tx_init(&t, cli);
    int status = put_set(&t, value, expires);
    if (status == 0)
        status = tx_send(&t, &data);
    if (status == 0)
        status = tx_print(cli, data);
    if (status == 0 && !cli->is_json) {
        const char *path = cli->args->operands[0];
        printf("set %s version %llu\n", path, (unsigned long long)tx_number_of(data, "version"));
    }
    tx_fini(&t);
    return status;
}
