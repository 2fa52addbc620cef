/*
 * load - a client that keeps N connections busy, one request in flight on each, from one epoll loop.
 *
 * What is sent is a file of bytes in which the digits of the key, and the first bytes of the value, are written anew
 * for every request; how a reply ends is either a fixed size or HTTP's Content-Length. So the same loop loads the
 * daemon, its peers and the bare floor, and what differs between their figures is not the client. Every reply is
 * checked; the first one that is not as expected ends the run with status 1.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    REQUEST_MAX_BYTES = 32768,
    REPLY_MAX_BYTES = 4 << 20,
    READ_BYTES = 4096,
    KEY_DIGITS = 9,
    VALUE_DIGITS = 12,
    CONNS_MAX_COUNT = 1024,
    EVENTS_COUNT = 64,
    SILENCE_MS = 20000
};

struct conn {
    int fd;
    uint8_t *in;
    size_t in_bytes, in_cap;
    uint64_t sent_ns;
    bool is_busy;
};

struct load {
    uint8_t request[REQUEST_MAX_BYTES], other[REQUEST_MAX_BYTES];
    size_t request_bytes, other_bytes;
    uint64_t random, serial, filled, busy, replied_bytes;
    struct conn conns[CONNS_MAX_COUNT];
    struct bench_meter meter;
    int epoll_fd;
    bool is_over;
};

static struct settings {
    const char *socket, *request, *other, *prefix, *servers;
    uint64_t port, key_at, value_at, is_base64, keys, fill, conns, is_http, status, or_status, length, reply_bytes;
    uint64_t warm_ms, window_ms, slice_ms;
} settings = {.prefix = "", .servers = "", .keys = 1, .conns = 1, .warm_ms = 100, .window_ms = 1000, .slice_ms = 10};

static const struct bench_option options[] = {
    {"socket", NULL, &settings.socket},           /* path of a UNIX socket, or */
    {"port", &settings.port, NULL},               /* of TCP on 127.0.0.1 */
    {"request", NULL, &settings.request},         /* file with the bytes of a request */
    {"other", NULL, &settings.other},             /* file with another one, sent in turn with the first as it is */
    {"key-at", &settings.key_at, NULL},           /* where its 9 digits of the key are; 0: none */
    {"value-at", &settings.value_at, NULL},       /* where 12 bytes of the value are; 0: none */
    {"base64", &settings.is_base64, NULL},        /* 1: both are base64 there */
    {"keys", &settings.keys, NULL},               /* how many keys to choose from */
    {"fill", &settings.fill, NULL},               /* instead of a window of time: each key below this once, in order */
    {"conns", &settings.conns, NULL},             /* connections */
    {"http", &settings.is_http, NULL},            /* 1: replies are HTTP */
    {"status", &settings.status, NULL},           /* HTTP: status that is expected, */
    {"or-status", &settings.or_status, NULL},     /* or another one */
    {"length", &settings.length, NULL},           /* HTTP: length of the body; 0: any */
    {"reply-bytes", &settings.reply_bytes, NULL}, /* not HTTP: size of a reply */
    {"prefix", NULL, &settings.prefix},           /* not HTTP: how it begins */
    {"servers", NULL, &settings.servers},         /* processes whose CPU time is counted */
    {"warm-ms", &settings.warm_ms, NULL},
    {"window-ms", &settings.window_ms, NULL},
    {"slice-ms", &settings.slice_ms, NULL},
    {NULL, NULL, NULL}};

static struct load load;

/* ---- requests -------------------------------------------------------------------------------------------- */

static size_t read_file(const char *name, uint8_t to[static REQUEST_MAX_BYTES])
{
    FILE *f = fopen(name, "rb");
    if (f == NULL)
        bench_fail("%s: %s", name, strerror(errno));
    size_t n = fread(to, 1, REQUEST_MAX_BYTES, f);
    if (ferror(f) || n == 0 || n == REQUEST_MAX_BYTES)
        bench_fail("%s: not a request of 1 to %d bytes", name, REQUEST_MAX_BYTES - 1);
    fclose(f);
    return n;
}

