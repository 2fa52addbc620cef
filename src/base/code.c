/* code - see code.h. Digits are made and read by arithmetic on masks, not by tables indexed with secret bytes. */
#include "base/code.h"

#include <string.h>

static char hex_digit(unsigned v)
{
    /* '0'..'9', and 39 further on for 'a'..'f': the mask is all ones when v > 9 */
    return (char)('0' + v + (((9u - v) >> 8) & 39u));
}

static void put_hex(struct bytes in, uint8_t *to)
{
    for (size_t i = 0; i < in.n; i++) {
        *to++ = (uint8_t)hex_digit(in.p[i] >> 4);
        *to++ = (uint8_t)hex_digit(in.p[i] & 15u);
    }
}

void code_hex_text(struct bytes in, char *ret_text)
{
    put_hex(in, (uint8_t *)ret_text);
    ret_text[2 * in.n] = '\0';
}

void code_number_text(uint64_t number, char ret_text[static CODE_NUMBER_BYTES])
{
    uint8_t raw[8];
    for (size_t i = 0; i < sizeof raw; i++)
        raw[i] = (uint8_t)(number >> (56 - 8 * i));
    code_hex_text(BYTES_OF(raw), ret_text);
}

int code_hex(struct buf *out, struct bytes in)
{
    uint8_t *p;
    if (in.n > SIZE_MAX / 2)
        return RAISE(FAULT_LIMIT);
    TRY(buf_reserve(out, 2 * in.n, &p));
    put_hex(in, p);
    buf_commit(out, 2 * in.n);
    return 0;
}

/* all ones in the low byte if lo <= c <= hi, else 0 */
static unsigned within(unsigned c, unsigned lo, unsigned hi)
{
    return ((lo - 1u - c) & (c - hi - 1u)) >> 8 & 0xffu;
}

static unsigned unhex_digit(unsigned c, unsigned *bad)
{
    unsigned digit = within(c, '0', '9'), lower = within(c, 'a', 'f'), upper = within(c, 'A', 'F');
    *bad |= (digit | lower | upper) ^ 0xffu;
    return ((c - (unsigned)'0') & digit) | ((c - 'a' + 10u) & lower) | ((c - 'A' + 10u) & upper);
}

bool code_unhex(struct bytes in, uint8_t *ret, size_t n)
{
    unsigned bad = 0;
    if (in.n != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned high = unhex_digit(in.p[2 * i], &bad);
        unsigned low = unhex_digit(in.p[2 * i + 1], &bad);
        ret[i] = (uint8_t)((high << 4 | low) & 0xffu);
    }
    return bad == 0;
}

static uint8_t base64_digit(unsigned v)
{
    unsigned upper = within(v + 1, 1, 26), lower = within(v, 26, 51), digit = within(v, 52, 61);
    unsigned plus = within(v, 62, 62), slash = within(v, 63, 63);
    return (uint8_t)(((v + 'A') & upper) | ((v - 26 + 'a') & lower) | ((v - 52 + '0') & digit) | ('+' & plus) |
                     ('/' & slash));
}

int code_base64(struct buf *out, struct bytes in)
{
    uint8_t *p;
    size_t n = (in.n + 2) / 3 * 4;
    if (in.n > SIZE_MAX / 4)
        return RAISE(FAULT_LIMIT);
    TRY(buf_reserve(out, n, &p));
    for (size_t i = 0; i < in.n; i += 3) {
        size_t left = in.n - i;
        unsigned v = (unsigned)in.p[i] << 16 | (left > 1 ? (unsigned)in.p[i + 1] << 8 : 0) |
                     (left > 2 ? (unsigned)in.p[i + 2] : 0);
        *p++ = base64_digit(v >> 18);
        *p++ = base64_digit(v >> 12 & 63);
        *p++ = left > 1 ? base64_digit(v >> 6 & 63) : '=';
        *p++ = left > 2 ? base64_digit(v & 63) : '=';
    }
    buf_commit(out, n);
    return 0;
}

static unsigned unbase64_digit(unsigned c, unsigned *bad)
{
    unsigned upper = within(c, 'A', 'Z'), lower = within(c, 'a', 'z'), digit = within(c, '0', '9');
    unsigned plus = within(c, '+', '+'), slash = within(c, '/', '/');
    *bad |= (upper | lower | digit | plus | slash) ^ 0xffu;
    return ((c - (unsigned)'A') & upper) | ((c - 'a' + 26u) & lower) | ((c - '0' + 52u) & digit) | (62u & plus) |
           (63u & slash);
}

/* Reads one group of four, of which `digits` are digits and the rest padding. */
static void take_group(const uint8_t *in, size_t digits, uint8_t ret[static 3], unsigned *bad)
{
    unsigned v = 0;
    for (size_t k = 0; k < 4; k++)
        v = v << 6 | (k < digits ? unbase64_digit(in[k], bad) & 63u : 0);
    ret[0] = (uint8_t)(v >> 16);
    ret[1] = (uint8_t)(v >> 8 & 255);
    ret[2] = (uint8_t)(v & 255);
}

int code_unbase64(struct buf *out, struct bytes in)
{
    uint8_t *p, last[3];
    unsigned bad = 0;
    if (in.n == 0)
        return 0;
    if (in.n % 4 != 0)
        return CODE_BAD;
    size_t pad = in.p[in.n - 1] != '=' ? 0 : in.p[in.n - 2] != '=' ? 1 : 2;
    size_t whole = in.n / 4 - 1;
    TRY(buf_reserve(out, whole * 3 + 3 - pad, &p));
    for (size_t i = 0; i < whole; i++)
        take_group(in.p + 4 * i, 4, p + 3 * i, &bad);
    take_group(in.p + 4 * whole, 4 - pad, last, &bad);
    memcpy(p + 3 * whole, last, 3 - pad);
    for (size_t i = 3 - pad; i < 3; i++)
        bad |= last[i]; /* bits below the padding must be zero: one text for one value */
    explicit_bzero(last, sizeof last);
    if (bad != 0) {
        explicit_bzero(p, whole * 3 + 3 - pad);
        return CODE_BAD;
    }
    buf_commit(out, whole * 3 + 3 - pad);
    return 0;
}
