/* host-text - lines and words of the host's files; see host-internal.h. */
#include "cli/host-internal.h"

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f';
}

bool host_next_line(struct bytes *rest, struct bytes *ret_line)
{
    if (rest->n == 0)
        return false;
    size_t n = bytes_find(*rest, '\n');
    *ret_line = bytes_head(*rest, n);
    *rest = bytes_from(*rest, n + 1);
    return true;
}

struct bytes host_next_word(struct bytes *rest)
{
    size_t from = 0;
    while (from < rest->n && is_blank(rest->p[from]))
        from++;
    size_t to = from;
    while (to < rest->n && !is_blank(rest->p[to]))
        to++;
    struct bytes word = bytes_head(bytes_from(*rest, from), to - from);
    *rest = bytes_from(*rest, to);
    return word;
}

struct bytes host_trim(struct bytes text)
{
    while (text.n > 0 && is_blank(text.p[0]))
        text = bytes_from(text, 1);
    while (text.n > 0 && is_blank(text.p[text.n - 1]))
        text.n--;
    return text;
}

struct bytes host_cut(struct bytes text, uint8_t mark)
{
    return bytes_head(text, bytes_find(text, mark));
}

bool host_lower(char *ret, size_t size, struct bytes text)
{
    assert(size > 0);
    ret[0] = '\0';
    if (text.n == 0 || text.n >= size)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        bool is_upper = c >= 'A' && c <= 'Z';
        if (!is_upper && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '-')
            return false;
        ret[i] = (char)(is_upper ? c + ('a' - 'A') : c);
    }
    ret[text.n] = '\0';
    return true;
}
