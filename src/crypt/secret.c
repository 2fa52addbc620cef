/*
 * secret - see secret.h.
 *
 * Each secret has pages of its own between two guard pages, with its last byte against the second one, so that a read
 * past the end ends the process. Some system calls each: secrets are made at start, at unlock and for a passphrase,
 * never for each request.
 */
#include "crypt/secret.h"

#include "crypt/crypt-internal.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What the keys of a store and a few passphrases need; one page alone would say little. */
enum { LOCK_PROBE_PAGES = 16 };

static bool started;

static_assert(SEAL_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "seal.h states the key of the cipher");
static_assert(SEAL_NONCE_BYTES == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "seal.h states its nonce");
static_assert(SEAL_TAG_BYTES == crypto_aead_xchacha20poly1305_ietf_ABYTES, "seal.h states its tag");

/* The library that is loaded may be another than the one whose header was compiled in. */
static bool cipher_is_as_compiled(void)
{
    return crypto_aead_xchacha20poly1305_ietf_keybytes() == SEAL_KEY_BYTES &&
           crypto_aead_xchacha20poly1305_ietf_npubbytes() == SEAL_NONCE_BYTES &&
           crypto_aead_xchacha20poly1305_ietf_abytes() == SEAL_TAG_BYTES;
}

static int probe_lock(void)
{
    size_t n = LOCK_PROBE_PAGES * (size_t)sysconf(_SC_PAGESIZE);
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return RAISE(-errno);
    int r = sodium_mlock(p, n) == 0 ? 0 : CRYPT_UNLOCKED;
    if (munmap(p, n) != 0) /* unlocks as well */
        return RAISE(-errno);
    return r;
}

int crypt_start(void)
{
    uint8_t first;
    if (sodium_init() < 0 || !cipher_is_as_compiled())
        return RAISE(FAULT_CRYPTO);
    TRY(digest_start());
    TRY(kdf_start());
    TRY(siv_start());
    crypt_random(&first, sizeof first); /* maps its page now, while that is still allowed */
    started = true;
    return probe_lock();
}

int secret_init(struct secret *ret_secret, size_t n)
{
    assert(started);
    if (n == 0 || n > SECRET_MAX_BYTES)
        return RAISE(FAULT_LIMIT);
    uint8_t *p = sodium_malloc(n);
    if (p == NULL)
        return RAISE(-ENOMEM);
    memset(p, 0, n);
    *ret_secret = (struct secret){p, n};
    return 0;
}

int secret_init_random(struct secret *ret_secret, size_t n)
{
    TRY(secret_init(ret_secret, n));
    random_kernel(ret_secret->p, n);
    return 0;
}

int secret_init_copy(struct secret *ret_secret, struct bytes from)
{
    TRY(secret_init(ret_secret, from.n));
    memcpy(ret_secret->p, from.p, from.n);
    return 0;
}

void secret_fini(struct secret *s)
{
    if (s == NULL)
        return;
    sodium_free(s->p);
    *s = (struct secret){0};
}

struct bytes secret_view(const struct secret *s)
{
    assert(s->p != NULL || s->n == 0);
    return (struct bytes){s->p, s->n};
}

bool secret_is_empty(const struct secret *s)
{
    return s->n == 0;
}

void secret_wipe(void *p, size_t n)
{
    if (n > 0)
        explicit_bzero(p, n);
}

bool secret_equal(struct bytes a, struct bytes b)
{
    return a.n == b.n && (a.n == 0 || sodium_memcmp(a.p, b.p, a.n) == 0);
}
