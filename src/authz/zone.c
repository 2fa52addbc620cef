/*
 * zone - see zone.h.
 *
 * Invariant: whether daylight saving time holds depends on the instant alone: it does if the instant lies in the
 * interval that begins with the start of some year, be it this year's, next year's (a change may stand up to 167 hours
 * before its day) or that of one of the two before, and ends with the first end that follows. Touching intervals
 * therefore make daylight saving time all year, as RFC 8536 wants it.
 */
#include "authz/zone.h"

#include "base/clock.h"

enum {
    SECONDS_PER_HOUR = 3600,
    SECONDS_PER_DAY = 86400,
    DAYS_PER_400_YEARS = 146097,
    OFFSET_MAX_HOURS = 24,
    TIME_MAX_HOURS = 167,
    DST_DEFAULT_S = SECONDS_PER_HOUR,        /* ahead of standard time */
    CHANGE_DEFAULT_S = 2 * SECONDS_PER_HOUR, /* after midnight */
};

static const struct bytes utc_text = {(const uint8_t *)"UTC", 3};

/* ---- reading --------------------------------------------------------------------------------------------- */

static bool is_letter(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Takes `c` off the front if it stands there. */
static bool take(struct bytes *rest, uint8_t c)
{
    if (rest->n == 0 || rest->p[0] != c)
        return false;
    *rest = bytes_from(*rest, 1);
    return true;
}

/* Takes 1 to `digits_max` digits off the front, as many as there are: a number from `min` to `max`. */
static bool take_number(struct bytes *rest, size_t digits_max, uint32_t min, uint32_t max, uint32_t *ret_number)
{
    uint32_t number = 0;
    size_t digits = 0;
    assert(digits_max <= 3);
    for (; digits < rest->n && digits < digits_max && is_digit(rest->p[digits]); digits++)
        number = number * 10 + (uint32_t)(rest->p[digits] - '0');
    if (digits == 0 || number < min || number > max)
        return false;
    *rest = bytes_from(*rest, digits);
    *ret_number = number;
    return true;
}

/* Takes ":mm" or ":ss" off the front, or nothing. */
static bool take_sixtieth(struct bytes *rest, uint32_t *ret_number)
{
    struct bytes before = *rest;
    *ret_number = 0;
    return !take(rest, ':') || (take_number(rest, 2, 0, 59, ret_number) && before.n - rest->n == 3);
}

/* Takes [+-]h[:mm[:ss]] off the front, in seconds. */
static bool take_clock(struct bytes *rest, size_t hour_digits, uint32_t hours_max, int32_t *ret_s)
{
    uint32_t hour, minute, second = 0;
    bool is_minus = take(rest, '-');
    if (!is_minus)
        (void)take(rest, '+');
    if (!take_number(rest, hour_digits, 0, hours_max, &hour))
        return false;
    size_t before = rest->n;
    if (!take_sixtieth(rest, &minute) || (rest->n < before && !take_sixtieth(rest, &second)))
        return false;
    int32_t s = (int32_t)(hour * SECONDS_PER_HOUR + minute * 60 + second);
    *ret_s = is_minus ? -s : s;
    return true;
}

static bool take_name(struct bytes *rest, struct bytes *ret_name)
{
    bool is_quoted = take(rest, '<');
    size_t n = 0;
    while (n < rest->n &&
           (is_letter(rest->p[n]) || (is_quoted && (is_digit(rest->p[n]) || rest->p[n] == '+' || rest->p[n] == '-'))))
        n++;
    if (n < ZONE_NAME_MIN_BYTES || n > ZONE_NAME_MAX_BYTES)
        return false;
    *ret_name = bytes_head(*rest, n);
    *rest = bytes_from(*rest, n);
    return !is_quoted || take(rest, '>');
}

/* An offset counts westwards in the text and eastwards here. */
static bool take_offset(struct bytes *rest, int32_t *ret_east_s)
{
    int32_t west_s;
    if (!take_clock(rest, 2, OFFSET_MAX_HOURS, &west_s))
        return false;
    *ret_east_s = -west_s;
    return true;
}

static bool take_week(struct bytes *rest, struct zone_date *date)
{
    uint32_t month, week, weekday;
    if (!take_number(rest, 2, 1, 12, &month) || !take(rest, '.') || !take_number(rest, 1, 1, 5, &week) ||
        !take(rest, '.') || !take_number(rest, 1, 0, 6, &weekday))
        return false;
    date->form = ZONE_DATE_WEEK;
    date->month = (uint8_t)month;
    date->week = (uint8_t)week;
    date->weekday = (uint8_t)weekday;
    return true;
}

/* Takes ",DATE[/TIME]" off the front. */
static bool take_change(struct bytes *rest, struct zone_date *ret_date)
{
    struct zone_date date = {.time_s = CHANGE_DEFAULT_S};
    uint32_t day = 0;
    bool is_good;
    if (!take(rest, ','))
        return false;
    if (take(rest, 'M')) {
        is_good = take_week(rest, &date);
    } else {
        bool is_julian = take(rest, 'J');
        date.form = is_julian ? ZONE_DATE_JULIAN : ZONE_DATE_DAY;
        is_good = take_number(rest, 3, is_julian, 365, &day);
    }
    if (!is_good || (take(rest, '/') && !take_clock(rest, 3, TIME_MAX_HOURS, &date.time_s)))
        return false;
    date.day = (uint16_t)day;
    *ret_date = date;
    return true;
}

struct zone zone_utc(void)
{
    return (struct zone){.name = utc_text};
}

bool zone_is_utc(const struct zone *zone)
{
    return !zone->has_dst && zone->offset_s == 0 && bytes_equal(zone->name, utc_text);
}

bool zone_parse(struct bytes text, struct zone *ret_zone)
{
    struct zone z = {.has_dst = false};
    if (bytes_equal(text, utc_text)) {
        *ret_zone = zone_utc();
        return true;
    }
    if (!take_name(&text, &z.name) || !take_offset(&text, &z.offset_s))
        return false;
    if (text.n > 0) {
        z.has_dst = true;
        if (!take_name(&text, &z.dst_name))
            return false;
        z.dst_offset_s = z.offset_s + DST_DEFAULT_S;
        if (text.n > 0 && text.p[0] != ',' && !take_offset(&text, &z.dst_offset_s))
            return false;
        if (!take_change(&text, &z.start) || !take_change(&text, &z.end) || text.n > 0)
            return false;
    }
    *ret_zone = z;
    return true;
}

/* ---- printing -------------------------------------------------------------------------------------------- */

static int put_clock(struct buf *out, int32_t s)
{
    unsigned n = s < 0 ? (unsigned)-s : (unsigned)s;
    const char *sign = s < 0 ? "-" : "";
    if (n % 60 != 0)
        return buf_print(out, "%s%u:%02u:%02u", sign, n / SECONDS_PER_HOUR, n / 60 % 60, n % 60);
    if (n % SECONDS_PER_HOUR != 0)
        return buf_print(out, "%s%u:%02u", sign, n / SECONDS_PER_HOUR, n / 60 % 60);
    return buf_print(out, "%s%u", sign, n / SECONDS_PER_HOUR);
}

static int put_name(struct buf *out, struct bytes name)
{
    bool is_plain = true;
    assert(name.n >= ZONE_NAME_MIN_BYTES && name.n <= ZONE_NAME_MAX_BYTES);
    for (size_t i = 0; i < name.n; i++)
        is_plain = is_plain && is_letter(name.p[i]);
    return buf_print(out, is_plain ? "%.*s" : "<%.*s>", BYTES_PRINT(name));
}

static int put_change(struct buf *out, const struct zone_date *date)
{
    if (date->form == ZONE_DATE_WEEK)
        TRY(buf_print(out, ",M%u.%u.%u", date->month, date->week, date->weekday));
    else
        TRY(buf_print(out, date->form == ZONE_DATE_JULIAN ? ",J%u" : ",%u", date->day));
    if (date->time_s == CHANGE_DEFAULT_S)
        return 0;
    TRY(buf_append_text(out, "/"));
    return put_clock(out, date->time_s);
}

int zone_text(struct buf *out, const struct zone *zone)
{
    TRY(put_name(out, zone->name));
    if (zone_is_utc(zone))
        return 0;
    TRY(put_clock(out, -zone->offset_s));
    if (!zone->has_dst)
        return 0;
    TRY(put_name(out, zone->dst_name));
    if (zone->dst_offset_s != zone->offset_s + DST_DEFAULT_S)
        TRY(put_clock(out, -zone->dst_offset_s));
    TRY(put_change(out, &zone->start));
    return put_change(out, &zone->end);
}

/* ---- local time ------------------------------------------------------------------------------------------ */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days from 1970-01-01 to the first of January of that year; 477 leap days lie before 1970. */
static int64_t days_to_year(int64_t year)
{
    int64_t past = year - 1;
    return 365 * (year - 1970) + floor_div(past, 4) - floor_div(past, 100) + floor_div(past, 400) - 477;
}

static int64_t year_of_day(int64_t day)
{
    int64_t year = 1970 + floor_div(day * 400, DAYS_PER_400_YEARS); /* exact, or one off */
    if (days_to_year(year) > day)
        year--;
    else if (days_to_year(year + 1) <= day)
        year++;
    assert(days_to_year(year) <= day && day < days_to_year(year + 1));
    return year;
}

/* 0: Sunday; 1970-01-01 was a Thursday. */
static int64_t weekday_of_day(int64_t day)
{
    return day + 4 - 7 * floor_div(day + 4, 7);
}

/* The day of a change in days since 1970-01-01. */
static int64_t day_of_change(const struct zone_date *date, int64_t year)
{
    static const uint16_t before[13] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    int64_t january = days_to_year(year);
    if (date->form == ZONE_DATE_DAY)
        return january + date->day;
    if (date->form == ZONE_DATE_JULIAN)
        return january + date->day - 1 + (is_leap(year) && date->day > before[2]);
    assert(date->form == ZONE_DATE_WEEK && date->month >= 1 && date->month <= 12);
    int64_t first = january + before[date->month - 1] + (is_leap(year) && date->month > 2);
    int64_t next = january + before[date->month] + (is_leap(year) && date->month > 1);
    int64_t day = first + (date->weekday - weekday_of_day(first) + 7) % 7 + (date->week - 1) * 7;
    return day >= next ? day - 7 : day; /* the fifth is the last, and may be the fourth */
}

static int64_t start_of(const struct zone *z, int64_t year)
{
    return day_of_change(&z->start, year) * SECONDS_PER_DAY + z->start.time_s - z->offset_s;
}

static int64_t end_of(const struct zone *z, int64_t year)
{
    return day_of_change(&z->end, year) * SECONDS_PER_DAY + z->end.time_s - z->dst_offset_s;
}

int32_t zone_offset(const struct zone *zone, int64_t utc_s)
{
    assert(utc_s >= INT64_MIN / US_PER_S - 1 && utc_s <= INT64_MAX / US_PER_S);
    if (!zone->has_dst)
        return zone->offset_s;
    int64_t this_year = year_of_day(floor_div(utc_s + zone->offset_s, SECONDS_PER_DAY));
    for (int64_t year = this_year - 2; year <= this_year + 1; year++) {
        int64_t start = start_of(zone, year), end = end_of(zone, year);
        for (int64_t next = year + 1; start > end; next++)
            end =
                end_of(zone, next); /* summer over the new year: the southern half, and where winter is the exception */
        if (start <= utc_s && utc_s < end)
            return zone->dst_offset_s;
    }
    return zone->offset_s;
}

struct zone_local zone_local(const struct zone *zone, int64_t utc_s)
{
    int64_t local_s = utc_s + zone_offset(zone, utc_s);
    int64_t day = floor_div(local_s, SECONDS_PER_DAY);
    return (struct zone_local){.day = day,
                               .second = (uint32_t)(local_s - day * SECONDS_PER_DAY),
                               .week = (unsigned)((weekday_of_day(day) + 6) % 7)};
}
