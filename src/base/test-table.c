/* Tests of the tables: bytes, list, map, hash (the 64 vectors of SipHash-2-4), and fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/map.h"
#include "fail-alloc.h"

/* ---- bytes ----------------------------------------------------------------------------------------------- */

static int sign(int n)
{
    return (n > 0) - (n < 0);
}

static void test_bytes_compare(void **state)
{
    static const struct {
        const char *a, *b;
        int order;
        bool is_equal_nocase;
    } cases[] = {
        {"", "", 0, true},       {"a", "", 1, false},    {"a", "a", 0, true},   {"a", "b", -1, false},
        {"ab", "a", 1, false},   {"ab", "b", -1, false}, {"A", "a", -1, true},  {"Content", "cONTENT", -1, true},
        {"\xff", "a", 1, false}, {"[", "{", -1, false},  {"@", "`", -1, false}, {"\xc4", "\xe4", -1, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bytes a = bytes_of_text(cases[i].a), b = bytes_of_text(cases[i].b);
        assert_int_equal(sign(bytes_compare(a, b)), cases[i].order);
        assert_int_equal(sign(bytes_compare(b, a)), -cases[i].order);
        assert_int_equal(bytes_equal(a, b), cases[i].order == 0);
        assert_int_equal(bytes_equal_nocase(a, b), cases[i].is_equal_nocase);
    }
    assert_true(bytes_equal(BYTES_NONE, BYTES_LITERAL("")));
    assert_int_equal(bytes_compare(BYTES_NONE, BYTES_NONE), 0);
    assert_false(bytes_equal(bytes_of("a\0b", 3), bytes_of("a\0c", 3)));
}

static void test_bytes_parts(void **state)
{
    struct bytes b = BYTES_LITERAL("path/to");
    uint8_t array[5] = {0};
    (void)state;
    assert_int_equal(b.n, 7);
    assert_int_equal(BYTES_OF(array).n, 5);
    assert_int_equal(bytes_of_text(NULL).n, 0);
    assert_true(bytes_starts(b, BYTES_LITERAL("path")) && bytes_starts(b, b) && bytes_starts(b, BYTES_NONE));
    assert_false(bytes_starts(b, BYTES_LITERAL("path/to/")) || bytes_starts(b, BYTES_LITERAL("Path")));
    assert_int_equal(bytes_find(b, '/'), 4);
    assert_int_equal(bytes_find(b, 'x'), 7);
    assert_int_equal(bytes_find(BYTES_NONE, 'x'), 0);
    assert_true(bytes_equal(bytes_from(b, 5), BYTES_LITERAL("to")));
    assert_int_equal(bytes_from(b, 7).n, 0);
    assert_int_equal(bytes_from(b, SIZE_MAX).n, 0);
    assert_true(bytes_equal(bytes_head(b, 4), BYTES_LITERAL("path")));
    assert_true(bytes_equal(bytes_head(b, SIZE_MAX), b));
    assert_int_equal(bytes_head(BYTES_NONE, 3).n, 0);
}

/* ---- list ------------------------------------------------------------------------------------------------ */

struct item {
    struct list link;
    char name;
};

static void assert_list(const struct list *head, const char *names)
{
    size_t n = 0, length = strlen(names);
    LIST_EACH(it, (struct list *)(uintptr_t)head) {
        assert_true(n < length);
        assert_int_equal(CONTAINER_OF(it, struct item, link)->name, names[n++]);
        assert_ptr_equal(it->next->prev, it);
    }
    assert_int_equal(n, length);
}

static void test_list(void **state)
{
    struct list head;
    struct item items[4];
    (void)state;
    list_init(&head);
    assert_true(list_is_empty(&head));
    for (size_t i = 0; i < COUNT_OF(items); i++) {
        list_init(&items[i].link);
        items[i].name = (char)('a' + i);
        list_append(&head, &items[i].link);
    }
    assert_false(list_is_empty(&head));
    assert_list(&head, "abcd");
    list_unlink(&items[1].link);
    list_unlink(&items[1].link); /* a second time changes nothing */
    assert_list(&head, "acd");
    list_append(&head, &items[1].link);
    assert_list(&head, "acdb");
    LIST_EACH_SAFE(it, &head)
        list_unlink(it);
    assert_true(list_is_empty(&head));
}

/* ---- map ------------------------------------------------------------------------------------------------- */

enum { ENTRIES_COUNT = 1000 };

struct entry {
    struct map_link link;
    unsigned key;
};

static const struct entry *find(const struct map *m, uint64_t hash, unsigned key)
{
    for (struct map_link *l = map_first(m, hash); l != NULL; l = map_next(l)) {
        struct entry *e = CONTAINER_OF(l, struct entry, link);
        assert_true(l->hash == hash); /* only elements with this hash are shown */
        if (e->key == key)
            return e;
    }
    return NULL;
}

static void count_one(struct map_link *link, void *arg)
{
    unsigned *sum = arg;
    *sum += CONTAINER_OF(link, struct entry, link)->key;
}

static uint64_t spread_hash(unsigned key)
{
    return hash_siphash(hash_process_key(), bytes_of(&key, sizeof key));
}

/* All in the same bucket until the map grows far, and every second one with the same hash as its neighbour. */
static uint64_t colliding_hash(unsigned key)
{
    return (uint64_t)(key / 2) << 12;
}

static void run_map(uint64_t (*hash)(unsigned key))
{
    static struct entry entries[ENTRIES_COUNT];
    struct map m;
    unsigned sum = 0;
    map_init(&m);
    assert_null(map_first(&m, 1));
    for (unsigned i = 0; i < ENTRIES_COUNT; i++) {
        entries[i].key = i;
        assert_int_equal(map_add(&m, &entries[i].link, hash(i)), 0);
    }
    assert_int_equal(m.count, ENTRIES_COUNT);
    assert_true(m.bucket_count >= m.count && (m.bucket_count & (m.bucket_count - 1)) == 0);
    for (unsigned i = 0; i < ENTRIES_COUNT; i++)
        assert_ptr_equal(find(&m, hash(i), i), &entries[i]);
    assert_null(find(&m, hash(ENTRIES_COUNT), ENTRIES_COUNT));
    for (unsigned i = 0; i < ENTRIES_COUNT; i += 3)
        map_remove(&m, &entries[i].link);
    for (unsigned i = 0; i < ENTRIES_COUNT; i++)
        assert_ptr_equal(find(&m, hash(i), i), i % 3 == 0 ? NULL : &entries[i]);
    map_each(&m, count_one, &sum);
    assert_int_equal(sum, 999 * 1000 / 2 - 3 * (333 * 334 / 2));
    map_fini(&m);
    assert_int_equal(m.count, 0);
    assert_null(map_first(&m, hash(1)));
}

static void test_map(void **state)
{
    (void)state;
    run_map(spread_hash);
    run_map(colliding_hash);
}

static void free_one(struct map_link *link, void *arg)
{
    (void)arg;
    free(CONTAINER_OF(link, struct entry, link));
}

static void test_map_ends(void **state)
{
    struct map m;
    (void)state;
    map_init(&m);
    map_each(&m, free_one, NULL);
    for (unsigned i = 0; i < 40; i++) {
        struct entry *e = calloc(1, sizeof *e);
        assert_non_null(e);
        assert_int_equal(map_add(&m, &e->link, i % 7), 0);
    }
    map_each(&m, free_one, NULL); /* the elements may go while the map is walked */
    map_fini(&m);
}

static void test_map_without_memory(void **state)
{
    static struct entry entries[ENTRIES_COUNT];
    struct map m;
    (void)state;
    map_init(&m);
    fail_alloc_after(0);
    assert_int_equal(map_add(&m, &entries[0].link, 5), -ENOMEM);
    assert_true(fail_alloc_off());
    assert_int_equal(m.count, 0);
    fail_alloc_after(1); /* the first buckets, and no more: the chains get longer */
    for (unsigned i = 0; i < ENTRIES_COUNT; i++) {
        entries[i].key = i;
        assert_int_equal(map_add(&m, &entries[i].link, spread_hash(i)), 0);
    }
    assert_true(fail_alloc_off());
    assert_true(m.bucket_count < ENTRIES_COUNT);
    for (unsigned i = 0; i < ENTRIES_COUNT; i++)
        assert_ptr_equal(find(&m, spread_hash(i), i), &entries[i]);
    map_fini(&m);
}

/* ---- hash ------------------------------------------------------------------------------------------------ */

/* Key 00 01 .. 0f, input 00 01 .. (n - 1) for n = 0 .. 63; vectors of the authors' reference implementation. */
static const uint64_t siphash_vectors[64] = {
    UINT64_C(0x726fdb47dd0e0e31), UINT64_C(0x74f839c593dc67fd), UINT64_C(0x0d6c8009d9a94f5a),
    UINT64_C(0x85676696d7fb7e2d), UINT64_C(0xcf2794e0277187b7), UINT64_C(0x18765564cd99a68d),
    UINT64_C(0xcbc9466e58fee3ce), UINT64_C(0xab0200f58b01d137), UINT64_C(0x93f5f5799a932462),
    UINT64_C(0x9e0082df0ba9e4b0), UINT64_C(0x7a5dbbc594ddb9f3), UINT64_C(0xf4b32f46226bada7),
    UINT64_C(0x751e8fbc860ee5fb), UINT64_C(0x14ea5627c0843d90), UINT64_C(0xf723ca908e7af2ee),
    UINT64_C(0xa129ca6149be45e5), UINT64_C(0x3f2acc7f57c29bdb), UINT64_C(0x699ae9f52cbe4794),
    UINT64_C(0x4bc1b3f0968dd39c), UINT64_C(0xbb6dc91da77961bd), UINT64_C(0xbed65cf21aa2ee98),
    UINT64_C(0xd0f2cbb02e3b67c7), UINT64_C(0x93536795e3a33e88), UINT64_C(0xa80c038ccd5ccec8),
    UINT64_C(0xb8ad50c6f649af94), UINT64_C(0xbce192de8a85b8ea), UINT64_C(0x17d835b85bbb15f3),
    UINT64_C(0x2f2e6163076bcfad), UINT64_C(0xde4daaaca71dc9a5), UINT64_C(0xa6a2506687956571),
    UINT64_C(0xad87a3535c49ef28), UINT64_C(0x32d892fad841c342), UINT64_C(0x7127512f72f27cce),
    UINT64_C(0xa7f32346f95978e3), UINT64_C(0x12e0b01abb051238), UINT64_C(0x15e034d40fa197ae),
    UINT64_C(0x314dffbe0815a3b4), UINT64_C(0x027990f029623981), UINT64_C(0xcadcd4e59ef40c4d),
    UINT64_C(0x9abfd8766a33735c), UINT64_C(0x0e3ea96b5304a7d0), UINT64_C(0xad0c42d6fc585992),
    UINT64_C(0x187306c89bc215a9), UINT64_C(0xd4a60abcf3792b95), UINT64_C(0xf935451de4f21df2),
    UINT64_C(0xa9538f0419755787), UINT64_C(0xdb9acddff56ca510), UINT64_C(0xd06c98cd5c0975eb),
    UINT64_C(0xe612a3cb9ecba951), UINT64_C(0xc766e62cfcadaf96), UINT64_C(0xee64435a9752fe72),
    UINT64_C(0xa192d576b245165a), UINT64_C(0x0a8787bf8ecb74b2), UINT64_C(0x81b3e73d20b49b6f),
    UINT64_C(0x7fa8220ba3b2ecea), UINT64_C(0x245731c13ca42499), UINT64_C(0xb78dbfaf3a8d83bd),
    UINT64_C(0xea1ad565322a1a0b), UINT64_C(0x60e61c23a3795013), UINT64_C(0x6606d7e446282b93),
    UINT64_C(0x6ca4ecb15c5f91e1), UINT64_C(0x9f626da15c9625f3), UINT64_C(0xe51b38608ef25f57),
    UINT64_C(0x958a324ceb064572),
};

static void test_siphash(void **state)
{
    static const struct hash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    uint8_t in[65];
    (void)state;
    for (size_t i = 0; i < 64; i++) {
        in[i + 1] = (uint8_t)i; /* at an odd address */
        assert_true(hash_siphash(&key, bytes_of(in + 1, i)) == siphash_vectors[i]);
    }
}

static void test_process_key(void **state)
{
    const struct hash_key *key = hash_process_key();
    (void)state;
    struct hash_key copy = *key;
    assert_ptr_equal(hash_process_key(), key);
    assert_memory_equal(hash_process_key(), &copy, sizeof copy);
    assert_false(key->k0 == 0 && key->k1 == 0);
}

/* ---- fault ----------------------------------------------------------------------------------------------- */

static int fail_with(int fault)
{
    TRY(fault);
    return 5;
}

static void test_fault_origin(void **state)
{
    int line = -1;
    (void)state;
    assert_string_equal(fault_origin(&line), "");
    assert_int_equal(line, 0);
    assert_int_equal(fault_raise(-EPERM, "some/where/file.c", 42), -EPERM);
    assert_string_equal(fault_origin(&line), "file.c");
    assert_int_equal(line, 42);
    int here = __LINE__ + 1;
    assert_int_equal(RAISE(FAULT_LIMIT), FAULT_LIMIT);
    assert_string_equal(fault_origin(&line), "test-table.c");
    assert_int_equal(line, here);
    assert_int_equal(fault_raise(-EPERM, "plain.c", 1), -EPERM);
    assert_string_equal(fault_origin(&line), "plain.c");
    assert_int_equal(fail_with(-EIO), -EIO);
    assert_int_equal(fail_with(0), 5);
    assert_int_equal(fail_with(1), 5); /* an outcome is not passed up */
}

static void test_fault_text(void **state)
{
    (void)state;
    assert_string_equal(fault_text(FAULT_CORRUPT), "stored data failed its check");
    assert_string_equal(fault_text(FAULT_INTERNAL), "a library failed in a way its manual does not list");
    assert_string_equal(fault_text(-ENOENT), "No such file or directory");
    assert_string_equal(fault_text(-1000), "unknown fault");
    assert_string_equal(fault_text(-1999), "unknown fault");
    assert_string_equal(fault_text(1), "unknown fault");
    for (int fault = FAULT_INTERNAL; fault <= FAULT_CORRUPT; fault++)
        assert_string_not_equal(fault_text(fault), "unknown fault"); /* no gap in the numbers */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fault_origin), /* first: nothing was raised yet */
        cmocka_unit_test(test_fault_text),
        cmocka_unit_test(test_bytes_compare),
        cmocka_unit_test(test_bytes_parts),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_map_ends),
        cmocka_unit_test(test_map_without_memory),
        cmocka_unit_test(test_siphash),
        cmocka_unit_test(test_process_key),
    };
    return cmocka_run_group_tests_name("base/table", tests, NULL, NULL);
}
