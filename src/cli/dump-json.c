/*
 * dump-json - the JSON format of dump.h, and the entries of the daemon's listings, which look the same.
 *
 * A text is first read whole by the strict parser. What the value of an entry is to the byte, the parser does not keep:
 * "1.50" would come out as 1.5. So the text of a value is found again in the text that was accepted.
 */
#include <stdio.h>
#include <string.h>

#include "base/code.h"
#include "base/num.h"
#include "cli/dump.h"
#include "lib/secreg-internal.h"
#include "model/value.h"
#include "wire/doc.h"
#include "wire/json.h"

/* Of a document: the map, its list, an entry, and what a value of type json may hold. */
enum { TEXT_DEPTH_MAX_COUNT = JSON_DEPTH_MAX_COUNT + 4, TEXT_VALUES_MAX_COUNT = 1 << 20 };

/* ---- writing ------------------------------------------------------------------------------------------------------
 */

static int put_text(struct buf *out, const char *before, struct bytes text)
{
    TRY(buf_append_text(out, before));
    return doc_json_string(out, text);
}

int dump_json_value(struct buf *out, const struct dump_entry *e)
{
    assert(e->has_value);
    if (e->type == VALUE_STRING || e->type == 0)
        return doc_json_string(out, e->value);
    if (e->type != VALUE_BINARY)
        return buf_append(out, e->value);
    TRY(buf_append_text(out, "\""));
    TRY(code_base64(out, e->value));
    return buf_append_text(out, "\"");
}

static int put_tags(struct buf *out, struct bytes tags)
{
    struct bytes tag;
    const char *before = ",\"tags\":[";
    if (tags.n == 0)
        return 0;
    while (dump_each_tag(&tags, &tag)) {
        TRY(put_text(out, before, tag));
        before = ",";
    }
    return buf_append_text(out, "]");
}

static int put_entry(struct buf *out, const struct dump_entry *e)
{
    assert(e->type != 0);
    TRY(put_text(out, "{\"path\":", e->path));
    TRY(put_text(out, ",\"type\":", bytes_of_text(value_type_text(e->type))));
    TRY(buf_append_text(out, e->has_value ? ",\"value\":" : ""));
    if (e->has_value)
        TRY(dump_json_value(out, e));
    TRY(buf_append_text(out, e->is_sealed ? ",\"sealed\":true" : ""));
    if (e->comment.n > 0)
        TRY(put_text(out, ",\"comment\":", e->comment));
    TRY(put_tags(out, e->tags));
    if (e->expires[0] != '\0')
        TRY(put_text(out, ",\"expires\":", bytes_of_text(e->expires)));
    return buf_append_text(out, "}");
}

static int put_head(struct buf *out, const struct dump *d)
{
    TRY(buf_print(out, "{\"format\":\"" DUMP_FORMAT "\",\"version\":%d", DUMP_VERSION));
    if (d->base[0] != '\0')
        TRY(put_text(out, ",\"base\":", bytes_of_text(d->base)));
    if (d->revision > 0)
        TRY(buf_print(out, ",\"revision\":%llu", (unsigned long long)d->revision));
    if (d->time[0] != '\0')
        TRY(put_text(out, ",\"time\":", bytes_of_text(d->time)));
    return buf_append_text(out, ",\"entries\":[");
}

/* An entry a line, so that programs which compare lines are of use. */
int dump_json_print(struct buf *out, const struct dump *d, char why[static DUMP_WHY_BYTES])
{
    (void)why;
    TRY(put_head(out, d));
    for (size_t i = 0; i < d->count; i++) {
        TRY(buf_append_text(out, i > 0 ? ",\n" : "\n"));
        TRY(put_entry(out, &d->entries[i]));
    }
    return buf_append_text(out, d->count > 0 ? "\n]}\n" : "]}\n");
}

/* ---- reading an entry ---------------------------------------------------------------------------------------------
 */

struct reader {
    struct dump *d;
    struct dump_entry e;
    struct buf tags, value;
    bool is_listing; /* what the daemon lists has more members, and whole paths */
    char *why;
};

static int refuse(struct reader *r, const char *what)
{
    snprintf(r->why, DUMP_WHY_BYTES, "entry %zu: %.900s", r->d->count + 1, what);
    return DUMP_BAD;
}

static int check_name(struct bytes name, const struct json *value, void *arg)
{
    static const char *const known[] = {"path", "type", "value", "sealed", "comment", "tags", "expires"};
    struct reader *r = arg;
    (void)value;
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (bytes_equal(name, bytes_of_text(known[i])))
            return 0;
    }
    return refuse(r, "it has a member that is not known");
}

