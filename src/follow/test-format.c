/* Tests of format: exact bytes of each form, and what hostile texts become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "follow/format.h"
#include "model/outcome.h"

static const uint8_t leaf[DIGEST_BYTES] = {0xab, 0xcd};
#define LEAF "abcd000000000000000000000000000000000000000000000000000000000000"

static struct record plain(void)
{
    return (struct record){.seq = 7,
                           .wall_us = 1700000000123456,
                           .kind = RECORD_SET,
                           .request = 0x1f,
                           .uid = 1000,
                           .gid = 100,
                           .pid = 42,
                           .path = BYTES_LITERAL("/registry/a"),
                           .version_after = 3,
                           .rule = 5,
                           .revision = 9};
}

static void assert_text(struct buf *b, const char *want)
{
    assert_int_equal(buf_append(b, BYTES_LITERAL("\0")), 0);
    assert_string_equal((const char *)buf_view(b).p, want);
    buf_clear(b);
}

static void test_forms(void **state)
{
    struct record r = plain();
    struct format_item item = {.record = &r, .leaf = leaf};
    struct buf b;
    (void)state;
    buf_init(&b, FORMAT_MAX_BYTES);
    assert_int_equal(format_json(&b, &item), 0);
    assert_text(
        &b, "{\"seq\":7,\"time\":\"2023-11-14T22:13:20.123Z\",\"kind\":\"set\",\"outcome\":\"done\","
            "\"request_id\":\"000000000000001f\",\"uid\":1000,\"gid\":100,\"pid\":42,\"session\":\"\",\"unit\":\"\","
            "\"label\":\"\",\"path\":\"/registry/a\",\"detail\":\"\",\"version_before\":0,\"version_after\":3,"
            "\"rule\":5,\"revision\":9,\"leaf\":\"" LEAF "\"}\n");
    item.is_repeat = true;
    assert_int_equal(format_journal(&b, &item), 0);
    assert_text(&b,
                "MESSAGE=set /registry/a: done, uid 1000\nPRIORITY=6\nSYSLOG_FACILITY=10\nSYSLOG_IDENTIFIER=secreg\n"
                "SECREG_SEQ=7\nSECREG_TIME=2023-11-14T22:13:20.123Z\nSECREG_KIND=set\nSECREG_OUTCOME=done\n"
                "SECREG_REQUEST_ID=000000000000001f\nSECREG_UID=1000\nSECREG_GID=100\nSECREG_PID=42\n"
                "SECREG_PATH=/registry/a\nSECREG_VERSION_BEFORE=0\nSECREG_VERSION_AFTER=3\nSECREG_RULE=5\n"
                "SECREG_REVISION=9\nSECREG_LEAF=" LEAF "\nSECREG_REPEAT=1\n");
    item.is_repeat = false;
    assert_int_equal(format_syslog(&b, &item, 10, "host"), 0);
    assert_text(&b, "371 <86>1 2023-11-14T22:13:20.123Z host secreg - set [secreg@32473 seq=\"7\" "
                    "time=\"2023-11-14T22:13:20.123Z\" kind=\"set\" outcome=\"done\" request_id=\"000000000000001f\" "
                    "uid=\"1000\" gid=\"100\" pid=\"42\" path=\"/registry/a\" version_before=\"0\" version_after=\"3\" "
                    "rule=\"5\" revision=\"9\" leaf=\"" LEAF "\"] set /registry/a: done, uid 1000");
    buf_fini(&b);
}

/* Control characters, a terminal sequence, right-to-left marks, quotes and brackets in every text. */
static void test_hostile_texts(void **state)
{
    static const char evil[] = "a\"]b\\c\n\x1b[31m\x7f\xe2\x80\xae\xff\r\nSECREG_UID=0";
    int (*const forms[])(struct buf *, const struct format_item *) = {format_json, format_journal};
    struct record r = plain();
    struct format_item item = {.record = &r, .leaf = leaf};
    struct buf b;
    (void)state;
    r.path = r.detail = r.unit = r.label = BYTES_LITERAL("a\"]b\\c\n\x1b[31m\x7f\xe2\x80\xae\xff\r\nSECREG_UID=0");
    assert_int_equal(sizeof evil - 1, r.path.n);
    buf_init(&b, FORMAT_MAX_BYTES);
    for (size_t i = 0; i < 3; i++) {
        buf_clear(&b);
        assert_int_equal(i < 2 ? forms[i](&b, &item) : format_syslog(&b, &item, 23, "h"), 0);
        size_t newlines = 0;
        for (size_t k = 0; k < buf_size(&b); k++) {
            uint8_t c = buf_view(&b).p[k];
            assert_true(c == '\n' || (c >= 0x20 && c < 0x7f)); /* nothing of it is more than printable ASCII */
            newlines += c == '\n';
        }
        assert_int_equal(buf_append(&b, BYTES_LITERAL("\0")), 0);
        const char *text = (const char *)buf_view(&b).p;
        assert_int_equal(newlines, i == 0 ? 1 : i == 1 ? 21 : 0);
        if (i == 1)
            assert_null(strstr(text, "\nSECREG_UID=0"));
        if (i == 2) /* quotes and brackets within a value carry a backslash */
            assert_non_null(
                strstr(text, " path=\"a\\\"\\]b\\\\\\\\c\\\\x0a\\\\x1b[31m\\\\x7f\\\\xe2\\\\x80\\\\xae\\\\xff"));
    }
    buf_fini(&b);
}

