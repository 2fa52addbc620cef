/*
 * json - JSON texts from outside, through Jansson with its strictest flags, set here and nowhere else.
 *
 * Refused: duplicate keys, \u0000, bad UTF-8, trailing bytes, more than JSON_DEPTH_MAX_COUNT levels, more than
 * JSON_VALUES_MAX_COUNT values, numbers out of range. Source: RFC 8259; Jansson 2.14 manual.
 */
#ifndef WIRE_JSON_H
#define WIRE_JSON_H

#include "base/buf.h"

enum { JSON_DEPTH_MAX_COUNT = 32, JSON_VALUES_MAX_COUNT = 100000, JSON_TEXT_MAX_BYTES = 2 << 20 };

struct json; /* one value of a parsed text */

enum json_kind {
    JSON_KIND_NULL,
    JSON_KIND_BOOL,
    JSON_KIND_INT,
    JSON_KIND_REAL,
    JSON_KIND_TEXT,
    JSON_KIND_LIST,
    JSON_KIND_MAP
};

/* json_start - route Jansson's memory through a free that wipes; daemons call it once, libraries never. */
void json_start(void);

/*
 * json_parse - read a whole text; any kind of value may stand at the top.
 * ret_json  free with json_free()
 * why       on JSON_BAD: what was wrong and where, without any of the text; `why_bytes` > 0 room for it
 * Returns 0, JSON_BAD, or -ENOMEM.
 */
enum { JSON_BAD = 1 };
int json_parse(struct bytes text, struct json **ret_json, char *why, size_t why_bytes) MUST_USE;

/* What json_parse() is held to; json_parse_within() takes the caller's own. */
struct json_limits {
    size_t depth_count, values_count, text_bytes;
};

/* json_parse_within - json_parse() with other limits, for texts that no peer sends; a deep text recurses as deep. */
int json_parse_within(struct bytes text, const struct json_limits *limits, struct json **ret_json, char *why,
                      size_t why_bytes) MUST_USE;

/* json_check - the same without keeping the value. */
int json_check(struct bytes text, char *why, size_t why_bytes) MUST_USE;

/* json_free - NULL is allowed; returns NULL. Only for the value json_parse() gave. */
struct json *json_free(struct json *j);

/* Access; the results are borrowed from the parsed text. A wrong kind gives NULL, 0, false or the empty view. */
enum json_kind json_kind(const struct json *j);
size_t json_count(const struct json *j);                              /* elements of a list or map, else 0 */
const struct json *json_at(const struct json *list, size_t i);        /* NULL past the end */
const struct json *json_get(const struct json *map, const char *key); /* NULL if absent */
struct bytes json_text(const struct json *j);
int64_t json_int(const struct json *j);
double json_float(const struct json *j); /* not json_real(): Jansson exports that name */
bool json_bool(const struct json *j);

/* json_each - call `on_pair` for each pair of a map, in the order of the text; a non-zero return ends it and is
 * returned. */
int json_each(const struct json *map, int (*on_pair)(struct bytes key, const struct json *value, void *arg), void *arg);

/* json_print - append the compact text of a value: keys in the order of the text, numbers as short as they can be
 * without being others. Results as buf_reserve(). */
int json_print(struct buf *out, const struct json *j) MUST_USE;

#endif
