/*
 * material - what opens a slot, as a person gives it: typed, as a line of standard input, or as a file.
 */
#ifndef CLI_MATERIAL_H
#define CLI_MATERIAL_H

#include "base/buf.h"

struct cli;
struct args;

/* material_init - a buffer for one; it wipes. */
void material_init(struct buf *material);

/*
 * material_file - append the bytes of a key file, or the one line of a file that holds a passphrase.
 * Returns a status as in cli.h; a file of another length or form is refused.
 */
int material_file(struct cli *cli, const char *path, bool is_key, struct buf *material) MUST_USE;

/*
 * material_choose - for a verb with the options passphrase-stdin and key-file: what they say, else the key file of the
 * daemon if `takes_key` and it can be read, else a passphrase that is asked for.
 * ret_is_key  it is the content of a key file
 * Returns a status.
 */
int material_choose(struct cli *cli, const struct args *args, bool takes_key, struct buf *material,
                    bool *ret_is_key) MUST_USE;

#endif
