/* Tests of doc: writers and the JSON renderer against hand-made documents, good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "fail-alloc.h"
#include "wire/doc-internal.h"
#include "wire/doc.h"

static void assert_json(const struct buf *doc, const char *text)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_int_equal(buf_append_text(&out, ">"), 0);
    assert_int_equal(doc_to_json(&out, buf_view(doc)), 0);
    assert_int_equal(buf_append(&out, BYTES_LITERAL("\0")), 0);
    assert_string_equal((const char *)buf_view(&out).p + 1, text);
    buf_fini(&out);
}

static void assert_bad(const void *doc, size_t n)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_int_equal(buf_append_text(&out, "kept"), 0);
    assert_int_equal(doc_to_json(&out, bytes_of(doc, n)), DOC_BAD);
    assert_true(bytes_equal(buf_view(&out), BYTES_LITERAL("kept")));
    buf_fini(&out);
}

static void put_sample(struct buf *d)
{
    assert_int_equal(doc_map_begin(d), 0);
    assert_int_equal(doc_put_bool(d, "success", true), 0);
    assert_int_equal(doc_key(d, "data"), 0);
    assert_int_equal(doc_list_begin(d), 0);
    assert_int_equal(doc_int(d, INT64_MIN), 0);
    assert_int_equal(doc_int(d, INT64_MAX), 0);
    assert_int_equal(doc_int(d, 0), 0);
    assert_int_equal(doc_map_begin(d), 0);
    assert_int_equal(doc_map_end(d), 0);
    assert_int_equal(doc_list_begin(d), 0);
    assert_int_equal(doc_list_end(d), 0);
    assert_int_equal(doc_bool(d, false), 0);
    assert_int_equal(doc_list_end(d), 0);
    assert_int_equal(doc_put_int(d, "n", -42), 0);
    assert_int_equal(doc_put_text(d, "t", BYTES_LITERAL("plain")), 0);
    assert_int_equal(doc_key(d, "b"), 0);
    assert_int_equal(doc_blob(d, BYTES_LITERAL("\0\xff")), 0);
    assert_int_equal(doc_key(d, "j"), 0);
    assert_int_equal(doc_json(d, BYTES_LITERAL("{\"x\":[1]}")), 0);
    assert_int_equal(doc_key(d, "error"), 0);
    assert_int_equal(doc_null(d), 0);
    assert_int_equal(doc_map_end(d), 0);
}

static const char sample_json[] =
    "{\"success\":true,\"data\":[-9223372036854775808,9223372036854775807,0,{},[],false],\"n\":-42,\"t\":\"plain\","
    "\"b\":\"AP8=\",\"j\":{\"x\":[1]},\"error\":null}";

static void renders_every_kind(void **state UNUSED)
{
    struct buf d;
    buf_init(&d, 4096);
    put_sample(&d);
    assert_json(&d, sample_json);
    buf_fini(&d);
}

static void every_cut_document_is_bad(void **state UNUSED)
{
    struct buf d;
    buf_init(&d, 4096);
    put_sample(&d);
    for (size_t n = 0; n < buf_size(&d); n++)
        assert_bad(buf_view(&d).p, n);
    assert_int_equal(doc_null(&d), 0); /* and one value too many */
    assert_bad(buf_view(&d).p, buf_size(&d));
    buf_fini(&d);
}

static void writes_the_documented_bytes(void **state UNUSED)
{
    static const uint8_t expected[] = {
        DOC_MAP_BEGIN, DOC_KEY, 1, 'a', DOC_INT,  0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff,          DOC_KEY, 1, 'b', DOC_TEXT, 2,    0,    0,    0,    'x',  'y',  DOC_MAP_END,
    };
    struct buf d;
    buf_init(&d, 4096);
    assert_int_equal(doc_map_begin(&d), 0);
    assert_int_equal(doc_put_int(&d, "a", -2), 0);
    assert_int_equal(doc_put_text(&d, "b", BYTES_LITERAL("xy")), 0);
    assert_int_equal(doc_map_end(&d), 0);
    assert_true(bytes_equal(buf_view(&d), BYTES_OF(expected)));
    buf_fini(&d);
}

