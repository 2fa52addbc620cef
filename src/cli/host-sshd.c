/*
 * host-sshd - sshd_config: which value sshd would use for each option.
 *
 * Invariant: what counts is what sshd would take: the first value of an option that has one, every value of one that
 * may repeat. A Match block ends with its file, and a block in an included file needs the conditions around it, too.
 * Source: sshd_config(5); servconf.c and argv_split() of OpenSSH 9.2.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/host-internal.h"

#define SSHD_FOLDER HOST_SYSTEM "/services/sshd"

/* How the values of an option are kept. */
enum kind {
    KIND_ONE,   /* a string: the first line that has it */
    KIND_TEXT,  /* the same, and its value is the rest of the line as it stands */
    KIND_FIRST, /* a list: the values of the first line */
    KIND_EACH,  /* a list: every value of every line */
    KIND_LINES, /* a list: every line */
};

static const struct row {
    const char *name;
    enum kind kind;
} rows[] = {
    {"acceptenv", KIND_EACH},
    {"allowgroups", KIND_EACH},
    {"allowusers", KIND_EACH},
    {"authenticationmethods", KIND_FIRST},
    {"authorizedkeysfile", KIND_FIRST},
    {"channeltimeout", KIND_FIRST},
    {"denygroups", KIND_EACH},
    {"denyusers", KIND_EACH},
    {"forcecommand", KIND_TEXT},
    {"hostcertificate", KIND_EACH},
    {"hostkey", KIND_EACH},
    {"listenaddress", KIND_LINES},
    {"logverbose", KIND_FIRST},
    {"permitlisten", KIND_FIRST},
    {"permitopen", KIND_FIRST},
    {"port", KIND_EACH},
    {"setenv", KIND_FIRST},
    {"subsystem", KIND_LINES},
    {"versionaddendum", KIND_TEXT},
};

enum { NAME_BYTES = 64, CRITERIA_MAX_BYTES = 8192 };

/* The block of a Match line that could not be taken: what follows it must not count for another one. */
#define NO_BLOCK SIZE_MAX

struct option {
    char name[NAME_BYTES]; /* in lower case */
    enum kind kind;
    struct host_names values;
};

struct block {
    char *criteria; /* NULL for the part outside Match */
    struct option *options;
    size_t count, cap;
};

struct host_sshd {
    struct host_settings *settings;
    host_include_fn *include;
    void *arg;
    struct block *blocks;
    size_t count, cap;
    size_t current; /* the block that lines go to */
    unsigned depth, files;
};

/* Where a line stands, for reports. */
struct place {
    struct host_sshd *d;
    const char *file;
    unsigned line;
};

static int skip(const struct place *at, const char *why)
{
    return host_skip_line(at->d->settings, at->file, at->line, why);
}

/* ---- blocks -------------------------------------------------------------------------------------------------------
 */

static void block_fini(struct block *b)
{
    for (size_t i = 0; i < b->count; i++)
        host_names_fini(&b->options[i].values);
    free(b->options);
    free(b->criteria);
}

struct host_sshd *host_sshd_free(struct host_sshd *d)
{
    if (d == NULL)
        return NULL;
    for (size_t i = 0; i < d->count; i++)
        block_fini(&d->blocks[i]);
    free(d->blocks);
    free(d);
    return NULL;
}

static int add_block(struct host_sshd *d, char **criteria)
{
    if (d->count == d->cap) {
        size_t cap = d->cap == 0 ? 4 : d->cap * 2;
        struct block *blocks = realloc(d->blocks, cap * sizeof *blocks);
        if (blocks == NULL)
            return RAISE(-ENOMEM);
        d->blocks = blocks;
        d->cap = cap;
    }
    d->current = d->count;
    d->blocks[d->count++] = (struct block){.criteria = TAKE(*criteria)};
    return 0;
}

