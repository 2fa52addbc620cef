/* conf-internal - one value and its text, shared by the files of conf. */
#ifndef CONF_CONF_INTERNAL_H
#define CONF_CONF_INTERNAL_H

#include "conf/conf.h"

enum {
    CONF_VALUE_BYTES = 40,                           /* of a value's text, NUL included; words are shorter */
    CONF_DUMPED_BYTES = 2 * CONF_TEXT_MAX_BYTES + 3, /* of a text in quotes, each byte escaped, NUL included */
};

/* What a number of a kind may be multiplied with, the largest first; ends with a NULL suffix. */
struct conf_unit {
    const char *suffix;
    int64_t factor;
};

/* conf_units - the units of a kind; none for kinds that are no quantity. */
const struct conf_unit *conf_units(enum conf_kind kind);

/* conf_word - word number `index` of a row's words; empty if there are fewer. O(length of the words). */
struct bytes conf_word(const struct conf_option *option, int64_t index);

/*
 * conf_value_parse - read the text of one value.
 * Of a text ret_value is the length.
 * Returns 0 and sets ret_value, CONF_VALUE_MALFORMED (not of the option's kind), or CONF_VALUE_OUTSIDE (not within its
 * bounds, or beyond int64).
 */
enum { CONF_VALUE_MALFORMED = 1, CONF_VALUE_OUTSIDE = 2 };
int conf_value_parse(const struct conf_option *option, struct bytes text, int64_t *ret_value) MUST_USE;

/* conf_value_text - the shortest exact text of a value within the bounds; parsing it gives the same value. Of a text
 * it is the length. */
void conf_value_text(const struct conf_option *option, int64_t value, char ret_text[static CONF_VALUE_BYTES]);

/* conf_value_dump - the value of row number `option` as YAML reads it back: conf_value_text(), or a text in quotes. */
void conf_value_dump(const struct conf_schema *schema, const struct conf_values *values, size_t option,
                     char ret_text[static CONF_DUMPED_BYTES]);

/* conf_text_slot - the place of a CONF_TEXT row among the texts. conf_text_is_good - the text may be the value of such
 * a row. */
size_t conf_text_slot(const struct conf_schema *schema, size_t option);
bool conf_text_is_good(const struct conf_option *option, struct bytes text);

/* conf_is_within - true if the option may have that value. */
bool conf_is_within(const struct conf_option *option, int64_t value);

/* conf_check_schema - assert that the rows make sense; they are ours, so a bad one is a bug. O(rows). */
void conf_check_schema(const struct conf_schema *schema);

#endif
