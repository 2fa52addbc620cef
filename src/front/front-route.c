/* front-route - the routes as one table, and reading what a request says; see front.h. doc/spec/http-api.md describes
 * them. */
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "crypt/keys.h"
#include "front/front.h"
#include "model/schema-json.h"
#include "model/value.h"
#include "wire/json.h"

enum { SMALL_BODY_BYTES = 4096, LOGIN_BODY_BYTES = 32768 };

/* ---- arguments and headers ------------------------------------------------------------------------------- */

const struct uri_arg *front_arg(const struct front_ask *ask, const char *name)
{
    for (size_t i = 0; i < ask->uri.args_count; i++) {
        if (bytes_equal(ask->uri.args[i].name, bytes_of_text(name)))
            return &ask->uri.args[i];
    }
    return NULL;
}

int front_bad(struct front_ask *ask, const char *why)
{
    ask->why = why;
    return OUTCOME_BAD_REQUEST;
}

int front_read_flag(struct front_ask *ask, const char *name, uint32_t flag)
{
    const struct uri_arg *a = front_arg(ask, name);
    if (a != NULL && a->has_value)
        return front_bad(ask, "a flag takes no value");
    if (a != NULL)
        ask->m.flags |= flag;
    return 0;
}

int front_read_number(struct front_ask *ask, const char *name, uint64_t min, uint64_t max, uint64_t *ret)
{
    const struct uri_arg *a = front_arg(ask, name);
    if (a != NULL && (!num_parse_u64(a->value, max, ret) || *ret < min))
        return front_bad(ask, "a number is malformed or out of range");
    return 0;
}

int front_read_text(struct front_ask *ask, const char *name, uint8_t *storage, size_t room, struct bytes *ret)
{
    struct buf b;
    const struct uri_arg *a = front_arg(ask, name);
    if (a == NULL)
        return 0;
    buf_init(&b, room);
    int r = uri_decode_arg(&b, a->value);
    if (r == 0) {
        if (buf_size(&b) > 0)
            memcpy(storage, buf_view(&b).p, buf_size(&b));
        *ret = bytes_of(storage, buf_size(&b));
    }
    buf_fini(&b);
    if (r == FAULT_LIMIT)
        return OUTCOME_TOO_LARGE;
    return r == URI_BAD ? front_bad(ask, "an argument is not properly encoded") : r;
}

int front_read_time(struct front_ask *ask, const char *name, int64_t *ret_us)
{
    char text[CLOCK_TEXT_BYTES];
    struct bytes raw = BYTES_NONE;
    struct wall_time t;
    uint8_t storage[64];
    int r = front_read_text(ask, name, storage, sizeof storage, &raw);
    if (r != 0 || raw.n == 0)
        return r;
    if (raw.n >= sizeof text)
        return front_bad(ask, "a time is RFC 3339 in UTC, as 2026-01-31T12:00:00Z");
    memcpy(text, raw.p, raw.n);
    text[raw.n] = '\0';
    if (!clock_wall_parse(text, &t))
        return front_bad(ask, "a time is RFC 3339 in UTC, as 2026-01-31T12:00:00Z");
    *ret_us = t.us;
    return 0;
}

int front_read_header(struct front_ask *ask, const char *name, struct bytes *ret_value)
{
    int r = http1_field(&ask->http->head, name, ret_value);
    if (r == HTTP1_MANY)
        return front_bad(ask, "a header is given more than once");
    if (r == HTTP1_NO_FIELD)
        *ret_value = BYTES_NONE;
    return 0;
}

/* "7" in quotes, RFC 9110 section 8.8.3; one strong tag, no list. */
static bool parse_etag(struct bytes text, uint64_t *ret_version)
{
    if (text.n < 3 || text.p[0] != '"' || text.p[text.n - 1] != '"')
        return false;
    return num_parse_u64(bytes_of(text.p + 1, text.n - 2), INT64_MAX, ret_version);
}

int front_read_match(struct front_ask *ask)
{
    struct bytes match, none;
    int r = front_read_header(ask, "If-Match", &match);
    if (r == 0)
        r = front_read_header(ask, "If-None-Match", &none);
    if (r != 0)
        return r;
    if (match.n > 0) {
        if (!parse_etag(match, &ask->m.match))
            return front_bad(ask, "If-Match is one version in quotes");
        ask->m.flags |= PROTO_MATCH_VERSION;
    }
    if (none.n > 0) {
        if (!bytes_equal(none, BYTES_LITERAL("*")))
            return front_bad(ask, "If-None-Match is *");
        ask->m.flags |= PROTO_MATCH_ABSENT;
    }
    return 0;
}

