/*
 * authz - who may do what: pure decisions over rules. No I/O, no clock, no allocation while deciding.
 *
 * A rule stands on a path and holds for that path and everything below. Deny wins: if any rule on the path or above it
 * that names the subject denies the action, the answer is no, in whatever order and at whatever depth the rules stand,
 * for administrators too. Otherwise any allowing rule decides. Otherwise the owner of /registry/user/NAME may use that
 * subtree. Otherwise the answer is no. A fact about the subject that is known to be none (no unit, no label) matches
 * nothing; one that could not be found out helps no allowing rule and escapes no denying one.
 * A rule may carry a condition: an allowing rule applies only if it holds, a denying rule unless it does not, so that
 * what is unknown is refused either way. The whole procedure, written as a table: doc/spec/rules.md.
 */
#ifndef AUTHZ_AUTHZ_H
#define AUTHZ_AUTHZ_H

#include <sys/types.h>

#include "authz/condition.h"
#include "base/buf.h"

// clang-format off
/* Actions: name, bit, text. Stored in rules: never renumber. */
#define AUTHZ_ACTION_LIST(X)                                                                                           \
    X(LIST,   0, "list")    /* see names, types, versions and history; never values */                                 \
    X(READ,   1, "read")    /* see values */                                                                           \
    X(WRITE,  2, "write")   /* create and change entries */                                                            \
    X(DELETE, 3, "delete")                                                                                             \
    X(GRANT,  4, "grant")   /* see and edit rules */                                                                   \
    X(AUDIT,  5, "audit")   /* read the trail */                                                                       \
    X(CONTROL,6, "control") /* unlock, lock, reload, full status; not "admin", which is a role */                      \
    X(BREAK_GLASS, 7, "break-glass") /* give oneself rights for a while; in no role: whoever has it was named for it */

/* Roles: named sets of actions, usable wherever a rule lists actions. */
#define AUTHZ_ROLE_LIST(X)                                                                                             \
    X("admin",    AUTHZ_LIST | AUTHZ_READ | AUTHZ_WRITE | AUTHZ_DELETE | AUTHZ_GRANT | AUTHZ_AUDIT | AUTHZ_CONTROL)      \
    X("operator", AUTHZ_LIST | AUTHZ_READ | AUTHZ_WRITE)                                                               \
    X("auditor",  AUTHZ_LIST | AUTHZ_AUDIT)
// clang-format on

enum authz_action {
#define AUTHZ_ENUM_(name, bit, text) AUTHZ_##name = 1u << bit,
    AUTHZ_ACTION_LIST(AUTHZ_ENUM_)
#undef AUTHZ_ENUM_
        AUTHZ_ALL = (1u << 8) - 1,
    AUTHZ_APPROVABLE = AUTHZ_WRITE | AUTHZ_DELETE | AUTHZ_GRANT,        /* what a rule may want a second person for */
    AUTHZ_OWNER = AUTHZ_LIST | AUTHZ_READ | AUTHZ_WRITE | AUTHZ_DELETE, /* what owning a subtree means */
};

enum authz_principal_kind { AUTHZ_UID = 1, AUTHZ_GID, AUTHZ_UNIT, AUTHZ_LABEL, AUTHZ_ROLE, AUTHZ_ANY };

#define AUTHZ_NOBODY UINT32_MAX /* a uid or gid that no principal names */

enum {
    AUTHZ_NAME_MAX_BYTES = 255,
    AUTHZ_ROLE_MAX_BYTES = 32,
    AUTHZ_PRINCIPAL_MAX_BYTES = 264,
    AUTHZ_CHAIN_MAX_COUNT = 33,
};

struct authz_principal {
    enum authz_principal_kind kind;
    uint32_t id;       /* AUTHZ_UID, AUTHZ_GID */
    struct bytes name; /* AUTHZ_UNIT, AUTHZ_LABEL, AUTHZ_ROLE; borrowed */
};

/* APPROVE takes no part in decisions: what is allowed there takes effect only when one more person agrees. */
enum authz_effect { AUTHZ_ALLOW = 1, AUTHZ_DENY = 2, AUTHZ_APPROVE = 3 };

struct authz_rule {
    uint64_t id; /* > 0 */
    enum authz_effect effect;
    unsigned actions; /* AUTHZ_* bits, not 0 */
    struct authz_principal who;
    /* NULL: none. Borrowed from the owner of the rule, who stores AUTHZ_UNREADABLE for one that does not parse. */
    const struct authz_condition *condition;
};

/* The rules of one path; a decision walks a chain of them from the path up to the root. */
struct authz_rules {
    const struct authz_rule *rules;
    size_t count;
};

struct authz_subject {
    bool is_anonymous; /* matches nothing, not even "any" */
    uint32_t uid, gid;
    const gid_t *groups; /* supplementary; borrowed */
    size_t groups_count;
    struct bytes unit, label;               /* empty: none */
    bool is_unit_unknown, is_label_unknown; /* it could not be found out; the name is then empty */
    bool are_groups_unknown;                /* there may be others besides those that are given */
    /* Names of the roles it is a member of, all of them, and of those it may be a member of: borrowed. */
    const struct bytes *roles, *maybe_roles;
    size_t roles_count, maybe_roles_count;
    const struct authz_facts *facts; /* for conditions; borrowed; NULL: nothing is known, so no condition holds */
};

