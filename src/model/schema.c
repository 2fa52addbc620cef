/*
 * schema - checking values, and schemas themselves; see schema.h. Both are tables that are gone through in order: each
 * row asks one thing, and the first that is not so is the answer.
 */
#include "model/schema.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/text.h"
#include "model/value.h"
#include "wire/pattern.h"

static_assert((int)SCHEMA_PATTERN_MAX_BYTES == (int)PATTERN_MAX_BYTES, "what may be a pattern may be stored");
static_assert(PATTERN_VALUE_MAX_BYTES == 2048 && SCHEMA_FORM_MAX_BYTES == 4096 && SCHEMA_DEFAULT_MAX_BYTES == 1024,
              "the words below say so");

/* Sets of types. */
enum {
    TYPE_STRING = 1u << VALUE_STRING,
    TYPE_NUMBERS = 1u << VALUE_INTEGER | 1u << VALUE_FLOAT,
    TYPE_SIZED = 1u << VALUE_STRING | 1u << VALUE_BINARY | 1u << VALUE_JSON | 1u << VALUE_LIST,
    TYPE_LISTED = 1u << VALUE_STRING | 1u << VALUE_INTEGER | 1u << VALUE_FLOAT | 1u << VALUE_BOOLEAN,
    TYPE_ALL_BUT_BINARY = TYPE_LISTED | 1u << VALUE_JSON | 1u << VALUE_LIST,
};

static bool has(const struct schema *s, unsigned field)
{
    return (s->has & field) != 0;
}

static bool is_one_of(unsigned type, unsigned types)
{
    return type < 32 && (1u << type & types) != 0;
}

const char *schema_secrecy_text(unsigned secrecy)
{
    static const char *const texts[] = {
        [SCHEMA_SEALED] = "sealed", [SCHEMA_CLEAR] = "clear", [SCHEMA_SEALED_NAMES] = "sealed-names"};
    return secrecy < COUNT_OF(texts) ? texts[secrecy] : NULL;
}

/* ---- values ---------------------------------------------------------------------------------------------- */

/* What a schema is asked about. */
struct subject {
    unsigned type;
    bool is_sealed;
    struct bytes value;
};

static const char *type_fault(const struct schema *s, const struct subject *u)
{
    static const char *const whys[] = {
#define WHY_(name, number, text, media) [number] = "the schema demands the type " text,
        VALUE_TYPE_LIST(WHY_)
#undef WHY_
    };
    if (s->type == u->type)
        return NULL;
    return s->type < COUNT_OF(whys) && whys[s->type] != NULL ? whys[s->type] : "the schema demands an unknown type";
}

static const char *secrecy_fault(const struct schema *s, const struct subject *u)
{
    if (u->is_sealed == (s->secrecy != SCHEMA_CLEAR))
        return NULL;
    return u->is_sealed ? "the schema demands that the value is kept in the clear"
                        : "the schema demands that the value is sealed";
}

/* <0, 0 or >0 as the value is below, at or above the bound. False if it is no number of its type. */
static bool compare(const struct subject *u, const struct schema_number *bound, int *ret_order)
{
    int64_t whole = 0;
    double real = 0;
    if (u->type == VALUE_INTEGER && num_parse_i64(u->value, &whole)) {
        *ret_order = (whole > bound->whole) - (whole < bound->whole);
        return true;
    }
    if (u->type == VALUE_FLOAT && num_parse_f64(u->value, &real)) {
        *ret_order = (real > bound->real) - (real < bound->real);
        return true;
    }
    return false;
}

static const char not_a_number[] = "the schema demands a number";

static const char *min_fault(const struct schema *s, const struct subject *u)
{
    int order;
    if (!compare(u, &s->min, &order))
        return not_a_number;
    return order < 0 ? "the value is less than the least that the schema allows (min)" : NULL;
}

static const char *max_fault(const struct schema *s, const struct subject *u)
{
    int order;
    if (!compare(u, &s->max, &order))
        return not_a_number;
    return order > 0 ? "the value is more than the most that the schema allows (max)" : NULL;
}

static const char *min_bytes_fault(const struct schema *s, const struct subject *u)
{
    bool is_short = is_one_of(u->type, TYPE_SIZED) && u->value.n < s->min_bytes;
    return is_short ? "the value is shorter than the schema allows (min_bytes)" : NULL;
}

