/*
 * cmd-init - the verb init: the daemon's own program makes the store, so that one code writes it; see roles.h of
 * registry. A passphrase goes to it through a pipe, never through arguments or the environment.
 */
#include <stdio.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/mode.h"
#include "cli/verbs.h"
#include "crypt/kdf.h"
#include "crypt/keys.h"
#include "model/outcome.h"
#include "model/roles.h"
#include "os/file.h"

static int run_daemon(struct cli *cli, const char *slot, uint64_t rounds, int input_fd)
{
    char number[24];
    snprintf(number, sizeof number, "%llu", (unsigned long long)rounds);
    return mode_run(cli, "init", (const char *[]){slot, number, NULL}, input_fd);
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
        status = cli_fault(cli, mode_fill_pipe(buf_view(&passphrase), &fd), "cannot hand the passphrase over");
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
                 "the key lies beside the data, in %s" PLACE_KEY ": who can read both can read everything. "
                 "Move it to another medium, or use a passphrase",
                 cli->root);
    if (status == 0)
        cli_note(cli,
                 "made the registry in %s" PLACE_STATE "; keep %s" PLACE_SIGNER
                 " elsewhere: checkpoints of its trail are checked with it. So is the audit seed, which is told this "
                 "once: with "
                 "it, and only with it, secreg-verify shows that nothing was written anew by who broke in later",
                 cli->root, cli->root);
    return status;
}
