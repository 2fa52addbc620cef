/* Tests of buf: growth and its limit, consuming from the front, wiping, numbers, memory that runs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "fail-alloc.h"

static void assert_text(const struct buf *b, const char *text)
{
    assert_true(bytes_equal(buf_view(b), bytes_of_text(text)));
}

static void put(struct buf *b, const char *text)
{
    assert_int_equal(buf_append_text(b, text), 0);
}

static void test_empty(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 10);
    assert_int_equal(buf_size(&b), 0);
    assert_int_equal(buf_view(&b).n, 0);
    assert_null(buf_view(&b).p);
    assert_int_equal(buf_append(&b, BYTES_NONE), 0);
    assert_int_equal(buf_append_text(&b, NULL), 0);
    buf_consume(&b, 0);
    buf_truncate(&b, 0);
    buf_clear(&b);
    buf_shrink(&b, 0);
    assert_null(b.p); /* nothing of this allocates */
    buf_fini(&b);
    buf_fini(&b);
    buf_fini(NULL);
}

static void test_maximum(void **state)
{
    struct buf b;
    uint8_t *p = NULL;
    (void)state;
    buf_init(&b, 10);
    put(&b, "0123456789"); /* to the last byte */
    assert_int_equal(buf_append_text(&b, "x"), FAULT_LIMIT);
    assert_int_equal(buf_reserve(&b, SIZE_MAX, &p), FAULT_LIMIT);
    assert_null(p);
    assert_text(&b, "0123456789");
    assert_true(b.cap <= 10);
    buf_consume(&b, 3);
    put(&b, "abc"); /* what was consumed is room again */
    assert_text(&b, "3456789abc");
    assert_int_equal(buf_append_text(&b, "x"), FAULT_LIMIT);
    buf_fini(&b);
    assert_int_equal(b.max, 10);
    put(&b, "again");
    assert_text(&b, "again");
    buf_fini(&b);
}

static void test_reserve_and_commit(void **state)
{
    struct buf b;
    uint8_t *p;
    (void)state;
    buf_init(&b, 1000);
    assert_int_equal(buf_reserve(&b, 100, &p), 0);
    memcpy(p, "hello", 5);
    assert_int_equal(buf_size(&b), 0);
    buf_commit(&b, 5);
    assert_text(&b, "hello");
    assert_int_equal(buf_reserve(&b, 0, &p), 0);
    buf_commit(&b, 0);
    buf_truncate(&b, 2);
    assert_text(&b, "he");
    buf_clear(&b);
    assert_int_equal(buf_size(&b), 0);
    buf_fini(&b);
}

/* Many appends and consumes of odd sizes against the simplest model: two counters. */
static void test_queue_against_model(void **state)
{
    struct buf b;
    uint8_t chunk[700];
    uint32_t random = 1;
    size_t in = 0, out = 0;
    (void)state;
    buf_init(&b, 5000);
    for (int round = 0; round < 20000; round++) {
        random = random * 1664525u + 1013904223u;
        size_t n = (random >> 16) % sizeof chunk;
        for (size_t i = 0; i < n; i++)
            chunk[i] = (uint8_t)((in + i) * 31);
        int r = buf_append(&b, bytes_of(chunk, n));
        assert_int_equal(r, in - out + n > 5000 ? FAULT_LIMIT : 0);
        in += r == 0 ? n : 0;
        random = random * 1664525u + 1013904223u;
        size_t drop = MIN_OF((random >> 16) % sizeof chunk, buf_size(&b));
        for (size_t i = 0; i < drop; i++)
            assert_int_equal(buf_view(&b).p[i], (uint8_t)((out + i) * 31));
        buf_consume(&b, drop);
        out += drop;
        assert_int_equal(buf_size(&b), in - out);
        assert_true(b.cap <= 5000);
    }
    buf_fini(&b);
}

static void test_numbers(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 200);
    assert_int_equal(buf_append_u64(&b, 0), 0);
    put(&b, " ");
    assert_int_equal(buf_append_u64(&b, UINT64_MAX), 0);
    put(&b, " ");
    assert_int_equal(buf_append_i64(&b, INT64_MIN), 0);
    put(&b, " ");
    assert_int_equal(buf_append_i64(&b, INT64_MAX), 0);
    put(&b, " ");
    assert_int_equal(buf_append_i64(&b, -1), 0);
    assert_text(&b, "0 18446744073709551615 -9223372036854775808 9223372036854775807 -1");
    buf_fini(&b);
    buf_init(&b, 2);
    assert_int_equal(buf_append_i64(&b, -42), FAULT_LIMIT);
    assert_int_equal(buf_size(&b), 0); /* no lone minus */
    buf_fini(&b);
}

