/*
 * roles - the roles of secregd that this folder provides, for the table in bin/secregd.c.
 *
 * engine  accepts, names the caller, decides, keeps keys, store and trail; parses no client bytes
 * front   parses hostile bytes and renders replies; holds no key, decides nothing
 *
 * Beside them stand the starter (proc/proc.h) and auth (bin/auth-pam.c), which runs the PAM stack for one login.
 */
#ifndef REGISTRY_ROLES_H
#define REGISTRY_ROLES_H

#include "proc/proc.h"

enum registry_role { REGISTRY_ENGINE, REGISTRY_FRONT, REGISTRY_STARTER, REGISTRY_AUTH };

int engine_on_start(struct proc_child *child) MUST_USE;
void engine_on_reload(struct proc_child *child);
void engine_on_answer(struct proc_child *child, const struct msg_answer *answer);
void engine_on_stop(struct proc_child *child);
void engine_on_end(struct proc_child *child);

int front_on_start(struct proc_child *child) MUST_USE;
void front_on_reload(struct proc_child *child);
void front_on_stop(struct proc_child *child);
void front_on_end(struct proc_child *child);

/*
 * init_mode - "secregd --mode=init SLOT ROUNDS": make a new store for the user who runs it; the passphrase, if the slot
 * wants one, is read from descriptor 3. Made for `sreg init`. "--mode=restore KIND FORM IF FILE": put a
 * backup in the place of the store; what opens it is read from descriptor 3. Made for `sreg restore`. "--mode=manual"
 * prints the options as mdoc, for the manual page. Returns the exit status.
 */
int init_mode(const char *mode, const char *root, int argc, char **argv);

#define REGISTRY_STATE_PATH "/var/lib/secreg"
#define REGISTRY_RUN_PATH "/run/secreg"
#define REGISTRY_SOCKET_PATH "/run/secreg/socket"
#define REGISTRY_CONF_PATH "/etc/secreg/secregd.yaml"
#define REGISTRY_KEY_PATH "/etc/secreg/master.key"
#define REGISTRY_DB_NAME "registry.db"

#endif
