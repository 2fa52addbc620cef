/* cmd-entry - the verbs get, set and del; see verbs.h. A value is held in wiping memory only. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/cmd-entry.h"
#include "cli/out.h"
#include "cli/transfer.h"
#include "cli/verbs.h"
#include "cli/when.h"
#include "model/outcome.h"
#include "model/value.h"
#include "os/file.h"

/* ---- get ----------------------------------------------------------------------------------------------------------
 */

static int print_value(struct cli *cli, struct bytes value, bool is_binary)
{
    struct buf out;
    int r = 0;
    if (!cli->is_tty_out) {
        fwrite(value.n > 0 ? value.p : (const uint8_t *)"", 1, value.n, stdout);
    } else {
        buf_init_wiping(&out, CLI_TEXT_MAX_BYTES);
        r = out_value(&out, value);
        if (r == 0)
            r = out_write(&out);
        buf_fini(&out);
    }
    if (!is_binary && r == 0)
        fputc('\n', stdout);
    return cli_fault(cli, r, "cannot show the value");
}

static int get_value(struct cli *cli, struct bytes target)
{
    struct secreg_answer answer;
    struct secreg_ask ask = {.method = "GET", .target = target, .is_read = true};
    struct bytes type;
    int status = cli_ask(cli, &ask, &answer);
    if (status != 0)
        return status;
    bool is_binary =
        http1_resp_field(&answer.head, "Secreg-Type", &type) == 0 && bytes_equal(type, BYTES_LITERAL("binary"));
    return print_value(cli, answer.body, is_binary);
}

/* The value of the entry comes last, as it may have many lines. */
static int append_entry(struct buf *out, struct bytes entry)
{
    static const struct out_column lines[] = {
        {"path", "path", OUT_TEXT},       {"type", "type", OUT_TEXT},       {"sealed", "sealed", OUT_TEXT},
        {"version", "version", OUT_TEXT}, {"size", "size", OUT_TEXT},       {"created", "created", OUT_TEXT},
        {"by", "created_by", OUT_USER},   {"changed", "changed", OUT_TEXT}, {"by", "changed_by", OUT_USER},
        {"reason", "reason", OUT_TEXT},   {"comment", "comment", OUT_TEXT}, {"tags", "tags", OUT_TAGS},
        {"expires", "expires", OUT_TEXT},
    };
    return out_lines(out, entry, lines, COUNT_OF(lines));
}

static int print_entry(struct cli *cli, struct bytes entry)
{
    struct buf out, value;
    buf_init_wiping(&out, CLI_TEXT_MAX_BYTES);
    buf_init_wiping(&value, CLI_TEXT_MAX_BYTES);
    int r = append_entry(&out, entry);
    if (r == 0)
        r = buf_append_text(&out, "\n");
    if (r == 0)
        r = out_member(&value, entry, "value", OUT_TEXT);
    if (r == 0)
        r = out_value(&out, buf_view(&value));
    if (r == 0)
        r = buf_append_text(&out, "\n");
    if (r == 0)
        r = out_write(&out);
    buf_fini(&value);
    buf_fini(&out);
    return cli_fault(cli, r, "cannot show the entry");
}

static int get_entry(struct cli *cli, struct bytes target)
{
    struct secreg_ask ask = {
        .method = "GET", .target = target, .fields = BYTES_LITERAL("Accept: application/json\r\n"), .is_read = true};
    struct bytes data;
    int status = cli_data(cli, &ask, &data);
    if (status != 0)
        return status;
    return cli->is_json ? cli_print_json(data) : print_entry(cli, data);
}

enum { NUMBER_TEXT_BYTES = 24 };

/* The text of the proof into its file, and the version that it is of. */
static int take_proof(struct cli *cli, struct bytes data, const char *file, char ret_version[static NUMBER_TEXT_BYTES])
{
    struct bytes quoted, version;
    struct buf text;
    if (!secreg_member(data, "proof", &quoted) || !secreg_member(data, "version", &version) ||
        !text_copy(ret_version, NUMBER_TEXT_BYTES, version))
        return cli_error(cli, OUTCOME_BAD_HTTP, "the daemon's proof cannot be read");
    buf_init(&text, CLI_TEXT_MAX_BYTES);
    int status = cli_fault(cli, secreg_unquote(&text, quoted), "cannot take the proof");
    if (status == 0)
        status = transfer_write(cli, file, true, buf_view(&text));
    buf_fini(&text);
    return status;
}

