/*
 * Tests of decisions: what the contract says case by case, then a comparison with a model that is written another way
 * (the subject as a set of principal texts, the rules as one list sorted by id) over every small rule set and many
 * random ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authz/authz.h"
#include "fail-alloc.h"

#define UNIT(text) ((struct authz_principal){.kind = AUTHZ_UNIT, .name = BYTES_LITERAL(text)})
#define LABEL(text) ((struct authz_principal){.kind = AUTHZ_LABEL, .name = BYTES_LITERAL(text)})
#define UID(n) ((struct authz_principal){.kind = AUTHZ_UID, .id = (n)})
#define GID(n) ((struct authz_principal){.kind = AUTHZ_GID, .id = (n)})
#define ANY ((struct authz_principal){.kind = AUTHZ_ANY})

static const gid_t groups[] = {27, 4, 100};

static struct authz_subject alice(void)
{
    return (struct authz_subject){.uid = 1000,
                                  .gid = 1000,
                                  .groups = groups,
                                  .groups_count = COUNT_OF(groups),
                                  .unit = BYTES_LITERAL("web.service"),
                                  .label = BYTES_LITERAL("snap.web")};
}

static struct authz_decision decide(const struct authz_rule *rules, size_t count, bool is_owner,
                                    enum authz_action action)
{
    struct authz_subject subject = alice();
    struct authz_rules chain = {rules, count};
    return authz_decide(&chain, 1, &subject, is_owner, action);
}

static void assert_answer(struct authz_decision d, bool is_allowed, uint64_t rule)
{
    assert_int_equal(d.is_allowed, is_allowed);
    assert_int_equal(d.rule, rule);
}

static void matches_what_the_kernel_said(void **state)
{
    struct authz_subject s = alice();
    (void)state;
    assert_true(authz_matches(&UID(1000), &s));
    assert_false(authz_matches(&UID(27), &s));
    assert_true(authz_matches(&GID(1000), &s));
    assert_true(authz_matches(&GID(27), &s));
    assert_true(authz_matches(&GID(100), &s));
    assert_false(authz_matches(&GID(5), &s));
    assert_true(authz_matches(&UNIT("web.service"), &s));
    assert_false(authz_matches(&UNIT("web.servic"), &s));
    assert_false(authz_matches(&UNIT("Web.service"), &s));
    assert_false(authz_matches(&UNIT("snap.web"), &s));
    assert_true(authz_matches(&LABEL("snap.web"), &s));
    assert_false(authz_matches(&LABEL("web.service"), &s));
    assert_true(authz_matches(&ANY, &s));
}

static void unknown_facts_match_nothing(void **state)
{
    struct authz_subject s = {.uid = 1000, .gid = 1000};
    (void)state;
    assert_false(authz_matches(&UNIT("web.service"), &s));
    assert_false(authz_matches(&UNIT(""), &s));
    assert_false(authz_matches(&LABEL("snap.web"), &s));
    assert_false(authz_matches(&LABEL(""), &s));
    assert_false(authz_matches(&GID(27), &s));
    assert_true(authz_matches(&ANY, &s));
}

static void numbers_that_name_nobody_match_nothing(void **state)
{
    static const gid_t unknown[] = {65534, UINT32_MAX};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(unknown); i++) {
        struct authz_subject s = {
            .uid = unknown[i], .gid = unknown[i], .groups = unknown, .groups_count = COUNT_OF(unknown)};
        assert_false(authz_matches(&UID(unknown[i]), &s));
        assert_false(authz_matches(&GID(unknown[i]), &s));
    }
}

static void anonymous_matches_nothing(void **state)
{
    struct authz_subject s = alice();
    const struct authz_rule rules[] = {
        {1, AUTHZ_ALLOW, ANY, AUTHZ_ALL}, {2, AUTHZ_ALLOW, UID(1000), AUTHZ_ALL}, {3, AUTHZ_DENY, ANY, AUTHZ_READ}};
    const struct authz_rules chain = {rules, COUNT_OF(rules)};
    (void)state;
    s.is_anonymous = true;
    assert_false(authz_matches(&ANY, &s));
    assert_false(authz_matches(&UID(1000), &s));
    assert_false(authz_matches(&GID(27), &s));
    assert_false(authz_matches(&UNIT("web.service"), &s));
    assert_false(authz_matches(&LABEL("snap.web"), &s));
    for (unsigned bit = 1; bit < AUTHZ_ALL; bit <<= 1) {
        assert_answer(authz_decide(&chain, 1, &s, true, bit), false, 0);
        assert_answer(authz_decide(&chain, 1, &s, false, bit), false, 0);
    }
}

static void without_rules_the_owner_alone_may(void **state)
{
    (void)state;
    for (unsigned bit = 1; bit < AUTHZ_ALL; bit <<= 1) {
        assert_answer(decide(NULL, 0, false, bit), false, 0);
        assert_answer(decide(NULL, 0, true, bit), (bit & AUTHZ_OWNER) != 0, 0);
    }
    struct authz_subject s = alice();
    assert_answer(authz_decide(NULL, 0, &s, true, AUTHZ_READ), true, 0);
    assert_answer(authz_decide(NULL, 0, &s, true, AUTHZ_GRANT), false, 0);
}

static void deny_wins_in_any_order_for_everyone(void **state)
{
    const struct authz_rule allow = {1, AUTHZ_ALLOW, UID(1000), AUTHZ_ALL}, deny = {2, AUTHZ_DENY, ANY, AUTHZ_READ};
    const struct authz_rule orders[2][2] = {{allow, deny}, {deny, allow}};
    struct authz_subject s = alice();
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct authz_rules apart[2] = {{&orders[i][0], 1}, {&orders[i][1], 1}};
        assert_answer(decide(orders[i], 2, true, AUTHZ_READ), false, 2);
        assert_answer(authz_decide(apart, 2, &s, true, AUTHZ_READ), false, 2);
        assert_answer(decide(orders[i], 2, false, AUTHZ_WRITE), true, 1);
    }
    assert_answer(decide(&deny, 1, true, AUTHZ_READ), false, 2);
    assert_answer(decide(&deny, 1, true, AUTHZ_WRITE), true, 0);
}

static void names_the_lowest_rule_that_decides(void **state)
{
    const struct authz_rule rules[] = {
        {9, AUTHZ_ALLOW, UID(1000), AUTHZ_READ},         {4, AUTHZ_ALLOW, ANY, AUTHZ_READ | AUTHZ_LIST},
        {7, AUTHZ_DENY, GID(27), AUTHZ_WRITE},           {2, AUTHZ_DENY, UID(1), AUTHZ_WRITE},
        {6, AUTHZ_DENY, LABEL("snap.web"), AUTHZ_WRITE}, {1, AUTHZ_ALLOW, ANY, AUTHZ_WRITE}};
    (void)state;
    assert_answer(decide(rules, COUNT_OF(rules), false, AUTHZ_READ), true, 4);
    assert_answer(decide(rules, COUNT_OF(rules), false, AUTHZ_WRITE), false, 6);
    assert_answer(decide(rules, COUNT_OF(rules), false, AUTHZ_DELETE), false, 0);
}

static void walks_the_longest_chain(void **state)
{
    const struct authz_rule rule = {UINT64_MAX, AUTHZ_DENY, ANY, AUTHZ_LIST};
    struct authz_rules chain[AUTHZ_CHAIN_MAX_COUNT] = {{NULL, 0}};
    struct authz_subject s = alice();
    (void)state;
    chain[AUTHZ_CHAIN_MAX_COUNT - 1] = (struct authz_rules){&rule, 1};
    assert_answer(authz_decide(chain, AUTHZ_CHAIN_MAX_COUNT, &s, true, AUTHZ_LIST), false, UINT64_MAX);
    assert_answer(authz_decide(chain, AUTHZ_CHAIN_MAX_COUNT - 1, &s, true, AUTHZ_LIST), true, 0);
}

static void decides_without_memory(void **state)
{
    const struct authz_rule rules[] = {{1, AUTHZ_ALLOW, UNIT("web.service"), AUTHZ_ALL},
                                       {2, AUTHZ_DENY, GID(9), AUTHZ_ALL}};
    (void)state;
    fail_alloc_after(0);
    struct authz_decision d = decide(rules, 2, false, AUTHZ_READ);
    assert_false(fail_alloc_off());
    assert_answer(d, true, 1);
}

/* ---- the model ------------------------------------------------------------------------------------------- */

