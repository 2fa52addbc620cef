/*
 * msg - role messages: what the processes of one daemon say to each other. Binary, little-endian, length-prefixed.
 *
 * Frame: u32 size of what follows (type and body), u16 type, body. A body is the fields of its message in the order of
 * its table, nothing else; a decoder must end exactly at the end of the frame. Both ends are one build, so there is no
 * version, but a decoder trusts nothing: the peer may be a compromised role.
 *
 * A message is one X-list of fields; MSG_DEFINE makes its struct, encoder and decoder:
 *
 *     #define MSG_HELLO(X) X(u32, pid) X(bytes, name) X(bool, is_new)
 *     MSG_DECLARE(hello, MSG_HELLO)      in a header: struct msg_hello, msg_hello_put(), msg_hello_get()
 *     MSG_IMPLEMENT(hello, MSG_HELLO)    in one .c file
 *
 * Field kinds: u8, u16, u32, u64, i64, bool (0 or 1, else malformed), bytes (u32 length, then bytes).
 * Source: OpenSMTPD's imsg/mproc idiom (m_end must find the end).
 */
#ifndef WIRE_MSG_H
#define WIRE_MSG_H

#include "base/buf.h"

enum { MSG_MAX_BYTES = 4 << 20, MSG_HEAD_BYTES = 6 };

typedef uint8_t msg_u8;
typedef uint16_t msg_u16;
typedef uint32_t msg_u32;
typedef uint64_t msg_u64;
typedef int64_t msg_i64;
typedef bool msg_bool;
typedef struct bytes msg_bytes;

/*
 * msg_next - take one whole frame from the front of a view.
 * ret_type, ret_body  the message; the body is a view into `in`
 * ret_used            bytes to drop after the message was handled
 * Returns 0, MSG_INCOMPLETE, or FAULT_PROTOCOL (a size below 2 or above MSG_MAX_BYTES).
 */
enum { MSG_INCOMPLETE = 1 };
int msg_next(struct bytes in, uint16_t *ret_type, struct bytes *ret_body, size_t *ret_used) MUST_USE;

/*
 * msg_begin - append a frame head. *ret_mark is set in every case, so that msg_end() may always follow.
 * msg_end - write the size when the body is complete (`result` 0), or undo the frame and pass the fault `result` on.
 * Results as buf_reserve(); FAULT_LIMIT also for a frame above MSG_MAX_BYTES, which is undone.
 */
struct msg_mark {
    size_t held; /* bytes in the buffer before the frame */
};
int msg_begin(struct buf *out, uint16_t type, struct msg_mark *ret_mark) MUST_USE;
int msg_end(struct buf *out, struct msg_mark mark, int result) MUST_USE;

/* msg_put_KIND - append one field. Results as buf_reserve(). */
int msg_put_u8(struct buf *out, uint8_t v) MUST_USE;
int msg_put_u16(struct buf *out, uint16_t v) MUST_USE;
int msg_put_u32(struct buf *out, uint32_t v) MUST_USE;
int msg_put_u64(struct buf *out, uint64_t v) MUST_USE;
int msg_put_i64(struct buf *out, int64_t v) MUST_USE;
int msg_put_bool(struct buf *out, bool v) MUST_USE;
int msg_put_bytes(struct buf *out, struct bytes v) MUST_USE;

/* msg_get_KIND - take one field from the front of *in. Returns true, or false if it is cut or malformed. */
bool msg_get_u8(struct bytes *in, uint8_t *ret) MUST_USE;
bool msg_get_u16(struct bytes *in, uint16_t *ret) MUST_USE;
bool msg_get_u32(struct bytes *in, uint32_t *ret) MUST_USE;
bool msg_get_u64(struct bytes *in, uint64_t *ret) MUST_USE;
bool msg_get_i64(struct bytes *in, int64_t *ret) MUST_USE;
bool msg_get_bool(struct bytes *in, bool *ret) MUST_USE;
bool msg_get_bytes(struct bytes *in, struct bytes *ret) MUST_USE;

#define MSG_FIELD_(kind, name) msg_##kind name;
#define MSG_PUT_(kind, name)                                                                                           \
    if (r == 0)                                                                                                        \
        r = msg_put_##kind(out, m->name);
#define MSG_GET_(kind, name) &&msg_get_##kind(&body, &m.name)

/* struct msg_NAME; msg_NAME_put() appends a whole frame; msg_NAME_get() reads a body: true, or false if malformed. */
#define MSG_DECLARE(NAME, FIELDS)                                                                                      \
    struct msg_##NAME {                                                                                                \
        FIELDS(MSG_FIELD_)                                                                                             \
    };                                                                                                                 \
    int msg_##NAME##_put(struct buf *out, uint16_t type, const struct msg_##NAME *m) MUST_USE;                         \
    bool msg_##NAME##_get(struct bytes body, struct msg_##NAME *ret) MUST_USE;

#define MSG_IMPLEMENT(NAME, FIELDS)                                                                                    \
    int msg_##NAME##_put(struct buf *out, uint16_t type, const struct msg_##NAME *m)                                   \
    {                                                                                                                  \
        struct msg_mark mark;                                                                                          \
        int r = msg_begin(out, type, &mark);                                                                           \
        FIELDS(MSG_PUT_)                                                                                               \
        return msg_end(out, mark, r);                                                                                  \
    }                                                                                                                  \
    bool msg_##NAME##_get(struct bytes body, struct msg_##NAME *ret)                                                   \
    {                                                                                                                  \
        struct msg_##NAME m = {0};                                                                                     \
        if (!(true FIELDS(MSG_GET_)) || body.n != 0)                                                                   \
            return false;                                                                                              \
        *ret = m;                                                                                                      \
        return true;                                                                                                   \
    }

#endif