static const char *max_bytes_fault(const struct schema *s, const struct subject *u)
{
    bool is_long = is_one_of(u->type, TYPE_SIZED) && u->value.n > s->max_bytes;
    return is_long ? "the value is longer than the schema allows (max_bytes)" : NULL;
}

/* The same value; floats have many texts, the others one. */
static bool is_same(unsigned type, struct bytes a, struct bytes b)
{
    double x, y;
    if (type == VALUE_FLOAT && num_parse_f64(a, &x) && num_parse_f64(b, &y))
        return !(x < y) && !(x > y);
    return bytes_equal(a, b);
}

static const char *enum_fault(const struct schema *s, const struct subject *u)
{
    for (size_t i = 0; i < s->allowed.count; i++) {
        if (is_same(u->type, u->value, s->allowed.texts[i]))
            return NULL;
    }
    return "the value is none of those that the schema allows (enum)";
}

static const char *pattern_fault(const struct schema *s, const struct subject *u)
{
    struct pattern p;
    const char *why;
    size_t at;
    if (u->value.n > PATTERN_VALUE_MAX_BYTES)
        return "the schema demands a pattern, and then a value is at most 2048 bytes long";
    if (!pattern_compile(s->pattern, &p, &why, &at))
        return "the schema demands a pattern that is not valid";
    return pattern_match(&p, u->value) ? NULL : "the value does not match the pattern that the schema demands";
}

/* In this order: what needs a type comes after it, and what costs most at the end. */
static const struct demand {
    unsigned field;
    const char *(*fault)(const struct schema *s, const struct subject *u);
} demands[] = {
    {SCHEMA_HAS_TYPE, type_fault}, {SCHEMA_HAS_SECRECY, secrecy_fault},     {SCHEMA_HAS_MIN, min_fault},
    {SCHEMA_HAS_MAX, max_fault},   {SCHEMA_HAS_MIN_BYTES, min_bytes_fault}, {SCHEMA_HAS_MAX_BYTES, max_bytes_fault},
    {SCHEMA_HAS_ENUM, enum_fault}, {SCHEMA_HAS_PATTERN, pattern_fault},
};

static const char *first_fault(const struct schema *s, const struct subject *u, unsigned fields)
{
    for (size_t i = 0; i < COUNT_OF(demands); i++) {
        const char *why = has(s, demands[i].field & fields) ? demands[i].fault(s, u) : NULL;
        if (why != NULL)
            return why;
    }
    return NULL;
}

bool schema_check(const struct schema *s, unsigned type, bool is_sealed, struct bytes value, const char **ret_why)
{
    const struct subject u = {.type = type, .is_sealed = is_sealed, .value = value};
    *ret_why = first_fault(s, &u, s->has);
    return *ret_why == NULL;
}

bool schema_is_overdue(const struct schema *s, int64_t changed_us, int64_t now_us)
{
    int64_t due_us;
    if (!has(s, SCHEMA_HAS_ROTATE) || __builtin_add_overflow(changed_us, s->rotate_every_s * US_PER_S, &due_us))
        return false;
    return now_us >= due_us;
}

/* ---- schemas --------------------------------------------------------------------------------------------- */

static const char *no_fault_unless(bool is_good, const char *why)
{
    return is_good ? NULL : why;
}

static const char *judge_type(const struct schema *s, struct schema_flaw *flaw UNUSED)
{
    return no_fault_unless(value_type_text(s->type) != NULL, "there is no such type");
}

static const char *judge_min(const struct schema *s, struct schema_flaw *flaw UNUSED)
{
    if (!is_one_of(s->type, TYPE_NUMBERS))
        return "it goes with the types integer and float, which the schema has to demand";
    if (s->type == VALUE_FLOAT && !isfinite(s->min.real))
        return "it is not finite";
    bool is_above = s->type == VALUE_FLOAT ? s->min.real > s->max.real : s->min.whole > s->max.whole;
    return no_fault_unless(!has(s, SCHEMA_HAS_MAX) || !is_above, "it is above max");
}

