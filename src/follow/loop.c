/* loop - see loop.h. */
#include "follow/loop.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "os/ready.h"

enum { HIGH_AHEAD_COUNT = 1024, EXIT_TEMPORARY = 75 /* as in sysexits.h */ };
#define WAIT_FIRST_US (200 * US_PER_MS)
#define WAIT_MAX_US (30 * US_PER_S)
#define SAVE_PAUSE_US US_PER_S

/* ---- saying it ------------------------------------------------------------------------------------------- */

static void tell_manager(const char *state, const char *why)
{
    char text[SOURCE_WHY_BYTES + 64];
    (void)snprintf(text, sizeof text, "%s%s", state, why);
    int r = ready_notify(text);
    if (r < 0)
        LOG_DEBUG("cannot tell the service manager: %s", fault_text(r));
}

/* Said once, until it is over. */
static void say_away(bool *has_said, const char *what, const char *why)
{
    if (!*has_said) {
        LOG_WARNING("%s: %s", what, why);
        tell_manager("STATUS=waits: ", why);
    }
    *has_said = true;
}

static void say_back(struct follow_loop *f, bool *has_said, const char *what)
{
    if (*has_said)
        LOG_INFO("%s: there again", what);
    *has_said = false;
    if (!f->has_said_source && !f->has_said_sink)
        tell_manager("STATUS=follows", "");
}

/* ---- the cursor ------------------------------------------------------------------------------------------ */

static int save(struct follow_loop *f)
{
    f->cursor.saved_us = clock_wall_now().us;
    TRY(cursor_save(&f->file, &f->cursor));
    f->saved = f->cursor;
    f->saved_at = clock_mono_now();
    return 0;
}

static bool wants_save(const struct follow_loop *f)
{
    return f->cursor.place.next != f->saved.place.next || f->cursor.anchored_us != f->saved.anchored_us ||
           f->cursor.size != f->saved.size || f->cursor.gaps != f->saved.gaps ||
           strcmp(f->cursor.why, f->saved.why) != 0;
}

/* What the sink keeps; and the state in words, for who looks. */
static void note(struct follow_loop *f)
{
    const char *why = f->has_said_sink ? f->sink->why : f->has_said_source ? f->source.why : "";
    f->cursor.place = f->sink->kept;
    f->cursor.size = f->sink->size;
    f->cursor.anchored_us = f->sink->anchored_us;
    f->cursor.gaps += f->source.gaps;
    if (f->source.gaps > 0)
        LOG_WARNING("%llu records were not there any more", (unsigned long long)f->source.gaps);
    f->source.gaps = 0;
    memcpy(f->cursor.why, why, strnlen(why, sizeof f->cursor.why - 1) + 1);
}

/* ---- connections ----------------------------------------------------------------------------------------- */

static void later(struct mono_time now, int64_t *wait_us, struct mono_time *at)
{
    *at = clock_mono_add(now, *wait_us);
    *wait_us = MIN_OF(*wait_us * 2, WAIT_MAX_US);
}

/* What it did not keep is given to it again, so the stream begins anew as well. */
static void close_sink(struct follow_loop *f, struct mono_time now)
{
    f->repeats_below = MAX_OF(f->repeats_below, f->sink->given.next);
    f->sink->kind->close(f->sink);
    source_leave(&f->source);
    f->is_up = f->sink->is_well = false;
    f->source_at = now;
}

static void lose_sink(struct follow_loop *f, struct mono_time now)
{
    say_away(&f->has_said_sink, f->sink->kind->name, f->sink->why);
    note(f);
    close_sink(f, now);
    later(now, &f->sink_wait_us, &f->sink_at);
}

static int open_sink(struct follow_loop *f, struct mono_time now)
{
    int r = f->sink->kind->open(f->sink, &f->cursor);
    TRY(r);
    f->sink->given = f->sink->kept = f->cursor.place;
    f->sink->anchored_us = f->cursor.anchored_us;
    if (r == SINK_DOWN) {
        lose_sink(f, now);
        return 0;
    }
    f->is_up = true;
    return 0;
}

