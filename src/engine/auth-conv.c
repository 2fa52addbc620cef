/* auth-conv - see auth-conv.h. */
#include "engine/auth-conv.h"

#include "base/log.h"
#include "os/file.h"

static void finish(struct auth_conv *conv, enum auth_result result, struct bytes notes)
{
    assert(conv->state != AUTH_OVER);
    conv->state = AUTH_OVER;
    loop_remove(&conv->source);
    loop_timer_cancel(&conv->limit);
    conv->on_result(conv, result, notes); /* which ends it, and frees the memory around it */
}

/* Kills the process, if one was asked for; it may have ended. */
static void dismiss(struct auth_conv *conv)
{
    int r = proc_child_dismiss_role(conv->child, conv->role, conv->token);
    if (r < 0)
        proc_log_fault(r, "cannot end a login");
}

static void on_silence(struct loop_timer *timer)
{
    struct auth_conv *conv = CONTAINER_OF(timer, struct auth_conv, limit);
    assert(conv->state == AUTH_ASKING);
    conv->on_silence(conv); /* which ends it, and frees the memory around it */
}

/* ---- messages of the process; each returns false if the message is malformed ------------------------------ */

static bool on_prompts(struct auth_conv *conv, struct bytes body)
{
    struct msg_auth_prompts m;
    struct auth_count count;
    if (!msg_auth_prompts_get(body, &m) || !auth_check(m.texts, false, &count) || count.asked == 0 ||
        ++conv->rounds > AUTH_ROUNDS_MAX_COUNT)
        return false;
    struct mono_time at = clock_mono_add(loop_now(conv->child->loop), conv->prompt_us);
    if (loop_timer_set(conv->child->loop, &conv->limit, at) < 0)
        return false;
    conv->state = AUTH_ASKING;
    conv->asked = count.asked;
    conv->on_prompts(conv, m.texts);
    return true;
}

static bool on_result(struct auth_conv *conv, struct bytes body)
{
    struct msg_auth_result m;
    struct auth_count count;
    if (!msg_auth_result_get(body, &m) || m.result < AUTH_DONE || m.result >= AUTH_RESULTS_END ||
        !auth_check(m.notes, false, &count) || count.asked > 0)
        return false;
    finish(conv, (enum auth_result)m.result, m.notes);
    return true;
}

static const struct handler {
    uint16_t type;
    unsigned states; /* in which the message is legal */
    bool (*handle)(struct auth_conv *conv, struct bytes body);
} handlers[] = {
    {AUTH_PROMPTS, AUTH_WORKING, on_prompts},
    {AUTH_RESULT, AUTH_WORKING, on_result},
};

static bool dispatch(struct auth_conv *conv, uint16_t type, struct bytes body)
{
    for (size_t i = 0; i < COUNT_OF(handlers); i++) {
        if (handlers[i].type == type)
            return (handlers[i].states & (unsigned)conv->state) != 0 && handlers[i].handle(conv, body);
    }
    return false;
}

static int flush(struct auth_conv *conv)
{
    int r = chan_flush(&conv->chan);
    TRY(r);
    return loop_modify(&conv->source, r == CHAN_BLOCKED ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

static void break_off(struct auth_conv *conv, const char *why)
{
    LOG_WARNING("a login failed: %s", why);
    dismiss(conv);
    finish(conv, AUTH_BROKEN, BYTES_NONE);
}

/*
 * One message at most: after it either side has to speak first, so more would not be legal. The message is taken out of
 * the buffer before it is handled, because handling may free the login.
 */
static void on_event(struct loop_source *source, unsigned events)
{
    struct auth_conv *conv = CONTAINER_OF(source, struct auth_conv, source);
    struct buf message;
    struct bytes body;
    uint16_t type;
    size_t used;
    int filled = (events & (LOOP_READ | LOOP_HANGUP)) != 0 ? chan_fill(&conv->chan) : 0;
    if (filled < 0 || (events & LOOP_WRITE && flush(conv) < 0)) {
        break_off(conv, "its channel failed");
        return;
    }
    int r = msg_next(buf_view(&conv->chan.in), &type, &body, &used);
    if (r == MSG_INCOMPLETE) {
        if (filled == CHAN_CLOSED)
            break_off(conv, "its process ended without a result");
        return;
    }
    buf_init_wiping(&message, AUTH_CHANNEL_MAX_BYTES);
    if (r == 0)
        r = buf_append(&message, body);
    if (r == 0)
        buf_consume(&conv->chan.in, used);
    if (r < 0 || buf_size(&conv->chan.in) > 0 || !dispatch(conv, type, buf_view(&message)))
        break_off(conv, "its process sent what is not legal");
    buf_fini(&message);
}

/* ---- the owner's side ------------------------------------------------------------------------------------ */

int auth_conv_start(struct auth_conv *conv)
{
    conv->state = AUTH_STARTING;
    conv->chan.fd = -1;
    conv->source.on_event = on_event;
    loop_timer_init(&conv->limit, on_silence);
    return proc_child_start_role(conv->child, conv->role, conv->token);
}

static int begin(struct auth_conv *conv, int fd)
{
    struct msg_auth_begin m = {.uid = conv->uid, .user = bytes_of_text(conv->user)};
    TRY(chan_init(&conv->chan, fd, AUTH_CHANNEL_MAX_BYTES));
    TRY(loop_add(conv->child->loop, &conv->source, fd, LOOP_READ));
    TRY(msg_auth_begin_put(&conv->chan.out, AUTH_BEGIN, &m));
    return flush(conv);
}

void auth_conv_join(struct auth_conv *conv, int fd)
{
    assert(conv->state == AUTH_STARTING);
    if (fd < 0) {
        finish(conv, AUTH_BROKEN, BYTES_NONE);
        return;
    }
    conv->state = AUTH_WORKING;
    int r = begin(conv, fd);
    if (r < 0 && conv->chan.fd < 0)
        file_drop_fd(&fd);
    if (r < 0)
        break_off(conv, "its process cannot be spoken to");
}

int auth_conv_answer(struct auth_conv *conv, struct bytes texts)
{
    struct msg_auth_answers m = {.texts = texts};
    assert(conv->state == AUTH_ASKING);
    loop_timer_cancel(&conv->limit);
    TRY(msg_auth_answers_put(&conv->chan.out, AUTH_ANSWERS, &m));
    conv->state = AUTH_WORKING;
    conv->is_tried = true;
    return flush(conv);
}

void auth_conv_fini(struct auth_conv *conv)
{
    if (conv->state != AUTH_OVER)
        dismiss(conv);
    conv->state = AUTH_OVER;
    loop_remove(&conv->source);
    loop_timer_cancel(&conv->limit);
    if (conv->chan.fd >= 0)
        chan_fini(&conv->chan);
}
