/*
 * draft - a file replaced in steps: claim its name, prepare content with its final owner and mode, put it in place.
 *
 * Why: what goes into a file may have to be read first, and two programs that do so at once must not end with the older
 * of two contents. Whoever claims a name holds its temporary file, locked, until it is committed or dropped.
 * Invariant: a draft is always a file that this process made and nobody else has opened: what an ended program left
 * behind, or somebody put there, is removed and never written to; what this process did not make is never renamed. At
 * every instant the name holds the old or the new content, whole. Source: open(2), flock(2), rename(2), fsync(2).
 */
#ifndef OS_DRAFT_H
#define OS_DRAFT_H

#include <limits.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/fault.h"

enum { DRAFT_HELD = 1 };

struct draft {
    int at, fd; /* at: borrowed; fd: -1 when nothing is held */
    char name[NAME_MAX + 1], temporary[NAME_MAX + 1];
};

/* Owner and mode of the new file; UID or GID -1: leave it as the system makes new files. */
struct draft_owner {
    uid_t uid;
    gid_t gid;
    mode_t mode;
};

/* draft_init - nothing is held. draft_drop - give the claim up; the temporary file goes. May be called at any time. */
void draft_init(struct draft *d);
void draft_drop(struct draft *d);

/*
 * draft_claim - make the temporary file of a name, with mode 0600, and lock it.
 * at       folder; borrowed until draft_drop()
 * name     of the file, without a slash
 * wait_ms  how long to wait for another draft of this name to end
 * Returns 0, DRAFT_HELD (another one is still at work, or a file of another user that must not be
 * opened is in the way), or -errno. Blocks for up to wait_ms.
 */
int draft_claim(struct draft *d, int at, const char *name, unsigned wait_ms) MUST_USE;

/*
 * draft_commit - give owner and mode, then the content, to the temporary file; flush it; rename it; flush the folder.
 * Returns 0 or -errno (-ESTALE: somebody took the temporary file away); the old file is untouched if the fault came
 * before the rename. The claim is over in each case. Blocks for two flushes.
 */
int draft_commit(struct draft *d, struct bytes content, const struct draft_owner *owner) MUST_USE;

#endif
