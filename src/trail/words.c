/* words - cutting what records state in words; see trail-internal.h. */
#include "base/code.h"
#include "base/num.h"
#include "trail/trail-internal.h"

bool words_take_text(struct bytes *in, const char *text)
{
    struct bytes t = bytes_of_text(text);
    if (!bytes_starts(*in, t))
        return false;
    *in = bytes_from(*in, t.n);
    return true;
}

bool words_take_number(struct bytes *in, uint64_t *ret_number)
{
    size_t n = 0;
    while (n < in->n && in->p[n] >= '0' && in->p[n] <= '9')
        n++;
    struct bytes digits = bytes_head(*in, n);
    *in = bytes_from(*in, n);
    return num_parse_u64(digits, TRAIL_MAX_COUNT, ret_number);
}

bool words_take_hash(struct bytes *in, uint8_t ret[static DIGEST_BYTES])
{
    struct bytes hex = bytes_head(*in, MIN_OF(in->n, (size_t)2 * DIGEST_BYTES));
    *in = bytes_from(*in, hex.n);
    for (size_t i = 0; i < hex.n; i++) { /* one text for one hash */
        if (hex.p[i] >= 'A' && hex.p[i] <= 'F')
            return false;
    }
    return hex.n == (size_t)2 * DIGEST_BYTES && code_unhex(hex, ret, DIGEST_BYTES);
}
