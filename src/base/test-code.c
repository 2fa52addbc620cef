/* Tests of code: the vectors of RFC 4648, one text for one value, every byte and every digit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/code.h"
#include "fail-alloc.h"

static const struct {
    const char *plain, *base64, *hex; /* RFC 4648 section 10 */
} vectors[] = {
    {"", "", ""},
    {"f", "Zg==", "66"},
    {"fo", "Zm8=", "666f"},
    {"foo", "Zm9v", "666f6f"},
    {"foob", "Zm9vYg==", "666f6f62"},
    {"fooba", "Zm9vYmE=", "666f6f6261"},
    {"foobar", "Zm9vYmFy", "666f6f626172"},
};

static void assert_text(const struct buf *b, const char *text)
{
    assert_true(bytes_equal(buf_view(b), bytes_of_text(text)));
}

static void test_rfc4648(void **state)
{
    struct buf b;
    uint8_t plain[8];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        size_t n = strlen(vectors[i].plain);
        buf_init(&b, 100);
        assert_int_equal(code_base64(&b, bytes_of_text(vectors[i].plain)), 0);
        assert_text(&b, vectors[i].base64);
        buf_clear(&b);
        assert_int_equal(code_unbase64(&b, bytes_of_text(vectors[i].base64)), 0);
        assert_text(&b, vectors[i].plain);
        buf_clear(&b);
        assert_int_equal(code_hex(&b, bytes_of_text(vectors[i].plain)), 0);
        assert_text(&b, vectors[i].hex);
        assert_true(code_unhex(bytes_of_text(vectors[i].hex), plain, n));
        assert_memory_equal(plain, vectors[i].plain, n);
        buf_fini(&b);
    }
}

static void test_appends(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 100);
    assert_int_equal(code_hex(&b, BYTES_LITERAL("\x01\xff")), 0);
    assert_int_equal(code_base64(&b, BYTES_LITERAL("\xfb\xff\xbf")), 0);
    assert_int_equal(code_unbase64(&b, BYTES_LITERAL("IQ==")), 0);
    assert_text(&b, "01ff+/+/!");
    buf_fini(&b);
}

static void test_every_byte(void **state)
{
    uint8_t all[256], back[256];
    char text[513];
    struct buf b, c;
    (void)state;
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (uint8_t)i;
    char number[CODE_NUMBER_BYTES];
    code_number_text(UINT64_C(0x0123456789abcdef), number);
    assert_string_equal(number, "0123456789abcdef");
    code_hex_text(BYTES_OF(all), text);
    assert_int_equal(strlen(text), 512);
    for (unsigned i = 0; i < 256; i++) {
        static const char digits[] = "0123456789abcdef";
        assert_int_equal(text[2 * i], digits[i >> 4]);
        assert_int_equal(text[2 * i + 1], digits[i & 15]);
    }
    assert_true(code_unhex(bytes_of_text(text), back, sizeof back));
    assert_memory_equal(back, all, sizeof all);
    assert_true(code_unhex(BYTES_LITERAL("AaBbCcDdEeFf"), back, 6)); /* either case */
    assert_memory_equal(back, "\xaa\xbb\xcc\xdd\xee\xff", 6);
    buf_init(&b, 1000);
    buf_init(&c, 1000);
    for (size_t n = 0; n <= sizeof all; n++) {
        assert_int_equal(code_base64(&b, bytes_of(all, n)), 0);
        assert_int_equal(buf_size(&b), (n + 2) / 3 * 4);
        assert_int_equal(code_unbase64(&c, buf_view(&b)), 0);
        assert_true(bytes_equal(buf_view(&c), bytes_of(all, n)));
        buf_clear(&b);
        buf_clear(&c);
    }
    buf_fini(&b);
    buf_fini(&c);
}

