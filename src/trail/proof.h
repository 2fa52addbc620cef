/*
 * proof - proofs about a trail as text, which whoever has its key can check without a daemon and without the trail.
 *
 * That a record is in it, as C2SP tlog-proof says, the record in the line `extra`:
 *
 *     c2sp.org/tlog-proof@v1
 *     extra <the canonical record, in base64>
 *     index <its number>
 *     <a hash a line, in base64: RFC 6962 section 2.1.1>
 *
 *     <a checkpoint>
 *
 * That it extends what it was, as a log asks a witness for (C2SP tlog-witness):
 *
 *     old <number of records then>
 *     <a hash a line: RFC 6962 section 2.1.2>
 *
 *     <a checkpoint>
 */
#ifndef TRAIL_PROOF_H
#define TRAIL_PROOF_H

#include "crypt/merkle-proof.h"
#include "trail/checkpoint.h"
#include "wire/record.h"

enum {
    PROOF_HASHES_MAX_COUNT = 63, /* a tlog-proof has no more */
    PROOF_MAX_BYTES = RECORD_MAX_BYTES * 4 / 3 + PROOF_HASHES_MAX_COUNT * 45 + 128 + CHECKPOINT_NOTE_MAX_BYTES,
};

struct proof {
    bool extends;
    uint64_t at;         /* number of the record, or of records then */
    struct bytes record; /* not with `extends` */
    struct merkle_proof hashes;
    struct bytes note;
};

/* proof_write - append the text. Returns 0, FAULT_LIMIT (too many hashes), or as buf_reserve(). */
int proof_write(struct buf *out, const struct proof *proof) MUST_USE;

/* proof_read - one whole text, of which the record goes into `record`, an empty buf. Pure. Returns true, or false if it
 * is malformed; the note is not looked at. */
bool proof_read(struct bytes text, struct buf *record, struct proof *ret_proof) MUST_USE;

/*
 * proof_check - do the hashes lead to what the checkpoint states?
 * c    the note of the proof, which was read with its key
 * old  what the trail was then; only with `extends`
 * Returns 0, PROOF_FALSE, or FAULT_CRYPTO. O(hashes).
 */
enum { PROOF_FALSE = 1 };
int proof_check(const struct proof *proof, const struct checkpoint *c, const struct checkpoint *old) MUST_USE;

#endif
