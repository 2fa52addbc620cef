/*
 * cmd-entry - what the verbs set and del do by a transaction: the same without doing it, and whole subtrees.
 */
#ifndef CLI_CMD_ENTRY_H
#define CLI_CMD_ENTRY_H

#include "base/bytes.h"

struct cli;
struct args;

/* cmd_set_dry - say what `set` with the verb's options would do. expires: a time, "never", or NULL. Returns a status.
 */
int cmd_set_dry(struct cli *cli, struct bytes value, const char *expires) MUST_USE;

/* cmd_del_tx - `del` with --recursive, --dry-run, or both. Returns a status. */
int cmd_del_tx(struct cli *cli, const struct args *args) MUST_USE;

#endif
