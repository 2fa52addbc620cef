/*
 * backup - the file that a backup is: a header in the clear, then the whole database and the records of the trail,
 * encrypted in chunks.
 *
 * The header says of which store and moment the backup is and holds the store's slots, so that what opens the store
 * opens its backups. Content is sealed chunk by chunk (crypt/stream.h) under a key of this backup alone, which follows
 * from the root key; the associated data of each chunk is the hash of the header, and the header commits to the key.
 * Invariant: no byte of content is handed on before its chunk was found authentic, and no file is called whole before
 * its last chunk was. doc/spec/backup.md.
 */
#ifndef MODEL_BACKUP_H
#define MODEL_BACKUP_H

#include "crypt/keys.h"
#include "crypt/stream.h"

enum {
    BACKUP_SLOTS_MAX_COUNT = 8,
    BACKUP_HEADER_MAX_BYTES = 8192,
    BACKUP_FIXED_BYTES = 14, /* what stands first and says how long the header is */
    BACKUP_PAGE_BYTES = 4096 /* the database is whole pages */
};
#define BACKUP_CONTENT_MAX_BYTES (UINT64_C(1) << 46)

struct backup_header {
    uint8_t store_id[KEYS_STORE_ID_BYTES];
    int64_t created_us;
    uint64_t revision, era;
    uint64_t records;           /* of the trail */
    uint8_t root[DIGEST_BYTES]; /* its head */
    uint64_t database_bytes;    /* of the content, which begins with it; what follows are frames: trail/trail.h */
    uint64_t content_bytes;
    uint8_t salt[KDF_SALT_BYTES], commitment[DIGEST_BYTES];
    size_t slots_count;
    struct bytes slots[BACKUP_SLOTS_MAX_COUNT];
};

/* backup_header_write - append the stored form. Results as buf_append(). The header must be one that can be read. */
int backup_header_write(struct buf *out, const struct backup_header *h) MUST_USE;

/*
 * backup_header_read - read a header that is the whole of `in`; views into it. Pure.
 * backup_header_bytes - how long the header is whose first BACKUP_FIXED_BYTES are `in`; 0: it is none.
 * Returns true, or false for anything that backup_header_write() does not write.
 */
bool backup_header_read(struct bytes in, struct backup_header *ret_header) MUST_USE;
size_t backup_header_bytes(struct bytes in);

/* backup_ad - what each chunk is bound to: the hash of the whole stored header. Returns 0 or FAULT_CRYPTO. */
int backup_ad(struct bytes stored_header, uint8_t ret[static DIGEST_BYTES]) MUST_USE;

/* ---- reading a file --------------------------------------------------------------------------------------- */

struct backup {
    int fd;            /* borrowed */
    struct buf stored; /* the header's bytes */
    struct backup_header header;
    struct secret key; /* empty until backup_unlock() */
    uint8_t ad[DIGEST_BYTES];
};

/* backup_open - read the header of an open file. Returns 0, BACKUP_BAD (it is no backup, or cut or too long), or a
 * fault. backup_close - wipe and free; the descriptor stays open. NULL and zeroed ones are allowed. */
enum { BACKUP_BAD = 1, BACKUP_WRONG = 2 };
int backup_open(int fd, struct backup *ret_backup) MUST_USE;
void backup_close(struct backup *b);

/* backup_has_slot - a slot of that kind is there. */
bool backup_has_slot(const struct backup *b, enum keys_slot_kind kind);

/*
 * backup_unlock - try `material` on every slot of its kind.
 * Returns 0, BACKUP_WRONG (it opens none), BACKUP_BAD (it opens one, but the header was changed), or a fault. Blocks
 * for the key derivations.
 */
int backup_unlock(struct backup *b, enum keys_slot_kind kind, const struct secret *material) MUST_USE;

/*
 * backup_each - hand the content to `on_content`, chunk by chunk, each found authentic before.
 * Returns 0 (that was all of it, and it was whole), BACKUP_BAD (a chunk was changed, moved, or is missing), what
 * on_content returned if that was not 0, or a fault. O(content).
 */
int backup_each(struct backup *b, int (*on_content)(struct bytes content, void *arg), void *arg) MUST_USE;

#endif