/* The proof comes first, and the value is then of the version that it is of. */
static int get_proof(struct cli *cli, const struct args *args, char ret_version[static NUMBER_TEXT_BYTES])
{
    struct buf target;
    struct bytes data;
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    int status = cli_fault(cli, buf_append_text(&target, "/v1/audit/proof"), "cannot ask");
    if (status == 0)
        status = cli_target_arg(cli, &target, "path", args->operands[0]);
    if (status == 0 && args_has(args, "version"))
        status = cli_target_arg(cli, &target, "version", args_value(args, "version"));
    if (status == 0)
        status = cli_get_data(cli, buf_view(&target), &data);
    buf_fini(&target);
    return status != 0 ? status : take_proof(cli, data, args_value(args, "proof"), ret_version);
}

int cmd_get(struct cli *cli, const struct args *args)
{
    struct buf target;
    uint64_t version = 0;
    char proven[NUMBER_TEXT_BYTES] = "";
    const char *wanted = args_value(args, "version");
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    int status = cli_number_option(cli, "version", INT64_MAX, &version);
    if (status == 0 && args_has(args, "proof")) {
        status = get_proof(cli, args, proven);
        wanted = proven;
    }
    if (status == 0)
        status = cli_target_path(cli, &target, args->operands[0], false);
    if (status == 0 && wanted != NULL)
        status = cli_target_arg(cli, &target, "version", wanted);
    if (status == 0)
        status = cli->is_json || args_has(args, "entry") ? get_entry(cli, buf_view(&target))
                                                         : get_value(cli, buf_view(&target));
    buf_fini(&target);
    return status;
}

/* ---- set and del --------------------------------------------------------------------------------------------------
 */

static int change_fields(struct cli *cli, const struct args *args, struct buf *fields)
{
    uint64_t version = 0;
    char tag[32];
    int status = cli_number_option(cli, "if-version", INT64_MAX, &version);
    snprintf(tag, sizeof tag, "\"%llu\"", (unsigned long long)version);
    if (status == 0 && args_has(args, "if-version"))
        status = cli_field(cli, fields, "If-Match", tag);
    if (status == 0 && args_has(args, "reason"))
        status = cli_field(cli, fields, "Secreg-Reason", args_value(args, "reason"));
    return status;
}

/* The end as the daemon takes it: a time, or "never"; NULL if none is given. Returns a status. */
static int find_expires(struct cli *cli, const struct args *args, char storage[static CLOCK_TEXT_BYTES],
                        const char **ret_expires)
{
    const char *given = args_value(args, "expires");
    *ret_expires = given;
    if (given == NULL || strcmp(given, "never") == 0)
        return 0;
    if (!when_parse_ahead(given, clock_wall_now(), storage))
        return cli_usage_error(cli, "not a time: %s; such as 2027-01-31T12:00:00Z, +30d, or never", given);
    *ret_expires = storage;
    return 0;
}

static int set_fields(struct cli *cli, const struct args *args, const char *expires, struct buf *fields)
{
    int status = change_fields(cli, args, fields);
    if (status == 0 && args_has(args, "if-absent"))
        status = cli_field(cli, fields, "If-None-Match", "*");
    if (status == 0 && args_has(args, "type"))
        status = cli_field(cli, fields, "Secreg-Type", args_value(args, "type"));
    if (status == 0 && (args_has(args, "seal") || args_has(args, "no-seal")))
        status = cli_field(cli, fields, "Secreg-Sealed", args_has(args, "seal") ? "true" : "false");
    if (status == 0 && args_has(args, "comment"))
        status = cli_field(cli, fields, "Secreg-Comment", args_value(args, "comment"));
    if (status == 0 && args_has(args, "tags"))
        status = cli_field(cli, fields, "Secreg-Tags", args_value(args, "tags"));
    if (status == 0 && expires != NULL)
        status = cli_field(cli, fields, "Secreg-Expires", expires);
    return status;
}

