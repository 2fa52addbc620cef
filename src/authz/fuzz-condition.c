/*
 * fuzz-condition - any bytes as a condition, judged under facts that come from the rest of the input.
 *
 * Input: the condition up to the first line end, then the facts, 0 where the input ends: i64 now, u8 bits, i64 age, 16
 * bytes of address. Checks: a text that is accepted prints no longer, and what is printed is read and judged the same
 * and prints as itself; no facts make it unknown; the answer follows from the terms; what allows with some facts never
 * denies for want of them; time windows agree with a search minute by minute.
 */
#include <stdlib.h>
#include <string.h>

#include "authz/condition.h"
#include "base/clock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(truth)                                                                                                   \
    do {                                                                                                               \
        if (!(truth))                                                                                                  \
            abort();                                                                                                   \
    } while (0)

static enum authz_truth unit_is_active(struct bytes name, void *arg)
{
    const enum authz_truth *truth = arg;
    CHECK(name.n > 0 && name.n <= 255);
    return *truth;
}

static void take(struct bytes *rest, void *to, size_t n)
{
    size_t held = rest->n < n ? rest->n : n;
    memset(to, 0, n);
    if (held > 0)
        memcpy(to, rest->p, held);
    *rest = bytes_from(*rest, n);
}

static struct authz_facts facts_of(struct bytes rest, enum authz_truth *unit)
{
    static const enum authz_address_kind kinds[4] = {AUTHZ_ADDRESS_UNKNOWN, AUTHZ_ADDRESS_NONE, AUTHZ_ADDRESS_IPV4,
                                                     AUTHZ_ADDRESS_IPV6};
    struct authz_facts f = {.has_now = false};
    uint8_t bits;
    take(&rest, &f.now_us, sizeof f.now_us);
    take(&rest, &bits, 1);
    take(&rest, &f.auth_age_s, sizeof f.auth_age_s);
    take(&rest, f.address.bytes, sizeof f.address.bytes);
    f.has_now = (bits & 1) != 0;
    f.has_auth_age = (bits & 2) != 0;
    f.auth = (enum authz_auth)((bits >> 2 & 3) % 3);
    f.address.kind = kinds[bits >> 4 & 3];
    *unit = (enum authz_truth)((bits >> 6) % 3);
    f.unit_is_active = bits >> 6 == 3 ? NULL : unit_is_active;
    f.unit_arg = unit;
    return f;
}

/* The window and the days once more, minute by minute back to the one with which the window began. */
static enum authz_truth search_window(const struct authz_condition *c, const struct authz_facts *f)
{
    int64_t utc_s = f->now_us / US_PER_S - (f->now_us % US_PER_S < 0);
    struct zone_local local = zone_local(&c->zone, utc_s);
    unsigned minute = local.second / 60, day = local.week;
    unsigned days = (c->terms & AUTHZ_TERM_DAYS) != 0 ? c->days : 0x7f;
    if ((c->terms & AUTHZ_TERM_TIME) == 0)
        return (days >> day & 1) != 0 ? AUTHZ_YES : AUTHZ_NO;
    for (; minute != c->from_minute; minute = (minute + 1439) % 1440) {
        if (minute == c->to_minute % 1440u)
            return AUTHZ_NO;
        day = minute == 0 ? (day + 6) % 7 : day;
    }
    return (days >> day & 1) != 0 ? AUTHZ_YES : AUTHZ_NO;
}

static void check_truth(const struct authz_condition *c, const struct authz_facts *f)
{
    unsigned unknown, failing = authz_condition_failing(c, f, &unknown);
    enum authz_truth truth = authz_condition_holds(c, f);
    CHECK((failing & ~c->terms) == 0 && (unknown & ~failing) == 0);
    CHECK(truth == (failing == 0 ? AUTHZ_YES : failing == unknown ? AUTHZ_UNKNOWN : AUTHZ_NO));
    CHECK(authz_condition_holds(c, NULL) == AUTHZ_UNKNOWN);
    const unsigned timed = AUTHZ_TERM_TIME | AUTHZ_TERM_DAYS;
    if (f->has_now && (c->terms & timed) != 0)
        CHECK(((failing & timed) == 0) == (search_window(c, f) == AUTHZ_YES));

    struct authz_facts fewer = *f;
    fewer.has_now = false;
    CHECK(truth != AUTHZ_UNKNOWN || authz_condition_holds(c, &fewer) == AUTHZ_UNKNOWN);
    CHECK((c->terms & (timed | AUTHZ_TERM_SINCE | AUTHZ_TERM_UNTIL)) == 0 ||
          authz_condition_holds(c, &fewer) != AUTHZ_YES);
}

static void check_zone(const struct zone *z, int64_t now_us)
{
    enum { MOST_S = 25 * 3600 + 3599 };
    int64_t utc_s = now_us / US_PER_S - (now_us % US_PER_S < 0);
    int32_t offset_s = zone_offset(z, utc_s);
    struct zone_local local = zone_local(z, utc_s);
    CHECK(offset_s == z->offset_s || (z->has_dst && offset_s == z->dst_offset_s));
    CHECK(offset_s >= -MOST_S && offset_s <= MOST_S);
    CHECK(local.second < 86400 && local.week < 7 && local.day * 86400 + local.second == utc_s + offset_s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_of(data, size), text = bytes_head(input, bytes_find(input, '\n'));
    struct authz_condition c, again;
    enum authz_truth unit;
    const char *why = NULL;
    SCOPED(buf_fini) struct buf out;
    SCOPED(buf_fini) struct buf out_again;
    buf_init(&out, AUTHZ_CONDITION_MAX_BYTES);
    buf_init(&out_again, AUTHZ_CONDITION_MAX_BYTES);
    if (!authz_condition_parse(text, &c, &why)) {
        CHECK(why != NULL);
        return 0;
    }
    struct authz_facts f = facts_of(bytes_from(input, text.n + 1), &unit);
    CHECK(c.terms != 0 && (c.terms & ~(unsigned)AUTHZ_TERMS_ALL) == 0 && !c.is_unreadable);
    CHECK(authz_condition_text(&out, &c) == 0 && buf_size(&out) <= text.n);
    CHECK(authz_condition_parse(buf_view(&out), &again, &why) && again.terms == c.terms);
    CHECK(authz_condition_text(&out_again, &again) == 0);
    CHECK(bytes_equal(buf_view(&out), buf_view(&out_again)));
    CHECK(authz_condition_holds(&c, &f) == authz_condition_holds(&again, &f));
    check_truth(&c, &f);
    check_zone(&c.zone, f.now_us);
    return 0;
}
