/*
 * host-read - opening the host's files below a root folder.
 *
 * Invariant: no path leaves the root, not even over a symbolic link of a made-up host; nothing that could wait or act
 * when it is opened for reading (pipe, device, automount) is opened for reading.
 * Source: openat2(2), open(2) (O_PATH), glob(7).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/host-internal.h"
#include "os/file.h"

/* Returns the descriptor or -errno, not raised: most errors are answers here. */
static int open_in(int root, const char *path, int flags)
{
    struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC), .resolve = RESOLVE_IN_ROOT};
    long fd = syscall(SYS_openat2, root, path, &how, sizeof how);
    return fd < 0 ? -errno : (int)fd;
}

static bool is_absent(int error)
{
    return error == -ENOENT || error == -ENOTDIR;
}

static int unreadable(int error, const char **ret_why)
{
    const char *why = strerrordesc_np(-error);
    *ret_why = why != NULL ? why : "it cannot be read";
    return HOST_UNREADABLE;
}

/* Looks at what it is before it opens it, so that no device driver is ever asked. */
static int open_regular(int root, const char *path, int *ret_fd, const char **ret_why)
{
    SCOPED(file_drop_fd) int place = open_in(root, path, O_PATH);
    struct stat st;
    if (place < 0)
        return is_absent(place) ? HOST_ABSENT : unreadable(place, ret_why);
    if (fstat(place, &st) < 0)
        return unreadable(-errno, ret_why);
    *ret_why = "it is not a regular file";
    if (!S_ISREG(st.st_mode))
        return HOST_UNREADABLE;
    int fd = open_in(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return is_absent(fd) ? HOST_ABSENT : unreadable(fd, ret_why);
    *ret_fd = fd;
    return 0;
}

int host_read(int root, const char *path, struct buf *out, const char **ret_why)
{
    SCOPED(file_drop_fd) int fd = -1;
    struct stat st;
    int r = open_regular(root, path, &fd, ret_why);
    if (r != 0)
        return r;
    /* It may have been replaced between the two calls. */
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return HOST_UNREADABLE;
    r = file_read_all(fd, out);
    if (r == -ENOMEM)
        return r;
    *ret_why = "it is larger than what is read";
    if (r == FAULT_LIMIT)
        return HOST_UNREADABLE;
    return r < 0 ? unreadable(r, ret_why) : 0;
}

static void drop_dir(DIR **d)
{
    if (*d != NULL)
        closedir(*d);
}

static int read_names(DIR *d, struct host_names *names, const char **ret_why)
{
    for (;;) {
        errno = 0;
        const struct dirent *e = readdir(d);
        if (e == NULL)
            return errno == 0 ? 0 : unreadable(-errno, ret_why);
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        *ret_why = "there are too many names in it";
        if (names->count == HOST_FOLDER_NAMES_MAX_COUNT)
            return HOST_UNREADABLE;
        TRY(host_names_add(names, bytes_of_text(e->d_name)));
    }
}

int host_list(int root, const char *path, struct host_names *names, const char **ret_why)
{
    int fd = open_in(root, path, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
    if (fd < 0)
        return is_absent(fd) ? HOST_ABSENT : unreadable(fd, ret_why);
    SCOPED(drop_dir) DIR *d = fdopendir(fd); /* which then owns the descriptor */
    if (d == NULL) {
        close(fd);
        return RAISE(-ENOMEM);
    }
    int r = read_names(d, names, ret_why);
    host_names_sort(names);
    return r;
}

enum host_kind host_kind(int root, const char *path, bool *ret_is_readable)
{
    SCOPED(file_drop_fd) int place = open_in(root, path, O_PATH | O_NOFOLLOW);
    struct stat st;
    *ret_is_readable = false;
    if (place < 0 || fstat(place, &st) < 0)
        return HOST_KIND_OTHER;
    *ret_is_readable = (st.st_mode & (S_IRUSR | S_IRGRP | S_IROTH)) != 0;
    if (S_ISREG(st.st_mode))
        return HOST_KIND_FILE;
    if (S_ISDIR(st.st_mode))
        return HOST_KIND_FOLDER;
    return S_ISLNK(st.st_mode) ? HOST_KIND_LINK : HOST_KIND_OTHER;
}

int host_link(int root, const char *path, struct host_names *ret_target)
{
    SCOPED(file_drop_fd) int place = open_in(root, path, O_PATH | O_NOFOLLOW);
    char target[4096];
    if (place < 0)
        return HOST_ABSENT;
    ssize_t n = readlinkat(place, "", target, sizeof target);
    return n <= 0 ? HOST_ABSENT : host_names_add(ret_target, bytes_of(target, (size_t)n));
}

/* ---- patterns -----------------------------------------------------------------------------------------------------
 */

/* One step of the walk: the paths found so far for the components before. */
static int add_path(struct host_names *paths, struct bytes folder, struct bytes name)
{
    SCOPED(buf_fini) struct buf path;
    buf_init(&path, 2 * (size_t)HOST_FILE_MAX_BYTES);
    TRY(buf_append(&path, folder));
    if (folder.n > 0)
        TRY(buf_append_text(&path, "/"));
    TRY(buf_append(&path, name));
    return host_names_add(paths, buf_view(&path));
}

/* `component` ends in a NUL. */
static int match_in(int root, struct bytes folder, struct bytes component, struct host_names *paths)
{
    SCOPED(host_names_fini) struct host_names names = {0};
    const char *why;
    const char *path = folder.n > 0 ? (const char *)folder.p : ".";
    int r = host_list(root, path, &names, &why);
    if (r != 0)
        return r < 0 ? r : 0;
    for (size_t i = 0; i < names.count; i++) {
        if (fnmatch((const char *)component.p, (const char *)names.items[i].p, FNM_PERIOD) == 0)
            TRY(add_path(paths, folder, names.items[i]));
    }
    return 0;
}

static bool is_pattern(struct bytes component)
{
    return bytes_find(component, '*') != component.n || bytes_find(component, '?') != component.n ||
           bytes_find(component, '[') != component.n || bytes_find(component, '\\') != component.n;
}

/* Replaces the paths by those one component longer. */
static int descend(int root, struct host_names *paths, struct bytes component)
{
    SCOPED(host_names_fini) struct host_names next = {0};
    for (size_t i = 0; i < paths->count; i++) {
        if (next.count > HOST_FOLDER_NAMES_MAX_COUNT)
            break;
        if (is_pattern(component))
            TRY(match_in(root, paths->items[i], component, &next));
        else
            TRY(add_path(&next, paths->items[i], component));
    }
    struct host_names old = *paths;
    *paths = next;
    next = old;
    return 0;
}

int host_glob(int root, struct bytes pattern, struct host_names *paths)
{
    SCOPED(host_names_fini) struct host_names components = {0};
    assert(paths->count == 0);
    TRY(host_names_add(paths, BYTES_NONE));
    while (pattern.n > 0) {
        struct bytes component = host_cut(pattern, '/');
        pattern = bytes_from(pattern, component.n + 1);
        if (component.n > 0)
            TRY(host_names_add(&components, component));
    }
    for (size_t i = 0; i < components.count; i++)
        TRY(descend(root, paths, components.items[i]));
    host_names_sort(paths);
    return 0;
}
