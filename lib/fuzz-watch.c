/*
 * fuzz-watch - lines of a watch on any bytes: whatever is read is whole texts, and a value inside the memory it was
 * read into; what is read does not depend on what the memory held before.
 */
#include <string.h>

#include "base/text.h"
#include "secreg-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(const struct buf *text, const void *p, size_t n)
{
    struct bytes all = buf_view(text);
    const uint8_t *at = p;
    return at >= all.p && at + n < all.p + all.n && at[n] == '\0';
}

static void check_text(const struct buf *text, const char *p)
{
    if (p != NULL)
        assert(is_inside(text, p, strlen(p)));
}

static bool is_same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void check_change(struct bytes line)
{
    struct secreg_change c, again;
    struct buf text, other;
    buf_init_wiping(&text, line.n + 64);
    buf_init_wiping(&other, line.n + 64);
    if (secreg_watch_read(line, &text, &c)) {
        const char *const texts[] = {c.path, c.kind, c.from, c.to, c.time};
        for (size_t i = 0; i < COUNT_OF(texts); i++)
            check_text(&text, texts[i]);
        assert(c.path != NULL && c.kind != NULL && c.time != NULL && c.revision <= INT64_MAX);
        if (c.value != NULL)
            assert(c.type != SECREG_TYPE_KEEP && is_inside(&text, c.value, c.value_size));
        bool is_read = secreg_watch_read(line, &other, &again);
        assert(is_read && is_same(c.path, again.path) && is_same(c.from, again.from) &&
               c.value_size == again.value_size && c.version == again.version && c.is_last == again.is_last);
    }
    buf_fini(&text);
    buf_fini(&other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes line = bytes_of(data, size);
    struct secreg_watch_line l;
    if (secreg_watch_see(line, &l)) {
        assert(l.kind >= SECREG_WATCH_CHANGE && l.kind <= SECREG_WATCH_ENDED && l.revision <= INT64_MAX);
        assert(l.why.n == 0 || (l.why.p > line.p && l.why.p + l.why.n < line.p + line.n));
        assert(!l.is_last || l.kind == SECREG_WATCH_CHANGE);
    }
    check_change(line);
    return 0;
}