#define ASSERT_BAD(...)                                                                                                \
    do {                                                                                                               \
        const uint8_t doc_[] = {__VA_ARGS__};                                                                          \
        assert_bad(doc_, sizeof doc_);                                                                                 \
    } while (0)

static void structure_is_checked(void **state UNUSED)
{
    assert_bad(NULL, 0);
    ASSERT_BAD(0);
    ASSERT_BAD(DOC_JSON + 1);
    ASSERT_BAD(255);
    ASSERT_BAD(DOC_NULL, DOC_NULL);
    ASSERT_BAD(DOC_MAP_END);
    ASSERT_BAD(DOC_LIST_END);
    ASSERT_BAD(DOC_KEY, 1, 'a');
    ASSERT_BAD(DOC_LIST_BEGIN, DOC_MAP_END);
    ASSERT_BAD(DOC_MAP_BEGIN, DOC_LIST_END);
    ASSERT_BAD(DOC_MAP_BEGIN, DOC_NULL, DOC_MAP_END);
    ASSERT_BAD(DOC_MAP_BEGIN, DOC_KEY, 1, 'a', DOC_MAP_END);
    ASSERT_BAD(DOC_MAP_BEGIN, DOC_KEY, 1, 'a', DOC_KEY, 1, 'b', DOC_MAP_END);
    ASSERT_BAD(DOC_MAP_BEGIN, DOC_KEY, 1, 'a', DOC_NULL, DOC_NULL, DOC_MAP_END);
    ASSERT_BAD(DOC_MAP_BEGIN, DOC_KEY, 1, 0, DOC_NULL, DOC_MAP_END);
    ASSERT_BAD(DOC_LIST_BEGIN, DOC_KEY, 1, 'a', DOC_NULL, DOC_LIST_END);
    ASSERT_BAD(DOC_LIST_BEGIN, DOC_LIST_END, DOC_LIST_END);
    ASSERT_BAD(DOC_TEXT, 2, 0, 0, 0, 'a');
    ASSERT_BAD(DOC_TEXT, 0xff, 0xff, 0xff, 0xff, 'a');
    ASSERT_BAD(DOC_JSON, 0, 0, 0, 0);
    ASSERT_BAD(DOC_INT, 0, 0, 0, 0, 0, 0, 0);
}

static void keys_have_a_maximum(void **state UNUSED)
{
    uint8_t doc[3 + DOC_KEY_MAX_BYTES + 1 + 2] = {DOC_MAP_BEGIN, DOC_KEY, DOC_KEY_MAX_BYTES + 1};
    memset(doc + 3, 'k', DOC_KEY_MAX_BYTES + 1);
    doc[sizeof doc - 2] = DOC_TRUE;
    doc[sizeof doc - 1] = DOC_MAP_END;
    assert_bad(doc, sizeof doc);
    struct buf out;
    buf_init(&out, 4096);
    doc[2]--;
    doc[sizeof doc - 3] = DOC_TRUE;
    doc[sizeof doc - 2] = DOC_MAP_END;
    assert_int_equal(doc_to_json(&out, bytes_of(doc, sizeof doc - 1)), 0);
    assert_int_equal(buf_size(&out), DOC_KEY_MAX_BYTES + 9);
    buf_fini(&out);
}

static void depth_has_a_maximum(void **state UNUSED)
{
    uint8_t doc[2 * (DOC_DEPTH_MAX_COUNT + 1)];
    struct buf out;
    memset(doc, DOC_LIST_BEGIN, sizeof doc / 2);
    memset(doc + sizeof doc / 2, DOC_LIST_END, sizeof doc / 2);
    assert_bad(doc, sizeof doc);
    buf_init(&out, 4096);
    assert_int_equal(doc_to_json(&out, bytes_of(doc + 1, sizeof doc - 2)), 0);
    assert_true(bytes_equal(buf_view(&out), BYTES_LITERAL("[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]")));
    buf_fini(&out);
}