static int read_tags(struct reader *r, const struct json *tags)
{
    if (tags == NULL || (r->is_listing && json_kind(tags) == JSON_KIND_NULL))
        return 0;
    if (json_kind(tags) != JSON_KIND_LIST)
        return refuse(r, "\"tags\" is a list of texts");
    for (size_t i = 0; i < json_count(tags); i++) {
        int x = dump_add_tag(&r->tags, json_text(json_at(tags, i)));
        if (x != 0)
            return x < 0 ? x : refuse(r, DUMP_TAG_WHY);
    }
    r->e.tags = buf_view(&r->tags);
    return 0;
}

static bool is_text_or_absent(const struct json *j)
{
    return j == NULL || json_kind(j) == JSON_KIND_TEXT;
}

static int read_notes(struct reader *r, const struct json *entry)
{
    const struct json *sealed = json_get(entry, "sealed"), *comment = json_get(entry, "comment");
    const struct json *expires = json_get(entry, "expires");
    if (sealed != NULL && json_kind(sealed) != JSON_KIND_BOOL)
        return refuse(r, "\"sealed\" is true or false");
    r->e.is_sealed = json_bool(sealed);
    if (!is_text_or_absent(comment))
        return refuse(r, "\"comment\" is a text");
    r->e.comment = json_text(comment);
    bool has_end = expires != NULL && (!r->is_listing || json_kind(expires) != JSON_KIND_NULL);
    if (has_end && !dump_read_time(json_text(expires), r->e.expires))
        return refuse(r, "\"expires\" is a time such as 2026-01-31T12:00:00Z");
    return read_tags(r, json_get(entry, "tags"));
}

/* The type that a value without one has. */
static unsigned type_of(const struct json *value)
{
    switch (json_kind(value)) {
    case JSON_KIND_TEXT:
        return VALUE_STRING;
    case JSON_KIND_BOOL:
        return VALUE_BOOLEAN;
    case JSON_KIND_INT:
        return VALUE_INTEGER;
    case JSON_KIND_REAL:
        return VALUE_FLOAT;
    case JSON_KIND_LIST:
        return VALUE_LIST;
    case JSON_KIND_MAP:
        return VALUE_JSON;
    case JSON_KIND_NULL:
    default:
        return 0;
    }
}

static int read_type(struct reader *r, const struct json *type, const struct json *value)
{
    r->e.type = type != NULL ? value_type_of(json_text(type)) : type_of(value);
    if (r->e.type != 0)
        return 0;
    return refuse(r, type != NULL ? "there is no such type" : "its value needs a type");
}

static bool is_kind_of_type(unsigned type, enum json_kind kind)
{
    switch (type) {
    case VALUE_STRING:
    case VALUE_BINARY:
        return kind == JSON_KIND_TEXT;
    case VALUE_INTEGER:
        return kind == JSON_KIND_INT;
    case VALUE_FLOAT:
        return kind == JSON_KIND_INT || kind == JSON_KIND_REAL;
    case VALUE_BOOLEAN:
        return kind == JSON_KIND_BOOL;
    case VALUE_LIST:
        return kind == JSON_KIND_LIST;
    default:
        return true;
    }
}

/* text: of the entry, where the value stands to the byte */
static int read_value(struct reader *r, const struct json *value, struct bytes text)
{
    if (value == NULL)
        return 0;
    if (!is_kind_of_type(r->e.type, json_kind(value)))
        return refuse(r, "its value is not written as one of its type");
    r->e.has_value = true;
    if (r->e.type == VALUE_STRING) {
        r->e.value = json_text(value);
        return 0;
    }
    if (r->e.type != VALUE_BINARY)
        return secreg_member(text, "value", &r->e.value) ? 0 : refuse(r, "\"value\" is written with escapes");
    int x = code_unbase64(&r->value, json_text(value));
    if (x == CODE_BAD)
        return refuse(r, "a value of type binary is base64 text");
    r->e.value = buf_view(&r->value);
    return x;
}

/* The path, relative to the base. */
static int read_path(struct reader *r, const struct json *path)
{
    struct bytes text = json_text(path), base = bytes_of_text(r->d->base);
    if (json_kind(path) != JSON_KIND_TEXT || text.n == 0)
        return refuse(r, "there is no path");
    if (r->is_listing && !dump_path_is_below(text, base))
        return refuse(r, "the path is not below the folder that was asked for");
    r->e.path = r->is_listing ? bytes_from(text, base.n + 1) : text;
    return 0;
}

static int add_entry(struct reader *r, const struct json *entry, struct bytes text)
{
    char why[DUMP_WHY_BYTES];
    r->e = (struct dump_entry){0};
    buf_clear(&r->tags);
    buf_clear(&r->value);
    if (json_kind(entry) != JSON_KIND_MAP)
        return refuse(r, "it is not a map");
    int x = r->is_listing ? 0 : json_each(entry, check_name, r);
    if (x == 0)
        x = read_path(r, json_get(entry, "path"));
    if (x == 0)
        x = read_type(r, json_get(entry, "type"), json_get(entry, "value"));
    if (x == 0)
        x = read_notes(r, entry);
    if (x == 0)
        x = read_value(r, json_get(entry, "value"), text);
    if (x != 0)
        return x;
    x = dump_check(r->d, &r->e, why);
    if (x != 0)
        return x < 0 ? x : refuse(r, why);
    if (r->d->count == DUMP_ENTRIES_MAX_COUNT)
        return refuse(r, "there are more than 10000 entries");
    return dump_add(r->d, &r->e);
}

