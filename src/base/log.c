/* log - see log.h. One write(2) a line, so that lines of several processes do not mix. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LOG_LINE_MAX_BYTES = 1024, LOG_BURST_COUNT = 20 };
#define LOG_WINDOW_US (10 * US_PER_S)

static struct {
    const char *program, *role;
    enum log_level max;
    bool has_levels;
} log_state = {"secreg", "", LOG_LEVEL_INFO, false};

void log_open(const char *program, const char *role, enum log_level max)
{
    log_state.program = program;
    log_state.role = role;
    log_state.max = max;
    log_state.has_levels = secure_getenv("JOURNAL_STREAM") != NULL;
}

void log_set_level(enum log_level max)
{
    log_state.max = max;
}

static bool admit(struct log_site *site, unsigned *ret_dropped)
{
    struct mono_time now = clock_mono_now();
    *ret_dropped = 0;
    if (site->count == 0 || clock_mono_passed(now, clock_mono_add(site->since, LOG_WINDOW_US))) {
        *ret_dropped = site->dropped;
        *site = (struct log_site){now, 0, 0};
    }
    if (site->count >= LOG_BURST_COUNT) {
        site->dropped++;
        return false;
    }
    site->count++;
    return true;
}

static size_t add(char *line, size_t at, int n)
{
    (void)line;
    return n < 0 ? at : MIN_OF(at + (size_t)n, (size_t)LOG_LINE_MAX_BYTES - 2);
}

void log_write(struct log_site *site, enum log_level level, const char *format, ...)
{
    char line[LOG_LINE_MAX_BYTES];
    unsigned dropped;
    int saved = errno;
    size_t at = 0;
    va_list args;

    if (level > log_state.max || !admit(site, &dropped))
        return;
    if (log_state.has_levels)
        at = add(line, at, snprintf(line, sizeof line, "<%d>", (int)level));
    at = add(line, at,
             snprintf(line + at, sizeof line - at, "%s%s%s: ", log_state.program, *log_state.role ? "-" : "",
                      log_state.role));
    va_start(args, format);
    at = add(line, at, vsnprintf(line + at, sizeof line - at - 1, format, args));
    va_end(args);
    if (dropped > 0)
        at = add(line, at, snprintf(line + at, sizeof line - at - 1, " (%u like it left out)", dropped));
    line[at++] = '\n';
    ssize_t n = write(STDERR_FILENO, line, at);
    (void)n; /* nothing can be done about a closed standard error */
    errno = saved;
}
