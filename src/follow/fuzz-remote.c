/* fuzz-remote - what a witness answers over HTTPS: read whole as in any two pieces, and nothing out of bounds. */
#include <stdlib.h>
#include <string.h>

#include "follow/remote.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_true)
{
    if (!is_true)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct remote_reply whole = {0}, part = {0};
    if (size == 0)
        return 0;
    struct bytes in = bytes_of(data + 1, size - 1);
    buf_init(&whole.body, REMOTE_BODY_MAX_BYTES);
    buf_init(&part.body, REMOTE_BODY_MAX_BYTES);
    int r = remote_read(in, &whole);
    must(r >= REMOTE_MORE && r <= REMOTE_BAD);
    must(r != REMOTE_SIGNED || whole.status == 200);
    must(r != REMOTE_REFUSED || whole.status >= 300);
    /* a beginning never says something else than the whole, but that more is wanted, or that nothing will help */
    int x = remote_read(bytes_head(in, in.n * data[0] / 256), &part);
    must(x == REMOTE_MORE || (x == r && x != REMOTE_MORE) || r == REMOTE_BAD);
    if (x == r && r == REMOTE_SIGNED)
        must(bytes_equal(buf_view(&whole.body), buf_view(&part.body)));
    buf_fini(&whole.body);
    buf_fini(&part.body);
    return 0;
}
