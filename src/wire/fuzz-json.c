/* Fuzz target of json: print(parse(t)) parses again and prints the same; a refusal says where and quotes nothing. */
#include <string.h>

#include "wire/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct tally {
    size_t values, depth, depth_max;
};

static void walk(const struct json *j, struct tally *t);

static int on_pair(struct bytes key, const struct json *value, void *arg)
{
    assert(bytes_find(key, 0) == key.n);
    walk(value, arg);
    return 0;
}

static void walk(const struct json *j, struct tally *t)
{
    t->values++;
    if (json_kind(j) != JSON_KIND_LIST && json_kind(j) != JSON_KIND_MAP)
        return;
    t->depth++;
    t->depth_max = MAX_OF(t->depth_max, t->depth);
    for (size_t i = 0; json_at(j, i) != NULL; i++)
        walk(json_at(j, i), t);
    int r = json_each(j, on_pair, t);
    assert(r == 0);
    t->depth--;
}

/* Letters, digits and a few marks of our own words: nothing that a text could have brought in. */
static void check_why(const char *why, size_t size)
{
    assert(memchr(why, '\0', size) != NULL);
    assert(strncmp(why, "line ", 5) == 0);
    for (const char *p = why; *p != '\0'; p++)
        assert(*p >= ' ' && *p < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool has_started;
    struct bytes in = bytes_of(data, size);
    struct json *j = NULL, *again = NULL;
    struct tally t = {0};
    struct buf first, second;
    char why[120] = "";
    if (!has_started)
        json_start();
    has_started = true;
    int r = json_parse(in, &j, why, sizeof why);
    assert(r == 0 || r == JSON_BAD);
    assert(json_check(in, why, sizeof why) == r);
    if (r == JSON_BAD) {
        assert(j == NULL);
        check_why(why, sizeof why);
        return 0;
    }
    walk(j, &t);
    assert(t.values <= JSON_VALUES_MAX_COUNT && t.depth_max <= JSON_DEPTH_MAX_COUNT);
    buf_init(&first, 8 * JSON_TEXT_MAX_BYTES);
    buf_init(&second, 8 * JSON_TEXT_MAX_BYTES);
    r = json_print(&first, j);
    assert(r == 0);
    if (buf_size(&first) <= JSON_TEXT_MAX_BYTES) { /* "1e9" grows when it is printed */
        r = json_parse(buf_view(&first), &again, why, sizeof why);
        assert(r == 0);
        r = json_print(&second, again);
        assert(r == 0);
        assert(bytes_equal(buf_view(&first), buf_view(&second)));
    }
    json_free(j);
    json_free(again);
    buf_fini(&first);
    buf_fini(&second);
    return 0;
}
