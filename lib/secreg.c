/*
 * secreg - the functions of the client library; see <secreg/secreg.h>.
 *
 * Values are moved as raw bytes and names as plain lines, so that no JSON library enters the host program. Results are
 * chosen by the daemon's error codes, never by their texts.
 */
#include <secreg/secreg.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "base/text.h"
#include "secreg-internal.h"
#include "wire/uri.h"

enum { TARGET_MAX_BYTES = 3 * (2 * SECREG_PATH_MAX_BYTES) + 256, FIELDS_MAX_BYTES = 4096, REASON_MAX_BYTES = 256 };

#define SOCKET_PATH "/run/secreg/socket"
#define TREE_ROOT "/registry"

// clang-format off
/* The codes of doc/spec/outcomes.md, as results of this library. */
static const struct code {
    const char *code;
    enum secreg_result result;
} codes[] = {
    {"bad-request", SECREG_BAD_INPUT},    {"bad-path", SECREG_BAD_INPUT},   {"bad-value", SECREG_BAD_INPUT},
    {"bad-method", SECREG_BAD_INPUT},     {"too-large", SECREG_TOO_LARGE},  {"not-found", SECREG_NOT_FOUND},
    {"no-route", SECREG_NOT_FOUND},       {"refused", SECREG_REFUSED},      {"pending", SECREG_REFUSED},
    {"wrong-key", SECREG_REFUSED},
    {"conflict", SECREG_CONFLICT},        {"exists", SECREG_CONFLICT},      {"is-folder", SECREG_CONFLICT},
    {"not-folder", SECREG_CONFLICT},      {"last-admin", SECREG_CONFLICT},  {"locked", SECREG_LOCKED},
    {"storage-full", SECREG_UNAVAILABLE}, {"limit", SECREG_UNAVAILABLE},    {"unavailable", SECREG_UNAVAILABLE},
    {"timeout", SECREG_UNAVAILABLE},      {"corrupt", SECREG_CORRUPT},      {"internal", SECREG_FAILURE},
    {"bad-config", SECREG_FAILURE},       {"bad-http", SECREG_FAILURE},         {"gone", SECREG_NOT_FOUND},
    {"login-failed", SECREG_REFUSED},
    {"login-expired", SECREG_REFUSED},    {"bad-session", SECREG_REFUSED},  {"locked-out", SECREG_REFUSED},
    {"login-broken", SECREG_UNAVAILABLE}, {"no-login", SECREG_REFUSED},
    {"last-slot", SECREG_CONFLICT},       {"busy", SECREG_UNAVAILABLE},
};

static const char *const results[] = {
    [SECREG_OK] = "done",
    [SECREG_NOT_FOUND] = "no such entry",
    [SECREG_REFUSED] = "not permitted by the rules",
    [SECREG_CONFLICT] = "the tree is not as expected",
    [SECREG_LOCKED] = "the registry is locked",
    [SECREG_UNAVAILABLE] = "the daemon is not available",
    [SECREG_CORRUPT] = "stored data failed its check",
    [SECREG_BAD_INPUT] = "the input is malformed",
    [SECREG_TOO_LARGE] = "larger than the limit",
    [SECREG_FAILURE] = "the call failed",
};

static const char *const types[] = {
    [SECREG_TYPE_KEEP] = "",
    [SECREG_TYPE_STRING] = "string",
    [SECREG_TYPE_INTEGER] = "integer",
    [SECREG_TYPE_BOOLEAN] = "boolean",
    [SECREG_TYPE_FLOAT] = "float",
    [SECREG_TYPE_JSON] = "json",
    [SECREG_TYPE_BINARY] = "binary",
    [SECREG_TYPE_LIST] = "list",
};
// clang-format on

const char *secreg_type_name(enum secreg_type type)
{
    return type != SECREG_TYPE_KEEP && (size_t)type < COUNT_OF(types) ? types[type] : NULL;
}

/* ---- errors ---------------------------------------------------------------------------------------------- */

enum secreg_result secreg_fail(struct secreg *h, enum secreg_result result, const char *code, const char *format, ...)
{
    va_list args;
    assert(result != SECREG_OK);
    snprintf(h->code, sizeof h->code, "%s", code);
    va_start(args, format);
    vsnprintf(h->text, sizeof h->text, format, args);
    va_end(args);
    return result;
}

enum secreg_result secreg_result_of(struct bytes code)
{
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        if (bytes_equal(code, bytes_of_text(codes[i].code)))
            return codes[i].result;
    }
    return SECREG_FAILURE;
}

