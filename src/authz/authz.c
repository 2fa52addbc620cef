/*
 * authz - who may do what; see authz.h.
 *
 * Why so plain: this is the one place where "no" is decided, so it is short enough to be checked by eye. It walks every
 * rule of the chain and remembers the lowest id of those that allow and of those that deny; only then does it answer.
 * Invariant: the answer depends on the set of rules and the facts alone, never on the order of the rules or on the path
 * they stand on; and fewer facts, about the subject or for conditions, never allow more.
 */
#include "authz/authz.h"

#include "authz/authz-internal.h"

static bool has_group(const struct authz_subject *subject, uint32_t gid)
{
    if (subject->gid == gid)
        return true;
    for (size_t i = 0; i < subject->groups_count; i++) {
        if (subject->groups[i] == gid)
            return true;
    }
    return false;
}

static enum authz_truth truth_of(bool is_so)
{
    return is_so ? AUTHZ_YES : AUTHZ_NO;
}

/* Without a name there is an empty one, and that equals nothing: not even an empty name in a rule. */
static enum authz_truth name_equals(struct bytes wanted, struct bytes name, bool is_unknown)
{
    assert(!is_unknown || name.n == 0);
    return is_unknown ? AUTHZ_UNKNOWN : truth_of(name.n > 0 && bytes_equal(wanted, name));
}

static bool has_name(const struct bytes *names, size_t count, struct bytes wanted)
{
    assert(count == 0 || names != NULL);
    for (size_t i = 0; i < count; i++) {
        if (name_equals(wanted, names[i], false) == AUTHZ_YES)
            return true;
    }
    return false;
}

static enum authz_truth has_role(const struct authz_subject *subject, struct bytes role)
{
    if (has_name(subject->roles, subject->roles_count, role))
        return AUTHZ_YES;
    return has_name(subject->maybe_roles, subject->maybe_roles_count, role) ? AUTHZ_UNKNOWN : AUTHZ_NO;
}

enum authz_truth authz_names(const struct authz_principal *who, const struct authz_subject *subject)
{
    assert(who->kind >= AUTHZ_UID && who->kind <= AUTHZ_ANY);
    assert(subject->groups_count == 0 || subject->groups != NULL);
    if (subject->is_anonymous)
        return AUTHZ_NO;
    switch (who->kind) {
    case AUTHZ_UID:
        return truth_of(authz_id_is_known(who->id) && subject->uid == who->id);
    case AUTHZ_GID:
        if (!authz_id_is_known(who->id) || has_group(subject, who->id))
            return truth_of(authz_id_is_known(who->id));
        return subject->are_groups_unknown ? AUTHZ_UNKNOWN : AUTHZ_NO;
    case AUTHZ_UNIT:
        return name_equals(who->name, subject->unit, subject->is_unit_unknown);
    case AUTHZ_LABEL:
        return name_equals(who->name, subject->label, subject->is_label_unknown);
    case AUTHZ_ROLE:
        return has_role(subject, who->name);
    case AUTHZ_ANY:
        break;
    }
    return truth_of(who->kind == AUTHZ_ANY);
}

/* Without evidence nothing is allowed, and what is denied stays so. */
static bool applies(const struct authz_rule *rule, const struct authz_subject *subject)
{
    enum authz_truth truth = authz_names(&rule->who, subject);
    if (truth != AUTHZ_NO && rule->condition != NULL) {
        enum authz_truth holds = authz_condition_holds(rule->condition, subject->facts);
        truth = holds == AUTHZ_YES ? truth : holds;
    }
    return rule->effect == AUTHZ_ALLOW ? truth == AUTHZ_YES : truth != AUTHZ_NO;
}

/* The lowest id of the rules that apply, by effect; 0: none. */
struct verdict {
    uint64_t lowest[AUTHZ_DENY + 1];
};

static void weigh_rules(const struct authz_rules *rules, const struct authz_subject *subject, enum authz_action action,
                        struct verdict *verdict)
{
    assert(rules->count == 0 || rules->rules != NULL);
    for (size_t i = 0; i < rules->count; i++) {
        const struct authz_rule *rule = &rules->rules[i];
        if ((rule->actions & (unsigned)action) == 0 || rule->effect == AUTHZ_APPROVE)
            continue;
        assert(rule->id > 0 && (rule->effect == AUTHZ_ALLOW || rule->effect == AUTHZ_DENY));
        uint64_t *lowest = &verdict->lowest[rule->effect];
        if ((*lowest == 0 || rule->id < *lowest) && applies(rule, subject))
            *lowest = rule->id;
    }
}

struct authz_decision authz_decide(const struct authz_rules *chain, size_t chain_count,
                                   const struct authz_subject *subject, bool is_owner, enum authz_action action)
{
    struct verdict verdict = {{0}};
    assert(chain_count <= AUTHZ_CHAIN_MAX_COUNT);
    assert(((unsigned)action & AUTHZ_ALL) != 0 && ((unsigned)action & ((unsigned)action - 1)) == 0);
    if (subject->is_anonymous)
        return (struct authz_decision){.is_allowed = false};
    for (size_t i = 0; i < chain_count; i++)
        weigh_rules(&chain[i], subject, action, &verdict);
    if (verdict.lowest[AUTHZ_DENY] != 0)
        return (struct authz_decision){.is_allowed = false, .rule = verdict.lowest[AUTHZ_DENY]};
    if (verdict.lowest[AUTHZ_ALLOW] != 0)
        return (struct authz_decision){.is_allowed = true, .rule = verdict.lowest[AUTHZ_ALLOW]};
    return (struct authz_decision){.is_allowed = is_owner && ((unsigned)action & AUTHZ_OWNER) != 0};
}

struct authz_subject authz_subject_of(const struct authz_principal *who, const gid_t *group)
{
    struct authz_subject s = {.uid = AUTHZ_NOBODY, .gid = AUTHZ_NOBODY};
    if (who->kind == AUTHZ_UID)
        s.uid = who->id;
    if (who->kind == AUTHZ_GID) {
        assert(*group == who->id);
        s.groups = group;
        s.groups_count = 1;
    }
    if (who->kind == AUTHZ_UNIT)
        s.unit = who->name;
    if (who->kind == AUTHZ_LABEL)
        s.label = who->name;
    if (who->kind == AUTHZ_ROLE) {
        s.roles = &who->name;
        s.roles_count = 1;
    }
    return s;
}
