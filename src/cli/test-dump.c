/* Tests of documents: what is printed is read back the same, every refusal, the bounds, and memory that runs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/test-dump.h"
#include "fail-alloc.h"
#include "model/value.h"

#define JSON_HEAD "{\"format\":\"secreg-dump\",\"version\":1,\"entries\":["
#define YAML_HEAD "format: secreg-dump\nversion: 1\nentries:\n"

static char why[DUMP_WHY_BYTES];

static void add(struct dump *d, const char *path, unsigned type, const char *value)
{
    struct dump_entry e = {.path = bytes_of_text(path), .type = type, .has_value = true, .value = bytes_of_text(value)};
    assert_int_equal(dump_check(d, &e, why), 0);
    assert_int_equal(dump_add(d, &e), 0);
}

/* Everything an entry can have. */
static void make_sample(struct dump *d)
{
    struct dump_entry whole = {.path = BYTES_LITERAL("web/note"),
                               .type = VALUE_STRING,
                               .has_value = true,
                               .is_sealed = true,
                               .value = BYTES_LITERAL("two\nlines\n"),
                               .comment = BYTES_LITERAL("a: \"b\""),
                               .tags = BYTES_LITERAL("x\ny-z\n"),
                               .expires = "2027-01-01T00:00:00.000Z"};
    struct dump_entry bare = {.path = BYTES_LITERAL("web/key"), .type = VALUE_BINARY, .is_sealed = true};
    dump_init(d);
    assert_int_equal(dump_check_base(d, BYTES_LITERAL("/registry/applications"), why), 0);
    d->revision = 17;
    strcpy(d->time, "2026-01-31T12:00:00.123Z");
    assert_int_equal(dump_add(d, &whole), 0);
    assert_int_equal(dump_add(d, &bare), 0);
    add(d, "web/port", VALUE_INTEGER, "8080");
    add(d, "web-2", VALUE_FLOAT, "1.50");
    add(d, "y", VALUE_BOOLEAN, "true");
    add(d, "1:2", VALUE_JSON, "{ \"a\" : 1e2 }");
    add(d, "list", VALUE_LIST, "[\"a\",\"\\u0001\"]");
    add(d, "odd-list", VALUE_LIST, "[ \"a\" ]");
    assert_int_equal(dump_sort(d, why), 0);
}

static void print(const char *format, const struct dump *d, struct buf *out)
{
    buf_init(out, DUMP_TEXT_MAX_BYTES);
    assert_int_equal(dump_format(format)->print(out, d, why), 0);
}

static void assert_printed(const char *format, const char *expected)
{
    struct dump d;
    struct buf out;
    make_sample(&d);
    print(format, &d, &out);
    assert_int_equal(buf_append(&out, bytes_of("", 1)), 0);
    assert_string_equal((const char *)buf_view(&out).p, expected);
    buf_fini(&out);
    dump_fini(&d);
}

static void formats_look_as_documented(void **state UNUSED)
{
    assert_printed("json",
                   "{\"format\":\"secreg-dump\",\"version\":1,\"base\":\"/registry/applications\",\"revision\":17,"
                   "\"time\":\"2026-01-31T12:00:00.123Z\",\"entries\":[\n"
                   "{\"path\":\"1:2\",\"type\":\"json\",\"value\":{ \"a\" : 1e2 }},\n"
                   "{\"path\":\"list\",\"type\":\"list\",\"value\":[\"a\",\"\\u0001\"]},\n"
                   "{\"path\":\"odd-list\",\"type\":\"list\",\"value\":[ \"a\" ]},\n"
                   "{\"path\":\"web/key\",\"type\":\"binary\",\"sealed\":true},\n"
                   "{\"path\":\"web/note\",\"type\":\"string\",\"value\":\"two\\nlines\\n\",\"sealed\":true,"
                   "\"comment\":\"a: \\\"b\\\"\",\"tags\":[\"x\",\"y-z\"],"
                   "\"expires\":\"2027-01-01T00:00:00.000Z\"},\n"
                   "{\"path\":\"web/port\",\"type\":\"integer\",\"value\":8080},\n"
                   "{\"path\":\"web-2\",\"type\":\"float\",\"value\":1.50},\n"
                   "{\"path\":\"y\",\"type\":\"boolean\",\"value\":true}\n]}\n");
    assert_printed("yaml", "format: secreg-dump\nversion: 1\nbase: \"/registry/applications\"\nrevision: 17\n"
                           "time: \"2026-01-31T12:00:00.123Z\"\nentries:\n"
                           "  \"1:2\":\n    type: json\n    value: '{ \"a\" : 1e2 }'\n"
                           "  list:\n    type: list\n    value: [\"a\", \"\\x01\"]\n"
                           "  odd-list:\n    type: list\n    value: '[ \"a\" ]'\n"
                           "  web/key:\n    type: binary\n    sealed: true\n"
                           "  web/note:\n    type: string\n    sealed: true\n    value: |\n      two\n      lines\n"
                           "    comment: 'a: \"b\"'\n    tags: [\"x\", \"y-z\"]\n"
                           "    expires: \"2027-01-01T00:00:00.000Z\"\n"
                           "  web/port: 8080\n  web-2: 1.50\n  \"y\": true\n");
    struct dump d;
    struct buf out;
    make_sample(&d);
    buf_init(&out, 4096);
    assert_int_equal(dump_env_print(&out, &d, why), DUMP_BAD);
    assert_string_equal(why, "1:2: a variable is named by letters, digits and _, and does not begin with a digit");
    buf_fini(&out);
    dump_fini(&d);
}

