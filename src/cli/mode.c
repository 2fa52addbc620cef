/* mode - see mode.h. */
#include "cli/mode.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "crypt/keys.h"
#include "model/outcome.h"
#include "model/roles.h"
#include "os/file.h"
#include "os/spawn.h"
#include "proc/proc.h"

#define DAEMON_NAME "secregd"

/* The daemon beside this program, as in a build folder, else the installed one. */
static int find_daemon(char ret_path[static PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", ret_path, PATH_MAX - sizeof DAEMON_NAME);
    while (n > 0 && ret_path[n - 1] != '/')
        n--;
    if (n > 0) {
        memcpy(ret_path + n, DAEMON_NAME, sizeof DAEMON_NAME);
        if (access(ret_path, X_OK) == 0)
            return 0;
    }
    memcpy(ret_path, SECREG_SBINDIR "/" DAEMON_NAME, sizeof SECREG_SBINDIR "/" DAEMON_NAME);
    return access(ret_path, X_OK) == 0 ? 0 : RAISE(-errno);
}

int mode_fill_pipe(struct bytes material, int *ret_fd)
{
    int ends[2];
    static_assert(KEYS_PASSPHRASE_MAX_BYTES < PIPE_BUF, "a passphrase fits into a pipe");
    assert(material.n <= KEYS_PASSPHRASE_MAX_BYTES);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return RAISE(-errno);
    int r = file_write_all(ends[1], material);
    close(ends[1]);
    if (r == 0)
        *ret_fd = ends[0];
    else
        close(ends[0]);
    return r;
}

/* execve(2) takes arguments that it does not change as if it could. */
static char *plain(const char *text)
{
    return (char *)(uintptr_t)text;
}

int mode_run(struct cli *cli, const char *name, const char *const args[], int input_fd)
{
    char path[PATH_MAX], mode[32];
    char *argv[MODE_ARGS_MAX_COUNT + 5];
    size_t n = 0;
    int wait_status, r = find_daemon(path);
    if (r < 0)
        return cli_fault(cli, r, "cannot find " DAEMON_NAME);
    if (strlen(cli->root) >= PROC_PATH_MAX_BYTES)
        return cli_error(cli, OUTCOME_BAD_REQUEST, "the root is too long");
    snprintf(mode, sizeof mode, "--mode=%s", name);
    argv[n++] = plain(DAEMON_NAME);
    if (*cli->root != '\0') {
        argv[n++] = plain("--root");
        argv[n++] = plain(cli->root);
    }
    argv[n++] = mode;
    for (size_t i = 0; args[i] != NULL; i++) {
        assert(i < MODE_ARGS_MAX_COUNT);
        argv[n++] = plain(args[i]);
    }
    argv[n] = NULL;
    r = spawn_program(path, argv, input_fd, &wait_status);
    if (r < 0)
        return cli_fault(cli, r, "cannot start " DAEMON_NAME);
    if (!WIFEXITED(wait_status))
        return cli_error(cli, OUTCOME_INTERNAL, DAEMON_NAME " %s", spawn_status_text(wait_status));
    return WEXITSTATUS(wait_status);
}
