/*
 * op-policy - changing rules and roles: one precondition for all of it, and what a change would do; see engine.h.
 *
 * A dry run makes the change in a part of the turn that is taken back, and asks the same decisions before and after:
 * for every principal that a rule or a role names which the caller may see, at every place that has such rules. A place
 * without rules is as the nearest one above it. What conditions will say is not known, so each decision is asked twice:
 * with every condition as good for the caller as it can be, and as bad.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "model/path.h"

enum {
    DECISIONS_MAX_COUNT = 100000, /* pairs of a principal and a place */
    FLIPS_MAX_COUNT = 5000,       /* rows of a report */
    WORDS_MAX_BYTES = 8 << 20,
};

const char *engine_dry_text(const struct engine_req *q)
{
    return (q->m->flags & PROTO_DRY_RUN) != 0 ? "dry run: " : "";
}

/* ---- words: principals and paths, each once, sorted --------------------------------------------------------- */

/* Before words_sort() `all` holds offsets into `text`, because that moves while it grows. */
struct words {
    struct buf text;
    struct bytes *all;
    size_t count, cap;
};

static int words_add(struct words *w, struct bytes word)
{
    if (w->count == w->cap) {
        size_t cap = MAX_OF(w->cap * 2, (size_t)64);
        struct bytes *all = realloc(w->all, cap * sizeof *all);
        if (all == NULL)
            return RAISE(-ENOMEM);
        w->all = all;
        w->cap = cap;
    }
    w->all[w->count].p = NULL;
    w->all[w->count].n = buf_size(&w->text);
    TRY(buf_append(&w->text, word));
    w->count++;
    return 0;
}

static int by_bytes(const void *a, const void *b)
{
    const struct bytes *x = a, *y = b;
    return bytes_compare(*x, *y);
}

static void words_sort(struct words *w)
{
    struct bytes text = buf_view(&w->text);
    size_t kept = 0;
    for (size_t i = 0; i < w->count; i++) {
        size_t from = w->all[i].n, end = i + 1 < w->count ? w->all[i + 1].n : text.n;
        w->all[i] = bytes_of(text.p + from, end - from);
    }
    if (w->count > 1)
        qsort(w->all, w->count, sizeof *w->all, by_bytes);
    for (size_t i = 0; i < w->count; i++) {
        if (kept == 0 || !bytes_equal(w->all[kept - 1], w->all[i]))
            w->all[kept++] = w->all[i];
    }
    w->count = kept;
}

/* ---- what everybody may do ------------------------------------------------------------------------------- */

/* AUTHZ_* bits: allowed whatever conditions say, and allowed if they say the best. */
struct rights {
    uint16_t sure, best;
};

struct survey {
    struct engine_req *q;
    struct bytes path; /* of the change */
    struct words principals, places;
    struct authz_rule *flat; /* room for the rules of one chain */
    struct rights *before, *after;
};

static void survey_fini(struct survey *s)
{
    buf_fini(&s->principals.text);
    buf_fini(&s->places.text);
    free(s->principals.all);
    free(s->places.all);
    free(s->flat);
    free(s->before);
    free(s->after);
}

static bool may_see(const struct survey *s, struct bytes path)
{
    return engine_may(s->q, tree_walk(&s->q->engine->registry->tree, path).nearest, path, AUTHZ_GRANT);
}

/* Rules that the caller may not see are left out: a report must not tell more of them than showing them would. */
static int on_rule(const struct registry_rule *rule, void *arg)
{
    struct survey *s = arg;
    const char *why;
    if (!path_check(rule->path, &why) || !may_see(s, rule->path))
        return 0;
    TRY(words_add(&s->principals, rule->principal));
    return path_is_within(rule->path, s->path) ? words_add(&s->places, rule->path) : 0;
}

static int gather(struct survey *s)
{
    const struct registry *r = s->q->engine->registry;
    const struct registry_member *m;
    bool sees_roles = may_see(s, BYTES_LITERAL("/registry"));
    TRY(registry_rule_each(s->q->engine->registry, on_rule, s));
    for (size_t i = 0; sees_roles && (m = registry_member_at(r, i)) != NULL; i++)
        TRY(words_add(&s->principals, m->principal));
    return words_add(&s->places, s->path);
}

/* The chain with each condition as its owner would wish: order and depth of rules mean nothing. Returns how many. */
static size_t wish(const struct authz_rules *chain, size_t chain_count, struct authz_rule *flat)
{
    size_t n = 0;
    for (size_t i = 0; i < chain_count; i++) {
        for (size_t k = 0; k < chain[i].count; k++) {
            const struct authz_rule *rule = &chain[i].rules[k];
            if (rule->condition != NULL && rule->effect == AUTHZ_DENY)
                continue;
            assert(n < REGISTRY_RULES_MAX_COUNT);
            flat[n] = *rule;
            flat[n++].condition = NULL;
        }
    }
    return n;
}

static struct rights rights_of(const struct authz_rules *chain, size_t chain_count, const struct authz_rules *wished,
                               const struct authz_subject *subject)
{
    struct rights r = {0};
    for (unsigned action = 1; action < AUTHZ_ALL; action <<= 1) {
        if (authz_decide(chain, chain_count, subject, false, (enum authz_action)action).is_allowed)
            r.sure = (uint16_t)(r.sure | action);
        if (authz_decide(wished, 1, subject, false, (enum authz_action)action).is_allowed)
            r.best = (uint16_t)(r.best | action);
    }
    return r;
}

