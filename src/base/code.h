/*
 * code - hex and base64 (RFC 4648 section 4, with padding), in constant time for a given length: the bytes may be keys.
 */
#ifndef BASE_CODE_H
#define BASE_CODE_H

#include "base/buf.h"

/* code_hex - append the lower-case hex of `in` to `out`. Results as buf_reserve(). */
int code_hex(struct buf *out, struct bytes in) MUST_USE;

/* code_hex_text - write 2 * in.n hex digits and a NUL; `ret_text` has room for 2 * in.n + 1. */
void code_hex_text(struct bytes in, char *ret_text);

/* code_unhex - read exactly `n` bytes from 2 * n hex digits of either case. Returns true, or false; ret is then
 * undefined. */
bool code_unhex(struct bytes in, uint8_t *ret, size_t n) MUST_USE;

/* code_number_text - a number as 16 hex digits, the highest first. */
enum { CODE_NUMBER_BYTES = 17 };
void code_number_text(uint64_t number, char ret_text[static CODE_NUMBER_BYTES]);

/* code_base64 - append the padded base64 of `in` to `out`. Results as buf_reserve(). */
int code_base64(struct buf *out, struct bytes in) MUST_USE;

/*
 * code_unbase64 - append the bytes that padded base64 text stands for.
 * Returns 0, CODE_BAD (not canonical base64; `out` unchanged), or a fault of buf_reserve().
 */
enum { CODE_BAD = 1 };
int code_unbase64(struct buf *out, struct bytes in) MUST_USE;

#endif
