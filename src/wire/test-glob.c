/* Tests of glob: what matches, what is no glob and where, and the folder a search begins in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/clock.h"
#include "wire/glob.h"

static bool matches(const char *glob, const char *text)
{
    const char *why = NULL;
    size_t at = 0;
    if (!glob_check(bytes_of_text(glob), &why, &at))
        fail_msg("'%s': byte %zu: %s", glob, at, why);
    assert_null(why);
    return glob_match(bytes_of_text(glob), bytes_of_text(text));
}

struct sample {
    const char *glob, *yes, *no; /* several are separated by '~' */
};

static void try_all(const struct sample *s, const char *texts, bool is_match)
{
    char text[256];
    for (;;) {
        size_t n = strcspn(texts, "~");
        memcpy(text, texts, n);
        text[n] = '\0';
        if (matches(s->glob, text) != is_match)
            fail_msg("'%s' and '%s'", s->glob, text);
        if (texts[n] == '\0')
            return;
        texts += n + 1;
    }
}

static void try_samples(const struct sample *samples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        try_all(&samples[i], samples[i].yes, true);
        try_all(&samples[i], samples[i].no, false);
    }
}

static void wildcards_stay_in_their_component(void **state UNUSED)
{
    static const struct sample samples[] = {
        {"", "", "a~/"},
        {"abc", "abc", "~ab~abcd~ABC"},
        {"*", "~a~abc~.a~\xc3\xa4", "/~a/b"},
        {"a*", "a~ab~abc", "~ba~a/b"},
        {"*c", "c~abc", "~cd~a/c"},
        {"a*b*c", "abc~axbxc~abcbc~abbcc", "ac~ab~axbx~a/b/c"},
        {"*a*b", "ab~xaab~aabab", "aba~b"},
        {"a*/b", "a/b~ax/b", "a/x/b~ab"},
        {"*/*", "/~a/b~a/", "a~a/b/c"},
        {"/a/*/c", "/a/b/c~/a//c", "/a/c~/a/b/b/c"},
        {"?", "a~\xc3\xa4~\xf0\x9f\x98\x80", "~/~ab"},
        {"a?c", "abc~a?c", "ac~a/c~abbc"},
        {"?*", "a~ab", "~/"},
        {"*?", "a~ab", "~/"},
        {"*\xc3\xa4", "\xc3\xa4~x\xc3\xa4", "x"},
    };
    try_samples(samples, COUNT_OF(samples));
}

static void two_stars_cross_components(void **state UNUSED)
{
    static const struct sample samples[] = {
        {"**", "~a~a/b~/a/b/", ""},
        {"/a/**", "/a/b~/a/b/c", "/a~/a/~/ab~/b/a/c"},
        {"**/a", "a~x/a~/x/y/a~/a", "b~xa~a/b~x/ba"},
        {"/a/**/b", "/a/b~/a/x/b~/a/x/y/b~/a/b/b", "/a~/ab~/a/x/yb~/ab/b~/a/b/c"},
        {"**/a/**/b", "a/b~x/a/b~a/x/b~x/a/y/z/b~a/a/b/b", "a~b~b/a~xa/b"},
        {"**/a*b/c", "ab/c~x/ab/c~axb/axb/c~ab/x/axxb/c", "ab~ab/x/c"},
        {"**/*.d/**/x?", "a.d/x1~q/a.d/r/s/x2~.d/xx", "a.d/x~a/x1"},
        {"/r/**/**/p", "/r/p~/r/a/p~/r/a/b/p", "/r~/p"},
        {"**/**", "a~a/b~/a", "~"},
        {"a/**/", "a/~a/b/~a/b/c/", "a~a/b"},
        {"**/b/c", "b/b/c~b/c/b/c~x/b/c", "b/c/b"},
        {"**/*a/b*/c", "a/b/c~xa/bx/c~a/b/a/b/c~a/a/b/c", "a/b/b/c"},
    };
    /* "**" lets nothing out, so there is nothing to list */
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        try_all(&samples[i], samples[i].yes, true);
        if (samples[i].no[0] != '\0')
            try_all(&samples[i], samples[i].no, false);
    }
}

static void classes_and_escapes_take_their_characters(void **state UNUSED)
{
    static const struct sample samples[] = {
        {"[abc]", "a~b~c", "~d~ab~/"},
        {"[a-cx]", "a~b~c~x", "d~-"},
        {"[!a-c]", "d~!~\xc3\xa4", "a~b~c~/~"},
        {"[^a-c]", "d~^", "a~/"},
        {"[a!^]", "a~!~^", "b"},
        {"[-a]", "-~a", "b"},
        {"[a-]", "-~a", "b"},
        {"[!-a]", "b", "-~a"},
        {"[\\]\\[\\-\\\\]", "]~[~-~\\", "a"},
        {"[\xce\xb1-\xcf\x89]x", "\xce\xb2x", "bx"},
        {"*[0-9][0-9]", "a10~10", "1~a1~1a0"},
        {"\\*\\?\\[\\]\\\\", "*?[]\\", "a"},
        {"\\a\\/b", "a/b", "ab"},
        {"a[*?]b", "a*b~a?b", "axb"},
        {"{a,b}", "{a,b}", "a"},
    };
    try_samples(samples, COUNT_OF(samples));
}