/* The text of a member that is a string; escaped, so that it is safe to print. False if it is absent or does not fit.
 */
static bool read_text(struct bytes map, const char *name, char *ret, size_t size)
{
    struct bytes raw;
    struct buf plain, safe;
    buf_init(&plain, SECREG_HEAD_MAX_BYTES);
    buf_init(&safe, SECREG_HEAD_MAX_BYTES);
    bool is_good =
        secreg_member(map, name, &raw) && secreg_unquote(&plain, raw) == 0 && text_escape(&safe, buf_view(&plain)) == 0;
    struct bytes cut = bytes_head(buf_view(&safe), size - 1);
    while (cut.n > 0 && !text_is_utf8(cut))
        cut.n--;
    is_good = is_good && text_copy(ret, size, cut);
    buf_fini(&plain);
    buf_fini(&safe);
    return is_good;
}

enum secreg_result secreg_refused(struct secreg *h, const struct secreg_answer *answer)
{
    struct bytes error;
    if (!secreg_member(answer->body, "error", &error) || !read_text(error, "code", h->code, sizeof h->code) ||
        !read_text(error, "message", h->text, sizeof h->text))
        return secreg_fail(h, SECREG_FAILURE, "bad-http", "the daemon answered %u without saying why",
                           answer->head.status);
    return secreg_result_of(bytes_of_text(h->code));
}

static enum secreg_result bad_input(struct secreg *h, const char *why)
{
    return secreg_fail(h, SECREG_BAD_INPUT, "bad-request", "%s", why);
}

static enum secreg_result failed(struct secreg *h, int fault)
{
    return fault == FAULT_LIMIT ? secreg_fail(h, SECREG_TOO_LARGE, "too-large", "an argument is too long")
                                : secreg_fail(h, SECREG_FAILURE, "internal", "out of memory");
}

const char *secreg_result_text(enum secreg_result result)
{
    return (size_t)result < COUNT_OF(results) ? results[result] : "unknown result";
}

const char *secreg_error_text(const struct secreg *handle)
{
    return handle != NULL ? handle->text : "";
}

const char *secreg_error_code(const struct secreg *handle)
{
    return handle != NULL ? handle->code : "";
}

const char *secreg_version_text(void)
{
    return SECREG_VERSION;
}

/* ---- handles --------------------------------------------------------------------------------------------- */

enum secreg_result secreg_new(const char *socket_path, struct secreg **ret_handle)
{
    struct secreg *h = calloc(1, sizeof *h);
    const char *root = secure_getenv("SECREG_ROOT");
    if (h == NULL)
        return SECREG_FAILURE;
    h->fd = -1;
    h->timeout_ms = SECREG_TIMEOUT_MS;
    buf_init_wiping(&h->in, SECREG_HEAD_MAX_BYTES + SECREG_BODY_MAX_BYTES + 1);
    buf_init_wiping(&h->out, SECREG_HEAD_MAX_BYTES);
    int n = socket_path != NULL ? snprintf(h->socket_path, sizeof h->socket_path, "%s", socket_path)
                                : snprintf(h->socket_path, sizeof h->socket_path, "%s" SOCKET_PATH, root ? root : "");
    if (n <= 0 || (size_t)n >= sizeof h->socket_path) {
        secreg_close(h);
        return SECREG_BAD_INPUT;
    }
    *ret_handle = h;
    return SECREG_OK;
}

enum secreg_result secreg_connect(const char *socket_path, struct secreg **ret_handle)
{
    struct secreg *h = NULL;
    if (ret_handle == NULL)
        return SECREG_BAD_INPUT;
    enum secreg_result result = secreg_new(socket_path, &h);
    if (result == SECREG_OK)
        result = secreg_join(h);
    if (result == SECREG_OK)
        *ret_handle = h;
    else
        secreg_close(h);
    return result;
}

void secreg_close(struct secreg *handle)
{
    int saved = errno;
    if (handle == NULL)
        return;
    if (handle->fd >= 0)
        close(handle->fd);
    buf_fini(&handle->in);
    buf_fini(&handle->out);
    explicit_bzero(handle->session, sizeof handle->session);
    free(handle);
    errno = saved;
}

void secreg_set_timeout(struct secreg *handle, unsigned timeout_ms)
{
    if (handle != NULL)
        handle->timeout_ms = timeout_ms > 0 ? timeout_ms : SECREG_TIMEOUT_MS;
}

/* ---- targets --------------------------------------------------------------------------------------------- */

