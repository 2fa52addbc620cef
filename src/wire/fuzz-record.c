/* Fuzz target of record: one meaning has one encoding, so encode(decode(b)) is b, and no prefix of b is a record. */
#include <string.h>

#include "base/text.h"
#include "wire/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_hash(struct record_hash a, struct record_hash b)
{
    return a.n == b.n && memcmp(a.h, b.h, sizeof a.h) == 0;
}

#define SAME_u16(name) (a->name == b->name)
#define SAME_u32 SAME_u16
#define SAME_u64 SAME_u16
#define SAME_i64 SAME_u16
#define SAME_text(name) bytes_equal(a->name, b->name)
#define SAME_hash0(name) same_hash(a->name, b->name)
#define SAME_hash32 SAME_hash0
#define SAME_FIELD(kind, name) &&SAME_##kind(name)

static bool same(const struct record *a, const struct record *b)
{
    return true RECORD_FIELD_LIST(SAME_FIELD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    struct record r, back;
    struct buf out;
    if (!record_decode(in, &r))
        return 0;
    assert(record_kind_of(bytes_of_text(record_kind_text(r.kind))) == r.kind);
    assert(text_is_printable(r.unit) && text_is_printable(r.label));
    buf_init(&out, RECORD_MAX_BYTES);
    int e = record_encode(&out, &r);
    assert(e == 0);
    assert(bytes_equal(buf_view(&out), in));
    assert(record_decode(buf_view(&out), &back));
    assert(same(&r, &back));
    assert(!record_decode(bytes_head(in, in.n - 1), &back));
    buf_fini(&out);
    return 0;
}