enum { MODEL_RULES_MAX_COUNT = 12, MODEL_TEXT_BYTES = 64 };

/* A subject is the set of principal texts that are true of it. */
struct model_subject {
    char facts[8][MODEL_TEXT_BYTES];
    size_t count;
};

static struct model_subject model_of(const struct authz_subject *s)
{
    struct model_subject m = {.count = 0};
    if (s->is_anonymous)
        return m;
    snprintf(m.facts[m.count++], MODEL_TEXT_BYTES, "any");
    snprintf(m.facts[m.count++], MODEL_TEXT_BYTES, "uid:%u", s->uid);
    snprintf(m.facts[m.count++], MODEL_TEXT_BYTES, "gid:%u", s->gid);
    for (size_t i = 0; i < s->groups_count; i++)
        snprintf(m.facts[m.count++], MODEL_TEXT_BYTES, "gid:%u", s->groups[i]);
    if (s->unit.n > 0)
        snprintf(m.facts[m.count++], MODEL_TEXT_BYTES, "unit:%.*s", BYTES_PRINT(s->unit));
    if (s->label.n > 0)
        snprintf(m.facts[m.count++], MODEL_TEXT_BYTES, "label:%.*s", BYTES_PRINT(s->label));
    return m;
}

/* A rule of the model: its principal is a text. */
struct model_rule {
    uint64_t id;
    bool denies;
    const char *who;
    unsigned actions;
};

