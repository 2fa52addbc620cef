/*
 * inject - the environment of a program that is given entries of the registry. Pure, and in wiped memory.
 *
 * Names are made from paths by one rule, and two entries never share a name: a program gets what its folder says, or
 * is not started. Names that the loader, the C library, a shell or an interpreter obeys are not made from paths: who
 * may write an entry must not thereby run code in the program that reads it. Source: environ(7), ld.so(8)
 * (secure-execution mode), execve(2).
 */
#ifndef CLI_INJECT_H
#define CLI_INJECT_H

#include "base/bytes.h"
#include "base/fault.h"

enum {
    INJECT_NAME_MAX_BYTES = 256,      /* of a name, with its NUL */
    INJECT_MAX_COUNT = 4096,          /* variables */
    INJECT_TEXT_MAX_BYTES = 32 * 4096 /* of NAME=VALUE with its NUL: MAX_ARG_STRLEN of the kernel */
};

/* Why a name or a value cannot be used, and in words. */
enum inject_result {
    INJECT_BAD_NAME = 1,  /* not letters, digits and _ with no digit first */
    INJECT_LONG_NAME = 2, /* does not fit in INJECT_NAME_MAX_BYTES */
    INJECT_SPECIAL = 3,   /* obeyed by the loader, a shell or an interpreter: has to be named by hand */
    INJECT_OURS = 4,      /* begins with SECREG_ */
    INJECT_TWICE = 5,     /* another entry has it */
    INJECT_NUL = 6,       /* the value holds a NUL byte */
    INJECT_LONG = 7,      /* the value does not fit in a variable */
    INJECT_MANY = 8,      /* more than INJECT_MAX_COUNT */
};
const char *inject_why(int result);

struct inject_item {
    char *text; /* NAME=VALUE */
    size_t name_bytes, text_bytes;
    char *path; /* where it comes from */
};

struct inject {
    struct inject_item *items;
    size_t count, cap;
};

void inject_init(struct inject *in);

/* inject_fini - wipe and free all of it. */
void inject_fini(struct inject *in);

/*
 * inject_name_of - make the name of a variable from the path of an entry.
 * path    of the entry, checked
 * folder  what is left out of the name: path lies below it
 * prefix, suffix  put around it as they are
 * Returns 0, INJECT_BAD_NAME, INJECT_LONG_NAME, INJECT_SPECIAL or INJECT_OURS.
 */
int inject_name_of(struct bytes path, struct bytes folder, const char *prefix, const char *suffix,
                   char ret_name[static INJECT_NAME_MAX_BYTES]) MUST_USE;

/* inject_name_check - the same judgement of a name given by hand, which may be special: 0 or a result as above. */
int inject_name_check(struct bytes name) MUST_USE;

/* inject_find - the item of a name, or NULL. */
const struct inject_item *inject_find(const struct inject *in, const char *name);

/*
 * inject_add - add a variable; everything is copied. path: where the value comes from, for messages.
 * Returns 0, INJECT_TWICE, INJECT_NUL, INJECT_LONG, INJECT_MANY or -ENOMEM.
 */
int inject_add(struct inject *in, const char *name, struct bytes path, struct bytes value) MUST_USE;

/*
 * inject_environment - the whole environment: what is inherited, without names that begin with SECREG_ (but
 * SECREG_ROOT) and without those that an item replaces, and the items.
 * ret_environment  ends with NULL; the list is freed with free(), the texts are borrowed
 * Returns 0 or -ENOMEM.
 */
int inject_environment(const struct inject *in, char *const *inherited, char ***ret_environment) MUST_USE;

#endif