static const char *judge_max(const struct schema *s, struct schema_flaw *flaw UNUSED)
{
    if (!is_one_of(s->type, TYPE_NUMBERS))
        return "it goes with the types integer and float, which the schema has to demand";
    return no_fault_unless(s->type != VALUE_FLOAT || isfinite(s->max.real), "it is not finite");
}

static const char *judge_size(const struct schema *s, uint32_t bytes)
{
    if (has(s, SCHEMA_HAS_TYPE) && !is_one_of(s->type, TYPE_SIZED))
        return "it goes with the types string, binary, json and list";
    return no_fault_unless(bytes <= VALUE_MAX_BYTES, "a value is at most 1048576 bytes long");
}

static const char *judge_min_bytes(const struct schema *s, struct schema_flaw *flaw UNUSED)
{
    const char *why = judge_size(s, s->min_bytes);
    if (why == NULL && has(s, SCHEMA_HAS_MAX_BYTES) && s->min_bytes > s->max_bytes)
        why = "it is above max_bytes";
    if (why == NULL && has(s, SCHEMA_HAS_PATTERN) && s->min_bytes > PATTERN_VALUE_MAX_BYTES)
        why = "with a pattern a value is at most 2048 bytes long";
    return why;
}

static const char *judge_max_bytes(const struct schema *s, struct schema_flaw *flaw UNUSED)
{
    return judge_size(s, s->max_bytes);
}

/* A text that is to be a value: all that can be demanded of it but `without`. */
static const char *judge_value(const struct schema *s, struct bytes value, unsigned without)
{
    const struct subject u = {.type = s->type, .value = value};
    const char *why;
    if (!value_check(s->type, value, &why))
        return why;
    return first_fault(s, &u, s->has & ~without);
}

static const char *judge_enum(const struct schema *s, struct schema_flaw *flaw UNUSED)
{
    const struct schema_texts *a = &s->allowed;
    if (!is_one_of(s->type, TYPE_LISTED))
        return "it goes with the types string, integer, float and boolean, of which the schema has to demand one";
    if (a->count == 0 || a->count > SCHEMA_ENUM_MAX_COUNT)
        return "it lists 1 to 64 values";
    for (size_t i = 0; i < a->count; i++) {
        if (a->texts[i].n > SCHEMA_ENUM_TEXT_MAX_BYTES)
            return "a value of it is longer than 255 bytes";
        const char *why = judge_value(s, a->texts[i], SCHEMA_HAS_ENUM | SCHEMA_HAS_SECRECY);
        if (why != NULL)
            return why;
        for (size_t k = 0; k < i; k++) {
            if (is_same(s->type, a->texts[i], a->texts[k]))
                return "a value stands in it twice";
        }
    }
    return NULL;
}

static const char *judge_pattern(const struct schema *s, struct schema_flaw *flaw)
{
    struct pattern p;
    const char *why;
    if (!is_one_of(s->type, TYPE_STRING))
        return "it goes with the type string, which the schema has to demand";
    flaw->has_at = !pattern_compile(s->pattern, &p, &why, &flaw->at);
    return why;
}

static const char *judge_default(const struct schema *s, struct schema_flaw *flaw UNUSED)
{
    if (!is_one_of(s->type, TYPE_ALL_BUT_BINARY))
        return "it goes with every type but binary, and the schema has to demand one";
    if (has(s, SCHEMA_HAS_SECRECY) && s->secrecy != SCHEMA_CLEAR)
        return "a schema is kept in the clear: it cannot hold a value that has to be sealed";
    if (s->proposed.n > SCHEMA_DEFAULT_MAX_BYTES)
        return "it is longer than 1024 bytes";
    return judge_value(s, s->proposed, 0);
}

static const char *judge_secrecy(const struct schema *s, struct schema_flaw *flaw UNUSED)
{
    return no_fault_unless(schema_secrecy_text(s->secrecy) != NULL, "it is sealed, sealed-names, clear or any");
}

static const char *judge_rotate(const struct schema *s, struct schema_flaw *flaw UNUSED)
{
    return no_fault_unless(s->rotate_every_s >= SCHEMA_ROTATE_MIN_S && s->rotate_every_s <= SCHEMA_ROTATE_MAX_S,
                           "it is 3600 (an hour) to 315360000 (ten years) seconds");
}