static void env_looks_as_documented(void **state UNUSED)
{
    struct dump d;
    struct buf out;
    struct dump_entry sealed = {.path = BYTES_LITERAL("key-2"), .type = VALUE_STRING, .is_sealed = true};
    dump_init(&d);
    assert_int_equal(dump_check_base(&d, BYTES_LITERAL("/registry/applications"), why), 0);
    d.revision = 17;
    strcpy(d.time, "2026-01-31T12:00:00.123Z");
    add(&d, "web/note", VALUE_STRING, "two\nlines \"`$\\");
    add(&d, "list", VALUE_LIST, "[\"a\"]");
    add(&d, "web/bytes", VALUE_BINARY, "\x01");
    assert_int_equal(dump_add(&d, &sealed), 0);
    assert_int_equal(dump_sort(&d, why), 0);
    print("env", &d, &out);
    assert_int_equal(buf_append(&out, bytes_of("", 1)), 0);
    assert_string_equal(
        (const char *)buf_view(&out).p,
        "# Values of the registry below /registry/applications, revision 17, 2026-01-31T12:00:00.123Z\n"
        "# Without types, comments, tags and expiry, which the format env cannot keep\n"
        "# sealed and left out: key-2\n#: list\nLIST=\"[\\\"a\\\"]\"\n#: web/bytes\nWEB_BYTES=\"AQ==\"\n"
        "#: web/note\nWEB_NOTE=\"two\nlines \\\"\\`\\$\\\\\"\n");
    buf_fini(&out);
    dump_fini(&d);
}

static void env_names_that_programs_obey_are_refused(void **state UNUSED)
{
    static const char *const paths[] = {"path", "ld/preload", "secreg/x", "\xc3\xa4"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct dump d;
        struct buf out;
        dump_init(&d);
        buf_init(&out, 4096);
        add(&d, paths[i], VALUE_STRING, "x");
        assert_int_equal(dump_env_print(&out, &d, why), DUMP_BAD);
        assert_memory_equal(why, paths[i], strlen(paths[i]));
        buf_fini(&out);
        dump_fini(&d);
    }
}

/* ---- what is printed is read back ---------------------------------------------------------------------------------
 */

static uint64_t seed;

static size_t draw(size_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)(seed >> 33) % below;
}

/* Pieces that some format could take for something else. */
static void draw_text(struct buf *out, size_t most)
{
    static const char *const pieces[] = {"a",
                                         "B",
                                         " ",
                                         "\n",
                                         "\n\n",
                                         "\t",
                                         "\r",
                                         "\"",
                                         "'",
                                         "\\",
                                         "$",
                                         "`",
                                         "#",
                                         ": ",
                                         "- ",
                                         "---",
                                         "|",
                                         ">",
                                         "%",
                                         "@",
                                         "{",
                                         "}",
                                         "[",
                                         "]",
                                         ",",
                                         "&",
                                         "*",
                                         "!",
                                         "?",
                                         "null",
                                         "no",
                                         "1",
                                         "true",
                                         "\x01",
                                         "\x7f",
                                         "\xc2\x85",
                                         "~",
                                         "\xe2\x80\xa8",
                                         "ä",
                                         "\xef\xbb\xbf",
                                         "<<",
                                         "\\n",
                                         "\xf0\x9f\x98\x80",
                                         "=",
                                         "/",
                                         "\xef\xbf\xbe",
                                         "\xc2\xa0",
                                         "...\n",
                                         "\xe2\x80\xae",
                                         "\x1b[1m"};
    for (size_t n = draw(most); n > 0; n--)
        assert_int_equal(buf_append_text(out, pieces[draw(COUNT_OF(pieces))]), 0);
}

static void draw_json(struct buf *out, unsigned type)
{
    struct buf text;
    static const char *const texts[] = {"{}",   "[]", "1.0", "1.50", "-0", "1e400e", "null", "{ \"a\":\n[1, 2.5e3] }",
                                        "\"x\""};
    if (type == VALUE_JSON) {
        const char *one = texts[draw(COUNT_OF(texts))];
        assert_int_equal(buf_append_text(out, strcmp(one, "1e400e") == 0 ? "0" : one), 0);
        return;
    }
    assert_int_equal(buf_append_text(out, "["), 0);
    for (size_t n = draw(4), i = 0; i < n; i++) {
        struct dump_entry e = {.type = VALUE_STRING, .has_value = true};
        buf_init(&text, 4096);
        draw_text(&text, 6);
        e.value = buf_view(&text);
        assert_int_equal(buf_append_text(out, i == 0 ? "" : draw(2) == 0 ? "," : " ,\n"), 0);
        assert_int_equal(dump_json_value(out, &e), 0);
        buf_fini(&text);
    }
    assert_int_equal(buf_append_text(out, "]"), 0);
}

