/*
 * template - text with places for entries of the registry. Pure: where values come from is the caller's affair.
 *
 * A template is read whole, and refused with line and column, before anything is asked for. What a source gives is
 * data: it goes to the output and is never read as template. Errors name places and paths, never a value. The language:
 * doc/spec/template.md.
 */
#ifndef CLI_TEMPLATE_H
#define CLI_TEMPLATE_H

#include "base/buf.h"

enum {
    TEMPLATE_MAX_BYTES = 1 << 20,
    TEMPLATE_OUT_MAX_BYTES = 16 << 20,
    TEMPLATE_DEPTH_MAX_COUNT = 16,   /* blocks inside each other */
    TEMPLATE_READS_MAX_COUNT = 4096, /* entries asked for, folders listed, and turns of all ranges */
    TEMPLATE_FILTERS_MAX_COUNT = 8,  /* of one action */
    TEMPLATE_WHY_BYTES = 640,
};

/* How reading or rendering can end, beside 0 and a fault. */
enum template_result {
    TEMPLATE_BAD = 1,    /* the template is malformed, a value does not fit a filter, or a limit was passed */
    TEMPLATE_ABSENT = 2, /* there is no such entry or folder */
    TEMPLATE_FOLDER = 3, /* the path is a folder */
    TEMPLATE_STOP = 4,   /* the source cannot say; it knows why */
};

/* Where and why. After TEMPLATE_ABSENT, _FOLDER and _STOP, `why` is the path that was asked for. */
struct template_error {
    size_t line, column; /* from 1; columns count bytes */
    char why[TEMPLATE_WHY_BYTES];
};

/* Where values come from. Both return 0, TEMPLATE_ABSENT, TEMPLATE_FOLDER (get only), TEMPLATE_STOP or a fault. */
struct template_source {
    int (*get)(void *arg, struct bytes path, struct buf *value);
    int (*list)(void *arg, struct bytes folder, struct buf *lines); /* paths of all entries below, a line feed each */
    void *arg;
};

struct template;

/*
 * template_parse - read a template.
 * text          borrowed until template_free()
 * ret_template  free it with template_free()
 * ret_error     set on TEMPLATE_BAD
 * Returns 0, TEMPLATE_BAD, or -ENOMEM. O(bytes).
 */
int template_parse(struct bytes text, struct template **ret_template, struct template_error *ret_error) MUST_USE;

/* template_free - free a template; NULL is allowed. Returns NULL. */
struct template *template_free(struct template *t);

/*
 * template_render - append what the template makes of the values of a source.
 * out        a wiping buffer; holds a part of the output if this does not return 0
 * marks      gets one byte for each one of the output: 1 if it stems from the value of an entry, else 0; NULL: not
 * wanted ret_error  set on a positive result Returns 0, a template_result, or a fault. Values are held in wiping memory
 * only.
 */
int template_render(const struct template *t, const struct template_source *source, struct buf *out, struct buf *marks,
                    struct template_error *ret_error) MUST_USE;

#endif
