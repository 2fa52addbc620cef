/*
 * Fuzz target for front-txn: whatever the body, what comes out are whole frames of requests that the engine takes, one
 * a leaf, in the order of the text; and the value of a leaf is the bytes that PUT would have carried.
 */
#include <stdlib.h>
#include <string.h>

#include "base/code.h"
#include "base/text.h"
#include "front/front.h"
#include "model/value.h"
#include "wire/json.h"

enum { FRAMES_MAX_BYTES = 64 << 20, VALUE_TEXT_MAX_BYTES = 32 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const part_names[] = {[PROTO_COMPARE] = "compare", [PROTO_THEN] = "then", [PROTO_ELSE] = "else"};

static const struct {
    const char *name;
    uint16_t op;
} ops[] = {
    {"set", PROTO_OP_SET},       {"get", PROTO_OP_GET},
    {"delete", PROTO_OP_DELETE}, {"delete-tree", PROTO_OP_DELETE_TREE},
    {"move", PROTO_OP_MOVE},     {"copy", PROTO_OP_COPY},
    {"revert", PROTO_OP_REVERT}, {"destroy", PROTO_OP_DESTROY},
};

static uint16_t op_of(const struct json *leaf)
{
    for (size_t i = 0; i < COUNT_OF(ops); i++) {
        if (bytes_equal(json_text(json_get(leaf, "op")), bytes_of_text(ops[i].name)))
            return ops[i].op;
    }
    return 0;
}

/* The body is what the JSON value stands for, by the type that is given with it. */
static void check_value(const struct msg_request *m, const struct json *leaf)
{
    char why[160];
    struct buf text;
    const struct json *v = json_get(leaf, "value");
    struct bytes type = json_text(json_get(leaf, "type"));
    bool is_text = json_kind(v) == JSON_KIND_TEXT;
    int r;
    buf_init(&text, VALUE_TEXT_MAX_BYTES);
    if (is_text && bytes_equal(type, BYTES_LITERAL("binary"))) {
        r = code_base64(&text, m->body);
        assert(r == 0 && bytes_equal(buf_view(&text), json_text(v)));
    } else if (is_text && !bytes_equal(type, BYTES_LITERAL("json"))) {
        assert(bytes_equal(m->body, json_text(v)));
    } else {
        r = json_print(&text, v);
        assert(r == 0 && bytes_equal(buf_view(&text), m->body));
        assert(m->body.n > JSON_TEXT_MAX_BYTES || json_check(m->body, why, sizeof why) == 0);
    }
    if ((m->flags & (PROTO_IS_JSON | PROTO_IS_LIST)) != 0 && m->body.n <= JSON_TEXT_MAX_BYTES)
        assert(json_check(m->body, why, sizeof why) == 0);
    buf_fini(&text);
}

/* What the engine would refuse as malformed never leaves the front. */
static void check_form(const struct msg_request *m, unsigned part)
{
    uint32_t f = m->flags;
    assert(part == PROTO_COMPARE ? m->op == PROTO_OP_COMPARE : m->op != PROTO_OP_COMPARE && m->op != 0);
    assert(m->path.n > 0 && meta_tags_check(m->tags));
    assert(text_is_utf8(m->path) && text_is_utf8(m->to) && text_is_utf8(m->comment));
    assert((f & PROTO_SEAL) == 0 || (f & PROTO_UNSEAL) == 0);
    assert((f & PROTO_MATCH_VERSION) == 0 || (f & PROTO_MATCH_ABSENT) == 0);
    assert((f & (PROTO_MATCH_VERSION | PROTO_HAS_REVISION)) == 0 || (m->match > 0 && m->match <= INT64_MAX));
    assert((f & PROTO_HAS_EXPIRES) != 0 || m->expires_us == 0);
    assert(m->type == 0 || value_type_text(m->type) != NULL);
    assert((m->op == PROTO_OP_MOVE || m->op == PROTO_OP_COPY) == (m->to.n > 0));
    assert(m->op != PROTO_OP_DESTROY || m->version > 0);
    assert(m->op != PROTO_OP_REVERT || (m->version > 0) != ((f & PROTO_HAS_REVISION) != 0));
    assert((f & PROTO_MATCH_PRINT) == 0 || m->body.n == DIGEST_BYTES);
}

static void check_leaf(const struct msg_request *m, unsigned part, const struct json *leaf)
{
    bool is_transfer = m->op == PROTO_OP_MOVE || m->op == PROTO_OP_COPY;
    assert(leaf != NULL);
    assert(part == PROTO_COMPARE || op_of(leaf) == m->op);
    assert(bytes_equal(m->path, json_text(json_get(leaf, is_transfer ? "from" : "path"))));
    assert(bytes_equal(m->to, json_text(json_get(leaf, "to"))));
    assert(bytes_equal(m->comment, json_text(json_get(leaf, "comment"))));
    check_form(m, part);
    if (json_get(leaf, "value") != NULL)
        check_value(m, leaf);
}

static void check_frames(struct bytes in, const struct json *j)
{
    size_t counts[PROTO_ELSE + 1] = {0};
    while (in.n > 0) {
        struct bytes body;
        struct msg_request m;
        uint16_t part;
        size_t used;
        int r = msg_next(in, &part, &body, &used);
        assert(r == 0 && part >= PROTO_COMPARE && part <= PROTO_ELSE);
        bool is_request = msg_request_get(body, &m);
        assert(is_request);
        check_leaf(&m, part, json_at(json_get(j, part_names[part]), counts[part]++));
        in = bytes_from(in, used);
    }
    for (unsigned part = PROTO_COMPARE; part <= PROTO_ELSE; part++)
        assert(counts[part] == json_count(json_get(j, part_names[part])));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool has_started;
    static struct front_ask ask;
    struct http_request http = {.body = bytes_of(data, size)};
    struct buf leaves;
    struct json *j = NULL;
    char why[160];
    if (!has_started)
        json_start();
    has_started = true;
    ask = (struct front_ask){.http = &http, .leaves = &leaves};
    buf_init_wiping(&leaves, FRAMES_MAX_BYTES);
    int r = front_read_txn(&ask);
    assert(r == 0 || r == OUTCOME_BAD_REQUEST || r == OUTCOME_TOO_LARGE);
    assert(r != OUTCOME_BAD_REQUEST || (ask.why != NULL && *ask.why != '\0'));
    if (r == 0) {
        r = json_parse(http.body, &j, why, sizeof why);
        assert(r == 0 && bytes_equal(ask.m.body, buf_view(&leaves)));
        assert(bytes_equal(ask.m.reason, json_text(json_get(j, "reason"))));
        assert(((ask.m.flags & PROTO_DRY_RUN) != 0) == json_bool(json_get(j, "dry_run")));
        check_frames(ask.m.body, j);
    }
    json_free(j);
    buf_fini(&leaves);
    return 0;
}
