/* cmd-tree - the verbs cp, mv, destroy, and del of a subtree or without doing it; see verbs.h. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/cmd-entry.h"
#include "cli/names.h"
#include "cli/tx.h"
#include "cli/verbs.h"
#include "model/outcome.h"
#include "model/path.h"

enum { PATH_TEXT_BYTES = PATH_MAX_BYTES + 2, QUESTION_BYTES = PATH_TEXT_BYTES + 96 };

/* One line an entry: what would be done to it, and where it would go. `to` NULL: nowhere. */
static int show_plan(struct cli *cli, const char *what, const char *from, const char *to, uint64_t count)
{
    struct names paths;
    names_init(&paths);
    int status = tx_below(cli, from, &paths);
    for (size_t i = 0; status == 0 && i < paths.count; i++) {
        const char *path = paths.items[i];
        if (to != NULL)
            printf("%s %s -> %s%s\n", what, path, to, path + strlen(from));
        else
            printf("%s %s\n", what, path);
    }
    if (status == 0 && count > paths.count)
        cli_warn(cli, "and %llu more entries that you may not list", (unsigned long long)(count - paths.count));
    names_fini(&paths);
    return status;
}

/* A path as it is given, without the slash at its end. */
static const char *trim(char storage[static PATH_TEXT_BYTES], const char *path)
{
    size_t n = strlen(path);
    if (n < 2 || n >= PATH_TEXT_BYTES || path[n - 1] != '/')
        return path;
    memcpy(storage, path, n - 1);
    storage[n - 1] = '\0';
    return storage;
}

/* ---- cp and mv ----------------------------------------------------------------------------------------------------
 */

static int transfer(struct cli *cli, const char *op, const char *done)
{
    char from_storage[PATH_TEXT_BYTES], to_storage[PATH_TEXT_BYTES];
    const char *from = trim(from_storage, cli->args->operands[0]), *to = trim(to_storage, cli->args->operands[1]);
    struct tx t;
    struct bytes data;
    tx_init(&t, cli);
    tx_part(&t, "then");
    tx_leaf(&t, op);
    tx_text(&t, "from", bytes_of_text(from));
    tx_text(&t, "to", bytes_of_text(to));
    int status = tx_send(&t, &data);
    if (status == 0)
        status = tx_print(cli, data);
    uint64_t count = status == 0 ? tx_number_of(data, "entries") : 0;
    if (status == 0 && !cli->is_json && t.is_dry)
        status = show_plan(cli, op, from, to, count);
    else if (status == 0)
        cli_note(cli, "%s: %s %s, %llu entr%s", from, done, to, (unsigned long long)count, count == 1 ? "y" : "ies");
    tx_fini(&t);
    return status;
}

int cmd_cp(struct cli *cli, const struct args *args)
{
    (void)args;
    return transfer(cli, "copy", "copied to");
}

int cmd_mv(struct cli *cli, const struct args *args)
{
    (void)args;
    return transfer(cli, "move", "moved to");
}

/* ---- del ----------------------------------------------------------------------------------------------------------
 */

int cmd_del_tx(struct cli *cli, const struct args *args)
{
    char storage[PATH_TEXT_BYTES];
    bool is_tree = args_has(args, "recursive");
    const char *path = is_tree ? trim(storage, args->operands[0]) : args->operands[0];
    uint64_t version = 0;
    struct tx t;
    struct bytes data;
    if (is_tree && args_has(args, "if-version"))
        return cli_usage_error(cli, "--recursive and --if-version exclude each other");
    int status = cli_number_option(cli, "if-version", INT64_MAX, &version);
    if (status != 0)
        return status;
    tx_init(&t, cli);
    tx_part(&t, "then");
    tx_leaf(&t, is_tree ? "delete-tree" : "delete");
    tx_text(&t, "path", bytes_of_text(path));
    if (args_has(args, "if-version"))
        tx_number(&t, "version", version);
    status = tx_send(&t, &data);
    if (status == 0)
        status = tx_print(cli, data);
    uint64_t count = status == 0 && is_tree ? tx_number_of(data, "entries") : 1;
    if (status == 0 && !cli->is_json && t.is_dry)
        status = show_plan(cli, "delete", path, NULL, count);
    else if (status == 0)
        cli_note(cli, "%s: deleted %llu entr%s", path, (unsigned long long)count, count == 1 ? "y" : "ies");
    tx_fini(&t);
    return status;
}

/* ---- destroy ------------------------------------------------------------------------------------------------------
 */

/* Asks the person at the terminal, unless the command line has said it. Returns a status. */
static int confirm(struct cli *cli, const char *path, const char *version)
{
    char question[QUESTION_BYTES];
    bool is_yes = false;
    if (args_has(cli->args, "yes") || args_has(cli->args, "dry-run"))
        return 0;
    if (isatty(STDIN_FILENO) != 1 || !cli->is_tty_err)
        return cli_usage_error(cli,
                               "--yes is needed where nobody can be asked: a destroyed version cannot be had back");
    snprintf(question, sizeof question, "Destroy version %s of %s? It cannot be had back.", version, path);
    int status = ask_yes(cli, question, &is_yes);
    return status != 0 || is_yes ? status : CLI_FAILED;
}

int cmd_destroy(struct cli *cli, const struct args *args)
{
    const char *path = args->operands[0];
    uint64_t version = 0;
    struct tx t;
    struct bytes data;
    int status = cli_number_option(cli, "version", INT64_MAX, &version);
    if (status == 0 && version == 0)
        return cli_usage_error(cli, "destroy takes --version with a number above 0");
    if (status == 0)
        status = confirm(cli, path, args_value(args, "version"));
    if (status != 0)
        return status;
    tx_init(&t, cli);
    tx_part(&t, "then");
    tx_leaf(&t, "destroy");
    tx_text(&t, "path", bytes_of_text(path));
    tx_number(&t, "version", version);
    status = tx_send(&t, &data);
    if (status == 0)
        status = tx_print(cli, data);
    if (status == 0 && !cli->is_json && t.is_dry)
        printf("destroy %s version %llu\n", path, (unsigned long long)version);
    else if (status == 0)
        cli_note(cli, "%s: destroyed version %llu", path, (unsigned long long)version);
    tx_fini(&t);
    return status;
}
