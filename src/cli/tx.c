/* tx - see tx.h. */
#include "cli/tx.h"

#include <string.h>

#include "base/num.h"
#include "cli/cli.h"
#include "cli/names.h"
#include "model/outcome.h"
#include "wire/doc.h"

void tx_init(struct tx *t, struct cli *cli)
{
    *t = (struct tx){.cli = cli, .is_dry = args_has(cli->args, "dry-run")};
    buf_init_wiping(&t->body, TX_BODY_MAX_BYTES);
}

void tx_fini(struct tx *t)
{
    buf_fini(&t->body);
}

/* ---- writing ------------------------------------------------------------------------------------------------------
 */

static void put(struct tx *t, const char *text)
{
    if (t->fault == 0)
        t->fault = buf_append_text(&t->body, text);
}

static void put_string(struct tx *t, struct bytes text)
{
    if (t->fault == 0)
        t->fault = doc_json_string(&t->body, text);
}

static void end_leaf(struct tx *t)
{
    put(t, t->has_member ? "}" : "");
    t->has_member = false;
}

void tx_part(struct tx *t, const char *name)
{
    end_leaf(t);
    put(t, t->has_part ? "]," : "{");
    put_string(t, bytes_of_text(name));
    put(t, ":[");
    t->has_part = true;
    t->has_leaf = false;
}

static void begin_member(struct tx *t, const char *name)
{
    put(t, t->has_member ? "," : "{");
    put_string(t, bytes_of_text(name));
    put(t, ":");
    t->has_member = true;
}

void tx_leaf(struct tx *t, const char *op)
{
    assert(t->has_part);
    end_leaf(t);
    put(t, t->has_leaf ? "," : "");
    t->has_leaf = true;
    if (op != NULL)
        tx_text(t, "op", bytes_of_text(op));
}

void tx_text(struct tx *t, const char *name, struct bytes text)
{
    begin_member(t, name);
    put_string(t, text);
}

void tx_number(struct tx *t, const char *name, uint64_t number)
{
    begin_member(t, name);
    if (t->fault == 0)
        t->fault = buf_append_u64(&t->body, number);
}

void tx_raw(struct tx *t, const char *name, const char *json)
{
    begin_member(t, name);
    put(t, json);
}

/* ---- sending ------------------------------------------------------------------------------------------------------
 */

int tx_send(struct tx *t, struct bytes *ret_data)
{
    const char *reason = args_value(t->cli->args, "reason");
    assert(t->has_part);
    end_leaf(t);
    put(t, "]");
    if (reason != NULL) {
        put(t, ",\"reason\":");
        put_string(t, bytes_of_text(reason));
    }
    put(t, t->is_dry ? ",\"dry_run\":true}" : "}");
    if (t->fault == FAULT_LIMIT)
        return cli_error(t->cli, OUTCOME_TOO_LARGE, "larger than the limit: the transaction is too long");
    int status = cli_fault(t->cli, t->fault, "cannot make the transaction");
    struct secreg_ask ask = {.method = "POST", .target = BYTES_LITERAL("/v1/txn"), .body = buf_view(&t->body)};
    return status != 0 ? status : cli_data(t->cli, &ask, ret_data);
}

uint64_t tx_number_of(struct bytes data, const char *name)
{
    struct bytes results, first, text;
    uint64_t number;
    if (!secreg_member(data, "results", &results) || !secreg_element(&results, &first) ||
        !secreg_member(first, name, &text) || !num_parse_u64(text, INT64_MAX, &number))
        return 0;
    return number;
}

int tx_print(struct cli *cli, struct bytes data)
{
    return cli->is_json ? cli_print_json(data) : 0;
}

int tx_below(struct cli *cli, const char *path, struct names *paths)
{
    unsigned outcome = OUTCOME_DONE;
    int r = names_try(cli, path, true, paths, &outcome);
    if (r == 0 && outcome == OUTCOME_NOT_FOLDER)
        r = names_add(paths, bytes_of_text(path));
    else if (r == 0 && outcome != OUTCOME_DONE)
        return cli_refused(cli, outcome, path);
    return cli_fault(cli, r, "cannot take the listing");
}