/* Each of the 256 bytes in the place of a digit: exactly the alphabet is read, each digit as its value. */
static void test_every_digit(void **state)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct buf b;
    (void)state;
    buf_init(&b, 10);
    for (int c = 0; c < 256; c++) {
        uint8_t group[4] = {'A', 'A', 'A', (uint8_t)c}, one;
        const char *place = c != 0 ? strchr(alphabet, c) : NULL;
        int r = code_unbase64(&b, BYTES_OF(group));
        if (place != NULL)
            assert_int_equal(buf_view(&b).p[2], place - alphabet);
        else if (c != '=')
            assert_int_equal(r, CODE_BAD);
        buf_clear(&b);
        group[3] = (uint8_t)c;
        bool is_hex = c != 0 && strchr("0123456789abcdefABCDEF", c) != NULL;
        group[2] = '0';
        assert_int_equal(code_unhex(bytes_of(group + 2, 2), &one, 1), is_hex);
        group[2] = (uint8_t)c;
        group[3] = '0';
        assert_int_equal(code_unhex(bytes_of(group + 2, 2), &one, 1), is_hex);
    }
    buf_fini(&b);
}

static void test_refused(void **state)
{
    static const char *const bad[] = {
        "Z",    "Zg",     "Zg=",       "Zm9vY",    "Zm9v=",    "=",        "==",   "====",
        "A===", "=AAA",   "A=AA",      "AA=A",     "Zg==Zg==", "Zm8=Zm8=", "Zh==", "Zm9=",
        "Z/==", "Zm9v\n", "Zm9vYg=\n", "Zm 9v===", "Zm-_",     "Zm9v====", " Zm9", "\xff\xff\xff\xff",
    };
    struct buf b;
    uint8_t out[4];
    (void)state;
    buf_init(&b, 100);
    assert_int_equal(buf_append_text(&b, "before"), 0);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (code_unbase64(&b, bytes_of_text(bad[i])) != CODE_BAD)
            fail_msg("accepted: %s", bad[i]);
        assert_text(&b, "before");
    }
    assert_false(code_unhex(BYTES_LITERAL("0"), out, 1));
    assert_false(code_unhex(BYTES_LITERAL("000"), out, 1));
    assert_false(code_unhex(BYTES_LITERAL(""), out, 1));
    assert_false(code_unhex(BYTES_LITERAL("00"), out, 2));
    assert_true(code_unhex(BYTES_LITERAL(""), out, 0));
    buf_fini(&b);
}

/* Text that fits exactly is not refused, one byte less is. */
static void test_exact_room(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 6);
    assert_int_equal(code_hex(&b, BYTES_LITERAL("abc")), 0);
    buf_clear(&b);
    assert_int_equal(code_hex(&b, BYTES_LITERAL("abcd")), FAULT_LIMIT);
    assert_int_equal(code_base64(&b, BYTES_LITERAL("abcd")), FAULT_LIMIT);
    assert_int_equal(code_base64(&b, BYTES_LITERAL("abc")), 0);
    buf_fini(&b);
    buf_init(&b, 4);
    assert_int_equal(code_unbase64(&b, BYTES_LITERAL("Zm9vYg==")), 0);
    assert_text(&b, "foob");
    buf_clear(&b);
    assert_int_equal(code_unbase64(&b, BYTES_LITERAL("Zm9vYmE=")), FAULT_LIMIT);
    assert_int_equal(buf_size(&b), 0);
    buf_fini(&b);
}

static void test_absurd_lengths(void **state)
{
    struct buf b;
    struct bytes huge = {(const uint8_t *)"", SIZE_MAX / 2 + 1}; /* never read: the length alone is refused */
    (void)state;
    buf_init(&b, SIZE_MAX);
    assert_int_equal(code_hex(&b, huge), FAULT_LIMIT);
    assert_int_equal(code_base64(&b, huge), FAULT_LIMIT);
    buf_fini(&b);
}

static void test_without_memory(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 100);
    fail_alloc_after(0);
    assert_int_equal(code_hex(&b, BYTES_LITERAL("x")), -ENOMEM);
    assert_int_equal(code_base64(&b, BYTES_LITERAL("x")), -ENOMEM);
    assert_int_equal(code_unbase64(&b, BYTES_LITERAL("Zm9v")), -ENOMEM);
    assert_true(fail_alloc_off());
    assert_int_equal(buf_size(&b), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc4648),        cmocka_unit_test(test_appends),        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_every_digit),    cmocka_unit_test(test_refused),        cmocka_unit_test(test_exact_room),
        cmocka_unit_test(test_absurd_lengths), cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests_name("base/code", tests, NULL, NULL);
}
