/*
 * loop - see loop.h.
 *
 * Level-triggered epoll and one binary heap of deadlines. Events are fetched in batches of LOOP_FETCH_COUNT; the batch
 * is part of the loop, so that loop_remove() can strike out an event that was fetched but not yet dispatched.
 * Invariant: timers[i]->at == i for every i < timers_count, and no timer is due before its parent in the heap.
 */
#include "os/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    LOOP_FETCH_COUNT = 64,
    LOOP_SIGNALS_COUNT = 8,
    LOOP_TIMERS_FIRST_COUNT = 16,
    LOOP_QUIET_TURNS_MAX_COUNT = 10000
};

struct loop {
    int epoll_fd;
    bool is_scripted, in_turn;
    int stop_code; /* -1: not stopped */
    struct mono_time now;
    struct list sources, hooks;
    struct loop_timer **timers;
    size_t timers_count, timers_cap;
    struct epoll_event fetched[LOOP_FETCH_COUNT];
    size_t fetched_count;
    struct loop_source signals;
    void (*on_signal)(int signal, void *arg);
    void *on_signal_arg;
};

SCOPED_DROP(loop_drop, struct loop, loop_free)

int loop_new(struct loop **ret_loop)
{
    SCOPED(loop_drop) struct loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return RAISE(-ENOMEM);
    list_init(&loop->sources);
    list_init(&loop->hooks);
    loop->stop_code = -1;
    loop->signals.fd = -1;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0)
        return RAISE(-errno);
    *ret_loop = TAKE(loop);
    return 0;
}

int loop_new_scripted(struct loop **ret_loop)
{
    TRY(loop_new(ret_loop));
    (*ret_loop)->is_scripted = true;
    (*ret_loop)->now = (struct mono_time){US_PER_S};
    return 0;
}

struct loop *loop_free(struct loop *loop)
{
    if (loop == NULL)
        return NULL;
    assert(!loop->in_turn);
    LIST_EACH_SAFE(it, &loop->sources) {
        CONTAINER_OF(it, struct loop_source, link)->loop = NULL;
        list_unlink(it);
    }
    LIST_EACH_SAFE(it, &loop->hooks)
        list_unlink(it);
    while (loop->timers_count > 0)
        loop_timer_cancel(loop->timers[loop->timers_count - 1]);
    free(loop->timers);
    if (loop->signals.fd >= 0)
        close(loop->signals.fd);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    free(loop);
    return NULL;
}

/* ---- sources --------------------------------------------------------------------------------------------- */

static int control(struct loop *loop, int op, struct loop_source *source, int fd, unsigned events)
{
    struct epoll_event e = {.data.ptr = source};
    assert((events & ~(unsigned)(LOOP_READ | LOOP_WRITE)) == 0);
    if (events & LOOP_READ)
        e.events |= (uint32_t)EPOLLIN | (uint32_t)EPOLLRDHUP;
    if (events & LOOP_WRITE)
        e.events |= (uint32_t)EPOLLOUT;
    return epoll_ctl(loop->epoll_fd, op, fd, &e) < 0 ? RAISE(-errno) : 0;
}

int loop_add(struct loop *loop, struct loop_source *source, int fd, unsigned events)
{
    assert(source->loop == NULL && source->on_event != NULL && fd >= 0);
    TRY(control(loop, EPOLL_CTL_ADD, source, fd, events));
    source->loop = loop;
    source->fd = fd;
    source->events = events;
    list_init(&source->link);
    list_append(&loop->sources, &source->link);
    return 0;
}

int loop_modify(struct loop_source *source, unsigned events)
{
    assert(source->loop != NULL);
    if (events == source->events)
        return 0;
    TRY(control(source->loop, EPOLL_CTL_MOD, source, source->fd, events));
    source->events = events;
    return 0;
}

void loop_remove(struct loop_source *source)
{
    struct loop *loop = source->loop;
    if (loop == NULL)
        return;
    /* It can fail only when the descriptor was closed first: then the kernel may go on reporting a dead source. */
    int r = control(loop, EPOLL_CTL_DEL, source, source->fd, 0);
    assert(r == 0);
    for (size_t i = 0; i < loop->fetched_count; i++) {
        if (loop->fetched[i].data.ptr == source)
            loop->fetched[i].data.ptr = NULL;
    }
    list_unlink(&source->link);
    source->loop = NULL;
}

