/* Tests of merge: every small case against a naive model, and what is shown and sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/merge.h"
#include "fail-alloc.h"
#include "model/value.h"
#include "wire/json.h"

static char why[DUMP_WHY_BYTES];

/* ---- the model ----------------------------------------------------------------------------------------------------
 * A document of the paths "a", "a/b" and "c", each without an entry, with one of three values, or with a sealed entry
 * whose value is not known.
 */

enum { NONE, ONE, TWO, THREE, UNKNOWN, STATES_COUNT };
enum { PATHS_COUNT = 3 };

static const char *const paths[PATHS_COUNT] = {"a", "a/b", "c"};

struct model {
    unsigned at[PATHS_COUNT];
};

static bool is_sound(const struct model *m)
{
    return m->at[0] == NONE || m->at[1] == NONE;
}

/* A sealed value that is known is written the same as one that is not, but for the value. */
static void make(struct dump *d, const struct model *m)
{
    static const char *const values[] = {"", "one", "two", "three", ""};
    dump_init(d);
    for (size_t i = 0; i < PATHS_COUNT; i++) {
        struct dump_entry e = {.path = bytes_of_text(paths[i]), .type = VALUE_STRING, .is_sealed = true, .version = 5};
        e.value = bytes_of_text(values[m->at[i]]);
        e.has_value = m->at[i] != UNKNOWN;
        if (m->at[i] != NONE)
            assert_int_equal(dump_add(d, &e), 0);
    }
    assert_int_equal(dump_sort(d, why), 0);
}

/* What three-way merging means for one path, in words: see merge.h. Returns false for a conflict. */
static bool model_path(unsigned base, unsigned ours, unsigned theirs, unsigned *ret)
{
    *ret = ours;
    if (theirs == UNKNOWN || ours == theirs || base == theirs)
        return true;
    *ret = theirs;
    return base == ours;
}

/* The result of a plan, applied to ours. */
static struct model apply(const struct merge_plan *plan, const struct model *ours, const struct model *theirs)
{
    struct model result = *ours;
    for (size_t i = 0; i < plan->count; i++) {
        const struct merge_step *s = &plan->steps[i];
        for (size_t p = 0; p < PATHS_COUNT; p++) {
            if (!bytes_equal(merge_step_path(s), bytes_of_text(paths[p])))
                continue;
            if (s->kind == MERGE_ADD || s->kind == MERGE_CHANGE)
                result.at[p] = theirs->at[p];
            if (s->kind == MERGE_DELETE)
                result.at[p] = NONE;
        }
    }
    return result;
}

static void check_case(const struct model *base, const struct model *ours, const struct model *theirs)
{
    static const enum merge_strategy strategies[] = {MERGE_ABORT, MERGE_OURS, MERGE_THEIRS};
    struct dump b, o, t;
    make(&b, base);
    make(&o, ours);
    make(&t, theirs);
    for (size_t i = 0; i < COUNT_OF(strategies); i++) {
        struct merge_plan plan;
        struct model wanted;
        size_t conflicts = 0;
        assert_int_equal(merge_make(&b, &o, &t, (struct merge_rules){.strategy = strategies[i]}, &plan), 0);
        struct model got = apply(&plan, ours, theirs);
        for (size_t p = 0; p < PATHS_COUNT; p++) {
            bool is_clear = model_path(base->at[p], ours->at[p], theirs->at[p], &wanted.at[p]);
            conflicts += !is_clear;
            if (!is_clear && strategies[i] != MERGE_THEIRS)
                wanted.at[p] = ours->at[p];
        }
        bool is_clash = !is_sound(&wanted);
        if (is_clash && strategies[i] == MERGE_THEIRS)
            wanted.at[theirs->at[0] == NONE ? 0 : 1] = NONE;
        else if (is_clash)
            wanted.at[ours->at[0] == NONE ? 0 : 1] = NONE;
        assert_true(is_sound(&got));
        assert_memory_equal(&got, &wanted, sizeof got);
        bool aborts = strategies[i] == MERGE_ABORT && conflicts + is_clash > 0;
        assert_true((plan.counts[MERGE_CONFLICT] > 0) == aborts);
        assert_true(is_clash || plan.counts[MERGE_CONFLICT] == (aborts ? conflicts : 0));
        merge_fini(&plan);
    }
    dump_fini(&b);
    dump_fini(&o);
    dump_fini(&t);
}

