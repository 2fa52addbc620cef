/* Tests of msg: frames, every field kind, and what a peer that lies may send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "fail-alloc.h"
#include "wire/msg.h"

#define MSG_SAMPLE(X) X(u8, a) X(u16, b) X(u32, c) X(u64, d) X(i64, e) X(bool, f) X(bytes, g) X(bytes, h)
MSG_DECLARE(sample, MSG_SAMPLE)
MSG_IMPLEMENT(sample, MSG_SAMPLE)

static const struct msg_sample sample = {
    .a = 0x12,
    .b = 0x3456,
    .c = 0x789abcde,
    .d = UINT64_C(0x1122334455667788),
    .e = -2,
    .f = true,
    .g = {(const uint8_t *)"abc", 3},
    .h = {NULL, 0},
};

static const uint8_t sample_frame[] = {
    37,   0,    0,    0,                            /* size: type and body */
    0x07, 0x01,                                     /* type */
    0x12,                                           /* a */
    0x56, 0x34,                                     /* b */
    0xde, 0xbc, 0x9a, 0x78,                         /* c */
    0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, /* d */
    0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* e */
    1,                                              /* f */
    3,    0,    0,    0,    'a',  'b',  'c',        /* g */
    0,    0,    0,    0,                            /* h */
};

static void puts_the_documented_bytes(void **state UNUSED)
{
    struct buf b;
    buf_init(&b, 1024);
    assert_int_equal(msg_sample_put(&b, 0x107, &sample), 0);
    assert_int_equal(buf_size(&b), sizeof sample_frame);
    assert_memory_equal(buf_view(&b).p, sample_frame, sizeof sample_frame);
    buf_fini(&b);
}

static void gets_what_was_put(void **state UNUSED)
{
    struct bytes body;
    struct msg_sample m;
    uint16_t type;
    size_t used;
    assert_int_equal(msg_next(BYTES_OF(sample_frame), &type, &body, &used), 0);
    assert_int_equal(type, 0x107);
    assert_int_equal(used, sizeof sample_frame);
    assert_true(msg_sample_get(body, &m));
    assert_int_equal(m.a, sample.a);
    assert_int_equal(m.b, sample.b);
    assert_int_equal(m.c, sample.c);
    assert_true(m.d == sample.d);
    assert_true(m.e == sample.e);
    assert_true(m.f);
    assert_true(bytes_equal(m.g, sample.g));
    assert_ptr_equal(m.g.p, sample_frame + 34);
    assert_int_equal(m.h.n, 0);
}

static void every_cut_body_is_refused(void **state UNUSED)
{
    for (size_t n = 0; n + MSG_HEAD_BYTES < sizeof sample_frame; n++) {
        struct msg_sample m = {.a = 77};
        assert_false(msg_sample_get(bytes_of(sample_frame + MSG_HEAD_BYTES, n), &m));
        assert_int_equal(m.a, 77); /* untouched on failure */
    }
}

static void a_body_with_bytes_left_over_is_refused(void **state UNUSED)
{
    uint8_t longer[sizeof sample_frame + 1] = {0};
    struct msg_sample m;
    memcpy(longer, sample_frame, sizeof sample_frame);
    assert_false(msg_sample_get(bytes_of(longer + MSG_HEAD_BYTES, sizeof longer - MSG_HEAD_BYTES), &m));
}

static void a_bool_is_zero_or_one(void **state UNUSED)
{
    const uint8_t bytes[] = {0, 1, 2, 255};
    bool v = true;
    struct bytes in = BYTES_OF(bytes);
    assert_true(msg_get_bool(&in, &v));
    assert_false(v);
    assert_true(msg_get_bool(&in, &v));
    assert_true(v);
    assert_false(msg_get_bool(&in, &v));
    in = bytes_of(bytes + 3, 1);
    assert_false(msg_get_bool(&in, &v));
    assert_true(v);
}

static void bytes_longer_than_the_body_are_refused(void **state UNUSED)
{
    const uint8_t raw[] = {3, 0, 0, 0, 'x', 'y'};
    const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 'x'};
    struct bytes in = BYTES_OF(raw), v;
    assert_false(msg_get_bytes(&in, &v));
    in = BYTES_OF(huge);
    assert_false(msg_get_bytes(&in, &v));
    in = BYTES_NONE;
    assert_false(msg_get_bytes(&in, &v));
}

static void extremes_survive(void **state UNUSED)
{
    struct buf b;
    uint64_t u;
    int64_t i, low;
    buf_init(&b, 1024);
    assert_int_equal(msg_put_u64(&b, UINT64_MAX), 0);
    assert_int_equal(msg_put_i64(&b, INT64_MAX), 0);
    assert_int_equal(msg_put_i64(&b, INT64_MIN), 0);
    struct bytes in = buf_view(&b);
    assert_true(msg_get_u64(&in, &u) && u == UINT64_MAX);
    assert_true(msg_get_i64(&in, &i) && i == INT64_MAX);
    assert_true(msg_get_i64(&in, &low) && low == INT64_MIN);
    assert_int_equal(in.n, 0);
    buf_fini(&b);
}

static void next_waits_for_a_whole_frame(void **state UNUSED)
{
    struct bytes body;
    uint16_t type;
    size_t used;
    for (size_t n = 0; n < sizeof sample_frame; n++)
        assert_int_equal(msg_next(bytes_of(sample_frame, n), &type, &body, &used), MSG_INCOMPLETE);
}

