/*
 * buf - a growing byte queue that owns its memory and has a hard maximum from birth.
 *
 * Bytes are appended at the end and consumed from the front. Invariant: start <= end <= cap <= max.
 * A wiping buffer zeroes what is consumed, moved or freed: use it wherever a value may pass.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/bytes.h"
#include "base/fault.h"

struct buf {
    uint8_t *p;
    size_t start, end, cap, max;
    bool wipes;
};

/* buf_init - an empty buffer that will hold at most `max_bytes`; allocates nothing. */
void buf_init(struct buf *b, size_t max_bytes);

/* buf_init_wiping - the same, and every byte it gives up is zeroed first. */
void buf_init_wiping(struct buf *b, size_t max_bytes);

/* buf_fini - free the memory; the buffer is then empty and may be used again with the same maximum. NULL is allowed. */
void buf_fini(struct buf *b);

/* buf_size - bytes held. */
static inline size_t buf_size(const struct buf *b)
{
    return b->end - b->start;
}

/* buf_view - the bytes held; valid until the next call that changes the buffer. */
static inline struct bytes buf_view(const struct buf *b)
{
    /* Not b->p + b->start: before the first append that would be arithmetic on NULL, which is undefined. */
    return (struct bytes){(const uint8_t *)((uintptr_t)b->p + b->start), b->end - b->start};
}

/* buf_grow - the slow half of buf_reserve(), which is what to call. */
int buf_grow(struct buf *b, size_t n, uint8_t **ret_p) MUST_USE;

/*
 * buf_reserve - make room for `n` more bytes.
 * ret_p  where to write them; then call buf_commit()
 * Returns 0, FAULT_LIMIT if the maximum would be passed, or -ENOMEM; the content is unchanged in each case.
 * Amortised O(1) for each byte.
 */
static inline MUST_USE int buf_reserve(struct buf *b, size_t n, uint8_t **ret_p)
{
    if (b->p == NULL || b->cap - b->end < n)
        return buf_grow(b, n, ret_p);
    *ret_p = b->p + b->end; /* cap <= max: what fits the memory fits the maximum */
    return 0;
}

/* buf_commit - `n` bytes were written at the place that buf_reserve() named; n <= what was reserved. */
static inline void buf_commit(struct buf *b, size_t n)
{
    assert(n <= b->cap - b->end);
    b->end += n;
}

/* buf_append - copy bytes to the end. Results as buf_reserve(). `from` must not lie in the buffer. */
int buf_append(struct buf *b, struct bytes from) MUST_USE;

/* buf_append_text - copy a C string without its NUL. Results as buf_reserve(). */
int buf_append_text(struct buf *b, const char *text) MUST_USE;

/* buf_append_u64 - append a number in decimal. Results as buf_reserve(). */
int buf_append_u64(struct buf *b, uint64_t number) MUST_USE;

/* buf_append_i64 - append a signed number in decimal. Results as buf_reserve(). */
int buf_append_i64(struct buf *b, int64_t number) MUST_USE;

/* buf_print - append formatted text (at most 1 KiB). Results as buf_reserve(); FAULT_LIMIT if the text is longer. */
int buf_print(struct buf *b, const char *format, ...) MUST_USE PRINTF_LIKE(2, 3);

/* buf_consume - drop `n` bytes from the front; n <= buf_size(). */
void buf_consume(struct buf *b, size_t n);

/* buf_truncate - drop bytes from the end until `n` are left; n <= buf_size(). */
void buf_truncate(struct buf *b, size_t n);

/* buf_clear - drop all bytes; keeps the memory. */
void buf_clear(struct buf *b);

/* buf_shrink - give memory back if the buffer is empty and holds more than `keep_bytes` of it. */
void buf_shrink(struct buf *b, size_t keep_bytes);

/* buf_take - move the content into memory of its own, exactly as long; the buffer is then empty. Results: 0 or -ENOMEM.
 */
int buf_take(struct buf *b, uint8_t **ret_p, size_t *ret_n) MUST_USE;

#endif
