/*
 * pages - the listing of a folder as JSON, all pages of it, for verbs that show or use its rows.
 */
#ifndef CLI_PAGES_H
#define CLI_PAGES_H

#include "base/buf.h"

struct cli;

enum { PAGES_ARGS_MAX_COUNT = 8 };

/* A listing that is asked for: arguments as doc/spec/http-api.md names them. */
struct pages {
    struct cli *cli;
    const char *path;
    struct {
        const char *name, *value; /* value NULL: a flag */
    } args[PAGES_ARGS_MAX_COUNT];
    size_t args_count;
    struct buf after; /* a C string once it holds something */
};

/* pages_arg - ask with an argument; name and value are borrowed. */
void pages_arg(struct pages *p, const char *name, const char *value);

/* pages_each - call on_row (0 or a fault) with the JSON map of each row. Returns a status as in cli.h. */
int pages_each(struct pages *p, int (*on_row)(struct bytes row, void *arg), void *arg) MUST_USE;

/* pages_json - print {"path","entries":[ of all pages ],"next":null}. Returns a status. */
int pages_json(struct pages *p) MUST_USE;

#endif
