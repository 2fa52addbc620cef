/* verify - see verify.h. */
#include "verify/verify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "os/file.h"

/* The layout of the files: doc/spec/trail.md. Said here again on purpose: who verifies does not use the code that wrote
 * them. */
enum {
    NAME_DIGITS = 20,
    NAME_BYTES = NAME_DIGITS + 4,
    FILE_HEAD_BYTES = 16,
    BASE_END = 4096,
    DATA_OFFSET = 53248,
    LENGTH_BYTES = 4,
    BUFFER_BYTES = 128 << 10,
};
static const uint8_t magic[8] = {'S', 'R', 'T', 'R', 'A', 'I', 'L', 1};

void verify_init(struct verify *v)
{
    memset(v, 0, sizeof *v);
    trail_check_init(&v->check);
}

void verify_key(struct verify *v, const struct checkpoint_key *key)
{
    v->has_key = true;
    v->key = *key;
}

void verify_witness(struct verify *v, const char *name, int64_t us)
{
    (void)snprintf(v->witness, sizeof v->witness, "%s", name);
    v->witness_us = us;
}

void verify_anchor(struct verify *v, const struct checkpoint *anchor, enum verify_verdict authenticity)
{
    v->is_anchored = true;
    v->anchor = *anchor;
    v->authenticity = authenticity;
}

void verify_skip(struct verify *v)
{
    v->skips = true;
}

/* At the size of the checkpoint: the tree so far has its root, or never will. */
static int compare_anchor(struct verify *v)
{
    struct trail_head head;
    if (!v->is_anchored || v->check.tree.size != v->anchor.size)
        return 0;
    TRY(trail_check_head(&v->check, &head));
    v->tail = memcmp(head.root, v->anchor.root, sizeof head.root) == 0 ? VERIFY_OK : VERIFY_BAD;
    return 0;
}

static void bad(struct verify *v, enum verify_verdict *verdict, const char *why)
{
    *verdict = VERIFY_BAD;
    v->why = why;
}

/* A checkpoint that is not good means that somebody else wrote it, or the records before it. */
static int check_statement(struct verify *v, struct bytes record)
{
    int x = v->has_key ? checkpoint_see(&v->seen, record, &v->check, &v->key) : 0;
    TRY(x);
    if (x != 0)
        bad(v, &v->authenticity, checkpoint_why(x));
    return 0;
}

/* The record that states what was removed before the first one. */
static int see_prune(struct verify *v, struct bytes record)
{
    int x = prune_see(&v->pruned, record);
    TRY(x);
    if (x != 0)
        bad(v, &v->order, "states that others were removed than those that the trail begins behind");
    return 0;
}

/* A record that says something untrue of epochs is not counted among the good ones either. */
static int see_epoch(struct verify *v, struct bytes record)
{
    TRY(verify_epoch(v, record));
    if (v->why != NULL)
        v->check = v->before;
    return v->why == NULL ? compare_anchor(v) : 0;
}

static void see_state(struct verify *v, struct bytes record)
{
    struct record r;
    if (!record_decode(record, &r) || r.state.n == 0)
        return;
    v->has_state = true;
    v->state_seq = r.seq;
    memcpy(v->stated, r.state.h, sizeof v->stated);
}

int verify_record(struct verify *v, struct bytes record, struct bytes leaf)
{
    assert(v->why == NULL);
    if (v->check.tree.size == v->first)
        TRY(compare_anchor(v));
    TRY(check_statement(v, record));
    if (v->why == NULL)
        TRY(see_prune(v, record));
    if (v->why != NULL)
        return 0;
    if (record_is_of(record, RECORD_EPOCH))
        v->before = v->check;
    int x = trail_check_add_beside(&v->check, record, leaf);
    TRY(x);
    if (x == TRAIL_MALFORMED)
        bad(v, &v->integrity, "is not a canonical record");
    else if (x == TRAIL_GAP)
        bad(v, &v->order, "has another number");
    else if (x == TRAIL_BROKEN)
        bad(v, &v->order, "does not hold the hash of the record before it");
    else if (x == TRAIL_OTHER)
        bad(v, &v->integrity, "has another hash than the one that stands beside it");
    if (v->why == NULL && v->sees_states)
        see_state(v, record);
    return v->why == NULL ? see_epoch(v, record) : 0;
}

/* Is what the first record was counted from known to be so? It is if that is nothing, if a record states it, or, where
 * what is before it was left out on purpose, if the checkpoint's root was reached from it. */
static bool is_founded(const struct verify *v)
{
    return v->first == 0 || v->pruned.is_stated || (v->has_skipped && v->tail == VERIFY_OK);
}

/* Records are missing that nobody removed: nothing that follows is called good. */
static void lack_beginning(struct verify *v)
{
    struct verify_epochs *e = &v->epochs;
    trail_check_init(&v->check);
    v->seen = (struct checkpoint_seen){0};
    e->now.first = e->count = e->sealed = e->lost = e->uncovered = 0;
    bad(v, &v->order, "is missing, with those up to the first one, and no record states that they were removed");
}

