/*
 * condition - what must hold, besides who asks, for a rule to apply: a time window, how the caller was authenticated,
 * an active unit, where the caller comes from. Pure: the facts are handed in, nothing is looked up, nothing is
 * allocated.
 *
 * A condition is a text of terms "key=value" with exactly one blank between them, all of which must hold. What cannot
 * be judged for want of evidence is neither held nor failed but unknown, and stays so unless another term fails:
 * whoever uses the answer decides to the side of refusal. Grammar and meaning: doc/spec/rules.md.
 */
#ifndef AUTHZ_CONDITION_H
#define AUTHZ_CONDITION_H

#include "authz/network.h"
#include "authz/zone.h"

enum { AUTHZ_CONDITION_MAX_BYTES = 512, AUTHZ_NETWORKS_MAX_COUNT = 16, AUTHZ_AUTH_AGE_MAX_S = 86400 };

enum authz_truth { AUTHZ_NO, AUTHZ_YES, AUTHZ_UNKNOWN };

/* How the caller was authenticated; more satisfies less. */
enum authz_auth {
    AUTHZ_AUTH_UNKNOWN,
    AUTHZ_AUTH_PEER, /* the kernel named the peer */
    AUTHZ_AUTH_PAM,  /* and it logged in */
};

/* What is known while a request is decided. All zero: nothing. */
struct authz_facts {
    int64_t now_us; /* wall clock, since 1970-01-01 UTC; with has_now only */
    bool has_now;
    bool has_auth_age;
    enum authz_auth auth;
    int64_t auth_age_s; /* seconds since the login; with has_auth_age only; negative: not to be believed, so unknown */
    struct authz_address address;
    /* Whether that unit is active on this host. NULL: not known. Must answer the same as long as one decision runs. */
    enum authz_truth (*unit_is_active)(struct bytes name, void *arg);
    void *unit_arg;
};

// clang-format off
/* Terms: name, bit, key; in the order in which they are printed. */
#define AUTHZ_TERM_LIST(X)                                                                                             \
    X(TIME,     0, "time")                                                                                             \
    X(DAYS,     1, "days")                                                                                             \
    X(ZONE,     2, "zone")                                                                                             \
    X(SINCE,    3, "since")                                                                                            \
    X(UNTIL,    4, "until")                                                                                            \
    X(AUTH,     5, "auth")                                                                                             \
    X(AUTH_AGE, 6, "auth-age")                                                                                         \
    X(ADDRESS,  7, "address")                                                                                          \
    X(UNIT,     8, "unit")
// clang-format on

enum authz_term {
#define AUTHZ_TERM_ENUM_(name, bit, key) AUTHZ_TERM_##name = 1u << bit,
    AUTHZ_TERM_LIST(AUTHZ_TERM_ENUM_)
#undef AUTHZ_TERM_ENUM_
        AUTHZ_TERMS_ALL = (1u << 9) - 1,
};

struct authz_condition {
    bool is_unreadable;              /* see AUTHZ_UNREADABLE; nothing else is then set */
    uint8_t days;                    /* bit 0: Monday */
    uint16_t from_minute, to_minute; /* of the local day; to: 1 to 1440, less than from: on the next day */
    unsigned terms;                  /* AUTHZ_TERM_* bits: what it asks for */
    enum authz_auth auth;
    uint32_t auth_age_s;
    int64_t since_us, until_us;
    struct zone zone;  /* UTC without AUTHZ_TERM_ZONE */
    struct bytes unit; /* borrowed */
    size_t networks_count;
    struct authz_network networks[AUTHZ_NETWORKS_MAX_COUNT];
};

/*
 * What stands for a stored condition that does not parse: always unknown, so that an allowing rule never applies and a
 * denying rule always does.
 */
#define AUTHZ_UNREADABLE ((struct authz_condition){.is_unreadable = true})

/*
 * authz_condition_parse - read a condition.
 * text           1 to AUTHZ_CONDITION_MAX_BYTES bytes; must live as long as the condition, which holds views into it
 * ret_condition  set on success only
 * ret_why        if false: what is wrong, in words; static
 * Returns true, or false. Pure; O(bytes).
 */
bool authz_condition_parse(struct bytes text, struct authz_condition *ret_condition, const char **ret_why) MUST_USE;

/*
 * authz_condition_text - append the canonical text: terms in the order of the table, days and zone at their shortest.
 * It parses to the same condition and is never longer than a text that was parsed. An unreadable one prints as
 * "unreadable", which is no condition. Results as buf_reserve().
 */
int authz_condition_text(struct buf *out, const struct authz_condition *condition) MUST_USE;

/*
 * authz_condition_holds - do all terms hold? NO if one does not, else UNKNOWN if one is unknown, else YES. Asks for a
 * unit at most once, and only if every other term holds or is unknown.
 * facts  what is known; NULL: nothing, and the answer is UNKNOWN
 * O(terms and networks).
 */
enum authz_truth authz_condition_holds(const struct authz_condition *condition, const struct authz_facts *facts);

/*
 * authz_condition_failing - which terms are not YES, for an explanation.
 * ret_unknown  those of them that are unknown
 * Returns AUTHZ_TERM_* bits; for an unreadable condition all of them, all unknown. Asks for a unit if there is one.
 */
unsigned authz_condition_failing(const struct authz_condition *condition, const struct authz_facts *facts,
                                 unsigned *ret_unknown);

/* authz_term_text - the key of one term. */
struct bytes authz_term_text(enum authz_term term);

#endif
