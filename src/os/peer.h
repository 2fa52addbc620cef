/*
 * peer - who is at the other end of a UNIX socket, as the kernel tells it.
 *
 * uid, gid, supplementary groups and the security label come from the socket and hold for the moment of connect().
 * The unit comes from the cgroup of the pinned process: a pidfd is taken first, the cgroup read, and the pidfd asked
 * again whether the process is still alive; only units of the system manager count. What is known to be none is told
 * apart from what cannot be established, and both are empty. A peer in an unmapped user namespace (uid 65534) or
 * another pid namespace (pid 0) is anonymous. Source: unix(7) SO_PEERCRED, SO_PEERGROUPS, SO_PEERPIDFD, SO_PEERSEC;
 * cgroups(7). SO_PEERPIDFD of a reaped peer fails with EINVAL before Linux 6.16, ESRCH in it, and gives a dead pidfd
 * from 6.18: liveness is always probed.
 */
#ifndef OS_PEER_H
#define OS_PEER_H

#include <sys/types.h>

#include "base/fault.h"

enum { PEER_GROUPS_MAX_COUNT = 256, PEER_UNIT_BYTES = 256, PEER_LABEL_BYTES = 256 };

struct peer {
    uid_t uid;
    gid_t gid;
    pid_t pid; /* decoration only: for display, never for a decision */
    bool is_anonymous;
    bool was_alive; /* the process that connected was alive while its unit was read */
    /* Established, if only that there is none. The unit never is where the kernel has no SO_PEERPIDFD (before 6.5). */
    bool is_unit_known, is_label_known;
    bool has_pidfd; /* the kernel has it */
    size_t groups_count;
    gid_t groups[PEER_GROUPS_MAX_COUNT]; /* supplementary groups; more than fit: the peer is refused */
    char unit[PEER_UNIT_BYTES];          /* "sshd.service", or "" */
    char label[PEER_LABEL_BYTES];        /* AppArmor or SELinux label without its mode suffix, or "" */
};

/*
 * peer_read - ask the kernel about the peer of a connected UNIX socket.
 * fd       the socket; borrowed
 * ret_peer filled whole on 0, untouched otherwise
 * Returns 0, FAULT_LIMIT (more groups than PEER_GROUPS_MAX_COUNT), or -errno. About 5 system calls and one small file.
 */
int peer_read(int fd, struct peer *ret_peer) MUST_USE;

/*
 * peer_unit_of_cgroup - the system unit in the text of /proc/PID/cgroup; pure, for hostile input.
 * text  content of the file; only the "0::" line (unified hierarchy), or "1:name=systemd:" on hybrid hosts, counts
 * Returns true and sets ret_unit, or false when the process is in no unit of the system manager: outside *.service and
 * *.scope units, or below a "user@UID.service", which is under the user's control.
 */
bool peer_unit_of_cgroup(const char *text, char ret_unit[static PEER_UNIT_BYTES]);

#endif
