/*
 * host-net - the network as this host is set up for it: interfaces, resolver, hosts file, host name.
 *
 * Invariant: only what somebody sets is read, not what a cable or a peer changes (carrier, speed, counters).
 * Source: resolv.conf(5), hosts(5), hostname(5), Documentation/ABI/testing/sysfs-class-net of Linux.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "cli/host-internal.h"

/* ---- resolv.conf --------------------------------------------------------------------------------------------------
 */

struct resolver {
    struct host_names nameservers, search, options;
};

static void resolver_fini(struct resolver *r)
{
    host_names_fini(&r->nameservers);
    host_names_fini(&r->search);
    host_names_fini(&r->options);
}

static int add_words(struct host_names *names, struct bytes rest)
{
    for (struct bytes word = host_next_word(&rest); word.n > 0; word = host_next_word(&rest))
        TRY(host_names_add(names, word));
    return 0;
}

/* The last of several search and domain lines counts, options add up. */
static int read_resolver_line(struct resolver *r, struct bytes line)
{
    struct bytes rest = line;
    struct bytes keyword = host_next_word(&rest);
    if (bytes_equal(keyword, BYTES_LITERAL("nameserver")))
        return add_words(&r->nameservers, host_next_word(&rest));
    if (bytes_equal(keyword, BYTES_LITERAL("options")))
        return add_words(&r->options, rest);
    bool is_domain = bytes_equal(keyword, BYTES_LITERAL("domain"));
    if (!is_domain && !bytes_equal(keyword, BYTES_LITERAL("search")))
        return 0;
    host_names_fini(&r->search);
    return add_words(&r->search, is_domain ? host_next_word(&rest) : rest);
}

int host_parse_resolver(struct host_settings *s, struct bytes text)
{
    SCOPED(resolver_fini) struct resolver r = {0};
    struct host_path folder;
    struct bytes line;
    /* A keyword stands in the first column; what begins with a blank, # or ; is no setting. */
    while (host_next_line(&text, &line)) {
        if (line.n > 0 && line.p[0] >= 'a' && line.p[0] <= 'z')
            TRY(read_resolver_line(&r, line));
    }
    host_path_init(&folder, HOST_SYSTEM "/network/resolver");
    TRY(host_add_names(s, &folder, "nameservers", &r.nameservers));
    TRY(host_add_names(s, &folder, "search", &r.search));
    return host_add_names(s, &folder, "options", &r.options);
}

/* ---- hosts --------------------------------------------------------------------------------------------------------
 */

/* One name of one address, in the order of the file. */
struct host_name {
    char address[INET6_ADDRSTRLEN];
    struct bytes name;
    size_t order;
};

struct host_table {
    struct host_name *items;
    size_t count, cap;
};

/* The one spelling of an address; false if the text is none. */
static bool canonical_address(struct bytes text, char ret[static INET6_ADDRSTRLEN])
{
    char plain[INET6_ADDRSTRLEN];
    uint8_t address[sizeof(struct in6_addr)];
    int family = bytes_find(text, ':') != text.n ? AF_INET6 : AF_INET;
    return text_copy(plain, sizeof plain, text) && inet_pton(family, plain, address) == 1 &&
           inet_ntop(family, address, ret, INET6_ADDRSTRLEN) != NULL;
}

static int table_add(struct host_table *t, const char *address, struct bytes name)
{
    if (t->count == t->cap) {
        size_t cap = t->cap == 0 ? 16 : t->cap * 2;
        struct host_name *items = realloc(t->items, cap * sizeof *items);
        if (items == NULL)
            return RAISE(-ENOMEM);
        t->items = items;
        t->cap = cap;
    }
    struct host_name *h = &t->items[t->count];
    *h = (struct host_name){.name = name, .order = t->count++};
    memcpy(h->address, address, strlen(address) + 1);
    return 0;
}

