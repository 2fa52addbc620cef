/*
 * dump-yaml - the YAML format of dump.h: flat, a line or a small map an entry.
 *
 * The writer is small and strict: texts always in quotes or as a block, so that no reader of YAML takes them for
 * anything else; a type is written down unless a plain scalar of YAML 1.1, YAML 1.2 and ours all have it. The reader
 * guesses no more than that: a plain scalar that they read differently is refused.
 * Source: YAML 1.1 types (bool, int, float, null), YAML 1.2 core schema.
 */
#include <stdio.h>
#include <string.h>

#include "base/code.h"
#include "base/num.h"
#include "base/text.h"
#include "cli/dump.h"
#include "model/value.h"
#include "wire/doc.h"
#include "wire/json.h"
#include "wire/yaml.h"

enum { BLOCK_INDENT_COUNT = 6, NODES_MAX_COUNT = 1 << 20 };

/* ---- texts --------------------------------------------------------------------------------------------------------
 */

/* A code point that YAML takes as it is, and a person can see. */
static bool is_shown(struct bytes one)
{
    return text_is_printable(one);
}

static int put_code_point(struct buf *out, uint32_t cp, struct bytes one)
{
    if (cp == '"' || cp == '\\')
        return buf_print(out, "\\%c", (int)cp);
    if (cp == '\n' || cp == '\t')
        return buf_append_text(out, cp == '\n' ? "\\n" : "\\t");
    if (is_shown(one))
        return buf_append(out, one);
    return buf_print(out, cp < 0x100 ? "\\x%02x" : cp < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)cp);
}

static int put_double_quoted(struct buf *out, struct bytes text)
{
    size_t used;
    TRY(buf_append_text(out, "\""));
    for (; text.n > 0; text = bytes_from(text, used)) {
        uint32_t cp = text_utf8_next(text, &used);
        assert(cp != UINT32_MAX);
        TRY(put_code_point(out, cp, bytes_head(text, used)));
    }
    return buf_append_text(out, "\"");
}

static int put_single_quoted(struct buf *out, struct bytes text)
{
    TRY(buf_append_text(out, "'"));
    while (text.n > 0) {
        size_t n = bytes_find(text, '\'');
        TRY(buf_append(out, bytes_head(text, n)));
        TRY(buf_append_text(out, n < text.n ? "''" : ""));
        text = bytes_from(text, n + 1);
    }
    return buf_append_text(out, "'");
}

/* Several lines of printable text, of which none begins or ends in a way that a block could not show. */
static bool is_block(struct bytes text)
{
    bool has_lines = bytes_find(text, '\n') < text.n;
    if (!has_lines || text.p[text.n - 1] == ' ' ||
        (text.n > 1 && bytes_equal(bytes_from(text, text.n - 2), BYTES_LITERAL("\n\n"))))
        return false;
    if (text.p[0] == ' ' || text.p[0] == '\n')
        return false;
    while (text.n > 0) {
        size_t n = bytes_find(text, '\n');
        if (!text_is_printable(bytes_head(text, n)))
            return false;
        text = bytes_from(text, n + 1);
    }
    return true;
}

static int put_block(struct buf *out, struct bytes text)
{
    bool ends_line = text.p[text.n - 1] == '\n';
    TRY(buf_append_text(out, ends_line ? "|" : "|-"));
    while (text.n > 0) {
        size_t n = bytes_find(text, '\n');
        TRY(buf_append_text(out, "\n"));
        if (n > 0)
            TRY(buf_print(out, "%*s", BLOCK_INDENT_COUNT, ""));
        TRY(buf_append(out, bytes_head(text, n)));
        text = bytes_from(text, n + 1);
    }
    return 0;
}

/* may_be_block  outside of lists */
static int put_text(struct buf *out, struct bytes text, bool may_be_block)
{
    if (may_be_block && is_block(text))
        return put_block(out, text);
    bool has_marks = bytes_find(text, '"') < text.n || bytes_find(text, '\\') < text.n;
    return has_marks && text_is_printable(text) ? put_single_quoted(out, text) : put_double_quoted(out, text);
}

