/*
 * template-parse - reading a template; see template.h and doc/spec/template.md.
 *
 * Invariant: every offset in a node lies in the text; every RANGE, IF and ELSE has its END, and blocks nest.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/template-internal.h"
#include "model/path.h"

static_assert(TEMPLATE_MAX_BYTES < UINT32_MAX, "offsets are 32 bits");

struct parser {
    struct template *t;
    struct bytes text;
    size_t at;        /* next byte to read */
    size_t action_at; /* of the action that is read */
    struct template_error *error;
    uint32_t open[TEMPLATE_DEPTH_MAX_COUNT]; /* nodes of the blocks around */
    size_t depth, ranges;
    bool eats_blanks; /* the action before ended with "-}}" */
};

int template_fail(struct bytes text, size_t at, struct template_error *ret_error, const char *format, ...)
{
    size_t line_at = 0;
    va_list args;
    assert(at <= text.n);
    ret_error->line = 1;
    for (size_t i = 0; i < at; i++) {
        if (text.p[i] == '\n') {
            ret_error->line++;
            line_at = i + 1;
        }
    }
    ret_error->column = at - line_at + 1;
    va_start(args, format);
    vsnprintf(ret_error->why, sizeof ret_error->why, format, args);
    va_end(args);
    return TEMPLATE_BAD;
}

int template_unquote(struct bytes quoted, struct buf *out)
{
    while (quoted.n > 0) {
        size_t n = bytes_find(quoted, '\\');
        TRY(buf_append(out, bytes_head(quoted, n)));
        quoted = bytes_from(quoted, n);
        if (quoted.n == 0)
            break;
        assert(quoted.n >= 2);
        uint8_t c = quoted.p[1] == 'n' ? '\n' : quoted.p[1] == 't' ? '\t' : quoted.p[1];
        TRY(buf_append(out, bytes_of(&c, 1)));
        quoted = bytes_from(quoted, 2);
    }
    return 0;
}

static int fail(struct parser *p, size_t at, const char *why)
{
    return template_fail(p->text, at, p->error, "%s", why);
}

static int add_node(struct parser *p, const struct template_node *node)
{
    struct template *t = p->t;
    if (t->count == t->cap) {
        size_t cap = t->cap > 0 ? 2 * t->cap : 16;
        struct template_node *nodes = realloc(t->nodes, cap * sizeof *nodes);
        if (nodes == NULL)
            return RAISE(-ENOMEM);
        t->nodes = nodes;
        t->cap = cap;
    }
    t->nodes[t->count++] = *node;
    return 0;
}

/* ---- words --------------------------------------------------------------------------------------------------------
 */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct bytes rest(const struct parser *p)
{
    return bytes_from(p->text, p->at);
}

static bool looks_at(const struct parser *p, const char *word)
{
    return bytes_starts(rest(p), bytes_of_text(word));
}

static void skip_blanks(struct parser *p)
{
    while (p->at < p->text.n && is_blank(p->text.p[p->at]))
        p->at++;
}

/* A run of lower-case letters and digits; empty if there is none. */
static struct bytes read_word(struct parser *p)
{
    size_t from = p->at;
    while (p->at < p->text.n && ((p->text.p[p->at] >= 'a' && p->text.p[p->at] <= 'z') ||
                                 (p->at > from && p->text.p[p->at] >= '0' && p->text.p[p->at] <= '9')))
        p->at++;
    return bytes_of(p->text.p + from, p->at - from);
}

static int unknown_word(struct parser *p, size_t at, struct bytes word)
{
    struct bytes part = bytes_head(word, 32);
    return template_fail(p->text, at, p->error, "unknown word: %.*s", BYTES_PRINT(part));
}

static int read_string(struct parser *p, const char *missing, uint32_t *ret_at, uint32_t *ret_bytes)
{
    skip_blanks(p);
    size_t from = p->at + 1;
    if (!looks_at(p, "\""))
        return fail(p, p->at, missing);
    for (size_t i = from; i < p->text.n && p->text.p[i] != '\n'; i++) {
        if (p->text.p[i] == '"') {
            *ret_at = (uint32_t)from;
            *ret_bytes = (uint32_t)(i - from);
            p->at = i + 1;
            return 0;
        }
        if (p->text.p[i] != '\\')
            continue;
        i++;
        if (i == p->text.n || memchr("\"\\nt", p->text.p[i], 4) == NULL)
            return fail(p, i - 1, "only \\\", \\\\, \\n and \\t may stand behind a backslash in a string");
    }
    return fail(p, p->at, "this string does not end on its line");
}

