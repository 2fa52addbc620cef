/*
 * condition - see condition.h.
 *
 * One row of the table is one term: how it is read, printed and judged. Each judge answers for its own term alone and
 * says UNKNOWN whenever the fact it needs is not there, so that forgetting to hand a fact in can only refuse.
 */
#include "authz/condition.h"

#include "authz/authz-internal.h"
#include "base/clock.h"
#include "base/num.h"
#include "base/text.h"

enum {
    MINUTES_PER_DAY = 1440,
    DAYS_PER_WEEK = 7,
    DAY_NAME_BYTES = 3,
    INSTANT_BYTES = sizeof "2026-01-31T12:00:00Z" - 1,
    WINDOW_BYTES = sizeof "HH:MM-HH:MM" - 1,
};

static const char day_names[DAYS_PER_WEEK][DAY_NAME_BYTES + 1] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

static const struct auth_word {
    struct bytes text;
    enum authz_auth auth;
} auth_words[] = {
    {{(const uint8_t *)"peer", 4}, AUTHZ_AUTH_PEER},
    {{(const uint8_t *)"pam", 3}, AUTHZ_AUTH_PAM},
};

/* Takes what stands before the next `mark` off the front, and the mark with it. False at the end of the list. */
static bool next_item(struct bytes *rest, bool *is_end, uint8_t mark, struct bytes *ret_item)
{
    if (*is_end)
        return false;
    size_t n = bytes_find(*rest, mark);
    *ret_item = bytes_head(*rest, n);
    *is_end = n == rest->n;
    *rest = bytes_from(*rest, n + 1);
    return true;
}

/* ---- time ------------------------------------------------------------------------------------------------ */

static bool parse_two_digits(struct bytes text, unsigned max, unsigned *ret_number)
{
    assert(text.n == 2);
    if (text.p[0] < '0' || text.p[0] > '9' || text.p[1] < '0' || text.p[1] > '9')
        return false;
    *ret_number = (unsigned)(text.p[0] - '0') * 10 + (unsigned)(text.p[1] - '0');
    return *ret_number <= max;
}

/* "HH:MM", up to 24:00. */
static bool parse_minute(struct bytes text, uint16_t *ret_minute)
{
    unsigned hour, minute;
    assert(text.n == 5);
    if (!parse_two_digits(bytes_head(text, 2), 24, &hour) || text.p[2] != ':' ||
        !parse_two_digits(bytes_from(text, 3), 59, &minute) || hour * 60 + minute > MINUTES_PER_DAY)
        return false;
    *ret_minute = (uint16_t)(hour * 60 + minute);
    return true;
}

static bool parse_time(struct bytes value, struct authz_condition *c)
{
    if (value.n != WINDOW_BYTES || value.p[5] != '-' || !parse_minute(bytes_head(value, 5), &c->from_minute) ||
        !parse_minute(bytes_from(value, 6), &c->to_minute))
        return false;
    if (c->from_minute == MINUTES_PER_DAY || c->from_minute == c->to_minute)
        return false;
    if (c->to_minute == 0)
        c->to_minute = MINUTES_PER_DAY; /* the same instant, named from the day that ends */
    return true;
}

static int print_time(struct buf *out, const struct authz_condition *c)
{
    return buf_print(out, "%02u:%02u-%02u:%02u", c->from_minute / 60u, c->from_minute % 60u, c->to_minute / 60u,
                     c->to_minute % 60u);
}

static struct zone_local local_time(const struct authz_condition *c, const struct authz_facts *f)
{
    int64_t s = f->now_us / US_PER_S - (f->now_us % US_PER_S < 0);
    assert(f->has_now);
    return zone_local(&c->zone, s);
}

/* True in the part of a window over midnight that lies on the day after the one it began on. */
static bool is_after_midnight(const struct authz_condition *c, struct zone_local local)
{
    return (c->terms & AUTHZ_TERM_TIME) != 0 && c->from_minute > c->to_minute && local.second / 60 < c->to_minute;
}

static enum authz_truth truth_of(bool is_true)
{
    return is_true ? AUTHZ_YES : AUTHZ_NO;
}

