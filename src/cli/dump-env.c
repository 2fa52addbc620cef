/*
 * dump-env - the format env of dump.h: NAME="value" lines as POSIX shells and the EnvironmentFile= of systemd read
 * them.
 *
 * Names are made as for `sreg run`, and what that refuses is refused here: who may write an entry must not thereby run
 * code in a program that reads the file. A comment "#: PATH" before a line keeps the path. Without it a name stands for
 * the entry of a tree that has it (dump_env_adopt()), or for a path in lower case with a slash for two underscores.
 * Nothing is expanded: a value with a dollar sign that is not quoted is refused. Source: POSIX.1-2017 XCU 2.2 and 8.1;
 * systemd.exec(5).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/code.h"
#include "base/text.h"
#include "cli/dump.h"
#include "cli/inject.h"
#include "model/value.h"

#define PATH_MARK "#: "

/* ---- names --------------------------------------------------------------------------------------------------------
 */

static bool is_upper(uint8_t c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_byte(uint8_t c)
{
    return is_upper(c) || (c >= 'a' && c <= 'z') || is_digit(c) || c == '_';
}

/* The name of a relative path, as a C string. Results as inject_name_of(). */
static int name_of(struct bytes path, char ret_name[static INJECT_NAME_MAX_BYTES])
{
    char whole[PATH_MAX_BYTES + 2] = "/";
    assert(path.n > 0 && path.n <= PATH_MAX_BYTES);
    memcpy(whole + 1, path.p, path.n);
    return inject_name_of(bytes_of(whole, path.n + 1), BYTES_NONE, "", "", ret_name);
}

static int append_path(struct buf *out, struct bytes name)
{
    while (name.n > 0) {
        bool is_slash = bytes_starts(name, BYTES_LITERAL("__"));
        char c = (char)(is_upper(name.p[0]) ? name.p[0] - 'A' + 'a' : name.p[0]);
        TRY(is_slash ? buf_append_text(out, "/") : buf_append(out, bytes_of(&c, 1)));
        name = bytes_from(name, is_slash ? 2 : 1);
    }
    return 0;
}

/* Entries that have a name, in the order of their names. */
struct named {
    const struct dump_entry *entry;
    char *name;
};

struct names {
    struct named *items;
    size_t count;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static void names_drop(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i].name);
    free(names->items);
    *names = (struct names){0};
}

static int names_make(const struct dump *d, struct names *ret)
{
    char name[INJECT_NAME_MAX_BYTES];
    *ret = (struct names){.items = calloc(d->count + 1, sizeof *ret->items)};
    if (ret->items == NULL)
        return RAISE(-ENOMEM);
    for (size_t i = 0; i < d->count; i++) {
        if (name_of(d->entries[i].path, name) != 0)
            continue;
        struct bytes all = bytes_of_text(name);
        char *copy = malloc(all.n + 1);
        if (copy == NULL) {
            names_drop(ret);
            return RAISE(-ENOMEM);
        }
        memcpy(copy, name, all.n + 1);
        ret->items[ret->count++] = (struct named){&d->entries[i], copy};
    }
    qsort(ret->items, ret->count, sizeof *ret->items, compare_names);
    return 0;
}

/* The entry of a name, or NULL; DUMP_BAD if there are two. */
static int names_find(const struct names *names, const char *name, const struct dump_entry **ret, char *why)
{
    const struct named wanted = {.name = (char *)(uintptr_t)name};
    const struct named *end = names->items + names->count;
    const struct named *found = bsearch(&wanted, names->items, names->count, sizeof wanted, compare_names);
    *ret = found != NULL ? found->entry : NULL;
    if (found == NULL)
        return 0;
    const struct named *other = found + 1 < end && strcmp(found[1].name, name) == 0 ? found + 1 : found - 1;
    if (other < names->items || strcmp(other->name, name) != 0)
        return 0;
    snprintf(why, DUMP_WHY_BYTES, "%.*s and %.*s would have the same name in the format env",
             BYTES_PRINT(found->entry->path), BYTES_PRINT(other->entry->path));
    return DUMP_BAD;
}

