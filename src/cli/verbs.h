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
int cmd_login(struct cli *cli, const struct args *args);
int cmd_logout(struct cli *cli, const struct args *args);
int cmd_session(struct cli *cli, const struct args *args);
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
int cmd_schema_show(struct cli *cli, const struct args *args);
int cmd_schema_set(struct cli *cli, const struct args *args);
int cmd_schema_remove(struct cli *cli, const struct args *args);
int cmd_schema_check(struct cli *cli, const struct args *args);
int cmd_lock_key(struct cli *cli, const struct args *args);
int cmd_unlock_key(struct cli *cli, const struct args *args);
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
int cmd_audit_checkpoint(struct cli *cli, const struct args *args);
int cmd_audit_prune(struct cli *cli, const struct args *args);
int cmd_audit_prove(struct cli *cli, const struct args *args);
int cmd_doctor(struct cli *cli, const struct args *args);
int cmd_export(struct cli *cli, const struct args *args);
int cmd_import(struct cli *cli, const struct args *args);
int cmd_diff(struct cli *cli, const struct args *args);
int cmd_completion(struct cli *cli, const struct args *args);
int cmd_watch(struct cli *cli, const struct args *args);
int cmd_help(struct cli *cli, const struct args *args);
int cmd_slot_list(struct cli *cli, const struct args *args);
int cmd_slot_add(struct cli *cli, const struct args *args);
int cmd_slot_remove(struct cli *cli, const struct args *args);
int cmd_rekey(struct cli *cli, const struct args *args);
int cmd_rotate(struct cli *cli, const struct args *args);
int cmd_backup(struct cli *cli, const struct args *args);
int cmd_restore(struct cli *cli, const struct args *args);
int cmd_version(struct cli *cli, const struct args *args);

int cmd_find(struct cli *cli, const struct args *args);
int cmd_due(struct cli *cli, const struct args *args);
int cmd_fingerprint(struct cli *cli, const struct args *args);
int cmd_cp(struct cli *cli, const struct args *args);
int cmd_mv(struct cli *cli, const struct args *args);
int cmd_undo(struct cli *cli, const struct args *args);
int cmd_revert(struct cli *cli, const struct args *args);
int cmd_destroy(struct cli *cli, const struct args *args);
int cmd_txn(struct cli *cli, const struct args *args);

/* cmd_load_host - argv[0] is the verb; argv[argc] is NULL; global options are taken out. */
int cmd_load_host(struct cli *cli, int argc, char **argv);

#endif
