/*
 * pattern - the matcher; see pattern.h. It knows every step that a text read so far may have come to, each once: that
 * is what bounds its time and its memory.
 */
#include "wire/pattern.h"

#include "base/text.h"

static_assert(PATTERN_VALUE_MAX_BYTES + 1 <= UINT16_MAX, "each code point has a turn of its own in `marks`");

/* Steps that wait for the next code point. */
struct waiting {
    uint16_t steps[PATTERN_STEPS_MAX_COUNT];
    size_t count;
};

struct machine {
    const struct pattern *p;
    uint16_t marks[PATTERN_STEPS_MAX_COUNT]; /* the turn in which a step was come to last */
    uint16_t turn;
    uint16_t open[PATTERN_STEPS_MAX_COUNT]; /* come to and not yet looked at: each once a turn, so there is room */
    size_t open_count;
};

static void come_to(struct machine *m, size_t step)
{
    assert(step < m->p->steps_count);
    if (m->marks[step] == m->turn)
        return;
    m->marks[step] = m->turn;
    m->open[m->open_count++] = (uint16_t)step;
}

/* Adds to `w` every step that waits and can be reached from `step` without a code point. */
static void reach(struct machine *m, struct waiting *w, size_t step)
{
    come_to(m, step);
    while (m->open_count > 0) {
        size_t at = m->open[--m->open_count];
        const struct pattern_step *s = m->p->steps + at;
        int other = (int)at + s->to;
        if (s->op == PATTERN_JUMP) {
            come_to(m, (size_t)other);
        } else if (s->op == PATTERN_SPLIT) {
            come_to(m, (size_t)other);
            come_to(m, at + 1);
        } else {
            w->steps[w->count++] = (uint16_t)at;
        }
    }
}

static bool is_in_ranges(const struct pattern_range *r, size_t n, uint32_t cp)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (cp > r[mid].last)
            low = mid + 1;
        else if (cp < r[mid].first)
            high = mid;
        else
            return true;
    }
    return false;
}

static bool takes(const struct pattern *p, const struct pattern_step *s, uint32_t cp)
{
    if (s->op == PATTERN_CHAR)
        return s->arg == cp;
    if (s->op == PATTERN_ANY)
        return cp != '\n';
    if (s->op == PATTERN_DONE)
        return false;
    return is_in_ranges(p->ranges + s->arg, (size_t)s->to, cp) == (s->op == PATTERN_CLASS);
}

bool pattern_match(const struct pattern *p, struct bytes text)
{
    struct machine m = {.p = p, .turn = 1};
    struct waiting lists[2], *now = &lists[0], *next = &lists[1];
    size_t used;
    assert(p->steps_count > 0 && p->steps[p->steps_count - 1].op == PATTERN_DONE);
    if (text.n > PATTERN_VALUE_MAX_BYTES)
        return false;
    now->count = 0;
    reach(&m, now, 0);
    for (size_t at = 0; at < text.n && now->count > 0; at += used) {
        uint32_t cp = text_utf8_next(bytes_from(text, at), &used);
        if (cp == UINT32_MAX)
            return false;
        m.turn++;
        next->count = 0;
        for (size_t i = 0; i < now->count; i++) {
            if (takes(p, p->steps + now->steps[i], cp))
                reach(&m, next, (size_t)now->steps[i] + 1);
        }
        struct waiting *swap = now;
        now = next;
        next = swap;
    }
    return now->count > 0 && m.marks[p->steps_count - 1] == m.turn;
}