static unsigned events_of_epoll(uint32_t e)
{
    unsigned events = 0;
    if (e & ((uint32_t)EPOLLIN | (uint32_t)EPOLLRDHUP))
        events |= LOOP_READ;
    if (e & (uint32_t)EPOLLOUT)
        events |= LOOP_WRITE;
    if (e & ((uint32_t)EPOLLHUP | (uint32_t)EPOLLERR))
        events |= LOOP_HANGUP;
    return events;
}

static void dispatch_sources(struct loop *loop)
{
    for (size_t i = 0; i < loop->fetched_count; i++) {
        struct loop_source *source = loop->fetched[i].data.ptr;
        if (source == NULL)
            continue;
        /* A callback before this one may have called loop_modify(): what is no longer wanted is not reported. */
        unsigned events = events_of_epoll(loop->fetched[i].events) & (source->events | LOOP_HANGUP);
        if (events != 0)
            source->on_event(source, events);
    }
    loop->fetched_count = 0;
}

/* ---- timers ---------------------------------------------------------------------------------------------- */

static bool is_due_before(const struct loop *loop, size_t a, size_t b)
{
    return loop->timers[a]->deadline.us < loop->timers[b]->deadline.us;
}

static void swap(struct loop *loop, size_t a, size_t b)
{
    struct loop_timer *timer = loop->timers[a];
    loop->timers[a] = loop->timers[b];
    loop->timers[b] = timer;
    loop->timers[a]->at = a;
    loop->timers[b]->at = b;
}

/* Restores the order of the heap around `at`, in the one direction that it can be broken in. */
static void sift(struct loop *loop, size_t at)
{
    for (; at > 0 && is_due_before(loop, at, (at - 1) / 2); at = (at - 1) / 2)
        swap(loop, at, (at - 1) / 2);
    for (;;) {
        size_t first = at, child = 2 * at + 1;
        if (child < loop->timers_count && is_due_before(loop, child, first))
            first = child;
        if (child + 1 < loop->timers_count && is_due_before(loop, child + 1, first))
            first = child + 1;
        if (first == at)
            return;
        swap(loop, at, first);
        at = first;
    }
}

void loop_timer_init(struct loop_timer *timer, void (*on_timer)(struct loop_timer *timer))
{
    assert(on_timer != NULL);
    *timer = (struct loop_timer){.at = SIZE_MAX, .on_timer = on_timer};
}

static int reserve_timer(struct loop *loop)
{
    if (loop->timers_count < loop->timers_cap)
        return 0;
    size_t cap = MAX_OF(loop->timers_cap * 2, (size_t)LOOP_TIMERS_FIRST_COUNT);
    struct loop_timer **timers = realloc(loop->timers, cap * sizeof(struct loop_timer *));
    if (timers == NULL)
        return RAISE(-ENOMEM);
    loop->timers = timers;
    loop->timers_cap = cap;
    return 0;
}

int loop_timer_set(struct loop *loop, struct loop_timer *timer, struct mono_time deadline)
{
    assert(timer->at == SIZE_MAX || timer->loop == loop);
    if (timer->at == SIZE_MAX) {
        TRY(reserve_timer(loop));
        timer->loop = loop;
        timer->at = loop->timers_count++;
        loop->timers[timer->at] = timer;
    }
    timer->deadline = deadline;
    sift(loop, timer->at);
    return 0;
}

void loop_timer_cancel(struct loop_timer *timer)
{
    struct loop *loop = timer->loop;
    size_t at = timer->at;
    if (at == SIZE_MAX)
        return;
    assert(at < loop->timers_count && loop->timers[at] == timer);
    size_t last = --loop->timers_count;
    if (at != last) {
        swap(loop, at, last);
        sift(loop, at);
    }
    timer->at = SIZE_MAX;
    timer->loop = NULL;
}

static bool has_due_timer(const struct loop *loop)
{
    return loop->timers_count > 0 && clock_mono_passed(loop->now, loop->timers[0]->deadline);
}

/* A timer that sets itself again for the past runs again in the next turn: sources and hooks get their share. */
static size_t run_timers(struct loop *loop)
{
    size_t ran = 0;
    for (size_t left = loop->timers_count; left > 0 && has_due_timer(loop); left--) {
        struct loop_timer *timer = loop->timers[0];
        loop_timer_cancel(timer);
        timer->on_timer(timer);
        ran++;
    }
    return ran;
}

/* ---- hooks ----------------------------------------------------------------------------------------------- */

void loop_add_hook(struct loop *loop, struct loop_hook *hook)
{
    assert(hook->on_turn_end != NULL);
    list_init(&hook->link);
    list_append(&loop->hooks, &hook->link);
}

void loop_remove_hook(struct loop_hook *hook)
{
    list_unlink(&hook->link);
}