static enum authz_truth judge_time(const struct authz_condition *c, const struct authz_facts *f)
{
    if (!f->has_now)
        return AUTHZ_UNKNOWN;
    struct zone_local local = local_time(c, f);
    uint32_t minute = local.second / 60;
    if (c->from_minute > c->to_minute)
        return truth_of(minute >= c->from_minute || minute < c->to_minute);
    return truth_of(minute >= c->from_minute && minute < c->to_minute);
}

/* The day of the week of that name, or DAYS_PER_WEEK. */
static unsigned parse_day(struct bytes name)
{
    unsigned day = 0;
    while (day < DAYS_PER_WEEK && !bytes_equal(name, bytes_of(day_names[day], DAY_NAME_BYTES)))
        day++;
    return day;
}

static bool parse_days(struct bytes value, struct authz_condition *c)
{
    struct bytes item;
    bool is_end = false;
    while (next_item(&value, &is_end, ',', &item)) {
        size_t dash = bytes_find(item, '-');
        unsigned first = parse_day(bytes_head(item, dash));
        unsigned last = dash < item.n ? parse_day(bytes_from(item, dash + 1)) : first;
        if (first == DAYS_PER_WEEK || last == DAYS_PER_WEEK || (dash < item.n && first >= last))
            return false;
        for (unsigned day = first; day <= last; day++) {
            if ((c->days & 1u << day) != 0)
                return false;
            c->days |= (uint8_t)(1u << day);
        }
    }
    return true;
}

/* Runs of three days and more with a dash. */
static int print_days(struct buf *out, const struct authz_condition *c)
{
    const char *comma = "";
    for (unsigned first = 0; first < DAYS_PER_WEEK; first++) {
        unsigned last = first;
        if ((c->days & 1u << first) == 0)
            continue;
        while (last + 1 < DAYS_PER_WEEK && (c->days & 1u << (last + 1)) != 0)
            last++;
        TRY(buf_print(out, "%s%s", comma, day_names[first]));
        comma = ",";
        if (last < first + 2)
            continue;
        TRY(buf_print(out, "-%s", day_names[last]));
        first = last;
    }
    return 0;
}

static enum authz_truth judge_days(const struct authz_condition *c, const struct authz_facts *f)
{
    if (!f->has_now)
        return AUTHZ_UNKNOWN;
    struct zone_local local = local_time(c, f);
    unsigned day = (local.week + (is_after_midnight(c, local) ? DAYS_PER_WEEK - 1 : 0)) % DAYS_PER_WEEK;
    return truth_of((c->days & 1u << day) != 0);
}

static bool parse_zone(struct bytes value, struct authz_condition *c)
{
    return zone_parse(value, &c->zone);
}

static int print_zone(struct buf *out, const struct authz_condition *c)
{
    return zone_text(out, &c->zone);
}

/* A zone asks for nothing: it says how time and days are meant, one of which is always there. */
static enum authz_truth judge_zone(const struct authz_condition *c, const struct authz_facts *f)
{
    (void)f;
    assert((c->terms & (AUTHZ_TERM_TIME | AUTHZ_TERM_DAYS)) != 0);
    return AUTHZ_YES;
}

/* ---- instants -------------------------------------------------------------------------------------------- */

static bool parse_instant(struct bytes value, int64_t *ret_us)
{
    char text[INSTANT_BYTES + 1];
    struct wall_time t;
    if (value.n != INSTANT_BYTES || !text_copy(text, sizeof text, value) || !clock_wall_parse(text, &t))
        return false;
    *ret_us = t.us;
    return true;
}

static int print_instant(struct buf *out, int64_t us)
{
    char text[CLOCK_TEXT_BYTES];
    clock_wall_text((struct wall_time){us}, text);
    return buf_print(out, "%.*sZ", INSTANT_BYTES - 1, text); /* without its milliseconds */
}

static bool parse_since(struct bytes value, struct authz_condition *c)
{
    return parse_instant(value, &c->since_us);
}

static int print_since(struct buf *out, const struct authz_condition *c)
{
    return print_instant(out, c->since_us);
}

static enum authz_truth judge_since(const struct authz_condition *c, const struct authz_facts *f)
{
    return f->has_now ? truth_of(f->now_us >= c->since_us) : AUTHZ_UNKNOWN;
}

