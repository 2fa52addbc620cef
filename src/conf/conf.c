/*
 * conf - configuration options; see conf.h.
 *
 * Invariant: values that leave conf_defaults, conf_parse or conf_decode lie within the bounds of their rows. A text
 * that is refused changes nothing; the first thing wrong with it is named with its place.
 */
#include "conf/conf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "conf/conf-internal.h"
#include "wire/msg.h"
#include "wire/yaml.h"

SCOPED_DROP(yaml_drop, struct yaml_node, yaml_node_free)

void conf_defaults(const struct conf_schema *schema, struct conf_values *ret_values)
{
    conf_check_schema(schema);
    *ret_values = (struct conf_values){.v = {0}};
    for (size_t i = 0; i < schema->count; i++)
        ret_values->v[i] = schema->options[i].normal;
}

const char *conf_text(const struct conf_schema *schema, const struct conf_values *values, size_t option)
{
    return values->texts[conf_text_slot(schema, option)];
}

/* ---- parse ----------------------------------------------------------------------------------------------- */

struct reader {
    const struct conf_schema *schema;
    struct conf_values values;
    char *why; /* CONF_WHY_BYTES */
};

enum { SHOWN_BYTES = 48 };

/* What stood in the text, cut to a length and safe on one line of a log. */
struct shown {
    char text[SHOWN_BYTES];
};

static struct shown show(struct bytes text)
{
    struct shown s;
    struct bytes head = bytes_head(text, SHOWN_BYTES - 1);
    while (head.n > 0 && head.n < text.n && (text.p[head.n] & 0xc0) == 0x80)
        head.n--; /* not in the middle of a code point */
    if (!text_is_printable(head) || !text_copy(s.text, sizeof s.text, head))
        snprintf(s.text, sizeof s.text, "(not printable)");
    return s;
}

static int PRINTF_LIKE(3, 4) refuse(struct reader *r, const struct yaml_node *at, const char *format, ...)
{
    va_list args;
    int n = snprintf(r->why, CONF_WHY_BYTES, "line %u, column %u: ", at->line, at->column);
    assert(n > 0 && n < CONF_WHY_BYTES);
    va_start(args, format);
    int rest = vsnprintf(r->why + n, (size_t)(CONF_WHY_BYTES - n), format, args);
    va_end(args);
    assert(rest > 0);
    return CONF_BAD;
}

static int refuse_kind(struct reader *r, const struct yaml_node *node, const struct conf_option *option)
{
    static const char *const wanted[] = {
        [CONF_COUNT] = "a whole number",
        [CONF_BYTES] = "a size such as 64K, 8M or 1G, or a whole number of bytes",
        [CONF_MS] = "a duration such as 250ms, 30s, 5min or 1h, or a whole number of milliseconds",
        [CONF_BOOL] = "true or false",
        [CONF_WORD] = "one of these words: ",
        [CONF_TEXT] = "a text of printable ASCII without space",
    };
    bool is_of_set = option->kind == CONF_TEXT && option->words != NULL;
    return refuse(r, node, "%s.%s: \"%s\" is not %s%s", option->group, option->name, show(node->text).text,
                  is_of_set ? "a text of these characters: " : wanted[option->kind],
                  option->words != NULL ? option->words : "");
}

static void store_text(struct conf_values *values, size_t slot, struct bytes text)
{
    bool fits = text_copy(values->texts[slot], sizeof values->texts[slot], text);
    assert(fits);
}

static int read_option(struct reader *r, const struct yaml_node *node, size_t i)
{
    const struct conf_option *option = &r->schema->options[i];
    char min[CONF_VALUE_BYTES], max[CONF_VALUE_BYTES];
    int64_t value;
    if (node->kind != YAML_KIND_SCALAR)
        return refuse(r, node, "%s.%s must have one value", option->group, option->name);
    if (option->kind == CONF_TEXT && node->text.n == 0 && node->is_plain)
        return refuse(r, node, "%s.%s: an empty text is written as \"\"", option->group, option->name);
    int result = conf_value_parse(option, node->text, &value);
    if (result == CONF_VALUE_MALFORMED)
        return refuse_kind(r, node, option);
    if (result == CONF_VALUE_OUTSIDE) {
        conf_value_text(option, option->min, min);
        conf_value_text(option, option->max, max);
        return refuse(r, node, "%s.%s: \"%s\" is not within %s to %s%s", option->group, option->name,
                      show(node->text).text, min, max, option->kind == CONF_TEXT ? " bytes" : "");
    }
    r->values.v[i] = value;
    if (option->kind == CONF_TEXT)
        store_text(&r->values, conf_text_slot(r->schema, i), node->text);
    return 0;
}

static bool is_named(const char *name, struct bytes text)
{
    return bytes_equal(bytes_of_text(name), text);
}

