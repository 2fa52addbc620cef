/* Tests of loop: dispatch and removal, order of timers under a scripted clock, hooks, signals, the real clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "fail-alloc.h"
#include "os/loop.h"

enum { PAIRS_COUNT = 100, TIMERS_COUNT = 300 };

static void on_signal(int number, void *arg);

/* A watched socket: what it saw, and what it is to do when it sees something. */
struct watch {
    struct loop_source source;
    struct watch *victim; /* removed by the callback */
    unsigned seen, calls;
    int peer;
    bool drains;
    int stop_code;           /* -1: go on */
    unsigned modify_to;      /* with modified */
    struct watch *modified;  /* modified by the callback */
    struct loop_timer timer; /* for tests that mix both */
};

static void on_watch(struct loop_source *source, unsigned events)
{
    struct watch *w = CONTAINER_OF(source, struct watch, source);
    char c;
    w->seen |= events;
    w->calls++;
    if (w->drains)
        assert_true(read(source->fd, &c, 1) >= 0);
    if (w->victim != NULL)
        loop_remove(&w->victim->source);
    if (w->modified != NULL)
        assert_int_equal(loop_modify(&w->modified->source, w->modify_to), 0);
    if (w->stop_code >= 0)
        loop_stop(source->loop, w->stop_code);
}

static void watch_open(struct watch *w, struct loop *loop, unsigned events)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    *w = (struct watch){.source.on_event = on_watch, .peer = fds[1], .stop_code = -1};
    assert_int_equal(loop_add(loop, &w->source, fds[0], events), 0);
}

static void watch_close(struct watch *w)
{
    loop_remove(&w->source);
    close(w->source.fd);
    if (w->peer >= 0)
        close(w->peer);
}

static struct loop *scripted(void)
{
    struct loop *loop = NULL;
    assert_int_equal(loop_new_scripted(&loop), 0);
    return loop;
}

static void test_events(void **state)
{
    struct loop *loop = scripted();
    struct watch w;
    (void)state;
    watch_open(&w, loop, LOOP_READ);
    assert_int_equal(loop_advance(loop, 0), 0);
    assert_int_equal(w.calls, 0);
    w.drains = true;
    assert_int_equal(write(w.peer, "xy", 2), 2);
    assert_int_equal(loop_advance(loop, 0), 0);
    assert_int_equal(w.seen, LOOP_READ);
    assert_int_equal(w.calls, 2); /* level-triggered: once a byte */
    assert_int_equal(loop_modify(&w.source, LOOP_READ), 0);
    assert_int_equal(loop_modify(&w.source, LOOP_READ | LOOP_WRITE), 0);
    w.seen = 0;
    w.drains = false;
    w.modified = &w;
    w.modify_to = LOOP_READ;
    assert_int_equal(loop_advance(loop, 0), 0);
    assert_int_equal(w.seen, LOOP_WRITE);
    watch_close(&w);
    assert_null(loop_free(loop));
}

static void test_hangup(void **state)
{
    struct loop *loop = scripted();
    struct watch half, closed;
    (void)state;
    watch_open(&half, loop, LOOP_READ);
    half.modified = &half; /* stop reading after the first report, or it would go on for ever */
    assert_int_equal(shutdown(half.peer, SHUT_WR), 0);
    assert_int_equal(loop_advance(loop, 0), 0);
    assert_int_equal(half.seen, LOOP_READ);
    watch_open(&closed, loop, 0);
    close(closed.peer);
    closed.peer = -1;
    closed.victim = &closed;
    assert_int_equal(loop_advance(loop, 0), 0);
    assert_int_equal(closed.seen, LOOP_HANGUP);
    assert_null(closed.source.loop);
    watch_close(&half);
    watch_close(&closed);
    loop_free(loop);
}

