/*
 * trail - the audit trail: appending records, reading them back, and checking them.
 *
 * Records of one loop turn form a batch. Each record is a leaf of an RFC 6962 tree, and holds the leaf hash of the one
 * before it. Their home is a log of files in a folder beside the database (segments.h); a turn that changed the
 * database also puts them into its transaction, in a ring of rows, with all records before them that are not durable
 * yet: so whatever is durable in the database is complete in the trail, after a kill as after power loss, and the log
 * is completed from the database, never the other way round. A turn that changed nothing does not touch the database.
 * What the records amount to, the state of whoever keeps the trail, rides in the same row: to this folder it is bytes.
 *
 * A turn: trail_append() any number of times; trail_flush(), inside the transaction if there is one; then
 * trail_settle() with the fate of the transaction. Invariant: what is settled as committed is never changed; after a
 * failed turn the head is what it was.
 */
#ifndef TRAIL_TRAIL_H
#define TRAIL_TRAIL_H

#include "crypt/merkle-proof.h"
#include "store/store.h"
#include "trail/epoch.h"
#include "wire/record.h"

enum {
    TRAIL_BATCH_MAX_BYTES = 8 << 20,
    TRAIL_STATE_MAX_BYTES = 512,
    TRAIL_RESERVE_COUNT = 16384, /* numbers that are normally reserved */
    TRAIL_RING_COUNT = 128,      /* turns whose records the database holds as well */
    TRAIL_TAIL_MAX_BYTES =
        64 << 10, /* of earlier records that ride along; if there are more, the log is synced first */
};

struct trail;
struct trail_check;
struct prune_statement;

struct trail_head {
    uint64_t size;              /* records; the next one gets this number */
    uint8_t root[DIGEST_BYTES]; /* RFC 6962 tree head */
    uint8_t last[DIGEST_BYTES]; /* leaf hash of the newest record; zeros when empty */
};

/* trail_make - the folder for a new trail, which must not exist. ret_seed: for a verifier; the caller wipes it. It is
 * nowhere else. Returns 0, -EEXIST, or a fault. Durable when it returns. */
int trail_make(const char *folder, struct epoch_seed *ret_seed) MUST_USE;

/*
 * trail_open - take what the log holds, complete it from the database, and find the head. Re-hashes what came after the
 * last time the log was made durable.
 * Returns 0, or FAULT_CORRUPT when records are missing, do not form a chain, or differ between the two, when one of the
 * two is an older copy than the other, or than the key of the next epoch; -ENOENT when there is no such key; or
 * another fault. The store is borrowed: it must outlive the trail. Others may
 * use it between any two calls of this folder, and inside the callback of trail_read().
 * reserve  numbers that may be used before the log is made durable again; 0: none, so every turn is to be durable
 */
int trail_open(struct store *store, const char *folder, uint64_t reserve, struct trail **ret_trail) MUST_USE;

/* trail_set_reserve - another number of them from the next time on. */
void trail_set_reserve(struct trail *trail, uint64_t reserve);

/* trail_lost - how many records may have been answered for and be missing, because the host ended before they were
 * durable: a bound, known at opening; 0: none is missing. */
uint64_t trail_lost(const struct trail *trail);

/* trail_close - make the log durable, and say in it that it ended in order, unless that cannot be. NULL is allowed;
 * returns NULL. */
struct trail *trail_close(struct trail *trail);

/*
 * trail_append - add a record to the turn's batch.
 * r  its seq and prev are set here; texts are copied
 * Returns 0, FAULT_LIMIT (a text is too long, or the batch is full), FAULT_PROTOCOL (as record_encode()), -ENOMEM or
 * FAULT_CRYPTO; nothing is added then. Not between trail_flush() and trail_settle().
 * Two hashes and a copy: about 0.7 us.
 */
int trail_append(struct trail *trail, struct record *r) MUST_USE;

/*
 * trail_begin_epoch - add the record that ends the running epoch, if any, and begins the next. r: as for
 * trail_append(); its kind and detail are set here. Results as trail_append(). There must be no pending records.
 * trail_epoch_count - settled records of the running epoch; TRAIL_NO_EPOCH: none is running, since the trail was opened
 * and none has begun; what is appended then is not sealed.
 */
#define TRAIL_NO_EPOCH UINT64_MAX
int trail_begin_epoch(struct trail *trail, struct record *r) MUST_USE;
uint64_t trail_epoch_count(const struct trail *trail);

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
    uint64_t prunes;
};
void trail_mark(const struct trail *trail, struct trail_mark *ret_mark);
void trail_rewind(struct trail *trail, const struct trail_mark *mark);

