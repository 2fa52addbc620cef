/*
 * schema - the binary form; see schema.h. One row of SCHEMA_FIELD_LIST gives the size, the writer and the reader of a
 * field, so that the three cannot disagree.
 */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "model/schema.h"
#include "model/value.h"

enum { HEAD_BYTES = 3, TEXT_HEAD_BYTES = 2, NUMBER_BYTES = 8 };

static const uint8_t head[HEAD_BYTES] = {'S', 'C', SCHEMA_VERSION};

#define BIT_OF(name, bit, kind, field, longest, member) | SCHEMA_HAS_##name
static const unsigned known_bits = 0 SCHEMA_FIELD_LIST(BIT_OF);
#undef BIT_OF

#define COUNT_ROW(name, bit, kind, field, longest, member) +1
static_assert(SCHEMA_FIELD_LIST(COUNT_ROW) == SCHEMA_FIELDS_COUNT, "the fields are counted");
#undef COUNT_ROW

static_assert(sizeof(double) == NUMBER_BYTES, "a double is a binary64");

/* ---- writing --------------------------------------------------------------------------------------------- */

static int put_be(struct buf *out, uint64_t v, size_t n)
{
    uint8_t *p;
    TRY(buf_reserve(out, n, &p));
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * (n - 1 - i)) & 0xff);
    buf_commit(out, n);
    return 0;
}

static int put_u8(struct buf *out, const struct schema *s UNUSED, const unsigned *v)
{
    assert(*v <= UINT8_MAX);
    return put_be(out, *v, 1);
}

static int put_u32(struct buf *out, const struct schema *s UNUSED, const uint32_t *v)
{
    return put_be(out, *v, sizeof *v);
}

static int put_number(struct buf *out, const struct schema *s, const struct schema_number *v)
{
    uint64_t bits = (uint64_t)v->whole;
    double real = v->real == 0 ? 0 : v->real; /* zero has one form */
    if (s->type == VALUE_FLOAT)
        memcpy(&bits, &real, sizeof bits);
    return put_be(out, bits, NUMBER_BYTES);
}

static int put_text(struct buf *out, const struct schema *s UNUSED, const struct bytes *v)
{
    assert(v->n <= SCHEMA_FORM_MAX_BYTES);
    TRY(put_be(out, v->n, TEXT_HEAD_BYTES));
    return buf_append(out, *v);
}

static int put_texts(struct buf *out, const struct schema *s, const struct schema_texts *v)
{
    assert(v->count > 0 && v->count <= SCHEMA_ENUM_MAX_COUNT);
    TRY(put_be(out, v->count, 1));
    for (size_t i = 0; i < v->count; i++)
        TRY(put_text(out, s, &v->texts[i]));
    return 0;
}

static int put_flag(struct buf *out UNUSED, const struct schema *s UNUSED, const bool *v UNUSED)
{
    return 0;
}

static int put_all(struct buf *out, const struct schema *s)
{
    TRY(buf_append(out, BYTES_OF(head)));
    TRY(put_be(out, s->has, 2));
#define PUT_FIELD(name, bit, kind, field, longest, member)                                                             \
    if ((s->has & SCHEMA_HAS_##name) != 0)                                                                             \
        TRY(put_##kind(out, s, &s->field));
    SCHEMA_FIELD_LIST(PUT_FIELD)
#undef PUT_FIELD
    return 0;
}

int schema_encode(struct buf *out, const struct schema *s)
{
    size_t held = buf_size(out);
    assert((s->has & ~known_bits) == 0);
    int r = put_all(out, s);
    assert(r != 0 || buf_size(out) - held <= SCHEMA_FORM_MAX_BYTES);
    if (r != 0)
        buf_truncate(out, held);
    return r;
}

/* ---- reading --------------------------------------------------------------------------------------------- */

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

static bool get_u8(struct bytes *in, const struct schema *s UNUSED, size_t longest UNUSED, unsigned *ret)
{
    uint64_t v;
    bool is_good = get_be(in, 1, &v);
    *ret = is_good ? (unsigned)v : 0;
    return *ret != 0; /* 0 is no type and no secrecy */
}

static bool get_u32(struct bytes *in, const struct schema *s UNUSED, size_t longest UNUSED, uint32_t *ret)
{
    uint64_t v;
    bool is_good = get_be(in, sizeof *ret, &v);
    *ret = is_good ? (uint32_t)v : 0;
    return is_good;
}

static bool get_number(struct bytes *in, const struct schema *s, size_t longest UNUSED, struct schema_number *ret)
{
    uint64_t bits;
    *ret = (struct schema_number){.whole = 0};
    if ((s->type != VALUE_INTEGER && s->type != VALUE_FLOAT) || !get_be(in, NUMBER_BYTES, &bits))
        return false;
    if (s->type == VALUE_INTEGER) {
        ret->whole = (int64_t)bits;
        return true;
    }
    memcpy(&ret->real, &bits, sizeof bits);
    return isfinite(ret->real) && (ret->real != 0 || !signbit(ret->real));
}

static bool get_text(struct bytes *in, const struct schema *s UNUSED, size_t longest, struct bytes *ret)
{
    uint64_t n;
    *ret = BYTES_NONE;
    return get_be(in, TEXT_HEAD_BYTES, &n) && n <= longest && get_raw(in, (size_t)n, ret) && text_is_utf8(*ret);
}

static bool get_texts(struct bytes *in, const struct schema *s, size_t longest, struct schema_texts *ret)
{
    uint64_t n;
    if (!get_be(in, 1, &n) || n == 0 || n > SCHEMA_ENUM_MAX_COUNT)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!get_text(in, s, longest, &ret->texts[i]))
            return false;
    }
    ret->count = (size_t)n;
    return true;
}

static bool get_flag(struct bytes *in UNUSED, const struct schema *s UNUSED, size_t longest UNUSED, bool *ret)
{
    *ret = true;
    return true;
}

bool schema_decode(struct bytes in, struct schema *ret_schema)
{
    struct schema s = {.has = 0};
    uint64_t has;
    if (in.n > SCHEMA_FORM_MAX_BYTES || !bytes_starts(in, BYTES_OF(head)))
        return false;
    in = bytes_from(in, HEAD_BYTES);
    if (!get_be(&in, 2, &has) || (has & ~(uint64_t)known_bits) != 0)
        return false;
    s.has = (unsigned)has;
#define GET_FIELD(name, bit, kind, field, longest, member)                                                             \
    if ((s.has & SCHEMA_HAS_##name) != 0 && !get_##kind(&in, &s, longest, &s.field))                                   \
        return false;
    SCHEMA_FIELD_LIST(GET_FIELD)
#undef GET_FIELD
    if (in.n > 0)
        return false;
    *ret_schema = s;
    return true;
}