static bool parse_until(struct bytes value, struct authz_condition *c)
{
    return parse_instant(value, &c->until_us);
}

static int print_until(struct buf *out, const struct authz_condition *c)
{
    return print_instant(out, c->until_us);
}

static enum authz_truth judge_until(const struct authz_condition *c, const struct authz_facts *f)
{
    return f->has_now ? truth_of(f->now_us < c->until_us) : AUTHZ_UNKNOWN;
}

/* ---- the caller ------------------------------------------------------------------------------------------ */

static bool parse_auth(struct bytes value, struct authz_condition *c)
{
    for (size_t i = 0; i < COUNT_OF(auth_words); i++) {
        if (bytes_equal(value, auth_words[i].text))
            c->auth = auth_words[i].auth;
    }
    return c->auth != AUTHZ_AUTH_UNKNOWN;
}

static int print_auth(struct buf *out, const struct authz_condition *c)
{
    const struct auth_word *word = &auth_words[c->auth - AUTHZ_AUTH_PEER];
    assert(word->auth == c->auth);
    return buf_append(out, word->text);
}

static enum authz_truth judge_auth(const struct authz_condition *c, const struct authz_facts *f)
{
    assert(f->auth <= AUTHZ_AUTH_PAM);
    return f->auth == AUTHZ_AUTH_UNKNOWN ? AUTHZ_UNKNOWN : truth_of(f->auth >= c->auth);
}

static bool parse_auth_age(struct bytes value, struct authz_condition *c)
{
    uint64_t age;
    if (!num_parse_u64(value, AUTHZ_AUTH_AGE_MAX_S, &age) || age == 0)
        return false;
    c->auth_age_s = (uint32_t)age;
    return true;
}

static int print_auth_age(struct buf *out, const struct authz_condition *c)
{
    return buf_append_u64(out, c->auth_age_s);
}

/* Who only is a peer has no login that could be young enough. */
static enum authz_truth judge_auth_age(const struct authz_condition *c, const struct authz_facts *f)
{
    if (f->auth == AUTHZ_AUTH_PEER)
        return AUTHZ_NO;
    if (f->auth == AUTHZ_AUTH_UNKNOWN || !f->has_auth_age || f->auth_age_s < 0)
        return AUTHZ_UNKNOWN;
    return truth_of(f->auth_age_s <= c->auth_age_s);
}

static bool has_network(const struct authz_condition *c, const struct authz_network *network)
{
    for (size_t i = 0; i < c->networks_count; i++) {
        const struct authz_network *n = &c->networks[i];
        if (n->prefix_bits == network->prefix_bits && authz_network_has(n, &network->base))
            return true;
    }
    return false;
}

static bool parse_address(struct bytes value, struct authz_condition *c)
{
    struct bytes item;
    bool is_end = false;
    while (next_item(&value, &is_end, ',', &item)) {
        struct authz_network network;
        if (c->networks_count == AUTHZ_NETWORKS_MAX_COUNT || !authz_network_parse(item, &network) ||
            has_network(c, &network))
            return false;
        c->networks[c->networks_count++] = network;
    }
    return true;
}

static int print_address(struct buf *out, const struct authz_condition *c)
{
    assert(c->networks_count > 0 && c->networks_count <= AUTHZ_NETWORKS_MAX_COUNT);
    for (size_t i = 0; i < c->networks_count; i++) {
        if (i > 0)
            TRY(buf_append_text(out, ","));
        TRY(authz_network_text(out, &c->networks[i]));
    }
    return 0;
}

/* That there is no address is known, and it lies in no network; which one there is may be unknown. */
static enum authz_truth judge_address(const struct authz_condition *c, const struct authz_facts *f)
{
    if (f->address.kind == AUTHZ_ADDRESS_UNKNOWN)
        return AUTHZ_UNKNOWN;
    for (size_t i = 0; i < c->networks_count; i++) {
        if (authz_network_has(&c->networks[i], &f->address))
            return AUTHZ_YES;
    }
    return AUTHZ_NO;
}

/* ---- the host -------------------------------------------------------------------------------------------- */

