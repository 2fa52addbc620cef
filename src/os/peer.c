/*
 * peer - see peer.h.
 *
 * Invariant: the unit is set only if the process that connected was alive after its cgroup was read, so that the
 * process number cannot have been another's in between.
 */
#include "os/peer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/text.h"
#include "os/file.h"
#include "os/peer-internal.h"

/* Younger than the headers of the oldest system that we build on. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

enum { PEER_CGROUP_MAX_BYTES = 16384, PEER_UNMAPPED_UID = 65534 };

static int read_groups(int fd, struct peer *peer)
{
    socklen_t n = sizeof peer->groups;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer->groups, &n) < 0)
        return RAISE(errno == ERANGE ? FAULT_LIMIT : -errno);
    assert(n <= sizeof peer->groups && n % sizeof(gid_t) == 0);
    peer->groups_count = n / sizeof(gid_t);
    return 0;
}

void peer_label_of_text(const char *text, size_t n, char ret_label[static PEER_LABEL_BYTES])
{
    struct bytes label = bytes_of(text, n);
    while (label.n > 0 && (label.p[label.n - 1] == '\0' || label.p[label.n - 1] == '\n'))
        label.n--;
    if (label.n > 0 && label.p[label.n - 1] == ')') {
        const char *mode = memrchr(text, '(', label.n);
        if (mode != NULL && mode >= text + 2 && mode[-1] == ' ')
            label.n = (size_t)(mode - text) - 1;
    }
    if (!text_is_printable(label) || !text_copy(ret_label, PEER_LABEL_BYTES, label))
        ret_label[0] = '\0';
}

/* Many kernels run without a security module that labels sockets: then there is no label. A label that is too long or
 * cannot be shown is one that is not known. */
static void read_label(int fd, struct peer *peer)
{
    char text[PEER_LABEL_BYTES + 32];
    socklen_t n = sizeof text;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERSEC, text, &n) < 0) {
        peer->is_label_known = errno == ENOPROTOOPT;
        return;
    }
    if (n <= sizeof text)
        peer_label_of_text(text, n, peer->label);
    peer->is_label_known = n == 0 || peer->label[0] != '\0';
}

bool peer_is_alive(int pidfd)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    return poll(&p, 1, 0) == 0;
}

static void drop_buf(struct buf *b)
{
    buf_fini(b);
}

/* Leaves was_alive and unit unset whenever anything on the way fails: an empty fact matches no rule. */
static void read_unit(int fd, struct peer *peer)
{
    SCOPED(file_drop_fd) int pidfd = -1;
    SCOPED(drop_buf) struct buf text;
    char path[48];
    socklen_t n = sizeof pidfd;
    buf_init(&text, PEER_CGROUP_MAX_BYTES);
    /* No pidfd_open() in its place before Linux 6.5: the number may be another process's by now. */
    peer->has_pidfd = true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &n) < 0) {
        pidfd = -1;
        peer->has_pidfd = errno != ENOPROTOOPT;
        return;
    }
    snprintf(path, sizeof path, "/proc/%lld/cgroup", (long long)peer->pid);
    bool has_text = file_read_path(path, &text) == 0 && buf_append(&text, BYTES_OF("")) == 0;
    peer->was_alive = peer_is_alive(pidfd);
    peer->is_unit_known = has_text && peer->was_alive;
    if (peer->is_unit_known && !peer_unit_of_cgroup((const char *)buf_view(&text).p, peer->unit))
        peer->unit[0] = '\0';
}

int peer_read(int fd, struct peer *ret_peer)
{
    struct peer peer = {0};
    struct ucred credentials;
    socklen_t n = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &n) < 0)
        return RAISE(-errno);
    if (credentials.uid == (uid_t)-1)
        return RAISE(-ENOTCONN); /* not a UNIX socket, or nobody at the other end */
    peer.uid = credentials.uid;
    peer.gid = credentials.gid;
    peer.pid = credentials.pid;
    peer.is_anonymous = peer.uid == PEER_UNMAPPED_UID || peer.pid == 0;
    TRY(read_groups(fd, &peer));
    read_label(fd, &peer);
    if (!peer.is_anonymous)
        read_unit(fd, &peer);
    *ret_peer = peer;
    return 0;
}

/* ---- the unit in a cgroup path --------------------------------------------------------------------------- */

static bool ends_with(struct bytes name, struct bytes suffix)
{
    return name.n > suffix.n && bytes_equal(bytes_from(name, name.n - suffix.n), suffix);
}

/* systemd.unit(5): "valid characters"; a name begins with neither a dot nor the mark of an instance. */
static bool is_unit_name(struct bytes name)
{
    if (name.n == 0 || name.n >= PEER_UNIT_BYTES || name.p[0] == '.' || name.p[0] == '@')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_plain && bytes_find(BYTES_LITERAL(":-_.\\@"), c) == 6)
            return false;
    }
    return true;
}

/* The path of the line that begins with `prefix`. False if there is no such line, or more than one. */
static bool find_path(struct bytes text, struct bytes prefix, struct bytes *ret_path)
{
    size_t hits = 0;
    for (struct bytes rest = text; rest.n > 0;) {
        struct bytes line = bytes_head(rest, bytes_find(rest, '\n'));
        if (bytes_starts(line, prefix)) {
            *ret_path = bytes_from(line, prefix.n);
            hits++;
        }
        rest = bytes_from(rest, line.n + 1);
    }
    return hits == 1;
}

/* The first component that is no slice names the unit; what is below it was made by the unit itself. */
static bool find_unit(struct bytes path, struct bytes *ret_unit)
{
    if (path.n == 0 || path.p[0] != '/')
        return false;
    for (path = bytes_from(path, 1); path.n > 0;) {
        struct bytes name = bytes_head(path, bytes_find(path, '/'));
        path = bytes_from(path, name.n + 1);
        if (name.n > 1 && name.p[0] == '_') /* systemd's mark on names that the kernel could want for itself */
            name = bytes_from(name, 1);
        if (!is_unit_name(name))
            return false;
        if (ends_with(name, BYTES_LITERAL(".slice")))
            continue;
        *ret_unit = name;
        return ends_with(name, BYTES_LITERAL(".service")) || ends_with(name, BYTES_LITERAL(".scope"));
    }
    return false;
}

bool peer_unit_of_cgroup(const char *text, char ret_unit[static PEER_UNIT_BYTES])
{
    struct bytes all = bytes_of_text(text), root = BYTES_LITERAL("/"), unified = root, hybrid = root, unit;
    bool has_unified = find_path(all, BYTES_LITERAL("0::"), &unified);
    bool has_hybrid = find_path(all, BYTES_LITERAL("1:name=systemd:"), &hybrid);
    /* On a hybrid host either line may hold the root only; where both speak, they must say the same. */
    if (!has_unified || bytes_equal(unified, root))
        unified = hybrid;
    if ((has_hybrid && !bytes_equal(hybrid, root) && !bytes_equal(hybrid, unified)) || !find_unit(unified, &unit))
        return false;
    if (bytes_starts(unit, BYTES_LITERAL("user@")))
        return false; /* a user's own manager: everything below is that user's word */
    return text_copy(ret_unit, PEER_UNIT_BYTES, unit);
}
