/*
 * Fuzz target of doc: whatever the bytes are, the renderer refuses them or gives a text that Jansson reads. Duplicate
 * keys are the writer's business, and NUL in a text is legal JSON, so the oracle runs without those two refusals.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "wire/doc-internal.h"
#include "wire/doc.h"
#include "wire/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t length_at(struct bytes doc, size_t at)
{
    return (uint32_t)doc.p[at] | (uint32_t)doc.p[at + 1] << 8 | (uint32_t)doc.p[at + 2] << 16 |
           (uint32_t)doc.p[at + 3] << 24;
}

/* True if every text that is inserted as it is was JSON to begin with. `doc` was accepted, so it is well-formed. */
static bool inserts_only_json(struct bytes doc)
{
    char why[100];
    for (size_t at = 0; at < doc.n;) {
        uint8_t tag = doc.p[at++];
        if (tag == DOC_INT) {
            at += sizeof(int64_t);
        } else if (tag == DOC_KEY) {
            at += 1u + doc.p[at];
        } else if (tag == DOC_TEXT || tag == DOC_BLOB || tag == DOC_JSON) {
            struct bytes run = bytes_of(doc.p + at + 4, length_at(doc, at));
            if (tag == DOC_JSON && json_check(run, why, sizeof why) != 0)
                return false;
            at += 4 + run.n;
        }
    }
    return true;
}

static void check_string(struct bytes text)
{
    struct buf out;
    buf_init(&out, 1 << 24);
    int r = doc_json_string(&out, text);
    assert(r == 0);
    struct bytes json = buf_view(&out);
    json_t *j = json_loadb((const char *)json.p, json.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert(j != NULL && json_is_string(j));
    /* Text that was UTF-8 comes back as it was; each bad byte has grown by two. */
    assert(json_string_length(j) >= text.n);
    if (json_string_length(j) == text.n && text.n > 0)
        assert(memcmp(json_string_value(j), text.p, text.n) == 0);
    json_decref(j);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    struct buf out;
    check_string(in);
    buf_init(&out, 1 << 24);
    int r = buf_append_text(&out, "kept");
    assert(r == 0);
    r = doc_to_json(&out, in);
    assert(r == 0 || r == DOC_BAD);
    if (r == DOC_BAD)
        assert(bytes_equal(buf_view(&out), BYTES_LITERAL("kept")));
    if (r == 0 && inserts_only_json(in)) {
        struct bytes text = bytes_from(buf_view(&out), 4);
        json_t *j = json_loadb((const char *)text.p, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert(j != NULL);
        json_decref(j);
    }
    buf_fini(&out);
    return 0;
}