static void draw_value(struct buf *out, unsigned type)
{
    static const char *const numbers[] = {"0", "-1", "9223372036854775807", "-9223372036854775808", "42"};
    static const char *const floats[] = {"0", "1.0", "-1.5e+10", "1e5", "2.50", "1E-3", "-0.0", "123456789012345678"};
    switch (type) {
    case VALUE_INTEGER:
        assert_int_equal(buf_append_text(out, numbers[draw(COUNT_OF(numbers))]), 0);
        break;
    case VALUE_FLOAT:
        assert_int_equal(buf_append_text(out, floats[draw(COUNT_OF(floats))]), 0);
        break;
    case VALUE_BOOLEAN:
        assert_int_equal(buf_append_text(out, draw(2) == 0 ? "true" : "false"), 0);
        break;
    case VALUE_JSON:
    case VALUE_LIST:
        draw_json(out, type);
        break;
    case VALUE_BINARY:
        for (size_t n = draw(9); n > 0; n--)
            assert_int_equal(buf_append(out, bytes_of(&(char){(char)draw(256)}, 1)), 0);
        break;
    default:
        draw_text(out, draw(40) == 0 ? 2000 : 12);
    }
}

static void draw_path(struct buf *out)
{
    static const char *const words[] = {"a",   "no", "1", "-x",  "a:b", "y",  "null",
                                        "Z_9", "~x", "ä", "x.y", "@",   "+1", ".5"};
    for (size_t n = 1 + draw(3), i = 0; i < n; i++) {
        const char *word = words[draw(COUNT_OF(words))];
        assert_int_equal(buf_append_text(out, i > 0 ? "/" : ""), 0);
        assert_int_equal(buf_append_text(out, word[0] == '~' ? "x" : word), 0);
    }
}

static void draw_entry(struct dump *d)
{
    struct buf path, value, comment, tags;
    buf_init(&path, 512);
    buf_init(&value, 1 << 16);
    buf_init(&comment, 4096);
    buf_init(&tags, 4096);
    struct dump_entry e = {.type = 1 + (unsigned)draw(7), .is_sealed = draw(4) == 0};
    e.has_value = !e.is_sealed || draw(2) == 0;
    draw_path(&path);
    if (e.has_value)
        draw_value(&value, e.type);
    if (draw(4) == 0)
        draw_text(&comment, 8);
    if (draw(2) == 0)
        assert_int_equal(dump_add_tag(&tags, BYTES_LITERAL("no")), 0);
    if (draw(2) == 0)
        assert_int_equal(dump_add_tag(&tags, BYTES_LITERAL("-a:b")), 0);
    if (draw(4) == 0)
        assert_true(dump_read_time(BYTES_LITERAL("2027-01-01T00:00:00Z"), e.expires));
    e.path = buf_view(&path);
    e.value = buf_view(&value);
    e.comment = buf_view(&comment);
    e.tags = buf_view(&tags);
    if (dump_check(d, &e, why) == 0) /* a path such as "a/.5" is fine, "~" is none */
        assert_int_equal(dump_add(d, &e), 0);
    buf_fini(&path);
    buf_fini(&value);
    buf_fini(&comment);
    buf_fini(&tags);
}

static void any_document_comes_back_the_same(void **state UNUSED)
{
    size_t rounds = 0, entries = 0;
    dump_start();
    for (seed = 1; rounds < 3000; rounds++) {
        struct dump d;
        dump_init(&d);
        for (size_t n = draw(8); n > 0; n--)
            draw_entry(&d);
        if (dump_sort(&d, why) == 0) {
            dump_check_round("json", &d);
            dump_check_round("yaml", &d);
            entries += d.count;
        }
        dump_fini(&d);
    }
    assert_true(entries > 3000);
}

static void values_come_back_from_env(void **state UNUSED)
{
    seed = 7;
    for (unsigned i = 0; i < 2000; i++) {
        SCOPED(buf_fini) struct buf value;
        SCOPED(buf_fini) struct buf text;
        struct dump d, again;
        buf_init(&value, 1 << 16);
        buf_init(&text, 1 << 20);
        dump_init(&d);
        dump_init(&again);
        draw_text(&value, 30);
        struct dump_entry e = {.path = BYTES_LITERAL("a/b"), .type = VALUE_STRING, .has_value = true};
        e.value = buf_view(&value);
        assert_int_equal(dump_add(&d, &e), 0);
        assert_int_equal(dump_env_print(&text, &d, why), 0);
        assert_int_equal(dump_env_parse(buf_view(&text), &again, why), 0);
        assert_int_equal(again.count, 1);
        assert_true(bytes_equal(again.entries[0].path, e.path) && bytes_equal(again.entries[0].value, e.value));
        dump_fini(&d);
        dump_fini(&again);
    }
}

/* ---- refusals -----------------------------------------------------------------------------------------------------
 */

static void assert_bad(const char *format, struct bytes text, const char *expected)
{
    struct dump d;
    dump_init(&d);
    why[0] = '\0';
    assert_int_equal(dump_format(format)->parse(text, &d, why), DUMP_BAD);
    assert_int_equal(d.count, 0);
    assert_string_equal(why, expected);
}

#define BAD_JSON(entry, why) assert_bad("json", BYTES_LITERAL(JSON_HEAD entry "]}"), why)
#define BAD_YAML(entry, why) assert_bad("yaml", BYTES_LITERAL(YAML_HEAD entry "\n"), why)

