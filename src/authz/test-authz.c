/*
 * Tests of decisions: what the contract says case by case. The comparison with a model is in test-authz-model.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "authz/authz.h"
#include "authz/test-subject.h"
#include "fail-alloc.h"

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
    assert_true(authz_matches(&ROLE("ops"), &s));
    assert_true(authz_matches(&ROLE("web-admins"), &s));
    assert_false(authz_matches(&ROLE("op"), &s));
    assert_false(authz_matches(&ROLE("Ops"), &s));
    assert_false(authz_matches(&ROLE("web.service"), &s));
    assert_false(authz_matches(&UNIT("ops"), &s));
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
    assert_false(authz_matches(&ROLE("ops"), &s));
    assert_true(authz_matches(&ANY, &s));
    s.roles = &BYTES_NONE; /* a role without a name is none */
    s.roles_count = 1;
    assert_false(authz_matches(&ROLE("ops"), &s));
    assert_false(authz_matches(&ROLE(""), &s));
}

static void what_could_not_be_found_out_is_neither_named_nor_not(void **state)
{
    static const struct bytes maybe[] = {{(const uint8_t *)"ops", 3}};
    struct authz_subject s = {
        .uid = 1000, .gid = 1000, .is_unit_unknown = true, .maybe_roles = maybe, .maybe_roles_count = COUNT_OF(maybe)};
    (void)state;
    assert_int_equal(authz_names(&UNIT("web.service"), &s), AUTHZ_UNKNOWN);
    assert_int_equal(authz_names(&LABEL("snap.web"), &s), AUTHZ_NO);
    assert_int_equal(authz_names(&ROLE("ops"), &s), AUTHZ_UNKNOWN);
    assert_int_equal(authz_names(&ROLE("web-admins"), &s), AUTHZ_NO);
    assert_int_equal(authz_names(&UID(1000), &s), AUTHZ_YES);
    assert_false(authz_matches(&UNIT("web.service"), &s));
    const struct authz_rule rules[] = {
        RULE(1, AUTHZ_ALLOW, UNIT("web.service"), AUTHZ_READ), RULE(2, AUTHZ_ALLOW, UID(1000), AUTHZ_ALL),
        RULE(3, AUTHZ_DENY, ROLE("ops"), AUTHZ_WRITE), RULE(4, AUTHZ_DENY, LABEL("snap.web"), AUTHZ_DELETE)};
    const struct authz_rules chain = {rules, COUNT_OF(rules)};
    assert_answer(authz_decide(&chain, 1, &s, false, AUTHZ_READ), true, 2);
    assert_answer(authz_decide(&chain, 1, &s, false, AUTHZ_WRITE), false, 3);
    assert_answer(authz_decide(&chain, 1, &s, false, AUTHZ_DELETE), true, 2);
    s.is_label_unknown = true;
    assert_answer(authz_decide(&chain, 1, &s, false, AUTHZ_DELETE), false, 4);
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
    const struct authz_rule rules[] = {RULE(1, AUTHZ_ALLOW, ANY, AUTHZ_ALL), RULE(2, AUTHZ_ALLOW, UID(1000), AUTHZ_ALL),
                                       RULE(3, AUTHZ_DENY, ANY, AUTHZ_READ)};
    const struct authz_rules chain = {rules, COUNT_OF(rules)};
    (void)state;
    s.is_anonymous = true;
    assert_false(authz_matches(&ANY, &s));
    assert_false(authz_matches(&UID(1000), &s));
    assert_false(authz_matches(&GID(27), &s));
    assert_false(authz_matches(&UNIT("web.service"), &s));
    assert_false(authz_matches(&LABEL("snap.web"), &s));
    assert_false(authz_matches(&ROLE("ops"), &s));
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
    const struct authz_rule allow = RULE(1, AUTHZ_ALLOW, UID(1000), AUTHZ_ALL),
                            deny = RULE(2, AUTHZ_DENY, ANY, AUTHZ_READ);
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
        RULE(9, AUTHZ_ALLOW, UID(1000), AUTHZ_READ),         RULE(4, AUTHZ_ALLOW, ANY, AUTHZ_READ | AUTHZ_LIST),
        RULE(7, AUTHZ_DENY, GID(27), AUTHZ_WRITE),           RULE(2, AUTHZ_DENY, UID(1), AUTHZ_WRITE),
        RULE(6, AUTHZ_DENY, LABEL("snap.web"), AUTHZ_WRITE), RULE(1, AUTHZ_ALLOW, ANY, AUTHZ_WRITE)};
    (void)state;
    assert_answer(decide(rules, COUNT_OF(rules), false, AUTHZ_READ), true, 4);
    assert_answer(decide(rules, COUNT_OF(rules), false, AUTHZ_WRITE), false, 6);
    assert_answer(decide(rules, COUNT_OF(rules), false, AUTHZ_DELETE), false, 0);
}

