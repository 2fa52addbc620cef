/*
 * fuzz-conf - any text as a configuration.
 *
 * Checks: values that are accepted lie within the bounds, texts have allowed characters only, and both a dump and the
 * form for role messages give the same values back; each difference to the defaults is named; a text that is refused
 * has a reason that is one printable line. Any bytes as a role message: what is accepted lies within the bounds and
 * encodes to the same bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "conf/conf-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(truth)                                                                                                   \
    do {                                                                                                               \
        if (!(truth))                                                                                                  \
            abort();                                                                                                   \
    } while (0)

static const struct conf_option options[] = {
    {"limits", "connections", CONF_COUNT, 1, 65535, 512, NULL, CONF_LIVE, "Clients at once."},
    {"limits", "body_max", CONF_BYTES, 0, INT64_MAX, 65536, NULL, CONF_LIVE, "Largest body of a request."},
    {"log", "level", CONF_WORD, 0, 3, 2, "error warning info debug", CONF_LIVE, "Least important line."},
    {"limits", "idle", CONF_MS, 100, INT64_MAX, 30000, NULL, CONF_LIVE, "Close a silent client after this."},
    {"log", "strict", CONF_BOOL, 0, 1, 1, NULL, CONF_RESTART, "Stop when the kernel cannot confine."},
    {"log", "offset", CONF_COUNT, INT64_MIN, INT64_MAX, 0, NULL, CONF_RESTART, "Any number."},
    {"log", "server", CONF_TEXT, 0, 100, 0, NULL, CONF_RESTART, "A text."},
    {"limits", "name", CONF_TEXT, 0, 255, 0, " \"'\\:#&*!|>%@`{}[],-?~09ntx", CONF_LIVE, "A text of what YAML minds."},
};
static const struct conf_schema schema = {options, COUNT_OF(options)};

static void check_same(const struct conf_values *a, const struct conf_values *b)
{
    for (size_t i = 0; i < schema.count; i++) {
        CHECK(conf_is_within(&options[i], a->v[i]));
        CHECK(a->v[i] == b->v[i]);
        if (options[i].kind == CONF_TEXT) {
            struct bytes text = bytes_of_text(conf_text(&schema, a, i));
            CHECK((int64_t)text.n == a->v[i] && conf_text_is_good(&options[i], text));
        }
    }
    CHECK(memcmp(a->texts, b->texts, sizeof a->texts) == 0);
}

/* The difference to the defaults: what is said of a value is what a dump says, and printable. */
static void check_change(const struct conf_option *option, const char *from, const char *to, void *arg)
{
    unsigned *count = arg;
    CHECK(option >= options && option < options + COUNT_OF(options));
    CHECK(text_is_printable(bytes_of_text(from)) && text_is_printable(bytes_of_text(to)));
    CHECK(strcmp(from, to) != 0);
    ++*count;
}

static void check_difference(const struct conf_values *values)
{
    static struct conf_values normal; /* not on the stack: the callers have two of them there */
    unsigned count = 0;
    conf_defaults(&schema, &normal);
    CHECK(conf_diff(&schema, &normal, values, check_change, &count) <= count);
    CHECK((count == 0) == (memcmp(&normal, values, sizeof normal) == 0));
    CHECK(conf_diff(&schema, values, values, check_change, &count) == 0);
}

static void check_accepted(const struct conf_values *values)
{
    struct conf_values again;
    char why[CONF_WHY_BYTES];
    SCOPED(buf_fini) struct buf dump, binary;
    buf_init(&dump, 8192);
    buf_init(&binary, 1024);
    CHECK(conf_dump(&schema, values, &dump) == 0);
    CHECK(conf_parse(&schema, buf_view(&dump), &again, why) == 0);
    check_same(values, &again);
    CHECK(conf_encode(&schema, values, &binary) == 0);
    CHECK(conf_decode(&schema, buf_view(&binary), &again));
    check_same(values, &again);
    check_difference(values);
}

static void check_text(struct bytes text)
{
    struct conf_values values;
    char why[CONF_WHY_BYTES];
    int r = conf_parse(&schema, text, &values, why);
    CHECK(r == 0 || r == CONF_BAD);
    if (r == 0) {
        check_accepted(&values);
    } else {
        CHECK(strlen(why) < sizeof why && strncmp(why, "line ", 5) == 0);
        CHECK(text_is_printable(bytes_of_text(why)));
    }
}

static void check_binary(struct bytes in)
{
    struct conf_values values;
    SCOPED(buf_fini) struct buf out;
    buf_init(&out, 1024);
    if (!conf_decode(&schema, in, &values))
        return;
    check_same(&values, &values);
    CHECK(conf_encode(&schema, &values, &out) == 0);
    CHECK(bytes_equal(buf_view(&out), in));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_text(bytes_of(data, size));
    check_binary(bytes_of(data, size));
    return 0;
}
