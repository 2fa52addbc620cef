/* Tests of prune: files that are removed and what stays provable, turns that fail, kills in the middle, copies of a
 * pruned trail, and what is said of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <sys/stat.h>

#include "fail-alloc.h"
#include "test-chain.h"
#include "trail/prune.h"

/* A turn as an owner prunes: the record, and a transaction that may fail. */
static int prune(struct chain *c, uint64_t before, bool is_committed, struct prune_statement *ret_s)
{
    char text[PRUNE_TEXT_MAX_BYTES];
    struct record r = {.kind = RECORD_PRUNE};
    assert_int_equal(store_begin(c->store), 0);
    int x = trail_plan_prune(c->trail, before, INT64_MAX, ret_s);
    if (x == 0)
        x = trail_prune(c->trail, ret_s);
    if (x != 0) {
        store_rollback(c->store);
        return x;
    }
    prune_write(ret_s, text);
    r.detail = bytes_of_text(text);
    r.state.n = RECORD_HASH_BYTES;
    assert_int_equal(trail_append(c->trail, &r), 0);
    assert_int_equal(trail_flush(c->trail, BYTES_LITERAL("state"), true), 0);
    if (is_committed)
        assert_int_equal(store_commit(c->store), 0);
    else
        store_rollback(c->store);
    trail_settle(c->trail, is_committed);
    return 0;
}

static size_t count_files(const struct chain *c, const char *ending)
{
    DIR *folder = opendir(c->trail_folder);
    const struct dirent *d;
    size_t n = 0;
    assert_non_null(folder);
    while ((d = readdir(folder)) != NULL)
        n += strstr(d->d_name, ending) != NULL;
    closedir(folder);
    return n;
}

static int see(uint64_t seq, struct bytes record, void *arg)
{
    struct trail_check *k = arg;
    assert_int_equal(seq, k->tree.size);
    return trail_check_add(k, record) == 0 ? 0 : FAULT_CORRUPT;
}

static int count_down(uint64_t seq, struct bytes record, void *arg)
{
    uint64_t *next = arg;
    (void)record;
    assert_int_equal(seq, --*next);
    return 0;
}

/* All that is there leads from the base to the head, and each part of it is proven. */
static void check_all(struct chain *c, uint64_t first, const struct trail_head *old)
{
    static struct trail_check k;
    static struct merkle_proof p;
    struct trail_head head, read;
    uint64_t next = trail_size(c->trail);
    struct bytes record;
    uint8_t leaf[DIGEST_BYTES], root[DIGEST_BYTES];
    assert_int_equal(trail_first(c->trail), first);
    assert_int_equal(trail_base(c->trail, &k), 0);
    assert_int_equal(k.tree.size, first);
    assert_int_equal(trail_read(c->trail, 0, false, see, &k), 0);
    assert_int_equal(trail_check_head(&k, &read), 0);
    assert_int_equal(trail_head(c->trail, &head), 0);
    assert_int_equal(read.size, head.size);
    assert_memory_equal(read.root, head.root, sizeof root);
    assert_int_equal(trail_read(c->trail, UINT64_MAX, true, count_down, &next), 0);
    assert_int_equal(next, first);
    if (first > 0)
        assert_int_equal(trail_read(c->trail, first - 1, true, count_down, &next), 0);
    struct trail_query query = {.on_record = count_down, .arg = &next};
    next = head.size;
    assert_int_equal(trail_query(c->trail, UINT64_MAX, true, &query), 0);
    assert_true(query.ends);
    assert_int_equal(next, first);
    for (uint64_t seq = first; seq < head.size;
         seq = seq < first + 1100 || seq + 300 > head.size ? seq + 1 : seq + 97) {
        assert_int_equal(trail_prove(c->trail, seq, &p, &record), 0);
        assert_int_equal(merkle_leaf(record, leaf), 0);
        assert_int_equal(merkle_proof_root(&p, leaf, seq, head.size, root), 0);
        assert_memory_equal(root, head.root, sizeof root);
    }
    struct merkle_head to = {head.size, head.root}, from = {old->size, old->root};
    if (old->size < first || old->size == 0)
        return;
    assert_int_equal(trail_prove_extends(c->trail, old->size, &p), 0);
    assert_int_equal(merkle_proof_extends(&p, from, to), 0);
}

