/* Tests of options that are texts: what is taken, what is not, and that every form of them reads back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "conf/conf-internal.h"
#include "wire/msg.h"

enum { COUNT, SERVER, IDLE, NAME, HEX, SHORT, OPTIONS_COUNT };

/* Every character that a text may have at all. */
static const char all[] = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
                          "abcdefghijklmnopqrstuvwxyz{|}~";

static const struct conf_option options[OPTIONS_COUNT] = {
    [COUNT] = {"log", "count", CONF_COUNT, 0, 9, 3, NULL, CONF_LIVE, "A count."},
    [SERVER] = {"log", "server", CONF_TEXT, 0, 20, 0, NULL, CONF_RESTART, "A server."},
    [IDLE] = {"log", "idle", CONF_MS, 0, 60000, 30000, NULL, CONF_LIVE, "A duration."},
    [NAME] = {"other", "name", CONF_TEXT, 0, CONF_TEXT_MAX_BYTES, 0, NULL, CONF_LIVE, "A name."},
    [HEX] = {"log", "hex", CONF_TEXT, 0, 8, 0, "0123456789abcdef", CONF_RESTART, "A number in base 16."},
    [SHORT] = {"other", "short", CONF_TEXT, 0, 3, 0, all, CONF_LIVE, "Anything."},
};
static const struct conf_schema schema = {options, OPTIONS_COUNT};
static const size_t texts[] = {SERVER, NAME, HEX, SHORT};

static int parse(const char *text, struct conf_values *ret, char *why)
{
    why[0] = '\0';
    return conf_parse(&schema, bytes_of_text(text), ret, why);
}

static struct conf_values parsed(const char *text)
{
    struct conf_values values;
    char why[CONF_WHY_BYTES];
    if (parse(text, &values, why) != 0)
        fail_msg("refused: %s: %s", text, why);
    return values;
}

static void set(struct conf_values *values, size_t option, const char *text)
{
    size_t n = strlen(text);
    assert_true(n <= CONF_TEXT_MAX_BYTES);
    memset(values->texts[conf_text_slot(&schema, option)], 0, CONF_TEXT_MAX_BYTES + 1);
    memcpy(values->texts[conf_text_slot(&schema, option)], text, n);
    values->v[option] = (int64_t)n;
}

/* A dump, and the form for role messages, give the same values. */
static void assert_reads_back(const struct conf_values *values)
{
    struct conf_values again;
    char why[CONF_WHY_BYTES];
    struct buf out;
    buf_init(&out, 8192);
    assert_int_equal(conf_dump(&schema, values, &out), 0);
    if (conf_parse(&schema, buf_view(&out), &again, why) != 0)
        fail_msg("refused its own dump: %s\n%.*s", why, BYTES_PRINT(buf_view(&out)));
    assert_memory_equal(values, &again, sizeof again);
    buf_clear(&out);
    memset(&again, 0x5a, sizeof again);
    assert_int_equal(conf_encode(&schema, values, &out), 0);
    assert_true(conf_decode(&schema, buf_view(&out), &again));
    assert_memory_equal(values, &again, sizeof again);
    buf_fini(&out);
}

/* ---- what is taken --------------------------------------------------------------------------------------- */

static void texts_are_empty_by_default(void **state)
{
    struct conf_values values, empty;
    (void)state;
    conf_defaults(&schema, &values);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_int_equal(values.v[texts[i]], 0);
        assert_string_equal(conf_text(&schema, &values, texts[i]), "");
    }
    empty = parsed("log:\n  server: \"\"\n  hex: ''\nother: {name: \"\"}\n");
    assert_memory_equal(&values, &empty, sizeof values);
    assert_reads_back(&values);
}

