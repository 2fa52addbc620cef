/* clock - see clock.h. Civil-from-days arithmetic, so that no locale or time-zone file is read. */
#include "base/clock.h"

#include <string.h>
#include <time.h>

enum { SECONDS_PER_DAY = 86400 };
#define YEAR_0_US (INT64_C(-62167219200) * US_PER_S)
#define YEAR_9999_END_US (INT64_C(253402300800) * US_PER_S - 1)

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

/* By hand: a listing shows ten thousand of them, and snprintf would be most of its cost. */
static char *put_digits(char *to, unsigned number, size_t width, char after)
{
    for (size_t i = width; i-- > 0; number /= 10)
        to[i] = (char)('0' + number % 10);
    to[width] = after;
    return to + width + 1;
}

void clock_wall_text(struct wall_time t, char ret_text[static CLOCK_TEXT_BYTES])
{
    int64_t us = t.us < YEAR_0_US ? YEAR_0_US : t.us > YEAR_9999_END_US ? YEAR_9999_END_US : t.us;
    int64_t s = floor_div(us, US_PER_S);
    unsigned ms = (unsigned)((us - s * US_PER_S) / US_PER_MS);
    int64_t days = floor_div(s, SECONDS_PER_DAY);
    unsigned of_day = (unsigned)(s - days * SECONDS_PER_DAY);
    int year;
    unsigned month, day;
    civil_of_days(days, &year, &month, &day);
    assert(year >= 0 && year <= 9999);
    char *p = put_digits(ret_text, (unsigned)year, 4, '-');
    p = put_digits(p, month, 2, '-');
    p = put_digits(p, day, 2, 'T');
    p = put_digits(p, of_day / 3600, 2, ':');
    p = put_digits(p, of_day / 60 % 60, 2, ':');
    p = put_digits(p, of_day % 60, 2, '.');
    p = put_digits(p, ms, 3, 'Z');
    *p = '\0';
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const uint8_t days[13] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    assert(month >= 1 && month <= 12);
    return month == 2 && is_leap ? 29 : days[month];
}

/* Reads exactly `count` digits and the character behind them; moves *at past both. */
static bool take_number(const char **at, size_t count, char behind, unsigned *ret_number)
{
    unsigned n = 0;
    for (size_t i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        n = n * 10 + (unsigned)(**at - '0');
    }
    if (**at != behind)
        return false;
    (*at)++;
    *ret_number = n;
    return true;
}

/* Reads the seconds, up to three digits behind a point, and the 'Z' that must end the text. */
static bool take_seconds(const char **at, unsigned *ret_second, unsigned *ret_fraction_us)
{
    static const unsigned scale[4] = {0, 100000, 10000, 1000};
    const char *whole = *at;
    *ret_fraction_us = 0;
    if (take_number(at, 2, 'Z', ret_second))
        return true;
    *at = whole;
    if (!take_number(at, 2, '.', ret_second))
        return false;
    size_t digits = strspn(*at, "0123456789");
    if (digits < 1 || digits > 3 || !take_number(at, digits, 'Z', ret_fraction_us))
        return false;
    *ret_fraction_us *= scale[digits];
    return true;
}

bool clock_wall_parse(const char *text, struct wall_time *ret_t)
{
    unsigned year, month, day, hour, minute, second, fraction_us;
    if (!take_number(&text, 4, '-', &year) || !take_number(&text, 2, '-', &month) ||
        !take_number(&text, 2, 'T', &day) || !take_number(&text, 2, ':', &hour) ||
        !take_number(&text, 2, ':', &minute) || !take_seconds(&text, &second, &fraction_us) || *text != '\0')
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    /* No leap second: clock_wall_text() prints none, and it would be read as the second after it. */
    if (hour > 23 || minute > 59 || second > 59)
        return false;
    int64_t s = days_of_civil((int)year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    ret_t->us = s * US_PER_S + fraction_us;
    return true;
}
