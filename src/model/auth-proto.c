/* auth-proto - see auth-proto.h. A text of a list: u8 style, u32 length, bytes, as the fields of a message. */
#include "model/auth-proto.h"

MSG_IMPLEMENT(auth_begin, AUTH_BEGIN_FIELDS)
MSG_IMPLEMENT(auth_answers, AUTH_ANSWERS_FIELDS)
MSG_IMPLEMENT(auth_prompts, AUTH_PROMPTS_FIELDS)
MSG_IMPLEMENT(auth_result, AUTH_RESULT_FIELDS)

int auth_put(struct buf *list, enum auth_style style, struct bytes text)
{
    size_t before = buf_size(list);
    if (text.n > AUTH_TEXT_MAX_BYTES)
        return RAISE(FAULT_LIMIT);
    int r = msg_put_u8(list, (uint8_t)style);
    if (r == 0)
        r = msg_put_bytes(list, text);
    if (r < 0)
        buf_truncate(list, before);
    return r;
}

bool auth_next(struct bytes *list, enum auth_style *ret_style, struct bytes *ret_text)
{
    uint8_t style;
    if (!msg_get_u8(list, &style) || !msg_get_bytes(list, ret_text))
        return false;
    *ret_style = (enum auth_style)style;
    return true;
}

static bool is_good_text(enum auth_style style, struct bytes text, bool is_answers)
{
    bool is_style = is_answers ? style == AUTH_ANSWER : style >= AUTH_HIDDEN && style <= AUTH_ERROR;
    return is_style && text.n <= AUTH_TEXT_MAX_BYTES && bytes_find(text, '\0') == text.n;
}

bool auth_check(struct bytes list, bool is_answers, struct auth_count *ret_count)
{
    struct auth_count count = {0};
    enum auth_style style;
    struct bytes text;
    while (list.n > 0) {
        if (!auth_next(&list, &style, &text) || !is_good_text(style, text, is_answers) ||
            count.texts == AUTH_TEXTS_MAX_COUNT)
            return false;
        count.texts++;
        count.asked += style == AUTH_HIDDEN || style == AUTH_SHOWN;
    }
    assert(count.asked <= count.texts && count.texts <= AUTH_TEXTS_MAX_COUNT);
    *ret_count = count;
    return true;
}
