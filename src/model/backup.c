/* backup - see backup.h; the layout is laid down byte for byte in doc/spec/backup.md. */
#include "model/backup.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VERSION = 2, MAGIC_BYTES = 8 };

static const uint8_t magic[MAGIC_BYTES] = {'S', 'R', 'B', 'A', 'C', 'K', 'U', 'P'};

static int put_number(struct buf *out, uint64_t number, unsigned bytes)
{
    uint8_t raw[8];
    for (unsigned i = 0; i < bytes; i++)
        raw[i] = (uint8_t)(number >> 8 * (bytes - 1 - i));
    return buf_append(out, bytes_of(raw, bytes));
}

/* Takes a number off the front; the caller has seen that it is there. */
static uint64_t take_number(struct bytes *in, unsigned bytes)
{
    uint64_t number = 0;
    assert(in->n >= bytes);
    for (unsigned i = 0; i < bytes; i++)
        number = number << 8 | in->p[i];
    *in = bytes_from(*in, bytes);
    return number;
}

static void take_bytes(struct bytes *in, uint8_t *ret, size_t n)
{
    assert(in->n >= n);
    memcpy(ret, in->p, n);
    *in = bytes_from(*in, n);
}

enum {
    /* from the magic to the count of slots */
    SLOTS_AT =
        BACKUP_FIXED_BYTES + KEYS_STORE_ID_BYTES + 4 * 8 + DIGEST_BYTES + 2 * 8 + KDF_SALT_BYTES + DIGEST_BYTES + 1
};

static size_t header_bytes(const struct backup_header *h)
{
    size_t n = SLOTS_AT;
    for (size_t i = 0; i < h->slots_count; i++)
        n += 2 + h->slots[i].n;
    return n;
}

int backup_header_write(struct buf *out, const struct backup_header *h)
{
    assert(h->slots_count > 0 && h->slots_count <= BACKUP_SLOTS_MAX_COUNT);
    TRY(buf_append(out, BYTES_OF(magic)));
    TRY(put_number(out, VERSION, 2));
    TRY(put_number(out, header_bytes(h), 4));
    TRY(buf_append(out, BYTES_OF(h->store_id)));
    TRY(put_number(out, (uint64_t)h->created_us, 8));
    TRY(put_number(out, h->revision, 8));
    TRY(put_number(out, h->era, 8));
    TRY(put_number(out, h->records, 8));
    TRY(buf_append(out, BYTES_OF(h->root)));
    TRY(put_number(out, h->database_bytes, 8));
    TRY(put_number(out, h->content_bytes, 8));
    TRY(buf_append(out, BYTES_OF(h->salt)));
    TRY(buf_append(out, BYTES_OF(h->commitment)));
    TRY(put_number(out, h->slots_count, 1));
    for (size_t i = 0; i < h->slots_count; i++) {
        assert(h->slots[i].n > 0 && h->slots[i].n <= KEYS_SLOT_MAX_BYTES);
        TRY(put_number(out, h->slots[i].n, 2));
        TRY(buf_append(out, h->slots[i]));
    }
    return 0;
}

size_t backup_header_bytes(struct bytes in)
{
    if (in.n != BACKUP_FIXED_BYTES || memcmp(in.p, magic, sizeof magic) != 0)
        return 0;
    in = bytes_from(in, MAGIC_BYTES);
    if (take_number(&in, 2) != VERSION)
        return 0;
    uint64_t n = take_number(&in, 4);
    return n < SLOTS_AT || n > BACKUP_HEADER_MAX_BYTES ? 0 : (size_t)n;
}

static bool read_slots(struct bytes in, struct backup_header *h)
{
    for (size_t i = 0; i < h->slots_count; i++) {
        if (in.n < 2)
            return false;
        size_t n = (size_t)take_number(&in, 2);
        if (n == 0 || n > KEYS_SLOT_MAX_BYTES || n > in.n)
            return false;
        h->slots[i] = bytes_head(in, n);
        in = bytes_from(in, n);
    }
    return in.n == 0;
}

bool backup_header_read(struct bytes in, struct backup_header *ret_header)
{
    struct backup_header h = {0};
    size_t n = backup_header_bytes(bytes_head(in, BACKUP_FIXED_BYTES));
    if (n == 0 || n != in.n)
        return false;
    in = bytes_from(in, BACKUP_FIXED_BYTES);
    take_bytes(&in, h.store_id, sizeof h.store_id);
    h.created_us = (int64_t)take_number(&in, 8);
    h.revision = take_number(&in, 8);
    h.era = take_number(&in, 8);
    h.records = take_number(&in, 8);
    take_bytes(&in, h.root, sizeof h.root);
    h.database_bytes = take_number(&in, 8);
    h.content_bytes = take_number(&in, 8);
    take_bytes(&in, h.salt, sizeof h.salt);
    take_bytes(&in, h.commitment, sizeof h.commitment);
    h.slots_count = (size_t)take_number(&in, 1);
    if (h.database_bytes == 0 || h.database_bytes % BACKUP_PAGE_BYTES != 0 || h.database_bytes > h.content_bytes ||
        h.content_bytes > BACKUP_CONTENT_MAX_BYTES || h.slots_count == 0 || h.slots_count > BACKUP_SLOTS_MAX_COUNT ||
        !read_slots(in, &h))
        return false;
    *ret_header = h;
    return true;
}

