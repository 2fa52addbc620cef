/* Tests of conditions: which texts parse and how they print, then each term against facts, and terms together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "authz/condition.h"
#include "base/clock.h"
#include "fail-alloc.h"

#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"

static const char *const canonical[] = {
    "time=09:00-17:00",
    "time=00:00-24:00",
    "time=22:00-06:00",
    "time=23:59-24:00",
    "time=00:00-00:01",
    "time=22:00-06:00 days=fri zone=" BERLIN,
    "days=mon",
    "days=sun",
    "days=mon-sun",
    "days=mon-wed,fri,sat",
    "days=mon,tue,sun",
    "days=tue-thu zone=<+0530>-5:30",
    "since=2026-01-31T12:00:00Z",
    "until=2026-12-31T23:59:59Z",
    "since=0000-01-01T00:00:00Z until=9999-12-31T23:59:59Z",
    "auth=peer",
    "auth=pam",
    "auth-age=1",
    "auth-age=86400",
    "auth=pam auth-age=300",
    "address=192.0.2.0/24",
    "address=192.0.2.0/24,2001:db8::/32,0.0.0.0/0",
    "address=192.0.2.0/24,192.0.0.0/16", /* one within the other is no repetition */
    "unit=backup.service",
    "unit=session-4.scope",
    "unit=a\\x2db@c:d_e.F.socket",
    "unit=daily.timer",
    "unit=srv-data.mount",
    "unit=multi-user.target",
    "time=09:00-17:00 days=mon-fri zone=GMT0 since=2026-01-31T12:00:00Z until=2026-12-31T23:59:59Z auth=pam "
    "auth-age=600 address=10.0.0.0/8 unit=backup.service",
};

static struct authz_condition condition_of(const char *text)
{
    struct authz_condition c = {.terms = 0};
    const char *why = NULL;
    if (!authz_condition_parse(bytes_of_text(text), &c, &why))
        fail_msg("refused: %s: %s", text, why);
    return c;
}

static void assert_prints(const char *from, const char *wanted)
{
    struct authz_condition c = condition_of(from);
    SCOPED(buf_fini) struct buf out;
    buf_init(&out, AUTHZ_CONDITION_MAX_BYTES);
    assert_int_equal(authz_condition_text(&out, &c), 0);
    if (!bytes_equal(buf_view(&out), bytes_of_text(wanted)))
        fail_msg("%s printed as %.*s", from, BYTES_PRINT(buf_view(&out)));
}

static void canonical_texts_come_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(canonical); i++)
        assert_prints(canonical[i], canonical[i]);
}

static void other_texts_become_canonical(void **state)
{
    (void)state;
    assert_prints("time=22:00-00:00", "time=22:00-24:00");
    assert_prints("time=00:01-00:00", "time=00:01-24:00");
    assert_prints("days=mon,tue-fri", "days=mon-fri");
    assert_prints("days=sun,mon", "days=mon,sun");
    assert_prints("days=mon-tue", "days=mon,tue");
    assert_prints("days=thu-fri,sat-sun,mon-wed", "days=mon-sun");
    assert_prints("days=wed,tue,mon", "days=mon-wed");
    assert_prints("zone=UTC days=mon", "days=mon");
    assert_prints("days=mon zone=<UTC>-0:00", "days=mon");
    assert_prints("zone=CET-01CEST-02,M3.5.0/2,M10.5.0/03:00 days=mon", "days=mon zone=" BERLIN);
    assert_prints("unit=a.service auth=peer until=2026-12-31T23:59:59Z time=09:00-17:00",
                  "time=09:00-17:00 until=2026-12-31T23:59:59Z auth=peer unit=a.service");
}

