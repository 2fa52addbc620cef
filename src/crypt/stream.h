/*
 * stream - authenticated encryption of something long, in chunks that are each checked before they are used.
 *
 * Chunk i of a stream is sealed with XChaCha20-Poly1305 under the stream's own key with the nonce `15 zero bytes | i
 * (8 bytes, big-endian) | last (1 byte)`: so chunks can be opened one by one, and none can be moved, left out,
 * repeated, or taken for the last one. Invariant: a key serves one stream only, because nonces are counted and not
 * drawn. Source: STREAM of Hoang, Reyhanitabar, Rogaway and Vizar, "Online Authenticated-Encryption and its Nonce-Reuse
 * Misuse-Resistance" (2015); C2SP chunked-encryption; draft-irtf-cfrg-xchacha-03.
 */
#ifndef CRYPT_STREAM_H
#define CRYPT_STREAM_H

#include "crypt/seal.h"

enum { STREAM_CHUNK_BYTES = 65536 /* plain bytes of every chunk but the last */, STREAM_TAG_BYTES = 16 };

/* stream_chunks - chunks of a stream of `plain_bytes`, at least one. stream_bytes - their sealed length together. */
uint64_t stream_chunks(uint64_t plain_bytes);
uint64_t stream_bytes(uint64_t plain_bytes);

/*
 * stream_close - write the sealed form of a chunk (plain.n + STREAM_TAG_BYTES) at `ret`, which may not overlap `plain`.
 * key      SEAL_KEY_BYTES, of this stream alone
 * ad       what the stream belongs to: the same for every chunk
 * Returns 0 or FAULT_CRYPTO. About 0.6 ns a byte.
 */
int stream_close(uint8_t *ret, const struct secret *key, struct bytes ad, uint64_t chunk, bool is_last,
                 struct bytes plain) MUST_USE;

/*
 * stream_open - write the plain text of a chunk (sealed.n - STREAM_TAG_BYTES) at `ret`.
 * Returns 0, or SEAL_BAD (another key, place or length, or changed bytes) with that area wiped.
 */
int stream_open(uint8_t *ret, const struct secret *key, struct bytes ad, uint64_t chunk, bool is_last,
                struct bytes sealed) MUST_USE;

#endif
