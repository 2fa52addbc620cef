/* Tests of the backup's file: header round trips and refusals, content, and every byte that could be another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail-alloc.h"
#include "model/backup.h"
#include "os/file.h"

enum { PAGES_COUNT = 20 /* two chunks */, CONTENT_BYTES = PAGES_COUNT * BACKUP_PAGE_BYTES };

static struct {
    struct keys keys;
    struct secret material, other;
    struct buf slot, file;
    struct backup_header header;
    uint8_t content[CONTENT_BYTES];
    size_t header_bytes;
    int fd;
} t;

/* A whole backup, as the engine hands one over part by part. */
static void make_file(void)
{
    struct secret key;
    uint8_t ad[DIGEST_BYTES], *p;
    struct backup_header *h = &t.header;
    buf_init(&t.file, 1 << 20);
    memset(h->store_id, 0xa5, sizeof h->store_id);
    h->created_us = 1700000000000000;
    h->revision = UINT64_C(3) << 32 | 9;
    h->era = 3;
    h->records = 77;
    memset(h->root, 0x11, sizeof h->root);
    h->database_bytes = CONTENT_BYTES - BACKUP_PAGE_BYTES;
    h->content_bytes = CONTENT_BYTES;
    memset(h->salt, 0x22, sizeof h->salt);
    h->slots_count = 1;
    assert_int_equal(keys_slot_close(&t.slot, &t.keys, BYTES_OF(h->store_id), KEYS_SLOT_KEY_FILE, &t.material, 0), 0);
    h->slots[0] = buf_view(&t.slot);
    assert_int_equal(keys_backup(&t.keys, BYTES_OF(h->salt), &key, h->commitment), 0);
    assert_int_equal(backup_header_write(&t.file, h), 0);
    t.header_bytes = buf_size(&t.file);
    assert_int_equal(backup_ad(buf_view(&t.file), ad), 0);
    for (size_t i = 0; i < sizeof t.content; i++)
        t.content[i] = (uint8_t)(i * 7 + i / 251);
    for (uint64_t i = 0; i < stream_chunks(CONTENT_BYTES); i++) {
        size_t at = (size_t)i * STREAM_CHUNK_BYTES, n = MIN_OF((size_t)STREAM_CHUNK_BYTES, CONTENT_BYTES - at);
        assert_int_equal(buf_reserve(&t.file, n + STREAM_TAG_BYTES, &p), 0);
        bool is_last = at + n == CONTENT_BYTES;
        assert_int_equal(stream_close(p, &key, BYTES_OF(ad), i, is_last, bytes_of(t.content + at, n)), 0);
        buf_commit(&t.file, n + STREAM_TAG_BYTES);
    }
    secret_fini(&key);
}

static int setup(void **state)
{
    char path[] = "/tmp/test-backup-XXXXXX";
    (void)state;
    memset(&t, 0, sizeof t);
    t.fd = mkstemp(path);
    assert_true(t.fd >= 0);
    assert_int_equal(unlink(path), 0);
    assert_true(crypt_start() >= 0);
    assert_int_equal(keys_init_random(&t.keys), 0);
    assert_int_equal(secret_init_random(&t.material, KEYS_FILE_BYTES), 0);
    assert_int_equal(secret_init_random(&t.other, KEYS_FILE_BYTES), 0);
    buf_init(&t.slot, KEYS_SLOT_MAX_BYTES);
    make_file();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    keys_fini(&t.keys);
    secret_fini(&t.material);
    secret_fini(&t.other);
    buf_fini(&t.slot);
    buf_fini(&t.file);
    close(t.fd);
    return 0;
}

struct seen {
    size_t n;
    int result;
};

static int on_content(struct bytes content, void *arg)
{
    struct seen *s = arg;
    assert_true(s->n + content.n <= CONTENT_BYTES);
    assert_memory_equal(content.p, t.content + s->n, content.n); /* what comes is the truth, however far */
    s->n += content.n;
    return s->result;
}

static void write_file(struct bytes content)
{
    assert_int_equal(ftruncate(t.fd, 0), 0);
    assert_int_equal(pwrite(t.fd, content.p, content.n, 0), content.n);
}

/* The first thing that reading the file as it is says. */
static int read_with(const struct secret *material, size_t *ret_n)
{
    struct backup b = {0};
    struct seen s = {0};
    int r = backup_open(t.fd, &b);
    if (r == 0)
        r = backup_unlock(&b, KEYS_SLOT_KEY_FILE, material);
    if (r == 0)
        r = backup_each(&b, on_content, &s);
    backup_close(&b);
    *ret_n = s.n;
    return r;
}

static void reads_what_was_written(void **state)
{
    struct backup b = {0};
    struct seen s = {.result = 42};
    size_t n;
    (void)state;
    write_file(buf_view(&t.file));
    assert_int_equal(read_with(&t.material, &n), 0);
    assert_int_equal(n, CONTENT_BYTES);
    assert_int_equal(read_with(&t.other, &n), BACKUP_WRONG);
    assert_int_equal(backup_open(t.fd, &b), 0);
    assert_true(backup_has_slot(&b, KEYS_SLOT_KEY_FILE));
    assert_false(backup_has_slot(&b, KEYS_SLOT_PASSPHRASE));
    assert_int_equal(b.header.revision, t.header.revision);
    assert_int_equal(b.header.records, 77);
    assert_int_equal(b.header.created_us, t.header.created_us);
    assert_int_equal(backup_unlock(&b, KEYS_SLOT_PASSPHRASE, &t.material), BACKUP_WRONG);
    assert_int_equal(backup_unlock(&b, KEYS_SLOT_KEY_FILE, &t.material), 0);
    assert_int_equal(backup_each(&b, on_content, &s), 42);
    assert_int_equal(s.n, STREAM_CHUNK_BYTES);
    backup_close(&b);
}

