/*
 * doc - see doc.h. The renderer is one pass: it trusts no token of the document, and writes through a cursor so that a
 * token costs a bounds check and not a call. Text is copied in runs of bytes that need no escape.
 */
#include "wire/doc.h"

#include <string.h>

#include "base/code.h"
#include "base/text.h"
#include "wire/doc-internal.h"

enum {
    WRITER_ROOM_BYTES = 4096, /* asked of the buffer at once */
    INT_MAX_BYTES = 20,       /* "-9223372036854775808" */
    ESCAPE_MAX_BYTES = 6,     /* "\u001f" */
};

static void store_le(uint8_t *p, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * i) & 0xff);
}

static uint64_t load_le(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static int put_tag(struct buf *out, enum doc_tag tag)
{
    uint8_t *p;
    TRY(buf_reserve(out, 1, &p));
    *p = (uint8_t)tag;
    buf_commit(out, 1);
    return 0;
}

/* Tag, length in `width` bytes, content: one reservation, so that a fault leaves no half of a token behind. */
static int put_run(struct buf *out, enum doc_tag tag, size_t width, struct bytes v)
{
    uint8_t *p;
    if (v.n > UINT32_MAX)
        return RAISE(FAULT_LIMIT);
    TRY(buf_reserve(out, 1 + width + v.n, &p));
    *p = (uint8_t)tag;
    store_le(p + 1, v.n, width);
    if (v.n > 0)
        memcpy(p + 1 + width, v.p, v.n);
    buf_commit(out, 1 + width + v.n);
    return 0;
}

int doc_map_begin(struct buf *out)
{
    return put_tag(out, DOC_MAP_BEGIN);
}

int doc_map_end(struct buf *out)
{
    return put_tag(out, DOC_MAP_END);
}

int doc_list_begin(struct buf *out)
{
    return put_tag(out, DOC_LIST_BEGIN);
}

int doc_list_end(struct buf *out)
{
    return put_tag(out, DOC_LIST_END);
}

int doc_key(struct buf *out, const char *key)
{
    struct bytes k = bytes_of_text(key);
    assert(k.n <= DOC_KEY_MAX_BYTES);
    return put_run(out, DOC_KEY, 1, k);
}

int doc_null(struct buf *out)
{
    return put_tag(out, DOC_NULL);
}

int doc_bool(struct buf *out, bool v)
{
    return put_tag(out, v ? DOC_TRUE : DOC_FALSE);
}

int doc_int(struct buf *out, int64_t v)
{
    uint8_t *p;
    TRY(buf_reserve(out, 1 + sizeof v, &p));
    *p = DOC_INT;
    store_le(p + 1, (uint64_t)v, sizeof v);
    buf_commit(out, 1 + sizeof v);
    return 0;
}

int doc_text(struct buf *out, struct bytes v)
{
    return put_run(out, DOC_TEXT, sizeof(uint32_t), v);
}

int doc_blob(struct buf *out, struct bytes v)
{
    return put_run(out, DOC_BLOB, sizeof(uint32_t), v);
}

int doc_json(struct buf *out, struct bytes v)
{
    return put_run(out, DOC_JSON, sizeof(uint32_t), v);
}

int doc_put_bool(struct buf *out, const char *key, bool v)
{
    TRY(doc_key(out, key));
    return doc_bool(out, v);
}

int doc_put_int(struct buf *out, const char *key, int64_t v)
{
    TRY(doc_key(out, key));
    return doc_int(out, v);
}

int doc_put_text(struct buf *out, const char *key, struct bytes v)
{
    TRY(doc_key(out, key));
    return doc_text(out, v);
}

/* Bytes from `p` to `at` are written but not yet committed; up to `end` there is room. */
struct writer {
    struct buf *out;
    uint8_t *p, *at, *end;
};

static void writer_commit(struct writer *w)
{
    buf_commit(w->out, (size_t)(w->at - w->p));
    w->p = w->at;
}

static int writer_reserve(struct writer *w, size_t n)
{
    writer_commit(w);
    size_t free_bytes = w->out->max - buf_size(w->out);
    size_t want = MAX_OF(n, MIN_OF((size_t)WRITER_ROOM_BYTES, free_bytes));
    TRY(buf_reserve(w->out, want, &w->p));
    w->at = w->p;
    w->end = w->p + want;
    return 0;
}

static inline int room(struct writer *w, size_t n)
{
    return (size_t)(w->end - w->at) >= n ? 0 : writer_reserve(w, n);
}

static int write_byte(struct writer *w, char c)
{
    TRY(room(w, 1));
    *w->at++ = (uint8_t)c;
    return 0;
}

static int write_bytes(struct writer *w, const void *p, size_t n)
{
    TRY(room(w, n));
    if (n > 0)
        memcpy(w->at, p, n);
    w->at += n;
    return 0;
}

static int write_int(struct writer *w, int64_t v)
{
    char digits[INT_MAX_BYTES];
    size_t at = sizeof digits;
    uint64_t left = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (v < 0)
        digits[--at] = '-';
    return write_bytes(w, digits + at, sizeof digits - at);
}

static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/*
 * True if one of eight bytes is not plain. A byte below 0x20, and a byte that the exclusive or made zero, borrow in the
 * subtraction and so set their high bit. A borrow may reach the next byte too: that errs towards true, never to false.
 */
static bool has_special(uint64_t v)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
    uint64_t quote = v ^ (ones * '"'), backslash = v ^ (ones * '\\');
    uint64_t low = (v - ones * 0x20) | (quote - ones) | (backslash - ones);
    return ((low | v) & highs) != 0;
}