/* True if the list of the Accept field names this media type, whatever its weight: who asks for it gets it. */
static bool accepts(const struct front_ask *ask, const char *media)
{
    struct bytes rest;
    if (http1_field(&ask->http->head, "Accept", &rest) != 0)
        return false;
    while (rest.n > 0) {
        size_t n = bytes_find(rest, ',');
        struct bytes item = bytes_head(rest, n);
        item = bytes_head(item, bytes_find(item, ';'));
        while (item.n > 0 && item.p[0] == ' ')
            item = bytes_from(item, 1);
        while (item.n > 0 && item.p[item.n - 1] == ' ')
            item.n--;
        if (bytes_equal_nocase(item, bytes_of_text(media)))
            return true;
        rest = bytes_from(rest, n + 1);
    }
    return false;
}

/* ---- entries --------------------------------------------------------------------------------------------- */

/* The tree path of the target, decoded; is_folder: it had a slash at the end, which is not part of it. */
static int read_path(struct front_ask *ask, bool *ret_is_folder)
{
    struct buf b;
    struct bytes raw = ask->uri.path;
    *ret_is_folder = raw.n > 1 && raw.p[raw.n - 1] == '/';
    if (*ret_is_folder)
        raw.n--;
    /* nothing is encoded in most paths: then no copy is needed */
    if (bytes_find(raw, '%') == raw.n) {
        ask->m.path = raw;
    } else {
        buf_init(&b, sizeof ask->path);
        int r = uri_decode(&b, raw);
        if (r == 0) {
            memcpy(ask->path, buf_view(&b).p, buf_size(&b));
            ask->m.path = bytes_of(ask->path, buf_size(&b));
        }
        buf_fini(&b);
        if (r == FAULT_LIMIT || r == URI_BAD) {
            ask->why = r == URI_BAD ? "it is not properly encoded" : "it is longer than 512 bytes";
            return OUTCOME_BAD_PATH;
        }
        TRY(r);
    }
    return path_check(ask->m.path, &ask->why) ? 0 : OUTCOME_BAD_PATH;
}

/* Which entries of a folder. */
static int read_filters(struct front_ask *ask)
{
    struct bytes type = BYTES_NONE;
    uint8_t type_text[16];
    int r = front_read_text(ask, "name", ask->filter, PATH_MAX_BYTES, &ask->m.name);
    if (r == 0)
        r = front_read_text(ask, "tag", ask->comment, sizeof ask->comment, &ask->m.tags);
    if (r == 0)
        r = front_read_text(ask, "type", type_text, sizeof type_text, &type);
    if (r == 0)
        r = front_read_time(ask, "expires_before", &ask->m.until_us);
    if (r != 0)
        return r == OUTCOME_TOO_LARGE ? front_bad(ask, "a filter is too long") : r;
    ask->m.type = (uint16_t)value_type_of(type);
    if (front_arg(ask, "type") != NULL && ask->m.type == 0)
        return front_bad(ask, "there is no such type");
    if ((front_arg(ask, "name") != NULL && ask->m.name.n == 0) || (front_arg(ask, "tag") != NULL && ask->m.tags.n == 0))
        return front_bad(ask, "a filter is empty");
    return 0;
}

static int read_list(struct front_ask *ask)
{
    int r = front_read_flag(ask, "recursive", PROTO_RECURSIVE);
    if (r == 0)
        r = front_read_flag(ask, "long", PROTO_LONG);
    if (r == 0)
        r = front_read_flag(ask, "values", PROTO_VALUES);
    if (r == 0)
        r = front_read_number(ask, "limit", 1, 1000, &ask->m.version);
    if (r == 0)
        r = front_read_number(ask, "revision", 1, INT64_MAX, &ask->m.match);
    if (r == 0)
        r = front_read_text(ask, "after", ask->after, sizeof ask->after, &ask->m.after);
    if (r == 0)
        r = read_filters(ask);
    if (r == 0 && (front_arg(ask, "version") != NULL || front_arg(ask, "history") != NULL))
        r = front_bad(ask, "version and history are of entries, not of folders");
    if (r == 0 && front_arg(ask, "revision") != NULL)
        ask->m.flags |= PROTO_HAS_REVISION;
    if (r == 0 && front_arg(ask, "fingerprint") != NULL) {
        ask->m.op = PROTO_OP_FINGERPRINT;
        r = ask->uri.args_count > 1 ? front_bad(ask, "fingerprint stands alone")
                                    : front_read_flag(ask, "fingerprint", 0);
    }
    return r;
}

