/*
 * conf-print - the options as people read them: a dump of the values in force, and the manual's list.
 *
 * Invariant: conf_parse() reads a dump back to the same values; the dump of defaults is the sample configuration.
 * Source: mdoc(7).
 */
#include <stdio.h>
#include <string.h>

#include "conf/conf-internal.h"

static const char *apply_text(const struct conf_option *option)
{
    return option->apply == CONF_LIVE ? "on reload" : "on restart";
}

/* "from 1 to 65535", "true or false", "one of a, b, c". */
static int append_choice(const struct conf_option *option, struct buf *out)
{
    char min[CONF_VALUE_BYTES], max[CONF_VALUE_BYTES];
    if (option->kind == CONF_BOOL)
        return buf_append_text(out, "true or false");
    if (option->kind == CONF_WORD) {
        TRY(buf_append_text(out, "one of "));
        for (int64_t i = 0; i <= option->max; i++) {
            TRY(buf_append_text(out, i == 0 ? "" : ", "));
            TRY(buf_append(out, conf_word(option, i)));
        }
        return 0;
    }
    if (option->kind == CONF_TEXT)
        return buf_print(out, "of at most %jd bytes", (intmax_t)option->max);
    conf_value_text(option, option->min, min);
    conf_value_text(option, option->max, max);
    return buf_print(out, "from %s to %s", min, max);
}

/* ---- dump ------------------------------------------------------------------------------------------------ */

/* What stands for the default of a row. */
static void normal_text(const struct conf_option *option, char ret_text[static CONF_VALUE_BYTES])
{
    if (option->kind == CONF_TEXT)
        (void)snprintf(ret_text, CONF_VALUE_BYTES, "empty");
    else
        conf_value_text(option, option->normal, ret_text);
}

static int dump_option(const struct conf_schema *schema, const struct conf_values *values, size_t i, struct buf *out)
{
    const struct conf_option *option = &schema->options[i];
    char text[CONF_DUMPED_BYTES], normal[CONF_VALUE_BYTES];
    normal_text(option, normal);
    TRY(buf_append_text(out, "  # "));
    TRY(buf_append_text(out, option->text));
    TRY(buf_append_text(out, "\n  # ("));
    TRY(append_choice(option, out));
    TRY(buf_print(out, "; default %s; takes effect %s)\n", normal, apply_text(option)));
    conf_value_dump(schema, values, i, text);
    return buf_print(out, "  %s: %s\n", option->name, text);
}

static bool is_first_of_group(const struct conf_schema *schema, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (strcmp(schema->options[i].group, schema->options[at].group) == 0)
            return false;
    }
    return true;
}

/* All options of the group that begins with row `first`, also those further down: a group may stand once only. */
static int dump_group(const struct conf_schema *schema, const struct conf_values *values, size_t first, struct buf *out)
{
    const char *group = schema->options[first].group;
    TRY(buf_print(out, "%s%s:\n", first == 0 ? "" : "\n", group));
    for (size_t i = first; i < schema->count; i++) {
        if (strcmp(schema->options[i].group, group) == 0)
            TRY(dump_option(schema, values, i, out));
    }
    return 0;
}

int conf_dump(const struct conf_schema *schema, const struct conf_values *values, struct buf *out)
{
    conf_check_schema(schema);
    for (size_t i = 0; i < schema->count; i++) {
        if (is_first_of_group(schema, i))
            TRY(dump_group(schema, values, i, out));
    }
    return 0;
}

/* ---- manual ---------------------------------------------------------------------------------------------- */

/* A line of text that mdoc shows as it is: neither a request nor an escape. */
static int append_mdoc(const char *text, struct buf *out)
{
    if (text[0] == '.' || text[0] == '\'')
        TRY(buf_append_text(out, "\\&"));
    for (const char *p = text; *p != '\0'; p++) {
        TRY(buf_append(out, bytes_of(p, 1)));
        if (*p == '\\')
            TRY(buf_append_text(out, "e"));
    }
    return buf_append_text(out, "\n");
}

static const char *kind_text(enum conf_kind kind)
{
    switch (kind) {
    case CONF_COUNT:
        return "A number";
    case CONF_BYTES:
        return "A size";
    case CONF_MS:
        return "A duration";
    case CONF_TEXT:
        return "A text";
    case CONF_BOOL:
    case CONF_WORD:
        break;
    }
    return "A word:";
}

int conf_manual(const struct conf_schema *schema, struct buf *out)
{
    char normal[CONF_VALUE_BYTES];
    conf_check_schema(schema);
    for (size_t i = 0; i < schema->count; i++) {
        const struct conf_option *option = &schema->options[i];
        normal_text(option, normal);
        TRY(buf_print(out, ".It Cm %s.%s\n", option->group, option->name));
        TRY(append_mdoc(option->text, out));
        TRY(buf_print(out, "%s ", kind_text(option->kind)));
        TRY(append_choice(option, out));
        TRY(buf_print(out, ".\nThe default is\n.Cm %s ;\na change takes effect %s.\n", normal, apply_text(option)));
    }
    return 0;
}
