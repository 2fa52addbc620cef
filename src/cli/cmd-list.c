/* cmd-list - the verbs ls, tree, history, find, due and fingerprint; see verbs.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/names.h"
#include "cli/out.h"
#include "cli/pages.h"
#include "cli/verbs.h"
#include "cli/when.h"
#include "model/outcome.h"

/* ---- ls -----------------------------------------------------------------------------------------------------------
 */

static int add_row(struct bytes row, void *arg)
{
    return out_table_row(arg, row);
}

static int list_long(struct pages *p, const char *name)
{
    const struct out_column columns[] = {
        {"TYPE", "type", OUT_NODE},       {"VERSION", "version", OUT_NUMBER}, {"SIZE", "size", OUT_NUMBER},
        {"CHANGED", "changed", OUT_TEXT}, {"EXPIRES", "expires", OUT_TEXT},   {"TAGS", "tags", OUT_TAGS},
        {"SEALED", "sealed", OUT_FLAG},   {"NAME", name, OUT_TEXT},
    };
    struct out_table t;
    out_table_init(&t, columns, COUNT_OF(columns));
    int status = pages_each(p, add_row, &t);
    if (status == 0)
        status = out_table_show(p->cli, &t);
    out_table_fini(&t);
    return status;
}

static int print_names(struct cli *cli, const struct names *names)
{
    struct buf line;
    int r = 0;
    buf_init(&line, CLI_TEXT_MAX_BYTES);
    for (size_t i = 0; r == 0 && i < names->count; i++) {
        const char *name = names->items[i];
        size_t n = strlen(name);
        bool is_folder = n > 0 && name[n - 1] == '/';
        buf_clear(&line);
        r = is_folder ? out_colored(&line, cli->has_color, OUT_BLUE, name) : buf_append_text(&line, name);
        if (r == 0)
            r = buf_append_text(&line, "\n");
        if (r == 0)
            r = out_write(&line);
    }
    buf_fini(&line);
    return cli_fault(cli, r, "cannot show the listing");
}

static int ls_plain(struct cli *cli, const char *path, bool is_recursive)
{
    struct names names;
    names_init(&names);
    int status = names_fetch(cli, path, is_recursive, &names);
    if (status == 0)
        status = print_names(cli, &names);
    names_fini(&names);
    return status;
}

int cmd_ls(struct cli *cli, const struct args *args)
{
    struct pages p = {.cli = cli, .path = args->operands[0]};
    bool is_recursive = args_has(args, "recursive"), is_long = args_has(args, "long");
    if (is_recursive)
        pages_arg(&p, "recursive", NULL);
    if (is_long)
        pages_arg(&p, "long", NULL);
    if (cli->is_json)
        return pages_json(&p);
    return is_long ? list_long(&p, is_recursive ? "path" : "name") : ls_plain(cli, p.path, is_recursive);
}

/* ---- tree ---------------------------------------------------------------------------------------------------------
 */

int cmd_tree(struct cli *cli, const struct args *args)
{
    struct names names;
    struct buf out;
    names_init(&names);
    buf_init(&out, CLI_TEXT_MAX_BYTES);
    struct pages p = {.cli = cli, .path = args->operands[0]};
    pages_arg(&p, "recursive", NULL);
    if (cli->is_json)
        return pages_json(&p);
    int status = names_fetch(cli, p.path, true, &names);
    if (status == 0)
        status = cli_fault(cli, names_tree(&names, p.path, names_has_utf8(), &out), "cannot draw the tree");
    if (status == 0)
        status = cli_fault(cli, out_write(&out), "cannot show the tree");
    buf_fini(&out);
    names_fini(&names);
    return status;
}

/* ---- history ------------------------------------------------------------------------------------------------------
 */

