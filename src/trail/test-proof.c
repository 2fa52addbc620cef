/* Tests of proof: texts that we make, texts that are none, and hashes that lead elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "fail-alloc.h"
#include "trail/proof.h"

enum { COUNT = 11 };

static struct {
    struct buf records[COUNT];
    uint8_t leaves[COUNT][DIGEST_BYTES];
    uint8_t roots[COUNT + 1][DIGEST_BYTES];
} t;

static int get(void *arg, unsigned height, uint64_t index, uint8_t ret[static DIGEST_BYTES])
{
    struct merkle m;
    (void)arg;
    merkle_init(&m);
    for (uint64_t i = index << height; i < (index + 1) << height; i++)
        assert_int_equal(merkle_append(&m, t.leaves[i]), 0);
    return merkle_root(&m, ret);
}

static const struct merkle_source source = {get, NULL};

static int start(void **state)
{
    struct merkle m;
    (void)state;
    if (crypt_start() < 0)
        return -1;
    merkle_init(&m);
    for (unsigned i = 0; i < COUNT; i++) {
        struct record r = {.seq = i, .kind = RECORD_SET, .path = BYTES_LITERAL("/registry/a"), .prev = {.n = 32}};
        buf_init(&t.records[i], RECORD_MAX_BYTES);
        if (record_encode(&t.records[i], &r) != 0 || merkle_leaf(buf_view(&t.records[i]), t.leaves[i]) != 0 ||
            merkle_append(&m, t.leaves[i]) != 0 || merkle_root(&m, t.roots[i + 1]) != 0)
            return -1;
    }
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < COUNT; i++)
        buf_fini(&t.records[i]);
    return 0;
}

static void make(bool extends, uint64_t at, uint64_t size, struct proof *ret)
{
    *ret = (struct proof){.extends = extends, .at = at, .note = BYTES_LITERAL("a\n3\nroot\n\nsignature\n")};
    if (!extends)
        ret->record = buf_view(&t.records[at]);
    assert_int_equal(extends ? merkle_prove_extends(&source, at, size, &ret->hashes)
                             : merkle_prove(&source, at, size, &ret->hashes),
                     0);
}

static struct checkpoint head_of(uint64_t size)
{
    struct checkpoint c = {.size = size};
    memcpy(c.root, t.roots[size], sizeof c.root);
    return c;
}

static void check_same(const struct proof *p)
{
    static struct proof again;
    struct buf text, record;
    buf_init(&text, PROOF_MAX_BYTES);
    buf_init(&record, RECORD_MAX_BYTES + 3);
    assert_int_equal(proof_write(&text, p), 0);
    assert_true(proof_read(buf_view(&text), &record, &again));
    assert_int_equal(again.extends, p->extends);
    assert_int_equal(again.at, p->at);
    assert_true(bytes_equal(again.record, p->record) && bytes_equal(again.note, p->note));
    assert_int_equal(again.hashes.count, p->hashes.count);
    assert_memory_equal(again.hashes.hashes, p->hashes.hashes, p->hashes.count * DIGEST_BYTES);
    for (size_t n = 0; n + p->note.n <= buf_size(&text); n++) { /* no beginning of it is a proof */
        buf_clear(&record);
        assert_false(proof_read(bytes_head(buf_view(&text), n), &record, &again));
    }
    buf_fini(&text);
    buf_fini(&record);
}

