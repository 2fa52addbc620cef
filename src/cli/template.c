/*
 * template - making the output; see template.h.
 *
 * The list of nodes is walked once from front to back; only ranges go back. Work is bounded by the reads, each of which
 * allows one more walk through a part of the template, and by the size of the output.
 */
#include "cli/template.h"

#include "cli/template-internal.h"

/* A range at work. The views lie in its lines. */
struct range {
    struct buf lines;
    struct bytes left; /* lines not taken yet */
    struct bytes folder, path;
    struct buf value;
    bool has_value;
};

struct run {
    const struct template *t;
    const struct template_source *source;
    struct buf *out, *marks;
    struct template_error *error;
    struct range ranges[TEMPLATE_DEPTH_MAX_COUNT];
    size_t ranges_count, reads_count;
    struct buf values[2]; /* a value, and what a filter makes of it */
};

static struct bytes part_of(const struct run *r, const struct template_node *node)
{
    return bytes_of(r->t->text.p + node->part_at, node->part_bytes);
}

static struct range *innermost(struct run *r)
{
    assert(r->ranges_count > 0);
    return &r->ranges[r->ranges_count - 1];
}

static int too_much(struct run *r, const struct template_node *node)
{
    return template_fail(r->t->text, node->at, r->error, "the output is larger than %d bytes", TEMPLATE_OUT_MAX_BYTES);
}

/* ---- what is read -------------------------------------------------------------------------------------------------
 */

static int count_read(struct run *r, const struct template_node *node)
{
    if (r->reads_count++ < TEMPLATE_READS_MAX_COUNT)
        return 0;
    return template_fail(r->t->text, node->at, r->error, "more than %d entries are read", TEMPLATE_READS_MAX_COUNT);
}

/* Notes the path as the reason of a result that the source gave. */
static int note_path(struct run *r, const struct template_node *node, struct bytes path, int result)
{
    if (result > 0)
        template_fail(r->t->text, node->at, r->error, "%.*s", BYTES_PRINT(path));
    return result;
}

static int get(struct run *r, const struct template_node *node, struct bytes path, struct buf *value)
{
    int x = count_read(r, node);
    if (x != 0)
        return x;
    x = r->source->get(r->source->arg, path, value);
    return x == FAULT_LIMIT ? too_much(r, node) : note_path(r, node, path, x);
}

/* The value of the innermost range's entry is fetched when it is first wanted. */
static int get_current(struct run *r, const struct template_node *node, struct buf *value)
{
    struct range *range = innermost(r);
    if (!range->has_value) {
        buf_clear(&range->value);
        int x = get(r, node, range->path, &range->value);
        if (x != 0)
            return x;
        range->has_value = true;
    }
    return buf_append(value, buf_view(&range->value));
}

/* ---- values -------------------------------------------------------------------------------------------------------
 */

static int evaluate(struct run *r, const struct template_node *node, struct buf *value, bool *ret_is_data)
{
    int x = 0;
    *ret_is_data = node->kind == TEMPLATE_GET || node->kind == TEMPLATE_VALUE;
    if (node->kind == TEMPLATE_STRING)
        return template_unquote(part_of(r, node), value);
    if (node->kind == TEMPLATE_PATH)
        return buf_append(value, innermost(r)->path);
    if (node->kind == TEMPLATE_NAME)
        return buf_append(value, bytes_from(innermost(r)->path, innermost(r)->folder.n + 1));
    if (node->kind == TEMPLATE_VALUE)
        return get_current(r, node, value);
    x = get(r, node, part_of(r, node), value);
    if (x != TEMPLATE_ABSENT || !node->has_default)
        return x;
    *ret_is_data = false;
    buf_clear(value);
    return template_unquote(bytes_of(r->t->text.p + node->default_at, node->default_bytes), value);
}

/* The result is in values[*at]. */
static int apply_filters(struct run *r, const struct template_node *node, size_t *at)
{
    for (size_t i = 0; i < node->filters_count; i++) {
        const struct template_filter *filter = &template_filters[node->filters[i]];
        struct buf *from = &r->values[*at], *to = &r->values[1 - *at];
        buf_clear(to);
        int x = filter->apply(buf_view(from), to);
        if (x == FILTER_BAD)
            return template_fail(r->t->text, node->at, r->error, "%s: the value is %s", filter->name, filter->bad);
        if (x != 0)
            return x;
        *at = 1 - *at;
    }
    return 0;
}

static int append(struct run *r, struct bytes text, bool is_data)
{
    uint8_t *p;
    TRY(buf_append(r->out, text));
    if (r->marks == NULL)
        return 0;
    TRY(buf_reserve(r->marks, text.n, &p));
    for (size_t i = 0; i < text.n; i++)
        p[i] = is_data;
    buf_commit(r->marks, text.n);
    return 0;
}

static int put_value(struct run *r, const struct template_node *node)
{
    size_t at = 0;
    bool is_data;
    buf_clear(&r->values[0]);
    int x = evaluate(r, node, &r->values[0], &is_data);
    if (x == 0)
        x = apply_filters(r, node, &at);
    return x != 0 ? x : append(r, buf_view(&r->values[at]), is_data);
}

