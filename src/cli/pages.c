/* pages - see pages.h. */
#include "cli/pages.h"

#include "cli/cli.h"
#include "cli/out.h"

void pages_arg(struct pages *p, const char *name, const char *value)
{
    assert(p->args_count < PAGES_ARGS_MAX_COUNT);
    p->args[p->args_count].name = name;
    p->args[p->args_count++].value = value;
}

/* Returns a status. *ret_data is valid until the next page. */
static int fetch_page(struct pages *p, struct bytes *ret_data)
{
    struct buf target;
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    int status = cli_target_path(p->cli, &target, p->path, true);
    if (status == 0)
        status = cli_target_arg(p->cli, &target, "limit", "1000");
    for (size_t i = 0; status == 0 && i < p->args_count; i++)
        status = cli_target_arg(p->cli, &target, p->args[i].name, p->args[i].value);
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

/* ---- rows ---------------------------------------------------------------------------------------------------------
 */

struct rows {
    int (*on_row)(struct bytes row, void *arg);
    void *arg;
};

static int hand_over(struct bytes data, void *arg)
{
    struct rows *rows = arg;
    struct bytes rest = entries_of(data), row;
    if (rest.n < 2)
        return RAISE(FAULT_PROTOCOL);
    while (secreg_element(&rest, &row))
        TRY(rows->on_row(row, rows->arg));
    return 0;
}

int pages_each(struct pages *p, int (*on_row)(struct bytes row, void *arg), void *arg)
{
    struct rows rows = {on_row, arg};
    return each_page(p, hand_over, &rows);
}

/* ---- JSON ---------------------------------------------------------------------------------------------------------
 */

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

int pages_json(struct pages *p)
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
