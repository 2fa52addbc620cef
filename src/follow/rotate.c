/* rotate - see rotate.h. */
#include "follow/rotate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "os/file.h"

enum { DAY_S = 86400, SAME_DAY_MAX_COUNT = 10000, OUT_BYTES = 64 << 10, WINDOW_GZIP = 15 + 16, MEMORY_LEVEL = 8 };
#define PACKING ".audit.gz.new"

struct rotate_pack {
    int folder, in, out;
    char name[ROTATE_NAME_BYTES];
    z_stream z;
    uint8_t bytes[ROTATE_STEP_BYTES], packed[OUT_BYTES];
};

SCOPED_DROP(drop_pack, struct rotate_pack, rotate_pack_end)

int64_t rotate_day(struct wall_time t)
{
    int64_t s = t.us / US_PER_S;
    return s / DAY_S - (s % DAY_S < 0);
}

void rotate_name(int64_t day, unsigned n, char ret[static ROTATE_NAME_BYTES])
{
    time_t t = (time_t)(day * DAY_S);
    struct tm tm = {0};
    char number[16] = "";
    if (n > 0)
        (void)snprintf(number, sizeof number, ".%u", n);
    (void)gmtime_r(&t, &tm);
    (void)snprintf(ret, ROTATE_NAME_BYTES, "audit-%04d-%02d-%02d%s.log", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                   number);
}