static void walks_the_longest_chain(void **state)
{
    const struct authz_rule rule = RULE(UINT64_MAX, AUTHZ_DENY, ANY, AUTHZ_LIST);
    struct authz_rules chain[AUTHZ_CHAIN_MAX_COUNT] = {{NULL, 0}};
    struct authz_subject s = alice();
    (void)state;
    chain[AUTHZ_CHAIN_MAX_COUNT - 1] = (struct authz_rules){&rule, 1};
    assert_answer(authz_decide(chain, AUTHZ_CHAIN_MAX_COUNT, &s, true, AUTHZ_LIST), false, UINT64_MAX);
    assert_answer(authz_decide(chain, AUTHZ_CHAIN_MAX_COUNT - 1, &s, true, AUTHZ_LIST), true, 0);
}

/* ---- conditions ------------------------------------------------------------------------------------------- */

/* A condition of each truth under facts(), and one that is unreadable. */
enum { HOLDS, FAILS, UNSURE, UNREADABLE, KINDS };

static const struct authz_condition *condition_of(unsigned kind)
{
    static const char *const texts[] = {"auth=peer", "auth=pam", "unit=db.service"};
    static struct authz_condition conditions[KINDS];
    const char *why;
    assert_true(kind < KINDS);
    conditions[kind] = AUTHZ_UNREADABLE;
    if (kind != UNREADABLE)
        assert_true(authz_condition_parse(bytes_of_text(texts[kind]), &conditions[kind], &why));
    return &conditions[kind];
}

static const struct authz_facts *facts(void)
{
    static const struct authz_facts f = {
        .has_now = true, .now_us = 0, .auth = AUTHZ_AUTH_PEER, .address = {.kind = AUTHZ_ADDRESS_NONE}};
    return &f;
}

static struct authz_decision decide_with_facts(const struct authz_rule *rules, size_t count, bool is_owner)
{
    struct authz_subject subject = alice();
    struct authz_rules chain = {rules, count};
    subject.facts = facts();
    return authz_decide(&chain, 1, &subject, is_owner, AUTHZ_READ);
}

static void an_allow_needs_its_condition(void **state)
{
    static const bool is_allowed[KINDS] = {[HOLDS] = true};
    (void)state;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        struct authz_rule rule = RULE_IF(5, AUTHZ_ALLOW, UID(1000), AUTHZ_READ, condition_of(kind));
        assert_answer(decide_with_facts(&rule, 1, false), is_allowed[kind], is_allowed[kind] ? 5 : 0);
        rule.who = UID(1);
        assert_answer(decide_with_facts(&rule, 1, false), false, 0);
        assert_answer(decide_with_facts(&rule, 1, true), true, 0);
    }
}

static void a_deny_needs_its_condition_to_fail(void **state)
{
    static const bool is_allowed[KINDS] = {[FAILS] = true};
    (void)state;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        struct authz_rule deny = RULE_IF(5, AUTHZ_DENY, ANY, AUTHZ_READ, condition_of(kind));
        struct authz_rule allow = RULE(9, AUTHZ_ALLOW, UID(1000), AUTHZ_ALL);
        const struct authz_rule both[2] = {deny, allow}, turned[2] = {allow, deny};
        assert_answer(decide_with_facts(both, 2, false), is_allowed[kind], is_allowed[kind] ? 9 : 5);
        assert_answer(decide_with_facts(turned, 2, false), is_allowed[kind], is_allowed[kind] ? 9 : 5);
        assert_answer(decide_with_facts(&deny, 1, true), is_allowed[kind], is_allowed[kind] ? 0 : 5);
        deny.who = UID(1);
        assert_answer(decide_with_facts(&deny, 1, true), true, 0);
    }
}

