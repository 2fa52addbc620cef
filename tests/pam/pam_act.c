/*
 * pam_act - a PAM module for tests: does what its arguments say, in their order, and succeeds at the end. A space in an
 * argument is written as '+'.
 *
 *   info=TEXT error=TEXT      show a text
 *   ask=TEXT:ANSWER           ask without echo; another answer fails
 *   show=TEXT:ANSWER          the same with echo
 *   two                       one call that says something and asks "Name: " (x) with and "Code: " (y) without echo
 *   binary many               a call with a prompt of an unknown style; a call with more questions than there may be
 *   sleep=MS block            sleep; block every signal and wait for ever
 *   crash exit daemon         SIGTRAP (which no sanitizer takes for its own); exit(3); leave a child behind that keeps
 * all descriptors open delay=US                  pam_fail_delay() user=NAME                 put another user in the
 * place of this one report=FILE               write what this process has: environment, descriptors, limits, items,
 * state read=FILE                 add to the report whether a file can be read kill=PID                  add to the
 * report whether a process can be signalled return=N                  end with this PAM status
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <security/pam_modules.h>

static FILE *report;

static int say(pam_handle_t *pam, int style, const char *text)
{
    const struct pam_conv *conv;
    const struct pam_message message = {style, text};
    const struct pam_message *messages = &message;
    struct pam_response *response = NULL;
    if (pam_get_item(pam, PAM_CONV, (const void **)&conv) != PAM_SUCCESS)
        return PAM_CONV_ERR;
    int r = conv->conv(1, &messages, &response, conv->appdata_ptr);
    free(response);
    return r;
}

static int ask(pam_handle_t *pam, int style, char *text)
{
    const struct pam_conv *conv;
    char *wanted = strrchr(text, ':');
    *wanted++ = '\0';
    const struct pam_message message = {style, text};
    const struct pam_message *messages = &message;
    struct pam_response *response = NULL;
    if (pam_get_item(pam, PAM_CONV, (const void **)&conv) != PAM_SUCCESS)
        return PAM_CONV_ERR;
    int r = conv->conv(1, &messages, &response, conv->appdata_ptr);
    if (r != PAM_SUCCESS)
        return r;
    r = response->resp != NULL && strcmp(response->resp, wanted) == 0 ? PAM_SUCCESS : PAM_AUTH_ERR;
    free(response->resp);
    free(response);
    return r;
}

static int call(pam_handle_t *pam, int count, const struct pam_message *message)
{
    const struct pam_conv *conv;
    const struct pam_message *messages[40];
    struct pam_response *r = NULL;
    for (int i = 0; i < count; i++)
        messages[i] = &message[i];
    if (pam_get_item(pam, PAM_CONV, (const void **)&conv) != PAM_SUCCESS)
        return PAM_CONV_ERR;
    int status = conv->conv(count, messages, &r, conv->appdata_ptr);
    if (status != PAM_SUCCESS || count != 3)
        return status;
    bool is_right = r[0].resp == NULL && strcmp(r[1].resp, "x") == 0 && strcmp(r[2].resp, "y") == 0;
    free(r[1].resp);
    free(r[2].resp);
    free(r);
    return is_right ? PAM_SUCCESS : PAM_AUTH_ERR;
}

static int two(pam_handle_t *pam)
{
    static const struct pam_message messages[] = {
        {PAM_TEXT_INFO, "two questions"}, {PAM_PROMPT_ECHO_ON, "Name: "}, {PAM_PROMPT_ECHO_OFF, "Code: "}};
    return call(pam, 3, messages);
}

static int many(pam_handle_t *pam)
{
    struct pam_message messages[17];
    for (int i = 0; i < 17; i++)
        messages[i] = (struct pam_message){PAM_PROMPT_ECHO_OFF, "again"};
    return call(pam, 17, messages);
}

static void sleep_ms(long ms)
{
    struct timespec wait = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&wait, &wait) < 0)
        ;
}

static void block(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (;;)
        pause();
}

static void report_on(pam_handle_t *pam, const char *path)
{
    static const struct {
        int item;
        const char *name;
    } items[] = {
        {PAM_SERVICE, "service"}, {PAM_USER, "user"}, {PAM_TTY, "tty"}, {PAM_RUSER, "ruser"}, {PAM_RHOST, "rhost"}};
    struct rlimit limit;
    report = fopen(path, "we");
    if (report == NULL)
        return;
    for (char **e = environ; *e != NULL; e++)
        fprintf(report, "env %s\n", *e);
    for (int fd = 0; fd < 64; fd++) {
        if (fd != fileno(report) && fcntl(fd, F_GETFD) >= 0)
            fprintf(report, "fd %d\n", fd);
    }
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        const void *text = NULL;
        pam_get_item(pam, items[i].item, &text);
        fprintf(report, "%s %s\n", items[i].name, text != NULL ? (const char *)text : "-");
    }
    fprintf(report, "dumpable %d\nno_new_privs %d\nuid %d\npid %d\n", prctl(PR_GET_DUMPABLE),
            prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), (int)getuid(), (int)getpid());
    getrlimit(RLIMIT_CORE, &limit);
    fprintf(report, "core %llu\n", (unsigned long long)limit.rlim_max);
    getrlimit(RLIMIT_CPU, &limit);
    fprintf(report, "cpu %llu\n", (unsigned long long)limit.rlim_max);
    FILE *status = fopen("/proc/self/status", "re");
    char line[256];
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        if (strncmp(line, "Cap", 3) == 0 || strncmp(line, "Seccomp:", 8) == 0)
            fprintf(report, "%s", line);
    }
    if (status != NULL)
        fclose(status);
    fflush(report);
}

static void report_read(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    fprintf(report, "read %s %s\n", path, fd >= 0 ? "yes" : strerrorname_np(errno));
    fflush(report);
    if (fd >= 0)
        close(fd);
}

static void report_kill(const char *pid)
{
    int r = kill((pid_t)atoi(pid), 0);
    fprintf(report, "kill %s %s\n", pid, r == 0 ? "yes" : strerrorname_np(errno));
    fflush(report);
}

static void leave_a_child(void)
{
    if (fork() == 0) {
        sleep_ms(3000);
        _exit(0);
    }
}

static int act(pam_handle_t *pam, const char *word, bool *ret_ends)
{
    char text[1024];
    snprintf(text, sizeof text, "%s", word);
    for (char *c = text; *c != '\0'; c++)
        *c = *c == '+' ? ' ' : *c;
    char *value = strchr(text, '=');
    value = value != NULL ? value + 1 : text;
#define IS(name) (strncmp(text, name, strlen(name)) == 0)
    if (IS("info="))
        return say(pam, PAM_TEXT_INFO, value);
    if (IS("error="))
        return say(pam, PAM_ERROR_MSG, value);
    if (IS("ask="))
        return ask(pam, PAM_PROMPT_ECHO_OFF, value);
    if (IS("show="))
        return ask(pam, PAM_PROMPT_ECHO_ON, value);
    if (IS("two"))
        return two(pam);
    if (IS("many"))
        return many(pam);
    if (IS("binary"))
        return say(pam, 77, value);
    if (IS("sleep="))
        sleep_ms(atol(value));
    else if (IS("block"))
        block();
    else if (IS("crash"))
        raise(SIGTRAP);
    else if (IS("exit"))
        _exit(3);
    else if (IS("daemon"))
        leave_a_child();
    else if (IS("delay="))
        return pam_fail_delay(pam, (unsigned)atol(value));
    else if (IS("user="))
        return pam_set_item(pam, PAM_USER, value);
    else if (IS("report="))
        report_on(pam, value);
    else if (IS("read="))
        report_read(value);
    else if (IS("kill="))
        report_kill(value);
    *ret_ends = IS("return=");
    return *ret_ends ? atoi(value) : PAM_SUCCESS;
#undef IS
}

static int run(pam_handle_t *pam, int argc, const char **argv)
{
    bool ends = false;
    int r = PAM_SUCCESS;
    for (int i = 0; r == PAM_SUCCESS && !ends && i < argc; i++)
        r = act(pam, argv[i], &ends);
    return r;
}

int pam_sm_authenticate(pam_handle_t *pam, int flags, int argc, const char **argv)
{
    (void)flags;
    return run(pam, argc, argv);
}

int pam_sm_setcred(pam_handle_t *pam, int flags, int argc, const char **argv)
{
    (void)pam, (void)flags, (void)argc, (void)argv;
    return PAM_SUCCESS;
}

int pam_sm_acct_mgmt(pam_handle_t *pam, int flags, int argc, const char **argv)
{
    (void)flags;
    return run(pam, argc, argv);
}
