/* trail-internal - what the files of this folder share. No other folder includes it. */
#ifndef TRAIL_INTERNAL_H
#define TRAIL_INTERNAL_H

#include <string.h>

#include "trail/checkpoint.h"
#include "trail/epoch-keys.h"
#include "trail/index.h"
#include "trail/segments.h"
#include "trail/trail.h"

/* No trail gets this long; a stored number above it is a lie, and no sum of two below it wraps. */
#define TRAIL_MAX_COUNT (UINT64_C(1) << 62)

/* ---- a trail that is open: trail.c, trail-load.c --------------------------------------------------------- */

#define TRAIL_PRUNED_NAME "pruned" /* a row of the table meta: how many records, 8 bytes; absent: none */

/* Where the records end that are durable in the database, in the newest segment of that time. */
struct trail_journal {
    uint64_t size;
    size_t segments_count, end;
};

/* A run of records that the batch completes. */
struct trail_run {
    uint64_t size;
    uint8_t roots[2][DIGEST_BYTES];
    struct index_running about;
};
/* No frame has fewer than 64 bytes. */
enum { TRAIL_RUNS_MAX_BYTES = (TRAIL_BATCH_MAX_BYTES / SEGMENT_TILE_COUNT / 64) * sizeof(struct trail_run) };

struct trail {
    struct store *store;
    struct segments *log;
    struct trail_check now;     /* with the pending records */
    struct trail_check settled; /* without; set while there are pending ones */
    struct buf batch;           /* their frames */
    size_t count;               /* how many */
    struct buf runs;            /* struct trail_run, of those it completes */
    struct index_running about; /* of the run that is not complete; what was taken back may stay in it */
    struct buf state;           /* of the owner, after the last settled turn */
    struct buf next_state;      /* the one that goes with the batch, if any */
    struct buf row;             /* frames for the database, if more than the batch */
    struct epoch_keys epochs;
    struct trail_journal journal;
    uint64_t ends[TRAIL_RING_COUNT]; /* of the records in each place of the ring */
    size_t place;                    /* the next one */
    uint64_t reserve, lost;
    uint64_t prunes; /* when the turn is settled, the records before this number are removed; 0: none are */
    bool is_flushed, is_stored, has_failed, uses_spare;
};

/* trail_load - what log and database hold: to be called once, before all else. trail_sync_log - trail_sync(), whatever
 * came; is_clean: it is closed. Return 0 or a fault. */
int trail_load(struct trail *t) MUST_USE;
int trail_sync_log(struct trail *t, bool is_clean) MUST_USE;

/* ---- the files ------------------------------------------------------------------------------------------- */

typedef int (*trail_on_record)(uint64_t seq, struct bytes record, void *arg);

/* trail_put_seal, trail_get_seal - what an epoch has sealed, beside the records: four fields as they stand. */
enum { TRAIL_SEAL_BYTES = 3 * 8 + DIGEST_BYTES };
static inline void trail_put_seal(uint8_t *p, const struct epoch_seal *seal)
{
    memcpy(bytes_put_u64(bytes_put_u64(bytes_put_u64(p, seal->number), seal->first), seal->size), seal->tag,
           DIGEST_BYTES);
}

static inline void trail_get_seal(const uint8_t *p, struct epoch_seal *ret_seal)
{
    *ret_seal = (struct epoch_seal){bytes_get_u64(p), bytes_get_u64(p + 8), bytes_get_u64(p + 16), {0}};
    memcpy(ret_seal->tag, p + 24, DIGEST_BYTES);
}

/* trail_record_has_number - a stored record says that it is the one of that number; nothing else of it is looked at. */
static inline bool trail_record_has_number(struct bytes record, uint64_t seq)
{
    enum { AT = 3 /* behind "SR" and version: doc/spec/trail.md */ };
    return record.n >= AT + 8 && bytes_get_u64(record.p + AT) == seq;
}

/* trail_durable - how many records are durable in the log, whatever the database has. */
uint64_t trail_durable(const struct trail *trail);

/* trail_find_seal - what of the trail is known to be sealed after opening: that of the mark, or of an epoch that began
 * behind it, or `stored` beside the newest row of the database, if that is more. Returns 0 or a fault. */
int trail_find_seal(struct segments *s, const struct epoch_seal *stored, struct epoch_seal *ret_seal) MUST_USE;

/* trail_scan - trail_read() over the first `size` stored records; TRAIL_ENOUGH if on_record says so.
 * trail_scan_filtered - trail_query() likewise; at least one is stored. */
struct trail_range {
    uint64_t size, first;
    uint64_t floor; /* downwards: none below this */
    bool is_downwards;
};
int trail_scan(struct segments *s, const struct trail_range *range, trail_on_record on_record, void *arg) MUST_USE;
int trail_scan_filtered(struct segments *s, const struct trail_range *range, struct trail_query *query) MUST_USE;

/* words_take_text, words_take_number, words_take_hash - take a literal text, a number up to the next text, or a hash in
 * lower-case hexadecimal digits off the front. False: it does not begin with one. */
bool words_take_text(struct bytes *in, const char *text);
bool words_take_number(struct bytes *in, uint64_t *ret_number);
bool words_take_hash(struct bytes *in, uint8_t ret[static DIGEST_BYTES]);

/* trail_unbase64 - base64 that stands for exactly `n` bytes. trail_take_line - take the first line off, without its
 * newline; false: there is no whole one. */
bool trail_unbase64(struct bytes text, uint8_t *ret, size_t n);
bool trail_take_line(struct bytes *in, struct bytes *ret_line);

/* What a key of signed notes signs: the first byte of its text. */
enum note_type { NOTE_SIGNATURE = 1 /* Ed25519, of a note */, NOTE_COSIGNATURE = 4 /* of a witness */ };

/* note_key_of, note_key_read, note_key_write - as checkpoint_key_of() and so on, of a type. */
int note_key_of(enum note_type type, const char *name, const struct secret *seed,
                struct checkpoint_key *ret_key) MUST_USE;
bool note_key_read(enum note_type type, struct bytes text, struct checkpoint_key *ret_key) MUST_USE;
int note_key_write(enum note_type type, struct buf *out, const struct checkpoint_key *key) MUST_USE;

/* note_split - the body of a note with its last newline, and the lines of signatures. The last blank line parts them.
 * note_put_line - append one such line. note_read_line - what it holds: 0 and `raw` if it is of this key and has as
 * many bytes, CHECKPOINT_OTHER if not, CHECKPOINT_BAD if it is none. */
bool note_split(struct bytes note, struct bytes *ret_body, struct bytes *ret_signatures) MUST_USE;
int note_put_line(struct buf *out, const struct checkpoint_key *key, struct bytes raw) MUST_USE;
int note_read_line(struct bytes line, const struct checkpoint_key *key, uint8_t *raw, size_t n_raw) MUST_USE;

/* segments_plan_prune - trail_plan_prune(). */
int segments_plan_prune(struct segments *s, uint64_t before, int64_t until_us,
                        struct prune_statement *ret_statement) MUST_USE;

/* prove_record, prove_extends - trail_prove() and trail_prove_extends(), against a head of what is stored. */
int prove_record(struct segments *s, uint64_t seq, const struct trail_head *head, struct merkle_proof *ret_proof,
                 struct bytes *ret_record) MUST_USE;
int prove_extends(struct segments *s, uint64_t from, const struct trail_head *head,
                  struct merkle_proof *ret_proof) MUST_USE;

#endif
