/*
 * num - numbers from hostile text, and arithmetic that cannot wrap. Never strtol: it skips blanks, takes signs and
 * other bases, and depends on errno.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include "base/bytes.h"

/*
 * num_parse_u64 - read a whole run as one decimal number, digits only, without leading zeros.
 * max   largest number accepted
 * Returns true and sets ret_number, or false if the run is empty, not canonical or above max.
 */
bool num_parse_u64(struct bytes text, uint64_t max, uint64_t *ret_number) MUST_USE;

/* num_parse_i64 - the same with an optional minus; "-0" is refused; the whole int64 range is accepted. */
bool num_parse_i64(struct bytes text, int64_t *ret_number) MUST_USE;

/*
 * num_parse_f64 - read a whole run as a finite decimal number in JSON's grammar (RFC 8259 section 6).
 * Returns true and sets ret_number, or false. Independent of the locale. At most 64 bytes.
 */
bool num_parse_f64(struct bytes text, double *ret_number) MUST_USE;

#endif