static void a_text_is_what_stands_there(void **state)
{
    /* as YAML has it, and what it is */
    static const char *const rows[][2] = {
        {"host.example", "host.example"},
        {"\"host.example\"", "host.example"},
        {"10", "10"},
        {"\"10\"", "10"},
        {"'10'", "10"},
        {"010", "010"},
        {"-0", "-0"},
        {"+1", "+1"},
        {"0x1F", "0x1F"},
        {"1e5", "1e5"},
        {"1.50", "1.50"},
        {".inf", ".inf"},
        {"1_000", "1_000"},
        {"12:30:45", "12:30:45"},
        {"2026-11-27", "2026-11-27"},
        {"12345678901234567890", "12345678901234567890"},
        {"true", "true"},
        {"\"false\"", "false"},
        {"yes", "yes"},
        {"Off", "Off"},
        {"null", "null"},
        {"\"null\"", "null"},
        {"~", "~"},
        {"<<", "<<"},
        {"=", "="},
        {"a:b", "a:b"},
        {"a#b # a comment", "a#b"},
        {"'#x'", "#x"},
        {"::1", "::1"},
        {"\"[::1]\"", "[::1]"},
        {"'&a*!|>%@`{},'", "&a*!|>%@`{},"},
        {"'-'", "-"},
        {"'---'", "---"},
        {"'it''s'", "it's"},
        {"\"it's\"", "it's"},
        {"'a\"b'", "a\"b"},
        {"\"a\\\"b\"", "a\"b"},
        {"a\\b", "a\\b"},
        {"'\\n'", "\\n"},
        {"\"\\\\n\"", "\\n"},
        {"\"\\x41\\u0042\"", "AB"},
        {"|-\n    abc", "abc"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[128];
        snprintf(text, sizeof text, "log:\n  server: %s\n", rows[i][0]);
        struct conf_values v = parsed(text);
        assert_string_equal(conf_text(&schema, &v, SERVER), rows[i][1]);
        assert_int_equal(v.v[SERVER], strlen(rows[i][1]));
        assert_string_equal(conf_text(&schema, &v, NAME), "");
        assert_int_equal(v.v[COUNT], 3);
        assert_reads_back(&v);
    }
}

static void a_text_may_be_as_long_as_its_row_says(void **state)
{
    char text[CONF_TEXT_MAX_BYTES + 64], name[CONF_TEXT_MAX_BYTES + 1];
    struct conf_values v = parsed("log:\n  server: 12345678901234567890\n  hex: 01abcdef\n");
    (void)state;
    assert_int_equal(v.v[SERVER], 20);
    assert_string_equal(conf_text(&schema, &v, HEX), "01abcdef");
    memset(name, '\\', CONF_TEXT_MAX_BYTES); /* each byte is escaped in a dump */
    name[CONF_TEXT_MAX_BYTES] = '\0';
    snprintf(text, sizeof text, "other:\n  name: '%s'\n", name);
    v = parsed(text);
    assert_string_equal(conf_text(&schema, &v, NAME), name);
    assert_reads_back(&v);
}

/* Each character alone, first, last, twice and between others; in the row that allows all of them. */
static void each_character_reads_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < strlen(all); i++) {
        char c = all[i];
        char forms[5][4] = {{c}, {c, 'a'}, {'a', c}, {c, c}, {'a', c, 'a'}};
        for (size_t k = 0; k < COUNT_OF(forms); k++) {
            struct conf_values v;
            conf_defaults(&schema, &v);
            set(&v, SHORT, forms[k]);
            if (c != ' ')
                set(&v, SERVER, forms[k]);
            assert_reads_back(&v);
        }
    }
}

static void texts_of_all_lengths_read_back(void **state)
{
    uint64_t seed = 0x7e87;
    (void)state;
    for (unsigned n = 0; n < 2000; n++) {
        struct conf_values v;
        conf_defaults(&schema, &v);
        for (size_t i = 0; i < COUNT_OF(texts); i++) {
            const struct conf_option *option = &options[texts[i]];
            const char *from = option->words != NULL ? option->words : all + 1;
            char text[CONF_TEXT_MAX_BYTES + 1] = "";
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            size_t length = (seed >> 33) % ((uint64_t)option->max + 1);
            for (size_t k = 0; k < length; k++) {
                seed = seed * 6364136223846793005u + 1442695040888963407u;
                text[k] = from[(seed >> 33) % strlen(from)];
            }
            set(&v, texts[i], text);
        }
        assert_reads_back(&v);
    }
}

