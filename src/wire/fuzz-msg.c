/* Fuzz target of msg: what get() takes, put() gives back byte for byte; a frame never reaches past its bytes. */
#include <string.h>

#include "wire/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MSG_EVERY(X) X(u8, a) X(bool, b) X(u16, c) X(bytes, d) X(u32, e) X(u64, f) X(bytes, g) X(i64, h) X(bool, i)
MSG_DECLARE(every, MSG_EVERY)
MSG_IMPLEMENT(every, MSG_EVERY)

static void check_body(uint16_t type, struct bytes body)
{
    struct msg_every m;
    struct bytes back;
    struct buf out;
    uint16_t back_type;
    size_t used;
    if (!msg_every_get(body, &m))
        return;
    assert(m.d.n <= body.n && m.g.n <= body.n);
    buf_init(&out, MSG_MAX_BYTES + MSG_HEAD_BYTES);
    int r = msg_every_put(&out, type, &m);
    assert(r == 0);
    r = msg_next(buf_view(&out), &back_type, &back, &used);
    assert(r == 0);
    assert(back_type == type && used == buf_size(&out) && bytes_equal(back, body));
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size), body;
    uint16_t type;
    size_t used;
    check_body(7, in);
    while (msg_next(in, &type, &body, &used) == 0) {
        assert(used == body.n + MSG_HEAD_BYTES && used <= in.n);
        assert(body.p == in.p + MSG_HEAD_BYTES);
        struct bytes cut = bytes_head(in, used - 1);
        assert(msg_next(cut, &type, &body, &used) == MSG_INCOMPLETE);
        check_body(type, bytes_of(in.p + MSG_HEAD_BYTES, cut.n + 1 - MSG_HEAD_BYTES));
        in = bytes_from(in, cut.n + 1);
    }
    return 0;
}
