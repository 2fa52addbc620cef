/*
 * fetch - values and names of the registry for verbs that say themselves what to make of a refusal.
 */
#ifndef CLI_FETCH_H
#define CLI_FETCH_H

#include "base/buf.h"
#include "cli/names.h"

struct cli;

/*
 * fetch_value - append the value of an entry.
 * path         checked by path_check()
 * value        a wiping buffer
 * ret_outcome  of model/outcome.h; DONE: the value is there
 * Returns 0, or a fault on this side. What the daemon refused is in cli->link, for cli_refused().
 */
int fetch_value(struct cli *cli, struct bytes path, struct buf *value, unsigned *ret_outcome) MUST_USE;

/* fetch_names - the paths of all entries below a folder, in the order of the tree. As fetch_value(). */
int fetch_names(struct cli *cli, struct bytes folder, struct names *names, unsigned *ret_outcome) MUST_USE;

#endif
