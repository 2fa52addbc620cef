/*
 * json - see json.h. A struct json is a json_t: the cast stands in this file and nowhere else. Jansson recurses and
 * allocates as the text says, so depth and count are measured before it sees the text, by a scan that does neither.
 */
#include "wire/json.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/num.h"
#include "wire/doc.h"

/* Before each block of Jansson's: its size, so that free can wipe it. As wide as malloc() aligns. */
enum { BLOCK_HEAD_BYTES = 16 };

/* Of a double: every text of so few digits comes back, and so many tell any two apart. */
enum { REAL_DIGITS_MIN_COUNT = 15, REAL_DIGITS_MAX_COUNT = 17, REAL_TEXT_BYTES = 64 };
static_assert(BLOCK_HEAD_BYTES >= sizeof(size_t) && BLOCK_HEAD_BYTES % _Alignof(max_align_t) == 0,
              "blocks stay aligned");

/* Jansson does not always say that memory was what it lacked. */
static bool has_lacked_memory;

static void *block_new(size_t n)
{
    uint8_t *p = n > SIZE_MAX - BLOCK_HEAD_BYTES ? NULL : malloc(BLOCK_HEAD_BYTES + n);
    if (p == NULL) {
        has_lacked_memory = true;
        return NULL;
    }
    memcpy(p, &n, sizeof n);
    return p + BLOCK_HEAD_BYTES;
}

static void block_free(void *block)
{
    size_t n;
    if (block == NULL)
        return;
    uint8_t *p = (uint8_t *)block - BLOCK_HEAD_BYTES;
    memcpy(&n, p, sizeof n);
    explicit_bzero(p, BLOCK_HEAD_BYTES + n);
    free(p);
}

void json_start(void)
{
    json_set_alloc_funcs(block_new, block_free);
    /* Else Jansson opens /dev/urandom at the first map, which a confined role may not. Zero would mean "do so". */
    json_object_seed((size_t)hash_process_key()->k0 | 1);
}

static const json_t *node(const struct json *j)
{
    return (const json_t *)j;
}

static json_t *owned_node(struct json *j)
{
    return (json_t *)j;
}

/* Where a text is, in the words of an editor: lines and columns from 1, columns in bytes. */
static void say(char *why, size_t why_bytes, struct bytes before, const char *what)
{
    size_t line = 1, column = 1;
    assert(why_bytes > 0);
    for (size_t i = 0; i < before.n; i++) {
        bool ends_line = before.p[i] == '\n';
        line += ends_line;
        column = ends_line ? 1 : column + 1;
    }
    snprintf(why, why_bytes, "line %zu, column %zu: %s", line, column, what);
}

