/*
 * cmd-login - the verbs login, logout and session; see verbs.h.
 *
 * What PAM asks is asked on the terminal, question by question; its texts are made safe first. Answers live in wiping
 * buffers only, and come from standard input only if that was asked for; never from arguments or the environment.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/token.h"
#include "cli/verbs.h"
#include "model/auth-proto.h"
#include "model/outcome.h"
#include "os/file.h"
#include "wire/doc.h"

enum { BODY_MAX_BYTES = 32 << 10, LINES_MAX_BYTES = 16 << 10, PROMPT_MAX_BYTES = 8 << 10 };
#define LOGIN_TIMEOUT_MS (10 * 60 * 1000) /* a module may wait for a device; the daemon ends it before that */

struct dialogue {
    struct cli *cli;
    struct buf body;  /* of the next request; wiping */
    struct buf lines; /* standard input; wiping */
    bool reads_lines;
    struct buf conversation; /* its name, quoted */
};

static int bad_reply(struct cli *cli)
{
    return cli_error(cli, OUTCOME_BAD_HTTP, "the daemon's reply is not what doc/spec/http-api.md says");
}

/* ---- questions and answers ----------------------------------------------------------------------------------------
 */

/* The text of a question or note, safe for a terminal, as a C string. Returns 0 or a fault. */
static int safe_text(struct buf *out, struct bytes quoted)
{
    struct buf plain;
    buf_init(&plain, PROMPT_MAX_BYTES);
    int r = secreg_unquote(&plain, quoted);
    if (r == SECREG_UNQUOTE_BAD)
        r = RAISE(FAULT_PROTOCOL);
    if (r == 0)
        r = text_escape(out, buf_view(&plain));
    if (r == 0)
        r = buf_append(out, bytes_of("", 1));
    buf_fini(&plain);
    return r;
}

/* The next line of standard input. */
static int take_line(struct dialogue *d, struct buf *answer)
{
    struct bytes all = buf_view(&d->lines);
    size_t n = bytes_find(all, '\n');
    if (all.n == 0)
        return cli_error(d->cli, OUTCOME_BAD_REQUEST, "standard input holds fewer answers than there are questions");
    int r = buf_append(answer, bytes_head(all, n));
    if (r == 0)
        buf_consume(&d->lines, MIN_OF(n + 1, all.n));
    return r < 0 ? cli_error(d->cli, OUTCOME_TOO_LARGE, "an answer has at most %d bytes", AUTH_TEXT_MAX_BYTES) : 0;
}

static int put_answer(struct dialogue *d, const char *prompt, bool is_shown)
{
    struct buf answer;
    buf_init_wiping(&answer, AUTH_TEXT_MAX_BYTES + 1);
    int status = d->reads_lines ? take_line(d, &answer)
                 : is_shown     ? ask_shown(d->cli, prompt, &answer)
                                : ask_secret(d->cli, prompt, &answer);
    bool is_first = buf_size(&d->body) > 0 && buf_view(&d->body).p[buf_size(&d->body) - 1] == '[';
    if (status == 0 && !text_is_utf8(buf_view(&answer)))
        status = cli_error(d->cli, OUTCOME_BAD_REQUEST, "an answer is UTF-8 text");
    int r = status == 0 && !is_first ? buf_append_text(&d->body, ",") : 0;
    if (status == 0 && r == 0)
        r = doc_json_string(&d->body, buf_view(&answer));
    buf_fini(&answer);
    return status != 0 ? status : cli_fault(d->cli, r, "cannot answer");
}

/* One element of "prompts" or "notes": a question is answered, a note is shown. */
static int on_text(struct dialogue *d, struct bytes element)
{
    struct bytes text, echo;
    struct buf safe;
    bool is_question = secreg_member(element, "text", &text);
    bool is_error = !is_question && secreg_member(element, "error", &text);
    if (!is_question && !is_error && !secreg_member(element, "info", &text))
        return bad_reply(d->cli);
    buf_init(&safe, PROMPT_MAX_BYTES);
    int status = safe_text(&safe, text) < 0 ? bad_reply(d->cli) : 0;
    const char *shown = (const char *)buf_view(&safe).p;
    if (status == 0 && is_question)
        status =
            put_answer(d, shown, secreg_member(element, "echo", &echo) && bytes_equal(echo, BYTES_LITERAL("true")));
    else if (status == 0 && !d->cli->is_quiet)
        fprintf(stderr, "%s%s\n", is_error ? "sreg: " : "", shown);
    buf_fini(&safe);
    return status;
}

static int answer_all(struct dialogue *d, struct bytes prompts)
{
    struct bytes element;
    int status = 0;
    buf_clear(&d->body);
    int r = buf_append_text(&d->body, "{\"conversation\":");
    if (r == 0)
        r = buf_append(&d->body, buf_view(&d->conversation));
    if (r == 0)
        r = buf_append_text(&d->body, ",\"answers\":[");
    if (r < 0)
        return cli_fault(d->cli, r, "cannot answer");
    while (status == 0 && secreg_element(&prompts, &element))
        status = on_text(d, element);
    return status != 0 ? status : cli_fault(d->cli, buf_append_text(&d->body, "]}"), "cannot answer");
}

/* ---- login --------------------------------------------------------------------------------------------------------
 */

static int put_user(struct dialogue *d, const char *user)
{
    if (user != NULL && !text_is_utf8(bytes_of_text(user)))
        return cli_usage_error(d->cli, "--user takes UTF-8 text");
    int r = buf_append_text(&d->body, user != NULL ? "{\"user\":" : "{");
    if (r == 0 && user != NULL)
        r = doc_json_string(&d->body, bytes_of_text(user));
    if (r == 0)
        r = buf_append_text(&d->body, "}");
    return cli_fault(d->cli, r, "cannot log in");
}

