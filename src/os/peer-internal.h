/* peer-internal - the pure halves of peer.c, for its test. */
#ifndef OS_PEER_INTERNAL_H
#define OS_PEER_INTERNAL_H

#include "os/peer.h"

/*
 * peer_label_of_text - a label as SO_PEERSEC gives it: `n` bytes, maybe with a NUL or newline at the end, and for
 * AppArmor with the mode behind it in brackets, "/usr/bin/x (enforce)".
 * Sets ret_label to the label without these, or "" if it does not fit or is not printable text.
 */
void peer_label_of_text(const char *text, size_t n, char ret_label[static PEER_LABEL_BYTES]);

/* peer_is_alive - true if the process that a pidfd refers to has not ended. */
bool peer_is_alive(int pidfd);

#endif
