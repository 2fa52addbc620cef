/* Tests of auth-proto: lists to their last byte, and messages between the engine and an auth process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "fail-alloc.h"
#include "model/auth-proto.h"

static struct buf list;

static struct bytes put(enum auth_style style, const char *text)
{
    assert_int_equal(auth_put(&list, style, bytes_of_text(text)), 0);
    return buf_view(&list);
}

static int set_up(void **state)
{
    (void)state;
    buf_init(&list, AUTH_CHANNEL_MAX_BYTES);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_fini(&list);
    return 0;
}

static void test_list_round(void **state)
{
    struct auth_count count;
    struct bytes rest, text;
    enum auth_style style;
    (void)state;
    put(AUTH_INFO, "Welcome");
    put(AUTH_HIDDEN, "Password: ");
    put(AUTH_SHOWN, "");
    rest = put(AUTH_ERROR, "careful");
    assert_true(auth_check(rest, false, &count));
    assert_int_equal(count.texts, 4);
    assert_int_equal(count.asked, 2);
    assert_true(auth_next(&rest, &style, &text) && style == AUTH_INFO);
    assert_true(bytes_equal(text, BYTES_LITERAL("Welcome")));
    assert_true(auth_next(&rest, &style, &text) && style == AUTH_HIDDEN);
    assert_true(auth_next(&rest, &style, &text) && style == AUTH_SHOWN && text.n == 0);
    assert_true(auth_next(&rest, &style, &text) && style == AUTH_ERROR);
    assert_false(auth_next(&rest, &style, &text));
    assert_int_equal(rest.n, 0);
}

static void test_empty_list(void **state)
{
    struct auth_count count = {9, 9};
    (void)state;
    assert_true(auth_check(BYTES_NONE, true, &count));
    assert_int_equal(count.texts, 0);
    assert_true(auth_check(BYTES_NONE, false, &count));
    assert_int_equal(count.asked, 0);
}

static void test_styles(void **state)
{
    struct auth_count count;
    (void)state;
    for (unsigned style = 0; style < 8; style++) {
        const uint8_t raw[] = {(uint8_t)style, 1, 0, 0, 0, 'x'};
        assert_int_equal(auth_check(BYTES_OF(raw), true, &count), style == AUTH_ANSWER);
        assert_int_equal(auth_check(BYTES_OF(raw), false, &count), style >= AUTH_HIDDEN && style <= AUTH_ERROR);
    }
}

static void test_cut_anywhere(void **state)
{
    struct auth_count count = {7, 7};
    (void)state;
    put(AUTH_ANSWER, "one");
    struct bytes whole = put(AUTH_ANSWER, "two");
    for (size_t n = 1; n < whole.n; n++)
        assert_int_equal(auth_check(bytes_head(whole, n), true, &count), n == whole.n / 2);
    assert_true(auth_check(whole, true, &count));
}

static void test_bounds(void **state)
{
    char longest[AUTH_TEXT_MAX_BYTES + 2];
    struct auth_count count;
    (void)state;
    memset(longest, 'x', sizeof longest);
    longest[AUTH_TEXT_MAX_BYTES + 1] = '\0';
    size_t before = buf_size(&list);
    assert_int_equal(auth_put(&list, AUTH_HIDDEN, bytes_of_text(longest)), FAULT_LIMIT);
    assert_int_equal(buf_size(&list), before);
    longest[AUTH_TEXT_MAX_BYTES] = '\0';
    assert_true(auth_check(put(AUTH_HIDDEN, longest), false, &count));
    buf_clear(&list);
    for (int i = 0; i < AUTH_TEXTS_MAX_COUNT; i++)
        put(AUTH_ANSWER, "a");
    assert_true(auth_check(buf_view(&list), true, &count));
    assert_int_equal(count.texts, AUTH_TEXTS_MAX_COUNT);
    assert_false(auth_check(put(AUTH_ANSWER, "a"), true, &count));
    /* a text longer than auth_put() makes, as a process could send it */
    uint8_t raw[5 + AUTH_TEXT_MAX_BYTES + 1] = {AUTH_HIDDEN, 0x00, 0x02};
    memset(raw + 5, 'y', sizeof raw - 5);
    assert_false(auth_check(BYTES_OF(raw), false, &count));
    raw[1] = 0xff, raw[2] = 0x01;
    assert_true(auth_check(bytes_head(BYTES_OF(raw), sizeof raw - 1), false, &count));
}

static void test_no_nul(void **state)
{
    static const uint8_t raw[] = {AUTH_ANSWER, 3, 0, 0, 0, 'a', 0, 'b'};
    struct auth_count count;
    (void)state;
    assert_false(auth_check(BYTES_OF(raw), true, &count));
}

static void test_a_full_list_is_unchanged(void **state)
{
    struct buf small;
    (void)state;
    buf_init(&small, 8);
    assert_int_equal(auth_put(&small, AUTH_ANSWER, BYTES_LITERAL("abcd")), FAULT_LIMIT);
    assert_int_equal(buf_size(&small), 0);
    buf_fini(&small);
    int r = -1;
    EACH_ALLOC_FAILURE({
        buf_init(&small, 64);
        r = auth_put(&small, AUTH_ANSWER, BYTES_LITERAL("abcd"));
        assert_int_equal(buf_size(&small), r == 0 ? 9 : 0);
        buf_fini(&small);
    });
    assert_int_equal(r, 0);
}

static void test_messages(void **state)
{
    struct msg_auth_begin begin = {.uid = 1000, .user = BYTES_LITERAL("alice")};
    struct msg_auth_result result = {.result = AUTH_EXPIRED, .notes = BYTES_NONE};
    struct buf out;
    struct bytes body;
    uint16_t type;
    size_t used;
    (void)state;
    buf_init(&out, 4096);
    assert_int_equal(msg_auth_begin_put(&out, AUTH_BEGIN, &begin), 0);
    assert_int_equal(msg_next(buf_view(&out), &type, &body, &used), 0);
    begin = (struct msg_auth_begin){0};
    assert_int_equal(type, AUTH_BEGIN);
    assert_true(msg_auth_begin_get(body, &begin));
    assert_int_equal(begin.uid, 1000);
    assert_true(bytes_equal(begin.user, BYTES_LITERAL("alice")));
    assert_false(msg_auth_begin_get(bytes_head(body, body.n - 1), &begin));
    assert_false(msg_auth_begin_get(bytes_of(body.p, body.n - 6), &begin));
    buf_clear(&out);
    assert_int_equal(msg_auth_result_put(&out, AUTH_RESULT, &result), 0);
    assert_int_equal(buf_append_text(&out, "x"), 0);
    struct bytes all = buf_view(&out);
    assert_false(msg_auth_result_get(bytes_from(all, MSG_HEAD_BYTES), &result)); /* a byte too many */
    assert_true(msg_auth_result_get(bytes_of(all.p + MSG_HEAD_BYTES, all.n - MSG_HEAD_BYTES - 1), &result));
    assert_int_equal(result.result, AUTH_EXPIRED);
    buf_fini(&out);
}

int main(void)
{
#define WITH_LIST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_LIST(test_list_round),
        WITH_LIST(test_empty_list),
        WITH_LIST(test_styles),
        WITH_LIST(test_cut_anywhere),
        WITH_LIST(test_bounds),
        WITH_LIST(test_no_nul),
        WITH_LIST(test_a_full_list_is_unchanged),
        WITH_LIST(test_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
