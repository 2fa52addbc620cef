/*
 * front-txn - the JSON body of a transaction, as the frames of requests that the engine takes; see front.h.
 *
 * Every member is known, of its kind and given once; what is missing or does not go together is refused here, with the
 * place ("then[3]: ..."). Values become the bytes that PUT would have sent.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/code.h"
#include "base/text.h"
#include "front/front.h"
#include "model/value.h"
#include "wire/json.h"

enum { LEAVES_MAX_COUNT = 10000, NUMBER_BYTES = 32 };

/* ---- tags and ends --------------------------------------------------------------------------------------- */

static int by_bytes(const void *a, const void *b)
{
    const struct bytes *x = a, *y = b;
    return bytes_compare(*x, *y);
}

/* Writes sorted tags in their stored form. */
static bool store_tags(struct bytes *tags, size_t count, uint8_t *storage, struct bytes *ret_tags)
{
    size_t used = 0;
    if (count > 1)
        qsort(tags, count, sizeof *tags, by_bytes);
    for (size_t i = 0; i < count; i++) {
        if (tags[i].n == 0 || tags[i].n > META_TAG_MAX_BYTES)
            return false;
        memcpy(storage + used, tags[i].p, tags[i].n);
        used += tags[i].n;
        storage[used++] = '\n';
    }
    *ret_tags = bytes_of(storage, used);
    return meta_tags_check(*ret_tags);
}

bool front_tags(struct bytes text, uint8_t storage[static META_TAGS_MAX_BYTES], struct bytes *ret_tags)
{
    struct bytes tags[META_TAGS_MAX_COUNT];
    size_t count = 0;
    while (text.n > 0) {
        size_t n = bytes_find(text, ',');
        struct bytes tag = bytes_head(text, n);
        while (tag.n > 0 && tag.p[0] == ' ')
            tag = bytes_from(tag, 1);
        if (count == META_TAGS_MAX_COUNT)
            return false;
        tags[count++] = tag;
        text = bytes_from(text, n + 1);
    }
    return store_tags(tags, count, storage, ret_tags);
}

bool front_expires(struct bytes text, int64_t *ret_us)
{
    char copy[CLOCK_TEXT_BYTES];
    struct wall_time t;
    if (bytes_equal(text, BYTES_LITERAL("never"))) {
        *ret_us = 0;
        return true;
    }
    if (text.n >= sizeof copy)
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    if (!clock_wall_parse(copy, &t) || t.us <= 0)
        return false;
    *ret_us = t.us;
    return true;
}

/* ---- one leaf -------------------------------------------------------------------------------------------- */

struct leaf {
    struct front_ask *ask;
    struct msg_request m;
    unsigned part;
    const struct json *value;
    bool has_value, has_text; /* given as JSON; as the text that PUT would carry */
    struct buf text;          /* of the value */
    uint8_t tags[META_TAGS_MAX_BYTES];
    uint8_t print[DIGEST_BYTES];
    const char *why;
};

static int wrong(struct leaf *l, const char *why)
{
    l->why = why;
    return OUTCOME_BAD_REQUEST;
}

static int take_text(struct leaf *l, const struct json *v, struct bytes *to)
{
    if (json_kind(v) != JSON_KIND_TEXT)
        return wrong(l, "a member is not a text");
    *to = json_text(v);
    return 0;
}

static int take_number(struct leaf *l, const struct json *v, uint64_t *to, uint32_t flag)
{
    if (json_kind(v) != JSON_KIND_INT || json_int(v) < 1)
        return wrong(l, "a version or revision is a whole number above 0");
    *to = (uint64_t)json_int(v);
    l->m.flags |= flag;
    return 0;
}

static int take_flag(struct leaf *l, const struct json *v, uint32_t if_true, uint32_t if_false)
{
    if (json_kind(v) != JSON_KIND_BOOL)
        return wrong(l, "a member is not true or false");
    l->m.flags |= json_bool(v) ? if_true : if_false;
    return 0;
}

static int take_path(struct leaf *l, const struct json *v)
{
    return take_text(l, v, &l->m.path);
}

static int take_to(struct leaf *l, const struct json *v)
{
    return take_text(l, v, &l->m.to);
}

static int take_type(struct leaf *l, const struct json *v)
{
    struct bytes text = BYTES_NONE;
    int r = take_text(l, v, &text);
    l->m.type = (uint16_t)value_type_of(text);
    return r == 0 && l->m.type == 0 ? wrong(l, "there is no such type") : r;
}

static int take_value(struct leaf *l, const struct json *v)
{
    l->value = v;
    l->has_value = true;
    l->m.flags |= l->part == PROTO_COMPARE ? (uint32_t)PROTO_MATCH_VALUE : 0;
    return 0;
}