static bool parse_unit(struct bytes value, struct authz_condition *c)
{
    static const struct bytes suffixes[] = {
        {(const uint8_t *)".service", 8}, {(const uint8_t *)".scope", 6}, {(const uint8_t *)".socket", 7},
        {(const uint8_t *)".timer", 6},   {(const uint8_t *)".mount", 6}, {(const uint8_t *)".target", 7},
    };
    c->unit = value;
    return authz_is_unit_name(value, suffixes, COUNT_OF(suffixes));
}

static int print_unit(struct buf *out, const struct authz_condition *c)
{
    return buf_append(out, c->unit);
}

static enum authz_truth judge_unit(const struct authz_condition *c, const struct authz_facts *f)
{
    enum authz_truth truth = f->unit_is_active != NULL ? f->unit_is_active(c->unit, f->unit_arg) : AUTHZ_UNKNOWN;
    assert(truth == AUTHZ_NO || truth == AUTHZ_YES || truth == AUTHZ_UNKNOWN);
    return truth;
}

/* ---- the table ------------------------------------------------------------------------------------------- */

#define TERM_KEY_(name, bit, key) {(const uint8_t *)(key), sizeof(key) - 1},
static const struct bytes term_keys[] = {AUTHZ_TERM_LIST(TERM_KEY_)};
#undef TERM_KEY_
static_assert(AUTHZ_TERMS_ALL == (1u << COUNT_OF(term_keys)) - 1, "AUTHZ_TERMS_ALL is every term");

/* In the order of AUTHZ_TERM_LIST. */
static const struct term {
    enum authz_term bit;
    bool (*parse)(struct bytes value, struct authz_condition *c);
    int (*print)(struct buf *out, const struct authz_condition *c);
    enum authz_truth (*judge)(const struct authz_condition *c, const struct authz_facts *f);
    const char *why; /* what a value must be */
} terms[] = {
    {AUTHZ_TERM_TIME, parse_time, print_time, judge_time, "time is HH:MM-HH:MM, two times of day that differ"},
    {AUTHZ_TERM_DAYS, parse_days, print_days, judge_days, "days is a list such as mon,wed-fri, no day twice"},
    {AUTHZ_TERM_ZONE, parse_zone, print_zone, judge_zone, "zone is UTC or a rule such as CET-1CEST,M3.5.0,M10.5.0/3"},
    {AUTHZ_TERM_SINCE, parse_since, print_since, judge_since, "since is an instant such as 2026-01-31T12:00:00Z"},
    {AUTHZ_TERM_UNTIL, parse_until, print_until, judge_until, "until is an instant such as 2026-01-31T12:00:00Z"},
    {AUTHZ_TERM_AUTH, parse_auth, print_auth, judge_auth, "auth is peer or pam"},
    {AUTHZ_TERM_AUTH_AGE, parse_auth_age, print_auth_age, judge_auth_age, "auth-age is 1 to 86400 seconds"},
    {AUTHZ_TERM_ADDRESS, parse_address, print_address, judge_address,
     "address is a list of up to 16 networks such as 192.0.2.0/24,2001:db8::/32, none twice"},
    {AUTHZ_TERM_UNIT, parse_unit, print_unit, judge_unit,
     "unit is the name of a service, scope, socket, timer, mount or target"},
};
static_assert(COUNT_OF(terms) == COUNT_OF(term_keys), "each term has its row");

struct bytes authz_term_text(enum authz_term term)
{
    size_t i = 0;
    while (i < COUNT_OF(terms) && terms[i].bit != term)
        i++;
    assert(i < COUNT_OF(terms));
    return term_keys[i];
}

/* Reads one "key=value". Returns NULL, or what is wrong. */
static const char *parse_term(struct bytes text, struct authz_condition *c)
{
    size_t sign = bytes_find(text, '='), i = 0;
    struct bytes key = bytes_head(text, sign);
    if (sign == text.n)
        return text.n == 0 ? "exactly one blank stands between two terms, and none at the ends" : "a term is KEY=VALUE";
    while (i < COUNT_OF(terms) && !bytes_equal(key, term_keys[i]))
        i++;
    if (i == COUNT_OF(terms))
        return "no such key; keys are time, days, zone, since, until, auth, auth-age, address, unit";
    assert(terms[i].bit == 1u << i);
    if ((c->terms & terms[i].bit) != 0)
        return "a key stands at most once";
    c->terms |= terms[i].bit;
    return terms[i].parse(bytes_from(text, sign + 1), c) ? NULL : terms[i].why;
}

