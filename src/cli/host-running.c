/*
 * host-running - what no file tells: the machine's hardware name and the addresses of its interfaces.
 *
 * Invariant: asks the kernel about this host only, so it is used for the running system, never for a root given by
 * name. Source: uname(2), getifaddrs(3).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "cli/host-internal.h"

static void drop_addresses(struct ifaddrs **list)
{
    if (*list != NULL)
        freeifaddrs(*list);
}

static unsigned count_bits(const uint8_t *p, size_t n)
{
    unsigned count = 0;
    for (size_t i = 0; i < n; i++)
        count += (unsigned)__builtin_popcount(p[i]);
    return count;
}

/* The address bytes within a socket address; NULL for a family without addresses of this kind. */
static const uint8_t *address_of(const struct sockaddr *a, size_t *ret_n)
{
    if (a == NULL || (a->sa_family != AF_INET && a->sa_family != AF_INET6))
        return NULL;
    bool is_four = a->sa_family == AF_INET;
    *ret_n = is_four ? sizeof(struct in_addr) : sizeof(struct in6_addr);
    return (const uint8_t *)a +
           (is_four ? offsetof(struct sockaddr_in, sin_addr) : offsetof(struct sockaddr_in6, sin6_addr));
}

/* As "192.0.2.7/24". */
static int add_address(struct host_names *names, const struct ifaddrs *a)
{
    char text[INET6_ADDRSTRLEN], whole[INET6_ADDRSTRLEN + 8];
    size_t n, mask_n = 0;
    const uint8_t *address = address_of(a->ifa_addr, &n);
    if (address == NULL || inet_ntop(a->ifa_addr->sa_family, address, text, sizeof text) == NULL)
        return 0;
    const uint8_t *mask = address_of(a->ifa_netmask, &mask_n);
    snprintf(whole, sizeof whole, "%s/%u", text, mask != NULL ? count_bits(mask, mask_n) : (unsigned)(8 * n));
    return host_names_add(names, bytes_of_text(whole));
}

static int add_interface(struct host_settings *s, const struct ifaddrs *list, struct bytes name)
{
    SCOPED(host_names_fini) struct host_names addresses = {0};
    struct host_path folder;
    for (const struct ifaddrs *a = list; a != NULL; a = a->ifa_next) {
        if (bytes_equal(bytes_of_text(a->ifa_name), name))
            TRY(add_address(&addresses, a));
    }
    host_names_sort(&addresses);
    host_path_init(&folder, HOST_SYSTEM "/network/interfaces");
    host_path_push(&folder, name);
    return host_add_names(s, &folder, "addresses", &addresses);
}

static int add_interfaces(struct host_settings *s)
{
    SCOPED(drop_addresses) struct ifaddrs *list = NULL;
    SCOPED(host_names_fini) struct host_names names = {0};
    if (getifaddrs(&list) < 0)
        return host_unread(s, BYTES_LITERAL(HOST_SYSTEM "/network/interfaces"), "the kernel does not list addresses");
    for (const struct ifaddrs *a = list; a != NULL; a = a->ifa_next)
        TRY(host_names_add(&names, bytes_of_text(a->ifa_name)));
    host_names_sort(&names);
    for (size_t i = 0; i < names.count; i++)
        TRY(add_interface(s, list, names.items[i]));
    return 0;
}

int host_collect_running(struct host_settings *s)
{
    struct utsname u;
    if (uname(&u) < 0)
        return RAISE(-errno);
    TRY(host_parse_line(s, HOST_SYSTEM "/kernel", "machine", bytes_of_text(u.machine)));
    return add_interfaces(s);
}
