/*
 * secreg-txn - several things at once, all of it or nothing: a builder for the JSON body of POST /v1/txn.
 *
 * Every text of the caller goes into the body as a JSON string, values too ("text", or base64 for binary): nothing that
 * a caller passes can become a part of the request's structure. The first argument that cannot be taken is remembered,
 * and the commit refuses with it; so calls can be chained without looking at each result.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/code.h"
#include "base/num.h"
#include "base/text.h"
#include "secreg-internal.h"
#include "wire/doc.h"

enum { TXN_BODY_MAX_BYTES = 2 << 20 };

struct secreg_txn {
    struct secreg *handle;
    struct buf lists[2]; /* comparisons, operations */
    int fault;           /* the first failure of building; 0: none */
};

enum { COMPARE, THEN };

struct secreg_txn *secreg_txn_free(struct secreg_txn *txn)
{
    if (txn == NULL)
        return NULL;
    for (size_t i = 0; i < COUNT_OF(txn->lists); i++)
        buf_fini(&txn->lists[i]);
    free(txn);
    return NULL;
}

enum secreg_result secreg_txn_new(struct secreg *handle, struct secreg_txn **ret_txn)
{
    if (handle == NULL || ret_txn == NULL)
        return SECREG_BAD_INPUT;
    struct secreg_txn *txn = calloc(1, sizeof *txn);
    if (txn == NULL)
        return secreg_fail(handle, SECREG_FAILURE, "internal", "out of memory");
    txn->handle = handle;
    for (size_t i = 0; i < COUNT_OF(txn->lists); i++)
        buf_init_wiping(&txn->lists[i], TXN_BODY_MAX_BYTES);
    *ret_txn = txn;
    return SECREG_OK;
}

/* ---- building -------------------------------------------------------------------------------------------- */

static int put_text(struct buf *out, const char *name, const char *text)
{
    TRY(buf_append_text(out, ",\""));
    TRY(buf_append_text(out, name));
    TRY(buf_append_text(out, "\":"));
    if (!text_is_utf8(bytes_of_text(text)))
        return RAISE(FAULT_PROTOCOL);
    return doc_json_string(out, bytes_of_text(text));
}

static int put_number(struct buf *out, const char *name, uint64_t number)
{
    return buf_print(out, ",\"%s\":%llu", name, (unsigned long long)number);
}

/* The beginning of one element: a comma, and what it is. `op` NULL: a comparison. */
static int begin(struct buf *out, const char *op, const char *path_name, const char *path)
{
    TRY(buf_append_text(out, buf_size(out) > 0 ? ",{\"" : "{\""));
    if (op != NULL) {
        TRY(buf_append_text(out, "op\":\""));
        TRY(buf_append_text(out, op));
        TRY(buf_append_text(out, "\""));
        return put_text(out, path_name, path);
    }
    TRY(buf_append_text(out, path_name));
    TRY(buf_append_text(out, "\":"));
    if (!text_is_utf8(bytes_of_text(path)))
        return RAISE(FAULT_PROTOCOL);
    return doc_json_string(out, bytes_of_text(path));
}

static int put_value(struct buf *out, enum secreg_type type, struct bytes value)
{
    const char *name = secreg_type_name(type);
    if (type != SECREG_TYPE_KEEP && name == NULL)
        return RAISE(FAULT_PROTOCOL);
    if (type != SECREG_TYPE_KEEP)
        TRY(put_text(out, "type", name));
    if (type == SECREG_TYPE_BINARY) {
        TRY(buf_append_text(out, ",\"value\":\""));
        TRY(code_base64(out, value));
        return buf_append_text(out, "\"");
    }
    if (!text_is_utf8(value) || bytes_find(value, 0) != value.n)
        return RAISE(FAULT_PROTOCOL);
    TRY(buf_append_text(out, ",\"text\":"));
    return doc_json_string(out, value);
}

/* Remembers the first failure; an element that failed half-way is never sent. */
static enum secreg_result note(struct secreg_txn *txn, int r)
{
    if (r < 0 && txn->fault == 0)
        txn->fault = r;
    if (txn->fault == FAULT_LIMIT)
        return SECREG_TOO_LARGE;
    return txn->fault == 0 ? SECREG_OK : txn->fault == FAULT_PROTOCOL ? SECREG_BAD_INPUT : SECREG_FAILURE;
}

static int compare_version(struct buf *out, const char *path, uint64_t version)
{
    TRY(begin(out, NULL, "path", path));
    TRY(version > 0 ? put_number(out, "version", version) : buf_append_text(out, ",\"absent\":true"));
    return buf_append_text(out, "}");
}

enum secreg_result secreg_txn_if_version(struct secreg_txn *txn, const char *path, uint64_t version)
{
    if (txn == NULL || path == NULL)
        return SECREG_BAD_INPUT;
    return note(txn, compare_version(&txn->lists[COMPARE], path, version));
}

static int compare_value(struct buf *out, const char *path, enum secreg_type type, struct bytes value)
{
    TRY(begin(out, NULL, "path", path));
    TRY(put_value(out, type, value));
    return buf_append_text(out, "}");
}

enum secreg_result secreg_txn_if_value(struct secreg_txn *txn, const char *path, enum secreg_type type,
                                       const void *value, size_t size)
{
    if (txn == NULL || path == NULL || (value == NULL && size > 0))
        return SECREG_BAD_INPUT;
    return note(txn, compare_value(&txn->lists[COMPARE], path, type, bytes_of(value, size)));
}

