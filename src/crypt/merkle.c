/*
 * merkle - see merkle.h.
 *
 * The tree of n leaves is the row of full subtrees that the bits of n name, largest first. A new leaf is a subtree of
 * height 0; while there is one of the same height already, the two become one that is higher by 1, as when a 1 is added
 * to a binary number. The root hashes the row together from the right, which is the same as RFC 6962's split at the
 * largest power of two below n.
 */
#include "crypt/merkle.h"

#include <string.h>

enum { MERKLE_SIZE_BYTES = 8 };

void merkle_init(struct merkle *m)
{
    *m = (struct merkle){0};
}

int merkle_leaf(struct bytes record, uint8_t ret[static DIGEST_BYTES])
{
    static const uint8_t prefix[] = {0x00};
    const struct bytes parts[] = {BYTES_OF(prefix), record};
    return digest_sha256(parts, COUNT_OF(parts), ret);
}

int merkle_node(const uint8_t *left, const uint8_t *right, uint8_t *ret)
{
    uint8_t in[1 + 2 * DIGEST_BYTES] = {0x01};
    memcpy(in + 1, left, DIGEST_BYTES);
    memcpy(in + 1 + DIGEST_BYTES, right, DIGEST_BYTES);
    return digest_sha256(&BYTES_OF(in), 1, ret);
}

static bool has(const struct merkle *m, unsigned height)
{
    return (m->size >> height & 1) != 0;
}

int merkle_append(struct merkle *m, const uint8_t leaf[static DIGEST_BYTES])
{
    uint8_t top[DIGEST_BYTES];
    unsigned height = 0;
    assert(m->size < MERKLE_MAX_COUNT);
    memcpy(top, leaf, sizeof top);
    for (; has(m, height); height++) {
        TRY(merkle_node(m->frontier[height], top, top));
        if ((height + 1) % MERKLE_RUN_HEIGHT == 0 && height < 2 * MERKLE_RUN_HEIGHT)
            memcpy(m->runs[height / MERKLE_RUN_HEIGHT], top, sizeof top);
    }
    assert(height < COUNT_OF(m->frontier));
    memcpy(m->frontier[height], top, sizeof top);
    m->size++;
    return 0;
}

int merkle_root(const struct merkle *m, uint8_t ret[static DIGEST_BYTES])
{
    uint8_t root[DIGEST_BYTES];
    if (m->size == 0)
        return digest_sha256(NULL, 0, ret);
    unsigned height = (unsigned)__builtin_ctzll(m->size);
    memcpy(root, m->frontier[height], sizeof root);
    for (height++; height < COUNT_OF(m->frontier); height++) {
        if (has(m, height))
            TRY(merkle_node(m->frontier[height], root, root));
    }
    memcpy(ret, root, sizeof root);
    return 0;
}

static size_t encoded_bytes(uint64_t size)
{
    return MERKLE_SIZE_BYTES + DIGEST_BYTES * (size_t)__builtin_popcountll(size);
}

int merkle_encode(const struct merkle *m, struct buf *out)
{
    uint8_t *p;
    size_t n = encoded_bytes(m->size), at = MERKLE_SIZE_BYTES;
    assert(m->size <= MERKLE_MAX_COUNT);
    TRY(buf_reserve(out, n, &p));
    for (unsigned i = 0; i < MERKLE_SIZE_BYTES; i++)
        p[i] = (uint8_t)(m->size >> (8 * (MERKLE_SIZE_BYTES - 1 - i)));
    for (unsigned height = COUNT_OF(m->frontier); height-- > 0;) {
        if (!has(m, height))
            continue;
        memcpy(p + at, m->frontier[height], DIGEST_BYTES);
        at += DIGEST_BYTES;
    }
    assert(at == n);
    buf_commit(out, n);
    return 0;
}

bool merkle_decode(struct bytes in, struct merkle *ret_merkle)
{
    uint64_t size = 0;
    size_t at = MERKLE_SIZE_BYTES;
    if (in.n < MERKLE_SIZE_BYTES)
        return false;
    for (unsigned i = 0; i < MERKLE_SIZE_BYTES; i++)
        size = size << 8 | in.p[i];
    if (size > MERKLE_MAX_COUNT || in.n != encoded_bytes(size))
        return false;
    *ret_merkle = (struct merkle){.size = size};
    for (unsigned height = COUNT_OF(ret_merkle->frontier); height-- > 0;) {
        if (!has(ret_merkle, height))
            continue;
        memcpy(ret_merkle->frontier[height], in.p + at, DIGEST_BYTES);
        at += DIGEST_BYTES;
    }
    return true;
}
