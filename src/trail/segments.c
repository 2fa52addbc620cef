/* segments - see segments.h: opening, recovering and storing. */
#include "trail/segments.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/file.h"
#include "trail/index.h"
#include "trail/trail-internal.h"

enum {
    MARK_OFFSET = 4096,
    MARK_ROOM_BYTES = 4096,
    MARK_FIXED_BYTES =
        4 + 6 * 8 + SEGMENTS_BOOT_BYTES + DIGEST_BYTES + TRAIL_SEAL_BYTES, /* length, numbers, boot, last, seal; then
                                                                              the tree and a hash */
    MARK_MAX_BYTES = MARK_FIXED_BYTES + 8 + 64 * DIGEST_BYTES + DIGEST_BYTES,
    TILES_OFFSET = 12288,
    RUNS_OFFSET = 16384,
    LONG_RUNS_OFFSET = RUNS_OFFSET + SEGMENT_TILES_MAX_COUNT * DIGEST_BYTES,
    LONG_RUNS_MAX_COUNT = SEGMENT_TILES_MAX_COUNT / MERKLE_RUN_COUNT + 1,
    NAME_DIGITS = 20,
};
static_assert(MARK_MAX_BYTES <= MARK_ROOM_BYTES, "a mark has a page");
static_assert(TILES_OFFSET + SEGMENT_TILES_MAX_COUNT * 4 == RUNS_OFFSET, "the hints end where the roots begin");
static_assert(LONG_RUNS_OFFSET + LONG_RUNS_MAX_COUNT * DIGEST_BYTES <= SEGMENT_DATA_OFFSET, "and these before frames");

#define MADE_NAME "next.new"
static const uint8_t magic[8] = {'S', 'R', 'T', 'R', 'A', 'I', 'L', 1};

SCOPED_DROP(drop_segments, struct segments, segments_close)

void segment_name(uint64_t first, char ret[static SEGMENT_NAME_BYTES])
{
    (void)snprintf(ret, SEGMENT_NAME_BYTES, "%020llu.log", (unsigned long long)first);
}

static bool number_of(const char *name, uint64_t *ret_first)
{
    char again[SEGMENT_NAME_BYTES];
    struct bytes text = bytes_of_text(name);
    if (text.n != NAME_DIGITS + 4)
        return false;
    *ret_first = 0;
    for (size_t i = 0; i < NAME_DIGITS; i++) {
        unsigned digit = (unsigned)(text.p[i] - '0');
        if (digit > 9 || *ret_first > (TRAIL_MAX_COUNT - digit) / 10)
            return false;
        *ret_first = *ret_first * 10 + digit;
    }
    segment_name(*ret_first, again);
    return strcmp(name, again) == 0;
}

/* ---- marks ----------------------------------------------------------------------------------------------- */

static int put_mark(struct segments *s, const struct segments_mark *mark, struct buf *out)
{
    uint8_t fixed[MARK_FIXED_BYTES], digest[DIGEST_BYTES];
    uint64_t numbers[] = {s->generation,  mark->check.tree.size, mark->end,
                          mark->reserved, mark->changed,         mark->is_clean};
    uint8_t *p = fixed + 4;
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        p = bytes_put_u64(p, numbers[i]);
    memcpy(p, s->boot, sizeof s->boot);
    memcpy(p + sizeof s->boot, mark->check.last, DIGEST_BYTES);
    trail_put_seal(p + sizeof s->boot + DIGEST_BYTES, &mark->seal);
    TRY(buf_append(out, BYTES_OF(fixed)));
    TRY(merkle_encode(&mark->check.tree, out));
    bytes_put_u32(out->p + out->start, (uint32_t)buf_size(out));
    struct bytes all = buf_view(out);
    TRY(digest_sha256(&all, 1, digest));
    return buf_append(out, BYTES_OF(digest));
}

/* Stores a mark in the place of the older one. */
static int write_mark(struct segments *s, struct segment *segment, const struct segments_mark *mark)
{
    struct buf out;
    buf_init(&out, MARK_MAX_BYTES);
    s->generation++;
    int r = put_mark(s, mark, &out);
    if (r == 0) {
        struct bytes b = buf_view(&out);
        memcpy(segment->file.p + MARK_OFFSET + s->generation % 2 * MARK_ROOM_BYTES, b.p, b.n);
    }
    buf_fini(&out);
    return r;
}