/* A malformed text and a part of what is said about it. */
static void refuses_malformed_texts(void **state)
{
    static const char *const bad[][2] = {
        {"", "1 to 512 bytes"},
        {" ", "blank"},
        {" auth=pam", "blank"},
        {"auth=pam ", "blank"},
        {"auth=pam  days=mon", "blank"},
        {"auth=pam\tdays=mon", "auth is"},
        {"auth=pam\ndays=mon", "auth is"},
        {"auth", "KEY=VALUE"},
        {"auth=pam days", "KEY=VALUE"},
        {"=", "no such key"},
        {"=pam", "no such key"},
        {"Auth=pam", "no such key"},
        {"AUTH=pam", "no such key"},
        {"auth_age=5", "no such key"},
        {"mfa=yes", "no such key"},
        {"time2=09:00-17:00", "no such key"},
        {"unit =a.service", "KEY=VALUE"},
        {"auth=pam auth=pam", "at most once"},
        {"auth=pam days=mon auth=peer", "at most once"},
        {"days=mon zone=UTC zone=UTC", "at most once"},
        {"time=", "time is"},
        {"time=9:00-17:00", "time is"},
        {"time=09:00-17:0", "time is"},
        {"time=09:00-17:00:00", "time is"},
        {"time=09.00-17.00", "time is"},
        {"time=09:00/17:00", "time is"},
        {"time=09:00-09:00", "time is"},
        {"time=00:00-00:00", "time is"},
        {"time=24:00-06:00", "time is"},
        {"time=24:00-24:00", "time is"},
        {"time=23:00-24:01", "time is"},
        {"time=23:00-25:00", "time is"},
        {"time=23:60-24:00", "time is"},
        {"time=-1:00-24:00", "time is"},
        {"time=+9:00-17:00", "time is"},
        {"time=0a:00-17:00", "time is"},
        {"days=", "days is"},
        {"days=,", "days is"},
        {"days=mon,", "days is"},
        {"days=mon,,tue", "days is"},
        {"days=Mon", "days is"},
        {"days=monday", "days is"},
        {"days=mo", "days is"},
        {"days=mon-", "days is"},
        {"days=-mon", "days is"},
        {"days=mon-mon", "days is"},
        {"days=fri-mon", "days is"},
        {"days=mon-tue-wed", "days is"},
        {"days=mon,mon", "days is"},
        {"days=mon-wed,tue", "days is"},
        {"days=1", "days is"},
        {"days=mon zone=", "zone is"},
        {"days=mon zone=Europe/Berlin", "zone is"},
        {"days=mon zone=CET-1CEST", "zone is"},
        {"zone=UTC", "neither is there"},
        {"zone=" BERLIN " auth=pam", "neither is there"},
        {"since=", "since is"},
        {"since=2026-01-31", "since is"},
        {"since=2026-01-31T12:00Z", "since is"},
        {"since=2026-01-31T12:00:00", "since is"},
        {"since=2026-01-31T12:00:00z", "since is"},
        {"since=2026-01-31t12:00:00Z", "since is"},
        {"since=2026-01-31T12:00:00.5Z", "since is"},
        {"since=2026-01-31T12:00:00+00:00", "since is"},
        {"since=2026-02-29T12:00:00Z", "since is"},
        {"since=2026-01-31T24:00:00Z", "since is"},
        {"since=2026-01-31T23:59:60Z", "since is"},
        {"until=2026-13-01T00:00:00Z", "until is"},
        {"until=tomorrow", "until is"},
        {"since=2026-01-31T12:00:00Z until=2026-01-31T12:00:00Z", "before until"},
        {"until=2026-01-31T12:00:00Z since=2026-01-31T12:00:01Z", "before until"},
        {"auth=", "auth is"},
        {"auth=PAM", "auth is"},
        {"auth=none", "auth is"},
        {"auth=peer,pam", "auth is"},
        {"auth-age=", "auth-age is"},
        {"auth-age=0", "auth-age is"},
        {"auth-age=86401", "auth-age is"},
        {"auth-age=-1", "auth-age is"},
        {"auth-age=05", "auth-age is"},
        {"auth-age=5s", "auth-age is"},
        {"auth-age=18446744073709551617", "auth-age is"},
        {"address=", "address is"},
        {"address=192.0.2.1", "address is"},
        {"address=192.0.2.1/24", "address is"},
        {"address=192.0.2.0/24,", "address is"},
        {"address=,192.0.2.0/24", "address is"},
        {"address=192.0.2.0/24,192.0.2.0/24", "address is"},
        {"address=::ffff:192.0.2.0/120", "address is"},
        {"address=localhost", "address is"},
        {"unit=", "unit is"},
        {"unit=.service", "unit is"},
        {"unit=a", "unit is"},
        {"unit=a.Service", "unit is"},
        {"unit=a.slice", "unit is"},
        {"unit=a.path", "unit is"},
        {"unit=a/b.service", "unit is"},
        {"unit=a.service,b.service", "unit is"},
        {"unit=\xc3\xa9.service", "unit is"},
        {"!auth=pam", "no such key"},
    };
    struct authz_condition c = {.auth_age_s = 77};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const char *why = NULL;
        if (authz_condition_parse(bytes_of_text(bad[i][0]), &c, &why))
            fail_msg("accepted: %s", bad[i][0]);
        assert_non_null(why);
        if (strstr(why, bad[i][1]) == NULL)
            fail_msg("%s: %s", bad[i][0], why);
    }
    const char *why;
    assert_false(authz_condition_parse(BYTES_OF("auth=pam"), &c, &why)); /* with the NUL */
    assert_int_equal(c.auth_age_s, 77);
}

