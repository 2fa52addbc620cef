/*
 * secreg-internal - what the files of the client library share, and sreg uses too; not exported.
 *
 * One request is sent at a time over a connection that is kept. A connection that the daemon closed while it was idle
 * is made again, once, and only for a request of which no byte was sent, or which changes nothing.
 */
#ifndef LIB_SECREG_INTERNAL_H
#define LIB_SECREG_INTERNAL_H

#include "base/buf.h"
#include "base/clock.h"
#include "wire/http1.h"

#include <secreg/secreg.h>

enum {
    SECREG_HEAD_MAX_BYTES = 16384,    /* of a request or a reply */
    SECREG_BODY_MAX_BYTES = 16 << 20, /* of a reply */
    SECREG_SOCKET_MAX_BYTES = 108,    /* path of a socket, with its NUL */
    SECREG_CODE_MAX_BYTES = 32,
    SECREG_TEXT_MAX_BYTES = 512,
    SECREG_SESSION_MAX_BYTES = 128, /* text of a session token, with its NUL */
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
    char session[SECREG_SESSION_MAX_BYTES]; /* token that every request carries; "": none */
    char code[SECREG_CODE_MAX_BYTES];
    char text[SECREG_TEXT_MAX_BYTES];
};

/* secreg_type_name - as the daemon calls a type; NULL for SECREG_TYPE_KEEP and what is no type. */
const char *secreg_type_name(enum secreg_type type);

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

/*
 * secreg_stream - send a request for a stream and read the head of its reply; what came behind it is in h->in, the rest
 * comes from h->fd, which is the caller's to read until secreg_leave().
 * Returns SECREG_OK, the result of a refusal, or as secreg_request(); noted in the handle.
 */
enum secreg_result secreg_stream(struct secreg *h, const struct secreg_ask *ask) MUST_USE;

/* secreg_leave - close the connection, if there is one. */
void secreg_leave(struct secreg *h);

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

/* secreg_type_of - the type of a name; SECREG_TYPE_KEEP for NULL and for an unknown one. */
enum secreg_type secreg_type_of(const char *name);

/* ---- watches ------------------------------------------------------------------------------------------------- */

struct secreg_watch {
    struct secreg *link;
    char path[SECREG_PATH_MAX_BYTES + 1];
    bool has_values, has_since;
    uint64_t since;    /* whole up to it: where to go on */
    uint64_t given;    /* handed out up to it */
    bool is_joined;    /* there is a stream */
    unsigned every_ms; /* how often it says something */
    unsigned retry_ms; /* how long to wait before the next try */
    struct mono_time heard_at, retry_at;
    struct http1_chunks chunks;
    struct buf lines;         /* not handed out yet */
    size_t held, ready, seen; /* of them: handed out last; of whole revisions; looked at */
    struct buf text;          /* of the change that was handed out last */
    int wake_fd;
};

/* secreg_watch_new - a watch without a connection. secreg_watch_join - connect it once. Results as
 * secreg_watch_open(). */
enum secreg_result secreg_watch_new(const char *socket_path, const char *path,
                                    const struct secreg_watch_options *options, struct secreg_watch **ret_watch);
enum secreg_result secreg_watch_join(struct secreg_watch *w) MUST_USE;

/* secreg_watch_take - as secreg_watch_next(), but the line as it came, newline included; empty if nothing happened.
 * Valid until the next call with the watch. */
enum secreg_result secreg_watch_take(struct secreg_watch *w, int timeout_ms, struct bytes *ret_line) MUST_USE;

/* One line, as far as following needs it. */
enum secreg_watch_kind { SECREG_WATCH_CHANGE = 1, SECREG_WATCH_IDLE, SECREG_WATCH_ENDED };
struct secreg_watch_line {
    enum secreg_watch_kind kind;
    uint64_t revision;
    bool is_last;      /* of its revision */
    uint32_t every_ms; /* IDLE */
    struct bytes why;  /* ENDED: an error code, or "stopping" */
};

/* secreg_watch_see - what a line is. secreg_watch_read - the whole of a change; texts are put into `text`, which is
 * emptied first. Return true, or false if it is malformed (or, the second, if memory ran out). */
bool secreg_watch_see(struct bytes line, struct secreg_watch_line *ret_line) MUST_USE;
bool secreg_watch_read(struct bytes line, struct buf *text, struct secreg_change *ret_change) MUST_USE;

#endif
