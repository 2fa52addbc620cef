/*
 * random - the generator behind crypt_random() (see secret.h), so that a nonce costs no system call.
 *
 * ChaCha20 with fast key erasure: a 32-byte key makes one block of keystream; its first 32 bytes become the next key at
 * once, the rest is handed out, and each byte is wiped as it leaves. Who reads the memory later learns nothing about
 * what was handed out before. After RESEED_BLOCKS blocks (64 KiB) 32 bytes from getrandom(2) are mixed into the key.
 *
 * Invariant: no two processes use the same state. It lives in one page of its own that the kernel hands to a forked
 * child as zeros (MADV_WIPEONFORK), and zeros mean "nothing left, seed first". A page that cannot be had, or not with
 * that promise, is not used: every call then goes to the kernel. Two copies of one virtual machine resumed from a
 * snapshot can repeat each other until the next seed; the kernel gives a process no cheap way to see that.
 *
 * Not for signal handlers and threads: the daemons have neither.
 * Source: D. J. Bernstein, "Fast-key-erasure random-number generators", 2017; madvise(2); getrandom(2).
 */
#include "crypt/crypt-internal.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

enum { POOL_BYTES = 4096, POOL_KEY_BYTES = 32, RESEED_BLOCKS = 16 };

struct pool {
    uint64_t left;        /* bytes at the end of `block` that were not handed out yet */
    uint64_t blocks_left; /* blocks that may be made before the kernel is asked again */
    uint8_t key[POOL_KEY_BYTES];
    uint8_t block[POOL_BYTES - POOL_KEY_BYTES - 16];
};

static_assert(sizeof(struct pool) == POOL_BYTES, "the state is one page");
static_assert(POOL_KEY_BYTES == crypto_stream_chacha20_KEYBYTES, "the key is one of ChaCha20");

void random_kernel(void *ret, size_t n)
{
    uint8_t *p = ret;
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort(); /* a process without random numbers must not go on to make keys */
        p += got;
        n -= (size_t)got;
    }
}

static struct pool *pool_get(void)
{
    static struct pool *kept;
    if (kept != NULL)
        return kept;
    struct pool *g = mmap(NULL, sizeof *g, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g == MAP_FAILED)
        return NULL;
    if (madvise(g, sizeof *g, MADV_WIPEONFORK) != 0) {
        (void)munmap(g, sizeof *g);
        return NULL;
    }
    (void)sodium_mlock(
        g, sizeof *g); /* crypt_start() says whether memory can be locked; this also keeps it out of dumps */
    return kept = g;
}

static void refill(struct pool *g)
{
    static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES]; /* a key makes one block, so it needs no other */
    if (g->blocks_left == 0) {
        uint8_t seed[POOL_KEY_BYTES];
        random_kernel(seed, sizeof seed);
        for (size_t i = 0; i < sizeof seed; i++)
            g->key[i] ^= seed[i];
        secret_wipe(seed, sizeof seed);
        g->blocks_left = RESEED_BLOCKS;
    }
    (void)crypto_stream_chacha20(g->block, sizeof g->block, nonce, g->key); /* always 0 */
    memcpy(g->key, g->block, sizeof g->key);
    secret_wipe(g->block, sizeof g->key);
    g->blocks_left--;
    g->left = sizeof g->block - sizeof g->key;
}

void crypt_random(void *ret, size_t n)
{
    struct pool *g = pool_get();
    uint8_t *to = ret;
    assert(ret != NULL || n == 0);
    if (g == NULL) {
        random_kernel(ret, n);
        return;
    }
    while (n > 0) {
        if (g->left == 0)
            refill(g);
        assert(g->left <= sizeof g->block - sizeof g->key);
        uint8_t *from = g->block + sizeof g->block - g->left;
        size_t part = MIN_OF(n, g->left);
        memcpy(to, from, part);
        secret_wipe(from, part);
        g->left -= part;
        to += part;
        n -= part;
    }
}