/* ---- writing ------------------------------------------------------------------------------------------------------
 */

static int put_quoted(struct buf *out, struct bytes text)
{
    TRY(buf_append_text(out, "\""));
    for (size_t i = 0; i < text.n; i++) {
        char c = (char)text.p[i];
        bool is_special = c == '"' || c == '\\' || c == '$' || c == '`';
        TRY(buf_append_text(out, is_special ? "\\" : ""));
        TRY(buf_append(out, bytes_of(&c, 1)));
    }
    return buf_append_text(out, "\"\n");
}

static int put_entry(struct buf *out, const struct dump_entry *e, char *why)
{
    char name[INJECT_NAME_MAX_BYTES];
    int x = e->has_value ? name_of(e->path, name) : 0;
    if (x != 0) {
        const char *what = x == INJECT_SPECIAL ? "programs obey a variable of this name" : inject_why(x);
        snprintf(why, DUMP_WHY_BYTES, "%.*s: %s", BYTES_PRINT(e->path), what);
        return DUMP_BAD;
    }
    TRY(buf_append_text(out, e->has_value ? PATH_MARK : "# sealed and left out: "));
    TRY(buf_append(out, e->path));
    TRY(buf_append_text(out, "\n"));
    if (!e->has_value)
        return 0;
    TRY(buf_append_text(out, name));
    TRY(buf_append_text(out, "="));
    if (e->type != VALUE_BINARY)
        return put_quoted(out, e->value);
    TRY(buf_append_text(out, "\""));
    TRY(code_base64(out, e->value));
    return buf_append_text(out, "\"\n");
}

/* A path holds no control character, so it cannot leave the line of its comment. */
static int put_head(struct buf *out, const struct dump *d)
{
    TRY(buf_append_text(out, "# Values of the registry"));
    TRY(buf_append_text(out, d->base[0] != '\0' ? " below " : ""));
    TRY(buf_append_text(out, d->base));
    if (d->revision > 0)
        TRY(buf_print(out, ", revision %llu", (unsigned long long)d->revision));
    TRY(buf_append_text(out, d->time[0] != '\0' ? ", " : ""));
    TRY(buf_append_text(out, d->time));
    return buf_append_text(out, "\n# Without types, comments, tags and expiry, which the format env cannot keep\n");
}

int dump_env_print(struct buf *out, const struct dump *d, char why[static DUMP_WHY_BYTES])
{
    struct names names;
    const struct dump_entry *e;
    TRY(names_make(d, &names));
    int r = 0;
    for (size_t i = 0; r == 0 && i < names.count; i++)
        r = names_find(&names, names.items[i].name, &e, why);
    names_drop(&names);
    if (r == 0)
        r = put_head(out, d);
    for (size_t i = 0; r == 0 && i < d->count; i++)
        r = put_entry(out, &d->entries[i], why);
    return r;
}

/* ---- reading ------------------------------------------------------------------------------------------------------
 */

struct reader {
    struct dump *d;
    struct bytes in;
    size_t line;       /* from 1 */
    struct bytes path; /* given for the line that follows; else empty */
    struct buf made, value;
    char *why;
};

static int refuse(struct reader *r, const char *what)
{
    snprintf(r->why, DUMP_WHY_BYTES, "line %zu: %.900s", r->line, what);
    return DUMP_BAD;
}

static bool take(struct reader *r, struct bytes what)
{
    if (!bytes_starts(r->in, what))
        return false;
    r->in = bytes_from(r->in, what.n);
    return true;
}

static bool is_bare_byte(uint8_t c)
{
    static const char marks[] = "_./:@%+,=-";
    return (is_name_byte(c) && c != '_') || (c != '\0' && strchr(marks, c) != NULL);
}

