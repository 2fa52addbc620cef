/*
 * text - UTF-8 that comes from outside: checked once, shown only escaped.
 * Source: RFC 3629; Unicode UAX #15 (normal forms), UAX #9 (bidi controls).
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/buf.h"

/*
 * text_utf8_next - read one code point from the front of a view.
 * ret_used  bytes it takes, 1 to 4
 * Returns the code point, or UINT32_MAX for malformed input (overlong, surrogate, above U+10FFFF, cut) or an empty
 * view.
 */
uint32_t text_utf8_next(struct bytes in, size_t *ret_used);

/* text_is_utf8 - true if the whole run is well-formed UTF-8. NUL counts as well-formed. O(n). */
bool text_is_utf8(struct bytes in);

/* text_is_printable - well-formed UTF-8 without control, bidi, zero-width or line-separator code points. O(n). */
bool text_is_printable(struct bytes in);

/* text_is_letter - true for a code point >= 0x80 that is a letter and stable under NFC and NFKC. O(log n). */
bool text_is_letter(uint32_t cp);

/*
 * text_escape - append `in` so that it is safe on a terminal and in one log line: what is not printable becomes \xHH,
 * and a backslash becomes \\.
 * Results as buf_reserve().
 */
int text_escape(struct buf *out, struct bytes in) MUST_USE;

/* text_copy - copy a view to a C string of `size` bytes; false (and an empty string) if it does not fit or holds a NUL.
 */
bool text_copy(char *ret, size_t size, struct bytes in) MUST_USE;

#endif
