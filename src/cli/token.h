/*
 * token - where sreg keeps the token of a session between two runs: one small file that only its user can read.
 *
 * $SECREG_SESSION names the file itself. Else it lies in $XDG_RUNTIME_DIR/secreg, in /run/user/UID/secreg, or, where
 * neither folder exists, in ~/.cache/secreg; it is called "session", and with --root "session-" and a hash of the root,
 * so that the token of one registry is never shown to another. A file that another user could have written or can read
 * is not used, and the reason is said. Source: XDG Base Directory Specification; file-hierarchy(7).
 */
#ifndef CLI_TOKEN_H
#define CLI_TOKEN_H

#include "base/buf.h"

struct cli;

/* token_path - the file; "" if no place for it is known. Static storage, valid until the next call. */
const char *token_path(struct cli *cli);

/* token_load - read the token, if there is one, as a C string; else ret is "". Says why a file is not used. */
void token_load(struct cli *cli, char *ret, size_t ret_bytes);

/* token_store - keep a token, with the folder for it. Returns a status. */
int token_store(struct cli *cli, struct bytes token) MUST_USE;

/* token_remove - forget the token. Returns true if there was one. */
bool token_remove(struct cli *cli);

#endif
