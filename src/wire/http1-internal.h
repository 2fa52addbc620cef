/* http1-internal - the classes of bytes that the reader and the writer share. Source: RFC 9110 section 5.6.2, 5.5. */
#ifndef WIRE_HTTP1_INTERNAL_H
#define WIRE_HTTP1_INTERNAL_H

#include "base/bytes.h"

enum http1_class {
    HTTP1_IS_TOKEN = 1u << 0,  /* tchar */
    HTTP1_IS_TARGET = 1u << 1, /* visible ASCII but '#' */
    HTTP1_IS_FIELD = 1u << 2,  /* field-vchar, blank: what may stand in a field value */
    HTTP1_IS_HOST = 1u << 3,   /* uri-host and port, as bytes */
};

extern const uint8_t http1_class[256];

static inline bool http1_is(uint8_t c, enum http1_class what)
{
    return (http1_class[c] & what) != 0;
}

/* http1_is_all - true if every byte of `b` is of the class. */
static inline bool http1_is_all(struct bytes b, enum http1_class what)
{
    for (size_t i = 0; i < b.n; i++) {
        if (!http1_is(b.p[i], what))
            return false;
    }
    return true;
}

#endif