/* Returns 0 and sets ret_generation (0: it is none), or a fault. */
static int read_mark(const struct segments *s, const struct segment *segment, size_t at, struct segments_mark *ret_mark,
                     uint64_t *ret_generation)
{
    const uint8_t *p = segment->file.p + at;
    size_t n = bytes_get_u32(p);
    uint8_t digest[DIGEST_BYTES];
    *ret_generation = 0;
    if (n < MARK_FIXED_BYTES || n > MARK_MAX_BYTES - DIGEST_BYTES)
        return 0;
    struct bytes all = bytes_of(p, n);
    TRY(digest_sha256(&all, 1, digest));
    if (!bytes_equal(BYTES_OF(digest), bytes_of(p + n, DIGEST_BYTES)))
        return 0;
    uint64_t size = bytes_get_u64(p + 12), end = bytes_get_u64(p + 20);
    struct segments_mark *m = ret_mark;
    *m = (struct segments_mark){
        .reserved = bytes_get_u64(p + 28), .changed = bytes_get_u64(p + 36), .is_clean = bytes_get_u64(p + 44) == 1};
    m->is_same_boot = bytes_equal(bytes_of(p + 52, sizeof s->boot), BYTES_OF(s->boot));
    memcpy(m->check.last, p + 52 + sizeof s->boot, DIGEST_BYTES);
    trail_get_seal(p + 52 + sizeof s->boot + DIGEST_BYTES, &m->seal);
    if (!merkle_decode(bytes_from(all, MARK_FIXED_BYTES), &m->check.tree) || m->check.tree.size != size ||
        m->seal.size > size || m->seal.first > m->seal.size || size < segment->first || size > TRAIL_MAX_COUNT ||
        m->reserved > TRAIL_MAX_COUNT || end < SEGMENT_DATA_OFFSET || end > segment->file.bytes)
        return 0;
    m->end = (size_t)end;
    *ret_generation = bytes_get_u64(p + 4);
    return 0;
}

/* The newer mark of the newest segment. */
static int find_mark(struct segments *s)
{
    const struct segment *newest = &s->all[s->count - 1];
    for (size_t i = 0; i < 2; i++) {
        struct segments_mark mark;
        uint64_t generation;
        TRY(read_mark(s, newest, MARK_OFFSET + i * MARK_ROOM_BYTES, &mark, &generation));
        if (generation > s->generation) {
            s->generation = generation;
            s->mark = mark;
        }
    }
    return s->generation > 0 ? 0 : RAISE(FAULT_CORRUPT);
}

/* The kernel's name for its present run; if it cannot be asked, one that no mark has. */
static void read_boot(uint8_t ret[static SEGMENTS_BOOT_BYTES])
{
    struct buf text;
    buf_init(&text, 64);
    if (file_read_path("/proc/sys/kernel/random/boot_id", &text) == 0 && buf_size(&text) >= SEGMENTS_BOOT_BYTES)
        memcpy(ret, buf_view(&text).p, SEGMENTS_BOOT_BYTES);
    else
        crypt_random(ret, SEGMENTS_BOOT_BYTES);
    buf_fini(&text);
}

/* ---- files ----------------------------------------------------------------------------------------------- */

/* Room for one more, so that a file that was made is never without its place. */
static int make_room(struct segments *s)
{
    size_t cap = MAX_OF(s->cap * 2, (size_t)8);
    if (s->count < s->cap)
        return 0;
    struct segment *all = realloc(s->all, cap * sizeof *all);
    if (all == NULL)
        return RAISE(-ENOMEM);
    s->all = all;
    s->cap = cap;
    return 0;
}

/* The trail before the first record of a file, so that whoever knows its head can verify from there. */
static int write_base(struct segment *n, const struct trail_check *before)
{
    struct buf out;
    buf_init(&out, MARK_OFFSET - SEGMENT_BASE_OFFSET);
    int r = merkle_encode(&before->tree, &out);
    if (r == 0)
        r = buf_append(&out, BYTES_OF(before->last));
    struct bytes b = buf_view(&out);
    if (r == 0)
        memcpy(n->file.p + SEGMENT_BASE_OFFSET, b.p, b.n);
    buf_fini(&out);
    return r;
}