static int take_bytes(struct leaf *l, const struct json *v)
{
    l->has_text = true;
    l->m.flags |= l->part == PROTO_COMPARE ? (uint32_t)PROTO_MATCH_VALUE : 0;
    return take_text(l, v, &l->m.body);
}

static int take_seal(struct leaf *l, const struct json *v)
{
    return take_flag(l, v, PROTO_SEAL, PROTO_UNSEAL);
}

static int take_comment(struct leaf *l, const struct json *v)
{
    l->m.flags |= PROTO_HAS_COMMENT;
    return take_text(l, v, &l->m.comment);
}

static int take_tags(struct leaf *l, const struct json *v)
{
    struct bytes tags[META_TAGS_MAX_COUNT];
    size_t count = json_count(v);
    if (json_kind(v) != JSON_KIND_LIST || count > COUNT_OF(tags))
        return wrong(l, "tags are a list of at most 16 texts");
    for (size_t i = 0; i < count; i++)
        tags[i] = json_text(json_at(v, i));
    l->m.flags |= PROTO_HAS_TAGS;
    return store_tags(tags, count, l->tags, &l->m.tags) ? 0 : wrong(l, "a tag is malformed, or given twice");
}

static int take_expires(struct leaf *l, const struct json *v)
{
    l->m.flags |= PROTO_HAS_EXPIRES;
    if (json_kind(v) == JSON_KIND_NULL)
        return 0;
    return json_kind(v) == JSON_KIND_TEXT && front_expires(json_text(v), &l->m.expires_us)
               ? 0
               : wrong(l, "the end is null, or a time as 2026-01-31T12:00:00Z");
}

static int take_match(struct leaf *l, const struct json *v)
{
    return take_number(l, v, &l->m.match, PROTO_MATCH_VERSION);
}

static int take_kept(struct leaf *l, const struct json *v)
{
    return take_number(l, v, &l->m.version, 0);
}

static int take_revision(struct leaf *l, const struct json *v)
{
    return take_number(l, v, &l->m.match, PROTO_HAS_REVISION);
}

static int take_absent(struct leaf *l, const struct json *v)
{
    return json_bool(v) ? take_flag(l, v, PROTO_MATCH_ABSENT, 0) : wrong(l, "absent and present can only be true");
}

static int take_present(struct leaf *l, const struct json *v)
{
    return json_bool(v) ? take_flag(l, v, PROTO_MATCH_PRESENT, 0) : wrong(l, "absent and present can only be true");
}

static int take_print(struct leaf *l, const struct json *v)
{
    struct bytes text = BYTES_NONE;
    int r = take_text(l, v, &text);
    if (r != 0)
        return r;
    if (!code_unhex(text, l->print, sizeof l->print))
        return wrong(l, "a fingerprint is 64 hexadecimal digits");
    l->m.body = BYTES_OF(l->print);
    l->m.flags |= PROTO_MATCH_PRINT;
    return 0;
}

/* Bits of the kinds of leaves, for the table of members. */
enum {
    K_COMPARE = 1u << 0,
    K_SET = 1u << 1,
    K_GET = 1u << 2,
    K_DELETE = 1u << 3,
    K_DELETE_TREE = 1u << 4,
    K_MOVE = 1u << 5,
    K_REVERT = 1u << 6,
    K_DESTROY = 1u << 7,
};

static const struct {
    const char *name;
    uint16_t op;
    unsigned kind;
} ops[] = {
    {"set", PROTO_OP_SET, K_SET},          {"get", PROTO_OP_GET, K_GET},
    {"delete", PROTO_OP_DELETE, K_DELETE}, {"delete-tree", PROTO_OP_DELETE_TREE, K_DELETE_TREE},
    {"move", PROTO_OP_MOVE, K_MOVE},       {"copy", PROTO_OP_COPY, K_MOVE},
    {"revert", PROTO_OP_REVERT, K_REVERT}, {"destroy", PROTO_OP_DESTROY, K_DESTROY},
};

static const struct {
    const char *name;
    unsigned kinds;
    int (*take)(struct leaf *l, const struct json *v) MUST_USE;
} members[] = {
    {"path", K_COMPARE | K_SET | K_GET | K_DELETE | K_DELETE_TREE | K_REVERT | K_DESTROY, take_path},
    {"from", K_MOVE, take_path},
    {"to", K_MOVE, take_to},
    {"value", K_SET | K_COMPARE, take_value},
    {"text", K_SET | K_COMPARE, take_bytes},
    {"type", K_SET | K_COMPARE, take_type},
    {"seal", K_SET, take_seal},
    {"comment", K_SET, take_comment},
    {"tags", K_SET, take_tags},
    {"expires", K_SET, take_expires},
    {"version", K_COMPARE | K_SET | K_DELETE, take_match},
    {"version", K_REVERT | K_DESTROY, take_kept},
    {"revision", K_REVERT, take_revision},
    {"absent", K_COMPARE | K_SET, take_absent},
    {"present", K_COMPARE, take_present},
    {"fingerprint", K_COMPARE, take_print},
};