/* Offset behind the string that begins at `at`, or the end if it does not end. */
static size_t string_end(struct bytes t, size_t at)
{
    assert(t.p[at] == '"');
    for (at++; at < t.n; at++) {
        if (t.p[at] == '"')
            return at + 1;
        at += t.p[at] == '\\';
    }
    return t.n;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct scan {
    const struct json_limits *limits;
    size_t depth, count;
    bool has_opened; /* the byte before, blanks left out, opened a container */
};

/* One byte outside of strings. In a JSON text a value stands at the top, after a comma, and first in a container. */
static const char *scan_byte(struct scan *s, uint8_t c)
{
    bool opens = c == '[' || c == '{', closes = c == ']' || c == '}';
    if (is_blank(c))
        return NULL;
    s->count += (s->has_opened && !closes) || c == ',';
    s->has_opened = opens;
    if (opens && ++s->depth > s->limits->depth_count)
        return "there are too many levels";
    if (closes && s->depth > 0)
        s->depth--;
    return s->count > s->limits->values_count ? "there are too many values" : NULL;
}

static int check_size(struct bytes text, const struct json_limits *limits, char *why, size_t why_bytes)
{
    struct scan s = {.limits = limits, .count = 1};
    if (text.n > limits->text_bytes) {
        say(why, why_bytes, BYTES_NONE, "the text is too long");
        return JSON_BAD;
    }
    /* Jansson 2.14 drops a NUL behind a number or a word as if it were not there. */
    size_t nul = bytes_find(text, 0);
    if (nul < text.n) {
        say(why, why_bytes, bytes_head(text, nul), "the text holds a NUL");
        return JSON_BAD;
    }
    for (size_t at = 0; at < text.n;) {
        const char *what = scan_byte(&s, text.p[at]);
        if (what != NULL) {
            say(why, why_bytes, bytes_head(text, at), what);
            return JSON_BAD;
        }
        at = text.p[at] == '"' ? string_end(text, at) : at + 1;
    }
    return 0;
}

/* Our own words for each kind of error: Jansson's may quote the text. */
static const char *words_of(enum json_error_code code)
{
    static const char *const words[] = {
        [json_error_invalid_utf8] = "the text is not UTF-8",
        [json_error_premature_end_of_input] = "the text ends too early",
        [json_error_end_of_input_expected] = "something follows the value",
        [json_error_null_character] = "a string holds a NUL",
        [json_error_null_byte_in_key] = "a key holds a NUL",
        [json_error_duplicate_key] = "a key stands twice in one map",
        [json_error_numeric_overflow] = "a number is out of range",
    };
    return code < COUNT_OF(words) && words[code] != NULL ? words[code] : "this is not JSON";
}

static int parse(struct bytes text, json_t **ret_json, char *why, size_t why_bytes)
{
    json_error_t error = {0};
    has_lacked_memory = false;
    json_t *j = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (j != NULL) {
        *ret_json = j;
        return 0;
    }
    enum json_error_code code = json_error_code(&error);
    bool is_silent = code == json_error_unknown && error.text[0] == '\0';
    if (has_lacked_memory || is_silent || code == json_error_out_of_memory)
        return RAISE(-ENOMEM);
    size_t at = error.position > 0 ? (size_t)error.position : 0;
    say(why, why_bytes, bytes_head(text, at), words_of(code));
    return JSON_BAD;
}

int json_parse_within(struct bytes text, const struct json_limits *limits, struct json **ret_json, char *why,
                      size_t why_bytes)
{
    json_t *j;
    assert(limits->depth_count > 0 && limits->values_count > 0);
    int r = check_size(text, limits, why, why_bytes);
    if (r == 0 && text.n == 0) {
        say(why, why_bytes, text, words_of(json_error_premature_end_of_input));
        r = JSON_BAD;
    }
    if (r == 0)
        r = parse(text, &j, why, why_bytes);
    if (r == 0)
        *ret_json = (struct json *)j;
    return r;
}

int json_parse(struct bytes text, struct json **ret_json, char *why, size_t why_bytes)
{
    static const struct json_limits limits = {JSON_DEPTH_MAX_COUNT, JSON_VALUES_MAX_COUNT, JSON_TEXT_MAX_BYTES};
    return json_parse_within(text, &limits, ret_json, why, why_bytes);
}

int json_check(struct bytes text, char *why, size_t why_bytes)
{
    struct json *j = NULL;
    int r = json_parse(text, &j, why, why_bytes);
    json_free(j);
    return r;
}

struct json *json_free(struct json *j)
{
    json_decref(owned_node(j));
    return NULL;
}

enum json_kind json_kind(const struct json *j)
{
    if (j == NULL)
        return JSON_KIND_NULL;
    switch (json_typeof(node(j))) {
    case JSON_OBJECT:
        return JSON_KIND_MAP;
    case JSON_ARRAY:
        return JSON_KIND_LIST;
    case JSON_STRING:
        return JSON_KIND_TEXT;
    case JSON_INTEGER:
        return JSON_KIND_INT;
    case JSON_REAL:
        return JSON_KIND_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return JSON_KIND_BOOL;
    case JSON_NULL:
    default:
        return JSON_KIND_NULL;
    }
}

size_t json_count(const struct json *j)
{
    /* Each of the two gives 0 for the other's kind. */
    return json_array_size(node(j)) + json_object_size(node(j));
}

const struct json *json_at(const struct json *list, size_t i)
{
    return (const struct json *)json_array_get(node(list), i);
}

const struct json *json_get(const struct json *map, const char *key)
{
    return (const struct json *)json_object_get(node(map), key);
}

struct bytes json_text(const struct json *j)
{
    return bytes_of(json_string_value(node(j)), json_string_length(node(j)));
}

int64_t json_int(const struct json *j)
{
    return json_integer_value(node(j));
}

double json_float(const struct json *j)
{
    double d = json_real_value(node(j));
    assert(isfinite(d));
    return d;
}

bool json_bool(const struct json *j)
{
    return json_is_true(node(j));
}

int json_each(const struct json *map, int (*on_pair)(struct bytes key, const struct json *value, void *arg), void *arg)
{
    /* Jansson's iterators want a json_t they may change; they do not. */
    json_t *object = (json_t *)(uintptr_t)node(map);
    for (void *it = json_object_iter(object); it != NULL; it = json_object_iter_next(object, it)) {
        struct bytes key = bytes_of(json_object_iter_key(it), json_object_iter_key_len(it));
        int r = on_pair(key, (const struct json *)json_object_iter_value(it), arg);
        if (r != 0)
            return r;
    }
    return 0;
}

/* The shortest text that stands for the same number: Jansson alone would make 0.10000000000000001 of 0.1. */
static int print_real(struct buf *out, const json_t *real)
{
    char text[REAL_TEXT_BYTES];
    size_t n = 0;
    double d = json_real_value(real), again;
    for (size_t digits = REAL_DIGITS_MIN_COUNT; digits <= REAL_DIGITS_MAX_COUNT; digits++) {
        n = json_dumpb(real, text, sizeof text, JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));
        if (n == 0 || n > sizeof text)
            return RAISE(-ENOMEM); /* the only thing that it can lack */
        if (num_parse_f64(bytes_of(text, n), &again) && !(again < d) && !(again > d))
            break;
    }
    return buf_append(out, bytes_of(text, n));
}