static const char *judge_words(struct bytes words, size_t longest, const char *too_long)
{
    if (words.n > longest)
        return too_long;
    return no_fault_unless(words.n > 0 && text_is_printable(words), "it is printable text, and not empty");
}

static const char *judge_description(const struct schema *s, struct schema_flaw *flaw UNUSED)
{
    return judge_words(s->description, SCHEMA_DESCRIPTION_MAX_BYTES, "it is longer than 1024 bytes");
}

static const char *judge_owner(const struct schema *s, struct schema_flaw *flaw UNUSED)
{
    return judge_words(s->owner, SCHEMA_OWNER_MAX_BYTES, "it is longer than 255 bytes");
}

/* In this order: what a later row uses was found good before. */
static const struct judge {
    unsigned field;
    const char *member;
    const char *(*fault)(const struct schema *s, struct schema_flaw *flaw);
} judges[] = {
    {SCHEMA_HAS_TYPE, "type", judge_type},
    {SCHEMA_HAS_MIN, "min", judge_min},
    {SCHEMA_HAS_MAX, "max", judge_max},
    {SCHEMA_HAS_MIN_BYTES, "min_bytes", judge_min_bytes},
    {SCHEMA_HAS_MAX_BYTES, "max_bytes", judge_max_bytes},
    {SCHEMA_HAS_PATTERN, "pattern", judge_pattern},
    {SCHEMA_HAS_SECRECY, "secrecy", judge_secrecy},
    {SCHEMA_HAS_ENUM, "enum", judge_enum},
    {SCHEMA_HAS_DEFAULT, "default", judge_default},
    {SCHEMA_HAS_ROTATE, "rotate_every_s", judge_rotate},
    {SCHEMA_HAS_DESCRIPTION, "description", judge_description},
    {SCHEMA_HAS_OWNER, "owner", judge_owner},
};

/* Bytes of the encoded form of the texts; the rest is a small constant. */
static size_t texts_size(const struct schema *s)
{
    size_t n = 0;
    const struct bytes *texts[] = {&s->pattern, &s->proposed, &s->description, &s->owner};
    const unsigned fields[] = {SCHEMA_HAS_PATTERN, SCHEMA_HAS_DEFAULT, SCHEMA_HAS_DESCRIPTION, SCHEMA_HAS_OWNER};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        n += has(s, fields[i]) ? 2 + texts[i]->n : 0;
    size_t count = has(s, SCHEMA_HAS_ENUM) ? MIN_OF(s->allowed.count, (size_t)SCHEMA_ENUM_MAX_COUNT) : 0;
    for (size_t i = 0; i < count; i++)
        n += 2 + s->allowed.texts[i].n;
    return n;
}

/* All but the texts: head, bits, type, two numbers, two sizes, a count, secrecy and rotation. */
enum { REST_MAX_BYTES = 3 + 2 + 1 + 2 * 8 + 2 * 4 + 1 + 1 + 4 };

bool schema_validate(const struct schema *s, struct schema_flaw *ret_flaw)
{
    const size_t room = SCHEMA_FORM_MAX_BYTES - REST_MAX_BYTES;
    *ret_flaw = (struct schema_flaw){.member = "", .why = NULL};
    if (s->has == 0)
        ret_flaw->why = "a schema demands or says at least one thing";
    else if (texts_size(s) > room) /* first, as it bounds what the rest costs */
        ret_flaw->why = "the schema is larger than 4096 bytes";
    for (size_t i = 0; i < COUNT_OF(judges) && ret_flaw->why == NULL; i++) {
        if (!has(s, judges[i].field))
            continue;
        ret_flaw->member = judges[i].member;
        ret_flaw->why = judges[i].fault(s, ret_flaw);
    }
    return ret_flaw->why == NULL;
}

void schema_flaw_text(const struct schema_flaw *flaw, char *ret_text, size_t size)
{
    assert(flaw->why != NULL && size > 0);
    if (flaw->has_at)
        snprintf(ret_text, size, "%s, byte %zu: %s", flaw->member, flaw->at, flaw->why);
    else if (flaw->member[0] != '\0')
        snprintf(ret_text, size, "%s: %s", flaw->member, flaw->why);
    else
        snprintf(ret_text, size, "%s", flaw->why);
}
