/* bytes - see bytes.h. */
#include "base/bytes.h"

#include <string.h>

struct bytes bytes_of_text(const char *text)
{
    return text == NULL ? BYTES_NONE : (struct bytes){(const uint8_t *)text, strlen(text)};
}

bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

bool bytes_equal_nocase(struct bytes a, struct bytes b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    }
    return true;
}

int bytes_compare(struct bytes a, struct bytes b)
{
    size_t n = MIN_OF(a.n, b.n);
    int r = n > 0 ? memcmp(a.p, b.p, n) : 0;
    if (r != 0)
        return r;
    return a.n < b.n ? -1 : a.n > b.n;
}

bool bytes_starts(struct bytes b, struct bytes prefix)
{
    return b.n >= prefix.n && (prefix.n == 0 || memcmp(b.p, prefix.p, prefix.n) == 0);
}

size_t bytes_find(struct bytes b, uint8_t c)
{
    const uint8_t *hit = b.n > 0 ? memchr(b.p, c, b.n) : NULL;
    return hit != NULL ? (size_t)(hit - b.p) : b.n;
}