/* Length of the run of plain bytes that `t` begins with. */
static size_t plain_run(struct bytes t)
{
    size_t n = 0;
    for (uint64_t v; t.n - n >= sizeof v; n += sizeof v) {
        memcpy(&v, t.p + n, sizeof v);
        if (has_special(v))
            break;
    }
    while (n < t.n && is_plain(t.p[n]))
        n++;
    return n;
}

/* Length of the run that is copied as it is: plain bytes and well-formed sequences. */
static size_t clean_run(struct bytes t)
{
    size_t n = plain_run(t), used;
    while (n < t.n && t.p[n] >= 0x80 && text_utf8_next(bytes_from(t, n), &used) != UINT32_MAX) {
        n += used;
        n += plain_run(bytes_from(t, n));
    }
    return n;
}

static char short_escape(uint8_t c)
{
    switch (c) {
    case '"':
    case '\\':
        return (char)c;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return '\0';
    }
}

static int write_special(struct writer *w, uint8_t c)
{
    static const char hex[] = "0123456789abcdef";
    char text[ESCAPE_MAX_BYTES] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    if (c >= 0x80) /* not UTF-8: U+FFFD stands in its place */
        return write_bytes(w, "\xef\xbf\xbd", 3);
    assert(!is_plain(c));
    char brief = short_escape(c);
    if (brief == '\0')
        return write_bytes(w, text, sizeof text);
    text[1] = brief;
    return write_bytes(w, text, 2);
}

/* A text without anything to escape, which is nearly every text: one bounds check for all of it. */
static int write_clean_string(struct writer *w, struct bytes t)
{
    TRY(room(w, t.n + 2));
    *w->at++ = '"';
    if (t.n > 0)
        memcpy(w->at, t.p, t.n);
    w->at += t.n;
    *w->at++ = '"';
    return 0;
}

static int write_string(struct writer *w, struct bytes t)
{
    size_t n = clean_run(t), at = 0;
    if (n == t.n)
        return write_clean_string(w, t);
    TRY(write_byte(w, '"'));
    for (;;) {
        TRY(write_bytes(w, t.p + at, n));
        at += n;
        if (at == t.n)
            return write_byte(w, '"');
        TRY(write_special(w, t.p[at++]));
        n = clean_run(bytes_from(t, at));
    }
}

static int write_blob(struct writer *w, struct bytes v)
{
    TRY(write_byte(w, '"'));
    writer_commit(w);
    TRY(code_base64(w->out, v));
    w->p = w->at = w->end = NULL;
    return write_byte(w, '"');
}

/* Where the reader is: inside how many maps and lists, which of them are maps, and what may come next. */
struct place {
    struct bytes in;
    unsigned depth;
    uint32_t is_map; /* bit n: the container at depth n + 1 is a map */
    bool has_key;    /* a key stands before the value that must come now */
    bool has_value;  /* the open container, or the document, has a value already */
};
static_assert(DOC_DEPTH_MAX_COUNT <= 32, "one bit a level");

static bool in_map(const struct place *at)
{
    return at->depth > 0 && (at->is_map >> (at->depth - 1) & 1u) != 0;
}

static bool take(struct place *at, size_t n, struct bytes *ret)
{
    if (at->in.n < n)
        return false;
    *ret = bytes_of(at->in.p, n);
    at->in = bytes_of(at->in.p + n, at->in.n - n);
    return true;
}

