/* prune - see prune.h. */
#include "trail/prune.h"

#include <stdio.h>

#include "base/code.h"
#include "trail/trail-internal.h"

void prune_write(const struct prune_statement *s, char ret[static PRUNE_TEXT_MAX_BYTES])
{
    char hex[2 * DIGEST_BYTES + 1];
    code_hex_text(BYTES_OF(s->root), hex);
    int n = snprintf(ret, PRUNE_TEXT_MAX_BYTES, "records %llu to %llu removed, %llu in all; head of the first %llu: %s",
                     (unsigned long long)s->from, (unsigned long long)(s->before - 1),
                     (unsigned long long)(s->before - s->from), (unsigned long long)s->before, hex);
    assert(s->from < s->before && n > 0 && n < PRUNE_TEXT_MAX_BYTES);
}

bool prune_read(struct bytes detail, struct prune_statement *ret_statement)
{
    struct prune_statement *s = ret_statement;
    uint64_t last, count, approval, uid;
    if (words_take_text(&detail, "approval ") &&
        !(words_take_number(&detail, &approval) && words_take_text(&detail, " by uid:") &&
          words_take_number(&detail, &uid) && words_take_text(&detail, ": ")))
        return false;
    return words_take_text(&detail, "records ") && words_take_number(&detail, &s->from) &&
           words_take_text(&detail, " to ") && words_take_number(&detail, &last) &&
           words_take_text(&detail, " removed, ") && words_take_number(&detail, &count) &&
           words_take_text(&detail, " in all; head of the first ") && words_take_number(&detail, &s->before) &&
           words_take_text(&detail, ": ") && words_take_hash(&detail, s->root) && detail.n == 0 &&
           s->from < s->before && last == s->before - 1 && count == s->before - s->from;
}

enum prune_base prune_take_base(struct bytes *in, struct trail_check *ret_base)
{
    enum { LENGTH_BYTES = 4, SIZE_BYTES = 8 };
    if (in->n < LENGTH_BYTES || bytes_get_u32(in->p) != 0)
        return in->n < LENGTH_BYTES ? PRUNE_BASE_SHORT : PRUNE_BASE_NONE;
    struct bytes rest = bytes_from(*in, LENGTH_BYTES);
    if (rest.n < SIZE_BYTES)
        return PRUNE_BASE_SHORT;
    uint64_t size = bytes_get_u64(rest.p);
    size_t n = SIZE_BYTES + DIGEST_BYTES * (size_t)__builtin_popcountll(size);
    if (size == 0 || size > TRAIL_MAX_COUNT)
        return PRUNE_BASE_BAD;
    if (rest.n < n + DIGEST_BYTES)
        return PRUNE_BASE_SHORT;
    if (!merkle_decode(bytes_head(rest, n), &ret_base->tree))
        return PRUNE_BASE_BAD;
    memcpy(ret_base->last, rest.p + n, DIGEST_BYTES);
    *in = bytes_from(rest, n + DIGEST_BYTES);
    return PRUNE_BASE_TAKEN;
}

int prune_put_base(struct buf *out, struct trail *trail)
{
    struct trail_check base;
    static const uint8_t length[4];
    if (trail_first(trail) == 0)
        return 0;
    TRY(trail_base(trail, &base));
    TRY(buf_append(out, BYTES_OF(length)));
    TRY(merkle_encode(&base.tree, out));
    return buf_append(out, BYTES_OF(base.last));
}

int prune_begin(struct prune_seen *seen, const struct trail_check *base)
{
    *seen = (struct prune_seen){.before = base->tree.size};
    return merkle_root(&base->tree, seen->root);
}

int prune_see(struct prune_seen *seen, struct bytes record)
{
    struct record r;
    struct prune_statement s;
    if (seen->before == 0 || !record_is_of(record, RECORD_PRUNE) || !record_decode(record, &r) || r.outcome != 0 ||
        !prune_read(r.detail, &s) || s.before != seen->before)
        return 0;
    seen->is_stated = memcmp(s.root, seen->root, sizeof s.root) == 0;
    seen->seq = r.seq;
    return seen->is_stated ? 0 : PRUNE_OTHER;
}