static void texts_and_lists_end_at_their_limits(void **state)
{
    char text[AUTHZ_CONDITION_MAX_BYTES + 2], list[AUTHZ_CONDITION_MAX_BYTES];
    struct authz_condition c;
    const char *why;
    int used = snprintf(list, sizeof list, "address=");
    (void)state;
    for (int i = 0; i < AUTHZ_NETWORKS_MAX_COUNT; i++)
        used += snprintf(list + used, sizeof list - (size_t)used, "%s10.%d.0.0/16", i > 0 ? "," : "", i);
    assert_prints(list, list);
    snprintf(list + used, sizeof list - (size_t)used, ",10.16.0.0/16");
    assert_false(authz_condition_parse(bytes_of_text(list), &c, &why));

    /* the longest unit, and behind it an address list that ends at the last byte */
    memset(text, 'a', sizeof text);
    memcpy(text, "unit=", 5);
    memcpy(text + 5 + 255 - 8, ".service", 8);
    text[5 + 255] = '\0';
    assert_prints(text, text);
    memset(text, 'a', sizeof text);
    memcpy(text, "unit=", 5);
    memcpy(text + 5 + 256 - 8, ".service", 9);
    assert_false(authz_condition_parse(bytes_of_text(text), &c, &why));

    memset(text, '1', sizeof text);
    text[AUTHZ_CONDITION_MAX_BYTES + 1] = '\0';
    memcpy(text, "auth-age=", 9);
    assert_false(authz_condition_parse(bytes_of_text(text), &c, &why));
    assert_non_null(strstr(why, "1 to 512"));
    text[AUTHZ_CONDITION_MAX_BYTES] = '\0';
    assert_false(authz_condition_parse(bytes_of_text(text), &c, &why));
    assert_non_null(strstr(why, "auth-age"));
}

static void names_are_views(void **state)
{
    static const char text[] = "days=mon zone=GMT0BST,M3.5.0/1,M10.5.0 unit=a.service";
    struct authz_condition c;
    const char *why;
    (void)state;
    assert_true(authz_condition_parse(bytes_of_text(text), &c, &why));
    assert_ptr_equal(c.unit.p, strstr(text, "a.service"));
    assert_ptr_equal(c.zone.name.p, strstr(text, "GMT"));
    assert_ptr_equal(c.zone.dst_name.p, strstr(text, "BST"));
}

