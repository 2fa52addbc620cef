/*
 * Fuzz target of glob: the first line is a glob, the rest a text. The oracle keeps every way through the glob at once,
 * as glob_match() must not need to; it takes '**' as it is documented, by components.
 */
#include <string.h>

#include "base/text.h"
#include "wire/glob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t char_at(struct bytes b, size_t *at)
{
    size_t used;
    if (b.p[*at] == '\\')
        ++*at;
    uint32_t cp = text_utf8_next(bytes_from(b, *at), &used);
    *at += used;
    return cp;
}

/* The class that begins at `*at`, which is left behind it. */
static bool in_class(struct bytes g, size_t *at, uint32_t cp)
{
    bool is_in = false, is_negated = g.p[*at + 1] == '!' || g.p[*at + 1] == '^';
    *at += is_negated ? 2 : 1;
    while (g.p[*at] != ']') {
        uint32_t first = char_at(g, at), last = first;
        if (g.p[*at] == '-' && g.p[*at + 1] != ']') {
            ++*at;
            last = char_at(g, at);
        }
        is_in |= first <= cp && cp <= last;
    }
    ++*at;
    return cp != '/' && is_in != is_negated;
}

enum { PLACES = GLOB_MAX_BYTES + 1 };

/* Marks what can be reached from the marked places without taking a character; `is_begin`: of a component. */
static void reach(struct bytes g, bool *places, bool is_begin)
{
    for (size_t at = 0; at < g.n; at++) {
        if (!places[at] || g.p[at] != '*')
            continue;
        bool is_deep = at + 1 < g.n && g.p[at + 1] == '*';
        if (!is_deep)
            places[at + 1] = true;
        else if (at + 2 < g.n && is_begin)
            places[at + 3] = true;
        else if (at == 0 && g.n == 2)
            places[2] = true;
    }
}

static void take(struct bytes g, const bool *places, bool *next, uint32_t cp)
{
    for (size_t at = 0; at < g.n; at++) {
        size_t then = at;
        if (!places[at])
            continue;
        bool is_deep = g.p[at] == '*' && at + 1 < g.n && g.p[at + 1] == '*';
        if (is_deep) {
            next[at] = true;
            if (at + 2 == g.n)
                next[at + 2] = true;
        } else if (g.p[at] == '*') {
            next[at] |= cp != '/';
        } else if (g.p[at] == '?') {
            next[at + 1] |= cp != '/';
        } else if (g.p[at] == '[') {
            bool is_in = in_class(g, &then, cp);
            next[then] |= is_in;
        } else {
            bool is_same = char_at(g, &then) == cp;
            next[then] |= is_same;
        }
    }
}

static bool oracle(struct bytes g, struct bytes text)
{
    bool places[PLACES] = {true}, next[PLACES];
    size_t used;
    reach(g, places, true);
    for (size_t at = 0; at < text.n; at += used) {
        uint32_t cp = text_utf8_next(bytes_from(text, at), &used);
        memset(next, 0, sizeof next);
        take(g, places, next, cp);
        memcpy(places, next, sizeof places);
        reach(g, places, cp == '/');
    }
    return places[g.n];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    struct bytes glob = bytes_head(in, bytes_find(in, '\n')), text = bytes_from(in, glob.n + 1);
    const char *why;
    size_t at;
    if (!glob_check(glob, &why, &at)) {
        assert(why != NULL && at <= glob.n);
        bool is_match = glob_match(glob, text); /* of no use, but must not harm */
        assert(!is_match || glob.n <= GLOB_MAX_BYTES);
        return 0;
    }
    assert(why == NULL && text_is_utf8(glob));
    bool is_match = glob_match(glob, text);
    if (!text_is_utf8(text)) {
        assert(!is_match);
        return 0;
    }
    assert(is_match == oracle(glob, text));
    struct bytes base = glob_base(glob);
    assert(bytes_starts(glob, base));
    if (is_match)
        assert(bytes_starts(text, base));
    return 0;
}
