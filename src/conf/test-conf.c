/* Tests of options: reading, refusing, comparing, dumping, the manual, and the form for role messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf-internal.h"
#include "fail-alloc.h"

enum { CONNECTIONS, BODY, IDLE, LEVEL, STRICT, OFFSET, HUGE_COUNT, OPTIONS_COUNT };

/* The groups are interleaved on purpose. */
static const struct conf_option options[OPTIONS_COUNT] = {
    [CONNECTIONS] = {"limits", "connections", CONF_COUNT, 1, 65535, 512, NULL, CONF_LIVE, "Clients at once."},
    [BODY] = {"limits", "body_max", CONF_BYTES, 0, 1 << 20, 65536, NULL, CONF_LIVE, "Largest body of a request."},
    [LEVEL] = {"log", "level", CONF_WORD, 0, 3, 2, "error warning info debug", CONF_LIVE, "Least important line."},
    [IDLE] = {"limits", "idle", CONF_MS, 100, 3600000, 30000, NULL, CONF_LIVE, "Close a silent client after this."},
    [STRICT] = {"confine", "strict", CONF_BOOL, 0, 1, 1, NULL, CONF_RESTART, "Stop when the kernel cannot confine."},
    [OFFSET] = {"log", "offset", CONF_COUNT, -5, 5, 0, NULL, CONF_RESTART, ".It's \\ escaped in the manual."},
    [HUGE_COUNT] = {"log", "huge", CONF_COUNT, INT64_MIN, INT64_MAX, -1, NULL, CONF_LIVE, "Any number."},
};
static const struct conf_schema schema = {options, OPTIONS_COUNT};

static struct conf_values parsed(const char *text)
{
    struct conf_values values;
    char why[CONF_WHY_BYTES] = "";
    if (conf_parse(&schema, bytes_of_text(text), &values, why) != 0)
        fail_msg("refused: %s: %s", text, why);
    return values;
}

/* Refused, for a reason that holds `part`; the values stay untouched. */
static void assert_refused(const char *text, const char *part)
{
    struct conf_values values, before;
    char why[CONF_WHY_BYTES] = "";
    memset(&values, 0x5a, sizeof values);
    before = values;
    if (conf_parse(&schema, bytes_of_text(text), &values, why) != CONF_BAD)
        fail_msg("not refused: %s", text);
    if (strstr(why, part) == NULL)
        fail_msg("%s: the reason is: %s", text, why);
    assert_int_equal(strncmp(why, "line ", 5), 0);
    assert_memory_equal(&values, &before, sizeof values);
}

static void assert_values(const struct conf_values *a, const struct conf_values *b)
{
    for (size_t i = 0; i < OPTIONS_COUNT; i++)
        assert_int_equal(a->v[i], b->v[i]);
}

static void defaults_come_from_the_rows(void **state)
{
    struct conf_values values;
    (void)state;
    conf_defaults(&schema, &values);
    for (size_t i = 0; i < OPTIONS_COUNT; i++)
        assert_int_equal(values.v[i], options[i].normal);
}

static void absent_options_get_their_default(void **state)
{
    struct conf_values normal, values;
    (void)state;
    conf_defaults(&schema, &normal);
    values = parsed("");
    assert_values(&values, &normal);
    values = parsed("# nothing\n");
    assert_values(&values, &normal);
    values = parsed("limits: {}\n");
    assert_values(&values, &normal);
    values = parsed("limits:\n  connections: 100\n");
    assert_int_equal(values.v[CONNECTIONS], 100);
    normal.v[CONNECTIONS] = 100;
    assert_values(&values, &normal);
}