static uint64_t edge_of(const struct chain *c, size_t i)
{
    struct segments *s;
    assert_int_equal(segments_open(c->trail_folder, &s), 0);
    assert_true(i < s->count);
    uint64_t first = s->all[i].first;
    segments_close(s);
    return first;
}

static void test_files_go(void **state)
{
    struct chain *c = *state;
    struct prune_statement s;
    struct trail_head old, none = {0};
    chain_fill(c, 3);
    uint64_t second = edge_of(c, 1), third = edge_of(c, 2);
    assert_true(second % SEGMENT_TILE_COUNT != 0 && third % SEGMENT_TILE_COUNT != 0);
    assert_int_equal(trail_head(c->trail, &old), 0);
    chain_fill(c, 5);
    assert_int_equal(prune(c, 0, true, &s), TRAIL_WHOLE);
    assert_int_equal(prune(c, second - 1, true, &s), TRAIL_WHOLE);
    check_all(c, 0, &old);
    assert_int_equal(prune(c, second, true, &s), 0);
    assert_int_equal(s.from, 0);
    assert_int_equal(s.before, second);
    assert_int_equal(count_files(c, ".log"), 4);
    check_all(c, second, &old);
    assert_int_equal(prune(c, third - 1, true, &s), TRAIL_WHOLE);
    assert_int_equal(prune(c, third + 1, true, &s), 0);
    assert_int_equal(s.from, second);
    check_all(c, third, &old);
    assert_int_equal(chain_reopen(c), 0);
    check_all(c, third, &old);
    assert_int_equal(prune(c, UINT64_MAX, true, &s), 0); /* the newest file stays */
    assert_int_equal(count_files(c, ".log"), 1);
    assert_true(count_files(c, ".idx") <= 1);
    uint64_t first = s.before;
    check_all(c, first, &none);
    chain_fill(c, 2);
    assert_int_equal(chain_reopen(c), 0);
    check_all(c, first, &none);
}

/* What is in the ring of the database is compared with the log as far as that goes. */
static void test_ring_is_longer(void **state)
{
    struct chain *c = *state;
    struct prune_statement s;
    struct trail_head none = {0};
    chain_fill(c, 2);
    assert_int_equal(prune(c, UINT64_MAX, true, &s), 0);
    assert_int_equal(chain_reopen(c), 0);
    check_all(c, s.before, &none);
}

static void test_failed_turn(void **state)
{
    struct chain *c = *state;
    struct prune_statement s;
    struct trail_head none = {0};
    chain_fill(c, 3);
    assert_int_equal(prune(c, UINT64_MAX, false, &s), 0);
    assert_int_equal(count_files(c, ".log"), 3);
    check_all(c, 0, &none);
    assert_int_equal(chain_turn(c, 1), 0); /* nothing of it is left for the next turn */
    assert_int_equal(count_files(c, ".log"), 3);
    assert_int_equal(chain_reopen(c), 0);
    check_all(c, 0, &none);
}

/* The process ends when the database has it and files are still there: the next opening removes them. What the database
 * does not know of is missing. */
static void test_cut_short(void **state)
{
    struct chain *c = *state;
    struct prune_statement s;
    struct trail_head none = {0};
    char kept[160], name[160];
    chain_fill(c, 3);
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(name, sizeof name, "%s/%020llu.log", c->trail_folder, (unsigned long long)edge_of(c, i));
        (void)snprintf(kept, sizeof kept, "%s/kept-%zu", c->folder, i);
        assert_int_equal(link(name, kept), 0);
    }
    uint64_t second = edge_of(c, 1);
    assert_int_equal(prune(c, UINT64_MAX, true, &s), 0);
    c->trail = trail_close(c->trail);
    (void)snprintf(name, sizeof name, "%s/%020llu.log", c->trail_folder, (unsigned long long)second);
    (void)snprintf(kept, sizeof kept, "%s/kept-1", c->folder);
    assert_int_equal(link(kept, name), 0);
    assert_int_equal(chain_reopen(c), 0);
    assert_int_equal(count_files(c, ".log"), 1);
    check_all(c, s.before, &none);
    chain_fill(c, 2);
    c->trail = trail_close(c->trail);
    (void)snprintf(name, sizeof name, "%s/%020llu.log", c->trail_folder, (unsigned long long)s.before);
    assert_int_equal(unlink(name), 0);
    assert_int_equal(chain_reopen(c), FAULT_CORRUPT);
}

