/* out - see out.h. */
#include "cli/out.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "cli/cli.h"
#include "lib/secreg-internal.h"

enum { TABLE_MAX_BYTES = 64 << 20, CELL_MAX_BYTES = 4 << 20, GAP_COUNT = 2 };

size_t out_width(struct bytes text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += (text.p[i] & 0xc0) != 0x80;
    return n;
}

/* ---- tables -------------------------------------------------------------------------------------------------------
 */

void out_table_init(struct out_table *t, const struct out_column *columns, size_t columns_count)
{
    assert(columns_count > 0 && columns_count <= OUT_COLUMNS_MAX_COUNT);
    *t = (struct out_table){.columns = columns, .columns_count = columns_count};
    buf_init(&t->cells, TABLE_MAX_BYTES);
    for (size_t i = 0; i < columns_count; i++)
        t->widths[i] = out_width(bytes_of_text(columns[i].title));
}

void out_table_fini(struct out_table *t)
{
    buf_fini(&t->cells);
}

int out_table_cell(struct out_table *t, struct bytes text)
{
    size_t column = t->cells_count % t->columns_count, before = buf_size(&t->cells);
    TRY(text_escape(&t->cells, text));
    size_t width = out_width(bytes_from(buf_view(&t->cells), before));
    TRY(buf_append(&t->cells, bytes_of("", 1)));
    t->widths[column] = MAX_OF(t->widths[column], width);
    t->cells_count++;
    return 0;
}

int out_table_row(struct out_table *t, struct bytes map)
{
    struct buf cell;
    int r = 0;
    buf_init(&cell, CELL_MAX_BYTES);
    for (size_t i = 0; r == 0 && i < t->columns_count; i++) {
        buf_clear(&cell);
        const char *name = t->columns[i].member;
        r = out_member(&cell, map, name, t->columns[i].kind);
        if (r == 0)
            r = out_table_cell(t, buf_view(&cell));
    }
    buf_fini(&cell);
    return r;
}

static int append_blanks(struct buf *out, size_t n)
{
    uint8_t *p;
    TRY(buf_reserve(out, n, &p));
    memset(p, ' ', n);
    buf_commit(out, n);
    return 0;
}

static int append_cell(const struct out_table *t, size_t column, struct bytes text, struct buf *out)
{
    size_t fill = t->widths[column] - out_width(text);
    bool is_right = t->columns[column].kind == OUT_NUMBER;
    bool is_last = column + 1 == t->columns_count;
    if (is_right)
        TRY(append_blanks(out, fill));
    TRY(buf_append(out, text));
    return is_last ? 0 : append_blanks(out, GAP_COUNT + (is_right ? 0 : fill));
}

/* Blanks at the end of a line come from empty cells. */
static int end_line(struct buf *out)
{
    size_t n = buf_size(out);
    while (n > 0 && buf_view(out).p[n - 1] == ' ')
        n--;
    buf_truncate(out, n);
    return buf_append_text(out, "\n");
}

static int append_titles(const struct out_table *t, bool has_color, struct buf *out)
{
    TRY(buf_append_text(out, has_color ? "\033[1m" : ""));
    for (size_t i = 0; i < t->columns_count; i++)
        TRY(append_cell(t, i, bytes_of_text(t->columns[i].title), out));
    TRY(buf_append_text(out, has_color ? "\033[0m" : ""));
    return end_line(out);
}

int out_table_print(const struct out_table *t, bool has_color, struct buf *out)
{
    struct bytes rest = buf_view(&t->cells);
    assert(t->cells_count % t->columns_count == 0);
    bool has_titles = *t->columns[0].title != '\0';
    if (rest.n > 0 && has_titles)
        TRY(append_titles(t, has_color, out));
    for (size_t i = 0; rest.n > 0; i++) {
        size_t n = bytes_find(rest, '\0');
        TRY(append_cell(t, i % t->columns_count, bytes_head(rest, n), out));
        if ((i + 1) % t->columns_count == 0)
            TRY(end_line(out));
        rest = bytes_from(rest, n + 1);
    }
    return 0;
}

int out_table_show(struct cli *cli, const struct out_table *t)
{
    struct buf out;
    buf_init(&out, CLI_TEXT_MAX_BYTES);
    int r = out_table_print(t, cli->has_color, &out);
    if (r == 0)
        r = out_write(&out);
    buf_fini(&out);
    return cli_fault(cli, r, "cannot show the table");
}

/* ---- members ------------------------------------------------------------------------------------------------------
 */

int out_user(struct buf *out, uint64_t uid)
{
    const struct passwd *user = uid < UINT32_MAX ? getpwuid((uid_t)uid) : NULL;
    return user != NULL ? buf_append_text(out, user->pw_name) : buf_append_u64(out, uid);
}

static int append_texts(struct buf *out, struct bytes list)
{
    struct bytes text;
    for (const char *comma = ""; secreg_element(&list, &text); comma = ",") {
        TRY(buf_append_text(out, comma));
        int r = secreg_unquote(out, text);
        TRY(r == SECREG_UNQUOTE_BAD ? RAISE(FAULT_PROTOCOL) : r);
    }
    return 0;
}

