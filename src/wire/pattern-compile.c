/*
 * pattern - the compiler; see pattern.h. One pass over the pattern writes steps with relative targets: what an atom
 * became lies in one piece, so a quantifier can move or copy it. Open groups are kept in an array of fixed depth.
 */
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "wire/pattern.h"

enum { CP_LAST = 0x10ffff, NO_STEP = -1, UNBOUNDED = PATTERN_REPEAT_MAX_COUNT + 1 };

static_assert(PATTERN_STEPS_MAX_COUNT <= INT16_MAX, "a target fits its field");

/* A group that is open. Its branches are joined by jumps to its end, which is known when it closes. */
struct frame {
    size_t at;     /* of its bracket in the text */
    int start;     /* first step */
    int branch;    /* first step of the branch that is being read */
    int last_jump; /* newest jump to the end, or NO_STEP; its `arg` is the one before, plus 1 */
};

struct compiler {
    struct bytes text;
    size_t from; /* where the mark that is being read begins */
    size_t at;   /* what comes next */
    struct pattern *p;
    struct frame frames[PATTERN_DEPTH_MAX_COUNT + 1];
    size_t depth;
    int atom; /* first step of what a quantifier would repeat, or NO_STEP */
    const char *why;
    size_t why_at;
};

static bool fail(struct compiler *c, size_t at, const char *why)
{
    assert(c->why == NULL);
    c->why = why;
    c->why_at = at;
    return false;
}

/* ---- steps ----------------------------------------------------------------------------------------------- */

/* The last place is kept for PATTERN_DONE. */
static bool has_room(struct compiler *c, size_t n)
{
    return c->p->steps_count + n < PATTERN_STEPS_MAX_COUNT || fail(c, c->from, "the pattern is too large");
}

static bool add_step(struct compiler *c, enum pattern_op op, size_t to, size_t arg)
{
    if (!has_room(c, 1))
        return false;
    c->p->steps[c->p->steps_count++] = (struct pattern_step){(uint16_t)op, (int16_t)to, (uint32_t)arg};
    return true;
}

static bool add_atom(struct compiler *c, enum pattern_op op, size_t to, size_t arg)
{
    c->atom = c->p->steps_count;
    return add_step(c, op, to, arg);
}

static void set_target(struct pattern_step *s, enum pattern_op op, size_t from, size_t to)
{
    *s = (struct pattern_step){.op = (uint16_t)op, .to = (int16_t)((int)to - (int)from)};
}

/* Moves the steps from `at` on one place up; there must be room. */
static void open_step(struct pattern *p, size_t at)
{
    assert(at <= p->steps_count && p->steps_count < PATTERN_STEPS_MAX_COUNT);
    memmove(p->steps + at + 1, p->steps + at, (p->steps_count - at) * sizeof p->steps[0]);
    p->steps_count++;
}

static void copy_steps(struct pattern *p, size_t to, size_t from, size_t n)
{
    assert(to >= from + n && to + n < PATTERN_STEPS_MAX_COUNT);
    memcpy(p->steps + to, p->steps + from, n * sizeof p->steps[0]);
}

/* X{min,} is X min times, of which the last may be gone through again; X* needs a way around as well. */
static void repeat_for_ever(struct pattern *p, size_t at, size_t n, size_t min)
{
    struct pattern_step *s = p->steps;
    for (size_t i = 1; i < min; i++)
        copy_steps(p, at + i * n, at, n);
    size_t end = at + min * n;
    if (min > 0) {
        set_target(s + end, PATTERN_SPLIT, end, end - n);
        p->steps_count = (uint16_t)(end + 1);
        return;
    }
    open_step(p, at);
    end = at + 1 + n;
    set_target(s + at, PATTERN_SPLIT, at, end + 1);
    set_target(s + end, PATTERN_JUMP, end, at);
    p->steps_count = (uint16_t)(end + 1);
}

