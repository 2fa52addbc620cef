/*
 * profiles - the table that says everything each role may do: places, groups of system calls, capabilities, limits.
 *
 * A row is read by the code that enters it, by the checker of live processes and by the probe that tries what the row
 * forbids; nothing else states what a role may do. Whatever stands in no row is refused.
 * Source: landlock(7), seccomp(2), syscalls(2).
 */
#ifndef CONFINE_PROFILES_H
#define CONFINE_PROFILES_H

#include "confine/confine.h"

/* Groups of system calls; a profile names the ones it needs. */
enum confine_group {
    GROUP_BASE = 1u << 0,    /* memory, time, descriptors a process already holds, its own signals and its end */
    GROUP_LOOP = 1u << 1,    /* epoll, timers, signal descriptors, poll */
    GROUP_STREAM = 1u << 2,  /* bytes and descriptors over sockets that are already connected */
    GROUP_ACCEPT = 1u << 3,  /* accept connections on a socket that already listens */
    GROUP_READ = 1u << 4,    /* open and read files; Landlock says which */
    GROUP_WRITE = 1u << 5,   /* create, change, flush, lock and rename files */
    GROUP_UNLINK = 1u << 6,  /* unlink files */
    GROUP_FOLDERS = 1u << 7, /* make folders */
    GROUP_SIGNAL = 1u << 8,  /* send signals */
    GROUP_WAIT = 1u << 9,    /* collect ended children */
    GROUP_PAIR = 1u << 10,   /* make pairs of connected UNIX sockets */
    GROUP_LOCAL = 1u << 11,  /* make UNIX sockets, and connect; Landlock says to which, where it can */
    GROUP_TCP = 1u << 12,    /* make TCP sockets, and connect to the port that Landlock says */
};
enum { GROUPS_COUNT = 13 };

/* What must hold of one argument for a call to pass. */
enum confine_test {
    TEST_NONE,  /* the call passes with any arguments */
    TEST_EQUAL, /* the argument equals `value` */
    TEST_CLEAR, /* no bit of `value` is set in the argument */
    TEST_OTHER, /* the argument is not `value` */
    TEST_SET,   /* every bit of `value` is set in the argument */
    TEST_SELF,  /* the argument is the process id of the caller */
};

struct confine_call {
    int number; /* SCMP_SYS(); negative where this architecture has no such call, which is then left out */
    uint8_t argument;
    enum confine_test test;
    uint64_t value;
    int refuse; /* 0: the call passes; else the errno value it fails with */
};

struct confine_calls {
    const struct confine_call *calls;
    size_t count;
};

/* One place of a profile. */
struct confine_rule {
    enum confine_place place;
    const char *fixed; /* an absolute path instead of a place; NULL for a place */
    unsigned rights;   /* enum confine_right */
    bool is_optional;  /* a path that does not exist is then left out */
};

enum { CONFINE_RULES_MAX_COUNT = 4 };

struct confine_profile {
    const char *name;
    unsigned groups;          /* enum confine_group */
    uint64_t capabilities;    /* bits 1 << CAP_*; kept only if the process has them */
    unsigned files_max_count; /* RLIMIT_NOFILE */
    bool may_signal_outside;  /* signals reach processes that are not confined below this one */
    struct confine_rule rules[CONFINE_RULES_MAX_COUNT]; /* ends at the first row without rights */
    /*
     * A role that runs code of others (PAM modules and the programs they start) cannot be held by a list of what it may
     * do: nobody knows what that code needs. For an open profile the table says what it may not: hidden places, calls
     * (profiles_denials), capabilities that are not named, and limits. It has no groups and no rules. Landlock and
     * seccomp need no_new_privs, which would break helpers with the set-user-ID bit (unix_chkpwd), so an open profile
     * puts the three on only where no such helper is needed: as root.
     */
    bool is_open;
    unsigned hidden_places; /* bits 1 << enum confine_place */
    unsigned cpu_max_s;     /* RLIMIT_CPU; 0: as it was */
    unsigned memory_max_mb; /* RLIMIT_AS; 0: as it was */
};

/* profiles_at - the profiles, one after the other; NULL past the last. */
const struct confine_profile *profiles_at(size_t i);

/* profiles_group - the calls of one group; `bit` is its number, below GROUPS_COUNT. */
struct confine_calls profiles_group(unsigned bit);

/*
 * profiles_refusals - calls that libraries try and survive: they fail with an errno value where the profile does not
 * allow the call, while every other call that is not allowed ends the process.
 */
struct confine_calls profiles_refusals(void);

/* profiles_denials - the calls that no open profile lets pass; they fail with an errno value. */
struct confine_calls profiles_denials(void);

/* profiles_allow - true if the groups of `profile` have a row for a call, whatever its arguments. */
bool profiles_allow(const struct confine_profile *profile, int number);

#endif