/* Every byte of the header, and many of the content: found out before the content it stands in is handed on. */
static void any_flipped_byte_is_found(void **state)
{
    struct bytes all = buf_view(&t.file);
    size_t n;
    (void)state;
    for (size_t at = 0; at < all.n; at += at < t.header_bytes + 32 || at + 32 > all.n ? 1 : 997) {
        t.file.p[t.file.start + at] ^= 0x20;
        write_file(all);
        int r = read_with(&t.material, &n);
        assert_true(r == BACKUP_BAD || (r == BACKUP_WRONG && at < t.header_bytes));
        size_t whole = at < t.header_bytes ? 0 : (at - t.header_bytes) / (STREAM_CHUNK_BYTES + STREAM_TAG_BYTES);
        assert_int_equal(n, whole * STREAM_CHUNK_BYTES);
        t.file.p[t.file.start + at] ^= 0x20;
    }
    write_file(all);
    assert_int_equal(read_with(&t.material, &n), 0);
}

static void cut_and_longer_files_are_found(void **state)
{
    struct bytes all = buf_view(&t.file);
    size_t n;
    (void)state;
    const size_t lengths[] = {0,
                              1,
                              BACKUP_FIXED_BYTES,
                              t.header_bytes - 1,
                              t.header_bytes,
                              t.header_bytes + 1,
                              t.header_bytes + STREAM_CHUNK_BYTES + STREAM_TAG_BYTES,
                              all.n - 1};
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        write_file(bytes_head(all, lengths[i]));
        assert_int_equal(read_with(&t.material, &n), BACKUP_BAD);
        assert_int_equal(n, 0);
    }
    write_file(all);
    assert_int_equal(pwrite(t.fd, "x", 1, (off_t)all.n), 1);
    assert_int_equal(read_with(&t.material, &n), BACKUP_BAD);
}

static void chunks_cannot_change_places(void **state)
{
    uint8_t *first = t.file.p + t.file.start + t.header_bytes, keep[64];
    uint8_t *second = first + STREAM_CHUNK_BYTES + STREAM_TAG_BYTES;
    size_t n;
    (void)state;
    memcpy(keep, first, sizeof keep);
    memcpy(first, second, sizeof keep);
    memcpy(second, keep, sizeof keep);
    write_file(buf_view(&t.file));
    assert_int_equal(read_with(&t.material, &n), BACKUP_BAD);
    assert_int_equal(n, 0);
}

static bool reads_with(uint64_t database_bytes, uint64_t content_bytes)
{
    struct backup_header h = t.header, read;
    struct buf out;
    h.database_bytes = database_bytes;
    h.content_bytes = content_bytes;
    buf_init(&out, BACKUP_HEADER_MAX_BYTES);
    assert_int_equal(backup_header_write(&out, &h), 0);
    bool is_good = backup_header_read(buf_view(&out), &read);
    assert_true(!is_good || (read.database_bytes == database_bytes && read.content_bytes == content_bytes));
    buf_fini(&out);
    return is_good;
}

static void headers_out_of_bounds_are_refused(void **state)
{
    enum { PAGE = BACKUP_PAGE_BYTES };
    struct backup_header h = t.header;
    struct buf out;
    (void)state;
    assert_true(reads_with(PAGE, PAGE));
    assert_true(reads_with(PAGE, PAGE + 1));
    assert_true(reads_with(PAGE, BACKUP_CONTENT_MAX_BYTES));
    assert_false(reads_with(0, PAGE));
    assert_false(reads_with(1, PAGE));
    assert_false(reads_with(PAGE + 1, PAGE + 1));
    assert_false(reads_with(PAGE, PAGE - 1));
    assert_false(reads_with(PAGE, 0));
    assert_false(reads_with(2 * (uint64_t)PAGE, PAGE));
    assert_false(reads_with(PAGE, BACKUP_CONTENT_MAX_BYTES + 1));
    assert_false(reads_with(PAGE, UINT64_MAX));
    assert_false(reads_with(UINT64_MAX, UINT64_MAX));
    buf_init(&out, BACKUP_HEADER_MAX_BYTES);
    assert_int_equal(backup_header_write(&out, &t.header), 0);
    assert_true(backup_header_read(buf_view(&out), &h));
    for (size_t n = 0; n < buf_size(&out); n++)
        assert_false(backup_header_read(bytes_head(buf_view(&out), n), &h));
    assert_int_equal(backup_header_bytes(bytes_head(buf_view(&out), BACKUP_FIXED_BYTES)), buf_size(&out));
    assert_int_equal(backup_header_bytes(bytes_head(buf_view(&out), BACKUP_FIXED_BYTES - 1)), 0);
    buf_fini(&out);
}

static void reading_and_memory(void **state)
{
    size_t n;
    (void)state;
    write_file(buf_view(&t.file));
    EACH_ALLOC_FAILURE({
        int r = read_with(&t.material, &n);
        assert_true(r == 0 || r == -ENOMEM || r == FAULT_CRYPTO);
        assert_true(r == 0 || n == 0);
    });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST_(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST_(reads_what_was_written),
        TEST_(any_flipped_byte_is_found),
        TEST_(cut_and_longer_files_are_found),
        TEST_(chunks_cannot_change_places),
        TEST_(headers_out_of_bounds_are_refused),
        TEST_(reading_and_memory),
#undef TEST_
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