/* X{min,max} is X min times, then X max - min times with a way from before each of them to the end. */
static void repeat_up_to(struct pattern *p, size_t at, size_t n, size_t min, size_t max)
{
    size_t body = at, end = at + min * n, last = end + (max - min) * (n + 1);
    for (size_t i = 1; i < min; i++)
        copy_steps(p, at + i * n, at, n);
    if (min == 0 && max > 0) {
        open_step(p, at);
        body = at + 1;
    }
    for (size_t i = min; i < max; i++, end += n + 1) {
        set_target(p->steps + end, PATTERN_SPLIT, end, last);
        if (end + 1 != body)
            copy_steps(p, end + 1, body, n);
    }
    assert(end == last);
    p->steps_count = (uint16_t)last;
}

static bool repeat(struct compiler *c, size_t min, size_t max)
{
    if (c->atom == NO_STEP)
        return fail(c, c->from, "a quantifier follows nothing that it could repeat");
    size_t at = (size_t)c->atom, n = c->p->steps_count - at;
    size_t copies = max == UNBOUNDED ? MAX_OF(min, (size_t)1) : max;
    size_t others = max == UNBOUNDED ? (min == 0 ? 2 : 1) : max - min;
    c->atom = NO_STEP;
    if (n == 0) /* an empty group, however often */
        return true;
    if (at + copies * n + others >= PATTERN_STEPS_MAX_COUNT)
        return fail(c, c->from, "the pattern is too large");
    if (max == UNBOUNDED)
        repeat_for_ever(c->p, at, n, min);
    else
        repeat_up_to(c->p, at, n, min, max);
    return true;
}

/* ---- classes --------------------------------------------------------------------------------------------- */

static const struct pattern_range digits[] = {{'0', '9'}};
static const struct pattern_range words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
static const struct pattern_range blanks[] = {{'\t', '\r'}, {' ', ' '}};

/* Sorted, as complements need them. */
static const struct set {
    char letter;
    bool is_negated;
    const struct pattern_range *ranges;
    size_t count;
} sets[] = {
    {'d', false, digits, COUNT_OF(digits)}, {'D', true, digits, COUNT_OF(digits)},
    {'w', false, words, COUNT_OF(words)},   {'W', true, words, COUNT_OF(words)},
    {'s', false, blanks, COUNT_OF(blanks)}, {'S', true, blanks, COUNT_OF(blanks)},
};

static bool add_range(struct compiler *c, uint32_t first, uint32_t last)
{
    if (c->p->ranges_count == PATTERN_RANGES_MAX_COUNT)
        return fail(c, c->from, "the classes of the pattern are too large");
    c->p->ranges[c->p->ranges_count++] = (struct pattern_range){first, last};
    return true;
}

static bool add_ranges(struct compiler *c, const struct set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (!add_range(c, set->ranges[i].first, set->ranges[i].last))
            return false;
    }
    return true;
}

static bool add_others(struct compiler *c, const struct set *set)
{
    uint32_t next = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (!add_range(c, next, set->ranges[i].first - 1))
            return false;
        next = set->ranges[i].last + 1;
    }
    return add_range(c, next, CP_LAST);
}

/* Sorts the ranges from `first` on and joins those that touch. */
static void tidy_ranges(struct pattern *p, size_t first)
{
    struct pattern_range *r = p->ranges + first;
    size_t n = p->ranges_count - first, kept = 0;
    assert(n > 0);
    for (size_t i = 1; i < n; i++) {
        struct pattern_range moved = r[i];
        size_t at = i;
        for (; at > 0 && r[at - 1].first > moved.first; at--)
            r[at] = r[at - 1];
        r[at] = moved;
    }
    for (size_t i = 1; i < n; i++) {
        if (r[i].first > r[kept].last + 1)
            r[++kept] = r[i];
        else
            r[kept].last = MAX_OF(r[kept].last, r[i].last);
    }
    p->ranges_count = (uint16_t)(first + kept + 1);
}

/* ---- escapes --------------------------------------------------------------------------------------------- */

/* One member of a class, or what an escape stands for: a set, or else a code point. */
struct item {
    const struct set *set;
    uint32_t cp;
    bool is_dash; /* a '-' without a backslash */
};

