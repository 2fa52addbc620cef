/*
 * schema - what is demanded of the entries at or below a path, in one canonical binary form.
 *
 * A schema demands (type, range, size, allowed values, pattern, secrecy), proposes (default) and says (rotation,
 * required, description, owner). It is data: who keeps it, where, and when it is asked is not decided here. A value has
 * to pass the schema of its own path and of each folder above; doc/spec/schema.md.
 *
 * Layout (big-endian), version 1: "SC" u8 version=1, u16 the bits of the fields that are there, then these in the order
 * of SCHEMA_FIELD_LIST. Nothing follows the last. Decoding refuses anything else, and re-encoding what was decoded
 * gives the same bytes. Invariant: whatever schema_validate() let pass is encoded in at most SCHEMA_FORM_MAX_BYTES.
 */
#ifndef MODEL_SCHEMA_H
#define MODEL_SCHEMA_H

#include "base/buf.h"

enum {
    SCHEMA_VERSION = 1,
    SCHEMA_FORM_MAX_BYTES = 4096, /* encoded */
    SCHEMA_ENUM_MAX_COUNT = 64,
    SCHEMA_ENUM_TEXT_MAX_BYTES = 255, /* each */
    SCHEMA_PATTERN_MAX_BYTES = 1024,
    SCHEMA_DEFAULT_MAX_BYTES = 1024,
    SCHEMA_DESCRIPTION_MAX_BYTES = 1024,
    SCHEMA_OWNER_MAX_BYTES = 255,
    SCHEMA_ROTATE_MIN_S = 3600,
    SCHEMA_ROTATE_MAX_S = 10 * 365 * 24 * 3600,
    SCHEMA_WHY_BYTES = 160, /* room for the words of any flaw */
};

// clang-format off
/*
 * name, bit, kind, field of struct schema, longest text in bytes (0: no text), member in JSON.
 * Bits are stored: add at the end, never renumber.
 * u8, u32: a number so wide; number: 8 bytes, two's complement or, under the type float, the bits of a binary64;
 * texts: u8 count and so many texts; text: u16 length and UTF-8 bytes; flag: no bytes, the bit says it.
 */
#define SCHEMA_FIELD_LIST(X)                                                                                           \
    X(TYPE,         0, u8,     type,           0,                            "type")                                   \
    X(MIN,          1, number, min,            0,                            "min")                                    \
    X(MAX,          2, number, max,            0,                            "max")                                    \
    X(MIN_BYTES,    3, u32,    min_bytes,      0,                            "min_bytes")                              \
    X(MAX_BYTES,    4, u32,    max_bytes,      0,                            "max_bytes")                              \
    X(ENUM,         5, texts,  allowed,        SCHEMA_ENUM_TEXT_MAX_BYTES,   "enum")                                   \
    X(PATTERN,      6, text,   pattern,        SCHEMA_PATTERN_MAX_BYTES,     "pattern")                                \
    X(DEFAULT,      7, text,   proposed,       SCHEMA_DEFAULT_MAX_BYTES,     "default")                                \
    X(SECRECY,      8, u8,     secrecy,        0,                            "secrecy")                                \
    X(ROTATE,       9, u32,    rotate_every_s, 0,                            "rotate_every_s")                         \
    X(REQUIRED,    10, flag,   is_required,    0,                            "required")                               \
    X(DESCRIPTION, 11, text,   description,    SCHEMA_DESCRIPTION_MAX_BYTES, "description")                            \
    X(OWNER,       12, text,   owner,          SCHEMA_OWNER_MAX_BYTES,       "owner")
// clang-format on

enum schema_field {
#define SCHEMA_ENUM_(name, bit, kind, field, longest, member) SCHEMA_HAS_##name = 1u << bit,
    SCHEMA_FIELD_LIST(SCHEMA_ENUM_)
#undef SCHEMA_ENUM_
};

enum { SCHEMA_FIELDS_COUNT = 13 };

/* Sealed names: a value is sealed, and what follows the path of the schema in its own path is stored sealed too. */
enum schema_secrecy { SCHEMA_SEALED = 1, SCHEMA_CLEAR = 2, SCHEMA_SEALED_NAMES = 3 };

/* A bound: `real` under the type float, else `whole`. */
struct schema_number {
    int64_t whole;
    double real;
};

struct schema_texts {
    struct bytes texts[SCHEMA_ENUM_MAX_COUNT];
    size_t count;
};

/* A field holds something if its bit is in `has`; is_required follows its bit. All texts are borrowed. */
struct schema {
    unsigned has;                    /* SCHEMA_HAS_* bits */
    unsigned type;                   /* enum value_type */
    struct schema_number min, max;   /* of integer and float; both are allowed themselves */
    uint32_t min_bytes, max_bytes;   /* of string, binary, json and list */
    struct schema_texts allowed;     /* of string, integer, float and boolean */
    struct bytes pattern;            /* wire/pattern.h; of string */
    struct bytes proposed;           /* the text of a value */
    unsigned secrecy;                /* enum schema_secrecy */
    uint32_t rotate_every_s;         /* a value is to be replaced when it is so old */
    bool is_required;                /* an entry should be there; only ever reported */
    struct bytes description, owner; /* printable */
};

/* schema_encode - append the canonical form of what schema_validate() let pass. Results as buf_reserve(). */
int schema_encode(struct buf *out, const struct schema *s) MUST_USE;

/*
 * schema_decode - read one whole schema; texts are views into `in`.
 * Returns true, or false for anything not canonical. The form alone is checked: what comes from outside has to pass
 * schema_validate() as well, what was stored with a MAC has done so before. O(bytes).
 */
bool schema_decode(struct bytes in, struct schema *ret_schema) MUST_USE;

/* What is wrong with a schema. */
struct schema_flaw {
    const char *member; /* as in JSON; "" for the whole */
    const char *why;    /* static */
    bool has_at;
    size_t at; /* byte of the pattern */
};

/*
 * schema_validate - true if the schema contradicts neither itself nor the types.
 * ret_flaw  if false: the first thing that is wrong
 * The inside of a default of the types json and list is not read (value_check_json() does, where JSON may be parsed).
 * Pure; usually microseconds, at most about 20 ms (a pattern made to be slow, and values for it).
 */
bool schema_validate(const struct schema *s, struct schema_flaw *ret_flaw) MUST_USE;

/* schema_flaw_text - the flaw in words, with the member it is in; always ends in NUL. `size` > 0. */
void schema_flaw_text(const struct schema_flaw *flaw, char *ret_text, size_t size);

/*
 * schema_check - true if an entry with this type, seal and plain value fulfils every demand.
 * type     enum value_type; `value` has passed value_check() for it
 * ret_why  if false: the demand that is not met, static, without any of the value; else NULL
 * Pure. Microseconds; with a pattern as pattern_compile() and pattern_match().
 */
bool schema_check(const struct schema *s, unsigned type, bool is_sealed, struct bytes value,
                  const char **ret_why) MUST_USE;

/* schema_is_overdue - true if a value of that age is to be replaced. Wall clock times in microseconds. */
bool schema_is_overdue(const struct schema *s, int64_t changed_us, int64_t now_us);

/* schema_secrecy_text - "sealed", "clear" or "sealed-names", or NULL. */
const char *schema_secrecy_text(unsigned secrecy);

#endif
