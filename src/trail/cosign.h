/*
 * cosign - what a witness adds to a checkpoint: a signature, with a time, that says it has seen this trail grow up to
 * there and never be anything else.
 *
 * A line of the note, like those of other signatures: the key's id, the time in seconds (8 bytes, big-endian), and an
 * Ed25519 signature of "cosignature/v1", the line "time N", and the body of the note. Source: C2SP tlog-cosignature,
 * whose keys are of the type 4, and signed-note.
 */
#ifndef TRAIL_COSIGN_H
#define TRAIL_COSIGN_H

#include "trail/checkpoint.h"

/* cosign_key_of, cosign_key_read, cosign_key_write - as those of checkpoints, with keys of that type. */
int cosign_key_of(const char *name, const struct secret *seed, struct checkpoint_key *ret_key) MUST_USE;
bool cosign_key_read(struct bytes text, struct checkpoint_key *ret_key) MUST_USE;
int cosign_key_write(struct buf *out, const struct checkpoint_key *key) MUST_USE;

/* cosign_write - append a note with one more line, signed at a time by the seed of `key`. Returns 0, CHECKPOINT_BAD (it
 * is no note), or a fault. */
int cosign_write(struct buf *out, struct bytes note, uint64_t time_s, const struct checkpoint_key *key,
                 const struct secret *seed) MUST_USE;

/* cosign_read - when a witness has signed a note. Returns 0, CHECKPOINT_BAD (it is no note), CHECKPOINT_OTHER (it has
 * no line of that key), or CHECKPOINT_FORGED. Pure. Of more than one line of the key the newest counts, if all are
 * good. */
int cosign_read(struct bytes note, const struct checkpoint_key *key, uint64_t *ret_time_s) MUST_USE;

#endif