static void reads_and_judges_without_memory(void **state)
{
    struct authz_condition c;
    const char *why;
    const struct authz_facts f = {.has_now = true, .auth = AUTHZ_AUTH_PAM};
    (void)state;
    fail_alloc_after(0);
    bool is_good = authz_condition_parse(bytes_of_text(canonical[COUNT_OF(canonical) - 1]), &c, &why);
    enum authz_truth truth = is_good ? authz_condition_holds(&c, &f) : AUTHZ_YES;
    assert_false(fail_alloc_off());
    assert_true(is_good);
    assert_int_equal(truth, AUTHZ_NO);
}

static void printing_passes_faults_up(void **state)
{
    struct authz_condition c = condition_of(canonical[COUNT_OF(canonical) - 1]);
    size_t whole = strlen(canonical[COUNT_OF(canonical) - 1]);
    int r = 0;
    (void)state;
    for (size_t max = 1; max < whole; max++) {
        struct buf out;
        buf_init(&out, max);
        assert_int_equal(authz_condition_text(&out, &c), FAULT_LIMIT);
        buf_fini(&out);
    }
    EACH_ALLOC_FAILURE({
        struct buf out;
        buf_init(&out, AUTHZ_CONDITION_MAX_BYTES);
        r = authz_condition_text(&out, &c);
        buf_fini(&out);
        if (r != 0)
            assert_int_equal(r, -ENOMEM);
    });
    assert_int_equal(r, 0);
}

static void terms_have_their_keys(void **state)
{
    (void)state;
    assert_true(bytes_equal(authz_term_text(AUTHZ_TERM_TIME), BYTES_LITERAL("time")));
    assert_true(bytes_equal(authz_term_text(AUTHZ_TERM_AUTH_AGE), BYTES_LITERAL("auth-age")));
    assert_true(bytes_equal(authz_term_text(AUTHZ_TERM_UNIT), BYTES_LITERAL("unit")));
}

/* ---- facts ------------------------------------------------------------------------------------------------ */

static char letter_of(enum authz_truth truth)
{
    return truth == AUTHZ_YES ? 'Y' : truth == AUTHZ_NO ? 'N' : '?';
}

static int64_t instant(const char *text)
{
    struct wall_time t = {0};
    assert_true(clock_wall_parse(text, &t));
    return t.us;
}

/* Judges the condition at that instant. */
static char at(const char *condition, const char *when)
{
    struct authz_condition c = condition_of(condition);
    const struct authz_facts f = {.has_now = true, .now_us = instant(when)};
    return letter_of(authz_condition_holds(&c, &f));
}

static void windows_have_a_first_and_no_last_minute(void **state)
{
    (void)state;
    assert_int_equal(at("time=09:00-17:00", "2026-01-07T08:59:59.999Z"), 'N');
    assert_int_equal(at("time=09:00-17:00", "2026-01-07T09:00:00Z"), 'Y');
    assert_int_equal(at("time=09:00-17:00", "2026-01-07T16:59:59.999Z"), 'Y');
    assert_int_equal(at("time=09:00-17:00", "2026-01-07T17:00:00Z"), 'N');
    assert_int_equal(at("time=22:00-06:00", "2026-01-07T21:59:59Z"), 'N');
    assert_int_equal(at("time=22:00-06:00", "2026-01-07T22:00:00Z"), 'Y');
    assert_int_equal(at("time=22:00-06:00", "2026-01-07T00:00:00Z"), 'Y');
    assert_int_equal(at("time=22:00-06:00", "2026-01-07T05:59:59Z"), 'Y');
    assert_int_equal(at("time=22:00-06:00", "2026-01-07T06:00:00Z"), 'N');
    assert_int_equal(at("time=23:00-24:00", "2026-01-07T23:59:59.999Z"), 'Y');
    assert_int_equal(at("time=23:00-24:00", "2026-01-07T00:00:00Z"), 'N');
    assert_int_equal(at("time=23:00-00:00", "2026-01-07T23:59:59.999Z"), 'Y');
    assert_int_equal(at("time=23:00-00:00", "2026-01-07T00:00:00Z"), 'N');
    assert_int_equal(at("time=00:00-24:00", "2026-01-07T00:00:00Z"), 'Y');
    assert_int_equal(at("time=00:00-24:00", "2026-01-07T23:59:59Z"), 'Y');
    assert_int_equal(at("time=00:01-00:00", "2026-01-07T00:00:59Z"), 'N');
}

