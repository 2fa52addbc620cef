/* Tests of schema and schema-json: the documented bytes, every demand, every contradiction, and the way there and back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "fail-alloc.h"
#include "model/schema-json.h"
#include "model/value.h"
#include "wire/doc.h"
#include "wire/json.h"

/* What a JSON text says, decoded; the bytes stay valid until the next call. */
static struct schema read_json(const char *json)
{
    static struct buf form;
    struct schema s;
    char why[SCHEMA_WHY_BYTES] = "";
    buf_fini(&form);
    buf_init(&form, SCHEMA_FORM_MAX_BYTES);
    if (schema_json_read(&form, bytes_of_text(json), why, sizeof why) != 0)
        fail_msg("%s: %s", json, why);
    assert_true(schema_decode(buf_view(&form), &s));
    return s;
}

/* The words a JSON text is refused with. */
static const char *refusal(const char *json)
{
    static char why[SCHEMA_WHY_BYTES];
    struct buf form;
    buf_init(&form, SCHEMA_FORM_MAX_BYTES);
    why[0] = '\0';
    int r = schema_json_read(&form, bytes_of_text(json), why, sizeof why);
    if (r != SCHEMA_JSON_BAD)
        fail_msg("%s: %d", json, r);
    assert_int_equal(buf_size(&form), 0);
    return why;
}

static const char *check(const char *json, unsigned type, bool is_sealed, const char *value)
{
    struct schema s = read_json(json);
    const char *why = "";
    bool is_good = schema_check(&s, type, is_sealed, bytes_of_text(value), &why);
    assert_true(is_good == (why == NULL));
    return why;
}