static void test_all_proofs(void **state)
{
    static struct proof p;
    (void)state;
    for (uint64_t size = 1; size <= COUNT; size++) {
        struct checkpoint now = head_of(size), other = head_of(size % COUNT + 1);
        for (uint64_t at = 0; at < size; at++) {
            struct checkpoint old = head_of(at + 1), wrong = head_of(at + 1);
            wrong.root[31] ^= 1;
            make(false, at, size, &p);
            check_same(&p);
            assert_int_equal(proof_check(&p, &now, NULL), 0);
            assert_int_equal(proof_check(&p, &other, NULL), PROOF_FALSE);
            p.at++; /* the record says another number */
            assert_int_equal(proof_check(&p, &now, NULL), PROOF_FALSE);
            make(true, at + 1, size, &p);
            check_same(&p);
            assert_int_equal(proof_check(&p, &now, &old), 0);
            assert_int_equal(proof_check(&p, &now, &wrong), PROOF_FALSE);
            if (other.size != old.size)
                assert_int_equal(proof_check(&p, &now, &other), PROOF_FALSE);
        }
    }
    make(false, 3, COUNT, &p);
    p.record = buf_view(&t.records[4]);
    struct checkpoint now = head_of(COUNT);
    assert_int_equal(proof_check(&p, &now, NULL), PROOF_FALSE);
    p.record = BYTES_LITERAL("no record");
    assert_int_equal(proof_check(&p, &now, NULL), PROOF_FALSE);
}

#define HASH "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"

static void test_other_texts(void **state)
{
    static const char *const bad[] = {
        "",
        "\n",
        "old 1",
        "old 1\n",
        "old 1\n\n",
        "old -1\n\nnote",
        "old 01\n\nnote",
        "old 9223372036854775808\n\nnote",
        "old 1\nAAAA\n\nnote",
        "old 1\n" HASH,
        "old 1\n" HASH "\n",
        "Old 1\n\nnote",
        "c2sp.org/tlog-proof@v1\nindex 0\n\nnote",
        "c2sp.org/tlog-proof@v1\nextra \nindex 0\n\nnote",
        "c2sp.org/tlog-proof@v1\nextra AA\nindex 0\n\nnote",
        "c2sp.org/tlog-proof@v1\nextra AAAA\nindex 0\n",
        "c2sp.org/tlog-proof@v1\nextra AAAA\nindex x\n\nnote",
        "c2sp.org/tlog-proof@v1\nindex 0\nextra AAAA\n\nnote",
        "c2sp.org/tlog-proof@v2\nextra AAAA\nindex 0\n\nnote",
        "c2sp.org/tlog-proof@v1\r\nextra AAAA\r\nindex 0\r\n\r\nnote",
    };
    static struct proof p;
    struct buf record, text;
    (void)state;
    buf_init(&record, RECORD_MAX_BYTES + 3);
    buf_init(&text, PROOF_MAX_BYTES + 1);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        buf_clear(&record);
        assert_false(proof_read(bytes_of_text(bad[i]), &record, &p));
    }
    buf_clear(&record);
    assert_true(proof_read(BYTES_LITERAL("c2sp.org/tlog-proof@v1\nextra AAAA\nindex 0\n\nnote"), &record, &p));
    assert_true(proof_read(BYTES_LITERAL("old 1\n\nnote"), &record, &p));
    for (size_t n = 62; n < 65; n++) { /* hashes */
        buf_clear(&text);
        assert_int_equal(buf_append_text(&text, "old 1\n"), 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(buf_append_text(&text, HASH), 0);
        assert_int_equal(buf_append_text(&text, "\nnote"), 0);
        assert_int_equal(proof_read(buf_view(&text), &record, &p), n <= PROOF_HASHES_MAX_COUNT);
    }
    p.hashes.count = PROOF_HASHES_MAX_COUNT + 1;
    buf_clear(&text);
    assert_int_equal(proof_write(&text, &p), FAULT_LIMIT);
    buf_fini(&record);
    buf_fini(&text);
}

static void test_without_memory(void **state)
{
    static struct proof p, again;
    struct buf text, record;
    (void)state;
    make(false, 3, COUNT, &p);
    EACH_ALLOC_FAILURE({
        buf_init(&text, PROOF_MAX_BYTES);
        buf_init(&record, RECORD_MAX_BYTES + 3);
        int r = proof_write(&text, &p);
        assert_true(r == 0 || r == -ENOMEM);
        if (r == 0)
            r = proof_read(buf_view(&text), &record, &again) ? 0 : 1; /* a record that finds no room is none */
        buf_fini(&text);
        buf_fini(&record);
    });
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(test_all_proofs),
        cmocka_unit_test(test_other_texts),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(all, start, end);
}
