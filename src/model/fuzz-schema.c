/*
 * Fuzz target of schema: one meaning has one encoding; what a check says does not depend on what was not demanded. The
 * first two bytes are the length of the schema, then it comes, then a type, a seal and a value.
 */
#include <string.h>

#include "base/text.h"
#include "model/schema.h"
#include "model/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A value that passes all demands passes each of them alone, and one that does not fails at least one. */
static void check_value(const struct schema *s, unsigned type, bool is_sealed, struct bytes value)
{
    const char *why = NULL, *part_why;
    bool is_good = schema_check(s, type, is_sealed, value, &why), is_each_good = true;
    assert(is_good == (why == NULL));
    for (unsigned bit = 0; bit < SCHEMA_FIELDS_COUNT; bit++) {
        struct schema part = *s;
        part.has &= 1u << bit;
        if (part.has == 0)
            continue;
        bool is_part_good = schema_check(&part, type, is_sealed, value, &part_why);
        is_each_good &= is_part_good;
    }
    assert(is_good == is_each_good);
}

static void check_valid(const struct schema *s)
{
    const char *why;
    assert(s->has != 0 && ((s->has & SCHEMA_HAS_TYPE) == 0 || value_type_text(s->type) != NULL));
    for (size_t i = 0; (s->has & SCHEMA_HAS_ENUM) != 0 && i < s->allowed.count; i++) {
        assert(value_check(s->type, s->allowed.texts[i], &why));
        bool is_sealed = (s->has & SCHEMA_HAS_SECRECY) != 0 && s->secrecy != SCHEMA_CLEAR;
        assert(schema_check(s, s->type, is_sealed, s->allowed.texts[i], &why));
    }
    if ((s->has & SCHEMA_HAS_DEFAULT) != 0)
        assert(schema_check(s, s->type, false, s->proposed, &why));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct schema s, back;
    struct bytes in = bytes_of(data, size);
    struct schema_flaw flaw;
    struct buf out;
    char words[SCHEMA_WHY_BYTES];
    const char *why;
    if (size < 2)
        return 0;
    size_t n = (size_t)data[0] << 8 | data[1];
    struct bytes form = bytes_head(bytes_from(in, 2), n), rest = bytes_from(in, 2 + form.n);
    if (!schema_decode(form, &s))
        return 0;
    buf_init(&out, SCHEMA_FORM_MAX_BYTES);
    int r = schema_encode(&out, &s);
    assert(r == 0 && bytes_equal(buf_view(&out), form));
    assert(schema_decode(buf_view(&out), &back) && back.has == s.has);
    for (size_t cut = 0; cut < form.n; cut++)
        assert(!schema_decode(bytes_head(form, cut), &back));
    if (schema_validate(&s, &flaw)) {
        check_valid(&s);
    } else {
        schema_flaw_text(&flaw, words, sizeof words);
        assert(strlen(words) > 0 && strlen(words) < sizeof words - 1);
    }
    if (rest.n >= 2 && value_check(rest.p[0], bytes_from(rest, 2), &why))
        check_value(&s, rest.p[0], rest.p[1] % 2 == 1, bytes_from(rest, 2));
    buf_fini(&out);
    return 0;
}