static int read_path(struct parser *p, struct template_node *node)
{
    const char *why;
    int x = read_string(p, "a path in double quotes belongs here", &node->part_at, &node->part_bytes);
    if (x != 0)
        return x;
    if (!path_check(bytes_of(p->text.p + node->part_at, node->part_bytes), &why))
        return template_fail(p->text, node->part_at, p->error, "not a valid path: %s", why);
    return 0;
}

/* The end of an action. The blank before "-}}" sets it off from what it ends. */
static int read_close(struct parser *p)
{
    skip_blanks(p);
    p->eats_blanks = looks_at(p, "-}}") && is_blank(p->text.p[p->at - 1]);
    if (!p->eats_blanks && !looks_at(p, "}}"))
        return p->at == p->text.n ? fail(p, p->action_at, "this action does not end")
                                  : fail(p, p->at, "this is not expected here");
    p->at += p->eats_blanks ? 3 : 2;
    return 0;
}

/* ---- actions ------------------------------------------------------------------------------------------------------
 */

static int read_default(struct parser *p, size_t at, struct template_node *node)
{
    if (node->kind != TEMPLATE_GET || node->has_default || node->filters_count > 0)
        return fail(p, at, "default belongs right behind get, once");
    node->has_default = true;
    return read_string(p, "a text in double quotes belongs here", &node->default_at, &node->default_bytes);
}

static int read_filter(struct parser *p, struct template_node *node)
{
    uint8_t i = 0;
    skip_blanks(p);
    size_t at = p->at;
    struct bytes word = read_word(p);
    if (word.n == 0)
        return fail(p, at, "the name of a filter belongs here");
    if (bytes_equal(word, BYTES_LITERAL("default")))
        return read_default(p, at, node);
    while (template_filters[i].name != NULL && !bytes_equal(word, bytes_of_text(template_filters[i].name)))
        i++;
    if (template_filters[i].name == NULL)
        return unknown_word(p, at, word);
    if (node->filters_count == TEMPLATE_FILTERS_MAX_COUNT)
        return template_fail(p->text, at, p->error, "more than %d filters", TEMPLATE_FILTERS_MAX_COUNT);
    node->filters[node->filters_count++] = i;
    return 0;
}

/* What gives a value: the filters behind it, and the end. */
static int finish_value(struct parser *p, struct template_node *node)
{
    int x = 0;
    skip_blanks(p);
    while (x == 0 && looks_at(p, "|")) {
        p->at++;
        x = read_filter(p, node);
        skip_blanks(p);
    }
    if (x == 0)
        x = read_close(p);
    return x != 0 ? x : add_node(p, node);
}

static int read_get(struct parser *p, struct template_node *node)
{
    node->kind = TEMPLATE_GET;
    int x = read_path(p, node);
    return x != 0 ? x : finish_value(p, node);
}

static int open_block(struct parser *p, struct template_node *node)
{
    int x = read_path(p, node);
    if (x == 0 && p->depth == TEMPLATE_DEPTH_MAX_COUNT)
        x = template_fail(p->text, p->action_at, p->error, "more than %d blocks inside each other",
                          TEMPLATE_DEPTH_MAX_COUNT);
    if (x == 0)
        x = read_close(p);
    if (x == 0)
        x = add_node(p, node);
    if (x != 0)
        return x;
    p->open[p->depth++] = (uint32_t)(p->t->count - 1);
    p->ranges += node->kind == TEMPLATE_RANGE;
    return 0;
}

static int read_range(struct parser *p, struct template_node *node)
{
    node->kind = TEMPLATE_RANGE;
    return open_block(p, node);
}

static int read_if(struct parser *p, struct template_node *node)
{
    node->kind = TEMPLATE_IF;
    return open_block(p, node);
}

/* An else takes the place of its if among the open blocks; its own end is told to both. */
static int read_else(struct parser *p, struct template_node *node)
{
    if (p->depth == 0 || p->t->nodes[p->open[p->depth - 1]].kind != TEMPLATE_IF)
        return fail(p, p->action_at, "there is no if that this else belongs to");
    node->kind = TEMPLATE_ELSE;
    int x = read_close(p);
    if (x == 0)
        x = add_node(p, node);
    if (x != 0)
        return x;
    uint32_t *open = &p->open[p->depth - 1], self = (uint32_t)(p->t->count - 1);
    p->t->nodes[*open].jump = self;
    *open = self;
    return 0;
}

static int read_end(struct parser *p, struct template_node *node)
{
    if (p->depth == 0)
        return fail(p, p->action_at, "there is no block that this end belongs to");
    uint32_t open = p->open[p->depth - 1];
    node->kind = TEMPLATE_END;
    node->jump = open;
    int x = read_close(p);
    if (x == 0)
        x = add_node(p, node);
    if (x != 0)
        return x;
    p->t->nodes[open].jump = (uint32_t)(p->t->count - 1);
    p->ranges -= p->t->nodes[open].kind == TEMPLATE_RANGE;
    p->depth--;
    return 0;
}