/* ---- what a plain scalar is ---------------------------------------------------------------------------------------
 */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* A float that YAML 1.1 sees as one, too: with a point, and a sign in the exponent. */
static bool is_plain_float(struct bytes text)
{
    double d;
    size_t e = MIN_OF(bytes_find(text, 'e'), bytes_find(text, 'E'));
    bool has_sign = e + 1 >= text.n || text.p[e + 1] == '+' || text.p[e + 1] == '-';
    return num_parse_f64(text, &d) && bytes_find(text, '.') < text.n && has_sign;
}

/* A word that some reader of YAML takes for a truth value, or for nothing. */
static bool is_odd_word(struct bytes text)
{
    static const char *const words[] = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", "="};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (bytes_equal_nocase(text, bytes_of_text(words[i])))
            return true;
    }
    return text.n == 0;
}

/* The type that every reader gives a plain scalar; 0 if they differ. */
static unsigned type_of_plain(struct bytes text)
{
    int64_t number;
    if (bytes_equal(text, BYTES_LITERAL("true")) || bytes_equal(text, BYTES_LITERAL("false")))
        return VALUE_BOOLEAN;
    if (num_parse_i64(text, &number))
        return VALUE_INTEGER;
    if (is_plain_float(text))
        return VALUE_FLOAT;
    bool may_be_number =
        text.n > 0 && (is_digit(text.p[0]) || text.p[0] == '+' || text.p[0] == '-' || text.p[0] == '.');
    return is_odd_word(text) || may_be_number ? 0 : VALUE_STRING;
}

static bool is_word_byte(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' || c == '/' ||
           c == '-';
}

static int put_key(struct buf *out, struct bytes path)
{
    bool is_word = type_of_plain(path) == VALUE_STRING;
    for (size_t i = 0; is_word && i < path.n; i++)
        is_word = is_word_byte(path.p[i]);
    TRY(buf_append_text(out, "  "));
    TRY(is_word ? buf_append(out, path) : put_double_quoted(out, path));
    return buf_append_text(out, ":");
}

/* ---- lists --------------------------------------------------------------------------------------------------------
 */

/* The one way in which a list of texts is written as JSON here. */
static int put_json_element(struct buf *out, struct bytes text)
{
    TRY(buf_append_text(out, buf_size(out) == 0 ? "[" : ","));
    return doc_json_string(out, text);
}

static int end_json_list(struct buf *out)
{
    return buf_append_text(out, buf_size(out) == 0 ? "[]" : "]");
}

static int put_elements(struct buf *out, const struct json *list)
{
    TRY(buf_append_text(out, "["));
    for (size_t i = 0; i < json_count(list); i++) {
        TRY(buf_append_text(out, i > 0 ? ", " : ""));
        TRY(put_text(out, json_text(json_at(list, i)), false));
    }
    return buf_append_text(out, "]");
}

static int make_json(struct buf *out, const struct json *list)
{
    for (size_t i = 0; i < json_count(list); i++)
        TRY(put_json_element(out, json_text(json_at(list, i))));
    return end_json_list(out);
}

/* As a list of YAML, if that stands for the same bytes; else as the text that it is. ret_is_list: which it was. */
static int put_list(struct buf *out, struct bytes value, bool *ret_is_list)
{
    SCOPED(buf_fini) struct buf again;
    struct json *j = NULL;
    char why[1]; /* nobody reads it */
    buf_init_wiping(&again, 8 * VALUE_MAX_BYTES);
    int r = json_parse(value, &j, why, sizeof why);
    if (r == 0)
        r = make_json(&again, j);
    *ret_is_list = r == 0 && bytes_equal(buf_view(&again), value);
    if (*ret_is_list)
        r = put_elements(out, j);
    else if (r >= 0)
        r = put_text(out, value, true);
    json_free(j);
    return r;
}

/* ---- writing ------------------------------------------------------------------------------------------------------
 */

static int put_value(struct buf *out, const struct dump_entry *e)
{
    bool is_list;
    switch (e->type) {
    case VALUE_INTEGER:
    case VALUE_FLOAT:
    case VALUE_BOOLEAN:
        return buf_append(out, e->value);
    case VALUE_BINARY:
        TRY(buf_append_text(out, "\""));
        TRY(code_base64(out, e->value));
        return buf_append_text(out, "\"");
    case VALUE_LIST:
        return put_list(out, e->value, &is_list);
    default:
        return put_text(out, e->value, true);
    }
}

