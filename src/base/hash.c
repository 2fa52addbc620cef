/* hash - see hash.h. */
#include "base/hash.h"

#include <string.h>
#include <sys/random.h>

static uint64_t rotate(uint64_t x, unsigned b)
{
    return x << b | x >> (64 - b);
}

struct sip {
    uint64_t v0, v1, v2, v3;
};

static void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

static void sip_word(struct sip *s, uint64_t m)
{
    s->v3 ^= m;
    sip_round(s);
    sip_round(s);
    s->v0 ^= m;
}

uint64_t hash_siphash(const struct hash_key *key, struct bytes in)
{
    struct sip s = {key->k0 ^ UINT64_C(0x736f6d6570736575), key->k1 ^ UINT64_C(0x646f72616e646f6d),
                    key->k0 ^ UINT64_C(0x6c7967656e657261), key->k1 ^ UINT64_C(0x7465646279746573)};
    size_t whole = in.n / 8 * 8;
    uint64_t m;
    for (size_t i = 0; i < whole; i += 8) {
        memcpy(&m, in.p + i, 8); /* little-endian hosts only, as the rest of the project's targets */
        sip_word(&s, m);
    }
    m = (uint64_t)in.n << 56;
    for (size_t i = whole; i < in.n; i++)
        m |= (uint64_t)in.p[i] << (8 * (i - whole));
    sip_word(&s, m);
    s.v2 ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

const struct hash_key *hash_process_key(void)
{
    static struct hash_key key;
    static bool drawn;
    if (!drawn) {
        ssize_t n = getrandom(&key, sizeof key, 0);
        assert(n == (ssize_t)sizeof key);
        drawn = true;
    }
    return &key;
}