/* trail_use_spare - the turn's records may go where room is kept for saying that there is no other. Only for a turn
 * that changes nothing in the database; when it is settled that is over. */
void trail_use_spare(struct trail *trail);

/*
 * trail_flush - make sure that the batch can be kept. Does nothing for an empty one. Once a turn.
 * state       the owner's state after the turn, 1 to TRAIL_STATE_MAX_BYTES bytes: there is an open transaction, into
 *             which the batch is written; it must not be empty. Or empty: there is none, and the state is as it was
 * is_durable  trail_sync() follows before anything of the turn is answered
 * Returns 0 or a fault. May make the log durable first: when numbers were not reserved far enough.
 */
int trail_flush(struct trail *trail, struct bytes state, bool is_durable) MUST_USE;

/* trail_state - the owner's state after the last settled turn; empty before the first. Valid until the next settle. */
struct bytes trail_state(const struct trail *trail);

/* trail_settle - the turn is over: keep the batch, or forget it and restore the head. A transaction that held it is
 * durable by now, or was rolled back. */
void trail_settle(struct trail *trail, bool is_committed);

/*
 * trail_sync - make every settled record durable. Returns 0, FAULT_SYNC or FAULT_GONE, both final: see store_sync().
 * One fdatasync, or none if nothing came since; two more when an epoch has begun. trail_wants_sync - it should not
 * wait: numbers that were reserved run out, so that before long trail_flush() would do it; or an epoch has begun, and
 * the start key of it is still in its file.
 */
int trail_sync(struct trail *trail) MUST_USE;
bool trail_wants_sync(const struct trail *trail);

/* trail_kept - how many of the first records power loss cannot take any more: they are durable, here or in the
 * database.
 */
uint64_t trail_kept(const struct trail *trail);

/* trail_size - records committed or pending: the number the next record gets. */
uint64_t trail_size(const struct trail *trail);

/* trail_head - the head after the last settled turn. trail_tip - with the records that are pending. Return 0 or
 * FAULT_CRYPTO. */
int trail_head(const struct trail *trail, struct trail_head *ret_head) MUST_USE;
int trail_tip(const struct trail *trail, struct trail_head *ret_head) MUST_USE;

/* trail_first - number of the first record that is there; those before were pruned. trail_base - what they amount to;
 * of an unpruned trail: nothing. Returns 0 or a fault. */
uint64_t trail_first(const struct trail *trail);
int trail_base(struct trail *trail, struct trail_check *ret_base) MUST_USE;

/*
 * trail_plan_prune - what can be removed: of the oldest TRAIL_PRUNE_MAX_COUNT files those that hold only records before
 * number `before`, and that the next file was begun after no later than `until_us`, by the wall clock of that time.
 * trail_prune - do it when the turn is settled as committed. There is an open transaction, which notes it; the turn has
 * a record that states it. A view of such a record is then valid no longer.
 * Return 0, TRAIL_WHOLE (no file holds only such records), or a fault. O(files).
 */
enum { TRAIL_WHOLE = 1, TRAIL_PRUNE_MAX_COUNT = 256 };
int trail_plan_prune(struct trail *trail, uint64_t before, int64_t until_us,
                     struct prune_statement *ret_statement) MUST_USE;
int trail_prune(struct trail *trail, const struct prune_statement *s) MUST_USE;

/* trail_prunes - the turn prunes already: it cannot be planned for again before it is settled. */
bool trail_prunes(const struct trail *trail);

/* trail_shed - remove the summaries of what is planned to go: they are made anew when they are wanted, and leave room
 * on a storage that has none. */
void trail_shed(struct trail *trail, const struct prune_statement *s);

/*
 * trail_read - hand committed records to `on_record`, upwards from number `first`, or downwards if `is_downwards`.
 * first      a number past the end stands for the newest record downwards, and for none upwards; one that was pruned
 *            for the first record that is there upwards, and for none downwards
 * on_record  gets the number and the canonical bytes; returns 0 to go on, TRAIL_ENOUGH to end, or a fault. It may use
 *            the store, the trail, and trail_read() again; what is committed meanwhile is not handed over
 * Returns 0 or a fault; FAULT_CORRUPT when a stored record is malformed or missing. O(records handed over); no copies.
 */
enum { TRAIL_ENOUGH = 1 };
int trail_read(struct trail *trail, uint64_t first, bool is_downwards,
               int (*on_record)(uint64_t seq, struct bytes record, void *arg), void *arg) MUST_USE;

