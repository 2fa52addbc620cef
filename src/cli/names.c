/*
 * names - see names.h. A tree is drawn from the sorted list of paths alone: a folder is the run of lines that share its
 * part of the path.
 */
#include "cli/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/cli.h"
#include "model/outcome.h"

enum { NAMES_MAX_COUNT = 10000000, PREFIX_MAX_BYTES = 4096 };

void names_init(struct names *names)
{
    *names = (struct names){0};
}

void names_fini(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
    *names = (struct names){0};
}

int names_add(struct names *names, struct bytes line)
{
    if (names->count == names->cap) {
        size_t cap = names->cap > 0 ? 2 * names->cap : 64;
        char **items = cap <= NAMES_MAX_COUNT ? realloc(names->items, cap * sizeof *items) : NULL;
        if (items == NULL)
            return RAISE(-ENOMEM);
        names->items = items;
        names->cap = cap;
    }
    char *copy = strndup(line.n > 0 ? (const char *)line.p : "", line.n);
    if (copy == NULL)
        return RAISE(-ENOMEM);
    names->items[names->count++] = copy;
    return 0;
}

static int by_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

void names_sort(struct names *names)
{
    if (names->count > 1)
        qsort(names->items, names->count, sizeof *names->items, by_text);
}

/* ---- fetching -----------------------------------------------------------------------------------------------------
 */

static int add_lines(struct names *names, struct bytes text)
{
    while (text.n > 0) {
        size_t n = bytes_find(text, '\n');
        TRY(n > 0 ? names_add(names, bytes_head(text, n)) : 0);
        text = bytes_from(text, n + 1);
    }
    return 0;
}

/* The header that says where the next page begins is encoded as it has to be sent. */
static int next_target(struct buf *target, size_t base_bytes, const struct secreg_answer *answer, bool *ret_has_more)
{
    struct bytes next;
    *ret_has_more = http1_resp_field(&answer->head, "Secreg-Next", &next) == 0 && next.n > 0;
    buf_truncate(target, base_bytes);
    if (!*ret_has_more)
        return 0;
    TRY(buf_append_text(target, "&after="));
    return buf_append(target, next);
}

/* All pages, from the first target on. Returns 0 or a fault; ret_outcome says what the daemon answered. */
static int fetch_pages(struct cli *cli, struct buf *target, struct names *names, unsigned *ret_outcome)
{
    struct secreg_answer answer;
    size_t base_bytes = buf_size(target);
    bool has_more = true;
    while (has_more) {
        struct secreg_ask ask = {.method = "GET",
                                 .target = buf_view(target),
                                 .fields = BYTES_LITERAL("Accept: text/plain\r\n"),
                                 .is_read = true};
        if (!cli_try(cli, &ask, &answer, ret_outcome))
            return 0;
        TRY(add_lines(names, answer.body));
        TRY(next_target(target, base_bytes, &answer, &has_more));
    }
    return 0;
}

static int first_target(struct cli *cli, const char *path, bool is_recursive, struct buf *target)
{
    int status = cli_target_path(cli, target, path, true);
    if (status == 0)
        status = cli_target_arg(cli, target, "limit", "1000");
    if (status == 0 && is_recursive)
        status = cli_target_arg(cli, target, "recursive", NULL);
    return status;
}

int names_fetch(struct cli *cli, const char *path, bool is_recursive, struct names *names)
{
    struct buf target;
    unsigned outcome = OUTCOME_DONE;
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    int status = first_target(cli, path, is_recursive, &target);
    if (status == 0)
        status = cli_fault(cli, fetch_pages(cli, &target, names, &outcome), "cannot take the listing");
    if (status == 0 && outcome != OUTCOME_DONE)
        status = cli_refused(cli, outcome, NULL);
    buf_fini(&target);
    return status;
}

int names_try(struct cli *cli, const char *path, bool is_recursive, struct names *names, unsigned *ret_outcome)
{
    struct buf target;
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    int r = first_target(cli, path, is_recursive, &target) == 0 ? fetch_pages(cli, &target, names, ret_outcome)
                                                                : RAISE(FAULT_LIMIT);
    buf_fini(&target);
    return r;
}

/* ---- drawing ------------------------------------------------------------------------------------------------------
 */

struct drawing {
    const struct names *paths;
    const char *fork, *corner, *pipe, *gap;
    struct buf *out;
    char prefix[PREFIX_MAX_BYTES];
};

/* Bytes of the component that begins at `at`. */
static size_t component(const char *path, size_t at)
{
    return strcspn(path + at, "/");
}

/* First line after `from` that does not share its component at `at`. */
static size_t end_of_run(const struct names *paths, size_t from, size_t to, size_t at)
{
    const char *first = paths->items[from];
    size_t n = component(first, at), i = from + 1;
    while (i < to && strncmp(paths->items[i] + at, first + at, n) == 0 && component(paths->items[i], at) == n)
        i++;
    return i;
}

static int draw_line(struct drawing *d, const char *name, size_t n, bool is_last, bool is_folder)
{
    TRY(buf_append_text(d->out, d->prefix));
    TRY(buf_append_text(d->out, is_last ? d->corner : d->fork));
    TRY(buf_append(d->out, bytes_of(name, n)));
    return buf_append_text(d->out, is_folder ? "/\n" : "\n");
}

static int draw(struct drawing *d, size_t from, size_t to, size_t at)
{
    size_t held = strlen(d->prefix);
    while (from < to) {
        const char *path = d->paths->items[from];
        size_t n = component(path, at), end = end_of_run(d->paths, from, to, at);
        bool is_folder = path[at + n] == '/', is_last = end == to;
        TRY(draw_line(d, path + at, n, is_last, is_folder));
        const char *more = is_last ? d->gap : d->pipe;
        if (is_folder && held + strlen(more) < sizeof d->prefix) {
            memcpy(d->prefix + held, more, strlen(more) + 1);
            TRY(draw(d, from, end, at + n + 1)); /* as deep as a path has components */
            d->prefix[held] = '\0';
        }
        from = end;
    }
    return 0;
}

int names_tree(const struct names *paths, const char *top, bool is_utf8, struct buf *out)
{
    struct drawing d = {.paths = paths, .out = out};
    size_t n = strlen(top), from = 0, to = paths->count;
    while (n > 1 && top[n - 1] == '/')
        n--;
    d.fork = is_utf8 ? "\xe2\x94\x9c\xe2\x94\x80\xe2\x94\x80 " : "|-- ";
    d.corner = is_utf8 ? "\xe2\x94\x94\xe2\x94\x80\xe2\x94\x80 " : "`-- ";
    d.pipe = is_utf8 ? "\xe2\x94\x82   " : "|   ";
    d.gap = "    ";
    TRY(buf_append(out, bytes_of(top, n)));
    TRY(buf_append_text(out, "/\n"));
    while (from < to && (strncmp(paths->items[from], top, n) != 0 || paths->items[from][n] != '/'))
        from++;
    while (to > from && (strncmp(paths->items[to - 1], top, n) != 0 || paths->items[to - 1][n] != '/'))
        to--;
    return draw(&d, from, to, n + 1);
}

bool names_has_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && *value != '\0')
            return strcasestr(value, "utf-8") != NULL || strcasestr(value, "utf8") != NULL;
    }
    return false;
}
