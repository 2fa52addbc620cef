/*
 * Fuzz target of schema-json: what is read is a valid schema in canonical form, and written and read again it is the
 * same to the byte. A refusal quotes nothing.
 */
#include <string.h>

#include "model/schema-json.h"
#include "wire/doc.h"
#include "wire/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_why(const char *why, size_t size)
{
    assert(memchr(why, '\0', size) != NULL && why[0] != '\0');
    for (const char *p = why; *p != '\0'; p++)
        assert(*p >= ' ' && *p < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool has_started;
    static struct schema s;
    struct buf form, doc, text, again;
    struct schema_flaw flaw;
    char why[SCHEMA_WHY_BYTES] = "";
    if (!has_started)
        json_start();
    has_started = true;
    buf_init(&form, SCHEMA_FORM_MAX_BYTES);
    int r = schema_json_read(&form, bytes_of(data, size), why, sizeof why);
    assert(r == 0 || r == SCHEMA_JSON_BAD);
    if (r == SCHEMA_JSON_BAD) {
        assert(buf_size(&form) == 0);
        check_why(why, sizeof why);
        return 0;
    }
    assert(schema_decode(buf_view(&form), &s) && schema_validate(&s, &flaw));
    buf_init(&doc, 1 << 20);
    buf_init(&text, 1 << 20);
    buf_init(&again, SCHEMA_FORM_MAX_BYTES);
    r = schema_put_doc(&doc, &s);
    assert(r == 0);
    r = doc_to_json(&text, buf_view(&doc));
    assert(r == 0 && buf_size(&text) <= SCHEMA_JSON_MAX_BYTES);
    r = schema_json_read(&again, buf_view(&text), why, sizeof why);
    assert(r == 0 && bytes_equal(buf_view(&again), buf_view(&form)));
    buf_fini(&form);
    buf_fini(&doc);
    buf_fini(&text);
    buf_fini(&again);
    return 0;
}
