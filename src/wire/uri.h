/*
 * uri - request targets in origin-form: path and query, percent-decoding without repair.
 * Source: RFC 3986 sections 2.1, 3.3, 3.4; RFC 9112 section 3.2.1.
 */
#ifndef WIRE_URI_H
#define WIRE_URI_H

#include "base/buf.h"

enum { URI_ARGS_MAX_COUNT = 16 };

struct uri_arg {
    struct bytes name, value; /* raw, not decoded; value empty when there is no '=' */
    bool has_value;
};

struct uri {
    struct bytes path; /* raw; starts with '/' */
    size_t args_count;
    struct uri_arg args[URI_ARGS_MAX_COUNT]; /* of "?a=1&b" */
};

/*
 * uri_split - split a target; views into it. Returns 0, URI_BAD (no leading '/', a '#', a byte outside RFC 3986's path
 * and query characters, an empty query item, the same name twice, or too many items).
 */
enum { URI_BAD = 1 };
int uri_split(struct bytes target, struct uri *ret_uri) MUST_USE;

/*
 * uri_decode - append `raw` with %HH decoded. '+' is a plus. Returns 0, URI_BAD (cut or malformed %, %00, or an
 * encoded '/': two spellings of one path must not differ in structure), or a fault of buf_reserve().
 */
int uri_decode(struct buf *out, struct bytes raw) MUST_USE;

/* uri_decode_arg - the same for the value of a query argument, where an encoded '/' is data and accepted. */
int uri_decode_arg(struct buf *out, struct bytes raw) MUST_USE;

/* uri_encode - append `plain` with every byte outside [A-Za-z0-9._~@:+/-] as %HH. Results as buf_reserve(). */
int uri_encode(struct buf *out, struct bytes plain) MUST_USE;

#endif