static void read_request(void)
{
    if (settings.request == NULL)
        bench_fail("--request is missing");
    load.request_bytes = read_file(settings.request, load.request);
    if (settings.other != NULL)
        load.other_bytes = read_file(settings.other, load.other);
    uint64_t key_bytes = settings.is_base64 ? KEY_DIGITS / 3 * 4 : KEY_DIGITS;
    uint64_t value_bytes = settings.is_base64 ? VALUE_DIGITS / 3 * 4 : VALUE_DIGITS;
    if (settings.key_at + key_bytes > load.request_bytes || settings.value_at + value_bytes > load.request_bytes)
        bench_fail("key or value lies outside the request");
    if (settings.keys == 0 || settings.keys > 999999999)
        bench_fail("--keys is out of range");
}

static void write_base64(uint8_t *to, const uint8_t *from, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3, to += 4) {
        uint32_t w = (uint32_t)from[i] << 16 | (uint32_t)from[i + 1] << 8 | from[i + 2];
        for (unsigned j = 0; j < 4; j++)
            to[j] = (uint8_t)digits[w >> (18 - 6 * j) & 63];
    }
}

/* Writes `n` as `count` digits at `at`, itself or as base64. */
static void write_number(uint64_t at, uint64_t n, size_t count)
{
    uint8_t text[KEY_DIGITS + VALUE_DIGITS];
    if (at == 0)
        return;
    for (size_t i = count; i-- > 0; n /= 10)
        text[i] = (uint8_t)('0' + n % 10);
    if (settings.is_base64)
        write_base64(load.request + at, text, count);
    else
        memcpy(load.request + at, text, count);
}

static uint64_t next_key(void)
{
    if (settings.fill > 0)
        return load.filled++;
    load.random ^= load.random << 13;
    load.random ^= load.random >> 7;
    load.random ^= load.random << 17;
    return load.random % settings.keys;
}

static void ask(struct conn *c, uint64_t now_ns)
{
    if (load.is_over || (settings.fill > 0 && load.filled == settings.fill))
        return;
    bool is_other = load.other_bytes > 0 && load.serial % 2 == 1;
    size_t wanted = is_other ? load.other_bytes : load.request_bytes;
    write_number(settings.key_at, next_key(), KEY_DIGITS);
    write_number(settings.value_at, load.serial++, VALUE_DIGITS);
    ssize_t n = send(c->fd, is_other ? load.other : load.request, wanted, MSG_NOSIGNAL);
    if (n < 0)
        bench_fail("send: %s", strerror(errno));
    if ((size_t)n != wanted)
        bench_fail("the server does not take a request as a whole");
    c->sent_ns = now_ns;
    c->is_busy = true;
    load.busy++;
}

/* ---- replies --------------------------------------------------------------------------------------------- */

static uint64_t field_number(const uint8_t *head, size_t n, const char *name)
{
    size_t name_bytes = strlen(name);
    for (const uint8_t *p = head, *end = head + n; (p = memchr(p, '\n', (size_t)(end - p))) != NULL;) {
        p++;
        if ((size_t)(end - p) > name_bytes && (*p | 32) == (*name | 32) &&
            strncasecmp((const char *)p, name, name_bytes) == 0)
            return strtoull((const char *)p + name_bytes, NULL, 10);
    }
    bench_fail("a reply without '%s': %.*s", name, (int)n, (const char *)head);
}

