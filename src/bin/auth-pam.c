/*
 * auth-pam - the auth role: runs the PAM stack "secreg" of this host for one login, and is gone; see auth-pam.h.
 *
 * The only file that calls PAM. Modules run code of others in this process: they may crash it, block it, and change its
 * signals, user and memory, so nothing is here but one login, and one channel. The delay after a failure is slept here.
 * Invariant: AUTH_DONE is said only if the user that PAM authenticated is, by uid, the peer who asked.
 * Source: pam(3), pam_conv(3), pam_fail_delay(3); CVE-2025-6011 (equal work for unknown users).
 */
#include "bin/auth-pam.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "crypt/secret.h"
#include "model/auth-proto.h"
#include "os/chan.h"
#include "proc/proc.h"

#define SERVICE "secreg"
#define DELAY_MAX_US (10 * US_PER_S)

static_assert(AUTH_TEXT_MAX_BYTES < PAM_MAX_RESP_SIZE, "an answer fits into what modules expect");

enum state { FRESH = 1u << 0, WAITING = 1u << 1, AT_WORK = 1u << 2 };

struct auth {
    struct chan chan;
    enum state state;
    uid_t uid;
    char user[AUTH_NAME_MAX_BYTES + 1];
    bool is_known;      /* the user exists and has that uid */
    struct buf notes;   /* texts that ask nothing, until there is something to say them with */
    struct buf answers; /* of the prompts that were sent last; wiping */
};

/* ---- the channel ------------------------------------------------------------------------------------------ */

static bool wait_for(const struct auth *a, short events)
{
    struct pollfd p = {.fd = a->chan.fd, .events = events};
    int r;
    do {
        r = poll(&p, 1, -1);
    } while (r < 0 && errno == EINTR);
    return r > 0;
}

static int send_all(struct auth *a)
{
    int r;
    while ((r = chan_flush(&a->chan)) == CHAN_BLOCKED) {
        if (!wait_for(a, POLLOUT))
            return RAISE(-errno);
    }
    return r;
}

/* Messages of the engine; each returns false if the message is malformed. */
static bool on_begin(struct auth *a, struct bytes body)
{
    struct msg_auth_begin m;
    if (!msg_auth_begin_get(body, &m) || m.user.n == 0 || m.user.n > AUTH_NAME_MAX_BYTES ||
        bytes_find(m.user, '\0') < m.user.n)
        return false;
    memcpy(a->user, m.user.p, m.user.n);
    a->user[m.user.n] = '\0';
    a->uid = m.uid;
    return true;
}

static bool on_answers(struct auth *a, struct bytes body)
{
    struct msg_auth_answers m;
    struct auth_count count;
    return msg_auth_answers_get(body, &m) && auth_check(m.texts, true, &count) && buf_append(&a->answers, m.texts) == 0;
}

static const struct handler {
    uint16_t type;
    unsigned states; /* in which the message is legal */
    bool (*handle)(struct auth *a, struct bytes body);
} handlers[] = {
    {AUTH_BEGIN, FRESH, on_begin},
    {AUTH_ANSWERS, WAITING, on_answers},
};

static bool dispatch(struct auth *a, uint16_t type, struct bytes body)
{
    for (size_t i = 0; i < COUNT_OF(handlers); i++) {
        if (handlers[i].type == type)
            return (handlers[i].states & (unsigned)a->state) != 0 && handlers[i].handle(a, body);
    }
    return false;
}

/* Waits for one message and takes it. Returns 0, or a fault: also when the engine has hung up. */
static int hear(struct auth *a)
{
    uint16_t type;
    struct bytes body;
    size_t used;
    int r;
    while ((r = msg_next(buf_view(&a->chan.in), &type, &body, &used)) == MSG_INCOMPLETE) {
        if (!wait_for(a, POLLIN))
            return RAISE(-errno);
        int filled = chan_fill(&a->chan);
        TRY(filled);
        if (filled == CHAN_CLOSED)
            return RAISE(-EPIPE);
    }
    TRY(r);
    if (!dispatch(a, type, body))
        return RAISE(FAULT_PROTOCOL);
    buf_consume(&a->chan.in, used);
    a->state = AT_WORK;
    return 0;
}

static int say_result(struct auth *a, enum auth_result result)
{
    struct msg_auth_result m = {.result = (uint16_t)result, .notes = buf_view(&a->notes)};
    TRY(msg_auth_result_put(&a->chan.out, AUTH_RESULT, &m));
    return send_all(a);
}

/* ---- the conversation ------------------------------------------------------------------------------------- */

static enum auth_style style_of(int pam_style)
{
    switch (pam_style) {
    case PAM_PROMPT_ECHO_OFF:
        return AUTH_HIDDEN;
    case PAM_PROMPT_ECHO_ON:
        return AUTH_SHOWN;
    case PAM_ERROR_MSG:
        return AUTH_ERROR;
    case PAM_TEXT_INFO:
        return AUTH_INFO;
    default: /* binary prompts and what else there may be */
        return AUTH_ANSWER;
    }
}

