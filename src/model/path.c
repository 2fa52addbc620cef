/* path - see path.h. */
#include "model/path.h"

#include "base/text.h"

static const char *const roots[] = {"system", "user", "security", "applications"};

struct bytes path_next(struct bytes *rest)
{
    if (rest->n == 0)
        return BYTES_NONE;
    assert(rest->p[0] == '/');
    struct bytes from = bytes_from(*rest, 1);
    size_t n = bytes_find(from, '/');
    *rest = bytes_from(from, n);
    return bytes_head(from, n);
}

static bool is_name_byte(uint8_t c)
{
    static const char marks[] = "._@:+-";
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    for (size_t i = 0; i < sizeof marks - 1; i++) {
        if (c == (uint8_t)marks[i])
            return true;
    }
    return false;
}

static const char *component_fault(struct bytes c)
{
    size_t used = 1;
    if (c.n == 0)
        return "a component is empty";
    if (c.n > PATH_COMPONENT_MAX_BYTES)
        return "a component is longer than 255 bytes";
    if (bytes_equal(c, BYTES_LITERAL(".")) || bytes_equal(c, BYTES_LITERAL("..")))
        return "'.' and '..' are not components";
    for (size_t at = 0; at < c.n; at += used) {
        if (c.p[at] < 0x80) {
            used = 1;
            if (!is_name_byte(c.p[at]))
                return "a component holds a character other than letters, digits and ._@:+-";
        } else if (!text_is_letter(text_utf8_next(bytes_from(c, at), &used))) {
            return "a component holds something else than an NFC letter outside ASCII";
        }
    }
    return NULL;
}

static bool is_root_name(struct bytes c)
{
    for (size_t i = 0; i < COUNT_OF(roots); i++) {
        if (bytes_equal(c, bytes_of_text(roots[i])))
            return true;
    }
    return false;
}

bool path_check(struct bytes path, const char **ret_why)
{
    struct bytes rest = path;
    const char *why = NULL;
    size_t depth = 0;
    if (path.n > PATH_MAX_BYTES)
        why = "it is longer than 512 bytes";
    else if (path.n == 0 || path.p[0] != '/')
        why = "it does not begin with a slash";
    while (why == NULL && rest.n > 0) {
        struct bytes c = path_next(&rest);
        why = component_fault(c);
        depth++;
        if (why == NULL && depth == 1 && !bytes_equal(c, BYTES_LITERAL("registry")))
            why = "it does not begin with /registry";
        if (why == NULL && depth == 2 && !is_root_name(c))
            why = "below /registry are system, user, security and applications only";
        if (why == NULL && depth > PATH_DEPTH_MAX_COUNT)
            why = "it is deeper than 32 components";
    }
    *ret_why = why;
    return why == NULL;
}

struct bytes path_parent(struct bytes path)
{
    size_t n = path.n;
    while (n > 0 && path.p[n - 1] != '/')
        n--;
    return bytes_head(path, n > 0 ? n - 1 : 0);
}

struct bytes path_name(struct bytes path)
{
    return bytes_from(path, path_parent(path).n + 1);
}

struct bytes path_owner(struct bytes path)
{
    struct bytes user = BYTES_LITERAL("/registry/user/");
    if (!bytes_starts(path, user))
        return BYTES_NONE;
    struct bytes name = bytes_from(path, user.n);
    return bytes_head(name, bytes_find(name, '/'));
}

bool path_is_root(struct bytes path)
{
    struct bytes rest = path;
    struct bytes top = path_next(&rest);
    if (!bytes_equal(top, BYTES_LITERAL("registry")))
        return false;
    return rest.n == 0 || (is_root_name(path_next(&rest)) && rest.n == 0);
}

bool path_is_within(struct bytes path, struct bytes folder)
{
    return bytes_starts(path, folder) && (path.n == folder.n || path.p[folder.n] == '/');
}