static int read_group_option(struct reader *r, struct bytes group, const struct yaml_node *node)
{
    for (size_t i = 0; i < r->schema->count; i++) {
        const struct conf_option *option = &r->schema->options[i];
        if (is_named(option->group, group) && is_named(option->name, node->key))
            return read_option(r, node, i);
    }
    return refuse(r, node, "unknown option \"%s.%s\"", show(group).text, show(node->key).text);
}

static bool has_group(const struct conf_schema *schema, struct bytes group)
{
    for (size_t i = 0; i < schema->count; i++) {
        if (is_named(schema->options[i].group, group))
            return true;
    }
    return false;
}

static int read_group(struct reader *r, const struct yaml_node *group)
{
    if (!has_group(r->schema, group->key))
        return refuse(r, group, "unknown option group \"%s\"", show(group->key).text);
    if (group->kind != YAML_KIND_MAP)
        return refuse(r, group, "%s is a group: its options go below it, or it is left out", show(group->key).text);
    for (const struct yaml_node *node = group->first; node != NULL; node = node->next) {
        int result = read_group_option(r, group->key, node);
        if (result != 0)
            return result;
    }
    return 0;
}

int conf_parse(const struct conf_schema *schema, struct bytes text, struct conf_values *ret_values, char *ret_why)
{
    SCOPED(yaml_drop) struct yaml_node *root = NULL;
    struct reader r = {.schema = schema, .why = ret_why};
    conf_defaults(schema, &r.values);
    int result = yaml_parse(text, &root, ret_why, CONF_WHY_BYTES);
    if (result != 0)
        return result == YAML_BAD ? (int)CONF_BAD : result;
    assert(root->kind == YAML_KIND_MAP);
    for (const struct yaml_node *group = root->first; group != NULL; group = group->next) {
        result = read_group(&r, group);
        if (result != 0)
            return result;
    }
    *ret_values = r.values;
    return 0;
}

/* ---- the rest -------------------------------------------------------------------------------------------- */

static bool is_same(const struct conf_schema *schema, const struct conf_values *a, const struct conf_values *b,
                    size_t i)
{
    bool is_text = schema->options[i].kind == CONF_TEXT;
    return a->v[i] == b->v[i] && (!is_text || strcmp(conf_text(schema, a, i), conf_text(schema, b, i)) == 0);
}

size_t conf_diff(const struct conf_schema *schema, const struct conf_values *old, const struct conf_values *new,
                 void (*on_change)(const struct conf_option *option, const char *from, const char *to, void *arg),
                 void *arg)
{
    char from[CONF_DUMPED_BYTES], to[CONF_DUMPED_BYTES];
    size_t restart_count = 0;
    assert(schema->count <= CONF_OPTIONS_MAX_COUNT);
    for (size_t i = 0; i < schema->count; i++) {
        if (is_same(schema, old, new, i))
            continue;
        restart_count += schema->options[i].apply == CONF_RESTART;
        conf_value_dump(schema, old, i, from);
        conf_value_dump(schema, new, i, to);
        on_change(&schema->options[i], from, to, arg);
    }
    return restart_count;
}

static int put_text(const struct conf_schema *schema, const struct conf_values *values, size_t i, struct buf *out)
{
    struct bytes text = bytes_of_text(conf_text(schema, values, i));
    assert((int64_t)text.n == values->v[i]);
    return msg_put_bytes(out, text);
}

int conf_encode(const struct conf_schema *schema, const struct conf_values *values, struct buf *out)
{
    assert(schema->count <= CONF_OPTIONS_MAX_COUNT);
    TRY(msg_put_u32(out, (uint32_t)schema->count));
    for (size_t i = 0; i < schema->count; i++) {
        assert(conf_is_within(&schema->options[i], values->v[i]));
        TRY(msg_put_i64(out, values->v[i]));
        if (schema->options[i].kind == CONF_TEXT)
            TRY(put_text(schema, values, i, out));
    }
    return 0;
}

static bool get_text(const struct conf_schema *schema, size_t i, struct bytes *in, struct conf_values *values)
{
    struct bytes text;
    if (!msg_get_bytes(in, &text) || (int64_t)text.n != values->v[i] || !conf_text_is_good(&schema->options[i], text))
        return false;
    store_text(values, conf_text_slot(schema, i), text);
    return true;
}

bool conf_decode(const struct conf_schema *schema, struct bytes in, struct conf_values *ret_values)
{
    struct conf_values values = {.v = {0}};
    uint32_t count;
    assert(schema->count <= CONF_OPTIONS_MAX_COUNT);
    if (!msg_get_u32(&in, &count) || count != schema->count)
        return false;
    for (size_t i = 0; i < schema->count; i++) {
        if (!msg_get_i64(&in, &values.v[i]) || !conf_is_within(&schema->options[i], values.v[i]))
            return false;
        if (schema->options[i].kind == CONF_TEXT && !get_text(schema, i, &in, &values))
            return false;
    }
    if (in.n != 0)
        return false;
    *ret_values = values;
    return true;
}
