/*
 * epoch - stretches of a trail that are sealed with keys which were erased, and what is said of them.
 *
 * The records of an epoch leave one tag (crypt/forward.h). The first record of the next epoch is of the kind epoch: it
 * has its number, and up to which record the one before is sealed, with the tag; itself it is the first leaf under
 * the next key. Epoch 0 begins with the first record of the trail. Epochs are counted, not timed: no step of a clock
 * touches them, and none can be left out. doc/spec/trail.md.
 */
#ifndef TRAIL_EPOCH_H
#define TRAIL_EPOCH_H

#include "crypt/forward.h"
#include "wire/record.h"

enum {
    EPOCH_MAX_COUNT = 1 << 18, /* records of one epoch that a verifier follows */
    EPOCH_TEXT_MAX_BYTES = 160,
    EPOCH_SEED_MAX_BYTES = 120, /* as text */
};

/* What an epoch has sealed: its records from `first` to before `size` have left `tag`. */
struct epoch_seal {
    uint64_t number, first, size;
    uint8_t tag[DIGEST_BYTES];
};

/* What the record that begins an epoch states. */
struct epoch_statement {
    uint64_t number;
    uint64_t sealed; /* of the records before it those before this one are sealed, unless an earlier epoch left some */
    uint8_t tag[DIGEST_BYTES];
    bool is_reseeded; /* the start key comes from a new seed: the trail was restored */
};

/* epoch_write - the detail of such a record. epoch_read - what it says. Pure. Returns false for any other text. */
void epoch_write(const struct epoch_statement *s, char ret[static EPOCH_TEXT_MAX_BYTES]);
bool epoch_read(struct bytes detail, struct epoch_statement *ret_statement) MUST_USE;

/* What a verifier has from elsewhere: the start key of an epoch, from which those of all later ones come. */
struct epoch_seed {
    uint64_t number;
    uint8_t start[FORWARD_KEY_BYTES];
};

/* epoch_seed_write - "secreg-seed:NUMBER:HEX"; the caller wipes it. epoch_seed_read - from that. Pure. Returns false
 * for any other text. */
void epoch_seed_write(const struct epoch_seed *seed, char ret[static EPOCH_SEED_MAX_BYTES]);
bool epoch_seed_read(struct bytes text, struct epoch_seed *ret_seed) MUST_USE;

#endif
