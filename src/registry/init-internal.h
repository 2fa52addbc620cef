/* init-internal - what the modes of secregd that write a store share: init.c, restore.c. No other file includes it. */
#ifndef REGISTRY_INIT_INTERNAL_H
#define REGISTRY_INIT_INTERNAL_H

#include "crypt/secret.h"
#include "proc/proc.h"
#include "trail/epoch.h"

enum { INIT_MATERIAL_FD = 3 };

/* Who the files are given to: under systemd or OpenRC the engine has a user of its own. */
struct owner {
    uid_t uid; /* (uid_t)-1: files stay who made them */
    gid_t gid;
};

struct places {
    char state[PROC_PATH_MAX_BYTES], config[PROC_PATH_MAX_BYTES], run[PROC_PATH_MAX_BYTES], key[PROC_PATH_MAX_BYTES];
    char db[PROC_PATH_MAX_BYTES + 32];
};

/* init_find_places - where things are below a root. init_make_places - make the folders. Return 0 or a fault. */
int init_find_places(const char *root, struct places *ret_places) MUST_USE;
int init_make_places(const struct places *p) MUST_USE;

/* init_find_owner - the engine's user, if this is root on the running system. */
struct owner init_find_owner(const char *root);

/* init_give_folder - a folder and the files in it get that owner. Returns 0 or a fault. */
int init_give_folder(const char *path, const struct owner *owner) MUST_USE;

/* init_enter_profile - be confined from here on: only folders of the places can be written. 0 or a fault. */
int init_enter_profile(const struct places *p) MUST_USE;

/* init_read_material - a passphrase or key from INIT_MATERIAL_FD. Returns 0, FAULT_LIMIT (none, or too long), a fault.
 */
int init_read_material(struct secret *ret_material) MUST_USE;

/* init_tell_seed - write the seed of a trail to standard output, between two texts: it is told once and kept nowhere,
 * not even in a buffer. Returns 0 or -errno. */
int init_tell_seed(const struct epoch_seed *seed, const char *before, const char *behind) MUST_USE;

/* init_restore - the mode restore; see init.h. Returns the exit status. */
int init_restore(const char *root, int argc, char **argv);

#endif
