/*
 * Tests of decisions against a model that is written another way: the subject as a set of principal texts, conditions
 * as texts with their truth beside them, the rules as one list sorted by id; over every small rule set and many random
 * ones. Explanations must give the same decision, and the row of each rule that the model gives.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authz/authz.h"
#include "authz/test-subject.h"
#include "base/clock.h"

/* ---- facts ------------------------------------------------------------------------------------------------ */

enum dimension { NOW, AUTH, ADDRESS, UNIT_STATE, DIMENSIONS };

/* What is known, one value for each dimension; 0: nothing. */
struct world {
    unsigned at[DIMENSIONS];
};

static const unsigned values[DIMENSIONS] = {4, 5, 5, 4};

/* A term, what it looks at, and its truth for each value of that: written down, not computed. */
static const struct model_term {
    enum dimension dimension;
    const char *text, *truths;
} model_terms[] = {
    /* Wed 10:00, Fri 23:30, Sat 03:00; all in UTC */
    {NOW, "time=09:00-17:00", "?YNN"},
    {NOW, "time=22:00-06:00", "?NYY"},
    {NOW, "time=09:00-17:00 zone=<+09>-9", "?NNY"}, /* Wed 19:00, Sat 08:30, Sat 12:00 */
    {NOW, "days=fri", "?NYN"},
    {NOW, "time=22:00-06:00 days=fri", "?NYY"},
    {NOW, "days=sat,sun", "?NNY"},
    {NOW, "until=2026-07-01T00:00:00Z", "?YNN"},
    {NOW, "since=2026-07-10T23:30:00Z", "?NYY"},
    {NOW, "time=00:00-02:00 zone=CET-1CEST,M3.5.0,M10.5.0/3", "?NYN"}, /* Wed 11:00, Sat 01:30, Sat 05:00 */
    /* peer, login of unknown age, login 10 s ago, login 5000 s ago */
    {AUTH, "auth=peer", "?YYYY"},
    {AUTH, "auth=pam", "?NYYY"},
    {AUTH, "auth-age=300", "?N?YN"},
    {AUTH, "auth=pam auth-age=5000", "?N?YY"},
    /* none, 192.0.2.9, 2001:db8::9, ::ffff:192.0.2.9 */
    {ADDRESS, "address=192.0.2.0/24", "?NYNY"},
    {ADDRESS, "address=2001:db8::/32,198.51.100.0/24", "?NNYN"},
    {ADDRESS, "address=0.0.0.0/0,::/0", "?NYYY"},
    /* asked and not known, db is active and nothing else, everything but db is active */
    {UNIT_STATE, "unit=db.service", "??YN"},
    {UNIT_STATE, "unit=backup.timer", "??NY"},
};

static enum authz_truth unit_is_active(struct bytes name, void *arg)
{
    const struct world *w = arg;
    bool is_db = bytes_equal(name, BYTES_LITERAL("db.service"));
    if (w->at[UNIT_STATE] == 1)
        return AUTHZ_UNKNOWN;
    return is_db == (w->at[UNIT_STATE] == 2) ? AUTHZ_YES : AUTHZ_NO;
}

static struct authz_facts facts_of(struct world *w)
{
    static const char *const instants[4] = {NULL, "2026-01-07T10:00:00Z", "2026-07-10T23:30:00Z",
                                            "2026-07-11T03:00:00Z"};
    struct authz_facts f = {.has_now = w->at[NOW] > 0};
    struct wall_time now = {0};
    if (f.has_now)
        assert_true(clock_wall_parse(instants[w->at[NOW]], &now));
    f.now_us = now.us;
    f.auth = w->at[AUTH] == 0 ? AUTHZ_AUTH_UNKNOWN : w->at[AUTH] == 1 ? AUTHZ_AUTH_PEER : AUTHZ_AUTH_PAM;
    f.has_auth_age = w->at[AUTH] >= 3;
    f.auth_age_s = w->at[AUTH] == 3 ? 10 : 5000;
    f.address.kind = w->at[ADDRESS] < 4 ? (enum authz_address_kind)w->at[ADDRESS] : AUTHZ_ADDRESS_IPV6;
    if (w->at[ADDRESS] == 2)
        assert_int_equal(inet_pton(AF_INET, "192.0.2.9", f.address.bytes), 1);
    if (w->at[ADDRESS] >= 3)
        assert_int_equal(inet_pton(AF_INET6, w->at[ADDRESS] == 3 ? "2001:db8::9" : "::ffff:192.0.2.9", f.address.bytes),
                         1);
    f.unit_is_active = w->at[UNIT_STATE] > 0 ? unit_is_active : NULL;
    f.unit_arg = w;
    return f;
}

