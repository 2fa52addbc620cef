/* Tests of text: every code point through UTF-8, malformed sequences, what is shown and what is escaped, letters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "fail-alloc.h"

/* UTF-8 of a code point, made by the table of RFC 3629 section 3; returns its length. */
static size_t encode(uint32_t cp, uint8_t ret[static 4])
{
    if (cp < 0x80) {
        ret[0] = (uint8_t)cp;
        return 1;
    }
    size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    static const uint8_t lead[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--, cp >>= 6)
        ret[i] = (uint8_t)(0x80 | (cp & 0x3f));
    ret[0] = (uint8_t)(lead[n] | cp);
    return n;
}

static void test_every_code_point(void **state)
{
    uint8_t text[4];
    (void)state;
    for (uint32_t cp = 0; cp < 0x110000; cp++) {
        size_t n = encode(cp, text), used = 99;
        bool is_surrogate = cp >= 0xd800 && cp <= 0xdfff;
        uint32_t got = text_utf8_next(bytes_of(text, n), &used);
        if (got != (is_surrogate ? UINT32_MAX : cp) || used != (is_surrogate ? 1 : n))
            fail_msg("U+%04X read as %X", cp, got);
        if (text_utf8_next(bytes_of(text, n - 1), &used) != UINT32_MAX && n > 1)
            fail_msg("U+%04X cut", cp);
    }
}

static void test_malformed(void **state)
{
    static const char *const bad[] = {
        "\x80", /* a continuation alone */
        "\xbf",
        "\xc0\x80", /* overlong NUL */
        "\xc0\xaf", /* overlong slash */
        "\xc1\xbf",
        "\xe0\x80\xaf",
        "\xe0\x9f\xbf",
        "\xf0\x80\x80\xaf",
        "\xf0\x8f\xbf\xbf",
        "\xed\xa0\x80", /* surrogates */
        "\xed\xbf\xbf",
        "\xed\xa0\x80\xed\xb0\x80",
        "\xf4\x90\x80\x80", /* above U+10FFFF */
        "\xf5\x80\x80\x80",
        "\xf8\x88\x80\x80\x80",
        "\xfc\x84\x80\x80\x80\x80",
        "\xfe",
        "\xff",
        "\xc3", /* cut */
        "\xe2\x82",
        "\xf0\x9f\x98",
        "\xc3(", /* broken off */
        "\xe2\x28\xa1",
        "\xe2\x82(",
        "\xf0\x9f\x98(",
        "\xc3\xc3\xa4",
    };
    size_t used;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct bytes b = bytes_of_text(bad[i]);
        if (text_utf8_next(b, &used) != UINT32_MAX || used != 1 || text_is_utf8(b) || text_is_printable(b))
            fail_msg("accepted case %zu", i);
    }
    assert_int_equal(text_utf8_next(BYTES_NONE, &used), UINT32_MAX);
}

static void test_is_utf8(void **state)
{
    (void)state;
    assert_true(text_is_utf8(BYTES_NONE));
    assert_true(text_is_utf8(bytes_of("a\0b", 3)));
    assert_true(text_is_utf8(BYTES_LITERAL("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80")));
    assert_false(text_is_utf8(BYTES_LITERAL("good until \xff")));
    assert_false(text_is_utf8(BYTES_LITERAL("good until \xe2\x82")));
}

static bool is_shown(uint32_t cp)
{
    uint8_t text[4];
    return text_is_printable(bytes_of(text, encode(cp, text)));
}

static void test_printable(void **state)
{
    static const uint32_t hidden[] = {0,      0x09,    0x0a,    0x1b,    0x1f,    0x7f,     0x80,   0x85,   0x9f,
                                      0xad,   0x61c,   0x200b,  0x200d,  0x200e,  0x200f,   0x2028, 0x2029, 0x202a,
                                      0x202e, 0x2060,  0x2066,  0x2069,  0x206f,  0xfeff,   0xfff9, 0xfffb, 0xfffe,
                                      0xffff, 0xe0001, 0xe007f, 0xe0fff, 0x1fffe, 0x10ffff, 0xd800};
    static const uint32_t shown[] = {' ',    '~',    0xa0,   0xe4,    0x300,   0x61b,   0x61d,   0x200a,
                                     0x2010, 0x2027, 0x202f, 0x205f,  0x2070,  0x20ac,  0x4e00,  0xfefe,
                                     0xfff8, 0xfffc, 0xfffd, 0x10000, 0x1f600, 0xdfffd, 0xe1000, 0x10fffd};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(hidden); i++) {
        if (is_shown(hidden[i]))
            fail_msg("U+%04X is shown", hidden[i]);
    }
    for (size_t i = 0; i < COUNT_OF(shown); i++) {
        if (!is_shown(shown[i]))
            fail_msg("U+%04X is not shown", shown[i]);
    }
    assert_true(text_is_printable(BYTES_NONE));
    assert_true(text_is_printable(BYTES_LITERAL("a b \xe2\x82\xac")));
    assert_false(text_is_printable(BYTES_LITERAL("a\x1b[31mb")));
}

