/*
 * complete - completion for shells, made from the table of verbs. Paths are completed by asking the daemon, so that
 * what a user may not list is not shown.
 */
#ifndef CLI_COMPLETE_H
#define CLI_COMPLETE_H

#include "base/buf.h"
#include "cli/args.h"

/* complete_bash, complete_zsh, complete_fish - append the script. Return 0 or a fault. */
int complete_bash(const struct verb *table, struct buf *out) MUST_USE;
int complete_zsh(const struct verb *table, struct buf *out) MUST_USE;
int complete_fish(const struct verb *table, struct buf *out) MUST_USE;

#endif
