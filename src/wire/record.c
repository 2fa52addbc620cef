/*
 * record - see record.h. One row of RECORD_FIELD_LIST gives the size, the writer and the reader of a field, so that the
 * three cannot disagree.
 */
#include "wire/record.h"

#include <string.h>

#include "base/text.h"

enum { RECORD_HEAD_BYTES = 3, RECORD_TEXT_HEAD_BYTES = 2 };

static const uint8_t record_head[RECORD_HEAD_BYTES] = {'S', 'R', RECORD_VERSION};

static const char *const kind_texts[] = {
#define KIND_TEXT(name, number, text) [number] = text,
    RECORD_KIND_LIST(KIND_TEXT)
#undef KIND_TEXT
};

const char *record_kind_text(unsigned kind)
{
    return kind < COUNT_OF(kind_texts) ? kind_texts[kind] : NULL;
}

unsigned record_kind_of(struct bytes text)
{
    for (unsigned i = 0; i < COUNT_OF(kind_texts); i++) {
        if (kind_texts[i] != NULL && bytes_equal(text, bytes_of_text(kind_texts[i])))
            return i;
    }
    return 0;
}

/* The longest record that the limits of its texts allow: RECORD_MAX_BYTES can not be passed by an encoder. */
#define LONGEST_u16 2
#define LONGEST_u32 4
#define LONGEST_u64 8
#define LONGEST_i64 8
#define LONGEST_text (RECORD_TEXT_HEAD_BYTES + RECORD_TEXT_MAX_BYTES)
#define LONGEST_hash0 (1 + RECORD_HASH_BYTES)
#define LONGEST_hash32 RECORD_HASH_BYTES
#define LONGEST_FIELD(kind, name) +LONGEST_##kind
static_assert(RECORD_HEAD_BYTES RECORD_FIELD_LIST(LONGEST_FIELD) <= RECORD_MAX_BYTES, "a record may pass its maximum");

static size_t size_of_u16(uint16_t v UNUSED)
{
    return LONGEST_u16;
}

static size_t size_of_u32(uint32_t v UNUSED)
{
    return LONGEST_u32;
}

static size_t size_of_u64(uint64_t v UNUSED)
{
    return LONGEST_u64;
}

static size_t size_of_i64(int64_t v UNUSED)
{
    return LONGEST_i64;
}

static size_t size_of_text(struct bytes v)
{
    return RECORD_TEXT_HEAD_BYTES + v.n;
}

static size_t size_of_hash0(struct record_hash v)
{
    assert(v.n == 0 || v.n == RECORD_HASH_BYTES);
    return 1u + v.n;
}

static size_t size_of_hash32(struct record_hash v)
{
    assert(v.n == RECORD_HASH_BYTES);
    return LONGEST_hash32;
}

static size_t record_size(const struct record *r)
{
#define SIZE_FIELD(kind, name) +size_of_##kind(r->name)
    return RECORD_HEAD_BYTES RECORD_FIELD_LIST(SIZE_FIELD);
#undef SIZE_FIELD
}

static uint8_t *put_be(uint8_t *p, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * (n - 1 - i)) & 0xff);
    return p + n;
}

static uint8_t *put_raw(uint8_t *p, const void *from, size_t n)
{
    if (n > 0)
        memcpy(p, from, n);
    return p + n;
}

static uint8_t *put_u16(uint8_t *p, uint16_t v)
{
    return put_be(p, v, sizeof v);
}

static uint8_t *put_u32(uint8_t *p, uint32_t v)
{
    return put_be(p, v, sizeof v);
}

static uint8_t *put_u64(uint8_t *p, uint64_t v)
{
    return put_be(p, v, sizeof v);
}

static uint8_t *put_i64(uint8_t *p, int64_t v)
{
    return put_be(p, (uint64_t)v, sizeof v);
}

static uint8_t *put_text(uint8_t *p, struct bytes v)
{
    assert(v.n <= RECORD_TEXT_MAX_BYTES);
    return put_raw(put_be(p, v.n, RECORD_TEXT_HEAD_BYTES), v.p, v.n);
}

static uint8_t *put_hash0(uint8_t *p, struct record_hash v)
{
    return put_raw(put_be(p, v.n, 1), v.h, v.n);
}

static uint8_t *put_hash32(uint8_t *p, struct record_hash v)
{
    return put_raw(p, v.h, RECORD_HASH_BYTES);
}

static bool texts_are_short(const struct record *r)
{
    return r->unit.n <= RECORD_TEXT_MAX_BYTES && r->label.n <= RECORD_TEXT_MAX_BYTES &&
           r->path.n <= RECORD_TEXT_MAX_BYTES && r->detail.n <= RECORD_TEXT_MAX_BYTES;
}

