/*
 * segments - the records of a trail in files of their own, beside the database. No other folder includes it.
 *
 * One file a segment, named by the number of its first record, mapped, and written with zeros ahead of what is stored.
 * A frame is the length of a record (four bytes, big-endian), its leaf hash and its bytes; a length of zero is the end.
 * What is stored is the kernel's at once and outlives a kill; segments_sync() makes it outlive power loss. A mark in
 * the newest file says up to where that was done, the tree up to there, and how far numbers may have been used since.
 *
 * offset 0      "SRTRAIL" and version (one byte), number of the first record
 *        16     what came before it: the tree (merkle_encode()) and the leaf hash of the last record
 *        4096   a mark, and at 8192 another: the one with the higher generation counts
 *        12288  where each run of SEGMENT_TILE_COUNT records begins: offsets of four bytes, hints for reading
 *        16384  roots of those runs in the tree of RFC 6962, each at the place of the run, in the file that holds its
 *               last record
 *        49152  roots of runs of 65536 records, likewise
 *        53248  frames
 *
 * Marks, hints and roots are not trusted by whoever verifies. doc/spec/trail.md.
 */
#ifndef TRAIL_SEGMENTS_H
#define TRAIL_SEGMENTS_H

#include "os/mapfile.h"
#include "trail/epoch.h"
#include "trail/trail.h"

enum {
    SEGMENT_FRAME_HEAD_BYTES = 4 + DIGEST_BYTES,
    SEGMENT_TILE_COUNT = MERKLE_RUN_COUNT,
    SEGMENT_TILES_MAX_COUNT = 1024,
    SEGMENT_BASE_OFFSET = 16,
    SEGMENT_DATA_OFFSET = 52 << 10,
    SEGMENT_BYTES = 16 << 20,       /* a batch that finds it this long begins another */
    SEGMENT_SPARE_BYTES = 64 << 10, /* kept for what is recorded when the storage is full */
    SEGMENT_MAX_BYTES = SEGMENT_BYTES + TRAIL_BATCH_MAX_BYTES + SEGMENT_SPARE_BYTES + SEGMENT_DATA_OFFSET,
    SEGMENT_GROW_BYTES = 256 << 10,
    SEGMENT_NAME_BYTES = 32,
    SEGMENTS_BOOT_BYTES = 36,
};

#define SEGMENT_BASE_UNKNOWN UINT64_MAX

struct segment {
    uint64_t first;
    size_t end;           /* of its frames; known once it is mapped */
    uint64_t base;        /* bytes of frames in the segments before; known after segments_bytes() */
    struct mapfile file;  /* p: NULL until it is wanted */
    struct mapfile index; /* likewise; index.h */
    bool has_no_index;    /* it cannot be had */
    uint8_t seen[SEGMENT_TILES_MAX_COUNT / 8]; /* summaries of it whose sum was found right */
};

/* What is known to survive power loss. */
struct segments_mark {
    struct trail_check check;
    struct epoch_seal seal;
    size_t end;                  /* in the newest file */
    uint64_t reserved;           /* number up to which records may have been used */
    uint64_t changed;            /* end of the records that the database is known to have */
    bool is_clean, is_same_boot; /* as found: closed in order; by this run of the kernel */
};

struct segments {
    int folder;
    char *path;          /* of the folder */
    struct segment *all; /* by number; at least one */
    size_t count, cap;
    uint64_t size;          /* records that are stored */
    struct epoch_seal seal; /* of them; whoever stores them sets it */
    uint64_t generation;
    struct segments_mark mark;
    uint8_t boot[SEGMENTS_BOOT_BYTES]; /* of the kernel's present run */
};

/* segments_found - an empty first segment in an empty folder; what comes before it is `base`: nothing, or what was
 * pruned. Returns 0 or a fault. Durable when it returns. */
int segments_found(const char *path, const struct trail_check *base) MUST_USE;

/*
 * segments_open - open a folder; what is stored behind the mark is taken by segments_recover().
 * Returns 0 and sets ret_segments (size and mark are those of the mark), FAULT_CORRUPT (there is no file, or the newest
 * is malformed), or another fault. Where the first one begins is for the caller to judge. O(files).
 */
int segments_open(const char *path, struct segments **ret_segments) MUST_USE;

/* segments_close - NULL is allowed; returns NULL. Writes nothing. */
struct segments *segments_close(struct segments *s);

/*
 * segments_recover - add the records behind the mark to `check` as long as they form a chain; what comes after the last
 * good one, a frame that a crash tore, is overwritten with zeros.
 * Returns 0 or a fault. O(records behind the mark).
 */
