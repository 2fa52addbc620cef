/*
 * fuzz-host - any bytes as a file of the host; the first byte selects the parser.
 *
 * Checks: no parser fails but for its limits; every setting has a path and a value that the registry accepts; after
 * sorting each path is there once, can be found, and no entry is in the place of a folder; reports are safe to print;
 * parsing the same bytes again gives the same settings.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/host-internal.h"
#include "model/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(truth)                                                                                                   \
    do {                                                                                                               \
        if (!(truth))                                                                                                  \
            abort();                                                                                                   \
    } while (0)

/* ---- parsers ------------------------------------------------------------------------------------------------------
 */

static int parse_line(struct host_settings *s, struct bytes text)
{
    return host_parse_line(s, HOST_SYSTEM "/kernel", "version", text);
}

/* The name of the parameter comes first, up to a line feed. */
static int parse_sysctl(struct host_settings *s, struct bytes text)
{
    struct host_path path;
    struct bytes name;
    host_path_init(&path, HOST_SYSTEM "/kernel/sysctl/net");
    if (!host_next_line(&text, &name) || bytes_find(name, '/') != name.n)
        return 0;
    host_path_push(&path, name);
    return host_parse_sysctl(s, &path, text);
}

static int parse_interface(struct host_settings *s, struct bytes text)
{
    static const char *const attributes[] = {"mtu", "address", "flags"};
    struct host_path folder;
    struct bytes line;
    host_path_init(&folder, HOST_SYSTEM "/network/interfaces/eth0");
    for (size_t i = 0; i < COUNT_OF(attributes) && host_next_line(&text, &line); i++)
        TRY(host_parse_interface(s, &folder, attributes[i], line));
    return 0;
}

/* What follows a NUL is the file that every Include names, itself included. */
static int include(struct host_sshd *d, struct bytes pattern, void *arg)
{
    CHECK(pattern.n == 0 || pattern.p != NULL);
    return host_sshd_parse(d, "included", *(const struct bytes *)arg);
}

static int parse_sshd(struct host_settings *s, struct bytes text)
{
    struct bytes first = host_cut(text, 0), other = bytes_from(text, first.n + 1);
    struct host_sshd *d = host_sshd_new(s, include, &other);
    CHECK(d != NULL);
    int r = host_sshd_parse(d, "sshd_config", first);
    if (r == 0)
        r = host_sshd_finish(d);
    host_sshd_free(d);
    return r;
}

static int (*const parsers[])(struct host_settings *s, struct bytes text) = {
    host_parse_os_release, host_parse_resolver, host_parse_hosts, host_parse_hostname, host_parse_fstab, parse_sshd,
    parse_sysctl,          parse_interface,     parse_line,
};

/* ---- invariants ---------------------------------------------------------------------------------------------------
 */

static void check_setting(const struct host_setting *x)
{
    struct bytes path = bytes_of_text(x->path), value = bytes_of(x->value, x->value_bytes);
    const char *fault;
    char why[HOST_WHY_BYTES];
    CHECK(path_check(path, &fault));
    CHECK(path_is_within(path, BYTES_LITERAL(HOST_SYSTEM)) && !path_is_root(path));
    CHECK(value_check(x->type, value, &fault));
    CHECK(value_check_json(x->type, value, why, sizeof why));
}

/* An entry cannot be a folder of another one. */
static void check_folders(const struct host_settings *s, size_t i)
{
    for (struct bytes up = path_parent(bytes_of_text(s->items[i].path)); up.n > 0; up = path_parent(up))
        CHECK(host_find(s, up) == NULL);
}

static void check(struct host_settings *s)
{
    for (size_t i = 0; i < s->count; i++)
        check_setting(&s->items[i]);
    host_sort(s);
    for (size_t i = 0; i < s->count; i++) {
        CHECK(i == 0 || strcmp(s->items[i - 1].path, s->items[i].path) < 0);
        CHECK(host_find(s, bytes_of_text(s->items[i].path)) == &s->items[i]);
        check_folders(s, i);
    }
    CHECK(s->skipped_count <= HOST_SKIPPED_MAX_COUNT);
    for (size_t i = 0; i < s->skipped_count; i++)
        CHECK(text_is_printable(bytes_of_text(s->skipped[i])));
    for (size_t i = 0; i < s->unread_count; i++)
        CHECK(host_is_unread(s, bytes_of_text(s->unread[i])));
}

static void check_same(const struct host_settings *a, const struct host_settings *b)
{
    CHECK(a->count == b->count && a->skipped_count == b->skipped_count && a->unread_count == b->unread_count);
    for (size_t i = 0; i < a->count; i++) {
        const struct host_setting *x = &a->items[i], *y = &b->items[i];
        CHECK(strcmp(x->path, y->path) == 0 && x->type == y->type);
        CHECK(bytes_equal(bytes_of(x->value, x->value_bytes), bytes_of(y->value, y->value_bytes)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct host_settings once, again;
    if (size == 0 || size > HOST_FILE_MAX_BYTES)
        return 0;
    size_t which = (size_t)(data[0] >= '0' ? data[0] - '0' : data[0]) % COUNT_OF(parsers);
    host_init(&once);
    host_init(&again);
    int r = parsers[which](&once, bytes_of(data + 1, size - 1));
    CHECK(r == 0 || r == FAULT_LIMIT);
    CHECK(parsers[which](&again, bytes_of(data + 1, size - 1)) == r);
    check(&once);
    host_sort(&again);
    check_same(&once, &again);
    host_fini(&once);
    host_fini(&again);
    return 0;
}
