/*
 * chan - see chan.h.
 *
 * The kernel hands descriptors over with the first byte of the sendmsg() that carries them, so the stream is cut in
 * front of each byte that has descriptors. Without descriptors the whole buffer leaves in one send().
 * Invariant: out_fds is sorted by `at`, and no more than CHAN_FDS_PER_BYTE_MAX_COUNT of them share one byte.
 */
#include "os/chan.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* SCM_MAX_FD of the kernel: what one control message can carry */
enum { CHAN_FDS_PER_BYTE_MAX_COUNT = 253 };

union chan_control {
    struct cmsghdr head; /* for its alignment */
    uint8_t space[CMSG_SPACE(CHAN_FDS_PER_BYTE_MAX_COUNT * sizeof(int))];
};

int chan_pair(int ret_fds[2])
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return RAISE(-errno);
    ret_fds[0] = fds[0];
    ret_fds[1] = fds[1];
    return 0;
}

int chan_init(struct chan *c, int fd, size_t max_bytes)
{
    assert(fd >= 0);
    *c = (struct chan){.fd = -1};
    buf_init_wiping(&c->in, max_bytes);
    buf_init_wiping(&c->out, max_bytes);
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return RAISE(-errno);
    c->fd = fd;
    return 0;
}

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

void chan_fini(struct chan *c)
{
    assert(c->in_fds_count <= CHAN_FDS_MAX_COUNT && c->out_fds_count <= CHAN_FDS_MAX_COUNT);
    close_all(c->in_fds, c->in_fds_count);
    for (size_t i = 0; i < c->out_fds_count; i++)
        close(c->out_fds[i].fd);
    c->in_fds_count = c->out_fds_count = 0;
    buf_fini(&c->in);
    buf_fini(&c->out);
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

int chan_put_fd(struct chan *c, int fd)
{
    size_t at = buf_size(&c->out), count = c->out_fds_count;
    assert(fd >= 0 && (count == 0 || c->out_fds[count - 1].at <= at));
    if (count == CHAN_FDS_MAX_COUNT)
        return RAISE(FAULT_LIMIT);
    if (count >= CHAN_FDS_PER_BYTE_MAX_COUNT && c->out_fds[count - CHAN_FDS_PER_BYTE_MAX_COUNT].at == at)
        return RAISE(FAULT_LIMIT);
    c->out_fds[c->out_fds_count++] = (struct chan_out_fd){at, fd};
    return 0;
}

/* `sent` bytes left, and with them the first `fds_sent` descriptors. */
static void drop_sent(struct chan *c, size_t sent, size_t fds_sent)
{
    assert(fds_sent <= c->out_fds_count);
    for (size_t i = 0; i < fds_sent; i++)
        close(c->out_fds[i].fd);
    c->out_fds_count -= fds_sent;
    for (size_t i = 0; i < c->out_fds_count; i++)
        c->out_fds[i] = c->out_fds[i + fds_sent];
    for (size_t i = 0; i < c->out_fds_count; i++) {
        assert(c->out_fds[i].at >= sent);
        c->out_fds[i].at -= sent;
    }
    buf_consume(&c->out, sent);
}

/* How many descriptors travel with the first byte. */
static size_t count_due_fds(const struct chan *c)
{
    size_t count = 0;
    while (count < c->out_fds_count && c->out_fds[count].at == 0)
        count++;
    assert(count <= CHAN_FDS_PER_BYTE_MAX_COUNT);
    return count;
}

static ssize_t send_with_fds(const struct chan *c, struct bytes piece, size_t fds_count)
{
    union chan_control control;
    struct iovec iov = {c->out.p + c->out.start, piece.n};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.space,
                       .msg_controllen = CMSG_SPACE(fds_count * sizeof(int))};
    struct cmsghdr *head = CMSG_FIRSTHDR(&m);
    assert(head != NULL);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(fds_count * sizeof(int));
    for (size_t i = 0; i < fds_count; i++)
        memcpy(CMSG_DATA(head) + i * sizeof(int), &c->out_fds[i].fd, sizeof(int));
    return sendmsg(c->fd, &m, MSG_NOSIGNAL);
}

/* Sends up to the next byte that has descriptors. ret_is_short: the socket took less than was offered. */
static int send_piece(struct chan *c, bool *ret_is_short)
{
    size_t due = count_due_fds(c);
    size_t until = due < c->out_fds_count ? c->out_fds[due].at : SIZE_MAX;
    struct bytes piece = bytes_head(buf_view(&c->out), until);
    ssize_t n = due > 0 ? send_with_fds(c, piece, due) : send(c->fd, piece.p, piece.n, MSG_NOSIGNAL);
    *ret_is_short = n < (ssize_t)piece.n;
    if (n >= 0)
        drop_sent(c, (size_t)n, due);
    /* ETOOMANYREFS: too many descriptors of this user are on their way; the peer takes them off as it reads. */
    else if (errno == EINTR)
        *ret_is_short = false;
    else if (errno != EAGAIN && errno != ETOOMANYREFS)
        return RAISE(-errno);
    return 0;
}

int chan_flush(struct chan *c)
{
    while (buf_size(&c->out) > 0) {
        bool is_short;
        TRY(send_piece(c, &is_short));
        if (is_short)
            return CHAN_BLOCKED;
    }
    return 0;
}

/* Copies the descriptors of a received message to `ret_fds`; returns how many. */
static size_t received_fds(struct msghdr *m, int ret_fds[static CHAN_FDS_PER_BYTE_MAX_COUNT])
{
    size_t count = 0;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(m); head != NULL; head = CMSG_NXTHDR(m, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        assert(count + n <= CHAN_FDS_PER_BYTE_MAX_COUNT); /* the control space holds no more */
        memcpy(ret_fds + count, CMSG_DATA(head), n * sizeof(int));
        count += n;
    }
    return count;
}

static int keep_fds(struct chan *c, struct msghdr *m)
{
    int fds[CHAN_FDS_PER_BYTE_MAX_COUNT];
    size_t count = received_fds(m, fds);
    int fault = m->msg_flags & MSG_CTRUNC                      ? FAULT_PROTOCOL
                : count > CHAN_FDS_MAX_COUNT - c->in_fds_count ? FAULT_LIMIT
                                                               : 0;
    if (fault != 0) {
        close_all(fds, count);
        return RAISE(fault);
    }
    memcpy(c->in_fds + c->in_fds_count, fds, count * sizeof(int));
    c->in_fds_count += count;
    return 0;
}

int chan_fill(struct chan *c)
{
    union chan_control control;
    uint8_t *p;
    size_t room = MIN_OF(c->in.max - buf_size(&c->in), (size_t)CHAN_READ_BYTES);
    if (room == 0)
        return RAISE(FAULT_LIMIT);
    TRY(buf_reserve(&c->in, room, &p));
    struct iovec iov = {p, room};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    ssize_t n = recvmsg(c->fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return CHAN_CLOSED;
    if (n < 0)
        return RAISE(-errno);
    if (m.msg_controllen > 0 || (m.msg_flags & MSG_CTRUNC))
        TRY(keep_fds(c, &m));
    buf_commit(&c->in, (size_t)n);
    return 0;
}

int chan_take_fd(struct chan *c)
{
    if (c->in_fds_count == 0)
        return -1;
    int fd = c->in_fds[0];
    c->in_fds_count--;
    memmove(c->in_fds, c->in_fds + 1, c->in_fds_count * sizeof c->in_fds[0]);
    assert(fd >= 0);
    return fd;
}