static int print_history(struct cli *cli, struct bytes data)
{
    static const struct out_column columns[] = {
        {"VERSION", "version", OUT_NUMBER}, {"TYPE", "type", OUT_TEXT},       {"SIZE", "size", OUT_NUMBER},
        {"CHANGED", "changed", OUT_TEXT},   {"BY", "changed_by", OUT_USER},   {"REVISION", "revision", OUT_NUMBER},
        {"SEALED", "sealed", OUT_FLAG},     {"DELETED", "deleted", OUT_FLAG}, {"DESTROYED", "destroyed", OUT_FLAG},
        {"REASON", "reason", OUT_TEXT},
    };
    struct out_table t;
    struct bytes versions, version;
    int r = secreg_member(data, "versions", &versions) ? 0 : RAISE(FAULT_PROTOCOL);
    out_table_init(&t, columns, COUNT_OF(columns));
    while (r == 0 && secreg_element(&versions, &version))
        r = out_table_row(&t, version);
    int status = r == 0 ? out_table_show(cli, &t) : cli_fault(cli, r, "cannot take the history");
    out_table_fini(&t);
    return status;
}

int cmd_history(struct cli *cli, const struct args *args)
{
    struct buf target;
    struct bytes data;
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    int status = cli_target_path(cli, &target, args->operands[0], false);
    if (status == 0)
        status = cli_target_arg(cli, &target, "history", NULL);
    if (status == 0)
        status = cli_get_data(cli, buf_view(&target), &data);
    if (status == 0)
        status = cli->is_json ? cli_print_json(data) : print_history(cli, data);
    buf_fini(&target);
    return status;
}

/* ---- find ---------------------------------------------------------------------------------------------------------
 */

static int print_path(struct bytes row, void *arg)
{
    struct buf *line = arg;
    buf_clear(line);
    TRY(out_member(line, row, "path", OUT_TEXT));
    TRY(buf_append_text(line, "\n"));
    return out_write(line);
}

int cmd_find(struct cli *cli, const struct args *args)
{
    static const char *const filters[] = {"name", "tag", "type"};
    struct pages p = {.cli = cli, .path = args->operands_count > 0 ? args->operands[0] : "/registry"};
    struct buf line;
    pages_arg(&p, "recursive", NULL);
    for (size_t i = 0; i < COUNT_OF(filters); i++) {
        if (args_has(args, filters[i]))
            pages_arg(&p, filters[i], args_value(args, filters[i]));
    }
    if (args_has(args, "long"))
        pages_arg(&p, "long", NULL);
    if (cli->is_json)
        return pages_json(&p);
    if (args_has(args, "long"))
        return list_long(&p, "path");
    buf_init(&line, CLI_TARGET_MAX_BYTES);
    int status = pages_each(&p, print_path, &line);
    buf_fini(&line);
    return status;
}

/* ---- due ----------------------------------------------------------------------------------------------------------
 */

enum { TIME_TEXT_BYTES = sizeof "2026-01-31T12:00:00.123Z" - 1 };

/* Keeps a row behind the text of its end: so rows sort by time, and then by path. */
static int keep_row(struct bytes row, void *arg)
{
    struct buf line;
    buf_init(&line, CLI_TEXT_MAX_BYTES);
    int r = out_member(&line, row, "expires", OUT_TEXT);
    if (r == 0 && buf_size(&line) != TIME_TEXT_BYTES)
        r = RAISE(FAULT_PROTOCOL);
    if (r == 0)
        r = buf_append(&line, row);
    if (r == 0)
        r = names_add(arg, buf_view(&line));
    buf_fini(&line);
    return r;
}

/* How long it is until then: "3 d", "5 h", "12 min"; a unit is used from two of it on. */
static int append_left(struct buf *out, const char *row, struct wall_time now)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    char text[CLOCK_TEXT_BYTES];
    struct wall_time end;
    if (!text_copy(text, sizeof text, bytes_of(row, TIME_TEXT_BYTES)) || !clock_wall_parse(text, &end))
        return RAISE(FAULT_PROTOCOL);
    int64_t left = MAX_OF(end.us - now.us, (int64_t)0) / US_PER_S;
    size_t i = 0;
    while (i + 1 < COUNT_OF(units) && left < 2 * units[i].seconds)
        i++;
    return buf_print(out, "%lld %s", (long long)(left / units[i].seconds), units[i].text);
}

