/* sink - the kinds there are; see sink.h. */
#include "follow/sink.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "os/file.h"

#define PLACE_TRAIL_KEY "/etc/secreg/trail.vkey"

static const struct sink_kind *const kinds[] = {&sink_journal, &sink_syslog, &sink_files,
                                                &sink_witness, &sink_kernel, &sink_remote};

const struct sink_kind *sink_kind_at(size_t i)
{
    return i < COUNT_OF(kinds) ? kinds[i] : NULL;
}

const struct sink_kind *sink_kind_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    }
    return NULL;
}

int sink_folder(const struct sink_setup *setup, const struct sink_kind *kind, int *ret_folder, char *ret_why)
{
    char path[SINK_PATH_MAX_BYTES];
    int n = snprintf(path, sizeof path, "%s%s", setup->root, kind->folder);
    if (n < 0 || (size_t)n >= sizeof path)
        return RAISE(FAULT_LIMIT);
    int r = file_make_folders(path, kind->folder_mode);
    if (r == 0)
        r = file_open_folder(path, ret_folder);
    if (r == 0 && setup->uid != (uid_t)-1 && fchown(*ret_folder, setup->uid, setup->gid) < 0)
        r = RAISE(-errno);
    if (r == 0)
        return 0;
    (void)snprintf(ret_why, SOURCE_WHY_BYTES, "cannot use %.120s: %s", path,
                   r == FILE_ABSENT ? "absent" : fault_text(r));
    return SINK_BAD;
}

int sink_trail_key(const struct sink_setup *setup, struct checkpoint_key *ret_key, char *ret_why)
{
    char path[SINK_PATH_MAX_BYTES];
    struct buf text;
    int n = snprintf(path, sizeof path, "%s" PLACE_TRAIL_KEY, setup->root);
    if (n < 0 || (size_t)n >= sizeof path)
        return RAISE(FAULT_LIMIT);
    buf_init(&text, CHECKPOINT_KEY_MAX_BYTES + 1);
    int r = file_read_path(path, &text);
    struct bytes line = bytes_head(buf_view(&text), bytes_find(buf_view(&text), '\n'));
    bool is_good = r == 0 && checkpoint_key_read(line, ret_key);
    buf_fini(&text);
    if (is_good)
        return 0;
    (void)snprintf(ret_why, SOURCE_WHY_BYTES, "%.100s: %.90s", path,
                   r == 0             ? "holds no key of a trail"
                   : r == FILE_ABSENT ? "does not exist"
                                      : fault_text(r));
    return SINK_BAD;
}

int sink_down(struct sink *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(s->why, sizeof s->why, format, args);
    va_end(args);
    return SINK_DOWN;
}