/* Letters of Unicode 14.0.0 from U+0080 on that NFC and NFKC leave alone: their number, and a sum over them in order.
 */
static void test_all_letters(void **state)
{
    uint32_t count = 0, sum = 0;
    (void)state;
    for (uint32_t cp = 0; cp < 0x110000; cp++) {
        if (!text_is_letter(cp))
            continue;
        count++;
        sum = sum * 31 + cp;
    }
    assert_int_equal(count, 128016);
    assert_int_equal(sum, UINT32_C(0x1a92c449));
    assert_false(text_is_letter(UINT32_MAX));
    assert_false(text_is_letter(0x110000));
}

static void test_letters(void **state)
{
    static const uint32_t letters[] = {0xc0,  0xe4,  0xdf,   0x3b1,  0x431,  0x5d0,
                                       0x627, 0xe01, 0x4e00, 0xac00, 0xd7a3, 0x10000};
    static const uint32_t others[] = {
        'A',     '1',     0xaa,   0xb5,   0xd7, 0xf7, /* no letters, or NFKC makes others of them */
        0x132,                                        /* ligature IJ */
        0x300,                                        /* a combining accent */
        0x212a,                                       /* Kelvin sign: NFC makes it K */
        0x2126,                                       /* Ohm sign */
        0xfb01,                                       /* ligature fi */
        0xff21,                                       /* full-width A */
        0x1d400,                                      /* mathematical bold A */
        0x20ac,  0x1f600, 0xe000, 0xd800,
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(letters); i++)
        assert_true(text_is_letter(letters[i]));
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_false(text_is_letter(others[i]));
}

static void test_escape(void **state)
{
    static const struct {
        const char *in;
        size_t n;
        const char *out;
    } cases[] = {
        {"", 0, ""},
        {"plain", 5, "plain"},
        {"gr\xc3\xbc\xc3\x9f", 6, "gr\xc3\xbc\xc3\x9f"},
        {"a\\b", 3, "a\\\\b"},
        {"a\nb\x1b[0m", 7, "a\\x0ab\\x1b[0m"},
        {"\0", 1, "\\x00"},
        {"\xff\xc3", 2, "\\xff\\xc3"},
        {"\xe2\x80\xae"
         "x",
         4, "\\xe2\\x80\\xaex"}, /* right-to-left override */
        {"\xc3\xff\xc3\xa4", 4, "\\xc3\\xff\xc3\xa4"},
        {"\\x41", 4, "\\\\x41"}, /* what looks escaped is told apart */
    };
    struct buf b;
    (void)state;
    buf_init(&b, 100);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(text_escape(&b, bytes_of(cases[i].in, cases[i].n)), 0);
        assert_true(bytes_equal(buf_view(&b), bytes_of_text(cases[i].out)));
        assert_true(text_is_printable(buf_view(&b)));
        buf_clear(&b);
    }
    buf_fini(&b);
}

static void test_escape_without_room(void **state)
{
    static const char *const cases[] = {"abcdefgh", "abc\n", "abcd\\", "\n\n"};
    struct buf b;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buf_init(&b, 7);
        assert_int_equal(buf_append_text(&b, "xy"), 0);
        assert_int_equal(text_escape(&b, bytes_of_text(cases[i])), FAULT_LIMIT);
        assert_true(bytes_equal(buf_view(&b), BYTES_LITERAL("xy"))); /* as before */
        buf_fini(&b);
    }
    fail_alloc_after(0);
    assert_int_equal(text_escape(&b, BYTES_LITERAL("x")), -ENOMEM);
    assert_true(fail_alloc_off());
}

static void test_copy(void **state)
{
    char text[4];
    (void)state;
    assert_true(text_copy(text, sizeof text, BYTES_LITERAL("abc")));
    assert_string_equal(text, "abc");
    assert_false(text_copy(text, sizeof text, BYTES_LITERAL("abcd")));
    assert_string_equal(text, "");
    assert_true(text_copy(text, sizeof text, BYTES_LITERAL("ab")));
    assert_false(text_copy(text, sizeof text, bytes_of("a\0b", 3)));
    assert_string_equal(text, "");
    assert_true(text_copy(text, 1, BYTES_NONE));
    assert_string_equal(text, "");
    assert_false(text_copy(text, 1, BYTES_LITERAL("a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_is_utf8),
        cmocka_unit_test(test_printable),
        cmocka_unit_test(test_all_letters),
        cmocka_unit_test(test_letters),
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_escape_without_room),
        cmocka_unit_test(test_copy),
    };
    return cmocka_run_group_tests_name("base/text", tests, NULL, NULL);
}