/* By a checkpoint in it, behind the record that states what was removed; or by the one that it begins behind. */
static bool is_signed(const struct verify *v)
{
    return v->has_skipped || v->seen.size > v->pruned.seq;
}

int verify_end(struct verify *v)
{
    if (v->check.tree.size == v->first)
        TRY(compare_anchor(v));
    if (v->is_anchored && v->tail == VERIFY_UNKNOWN)
        v->tail = VERIFY_BAD; /* the trail ends, or ceases to be good, before it; or begins behind it */
    if (v->why == NULL && !v->has_skipped && !is_founded(v))
        lack_beginning(v);
    if (v->why == NULL && is_founded(v))
        v->integrity = v->order = VERIFY_OK;
    verify_epochs_end(v);
    if (v->has_key && v->authenticity != VERIFY_BAD && (is_signed(v) || v->why == NULL))
        v->authenticity = is_signed(v) ? VERIFY_OK : VERIFY_BAD;
    return 0;
}

unsigned verify_bits(const struct verify *v)
{
    return (v->integrity == VERIFY_BAD ? VERIFY_BIT_INTEGRITY : 0u) | (v->order == VERIFY_BAD ? VERIFY_BIT_ORDER : 0u) |
           (v->tail == VERIFY_BAD ? VERIFY_BIT_TAIL : 0u) |
           (v->authenticity == VERIFY_BAD ? VERIFY_BIT_AUTHENTICITY : 0u) |
           (v->forward == VERIFY_BAD ? VERIFY_BIT_FORWARD : 0u) | (v->state == VERIFY_BAD ? VERIFY_BIT_STATE : 0u);
}

/* ---- reading --------------------------------------------------------------------------------------------- */

struct reader {
    int fd;
    uint8_t *p; /* BUFFER_BYTES */
    size_t at, end;
};

