/*
 * sink-files - records as lines of JSON in a file of this host, a new one each day; see sink.h and rotate.h.
 *
 * The cursor has the length of the file with what is kept; what a crash left behind that is cut off when it is opened
 * again, and written anew. Invariant: a line that counts as kept is durable.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "follow/rotate.h"
#include "follow/sink.h"
#include "os/file.h"

struct files {
    struct sink sink; /* out: lines; fd is not waited for */
    int folder, file;
    int64_t day, days; /* of what the file holds; that past files are kept */
    struct rotate_pack *pack;
    bool has_looked; /* whether a past file waits to be compressed */
};

static int files_make(const struct sink_setup *setup, struct sink **ret_sink, char *ret_why)
{
    struct files *f = calloc(1, sizeof *f);
    if (f == NULL)
        return RAISE(-ENOMEM);
    f->folder = f->file = -1;
    f->days = setup->conf->v[FOLLOW_FILES_DAYS];
    f->sink = (struct sink){.kind = &sink_files, .fd = -1};
    buf_init(&f->sink.out, 4 * SINK_BUSY_BYTES);
    *ret_sink = &f->sink;
    return sink_folder(setup, &sink_files, &f->folder, ret_why);
}

static void files_close(struct sink *s)
{
    struct files *f = CONTAINER_OF(s, struct files, sink);
    f->pack = rotate_pack_end(f->pack);
    file_drop_fd(&f->file);
    f->file = -1;
    buf_clear(&s->out);
}

static int down(struct sink *s, const char *what, int error)
{
    return sink_down(s, "%s " ROTATE_LIVE ": %s", what, strerrordesc_np(error));
}

static int open_live(struct files *f, uint64_t size)
{
    struct stat st;
    if (file_open(f->folder, ROTATE_LIVE, O_RDWR | O_CREAT | O_APPEND, 0640, &f->file) != 0)
        return down(&f->sink, "cannot open", errno);
    if (fstat(f->file, &st) < 0)
        return down(&f->sink, "cannot look at", errno);
    if (st.st_size > 0 && (uint64_t)st.st_size < size)
        LOG_WARNING(ROTATE_LIVE " is shorter than it was: somebody has cut it");
    if ((uint64_t)st.st_size > size && ftruncate(f->file, (off_t)size) < 0)
        return down(&f->sink, "cannot cut", errno);
    f->sink.size = MIN_OF((uint64_t)st.st_size, size);
    f->day = rotate_day((struct wall_time){st.st_mtim.tv_sec * US_PER_S});
    return 0;
}

static int files_open(struct sink *s, struct cursor *cursor)
{
    struct files *f = CONTAINER_OF(s, struct files, sink);
    int r = open_live(f, cursor->size);
    if (r == 0 && file_sync_folder(f->folder) < 0)
        r = down(s, "cannot make durable", errno);
    f->has_looked = false;
    s->is_well = r == 0;
    s->wake.us = INT64_MAX;
    return r;
}

/* ---- writing --------------------------------------------------------------------------------------------- */

/* What waits is written and durable. */
static int write_out(struct files *f)
{
    struct sink *s = &f->sink;
    size_t n = buf_size(&s->out);
    if (file_check(f->folder, ROTATE_LIVE, f->file) < 0) {
        s->size = 0;
        return sink_down(s, ROTATE_LIVE " was removed or replaced");
    }
    if (n > 0 && (file_write_all(f->file, buf_view(&s->out)) < 0 || fdatasync(f->file) < 0)) {
        int error = errno;
        if (ftruncate(f->file, (off_t)s->size) < 0)
            LOG_DEBUG("it is cut when it is opened again");
        return down(s, "cannot write", error);
    }
    buf_clear(&s->out);
    s->size += n;
    s->kept = s->given;
    return 0;
}

/* The day is over: the next file begins. */
static int rotate(struct files *f)
{
    int r = write_out(f);
    if (r != 0)
        return r;
    file_drop_fd(&f->file);
    f->file = -1;
    if (rotate_away(f->folder, f->day) < 0)
        return down(&f->sink, "cannot rename", errno);
    if (rotate_expire(f->folder, rotate_day(clock_wall_now()) - f->days) < 0)
        LOG_WARNING("old files cannot be removed: %s", strerrordesc_np(errno));
    f->has_looked = false;
    return open_live(f, 0);
}

static int files_put(struct sink *s, const struct format_item *item)
{
    struct files *f = CONTAINER_OF(s, struct files, sink);
    int64_t day = rotate_day((struct wall_time){item->record->wall_us});
    bool is_empty = s->size + buf_size(&s->out) == 0;
    if (day > f->day && !is_empty) {
        int r = rotate(f);
        if (r != 0)
            return r;
        is_empty = true;
    }
    if (is_empty)
        f->day = day;
    return format_json(&s->out, item);
}

/* One step of compressing a past file, when there is nothing else to do. */
static int pack(struct files *f)
{
    int r = 0;
    if (f->pack == NULL && !f->has_looked)
        r = rotate_pack_begin(f->folder, &f->pack);
    if (f->pack == NULL) {
        f->has_looked = true;
        return r < 0 ? r : 0;
    }
    r = rotate_pack_step(f->pack);
    if (r == ROTATE_MORE)
        return ROTATE_MORE;
    f->pack = rotate_pack_end(f->pack);
    f->has_looked = r < 0; /* another one may wait; after a failure not before the next day */
    return r < 0 ? r : ROTATE_MORE;
}

static int files_flush(struct sink *s, struct mono_time now)
{
    struct files *f = CONTAINER_OF(s, struct files, sink);
    if (f->file < 0)
        return sink_down(s, ROTATE_LIVE " is not open");
    if (buf_size(&s->out) > 0) {
        s->wake.us = f->has_looked ? INT64_MAX : now.us;
        return write_out(f);
    }
    int r = pack(f);
    if (r < 0)
        LOG_WARNING("a past file cannot be compressed: %s", fault_text(r));
    s->wake.us = r == ROTATE_MORE ? now.us : INT64_MAX;
    return 0;
}

static void files_free(struct sink *s)
{
    struct files *f = CONTAINER_OF(s, struct files, sink);
    files_close(s);
    file_drop_fd(&f->folder);
    buf_fini(&s->out);
    free(f);
}

const struct sink_kind sink_files = {.name = "files",
                                     .profile = "secreg-follow-files",
                                     .user = SINK_USER,
                                     .cursors = SINK_CURSORS_FOLDER,
                                     .folder = SINK_FILES_FOLDER,
                                     .folder_mode = 0750,
                                     .make = files_make,
                                     .open = files_open,
                                     .put = files_put,
                                     .flush = files_flush,
                                     .close = files_close,
                                     .free = files_free};