static int read_field(struct parser *p, struct template_node *node)
{
    static const struct {
        const char *name;
        enum template_kind kind;
    } fields[] = {{"name", TEMPLATE_NAME}, {"value", TEMPLATE_VALUE}, {"path", TEMPLATE_PATH}};
    size_t at = p->at++;
    struct bytes word = read_word(p);
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        if (!bytes_equal(word, bytes_of_text(fields[i].name)))
            continue;
        if (p->ranges == 0)
            return fail(p, at, "this has a meaning inside a range only");
        node->kind = fields[i].kind;
        return finish_value(p, node);
    }
    return unknown_word(p, at, bytes_of(p->text.p + at, p->at - at));
}

static int read_comment(struct parser *p)
{
    p->at += 2;
    while (p->at < p->text.n && !looks_at(p, "*/"))
        p->at++;
    if (p->at == p->text.n)
        return fail(p, p->action_at, "this comment does not end");
    p->at += 2;
    return read_close(p);
}

static int read_action(struct parser *p)
{
    static const struct {
        const char *word;
        int (*read)(struct parser *p, struct template_node *node);
    } actions[] = {{"get", read_get}, {"range", read_range}, {"if", read_if}, {"else", read_else}, {"end", read_end}};
    struct template_node node = {.at = (uint32_t)p->action_at};
    skip_blanks(p);
    if (looks_at(p, "/*"))
        return read_comment(p);
    if (looks_at(p, "."))
        return read_field(p, &node);
    if (looks_at(p, "\"")) {
        node.kind = TEMPLATE_STRING;
        int x = read_string(p, "", &node.part_at, &node.part_bytes);
        return x != 0 ? x : finish_value(p, &node);
    }
    size_t at = p->at;
    struct bytes word = read_word(p);
    for (size_t i = 0; i < COUNT_OF(actions); i++) {
        if (bytes_equal(word, bytes_of_text(actions[i].word)))
            return actions[i].read(p, &node);
    }
    if (word.n > 0)
        return unknown_word(p, at, word);
    return p->at == p->text.n ? fail(p, p->action_at, "this action does not end")
                              : fail(p, at, "a word such as get, range, if or end belongs here");
}

/* ---- text ---------------------------------------------------------------------------------------------------------
 */

/* Takes the text up to the next action; its blanks go where an action beside it says so. */
static int read_text(struct parser *p, bool *ret_is_end)
{
    if (p->eats_blanks)
        skip_blanks(p);
    p->eats_blanks = false;
    size_t from = p->at;
    const uint8_t *brace = p->at < p->text.n ? memmem(p->text.p + p->at, p->text.n - p->at, "{{", 2) : NULL;
    size_t end = brace != NULL ? (size_t)(brace - p->text.p) : p->text.n;
    *ret_is_end = brace == NULL;
    p->action_at = end;
    p->at = *ret_is_end ? end : end + 2;
    if (looks_at(p, "-") && p->at + 1 < p->text.n && is_blank(p->text.p[p->at + 1])) {
        p->at++;
        while (end > from && is_blank(p->text.p[end - 1]))
            end--;
    }
    struct template_node node = {
        .kind = TEMPLATE_TEXT, .at = (uint32_t)from, .part_at = (uint32_t)from, .part_bytes = (uint32_t)(end - from)};
    return end > from ? add_node(p, &node) : 0;
}

static int parse(struct parser *p)
{
    bool is_end = false;
    if (p->text.n > TEMPLATE_MAX_BYTES)
        return template_fail(p->text, 0, p->error, "a template has at most %d bytes", TEMPLATE_MAX_BYTES);
    for (;;) {
        int x = read_text(p, &is_end);
        if (x == 0 && !is_end)
            x = read_action(p);
        if (x != 0)
            return x;
        if (is_end)
            break;
    }
    return p->depth == 0 ? 0 : fail(p, p->t->nodes[p->open[p->depth - 1]].at, "this block has no end");
}

int template_parse(struct bytes text, struct template **ret_template, struct template_error *ret_error)
{
    struct template *t = calloc(1, sizeof *t);
    if (t == NULL)
        return RAISE(-ENOMEM);
    t->text = text;
    struct parser p = {.t = t, .text = text, .error = ret_error};
    int x = parse(&p);
    if (x != 0) {
        template_free(t);
        return x;
    }
    *ret_template = t;
    return 0;
}

struct template *template_free(struct template *t)
{
    if (t != NULL)
        free(t->nodes);
    free(t);
    return NULL;
}
