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
#include "trail/trail.h"

enum verify_verdict { VERIFY_UNKNOWN, VERIFY_OK, VERIFY_BAD };

struct verify {
    struct trail_check check;         /* of the records that were good */
    enum verify_verdict integrity;    /* every record is whole and canonical, and has the hash that stands beside it */
    enum verify_verdict order;        /* numbers without gaps from 0, each with the hash of the one before it */
    enum verify_verdict tail;         /* what the checkpoint states is in it; unknown: there is no checkpoint */
    enum verify_verdict authenticity; /* the checkpoint, and every one in the trail, has a good signature of the key;
                                         there is one. Unknown: there is no key */
    bool is_anchored, has_key;
    struct checkpoint anchor;
    struct checkpoint_key key;
    bool skips; /* begin with the file that the checkpoint's last record is in: what is before it was verified then */
    uint64_t first;              /* record that was looked at */
    struct checkpoint_seen seen; /* in the trail */
    const char *why; /* what is wrong with the record behind the good ones, or with the file where it should be; NULL:
                        nothing */
};

/* verify_init - nothing is read yet. verify_key - what signatures of checkpoints in the trail are checked with.
 * verify_anchor - compare with this checkpoint from outside, whose signature was `authenticity`. */
void verify_init(struct verify *v);
void verify_key(struct verify *v, const struct checkpoint_key *key);
void verify_anchor(struct verify *v, const struct checkpoint *anchor, enum verify_verdict authenticity);

/* verify_record - one more. leaf: the hash that stands beside it; none: there is none. Pure. Returns 0 (go on, or it is
 * bad: v->why), or FAULT_CRYPTO. */
int verify_record(struct verify *v, struct bytes record, struct bytes leaf) MUST_USE;

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

/* verify_end - nothing more comes: the verdicts are complete. Returns 0 or FAULT_CRYPTO. */
int verify_end(struct verify *v) MUST_USE;

/* Bits of the exit status: what is bad. */
enum verify_bit { VERIFY_BIT_INTEGRITY = 1, VERIFY_BIT_ORDER = 2, VERIFY_BIT_TAIL = 4, VERIFY_BIT_AUTHENTICITY = 8 };
unsigned verify_bits(const struct verify *v);

#endif