static void values_are_copied_by_assignment(void **state)
{
    struct conf_values a = parsed("log: {server: abc}\n"), b = a;
    (void)state;
    set(&a, SERVER, "changed");
    assert_string_equal(conf_text(&schema, &b, SERVER), "abc");
    assert_string_equal(conf_text(&schema, &a, SERVER), "changed");
}

/* As many texts as there may be, between options of other kinds: each has its own place. */
static void each_text_has_its_own_place(void **state)
{
    enum { MANY = 2 * CONF_TEXTS_MAX_COUNT };
    static const char *const names[MANY] = {"a", "b", "c", "d", "e", "f", "g", "h",
                                            "i", "j", "k", "l", "m", "n", "o", "p"};
    struct conf_option rows[MANY];
    const struct conf_schema many = {rows, MANY};
    struct conf_values v;
    char why[CONF_WHY_BYTES];
    struct buf out;
    (void)state;
    buf_init(&out, 8192);
    for (size_t i = 0; i < MANY; i++)
        rows[i] = (struct conf_option){"x",       names[i],      i % 2 == 0 ? CONF_COUNT : CONF_TEXT, 0, 255, 0, NULL,
                                       CONF_LIVE, "One of many."};
    assert_int_equal(buf_append_text(&out, "x:\n"), 0);
    for (size_t i = MANY; i-- > 0;)
        assert_int_equal(buf_print(&out, "  %s: %zu\n", names[i], 10 + i), 0);
    assert_int_equal(conf_parse(&many, buf_view(&out), &v, why), 0);
    buf_clear(&out);
    assert_int_equal(conf_encode(&many, &v, &out), 0);
    memset(&v, 0x5a, sizeof v);
    assert_true(conf_decode(&many, buf_view(&out), &v));
    for (size_t i = 0; i < MANY; i++) {
        char wanted[8];
        snprintf(wanted, sizeof wanted, "%zu", 10 + i);
        if (i % 2 == 0)
            assert_int_equal(v.v[i], 10 + i);
        else
            assert_string_equal(conf_text(&many, &v, i), wanted);
    }
    buf_fini(&out);
}

/* ---- what is not ----------------------------------------------------------------------------------------- */

/* Refused, for a reason that holds `part` and says the line; the values stay untouched. */
static void assert_refused(const char *text, const char *part)
{
    struct conf_values values, before;
    char why[CONF_WHY_BYTES];
    memset(&values, 0x5a, sizeof values);
    before = values;
    if (parse(text, &values, why) != CONF_BAD)
        fail_msg("not refused: %s", text);
    if (strstr(why, part) == NULL || strncmp(why, "line ", 5) != 0)
        fail_msg("%s: the reason is: %s", text, why);
    assert_memory_equal(&values, &before, sizeof values);
}

static void a_refusal_says_where_and_what(void **state)
{
    (void)state;
    assert_refused("log:\n  server: 123456789012345678901\n",
                   "line 2, column 11: log.server: \"123456789012345678901\" is not within 0 to 20 bytes");
    assert_refused("log:\n  count: 1\n  server: a b\n",
                   "line 3, column 11: log.server: \"a b\" is not a text of printable ASCII without space");
    assert_refused("log:\n  hex: 12g4\n",
                   "line 2, column 8: log.hex: \"12g4\" is not a text of these characters: 0123456789abcdef");
    assert_refused("log:\n  hex: 123456789\n", "log.hex: \"123456789\" is not within 0 to 8 bytes");
    assert_refused("log:\n  hex: 1A\n", "log.hex: \"1A\" is not a text of these");
    assert_refused("log:\n  server:\n", "log.server: an empty text is written as \"\"");
    assert_refused("log:\n  server: # nothing\n  count: 1\n", "log.server: an empty text is written as \"\"");
    assert_refused("log: {server: , count: 1}\n", "log.server: an empty text is written as \"\"");
    assert_refused("other:\n  short: 'a  b'\n", "other.short: \"a  b\" is not within 0 to 3 bytes");
}