/* True if the value alone says all about the entry. */
static bool is_short(const struct dump_entry *e)
{
    bool has_notes = e->is_sealed || e->comment.n > 0 || e->tags.n > 0 || e->expires[0] != '\0';
    bool is_scalar = e->type == VALUE_INTEGER || e->type == VALUE_FLOAT || e->type == VALUE_BOOLEAN;
    if (has_notes || !e->has_value)
        return false;
    return e->type == VALUE_STRING || (is_scalar && type_of_plain(e->value) == e->type);
}

static int put_tags(struct buf *out, struct bytes tags)
{
    struct bytes tag;
    const char *before = "\n    tags: [";
    if (tags.n == 0)
        return 0;
    while (dump_each_tag(&tags, &tag)) {
        TRY(buf_append_text(out, before));
        TRY(put_double_quoted(out, tag));
        before = ", ";
    }
    return buf_append_text(out, "]");
}

static int put_entry(struct buf *out, const struct dump_entry *e)
{
    assert(e->type != 0);
    TRY(put_key(out, e->path));
    if (is_short(e)) {
        TRY(buf_append_text(out, " "));
        TRY(put_value(out, e));
        return buf_append_text(out, "\n");
    }
    TRY(buf_print(out, "\n    type: %s", value_type_text(e->type)));
    TRY(buf_append_text(out, e->is_sealed ? "\n    sealed: true" : ""));
    if (e->has_value) {
        TRY(buf_append_text(out, "\n    value: "));
        TRY(put_value(out, e));
    }
    if (e->comment.n > 0) {
        TRY(buf_append_text(out, "\n    comment: "));
        TRY(put_text(out, e->comment, true));
    }
    TRY(put_tags(out, e->tags));
    if (e->expires[0] != '\0')
        TRY(buf_print(out, "\n    expires: \"%s\"", e->expires));
    return buf_append_text(out, "\n");
}

int dump_yaml_print(struct buf *out, const struct dump *d, char why[static DUMP_WHY_BYTES])
{
    (void)why;
    TRY(buf_print(out, "format: " DUMP_FORMAT "\nversion: %d\n", DUMP_VERSION));
    if (d->base[0] != '\0') {
        TRY(buf_append_text(out, "base: "));
        TRY(put_double_quoted(out, bytes_of_text(d->base)));
        TRY(buf_append_text(out, "\n"));
    }
    if (d->revision > 0)
        TRY(buf_print(out, "revision: %llu\n", (unsigned long long)d->revision));
    if (d->time[0] != '\0')
        TRY(buf_print(out, "time: \"%s\"\n", d->time));
    TRY(buf_append_text(out, d->count > 0 ? "entries:\n" : "entries: {}\n"));
    for (size_t i = 0; i < d->count; i++)
        TRY(put_entry(out, &d->entries[i]));
    return 0;
}

/* ---- reading ------------------------------------------------------------------------------------------------------
 */

struct reader {
    struct dump *d;
    struct dump_entry e;
    struct buf tags, value;
    bool is_plain, is_list; /* how the value is written */
    char *why;
};

static int refuse(struct reader *r, const struct yaml_node *at, const char *what)
{
    snprintf(r->why, DUMP_WHY_BYTES, "line %u, column %u: %.900s", at->line, at->column, what);
    return DUMP_BAD;
}

static int on_type(struct reader *r, const struct yaml_node *n)
{
    r->e.type = n->kind == YAML_KIND_SCALAR ? value_type_of(n->text) : 0;
    return r->e.type != 0 ? 0 : refuse(r, n, "there is no such type");
}

static int read_list(struct reader *r, const struct yaml_node *n)
{
    for (const struct yaml_node *c = n->first; c != NULL; c = c->next) {
        if (c->kind != YAML_KIND_SCALAR || (c->is_plain && type_of_plain(c->text) != VALUE_STRING))
            return refuse(r, c, "a list holds texts; what may be taken for something else is put in quotes");
        TRY(put_json_element(&r->value, c->text));
    }
    TRY(end_json_list(&r->value));
    r->e.value = buf_view(&r->value);
    r->e.has_value = true;
    return 0;
}