struct taking {
    struct leaf *leaf;
    unsigned kind;
};

static int take_member(struct bytes key, const struct json *value, void *arg)
{
    struct taking *t = arg;
    if (t->kind != K_COMPARE && bytes_equal(key, BYTES_LITERAL("op")))
        return 0;
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        if ((members[i].kinds & t->kind) != 0 && bytes_equal(key, bytes_of_text(members[i].name)))
            return members[i].take(t->leaf, value);
    }
    return wrong(t->leaf, "a member is unknown here");
}

/* ---- values ---------------------------------------------------------------------------------------------- */

static unsigned type_of_value(const struct json *v)
{
    switch (json_kind(v)) {
    case JSON_KIND_INT:
        return VALUE_INTEGER;
    case JSON_KIND_REAL:
        return VALUE_FLOAT;
    case JSON_KIND_BOOL:
        return VALUE_BOOLEAN;
    case JSON_KIND_LIST:
        for (size_t i = 0; i < json_count(v); i++) {
            if (json_kind(json_at(v, i)) != JSON_KIND_TEXT)
                return VALUE_JSON;
        }
        return VALUE_LIST;
    case JSON_KIND_TEXT:
        return 0; /* as a PUT without a type: what the entry has */
    case JSON_KIND_NULL:
    case JSON_KIND_MAP:
    default:
        return VALUE_JSON;
    }
}

/* The bytes that PUT would carry. Returns 0, an outcome, or a fault. */
static int write_value(struct leaf *l)
{
    const struct json *v = l->value;
    unsigned type = l->m.type;
    enum json_kind kind = json_kind(v);
    int r = 0;
    if (type == VALUE_BINARY && kind == JSON_KIND_TEXT)
        r = code_unbase64(&l->text, json_text(v));
    else if (kind == JSON_KIND_TEXT && type != VALUE_JSON)
        r = buf_append(&l->text, json_text(v));
    else
        r = json_print(&l->text, v);
    if (r == CODE_BAD)
        return wrong(l, "a binary value is base64 text");
    l->m.body = buf_view(&l->text);
    return r;
}

/* The body is a text of the type, or of the one the entry has. */
static int finish_text(struct leaf *l)
{
    struct value_fits fits = value_fits_json(l->m.body);
    if (l->part == PROTO_COMPARE)
        return 0;
    l->m.flags |= l->m.type == 0 ? (uint32_t)PROTO_KEEP_TYPE : 0;
    l->m.flags |= (fits.json ? (uint32_t)PROTO_IS_JSON : 0) | (fits.list ? (uint32_t)PROTO_IS_LIST : 0);
    return 0;
}

static int finish_value(struct leaf *l)
{
    bool keeps_type = l->m.type == 0 && json_kind(l->value) == JSON_KIND_TEXT;
    if (l->m.type == 0)
        l->m.type = (uint16_t)type_of_value(l->value);
    int r = write_value(l);
    if (r != 0)
        return r;
    if (l->part == PROTO_COMPARE)
        return 0;
    struct value_fits fits = {l->m.type == VALUE_JSON,
                              l->m.type == VALUE_LIST && type_of_value(l->value) == VALUE_LIST};
    if (keeps_type) {
        l->m.flags |= PROTO_KEEP_TYPE;
        fits = value_fits_json(l->m.body);
    }
    l->m.flags |= (fits.json ? (uint32_t)PROTO_IS_JSON : 0) | (fits.list ? (uint32_t)PROTO_IS_LIST : 0);
    return 0;
}

/* What has to be there, and what does not go together. */
static int check_leaf(struct leaf *l, unsigned kind)
{
    uint32_t f = l->m.flags;
    uint32_t conditions =
        f & (PROTO_MATCH_VERSION | PROTO_MATCH_ABSENT | PROTO_MATCH_PRESENT | PROTO_MATCH_VALUE | PROTO_MATCH_PRINT);
    if (l->m.path.n == 0 || (kind == K_MOVE && l->m.to.n == 0))
        return wrong(l, kind == K_MOVE ? "it needs from and to" : "it needs a path");
    if ((kind == K_SET && !l->has_value && !l->has_text) || (l->has_value && l->has_text))
        return wrong(l, "it needs a value or a text, not both");
    if (kind == K_COMPARE && (conditions == 0 || (conditions & (conditions - 1)) != 0))
        return wrong(l, "it compares one of version, absent, present, value and fingerprint");
    if (kind == K_SET && (f & PROTO_MATCH_VERSION) != 0 && (f & PROTO_MATCH_ABSENT) != 0)
        return wrong(l, "version and absent do not go together");
    if (kind == K_REVERT && (l->m.version != 0) == ((f & PROTO_HAS_REVISION) != 0))
        return wrong(l, "it needs a version or a revision");
    return kind == K_DESTROY && l->m.version == 0 ? wrong(l, "it needs a version") : 0;
}

