/* front-login - reading the body of POST /v1/login; see front.h. Answers go from the body into a wiping buffer. */
#include <string.h>

#include "front/front.h"
#include "model/auth-proto.h"
#include "wire/json.h"

enum { HAS_USER = 1u << 0, HAS_CONVERSATION = 1u << 1, HAS_ANSWERS = 1u << 2 };

struct login_body {
    struct front_ask *ask;
    unsigned seen;
};

static int take_text(struct front_ask *ask, const struct json *value, uint8_t *storage, size_t room, struct bytes *ret)
{
    struct bytes text = json_text(value);
    if (json_kind(value) != JSON_KIND_TEXT || text.n == 0 || text.n > room)
        return front_bad(ask, "user and conversation are texts, and not empty");
    memcpy(storage, text.p, text.n);
    *ret = bytes_of(storage, text.n);
    return 0;
}

static int take_answers(struct front_ask *ask, const struct json *list)
{
    if (json_kind(list) != JSON_KIND_LIST || json_count(list) > AUTH_TEXTS_MAX_COUNT)
        return front_bad(ask, "answers is a list of at most 16 texts");
    buf_clear(ask->scratch);
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *answer = json_at(list, i);
        if (json_kind(answer) != JSON_KIND_TEXT)
            return front_bad(ask, "an answer is a text");
        int r = auth_put(ask->scratch, AUTH_ANSWER, json_text(answer));
        if (r == FAULT_LIMIT)
            return front_bad(ask, "an answer has at most 511 bytes");
        TRY(r);
    }
    ask->m.body = buf_view(ask->scratch);
    return 0;
}

static int take_member(struct bytes key, const struct json *value, void *arg)
{
    struct login_body *b = arg;
    struct front_ask *ask = b->ask;
    if (bytes_equal(key, BYTES_LITERAL("user"))) {
        b->seen |= HAS_USER;
        return take_text(ask, value, ask->after, AUTH_NAME_MAX_BYTES, &ask->m.after);
    }
    if (bytes_equal(key, BYTES_LITERAL("conversation"))) {
        b->seen |= HAS_CONVERSATION;
        return take_text(ask, value, ask->comment, sizeof ask->comment, &ask->m.comment);
    }
    if (bytes_equal(key, BYTES_LITERAL("answers"))) {
        b->seen |= HAS_ANSWERS;
        return take_answers(ask, value);
    }
    return front_bad(ask, "a member is unknown: it knows user, or conversation and answers");
}

int front_read_login(struct front_ask *ask)
{
    struct login_body b = {.ask = ask};
    struct json *j;
    if (ask->http->body.n == 0)
        return 0;
    int r = json_parse(ask->http->body, &j, ask->why_text, sizeof ask->why_text);
    if (r == JSON_BAD) {
        ask->why = ask->why_text;
        return OUTCOME_BAD_REQUEST;
    }
    TRY(r);
    r = json_kind(j) == JSON_KIND_MAP ? json_each(j, take_member, &b) : front_bad(ask, "the body is not a JSON map");
    json_free(j);
    if (r != 0)
        return r;
    if (b.seen == (HAS_CONVERSATION | HAS_ANSWERS))
        ask->m.flags |= PROTO_GOES_ON;
    else if ((b.seen & ~(unsigned)HAS_USER) != 0)
        return front_bad(ask, "the body has user, or conversation and answers");
    return 0;
}
