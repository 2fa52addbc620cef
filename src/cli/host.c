/*
 * host - the set of settings; see host.h.
 *
 * Invariant: every setting in the set has a path that path_check() and a value that value_check() and
 * value_check_json() accept, so that the registry refuses none of them for its form.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/host-internal.h"
#include "model/path.h"
#include "wire/doc.h"

static_assert(HOST_PATH_ROOM_BYTES > PATH_MAX_BYTES + 2, "a path that was cut is longer than any legal one");

void host_init(struct host_settings *s)
{
    *s = (struct host_settings){0};
}

static void free_texts(char **texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(texts[i]);
    free(texts);
}

static void free_setting(struct host_setting *setting)
{
    free(setting->path);
    free(setting->value);
}

void host_fini(struct host_settings *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->count; i++)
        free_setting(&s->items[i]);
    free(s->items);
    free_texts(s->skipped, s->skipped_count);
    free_texts(s->unread, s->unread_count);
    host_init(s);
}

static void *copy_bytes(struct bytes from)
{
    uint8_t *copy = malloc(from.n + 1);
    if (copy == NULL)
        return NULL;
    if (from.n > 0)
        memcpy(copy, from.p, from.n);
    copy[from.n] = '\0';
    return copy;
}

/* Room for one more element in an array that doubles. */
static int grow(void **items, size_t count, size_t *cap, size_t element_bytes)
{
    assert(count <= *cap);
    if (count < *cap)
        return 0;
    size_t more = *cap == 0 ? 16 : *cap * 2;
    assert(more <= SIZE_MAX / element_bytes);
    void *p = realloc(*items, more * element_bytes);
    if (p == NULL)
        return RAISE(-ENOMEM);
    *items = p;
    *cap = more;
    return 0;
}

/* ---- paths --------------------------------------------------------------------------------------------------------
 */

void host_path_init(struct host_path *p, const char *folder)
{
    p->n = strlen(folder);
    assert(p->n > 0 && p->n < sizeof p->text);
    memcpy(p->text, folder, p->n + 1);
}

size_t host_path_push(struct host_path *p, struct bytes name)
{
    size_t before = p->n;
    assert(bytes_find(name, '/') == name.n);
    size_t n = MIN_OF(name.n, sizeof p->text - 2 - MIN_OF(p->n, sizeof p->text - 2));
    if (p->n < sizeof p->text - 1)
        p->text[p->n++] = '/';
    if (n > 0)
        memcpy(p->text + p->n, name.p, n);
    p->n += n;
    assert(p->n < sizeof p->text);
    p->text[p->n] = '\0';
    return before;
}

void host_path_pop(struct host_path *p, size_t n)
{
    assert(n <= p->n);
    p->n = n;
    p->text[n] = '\0';
}

struct bytes host_path_view(const struct host_path *p)
{
    return bytes_of(p->text, p->n);
}

/* ---- lists of names -----------------------------------------------------------------------------------------------
 */

int host_names_add(struct host_names *names, struct bytes name)
{
    void *items = names->items;
    TRY(grow(&items, names->count, &names->cap, sizeof *names->items));
    names->items = items;
    uint8_t *copy = copy_bytes(name);
    if (copy == NULL)
        return RAISE(-ENOMEM);
    names->items[names->count++] = bytes_of(copy, name.n);
    return 0;
}

static void free_name(struct bytes name)
{
    union {
        const uint8_t *lent;
        void *own;
    } p = {.lent = name.p};
    free(p.own);
}

