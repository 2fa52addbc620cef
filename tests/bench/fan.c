/*
 * fan - how long a change takes to reach everybody who watches: one connection puts, N connections watch, all in one
 * epoll loop. An operation begins with the put and ends when its reply and its line on every watch have been read; the
 * next one begins then.
 */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONNS_MAX_COUNT = 1024, READ_BYTES = 16384, EVENTS_COUNT = 256, SILENCE_MS = 20000, REQUEST_MAX_BYTES = 4096 };

struct conn {
    int fd;
    bool is_watch;
    uint64_t lines; /* of changes that were read */
};

static struct settings {
    const char *socket, *path, *servers;
    uint64_t watches, warm_ms, window_ms, slice_ms;
} settings = {.path = "/registry/applications/fan/k",
              .servers = "",
              .watches = 1,
              .warm_ms = 200,
              .window_ms = 1000,
              .slice_ms = 10};

static const struct bench_option options[] = {
    {"socket", NULL, &settings.socket},   /* path of the daemon's socket */
    {"path", NULL, &settings.path},       /* of the entry that is put and watched */
    {"watches", &settings.watches, NULL}, /* connections that watch */
    {"servers", NULL, &settings.servers}, /* processes whose CPU time is counted */
    {"warm-ms", &settings.warm_ms, NULL},   {"window-ms", &settings.window_ms, NULL},
    {"slice-ms", &settings.slice_ms, NULL}, {NULL, NULL, NULL}};

static struct bench_meter meter;
static struct conn conns[CONNS_MAX_COUNT]; /* the first one puts */
static int epoll_fd;

static void open_conn(struct conn *c, bool is_watch)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    char text[REQUEST_MAX_BYTES];
    if (settings.socket == NULL || strlen(settings.socket) >= sizeof to.sun_path)
        bench_fail("--socket is missing, or longer than a socket's path can be");
    memcpy(to.sun_path, settings.socket, strlen(settings.socket) + 1);
    *c = (struct conn){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), .is_watch = is_watch};
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e) < 0)
        bench_fail("a connection: %s", strerror(errno));
    int n = snprintf(text, sizeof text, "GET /v1/watch?path=%s HTTP/1.1\r\nHost: x\r\n\r\n", settings.path);
    if (is_watch && send(c->fd, text, (size_t)n, MSG_NOSIGNAL) != n)
        bench_fail("a watch cannot be asked for");
}

static void put(uint64_t serial)
{
    char text[REQUEST_MAX_BYTES];
    int n = snprintf(text, sizeof text, "PUT %s HTTP/1.1\r\nHost: x\r\nContent-Length: 64\r\n\r\n%064llu",
                     settings.path, (unsigned long long)serial);
    if (send(conns[0].fd, text, (size_t)n, MSG_NOSIGNAL) != n)
        bench_fail("a put cannot be sent");
}

static uint64_t count_text(const char *in, const char *what)
{
    uint64_t count = 0;
    for (const char *p = in; (p = strstr(p, what)) != NULL; p += strlen(what))
        count++;
    return count;
}

/* Returns how many lines (or, of the one that puts, replies) came; a line comes whole, for it is small. */
static uint64_t read_conn(struct conn *c)
{
    static char text[READ_BYTES + 1];
    ssize_t n = recv(c->fd, text, READ_BYTES, 0);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0)
        bench_fail("the daemon closed a connection");
    text[n] = '\0';
    if (!c->is_watch && strncmp(text, "HTTP/1.1 20", 11) != 0)
        bench_fail("a put was answered: %.40s", text);
    if (c->is_watch && strncmp(text, "HTTP/1.1 ", 9) == 0 && strncmp(text + 9, "200", 3) != 0)
        bench_fail("a watch was answered: %.40s", text);
    uint64_t lines = c->is_watch ? count_text(text, "\"kind\":\"set\"") : 1;
    c->lines += lines;
    return lines;
}

/* Reads until `wanted` lines came, or for the time given. */
static void read_all(uint64_t wanted, int silence_ms)
{
    struct epoll_event events[EVENTS_COUNT];
    while (wanted > 0) {
        int n = epoll_wait(epoll_fd, events, EVENTS_COUNT, silence_ms);
        if (n == 0 && silence_ms == SILENCE_MS)
            bench_fail("nothing came for %d ms", silence_ms);
        if (n == 0)
            return;
        for (int i = 0; i < n; i++) {
            uint64_t lines = read_conn(events[i].data.ptr);
            if (lines > wanted)
                bench_fail("more lines than changes");
            wanted -= lines;
        }
    }
}

int main(int argc, char **argv)
{
    bench_options(argc, argv, options);
    bench_die_with_parent();
    if (settings.watches >= CONNS_MAX_COUNT)
        bench_fail("at most %d --watches", CONNS_MAX_COUNT - 1);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (uint64_t i = 0; i <= settings.watches; i++)
        open_conn(&conns[i], i > 0);
    read_all(UINT64_MAX, 300); /* the heads of the watches */
    bench_meter_init(&meter, settings.warm_ms, settings.window_ms, settings.slice_ms, settings.servers);
    uint64_t now_ns, begun_ns, serial = 0;
    do {
        begun_ns = bench_now_ns();
        put(++serial);
        read_all(settings.watches + 1, SILENCE_MS);
        now_ns = bench_now_ns();
    } while (bench_meter_add(&meter, now_ns, now_ns - begun_ns));
    for (uint64_t i = 1; i <= settings.watches; i++) {
        if (conns[i].lines != serial)
            bench_fail("a watch was told %llu of %llu changes", (unsigned long long)conns[i].lines,
                       (unsigned long long)serial);
    }
    bench_meter_print(&meter);
    return 0;
}
