/*
 * host-collect - opens the files of one host and gives them to their parsers; see host.h.
 *
 * Invariant: a source that is there but cannot be read leaves its path unread, so that nobody takes its settings for
 * gone. Source: systemd.unit(5) for enabled units.
 */
#include <errno.h>
#include <fcntl.h>

#include "cli/host-internal.h"
#include "os/file.h"

/* ---- files with one parser ----------------------------------------------------------------------------------------
 */

typedef int parse_fn(struct host_settings *s, struct bytes text);

/* The first of the files that exists is the one that counts. */
static const struct source {
    const char *files[2];
    const char *folder; /* what it fills */
    parse_fn *parse;
} sources[] = {
    {{"etc/os-release", "usr/lib/os-release"}, HOST_SYSTEM "/os", host_parse_os_release},
    {{"etc/resolv.conf"}, HOST_SYSTEM "/network/resolver", host_parse_resolver},
    {{"etc/hosts"}, HOST_SYSTEM "/network/hosts", host_parse_hosts},
    {{"etc/hostname", "proc/sys/kernel/hostname"}, HOST_SYSTEM "/network/hostname", host_parse_hostname},
    {{"etc/fstab"}, HOST_SYSTEM "/storage/fstab", host_parse_fstab},
};

static int load_source(struct host_settings *s, int root, const struct source *source)
{
    SCOPED(buf_fini) struct buf text;
    const char *why;
    int r = HOST_ABSENT;
    buf_init(&text, HOST_FILE_MAX_BYTES);
    for (size_t i = 0; r == HOST_ABSENT && i < COUNT_OF(source->files) && source->files[i] != NULL; i++)
        r = host_read(root, source->files[i], &text, &why);
    if (r == HOST_UNREADABLE)
        return host_unread(s, bytes_of_text(source->folder), why);
    return r != 0 ? MIN_OF(r, 0) : source->parse(s, buf_view(&text));
}

/* ---- interfaces ---------------------------------------------------------------------------------------------------
 */

static int load_attribute(struct host_settings *s, int root, const struct host_path *folder, const char *file,
                          const char *attribute)
{
    SCOPED(buf_fini) struct buf text;
    struct host_path path;
    const char *why;
    buf_init(&text, HOST_SYSCTL_MAX_BYTES);
    host_path_init(&path, file);
    host_path_push(&path, bytes_of_text(attribute));
    int r = host_read(root, path.text, &text, &why);
    if (r == HOST_UNREADABLE)
        return host_unread(s, host_path_view(folder), why);
    return r != 0 ? MIN_OF(r, 0) : host_parse_interface(s, folder, attribute, buf_view(&text));
}

static int load_interface(struct host_settings *s, int root, struct bytes name)
{
    static const char *const attributes[] = {"mtu", "address", "flags"};
    struct host_path file, folder;
    host_path_init(&file, "sys/class/net");
    host_path_init(&folder, HOST_SYSTEM "/network/interfaces");
    host_path_push(&file, name);
    host_path_push(&folder, name);
    for (size_t i = 0; i < COUNT_OF(attributes); i++)
        TRY(load_attribute(s, root, &folder, file.text, attributes[i]));
    return 0;
}

static int load_interfaces(struct host_settings *s, int root)
{
    SCOPED(host_names_fini) struct host_names names = {0};
    const char *why;
    int r = host_list(root, "sys/class/net", &names, &why);
    if (r == HOST_UNREADABLE)
        return host_unread(s, BYTES_LITERAL(HOST_SYSTEM "/network/interfaces"), why);
    if (r != 0)
        return MIN_OF(r, 0);
    for (size_t i = 0; i < names.count; i++)
        TRY(load_interface(s, root, names.items[i]));
    return 0;
}

int host_collect_network(struct host_settings *s, int root)
{
    for (size_t i = 0; i < COUNT_OF(sources); i++)
        TRY(load_source(s, root, &sources[i]));
    return load_interfaces(s, root);
}

/* ---- services -----------------------------------------------------------------------------------------------------
 */

static bool ends_in(struct bytes name, struct bytes suffix)
{
    return name.n > suffix.n && bytes_equal(bytes_from(name, name.n - suffix.n), suffix);
}

/* A link in such a folder is what `systemctl enable` leaves. */
static int load_links(struct host_settings *s, int root, struct bytes folder, struct host_names *units)
{
    SCOPED(host_names_fini) struct host_names names = {0};
    struct host_path path;
    const char *why;
    bool is_readable;
    host_path_init(&path, "etc/systemd/system");
    host_path_push(&path, folder);
    int r = host_list(root, path.text, &names, &why);
    if (r == HOST_UNREADABLE)
        return host_unread(s, BYTES_LITERAL(HOST_SYSTEM "/services/enabled"), why);
    if (r != 0)
        return MIN_OF(r, 0);
    for (size_t i = 0; i < names.count; i++) {
        size_t n = host_path_push(&path, names.items[i]);
        if (host_kind(root, path.text, &is_readable) == HOST_KIND_LINK)
            TRY(host_names_add(units, names.items[i]));
        host_path_pop(&path, n);
    }
    return 0;
}