/* Up to the quote; a backslash there takes its meaning from what follows, as in a shell. */
static int read_double_quoted(struct reader *r)
{
    while (r->in.n > 0 && r->in.p[0] != '"') {
        size_t used = r->in.p[0] == '\\' ? 2 : 1;
        if (r->in.p[0] == '$' || r->in.p[0] == '`')
            return refuse(r, "nothing is expanded: put a backslash before $ and `");
        if (used == 2 && (r->in.n < 2 || strchr("\"\\$`", r->in.p[1]) == NULL || r->in.p[1] == '\0'))
            return refuse(r, "a backslash stands before \", \\, $ or ` only");
        r->line += r->in.p[0] == '\n';
        TRY(buf_append(&r->value, bytes_of(r->in.p + used - 1, 1)));
        r->in = bytes_from(r->in, used);
    }
    return take(r, BYTES_LITERAL("\"")) ? 0 : refuse(r, "a quote has no end");
}

static int read_single_quoted(struct reader *r)
{
    size_t n = bytes_find(r->in, '\'');
    if (n == r->in.n)
        return refuse(r, "a quote has no end");
    for (size_t i = 0; i < n; i++)
        r->line += r->in.p[i] == '\n';
    TRY(buf_append(&r->value, bytes_head(r->in, n)));
    r->in = bytes_from(r->in, n + 1);
    return 0;
}

static int read_bare(struct reader *r)
{
    size_t n = 0;
    while (n < r->in.n && is_bare_byte(r->in.p[n]))
        n++;
    TRY(buf_append(&r->value, bytes_head(r->in, n)));
    r->in = bytes_from(r->in, n);
    return 0;
}

static int read_value(struct reader *r)
{
    if (take(r, BYTES_LITERAL("\"")))
        return read_double_quoted(r);
    return take(r, BYTES_LITERAL("'")) ? read_single_quoted(r) : read_bare(r);
}

static int add_entry(struct reader *r, struct bytes path)
{
    char why[DUMP_WHY_BYTES];
    struct dump_entry e = {.path = path, .value = buf_view(&r->value), .has_value = true, .is_named = r->path.n == 0};
    struct dump_entry as_text = e;
    as_text.type = VALUE_STRING; /* what it really is, is known only beside a tree */
    int x = dump_check(r->d, &as_text, why);
    if (x != 0)
        return x < 0 ? x : refuse(r, why);
    if (r->d->count == DUMP_ENTRIES_MAX_COUNT)
        return refuse(r, "there are more than 10000 entries");
    return dump_add(r->d, &e);
}

/* The path of a name: the one that is given, if the name is still its own; else one that is made. */
static int find_path(struct reader *r, struct bytes name, struct bytes *ret_path)
{
    char wanted[INJECT_NAME_MAX_BYTES];
    *ret_path = r->path;
    if (r->path.n > PATH_MAX_BYTES)
        return refuse(r, "the path is too long");
    if (r->path.n > 0 && (name_of(r->path, wanted) != 0 || !bytes_equal(name, bytes_of_text(wanted))))
        return refuse(r, "this is not the name of the path in the line before");
    if (r->path.n > 0)
        return 0;
    buf_clear(&r->made);
    TRY(append_path(&r->made, name));
    *ret_path = buf_view(&r->made);
    return 0;
}

static int read_assignment(struct reader *r)
{
    size_t n = 0;
    struct bytes path;
    buf_clear(&r->value);
    (void)take(r, BYTES_LITERAL("export "));
    while (n < r->in.n && is_name_byte(r->in.p[n]))
        n++;
    if (n == 0 || is_digit(r->in.p[0]) || n == r->in.n || r->in.p[n] != '=')
        return refuse(r, "this is not NAME=value");
    if (n > PATH_MAX_BYTES)
        return refuse(r, "the name is too long");
    int x = find_path(r, bytes_head(r->in, n), &path);
    r->in = bytes_from(r->in, n + 1);
    if (x == 0)
        x = read_value(r);
    if (x == 0 && r->in.n > 0 && r->in.p[0] != '\n')
        x = refuse(r, "something follows the value; put it in quotes");
    if (x == 0)
        x = add_entry(r, path);
    r->path = BYTES_NONE;
    return x;
}