/* Everything may be new: it is given from the first record on. */
static int begin_anew(struct follow_loop *f, struct mono_time now)
{
    if (f->sink->kind->is_faithful) {
        say_away(&f->has_said_source, "not the trail that was followed", f->source.why);
        later(now, &f->source_wait_us, &f->source_at);
        return 0;
    }
    LOG_WARNING("%s; everything is sent again", f->source.why);
    note(f);
    f->cursor.place = (struct source_place){0};
    f->cursor.others++;
    close_sink(f, now);
    f->sink_at = now;
    return save(f);
}

static int join_source(struct follow_loop *f, struct mono_time now)
{
    int r = source_join(&f->source, &f->sink->given);
    if (r == SOURCE_OTHER)
        return begin_anew(f, now);
    if (r == SOURCE_DOWN) {
        say_away(&f->has_said_source, "the registry", f->source.why);
        later(now, &f->source_wait_us, &f->source_at);
        return 0;
    }
    TRY(r);
    say_back(f, &f->has_said_source, "the registry");
    f->source_wait_us = WAIT_FIRST_US;
    return 0;
}

/* ---- records --------------------------------------------------------------------------------------------- */

/* Gives one record. Whatever was sent is below the `high` on the disk, so that after any end it is known as a repeat.
 */
static int give(struct follow_loop *f, struct bytes bytes, const struct record *r)
{
    struct format_item item = {
        .record = r, .bytes = bytes, .leaf = f->source.place.last, .is_repeat = r->seq < f->repeats_below};
    item.base = buf_view(&f->source.base);
    if (r->seq >= f->cursor.high) {
        note(f);
        f->cursor.high = r->seq + HIGH_AHEAD_COUNT;
        TRY(save(f));
    }
    int x = f->sink->kind->put(f->sink, &item);
    if (x == 0)
        f->sink->given = f->source.place;
    return x;
}

static void lose_source(struct follow_loop *f, struct mono_time now)
{
    say_away(&f->has_said_source, "the registry", f->source.why);
    later(now, &f->source_wait_us, &f->source_at);
}

/* Hands over what has come, as much as the sink takes. Returns 0, or a fault. */
static int hand_over(struct follow_loop *f, struct mono_time now)
{
    struct bytes bytes;
    struct record r;
    while (f->is_up && source_fd(&f->source) >= 0 && buf_size(&f->sink->out) < SINK_BUSY_BYTES) {
        int x = source_next(&f->source, &bytes, &r);
        if (x == SOURCE_EMPTY)
            return 0;
        if (x == SOURCE_OTHER)
            return begin_anew(f, now);
        if (x == SOURCE_DOWN)
            lose_source(f, now);
        TRY(x);
        x = x == 0 ? give(f, bytes, &r) : 0;
        if (x == SINK_DOWN)
            lose_sink(f, now);
        TRY(x);
    }
    return 0;
}

static int receive(struct follow_loop *f, struct mono_time now)
{
    int r = source_receive(&f->source);
    if (r == SOURCE_DOWN)
        lose_source(f, now);
    return r < 0 ? r : hand_over(f, now);
}

static int flush(struct follow_loop *f, struct mono_time now)
{
    uint64_t kept = f->sink->kept.next;
    int r = f->sink->kind->flush(f->sink, now);
    if (r == SINK_DOWN)
        lose_sink(f, now);
    TRY(r);
    if (r == 0 && f->sink->kept.next > kept) {
        say_back(f, &f->has_said_sink, f->sink->kind->name);
        f->sink_wait_us = WAIT_FIRST_US;
    }
    return 0;
}

/* ---- the loop -------------------------------------------------------------------------------------------- */

static bool is_all_kept(const struct follow_loop *f)
{
    const struct source_place *done = f->sink->kind->sees_again ? &f->sink->given : &f->sink->kept;
    return f->is_up && source_fd(&f->source) >= 0 && f->source.end != UINT64_MAX &&
           f->source.place.next >= f->source.end && done->next == f->source.place.next;
}

