/*
 * transfer - what export, import and diff share: documents from files and from the tree, and files that they go to.
 * A function that says "status" returns one as in cli.h. Texts and values are held in wiping memory.
 */
#ifndef CLI_TRANSFER_H
#define CLI_TRANSFER_H

#include "cli/cli.h"
#include "cli/dump.h"
#include "cli/merge.h"

/*
 * transfer_format - the format of a file.
 * name  what --format says, or NULL: by the end of the file's name
 * Returns a status.
 */
int transfer_format(struct cli *cli, const char *name, const char *file, const struct dump_format **ret) MUST_USE;

/* transfer_read_file - read a document; file "-": standard input. d: empty. Returns a status. */
int transfer_read_file(struct cli *cli, const char *file, const struct dump_format *format, struct dump *d) MUST_USE;

/*
 * transfer_read_tree - read all below a folder, as of one revision, as far as the caller may read it.
 * may_be_absent  a folder that does not exist is an empty one
 * d              empty; gets base, revision and time
 * Returns a status: 6 if the tree changed each time while it was read.
 */
int transfer_read_tree(struct cli *cli, const char *folder, bool may_be_absent, struct dump *d) MUST_USE;

/* transfer_is_tree - true if a word names a folder of the tree and not a file. */
bool transfer_is_tree(const char *word);

/*
 * transfer_can_write - before the work: true if a file could be written there. Else the status is in ret_status.
 * transfer_write - make a file with mode 0600 that has the whole text or does not exist; an existing one is replaced
 * only if is_forced. Returns a status.
 */
bool transfer_can_write(struct cli *cli, const char *file, bool is_forced, int *ret_status) MUST_USE;
int transfer_write(struct cli *cli, const char *file, bool is_forced, struct bytes text) MUST_USE;

/* transfer_hide - forget the values of sealed entries. Returns how many there were. */
size_t transfer_hide(struct dump *d);

/* transfer_print_steps - the lines of a plan on standard output, the marks in colour. Returns a status. */
int transfer_print_steps(struct cli *cli, const struct merge_plan *plan, const char *folder) MUST_USE;

/* transfer_put_steps - append the steps of a plan that need to be shown as a JSON list. Returns 0 or a fault. */
int transfer_put_steps(struct buf *out, const struct merge_plan *plan, const char *folder) MUST_USE;

#endif
