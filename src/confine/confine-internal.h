/* confine-internal - the layers that confine_enter() puts on, one by one; for this folder and its tests. */
#ifndef CONFINE_CONFINE_INTERNAL_H
#define CONFINE_CONFINE_INTERNAL_H

#include "confine/confine.h"
#include "confine/profiles.h"

/* Landlock's own layout; a kernel takes as many of its bytes as its ABI knows. */
struct landlock_ruleset {
    uint64_t handled_fs;     /* ABI 1 */
    uint64_t handled_net;    /* ABI 4 */
    uint64_t handled_scopes; /* ABI 6 */
};

struct landlock_plan {
    struct landlock_ruleset ruleset;
    size_t ruleset_bytes; /* the part of it that this ABI knows */
    uint32_t flags;       /* of landlock_restrict_self() */
};

/*
 * landlock_plan_for - what to ask of a kernel of one ABI: every right and scope it can hold.
 * abi              1 or more; those above the newest one known here are used as that one
 * signals_outside  true to leave signals out of the scopes
 */
struct landlock_plan landlock_plan_for(int abi, bool signals_outside);

/*
 * landlock_plan_open - what to ask of a kernel of one ABI for an open profile: files and folders, so that places can be
 * hidden, and signals. abi: as landlock_plan_for()
 */
struct landlock_plan landlock_plan_open(int abi);

/*
 * landlock_rights - the kernel's rights for enum confine_right below one path.
 * is_folder  false: rights that only folders have are left out, since the kernel refuses them for files
 * handled    rights of the plan; others are left out
 */
uint64_t landlock_rights(unsigned rights, bool is_folder, uint64_t handled);

/* landlock_dropped - name what a kernel of this ABI (0: none) cannot hold, with commas between; "" if it can hold all.
 */
void landlock_dropped(int abi, char ret_text[static CONFINE_REPORT_BYTES]);

/* limits_enter - lower the resource limits. Returns 0 or -errno. */
int limits_enter(const struct confine_profile *profile) MUST_USE;

/* identity_enter - become the user and keep only the capabilities of the profile. Returns 0, FAULT_CONFINE or -errno.
 */
int identity_enter(const struct confine_profile *profile, const struct confine_params *params) MUST_USE;

/* landlock_enter - restrict files, ports and scopes; needs no_new_privs or CAP_SYS_ADMIN. Sets landlock_abi and
 * dropped. */
int landlock_enter(const struct confine_profile *profile, const struct confine_params *params,
                   struct confine_report *ret_report) MUST_USE;

/* seccomp_enter - put on the filter of system calls; needs no_new_privs or CAP_SYS_ADMIN. Returns 0 or -errno. */
int seccomp_enter(const struct confine_profile *profile) MUST_USE;

#endif
