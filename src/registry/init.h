/*
 * init - modes of secregd that are no service: they make or replace a store, or print the manual of the options.
 */
#ifndef REGISTRY_INIT_H
#define REGISTRY_INIT_H

/*
 * init_mode - "secregd --mode=init SLOT ROUNDS": make a new store for the user who runs it; the passphrase, if the slot
 * wants one, is read from descriptor 3. Made for `sreg init`. "--mode=restore KIND FORM IF FILE": put a
 * backup in the place of the store; what opens it is read from descriptor 3. Made for `sreg restore`. "--mode=manual"
 * prints the options as mdoc, for the manual page. Returns the exit status.
 */
int init_mode(const char *mode, const char *root, int argc, char **argv);

#endif
