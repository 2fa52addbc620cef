/*
 * cli - see cli.h. One program run is one verb: the connection is made by its first request, so that help, completion
 * and wrong command lines need no daemon.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "base/text.h"
#include "cli/token.h"
#include "cli/verbs.h"
#include "model/outcome.h"
#include "wire/doc.h"
#include "wire/uri.h"

#define SOCKET_PATH "/run/secreg/socket"
#define TREE_ROOT "/registry"

enum { MESSAGE_MAX_BYTES = 1024 };

/* ---- messages -----------------------------------------------------------------------------------------------------
 */

static void say_json(const char *code, const char *text)
{
    struct buf line;
    buf_init(&line, 8 * MESSAGE_MAX_BYTES);
    int r = buf_append_text(&line, "{\"code\":");
    if (r == 0)
        r = doc_json_string(&line, bytes_of_text(code));
    if (r == 0)
        r = buf_append_text(&line, ",\"message\":");
    if (r == 0)
        r = doc_json_string(&line, bytes_of_text(text));
    if (r == 0)
        fprintf(stderr, "%.*s}\n", BYTES_PRINT(buf_view(&line)));
    buf_fini(&line);
}

/* The text may hold what a user or a file gave: escaped, unless it comes from the connection, which has done so. */
static void say(const struct cli *cli, const char *code, const char *text, bool is_safe)
{
    struct buf line;
    if (cli->is_json) {
        say_json(code, text);
        return;
    }
    buf_init(&line, 8 * MESSAGE_MAX_BYTES);
    int r = is_safe ? buf_append_text(&line, text) : text_escape(&line, bytes_of_text(text));
    if (r == 0)
        fprintf(stderr, "sreg: %.*s\n", BYTES_PRINT(buf_view(&line)));
    buf_fini(&line);
}

