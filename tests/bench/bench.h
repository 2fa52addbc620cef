/*
 * bench - what the load programs share: failing loudly, options, the clock, counting, and the report.
 *
 * A load program measures for one window of time. It counts what is done inside the window, in slices, and how long
 * each took; it also reads the CPU clocks of itself and of the server's processes at both ends of the window. Three
 * figures come out that noise touches differently: the plain rate, the 90th percentile of the rates of the slices, and
 * the operations for each second of CPU time charged.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_NS_PER_MS UINT64_C(1000000)

enum { BENCH_SLICES_MAX_COUNT = 8192, BENCH_BUCKETS_COUNT = 64 * 40, BENCH_SERVERS_MAX_COUNT = 32 };

/* bench_fail - say what is wrong on standard error and end with status 1. */
_Noreturn void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* bench_die_with_parent - be killed when the process that started this one ends. */
void bench_die_with_parent(void);

/* bench_now_ns - monotonic time. */
uint64_t bench_now_ns(void);

/* An option `--name VALUE`: a number or a text, stored where it says. */
struct bench_option {
    const char *name;
    uint64_t *number;
    const char **text;
};

/* bench_options - read the command line by a table that ends with a row without a name; fails on anything else. */
void bench_options(int argc, char **argv, const struct bench_option *table);

struct bench_meter {
    uint64_t start_ns, end_ns, slice_ns;
    uint64_t ops;
    uint32_t slices[BENCH_SLICES_MAX_COUNT];
    uint64_t buckets[BENCH_BUCKETS_COUNT]; /* of latencies: 64 to each power of two, so 1.6 % wide */
    int servers[BENCH_SERVERS_MAX_COUNT];
    size_t servers_count;
    uint64_t own_cpu_ns, servers_cpu_ns; /* at the start; then what was used */
    bool is_open;
};

/*
 * bench_meter_init - a window of `window_ms` that begins `warm_ms` from now.
 * servers  process ids, separated by commas, whose CPU time belongs to the work; empty for none
 */
void bench_meter_init(struct bench_meter *m, uint64_t warm_ms, uint64_t window_ms, uint64_t slice_ms,
                      const char *servers);

/* bench_meter_add - one operation ended at `now_ns` and took `took_ns`. False once the window is over. */
bool bench_meter_add(struct bench_meter *m, uint64_t now_ns, uint64_t took_ns);

/* bench_meter_print - one line of JSON on standard output; fails if nothing was counted. */
void bench_meter_print(const struct bench_meter *m);

#endif
