/*
 * mode - running a mode of the daemon's own program: what writes a store is one code, and confined; see roles.h of
 * registry. A passphrase or key goes to it through a pipe, never through arguments or the environment.
 */
#ifndef CLI_MODE_H
#define CLI_MODE_H

#include "base/bytes.h"
#include "base/fault.h"

struct cli;

enum { MODE_ARGS_MAX_COUNT = 8 };

/* mode_fill_pipe - a pipe that holds a passphrase or key; it takes more than the longest one without a reader. Returns
 * 0 and sets ret_fd, the reading end, or -errno. */
int mode_fill_pipe(struct bytes material, int *ret_fd) MUST_USE;

/*
 * mode_run - run "secregd --mode=NAME ARGUMENT..." and wait for it.
 * args      NULL at the end, at most MODE_ARGS_MAX_COUNT
 * input_fd  its descriptor 3; -1: none
 * Returns its exit status, or a status after the reason was said.
 */
int mode_run(struct cli *cli, const char *name, const char *const args[], int input_fd) MUST_USE;

#endif