/* What a reader looks for; what is not set is anything. path: it, and what is below it; as it was asked, with names in
 * the clear. */
struct trail_filter {
    bool has_uid, has_outcome, has_session, is_refused;
    uint32_t uid;
    unsigned kind, outcome; /* kind 0: any */
    uint64_t rule, session; /* rule 0: any */
    int64_t since_us, until_us;
    struct bytes path;
};

/*
 * trail_query - trail_read(), but what cannot pass the filter may be left out. What is handed over need not pass it.
 * last, ends  set: not ends: so much was looked at that it is to go on in another call behind record `last`, unless
 *             on_record said TRAIL_ENOUGH
 * Results as trail_read(). About 0.2 us for each 256 records that are left out, 0.7 us the first time; where their
 * summaries are not there yet, 0.1 ms.
 */
struct trail_query {
    struct trail_filter filter;
    int (*on_record)(uint64_t seq, struct bytes record, void *arg);
    void *arg;
    uint64_t last;
    bool ends;
};
int trail_query(struct trail *trail, uint64_t first, bool is_downwards, struct trail_query *query) MUST_USE;

/*
 * trail_prove - that record `seq`, which is settled and was not pruned, is in the tree that trail_head() gives;
 * ret_record: its bytes, valid until the trail is closed. trail_prove_extends - that this tree begins with the one of
 * the first `from` records, at least 1 and trail_first(). Each proof is checked before it is given. Return 0,
 * TRAIL_UNPROVABLE (what is stored beside the records does not belong to this tree), or a fault. O(log size) hashes,
 * the records of two runs, and one root for each 65,536 records.
 */
enum { TRAIL_UNPROVABLE = 1 };
int trail_prove(struct trail *trail, uint64_t seq, struct merkle_proof *ret_proof, struct bytes *ret_record) MUST_USE;
int trail_prove_extends(struct trail *trail, uint64_t from, struct merkle_proof *ret_proof) MUST_USE;

/* trail_bytes - of all settled records, as trail_copy() gives them: a base if some were pruned (prune.h); then frames,
 * each the length of a record (four bytes, big-endian), its leaf hash and its bytes. trail_copy - `n` of those bytes
 * from `offset` on, which must lie in what trail_bytes() said last, or before. What lies there does not change until
 * something is pruned. 0 or a fault. */
int trail_bytes(struct trail *trail, uint64_t *ret_bytes) MUST_USE;
int trail_copy(struct trail *trail, uint64_t offset, uint8_t *ret, size_t n) MUST_USE;

/*
 * trail_import - a log made from those bytes, for a store that is restored: trail_import_begin() makes the folder,
 * which must not exist; trail_import_add() takes the next bytes, of any length; trail_import_end() makes it durable,
 * and a new seed for the epochs to come: the keys of those that were are not in a copy.
 * Return 0, FAULT_CORRUPT (frames that do not form a chain, or are cut), or another fault. trail_import_free - NULL is
 * allowed; the folder stays.
 */
struct trail_import;
int trail_import_begin(const char *folder, struct trail_import **ret_import) MUST_USE;
int trail_import_add(struct trail_import *import, struct bytes bytes) MUST_USE;
int trail_import_end(struct trail_import *import, struct epoch_seed *ret_seed) MUST_USE;
void trail_import_free(struct trail_import *import);

/*
 * trail_check - recompute a trail from its records alone, trusting nothing stored.
 * Start from a zeroed struct with trail_check_init(), add every record in order, compare the head.
 */
struct trail_check {
    struct merkle tree;
    uint8_t last[DIGEST_BYTES];
};
void trail_check_init(struct trail_check *c);

/*
 * trail_check_add - one more record. Returns 0, TRAIL_MALFORMED (not a canonical record), TRAIL_GAP (wrong number),
 * TRAIL_BROKEN (it does not hold the hash of the record before it), or FAULT_CRYPTO; with a non-zero result nothing is
 * added. trail_check_add_beside - the same for one with a hash beside it: also TRAIL_OTHER (it has another hash).
 */
enum { TRAIL_MALFORMED = 1, TRAIL_GAP = 2, TRAIL_BROKEN = 3, TRAIL_OTHER = 4 };
int trail_check_add(struct trail_check *c, struct bytes record) MUST_USE;
int trail_check_add_beside(struct trail_check *c, struct bytes record, struct bytes leaf) MUST_USE;

/* trail_check_head - what the records added so far amount to. Returns 0 or FAULT_CRYPTO. */
int trail_check_head(const struct trail_check *c, struct trail_head *ret_head) MUST_USE;

#endif
