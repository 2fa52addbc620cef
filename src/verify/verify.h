/*
 * verify - checking a trail from its files, or from an export, without a daemon and without a key that could change it.
 *
 * Everything is recomputed from the records: the leaf hash of each, the chain, the tree. What stands beside them
 * (marks, hints, names of files) is compared or passed over, never believed. The first thing that is wrong ends the
 * reading: what comes behind it is not called good, and nothing before it is taken for the whole. doc/spec/trail.md.
 */
#ifndef VERIFY_VERIFY_H
#define VERIFY_VERIFY_H

#include "trail/checkpoint.h"
#include "trail/cosign.h"
#include "trail/epoch.h"
#include "trail/prune.h"
#include "trail/trail.h"

enum verify_verdict { VERIFY_UNKNOWN, VERIFY_OK, VERIFY_BAD };

enum { VERIFY_SEEDS_MAX_COUNT = 32 };

/* What is known of the epochs of a trail; see verify_seed(). */
struct verify_epochs {
    size_t seeds_count;
    struct epoch_seed seeds[VERIFY_SEEDS_MAX_COUNT];
    struct epoch_seal now;          /* the epoch of the next record, as far as it was computed */
    uint64_t floor;                 /* a seed of an earlier epoch than this says nothing of the running one */
    bool is_known, has_key;         /* its number is known; its keys are */
    struct epoch_seed next;         /* of the epoch after it, if has_key */
    uint8_t key[FORWARD_KEY_BYTES]; /* of the next record */
    uint8_t (*tags)[DIGEST_BYTES];  /* behind each record of it */
    size_t tags_cap;
    uint64_t count, sealed, lost, uncovered; /* epochs that are sealed as they say; their records; those that they leave
                                                unsealed, since the process ended in them; those of which no seed is
                                                known */
};

struct verify {
    struct trail_check check;         /* of the records that were good */
    struct trail_check before;        /* the newest record that begins an epoch */
    enum verify_verdict integrity;    /* every record is whole and canonical, and has the hash that stands beside it */
    enum verify_verdict order;        /* numbers without gaps, each with the hash of the one before it, from 0 or from
                                         where a record states that those before were removed */
    enum verify_verdict tail;         /* what the checkpoint states is in it; unknown: there is no checkpoint */
    enum verify_verdict authenticity; /* the checkpoint, and every one in the trail, has a good signature of the key;
                                         there is one. Unknown: there is no key */
    enum verify_verdict forward; /* every epoch has left the tag that the next one states. Unknown: there is no seed */
    struct verify_epochs epochs;
    bool is_anchored, has_key;
    struct checkpoint anchor;
    struct checkpoint_key key;
    bool skips; /* begin with the file that the checkpoint's last record is in: what is before it was verified then */
    uint64_t first;              /* record that was looked at */
    bool has_skipped;            /* files before it were left out on purpose, whether they are all there or not */
    struct prune_seen pruned;    /* else those records are said to have been removed */
    struct checkpoint_seen seen; /* in the trail */
    enum verify_verdict state;   /* the database is what the newest change in the trail left; unknown: not looked at */
    bool sees_states;            /* what changes leave is to be noted */
    uint64_t state_seq;          /* of the newest record with a state, if has_state */
    bool has_state;
    uint8_t stated[DIGEST_BYTES];
    char witness[CHECKPOINT_NAME_MAX_BYTES +
                 1];    /* who signed the checkpoint from outside as well; "": nobody was asked for */
    int64_t witness_us; /* when */
    const char *why; /* what is wrong with the record behind the good ones, or with the file where it should be; NULL:
                        nothing */
};

/* verify_init - nothing is read yet. verify_key - what signatures of checkpoints in the trail are checked with.
 * verify_anchor - compare with this checkpoint from outside, whose signature was `authenticity`. */
void verify_init(struct verify *v);
void verify_key(struct verify *v, const struct checkpoint_key *key);
void verify_witness(struct verify *v, const char *name, int64_t us); /* who has signed that checkpoint as well */
void verify_anchor(struct verify *v, const struct checkpoint *anchor, enum verify_verdict authenticity);

/* verify_seed - what an epoch of the trail began with, kept since then where the host cannot reach it. Returns true, or
 * false if there are too many. verify_fini - wipe them. */
bool verify_seed(struct verify *v, const struct epoch_seed *seed) MUST_USE;
void verify_fini(struct verify *v);

/* verify_record - one more. leaf: the hash that stands beside it; none: there is none. Pure. Returns 0 (go on, or it is
 * bad: v->why), or FAULT_CRYPTO. */
int verify_record(struct verify *v, struct bytes record, struct bytes leaf) MUST_USE;

/* verify_sees_states - note what each change says of the database, for verify_database(). verify_database - when the
 * trail was read: does the database in the file have exactly that? Keyless: the sum of the MACs of its rows. Returns 0
 * or a fault; one that is damaged, or no such database, is bad. */
void verify_sees_states(struct verify *v);
int verify_database(struct verify *v, const char *path) MUST_USE;

/* verify_skip - with a checkpoint: what the files of a log before it hold was verified when it was made, and is not
 * read again. What the first file that is read says of them is authenticated by the checkpoint's root. */
void verify_skip(struct verify *v);

/*
 * verify_folder - the files of a log, in the folder `at`. verify_export - records, each with its length as four bytes
 * big-endian before it, from `fd` to its end. Return 0 (then see the verdicts), or a fault: it could not be read.
 * O(bytes); reads through a buffer of 128 KiB.
 */
int verify_folder(struct verify *v, int at) MUST_USE;
int verify_export(struct verify *v, int fd) MUST_USE;

/* verify_epoch - the record that was added last, whose leaf hash is v->check.last. For verify_record(). Returns 0 (it
 * may be bad: v->why), -ENOMEM. verify_epochs_end - for verify_end(). */
int verify_epoch(struct verify *v, struct bytes record) MUST_USE;
void verify_epochs_end(struct verify *v);

/* verify_end - nothing more comes: the verdicts are complete. Returns 0 or FAULT_CRYPTO. */
int verify_end(struct verify *v) MUST_USE;

/* Bits of the exit status: what is bad. */
enum verify_bit {
    VERIFY_BIT_INTEGRITY = 1,
    VERIFY_BIT_ORDER = 2,
    VERIFY_BIT_TAIL = 4,
    VERIFY_BIT_AUTHENTICITY = 8,
    VERIFY_BIT_FORWARD = 16,
    VERIFY_BIT_STATE = 32
};
unsigned verify_bits(const struct verify *v);

#endif
