/*
 * fuzz-backup - the header of a backup, and the slots in it, from a hostile file.
 *
 * What must hold: a header that is read is written again to the same bytes; a slot's kind is 0 exactly when it does not
 * open for being malformed; nothing of a file that was changed is handed on as content.
 */
#include "model/backup.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct secret key_file;
static int fd = -1;

static void start(void)
{
    uint8_t file[KEYS_FILE_BYTES];
    for (size_t i = 0; i < sizeof file; i++)
        file[i] = (uint8_t)(0x60 + i);
    fd = memfd_create("backup", MFD_CLOEXEC);
    if (fd < 0 || crypt_start() < 0 || secret_init_copy(&key_file, BYTES_OF(file)) != 0)
        abort();
}

static void check_header(struct bytes in)
{
    struct backup_header h;
    struct buf again;
    struct keys k = {0};
    if (!backup_header_read(in, &h))
        return;
    buf_init(&again, BACKUP_HEADER_MAX_BYTES);
    if (backup_header_write(&again, &h) != 0 || !bytes_equal(buf_view(&again), in))
        abort();
    buf_fini(&again);
    for (size_t i = 0; i < h.slots_count; i++) {
        int r = keys_slot_open(h.slots[i], BYTES_OF(h.store_id), KEYS_SLOT_KEY_FILE, &key_file, &k);
        assert((keys_slot_kind(h.slots[i]) == 0) == (r == FAULT_CORRUPT));
        keys_fini(&k);
    }
}

static int on_content(struct bytes content, void *arg)
{
    (void)content;
    (void)arg;
    abort(); /* no input here can know the key that the commitment names */
}

static void check_file(struct bytes in)
{
    struct backup b = {0};
    if (ftruncate(fd, 0) < 0 || pwrite(fd, in.p, in.n, 0) != (ssize_t)in.n)
        abort();
    int r = backup_open(fd, &b);
    if (r == 0)
        r = backup_unlock(&b, KEYS_SLOT_KEY_FILE, &key_file);
    if (r == 0)
        r = backup_each(&b, on_content, NULL);
    assert(r != 0);
    backup_close(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    if (fd < 0)
        start();
    size_t n = backup_header_bytes(bytes_head(in, BACKUP_FIXED_BYTES));
    check_header(n > 0 ? bytes_head(in, n) : in);
    if (size > 0)
        check_file(in);
    return 0;
}
