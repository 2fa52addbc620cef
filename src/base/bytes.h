/*
 * bytes - a borrowed run of bytes, passed by value and never freed.
 *
 * Invariant: n == 0, or p points at n readable bytes that stay valid and unchanged as long as the view is used.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include "base/macro.h"

struct bytes {
    const uint8_t *p;
    size_t n;
};

#define BYTES_NONE ((struct bytes){NULL, 0})
#define BYTES_LITERAL(text) ((struct bytes){(const uint8_t *)("" text), sizeof(text) - 1})
#define BYTES_OF(array) ((struct bytes){(const uint8_t *)(array), sizeof(array)})

/* "%.*s" with BYTES_PRINT(b) prints a view of printable text. */
#define BYTES_PRINT(b) (int)(b).n, (const char *)(b).p

/* bytes_of - view of `n` bytes at `p`; O(1). */
static inline struct bytes bytes_of(const void *p, size_t n)
{
    assert(p != NULL || n == 0);
    return (struct bytes){p, n};
}

/* bytes_of_text - view of a C string without its NUL; O(length). NULL gives the empty view. */
struct bytes bytes_of_text(const char *text);

/* bytes_equal - true if both hold the same bytes. Not constant time: never for secrets (crypt has that). */
bool bytes_equal(struct bytes a, struct bytes b);

/* bytes_equal_nocase - the same, with ASCII letters compared without case. */
bool bytes_equal_nocase(struct bytes a, struct bytes b);

/* bytes_compare - order as memcmp; a proper prefix comes first. Returns <0, 0 or >0. */
int bytes_compare(struct bytes a, struct bytes b);

/* bytes_starts - true if `b` begins with `prefix`. */
bool bytes_starts(struct bytes b, struct bytes prefix);

/* bytes_from - the part of `b` from offset `at` on; empty if `at` is past the end. */
static inline struct bytes bytes_from(struct bytes b, size_t at)
{
    return at >= b.n ? BYTES_NONE : (struct bytes){b.p + at, b.n - at};
}

/* bytes_head - the first `n` bytes of `b`, or all if it is shorter. */
static inline struct bytes bytes_head(struct bytes b, size_t n)
{
    return (struct bytes){b.p, MIN_OF(b.n, n)};
}

/* bytes_find - offset of the first byte equal to `c`, or b.n if there is none. */
size_t bytes_find(struct bytes b, uint8_t c);

/* bytes_put_u32, bytes_put_u64 - store a number big-endian at `p`; return the place behind it. bytes_get_u32,
 * bytes_get_u64 - read one. */
static inline uint8_t *bytes_put_u32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
    return p + 4;
}

static inline uint8_t *bytes_put_u64(uint8_t *p, uint64_t v)
{
    return bytes_put_u32(bytes_put_u32(p, (uint32_t)(v >> 32)), (uint32_t)v);
}

static inline uint32_t bytes_get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t bytes_get_u64(const uint8_t *p)
{
    return (uint64_t)bytes_get_u32(p) << 32 | bytes_get_u32(p + 4);
}

#endif