static void bad_json_is_refused(void **state UNUSED)
{
    assert_bad("json", BYTES_LITERAL("[]"), "this is not an export: \"format\" is not \"secreg-dump\"");
    assert_bad("json", BYTES_LITERAL("{\"format\":\"secreg-dump\",\"version\":2,\"entries\":[]}"),
               "\"version\" is not 1, which is the only one known here");
    assert_bad("json", BYTES_LITERAL("{\"format\":\"secreg-dump\",\"version\":1}"), "\"entries\" is a list");
    assert_bad("json", BYTES_LITERAL("{\"format\":\"secreg-dump\",\"version\":1,\"entry\":[],\"entries\":[]}"),
               "the document has a member that is not known");
    assert_bad("json", BYTES_LITERAL("{\"format\":\"secreg-dump\",\"version\":1,\"revision\":0,\"entries\":[]}"),
               "\"revision\" is a number above 0");
    assert_bad("json", BYTES_LITERAL("{\"format\":\"secreg-dump\",\"version\":1,\"time\":1,\"entries\":[]}"),
               "\"time\" is a time such as 2026-01-31T12:00:00Z");
    assert_bad("json", BYTES_LITERAL("{\"format\":\"secreg-dump\",\"version\":1,\"base\":\"/etc\",\"entries\":[]}"),
               "/etc: it does not begin with /registry");
    BAD_JSON("1", "entry 1: it is not a map");
    BAD_JSON("{}", "entry 1: there is no path");
    BAD_JSON("{\"path\":\"a\"}", "entry 1: its value needs a type");
    BAD_JSON("{\"path\":\"a\",\"value\":null}", "entry 1: its value needs a type");
    BAD_JSON("{\"path\":\"a\",\"value\":1},{\"path\":\"b\",\"type\":\"int\",\"value\":1}",
             "entry 2: there is no such type");
    BAD_JSON("{\"path\":\"a\",\"type\":\"integer\",\"value\":\"1\"}",
             "entry 1: its value is not written as one of its type");
    BAD_JSON("{\"path\":\"a\",\"type\":\"integer\",\"value\":1.0}",
             "entry 1: its value is not written as one of its type");
    BAD_JSON("{\"path\":\"a\",\"type\":\"binary\",\"value\":\"?\"}", "entry 1: a value of type binary is base64 text");
    BAD_JSON("{\"path\":\"a\",\"type\":\"list\",\"value\":[1]}", "entry 1: a: a list is a JSON list of strings");
    BAD_JSON("{\"path\":\"a\",\"type\":\"integer\"}",
             "entry 1: a: there is no value; only a sealed entry may be without");
    BAD_JSON("{\"path\":\"a\",\"value\":\"x\",\"sealed\":1}", "entry 1: \"sealed\" is true or false");
    BAD_JSON("{\"path\":\"a\",\"value\":\"x\",\"comment\":1}", "entry 1: \"comment\" is a text");
    BAD_JSON("{\"path\":\"a\",\"value\":\"x\",\"expires\":null}",
             "entry 1: \"expires\" is a time such as 2026-01-31T12:00:00Z");
    BAD_JSON("{\"path\":\"a\",\"value\":\"x\",\"tags\":\"x\"}", "entry 1: \"tags\" is a list of texts");
    BAD_JSON(
        "{\"path\":\"a\",\"value\":\"x\",\"tags\":[\"\"]}",
        "entry 1: a tag has 1 to 64 bytes of A-Z a-z 0-9 . _ : @ + -, none stands twice, and there are at most 16");
    BAD_JSON(
        "{\"path\":\"a\",\"value\":\"x\",\"tags\":[1]}",
        "entry 1: a tag has 1 to 64 bytes of A-Z a-z 0-9 . _ : @ + -, none stands twice, and there are at most 16");
    BAD_JSON("{\"path\":\"/a\",\"value\":\"x\"}", "entry 1: /a: a component is empty");
    BAD_JSON("{\"path\":\"a\",\"value\":\"x\",\"colour\":1}", "entry 1: it has a member that is not known");
    BAD_JSON("{\"path\":\"a\",\"type\":\"json\",\"\\u0076alue\":1}", "entry 1: \"value\" is written with escapes");
    BAD_JSON("{\"path\":\"a\",\"value\":1},{\"path\":\"a-b\",\"value\":1},{\"path\":\"a/b\",\"value\":1}",
             "a is an entry and cannot hold a/b");
    BAD_JSON("{\"path\":\"a\",\"value\":1},{\"path\":\"a\",\"value\":1}", "a stands there twice");
    BAD_JSON("{\"path\":\"a\",\"value\":1,\"value\":2}", "line 1, column 77: a key stands twice in one map");
}

