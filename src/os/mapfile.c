/* mapfile - see mapfile.h. */
#include "os/mapfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/file.h"

enum { PAGE_BYTES = 4096, WRITE_FROM_BYTES = 16 << 10 };

static bool is_full(int error)
{
    return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

static int map(int fd, size_t room, bool writes, struct mapfile *ret_file)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return RAISE(-errno);
    if (!S_ISREG(st.st_mode) || st.st_size < 0 || (uint64_t)st.st_size > room)
        return RAISE(FAULT_CORRUPT);
    void *p = mmap(NULL, room, writes ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return RAISE(-errno);
    *ret_file = (struct mapfile){fd, p, room, (size_t)st.st_size};
    return 0;
}

static int open_and_map(int at, const char *name, int flags, size_t room, struct mapfile *ret_file)
{
    SCOPED(file_drop_fd) int fd = -1;
    int r = file_open(at, name, flags, 0600, &fd);
    if (r != 0)
        return r < 0 && is_full(-r) ? RAISE(FAULT_FULL) : r;
    TRY(map(fd, room, (flags & O_ACCMODE) == O_RDWR, ret_file));
    (void)TAKE_FD(fd);
    return 0;
}

int mapfile_make(int at, const char *name, size_t room, struct mapfile *ret_file)
{
    return open_and_map(at, name, O_RDWR | O_CREAT | O_EXCL, room, ret_file);
}

int mapfile_open(int at, const char *name, size_t room, bool writes, struct mapfile *ret_file)
{
    return open_and_map(at, name, writes ? O_RDWR : O_RDONLY, room, ret_file);
}

void mapfile_close(struct mapfile *f)
{
    if (f->p != NULL)
        munmap(f->p, f->room);
    if (f->fd >= 0)
        close(f->fd);
    *f = (struct mapfile){.fd = -1};
}

/* Writes zeros from `bytes` on; on a fault the file is cut to what it was. */
static int write_zeros(const struct mapfile *f, size_t end)
{
    static const uint8_t zeros[64 << 10];
    for (size_t at = f->bytes; at < end;) {
        ssize_t n = pwrite(f->fd, zeros, MIN_OF(sizeof zeros, end - at), (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            int error = n < 0 ? errno : EIO;
            if (ftruncate(f->fd, (off_t)f->bytes) < 0)
                return RAISE(-errno);
            return is_full(error) ? RAISE(FAULT_FULL) : RAISE(-error);
        }
        at += (size_t)n;
    }
    return 0;
}

int mapfile_grow(struct mapfile *f, size_t bytes)
{
    assert(bytes <= f->room);
    if (bytes <= f->bytes)
        return 0;
    TRY(write_zeros(f, bytes));
    f->bytes = bytes;
    return 0;
}

void mapfile_put(const struct mapfile *f, size_t at, struct bytes bytes)
{
    assert(at <= f->bytes && bytes.n <= f->bytes - at);
    while (bytes.n >= WRITE_FROM_BYTES) {
        ssize_t n = pwrite(f->fd, bytes.p, bytes.n, (off_t)at);
        if (n <= 0)
            break; /* the mapping takes the rest */
        at += (size_t)n;
        bytes = bytes_from(bytes, (size_t)n);
    }
    if (bytes.n > 0)
        memcpy(f->p + at, bytes.p, bytes.n);
}

int mapfile_sync(const struct mapfile *f)
{
    return fdatasync(f->fd) < 0 ? RAISE(FAULT_SYNC) : 0;
}

void mapfile_forget(const struct mapfile *f, size_t end)
{
    end -= end % PAGE_BYTES;
    if (end > 0)
        (void)madvise(f->p, end, MADV_DONTNEED); /* advice: it costs memory, not truth, if it is not taken */
}
