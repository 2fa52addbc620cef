/* cmd-service - the verbs status, whoami, unlock, lock and reload; see verbs.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "crypt/keys.h"
#include "model/outcome.h"

/* ---- status -------------------------------------------------------------------------------------------------------
 */

static int append_roles(struct cli *cli, struct buf *out, struct bytes roles)
{
    static const struct out_column columns[] = {
        {"ROLE", "role", OUT_TEXT},
        {"PID", "pid", OUT_NUMBER},
        {"LANDLOCK", "landlock_abi", OUT_NUMBER},
        {"NOT HELD", "not_held", OUT_TEXT},
    };
    struct out_table t;
    struct bytes role;
    int r = 0;
    out_table_init(&t, columns, COUNT_OF(columns));
    while (r == 0 && secreg_element(&roles, &role))
        r = out_table_row(&t, role);
    if (r == 0)
        r = buf_append_text(out, "\n");
    if (r == 0)
        r = out_table_print(&t, cli->has_color, out);
    out_table_fini(&t);
    return r;
}

static int append_status(struct cli *cli, struct buf *out, struct bytes data)
{
    static const struct out_column lines[] = {
        {"state", "state", OUT_TEXT},
        {"storage", "storage", OUT_TEXT},
        {"version", "version", OUT_TEXT},
        {"revision", "revision", OUT_TEXT},
        {"entries", "entries", OUT_TEXT},
        {"deleted entries", "deleted_entries", OUT_TEXT},
        {"corrupt entries", "corrupt_entries", OUT_TEXT},
        {"rules", "rules", OUT_TEXT},
        {"records", "records", OUT_TEXT},
        {"unrecorded", "unrecorded", OUT_TEXT},
        {"connections", "connections", OUT_TEXT},
        {"watches", "watches", OUT_TEXT},
        {"followers", "followers", OUT_TEXT},
        {"store", "store", OUT_TEXT},
        {"key epoch", "epoch", OUT_TEXT},
        {"era", "era", OUT_TEXT},
    };
    static const struct out_column pass_lines[] = {
        {"keys change by", "kind", OUT_TEXT}, {"rows done", "done", OUT_TEXT}, {"of rows", "of", OUT_TEXT}};
    static const struct out_column reload_lines[] = {{"reload", "text", OUT_TEXT}};
    struct bytes roles, reload, pass;
    TRY(out_lines(out, data, lines, COUNT_OF(lines)));
    if (secreg_member(data, "pass", &pass))
        TRY(out_lines(out, pass, pass_lines, COUNT_OF(pass_lines)));
    if (secreg_member(data, "reload", &reload))
        TRY(out_lines(out, reload, reload_lines, COUNT_OF(reload_lines)));
    return secreg_member(data, "roles", &roles) ? append_roles(cli, out, roles) : 0;
}

int cmd_status(struct cli *cli, const struct args *args)
{
    struct buf out;
    struct bytes data;
    (void)args;
    int status = cli_get_data(cli, BYTES_LITERAL("/v1/status"), &data);
    if (status != 0 || cli->is_json)
        return status != 0 ? status : cli_print_json(data);
    buf_init(&out, CLI_TEXT_MAX_BYTES);
    int r = append_status(cli, &out, data);
    if (r == 0)
        r = out_write(&out);
    buf_fini(&out);
    return cli_fault(cli, r, "cannot show the status");
}

/* ---- whoami -------------------------------------------------------------------------------------------------------
 */

/* One cell with the elements of a list, which are words of ours or numbers. */
static int append_list(struct buf *out, struct bytes data, const char *member)
{
    struct bytes rest, element;
    TRY(buf_print(out, "%-6s", member));
    if (!secreg_member(data, member, &rest))
        return 0;
    while (secreg_element(&rest, &element)) {
        bool is_text = element.p[0] == '"';
        TRY(buf_append_text(out, " "));
        TRY(buf_append(out, is_text ? bytes_of(element.p + 1, element.n - 2) : element));
    }
    return buf_append_text(out, "\n");
}

static int append_whoami(struct buf *out, struct bytes data)
{
    static const struct out_column lines[] = {
        {"user", "uid", OUT_USER},  {"uid", "uid", OUT_TEXT},   {"gid", "gid", OUT_TEXT},
        {"pid", "pid", OUT_TEXT},   {"unit", "unit", OUT_TEXT}, {"label", "label", OUT_TEXT},
        {"owns", "owns", OUT_TEXT}, {"auth", "auth", OUT_TEXT}, {"auth age", "auth_age", OUT_TEXT},
    };
    TRY(out_lines(out, data, lines, COUNT_OF(lines)));
    TRY(append_list(out, data, "groups"));
    TRY(append_list(out, data, "roles"));
    return append_list(out, data, "rights");
}

int cmd_whoami(struct cli *cli, const struct args *args)
{
    struct buf out;
    struct bytes data;
    (void)args;
    int status = cli_get_data(cli, BYTES_LITERAL("/v1/whoami"), &data);
    if (status != 0 || cli->is_json)
        return status != 0 ? status : cli_print_json(data);
    buf_init(&out, CLI_TEXT_MAX_BYTES);
    int r = append_whoami(&out, data);
    if (r == 0)
        r = out_write(&out);
    buf_fini(&out);
    return cli_fault(cli, r, "cannot show who you are");
}

/* ---- acts ---------------------------------------------------------------------------------------------------------
 */

static int post(struct cli *cli, struct bytes target, struct bytes body, const char *done)
{
    struct secreg_ask ask = {.method = "POST", .target = target, .body = body};
    struct bytes data;
    int status = cli_data(cli, &ask, &data);
    if (status != 0)
        return status;
    if (cli->is_json)
        return cli_print_json(data);
    cli_note(cli, "%s", done);
    return 0;
}

int cmd_unlock(struct cli *cli, const struct args *args)
{
    struct buf passphrase;
    int status = 0;
    bool is_stdin = args_has(args, "passphrase-stdin");
    if (is_stdin && args_has(args, "key-file"))
        return cli_usage_error(cli, "--passphrase-stdin and --key-file exclude each other");
    buf_init_wiping(&passphrase, KEYS_PASSPHRASE_MAX_BYTES + 1);
    if (is_stdin)
        status = ask_read_line(cli, &passphrase);
    else if (!args_has(args, "key-file"))
        status = ask_secret(cli, "Passphrase: ", &passphrase);
    if (status == 0 && !args_has(args, "key-file") && buf_size(&passphrase) == 0)
        status = cli_error(cli, OUTCOME_BAD_REQUEST, "the passphrase is empty");
    if (status == 0)
        status = post(cli, BYTES_LITERAL("/v1/unlock"), buf_view(&passphrase), "the registry is unlocked");
    buf_fini(&passphrase);
    return status;
}

int cmd_lock(struct cli *cli, const struct args *args)
{
    (void)args;
    return post(cli, BYTES_LITERAL("/v1/lock"), BYTES_NONE, "the registry is locked");
}

int cmd_reload(struct cli *cli, const struct args *args)
{
    (void)args;
    return post(cli, BYTES_LITERAL("/v1/reload"), BYTES_NONE, "the configuration was read again");
}
