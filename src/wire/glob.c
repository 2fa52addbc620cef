/*
 * glob - see glob.h. Two places to come back to are enough: behind the last '*' of a component, and behind the last
 * '**'. What an earlier one could take away from the text, the later one can as well: if the part between two of them
 * fits at several places, the first of these leaves the most to the second.
 */
#include "wire/glob.h"

#include "base/text.h"

/* What stands at one place of a glob. */
enum kind { KIND_END, KIND_CHAR, KIND_ANY, KIND_CLASS, KIND_STAR, KIND_DEEP };

struct token {
    enum kind kind;
    uint32_t cp;       /* KIND_CHAR */
    size_t n;          /* bytes of it; KIND_DEEP: with the slash behind it */
    struct bytes part; /* KIND_CLASS: between the brackets, without the negation */
    bool is_negated;
    const char *why; /* NULL unless it is malformed */
};

/* One code point of a glob, a backslash before it taken off. */
static struct token read_char(struct bytes g)
{
    struct token t = {.kind = KIND_CHAR};
    size_t used, escape = g.n > 0 && g.p[0] == '\\';
    if (escape == g.n)
        t.why = "nothing follows the backslash";
    t.cp = text_utf8_next(bytes_from(g, escape), &used);
    if (t.cp == UINT32_MAX && t.why == NULL)
        t.why = "the glob is not UTF-8";
    t.n = MIN_OF(escape + used, g.n);
    return t;
}

/* The next member of a class: a character, or a range of them. */
static const char *read_member(struct bytes *part, bool is_first, uint32_t *ret_first, uint32_t *ret_last)
{
    static const char dash[] = "a - in a class stands first, last, between two characters or behind a backslash";
    struct token first = read_char(*part);
    if (first.why != NULL)
        return first.why;
    bool is_dash = part->p[0] == '-';
    if (part->p[0] == '[')
        return "a [ in a class needs a backslash";
    *part = bytes_from(*part, first.n);
    *ret_first = *ret_last = first.cp;
    if (part->n < 2 || part->p[0] != '-')
        return is_dash && !is_first && part->n > 0 ? dash : NULL;
    *part = bytes_from(*part, 1);
    struct token last = read_char(*part);
    if (last.why != NULL)
        return last.why;
    if (is_dash || part->p[0] == '-' || part->p[0] == '[')
        return dash;
    *part = bytes_from(*part, last.n);
    *ret_last = last.cp;
    return last.cp < first.cp ? "the ends of a range are in the wrong order" : NULL;
}

static bool class_takes(const struct token *t, uint32_t cp)
{
    struct bytes part = t->part;
    uint32_t first, last;
    bool is_in = false;
    while (part.n > 0 && !is_in) {
        if (read_member(&part, part.n == t->part.n, &first, &last) != NULL)
            return false;
        is_in = first <= cp && cp <= last;
    }
    return cp != '/' && is_in != t->is_negated;
}

static const char *class_fault(struct bytes part)
{
    uint32_t first, last;
    size_t whole = part.n;
    if (whole == 0)
        return "a class is empty";
    if (bytes_find(part, '/') < whole)
        return "a class holds a slash, or does not end before one";
    while (part.n > 0) {
        const char *why = read_member(&part, part.n == whole, &first, &last);
        if (why != NULL)
            return why;
    }
    return NULL;
}

/* Cuts a class out; what is in it is not looked at. */
static struct token read_class(struct bytes g)
{
    struct token t = {.kind = KIND_CLASS};
    t.is_negated = g.n > 1 && (g.p[1] == '!' || g.p[1] == '^');
    size_t begin = t.is_negated ? 2 : 1, at = begin;
    while (at < g.n && g.p[at] != ']')
        at += g.p[at] == '\\' ? 2 : 1;
    if (at >= g.n) {
        t.why = "a class does not end";
        t.n = g.n;
        return t;
    }
    t.part = bytes_of(g.p + begin, at - begin);
    t.n = at + 1;
    return t;
}

/* '*', or '**' if that is a whole component. */
static struct token read_star(struct bytes glob, size_t at)
{
    struct bytes g = bytes_from(glob, at);
    if (g.n < 2 || g.p[1] != '*')
        return (struct token){.kind = KIND_STAR, .n = 1};
    bool is_alone = (at == 0 || glob.p[at - 1] == '/') && (g.n == 2 || g.p[2] == '/');
    return (struct token){.kind = KIND_DEEP,
                          .n = MIN_OF(g.n, (size_t)3),
                          .why = is_alone ? NULL : "** is a component of its own, between slashes"};
}