/* Size of the reply that stands in front, or 0 if more bytes are needed to know it. */
static size_t http_bytes(const uint8_t *in, size_t n)
{
    const uint8_t *end = memmem(in, n, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    size_t head = (size_t)(end - in) + 4;
    unsigned long status = n > 12 ? strtoul((const char *)in + 9, NULL, 10) : 0;
    if (memcmp(in, "HTTP/1.1 ", 9) != 0 || (status != settings.status && status != settings.or_status))
        bench_fail("not the expected reply: %.*s", (int)n, (const char *)in);
    uint64_t length = field_number(in, head - 2, "Content-Length:");
    if (length > REPLY_MAX_BYTES || (settings.length != 0 && length != settings.length))
        bench_fail("a body of %llu bytes, not %llu", (unsigned long long)length, (unsigned long long)settings.length);
    return head + (size_t)length;
}

static size_t fixed_bytes(const uint8_t *in, size_t n)
{
    size_t prefix = strlen(settings.prefix);
    if (memcmp(in, settings.prefix, n < prefix ? n : prefix) != 0)
        bench_fail("not the expected reply: %.*s", (int)n, (const char *)in);
    return (size_t)settings.reply_bytes;
}

static void reserve(struct conn *c)
{
    if (c->in_cap - c->in_bytes > READ_BYTES)
        return;
    c->in_cap = c->in_cap == 0 ? 4 * READ_BYTES : 2 * c->in_cap;
    c->in = c->in_cap <= 2 * REPLY_MAX_BYTES ? realloc(c->in, c->in_cap) : NULL;
    if (c->in == NULL)
        bench_fail("no room for a reply of %zu bytes", c->in_bytes);
}

static void on_readable(struct conn *c)
{
    reserve(c);
    ssize_t n = recv(c->fd, c->in + c->in_bytes, c->in_cap - c->in_bytes - 1, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        bench_fail("the server closed a connection: %s", n < 0 ? strerror(errno) : "end of stream");
    c->in_bytes += (size_t)n;
    c->in[c->in_bytes] = '\0';
    if (!c->is_busy)
        bench_fail("a reply nobody asked for");
    size_t whole = settings.is_http ? http_bytes(c->in, c->in_bytes) : fixed_bytes(c->in, c->in_bytes);
    if (whole == 0 || c->in_bytes < whole)
        return;
    if (c->in_bytes > whole)
        bench_fail("bytes behind the reply");
    uint64_t now_ns = bench_now_ns();
    load.replied_bytes += whole;
    c->in_bytes = 0;
    c->is_busy = false;
    load.busy--;
    if (settings.fill > 0)
        load.meter.ops++;
    else
        load.is_over = !bench_meter_add(&load.meter, now_ns, now_ns - c->sent_ns) || load.is_over;
    ask(c, now_ns);
}

/* ---- the run --------------------------------------------------------------------------------------------- */

static int connect_unix(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (strlen(settings.socket) >= sizeof to.sun_path)
        bench_fail("%s: longer than a socket's path can be", settings.socket);
    memcpy(to.sun_path, settings.socket, strlen(settings.socket) + 1);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        bench_fail("%s: %s", settings.socket, strerror(errno));
    return fd;
}

static int connect_tcp(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    to.sin_port = htons((uint16_t)settings.port);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
        bench_fail("port %llu: %s", (unsigned long long)settings.port, strerror(errno));
    return fd;
}

static void open_conns(void)
{
    load.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (load.epoll_fd < 0)
        bench_fail("epoll: %s", strerror(errno));
    if (settings.conns == 0 || settings.conns > CONNS_MAX_COUNT || (settings.socket == NULL && settings.port == 0))
        bench_fail("--socket or --port, and 1 to %d --conns", CONNS_MAX_COUNT);
    for (size_t i = 0; i < settings.conns; i++) {
        struct conn *c = &load.conns[i];
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        c->fd = settings.socket != NULL ? connect_unix() : connect_tcp();
        if (fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0 || epoll_ctl(load.epoll_fd, EPOLL_CTL_ADD, c->fd, &e) < 0)
            bench_fail("a connection: %s", strerror(errno));
    }
}

/* Until the window is over and no reply is owed: nobody is left with half a conversation. */
static void serve_conns(void)
{
    struct epoll_event events[EVENTS_COUNT];
    while (load.busy > 0) {
        int n = epoll_wait(load.epoll_fd, events, EVENTS_COUNT, SILENCE_MS);
        if (n == 0)
            bench_fail("no reply for %d ms", SILENCE_MS);
        if (n < 0 && errno != EINTR)
            bench_fail("epoll: %s", strerror(errno));
        for (int i = 0; i < n; i++)
            on_readable(events[i].data.ptr);
    }
}

int main(int argc, char **argv)
{
    bench_options(argc, argv, options);
    bench_die_with_parent();
    read_request();
    open_conns();
    load.random = UINT64_C(0x9e3779b97f4a7c15);
    bench_meter_init(&load.meter, settings.warm_ms, settings.window_ms, settings.slice_ms, settings.servers);
    uint64_t begun_ns = bench_now_ns();
    for (size_t i = 0; i < settings.conns; i++)
        ask(&load.conns[i], begun_ns);
    serve_conns();
    if (settings.fill > 0) {
        double s = (double)(bench_now_ns() - begun_ns) / 1e9;
        printf("{\"ops\":%llu,\"seconds\":%.3f,\"rate\":%.1f}\n", (unsigned long long)load.meter.ops, s,
               (double)load.meter.ops / s);
    } else {
        bench_meter_print(&load.meter);
    }
    return 0;
}
