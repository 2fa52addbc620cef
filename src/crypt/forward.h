/*
 * forward - keys that are used for one leaf each and then erased, and the tag they leave behind.
 *
 * An epoch begins with a start key, from which its first key and the start key of the next epoch come. Each leaf turns
 * key and tag into the next ones; from later ones no earlier one can be found. So who breaks in learns the keys of
 * leaves to come, and can make no tag for others in place of those that were; who kept the first start key elsewhere
 * can make every tag again. One tag stands for all leaves of the epoch so far: without the last of them it is another.
 *
 * Source: Schneier and Kelsey 1998; aggregate tags as in FssAgg (Ma and Tsudik 2009). BLAKE2b: RFC 7693.
 */
#ifndef CRYPT_FORWARD_H
#define CRYPT_FORWARD_H

#include "crypt/digest.h"

enum { FORWARD_KEY_BYTES = 32 };

/* forward_begin - the first key of an epoch, and the start key of the next: halves of BLAKE2b-512 over `start` and
 * "secreg trail epoch". The two results may be `start` itself. About 0.2 us; cannot fail after crypt_start(). */
void forward_begin(const uint8_t start[static FORWARD_KEY_BYTES], uint8_t ret_key[static FORWARD_KEY_BYTES],
                   uint8_t ret_next_start[static FORWARD_KEY_BYTES]);

/* forward_add - one more leaf: the next tag and key, in place, are the halves of BLAKE2b-512 over key, tag and leaf.
 * The first tag of an epoch is zero. About 0.2 us; cannot fail. */
void forward_add(uint8_t key[static FORWARD_KEY_BYTES], uint8_t tag[static DIGEST_BYTES],
                 const uint8_t leaf[static DIGEST_BYTES]);

#endif
