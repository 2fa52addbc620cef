/* text - see text.h. */
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#include "base/letters.h"

uint32_t text_utf8_next(struct bytes in, size_t *ret_used)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    *ret_used = 1;
    if (in.n == 0)
        return UINT32_MAX;
    uint8_t c = in.p[0];
    if (c < 0x80)
        return c;
    size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || in.n < n)
        return UINT32_MAX;
    uint32_t cp = c & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((in.p[i] & 0xc0) != 0x80)
            return UINT32_MAX;
        cp = cp << 6 | (in.p[i] & 0x3fu);
    }
    if (cp < least[n] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
        return UINT32_MAX;
    *ret_used = n;
    return cp;
}

bool text_is_utf8(struct bytes in)
{
    size_t used;
    for (size_t at = 0; at < in.n; at += used) {
        if (text_utf8_next(bytes_from(in, at), &used) == UINT32_MAX)
            return false;
    }
    return true;
}

static bool cp_is_printable(uint32_t cp)
{
    if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0xad || cp == 0x61c || cp == 0xfeff)
        return false;
    if ((cp >= 0x200b && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2060 && cp <= 0x206f))
        return false;
    return !((cp >= 0xfff9 && cp <= 0xfffb) || (cp >= 0xe0000 && cp <= 0xe0fff) || (cp & 0xfffe) == 0xfffe);
}

bool text_is_printable(struct bytes in)
{
    size_t used;
    for (size_t at = 0; at < in.n; at += used) {
        uint32_t cp = text_utf8_next(bytes_from(in, at), &used);
        if (cp == UINT32_MAX || !cp_is_printable(cp))
            return false;
    }
    return true;
}

bool text_is_letter(uint32_t cp)
{
    size_t low = 0, high = COUNT_OF(letter_ranges);
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (cp > letter_ranges[mid].last)
            low = mid + 1;
        else if (cp < letter_ranges[mid].first)
            high = mid;
        else
            return true;
    }
    return false;
}

static int escape_one(struct buf *out, struct bytes one, uint32_t cp)
{
    if (cp == UINT32_MAX || !cp_is_printable(cp)) {
        for (size_t i = 0; i < one.n; i++)
            TRY(buf_print(out, "\\x%02x", one.p[i]));
        return 0;
    }
    if (cp == '\\')
        TRY(buf_append_text(out, "\\"));
    return buf_append(out, one);
}

int text_escape(struct buf *out, struct bytes in)
{
    size_t used, before = buf_size(out);
    for (size_t at = 0; at < in.n; at += used) {
        uint32_t cp = text_utf8_next(bytes_from(in, at), &used);
        int r = escape_one(out, bytes_of(in.p + at, used), cp);
        if (r < 0) {
            buf_truncate(out, before);
            return r;
        }
    }
    return 0;
}

bool text_copy(char *ret, size_t size, struct bytes in)
{
    assert(size > 0);
    ret[0] = '\0';
    if (in.n >= size || bytes_find(in, 0) != in.n)
        return false;
    if (in.n > 0)
        memcpy(ret, in.p, in.n);
    ret[in.n] = '\0';
    return true;
}