int backup_ad(struct bytes stored_header, uint8_t ret[static DIGEST_BYTES])
{
    return digest_sha256(&stored_header, 1, ret);
}

/* ---- reading a file -------------------------------------------------------------------------------------- */

/* Reads `n` bytes at `offset`. Returns 0, BACKUP_BAD (the file ends before), or a fault. */
static int read_at(int fd, uint64_t offset, uint8_t *to, size_t n)
{
    while (n > 0) {
        ssize_t got = pread(fd, to, n, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? RAISE(-errno) : BACKUP_BAD;
        to += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return 0;
}

static int read_header(struct backup *b)
{
    uint8_t first[BACKUP_FIXED_BYTES], *p;
    struct stat st;
    int r = read_at(b->fd, 0, first, sizeof first);
    if (r != 0)
        return r;
    size_t n = backup_header_bytes(BYTES_OF(first));
    if (n == 0)
        return BACKUP_BAD;
    TRY(buf_reserve(&b->stored, n, &p));
    r = read_at(b->fd, 0, p, n);
    if (r != 0)
        return r;
    buf_commit(&b->stored, n);
    if (!backup_header_read(buf_view(&b->stored), &b->header))
        return BACKUP_BAD;
    if (fstat(b->fd, &st) < 0)
        return RAISE(-errno);
    if ((uint64_t)st.st_size != n + stream_bytes(b->header.content_bytes))
        return BACKUP_BAD;
    return backup_ad(buf_view(&b->stored), b->ad);
}

int backup_open(int fd, struct backup *ret_backup)
{
    struct backup b = {.fd = fd};
    buf_init(&b.stored, BACKUP_HEADER_MAX_BYTES);
    int r = read_header(&b);
    if (r != 0)
        backup_close(&b);
    else
        *ret_backup = b;
    return r;
}

void backup_close(struct backup *b)
{
    if (b == NULL)
        return;
    buf_fini(&b->stored);
    secret_fini(&b->key);
}

bool backup_has_slot(const struct backup *b, enum keys_slot_kind kind)
{
    for (size_t i = 0; i < b->header.slots_count; i++) {
        if (keys_slot_kind(b->header.slots[i]) == (unsigned)kind)
            return true;
    }
    return false;
}

/* Returns 0, KEYS_WRONG, or a fault. */
static int try_slots(const struct backup *b, enum keys_slot_kind kind, const struct secret *material,
                     struct keys *ret_keys)
{
    int r = KEYS_WRONG;
    for (size_t i = 0; r == KEYS_WRONG && i < b->header.slots_count; i++) {
        if (keys_slot_kind(b->header.slots[i]) == (unsigned)kind)
            r = keys_slot_open(b->header.slots[i], BYTES_OF(b->header.store_id), kind, material, ret_keys);
    }
    return r;
}

int backup_unlock(struct backup *b, enum keys_slot_kind kind, const struct secret *material)
{
    SCOPED(keys_fini) struct keys k = {0};
    uint8_t commitment[DIGEST_BYTES];
    assert(secret_is_empty(&b->key));
    int r = try_slots(b, kind, material, &k);
    if (r != 0)
        return r < 0 ? r : BACKUP_WRONG;
    TRY(keys_backup(&k, BYTES_OF(b->header.salt), &b->key, commitment));
    if (secret_equal(BYTES_OF(commitment), BYTES_OF(b->header.commitment)))
        return 0;
    secret_fini(&b->key);
    return BACKUP_BAD;
}

/* Opens chunk i into `plain`. Returns 0, BACKUP_BAD, or a fault. */
static int open_chunk(const struct backup *b, uint64_t i, uint8_t *sealed, uint8_t *plain, size_t *ret_n)
{
    uint64_t count = stream_chunks(b->header.content_bytes);
    bool is_last = i + 1 == count;
    size_t n = is_last ? (size_t)(b->header.content_bytes - i * STREAM_CHUNK_BYTES) : STREAM_CHUNK_BYTES;
    uint64_t at = buf_size(&b->stored) + i * (STREAM_CHUNK_BYTES + STREAM_TAG_BYTES);
    int r = read_at(b->fd, at, sealed, n + STREAM_TAG_BYTES);
    if (r != 0)
        return r;
    r = stream_open(plain, &b->key, BYTES_OF(b->ad), i, is_last, bytes_of(sealed, n + STREAM_TAG_BYTES));
    *ret_n = n;
    return r == SEAL_BAD ? BACKUP_BAD : r;
}

int backup_each(struct backup *b, int (*on_content)(struct bytes content, void *arg), void *arg)
{
    static uint8_t sealed[STREAM_CHUNK_BYTES + STREAM_TAG_BYTES], plain[STREAM_CHUNK_BYTES];
    uint64_t count = stream_chunks(b->header.content_bytes);
    size_t n;
    int r = 0;
    assert(!secret_is_empty(&b->key));
    for (uint64_t i = 0; r == 0 && i < count; i++) {
        r = open_chunk(b, i, sealed, plain, &n);
        if (r == 0)
            r = on_content(bytes_of(plain, n), arg);
    }
    secret_wipe(plain, sizeof plain);
    return r;
}