/* Notes the texts of a call; ret_asked: how many want an answer. Too long a text is cut, one note too many left out. */
static int note_texts(struct auth *a, int count, const struct pam_message **messages, size_t *ret_asked)
{
    struct auth_count before;
    *ret_asked = 0;
    for (int i = 0; i < count; i++) {
        enum auth_style style = style_of(messages[i]->msg_style);
        struct bytes text = bytes_head(bytes_of_text(messages[i]->msg), AUTH_TEXT_MAX_BYTES);
        bool is_asked = style == AUTH_HIDDEN || style == AUTH_SHOWN;
        if (style == AUTH_ANSWER || !auth_check(buf_view(&a->notes), false, &before))
            return RAISE(FAULT_PROTOCOL);
        if (before.texts == AUTH_TEXTS_MAX_COUNT && is_asked)
            return RAISE(FAULT_LIMIT);
        if (before.texts < AUTH_TEXTS_MAX_COUNT)
            TRY(auth_put(&a->notes, style, text));
        *ret_asked += is_asked;
    }
    return 0;
}

static int ask(struct auth *a, size_t asked)
{
    struct msg_auth_prompts m = {.texts = buf_view(&a->notes)};
    struct auth_count count;
    TRY(msg_auth_prompts_put(&a->chan.out, AUTH_PROMPTS, &m));
    buf_clear(&a->notes);
    buf_clear(&a->answers);
    a->state = WAITING;
    TRY(send_all(a));
    TRY(hear(a));
    if (!auth_check(buf_view(&a->answers), true, &count) || count.texts != asked)
        return RAISE(FAULT_PROTOCOL);
    return 0;
}

static void drop_responses(struct pam_response *responses, int count)
{
    for (int i = 0; responses != NULL && i < count; i++) {
        if (responses[i].resp != NULL)
            explicit_bzero(responses[i].resp, strlen(responses[i].resp));
        free(responses[i].resp);
    }
    free(responses);
}

/* The answers in memory that the module frees, one for each text that asked. NULL: no memory. */
static struct pam_response *make_responses(const struct auth *a, int count, const struct pam_message **messages)
{
    struct bytes rest = buf_view(&a->answers), text;
    enum auth_style style;
    struct pam_response *responses = calloc((size_t)count, sizeof *responses);
    for (int i = 0; responses != NULL && i < count; i++) {
        enum auth_style wanted = style_of(messages[i]->msg_style);
        if ((wanted != AUTH_HIDDEN && wanted != AUTH_SHOWN) || !auth_next(&rest, &style, &text))
            continue;
        responses[i].resp = strndup(text.n > 0 ? (const char *)text.p : "", text.n);
        if (responses[i].resp == NULL) {
            drop_responses(responses, count);
            return NULL;
        }
    }
    return responses;
}

static int converse(int count, const struct pam_message **messages, struct pam_response **ret_responses, void *arg)
{
    struct auth *a = arg;
    size_t asked = 0;
    if (count <= 0 || count > PAM_MAX_NUM_MSG)
        return PAM_CONV_ERR;
    int r = note_texts(a, count, messages, &asked);
    if (r == 0 && asked > 0)
        r = ask(a, asked);
    if (r < 0) {
        buf_clear(&a->notes); /* a question that was not put is no note */
        return PAM_CONV_ERR;
    }
    *ret_responses = make_responses(a, count, messages);
    buf_clear(&a->answers);
    return *ret_responses != NULL ? PAM_SUCCESS : PAM_BUF_ERR;
}

/* Called at the end of a failed pam_authenticate(), in the place of libpam's own sleep. */
static void delay(int status, unsigned us, void *arg)
{
    int64_t left_us = MIN_OF((int64_t)us, DELAY_MAX_US);
    struct timespec wait = {.tv_sec = left_us / US_PER_S, .tv_nsec = left_us % US_PER_S * 1000};
    (void)arg;
    while (status != PAM_SUCCESS && nanosleep(&wait, &wait) < 0 && errno == EINTR)
        ;
}

/* ---- one login -------------------------------------------------------------------------------------------- */

/*
 * The name that belongs to the uid. The engine's comes from /etc/passwd alone; name services may know more, and may be
 * asked here. A user that nobody knows is authenticated like any other, and fails at the end.
 */
static void find_user(struct auth *a)
{
    const struct passwd *p = getpwnam(a->user);
    if (p == NULL || p->pw_uid != a->uid)
        p = getpwuid(a->uid);
    a->is_known = p != NULL && p->pw_uid == a->uid && strlen(p->pw_name) <= AUTH_NAME_MAX_BYTES;
    if (a->is_known)
        snprintf(a->user, sizeof a->user, "%s", p->pw_name);
}