static int read_get(struct front_ask *ask)
{
    bool is_folder;
    int r = read_path(ask, &is_folder);
    if (r == 0 && is_folder) {
        ask->m.op = PROTO_OP_LIST;
        if (accepts(ask, "text/plain") && front_arg(ask, "values") == NULL && front_arg(ask, "fingerprint") == NULL)
            ask->m.flags |= PROTO_PLAIN;
        return read_list(ask);
    }
    for (size_t i = 0; r == 0 && i < ask->uri.args_count; i++) {
        if (!bytes_equal(ask->uri.args[i].name, BYTES_LITERAL("version")) &&
            !bytes_equal(ask->uri.args[i].name, BYTES_LITERAL("history")))
            r = front_bad(ask, "only version and history are of entries: a folder has a slash at the end of its path");
    }
    if (r == 0 && front_arg(ask, "history") != NULL) {
        ask->m.op = PROTO_OP_HISTORY;
        return front_arg(ask, "version") != NULL ? front_bad(ask, "history or version, not both")
                                                 : front_read_flag(ask, "history", 0);
    }
    if (r == 0)
        r = front_read_number(ask, "version", 1, INT64_MAX, &ask->m.version);
    if (r == 0 && accepts(ask, "application/json"))
        ask->m.flags |= PROTO_WANTS_ENTRY;
    return r;
}

/* Tags and end. */
static int read_put_more(struct front_ask *ask)
{
    struct bytes tags, expires;
    int r = front_read_header(ask, "Secreg-Tags", &tags);
    if (r == 0)
        r = front_read_header(ask, "Secreg-Expires", &expires);
    if (r != 0)
        return r;
    if (tags.n > 0 || http1_field(&ask->http->head, "Secreg-Tags", &tags) == 0) {
        ask->m.flags |= PROTO_HAS_TAGS;
        if (!front_tags(tags, ask->tags, &ask->m.tags))
            return front_bad(ask, "tags are at most 16 different words of A-Za-z0-9._:@+- with commas between");
    }
    if (expires.n > 0) {
        ask->m.flags |= PROTO_HAS_EXPIRES;
        if (!front_expires(expires, &ask->m.expires_us))
            return front_bad(ask, "the end is never, or a time as 2026-01-31T12:00:00Z");
    }
    return 0;
}

static int read_put_headers(struct front_ask *ask)
{
    struct bytes type, sealed, comment;
    int r = front_read_header(ask, "Secreg-Type", &type);
    if (r == 0)
        r = front_read_header(ask, "Secreg-Sealed", &sealed);
    if (r == 0)
        r = front_read_header(ask, "Secreg-Reason", &ask->m.reason);
    if (r == 0)
        r = front_read_header(ask, "Secreg-Comment", &comment);
    if (r != 0)
        return r;
    if (type.n == 0) {
        ask->m.flags |= PROTO_KEEP_TYPE;
    } else {
        ask->m.type = (uint16_t)value_type_of(type);
        if (ask->m.type == 0)
            return front_bad(ask, "Secreg-Type is string, integer, boolean, float, json, binary or list");
    }
    if (bytes_equal(sealed, BYTES_LITERAL("true")))
        ask->m.flags |= PROTO_SEAL;
    else if (bytes_equal(sealed, BYTES_LITERAL("false")))
        ask->m.flags |= PROTO_UNSEAL;
    else if (sealed.n > 0)
        return front_bad(ask, "Secreg-Sealed is true or false");
    if (comment.n > 0 || http1_field(&ask->http->head, "Secreg-Comment", &comment) == 0) {
        ask->m.flags |= PROTO_HAS_COMMENT;
        ask->m.comment = comment;
    }
    if (!text_is_utf8(ask->m.reason) || !text_is_utf8(comment))
        return front_bad(ask, "a reason or comment is UTF-8 text");
    return read_put_more(ask);
}

