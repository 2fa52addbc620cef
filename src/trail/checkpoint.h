/*
 * checkpoint - a signed statement of how long a trail is and what it amounts to: text that anyone can keep and check.
 *
 * The body is three lines: origin, size, root in base64; more lines may follow and mean nothing here. A blank line,
 * then lines of signatures: an em dash, the name of the key, and in base64 the key's id and an Ed25519 signature of the
 * body. Lines of other keys are passed over. Sources: C2SP signed-note and tlog-checkpoint.
 */
#ifndef TRAIL_CHECKPOINT_H
#define TRAIL_CHECKPOINT_H

#include "base/buf.h"
#include "crypt/digest.h"
#include "crypt/sign.h"
#include "trail/trail.h"

enum {
    CHECKPOINT_NAME_MAX_BYTES = 64,
    CHECKPOINT_NOTE_MAX_BYTES = 16 << 10,
    CHECKPOINT_KEY_MAX_BYTES = 160, /* as text */
    CHECKPOINT_KEY_ID_BYTES = 4
};

/* What a signature is checked with. */
struct checkpoint_key {
    char name[CHECKPOINT_NAME_MAX_BYTES + 1];
    uint8_t id[CHECKPOINT_KEY_ID_BYTES];
    uint8_t public_key[SIGN_PUBLIC_BYTES];
};

struct checkpoint {
    uint64_t size;
    uint8_t root[DIGEST_BYTES];
};

/* checkpoint_key_of - the key of that name with the seed's public half. name  a checkpoint_name_check()ed one. Returns
 * 0 or a fault. checkpoint_name_check - it may name a key: 1 to 64 printable ASCII characters without blank and plus.
 */
int checkpoint_key_of(const char *name, const struct secret *seed, struct checkpoint_key *ret_key) MUST_USE;
bool checkpoint_name_check(struct bytes name) MUST_USE;

/* checkpoint_key_read - from "name+id+key", id in hex, key in base64 behind a byte 1. Pure. Returns true, or false for
 * any other text. checkpoint_key_write - append that. Results as buf_reserve(). */
bool checkpoint_key_read(struct bytes text, struct checkpoint_key *ret_key) MUST_USE;
int checkpoint_key_write(struct buf *out, const struct checkpoint_key *key) MUST_USE;

/* checkpoint_write - append the note, signed by the seed of `key`, whose name is the origin. Returns 0 or a fault. */
int checkpoint_write(struct buf *out, const struct checkpoint *c, const struct checkpoint_key *key,
                     const struct secret *seed) MUST_USE;

/*
 * checkpoint_read - a note that is the whole of `note`, with a good signature of `key`, whose name is its origin. Pure.
 * Returns 0, CHECKPOINT_BAD (it is no note or no checkpoint), CHECKPOINT_OTHER (of another origin, or without a
 * signature of that key), or CHECKPOINT_FORGED (that signature is wrong).
 */
enum { CHECKPOINT_BAD = 1, CHECKPOINT_OTHER = 2, CHECKPOINT_FORGED = 3 };
int checkpoint_read(struct bytes note, const struct checkpoint_key *key, struct checkpoint *ret_checkpoint) MUST_USE;

/* What the checkpoints among the records of a trail have stated so far. */
struct checkpoint_seen {
    uint64_t size; /* by the newest one; 0: there was none */
    int64_t us;    /* when; wall clock */
};

/*
 * checkpoint_see - look at one more record. before: all records before it. Returns 0 (go on: it is a good checkpoint,
 * which is noted, or none; a malformed record is none either), CHECKPOINT_BAD, CHECKPOINT_OTHER or CHECKPOINT_FORGED as
 * above, CHECKPOINT_FALSE (well signed, but not of those records), or FAULT_CRYPTO. checkpoint_why - such a result in
 * words, behind the number of the record.
 */
enum { CHECKPOINT_FALSE = 4 };
int checkpoint_see(struct checkpoint_seen *seen, struct bytes record, const struct trail_check *before,
                   const struct checkpoint_key *key) MUST_USE;
const char *checkpoint_why(int result);

#endif
