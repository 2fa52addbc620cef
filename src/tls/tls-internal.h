/* tls-internal - what the files of tls share: the client's parts, and words for what OpenSSL reports. */
#ifndef TLS_TLS_INTERNAL_H
#define TLS_TLS_INTERNAL_H

#include "tls/tls.h"

#include <openssl/ssl.h>

struct tls_client {
    OSSL_LIB_CTX *lib; /* of its own, so that no configuration of the process reaches it */
    SSL_CTX *ctx;
    BIO_METHOD *wire; /* how its connections reach their buffers */
    char name[TLS_NAME_MAX_BYTES + 1];
    uint8_t ip[16];
    size_t ip_bytes; /* 0: the server is known by `name` */
};

/* tls_wire_new - the BIO of connections, which reads tls_conn_step()'s `in` and writes its `out`; NULL: no memory. */
BIO_METHOD *tls_wire_new(void);

/*
 * tls_errors_take - empty OpenSSL's queue of errors.
 * ret_first  the oldest one of libssl, else the oldest, 0 if there was none; may be NULL
 * Returns 0, or -ENOMEM if memory was lacking.
 */
int tls_errors_take(unsigned long *ret_first) MUST_USE;

/* tls_error_text - an error of OpenSSL in its own words; static, never NULL. */
const char *tls_error_text(unsigned long error);

/*
 * tls_why_refused - what a failed handshake or read means.
 * error    what tls_errors_take() gave
 * verdict  SSL_get_verify_result()
 * ret_why  TLS_WHY_BYTES
 */
void tls_why_refused(unsigned long error, long verdict, char *ret_why);

#endif
