/*
 * out - text for people: safe on a terminal, in aligned columns, in colour only where that helps.
 *
 * Whatever comes from the daemon is escaped before it is printed, except a raw value that leaves for a file or a pipe.
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <stdio.h>

#include "base/buf.h"

struct cli;

enum { OUT_COLUMNS_MAX_COUNT = 16 };

enum out_color { OUT_PLAIN, OUT_BOLD, OUT_GREEN, OUT_YELLOW, OUT_RED, OUT_BLUE };

/* What a column shows of a member of a JSON map. */
enum out_kind {
    OUT_TEXT,   /* a string, or a number as it stands */
    OUT_NUMBER, /* the same, to the right */
    OUT_USER,   /* a uid, by name where it has one */
    OUT_FLAG,   /* the name of the member if it is true, else nothing */
    OUT_NODE,   /* the type of an entry, or "folder", or "corrupt" */
    OUT_TAGS,   /* the texts of a list, with commas between */
    OUT_DETAIL, /* a string; where the map is a record of the kind "checkpoint", how many records it states */
};

struct out_column {
    const char *title, *member;
    enum out_kind kind;
};

/* A table that is laid out when all rows are known. */
struct out_table {
    const struct out_column *columns;
    size_t columns_count, cells_count;
    size_t widths[OUT_COLUMNS_MAX_COUNT]; /* in characters */
    struct buf cells;                     /* texts with a NUL each, row by row */
};

/* out_table_init - an empty table; columns are borrowed. out_table_fini - free it. */
void out_table_init(struct out_table *t, const struct out_column *columns, size_t columns_count);
void out_table_fini(struct out_table *t);

/* out_table_cell - add the next cell, escaped; rows fill from left to right. Returns 0 or a fault. */
int out_table_cell(struct out_table *t, struct bytes text) MUST_USE;

/* out_table_row - add a row from the members of a JSON map. Returns 0 or a fault. */
int out_table_row(struct out_table *t, struct bytes map) MUST_USE;

/*
 * out_table_print - append the lines: a title line if there is a row and the first column has a title, columns two
 * blanks apart, no blanks at the end. has_color  the title line in bold. Returns 0 or a fault.
 */
int out_table_print(const struct out_table *t, bool has_color, struct buf *out) MUST_USE;

/* out_table_show - print it on standard output. Returns a status as in cli.h. */
int out_table_show(struct cli *cli, const struct out_table *t) MUST_USE;

/* out_member - append what a member of a JSON map says, unescaped; nothing if it is absent or null. 0 or a fault. */
int out_member(struct buf *out, struct bytes map, const char *name, enum out_kind kind) MUST_USE;

/* out_user - append the name of a uid, or its number if it has none. 0 or a fault. */
int out_user(struct buf *out, uint64_t uid) MUST_USE;

/* out_lines - append "title  value" lines, aligned, for those members of a JSON map that say something. 0 or a fault.
 */
int out_lines(struct buf *out, struct bytes map, const struct out_column *lines, size_t count) MUST_USE;

/* out_list - print the elements of the list `name` of a map to standard output, as a table. 0 or a fault. */
int out_list(struct bytes map, const char *name, const struct out_column *columns, size_t count,
             bool has_color) MUST_USE;

/* out_colored - append text in a colour, if has_color. text is safe already. 0 or a fault. */
int out_colored(struct buf *out, bool has_color, enum out_color color, const char *text) MUST_USE;

/*
 * out_value - append a value for a terminal: lines of printable text as they are (tabs too), any other line escaped.
 * Returns 0 or a fault.
 */
int out_value(struct buf *out, struct bytes value) MUST_USE;

/* out_write - write a buffer to standard output. Returns 0 or -errno. */
int out_write(const struct buf *out) MUST_USE;

/* out_width - characters of a UTF-8 text. */
size_t out_width(struct bytes text);

#endif