static void windows_stand_in_their_zone(void **state)
{
    static const char office[] = "time=09:00-17:00 zone=" BERLIN;
    (void)state;
    assert_int_equal(at(office, "2026-01-07T07:59:59Z"), 'N');
    assert_int_equal(at(office, "2026-01-07T08:00:00Z"), 'Y');
    assert_int_equal(at(office, "2026-07-07T06:59:59Z"), 'N');
    assert_int_equal(at(office, "2026-07-07T07:00:00Z"), 'Y');
    /* 02:30 does not exist on 29 March, and exists twice on 25 October */
    assert_int_equal(at("time=02:00-03:00 zone=" BERLIN, "2026-03-29T00:59:59Z"), 'N');
    assert_int_equal(at("time=02:00-03:00 zone=" BERLIN, "2026-03-29T01:00:00Z"), 'N');
    assert_int_equal(at("time=02:00-03:00 zone=" BERLIN, "2026-10-25T00:30:00Z"), 'Y');
    assert_int_equal(at("time=02:00-03:00 zone=" BERLIN, "2026-10-25T01:30:00Z"), 'Y');
    assert_int_equal(at("time=02:00-03:00 zone=" BERLIN, "2026-10-25T02:00:00Z"), 'N');
    assert_int_equal(at("days=thu zone=<+0530>-5:30", "2026-01-07T18:29:59Z"), 'N');
    assert_int_equal(at("days=thu zone=<+0530>-5:30", "2026-01-07T18:30:00Z"), 'Y');
}

/* 2026-01-05 is a Monday. */
static void days_are_those_on_which_a_window_begins(void **state)
{
    static const char *const names[7] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    char condition[64], when[32];
    (void)state;
    for (int day = 0; day < 7; day++) {
        for (int name = 0; name < 7; name++) {
            snprintf(when, sizeof when, "2026-01-%02dT00:00:00Z", 5 + day);
            snprintf(condition, sizeof condition, "days=%s", names[name]);
            assert_int_equal(at(condition, when), day == name ? 'Y' : 'N');
            snprintf(when, sizeof when, "2026-01-%02dT23:59:59Z", 5 + day);
            assert_int_equal(at(condition, when), day == name ? 'Y' : 'N');
            snprintf(condition, sizeof condition, "time=22:00-06:00 days=%s", names[name]);
            assert_int_equal(at(condition, when), day == name ? 'Y' : 'N');
            snprintf(when, sizeof when, "2026-01-%02dT05:59:59Z", 5 + day);
            assert_int_equal(at(condition, when), (day + 6) % 7 == name ? 'Y' : 'N');
            snprintf(when, sizeof when, "2026-01-%02dT06:00:00Z", 5 + day);
            assert_int_equal(at(condition, when), 'N');
        }
    }
    struct authz_condition c = condition_of("time=22:00-06:00 days=sat");
    const struct authz_facts over = {.has_now = true, .now_us = instant("2026-01-10T06:00:00Z")};
    unsigned unknown;
    assert_int_equal(authz_condition_failing(&c, &over, &unknown), AUTHZ_TERM_TIME); /* the day is right by now */
    assert_int_equal(at("days=mon-fri", "2026-01-09T12:00:00Z"), 'Y');
    assert_int_equal(at("days=mon-fri", "2026-01-10T12:00:00Z"), 'N');
    assert_int_equal(at("time=06:00-22:00 days=fri", "2026-01-10T05:00:00Z"), 'N');
}