static void other_characters_are_refused(void **state)
{
    static const char *const rows[][2] = {
        {"' a'", "log.server: \" a\" is not a text"},
        {"'a '", "log.server: \"a \" is not a text"},
        {"a\n    b", "log.server: \"a b\" is not a text"}, /* YAML makes one line of the two */
        {"|\n    abc", "log.server: \"(not printable)\" is not a text"},
        {"\"a\\tb\"", "log.server: \"(not printable)\" is not a text"},
        {"\"a\\nb\"", "log.server: \"(not printable)\" is not a text"},
        {"\"a\\rb\"", "log.server: \"(not printable)\" is not a text"},
        {"\"\\e[2J\"", "log.server: \"(not printable)\" is not a text"},
        {"\"a\\x7fb\"", "log.server: \"(not printable)\" is not a text"},
        {"\"a\\x9bb\"", "log.server: \"(not printable)\" is not a text"},
        {"\"\\u202eb\"", "log.server: \"(not printable)\" is not a text"},
        {"\"a\\0b\"", "line 2"},
        {"\"\\0\"", "line 2"},
        {"\xc3\xa4", "log.server: \"\xc3\xa4\" is not a text"},
        {"\"\\u00e4\"", "log.server: \"\xc3\xa4\" is not a text"},
        {"\xef\xbc\xa1", "log.server: \"\xef\xbc\xa1\" is not a text"}, /* a wide A */
        {"\xf0\x9f\x94\x91", "log.server: \"\xf0\x9f\x94\x91\" is not a text"},
        {"\"\\u00a0\"", "log.server: "},
        {"\xe4", "line "}, /* no UTF-8 */
        {"a\x01", "line "},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[128];
        snprintf(text, sizeof text, "log:\n  server: %s\n", rows[i][0]);
        assert_refused(text, rows[i][1]);
    }
}

static void wrong_shapes_are_refused(void **state)
{
    static const char *const rows[] = {"[a]", "[]", "{}", "{a: b}", "\n    - a", "\n    a: b"};
    char text[128];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        snprintf(text, sizeof text, "log:\n  server: %s\n", rows[i]);
        assert_refused(text, "log.server must have one value");
    }
    assert_refused("log:\n  server: !!str 10\n", "line 2");
    assert_refused("log:\n  server: &a b\n", "line 2");
    assert_refused("log:\n  server: *a\n", "line ");
    assert_refused("log:\n  server: @a\n", "line ");
    assert_refused("log:\n  server: `a\n", "line ");
    assert_refused("log:\n  server: %a\n", "line ");
    assert_refused("log:\n  server: a\n  server: a\n", "line 3");
}

/* No byte but those of the set, wherever it stands; conf_text_is_good() is what role messages are held to. */
static void each_byte_is_allowed_or_not(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        bool is_graph = c > 0x20 && c < 0x7f;
        bool is_hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        for (size_t at = 0; at < 3; at++) {
            uint8_t text[3] = {'a', 'a', 'a'};
            int64_t value = -1;
            text[at] = (uint8_t)c;
            struct bytes b = bytes_of(text, sizeof text);
            assert_int_equal(conf_value_parse(&options[SERVER], b, &value), is_graph ? 0 : CONF_VALUE_MALFORMED);
            assert_int_equal(value, is_graph ? 3 : -1);
            assert_int_equal(conf_text_is_good(&options[SERVER], b), is_graph);
            assert_int_equal(conf_text_is_good(&options[HEX], b), is_hex);
            assert_int_equal(conf_text_is_good(&options[SHORT], b), is_graph || c == ' ');
        }
    }
}

