/* trail-query: whatever is asked, what is left out holds nothing of it, with the index as it is, missing, or damaged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test-chain.h"
#include "trail/index.h"
#include "trail/trail-internal.h"

enum { RECORDS_COUNT = 40000, TURN_COUNT = 100 };

static uint64_t random_state = 1;

static uint64_t any(uint64_t below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (random_state >> 33) % below;
}

/* Most of it alike, some of it rare, and long enough for several files. */
static void append(struct chain *c, uint64_t i)
{
    static char filler[900];
    char path[80];
    memset(filler, 'x', sizeof filler);
    bool is_rare = any(2000) == 0, is_hidden = any(is_rare ? 2 : 9) == 0;
    (void)snprintf(path, sizeof path, "/registry/%s%s%u", is_rare ? "rare/x" : "applications/a",
                   is_hidden ? "/~dG9r" : "/b", (unsigned)any(i % 512 < 256 ? 4 : 900));
    struct record r = {.wall_us = (int64_t)i * 1000 + (int64_t)any(5000),
                       .kind = is_rare ? RECORD_DELETE : (uint16_t)(RECORD_GET + any(4)),
                       .outcome = (uint16_t)(any(300) == 0 ? any(60) : 0),
                       .uid = (uint32_t)(any(2000) == 0 ? any(50) + 1000 : any(3)),
                       .rule = any(1000) == 0 ? any(40) + 1 : 1,
                       .session = any(3000) == 0 ? any(30) + 1 : 0,
                       .path = bytes_of_text(any(50) == 0 ? "" : path),
                       .detail = bytes_of((const uint8_t *)filler, sizeof filler)};
    assert_int_equal(trail_append(c->trail, &r), 0);
}

static void fill(struct chain *c)
{
    for (uint64_t i = 0; i < RECORDS_COUNT; i++) {
        append(c, i);
        if (i % TURN_COUNT == TURN_COUNT - 1)
            assert_int_equal(chain_end(c, BYTES_NONE), 0);
    }
    assert_true(c->trail != NULL && trail_size(c->trail) == RECORDS_COUNT);
}

static bool passes(const struct trail_filter *f, const struct record *r)
{
    bool is_below =
        f->path.n == 0 || (bytes_starts(r->path, f->path) && (r->path.n == f->path.n || r->path.p[f->path.n] == '/'));
    return (!f->has_uid || r->uid == f->uid) && (f->kind == 0 || r->kind == f->kind) &&
           (!f->has_outcome || r->outcome == f->outcome) && (!f->is_refused || r->outcome != 0) &&
           (f->rule == 0 || r->rule == f->rule) && (!f->has_session || r->session == f->session) &&
           (f->since_us == 0 || r->wall_us >= f->since_us) && (f->until_us == 0 || r->wall_us < f->until_us) &&
           is_below;
}

struct found {
    const struct trail_filter *filter;
    uint64_t seqs[RECORDS_COUNT + 100];
    size_t count, looked;
};

static int take(uint64_t seq, struct bytes record, void *arg)
{
    struct found *f = arg;
    struct record r;
    assert_true(record_decode(record, &r));
    f->looked++;
    if (passes(f->filter, &r))
        f->seqs[f->count++] = seq;
    return 0;
}

/* The answer of all calls that it takes. */
static void ask(struct chain *c, const struct trail_filter *filter, bool is_downwards, struct found *found)
{
    uint64_t at = is_downwards ? UINT64_MAX : 0;
    struct trail_query q = {.filter = *filter, .on_record = take, .arg = found};
    *found = (struct found){.filter = filter};
    for (;;) {
        assert_int_equal(trail_query(c->trail, at, is_downwards, &q), 0);
        if (q.ends)
            return;
        assert_true(is_downwards ? q.last > 0 && q.last < at : q.last >= at);
        at = is_downwards ? q.last - 1 : q.last + 1;
    }
}

static const char *const paths[] = {"",
                                    "/registry",
                                    "/registry/rare",
                                    "/registry/rare/x",
                                    "/registry/rare/x/b3",
                                    "/registry/rare/x/tor1", /* in the clear; in records it is hidden */
                                    "/registry/none",
                                    "/registry/applications/a/b700"};

static void any_filter(struct trail_filter *f)
{
    *f = (struct trail_filter){.path = bytes_of_text(paths[any(COUNT_OF(paths))])};
    if (any(4) == 0)
        f->has_uid = true, f->uid = (uint32_t)(any(2) == 0 ? any(60) + 1000 : any(4));
    if (any(4) == 0)
        f->kind = any(2) == 0 ? RECORD_DELETE : (unsigned)any(RECORD_KIND_END);
    if (any(4) == 0)
        f->has_outcome = true, f->outcome = (unsigned)any(60);
    f->is_refused = any(8) == 0;
    if (any(5) == 0)
        f->rule = any(45) + 1;
    if (any(5) == 0)
        f->has_session = true, f->session = any(32);
    if (any(4) == 0)
        f->since_us = (int64_t)any(RECORDS_COUNT) * 1000 + 1;
    if (any(4) == 0)
        f->until_us = (int64_t)any(RECORDS_COUNT) * 1000 + 1;
}

static struct found found[2];

