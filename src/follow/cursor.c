/* cursor - see cursor.h. */
#include "follow/cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "os/file.h"

enum {
    PLACE_BYTES = 4096,
    NUMBERS_COUNT = 8,
    LAST_AT = 8 + NUMBERS_COUNT * 8,
    WHY_AT = LAST_AT + DIGEST_BYTES,
    DIGEST_AT = WHY_AT + SOURCE_WHY_BYTES,
    FORM_BYTES = DIGEST_AT + DIGEST_BYTES,
};
static const uint8_t magic[8] = {'S', 'R', 'F', 'O', 'L', 'L', 'O', 2};
static_assert(FORM_BYTES <= PLACE_BYTES, "a cursor has a place");

/* Reads one place; keeps it if it is whole and newer than what there is. */
static int read_place(int fd, size_t place, uint64_t *generation, struct cursor *c)
{
    uint8_t form[FORM_BYTES] = {0}, digest[DIGEST_BYTES];
    struct bytes all = bytes_of(form, DIGEST_AT);
    ssize_t n = pread(fd, form, sizeof form, (off_t)(place * PLACE_BYTES));
    if (n < 0)
        return RAISE(-errno);
    if (n != (ssize_t)sizeof form)
        return 0;
    TRY(digest_sha256(&all, 1, digest));
    if (memcmp(form, magic, sizeof magic) != 0 || memcmp(digest, form + DIGEST_AT, sizeof digest) != 0 ||
        bytes_get_u64(form + 8) <= *generation || form[DIGEST_AT - 1] != 0)
        return 0;
    *generation = bytes_get_u64(form + 8);
    *c = (struct cursor){.place.next = bytes_get_u64(form + 16),
                         .high = bytes_get_u64(form + 24),
                         .gaps = bytes_get_u64(form + 32),
                         .others = bytes_get_u64(form + 40),
                         .size = bytes_get_u64(form + 48),
                         .saved_us = (int64_t)bytes_get_u64(form + 56),
                         .anchored_us = (int64_t)bytes_get_u64(form + 64)};
    memcpy(c->place.last, form + LAST_AT, DIGEST_BYTES);
    memcpy(c->why, form + WHY_AT, sizeof c->why);
    return 0;
}

/* An empty file is that of a follower that never saved. */
static int read_both(int fd, uint64_t *ret_generation, struct cursor *ret_cursor)
{
    *ret_generation = 0;
    *ret_cursor = (struct cursor){0};
    TRY(read_place(fd, 0, ret_generation, ret_cursor));
    TRY(read_place(fd, 1, ret_generation, ret_cursor));
    off_t size = lseek(fd, 0, SEEK_END);
    if (size < 0)
        return RAISE(-errno);
    return *ret_generation > 0 || size == 0 ? 0 : RAISE(FAULT_CORRUPT);
}

int cursor_open(int folder, const char *name, struct cursor_file *ret_file, struct cursor *ret_cursor)
{
    SCOPED(file_drop_fd) int fd = -1;
    int r = file_open(folder, name, O_RDWR | O_CREAT, 0640, &fd);
    if (r != 0)
        return r < 0 ? r : RAISE(-ENOENT);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return RAISE(errno == EWOULDBLOCK ? FAULT_BUSY : -errno);
    TRY(read_both(fd, &ret_file->generation, ret_cursor));
    if (ret_file->generation == 0)
        TRY(file_sync_folder(folder));
    ret_file->fd = TAKE_FD(fd);
    return 0;
}

int cursor_look(int folder, const char *name, struct cursor *ret_cursor)
{
    SCOPED(file_drop_fd) int fd = -1;
    uint64_t generation;
    int r = file_open(folder, name, O_RDONLY, 0, &fd);
    if (r != 0)
        return r == FILE_ABSENT ? CURSOR_ABSENT : r;
    return read_both(fd, &generation, ret_cursor);
}

int cursor_save(struct cursor_file *f, const struct cursor *c)
{
    uint8_t form[FORM_BYTES] = {0};
    struct bytes all = bytes_of(form, DIGEST_AT);
    uint64_t generation = f->generation + 1;
    const uint64_t numbers[NUMBERS_COUNT] = {generation,
                                             c->place.next,
                                             c->high,
                                             c->gaps,
                                             c->others,
                                             c->size,
                                             (uint64_t)c->saved_us,
                                             (uint64_t)c->anchored_us};
    memcpy(form, magic, sizeof magic);
    for (size_t i = 0; i < NUMBERS_COUNT; i++)
        bytes_put_u64(form + 8 + i * 8, numbers[i]);
    memcpy(form + LAST_AT, c->place.last, DIGEST_BYTES);
    memcpy(form + WHY_AT, c->why, strnlen(c->why, sizeof c->why - 1));
    TRY(digest_sha256(&all, 1, form + DIGEST_AT));
    ssize_t n = pwrite(f->fd, form, sizeof form, (off_t)(generation % 2 * PLACE_BYTES));
    if (n != (ssize_t)sizeof form)
        return RAISE(n < 0 ? -errno : FAULT_FULL);
    if (fdatasync(f->fd) < 0)
        return RAISE(-errno);
    f->generation = generation;
    return 0;
}