/* The length before a message is that of the message. */
static void test_length(void **state)
{
    static char text[RECORD_TEXT_MAX_BYTES];
    struct buf b;
    (void)state;
    memset(text, 1, sizeof text); /* four bytes each */
    struct record r = plain();
    struct format_item item = {.record = &r, .leaf = leaf, .is_repeat = true};
    r.path = r.detail = r.unit = r.label = BYTES_OF(text);
    buf_init(&b, FORMAT_MAX_BYTES);
    assert_int_equal(format_syslog(&b, &item, 0, "h"), 0);
    char *end;
    unsigned long n = strtoul((const char *)buf_view(&b).p, &end, 10);
    assert_int_equal(*end, ' ');
    assert_int_equal(buf_size(&b), (size_t)(end + 1 - (const char *)buf_view(&b).p) + n);
    buf_fini(&b);
}

static void test_severity(void **state)
{
    static const struct {
        unsigned kind, outcome, severity;
    } rows[] = {{RECORD_GET, OUTCOME_DONE, 6},           {RECORD_GET, OUTCOME_REFUSED, 4},
                {RECORD_GET, OUTCOME_CORRUPT, 2},        {RECORD_ACL_ADD, OUTCOME_DONE, 5},
                {RECORD_CORRUPT, OUTCOME_DONE, 2},       {RECORD_STORE_FULL, OUTCOME_DONE, 4},
                {RECORD_SET, OUTCOME_FULL, 3},           {RECORD_SET, OUTCOME_NOT_FOUND, 6},
                {RECORD_LOGIN, OUTCOME_LOGIN_FAILED, 4}, {RECORD_BREAK_GLASS, OUTCOME_DONE, 4}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct record r = {.kind = (uint16_t)rows[i].kind, .outcome = (uint16_t)rows[i].outcome};
        assert_int_equal(format_severity(&r), rows[i].severity);
    }
}

static void test_no_room(void **state)
{
    struct record r = plain();
    struct format_item item = {.record = &r, .leaf = leaf};
    struct buf b;
    (void)state;
    for (size_t max = 1; max < 300; max += 13) {
        buf_init(&b, max);
        assert_int_equal(format_syslog(&b, &item, 1, "h"), FAULT_LIMIT);
        buf_clear(&b);
        assert_int_equal(format_json(&b, &item), FAULT_LIMIT);
        buf_clear(&b);
        assert_int_equal(format_journal(&b, &item), FAULT_LIMIT);
        buf_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_forms), cmocka_unit_test(test_hostile_texts),
                                       cmocka_unit_test(test_length), cmocka_unit_test(test_severity),
                                       cmocka_unit_test(test_no_room)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
