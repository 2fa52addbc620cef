/* variant - see variant.h. */
#include "confine/variant.h"

#include <fcntl.h>
#include <seccomp.h>

#define CALL(name)                                                                                                     \
    {                                                                                                                  \
        SCMP_SYS(name), 0, TEST_NONE, 0, 0                                                                             \
    }
#define CALL_IF(name, argument, test, value)                                                                           \
    {                                                                                                                  \
        SCMP_SYS(name), argument, test, value, 0                                                                       \
    }

// clang-format off
#if defined(CONFINE_COVERAGE)
/* libgcov opens, locks, reads, merges and writes a file for each object */
static const struct confine_call calls[] = {
    CALL(open), CALL(openat), CALL(newfstatat), CALL(mkdir), CALL(umask), CALL(ftruncate), CALL(access), CALL(getcwd),
    CALL_IF(fcntl, 1, TEST_EQUAL, F_SETLK), CALL_IF(fcntl, 1, TEST_EQUAL, F_SETLKW),
};
static const char note[] = "files (coverage build: Landlock leaves them open)";
#elif defined(CONFINE_SANITIZED)
/* the run-time library looks at the memory map and keeps a signal stack; the files it wants stay refused by Landlock */
static const struct confine_call calls[] = {
    CALL(sigaltstack), CALL(pipe), CALL(pipe2), CALL(open), CALL(openat), CALL(readlink), CALL(newfstatat),
    CALL(getrusage), CALL(sched_getaffinity),
};
static const char note[] = "some system calls (sanitizer build)";
#else
static const char note[] = "";
#endif
// clang-format on

struct confine_calls variant_calls(void)
{
#if defined(CONFINE_COVERAGE) || defined(CONFINE_SANITIZED)
    return (struct confine_calls){calls, COUNT_OF(calls)};
#else
    return (struct confine_calls){NULL, 0};
#endif
}

bool variant_opens_files(void)
{
#if defined(CONFINE_COVERAGE)
    return true;
#else
    return false;
#endif
}

bool variant_maps_all_memory(void)
{
#if defined(CONFINE_SANITIZED)
    return true;
#else
    return false;
#endif
}

const char *variant_note(void)
{
    return note;
}