static void bad_yaml_is_refused(void **state UNUSED)
{
    static const char *const guesses[] = {
        "no",  "Yes", "null", "~",    "",           "0x1f", "012", "1_000",
        "+1",  ".5",  ".inf", "1:20", "2001-01-01", "1e5",  "=",   "99999999999999999999",
        "TRUE"};
    for (size_t i = 0; i < COUNT_OF(guesses); i++) {
        char text[128], expected[160];
        snprintf(text, sizeof text, YAML_HEAD "  a: %s\n", guesses[i]);
        snprintf(expected, sizeof expected,
                 "line 4, column %d: readers of YAML differ in what this is: put it in quotes, or give its type",
                 *guesses[i] != '\0' ? 6 : 5);
        assert_bad("yaml", bytes_of_text(text), expected);
    }
    assert_bad("yaml", BYTES_LITERAL("format: x\n"),
               "line 1, column 1: this is not an export: \"format\" is not \"secreg-dump\"");
    assert_bad("yaml", BYTES_LITERAL("format: secreg-dump\nversion: 1\n"), "line 1, column 1: \"entries\" is missing");
    assert_bad("yaml", BYTES_LITERAL("format: secreg-dump\nversion: 1\nentries: []\n"),
               "line 3, column 10: \"entries\" is a map of paths");
    assert_bad("yaml", BYTES_LITERAL("format: secreg-dump\nversion: 1\nx: 1\nentries: {}\n"),
               "line 3, column 4: the document has a member that is not known");
    assert_bad("yaml", BYTES_LITERAL("format: secreg-dump\nversion: 1\nrevision: x\nentries: {}\n"),
               "line 3, column 11: \"revision\" is a number above 0");
    assert_bad("yaml", BYTES_LITERAL("format: secreg-dump\nversion: 1\ntime: x\nentries: {}\n"),
               "line 3, column 7: \"time\" is a time such as 2026-01-31T12:00:00Z");
    assert_bad("yaml", BYTES_LITERAL("format: secreg-dump\nversion: 1\nbase: /x\nentries: {}\n"),
               "line 3, column 7: /x: it does not begin with /registry");
    assert_bad("yaml", BYTES_LITERAL("format: secreg-dump\nversion: '2'\nentries: {}\n"),
               "line 1, column 1: \"version\" is not 1, which is the only one known here");
    BAD_YAML("  a: {}", "line 4, column 6: an entry has a value, or at least a type");
    BAD_YAML("  a: {type: int}", "line 4, column 13: there is no such type");
    BAD_YAML("  a: {type: string}", "line 4, column 6: a: there is no value; only a sealed entry may be without");
    BAD_YAML("  a: {type: integer, value: x}",
             "line 4, column 6: a: an integer is decimal digits within 64 bits, without leading zeros");
    BAD_YAML("  a: {value: {x: 1}}", "line 4, column 14: a value is not a map; a value of type json is its text");
    BAD_YAML("  a: {value: [x], type: string}", "line 4, column 6: only a value of type list is a list");
    BAD_YAML("  a: [1]", "line 4, column 7: a list holds texts; what may be taken for something else is put in quotes");
    BAD_YAML("  a: [[x]]",
             "line 4, column 7: a list holds texts; what may be taken for something else is put in quotes");
    BAD_YAML("  a: {value: x, sealed: yes}", "line 4, column 25: \"sealed\" is true or false");
    BAD_YAML("  a: {value: x, comment: [y]}", "line 4, column 26: \"comment\" is a text");
    BAD_YAML("  a: {value: x, tags: y}", "line 4, column 23: \"tags\" is a list of texts");
    BAD_YAML("  a: {value: x, tags: [y, '']}", "line 4, column 27: a tag has 1 to 64 bytes of A-Z a-z 0-9 . _ : @ + -, "
                                               "none stands twice, and there are at most 16");
    BAD_YAML("  a: {value: x, expires: soon}", "line 4, column 26: \"expires\" is a time such as 2026-01-31T12:00:00Z");
    BAD_YAML("  a: {value: x, colour: red}", "line 4, column 25: an entry has no such member");
    BAD_YAML("  a: {type: binary, value: '?'}", "line 4, column 6: a value of type binary is base64 text");
    BAD_YAML("  a: x\n  a/b: z", "a is an entry and cannot hold a/b");
    BAD_YAML("  a: &b x", "line 4, column 6: anchors are not allowed");
    BAD_YAML("  ../a: x", "line 4, column 9: ../a: '.' and '..' are not components");
}

static void bad_env_is_refused(void **state UNUSED)
{
    assert_bad("env", BYTES_LITERAL("A\n"), "line 1: this is not NAME=value");
    assert_bad("env", BYTES_LITERAL("\n# x\n1A=x\n"), "line 3: this is not NAME=value");
    assert_bad("env", BYTES_LITERAL("A=x y\n"), "line 1: something follows the value; put it in quotes");
    assert_bad("env", BYTES_LITERAL("A=\"x\" # y\n"), "line 1: something follows the value; put it in quotes");
    assert_bad("env", BYTES_LITERAL("A=\"\n\nx\n"), "line 4: a quote has no end");
    assert_bad("env", BYTES_LITERAL("A='x\n"), "line 1: a quote has no end");
    assert_bad("env", BYTES_LITERAL("A=\"$B\"\n"), "line 1: nothing is expanded: put a backslash before $ and `");
    assert_bad("env", BYTES_LITERAL("A=\"`b`\"\n"), "line 1: nothing is expanded: put a backslash before $ and `");
    assert_bad("env", BYTES_LITERAL("A=\"\\n\"\n"), "line 1: a backslash stands before \", \\, $ or ` only");
    assert_bad("env", BYTES_LITERAL("A=\"\\"), "line 1: a backslash stands before \", \\, $ or ` only");
    assert_bad("env", BYTES_LITERAL("#: a\nB=x\n"), "line 2: this is not the name of the path in the line before");
    assert_bad("env", BYTES_LITERAL("#: a\n\nA=x\n"), "line 2: what belongs to the path in the line before is missing");
    assert_bad("env", BYTES_LITERAL("#: a"), "line 1: what belongs to the path in the line before is missing");
    assert_bad("env", BYTES_LITERAL("#: \nA=x\n"), "line 1: there is no path");
    assert_bad("env", BYTES_LITERAL("#: a//b\nA__B=x\n"), "line 2: a//b: a component is empty");
    assert_bad("env", BYTES_LITERAL("A__=x\n"), "line 1: a/: a component is empty");
    assert_bad("env", BYTES_LITERAL("A=x\na=y\n"), "a stands there twice");
    assert_bad("env", BYTES_LITERAL("A='\xff'\n"), "line 1: a: a string is UTF-8 text; use the type binary");
}

