/*
 * progress - a bar on standard error for work that takes a while; only on a terminal, not with --quiet.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "base/buf.h"

struct cli;

/* progress_line - append the line that shows `done` of `of`: "name  [#####.....]  50%  5/10". Pure. 0 or a fault. */
int progress_line(struct buf *out, const char *name, uint64_t done, uint64_t of) MUST_USE;

/* progress_show - draw it in the place of the one before. progress_end - go to the next line, if one was drawn. */
void progress_show(struct cli *cli, const char *name, uint64_t done, uint64_t of);
void progress_end(struct cli *cli);

#endif
