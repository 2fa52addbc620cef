/*
 * secreg-envelope - reading the daemon's own JSON replies member by member; see secreg-internal.h.
 *
 * Why not a JSON library: it would bring global allocation hooks into the host program. Only replies of the daemon come
 * here, and nothing is decided by what they say but how an error is named.
 */
#include "secreg-internal.h"

#include <string.h>

static struct bytes skip_blanks(struct bytes in)
{
    while (in.n > 0 && (in.p[0] == ' ' || in.p[0] == '\t' || in.p[0] == '\n' || in.p[0] == '\r'))
        in = bytes_from(in, 1);
    return in;
}

/* Bytes of the string at the front, quotes included; 0 if it has no end. */
static size_t string_bytes(struct bytes in)
{
    assert(in.n > 0 && in.p[0] == '"');
    for (size_t i = 1; i < in.n; i++) {
        if (in.p[i] == '\\')
            i++;
        else if (in.p[i] == '"')
            return i + 1;
    }
    return 0;
}

/* Bytes of the list or map at the front; 0 if it has no end. */
static size_t nested_bytes(struct bytes in)
{
    size_t depth = 0, step;
    for (size_t i = 0; i < in.n; i += step) {
        step = in.p[i] == '"' ? string_bytes(bytes_from(in, i)) : 1;
        if (step == 0)
            return 0;
        if (in.p[i] == '{' || in.p[i] == '[')
            depth++;
        else if (in.p[i] == '}' || in.p[i] == ']')
            depth--;
        if (depth == 0)
            return i + 1;
    }
    return 0;
}

/* Bytes of the value at the front; 0 if there is none. */
static size_t value_bytes(struct bytes in)
{
    if (in.n == 0)
        return 0;
    if (in.p[0] == '"')
        return string_bytes(in);
    if (in.p[0] == '{' || in.p[0] == '[')
        return nested_bytes(in);
    size_t n = 0;
    while (n < in.n && memchr(",]} \t\r\n", in.p[n], 7) == NULL)
        n++;
    return n;
}

/* Takes `mark` off the front, with the blanks before it. */
static bool take(struct bytes *in, uint8_t mark)
{
    struct bytes rest = skip_blanks(*in);
    if (rest.n == 0 || rest.p[0] != mark)
        return false;
    *in = bytes_from(rest, 1);
    return true;
}

static bool take_value(struct bytes *in, struct bytes *ret_value)
{
    struct bytes rest = skip_blanks(*in);
    size_t n = value_bytes(rest);
    if (n == 0)
        return false;
    *ret_value = bytes_head(rest, n);
    *in = bytes_from(rest, n);
    return true;
}

bool secreg_member(struct bytes map, const char *name, struct bytes *ret_value)
{
    struct bytes rest = map, key, value;
    struct bytes wanted = bytes_of_text(name);
    if (!take(&rest, '{'))
        return false;
    do {
        if (!take_value(&rest, &key) || key.p[0] != '"' || !take(&rest, ':') || !take_value(&rest, &value))
            return false;
        if (key.n == wanted.n + 2 && bytes_equal(bytes_of(key.p + 1, wanted.n), wanted)) {
            *ret_value = value;
            return true;
        }
    } while (take(&rest, ','));
    return false;
}

bool secreg_element(struct bytes *rest, struct bytes *ret_value)
{
    struct bytes in = *rest;
    if (!take(&in, '[') && !take(&in, ','))
        return false;
    if (!take_value(&in, ret_value))
        return false;
    *rest = in;
    return true;
}

/* ---- strings --------------------------------------------------------------------------------------------- */

static int append_code_point(struct buf *out, uint32_t cp)
{
    uint8_t b[4];
    size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    static const uint8_t first[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    assert(cp <= 0x10ffff);
    for (size_t i = n; i > 1; i--) {
        b[i - 1] = (uint8_t)(0x80 | (cp & 0x3f));
        cp >>= 6;
    }
    b[0] = (uint8_t)(first[n] | cp);
    return buf_append(out, bytes_of(b, n));
}

/* Four hex digits behind "\u". */
static bool read_unit(struct bytes in, uint32_t *ret_unit)
{
    uint32_t unit = 0;
    if (in.n < 6 || in.p[0] != '\\' || in.p[1] != 'u')
        return false;
    for (size_t i = 2; i < 6; i++) {
        uint8_t c = in.p[i];
        if (c >= '0' && c <= '9')
            unit = unit << 4 | (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            unit = unit << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
        else
            return false;
    }
    *ret_unit = unit;
    return true;
}

/* "\uXXXX", or two of them that are one code point. */
static int unquote_unit(struct buf *out, struct bytes in, size_t *ret_used)
{
    uint32_t unit, low;
    if (!read_unit(in, &unit) || (unit >= 0xdc00 && unit < 0xe000))
        return SECREG_UNQUOTE_BAD;
    *ret_used = 6;
    if (unit < 0xd800 || unit >= 0xe000)
        return append_code_point(out, unit);
    if (!read_unit(bytes_from(in, 6), &low) || low < 0xdc00 || low >= 0xe000)
        return SECREG_UNQUOTE_BAD;
    *ret_used = 12;
    return append_code_point(out, 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
}

static int unquote_escape(struct buf *out, struct bytes in, size_t *ret_used)
{
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    if (in.n < 2)
        return SECREG_UNQUOTE_BAD;
    if (in.p[1] == 'u')
        return unquote_unit(out, in, ret_used);
    size_t at = bytes_find(bytes_of(names, sizeof names - 1), in.p[1]);
    if (at >= sizeof names - 1)
        return SECREG_UNQUOTE_BAD;
    *ret_used = 2;
    return buf_append(out, bytes_of(meanings + at, 1));
}

int secreg_unquote(struct buf *out, struct bytes text)
{
    if (text.n < 2 || text.p[0] != '"' || string_bytes(text) != text.n)
        return SECREG_UNQUOTE_BAD;
    for (struct bytes rest = bytes_of(text.p + 1, text.n - 2); rest.n > 0;) {
        size_t used = bytes_find(rest, '\\');
        int r = used > 0 ? buf_append(out, bytes_head(rest, used)) : unquote_escape(out, rest, &used);
        if (r != 0)
            return r;
        rest = bytes_from(rest, used);
    }
    return 0;
}
