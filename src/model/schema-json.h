/*
 * schema-json - schemas as people write and read them: a JSON map with the members of SCHEMA_FIELD_LIST.
 *
 * Reading is for the role that parses what clients send; what it makes is canonical and was validated, and whoever
 * decides validates it again. Writing gives a wire/doc map, which needs no JSON.
 * Invariant: what schema_put_doc() wrote, rendered and read again, is the same schema.
 */
#ifndef MODEL_SCHEMA_JSON_H
#define MODEL_SCHEMA_JSON_H

#include "model/schema.h"

enum { SCHEMA_JSON_MAX_BYTES = 32 * 1024 }; /* enough for every schema, escapes and blanks included */

/*
 * schema_json_read - read a JSON map and append the canonical form of the schema it says.
 * json  the text; an unknown member, a member of the wrong kind and whatever schema_validate() refuses is an error
 * why   on SCHEMA_JSON_BAD: what is wrong, in words, without any of the text; `why_bytes` > 0, SCHEMA_WHY_BYTES is
 * enough Returns 0, SCHEMA_JSON_BAD, or a fault of buf_reserve() or json_parse(); `out` is unchanged unless 0 is
 * returned.
 */
enum { SCHEMA_JSON_BAD = 1 };
int schema_json_read(struct buf *out, struct bytes json, char *why, size_t why_bytes) MUST_USE;

/* schema_put_doc - append a schema as a wire/doc map, one pair for each field that is there. Results as buf_reserve().
 */
int schema_put_doc(struct buf *out, const struct schema *s) MUST_USE;

#endif
