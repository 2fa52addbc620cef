/*
 * schema-json - see schema-json.h. The members are found first and read afterwards, in the order of the fields: what a
 * bound is depends on the type, wherever in the map that stands.
 */
#include "model/schema-json.h"

#include <errno.h>
#include <stdio.h>

#include "base/num.h"
#include "model/value.h"
#include "wire/doc.h"
#include "wire/json.h"

enum { FLOAT_TEXT_BYTES = 32, FLOAT_DIGITS_COUNT = 17 };

/* Within this a double can be turned back into a whole number, to see whether it is the same. */
static const int64_t whole_max = INT64_C(1) << 62;

static const char *const members[SCHEMA_FIELDS_COUNT] = {
#define MEMBER_(name, bit, kind, field, longest, member) [bit] = member,
    SCHEMA_FIELD_LIST(MEMBER_)
#undef MEMBER_
};

#define SAY_MEMBER(name, bit, kind, field, longest, member) " " member
static const char unknown_member[] = "a member is unknown; a schema has" SCHEMA_FIELD_LIST(SAY_MEMBER);
#undef SAY_MEMBER
static_assert(sizeof unknown_member <= SCHEMA_WHY_BYTES, "the words fit");

/* ---- reading --------------------------------------------------------------------------------------------- */

struct found {
    const struct json *members[SCHEMA_FIELDS_COUNT];
};

static int find_member(struct bytes key, const struct json *value, void *arg)
{
    struct found *f = arg;
    for (size_t i = 0; i < SCHEMA_FIELDS_COUNT; i++) {
        if (bytes_equal(key, bytes_of_text(members[i]))) {
            f->members[i] = value;
            return 0;
        }
    }
    return SCHEMA_JSON_BAD;
}

/* Each reader sets a field from a value and returns NULL, or what is wrong. */

static const char *read_type(struct schema *s UNUSED, const struct json *j, unsigned *ret)
{
    *ret = value_type_of(json_text(j));
    return *ret != 0 ? NULL : "it is string, integer, boolean, float, json, binary or list";
}

static const char *read_secrecy(struct schema *s, const struct json *j, unsigned *ret)
{
    if (bytes_equal(json_text(j), BYTES_LITERAL("any"))) { /* demands nothing */
        s->has &= ~(unsigned)SCHEMA_HAS_SECRECY;
        return NULL;
    }
    for (unsigned secrecy = 1; schema_secrecy_text(secrecy) != NULL; secrecy++) {
        if (bytes_equal(json_text(j), bytes_of_text(schema_secrecy_text(secrecy))))
            *ret = secrecy;
    }
    return *ret != 0 ? NULL : "it is sealed, clear or any";
}

static const char *read_u8(struct schema *s, const struct json *j, unsigned *ret)
{
    return ret == &s->type ? read_type(s, j, ret) : read_secrecy(s, j, ret);
}

static const char *read_u32(struct schema *s UNUSED, const struct json *j, uint32_t *ret)
{
    int64_t v = json_int(j);
    if (json_kind(j) != JSON_KIND_INT || v < 0 || v > UINT32_MAX)
        return "it is a whole number from 0 on";
    *ret = (uint32_t)v;
    return NULL;
}

static const char *read_number(struct schema *s, const struct json *j, struct schema_number *ret)
{
    enum json_kind kind = json_kind(j);
    ret->whole = json_int(j);
    if (s->type == VALUE_INTEGER)
        return kind == JSON_KIND_INT ? NULL : "it is a whole number";
    if (s->type != VALUE_FLOAT) /* which schema_validate() has words for */
        return NULL;
    if (kind == JSON_KIND_REAL) {
        double real = json_float(j);
        ret->real = real == 0 ? 0 : real; /* zero has one form */
        return NULL;
    }
    ret->real = (double)ret->whole;
    bool is_exact = ret->whole >= -whole_max && ret->whole <= whole_max && (int64_t)ret->real == ret->whole;
    ret->whole = 0;
    return kind == JSON_KIND_INT && is_exact ? NULL : "it is a number that a float can hold";
}

static const char *read_text(struct schema *s UNUSED, const struct json *j, struct bytes *ret)
{
    *ret = json_text(j);
    return json_kind(j) == JSON_KIND_TEXT ? NULL : "it is a text, in quotes";
}

static const char *read_texts(struct schema *s, const struct json *j, struct schema_texts *ret)
{
    if (json_kind(j) != JSON_KIND_LIST || json_count(j) > SCHEMA_ENUM_MAX_COUNT)
        return "it is a list of at most 64 texts";
    for (size_t i = 0; i < json_count(j); i++) {
        const char *why = read_text(s, json_at(j, i), &ret->texts[i]);
        if (why != NULL)
            return "it is a list of texts, each in quotes";
    }
    ret->count = json_count(j);
    return NULL;
}

static const char *read_flag(struct schema *s, const struct json *j, bool *ret)
{
    *ret = json_bool(j);
    if (!*ret) /* says nothing */
        s->has &= ~(unsigned)SCHEMA_HAS_REQUIRED;
    return json_kind(j) == JSON_KIND_BOOL ? NULL : "it is true or false";
}

