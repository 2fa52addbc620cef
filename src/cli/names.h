/*
 * names - the names in a folder as plain lines, sorted by the daemon, and the drawing of paths as a tree.
 */
#ifndef CLI_NAMES_H
#define CLI_NAMES_H

#include "base/buf.h"

struct cli;

struct names {
    char **items; /* C strings; folders have a slash at the end */
    size_t count, cap;
};

void names_init(struct names *names);
void names_fini(struct names *names);

/* names_add - add a copy of a line. Returns 0 or -ENOMEM. */
int names_add(struct names *names, struct bytes line) MUST_USE;

/* names_sort - by bytes. */
void names_sort(struct names *names);

/* names_fetch - list a folder, all pages. Returns a status as in cli.h. */
int names_fetch(struct cli *cli, const char *path, bool is_recursive, struct names *names) MUST_USE;

/*
 * names_try - the same, and nothing is said of what the daemon refuses.
 * path         checked by path_check()
 * ret_outcome  of model/outcome.h; DONE: the names are there
 * Returns 0, or a fault on this side.
 */
int names_try(struct cli *cli, const char *path, bool is_recursive, struct names *names,
              unsigned *ret_outcome) MUST_USE;

/*
 * names_tree - append the drawing of sorted paths below `top`, a line each, folders with a slash at the end.
 * is_utf8  with box characters, else with ASCII
 * Returns 0 or a fault. Paths that do not lie below `top` are left out.
 */
int names_tree(const struct names *paths, const char *top, bool is_utf8, struct buf *out) MUST_USE;

/* names_has_utf8 - true if the locale of the user says UTF-8. */
bool names_has_utf8(void);

#endif