int cli_error(struct cli *cli, unsigned outcome, const char *format, ...)
{
    char text[MESSAGE_MAX_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    say(cli, outcome_code(outcome), text, false);
    return outcome_exit(outcome);
}

int cli_usage_error(struct cli *cli, const char *format, ...)
{
    char text[MESSAGE_MAX_BYTES];
    va_list args;
    const struct verb *verb = cli->args != NULL ? cli->args->verb : NULL;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    say(cli, outcome_code(OUTCOME_BAD_REQUEST), text, false);
    if (!cli->is_json)
        fprintf(stderr, "sreg: see `sreg help%s%s`\n", verb != NULL ? " " : "", verb != NULL ? verb->name : "");
    return CLI_USAGE;
}

int cli_fault(struct cli *cli, int fault, const char *what)
{
    return fault == 0 ? 0 : cli_error(cli, OUTCOME_INTERNAL, "%s: %s", what, fault_text(fault));
}

static PRINTF_LIKE(2, 0) void hint(const char *kind, const char *format, va_list args)
{
    char text[MESSAGE_MAX_BYTES];
    struct buf line;
    vsnprintf(text, sizeof text, format, args);
    buf_init(&line, 8 * MESSAGE_MAX_BYTES);
    if (text_escape(&line, bytes_of_text(text)) == 0)
        fprintf(stderr, "sreg: %s%.*s\n", kind, BYTES_PRINT(buf_view(&line)));
    buf_fini(&line);
}

void cli_warn(struct cli *cli, const char *format, ...)
{
    va_list args;
    if (cli->is_quiet)
        return;
    va_start(args, format);
    hint("warning: ", format, args);
    va_end(args);
}

void cli_note(struct cli *cli, const char *format, ...)
{
    va_list args;
    if (cli->is_quiet || !cli->is_tty_err)
        return;
    va_start(args, format);
    hint("", format, args);
    va_end(args);
}

int cli_print_json(struct bytes text)
{
    fwrite(text.p, 1, text.n, stdout);
    fputc('\n', stdout);
    return 0;
}

/* ---- requests -----------------------------------------------------------------------------------------------------
 */

/* True if there is a handle; else the status is in ret_status. */
static bool has_link(struct cli *cli, int *ret_status)
{
    struct buf path;
    if (cli->link != NULL)
        return true;
    buf_init(&path, 4096);
    int r = buf_append_text(&path, cli->root);
    if (r == 0)
        r = buf_append(&path, BYTES_OF(SOCKET_PATH)); /* with its NUL */
    enum secreg_result result = r == 0 ? secreg_new((const char *)buf_view(&path).p, &cli->link) : SECREG_BAD_INPUT;
    buf_fini(&path);
    if (result == SECREG_OK && cli->timeout_ms > 0)
        secreg_set_timeout(cli->link, cli->timeout_ms);
    if (result == SECREG_OK && !cli->has_no_session)
        token_load(cli, cli->link->session, sizeof cli->link->session);
    if (result == SECREG_OK)
        return true;
    *ret_status =
        result == SECREG_BAD_INPUT
            ? cli_error(cli, OUTCOME_BAD_REQUEST, "the path of the socket below the root is longer than 107 bytes")
            : cli_fault(cli, -ENOMEM, "cannot connect");
    return false;
}

static unsigned outcome_of(const struct secreg *link)
{
    unsigned outcome = outcome_of_code(bytes_of_text(link->code));
    return outcome < OUTCOME_COUNT ? outcome : OUTCOME_INTERNAL;
}

bool cli_try(struct cli *cli, const struct secreg_ask *ask, struct secreg_answer *ret_answer, unsigned *ret_outcome)
{
    int status;
    if (!has_link(cli, &status)) {
        *ret_outcome = OUTCOME_INTERNAL;
        return false;
    }
    enum secreg_result result = secreg_request(cli->link, ask, ret_answer);
    if (result == SECREG_OK && !secreg_is_done(ret_answer))
        result = secreg_refused(cli->link, ret_answer);
    *ret_outcome = result == SECREG_OK ? OUTCOME_DONE : outcome_of(cli->link);
    return result == SECREG_OK;
}

int cli_ask(struct cli *cli, const struct secreg_ask *ask, struct secreg_answer *ret_answer)
{
    int status;
    unsigned outcome;
    if (!has_link(cli, &status))
        return status;
    if (cli_try(cli, ask, ret_answer, &outcome))
        return 0;
    return cli_refused(cli, outcome, NULL);
}

int cli_refused(struct cli *cli, unsigned outcome, const char *about)
{
    struct buf line;
    if (cli->link == NULL) /* there was no memory for it, which has been said */
        return outcome_exit(outcome);
    buf_init(&line, 8 * MESSAGE_MAX_BYTES);
    int r =
        cli->is_json ? buf_append_text(&line, about != NULL ? about : "") : text_escape(&line, bytes_of_text(about));
    if (r == 0 && about != NULL)
        r = buf_append_text(&line, ": ");
    if (r == 0)
        r = buf_append_text(&line, cli->link->text);
    if (r == 0)
        r = buf_append(&line, bytes_of("", 1));
    say(cli, cli->link->code, r == 0 ? (const char *)buf_view(&line).p : cli->link->text, true);
    buf_fini(&line);
    if (outcome == OUTCOME_BAD_SESSION && token_remove(cli))
        cli_warn(cli, "the token of that session was removed from %s; `sreg login` makes a new one", token_path(cli));
    return outcome_exit(outcome);
}

int cli_data(struct cli *cli, const struct secreg_ask *ask, struct bytes *ret_data)
{
    struct secreg_answer answer = {0};
    int status = cli_ask(cli, ask, &answer);
    if (status == 0 && !secreg_member(answer.body, "data", ret_data))
        status = cli_error(cli, OUTCOME_BAD_HTTP, "the daemon's reply is not what doc/spec/http-api.md says");
    return status;
}

int cli_get_data(struct cli *cli, struct bytes target, struct bytes *ret_data)
{
    struct secreg_ask ask = {.method = "GET", .target = target, .is_read = true};
    return cli_data(cli, &ask, ret_data);
}

int cli_target_path(struct cli *cli, struct buf *out, const char *path, bool is_folder)
{
    struct bytes text = bytes_of_text(path);
    if (is_folder && text.n > 1 && text.p[text.n - 1] == '/')
        text.n--;
    bool is_in_tree = bytes_starts(text, BYTES_LITERAL(TREE_ROOT "/")) || bytes_equal(text, BYTES_LITERAL(TREE_ROOT));
    if (!is_in_tree)
        return cli_error(cli, OUTCOME_BAD_PATH, "not a valid path: it begins with " TREE_ROOT "/");
    if (text.p[text.n - 1] == '/')
        return cli_error(cli, OUTCOME_BAD_PATH, "not a valid path: an entry has no slash at the end");
    if (uri_encode(out, text) < 0 || buf_append_text(out, is_folder ? "/" : "") < 0)
        return cli_error(cli, OUTCOME_BAD_PATH, "not a valid path: it is too long");
    return 0;
}

int cli_target_arg(struct cli *cli, struct buf *out, const char *name, const char *value)
{
    struct bytes so_far = buf_view(out);
    int r = buf_append_text(out, bytes_find(so_far, '?') < so_far.n ? "&" : "?");
    if (r == 0)
        r = buf_append_text(out, name);
    if (r == 0 && value != NULL)
        r = buf_append_text(out, "=");
    if (r == 0 && value != NULL)
        r = uri_encode(out, bytes_of_text(value));
    return r == 0 ? 0 : cli_error(cli, OUTCOME_TOO_LARGE, "an argument is too long: %s", name);
}

int cli_field(struct cli *cli, struct buf *out, const char *name, const char *value)
{
    int r = http1_write_field(out, name, bytes_of_text(value));
    if (r == HTTP1_BAD)
        return cli_error(cli, OUTCOME_BAD_REQUEST, "a control character stands in the text for %s", name);
    return r == 0 ? 0 : cli_error(cli, OUTCOME_TOO_LARGE, "the text for %s is too long", name);
}

int cli_number_option(struct cli *cli, const char *name, uint64_t max, uint64_t *ret)
{
    const char *value = args_value(cli->args, name);
    if (value == NULL || num_parse_u64(bytes_of_text(value), max, ret))
        return 0;
    return cli_usage_error(cli, "--%s takes a number up to %llu", name, (unsigned long long)max);
}

/* ---- main ---------------------------------------------------------------------------------------------------------
 */

static void look_around(struct cli *cli, const struct args *args)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM"), *root = getenv("SECREG_ROOT");
    cli->root = args->root != NULL ? args->root : root != NULL ? root : "";
    if (strcmp(cli->root, "/") == 0)
        cli->root = "";
    cli->is_json = args->is_json;
    cli->is_quiet = args->is_quiet;
    cli->is_tty_out = isatty(STDOUT_FILENO) == 1;
    cli->is_tty_err = isatty(STDERR_FILENO) == 1;
    bool is_dumb = term == NULL || strcmp(term, "dumb") == 0;
    cli->has_color = cli->is_tty_out && !is_dumb && !args->no_color && (no_color == NULL || *no_color == '\0');
}

static int run(struct cli *cli, const struct args *args)
{
    if (args->wants_version) {
        printf("sreg %s\n", SECREG_VERSION);
        return 0;
    }
    if (args->wants_help)
        return verbs_help(args->verb);
    if (args->verb == NULL) {
        verbs_usage(stderr);
        return CLI_USAGE;
    }
    return args->verb->run(cli, args);
}

int cli_main(int argc, char **argv)
{
    struct cli cli = {0};
    struct args args;
    char why[ARGS_WHY_BYTES];
    int x = args_parse(verbs, argc > 0 ? argc - 1 : 0, argv + 1, &args, why);
    cli.args = &args;
    look_around(&cli, &args);
    int status = x != 0 ? cli_usage_error(&cli, "%s", why) : run(&cli, &args);
    secreg_close(cli.link);
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == 0)
        status = cli_error(&cli, OUTCOME_INTERNAL, "cannot write to standard output");
    return status;
}
