/*
 * fuzz-envelope - the reader of JSON members on any bytes: what it gives lies inside what it got, an element that was
 * taken off is gone, and what a string stands for is the same when it is quoted and read again.
 */
#include <string.h>

#include "base/text.h"
#include "secreg-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(struct bytes whole, struct bytes part)
{
    return part.n > 0 && part.p >= whole.p && part.p + part.n <= whole.p + whole.n;
}

/* Quotes every byte that has to be, in the one way that has no choices. */
static void check_text(struct bytes text)
{
    struct buf plain, quoted, again;
    buf_init(&plain, 1 << 20);
    buf_init(&quoted, 8 << 20);
    buf_init(&again, 1 << 20);
    if (secreg_unquote(&plain, text) == 0) {
        struct bytes p = buf_view(&plain);
        bool is_good = buf_append_text(&quoted, "\"") == 0;
        for (size_t i = 0; is_good && i < p.n; i++) {
            bool must = p.p[i] < 0x20 || p.p[i] == '"' || p.p[i] == '\\';
            is_good = (must ? buf_print(&quoted, "\\u%04x", p.p[i]) : buf_append(&quoted, bytes_of(p.p + i, 1))) == 0;
        }
        assert(is_good && buf_append_text(&quoted, "\"") == 0);
        assert(secreg_unquote(&again, buf_view(&quoted)) == 0);
        assert(bytes_equal(buf_view(&again), p));
    }
    buf_fini(&plain);
    buf_fini(&quoted);
    buf_fini(&again);
}

static void check_list(struct bytes list)
{
    struct bytes rest = list, element;
    size_t left = rest.n + 1;
    while (secreg_element(&rest, &element)) {
        assert(is_inside(list, element) && rest.n < left);
        left = rest.n;
        if (element.p[0] == '"')
            check_text(element);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"data", "error", "code", "message", "entries", "a", ""};
    struct bytes in = bytes_of(data, size), value;
    check_text(in);
    check_list(in);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (!secreg_member(in, names[i], &value))
            continue;
        assert(is_inside(in, value));
        check_text(value);
        check_list(value);
        struct bytes inner;
        if (secreg_member(value, "code", &inner))
            assert(is_inside(value, inner));
    }
    return 0;
}
