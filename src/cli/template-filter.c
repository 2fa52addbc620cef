/* template-filter - what can be done to a value on its way into the output; see template-internal.h. */

#include "base/code.h"
#include "base/text.h"
#include "cli/template-internal.h"
#include "wire/doc.h"

static int filter_json(struct bytes in, struct buf *out)
{
    return text_is_utf8(in) ? doc_json_string(out, in) : FILTER_BAD;
}

static int filter_base64(struct bytes in, struct buf *out)
{
    return code_base64(out, in);
}

static int filter_hex(struct bytes in, struct buf *out)
{
    return code_hex(out, in);
}

/* Inside single quotes a shell reads everything as it stands, but the quote. */
static int filter_shell(struct bytes in, struct buf *out)
{
    if (bytes_find(in, '\0') < in.n)
        return FILTER_BAD;
    TRY(buf_append_text(out, "'"));
    while (in.n > 0) {
        size_t n = bytes_find(in, '\'');
        TRY(buf_append(out, bytes_head(in, n)));
        TRY(n < in.n ? buf_append_text(out, "'\\''") : 0);
        in = bytes_from(in, n + 1);
    }
    return buf_append_text(out, "'");
}

/* ASCII only, whatever the locale: other letters have more than one answer. */
static int change_case(struct bytes in, struct buf *out, char from, int by)
{
    uint8_t *p;
    TRY(buf_reserve(out, in.n, &p));
    for (size_t i = 0; i < in.n; i++)
        p[i] = in.p[i] >= from && in.p[i] <= from + 25 ? (uint8_t)(in.p[i] + by) : in.p[i];
    buf_commit(out, in.n);
    return 0;
}

static int filter_upper(struct bytes in, struct buf *out)
{
    return change_case(in, out, 'a', 'A' - 'a');
}

static int filter_lower(struct bytes in, struct buf *out)
{
    return change_case(in, out, 'A', 'a' - 'A');
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int filter_trim(struct bytes in, struct buf *out)
{
    while (in.n > 0 && is_blank(in.p[in.n - 1]))
        in.n--;
    size_t at = 0;
    while (at < in.n && is_blank(in.p[at]))
        at++;
    return buf_append(out, bytes_from(in, at));
}

static int filter_required(struct bytes in, struct buf *out)
{
    return in.n > 0 ? buf_append(out, in) : FILTER_BAD;
}

const struct template_filter template_filters[] = {
    {"json", filter_json, "not UTF-8 text"},
    {"base64", filter_base64, ""},
    {"hex", filter_hex, ""},
    {"shell", filter_shell, "not text: it holds a NUL byte"},
    {"upper", filter_upper, ""},
    {"lower", filter_lower, ""},
    {"trim", filter_trim, ""},
    {"required", filter_required, "empty"},
    {0},
};
