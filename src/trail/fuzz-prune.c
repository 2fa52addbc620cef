/* fuzz-prune - what a record states of removed records, and what stands for them: one text for one statement, and a
 * base that is taken is written again as it was. */
#include <stdlib.h>
#include <string.h>

#include "trail/prune.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_true)
{
    if (!is_true)
        abort();
}

static void check_statement(struct bytes in)
{
    struct prune_statement s;
    char text[PRUNE_TEXT_MAX_BYTES];
    if (!prune_read(in, &s))
        return;
    must(s.from < s.before);
    prune_write(&s, text);
    struct bytes again = bytes_of_text(text);
    must(in.n >= again.n && bytes_equal(bytes_from(in, in.n - again.n), again)); /* an approval may stand before it */
    must(in.n == again.n || bytes_starts(in, BYTES_LITERAL("approval ")));
}

static void check_base(struct bytes in)
{
    static struct trail_check base;
    static const uint8_t zeros[4];
    struct buf b;
    struct bytes rest = in;
    enum prune_base r = prune_take_base(&rest, &base);
    must(r == PRUNE_BASE_TAKEN || rest.n == in.n);
    if (r != PRUNE_BASE_TAKEN)
        return;
    buf_init(&b, PRUNE_BASE_MAX_BYTES);
    must(buf_append(&b, BYTES_OF(zeros)) == 0 && merkle_encode(&base.tree, &b) == 0 &&
         buf_append(&b, BYTES_OF(base.last)) == 0);
    must(bytes_equal(buf_view(&b), bytes_head(in, in.n - rest.n)));
    struct prune_seen seen;
    must(prune_begin(&seen, &base) == 0 && seen.before == base.tree.size && !seen.is_stated);
    struct bytes record = rest;
    must(prune_see(&seen, record) >= 0);
    buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct bytes in = bytes_of(data + 1, size - 1);
    if (data[0] % 2 == 0)
        check_statement(in);
    else
        check_base(in);
    return 0;
}
