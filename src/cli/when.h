/*
 * when - points in time as an administrator gives them. Pure.
 */
#ifndef CLI_WHEN_H
#define CLI_WHEN_H

#include "base/clock.h"

/*
 * when_parse - read "2026-01-31T12:00:00Z" (fraction allowed), "2026-01-31" (its first moment, UTC), or an age such as
 * "90s", "15m", "6h", "7d", "2w" before `now`. ret_text  RFC 3339 in UTC, as the daemon takes it Returns true, or false
 * for anything else.
 */
bool when_parse(const char *text, struct wall_time now, char ret_text[static CLOCK_TEXT_BYTES]) MUST_USE;

/*
 * when_parse_ahead - the same times, or a span such as "30d" or "+30d" behind `now`. Returns true, or false for
 * anything else, a time that cannot be written among it.
 */
bool when_parse_ahead(const char *text, struct wall_time now, char ret_text[static CLOCK_TEXT_BYTES]) MUST_USE;

#endif
