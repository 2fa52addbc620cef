/*
 * front-keys - the routes of key slots, keys and backups, and reading what they say; see front.h.
 *
 * What opens a slot passes through here as it does for unlocking: in the body, in buffers that wipe what they give up,
 * never in the target, which is no secret.
 */
#include <string.h>

#include "base/code.h"
#include "base/num.h"
#include "base/text.h"
#include "crypt/keys.h"
#include "registry/front.h"
#include "wire/json.h"

enum { REKEY_BODY_BYTES = 16 << 10 };

static int bad(struct front_ask *ask, const char *why)
{
    ask->why = why;
    return OUTCOME_BAD_REQUEST;
}

static struct bytes arg_value(const struct front_ask *ask, const char *name)
{
    for (size_t i = 0; i < ask->uri.args_count; i++) {
        if (bytes_equal(ask->uri.args[i].name, bytes_of_text(name)))
            return ask->uri.args[i].value;
    }
    return BYTES_NONE;
}

static int need_number(struct front_ask *ask, const char *name, uint64_t *ret)
{
    if (!num_parse_u64(arg_value(ask, name), INT64_MAX, ret))
        return bad(ask, "a number is missing or malformed");
    return 0;
}

/* ---- slots ----------------------------------------------------------------------------------------------- */

static int read_nothing(struct front_ask *ask)
{
    (void)ask;
    return 0;
}

static int read_label(struct front_ask *ask)
{
    struct buf b;
    buf_init(&b, REGISTRY_LABEL_MAX_BYTES);
    int r = uri_decode_arg(&b, arg_value(ask, "label"));
    struct bytes label = buf_view(&b);
    if (r == 0 && !text_is_utf8(label))
        r = bad(ask, "a label is UTF-8 text");
    if (r == 0 && label.n > 0)
        memcpy(ask->comment, label.p, label.n);
    ask->m.comment = bytes_of(ask->comment, label.n);
    buf_fini(&b);
    if (r == FAULT_LIMIT)
        return bad(ask, "a label has at most 64 bytes");
    return r == URI_BAD ? bad(ask, "an argument is not properly encoded") : r;
}

static int read_slot_add(struct front_ask *ask)
{
    struct bytes kind = arg_value(ask, "kind");
    if (bytes_equal(kind, BYTES_LITERAL("passphrase")))
        ask->m.type = KEYS_SLOT_PASSPHRASE;
    else if (bytes_equal(kind, BYTES_LITERAL("key-file")))
        ask->m.type = KEYS_SLOT_KEY_FILE;
    else
        return bad(ask, "kind is passphrase or key-file");
    if (arg_value(ask, "rounds").n > 0) {
        int r = need_number(ask, "rounds", &ask->m.match);
        if (r != 0)
            return r;
    }
    ask->m.body = ask->http->body;
    return read_label(ask);
}

static int read_id(struct front_ask *ask)
{
    return need_number(ask, "id", &ask->m.match);
}

/* ---- rekey ----------------------------------------------------------------------------------------------- */

/* One slot that stays. */
struct stay {
    struct front_ask *ask;
    struct msg_request m;
    struct bytes passphrase, material; /* material: base64 */
    bool has_id;
};

static int take_stay(struct bytes key, const struct json *value, void *arg)
{
    struct stay *s = arg;
    if (bytes_equal(key, BYTES_LITERAL("id")) && json_kind(value) == JSON_KIND_INT && json_int(value) > 0) {
        s->m.match = (uint64_t)json_int(value);
        s->has_id = true;
        return 0;
    }
    if (bytes_equal(key, BYTES_LITERAL("passphrase")) && json_text(value).n > 0) {
        s->passphrase = json_text(value);
        return 0;
    }
    if (bytes_equal(key, BYTES_LITERAL("material")) && json_text(value).n > 0) {
        s->material = json_text(value);
        return 0;
    }
    return bad(s->ask, "a slot has an id, and passphrase (text) or material (base64) or neither: the key file");
}

