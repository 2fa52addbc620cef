/* Tests of http1, chunked bodies: the same result however the bytes were cut, and no second spelling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "fail-alloc.h"
#include "wire/http1.h"

static const char body_text[] =
    "5\r\nhello\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\nA\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n";

/* Feeds `text` in pieces of `step` bytes; returns the last outcome. */
static int feed(struct bytes text, size_t step, struct buf *body, size_t *ret_used)
{
    struct http1_chunks state = {0};
    size_t total = 0;
    int o = HTTP1_MORE;
    while (o == HTTP1_MORE && total < text.n) {
        size_t used = 0, n = MIN_OF(step, text.n - total);
        o = http1_read_chunks(&state, bytes_of(text.p + total, n), body, &used);
        if (o == HTTP1_MORE)
            assert_int_equal(used, n);
        total += used;
    }
    *ret_used = total;
    return o;
}

static int outcome_of(const char *text, size_t max_bytes)
{
    struct buf body;
    size_t used;
    int last = 0;
    for (size_t step = 1; step <= strlen(text); step++) {
        buf_init(&body, max_bytes);
        int o = feed(bytes_of_text(text), step, &body, &used);
        assert_true(step == 1 || o == last); /* the cut makes no difference */
        last = o;
        buf_fini(&body);
    }
    return last;
}

static void a_body_is_decoded_however_it_is_cut(void **state UNUSED)
{
    struct bytes text = bytes_of_text(body_text);
    for (size_t step = 1; step <= text.n; step++) {
        struct buf body;
        size_t used;
        buf_init(&body, 1024);
        assert_int_equal(feed(text, step, &body, &used), 0);
        assert_int_equal(used, text.n);
        assert_int_equal(buf_size(&body), 5 + 26 + 10);
        assert_memory_equal(buf_view(&body).p, "helloabcdefghijklmnopqrstuvwxyz\r\n\r\n\r\n", 37);
        buf_fini(&body);
    }
}

static void what_follows_the_body_is_not_touched(void **state UNUSED)
{
    struct http1_chunks state_of_body = {0};
    struct buf body;
    size_t used;
    buf_init(&body, 16);
    assert_int_equal(http1_read_chunks(&state_of_body, BYTES_LITERAL("1\r\nx\r\n0\r\n\r\nGET /"), &body, &used), 0);
    assert_int_equal(used, 11);
    assert_int_equal(http1_read_chunks(&state_of_body, BYTES_LITERAL("GET /"), &body, &used), 0);
    assert_int_equal(used, 0);
    buf_fini(&body);
}

static void an_empty_body_is_one_chunk(void **state UNUSED)
{
    assert_int_equal(outcome_of("0\r\n\r\n", 1), 0);
}

static void no_bytes_change_nothing(void **state UNUSED)
{
    struct http1_chunks s = {0};
    struct buf body;
    size_t used = 9;
    buf_init(&body, 16);
    assert_int_equal(http1_read_chunks(&s, BYTES_NONE, &body, &used), HTTP1_MORE);
    assert_int_equal(used, 0);
    buf_fini(&body);
}

static void every_prefix_waits(void **state UNUSED)
{
    for (size_t n = 1; n < sizeof body_text - 1; n++) {
        struct buf body;
        size_t used;
        buf_init(&body, 1024);
        assert_int_equal(feed(bytes_of(body_text, n), n, &body, &used), HTTP1_MORE);
        buf_fini(&body);
    }
}

static void hostile_chunks_are_refused(void **state UNUSED)
{
    static const char *const texts[] = {
        "\r\n",
        "g\r\n",
        " 1\r\nx\r\n",
        "-1\r\nx\r\n",
        "+1\r\nx\r\n",
        "0x1\r\nx\r\n",
        "1 \r\nx\r\n",
        "1;name=value\r\nx\r\n",
        "1;\nx\r\n",
        "1\nx\r\n",
        "1\rx\r\n",
        "01\r\nx\r\n", /* a size has one spelling */
        "00\r\n\r\n",
        "1\r\nxy\r\n",
        "1\r\nx\n0\r\n\r\n",
        "1\r\nx\r0\r\n\r\n",
        "1\r\nx0\r\n\r\n",
        "0\n\r\n",
        "0\r\n\n",
        "0\r\n\rx",
        "0\r\nTrailer: x\r\n\r\n",
        "0;a\r\n\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        if (outcome_of(texts[i], 64) != HTTP1_BAD)
            fail_msg("body %zu was not refused: %s", i, texts[i]);
    }
}

static void a_body_meets_its_maximum(void **state UNUSED)
{
    assert_int_equal(outcome_of("4\r\nabcd\r\n0\r\n\r\n", 4), 0);
    assert_int_equal(outcome_of("5\r\nabcde\r\n0\r\n\r\n", 4), HTTP1_LARGE);
    assert_int_equal(outcome_of("2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n", 4), HTTP1_LARGE);
    assert_int_equal(outcome_of("fffffffffffffffff\r\n", 4), HTTP1_LARGE);
}

/* More digits than 64 bits, into a buffer without a practical maximum. */
static void a_size_cannot_wrap(void **state UNUSED)
{
    struct http1_chunks s = {0};
    struct buf body;
    size_t used;
    buf_init(&body, SIZE_MAX);
    assert_int_equal(http1_read_chunks(&s, BYTES_LITERAL("ffffffffffffffff"), &body, &used), HTTP1_MORE);
    assert_int_equal(http1_read_chunks(&s, BYTES_LITERAL("0"), &body, &used), HTTP1_LARGE);
    buf_fini(&body);
}

static void memory_failure_is_passed_on(void **state UNUSED)
{
    int failed = 0;
    EACH_ALLOC_FAILURE({
        struct buf body;
        size_t used;
        buf_init(&body, 1024);
        failed += feed(bytes_of_text(body_text), sizeof body_text, &body, &used) == -ENOMEM;
        buf_fini(&body);
    });
    assert_int_equal(failed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_is_decoded_however_it_is_cut),
        cmocka_unit_test(what_follows_the_body_is_not_touched),
        cmocka_unit_test(an_empty_body_is_one_chunk),
        cmocka_unit_test(no_bytes_change_nothing),
        cmocka_unit_test(every_prefix_waits),
        cmocka_unit_test(hostile_chunks_are_refused),
        cmocka_unit_test(a_body_meets_its_maximum),
        cmocka_unit_test(a_size_cannot_wrap),
        cmocka_unit_test(memory_failure_is_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
