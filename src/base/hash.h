/*
 * hash - SipHash-2-4, the keyed hash of tables whose keys a peer can choose. Not for authentication of stored data.
 * Source: J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF", 2012.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/bytes.h"

struct hash_key {
    uint64_t k0, k1;
};

/* hash_siphash - 64-bit keyed hash of `in`; about 1 ns a byte, never fails. */
uint64_t hash_siphash(const struct hash_key *key, struct bytes in);

/* hash_process_key - a key drawn from the kernel once a process; the same key until the process ends. */
const struct hash_key *hash_process_key(void);

#endif