/* ---- env beside a tree --------------------------------------------------------------------------------------------
 */

static void env_takes_types_from_the_tree(void **state UNUSED)
{
    struct dump tree, d;
    struct dump_entry key = {.path = BYTES_LITERAL("tls-1/Key"),
                             .type = VALUE_BINARY,
                             .has_value = true,
                             .is_sealed = true,
                             .comment = BYTES_LITERAL("c")};
    dump_init(&tree);
    dump_init(&d);
    assert_int_equal(dump_add(&tree, &key), 0);
    add(&tree, "port", VALUE_INTEGER, "1");
    assert_int_equal(dump_sort(&tree, why), 0);
    assert_int_equal(
        dump_env_parse(BYTES_LITERAL("PORT=2\nTLS_1_KEY='AAE='\nNEW__ONE=x\n#: tls/1-key\nTLS_1_KEY=x\n"), &d, why), 0);
    assert_int_equal(dump_env_adopt(&d, &tree, why), 0);
    assert_int_equal(d.count, 4);
    assert_int_equal(dump_find(&d, BYTES_LITERAL("tls/1-key"))->type, VALUE_STRING); /* its path was given */
    assert_int_equal(dump_find(&d, BYTES_LITERAL("port"))->type, VALUE_INTEGER);
    assert_int_equal(dump_find(&d, BYTES_LITERAL("new/one"))->type, VALUE_STRING);
    const struct dump_entry *e = dump_find(&d, BYTES_LITERAL("tls-1/Key"));
    assert_true(e != NULL && e->is_sealed && bytes_equal(e->value, bytes_of("\0\1", 2)) && e->comment.n == 1);
    dump_fini(&d);
    assert_int_equal(dump_env_parse(BYTES_LITERAL("PORT=x\n"), &d, why), 0);
    assert_int_equal(dump_env_adopt(&d, &tree, why), DUMP_BAD);
    assert_string_equal(why, "port: an integer is decimal digits within 64 bits, without leading zeros");
    assert_int_equal(d.count, 1);
    dump_fini(&d);
    assert_int_equal(dump_env_parse(BYTES_LITERAL("TLS_1_KEY=x\n"), &d, why), 0);
    assert_int_equal(dump_env_adopt(&d, &tree, why), DUMP_BAD);
    assert_string_equal(why, "tls-1/Key: a value of type binary is base64 text");
    dump_fini(&d);
    dump_fini(&tree);
}

static void two_entries_with_one_name_are_refused(void **state UNUSED)
{
    struct dump d, file;
    struct buf out;
    dump_init(&d);
    dump_init(&file);
    buf_init(&out, 4096);
    add(&d, "a-b", VALUE_STRING, "x");
    add(&d, "a.b", VALUE_STRING, "x");
    add(&d, "c", VALUE_STRING, "x");
    assert_int_equal(dump_sort(&d, why), 0);
    assert_int_equal(dump_env_print(&out, &d, why), DUMP_BAD);
    assert_non_null(strstr(why, "would have the same name in the format env"));
    assert_int_equal(dump_env_parse(BYTES_LITERAL("C=1\n"), &file, why), 0);
    assert_int_equal(dump_env_adopt(&file, &d, why), 0);
    dump_fini(&file);
    assert_int_equal(dump_env_parse(BYTES_LITERAL("A_B=1\n"), &file, why), 0);
    assert_int_equal(dump_env_adopt(&file, &d, why), DUMP_BAD);
    buf_fini(&out);
    dump_fini(&file);
    dump_fini(&d);
}

/* ---- the form in memory -------------------------------------------------------------------------------------------
 */

static void differences_are_named(void **state UNUSED)
{
    struct dump_entry a = {.type = VALUE_JSON, .has_value = true, .value = BYTES_LITERAL("{\"a\":1}")}, b = a;
    assert_int_equal(dump_differences(&a, &b), 0);
    b.value = BYTES_LITERAL("{ \"a\": 1 }");
    assert_int_equal(dump_differences(&a, &b), 0);
    b.value = BYTES_LITERAL("{ \"a\": 2 }");
    assert_int_equal(dump_differences(&a, &b), DUMP_VALUE);
    b.type = VALUE_STRING;
    assert_int_equal(dump_differences(&a, &b), DUMP_TYPE | DUMP_VALUE);
    a.type = b.type = VALUE_FLOAT;
    a.value = BYTES_LITERAL("1.5");
    b.value = BYTES_LITERAL("1.50");
    assert_int_equal(dump_differences(&a, &b), 0);
    b.is_sealed = true;
    b.comment = BYTES_LITERAL("x");
    b.tags = BYTES_LITERAL("x\n");
    strcpy(b.expires, "x");
    assert_int_equal(dump_differences(&a, &b), DUMP_SEALED | DUMP_COMMENT | DUMP_TAGS | DUMP_EXPIRES);
    b = a;
    b.has_value = false;
    b.value = BYTES_NONE;
    assert_int_equal(dump_differences(&a, &b), DUMP_VALUE);
    assert_string_equal(dump_part_text(DUMP_TAGS), "tags");
    assert_string_equal(dump_part_text(1024), "");
}

