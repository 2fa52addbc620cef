/* cmd-export - the verb export: a folder of the tree as a document; see verbs.h. */
#include <stdio.h>
#include <string.h>

#include "cli/transfer.h"
#include "cli/verbs.h"
#include "model/outcome.h"
#include "wire/doc.h"

struct export
{
    struct cli *cli;
    const char *folder;
    const char *file; /* NULL: standard output */
    const struct dump_format *format;
    bool is_forced, with_secrets;
    struct dump d;
    size_t hidden_count;
};

static int find_format(struct export *x)
{
    const char *name = args_value(x->cli->args, "format");
    if (name == NULL && (x->file == NULL || dump_format_of(x->file) == NULL))
        name = "json";
    int status = transfer_format(x->cli, name, x->file, &x->format);
    if (status == 0 && x->cli->is_json && x->file == NULL && strcmp(x->format->name, "json") != 0)
        return cli_usage_error(x->cli, "--json on standard output and another format exclude each other");
    return status;
}

static int report(struct export *x)
{
    SCOPED(buf_fini) struct buf out;
    buf_init(&out, CLI_TEXT_MAX_BYTES);
    TRY(buf_append_text(&out, "{\"file\":"));
    TRY(doc_json_string(&out, bytes_of_text(x->file)));
    TRY(buf_append_text(&out, ",\"folder\":"));
    TRY(doc_json_string(&out, bytes_of_text(x->d.base)));
    TRY(buf_print(&out, ",\"format\":\"%s\",\"revision\":%llu,\"entries\":%zu,\"without_value\":%zu}", x->format->name,
                  (unsigned long long)x->d.revision, x->d.count, x->hidden_count));
    return cli_print_json(buf_view(&out));
}

/* On one line for --json: what ends a line of such a text is a blank of JSON. */
static void print_text(const struct export *x, struct bytes text)
{
    while (text.n > 0) {
        size_t n = x->cli->is_json ? bytes_find(text, '\n') : text.n;
        fwrite(text.p, 1, n, stdout);
        text = bytes_from(text, x->cli->is_json ? n + 1 : n);
    }
    if (x->cli->is_json)
        putchar('\n');
}

static void say_what_is_missing(struct export *x)
{
    if (x->hidden_count > 0)
        cli_warn(x->cli, "%zu sealed entries are without their values; --with-secrets writes them down",
                 x->hidden_count);
    if (x->format->is_lossy)
        cli_warn(x->cli, "the format %s loses types, comments, tags and expiry", x->format->name);
}

static int write_down(struct export *x)
{
    SCOPED(buf_fini) struct buf text;
    char why[DUMP_WHY_BYTES] = "";
    buf_init_wiping(&text, DUMP_TEXT_MAX_BYTES);
    int r = x->format->print(&text, &x->d, why);
    if (r == DUMP_BAD)
        return cli_error(x->cli, OUTCOME_BAD_VALUE, "%s", why);
    if (r == FAULT_LIMIT)
        return cli_error(x->cli, OUTCOME_TOO_LARGE, "the text is larger than the limit of %d bytes",
                         DUMP_TEXT_MAX_BYTES);
    if (r < 0)
        return cli_fault(x->cli, r, "cannot write it down");
    say_what_is_missing(x);
    if (x->file == NULL) {
        print_text(x, buf_view(&text));
        return 0;
    }
    int status = transfer_write(x->cli, x->file, x->is_forced, buf_view(&text));
    if (status == 0 && x->cli->is_json)
        status = cli_fault(x->cli, report(x), "cannot say what was written");
    else if (status == 0)
        cli_note(x->cli, "%s: %zu entries, revision %llu", x->file, x->d.count, (unsigned long long)x->d.revision);
    return status;
}

int cmd_export(struct cli *cli, const struct args *args)
{
    struct export x = {.cli = cli, .folder = args->operands[0], .file = args_value(args, "output")};
    x.is_forced = args_has(args, "force");
    x.with_secrets = args_has(args, "with-secrets");
    dump_init(&x.d);
    int status = find_format(&x);
    if (status == 0 && x.file != NULL)
        (void)!transfer_can_write(cli, x.file, x.is_forced, &status);
    if (status == 0)
        status = transfer_read_tree(cli, x.folder, false, &x.d);
    if (status == 0 && !x.with_secrets)
        x.hidden_count = transfer_hide(&x.d);
    if (status == 0)
        status = write_down(&x);
    dump_fini(&x.d);
    return status;
}