static int copy_to(struct chain *c, const char *folder, size_t step, size_t cut)
{
    struct trail_import *m;
    uint64_t bytes;
    assert_int_equal(trail_bytes(c->trail, &bytes), 0);
    uint8_t *all = malloc(bytes);
    assert_non_null(all);
    for (uint64_t at = 0; at < bytes; at += 12345)
        assert_int_equal(trail_copy(c->trail, at, all + at, MIN_OF(bytes - at, UINT64_C(12345))), 0);
    assert_int_equal(trail_import_begin(folder, &m), 0);
    int x = 0;
    bytes = MIN_OF(bytes, cut);
    for (uint64_t at = 0; x == 0 && at < bytes; at += step)
        x = trail_import_add(m, bytes_of(all + at, MIN_OF(bytes - at, step)));
    if (x == 0)
        x = trail_import_end(m, &seed);
    trail_import_free(m);
    free(all);
    return x;
}

static void begin_epoch(struct chain *c)
{
    struct record r = {.wall_us = 0};
    assert_int_equal(trail_begin_epoch(c->trail, &r), 0);
    assert_int_equal(chain_end(c, BYTES_NONE), 0);
}

static void test_copies(void **state)
{
    struct chain *c = *state;
    struct prune_statement s;
    struct trail_head head, copied;
    char folder[160];
    chain_fill(c, 3);
    assert_int_equal(prune(c, UINT64_MAX, true, &s), 0);
    (void)snprintf(folder, sizeof folder, "%s/no-epoch", c->folder);
    assert_int_equal(copy_to(c, folder, 4096, SIZE_MAX), FAULT_CORRUPT); /* which keys come next is not in it */
    begin_epoch(c);
    assert_int_equal(trail_head(c->trail, &head), 0);
    size_t steps[] = {1 << 20, 7};
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        struct segments *log;
        static struct trail_check k;
        (void)snprintf(folder, sizeof folder, "%s/copy-%zu", c->folder, i);
        assert_int_equal(copy_to(c, folder, steps[i], SIZE_MAX), 0);
        assert_int_equal(segments_open(folder, &log), 0);
        assert_int_equal(segments_first(log), s.before);
        assert_int_equal(segments_base(log, s.before, &k), 0);
        assert_int_equal(trail_check_head(&log->mark.check, &copied), 0);
        assert_int_equal(copied.size, head.size);
        assert_memory_equal(copied.root, head.root, sizeof head.root);
        segments_close(log);
    }
    for (size_t cut = 0; cut < 600; cut += 37) {
        (void)snprintf(folder, sizeof folder, "%s/cut-%zu", c->folder, cut);
        assert_int_equal(copy_to(c, folder, 64, cut), FAULT_CORRUPT);
    }
}

/* ---- what is said ---------------------------------------------------------------------------------------- */

static void test_statement(void **state)
{
    (void)state;
    struct prune_statement s = {.from = 10, .before = 300}, read;
    char text[PRUNE_TEXT_MAX_BYTES];
    memset(s.root, 0xab, sizeof s.root);
    prune_write(&s, text);
    assert_string_equal(text, "records 10 to 299 removed, 290 in all; head of the first 300: "
                              "abababababababababababababababababababababababababababababababab");
    assert_true(prune_read(bytes_of_text(text), &read));
    assert_int_equal(read.from, 10);
    assert_int_equal(read.before, 300);
    assert_memory_equal(read.root, s.root, sizeof s.root);
    char approved[PRUNE_TEXT_MAX_BYTES + 64];
    (void)snprintf(approved, sizeof approved, "approval 12 by uid:1000: %s", text);
    assert_true(prune_read(bytes_of_text(approved), &read));
    assert_int_equal(read.before, 300);
    approved[9] = 'x';
    assert_false(prune_read(bytes_of_text(approved), &read));
    struct bytes whole = bytes_of_text(text);
    for (size_t n = 0; n < whole.n; n++)
        assert_false(prune_read(bytes_head(whole, n), &read));
    static const char *const wrong[] = {
        "records 10 to 298 removed, 290 in all; head of the first 300: ",
        "records 10 to 299 removed, 289 in all; head of the first 300: ",
        "records 10 to 299 removed, 290 in all; head of the first 301: ",
        "records 300 to 299 removed, 0 in all; head of the first 300: ",
        "records 010 to 299 removed, 290 in all; head of the first 300: ",
        "records 10 to 299 removed, 290 in all; head of the first  300: ",
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        char line[2 * PRUNE_TEXT_MAX_BYTES];
        (void)snprintf(line, sizeof line, "%s%s", wrong[i], text + whole.n - (size_t)2 * DIGEST_BYTES);
        assert_false(prune_read(bytes_of_text(line), &read));
    }
}

