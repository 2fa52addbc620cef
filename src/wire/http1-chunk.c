/*
 * http1-chunk - the chunked body of RFC 9112 section 7.1, without extensions and trailers. One byte, one step: the
 * result does not depend on where the bytes were cut. A size is canonical hex, so that one size has one spelling but
 * for the case of its letters.
 */
#include "wire/http1.h"

enum step {
    STEP_SIZE_FIRST, /* zero, as a fresh state is */
    STEP_SIZE,
    STEP_SIZE_LF,
    STEP_DATA,
    STEP_DATA_CR,
    STEP_DATA_LF,
    STEP_LAST_CR, /* after "0" */
    STEP_LAST_LF,
    STEP_END_CR,
    STEP_END_LF,
    STEP_DONE,
};

/* Steps that want one certain byte, and what comes after it. */
static const struct {
    uint8_t byte;
    enum step next;
} plain_steps[STEP_DONE] = {
    [STEP_SIZE_LF] = {'\n', STEP_DATA},       [STEP_DATA_CR] = {'\r', STEP_DATA_LF},
    [STEP_DATA_LF] = {'\n', STEP_SIZE_FIRST}, [STEP_LAST_CR] = {'\r', STEP_LAST_LF},
    [STEP_LAST_LF] = {'\n', STEP_END_CR},     [STEP_END_CR] = {'\r', STEP_END_LF},
    [STEP_END_LF] = {'\n', STEP_DONE},
};

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The first digit tells the last chunk from the others: a size has no leading zeros. */
static int read_size_first(struct http1_chunks *state, uint8_t c)
{
    int v = hex_value(c);
    if (v < 0)
        return HTTP1_BAD;
    state->left_bytes = (uint64_t)v;
    state->step = v == 0 ? STEP_LAST_CR : STEP_SIZE;
    return 0;
}

static int read_size(struct http1_chunks *state, uint8_t c)
{
    int v = hex_value(c);
    if (c == '\r') {
        state->step = STEP_SIZE_LF;
        return 0;
    }
    if (v < 0)
        return HTTP1_BAD;
    if (state->left_bytes > UINT64_MAX >> 4)
        return HTTP1_LARGE;
    state->left_bytes = state->left_bytes << 4 | (uint64_t)v;
    return 0;
}

static int read_byte(struct http1_chunks *state, uint8_t c, const struct buf *body)
{
    assert(state->step < STEP_DONE && state->step != STEP_DATA);
    if (state->step == STEP_SIZE_FIRST || state->step == STEP_SIZE) {
        int o = state->step == STEP_SIZE ? read_size(state, c) : read_size_first(state, c);
        return o == 0 && state->left_bytes > body->max - buf_size(body) ? HTTP1_LARGE : o;
    }
    if (c != plain_steps[state->step].byte)
        return HTTP1_BAD;
    state->step = plain_steps[state->step].next;
    return 0;
}

int http1_read_chunks(struct http1_chunks *state, struct bytes in, struct buf *body, size_t *ret_used)
{
    size_t at = 0;
    assert(state->step <= STEP_DONE);
    while (at < in.n && state->step != STEP_DONE) {
        if (state->step == STEP_DATA) {
            size_t n = (size_t)MIN_OF(state->left_bytes, (uint64_t)(in.n - at));
            TRY(buf_append(body, bytes_of(in.p + at, n)));
            at += n;
            state->left_bytes -= n;
            if (state->left_bytes == 0)
                state->step = STEP_DATA_CR;
        } else {
            int o = read_byte(state, in.p[at++], body);
            if (o != 0)
                return o;
        }
    }
    *ret_used = at;
    return state->step == STEP_DONE ? 0 : HTTP1_MORE;
}
