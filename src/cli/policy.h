/*
 * policy - what the verbs that change or explain rules and roles share.
 */
#ifndef CLI_POLICY_H
#define CLI_POLICY_H

#include "cli/cli.h"

enum { POLICY_PRINCIPAL_MAX_BYTES = 300, POLICY_BODY_MAX_BYTES = 8192 };

/* Options of every verb that changes rules or roles; for the end of a table of options. */
#define POLICY_EDIT_OPTIONS                                                                                            \
    {"if-revision", 0, "N", "only if rules and roles were last changed at revision N, as shown with them"},            \
    {                                                                                                                  \
        "dry-run", 0, NULL, "change nothing and show who would gain and lose what"                                     \
    }

/* policy_principal - a principal with the name of a user or group of this host replaced by its number. A status. */
int policy_principal(struct cli *cli, const char *text, char ret[static POLICY_PRINCIPAL_MAX_BYTES]) MUST_USE;

/* policy_member - append `"name":"value"` to a JSON map, with what has to stand before it. 0 or a fault. */
int policy_member(struct buf *body, const char *name, struct bytes value) MUST_USE;

/*
 * policy_edit - ask for a change, with the options of the verb that runs; a dry run's report is printed here.
 * target    without "dry_run"; it is added to
 * body      for POST; empty for DELETE
 * ret_data  the reply
 * ret_is_said  nothing is left to say
 */
int policy_edit(struct cli *cli, const char *method, struct buf *target, struct bytes body, struct bytes *ret_data,
                bool *ret_is_said) MUST_USE;

/* policy_note_revision - for people: at which revision rules and roles were last changed. */
void policy_note_revision(struct cli *cli, struct bytes data);

#endif
