/* value - see value.h. */
#include "registry/value.h"

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

bool value_check_json(unsigned type, struct bytes value, char *why, size_t why_bytes)
{
    struct json *j = NULL;
    bool is_good = true;
    assert(why_bytes > 0);
    if (type != VALUE_JSON && type != VALUE_LIST)
        return true;
    if (json_parse(value, &j, why, why_bytes) != 0)
        return false;
    if (type == VALUE_LIST) {
        is_good = json_kind(j) == JSON_KIND_LIST;
        for (size_t i = 0; is_good && i < json_count(j); i++)
            is_good = json_kind(json_at(j, i)) == JSON_KIND_TEXT;
        if (!is_good)
            snprintf(why, why_bytes, "a list is a JSON list of strings");
    }
    json_free(j);
    return is_good;
}