/* Visible ASCII and spaces, as nearly every text is, need no look at code points. */
static bool is_plain(struct bytes t)
{
    bool r = true;
    for (size_t i = 0; i < t.n; i++)
        r &= t.p[i] >= ' ' && t.p[i] < 0x7f;
    return r;
}

static bool texts_are_clean(const struct record *r)
{
    return (is_plain(r->unit) || text_is_printable(r->unit)) && (is_plain(r->label) || text_is_printable(r->label)) &&
           (is_plain(r->path) || text_is_utf8(r->path)) && (is_plain(r->detail) || text_is_utf8(r->detail));
}

int record_encode(struct buf *out, const struct record *r)
{
    uint8_t *p;
    assert(record_kind_text(r->kind) != NULL);
    if (!texts_are_short(r))
        return RAISE(FAULT_LIMIT);
    if (!texts_are_clean(r))
        return RAISE(FAULT_PROTOCOL);
    size_t n = record_size(r);
    TRY(buf_reserve(out, n, &p));
    uint8_t *end = put_raw(p, record_head, RECORD_HEAD_BYTES);
#define PUT_FIELD(kind, name) end = put_##kind(end, r->name);
    RECORD_FIELD_LIST(PUT_FIELD)
#undef PUT_FIELD
    assert((size_t)(end - p) == n);
    buf_commit(out, n);
    return 0;
}

static bool get_raw(struct bytes *in, size_t n, struct bytes *ret)
{
    if (in->n < n)
        return false;
    *ret = bytes_of(in->p, n);
    *in = bytes_of(in->p + n, in->n - n);
    return true;
}

static bool get_be(struct bytes *in, size_t n, uint64_t *ret)
{
    struct bytes raw;
    if (!get_raw(in, n, &raw))
        return false;
    *ret = 0;
    for (size_t i = 0; i < n; i++)
        *ret = *ret << 8 | raw.p[i];
    return true;
}

static bool get_u16(struct bytes *in, uint16_t *ret)
{
    uint64_t v;
    if (!get_be(in, sizeof *ret, &v))
        return false;
    *ret = (uint16_t)v;
    return true;
}

static bool get_u32(struct bytes *in, uint32_t *ret)
{
    uint64_t v;
    if (!get_be(in, sizeof *ret, &v))
        return false;
    *ret = (uint32_t)v;
    return true;
}

static bool get_u64(struct bytes *in, uint64_t *ret)
{
    return get_be(in, sizeof *ret, ret);
}

static bool get_i64(struct bytes *in, int64_t *ret)
{
    uint64_t v;
    if (!get_be(in, sizeof *ret, &v))
        return false;
    *ret = (int64_t)v;
    return true;
}

static bool get_text(struct bytes *in, struct bytes *ret)
{
    uint16_t n;
    return get_u16(in, &n) && n <= RECORD_TEXT_MAX_BYTES && get_raw(in, n, ret);
}

static bool get_hash32(struct bytes *in, struct record_hash *ret)
{
    struct bytes raw;
    if (!get_raw(in, RECORD_HASH_BYTES, &raw))
        return false;
    ret->n = RECORD_HASH_BYTES;
    memcpy(ret->h, raw.p, RECORD_HASH_BYTES);
    return true;
}

static bool get_hash0(struct bytes *in, struct record_hash *ret)
{
    uint64_t n;
    if (!get_be(in, 1, &n) || (n != 0 && n != RECORD_HASH_BYTES))
        return false;
    *ret = (struct record_hash){0};
    return n == 0 || get_hash32(in, ret);
}

bool record_is_of(struct bytes record, enum record_kind kind)
{
    enum { AT = RECORD_HEAD_BYTES + 3 * 8 /* behind number and clocks */ };
    return record.n >= AT + 2 && (unsigned)(record.p[AT] << 8 | record.p[AT + 1]) == kind;
}

bool record_decode(struct bytes in, struct record *ret_record)
{
    struct record r;
    if (in.n > RECORD_MAX_BYTES || !bytes_starts(in, BYTES_OF(record_head)))
        return false;
    in = bytes_from(in, RECORD_HEAD_BYTES);
#define GET_FIELD(kind, name) &&get_##kind(&in, &r.name)
    if (!(true RECORD_FIELD_LIST(GET_FIELD)) || in.n != 0)
        return false;
#undef GET_FIELD
    if (record_kind_text(r.kind) == NULL || !texts_are_clean(&r))
        return false;
    *ret_record = r;
    return true;
}