/* The newest file is complete: its room is given back. */
static int complete_newest(struct segments *s, const struct trail_check *now, uint64_t reserved)
{
    struct segment *g = &s->all[s->count - 1];
    if (ftruncate(g->file.fd, (off_t)g->end) < 0)
        return RAISE(-errno);
    g->file.bytes = g->end;
    return segments_sync(s, now, reserved, false);
}

/* Makes a file that has its head, a mark and room, under its name only when all of it is durable. The one before is
 * completed when there is room for this one, not earlier. */
static int make_file(struct segments *s, struct segment *n, const struct segments_mark *mark)
{
    char name[SEGMENT_NAME_BYTES];
    TRY(mapfile_grow(&n->file, SEGMENT_DATA_OFFSET + SEGMENT_GROW_BYTES));
    if (s->count > 0)
        TRY(complete_newest(s, &mark->check, mark->reserved));
    memcpy(n->file.p, magic, sizeof magic);
    bytes_put_u64(n->file.p + sizeof magic, n->first);
    TRY(write_base(n, &mark->check));
    TRY(write_mark(s, n, mark));
    TRY(mapfile_sync(&n->file));
    segment_name(n->first, name);
    if (renameat2(s->folder, MADE_NAME, s->folder, name, RENAME_NOREPLACE) < 0)
        return RAISE(-errno);
    return file_sync_folder(s->folder);
}

/* Bytes of frames before the segment that comes next, if they were counted. */
static uint64_t base_of_next(const struct segments *s)
{
    const struct segment *g = s->count > 0 ? &s->all[s->count - 1] : NULL;
    if (g == NULL)
        return 0;
    return g->base == SEGMENT_BASE_UNKNOWN ? SEGMENT_BASE_UNKNOWN : g->base + (g->end - SEGMENT_DATA_OFFSET);
}

/* A new segment behind those that are there, which are durable. */
static int begin(struct segments *s, const struct trail_check *now, uint64_t reserved)
{
    struct segment n = {.first = now->tree.size,
                        .end = SEGMENT_DATA_OFFSET,
                        .base = base_of_next(s),
                        .file = {.fd = -1},
                        .index = {.fd = -1}};
    struct segments_mark mark = {
        .check = *now, .seal = s->seal, .end = SEGMENT_DATA_OFFSET, .reserved = reserved, .changed = s->mark.changed};
    TRY(make_room(s));
    if (unlinkat(s->folder, MADE_NAME, 0) < 0 && errno != ENOENT)
        return RAISE(-errno);
    int r = mapfile_make(s->folder, MADE_NAME, SEGMENT_MAX_BYTES, &n.file);
    if (r == 0)
        r = make_file(s, &n, &mark);
    if (r != 0) {
        mapfile_close(&n.file);
        (void)unlinkat(s->folder, MADE_NAME, 0);
        return r < 0 ? r : RAISE(FAULT_INTERNAL);
    }
    s->all[s->count++] = n;
    s->mark = mark;
    return 0;
}

int segments_want(struct segments *s, size_t i)
{
    char name[SEGMENT_NAME_BYTES];
    struct segment *g = &s->all[i];
    bool is_newest = i + 1 == s->count;
    if (g->file.p != NULL)
        return 0;
    segment_name(g->first, name);
    int r = mapfile_open(s->folder, name, SEGMENT_MAX_BYTES, is_newest, &g->file);
    if (r != 0)
        return r < 0 ? r : RAISE(FAULT_CORRUPT);
    bool is_good = g->file.bytes >= SEGMENT_DATA_OFFSET && memcmp(g->file.p, magic, sizeof magic) == 0 &&
                   bytes_get_u64(g->file.p + sizeof magic) == g->first;
    if (!is_good) {
        mapfile_close(&g->file);
        return RAISE(FAULT_CORRUPT);
    }
    g->end = g->file.bytes;
    if (!is_newest) { /* one descriptor is enough, for the file that grows */
        close(g->file.fd);
        g->file.fd = -1;
    }
    return 0;
}

static int by_first(const void *a, const void *b)
{
    const struct segment *x = a, *y = b;
    return x->first < y->first ? -1 : x->first > y->first;
}