static void test_remove_strikes_out_fetched_events(void **state)
{
    struct loop *loop = scripted();
    struct watch a, b;
    (void)state;
    watch_open(&a, loop, LOOP_READ);
    watch_open(&b, loop, LOOP_READ);
    a.victim = &b;
    b.victim = &a;
    a.drains = b.drains = true;
    assert_int_equal(write(a.peer, "x", 1), 1);
    assert_int_equal(write(b.peer, "x", 1), 1);
    assert_int_equal(loop_advance(loop, 0), 0);
    assert_int_equal(a.calls + b.calls, 1); /* both were fetched; the first called removed the other */
    loop_remove(&a.source);
    loop_remove(&a.source);
    watch_close(&a);
    watch_close(&b);
    loop_free(loop);
}

static void test_modify_withdraws_fetched_events(void **state)
{
    struct loop *loop = scripted();
    struct watch a, b;
    (void)state;
    watch_open(&a, loop, LOOP_READ);
    watch_open(&b, loop, LOOP_READ);
    a.modified = &b;
    b.modified = &a;
    a.drains = b.drains = true;
    assert_int_equal(write(a.peer, "x", 1), 1);
    assert_int_equal(write(b.peer, "x", 1), 1);
    assert_int_equal(loop_advance(loop, 0), 0);
    assert_int_equal(a.calls + b.calls, 1);
    watch_close(&a);
    watch_close(&b);
    loop_free(loop);
}

static void test_more_sources_than_one_batch(void **state)
{
    static struct watch w[PAIRS_COUNT];
    struct loop *loop = scripted();
    (void)state;
    for (size_t i = 0; i < PAIRS_COUNT; i++) {
        watch_open(&w[i], loop, LOOP_READ);
        w[i].drains = true;
        assert_int_equal(write(w[i].peer, "x", 1), 1);
    }
    assert_int_equal(loop_advance(loop, 0), 0);
    for (size_t i = 0; i < PAIRS_COUNT; i++) {
        assert_int_equal(w[i].calls, 1);
        watch_close(&w[i]);
    }
    loop_free(loop);
}

static void test_add_refused(void **state)
{
    struct loop *loop = scripted();
    struct loop_source source = {.on_event = on_watch}, again = source;
    int fds[2];
    (void)state;
    int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    int folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(file >= 0 && folder >= 0);
    assert_int_equal(loop_add(loop, &source, folder, LOOP_READ), -EPERM);
    assert_null(source.loop);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(loop_add(loop, &source, fds[0], LOOP_READ), 0);
    assert_int_equal(loop_add(loop, &again, fds[0], LOOP_READ), -EEXIST);
    assert_null(again.loop);
    loop_free(loop); /* detaches what is still added */
    assert_null(source.loop);
    loop_remove(&source);
    close(file);
    close(folder);
    close(fds[0]);
    close(fds[1]);
}

/* ---- timers ---------------------------------------------------------------------------------------------- */

static struct {
    int64_t fired_us[2 * TIMERS_COUNT];
    size_t count;
    int64_t again_us; /* > 0: set again this much later, `left` times */
    unsigned left;
    struct loop *loop;
} timers_seen;

static void on_timer(struct loop_timer *timer)
{
    assert_int_equal(timer->at, SIZE_MAX); /* not set any more, so that it may be set or freed */
    assert_true(timers_seen.count < COUNT_OF(timers_seen.fired_us));
    assert_int_equal(loop_now(timers_seen.loop).us, timer->deadline.us);
    timers_seen.fired_us[timers_seen.count++] = timer->deadline.us;
    if (timers_seen.left > 0) {
        timers_seen.left--;
        struct mono_time next = clock_mono_add(timer->deadline, timers_seen.again_us);
        assert_int_equal(loop_timer_set(timers_seen.loop, timer, next), 0);
    }
}

static void timers_start(struct loop *loop)
{
    timers_seen.count = timers_seen.left = 0;
    timers_seen.again_us = 0;
    timers_seen.loop = loop;
}

