/* value - see value.h. */
#include "model/value.h"

#include <stdio.h>

#include "base/num.h"
#include "base/text.h"
#include "wire/json.h"

static const struct row {
    unsigned type;
    const char *text, *media;
} rows[] = {
#define VALUE_ROW_(name, number, text, media) {number, text, media},
    VALUE_TYPE_LIST(VALUE_ROW_)
#undef VALUE_ROW_
};

static const struct row *row_of(unsigned type)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (rows[i].type == type)
            return &rows[i];
    }
    return NULL;
}

const char *value_type_text(unsigned type)
{
    const struct row *r = row_of(type);
    return r != NULL ? r->text : NULL;
}

const char *value_type_media(unsigned type)
{
    const struct row *r = row_of(type);
    return r != NULL ? r->media : NULL;
}

unsigned value_type_of(struct bytes text)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (bytes_equal(text, bytes_of_text(rows[i].text)))
            return rows[i].type;
    }
    return 0;
}

static const char *fault_of(unsigned type, struct bytes value)
{
    int64_t whole;
    double real;
    switch (type) {
    case VALUE_STRING:
        if (bytes_find(value, 0) != value.n)
            return "a string holds no NUL; use the type binary";
        return text_is_utf8(value) ? NULL : "a string is UTF-8 text; use the type binary";
    case VALUE_INTEGER:
        return num_parse_i64(value, &whole) ? NULL
                                            : "an integer is decimal digits within 64 bits, without leading zeros";
    case VALUE_BOOLEAN:
        return bytes_equal(value, BYTES_LITERAL("true")) || bytes_equal(value, BYTES_LITERAL("false"))
                   ? NULL
                   : "a boolean is true or false";
    case VALUE_FLOAT:
        return num_parse_f64(value, &real) ? NULL : "a float is a finite number as JSON writes it";
    case VALUE_JSON:
    case VALUE_LIST:
        return value.n > 0 && text_is_utf8(value) ? NULL : "a JSON text is UTF-8 and not empty";
    case VALUE_BINARY:
        return NULL;
    default:
        return "no such type";
    }
}

bool value_check(unsigned type, struct bytes value, const char **ret_why)
{
    *ret_why = value.n > VALUE_MAX_BYTES ? "a value is at most 1 MiB" : fault_of(type, value);
    return *ret_why == NULL;
}

static bool is_list_of_texts(const struct json *j)
{
    bool is_list = json_kind(j) == JSON_KIND_LIST;
    for (size_t i = 0; is_list && i < json_count(j); i++)
        is_list = json_kind(json_at(j, i)) == JSON_KIND_TEXT;
    return is_list;
}

bool value_check_json(unsigned type, struct bytes value, char *why, size_t why_bytes)
{
    struct json *j = NULL;
    assert(why_bytes > 0);
    if (type != VALUE_JSON && type != VALUE_LIST)
        return true;
    if (json_parse(value, &j, why, why_bytes) != 0)
        return false;
    bool is_good = type == VALUE_JSON || is_list_of_texts(j);
    if (!is_good)
        snprintf(why, why_bytes, "a list is a JSON list of strings");
    json_free(j);
    return is_good;
}

static bool is_json_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Every JSON text passes; most others do not. RFC 8259 sections 2 to 7. */
static bool may_be_json(struct bytes v)
{
    static const char *const words[] = {"true", "false", "null"};
    while (v.n > 0 && is_json_space(v.p[0]))
        v = bytes_from(v, 1);
    while (v.n > 0 && is_json_space(v.p[v.n - 1]))
        v.n--;
    if (v.n == 0)
        return false;
    uint8_t first = v.p[0], last = v.p[v.n - 1];
    if (first == '{' || first == '[' || first == '"')
        return last == (first == '{' ? '}' : first == '[' ? ']' : '"');
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (bytes_equal(v, bytes_of_text(words[i])))
            return true;
    }
    return (first == '-' || (first >= '0' && first <= '9')) && last >= '0' && last <= '9';
}

struct value_fits value_fits_json(struct bytes value)
{
    struct value_fits fits = {false, false};
    struct json *j = NULL;
    char why[1]; /* nobody reads it */
    if (!may_be_json(value) || json_parse(value, &j, why, sizeof why) != 0)
        return fits;
    fits.json = true;
    fits.list = is_list_of_texts(j);
    json_free(j);
    return fits;
}
