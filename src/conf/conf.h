/*
 * conf - configuration options: one row, many uses. A row gives the name, kind, bounds, default, when a change applies
 * and the manual's text; parsing, range checks, the difference on reload, the dump and the manual come from it.
 *
 * A value is an int64: a number, a bool, the index of a word, or the length of a short text. Unknown options, wrong
 * kinds and numbers out of range are refused with the option's name and line; nothing is repaired. Source: Knot DNS's
 * schema table, OpenSSH's servconf.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "base/buf.h"

enum conf_kind { CONF_COUNT, CONF_BYTES, CONF_MS, CONF_BOOL, CONF_WORD, CONF_TEXT };
enum conf_apply { CONF_LIVE, CONF_RESTART };

struct conf_option {
    const char *group, *name; /* "limits", "connections" : limits.connections */
    enum conf_kind kind;
    int64_t min, max, normal; /* bounds and default; for CONF_WORD 0 .. words - 1; for CONF_BOOL 0 .. 1; for CONF_TEXT
                                 0 .. the longest, and 0: it is empty unless somebody sets it */
    const char *words; /* CONF_WORD: "error warning info debug"; CONF_TEXT: the characters that it may have, all of
                          them printable ASCII, or NULL: any but space; else NULL */
    enum conf_apply apply;
    const char *text; /* one sentence for the manual */
};

struct conf_schema {
    const struct conf_option *options;
    size_t count; /* at most CONF_OPTIONS_MAX_COUNT */
};

enum { CONF_OPTIONS_MAX_COUNT = 64, CONF_TEXTS_MAX_COUNT = 8, CONF_TEXT_MAX_BYTES = 255, CONF_WHY_BYTES = 256 };

/* One value an option, in the order of the schema; texts in the order of those rows that are texts. */
struct conf_values {
    int64_t v[CONF_OPTIONS_MAX_COUNT];
    char texts[CONF_TEXTS_MAX_COUNT][CONF_TEXT_MAX_BYTES + 1];
};

/* conf_text - the value of a CONF_TEXT row, row number `option`: at most `max` bytes, of the characters that the row
 * allows and no other; never NULL. Valid as long as `values`. O(rows). */
const char *conf_text(const struct conf_schema *schema, const struct conf_values *values, size_t option);

/* conf_defaults - every option at its default. */
void conf_defaults(const struct conf_schema *schema, struct conf_values *ret_values);

/*
 * conf_parse - read a YAML text; options it does not name get their default.
 * Sizes take K, M or G (powers of 1024); durations take ms, s, min or h; a bare number is in the option's own unit.
 * Booleans are true and false only. Texts are what stands there, with or without quotes; the empty text needs them.
 * ret_why  CONF_WHY_BYTES; on CONF_BAD: where and what
 * Returns 0 and sets ret_values, CONF_BAD, or -ENOMEM.
 */
enum { CONF_BAD = 1 };
int conf_parse(const struct conf_schema *schema, struct bytes text, struct conf_values *ret_values,
               char *ret_why) MUST_USE;

/*
 * conf_diff - what a reload would change. Calls `on_change` for each option that differs, with both values as a dump
 * has them: 64K, 30s, true, info, "a text in quotes"; they are printable ASCII, and gone when it returns.
 * Returns the number of differing options whose row says CONF_RESTART.
 */
size_t conf_diff(const struct conf_schema *schema, const struct conf_values *old, const struct conf_values *new,
                 void (*on_change)(const struct conf_option *option, const char *from, const char *to, void *arg),
                 void *arg);

/* conf_dump - append YAML that conf_parse() reads back to the same values; each option with its text as a comment. */
int conf_dump(const struct conf_schema *schema, const struct conf_values *values, struct buf *out) MUST_USE;

/* conf_manual - append the options as mdoc list items, for the manual page. Results as buf_reserve(). */
int conf_manual(const struct conf_schema *schema, struct buf *out) MUST_USE;

/* conf_encode, conf_decode - the values as bytes for a role message; decode checks count, ranges and characters. */
int conf_encode(const struct conf_schema *schema, const struct conf_values *values, struct buf *out) MUST_USE;
bool conf_decode(const struct conf_schema *schema, struct bytes in, struct conf_values *ret_values) MUST_USE;

#endif
