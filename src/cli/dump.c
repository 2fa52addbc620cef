/* dump - see dump.h. Each entry has one block of memory that all its views point into. */
#include "cli/dump.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "model/meta.h"
#include "model/value.h"
#include "wire/json.h"

#define ANY_FOLDER "/registry/system"

static_assert((int)DUMP_TAGS_MAX_BYTES == META_TAGS_MAX_BYTES && (int)DUMP_COMMENT_MAX_BYTES == META_COMMENT_MAX_BYTES,
              "what the registry keeps fits");

void dump_init(struct dump *d)
{
    *d = (struct dump){0};
}

void dump_fini(struct dump *d)
{
    for (size_t i = 0; i < d->count; i++) {
        explicit_bzero(d->entries[i].memory, d->entries[i].memory_bytes);
        free(d->entries[i].memory);
    }
    free(d->entries);
    *d = (struct dump){0};
}

void dump_start(void)
{
    json_start();
}

/* ---- entries ------------------------------------------------------------------------------------------------------
 */

static int reserve(struct dump *d)
{
    if (d->count == DUMP_ENTRIES_MAX_COUNT)
        return RAISE(FAULT_LIMIT);
    if (d->count < d->cap)
        return 0;
    size_t cap = d->cap == 0 ? 64 : d->cap * 2;
    struct dump_entry *entries = realloc(d->entries, cap * sizeof *entries);
    if (entries == NULL)
        return RAISE(-ENOMEM);
    d->entries = entries;
    d->cap = cap;
    return 0;
}

static struct bytes keep(uint8_t **at, struct bytes from)
{
    struct bytes kept = bytes_of(*at, from.n);
    if (from.n > 0)
        memcpy(*at, from.p, from.n);
    *at += from.n;
    return kept;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Blanks around a JSON text are no part of it, and where it is nested in another one they cannot be told apart. */
static struct bytes without_blanks(struct bytes text)
{
    while (text.n > 0 && is_blank(text.p[0]))
        text = bytes_from(text, 1);
    while (text.n > 0 && is_blank(text.p[text.n - 1]))
        text.n--;
    return text;
}

int dump_add(struct dump *d, const struct dump_entry *e)
{
    assert(e->path.n > 0 && (e->has_value || e->value.n == 0));
    TRY(reserve(d));
    struct dump_entry copy = *e;
    if (e->type == VALUE_JSON || e->type == VALUE_LIST)
        copy.value = without_blanks(e->value);
    copy.memory_bytes = e->path.n + copy.value.n + e->comment.n + e->tags.n;
    copy.memory = malloc(copy.memory_bytes);
    if (copy.memory == NULL)
        return RAISE(-ENOMEM);
    uint8_t *at = copy.memory;
    copy.path = keep(&at, e->path);
    copy.value = keep(&at, copy.value);
    copy.comment = keep(&at, e->comment);
    copy.tags = keep(&at, e->tags);
    assert(at == copy.memory + copy.memory_bytes);
    d->entries[d->count++] = copy;
    return 0;
}

void dump_entry_hide(struct dump_entry *e)
{
    assert(e->is_sealed);
    if (e->value.n > 0)
        explicit_bzero(e->memory + (e->value.p - e->memory), e->value.n);
    e->value = BYTES_NONE;
    e->has_value = false;
}

int dump_path_compare(struct bytes a, struct bytes b)
{
    size_t n = MIN_OF(a.n, b.n), i = 0;
    while (i < n && a.p[i] == b.p[i])
        i++;
    if (i == n)
        return a.n < b.n ? -1 : a.n > b.n;
    int x = a.p[i] == '/' ? -1 : a.p[i], y = b.p[i] == '/' ? -1 : b.p[i];
    return x - y;
}

bool dump_path_is_below(struct bytes path, struct bytes folder)
{
    return path.n > folder.n && path.p[folder.n] == '/' && bytes_starts(path, folder);
}

static int compare_entries(const void *a, const void *b)
{
    return dump_path_compare(((const struct dump_entry *)a)->path, ((const struct dump_entry *)b)->path);
}

int dump_sort(struct dump *d, char why[static DUMP_WHY_BYTES])
{
    if (d->count > 0)
        qsort(d->entries, d->count, sizeof *d->entries, compare_entries);
    /* In tree order what lies below an entry follows it at once. */
    for (size_t i = 1; i < d->count; i++) {
        struct bytes a = d->entries[i - 1].path, b = d->entries[i].path;
        if (bytes_equal(a, b))
            snprintf(why, DUMP_WHY_BYTES, "%.*s stands there twice", BYTES_PRINT(a));
        else if (dump_path_is_below(b, a))
            snprintf(why, DUMP_WHY_BYTES, "%.*s is an entry and cannot hold %.*s", BYTES_PRINT(a), BYTES_PRINT(b));
        else
            continue;
        return DUMP_BAD;
    }
    return 0;
}

const struct dump_entry *dump_find(const struct dump *d, struct bytes path)
{
    size_t low = 0, high = d->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = dump_path_compare(path, d->entries[middle].path);
        if (order == 0)
            return &d->entries[middle];
        low = order > 0 ? middle + 1 : low;
        high = order < 0 ? middle : high;
    }
    return NULL;
}

