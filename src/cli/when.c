/* when - see when.h. */
#include "cli/when.h"

#include <stdio.h>
#include <string.h>

#include "base/num.h"

enum { AGE_MAX_COUNT = 10000000 };

static bool parse_age(struct bytes text, int64_t *ret_us)
{
    static const struct {
        uint8_t letter;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 7 * 86400}};
    uint64_t count;
    if (text.n < 2 || !num_parse_u64(bytes_head(text, text.n - 1), AGE_MAX_COUNT, &count))
        return false;
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (units[i].letter == text.p[text.n - 1]) {
            *ret_us = (int64_t)count * units[i].seconds * US_PER_S;
            return true;
        }
    }
    return false;
}

static bool parse_time(const char *text, struct wall_time *ret_t)
{
    char whole[CLOCK_TEXT_BYTES];
    int n = snprintf(whole, sizeof whole, "%s%s", text, strchr(text, 'T') == NULL ? "T00:00:00Z" : "");
    return n >= 0 && (size_t)n < sizeof whole && clock_wall_parse(whole, ret_t);
}

bool when_parse(const char *text, struct wall_time now, char ret_text[static CLOCK_TEXT_BYTES])
{
    struct wall_time t;
    int64_t age_us;
    if (parse_age(bytes_of_text(text), &age_us))
        t.us = now.us - age_us;
    else if (!parse_time(text, &t))
        return false;
    clock_wall_text(t, ret_text);
    return true;
}

bool when_parse_ahead(const char *text, struct wall_time now, char ret_text[static CLOCK_TEXT_BYTES])
{
    static const int64_t years_9999_us = INT64_C(253402300799) * US_PER_S;
    struct wall_time t;
    int64_t span_us;
    if (parse_age(bytes_of_text(*text == '+' ? text + 1 : text), &span_us))
        t.us = now.us + span_us;
    else if (!parse_time(text, &t))
        return false;
    if (t.us > years_9999_us)
        return false;
    clock_wall_text(t, ret_text);
    return true;
}
