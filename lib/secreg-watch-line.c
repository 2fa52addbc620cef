/*
 * secreg-watch-line - one line of a watch, as doc/spec/watch.md has it, into a struct; see secreg-internal.h. Pure.
 */
#include <stdlib.h>
#include <string.h>

#include "base/code.h"
#include "base/num.h"
#include "secreg-internal.h"

static bool read_number(struct bytes line, const char *name, uint64_t max, uint64_t *ret)
{
    struct bytes raw;
    return secreg_member(line, name, &raw) && num_parse_u64(raw, max, ret);
}

/* False also where the member is absent. */
static bool read_bool(struct bytes line, const char *name)
{
    struct bytes raw;
    return secreg_member(line, name, &raw) && bytes_equal(raw, BYTES_LITERAL("true"));
}

bool secreg_watch_see(struct bytes line, struct secreg_watch_line *ret_line)
{
    struct secreg_watch_line l = {0};
    struct bytes raw;
    uint64_t every_ms;
    if (!read_number(line, "revision", INT64_MAX, &l.revision))
        return false;
    if (secreg_member(line, "path", &raw)) {
        l.kind = SECREG_WATCH_CHANGE;
        l.is_last = read_bool(line, "last");
    } else if (secreg_member(line, "ended", &l.why)) {
        l.kind = SECREG_WATCH_ENDED;
        if (l.why.n < 2 || l.why.p[0] != '"')
            return false;
        l.why = bytes_of(l.why.p + 1, l.why.n - 2);
    } else if (read_bool(line, "idle") && read_number(line, "every_ms", UINT32_MAX, &every_ms)) {
        l.kind = SECREG_WATCH_IDLE;
        l.every_ms = (uint32_t)every_ms;
    }
    *ret_line = l;
    return l.kind != 0;
}

/* ---- a change ------------------------------------------------------------------------------------------------ */

/* Appends the text of a member and a NUL. NULL if it is absent; false if it is malformed. `text` does not move. */
static bool take_text(struct bytes line, const char *name, struct buf *text, const char **ret)
{
    struct bytes raw;
    size_t at = buf_size(text);
    *ret = NULL;
    if (!secreg_member(line, name, &raw))
        return true;
    if (secreg_unquote(text, raw) != 0 || buf_append(text, BYTES_LITERAL("\0")) != 0)
        return false;
    const char *taken = (const char *)buf_view(text).p + at;
    if (memchr(taken, '\0', buf_size(text) - at - 1) != NULL)
        return false;
    *ret = taken;
    return true;
}

/* Bytes of the value: texts as they are, binary decoded, everything else as JSON writes it. */
static bool take_value(struct bytes line, struct buf *text, struct secreg_change *c)
{
    struct bytes raw;
    size_t at = buf_size(text);
    bool is_text = c->type == SECREG_TYPE_STRING, is_binary = c->type == SECREG_TYPE_BINARY;
    if (!secreg_member(line, "value", &raw))
        return true;
    if (c->type == SECREG_TYPE_KEEP || ((is_text || is_binary) && (raw.n < 2 || raw.p[0] != '"')))
        return false;
    int r = is_text     ? secreg_unquote(text, raw)
            : is_binary ? code_unbase64(text, bytes_of(raw.p + 1, raw.n - 2))
                        : buf_append(text, raw);
    if (r != 0 || buf_append(text, BYTES_LITERAL("\0")) != 0)
        return false;
    c->value = buf_view(text).p + at;
    c->value_size = buf_size(text) - at - 1;
    return true;
}

/* Absent (or null) is 0; anything else has to be a number. */
static bool take_number(struct bytes line, const char *name, uint64_t max, uint64_t *ret)
{
    struct bytes raw;
    *ret = 0;
    if (!secreg_member(line, name, &raw) || bytes_equal(raw, BYTES_LITERAL("null")))
        return true;
    return num_parse_u64(raw, max, ret);
}

bool secreg_watch_read(struct bytes line, struct buf *text, struct secreg_change *ret_change)
{
    struct secreg_change c = {0};
    const char *type;
    uint64_t changed_by;
    uint8_t *p;
    /* room for all of it at once, so that nothing moves: what is read is no longer than what it is read from */
    buf_clear(text);
    if (buf_reserve(text, line.n + 16, &p) < 0)
        return false;
    bool is_good = take_number(line, "revision", INT64_MAX, &c.revision) &&
                   take_number(line, "version", INT64_MAX, &c.version) &&
                   take_number(line, "changed_by", UINT32_MAX, &changed_by) && take_text(line, "path", text, &c.path) &&
                   take_text(line, "kind", text, &c.kind) && take_text(line, "from", text, &c.from) &&
                   take_text(line, "to", text, &c.to) && take_text(line, "time", text, &c.time) &&
                   take_text(line, "type", text, &type);
    if (!is_good || c.path == NULL || c.kind == NULL || c.time == NULL)
        return false;
    c.changed_by = (uint32_t)changed_by;
    c.type = secreg_type_of(type);
    c.is_deleted = read_bool(line, "deleted");
    c.is_gone = read_bool(line, "gone");
    c.is_sealed = read_bool(line, "sealed");
    c.is_last = read_bool(line, "last");
    if (!take_value(line, text, &c))
        return false;
    *ret_change = c;
    return true;
}