static int on_value(struct reader *r, const struct yaml_node *n)
{
    assert(buf_size(&r->value) == 0);
    if (n->kind == YAML_KIND_MAP)
        return refuse(r, n, "a value is not a map; a value of type json is its text");
    r->is_list = n->kind == YAML_KIND_LIST;
    if (r->is_list)
        return read_list(r, n);
    r->e.has_value = true;
    r->e.value = n->text;
    r->is_plain = n->is_plain;
    return 0;
}

static int on_sealed(struct reader *r, const struct yaml_node *n)
{
    r->e.is_sealed = bytes_equal(n->text, BYTES_LITERAL("true"));
    bool is_good = r->e.is_sealed || bytes_equal(n->text, BYTES_LITERAL("false"));
    return is_good && n->kind == YAML_KIND_SCALAR ? 0 : refuse(r, n, "\"sealed\" is true or false");
}

static int on_comment(struct reader *r, const struct yaml_node *n)
{
    r->e.comment = n->text;
    return n->kind == YAML_KIND_SCALAR ? 0 : refuse(r, n, "\"comment\" is a text");
}

static int on_tags(struct reader *r, const struct yaml_node *n)
{
    if (n->kind != YAML_KIND_LIST)
        return refuse(r, n, "\"tags\" is a list of texts");
    for (const struct yaml_node *c = n->first; c != NULL; c = c->next) {
        int x = c->kind == YAML_KIND_SCALAR ? dump_add_tag(&r->tags, c->text) : DUMP_BAD;
        if (x != 0)
            return x < 0 ? x : refuse(r, c, DUMP_TAG_WHY);
    }
    r->e.tags = buf_view(&r->tags);
    return 0;
}

static int on_expires(struct reader *r, const struct yaml_node *n)
{
    bool is_time = n->kind == YAML_KIND_SCALAR && dump_read_time(n->text, r->e.expires);
    return is_time ? 0 : refuse(r, n, "\"expires\" is a time such as 2026-01-31T12:00:00Z");
}

static const struct member {
    const char *name;
    int (*on)(struct reader *r, const struct yaml_node *n);
} members[] = {{"type", on_type},       {"value", on_value}, {"sealed", on_sealed},
               {"comment", on_comment}, {"tags", on_tags},   {"expires", on_expires}};

static int read_member(struct reader *r, const struct yaml_node *n)
{
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        if (bytes_equal(n->key, bytes_of_text(members[i].name)))
            return members[i].on(r, n);
    }
    return refuse(r, n, "an entry has no such member");
}

/* Type and bytes of a scalar, once all members are known. */
static int settle_value(struct reader *r, const struct yaml_node *n)
{
    if (r->e.type == 0 && !r->e.has_value)
        return refuse(r, n, "an entry has a value, or at least a type");
    if (r->is_list && r->e.type != 0 && r->e.type != VALUE_LIST)
        return refuse(r, n, "only a value of type list is a list");
    if (r->e.type == 0)
        r->e.type = r->is_list ? VALUE_LIST : r->is_plain ? type_of_plain(r->e.value) : VALUE_STRING;
    if (r->e.type == 0)
        return refuse(r, n, "readers of YAML differ in what this is: put it in quotes, or give its type");
    if (r->e.type != VALUE_BINARY || !r->e.has_value)
        return 0;
    int x = code_unbase64(&r->value, r->e.value);
    if (x == CODE_BAD)
        return refuse(r, n, "a value of type binary is base64 text");
    r->e.value = buf_view(&r->value);
    return x;
}