static void spans_begin_and_end_at_their_instant(void **state)
{
    (void)state;
    assert_int_equal(at("since=2026-01-31T12:00:00Z", "2026-01-31T11:59:59.999Z"), 'N');
    assert_int_equal(at("since=2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"), 'Y');
    assert_int_equal(at("until=2026-01-31T12:00:00Z", "2026-01-31T11:59:59.999Z"), 'Y');
    assert_int_equal(at("until=2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"), 'N');
    assert_int_equal(at("since=1969-12-31T23:59:59Z until=1970-01-01T00:00:00Z", "1969-12-31T23:59:59.5Z"), 'Y');
    assert_int_equal(at("since=1969-12-31T23:59:59Z until=1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"), 'N');
}

static void time_before_1970_counts_backwards(void **state)
{
    (void)state;
    assert_int_equal(at("time=23:59-24:00 days=wed", "1969-12-31T23:59:59.999Z"), 'Y');
    assert_int_equal(at("time=23:59-24:00 days=wed", "1969-12-31T23:58:59.999Z"), 'N');
}

static void no_clock_is_no_evidence(void **state)
{
    static const char *const timed[] = {"time=00:00-24:00", "days=mon-sun", "since=0000-01-01T00:00:00Z",
                                        "until=9999-12-31T23:59:59Z", "days=mon zone=GMT0"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(timed); i++) {
        struct authz_condition c = condition_of(timed[i]);
        const struct authz_facts f = {
            .now_us = instant("2026-01-05T12:00:00Z"), .auth = AUTHZ_AUTH_PAM, .address = {.kind = AUTHZ_ADDRESS_NONE}};
        assert_int_equal(authz_condition_holds(&c, &f), AUTHZ_UNKNOWN);
    }
}

/* Truth under each of the facts, as a string of one letter each. */
static void assert_truths(const char *condition, const struct authz_facts *facts, size_t count, const char *wanted)
{
    struct authz_condition c = condition_of(condition);
    assert_int_equal(strlen(wanted), count);
    for (size_t i = 0; i < count; i++) {
        if (letter_of(authz_condition_holds(&c, &facts[i])) != wanted[i])
            fail_msg("%s with facts %zu is not %c", condition, i, wanted[i]);
    }
}

static void authentication_has_a_rank_and_an_age(void **state)
{
    static const struct authz_facts facts[] = {
        {.auth = AUTHZ_AUTH_UNKNOWN},
        {.auth = AUTHZ_AUTH_UNKNOWN, .has_auth_age = true, .auth_age_s = 1},
        {.auth = AUTHZ_AUTH_PEER},
        {.auth = AUTHZ_AUTH_PEER, .has_auth_age = true, .auth_age_s = 1},
        {.auth = AUTHZ_AUTH_PAM},
        {.auth = AUTHZ_AUTH_PAM, .has_auth_age = true, .auth_age_s = -1},
        {.auth = AUTHZ_AUTH_PAM, .has_auth_age = true, .auth_age_s = 0},
        {.auth = AUTHZ_AUTH_PAM, .has_auth_age = true, .auth_age_s = 300},
        {.auth = AUTHZ_AUTH_PAM, .has_auth_age = true, .auth_age_s = 301},
        {.auth = AUTHZ_AUTH_PAM, .has_auth_age = true, .auth_age_s = INT64_MAX},
    };
    (void)state;
    assert_truths("auth=peer", facts, COUNT_OF(facts), "??YYYYYYYY");
    assert_truths("auth=pam", facts, COUNT_OF(facts), "??NNYYYYYY");
    assert_truths("auth-age=300", facts, COUNT_OF(facts), "??NN??YYNN");
    assert_truths("auth=pam auth-age=300", facts, COUNT_OF(facts), "??NN??YYNN");
    assert_truths("auth=peer auth-age=300", facts, COUNT_OF(facts), "??NN??YYNN");
}

