/*
 * network - addresses of callers, and the networks they may have to come from. Pure; asks no resolver.
 *
 * Invariant: a network has exactly one text, so that it can be compared and authenticated as text.
 * Source: RFC 4632 (CIDR), RFC 4291 section 2.5.5.2 (mapped addresses), RFC 5952 (text of IPv6 addresses).
 */
#ifndef AUTHZ_NETWORK_H
#define AUTHZ_NETWORK_H

#include "base/buf.h"

enum authz_address_kind {
    AUTHZ_ADDRESS_UNKNOWN, /* the caller may have one; it is not known */
    AUTHZ_ADDRESS_NONE,    /* the caller has none: it is on a UNIX socket */
    AUTHZ_ADDRESS_IPV4,
    AUTHZ_ADDRESS_IPV6,
};

enum { AUTHZ_IPV4_BYTES = 4, AUTHZ_IPV6_BYTES = 16 };

struct authz_address {
    enum authz_address_kind kind;
    uint8_t bytes[AUTHZ_IPV6_BYTES]; /* in the order of the network; the first 4 of IPv4 */
};

struct authz_network {
    struct authz_address base; /* of a known kind; every bit behind the prefix is 0 */
    uint8_t prefix_bits;
};

/*
 * authz_network_parse - "192.0.2.0/24", "2001:db8::/32". Refused are: a text that is not the one of RFC 5952, bits
 * behind the prefix that are not 0, a missing prefix, and mapped networks (::ffff:0:0/96 and within), which have a text
 * as IPv4. Returns true and sets ret_network, or false.
 */
bool authz_network_parse(struct bytes text, struct authz_network *ret_network) MUST_USE;

/* authz_network_text - append that text. Results as buf_reserve(). */
int authz_network_text(struct buf *out, const struct authz_network *network) MUST_USE;

/* authz_network_has - the address lies in the network. A mapped IPv6 address counts as the IPv4 address it maps. */
bool authz_network_has(const struct authz_network *network, const struct authz_address *address);

#endif
