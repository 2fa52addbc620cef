/*
 * peer - a connection to one server elsewhere, over TLS 1.3 or TCP, that never waits.
 *
 * Names are looked up and certificates read once, by peer_make(), before the process is confined. Bytes for the server
 * wait in `wire` until its kernel takes them; what it says is in `plain`. Whatever ends the connection is PEER_DOWN,
 * with words.
 */
#ifndef FOLLOW_PEER_H
#define FOLLOW_PEER_H

#include "base/clock.h"
#include "follow/source.h"
#include "tls/tls.h"

#include <sys/socket.h>

enum { PEER_ADDRESSES_MAX_COUNT = 8, PEER_WIRE_BUSY_BYTES = 256 << 10 };
enum { PEER_DOWN = 1, PEER_BAD = 2 };

enum peer_state { PEER_CLOSED, PEER_CONNECTING, PEER_SHAKING, PEER_OPEN };

struct peer {
    struct sockaddr_storage addresses[PEER_ADDRESSES_MAX_COUNT];
    socklen_t lengths[PEER_ADDRESSES_MAX_COUNT];
    size_t addresses_count, address; /* address: the one that is tried */
    struct tls_client *tls;          /* NULL: none */
    struct tls_conn *conn;
    enum peer_state state;
    int fd;
    struct buf wire;        /* for the socket */
    struct buf plain;       /* from the server, until the owner takes it */
    uint64_t sent_bytes;    /* of this connection, given to the kernel */
    struct mono_time limit; /* until when it must be open */
    char why[SOURCE_WHY_BYTES];
};

struct peer_setup {
    const char *root;  /* "" for the running system */
    const char *files; /* below it: what stands before ca.pem, and for a client before cert.pem and key.pem */
    const char *server;
    unsigned port;
    bool has_tls;
    const char *name; /* that the server's certificate must have; "": as `server` */
};

/* peer_make - look up the server, read what TLS needs. A zeroed peer. Returns 0, PEER_BAD with words in p->why, or a
 * fault. May block for the look-up. peer_fini - one that is zeroed is allowed. */
int peer_make(struct peer *p, const struct peer_setup *setup) MUST_USE;
void peer_fini(struct peer *p);

/* peer_open - begin to connect. Returns 0, PEER_DOWN, or a fault. peer_close - at any time; what waits is forgotten. */
int peer_open(struct peer *p) MUST_USE;
void peer_close(struct peer *p);

/*
 * peer_step - go on: connect, shake hands, receive, and send `out`, from which is taken what becomes bytes for the
 * socket. Returns 0, PEER_DOWN (also when it was not open in time; the next address is tried next), or a fault.
 * peer_events - of poll(2), for p->fd.
 */
int peer_step(struct peer *p, struct buf *out, struct mono_time now) MUST_USE;
short peer_events(const struct peer *p);

#endif
