/*
 * file - see file.h.
 *
 * Invariant: below a folder descriptor nothing is opened but through openat2(2) with the RESOLVE_ flags. A kernel
 * without it (before Linux 5.6) is refused, not worked around.
 */
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FILE_READ_BYTES = 16384, FILE_OPEN_TRIES_COUNT = 16, FILE_REPLACE_TRIES_COUNT = 1000 };

void file_drop_fd(int *fd)
{
    int saved = errno;
    if (*fd >= 0)
        close(*fd);
    errno = saved;
}

int file_open_folder(const char *path, int *ret_fd)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? FILE_ABSENT : RAISE(-errno);
    *ret_fd = fd;
    return 0;
}

/* By umask, not by chmod: an ordinary user could not even open a folder that was made with too few rights. */
static int make_folder(const char *path, mode_t mode)
{
    mode_t saved = umask(0);
    int r = mkdir(path, mode) < 0 ? -errno : 0;
    umask(saved);
    return r < 0 && r != -EEXIST ? RAISE(r) : 0;
}

int file_make_folders(const char *path, mode_t mode)
{
    char prefix[PATH_MAX];
    struct stat st;
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    if (n == 0)
        return RAISE(-ENOENT);
    if (n >= sizeof prefix)
        return RAISE(-ENAMETOOLONG);
    memcpy(prefix, path, n);
    prefix[n] = '\0';
    for (char *slash = strchr(prefix + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        TRY(make_folder(prefix, 0755));
        *slash = '/';
    }
    TRY(make_folder(prefix, mode));
    if (stat(prefix, &st) < 0)
        return RAISE(-errno);
    return S_ISDIR(st.st_mode) ? 0 : RAISE(-ENOTDIR);
}

/* Returns the descriptor or -errno, not raised: the caller knows which errors are answers. */
static int open_beneath(int at, const char *path, int flags, mode_t mode)
{
    struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOCTTY),
                           .mode = flags & O_CREAT ? mode & 07777 : 0,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    long fd = syscall(SYS_openat2, at, path, &how, sizeof how);
    return fd < 0 ? -errno : (int)fd;
}

