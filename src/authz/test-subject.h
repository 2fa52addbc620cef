/* test-subject - the caller that the tests of decisions have in common, and rules about it. */
#ifndef AUTHZ_TEST_SUBJECT_H
#define AUTHZ_TEST_SUBJECT_H

#include "authz/authz.h"

#define UNIT(text) ((struct authz_principal){.kind = AUTHZ_UNIT, .name = BYTES_LITERAL(text)})
#define LABEL(text) ((struct authz_principal){.kind = AUTHZ_LABEL, .name = BYTES_LITERAL(text)})
#define ROLE(text) ((struct authz_principal){.kind = AUTHZ_ROLE, .name = BYTES_LITERAL(text)})
#define UID(n) ((struct authz_principal){.kind = AUTHZ_UID, .id = (n)})
#define GID(n) ((struct authz_principal){.kind = AUTHZ_GID, .id = (n)})
#define ANY ((struct authz_principal){.kind = AUTHZ_ANY})

#define RULE(number, effect_, who_, actions_)                                                                          \
    ((struct authz_rule){.id = (number), .effect = (effect_), .actions = (actions_), .who = who_})
#define RULE_IF(number, effect_, who_, actions_, condition_)                                                           \
    ((struct authz_rule){                                                                                              \
        .id = (number), .effect = (effect_), .actions = (actions_), .who = who_, .condition = (condition_)})

static const gid_t groups[] = {27, 4, 100};
static const struct bytes roles[] = {{(const uint8_t *)"web-admins", 10}, {(const uint8_t *)"ops", 3}};

static inline struct authz_subject alice(void)
{
    return (struct authz_subject){.uid = 1000,
                                  .gid = 1000,
                                  .groups = groups,
                                  .groups_count = COUNT_OF(groups),
                                  .unit = BYTES_LITERAL("web.service"),
                                  .label = BYTES_LITERAL("snap.web"),
                                  .roles = roles,
                                  .roles_count = COUNT_OF(roles)};
}

#endif