static void the_lowest_rule_that_applies_is_named(void **state)
{
    const struct authz_rule rules[] = {RULE_IF(1, AUTHZ_ALLOW, ANY, AUTHZ_READ, condition_of(FAILS)),
                                       RULE_IF(2, AUTHZ_ALLOW, ANY, AUTHZ_READ, condition_of(UNSURE)),
                                       RULE_IF(3, AUTHZ_ALLOW, ANY, AUTHZ_READ, condition_of(UNREADABLE)),
                                       RULE_IF(7, AUTHZ_ALLOW, ANY, AUTHZ_READ, condition_of(HOLDS)),
                                       RULE(8, AUTHZ_ALLOW, ANY, AUTHZ_READ),
                                       RULE_IF(4, AUTHZ_DENY, ANY, AUTHZ_READ, condition_of(FAILS)),
                                       RULE_IF(6, AUTHZ_DENY, ANY, AUTHZ_READ, condition_of(HOLDS)),
                                       RULE_IF(5, AUTHZ_DENY, ANY, AUTHZ_READ, condition_of(UNSURE))};
    (void)state;
    assert_answer(decide_with_facts(rules, 5, false), true, 7);
    assert_answer(decide_with_facts(rules, 6, false), true, 7);
    assert_answer(decide_with_facts(rules, 7, false), false, 6);
    assert_answer(decide_with_facts(rules, 8, false), false, 5);
}

static void without_facts_no_condition_helps(void **state)
{
    struct authz_subject s = alice();
    (void)state;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        const struct authz_rule allow = RULE_IF(5, AUTHZ_ALLOW, ANY, AUTHZ_ALL, condition_of(kind));
        const struct authz_rule deny = RULE_IF(6, AUTHZ_DENY, ANY, AUTHZ_ALL, condition_of(kind));
        const struct authz_rules allows = {&allow, 1}, denies = {&deny, 1};
        assert_answer(authz_decide(&allows, 1, &s, false, AUTHZ_READ), false, 0);
        assert_answer(authz_decide(&denies, 1, &s, true, AUTHZ_READ), false, 6);
        assert_false(authz_is_unconditional(&allow));
    }
    assert_true(authz_is_unconditional(&RULE(1, AUTHZ_ALLOW, ANY, AUTHZ_ALL)));
}

/* What the guard of the last administrator asks: a subject that is only what a rule names. */
static void a_principal_alone_is_a_subject(void **state)
{
    const struct authz_principal every[] = {UID(7), GID(7), UNIT("web.service"), LABEL("snap.web"), ROLE("ops"), ANY};
    const gid_t group = 7;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(every); i++) {
        struct authz_subject s = authz_subject_of(&every[i], &group);
        assert_null(s.facts);
        for (size_t k = 0; k < COUNT_OF(every); k++)
            assert_int_equal(authz_matches(&every[k], &s), k == i || every[k].kind == AUTHZ_ANY);
        const struct authz_rule rules[] = {RULE(1, AUTHZ_ALLOW, every[i], AUTHZ_GRANT),
                                           RULE_IF(2, AUTHZ_ALLOW, every[i], AUTHZ_CONTROL, condition_of(HOLDS))};
        const struct authz_rules chain = {rules, 2};
        assert_answer(authz_decide(&chain, 1, &s, false, AUTHZ_GRANT), true, 1);
        assert_answer(authz_decide(&chain, 1, &s, false, AUTHZ_CONTROL), false, 0);
    }
}

static void decides_without_memory(void **state)
{
    const struct authz_rule rules[] = {RULE(2, AUTHZ_DENY, GID(9), AUTHZ_ALL),
                                       RULE_IF(1, AUTHZ_ALLOW, UNIT("web.service"), AUTHZ_ALL, condition_of(HOLDS))};
    (void)state;
    fail_alloc_after(0);
    struct authz_decision d = decide_with_facts(rules, 2, false);
    assert_false(fail_alloc_off());
    assert_answer(d, true, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_what_the_kernel_said),
        cmocka_unit_test(unknown_facts_match_nothing),
        cmocka_unit_test(what_could_not_be_found_out_is_neither_named_nor_not),
        cmocka_unit_test(numbers_that_name_nobody_match_nothing),
        cmocka_unit_test(anonymous_matches_nothing),
        cmocka_unit_test(without_rules_the_owner_alone_may),
        cmocka_unit_test(deny_wins_in_any_order_for_everyone),
        cmocka_unit_test(names_the_lowest_rule_that_decides),
        cmocka_unit_test(walks_the_longest_chain),
        cmocka_unit_test(an_allow_needs_its_condition),
        cmocka_unit_test(a_deny_needs_its_condition_to_fail),
        cmocka_unit_test(the_lowest_rule_that_applies_is_named),
        cmocka_unit_test(without_facts_no_condition_helps),
        cmocka_unit_test(a_principal_alone_is_a_subject),
        cmocka_unit_test(decides_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