static int add_due(struct out_table *t, const char *row, struct wall_time now)
{
    struct buf cell;
    struct bytes map = bytes_of_text(row + TIME_TEXT_BYTES);
    buf_init(&cell, CLI_TARGET_MAX_BYTES);
    int r = append_left(&cell, row, now);
    if (r == 0)
        r = out_table_cell(t, bytes_of(row, TIME_TEXT_BYTES));
    if (r == 0)
        r = out_table_cell(t, buf_view(&cell));
    for (size_t i = 2; r == 0 && i < t->columns_count; i++) {
        buf_clear(&cell);
        r = out_member(&cell, map, t->columns[i].member, t->columns[i].kind);
        if (r == 0)
            r = out_table_cell(t, buf_view(&cell));
    }
    buf_fini(&cell);
    return r;
}

static int show_due(struct cli *cli, const struct names *rows, struct wall_time now)
{
    static const struct out_column columns[] = {{"EXPIRES", NULL, OUT_TEXT}, {"LEFT", NULL, OUT_NUMBER},
                                                {"TYPE", "type", OUT_NODE},  {"VERSION", "version", OUT_NUMBER},
                                                {"TAGS", "tags", OUT_TAGS},  {"PATH", "path", OUT_TEXT}};
    struct out_table t;
    int r = 0;
    out_table_init(&t, columns, COUNT_OF(columns));
    for (size_t i = 0; r == 0 && i < rows->count; i++)
        r = add_due(&t, rows->items[i], now);
    int status = r == 0 ? out_table_show(cli, &t) : cli_fault(cli, r, "cannot take the listing");
    out_table_fini(&t);
    return status;
}

static int append_due_json(struct buf *out, const struct names *rows)
{
    TRY(buf_append_text(out, "{\"entries\":["));
    for (size_t i = 0; i < rows->count; i++) {
        TRY(buf_append_text(out, i > 0 ? "," : ""));
        TRY(buf_append_text(out, rows->items[i] + TIME_TEXT_BYTES));
    }
    return buf_append_text(out, "]}");
}

static int show_due_json(struct cli *cli, const struct names *rows)
{
    struct buf out;
    buf_init(&out, CLI_TEXT_MAX_BYTES);
    int status = cli_fault(cli, append_due_json(&out, rows), "cannot take the listing");
    if (status == 0)
        status = cli_print_json(buf_view(&out));
    buf_fini(&out);
    return status;
}

int cmd_due(struct cli *cli, const struct args *args)
{
    char until[CLOCK_TEXT_BYTES];
    struct wall_time now = clock_wall_now();
    const char *within = args_has(args, "within") ? args_value(args, "within") : "30d";
    struct pages p = {.cli = cli, .path = args->operands_count > 0 ? args->operands[0] : "/registry"};
    struct names rows;
    if (!when_parse_ahead(within, now, until))
        return cli_usage_error(cli, "not a span or time: %s; such as 30d, 12h or 2026-01-31", within);
    pages_arg(&p, "recursive", NULL);
    pages_arg(&p, "long", NULL);
    pages_arg(&p, "expires_before", until);
    names_init(&rows);
    int status = pages_each(&p, keep_row, &rows);
    names_sort(&rows);
    if (status == 0)
        status = cli->is_json ? show_due_json(cli, &rows) : show_due(cli, &rows, now);
    names_fini(&rows);
    return status;
}

/* ---- fingerprint --------------------------------------------------------------------------------------------------
 */

int cmd_fingerprint(struct cli *cli, const struct args *args)
{
    struct buf target, print, count;
    struct bytes data;
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    buf_init(&print, CLI_TARGET_MAX_BYTES);
    buf_init(&count, CLI_TARGET_MAX_BYTES);
    int status = cli_target_path(cli, &target, args->operands[0], true);
    if (status == 0)
        status = cli_target_arg(cli, &target, "fingerprint", NULL);
    if (status == 0)
        status = cli_get_data(cli, buf_view(&target), &data);
    int r = status == 0 ? out_member(&print, data, "fingerprint", OUT_TEXT) : 0;
    if (status == 0 && r == 0)
        r = out_member(&count, data, "entries", OUT_TEXT);
    if (status == 0)
        status = cli_fault(cli, r, "cannot show the fingerprint");
    if (status == 0 && cli->is_json) {
        status = cli_print_json(data);
    } else if (status == 0) {
        printf("%.*s\n", BYTES_PRINT(buf_view(&print)));
        cli_note(cli, "of %.*s entries", BYTES_PRINT(buf_view(&count)));
    }
    buf_fini(&count);
    buf_fini(&print);
    buf_fini(&target);
    return status;
}
