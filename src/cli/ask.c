/* ask - see ask.h. */
#include "cli/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/cli.h"
#include "model/outcome.h"
#include "os/file.h"

/* SIGTTIN and SIGTTOU are left alone: in the background they stop the program before it changes anything. */
static const int caught[] = {SIGALRM, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};

static volatile sig_atomic_t came[NSIG];

static void note_signal(int number)
{
    came[number] = 1;
}

struct terminal {
    int fd;
    struct termios before;
    sigset_t mask; /* of the program; the signals come only while the terminal is waited for */
    struct sigaction actions[COUNT_OF(caught)];
};

/* Gives the terminal back, then lets each signal that came do what it does. Returns true if the program was stopped by
 * one and goes on: the question has to be asked again. */
static bool show(const struct terminal *t)
{
    bool was_stopped = false;
    tcsetattr(t->fd, TCSAFLUSH, &t->before); /* held signals cannot interrupt it */
    for (size_t i = 0; i < COUNT_OF(caught); i++)
        sigaction(caught[i], &t->actions[i], NULL);
    for (size_t i = 0; i < COUNT_OF(caught); i++) {
        if (came[caught[i]] == 0)
            continue;
        kill(getpid(), caught[i]);
        was_stopped = was_stopped || caught[i] == SIGTSTP;
    }
    sigprocmask(SIG_SETMASK, &t->mask, NULL);
    return was_stopped;
}

static int hide(struct terminal *t, bool is_shown)
{
    struct sigaction catch = {.sa_handler = note_signal};
    struct termios silent;
    sigset_t held;
    if (tcgetattr(t->fd, &t->before) < 0)
        return RAISE(-errno);
    sigemptyset(&catch.sa_mask);
    sigemptyset(&held);
    for (size_t i = 0; i < COUNT_OF(caught); i++)
        sigaddset(&held, caught[i]);
    sigprocmask(SIG_BLOCK, &held, &t->mask);
    for (size_t i = 0; i < COUNT_OF(caught); i++) {
        came[caught[i]] = 0;
        sigaction(caught[i], &catch, &t->actions[i]);
    }
    silent = t->before;
    if (!is_shown)
        silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    if (tcsetattr(t->fd, TCSAFLUSH, &silent) == 0)
        return 0;
    int error = errno;
    show(t);
    return RAISE(-error);
}

/* Up to a line feed or the end. Returns 0, FAULT_LIMIT, -EINTR after a signal, or -errno. */
static int read_line(const struct terminal *t, struct buf *line)
{
    struct pollfd p = {.fd = t->fd, .events = POLLIN};
    for (;;) {
        uint8_t *to;
        TRY(buf_reserve(line, 1, &to));
        if (ppoll(&p, 1, NULL, &t->mask) < 0)
            return RAISE(-errno);
        ssize_t n = read(t->fd, to, 1);
        if (n < 0)
            return RAISE(-errno);
        if (n == 0 || *to == '\n')
            return 0;
        buf_commit(line, 1);
    }
}

static int ask_once(int fd, const char *prompt, bool is_shown, struct buf *secret, bool *ret_again)
{
    struct terminal t = {.fd = fd};
    *ret_again = false;
    TRY(hide(&t, is_shown)); /* before the prompt: who types at once must not see it either */
    int r = file_write_all(fd, bytes_of_text(prompt));
    if (r == 0)
        r = read_line(&t, secret);
    int x = is_shown && r == 0 ? 0 : file_write_all(fd, BYTES_LITERAL("\n"));
    *ret_again = show(&t);
    return r != 0 ? r : x;
}

static int ask(struct cli *cli, const char *prompt, bool is_shown, struct buf *secret)
{
    SCOPED(file_drop_fd) int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    bool is_again = true;
    int r = 0;
    assert(secret->wipes);
    if (fd < 0)
        return cli_error(cli, OUTCOME_BAD_REQUEST, "there is no terminal to ask on; give it on standard input");
    while (is_again) {
        buf_clear(secret);
        r = ask_once(fd, prompt, is_shown, secret, &is_again);
    }
    if (r == FAULT_LIMIT)
        return cli_error(cli, OUTCOME_TOO_LARGE, "that is longer than %zu bytes", secret->max - 1);
    return cli_fault(cli, r, "cannot read from the terminal");
}

int ask_secret(struct cli *cli, const char *prompt, struct buf *secret)
{
    return ask(cli, prompt, false, secret);
}

int ask_shown(struct cli *cli, const char *prompt, struct buf *line)
{
    return ask(cli, prompt, true, line);
}

int ask_new_secret(struct cli *cli, struct buf *secret)
{
    struct buf again;
    buf_init_wiping(&again, secret->max);
    int status = ask_secret(cli, "New passphrase: ", secret);
    if (status == 0 && buf_size(secret) == 0)
        status = cli_error(cli, OUTCOME_BAD_REQUEST, "the passphrase is empty");
    if (status == 0)
        status = ask_secret(cli, "The same again: ", &again);
    if (status == 0 && !bytes_equal(buf_view(secret), buf_view(&again)))
        status = cli_error(cli, OUTCOME_BAD_REQUEST, "the two differ");
    buf_fini(&again);
    return status;
}

int ask_read_line(struct cli *cli, struct buf *secret)
{
    int r = file_read_all(STDIN_FILENO, secret);
    if (r == FAULT_LIMIT)
        return cli_error(cli, OUTCOME_TOO_LARGE, "standard input holds more than %zu bytes", secret->max - 1);
    size_t n = buf_size(secret);
    if (r == 0 && n > 0 && buf_view(secret).p[n - 1] == '\n')
        buf_truncate(secret, n - 1);
    if (r == 0 && (buf_size(secret) == 0 || memchr(buf_view(secret).p, '\n', buf_size(secret)) != NULL))
        return cli_error(cli, OUTCOME_BAD_REQUEST, "standard input does not hold one line");
    return cli_fault(cli, r, "cannot read standard input");
}

int ask_yes(struct cli *cli, const char *question, bool *ret_yes)
{
    char line[16];
    struct buf safe;
    buf_init(&safe, CLI_FIELDS_MAX_BYTES);
    int r = text_escape(&safe, bytes_of_text(question));
    fflush(stdout);
    if (r == 0)
        fprintf(stderr, "%.*s [y/N] ", BYTES_PRINT(buf_view(&safe)));
    buf_fini(&safe);
    *ret_yes = r == 0 && fgets(line, sizeof line, stdin) != NULL &&
               (strcmp(line, "y\n") == 0 || strcmp(line, "Y\n") == 0 || strcmp(line, "yes\n") == 0);
    return cli_fault(cli, r, "cannot ask");
}