static void test_timers_fire_in_order(void **state)
{
    static struct loop_timer timers[TIMERS_COUNT];
    struct loop *loop = scripted();
    uint32_t random = 12345;
    size_t kept = 0;
    (void)state;
    timers_start(loop);
    for (size_t i = 0; i < TIMERS_COUNT; i++) {
        loop_timer_init(&timers[i], on_timer);
        for (int k = 0; k < 2; k++) { /* the second deadline replaces the first */
            random = random * 1664525u + 1013904223u;
            struct mono_time at = {US_PER_S + (random >> 16)};
            assert_int_equal(loop_timer_set(loop, &timers[i], at), 0);
        }
    }
    for (size_t i = 0; i < TIMERS_COUNT; i++) {
        if (i % 3 == 0)
            loop_timer_cancel(&timers[i]);
        else
            kept++;
    }
    loop_timer_cancel(&timers[0]); /* a second cancel does nothing */
    assert_int_equal(loop_advance(loop, 65536), 0);
    assert_int_equal(timers_seen.count, kept);
    for (size_t i = 1; i < kept; i++)
        assert_true(timers_seen.fired_us[i - 1] <= timers_seen.fired_us[i]);
    assert_int_equal(loop_now(loop).us, US_PER_S + 65536);
    loop_free(loop);
}

static void test_timer_sets_itself_again(void **state)
{
    struct loop *loop = scripted();
    struct loop_timer timer;
    (void)state;
    timers_start(loop);
    timers_seen.again_us = 10;
    timers_seen.left = 5;
    loop_timer_init(&timer, on_timer);
    assert_int_equal(loop_timer_set(loop, &timer, (struct mono_time){US_PER_S + 10}), 0);
    assert_int_equal(loop_advance(loop, 9), 0);
    assert_int_equal(timers_seen.count, 0);
    assert_int_equal(loop_advance(loop, 1), 0);
    assert_int_equal(timers_seen.count, 1);
    assert_int_equal(loop_advance(loop, 35), 0);
    assert_int_equal(timers_seen.count, 4);
    loop_free(loop); /* detaches the timer, which is still set */
    assert_int_equal(timer.at, SIZE_MAX);
    assert_null(timer.loop);
}

static void test_never_quiet(void **state)
{
    struct loop *loop = scripted();
    struct watch w;
    (void)state;
    watch_open(&w, loop, LOOP_WRITE); /* always writable, and the callback does nothing about it */
    assert_int_equal(loop_advance(loop, 1), FAULT_LIMIT);
    watch_close(&w);
    loop_free(loop);
}

static void test_timer_without_memory(void **state)
{
    static struct loop_timer timers[40];
    struct loop *loop = scripted();
    size_t set = 0;
    (void)state;
    timers_start(loop);
    fail_alloc_after(1);
    for (size_t i = 0; i < COUNT_OF(timers); i++) {
        loop_timer_init(&timers[i], on_timer);
        int r = loop_timer_set(loop, &timers[i], (struct mono_time){US_PER_S + 1});
        assert_true(r == 0 || r == -ENOMEM);
        assert_int_equal(timers[i].at == SIZE_MAX, r < 0);
        set += r == 0;
    }
    assert_int_equal(loop_timer_set(loop, &timers[0], (struct mono_time){US_PER_S + 2}), 0); /* needs no room */
    assert_true(fail_alloc_off());
    assert_true(set > 0 && set < COUNT_OF(timers));
    assert_int_equal(loop_advance(loop, 2), 0);
    assert_int_equal(timers_seen.count, set);
    loop_free(loop);
}

static void test_new_without_memory(void **state)
{
    struct loop *loop = NULL;
    int r = -1;
    (void)state;
    EACH_ALLOC_FAILURE({
        r = loop_new_scripted(&loop);
        assert_true(r == 0 || (r == -ENOMEM && loop == NULL));
        loop = loop_free(loop);
    });
    assert_int_equal(r, 0);
    assert_null(loop_free(NULL));
}

static void test_without_descriptors(void **state)
{
    struct rlimit saved, low;
    struct loop *loop = NULL, *second = NULL;
    sigset_t set;
    (void)state;
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &saved), 0);
    low = saved;
    low.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    int made = loop_new(&second);
    sigemptyset(&set);
    int added = loop_add_signals(loop, &set, on_signal, NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &saved), 0);
    assert_int_equal(made, -EMFILE);
    assert_null(second);
    assert_int_equal(added, -EMFILE);
    loop_free(loop);
}