static int read_comment(struct reader *r)
{
    struct bytes line = bytes_head(r->in, bytes_find(r->in, '\n'));
    r->in = bytes_from(r->in, line.n);
    if (!bytes_starts(line, BYTES_LITERAL(PATH_MARK)))
        return 0;
    r->path = bytes_from(line, sizeof PATH_MARK - 1);
    return r->path.n > 0 ? 0 : refuse(r, "there is no path");
}

static int read_line(struct reader *r)
{
    int x = 0;
    bool is_comment = r->in.p[0] == '#', is_empty = r->in.p[0] == '\n';
    if (r->path.n > 0 && (is_comment || is_empty))
        x = refuse(r, "what belongs to the path in the line before is missing");
    else if (!is_empty)
        x = is_comment ? read_comment(r) : read_assignment(r);
    if (x == 0 && r->in.n > 0) {
        assert(r->in.p[0] == '\n');
        r->in = bytes_from(r->in, 1);
        r->line++;
    }
    return x;
}

int dump_env_parse(struct bytes text, struct dump *ret, char why[static DUMP_WHY_BYTES])
{
    struct reader r = {.d = ret, .in = text, .line = 1, .why = why};
    int x = text.n <= DUMP_TEXT_MAX_BYTES ? 0 : refuse(&r, "the text is too long");
    assert(ret->count == 0);
    buf_init(&r.made, PATH_MAX_BYTES);
    buf_init_wiping(&r.value, DUMP_TEXT_MAX_BYTES);
    while (x == 0 && r.in.n > 0)
        x = read_line(&r);
    if (x == 0 && r.path.n > 0)
        x = refuse(&r, "what belongs to the path in the line before is missing");
    if (x == 0)
        x = dump_sort(ret, why);
    buf_fini(&r.made);
    buf_fini(&r.value);
    if (x != 0)
        dump_fini(ret);
    return x;
}

/* ---- beside a tree ------------------------------------------------------------------------------------------------
 */

/* The entry of the tree that is meant, or NULL. */
static int find_like(const struct dump *tree, const struct names *names, const struct dump_entry *e,
                     const struct dump_entry **ret, char *why)
{
    char name[INJECT_NAME_MAX_BYTES];
    *ret = dump_find(tree, e->path);
    if (*ret != NULL || !e->is_named || name_of(e->path, name) != 0)
        return 0;
    return names_find(names, name, ret, why);
}

/* like: the entry of the tree, or NULL; binary: room for its bytes */
static int adopt_entry(struct dump *out, const struct dump_entry *e, const struct dump_entry *like, struct buf *binary,
                       char *why)
{
    struct dump_entry whole = like != NULL ? *like : (struct dump_entry){.path = e->path, .type = VALUE_STRING};
    whole.value = e->value;
    whole.has_value = true;
    buf_clear(binary);
    int r = whole.type == VALUE_BINARY ? code_unbase64(binary, e->value) : 0;
    if (r == CODE_BAD) {
        snprintf(why, DUMP_WHY_BYTES, "%.*s: a value of type binary is base64 text", BYTES_PRINT(whole.path));
        return DUMP_BAD;
    }
    if (whole.type == VALUE_BINARY)
        whole.value = buf_view(binary);
    if (r == 0)
        r = dump_check(out, &whole, why);
    return r == 0 ? dump_add(out, &whole) : r;
}

int dump_env_adopt(struct dump *d, const struct dump *tree, char why[static DUMP_WHY_BYTES])
{
    SCOPED(buf_fini) struct buf binary;
    struct names names;
    struct dump out;
    const struct dump_entry *like;
    int r = 0;
    buf_init_wiping(&binary, VALUE_MAX_BYTES + 3);
    TRY(names_make(tree, &names));
    dump_init(&out);
    memcpy(out.base, d->base, sizeof out.base);
    for (size_t i = 0; r == 0 && i < d->count; i++) {
        r = find_like(tree, &names, &d->entries[i], &like, why);
        if (r == 0)
            r = adopt_entry(&out, &d->entries[i], like, &binary, why);
    }
    names_drop(&names);
    if (r == 0)
        r = dump_sort(&out, why);
    if (r == 0) {
        dump_fini(d);
        *d = out;
        return 0;
    }
    dump_fini(&out);
    return r;
}
