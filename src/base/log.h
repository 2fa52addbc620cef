/*
 * log - one line for each thing an administrator should know, on standard error.
 *
 * Ranks 0 to 4 never log above debug; ranks 5 to 7 log once, where a fault is handled. No function here takes a secret
 * or the value of an entry. Text from outside is escaped by the caller (text_escape). Under systemd each line carries
 * its level as "<N>" (sd-daemon(3)). Each place in the code has its own rate limit: 20 lines in 10 seconds, then
 * silence with a count.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/clock.h"

/* The numbers are those of syslog(3). */
enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

struct log_site {
    struct mono_time since;
    unsigned count, dropped;
};

/*
 * log_open - name the program and role that the lines begin with.
 * role  role name, or "" for none; both literals, borrowed for ever
 * max   least important level that is written
 */
void log_open(const char *program, const char *role, enum log_level max);

/* log_set_level - change the least important level that is written. */
void log_set_level(enum log_level max);

/* log_write - write one line; never fails, never blocks longer than the write to standard error. Use the macros. */
void log_write(struct log_site *site, enum log_level level, const char *format, ...) PRINTF_LIKE(3, 4);

#define LOG_AT_(level, ...)                                                                                            \
    do {                                                                                                               \
        static struct log_site log_site_;                                                                              \
        log_write(&log_site_, level, __VA_ARGS__);                                                                     \
    } while (0)
#define LOG_ERROR(...) LOG_AT_(LOG_LEVEL_ERROR, __VA_ARGS__)
#define LOG_WARNING(...) LOG_AT_(LOG_LEVEL_WARNING, __VA_ARGS__)
#define LOG_INFO(...) LOG_AT_(LOG_LEVEL_INFO, __VA_ARGS__)
#define LOG_DEBUG(...) LOG_AT_(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
