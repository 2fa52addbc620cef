/*
 * progress - a line on standard error that says how far long work has come: on a terminal only, not with --quiet, and
 * not before a second has passed.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "base/buf.h"
#include "base/clock.h"

struct cli;

struct progress {
    const struct cli *cli;
    struct mono_time next;
    bool is_shown;
};

/* progress_line - append the line that shows `done` of `of`: "name [#####.....]  50%, 5 of 10"; of 0: not known, and
 * there is a count and no bar. Pure. 0 or a fault. */
int progress_line(struct buf *out, const char *name, uint64_t done, uint64_t of) MUST_USE;

/* progress_init - work begins now. progress_show - draw the line in the place of the one before, at most ten times a
 * second. */
void progress_init(struct progress *p, const struct cli *cli);
void progress_show(struct progress *p, const char *name, uint64_t done, uint64_t of);

/* progress_clear - take the line away, before anything else is written to the terminal. */
void progress_clear(struct progress *p);

#endif