static void a_caller_without_an_address_comes_from_nowhere(void **state)
{
    struct authz_facts facts[] = {{.address.kind = AUTHZ_ADDRESS_UNKNOWN}, {.address.kind = AUTHZ_ADDRESS_NONE},
                                  {.address.kind = AUTHZ_ADDRESS_IPV4},    {.address.kind = AUTHZ_ADDRESS_IPV4},
                                  {.address.kind = AUTHZ_ADDRESS_IPV6},    {.address.kind = AUTHZ_ADDRESS_IPV6}};
    (void)state;
    assert_int_equal(inet_pton(AF_INET, "192.0.2.9", facts[2].address.bytes), 1);
    assert_int_equal(inet_pton(AF_INET, "198.51.100.1", facts[3].address.bytes), 1);
    assert_int_equal(inet_pton(AF_INET6, "2001:db8::1", facts[4].address.bytes), 1);
    assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.9", facts[5].address.bytes), 1);
    assert_truths("address=192.0.2.0/24", facts, COUNT_OF(facts), "?NYNNY");
    assert_truths("address=2001:db8::/32,198.51.100.0/24", facts, COUNT_OF(facts), "?NNYYN");
    assert_truths("address=0.0.0.0/0", facts, COUNT_OF(facts), "?NYYNY");
    assert_truths("address=0.0.0.0/0,::/0", facts, COUNT_OF(facts), "?NYYYY");
}

static struct asked {
    unsigned count;
    struct bytes name;
    enum authz_truth answer;
} asked;

static enum authz_truth answer(struct bytes name, void *arg)
{
    struct asked *a = arg;
    a->count++;
    a->name = name;
    return a->answer;
}

static void a_unit_is_asked_for_last(void **state)
{
    const struct authz_facts f = {.auth = AUTHZ_AUTH_PEER, .unit_is_active = answer, .unit_arg = &asked};
    const struct authz_facts mute = {.auth = AUTHZ_AUTH_PEER};
    static const enum authz_truth answers[] = {AUTHZ_NO, AUTHZ_YES, AUTHZ_UNKNOWN};
    struct authz_condition c = condition_of("unit=backup.service");
    struct authz_condition no = condition_of("unit=backup.service auth=pam"),
                           unknown = condition_of("unit=backup.service days=mon");
    (void)state;
    asked = (struct asked){0};
    for (unsigned i = 0; i < COUNT_OF(answers); i++) {
        asked.answer = answers[i];
        assert_int_equal(authz_condition_holds(&c, &f), answers[i]);
        assert_int_equal(asked.count, i + 1);
        assert_true(bytes_equal(asked.name, BYTES_LITERAL("backup.service")));
    }
    assert_int_equal(authz_condition_holds(&c, &mute), AUTHZ_UNKNOWN);
    asked = (struct asked){0};
    assert_int_equal(authz_condition_holds(&no, &f), AUTHZ_NO);
    assert_int_equal(asked.count, 0);
    assert_int_equal(authz_condition_holds(&unknown, &f), AUTHZ_NO);
    assert_int_equal(asked.count, 1);
}

/* Three terms, each of which can be made no, yes or unknown on its own: all 27 cases. */
static void one_no_outweighs_all_unknown(void **state)
{
    struct authz_condition c = condition_of("days=mon auth=pam address=192.0.2.0/24");
    (void)state;
    for (unsigned n = 0; n < 27; n++) {
        const unsigned truth[3] = {n % 3, n / 3 % 3, n / 9};
        struct authz_facts f = {.has_now = truth[0] != AUTHZ_UNKNOWN,
                                .now_us =
                                    instant(truth[0] == AUTHZ_YES ? "2026-01-05T12:00:00Z" : "2026-01-06T12:00:00Z")};
        f.auth = truth[1] == AUTHZ_UNKNOWN ? AUTHZ_AUTH_UNKNOWN
                 : truth[1] == AUTHZ_YES   ? AUTHZ_AUTH_PAM
                                           : AUTHZ_AUTH_PEER;
        f.address.kind = truth[2] == AUTHZ_UNKNOWN ? AUTHZ_ADDRESS_UNKNOWN : AUTHZ_ADDRESS_IPV4;
        memcpy(f.address.bytes, (uint8_t[]){192, 0, truth[2] == AUTHZ_YES ? 2 : 3, 1}, 4);
        unsigned no = 0, unsure = 0, unknown = 99;
        for (unsigned i = 0; i < 3; i++) {
            static const unsigned bits[3] = {AUTHZ_TERM_DAYS, AUTHZ_TERM_AUTH, AUTHZ_TERM_ADDRESS};
            no |= truth[i] == AUTHZ_NO ? bits[i] : 0;
            unsure |= truth[i] == AUTHZ_UNKNOWN ? bits[i] : 0;
        }
        assert_int_equal(authz_condition_holds(&c, &f), no != 0 ? AUTHZ_NO : unsure != 0 ? AUTHZ_UNKNOWN : AUTHZ_YES);
        assert_int_equal(authz_condition_failing(&c, &f, &unknown), no | unsure);
        assert_int_equal(unknown, unsure);
    }
}

