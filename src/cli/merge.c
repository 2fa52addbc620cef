/* merge - see merge.h. Three sorted lists are walked side by side; then what the result could not hold is looked for.
 */
#include "cli/merge.h"

#include <errno.h>
#include <stdlib.h>

/* ---- one path -----------------------------------------------------------------------------------------------------
 */

static bool is_same(const struct dump_entry *a, const struct dump_entry *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return dump_differences(a, b) == 0;
}

/* What it takes to have it as theirs. */
static enum merge_kind take(const struct merge_step *s)
{
    assert(s->ours != NULL || s->theirs != NULL);
    if (s->theirs == NULL)
        return MERGE_DELETE;
    return s->ours == NULL ? MERGE_ADD : MERGE_CHANGE;
}

static void settle(struct merge_step *s, enum merge_strategy strategy)
{
    s->was_conflict = strategy != MERGE_ABORT;
    if (strategy == MERGE_ABORT)
        s->kind = MERGE_CONFLICT;
    else
        s->kind = strategy == MERGE_OURS ? MERGE_KEEP : take(s);
}

static void decide(struct merge_step *s, bool has_base, struct merge_rules rules)
{
    if (s->theirs != NULL && !s->theirs->has_value && !rules.is_only_shown)
        s->kind = MERGE_LEFT;
    else if (is_same(s->ours, s->theirs))
        s->kind = MERGE_SAME;
    else if (!has_base)
        s->kind = s->theirs == NULL && rules.keeps_missing ? MERGE_KEEP : take(s);
    else if (is_same(s->base, s->theirs))
        s->kind = MERGE_KEEP;
    else if (is_same(s->base, s->ours))
        s->kind = take(s);
    else
        settle(s, rules.strategy);
}

/* ---- entries in the place of folders ------------------------------------------------------------------------------
 */

/* True if the result has the entry. */
static bool is_present(const struct merge_step *s)
{
    return s->kind == MERGE_ADD || (s->ours != NULL && s->kind != MERGE_DELETE);
}

/* Of two steps that exclude each other one adds, and the other keeps what is there. */
static void settle_clash(struct merge_step *s, enum merge_strategy strategy)
{
    bool is_added = s->kind == MERGE_ADD;
    assert(is_present(s));
    s->is_clash = true;
    s->was_conflict = strategy != MERGE_ABORT;
    if (strategy == MERGE_ABORT && is_added)
        s->kind = MERGE_CONFLICT;
    else if (strategy == MERGE_OURS && is_added)
        s->kind = MERGE_KEEP;
    else if (strategy == MERGE_THEIRS && !is_added)
        s->kind = MERGE_DELETE;
}

/* The steps below a path follow it at once. */
static void settle_below(struct merge_plan *p, size_t i, enum merge_strategy strategy)
{
    struct merge_step *s = &p->steps[i];
    struct bytes path = merge_step_path(s);
    bool was_added = s->kind == MERGE_ADD;
    for (size_t j = i + 1; j < p->count && dump_path_is_below(merge_step_path(&p->steps[j]), path); j++) {
        struct merge_step *below = &p->steps[j];
        if (!is_present(below) || (below->kind == MERGE_ADD) == was_added)
            continue;
        settle_clash(below, strategy);
        if (is_present(s))
            settle_clash(s, strategy);
    }
}

/* ---- the plan -----------------------------------------------------------------------------------------------------
 */

/* A document that is read in order. */
struct cursor {
    const struct dump *d;
    size_t at;
};

static const struct dump_entry *peek(const struct cursor *c)
{
    return c->d != NULL && c->at < c->d->count ? &c->d->entries[c->at] : NULL;
}

/* The entry of the cursor if its path is the one, which is then passed. */
static const struct dump_entry *take_path(struct cursor *c, struct bytes path)
{
    const struct dump_entry *e = peek(c);
    if (e == NULL || !bytes_equal(e->path, path))
        return NULL;
    c->at++;
    return e;
}

/* The first path of the three that is not passed yet; false at the end. */
static bool first_path(const struct cursor *cursors, size_t count, struct bytes *ret_path)
{
    bool has_one = false;
    for (size_t i = 0; i < count; i++) {
        const struct dump_entry *e = peek(&cursors[i]);
        if (e == NULL || (has_one && dump_path_compare(e->path, *ret_path) >= 0))
            continue;
        *ret_path = e->path;
        has_one = true;
    }
    return has_one;
}

int merge_make(const struct dump *base, const struct dump *ours, const struct dump *theirs, struct merge_rules rules,
               struct merge_plan *ret_plan)
{
    struct cursor c[3] = {{base, 0}, {ours, 0}, {theirs, 0}};
    struct merge_plan p = {0};
    struct bytes path;
    size_t most = ours->count + theirs->count + (base != NULL ? base->count : 0);
    p.steps = malloc((most + 1) * sizeof *p.steps);
    if (p.steps == NULL)
        return RAISE(-ENOMEM);
    while (first_path(c, COUNT_OF(c), &path)) {
        struct merge_step *s = &p.steps[p.count];
        *s = (struct merge_step){.base = take_path(&c[0], path), .ours = take_path(&c[1], path)};
        s->theirs = take_path(&c[2], path);
        if (s->ours == NULL && s->theirs == NULL)
            continue; /* both deleted it */
        decide(s, base != NULL, rules);
        p.count++;
    }
    assert(p.count <= most);
    for (size_t i = 0; i < p.count; i++) {
        if (is_present(&p.steps[i]))
            settle_below(&p, i, rules.strategy);
    }
    for (size_t i = 0; i < p.count; i++)
        p.counts[p.steps[i].kind]++;
    *ret_plan = p;
    return 0;
}

void merge_fini(struct merge_plan *plan)
{
    free(plan->steps);
    *plan = (struct merge_plan){0};
}

struct bytes merge_step_path(const struct merge_step *step)
{
    assert(step->ours != NULL || step->theirs != NULL);
    return step->ours != NULL ? step->ours->path : step->theirs->path;
}

size_t merge_changes_count(const struct merge_plan *plan)
{
    return plan->counts[MERGE_ADD] + plan->counts[MERGE_CHANGE] + plan->counts[MERGE_DELETE];
}