static bool nth(size_t n, struct model *ret)
{
    for (size_t i = 0; i < PATHS_COUNT; i++, n /= STATES_COUNT)
        ret->at[i] = (unsigned)(n % STATES_COUNT);
    return is_sound(ret);
}

/* Of "c", which lies beside the others, a few states are enough: what it does does not depend on them. */
static void every_small_case_is_as_the_model_says(void **state UNUSED)
{
    const size_t all = STATES_COUNT * STATES_COUNT * STATES_COUNT;
    struct model b, o, t;
    size_t cases = 0;
    for (size_t i = 0; i < all; i++) {
        for (size_t j = 0; nth(i, &b) && b.at[2] <= ONE && j < all; j++) {
            for (size_t k = 0; nth(j, &o) && o.at[2] <= TWO && k < all; k++) {
                if (!nth(k, &t) || t.at[2] > TWO)
                    continue;
                check_case(&b, &o, &t);
                cases++;
            }
        }
    }
    assert_int_equal(cases, 9 * 2 * 9 * 3 * 9 * 3);
}

/* All of "c" alone. */
static void every_case_of_one_path(void **state UNUSED)
{
    for (unsigned i = 0; i < STATES_COUNT * STATES_COUNT * STATES_COUNT; i++) {
        struct model b = {{0, 0, i % STATES_COUNT}}, o = {{0, 0, i / STATES_COUNT % STATES_COUNT}};
        struct model t = {{0, 0, i / STATES_COUNT / STATES_COUNT}};
        check_case(&b, &o, &t);
    }
}

/* merge(b, b, t) is t, merge(b, o, b) is o, merge(b, o, o) is o, and sides may change places. */
static void laws_hold(void **state UNUSED)
{
    const struct merge_rules rules = {.strategy = MERGE_ABORT};
    const size_t all = STATES_COUNT * STATES_COUNT * STATES_COUNT;
    struct model x, y;
    for (size_t i = 0; i < all * all; i++) {
        struct dump b, o;
        struct merge_plan p, q;
        bool is_known = nth(i % all, &x) && nth(i / all, &y);
        for (size_t j = 0; j < PATHS_COUNT; j++)
            is_known = is_known && x.at[j] != UNKNOWN && y.at[j] != UNKNOWN;
        if (!is_known)
            continue;
        make(&b, &x);
        make(&o, &y);
        assert_int_equal(merge_make(&b, &b, &o, rules, &p), 0);
        struct model taken = apply(&p, &x, &y);
        assert_memory_equal(&taken, &y, sizeof y);
        merge_fini(&p);
        assert_int_equal(merge_make(&b, &o, &b, rules, &p), 0);
        assert_int_equal(merge_changes_count(&p), 0);
        merge_fini(&p);
        assert_int_equal(merge_make(&b, &o, &o, rules, &p), 0);
        assert_int_equal(merge_changes_count(&p) + p.counts[MERGE_CONFLICT], 0);
        merge_fini(&p);
        assert_int_equal(merge_make(NULL, &b, &o, rules, &p), 0); /* without a base: as theirs */
        taken = apply(&p, &x, &y);
        assert_memory_equal(&taken, &y, sizeof y);
        merge_fini(&p);
        dump_fini(&b);
        dump_fini(&o);
        /* y and a third one, from x, with the sides in both orders */
        struct model z = {{x.at[1], x.at[0], (y.at[2] + 1) % UNKNOWN}};
        struct dump d;
        make(&b, &x);
        make(&o, &y);
        make(&d, &z);
        assert_int_equal(merge_make(&b, &o, &d, rules, &p), 0);
        assert_int_equal(merge_make(&b, &d, &o, rules, &q), 0);
        assert_true((p.counts[MERGE_CONFLICT] > 0) == (q.counts[MERGE_CONFLICT] > 0));
        struct model there = apply(&p, &y, &z), back = apply(&q, &z, &y);
        if (p.counts[MERGE_CONFLICT] == 0)
            assert_memory_equal(&there, &back, sizeof there);
        merge_fini(&p);
        merge_fini(&q);
        dump_fini(&b);
        dump_fini(&o);
        dump_fini(&d);
    }
}

/* ---- without a base -----------------------------------------------------------------------------------------------
 */

