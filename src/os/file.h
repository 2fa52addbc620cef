/*
 * file - opening, reading, locking and replacing files so that no path trick and no crash can change their meaning.
 * Source: openat2(2), flock(2), rename(2), fsync(2).
 */
#ifndef OS_FILE_H
#define OS_FILE_H

#include <sys/types.h>

#include "base/buf.h"

enum { FILE_ABSENT = 1, FILE_HELD = 2 };

/* file_drop_fd - cleanup for SCOPED(): closes *fd if it is not negative. Keeps errno. */
void file_drop_fd(int *fd);

/*
 * file_open_folder - open a folder for use as `at` below.
 * path  absolute or relative; symbolic links in it are followed (the administrator made them)
 * Returns 0 and sets ret_fd, FILE_ABSENT, or -errno.
 */
int file_open_folder(const char *path, int *ret_fd) MUST_USE;

/*
 * file_make_folders - create a folder and those above it that do not exist, with `mode` for the last one and 0755 for
 * the others, whatever the umask is. An existing folder is left as it is. Returns 0 or -errno.
 */
int file_make_folders(const char *path, mode_t mode) MUST_USE;

/*
 * file_open - open a file below a folder without following any symbolic link or leaving the folder.
 * at     folder descriptor
 * path   relative path
 * flags  as open(2); O_CLOEXEC and O_NOCTTY are added
 * mode   for O_CREAT; applied whatever the umask is
 * Returns 0 and sets ret_fd, FILE_ABSENT (ENOENT), or -errno (-ELOOP for a link, -EXDEV for a way out).
 */
int file_open(int at, const char *path, int flags, mode_t mode, int *ret_fd) MUST_USE;

/*
 * file_read_all - append the rest of a file to `out`. Returns 0, FAULT_LIMIT if it does not fit in out->max, or -errno.
 */
int file_read_all(int fd, struct buf *out) MUST_USE;

/*
 * file_read_path - open `path` (links followed) and read it whole, for small files of the system such as
 * /proc/PID/status. Returns as file_read_all(), or FILE_ABSENT.
 */
int file_read_path(const char *path, struct buf *out) MUST_USE;

/*
 * file_write_all - write every byte at the descriptor's offset, through short writes and EINTR. Returns 0 or -errno.
 */
int file_write_all(int fd, struct bytes content) MUST_USE;

/*
 * file_replace - give a file new content atomically: temporary file in the same folder, fsync, rename, fsync of the
 * folder. A reader, or a crash at any point, sees the old or the new content, nothing else; no temporary file stays.
 * Returns 0 or -errno. Blocks for two flushes.
 */
int file_replace(int at, const char *name, struct bytes content, mode_t mode) MUST_USE;

/*
 * file_lock - open `name` below `at` (made with 0600 if absent) and take an exclusive flock on it without waiting.
 * Returns 0 and sets ret_fd (hold it as long as the lock is wanted), FILE_HELD, or -errno.
 */
int file_lock(int at, const char *name, int *ret_fd) MUST_USE;

/* file_check - the file that `name` below `at` names is the one that is open as `fd`. at: AT_FDCWD: a path. Returns 0
 * or FAULT_GONE: it was removed, renamed or replaced, or cannot be looked at. Two system calls. */
int file_check(int at, const char *name, int fd) MUST_USE;

/* file_sync_folder - make renames and new names in a folder durable. Returns 0 or -errno. */
int file_sync_folder(int at) MUST_USE;

#endif