/* ---- the model -------------------------------------------------------------------------------------------- */

enum { MODEL_RULES_MAX_COUNT = 12, MODEL_TEXT_BYTES = 64, CONDITION_BYTES = 256 };

/* A subject is the set of principal texts that are true of it, and of those that may be; one ending with ":" stands for
 * every name. */
struct model_subject {
    char facts[12][MODEL_TEXT_BYTES], maybe[5][MODEL_TEXT_BYTES];
    size_t count, maybe_count;
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
    for (size_t i = 0; i < s->roles_count; i++)
        snprintf(m.facts[m.count++], MODEL_TEXT_BYTES, "role:%.*s", BYTES_PRINT(s->roles[i]));
    if (s->are_groups_unknown)
        snprintf(m.maybe[m.maybe_count++], MODEL_TEXT_BYTES, "gid:");
    if (s->is_unit_unknown)
        snprintf(m.maybe[m.maybe_count++], MODEL_TEXT_BYTES, "unit:");
    if (s->is_label_unknown)
        snprintf(m.maybe[m.maybe_count++], MODEL_TEXT_BYTES, "label:");
    for (size_t i = 0; i < s->maybe_roles_count; i++)
        snprintf(m.maybe[m.maybe_count++], MODEL_TEXT_BYTES, "role:%.*s", BYTES_PRINT(s->maybe_roles[i]));
    return m;
}

/* A rule of the model: its principal is a text, its condition a list of terms; one without terms is unreadable. */
struct model_rule {
    uint64_t id;
    bool denies, has_condition;
    const char *who;
    unsigned actions;
    const struct model_term *terms[DIMENSIONS];
};