static void without_a_base(void **state UNUSED)
{
    struct model ours = {{ONE, NONE, TWO}}, theirs = {{NONE, ONE, NONE}}, unknown = {{NONE, NONE, UNKNOWN}};
    struct dump o, t;
    struct merge_plan p;
    make(&o, &ours);
    make(&t, &theirs);
    assert_int_equal(merge_make(NULL, &o, &t, (struct merge_rules){.keeps_missing = true}, &p), 0);
    assert_int_equal(p.counts[MERGE_CONFLICT], 1); /* "a" stays, so "a/b" has no place */
    assert_true(p.steps[1].is_clash && p.steps[1].kind == MERGE_CONFLICT && p.steps[2].kind == MERGE_KEEP);
    merge_fini(&p);
    assert_int_equal(
        merge_make(NULL, &o, &t, (struct merge_rules){.keeps_missing = true, .strategy = MERGE_THEIRS}, &p), 0);
    assert_true(p.steps[0].kind == MERGE_DELETE && p.steps[1].kind == MERGE_ADD && p.steps[2].kind == MERGE_KEEP);
    merge_fini(&p);
    assert_int_equal(merge_make(NULL, &o, &t, (struct merge_rules){0}, &p), 0);
    assert_int_equal(p.counts[MERGE_DELETE], 2);
    merge_fini(&p);
    dump_fini(&t);
    make(&t, &unknown);
    assert_int_equal(merge_make(NULL, &o, &t, (struct merge_rules){.keeps_missing = true}, &p), 0);
    assert_int_equal(merge_changes_count(&p), 0);
    assert_int_equal(p.counts[MERGE_LEFT], 1);
    merge_fini(&p);
    assert_int_equal(merge_make(NULL, &o, &t, (struct merge_rules){.is_only_shown = true}, &p), 0);
    assert_int_equal(p.counts[MERGE_CHANGE], 1);
    merge_fini(&p);
    dump_fini(&o);
    dump_fini(&t);
}

/* ---- lines, JSON and the request ----------------------------------------------------------------------------------
 */

static void read_yaml(struct dump *d, const char *entries)
{
    SCOPED(buf_fini) struct buf text;
    buf_init(&text, 1 << 16);
    dump_init(d);
    assert_int_equal(buf_append_text(&text, "format: secreg-dump\nversion: 1\nentries: {"), 0);
    assert_int_equal(buf_append_text(&text, entries), 0);
    assert_int_equal(buf_append_text(&text, "}\n"), 0);
    assert_int_equal(dump_yaml_parse(buf_view(&text), d, why), 0);
    for (size_t i = 0; i < d->count; i++)
        d->entries[i].version = 7 + i;
}

struct fixture {
    struct dump base, ours, theirs;
    struct merge_plan plan;
};

/* base NULL: without */
static void plan(struct fixture *f, const char *base, const char *ours, const char *theirs, struct merge_rules rules)
{
    read_yaml(&f->base, base != NULL ? base : "");
    read_yaml(&f->ours, ours);
    read_yaml(&f->theirs, theirs);
    assert_int_equal(merge_make(base != NULL ? &f->base : NULL, &f->ours, &f->theirs, rules, &f->plan), 0);
}

static void drop(struct fixture *f)
{
    merge_fini(&f->plan);
    dump_fini(&f->base);
    dump_fini(&f->ours);
    dump_fini(&f->theirs);
}

static void assert_lines(const struct fixture *f, size_t width, const char *expected)
{
    SCOPED(buf_fini) struct buf out;
    buf_init(&out, 1 << 20);
    for (size_t i = 0; i < f->plan.count; i++) {
        if (!merge_is_shown(&f->plan.steps[i]))
            continue;
        assert_int_equal(merge_step_print(&out, &f->plan.steps[i], "/registry/system", width), 0);
        assert_int_equal(buf_append_text(&out, "\n"), 0);
    }
    assert_int_equal(buf_append(&out, bytes_of("", 1)), 0);
    assert_string_equal((const char *)buf_view(&out).p, expected);
}

