/*
 * probe - the acts that confine-probe tries: what each needs of a profile, and how it is refused without that.
 *
 * Every act runs in a process of its own that has just entered the profile. What it needs is stated in the words of the
 * profile table (groups, places, rights), so that a changed row changes what is expected, and a filter or a ruleset
 * that does not do what its row says shows.
 */
#ifndef PROBE_H
#define PROBE_H

#include "confine/profiles.h"

enum { ENDED = 1000 }; /* as a refusal: the filter ends the process */

/* What a profile must have for the act to work. */
struct need {
    bool is_never;            /* no profile allows it */
    unsigned groups;          /* enum confine_group; all of them */
    unsigned rights;          /* enum confine_right on `place`; 0: no file is involved */
    enum confine_place place; /* CONFINE_PLACES_COUNT: outside every place, unless `fixed` */
    const char *fixed;
    bool signals_outside; /* the profile's own word for it */
};

struct act {
    const char *name;
    int number;            /* the system call that decides, SYS_*; -1 where several are */
    long arguments[6];     /* if `run` is NULL */
    int (*run)(void);      /* 0 or an errno value */
    bool (*prepare)(void); /* before the profile is entered; NULL for nothing; false: this system cannot try it */
    struct need need;
    int by_filter;    /* how the filter refuses: ENDED or an errno value */
    int by_landlock;  /* how Landlock refuses */
    int landlock_abi; /* the first one that can */
};

/* acts_at - the acts, one after the other; NULL past the last. */
const struct act *acts_at(size_t i);

/* acts_in - tell the acts where the places are; the folders and a file "file" in each exist. */
void acts_in(const char *const places[static CONFINE_PLACES_COUNT]);

/* acts_library_at - acts through libraries, with the calls those make. */
const struct act *acts_library_at(size_t i);
const char *acts_place(enum confine_place place);

#endif
