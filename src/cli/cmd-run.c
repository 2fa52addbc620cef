/*
 * cmd-run - the verb run; see verbs.h. Everything is fetched and checked before the program takes our place.
 *
 * Invariant: a value is never in an argument, a message or a file with a name; until execve(2) it is in wiping memory
 * and in sealed files in memory only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/fetch.h"
#include "cli/inject.h"
#include "cli/verbs.h"
#include "model/outcome.h"
#include "model/path.h"
#include "model/value.h"
#include "os/memfile.h"

#define FILE_SUFFIX "_FILE"
#define FD_FOLDER "/proc/self/fd/"

enum {
    RUN_SPECS_MAX_COUNT = 64,
    RUN_FILES_MAX_COUNT = 512,
    RUN_FIRST_FD = 10, /* below it are those that scripts use */
    RUN_CANNOT = 126,  /* as shells: found, and not executable */
    RUN_NOT_FOUND = 127,
};

/* One --env or --files. */
struct spec {
    bool is_file;
    const char *text;
};

struct job {
    struct cli *cli;
    struct spec specs[RUN_SPECS_MAX_COUNT];
    size_t specs_count;
    const char *prefix;
    char **command;
    struct inject inject;
    size_t files_count;
    struct buf value;
};

/* ---- the command line ---------------------------------------------------------------------------------------------
 */

static int add_spec(struct job *j, bool is_file, const char *text)
{
    if (j->specs_count == RUN_SPECS_MAX_COUNT)
        return cli_usage_error(j->cli, "--env and --files can be given %d times", RUN_SPECS_MAX_COUNT);
    j->specs[j->specs_count++] = (struct spec){.is_file = is_file, .text = text};
    return 0;
}

static int take_option(struct job *j, struct bytes name, const char *value)
{
    if (bytes_equal(name, BYTES_LITERAL("env")))
        return add_spec(j, false, value);
    if (bytes_equal(name, BYTES_LITERAL("files")))
        return add_spec(j, true, value);
    if (j->prefix != NULL)
        return cli_usage_error(j->cli, "this option is given twice: --prefix");
    j->prefix = value;
    return 0;
}

static int read_option(struct job *j, int argc, char **argv, int *at)
{
    const char *word = argv[*at], *equals = strchr(word, '=');
    struct bytes name = bytes_from(bytes_of_text(word), 2);
    if (equals != NULL)
        name = bytes_head(name, (size_t)(equals - word - 2));
    bool is_known = bytes_equal(name, BYTES_LITERAL("env")) || bytes_equal(name, BYTES_LITERAL("files")) ||
                    bytes_equal(name, BYTES_LITERAL("prefix"));
    if (!is_known)
        return cli_usage_error(j->cli, "unknown option: %.64s", word);
    if (equals != NULL)
        return take_option(j, name, equals + 1);
    if (*at + 1 >= argc || strcmp(argv[*at + 1], "--") == 0)
        return cli_usage_error(j->cli, "this option needs a value: %.64s", word);
    return take_option(j, name, argv[++*at]);
}

static int read_line(struct job *j, int argc, char **argv)
{
    int at = 1;
    for (; at < argc && strcmp(argv[at], "--") != 0; at++) {
        if (strncmp(argv[at], "--", 2) != 0)
            return cli_usage_error(j->cli, "\"--\" belongs before the program");
        int status = read_option(j, argc, argv, &at);
        if (status != 0)
            return status;
    }
    if (at + 1 >= argc)
        return cli_usage_error(j->cli, "\"-- COMMAND\" is missing");
    j->command = argv + at + 1;
    return 0;
}

/* ---- entries ------------------------------------------------------------------------------------------------------
 */

static int bad_name(struct job *j, struct bytes path, const char *name, int result)
{
    const struct inject_item *other = name != NULL && result == INJECT_TWICE ? inject_find(&j->inject, name) : NULL;
    unsigned outcome = result == INJECT_TWICE                           ? OUTCOME_EXISTS
                       : result == INJECT_LONG || result == INJECT_MANY ? OUTCOME_TOO_LARGE
                                                                        : OUTCOME_BAD_VALUE;
    if (other != NULL)
        return cli_error(j->cli, outcome, "%.*s: the variable %s is that of %s already", BYTES_PRINT(path), name,
                         other->path);
    return cli_error(j->cli, outcome, "%.*s: %s", BYTES_PRINT(path), inject_why(result));
}

static int refused(struct job *j, struct bytes path, int fault, unsigned outcome)
{
    char about[PATH_MAX_BYTES + 1];
    if (fault < 0)
        return cli_fault(j->cli, fault, "cannot take a value");
    snprintf(about, sizeof about, "%.*s", BYTES_PRINT(path));
    return cli_refused(j->cli, outcome, about);
}

static int pass_file(struct job *j, const char *name, char text[static 32])
{
    int fd = -1;
    if (j->files_count++ == RUN_FILES_MAX_COUNT)
        return cli_error(j->cli, OUTCOME_TOO_LARGE, "more than %d entries as files", RUN_FILES_MAX_COUNT);
    int r = memfile_make(name, buf_view(&j->value), &fd);
    int passed = r == 0 ? memfile_pass(fd, RUN_FIRST_FD) : r;
    if (fd >= 0)
        close(fd);
    snprintf(text, 32, FD_FOLDER "%d", passed);
    return passed < 0 ? cli_fault(j->cli, passed, "cannot make a file in memory") : 0;
}