/*
 * Appends the target of a path. It has to lie in the tree before it is sent: no path of a caller may name another
 * resource of the daemon. The rest of the form is checked by the daemon, which knows it.
 */
static enum secreg_result append_path(struct secreg *h, struct buf *out, const char *path, bool is_folder)
{
    struct bytes text = bytes_of_text(path);
    if (is_folder && text.n > 1 && text.p[text.n - 1] == '/')
        text.n--;
    bool is_in_tree = bytes_starts(text, BYTES_LITERAL(TREE_ROOT "/")) || bytes_equal(text, BYTES_LITERAL(TREE_ROOT));
    if (!is_in_tree || text.p[text.n - 1] == '/')
        return secreg_fail(h, SECREG_BAD_INPUT, "bad-path", "not a valid path: it begins with " TREE_ROOT "/%s",
                           is_in_tree ? " and has no slash at the end" : "");
    if (text.n > SECREG_PATH_MAX_BYTES)
        return secreg_fail(h, SECREG_BAD_INPUT, "bad-path", "not a valid path: it is longer than %d bytes",
                           SECREG_PATH_MAX_BYTES);
    int r = uri_encode(out, text);
    if (r == 0 && is_folder)
        r = buf_append_text(out, "/");
    return r == 0 ? SECREG_OK : failed(h, r);
}

static enum secreg_result ask_entry(struct secreg *h, struct secreg_ask *ask, const char *path, uint64_t version,
                                    struct secreg_answer *ret_answer)
{
    struct buf target;
    buf_init(&target, TARGET_MAX_BYTES);
    enum secreg_result result = append_path(h, &target, path, false);
    int r = result == SECREG_OK && version > 0 ? buf_print(&target, "?version=%llu", (unsigned long long)version) : 0;
    if (r < 0)
        result = failed(h, r);
    ask->target = buf_view(&target);
    if (result == SECREG_OK)
        result = secreg_request(h, ask, ret_answer);
    if (result == SECREG_OK && !secreg_is_done(ret_answer))
        result = secreg_refused(h, ret_answer);
    buf_fini(&target);
    return result;
}

static bool read_number(const struct secreg_answer *answer, const char *name, uint64_t *ret_number)
{
    struct bytes text;
    if (http1_resp_field(&answer->head, name, &text) != 0)
        return false;
    if (text.n > 2 && text.p[0] == '"' && text.p[text.n - 1] == '"') /* an ETag */
        text = bytes_of(text.p + 1, text.n - 2);
    return num_parse_u64(text, INT64_MAX, ret_number);
}

static enum secreg_result incomplete(struct secreg *h)
{
    return secreg_fail(h, SECREG_FAILURE, "bad-http", "the reply lacks a header, or has a malformed one");
}

/* ---- reading --------------------------------------------------------------------------------------------- */

enum secreg_type secreg_type_of(const char *name)
{
    for (unsigned i = SECREG_TYPE_STRING; name != NULL && i < COUNT_OF(types); i++) {
        if (strcmp(name, types[i]) == 0)
            return (enum secreg_type)i;
    }
    return SECREG_TYPE_KEEP;
}

static bool read_type(const struct secreg_answer *answer, enum secreg_type *ret_type)
{
    struct bytes text;
    if (http1_resp_field(&answer->head, "Secreg-Type", &text) != 0)
        return false;
    for (unsigned i = SECREG_TYPE_STRING; i < COUNT_OF(types); i++) {
        if (bytes_equal(text, bytes_of_text(types[i]))) {
            *ret_type = (enum secreg_type)i;
            return true;
        }
    }
    return false;
}

static enum secreg_result take_value(struct secreg *h, const struct secreg_answer *answer,
                                     struct secreg_value *ret_value)
{
    struct secreg_value v = {.size = answer->body.n};
    struct bytes sealed;
    if (!read_type(answer, &v.type) || !read_number(answer, "ETag", &v.version) ||
        !read_number(answer, "Secreg-Revision", &v.revision))
        return incomplete(h);
    v.is_sealed =
        http1_resp_field(&answer->head, "Secreg-Sealed", &sealed) == 0 && bytes_equal(sealed, BYTES_LITERAL("true"));
    v.bytes = malloc(v.size + 1);
    if (v.bytes == NULL)
        return secreg_fail(h, SECREG_FAILURE, "internal", "out of memory");
    if (v.size > 0)
        memcpy(v.bytes, answer->body.p, v.size);
    v.bytes[v.size] = '\0';
    *ret_value = v;
    return SECREG_OK;
}

