/*
 * epoch-keys - the keys of the running epoch, in memory, and the start key of the next one, in a file. No other folder
 * includes it.
 *
 * The file `epoch.key` in the folder of the log has two places of 4096 bytes; one of them holds the start key of the
 * epoch after the newest one whose beginning is durable, the other is zeros. It is written behind the log, never before
 * it: a file that is behind is caught up with, one that is ahead means that the log is an older copy.
 *
 * offset 0   "SRTRKEY" and version (one byte), number of the epoch (8), 1 if its start key is a seed (8), the start key
 *            (32), the SHA-256 of all before
 */
#ifndef TRAIL_EPOCH_KEYS_H
#define TRAIL_EPOCH_KEYS_H

#include "trail/epoch.h"

struct epoch_keys {
    struct secret keys;         /* of the next leaf; behind what is folded; the next start key; that if what is
                                   folded begins an epoch */
    struct epoch_seal seal;     /* of settled records */
    struct epoch_seal folded;   /* with a batch that is not settled */
    uint64_t next;              /* number of the epoch that the start key is of */
    bool is_running;            /* an epoch has begun: leaves are sealed */
    bool begins, is_folded;     /* a batch that is folded begins an epoch; there is one */
    bool is_reseeded, is_saved; /* what the file says of it; the file holds the next start key */
    int fd;
    size_t place; /* of the file, that is in use */
};

/* epoch_keys_make - the file for a new trail, or one whose last epoch is `last`: its start key is a new seed, which is
 * returned. last: NULL: none. Returns 0 or a fault. */
int epoch_keys_make(int folder, const uint64_t *last, struct epoch_seed *ret_seed) MUST_USE;

/* epoch_keys_open - read the file. found: what is known to be sealed; in an empty trail the first epoch begins at once.
 * Returns 0, -ENOENT (there is no such file), FAULT_CORRUPT (it is damaged, or of a longer trail), or another fault. k:
 * zeroed before the first call. epoch_keys_close - wipes; one that was not opened is allowed. */
int epoch_keys_open(struct epoch_keys *k, int folder, const struct epoch_seal *found, bool is_empty) MUST_USE;
void epoch_keys_close(struct epoch_keys *k);

/* epoch_keys_statement - what the record that begins the next epoch is to say. */
void epoch_keys_statement(const struct epoch_keys *k, struct epoch_statement *ret_statement);

/* epoch_keys_fold - the frames of a batch, the first of which is record `first`. epoch_keys_settle - keep that, and
 * erase the keys before; or forget it. Cannot fail. 0.2 us a frame. */
void epoch_keys_fold(struct epoch_keys *k, uint64_t first, struct bytes frames);
void epoch_keys_settle(struct epoch_keys *k, bool is_committed);

/* epoch_keys_save - the log is durable with all that is settled: erase the start key that was used, from the file in
 * that folder. Returns 0, FAULT_SYNC, or FAULT_GONE (the file is not there any more); both are final. Two fdatasync
 * when an epoch has begun since; else nothing. epoch_keys_wants_save - there is something to do. */
int epoch_keys_save(struct epoch_keys *k, int folder) MUST_USE;
bool epoch_keys_wants_save(const struct epoch_keys *k);

#endif