static void what_is_no_glob_is_named_and_placed(void **state UNUSED)
{
    static const struct {
        const char *glob;
        size_t at;
        const char *why;
    } bad[] = {
        {"a**", 1, "of its own"},     {"**a", 0, "of its own"},       {"a/b**/c", 3, "of its own"},
        {"a/***", 2, "of its own"},   {"a[", 1, "does not end"},      {"a[b", 1, "does not end"},
        {"a[\\]", 1, "does not end"}, {"a[\\", 1, "does not end"},    {"[]", 0, "is empty"},
        {"[!]", 0, "is empty"},       {"[]a]", 0, "is empty"},        {"a[b/c]", 1, "a slash"},
        {"[b", 0, "does not end"},    {"[c-a]", 0, "wrong order"},    {"[a-c-e]", 0, "- in a class"},
        {"[--a]", 0, "- in a class"}, {"[a--]", 0, "- in a class"},   {"[[a]]", 0, "[ in a class"},
        {"[a-[]", 0, "- in a class"}, {"a]", 1, "needs a backslash"}, {"ab\\", 2, "nothing follows"},
        {"a\xff", 1, "not UTF-8"},    {"[\xff]", 0, "not UTF-8"},     {"[a-\xff]", 0, "not UTF-8"},
        {"\\\xff", 0, "not UTF-8"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const char *why = NULL;
        size_t at = 77;
        assert_false(glob_check(bytes_of_text(bad[i].glob), &why, &at));
        if (at != bad[i].at || strstr(why, bad[i].why) == NULL)
            fail_msg("'%s': byte %zu: %s", bad[i].glob, at, why);
        assert_false(glob_match(bytes_of_text(bad[i].glob), BYTES_LITERAL("zzz")));
    }
}

static void limits_are_exact(void **state UNUSED)
{
    static uint8_t glob[GLOB_MAX_BYTES + 1];
    const char *why;
    size_t at;
    memset(glob, '*', sizeof glob);
    for (size_t i = 1; i < sizeof glob; i += 2)
        glob[i] = 'a';
    assert_true(glob_check(bytes_of(glob, GLOB_MAX_BYTES), &why, &at));
    assert_false(glob_check(bytes_of(glob, GLOB_MAX_BYTES + 1), &why, &at));
    assert_int_equal(at, GLOB_MAX_BYTES);
    assert_false(glob_match(bytes_of(glob, GLOB_MAX_BYTES + 1), BYTES_LITERAL("a")));
}

static void a_text_that_is_not_utf8_never_matches(void **state UNUSED)
{
    assert_false(matches("*", "\xff") || matches("**", "a\xc3") || matches("?", "\xed\xa0\x80"));
    assert_true(glob_match(BYTES_LITERAL("a?b"), bytes_of("a\0b", 3)));
}

/* 512 bytes of glob against a text that nearly matches everywhere: steps go with the product, not with a power. */
static void no_glob_takes_long(void **state UNUSED)
{
    static char glob[GLOB_MAX_BYTES], text[4096];
    for (size_t i = 0; i + 1 < sizeof glob; i += 2)
        memcpy(glob + i, "*a", 2);
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = 'b';
    struct mono_time begin = clock_mono_now();
    assert_false(glob_match(BYTES_OF(glob), BYTES_OF(text)));
    for (size_t i = 0; i + 4 < sizeof glob; i += 5)
        memcpy(glob + i, "**/*a/", 5);
    memcpy(glob + sizeof glob - 2, "/x", 2);
    for (size_t i = 1; i < sizeof text; i += 2)
        text[i] = '/';
    assert_false(glob_match(BYTES_OF(glob), BYTES_OF(text)));
    assert_true(clock_mono_now().us - begin.us < 20 * US_PER_S);
}

static void a_search_begins_in_the_last_plain_folder(void **state UNUSED)
{
    static const char *const bases[][2] = {
        {"/a/b/c*", "/a/b"}, {"/a/b/c", "/a/b"}, {"/a/*/c", "/a"},    {"/a/**", "/a"}, {"/a/b/", "/a/b"},
        {"*", ""},           {"/*", ""},         {"abc", ""},         {"a/b?", "a"},   {"/a/x[bc]/d", "/a"},
        {"/a/\\*/b", "/a"},  {"", ""},           {"/a/b\\c/d", "/a"},
    };
    for (size_t i = 0; i < COUNT_OF(bases); i++)
        assert_true(bytes_equal(glob_base(bytes_of_text(bases[i][0])), bytes_of_text(bases[i][1])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wildcards_stay_in_their_component),
        cmocka_unit_test(two_stars_cross_components),
        cmocka_unit_test(classes_and_escapes_take_their_characters),
        cmocka_unit_test(what_is_no_glob_is_named_and_placed),
        cmocka_unit_test(limits_are_exact),
        cmocka_unit_test(a_text_that_is_not_utf8_never_matches),
        cmocka_unit_test(no_glob_takes_long),
        cmocka_unit_test(a_search_begins_in_the_last_plain_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
