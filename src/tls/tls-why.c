/*
 * tls-why - OpenSSL's reports in words for an administrator; see tls-internal.h.
 *
 * Each report is named by number, never by OpenSSL's text, which differs between its versions. Source: RFC 8446
 * section 6 (alerts); X509_STORE_CTX_get_error(3).
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>

#include "tls/tls-internal.h"

struct words {
    long number;
    const char *text;
};

static const struct words verdicts[] = {
    {X509_V_ERR_CERT_HAS_EXPIRED, "certificate has expired"},
    {X509_V_ERR_CERT_NOT_YET_VALID, "certificate is not yet valid"},
    {X509_V_ERR_HOSTNAME_MISMATCH, "certificate is for another name"},
    {X509_V_ERR_IP_ADDRESS_MISMATCH, "certificate is for another name"},
    {X509_V_ERR_INVALID_PURPOSE, "certificate is not for a server"},
    {X509_V_ERR_INVALID_CA, "certificate is signed by one that is no CA certificate"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "certificate is not signed by a trusted CA"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "certificate is not signed by a trusted CA"},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "certificate is not signed by a trusted CA"},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "certificate is not signed by a trusted CA"},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "certificate is signed by itself and not trusted"},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, "certificate has a wrong signature"},
    {X509_V_ERR_CERT_CHAIN_TOO_LONG, "certificate has too many others above it"},
    {X509_V_ERR_EE_KEY_TOO_SMALL, "certificate has a key that is too short"},
    {X509_V_ERR_CA_KEY_TOO_SMALL, "certificate is signed with a key that is too short"},
    {X509_V_ERR_CA_MD_TOO_WEAK, "certificate is signed with a digest that is too weak"},
};

static const struct words alerts[] = {
    {10, "unexpected message"},
    {20, "bad record MAC"},
    {22, "record overflow"},
    {40, "handshake failure"},
    {42, "bad certificate"},
    {43, "unsupported certificate"},
    {44, "certificate revoked"},
    {45, "certificate expired"},
    {46, "certificate unknown"},
    {47, "illegal parameter"},
    {48, "unknown CA"},
    {49, "access denied"},
    {50, "decode error"},
    {51, "decrypt error"},
    {70, "protocol version (TLS 1.3 is not spoken there)"},
    {71, "insufficient security"},
    {80, "internal error"},
    {86, "inappropriate fallback"},
    {90, "user canceled"},
    {109, "missing extension"},
    {110, "unsupported extension"},
    {112, "unrecognized name"},
    {113, "bad certificate status response"},
    {115, "unknown PSK identity"},
    {116, "certificate required"},
    {120, "no application protocol"},
};

static const struct words reasons[] = {
    {SSL_R_WRONG_VERSION_NUMBER, "the server does not speak TLS"},
    {SSL_R_HTTP_REQUEST, "the server does not speak TLS"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "the server does not speak TLS 1.3"},
    {SSL_R_EXCESSIVE_MESSAGE_SIZE, "the server sent a message that is too long"},
};

static const char *find(const struct words *rows, size_t count, long number)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].number == number)
            return rows[i].text;
    }
    return NULL;
}

int tls_errors_take(unsigned long *ret_first)
{
    unsigned long e, first = 0;
    bool is_short = false;
    while ((e = ERR_get_error()) != 0) {
        bool is_better = ERR_GET_LIB(e) == ERR_LIB_SSL && ERR_GET_LIB(first) != ERR_LIB_SSL;
        first = first == 0 || is_better ? e : first;
        is_short = is_short || ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE;
    }
    if (ret_first != NULL)
        *ret_first = first;
    return is_short ? RAISE(-ENOMEM) : 0;
}

const char *tls_error_text(unsigned long error)
{
    const char *text = ERR_reason_error_string(error);
    return text != NULL ? text : "no reason given";
}

void tls_why_refused(unsigned long error, long verdict, char *ret_why)
{
    int reason = ERR_GET_REASON(error);
    bool is_ssl = ERR_GET_LIB(error) == ERR_LIB_SSL;
    const char *text, *before = "";
    if (is_ssl && reason == SSL_R_CERTIFICATE_VERIFY_FAILED && verdict != X509_V_OK) {
        text = find(verdicts, COUNT_OF(verdicts), verdict);
        text = text != NULL ? text : X509_verify_cert_error_string(verdict);
    } else if (is_ssl && reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256) {
        before = "alert from the server: ";
        text = find(alerts, COUNT_OF(alerts), reason - SSL_AD_REASON_OFFSET);
        text = text != NULL ? text : tls_error_text(error);
    } else {
        text = is_ssl ? find(reasons, COUNT_OF(reasons), reason) : NULL;
        before = text != NULL ? "" : "the handshake or a record failed: ";
        text = text != NULL ? text : tls_error_text(error);
    }
    (void)snprintf(ret_why, TLS_WHY_BYTES, "%s%s", before, text);
}