static void reader_init(struct reader *r, struct dump *d, char *why)
{
    *r = (struct reader){.d = d, .why = why};
    buf_init(&r->tags, DUMP_TAGS_MAX_BYTES);
    buf_init_wiping(&r->value, VALUE_MAX_BYTES + 3);
}

static void reader_fini(struct reader *r)
{
    buf_fini(&r->tags);
    buf_fini(&r->value);
    explicit_bzero(&r->e, sizeof r->e);
}

int dump_tree_add(struct dump *d, struct bytes map, char why[static DUMP_WHY_BYTES])
{
    static const struct json_limits limits = {TEXT_DEPTH_MAX_COUNT, TEXT_VALUES_MAX_COUNT, SECREG_BODY_MAX_BYTES};
    struct reader r;
    struct json *j = NULL;
    struct bytes version;
    int x = json_parse_within(map, &limits, &j, why, DUMP_WHY_BYTES);
    if (x != 0)
        return x < 0 ? x : DUMP_BAD;
    reader_init(&r, d, why);
    r.is_listing = true;
    x = add_entry(&r, j, map);
    if (x == 0 && (!secreg_member(map, "version", &version) ||
                   !num_parse_u64(version, INT64_MAX, &d->entries[d->count - 1].version)))
        x = refuse(&r, "it has no version");
    reader_fini(&r);
    json_free(j);
    return x;
}

/* ---- reading a document -------------------------------------------------------------------------------------------
 */

static int bad(char *why, const char *what)
{
    snprintf(why, DUMP_WHY_BYTES, "%s", what);
    return DUMP_BAD;
}

static int check_top_name(struct bytes name, const struct json *value, void *arg)
{
    static const char *const known[] = {"format", "version", "base", "revision", "time", "entries"};
    (void)value;
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (bytes_equal(name, bytes_of_text(known[i])))
            return 0;
    }
    return bad(arg, "the document has a member that is not known");
}

static int read_head(const struct json *top, struct dump *d, char *why)
{
    const struct json *base = json_get(top, "base"), *revision = json_get(top, "revision"),
                      *time = json_get(top, "time");
    if (!bytes_equal(json_text(json_get(top, "format")), BYTES_LITERAL(DUMP_FORMAT)))
        return bad(why, "this is not an export: \"format\" is not \"" DUMP_FORMAT "\"");
    if (json_int(json_get(top, "version")) != DUMP_VERSION)
        return bad(why, "\"version\" is not 1, which is the only one known here");
    int x = json_each(top, check_top_name, why);
    if (x == 0 && base != NULL)
        x = dump_check_base(d, json_text(base), why);
    if (x != 0)
        return x;
    if (revision != NULL && json_int(revision) <= 0)
        return bad(why, "\"revision\" is a number above 0");
    d->revision = (uint64_t)json_int(revision);
    if (time != NULL && !dump_read_time(json_text(time), d->time))
        return bad(why, "\"time\" is a time such as 2026-01-31T12:00:00Z");
    return 0;
}

static int read_entries(const struct json *list, struct bytes text, struct dump *d, char *why)
{
    struct reader r;
    struct bytes rest, entry;
    int x = 0;
    if (json_kind(list) != JSON_KIND_LIST || !secreg_member(text, "entries", &rest))
        return bad(why, "\"entries\" is a list");
    reader_init(&r, d, why);
    for (size_t i = 0; x == 0 && i < json_count(list); i++) {
        bool is_there = secreg_element(&rest, &entry);
        x = is_there ? add_entry(&r, json_at(list, i), entry) : refuse(&r, "it has no end");
    }
    reader_fini(&r);
    return x == 0 ? dump_sort(d, why) : x;
}

int dump_json_parse(struct bytes text, struct dump *ret, char why[static DUMP_WHY_BYTES])
{
    static const struct json_limits limits = {TEXT_DEPTH_MAX_COUNT, TEXT_VALUES_MAX_COUNT, DUMP_TEXT_MAX_BYTES};
    struct json *top = NULL;
    assert(ret->count == 0);
    int x = json_parse_within(text, &limits, &top, why, DUMP_WHY_BYTES);
    if (x == 0)
        x = read_head(top, ret, why);
    if (x == 0)
        x = read_entries(json_get(top, "entries"), text, ret, why);
    json_free(top);
    if (x != 0)
        dump_fini(ret);
    return x;
}
