/*
 * front-keys - the routes of key slots, keys and backups, and reading what they say; see front.h.
 *
 * What opens a slot passes through here as it does for unlocking: in the body, in buffers that wipe what they give up,
 * never in the target, which is no secret.
 */
#include <string.h>

#include "base/code.h"
#include "base/text.h"
#include "crypt/keys.h"
#include "front/front.h"
#include "wire/json.h"

enum { REKEY_BODY_BYTES = 16 << 10 };

static int need_number(struct front_ask *ask, const char *name, uint64_t *ret)
{
    if (front_arg(ask, name) == NULL)
        return front_bad(ask, "a number is missing");
    return front_read_number(ask, name, 0, INT64_MAX, ret);
}

/* ---- slots ----------------------------------------------------------------------------------------------- */

static int read_nothing(struct front_ask *ask)
{
    (void)ask;
    return 0;
}

static int read_label(struct front_ask *ask)
{
    int r = front_read_text(ask, "label", ask->comment, META_LABEL_MAX_BYTES, &ask->m.comment);
    if (r == OUTCOME_TOO_LARGE)
        return front_bad(ask, "a label has at most 64 bytes");
    return r == 0 && !text_is_utf8(ask->m.comment) ? front_bad(ask, "a label is UTF-8 text") : r;
}

static int read_slot_add(struct front_ask *ask)
{
    const struct uri_arg *arg = front_arg(ask, "kind");
    struct bytes kind = arg != NULL ? arg->value : BYTES_NONE;
    if (bytes_equal(kind, BYTES_LITERAL("passphrase")))
        ask->m.type = KEYS_SLOT_PASSPHRASE;
    else if (bytes_equal(kind, BYTES_LITERAL("key-file")))
        ask->m.type = KEYS_SLOT_KEY_FILE;
    else
        return front_bad(ask, "kind is passphrase or key-file");
    ask->m.body = ask->http->body;
    int r = front_read_number(ask, "rounds", 0, INT64_MAX, &ask->m.match);
    return r == 0 ? read_label(ask) : r;
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
    return front_bad(s->ask, "a slot has an id, and passphrase (text) or material (base64) or neither: the key file");
}

static int put_stay(struct stay *s)
{
    struct buf raw;
    int r = 0;
    if (!s->has_id || (s->passphrase.n > 0 && s->material.n > 0))
        return front_bad(s->ask, "a slot has an id, and passphrase or material, not both");
    buf_init_wiping(&raw, KEYS_PASSPHRASE_MAX_BYTES);
    s->m.body = s->passphrase;
    if (s->material.n > 0) {
        r = code_unbase64(&raw, s->material);
        s->m.body = buf_view(&raw);
    }
    if (r == 0)
        r = msg_request_put(s->ask->leaves, PROTO_SLOT, &s->m);
    buf_fini(&raw);
    return r > 0 || r == FAULT_LIMIT ? front_bad(s->ask, "material is not base64, or longer than 1024 bytes") : r;
}

static int take_member(struct bytes key, const struct json *value, void *arg)
{
    struct front_ask *ask = arg;
    if (bytes_equal(key, BYTES_LITERAL("dry_run")) && json_kind(value) == JSON_KIND_BOOL) {
        ask->m.flags |= json_bool(value) ? (uint32_t)PROTO_DRY_RUN : 0;
        return 0;
    }
    if (!bytes_equal(key, BYTES_LITERAL("slots")) || json_kind(value) != JSON_KIND_LIST ||
        json_count(value) > META_SLOTS_MAX_COUNT)
        return front_bad(ask, "it knows slots, a list of at most 8, and dry_run");
    int r = 0;
    for (size_t i = 0; r == 0 && i < json_count(value); i++) {
        struct stay s = {.ask = ask};
        r = json_kind(json_at(value, i)) == JSON_KIND_MAP ? json_each(json_at(value, i), take_stay, &s)
                                                          : front_bad(ask, "a slot is a JSON map");
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
    r = json_kind(j) == JSON_KIND_MAP ? json_each(j, take_member, ask) : front_bad(ask, "the body is not a JSON map");
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