/*
 * The engine reads no JSON: it is told whether the body is one. Who leaves the type to the entry may be writing to a
 * json entry, so then it is looked at too; of most texts that are no JSON the first and last byte tell.
 */
static int read_put_body(struct front_ask *ask)
{
    unsigned type = ask->m.type;
    struct bytes body = ask->m.body = ask->http->body;
    if ((type == VALUE_JSON || type == VALUE_LIST) &&
        !value_check_json(type, body, ask->why_text, sizeof ask->why_text)) {
        ask->why = ask->why_text;
        return OUTCOME_BAD_VALUE;
    }
    struct value_fits fits = {type == VALUE_JSON, type == VALUE_LIST};
    if ((ask->m.flags & PROTO_KEEP_TYPE) != 0)
        fits = value_fits_json(body);
    ask->m.flags |= (fits.json ? (uint32_t)PROTO_IS_JSON : 0) | (fits.list ? (uint32_t)PROTO_IS_LIST : 0);
    return 0;
}

static int read_put(struct front_ask *ask)
{
    bool is_folder;
    int r = read_path(ask, &is_folder);
    if (r == 0 && is_folder) {
        ask->why = "an entry has no slash at the end";
        return OUTCOME_BAD_PATH;
    }
    if (r == 0)
        r = front_read_match(ask);
    if (r == 0)
        r = read_put_headers(ask);
    return r == 0 ? read_put_body(ask) : r;
}

static int read_delete(struct front_ask *ask)
{
    bool is_folder;
    int r = read_path(ask, &is_folder);
    if (r == 0 && is_folder) {
        ask->why = "an entry has no slash at the end";
        return OUTCOME_BAD_PATH;
    }
    if (r == 0)
        r = front_read_match(ask);
    if (r == 0 && (ask->m.flags & PROTO_MATCH_ABSENT) != 0)
        r = front_bad(ask, "If-None-Match does not go with DELETE");
    if (r == 0)
        r = front_read_header(ask, "Secreg-Reason", &ask->m.reason);
    if (r == 0 && !text_is_utf8(ask->m.reason))
        r = front_bad(ask, "a reason is UTF-8 text");
    return r;
}

/* ---- service ---------------------------------------------------------------------------------------------- */

static int read_nothing(struct front_ask *ask)
{
    (void)ask;
    return 0;
}

static int read_unlock(struct front_ask *ask)
{
    ask->m.body = ask->http->body;
    return 0;
}

static int read_logout(struct front_ask *ask)
{
    int r = front_read_flag(ask, "all", PROTO_ALL);
    if (r == 0)
        r = front_read_text(ask, "id", ask->after, sizeof ask->after, &ask->m.after);
    if (r == 0 && front_arg(ask, "id") != NULL && (front_arg(ask, "all") != NULL || ask->m.after.n == 0))
        r = front_bad(ask, "id takes one handle, and all does not go with it");
    return r;
}

/* The token of a session. An empty one is an error, not the absence of one. */
static int read_session(struct front_ask *ask)
{
    int r = http1_field(&ask->http->head, "Secreg-Session", &ask->m.session);
    if (r == HTTP1_NO_FIELD) {
        ask->m.session = BYTES_NONE;
        return 0;
    }
    return r != 0 || ask->m.session.n == 0 ? front_bad(ask, "Secreg-Session is one token") : 0;
}

