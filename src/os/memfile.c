/* memfile - see memfile.h. */
#include "os/memfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/file.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U /* since Linux 6.3 */
#endif

static int create(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    return fd < 0 && errno == EINVAL ? memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING) : fd;
}

int memfile_make(const char *name, struct bytes content, int *ret_fd)
{
    const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    SCOPED(file_drop_fd) int fd = create(name);
    if (fd < 0 || fchmod(fd, 0400) < 0)
        return RAISE(-errno);
    TRY(file_write_all(fd, content));
    if (lseek(fd, 0, SEEK_SET) < 0 || fcntl(fd, F_ADD_SEALS, seals) < 0)
        return RAISE(-errno);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int memfile_pass(int fd, int from)
{
    int copy = fcntl(fd, F_DUPFD, from);
    return copy < 0 ? RAISE(-errno) : copy;
}
