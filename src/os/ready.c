/*
 * ready - see ready.h.
 *
 * Invariant: after ready_open() none of the variables is in the environment, so no child takes our place by mistake.
 */
#include "os/ready.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/text.h"
#include "os/file.h"

/* READY_FIRST_FD is SD_LISTEN_FDS_START; a name has at most 255 bytes (sd_listen_fds(3)). */
enum { READY_FIRST_FD = 3, READY_FDS_MAX_COUNT = 16, READY_NAME_BYTES = 256 };

static struct {
    int notify_fd, ready_fd;
    uint64_t watchdog_us;
    size_t listen_count;
    struct {
        int fd; /* -1: handed out */
        char name[READY_NAME_BYTES];
    } listens[READY_FDS_MAX_COUNT];
} ready_state = {.notify_fd = -1, .ready_fd = -1};

static int open_notify(const char *name)
{
    SCOPED(file_drop_fd) int fd = -1;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t n = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || n < 2 || n > sizeof address.sun_path - (name[0] == '/'))
        return RAISE(FAULT_CONFIG);
    memcpy(address.sun_path, name, n);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return RAISE(-errno);
    /* The length counts: an abstract name ends where the address does, not at a NUL. */
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (name[0] == '/'));
    if (connect(fd, (const struct sockaddr *)&address, length) < 0)
        return READY_UNREACHABLE;
    ready_state.notify_fd = TAKE_FD(fd);
    return 0;
}

/* Reads a number from the environment. Returns 0 and leaves ret_number alone when the variable is not set. */
static int read_number(const char *variable, uint64_t max, uint64_t *ret_number)
{
    const char *text = getenv(variable);
    if (text != NULL && !num_parse_u64(bytes_of_text(text), max, ret_number))
        return RAISE(FAULT_CONFIG);
    return 0;
}

static int take_listen_fd(int fd, struct bytes name)
{
    assert(ready_state.listen_count < READY_FDS_MAX_COUNT);
    int flags = fcntl(fd, F_GETFD);
    if (flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0)
        return RAISE(-errno);
    /* "unknown" is what sd_listen_fds_with_names(3) calls a descriptor that was given no name. */
    if (bytes_equal(name, BYTES_LITERAL("unknown")))
        name = BYTES_NONE;
    size_t at = ready_state.listen_count;
    if (!text_copy(ready_state.listens[at].name, READY_NAME_BYTES, name))
        return RAISE(FAULT_CONFIG);
    ready_state.listens[at].fd = fd;
    ready_state.listen_count++;
    return 0;
}

static int read_listen(void)
{
    uint64_t pid = 0, count = 0;
    struct bytes names = bytes_of_text(getenv("LISTEN_FDNAMES"));
    bool has_names = getenv("LISTEN_FDNAMES") != NULL;
    TRY(read_number("LISTEN_PID", INT32_MAX, &pid));
    TRY(read_number("LISTEN_FDS", READY_FDS_MAX_COUNT, &count));
    if (pid != (uint64_t)getpid())
        return 0;
    for (int i = 0; i < (int)count; i++) {
        size_t end = bytes_find(names, ':');
        if (has_names && (end < names.n) != (i + 1 < (int)count))
            return RAISE(FAULT_CONFIG); /* more or fewer names than descriptors */
        TRY(take_listen_fd(READY_FIRST_FD + i, bytes_head(names, end)));
        names = bytes_from(names, end + 1);
    }
    return 0;
}

static int read_watchdog(void)
{
    uint64_t pid = (uint64_t)getpid(), us = 0;
    TRY(read_number("WATCHDOG_PID", INT32_MAX, &pid));
    TRY(read_number("WATCHDOG_USEC", UINT64_MAX - 1, &us));
    if (us == 0 && getenv("WATCHDOG_USEC") != NULL)
        return RAISE(FAULT_CONFIG);
    ready_state.watchdog_us = pid == (uint64_t)getpid() ? us : 0;
    return 0;
}

static int read_all(void)
{
    const char *notify = getenv("NOTIFY_SOCKET");
    TRY(read_listen());
    TRY(read_watchdog());
    return notify != NULL ? open_notify(notify) : 0;
}

int ready_open(void)
{
    static const char *const variables[] = {"NOTIFY_SOCKET",  "LISTEN_PID",    "LISTEN_FDS",
                                            "LISTEN_FDNAMES", "WATCHDOG_USEC", "WATCHDOG_PID"};
    assert(ready_state.notify_fd < 0);
    ready_state.listen_count = 0;
    ready_state.watchdog_us = 0;
    int r = read_all();
    for (size_t i = 0; i < COUNT_OF(variables); i++)
        unsetenv(variables[i]);
    return r;
}

void ready_set_fd(int fd)
{
    assert(fd >= 0 && ready_state.ready_fd < 0);
    ready_state.ready_fd = fd;
}

void ready_close(void)
{
    file_drop_fd(&ready_state.notify_fd);
    file_drop_fd(&ready_state.ready_fd);
    ready_state.notify_fd = ready_state.ready_fd = -1;
}

static bool has_line(const char *state, const char *line)
{
    size_t n = strlen(line);
    for (const char *at = state; at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, line, n) == 0 && (at[n] == '\n' || at[n] == '\0'))
            return true;
    }
    return false;
}

int ready_notify(const char *state)
{
    size_t n = strlen(state);
    assert(n > 0);
    if (ready_state.ready_fd >= 0 && has_line(state, "READY=1")) {
        SCOPED(file_drop_fd) int fd = TAKE_FD(ready_state.ready_fd);
        TRY(file_write_all(fd, BYTES_LITERAL("\n")));
    }
    if (ready_state.notify_fd < 0)
        return 0;
    return send(ready_state.notify_fd, state, n, MSG_NOSIGNAL) < 0 ? RAISE(-errno) : 0;
}

int ready_reloading(void)
{
    struct timespec ts;
    char state[64];
    /* The manager compares with CLOCK_MONOTONIC, which is not our mono_time: that one counts suspended time. */
    if (clock_gettime(CLOCK_MONOTONIC, &ts) < 0)
        return RAISE(-errno);
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)ts.tv_sec * US_PER_S + ts.tv_nsec / US_PER_MS);
    return ready_notify(state);
}

int ready_listen_fd(const char *name)
{
    size_t unnamed = 0, unnamed_count = 0;
    assert(name != NULL);
    for (size_t i = 0; i < ready_state.listen_count; i++) {
        const char *its = ready_state.listens[i].name;
        if (ready_state.listens[i].fd < 0)
            continue;
        if (*its != '\0' && strcmp(its, name) == 0)
            return TAKE_FD(ready_state.listens[i].fd);
        if (*its == '\0') {
            unnamed = i;
            unnamed_count++;
        }
    }
    return unnamed_count == 1 ? TAKE_FD(ready_state.listens[unnamed].fd) : -1;
}

uint64_t ready_watchdog_us(void)
{
    return ready_state.watchdog_us;
}