static int add_entry(struct reader *r, const struct yaml_node *n)
{
    char why[DUMP_WHY_BYTES];
    int x = 0;
    r->e = (struct dump_entry){.path = n->key};
    r->is_plain = r->is_list = false;
    buf_clear(&r->tags);
    buf_clear(&r->value);
    if (n->kind != YAML_KIND_MAP)
        x = on_value(r, n);
    for (const struct yaml_node *c = n->first; x == 0 && n->kind == YAML_KIND_MAP && c != NULL; c = c->next)
        x = read_member(r, c);
    if (x == 0)
        x = settle_value(r, n);
    if (x != 0)
        return x;
    x = dump_check(r->d, &r->e, why);
    if (x != 0)
        return x < 0 ? x : refuse(r, n, why);
    if (r->d->count == DUMP_ENTRIES_MAX_COUNT)
        return refuse(r, n, "there are more than 10000 entries");
    return dump_add(r->d, &r->e);
}

static int read_entries(struct reader *r, const struct yaml_node *n)
{
    int x = 0;
    if (n->kind != YAML_KIND_MAP)
        return refuse(r, n, "\"entries\" is a map of paths");
    for (const struct yaml_node *c = n->first; x == 0 && c != NULL; c = c->next)
        x = add_entry(r, c);
    return x;
}

static const struct yaml_node *find(const struct yaml_node *map, const char *name)
{
    for (const struct yaml_node *n = map->first; n != NULL; n = n->next) {
        if (bytes_equal(n->key, bytes_of_text(name)))
            return n;
    }
    return NULL;
}

static bool is_scalar(const struct yaml_node *n, struct bytes text)
{
    return n != NULL && n->kind == YAML_KIND_SCALAR && bytes_equal(n->text, text);
}

static int read_head(struct reader *r, const struct yaml_node *top)
{
    const struct yaml_node *base = find(top, "base"), *revision = find(top, "revision"), *time = find(top, "time");
    char why[DUMP_WHY_BYTES];
    if (!is_scalar(find(top, "format"), BYTES_LITERAL(DUMP_FORMAT)))
        return refuse(r, top, "this is not an export: \"format\" is not \"" DUMP_FORMAT "\"");
    if (!is_scalar(find(top, "version"), BYTES_LITERAL("1")))
        return refuse(r, top, "\"version\" is not 1, which is the only one known here");
    if (base != NULL && dump_check_base(r->d, base->text, why) != 0)
        return refuse(r, base, why);
    if (revision != NULL && (!num_parse_u64(revision->text, INT64_MAX, &r->d->revision) || r->d->revision == 0))
        return refuse(r, revision, "\"revision\" is a number above 0");
    if (time != NULL && !dump_read_time(time->text, r->d->time))
        return refuse(r, time, "\"time\" is a time such as 2026-01-31T12:00:00Z");
    return 0;
}

static int read_top(struct reader *r, const struct yaml_node *top)
{
    static const char *const known[] = {"format", "version", "base", "revision", "time", "entries"};
    const struct yaml_node *entries = find(top, "entries");
    int x = read_head(r, top);
    for (const struct yaml_node *n = top->first; x == 0 && n != NULL; n = n->next) {
        bool is_known = false;
        for (size_t i = 0; i < COUNT_OF(known); i++)
            is_known = is_known || bytes_equal(n->key, bytes_of_text(known[i]));
        x = is_known ? 0 : refuse(r, n, "the document has a member that is not known");
    }
    if (x != 0)
        return x;
    return entries != NULL ? read_entries(r, entries) : refuse(r, top, "\"entries\" is missing");
}

int dump_yaml_parse(struct bytes text, struct dump *ret, char why[static DUMP_WHY_BYTES])
{
    static const struct yaml_limits limits = {DUMP_TEXT_MAX_BYTES, PATH_MAX_BYTES, NODES_MAX_COUNT};
    struct reader r = {.d = ret, .why = why};
    struct yaml_node *top = NULL;
    assert(ret->count == 0);
    int x = yaml_parse_within(text, &limits, &top, why, DUMP_WHY_BYTES);
    if (x != 0)
        return x < 0 ? x : DUMP_BAD;
    buf_init(&r.tags, DUMP_TAGS_MAX_BYTES);
    buf_init_wiping(&r.value, 8 * VALUE_MAX_BYTES);
    x = read_top(&r, top);
    if (x == 0)
        x = dump_sort(ret, why);
    buf_fini(&r.tags);
    buf_fini(&r.value);
    yaml_node_free(top);
    if (x != 0)
        dump_fini(ret);
    return x;
}
