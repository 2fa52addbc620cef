/*
 * tls - the client's end of TLS 1.3, without any I/O of its own.
 *
 * Bytes that came from the server go in; what it said and the bytes to send to it come out. So it serves an event loop
 * and a confined process: tls_client_new() loads all that OpenSSL loads at any time, and nothing after it opens a file.
 *
 * Invariant: a connection is established only with a server that showed a certificate, signed under one of the given
 * CA certificates (no others are known), valid now, for the purpose and for the name; and how a connection ended, it
 * stays. There is no TLS before 1.3, no resumption, no early data, and OpenSSL's configuration file is not read.
 * Where the socket ends without TLS_CLOSED the server's last words may be missing: that is the caller's to see.
 * Source: RFC 8446; RFC 9525 (names); SSL_CTX_new(3), X509_VERIFY_PARAM_set1_host(3).
 */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include "base/buf.h"

enum {
    TLS_WHY_BYTES = 256, /* of words for an administrator, NUL included */
    TLS_NAME_MAX_BYTES = 253,
    TLS_PEM_MAX_BYTES = 1 << 20,      /* of each text */
    TLS_CHAIN_MAX_BYTES = 64 << 10,   /* of the certificates a server may show */
    TLS_RECORD_PLAIN_BYTES = 1 << 14, /* what one record holds at most */
    TLS_RECORD_EXTRA_BYTES = 22,      /* what it costs: head, type, tag */
};

/* What a client trusts and shows. Texts are PEM; lines around the PEM blocks are allowed. */
struct tls_client_settings {
    struct bytes ca;   /* certificates that sign those of servers; at least one */
    struct bytes cert; /* of the client, first its own, then those between it and the server's CA; or none */
    struct bytes key;  /* of the first of `cert`, without a passphrase; none if there is no `cert` */
    const char *name;  /* the server's: a DNS name without a trailing dot, or an IP address as text */
};

struct tls_client;
struct tls_conn;

enum { TLS_HANDSHAKE = 1, TLS_CLOSED = 2, TLS_REFUSED = 3, TLS_BAD = 4 };

/*
 * tls_client_new - read the settings, of which nothing is kept but what OpenSSL makes of them, and load everything.
 * Call it before anything else of OpenSSL, or the process has read its configuration file already.
 * ret_why  TLS_WHY_BYTES; on TLS_BAD: which of the texts, and what about it
 * Returns 0, TLS_BAD, or a fault. Blocks for some milliseconds. Never asks at the terminal.
 */
int tls_client_new(const struct tls_client_settings *settings, struct tls_client **ret_client, char *ret_why) MUST_USE;

/* tls_client_free - wipes the key. Its connections must be gone. NULL is allowed; returns NULL. */
struct tls_client *tls_client_free(struct tls_client *client);

/* tls_conn_new - a connection that has not begun; the client must live longer. Returns 0, -ENOMEM or FAULT_CRYPTO. */
int tls_conn_new(const struct tls_client *client, struct tls_conn **ret_conn) MUST_USE;

/* tls_conn_free - says nothing to the server. NULL is allowed; returns NULL. */
struct tls_conn *tls_conn_free(struct tls_conn *conn);

/*
 * tls_conn_step - go on with what came. The first call, with no bytes, begins.
 * in     ciphertext of any length, cut anywhere; all of it is used
 * plain  what it holds is appended; room for in.n + TLS_RECORD_PLAIN_BYTES is always enough
 * out    ciphertext for the server is appended, and should be sent whatever is returned: an alert may be in it
 * Returns
 *   0              established: bytes may be put
 *   TLS_HANDSHAKE  nothing can be put yet. This may come again later, while a message of the handshake is half here
 *   TLS_CLOSED     the server said that it will send no more, or tls_conn_close() was called
 *   TLS_REFUSED    one end does not accept the other: see tls_conn_why(). A server that refuses the client's
 *                  certificate says so when the connection is established here already
 *   FAULT_LIMIT    plain or out has no room for it
 *   or a fault. All but the first two are final: later calls use nothing and return the same.
 */
int tls_conn_step(struct tls_conn *conn, struct bytes in, struct buf *plain, struct buf *out) MUST_USE;

/*
 * tls_conn_put - append the ciphertext of `plain`, at most tls_put_bytes(plain.n), to `out`.
 * Returns as tls_conn_step(); nothing was put unless it is 0. FAULT_LIMIT: out has no room, and the connection is
 * broken.
 */
int tls_conn_put(struct tls_conn *conn, struct bytes plain, struct buf *out) MUST_USE;

/* tls_put_bytes - the most that tls_conn_put() appends, with an answer that is due to new keys of the server. */
static inline size_t tls_put_bytes(size_t plain_bytes)
{
    return plain_bytes + (plain_bytes / TLS_RECORD_PLAIN_BYTES + 3) * (size_t)TLS_RECORD_EXTRA_BYTES;
}

/*
 * tls_conn_close - append the word that nothing more will be put, once, if the connection was ever established and
 * neither refused nor broken by a fault. The connection is then closed (TLS_CLOSED). Returns 0 or a fault.
 */
int tls_conn_close(struct tls_conn *conn, struct buf *out);

/* tls_conn_why - after TLS_REFUSED, words for an administrator: "certificate has expired"; else "". */
const char *tls_conn_why(const struct tls_conn *conn);

#endif