/* In the place of the note at the end of `out` stands what its second line says; any other text stays. */
static int shorten_note(struct buf *out, size_t before)
{
    uint64_t size;
    struct bytes note = bytes_from(buf_view(out), before), rest = bytes_from(note, bytes_find(note, '\n') + 1);
    if (!num_parse_u64(bytes_head(rest, bytes_find(rest, '\n')), UINT64_MAX, &size))
        return 0;
    buf_truncate(out, before);
    return buf_print(out, "signed: %llu records", (unsigned long long)size);
}

int out_member(struct buf *out, struct bytes map, const char *name, enum out_kind kind)
{
    struct bytes raw;
    uint64_t uid;
    if (kind == OUT_NODE && !secreg_member(map, name, &raw))
        name = secreg_member(map, "folder", &raw) ? "folder" : "corrupt";
    if (!secreg_member(map, name, &raw) || bytes_equal(raw, BYTES_LITERAL("null")))
        return 0;
    if (kind == OUT_NODE && raw.p[0] != '"')
        return buf_append_text(out, name);
    if (kind == OUT_FLAG)
        return bytes_equal(raw, BYTES_LITERAL("true")) ? buf_append_text(out, name) : 0;
    if (kind == OUT_TAGS && raw.p[0] == '[')
        return append_texts(out, raw);
    if (kind == OUT_USER && num_parse_u64(raw, UINT32_MAX, &uid))
        return out_user(out, uid);
    if (raw.p[0] != '"')
        return buf_append(out, raw);
    size_t before = buf_size(out);
    int r = secreg_unquote(out, raw);
    if (r == 0 && kind == OUT_DETAIL && secreg_member(map, "kind", &raw) &&
        bytes_equal(raw, BYTES_LITERAL("\"checkpoint\"")))
        return shorten_note(out, before);
    return r == SECREG_UNQUOTE_BAD ? RAISE(FAULT_PROTOCOL) : r;
}

static int add_line(struct out_table *t, struct buf *cell, struct bytes map, const struct out_column *line)
{
    buf_clear(cell);
    TRY(out_member(cell, map, line->member, line->kind));
    if (buf_size(cell) == 0)
        return 0;
    TRY(out_table_cell(t, bytes_of_text(line->title)));
    return out_table_cell(t, buf_view(cell));
}

int out_lines(struct buf *out, struct bytes map, const struct out_column *lines, size_t count)
{
    static const struct out_column columns[] = {{"", NULL, OUT_TEXT}, {"", NULL, OUT_TEXT}};
    struct out_table t;
    struct buf cell;
    int r = 0;
    out_table_init(&t, columns, COUNT_OF(columns));
    buf_init(&cell, CELL_MAX_BYTES);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = add_line(&t, &cell, map, &lines[i]);
    if (r == 0)
        r = out_table_print(&t, false, out);
    buf_fini(&cell);
    out_table_fini(&t);
    return r;
}

int out_list(struct bytes map, const char *name, const struct out_column *columns, size_t count, bool has_color)
{
    struct out_table t;
    struct buf out;
    struct bytes rows, row;
    int r = secreg_member(map, name, &rows) ? 0 : RAISE(FAULT_PROTOCOL);
    buf_init(&out, CLI_TEXT_MAX_BYTES);
    out_table_init(&t, columns, count);
    while (r == 0 && secreg_element(&rows, &row))
        r = out_table_row(&t, row);
    if (r == 0)
        r = out_table_print(&t, has_color, &out);
    if (r == 0)
        r = out_write(&out);
    out_table_fini(&t);
    buf_fini(&out);
    return r;
}

/* ---- terminals ----------------------------------------------------------------------------------------------------
 */

int out_colored(struct buf *out, bool has_color, enum out_color color, const char *text)
{
    static const char *const starts[] = {[OUT_PLAIN] = "",          [OUT_BOLD] = "\033[1m", [OUT_GREEN] = "\033[32m",
                                         [OUT_YELLOW] = "\033[33m", [OUT_RED] = "\033[31m", [OUT_BLUE] = "\033[34m"};
    bool is_on = has_color && color != OUT_PLAIN;
    TRY(buf_append_text(out, is_on ? starts[color] : ""));
    TRY(buf_append_text(out, text));
    return buf_append_text(out, is_on ? "\033[0m" : "");
}

/* Printable but for tabs. */
static bool is_line_safe(struct bytes line)
{
    while (line.n > 0) {
        size_t n = bytes_find(line, '\t');
        if (!text_is_printable(bytes_head(line, n)))
            return false;
        line = bytes_from(line, n + 1);
    }
    return true;
}

int out_value(struct buf *out, struct bytes value)
{
    while (value.n > 0) {
        size_t n = bytes_find(value, '\n');
        struct bytes line = bytes_head(value, n);
        TRY(is_line_safe(line) ? buf_append(out, line) : text_escape(out, line));
        if (n < value.n)
            TRY(buf_append_text(out, "\n"));
        value = bytes_from(value, n + 1);
    }
    return 0;
}

int out_write(const struct buf *out)
{
    struct bytes b = buf_view(out);
    return b.n == 0 || fwrite(b.p, 1, b.n, stdout) == b.n ? 0 : RAISE(-EIO);
}
