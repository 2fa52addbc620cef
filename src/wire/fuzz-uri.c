/* Fuzz target of uri: the pieces of a target make the target again; decoding and encoding undo each other. */
#include <string.h>

#include "wire/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM_BYTES = 1 << 22 };

static void append(struct buf *out, struct bytes b)
{
    int r = buf_append(out, b);
    assert(r == 0);
}

static void check_split(struct bytes target)
{
    struct uri u;
    struct buf whole;
    if (uri_split(target, &u) != 0)
        return;
    buf_init(&whole, ROOM_BYTES);
    assert(u.path.n > 0 && u.path.p[0] == '/' && u.args_count <= URI_ARGS_MAX_COUNT);
    append(&whole, u.path);
    for (size_t i = 0; i < u.args_count; i++) {
        append(&whole, bytes_of_text(i == 0 ? "?" : "&"));
        append(&whole, u.args[i].name);
        append(&whole, bytes_of_text(u.args[i].has_value ? "=" : ""));
        append(&whole, u.args[i].value);
        assert(u.args[i].name.n > 0);
        for (size_t k = 0; k < i; k++)
            assert(!bytes_equal(u.args[i].name, u.args[k].name));
    }
    assert(bytes_equal(buf_view(&whole), target));
    buf_fini(&whole);
}

static size_t count_of(struct bytes b, uint8_t c)
{
    size_t n = 0;
    for (size_t i = 0; i < b.n; i++)
        n += b.p[i] == c;
    return n;
}

static void check_decode(struct bytes raw)
{
    struct buf plain, coded, again;
    buf_init(&plain, ROOM_BYTES);
    buf_init(&coded, ROOM_BYTES);
    buf_init(&again, ROOM_BYTES);
    int r = uri_decode(&plain, raw);
    assert(r == 0 || r == URI_BAD);
    assert(r == 0 || buf_size(&plain) == 0);
    if (r == 0) {
        assert(count_of(buf_view(&plain), '/') == count_of(raw, '/')); /* the structure is that of the raw text */
        r = uri_encode(&coded, buf_view(&plain));
        assert(r == 0);
        r = uri_decode(&again, buf_view(&coded));
        /* A raw NUL is no part of any target, but decoding alone does not mind it. */
        assert(r == 0 || count_of(raw, 0) > 0);
        assert(r != 0 || bytes_equal(buf_view(&again), buf_view(&plain)));
    }
    buf_fini(&plain);
    buf_fini(&coded);
    buf_fini(&again);
}

static void check_encode(struct bytes plain)
{
    struct buf coded;
    struct uri u;
    buf_init(&coded, ROOM_BYTES);
    append(&coded, BYTES_LITERAL("/"));
    int r = uri_encode(&coded, plain);
    assert(r == 0);
    r = uri_split(buf_view(&coded), &u);
    assert(r == 0 && u.args_count == 0);
    buf_fini(&coded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    check_split(in);
    check_decode(in);
    check_encode(in);
    return 0;
}