static void what_cannot_be_read_is_unknown(void **state)
{
    const struct authz_condition c = AUTHZ_UNREADABLE;
    const struct authz_facts f = {.has_now = true, .auth = AUTHZ_AUTH_PAM, .address = {.kind = AUTHZ_ADDRESS_NONE}};
    unsigned unknown = 0;
    SCOPED(buf_fini) struct buf out;
    (void)state;
    buf_init(&out, 64);
    assert_int_equal(authz_condition_holds(&c, &f), AUTHZ_UNKNOWN);
    assert_int_equal(authz_condition_holds(&c, NULL), AUTHZ_UNKNOWN);
    assert_int_equal(authz_condition_failing(&c, &f, &unknown), AUTHZ_TERMS_ALL);
    assert_int_equal(unknown, AUTHZ_TERMS_ALL);
    assert_int_equal(authz_condition_text(&out, &c), 0);
    struct authz_condition again;
    const char *why;
    assert_false(authz_condition_parse(buf_view(&out), &again, &why));
}

static void without_facts_all_is_unknown(void **state)
{
    static const struct authz_facts zero;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(canonical); i++) {
        struct authz_condition c = condition_of(canonical[i]);
        unsigned unknown = 0;
        assert_int_equal(authz_condition_holds(&c, NULL), AUTHZ_UNKNOWN);
        assert_int_equal(authz_condition_holds(&c, &zero), AUTHZ_UNKNOWN);
        assert_int_equal(authz_condition_failing(&c, NULL, &unknown), c.terms & ~(unsigned)AUTHZ_TERM_ZONE);
        assert_int_equal(unknown, c.terms & ~(unsigned)AUTHZ_TERM_ZONE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_texts_come_back),
        cmocka_unit_test(other_texts_become_canonical),
        cmocka_unit_test(refuses_malformed_texts),
        cmocka_unit_test(texts_and_lists_end_at_their_limits),
        cmocka_unit_test(names_are_views),
        cmocka_unit_test(reads_and_judges_without_memory),
        cmocka_unit_test(printing_passes_faults_up),
        cmocka_unit_test(terms_have_their_keys),
        cmocka_unit_test(windows_have_a_first_and_no_last_minute),
        cmocka_unit_test(windows_stand_in_their_zone),
        cmocka_unit_test(days_are_those_on_which_a_window_begins),
        cmocka_unit_test(spans_begin_and_end_at_their_instant),
        cmocka_unit_test(time_before_1970_counts_backwards),
        cmocka_unit_test(no_clock_is_no_evidence),
        cmocka_unit_test(authentication_has_a_rank_and_an_age),
        cmocka_unit_test(a_caller_without_an_address_comes_from_nowhere),
        cmocka_unit_test(a_unit_is_asked_for_last),
        cmocka_unit_test(one_no_outweighs_all_unknown),
        cmocka_unit_test(what_cannot_be_read_is_unknown),
        cmocka_unit_test(without_facts_all_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
