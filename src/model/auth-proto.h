/*
 * auth-proto - what the engine and one process of the auth role say to each other, and what was found out.
 *
 * The engine begins and hands answers over; the process hands the texts of PAM modules out, and its last word is a
 * result. Neither trusts the other's framing (wire/msg.h): a process runs code of others. Lists of texts are counted
 * and bounded here, because the fields of a message know no lists. Source: pam_conv(3); doc/design.md, section 4.
 */
#ifndef MODEL_AUTH_PROTO_H
#define MODEL_AUTH_PROTO_H

#include "wire/msg.h"

enum {
    AUTH_TEXTS_MAX_COUNT = 16,         /* texts of one message, prompts or answers */
    AUTH_TEXT_MAX_BYTES = 511,         /* one of them: PAM_MAX_MSG_SIZE and PAM_MAX_RESP_SIZE, without the NUL */
    AUTH_NAME_MAX_BYTES = 255,         /* of a user */
    AUTH_ROUNDS_MAX_COUNT = 16,        /* times that answers are asked for in one login */
    AUTH_CHANNEL_MAX_BYTES = 32 << 10, /* waiting in one direction */
};

enum auth_to_process { AUTH_BEGIN = 1, AUTH_ANSWERS = 2 };
enum auth_to_engine { AUTH_PROMPTS = 1, AUTH_RESULT = 2 };

/* What stands before a text. AUTH_ANSWER in lists of answers, the others in lists of prompts. */
enum auth_style { AUTH_ANSWER = 0, AUTH_HIDDEN = 1, AUTH_SHOWN = 2, AUTH_INFO = 3, AUTH_ERROR = 4 };

/* How a login ended. */
enum auth_result {
    AUTH_DONE = 1,
    AUTH_WRONG,   /* not the right answers, or no such user: the two are not told apart */
    AUTH_EXPIRED, /* the account or its password has expired */
    AUTH_DENIED,  /* the account may not log in now */
    AUTH_BROKEN,  /* PAM, a module, or the process failed */
    AUTH_RESULTS_END
};

// clang-format off
#define AUTH_BEGIN_FIELDS(X)                                                                                           \
    X(u32,   uid)    /* of the peer: the user who logs in must have it */                                              \
    X(bytes, user)   /* its name as /etc/passwd has it, or the number */
MSG_DECLARE(auth_begin, AUTH_BEGIN_FIELDS)

#define AUTH_ANSWERS_FIELDS(X)                                                                                         \
    X(bytes, texts)  /* a list: one for each AUTH_HIDDEN and AUTH_SHOWN of the prompts, in their order */
MSG_DECLARE(auth_answers, AUTH_ANSWERS_FIELDS)

#define AUTH_PROMPTS_FIELDS(X)                                                                                         \
    X(bytes, texts)  /* a list with at least one AUTH_HIDDEN or AUTH_SHOWN */
MSG_DECLARE(auth_prompts, AUTH_PROMPTS_FIELDS)

#define AUTH_RESULT_FIELDS(X)                                                                                          \
    X(u16,   result) /* enum auth_result */                                                                            \
    X(bytes, notes)  /* a list of AUTH_INFO and AUTH_ERROR only */
MSG_DECLARE(auth_result, AUTH_RESULT_FIELDS)
// clang-format on

/* auth_put - append one text to a list. Returns 0, FAULT_LIMIT (longer than AUTH_TEXT_MAX_BYTES), or as buf_reserve().
 */
int auth_put(struct buf *list, enum auth_style style, struct bytes text) MUST_USE;

/* auth_next - take the first text off a checked list. Returns false at its end. */
bool auth_next(struct bytes *list, enum auth_style *ret_style, struct bytes *ret_text);

/* What a list holds. */
struct auth_count {
    size_t texts, asked; /* asked: AUTH_HIDDEN and AUTH_SHOWN */
};

/*
 * auth_check - true if a list of prompts (is_answers: of answers) is well-formed to its last byte, within the limits,
 * of the right styles, and no text holds a NUL. ret_count is set only then.
 */
bool auth_check(struct bytes list, bool is_answers, struct auth_count *ret_count) MUST_USE;

#endif