// clang-format off
static const struct front_route routes[] = {
    {HTTP1_GET,    "/registry/",    PROTO_OP_GET,        0,
     "version history recursive long limit after values revision fingerprint name tag type expires_before", read_get,
     "read an entry, its history, or a folder", NULL, "entry history listing fingerprint", "*/*"},
    {HTTP1_PUT,    "/registry/",    PROTO_OP_SET,        VALUE_MAX_BYTES, "", read_put, "create or change an entry", "bytes", "done", NULL},
    {HTTP1_DELETE, "/registry/",    PROTO_OP_DELETE,     0, "", read_delete, "delete an entry", NULL, "done", NULL},
    {HTTP1_POST,   "/v1/txn",       PROTO_OP_TXN,        JSON_TEXT_MAX_BYTES, "", front_read_txn, "do several things, all or nothing",
     "txn", "txn-done", NULL},
    {HTTP1_GET,    "/v1/acl",       PROTO_OP_ACL_SHOW,   0, "path", front_read_path_arg, "show access rules", NULL, "rules", NULL},
    {HTTP1_POST,   "/v1/acl",       PROTO_OP_ACL_ADD,    SMALL_BODY_BYTES, "dry_run", front_read_acl_add, "add an access rule", "rule", "edited", NULL},
    {HTTP1_DELETE, "/v1/acl",       PROTO_OP_ACL_REMOVE, 0, "id dry_run", front_read_acl_remove, "remove an access rule", NULL, "edited", NULL},
    {HTTP1_GET,    "/v1/acl/test",  PROTO_OP_ACL_TEST,   0, "path principal action", front_read_acl_test, "ask what a rule would say", NULL,
     "rule-test", NULL},
    {HTTP1_GET,    "/v1/audit",     PROTO_OP_AUDIT,      0, "uid path kind since until refused outcome rule session limit after order raw", front_read_audit,
     "read the trail", NULL, "records", "application/octet-stream"},
    {HTTP1_GET,    "/v1/audit/follow", PROTO_OP_FOLLOW,  0, "from", front_read_follow, "follow the trail as records are made durable", NULL, NULL,
     "application/x-ndjson"},
    {HTTP1_GET,    "/v1/audit/proof", PROTO_OP_PROVE,    0, "record from path version", front_read_proof, "prove that a record is in the trail, or that it was only added to",
     NULL, "proof", NULL},
    {HTTP1_POST,   "/v1/audit/prune", PROTO_OP_PRUNE,    0, "before until dry_run", front_read_prune, "remove the oldest records of the trail", NULL,
     "pruned", NULL},
    {HTTP1_GET,    "/v1/checkpoint",PROTO_OP_HEAD,       0, "", read_nothing, "head of the trail, signed while unlocked", NULL, "head", NULL},
    {HTTP1_GET,    "/v1/watch",     PROTO_OP_WATCH,      0, "path since values", front_read_watch, "follow changes as they come", NULL, NULL,
     "application/x-ndjson"},
    {HTTP1_GET,    "/v1/status",    PROTO_OP_STATUS,     0, "", read_nothing, "state of the service", NULL, "status", NULL},
    {HTTP1_GET,    "/v1/whoami",    PROTO_OP_WHOAMI,     0, "", read_nothing, "who the caller is, and its rights", NULL, "whoami", NULL},
    {HTTP1_POST,   "/v1/unlock",    PROTO_OP_UNLOCK,     KEYS_PASSPHRASE_MAX_BYTES, "", read_unlock, "unlock the registry", "bytes", "null", NULL},
    {HTTP1_POST,   "/v1/lock",      PROTO_OP_LOCK,       0, "", read_nothing, "lock the registry", NULL, "null", NULL},
    {HTTP1_POST,   "/v1/reload",    PROTO_OP_RELOAD,     0, "", read_nothing, "read the configuration again", NULL, "null", NULL},
    {HTTP1_POST,   "/v1/login",     PROTO_OP_LOGIN,      LOGIN_BODY_BYTES, "", front_read_login, "log in, step by step", "login", "login-step", NULL},
    {HTTP1_GET,    "/v1/session",   PROTO_OP_SESSIONS,   0, "", read_nothing, "list the caller's sessions", NULL, "sessions", NULL},
    {HTTP1_DELETE, "/v1/session",   PROTO_OP_LOGOUT,     0, "id all", read_logout, "end sessions of the caller", NULL, "logged-out", NULL},
    {HTTP1_GET,    "/v1/schema",    PROTO_OP_SCHEMA_SHOW, 0, "path", front_read_path_arg, "show schemas", NULL, "schemas", NULL},
    {HTTP1_PUT,    "/v1/schema",    PROTO_OP_SCHEMA_SET, SCHEMA_JSON_MAX_BYTES, "path", front_read_schema, "set the schema of a path", "schema", "path", NULL},
    {HTTP1_DELETE, "/v1/schema",    PROTO_OP_SCHEMA_REMOVE, 0, "path", front_read_path_arg, "remove the schema of a path", NULL, "path", NULL},
    {HTTP1_GET,    "/v1/schema/check", PROTO_OP_SCHEMA_CHECK, 0, "path", front_read_path_arg, "what does not fit its schemas", NULL, "findings", NULL},
    {HTTP1_GET,    "/v1/roles",     PROTO_OP_ROLES_SHOW, 0, "role", front_read_roles_show, "show roles and their members", NULL, "roles", NULL},
    {HTTP1_POST,   "/v1/roles",     PROTO_OP_ROLE_ADD,   SMALL_BODY_BYTES, "dry_run", front_read_role_add, "add a member to a role", "member",
     "edited", NULL},
    {HTTP1_DELETE, "/v1/roles",     PROTO_OP_ROLE_REMOVE,0, "role principal dry_run", front_read_role_remove,
     "remove a member from a role", NULL, "edited", NULL},
    {HTTP1_GET,    "/v1/explain",   PROTO_OP_EXPLAIN,    0, "path action principal", front_read_explain,
     "say why something is allowed or refused", NULL, "explanation", NULL},
    {HTTP1_GET,    "/v1/approvals", PROTO_OP_APPROVALS,  0, "id", front_read_approvals, "show requests that wait for approval", NULL,
     "approvals approval", NULL},
    {HTTP1_POST,   "/v1/approvals", PROTO_OP_APPROVE,    0, "id", front_read_approval, "approve a request of somebody else", NULL,
     "approved", NULL},
    {HTTP1_DELETE, "/v1/approvals", PROTO_OP_REJECT,     0, "id", front_read_approval, "reject or withdraw a request", NULL, "approved", NULL},
    {HTTP1_POST,   "/v1/policy/test", PROTO_OP_POLICY_TEST, 1 << 20, "since after", front_read_policy_test,
     "say which decisions of the past would be others", "policy", "policy-test", NULL},
    {HTTP1_POST,   "/v1/break-glass", PROTO_OP_BREAK_GLASS, 0, "path for", front_read_break_glass, "give oneself rights for a while", NULL,
     "glass", NULL},
    {HTTP1_GET,    "/v1/openapi.json", FRONT_OWN,        0, "", read_nothing, "this description", NULL, NULL, "application/json"},
};
// clang-format on