static void next_takes_one_of_two(void **state UNUSED)
{
    struct buf b;
    struct bytes body;
    uint16_t type;
    size_t used;
    struct msg_mark mark;
    buf_init(&b, 1024);
    assert_int_equal(msg_sample_put(&b, 1, &sample), 0);
    assert_int_equal(msg_begin(&b, 2, &mark), 0);
    assert_int_equal(msg_end(&b, mark, 0), 0);
    assert_int_equal(msg_next(buf_view(&b), &type, &body, &used), 0);
    assert_int_equal(type, 1);
    buf_consume(&b, used);
    assert_int_equal(msg_next(buf_view(&b), &type, &body, &used), 0);
    assert_int_equal(type, 2);
    assert_int_equal(body.n, 0);
    assert_int_equal(used, MSG_HEAD_BYTES);
    buf_consume(&b, used);
    assert_int_equal(msg_next(buf_view(&b), &type, &body, &used), MSG_INCOMPLETE);
    buf_fini(&b);
}

static void impossible_sizes_are_refused_at_once(void **state UNUSED)
{
    const uint8_t sizes[][4] = {{0, 0, 0, 0}, {1, 0, 0, 0}, {1, 0, 0x40, 0}, {0xff, 0xff, 0xff, 0xff}};
    const uint8_t largest[4] = {0, 0, 0x40, 0};
    struct bytes body;
    uint16_t type;
    size_t used;
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        assert_int_equal(msg_next(bytes_of(sizes[i], 4), &type, &body, &used), FAULT_PROTOCOL);
    assert_int_equal(msg_next(BYTES_OF(largest), &type, &body, &used), MSG_INCOMPLETE);
}

static void a_failed_put_leaves_the_buffer_as_it_was(void **state UNUSED)
{
    struct buf b;
    for (size_t max = 3; max < 3 + sizeof sample_frame; max++) {
        buf_init(&b, max);
        assert_int_equal(buf_append_text(&b, "abc"), 0);
        assert_int_equal(msg_sample_put(&b, 1, &sample), FAULT_LIMIT);
        assert_true(bytes_equal(buf_view(&b), BYTES_LITERAL("abc")));
        buf_fini(&b);
    }
    buf_init(&b, 3 + sizeof sample_frame);
    assert_int_equal(buf_append_text(&b, "abc"), 0);
    assert_int_equal(msg_sample_put(&b, 1, &sample), 0);
    buf_fini(&b);
}

static void memory_failure_is_passed_on(void **state UNUSED)
{
    int failed = 0;
    EACH_ALLOC_FAILURE({
        struct buf b;
        buf_init(&b, 1024);
        int r = msg_sample_put(&b, 1, &sample);
        failed += r == -ENOMEM;
        assert_int_equal(buf_size(&b), r == 0 ? sizeof sample_frame : 0);
        buf_fini(&b);
    });
    assert_true(failed > 0);
}

static void a_frame_above_the_maximum_is_undone(void **state UNUSED)
{
    static uint8_t half[MSG_MAX_BYTES / 2];
    static uint8_t over[MSG_MAX_BYTES + 1];
    struct msg_sample m = sample;
    struct buf b;
    buf_init(&b, 16 << 20);
    m.g = m.h = BYTES_OF(half);
    assert_int_equal(msg_sample_put(&b, 1, &m), FAULT_LIMIT);
    assert_int_equal(buf_size(&b), 0);
    assert_int_equal(msg_put_bytes(&b, BYTES_OF(over)), FAULT_LIMIT);
    m.h = bytes_of(half, sizeof half - 34);
    assert_int_equal(msg_sample_put(&b, 1, &m), 0);
    assert_int_equal(buf_size(&b), MSG_MAX_BYTES + 4);
    buf_fini(&b);
}

static void a_frame_survives_a_consumed_front(void **state UNUSED)
{
    struct buf b;
    struct bytes body;
    uint16_t type;
    size_t used;
    buf_init(&b, 1024);
    assert_int_equal(buf_append_text(&b, "0123456789"), 0);
    buf_consume(&b, 10 - 1);
    assert_int_equal(msg_sample_put(&b, 9, &sample), 0);
    buf_consume(&b, 1);
    assert_int_equal(msg_next(buf_view(&b), &type, &body, &used), 0);
    assert_int_equal(type, 9);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_the_documented_bytes),
        cmocka_unit_test(gets_what_was_put),
        cmocka_unit_test(every_cut_body_is_refused),
        cmocka_unit_test(a_body_with_bytes_left_over_is_refused),
        cmocka_unit_test(a_bool_is_zero_or_one),
        cmocka_unit_test(bytes_longer_than_the_body_are_refused),
        cmocka_unit_test(extremes_survive),
        cmocka_unit_test(next_waits_for_a_whole_frame),
        cmocka_unit_test(next_takes_one_of_two),
        cmocka_unit_test(impossible_sizes_are_refused_at_once),
        cmocka_unit_test(a_failed_put_leaves_the_buffer_as_it_was),
        cmocka_unit_test(memory_failure_is_passed_on),
        cmocka_unit_test(a_frame_above_the_maximum_is_undone),
        cmocka_unit_test(a_frame_survives_a_consumed_front),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
