/*
 * sink-kernel - the newest checkpoint as a message to the kernel's audit system; see sink.h.
 *
 * Its log is written by another daemon, under another user, and often leaves the host: who puts back an older trail
 * would have to change that one too. The kernel says that it took a message; whether anybody writes it down is up to
 * its own configuration. Source: netlink(7), audit_log_user_comm_message(3).
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/code.h"
#include "follow/sink.h"
#include "os/file.h"

/* Of a trusted application: libaudit.h. */
enum { AUDIT_TRUSTED_APP_TYPE = 1121, TEXT_MAX_BYTES = 512, RECEIVE_BYTES = 1024 };
#define ANSWER_LIMIT_US (10 * US_PER_S)

struct kernel {
    struct sink sink; /* out is not used */
    struct checkpoint_key trail_key;
    struct checkpoint newest; /* that was given */
    uint32_t seq;             /* of the message that an answer is awaited to; 0: none */
    uint32_t last_seq;
    uint64_t sent_size;
    struct mono_time limit;
};

static int kernel_make(const struct sink_setup *setup, struct sink **ret_sink, char *ret_why)
{
    struct kernel *k = calloc(1, sizeof *k);
    if (k == NULL)
        return RAISE(-ENOMEM);
    k->sink = (struct sink){.kind = &sink_kernel, .fd = -1};
    buf_init(&k->sink.out, 1);
    *ret_sink = &k->sink;
    TRY(sink_trail_key(setup, &k->trail_key, ret_why));
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    k->sink.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_AUDIT);
    if (k->sink.fd >= 0 && connect(k->sink.fd, (const struct sockaddr *)&kernel, sizeof kernel) == 0)
        return 0;
    (void)snprintf(ret_why, SOURCE_WHY_BYTES, "this kernel has no audit system: %s", strerrordesc_np(errno));
    return SINK_BAD;
}

/* The socket stays: it cannot be made again under the filter, and does not break. */
static void kernel_close(struct sink *s)
{
    struct kernel *k = CONTAINER_OF(s, struct kernel, sink);
    k->seq = 0;
    k->newest.size = 0;
}

static int kernel_open(struct sink *s, struct cursor *cursor)
{
    struct kernel *k = CONTAINER_OF(s, struct kernel, sink);
    s->size = k->sent_size = cursor->size;
    s->events = POLLIN;
    s->wake.us = INT64_MAX;
    s->is_well = true;
    return 0;
}

/* A checkpoint that somebody else wrote is not passed on. */
static int kernel_put(struct sink *s, const struct format_item *item)
{
    struct kernel *k = CONTAINER_OF(s, struct kernel, sink);
    if (item->record->kind != RECORD_CHECKPOINT)
        return 0;
    int r = checkpoint_read(item->record->detail, &k->trail_key, &k->newest);
    if (r > 0)
        return sink_down(s, "record %llu %s; the kernel is not told", (unsigned long long)item->record->seq,
                         checkpoint_why(r));
    if (k->newest.size < k->sent_size)
        k->sent_size = 0; /* of another trail, which was begun with */
    return r;
}

static int send_message(struct kernel *k, struct mono_time now)
{
    struct {
        struct nlmsghdr head;
        char text[TEXT_MAX_BYTES];
    } m = {.head = {.nlmsg_type = AUDIT_TRUSTED_APP_TYPE, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK}};
    char root[2 * DIGEST_BYTES + 1], name[2 * CHECKPOINT_NAME_MAX_BYTES + 1];
    code_hex_text(BYTES_OF(k->newest.root), root);
    code_hex_text(bytes_of_text(k->trail_key.name), name); /* as the audit system has texts from outside */
    int n = snprintf(m.text, sizeof m.text, "op=secreg-checkpoint origin=%s size=%llu root=%s res=1", name,
                     (unsigned long long)k->newest.size, root);
    if (n < 0 || (size_t)n >= sizeof m.text)
        return RAISE(FAULT_LIMIT);
    m.head.nlmsg_len = NLMSG_LENGTH((uint32_t)n + 1);
    m.head.nlmsg_seq = k->seq = ++k->last_seq;
    k->sent_size = k->newest.size;
    k->limit = clock_mono_add(now, ANSWER_LIMIT_US);
    if (send(k->sink.fd, &m, m.head.nlmsg_len, MSG_NOSIGNAL) < 0)
        return sink_down(&k->sink, "the kernel takes no audit message: %s", strerrordesc_np(errno));
    return 0;
}

/* Returns 0 when the answer is there or not yet, or SINK_DOWN. */
static int receive(struct kernel *k, struct mono_time now)
{
    union {
        struct nlmsghdr head;
        uint8_t bytes[RECEIVE_BYTES];
    } m;
    ssize_t n;
    while (k->seq != 0 && (n = recv(k->sink.fd, &m, sizeof m, 0)) > 0) {
        if ((size_t)n < NLMSG_LENGTH(sizeof(struct nlmsgerr)) || m.head.nlmsg_type != NLMSG_ERROR ||
            m.head.nlmsg_seq != k->seq)
            continue;
        const struct nlmsgerr *answer = NLMSG_DATA(&m.head);
        k->seq = 0;
        if (answer->error != 0)
            return sink_down(&k->sink, "the kernel takes no audit message: %s", strerrordesc_np(-answer->error));
        k->sink.size = k->sent_size;
        k->sink.anchored_us = clock_wall_now().us;
    }
    if (k->seq != 0 && clock_mono_passed(now, k->limit))
        return sink_down(&k->sink, "the kernel does not answer to an audit message");
    return 0;
}

static int kernel_flush(struct sink *s, struct mono_time now)
{
    struct kernel *k = CONTAINER_OF(s, struct kernel, sink);
    int r = receive(k, now);
    if (r == 0 && k->seq == 0 && k->newest.size > k->sent_size) {
        r = send_message(k, now);
        if (r == 0)
            r = receive(k, now); /* the kernel answers at once */
    }
    if (r == 0 && k->seq == 0)
        s->kept = s->given;
    s->wake = k->seq != 0 ? k->limit : (struct mono_time){INT64_MAX};
    return r;
}

static void kernel_free(struct sink *s)
{
    struct kernel *k = CONTAINER_OF(s, struct kernel, sink);
    file_drop_fd(&s->fd);
    buf_fini(&s->out);
    free(k);
}

const struct sink_kind sink_kernel = {.name = "kernel",
                                      .profile = "secreg-follow-kernel",
                                      .user = SINK_USER,
                                      .cursors = SINK_CURSORS_FOLDER,
                                      .make = kernel_make,
                                      .open = kernel_open,
                                      .put = kernel_put,
                                      .flush = kernel_flush,
                                      .close = kernel_close,
                                      .free = kernel_free};