static void test_print(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 5000);
    assert_int_equal(buf_print(&b, "%s=%d", "x", 7), 0);
    assert_text(&b, "x=7");
    assert_int_equal(buf_print(&b, "%1023d", 1), 0);
    assert_int_equal(buf_size(&b), 3 + 1023);
    assert_int_equal(buf_print(&b, "%1024d", 1), FAULT_LIMIT);
    assert_int_equal(buf_size(&b), 3 + 1023);
    buf_fini(&b);
    buf_init(&b, 3);
    assert_int_equal(buf_print(&b, "1234"), FAULT_LIMIT);
    buf_fini(&b);
}

static bool is_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != 0)
            return false;
    }
    return true;
}

static void test_wiping(void **state)
{
    struct buf b;
    (void)state;
    buf_init_wiping(&b, 256);
    put(&b, "a secret value");
    uint8_t *p = b.p;
    buf_consume(&b, 9);
    assert_true(is_zero(p, 9));
    assert_text(&b, "value");
    buf_truncate(&b, 1);
    assert_true(is_zero(p + 10, 4));
    assert_text(&b, "v");
    buf_clear(&b);
    assert_true(is_zero(p, 14));
    /* moved to the front: no copy stays behind */
    for (int i = 0; i < 200; i++)
        put(&b, "s");
    buf_consume(&b, 150);
    for (int i = 0; i < 60; i++)
        put(&b, "t");
    assert_ptr_equal(b.p, p);
    assert_int_equal(b.start, 0);
    assert_int_equal(buf_size(&b), 110);
    assert_true(is_zero(p + 110, 146));
    buf_fini(&b);
    assert_true(b.wipes);
}

static void test_plain_buffer_does_not_wipe(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 256);
    put(&b, "text");
    buf_consume(&b, 2);
    assert_memory_equal(b.p, "text", 4);
    buf_fini(&b);
    assert_false(b.wipes);
}

static void test_shrink(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 100000);
    for (int i = 0; i < 1000; i++)
        put(&b, "0123456789");
    buf_shrink(&b, 0);
    assert_int_equal(buf_size(&b), 10000); /* never with content */
    buf_clear(&b);
    size_t cap = b.cap;
    buf_shrink(&b, cap);
    assert_int_equal(b.cap, cap);
    buf_shrink(&b, cap - 1);
    assert_int_equal(b.cap, 0);
    put(&b, "x");
    buf_fini(&b);
}

static void test_take(void **state)
{
    struct buf b;
    uint8_t *p = NULL;
    size_t n = 99;
    (void)state;
    buf_init(&b, 100);
    put(&b, "xyz");
    buf_consume(&b, 1);
    assert_int_equal(buf_take(&b, &p, &n), 0);
    assert_int_equal(n, 2);
    assert_memory_equal(p, "yz", 2);
    free(p);
    assert_int_equal(buf_size(&b), 0);
    assert_int_equal(buf_take(&b, &p, &n), 0); /* nothing, in memory of its own */
    assert_int_equal(n, 0);
    assert_non_null(p);
    free(p);
    put(&b, "kept");
    p = NULL;
    fail_alloc_after(0);
    assert_int_equal(buf_take(&b, &p, &n), -ENOMEM);
    assert_true(fail_alloc_off());
    assert_null(p);
    assert_text(&b, "kept");
    buf_fini(&b);
}

static int append_many(struct buf *b)
{
    for (int i = 0; i < 500; i++)
        TRY(buf_append_text(b, "0123456789"));
    return 0;
}

static void test_without_memory(void **state)
{
    struct buf b;
    int r = -1;
    unsigned refused = 0;
    (void)state;
    buf_init(&b, 10000);
    EACH_ALLOC_FAILURE({
        r = append_many(&b);
        assert_true(r == 0 || r == -ENOMEM);
        assert_int_equal(buf_size(&b) % 10, 0); /* whole pieces only */
        refused += r < 0;
        buf_fini(&b);
    });
    assert_int_equal(r, 0);
    assert_true(refused > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_maximum),
        cmocka_unit_test(test_reserve_and_commit),
        cmocka_unit_test(test_queue_against_model),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_wiping),
        cmocka_unit_test(test_plain_buffer_does_not_wipe),
        cmocka_unit_test(test_shrink),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests_name("base/buf", tests, NULL, NULL);
}
