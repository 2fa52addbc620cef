/* Tests of checkpoint: notes that others published, our own, and whatever is neither. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/code.h"
#include "fail-alloc.h"
#include "trail/checkpoint.h"

static struct secret seed;
static struct checkpoint_key key;

static int start(void **state)
{
    uint8_t bytes[SIGN_SEED_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + 1);
    return crypt_start() < 0 || secret_init_copy(&seed, BYTES_OF(bytes)) != 0 ||
                   checkpoint_key_of("secreg/0123", &seed, &key) != 0
               ? -1
               : 0;
}

static int end(void **state)
{
    (void)state;
    secret_fini(&seed);
    return 0;
}

/* The example of golang.org/x/mod/sumdb/note: key, text and signature. Its text is no checkpoint. */
#define THEIR_KEY "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
static const char their_text[] = "If you think cryptography is the answer to your problem,\n"
                                 "then you don't know what your problem is.\n";
#define THEIR_SIGNATURE "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="

static void test_published_key(void **state)
{
    struct checkpoint_key k;
    struct checkpoint c;
    struct buf out, raw;
    (void)state;
    assert_true(checkpoint_key_read(BYTES_LITERAL(THEIR_KEY), &k));
    assert_string_equal(k.name, "PeterNeumann");
    buf_init(&out, 1024);
    assert_int_equal(checkpoint_key_write(&out, &k), 0);
    assert_true(bytes_equal(buf_view(&out), BYTES_LITERAL(THEIR_KEY)));
    buf_init(&raw, 100);
    assert_int_equal(code_unbase64(&raw, BYTES_LITERAL(THEIR_SIGNATURE)), 0);
    assert_int_equal(buf_size(&raw), CHECKPOINT_KEY_ID_BYTES + SIGN_BYTES);
    assert_memory_equal(buf_view(&raw).p, k.id, sizeof k.id);
    assert_true(sign_check(k.public_key, bytes_of_text(their_text), buf_view(&raw).p + CHECKPOINT_KEY_ID_BYTES));
    buf_clear(&out);
    assert_int_equal(buf_print(&out, "%s\n\xe2\x80\x94 PeterNeumann %s\n", their_text, THEIR_SIGNATURE), 0);
    assert_int_equal(checkpoint_read(buf_view(&out), &k, &c), CHECKPOINT_BAD); /* a good note about something else */
    buf_fini(&out);
    buf_fini(&raw);
}

static void test_bad_keys(void **state)
{
    static const char *const texts[] = {
        "",
        "+",
        "a+b+c",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        "PeterNeumann+c74f20a3+",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumanm+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+AhpC2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWAA==",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        (THEIR_KEY "\n"),
        (" " THEIR_KEY),
    };
    struct checkpoint_key k;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_false(checkpoint_key_read(bytes_of_text(texts[i]), &k));
}

static void make(struct buf *out, uint64_t size)
{
    struct checkpoint c = {.size = size};
    memset(c.root, 0x5a, sizeof c.root);
    buf_init(out, CHECKPOINT_NOTE_MAX_BYTES);
    assert_int_equal(checkpoint_write(out, &c, &key, &seed), 0);
}

static void test_round_trip(void **state)
{
    static const uint64_t sizes[] = {0, 1, 12345, INT64_MAX};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct buf out;
        struct checkpoint c;
        make(&out, sizes[i]);
        assert_int_equal(checkpoint_read(buf_view(&out), &key, &c), 0);
        assert_int_equal(c.size, sizes[i]);
        for (size_t j = 0; j < sizeof c.root; j++)
            assert_int_equal(c.root[j], 0x5a);
        buf_fini(&out);
    }
}