static uint32_t number_at(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* At least `n` bytes at hand, unless the file ends before. Returns 0 or -errno. */
static int fill(struct reader *r, size_t n)
{
    assert(n <= BUFFER_BYTES);
    if (r->end - r->at >= n)
        return 0;
    memmove(r->p, r->p + r->at, r->end - r->at);
    r->end -= r->at;
    r->at = 0;
    while (r->end < n) {
        ssize_t got = read(r->fd, r->p + r->end, BUFFER_BYTES - r->end);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return RAISE(-errno);
        if (got == 0)
            break;
        r->end += (size_t)got;
    }
    return 0;
}

/* The next frame: 1 with its record (and leaf, if frames have one), 0 at the end, or a fault; what is malformed is
 * said. */
static int next_frame(struct verify *v, struct reader *r, size_t leaf_bytes, struct bytes *ret_record,
                      struct bytes *ret_leaf)
{
    size_t head = LENGTH_BYTES + leaf_bytes;
    TRY(fill(r, head));
    if (r->end == r->at)
        return 0;
    size_t n = r->end - r->at >= LENGTH_BYTES ? number_at(r->p + r->at) : SIZE_MAX;
    if (n == 0 && leaf_bytes > 0)
        return 0; /* the room behind the last one */
    if (r->end - r->at < head || n == 0 || n > RECORD_MAX_BYTES) {
        bad(v, &v->integrity, "is cut, or no record");
        return 0;
    }
    TRY(fill(r, head + n));
    if (r->end - r->at < head + n) {
        bad(v, &v->integrity, "is cut");
        return 0;
    }
    *ret_leaf = bytes_of(r->p + r->at + LENGTH_BYTES, leaf_bytes);
    *ret_record = bytes_of(r->p + r->at + head, n);
    r->at += head + n;
    return 1;
}

static int read_frames(struct verify *v, struct reader *r, size_t leaf_bytes)
{
    int x = 0;
    struct bytes record, leaf;
    while (v->why == NULL && (x = next_frame(v, r, leaf_bytes, &record, &leaf)) == 1)
        TRY(verify_record(v, record, leaf));
    return x < 0 ? x : 0;
}

static int make_reader(struct reader *r, int fd)
{
    *r = (struct reader){.fd = fd, .p = malloc(BUFFER_BYTES)};
    return r->p != NULL ? 0 : RAISE(-ENOMEM);
}

/* An export of a trail whose beginning was removed has what stands for that first. */
static int read_export(struct verify *v, struct reader *r)
{
    TRY(fill(r, PRUNE_BASE_MAX_BYTES));
    struct bytes in = bytes_of(r->p, r->end);
    enum prune_base base = prune_take_base(&in, &v->check);
    if (base == PRUNE_BASE_BAD || (base == PRUNE_BASE_SHORT && r->end > 0))
        bad(v, &v->integrity, "is cut, or no record");
    if (base == PRUNE_BASE_TAKEN) {
        r->at = r->end - in.n;
        v->first = v->check.tree.size;
        TRY(prune_begin(&v->pruned, &v->check));
    }
    return read_frames(v, r, 0);
}

int verify_export(struct verify *v, int fd)
{
    struct reader r;
    TRY(make_reader(&r, fd));
    int x = read_export(v, &r);
    free(r.p);
    return x;
}

/* ---- the files of a log ---------------------------------------------------------------------------------- */

/* What came before the first file that is read; if that is not so, the root of the checkpoint is not reached. */
static int take_base(struct verify *v, struct bytes head)
{
    struct bytes base = bytes_from(head, FILE_HEAD_BYTES);
    uint64_t size = (uint64_t)number_at(base.p) << 32 | number_at(base.p + 4);
    size_t n = 8 + DIGEST_BYTES * (size_t)__builtin_popcountll(size);
    bool is_good = size == v->first && n + DIGEST_BYTES <= base.n && merkle_decode(bytes_head(base, n), &v->check.tree);
    if (is_good)
        memcpy(v->check.last, base.p + n, DIGEST_BYTES);
    else
        bad(v, &v->integrity, "begins the first file that is read, which does not say what came before");
    return is_good && !v->has_skipped ? prune_begin(&v->pruned, &v->check) : 0;
}

/* What its first bytes say. Returns 0 or a fault; what is wrong is said. */
static int read_head(struct verify *v, struct reader *r, uint64_t first)
{
    TRY(fill(r, DATA_OFFSET));
    const uint8_t *p = r->p + r->at;
    bool is_whole = r->end - r->at >= DATA_OFFSET && memcmp(p, magic, sizeof magic) == 0;
    uint64_t number = is_whole ? (uint64_t)number_at(p + 8) << 32 | number_at(p + 12) : 0;
    if (!is_whole)
        bad(v, &v->integrity, "would be in a file that is none of a log");
    else if (number != first)
        bad(v, &v->integrity, "would be in a file with another name than it was made with");
    else if (v->check.tree.size != first)
        TRY(take_base(v, bytes_of(p, BASE_END)));
    r->at += DATA_OFFSET;
    return 0;
}

static int read_file(struct verify *v, int at, const char *name, uint64_t first)
{
    SCOPED(file_drop_fd) int fd = -1;
    struct reader r;
    if (first != v->check.tree.size && first != v->first) {
        bad(v, &v->order,
            first > v->check.tree.size ? "is missing, with those up to the next file"
                                       : "is not the first one that its file says to hold");
        return 0;
    }
    int x = file_open(at, name, O_RDONLY | O_NONBLOCK, 0, &fd);
    if (x != 0)
        return x < 0 ? x : RAISE(-ENOENT);
    TRY(make_reader(&r, fd));
    x = read_head(v, &r, first);
    if (x == 0 && v->why == NULL)
        x = read_frames(v, &r, DIGEST_BYTES);
    free(r.p);
    return x;
}

static bool number_of(const char *name, uint64_t *ret_first)
{
    struct bytes digits = bytes_of_text(name);
    if (digits.n != NAME_BYTES || strcmp(name + NAME_DIGITS, ".log") != 0)
        return false;
    digits.n = NAME_DIGITS;
    while (digits.n > 1 && digits.p[0] == '0')
        digits = bytes_from(digits, 1);
    return num_parse_u64(digits, INT64_MAX, ret_first);
}

struct names {
    uint64_t *first;
    size_t count, cap;
};

static int push(struct names *n, uint64_t first)
{
    if (n->count == n->cap) {
        size_t cap = MAX_OF(n->cap * 2, (size_t)64);
        uint64_t *all = realloc(n->first, cap * sizeof *all);
        if (all == NULL)
            return RAISE(-ENOMEM);
        n->first = all;
        n->cap = cap;
    }
    n->first[n->count++] = first;
    return 0;
}

static int list(int at, struct names *n)
{
    int fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *d;
    uint64_t first;
    int r = 0;
    if (folder == NULL) {
        int error = errno;
        file_drop_fd(&fd);
        return RAISE(-error);
    }
    while (r == 0 && (errno = 0, d = readdir(folder)) != NULL) {
        if (number_of(d->d_name, &first))
            r = push(n, first);
    }
    if (r == 0 && errno != 0)
        r = RAISE(-errno);
    closedir(folder);
    return r;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Where to begin: with the first file, or the last one that begins before the checkpoint ends. */
static size_t begin_at(struct verify *v, const struct names *n)
{
    size_t i = 0;
    while (v->skips && v->is_anchored && i + 1 < n->count && n->first[i + 1] <= v->anchor.size)
        i++;
    v->first = n->count > 0 ? n->first[i] : 0;
    v->has_skipped = i > 0;
    return i;
}

int verify_folder(struct verify *v, int at)
{
    struct names n = {0};
    int r = list(at, &n);
    if (r == 0 && n.count == 0)
        r = RAISE(-ENOENT);
    if (n.count > 0)
        qsort(n.first, n.count, sizeof *n.first, by_number);
    for (size_t i = begin_at(v, &n); r == 0 && v->why == NULL && i < n.count; i++) {
        char name[NAME_BYTES + 1];
        (void)snprintf(name, sizeof name, "%020llu.log", (unsigned long long)n.first[i]);
        r = read_file(v, at, name, n.first[i]);
    }
    free(n.first);
    return r;
}