static int compare_names(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

void host_names_sort(struct host_names *names)
{
    size_t kept = 0;
    if (names->count == 0)
        return;
    qsort(names->items, names->count, sizeof *names->items, compare_names);
    for (size_t i = 1; i < names->count; i++) {
        if (bytes_equal(names->items[i], names->items[kept]))
            free_name(names->items[i]);
        else
            names->items[++kept] = names->items[i];
    }
    names->count = kept + 1;
}

void host_names_fini(struct host_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free_name(names->items[i]);
    free(names->items);
    *names = (struct host_names){0};
}

/* ---- reports ------------------------------------------------------------------------------------------------------
 */

static int add_text(char ***texts, size_t *count, size_t *cap, struct bytes text)
{
    void *items = *texts;
    TRY(grow(&items, *count, cap, sizeof **texts));
    *texts = items;
    char *copy = copy_bytes(text);
    if (copy == NULL)
        return RAISE(-ENOMEM);
    (*texts)[(*count)++] = copy;
    return 0;
}

static int escape_report(struct buf *out, struct bytes place, const char *why)
{
    TRY(text_escape(out, bytes_head(place, PATH_MAX_BYTES)));
    if (place.n > PATH_MAX_BYTES)
        TRY(buf_append_text(out, "..."));
    TRY(buf_append_text(out, ": "));
    return text_escape(out, bytes_of_text(why));
}

int host_skip(struct host_settings *s, struct bytes place, const char *why)
{
    SCOPED(buf_fini) struct buf text;
    buf_init(&text, 4 * (PATH_MAX_BYTES + HOST_WHY_BYTES) + 16);
    if (s->skipped_count == HOST_SKIPPED_MAX_COUNT)
        return 0;
    if (s->skipped_count == HOST_SKIPPED_MAX_COUNT - 1)
        TRY(buf_append_text(&text, "more was left out, which is not listed"));
    else
        TRY(escape_report(&text, place, why));
    return add_text(&s->skipped, &s->skipped_count, &s->skipped_cap, buf_view(&text));
}

int host_skip_line(struct host_settings *s, const char *file, unsigned line, const char *why)
{
    char place[HOST_WHY_BYTES];
    int n = snprintf(place, sizeof place, "%.128s, line %u", file, line);
    assert(n > 0 && n < (int)sizeof place);
    return host_skip(s, bytes_of(place, (size_t)n), why);
}

int host_unread(struct host_settings *s, struct bytes path, const char *why)
{
    TRY(host_skip(s, path, why));
    return add_text(&s->unread, &s->unread_count, &s->unread_cap, path);
}

bool host_is_unread(const struct host_settings *s, struct bytes path)
{
    for (size_t i = 0; i < s->unread_count; i++) {
        if (path_is_within(path, bytes_of_text(s->unread[i])))
            return true;
    }
    return false;
}

/* ---- settings -----------------------------------------------------------------------------------------------------
 */

static bool is_value(unsigned type, struct bytes value, char why[static HOST_WHY_BYTES])
{
    const char *fault;
    if (!value_check(type, value, &fault)) {
        snprintf(why, HOST_WHY_BYTES, "%s", fault);
        return false;
    }
    return value_check_json(type, value, why, HOST_WHY_BYTES);
}

static int append(struct host_settings *s, struct bytes path, unsigned type, struct bytes value)
{
    void *items = s->items;
    if (s->count == HOST_SETTINGS_MAX_COUNT)
        return RAISE(FAULT_LIMIT);
    TRY(grow(&items, s->count, &s->cap, sizeof *s->items));
    s->items = items;
    char *path_copy = copy_bytes(path);
    uint8_t *value_copy = copy_bytes(value);
    if (path_copy == NULL || value_copy == NULL) {
        free(path_copy);
        free(value_copy);
        return RAISE(-ENOMEM);
    }
    s->items[s->count] = (struct host_setting){
        .path = path_copy, .type = type, .value = value_copy, .value_bytes = value.n, .order = s->count};
    s->count++;
    return 0;
}

int host_add(struct host_settings *s, const struct host_path *path, unsigned type, struct bytes value)
{
    char why[HOST_WHY_BYTES] = "it could not be checked";
    const char *fault;
    assert(value_type_text(type) != NULL);
    if (!path_check(host_path_view(path), &fault))
        return host_skip(s, host_path_view(path), fault);
    if (!is_value(type, value, why))
        return host_unread(s, host_path_view(path), why);
    return append(s, host_path_view(path), type, value);
}

int host_add_at(struct host_settings *s, const struct host_path *folder, const char *name, unsigned type,
                struct bytes value)
{
    struct host_path path = *folder;
    host_path_push(&path, bytes_of_text(name));
    return host_add(s, &path, type, value);
}

/* The JSON text of a list. */
static int print_names(struct buf *out, const struct host_names *names)
{
    TRY(buf_append_text(out, "["));
    for (size_t i = 0; i < names->count; i++) {
        if (i > 0)
            TRY(buf_append_text(out, ","));
        TRY(doc_json_string(out, names->items[i]));
    }
    return buf_append_text(out, "]");
}

/* Why a list cannot be a value, or NULL. Checked before it is printed, which would hide a difference. */
static const char *names_fault(const struct host_names *names)
{
    size_t bytes = 2;
    for (size_t i = 0; i < names->count; i++) {
        bytes += names->items[i].n + 3;
        if (bytes > VALUE_MAX_BYTES)
            return "the list is longer than 1 MiB";
        if (!text_is_utf8(names->items[i]))
            return "a name in the list is not UTF-8 text";
    }
    return NULL;
}

int host_add_names(struct host_settings *s, const struct host_path *folder, const char *name,
                   const struct host_names *names)
{
    SCOPED(buf_fini) struct buf json;
    struct host_path path = *folder;
    buf_init(&json, 8 * (size_t)VALUE_MAX_BYTES); /* the longest escape is six bytes for one */
    host_path_push(&path, bytes_of_text(name));
    if (names->count == 0)
        return 0;
    const char *why = names_fault(names);
    if (why != NULL)
        return host_unread(s, host_path_view(&path), why);
    TRY(print_names(&json, names));
    return host_add(s, &path, VALUE_LIST, buf_view(&json));
}

/* ---- the final form -----------------------------------------------------------------------------------------------
 */

static int compare_settings(const void *a, const void *b)
{
    const struct host_setting *x = a, *y = b;
    int order = strcmp(x->path, y->path);
    return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

void host_sort(struct host_settings *s)
{
    size_t kept = 0;
    if (s->count > 0)
        qsort(s->items, s->count, sizeof *s->items, compare_settings);
    for (size_t i = 0; i < s->count; i++) {
        /* Of equal paths the one that was added last stands last. */
        if (i + 1 < s->count && strcmp(s->items[i].path, s->items[i + 1].path) == 0)
            free_setting(&s->items[i]);
        else
            s->items[kept++] = s->items[i];
    }
    assert(kept <= s->count && (kept > 0 || s->count == 0));
    s->count = kept;
}

const struct host_setting *host_find(const struct host_settings *s, struct bytes path)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = bytes_compare(bytes_of_text(s->items[mid].path), path);
        if (order == 0)
            return &s->items[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}
