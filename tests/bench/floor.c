/*
 * floor - a server that does nothing but the exchange: for every N bytes of request, M bytes of reply.
 *
 * The bare cost of carrying messages of a given size over a UNIX stream socket between two processes; what a daemon
 * does beyond it is its own. One epoll loop; the replies leave at the end of the turn, which is the faster order with
 * many clients on one CPU.
 */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MESSAGE_MAX_BYTES = 65536, EVENTS_COUNT = 64 };

struct conn {
    int fd;
    size_t have_bytes;
};

static const char *path;
static uint64_t request_bytes, reply_bytes;
static const struct bench_option options[] = {{"socket", NULL, &path},
                                              {"request-bytes", &request_bytes, NULL},
                                              {"reply-bytes", &reply_bytes, NULL},
                                              {NULL, NULL, NULL}};

static int listen_at(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (path == NULL || strlen(path) >= sizeof at.sun_path || request_bytes == 0 || request_bytes > MESSAGE_MAX_BYTES ||
        reply_bytes == 0 || reply_bytes > MESSAGE_MAX_BYTES)
        bench_fail("wants --socket, --request-bytes and --reply-bytes");
    memcpy(at.sun_path, path, strlen(path) + 1);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 1024) < 0)
        bench_fail("%s: %s", path, strerror(errno));
    return fd;
}

static void watch(int epoll_fd, struct conn *c)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e) < 0)
        bench_fail("epoll: %s", strerror(errno));
}

static void take_conn(int epoll_fd, int listener)
{
    struct conn *c = calloc(1, sizeof *c);
    if (c == NULL)
        bench_fail("out of memory");
    c->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (c->fd < 0)
        bench_fail("accept: %s", strerror(errno));
    watch(epoll_fd, c);
}

/* False if the connection ended. */
static bool read_conn(struct conn *c)
{
    static uint8_t in[MESSAGE_MAX_BYTES];
    ssize_t n = recv(c->fd, in, sizeof in, 0);
    if (n < 0 && errno == EAGAIN)
        return true;
    if (n <= 0) {
        close(c->fd);
        free(c);
        return false;
    }
    c->have_bytes += (size_t)n;
    return true;
}

static void answer(struct conn *c)
{
    static const uint8_t out[MESSAGE_MAX_BYTES];
    for (; c->have_bytes >= request_bytes; c->have_bytes -= request_bytes) {
        ssize_t n = send(c->fd, out, reply_bytes, MSG_NOSIGNAL);
        if (n >= 0 && (uint64_t)n != reply_bytes)
            bench_fail("a client does not take its replies");
    }
}

static void serve_turn(int epoll_fd, struct conn *listener)
{
    struct epoll_event events[EVENTS_COUNT];
    int n = epoll_wait(epoll_fd, events, EVENTS_COUNT, -1);
    if (n < 0 && errno != EINTR)
        bench_fail("epoll: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        struct conn *c = events[i].data.ptr;
        if (c == listener)
            take_conn(epoll_fd, listener->fd);
        if (c == listener || !read_conn(c))
            events[i].data.ptr = NULL;
    }
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr != NULL)
            answer(events[i].data.ptr);
    }
}

int main(int argc, char **argv)
{
    struct conn listener = {0};
    bench_options(argc, argv, options);
    bench_die_with_parent();
    listener.fd = listen_at();
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        bench_fail("epoll: %s", strerror(errno));
    watch(epoll_fd, &listener);
    for (;;)
        serve_turn(epoll_fd, &listener);
}