static enum secreg_result get(struct secreg *h, const char *path, uint64_t version, struct secreg_value *ret_value)
{
    struct secreg_answer answer;
    struct secreg_ask ask = {.method = "GET", .is_read = true};
    enum secreg_result result = ask_entry(h, &ask, path, version, &answer);
    if (result == SECREG_OK)
        result = take_value(h, &answer, ret_value);
    buf_clear(&h->in);
    return result;
}

enum secreg_result secreg_get(struct secreg *handle, const char *path, struct secreg_value *ret_value)
{
    if (handle == NULL)
        return SECREG_BAD_INPUT;
    return ret_value == NULL ? bad_input(handle, "ret_value is NULL") : get(handle, path, 0, ret_value);
}

enum secreg_result secreg_get_version(struct secreg *handle, const char *path, uint64_t version,
                                      struct secreg_value *ret_value)
{
    if (handle == NULL)
        return SECREG_BAD_INPUT;
    if (ret_value == NULL || version == 0 || version > INT64_MAX)
        return bad_input(handle, "ret_value is NULL, or the version is 0 or too large");
    return get(handle, path, version, ret_value);
}

void secreg_value_fini(struct secreg_value *value)
{
    if (value == NULL)
        return;
    if (value->bytes != NULL)
        explicit_bzero(value->bytes, value->size);
    free(value->bytes);
    *value = (struct secreg_value){0};
}

/* ---- writing --------------------------------------------------------------------------------------------- */

static int add_field(struct buf *fields, const char *name, const char *value)
{
    return http1_write_field(fields, name, bytes_of_text(value));
}

static int add_match(struct buf *fields, uint64_t version)
{
    char tag[32];
    if (version == 0)
        return 0;
    snprintf(tag, sizeof tag, "\"%llu\"", (unsigned long long)version);
    return add_field(fields, "If-Match", tag);
}

static int add_options(struct buf *fields, const struct secreg_set_options *o)
{
    int r = add_match(fields, o->expected_version);
    if (r == 0 && o->must_not_exist)
        r = add_field(fields, "If-None-Match", "*");
    if (r == 0 && o->type != SECREG_TYPE_KEEP)
        r = add_field(fields, "Secreg-Type", types[o->type]);
    if (r == 0 && o->sealing != SECREG_SEALING_KEEP)
        r = add_field(fields, "Secreg-Sealed", o->sealing == SECREG_SEALING_ON ? "true" : "false");
    if (r == 0 && o->reason != NULL)
        r = add_field(fields, "Secreg-Reason", o->reason);
    return r;
}

static const char *check_options(const struct secreg_set_options *o)
{
    if ((unsigned)o->type >= COUNT_OF(types) || (unsigned)o->sealing > SECREG_SEALING_OFF)
        return "the type or sealing is none of the known ones";
    if (o->expected_version > INT64_MAX || (o->expected_version > 0 && o->must_not_exist))
        return "expected_version is too large, or does not go with must_not_exist";
    if (o->reason != NULL && strnlen(o->reason, REASON_MAX_BYTES + 1) > REASON_MAX_BYTES)
        return "the reason is longer than 256 bytes";
    return NULL;
}

static enum secreg_result change(struct secreg *h, const char *method, const char *path, struct bytes body,
                                 const struct secreg_set_options *o, uint64_t *ret_version)
{
    struct buf fields;
    struct secreg_answer answer;
    uint64_t version = 0;
    enum secreg_result result;
    buf_init(&fields, FIELDS_MAX_BYTES);
    int r = add_options(&fields, o);
    if (r != 0) {
        result = r == HTTP1_BAD ? bad_input(h, "the reason holds a control character") : failed(h, r);
    } else {
        struct secreg_ask ask = {.method = method, .fields = buf_view(&fields), .body = body};
        result = ask_entry(h, &ask, path, 0, &answer);
    }
    if (result == SECREG_OK && !read_number(&answer, "ETag", &version))
        result = incomplete(h);
    if (result == SECREG_OK && ret_version != NULL)
        *ret_version = version;
    buf_fini(&fields);
    return result;
}

