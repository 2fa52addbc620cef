/* buf - see buf.h. */
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUF_FIRST_BYTES = 256, BUF_PRINT_MAX_BYTES = 1024 };

void buf_init(struct buf *b, size_t max_bytes)
{
    assert(max_bytes > 0);
    *b = (struct buf){.max = max_bytes};
}

void buf_init_wiping(struct buf *b, size_t max_bytes)
{
    buf_init(b, max_bytes);
    b->wipes = true;
}

static void check(const struct buf *b)
{
    assert(b->start <= b->end && b->end <= b->cap && b->cap <= b->max);
}

static void wipe(const struct buf *b, size_t from, size_t n)
{
    if (b->wipes && n > 0)
        explicit_bzero(b->p + from, n);
}

void buf_fini(struct buf *b)
{
    if (b == NULL)
        return;
    wipe(b, 0, b->end);
    free(b->p);
    *b = (struct buf){.max = b->max, .wipes = b->wipes};
}

/* What is large moves by pages, if at all, and what held nothing secret may leave a copy behind. */
static int resize(struct buf *b, size_t cap)
{
    size_t n = buf_size(b);
    if (b->start > 0)
        memmove(b->p, b->p + b->start, n);
    b->start = 0;
    b->end = n;
    uint8_t *p = realloc(b->p, cap);
    if (p == NULL)
        return RAISE(-ENOMEM);
    b->p = p;
    b->cap = cap;
    return 0;
}

/* Moves the content to the front of memory that holds `cap` bytes. */
static int regrow(struct buf *b, size_t cap)
{
    size_t n = buf_size(b);
    if (!b->wipes)
        return resize(b, cap);
    uint8_t *p = malloc(cap);
    if (p == NULL)
        return RAISE(-ENOMEM);
    if (n > 0)
        memcpy(p, b->p + b->start, n);
    wipe(b, 0, b->end);
    free(b->p);
    b->p = p;
    b->cap = cap;
    b->start = 0;
    b->end = n;
    return 0;
}

int buf_grow(struct buf *b, size_t n, uint8_t **ret_p)
{
    size_t held = buf_size(b);
    check(b);
    if (n > b->max - held)
        return RAISE(FAULT_LIMIT);
    if (b->p == NULL || b->cap - b->end < n) {
        if (b->start > 0 && b->start >= held && b->cap - held >= n) {
            memcpy(b->p, b->p + b->start, held);
            wipe(b, held, b->end - held);
            b->start = 0;
            b->end = held;
        } else {
            size_t cap = MAX_OF(b->cap, (size_t)BUF_FIRST_BYTES);
            while (cap < held + n)
                cap = cap > b->max / 2 ? b->max : cap * 2;
            TRY(regrow(b, MIN_OF(cap, b->max)));
        }
    }
    *ret_p = b->p + b->end;
    return 0;
}

int buf_append(struct buf *b, struct bytes from)
{
    uint8_t *p;
    if (from.n == 0)
        return 0;
    TRY(buf_reserve(b, from.n, &p));
    memcpy(p, from.p, from.n);
    b->end += from.n;
    return 0;
}

int buf_append_text(struct buf *b, const char *text)
{
    return buf_append(b, bytes_of_text(text));
}

static int append_number(struct buf *b, uint64_t number, bool is_negative)
{
    uint8_t digits[21];
    size_t at = sizeof digits;
    do {
        digits[--at] = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    if (is_negative)
        digits[--at] = '-';
    return buf_append(b, bytes_of(digits + at, sizeof digits - at));
}

int buf_append_u64(struct buf *b, uint64_t number)
{
    return append_number(b, number, false);
}

int buf_append_i64(struct buf *b, int64_t number)
{
    return append_number(b, number < 0 ? 0 - (uint64_t)number : (uint64_t)number, number < 0);
}

int buf_print(struct buf *b, const char *format, ...)
{
    char text[BUF_PRINT_MAX_BYTES];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof text)
        return RAISE(FAULT_LIMIT);
    return buf_append(b, bytes_of(text, (size_t)n));
}

void buf_consume(struct buf *b, size_t n)
{
    assert(n <= buf_size(b));
    wipe(b, b->start, n);
    b->start += n;
    if (b->start == b->end)
        b->start = b->end = 0;
}

void buf_truncate(struct buf *b, size_t n)
{
    size_t held = buf_size(b);
    assert(n <= held);
    wipe(b, b->start + n, held - n);
    b->end = b->start + n;
}

void buf_clear(struct buf *b)
{
    buf_consume(b, buf_size(b));
}

void buf_shrink(struct buf *b, size_t keep_bytes)
{
    if (buf_size(b) == 0 && b->cap > keep_bytes)
        buf_fini(b);
}

int buf_take(struct buf *b, uint8_t **ret_p, size_t *ret_n)
{
    size_t n = buf_size(b);
    uint8_t *p = malloc(n > 0 ? n : 1);
    if (p == NULL)
        return RAISE(-ENOMEM);
    if (n > 0)
        memcpy(p, b->p + b->start, n);
    buf_clear(b);
    *ret_p = p;
    *ret_n = n;
    return 0;
}
