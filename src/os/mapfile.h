/*
 * mapfile - a file that only grows, seen as memory: what is stored there is the kernel's at once and outlives a kill.
 *
 * The room for it is mapped when it is opened; bytes exist up to `bytes`, written with zeros before anything is stored
 * in them, so that a full disk is an error of mapfile_grow() and never a signal. Reading or storing beyond `bytes`
 * kills the process, and so does a file that somebody else has cut: whoever keeps such a file fails closed.
 * Source: mmap(2), fdatasync(2) (which covers stores through the mapping).
 */
#ifndef OS_MAPFILE_H
#define OS_MAPFILE_H

#include "base/bytes.h"
#include "base/fault.h"

struct mapfile {
    int fd;     /* -1: closed */
    uint8_t *p; /* room for `room` bytes; the first `bytes` are there */
    size_t room, bytes;
};

/*
 * mapfile_make - a new, empty file of mode 0600 below the folder `at`. mapfile_open - an existing one; `writes`: it may
 * be stored in.
 * room  most bytes it will ever have
 * Return 0 and set ret_file, FILE_ABSENT, -EEXIST, FAULT_CORRUPT (it is longer than `room`, or no plain file),
 * FAULT_FULL, or -errno.
 */
int mapfile_make(int at, const char *name, size_t room, struct mapfile *ret_file) MUST_USE;
int mapfile_open(int at, const char *name, size_t room, bool writes, struct mapfile *ret_file) MUST_USE;

/* mapfile_close - unmap and close; a closed one is allowed. */
void mapfile_close(struct mapfile *f);

/* mapfile_grow - zeros up to `bytes`, which is not above `room`. Returns 0, FAULT_FULL (as long as before), or -errno.
 * Writes what is added. */
int mapfile_grow(struct mapfile *f, size_t bytes) MUST_USE;

/*
 * mapfile_put - store bytes at offset `at`; they end within what is there. Much at once is written instead of stored
 * through the mapping: a page that is first touched there costs a fault, and its sync a flush of every processor.
 */
void mapfile_put(const struct mapfile *f, size_t at, struct bytes bytes);

/* mapfile_sync - what is stored survives power loss. Returns 0 or FAULT_SYNC, which is final: see store_sync(). */
int mapfile_sync(const struct mapfile *f) MUST_USE;

/* mapfile_forget - whole pages before offset `end` need not stay in this process's memory; the file keeps them. */
void mapfile_forget(const struct mapfile *f, size_t end);

#endif