static int load_enabled(struct host_settings *s, int root)
{
    SCOPED(host_names_fini) struct host_names folders = {0}, units = {0};
    struct host_path services;
    const char *why;
    host_path_init(&services, HOST_SYSTEM "/services");
    int r = host_list(root, "etc/systemd/system", &folders, &why);
    if (r == HOST_UNREADABLE)
        return host_unread(s, BYTES_LITERAL(HOST_SYSTEM "/services/enabled"), why);
    if (r != 0)
        return MIN_OF(r, 0);
    for (size_t i = 0; i < folders.count; i++) {
        struct bytes name = folders.items[i];
        if (ends_in(name, BYTES_LITERAL(".wants")) || ends_in(name, BYTES_LITERAL(".requires")))
            TRY(load_links(s, root, name, &units));
    }
    host_names_sort(&units);
    return host_add_names(s, &services, "enabled", &units);
}

static int load_default_target(struct host_settings *s, int root)
{
    static const char *const links[] = {"etc/systemd/system/default.target", "usr/lib/systemd/system/default.target",
                                        "lib/systemd/system/default.target"};
    SCOPED(host_names_fini) struct host_names target = {0};
    int r = HOST_ABSENT;
    for (size_t i = 0; r == HOST_ABSENT && i < COUNT_OF(links); i++)
        r = host_link(root, links[i], &target);
    if (r != 0)
        return MIN_OF(r, 0);
    struct bytes unit = target.items[0];
    while (bytes_find(unit, '/') != unit.n)
        unit = bytes_from(unit, bytes_find(unit, '/') + 1);
    return host_parse_line(s, HOST_SYSTEM "/services", "default-target", unit);
}

/* ---- sshd ---------------------------------------------------------------------------------------------------------
 */

#define SSHD_FILE "etc/ssh/sshd_config"

/* The host that Include lines are looked up on. */
struct sshd_host {
    struct host_settings *s;
    int root;
};

static int load_sshd_file(struct host_sshd *d, const struct sshd_host *host, const char *path)
{
    SCOPED(buf_fini) struct buf text;
    const char *why;
    buf_init(&text, HOST_FILE_MAX_BYTES);
    int r = host_read(host->root, path, &text, &why);
    if (r == HOST_UNREADABLE) {
        TRY(host_skip(host->s, bytes_of_text(path), why));
        return host_unread(host->s, BYTES_LITERAL(HOST_SYSTEM "/services/sshd"), "not all of its files can be read");
    }
    return r != 0 ? MIN_OF(r, 0) : host_sshd_parse(d, path, buf_view(&text));
}

static int include_files(struct host_sshd *d, struct bytes pattern, void *arg)
{
    SCOPED(host_names_fini) struct host_names paths = {0};
    SCOPED(buf_fini) struct buf whole;
    buf_init(&whole, 2 * (size_t)HOST_FILE_MAX_BYTES);
    if (pattern.n == 0 || pattern.p[0] != '/')
        TRY(buf_append_text(&whole, "etc/ssh/"));
    TRY(buf_append(&whole, pattern));
    const struct sshd_host *host = arg;
    TRY(host_glob(host->root, buf_view(&whole), &paths));
    for (size_t i = 0; i < paths.count; i++)
        TRY(load_sshd_file(d, host, (const char *)paths.items[i].p));
    return 0;
}

static void drop_sshd(struct host_sshd **d)
{
    host_sshd_free(*d);
}

static int load_sshd(struct host_settings *s, int root)
{
    struct sshd_host host = {s, root};
    SCOPED(drop_sshd) struct host_sshd *d = host_sshd_new(s, include_files, &host);
    if (d == NULL)
        return RAISE(-ENOMEM);
    TRY(load_sshd_file(d, &host, SSHD_FILE));
    return host_sshd_finish(d);
}

int host_collect_services(struct host_settings *s, int root)
{
    TRY(load_enabled(s, root));
    TRY(load_default_target(s, root));
    return load_sshd(s, root);
}

/* ---- the whole host -----------------------------------------------------------------------------------------------
 */

static int collect(struct host_settings *s, const char *root)
{
    SCOPED(file_drop_fd) int fd = -1;
    bool is_running = root[0] == '\0';
    int r = file_open_folder(is_running ? "/" : root, &fd);
    if (r != 0)
        return r < 0 ? r : RAISE(-ENOENT);
    TRY(host_collect_kernel(s, fd));
    TRY(host_collect_network(s, fd));
    TRY(host_collect_services(s, fd));
    return is_running ? host_collect_running(s) : 0;
}

int host_collect(const char *root, struct host_settings *ret_settings)
{
    SCOPED(host_fini) struct host_settings s;
    host_init(&s);
    TRY(collect(&s, root));
    host_sort(&s);
    *ret_settings = s;
    host_init(&s);
    return 0;
}
