/*
 * tx - a transaction that a verb makes: its body is written leaf by leaf, sent, and what came of it is shown.
 *
 * The writers note the first fault, which tx_send() returns: nothing is sent then.
 */
#ifndef CLI_TX_H
#define CLI_TX_H

#include "base/buf.h"

struct cli;
struct args;
struct names;

enum { TX_BODY_MAX_BYTES = 16 << 20 }; /* the daemon takes less, and says so */

struct tx {
    struct cli *cli;
    struct buf body; /* wiping: it may hold values */
    int fault;
    bool is_dry, has_part, has_leaf, has_member;
};

/* tx_init, tx_fini - reason and dry run are those of the verb's options --reason and --dry-run. */
void tx_init(struct tx *t, struct cli *cli);
void tx_fini(struct tx *t);

/* tx_part - what follows is of the list "compare", "then" or "else". */
void tx_part(struct tx *t, const char *name);

/* tx_leaf - begin a leaf; op NULL: a comparison. tx_KIND - a member of it; tx_raw: a JSON text. */
void tx_leaf(struct tx *t, const char *op);
void tx_text(struct tx *t, const char *name, struct bytes text);
void tx_number(struct tx *t, const char *name, uint64_t number);
void tx_raw(struct tx *t, const char *name, const char *json);

/* tx_send - send it. ret_data: the answer, valid until the next request. Returns a status as in cli.h. */
int tx_send(struct tx *t, struct bytes *ret_data) MUST_USE;

/* tx_number_of - a member of the first result: its number, 0 if there is none. */
uint64_t tx_number_of(struct bytes data, const char *name);

/* tx_print - the answer as it is with --json; else nothing. Returns a status. */
int tx_print(struct cli *cli, struct bytes data) MUST_USE;

/*
 * tx_below - the entry at `path`, or all below that folder, as far as the caller may list them.
 * paths  whole paths are added, in the order of the tree
 * Returns a status.
 */
int tx_below(struct cli *cli, const char *path, struct names *paths) MUST_USE;

#endif