/* ---- blocks -------------------------------------------------------------------------------------------------------
 */

/* There is something, and it is not "false". */
static int test_if(struct run *r, const struct template_node *node, bool *ret_is_true)
{
    buf_clear(&r->values[0]);
    int x = get(r, node, part_of(r, node), &r->values[0]);
    *ret_is_true = x == TEMPLATE_FOLDER || (x == 0 && !bytes_equal(buf_view(&r->values[0]), BYTES_LITERAL("false")));
    return x == TEMPLATE_ABSENT || x == TEMPLATE_FOLDER ? 0 : x;
}

/* Goes to the next entry of the innermost range; false at its end. */
static int next_entry(struct run *r, const struct template_node *node, bool *ret_has_entry)
{
    struct range *range = innermost(r);
    range->has_value = false;
    *ret_has_entry = range->left.n > 0;
    if (!*ret_has_entry)
        return 0;
    size_t n = bytes_find(range->left, '\n');
    range->path = bytes_head(range->left, n);
    range->left = bytes_from(range->left, n + 1);
    bool is_below = bytes_starts(range->path, range->folder) && range->path.n > range->folder.n + 1 &&
                    range->path.p[range->folder.n] == '/';
    return is_below ? count_read(r, node) : RAISE(FAULT_PROTOCOL);
}

static int open_range(struct run *r, const struct template_node *node)
{
    assert(r->ranges_count < TEMPLATE_DEPTH_MAX_COUNT);
    struct range *range = &r->ranges[r->ranges_count];
    int x = count_read(r, node);
    if (x != 0)
        return x;
    range->folder = part_of(r, node);
    buf_clear(&range->lines);
    x = r->source->list(r->source->arg, range->folder, &range->lines);
    if (x != 0)
        return x == FAULT_LIMIT ? too_much(r, node) : note_path(r, node, range->folder, x);
    range->left = buf_view(&range->lines);
    r->ranges_count++;
    return 0;
}

/* From a range or its end to the first node for the next entry, or behind the end. */
static int turn(struct run *r, uint32_t first, uint32_t end, size_t *ret_next)
{
    bool has_entry;
    int x = next_entry(r, &r->t->nodes[first], &has_entry);
    if (x != 0)
        return x;
    *ret_next = has_entry ? first + 1 : end + 1;
    r->ranges_count -= !has_entry;
    return 0;
}

/* One node. ret_next is the one after it unless a block says otherwise. */
static int step(struct run *r, size_t i, size_t *ret_next)
{
    const struct template_node *node = &r->t->nodes[i];
    bool is_true;
    int x;
    *ret_next = i + 1;
    switch (node->kind) {
    case TEMPLATE_TEXT:
        return append(r, part_of(r, node), false);
    case TEMPLATE_STRING:
    case TEMPLATE_GET:
    case TEMPLATE_NAME:
    case TEMPLATE_VALUE:
    case TEMPLATE_PATH:
        return put_value(r, node);
    case TEMPLATE_IF:
        x = test_if(r, node, &is_true);
        *ret_next = x != 0 || is_true ? i + 1 : node->jump + 1;
        return x;
    case TEMPLATE_ELSE:
        *ret_next = node->jump + 1;
        return 0;
    case TEMPLATE_RANGE:
        x = open_range(r, node);
        return x != 0 ? x : turn(r, (uint32_t)i, node->jump, ret_next);
    case TEMPLATE_END:
        return r->t->nodes[node->jump].kind == TEMPLATE_RANGE ? turn(r, node->jump, (uint32_t)i, ret_next) : 0;
    }
    return RAISE(FAULT_INTERNAL);
}

static int walk(struct run *r)
{
    size_t next;
    for (size_t i = 0; i < r->t->count; i = next) {
        int x = step(r, i, &next);
        if (x == FAULT_LIMIT)
            return too_much(r, &r->t->nodes[i]);
        if (x != 0)
            return x;
    }
    assert(r->ranges_count == 0);
    return 0;
}

int template_render(const struct template *t, const struct template_source *source, struct buf *out, struct buf *marks,
                    struct template_error *ret_error)
{
    struct run r = {.t = t, .source = source, .out = out, .marks = marks, .error = ret_error};
    for (size_t i = 0; i < TEMPLATE_DEPTH_MAX_COUNT; i++) {
        buf_init(&r.ranges[i].lines, TEMPLATE_OUT_MAX_BYTES);
        buf_init_wiping(&r.ranges[i].value, TEMPLATE_OUT_MAX_BYTES);
    }
    for (size_t i = 0; i < COUNT_OF(r.values); i++)
        buf_init_wiping(&r.values[i], TEMPLATE_OUT_MAX_BYTES);
    int x = walk(&r);
    for (size_t i = 0; i < TEMPLATE_DEPTH_MAX_COUNT; i++) {
        buf_fini(&r.ranges[i].lines);
        buf_fini(&r.ranges[i].value);
    }
    for (size_t i = 0; i < COUNT_OF(r.values); i++)
        buf_fini(&r.values[i]);
    return x;
}