static int print_value(struct buf *out, const json_t *j);

static int print_list(struct buf *out, const json_t *list)
{
    TRY(buf_append_text(out, "["));
    for (size_t i = 0; i < json_array_size(list); i++) {
        TRY(buf_append_text(out, i > 0 ? "," : ""));
        TRY(print_value(out, json_array_get(list, i)));
    }
    return buf_append_text(out, "]");
}

struct printer {
    struct buf *out;
    const char *before;
};

static int print_pair(struct bytes key, const struct json *value, void *arg)
{
    struct printer *p = arg;
    TRY(buf_append_text(p->out, p->before));
    TRY(doc_json_string(p->out, key));
    TRY(buf_append_text(p->out, ":"));
    p->before = ",";
    return print_value(p->out, node(value));
}

/* Recurses as deep as the text was that was accepted. */
static int print_value(struct buf *out, const json_t *j)
{
    struct printer p = {out, "{"};
    switch (json_typeof(j)) {
    case JSON_OBJECT:
        TRY(json_each((const struct json *)j, print_pair, &p));
        return buf_append_text(out, *p.before == '{' ? "{}" : "}");
    case JSON_ARRAY:
        return print_list(out, j);
    case JSON_STRING:
        return doc_json_string(out, json_text((const struct json *)j));
    case JSON_INTEGER:
        return buf_append_i64(out, json_integer_value(j));
    case JSON_REAL:
        return print_real(out, j);
    case JSON_TRUE:
    case JSON_FALSE:
        return buf_append_text(out, json_is_true(j) ? "true" : "false");
    case JSON_NULL:
    default:
        return buf_append_text(out, "null");
    }
}

int json_print(struct buf *out, const struct json *j)
{
    size_t held = buf_size(out);
    assert(j != NULL);
    int r = print_value(out, node(j));
    if (r != 0)
        buf_truncate(out, held);
    return r;
}