/* ---- checks -------------------------------------------------------------------------------------------------------
 */

static int refuse(char *why, struct bytes path, const char *what)
{
    SCOPED(buf_fini) struct buf safe;
    buf_init(&safe, 4 * PATH_MAX_BYTES);
    struct bytes shown = text_escape(&safe, bytes_head(path, PATH_MAX_BYTES)) == 0 ? buf_view(&safe) : BYTES_NONE;
    snprintf(why, DUMP_WHY_BYTES, "%.*s: %s", (int)MIN_OF(shown.n, (size_t)2 * PATH_MAX_BYTES / 3),
             (const char *)(shown.n > 0 ? shown.p : (const uint8_t *)""), what);
    return DUMP_BAD;
}

int dump_path(const char *base, struct bytes relative, char ret_path[PATH_MAX_BYTES + 1],
              char why[static DUMP_WHY_BYTES])
{
    char path[PATH_MAX_BYTES + 1];
    const char *folder = *base != '\0' ? base : ANY_FOLDER, *what;
    size_t n = strlen(folder);
    if (n + 1 + relative.n > PATH_MAX_BYTES)
        return refuse(why, relative, "the path is too long");
    memcpy(path, folder, n);
    path[n] = '/';
    if (relative.n > 0)
        memcpy(path + n + 1, relative.p, relative.n);
    path[n + 1 + relative.n] = '\0';
    if (!path_check(bytes_of(path, n + 1 + relative.n), &what))
        return refuse(why, relative, what);
    if (ret_path != NULL)
        memcpy(ret_path, path, n + 2 + relative.n);
    return 0;
}

/* A folder that may hold entries. */
int dump_check_base(struct dump *d, struct bytes base, char why[static DUMP_WHY_BYTES])
{
    const char *what;
    if (!path_check(base, &what))
        return refuse(why, base, what);
    bool fits = text_copy(d->base, sizeof d->base, base);
    assert(fits);
    return fits ? 0 : DUMP_BAD;
}

bool dump_read_time(struct bytes text, char ret_time[static CLOCK_TEXT_BYTES])
{
    char copy[CLOCK_TEXT_BYTES];
    struct wall_time t;
    if (!text_copy(copy, sizeof copy, text) || !clock_wall_parse(copy, &t))
        return false;
    clock_wall_text(t, ret_time);
    return true;
}

int dump_add_tag(struct buf *out, struct bytes tag)
{
    uint8_t tail[DUMP_TAGS_MAX_BYTES];
    struct bytes rest = buf_view(out), next = rest, other;
    while (dump_each_tag(&next, &other) && bytes_compare(other, tag) < 0)
        rest = next;
    size_t at = buf_size(out) - rest.n;
    if (buf_size(out) + tag.n + 1 > sizeof tail || bytes_find(tag, '\n') < tag.n)
        return DUMP_BAD;
    if (rest.n > 0)
        memcpy(tail, rest.p, rest.n);
    struct bytes moved = bytes_of(tail, rest.n);
    buf_truncate(out, at);
    TRY(buf_append(out, tag));
    TRY(buf_append(out, BYTES_LITERAL("\n")));
    TRY(buf_append(out, moved));
    return meta_tags_check(buf_view(out)) ? 0 : DUMP_BAD;
}

bool dump_each_tag(struct bytes *rest, struct bytes *ret_tag)
{
    if (rest->n == 0)
        return false;
    size_t n = bytes_find(*rest, '\n');
    assert(n < rest->n);
    *ret_tag = bytes_head(*rest, n);
    *rest = bytes_from(*rest, n + 1);
    return true;
}

