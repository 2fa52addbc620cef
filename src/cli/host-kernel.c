/*
 * host-kernel - what /proc/sys tells: names of the kernel, and every kernel parameter that is a setting.
 *
 * Invariant: what is read here stays the same on an idle host, so that loading twice changes nothing the second time.
 * Source: proc(5), sysctl(8), Documentation/admin-guide/sysctl and Documentation/networking/ip-sysctl of Linux.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>

#include "base/num.h"
#include "cli/host-internal.h"

#define SYSCTL_FOLDER "proc/sys"

/* Folders of /proc/sys that hold settings of the host; the others hold those of users, buses and debuggers. */
static const char *const tops[] = {"fs", "kernel", "net", "vm"};

/* Parameters that are no settings, below /proc/sys; a star does not match a slash. */
static const char *const not_settings[] = {
    /* counters and samples, which change by themselves */
    "fs/aio-nr",
    "fs/dentry-state",
    "fs/file-nr",
    "fs/inode-nr",
    "fs/inode-state",
    "fs/quota/*",
    "kernel/hung_task_detect_count",
    "kernel/ns_last_pid",
    "kernel/perf_event_max_sample_rate",
    "kernel/pty/nr",
    "kernel/random/boot_id",
    "kernel/random/entropy_avail",
    "kernel/random/uuid",
    "kernel/sched_domain/*",
    "net/ipv4/netfilter/ip_conntrack_count",
    "net/netfilter/nf_conntrack_count",
    "vm/numa_stat",
    /* keys, which must not be stored in the clear */
    "net/core/netdev_rss_key",
    "net/ipv4/tcp_fastopen_key",
    "net/ipv6/conf/*/stable_secret",
    /* reading or opening these does something */
    "fs/binfmt_misc",
    "fs/xfs/stats_clear",
    "vm/stat_refresh",
};

/* A folder in the list stands for all that is in it. */
static bool matches(const char *pattern, const char *name)
{
    return fnmatch(pattern, name, FNM_PATHNAME | FNM_LEADING_DIR | FNM_NOESCAPE) == 0;
}

bool host_sysctl_is_setting(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(not_settings); i++) {
        if (matches(not_settings[i], name))
            return false;
    }
    return true;
}

static struct bytes without_newline(struct bytes text)
{
    return text.n > 0 && text.p[text.n - 1] == '\n' ? bytes_head(text, text.n - 1) : text;
}

int host_parse_line(struct host_settings *s, const char *folder, const char *name, struct bytes text)
{
    struct host_path path;
    host_path_init(&path, folder);
    return host_add_at(s, &path, name, VALUE_STRING, without_newline(text));
}

int host_parse_sysctl(struct host_settings *s, const struct host_path *path, struct bytes text)
{
    struct bytes value = without_newline(text);
    int64_t number;
    return host_add(s, path, num_parse_i64(value, &number) ? VALUE_INTEGER : VALUE_STRING, value);
}

/* ---- collecting ---------------------------------------------------------------------------------------------------
 */

/* Where the walk over /proc/sys is: the file, and the entry that it becomes. */
struct walk {
    struct host_settings *s;
    int root;
    unsigned depth;
    struct host_path file; /* a relative path; not of the registry, but built the same way */
    struct host_path entry;
};

static int load_parameter(struct walk *w)
{
    SCOPED(buf_fini) struct buf text;
    const char *why;
    buf_init(&text, HOST_SYSCTL_MAX_BYTES);
    int r = host_read(w->root, w->file.text, &text, &why);
    if (r < 0)
        return r;
    if (r == HOST_UNREADABLE)
        return host_unread(w->s, host_path_view(&w->entry), why);
    return r == HOST_ABSENT ? 0 : host_parse_sysctl(w->s, &w->entry, buf_view(&text));
}

static int walk_folder(struct walk *w);

static int walk_name(struct walk *w, struct bytes name)
{
    size_t file_n = host_path_push(&w->file, name), entry_n = host_path_push(&w->entry, name);
    bool is_readable;
    int r = 0;
    if (host_sysctl_is_setting(w->file.text + sizeof SYSCTL_FOLDER)) {
        enum host_kind kind = host_kind(w->root, w->file.text, &is_readable);
        if (kind == HOST_KIND_FOLDER)
            r = walk_folder(w);
        else if (kind == HOST_KIND_FILE && is_readable)
            r = load_parameter(w);
    }
    host_path_pop(&w->file, file_n);
    host_path_pop(&w->entry, entry_n);
    return r;
}

static int walk_names(struct walk *w, const struct host_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        TRY(walk_name(w, names->items[i]));
    return 0;
}

static int walk_folder(struct walk *w)
{
    SCOPED(host_names_fini) struct host_names names = {0};
    const char *why;
    if (w->depth == HOST_SYSCTL_DEPTH_MAX_COUNT)
        return host_unread(w->s, host_path_view(&w->entry), "too many folders in folders");
    int r = host_list(w->root, w->file.text, &names, &why);
    if (r < 0)
        return r;
    if (r == HOST_UNREADABLE)
        return host_unread(w->s, host_path_view(&w->entry), why);
    w->depth++;
    r = walk_names(w, &names);
    w->depth--;
    return r;
}

static int load_name(struct host_settings *s, int root, const char *file, const char *name)
{
    SCOPED(buf_fini) struct buf text;
    const char *why;
    char path[64];
    buf_init(&text, HOST_SYSCTL_MAX_BYTES);
    int n = snprintf(path, sizeof path, SYSCTL_FOLDER "/kernel/%s", file);
    assert(n > 0 && n < (int)sizeof path);
    int r = host_read(root, path, &text, &why);
    if (r < 0)
        return r;
    if (r == HOST_UNREADABLE)
        return host_unread(s, BYTES_LITERAL(HOST_SYSTEM "/kernel"), why);
    return r == HOST_ABSENT ? 0 : host_parse_line(s, HOST_SYSTEM "/kernel", name, buf_view(&text));
}

int host_collect_kernel(struct host_settings *s, int root)
{
    struct walk w = {.s = s, .root = root};
    TRY(load_name(s, root, "hostname", "hostname"));
    TRY(load_name(s, root, "osrelease", "release"));
    TRY(load_name(s, root, "version", "version"));
    TRY(load_name(s, root, "ostype", "ostype"));
    host_path_init(&w.file, SYSCTL_FOLDER);
    host_path_init(&w.entry, HOST_SYSTEM "/kernel/sysctl");
    for (size_t i = 0; i < COUNT_OF(tops); i++)
        TRY(walk_name(&w, bytes_of_text(tops[i])));
    return 0;
}