static void reads_every_kind(void **state)
{
    struct conf_values v = parsed("log:\n"
                                  "  level: debug # all\n"
                                  "  offset: -5\n"
                                  "  huge: 9223372036854775807\n"
                                  "limits:\n"
                                  "  connections: '1'\n"
                                  "  body_max: 1M\n"
                                  "  idle: 5min\n"
                                  "confine: {strict: false}\n");
    (void)state;
    assert_int_equal(v.v[LEVEL], 3);
    assert_int_equal(v.v[OFFSET], -5);
    assert_int_equal(v.v[HUGE_COUNT], INT64_MAX);
    assert_int_equal(v.v[CONNECTIONS], 1);
    assert_int_equal(v.v[BODY], 1 << 20);
    assert_int_equal(v.v[IDLE], 300000);
    assert_int_equal(v.v[STRICT], 0);
    v = parsed("confine: {strict: true}\nlog: {level: error, huge: -9223372036854775808}\n");
    assert_int_equal(v.v[STRICT], 1);
    assert_int_equal(v.v[LEVEL], 0);
    assert_int_equal(v.v[HUGE_COUNT], INT64_MIN);
}

static const struct conf_option size_option = {"a", "b", CONF_BYTES, 0, INT64_MAX, 0, NULL, CONF_LIVE, "A size."};
static const struct conf_option time_option = {"a", "b", CONF_MS, 0, INT64_MAX, 0, NULL, CONF_LIVE, "A time."};

static void assert_value(const struct conf_option *option, const char *text, int64_t value)
{
    int64_t got = -1;
    assert_int_equal(conf_value_parse(option, bytes_of_text(text), &got), 0);
    assert_int_equal(got, value);
}

static void units_multiply(void **state)
{
    (void)state;
    assert_value(&size_option, "0", 0);
    assert_value(&size_option, "7", 7);
    assert_value(&size_option, "64K", 65536);
    assert_value(&size_option, "8M", 8 << 20);
    assert_value(&size_option, "3G", INT64_C(3) << 30);
    assert_value(&size_option, "0G", 0);
    assert_value(&size_option, "8589934591G", INT64_C(8589934591) << 30);
    assert_value(&time_option, "0s", 0);
    assert_value(&time_option, "250", 250);
    assert_value(&time_option, "250ms", 250);
    assert_value(&time_option, "30s", 30000);
    assert_value(&time_option, "5min", 300000);
    assert_value(&time_option, "24h", 86400000);
}

static void assert_not(const struct conf_option *option, const char *text, int outcome)
{
    int64_t got = -1;
    if (conf_value_parse(option, bytes_of_text(text), &got) != outcome)
        fail_msg("%s: not outcome %d", text, outcome);
    assert_int_equal(got, -1);
}