static int check_set(struct cli *cli, const struct args *args)
{
    const char *type = args_value(args, "type");
    if (args_has(args, "seal") && args_has(args, "no-seal"))
        return cli_usage_error(cli, "--seal and --no-seal exclude each other");
    if (args_has(args, "if-version") && args_has(args, "if-absent"))
        return cli_usage_error(cli, "--if-version and --if-absent exclude each other");
    if (type != NULL && value_type_of(bytes_of_text(type)) == 0)
        return cli_usage_error(cli, "there is no such type: %s", type);
    return 0;
}

/* A value from standard input. Text files end with a line feed that is not meant: one is taken off. */
static int read_input(struct cli *cli, const struct args *args, struct buf *value)
{
    const char *type = args_value(args, "type");
    bool is_binary = type != NULL && strcmp(type, "binary") == 0;
    if (isatty(STDIN_FILENO) == 1 && args_has(args, "seal"))
        return ask_secret(cli, "Value: ", value);
    int r = file_read_all(STDIN_FILENO, value);
    if (r == FAULT_LIMIT)
        return cli_error(cli, OUTCOME_TOO_LARGE, "larger than the limit: a value has at most %d bytes",
                         VALUE_MAX_BYTES);
    size_t n = buf_size(value);
    if (r == 0 && !is_binary && n > 0 && buf_view(value).p[n - 1] == '\n')
        buf_truncate(value, n - 1);
    return cli_fault(cli, r, "cannot read standard input");
}

static int find_value(struct cli *cli, const struct args *args, struct buf *value)
{
    const char *text = args->operands_count > 1 ? args->operands[1] : "-";
    if (strcmp(text, "-") == 0)
        return read_input(cli, args, value);
    if (args_has(args, "seal"))
        cli_warn(cli, "the value was visible in the list of processes; give it on standard input instead");
    if (strlen(text) > VALUE_MAX_BYTES)
        return cli_error(cli, OUTCOME_TOO_LARGE, "larger than the limit: a value has at most %d bytes",
                         VALUE_MAX_BYTES);
    return cli_fault(cli, buf_append_text(value, text), "cannot take the value");
}

static int send_change(struct cli *cli, struct secreg_ask *ask, const char *path, const char *what)
{
    struct buf target, version;
    struct bytes data;
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    buf_init(&version, CLI_TARGET_MAX_BYTES);
    int status = cli_target_path(cli, &target, path, false);
    ask->target = buf_view(&target);
    if (status == 0)
        status = cli_data(cli, ask, &data);
    if (status == 0 && cli->is_json)
        status = cli_print_json(data);
    else if (status == 0 && out_member(&version, data, "version", OUT_TEXT) == 0)
        cli_note(cli, "%s: %s, version %.*s", path, what, BYTES_PRINT(buf_view(&version)));
    buf_fini(&version);
    buf_fini(&target);
    return status;
}

int cmd_set(struct cli *cli, const struct args *args)
{
    struct buf fields, value;
    char storage[CLOCK_TEXT_BYTES];
    const char *expires = NULL;
    buf_init(&fields, CLI_FIELDS_MAX_BYTES);
    buf_init_wiping(&value, VALUE_MAX_BYTES + 1); /* and the line feed that is taken off */
    int status = check_set(cli, args);
    if (status == 0)
        status = find_expires(cli, args, storage, &expires);
    if (status == 0)
        status = set_fields(cli, args, expires, &fields);
    if (status == 0)
        status = find_value(cli, args, &value);
    struct secreg_ask ask = {.method = "PUT", .fields = buf_view(&fields), .body = buf_view(&value)};
    if (status == 0)
        status = args_has(args, "dry-run") ? cmd_set_dry(cli, buf_view(&value), expires)
                                           : send_change(cli, &ask, args->operands[0], "stored");
    buf_fini(&value);
    buf_fini(&fields);
    return status;
}

int cmd_del(struct cli *cli, const struct args *args)
{
    struct buf fields;
    if (args_has(args, "recursive") || args_has(args, "dry-run"))
        return cmd_del_tx(cli, args);
    buf_init(&fields, CLI_FIELDS_MAX_BYTES);
    int status = change_fields(cli, args, &fields);
    struct secreg_ask ask = {.method = "DELETE", .fields = buf_view(&fields)};
    if (status == 0)
        status = send_change(cli, &ask, args->operands[0], "deleted");
    buf_fini(&fields);
    return status;
}
