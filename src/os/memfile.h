/*
 * memfile - bytes as a file that is only in memory: no name, no disk, nothing left when the last descriptor is closed.
 *
 * Its content cannot be changed by anyone, and only its owner may open it again through /proc/PID/fd. The kernel may
 * move its pages to swap, as those of any process. Source: memfd_create(2), fcntl(2) (file seals), proc(5).
 */
#ifndef OS_MEMFILE_H
#define OS_MEMFILE_H

#include "base/bytes.h"
#include "base/fault.h"

/*
 * memfile_make - make one, with mode 0400, and seal it.
 * name    what /proc/PID/fd shows; at most 249 bytes
 * ret_fd  close-on-exec, at its first byte
 * Returns 0 or -errno.
 */
int memfile_make(const char *name, struct bytes content, int *ret_fd) MUST_USE;

/*
 * memfile_pass - give a descriptor to the program that is executed next: a copy without close-on-exec whose number is
 * at least `from`. Returns the number, or -errno.
 */
int memfile_pass(int fd, int from) MUST_USE;

#endif