/* A list in a map in a list: what a closed container was says nothing about the one around it. */
static void containers_nest_by_kind(void **state UNUSED)
{
    static const uint8_t doc[] = {
        DOC_LIST_BEGIN, DOC_MAP_BEGIN, DOC_KEY,      1,           'a', DOC_LIST_BEGIN, DOC_MAP_BEGIN,
        DOC_MAP_END,    DOC_TRUE,      DOC_LIST_END, DOC_KEY,     0,   DOC_NULL,       DOC_MAP_END,
        DOC_LIST_BEGIN, DOC_LIST_END,  DOC_FALSE,    DOC_LIST_END};
    struct buf d;
    buf_init(&d, 4096);
    assert_int_equal(buf_append(&d, BYTES_OF(doc)), 0);
    assert_json(&d, "[{\"a\":[{},true],\"\":null},[],false]");
    buf_fini(&d);
}

static void assert_string(struct bytes text, const char *json)
{
    struct buf out;
    buf_init(&out, 4096);
    assert_int_equal(doc_json_string(&out, text), 0);
    assert_int_equal(buf_append(&out, BYTES_LITERAL("\0")), 0);
    assert_string_equal((const char *)buf_view(&out).p, json);
    buf_fini(&out);
}

static void strings_are_escaped(void **state UNUSED)
{
    assert_string(BYTES_NONE, "\"\"");
    assert_string(BYTES_LITERAL("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
    assert_string(BYTES_LITERAL("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"");
    assert_string(BYTES_LITERAL("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\x7f\"");
    assert_string(BYTES_LITERAL("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

#define REPLACED "\xef\xbf\xbd"

static void bad_utf8_is_replaced_byte_by_byte(void **state UNUSED)
{
    assert_string(BYTES_LITERAL("a\xff"
                                "b"),
                  "\"a" REPLACED "b\"");
    assert_string(BYTES_LITERAL("\xc0\x80"), "\"" REPLACED REPLACED "\"");              /* overlong */
    assert_string(BYTES_LITERAL("\xed\xa0\x80"), "\"" REPLACED REPLACED REPLACED "\""); /* a surrogate */
    assert_string(BYTES_LITERAL("\xe2\x82"), "\"" REPLACED REPLACED "\"");              /* cut */
    assert_string(BYTES_LITERAL("\xe2\x82\xac\x80z"), "\"\xe2\x82\xac" REPLACED "z\"");
}

/* Each byte at each place of a run of eight, beside each neighbour that a borrow could come from. */
static void a_special_byte_is_found_anywhere(void **state UNUSED)
{
    struct buf out;
    buf_init(&out, 4096);
    for (unsigned c = 0; c < 256; c++) {
        for (size_t at = 0; at < 17; at++) {
            uint8_t text[17];
            memset(text, ' ', sizeof text);
            text[at] = (uint8_t)c;
            buf_clear(&out);
            assert_int_equal(doc_json_string(&out, BYTES_OF(text)), 0);
            size_t grown = buf_size(&out) - sizeof text - 2;
            bool is_short = c == '"' || c == '\\' || (c >= 8 && c <= 13 && c != 11);
            assert_int_equal(grown, is_short ? 1 : c < 0x20 ? 5 : c >= 0x80 ? 2 : 0);
        }
    }
    buf_fini(&out);
}

static void long_lists_are_rendered(void **state UNUSED)
{
    struct buf d, out;
    buf_init(&d, 8 << 20);
    buf_init(&out, 8 << 20);
    assert_int_equal(doc_list_begin(&d), 0);
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(doc_map_begin(&d), 0);
        assert_int_equal(doc_put_text(&d, "path", BYTES_LITERAL("/registry/applications/example/key")), 0);
        assert_int_equal(doc_put_int(&d, "version", 1000 + i % 1000), 0);
        assert_int_equal(doc_map_end(&d), 0);
    }
    assert_int_equal(doc_list_end(&d), 0);
    assert_int_equal(doc_to_json(&out, buf_view(&d)), 0);
    assert_int_equal(buf_size(&out),
                     10000 * (sizeof "{\"path\":\"/registry/applications/example/key\",\"version\":1000}") + 1);
    buf_fini(&out);
    buf_fini(&d);
}

static void a_full_buffer_is_unchanged(void **state UNUSED)
{
    struct buf d, out;
    buf_init(&d, 4096);
    put_sample(&d);
    for (size_t max = 1; max < sizeof sample_json - 1; max++) {
        buf_init(&out, max);
        assert_int_equal(doc_to_json(&out, buf_view(&d)), FAULT_LIMIT);
        assert_int_equal(buf_size(&out), 0);
        buf_fini(&out);
    }
    buf_init(&out, sizeof sample_json - 1);
    assert_int_equal(doc_to_json(&out, buf_view(&d)), 0);
    buf_fini(&out);
    buf_init(&out, 8);
    assert_int_equal(doc_json_string(&out, BYTES_LITERAL("1234567")), FAULT_LIMIT);
    assert_int_equal(buf_size(&out), 0);
    assert_int_equal(doc_json_string(&out, BYTES_LITERAL("123456")), 0);
    buf_fini(&out);
    buf_fini(&d);
}

static int write_all(struct buf *d)
{
    TRY(doc_map_begin(d));
    TRY(doc_put_bool(d, "a", true));
    TRY(doc_put_int(d, "b", 1));
    TRY(doc_put_text(d, "c", BYTES_LITERAL("x")));
    TRY(doc_key(d, "d"));
    TRY(doc_blob(d, BYTES_LITERAL("x")));
    return doc_map_end(d);
}

static void a_writer_says_when_there_is_no_room(void **state UNUSED)
{
    struct buf whole, d;
    buf_init(&whole, 4096);
    assert_int_equal(write_all(&whole), 0);
    for (size_t max = 1; max < buf_size(&whole); max++) {
        buf_init(&d, max);
        assert_int_equal(write_all(&d), FAULT_LIMIT);
        assert_memory_equal(buf_view(&d).p, buf_view(&whole).p, buf_size(&d)); /* whole tokens only */
        buf_fini(&d);
    }
    buf_fini(&whole);
}

static void memory_failure_is_passed_on(void **state UNUSED)
{
    int failed = 0;
    EACH_ALLOC_FAILURE({
        struct buf d;
        struct buf out;
        buf_init(&d, 4096);
        buf_init(&out, 4096);
        int r = write_all(&d);
        if (r == 0)
            r = doc_to_json(&out, buf_view(&d));
        failed += r == -ENOMEM;
        assert_true(r == 0 || buf_size(&out) == 0);
        buf_fini(&d);
        buf_fini(&out);
    });
    assert_int_equal(failed, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(renders_every_kind),
        cmocka_unit_test(every_cut_document_is_bad),
        cmocka_unit_test(writes_the_documented_bytes),
        cmocka_unit_test(structure_is_checked),
        cmocka_unit_test(keys_have_a_maximum),
        cmocka_unit_test(depth_has_a_maximum),
        cmocka_unit_test(containers_nest_by_kind),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(bad_utf8_is_replaced_byte_by_byte),
        cmocka_unit_test(a_special_byte_is_found_anywhere),
        cmocka_unit_test(long_lists_are_rendered),
        cmocka_unit_test(a_full_buffer_is_unchanged),
        cmocka_unit_test(a_writer_says_when_there_is_no_room),
        cmocka_unit_test(memory_failure_is_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