struct host_sshd *host_sshd_new(struct host_settings *s, host_include_fn *include, void *arg)
{
    struct host_sshd *d = calloc(1, sizeof *d);
    char *none = NULL;
    if (d == NULL)
        return NULL;
    *d = (struct host_sshd){.settings = s, .include = include, .arg = arg};
    return add_block(d, &none) < 0 ? host_sshd_free(d) : d;
}

static enum kind kind_of(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (strcmp(rows[i].name, name) == 0)
            return rows[i].kind;
    }
    return KIND_ONE;
}

static struct option *find_option(const struct block *b, const char *name)
{
    for (size_t i = 0; i < b->count; i++) {
        if (strcmp(b->options[i].name, name) == 0)
            return &b->options[i];
    }
    return NULL;
}

/* Returns the new option, or NULL if there is no memory. */
static struct option *add_option(struct block *b, const char *name)
{
    if (b->count == b->cap) {
        size_t cap = b->cap == 0 ? 16 : b->cap * 2;
        struct option *options = realloc(b->options, cap * sizeof *options);
        if (options == NULL)
            return NULL;
        b->options = options;
        b->cap = cap;
    }
    struct option *o = &b->options[b->count++];
    *o = (struct option){.kind = kind_of(name)};
    assert(strlen(name) < sizeof o->name);
    memcpy(o->name, name, strlen(name) + 1);
    return o;
}

/* ---- arguments ----------------------------------------------------------------------------------------------------
 */

static bool is_escape(struct bytes in, size_t i, uint8_t quote)
{
    if (in.p[i] != '\\' || i + 1 >= in.n)
        return false;
    uint8_t next = in.p[i + 1];
    return next == '\'' || next == '"' || next == '\\' || (quote == 0 && next == ' ');
}

/* One argument with its quotes and escapes undone, appended to `out`. Returns bytes used, or SIZE_MAX: open quote. */
static int read_argument(struct buf *out, struct bytes in, size_t *ret_used)
{
    uint8_t quote = 0;
    size_t i;
    for (i = 0; i < in.n; i++) {
        uint8_t c = in.p[i];
        bool is_mark = c == '"' || c == '\'';
        if (quote == 0 && (c == ' ' || c == '\t'))
            break;
        if (is_escape(in, i, quote))
            c = in.p[++i];
        else if (is_mark && (quote == 0 || quote == c)) {
            quote = quote == 0 ? c : 0;
            continue;
        }
        TRY(buf_append(out, bytes_of(&c, 1)));
    }
    *ret_used = quote == 0 ? i : SIZE_MAX;
    return 0;
}

enum { ARGUMENTS_BAD = 1 };

/* All arguments up to the end or a comment. Returns 0, ARGUMENTS_BAD (open quote, or none), or a fault. */
static int read_arguments(struct host_names *args, struct bytes rest)
{
    SCOPED(buf_fini) struct buf one;
    size_t used;
    buf_init(&one, HOST_FILE_MAX_BYTES);
    for (rest = host_trim(rest); rest.n > 0 && rest.p[0] != '#'; rest = host_trim(bytes_from(rest, used))) {
        buf_clear(&one);
        TRY(read_argument(&one, rest, &used));
        if (used == SIZE_MAX)
            return ARGUMENTS_BAD;
        TRY(host_names_add(args, buf_view(&one)));
    }
    return args->count > 0 ? 0 : ARGUMENTS_BAD;
}

static bool needs_quotes(struct bytes arg)
{
    const struct bytes marks = BYTES_LITERAL(" \t\"'\\#");
    for (size_t i = 0; i < arg.n; i++) {
        if (bytes_find(marks, arg.p[i]) != marks.n)
            return true;
    }
    return arg.n == 0;
}

static int print_argument(struct buf *out, struct bytes arg)
{
    if (!needs_quotes(arg))
        return buf_append(out, arg);
    TRY(buf_append_text(out, "\""));
    for (size_t i = 0; i < arg.n; i++) {
        if (arg.p[i] == '"' || arg.p[i] == '\\')
            TRY(buf_append_text(out, "\\"));
        TRY(buf_append(out, bytes_of(arg.p + i, 1)));
    }
    return buf_append_text(out, "\"");
}

