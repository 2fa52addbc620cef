/*
 * outcome - every way a request can end, as one table: number in the trail, code in replies, HTTP status, exit code of
 * the command line, and the text a person reads.
 */
#ifndef MODEL_OUTCOME_H
#define MODEL_OUTCOME_H

#include "base/bytes.h"

// clang-format off
/* name, stored number (never renumber), code, HTTP status, exit code, text */
#define OUTCOME_LIST(X)                                                                                                \
    X(DONE,         0, "done",            200, 0, "done")                                                              \
    X(BAD_REQUEST,  1, "bad-request",     400, 2, "the request is malformed")                                          \
    X(BAD_PATH,     2, "bad-path",        400, 2, "not a valid path")                                                  \
    X(BAD_VALUE,    3, "bad-value",       422, 2, "the value does not fit its type")                                   \
    X(TOO_LARGE,    4, "too-large",       413, 2, "larger than the limit")                                             \
    X(NOT_FOUND,    5, "not-found",       404, 3, "no such entry")                                                     \
    X(REFUSED,      6, "refused",         403, 4, "not permitted by the rules")                                        \
    X(AUTH_FAILED,  7, "wrong-key",       403, 5, "the passphrase or key file is not the right one")                   \
    X(CONFLICT,     8, "conflict",        412, 6, "the entry is not at the expected version")                          \
    X(EXISTS,       9, "exists",          412, 6, "the entry exists already")                                          \
    X(IS_FOLDER,   10, "is-folder",       409, 6, "the path is a folder")                                              \
    X(NOT_FOLDER,  11, "not-folder",      409, 6, "a part of the path is an entry, not a folder")                      \
    X(LOCKED,      12, "locked",          503, 7, "the registry is locked")                                            \
    X(FULL,        13, "storage-full",    507, 7, "the storage is full")                                               \
    X(LIMIT,       14, "limit",           429, 7, "more than this user's share")                                       \
    X(CORRUPT,     15, "corrupt",         500, 8, "stored data failed its check")                                      \
    X(INTERNAL,    16, "internal",        500, 1, "the service failed; its log says more")                             \
    X(LAST_ADMIN,  17, "last-admin",      409, 6, "no administrator would be left")                                    \
    X(UNAVAILABLE, 18, "unavailable",     503, 7, "the service is stopping")                                           \
    X(BAD_METHOD,  19, "bad-method",      405, 2, "the resource has no such method")                                   \
    X(NO_ROUTE,    20, "no-route",        404, 3, "no such resource")                                                  \
    X(BAD_CONFIG,  21, "bad-config",      422, 1, "the new configuration is not valid; the old one stays")             \
    X(TIMEOUT,     22, "timeout",         408, 7, "the request did not arrive in time")                                \
    X(BAD_HTTP,    23, "bad-http",        400, 1, "not acceptable as HTTP/1.1")                                       \
    X(GONE,        24, "gone",            410, 3, "no longer kept")     \
    X(LOGIN_FAILED, 25, "login-failed",   401, 5, "the answers are not the right ones")                                \
    X(LOGIN_EXPIRED, 26, "login-expired", 403, 5, "the account or its password has expired")                           \
    X(LOCKED_OUT, 27, "locked-out",      429, 5, "too many failed logins")                                            \
    X(LOGIN_BROKEN, 28, "login-broken",   503, 7, "the login could not be carried out; the log says more")             \
    X(BAD_SESSION, 29, "bad-session",     401, 5, "the session is not valid, or is over")                              \
    X(NO_LOGIN, 30, "no-login",        409, 5, "no such login is under way on this connection")  \
    X(LAST_SLOT,   31, "last-slot",       409, 6, "no key slot would be left")                                         \
    X(BUSY,        32, "busy",            409, 7, "another work of this kind goes on")  \
    X(PENDING,     33, "pending",         202, 9, "not done yet: it waits until somebody else approves it")
// clang-format on

enum outcome {
#define OUTCOME_ENUM_(name, number, code, status, exit, text) OUTCOME_##name = number,
    OUTCOME_LIST(OUTCOME_ENUM_)
#undef OUTCOME_ENUM_
        OUTCOME_COUNT
};

/* outcome_code, outcome_status, outcome_exit, outcome_text - a column of the row; an unknown number counts as INTERNAL.
 */
const char *outcome_code(unsigned outcome);
unsigned outcome_status(unsigned outcome);
int outcome_exit(unsigned outcome);
const char *outcome_text(unsigned outcome);

/* outcome_of_code - the number of a code, or OUTCOME_COUNT if there is none. */
unsigned outcome_of_code(struct bytes code);

#endif
