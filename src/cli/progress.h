/*
 * progress - a line on standard error that says how far long work has come: on a terminal only, not with --quiet, and
 * not before a second has passed.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "base/clock.h"

struct cli;

struct progress {
    const struct cli *cli;
    struct mono_time next;
    bool is_shown;
};

/* progress_init - work begins now. */
void progress_init(struct progress *p, const struct cli *cli);

/* progress_show - what: a verb such as "reading"; total 0: not known, and there is a count and no bar. */
void progress_show(struct progress *p, const char *what, size_t done, size_t total);

/* progress_clear - take the line away, before anything else is written to the terminal. */
void progress_clear(struct progress *p);

#endif