static int set(struct buf *out, const char *path, struct bytes value, const struct secreg_set_options *o)
{
    TRY(begin(out, "set", "path", path));
    TRY(put_value(out, o->type, value));
    if (o->sealing != SECREG_SEALING_KEEP)
        TRY(buf_append_text(out, o->sealing == SECREG_SEALING_ON ? ",\"seal\":true" : ",\"seal\":false"));
    if (o->expected_version > 0)
        TRY(put_number(out, "version", o->expected_version));
    if (o->must_not_exist)
        TRY(buf_append_text(out, ",\"absent\":true"));
    return buf_append_text(out, "}");
}

enum secreg_result secreg_txn_set(struct secreg_txn *txn, const char *path, const void *value, size_t size,
                                  const struct secreg_set_options *options)
{
    static const struct secreg_set_options none = {0};
    const struct secreg_set_options *o = options != NULL ? options : &none;
    if (txn == NULL || path == NULL || (value == NULL && size > 0) || (o->must_not_exist && o->expected_version > 0))
        return SECREG_BAD_INPUT;
    return note(txn, set(&txn->lists[THEN], path, bytes_of(value, size), o));
}

static int delete_one(struct buf *out, const char *path, uint64_t version, bool is_tree)
{
    TRY(begin(out, is_tree ? "delete-tree" : "delete", "path", path));
    if (version > 0)
        TRY(put_number(out, "version", version));
    return buf_append_text(out, "}");
}

enum secreg_result secreg_txn_delete(struct secreg_txn *txn, const char *path, uint64_t expected_version)
{
    if (txn == NULL || path == NULL)
        return SECREG_BAD_INPUT;
    return note(txn, delete_one(&txn->lists[THEN], path, expected_version, false));
}

enum secreg_result secreg_txn_delete_tree(struct secreg_txn *txn, const char *path)
{
    if (txn == NULL || path == NULL)
        return SECREG_BAD_INPUT;
    return note(txn, delete_one(&txn->lists[THEN], path, 0, true));
}

static int transfer(struct buf *out, const char *op, const char *from, const char *to)
{
    TRY(begin(out, op, "from", from));
    TRY(put_text(out, "to", to));
    return buf_append_text(out, "}");
}

enum secreg_result secreg_txn_move(struct secreg_txn *txn, const char *from, const char *to)
{
    if (txn == NULL || from == NULL || to == NULL)
        return SECREG_BAD_INPUT;
    return note(txn, transfer(&txn->lists[THEN], "move", from, to));
}

enum secreg_result secreg_txn_copy(struct secreg_txn *txn, const char *from, const char *to)
{
    if (txn == NULL || from == NULL || to == NULL)
        return SECREG_BAD_INPUT;
    return note(txn, transfer(&txn->lists[THEN], "copy", from, to));
}

/* ---- committing ------------------------------------------------------------------------------------------ */

static int put_body(struct buf *body, const struct secreg_txn *txn, const char *reason, bool is_dry)
{
    TRY(buf_append_text(body, "{\"compare\":["));
    TRY(buf_append(body, buf_view(&txn->lists[COMPARE])));
    TRY(buf_append_text(body, "],\"then\":["));
    TRY(buf_append(body, buf_view(&txn->lists[THEN])));
    TRY(buf_append_text(body, "]"));
    if (reason != NULL)
        TRY(put_text(body, "reason", reason));
    return buf_append_text(body, is_dry ? ",\"dry_run\":true}" : "}");
}

static enum secreg_result read_answer(struct secreg *h, const struct secreg_answer *answer, bool *ret_succeeded,
                                      uint64_t *ret_revision)
{
    struct bytes data, succeeded, revision;
    uint64_t number;
    if (answer->head.status != 200)
        return secreg_refused(h, answer);
    if (!secreg_member(answer->body, "data", &data) || !secreg_member(data, "succeeded", &succeeded) ||
        !secreg_member(data, "revision", &revision) || !num_parse_u64(revision, UINT64_MAX, &number))
        return secreg_fail(h, SECREG_FAILURE, "bad-http", "the daemon's answer is malformed");
    if (ret_succeeded != NULL)
        *ret_succeeded = bytes_equal(succeeded, BYTES_LITERAL("true"));
    if (ret_revision != NULL)
        *ret_revision = number;
    return SECREG_OK;
}

enum secreg_result secreg_txn_commit(struct secreg_txn *txn, const char *reason, bool is_dry_run, bool *ret_succeeded,
                                     uint64_t *ret_revision)
{
    struct secreg_ask ask = {.method = "POST", .target = BYTES_LITERAL("/v1/txn")};
    struct secreg_answer answer;
    struct buf body;
    if (txn == NULL)
        return SECREG_BAD_INPUT;
    buf_init_wiping(&body, 2 * TXN_BODY_MAX_BYTES);
    enum secreg_result result = note(txn, txn->fault == 0 ? put_body(&body, txn, reason, is_dry_run) : 0);
    if (result != SECREG_OK) {
        result = secreg_fail(txn->handle, result, result == SECREG_TOO_LARGE ? "too-large" : "bad-request", "%s",
                             result == SECREG_TOO_LARGE ? "the transaction is longer than 2 MiB"
                                                        : "an argument of the transaction is malformed");
    } else {
        ask.body = buf_view(&body);
        result = secreg_request(txn->handle, &ask, &answer);
        if (result == SECREG_OK)
            result = read_answer(txn->handle, &answer, ret_succeeded, ret_revision);
    }
    buf_fini(&body);
    return result;
}