static void too_long_is_refused(void **state)
{
    static char text[200000];
    (void)state;
    snprintf(text, sizeof text, "other:\n  name: %0*d\n", CONF_TEXT_MAX_BYTES, 0);
    assert_int_equal(parsed(text).v[NAME], CONF_TEXT_MAX_BYTES);
    snprintf(text, sizeof text, "other:\n  name: %0*d\n", CONF_TEXT_MAX_BYTES + 1, 0);
    assert_refused(text, "\" is not within 0 to 255 bytes");
    snprintf(text, sizeof text, "other:\n  name: %0190000d\n", 0);
    assert_refused(text, "line 2, column 9: other.name: \"0000000000");
    for (size_t n = 0; n <= 10; n++) {
        int64_t value = -1;
        assert_int_equal(conf_value_parse(&options[HEX], bytes_head(BYTES_LITERAL("0123456789"), n), &value),
                         n <= 8 ? 0 : CONF_VALUE_OUTSIDE);
        assert_int_equal(value, n <= 8 ? (int64_t)n : -1);
    }
}

/* ---- the difference -------------------------------------------------------------------------------------- */

struct changes {
    size_t count;
    char text[1024];
};

static void on_change(const struct conf_option *option, const char *from, const char *to, void *arg)
{
    struct changes *c = arg;
    size_t n = strlen(c->text);
    c->count++;
    snprintf(c->text + n, sizeof c->text - n, "%s: %s -> %s\n", option->name, from, to);
}

/* Between two texts: so many options that want a restart, and these lines. */
static void assert_changes(const char *old, const char *new, size_t restarts, const char *wanted)
{
    struct conf_values a = parsed(old), b = parsed(new);
    struct changes c = {.count = 0};
    assert_int_equal(conf_diff(&schema, &a, &b, on_change, &c), restarts);
    assert_string_equal(c.text, wanted);
}

static void a_reload_counts_texts_that_differ(void **state)
{
    (void)state;
    assert_changes("", "", 0, "");
    assert_changes("log: {server: abc}\n", "log: {server: 'abc'}\n", 0, "");
    assert_changes("log: {server: abc}\n", "log: {server: abd}\n", 1, "server: \"abc\" -> \"abd\"\n");
    assert_changes("log: {server: abc}\n", "log: {server: abcd}\n", 1, "server: \"abc\" -> \"abcd\"\n");
    assert_changes("log: {server: abc}\n", "", 1, "server: \"abc\" -> \"\"\n");
    assert_changes("", "log: {server: '\"'}\n", 1, "server: \"\" -> \"\\\"\"\n");
    assert_changes("other: {name: a}\n", "other: {name: A}\n", 0, "name: \"a\" -> \"A\"\n");
    assert_changes("other: {name: '1', short: '1'}\n", "other: {name: '2', short: '1'}\n", 0, "name: \"1\" -> \"2\"\n");
    assert_changes("log: {server: '1', hex: '1', idle: 1}\nother: {name: '1', short: '1'}\n",
                   "log: {server: '2', hex: '2', idle: 2000}\nother: {name: '2', short: '2'}\n", 2,
                   "server: \"1\" -> \"2\"\nidle: 1ms -> 2s\nname: \"1\" -> \"2\"\nhex: \"1\" -> \"2\"\n"
                   "short: \"1\" -> \"2\"\n");
    assert_changes("log: {server: '10'}\n", "log: {count: 5, server: 10}\n", 0, "count: 3 -> 5\n");
}

static void the_longest_difference_has_room(void **state)
{
    struct conf_values a, b;
    struct changes c = {.count = 0};
    char name[CONF_TEXT_MAX_BYTES + 1];
    (void)state;
    conf_defaults(&schema, &a);
    b = a;
    memset(name, '"', CONF_TEXT_MAX_BYTES);
    name[CONF_TEXT_MAX_BYTES] = '\0';
    set(&b, NAME, name);
    assert_int_equal(conf_diff(&schema, &a, &b, on_change, &c), 0);
    assert_int_equal(c.count, 1);
    assert_int_equal(strlen(c.text), strlen("name: \"\" -> \n") + CONF_DUMPED_BYTES - 1);
}

/* ---- role messages --------------------------------------------------------------------------------------- */

/* Whatever is decoded is what a file could say. */
static void check_decoded(const struct conf_values *values)
{
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct bytes text = bytes_of_text(conf_text(&schema, values, texts[i]));
        assert_true(conf_text_is_good(&options[texts[i]], text));
        assert_int_equal(values->v[texts[i]], text.n);
    }
    assert_reads_back(values);
}