static struct token token_at(struct bytes glob, size_t at)
{
    struct bytes g = bytes_from(glob, at);
    if (g.n == 0)
        return (struct token){.kind = KIND_END};
    if (g.p[0] == '*')
        return read_star(glob, at);
    if (g.p[0] == '[')
        return read_class(g);
    if (g.p[0] == '?')
        return (struct token){.kind = KIND_ANY, .n = 1};
    struct token t = read_char(g);
    if (g.p[0] == ']')
        t.why = "a ] without its [ needs a backslash";
    return t;
}

bool glob_check(struct bytes glob, const char **ret_why, size_t *ret_at)
{
    const char *why = glob.n > GLOB_MAX_BYTES ? "the glob is longer than 512 bytes" : NULL;
    size_t at = why != NULL ? GLOB_MAX_BYTES : 0;
    while (why == NULL && at < glob.n) {
        struct token t = token_at(glob, at);
        assert(t.n > 0);
        why = t.why != NULL ? t.why : t.kind == KIND_CLASS ? class_fault(t.part) : NULL;
        at += why == NULL ? t.n : 0;
    }
    *ret_why = why;
    *ret_at = at;
    return why == NULL;
}

/* Where to go on, and what to come back to: behind the last '*' of this component, and behind the last '**'. */
struct walk {
    struct bytes glob, text;
    size_t g, t;
    size_t star_g, star_t;
    size_t deep_g, deep_t;
    bool has_star, has_deep;
};

static bool takes(const struct token *token, uint32_t cp)
{
    switch (token->kind) {
    case KIND_CHAR:
        return token->cp == cp;
    case KIND_ANY:
        return cp != '/';
    case KIND_CLASS:
        return class_takes(token, cp);
    case KIND_END:
    case KIND_STAR:
    case KIND_DEEP:
    default:
        return false;
    }
}

/* Lets the last '*' take one character more, or else the last '**' one component more. False if there is none. */
static bool go_back(struct walk *w)
{
    size_t used;
    if (w->has_star && w->star_t < w->text.n && w->text.p[w->star_t] != '/') {
        text_utf8_next(bytes_from(w->text, w->star_t), &used);
        w->star_t += used;
        w->g = w->star_g;
        w->t = w->star_t;
        return true;
    }
    w->has_star = false;
    if (!w->has_deep)
        return false;
    w->deep_t += bytes_find(bytes_from(w->text, w->deep_t), '/') + 1;
    w->g = w->deep_g;
    w->t = w->deep_t;
    return w->deep_t <= w->text.n;
}

/* One token and what it takes of the text. False if it does not fit here. */
static bool step(struct walk *w, const struct token *token)
{
    size_t used;
    if (token->kind == KIND_STAR) {
        w->has_star = true;
        w->star_g = w->g += token->n;
        w->star_t = w->t;
        return true;
    }
    if (token->kind == KIND_DEEP) {
        w->has_deep = true;
        w->has_star = false;
        w->deep_g = w->g += token->n;
        w->deep_t = w->t;
        return true;
    }
    if (w->t == w->text.n || !takes(token, text_utf8_next(bytes_from(w->text, w->t), &used)))
        return false;
    if (w->text.p[w->t] == '/') /* the component is done, and no other length of its '*' leads anywhere else */
        w->has_star = false;
    w->g += token->n;
    w->t += used;
    return true;
}

/* Most of a path is letters that stand for themselves: no token is made for these. */
static void skip_plain(struct walk *w)
{
    while (w->g < w->glob.n && w->t < w->text.n) {
        uint8_t c = w->glob.p[w->g];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= '-' && c <= '9' && c != '/');
        if (!is_plain || c != w->text.p[w->t])
            return;
        w->g++;
        w->t++;
    }
}

/* "**" at the end takes all that is left, which behind a slash is at least something. */
static bool ends_deep(const struct walk *w, const struct token *token)
{
    return token->kind == KIND_DEEP && token->n == 2 && (w->g == 0 || w->t < w->text.n);
}

bool glob_match(struct bytes glob, struct bytes text)
{
    struct walk w = {.glob = glob, .text = text};
    if (glob.n > GLOB_MAX_BYTES || !text_is_utf8(text))
        return false;
    for (;;) {
        skip_plain(&w);
        struct token token = token_at(glob, w.g);
        assert(w.g <= glob.n && w.t <= text.n);
        if (token.why != NULL)
            return false;
        if (ends_deep(&w, &token) || (token.kind == KIND_END && w.t == text.n))
            return true;
        bool has_fit = token.kind != KIND_END && !(token.kind == KIND_DEEP && token.n == 2) && step(&w, &token);
        if (!has_fit && !go_back(&w))
            return false;
    }
}

struct bytes glob_base(struct bytes glob)
{
    size_t base = 0, at = 0;
    while (at < glob.n && bytes_find(BYTES_LITERAL("*?[\\"), glob.p[at]) == 4) {
        base = glob.p[at] == '/' ? at : base;
        at++;
    }
    return bytes_head(glob, base);
}