static void order_is_that_of_a_tree(void **state UNUSED)
{
    struct dump d;
    dump_init(&d);
    static const char *const paths[] = {"b", "a/z", "a-b", "a/b/c", "a+"};
    static const char *const sorted[] = {"a/b/c", "a/z", "a+", "a-b", "b"};
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        add(&d, paths[i], VALUE_STRING, "x");
    assert_int_equal(dump_sort(&d, why), 0);
    for (size_t i = 0; i < COUNT_OF(sorted); i++) {
        assert_true(bytes_equal(d.entries[i].path, bytes_of_text(sorted[i])));
        assert_ptr_equal(dump_find(&d, bytes_of_text(sorted[i])), &d.entries[i]);
    }
    assert_null(dump_find(&d, BYTES_LITERAL("a")));
    assert_true(dump_path_is_below(BYTES_LITERAL("a/b"), BYTES_LITERAL("a")));
    assert_false(dump_path_is_below(BYTES_LITERAL("ab"), BYTES_LITERAL("a")));
    assert_false(dump_path_is_below(BYTES_LITERAL("a"), BYTES_LITERAL("a")));
    dump_fini(&d);
}

static void entries_have_a_maximum(void **state UNUSED)
{
    struct dump d;
    struct dump_entry e = {.path = BYTES_LITERAL("a"), .type = VALUE_STRING, .has_value = true};
    dump_init(&d);
    for (size_t i = 0; i < DUMP_ENTRIES_MAX_COUNT; i++)
        assert_int_equal(dump_add(&d, &e), 0);
    assert_int_equal(dump_add(&d, &e), FAULT_LIMIT);
    dump_fini(&d);
}

static int parse_many(const char *format, size_t count)
{
    SCOPED(buf_fini) struct buf text;
    struct dump d;
    bool is_json = strcmp(format, "json") == 0, is_yaml = strcmp(format, "yaml") == 0;
    buf_init(&text, 1 << 20);
    dump_init(&d);
    assert_int_equal(buf_append_text(&text, is_json ? JSON_HEAD : is_yaml ? YAML_HEAD : ""), 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(buf_print(&text,
                                   is_json   ? "%s{\"path\":\"e%zu\",\"value\":1}"
                                   : is_yaml ? "%s  e%zu: 1\n"
                                             : "%sE%zu=1\n",
                                   is_json && i > 0 ? "," : "", i),
                         0);
    assert_int_equal(buf_append_text(&text, is_json ? "]}" : ""), 0);
    int r = dump_format(format)->parse(buf_view(&text), &d, why);
    dump_fini(&d);
    return r;
}

static void entries_that_are_read_have_a_maximum(void **state UNUSED)
{
    static const char *const formats[] = {"json", "yaml", "env"};
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        assert_int_equal(parse_many(formats[i], DUMP_ENTRIES_MAX_COUNT), 0);
        assert_int_equal(parse_many(formats[i], DUMP_ENTRIES_MAX_COUNT + 1), DUMP_BAD);
        assert_non_null(strstr(why, "there are more than 10000 entries"));
    }
}

static void large_texts_are_read(void **state UNUSED)
{
    struct dump d;
    static char value[VALUE_MAX_BYTES];
    memset(value, '"', sizeof value);
    dump_init(&d);
    for (size_t i = 0; i < 3; i++) {
        struct dump_entry e = {.type = VALUE_STRING, .has_value = true, .value = BYTES_OF(value)};
        char path[] = {(char)('a' + i), '\0'};
        e.path = bytes_of_text(path);
        assert_int_equal(dump_add(&d, &e), 0);
        memset(value, i == 0 ? '\n' : '\x01', sizeof value);
        value[0] = 'x';
    }
    dump_check_round("json", &d);
    dump_check_round("yaml", &d);
    dump_fini(&d);
    struct bytes huge = {(const uint8_t *)value, DUMP_TEXT_MAX_BYTES + 1u}; /* the length alone is looked at */
    assert_int_equal(dump_json_parse(huge, &d, why), DUMP_BAD);
    assert_int_equal(dump_yaml_parse(huge, &d, why), DUMP_BAD);
    assert_int_equal(dump_env_parse(huge, &d, why), DUMP_BAD);
}

static void what_may_not_stand_in_an_entry(void **state UNUSED)
{
    struct dump d;
    struct buf tags;
    static char long_text[DUMP_COMMENT_MAX_BYTES + 1];
    memset(long_text, 'x', sizeof long_text);
    dump_init(&d);
    buf_init(&tags, 1 << 20);
    struct dump_entry e = {
        .path = BYTES_LITERAL("a"), .type = VALUE_STRING, .has_value = true, .comment = BYTES_OF(long_text)};
    assert_int_equal(dump_check(&d, &e, why), DUMP_BAD);
    e.comment = bytes_head(e.comment, DUMP_COMMENT_MAX_BYTES);
    assert_int_equal(dump_check(&d, &e, why), 0);
    e.path = bytes_of(long_text, 500);
    assert_int_equal(dump_check(&d, &e, why), DUMP_BAD);
    static const char *const bad[] = {"", "a\nb", "a b", "\xc3\xa4"};
    for (size_t i = 0; i < COUNT_OF(bad); i++, buf_clear(&tags))
        assert_int_equal(dump_add_tag(&tags, bytes_of_text(bad[i])), DUMP_BAD);
    assert_int_equal(dump_add_tag(&tags, bytes_of(long_text, 65)), DUMP_BAD);
    buf_clear(&tags);
    for (size_t i = 0; i < 16; i++) {
        long_text[0] = (char)('a' + i * 7 % 16);
        assert_int_equal(dump_add_tag(&tags, bytes_of(long_text, 64)), 0);
    }
    assert_int_equal(buf_view(&tags).p[0], 'a');
    assert_int_equal(buf_size(&tags), DUMP_TAGS_MAX_BYTES);
    assert_int_equal(dump_add_tag(&tags, BYTES_LITERAL("x")), DUMP_BAD);
    buf_clear(&tags);
    assert_int_equal(dump_add_tag(&tags, BYTES_LITERAL("x")), 0);
    assert_int_equal(dump_add_tag(&tags, BYTES_LITERAL("x")), DUMP_BAD);
    assert_null(dump_format("xml"));
    assert_ptr_equal(dump_format_of("x.yml"), dump_format("yaml"));
    assert_ptr_equal(dump_format_of("/a.b/x.json"), dump_format("json"));
    assert_null(dump_format_of("json"));
    buf_fini(&tags);
}

