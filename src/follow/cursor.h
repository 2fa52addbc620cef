/*
 * cursor - how far a follower is, kept through any end of it.
 *
 * A file of two places of 4096 bytes; the one with the higher generation and a right hash counts. So a save that is cut
 * short leaves the one before. Numbers are big-endian:
 *
 * offset 0   "SRFOLLO" and version (one byte), generation, next, high, gaps, others, size, times of the save
 *            and of the anchor in microseconds (8 each), leaf hash of record next - 1 (32), words about the state (200,
 * zeros behind them), the SHA-256 of all before
 */
#ifndef FOLLOW_CURSOR_H
#define FOLLOW_CURSOR_H

#include "follow/source.h"

struct cursor {
    struct source_place place;     /* what is known to be kept by the other end */
    uint64_t high;                 /* no record from here on was ever given to it */
    uint64_t gaps;                 /* records that could not be given to it at all */
    uint64_t others;               /* how often the trail was found to be another one */
    uint64_t size;                 /* of the file that is written, for a sink of files; of the newest head anchored */
    int64_t saved_us, anchored_us; /* anchored: when that head was; 0: none was, or it is no anchor */
    char why[SOURCE_WHY_BYTES];    /* "": all is well */
};

struct cursor_file {
    int fd;
    uint64_t generation;
};

/* cursor_open - open `name` in a folder, made if absent. Returns 0 with *ret_cursor (zeros in a new one),
 * FAULT_CORRUPT, FAULT_BUSY (another process has it), or another fault. */
int cursor_open(int folder, const char *name, struct cursor_file *ret_file, struct cursor *ret_cursor) MUST_USE;

/* cursor_look - read one without opening it for oneself. Returns 0, CURSOR_ABSENT, or a fault. */
enum { CURSOR_ABSENT = 1 };
int cursor_look(int folder, const char *name, struct cursor *ret_cursor) MUST_USE;

/* cursor_save - durable when it returns. Returns 0 or a fault. One fdatasync. */
int cursor_save(struct cursor_file *f, const struct cursor *cursor) MUST_USE;

#endif
