/*
 * host-os - os-release: names and versions of the distribution.
 *
 * Invariant: a value is what a POSIX shell would assign, without any expansion; an assignment for which a shell would
 * have to expand, run or join something is left out. Source: os-release(5); XCU 2.2 of POSIX.1-2017 (quoting).
 */
#include "base/text.h"
#include "cli/host-internal.h"

enum { KEY_BYTES = 64, VALUE_BYTES = 4096 };

/* What a reader of one value says when it cannot be taken. */
static const char *const not_closed = "a quote is not closed";
static const char *const needs_shell = "it holds characters that must be quoted";

struct value {
    char text[VALUE_BYTES];
    size_t n;
};

static bool put(struct value *v, uint8_t c)
{
    if (v->n == sizeof v->text)
        return false;
    v->text[v->n++] = (char)c;
    return true;
}

static const char *read_single(struct bytes in, struct value *v, size_t *ret_used)
{
    size_t end = bytes_find(bytes_from(in, 1), '\'') + 1;
    if (end >= in.n)
        return not_closed;
    for (size_t i = 1; i < end; i++) {
        if (!put(v, in.p[i]))
            return "it is too long";
    }
    *ret_used = end + 1;
    return NULL;
}

static bool is_escaped_in_double(uint8_t c)
{
    return c == '$' || c == '`' || c == '"' || c == '\\';
}

static const char *read_double(struct bytes in, struct value *v, size_t *ret_used)
{
    size_t i;
    for (i = 1; i < in.n && in.p[i] != '"'; i++) {
        if (in.p[i] == '$' || in.p[i] == '`')
            return needs_shell;
        if (in.p[i] == '\\' && i + 1 < in.n && is_escaped_in_double(in.p[i + 1]))
            i++;
        if (!put(v, in.p[i]))
            return "it is too long";
    }
    if (i == in.n)
        return not_closed;
    *ret_used = i + 1;
    return NULL;
}

/* Characters that mean something to a shell when they are not quoted; in an assignment, stars do not. */
static bool is_special(struct bytes in, size_t i)
{
    const struct bytes special = BYTES_LITERAL("|&;<>()$`\"'");
    if (in.p[i] == '~')
        return i == 0 || in.p[i - 1] == ':';
    return bytes_find(special, in.p[i]) != special.n;
}

static const char *read_bare(struct bytes in, struct value *v, size_t *ret_used)
{
    size_t i;
    for (i = 0; i < in.n && in.p[i] != ' ' && in.p[i] != '\t'; i++) {
        if (is_special(in, i))
            return needs_shell;
        if (in.p[i] == '\\' && ++i == in.n)
            return "it ends in a backslash";
        if (!put(v, in.p[i]))
            return "it is too long";
    }
    *ret_used = i;
    return NULL;
}

/* Reads the whole right-hand side. Returns NULL, or what is wrong. */
static const char *read_value(struct bytes in, struct value *v)
{
    size_t used = 0;
    const char *why = NULL;
    v->n = 0;
    if (in.n > 0 && in.p[0] == '\'')
        why = read_single(in, v, &used);
    else if (in.n > 0 && in.p[0] == '"')
        why = read_double(in, v, &used);
    else
        why = read_bare(in, v, &used);
    if (why != NULL)
        return why;
    struct bytes rest = bytes_from(in, used);
    bool is_apart = rest.n > 0 && (rest.p[0] == ' ' || rest.p[0] == '\t');
    rest = host_trim(rest);
    if (rest.n > 0 && !(is_apart && rest.p[0] == '#'))
        return "something follows the value";
    return NULL;
}

static bool is_key(struct bytes key)
{
    return key.n > 0 && !(key.p[0] >= '0' && key.p[0] <= '9') && bytes_find(key, '-') == key.n;
}

static int read_line(struct host_settings *s, const struct host_path *folder, unsigned number, struct bytes line)
{
    struct value v;
    char name[KEY_BYTES];
    size_t equals = bytes_find(line, '=');
    struct bytes key = bytes_head(line, equals);
    if (equals == line.n)
        return host_skip_line(s, "os-release", number, "it is no assignment");
    if (!is_key(key) || !host_lower(name, sizeof name, key))
        return host_skip_line(s, "os-release", number, "it does not begin with a name");
    const char *why = read_value(bytes_from(line, equals + 1), &v);
    if (why != NULL)
        return host_skip_line(s, "os-release", number, why);
    return host_add_at(s, folder, name, VALUE_STRING, bytes_of(v.text, v.n));
}

int host_parse_os_release(struct host_settings *s, struct bytes text)
{
    struct bytes line;
    struct host_path folder;
    host_path_init(&folder, HOST_SYSTEM "/os");
    for (unsigned number = 1; host_next_line(&text, &line); number++) {
        line = host_trim(line);
        if (line.n > 0 && line.p[0] != '#')
            TRY(read_line(s, &folder, number, line));
    }
    return 0;
}