/* What no single term can see. Returns NULL, or what is wrong. */
static const char *judge_whole(const struct authz_condition *c)
{
    if ((c->terms & AUTHZ_TERM_ZONE) != 0 && (c->terms & (AUTHZ_TERM_TIME | AUTHZ_TERM_DAYS)) == 0)
        return "zone says how time and days are meant, and neither is there";
    if ((c->terms & AUTHZ_TERM_SINCE) != 0 && (c->terms & AUTHZ_TERM_UNTIL) != 0 && c->since_us >= c->until_us)
        return "since must be before until";
    return NULL;
}

bool authz_condition_parse(struct bytes text, struct authz_condition *ret_condition, const char **ret_why)
{
    struct authz_condition c = {.zone = zone_utc()};
    const char *why = text.n == 0 || text.n > AUTHZ_CONDITION_MAX_BYTES ? "a condition has 1 to 512 bytes" : NULL;
    struct bytes item;
    bool is_end = false;
    static_assert(AUTHZ_CONDITION_MAX_BYTES == 512, "as the text says");
    while (why == NULL && next_item(&text, &is_end, ' ', &item))
        why = parse_term(item, &c);
    if (why == NULL)
        why = judge_whole(&c);
    if (why != NULL) {
        *ret_why = why;
        return false;
    }
    if (zone_is_utc(&c.zone))
        c.terms &= ~(unsigned)AUTHZ_TERM_ZONE; /* which is what no zone means */
    *ret_condition = c;
    return true;
}

int authz_condition_text(struct buf *out, const struct authz_condition *condition)
{
    const char *blank = "";
    if (condition->is_unreadable)
        return buf_append_text(out, "unreadable");
    for (size_t i = 0; i < COUNT_OF(terms); i++) {
        if ((condition->terms & terms[i].bit) == 0)
            continue;
        TRY(buf_append_text(out, blank));
        TRY(buf_append(out, term_keys[i]));
        TRY(buf_append_text(out, "="));
        TRY(terms[i].print(out, condition));
        blank = " ";
    }
    return 0;
}

/* ---- judging --------------------------------------------------------------------------------------------- */

static const struct authz_facts nothing_known;

enum authz_truth authz_condition_holds(const struct authz_condition *condition, const struct authz_facts *facts)
{
    enum authz_truth all = AUTHZ_YES;
    const struct authz_facts *f = facts != NULL ? facts : &nothing_known;
    if (condition->is_unreadable)
        return AUTHZ_UNKNOWN;
    assert(condition->terms != 0);
    for (size_t i = 0; i < COUNT_OF(terms); i++) { /* the unit is the last, since asking for it may cost */
        enum authz_truth one = (condition->terms & terms[i].bit) != 0 ? terms[i].judge(condition, f) : AUTHZ_YES;
        if (one == AUTHZ_NO)
            return AUTHZ_NO;
        if (one != AUTHZ_YES)
            all = AUTHZ_UNKNOWN;
    }
    return all;
}

unsigned authz_condition_failing(const struct authz_condition *condition, const struct authz_facts *facts,
                                 unsigned *ret_unknown)
{
    unsigned failing = 0, unknown = 0;
    const struct authz_facts *f = facts != NULL ? facts : &nothing_known;
    if (condition->is_unreadable)
        failing = unknown = AUTHZ_TERMS_ALL;
    for (size_t i = 0; i < COUNT_OF(terms) && !condition->is_unreadable; i++) {
        enum authz_truth one = (condition->terms & terms[i].bit) != 0 ? terms[i].judge(condition, f) : AUTHZ_YES;
        failing |= one != AUTHZ_YES ? terms[i].bit : 0;
        unknown |= one == AUTHZ_UNKNOWN ? terms[i].bit : 0;
    }
    *ret_unknown = unknown;
    return failing;
}
