/* Tests of pattern: what matches, what is no pattern and where, and that no pattern takes long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "wire/pattern.h"

static struct pattern p;

static void compile(const char *text)
{
    const char *why = NULL;
    size_t at = 0;
    bool is_good = pattern_compile(bytes_of_text(text), &p, &why, &at);
    if (!is_good)
        print_message("%s: byte %zu: %s\n", text, at, why);
    assert_true(is_good);
    assert_null(why);
}

static bool matches(const char *pattern, const char *text)
{
    compile(pattern);
    return pattern_match(&p, bytes_of_text(text));
}

struct sample {
    const char *pattern, *yes, *no; /* several are separated by '~' */
};

static void try_all(const struct sample *s, const char *texts, bool is_match)
{
    for (;;) {
        size_t n = strcspn(texts, "~");
        if (pattern_match(&p, bytes_of(texts, n)) != is_match)
            fail_msg("'%s' and '%.*s'", s->pattern, (int)n, texts);
        if (texts[n] == '\0')
            return;
        texts += n + 1;
    }
}

static void the_whole_value_matches_or_nothing(void **state UNUSED)
{
    static const struct sample samples[] = {
        {"abc", "abc", "~ab~abcd~xabc~ABC"},
        {"", "", "a"},
        {"a|b|cd", "a~b~cd", "~c~d~ab~acd"},
        {"a|", "a~", "b~aa"},
        {"(|a)b", "b~ab", "a~aab"},
        {"a*", "~a~aaaa", "b~ab~ba"},
        {"a+", "a~aa", "~b~ab"},
        {"a?b", "b~ab", "~a~aab"},
        {"(ab)*c", "c~abc~ababc", "ac~abac~ab"},
        {"(a|b)+c?", "a~b~abbac", "~c~cc"},
        {"((a*)*)*b", "b~aaab", "~aaa"},
        {"(a*|b)*c", "c~aabac", "aab"},
        {"(a|b|c|d)(e|f)", "ae~df", "a~e~aef"},
        {"()*a()", "a", "~aa"},
        {"a{3}", "aaa", "~a~aa~aaaa"},
        {"a{0}b", "b", "ab"},
        {"a{2,}", "aa~aaaaa", "~a"},
        {"a{0,}", "~a~aa", "b"},
        {"a{1,3}", "a~aa~aaa", "~aaaa"},
        {"a{0,2}b", "b~ab~aab", "aaab"},
        {"(ab|c){2,3}", "abc~cc~ababab~cabc", "c~ab~cccc"},
        {"(a{1,2}){2}", "aa~aaa~aaaa", "a~aaaaa"},
        {"(x(yz)?){0,2}", "~x~xyz~xyzx", "yz~xxx"},
        {"^ab$", "ab", "a~xab~^ab$"},
        {"^a|b$", "a~b", "ab"},
        {"(?:ab)+", "abab", "~?:ab"},
    };
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        compile(samples[i].pattern);
        try_all(&samples[i], samples[i].yes, true);
        try_all(&samples[i], samples[i].no, false);
    }
}

static void classes_and_escapes_take_their_characters(void **state UNUSED)
{
    static const struct sample samples[] = {
        {".", "a~\xc3\xa4~ ~\t", "~\n~ab"},
        {"[abc]", "a~b~c", "~d~ab~["},
        {"[a-cx-z]", "a~b~c~x~z", "d~w~-"},
        {"[^a-c]", "d~^~\n~\xf0\x9f\x98\x80", "a~b~c~"},
        {"[a^]", "a~^", "b"},
        {"[-a]", "-~a", "b"},
        {"[a-]", "-~a", "b"},
        {"[^-a]", "b", "-~a"},
        {"[\\]\\[\\\\\\^\\-]", "]~[~\\~^~-", "a"},
        {"[b-da-c]", "a~b~c~d", "e~`"},
        {"\\d", "0~9", "a~\xd9\xa3"},
        {"\\D", "a~\xd9\xa3~\n", "0~9~"},
        {"\\w", "a~Z~0~_", "-~\xc3\xa4"},
        {"\\W", "-~\xc3\xa4", "a~Z~0~_"},
        {"\\s", " ~\t~\n~\r~\x0b~\x0c", "a~\xc2\xa0"},
        {"\\S", "a~\xc2\xa0", " ~\n"},
        {"[\\d.]+", "1.2~...", "a"},
        {"[^\\d\\s]", "a", "1~ "},
        {"[\\Da]", "a~b", "1"},
        {"[\\D\\d]", "a~1~\n", ""},
        {"\\.\\*\\+\\?\\(\\)\\[\\]\\{\\}\\|\\^\\$\\\\", ".*+?()[]{}|^$\\", "a"},
        {"\\-\\/\\ ", "-/ ", "a"},
        {"\\t\\n\\r", "\t\n\r", "tnr"},
        {"\\x41\\xe4", "A\xc3\xa4", "A\xe4~x41"},
        {"\\u{41}\\u{1F600}", "A\xf0\x9f\x98\x80", "u{41}"},
        {"[\\x41-\\u{43}]", "A~B~C", "D~x"},
        {"\xc3\xa4+", "\xc3\xa4\xc3\xa4", "\xc3\xa4\xa4~\xc3"},
        {"[\xce\xb1-\xcf\x89]*", "\xce\xb2\xce\xb3", "b"},
    };
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        compile(samples[i].pattern);
        try_all(&samples[i], samples[i].yes, true);
        try_all(&samples[i], samples[i].no, false);
    }
}