bool rotate_read_name(const char *name, int64_t *ret_day, bool *ret_is_packed)
{
    struct tm tm = {0};
    char again[ROTATE_NAME_BYTES];
    unsigned n = 0;
    int used = 0;
    if (sscanf(name, "audit-%4d-%2d-%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &used) != 3 || used == 0)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    const char *rest = name + used;
    if (*rest == '.' && rest[1] >= '1' && rest[1] <= '9')
        n = (unsigned)strtoul(rest + 1, NULL, 10);
    int64_t day = rotate_day((struct wall_time){(int64_t)timegm(&tm) * US_PER_S});
    rotate_name(day, n, again);
    size_t whole = strlen(again);
    if (n >= SAME_DAY_MAX_COUNT || strncmp(name, again, whole) != 0)
        return false;
    *ret_day = day;
    *ret_is_packed = strcmp(name + whole, ".gz") == 0;
    return *ret_is_packed || name[whole] == '\0';
}

int rotate_away(int folder, int64_t day)
{
    for (unsigned n = 0; n < SAME_DAY_MAX_COUNT; n++) {
        char name[ROTATE_NAME_BYTES], packed[ROTATE_NAME_BYTES + 4];
        rotate_name(day, n, name);
        (void)snprintf(packed, sizeof packed, "%s.gz", name);
        if (faccessat(folder, packed, F_OK, 0) == 0)
            continue;
        if (renameat2(folder, ROTATE_LIVE, folder, name, RENAME_NOREPLACE) == 0)
            return file_sync_folder(folder);
        if (errno != EEXIST)
            return RAISE(-errno);
    }
    return RAISE(FAULT_LIMIT);
}

/* ---- looking through the folder -------------------------------------------------------------------------- */

/* Calls on_file for each past file, as readdir() gives them, until it returns other than 0. */
static int each(int folder, int (*on_file)(const char *name, int64_t day, bool is_packed, void *arg), void *arg)
{
    const struct dirent *d;
    int64_t day;
    bool is_packed;
    int r = 0, fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        int error = errno;
        file_drop_fd(&fd);
        return RAISE(-error);
    }
    while (r == 0 && (errno = 0, d = readdir(dir)) != NULL) {
        if (rotate_read_name(d->d_name, &day, &is_packed))
            r = on_file(d->d_name, day, is_packed, arg);
    }
    if (r == 0 && errno != 0)
        r = RAISE(-errno);
    closedir(dir);
    return r;
}

struct oldest {
    char name[ROTATE_NAME_BYTES];
    int64_t day;
};

static int see_oldest(const char *name, int64_t day, bool is_packed, void *arg)
{
    struct oldest *o = arg;
    (void)is_packed;
    if (day < o->day) {
        o->day = day;
        (void)snprintf(o->name, sizeof o->name, "%s", name);
    }
    return 0;
}

int rotate_expire(int folder, int64_t first)
{
    for (int i = 0; i < ROTATE_GONE_MAX_COUNT; i++) {
        struct oldest o = {.day = first};
        TRY(each(folder, see_oldest, &o));
        if (o.day >= first)
            return 0;
        if (unlinkat(folder, o.name, 0) < 0 && errno != ENOENT)
            return RAISE(-errno);
    }
    return 0;
}

/* ---- compressing ----------------------------------------------------------------------------------------- */

static int see_unpacked(const char *name, int64_t day, bool is_packed, void *arg)
{
    (void)day;
    if (is_packed)
        return 0;
    (void)snprintf(arg, ROTATE_NAME_BYTES, "%s", name);
    return 1;
}

struct rotate_pack *rotate_pack_end(struct rotate_pack *p)
{
    if (p == NULL)
        return NULL;
    (void)deflateEnd(&p->z);
    file_drop_fd(&p->in);
    file_drop_fd(&p->out);
    (void)unlinkat(p->folder, PACKING, 0);
    free(p);
    return NULL;
}

/* Returns 0, ROTATE_NONE, or a fault. */
static int open_both(struct rotate_pack *p)
{
    int r = each(p->folder, see_unpacked, p->name);
    if (r <= 0)
        return r < 0 ? r : ROTATE_NONE;
    if (deflateInit2(&p->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_GZIP, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        return RAISE(-ENOMEM);
    if (file_open(p->folder, p->name, O_RDONLY, 0, &p->in) != 0)
        return RAISE(-ENOENT);
    if (unlinkat(p->folder, PACKING, 0) < 0 && errno != ENOENT)
        return RAISE(-errno);
    return file_open(p->folder, PACKING, O_WRONLY | O_CREAT | O_EXCL, 0640, &p->out) != 0 ? RAISE(-EEXIST) : 0;
}

int rotate_pack_begin(int folder, struct rotate_pack **ret_pack)
{
    SCOPED(drop_pack) struct rotate_pack *p = calloc(1, sizeof *p);
    if (p == NULL)
        return RAISE(-ENOMEM);
    p->folder = folder;
    p->in = p->out = -1;
    int r = open_both(p);
    if (r == 0)
        *ret_pack = TAKE(p);
    return r;
}

/* Everything that the compressor gives for what it was given. */
static int drain(struct rotate_pack *p, int flush)
{
    do {
        p->z.next_out = p->packed;
        p->z.avail_out = sizeof p->packed;
        if (deflate(&p->z, flush) == Z_STREAM_ERROR)
            return RAISE(FAULT_INTERNAL);
        TRY(file_write_all(p->out, bytes_of(p->packed, sizeof p->packed - p->z.avail_out)));
    } while (p->z.avail_out == 0);
    return 0;
}

static int finish(struct rotate_pack *p)
{
    char packed[ROTATE_NAME_BYTES + 4];
    (void)snprintf(packed, sizeof packed, "%s.gz", p->name);
    if (fsync(p->out) < 0 || renameat(p->folder, PACKING, p->folder, packed) < 0)
        return RAISE(-errno);
    TRY(file_sync_folder(p->folder));
    if (unlinkat(p->folder, p->name, 0) < 0 && errno != ENOENT)
        return RAISE(-errno);
    return 0;
}

int rotate_pack_step(struct rotate_pack *p)
{
    ssize_t n;
    do {
        n = read(p->in, p->bytes, sizeof p->bytes);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return RAISE(-errno);
    p->z.next_in = p->bytes;
    p->z.avail_in = (unsigned)n;
    TRY(drain(p, n > 0 ? Z_NO_FLUSH : Z_FINISH));
    return n > 0 ? ROTATE_MORE : finish(p);
}