static int bad(char *why, size_t why_bytes, const char *member, const char *what)
{
    schema_flaw_text(&(struct schema_flaw){.member = member, .why = what}, why, why_bytes);
    return SCHEMA_JSON_BAD;
}

static int read_members(const struct found *f, struct schema *s, char *why, size_t why_bytes)
{
    const char *what;
    struct schema_flaw flaw;
#define READ_FIELD(name, bit, kind, field, longest, member)                                                            \
    if (f->members[bit] != NULL) {                                                                                     \
        s->has |= SCHEMA_HAS_##name;                                                                                   \
        what = read_##kind(s, f->members[bit], &s->field);                                                             \
        if (what != NULL)                                                                                              \
            return bad(why, why_bytes, member, what);                                                                  \
    }
    SCHEMA_FIELD_LIST(READ_FIELD)
#undef READ_FIELD
    if (schema_validate(s, &flaw))
        return 0;
    schema_flaw_text(&flaw, why, why_bytes);
    return SCHEMA_JSON_BAD;
}

/* The default of the types json and list, which schema_validate() does not look into. */
static int check_default(const struct schema *s, char *why, size_t why_bytes)
{
    char inside[SCHEMA_WHY_BYTES] = "";
    if ((s->has & SCHEMA_HAS_DEFAULT) == 0 || value_check_json(s->type, s->proposed, inside, sizeof inside))
        return 0;
    if (inside[0] == '\0') /* it has something to say about every text that it could read */
        return RAISE(-ENOMEM);
    return bad(why, why_bytes, "default", inside);
}

static int read_map(struct buf *out, const struct json *j, char *why, size_t why_bytes)
{
    struct schema s = {.has = 0};
    struct found f = {.members = {NULL}};
    if (json_kind(j) != JSON_KIND_MAP)
        return bad(why, why_bytes, "", "a schema is a JSON map");
    int r = json_each(j, find_member, &f);
    if (r != 0)
        return bad(why, why_bytes, "", unknown_member);
    r = read_members(&f, &s, why, why_bytes);
    if (r == 0)
        r = check_default(&s, why, why_bytes);
    return r == 0 ? schema_encode(out, &s) : r;
}

int schema_json_read(struct buf *out, struct bytes json, char *why, size_t why_bytes)
{
    struct json *j = NULL;
    assert(why_bytes > 0);
    if (json.n > SCHEMA_JSON_MAX_BYTES)
        return bad(why, why_bytes, "", "a schema is at most 32768 bytes of JSON");
    int r = json_parse(json, &j, why, why_bytes);
    if (r == JSON_BAD)
        return SCHEMA_JSON_BAD;
    TRY(r);
    r = read_map(out, j, why, why_bytes);
    json_free(j);
    return r;
}

/* ---- writing --------------------------------------------------------------------------------------------- */

static int put_u8(struct buf *out, const struct schema *s, const unsigned *v)
{
    const char *text = v == &s->type ? value_type_text(*v) : schema_secrecy_text(*v);
    assert(text != NULL);
    return doc_text(out, bytes_of_text(text));
}

static int put_u32(struct buf *out, const struct schema *s UNUSED, const uint32_t *v)
{
    return doc_int(out, *v);
}

/* The shortest text that reads as the same number. */
static int put_real(struct buf *out, double v)
{
    char text[FLOAT_TEXT_BYTES];
    double again;
    for (int digits = 1; digits <= FLOAT_DIGITS_COUNT; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (num_parse_f64(bytes_of_text(text), &again) && !(again < v) && !(again > v))
            break;
    }
    return doc_json(out, bytes_of_text(text));
}

static int put_number(struct buf *out, const struct schema *s, const struct schema_number *v)
{
    return s->type == VALUE_FLOAT ? put_real(out, v->real) : doc_int(out, v->whole);
}

static int put_text(struct buf *out, const struct schema *s UNUSED, const struct bytes *v)
{
    return doc_text(out, *v);
}

static int put_texts(struct buf *out, const struct schema *s UNUSED, const struct schema_texts *v)
{
    TRY(doc_list_begin(out));
    for (size_t i = 0; i < v->count; i++)
        TRY(doc_text(out, v->texts[i]));
    return doc_list_end(out);
}

static int put_flag(struct buf *out, const struct schema *s UNUSED, const bool *v UNUSED)
{
    return doc_bool(out, true);
}

static int put_map(struct buf *out, const struct schema *s)
{
    TRY(doc_map_begin(out));
#define PUT_FIELD(name, bit, kind, field, longest, member)                                                             \
    if ((s->has & SCHEMA_HAS_##name) != 0) {                                                                           \
        TRY(doc_key(out, member));                                                                                     \
        TRY(put_##kind(out, s, &s->field));                                                                            \
    }
    SCHEMA_FIELD_LIST(PUT_FIELD)
#undef PUT_FIELD
    return doc_map_end(out);
}

int schema_put_doc(struct buf *out, const struct schema *s)
{
    size_t held = buf_size(out);
    int r = put_map(out, s);
    if (r != 0)
        buf_truncate(out, held);
    return r;
}