static uint32_t hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0');
    uint8_t lower = c | 0x20;
    return lower >= 'a' && lower <= 'f' ? (uint32_t)(10 + lower - 'a') : UINT32_MAX;
}

static bool read_hex(struct compiler *c, size_t begin, struct bytes run, uint32_t *ret_cp)
{
    uint32_t cp = 0;
    for (size_t i = 0; i < run.n; i++) {
        uint32_t digit = hex_value(run.p[i]);
        if (digit == UINT32_MAX)
            return fail(c, begin, "\\x takes two and \\u{} one to six hexadecimal digits");
        cp = cp << 4 | digit;
    }
    if (cp > CP_LAST || (cp >= 0xd800 && cp <= 0xdfff))
        return fail(c, begin, "there is no such code point");
    *ret_cp = cp;
    return true;
}

/* Behind \x or \u: the digits, which are cut out here and read above. */
static bool read_number_escape(struct compiler *c, size_t begin, uint8_t letter, uint32_t *ret_cp)
{
    struct bytes rest = bytes_from(c->text, c->at);
    size_t open = letter == 'u', n = letter == 'u' ? bytes_find(rest, '}') : 2;
    bool is_open = open == 0 || (rest.n > 0 && rest.p[0] == '{');
    if (!is_open || n + open > rest.n || n <= open || n - open > 6)
        return fail(c, begin, "\\x takes two and \\u{} one to six hexadecimal digits");
    if (!read_hex(c, begin, bytes_of(rest.p + open, n - open), ret_cp))
        return false;
    c->at += n + open;
    return true;
}

static bool is_mark(uint8_t c)
{
    bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return c >= ' ' && c < 0x7f && !is_letter;
}

/* What follows a backslash. */
static bool read_escape(struct compiler *c, size_t begin, struct item *ret_item)
{
    static const struct {
        char letter, cp;
    } controls[] = {{'t', '\t'}, {'n', '\n'}, {'r', '\r'}};
    *ret_item = (struct item){.set = NULL};
    if (c->at == c->text.n)
        return fail(c, begin, "nothing follows the backslash");
    uint8_t letter = c->text.p[c->at++];
    for (size_t i = 0; i < COUNT_OF(sets); i++) {
        if (letter == (uint8_t)sets[i].letter)
            ret_item->set = &sets[i];
    }
    for (size_t i = 0; i < COUNT_OF(controls); i++) {
        if (letter == (uint8_t)controls[i].letter)
            ret_item->cp = (uint32_t)controls[i].cp;
    }
    if (ret_item->set != NULL || ret_item->cp != 0)
        return true;
    if (letter == 'x' || letter == 'u')
        return read_number_escape(c, begin, letter, &ret_item->cp);
    ret_item->cp = letter;
    return is_mark(letter) || fail(c, begin, "there is no such escape");
}

static bool next_cp(struct compiler *c, uint32_t *ret_cp)
{
    size_t used;
    *ret_cp = text_utf8_next(bytes_from(c->text, c->at), &used);
    if (*ret_cp == UINT32_MAX)
        return fail(c, c->at, "the pattern is not UTF-8");
    c->at += used;
    return true;
}

static bool comes(const struct compiler *c, char mark)
{
    return c->at < c->text.n && c->text.p[c->at] == (uint8_t)mark;
}

static bool read_class_item(struct compiler *c, struct item *ret_item)
{
    size_t begin = c->at;
    *ret_item = (struct item){.set = NULL};
    if (begin == c->text.n)
        return fail(c, c->from, "a class does not end");
    if (!next_cp(c, &ret_item->cp))
        return false;
    if (ret_item->cp == '\\')
        return read_escape(c, begin, ret_item);
    if (ret_item->cp == '[')
        return fail(c, begin, "a [ in a class needs a backslash");
    ret_item->is_dash = ret_item->cp == '-';
    return true;
}

