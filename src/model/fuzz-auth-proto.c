/*
 * Fuzz target of auth-proto: what a process of the auth role or the engine may be sent. What is taken is within its
 * limits, and gives the same bytes again.
 */
#include <string.h>

#include "model/auth-proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_list(struct bytes list, bool is_answers)
{
    struct auth_count count;
    struct bytes rest = list, text;
    enum auth_style style;
    size_t texts = 0, asked = 0;
    struct buf again;
    if (!auth_check(list, is_answers, &count))
        return;
    buf_init(&again, AUTH_CHANNEL_MAX_BYTES);
    while (auth_next(&rest, &style, &text)) {
        assert(text.n <= AUTH_TEXT_MAX_BYTES && bytes_find(text, '\0') == text.n);
        assert(is_answers ? style == AUTH_ANSWER : style != AUTH_ANSWER && style <= AUTH_ERROR);
        int r = auth_put(&again, style, text);
        assert(r == 0);
        texts++;
        asked += style == AUTH_HIDDEN || style == AUTH_SHOWN;
    }
    assert(rest.n == 0 && texts == count.texts && asked == count.asked && texts <= AUTH_TEXTS_MAX_COUNT);
    assert(bytes_equal(buf_view(&again), list));
    buf_fini(&again);
}

#define CHECK(NAME, FIELD)                                                                                             \
    do {                                                                                                               \
        struct msg_##NAME m_;                                                                                          \
        if (msg_##NAME##_get(body, &m_)) {                                                                             \
            int r_ = msg_##NAME##_put(&out, 7, &m_);                                                                   \
            assert(r_ == 0);                                                                                           \
            assert(bytes_equal(bytes_from(buf_view(&out), MSG_HEAD_BYTES), body));                                     \
            check_list(m_.FIELD, true);                                                                                \
            check_list(m_.FIELD, false);                                                                               \
        }                                                                                                              \
        buf_clear(&out);                                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes body = bytes_of(data, size);
    struct buf out;
    buf_init(&out, MSG_MAX_BYTES);
    check_list(body, true);
    check_list(body, false);
    CHECK(auth_begin, user);
    CHECK(auth_answers, texts);
    CHECK(auth_prompts, texts);
    CHECK(auth_result, notes);
    buf_fini(&out);
    return 0;
}