static bool take_run(struct place *at, size_t width, struct bytes *ret)
{
    struct bytes size;
    return take(at, width, &size) && take(at, (size_t)load_le(size.p, width), ret);
}

static int write_key(struct writer *w, struct place *at)
{
    struct bytes key;
    if (!in_map(at) || at->has_key)
        return DOC_BAD;
    if (!take_run(at, 1, &key) || key.n > DOC_KEY_MAX_BYTES || bytes_find(key, 0) != key.n)
        return DOC_BAD;
    if (at->has_value)
        TRY(write_byte(w, ','));
    TRY(write_string(w, key));
    at->has_key = true;
    return write_byte(w, ':');
}

/* What stands before a value; then the value counts as written. */
static int enter_value(struct writer *w, struct place *at)
{
    if (in_map(at) ? !at->has_key : at->depth == 0 && at->has_value)
        return DOC_BAD;
    if (!at->has_key && at->has_value)
        TRY(write_byte(w, ','));
    at->has_key = false;
    at->has_value = true;
    return 0;
}

static int open_container(struct writer *w, struct place *at, bool is_map)
{
    if (at->depth == DOC_DEPTH_MAX_COUNT)
        return DOC_BAD;
    at->is_map = (at->is_map & ~(1u << at->depth)) | (uint32_t)is_map << at->depth;
    at->depth++;
    at->has_value = false;
    return write_byte(w, is_map ? '{' : '[');
}

static int close_container(struct writer *w, struct place *at, bool is_map)
{
    if (at->depth == 0 || in_map(at) != is_map || at->has_key)
        return DOC_BAD;
    at->depth--;
    at->has_value = true;
    return write_byte(w, is_map ? '}' : ']');
}

static int write_run(struct writer *w, struct place *at, enum doc_tag tag)
{
    struct bytes v;
    if (!take_run(at, sizeof(uint32_t), &v))
        return DOC_BAD;
    if (tag == DOC_TEXT)
        return write_string(w, v);
    if (tag == DOC_BLOB)
        return write_blob(w, v);
    return v.n == 0 ? DOC_BAD : write_bytes(w, v.p, v.n);
}

static int write_value(struct writer *w, struct place *at, unsigned tag)
{
    struct bytes v;
    int r = enter_value(w, at);
    if (r != 0)
        return r;
    switch (tag) {
    case DOC_MAP_BEGIN:
    case DOC_LIST_BEGIN:
        return open_container(w, at, tag == DOC_MAP_BEGIN);
    case DOC_NULL:
        return write_bytes(w, "null", 4);
    case DOC_TRUE:
        return write_bytes(w, "true", 4);
    case DOC_FALSE:
        return write_bytes(w, "false", 5);
    case DOC_INT:
        return take(at, sizeof(int64_t), &v) ? write_int(w, (int64_t)load_le(v.p, sizeof(int64_t))) : DOC_BAD;
    case DOC_TEXT:
    case DOC_BLOB:
    case DOC_JSON:
        return write_run(w, at, (enum doc_tag)tag);
    default:
        return DOC_BAD;
    }
}

static int write_token(struct writer *w, struct place *at)
{
    struct bytes tag;
    if (!take(at, 1, &tag))
        return DOC_BAD;
    switch (tag.p[0]) {
    case DOC_KEY:
        return write_key(w, at);
    case DOC_MAP_END:
    case DOC_LIST_END:
        return close_container(w, at, tag.p[0] == DOC_MAP_END);
    default:
        return write_value(w, at, tag.p[0]);
    }
}

int doc_to_json(struct buf *out, struct bytes doc)
{
    struct writer w = {.out = out};
    struct place at = {.in = doc};
    size_t held = buf_size(out);
    int r = doc.n == 0 ? DOC_BAD : 0;
    while (r == 0 && at.in.n > 0)
        r = write_token(&w, &at);
    writer_commit(&w);
    if (r == 0 && at.depth > 0)
        r = DOC_BAD;
    assert(r != 0 || at.has_value);
    if (r != 0)
        buf_truncate(out, held);
    return r;
}

int doc_json_string(struct buf *out, struct bytes text)
{
    struct writer w = {.out = out};
    size_t held = buf_size(out);
    int r = write_string(&w, text);
    writer_commit(&w);
    if (r != 0)
        buf_truncate(out, held);
    return r;
}
