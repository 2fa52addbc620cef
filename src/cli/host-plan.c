/* host-plan - see host-plan.h. */
#include "cli/host-plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "model/value.h"
#include "wire/doc.h"

static const struct {
    const char *mark, *word;
} kinds[] = {
#define HOST_STEP_ROW_(name, mark, word) {mark, word},
    HOST_STEP_LIST(HOST_STEP_ROW_)
#undef HOST_STEP_ROW_
};

/* Of a value that is cut for a line, more is never looked at. */
enum { SHOWN_MAX_BYTES = 4096 };

/* ---- the tree -----------------------------------------------------------------------------------------------------
 */

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

int host_tree_add(struct host_tree *t, struct bytes path, uint64_t version, bool is_sealed)
{
    if (t->count == HOST_TREE_MAX_COUNT)
        return RAISE(FAULT_LIMIT);
    if (t->count == t->cap) {
        size_t cap = t->cap == 0 ? 64 : t->cap * 2;
        struct host_entry *items = realloc(t->items, cap * sizeof *items);
        if (items == NULL)
            return RAISE(-ENOMEM);
        t->items = items;
        t->cap = cap;
    }
    char *copy = copy_bytes(path);
    if (copy == NULL)
        return RAISE(-ENOMEM);
    t->items[t->count++] = (struct host_entry){.path = copy, .version = version, .is_sealed = is_sealed};
    return 0;
}

int host_entry_set(struct host_entry *e, uint64_t version, unsigned type, struct bytes value)
{
    uint8_t *copy = copy_bytes(value);
    if (copy == NULL)
        return RAISE(-ENOMEM);
    free(e->value);
    e->version = version;
    e->type = type;
    e->value = copy;
    e->value_bytes = value.n;
    e->has_value = true;
    return 0;
}

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const struct host_entry *)a)->path, ((const struct host_entry *)b)->path);
}

void host_tree_sort(struct host_tree *t)
{
    if (t->count > 0)
        qsort(t->items, t->count, sizeof *t->items, compare_entries);
}

void host_tree_fini(struct host_tree *t)
{
    for (size_t i = 0; i < t->count; i++) {
        free(t->items[i].path);
        free(t->items[i].value);
    }
    free(t->items);
    *t = (struct host_tree){0};
}

/* ---- comparing ----------------------------------------------------------------------------------------------------
 */

static enum host_step_kind compare(const struct host_setting *s, const struct host_entry *e)
{
    if (e->is_sealed || !e->has_value)
        return HOST_STEP_APART;
    bool is_same =
        e->type == s->type && bytes_equal(bytes_of(e->value, e->value_bytes), bytes_of(s->value, s->value_bytes));
    return is_same ? HOST_STEP_SAME : HOST_STEP_CHANGE;
}

static enum host_step_kind kind_of_absent(const struct host_settings *s, const struct host_entry *e)
{
    return host_is_unread(s, bytes_of_text(e->path)) ? HOST_STEP_OTHER : HOST_STEP_GONE;
}

/* <0: the setting comes first, >0: the entry, 0: they are one path. At the end of one list the other comes first. */
static int order_of(const struct host_setting *setting, const struct host_entry *entry)
{
    assert(setting != NULL || entry != NULL);
    if (setting == NULL || entry == NULL)
        return setting == NULL ? 1 : -1;
    return strcmp(setting->path, entry->path);
}

int host_plan_make(const struct host_settings *s, struct host_tree *t, struct host_plan *ret_plan)
{
    size_t at = 0, i = 0, j = 0;
    struct host_step *steps = malloc((s->count + t->count + 1) * sizeof *steps);
    if (steps == NULL)
        return RAISE(-ENOMEM);
    while (i < s->count || j < t->count) {
        const struct host_setting *setting = i < s->count ? &s->items[i] : NULL;
        struct host_entry *entry = j < t->count ? &t->items[j] : NULL;
        int order = order_of(setting, entry);
        struct host_step *step = &steps[at++];
        *step = (struct host_step){HOST_STEP_ADD, order <= 0 ? setting : NULL, order >= 0 ? entry : NULL};
        i += order <= 0;
        j += order >= 0;
        if (order == 0)
            step->kind = compare(step->setting, step->entry);
        else if (order > 0)
            step->kind = kind_of_absent(s, step->entry);
    }
    assert(at <= s->count + t->count);
    *ret_plan = (struct host_plan){steps, at};
    return 0;
}