static void secrets_are_forgotten(void **state UNUSED)
{
    struct dump d;
    make_sample(&d);
    struct dump_entry *e = &d.entries[4];
    assert_true(e->is_sealed && e->has_value);
    const uint8_t *at = e->value.p;
    size_t n = e->value.n;
    dump_entry_hide(e);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(at[i], 0); /* the memory of the entry is still there */
    assert_false(e->has_value);
    dump_check_round("json", &d);
    dump_fini(&d);
}

static void listings_of_the_daemon_are_read(void **state UNUSED)
{
    struct dump d;
    dump_init(&d);
    assert_int_equal(dump_check_base(&d, BYTES_LITERAL("/registry/applications"), why), 0);
    assert_int_equal(
        dump_tree_add(&d,
                      BYTES_LITERAL("{\"path\":\"/registry/applications/a/b\",\"type\":\"float\",\"version\":7,"
                                    "\"sealed\":false,\"value\":1.50,\"comment\":\"c\",\"tags\":[\"t\"],"
                                    "\"expires\":null,\"changed\":\"x\"}"),
                      why),
        0);
    const struct dump_entry *e = &d.entries[0];
    assert_true(bytes_equal(e->path, BYTES_LITERAL("a/b")) && bytes_equal(e->value, BYTES_LITERAL("1.50")));
    assert_true(e->version == 7 && e->comment.n == 1 && e->tags.n == 2 && !e->is_sealed);
    static const char *const bad[] = {
        "{}", "x", "{\"path\":\"/registry/system/a\",\"type\":\"string\",\"version\":1,\"value\":\"x\"}",
        "{\"path\":\"/registry/applications/b\",\"type\":\"string\",\"value\":\"x\"}",
        "{\"path\":\"/registry/applications/b\",\"type\":\"string\",\"version\":1}"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(dump_tree_add(&d, bytes_of_text(bad[i]), why), DUMP_BAD);
    dump_fini(&d);
}

static void memory_may_run_out(void **state UNUSED)
{
    static const char *const formats[] = {"json", "yaml", "env"};
    struct dump sample;
    dump_init(&sample);
    add(&sample, "web/a", VALUE_LIST, "[\"x\"]");
    add(&sample, "web/b", VALUE_JSON, "{\"x\": 1}");
    add(&sample, "c", VALUE_BINARY, "x");
    assert_int_equal(dump_sort(&sample, why), 0);
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        const struct dump_format *f = dump_format(formats[i]);
        struct buf text, again;
        struct dump d;
        int r = 0;
        buf_init(&text, 1 << 20);
        buf_init(&again, 1 << 20);
        assert_int_equal(f->print(&text, &sample, why), 0);
        dump_init(&d);
        EACH_ALLOC_FAILURE({
            dump_fini(&d);
            r = f->parse(buf_view(&text), &d, why);
            assert_true(r == 0 || (r == -ENOMEM && d.count == 0));
        });
        assert_int_equal(r, 0);
        EACH_ALLOC_FAILURE({
            buf_fini(&again);
            r = f->print(&again, &sample, why);
            assert_true(r == 0 || r == -ENOMEM);
        });
        assert_true(bytes_equal(buf_view(&text), buf_view(&again)));
        if (f->is_lossy)
            EACH_ALLOC_FAILURE(r = dump_env_adopt(&d, &sample, why); assert_true(r == 0 || r == -ENOMEM));
        assert_int_equal(r, 0);
        dump_fini(&d);
        buf_fini(&text);
        buf_fini(&again);
    }
    dump_fini(&sample);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_look_as_documented),
        cmocka_unit_test(env_looks_as_documented),
        cmocka_unit_test(env_names_that_programs_obey_are_refused),
        cmocka_unit_test(any_document_comes_back_the_same),
        cmocka_unit_test(values_come_back_from_env),
        cmocka_unit_test(bad_json_is_refused),
        cmocka_unit_test(bad_yaml_is_refused),
        cmocka_unit_test(bad_env_is_refused),
        cmocka_unit_test(env_takes_types_from_the_tree),
        cmocka_unit_test(two_entries_with_one_name_are_refused),
        cmocka_unit_test(differences_are_named),
        cmocka_unit_test(order_is_that_of_a_tree),
        cmocka_unit_test(entries_have_a_maximum),
        cmocka_unit_test(entries_that_are_read_have_a_maximum),
        cmocka_unit_test(large_texts_are_read),
        cmocka_unit_test(what_may_not_stand_in_an_entry),
        cmocka_unit_test(secrets_are_forgotten),
        cmocka_unit_test(listings_of_the_daemon_are_read),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
