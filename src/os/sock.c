/* sock - see sock.h. */
#include "os/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/file.h"

static int set_address(struct sockaddr_un *address, const char *path)
{
    size_t n = strlen(path);
    assert(n > 0);
    if (n >= sizeof address->sun_path)
        return RAISE(FAULT_LIMIT);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, path, n);
    return 0;
}

static int bind_with_mode(int fd, const struct sockaddr_un *address, mode_t mode)
{
    mode_t saved = umask(~mode & 0777);
    int r = bind(fd, (const struct sockaddr *)address, sizeof *address) < 0 ? -errno : 0;
    umask(saved);
    return r;
}

/* A socket that is there already belongs to a daemon that is gone: the caller holds the lock. */
static int replace_stale(int fd, const struct sockaddr_un *address, mode_t mode)
{
    struct stat st;
    if (lstat(address->sun_path, &st) < 0)
        return RAISE(-errno);
    if (!S_ISSOCK(st.st_mode))
        return RAISE(-EEXIST);
    if (unlink(address->sun_path) < 0)
        return RAISE(-errno);
    int r = bind_with_mode(fd, address, mode);
    return r < 0 ? RAISE(r) : 0;
}

int sock_listen(const char *path, mode_t mode, int backlog, int *ret_fd)
{
    struct sockaddr_un address;
    SCOPED(file_drop_fd) int fd = -1;
    assert((mode & ~(mode_t)0777) == 0);
    TRY(set_address(&address, path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return RAISE(-errno);
    int r = bind_with_mode(fd, &address, mode);
    if (r == -EADDRINUSE)
        TRY(replace_stale(fd, &address, mode));
    else if (r < 0)
        return RAISE(r);
    if (listen(fd, backlog) < 0)
        return RAISE(-errno);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int sock_connect(const char *path, int *ret_fd)
{
    struct sockaddr_un address;
    SCOPED(file_drop_fd) int fd = -1;
    int r;
    TRY(set_address(&address, path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return RAISE(-errno);
    do {
        r = connect(fd, (const struct sockaddr *)&address, sizeof address);
    } while (r < 0 && errno == EINTR);
    if (r < 0)
        return errno == ENOENT || errno == ECONNREFUSED ? SOCK_ABSENT : RAISE(-errno);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static bool has_option(int fd, int option, int wanted)
{
    int value;
    socklen_t n = sizeof value;
    return getsockopt(fd, SOL_SOCKET, option, &value, &n) == 0 && value == wanted;
}

int sock_adopt(int fd)
{
    if (!has_option(fd, SO_DOMAIN, AF_UNIX) || !has_option(fd, SO_TYPE, SOCK_STREAM) ||
        !has_option(fd, SO_ACCEPTCONN, 1))
        return RAISE(-EINVAL);
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return RAISE(-errno);
    return 0;
}

int sock_accept(int fd, int *ret_fd)
{
    int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client >= 0) {
        *ret_fd = client;
        return 0;
    }
    switch (errno) {
    case EAGAIN:
    case EINTR:
    case ECONNABORTED:
        return SOCK_WOULD_BLOCK;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return SOCK_EXHAUSTED;
    default:
        return RAISE(-errno);
    }
}
