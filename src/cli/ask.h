/*
 * ask - a passphrase or value from a person: typed on the terminal without echo, or read from standard input.
 *
 * Invariant: the terminal echoes again on every way out, signals included. Source: termios(3), readpassphrase(3bsd).
 */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include "base/buf.h"

struct cli;

/*
 * ask_secret - ask on /dev/tty, without echo, for one line; it is appended without its line feed.
 * secret  a wiping buffer; its maximum is the longest line
 * Returns a status as in cli.h. After a signal that ends the program, it ends by that signal once echo is back.
 */
int ask_secret(struct cli *cli, const char *prompt, struct buf *secret) MUST_USE;

/* ask_shown - the same with echo, for what is no secret; the buffer is a wiping one all the same. */
int ask_shown(struct cli *cli, const char *prompt, struct buf *line) MUST_USE;

/* ask_new_secret - ask twice; refuses an empty line and two that differ. Returns a status. */
int ask_new_secret(struct cli *cli, struct buf *secret) MUST_USE;

/* ask_yes - ask a question at the terminal that standard input is; anything but y or yes is no. Returns a status. */
int ask_yes(struct cli *cli, const char *question, bool *ret_yes) MUST_USE;

/* ask_read_line - the first line of standard input, which must hold nothing else. Returns a status. */
int ask_read_line(struct cli *cli, struct buf *secret) MUST_USE;

#endif