/* One round. Returns 0, or a fault. */
static int step(struct follow_loop *f, bool has_come)
{
    struct mono_time now = clock_mono_now();
    if (!f->is_up && clock_mono_passed(now, f->sink_at))
        TRY(open_sink(f, now));
    if (f->is_up && source_fd(&f->source) < 0 && clock_mono_passed(now, f->source_at))
        TRY(join_source(f, now));
    TRY(has_come && source_fd(&f->source) >= 0 ? receive(f, now) : hand_over(f, now));
    if (f->is_up)
        TRY(flush(f, now));
    if (f->is_up)
        note(f);
    if (f->sink->is_well)
        f->well_at = now;
    if (wants_save(f) && clock_mono_passed(now, clock_mono_add(f->saved_at, SAVE_PAUSE_US)))
        TRY(save(f));
    return 0;
}

static int wait_ms(const struct follow_loop *f)
{
    struct mono_time now = clock_mono_now(), at = {INT64_MAX};
    if (!f->is_up)
        at.us = MIN_OF(at.us, f->sink_at.us);
    if (f->is_up && source_fd(&f->source) < 0)
        at.us = MIN_OF(at.us, f->source_at.us);
    if (f->is_up)
        at.us = MIN_OF(at.us, f->sink->wake.us);
    if (f->sink->give_up_us > 0 && !f->sink->is_well)
        at.us = MIN_OF(at.us, clock_mono_add(f->well_at, f->sink->give_up_us).us);
    if (wants_save(f))
        at.us = MIN_OF(at.us, clock_mono_add(f->saved_at, SAVE_PAUSE_US).us);
    if (at.us == INT64_MAX)
        return -1;
    return at.us <= now.us ? 0 : (int)MIN_OF((at.us - now.us + 999) / 1000, (int64_t)INT32_MAX);
}

/* Waits. Returns true if a signal came. */
static bool wait_for_something(const struct follow_loop *f, int signal_fd, bool *ret_has_come)
{
    bool is_busy = buf_size(&f->sink->out) >= SINK_BUSY_BYTES;
    struct pollfd p[3] = {{.fd = signal_fd, .events = POLLIN},
                          {.fd = f->is_up && !is_busy ? source_fd(&f->source) : -1, .events = POLLIN},
                          {.fd = f->is_up ? f->sink->fd : -1, .events = f->sink->events}};
    int n = poll(p, COUNT_OF(p), wait_ms(f));
    *ret_has_come = n > 0 && p[1].revents != 0;
    return n > 0 && p[0].revents != 0;
}

/* What was sent is known exactly now. */
static int finish(struct follow_loop *f)
{
    f->cursor.high = MAX_OF(f->repeats_below, f->sink->given.next);
    return save(f);
}

int follow_loop_run(struct follow_loop *f, int signal_fd)
{
    bool has_come = false;
    int r;
    f->source_wait_us = f->sink_wait_us = WAIT_FIRST_US;
    f->sink_at = f->source_at = f->well_at = clock_mono_now();
    f->saved = f->cursor;
    f->repeats_below = f->cursor.high;
    f->sink->given = f->sink->kept = f->cursor.place;
    tell_manager("READY=1\nSTATUS=follows", "");
    while ((r = step(f, has_come)) == 0) {
        bool is_lost = f->sink->give_up_us > 0 &&
                       clock_mono_passed(clock_mono_now(), clock_mono_add(f->well_at, f->sink->give_up_us));
        if (is_lost || (f->is_once && is_all_kept(f)))
            return finish(f) < 0 ? 1 : is_lost ? EXIT_TEMPORARY : 0;
        if (wait_for_something(f, signal_fd, &has_come))
            return finish(f) < 0 ? 1 : 0;
    }
    LOG_ERROR("cannot go on: %s", fault_text(r));
    return 1;
}
