/* Fuzz target for path: a path that is accepted is in its one form, taken apart and put together again unchanged. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "model/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes path = bytes_of(data, size), rest = path, again;
    const char *why = NULL;
    uint8_t joined[PATH_MAX_BYTES];
    size_t at = 0, depth = 0;
    if (!path_check(path, &why)) {
        assert(why != NULL);
        return 0;
    }
    assert(why == NULL && size <= PATH_MAX_BYTES && text_is_utf8(path) && text_is_printable(path));
    while (rest.n > 0) {
        struct bytes c = path_next(&rest);
        assert(c.n >= 1 && c.n <= PATH_COMPONENT_MAX_BYTES && bytes_find(c, '/') == c.n);
        joined[at++] = '/';
        memcpy(joined + at, c.p, c.n);
        at += c.n;
        depth++;
    }
    assert(depth <= PATH_DEPTH_MAX_COUNT && bytes_equal(path, bytes_of(joined, at)));
    for (again = path; again.n > 0; again = path_parent(again)) {
        assert(path_check(again, &why) && path_is_within(path, again));
        assert(path_name(again).n > 0);
    }
    if (path_owner(path).n > 0)
        assert(bytes_starts(path, BYTES_LITERAL("/registry/user/")));
    return 0;
}