static bool set_items(pam_handle_t *pam, const char *user)
{
    union {
        void (*function)(int, unsigned, void *);
        const void *item; /* pam_fail_delay(3): a function travels as an item */
    } on_delay = {.function = delay};
    return pam_set_item(pam, PAM_TTY, SERVICE) == PAM_SUCCESS && pam_set_item(pam, PAM_RUSER, user) == PAM_SUCCESS &&
           pam_set_item(pam, PAM_RHOST, "localhost") == PAM_SUCCESS &&
           pam_set_item(pam, PAM_FAIL_DELAY, on_delay.item) == PAM_SUCCESS;
}

/* Modules may put another user in the place of the one that was asked for. */
static bool is_same_user(pam_handle_t *pam, const struct auth *a)
{
    const void *item = NULL;
    if (pam_get_item(pam, PAM_USER, &item) != PAM_SUCCESS || item == NULL || strcmp(item, a->user) != 0)
        return false;
    const struct passwd *p = getpwnam(a->user);
    return p != NULL && p->pw_uid == a->uid;
}

static enum auth_result result_of(int status)
{
    static const struct {
        int status;
        enum auth_result result;
    } rows[] = {
        {PAM_SUCCESS, AUTH_DONE},         {PAM_AUTH_ERR, AUTH_WRONG},           {PAM_USER_UNKNOWN, AUTH_WRONG},
        {PAM_MAXTRIES, AUTH_WRONG},       {PAM_CRED_INSUFFICIENT, AUTH_WRONG},  {PAM_CRED_ERR, AUTH_WRONG},
        {PAM_PERM_DENIED, AUTH_DENIED},   {PAM_ACCT_EXPIRED, AUTH_EXPIRED},     {PAM_AUTHTOK_EXPIRED, AUTH_EXPIRED},
        {PAM_CRED_EXPIRED, AUTH_EXPIRED}, {PAM_NEW_AUTHTOK_REQD, AUTH_EXPIRED},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (rows[i].status == status)
            return rows[i].result;
    }
    return AUTH_BROKEN;
}

/* An account that is refused after the right password was given is not a wrong password. */
static enum auth_result account_result_of(int status)
{
    enum auth_result result = result_of(status);
    return result == AUTH_WRONG ? AUTH_DENIED : result;
}

static enum auth_result authenticate(pam_handle_t *pam, const struct auth *a)
{
    if (!set_items(pam, a->user))
        return AUTH_BROKEN;
    int status = pam_authenticate(pam, PAM_DISALLOW_NULL_AUTHTOK);
    enum auth_result result = result_of(status);
    if (status == PAM_SUCCESS) {
        status = pam_acct_mgmt(pam, PAM_DISALLOW_NULL_AUTHTOK);
        result = account_result_of(status);
    }
    if (result == AUTH_BROKEN)
        LOG_ERROR("PAM: %s", pam_strerror(pam, status));
    if (result == AUTH_DONE && !a->is_known)
        return AUTH_WRONG;
    if (result == AUTH_DONE && !is_same_user(pam, a)) {
        LOG_ERROR("PAM authenticated another user than the one that was asked for");
        return AUTH_BROKEN;
    }
    return result;
}

static enum auth_result log_in(struct auth *a, const char *root)
{
    char folder[PROC_PATH_MAX_BYTES];
    const struct pam_conv conv = {converse, a};
    pam_handle_t *pam = NULL;
    int r = proc_path(root, "/etc/pam.d", folder);
    if (r < 0)
        return AUTH_BROKEN;
    find_user(a);
    int status = pam_start_confdir(SERVICE, a->user, &conv, *root != '\0' ? folder : NULL, &pam);
    if (status != PAM_SUCCESS) {
        LOG_ERROR("PAM cannot be started: %s", pam_strerror(pam, status));
        return AUTH_BROKEN;
    }
    enum auth_result result = authenticate(pam, a);
    (void)pam_end(pam, result == AUTH_DONE ? PAM_SUCCESS : PAM_AUTH_ERR);
    return result;
}

int auth_pam_run(int fd, const char *root)
{
    static struct auth auth; /* one a process; too large for the stack */
    struct auth *a = &auth;
    a->state = FRESH;
    buf_init(&a->notes, AUTH_CHANNEL_MAX_BYTES);
    buf_init_wiping(&a->answers, AUTH_CHANNEL_MAX_BYTES);
    int r = chan_init(&a->chan, fd, AUTH_CHANNEL_MAX_BYTES);
    if (r == 0)
        r = hear(a);
    if (r == -EPIPE)
        _exit(0); /* it was given up before it began */
    if (r == 0)
        r = say_result(a, log_in(a, root));
    if (r < 0 && r != -EPIPE)
        proc_log_fault(r, "cannot speak to the engine");
    buf_fini(&a->answers);
    chan_fini(&a->chan);
    _exit(r == 0 || r == -EPIPE ? 0 : 1); /* what modules left to be done at exit is not done */
}