static void malformed_values_are_refused(void **state)
{
    static const char *const numbers[] = {"",     "-",     "+1",    "01", "-0", "1.0", "1e3",
                                          "0x10", "1_000", "1,000", " 1", "1 ", "one", "1K",
                                          "1s",   "--1",   "00",    "1-", "٣",  "-01", "0000000000000000000000"};
    static const char *const sizes[] = {"",     "K",  "1k", "1m", "1KB", "1KiB", "1 K",
                                        "1.5M", "1T", "1s", "K1", "01K", "-K"};
    static const char *const times[] = {"",   "s",   "1S",      "1m", "1 s",  "1sec",
                                        "1d", "1us", "1h30min", "1M", "1.5s", "01s"};
    static const char *const bools[] = {"", "yes", "no", "on", "off", "1", "0", "True", "TRUE", "false ", "null", "~"};
    static const char *const words[] = {"",  "Error", "err",   "error warning", "errors",
                                        "2", "info ", " info", "debug debug"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        assert_not(&options[HUGE_COUNT], numbers[i], CONF_VALUE_MALFORMED);
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        assert_not(&size_option, sizes[i], CONF_VALUE_MALFORMED);
    for (size_t i = 0; i < COUNT_OF(times); i++)
        assert_not(&time_option, times[i], CONF_VALUE_MALFORMED);
    for (size_t i = 0; i < COUNT_OF(bools); i++)
        assert_not(&options[STRICT], bools[i], CONF_VALUE_MALFORMED);
    for (size_t i = 0; i < COUNT_OF(words); i++)
        assert_not(&options[LEVEL], words[i], CONF_VALUE_MALFORMED);
}

static void values_outside_the_bounds_are_refused(void **state)
{
    (void)state;
    assert_not(&options[CONNECTIONS], "0", CONF_VALUE_OUTSIDE);
    assert_not(&options[CONNECTIONS], "-1", CONF_VALUE_OUTSIDE);
    assert_not(&options[CONNECTIONS], "65536", CONF_VALUE_OUTSIDE);
    assert_not(&options[OFFSET], "-6", CONF_VALUE_OUTSIDE);
    assert_not(&options[OFFSET], "6", CONF_VALUE_OUTSIDE);
    assert_not(&options[IDLE], "99", CONF_VALUE_OUTSIDE);
    assert_not(&options[IDLE], "2h", CONF_VALUE_OUTSIDE);
    assert_not(&options[BODY], "1025K", CONF_VALUE_OUTSIDE);
    assert_not(&size_option, "-1", CONF_VALUE_OUTSIDE);
    assert_not(&size_option, "-1K", CONF_VALUE_OUTSIDE);
    /* Beyond int64: never cut down to the largest number, even where that one would be within the bounds. */
    assert_not(&options[HUGE_COUNT], "9223372036854775808", CONF_VALUE_OUTSIDE);
    assert_not(&options[HUGE_COUNT], "-9223372036854775809", CONF_VALUE_OUTSIDE);
    assert_not(&options[HUGE_COUNT], "100000000000000000000000000000000000000000", CONF_VALUE_OUTSIDE);
    assert_not(&size_option, "8589934592G", CONF_VALUE_OUTSIDE);
    assert_not(&time_option, "9223372036854775807h", CONF_VALUE_OUTSIDE);
    assert_not(&time_option, "99999999999999999999s", CONF_VALUE_OUTSIDE);
}

static void a_refusal_says_where_and_what(void **state)
{
    (void)state;
    assert_refused("limits:\n  connections: 0\n",
                   "line 2, column 16: limits.connections: \"0\" is not within 1 to 65535");
    assert_refused("limits:\n\n  idle: 2h\n", "line 3, column 9: limits.idle: \"2h\" is not within 100ms to 1h");
    assert_refused("limits:\n  body_max: 2M\n", "limits.body_max: \"2M\" is not within 0 to 1M");
    assert_refused("limits:\n  connections: many\n", "limits.connections: \"many\" is not a whole number");
    assert_refused("limits:\n  connections:\n", "limits.connections: \"\" is not a whole number");
    assert_refused("limits:\n  body_max: 1T\n", "\"1T\" is not a size");
    assert_refused("limits:\n  idle: soon\n", "\"soon\" is not a duration");
    assert_refused("confine:\n  strict: yes\n", "confine.strict: \"yes\" is not true or false");
    assert_refused("log:\n  level: all\n", "log.level: \"all\" is not one of these words: error warning info debug");
}

static void unknown_names_are_refused(void **state)
{
    (void)state;
    assert_refused("limits:\n  connections: 5\n  conections: 5\n",
                   "line 3, column 15: unknown option \"limits.conections\"");
    assert_refused("limits:\n  level: info\n", "unknown option \"limits.level\"");
    assert_refused("limits:\n  Connections: 5\n", "unknown option \"limits.Connections\"");
    assert_refused("limts:\n  connections: 5\n", "unknown option group \"limts\"");
    assert_refused("connections: 5\n", "line 1, column 14: unknown option group \"connections\"");
    assert_refused("limits.connections: 5\n", "unknown option group \"limits.connections\"");
}

static void wrong_shapes_are_refused(void **state)
{
    (void)state;
    assert_refused("limits: 5\n", "line 1, column 9: limits is a group");
    assert_refused("limits:\n", "limits is a group");
    assert_refused("limits: [connections]\n", "limits is a group");
    assert_refused("limits:\n  connections: [5]\n", "limits.connections must have one value");
    assert_refused("limits:\n  connections:\n    max: 5\n", "limits.connections must have one value");
}

static void what_yaml_refuses_is_refused(void **state)
{
    (void)state;
    assert_refused("limits:\n  connections: 5\n  connections: 6\n", "line 3");
    assert_refused("limits: {}\nlimits: {}\n", "line 2");
    assert_refused("limits:\n  connections: 5\n bad\n", "line ");
    assert_refused("limits: &a\n  connections: 5\n", "line 1");
    assert_refused("limits:\n  connections: !!int 5\n", "line 2");
    assert_refused("- limits\n", "line 1");
    assert_refused("--- {}\n--- {}\n", "line 2");
}

static void hostile_names_are_shown_safely(void **state)
{
    char text[600], why[CONF_WHY_BYTES];
    struct conf_values values;
    (void)state;
    assert_refused("\"a\\eb\": 1\n", "unknown option group \"(not printable)\"");
    assert_refused("limits:\n  \"\\u202e\": 1\n", "unknown option \"limits.(not printable)\"");
    assert_refused("limits:\n  connections: \"\\n\"\n", "\"(not printable)\" is not a whole number");
    assert_refused("gr\xc3\xb6\xc3\x9f"
                   "e: 1\n",
                   "unknown option group \"gr\xc3\xb6\xc3\x9f"
                   "e\"");
    /* Cut between code points, never inside one. */
    assert_refused(
        "limits:\n  connections: \"a\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
        "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3"
        "\xa4\"\n",
        "\"a\xc3\xa4\xc3\xa4");
    assert_refused(
        "limits:\n  connections: \"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
        "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3"
        "\xa4\"\n",
        "\xc3\xa4\" is not a whole number");
    snprintf(text, sizeof text, "limits:\n  connections: %0500d\n", 1);
    assert_int_equal(conf_parse(&schema, bytes_of_text(text), &values, why), CONF_BAD);
    assert_true(strlen(why) < CONF_WHY_BYTES);
    assert_non_null(strstr(why, "is not a whole number"));
}

static void a_long_reason_is_cut(void **state)
{
    static const char words[] =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb cccccccccccccccccccccccccccccc "
        "dddddddddddddddddddddddddddddd eeeeeeeeeeeeeeeeeeeeeeeeeeeeee ffffffffffffffffffffffffffffff "
        "gggggggggggggggggggggggggggggg hhhhhhhhhhhhhhhhhhhhhhhhhhhhhh iiiiiiiiiiiiiiiiiiiiiiiiiiiiii";
    static const struct conf_option row = {"a", "b", CONF_WORD, 0, 8, 0, words, CONF_LIVE, "A long choice."};
    const struct conf_schema one = {&row, 1};
    struct conf_values values;
    char why[CONF_WHY_BYTES];
    (void)state;
    assert_int_equal(conf_parse(&one, BYTES_LITERAL("a:\n  b: c\n"), &values, why), CONF_BAD);
    assert_int_equal(strlen(why), CONF_WHY_BYTES - 1);
    assert_int_equal(conf_parse(&one, BYTES_LITERAL("a:\n  b: iiiiiiiiiiiiiiiiiiiiiiiiiiiiii\n"), &values, why), 0);
    assert_int_equal(values.v[0], 8);
}

static void a_schema_may_be_empty(void **state)
{
    const struct conf_schema none = {NULL, 0};
    struct conf_values values;
    struct buf out;
    char why[CONF_WHY_BYTES];
    (void)state;
    buf_init(&out, 64);
    assert_int_equal(conf_parse(&none, BYTES_NONE, &values, why), 0);
    assert_int_equal(conf_parse(&none, BYTES_LITERAL("a: {}\n"), &values, why), CONF_BAD);
    assert_int_equal(conf_dump(&none, &values, &out), 0);
    assert_int_equal(conf_manual(&none, &out), 0);
    assert_int_equal(buf_size(&out), 0);
    assert_int_equal(conf_encode(&none, &values, &out), 0);
    assert_true(conf_decode(&none, buf_view(&out), &values));
    buf_fini(&out);
}

static int parse_connections(int64_t *ret_connections)
{
    struct conf_values values = {.v = {-1}};
    char why[CONF_WHY_BYTES];
    int r = conf_parse(&schema, BYTES_LITERAL("limits:\n  connections: 7\nlog:\n  level: error\n"), &values, why);
    *ret_connections = values.v[CONNECTIONS];
    return r;
}

static void parse_survives_allocation_failure(void **state)
{
    int64_t connections = 0;
    unsigned refused_count = 0;
    int r = 0;
    (void)state;
    EACH_ALLOC_FAILURE({
        r = parse_connections(&connections);
        refused_count += r == -ENOMEM && connections == -1;
        assert_true(r == 0 || r == -ENOMEM);
    });
    assert_true(refused_count > 3);
    assert_int_equal(r, 0);
    assert_int_equal(connections, 7);
}

/* ---- diff ------------------------------------------------------------------------------------------------ */

struct change {
    const struct conf_option *option;
    char from[CONF_VALUE_BYTES], to[CONF_VALUE_BYTES];
};

struct changes {
    struct change all[OPTIONS_COUNT];
    size_t count;
};

static void on_change(const struct conf_option *option, const char *from, const char *to, void *arg)
{
    struct changes *c = arg;
    struct change *change = &c->all[c->count++];
    change->option = option;
    snprintf(change->from, sizeof change->from, "%s", from);
    snprintf(change->to, sizeof change->to, "%s", to);
}

static void diff_names_each_change(void **state)
{
    struct conf_values a, b;
    struct changes c = {.count = 0};
    (void)state;
    conf_defaults(&schema, &a);
    b = a;
    assert_int_equal(conf_diff(&schema, &a, &b, on_change, &c), 0);
    assert_int_equal(c.count, 0);

    b.v[CONNECTIONS] = 9;
    assert_int_equal(conf_diff(&schema, &a, &b, on_change, &c), 0);
    assert_int_equal(c.count, 1);
    assert_ptr_equal(c.all[0].option, &options[CONNECTIONS]);
    assert_string_equal(c.all[0].from, "512");
    assert_string_equal(c.all[0].to, "9");

    b.v[STRICT] = 0;
    b.v[OFFSET] = 2;
    c.count = 0;
    assert_int_equal(conf_diff(&schema, &a, &b, on_change, &c), 2);
    assert_int_equal(c.count, 3);
    assert_ptr_equal(c.all[1].option, &options[STRICT]);
    assert_string_equal(c.all[1].from, "true");
    assert_string_equal(c.all[1].to, "false");
    assert_ptr_equal(c.all[2].option, &options[OFFSET]);

    a = b;
    b.v[BODY] = 1 << 20;
    b.v[LEVEL] = 0;
    b.v[IDLE] = 60000;
    c.count = 0;
    assert_int_equal(conf_diff(&schema, &a, &b, on_change, &c), 0);
    assert_int_equal(c.count, 3);
    assert_string_equal(c.all[0].from, "64K");
    assert_string_equal(c.all[0].to, "1M");
    assert_string_equal(c.all[1].from, "30s");
    assert_string_equal(c.all[1].to, "1min");
    assert_string_equal(c.all[2].from, "info");
    assert_string_equal(c.all[2].to, "error");
}

/* ---- dump and manual ------------------------------------------------------------------------------------- */

static void assert_text(struct buf *out, const char *wanted)
{
    struct bytes got = buf_view(out);
    if (!bytes_equal(got, bytes_of_text(wanted)))
        fail_msg("got:\n%.*s", BYTES_PRINT(got));
}

static void dump_is_a_commented_configuration(void **state)
{
    struct conf_values values;
    struct buf out;
    (void)state;
    buf_init(&out, 4096);
    conf_defaults(&schema, &values);
    values.v[CONNECTIONS] = 100;
    assert_int_equal(conf_dump(&schema, &values, &out), 0);
    assert_text(&out, "limits:\n"
                      "  # Clients at once.\n"
                      "  # (from 1 to 65535; default 512; takes effect on reload)\n"
                      "  connections: 100\n"
                      "  # Largest body of a request.\n"
                      "  # (from 0 to 1M; default 64K; takes effect on reload)\n"
                      "  body_max: 64K\n"
                      "  # Close a silent client after this.\n"
                      "  # (from 100ms to 1h; default 30s; takes effect on reload)\n"
                      "  idle: 30s\n"
                      "\nlog:\n"
                      "  # Least important line.\n"
                      "  # (one of error, warning, info, debug; default info; takes effect on reload)\n"
                      "  level: info\n"
                      "  # .It's \\ escaped in the manual.\n"
                      "  # (from -5 to 5; default 0; takes effect on restart)\n"
                      "  offset: 0\n"
                      "  # Any number.\n"
                      "  # (from -9223372036854775808 to 9223372036854775807; default -1; takes effect on reload)\n"
                      "  huge: -1\n"
                      "\nconfine:\n"
                      "  # Stop when the kernel cannot confine.\n"
                      "  # (true or false; default true; takes effect on restart)\n"
                      "  strict: true\n");
    buf_fini(&out);
}

static uint64_t draw(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Within the bounds; the bounds themselves, and round multiples of units, often. */
static int64_t draw_value(uint64_t *seed, const struct conf_option *option)
{
    uint64_t span = (uint64_t)option->max - (uint64_t)option->min;
    uint64_t offset = span == UINT64_MAX ? draw(seed) : draw(seed) % (span + 1);
    if (draw(seed) % 4 == 0)
        return draw(seed) % 2 == 0 ? option->min : option->max;
    int64_t value = (int64_t)((uint64_t)option->min + offset);
    int64_t round = draw(seed) % 2 == 0 ? value - value % 1000 : value - value % 1024;
    return draw(seed) % 2 == 0 && round >= option->min && round <= option->max ? round : value;
}

static void dump_reads_back_and_encoding_decodes(void **state)
{
    uint64_t seed = 0xc0f;
    (void)state;
    for (unsigned n = 0; n < 3000; n++) {
        struct conf_values values = {.v = {0}}, again, decoded;
        struct buf text, binary;
        char why[CONF_WHY_BYTES];
        buf_init(&text, 4096);
        buf_init(&binary, 4096);
        for (size_t i = 0; i < OPTIONS_COUNT; i++)
            values.v[i] = draw_value(&seed, &options[i]);
        assert_int_equal(conf_dump(&schema, &values, &text), 0);
        if (conf_parse(&schema, buf_view(&text), &again, why) != 0)
            fail_msg("refused its own dump: %s\n%.*s", why, BYTES_PRINT(buf_view(&text)));
        assert_values(&values, &again);
        assert_int_equal(conf_encode(&schema, &values, &binary), 0);
        assert_true(conf_decode(&schema, buf_view(&binary), &decoded));
        assert_values(&values, &decoded);
        buf_fini(&text);
        buf_fini(&binary);
    }
}

static void manual_is_a_list_in_mdoc(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 8192);
    assert_int_equal(conf_manual(&(struct conf_schema){&options[CONNECTIONS], 1}, &out), 0);
    assert_text(&out, ".It Cm limits.connections\nClients at once.\nA number from 1 to 65535.\nThe default is\n"
                      ".Cm 512 ;\na change takes effect on reload.\n");
    buf_clear(&out);
    assert_int_equal(conf_manual(&(struct conf_schema){&options[OFFSET], 1}, &out), 0);
    assert_text(&out, ".It Cm log.offset\n\\&.It's \\e escaped in the manual.\nA number from -5 to 5.\nThe default is\n"
                      ".Cm 0 ;\na change takes effect on restart.\n");
    buf_clear(&out);
    assert_int_equal(conf_manual(&(struct conf_schema){&options[LEVEL], 1}, &out), 0);
    assert_text(&out, ".It Cm log.level\nLeast important line.\nA word: one of error, warning, info, debug.\n"
                      "The default is\n.Cm info ;\na change takes effect on reload.\n");
    buf_clear(&out);
    assert_int_equal(conf_manual(&schema, &out), 0);
    const struct bytes all = buf_view(&out);
    for (size_t i = 0; i < OPTIONS_COUNT; i++) {
        char item[64];
        snprintf(item, sizeof item, ".It Cm %s.%s\n", options[i].group, options[i].name);
        assert_non_null(memmem(all.p, all.n, item, strlen(item)));
    }
    assert_non_null(memmem(all.p, all.n, "A size from 0 to 1M.\n", 21));
    assert_non_null(memmem(all.p, all.n, "A duration from 100ms to 1h.\n", 29));
    assert_non_null(memmem(all.p, all.n, "A word: true or false.\n", 23));
    buf_fini(&out);
}

/* Too little room anywhere is a fault, never a shorter text with result 0. */
static void printing_passes_faults_up(void **state)
{
    struct conf_values values;
    struct buf whole[3];
    (void)state;
    conf_defaults(&schema, &values);
    for (size_t i = 0; i < COUNT_OF(whole); i++)
        buf_init(&whole[i], 8192);
    assert_int_equal(conf_dump(&schema, &values, &whole[0]), 0);
    assert_int_equal(conf_manual(&schema, &whole[1]), 0);
    assert_int_equal(conf_encode(&schema, &values, &whole[2]), 0);
    for (size_t i = 0; i < COUNT_OF(whole); i++) {
        for (size_t room = 1; room <= buf_size(&whole[i]); room++) {
            struct buf out;
            buf_init(&out, room);
            int r = i == 0   ? conf_dump(&schema, &values, &out)
                    : i == 1 ? conf_manual(&schema, &out)
                             : conf_encode(&schema, &values, &out);
            assert_int_equal(r, room < buf_size(&whole[i]) ? FAULT_LIMIT : 0);
            buf_fini(&out);
        }
        buf_fini(&whole[i]);
    }
}

/* ---- role messages --------------------------------------------------------------------------------------- */

static void decode_trusts_nothing(void **state)
{
    struct conf_values values, got, before;
    struct buf out;
    uint8_t bytes[128];
    (void)state;
    conf_defaults(&schema, &values);
    memset(&got, 0x5a, sizeof got);
    before = got;
    buf_init(&out, 256);
    assert_int_equal(conf_encode(&schema, &values, &out), 0);
    size_t n = buf_size(&out);
    assert_int_equal(n, 4 + 8 * OPTIONS_COUNT);
    memcpy(bytes, buf_view(&out).p, n);
    bytes[n] = 0;
    for (size_t cut = 0; cut < n; cut++)
        assert_false(conf_decode(&schema, bytes_of(bytes, cut), &got));
    assert_false(conf_decode(&schema, bytes_of(bytes, n + 1), &got));
    assert_false(conf_decode(&(struct conf_schema){options, OPTIONS_COUNT - 1}, bytes_of(bytes, n), &got));
    assert_false(conf_decode(&(struct conf_schema){options, OPTIONS_COUNT - 1}, bytes_of(bytes, n - 8), &got));
    for (size_t i = 0; i < OPTIONS_COUNT; i++) {
        uint8_t *low = bytes + 4 + 8 * i; /* little-endian: its last byte holds the sign */
        uint8_t kept = low[7];
        low[7] = 0x7f;
        assert_int_equal(conf_decode(&schema, bytes_of(bytes, n), &before), i == HUGE_COUNT);
        low[7] = kept;
    }
    bytes[4 + 8 * CONNECTIONS] = 0;
    bytes[4 + 8 * CONNECTIONS + 1] = 0; /* 512 becomes 0, below the least */
    assert_false(conf_decode(&schema, bytes_of(bytes, n), &got));
    for (size_t i = 0; i < sizeof got; i++)
        assert_int_equal(((const uint8_t *)&got)[i], 0x5a);
    assert_true(conf_decode(&schema, buf_view(&out), &got));
    assert_values(&got, &values);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_come_from_the_rows),
        cmocka_unit_test(absent_options_get_their_default),
        cmocka_unit_test(reads_every_kind),
        cmocka_unit_test(units_multiply),
        cmocka_unit_test(malformed_values_are_refused),
        cmocka_unit_test(values_outside_the_bounds_are_refused),
        cmocka_unit_test(a_refusal_says_where_and_what),
        cmocka_unit_test(unknown_names_are_refused),
        cmocka_unit_test(wrong_shapes_are_refused),
        cmocka_unit_test(what_yaml_refuses_is_refused),
        cmocka_unit_test(hostile_names_are_shown_safely),
        cmocka_unit_test(a_long_reason_is_cut),
        cmocka_unit_test(a_schema_may_be_empty),
        cmocka_unit_test(parse_survives_allocation_failure),
        cmocka_unit_test(diff_names_each_change),
        cmocka_unit_test(dump_is_a_commented_configuration),
        cmocka_unit_test(dump_reads_back_and_encoding_decodes),
        cmocka_unit_test(manual_is_a_list_in_mdoc),
        cmocka_unit_test(printing_passes_faults_up),
        cmocka_unit_test(decode_trusts_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