static void lines_say_what_happens(void **state UNUSED)
{
    struct fixture f;
    plan(&f, NULL, "a: 1, b: x, c: x, d: {value: x, comment: u}, s: {value: old, sealed: true}, t: {value: x}, z: 1",
         "a: 2, b: \"x\\e\", d: {value: x, comment: v, tags: [t]}, e: new, s: {value: new, sealed: true}, "
         "t: {value: x, sealed: true}, u: {value: k, sealed: true}, v: {type: string, sealed: true}, z: 'x'",
         (struct merge_rules){0});
    assert_lines(&f, 0,
                 "~ /registry/system/a: 1 -> 2\n~ /registry/system/b: x -> x\\x1b\n- /registry/system/c\n"
                 "~ /registry/system/d (comment, tags)\n+ /registry/system/e = new\n~ /registry/system/s (value)\n"
                 "~ /registry/system/t (sealed)\n+ /registry/system/u (sealed)\n"
                 "? /registry/system/v (sealed, and its value is not in the file)\n"
                 "~ /registry/system/z: 1 -> x (type)\n");
    assert_lines(&f, 24,
                 "~ /registry/system/a:...\n~ /registry/system/b:...\n- /registry/system/c\n"
                 "~ /registry/system/d ...\n+ /registry/system/e ...\n~ /registry/system/s ...\n"
                 "~ /registry/system/t ...\n+ /registry/system/u ...\n? /registry/system/v ...\n"
                 "~ /registry/system/z:...\n");
    drop(&f);
}

static void conflicts_are_listed(void **state UNUSED)
{
    static const char base[] = "a: 1, b: 1, c: 1, s: {value: x, sealed: true}, n: {value: x}";
    static const char ours[] = "a: 2, b: 2, f: 1, n: {value: x, comment: u}, o: 5, s: {value: w, sealed: true}";
    static const char theirs[] = "a: 3, c: 3, f/g: 1, n: {value: x, comment: v}, o: 6, s: {value: z, sealed: true}";
    struct fixture f;
    plan(&f, base, ours, theirs, (struct merge_rules){0});
    assert_lines(&f, 0,
                 "! /registry/system/a: changed in both, ours 2, theirs 3\n"
                 "! /registry/system/b: changed in ours, deleted in theirs\n"
                 "! /registry/system/c: deleted in ours, changed in theirs\n"
                 "! /registry/system/f/g: one side has an entry here and the other a folder\n"
                 "! /registry/system/n: changed in both (comment)\n"
                 "! /registry/system/o: made in both, ours 5, theirs 6\n"
                 "! /registry/system/s: changed in both (value)\n");
    drop(&f);
    plan(&f, base, ours, theirs, (struct merge_rules){.strategy = MERGE_OURS});
    assert_int_equal(merge_changes_count(&f.plan), 0);
    assert_lines(&f, 0,
                 "  /registry/system/a (conflict: ours stays)\n  /registry/system/b (conflict: ours stays)\n"
                 "  /registry/system/c (conflict: ours stays)\n  /registry/system/f (conflict: ours stays)\n"
                 "  /registry/system/f/g (conflict: ours stays)\n  /registry/system/n (conflict: ours stays)\n"
                 "  /registry/system/o (conflict: ours stays)\n  /registry/system/s (conflict: ours stays)\n");
    drop(&f);
    plan(&f, base, ours, theirs, (struct merge_rules){.strategy = MERGE_THEIRS});
    assert_lines(&f, 0,
                 "~ /registry/system/a: 2 -> 3 (conflict: theirs is taken)\n"
                 "- /registry/system/b (conflict: theirs is taken)\n"
                 "+ /registry/system/c = 3 (conflict: theirs is taken)\n"
                 "- /registry/system/f (conflict: theirs is taken)\n"
                 "+ /registry/system/f/g = 1 (conflict: theirs is taken)\n"
                 "~ /registry/system/n (comment) (conflict: theirs is taken)\n"
                 "~ /registry/system/o: 5 -> 6 (conflict: theirs is taken)\n"
                 "~ /registry/system/s (value) (conflict: theirs is taken)\n");
    drop(&f);
}

static void assert_json(const struct fixture *f, size_t i, const char *expected)
{
    SCOPED(buf_fini) struct buf out;
    buf_init(&out, 1 << 16);
    assert_int_equal(merge_step_json(&out, &f->plan.steps[i], ""), 0);
    assert_int_equal(json_check(buf_view(&out), why, sizeof why), 0);
    assert_int_equal(buf_append(&out, bytes_of("", 1)), 0);
    assert_string_equal((const char *)buf_view(&out).p, expected);
}