/* Several arguments as one line that reads back as the same arguments; a single one as it is. */
static int print_arguments(struct buf *out, const struct host_names *args)
{
    assert(args->count > 0);
    if (args->count == 1)
        return buf_append(out, args->items[0]);
    for (size_t i = 0; i < args->count; i++) {
        if (i > 0)
            TRY(buf_append_text(out, " "));
        TRY(print_argument(out, args->items[i]));
    }
    return 0;
}

/* ---- lines --------------------------------------------------------------------------------------------------------
 */

static int add_joined(struct option *o, const struct host_names *args)
{
    SCOPED(buf_fini) struct buf line;
    buf_init(&line, 3 * (size_t)HOST_FILE_MAX_BYTES);
    TRY(print_arguments(&line, args));
    return host_names_add(&o->values, buf_view(&line));
}

static int add_values(struct option *o, const struct host_names *args, struct bytes rest)
{
    bool is_first = o->values.count == 0;
    if (o->kind == KIND_LINES || (o->kind == KIND_ONE && is_first))
        return add_joined(o, args);
    if (o->kind == KIND_TEXT && is_first)
        return host_names_add(&o->values, host_trim(rest));
    if (o->kind == KIND_EACH || (o->kind == KIND_FIRST && is_first)) {
        for (size_t i = 0; i < args->count; i++)
            TRY(host_names_add(&o->values, args->items[i]));
    }
    return 0;
}

static int read_option(const struct place *at, const char *name, const struct host_names *args, struct bytes rest)
{
    if (at->d->current == NO_BLOCK)
        return 0;
    struct block *b = &at->d->blocks[at->d->current];
    struct option *o = find_option(b, name);
    if (o == NULL && b->count == HOST_SSHD_OPTIONS_MAX_COUNT)
        return skip(at, "there are too many options");
    if (o == NULL)
        o = add_option(b, name);
    return o == NULL ? RAISE(-ENOMEM) : add_values(o, args, rest);
}

/* The condition of a block: that of the block around an Include, and its own. `outer` is 0 outside of all. */
static int print_criteria(struct buf *out, const struct block *outer, const struct host_names *args)
{
    if (outer->criteria != NULL && strcmp(outer->criteria, "all") != 0) {
        TRY(buf_append_text(out, outer->criteria));
        TRY(buf_append_text(out, " "));
    }
    return print_arguments(out, args);
}

static int read_match(const struct place *at, size_t outer, const struct host_names *args)
{
    SCOPED(buf_fini) struct buf text;
    struct host_sshd *d = at->d;
    buf_init(&text, 4 * (size_t)HOST_FILE_MAX_BYTES);
    d->current = NO_BLOCK;
    if (d->count == HOST_SSHD_BLOCKS_MAX_COUNT)
        return skip(at, "there are too many Match blocks");
    assert(outer < d->count);
    TRY(print_criteria(&text, &d->blocks[outer], args));
    if (buf_size(&text) > CRITERIA_MAX_BYTES)
        return skip(at, "the condition is too long");
    char *own = malloc(buf_size(&text) + 1);
    if (own == NULL)
        return RAISE(-ENOMEM);
    bool fits = text_copy(own, buf_size(&text) + 1, buf_view(&text));
    assert(fits);
    int r = fits ? add_block(d, &own) : RAISE(FAULT_INTERNAL);
    free(own);
    return r;
}

static int read_include(const struct place *at, const struct host_names *args)
{
    struct host_sshd *d = at->d;
    if (d->current == NO_BLOCK)
        return 0;
    if (d->depth == HOST_INCLUDE_DEPTH_MAX_COUNT)
        return skip(at, "files include each other too deeply");
    for (size_t i = 0; i < args->count; i++)
        TRY(d->include(d, args->items[i], d->arg));
    return 0;
}

