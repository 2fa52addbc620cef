/* Tests of explanations: the row of each rule in each case. That the decision is that of authz_decide() for any rules
 * is checked beside the model, in test-authz-model.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "authz/authz.h"
#include "authz/test-subject.h"
#include "fail-alloc.h"

enum { ROWS_MAX_COUNT = 16 };

static struct rows {
    struct authz_explained rows[ROWS_MAX_COUNT];
    size_t count;
} heard;

static void hear(const struct authz_explained *row, void *arg)
{
    struct rows *r = arg;
    assert_true(r->count < ROWS_MAX_COUNT);
    r->rows[r->count++] = *row;
}

static const struct authz_listener listener = {hear, &heard};

static struct authz_condition condition_of(const char *text)
{
    struct authz_condition c = AUTHZ_UNREADABLE;
    const char *why;
    assert_true(authz_condition_parse(bytes_of_text(text), &c, &why));
    return c;
}

static struct authz_subject peer(void)
{
    static const struct authz_facts facts = {.auth = AUTHZ_AUTH_PEER, .address = {.kind = AUTHZ_ADDRESS_NONE}};
    struct authz_subject s = alice();
    s.facts = &facts;
    return s;
}

static void assert_row(size_t at, size_t chain_index, uint64_t rule, enum authz_verdict verdict, enum authz_truth truth)
{
    assert_true(at < heard.count);
    assert_int_equal(heard.rows[at].chain_index, chain_index);
    assert_int_equal(heard.rows[at].rule->id, rule);
    assert_int_equal(heard.rows[at].verdict, verdict);
    assert_int_equal(heard.rows[at].truth, truth);
}

static void every_rule_about_the_action_has_its_row(void **state)
{
    struct authz_condition holds = condition_of("auth=peer"), fails = condition_of("auth=pam"),
                           unsure = condition_of("days=mon"), unreadable = AUTHZ_UNREADABLE;
    const struct authz_rule near[] = {RULE(9, AUTHZ_ALLOW, ANY, AUTHZ_READ), RULE(3, AUTHZ_ALLOW, UID(1), AUTHZ_READ),
                                      RULE_IF(2, AUTHZ_ALLOW, ANY, AUTHZ_ALL, &fails),
                                      RULE(1, AUTHZ_ALLOW, ANY, AUTHZ_WRITE)},
                            far[] = {RULE_IF(4, AUTHZ_ALLOW, UID(1000), AUTHZ_READ, &holds),
                                     RULE_IF(7, AUTHZ_ALLOW, ANY, AUTHZ_READ, &unsure),
                                     RULE_IF(8, AUTHZ_ALLOW, ANY, AUTHZ_READ, &unreadable),
                                     RULE_IF(6, AUTHZ_DENY, ANY, AUTHZ_READ, &fails),
                                     RULE_IF(5, AUTHZ_DENY, ROLE("other"), AUTHZ_READ, &unsure)};
    const struct authz_rules chain[] = {{near, 4}, {NULL, 0}, {far, 5}};
    struct authz_subject s = peer();
    (void)state;
    heard.count = 0;
    struct authz_decision d = authz_explain(chain, 3, &s, false, AUTHZ_READ, &listener);
    assert_true(d.is_allowed);
    assert_int_equal(d.rule, 4);
    assert_int_equal(heard.count, 8);
    assert_row(0, 0, 9, AUTHZ_VERDICT_AGREES, AUTHZ_YES);
    assert_row(1, 0, 3, AUTHZ_VERDICT_OTHER_SUBJECT, AUTHZ_YES);
    assert_row(2, 0, 2, AUTHZ_VERDICT_CONDITION_NO, AUTHZ_NO);
    assert_row(3, 2, 4, AUTHZ_VERDICT_DECIDES, AUTHZ_YES);
    assert_row(4, 2, 7, AUTHZ_VERDICT_CONDITION_UNKNOWN, AUTHZ_UNKNOWN);
    assert_row(5, 2, 8, AUTHZ_VERDICT_CONDITION_UNKNOWN, AUTHZ_UNKNOWN);
    assert_row(6, 2, 6, AUTHZ_VERDICT_CONDITION_NO, AUTHZ_NO);
    assert_row(7, 2, 5, AUTHZ_VERDICT_OTHER_SUBJECT, AUTHZ_UNKNOWN);
    assert_int_equal(heard.rows[2].failing, AUTHZ_TERM_AUTH);
    assert_int_equal(heard.rows[2].unknown, 0);
    assert_int_equal(heard.rows[3].failing, 0);
    assert_int_equal(heard.rows[4].failing, AUTHZ_TERM_DAYS);
    assert_int_equal(heard.rows[4].unknown, AUTHZ_TERM_DAYS);
}

static void what_a_deny_beats_is_said(void **state)
{
    struct authz_condition unsure = condition_of("unit=db.service"), holds = condition_of("auth=peer");
    const struct authz_rule rules[] = {RULE(1, AUTHZ_ALLOW, ANY, AUTHZ_READ), RULE(9, AUTHZ_DENY, GID(27), AUTHZ_READ),
                                       RULE_IF(5, AUTHZ_DENY, ANY, AUTHZ_READ, &unsure),
                                       RULE_IF(2, AUTHZ_ALLOW, ANY, AUTHZ_READ, &unsure),
                                       RULE_IF(3, AUTHZ_ALLOW, ANY, AUTHZ_READ, &holds)};
    const struct authz_rules chain = {rules, COUNT_OF(rules)};
    struct authz_subject s = peer();
    (void)state;
    heard.count = 0;
    struct authz_decision d = authz_explain(&chain, 1, &s, true, AUTHZ_READ, &listener);
    assert_false(d.is_allowed);
    assert_int_equal(d.rule, 5);
    assert_int_equal(heard.count, 5);
    assert_row(0, 0, 1, AUTHZ_VERDICT_LOSES, AUTHZ_YES);
    assert_row(1, 0, 9, AUTHZ_VERDICT_AGREES, AUTHZ_YES);
    assert_row(2, 0, 5, AUTHZ_VERDICT_DECIDES, AUTHZ_UNKNOWN);
    assert_row(3, 0, 2, AUTHZ_VERDICT_CONDITION_UNKNOWN, AUTHZ_UNKNOWN);
    assert_row(4, 0, 3, AUTHZ_VERDICT_LOSES, AUTHZ_YES);
    assert_int_equal(heard.rows[2].unknown, AUTHZ_TERM_UNIT);
}

static void no_rule_decides_for_owner_and_default(void **state)
{
    const struct authz_rule rules[] = {RULE(1, AUTHZ_ALLOW, UID(1), AUTHZ_READ), RULE(2, AUTHZ_ALLOW, ANY, AUTHZ_LIST)};
    const struct authz_rules chain = {rules, COUNT_OF(rules)};
    struct authz_subject s = peer();
    (void)state;
    for (int is_owner = 0; is_owner < 2; is_owner++) {
        heard.count = 0;
        struct authz_decision d = authz_explain(&chain, 1, &s, is_owner == 1, AUTHZ_READ, &listener);
        assert_int_equal(d.is_allowed, is_owner);
        assert_int_equal(d.rule, 0);
        assert_int_equal(heard.count, 1);
        assert_row(0, 0, 1, AUTHZ_VERDICT_OTHER_SUBJECT, AUTHZ_YES);
    }
    heard.count = 0;
    assert_false(authz_explain(NULL, 0, &s, false, AUTHZ_READ, &listener).is_allowed);
    assert_int_equal(heard.count, 0);
}

static void nobody_is_named_when_the_caller_is_anonymous(void **state)
{
    const struct authz_rule rules[] = {RULE(1, AUTHZ_ALLOW, ANY, AUTHZ_ALL), RULE(2, AUTHZ_DENY, ANY, AUTHZ_ALL)};
    const struct authz_rules chain = {rules, COUNT_OF(rules)};
    struct authz_subject s = peer();
    (void)state;
    s.is_anonymous = true;
    heard.count = 0;
    assert_false(authz_explain(&chain, 1, &s, true, AUTHZ_READ, &listener).is_allowed);
    assert_int_equal(heard.count, 2);
    assert_row(0, 0, 1, AUTHZ_VERDICT_OTHER_SUBJECT, AUTHZ_YES);
    assert_row(1, 0, 2, AUTHZ_VERDICT_OTHER_SUBJECT, AUTHZ_YES);
}

static void explains_without_memory(void **state)
{
    const struct authz_rule rule = RULE(1, AUTHZ_ALLOW, ANY, AUTHZ_ALL);
    const struct authz_rules chain = {&rule, 1};
    struct authz_subject s = peer();
    (void)state;
    heard.count = 0;
    fail_alloc_after(0);
    struct authz_decision d = authz_explain(&chain, 1, &s, true, AUTHZ_READ, &listener);
    assert_false(fail_alloc_off());
    assert_int_equal(d.rule, 1);
}

static void verdicts_have_their_words(void **state)
{
    static const char *const words[] = {"decides",       "agrees",       "loses",
                                        "other-subject", "condition-no", "condition-unknown"};
    (void)state;
    for (unsigned i = 0; i < COUNT_OF(words); i++)
        assert_string_equal(authz_verdict_text((enum authz_verdict)(i + 1)), words[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_about_the_action_has_its_row),
        cmocka_unit_test(what_a_deny_beats_is_said),
        cmocka_unit_test(no_rule_decides_for_owner_and_default),
        cmocka_unit_test(nobody_is_named_when_the_caller_is_anonymous),
        cmocka_unit_test(explains_without_memory),
        cmocka_unit_test(verdicts_have_their_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