/* ---- hooks ----------------------------------------------------------------------------------------------- */

struct mark {
    struct loop_hook hook;
    char name;
    struct loop_hook *removes;
    struct loop_hook *adds;
};

static char marks[32];
static size_t marks_count;
static struct loop *marks_loop;

static void on_turn_end(struct loop_hook *hook)
{
    struct mark *m = CONTAINER_OF(hook, struct mark, hook);
    assert_true(marks_count < sizeof marks - 1);
    marks[marks_count++] = m->name;
    marks[marks_count] = '\0';
    if (m->removes != NULL)
        loop_remove_hook(m->removes);
    m->removes = NULL;
    if (m->adds != NULL)
        loop_add_hook(marks_loop, m->adds);
    m->adds = NULL;
}

static void test_hooks(void **state)
{
    struct loop *loop = marks_loop = scripted();
    struct mark a = {.hook.on_turn_end = on_turn_end, .name = 'a'}, b = a, c = a, d = a;
    (void)state;
    b.name = 'b';
    c.name = 'c';
    d.name = 'd';
    marks_count = 0;
    loop_add_hook(loop, &a.hook);
    loop_add_hook(loop, &b.hook);
    loop_add_hook(loop, &c.hook);
    assert_int_equal(loop_advance(loop, 0), 0);
    assert_string_equal(marks, "abc");
    marks_count = 0;
    a.removes = &b.hook; /* the next one */
    c.adds = &d.hook;    /* a later one, for the same turn */
    assert_int_equal(loop_advance(loop, 0), 0);
    assert_string_equal(marks, "acd");
    marks_count = 0;
    c.removes = &c.hook; /* itself */
    d.removes = &a.hook; /* an earlier one */
    assert_int_equal(loop_advance(loop, 0), 0);
    assert_int_equal(loop_advance(loop, 0), 0);
    assert_string_equal(marks, "acdd");
    loop_free(loop);
    loop_remove_hook(&d.hook); /* was unlinked with the loop: nothing is touched */
}

/* ---- signals --------------------------------------------------------------------------------------------- */

static int signals_seen[4];
static size_t signals_count;

static void on_signal(int number, void *arg)
{
    assert_true(signals_count < COUNT_OF(signals_seen));
    signals_seen[signals_count++] = number;
    if (signals_count == 2)
        loop_stop(arg, 7);
}

static void test_signals(void **state)
{
    struct loop *loop = NULL;
    sigset_t set, saved;
    (void)state;
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &saved), 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    assert_int_equal(loop_add_signals(loop, &set, on_signal, loop), 0);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    assert_int_equal(kill(getpid(), SIGUSR2), 0);
    assert_int_equal(loop_run(loop), 7);
    assert_int_equal(signals_count, 2);
    assert_true(signals_seen[0] == SIGUSR1 && signals_seen[1] == SIGUSR2);
    loop_free(loop);
    assert_int_equal(sigprocmask(SIG_SETMASK, &saved, NULL), 0);
}

/* ---- the real clock -------------------------------------------------------------------------------------- */

struct alarm {
    struct loop_timer timer;
    struct loop_hook hook;
    struct loop *loop;
    unsigned turns;
    int64_t fired_us;
};

static void on_alarm(struct loop_timer *timer)
{
    struct alarm *a = CONTAINER_OF(timer, struct alarm, timer);
    a->fired_us = loop_now(a->loop).us;
    while (clock_mono_now().us < a->fired_us + 1000)
        continue;
    assert_int_equal(loop_now(a->loop).us, a->fired_us); /* one turn, one time */
    loop_stop(a->loop, 3);
    loop_stop(a->loop, 4);
}

static void on_count(struct loop_hook *hook)
{
    CONTAINER_OF(hook, struct alarm, hook)->turns++;
}

