/* progress - see progress.h. */
#include "cli/progress.h"

#include <unistd.h>

#include "cli/cli.h"
#include "os/file.h"

enum { BAR_COLUMNS = 32, LINE_BYTES = 256 };

static bool is_drawn;

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
    TRY(buf_print(out, "%s  [", name));
    for (uint64_t i = 0; i < BAR_COLUMNS; i++)
        TRY(buf_append_text(out, i < part ? "#" : "."));
    return buf_print(out, "] %3llu%%  %llu/%llu", (unsigned long long)percent, (unsigned long long)done,
                     (unsigned long long)of);
}

void progress_show(struct cli *cli, const char *name, uint64_t done, uint64_t of)
{
    struct buf line;
    if (cli->is_quiet || !cli->is_tty_err)
        return;
    buf_init(&line, LINE_BYTES);
    if (buf_append_text(&line, "\r") == 0 && progress_line(&line, name, done, of) == 0 &&
        buf_append_text(&line, "\033[K") == 0)
        is_drawn = file_write_all(STDERR_FILENO, buf_view(&line)) == 0;
    buf_fini(&line);
}

void progress_end(struct cli *cli)
{
    (void)cli;
    if (is_drawn && file_write_all(STDERR_FILENO, BYTES_LITERAL("\n")) == 0)
        is_drawn = false;
}
