/*
 * macro - the few language extensions the house allows itself.
 *
 * SCOPED(drop)  run drop(&variable) when the variable leaves its scope: ownership that reads like prose
 * TAKE(p)       move a pointer out of its variable, which becomes NULL
 * TAKE_FD(fd)   move a descriptor out of its variable, which becomes -1
 * MUST_USE      the result of this function may not be ignored
 */
#ifndef BASE_MACRO_H
#define BASE_MACRO_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCOPED(drop) __attribute__((cleanup(drop)))
#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define NORETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))

#define TAKE(p)                                                                                                        \
    __extension__({                                                                                                    \
        __typeof__(p) take_ = (p);                                                                                     \
        (p) = NULL;                                                                                                    \
        take_;                                                                                                         \
    })
#define TAKE_FD(fd)                                                                                                    \
    __extension__({                                                                                                    \
        int take_ = (fd);                                                                                              \
        (fd) = -1;                                                                                                     \
        take_;                                                                                                         \
    })

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))
#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))

/* Defines static void NAME(TYPE **p), a cleanup for SCOPED() that calls FREE(*p). */
#define SCOPED_DROP(name, type, free_fn)                                                                               \
    static inline UNUSED void name(type **p)                                                                           \
    {                                                                                                                  \
        free_fn(*p);                                                                                                   \
    }

#endif