int segments_recover(struct segments *s, struct trail_check *check, size_t *ret_torn_bytes) MUST_USE;

/*
 * segments_reserve - room for `bytes` of frames: a longer file, or a new one, whose mark is `now`: the trail so far.
 * SEGMENT_SPARE_BYTES stay free behind it, written ahead as all room is: what is stored there needs no block that the
 * disk may not have (a file system that never overwrites in place gives no such promise).
 * Returns 0, FAULT_FULL, FAULT_SYNC, or another fault; nothing is stored.
 * segments_reserve_spare - the same from that room, without making any. Returns 0 or FAULT_FULL.
 * segments_append - store frames that room was made for, the first of which has the next number. Cannot fail.
 */
int segments_reserve(struct segments *s, size_t bytes, const struct trail_check *now) MUST_USE;
int segments_reserve_spare(const struct segments *s, size_t bytes) MUST_USE;
void segments_append(struct segments *s, struct bytes frames);

/* segments_note - the roots of the runs that end with the record before number `size`, which is stored and is the last
 * of its run: of the short one, then of the long one, as struct merkle has them. segments_run - the root of run `index`
 * of 2^height records, all of them stored; height: MERKLE_RUN_HEIGHT or twice that. Returns 0 or a fault; it is what
 * was noted, true or not. */
void segments_note(struct segments *s, uint64_t size, const uint8_t *runs);
int segments_run(struct segments *s, unsigned height, uint64_t index, uint8_t ret[static DIGEST_BYTES]) MUST_USE;

/*
 * segments_sync - make all that is stored durable; `now` is the trail so far, `reserved` the number up to which records
 * may be used before the next sync. is_clean: it is closed. Returns 0 or FAULT_SYNC, which is final. One fdatasync; two
 * if clean.
 */
int segments_sync(struct segments *s, const struct trail_check *now, uint64_t reserved, bool is_clean) MUST_USE;

/* segments_check - the folder, and the newest file in it, are still where they were opened. Returns 0 or FAULT_GONE,
 * which is final as FAULT_SYNC is. Four system calls. */
int segments_check(const struct segments *s) MUST_USE;

/* segments_holder - the segment that holds a number. segments_want - map a segment. Returns 0 or a fault. */
size_t segments_holder(const struct segments *s, uint64_t seq);
int segments_want(struct segments *s, size_t i) MUST_USE;

/* A place in the trail. */
struct segments_at {
    size_t segment, offset;
    uint64_t seq;
};

/*
 * segments_seek - the place of record `seq`, which is stored; or, if `of_tile`, of the first record of its run (or of
 * its segment, if that begins within the run). segments_next - the record at a place, and the place after it. The view
 * stays valid until the segments are closed. Return 0 or FAULT_CORRUPT (a frame is malformed, missing, or has another
 * number), or another fault.
 */
int segments_seek(struct segments *s, uint64_t seq, bool of_tile, struct segments_at *ret_at) MUST_USE;
int segments_next(struct segments *s, struct segments_at *at, struct bytes *ret_record) MUST_USE;

/* segments_leaf - the hash beside a record that segments_next() gave. */
const uint8_t *segments_leaf(struct bytes record);

/* segments_first - number of the first record that is there. segments_base - what comes before the segment whose first
 * record has number `edge`. Returns 0 or a fault. */
uint64_t segments_first(const struct segments *s);
int segments_base(struct segments *s, uint64_t edge, struct trail_check *ret_base) MUST_USE;

/*
 * segments_drop - remove the files of all records before number `before`, with which a segment begins, the oldest
 * first. Returns how many were removed, or a fault: then the older ones of them may be gone.
 */
int segments_drop(struct segments *s, uint64_t before) MUST_USE;

/* segments_shed - remove what can be made anew of those files. */
void segments_shed(struct segments *s, uint64_t before);

/* segments_bytes - of all frames stored, and of a base before them (prune.h) if there is one. segments_copy - `n` of
 * them from `offset` on, which must lie in it. 0 or a fault. */
int segments_bytes(struct segments *s, uint64_t *ret_bytes) MUST_USE;
int segments_copy(struct segments *s, uint64_t offset, uint8_t *ret, size_t n) MUST_USE;

/* segment_name - of the file whose first record has that number. */
void segment_name(uint64_t first, char ret[static SEGMENT_NAME_BYTES]);

/* segment_frame - cuts the first frame off `in`: its record, and its leaf hash; none if it is malformed. Pure. */
struct bytes segment_frame(struct bytes *in, struct bytes *ret_leaf);

#endif