static int read_hosts_line(struct host_settings *s, struct host_table *t, unsigned number, struct bytes line)
{
    char address[INET6_ADDRSTRLEN];
    struct bytes rest = host_cut(line, '#');
    struct bytes first = host_next_word(&rest);
    if (first.n == 0)
        return 0;
    if (!canonical_address(first, address))
        return host_skip_line(s, "hosts", number, "it does not begin with an address");
    for (struct bytes name = host_next_word(&rest); name.n > 0; name = host_next_word(&rest))
        TRY(table_add(t, address, name));
    return 0;
}

static int compare_hosts(const void *a, const void *b)
{
    const struct host_name *x = a, *y = b;
    int order = strcmp(x->address, y->address);
    return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

/* The names of one address, from `from` on. ret_next: where the next address begins. */
static int add_host(struct host_settings *s, const struct host_table *t, size_t from, size_t *ret_next)
{
    SCOPED(host_names_fini) struct host_names names = {0};
    struct host_path folder;
    size_t i;
    for (i = from; i < t->count && strcmp(t->items[i].address, t->items[from].address) == 0; i++)
        TRY(host_names_add(&names, t->items[i].name));
    host_path_init(&folder, HOST_SYSTEM "/network/hosts");
    TRY(host_add_names(s, &folder, t->items[from].address, &names));
    *ret_next = i;
    return 0;
}

static int read_hosts(struct host_settings *s, struct host_table *t, struct bytes text)
{
    struct bytes line;
    for (unsigned number = 1; host_next_line(&text, &line); number++)
        TRY(read_hosts_line(s, t, number, line));
    if (t->count > 0)
        qsort(t->items, t->count, sizeof *t->items, compare_hosts);
    for (size_t i = 0; i < t->count;)
        TRY(add_host(s, t, i, &i));
    return 0;
}

int host_parse_hosts(struct host_settings *s, struct bytes text)
{
    struct host_table t = {0};
    int r = read_hosts(s, &t, text);
    free(t.items);
    return r;
}

/* ---- host name ----------------------------------------------------------------------------------------------------
 */

int host_parse_hostname(struct host_settings *s, struct bytes text)
{
    struct bytes line;
    while (host_next_line(&text, &line)) {
        line = host_trim(line);
        if (line.n > 0 && line.p[0] != '#')
            return host_parse_line(s, HOST_SYSTEM "/network", "hostname", line);
    }
    return 0;
}

/* ---- interfaces ---------------------------------------------------------------------------------------------------
 */

/* The kernel prints flags as 0x and hex digits. */
static bool parse_flags(struct bytes text, uint32_t *ret_flags)
{
    uint32_t flags = 0;
    if (!bytes_starts(text, BYTES_LITERAL("0x")) || text.n < 3 || text.n > 10)
        return false;
    for (size_t i = 2; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
            return false;
        flags = flags << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *ret_flags = flags;
    return true;
}

static int add_flags(struct host_settings *s, const struct host_path *folder, struct bytes value)
{
    uint32_t flags;
    if (!parse_flags(value, &flags))
        return host_unread(s, host_path_view(folder), "its flags are not a number in hex");
    return host_add_at(s, folder, "up", VALUE_BOOLEAN, bytes_of_text(flags & IFF_UP ? "true" : "false"));
}

int host_parse_interface(struct host_settings *s, const struct host_path *folder, const char *attribute,
                         struct bytes text)
{
    struct bytes value = host_trim(host_cut(text, '\n'));
    if (strcmp(attribute, "flags") == 0)
        return add_flags(s, folder, value);
    if (strcmp(attribute, "mtu") == 0)
        return host_add_at(s, folder, "mtu", VALUE_INTEGER, value);
    assert(strcmp(attribute, "address") == 0);
    /* Tunnels have no hardware address. */
    return value.n > 0 ? host_add_at(s, folder, "mac", VALUE_STRING, value) : 0;
}
