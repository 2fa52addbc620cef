/* progress - see progress.h. */
#include "cli/progress.h"

#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

enum { BAR_WIDTH = 30 };

#define BAR_AFTER_US US_PER_S
#define BAR_EACH_US (100 * US_PER_MS)

void progress_init(struct progress *p, const struct cli *cli)
{
    *p = (struct progress){.cli = cli, .next = clock_mono_add(clock_mono_now(), BAR_AFTER_US)};
}

void progress_show(struct progress *p, const char *what, size_t done, size_t total)
{
    struct mono_time now = clock_mono_now();
    char bar[BAR_WIDTH + 1];
    if (p->cli->is_quiet || !p->cli->is_tty_err || !clock_mono_passed(now, p->next))
        return;
    assert(total == 0 || done <= total);
    p->next = clock_mono_add(now, BAR_EACH_US);
    p->is_shown = true;
    if (total == 0) {
        fprintf(stderr, "\r%s, %zu so far ", what, done);
        return;
    }
    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', done * BAR_WIDTH / total);
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "\r%s [%s] %zu of %zu ", what, bar, done, total);
}

void progress_clear(struct progress *p)
{
    if (p->is_shown)
        fputs("\r\033[K", stderr);
    p->is_shown = false;
}
