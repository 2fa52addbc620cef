/*
 * cli - what the verbs of sreg share: the connection, messages, and exit statuses.
 *
 * Data goes to standard output, everything else to standard error. A function that says "status" returns the exit
 * status of the program: 0, or a positive number after it has said why on standard error (as text, or with --json as
 * {"code","message"}). Source of the statuses: model/outcome.h.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdio.h>

#include "base/buf.h"
#include "cli/args.h"
#include "lib/secreg-internal.h"

/* What the table of outcomes does not name. */
enum { CLI_FAILED = 1, CLI_USAGE = 2, CLI_REFUSED = 4, CLI_UNAVAILABLE = 7, CLI_CORRUPT = 8 };

enum { CLI_TARGET_MAX_BYTES = 8192, CLI_FIELDS_MAX_BYTES = 8192, CLI_TEXT_MAX_BYTES = 32 << 20 };

struct cli {
    const char *root; /* "" for the running system */
    bool is_json, is_quiet;
    bool has_color; /* standard output is a terminal that may show colour */
    bool is_tty_out, is_tty_err;
    struct secreg *link;
    unsigned timeout_ms;     /* of the verb's requests; 0: the normal one */
    bool has_no_session;     /* of the verb: requests carry no token, even if one is at hand */
    const struct args *args; /* of the verb that runs */
};

/* cli_main - run sreg. Returns the exit status. */
int cli_main(int argc, char **argv);

/* ---- requests -----------------------------------------------------------------------------------------------------
 */

/*
 * cli_ask - send a request and take a success as the answer.
 * ask         target as the functions below make it; fields made by http1_write_field(); is_read as the method says
 * ret_answer  views that are valid until the next request
 * Returns a status; what the daemon refused has been said.
 */
int cli_ask(struct cli *cli, const struct secreg_ask *ask, struct secreg_answer *ret_answer) MUST_USE;

/* cli_try - the same, but nothing is said: what went wrong is in cli->link. ret_outcome: of model/outcome.h. */
bool cli_try(struct cli *cli, const struct secreg_ask *ask, struct secreg_answer *ret_answer,
             unsigned *ret_outcome) MUST_USE;

/*
 * cli_refused - say what the last cli_try() ended with, behind what it was about ("/registry/a", a place in a file;
 * NULL: nothing is put before it). Returns the status of the outcome.
 */
int cli_refused(struct cli *cli, unsigned outcome, const char *about);

/* cli_data - cli_ask(), and the text of the member `data` of the envelope. Returns a status. */
int cli_data(struct cli *cli, const struct secreg_ask *ask, struct bytes *ret_data) MUST_USE;

/* cli_get_data - cli_data() for a GET without fields or body. */
int cli_get_data(struct cli *cli, struct bytes target, struct bytes *ret_data) MUST_USE;

/*
 * cli_target_path - append the target of a path in the tree, encoded.
 * is_folder  a slash is put at the end, if there is none yet
 * Returns a status; a path outside /registry is refused here, so that it can name no other resource.
 */
int cli_target_path(struct cli *cli, struct buf *out, const char *path, bool is_folder) MUST_USE;

/* cli_target_arg - append "?name=value" or "&name=value", encoded; value NULL: a flag. Returns a status. */
int cli_target_arg(struct cli *cli, struct buf *out, const char *name, const char *value) MUST_USE;

/* cli_field - append a header line. Returns a status; a value with control characters is refused. */
int cli_field(struct cli *cli, struct buf *out, const char *name, const char *value) MUST_USE;

/* ---- messages -----------------------------------------------------------------------------------------------------
 */

/* cli_error - say what went wrong. outcome: of model/outcome.h; gives the code and the status that is returned. */
int cli_error(struct cli *cli, unsigned outcome, const char *format, ...) PRINTF_LIKE(3, 4);

/* cli_usage_error - the same for a wrong command line, with a hint at the help. Returns CLI_USAGE. */
int cli_usage_error(struct cli *cli, const char *format, ...) PRINTF_LIKE(2, 3);

/* cli_fault - say a fault (not enough memory, a file that cannot be read). Returns CLI_FAILED, or 0 for 0. */
int cli_fault(struct cli *cli, int fault, const char *what);

/* cli_warn - a warning on standard error; not with --quiet. */
void cli_warn(struct cli *cli, const char *format, ...) PRINTF_LIKE(2, 3);

/* cli_note - "done" messages on standard error for people: only when standard error is a terminal, not with --quiet. */
void cli_note(struct cli *cli, const char *format, ...) PRINTF_LIKE(2, 3);

/* cli_print_json - one line of standard output. Returns 0. */
int cli_print_json(struct bytes text);

/* cli_number_option - a number given with an option; `ret` keeps its value if it is not given. Returns a status. */
int cli_number_option(struct cli *cli, const char *name, uint64_t max, uint64_t *ret) MUST_USE;

#endif
