/*
 * zone - local time from a POSIX TZ rule, the one in the footer of a TZif file: no file is read, no state is kept.
 *
 * A rule says where the clocks of a place stand today and for all years to come; what they did before the rule came
 * into force it does not say, and for an access rule it does not matter. An instant always has exactly one local time,
 * so the hours that daylight saving time skips or repeats need no care here.
 * Source: POSIX.1-2017, Base Definitions 8.3 (TZ); RFC 8536 section 3.3.1 (hours -167 to 167, daylight saving time all
 * year).
 */
#ifndef AUTHZ_ZONE_H
#define AUTHZ_ZONE_H

#include "base/buf.h"

enum { ZONE_NAME_MIN_BYTES = 3, ZONE_NAME_MAX_BYTES = 16 };

/* How a rule names the day of a change. */
enum zone_date_form {
    ZONE_DATE_JULIAN = 1, /* Jn: 1 to 365, 29 February is never counted */
    ZONE_DATE_DAY,        /* n: 0 to 365, counted */
    ZONE_DATE_WEEK,       /* Mm.w.d: weekday d (0: Sunday) of week w (5: the last) of month m */
};

struct zone_date {
    enum zone_date_form form;
    uint16_t day;                 /* ZONE_DATE_JULIAN, ZONE_DATE_DAY */
    uint8_t month, week, weekday; /* ZONE_DATE_WEEK */
    int32_t time_s;               /* after the midnight that begins the day, on the clocks before the change */
};

struct zone {
    struct bytes name; /* borrowed */
    int32_t offset_s;  /* seconds east of UTC: the other way round than in the text */
    bool has_dst;
    struct bytes dst_name; /* the rest with has_dst only */
    int32_t dst_offset_s;
    struct zone_date start, end;
};

/* What a clock on a wall of that zone shows. */
struct zone_local {
    int64_t day;     /* whole days since 1970-01-01 */
    uint32_t second; /* of that day, 0 to 86399 */
    unsigned week;   /* day of the week, 0: Monday */
};

/* zone_utc - the zone of which the text is "UTC". */
struct zone zone_utc(void);

/* zone_is_utc - the zone is that one, however it was written: "UTC", "UTC0". */
bool zone_is_utc(const struct zone *zone);

/*
 * zone_parse - "UTC", or a rule: NAME OFFSET [NAME [OFFSET] , DATE [/TIME] , DATE [/TIME]], without blanks.
 * A name is 3 to 16 letters, or "<" 3 to 16 letters, digits, "+", "-" ">"; an offset [+-]h[:mm[:ss]] with up to 24
 * hours, counted westwards; a time the same with up to 167. A rule for daylight saving time must name its dates.
 * Returns true and sets ret_zone, whose names are views into `text`, or false. Pure; O(bytes).
 */
bool zone_parse(struct bytes text, struct zone *ret_zone) MUST_USE;

/*
 * zone_text - append the shortest text of the rule, never longer than one it was read from; it parses to the same zone.
 * Results as buf_reserve().
 */
int zone_text(struct buf *out, const struct zone *zone) MUST_USE;

/* zone_offset - seconds east of UTC at `utc_s` seconds since 1970-01-01 UTC (within the range of wall_time). O(1). */
int32_t zone_offset(const struct zone *zone, int64_t utc_s);

/* zone_local - the local time at that instant. O(1). */
struct zone_local zone_local(const struct zone *zone, int64_t utc_s);

#endif