static int list(struct segments *s, DIR *folder)
{
    const struct dirent *d;
    while ((errno = 0, d = readdir(folder)) != NULL) {
        struct segment g = {.base = SEGMENT_BASE_UNKNOWN, .file = {.fd = -1}, .index = {.fd = -1}};
        if (number_of(d->d_name, &g.first)) {
            TRY(make_room(s));
            s->all[s->count++] = g;
        }
    }
    return errno != 0 ? RAISE(-errno) : 0;
}

static int find_segments(struct segments *s)
{
    int fd = openat(s->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (folder == NULL) {
        int error = errno;
        file_drop_fd(&fd);
        return RAISE(-error);
    }
    int r = list(s, folder);
    closedir(folder);
    TRY(r);
    if (s->count == 0)
        return RAISE(FAULT_CORRUPT);
    qsort(s->all, s->count, sizeof *s->all, by_first);
    return 0;
}

static int open_folder(const char *path, struct segments **ret_segments)
{
    SCOPED(drop_segments) struct segments *s = calloc(1, sizeof *s);
    if (s == NULL)
        return RAISE(-ENOMEM);
    s->folder = -1;
    s->path = strdup(path);
    read_boot(s->boot);
    int r = s->path != NULL ? file_open_folder(path, &s->folder) : RAISE(-ENOMEM);
    if (r != 0)
        return r < 0 ? r : RAISE(FAULT_CORRUPT);
    *ret_segments = TAKE(s);
    return 0;
}

int segments_found(const char *path, const struct trail_check *base)
{
    SCOPED(drop_segments) struct segments *s = NULL;
    TRY(open_folder(path, &s));
    return begin(s, base, base->tree.size);
}

int segments_open(const char *path, struct segments **ret_segments)
{
    SCOPED(drop_segments) struct segments *s = NULL;
    TRY(open_folder(path, &s));
    TRY(find_segments(s));
    TRY(segments_want(s, s->count - 1));
    TRY(find_mark(s));
    s->size = s->mark.check.tree.size;
    s->seal = s->mark.seal;
    s->all[s->count - 1].end = s->mark.end;
    *ret_segments = TAKE(s);
    return 0;
}

struct segments *segments_close(struct segments *s)
{
    if (s == NULL)
        return NULL;
    for (size_t i = 0; i < s->count; i++) {
        mapfile_close(&s->all[i].file);
        mapfile_close(&s->all[i].index);
    }
    free(s->all);
    free(s->path);
    file_drop_fd(&s->folder);
    free(s);
    return NULL;
}

/* ---- storing --------------------------------------------------------------------------------------------- */

struct bytes segment_frame(struct bytes *in, struct bytes *ret_leaf)
{
    if (in->n < SEGMENT_FRAME_HEAD_BYTES)
        return BYTES_NONE;
    size_t n = bytes_get_u32(in->p);
    if (n > RECORD_MAX_BYTES || n > in->n - SEGMENT_FRAME_HEAD_BYTES)
        return BYTES_NONE;
    *ret_leaf = bytes_of(in->p + 4, DIGEST_BYTES);
    struct bytes record = bytes_of(in->p + SEGMENT_FRAME_HEAD_BYTES, n);
    *in = bytes_from(*in, SEGMENT_FRAME_HEAD_BYTES + n);
    return record;
}

/* Notes where the run of a record begins, if it is the first of it in its segment. */
static void hint(struct segment *g, uint64_t seq, size_t offset)
{
    uint64_t tile = seq / SEGMENT_TILE_COUNT - g->first / SEGMENT_TILE_COUNT;
    if ((seq == g->first || seq % SEGMENT_TILE_COUNT == 0) && tile < SEGMENT_TILES_MAX_COUNT)
        bytes_put_u32(g->file.p + TILES_OFFSET + tile * 4, (uint32_t)offset);
}

/* Where the root of a run of 2^height records stands, in the segment that holds its last one; 0: nowhere. */
static size_t run_at(const struct segment *g, unsigned height, uint64_t last)
{
    bool is_long = height > MERKLE_RUN_HEIGHT;
    uint64_t i = (last >> height) - (g->first >> height);
    if (i >= (is_long ? LONG_RUNS_MAX_COUNT : SEGMENT_TILES_MAX_COUNT))
        return 0;
    return (is_long ? LONG_RUNS_OFFSET : RUNS_OFFSET) + (size_t)i * DIGEST_BYTES;
}

void segments_note(struct segments *s, uint64_t size, const uint8_t *runs)
{
    struct segment *g = &s->all[s->count - 1];
    assert(size > g->first && size <= s->size && size % SEGMENT_TILE_COUNT == 0);
    for (unsigned height = MERKLE_RUN_HEIGHT; height <= 2 * MERKLE_RUN_HEIGHT; height += MERKLE_RUN_HEIGHT) {
        size_t at = run_at(g, height, size - 1);
        if (at != 0 && size % (UINT64_C(1) << height) == 0)
            memcpy(g->file.p + at, runs + (height / MERKLE_RUN_HEIGHT - 1) * DIGEST_BYTES, DIGEST_BYTES);
    }
}

void segments_append(struct segments *s, struct bytes frames)
{
    struct segment *g = &s->all[s->count - 1];
    struct bytes leaf;
    mapfile_put(&g->file, g->end, frames);
    while (frames.n > 0) {
        hint(g, s->size, g->end);
        size_t n = frames.n;
        struct bytes record = segment_frame(&frames, &leaf);
        assert(record.n > 0);
        g->end += n - frames.n;
        s->size++;
    }
}

/* A frame as it was stored, whole: the record has the leaf hash that stands beside it. */
static int is_whole(struct bytes record, struct bytes leaf, bool *ret_is_whole)
{
    uint8_t digest[DIGEST_BYTES];
    *ret_is_whole = false;
    if (record.n == 0)
        return 0;
    TRY(merkle_leaf(record, digest));
    *ret_is_whole = bytes_equal(leaf, BYTES_OF(digest));
    return 0;
}

int segments_recover(struct segments *s, struct trail_check *check, size_t *ret_torn_bytes)
{
    struct segment *g = &s->all[s->count - 1];
    struct bytes leaf, in = bytes_of(g->file.p + g->end, g->file.bytes - g->end);
    assert(check->tree.size == s->size);
    for (struct bytes rest = in; rest.n > 0; in = rest) {
        bool is_good;
        struct bytes record = segment_frame(&rest, &leaf);
        TRY(is_whole(record, leaf, &is_good));
        int x = is_good ? trail_check_add(check, record) : TRAIL_MALFORMED;
        TRY(x);
        if (x != 0)
            break; /* what follows decides nothing either */
        hint(g, s->size, g->end);
        g->end = g->file.bytes - rest.n;
        s->size++;
        if (s->size % SEGMENT_TILE_COUNT == 0)
            segments_note(s, s->size, check->tree.runs[0]);
    }
    size_t torn = in.n;
    while (torn > 0 && in.p[torn - 1] == 0)
        torn--;
    memset(g->file.p + g->end, 0, torn);
    *ret_torn_bytes = torn;
    return 0;
}

static int begin_next(struct segments *s, const struct trail_check *now)
{
    TRY(begin(s, now, MAX_OF(s->mark.reserved, s->size)));
    struct segment *g = &s->all[s->count - 2];
    close(g->file.fd);
    g->file.fd = -1;
    index_complete(s, s->count - 2);
    return 0;
}

int segments_reserve(struct segments *s, size_t bytes, const struct trail_check *now)
{
    struct segment *g = &s->all[s->count - 1];
    assert(bytes <= TRAIL_BATCH_MAX_BYTES && now->tree.size == s->size);
    bool is_long = s->size - g->first >= (SEGMENT_TILES_MAX_COUNT / 2) * SEGMENT_TILE_COUNT;
    if (g->end >= SEGMENT_BYTES || is_long) {
        TRY(begin_next(s, now));
        g = &s->all[s->count - 1];
    }
    if (bytes + SEGMENT_SPARE_BYTES <= g->file.bytes - g->end)
        return 0;
    size_t wanted = g->end + bytes + SEGMENT_GROW_BYTES;
    int r = mapfile_grow(&g->file, MIN_OF(wanted, (size_t)SEGMENT_MAX_BYTES));
    return r == FAULT_FULL ? mapfile_grow(&g->file, g->end + bytes + SEGMENT_SPARE_BYTES) : r;
}

int segments_reserve_spare(const struct segments *s, size_t bytes)
{
    const struct segment *g = &s->all[s->count - 1];
    return bytes <= g->file.bytes - g->end ? 0 : RAISE(FAULT_FULL);
}

int segments_sync(struct segments *s, const struct trail_check *now, uint64_t reserved, bool is_clean)
{
    struct segment *g = &s->all[s->count - 1];
    assert(now->tree.size == s->size);
    s->mark.reserved = reserved;
    s->mark.is_clean = false;
    TRY(write_mark(s, g, &s->mark)); /* up to where it was durable before; how far numbers go is what is new */
    TRY(mapfile_sync(&g->file));
    s->mark.check = *now;
    s->mark.seal = s->seal;
    s->mark.end = g->end;
    mapfile_forget(&g->file, g->end);
    if (!is_clean)
        return 0;
    s->mark.is_clean = true;
    TRY(write_mark(s, g, &s->mark));
    return mapfile_sync(&g->file);
}

int segments_check(const struct segments *s)
{
    const struct segment *g = &s->all[s->count - 1];
    char name[SEGMENT_NAME_BYTES];
    TRY(file_check(AT_FDCWD, s->path, s->folder));
    segment_name(g->first, name);
    return file_check(s->folder, name, g->file.fd);
}

/* ---- reading --------------------------------------------------------------------------------------------- */

size_t segments_holder(const struct segments *s, uint64_t seq)
{
    size_t low = 0, high = s->count;
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (s->all[mid].first <= seq)
            low = mid;
        else
            high = mid;
    }
    return low;
}