static void steps_are_json(void **state UNUSED)
{
    struct fixture f;
    plan(&f, NULL, "a: 1, s: {value: old, sealed: true}", "a: 2.5, b: [x], s: {value: new}", (struct merge_rules){0});
    assert_json(&f, 0,
                "{\"change\":\"change\",\"path\":\"a\",\"differs\":[\"type\",\"value\"],"
                "\"ours\":{\"type\":\"integer\",\"sealed\":false,\"value\":1},"
                "\"theirs\":{\"type\":\"float\",\"sealed\":false,\"value\":2.5}}");
    assert_json(
        &f, 1, "{\"change\":\"add\",\"path\":\"b\",\"theirs\":{\"type\":\"list\",\"sealed\":false,\"value\":[\"x\"]}}");
    assert_json(&f, 2,
                "{\"change\":\"change\",\"path\":\"s\",\"differs\":[\"value\",\"sealed\"],"
                "\"ours\":{\"type\":\"string\",\"sealed\":true},\"theirs\":{\"type\":\"string\",\"sealed\":false}}");
    drop(&f);
}

static void the_request_names_what_was_seen(void **state UNUSED)
{
    SCOPED(buf_fini) struct buf out;
    struct fixture f;
    buf_init(&out, 1 << 16);
    plan(&f, NULL, "a/b: x, c: {value: x, comment: c, tags: [t], expires: '2027-01-01T00:00:00Z'}, same: 1",
         "a: \"x\\\"\", c: {value: w, sealed: true}, d: {value: AAE=, type: binary, tags: [u, t], comment: c}, e: 0.1, "
         "same: 1",
         (struct merge_rules){0});
    assert_int_equal(merge_request(&out, &f.plan, "/registry/system", "a \"b\"", true), 0);
    assert_int_equal(json_check(buf_view(&out), why, sizeof why), 0);
    assert_int_equal(buf_append(&out, bytes_of("", 1)), 0);
    assert_string_equal(
        (const char *)buf_view(&out).p,
        "{\"then\":[{\"op\":\"delete\",\"path\":\"/registry/system/a/b\",\"version\":7},"
        "{\"op\":\"set\",\"path\":\"/registry/system/a\",\"type\":\"string\",\"text\":\"x\\\"\",\"seal\":false,"
        "\"absent\":true},"
        "{\"op\":\"set\",\"path\":\"/registry/system/c\",\"type\":\"string\",\"text\":\"w\",\"seal\":true,"
        "\"comment\":\"\",\"tags\":[],\"expires\":null,\"version\":8},"
        "{\"op\":\"set\",\"path\":\"/registry/system/d\",\"type\":\"binary\",\"value\":\"AAE=\",\"seal\":false,"
        "\"comment\":\"c\",\"tags\":[\"t\",\"u\"],\"absent\":true},"
        "{\"op\":\"set\",\"path\":\"/registry/system/"
        "e\",\"type\":\"float\",\"text\":\"0.1\",\"seal\":false,\"absent\":true}],"
        "\"reason\":\"a \\\"b\\\"\",\"dry_run\":true}");
    struct buf small;
    buf_init(&small, 100);
    assert_int_equal(merge_request(&small, &f.plan, "/registry/system", NULL, false), FAULT_LIMIT);
    buf_fini(&small);
    drop(&f);
}

static void memory_may_run_out(void **state UNUSED)
{
    struct fixture f;
    int r = 0;
    plan(&f, NULL, "a: 1", "a: 2", (struct merge_rules){0});
    EACH_ALLOC_FAILURE({
        merge_fini(&f.plan);
        r = merge_make(NULL, &f.ours, &f.theirs, (struct merge_rules){0}, &f.plan);
        assert_true(r == 0 || r == -ENOMEM);
    });
    assert_int_equal(r, 0);
    EACH_ALLOC_FAILURE({
        struct buf out;
        buf_init(&out, 1 << 16);
        r = merge_request(&out, &f.plan, "", "x", false);
        assert_true(r == 0 || r == -ENOMEM);
        buf_fini(&out);
    });
    assert_int_equal(r, 0);
    drop(&f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_small_case_is_as_the_model_says),
        cmocka_unit_test(every_case_of_one_path),
        cmocka_unit_test(laws_hold),
        cmocka_unit_test(without_a_base),
        cmocka_unit_test(lines_say_what_happens),
        cmocka_unit_test(conflicts_are_listed),
        cmocka_unit_test(steps_are_json),
        cmocka_unit_test(the_request_names_what_was_seen),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
