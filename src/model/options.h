/*
 * options - the configuration of secregd: one row an option; see conf/conf.h for what is made of it.
 */
#ifndef MODEL_OPTIONS_H
#define MODEL_OPTIONS_H

#include "conf/conf.h"

// clang-format off
/* id, group, name, kind, min, max, default, words, apply, text */
#define OPTIONS_LIST(X)                                                                                                \
    X(LOG_LEVEL, "log", "level", CONF_WORD, 0, 3, 2, "error warning info debug", CONF_LIVE,                            \
      "Least important level of message that is written to standard error.")                                           \
    X(FRONT_COUNT, "front", "count", CONF_COUNT, 1, 16, 1, NULL, CONF_RESTART,                                         \
      "Processes that parse requests.")                                                                                \
    X(CONNS, "limits", "connections", CONF_COUNT, 8, 4000, 1000, NULL, CONF_LIVE,                                      \
      "Connections served at a time, of all users together.")                                                          \
    X(CONNS_PER_UID, "limits", "connections_per_uid", CONF_COUNT, 1, 4000, 250, NULL, CONF_LIVE,                       \
      "Connections of one user served at a time.")                                                                     \
    X(BYTES_PER_UID, "limits", "bytes_in_flight_per_uid", CONF_BYTES, 1 << 20, 1 << 30, 32 << 20, NULL, CONF_LIVE,     \
      "Bytes of requests and replies held at a time for one user, in each front.")                                     \
    X(REQUESTS_PER_UID, "limits", "requests_per_second_per_uid", CONF_COUNT, 0, 10000000, 20000, NULL, CONF_LIVE,      \
      "Requests of one user decided in a second, on average over ten; 0: any number; nobody who may control is held to it.")\
    X(ENTRIES_PER_UID, "limits", "entries_per_uid", CONF_COUNT, 0, 100000000, 100000, NULL, CONF_LIVE,                 \
      "Entries that one user may have created; 0: any number; nobody who may control is held to it.")                      \
    X(STORED_PER_UID, "limits", "bytes_stored_per_uid", CONF_BYTES, 0, INT64_C(1) << 40, 256 << 20, NULL, CONF_LIVE,   \
      "Bytes of the values of those entries; 0: any number; nobody who may control is held to it.")                        \
    X(HEAD_MS, "http", "head_timeout", CONF_MS, 100, 600000, 10000, NULL, CONF_LIVE,                                   \
      "How long a client may take to send the head of a request.")                                                     \
    X(BODY_MS, "http", "body_timeout", CONF_MS, 100, 600000, 30000, NULL, CONF_LIVE,                                   \
      "How long a client may take to send the body of a request.")                                                     \
    X(IDLE_MS, "http", "idle_timeout", CONF_MS, 100, 3600000, 300000, NULL, CONF_LIVE,                                 \
      "Close a connection that has asked nothing for this long.")                                                      \
    X(WRITE_MS, "http", "write_timeout", CONF_MS, 100, 600000, 30000, NULL, CONF_LIVE,                                 \
      "Close a connection whose client takes nothing of a reply for this long.")                                       \
    X(VERSIONS, "history", "versions", CONF_COUNT, 1, 1000, 10, NULL, CONF_LIVE,                                       \
      "Versions kept of each entry.")                                                                                  \
    X(TOMBS, "history", "deleted_entries", CONF_COUNT, 0, 1000000, 10000, NULL, CONF_LIVE,                             \
      "Deleted entries whose history is kept, in all; beyond it the one deleted first is forgotten.")                  \
    X(READ_DURABILITY, "audit", "read_durability", CONF_WORD, 0, 2, 0, "reserved group none-lost", CONF_LIVE,          \
      "What power loss may do to the records of reads that were answered. reserved: some are lost, and the trail says how many at most. group: none but those of one turn, that is of requests answered together. none-lost: none; each answer waits for its record.") \
    X(READ_SYNC_MS, "audit", "read_sync_max", CONF_MS, 1, 60000, 1000, NULL, CONF_LIVE,                                \
      "Longest time until the record of a read survives power loss, with reserved.")                                   \
    X(CHECKPOINT_RECORDS, "audit", "checkpoint_records", CONF_COUNT, 1, 1000000, 1024, NULL, CONF_LIVE,                \
      "Records after which the trail is signed again.")                                                                \
    X(CHECKPOINT_MS, "audit", "checkpoint_interval", CONF_MS, 100, 86400000, 3600000, NULL, CONF_LIVE,                 \
      "Time after which it is signed again, whether anything happened or not.")                                        \
    X(PRUNE_APPROVAL, "audit", "prune_approval", CONF_WORD, 0, 1, 0, "no yes", CONF_LIVE,                              \
      "Whether a second person who may control has to approve before records are removed.")                            \
    X(SESSION_IDLE_MS, "session", "idle", CONF_MS, 1000, 86400000, 3600000, NULL, CONF_LIVE,                           \
      "A session that was not used for this long is over.")                                                            \
    X(SESSION_ABSOLUTE_MS, "session", "absolute", CONF_MS, 1000, 604800000, 86400000, NULL, CONF_LIVE,                 \
      "A session is over this long after its login, however much it is used.")                                         \
    X(SESSIONS_PER_USER, "session", "per_user", CONF_COUNT, 1, 100, 5, NULL, CONF_LIVE,                                \
      "Sessions of one user; one more ends the one that was used longest ago.")                                        \
    X(LOGIN_FAILURES, "login", "failures", CONF_COUNT, 1, 10, 5, NULL, CONF_LIVE,                                      \
      "Failed logins of a user within the window that lock that user out.")                                            \
    X(LOGIN_WINDOW_MS, "login", "window", CONF_MS, 1000, 86400000, 300000, NULL, CONF_LIVE,                            \
      "For how long a failed login counts.")                                                                           \
    X(LOGIN_LOCKOUT_MS, "login", "lockout", CONF_MS, 1000, 86400000, 300000, NULL, CONF_LIVE,                          \
      "How long a user is locked out.")                                                                                \
    X(LOGINS, "login", "processes", CONF_COUNT, 1, 256, 32, NULL, CONF_LIVE,                                           \
      "Logins under way at a time, of all users together; each is one process.")                                       \
    X(LOGINS_PER_UID, "login", "per_uid", CONF_COUNT, 1, 32, 4, NULL, CONF_LIVE,                                       \
      "Logins of one user under way at a time.")                                                                       \
    X(LOGIN_PROMPT_MS, "login", "prompt_timeout", CONF_MS, 100, 600000, 60000, NULL, CONF_LIVE,                        \
      "How long a client may take to answer the questions of a login.")                                                \
    X(LOGIN_LIMIT_MS, "login", "time_limit", CONF_MS, 1000, 3600000, 180000, NULL, CONF_LIVE,                          \
      "How long a login may take in all; its process is killed then.") \
    X(WATCHES, "limits", "watches", CONF_COUNT, 0, 4000, 500, NULL, CONF_LIVE,                                         \
      "Watches served at a time, of all users together; each is a connection as well.")                               \
    X(WATCHES_PER_UID, "limits", "watches_per_uid", CONF_COUNT, 0, 4000, 100, NULL, CONF_LIVE,                         \
      "Watches of one user served at a time.")                                                                         \
    X(WATCH_IDLE_MS, "watch", "idle_interval", CONF_MS, 50, 600000, 30000, NULL, CONF_LIVE,                            \
      "A watch that has said nothing for this long says how far it is.")
// clang-format on

/* What stands in audit.read_durability. */
enum read_durability { READ_RESERVED, READ_GROUP, READ_NONE_LOST };

enum option {
#define OPTIONS_ENUM_(id, ...) OPTION_##id,
    OPTIONS_LIST(OPTIONS_ENUM_)
#undef OPTIONS_ENUM_
        OPTIONS_COUNT
};

extern const struct conf_schema options_schema;

#endif
