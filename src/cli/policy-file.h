/*
 * policy-file - proposed changes of rules and roles in a file: YAML, or JSON, which is read as the YAML that it is.
 *
 *     changes:
 *       - add: rule
 *         path: /registry/applications
 *         effect: deny
 *         principal: gid:27
 *         actions: write,delete
 *         condition: days=sat,sun
 *       - remove: rule
 *         id: 7
 *       - add: member
 *         role: web-admins
 *         principal: uid:1000
 *       - remove: member
 *         role: web-admins
 *         principal: uid:1001
 *
 * What the members mean is the daemon's to judge; here it is judged whether they are those of a change.
 */
#ifndef CLI_POLICY_FILE_H
#define CLI_POLICY_FILE_H

#include "base/buf.h"

enum { POLICY_FILE_MAX_BYTES = 256 << 10, POLICY_FILE_CHANGES_MAX_COUNT = 1000, POLICY_FILE_WHY_BYTES = 160 };

/*
 * policy_file_read - append the JSON body that POST /v1/policy/test takes. Pure.
 * why  on POLICY_FILE_BAD: line, column and what is wrong
 * Returns 0, POLICY_FILE_BAD, or a fault.
 */
enum { POLICY_FILE_BAD = 1 };
int policy_file_read(struct bytes text, struct buf *out, char why[static POLICY_FILE_WHY_BYTES]) MUST_USE;

#endif
