#include "cli/cli.h"
#include "cli/verbs.h"
#define S(n) int n(struct cli *cli, const struct args *args){(void)args;(void)cli;return 1;}
S(cmd_acl_show) S(cmd_acl_allow) S(cmd_acl_deny) S(cmd_acl_remove) S(cmd_acl_test) S(cmd_audit_query) S(cmd_audit_tail) S(cmd_doctor) S(cmd_completion)