/* Against all records; and of a path below a hidden folder every record of that is handed over. */
static void compare(struct chain *c, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        struct trail_filter f;
        any_filter(&f);
        found[0] = (struct found){.filter = &f};
        assert_int_equal(trail_read(c->trail, 0, false, take, &found[0]), 0);
        ask(c, &f, false, &found[1]);
        assert_int_equal(found[0].count, found[1].count);
        assert_memory_equal(found[0].seqs, found[1].seqs, found[0].count * sizeof *found[0].seqs);
        ask(c, &f, true, &found[1]);
        assert_int_equal(found[0].count, found[1].count);
        for (size_t k = 0; k < found[0].count; k++)
            assert_int_equal(found[0].seqs[k], found[1].seqs[found[1].count - 1 - k]);
    }
}

static void test_any_question(void **state)
{
    struct chain *c = *state;
    struct trail_filter rare = {.path = BYTES_LITERAL("/registry/rare")}, none = {.kind = RECORD_BREAK_GLASS};
    struct trail_query q = {.on_record = take, .arg = &found[0]};
    assert_int_equal(trail_query(c->trail, 0, true, &q), 0);
    assert_true(q.ends); /* an empty one */
    fill(c);
    compare(c, 40);
    ask(c, &rare, true, &found[0]);
    assert_true(found[0].count > 0 && found[0].looked < RECORDS_COUNT / 4);
    ask(c, &none, true, &found[0]);
    assert_true(found[0].looked < SEGMENT_TILE_COUNT); /* those of the run that is not complete */
}

/* Whose name is hidden is found by the folder that hides it. */
struct hidden {
    size_t looked, hidden;
};

static int count_hidden(uint64_t seq, struct bytes record, void *arg)
{
    struct hidden *h = arg;
    struct record r;
    (void)seq;
    assert_true(record_decode(record, &r));
    h->looked++;
    h->hidden += bytes_starts(r.path, BYTES_LITERAL("/registry/rare/x/~"));
    return 0;
}

static void test_hidden_names(void **state)
{
    struct chain *c = *state;
    struct hidden all = {0}, some = {0};
    fill(c);
    assert_int_equal(trail_read(c->trail, 0, false, count_hidden, &all), 0);
    struct trail_query q = {
        .filter = {.path = BYTES_LITERAL("/registry/rare/x/any/name")}, .on_record = count_hidden, .arg = &some};
    assert_int_equal(trail_query(c->trail, 0, false, &q), 0);
    assert_true(q.ends);
    assert_true(all.hidden > 0);
    assert_int_equal(some.hidden, all.hidden);
    assert_true(some.looked < all.looked / 4);
}

/* ---- the files ------------------------------------------------------------------------------------------- */

static void each_index(const struct chain *c, void (*act)(int folder, const char *name))
{
    int fd = open(c->trail_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    static char names[32][256];
    size_t count = 0;
    DIR *folder = fdopendir(dup(fd));
    assert_non_null(folder);
    for (const struct dirent *d; (d = readdir(folder)) != NULL;) {
        if (strstr(d->d_name, ".idx") != NULL)
            (void)snprintf(names[count++], sizeof names[0], "%s", d->d_name);
    }
    closedir(folder);
    assert_true(count > 1);
    for (size_t i = 0; i < count; i++)
        act(fd, names[i]);
    close(fd);
}

static void remove_one(int folder, const char *name)
{
    assert_int_equal(unlinkat(folder, name, 0), 0);
}

static void garble_one(int folder, const char *name)
{
    struct stat st;
    uint8_t bytes[64];
    int fd = openat(folder, name, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    for (int i = 0; i < 40; i++) {
        for (size_t k = 0; k < sizeof bytes; k++)
            bytes[k] = (uint8_t)any(256);
        assert_int_equal(pwrite(fd, bytes, sizeof bytes, (off_t)any((uint64_t)st.st_size - 64)), sizeof bytes);
    }
    close(fd);
}

static void cut_one(int folder, const char *name)
{
    int fd = openat(folder, name, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0 && ftruncate(fd, 5000) == 0);
    close(fd);
}

static void lengthen_one(int folder, const char *name)
{
    int fd = openat(folder, name, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0 && ftruncate(fd, 8 << 20) == 0);
    close(fd);
}

static void replace_one(int folder, const char *name)
{
    assert_int_equal(unlinkat(folder, name, 0), 0);
    assert_int_equal(symlinkat("/etc/passwd", folder, name), 0);
}

static void forbid_one(int folder, const char *name)
{
    assert_int_equal(unlinkat(folder, name, 0), 0);
    assert_int_equal(mkdirat(folder, name, 0700), 0);
}

static void test_files(void **state)
{
    static void (*const acts[])(int folder, const char *name) = {remove_one,   garble_one,  cut_one,
                                                                 lengthen_one, replace_one, forbid_one};
    struct chain *c = *state;
    fill(c);
    for (size_t i = 0; i < COUNT_OF(acts); i++) {
        c->trail = trail_close(c->trail);
        each_index(c, acts[i]);
        assert_int_equal(trail_open(c->store, c->trail_folder, TRAIL_RESERVE_COUNT, &c->trail), 0);
        compare(c, 4);
        append(c, 1); /* and it goes on */
        assert_int_equal(chain_end(c, BYTES_NONE), 0);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, chain_make, chain_remove)
    const struct CMUnitTest tests[] = {T(test_any_question), T(test_hidden_names), T(test_files)};
    return cmocka_run_group_tests(tests, chain_start, NULL);
}
