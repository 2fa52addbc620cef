/*
 * fault - the one error contract of the house.
 *
 * A function that can fail returns int. 0: done. Negative: a fault, which is never matched by callers but passed up and
 * logged once, where it is handled, with its origin. Positive: an outcome listed in that function's comment, which the
 * direct caller must handle and never passes up. Faults of the operating system are -errno; ours start at -1001.
 *
 * Source: dbus-broker's error contract; one number space as in Knot DNS.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include "base/macro.h"

// clang-format off
#define FAULT_LIST(X)                                                                                                  \
    X(FAULT_CORRUPT,  -1001, "stored data failed its check")                                                           \
    X(FAULT_LIMIT,    -1002, "a fixed limit was exceeded")                                                             \
    X(FAULT_PROTOCOL, -1003, "a peer broke the protocol")                                                              \
    X(FAULT_CRYPTO,   -1004, "a cryptographic library call failed")                                                    \
    X(FAULT_STORE,    -1005, "the database refused an operation")                                                      \
    X(FAULT_FULL,     -1006, "the storage is full")                                                                    \
    X(FAULT_SYNC,     -1007, "data could not be made durable")                                                         \
    X(FAULT_BUSY,     -1008, "another daemon holds the state folder")                                                  \
    X(FAULT_CONFIG,   -1009, "the configuration is not valid")                                                         \
    X(FAULT_CONFINE,  -1010, "confinement could not be applied")                                                       \
    X(FAULT_SCHEMA,   -1011, "the database has another layout than this program")                                      \
    X(FAULT_INTERNAL, -1012, "a library failed in a way its manual does not list")                                     \
    X(FAULT_GONE,     -1013, "a file that is in use was removed or replaced")
// clang-format on

enum fault {
#define FAULT_ENUM_(name, number, text) name = number,
    FAULT_LIST(FAULT_ENUM_)
#undef FAULT_ENUM_
};

/*
 * fault_raise - note where a fault arose and hand it on.
 *
 * fault   negative fault number
 * file    source file, a literal
 * line    source line
 *
 * Returns `fault`. Keeps the origin for fault_origin(); cost: two stores. Use through RAISE().
 */
int fault_raise(int fault, const char *file, int line);

#define RAISE(fault) fault_raise((fault), __FILE__, __LINE__)

/* TRY(call): evaluate `call`; if it is a fault, return it from the calling function. Outcomes and 0 go on. */
#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        int try_ = (call);                                                                                             \
        if (try_ < 0)                                                                                                  \
            return try_;                                                                                               \
    } while (0)

/*
 * fault_text - a fault in words.
 * Returns a static text, never NULL; for -errno the text of strerrordesc_np(). Never allocates.
 */
const char *fault_text(int fault);

/*
 * fault_origin - where the last fault of this process was raised.
 * ret_line  line number, 0 if no fault was raised yet
 * Returns the base name of the file, "" if no fault was raised yet.
 */
const char *fault_origin(int *ret_line);

#endif
