/*
 * value - the types of entries and what their bytes may be. A value travels and is stored as one canonical text (or as
 * raw bytes, for binary): integer "42", boolean "true", float as JSON writes it, json any JSON text, list a JSON list
 * of strings. Nothing is converted; a value that does not fit is refused.
 */
#ifndef MODEL_VALUE_H
#define MODEL_VALUE_H

#include "base/bytes.h"

enum { VALUE_MAX_BYTES = 1 << 20 };

// clang-format off
/* name, stored number (never renumber), text, media type */
#define VALUE_TYPE_LIST(X)                                                                                             \
    X(STRING,  1, "string",  "text/plain; charset=utf-8")                                                              \
    X(INTEGER, 2, "integer", "text/plain; charset=utf-8")                                                              \
    X(BOOLEAN, 3, "boolean", "text/plain; charset=utf-8")                                                              \
    X(FLOAT,   4, "float",   "text/plain; charset=utf-8")                                                              \
    X(JSON,    5, "json",    "application/json")                                                                       \
    X(BINARY,  6, "binary",  "application/octet-stream")                                                               \
    X(LIST,    7, "list",    "application/json")
// clang-format on

enum value_type {
#define VALUE_ENUM_(name, number, text, media) VALUE_##name = number,
    VALUE_TYPE_LIST(VALUE_ENUM_)
#undef VALUE_ENUM_
};

/* value_type_text, value_type_media - columns of the row, or NULL for an unknown number. */
const char *value_type_text(unsigned type);
const char *value_type_media(unsigned type);

/* value_type_of - number of a type name, or 0. */
unsigned value_type_of(struct bytes text);

/*
 * value_check - true if `value` fits `type`; all types but the inside of json and list, which value_check_json() reads.
 * ret_why  if false: what is wrong; static
 */
bool value_check(unsigned type, struct bytes value, const char **ret_why) MUST_USE;

/*
 * value_check_json - for json and list: true if the text is one JSON value (a list: of strings only).
 * why, why_bytes  room for what is wrong; true at once for other types
 */
bool value_check_json(unsigned type, struct bytes value, char *why, size_t why_bytes) MUST_USE;

/*
 * value_fits_json - which of the types json and list a text of unknown type fits; what it is not decided by its first
 * and last byte costs a parse.
 */
struct value_fits {
    bool json, list;
};
struct value_fits value_fits_json(struct bytes value);

#endif