#define PASSES(json, type, value) assert_null(check(json, VALUE_##type, false, value))
#define FAILS(json, type, value, part)                                                                                 \
    do {                                                                                                               \
        const char *why_ = check(json, VALUE_##type, false, value);                                                    \
        assert_non_null(why_);                                                                                         \
        assert_non_null(strstr(why_, part));                                                                           \
    } while (0)

/* ---- form ------------------------------------------------------------------------------------------------ */

static const uint8_t sample_bytes[] = {
    'S',  'C',  1,                                  /* 0: head */
    0x1f, 0xff,                                     /* 3: every field is there */
    2,                                              /* 5: type */
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, /* 6: min */
    0,    0,    0,    0,    0,    0,    1,    0,    /* 14: max */
    0,    0,    0,    3,                            /* 22: min_bytes */
    0,    0,    1,    4,                            /* 26: max_bytes */
    2,    0,    1,    '5',  0,    2,    '1',  '7',  /* 30: enum */
    0,    2,    'a',  '*',                          /* 38: pattern */
    0,    1,    '5',                                /* 42: default */
    2,                                              /* 45: secrecy */
    0,    0,    0x0e, 0x10,                         /* 46: rotate_every_s */
    0,    3,    'w',  'h',  'y',                    /* 50: description; required has no bytes */
    0,    2,    'm',  'e',                          /* 55: owner */
};

static void the_form_is_the_documented_one(void **state UNUSED)
{
    struct schema s;
    struct buf b;
    assert_true(schema_decode(BYTES_OF(sample_bytes), &s));
    assert_int_equal(s.has, 0x1fff);
    assert_int_equal(s.type, VALUE_INTEGER);
    assert_true(s.min.whole == -2 && s.max.whole == 256 && s.min_bytes == 3 && s.max_bytes == 260);
    assert_int_equal(s.allowed.count, 2);
    assert_true(bytes_equal(s.allowed.texts[1], BYTES_LITERAL("17")));
    assert_true(bytes_equal(s.pattern, BYTES_LITERAL("a*")) && bytes_equal(s.proposed, BYTES_LITERAL("5")));
    assert_true(s.secrecy == SCHEMA_CLEAR && s.rotate_every_s == 3600 && s.is_required);
    assert_true(bytes_equal(s.description, BYTES_LITERAL("why")) && bytes_equal(s.owner, BYTES_LITERAL("me")));
    assert_ptr_equal(s.owner.p, sample_bytes + 57); /* a view, not a copy */
    buf_init(&b, SCHEMA_FORM_MAX_BYTES);
    assert_int_equal(schema_encode(&b, &s), 0);
    assert_true(bytes_equal(buf_view(&b), BYTES_OF(sample_bytes)));
    buf_fini(&b);
}

static void every_cut_form_is_refused(void **state UNUSED)
{
    uint8_t longer[sizeof sample_bytes + 1] = {0};
    struct schema s = {.has = 77};
    for (size_t n = 0; n < sizeof sample_bytes; n++)
        assert_false(schema_decode(bytes_of(sample_bytes, n), &s));
    memcpy(longer, sample_bytes, sizeof sample_bytes);
    assert_false(schema_decode(BYTES_OF(longer), &s));
    assert_int_equal(s.has, 77);
}

static void one_meaning_has_one_form(void **state UNUSED)
{
    static const struct {
        size_t at;
        uint8_t byte;
    } edits[] = {
        {0, 's'}, {2, 2},   {3, 0x3f}, {3, 0xff},  {5, 0},     {5, 1}, /* min needs a number */
        {30, 0},  {30, 65}, {30, 3},   {31, 1},    {33, 0xff}, {38, 4},   {40, 0xff},
        {42, 4},  {45, 0},  {50, 4},   {52, 0xff}, {55, 1},    {4, 0xfe}, {56, 3},
    };
    struct schema s;
    for (size_t i = 0; i < COUNT_OF(edits); i++) {
        uint8_t bytes[sizeof sample_bytes];
        memcpy(bytes, sample_bytes, sizeof bytes);
        bytes[edits[i].at] = edits[i].byte;
        if (schema_decode(BYTES_OF(bytes), &s))
            fail_msg("byte %zu", edits[i].at);
    }
}

static void floats_are_finite_and_zero_has_no_sign(void **state UNUSED)
{
    static const double good[] = {0, 1.5, -1e300, 5e-324}, bad[] = {-0.0, HUGE_VAL, -HUGE_VAL};
    uint8_t bytes[] = {'S', 'C', 1, 0, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0};
    struct schema s = {.has = SCHEMA_HAS_TYPE | SCHEMA_HAS_MAX, .type = VALUE_FLOAT, .max = {.real = -0.0}};
    struct schema_flaw flaw;
    struct buf b;
    for (size_t i = 0; i < COUNT_OF(good) + COUNT_OF(bad); i++) {
        bool is_good = i < COUNT_OF(good);
        double v = is_good ? good[i] : bad[i - COUNT_OF(good)];
        uint64_t bits;
        memcpy(&bits, &v, sizeof bits);
        for (size_t k = 0; k < 8; k++)
            bytes[6 + k] = (uint8_t)(bits >> (56 - 8 * k) & 0xff);
        struct schema back;
        assert_int_equal(schema_decode(BYTES_OF(bytes), &back), is_good);
        assert_true(!is_good || memcmp(&back.min.real, &v, sizeof v) == 0);
    }
    buf_init(&b, SCHEMA_FORM_MAX_BYTES);
    assert_int_equal(schema_encode(&b, &s), 0); /* and so it is not written either */
    assert_true(schema_decode(buf_view(&b), &s) && !signbit(s.max.real));
    buf_fini(&b);
    s.max.real = (double)NAN;
    assert_false(schema_validate(&s, &flaw));
    s.min.real = HUGE_VAL;
    s.has = SCHEMA_HAS_TYPE | SCHEMA_HAS_MIN;
    assert_false(schema_validate(&s, &flaw));
}

static void a_full_buffer_is_left_as_it_was(void **state UNUSED)
{
    struct schema s;
    struct buf b;
    assert_true(schema_decode(BYTES_OF(sample_bytes), &s));
    for (size_t room = 4; room < 4 + sizeof sample_bytes; room++) {
        buf_init(&b, room);
        assert_int_equal(buf_append_text(&b, "kept"), 0);
        assert_int_equal(schema_encode(&b, &s), FAULT_LIMIT);
        assert_true(bytes_equal(buf_view(&b), BYTES_LITERAL("kept")));
        assert_int_equal(schema_put_doc(&b, &s), FAULT_LIMIT);
        assert_true(bytes_equal(buf_view(&b), BYTES_LITERAL("kept")));
        buf_fini(&b);
    }
}

/* ---- values ---------------------------------------------------------------------------------------------- */

static void types_and_ranges_are_demanded(void **state UNUSED)
{
    PASSES("{\"type\":\"string\"}", STRING, "");
    FAILS("{\"type\":\"string\"}", BINARY, "", "the type string");
    FAILS("{\"type\":\"list\"}", JSON, "[]", "the type list");
    const char *port = "{\"type\":\"integer\",\"min\":1,\"max\":65535}";
    PASSES(port, INTEGER, "1");
    PASSES(port, INTEGER, "65535");
    FAILS(port, INTEGER, "0", "(min)");
    FAILS(port, INTEGER, "-9223372036854775808", "(min)");
    FAILS(port, INTEGER, "65536", "(max)");
    FAILS(port, STRING, "80", "the type integer");
    FAILS(port, INTEGER, "x", "a number");
    PASSES("{\"type\":\"integer\",\"min\":9223372036854775807}", INTEGER, "9223372036854775807");
    FAILS("{\"type\":\"integer\",\"min\":9223372036854775807}", INTEGER, "9223372036854775806", "(min)");
    const char *share = "{\"type\":\"float\",\"min\":0,\"max\":0.1}";
    PASSES(share, FLOAT, "0");
    PASSES(share, FLOAT, "-0.0");
    PASSES(share, FLOAT, "1e-1");
    FAILS(share, FLOAT, "-1e-300", "(min)");
    FAILS(share, FLOAT, "0.100000000000000020", "(max)");
}

static void sizes_are_of_the_types_that_have_one(void **state UNUSED)
{
    const char *size = "{\"min_bytes\":2,\"max_bytes\":4}";
    PASSES(size, STRING, "ab");
    PASSES(size, BINARY, "abcd");
    PASSES(size, JSON, "{}");
    FAILS(size, STRING, "a", "(min_bytes)");
    FAILS(size, LIST, "[\"a\"]", "(max_bytes)");
    FAILS(size, STRING, "\xc3\xa4\xc3\xa4z", "(max_bytes)"); /* bytes, not characters */
    PASSES(size, INTEGER, "1");
    PASSES(size, BOOLEAN, "false");
    PASSES("{\"type\":\"string\",\"max_bytes\":0}", STRING, "");
}

static void allowed_values_are_compared_as_their_type_is(void **state UNUSED)
{
    const char *level = "{\"type\":\"string\",\"enum\":[\"info\",\"debug\"]}";
    PASSES(level, STRING, "debug");
    FAILS(level, STRING, "Debug", "(enum)");
    FAILS(level, STRING, "", "(enum)");
    const char *share = "{\"type\":\"float\",\"enum\":[\"0\",\"0.5\"]}";
    PASSES(share, FLOAT, "5e-1");
    PASSES(share, FLOAT, "-0.0");
    FAILS(share, FLOAT, "0.51", "(enum)");
    PASSES("{\"type\":\"integer\",\"enum\":[\"1\",\"-1\"]}", INTEGER, "-1");
    FAILS("{\"type\":\"boolean\",\"enum\":[\"true\"]}", BOOLEAN, "false", "(enum)");
    PASSES("{\"type\":\"string\",\"enum\":[\"\"]}", STRING, "");
}

static void patterns_are_of_the_whole_value(void **state UNUSED)
{
    static char longest[2050];
    const char *name = "{\"type\":\"string\",\"pattern\":\"[a-z]+(-[a-z]+)*\"}";
    PASSES(name, STRING, "web-one");
    FAILS(name, STRING, "web-", "pattern");
    FAILS(name, STRING, "web one", "pattern");
    memset(longest, 'a', 2049);
    FAILS(name, STRING, longest, "2048 bytes");
    longest[2048] = '\0';
    PASSES(name, STRING, longest);
}

static void secrecy_is_demanded_either_way(void **state UNUSED)
{
    assert_null(check("{\"secrecy\":\"sealed\"}", VALUE_STRING, true, "x"));
    assert_non_null(strstr(check("{\"secrecy\":\"sealed\"}", VALUE_STRING, false, "x"), "is sealed"));
    assert_null(check("{\"secrecy\":\"clear\"}", VALUE_STRING, false, "x"));
    assert_non_null(strstr(check("{\"secrecy\":\"clear\"}", VALUE_STRING, true, "x"), "in the clear"));
    assert_null(check("{\"secrecy\":\"any\",\"required\":true}", VALUE_STRING, true, "x"));
    assert_null(check("{\"secrecy\":\"any\",\"required\":true}", VALUE_STRING, false, "x"));
    /* what only says something demands nothing */
    PASSES("{\"description\":\"a\",\"owner\":\"b\",\"required\":true,\"rotate_every_s\":3600}", BINARY, "");
}

static void no_refusal_tells_the_value(void **state UNUSED)
{
    static const char *const schemas[] = {
        "{\"type\":\"integer\"}",
        "{\"secrecy\":\"sealed\"}",
        "{\"max_bytes\":3}",
        "{\"min_bytes\":100}",
        "{\"type\":\"string\",\"enum\":[\"a\"]}",
        "{\"type\":\"string\",\"pattern\":\"x\"}",
    };
    for (size_t i = 0; i < COUNT_OF(schemas); i++) {
        const char *why = check(schemas[i], VALUE_STRING, false, "qzqzq");
        assert_non_null(why);
        assert_null(strstr(why, "qz"));
    }
    assert_null(strstr(refusal("{\"qzqzq\":1}"), "qz"));
    assert_null(strstr(refusal("{\"type\":\"qzqzq\"}"), "qz"));
    assert_null(strstr(refusal("{\"type\":\"string\",\"pattern\":\"qzqzq(\"}"), "qz"));
    assert_null(strstr(refusal("{\"type\":\"integer\",\"default\":\"qzqzq\"}"), "qz"));
}

static void values_grow_old(void **state UNUSED)
{
    struct schema s = read_json("{\"rotate_every_s\":3600}");
    int64_t hour = 3600 * US_PER_S;
    assert_false(schema_is_overdue(&s, 5, 5) || schema_is_overdue(&s, 5, 4 + hour));
    assert_true(schema_is_overdue(&s, 5, 5 + hour) && schema_is_overdue(&s, INT64_MIN, 0));
    assert_false(schema_is_overdue(&s, INT64_MAX, INT64_MAX) || schema_is_overdue(&s, 10, 0));
    s = read_json("{\"required\":true}");
    assert_false(schema_is_overdue(&s, 0, INT64_MAX));
}

/* ---- schemas --------------------------------------------------------------------------------------------- */

static void what_is_no_schema_is_refused_with_words(void **state UNUSED)
{
    static const char *const bad[][2] = {
        {"", "ends too early"},
        {"{", "ends too early"},
        {"[]", "JSON map"},
        {"\"type\"", "JSON map"},
        {"{}", "at least one thing"},
        {"{\"secrecy\":\"any\"}", "at least one thing"},
        {"{\"required\":false}", "at least one thing"},
        {"{\"typ\":\"string\"}", "a member is unknown"},
        {"{\"Type\":\"string\"}", "a member is unknown"},
        {"{\"type\":\"string\",\"type\":\"string\"}", "twice"},
        {"{\"type\":null}", "type: it is string"},
        {"{\"type\":1}", "type: it is string"},
        {"{\"type\":\"text\"}", "type: it is string"},
        {"{\"min\":1}", "min: it goes with"},
        {"{\"max\":1.5}", "max: it goes with"},
        {"{\"min\":\"a\",\"type\":\"list\"}", "min: it goes with"},
        {"{\"type\":\"string\",\"min\":1}", "min: it goes with"},
        {"{\"type\":\"boolean\",\"max\":1}", "max: it goes with"},
        {"{\"type\":\"integer\",\"min\":1.5}", "min: it is a whole number"},
        {"{\"type\":\"integer\",\"min\":\"1\"}", "min: it is a whole number"},
        {"{\"type\":\"float\",\"max\":\"1\"}", "max: it is a number"},
        {"{\"type\":\"float\",\"max\":9007199254740993}", "max: it is a number"},
        {"{\"type\":\"float\",\"max\":9223372036854775807}", "max: it is a number"},
        {"{\"type\":\"integer\",\"min\":2,\"max\":1}", "min: it is above max"},
        {"{\"type\":\"float\",\"min\":0.2,\"max\":0.1}", "min: it is above max"},
        {"{\"type\":\"integer\",\"min_bytes\":1}", "min_bytes: it goes with"},
        {"{\"type\":\"float\",\"max_bytes\":1}", "max_bytes: it goes with"},
        {"{\"min_bytes\":2,\"max_bytes\":1}", "min_bytes: it is above"},
        {"{\"max_bytes\":1048577}", "max_bytes: a value is at most"},
        {"{\"min_bytes\":-1}", "min_bytes: it is a whole number"},
        {"{\"min_bytes\":4294967296}", "min_bytes: it is a whole number"},
        {"{\"min_bytes\":1.0}", "min_bytes: it is a whole number"},
        {"{\"type\":\"string\",\"pattern\":\"a\",\"min_bytes\":2049}", "with a pattern"},
        {"{\"enum\":[\"a\"]}", "enum: it goes with"},
        {"{\"type\":\"list\",\"enum\":[\"[]\"]}", "enum: it goes with"},
        {"{\"type\":\"string\",\"enum\":[]}", "enum: it lists 1 to 64"},
        {"{\"type\":\"string\",\"enum\":\"a\"}", "enum: it is a list"},
        {"{\"type\":\"integer\",\"enum\":[1]}", "enum: it is a list of texts"},
        {"{\"type\":\"integer\",\"enum\":[\"1\",\"a\"]}", "enum: an integer is"},
        {"{\"type\":\"integer\",\"min\":2,\"enum\":[\"1\"]}", "enum: the value is less"},
        {"{\"type\":\"string\",\"max_bytes\":1,\"enum\":[\"ab\"]}", "enum: the value is longer"},
        {"{\"type\":\"string\",\"pattern\":\"a\",\"enum\":[\"b\"]}", "enum: the value does not match"},
        {"{\"type\":\"string\",\"enum\":[\"a\",\"b\",\"a\"]}", "enum: a value stands in it twice"},
        {"{\"type\":\"float\",\"enum\":[\"1\",\"1.0\"]}", "enum: a value stands in it twice"},
        {"{\"pattern\":\"a\"}", "pattern: it goes with"},
        {"{\"type\":\"integer\",\"pattern\":\"1\"}", "pattern: it goes with"},
        {"{\"type\":\"string\",\"pattern\":1}", "pattern: it is a text"},
        {"{\"type\":\"string\",\"pattern\":\"ab(c\"}", "pattern, byte 2: a ( has no )"},
        {"{\"default\":\"1\"}", "default: it goes with"},
        {"{\"type\":\"binary\",\"default\":\"1\"}", "default: it goes with"},
        {"{\"type\":\"integer\",\"default\":1}", "default: it is a text"},
        {"{\"type\":\"integer\",\"default\":\"01\"}", "default: an integer is"},
        {"{\"type\":\"integer\",\"max\":5,\"default\":\"6\"}", "default: the value is more"},
        {"{\"type\":\"string\",\"enum\":[\"a\"],\"default\":\"b\"}", "default: the value is none"},
        {"{\"type\":\"string\",\"default\":\"b\",\"secrecy\":\"sealed\"}", "default: a schema is kept in the clear"},
        {"{\"type\":\"json\",\"default\":\"{\"}", "default: line 1"},
        {"{\"type\":\"list\",\"default\":\"[1]\"}", "default: a list is"},
        {"{\"secrecy\":\"secret\"}", "secrecy: it is sealed"},
        {"{\"secrecy\":true}", "secrecy: it is sealed"},
        {"{\"rotate_every_s\":3599}", "rotate_every_s: it is 3600"},
        {"{\"rotate_every_s\":315360001}", "rotate_every_s: it is 3600"},
        {"{\"required\":1}", "required: it is true or false"},
        {"{\"description\":\"\"}", "description: it is printable"},
        {"{\"description\":\"a\\nb\"}", "description: it is printable"},
        {"{\"owner\":\"\\u202e\"}", "owner: it is printable"},
        {"{\"owner\":[]}", "owner: it is a text"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const char *why = refusal(bad[i][0]);
        if (strstr(why, bad[i][1]) == NULL)
            fail_msg("%s: %s", bad[i][0], why);
    }
}

/* {"type":"string","MEMBER":"aaa..."} with n letters */
static const char *with_long(const char *member, size_t n)
{
    static char json[SCHEMA_JSON_MAX_BYTES];
    int head = snprintf(json, sizeof json, "{\"type\":\"string\",\"%s\":\"", member);
    memset(json + head, 'a', n);
    memcpy(json + head + n, "\"}", 3);
    return json;
}

/* {"type":"string","enum":[...]} with `count` different texts of `n` letters */
static const char *with_enum(size_t count, size_t n)
{
    static char json[SCHEMA_JSON_MAX_BYTES];
    size_t at = (size_t)snprintf(json, sizeof json, "{\"type\":\"string\",\"enum\":[");
    for (size_t i = 0; i < count; i++)
        at += (size_t)snprintf(json + at, sizeof json - at, "%s\"%0*zu\"", i > 0 ? "," : "", (int)n, i);
    snprintf(json + at, sizeof json - at, "]}");
    return json;
}

static void limits_are_exact(void **state UNUSED)
{
    static const struct {
        const char *member;
        size_t longest;
    } texts[] = {{"default", 1024}, {"description", 1024}, {"owner", 255}};
    static char large[SCHEMA_JSON_MAX_BYTES + 2];
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_true(read_json(with_long(texts[i].member, texts[i].longest)).has != 0);
        assert_non_null(strstr(refusal(with_long(texts[i].member, texts[i].longest + 1)), "it is longer than"));
    }
    assert_non_null(strstr(refusal(with_long("pattern", 1025)), "longer than 1024"));
    assert_int_equal(read_json(with_enum(64, 10)).allowed.count, 64);
    assert_non_null(strstr(refusal(with_enum(65, 10)), "at most 64"));
    assert_int_equal(read_json(with_enum(2, 255)).allowed.count, 2);
    assert_non_null(strstr(refusal(with_enum(2, 256)), "longer than 255"));
    assert_int_equal(read_json(with_enum(64, 61)).allowed.count, 64);
    assert_non_null(strstr(refusal(with_enum(64, 62)), "larger than 4096"));
    memset(large, ' ', sizeof large - 1);
    memcpy(large, "{\"required\":true}", 17);
    assert_non_null(strstr(refusal(large), "at most 32768"));
    large[SCHEMA_JSON_MAX_BYTES] = '\0';
    assert_true(read_json(large).is_required);
}

static void bad_schemas_without_json_are_refused_too(void **state UNUSED)
{
    struct schema s = {.has = SCHEMA_HAS_TYPE, .type = 99};
    struct schema_flaw flaw;
    assert_false(schema_validate(&s, &flaw));
    assert_string_equal(flaw.member, "type");
    s = (struct schema){.has = SCHEMA_HAS_SECRECY, .secrecy = 4};
    assert_false(schema_validate(&s, &flaw));
    s = (struct schema){.has = SCHEMA_HAS_TYPE | SCHEMA_HAS_ENUM, .type = VALUE_STRING};
    assert_false(schema_validate(&s, &flaw));
    s.allowed.count = SCHEMA_ENUM_MAX_COUNT + 1;
    assert_false(schema_validate(&s, &flaw));
    /* and one that was not validated refuses values rather than let them pass */
    const char *why;
    s = (struct schema){.has = SCHEMA_HAS_TYPE, .type = 99};
    assert_false(schema_check(&s, VALUE_STRING, false, BYTES_LITERAL("a"), &why));
    s = (struct schema){.has = SCHEMA_HAS_PATTERN, .pattern = BYTES_LITERAL("(")};
    assert_false(schema_check(&s, VALUE_STRING, false, BYTES_LITERAL("a"), &why));
    s = (struct schema){.has = SCHEMA_HAS_MAX};
    assert_false(schema_check(&s, VALUE_STRING, false, BYTES_LITERAL("a"), &why));
    char small[8];
    schema_flaw_text(&(struct schema_flaw){.member = "pattern", .why = "x", .has_at = true, .at = 3}, small,
                     sizeof small);
    assert_string_equal(small, "pattern");
}

/* ---- JSON ------------------------------------------------------------------------------------------------ */

static char *print_json(const char *json)
{
    static char text[SCHEMA_JSON_MAX_BYTES];
    struct schema s = read_json(json);
    struct buf doc, out;
    buf_init(&doc, 1 << 16);
    buf_init(&out, 1 << 16);
    assert_int_equal(schema_put_doc(&doc, &s), 0);
    assert_int_equal(doc_to_json(&out, buf_view(&doc)), 0);
    assert_true(text_copy(text, sizeof text, buf_view(&out)));
    buf_fini(&doc);
    buf_fini(&out);
    return text;
}

static void what_was_read_is_written_as_it_was(void **state UNUSED)
{
    static const char *const same[] = {
        "{\"type\":\"integer\",\"min\":-9223372036854775808,\"max\":9223372036854775807,\"default\":\"8080\"}",
        "{\"description\":\"a\",\"owner\":\"b\"}",
        "{\"type\":\"float\",\"min\":0,\"max\":0.1,\"enum\":[\"0\",\"0.05\"]}",
        "{\"type\":\"float\",\"min\":-1.7976931348623157e+308,\"max\":5e-324}",
        "{\"type\":\"float\",\"max\":10007199254740994}",
        "{\"type\":\"string\",\"min_bytes\":0,\"max_bytes\":1048576,\"pattern\":\"\\\\d+\\\"\xc3\xa4\"}",
        "{\"type\":\"binary\",\"secrecy\":\"sealed\",\"rotate_every_s\":7776000,\"required\":true}",
        "{\"secrecy\":\"clear\"}",
        "{\"type\":\"json\",\"default\":\"{\\\"a\\\":[1]}\"}",
    };
    static const char *const other[][2] = {
        {" { \"required\" : true , \"secrecy\" : \"any\" } ", "{\"required\":true}"},
        {"{\"max\":1.0,\"type\":\"float\",\"min\":-0.0}", "{\"type\":\"float\",\"min\":0,\"max\":1}"},
        {"{\"required\":false,\"type\":\"string\"}", "{\"type\":\"string\"}"},
        {"{\"type\":\"float\",\"max\":100000000000000000000.0}", "{\"type\":\"float\",\"max\":1e+20}"},
    };
    for (size_t i = 0; i < COUNT_OF(same); i++)
        assert_string_equal(print_json(same[i]), same[i]);
    for (size_t i = 0; i < COUNT_OF(other); i++)
        assert_string_equal(print_json(other[i][0]), other[i][1]);
}

static void memory_may_run_out(void **state UNUSED)
{
    struct bytes json = BYTES_LITERAL("{\"type\":\"json\",\"default\":\"[1,{}]\",\"description\":\"a\"}");
    struct schema s = read_json("{\"type\":\"string\",\"enum\":[\"a\",\"b\"],\"owner\":\"me\"}");
    char why[SCHEMA_WHY_BYTES];
    struct buf out;
    int r;
    EACH_ALLOC_FAILURE({
        buf_init(&out, SCHEMA_FORM_MAX_BYTES);
        r = schema_json_read(&out, json, why, sizeof why);
        assert_true(r == 0 || r == -ENOMEM);
        assert_true(r == 0 || buf_size(&out) == 0);
        buf_fini(&out);
    });
    assert_int_equal(r, 0); /* the last run had all it wanted */
    EACH_ALLOC_FAILURE({
        buf_init(&out, SCHEMA_FORM_MAX_BYTES);
        r = schema_put_doc(&out, &s);
        assert_true(r == 0 || (r == -ENOMEM && buf_size(&out) == 0));
        buf_fini(&out);
    });
    assert_int_equal(r, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_form_is_the_documented_one),
        cmocka_unit_test(every_cut_form_is_refused),
        cmocka_unit_test(one_meaning_has_one_form),
        cmocka_unit_test(floats_are_finite_and_zero_has_no_sign),
        cmocka_unit_test(a_full_buffer_is_left_as_it_was),
        cmocka_unit_test(types_and_ranges_are_demanded),
        cmocka_unit_test(sizes_are_of_the_types_that_have_one),
        cmocka_unit_test(allowed_values_are_compared_as_their_type_is),
        cmocka_unit_test(patterns_are_of_the_whole_value),
        cmocka_unit_test(secrecy_is_demanded_either_way),
        cmocka_unit_test(no_refusal_tells_the_value),
        cmocka_unit_test(values_grow_old),
        cmocka_unit_test(what_is_no_schema_is_refused_with_words),
        cmocka_unit_test(limits_are_exact),
        cmocka_unit_test(bad_schemas_without_json_are_refused_too),
        cmocka_unit_test(what_was_read_is_written_as_it_was),
        cmocka_unit_test(memory_may_run_out),
    };
    json_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