static void alarm_open(struct alarm *a, int64_t us)
{
    *a = (struct alarm){.hook.on_turn_end = on_count};
    assert_int_equal(loop_new(&a->loop), 0);
    loop_add_hook(a->loop, &a->hook);
    loop_timer_init(&a->timer, on_alarm);
    assert_int_equal(loop_timer_set(a->loop, &a->timer, clock_mono_add(loop_now(a->loop), us)), 0);
}

static void test_real_deadline(void **state)
{
    struct alarm a;
    (void)state;
    alarm_open(&a, 5500);
    int64_t deadline = a.timer.deadline.us;
    assert_int_equal(loop_run(a.loop), 3);
    assert_true(a.fired_us >= deadline);
    assert_true(a.turns <= 2); /* no busy loop before the deadline */
    assert_true(loop_now(a.loop).us > a.fired_us);
    /* a deadline in the past: at once; and the loop can be run again */
    assert_int_equal(loop_timer_set(a.loop, &a.timer, (struct mono_time){0}), 0);
    assert_int_equal(loop_run(a.loop), 3);
    /* so far away that the wait does not fit an int of milliseconds */
    assert_int_equal(loop_timer_set(a.loop, &a.timer, (struct mono_time){INT64_MAX}), 0);
    loop_stop(a.loop, 9);
    assert_int_equal(loop_run(a.loop), 9);
    loop_free(a.loop);
}

static void on_interrupt(int number)
{
    (void)number;
}

static void test_interrupted_wait(void **state)
{
    struct alarm a;
    struct sigaction handler = {.sa_handler = on_interrupt}, saved;
    struct itimerval soon = {.it_value = {.tv_usec = 2000}};
    (void)state;
    assert_int_equal(sigaction(SIGALRM, &handler, &saved), 0);
    alarm_open(&a, 20000);
    int64_t deadline = a.timer.deadline.us;
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    assert_int_equal(loop_run(a.loop), 3);
    assert_true(a.fired_us >= deadline && a.turns >= 2);
    loop_free(a.loop);
    assert_int_equal(sigaction(SIGALRM, &saved, NULL), 0);
}

static void test_far_deadline_does_not_overflow(void **state)
{
    struct alarm a;
    struct watch w;
    (void)state;
    alarm_open(&a, INT64_MAX);
    watch_open(&w, a.loop, LOOP_READ);
    w.stop_code = 5;
    assert_int_equal(write(w.peer, "x", 1), 1);
    assert_int_equal(loop_run(a.loop), 5);
    watch_close(&w);
    loop_free(a.loop);
}

static void test_stop_ends_advance(void **state)
{
    struct loop *loop = scripted();
    struct watch w;
    (void)state;
    watch_open(&w, loop, LOOP_READ);
    w.stop_code = 2;
    assert_int_equal(write(w.peer, "x", 1), 1);
    assert_int_equal(loop_advance(loop, US_PER_S), 0);
    assert_int_equal(loop_now(loop).us, US_PER_S);
    assert_int_equal(loop_run(loop), 2);
    watch_close(&w);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_hangup),
        cmocka_unit_test(test_remove_strikes_out_fetched_events),
        cmocka_unit_test(test_modify_withdraws_fetched_events),
        cmocka_unit_test(test_more_sources_than_one_batch),
        cmocka_unit_test(test_add_refused),
        cmocka_unit_test(test_timers_fire_in_order),
        cmocka_unit_test(test_timer_sets_itself_again),
        cmocka_unit_test(test_never_quiet),
        cmocka_unit_test(test_timer_without_memory),
        cmocka_unit_test(test_new_without_memory),
        cmocka_unit_test(test_without_descriptors),
        cmocka_unit_test(test_hooks),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_real_deadline),
        cmocka_unit_test(test_interrupted_wait),
        cmocka_unit_test(test_far_deadline_does_not_overflow),
        cmocka_unit_test(test_stop_ends_advance),
    };
    return cmocka_run_group_tests_name("os/loop", tests, NULL, NULL);
}
