/* draft - see draft.h. */
#include "os/draft.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/file.h"

/* How many leftovers are removed without a look at the clock: there is one, unless somebody goes on making them. */
enum { DRAFT_PAUSE_NS = 10000000, DRAFT_LEFT_MAX_COUNT = 16 };

/* What one try to claim a name found. */
enum { FOUND_OTHER = 1, FOUND_NOTHING = 2 };

void draft_init(struct draft *d)
{
    *d = (struct draft){.at = -1, .fd = -1};
}

/* Whoever saw our new file before its lock, or may write to the folder, may have removed it. */
static bool is_in_place(const struct draft *d, int fd)
{
    struct stat by_fd, by_name;
    return fstat(fd, &by_fd) == 0 && fstatat(d->at, d->temporary, &by_name, AT_SYMLINK_NOFOLLOW) == 0 &&
           by_fd.st_dev == by_name.st_dev && by_fd.st_ino == by_name.st_ino;
}

void draft_drop(struct draft *d)
{
    int saved = errno;
    if (d->fd >= 0 && is_in_place(d, d->fd))
        unlinkat(d->at, d->temporary, 0);
    file_drop_fd(&d->fd);
    draft_init(d);
    errno = saved;
}

static int make_file(struct draft *d)
{
    SCOPED(file_drop_fd)
    int fd = openat(d->at, d->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? FOUND_OTHER : RAISE(-errno);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? FOUND_OTHER : RAISE(-errno);
    if (!is_in_place(d, fd))
        return FOUND_OTHER;
    d->fd = TAKE_FD(fd);
    return 0;
}

/*
 * A file that stands in the way: that of a draft at work is locked, anything else is a leftover and removed. It is
 * opened without waiting and only to see its lock, so a link, a pipe or a device does no harm.
 */
static int look_at_other(const struct draft *d)
{
    SCOPED(file_drop_fd)
    int fd = openat(d->at, d->temporary, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return FOUND_NOTHING;
    if (fd < 0 && errno == EACCES) /* of another user, who may be at work */
        return FOUND_OTHER;
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? FOUND_OTHER : RAISE(-errno);
    if (fd >= 0 && !is_in_place(d, fd))
        return FOUND_NOTHING;
    return unlinkat(d->at, d->temporary, 0) < 0 && errno != ENOENT ? RAISE(-errno) : FOUND_NOTHING;
}

int draft_claim(struct draft *d, int at, const char *name, unsigned wait_ms)
{
    const struct timespec pause = {.tv_nsec = DRAFT_PAUSE_NS};
    struct mono_time end = clock_mono_add(clock_mono_now(), wait_ms * US_PER_MS);
    assert(d->fd < 0);
    if (*name == '\0' || strchr(name, '/') != NULL || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return RAISE(-EINVAL);
    int n = snprintf(d->temporary, sizeof d->temporary, ".%s.new", name);
    if (n < 0 || (size_t)n >= sizeof d->temporary)
        return RAISE(-ENAMETOOLONG);
    memcpy(d->name, name, strlen(name) + 1);
    d->at = at;
    for (int i = 0;; i++) {
        int r = make_file(d);
        if (r == FOUND_OTHER)
            r = look_at_other(d);
        if (r <= 0)
            return r;
        bool is_gone = r == FOUND_NOTHING && i < DRAFT_LEFT_MAX_COUNT;
        if (!is_gone && clock_mono_passed(clock_mono_now(), end))
            return DRAFT_HELD;
        if (r == FOUND_OTHER)
            nanosleep(&pause, NULL);
    }
}

/* Before the first byte: the content is never there for anyone but those who may read the file that is made of it. */
static int set_owner(int fd, const struct draft_owner *owner)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return RAISE(-errno);
    uid_t uid = owner->uid == st.st_uid ? (uid_t)-1 : owner->uid;
    gid_t gid = owner->gid == st.st_gid ? (gid_t)-1 : owner->gid;
    if ((uid != (uid_t)-1 || gid != (gid_t)-1) && fchown(fd, uid, gid) < 0)
        return RAISE(-errno);
    return fchmod(fd, owner->mode) < 0 ? RAISE(-errno) : 0;
}

int draft_commit(struct draft *d, struct bytes content, const struct draft_owner *owner)
{
    assert(d->fd >= 0);
    int r = set_owner(d->fd, owner);
    if (r == 0)
        r = file_write_all(d->fd, content);
    if (r == 0 && fsync(d->fd) < 0)
        r = RAISE(-errno);
    if (r == 0 && !is_in_place(d, d->fd))
        r = RAISE(-ESTALE);
    if (r == 0 && renameat(d->at, d->temporary, d->at, d->name) < 0)
        r = RAISE(-errno);
    if (r < 0) {
        draft_drop(d);
        return r;
    }
    int at = d->at;
    close(TAKE_FD(d->fd)); /* the name is the new file's now, so there is nothing to remove */
    draft_init(d);
    return file_sync_folder(at);
}
