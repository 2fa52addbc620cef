/* uri - see uri.h. Splitting only cuts, decoding only replaces: neither makes two different targets the same. */
#include "wire/uri.h"

/* pchar and '/', RFC 3986 section 3.3; a query may hold '?' too. */
static bool is_path_byte(uint8_t c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    static const struct bytes marks = {(const uint8_t *)"-._~%!$&'()*+,;=:@/", 19};
    return bytes_find(marks, c) < marks.n;
}

static bool is_known(const struct uri *u, struct bytes name)
{
    for (size_t i = 0; i < u->args_count; i++) {
        if (bytes_equal(u->args[i].name, name))
            return true;
    }
    return false;
}

static int add_arg(struct uri *u, struct bytes item)
{
    size_t equals = bytes_find(item, '=');
    struct bytes name = bytes_head(item, equals);
    if (name.n == 0 || is_known(u, name) || u->args_count == URI_ARGS_MAX_COUNT)
        return URI_BAD;
    u->args[u->args_count++] = (struct uri_arg){
        .name = name,
        .value = bytes_from(item, equals + 1),
        .has_value = equals < item.n,
    };
    return 0;
}

/* `query` is what follows the '?'; each '&' stands between two items, so an empty query is one empty item. */
static int split_query(struct uri *u, struct bytes query)
{
    for (size_t i = 0; i < query.n; i++) {
        if (!is_path_byte(query.p[i]) && query.p[i] != '?')
            return URI_BAD;
    }
    for (;;) {
        size_t amp = bytes_find(query, '&');
        int o = add_arg(u, bytes_head(query, amp));
        if (o != 0 || amp == query.n)
            return o;
        query = bytes_of(query.p + amp + 1, query.n - amp - 1);
    }
}

int uri_split(struct bytes target, struct uri *ret_uri)
{
    struct uri u = {0};
    size_t path_bytes = 0;
    if (target.n == 0 || target.p[0] != '/')
        return URI_BAD;
    while (path_bytes < target.n && is_path_byte(target.p[path_bytes]))
        path_bytes++;
    u.path = bytes_head(target, path_bytes);
    assert(u.path.n > 0);
    if (path_bytes < target.n) {
        if (target.p[path_bytes] != '?')
            return URI_BAD;
        int o = split_query(&u, bytes_of(target.p + path_bytes + 1, target.n - path_bytes - 1));
        if (o != 0)
            return o;
    }
    assert(u.args_count <= URI_ARGS_MAX_COUNT);
    *ret_uri = u;
    return 0;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `raw` begins with '%'. */
static int decode_triplet(struct bytes raw, bool takes_slash, uint8_t *ret_byte)
{
    assert(raw.n > 0 && raw.p[0] == '%');
    int high = raw.n < 3 ? -1 : hex_value(raw.p[1]);
    int low = raw.n < 3 ? -1 : hex_value(raw.p[2]);
    if (high < 0 || low < 0)
        return URI_BAD;
    uint8_t c = (uint8_t)(high * 16 + low);
    if (c == 0 || (c == '/' && !takes_slash))
        return URI_BAD;
    *ret_byte = c;
    return 0;
}

static int append_decoded(struct buf *out, struct bytes raw, bool takes_slash)
{
    while (raw.n > 0) {
        size_t plain = bytes_find(raw, '%');
        uint8_t c;
        TRY(buf_append(out, bytes_head(raw, plain)));
        if (plain == raw.n)
            return 0;
        int o = decode_triplet(bytes_from(raw, plain), takes_slash, &c);
        if (o != 0)
            return o;
        TRY(buf_append(out, bytes_of(&c, 1)));
        raw = bytes_from(raw, plain + 3);
    }
    return 0;
}

static int decode(struct buf *out, struct bytes raw, bool takes_slash)
{
    size_t held = buf_size(out);
    int r = append_decoded(out, raw, takes_slash);
    if (r != 0)
        buf_truncate(out, held);
    return r;
}

int uri_decode(struct buf *out, struct bytes raw)
{
    return decode(out, raw, false);
}

int uri_decode_arg(struct buf *out, struct bytes raw)
{
    return decode(out, raw, true);
}

static bool is_plain(uint8_t c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    static const struct bytes marks = {(const uint8_t *)"._~@:+/-", 8};
    return bytes_find(marks, c) < marks.n;
}

static int append_encoded(struct buf *out, struct bytes plain)
{
    static const char hex[] = "0123456789ABCDEF";
    while (plain.n > 0) {
        size_t n = 0;
        while (n < plain.n && is_plain(plain.p[n]))
            n++;
        TRY(buf_append(out, bytes_head(plain, n)));
        if (n == plain.n)
            return 0;
        char text[3] = {'%', hex[plain.p[n] >> 4], hex[plain.p[n] & 15]};
        TRY(buf_append(out, bytes_of(text, sizeof text)));
        plain = bytes_from(plain, n + 1);
    }
    return 0;
}

int uri_encode(struct buf *out, struct bytes plain)
{
    size_t held = buf_size(out);
    int r = append_encoded(out, plain);
    if (r != 0)
        buf_truncate(out, held);
    return r;
}
