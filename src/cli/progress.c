/* progress - see progress.h. */
#include "cli/progress.h"

#include <unistd.h>

#include "cli/cli.h"
#include "os/file.h"

enum { BAR_COLUMNS = 30, LINE_BYTES = 256 };

#define BAR_AFTER_US US_PER_S
#define BAR_EACH_US (100 * US_PER_MS)

/* `done` in parts of `of`, of which there are `parts`: at most 100, so nothing overflows below 2^57. */
static uint64_t share(uint64_t done, uint64_t of, uint64_t parts)
{
    assert(parts <= 100);
    if (done >= of)
        return parts;
    return of > UINT64_MAX / 128 ? done / (of / parts) : done * parts / of;
}

int progress_line(struct buf *out, const char *name, uint64_t done, uint64_t of)
{
    uint64_t part = share(done, of, BAR_COLUMNS), percent = share(done, of, 100);
    if (of == 0)
        return buf_print(out, "%s, %llu so far", name, (unsigned long long)done);
    TRY(buf_print(out, "%s [", name));
    for (uint64_t i = 0; i < BAR_COLUMNS; i++)
        TRY(buf_append_text(out, i < part ? "#" : "."));
    return buf_print(out, "] %3llu%%, %llu of %llu", (unsigned long long)percent, (unsigned long long)done,
                     (unsigned long long)of);
}

void progress_init(struct progress *p, const struct cli *cli)
{
    *p = (struct progress){.cli = cli, .next = clock_mono_add(clock_mono_now(), BAR_AFTER_US)};
}

void progress_show(struct progress *p, const char *name, uint64_t done, uint64_t of)
{
    struct mono_time now = clock_mono_now();
    struct buf line;
    if (p->cli->is_quiet || !p->cli->is_tty_err || !clock_mono_passed(now, p->next))
        return;
    p->next = clock_mono_add(now, BAR_EACH_US);
    buf_init(&line, LINE_BYTES);
    if (buf_append_text(&line, "\r") == 0 && progress_line(&line, name, done, of) == 0 &&
        buf_append_text(&line, "\033[K") == 0 && file_write_all(STDERR_FILENO, buf_view(&line)) == 0)
        p->is_shown = true;
    buf_fini(&line);
}

void progress_clear(struct progress *p)
{
    if (p->is_shown && file_write_all(STDERR_FILENO, BYTES_LITERAL("\r\033[K")) == 0)
        p->is_shown = false;
}