/* The rest of a range whose first end and '-' were read. */
static bool read_range_end(struct compiler *c, size_t begin, const struct item *first)
{
    struct item last;
    if (!read_class_item(c, &last))
        return false;
    if (first->is_dash || last.is_dash)
        return fail(c, begin, "a - in a class stands first, last, between two characters or behind a backslash");
    if (first->set != NULL || last.set != NULL)
        return fail(c, begin, "the ends of a range are single characters");
    if (last.cp < first->cp)
        return fail(c, begin, "the ends of a range are in the wrong order");
    return add_range(c, first->cp, last.cp);
}

static bool read_class_part(struct compiler *c, bool is_first)
{
    struct item item;
    size_t begin = c->at;
    if (!read_class_item(c, &item))
        return false;
    bool has_dash = comes(c, '-') && !(c->at + 1 < c->text.n && c->text.p[c->at + 1] == ']');
    if (has_dash) {
        c->at++;
        return read_range_end(c, begin, &item);
    }
    if (item.is_dash && !is_first && !comes(c, ']'))
        return fail(c, begin, "a - in a class stands first, last, between two characters or behind a backslash");
    if (item.set == NULL)
        return add_range(c, item.cp, item.cp);
    return item.set->is_negated ? add_others(c, item.set) : add_ranges(c, item.set);
}

/* ---- marks ----------------------------------------------------------------------------------------------- */

static bool read_class(struct compiler *c)
{
    size_t first = c->p->ranges_count;
    enum pattern_op op = comes(c, '^') ? PATTERN_NOT_CLASS : PATTERN_CLASS;
    c->at += op == PATTERN_NOT_CLASS;
    while (!comes(c, ']')) {
        if (!read_class_part(c, c->p->ranges_count == first))
            return false;
    }
    c->at++;
    if (c->p->ranges_count == first)
        return fail(c, c->from, "a class is empty");
    tidy_ranges(c->p, first);
    return add_atom(c, op, c->p->ranges_count - first, first);
}

static bool read_backslash(struct compiler *c)
{
    struct item item;
    size_t first = c->p->ranges_count;
    if (!read_escape(c, c->from, &item))
        return false;
    if (item.set == NULL)
        return add_atom(c, PATTERN_CHAR, 0, item.cp);
    if (!add_ranges(c, item.set))
        return false;
    return add_atom(c, item.set->is_negated ? PATTERN_NOT_CLASS : PATTERN_CLASS, item.set->count, first);
}

static bool read_dot(struct compiler *c)
{
    return add_atom(c, PATTERN_ANY, 0, 0);
}

static void open_frame(struct compiler *c, size_t depth)
{
    int start = c->p->steps_count;
    c->depth = depth;
    c->frames[depth] = (struct frame){.at = c->from, .start = start, .branch = start, .last_jump = NO_STEP};
    c->atom = NO_STEP;
}

static bool read_open(struct compiler *c)
{
    if (c->depth == PATTERN_DEPTH_MAX_COUNT)
        return fail(c, c->from, "there are too many groups in groups");
    if (bytes_starts(bytes_from(c->text, c->at), BYTES_LITERAL("?:"))) /* which no group here is not */
        c->at += 2;
    open_frame(c, c->depth + 1);
    return true;
}

/* The jumps behind the branches but the last lead here. */
static void join_branches(struct compiler *c)
{
    size_t end = c->p->steps_count;
    for (int at = c->frames[c->depth].last_jump; at != NO_STEP;) {
        struct pattern_step *s = c->p->steps + at;
        int before = (int)s->arg - 1;
        set_target(s, PATTERN_JUMP, (size_t)at, end);
        at = before;
    }
}

static bool read_close(struct compiler *c)
{
    if (c->depth == 0)
        return fail(c, c->from, "a ) has no (");
    join_branches(c);
    c->atom = c->frames[c->depth].start;
    c->depth--;
    return true;
}

static bool read_bar(struct compiler *c)
{
    struct frame *f = &c->frames[c->depth];
    size_t branch = (size_t)f->branch;
    if (!has_room(c, 2))
        return false;
    open_step(c->p, branch);
    int jump = c->p->steps_count, before = f->last_jump + 1;
    if (!add_step(c, PATTERN_JUMP, 0, (size_t)before))
        return false;
    set_target(c->p->steps + branch, PATTERN_SPLIT, branch, c->p->steps_count);
    f->last_jump = jump;
    f->branch = c->p->steps_count;
    c->atom = NO_STEP;
    return true;
}

