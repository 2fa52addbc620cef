/*
 * cmd-init - the verb init: the daemon's own program makes the store, so that one code writes it; see roles.h of
 * registry. A passphrase goes to it through a pipe, never through arguments or the environment.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/verbs.h"
#include "crypt/kdf.h"
#include "crypt/keys.h"
#include "os/file.h"
#include "os/spawn.h"
#include "registry/outcome.h"
#include "registry/roles.h"

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

/* A pipe that holds the passphrase; a pipe takes more than the longest one without a reader. */
static int fill_pipe(const struct buf *passphrase, int *ret_fd)
{
    int ends[2];
    static_assert(KEYS_PASSPHRASE_MAX_BYTES < PIPE_BUF, "a passphrase fits into a pipe");
    if (pipe2(ends, O_CLOEXEC) < 0)
        return RAISE(-errno);
    int r = file_write_all(ends[1], buf_view(passphrase));
    close(ends[1]);
    if (r == 0)
        *ret_fd = ends[0];
    else
        close(ends[0]);
    return r;
}

static int run_daemon(struct cli *cli, const char *slot, uint64_t rounds, int input_fd)
{
    char path[PATH_MAX], number[24], mode[] = "--mode=init", name[] = DAEMON_NAME, root_option[] = "--root";
    char root[PROC_PATH_MAX_BYTES], kind[32];
    int wait_status, r = find_daemon(path);
    if (r < 0)
        return cli_fault(cli, r, "cannot find " DAEMON_NAME);
    snprintf(number, sizeof number, "%llu", (unsigned long long)rounds);
    snprintf(kind, sizeof kind, "%s", slot);
    int n = snprintf(root, sizeof root, "%s", cli->root);
    if (n < 0 || (size_t)n >= sizeof root)
        return cli_error(cli, OUTCOME_BAD_REQUEST, "the root is too long");
    bool has_root = *root != '\0';
    char *with_root[] = {name, root_option, root, mode, kind, number, NULL};
    char *without_root[] = {name, mode, kind, number, NULL};
    r = spawn_program(path, has_root ? with_root : without_root, input_fd, &wait_status);
    if (r < 0)
        return cli_fault(cli, r, "cannot start " DAEMON_NAME);
    if (!WIFEXITED(wait_status))
        return cli_error(cli, OUTCOME_INTERNAL, DAEMON_NAME " %s", spawn_status_text(wait_status));
    return WEXITSTATUS(wait_status);
}

static int init_with_passphrase(struct cli *cli, const struct args *args, uint64_t rounds)
{
    struct buf passphrase;
    SCOPED(file_drop_fd) int fd = -1;
    buf_init_wiping(&passphrase, KEYS_PASSPHRASE_MAX_BYTES + 1);
    int status =
        args_has(args, "passphrase-stdin") ? ask_read_line(cli, &passphrase) : ask_new_secret(cli, &passphrase);
    if (status == 0 && buf_size(&passphrase) > KEYS_PASSPHRASE_MAX_BYTES)
        status = cli_error(cli, OUTCOME_TOO_LARGE, "a passphrase has at most %d bytes", KEYS_PASSPHRASE_MAX_BYTES);
    if (status == 0)
        status = cli_fault(cli, fill_pipe(&passphrase, &fd), "cannot hand the passphrase over");
    buf_fini(&passphrase);
    return status != 0 ? status : run_daemon(cli, "passphrase", rounds, fd);
}

int cmd_init(struct cli *cli, const struct args *args)
{
    const char *slot = args_has(args, "slot") ? args_value(args, "slot") : "passphrase";
    bool is_key_file = strcmp(slot, "key-file") == 0;
    uint64_t rounds = KDF_ROUNDS_MIN_COUNT;
    int status = cli_number_option(cli, "rounds", KDF_ROUNDS_MAX_COUNT, &rounds);
    if (status != 0)
        return status;
    if (!is_key_file && strcmp(slot, "passphrase") != 0)
        return cli_usage_error(cli, "--slot is passphrase or key-file");
    if (is_key_file && (args_has(args, "rounds") || args_has(args, "passphrase-stdin")))
        return cli_usage_error(cli, "--rounds and --passphrase-stdin are for a passphrase");
    if (rounds < KDF_ROUNDS_MIN_COUNT)
        return cli_usage_error(cli, "--rounds takes a number from %d", KDF_ROUNDS_MIN_COUNT);
    status = is_key_file ? run_daemon(cli, slot, 0, -1) : init_with_passphrase(cli, args, rounds);
    if (status == 0 && is_key_file)
        cli_warn(cli,
                 "the key lies beside the data, in %s" REGISTRY_KEY_PATH ": who can read both can read everything. "
                 "Move it to another medium, or use a passphrase",
                 cli->root);
    if (status == 0)
        cli_note(cli, "made the registry in %s" REGISTRY_STATE_PATH, cli->root);
    return status;
}
