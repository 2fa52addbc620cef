/* network - see network.h. The two texts of libc are compared, so that only the one form is accepted. */
#include "authz/network.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static size_t bytes_of_kind(enum authz_address_kind kind)
{
    assert(kind == AUTHZ_ADDRESS_IPV4 || kind == AUTHZ_ADDRESS_IPV6);
    return kind == AUTHZ_ADDRESS_IPV4 ? AUTHZ_IPV4_BYTES : AUTHZ_IPV6_BYTES;
}

static int family_of_kind(enum authz_address_kind kind)
{
    return kind == AUTHZ_ADDRESS_IPV4 ? AF_INET : AF_INET6;
}

/* Both have the same first `bits` bits. */
static bool has_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    return memcmp(a, b, whole) == 0 && (rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0);
}

static bool parse_address(struct bytes text, struct authz_address *ret_address)
{
    char given[INET6_ADDRSTRLEN], shown[INET6_ADDRSTRLEN];
    bool is_ipv6 = bytes_find(text, ':') < text.n;
    struct authz_address a = {.kind = is_ipv6 ? AUTHZ_ADDRESS_IPV6 : AUTHZ_ADDRESS_IPV4};
    int family = family_of_kind(a.kind);
    if (!text_copy(given, sizeof given, text) || inet_pton(family, given, a.bytes) != 1 ||
        inet_ntop(family, a.bytes, shown, sizeof shown) == NULL || strcmp(given, shown) != 0)
        return false;
    *ret_address = a;
    return true;
}

/* No bit behind the prefix is set. */
static bool is_base(const struct authz_address *a, unsigned bits)
{
    unsigned size = (unsigned)bytes_of_kind(a->kind) * 8;
    assert(bits <= size);
    for (unsigned i = bits; i < size; i++) {
        if ((a->bytes[i / 8] & (0x80u >> i % 8)) != 0)
            return false;
    }
    return true;
}

bool authz_network_parse(struct bytes text, struct authz_network *ret_network)
{
    struct authz_network n;
    uint64_t bits;
    size_t slash = bytes_find(text, '/');
    if (!parse_address(bytes_head(text, slash), &n.base) ||
        !num_parse_u64(bytes_from(text, slash + 1), bytes_of_kind(n.base.kind) * 8, &bits) ||
        !is_base(&n.base, (unsigned)bits))
        return false;
    if (n.base.kind == AUTHZ_ADDRESS_IPV6 && bits >= sizeof mapped * 8 &&
        memcmp(n.base.bytes, mapped, sizeof mapped) == 0)
        return false;
    n.prefix_bits = (uint8_t)bits;
    *ret_network = n;
    return true;
}

int authz_network_text(struct buf *out, const struct authz_network *network)
{
    char shown[INET6_ADDRSTRLEN];
    assert(network->prefix_bits <= bytes_of_kind(network->base.kind) * 8);
    const char *text = inet_ntop(family_of_kind(network->base.kind), network->base.bytes, shown, sizeof shown);
    assert(text != NULL);
    return buf_print(out, "%s/%u", text, network->prefix_bits);
}

bool authz_network_has(const struct authz_network *network, const struct authz_address *address)
{
    const uint8_t *bytes = address->bytes;
    enum authz_address_kind kind = address->kind;
    if (kind == AUTHZ_ADDRESS_IPV6 && memcmp(bytes, mapped, sizeof mapped) == 0) {
        kind = AUTHZ_ADDRESS_IPV4;
        bytes += sizeof mapped;
    }
    return kind == network->base.kind && has_prefix(bytes, network->base.bytes, network->prefix_bits);
}
