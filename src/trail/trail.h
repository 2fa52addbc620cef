/*
 * trail - the audit trail: appending records, reading them back, and checking them.
 *
 * Records of one loop turn form a batch that rides in the turn's database transaction. Each record is a leaf of
 * an RFC 6962 tree, and holds the leaf hash of the one before it. Where a batch is stored is known to this folder
 * alone: today a row of the table turn (records framed as u32 big-endian length and bytes), later a log of its own
 * beside the database. What the records amount to, the state of whoever keeps the trail, rides in the same row: to this
 * folder it is bytes.
 *
 * A turn: trail_append() any number of times; trail_flush() inside the transaction; then trail_settle() with the fate
 * of the transaction. Invariant: what is settled as committed is never changed; after a failed turn the head is what it
 * was.
 */
#ifndef TRAIL_TRAIL_H
#define TRAIL_TRAIL_H

#include "crypt/merkle.h"
#include "store/store.h"
#include "wire/record.h"

enum { TRAIL_FRONTIER_EVERY_COUNT = 1024, TRAIL_BATCH_MAX_BYTES = 8 << 20, TRAIL_STATE_MAX_BYTES = 512 };

struct trail;

struct trail_head {
    uint64_t size;              /* records; the next one gets this number */
    uint8_t root[DIGEST_BYTES]; /* RFC 6962 tree head */
    uint8_t last[DIGEST_BYTES]; /* leaf hash of the newest record; zeros when empty */
};

/*
 * trail_open - load the head; re-hashes the records since the last stored frontier (about a thousand at most).
 * Returns 0, or FAULT_CORRUPT when those records do not form a chain, or another fault. The store is borrowed: it must
 * outlive the trail. Others may use it between any two calls of this folder, and inside the callback of trail_read().
 */
int trail_open(struct store *store, struct trail **ret_trail) MUST_USE;

/* trail_close - NULL is allowed; returns NULL. */
struct trail *trail_close(struct trail *trail);

/*
 * trail_append - add a record to the turn's batch.
 * r  its seq and prev are set here; texts are copied
 * Returns 0, FAULT_LIMIT (a text is too long, or the batch is full), FAULT_PROTOCOL (as record_encode()), -ENOMEM or
 * FAULT_CRYPTO; nothing is added then. Not between trail_flush() and trail_settle().
 * Two hashes and a copy: about 0.7 us.
 */
int trail_append(struct trail *trail, struct record *r) MUST_USE;

/* trail_pending - records in the turn's batch. */
size_t trail_pending(const struct trail *trail);

/* trail_room - bytes that the turn's batch still takes; a record needs at most RECORD_MAX_BYTES and 4. */
size_t trail_room(const struct trail *trail);

/*
 * trail_mark - where the turn's batch is now. trail_rewind - forget the records appended since the mark, which is of
 * this turn. Not between trail_flush() and trail_settle().
 */
struct trail_mark {
    struct merkle tree;
    uint8_t last[DIGEST_BYTES];
    size_t count, bytes;
};
void trail_mark(const struct trail *trail, struct trail_mark *ret_mark);
void trail_rewind(struct trail *trail, const struct trail_mark *mark);

/*
 * trail_flush - write the batch into the open transaction. Does nothing for an empty batch. Once a turn.
 * state  the owner's state after the turn, 1 to TRAIL_STATE_MAX_BYTES bytes; or empty: it is as it was. A state without
 *        a record cannot be kept: then the batch must not be empty
 * Returns 0 or a fault.
 */
int trail_flush(struct trail *trail, struct bytes state) MUST_USE;

/* trail_state - the owner's state after the last settled turn; empty before the first. Valid until the next settle. */
struct bytes trail_state(const struct trail *trail);

/* trail_settle - the transaction is over: keep the batch, or forget it and restore the head. */
void trail_settle(struct trail *trail, bool is_committed);

/* trail_size - records committed or pending: the number the next record gets. */
uint64_t trail_size(const struct trail *trail);

/* trail_head - the head after the last settled turn. Returns 0 or FAULT_CRYPTO. */
int trail_head(const struct trail *trail, struct trail_head *ret_head) MUST_USE;

/*
 * trail_read - hand committed records to `on_record`, upwards from number `first`, or downwards if `is_downwards`.
 * first      a number past the end stands for the newest record downwards, and for none upwards
 * on_record  gets the number and the canonical bytes; returns 0 to go on, TRAIL_ENOUGH to end, or a fault. No statement
 *            is in use meanwhile, so it may use the store, the trail, and trail_read() again; what is committed
 *            meanwhile is not handed over
 * Returns 0 or a fault; FAULT_CORRUPT when a stored batch is malformed, missing, or overlaps another. O(records handed
 * over), in chunks of about 32 KiB.
 */
enum { TRAIL_ENOUGH = 1 };
int trail_read(struct trail *trail, uint64_t first, bool is_downwards,
               int (*on_record)(uint64_t seq, struct bytes record, void *arg), void *arg) MUST_USE;

/*
 * trail_check - recompute a trail from its records alone, trusting nothing stored.
 * Start from a zeroed struct with trail_check_init(), add every record in order, compare the head.
 */
struct trail_check {
    struct merkle tree;
    uint8_t last[DIGEST_BYTES];
};
void trail_check_init(struct trail_check *c);

/* trail_check_add - Returns 0, TRAIL_MALFORMED (not a canonical record), TRAIL_GAP (wrong number), TRAIL_BROKEN (it
 * does not hold the hash of the record before it), or FAULT_CRYPTO. After a non-zero result the check is over. */
enum { TRAIL_MALFORMED = 1, TRAIL_GAP = 2, TRAIL_BROKEN = 3 };
int trail_check_add(struct trail_check *c, struct bytes record) MUST_USE;

/* trail_check_head - what the records added so far amount to. Returns 0 or FAULT_CRYPTO. */
int trail_check_head(const struct trail_check *c, struct trail_head *ret_head) MUST_USE;

#endif