void host_plan_fini(struct host_plan *plan)
{
    free(plan->steps);
    *plan = (struct host_plan){0};
}

size_t host_plan_count(const struct host_plan *plan, enum host_step_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->count; i++)
        count += plan->steps[i].kind == kind;
    return count;
}

struct bytes host_step_path(const struct host_step *step)
{
    assert(step->setting != NULL || step->entry != NULL);
    return bytes_of_text(step->setting != NULL ? step->setting->path : step->entry->path);
}

bool host_step_is_shown(const struct host_step *step)
{
    return step->kind != HOST_STEP_SAME && step->kind != HOST_STEP_OTHER;
}

/* ---- showing ------------------------------------------------------------------------------------------------------
 */

/* Cuts the last line of `out`, which begins at `from`, to `width` characters of which three are dots. */
static int cut(struct buf *out, size_t from, size_t width)
{
    struct bytes line = bytes_from(buf_view(out), from);
    size_t characters = 0, keep = line.n;
    for (size_t i = 0; i < line.n; i++) {
        if ((line.p[i] & 0xc0) == 0x80)
            continue;
        if (characters == (width > 3 ? width - 3 : 0))
            keep = i;
        characters++;
    }
    if (characters <= width)
        return 0;
    buf_truncate(out, from + keep);
    return buf_append_text(out, width > 3 ? "..." : "");
}

static int print_value(struct buf *out, const uint8_t *value, size_t n, size_t width)
{
    struct bytes whole = bytes_of(value, n);
    return text_escape(out, width > 0 ? bytes_head(whole, SHOWN_MAX_BYTES) : whole);
}

static int print_rest(struct buf *out, const struct host_step *step, size_t width)
{
    const struct host_setting *s = step->setting;
    const struct host_entry *e = step->entry;
    switch (step->kind) {
    case HOST_STEP_ADD:
        TRY(buf_append_text(out, " = "));
        return print_value(out, s->value, s->value_bytes, width);
    case HOST_STEP_CHANGE:
        TRY(buf_append_text(out, ": "));
        TRY(print_value(out, e->value, e->value_bytes, width));
        TRY(buf_append_text(out, " -> "));
        return print_value(out, s->value, s->value_bytes, width);
    case HOST_STEP_REMOVE:
        return buf_append_text(out, " (no longer on this host)");
    case HOST_STEP_GONE:
        return buf_append_text(out, " (no longer on this host; written by somebody else since, so it stays)");
    case HOST_STEP_APART:
        return buf_append_text(out, e->is_sealed ? " (sealed, so it is not compared)" : " (may not be read)");
    case HOST_STEP_SAME:
    case HOST_STEP_OTHER:
    case HOST_STEP_KIND_COUNT:
        break;
    }
    return 0;
}

int host_step_print(struct buf *out, const struct host_step *step, size_t width)
{
    size_t from = buf_size(out);
    assert(step->kind < HOST_STEP_KIND_COUNT);
    TRY(buf_append_text(out, kinds[step->kind].mark));
    TRY(buf_append_text(out, " "));
    TRY(text_escape(out, host_step_path(step)));
    TRY(print_rest(out, step, width));
    return width > 0 ? cut(out, from, width) : 0;
}

static int put_json(struct buf *out, const char *before, struct bytes text)
{
    TRY(buf_append_text(out, before));
    return doc_json_string(out, text);
}

static int put_json_word(struct buf *out, const char *before, const char *word)
{
    return put_json(out, before, bytes_of_text(word != NULL ? word : ""));
}

int host_step_json(struct buf *out, const struct host_step *step)
{
    const struct host_setting *s = step->setting;
    const struct host_entry *e = step->entry;
    TRY(put_json_word(out, "{\"change\":", kinds[step->kind].word));
    TRY(put_json(out, ",\"path\":", host_step_path(step)));
    if (s != NULL) {
        TRY(put_json_word(out, ",\"type\":", value_type_text(s->type)));
        TRY(put_json(out, ",\"value\":", bytes_of(s->value, s->value_bytes)));
    }
    if (e != NULL && e->has_value && step->kind == HOST_STEP_CHANGE) {
        TRY(put_json_word(out, ",\"old_type\":", value_type_text(e->type)));
        TRY(put_json(out, ",\"old_value\":", bytes_of(e->value, e->value_bytes)));
    }
    return buf_append_text(out, "}");
}
