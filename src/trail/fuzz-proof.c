/*
 * fuzz-proof - proofs as text from anywhere. Invariants: what is read is written the same; checking it against any head
 * ends, and no proof passes for a head of another size than the one it was made for.
 */
#include <stdlib.h>
#include <string.h>

#include "trail/proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_true)
{
    if (!is_true)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct proof p;
    struct buf record, text;
    struct bytes in = bytes_of(data, size);
    struct checkpoint old = {0}, now = {0};
    buf_init(&record, RECORD_MAX_BYTES + 3);
    buf_init(&text, PROOF_MAX_BYTES);
    if (proof_read(in, &record, &p)) {
        must(proof_write(&text, &p) == 0 && bytes_equal(buf_view(&text), in));
        old.size = p.at;
        now.size = size;
        memset(now.root, 1, sizeof now.root); /* no hashes lead there */
        int x = proof_check(&p, &now, &old);
        must(x == PROOF_FALSE);
    }
    buf_fini(&record);
    buf_fini(&text);
    return 0;
}