static void test_base(void **state)
{
    (void)state;
    static struct trail_check base, read;
    uint8_t leaf[DIGEST_BYTES] = {1}, last[DIGEST_BYTES] = {2};
    struct buf b;
    buf_init(&b, 4096);
    trail_check_init(&base);
    for (int i = 0; i < 11; i++)
        assert_int_equal(merkle_append(&base.tree, leaf), 0);
    assert_int_equal(buf_append(&b, BYTES_LITERAL("\0\0\0\0")), 0);
    assert_int_equal(merkle_encode(&base.tree, &b), 0);
    assert_int_equal(buf_append(&b, BYTES_OF(last)), 0);
    size_t n = buf_size(&b);
    assert_int_equal(buf_append(&b, BYTES_LITERAL("rest")), 0);
    for (size_t i = 0; i < n; i++) {
        struct bytes in = bytes_head(buf_view(&b), i);
        assert_int_equal(prune_take_base(&in, &read), PRUNE_BASE_SHORT);
        assert_int_equal(in.n, i);
    }
    struct bytes in = buf_view(&b);
    assert_int_equal(prune_take_base(&in, &read), PRUNE_BASE_TAKEN);
    assert_int_equal(in.n, 4);
    assert_int_equal(read.tree.size, 11);
    assert_memory_equal(read.last, last, sizeof last);
    struct bytes none = BYTES_LITERAL("\0\0\0\1aa"), zero = BYTES_LITERAL("\0\0\0\0\0\0\0\0\0\0\0\0"),
                 huge = BYTES_LITERAL("\0\0\0\0\177\377\377\377\377\377\377\377");
    assert_int_equal(prune_take_base(&none, &read), PRUNE_BASE_NONE);
    assert_int_equal(prune_take_base(&zero, &read), PRUNE_BASE_BAD);
    assert_int_equal(prune_take_base(&huge, &read), PRUNE_BASE_BAD);
    buf_fini(&b);
}

/* The one record that counts: of this kind, done, of that many records. */
static void test_seen(void **state)
{
    (void)state;
    static struct trail_check base;
    uint8_t leaf[DIGEST_BYTES] = {1};
    struct prune_seen seen;
    struct prune_statement s = {.from = 0, .before = 1};
    char text[PRUNE_TEXT_MAX_BYTES];
    struct record r = {.seq = 7, .kind = RECORD_PRUNE, .prev.n = RECORD_HASH_BYTES};
    struct buf b;
    buf_init(&b, RECORD_MAX_BYTES);
    trail_check_init(&base);
    assert_int_equal(merkle_append(&base.tree, leaf), 0);
    assert_int_equal(merkle_root(&base.tree, s.root), 0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(prune_begin(&seen, &base), 0);
        struct prune_statement said = s;
        r.kind = i == 0 ? RECORD_SET : RECORD_PRUNE;
        r.outcome = i == 1 ? 6 : 0;
        said.before += i == 2;
        said.root[5] ^= (uint8_t)(i == 3);
        prune_write(&said, text);
        r.detail = bytes_of_text(text);
        buf_clear(&b);
        assert_int_equal(record_encode(&b, &r), 0);
        assert_int_equal(prune_see(&seen, buf_view(&b)), i == 3 ? PRUNE_OTHER : 0);
        assert_int_equal(seen.is_stated, i == 4);
        assert_true(!seen.is_stated || seen.seq == 7);
    }
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_files_go, chain_make, chain_remove),
        cmocka_unit_test_setup_teardown(test_ring_is_longer, chain_make, chain_remove),
        cmocka_unit_test_setup_teardown(test_failed_turn, chain_make, chain_remove),
        cmocka_unit_test_setup_teardown(test_cut_short, chain_make, chain_remove),
        cmocka_unit_test_setup_teardown(test_copies, chain_make, chain_remove),
        cmocka_unit_test(test_statement),
        cmocka_unit_test(test_base),
        cmocka_unit_test(test_seen),
    };
    return cmocka_run_group_tests(tests, chain_start, NULL);
}
