/*
 * secret - memory for keys and passphrases: guarded, locked, left out of core dumps, wiped when freed.
 *
 * A struct secret is the only home of key material. No log or print function takes it, and nothing but crypt reads its
 * bytes, except through secret_view() for the few places that must (a passphrase on its way to the KDF).
 * Source: libsodium secure memory; mlock(2), madvise(2) MADV_DONTDUMP.
 */
#ifndef CRYPT_SECRET_H
#define CRYPT_SECRET_H

#include "base/bytes.h"
#include "base/fault.h"

enum { SECRET_MAX_BYTES = 4096 };

struct secret {
    uint8_t *p;
    size_t n;
};

/*
 * crypt_start - initialise the libraries; call once before anything else of this folder.
 * Checks that XChaCha20-Poly1305 really has a 24-byte nonce, and that memory can be locked. Fetches every algorithm, so
 * that nothing later needs a file. A second call only checks again.
 * Returns 0, CRYPT_UNLOCKED (all works, but mlock is not permitted: secrets could be swapped out), FAULT_CRYPTO, or the
 * fault of mmap(2).
 */
enum { CRYPT_UNLOCKED = 1 };
int crypt_start(void) MUST_USE;

/* secret_init - room for `n` bytes (1 to SECRET_MAX_BYTES), zeroed. Returns 0, -ENOMEM or FAULT_LIMIT. */
int secret_init(struct secret *ret_secret, size_t n) MUST_USE;

/* secret_init_random - `n` bytes from the kernel. Results as secret_init(). */
int secret_init_random(struct secret *ret_secret, size_t n) MUST_USE;

/* secret_init_copy - a copy of `from`, whose bytes the caller wipes. Results as secret_init(). */
int secret_init_copy(struct secret *ret_secret, struct bytes from) MUST_USE;

/* secret_fini - wipe and free; the secret is then empty. NULL and empty ones are allowed. */
void secret_fini(struct secret *s);

/* secret_view - the bytes, for as long as the secret lives. */
struct bytes secret_view(const struct secret *s);

/* secret_is_empty - true if it holds no bytes. */
bool secret_is_empty(const struct secret *s);

/* secret_wipe - zero bytes that held a secret outside a struct secret. */
void secret_wipe(void *p, size_t n);

/* secret_equal - compare two runs of the same public length in constant time; false if the lengths differ. */
bool secret_equal(struct bytes a, struct bytes b);

/* crypt_random - `n` random bytes from a per-process generator that is reseeded by the kernel; never fails, never
 * repeats after fork. Cheap enough for a nonce a message. */
void crypt_random(void *ret, size_t n);

#endif
