/* clock - see clock.h. Civil-from-days arithmetic, so that no locale or time-zone file is read. */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SECONDS_PER_DAY = 86400 };
#define YEAR_0_S INT64_C(-62167219200)
#define YEAR_9999_END_S INT64_C(253402300799)

static int64_t read_us(clockid_t id)
{
    struct timespec ts;
    int r = clock_gettime(id, &ts);
    assert(r == 0);
    return (int64_t)ts.tv_sec * US_PER_S + ts.tv_nsec / 1000;
}

struct wall_time clock_wall_now(void)
{
    return (struct wall_time){read_us(CLOCK_REALTIME)};
}

struct mono_time clock_mono_now(void)
{
    return (struct mono_time){read_us(CLOCK_BOOTTIME)};
}

struct mono_time clock_mono_add(struct mono_time t, int64_t us)
{
    int64_t sum;
    if (__builtin_add_overflow(t.us, us, &sum))
        sum = us > 0 ? INT64_MAX : INT64_MIN;
    return (struct mono_time){sum};
}

bool clock_mono_passed(struct mono_time now, struct mono_time deadline)
{
    return now.us >= deadline.us;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days since 1970-01-01 to year, month, day. Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
static void civil_of_days(int64_t days, int *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    int64_t z = days + 719468;
    int64_t era = floor_div(z, 146097);
    unsigned doe = (unsigned)(z - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153;
    *ret_day = doy - (153 * mp + 2) / 5 + 1;
    *ret_month = mp < 10 ? mp + 3 : mp - 9;
    *ret_year = (int)((int64_t)yoe + era * 400 + (*ret_month <= 2));
}

static int64_t days_of_civil(int year, unsigned month, unsigned day)
{
    int64_t y = year - (month <= 2);
    int64_t era = floor_div(y, 400);
    unsigned yoe = (unsigned)(y - era * 400);
    unsigned doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + (int64_t)doe - 719468;
}

void clock_wall_text(struct wall_time t, char ret_text[static CLOCK_TEXT_BYTES])
{
    int64_t s = floor_div(t.us, US_PER_S);
    unsigned ms = (unsigned)((t.us - s * US_PER_S) / US_PER_MS);
    s = s < YEAR_0_S ? YEAR_0_S : s > YEAR_9999_END_S ? YEAR_9999_END_S : s;
    int64_t days = floor_div(s, SECONDS_PER_DAY);
    unsigned of_day = (unsigned)(s - days * SECONDS_PER_DAY);
    int year;
    unsigned month, day;
    civil_of_days(days, &year, &month, &day);
    int n = snprintf(ret_text, CLOCK_TEXT_BYTES, "%04d-%02u-%02uT%02u:%02u:%02u.%03uZ", year, month, day, of_day / 3600,
                     of_day / 60 % 60, of_day % 60, ms);
    assert(n > 0 && n < CLOCK_TEXT_BYTES);
}

bool clock_wall_parse(const char *text, struct wall_time *ret_t)
{
    int year;
    unsigned month, day, hour, minute, second, fraction = 0;
    int used = 0;
    static const unsigned scale[4] = {0, 100000, 10000, 1000};
    if (sscanf(text, "%4d-%2u-%2uT%2u:%2u:%2u%n", &year, &month, &day, &hour, &minute, &second, &used) != 6)
        return false;
    if (text[used] == '.') {
        size_t digits = strspn(text + used + 1, "0123456789");
        if (digits == 0 || digits > 3 || sscanf(text + used + 1, "%3u", &fraction) != 1)
            return false;
        fraction *= scale[digits];
        used += 1 + (int)digits;
    }
    if (strcmp(text + used, "Z") != 0 || year < 0 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 ||
        minute > 59 || second > 60)
        return false;
    int64_t s = days_of_civil(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    ret_t->us = s * US_PER_S + fraction;
    return true;
}
