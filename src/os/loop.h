/*
 * loop - the event loop: epoll, timers, signals, child exits, and a hook at the end of each turn.
 *
 * One turn: wait, dispatch every ready source, run due timers, run the turn-end hooks in the order they were added.
 * The turn-end hook is where work is committed and replies leave: one loop turn is one transaction.
 * Invariant: no callback of a source runs after loop_remove() of it, even if its event was already fetched.
 *
 * A scripted loop takes its clock from loop_advance() instead of the kernel, so that deadlines are tested without
 * waiting. Source: epoll(7), signalfd(2), pidfd_open(2).
 */
#ifndef OS_LOOP_H
#define OS_LOOP_H

#include <signal.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/list.h"

struct loop;

enum loop_event {
    LOOP_READ = 1u << 0,   /* readable, or the peer sent its last byte */
    LOOP_WRITE = 1u << 1,  /* writable */
    LOOP_HANGUP = 1u << 2, /* error or both directions closed; always reported */
};

struct loop_source {
    struct loop *loop; /* NULL when not added */
    int fd;
    unsigned events;
    void (*on_event)(struct loop_source *source, unsigned events);
    struct list link; /* the loop's own, so that loop_free() can detach */
};

struct loop_timer {
    struct loop *loop;
    struct mono_time deadline;
    size_t at; /* place in the heap; SIZE_MAX when not set */
    void (*on_timer)(struct loop_timer *timer);
};

struct loop_hook {
    struct list link;
    void (*on_turn_end)(struct loop_hook *hook);
};

/* loop_new - a loop on the real clock. Returns 0 or a fault. */
int loop_new(struct loop **ret_loop) MUST_USE;

/* loop_new_scripted - a loop whose clock starts at 1 s and moves only by loop_advance(). Returns 0 or a fault. */
int loop_new_scripted(struct loop **ret_loop) MUST_USE;

/* loop_free - close the loop; sources and timers still added are detached, not freed. NULL is allowed. Returns NULL. */
struct loop *loop_free(struct loop *loop);

/*
 * loop_add - watch a descriptor.
 * source    storage of the caller, with on_event set; must stay in place until loop_remove()
 * fd        borrowed; not closed by the loop
 * events    LOOP_READ | LOOP_WRITE, or 0 for hang-up only
 * Returns 0 or -errno of epoll_ctl(2).
 */
int loop_add(struct loop *loop, struct loop_source *source, int fd, unsigned events) MUST_USE;

/* loop_modify - change what is watched; a call that changes nothing costs no system call. Returns 0 or -errno. */
int loop_modify(struct loop_source *source, unsigned events) MUST_USE;

/* loop_remove - stop watching; before the descriptor is closed. Does nothing if the source is not added. */
void loop_remove(struct loop_source *source);

/* loop_timer_init - a timer that is not set. */
void loop_timer_init(struct loop_timer *timer, void (*on_timer)(struct loop_timer *timer));

/* loop_timer_set - call on_timer once at `deadline`; replaces an earlier deadline. O(log timers). 0 or -ENOMEM. */
int loop_timer_set(struct loop *loop, struct loop_timer *timer, struct mono_time deadline) MUST_USE;

/* loop_timer_cancel - forget the deadline, if there is one. O(log timers). */
void loop_timer_cancel(struct loop_timer *timer);

/* loop_add_hook - run `hook` at the end of every turn, after those added before it, until loop_remove_hook(). */
void loop_add_hook(struct loop *loop, struct loop_hook *hook);
void loop_remove_hook(struct loop_hook *hook);

/*
 * loop_add_signals - block the signals of `set` in this thread and report them from the loop.
 * on_signal  called once a signal that arrived, with its number
 * Returns 0 or -errno. At most once a loop.
 */
int loop_add_signals(struct loop *loop, const sigset_t *set, void (*on_signal)(int signal, void *arg),
                     void *arg) MUST_USE;

/* loop_now - the time at which this turn began (the real time outside a turn); costs nothing inside a turn. */
struct mono_time loop_now(const struct loop *loop);

/* loop_run - turn until loop_stop(). Returns the code given there, or a fault of epoll_wait(2). */
int loop_run(struct loop *loop) MUST_USE;

/* loop_stop - end loop_run() after the turn-end hooks of this turn. code >= 0. The first call counts. */
void loop_stop(struct loop *loop, int code);

/*
 * loop_advance - scripted loops: move the clock by `us` in steps from deadline to deadline, turning until quiet.
 * Ends early once loop_stop() was called. Returns 0, FAULT_LIMIT if a step never becomes quiet, or -errno.
 */
int loop_advance(struct loop *loop, int64_t us) MUST_USE;

#endif