/* Only a file that this call made gets the mode, so creating is always O_EXCL. */
static int create_beneath(int at, const char *path, int flags, mode_t mode)
{
    int fd = open_beneath(at, path, flags | O_EXCL, mode);
    if (fd >= 0 && fchmod(fd, mode) < 0) {
        int r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

int file_open(int at, const char *path, int flags, mode_t mode, int *ret_fd)
{
    assert((flags & (O_CREAT | O_EXCL)) != O_EXCL);
    bool exclusive = flags & O_EXCL;
    int fd = -ENOENT;
    /* The file can come and go between the two calls; whoever does that all the time gets -EEXIST. */
    for (int i = 0; i < FILE_OPEN_TRIES_COUNT; i++) {
        if (!exclusive)
            fd = open_beneath(at, path, flags & ~O_CREAT, 0);
        if (fd == -ENOENT && (flags & O_CREAT))
            fd = create_beneath(at, path, flags, mode);
        if (fd != -EEXIST || exclusive)
            break;
    }
    if (fd < 0)
        return fd == -ENOENT ? FILE_ABSENT : RAISE(fd);
    *ret_fd = fd;
    return 0;
}

/* One read(2). ret_n: 0 at the end of the file. */
static int read_some(int fd, struct buf *out, size_t *ret_n)
{
    uint8_t beyond;
    size_t room = MIN_OF(out->max - buf_size(out), (size_t)FILE_READ_BYTES);
    uint8_t *p = &beyond;
    if (room > 0)
        TRY(buf_reserve(out, room, &p));
    ssize_t n;
    do {
        n = read(fd, p, MAX_OF(room, (size_t)1));
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return RAISE(-errno);
    if (room == 0 && n > 0)
        return RAISE(FAULT_LIMIT);
    buf_commit(out, (size_t)n);
    *ret_n = (size_t)n;
    return 0;
}

int file_read_all(int fd, struct buf *out)
{
    size_t before = buf_size(out), n = 0;
    do {
        int r = read_some(fd, out, &n);
        if (r < 0) {
            buf_truncate(out, before);
            return r;
        }
    } while (n > 0);
    return 0;
}

int file_read_path(const char *path, struct buf *out)
{
    SCOPED(file_drop_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return errno == ENOENT ? FILE_ABSENT : RAISE(-errno);
    return file_read_all(fd, out);
}

int file_write_all(int fd, struct bytes content)
{
    while (content.n > 0) {
        ssize_t n = write(fd, content.p, content.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return RAISE(n < 0 ? -errno : -EIO);
        content = bytes_from(content, (size_t)n);
    }
    return 0;
}

/* Nothing but the number of the file is asked for: who asks for its times makes kernels with fine timestamps write the
 * inode with the next change of the file, and a sync of it then costs half as much again. */
static int identify(int at, const char *name, int flags, struct statx *ret)
{
    if (statx(at, name, flags | AT_STATX_DONT_SYNC, STATX_INO, ret) == 0)
        return 0;
    return errno == ENOENT ? FILE_ABSENT : RAISE(-errno);
}

static int is_same_file(int at, const char *name, int fd, bool *ret_is_same)
{
    struct statx by_fd, by_name;
    *ret_is_same = false;
    TRY(identify(fd, "", AT_EMPTY_PATH, &by_fd));
    int r = identify(at, name, AT_SYMLINK_NOFOLLOW, &by_name);
    if (r != 0)
        return r < 0 ? r : 0;
    *ret_is_same = by_fd.stx_ino == by_name.stx_ino && by_fd.stx_dev_major == by_name.stx_dev_major &&
                   by_fd.stx_dev_minor == by_name.stx_dev_minor;
    return 0;
}

int file_check(int at, const char *name, int fd)
{
    bool is_same = false;
    return is_same_file(at, name, fd, &is_same) == 0 && is_same ? 0 : RAISE(FAULT_GONE);
}

/*
 * Opens the temporary file of a replacement with a lock on it. It has a fixed name, so that what a crash leaves behind
 * is used up by the next replacement; the lock makes two replacements of one name follow each other, and the check
 * tells a file that the one before has renamed away. Whoever replaces the name without a pause is ahead of those who
 * wait for the lock each time, hence so many tries; all but the last of them wait.
 */
static int open_temporary(int at, const char *name, int *ret_fd)
{
    for (int i = 0; i < FILE_REPLACE_TRIES_COUNT; i++) {
        SCOPED(file_drop_fd) int fd = -1;
        bool is_same = false;
        int r = file_open(at, name, O_WRONLY | O_CREAT, 0600, &fd);
        if (r != 0)
            return r < 0 ? r : RAISE(-ENOENT);
        do {
            r = flock(fd, LOCK_EX);
        } while (r < 0 && errno == EINTR);
        if (r < 0)
            return RAISE(-errno);
        TRY(is_same_file(at, name, fd, &is_same));
        if (is_same) {
            *ret_fd = TAKE_FD(fd);
            return 0;
        }
    }
    return RAISE(-EBUSY);
}

static int fill_and_rename(int at, int fd, const char *names[static 2], struct bytes content, mode_t mode)
{
    if (ftruncate(fd, 0) < 0)
        return RAISE(-errno);
    TRY(file_write_all(fd, content));
    if (fchmod(fd, mode) < 0 || fsync(fd) < 0 || renameat(at, names[0], at, names[1]) < 0)
        return RAISE(-errno);
    return 0;
}

int file_replace(int at, const char *name, struct bytes content, mode_t mode)
{
    char temporary[NAME_MAX + 1];
    SCOPED(file_drop_fd) int fd = -1;
    if (*name == '\0' || strchr(name, '/') != NULL)
        return RAISE(-EINVAL);
    int n = snprintf(temporary, sizeof temporary, ".%s.new", name);
    if (n < 0 || (size_t)n >= sizeof temporary)
        return RAISE(-ENAMETOOLONG);
    TRY(open_temporary(at, temporary, &fd));
    int r = fill_and_rename(at, fd, (const char *[2]){temporary, name}, content, mode);
    if (r < 0) {
        unlinkat(at, temporary, 0);
        return r;
    }
    return file_sync_folder(at);
}

int file_lock(int at, const char *name, int *ret_fd)
{
    SCOPED(file_drop_fd) int fd = -1;
    int r = file_open(at, name, O_RDWR | O_CREAT, 0600, &fd);
    if (r != 0)
        return r < 0 ? r : RAISE(-ENOENT);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? FILE_HELD : RAISE(-errno);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int file_sync_folder(int at)
{
    return fsync(at) < 0 ? RAISE(-errno) : 0;
}