static int put_leaf(struct leaf *l, unsigned kind)
{
    if (kind == K_GET)
        l->m.flags |= PROTO_WANTS_ENTRY;
    int r = msg_request_put(l->ask->leaves, (uint16_t)l->part, &l->m);
    return r == FAULT_LIMIT ? OUTCOME_TOO_LARGE : r;
}

static unsigned kind_of(const struct json *j, uint16_t *ret_op)
{
    struct bytes name = json_text(json_get(j, "op"));
    for (size_t i = 0; i < COUNT_OF(ops); i++) {
        if (bytes_equal(name, bytes_of_text(ops[i].name))) {
            *ret_op = ops[i].op;
            return ops[i].kind;
        }
    }
    return 0;
}

static int read_leaf(struct leaf *l, const struct json *j)
{
    struct taking t = {l, K_COMPARE};
    if (json_kind(j) != JSON_KIND_MAP)
        return wrong(l, "it is not a JSON map");
    l->m.op = PROTO_OP_COMPARE;
    if (l->part != PROTO_COMPARE)
        t.kind = kind_of(j, &l->m.op);
    if (t.kind == 0)
        return wrong(l, "op is set, get, delete, delete-tree, move, copy, revert or destroy");
    int r = json_each(j, take_member, &t);
    if (r == 0)
        r = check_leaf(l, t.kind);
    if (r == 0 && l->has_value)
        r = finish_value(l);
    else if (r == 0 && l->has_text)
        r = finish_text(l);
    return r == 0 ? put_leaf(l, t.kind) : r;
}

/* ---- the body -------------------------------------------------------------------------------------------- */

static int read_leaves(struct front_ask *ask, unsigned part, const char *name, const struct json *list)
{
    int r = 0;
    if (json_kind(list) != JSON_KIND_LIST || json_count(list) > LEAVES_MAX_COUNT) {
        ask->why = "compare, then and else are lists of at most 10,000";
        return OUTCOME_BAD_REQUEST;
    }
    for (size_t i = 0; r == 0 && i < json_count(list); i++) {
        struct leaf l = {.ask = ask, .part = part};
        buf_init_wiping(&l.text, JSON_TEXT_MAX_BYTES * 2);
        r = read_leaf(&l, json_at(list, i));
        buf_fini(&l.text);
        if (r > 0 && l.why != NULL) {
            snprintf(ask->why_text, sizeof ask->why_text, "%s[%zu]: %s", name, i, l.why);
            ask->why = ask->why_text;
        }
    }
    return r;
}

static int take_part(struct bytes key, const struct json *value, void *arg)
{
    static const struct {
        const char *name;
        unsigned part;
    } parts[] = {{"compare", PROTO_COMPARE}, {"then", PROTO_THEN}, {"else", PROTO_ELSE}};
    struct front_ask *ask = arg;
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (bytes_equal(key, bytes_of_text(parts[i].name)))
            return read_leaves(ask, parts[i].part, parts[i].name, value);
    }
    if (bytes_equal(key, BYTES_LITERAL("dry_run")) && json_kind(value) == JSON_KIND_BOOL) {
        ask->m.flags |= json_bool(value) ? (uint32_t)PROTO_DRY_RUN : 0;
        return 0;
    }
    if (bytes_equal(key, BYTES_LITERAL("reason")) && json_kind(value) == JSON_KIND_TEXT &&
        json_text(value).n <= sizeof ask->comment) {
        ask->m.reason = bytes_of(ask->comment, json_text(value).n);
        if (ask->m.reason.n > 0)
            memcpy(ask->comment, json_text(value).p, ask->m.reason.n);
        return 0;
    }
    ask->why = "a member is unknown or of the wrong kind: it knows compare, then, else, reason and dry_run";
    return OUTCOME_BAD_REQUEST;
}

int front_read_txn(struct front_ask *ask)
{
    struct json *j;
    int r = json_parse(ask->http->body, &j, ask->why_text, sizeof ask->why_text);
    if (r == JSON_BAD) {
        ask->why = ask->why_text;
        return OUTCOME_BAD_REQUEST;
    }
    TRY(r);
    buf_clear(ask->leaves);
    if (json_kind(j) == JSON_KIND_MAP && (json_get(j, "then") != NULL || json_get(j, "else") != NULL)) {
        r = json_each(j, take_part, ask);
    } else {
        ask->why = "the body is a JSON map with then, else or both";
        r = OUTCOME_BAD_REQUEST;
    }
    json_free(j);
    ask->m.body = buf_view(ask->leaves);
    return r;
}
