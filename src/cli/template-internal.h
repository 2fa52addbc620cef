/* template-internal - what the files of the template engine share: a template as a flat list of nodes. */
#ifndef CLI_TEMPLATE_INTERNAL_H
#define CLI_TEMPLATE_INTERNAL_H

#include "cli/template.h"

enum template_kind {
    TEMPLATE_TEXT,   /* part: the text */
    TEMPLATE_STRING, /* part: between the quotes */
    TEMPLATE_GET,    /* part: the path */
    TEMPLATE_NAME,   /* of the innermost range */
    TEMPLATE_VALUE,
    TEMPLATE_PATH,
    TEMPLATE_RANGE, /* part: the folder; jump: its end */
    TEMPLATE_IF,    /* part: the path; jump: its else or end */
    TEMPLATE_ELSE,  /* jump: its end */
    TEMPLATE_END,   /* jump: what it ends */
};

struct template_node {
    enum template_kind kind;
    uint32_t at; /* offset of the action in the template */
    uint32_t part_at, part_bytes;
    uint32_t jump;
    bool has_default;
    uint32_t default_at, default_bytes; /* between the quotes */
    uint8_t filters_count;
    uint8_t filters[TEMPLATE_FILTERS_MAX_COUNT]; /* rows of template_filters */
};

struct template
{
    struct bytes text;
    struct template_node *nodes;
    size_t count, cap;
};

/* A filter. Returns 0, FILTER_BAD, or a fault of buf_reserve(). */
enum { FILTER_BAD = 1 };
struct template_filter {
    const char *name;
    int (*apply)(struct bytes in, struct buf *out);
    const char *bad; /* what the value is, on FILTER_BAD */
};
extern const struct template_filter template_filters[]; /* ends with a row without a name */

/* template_fail - note an error at an offset of the template. Returns TEMPLATE_BAD. */
int template_fail(struct bytes text, size_t at, struct template_error *ret_error, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* template_unquote - append what stands between quotes, without its backslashes. 0 or a fault of buf_reserve(). */
int template_unquote(struct bytes quoted, struct buf *out) MUST_USE;

#endif
