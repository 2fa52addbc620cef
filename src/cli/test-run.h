/*
 * test-run - sreg run inside a test: its output and messages are kept; and a daemon that answers from a table.
 */
#ifndef CLI_TEST_RUN_H
#define CLI_TEST_RUN_H

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"

static char said[65536], printed[1 << 20];
static char folder[64];

static void read_back(int fd, char *text, size_t size)
{
    ssize_t n = pread(fd, text, size - 1, 0);
    assert_true(n >= 0);
    text[n] = '\0';
}

/* Runs "sreg LINE", words separated by one blank. Returns the exit status; fills `printed` and `said`. */
static int run(const char *line)
{
    static char text[512];
    static char *words[32];
    int count = 0, saved[2] = {dup(1), dup(2)}, files[2];
    snprintf(text, sizeof text, "sreg %s", line);
    for (char *rest = text, *word; (word = strsep(&rest, " ")) != NULL;)
        words[count++] = word;
    words[count] = NULL;
    fflush(stdout);
    for (int i = 0; i < 2; i++) {
        files[i] = open("/tmp", O_TMPFILE | O_RDWR, 0600);
        assert_true(files[i] >= 0 && dup2(files[i], i + 1) == i + 1);
    }
    int status = cli_main(count, words);
    fflush(stdout);
    fflush(stderr);
    read_back(files[0], printed, sizeof printed);
    read_back(files[1], said, sizeof said);
    for (int i = 0; i < 2; i++) {
        dup2(saved[i], i + 1);
        close(saved[i]);
        close(files[i]);
    }
    return status;
}

static int run_make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/secreg-cli-XXXXXX");
    unsetenv("SECREG_ROOT");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static UNUSED int run_drop_folder(void **state)
{
    char path[128];
    static const char *const parts[] = {"run/secreg/socket", "run/secreg", "run"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, parts[i]);
        if (remove(path) != 0 && i > 0)
            break;
    }
    return rmdir(folder);
}

/* ---- a daemon -----------------------------------------------------------------------------------------------------
 */

struct fake_row {
    const char *request; /* "GET /v1/status" */
    const char *status;  /* "200 OK" */
    const char *fields;  /* whole lines */
    struct bytes body;
};

static pid_t fake_pid;

static const struct fake_row *fake_find(const struct fake_row *rows, const char *text)
{
    for (; rows->request != NULL; rows++) {
        size_t n = strlen(rows->request);
        if (strncmp(text, rows->request, n) == 0 && text[n] == ' ')
            return rows;
    }
    return NULL;
}

/* Answers one request; false at the end of the connection. What is in no row ends the connection. */
static bool fake_answer(int fd, const struct fake_row *rows)
{
    static char text[1 << 16], head[4096];
    size_t n = 0;
    const char *end;
    text[0] = '\0';
    while ((end = strstr(text, "\r\n\r\n")) == NULL) {
        ssize_t got = read(fd, text + n, sizeof text - n - 1);
        if (got <= 0)
            return false;
        n += (size_t)got;
        text[n] = '\0';
    }
    const char *length = strstr(text, "Content-Length: ");
    size_t wanted = (size_t)(end + 4 - text) + (length != NULL ? strtoul(length + 16, NULL, 10) : 0);
    while (n < wanted && read(fd, text + n, 1) == 1)
        n++;
    const struct fake_row *row = fake_find(rows, text);
    if (row == NULL)
        return false;
    int size = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n", row->status, row->body.n,
                        row->fields);
    if (send(fd, head, (size_t)size, MSG_NOSIGNAL) < 0)
        return false;
    return row->body.n == 0 || send(fd, row->body.p, row->body.n, MSG_NOSIGNAL) >= 0;
}

/* Starts a daemon at the socket below `folder`; the table ends with a row without a request. */
static UNUSED void fake_start(const struct fake_row *rows)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[96];
    snprintf(path, sizeof path, "%s/run", folder);
    mkdir(path, 0700);
    strcat(path, "/secreg");
    mkdir(path, 0700);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", path);
    unlink(address.sun_path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 8), 0);
    fake_pid = fork();
    assert_true(fake_pid >= 0);
    while (fake_pid == 0) {
        int fd = accept(listener, NULL, NULL);
        alarm(60);
        while (fake_answer(fd, rows))
            continue;
        close(fd);
    }
    close(listener);
}

static UNUSED void fake_stop(void)
{
    kill(fake_pid, SIGKILL);
    assert_int_equal(waitpid(fake_pid, NULL, 0), fake_pid);
}

/* "sreg --root FOLDER ..." */
static UNUSED int run_here(const char *format_line)
{
    char line[400];
    snprintf(line, sizeof line, "--root %s %s", folder, format_line);
    return run(line);
}

#endif