/* What the reply says besides the token: that is kept, and not shown. */
static int print_done(struct dialogue *d, struct bytes data)
{
    struct bytes user, expires, absolute;
    struct buf when;
    if (!secreg_member(data, "user", &user) || !secreg_member(data, "expires", &expires) ||
        !secreg_member(data, "absolute", &absolute))
        return bad_reply(d->cli);
    if (d->cli->is_json) {
        printf("{\"user\":%.*s,\"expires\":%.*s,\"absolute\":%.*s}\n", BYTES_PRINT(user), BYTES_PRINT(expires),
               BYTES_PRINT(absolute));
        return 0;
    }
    buf_init(&when, PROMPT_MAX_BYTES);
    if (safe_text(&when, expires) == 0)
        cli_note(d->cli, "logged in; the session ends at %s unless it is used before", (const char *)buf_view(&when).p);
    buf_fini(&when);
    return 0;
}

static int keep(struct dialogue *d, struct bytes data, struct bytes quoted)
{
    struct buf token;
    struct bytes notes, note;
    buf_init_wiping(&token, SECREG_SESSION_MAX_BYTES);
    int r = secreg_unquote(&token, quoted);
    int status = r != 0 ? bad_reply(d->cli) : token_store(d->cli, buf_view(&token));
    buf_fini(&token);
    if (secreg_member(data, "notes", &notes)) {
        while (status == 0 && secreg_element(&notes, &note))
            status = on_text(d, note);
    }
    return status != 0 ? status : print_done(d, data);
}

/* Goes on until there is a session or a refusal. Returns a status. */
static int talk(struct dialogue *d)
{
    for (;;) {
        struct secreg_ask ask = {.method = "POST", .target = BYTES_LITERAL("/v1/login"), .body = buf_view(&d->body)};
        struct bytes data, session, name, prompts;
        int status = cli_data(d->cli, &ask, &data);
        if (status != 0)
            return status;
        if (secreg_member(data, "session", &session))
            return keep(d, data, session);
        if (!secreg_member(data, "conversation", &name) || !secreg_member(data, "prompts", &prompts))
            return bad_reply(d->cli);
        buf_clear(&d->conversation);
        status = cli_fault(d->cli, buf_append(&d->conversation, name), "cannot answer");
        if (status == 0)
            status = answer_all(d, prompts);
        if (status != 0)
            return status;
    }
}

int cmd_login(struct cli *cli, const struct args *args)
{
    struct dialogue d = {.cli = cli, .reads_lines = args_has(args, "answers-stdin")};
    int status = 0;
    buf_init_wiping(&d.body, BODY_MAX_BYTES);
    buf_init_wiping(&d.lines, LINES_MAX_BYTES);
    buf_init(&d.conversation, PROMPT_MAX_BYTES);
    cli->has_no_session = true;
    cli->timeout_ms = LOGIN_TIMEOUT_MS;
    if (d.reads_lines && file_read_all(STDIN_FILENO, &d.lines) < 0)
        status = cli_error(cli, OUTCOME_TOO_LARGE, "standard input cannot be read, or is too long");
    if (status == 0)
        status = put_user(&d, args_value(args, "user"));
    if (status == 0)
        status = talk(&d);
    buf_fini(&d.body);
    buf_fini(&d.lines);
    buf_fini(&d.conversation);
    return status;
}

/* ---- logout and session -------------------------------------------------------------------------------------------
 */

int cmd_logout(struct cli *cli, const struct args *args)
{
    bool is_all = args_has(args, "all");
    char token[SECREG_SESSION_MAX_BYTES];
    struct bytes data;
    struct secreg_ask ask = {.method = "DELETE",
                             .target = is_all ? BYTES_LITERAL("/v1/session?all") : BYTES_LITERAL("/v1/session")};
    token_load(cli, token, sizeof token);
    bool has_token = *token != '\0';
    explicit_bzero(token, sizeof token);
    if (!is_all && !has_token)
        return cli_error(cli, OUTCOME_BAD_SESSION, "there is no session at hand");
    cli->has_no_session = is_all; /* a token that is over must not keep the others alive */
    int status = cli_data(cli, &ask, &data);
    if (status != 0)
        return status;
    (void)token_remove(cli);
    if (cli->is_json)
        return cli_print_json(data);
    cli_note(cli, "%s", is_all ? "your sessions are over" : "the session is over");
    return 0;
}

int cmd_session(struct cli *cli, const struct args *args)
{
    static const struct out_column columns[] = {
        {"SESSION", "id", OUT_TEXT},      {"MADE", "made", OUT_TEXT},        {"USED", "used", OUT_TEXT},
        {"EXPIRES", "expires", OUT_TEXT}, {"AT LAST", "absolute", OUT_TEXT}, {"", "current", OUT_FLAG},
    };
    struct bytes data, rows, row;
    struct out_table t;
    struct buf out;
    (void)args;
    int status = cli_get_data(cli, BYTES_LITERAL("/v1/session"), &data);
    if (status != 0 || cli->is_json)
        return status != 0 ? status : cli_print_json(data);
    if (!secreg_member(data, "sessions", &rows))
        return bad_reply(cli);
    out_table_init(&t, columns, COUNT_OF(columns));
    buf_init(&out, CLI_TEXT_MAX_BYTES);
    int r = 0;
    while (r == 0 && secreg_element(&rows, &row))
        r = out_table_row(&t, row);
    if (r == 0)
        r = out_table_print(&t, cli->has_color, &out);
    if (r == 0)
        r = out_write(&out);
    out_table_fini(&t);
    buf_fini(&out);
    return cli_fault(cli, r, "cannot show the sessions");
}