/* Takes "Keyword value", "Keyword=value" or "Keyword = value" apart; `name` gets the keyword in lower case. */
static bool read_keyword(struct bytes line, char name[static NAME_BYTES], struct bytes *ret_rest)
{
    size_t n = 0;
    while (n < line.n && line.p[n] != ' ' && line.p[n] != '\t' && line.p[n] != '=')
        n++;
    struct bytes rest = host_trim(bytes_from(line, n));
    if (rest.n > 0 && rest.p[0] == '=')
        rest = host_trim(bytes_from(rest, 1));
    *ret_rest = rest;
    return host_lower(name, NAME_BYTES, bytes_head(line, n));
}

static int read_line(const struct place *at, size_t outer, struct bytes line)
{
    SCOPED(host_names_fini) struct host_names args = {0};
    char name[NAME_BYTES];
    struct bytes rest;
    if (!read_keyword(line, name, &rest) || bytes_find(rest, 0) != rest.n)
        return skip(at, "it is not a keyword and text");
    bool is_match = strcmp(name, "match") == 0;
    int r = read_arguments(&args, rest);
    if (r < 0)
        return r;
    if (r == ARGUMENTS_BAD && is_match)
        at->d->current = NO_BLOCK;
    /* A command is taken as it stands, so its quotes are its own. */
    if (r == ARGUMENTS_BAD && (rest.n == 0 || kind_of(name) != KIND_TEXT))
        return skip(at, rest.n == 0 ? "it has no value" : "a quote is not closed, or there is only a comment");
    if (is_match)
        return read_match(at, outer, &args);
    if (strcmp(name, "include") == 0)
        return read_include(at, &args);
    return read_option(at, name, &args, rest);
}

int host_sshd_parse(struct host_sshd *d, const char *name, struct bytes text)
{
    struct place at = {.d = d, .file = name, .line = 1};
    size_t outer = d->current;
    struct bytes line;
    int r = 0;
    assert(d->depth <= HOST_INCLUDE_DEPTH_MAX_COUNT);
    if (d->files == HOST_INCLUDED_FILES_MAX_COUNT)
        return host_skip(d->settings, bytes_of_text(name), "there are too many included files");
    d->files++;
    d->depth++;
    for (; r == 0 && host_next_line(&text, &line); at.line++) {
        line = host_trim(line);
        if (line.n > 0 && line.p[0] != '#')
            r = read_line(&at, outer, line);
    }
    d->depth--;
    d->current = outer;
    return r;
}

/* ---- settings -----------------------------------------------------------------------------------------------------
 */

static int finish_block(struct host_sshd *d, const struct block *b, const struct host_path *folder)
{
    for (size_t i = 0; i < b->count; i++) {
        const struct option *o = &b->options[i];
        bool is_text = o->kind == KIND_ONE || o->kind == KIND_TEXT;
        assert(o->values.count > 0 && (!is_text || o->values.count == 1));
        if (is_text)
            TRY(host_add_at(d->settings, folder, o->name, VALUE_STRING, o->values.items[0]));
        else
            TRY(host_add_names(d->settings, folder, o->name, &o->values));
    }
    return 0;
}

int host_sshd_finish(struct host_sshd *d)
{
    struct host_path folder;
    char number[24];
    host_path_init(&folder, SSHD_FOLDER);
    TRY(finish_block(d, &d->blocks[0], &folder));
    host_path_push(&folder, BYTES_LITERAL("match"));
    for (size_t i = 1; i < d->count; i++) {
        snprintf(number, sizeof number, "%zu", i);
        size_t n = host_path_push(&folder, bytes_of_text(number));
        TRY(host_add_at(d->settings, &folder, "criteria", VALUE_STRING, bytes_of_text(d->blocks[i].criteria)));
        TRY(finish_block(d, &d->blocks[i], &folder));
        host_path_pop(&folder, n);
    }
    return 0;
}
