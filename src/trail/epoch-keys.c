/* epoch-keys - see epoch-keys.h. */
#include "trail/epoch-keys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "os/file.h"
#include "trail/trail-internal.h"

#define FILE_NAME "epoch.key"

enum {
    PLACE_BYTES = 4096,
    START_AT = 24,
    DIGEST_AT = START_AT + FORWARD_KEY_BYTES,
    FORM_BYTES = DIGEST_AT + DIGEST_BYTES,
    BEHIND_MAX_COUNT = 1 << 16, /* epochs that a file may be behind the log; one that works is at most one behind */
};
static const uint8_t magic[8] = {'S', 'R', 'T', 'R', 'K', 'E', 'Y', 1};

static uint8_t *key_now(const struct epoch_keys *k)
{
    return k->keys.p;
}

static uint8_t *key_folded(const struct epoch_keys *k)
{
    return k->keys.p + FORWARD_KEY_BYTES;
}

static uint8_t *start_next(const struct epoch_keys *k)
{
    return k->keys.p + (size_t)2 * FORWARD_KEY_BYTES;
}

static uint8_t *start_folded(const struct epoch_keys *k)
{
    return k->keys.p + (size_t)3 * FORWARD_KEY_BYTES;
}

/* ---- the file -------------------------------------------------------------------------------------------- */

static int write_at(int fd, size_t place, const uint8_t *p, size_t n)
{
    ssize_t put;
    do {
        put = pwrite(fd, p, n, (off_t)(place * PLACE_BYTES));
    } while (put < 0 && errno == EINTR);
    if (put < 0)
        return RAISE(-errno);
    return (size_t)put == n ? 0 : RAISE(FAULT_FULL);
}

static int write_form(int fd, size_t place, uint64_t number, bool is_seed, const uint8_t *start)
{
    uint8_t form[FORM_BYTES];
    memcpy(form, magic, sizeof magic);
    memcpy(bytes_put_u64(bytes_put_u64(form + sizeof magic, number), is_seed), start, FORWARD_KEY_BYTES);
    struct bytes all = bytes_of(form, DIGEST_AT);
    int r = digest_sha256(&all, 1, form + DIGEST_AT);
    if (r == 0)
        r = write_at(fd, place, form, sizeof form);
    secret_wipe(form, sizeof form);
    return r;
}

/* Reads the place that holds a key, the one of the later epoch if both do. */
static int read_place(struct epoch_keys *k, size_t place, bool *has_key)
{
    uint8_t form[FORM_BYTES] = {0}, digest[DIGEST_BYTES];
    struct bytes all = bytes_of(form, DIGEST_AT);
    ssize_t n = pread(k->fd, form, sizeof form, (off_t)(place * PLACE_BYTES));
    int r = n < 0 ? RAISE(-errno) : digest_sha256(&all, 1, digest);
    uint64_t number = bytes_get_u64(form + sizeof magic);
    bool is_good = r == 0 && n == (ssize_t)sizeof form && memcmp(form, magic, sizeof magic) == 0 &&
                   memcmp(form + DIGEST_AT, digest, sizeof digest) == 0 && number <= TRAIL_MAX_COUNT;
    if (is_good && (!*has_key || number > k->next)) {
        k->next = number;
        k->place = place;
        k->is_reseeded = bytes_get_u64(form + sizeof magic + 8) == 1;
        memcpy(start_next(k), form + START_AT, FORWARD_KEY_BYTES);
        *has_key = true;
    }
    secret_wipe(form, sizeof form);
    return r;
}

int epoch_keys_make(int folder, const uint64_t *last, struct epoch_seed *ret_seed)
{
    static const uint8_t zeros[2 * PLACE_BYTES];
    SCOPED(file_drop_fd) int fd = -1;
    int r = file_open(folder, FILE_NAME, O_RDWR | O_CREAT | O_EXCL, 0600, &fd);
    if (r != 0)
        return r < 0 ? r : RAISE(-ENOENT);
    ret_seed->number = last != NULL ? *last + 1 : 0;
    crypt_random(ret_seed->start, sizeof ret_seed->start);
    TRY(file_write_all(fd, BYTES_OF(zeros)));
    TRY(write_form(fd, 0, ret_seed->number, last != NULL, ret_seed->start));
    return fsync(fd) == 0 ? file_sync_folder(folder) : RAISE(FAULT_SYNC);
}

/* ---- opening --------------------------------------------------------------------------------------------- */

/* The next epoch begins. */
static void use_start(struct epoch_keys *k)
{
    forward_begin(start_next(k), key_now(k), start_next(k));
    k->next++;
}

static int read_file(struct epoch_keys *k, int folder)
{
    bool has_key = false;
    int r = file_open(folder, FILE_NAME, O_RDWR, 0, &k->fd);
    if (r != 0)
        return r < 0 ? r : RAISE(-ENOENT);
    TRY(read_place(k, 0, &has_key));
    TRY(read_place(k, 1, &has_key));
    return has_key ? 0 : RAISE(FAULT_CORRUPT);
}