const struct front_route *front_route_at(size_t i)
{
    return i < COUNT_OF(routes) ? &routes[i] : front_keys_route(i - COUNT_OF(routes));
}

static bool path_fits(const struct front_route *route, struct bytes path)
{
    struct bytes want = bytes_of_text(route->path);
    if (want.p[want.n - 1] == '/')
        return bytes_starts(path, want) || bytes_equal(path, bytes_head(want, want.n - 1));
    return bytes_equal(path, want);
}

unsigned front_route_find(enum http1_method method, struct bytes path, const struct front_route **ret_route,
                          const char **ret_allow)
{
    static char allow[64];
    size_t used = 0;
    static const struct {
        enum http1_method method;
        const char *text;
    } methods[] = {{HTTP1_GET, "GET"}, {HTTP1_PUT, "PUT"}, {HTTP1_POST, "POST"}, {HTTP1_DELETE, "DELETE"}};
    unsigned has = 0;
    const struct front_route *route;
    for (size_t i = 0; (route = front_route_at(i)) != NULL; i++) {
        if (!path_fits(route, path))
            continue;
        if (route->method == method) {
            *ret_route = route;
            return OUTCOME_DONE;
        }
        has |= 1u << route->method;
    }
    if (has == 0)
        return OUTCOME_NO_ROUTE;
    allow[0] = '\0';
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        if ((has & 1u << methods[i].method) != 0)
            used += (size_t)snprintf(allow + used, sizeof allow - used, "%s%s", used > 0 ? ", " : "", methods[i].text);
    }
    *ret_allow = allow;
    return OUTCOME_BAD_METHOD;
}

/* Every argument must be one that the route knows: an unknown one is an error, not something to ignore. */
static bool knows_args(const struct front_route *route, const struct uri *uri)
{
    for (size_t i = 0; i < uri->args_count; i++) {
        struct bytes rest = bytes_of_text(route->args);
        bool is_known = false;
        while (!is_known && rest.n > 0) {
            size_t n = bytes_find(rest, ' ');
            is_known = bytes_equal(uri->args[i].name, bytes_head(rest, n));
            rest = bytes_from(rest, n + 1);
        }
        if (!is_known)
            return false;
    }
    return true;
}

int front_read(const struct front_route *route, struct front_ask *ask)
{
    ask->m.op = route->op;
    if (!knows_args(route, &ask->uri))
        return front_bad(ask, "an argument is unknown here");
    int r = read_session(ask);
    return r != 0 ? r : route->read(ask);
}
