/* auth-pam - the auth role: one process, one login through PAM; see auth-pam.c. */
#ifndef BIN_AUTH_PAM_H
#define BIN_AUTH_PAM_H

/*
 * auth_pam_run - carry out one login for the engine at the other end of `fd`, and return the exit status.
 * root  "": PAM's own configuration (/etc/pam.d); else that of ROOT/etc/pam.d alone, as --root moves all of /etc
 * Blocks as long as the client and the modules take: who started the process bounds that.
 */
int auth_pam_run(int fd, const char *root);

#endif
