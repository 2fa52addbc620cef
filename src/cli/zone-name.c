/* zone-name - see zone-name.h. */
#include "cli/zone-name.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "authz/zone.h"
#include "os/file.h"

enum { PATH_BYTES = 512 };

static bool is_letter(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool zone_name_check(struct bytes name)
{
    bool is_start = true;
    if (name.n == 0 || name.n > ZONE_NAME_MAX_TEXT_BYTES)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        bool is_plain = is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-';
        if (is_start ? !is_letter(c) : !is_plain && c != '/')
            return false;
        is_start = c == '/';
    }
    return !is_start;
}

bool zone_name_footer(struct bytes file, struct bytes *ret_rule)
{
    struct zone zone;
    size_t begin;
    if (file.n < 44 || memcmp(file.p, "TZif", 4) != 0 || file.p[file.n - 1] != '\n')
        return false;
    for (begin = file.n - 1; begin > 0 && file.p[begin - 1] != '\n'; begin--)
        continue;
    struct bytes rule = bytes_of(file.p + begin, file.n - 1 - begin);
    if (begin == 0 || !zone_parse(rule, &zone))
        return false;
    *ret_rule = rule;
    return true;
}

/* Where the value of "zone=" stands, if it is a name and not a rule. */
static bool find_name(struct bytes condition, size_t *ret_at, struct bytes *ret_name)
{
    struct zone zone;
    for (size_t at = 0; at < condition.n;) {
        struct bytes term = bytes_from(condition, at);
        term = bytes_head(term, bytes_find(term, ' '));
        struct bytes value = bytes_from(term, 5);
        if (bytes_starts(term, BYTES_LITERAL("zone=")) && zone_name_check(value) && !zone_parse(value, &zone)) {
            *ret_at = at + 5;
            *ret_name = value;
            return true;
        }
        at += term.n + 1;
    }
    return false;
}

static int find_rule(const char *folder, struct bytes name, struct buf *file, struct bytes *ret_rule)
{
    char path[PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s/%.*s", folder, BYTES_PRINT(name));
    if (n < 0 || (size_t)n >= sizeof path)
        return ZONE_NAME_ABSENT;
    int r = file_read_path(path, file);
    if (r == FILE_ABSENT || r == -EISDIR || r == FAULT_LIMIT)
        return ZONE_NAME_ABSENT;
    TRY(r);
    return zone_name_footer(buf_view(file), ret_rule) ? 0 : ZONE_NAME_ABSENT;
}

int zone_name_resolve(const char *folder, struct bytes condition, struct buf *out, struct bytes *ret_name,
                      struct bytes *ret_rule)
{
    struct buf file;
    struct bytes name, rule = BYTES_NONE;
    size_t at;
    *ret_name = *ret_rule = BYTES_NONE;
    if (!find_name(condition, &at, &name))
        return buf_append(out, condition);
    buf_init(&file, ZONE_FILE_MAX_BYTES);
    int r = find_rule(folder, name, &file, &rule);
    if (r == 0)
        r = buf_append(out, bytes_head(condition, at));
    size_t begin = buf_size(out);
    if (r == 0)
        r = buf_append(out, rule);
    size_t end = buf_size(out);
    if (r == 0)
        r = buf_append(out, bytes_from(condition, at + name.n));
    buf_fini(&file);
    if (r != 0)
        return r;
    *ret_name = name;
    *ret_rule = bytes_of(buf_view(out).p + begin, end - begin);
    return 0;
}
