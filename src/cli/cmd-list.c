/* cmd-list - the verbs ls, tree and history; see verbs.h. All pages of a folder are read and shown as one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/names.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "registry/outcome.h"

/* ---- pages of JSON ------------------------------------------------------------------------------------------------
 */

struct pages {
    struct cli *cli;
    const char *path;
    bool is_recursive, is_long;
    struct buf after; /* a C string once it holds something */
};

/* Returns a status. *ret_data is valid until the next page. */
static int fetch_page(struct pages *p, struct bytes *ret_data)
{
    struct buf target;
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    int status = cli_target_path(p->cli, &target, p->path, true);
    if (status == 0)
        status = cli_target_arg(p->cli, &target, "limit", "1000");
    if (status == 0 && p->is_recursive)
        status = cli_target_arg(p->cli, &target, "recursive", NULL);
    if (status == 0 && p->is_long)
        status = cli_target_arg(p->cli, &target, "long", NULL);
    if (status == 0 && buf_size(&p->after) > 0)
        status = cli_target_arg(p->cli, &target, "after", (const char *)buf_view(&p->after).p);
    if (status == 0)
        status = cli_get_data(p->cli, buf_view(&target), ret_data);
    buf_fini(&target);
    return status;
}

/* Notes where the next page begins; `after` is empty when there is none. Returns 0 or a fault. */
static int note_next(struct pages *p, struct bytes data)
{
    buf_clear(&p->after);
    TRY(out_member(&p->after, data, "next", OUT_TEXT));
    return buf_size(&p->after) > 0 ? buf_append(&p->after, bytes_of("", 1)) : 0;
}

/* Calls on_page (0 or a fault) with the data of each page. Returns a status. */
static int each_page(struct pages *p, int (*on_page)(struct bytes data, void *arg), void *arg)
{
    struct bytes data;
    int status, r = 0;
    buf_init(&p->after, CLI_TARGET_MAX_BYTES);
    do {
        status = fetch_page(p, &data);
        if (status == 0)
            r = on_page(data, arg);
        if (status == 0 && r == 0)
            r = note_next(p, data);
    } while (status == 0 && r == 0 && buf_size(&p->after) > 0);
    buf_fini(&p->after);
    return status != 0 ? status : cli_fault(p->cli, r, "cannot take the listing");
}

static struct bytes entries_of(struct bytes data)
{
    struct bytes entries;
    return secreg_member(data, "entries", &entries) ? entries : BYTES_NONE;
}

/* ---- ls -----------------------------------------------------------------------------------------------------------
 */

/* {"path":...,"entries":[ of all pages ],"next":null} */
static int merge_page(struct bytes data, void *arg)
{
    struct buf *out = arg;
    struct bytes path, entries = entries_of(data);
    if (entries.n < 2 || !secreg_member(data, "path", &path))
        return RAISE(FAULT_PROTOCOL);
    struct bytes inner = bytes_of(entries.p + 1, entries.n - 2);
    if (buf_size(out) == 0) {
        TRY(buf_append_text(out, "{\"path\":"));
        TRY(buf_append(out, path));
        TRY(buf_append_text(out, ",\"entries\":["));
    } else if (inner.n > 0) {
        TRY(buf_append_text(out, ","));
    }
    return buf_append(out, inner);
}

static int ls_json(struct pages *p)
{
    struct buf out;
    buf_init(&out, CLI_TEXT_MAX_BYTES);
    int status = each_page(p, merge_page, &out);
    if (status == 0)
        status = cli_fault(p->cli, buf_append_text(&out, "],\"next\":null}"), "cannot take the listing");
    if (status == 0)
        status = cli_print_json(buf_view(&out));
    buf_fini(&out);
    return status;
}

static int add_rows(struct bytes data, void *arg)
{
    struct out_table *t = arg;
    struct bytes rest = entries_of(data), entry;
    while (secreg_element(&rest, &entry))
        TRY(out_table_row(t, entry));
    return 0;
}

static int print_table(struct cli *cli, const struct out_table *t)
{
    struct buf out;
    buf_init(&out, CLI_TEXT_MAX_BYTES);
    int r = out_table_print(t, cli->has_color, &out);
    if (r == 0)
        r = out_write(&out);
    buf_fini(&out);
    return cli_fault(cli, r, "cannot show the table");
}

static int ls_long(struct pages *p)
{
    const struct out_column columns[] = {
        {"TYPE", "type", OUT_NODE},     {"VERSION", "version", OUT_NUMBER},
        {"SIZE", "size", OUT_NUMBER},   {"CHANGED", "changed", OUT_TEXT},
        {"SEALED", "sealed", OUT_FLAG}, {"NAME", p->is_recursive ? "path" : "name", OUT_TEXT},
    };
    struct out_table t;
    out_table_init(&t, columns, COUNT_OF(columns));
    int status = each_page(p, add_rows, &t);
    if (status == 0)
        status = print_table(p->cli, &t);
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
    struct pages p = {.cli = cli,
                      .path = args->operands[0],
                      .is_recursive = args_has(args, "recursive"),
                      .is_long = args_has(args, "long")};
    if (cli->is_json)
        return ls_json(&p);
    return p.is_long ? ls_long(&p) : ls_plain(cli, p.path, p.is_recursive);
}

/* ---- tree ---------------------------------------------------------------------------------------------------------
 */

int cmd_tree(struct cli *cli, const struct args *args)
{
    struct names names;
    struct buf out;
    names_init(&names);
    buf_init(&out, CLI_TEXT_MAX_BYTES);
    struct pages p = {.cli = cli, .path = args->operands[0], .is_recursive = true};
    if (cli->is_json)
        return ls_json(&p);
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
        {"SEALED", "sealed", OUT_FLAG},     {"DELETED", "deleted", OUT_FLAG}, {"REASON", "reason", OUT_TEXT},
    };
    struct out_table t;
    struct bytes versions, version;
    int r = secreg_member(data, "versions", &versions) ? 0 : RAISE(FAULT_PROTOCOL);
    out_table_init(&t, columns, COUNT_OF(columns));
    while (r == 0 && secreg_element(&versions, &version))
        r = out_table_row(&t, version);
    int status = r == 0 ? print_table(cli, &t) : cli_fault(cli, r, "cannot take the history");
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
