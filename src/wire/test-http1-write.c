/* Tests of http1, writing: the exact bytes, and that our own strict reader takes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "fail-alloc.h"
#include "wire/http1.h"

static const struct http1_limits limits = {.head_bytes = 4096, .target_bytes = 64, .fields_count = 8};

static void a_head_is_written(void **state UNUSED)
{
    struct buf fields, out;
    buf_init(&fields, 1024);
    buf_init(&out, 1024);
    assert_int_equal(http1_write_field(&fields, "ETag", BYTES_LITERAL("\"7\"")), 0);
    assert_int_equal(http1_write_field(&fields, "X-Empty", BYTES_NONE), 0);
    assert_int_equal(http1_write_head(&out, 200, buf_view(&fields), 12, true), 0);
    assert_true(bytes_equal(buf_view(&out), BYTES_LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 12\r\nETag: \"7\"\r\n"
                                                          "X-Empty: \r\nConnection: close\r\n\r\n")));
    buf_clear(&out);
    assert_int_equal(http1_write_head(&out, 404, BYTES_NONE, 0, false), 0);
    assert_true(bytes_equal(buf_view(&out), BYTES_LITERAL("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")));
    buf_fini(&fields);
    buf_fini(&out);
}

static void a_response_without_body_names_no_length(void **state UNUSED)
{
    struct buf out;
    buf_init(&out, 1024);
    assert_int_equal(http1_write_head(&out, 204, BYTES_NONE, 0, false), 0);
    assert_true(bytes_equal(buf_view(&out), BYTES_LITERAL("HTTP/1.1 204 No Content\r\n\r\n")));
    buf_clear(&out);
    assert_int_equal(http1_write_head(&out, 100, BYTES_NONE, 0, false), 0);
    assert_true(bytes_equal(buf_view(&out), BYTES_LITERAL("HTTP/1.1 100 Continue\r\n\r\n")));
    buf_clear(&out);
    assert_int_equal(http1_write_head(&out, 304, BYTES_LITERAL("ETag: \"1\"\r\n"), 0, false), 0);
    assert_true(bytes_equal(buf_view(&out), BYTES_LITERAL("HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n")));
    buf_fini(&out);
}

static void every_status_is_read_back(void **state UNUSED)
{
    for (unsigned status = 100; status <= 599; status++) {
        for (int closes = 0; closes < 2; closes++) {
            struct http1_resp resp;
            struct buf out;
            const char *why = "";
            size_t used;
            uint64_t length = status < 200 || status == 204 || status == 304 ? 0 : UINT64_C(1) << 40;
            buf_init(&out, 1024);
            assert_int_equal(http1_write_head(&out, status, BYTES_NONE, length, closes), 0);
            assert_int_equal(http1_read_response_head(buf_view(&out), &limits, &resp, &used, &why), 0);
            assert_int_equal(used, buf_size(&out));
            assert_int_equal(resp.status, status);
            assert_true(resp.length_bytes == length);
            assert_true(resp.keeps_alive == !closes);
            buf_fini(&out);
        }
    }
}

static void a_stream_is_read_back(void **state UNUSED)
{
    static const char *const parts[] = {"a", "0123456789abcdef", "\r\n0\r\n\r\n"};
    struct http1_chunks chunks = {0};
    struct http1_resp resp;
    struct buf out, body;
    size_t used;
    const char *why;
    buf_init(&out, 1024);
    buf_init(&body, 1024);
    assert_int_equal(http1_write_stream_head(&out, 200, BYTES_LITERAL("A: b\r\n")), 0);
    assert_int_equal(http1_read_response_head(buf_view(&out), &limits, &resp, &used, &why), 0);
    assert_int_equal(used, buf_size(&out));
    assert_true(resp.is_chunked && !resp.keeps_alive && resp.fields_count == 3);
    buf_clear(&out);
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        assert_int_equal(http1_write_chunk(&out, bytes_of_text(parts[i])), 0);
    assert_int_equal(http1_write_chunk(&out, BYTES_NONE), 0);
    assert_int_equal(http1_read_chunks(&chunks, buf_view(&out), &body, &used), 0);
    assert_int_equal(used, buf_size(&out));
    assert_true(bytes_equal(buf_view(&body), BYTES_LITERAL("a0123456789abcdef\r\n0\r\n\r\n")));
    buf_fini(&out);
    buf_fini(&body);
}

static void a_value_cannot_end_its_line(void **state UNUSED)
{
    static const char *const bad[] = {"a\r\nX: b", "a\nb", "a\rb", "\x01", "\x7f"};
    struct buf out;
    buf_init(&out, 1024);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(http1_write_field(&out, "X", bytes_of_text(bad[i])), HTTP1_BAD);
    assert_int_equal(http1_write_field(&out, "X", BYTES_LITERAL("a\0b")), HTTP1_BAD);
    assert_int_equal(buf_size(&out), 0);
    assert_int_equal(http1_write_field(&out, "X", BYTES_LITERAL("a\tb \xc3\xa4")), 0);
    buf_fini(&out);
}

static void statuses_have_phrases(void **state UNUSED)
{
    assert_string_equal(http1_status_text(200), "OK");
    assert_string_equal(http1_status_text(412), "Precondition Failed");
    assert_string_equal(http1_status_text(431), "Request Header Fields Too Large");
    assert_string_equal(http1_status_text(505), "HTTP Version Not Supported");
    assert_string_equal(http1_status_text(299), "Unknown");
    assert_string_equal(http1_status_text(0), "Unknown");
}

static void a_full_buffer_is_unchanged(void **state UNUSED)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: b\r\nConnection: close\r\n\r\n";
    struct buf out;
    for (size_t max = 1; max < sizeof head - 1; max++) {
        buf_init(&out, max);
        assert_int_equal(http1_write_head(&out, 200, BYTES_LITERAL("A: b\r\n"), 0, true), FAULT_LIMIT);
        assert_int_equal(buf_size(&out), 0);
        buf_fini(&out);
    }
    for (size_t max = 1; max < 15; max++) {
        buf_init(&out, max);
        assert_int_equal(http1_write_chunk(&out, BYTES_LITERAL("0123456789")), FAULT_LIMIT);
        assert_int_equal(http1_write_stream_head(&out, 200, BYTES_NONE), FAULT_LIMIT);
        assert_int_equal(buf_size(&out), 0);
        buf_fini(&out);
    }
    buf_init(&out, sizeof head - 1);
    assert_int_equal(http1_write_head(&out, 200, BYTES_LITERAL("A: b\r\n"), 0, true), 0);
    assert_int_equal(http1_write_field(&out, "A", BYTES_LITERAL("b")), FAULT_LIMIT);
    assert_int_equal(buf_size(&out), sizeof head - 1);
    buf_fini(&out);
}

static void memory_failure_is_passed_on(void **state UNUSED)
{
    int failed = 0;
    EACH_ALLOC_FAILURE({
        struct buf out;
        buf_init(&out, 1024);
        failed += http1_write_head(&out, 200, BYTES_NONE, 0, true) == -ENOMEM;
        buf_fini(&out);
    });
    assert_int_equal(failed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_written),         cmocka_unit_test(a_response_without_body_names_no_length),
        cmocka_unit_test(every_status_is_read_back), cmocka_unit_test(a_value_cannot_end_its_line),
        cmocka_unit_test(statuses_have_phrases),     cmocka_unit_test(a_full_buffer_is_unchanged),
        cmocka_unit_test(a_stream_is_read_back),     cmocka_unit_test(memory_failure_is_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