static bool read_star(struct compiler *c)
{
    return repeat(c, 0, UNBOUNDED);
}

static bool read_plus(struct compiler *c)
{
    return repeat(c, 1, UNBOUNDED);
}

static bool read_question(struct compiler *c)
{
    return repeat(c, 0, 1);
}

static bool read_count(struct compiler *c)
{
    struct bytes rest = bytes_from(c->text, c->at);
    struct bytes in = bytes_head(rest, bytes_find(rest, '}'));
    size_t comma = bytes_find(in, ',');
    uint64_t min, max;
    if (in.n == rest.n || !num_parse_u64(bytes_head(in, comma), UINT64_MAX, &min))
        return fail(c, c->from, "a { begins {m}, {m,} or {m,n}, or needs a backslash");
    max = comma == in.n ? min : UNBOUNDED;
    if (comma + 1 < in.n && !num_parse_u64(bytes_from(in, comma + 1), UINT64_MAX, &max))
        return fail(c, c->from, "a { begins {m}, {m,} or {m,n}, or needs a backslash");
    if (min > PATTERN_REPEAT_MAX_COUNT || (comma + 1 < in.n && max > PATTERN_REPEAT_MAX_COUNT))
        return fail(c, c->from, "a quantifier is at most 1000");
    if (min > max)
        return fail(c, c->from, "the ends of a quantifier are in the wrong order");
    c->at += in.n + 1;
    return repeat(c, (size_t)min, (size_t)max);
}

/* The whole value has to match anyway, so the usual anchors are let pass where they change nothing. */
static bool read_begin(struct compiler *c)
{
    return c->from == 0 || fail(c, c->from, "a ^ stands at the very beginning, or needs a backslash");
}

static bool read_end(struct compiler *c)
{
    c->atom = NO_STEP;
    return c->at == c->text.n || fail(c, c->from, "a $ stands at the very end, or needs a backslash");
}

static bool read_stray(struct compiler *c)
{
    return fail(c, c->from, "a ] or } without its beginning needs a backslash");
}

static bool read_one(struct compiler *c)
{
    static const struct {
        char mark;
        bool (*read)(struct compiler *c);
    } rows[] = {
        {'.', read_dot},   {'\\', read_backslash}, {'[', read_class}, {'(', read_open},     {')', read_close},
        {'|', read_bar},   {'*', read_star},       {'+', read_plus},  {'?', read_question}, {'{', read_count},
        {'^', read_begin}, {'$', read_end},        {']', read_stray}, {'}', read_stray},
    };
    uint32_t cp;
    c->from = c->at;
    if (!next_cp(c, &cp))
        return false;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (cp == (uint32_t)rows[i].mark)
            return rows[i].read(c);
    }
    return add_atom(c, PATTERN_CHAR, 0, cp);
}

static bool read_all(struct compiler *c)
{
    if (c->text.n > PATTERN_MAX_BYTES)
        return fail(c, PATTERN_MAX_BYTES, "the pattern is longer than 1024 bytes");
    open_frame(c, 0);
    while (c->at < c->text.n) {
        if (!read_one(c))
            return false;
    }
    if (c->depth > 0)
        return fail(c, c->frames[c->depth].at, "a ( has no )");
    join_branches(c);
    assert(c->p->steps_count < PATTERN_STEPS_MAX_COUNT);
    c->p->steps[c->p->steps_count++] = (struct pattern_step){.op = PATTERN_DONE};
    return true;
}

bool pattern_compile(struct bytes text, struct pattern *ret_pattern, const char **ret_why, size_t *ret_at)
{
    struct compiler c = {.text = text, .p = ret_pattern};
    ret_pattern->steps_count = ret_pattern->ranges_count = 0;
    bool is_good = read_all(&c);
    assert(is_good == (c.why == NULL));
    *ret_why = c.why;
    *ret_at = c.why_at;
    return is_good;
}