static int by_id(const void *a, const void *b)
{
    const struct model_rule *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Y, N or ?: the lowest of the letters in the order N, ?, Y. */
static char model_truth(const struct model_rule *rule, const struct world *w)
{
    bool has_terms = false, has_no = false, has_unknown = false;
    for (size_t i = 0; i < DIMENSIONS; i++) {
        const struct model_term *t = rule->terms[i];
        has_terms = has_terms || t != NULL;
        has_no = has_no || (t != NULL && t->truths[w->at[t->dimension]] == 'N');
        has_unknown = has_unknown || (t != NULL && t->truths[w->at[t->dimension]] == '?');
    }
    if (rule->has_condition && !has_terms)
        return '?';
    return has_no ? 'N' : has_unknown ? '?' : 'Y';
}

static char model_names(const struct model_rule *rule, const struct model_subject *m)
{
    for (size_t i = 0; i < m->count; i++) {
        if (strcmp(rule->who, m->facts[i]) == 0)
            return 'Y';
    }
    for (size_t i = 0; i < m->maybe_count; i++) {
        size_t n = strlen(m->maybe[i]);
        if (m->maybe[i][n - 1] == ':' ? strncmp(rule->who, m->maybe[i], n) == 0 : strcmp(rule->who, m->maybe[i]) == 0)
            return '?';
    }
    return 'N';
}

/* Both: the lower one in the order N, ?, Y. */
static char model_both(char a, char b)
{
    return a == 'N' || b == 'N' ? 'N' : a == '?' || b == '?' ? '?' : 'Y';
}

static bool model_is_about(const struct model_rule *rule, const char *action)
{
    unsigned wanted = authz_actions_parse(bytes_of_text(action));
    return rule->actions % (2 * wanted) >= wanted;
}

/* First pass: the first rule, by id, that denies; second pass: the first that allows; then the owner. */
static struct authz_decision model_decide(const struct model_rule *rules, size_t count, const struct model_subject *m,
                                          const struct world *w, bool is_owner, const char *action)
{
    static const char *const owner_may[] = {"list", "read", "write", "delete"};
    struct model_rule sorted[MODEL_RULES_MAX_COUNT];
    memcpy(sorted, rules, count * sizeof *rules);
    qsort(sorted, count, sizeof *sorted, by_id);
    for (int denies = 1; denies >= 0; denies--) {
        const char *enough = denies == 1 ? "Y?" : "Y";
        for (size_t i = 0; i < count; i++) {
            if (sorted[i].denies == (denies == 1) && model_is_about(&sorted[i], action) &&
                strchr(enough, model_both(model_names(&sorted[i], m), model_truth(&sorted[i], w))) != NULL)
                return (struct authz_decision){denies == 0, sorted[i].id};
        }
    }
    for (size_t i = 0; i < COUNT_OF(owner_may); i++) {
        if (m->count > 0 && is_owner && strcmp(owner_may[i], action) == 0)
            return (struct authz_decision){true, 0};
    }
    return (struct authz_decision){false, 0};
}

static enum authz_verdict model_verdict(const struct model_rule *rule, const struct model_subject *m,
                                        const struct world *w, struct authz_decision d)
{
    char truth = model_truth(rule, w);
    if (model_names(rule, m) == 'N')
        return AUTHZ_VERDICT_OTHER_SUBJECT;
    if (truth == 'N')
        return AUTHZ_VERDICT_CONDITION_NO;
    if (model_names(rule, m) == '?' && !rule->denies)
        return AUTHZ_VERDICT_SUBJECT_UNKNOWN;
    if (truth == '?' && !rule->denies)
        return AUTHZ_VERDICT_CONDITION_UNKNOWN;
    if (rule->id == d.rule)
        return AUTHZ_VERDICT_DECIDES;
    return rule->denies == d.is_allowed ? AUTHZ_VERDICT_LOSES : AUTHZ_VERDICT_AGREES;
}

/* ---- the comparison --------------------------------------------------------------------------------------- */

static const char *const action_names[] = {"list",  "read",  "write",   "delete",
                                           "grant", "audit", "control", "break-glass"};
static const char *const who_texts[] = {
    "any",      "uid:1000",         "uid:0",           "gid:1000",       "gid:27",
    "gid:5",    "unit:web.service", "unit:db.service", "label:snap.web", "label:other",
    "role:ops", "role:op"};

/* One case: rules on up to four paths, who asks, and what is known. */
struct scene {
    const struct model_rule *model;
    size_t count, depth;
    uint64_t place; /* the path of each rule, as digits to the base of depth */
    struct authz_subject subject;
    bool is_owner;
    struct world world;
};

/* The same rules as the code under test has them. */
struct laid_out {
    struct authz_rule rules[4][MODEL_RULES_MAX_COUNT];
    const struct model_rule *models[4][MODEL_RULES_MAX_COUNT];
    struct authz_rules chain[4];
    struct authz_condition conditions[MODEL_RULES_MAX_COUNT];
    char texts[MODEL_RULES_MAX_COUNT][CONDITION_BYTES];
};

static const struct authz_condition *to_condition(const struct model_rule *m, char *text, struct authz_condition *c)
{
    size_t used = 0;
    const char *why = "";
    if (!m->has_condition)
        return NULL;
    text[0] = '\0';
    for (size_t i = 0; i < DIMENSIONS; i++) {
        if (m->terms[i] != NULL)
            used +=
                (size_t)snprintf(text + used, CONDITION_BYTES - used, "%s%s", used > 0 ? " " : "", m->terms[i]->text);
    }
    *c = AUTHZ_UNREADABLE;
    if (used > 0 && !authz_condition_parse(bytes_of(text, used), c, &why))
        fail_msg("%s: %s", text, why);
    return c;
}

static void lay_out(const struct scene *s, struct laid_out *out)
{
    uint64_t place = s->place;
    memset(out->chain, 0, sizeof out->chain);
    for (size_t i = 0; i < s->count; i++, place /= s->depth) {
        const struct model_rule *m = &s->model[i];
        size_t at = place % s->depth;
        struct authz_rule rule = {.id = m->id, .effect = m->denies ? AUTHZ_DENY : AUTHZ_ALLOW, .actions = m->actions};
        assert_true(authz_principal_parse(bytes_of_text(m->who), &rule.who));
        rule.condition = to_condition(m, out->texts[i], &out->conditions[i]);
        out->models[at][out->chain[at].count] = m;
        out->rules[at][out->chain[at].count++] = rule;
        out->chain[at].rules = out->rules[at];
    }
}

/* What the rows of an explanation are held against. */
struct expected {
    const struct laid_out *laid;
    const struct model_subject *subject;
    const struct world *world;
    const char *action;
    struct authz_decision decision;
    size_t chain_index, at, rows;
};

static void hear(const struct authz_explained *row, void *arg)
{
    struct expected *e = arg;
    while (e->chain_index < 4 && (e->at == e->laid->chain[e->chain_index].count ||
                                  !model_is_about(e->laid->models[e->chain_index][e->at], e->action))) {
        bool is_end = e->at == e->laid->chain[e->chain_index].count;
        e->chain_index += is_end;
        e->at = is_end ? 0 : e->at + 1;
    }
    assert_true(e->chain_index < 4);
    const struct model_rule *m = e->laid->models[e->chain_index][e->at++];
    assert_int_equal(row->chain_index, e->chain_index);
    assert_int_equal(row->rule->id, m->id);
    assert_int_equal(row->verdict, model_verdict(m, e->subject, e->world, e->decision));
    assert_int_equal("NY?"[row->truth], model_truth(m, e->world));
    assert_int_equal("NY?"[row->named], model_names(m, e->subject));
    e->rows++;
}

static void compare_explained(const struct scene *s, const struct laid_out *laid, struct expected *e, unsigned action)
{
    struct authz_listener listener = {hear, e};
    size_t rows = 0;
    struct authz_decision d = authz_explain(laid->chain, s->depth, &s->subject, s->is_owner, action, &listener);
    assert_int_equal(d.is_allowed, e->decision.is_allowed);
    assert_int_equal(d.rule, e->decision.rule);
    for (size_t i = 0; i < s->count; i++)
        rows += model_is_about(&s->model[i], e->action);
    assert_int_equal(e->rows, rows);
}

/* Whatever fact is taken away, what was refused stays refused. */
static void compare_with_less(const struct scene *s, const struct laid_out *laid, bool is_allowed, unsigned action)
{
    for (size_t i = 0; i < DIMENSIONS && !is_allowed; i++) {
        struct world less = s->world;
        less.at[i] = 0;
        struct authz_facts facts = facts_of(&less);
        struct authz_subject subject = s->subject;
        subject.facts = &facts;
        assert_false(authz_decide(laid->chain, s->depth, &subject, s->is_owner, action).is_allowed);
        subject.facts = NULL;
        assert_false(authz_decide(laid->chain, s->depth, &subject, s->is_owner, action).is_allowed);
        subject.maybe_roles = roles; /* nothing is known of unit, label and roles */
        subject.maybe_roles_count = COUNT_OF(roles);
        subject.roles_count = subject.groups_count = 0;
        subject.are_groups_unknown = true;
        subject.unit = subject.label = BYTES_NONE;
        subject.is_unit_unknown = subject.is_label_unknown = true;
        assert_false(authz_decide(laid->chain, s->depth, &subject, s->is_owner, action).is_allowed);
    }
}

/* Compares the answers for every action, and the explanation of one. */
static void compare(struct scene *s, unsigned explained)
{
    static struct laid_out laid;
    struct model_subject m = model_of(&s->subject);
    struct authz_facts facts = facts_of(&s->world);
    s->subject.facts = &facts;
    lay_out(s, &laid);
    for (unsigned i = 0; i < COUNT_OF(action_names); i++) {
        struct authz_decision wanted = model_decide(s->model, s->count, &m, &s->world, s->is_owner, action_names[i]);
        struct authz_decision got = authz_decide(laid.chain, s->depth, &s->subject, s->is_owner, 1u << i);
        assert_int_equal(got.is_allowed, wanted.is_allowed);
        assert_int_equal(got.rule, wanted.rule);
        struct expected e = {&laid, &m, &s->world, action_names[i], wanted, 0, 0, 0};
        if (i != explained)
            continue;
        compare_explained(s, &laid, &e, 1u << i);
        compare_with_less(s, &laid, wanted.is_allowed, 1u << i);
    }
}

/* The condition of a rule by number: none, one that holds, one that fails, one that is unknown, an unreadable one. */
enum { CONDITIONS = 5 };

static void set_condition(struct model_rule *rule, unsigned kind)
{
    static const struct model_term holds = {AUTH, "auth=peer", "?YYYY"}, fails = {AUTH, "auth=pam", "?NYYY"},
                                   unsure = {UNIT_STATE, "unit=db.service", "??YN"};
    static const struct model_term *const terms[CONDITIONS] = {NULL, &holds, &fails, &unsure, NULL};
    rule->has_condition = kind > 0;
    rule->terms[0] = terms[kind];
}

static void agrees_with_the_model_on_every_small_set(void **state)
{
    enum { KINDS = 2 * 3 * 2 * CONDITIONS };
    static const unsigned masks[2] = {AUTHZ_READ, AUTHZ_GRANT | AUTHZ_READ};
    static const char *const who[3] = {"any", "role:ops", "uid:0"};
    struct model_rule rules[2];
    (void)state;
    for (unsigned n = 0; n < KINDS * KINDS * 2 * 4 * 3; n++) {
        struct scene s = {.model = rules, .depth = 2, .subject = alice(), .world = {{0, 1, 1, 0}}};
        unsigned rest = n;
        for (unsigned i = 0; i < 2; i++, rest /= KINDS) {
            rules[i] =
                (struct model_rule){.denies = rest % 2, .who = who[rest / 2 % 3], .actions = masks[rest / 6 % 2]};
            set_condition(&rules[i], rest / 12 % CONDITIONS);
        }
        rules[0].id = 1 + rest % 2;
        rules[1].id = 2 - rest % 2;
        s.is_owner = rest % 2 == 0;
        s.place = rest / 2 % 4;
        s.count = rest / 8;
        compare(&s, 1);
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
    s.are_groups_unknown = draw(seed, 4) == 0;
    if (draw(seed, 3) == 0)
        s.unit = BYTES_NONE;
    if (draw(seed, 3) == 0)
        s.label = BYTES_NONE;
    s.is_unit_unknown = s.unit.n == 0 && draw(seed, 2) == 0;
    s.is_label_unknown = s.label.n == 0 && draw(seed, 2) == 0;
    s.roles_count = draw(seed, COUNT_OF(roles) + 1);
    s.maybe_roles = roles + s.roles_count;
    s.maybe_roles_count = draw(seed, COUNT_OF(roles) + 1 - s.roles_count);
    return s;
}

static struct model_rule random_rule(uint64_t *seed, uint64_t id)
{
    struct model_rule rule = {.id = id,
                              .denies = draw(seed, 4) == 0,
                              .who = who_texts[draw(seed, COUNT_OF(who_texts))],
                              .actions = (unsigned)draw(seed, AUTHZ_ALL) + 1,
                              .has_condition = draw(seed, 2) == 0};
    for (size_t i = 0; i < draw(seed, 4) && rule.has_condition; i++) {
        const struct model_term *term = &model_terms[draw(seed, COUNT_OF(model_terms))];
        rule.terms[term->dimension] = term; /* one for each dimension: no key stands twice */
    }
    return rule;
}

static void agrees_with_the_model_on_random_sets(void **state)
{
    enum { SETS = 300000 };
    uint64_t seed = 0x5ec4e6;
    struct model_rule rules[MODEL_RULES_MAX_COUNT];
    (void)state;
    for (unsigned n = 0; n < SETS; n++) {
        struct scene s = {.model = rules,
                          .count = draw(&seed, MODEL_RULES_MAX_COUNT + 1),
                          .depth = 1 + draw(&seed, 4),
                          .place = draw(&seed, UINT64_MAX),
                          .subject = random_subject(&seed),
                          .is_owner = draw(&seed, 2) == 0};
        uint64_t first = draw(&seed, 1000) + 1;
        for (size_t i = 0; i < DIMENSIONS; i++)
            s.world.at[i] = (unsigned)draw(&seed, values[i]);
        for (size_t i = 0; i < s.count; i++)
            rules[i] = random_rule(&seed, first + (i * 5) % 13); /* distinct, in no order */
        compare(&s, (unsigned)draw(&seed, COUNT_OF(action_names)));
    }
}

/* Each term in each world, alone. */
static void agrees_with_the_model_on_every_term(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(model_terms); i++) {
        const struct model_term *t = &model_terms[i];
        struct authz_condition c;
        const char *why;
        assert_true(authz_condition_parse(bytes_of_text(t->text), &c, &why));
        assert_int_equal(strlen(t->truths), values[t->dimension]);
        for (unsigned v = 0; v < values[t->dimension]; v++) {
            struct world w = {{0}};
            w.at[t->dimension] = v;
            struct authz_facts f = facts_of(&w);
            if ("NY?"[authz_condition_holds(&c, &f)] != t->truths[v])
                fail_msg("%s with value %u is not %c", t->text, v, t->truths[v]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_model_on_every_term),
        cmocka_unit_test(agrees_with_the_model_on_every_small_set),
        cmocka_unit_test(agrees_with_the_model_on_random_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
