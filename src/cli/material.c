/* material - see material.h. */
#include "cli/material.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/cli.h"
#include "crypt/keys.h"
#include "model/outcome.h"
#include "model/roles.h"
#include "os/file.h"
#include "proc/proc.h"

void material_init(struct buf *material)
{
    buf_init_wiping(material, KEYS_PASSPHRASE_MAX_BYTES + 1);
}

static int check_key(struct cli *cli, const char *path, const struct buf *material)
{
    if (buf_size(material) == KEYS_FILE_BYTES)
        return 0;
    return cli_error(cli, OUTCOME_BAD_REQUEST, "%s is no key file: those have %d bytes", path, KEYS_FILE_BYTES);
}

static int check_line(struct cli *cli, const char *path, struct buf *material)
{
    size_t n = buf_size(material);
    if (n > 0 && buf_view(material).p[n - 1] == '\n')
        buf_truncate(material, --n);
    if (n > 0 && n <= KEYS_PASSPHRASE_MAX_BYTES && memchr(buf_view(material).p, '\n', n) == NULL)
        return 0;
    return cli_error(cli, OUTCOME_BAD_REQUEST, "%s does not hold one line of at most %d bytes", path,
                     KEYS_PASSPHRASE_MAX_BYTES);
}

int material_file(struct cli *cli, const char *path, bool is_key, struct buf *material)
{
    SCOPED(file_drop_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int r = fd < 0 ? RAISE(-errno) : file_read_all(fd, material);
    if (r == FAULT_LIMIT)
        return cli_error(cli, OUTCOME_TOO_LARGE, "%s is too long", path);
    if (r < 0)
        return cli_fault(cli, r, path);
    return is_key ? check_key(cli, path, material) : check_line(cli, path, material);
}

int material_choose(struct cli *cli, const struct args *args, bool takes_key, struct buf *material, bool *ret_is_key)
{
    char key[PROC_PATH_MAX_BYTES];
    bool is_stdin = args_has(args, "passphrase-stdin");
    *ret_is_key = args_has(args, "key-file");
    if (is_stdin && *ret_is_key)
        return cli_usage_error(cli, "--passphrase-stdin and --key-file exclude each other");
    if (*ret_is_key)
        return material_file(cli, args_value(args, "key-file"), true, material);
    if (is_stdin)
        return ask_read_line(cli, material);
    int n = snprintf(key, sizeof key, "%s" PLACE_KEY, cli->root);
    if (takes_key && n > 0 && (size_t)n < sizeof key && access(key, R_OK) == 0) {
        *ret_is_key = true;
        return material_file(cli, key, true, material);
    }
    return ask_secret(cli, "Passphrase: ", material);
}