static int put_stay(struct stay *s)
{
    struct buf raw;
    int r = 0;
    if (!s->has_id || (s->passphrase.n > 0 && s->material.n > 0))
        return bad(s->ask, "a slot has an id, and passphrase or material, not both");
    buf_init_wiping(&raw, KEYS_PASSPHRASE_MAX_BYTES);
    s->m.body = s->passphrase;
    if (s->material.n > 0) {
        r = code_unbase64(&raw, s->material);
        s->m.body = buf_view(&raw);
    }
    if (r == 0)
        r = msg_request_put(s->ask->leaves, PROTO_SLOT, &s->m);
    buf_fini(&raw);
    return r > 0 || r == FAULT_LIMIT ? bad(s->ask, "material is not base64, or longer than 1024 bytes") : r;
}

static int take_member(struct bytes key, const struct json *value, void *arg)
{
    struct front_ask *ask = arg;
    if (bytes_equal(key, BYTES_LITERAL("dry_run")) && json_kind(value) == JSON_KIND_BOOL) {
        ask->m.flags |= json_bool(value) ? (uint32_t)PROTO_DRY_RUN : 0;
        return 0;
    }
    if (!bytes_equal(key, BYTES_LITERAL("slots")) || json_kind(value) != JSON_KIND_LIST ||
        json_count(value) > REGISTRY_SLOTS_MAX_COUNT)
        return bad(ask, "it knows slots, a list of at most 8, and dry_run");
    int r = 0;
    for (size_t i = 0; r == 0 && i < json_count(value); i++) {
        struct stay s = {.ask = ask};
        r = json_kind(json_at(value, i)) == JSON_KIND_MAP ? json_each(json_at(value, i), take_stay, &s)
                                                          : bad(ask, "a slot is a JSON map");
        if (r == 0)
            r = put_stay(&s);
    }
    return r;
}

static int read_rekey(struct front_ask *ask)
{
    struct json *j;
    int r = json_parse(ask->http->body, &j, ask->why_text, sizeof ask->why_text);
    if (r == JSON_BAD) {
        ask->why = ask->why_text;
        return OUTCOME_BAD_REQUEST;
    }
    TRY(r);
    buf_clear(ask->leaves);
    r = json_kind(j) == JSON_KIND_MAP ? json_each(j, take_member, ask) : bad(ask, "the body is not a JSON map");
    json_free(j);
    ask->m.body = buf_view(ask->leaves);
    return r;
}

/* ---- backup ---------------------------------------------------------------------------------------------- */

static int read_backup_part(struct front_ask *ask)
{
    int r = need_number(ask, "id", &ask->m.match);
    return r == 0 ? need_number(ask, "part", &ask->m.version) : r;
}

// clang-format off
static const struct front_route routes[] = {
    {HTTP1_GET,    "/v1/slots",  PROTO_OP_SLOTS,       0, "", read_nothing, "list the key slots", NULL, "slots", NULL},
    {HTTP1_POST,   "/v1/slots",  PROTO_OP_SLOT_ADD,    KEYS_PASSPHRASE_MAX_BYTES, "kind label rounds", read_slot_add, "add a key slot",
     "bytes", "slot-id", NULL},
    {HTTP1_DELETE, "/v1/slots",  PROTO_OP_SLOT_REMOVE, 0, "id", read_id, "remove a key slot", NULL, "null", NULL},
    {HTTP1_POST,   "/v1/rekey",  PROTO_OP_REKEY,       REKEY_BODY_BYTES, "", read_rekey, "begin to bring everything under a new root key",
     "rekey", "rekey-plan", NULL},
    {HTTP1_POST,   "/v1/rotate", PROTO_OP_ROTATE,      0, "", read_nothing, "begin to seal every sealed value anew", NULL, "rotate-plan", NULL},
    {HTTP1_POST,   "/v1/backup", PROTO_OP_BACKUP,      0, "", read_nothing, "begin a backup", NULL, "backup", NULL},
    {HTTP1_GET,    "/v1/backup", PROTO_OP_BACKUP_PART, 0, "id part", read_backup_part, "fetch a part of a backup", NULL, NULL,
     "application/octet-stream"},
    {HTTP1_DELETE, "/v1/backup", PROTO_OP_BACKUP_END,  0, "id", read_id, "end a backup", NULL, "null", NULL},
};
// clang-format on

const struct front_route *front_keys_route(size_t i)
{
    return i < COUNT_OF(routes) ? &routes[i] : NULL;
}