enum secreg_result secreg_set(struct secreg *handle, const char *path, const void *value, size_t size,
                              const struct secreg_set_options *options, uint64_t *ret_version)
{
    static const struct secreg_set_options none;
    if (handle == NULL)
        return SECREG_BAD_INPUT;
    const char *why = check_options(options != NULL ? options : &none);
    if (value == NULL && size > 0)
        why = "the value is NULL";
    if (why != NULL)
        return bad_input(handle, why);
    if (size > SECREG_VALUE_MAX_BYTES)
        return secreg_fail(handle, SECREG_TOO_LARGE, "too-large", "larger than the limit: a value has at most %d bytes",
                           SECREG_VALUE_MAX_BYTES);
    return change(handle, "PUT", path, bytes_of(value, size), options != NULL ? options : &none, ret_version);
}

enum secreg_result secreg_delete(struct secreg *handle, const char *path, uint64_t expected_version, const char *reason,
                                 uint64_t *ret_version)
{
    struct secreg_set_options options = {.expected_version = expected_version, .reason = reason};
    if (handle == NULL)
        return SECREG_BAD_INPUT;
    const char *why = check_options(&options);
    return why != NULL ? bad_input(handle, why) : change(handle, "DELETE", path, BYTES_NONE, &options, ret_version);
}

/* ---- listing --------------------------------------------------------------------------------------------- */

struct listing {
    struct buf target;
    size_t base_bytes; /* of the target, without "after" */
    bool has_more;
};

/* Makes the target of the next page, if there is one. `next` is encoded already. */
static enum secreg_result note_next(struct secreg *h, struct listing *l, const struct secreg_answer *answer)
{
    struct bytes next;
    l->has_more = http1_resp_field(&answer->head, "Secreg-Next", &next) == 0;
    if (!l->has_more)
        return SECREG_OK;
    struct bytes last = bytes_from(buf_view(&l->target), l->base_bytes);
    if (next.n == 0 || (last.n > 7 && bytes_equal(bytes_from(last, 7), next)))
        return incomplete(h);
    buf_truncate(&l->target, l->base_bytes);
    int r = buf_append_text(&l->target, "&after=");
    if (r == 0)
        r = buf_append(&l->target, next);
    return r == 0 ? SECREG_OK : failed(h, r);
}

/* ret_page is a copy, so that the callback may use the handle; a C string. */
static enum secreg_result fetch(struct secreg *h, struct listing *l, char **ret_page)
{
    struct secreg_answer answer;
    struct secreg_ask ask = {.method = "GET",
                             .target = buf_view(&l->target),
                             .fields = BYTES_LITERAL("Accept: text/plain\r\n"),
                             .is_read = true};
    enum secreg_result result = secreg_request(h, &ask, &answer);
    if (result != SECREG_OK)
        return result;
    if (answer.head.status != 200)
        return secreg_refused(h, &answer);
    enum secreg_result paged = note_next(h, l, &answer);
    if (paged != SECREG_OK)
        return paged;
    *ret_page = strndup(answer.body.n > 0 ? (const char *)answer.body.p : "", answer.body.n);
    return *ret_page != NULL ? SECREG_OK : secreg_fail(h, SECREG_FAILURE, "internal", "out of memory");
}

/* Hands the lines over. Returns false if the callback ended it. */
static bool give_lines(char *page, int (*on_name)(const char *name, bool is_folder, void *arg), void *arg)
{
    char *rest = page, *line;
    while ((line = strsep(&rest, "\n")) != NULL) {
        size_t n = strlen(line);
        bool is_folder = n > 0 && line[n - 1] == '/';
        if (is_folder)
            line[n - 1] = '\0';
        if (n > 0 && on_name(line, is_folder, arg) != 0)
            return false;
    }
    return true;
}

enum secreg_result secreg_list(struct secreg *handle, const char *path, bool recursive,
                               int (*on_name)(const char *name, bool is_folder, void *arg), void *arg)
{
    if (handle == NULL)
        return SECREG_BAD_INPUT;
    if (on_name == NULL)
        return bad_input(handle, "on_name is NULL");
    struct listing l = {.has_more = true};
    buf_init(&l.target, TARGET_MAX_BYTES);
    enum secreg_result result = append_path(handle, &l.target, path, true);
    int r = result == SECREG_OK ? buf_append_text(&l.target, recursive ? "?limit=1000&recursive" : "?limit=1000") : 0;
    if (r < 0)
        result = failed(handle, r);
    l.base_bytes = buf_size(&l.target);
    bool goes_on = true;
    while (result == SECREG_OK && l.has_more && goes_on) {
        char *page = NULL;
        result = fetch(handle, &l, &page);
        if (result == SECREG_OK)
            goes_on = give_lines(page, on_name, arg);
        free(page);
    }
    buf_fini(&l.target);
    return result;
}