/* The cursor stands behind the hook that runs, so that a hook may remove any hook, itself and the next one included. */
static void run_hooks(struct loop *loop)
{
    struct list cursor;
    list_init(&cursor);
    for (struct list *it = loop->hooks.next; it != &loop->hooks; it = cursor.next) {
        list_unlink(&cursor);
        list_append(it->next, &cursor);
        struct loop_hook *hook = CONTAINER_OF(it, struct loop_hook, link);
        hook->on_turn_end(hook);
    }
    list_unlink(&cursor);
}

/* ---- signals --------------------------------------------------------------------------------------------- */

static void on_signals(struct loop_source *source, unsigned events)
{
    struct signalfd_siginfo info[LOOP_SIGNALS_COUNT];
    struct loop *loop = source->loop;
    (void)events;
    ssize_t n = read(source->fd, info, sizeof info);
    assert(n < 0 || (size_t)n % sizeof info[0] == 0);
    for (ssize_t i = 0; i < n / (ssize_t)sizeof info[0]; i++)
        loop->on_signal((int)info[i].ssi_signo, loop->on_signal_arg);
}

int loop_add_signals(struct loop *loop, const sigset_t *set, void (*on_signal)(int signal, void *arg), void *arg)
{
    assert(loop->signals.fd < 0 && on_signal != NULL);
    int fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return RAISE(-errno);
    loop->signals = (struct loop_source){.fd = -1, .on_event = on_signals};
    loop->on_signal = on_signal;
    loop->on_signal_arg = arg;
    int r = loop_add(loop, &loop->signals, fd, LOOP_READ);
    if (r < 0) {
        close(fd);
        return r;
    }
    return sigprocmask(SIG_BLOCK, set, NULL) < 0 ? RAISE(-errno) : 0;
}

/* ---- turns ----------------------------------------------------------------------------------------------- */

struct mono_time loop_now(const struct loop *loop)
{
    return loop->is_scripted || loop->in_turn ? loop->now : clock_mono_now();
}

/* Rounded up: a wait that ends a fraction too early would turn the loop idly until the deadline. */
static int wait_ms(const struct loop *loop)
{
    if (loop->is_scripted)
        return 0;
    if (loop->timers_count == 0)
        return -1;
    int64_t left_us = loop->timers[0]->deadline.us, now_us = clock_mono_now().us;
    if (left_us <= now_us)
        return 0;
    left_us -= now_us;
    return (int)MIN_OF(left_us / US_PER_MS + (left_us % US_PER_MS != 0), (int64_t)INT_MAX);
}

/* One turn. ret_busy: true if an event or a timer was dispatched. */
static int turn(struct loop *loop, bool *ret_busy)
{
    assert(!loop->in_turn);
    int n = epoll_wait(loop->epoll_fd, loop->fetched, LOOP_FETCH_COUNT, wait_ms(loop));
    if (n < 0 && errno != EINTR)
        return RAISE(-errno);
    loop->fetched_count = n > 0 ? (size_t)n : 0;
    if (!loop->is_scripted)
        loop->now = clock_mono_now();
    loop->in_turn = true;
    dispatch_sources(loop);
    size_t ran = run_timers(loop);
    run_hooks(loop);
    loop->in_turn = false;
    *ret_busy = n > 0 || ran > 0;
    return 0;
}

int loop_run(struct loop *loop)
{
    bool busy;
    while (loop->stop_code < 0)
        TRY(turn(loop, &busy));
    int code = loop->stop_code;
    loop->stop_code = -1;
    return code;
}

void loop_stop(struct loop *loop, int code)
{
    assert(code >= 0);
    if (loop->stop_code < 0)
        loop->stop_code = code;
}

static int turn_until_quiet(struct loop *loop)
{
    bool busy = true;
    for (int turns = 0; busy && loop->stop_code < 0; turns++) {
        if (turns == LOOP_QUIET_TURNS_MAX_COUNT)
            return RAISE(FAULT_LIMIT);
        TRY(turn(loop, &busy));
    }
    return 0;
}

int loop_advance(struct loop *loop, int64_t us)
{
    assert(loop->is_scripted && us >= 0);
    struct mono_time target = clock_mono_add(loop->now, us);
    TRY(turn_until_quiet(loop));
    while (loop->stop_code < 0 && loop->now.us < target.us) {
        bool has_step = loop->timers_count > 0 && clock_mono_passed(target, loop->timers[0]->deadline);
        loop->now = has_step ? loop->timers[0]->deadline : target;
        TRY(turn_until_quiet(loop));
    }
    return 0;
}