static void decode_trusts_no_byte(void **state)
{
    struct conf_values v = parsed("log: {server: abc, hex: 1f}\nother: {name: x.y, short: ' '}\n"), got, before;
    struct buf out;
    unsigned refused_count = 0;
    (void)state;
    buf_init(&out, 1024);
    assert_int_equal(conf_encode(&schema, &v, &out), 0);
    memset(&got, 0x5a, sizeof got);
    before = got;
    const size_t size = buf_size(&out);
    for (size_t n = 0; n < size; n++)
        assert_false(conf_decode(&schema, bytes_head(buf_view(&out), n), &got));
    assert_memory_equal(&got, &before, sizeof got);
    for (size_t i = 0; i < size; i++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            out.p[out.start + i] ^= (uint8_t)flip;
            got = before;
            if (conf_decode(&schema, buf_view(&out), &got)) {
                check_decoded(&got);
            } else {
                refused_count++;
                assert_memory_equal(&got, &before, sizeof got);
            }
            out.p[out.start + i] ^= (uint8_t)flip;
        }
    }
    assert_true(refused_count > size * 128);
    assert_true(conf_decode(&schema, buf_view(&out), &got));
    assert_memory_equal(&got, &v, sizeof v);
    assert_int_equal(buf_append(&out, BYTES_LITERAL("\0")), 0);
    assert_false(conf_decode(&schema, buf_view(&out), &got));
    buf_fini(&out);
}

/* A message of one text: the length as the value, and the text. */
static bool decodes(int64_t length, struct bytes text, struct conf_values *ret)
{
    const struct conf_schema one = {&options[HEX], 1};
    struct buf out;
    buf_init(&out, 4096);
    assert_int_equal(msg_put_u32(&out, 1), 0);
    assert_int_equal(msg_put_i64(&out, length), 0);
    assert_int_equal(msg_put_bytes(&out, text), 0);
    bool r = conf_decode(&one, buf_view(&out), ret);
    buf_fini(&out);
    return r;
}

static void decode_checks_length_and_characters(void **state)
{
    static const uint8_t many[300] = {'0'};
    struct conf_values got;
    (void)state;
    assert_true(decodes(4, BYTES_LITERAL("00ff"), &got));
    assert_string_equal(got.texts[0], "00ff");
    assert_true(decodes(0, BYTES_NONE, &got));
    assert_string_equal(got.texts[0], "");
    assert_true(decodes(8, BYTES_LITERAL("01234567"), &got));
    memset(&got, 0x5a, sizeof got);
    assert_false(decodes(3, BYTES_LITERAL("00ff"), &got));
    assert_false(decodes(5, BYTES_LITERAL("00ff"), &got));
    assert_false(decodes(0, BYTES_LITERAL("0"), &got));
    assert_false(decodes(1, BYTES_NONE, &got));
    assert_false(decodes(-1, BYTES_NONE, &got));
    assert_false(decodes(9, BYTES_LITERAL("012345678"), &got));
    assert_false(decodes(300, bytes_of(many, sizeof many), &got));
    assert_false(decodes(8, bytes_of(many, sizeof many), &got));
    assert_false(decodes(44, bytes_of(many, sizeof many), &got)); /* 300 modulo 256 */
    assert_false(decodes(INT64_MAX, BYTES_LITERAL("0"), &got));
    assert_false(decodes(INT64_MIN, BYTES_LITERAL("0"), &got));
    assert_false(decodes(3, BYTES_LITERAL("0\0f"), &got));
    assert_false(decodes(3, BYTES_LITERAL("00\0"), &got));
    assert_false(decodes(3, BYTES_LITERAL("0 f"), &got));
    assert_false(decodes(3, BYTES_LITERAL("0\nf"), &got));
    assert_false(decodes(3, BYTES_LITERAL("00F"), &got));
    assert_false(decodes(3, BYTES_LITERAL("0\xc3\xa4"), &got));
    for (size_t i = 0; i < sizeof got; i++)
        assert_int_equal(((const uint8_t *)&got)[i], 0x5a);
}