/* No changed bit passes; what is cut is none. */
static void test_changed(void **state)
{
    struct buf out;
    struct checkpoint c;
    (void)state;
    make(&out, 77);
    uint8_t *p = out.p + out.start;
    for (size_t i = 0; i < buf_size(&out) * 8; i++) {
        p[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_int_not_equal(checkpoint_read(buf_view(&out), &key, &c), 0);
        p[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t n = 0; n < buf_size(&out); n++)
        assert_int_not_equal(checkpoint_read(bytes_head(buf_view(&out), n), &key, &c), 0);
    buf_fini(&out);
}

/* Lines of others stand beside ours; without ours it is nobody's. */
static void test_other_signatures(void **state)
{
    struct buf out, more;
    struct checkpoint c;
    struct checkpoint_key other;
    struct secret another = {0};
    (void)state;
    make(&out, 5);
    buf_init(&more, CHECKPOINT_NOTE_MAX_BYTES);
    struct bytes note = buf_view(&out);
    size_t body = 0;
    for (size_t i = 0; i < 3; i++)
        body += bytes_find(bytes_from(note, body), '\n') + 1;
    assert_int_equal(buf_append(&more, bytes_head(note, body + 1)), 0);
    assert_int_equal(buf_print(&more, "\xe2\x80\x94 witness.example/w %s\n", THEIR_SIGNATURE), 0);
    assert_int_equal(checkpoint_read(buf_view(&more), &key, &c), CHECKPOINT_OTHER);
    assert_int_equal(buf_append(&more, bytes_from(note, body + 1)), 0);
    assert_int_equal(checkpoint_read(buf_view(&more), &key, &c), 0);
    assert_int_equal(c.size, 5);
    assert_int_equal(secret_init_random(&another, SIGN_SEED_BYTES), 0);
    assert_int_equal(checkpoint_key_of("secreg/0123", &another, &other), 0);
    assert_int_equal(checkpoint_read(note, &other, &c), CHECKPOINT_OTHER); /* same name, another key */
    memcpy(other.id, key.id, sizeof key.id);
    assert_int_equal(checkpoint_read(note, &other, &c), CHECKPOINT_FORGED);
    assert_int_equal(checkpoint_key_of("secreg/0124", &seed, &other), 0);
    assert_int_equal(checkpoint_read(note, &other, &c), CHECKPOINT_OTHER);
    secret_fini(&another);
    buf_fini(&out);
    buf_fini(&more);
}

static void test_no_checkpoints(void **state)
{
    static const char *const bodies[] = {
        "",
        "\n",
        "secreg/0123\n",
        "secreg/0123\n5\n",
        "secreg/0123\n05\nAAAA\n",
        "secreg/0123\n-1\nWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo=\n",
        "secreg/0123\n9223372036854775808\nWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo=\n",
        "secreg/0123\n5\nWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpa\n",
        "\n5\nWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo=\n",
    };
    struct checkpoint c;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) { /* signed, and still none */
        struct buf out;
        uint8_t raw[CHECKPOINT_KEY_ID_BYTES + SIGN_BYTES];
        buf_init(&out, 4096);
        memcpy(raw, key.id, sizeof key.id);
        assert_int_equal(sign_make(&seed, bytes_of_text(bodies[i]), raw + sizeof key.id), 0);
        assert_int_equal(buf_print(&out, "%s\n\xe2\x80\x94 secreg/0123 ", bodies[i]), 0);
        assert_int_equal(code_base64(&out, BYTES_OF(raw)), 0);
        assert_int_equal(buf_append_text(&out, "\n"), 0);
        assert_int_equal(checkpoint_read(buf_view(&out), &key, &c), CHECKPOINT_BAD);
        buf_fini(&out);
    }
}

/* A record with that text as its detail, behind those that `before` has. */
static struct bytes record_of(struct buf *out, enum record_kind kind, const struct trail_check *before,
                              struct bytes detail)
{
    struct record r = {.seq = before->tree.size, .wall_us = 1234, .kind = (uint16_t)kind, .detail = detail};
    r.prev.n = DIGEST_BYTES;
    memcpy(r.prev.h, before->last, DIGEST_BYTES);
    buf_clear(out);
    assert_int_equal(record_encode(out, &r), 0);
    return buf_view(out);
}

static void test_of_records(void **state)
{
    static struct trail_check before;
    struct buf out, note;
    struct checkpoint c = {0};
    struct trail_head head;
    struct checkpoint_seen seen = {0};
    (void)state;
    buf_init(&out, RECORD_MAX_BYTES);
    buf_init(&note, RECORD_TEXT_MAX_BYTES);
    trail_check_init(&before);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(trail_check_head(&before, &head), 0);
        c.size = head.size;
        memcpy(c.root, head.root, sizeof c.root);
        buf_clear(&note);
        assert_int_equal(checkpoint_write(&note, &c, &key, &seed), 0);
        struct bytes record = record_of(&out, RECORD_CHECKPOINT, &before, buf_view(&note));
        assert_int_equal(checkpoint_see(&seen, record, &before, &key), 0);
        assert_true(seen.size == head.size && seen.us == 1234);
        seen = (struct checkpoint_seen){0};
        assert_int_equal(checkpoint_see(&seen, bytes_head(record, record.n - 1), &before, &key), 0);
        assert_int_equal(trail_check_add(&before, record), 0); /* it is no longer true of what it became part of */
        assert_int_equal(checkpoint_see(&seen, record, &before, &key), CHECKPOINT_FALSE);
        assert_true(seen.size == 0 && seen.us == 0);
    }
    for (size_t n = 0; n < 40; n++)
        assert_int_equal(checkpoint_see(&seen, bytes_head(buf_view(&out), n), &before, &key), 0);
    struct bytes other = record_of(&out, RECORD_GET, &before, buf_view(&note));
    assert_int_equal(checkpoint_see(&seen, other, &before, &key), 0);
    other = record_of(&out, RECORD_CHECKPOINT, &before, BYTES_LITERAL("no note"));
    assert_int_equal(checkpoint_see(&seen, other, &before, &key), CHECKPOINT_BAD);
    note.p[note.start + buf_size(&note) - 10] ^= 4;
    other = record_of(&out, RECORD_CHECKPOINT, &before, buf_view(&note));
    assert_int_not_equal(checkpoint_see(&seen, other, &before, &key), 0);
    assert_int_equal(seen.size, 0);
    buf_fini(&out);
    buf_fini(&note);
}

static void write_or_nomem(void)
{
    struct buf out;
    struct checkpoint c = {.size = 1};
    buf_init(&out, CHECKPOINT_NOTE_MAX_BYTES);
    int r = checkpoint_write(&out, &c, &key, &seed);
    assert_true(r == 0 || r == -ENOMEM);
    buf_fini(&out);
}

static void test_allocation_failure(void **state)
{
    (void)state;
    EACH_ALLOC_FAILURE(write_or_nomem());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_key),    cmocka_unit_test(test_bad_keys),
        cmocka_unit_test(test_round_trip),       cmocka_unit_test(test_changed),
        cmocka_unit_test(test_other_signatures), cmocka_unit_test(test_no_checkpoints),
        cmocka_unit_test(test_of_records),       cmocka_unit_test(test_allocation_failure),
    };
    return cmocka_run_group_tests(tests, start, end);
}
