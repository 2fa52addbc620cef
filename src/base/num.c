/* num - see num.h. */
#include "base/num.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NUM_F64_MAX_BYTES = 64 };

bool num_parse_u64(struct bytes text, uint64_t max, uint64_t *ret_number)
{
    uint64_t n = 0;
    if (text.n == 0 || text.n > 20 || (text.n > 1 && text.p[0] == '0'))
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        if (__builtin_mul_overflow(n, (uint64_t)10, &n) || __builtin_add_overflow(n, (uint64_t)(text.p[i] - '0'), &n))
            return false;
    }
    if (n > max)
        return false;
    *ret_number = n;
    return true;
}

bool num_parse_i64(struct bytes text, int64_t *ret_number)
{
    uint64_t n;
    bool minus = text.n > 0 && text.p[0] == '-';
    if (!num_parse_u64(minus ? bytes_from(text, 1) : text, (uint64_t)INT64_MAX + minus, &n) || (minus && n == 0))
        return false;
    *ret_number = minus ? (int64_t)(0 - n) : (int64_t)n;
    return true;
}

static size_t digits_at(struct bytes t, size_t at)
{
    size_t n = 0;
    while (at + n < t.n && t.p[at + n] >= '0' && t.p[at + n] <= '9')
        n++;
    return n;
}

/* number = [ "-" ] int [ frac ] [ exp ], RFC 8259 section 6 */
static bool is_json_number(struct bytes t)
{
    size_t at = t.n > 0 && t.p[0] == '-';
    size_t whole = digits_at(t, at);
    if (whole == 0 || (whole > 1 && t.p[at] == '0'))
        return false;
    at += whole;
    if (at < t.n && t.p[at] == '.') {
        size_t frac = digits_at(t, at + 1);
        if (frac == 0)
            return false;
        at += 1 + frac;
    }
    if (at < t.n && (t.p[at] == 'e' || t.p[at] == 'E')) {
        at++;
        at += at < t.n && (t.p[at] == '+' || t.p[at] == '-');
        size_t digits = digits_at(t, at);
        if (digits == 0)
            return false;
        at += digits;
    }
    return at == t.n;
}

bool num_parse_f64(struct bytes text, double *ret_number)
{
    static locale_t c_locale;
    char copy[NUM_F64_MAX_BYTES + 1];
    if (text.n > NUM_F64_MAX_BYTES || !is_json_number(text))
        return false;
    if (c_locale == NULL)
        c_locale = newlocale(LC_ALL_MASK, "C", NULL);
    if (c_locale == NULL)
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    double d = strtod_l(copy, NULL, c_locale);
    if (!isfinite(d))
        return false;
    *ret_number = d;
    return true;
}
