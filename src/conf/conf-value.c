/*
 * conf-value - one value and its text.
 *
 * Why apart: reading, dumping and the manual must agree about units and words, so there is one table of units, and one
 * pair of functions of which each undoes the other.
 */
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "conf/conf-internal.h"

const struct conf_unit *conf_units(enum conf_kind kind)
{
    static const struct conf_unit none[] = {{NULL, 0}};
    static const struct conf_unit sizes[] = {{"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {NULL, 0}};
    static const struct conf_unit durations[] = {{"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0}};
    return kind == CONF_BYTES ? sizes : kind == CONF_MS ? durations : none;
}

struct bytes conf_word(const struct conf_option *option, int64_t index)
{
    assert(option->kind == CONF_WORD && index >= 0);
    struct bytes rest = bytes_of_text(option->words);
    while (index > 0 && rest.n > 0) {
        rest = bytes_from(rest, bytes_find(rest, ' ') + 1);
        index--;
    }
    return bytes_head(rest, bytes_find(rest, ' '));
}

static int parse_word(const struct conf_option *option, struct bytes text, int64_t *ret_value)
{
    for (int64_t i = 0; i <= option->max; i++) {
        if (bytes_equal(conf_word(option, i), text)) {
            *ret_value = i;
            return 0;
        }
    }
    return CONF_VALUE_MALFORMED;
}

static int parse_bool(struct bytes text, int64_t *ret_value)
{
    bool is_true = bytes_equal(text, BYTES_LITERAL("true"));
    if (!is_true && !bytes_equal(text, BYTES_LITERAL("false")))
        return CONF_VALUE_MALFORMED;
    *ret_value = is_true;
    return 0;
}

/* Length of the optional minus and the digits at the front. */
static size_t number_size(struct bytes text)
{
    size_t n = text.n > 0 && text.p[0] == '-';
    while (n < text.n && text.p[n] >= '0' && text.p[n] <= '9')
        n++;
    return n;
}

/* `text` is an optional minus and digits; so many digits that they exceed int64 are a number all the same. */
static int parse_number(struct bytes text, int64_t *ret_value)
{
    size_t first = text.n > 0 && text.p[0] == '-';
    if (num_parse_i64(text, ret_value))
        return 0;
    if (text.n == first || text.p[first] == '0')
        return CONF_VALUE_MALFORMED;
    return CONF_VALUE_OUTSIDE;
}

static int parse_quantity(enum conf_kind kind, struct bytes text, int64_t *ret_value)
{
    struct bytes number = bytes_head(text, number_size(text));
    struct bytes suffix = bytes_from(text, number.n);
    const struct conf_unit *unit = conf_units(kind);
    int64_t n;
    while (suffix.n > 0 && unit->suffix != NULL && !bytes_equal(bytes_of_text(unit->suffix), suffix))
        unit++;
    if (suffix.n > 0 && unit->suffix == NULL)
        return CONF_VALUE_MALFORMED;
    int r = parse_number(number, &n);
    if (r != 0)
        return r;
    if (suffix.n > 0 && __builtin_mul_overflow(n, unit->factor, &n))
        return CONF_VALUE_OUTSIDE;
    *ret_value = n;
    return 0;
}

static bool is_allowed(const struct conf_option *option, uint8_t c)
{
    if (option->words == NULL)
        return c > ' ' && c <= '~';
    return c != '\0' && strchr(option->words, c) != NULL;
}

static int parse_text(const struct conf_option *option, struct bytes text, int64_t *ret_value)
{
    for (size_t i = 0; i < text.n; i++) {
        if (!is_allowed(option, text.p[i]))
            return CONF_VALUE_MALFORMED;
    }
    *ret_value = (int64_t)text.n;
    return 0;
}

bool conf_text_is_good(const struct conf_option *option, struct bytes text)
{
    int64_t length;
    assert(option->kind == CONF_TEXT);
    return conf_value_parse(option, text, &length) == 0;
}

size_t conf_text_slot(const struct conf_schema *schema, size_t option)
{
    size_t slot = 0;
    assert(option < schema->count && schema->options[option].kind == CONF_TEXT);
    for (size_t i = 0; i < option; i++)
        slot += schema->options[i].kind == CONF_TEXT;
    return slot;
}

int conf_value_parse(const struct conf_option *option, struct bytes text, int64_t *ret_value)
{
    int64_t value;
    int r = option->kind == CONF_WORD   ? parse_word(option, text, &value)
            : option->kind == CONF_BOOL ? parse_bool(text, &value)
            : option->kind == CONF_TEXT ? parse_text(option, text, &value)
                                        : parse_quantity(option->kind, text, &value);
    if (r == 0 && !conf_is_within(option, value))
        r = CONF_VALUE_OUTSIDE;
    if (r == 0)
        *ret_value = value;
    return r;
}

void conf_value_text(const struct conf_option *option, int64_t value, char ret_text[static CONF_VALUE_BYTES])
{
    const struct conf_unit *unit = conf_units(option->kind);
    bool fits = true;
    assert(conf_is_within(option, value));
    while (unit->suffix != NULL && (value == 0 || value % unit->factor != 0))
        unit++;
    if (option->kind == CONF_BOOL)
        fits = text_copy(ret_text, CONF_VALUE_BYTES, bytes_of_text(value != 0 ? "true" : "false"));
    else if (option->kind == CONF_WORD)
        fits = text_copy(ret_text, CONF_VALUE_BYTES, conf_word(option, value));
    else if (unit->suffix != NULL)
        snprintf(ret_text, CONF_VALUE_BYTES, "%jd%s", (intmax_t)(value / unit->factor), unit->suffix);
    else
        snprintf(ret_text, CONF_VALUE_BYTES, "%jd", (intmax_t)value);
    assert(fits);
}

/* In double quotes, where YAML knows escapes; always, so that no reader takes a text for a number, true or null. */
static void quote(const char *text, char ret_text[static CONF_DUMPED_BYTES])
{
    size_t n = 0;
    assert(strlen(text) <= CONF_TEXT_MAX_BYTES);
    ret_text[n++] = '"';
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            ret_text[n++] = '\\';
        ret_text[n++] = *text;
    }
    ret_text[n++] = '"';
    ret_text[n] = '\0';
}

void conf_value_dump(const struct conf_schema *schema, const struct conf_values *values, size_t option,
                     char ret_text[static CONF_DUMPED_BYTES])
{
    static_assert((int)CONF_DUMPED_BYTES >= (int)CONF_VALUE_BYTES, "there is room for every kind");
    assert(option < schema->count);
    if (schema->options[option].kind == CONF_TEXT)
        quote(conf_text(schema, values, option), ret_text);
    else
        conf_value_text(&schema->options[option], values->v[option], ret_text);
}

bool conf_is_within(const struct conf_option *option, int64_t value)
{
    return value >= option->min && value <= option->max;
}

/* A name, or a word: one that YAML reads back as plain text without quotes. */
static void check_name(struct bytes name)
{
    assert(name.n > 0 && name.n < CONF_VALUE_BYTES);
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        assert((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (i > 0 && c >= '0' && c <= '9') ||
               (i > 0 && (c == '_' || c == '-')));
    }
}

/* The characters a text may have: such as a dump reads back. */
static void check_characters(const char *words)
{
    assert(*words != '\0');
    for (; *words != '\0'; words++)
        assert(*words >= ' ' && *words <= '~');
}

static void check_option(const struct conf_option *option)
{
    check_name(bytes_of_text(option->group));
    check_name(bytes_of_text(option->name));
    assert(option->text != NULL && text_is_printable(bytes_of_text(option->text)));
    assert(option->min <= option->normal && option->normal <= option->max);
    assert(option->kind == CONF_TEXT || (option->kind == CONF_WORD) == (option->words != NULL));
    assert((option->kind != CONF_BYTES && option->kind != CONF_MS) || option->min >= 0);
    assert(option->kind != CONF_BOOL || (option->min == 0 && option->max == 1));
    assert(option->kind != CONF_TEXT ||
           (option->min == 0 && option->max <= CONF_TEXT_MAX_BYTES && option->normal == 0));
    if (option->kind == CONF_TEXT && option->words != NULL)
        check_characters(option->words);
    if (option->kind != CONF_WORD)
        return;
    assert(option->min == 0 && (size_t)option->max < strlen(option->words));
    assert(conf_word(option, option->max + 1).n == 0);
    for (int64_t i = 0; i <= option->max; i++)
        check_name(conf_word(option, i));
}

void conf_check_schema(const struct conf_schema *schema)
{
    size_t texts_count = 0;
    assert(schema->count <= CONF_OPTIONS_MAX_COUNT);
    for (size_t i = 0; i < schema->count; i++) {
        check_option(&schema->options[i]);
        texts_count += schema->options[i].kind == CONF_TEXT;
    }
    assert(texts_count <= CONF_TEXTS_MAX_COUNT);
}
