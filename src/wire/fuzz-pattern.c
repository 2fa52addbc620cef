/*
 * Fuzz target of pattern: the first line is a pattern, the rest a text. Whatever the pattern is, its program is sound;
 * and patterns that mean the same (in a group, twice as branches, repeated once, in front of nothing) answer the same.
 */
#include <string.h>

#include "base/text.h"
#include "wire/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_program(const struct pattern *p)
{
    assert(p->steps_count > 0 && p->steps_count <= PATTERN_STEPS_MAX_COUNT);
    assert(p->ranges_count <= PATTERN_RANGES_MAX_COUNT);
    for (int i = 0; i < p->steps_count; i++) {
        const struct pattern_step *s = &p->steps[i];
        bool is_last = i == p->steps_count - 1;
        assert(is_last == (s->op == PATTERN_DONE));
        if (s->op == PATTERN_SPLIT || s->op == PATTERN_JUMP)
            assert(i + s->to >= 0 && i + s->to < p->steps_count && s->to != 0);
        if (s->op != PATTERN_CLASS && s->op != PATTERN_NOT_CLASS)
            continue;
        size_t first = s->arg, end = first + (size_t)s->to;
        assert(s->to > 0 && end <= p->ranges_count);
        for (size_t k = first; k < end; k++) {
            assert(p->ranges[k].first <= p->ranges[k].last && p->ranges[k].last <= 0x10ffff);
            assert(k == first || p->ranges[k].first > p->ranges[k - 1].last + 1);
        }
    }
}

/* The pattern with `%` in the frame replaced by what stands between its anchors; 0 if that is too long. */
static size_t frame_pattern(const char *frame, struct bytes pattern, uint8_t out[static PATTERN_MAX_BYTES])
{
    size_t n = 0;
    for (; *frame != '\0'; frame++) {
        struct bytes add = *frame == '%' ? pattern : bytes_of(frame, 1);
        if (add.n > PATTERN_MAX_BYTES - n)
            return 0;
        if (add.n > 0)
            memcpy(out + n, add.p, add.n);
        n += add.n;
    }
    return n;
}

static void check_frames(struct bytes pattern, struct bytes text, bool is_match)
{
    static const char *const same[] = {"(%)", "(%|%)", "(?:%){1}", "()*(%)", "(%)(|){0,3}", "((%)){1,1}()", "^(%)$"};
    static struct pattern p;
    uint8_t framed[PATTERN_MAX_BYTES];
    const char *why;
    size_t at;
    if (bytes_starts(pattern, BYTES_LITERAL("^")))
        pattern = bytes_from(pattern, 1);
    if (pattern.n > 0 && pattern.p[pattern.n - 1] == '$' && (pattern.n < 2 || pattern.p[pattern.n - 2] != '\\'))
        pattern.n--;
    for (size_t i = 0; i < COUNT_OF(same); i++) {
        size_t n = frame_pattern(same[i], pattern, framed);
        /* too large or too deep is possible, and nothing else is */
        if (n > 0 && pattern_compile(bytes_of(framed, n), &p, &why, &at))
            assert(pattern_match(&p, text) == is_match);
        else if (n > 0)
            assert(strstr(why, "too ") != NULL || strstr(why, "needs a backslash") != NULL);
    }
    size_t n = frame_pattern("(%)?", pattern, framed);
    if (n > 0 && pattern_compile(bytes_of(framed, n), &p, &why, &at))
        assert(pattern_match(&p, text) == (is_match || text.n == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pattern p;
    struct bytes in = bytes_of(data, size);
    struct bytes pattern = bytes_head(in, bytes_find(in, '\n')), text = bytes_from(in, pattern.n + 1);
    const char *why;
    size_t at = 0;
    if (!pattern_compile(pattern, &p, &why, &at)) {
        assert(why != NULL && at <= pattern.n && strlen(why) > 0);
        return 0;
    }
    assert(why == NULL && text_is_utf8(pattern));
    check_program(&p);
    bool is_match = pattern_match(&p, text);
    assert(!is_match || (text_is_utf8(text) && text.n <= PATTERN_VALUE_MAX_BYTES));
    if (size < 300)
        check_frames(pattern, text, is_match);
    return 0;
}