int epoch_keys_open(struct epoch_keys *k, int folder, const struct epoch_seal *found, bool is_empty)
{
    uint64_t wanted = is_empty ? 0 : found->number + 1;
    assert(k->keys.p == NULL);
    k->fd = -1;
    TRY(secret_init(&k->keys, (size_t)4 * FORWARD_KEY_BYTES));
    TRY(read_file(k, folder));
    if (k->next > wanted || wanted - k->next > BEHIND_MAX_COUNT)
        return RAISE(FAULT_CORRUPT);
    k->is_saved = k->next == wanted;
    k->is_reseeded = k->is_reseeded && k->is_saved;
    while (k->next < wanted)
        use_start(k);
    k->seal = *found;
    if (!is_empty)
        return 0;
    k->seal = (struct epoch_seal){0};
    use_start(k);
    k->is_running = true;
    k->is_saved = false;
    return 0;
}

void epoch_keys_close(struct epoch_keys *k)
{
    if (k->keys.p == NULL)
        return;
    secret_fini(&k->keys);
    file_drop_fd(&k->fd);
    k->is_running = false;
}

/* ---- leaves ---------------------------------------------------------------------------------------------- */

void epoch_keys_statement(const struct epoch_keys *k, struct epoch_statement *ret_statement)
{
    *ret_statement = (struct epoch_statement){.number = k->next, .sealed = k->seal.size, .is_reseeded = k->is_reseeded};
    memcpy(ret_statement->tag, k->seal.tag, DIGEST_BYTES);
}

void epoch_keys_fold(struct epoch_keys *k, uint64_t first, struct bytes frames)
{
    struct bytes leaf, rest = frames, record = segment_frame(&rest, &leaf);
    assert(!k->is_folded);
    k->begins = record_is_of(record, RECORD_EPOCH);
    k->folded = k->seal;
    k->is_folded = true;
    if (k->begins) {
        k->folded = (struct epoch_seal){.number = k->next, .first = first, .size = first};
        forward_begin(start_next(k), key_folded(k), start_folded(k));
    } else if (k->is_running) {
        memcpy(key_folded(k), key_now(k), FORWARD_KEY_BYTES);
    } else {
        return;
    }
    while (frames.n > 0) {
        record = segment_frame(&frames, &leaf);
        assert(record.n > 0);
        forward_add(key_folded(k), k->folded.tag, leaf.p);
        k->folded.size++;
    }
}

void epoch_keys_settle(struct epoch_keys *k, bool is_committed)
{
    if (!k->is_folded)
        return;
    k->is_folded = false;
    if (is_committed && (k->is_running || k->begins)) {
        k->seal = k->folded;
        memcpy(key_now(k), key_folded(k), FORWARD_KEY_BYTES);
    }
    secret_wipe(key_folded(k), FORWARD_KEY_BYTES);
    if (k->begins && is_committed) {
        memcpy(start_next(k), start_folded(k), FORWARD_KEY_BYTES);
        k->next++;
        k->is_running = true;
        k->is_saved = k->is_reseeded = false;
    }
    secret_wipe(start_folded(k), FORWARD_KEY_BYTES);
}

bool epoch_keys_wants_save(const struct epoch_keys *k)
{
    return k->is_running && !k->is_saved && k->seal.size > k->seal.first;
}

int epoch_keys_save(struct epoch_keys *k, int folder)
{
    static const uint8_t zeros[FORM_BYTES];
    size_t other = 1 - k->place;
    if (!epoch_keys_wants_save(k))
        return 0;
    TRY(file_check(folder, FILE_NAME, k->fd));
    if (write_form(k->fd, other, k->next, false, start_next(k)) < 0 || fdatasync(k->fd) < 0 ||
        write_at(k->fd, k->place, zeros, sizeof zeros) < 0 || fdatasync(k->fd) < 0)
        return RAISE(FAULT_SYNC);
    k->place = other;
    k->is_saved = true;
    return 0;
}

/* ---- what is found --------------------------------------------------------------------------------------- */

int trail_find_seal(struct segments *s, const struct epoch_seal *stored, struct epoch_seal *ret_seal)
{
    struct segments_at at;
    struct bytes bytes;
    struct record r;
    struct epoch_statement statement;
    uint64_t from = s->mark.check.tree.size;
    *ret_seal = s->mark.seal;
    if (from < s->size)
        TRY(segments_seek(s, from, false, &at));
    while (from < s->size && at.seq < s->size) {
        TRY(segments_next(s, &at, &bytes));
        if (!record_is_of(bytes, RECORD_EPOCH))
            continue;
        if (!record_decode(bytes, &r) || !epoch_read(r.detail, &statement) || statement.number != ret_seal->number + 1)
            return RAISE(FAULT_CORRUPT);
        *ret_seal = (struct epoch_seal){.number = statement.number, .first = r.seq, .size = r.seq};
    }
    if (stored->number == ret_seal->number && stored->size > ret_seal->size && stored->size <= s->size)
        *ret_seal = *stored;
    return 0;
}
