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
