/*
 * authz-explain - why a decision is what it is; see authz.h.
 *
 * Invariant: the decision is that of authz_decide(), which is asked for it: an explanation can never be of another one.
 */
#include "authz/authz.h"

#include "authz/authz-internal.h"

static const char *const verdict_texts[] = {
    [AUTHZ_VERDICT_DECIDES] = "decides",
    [AUTHZ_VERDICT_AGREES] = "agrees",
    [AUTHZ_VERDICT_LOSES] = "loses",
    [AUTHZ_VERDICT_OTHER_SUBJECT] = "other-subject",
    [AUTHZ_VERDICT_CONDITION_NO] = "condition-no",
    [AUTHZ_VERDICT_CONDITION_UNKNOWN] = "condition-unknown",
    [AUTHZ_VERDICT_SUBJECT_UNKNOWN] = "subject-unknown",
};

const char *authz_verdict_text(enum authz_verdict verdict)
{
    assert(verdict >= AUTHZ_VERDICT_DECIDES && verdict < COUNT_OF(verdict_texts));
    return verdict_texts[verdict];
}

/* The truth of a condition from the terms that do not hold, as authz_condition_holds() finds it. */
static enum authz_truth truth_of(const struct authz_explained *row)
{
    if (row->failing == 0)
        return AUTHZ_YES;
    return row->failing == row->unknown ? AUTHZ_UNKNOWN : AUTHZ_NO;
}

static enum authz_verdict judge(const struct authz_explained *row, const struct authz_decision *decision)
{
    const struct authz_rule *rule = row->rule;
    if (rule->id == decision->rule)
        return AUTHZ_VERDICT_DECIDES;
    if (row->named == AUTHZ_NO)
        return AUTHZ_VERDICT_OTHER_SUBJECT;
    if (row->truth == AUTHZ_NO)
        return AUTHZ_VERDICT_CONDITION_NO;
    if (row->named == AUTHZ_UNKNOWN && rule->effect == AUTHZ_ALLOW)
        return AUTHZ_VERDICT_SUBJECT_UNKNOWN;
    if (row->truth == AUTHZ_UNKNOWN && rule->effect == AUTHZ_ALLOW)
        return AUTHZ_VERDICT_CONDITION_UNKNOWN;
    return (rule->effect == AUTHZ_ALLOW) == decision->is_allowed ? AUTHZ_VERDICT_AGREES : AUTHZ_VERDICT_LOSES;
}

struct authz_decision authz_explain(const struct authz_rules *chain, size_t chain_count,
                                    const struct authz_subject *subject, bool is_owner, enum authz_action action,
                                    const struct authz_listener *listener)
{
    struct authz_decision decision = authz_decide(chain, chain_count, subject, is_owner, action);
    for (size_t i = 0; i < chain_count; i++) {
        for (size_t k = 0; k < chain[i].count; k++) {
            struct authz_explained row = {.chain_index = i, .rule = &chain[i].rules[k]};
            if ((row.rule->actions & (unsigned)action) == 0 || row.rule->effect == AUTHZ_APPROVE)
                continue;
            if (row.rule->condition != NULL)
                row.failing = authz_condition_failing(row.rule->condition, subject->facts, &row.unknown);
            row.named = authz_names(&row.rule->who, subject);
            row.truth = truth_of(&row);
            row.verdict = judge(&row, &decision);
            listener->on_rule(&row, listener->arg);
        }
    }
    return decision;
}
