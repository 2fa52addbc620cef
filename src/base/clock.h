/*
 * clock - two clock types that the compiler keeps apart, in one unit: microseconds.
 *
 * wall_time   what a calendar shows (CLOCK_REALTIME): for display and time windows only; it can step
 * mono_time   time since boot, suspend included (CLOCK_BOOTTIME): for deadlines, ages and lockouts
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/macro.h"

struct wall_time {
    int64_t us;
};

struct mono_time {
    int64_t us;
};

#define US_PER_MS INT64_C(1000)
#define US_PER_S INT64_C(1000000)

/* clock_wall_now, clock_mono_now - read a clock; no system call where the vDSO has the clock. */
struct wall_time clock_wall_now(void);
struct mono_time clock_mono_now(void);

/* clock_mono_add - `t` plus `us` microseconds; saturates. */
struct mono_time clock_mono_add(struct mono_time t, int64_t us);

/* clock_mono_passed - true if `now` is at or past `deadline`. */
bool clock_mono_passed(struct mono_time now, struct mono_time deadline);

/* CLOCK_TEXT_BYTES - room for clock_wall_text(), NUL included. */
enum { CLOCK_TEXT_BYTES = 32 };

/*
 * clock_wall_text - RFC 3339 text in UTC with milliseconds, "2026-01-31T12:00:00.123Z".
 * Times outside the years 0 to 9999 are shown as the nearest one inside. Never allocates; independent of the locale.
 */
void clock_wall_text(struct wall_time t, char ret_text[static CLOCK_TEXT_BYTES]);

/* clock_wall_parse - read what clock_wall_text() prints (fraction optional). Returns true and sets ret_t, or false. */
bool clock_wall_parse(const char *text, struct wall_time *ret_t);

#endif