static void what_is_no_pattern_is_named_and_placed(void **state UNUSED)
{
    static const struct {
        const char *pattern;
        size_t at;
        const char *why;
    } bad[] = {
        {"*a", 0, "follows nothing"},
        {"a|*", 2, "follows nothing"},
        {"(+a)", 1, "follows nothing"},
        {"a**", 2, "follows nothing"},
        {"a*?", 2, "follows nothing"},
        {"a{2}{3}", 4, "follows nothing"},
        {"^*", 1, "follows nothing"},
        {"(?=a)", 1, "follows nothing"},
        {"(?i)a", 1, "follows nothing"},
        {"ab(c", 2, "has no )"},
        {"ab)c", 2, "has no ("},
        {"a]", 1, "needs a backslash"},
        {"a}", 1, "needs a backslash"},
        {"a^b", 1, "^ stands"},
        {"(^a)", 1, "^ stands"},
        {"a$b", 1, "$ stands"},
        {"(a$)", 2, "$ stands"},
        {"a{", 1, "{ begins"},
        {"a{}", 1, "{ begins"},
        {"a{b}", 1, "{ begins"},
        {"a{,3}", 1, "{ begins"},
        {"a{01}", 1, "{ begins"},
        {"a{1,2,3}", 1, "{ begins"},
        {"a{-1}", 1, "{ begins"},
        {"a{3,2}", 1, "wrong order"},
        {"a{1001}", 1, "at most 1000"},
        {"a{0,1001}", 1, "at most 1000"},
        {"a{99999999999999999999}", 1, "{ begins"},
        {"a{1000}", 1, "too large"},
        {"(a{100}){100}", 8, "too large"},
        {"x[", 1, "does not end"},
        {"x[a", 1, "does not end"},
        {"x[a-", 1, "does not end"},
        {"x[\\]", 1, "does not end"},
        {"x[]", 1, "is empty"},
        {"x[^]", 1, "is empty"},
        {"x[c-a]", 2, "wrong order"},
        {"x[a-\\d]", 2, "single characters"},
        {"x[\\d-z]", 2, "single characters"},
        {"x[a-c-e]", 5, "- in a class"},
        {"x[--a]", 2, "- in a class"},
        {"x[a--]", 2, "- in a class"},
        {"x[[:alpha:]]", 2, "[ in a class"},
        {"x\\", 1, "nothing follows"},
        {"x\\b", 1, "no such escape"},
        {"x\\1", 1, "no such escape"},
        {"(a)\\1", 3, "no such escape"},
        {"x\\\xc3\xa4", 1, "no such escape"},
        {"x\\x4", 1, "hexadecimal"},
        {"x\\xg0", 1, "hexadecimal"},
        {"x\\u41", 1, "hexadecimal"},
        {"x\\u{}", 1, "hexadecimal"},
        {"x\\u{41", 1, "hexadecimal"},
        {"x\\u{0000041}", 1, "hexadecimal"},
        {"x\\u{110000}", 1, "no such code point"},
        {"[\\u{d800}]", 1, "no such code point"},
        {"ab\xff", 2, "not UTF-8"},
        {"a[\xc3]", 2, "not UTF-8"},
        {"a\\x\xff\xff", 1, "hexadecimal"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const char *why = NULL;
        size_t at = 77;
        assert_false(pattern_compile(bytes_of_text(bad[i].pattern), &p, &why, &at));
        if (at != bad[i].at || strstr(why, bad[i].why) == NULL)
            fail_msg("'%s': byte %zu: %s", bad[i].pattern, at, why);
    }
}

/* "open" count times, "mid", "close" count times */
static struct bytes nest(char *out, const char *open, const char *mid, const char *close, size_t count)
{
    out[0] = '\0';
    for (size_t i = 0; i < count; i++)
        strcat(out, open);
    strcat(out, mid);
    for (size_t i = 0; i < count; i++)
        strcat(out, close);
    return bytes_of_text(out);
}

static void limits_are_exact(void **state UNUSED)
{
    static char text[8 * PATTERN_VALUE_MAX_BYTES];
    const char *why;
    size_t at;
    assert_true(pattern_compile(nest(text, "(", "a", ")", PATTERN_DEPTH_MAX_COUNT), &p, &why, &at));
    assert_false(pattern_compile(nest(text, "(", "a", ")", PATTERN_DEPTH_MAX_COUNT + 1), &p, &why, &at));
    assert_int_equal(at, PATTERN_DEPTH_MAX_COUNT);
    assert_true(pattern_compile(nest(text, "a", "", "", PATTERN_STEPS_MAX_COUNT - 1), &p, &why, &at));
    assert_int_equal(p.steps_count, PATTERN_STEPS_MAX_COUNT);
    assert_false(pattern_compile(nest(text, "a", "", "", PATTERN_STEPS_MAX_COUNT), &p, &why, &at));
    assert_int_equal(at, PATTERN_STEPS_MAX_COUNT - 1);
    assert_true(matches("a{511}", nest(text, "a", "", "", 511).n > 0 ? text : ""));
    assert_true(matches("a{0,255}", ""));
    assert_false(pattern_compile(BYTES_LITERAL("a{0,256}"), &p, &why, &at));
    assert_true(matches("(a|b){100}", nest(text, "a", "", "", 100).n > 0 ? text : ""));
    assert_true(pattern_compile(nest(text, "\\d", "", "", PATTERN_RANGES_MAX_COUNT), &p, &why, &at));
    assert_false(pattern_compile(nest(text, "\\d", "", "", PATTERN_RANGES_MAX_COUNT + 1), &p, &why, &at));
    assert_non_null(strstr(why, "too large"));
    assert_true(pattern_compile(nest(text, "()", "", "", PATTERN_MAX_BYTES / 2), &p, &why, &at));
    assert_false(pattern_compile(nest(text, "()", "a", "", PATTERN_MAX_BYTES / 2), &p, &why, &at));
    assert_int_equal(at, PATTERN_MAX_BYTES);
    compile("a*");
    assert_true(pattern_match(&p, nest(text, "a", "", "", PATTERN_VALUE_MAX_BYTES)));
    assert_false(pattern_match(&p, nest(text, "a", "", "", PATTERN_VALUE_MAX_BYTES + 1)));
}

static void a_class_of_many_ranges_is_searched_right(void **state UNUSED)
{
    char text[PATTERN_MAX_BYTES] = "[";
    /* every other character from '!' on, in descending order, so that all must be sorted and none joined */
    for (int c = '}'; c > ' '; c -= 2)
        snprintf(text + strlen(text), 6, "\\x%02hhx", (uint8_t)c);
    strcat(text, "]");
    compile(text);
    assert_int_equal(p.ranges_count, 47);
    for (int c = ' '; c < 0x7f; c++) {
        uint8_t one = (uint8_t)c;
        assert_int_equal(pattern_match(&p, bytes_of(&one, 1)), c % 2 == 1);
    }
    compile("[a-cd-fb-e0-9]"); /* these touch and overlap */
    assert_int_equal(p.ranges_count, 2);
}

static void a_text_that_is_not_utf8_never_matches(void **state UNUSED)
{
    static const char *const texts[] = {"\xff", "a\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80"};
    compile("(.|\\s)*[\\s\\S]*");
    assert_true(pattern_match(&p, BYTES_LITERAL("a\xc3\xa4")));
    assert_true(pattern_match(&p, bytes_of("a\0b", 3)));
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_false(pattern_match(&p, bytes_of_text(texts[i])));
}

/* What makes a matcher that backtracks run for hours; the time is a thousand times what is needed. */
static void no_pattern_takes_long(void **state UNUSED)
{
    static const char *const evil[] = {"(a*)*b",
                                       "((a*)*)*b",
                                       "(a|a)*b",
                                       "(a|aa)+b",
                                       "(a?){250}b",
                                       "(.*a){20}b",
                                       "(a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|a)*b",
                                       "([a-z]*[a-z]*)*0"};
    static char text[PATTERN_VALUE_MAX_BYTES];
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < COUNT_OF(evil); i++) {
        compile(evil[i]);
        struct mono_time begin = clock_mono_now();
        assert_false(pattern_match(&p, BYTES_OF(text)));
        assert_true(clock_mono_now().us - begin.us < 10 * US_PER_S);
    }
}

static void a_program_may_be_used_again_and_copied(void **state UNUSED)
{
    struct pattern copy;
    compile("(ab|cd)+[x-z]");
    copy = p;
    compile("other");
    for (int i = 0; i < 3; i++) {
        assert_true(pattern_match(&copy, BYTES_LITERAL("abcdz")));
        assert_false(pattern_match(&copy, BYTES_LITERAL("other")));
        assert_true(pattern_match(&p, BYTES_LITERAL("other")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_value_matches_or_nothing),
        cmocka_unit_test(classes_and_escapes_take_their_characters),
        cmocka_unit_test(what_is_no_pattern_is_named_and_placed),
        cmocka_unit_test(limits_are_exact),
        cmocka_unit_test(a_class_of_many_ranges_is_searched_right),
        cmocka_unit_test(a_text_that_is_not_utf8_never_matches),
        cmocka_unit_test(no_pattern_takes_long),
        cmocka_unit_test(a_program_may_be_used_again_and_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