static void look(const struct survey *s, struct rights *ret)
{
    const struct registry *r = s->q->engine->registry;
    struct registry_person person;
    struct authz_principal who;
    for (size_t i = 0; i < s->places.count; i++) {
        struct authz_rules chain[AUTHZ_CHAIN_MAX_COUNT];
        size_t n = node_chain(tree_walk(&r->tree, s->places.all[i]).nearest, chain);
        struct authz_rules wished = {s->flat, wish(chain, n, s->flat)};
        for (size_t k = 0; k < s->principals.count; k++, ret++) {
            bool is_good = authz_principal_parse(s->principals.all[k], &who);
            struct authz_subject subject =
                is_good ? registry_subject_of(r, &who, &person) : (struct authz_subject){.is_anonymous = true};
            *ret = rights_of(chain, n, &wished, &subject);
        }
    }
}

/* ---- the report ------------------------------------------------------------------------------------------ */

static const char *word_of(struct rights r, unsigned action)
{
    return (r.sure & action) != 0 ? "allowed" : (r.best & action) != 0 ? "conditional" : "refused";
}

static int put_flip(struct survey *s, size_t at, unsigned action)
{
    struct buf *doc = &s->q->doc;
    TRY(doc_map_begin(doc));
    TRY(doc_put_text(doc, "principal", s->principals.all[at % s->principals.count]));
    TRY(doc_put_text(doc, "path", s->places.all[at / s->principals.count]));
    TRY(engine_put_actions(doc, "action", action));
    TRY(doc_put_text(doc, "before", bytes_of_text(word_of(s->before[at], action))));
    TRY(doc_put_text(doc, "after", bytes_of_text(word_of(s->after[at], action))));
    return doc_map_end(doc);
}

static int put_flips(struct survey *s, size_t pairs, size_t *ret_count)
{
    *ret_count = 0;
    for (size_t i = 0; i < pairs; i++) {
        unsigned other =
            (unsigned)(s->before[i].sure ^ s->after[i].sure) | (unsigned)(s->before[i].best ^ s->after[i].best);
        for (unsigned action = 1; action < AUTHZ_ALL; action <<= 1) {
            if ((other & action) == 0)
                continue;
            if ((*ret_count)++ < FLIPS_MAX_COUNT)
                TRY(put_flip(s, i, action));
        }
    }
    return 0;
}

static int put_report(struct survey *s)
{
    struct buf *doc = &s->q->doc;
    size_t count;
    TRY(doc_map_begin(doc));
    TRY(doc_put_bool(doc, "dry_run", true));
    TRY(doc_put_int(doc, "principals", (int64_t)s->principals.count));
    TRY(doc_put_int(doc, "places", (int64_t)s->places.count));
    TRY(doc_key(doc, "changes"));
    TRY(doc_list_begin(doc));
    TRY(put_flips(s, s->principals.count * s->places.count, &count));
    TRY(doc_list_end(doc));
    TRY(doc_put_bool(doc, "has_more", count > FLIPS_MAX_COUNT));
    return doc_map_end(doc);
}

/* Room for the answers. Returns 0, OUTCOME_TOO_LARGE, or -ENOMEM. */
static int make_room(struct survey *s)
{
    words_sort(&s->principals);
    words_sort(&s->places);
    if (s->principals.count > DECISIONS_MAX_COUNT / s->places.count) {
        s->q->reply.detail = BYTES_LITERAL("too many principals and places with rules for a dry run");
        return OUTCOME_TOO_LARGE;
    }
    size_t pairs = s->principals.count * s->places.count;
    s->before = calloc(pairs, sizeof *s->before);
    s->after = calloc(pairs, sizeof *s->after);
    s->flat = calloc(REGISTRY_RULES_MAX_COUNT, sizeof *s->flat);
    return s->before == NULL || s->after == NULL || s->flat == NULL ? RAISE(-ENOMEM) : 0;
}

static int try_change(struct survey *s, int (*change)(struct engine_req *q, uint64_t *ret_id))
{
    struct registry *r = s->q->engine->registry;
    struct registry_save save;
    uint64_t id;
    TRY(registry_save(r, &save));
    int x = change(s->q, &id);
    if (x == 0)
        x = gather(s);
    if (x == 0)
        x = make_room(s);
    if (x == 0)
        look(s, s->after);
    int y = registry_drop(r, &save);
    if (x != 0 || y != 0)
        return y < 0 ? y : x;
    look(s, s->before);
    return put_report(s);
}

static int dry_run(struct engine_req *q, struct bytes path, int (*change)(struct engine_req *q, uint64_t *ret_id))
{
    struct survey s = {.q = q, .path = path};
    buf_init(&s.principals.text, WORDS_MAX_BYTES);
    buf_init(&s.places.text, WORDS_MAX_BYTES);
    int x = gather(&s);
    if (x == 0)
        x = try_change(&s, change);
    survey_fini(&s);
    return x;
}

int engine_edit_policy(struct engine_req *q, struct bytes path, int (*change)(struct engine_req *q, uint64_t *ret_id))
{
    struct registry *r = q->engine->registry;
    uint64_t id;
    if ((q->m->flags & PROTO_MATCH_VERSION) != 0 && q->m->match != r->state.policy) {
        q->reply.detail = BYTES_LITERAL("rules or roles have changed since");
        return OUTCOME_CONFLICT;
    }
    q->reply.shape = PROTO_DOC;
    if ((q->m->flags & PROTO_DRY_RUN) != 0) {
        q->reply.version = r->state.policy;
        return dry_run(q, path, change);
    }
    int x = change(q, &id);
    if (x != 0)
        return x;
    q->is_change = true;
    q->reply.version = r->state.policy;
    TRY(doc_map_begin(&q->doc));
    TRY(doc_put_int(&q->doc, "id", (int64_t)id));
    return doc_map_end(&q->doc);
}
