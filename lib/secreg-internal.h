/*
 * secreg-internal - what the files of the client library share, and sreg uses too; not exported.
 *
 * One request is sent at a time over a connection that is kept. A connection that the daemon closed while it was idle
 * is made again, once, and only for a request of which no byte was sent, or which changes nothing.
 */
#ifndef LIB_SECREG_INTERNAL_H
#define LIB_SECREG_INTERNAL_H

#include "base/buf.h"
#include "wire/http1.h"

#include <secreg/secreg.h>

enum {
    SECREG_HEAD_MAX_BYTES = 16384,    /* of a request or a reply */
    SECREG_BODY_MAX_BYTES = 16 << 20, /* of a reply */
    SECREG_SOCKET_MAX_BYTES = 108,    /* path of a socket, with its NUL */
    SECREG_CODE_MAX_BYTES = 32,
    SECREG_TEXT_MAX_BYTES = 512,
};

struct secreg_ask {
    const char *method;
    struct bytes target; /* origin-form, encoded */
    struct bytes fields; /* whole lines made by http1_write_field() */
    struct bytes body;
    bool is_read; /* changes nothing: may be sent again */
};

struct secreg_answer {
    struct http1_resp head; /* views into the handle, valid until its next request */
    struct bytes body;
};

struct secreg {
    char socket_path[SECREG_SOCKET_MAX_BYTES];
    int fd; /* -1 while there is no connection */
    unsigned timeout_ms;
    bool is_used; /* the connection has carried a request */
    struct buf in, out;
    char code[SECREG_CODE_MAX_BYTES];
    char text[SECREG_TEXT_MAX_BYTES];
};

/* secreg_fail - note an error. code, text: what secreg_error_code() and _text() say. Returns `result`. */
enum secreg_result secreg_fail(struct secreg *h, enum secreg_result result, const char *code, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* secreg_new - a handle without a connection; it is made by the first request. Results as secreg_connect(). */
enum secreg_result secreg_new(const char *socket_path, struct secreg **ret_handle);

/* secreg_join - connect if there is no connection. SECREG_OK, SECREG_UNAVAILABLE or SECREG_FAILURE, noted in the
 * handle. */
enum secreg_result secreg_join(struct secreg *h);

/*
 * secreg_request - send one request and read the whole reply.
 * Returns SECREG_OK for a reply of any status, or SECREG_UNAVAILABLE, SECREG_TOO_LARGE, SECREG_FAILURE, noted in the
 * handle.
 */
enum secreg_result secreg_request(struct secreg *h, const struct secreg_ask *ask,
                                  struct secreg_answer *ret_answer) MUST_USE;

/* secreg_is_done - the reply says that what was asked for is done: 202 says that it waits for somebody's approval. */
static inline bool secreg_is_done(const struct secreg_answer *answer)
{
    return answer->head.status / 100 == 2 && answer->head.status != 202;
}

/* secreg_refused - read the error of a reply that is not a success, and note it. Returns its result. */
enum secreg_result secreg_refused(struct secreg *h, const struct secreg_answer *answer) MUST_USE;

/* secreg_result_of - the result that stands for an error code; SECREG_FAILURE for an unknown one. */
enum secreg_result secreg_result_of(struct bytes code);

/*
 * secreg_member - the text of one member of a JSON map, without reading more of the map than needed. For the daemon's
 * own replies: it finds the end of strings, lists and maps, and checks nothing else. A member of a member is not found.
 * Returns true and sets ret_value (a view: a string with its quotes, a whole map, ...), or false.
 */
bool secreg_member(struct bytes map, const char *name, struct bytes *ret_value) MUST_USE;

/* secreg_element - take the first element off a JSON list. rest: "[1,2]", then ",2]", ... False at the end. */
bool secreg_element(struct bytes *rest, struct bytes *ret_value) MUST_USE;

/* secreg_unquote - append the text that a JSON string stands for. Returns 0, SECREG_UNQUOTE_BAD, or as buf_reserve().
 */
enum { SECREG_UNQUOTE_BAD = 1 };
int secreg_unquote(struct buf *out, struct bytes text) MUST_USE;

#endif