/* The value in j->value becomes a variable, or a file that a variable names. */
static int add_variable(struct job *j, const struct spec *spec, const char *name, struct bytes path)
{
    char text[32];
    int status = spec->is_file ? pass_file(j, name, text) : 0;
    if (status != 0)
        return status;
    int r = inject_add(&j->inject, name, path, spec->is_file ? bytes_of_text(text) : buf_view(&j->value));
    return r > 0 ? bad_name(j, path, name, r) : cli_fault(j->cli, r, "cannot make the environment");
}

static int fetch_variable(struct job *j, const struct spec *spec, const char *name, struct bytes path)
{
    unsigned outcome = OUTCOME_INTERNAL;
    if (inject_find(&j->inject, name) != NULL)
        return bad_name(j, path, name, INJECT_TWICE);
    buf_clear(&j->value);
    int r = fetch_value(j->cli, path, &j->value, &outcome);
    return r < 0 || outcome != OUTCOME_DONE ? refused(j, path, r, outcome) : add_variable(j, spec, name, path);
}

static int make_name(struct job *j, const struct spec *spec, struct bytes path, struct bytes folder,
                     char name[static INJECT_NAME_MAX_BYTES])
{
    int x = inject_name_of(path, folder, j->prefix != NULL ? j->prefix : "", spec->is_file ? FILE_SUFFIX : "", name);
    return x != 0 ? bad_name(j, path, NULL, x) : 0;
}

static int add_entry(struct job *j, const struct spec *spec, struct bytes path, struct bytes folder)
{
    char name[INJECT_NAME_MAX_BYTES];
    int status = make_name(j, spec, path, folder, name);
    return status != 0 ? status : fetch_variable(j, spec, name, path);
}

static int add_folder(struct job *j, const struct spec *spec, struct bytes folder)
{
    struct names names;
    unsigned outcome = OUTCOME_INTERNAL;
    names_init(&names);
    int r = fetch_names(j->cli, folder, &names, &outcome);
    int status = r < 0 || outcome != OUTCOME_DONE ? refused(j, folder, r, outcome) : 0;
    for (size_t i = 0; status == 0 && i < names.count; i++) {
        struct bytes path = bytes_of_text(names.items[i]);
        bool is_below = path_is_within(path, folder) && path.n > folder.n;
        status = is_below ? add_entry(j, spec, path, folder) : cli_fault(j->cli, FAULT_PROTOCOL, "cannot take a name");
    }
    names_fini(&names);
    return status;
}

/* NAME=PATH: an entry under a name given by hand. */
static int add_named(struct job *j, const struct spec *spec, struct bytes name, struct bytes path)
{
    char text[INJECT_NAME_MAX_BYTES];
    int x = inject_name_check(name);
    if (x != 0)
        return cli_usage_error(j->cli, "%.*s: %s", BYTES_PRINT(bytes_head(name, 64)), inject_why(x));
    snprintf(text, sizeof text, "%.*s", BYTES_PRINT(name));
    return fetch_variable(j, spec, text, path);
}

/* An entry, or if there is a folder in its place, what is in that. */
static int add_path(struct job *j, const struct spec *spec, struct bytes path)
{
    char name[INJECT_NAME_MAX_BYTES];
    unsigned outcome = OUTCOME_INTERNAL;
    buf_clear(&j->value);
    int r = fetch_value(j->cli, path, &j->value, &outcome);
    if (r == 0 && outcome == OUTCOME_IS_FOLDER)
        return add_folder(j, spec, path);
    if (r < 0 || outcome != OUTCOME_DONE)
        return refused(j, path, r, outcome);
    int status = make_name(j, spec, path, path_parent(path), name);
    return status != 0 ? status : add_variable(j, spec, name, path);
}

static int add(struct job *j, const struct spec *spec)
{
    const char *why;
    struct bytes text = bytes_of_text(spec->text), name = BYTES_NONE;
    size_t equals = bytes_find(text, '=');
    bool is_named = text.n > 0 && text.p[0] != '/' && equals < text.n;
    if (is_named) {
        name = bytes_head(text, equals);
        text = bytes_from(text, equals + 1);
    }
    bool is_folder = !is_named && text.n > 1 && text.p[text.n - 1] == '/';
    if (is_folder)
        text.n--;
    if (!path_check(text, &why))
        return cli_error(j->cli, OUTCOME_BAD_PATH, "not a valid path: %s", why);
    if (is_named)
        return add_named(j, spec, name, text);
    return is_folder ? add_folder(j, spec, text) : add_path(j, spec, text);
}

/* ---- the program --------------------------------------------------------------------------------------------------
 */

/* Comes back only if the program cannot be started. */
static int start(struct job *j, char **environment)
{
    secreg_close(j->cli->link);
    j->cli->link = NULL;
    buf_fini(&j->value);
    execvpe(j->command[0], j->command, environment);
    int fault = -errno;
    cli_error(j->cli, OUTCOME_INTERNAL, "cannot start %s: %s", j->command[0], fault_text(fault));
    return fault == -ENOENT || fault == -ENOTDIR ? RUN_NOT_FOUND : RUN_CANNOT;
}

int cmd_run(struct cli *cli, const struct args *args)
{
    struct job j = {.cli = cli};
    char **environment = NULL;
    inject_init(&j.inject);
    buf_init_wiping(&j.value, VALUE_MAX_BYTES);
    int status = read_line(&j, args->raw_argc, args->raw_argv);
    for (size_t i = 0; status == 0 && i < j.specs_count; i++)
        status = add(&j, &j.specs[i]);
    if (status == 0)
        status = cli_fault(cli, inject_environment(&j.inject, environ, &environment), "cannot make the environment");
    if (status == 0)
        status = start(&j, environment);
    free(environment);
    buf_fini(&j.value);
    inject_fini(&j.inject);
    return status;
}
