/* Tests of record: one meaning, one encoding; the offsets here are those of doc/spec/trail.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "fail-alloc.h"
#include "wire/record.h"

static struct record sample(void)
{
    struct record r = {
        .seq = 7,
        .wall_us = -1,
        .mono_us = 0x0102030405060708,
        .kind = RECORD_SET,
        .outcome = 3,
        .request = 9,
        .uid = 1000,
        .gid = 1001,
        .pid = 4242,
        .session = 0x1234,
        .unit = BYTES_LITERAL("a.service"),
        .label = BYTES_LITERAL(""),
        .path = BYTES_LITERAL("/registry/x"),
        .detail = BYTES_LITERAL("why"),
        .version_before = 1,
        .version_after = 2,
        .rule = 5,
        .revision = 6,
        .commitment = {.n = 32},
        .prev = {.n = 32},
    };
    memset(r.commitment.h, 0xaa, sizeof r.commitment.h);
    memset(r.prev.h, 0xbb, sizeof r.prev.h);
    return r;
}

static const uint8_t sample_bytes[] = {
    'S',  'R',  1,                                                               /* 0: head */
    0,    0,    0,    0,    0,    0,    0,    7,                                 /* 3: seq */
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,                              /* 11: wall_us */
    1,    2,    3,    4,    5,    6,    7,    8,                                 /* 19: mono_us */
    0,    10,                                                                    /* 27: kind */
    0,    3,                                                                     /* 29: outcome */
    0,    0,    0,    0,    0,    0,    0,    9,                                 /* 31: request */
    0,    0,    0x03, 0xe8,                                                      /* 39: uid */
    0,    0,    0x03, 0xe9,                                                      /* 43: gid */
    0,    0,    0x10, 0x92,                                                      /* 47: pid */
    0,    0,    0,    0,    0,    0,    0x12, 0x34,                              /* 51: session */
    0,    9,    'a',  '.',  's',  'e',  'r',  'v',  'i',  'c',  'e',             /* 59: unit */
    0,    0,                                                                     /* 70: label */
    0,    11,   '/',  'r',  'e',  'g',  'i',  's',  't',  'r',  'y',  '/',  'x', /* 72: path */
    0,    3,    'w',  'h',  'y',                                                 /* 85: detail */
    0,    0,    0,    0,    0,    0,    0,    1,                                 /* 90: version_before */
    0,    0,    0,    0,    0,    0,    0,    2,                                 /* 98: version_after */
    0,    0,    0,    0,    0,    0,    0,    5,                                 /* 106: rule */
    0,    0,    0,    0,    0,    0,    0,    6,                                 /* 114: revision */
    32,                                                                          /* 122: commitment */
    0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
    0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0, /* 155: state: none */
    0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, /* 156: prev */
    0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb,
};

enum { AT_KIND = 27, AT_UNIT = 59, AT_PATH = 72, AT_COMMITMENT = 122, AT_STATE = 155 };

static bool same_hash(struct record_hash a, struct record_hash b)
{
    return a.n == b.n && memcmp(a.h, b.h, sizeof a.h) == 0;
}

static void assert_same(const struct record *a, const struct record *b)
{
#define SAME_u16(name) assert_true(a->name == b->name);
#define SAME_u32 SAME_u16
#define SAME_u64 SAME_u16
#define SAME_i64 SAME_u16
#define SAME_text(name) assert_true(bytes_equal(a->name, b->name));
#define SAME_hash0(name) assert_true(same_hash(a->name, b->name));
#define SAME_hash32 SAME_hash0
#define SAME_FIELD(kind, name) SAME_##kind(name)
    RECORD_FIELD_LIST(SAME_FIELD)
}

static void encodes_the_documented_bytes(void **state UNUSED)
{
    struct record r = sample();
    struct buf b;
    buf_init(&b, RECORD_MAX_BYTES);
    assert_int_equal(record_encode(&b, &r), 0);
    assert_int_equal(buf_size(&b), sizeof sample_bytes);
    assert_memory_equal(buf_view(&b).p, sample_bytes, sizeof sample_bytes);
    buf_fini(&b);
}