struct authz_decision {
    bool is_allowed;
    uint64_t rule; /* id of the rule that decided: the lowest id among those that decide; 0 for owner or default */
};

/*
 * authz_decide - one action on one path.
 * chain      rules of the path itself and of each path above it, in any order
 * is_owner   the subject owns the subtree that the path lies in
 * action     exactly one AUTHZ_* bit
 * O(rules in the chain x groups and roles).
 */
struct authz_decision authz_decide(const struct authz_rules *chain, size_t chain_count,
                                   const struct authz_subject *subject, bool is_owner, enum authz_action action);

/* What became of a rule that is about the action. It applies if it names the subject and its condition permits. */
enum authz_verdict {
    AUTHZ_VERDICT_DECIDES = 1,       /* the rule that the decision names */
    AUTHZ_VERDICT_AGREES,            /* applies with the same effect; a lower id decides */
    AUTHZ_VERDICT_LOSES,             /* an allow that applies, and a deny decides */
    AUTHZ_VERDICT_OTHER_SUBJECT,     /* does not name the subject */
    AUTHZ_VERDICT_CONDITION_NO,      /* names it, and the condition does not hold */
    AUTHZ_VERDICT_CONDITION_UNKNOWN, /* an allow that names it, of which the condition is unknown or unreadable */
    AUTHZ_VERDICT_SUBJECT_UNKNOWN,   /* an allow of which nobody can say whether it names the subject */
};

struct authz_explained {
    size_t chain_index; /* which path the rule stands on */
    const struct authz_rule *rule;
    enum authz_verdict verdict;
    enum authz_truth named;    /* it names the subject */
    enum authz_truth truth;    /* of the condition, YES without one; a deny that applies may have UNKNOWN here */
    unsigned failing, unknown; /* AUTHZ_TERM_* bits: terms that do not hold, and those of them that are unknown */
};

/* Who hears of each rule; it keeps what goes wrong while it writes that down. */
struct authz_listener {
    void (*on_rule)(const struct authz_explained *row, void *arg);
    void *arg;
};

/*
 * authz_explain - the same decision, and how each rule that is about the action took part in it, whomever it names.
 * Rules come in the order of the chain, those of one path in the order in which they stand there.
 * Returns what authz_decide() returns. Twice the cost of it.
 */
struct authz_decision authz_explain(const struct authz_rules *chain, size_t chain_count,
                                    const struct authz_subject *subject, bool is_owner, enum authz_action action,
                                    const struct authz_listener *listener);

/* authz_verdict_text - one word for programs: "decides", "agrees", "loses", "other-subject", "condition-no", ... */
const char *authz_verdict_text(enum authz_verdict verdict);

/*
 * authz_is_unconditional - the rule holds at any time and from anywhere: what a guard may count on that asks whether an
 * administrator remains. A subject without facts gets the same answer from authz_decide(): a conditional allow does not
 * help it, a conditional deny stops it.
 */
static inline bool authz_is_unconditional(const struct authz_rule *rule)
{
    return rule->condition == NULL;
}

/*
 * authz_subject_of - a subject that is only what a principal says: for asking what a rule would do. It has no facts.
 * who    outlives the subject, which holds views into it
 * group  storage of the caller that holds who->id and outlives the subject
 */
struct authz_subject authz_subject_of(const struct authz_principal *who, const gid_t *group);

/* authz_names - does the principal name the subject? UNKNOWN if that hangs on a fact that could not be found out. */
enum authz_truth authz_names(const struct authz_principal *who, const struct authz_subject *subject);

/* authz_matches - true if the principal certainly names the subject. */
static inline bool authz_matches(const struct authz_principal *who, const struct authz_subject *subject)
{
    return authz_names(who, subject) == AUTHZ_YES;
}

/*
 * authz_principal_parse - "uid:1000", "gid:27", "unit:sshd.service", "label:snap.x", "role:web-admins", "any".
 * Numbers are canonical decimal below 4294967295; 65534 (nobody) is refused for uid and gid; a unit name is
 * [A-Za-z0-9:_.@\\-]+ ending in .service or .scope; a label is printable ASCII without blanks; a role is
 * [a-z][a-z0-9-]{0,31}. Names are views into `text`. Returns true, or false.
 */
bool authz_principal_parse(struct bytes text, struct authz_principal *ret_who) MUST_USE;

/* authz_principal_text - append the text form; parsing it gives the same principal. Results as buf_reserve(). */
int authz_principal_text(struct buf *out, const struct authz_principal *who) MUST_USE;

/*
 * authz_actions_parse - a comma-separated list of action and role names, "list,read" or "operator"; no blanks, no empty
 * or repeated item. Returns the bits, or 0 if it is malformed.
 */
unsigned authz_actions_parse(struct bytes text) MUST_USE;

/* authz_actions_text - append "list,read,..." in the order of the table; nothing for 0. Results as buf_reserve(). */
int authz_actions_text(struct buf *out, unsigned actions) MUST_USE;

#endif
