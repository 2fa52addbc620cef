/*
 * verbs - everything sreg can do, as one table: usage, help, shell completion and the check of the manual come from it.
 */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include <stdio.h>

#include "cli/args.h"

extern const struct verb verbs[]; /* ends with a row without a name */

/* verbs_usage - all verbs, a line each. */
void verbs_usage(FILE *to);

/* verbs_help - all about one verb, or the usage for NULL, on standard output. Returns 0. */
int verbs_help(const struct verb *verb);

/* Each verb; status as in cli.h. */
int cmd_init(struct cli *cli, const struct args *args);
int cmd_unlock(struct cli *cli, const struct args *args);
int cmd_lock(struct cli *cli, const struct args *args);
int cmd_status(struct cli *cli, const struct args *args);
int cmd_whoami(struct cli *cli, const struct args *args);
int cmd_run(struct cli *cli, const struct args *args);
int cmd_render(struct cli *cli, const struct args *args);
int cmd_reload(struct cli *cli, const struct args *args);
int cmd_get(struct cli *cli, const struct args *args);
int cmd_set(struct cli *cli, const struct args *args);
int cmd_del(struct cli *cli, const struct args *args);
int cmd_ls(struct cli *cli, const struct args *args);
int cmd_tree(struct cli *cli, const struct args *args);
int cmd_history(struct cli *cli, const struct args *args);
int cmd_acl_show(struct cli *cli, const struct args *args);
int cmd_acl_allow(struct cli *cli, const struct args *args);
int cmd_acl_deny(struct cli *cli, const struct args *args);
int cmd_acl_remove(struct cli *cli, const struct args *args);
int cmd_acl_test(struct cli *cli, const struct args *args);
int cmd_role_show(struct cli *cli, const struct args *args);
int cmd_role_add(struct cli *cli, const struct args *args);
int cmd_role_remove(struct cli *cli, const struct args *args);
int cmd_policy_test(struct cli *cli, const struct args *args);
int cmd_require_approval(struct cli *cli, const struct args *args);
int cmd_approval_list(struct cli *cli, const struct args *args);
int cmd_approval_show(struct cli *cli, const struct args *args);
int cmd_approval_approve(struct cli *cli, const struct args *args);
int cmd_approval_reject(struct cli *cli, const struct args *args);
int cmd_break_glass(struct cli *cli, const struct args *args);
int cmd_explain(struct cli *cli, const struct args *args);
int cmd_audit_query(struct cli *cli, const struct args *args);
int cmd_audit_tail(struct cli *cli, const struct args *args);
int cmd_audit_verify(struct cli *cli, const struct args *args);
int cmd_doctor(struct cli *cli, const struct args *args);
int cmd_completion(struct cli *cli, const struct args *args);
int cmd_help(struct cli *cli, const struct args *args);
int cmd_version(struct cli *cli, const struct args *args);

/* cmd_load_host - argv[0] is the verb; argv[argc] is NULL; global options are taken out. */
int cmd_load_host(struct cli *cli, int argc, char **argv);

#endif