/* ---- dump and manual ------------------------------------------------------------------------------------- */

static void assert_text(struct buf *out, const char *wanted)
{
    struct bytes got = buf_view(out);
    if (!bytes_equal(got, bytes_of_text(wanted)))
        fail_msg("got:\n%.*s", BYTES_PRINT(got));
}

static void dump_has_texts_in_quotes(void **state)
{
    struct conf_values v = parsed("log: {server: 10}\nother: {name: 'a\"b\\c''d', short: ' # '}\n");
    struct buf out;
    (void)state;
    buf_init(&out, 4096);
    assert_int_equal(conf_dump(&schema, &v, &out), 0);
    assert_text(&out, "log:\n"
                      "  # A count.\n"
                      "  # (from 0 to 9; default 3; takes effect on reload)\n"
                      "  count: 3\n"
                      "  # A server.\n"
                      "  # (of at most 20 bytes; default empty; takes effect on restart)\n"
                      "  server: \"10\"\n"
                      "  # A duration.\n"
                      "  # (from 0 to 1min; default 30s; takes effect on reload)\n"
                      "  idle: 30s\n"
                      "  # A number in base 16.\n"
                      "  # (of at most 8 bytes; default empty; takes effect on restart)\n"
                      "  hex: \"\"\n"
                      "\nother:\n"
                      "  # A name.\n"
                      "  # (of at most 255 bytes; default empty; takes effect on reload)\n"
                      "  name: \"a\\\"b\\\\c'd\"\n"
                      "  # Anything.\n"
                      "  # (of at most 3 bytes; default empty; takes effect on reload)\n"
                      "  short: \" # \"\n");
    buf_fini(&out);
}

static void manual_says_how_long(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 4096);
    assert_int_equal(conf_manual(&(struct conf_schema){&options[SERVER], 1}, &out), 0);
    assert_text(&out, ".It Cm log.server\nA server.\nA text of at most 20 bytes.\nThe default is\n.Cm empty ;\n"
                      "a change takes effect on restart.\n");
    buf_fini(&out);
}

/* Too little room anywhere is a fault, never a shorter text with result 0. */
static void printing_passes_faults_up(void **state)
{
    struct conf_values v = parsed("log: {server: abc, hex: 1f}\nother: {name: '\"', short: ' '}\n");
    int (*const printers[])(const struct conf_schema *, const struct conf_values *, struct buf *) = {conf_dump,
                                                                                                     conf_encode};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(printers); i++) {
        struct buf whole;
        buf_init(&whole, 4096);
        assert_int_equal(printers[i](&schema, &v, &whole), 0);
        for (size_t room = 1; room <= buf_size(&whole); room++) {
            struct buf out;
            buf_init(&out, room);
            assert_int_equal(printers[i](&schema, &v, &out), room < buf_size(&whole) ? FAULT_LIMIT : 0);
            buf_fini(&out);
        }
        buf_fini(&whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_empty_by_default),
        cmocka_unit_test(a_text_is_what_stands_there),
        cmocka_unit_test(a_text_may_be_as_long_as_its_row_says),
        cmocka_unit_test(each_character_reads_back),
        cmocka_unit_test(texts_of_all_lengths_read_back),
        cmocka_unit_test(values_are_copied_by_assignment),
        cmocka_unit_test(each_text_has_its_own_place),
        cmocka_unit_test(a_refusal_says_where_and_what),
        cmocka_unit_test(other_characters_are_refused),
        cmocka_unit_test(wrong_shapes_are_refused),
        cmocka_unit_test(each_byte_is_allowed_or_not),
        cmocka_unit_test(too_long_is_refused),
        cmocka_unit_test(a_reload_counts_texts_that_differ),
        cmocka_unit_test(the_longest_difference_has_room),
        cmocka_unit_test(decode_trusts_no_byte),
        cmocka_unit_test(decode_checks_length_and_characters),
        cmocka_unit_test(dump_has_texts_in_quotes),
        cmocka_unit_test(manual_says_how_long),
        cmocka_unit_test(printing_passes_faults_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