int segments_next(struct segments *s, struct segments_at *at, struct bytes *ret_record)
{
    struct bytes leaf;
    assert(at->seq < s->size);
    if (at->segment + 1 < s->count && at->seq == s->all[at->segment + 1].first) {
        at->segment++;
        at->offset = SEGMENT_DATA_OFFSET;
    }
    TRY(segments_want(s, at->segment));
    const struct segment *g = &s->all[at->segment];
    if (at->offset > g->end)
        return RAISE(FAULT_CORRUPT);
    struct bytes in = bytes_of(g->file.p + at->offset, g->end - at->offset), record = segment_frame(&in, &leaf);
    if (!trail_record_has_number(record, at->seq))
        return RAISE(FAULT_CORRUPT);
    at->offset += SEGMENT_FRAME_HEAD_BYTES + record.n;
    at->seq++;
    *ret_record = record;
    return 0;
}

const uint8_t *segments_leaf(struct bytes record)
{
    return record.p - DIGEST_BYTES;
}

int segments_run(struct segments *s, unsigned height, uint64_t index, uint8_t ret[static DIGEST_BYTES])
{
    uint64_t last = (index << height) + ((UINT64_C(1) << height) - 1);
    assert(last < s->size);
    size_t i = segments_holder(s, last);
    TRY(segments_want(s, i));
    size_t at = run_at(&s->all[i], height, last);
    if (at == 0)
        return RAISE(FAULT_CORRUPT);
    memcpy(ret, s->all[i].file.p + at, DIGEST_BYTES);
    return 0;
}

int segments_seek(struct segments *s, uint64_t seq, bool of_tile, struct segments_at *ret_at)
{
    struct bytes record;
    assert(seq < s->size);
    struct segments_at at = {.segment = segments_holder(s, seq)};
    TRY(segments_want(s, at.segment));
    const struct segment *g = &s->all[at.segment];
    uint64_t tile = seq / SEGMENT_TILE_COUNT - g->first / SEGMENT_TILE_COUNT;
    if (tile >= SEGMENT_TILES_MAX_COUNT)
        return RAISE(FAULT_CORRUPT);
    at.offset = tile == 0 ? SEGMENT_DATA_OFFSET : bytes_get_u32(g->file.p + TILES_OFFSET + tile * 4);
    at.seq = MAX_OF(g->first, seq - seq % SEGMENT_TILE_COUNT);
    if (at.offset < SEGMENT_DATA_OFFSET)
        return RAISE(FAULT_CORRUPT);
    while (!of_tile && at.seq < seq)
        TRY(segments_next(s, &at, &record));
    *ret_at = at;
    return 0;
}
