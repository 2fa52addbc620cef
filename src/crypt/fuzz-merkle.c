/*
 * fuzz-merkle - the stored frontier of a tree. What is accepted is canonical: encoding it again gives the same bytes.
 * Two trees that differ in a byte differ in the root, and a tree that is not full takes one more leaf.
 */
#include "crypt/merkle.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ENCODED_MAX_BYTES = 8 + 64 * DIGEST_BYTES };

static void check_canonical(const struct merkle *m, struct bytes in)
{
    struct buf out;
    buf_init(&out, ENCODED_MAX_BYTES);
    if (merkle_encode(m, &out) != 0)
        abort();
    assert(bytes_equal(buf_view(&out), in));
    buf_fini(&out);
}

/* `at` is one byte of a hash that is in use. */
static void check_root_depends_on(struct bytes in, size_t at, const uint8_t *root)
{
    uint8_t copy[ENCODED_MAX_BYTES], other[DIGEST_BYTES];
    struct merkle m;
    memcpy(copy, in.p, in.n);
    copy[at] ^= 1;
    if (!merkle_decode(bytes_of(copy, in.n), &m) || merkle_root(&m, other) != 0)
        abort();
    assert(memcmp(root, other, sizeof other) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    struct merkle m;
    uint8_t root[DIGEST_BYTES], leaf[DIGEST_BYTES];
    if (!merkle_decode(in, &m))
        return 0;
    assert(size <= ENCODED_MAX_BYTES);
    check_canonical(&m, in);
    if (merkle_root(&m, root) != 0 || merkle_leaf(in, leaf) != 0)
        abort();
    for (size_t at = 8; at < size; at += DIGEST_BYTES)
        check_root_depends_on(in, at + at / DIGEST_BYTES % DIGEST_BYTES, root);
    if (m.size < MERKLE_MAX_COUNT) {
        uint64_t before = m.size;
        if (merkle_append(&m, leaf) != 0)
            abort();
        assert(m.size == before + 1);
    }
    return 0;
}
