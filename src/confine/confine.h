/*
 * confine - one profile table, and entering a profile: capabilities, no_new_privs, limits, Landlock, seccomp.
 *
 * Each role of each daemon has one row in profiles.c that says everything it may do. Entering is one way: it only ever
 * narrows. Order: rlimits, uid and capabilities, no_new_privs, Landlock, seccomp (so that the filter need not allow
 * what set-up needs). Kernels without a Landlock right: the right is left out and named in the report, never silently.
 * Source: landlock(7), seccomp(2), capabilities(7), prctl(2).
 */
#ifndef CONFINE_CONFINE_H
#define CONFINE_CONFINE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/fault.h"

/* Places a profile may name; the daemon says where they are (they move with --root). */
enum confine_place {
    CONFINE_STATE,
    CONFINE_CONFIG,
    CONFINE_RUN,
    CONFINE_PROC,
    CONFINE_ETC,
    CONFINE_SELF,
    CONFINE_PEER, /* folder of a socket of somebody else */
    CONFINE_PLACES_COUNT
};

/* What may be done below a place; compiled to the Landlock rights of the running kernel. */
enum confine_right {
    CONFINE_READ = 1u << 0,    /* open for reading */
    CONFINE_LIST = 1u << 1,    /* read folders */
    CONFINE_WRITE = 1u << 2,   /* open for writing, truncate */
    CONFINE_CREATE = 1u << 3,  /* new regular files */
    CONFINE_REMOVE = 1u << 4,  /* unlink files */
    CONFINE_SOCKETS = 1u << 5, /* make UNIX sockets */
    CONFINE_EXEC = 1u << 6,    /* execute */
    CONFINE_FOLDERS = 1u << 7, /* make, rename and remove folders */
    CONFINE_CONNECT = 1u << 8, /* connect to UNIX sockets */
};

struct confine_params {
    const char *places[CONFINE_PLACES_COUNT]; /* absolute paths; NULL where the profile does not need one */
    uint16_t tcp_port;                        /* that a profile that connects may connect to */
    uid_t uid;                                /* become this user; (uid_t)-1 to stay */
    gid_t gid;
};

enum { CONFINE_REPORT_BYTES = 512 };

struct confine_report {
    int landlock_abi; /* 0: the kernel has none, or it is switched off */
    bool has_seccomp;
    char dropped[CONFINE_REPORT_BYTES]; /* rights this kernel cannot hold, in words; "" if none */
};

struct confine_profile; /* one row; see profiles.h of this folder */

/* confine_find - the profile of a role, such as "secregd-engine"; NULL if there is none. */
const struct confine_profile *confine_find(const char *name);

/*
 * confine_enter - enter a profile; there is no way back.
 * Returns 0 and sets ret_report, or FAULT_CONFINE or -errno: the process must end then, it may be half confined.
 * A kernel without Landlock is not a fault (the report says so); a kernel without seccomp is.
 */
int confine_enter(const struct confine_profile *profile, const struct confine_params *params,
                  struct confine_report *ret_report) MUST_USE;

/* confine_landlock_abi - what the kernel offers: 0 for none. */
int confine_landlock_abi(void);

/*
 * confine_status - what /proc says of a live process, for `sreg doctor` and for tests; pure, on the text of
 * /proc/PID/status. Landlock shows in no file of /proc and is therefore not part of it.
 */
struct confine_status {
    bool has_no_new_privs;
    unsigned seccomp_mode; /* 2: filter */
    unsigned seccomp_filters;
    uint64_t cap_effective, cap_permitted, cap_bounding, cap_ambient;
    uid_t uid;
};
enum { CONFINE_MALFORMED = 1 };
int confine_status_parse(const char *text, struct confine_status *ret_status) MUST_USE;

/* confine_status_expected - true if a live process shows what `profile` promises; else why_not names the first gap. */
bool confine_status_expected(const struct confine_profile *profile, const struct confine_status *status,
                             const char **ret_why_not);

#endif