static bool is_text(struct bytes text)
{
    return text_is_utf8(text) && bytes_find(text, 0) == text.n;
}

int dump_check(const struct dump *d, const struct dump_entry *e, char why[static DUMP_WHY_BYTES])
{
    char reason[160] = "";
    const char *what = NULL;
    int r = dump_path(d->base, e->path, NULL, why);
    if (r != 0)
        return r;
    if (!is_text(e->comment) || e->comment.n > DUMP_COMMENT_MAX_BYTES)
        return refuse(why, e->path, "a comment is a text of at most 1024 bytes");
    if (!e->has_value && !e->is_sealed)
        return refuse(why, e->path, "there is no value; only a sealed entry may be without");
    if (!e->has_value)
        return 0;
    if (!value_check(e->type, e->value, &what))
        return refuse(why, e->path, what);
    if (value_check_json(e->type, e->value, reason, sizeof reason))
        return 0;
    return reason[0] != '\0' ? refuse(why, e->path, reason) : RAISE(-ENOMEM); /* it says why, but not of memory */
}

/* ---- differences --------------------------------------------------------------------------------------------------
 */

/* Appends the compact form; false if there is none, and then the bytes decide. */
static bool is_compact(struct buf *out, struct bytes value)
{
    struct json *j = NULL;
    char why[1]; /* nobody reads it */
    if (json_parse(value, &j, why, sizeof why) != 0)
        return false;
    int r = json_print(out, j);
    json_free(j);
    return r == 0;
}

static bool is_same_json(struct bytes a, struct bytes b)
{
    SCOPED(buf_fini) struct buf x;
    SCOPED(buf_fini) struct buf y;
    buf_init_wiping(&x, 8 * VALUE_MAX_BYTES);
    buf_init_wiping(&y, 8 * VALUE_MAX_BYTES);
    return is_compact(&x, a) && is_compact(&y, b) && bytes_equal(buf_view(&x), buf_view(&y));
}

static bool is_same_value(const struct dump_entry *a, const struct dump_entry *b)
{
    double x, y;
    if (a->has_value != b->has_value)
        return false;
    if (bytes_equal(a->value, b->value))
        return true;
    if (a->type != b->type)
        return false;
    if (a->type == VALUE_JSON || a->type == VALUE_LIST)
        return is_same_json(a->value, b->value);
    return a->type == VALUE_FLOAT && num_parse_f64(a->value, &x) && num_parse_f64(b->value, &y) && !(x < y) && !(x > y);
}

unsigned dump_differences(const struct dump_entry *a, const struct dump_entry *b)
{
    const struct {
        unsigned part;
        bool is_same;
    } parts[] = {
        {DUMP_TYPE, a->type == b->type},
        {DUMP_VALUE, is_same_value(a, b)},
        {DUMP_SEALED, a->is_sealed == b->is_sealed},
        {DUMP_COMMENT, bytes_equal(a->comment, b->comment)},
        {DUMP_TAGS, bytes_equal(a->tags, b->tags)},
        {DUMP_EXPIRES, strcmp(a->expires, b->expires) == 0},
    };
    unsigned bits = 0;
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        bits |= parts[i].is_same ? 0 : parts[i].part;
    return bits;
}

const char *dump_part_text(unsigned bit)
{
    switch (bit) {
#define DUMP_PART_CASE_(name, bit, word)                                                                               \
    case bit:                                                                                                          \
        return word;
        DUMP_PART_LIST(DUMP_PART_CASE_)
#undef DUMP_PART_CASE_
    default:
        return "";
    }
}

/* ---- formats ------------------------------------------------------------------------------------------------------
 */

static const struct dump_format formats[] = {
    {"json", {".json", NULL}, false, dump_json_print, dump_json_parse},
    {"yaml", {".yaml", ".yml"}, false, dump_yaml_print, dump_yaml_parse},
    {"env", {".env", NULL}, true, dump_env_print, dump_env_parse},
};

const struct dump_format *dump_format(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    }
    return NULL;
}

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), m = end != NULL ? strlen(end) : 0;
    return m > 0 && n >= m && strcmp(text + n - m, end) == 0;
}

const struct dump_format *dump_format_of(const char *file)
{
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        if (ends_in(file, formats[i].suffixes[0]) || ends_in(file, formats[i].suffixes[1]))
            return &formats[i];
    }
    return NULL;
}
