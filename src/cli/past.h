/*
 * past - what was: kept versions of an entry, acts of a request in the trail, and the revision at a time.
 */
#ifndef CLI_PAST_H
#define CLI_PAST_H

#include "base/clock.h"
#include "cli/names.h"

struct cli;

/* One kept version. */
struct past_version {
    uint64_t version, revision;
    bool is_deleted, is_destroyed;
    char changed[CLOCK_TEXT_BYTES];
};

/*
 * past_history - hand the kept versions of an entry to on_version, newest first, until it returns non-zero.
 * ret_outcome  of model/outcome.h; DONE: there is an entry, or was
 * Returns a status as in cli.h; what the daemon refused is in cli->link, for cli_refused().
 */
int past_history(struct cli *cli, const char *path, int (*on_version)(const struct past_version *v, void *arg),
                 void *arg, unsigned *ret_outcome) MUST_USE;

/* What one request did. */
struct past_request {
    struct names paths; /* of entries it changed, sorted, each once */
    uint64_t revision;  /* that its changes made */
    size_t other_count; /* acts that cannot be undone: rules, destroyed versions */
};

/*
 * past_request - look for a request in the trail, newest records first.
 * id   as replies and records show it
 * ret  paths must be initialised, and is empty if the trail has no change by that request
 * Returns a status.
 */
int past_request(struct cli *cli, const char *id, struct past_request *ret) MUST_USE;

/*
 * past_revision - the revision of the tree just before a time, from the trail.
 * time         RFC 3339
 * ret_outcome  DONE; NOT_FOUND: nothing was recorded before that time; REFUSED: without the right to read the trail
 * Returns a status: other refusals have been said.
 */
int past_revision(struct cli *cli, const char *time, uint64_t *ret_revision, unsigned *ret_outcome) MUST_USE;

#endif