static int by_id(const void *a, const void *b)
{
    const struct model_rule *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* First pass: the first rule, by id, that denies; second pass: the first that allows; then the owner. */
static struct authz_decision model_decide(const struct model_rule *rules, size_t count, const struct authz_subject *s,
                                          bool is_owner, const char *action)
{
    static const char *const owner_may[] = {"list", "read", "write", "delete"};
    struct model_subject m = model_of(s);
    struct model_rule sorted[MODEL_RULES_MAX_COUNT];
    unsigned wanted = authz_actions_parse(bytes_of_text(action));
    memcpy(sorted, rules, count * sizeof *rules);
    qsort(sorted, count, sizeof *sorted, by_id);
    for (int denies = 1; denies >= 0; denies--) {
        for (size_t i = 0; i < count * m.count; i++) {
            const struct model_rule *rule = &sorted[i / m.count];
            if (rule->denies == (denies == 1) && strcmp(rule->who, m.facts[i % m.count]) == 0 &&
                rule->actions % (2 * wanted) >= wanted)
                return (struct authz_decision){denies == 0, rule->id};
        }
    }
    for (size_t i = 0; i < COUNT_OF(owner_may); i++) {
        if (m.count > 0 && is_owner && strcmp(owner_may[i], action) == 0)
            return (struct authz_decision){true, 0};
    }
    return (struct authz_decision){false, 0};
}

static const char *const action_names[] = {"list", "read", "write", "delete", "grant", "audit", "control"};
static const char *const who_texts[] = {
    "any",   "uid:1000",         "uid:0",           "gid:1000",       "gid:27",
    "gid:5", "unit:web.service", "unit:db.service", "label:snap.web", "label:other"};

static struct authz_rule to_rule(const struct model_rule *m)
{
    struct authz_rule rule = {.id = m->id, .effect = m->denies ? AUTHZ_DENY : AUTHZ_ALLOW, .actions = m->actions};
    assert_true(authz_principal_parse(bytes_of_text(m->who), &rule.who));
    return rule;
}

/* Lays the rules out over `depth` paths as `place` says (digits to the base of `depth`) and compares the two answers.
 */
static void compare(const struct model_rule *model, size_t count, size_t depth, uint64_t place,
                    const struct authz_subject *s, bool is_owner)
{
    struct authz_rule rules[4][MODEL_RULES_MAX_COUNT];
    struct authz_rules chain[4] = {{NULL, 0}};
    for (size_t i = 0; i < count; i++, place /= depth) {
        struct authz_rules *path = &chain[place % depth];
        rules[place % depth][path->count++] = to_rule(&model[i]);
        path->rules = rules[place % depth];
    }
    for (size_t i = 0; i < COUNT_OF(action_names); i++) {
        struct authz_decision wanted = model_decide(model, count, s, is_owner, action_names[i]);
        struct authz_decision got = authz_decide(chain, depth, s, is_owner, 1u << i);
        assert_int_equal(got.is_allowed, wanted.is_allowed);
        assert_int_equal(got.rule, wanted.rule);
    }
}

static void agrees_with_the_model_on_every_small_set(void **state)
{
    enum { KINDS = 2 * 4 * 3 };
    static const unsigned masks[3] = {AUTHZ_READ, AUTHZ_GRANT, AUTHZ_ALL};
    static const char *const who[4] = {"any", "uid:1000", "gid:27", "uid:0"};
    struct authz_subject s = alice();
    struct model_rule rules[2];
    (void)state;
    for (unsigned n = 0; n < KINDS * KINDS * 2 * 4 * 3; n++) {
        unsigned rest = n;
        for (unsigned i = 0; i < 2; i++, rest /= KINDS)
            rules[i] =
                (struct model_rule){.denies = rest % 2, .who = who[rest / 2 % 4], .actions = masks[rest / 8 % 3]};
        rules[0].id = 1 + rest % 2;
        rules[1].id = 2 - rest % 2;
        compare(rules, rest / 8, 2, rest / 2 % 4, &s, rest % 2 == 0);
    }
}

static uint64_t draw(uint64_t *seed, uint64_t below)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed % below;
}