static void decodes_what_was_encoded(void **state UNUSED)
{
    struct record r = sample(), back;
    assert_true(record_decode(BYTES_OF(sample_bytes), &back));
    assert_same(&r, &back);
    assert_ptr_equal(back.path.p, sample_bytes + AT_PATH + 2); /* a view, not a copy */
}

static void every_cut_record_is_refused(void **state UNUSED)
{
    for (size_t n = 0; n < sizeof sample_bytes; n++) {
        struct record r = {.seq = 77};
        assert_false(record_decode(bytes_of(sample_bytes, n), &r));
        assert_true(r.seq == 77);
    }
}

static void anything_behind_the_record_is_refused(void **state UNUSED)
{
    uint8_t longer[sizeof sample_bytes + 1] = {0};
    struct record r;
    memcpy(longer, sample_bytes, sizeof sample_bytes);
    assert_false(record_decode(BYTES_OF(longer), &r));
}

static bool decodes_with(size_t at, uint8_t value)
{
    uint8_t changed[sizeof sample_bytes];
    struct record r;
    memcpy(changed, sample_bytes, sizeof changed);
    changed[at] = value;
    return record_decode(BYTES_OF(changed), &r);
}

static void only_canonical_bytes_are_accepted(void **state UNUSED)
{
    assert_true(decodes_with(3, 0xff)); /* any number is a sequence number */
    assert_false(decodes_with(0, 's'));
    assert_false(decodes_with(1, 'r'));
    assert_false(decodes_with(2, 0));
    assert_false(decodes_with(2, 2));
    assert_false(decodes_with(AT_COMMITMENT, 0));
    assert_false(decodes_with(AT_COMMITMENT, 31));
    assert_false(decodes_with(AT_STATE, 1));
    assert_false(decodes_with(AT_STATE, 32));
}

static void only_listed_kinds_are_accepted(void **state UNUSED)
{
    assert_false(decodes_with(AT_KIND + 1, 0));
    assert_true(decodes_with(AT_KIND + 1, 1));
    assert_true(decodes_with(AT_KIND + 1, RECORD_STORE_FULL));
    assert_false(decodes_with(AT_KIND + 1, 255));
    assert_false(decodes_with(AT_KIND, 1)); /* 256 + a listed number */
}

static void texts_must_be_clean(void **state UNUSED)
{
    assert_false(decodes_with(AT_UNIT + 2, 0xff));
    assert_false(decodes_with(AT_UNIT + 2, '\n')); /* a unit is printable */
    assert_true(decodes_with(AT_PATH + 3, '\n'));  /* a path is only UTF-8 */
    assert_false(decodes_with(AT_PATH + 3, 0xc0));
    assert_false(decodes_with(AT_PATH, 1)); /* longer than the record */
}

static void encode_refuses_what_decode_would(void **state UNUSED)
{
    static const uint8_t bad[] = {0xff};
    struct buf b;
    buf_init(&b, RECORD_MAX_BYTES);
    struct record r = sample();
    r.path = BYTES_OF(bad);
    assert_int_equal(record_encode(&b, &r), FAULT_PROTOCOL);
    r = sample();
    r.detail = BYTES_OF(bad);
    assert_int_equal(record_encode(&b, &r), FAULT_PROTOCOL);
    r = sample();
    r.label = BYTES_LITERAL("a\tb");
    assert_int_equal(record_encode(&b, &r), FAULT_PROTOCOL);
    r = sample();
    r.unit = BYTES_LITERAL("\xe2\x80\xae"); /* a bidi control */
    assert_int_equal(record_encode(&b, &r), FAULT_PROTOCOL);
    assert_int_equal(buf_size(&b), 0);
    buf_fini(&b);
}

