/*
 * options - the configuration of followers, /etc/secreg/follow.yaml: one row an option; see conf/conf.h.
 */
#ifndef FOLLOW_OPTIONS_H
#define FOLLOW_OPTIONS_H

#include "conf/conf.h"

// clang-format off
/* id, group, name, kind, min, max, default, words, apply, text */
#define FOLLOW_OPTIONS_LIST(X)                                                                                         \
    X(LOG_LEVEL, "log", "level", CONF_WORD, 0, 3, 2, "error warning info debug", CONF_RESTART,                         \
      "Least important level of message that is written to standard error.")                                           \
    X(SYSLOG_SERVER, "syslog", "server", CONF_TEXT, 0, 253, 0, NULL, CONF_RESTART,                                     \
      "Name or address of the server that records are sent to. A name is looked up when the follower starts.")         \
    X(SYSLOG_PORT, "syslog", "port", CONF_COUNT, 1, 65535, 6514, NULL, CONF_RESTART,                                   \
      "Its TCP port.")                                                                                                 \
    X(SYSLOG_TLS, "syslog", "tls", CONF_BOOL, 0, 1, 1, NULL, CONF_RESTART,                                             \
      "Whether the connection is TLS 1.3; without it, whoever is on the way can read and change what is sent.")        \
    X(SYSLOG_NAME, "syslog", "name", CONF_TEXT, 0, 253, 0, NULL, CONF_RESTART,                                         \
      "Name or address that the server's certificate must have; if empty, that of syslog.server.")                     \
    X(SYSLOG_FACILITY, "syslog", "facility", CONF_WORD, 0, 10, 2,                                                      \
      "daemon auth authpriv local0 local1 local2 local3 local4 local5 local6 local7", CONF_RESTART,                    \
      "Facility that records are sent as.")                                                                            \
    X(SYSLOG_SETTLE_MS, "syslog", "settle", CONF_MS, 0, 600000, 10000, NULL, CONF_RESTART,                             \
      "How long the connection must have been well, after the server's kernel took a record, until the record counts as kept; if it breaks before, it is sent again.") \
    X(SYSLOG_GIVE_UP_MS, "syslog", "give_up", CONF_MS, 1000, 86400000, 600000, NULL, CONF_RESTART,                     \
      "When the server could not be reached for so long, the follower ends with 75: who starts it again has its name looked up anew.") \
    X(REMOTE_SERVER, "remote", "server", CONF_TEXT, 0, 253, 0, NULL, CONF_RESTART,                                     \
      "Name or address of the witness that checkpoints are sent to, over HTTPS.")                                      \
    X(REMOTE_PORT, "remote", "port", CONF_COUNT, 1, 65535, 443, NULL, CONF_RESTART,                                    \
      "Its TCP port.")                                                                                                 \
    X(REMOTE_NAME, "remote", "name", CONF_TEXT, 0, 253, 0, NULL, CONF_RESTART,                                         \
      "Name or address that its certificate must have; if empty, that of remote.server.")                              \
    X(REMOTE_PATH, "remote", "path", CONF_TEXT, 0, 253, 0, NULL, CONF_RESTART,                                         \
      "What stands before /add-checkpoint in its address: empty, or a path that begins with a slash.")                 \
    X(REMOTE_KEY, "remote", "key", CONF_TEXT, 0, 253, 0, NULL, CONF_RESTART,                                           \
      "Its key, as name+id+base64, that its signatures are checked with.")                                             \
    X(REMOTE_PAUSE_MS, "remote", "pause", CONF_MS, 0, 86400000, 60000, NULL, CONF_RESTART,                             \
      "Least time between two checkpoints that are sent.")                                                             \
    X(FILES_DAYS, "files", "days", CONF_COUNT, 1, 36500, 30, NULL, CONF_RESTART,                                       \
      "Days that files of past days are kept.")
// clang-format on

enum follow_option {
#define FOLLOW_OPTIONS_ENUM_(id, ...) FOLLOW_##id,
    FOLLOW_OPTIONS_LIST(FOLLOW_OPTIONS_ENUM_)
#undef FOLLOW_OPTIONS_ENUM_
        FOLLOW_OPTIONS_COUNT
};

extern const struct conf_schema follow_options;

#endif
