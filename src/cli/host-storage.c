/*
 * host-storage - fstab: what is mounted where.
 *
 * Invariant: the n-th folder is the n-th line that names a file system; a password among the options is never stored.
 * Source: fstab(5), mount(8), mount.cifs(8).
 */
#include <stdio.h>

#include "base/num.h"
#include "cli/host-internal.h"

#define FSTAB_FOLDER HOST_SYSTEM "/storage/fstab"

enum { FIELDS_COUNT = 6, FIELD_TYPE = 2, FIELD_OPTIONS = 3, FIELD_DUMP = 4, FIELD_PASS = 5 };

static bool is_octal(struct bytes in, size_t at)
{
    if (at + 3 >= in.n || in.p[at] != '\\' || in.p[at + 1] < '0' || in.p[at + 1] > '3')
        return false;
    return in.p[at + 2] >= '0' && in.p[at + 2] <= '7' && in.p[at + 3] >= '0' && in.p[at + 3] <= '7';
}

/* A field with its \040 decoded; a backslash before anything else stays. */
static int decode(struct buf *out, struct bytes in)
{
    for (size_t i = 0; i < in.n; i++) {
        uint8_t c = in.p[i];
        if (is_octal(in, i)) {
            c = (uint8_t)((in.p[i + 1] - '0') << 6 | (in.p[i + 2] - '0') << 3 | (in.p[i + 3] - '0'));
            i += 3;
        }
        TRY(buf_append(out, bytes_of(&c, 1)));
    }
    return 0;
}

static int add_text(struct host_settings *s, const struct host_path *folder, const char *name, struct bytes field)
{
    SCOPED(buf_fini) struct buf text;
    buf_init(&text, HOST_FILE_MAX_BYTES);
    TRY(decode(&text, field));
    return host_add_at(s, folder, name, VALUE_STRING, buf_view(&text));
}

static bool is_password(struct bytes option)
{
    return bytes_starts(option, BYTES_LITERAL("password=")) || bytes_starts(option, BYTES_LITERAL("pass=")) ||
           bytes_starts(option, BYTES_LITERAL("password2="));
}

static int add_option(struct host_settings *s, struct host_names *names, const struct host_path *folder,
                      struct bytes option)
{
    SCOPED(buf_fini) struct buf text;
    buf_init(&text, HOST_FILE_MAX_BYTES);
    TRY(decode(&text, option));
    if (is_password(buf_view(&text)))
        return host_skip(s, host_path_view(folder), "the option with the password is not stored");
    return buf_size(&text) > 0 ? host_names_add(names, buf_view(&text)) : 0;
}

/* Commas within double quotes do not part options. */
static size_t option_end(struct bytes options)
{
    bool is_quoted = false;
    size_t i;
    for (i = 0; i < options.n && (is_quoted || options.p[i] != ','); i++) {
        if (options.p[i] == '"')
            is_quoted = !is_quoted;
    }
    return i;
}

static int add_options(struct host_settings *s, const struct host_path *folder, struct bytes options)
{
    SCOPED(host_names_fini) struct host_names names = {0};
    while (options.n > 0) {
        size_t n = option_end(options);
        TRY(add_option(s, &names, folder, bytes_head(options, n)));
        options = bytes_from(options, n + 1);
    }
    return host_add_names(s, folder, "options", &names);
}

/* The last two fields are 0 where they are absent. */
static int add_number(struct host_settings *s, const struct host_path *folder, const char *name, struct bytes field)
{
    return host_add_at(s, folder, name, VALUE_INTEGER, field.n > 0 ? field : BYTES_LITERAL("0"));
}

static int add_line(struct host_settings *s, unsigned n, const struct bytes fields[static FIELDS_COUNT])
{
    struct host_path folder;
    char name[16];
    snprintf(name, sizeof name, "%u", n);
    host_path_init(&folder, FSTAB_FOLDER);
    host_path_push(&folder, bytes_of_text(name));
    TRY(add_text(s, &folder, "source", fields[0]));
    TRY(add_text(s, &folder, "target", fields[1]));
    TRY(add_text(s, &folder, "type", fields[FIELD_TYPE]));
    TRY(add_options(s, &folder, fields[FIELD_OPTIONS]));
    TRY(add_number(s, &folder, "dump", fields[FIELD_DUMP]));
    return add_number(s, &folder, "pass", fields[FIELD_PASS]);
}

int host_parse_fstab(struct host_settings *s, struct bytes text)
{
    struct bytes line;
    unsigned n = 0;
    for (unsigned number = 1; host_next_line(&text, &line); number++) {
        struct bytes fields[FIELDS_COUNT];
        for (size_t i = 0; i < FIELDS_COUNT; i++)
            fields[i] = host_next_word(&line);
        if (fields[0].n == 0 || fields[0].p[0] == '#')
            continue;
        if (fields[FIELD_TYPE].n == 0)
            TRY(host_skip_line(s, "fstab", number, "it has less than three fields"));
        else
            TRY(add_line(s, ++n, fields));
    }
    return 0;
}
