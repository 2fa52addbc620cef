/* bench - see bench.h. */
#include "bench.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { SUB_BITS = 6, SUB_COUNT = 1 << SUB_BITS };

void bench_fail(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(1);
}

void bench_die_with_parent(void)
{
    pid_t parent = getppid();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        bench_fail("prctl: %s", strerror(errno));
    if (getppid() != parent)
        bench_fail("the parent is gone");
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    if (clock_gettime(clock, &t) < 0)
        bench_fail("clock: %s", strerror(errno));
    return (uint64_t)t.tv_sec * 1000 * BENCH_NS_PER_MS + (uint64_t)t.tv_nsec;
}

uint64_t bench_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

/* ---- options --------------------------------------------------------------------------------------------- */

static uint64_t number_of(const char *name, const char *text)
{
    char *end;
    errno = 0;
    uint64_t n = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || *text < '0' || *text > '9')
        bench_fail("--%s: not a number: %s", name, text);
    return n;
}

static void set_option(const struct bench_option *table, const char *name, const char *value)
{
    for (const struct bench_option *o = table; o->name != NULL; o++) {
        if (strcmp(o->name, name) != 0)
            continue;
        if (o->number != NULL)
            *o->number = number_of(name, value);
        else
            *o->text = value;
        return;
    }
    bench_fail("no such option: --%s", name);
}

void bench_options(int argc, char **argv, const struct bench_option *table)
{
    for (int i = 1; i < argc; i += 2) {
        if (strncmp(argv[i], "--", 2) != 0 || i + 1 == argc)
            bench_fail("expected '--name value', not '%s'", argv[i]);
        set_option(table, argv[i] + 2, argv[i + 1]);
    }
}

/* ---- the meter ------------------------------------------------------------------------------------------- */

static uint64_t servers_cpu_ns(const struct bench_meter *m)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < m->servers_count; i++) {
        clockid_t clock;
        int r = clock_getcpuclockid(m->servers[i], &clock);
        if (r != 0)
            bench_fail("server process %d: %s", m->servers[i], strerror(r));
        sum += clock_ns(clock);
    }
    return sum;
}

static void read_servers(struct bench_meter *m, const char *text)
{
    while (*text != '\0') {
        char *end;
        long pid = strtol(text, &end, 10);
        if (end == text || pid <= 0 || pid > INT32_MAX || m->servers_count == BENCH_SERVERS_MAX_COUNT)
            bench_fail("bad list of server processes: %s", text);
        m->servers[m->servers_count++] = (int)pid;
        text = *end == ',' ? end + 1 : end;
    }
}

void bench_meter_init(struct bench_meter *m, uint64_t warm_ms, uint64_t window_ms, uint64_t slice_ms,
                      const char *servers)
{
    memset(m, 0, sizeof *m);
    if (slice_ms == 0 || window_ms / slice_ms == 0 || window_ms / slice_ms > BENCH_SLICES_MAX_COUNT)
        bench_fail("window and slice do not fit together");
    read_servers(m, servers);
    m->slice_ns = slice_ms * BENCH_NS_PER_MS;
    m->start_ns = bench_now_ns() + warm_ms * BENCH_NS_PER_MS;
    m->end_ns = m->start_ns + window_ms / slice_ms * m->slice_ns;
}

static size_t bucket_of(uint64_t ns)
{
    if (ns < SUB_COUNT)
        return (size_t)ns;
    unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - SUB_BITS;
    size_t bucket = (size_t)(shift + 1) * SUB_COUNT + (size_t)((ns >> shift) - SUB_COUNT);
    return bucket < BENCH_BUCKETS_COUNT ? bucket : BENCH_BUCKETS_COUNT - 1;
}

static uint64_t bucket_ns(size_t bucket)
{
    if (bucket < SUB_COUNT)
        return bucket;
    return (uint64_t)(bucket % SUB_COUNT + SUB_COUNT) << (bucket / SUB_COUNT - 1);
}

bool bench_meter_add(struct bench_meter *m, uint64_t now_ns, uint64_t took_ns)
{
    if (now_ns < m->start_ns)
        return true;
    if (!m->is_open && m->ops == 0) {
        m->is_open = true;
        m->own_cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
        m->servers_cpu_ns = servers_cpu_ns(m);
    }
    if (now_ns >= m->end_ns) {
        if (m->is_open) {
            m->own_cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - m->own_cpu_ns;
            m->servers_cpu_ns = servers_cpu_ns(m) - m->servers_cpu_ns;
        }
        m->is_open = false;
        return false;
    }
    m->ops++;
    m->slices[(now_ns - m->start_ns) / m->slice_ns]++;
    m->buckets[bucket_of(took_ns)]++;
    return true;
}

static double latency_us(const struct bench_meter *m, double share)
{
    uint64_t below = 0;
    for (size_t i = 0; i < BENCH_BUCKETS_COUNT; i++) {
        below += m->buckets[i];
        if ((double)below >= share * (double)m->ops)
            return (double)bucket_ns(i) / 1e3;
    }
    return 0;
}

static int order_slices(const void *a, const void *b)
{
    uint32_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

static double slice90(const struct bench_meter *m)
{
    static uint32_t sorted[BENCH_SLICES_MAX_COUNT];
    size_t count = (size_t)((m->end_ns - m->start_ns) / m->slice_ns);
    memcpy(sorted, m->slices, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, order_slices);
    return (double)sorted[count * 9 / 10] * 1e9 / (double)m->slice_ns;
}

void bench_meter_print(const struct bench_meter *m)
{
    if (m->ops == 0)
        bench_fail("nothing was done in the window");
    double ops = (double)m->ops, seconds = (double)(m->end_ns - m->start_ns) / 1e9;
    double cpu_s = (double)(m->own_cpu_ns + m->servers_cpu_ns) / 1e9;
    printf("{\"ops\":%llu,\"seconds\":%.3f,\"rate\":%.1f,\"slice90\":%.1f,\"p50_us\":%.2f,\"p99_us\":%.2f,"
           "\"client_cpu_us\":%.3f,\"server_cpu_us\":%.3f,\"cpu_rate\":%.1f}\n",
           (unsigned long long)m->ops, seconds, ops / seconds, slice90(m), latency_us(m, 0.5), latency_us(m, 0.99),
           (double)m->own_cpu_ns / 1e3 / ops, (double)m->servers_cpu_ns / 1e3 / ops, cpu_s > 0 ? ops / cpu_s : 0.0);
}
