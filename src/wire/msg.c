/* msg - see msg.h. Numbers are moved byte by byte, which compilers turn into one load or store. */
#include "wire/msg.h"

#include <string.h>

enum { MSG_SIZE_BYTES = 4, MSG_TYPE_BYTES = 2 };

static void store_le(uint8_t *p, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * i) & 0xff);
}

static uint64_t load_le(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

int msg_next(struct bytes in, uint16_t *ret_type, struct bytes *ret_body, size_t *ret_used)
{
    if (in.n < MSG_SIZE_BYTES)
        return MSG_INCOMPLETE;
    uint64_t size = load_le(in.p, MSG_SIZE_BYTES);
    /* Refused before the rest arrives: a peer may not make us wait for, or hold, more than the maximum. */
    if (size < MSG_TYPE_BYTES || size > MSG_MAX_BYTES)
        return RAISE(FAULT_PROTOCOL);
    if (in.n - MSG_SIZE_BYTES < size)
        return MSG_INCOMPLETE;
    *ret_type = (uint16_t)load_le(in.p + MSG_SIZE_BYTES, MSG_TYPE_BYTES);
    *ret_body = bytes_of(in.p + MSG_HEAD_BYTES, (size_t)size - MSG_TYPE_BYTES);
    *ret_used = MSG_SIZE_BYTES + (size_t)size;
    return 0;
}

int msg_begin(struct buf *out, uint16_t type, struct msg_mark *ret_mark)
{
    uint8_t *p;
    ret_mark->held = buf_size(out);
    TRY(buf_reserve(out, MSG_HEAD_BYTES, &p));
    store_le(p, 0, MSG_SIZE_BYTES);
    store_le(p + MSG_SIZE_BYTES, type, MSG_TYPE_BYTES);
    buf_commit(out, MSG_HEAD_BYTES);
    return 0;
}

int msg_end(struct buf *out, struct msg_mark mark, int result)
{
    assert(result <= 0);
    assert(buf_size(out) >= mark.held);
    size_t frame_bytes = buf_size(out) - mark.held;
    if (result == 0 && frame_bytes - MSG_SIZE_BYTES > MSG_MAX_BYTES)
        result = RAISE(FAULT_LIMIT);
    if (result < 0) {
        buf_truncate(out, mark.held);
        return result;
    }
    assert(frame_bytes >= MSG_HEAD_BYTES);
    store_le(out->p + out->start + mark.held, frame_bytes - MSG_SIZE_BYTES, MSG_SIZE_BYTES);
    return 0;
}

static int put(struct buf *out, uint64_t v, size_t n)
{
    uint8_t *p;
    TRY(buf_reserve(out, n, &p));
    store_le(p, v, n);
    buf_commit(out, n);
    return 0;
}

int msg_put_u8(struct buf *out, uint8_t v)
{
    return put(out, v, sizeof v);
}

int msg_put_u16(struct buf *out, uint16_t v)
{
    return put(out, v, sizeof v);
}

int msg_put_u32(struct buf *out, uint32_t v)
{
    return put(out, v, sizeof v);
}

int msg_put_u64(struct buf *out, uint64_t v)
{
    return put(out, v, sizeof v);
}

int msg_put_i64(struct buf *out, int64_t v)
{
    return put(out, (uint64_t)v, sizeof v);
}

int msg_put_bool(struct buf *out, bool v)
{
    return put(out, v, 1);
}

int msg_put_bytes(struct buf *out, struct bytes v)
{
    uint8_t *p;
    if (v.n > MSG_MAX_BYTES)
        return RAISE(FAULT_LIMIT);
    TRY(buf_reserve(out, sizeof(uint32_t) + v.n, &p));
    store_le(p, v.n, sizeof(uint32_t));
    if (v.n > 0)
        memcpy(p + sizeof(uint32_t), v.p, v.n);
    buf_commit(out, sizeof(uint32_t) + v.n);
    return 0;
}

static bool get(struct bytes *in, size_t n, uint64_t *ret)
{
    if (in->n < n)
        return false;
    *ret = load_le(in->p, n);
    *in = bytes_of(in->p + n, in->n - n);
    return true;
}

bool msg_get_u8(struct bytes *in, uint8_t *ret)
{
    uint64_t v;
    if (!get(in, sizeof *ret, &v))
        return false;
    *ret = (uint8_t)v;
    return true;
}

bool msg_get_u16(struct bytes *in, uint16_t *ret)
{
    uint64_t v;
    if (!get(in, sizeof *ret, &v))
        return false;
    *ret = (uint16_t)v;
    return true;
}

bool msg_get_u32(struct bytes *in, uint32_t *ret)
{
    uint64_t v;
    if (!get(in, sizeof *ret, &v))
        return false;
    *ret = (uint32_t)v;
    return true;
}

bool msg_get_u64(struct bytes *in, uint64_t *ret)
{
    return get(in, sizeof *ret, ret);
}

bool msg_get_i64(struct bytes *in, int64_t *ret)
{
    uint64_t v;
    if (!get(in, sizeof *ret, &v))
        return false;
    *ret = (int64_t)v;
    return true;
}

bool msg_get_bool(struct bytes *in, bool *ret)
{
    uint64_t v;
    if (!get(in, 1, &v) || v > 1)
        return false;
    *ret = v == 1;
    return true;
}

bool msg_get_bytes(struct bytes *in, struct bytes *ret)
{
    uint32_t n;
    if (!msg_get_u32(in, &n) || in->n < n)
        return false;
    *ret = bytes_of(in->p, n);
    *in = bytes_of(in->p + n, in->n - n);
    return true;
}