static struct authz_subject random_subject(uint64_t *seed)
{
    struct authz_subject s = alice();
    s.is_anonymous = draw(seed, 16) == 0;
    s.uid = draw(seed, 2) == 0 ? 0 : 1000;
    s.gid = draw(seed, 2) == 0 ? 5 : 1000;
    s.groups_count = draw(seed, COUNT_OF(groups) + 1);
    if (draw(seed, 3) == 0)
        s.unit = BYTES_NONE;
    if (draw(seed, 3) == 0)
        s.label = BYTES_NONE;
    return s;
}

static void agrees_with_the_model_on_random_sets(void **state)
{
    uint64_t seed = 0x5ec4e6;
    struct model_rule rules[MODEL_RULES_MAX_COUNT];
    (void)state;
    for (unsigned n = 0; n < 60000; n++) {
        struct authz_subject s = random_subject(&seed);
        size_t count = draw(&seed, MODEL_RULES_MAX_COUNT + 1), first = draw(&seed, 1000) + 1;
        for (size_t i = 0; i < count; i++)
            rules[i] = (struct model_rule){.id = first + (i * 5) % 13, /* distinct, in no order */
                                           .denies = draw(&seed, 4) == 0,
                                           .who = who_texts[draw(&seed, COUNT_OF(who_texts))],
                                           .actions = (unsigned)draw(&seed, AUTHZ_ALL) + 1};
        compare(rules, count, 1 + draw(&seed, 4), draw(&seed, UINT64_MAX), &s, draw(&seed, 2) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_what_the_kernel_said),
        cmocka_unit_test(unknown_facts_match_nothing),
        cmocka_unit_test(numbers_that_name_nobody_match_nothing),
        cmocka_unit_test(anonymous_matches_nothing),
        cmocka_unit_test(without_rules_the_owner_alone_may),
        cmocka_unit_test(deny_wins_in_any_order_for_everyone),
        cmocka_unit_test(names_the_lowest_rule_that_decides),
        cmocka_unit_test(walks_the_longest_chain),
        cmocka_unit_test(decides_without_memory),
        cmocka_unit_test(agrees_with_the_model_on_every_small_set),
        cmocka_unit_test(agrees_with_the_model_on_random_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