static void long_texts_meet_the_limit(void **state UNUSED)
{
    static uint8_t text[RECORD_TEXT_MAX_BYTES + 1];
    struct buf b;
    struct record back;
    memset(text, 'x', sizeof text);
    buf_init(&b, RECORD_MAX_BYTES);
    struct record r = sample();
    struct bytes *const texts[] = {&r.unit, &r.label, &r.path, &r.detail};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        *texts[i] = BYTES_OF(text);
        assert_int_equal(record_encode(&b, &r), FAULT_LIMIT);
        *texts[i] = bytes_of(text, RECORD_TEXT_MAX_BYTES);
    }
    assert_int_equal(record_encode(&b, &r), 0); /* all four as long as can be */
    assert_true(record_decode(buf_view(&b), &back));
    assert_same(&r, &back);
    buf_clear(&b);
    /* one byte more in the length field alone */
    r = sample();
    r.unit = bytes_of(text, RECORD_TEXT_MAX_BYTES);
    assert_int_equal(record_encode(&b, &r), 0);
    assert_int_equal(b.p[b.start + AT_UNIT + 1], 0);
    b.p[b.start + AT_UNIT + 1] = 1;
    assert_false(record_decode(buf_view(&b), &back));
    buf_fini(&b);
}

static void a_full_buffer_is_unchanged(void **state UNUSED)
{
    struct record r = sample();
    struct buf b;
    buf_init(&b, sizeof sample_bytes - 1);
    assert_int_equal(record_encode(&b, &r), FAULT_LIMIT);
    assert_int_equal(buf_size(&b), 0);
    buf_fini(&b);
}

static void memory_failure_is_passed_on(void **state UNUSED)
{
    struct record r = sample();
    int failed = 0;
    EACH_ALLOC_FAILURE({
        struct buf b;
        buf_init(&b, RECORD_MAX_BYTES);
        failed += record_encode(&b, &r) == -ENOMEM;
        buf_fini(&b);
    });
    assert_int_equal(failed, 1);
}

static void kinds_have_names(void **state UNUSED)
{
    assert_string_equal(record_kind_text(RECORD_INIT), "init");
    assert_string_equal(record_kind_text(RECORD_ACL_REMOVE), "acl-remove");
    assert_null(record_kind_text(0));
    assert_null(record_kind_text(65535));
    for (unsigned kind = 1; record_kind_text(kind) != NULL; kind++)
        assert_int_equal(record_kind_of(bytes_of_text(record_kind_text(kind))), kind);
    assert_int_equal(record_kind_of(BYTES_LITERAL("get")), 7);
    assert_int_equal(record_kind_of(BYTES_LITERAL("GET")), 0);
    assert_int_equal(record_kind_of(BYTES_NONE), 0);
}

/* The numbers are stored for ever: this table must only ever grow. */
static void kinds_keep_their_numbers(void **state UNUSED)
{
    static const char *const names[] = {
        NULL,         "init",     "start",      "stop",    "unlock",     "lock",     "reload",
        "get",        "list",     "history",    "set",     "delete",     "acl-show", "acl-add",
        "acl-remove", "acl-test", "audit-read", "corrupt", "store-full",
    };
    for (unsigned i = 1; i < COUNT_OF(names); i++)
        assert_string_equal(record_kind_text(i), names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_the_documented_bytes),
        cmocka_unit_test(decodes_what_was_encoded),
        cmocka_unit_test(every_cut_record_is_refused),
        cmocka_unit_test(anything_behind_the_record_is_refused),
        cmocka_unit_test(only_canonical_bytes_are_accepted),
        cmocka_unit_test(only_listed_kinds_are_accepted),
        cmocka_unit_test(texts_must_be_clean),
        cmocka_unit_test(encode_refuses_what_decode_would),
        cmocka_unit_test(long_texts_meet_the_limit),
        cmocka_unit_test(a_full_buffer_is_unchanged),
        cmocka_unit_test(memory_failure_is_passed_on),
        cmocka_unit_test(kinds_have_names),
        cmocka_unit_test(kinds_keep_their_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
